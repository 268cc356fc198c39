"""Regular triangulations in space: ties, coincident and hidden sites, the lower hull of lifts."""

from __future__ import annotations

import numpy as np
import pytest
from geomot._core.space.regular import Regular3D, enclosed, set_ghosts
from scipy.spatial import ConvexHull
from space_oracles import Lifted, triangulation_faults

from geomot._core.order import hilbert_order, insertion_order

rng = np.random.default_rng


def mesh_of(points, weights=None, order=None):
    """The triangulation of points along a curve, its sites and its insertion order."""
    points = np.asarray(points, dtype=float).reshape(-1, 3)
    curve = hilbert_order(points)[0] if len(points) else np.arange(0)
    sites = enclosed(np.ascontiguousarray(points[curve]))
    if weights is not None and len(points):
        weights = np.asarray(weights, dtype=float).reshape(len(points), -1)[curve]
        sites[:-4, 3 : 3 + weights.shape[1]] = weights
        set_ghosts(sites)
    order = insertion_order(len(points), 3) if order is None else np.asarray(order, dtype=np.int32)
    return Regular3D(sites, order), sites, order


def check(points, weights=None, order=None):
    mesh, sites, order = mesh_of(points, weights, order)
    tets = mesh.tetrahedra(ghosts=True)
    assert mesh.faults(order) == []
    assert triangulation_faults(sites, tets) == []
    mesh.renumber()
    assert mesh.faults(order) == []
    again = mesh.tetrahedra(ghosts=True)
    assert sorted(map(tuple, np.sort(again))) == sorted(map(tuple, np.sort(tets)))
    assert (np.diff(again.min(axis=1)) >= 0).all()
    return mesh, sites


def lattice(k, spacing=1.0):
    axis = spacing * (np.arange(k) - 0.5 * (k - 1)) / k
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)


def sphere(n, seed):
    v = rng(seed).standard_normal((n, 3))
    return 0.5 * v / np.linalg.norm(v, axis=1)[:, None]


SHAPES = {
    "none": np.empty((0, 3)),
    "one": [[0.1, 0.2, 0.3]],
    "two": [[0.1, 0.2, 0.3], [0.1, 0.2, 0.4]],
    "scattered": rng(0).random((40, 3)),
    "clustered": 0.5 + 1e-9 * rng(1).random((30, 3)),
    "dyadic lattice": lattice(4),
    "lattice": lattice(3, 0.7),
    "square": np.column_stack([rng(2).random((25, 2)), np.full(25, 0.5)]),
    "tilted square": np.column_stack([rng(3).random((25, 2)), np.zeros(25)])
    @ [[1, 0, 0.4], [0, 1, 0.1], [0, 0, 1]]
    / 2,
    "square lattice": lattice(5)[:, :2][::5] @ [[1, 0, 0], [0, 1, 0]],
    "line": np.outer(rng(4).random(20), [1, 0, 0]),
    "diagonal": np.outer(np.arange(20) / 32, [1, 1, 1]),
    "rounded sphere": sphere(30, 5),
    "sphere": np.array(
        [(x, y, z) for x in range(-9, 10) for y in range(-9, 10) for z in range(-9, 10)
         if x * x + y * y + z * z == 81]
    )[::2] / 16,
    "corners": lattice(2, 2.0),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    check(SHAPES[name])


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_under_weights(name):
    points = np.asarray(SHAPES[name], dtype=float)
    for size in (1e-3, 1.0):
        check(points, size * rng(6).random(len(points)))


@pytest.mark.parametrize("seed", range(30))
def test_integer_lattices_with_ties(seed):
    r = rng(seed)
    points = np.unique(r.integers(0, 4, (30, 3)), axis=0) / 8
    check(points, r.integers(0, 5, len(points)) / 64)


@pytest.mark.parametrize("seed", range(10))
def test_trailing_parts_of_weights_decide(seed):
    r = rng(seed)
    points = lattice(3)
    weights = np.column_stack([np.zeros(27), 2.0**-70 * r.integers(-2, 3, 27)])
    weights[:, 0] = 2.0**-10
    check(points, weights)


def test_a_heavy_site_hides_the_others():
    points = rng(7).random((50, 3))
    weights = np.zeros(50)
    weights[20] = 1000.0
    mesh, _ = check(points, weights)
    assert len(mesh.tetrahedra()) == 0
    assert len(mesh.tetrahedra(ghosts=True)) == 4


def test_sites_not_in_the_order_are_not_there():
    points = np.repeat(rng(8).random((20, 3)), 2, axis=0)
    mesh, _ = check(points, order=np.arange(0, 40, 2))
    assert set(np.unique(mesh.tetrahedra())) == set(range(0, 40, 2))


def test_the_result_does_not_depend_on_the_order_of_insertion():
    points, weights = rng(9).random((300, 3)), 0.01 * rng(10).random(300)
    first, _, order = mesh_of(points, weights)
    other, _, _ = mesh_of(points, weights, rng(11).permutation(300))
    assert {tuple(sorted(t)) for t in first.tetrahedra().tolist()} == {
        tuple(sorted(t)) for t in other.tetrahedra().tolist()
    }


def test_large_zones():
    # in the middle of a sphere a site sees everything
    points = np.vstack([sphere(2000, 12), [[0.0, 0.0, 0.0]]])
    mesh, _, order = mesh_of(points, order=None)
    assert mesh.faults(order) == []
    # its last insertion has 2000 vertices
    curve = hilbert_order(points)[0]
    last = int(np.flatnonzero(curve == 2000)[0])
    order = np.append(np.delete(np.arange(2001), last), last)
    mesh, _, order = mesh_of(points, order=order)
    assert mesh.faults(order) == []


def test_many_tetrahedra():
    # two skew lines: every pair of their edges makes one
    k = np.arange(300) / 300
    zero = np.zeros(300)
    points = np.vstack([np.column_stack([k, zero, zero]), np.column_stack([zero, k, zero + 0.9])])
    mesh, _, order = mesh_of(points)
    assert mesh.slots > 299**2
    assert mesh.faults(order) == []


def test_it_is_the_lower_hull_of_the_lifted_sites():
    n = 1500
    points, weights = rng(33).random((n, 3)) - 0.5, 0.002 * rng(34).random(n)
    mesh, sites, _ = mesh_of(points, weights)
    lifted = np.column_stack([sites[:n, :3], (sites[:n, :3] ** 2).sum(axis=1) - sites[:n, 3]])
    hull = ConvexHull(lifted - lifted.mean(axis=0))
    lower = {tuple(sorted(s)) for s in hull.simplices[hull.equations[:, 3] < 0].tolist()}
    mine = {tuple(sorted(t)) for t in mesh.tetrahedra().tolist()}
    assert mine <= lower
    exact = Lifted(sites[:n])
    for tet in lower - mine:
        # nearer to a ghost than to its own vertices: outside the cube
        assert max(map(abs, exact.centre(tet)[0])) > 1
    assert len(lower - mine) < 0.2 * len(lower)


def test_equal_input_makes_equal_meshes():
    points = rng(13).random((500, 3))
    first, _, _ = mesh_of(points)
    second, _, _ = mesh_of(points)
    np.testing.assert_array_equal(first.tetrahedra(True), second.tetrahedra(True))
