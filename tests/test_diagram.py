"""PowerDiagram as an object: its parts, its immutability, copies and pickles.

What it computes is tested case by case in the reliability tests.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed
from oracles import ExactDiagram
from scipy.sparse import csr_array

from geomot import PowerDiagram, Samples, UniformBox, UniformPolygon
from geomot._validation import as_threads
from geomot.diagram import Cells, Facets, _lengths

rng = np.random.default_rng
ARRAYS = ("sites", "weights", "weights_exact", "masses", "centroids", "costs", "empty")


def random_diagram(n=200, threads=None):
    sites, weights = rng(0).random((n, 2)), 0.01 * rng(1).random(n)
    return PowerDiagram(sites, weights, threads=threads)


@pytest.fixture(scope="module")
def diagram():
    made = random_diagram()
    assert made.empty.any() and not made.empty.all()
    return made


def assert_same(one, two):
    for name in ARRAYS:
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name
    for name in ("sites", "measures"):
        assert getattr(one.facets, name).tobytes() == getattr(two.facets, name).tobytes()
    for name in ("vertices", "offsets", "labels", "indices"):
        assert getattr(one.cells, name).tobytes() == getattr(two.cells, name).tobytes()
    assert one.vertices.tobytes() == two.vertices.tobytes()
    assert one.triangulation.tobytes() == two.triangulation.tobytes()
    assert one.source == two.source
    assert one == two and hash(one) == hash(two)


def test_shapes_and_types(diagram):
    n, m = len(diagram), len(diagram.facets)
    assert n == 200
    assert diagram.sites.shape == diagram.weights_exact.shape == diagram.centroids.shape == (n, 2)
    assert diagram.weights.shape == diagram.masses.shape == diagram.costs.shape == (n,)
    assert diagram.empty.shape == (n,) and diagram.empty.dtype == bool
    assert diagram.facets.sites.shape == (m, 2) and diagram.facets.sites.dtype == np.int64
    assert diagram.facets.measures.shape == (m,)
    assert diagram.triangulation.shape[1] == 3 and diagram.triangulation.dtype == np.int64
    assert isinstance(diagram.facets, Facets) and isinstance(diagram.cells, Cells)
    assert repr(diagram) == (
        f"PowerDiagram(<200 sites, {diagram.empty.sum()} empty cells>, "
        "UniformBox([0.0, 0.0], [1.0, 1.0]))"
    )
    assert repr(diagram.facets) == f"Facets(<{m} facets>)"
    assert repr(diagram.cells) == f"Cells(<200 cells, {len(diagram.cells.vertices)} corners>)"


def test_cells_are_a_sequence(diagram):
    cells = diagram.cells
    assert cells is diagram.cells
    assert len(cells) == 200
    assert len(cells.vertices) == len(cells.labels) == cells.offsets[-1]
    for i, cell in enumerate(cells):
        assert cell.shape[1] == 2
        assert (len(cell) == 0) == diagram.empty[i]
    np.testing.assert_array_equal(cells[-1], cells[199])
    assert [c.tolist() for c in cells[3:6]] == [cells[i].tolist() for i in (3, 4, 5)]
    for bad in (200, -201):
        with pytest.raises(IndexError):
            cells[bad]
    with pytest.raises(TypeError):
        cells[0.5]


def test_vertices_are_the_corners_of_the_cells_once_each(diagram):
    cells, vertices = diagram.cells, diagram.vertices
    assert vertices.dtype == np.float64 and vertices.ndim == 2 and vertices.shape[1] == 2
    assert cells.indices.dtype == np.int64 and cells.indices.shape == cells.labels.shape
    for i, cell in enumerate(cells):
        rows = cells.indices[cells.offsets[i] : cells.offsets[i + 1]]
        np.testing.assert_array_equal(vertices[rows], cell)
    assert len(np.unique(vertices, axis=0)) == len(vertices)
    # numbered as the cells meet them
    first = np.unique(cells.indices, return_index=True)[1]
    assert len(first) == len(vertices) and (np.diff(first) > 0).all()
    # Euler: corners - edges + cells = 1, where each facet and each piece of the border is an edge
    edges = len(diagram.facets) + np.count_nonzero(cells.labels < 0)
    assert len(vertices) - edges + np.count_nonzero(~diagram.empty) == 1
    # three cells meet in a corner inside, two on an edge of the domain, one in its corner
    at_border = ((vertices == 0.0) | (vertices == 1.0)).sum(axis=1)
    np.testing.assert_array_equal(np.bincount(cells.indices), 3 - at_border)


def test_cells_meet_in_one_corner_where_the_sites_are_on_a_circle():
    grid = PowerDiagram([(i / 8, j / 8) for i in (1, 3, 5, 7) for j in (1, 3, 5, 7)])
    assert sorted(map(tuple, grid.vertices.tolist())) == [
        (i / 4, j / 4) for i in range(5) for j in range(5)
    ]
    assert np.bincount(grid.cells.indices).tolist().count(4) == 9
    assert (np.diff(grid.cells.offsets) == 4).all()
    assert len(grid.facets) == 24


def test_vertices_keep_the_bits_of_the_domain():
    corners = [(0.1, 0.2), (1.1, 0.3), (0.9, 1.7), (0.30000000000000004, 1.1)]
    made = PowerDiagram(rng(0).random((30, 2)), None, corners)
    assert set(corners) <= set(map(tuple, made.vertices.tolist()))
    box = UniformBox([-0.1, 1e-3], [0.2, 7.7])
    made = PowerDiagram([(0.0, 0.0)], None, box)
    assert sorted(made.vertices.tolist()) == sorted(box.polygon.tolist())


def test_vertices_on_the_line():
    made = PowerDiagram([[0.75], [0.25], [0.5]], [0.0, 0.0, -1.0])
    assert made.vertices.tolist() == [[0.0], [0.5], [1.0]]
    assert made.cells.indices.tolist() == [1, 2, 0, 1]
    assert [c.tolist() for c in made.cells] == [[[0.5], [1.0]], [[0.0], [0.5]], []]


def test_labels_of_cells_are_the_facets(diagram):
    cells = diagram.cells
    owner = np.repeat(np.arange(200), np.diff(cells.offsets))
    inner = (cells.labels >= 0) & (cells.labels > owner)
    pairs = {(int(i), int(j)) for i, j in zip(owner[inner], cells.labels[inner], strict=True)}
    assert pairs == {tuple(p) for p in diagram.facets.sites.tolist()}
    polygon = diagram.source.polygon
    for k in np.flatnonzero(cells.labels < 0):
        a, b = polygon[-1 - cells.labels[k]], polygon[(-cells.labels[k]) % len(polygon)]
        p = cells.vertices[k]
        # on the line of the edge, up to an ulp of the unit domain
        assert abs((b - a)[0] * (p - a)[1] - (b - a)[1] * (p - a)[0]) <= 2.0**-53


def test_hessian(diagram):
    h = diagram.hessian()
    assert isinstance(h, csr_array) and h.has_sorted_indices
    i, j = diagram.facets.sites.T
    lengths = np.hypot(*(diagram.sites[i] - diagram.sites[j]).T)
    np.testing.assert_allclose(h.toarray()[i, j], -diagram.facets.measures / lengths, rtol=1e-15)
    np.testing.assert_array_equal(h.toarray(), h.toarray().T)
    np.testing.assert_allclose(h.sum(axis=1), 0.0, atol=1e-13 * h.diagonal().max())
    assert PowerDiagram([[0.0, 0.0]]).hessian().toarray().tolist() == [[0.0]]


def test_lengths_neither_overflow_nor_underflow():
    vectors = np.array([[3.0, 4.0], [0.0, 0.0], [-1.0, 0.0]])
    assert _lengths(vectors).tolist() == [5.0, 0.0, 1.0]
    for e in (-1000, -600, 600, 1000):
        assert _lengths(np.ldexp(vectors, e)).tolist() == np.ldexp([5.0, 0.0, 1.0], e).tolist()
    assert _lengths(np.zeros((0, 2))).shape == (0,)


def test_kantorovich(diagram):
    exact = ExactDiagram(diagram.sites, diagram.weights_exact)
    masses = rng(5).random(200)
    masses /= masses.sum()
    assert diagram.kantorovich(masses) == pytest.approx(exact.kantorovich(masses), rel=1e-13)
    uniform = np.full(200, 1 / 200)
    assert diagram.kantorovich() == diagram.kantorovich(uniform)
    with pytest.raises(ValueError, match="target_masses must sum to 1"):
        diagram.kantorovich(np.ones(200))


def test_locate(diagram):
    points = rng(6).random((1000, 2))
    labels = diagram.locate(points)
    power = ((points[:, None] - diagram.sites) ** 2).sum(axis=2) - diagram.weights
    np.testing.assert_array_equal(labels, power.argmin(axis=1))
    assert labels.dtype == np.int64
    assert diagram.locate(np.zeros((0, 2))).shape == (0,)
    np.testing.assert_array_equal(diagram.locate(points.tolist()), labels)
    np.testing.assert_array_equal(diagram.locate(np.asfortranarray(points)), labels)
    for bad in ([0.5, 0.5], np.zeros((3, 3)), [[np.nan, 0.0]], None):
        with pytest.raises((ValueError, TypeError), match="points must"):
            diagram.locate(bad)


def test_exact_weights_move_facets_that_rounded_ones_cannot():
    sites = [[0.5, 0.5], [0.5 + 2.0**-40, 0.5]]
    low = 2.0**-60
    pair = PowerDiagram(sites, [[1.0, low], [1.0, 0.0]])
    assert pair.weights.tolist() == [1.0, 1.0]
    shift = low / 2.0**-39
    assert pair.masses[0] == pytest.approx(0.5 + 2.0**-41 + shift, rel=1e-14)
    assert pair.masses[0] != PowerDiagram(sites).masses[0]


@pytest.mark.parametrize(
    "source",
    [UniformBox([0, 0], [1, 1]), UniformPolygon([(0, 0), (1, 0), (1, 1), (0, 1)]), "array"],
)
def test_spellings_of_the_source(diagram, source):
    if source == "array":
        source = [(1, 1), (1, 0), (0, 0), (0, 1)]
    other = PowerDiagram(diagram.sites, diagram.weights, source)
    assert other.masses.tobytes() == diagram.masses.tobytes()
    assert other.cells.vertices.tobytes() == diagram.cells.vertices.tobytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ([[0.5, 0.5, 0.5]],),
            r"sites must have shape \(n, 1\) or \(n, 2\) for exact diagrams, got \(1, 3\)",
        ),
        (([[0.5, 0.5]], [1.0, 2.0]), r"weights must have shape \(1,\) or \(1, 2\), got \(2,\)"),
        (([[0.5, 0.5]], None, UniformBox.unit(3)), "source must have dimension 2, got 3"),
        (([[0.5, 0.5]], None, Samples(np.eye(2))), "source must be a UniformBox or"),
        (([[0.5, 0.5]], None, [(0, 0), (1, 0)]), "source must be a valid domain"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(ValueError, match=words):
        PowerDiagram(*arguments)
    with pytest.raises(ValueError, match="threads must be at least 1"):
        PowerDiagram([[0.5, 0.5]], threads=0)


def test_it_is_immutable(diagram):
    for name in (*ARRAYS, "facets", "source", "cells", "vertices", "triangulation"):
        with pytest.raises((AttributeError, dataclasses.FrozenInstanceError)):
            setattr(diagram, name, None)
        with pytest.raises((AttributeError, dataclasses.FrozenInstanceError)):
            delattr(diagram, name)
    views = [getattr(diagram, name) for name in ARRAYS]
    views += [diagram.facets.sites, diagram.facets.measures, diagram.triangulation]
    views += [diagram.cells.vertices, diagram.cells.offsets, diagram.cells.labels, diagram.cells[0]]
    views += [diagram.cells.indices, diagram.vertices]
    for array in views:
        assert not array.flags.writeable


def test_it_does_not_share_memory_with_its_arguments():
    sites, weights = rng(0).random((50, 2)), rng(1).random((50, 2)) * 1e-3
    made = PowerDiagram(sites, weights)
    before = made.masses.tobytes(), made.sites.tobytes(), made.weights_exact.tobytes()
    assert sites.flags.writeable and weights.flags.writeable
    sites[:], weights[:] = 7.0, 7.0
    assert (made.masses.tobytes(), made.sites.tobytes(), made.weights_exact.tobytes()) == before
    made.locate([[0.5, 0.5]])
    assert len(made.cells) == 50


@pytest.mark.parametrize(
    "duplicate",
    [
        *(lambda d, p=p: pickle.loads(pickle.dumps(d, p)) for p in range(2, 6)),
        copy.copy,
        copy.deepcopy,
    ],
    ids=["pickle 2", "pickle 3", "pickle 4", "pickle 5", "copy", "deepcopy"],
)
def test_copies_are_equal_and_work(duplicate):
    made = random_diagram()
    points = rng(6).random((100, 2))
    for touched in (False, True):
        if touched:
            made.cells, made.vertices, made.triangulation, made.locate(points)
        other = duplicate(made)
        assert "_compiled" not in vars(other)
        assert_same(made, other)
        np.testing.assert_array_equal(made.locate(points), other.locate(points))
        with pytest.raises(dataclasses.FrozenInstanceError):
            other.masses = None
        assert not other.masses.flags.writeable
        np.testing.assert_array_equal(made.hessian().toarray(), other.hessian().toarray())


def test_pickle_is_no_larger_than_the_arrays():
    made = random_diagram(5000)
    assert len(made.cells) == 5000 and len(made.triangulation) > 0
    arrays = [getattr(made, name) for name in ARRAYS if name != "weights"]
    arrays += [made.facets.sites, made.facets.measures]
    for protocol in range(3, 6):
        assert len(pickle.dumps(made, protocol)) <= 1.1 * sum(a.nbytes for a in arrays) + 2000


def test_joblib():
    made = random_diagram()
    points = rng(6).random((100, 2))
    # Functions that workers can import by name: they do not see the test modules.
    labels = Parallel(n_jobs=2)(delayed(PowerDiagram.locate)(made, points) for _ in range(2))
    backs = Parallel(n_jobs=2)(delayed(copy.copy)(made) for _ in range(2))
    for label, back in zip(labels, backs, strict=True):
        np.testing.assert_array_equal(label, made.locate(points))
        assert_same(back, made)


def test_equality(diagram):
    assert diagram == random_diagram(threads=1)
    assert diagram != random_diagram(199)
    assert diagram != PowerDiagram(diagram.sites)
    assert diagram != "diagram"
    assert diagram.facets == random_diagram().facets
    assert diagram.cells == random_diagram().cells


def test_threads_change_nothing():
    one, two = random_diagram(5000, 1), random_diagram(5000, 2)
    assert_same(one, two)
    points = rng(6).random((20_000, 2))
    np.testing.assert_array_equal(one.locate(points), two.locate(points))
    np.testing.assert_array_equal(one.locate(points, threads=2), two.locate(points, threads=1))


@pytest.mark.parametrize("dim", [1, 2])
def test_threads_are_those_asked_for(monkeypatch, dim):
    diagram = PowerDiagram(rng(0).random((5, dim)), threads=3)
    asked = []

    def record(threads):
        asked.append(threads)
        return as_threads(threads)

    monkeypatch.setattr("geomot.diagram.as_threads", record)
    points = rng(1).random((4, dim))
    diagram.locate(points)
    diagram.locate(points, threads=2)
    assert asked == [3, 2]
    for bad in (0, -1):
        with pytest.raises(ValueError, match="threads must be at least 1"):
            diagram.locate(points, threads=bad)
        with pytest.raises(ValueError, match="threads must be at least 1"):
            PowerDiagram(points, threads=bad)
