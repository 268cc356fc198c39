"""A solution in words."""

from __future__ import annotations

import re

import numpy as np
import pytest

import geomot

SITES = np.random.default_rng(0).random((20, 2))


def sampled(tol=0.2):
    sites = np.random.default_rng(1).random((20, 3))
    return geomot.solve(sites, method="montecarlo", tol=tol, random_state=0)


def test_an_exact_solution():
    lines = str(geomot.solve([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7])).splitlines()
    assert lines == [
        "Map: from UniformBox([0.0, 0.0], [1.0, 1.0]) onto 2 sites in 2 dimensions",
        "Status: Converged (Newton's method, 0 steps)",
        "Masses: largest relative error of a cell 0 (asked for: 1e-09)",
        "Cost: W2^2 = 0.124166666667, certified to all digits shown",
    ]


def test_one_that_has_not_converged():
    with pytest.warns(geomot.ConvergenceWarning):
        solution = geomot.solve(SITES, max_iter=0)
    said = solution.report()
    assert "Status: Not converged: the largest number of steps was reached" in said
    assert f"largest relative error of a cell {solution.mass_error:.2g}" in said
    low, high = re.search(r"certified to lie between (\S+) and (\S+)", said).groups()
    assert float(low) <= geomot.solve(SITES).cost <= float(high)


def test_the_line_and_sites_without_mass():
    solution = geomot.solve([[0.2], [0.5], [0.9]], [0.5, 0.5, 0.0])
    assert str(solution).endswith("Sites without mass: 1, whose cells are empty")
    assert "(quantiles, no iteration)" in str(solution)
    assert "onto 3 sites in 1 dimension\n" in str(solution)


def test_monte_carlo_says_what_was_tested():
    solution = sampled()
    said, estimate = str(solution), solution.estimate
    assert f"fitted to {estimate.n_fit_samples} samples, tested on {estimate.n_samples}" in said
    assert f"between {estimate.tv_interval[0]:.2g} and {estimate.tv_interval[1]:.2g}" in said
    low, high = map(float, re.search(r"W2\^2 between (\S+) and (\S+),", said).groups())
    assert low <= sampled(0.02).cost <= high
    assert "mass_error" not in repr(solution)
    assert f"tv={estimate.tv:.3g} in" in repr(solution)


@pytest.mark.parametrize("make", [sampled, lambda: geomot.solve(SITES)])
def test_notebooks_show_the_same_facts(make):
    solution = make()
    cells = re.findall(r"<td[^>]*>(.*?)</td>", solution._repr_html_())
    lines = [line.split(": ", 1)[1] for line in str(solution).splitlines()]
    assert [cell.replace("&#x27;", "'") for cell in cells] == lines
