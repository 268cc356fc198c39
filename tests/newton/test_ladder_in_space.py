"""Exact solves in space under densities that are not uniform."""

from __future__ import annotations

import numpy as np
import pytest
from effort import some
from scipy.spatial import Delaunay
from solid_meshes import voxel_mesh

import geomot
from geomot import GridDensity, MeshDensity

x, y, z = (np.mgrid[:16, :16, :16] + 0.5) / 16
WAVES = 1.0 + np.cos(9.0 * x + 4.0 * y) * np.sin(7.0 * y + 5.0 * z)
VOXELS = {
    "zeros": np.maximum(WAVES - 0.8, 0.0),
    "islands": 1.0 * (np.sin(13 * x) * np.sin(13 * y) * np.sin(13 * z) > 0.2),
    "four decades": 10.0 ** (2.0 * WAVES),
    "bright": WAVES + 0.1,
    "ball": 1.0 * ((x - 0.5) ** 2 + (y - 0.5) ** 2 + (z - 0.5) ** 2 < 0.16),
    "ramp": 10.0 ** (4.0 * x),
    "L": 1.0 * ~((x > 0.5) & (y > 0.5)),
    "strip": 1.0 * ((x < 0.4) | (x > 0.6)),
}
SHAPES = {
    "L": ~((x > 0.5) & (y > 0.5)),
    "islands": (x < 0.3) | (x > 0.7),
    "shell": np.maximum(abs(x - 0.5), np.maximum(abs(y - 0.5), abs(z - 0.5))) > 0.3,
}


def solved(source, sites, n=80):
    rng = np.random.default_rng(1)
    masses = rng.dirichlet(np.full(n, 5.0))
    solution = geomot.solve(sites, masses, source)
    assert solution.converged and solution.method == "newton"
    diagram = geomot.PowerDiagram(sites, solution.weights_exact, source)
    assert np.abs(diagram.masses / masses - 1.0).max() <= 1e-9
    low, high = solution.bracket
    # what is misplaced, a share of 1e-9, is moved across the cube at most
    assert 0.0 < low <= solution.cost <= high <= low + 3e-9
    return solution


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("name", some(VOXELS, quick=3))
def test_voxels(name, sampled):
    source = GridDensity(VOXELS[name])
    sites = source.sample(80, 2) if sampled else np.random.default_rng(3).random((80, 3))
    solved(source, sites)


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("name", some(SHAPES, quick=2))
def test_meshes(name, sampled):
    points, simplices = voxel_mesh(SHAPES[name][1::4, 1::4, 1::4])
    mesh = MeshDensity(points, simplices, 10.0 ** (4.0 * points[:, 0]) * (points[:, 1] > 0.2))
    sites = mesh.sample(80, 2) if sampled else np.random.default_rng(3).random((80, 3))
    solved(mesh, sites)


def test_a_solid_of_any_shape_is_uniform():
    points, simplices = voxel_mesh(SHAPES["L"][1::4, 1::4, 1::4])
    mesh = MeshDensity(points, simplices)
    assert not mesh.domain.convex and mesh.domain.connected
    solution = solved(mesh, mesh.sample(80, 0))
    assert geomot.ExtendedMap(solution).rule == "simplicial"


def test_maps_quantizations_and_files(tmp_path):
    source = GridDensity(VOXELS["zeros"][::4, ::4, ::4])
    sites = source.sample(20, 0)
    brenier = geomot.BrenierMap(source=source).fit(sites)
    np.testing.assert_array_equal(
        brenier.transform(sites[:3]), sites[brenier.solution_.assign(sites[:3])]
    )
    brenier.solution_.save(tmp_path / "map.npz")
    loaded = geomot.load(tmp_path / "map.npz")
    assert loaded.source == source
    np.testing.assert_array_equal(loaded.weights_exact, brenier.solution_.weights_exact)
    small = geomot.quantize(source, 8, random_state=0)
    assert small.cost < brenier.solution_.cost * 4.0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_mesh_of_scattered_points_with_zeros(seed):
    """Cells that only touch the hull's corners are opened: no step of theirs has bounds."""
    r = np.random.default_rng(seed)
    points = r.random((300, 3))
    values = np.where(r.random(300) < 0.5, 0.0, r.random(300))
    source = MeshDensity(points, Delaunay(points).simplices, values)
    masses = r.exponential(size=30) ** 2 + 1e-9
    solution = geomot.solve(r.random((30, 3)), masses, source, normalize=True)
    assert solution.converged and solution.n_iter < 10
