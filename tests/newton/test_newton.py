"""Newton's method and its start, below the public solver."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from problems import problem_of, random_problem
from scipy.sparse import csr_array

from geomot import UniformPolygon
from geomot._constants.newton import COARSE_TOL
from geomot._newton.insertion import insertion_start
from geomot._newton.newton import Problem, lift_cells, newton
from geomot._newton.quantiles import quantile_weights


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
    problem = Problem(sites, masses, UniformPolygon(polygon), 1)
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
        masses = [problem.sorted_sites.diagram(w).masses for w in (up, down)]
        # piecewise quadratic masses: what is left is rounding
        assert_allclose((masses[0] - masses[1]) / (2 * h), matrix[:, k], atol=1e-8)
