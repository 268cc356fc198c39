"""Densities on tetrahedra: what is refused, domains, moments, samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import Delaunay
from solid_meshes import ball_mesh, voxel_mesh

import geomot
from geomot import GridDensity, MeshDensity
from geomot.sources import Blended, ConvexPolyhedron, PolyhedronRegion

CORNERS = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0)]
PAIR = [(0, 1, 2, 3), (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("points", "simplices", "values", "words"),
    [
        (np.zeros((4, 4)), [(0, 1, 2, 3)], None, r"points must have shape \(n, 2\) or \(n, 3\)"),
        (CORNERS, [(0, 1, 2)], None, r"simplices must have shape \(m, 4\), got \(1, 3\)"),
        (CORNERS, [(0, 1, 2, 5)], None, "simplices must be indices of 5 points, got 5 in row 0"),
        (CORNERS, [(0, 1, 2, 2)], None, r"with a volume, got \[0, 1, 2, 2\] in row 0"),
        ([*CORNERS, (0.1, 0.2, 0.0)], [(0, 1, 2, 5)], None, "tetrahedra with a volume"),
        (CORNERS, [(0, 1, 2, 3), (0, 1, 2, 4)], None, "rows 0 and 1 lie on the same side"),
        (CORNERS, PAIR, [1.0, 2.0], r"values must have shape \(5,\)"),
        (CORNERS, PAIR, [1.0, 2.0, -1.0, 0.0, 0.0], "values must be finite and not negative"),
        (CORNERS, PAIR, np.zeros(5), "values must be positive at a vertex"),
    ],
)
def test_refused(points, simplices, values, words):
    with pytest.raises(ValueError, match=words):
        MeshDensity(points, simplices, values)


def test_a_volume_below_rounding_is_one():
    points = np.array(CORNERS[:4]) + 1.0
    points[3] = [4 / 3, 4 / 3, 1.0 + 2.0**-52]
    assert MeshDensity(points, [(0, 1, 2, 3)]).simplices.tolist() == [[0, 1, 2, 3]]
    assert MeshDensity(points, [(0, 2, 1, 3)]).simplices.tolist() == [[0, 2, 3, 1]]
    points[3, 2] = 1.0
    with pytest.raises(ValueError, match="with a volume"):
        MeshDensity(points, [(0, 1, 2, 3)])


def test_orientation_and_factors_do_not_matter():
    mesh = MeshDensity(CORNERS, PAIR, [1.0, 2.0, 3.0, 4.0, 5.0])
    turned = MeshDensity(CORNERS, [(0, 2, 1, 3), (1, 2, 4, 3)], 1e99 * np.arange(1.0, 6.0))
    np.testing.assert_allclose(turned.values, mesh.values, rtol=1e-15)
    sites = np.random.default_rng(0).random((9, 3))
    one, two = (geomot.PowerDiagram(sites, None, m) for m in (mesh, turned))
    np.testing.assert_allclose(one.masses, two.masses, rtol=1e-13)


def test_domains():
    cube = MeshDensity(*voxel_mesh(np.ones((2, 3, 2)))).domain
    assert isinstance(cube, ConvexPolyhedron) and len(cube.planes) == 6
    points, simplices = voxel_mesh([[[1, 0]], [[1, 1]]])
    region = MeshDensity(points, simplices).domain
    assert isinstance(region, PolyhedronRegion) and region.connected and not region.convex
    # voxels that share an edge only are not connected
    apart = MeshDensity(*voxel_mesh([[[1, 0]], [[0, 1]]])).domain
    assert apart.n_components == 2 and apart.container.convex
    ball = MeshDensity(*ball_mesh(4)).domain
    np.testing.assert_allclose(ball.bounds, [[-1.0] * 3, [1.0] * 3])
    with pytest.raises(ValueError, match="polygon needs a mesh in the plane"):
        MeshDensity(points, simplices).polygon  # noqa: B018


def test_an_inscribed_box_lies_in_one_tetrahedron():
    points, simplices = voxel_mesh([[[1, 0]], [[0, 1]]])
    region = MeshDensity(points, simplices).domain
    low, high = region.inscribed_box()
    assert (high > low).all()
    corners = np.stack(np.meshgrid(*np.stack([low, high]).T), -1).reshape(-1, 3)
    inside = [Delaunay(tet).find_simplex(corners, tol=1e-12) >= 0 for tet in region.corners]
    assert np.all(inside, axis=1).any()


def test_moments_of_a_linear_density():
    points, simplices = voxel_mesh(np.ones((2, 2, 2)))
    mesh = MeshDensity(points, simplices, points[:, 0])  # 2 x
    np.testing.assert_allclose(mesh.mean, [2 / 3, 0.5, 0.5], rtol=1e-14)
    np.testing.assert_allclose(
        mesh.covariance, np.diag([1 / 18, 1 / 12, 1 / 12]), rtol=1e-13, atol=1e-16
    )
    assert mesh.darkest == 0.0
    assert MeshDensity(points, simplices, 1.0 + points[:, 0]).darkest == pytest.approx(2 / 3)


def test_samples_follow_the_density():
    points, simplices = voxel_mesh(np.ones((1, 2, 1)))
    mesh = MeshDensity(points, simplices, points[:, 0] ** 2)  # x, at the corners
    drawn = mesh.sample(40_000, 0)
    assert mesh.n_uniforms == 5
    for power in (1, 2, 3):
        assert np.mean(drawn[:, 0] ** power) == pytest.approx(2 / (2 + power), abs=0.01)
    assert np.mean(drawn[:, 1]) == pytest.approx(0.5, abs=0.01)


def test_the_uniform_part_of_a_blend():
    points, simplices = voxel_mesh([[[1, 0]], [[0, 1]]])
    for source in (MeshDensity(points, simplices), GridDensity(np.eye(2)[:, :, None])):
        sites = np.random.default_rng(1).random((12, 3))
        own, mixed = (geomot.PowerDiagram(sites, None, s) for s in (source, Blended(source, 0.25)))
        whole = geomot.PowerDiagram(sites, None, Blended(source, 1.0))
        np.testing.assert_allclose(mixed.masses, 0.75 * own.masses + 0.25 * whole.masses)
        np.testing.assert_allclose(mixed.costs, 0.75 * own.costs + 0.25 * whole.costs)
        assert not mixed.empty.any()
        drawn = Blended(source, 0.5).sample(100, 0)
        assert drawn.shape == (100, 3)
