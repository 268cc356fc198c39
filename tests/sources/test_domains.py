"""Domains: bounds, a box inside, the price of moving mass."""

from __future__ import annotations

import numpy as np
import pytest
from problems import BOX

import geomot
from geomot.sources import ConvexPolygon

HEXAGON = geomot.UniformPolygon.regular(6).vertices
TRIANGLE = np.array([(0.0, 0.0), (4.0, 0.0), (0.0, 1.0)])
POLYGONS = (BOX, HEXAGON, TRIANGLE)


@pytest.mark.parametrize("polygon", POLYGONS)
def test_inscribed_box_lies_inside(polygon):
    lower, upper = ConvexPolygon(polygon).inscribed_box()
    assert (lower < upper).all()
    step = np.roll(polygon, -1, axis=0) - polygon
    for corner in [(x, y) for x in (lower[0], upper[0]) for y in (lower[1], upper[1])]:
        away = np.asarray(corner) - polygon
        assert (step[:, 0] * away[:, 1] - step[:, 1] * away[:, 0] >= -1e-12).all()


@pytest.mark.parametrize("polygon", POLYGONS)
def test_no_price_is_above_the_largest(polygon):
    rng = np.random.default_rng(0)
    sites = 4.0 * rng.random((20, 2)) - 1.0
    points = geomot.UniformPolygon(polygon).sample(2000, 0)
    distances = np.sum((points[:, None] - sites) ** 2, axis=2)
    largest = ConvexPolygon(polygon).largest_price(sites)
    assert largest >= np.ptp(distances, axis=1).max()
    assert ConvexPolygon(polygon).largest_price(sites[:1]) == 0.0


def test_a_polygon_is_convex_and_in_one_piece():
    domain = geomot.UniformBox([1.0, 2.0], [3.0, 5.0]).domain
    assert domain.convex and domain.connected and domain.dim == 2
    assert domain.bounds.tolist() == [[1.0, 2.0], [3.0, 5.0]]
    assert not domain.vertices.flags.writeable
    assert geomot.UniformBox.unit(4).domain is None
    assert geomot.Gaussian(np.zeros(4), 1.0).domain is None


def test_a_polyhedron_is_convex_and_in_one_piece():
    box = geomot.UniformBox([1.0, 2.0, -1.0], [3.0, 5.0, 0.0])
    domain = box.domain
    assert domain.convex and domain.connected and domain.dim == 3
    assert domain.bounds.tolist() == [[1.0, 2.0, -1.0], [3.0, 5.0, 0.0]]
    assert repr(domain) == "ConvexPolyhedron(<8 corners, 6 faces>)"
    lower, upper = domain.inscribed_box()
    np.testing.assert_allclose([lower, upper], domain.bounds, rtol=1e-14)
    simplex = geomot.UniformPolyhedron([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).domain
    lower, upper = simplex.inscribed_box()
    assert (lower >= 0).all() and upper.sum() <= 1 + 1e-15
    assert (upper - lower > 0.1).all()
