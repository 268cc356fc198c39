"""Reliability cases 25 to 30: moments, derivatives, and the map against sampling."""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest
from checks import build, compare, solve
from oracles import UNIT_SQUARE, ExactDiagram, polygon_moments
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2

import geomot

rng = np.random.default_rng
SQ = UNIT_SQUARE
pytestmark = pytest.mark.usefixtures("silent")


def _case_25():
    return rng(0).random((1000, 2)), 0.005 * rng(1).random(1000)


def _case_26():
    return rng(0).random((60, 2)), 0.02 * rng(1).random(60), np.full(60, 1 / 60)


def test_case_25_moments():
    sites, weights = _case_25()
    d = build(sites, weights, SQ)
    alive = ~d.empty
    m, c = d.masses[alive], d.centroids[alive]
    np.testing.assert_allclose([fsum(m * c[:, 0]), fsum(m * c[:, 1])], 0.5, rtol=0, atol=1e-13)
    moments = [polygon_moments(d.cells[i]) for i in np.flatnonzero(alive)]
    second = np.array([s for _, _, s in moments])
    assert abs(fsum(second) - 2 / 3) <= 1e-13
    y = sites[alive]
    from_moments = second - 2 * m * (y * c).sum(axis=1) + m * (y * y).sum(axis=1)
    assert abs(fsum(from_moments) - fsum(d.costs)) <= 1e-13
    exact = ExactDiagram(sites, weights)
    assert abs(fsum(exact.costs) - fsum(d.costs)) <= 1e-13
    compare(d, exact)


def test_case_26_gradient():
    sites, weights, nu = _case_26()
    d = build(sites, weights, SQ)
    gradient = nu - d.masses
    worst = {}
    for h in (1e-4, 1e-5):
        fd = np.empty(60)
        for i in range(60):
            step = np.zeros(60)
            step[i] = h
            up = build(sites, weights + step, SQ).kantorovich(nu)
            down = build(sites, weights - step, SQ).kantorovich(nu)
            fd[i] = (up - down) / (2 * h)
        worst[h] = np.abs(fd - gradient).max()
    assert worst[1e-5] <= 1e-7
    # K is piecewise cubic: the error of a central difference is quadratic in h.
    assert 80 <= worst[1e-4] / worst[1e-5] <= 125
    np.testing.assert_allclose(
        d.kantorovich(nu), ExactDiagram(sites, weights).kantorovich(nu), rtol=1e-13
    )


def test_case_27_hessian():
    sites, weights, _ = _case_26()
    d = build(sites, weights, SQ)
    assert np.count_nonzero(~d.empty) == 46
    # dm/dw is half the Hessian in heights.
    h = 0.5 * d.hessian().toarray()
    fd = np.empty((60, 60))
    for i in range(60):
        step = np.zeros(60)
        step[i] = 1e-5
        up, down = build(sites, weights + step, SQ), build(sites, weights - step, SQ)
        fd[:, i] = (up.masses - down.masses) / 2e-5
    assert np.abs(fd - h).max() <= 1e-9
    assert np.abs(h - h.T).max() <= 1e-13
    assert np.abs(h.sum(axis=1)).max() <= 1e-13
    assert not h[d.empty].any() and not h[:, d.empty].any()
    assert np.linalg.eigvalsh(h).min() >= -1e-12
    part = h[np.ix_(~d.empty, ~d.empty)]
    components, _ = connected_components(part)
    assert components == 1
    assert np.count_nonzero(np.abs(np.linalg.eigvalsh(part)) < 1e-12) == components


def test_case_28_hessian_closed_forms():
    d = build([(0.25, 0.5), (0.75, 0.5)], None, SQ)
    assert d.hessian().toarray()[0, 1] / 2 == -1.0
    for n in (2, 3, 10):
        x = (np.arange(n) + 0.5) / n
        h = build(np.column_stack([x, np.full(n, 0.5)]), None, SQ).hessian().toarray() / 2
        expected = np.zeros((n, n))
        for i in range(n - 1):
            expected[i, i + 1] = expected[i + 1, i] = -n / 2
        expected -= np.diag(expected.sum(axis=1))
        np.testing.assert_allclose(h, expected, rtol=1e-13, atol=0)


