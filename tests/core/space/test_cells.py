"""Cells in space against rational arithmetic: measures, facets, emptiness, ties."""

from __future__ import annotations

import numpy as np
import pytest
from effort import some
from space_oracles import BOX, ExactSpaceDiagram, disagreements

from geomot._space import SpaceSites

rng = np.random.default_rng
CUBE = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])


def build(sites, weights=None, planes=BOX, bounds=CUBE, threads=1):
    """Compiled diagram of sites (n, 3) and weights (n,) or (n, 2)."""
    sites = np.asarray(sites, dtype=float)
    weights = np.zeros(len(sites)) if weights is None else np.asarray(weights, dtype=float)
    pair = (weights, None) if weights.ndim == 1 else (weights[:, 0].copy(), weights[:, 1].copy())
    return SpaceSites(sites, planes, bounds).diagram(*pair, threads=threads)


def check(sites, weights=None, planes=BOX, bounds=CUBE, **tolerance):
    exact = ExactSpaceDiagram(sites, weights, planes)
    diagram = build(sites, weights, planes, bounds)
    assert disagreements(diagram, exact, **tolerance) == []
    return diagram, exact


def lattice(k):
    axis = (np.arange(k) + 0.5) / k
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)


SHAPES = {
    "one": [[0.1, 0.2, 0.3]],
    "two": [[0.1, 0.2, 0.3], [0.1, 0.2, 0.4]],
    "scattered": rng(0).random((14, 3)),
    "clustered": 0.3 + 1e-6 * rng(1).random((15, 3)),
    "tight": 0.3 + 1e-13 * rng(1).integers(0, 100, (15, 3)),
    "dyadic lattice": lattice(2),
    "lattice": lattice(3)[::2],
    "outside": rng(2).standard_normal((14, 3)) * 3,
    "far": rng(2).random((12, 3)) + [1e5, 0, 0],
    "very far": rng(2).random((12, 3)) * 1e-9 + [1e5, 0, 0],
    "on the border": np.vstack([lattice(2), np.eye(3), np.ones((1, 3)), np.zeros((1, 3))]),
    "mirrored": np.vstack([lattice(2), lattice(2) * [-1, 1, 1]]),
    "square": np.column_stack([rng(2).random((15, 2)), np.full(15, 0.5)]),
    "square outside": np.column_stack([rng(2).random((15, 2)), np.full(15, 2.5)]),
    "line": np.outer(rng(4).random(12), [1, 0, 0]),
    "diagonal": np.outer(np.arange(9) / 8, [1, 1, 1]),
    "sphere": np.array(
        [(x, y, z) for x in range(-3, 4) for y in range(-3, 4) for z in range(-3, 4)
         if x * x + y * y + z * z == 9]
    )[::2] / 8 + 0.5,
    "coincident": np.repeat(rng(5).random((8, 3)), 2, axis=0),
    "thin": np.column_stack([rng(6).random((10, 2)), 1e-9 * rng(6).random(10)]),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    check(SHAPES[name])


@pytest.mark.parametrize("size", some([1e-1, 1e-4, 10.0], quick=1))
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_under_weights(name, size):
    check(SHAPES[name], size * rng(6).random(len(SHAPES[name])))


@pytest.mark.parametrize("seed", some(range(30), quick=8))
def test_integer_lattices_with_ties(seed):
    r = rng(seed)
    sites = r.integers(0, 4, (14, 3)) / 4
    check(sites, r.integers(0, 5, 14) / 32)


@pytest.mark.parametrize("seed", some(range(10), quick=2))
def test_trailing_parts_of_weights_decide(seed):
    r = rng(seed)
    weights = np.column_stack([np.full(27, 2.0**-10), 2.0**-70 * r.integers(-2, 3, 27)])
    check(lattice(3), weights, relative=1e-9)


def wedge():
    """A tetrahedron with slanted planes, and its bounds."""
    planes = np.array([[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 0], [0.9, 0.8, 1, 0.85]])
    return planes, np.array([[0, 0, 0], [0.85 / 0.9, 0.85 / 0.8, 0.85]])


@pytest.mark.parametrize("seed", some(range(5), quick=2))
def test_a_tetrahedron_as_the_domain(seed):
    planes, bounds = wedge()
    r = rng(seed)
    sites = r.random((15, 3))
    check(sites, None, planes, bounds)
    check(sites, 0.1 * r.random(15), planes, bounds)


def test_redundant_planes():
    planes = np.vstack([BOX, [[1, 1, 1, 3], [1, 1, 0, 2], [1, 0, 0, 1]]])
    sites = lattice(2)
    check(sites, None, planes)


@pytest.mark.parametrize("shift", [0.0, 1e6, -3e8])
def test_a_domain_far_from_zero(shift):
    bounds = CUBE + shift
    planes = BOX.copy()
    planes[:, 3] += planes[:, :3].sum(axis=1) * shift
    sites = shift + np.round(rng(3).random((12, 3)) * 2**20) / 2**20
    check(sites, None, planes, bounds, relative=1e-11)


def test_units_change_no_bit():
    sites, weights = rng(7).random((200, 3)), 0.01 * rng(8).random(200)
    first = build(sites, weights)
    planes = BOX * [1, 1, 1, 8]
    other = build(8 * sites, 64 * weights, planes, 8 * CUBE)
    np.testing.assert_array_equal(first.masses, other.masses)
    np.testing.assert_array_equal(64 * first.costs, other.costs)
    np.testing.assert_array_equal(8 * first.centroids, other.centroids)
    np.testing.assert_array_equal(first.facets.measures, 8 * other.facets.measures)


@pytest.mark.parametrize("kind", ["scattered", "clustered", "plane"])
def test_threads_change_no_bit(kind):
    sites = rng(9).random((8_000, 3))
    if kind == "clustered":
        sites = 0.5 + 0.01 * (sites - 0.5)
    if kind == "plane":
        sites[:, 2] = 0.5
    weights = 1e-4 * rng(10).random(len(sites))
    one, two = build(sites, weights), build(sites, weights, threads=3)
    for name in ("masses", "costs", "centroids", "empty"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(one.facets.sites, two.facets.sites)
    np.testing.assert_array_equal(one.facets.measures, two.facets.measures)
    assert abs(one.masses.sum() - 1) < 1e-13


def test_a_lattice_with_ties_and_flat_cells():
    k = 8
    sites = lattice(k)
    # lifted onto a plane: every second site lies on the hull without being a corner of it
    squares = (sites**2).sum(axis=1)
    diagram = build(sites, squares - 2.0**-20 * np.floor(sites @ [3, 5, 7]))
    assert abs(diagram.masses.sum() - 1) < 1e-13
    assert not diagram.empty[diagram.facets.sites].any()


def test_small_cells_keep_their_digits():
    sites = rng(11).random((10, 3))
    first = ExactSpaceDiagram(sites)
    # a heavy neighbour leaves little of a cell
    weights = np.zeros(10)
    order = np.argsort(first.masses)
    i = int(order[-1])
    low, high = 0.0, 1.0
    for _ in range(60):
        weights[i] = -0.5 * (low + high)
        low, high = (low, 0.5 * (low + high)) if build(sites, weights).empty[i] else (
            0.5 * (low + high), high)  # fmt: skip
    for depth in (1e-3, 1e-5, 1e-8, 1e-12):
        weights[i] = -low * (1 - depth)
        diagram, exact = check(sites, weights, relative=1e-8)
        assert 0 < exact.masses[i] < 1e-6
