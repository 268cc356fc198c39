"""Integrals of linear densities on tetrahedra over power cells, against rational clipping."""

from __future__ import annotations

import numpy as np
import pytest
from effort import some
from scipy.spatial import Delaunay
from solid_meshes import ball_mesh, voxel_mesh
from space_density_oracles import DensityOracle, compare, mesh_pieces

from geomot import GridDensity, MeshDensity, PowerDiagram


def rounded_planes(mesh):
    """The half-spaces that stand for each tetrahedron, as documented: those of the convex hull, and
    of the faces inside it, with coefficients in doubles."""
    m = mesh._mesh
    rows = np.where(m._even[:, :, None], 1.0, -1.0) * m._planes[m._face]
    hull = mesh.domain.container.planes
    outer = m._outer[m._face]
    return [np.vstack([rows[k][~outer[k]], hull]) for k in range(len(rows))]


def agree(sites, weights, mesh, planes=None, **tolerance):
    """The diagram of a mesh, after a comparison with the oracle."""
    diagram = PowerDiagram(sites, weights, mesh)
    pieces = mesh_pieces(mesh.points, mesh.simplices, mesh.values, planes)
    oracle = DensityOracle(pieces, sites, weights)
    compare(diagram, oracle, **tolerance)
    np.testing.assert_array_equal(diagram.empty, ~oracle.reached)
    return diagram


def random_mesh(seed):
    rng = np.random.default_rng(seed)
    points = rng.random((int(rng.integers(5, 8)), 3))
    simplices = Delaunay(points).simplices
    if seed % 2:
        simplices = simplices[rng.random(len(simplices)) < 0.6]
    values = rng.random(len(points)) * (rng.random(len(points)) < 0.7)
    values[simplices[0, 0]] += 0.1
    return MeshDensity(points, simplices, values)