def test_case_29_concavity_and_monotonicity():
    r = rng(29)
    nu = np.full(50, 1 / 50)
    for _ in range(200):
        sites = r.random((50, 2))
        scale = 10.0 ** -r.integers(0, 5)
        one, two = scale * r.standard_normal((2, 50))
        diagrams = [build(sites, w, SQ) for w in (one, two, (one + two) / 2)]
        k1, k2, middle = (d.kantorovich(nu) for d in diagrams)
        # Values of size `scale` are rounded to their own last place.
        assert middle >= (k1 + k2) / 2 - 1e-14 * max(1.0, scale)
        for d in diagrams:
            c, y = d.centroids[~d.empty], sites[~d.empty]
            products = ((c[:, None] - c[None]) * (y[:, None] - y[None])).sum(axis=2)
            assert products.min() >= -1e-15


def test_case_30_monte_carlo():
    sites, weights = _case_25()
    d = build(sites, weights, SQ)
    n = 10**6
    points = rng(99).random((n, 2))
    found = d.locate(points)
    counts = np.bincount(found, minlength=1000)
    assert not counts[d.empty].any()
    m = d.masses[~d.empty]
    z = (counts[~d.empty] - n * m) / np.sqrt(n * m * (1 - m))
    assert np.abs(z).max() <= 5
    statistic = ((counts[~d.empty] - n * m) ** 2 / (n * m)).sum()
    assert chi2.sf(statistic, len(m) - 1) > 1e-6
    for chunk, total in ((1, 2000), (7, 20000), (10**5, n)):
        pieces = [d.locate(points[k : k + chunk]) for k in range(0, total, chunk)]
        again = np.concatenate(pieces)
        assert len(again) >= total
        np.testing.assert_array_equal(again, found[: len(again)])
    # The exact answer for some, those nearest to a facet among them.
    order = np.argsort(_gap(sites, weights, points[:20000]))
    some = np.concatenate([order[:300], np.arange(300)])
    exact = ExactDiagram(sites, weights)
    np.testing.assert_array_equal(found[some], exact.locate(points[some]))


def _power(sites, weights, points):
    return ((points[:, None] - sites[None]) ** 2).sum(axis=2) - weights


def _gap(sites, weights, points):
    gaps = [np.partition(_power(sites, weights, p), 1, axis=1) for p in np.array_split(points, 50)]
    return np.concatenate([g[:, 1] - g[:, 0] for g in gaps])


@pytest.mark.slow
def test_case_30_chunks_of_one_for_all_points():
    sites, weights = _case_25()
    d = build(sites, weights, SQ)
    points = rng(99).random((10**6, 2))
    found = d.locate(points)
    for chunk in (1, 7, 10**5):
        pieces = [d.locate(points[k : k + chunk]) for k in range(0, len(points), chunk)]
        np.testing.assert_array_equal(np.concatenate(pieces), found)


def test_case_30_assign_of_a_solution():
    solution = solve(rng(0).random((300, 2)))
    points = rng(99).random((20000, 2))
    found = solution.assign(points)
    np.testing.assert_array_equal(found, solution.diagram().locate(points))
    exact = ExactDiagram(solution.sites, solution.weights_exact)
    np.testing.assert_array_equal(found[:2000], exact.locate(points[:2000]))
    for chunk in (1, 7, 10**5):
        pieces = [solution.assign(points[k : k + chunk]) for k in range(0, len(points), chunk)]
        np.testing.assert_array_equal(np.concatenate(pieces), found)
    assert geomot.PowerDiagram(solution.sites, solution.weights_exact).locate(points).tolist() == (
        found.tolist()
    )
