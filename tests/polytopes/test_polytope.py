"""Polytopes by half-spaces, against Qhull and differences."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from polytope_oracles import CUBE, directions, qhull_areas
from scipy.spatial import ConvexHull

from geomot.polytopes import Polytope


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_measures_are_those_of_qhull(dim, seed):
    u = directions(30, dim, seed)
    h = 1.0 + 0.2 * np.random.default_rng(seed).random(30)
    volume, areas = qhull_areas(u, h)
    made = Polytope.from_halfspaces(u, h)
    assert made.volume == pytest.approx(volume, rel=1e-12)
    np.testing.assert_allclose(made.areas, areas, rtol=1e-9, atol=1e-13)
    assert [len(f) > 0 for f in made.facets] == (areas > 0.0).tolist()
    for k, facet in enumerate(made.facets):
        np.testing.assert_allclose(made.vertices[facet] @ u[k], h[k], rtol=1e-12)
    np.testing.assert_allclose(made.areas @ u, 0.0, atol=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_area_derivatives_are_differences(dim):
    u = directions(25, dim, 5)
    h = 1.0 + 0.1 * np.random.default_rng(5).random(25)
    rates = Polytope.from_halfspaces(u, h).area_derivatives().toarray()
    step = 1e-6
    for j in range(len(u)):
        up, down = (Polytope.from_halfspaces(u, h + s * step * np.eye(25)[j]) for s in (1, -1))
        np.testing.assert_allclose(rates[:, j], (up.areas - down.areas) / (2 * step), atol=1e-6)


@pytest.mark.parametrize("dim", [2, 3])
def test_mixed_areas_have_the_signs_of_minkowski(dim):
    u = directions(40, dim, 6)
    made = Polytope.from_halfspaces(u, np.ones(40))
    rates = made.area_derivatives().toarray()
    np.testing.assert_allclose(rates, rates.T, atol=1e-12)
    np.testing.assert_allclose(rates @ u, 0.0, atol=1e-11)  # translations
    np.testing.assert_allclose(rates @ made.supports, (dim - 1) * made.areas, rtol=1e-11)
    values = np.linalg.eigvalsh(rates)
    size = 1e-9 * np.abs(values).max()
    assert [int((values > size).sum()), int((np.abs(values) <= size).sum())] == [1, dim]


def test_surface_of_triangles_is_closed_and_has_the_volume():
    made = Polytope.from_halfspaces(directions(50, 3, 7), np.ones(50))
    triangles = made.triangles()
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    there, back = (set(map(tuple, e.tolist())) for e in (edges, edges[:, ::-1]))
    assert there == back and len(there) == len(edges)
    corners = made.vertices[triangles]
    assert np.linalg.det(corners).sum() / 6.0 == pytest.approx(made.volume, rel=1e-12)
    assert ConvexHull(made.vertices).area == pytest.approx(made.areas.sum(), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-12, 1e9])
@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_size_and_place_do_not_matter(scale, shift):
    centre = shift * np.array([1.0, -2.0, 0.5])
    made = Polytope.from_halfspaces(3.0 * CUBE, scale * (0.5 + CUBE @ centre))
    assert made.volume == pytest.approx(scale**3, rel=1e-12)
    np.testing.assert_allclose(made.areas, scale**2, rtol=1e-12)
    np.testing.assert_allclose(made.bounds.mean(axis=0), scale * centre, rtol=1e-12)


def test_polytopes_far_beyond_their_supports_are_found():
    # the triangle (1000, 0), (4000 / 3, 1 / 3), (2000, -1), whose sides pass near the origin
    normals, supports = np.array([(-1e-3, 1), (-1e-3, -1), (2e-3, 1)]), np.array([-1, -1, 3])
    lengths = np.linalg.norm(normals, axis=1)
    made = Polytope.from_halfspaces(normals, supports / lengths)
    assert made.volume == pytest.approx(1000 / 3, rel=1e-10)
    np.testing.assert_allclose(made.bounds, [(1000, -1), (2000, 1 / 3)], rtol=1e-10)


def test_half_spaces_that_touch_nothing_have_no_facet():
    made = Polytope.from_halfspaces([*CUBE, (1, 1, 1)], [*np.ones(6), 9.0])
    assert made.areas.tolist() == [4.0] * 6 + [0.0]
    assert len(made.facets[6]) == 0 and made.volume == 8.0


def test_polytopes_are_frozen_and_pickle():
    made = Polytope.from_halfspaces(CUBE, np.ones(6))
    assert pickle.loads(pickle.dumps(made)) == made
    assert made != Polytope.from_halfspaces(CUBE, 2 * np.ones(6))
    with pytest.raises(ValueError, match="read-only"):
        made.areas[0] = 1.0


@pytest.mark.parametrize(
    ("normals", "supports", "message"),
    [
        ([(1, 0), (0, 1), (-1, 0)], [1, 1, 1], "normals must surround"),
        ([(1, 0), (-1, 0), (0, 1), (0, -1)], [1, -2, 1, 1], "supports must leave an interior"),
        ([(1, 0), (2, 0), (0, 1)], [1, 1, 1], "normals must be different, and rows 0 and 1"),
        ([(1, 0), (0, 0)], [1, 1], "normals must not be zero, and row 1"),
        ([(1, 0, 0, 0)], [1], "normals must have 2 or 3 columns"),
        ([(1, 0), (0, 1), (-1, -1)], [1, 1], "supports must have shape"),
    ],
)
def test_refusals(normals, supports, message):
    with pytest.raises(ValueError, match=message):
        Polytope.from_halfspaces(normals, supports)


def test_planes_have_no_triangles():
    square = Polytope.from_halfspaces([(1, 0), (0, 1), (-1, 0), (0, -1)], np.ones(4))
    with pytest.raises(ValueError, match="triangles needs a polytope in 3 dimensions, got 2"):
        square.triangles()
