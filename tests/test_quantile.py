"""Solves on the line from the user's side: states, starts, idle sites and twins."""

from __future__ import annotations

import numpy as np
import pytest
from small_solves import LINE

import geomot
from geomot import UniformBox, solve


def test_quantiles_show_one_state_and_save_it(tmp_path):
    path = tmp_path / "line.npz"
    masses = np.arange(1.0, 31.0) / 465.0
    seen = []

    def read(state):
        seen.append((state, geomot.load(path)))

    solution = solve(LINE, masses, callback=read, checkpoint=path)
    ((state, saved),) = seen
    assert state.n_iter == solution.n_iter == 0
    assert saved.status == "stopped"
    np.testing.assert_array_equal(saved.weights_exact, solution.weights_exact)
    np.testing.assert_array_equal(state.weights_exact, solution.weights_exact)


def test_quantiles_do_not_depend_on_a_start():
    solution = solve(LINE)
    for initial in (np.linspace(0.0, 1.0, 30), solution, solution.weights_exact):
        assert solve(LINE, initial_weights=initial) == solution
        assert solve(LINE, initial_weights=initial, max_iter=7) == solution
    assert solve(LINE, max_iter=0) == solution
    with pytest.raises(ValueError, match=r"initial_weights must have shape \(30,\)"):
        solve(LINE, initial_weights=np.zeros(29))


def test_given_weights_on_the_line_are_measured_where_no_step_is_allowed():
    """Sites 1/4, 3/4 with weights 0, -1/4: the border is at 3/4, and W2^2 is at least the dual."""
    sites, masses = [[0.25], [0.75]], [0.5, 0.5]
    with pytest.warns(geomot.ConvergenceWarning, match="max_iter was reached"):
        given = solve(sites, masses, initial_weights=[0.0, -0.25], max_iter=0)
    assert given.status == "max_iter"
    assert given.weights.tolist() == [0.0, -0.25]
    assert given.masses.tolist() == [0.75, 0.25]
    assert given.mass_error == 0.5
    # int of (x - 1/4)^2 to 3/4, of (x - 3/4)^2 from there, and weights times what is missing
    assert given.dual_value == pytest.approx(9 / 192 + 1 / 192 - 0.25 * 0.25, abs=1e-15)
    low, high = given.bracket
    assert low <= 1 / 48 <= high
    optimal = solve(sites, masses, initial_weights=[0.5, 0.5], max_iter=0)
    assert optimal.converged
    assert optimal.weights.tolist() == [0.5, 0.5]
    with pytest.warns(geomot.ConvergenceWarning):
        stopped = solve(
            sites, masses, initial_weights=[0.0, -0.25], max_iter=0, callback=lambda state: True
        )
    assert stopped.status == "stopped"


def test_given_weights_on_the_line_with_an_idle_site_and_twins():
    sites = [[0.25], [0.75], [0.25], [0.5]]
    solution = solve(
        sites, [0.25, 0.5, 0.25, 0.0], UniformBox([0.0], [1.0]),
        initial_weights=[1.0, 1.0, 5.0, 9.0], max_iter=0,
    )  # fmt: skip
    assert solution.converged
    assert solution.masses.tolist() == [0.25, 0.5, 0.25, 0.0]
