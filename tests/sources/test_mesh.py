"""Densities on meshes: what is refused, domains, moments, samples, files."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial import Delaunay

import geomot
from geomot import GridDensity, MeshDensity, UniformPolygon
from geomot.sources import PolygonRegion

SQUARE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
HALVES = [(0, 1, 2), (0, 2, 3)]


def lattice(n):
    """The unit square as 2 n^2 triangles."""
    points = np.stack(np.meshgrid(np.arange(n + 1), np.arange(n + 1)), axis=-1).reshape(-1, 2) / n
    k = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    lower = np.column_stack([k, k + 1, k + n + 2])
    return points, np.concatenate([lower, np.column_stack([k, k + n + 2, k + n + 1])])


@pytest.mark.parametrize(
    ("points", "simplices", "values", "words"),
    [
        (SQUARE, [(0, 1)], None, r"simplices must have shape \(m, 3\)"),
        (SQUARE, np.empty((0, 3)), None, r"simplices must have shape \(m, 3\)"),
        (SQUARE, [(0, 1, 4)], None, "simplices must be indices of 4 points, got 4 in row 0"),
        (SQUARE, [(0, 1, -1)], None, "simplices must be indices of 4 points, got -1"),
        (SQUARE, [(0, 1, 1.5)], None, "simplices must be indices of 4 points, got 1.5"),
        (SQUARE, [(0, 1, 1)], None, "simplices must be triangles with an area"),
        ([(0, 0), (1, 1), (3, 3)], [(0, 1, 2)], None, "simplices must be triangles with an area"),
        (SQUARE, HALVES, [1.0, 2.0], r"values must have shape \(4,\)"),
        (SQUARE, HALVES, [1.0, 2.0, -1.0, 0.0], "values must be finite and not negative"),
        (SQUARE, HALVES, [1.0, 2.0, np.nan, 0.0], "values must"),
        (SQUARE, HALVES, np.zeros(4), "values must be positive at a vertex"),
        (SQUARE, [(0, 1, 2), (0, 1, 3)], None, "rows 0 and 1 lie on the same side of an edge"),
        (SQUARE, [(0, 1, 2), (0, 1, 2)], None, "rows 0 and 1 lie on the same side of an edge"),
        (
            [*SQUARE, (0.5, 0.5), (2.0, 0.5), (2.0, 0.75)],
            [*HALVES, (4, 5, 6)],
            None,
            "simplices must not overlap, but edge .* crosses edge",
        ),
        (
            [*SQUARE, (0.5, 0.25), (0.75, 0.25), (0.6, 0.3)],
            [*HALVES, (4, 5, 6)],
            None,
            "simplices must not overlap, but some triangles lie on others",
        ),
        (
            [*SQUARE, (0.5, 0.0), (0.5, -1.0), (0.0, -1.0)],
            [*HALVES, (0, 6, 4), (4, 6, 5)],
            None,
            r"share whole edges, but the point \[0.5, 0.0\] lies on the edge",
        ),
    ],
)
def test_refused(points, simplices, values, words):
    with pytest.raises(ValueError, match=words):
        MeshDensity(points, simplices, values)


def test_orientation_and_factors_do_not_matter():
    mesh = MeshDensity(SQUARE, HALVES, [1.0, 2.0, 3.0, 4.0])
    turned = MeshDensity(SQUARE, [(0, 2, 1), (0, 2, 3)], [1e99, 2e99, 3e99, 4e99])
    np.testing.assert_array_equal(mesh.simplices, turned.simplices)
    np.testing.assert_allclose(mesh.values, turned.values, rtol=1e-15)
    assert mesh.domain.convex and mesh.domain.vertices.tolist() == [list(p) for p in SQUARE]


def test_domains():
    points, triangles = lattice(6)
    centres = points[triangles].mean(axis=1)
    hole = (np.abs(centres - 0.5) > 1.0 / 6.0).any(axis=1)
    apart = np.abs(centres[:, 0] - 0.5) > 1.0 / 6.0
    ring, two = (MeshDensity(points, triangles[keep]) for keep in (hole, apart))
    assert isinstance(ring.domain, PolygonRegion) and ring.domain.connected
    assert [len(r) for r in ring.domain.outlines] == [24, 8]
    assert two.domain.n_components == 2
    assert ring.darkest == two.darkest == 0.0
    # the square as a whole has no corners in the middle of its sides
    assert len(MeshDensity(points, triangles).domain.vertices) == 4
    same = UniformPolygon(
        SQUARE, holes=[[(1 / 3, 1 / 3), (2 / 3, 1 / 3), (2 / 3, 2 / 3), (1 / 3, 2 / 3)]]
    )
    np.testing.assert_allclose(ring.mean, same.mean, rtol=1e-14)
    np.testing.assert_allclose(ring.covariance, same.covariance, rtol=1e-13, atol=1e-16)


def test_moments():
    ramp = MeshDensity(SQUARE, HALVES, [0.0, 1.0, 1.0, 0.0])  # 2 x
    np.testing.assert_allclose(ramp.mean, [2.0 / 3.0, 0.5], rtol=1e-15)
    expected = [[0.5 - 4.0 / 9.0, 0.0], [0.0, 1.0 / 12.0]]
    np.testing.assert_allclose(ramp.covariance, expected, rtol=1e-13, atol=1e-16)
    away = MeshDensity(np.array(SQUARE) + 1e6, HALVES, [0.0, 1.0, 1.0, 0.0])
    np.testing.assert_allclose(away.covariance, expected, rtol=1e-9, atol=1e-10)


def test_samples_follow_the_density():
    rng = np.random.default_rng(0)
    points = rng.random((30, 2))
    mesh = MeshDensity(points, Delaunay(points).simplices, rng.random(30) ** 2)
    drawn = mesh.sample(100_000, 1)
    spread = np.sqrt(np.diag(mesh.covariance) / 100_000)
    assert (np.abs(drawn.mean(axis=0) - mesh.mean) < 5.0 * spread).all()
    np.testing.assert_allclose(np.cov(drawn.T), mesh.covariance, atol=5.0 * 0.1 / 300.0)
    # masses of the triangles, and of thirds of one at its corners
    owner = Delaunay(points).find_simplex(drawn)
    assert (owner >= 0).mean() > 0.9999
    ramp = MeshDensity([(0, 0), (1, 0), (0, 1)], [(0, 1, 2)], [0.0, 1.0, 0.0])
    x = ramp.sample(100_000, 2)[:, 0]  # Beta(2, 2)
    assert abs(np.mean(x < 0.25) - (3 * 0.25**2 - 2 * 0.25**3)) < 5.0 * math.sqrt(0.13 / 100_000)


def test_vertices_that_coincide_may_jump():
    points = [(0, 0), (1, 0), (1, 1), (0, 1), (1, 0), (2, 0), (2, 1), (1, 1)]
    steps = MeshDensity(
        points, [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)], [1, 1, 1, 1, 3, 3, 3, 3]
    )
    image = GridDensity([[1.0], [3.0]], [0.0, 0.0], [2.0, 1.0])
    assert steps.domain.convex
    sites = np.random.default_rng(1).random((20, 2)) * [2.0, 1.0]
    here, there = (geomot.PowerDiagram(sites, None, s) for s in (steps, image))
    np.testing.assert_allclose(here.masses, there.masses, rtol=1e-13)
    np.testing.assert_allclose(here.facets.measures, there.facets.measures, rtol=1e-10)


def test_files(tmp_path):
    mesh = MeshDensity(SQUARE, HALVES, [1.0, 2.0, 0.0, 4.0])
    solution = geomot.solve([(0.25, 0.5), (0.75, 0.5)], source=mesh)
    solution.save(tmp_path / "map.npz")
    assert geomot.load(tmp_path / "map.npz").source == mesh
