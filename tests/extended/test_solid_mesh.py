"""Delaunay triangulations in space: location, coordinates, the nearest point of the hull."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.spatial import ConvexHull, QhullError

from geomot.extended.rules import SolidRule
from geomot.extended.solid_mesh import SolidMesh, _neighbours, _sides


def cloud(n, seed=0):
    return np.random.default_rng(seed).random((n, 3))


LATTICE = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize("points", [cloud(200), LATTICE, LATTICE / 3.0], ids=["cloud", "z", "z/3"])
def test_meshes_fill_the_hull(points):
    mesh = SolidMesh(points)
    corners = mesh.points[mesh.tetrahedra]
    volumes = np.linalg.det(corners[:, :3] - corners[:, 3:]) / 6.0
    hull = ConvexHull(mesh.points)
    assert volumes.sum() == pytest.approx(hull.volume, rel=1e-12)
    a, b, c = mesh.points[mesh.border.T]
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2 == pytest.approx(hull.area)
    for t, others in enumerate(mesh.neighbours):
        for k, other in enumerate(others):
            if other >= 0:
                shared = set(mesh.tetrahedra[t]) - {mesh.tetrahedra[t, k]}
                assert shared < set(mesh.tetrahedra[other])


@pytest.mark.parametrize("points", [cloud(300), LATTICE / 7.0], ids=["cloud", "lattice"])
@pytest.mark.parametrize("scale", [2.0**-300, 1.0])
def test_points_are_in_their_tetrahedra(points, scale):
    mesh = SolidMesh(scale * points)
    low, high = points.min(axis=0), points.max(axis=0)
    x = low + (high - low) * (1.2 * cloud(2000, 1) - 0.1)
    # on corners, edges and faces as well
    x = np.concatenate([x, points, (points[:-1] + points[1:]) / 2])
    near = np.random.default_rng(2).integers(0, len(points), len(x))
    found = mesh.locate(scale * x, near)
    hull = ConvexHull(points)
    depth = -(x @ hull.equations[:, :3].T + hull.equations[:, 3]).max(axis=1)
    assert (found >= 0)[depth > 1e-12].all() and (found < 0)[depth < -1e-12].all()
    inside = found >= 0
    shares = mesh.coordinates(scale * x[inside], found[inside])
    assert shares.min() > -1e-12
    image = np.einsum("qk,qkd->qd", shares, points[mesh.tetrahedra[found[inside]]])
    np.testing.assert_allclose(image, x[inside], atol=1e-11)


def test_searches_find_what_walks_find():
    mesh = SolidMesh(cloud(60))
    x = 1.2 * cloud(100, 3) - 0.1
    walked = mesh.locate(x, np.zeros(100, dtype=np.int64))
    assert np.array_equal(mesh._search(mesh._unit * x), walked)


def test_the_nearest_point_of_the_hull():
    points = cloud(40)
    mesh = SolidMesh(points)
    x = 3.0 * cloud(300, 4) - 1.0
    x = x[mesh.locate(x, np.zeros(300, dtype=np.int64)) < 0]
    corners, shares = mesh.on_hull(x)
    assert shares.min() >= 0.0
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-14)
    nearest = np.einsum("qk,qkd->qd", shares, points[corners])
    hull = points[ConvexHull(points).vertices]
    for point, found in zip(x, nearest, strict=True):
        # least squares over convex weights, by a large row for their sum
        system = np.vstack([hull.T, np.full(len(hull), 1e4)])
        weights, _ = nnls(system, np.append(point, 1e4))
        distance = np.linalg.norm(hull.T @ weights - point)
        assert np.linalg.norm(found - point) == pytest.approx(distance, rel=1e-6)
        # no corner is beyond the plane through the projection
        assert np.max((hull - found) @ (point - found)) <= 1e-11


def test_sides_are_exact_near_faces():
    corners = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (1 / 3, 1 / 3, 1e-30)])[[0, 2, 1, 3]].T
    x = np.array([1 / 3, 1 / 3, 1e-30])
    sides = _sides(np.array(x)[:, None], corners[..., None])[:, 0]
    assert np.array_equal(sides[:3], np.zeros(3))
    assert sides[3] != 0.0
    above = _sides(np.array([1 / 3, 1 / 3, 2e-30])[:, None], corners[..., None])[:, 0]
    assert sides[3] * above[3] > 0.0 and abs(above[3]) == pytest.approx(2 * abs(sides[3]))


def test_neighbours_of_one_tetrahedron():
    assert _neighbours(np.array([[0, 1, 2, 3]])).tolist() == [[-1] * 4]


def test_rule_is_the_identity_where_sites_are_centroids():
    centroids = cloud(150)
    centroids[[3, 70]] = np.nan
    rule = SolidRule(centroids)
    x = cloud(3000, 5)
    found = rule(x, np.zeros(len(x), dtype=np.int64), 1)
    assert found.weights.min() >= 0.0 and not np.isin(found.sites, [3, 70]).any()
    image = np.einsum("qk,qkd->qd", found.weights, centroids[found.sites])
    hull = ConvexHull(centroids[rule.labels])
    inside = (x @ hull.equations[:, :3].T + hull.equations[:, 3]).max(axis=1) <= 0.0
    assert 0.3 < inside.mean() < 0.95
    np.testing.assert_allclose(image[inside], x[inside], atol=1e-11)
    # continuous, with slope 1 at most, as projections are
    step = 1e-7 * (cloud(3000, 6) - 0.5)
    near = rule(x + step, np.zeros(len(x), dtype=np.int64), 1)
    moved = np.einsum("qk,qkd->qd", near.weights, centroids[near.sites]) - image
    assert np.linalg.norm(moved, axis=1).max() < 1.1 * np.linalg.norm(step, axis=1).max()


@pytest.mark.parametrize(
    "points", [cloud(3), np.ones((5, 3)), cloud(9) * [1, 1, 0], cloud(9)[:, [0, 1, 0]]]
)
def test_flat_points_are_refused(points):
    with pytest.raises(QhullError):
        SolidMesh(points)
