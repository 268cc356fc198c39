"""Small runs of the fuzzers, which run as many configurations as one likes on their own."""

from __future__ import annotations

from dataclasses import replace

import fuzz_solve
import fuzz_space
import numpy as np
import pytest
from fuzz_diagram import configuration, run

import geomot


@pytest.mark.parametrize("part", range(4))
def test_diagram_agrees_with_the_oracle(part):
    lines = []
    wrong, degenerate = run(500, 2, start=500 * part, report=lines.append)
    assert wrong == 0, "\n".join(lines)
    assert degenerate > 50


@pytest.mark.parametrize("part", range(2))
def test_diagrams_in_space_agree_with_the_oracle(part):
    lines = []
    assert fuzz_space.run(15, 3, start=15 * part, report=lines.append) == 0, "\n".join(lines)


def test_configurations_can_be_repeated():
    for k in range(20):
        one, two = configuration(0, k), configuration(0, k)
        assert one[0] == two[0]
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one[1:], two[1:], strict=True))


@pytest.mark.parametrize("family", fuzz_solve.FAMILIES)
def test_solves_are_right(family):
    lines = []
    tallies, _ = fuzz_solve.run(20, 0, families=[family], report=lines.append)
    assert tallies[family].solves == 20
    assert tallies[family].failed == 0, "\n".join(lines)


def test_problems_can_be_repeated():
    for family, seed in fuzz_solve.problems(60, 7, list(fuzz_solve.FAMILIES)):
        one, two = fuzz_solve.make(family, seed), fuzz_solve.make(family, seed)
        for a, b in ((one.sites, two.sites), (one.masses, two.masses), (one.polygon, two.polygon)):
            assert a.tobytes() == b.tobytes()


def judged(change, *, atol=fuzz_solve.ATOL):
    """The verdict on a solution of three sites that `change` has changed."""
    sites = np.array([(0.2, 0.3), (0.7, 0.4), (0.5, 0.9)])
    masses = np.array([0.25, 0.25, 0.5])
    box = np.array([(0.0, 0.0), (1.0, 1.0)])
    polygon = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    case = fuzz_solve.Case("three", 0, sites, masses, box, polygon)
    verdict = fuzz_solve.check(
        case, atol=atol, solve=lambda *problem: change(geomot.solve(*problem))
    )
    return verdict, "\n".join(verdict.wrong)


def moved(by, **claims):
    """Move one weight, and claim that nothing happened."""
    shift = np.array([(by, 0.0), (0.0, 0.0), (0.0, 0.0)])
    return lambda s: replace(s, weights_exact=s.weights_exact + shift, **claims)


def test_the_judge_lets_a_right_solution_pass():
    verdict, wrong = judged(lambda s: s)
    assert not verdict.failed, wrong


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (moved(1e-8), "converged, but site 0 has mass"),
        (moved(1e-8), "mass_error"),
        (moved(-1.0), "is empty"),
        (lambda s: replace(s, masses=s.masses * (1 + 1e-11)), "masses sum to"),
        (lambda s: replace(s, mass_error=1e-3), "mass_error 0.001"),
        (lambda s: replace(s, cost=s.cost * (1 + 1e-6)), "outside the bracket"),
        (lambda s: replace(s, cost=s.cost * (1 + 1e-6), bracket=(0.0, 1.0)), "dual value"),
        (lambda s: replace(s, cost=s.cost * (1 + 1e-6), bracket=(0.0, 1.0)), "but W2^2 is"),
        (lambda s: replace(s, bracket=(s.cost + 1e-6, s.cost + 2e-6)), "a plan costs"),
        (lambda s: replace(s, bracket=(s.cost - 2e-6, s.cost - 1e-6)), "but the dual value is"),
        (lambda s: replace(s, mass_error=np.inf), "not finite"),
        (lambda s: replace(s, status="stalled"), "0 convergence warnings"),
        (lambda s: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_the_judge_sees(change, complaint):
    verdict, wrong = judged(change)
    assert verdict.failed
    assert complaint in wrong


def test_the_judge_sees_a_negative_bound():
    verdict, _ = judged(lambda s: replace(s, bracket=(-1e-30, 1.0)))
    assert verdict.negative and verdict.failed


def test_the_judge_lets_small_masses_be():
    verdict, wrong = judged(moved(1e-8), atol=1e-7)
    assert "converged, but" not in wrong and verdict.error == 0
