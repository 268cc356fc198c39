"""Exact transport between clouds: optimal, certified, the same by every method."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from geomot import discrete
from geomot.discrete import assignment, plan
from geomot.errors import ConvergenceError, ConvergenceWarning

SIMPLEX = pytest.param(
    "simplex", marks=pytest.mark.skipif(find_spec("ot") is None, reason="needs POT")
)
EVERY_ASSIGNMENT = ["paths", SIMPLEX, "linear-program"]
EVERY_PLAN = [SIMPLEX, "linear-program"]


def clouds(n, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), 0.5 * rng.standard_normal((m, d)) + 1.0


def some_masses(n, seed=0):
    masses = np.random.default_rng(seed).dirichlet(np.full(n, 0.3))
    return masses / masses.sum()


def check(result, scale=1.0):
    """All that is promised of any plan, from its definition."""
    costs = cdist(result.a, result.b, "sqeuclidean")
    matrix = result.matrix.toarray()
    assert matrix.shape == result.shape == costs.shape
    assert (result.masses > 0.0).all()
    assert len(result.masses) <= sum(result.shape) - 1
    assert (np.diff(result.rows) >= 0).all()
    assert np.abs(matrix.sum(axis=1) - result.a_masses).max() < 1e-12
    assert np.abs(matrix.sum(axis=0) - result.b_masses).max() < 1e-12
    assert result.cost == pytest.approx(np.sum(matrix * costs), rel=1e-12)
    slack = costs - result.a_potential[:, None] - result.b_potential
    assert slack.min() >= -1e-13 * scale
    dual = result.a_masses @ result.a_potential + result.b_masses @ result.b_potential
    low, high = result.bracket
    assert low <= dual <= high
    assert low <= result.cost <= high
    assert result.gap == high - low
    assert result.gap <= 1e-9 * scale
    # complementary slackness
    assert slack[matrix > 0.0].max() <= 1e-9 * scale / result.masses.min()


# ---- assignments ----


@pytest.mark.parametrize("method", EVERY_ASSIGNMENT)
@pytest.mark.parametrize("d", [1, 2, 5])
def test_assignment_against_all_permutations(method, d):
    a, b = clouds(6, 6, d, seed=d)
    costs = cdist(a, b, "sqeuclidean")
    best = min(
        itertools.permutations(range(6)), key=lambda p: sum(costs[i, p[i]] for i in range(6))
    )
    found = assignment(a, b, method=method)
    assert found.permutation.tolist() == list(best)
    assert found.method == method
    assert found.cost == pytest.approx(costs[np.arange(6), best].mean(), rel=1e-14)
    check(found, 10.0)


@pytest.mark.parametrize("d", [2, 8])
def test_methods_agree_on_an_assignment(d):
    pytest.importorskip("ot")
    a, b = clouds(300, 300, d)
    paths, simplex = (assignment(a, b, method=method) for method in ("paths", "simplex"))
    assert np.array_equal(paths.permutation, simplex.permutation)
    assert paths.cost == simplex.cost
    for found in (paths, simplex):
        check(found, 50.0)
        assert found.gap < 1e-11
    assert assignment(a, b) == simplex
    assert assignment(a[:200], b[:200]).method == "paths"


def test_assignment_without_pot(monkeypatch):
    monkeypatch.setattr(discrete, "_has_pot", lambda: False)
    a, b = clouds(300, 300, 2)
    assert assignment(a, b).method == "paths"
    assert plan(a[:20], b[:30]).method == "linear-program"
    for function in (assignment, plan):
        with pytest.raises(ImportError, match=r"geomot\[discrete\]"):
            function(a, b, method="simplex")


def test_assignment_on_the_line_is_monotone():
    a, b = clouds(120, 120, 1)
    found = assignment(a, b)
    ranks = np.argsort(np.argsort(b[:, 0]))[found.permutation]
    assert np.array_equal(ranks, np.argsort(np.argsort(a[:, 0])))


# ---- plans ----


@pytest.mark.parametrize("method", EVERY_PLAN)
@pytest.mark.parametrize(
    ("n", "m", "d"), [(30, 20, 2), (20, 41, 5), (25, 25, 1), (1, 7, 3), (1, 1, 2)]
)
def test_plan_against_a_dense_linear_program(method, n, m, d):
    a, b = clouds(n, m, d)
    mu, nu = some_masses(n, 1), some_masses(m, 2)
    found = plan(a, b, mu, nu, method=method)
    check(found, 20.0)
    costs = cdist(a, b, "sqeuclidean")
    sums = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    # tolerances are absolute: masses of about 1, or a cheaper "plan" misses some of them
    dense = linprog(
        costs.ravel(),
        A_eq=sums,
        b_eq=n * np.concatenate([mu, nu * mu.sum() / nu.sum()]),
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert dense.status == 0
    assert abs(found.cost - dense.fun / n) < 1e-10 * max(1.0, found.cost)


@pytest.mark.parametrize(("n", "m", "d"), [(400, 300, 2), (300, 400, 10), (350, 350, 2)])
def test_plan_against_pot(n, m, d):
    """On a shortlist, by pricing, what POT finds on all pairs."""
    ot = pytest.importorskip("ot")
    assert n * m > discrete._ALL_PAIRS
    a, b = clouds(n, m, d)
    mu, nu = some_masses(n, 1), some_masses(m, 2)
    if n == m:
        mu = nu = None
    found = plan(a, b, mu, nu)
    assert found.method == "simplex"
    check(found, 100.0)
    whole = ot.emd2(found.a_masses, found.b_masses, cdist(a, b, "sqeuclidean"), numItermax=10**7)
    assert abs(found.cost - whole) < 1e-10


def test_pricing_by_linear_programs(monkeypatch):
    monkeypatch.setattr(discrete, "_ALL_PAIRS", 100)
    monkeypatch.setattr(discrete, "_SHORTLIST", 3)
    a, b = clouds(60, 50, 2)
    mu, nu = some_masses(60, 1), some_masses(50, 2)
    by_program = plan(a, b, mu, nu, method="linear-program")
    check(by_program, 20.0)
    monkeypatch.undo()
    assert plan(a, b, mu, nu, method="linear-program").cost == pytest.approx(
        by_program.cost, rel=1e-10
    )


@pytest.mark.parametrize("method", EVERY_PLAN)
def test_ties(monkeypatch, method):
    """Lattices, of which many pairs are equally near, and points at the same place."""
    monkeypatch.setattr(discrete, "_ALL_PAIRS", 1000)
    monkeypatch.setattr(discrete, "_SHORTLIST", 4)
    side = np.arange(7.0)
    lattice = np.array(list(itertools.product(side, side)))
    found = assignment(lattice, lattice + [0.5, 0.0], method=method)
    check(found, 200.0)
    assert found.cost == pytest.approx(0.25, rel=1e-12)
    same = np.repeat(lattice[:10], 5, axis=0)
    found = plan(same, lattice[:10], method=method)
    check(found, 200.0)
    assert found.cost == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("method", EVERY_PLAN)
def test_points_without_mass(method):
    a, b = clouds(30, 25, 2)
    mu, nu = some_masses(30, 1), some_masses(25, 2)
    mu[::3] = 0.0
    nu[:5] = 0.0
    mu, nu = mu / mu.sum(), nu / nu.sum()
    found = plan(a, b, mu, nu, method=method)
    check(found, 20.0)
    held = plan(a[mu > 0.0], b[nu > 0.0], mu[mu > 0.0], nu[nu > 0.0], method=method)
    assert found.cost == pytest.approx(held.cost, rel=1e-12)
    assert np.isnan(found.barycentric()[::3]).all()
    assert np.isfinite(found.barycentric()[mu > 0.0]).all()


@pytest.mark.parametrize("method", EVERY_PLAN)
def test_masses_of_many_orders(method):
    a, b = clouds(40, 50, 3)
    mu = 10.0 ** np.linspace(-12, 0, 40)
    nu = 10.0 ** np.linspace(0, -12, 50)
    found = plan(a, b, mu / mu.sum(), nu / nu.sum(), method=method)
    low, high = found.bracket
    assert low <= found.cost <= high
    assert found.gap < 1e-8
    assert np.abs(found.matrix.sum(axis=1) - found.a_masses).max() < 1e-11


@pytest.mark.parametrize("scale", [2.0**-300, 1.0, 2.0**90])
def test_scale_and_shift(scale):
    a, b = clouds(40, 40, 2)
    plain, moved = assignment(a, b), assignment(scale * a, scale * b)
    assert np.array_equal(plain.permutation, moved.permutation)
    assert moved.cost == pytest.approx(plain.cost * scale**2, rel=1e-13)
    far = assignment(a + 1e6, b + 1e6)
    assert far.cost == pytest.approx(plain.cost, rel=1e-8)


def test_staircase_is_a_plan():
    """Its pairs carry the masses exactly, whatever they are: the north-west corner rule."""
    for seed in range(20):
        n, m = np.random.default_rng(seed).integers(1, 30, size=2)
        x, y = clouds(n, m, 2, seed)
        mu = some_masses(n, seed) if seed % 2 else np.full(n, 1 / n)
        nu = some_masses(m, seed + 1) if seed % 2 else np.full(m, 1 / m)
        rows, columns = discrete._staircase(x, y, mu, nu)
        assert len(rows) == len(columns) == n + m - 1
        assert set(rows) == set(range(n))
        assert set(columns) == set(range(m))
        left, lacking = mu.copy(), nu.copy()
        for i, j in zip(rows, columns, strict=True):
            moved = min(left[i], lacking[j])
            left[i] -= moved
            lacking[j] -= moved
        assert left.max() < 1e-12
        assert lacking.max() < 1e-12


# ---- costs and masses that span more digits than float64 has ----


def fractions(values):
    return [Fraction(value) for value in np.asarray(values, dtype=float).tolist()]


def on_the_line(a, b, mu=None, nu=None):
    """W2^2 on the line in rational arithmetic: the monotone plan; equal masses if None."""
    n, m = len(a), len(b)
    mu = [Fraction(1, n)] * n if mu is None else [w / sum(fractions(mu)) for w in fractions(mu)]
    nu = [Fraction(1, m)] * m if nu is None else [w / sum(fractions(nu)) for w in fractions(nu)]
    left = sorted(zip(fractions(a[:, 0]), mu, strict=True))
    right = sorted(zip(fractions(b[:, 0]), nu, strict=True))
    cost, (x, p), (y, q) = Fraction(0), left.pop(), right.pop()
    while True:
        moved = min(p, q)
        cost, p, q = cost + moved * (x - y) ** 2, p - moved, q - moved
        if p == 0:
            if not left:
                return cost
            x, p = left.pop()
        if q == 0:
            if not right:
                return cost
            y, q = right.pop()


def best_permutation(a, b):
    """The least mean cost of a permutation, in rational arithmetic, and the permutation."""
    costs = [
        [sum((p - q) ** 2 for p, q in zip(fractions(x), fractions(y), strict=True)) for y in b]
        for x in a
    ]
    n = len(a)
    total, best = min(
        (sum(costs[i][k] for i, k in enumerate(order)), order)
        for order in itertools.permutations(range(n))
    )
    return total / n, list(best)


def far_clusters(n, d, far, seed=0, parts=2):
    r = np.random.default_rng(seed)
    centres = np.array([0.0, far, far**1.5])[np.arange(n) % parts]
    return centres[:, None] + r.random((n, d))


@pytest.mark.parametrize("method", EVERY_PLAN)
@pytest.mark.parametrize("far", [1e2, 1e4, 1e8, 1e12])
@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 40)])
def test_plan_of_clusters_that_are_far_apart(method, far, n, m):
    """Costs from less than 1 to far^2: what moves inside the clusters is right too."""
    a, b = far_clusters(n, 1, far, 0), far_clusters(m, 1, far, 1)
    found = plan(a, b, method=method)
    truth = on_the_line(a, b)
    low, high = found.bracket
    assert low <= truth <= high
    assert found.status == "converged"
    assert found.gap <= 1e-8 * found.cost
    assert found.cost == pytest.approx(float(truth), rel=1e-12)
    # as if each cluster were alone
    alone = [plan(a[k::2] - far * k, b[k::2] - far * k, method=method).cost for k in range(2)]
    assert found.cost == pytest.approx(np.mean(alone), rel=1e-12 * max(far, 1e3))


@pytest.mark.parametrize("method", EVERY_ASSIGNMENT)
@pytest.mark.parametrize(("far", "parts"), [(1e4, 2), (1e8, 2), (1e12, 2), (1e4, 3), (1e8, 3)])
def test_assignment_of_clusters_that_are_far_apart(method, far, parts):
    for seed in range(3):
        a = far_clusters(6, 2, far, seed, parts)
        b = far_clusters(6, 2, far, seed + 10, parts)[::-1]
        truth, best = best_permutation(a, b)
        found = assignment(a, b, method=method)
        assert found.converged
        assert found.permutation.tolist() == best
        assert found.cost == pytest.approx(float(truth), rel=1e-12)
        low, high = found.bracket
        assert low <= truth <= high
        slack = cdist(a, b, "sqeuclidean") - found.a_potential[:, None] - found.b_potential
        assert slack.min() >= -1e-15 * np.abs(a).max()
        assert slack[np.arange(6), best].mean() <= 1e-8 * found.cost


@pytest.mark.parametrize("method", EVERY_ASSIGNMENT)
@pytest.mark.parametrize("far", [1e3, 1e8, 2.0**40])
def test_a_plan_does_not_change_when_a_cloud_is_moved(method, far):
    """Costs of far^2, all but equal: float64 keeps nothing of their differences from 1e8 on."""
    r = np.random.default_rng(3)
    grid = 2.0**-10
    a, b = (grid * r.integers(1024, size=(40, 2)) for _ in range(2))
    t = np.array([far, -far])
    near, moved = (assignment(a, c, method=method) for c in (b, b + t))
    assert np.array_equal(moved.permutation, near.permutation)
    assert moved.converged
    # |x - y - t|^2 = |x - y|^2 - 2 <t, x - y> + |t|^2
    shift = sum(
        Fraction(s) ** 2 - 2 * Fraction(s) * (sum(fractions(x)) - sum(fractions(y))) / 40
        for s, x, y in zip(t.tolist(), a.T, b.T, strict=True)
    )
    truth = (
        shift
        + sum(
            (p - q) ** 2
            for x, y in zip(a, b[near.permutation], strict=True)
            for p, q in zip(fractions(x), fractions(y), strict=True)
        )
        / 40
    )
    low, high = moved.bracket
    assert low <= truth <= high
    assert moved.gap <= 1e-12 * moved.cost


@pytest.mark.parametrize("method", EVERY_PLAN)
@pytest.mark.parametrize("far", [1e4, 1e9])
def test_plan_with_a_far_point_of_tiny_mass(method, far):
    """Its part of W2^2, 1e-20 far^2, is small; its costs are not."""
    r = np.random.default_rng(4)
    a, b = r.random((20, 1)), r.random((20, 1))
    a[0] = far
    masses = np.full(20, 1.0)
    masses[0] = 1e-20
    found = plan(a, b, masses / masses.sum(), method=method)
    truth = on_the_line(a, b, masses / masses.sum())
    assert found.converged
    assert found.cost == pytest.approx(float(truth), rel=1e-8)
    low, high = found.bracket
    assert low <= truth <= high


@pytest.mark.parametrize("method", EVERY_PLAN)
@pytest.mark.parametrize("decades", [16, 100, 250])
def test_brackets_hold_with_masses_of_many_orders(method, decades):
    r = np.random.default_rng(decades)
    a, b = r.random((20, 1)), r.random((25, 1))
    mu, nu = (10.0 ** r.uniform(-decades, 0.0, k) for k in (20, 25))
    mu, nu = mu / mu.sum(), nu / nu.sum()
    found = plan(a, b, mu, nu, method=method)
    truth = on_the_line(a, b, mu, nu)
    low, high = found.bracket
    assert low <= truth <= high
    assert found.converged
    assert found.cost == pytest.approx(float(truth), rel=1e-8)


def test_masses_that_the_presolve_takes_for_infeasible():
    """HiGHS reports these masses, which sum to 1 on both sides, as a problem without solution."""
    a = np.array([[0.0055], [-0.0639], [-0.0662], [0.00546], [-0.065]])
    b = np.array([[0.00547], [-0.0658], [-0.06391], [0.00545], [-0.0668]])
    mu = np.array([0.0169606626, 0.9830386773, 4.357984e-07, 2.006609e-07, 2.362771e-08])
    nu = np.array([1.9413708e-11, 0.4691563132, 0.5308436865, 1.3067797e-11, 3.0759344e-10])
    mu, nu = mu / mu.sum(), nu / nu.sum()
    found = plan(a, b, mu, nu, method="linear-program")
    assert found.cost == pytest.approx(float(on_the_line(a, b, mu, nu)), rel=1e-8)


@pytest.mark.parametrize("method", EVERY_PLAN)
def test_what_is_not_known_is_said(method):
    """The masses of two far groups balance but for their rounding: moving that costs 1e16 each."""
    r = np.random.default_rng(0)
    a, b = far_clusters(30, 1, 1e8, 0), far_clusters(30, 1, 1e8, 1)
    mu, nu = (np.empty(30) for _ in range(2))
    for masses in (mu, nu):
        for k in range(2):
            masses[k::2] = 0.5 * r.dirichlet(np.ones(15))
    mu, nu = mu / mu.sum(), nu / nu.sum()
    with pytest.warns(ConvergenceWarning, match=r"W2\^2 is only known to lie in") as told:
        found = plan(a, b, mu, nu, method=method)
    assert told[0].filename == __file__
    assert found.status == "precision"
    assert not found.converged
    truth = on_the_line(a, b, mu, nu)
    low, high = found.bracket
    assert low <= truth <= high
    assert found.gap > 1e-8 * found.cost
    with pytest.raises(ConvergenceError, match="may not be optimal") as error:
        plan(a, b, mu, nu, method=method, strict=True)
    assert error.value.solution == found
    with pytest.raises(TypeError, match="strict must be True or False"):
        plan(a, b, strict=1)


@pytest.mark.parametrize("method", EVERY_ASSIGNMENT)
def test_clouds_that_coincide_are_no_reason_to_warn(method):
    r = np.random.default_rng(5)
    a = np.concatenate([r.random((30, 2)), 1e8 + r.random((10, 2))])
    order = r.permutation(40)
    for b in (a[order], a[order] * (1.0 + 2.0**-52)):
        found = assignment(a, b, method=method, strict=True)
        np.testing.assert_array_equal(order[found.permutation], np.arange(40))


def test_points_that_coincide_do_not_hide_a_wrong_plan():
    """Whole numbers, most of them equal: the nearest other point of most is in another group."""
    r = np.random.default_rng(6)
    for seed in range(6):
        a, b = (np.rint(far_clusters(8, 2, 1e8, seed + k)) for k in (0, 50))
        a[:2] += r.integers(3, size=(2, 2))
        truth, _ = best_permutation(a[:7], b[:7])
        for method in ("paths", "linear-program"):
            found = assignment(a[:7], b[:7], method=method, strict=True)
            assert found.cost == pytest.approx(float(truth), rel=1e-12)


# ---- what a plan can do ----


def test_interpolation():
    a, b = clouds(20, 30, 2)
    found = plan(a, b, some_masses(20), some_masses(30), method="linear-program")
    points, masses = found.interpolate(0.25)
    assert points.shape == (len(masses), 2)
    assert math.fsum(masses) == pytest.approx(1.0, abs=1e-12)
    # W2 grows linearly along the geodesic
    part = plan(a, points, found.a_masses, masses / masses.sum(), method="linear-program")
    assert part.cost == pytest.approx(0.0625 * found.cost, rel=1e-8)
    start, masses = found.interpolate(0)
    assert np.array_equal(start, a[found.rows])
    for t in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="t must"):
            found.interpolate(t)
    with pytest.raises(TypeError, match="t must be a number"):
        found.interpolate("a")


def test_barycentric():
    a, b = clouds(15, 15, 2)
    found = assignment(a, b)
    assert np.allclose(found.barycentric(), b[found.permutation], rtol=1e-14)


def test_results_are_immutable_and_comparable():
    a, b = clouds(15, 15, 2)
    found = assignment(a, b)
    before = found.a.copy()
    a[:] = 0.0
    assert np.array_equal(found.a, before)
    for name in ("a", "permutation", "masses", "a_potential"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(found, name)[0] = 0
    assert found == assignment(before, b)
    assert "15 x 15" in repr(found)
    assert repr(found).startswith("Assignment(")


@pytest.mark.parametrize("function", [assignment, plan])
def test_bad_input(function):
    good = np.zeros((3, 2))
    for bad, message in [
        ([[0.0, np.nan]] * 3, "a must be finite"),
        (np.zeros(3), "a must have shape"),
        (np.zeros((0, 2)), "a must hold at least one"),
    ]:
        with pytest.raises(ValueError, match=message):
            function(bad, good)
    with pytest.raises(ValueError, match=r"b must have shape \(n, 2\)"):
        function(good, np.zeros((3, 3)))
    with pytest.raises(TypeError, match="a must hold real numbers"):
        function([["x", "y"]] * 3, good)
    with pytest.raises(ValueError, match="method must be one of"):
        function(good, good, method="sinkhorn")


def test_bad_sizes_and_masses():
    with pytest.raises(ValueError, match="b must have as many points as a, got 2 and 3"):
        assignment(np.zeros((2, 1)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="a_masses must sum to 1"):
        plan(np.zeros((2, 1)), np.zeros((3, 1)), [1.0, 1.0])
    with pytest.raises(ValueError, match="b_masses must not be negative"):
        plan(np.zeros((2, 1)), np.zeros((2, 1)), None, [1.5, -0.5])


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 10])
def test_large_assignment(d):
    pytest.importorskip("ot")
    a, b = clouds(5000, 5000, d)
    found = assignment(a, b)
    paths = assignment(a[:1000], b[:1000], method="paths")
    assert paths.cost == assignment(a[:1000], b[:1000], method="simplex").cost
    low, high = found.bracket
    assert low <= found.cost <= high
    assert found.gap < 1e-9 * found.cost
