"""Rules on the line, on triangles and smoothed, against direct formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial import ConvexHull, Delaunay

from geomot.extended.rules import LineRule, SimplicialRule, SmoothedRule


def rng(seed=0):
    return np.random.default_rng(seed)


def nowhere(x):
    """Cells of points, where the rule does not need them."""
    return np.zeros(len(x), dtype=np.int64)


def test_line_rule_is_linear_interpolation():
    r = rng(3)
    centroids, sites = r.random(9), r.random(9)
    rule = LineRule(centroids[:, None], np.arange(9))
    x = np.concatenate([np.linspace(-1, 2, 301), centroids])
    found = rule(x[:, None], nowhere(x), 1)
    order = np.argsort(centroids)
    image = (found.weights * sites[found.sites]).sum(axis=1)
    np.testing.assert_allclose(image, np.interp(x, centroids[order], sites[order]), atol=1e-14)
    one = LineRule(np.array([[0.5]]), np.array([7]))(x[:, None], nowhere(x), 1)
    assert (one.sites[one.weights > 0] == 7).all()


def test_simplicial_rule(plane):
    diagram = plane.solution_.diagram()
    rule = SimplicialRule(diagram)
    c = diagram.centroids
    # inside it is the identity if the sites are the centroids; outside the nearest point
    x = 2.0 * rng(4).random((4000, 2)) - 0.5
    found = rule(x, diagram.locate(x), 1)
    assert (found.weights >= 0).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, rtol=1e-14)
    image = np.einsum("qk,qkd->qd", found.weights, c[found.sites])
    inside = Delaunay(c).find_simplex(x) >= 0
    assert 0.1 < inside.mean() < 0.4
    np.testing.assert_allclose(image[inside], x[inside], atol=1e-11)
    hull = c[ConvexHull(c).vertices]
    for point, nearest in zip(x[~inside][:300], image[~inside][:300], strict=True):
        # no corner is on the far side of the plane through the projection
        assert np.max((hull - nearest) @ (point - nearest)) <= 1e-11
    corners = rule(c, np.arange(len(c)), 1)
    best = corners.sites[np.arange(len(c)), corners.weights.argmax(axis=1)]
    np.testing.assert_array_equal(best, np.arange(len(c)))
    np.testing.assert_allclose(corners.weights.max(axis=1), 1.0, atol=1e-11)


def test_smoothed_rule_maximises(space):
    """Weights against a general solver for the concave problem that they are defined by."""
    s = space.solution_
    keep = np.arange(12)
    rule = SmoothedRule(s.sites[keep], s.weights[keep], s.centroids[keep], 1.3, 1)
    points = s.source.sample(8, 5)
    found = rule(points, nowhere(points), 1)
    scores = points @ s.sites[keep].T + s.heights[keep]

    def value(lam, score):
        return lam @ score - 0.5 * rule.widths @ lam**2

    for q, score in enumerate(scores):
        lam = np.zeros(12)
        np.add.at(lam, found.sites[q], found.weights[q])
        best = minimize(
            lambda a, score=score: -value(a, score),
            np.full(12, 1 / 12),
            bounds=[(0, 1)] * 12,
            constraints={"type": "eq", "fun": lambda a: a.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert value(lam, score) >= -best.fun - 1e-5
        assert lam.sum() == pytest.approx(1.0, abs=1e-12)


def test_smoothed_rule_needs_many_candidates():
    """Weights of more sites than are looked at first: all equal scores."""
    n = 100
    sites = np.eye(n)
    rule = SmoothedRule(sites, np.zeros(n), np.full((n, n), np.nan), 1.0, 1)
    found = rule(np.zeros((2, n)), nowhere(np.zeros(2)), 1)
    lam = np.zeros((2, n))
    np.put_along_axis(lam, found.sites, found.weights, axis=1)
    np.testing.assert_allclose(lam, 1 / n, rtol=1e-5)