@pytest.mark.parametrize("seed", some(range(2, 14), quick=3))
def test_random_meshes(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    agree(rng.random((n, 3)), 0.05 * rng.random(n) * (seed % 3), random_mesh(seed))


@pytest.mark.parametrize("size", some([1e-8, 1e-4, 1e-10, 1e-12], quick=1))
def test_tiny_cells_around_a_vertex(size):
    mesh = random_mesh(3)
    rng = np.random.default_rng(4)
    sites = mesh.points[mesh.simplices[0, 0]] + size * rng.normal(size=(4, 3))
    agree(sites, 1e-2 * size**2 * rng.random(4), mesh, rounded_planes(mesh))


def test_facets_along_faces_have_the_mean_of_both_sides():
    points, simplices = voxel_mesh(np.ones((2, 1, 1)))
    mesh = MeshDensity(points[simplices].reshape(-1, 3), np.arange(48).reshape(12, 4), _steps())
    diagram = agree([(0.25, 0.5, 0.5), (0.75, 0.5, 0.5)], None, mesh)
    np.testing.assert_allclose(diagram.masses, [0.25, 0.75], rtol=1e-14)
    np.testing.assert_allclose(diagram.facets.measures, [1.0], rtol=1e-14)


def _steps():
    """1 on the voxel with x < 1 / 2, 3 on the other."""
    points, simplices = voxel_mesh(np.ones((2, 1, 1)))
    return np.repeat(np.where(points[simplices][:, :, 0].mean(axis=1) < 0.5, 1.0, 3.0), 4)


def test_cells_outside_a_mesh_are_empty():
    points, simplices = voxel_mesh([[[1]], [[0]], [[1]]])
    diagram = PowerDiagram(
        [(0.1, 0.5, 0.5), (0.5, 0.5, 0.5), (0.9, 0.5, 0.5)],
        [0.0, -0.05, 0.0],
        MeshDensity(points, simplices),
    )
    assert diagram.empty.tolist() == [False, True, False]
    np.testing.assert_allclose(diagram.masses, [0.5, 0.0, 0.5], rtol=1e-14)
    # the cell of width 1 / 3 that fits exactly between the parts touches them, and stays empty
    touching = PowerDiagram(
        [(0.0, 0.5, 0.5), (0.5, 0.5, 0.5), (1.0, 0.5, 0.5)],
        None,
        MeshDensity(points * [3, 1, 1] / 4 + [0.125, 0, 0], simplices),
    )
    assert touching.empty.tolist() == [False, False, False]


def test_a_linear_density_on_a_cube():
    points, simplices = voxel_mesh(np.ones((2, 2, 2)))
    mesh = MeshDensity(points, simplices, points[:, 0])  # 2 x
    sites = np.column_stack([(np.arange(4) + 0.5) / 4, np.full(4, 0.5), np.full(4, 0.5)])
    diagram = PowerDiagram(sites, None, mesh)
    np.testing.assert_allclose(diagram.masses, np.array([1, 3, 5, 7]) / 16, rtol=1e-14)
    np.testing.assert_allclose(diagram.facets.measures, [0.5, 1.0, 1.5], rtol=1e-13)
    cubes = np.diff(np.linspace(0.0, 1.0, 5) ** 3)
    np.testing.assert_allclose(
        diagram.centroids[:, 0] * diagram.masses, 2.0 * cubes / 3.0, rtol=1e-13
    )


@pytest.mark.parametrize("exponent", [0, 3])
def test_one_site_has_the_moments_of_the_source(exponent):
    points, simplices = voxel_mesh(np.ones((3, 2, 2)))
    values = np.random.default_rng(6).random(len(points)) ** exponent
    mesh, site = MeshDensity(points, simplices, values), np.array([0.3, 0.4, 0.9])
    diagram = PowerDiagram([site], None, mesh)
    assert diagram.masses[0] == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(diagram.centroids[0], mesh.mean, rtol=1e-13)
    cost = np.trace(mesh.covariance) + np.sum((mesh.mean - site) ** 2)
    assert diagram.costs[0] == pytest.approx(cost, rel=1e-13)


def test_a_mesh_of_voxels_is_the_grid():
    mask = 1.0 * (np.random.default_rng(7).random((4, 3, 5)) < 0.6)
    sites = np.random.default_rng(8).random((40, 3))
    mesh = PowerDiagram(sites, None, MeshDensity(*voxel_mesh(mask)))
    grid = PowerDiagram(sites, None, GridDensity(mask))
    np.testing.assert_allclose(mesh.masses, grid.masses, rtol=1e-11, atol=1e-17)
    np.testing.assert_allclose(mesh.costs, grid.costs, rtol=1e-11, atol=1e-17)
    np.testing.assert_array_equal(mesh.facets.sites, grid.facets.sites)
    np.testing.assert_allclose(mesh.facets.measures, grid.facets.measures, rtol=1e-9, atol=1e-14)
    for a, b in zip(mesh._compiled.facet_moments(), grid._compiled.facet_moments(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0.0, atol=1e-8)


def test_a_ball_by_refinement():
    # the moment of inertia of a ball, to second order in the size of the tetrahedra
    errors = []
    for n in (4, 8):
        diagram = PowerDiagram([(0.0, 0.0, 0.0)], None, MeshDensity(*ball_mesh(n)))
        errors.append(0.6 - diagram.costs[0])
    assert 0.0 < errors[1] < errors[0] / 3.5 < 0.02


def test_a_mesh_of_many_tetrahedra_sums_to_one():
    rng = np.random.default_rng(9)
    points = rng.random((400, 3))
    mesh = MeshDensity(points, Delaunay(points).simplices, rng.random(400))
    for n in (2, 300):
        diagram = PowerDiagram(rng.random((n, 3)), None, mesh)
        assert diagram.masses.sum() == pytest.approx(1.0, rel=1e-12)
        held = diagram.masses > 0.0
        mean = diagram.masses[held] @ diagram.centroids[held]
        np.testing.assert_allclose(mean, mesh.mean, rtol=1e-12)


def test_units_and_threads_change_no_bit():
    points, simplices = voxel_mesh(np.ones((2, 3, 2)))
    rng = np.random.default_rng(10)
    values, sites, unit = rng.random(len(points)), rng.random((200, 3)), 2.0**-60
    one = PowerDiagram(sites, None, MeshDensity(points, simplices, values), threads=1)
    two = PowerDiagram(sites, None, one.source, threads=2)
    np.testing.assert_array_equal(one.masses, two.masses)
    small = PowerDiagram(unit * sites, None, MeshDensity(unit * points, simplices, values))
    np.testing.assert_allclose(small.masses, one.masses, rtol=1e-14)
    np.testing.assert_allclose(small.facets.measures * unit, one.facets.measures, rtol=1e-14)


def test_the_hessian_against_differences():
    points, simplices = voxel_mesh([[[1, 1]], [[1, 0]]])
    mesh = MeshDensity(points, simplices, 0.2 + points[:, 0])
    sites, step = mesh.sample(10, 0), 1e-5
    hessian = PowerDiagram(sites, None, mesh).hessian().toarray()
    moved = step * np.eye(10)[4]
    up, down = (PowerDiagram(sites, s * moved, mesh).masses for s in (1, -1))
    np.testing.assert_allclose((up - down) / step, hessian[4], rtol=0.0, atol=1e-7)
