"""Newton's method and its start, below the public solver."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from problems import random_problem
from scipy.sparse import csr_array

from geomot import _double_double, datasets
from geomot import _laplacian as laplacian
from geomot._constants import COARSE_TOL
from geomot._newton.insertion import inscribed_box, insertion_start, make_valid, quantile_weights
from geomot._newton.newton import Problem, lift_cells, newton
from geomot._power import hilbert_order

BOX = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
HEXAGON = np.column_stack([np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)])


def problem_of(name, n, polygon=BOX):
    sites, masses = datasets.planar_problem(name, n)
    masses = np.full(n, 1.0 / n) if masses is None else masses
    order, _ = hilbert_order(sites)
    return Problem(np.ascontiguousarray(sites[order]), masses[order], polygon, 1)


@pytest.mark.parametrize("name", ["u2d", "clust2d", "two-scales", "moons", "masses-1e-6"])
@pytest.mark.parametrize("polygon", [BOX, HEXAGON], ids=["box", "hexagon"])
def test_starts_leave_no_cell_empty(name, polygon):
    problem = problem_of(name, 1200, polygon)
    assert not problem.evaluate(quantile_weights(problem)).diagram.empty.any()
    assert not insertion_start(problem).diagram.empty.any()


def test_quantile_start_is_valid_for_sites_on_lines_and_far_away():
    rng = np.random.default_rng(0)
    grid = np.array([(i, j) for i in range(6) for j in range(7)], dtype=float)
    for sites in (grid, 1e4 + grid, np.column_stack([rng.random(40), np.zeros(40)])):
        problem = Problem(sites, np.full(len(sites), 1.0 / len(sites)), BOX, 1)
        assert not problem.evaluate(quantile_weights(problem)).diagram.empty.any()


def test_inscribed_box_lies_inside():
    for polygon in (BOX, HEXAGON, np.array([(0.0, 0.0), (4.0, 0.0), (0.0, 1.0)])):
        lower, upper = inscribed_box(polygon)
        assert (lower < upper).all()
        step = np.roll(polygon, -1, axis=0) - polygon
        for corner in [(x, y) for x in (lower[0], upper[0]) for y in (lower[1], upper[1])]:
            away = np.asarray(corner) - polygon
            assert (step[:, 0] * away[:, 1] - step[:, 1] * away[:, 0] >= -1e-12).all()


def test_make_valid_lifts_what_given_weights_hide():
    problem = problem_of("u2d", 500)
    weights = np.zeros(500)
    weights[::7] = -1.0
    assert problem.evaluate((weights, np.zeros(500))).diagram.empty.sum() > 50
    valid = make_valid(problem.evaluate((weights, np.zeros(500))))
    assert not valid.diagram.empty.any()


def test_lifting_touches_only_empty_cells():
    problem = problem_of("u2d", 300)
    weights = np.zeros(300)
    weights[10] = -1.0
    before = problem.evaluate((weights, np.zeros(300)))
    after = lift_cells(before, np.full(300, 1e-4), 1, 1.0)
    assert not after.diagram.empty[10]
    changed = np.flatnonzero(after.weights[0] != weights)
    assert changed.tolist() == [10]


def test_walks_end_where_cells_disagree_about_a_vertex():
    # a thin domain of ill-conditioned vertices, where an unguarded walk went round in circles
    sites, masses, polygon = random_problem(67)
    problem = Problem(sites, masses, polygon, 1)
    start = insertion_start(problem)
    for _ in range(20):
        start.diagram.insert(sites, np.full(len(sites), 1e-3))


def test_newton_stops_where_it_is_told():
    problem = problem_of("u2d", 400)
    start = problem.evaluate(quantile_weights(problem))
    seen = []
    last, status = newton(start, tol=1e-9, max_iter=3, observe=seen.append)
    assert status == "max_iter"
    assert len(seen) == 4
    assert last is seen[-1]
    _, status = newton(start, tol=1e-9, max_iter=50, observe=lambda it: True)
    assert status == "stopped"
    last, status = newton(start, tol=COARSE_TOL, max_iter=50)
    assert status == "converged"
    assert last.mass_error <= COARSE_TOL


def test_resuming_from_an_iterate_repeats_the_run_bit_by_bit():
    problem = problem_of("masses-1e-6", 300)
    seen = []
    start = problem.evaluate(quantile_weights(problem))
    whole, _ = newton(start, tol=1e-9, max_iter=100, observe=seen.append)
    middle = seen[len(seen) // 2]
    middle = problem.evaluate(middle.weights, middle.step)
    again, _ = newton(middle, tol=1e-9, max_iter=100)
    for a, b in zip(whole.weights, again.weights, strict=True):
        assert a.tobytes() == b.tobytes()


def test_hessian_is_the_derivative_of_the_masses():
    problem = problem_of("u2d", 80)
    rng = np.random.default_rng(1)
    weights = 0.002 * rng.random(80)
    iterate = problem.evaluate((weights, np.zeros(80)))
    matrix = csr_array(iterate.hessian.matrix, shape=(80, 80)).toarray()
    h = 1e-6
    for k in rng.integers(80, size=5):
        up, down = weights.copy(), weights.copy()
        up[k] += h
        down[k] -= h
        masses = [problem.plane.diagram(w).masses for w in (up, down)]
        # piecewise quadratic masses: what is left is rounding
        assert_allclose((masses[0] - masses[1]) / (2 * h), matrix[:, k], atol=1e-8)


def test_pairs_keep_twice_the_precision():
    x = (np.array([1.0]), np.array([2.0**-60]))
    hi, lo = _double_double.add(x, np.array([2.0**-100]))
    assert (hi[0], lo[0]) == (1.0, 2.0**-60 + 2.0**-100)
    hi, lo = _double_double.mix(x, (np.array([3.0]), np.array([0.0])), 0.5)
    assert hi[0] == 2.0
    assert lo[0] == 2.0**-61


@pytest.mark.parametrize("direct", [False, True], ids=["approx-chol", "elimination"])
def test_both_linear_solvers_agree_with_dense_algebra(direct, monkeypatch):
    if direct:
        monkeypatch.setattr(laplacian, "approx_chol", None)
    problem = problem_of("clust2d", 300)
    iterate = insertion_start(problem)
    rng = np.random.default_rng(2)
    rhs = rng.standard_normal(300)
    rhs -= rhs.mean()
    solved = laplacian.solve_laplacian(iterate.hessian, rhs, np.ones(300), 1e-12)
    x = solved.values[0] + solved.values[1]
    dense = csr_array(iterate.hessian.matrix, shape=(300, 300)).toarray()
    if not direct:
        assert abs(np.median(x)) < 1e-12 * np.abs(x).max()
    assert_allclose(dense @ x, rhs, atol=1e-9)
    assert solved.residual < 1e-12


def test_solve_runs_without_approx_chol(monkeypatch):
    import geomot

    monkeypatch.setattr(laplacian, "approx_chol", None)
    sites, _ = datasets.planar_problem("clust2d", 1000)
    assert geomot.solve(sites).converged
