"""PowerDiagram: known answers, derivatives, and its parts as an immutable object.

Which cells are neighbours, cells as polygons and location are tested in core/.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import warnings
from math import fsum
from pathlib import Path

import numpy as np
import pytest
from checks import build, compare, diagram_bits, solve, unchanged
from effort import linux
from joblib import Parallel, delayed
from oracles import UNIT_SQUARE, ExactDiagram, polygon_moments
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

import geomot
from geomot import PowerDiagram, Samples, UniformBox, UniformPolygon
from geomot._validation import as_threads
from geomot.diagram import Cells, Facets

pytestmark = pytest.mark.usefixtures("silent")
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
            ([[0.5, 0.5, 0.5, 0.5]],),
            r"sites must have 1, 2 or 3 columns for exact diagrams, got shape \(1, 4\)",
        ),
        (([[0.5, 0.5]], [1.0, 2.0]), r"weights must have shape \(1,\) or \(1, 2\), got \(2,\)"),
        (([[0.5, 0.5]], None, UniformBox.unit(3)), "source must have dimension 2, got 3"),
        (([[0.5, 0.5]], None, Samples(np.eye(2))), "source must be .* for exact diagrams"),
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


SQ = UNIT_SQUARE


def areas(diagram):
    return diagram.masses * diagram.source.area


@pytest.mark.parametrize("site", [(0.3, 0.6), (1e6, -1e6)])
def test_one_site(site):
    d = build([site], [123.0], SQ)
    assert d.masses[0] == 1.0
    assert areas(d)[0] == 1.0
    np.testing.assert_allclose(d.centroids[0], (0.5, 0.5), rtol=0, atol=1e-15)
    area, _, second = polygon_moments(d.cells[0])
    assert area == 1.0
    assert abs(second - 2 / 3) <= 1e-15
    x, y = site
    cost = 1 / 6 + (x - 0.5) ** 2 + (y - 0.5) ** 2
    assert abs(d.costs[0] - cost) <= 1e-15 * max(1.0, cost)
    assert len(d.facets.measures) == 0


@pytest.mark.parametrize("n", [16, 64, 100, 180, 200, 256])
def test_square_lattices(n):
    i, j = np.divmod(np.arange(n * n), n)
    d = build(np.column_stack([(i + 0.5) / n, (j + 0.5) / n]), np.zeros(n * n), SQ)
    np.testing.assert_allclose(areas(d), 1 / n**2, rtol=1e-12)
    assert abs(fsum(d.masses) - 1) <= 1e-14
    long = d.facets.measures > 1e-9 / n
    degree = np.bincount(d.facets.sites[long].ravel(), minlength=n * n)
    interior = (i > 0) & (i < n - 1) & (j > 0) & (j < n - 1)
    assert (degree[interior] == 4).all()
    assert (d.facets.measures[long] > 0.9 / n).all()


@pytest.mark.parametrize(
    ("c", "area"),
    [
        (0, 1),
        (-0.5, 0.25),
        (-1 + 2**-20, 2.0**-40),
        (-1 + 2**-40, 2.0**-80),
        (-1, 0),
        (-1 - 2**-40, 0),
    ],
)
def test_vanishing_hub(c, area):
    sites = [(1, 0), (0, 1), (-1, 0), (0, -1), (0, 0)]
    d = build(sites, [0, 0, 0, 0, c], 2 * (2 * SQ - 1))
    assert bool(d.empty[4]) == (area == 0)
    np.testing.assert_allclose(areas(d)[4], area, rtol=1e-12, atol=0)
    np.testing.assert_allclose(fsum(areas(d)), 16, rtol=1e-12)


@pytest.mark.parametrize("e", [10, 30, 50, None])
def test_vanishing_strip(e):
    width = 0.0 if e is None else 2.0**-e
    d = build([(0.25, 0.5), (0.5, 0.5), (0.75, 0.5)], [0, -1 / 16 + width, 0], SQ)
    assert bool(d.empty[1]) == (e is None)
    np.testing.assert_allclose(areas(d)[1], 4 * width, rtol=1e-6 if e == 50 else 1e-12, atol=0)


@pytest.mark.parametrize("c", [2.0**-10, 1.0, 2.0**10, 2.0**20])
def test_a_constant_added_to_weights_changes_nothing(c):
    sites = rng(21).integers(0, 2**20, (300, 2)) / 2**20
    weights = rng(22).integers(0, 2**10, 300) / 2**20
    assert ((weights + c) - c == weights).all()
    one, two = build(sites, weights, SQ), build(sites, weights + c, SQ)
    np.testing.assert_array_equal(one.empty, two.empty)
    np.testing.assert_allclose(two.masses, one.masses, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(one.facets.sites, two.facets.sites)
    first = solve(sites, initial_weights=weights)
    second = solve(sites, initial_weights=weights + c)
    assert first.n_iter == second.n_iter


def test_order_of_sites_changes_nothing():
    sites, weights = rng(0).random((500, 2)), 0.01 * rng(1).random(500)
    p = rng(2).permutation(500)
    one, two = build(sites, weights, SQ), build(sites[p], weights[p], SQ)
    np.testing.assert_allclose(two.masses, one.masses[p], rtol=1e-13, atol=0)
    edges = {tuple(sorted(pair)) for pair in p[two.facets.sites].tolist()}
    assert edges == set(map(tuple, one.facets.sites.tolist()))


@pytest.mark.parametrize(
    ("offset", "side"),
    [((1e8, 1e8), 1.0), ((1e6, -3e7), 1.0), ((1e12, 1e12), 2.0**10)],
)
def test_domains_far_from_the_origin(offset, side):
    sites = side * rng(0).random((60, 2)) + offset
    polygon = side * SQ + offset
    d = build(sites, np.zeros(60), polygon)
    exact = ExactDiagram(sites, None, polygon)
    compare(d, exact)
    np.testing.assert_allclose(fsum(areas(d)), side**2, rtol=1e-12)


def test_sites_outside_the_domain():
    sites = [(10.25, 0.5), (10.75, 0.5)]
    assert build(sites, [0, 0], SQ).masses.tolist() == [1.0, 0.0]
    np.testing.assert_allclose(build(sites, [5, 15], SQ).masses, 0.5, rtol=1e-15)
    far = [(1e6 + 0.25, 0.5), (1e6 + 0.75, 0.5)]
    np.testing.assert_allclose(build(far, [0, 1e6], SQ).masses, 0.5, rtol=0, atol=1e-9)


def _spellings():
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    yield "clockwise", corners[::-1]
    yield "closed", [*corners, corners[0]]
    yield "clockwise and closed", [*corners, corners[0]][::-1]
    yield "repeated vertex", [corners[0], corners[0], *corners[1:], corners[3]]
    yield "collinear vertices", [(0, 0), (0.25, 0), (0.5, 0), (1, 0), (1, 1), (0, 1)]
    yield "collinear at the ends", [(0.5, 0), (1, 0), (1, 1), (0, 1), (0, 0), (0.25, 0)]
    for k in range(4):
        yield f"from vertex {k}", corners[k:] + corners[:k]
    yield "integers", np.array(corners)
    yield "floats", np.array(corners, dtype=float)
    yield "nested lists", [list(c) for c in corners]


@pytest.mark.parametrize(("name", "vertices"), list(_spellings()))
def test_spelling_of_the_domain_changes_nothing(name, vertices):
    sites = rng(0).random((100, 2))
    clean = build(sites, None, geomot.UniformPolygon(SQ))
    for source in (vertices, geomot.UniformPolygon(vertices)):
        d = build(sites, None, source)
        np.testing.assert_allclose(d.masses, clean.masses, rtol=1e-14, atol=0)
        assert d.source.area == 1.0


@pytest.mark.parametrize("k", [-100, -30, 30, 100])
def test_scaling_by_a_power_of_two(k):
    sites = np.concatenate([rng(0).random((200, 2)), rng(1).integers(0, 8, (100, 2)) / 8])
    weights = np.column_stack([0.01 * rng(2).random(300), 1e-19 * rng(3).random(300)])
    s = 2.0**k
    one = build(sites, weights, SQ)
    two = build(s * sites, s * s * weights, s * SQ)
    for name, factor in (("masses", 1.0), ("empty", 1), ("centroids", s), ("costs", s * s)):
        value = getattr(one, name)
        np.testing.assert_array_equal(getattr(two, name), value * factor if factor != 1 else value)
    np.testing.assert_array_equal(two.facets.sites, one.facets.sites)
    np.testing.assert_array_equal(two.facets.measures, one.facets.measures / s)
    np.testing.assert_array_equal(two.cells.vertices, s * one.cells.vertices)
    np.testing.assert_array_equal(two.cells.labels, one.cells.labels)
    np.testing.assert_array_equal(two.cells.indices, one.cells.indices)
    np.testing.assert_array_equal(two.vertices, s * one.vertices)
    np.testing.assert_array_equal(two.triangulation, one.triangulation)
    np.testing.assert_array_equal(two.hessian().data, one.hessian().data / (s * s))
    points = rng(4).random((100, 2))
    np.testing.assert_array_equal(two.locate(s * points), one.locate(points))


@pytest.mark.parametrize("n", [300, 30000])
def test_threads_change_no_bit(n):
    sites = np.concatenate([rng(0).random((n, 2)), rng(1).integers(0, 64, (n // 3, 2)) / 64])
    weights = 0.3 / n * rng(2).random(len(sites))
    points = rng(3).random((1000, 2))
    one = geomot.PowerDiagram(sites, weights, SQ, threads=1)
    for threads in (1, 2, 8, None):
        two = geomot.PowerDiagram(sites, weights, SQ, threads=threads)
        for name in ("masses", "centroids", "costs", "empty", "triangulation"):
            assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name
        assert one.facets.sites.tobytes() == two.facets.sites.tobytes()
        assert one.facets.measures.tobytes() == two.facets.measures.tobytes()
        assert one.cells.vertices.tobytes() == two.cells.vertices.tobytes()
        assert one.cells.indices.tobytes() == two.cells.indices.tobytes()
        np.testing.assert_array_equal(one.locate(points), two.locate(points))


def thousand_sites():
    return rng(0).random((1000, 2)), 0.005 * rng(1).random(1000)


def sixty_sites():
    return rng(0).random((60, 2)), 0.02 * rng(1).random(60), np.full(60, 1 / 60)


def test_moments_of_cells_add_up_to_those_of_the_domain():
    sites, weights = thousand_sites()
    d = build(sites, weights, SQ)
    alive = ~d.empty
    m, c = d.masses[alive], d.centroids[alive]
    np.testing.assert_allclose([fsum(m * c[:, 0]), fsum(m * c[:, 1])], 0.5, rtol=0, atol=1e-13)
    moments = [polygon_moments(d.cells[i]) for i in np.flatnonzero(alive)]
    second = np.array([s for _, _, s in moments])
    assert abs(fsum(second) - 2 / 3) <= 1e-13
    y = sites[alive]
    from_moments = second - 2 * m * (y * c).sum(axis=1) + m * (y * y).sum(axis=1)
    assert abs(fsum(from_moments) - fsum(d.costs)) <= 1e-13
    exact = ExactDiagram(sites, weights)
    assert abs(fsum(exact.costs) - fsum(d.costs)) <= 1e-13
    compare(d, exact)


def test_masses_are_the_gradient_of_the_dual_value():
    sites, weights, nu = sixty_sites()
    d = build(sites, weights, SQ)
    gradient = nu - d.masses
    worst = {}
    for h in (1e-4, 1e-5):
        fd = np.empty(60)
        for i in range(60):
            step = np.zeros(60)
            step[i] = h
            up = build(sites, weights + step, SQ).kantorovich(nu)
            down = build(sites, weights - step, SQ).kantorovich(nu)
            fd[i] = (up - down) / (2 * h)
        worst[h] = np.abs(fd - gradient).max()
    assert worst[1e-5] <= 1e-7
    # K is piecewise cubic: the error of a central difference is quadratic in h.
    assert 80 <= worst[1e-4] / worst[1e-5] <= 125
    np.testing.assert_allclose(
        d.kantorovich(nu), ExactDiagram(sites, weights).kantorovich(nu), rtol=1e-13
    )


def test_hessian_is_the_derivative_of_the_masses():
    sites, weights, _ = sixty_sites()
    d = build(sites, weights, SQ)
    assert np.count_nonzero(~d.empty) == 46
    # dm/dw is half the Hessian in heights.
    h = 0.5 * d.hessian().toarray()
    fd = np.empty((60, 60))
    for i in range(60):
        step = np.zeros(60)
        step[i] = 1e-5
        up, down = build(sites, weights + step, SQ), build(sites, weights - step, SQ)
        fd[:, i] = (up.masses - down.masses) / 2e-5
    assert np.abs(fd - h).max() <= 1e-9
    assert np.abs(h - h.T).max() <= 1e-13
    assert np.abs(h.sum(axis=1)).max() <= 1e-13
    assert not h[d.empty].any() and not h[:, d.empty].any()
    assert np.linalg.eigvalsh(h).min() >= -1e-12
    part = h[np.ix_(~d.empty, ~d.empty)]
    components, _ = connected_components(part)
    assert components == 1
    assert np.count_nonzero(np.abs(np.linalg.eigvalsh(part)) < 1e-12) == components


def test_hessian_closed_forms():
    d = build([(0.25, 0.5), (0.75, 0.5)], None, SQ)
    assert d.hessian().toarray()[0, 1] / 2 == -1.0
    for n in (2, 3, 10):
        x = (np.arange(n) + 0.5) / n
        h = build(np.column_stack([x, np.full(n, 0.5)]), None, SQ).hessian().toarray() / 2
        expected = np.zeros((n, n))
        for i in range(n - 1):
            expected[i, i + 1] = expected[i + 1, i] = -n / 2
        expected -= np.diag(expected.sum(axis=1))
        np.testing.assert_allclose(h, expected, rtol=1e-13, atol=0)


def test_concavity_and_monotonicity():
    r = rng(29)
    nu = np.full(50, 1 / 50)
    for _ in range(40):
        sites = r.random((50, 2))
        scale = 10.0 ** -r.integers(0, 5)
        one, two = scale * r.standard_normal((2, 50))
        diagrams = [build(sites, w, SQ) for w in (one, two, (one + two) / 2)]
        k1, k2, middle = (d.kantorovich(nu) for d in diagrams)
        # Values of size `scale` are rounded to their own last place.
        assert middle >= (k1 + k2) / 2 - 1e-14 * max(1.0, scale)
        for d in diagrams:
            c, y = d.centroids[~d.empty], sites[~d.empty]
            products = ((c[:, None] - c[None]) * (y[:, None] - y[None])).sum(axis=2)
            assert products.min() >= -1e-15


def _shapes():
    t = rng(57).random(50)
    angle = 2 * np.pi * np.arange(64) / 64
    edge = np.concatenate([np.column_stack([t[:12], np.zeros(12)]), [(1, 0.3), (0, 0.7), (0.4, 1)]])
    yield "one", np.array([(0.3, 0.6)])
    yield "two", np.array([(0.3, 0.6), (0.8, 0.1)])
    yield "three collinear", np.array([(0.25, 0.25), (0.5, 0.5), (0.75, 0.75)])
    yield "vertical", np.column_stack([np.full(50, 0.5), t])
    yield "horizontal", np.column_stack([t, np.full(50, 0.5)])
    yield "on the boundary", edge
    yield "corners", SQ.copy()
    yield "cocircular", 0.5 + 0.4 * np.column_stack([np.cos(angle), np.sin(angle)])
    yield "all equal", np.tile([0.3, 0.6], (64, 1))


@pytest.mark.parametrize(("name", "sites"), list(_shapes()), ids=[s[0] for s in _shapes()])
def test_small_shapes(name, sites):
    compare(build(sites, None, SQ), ExactDiagram(sites))
    weights = 0.01 * rng(1).random(len(sites))
    compare(build(sites, weights, SQ), ExactDiagram(sites, weights))
    s = solve(sites)
    assert s.converged


class _Subclass(np.ndarray):
    pass


def _layouts(tmp_path):
    y = rng(0).random((200, 2))
    big = np.zeros((400, 2))
    big[::2] = y
    columns = np.zeros((200, 5))
    columns[:, [1, 3]] = y
    frozen = y.copy()
    frozen.setflags(write=False)
    path = tmp_path / "sites.npy"
    np.save(path, y)
    buffer = b"\0" + y.tobytes()
    unaligned = np.frombuffer(buffer, dtype=np.uint8)[1:].view(np.float64).reshape(200, 2)
    assert not unaligned.flags.aligned
    yield "Fortran", np.asfortranarray(y)
    yield "strided", big[::2]
    yield "reversed", y[::-1].copy()[::-1]
    yield "columns", columns[:, 1:4:2]
    yield "read-only", frozen
    yield "memory map", np.load(path, mmap_mode="r")
    yield "byte-swapped", y.astype(">f8")
    yield "unaligned", unaligned
    yield "lists", y.tolist()
    yield "tuples", tuple(map(tuple, y.tolist()))
    yield "subclass", y.view(_Subclass)


def test_array_layouts_change_nothing(tmp_path):
    y, w = rng(0).random((200, 2)), 1e-3 * rng(1).random(200)
    reference, solved = diagram_bits(build(y, w, SQ)), solve(y)
    for name, sites in _layouts(tmp_path):
        assert diagram_bits(build(sites, w, SQ)) == reference, name
        with unchanged(sites):
            again = geomot.solve(sites)
        assert again.weights_exact.tobytes() == solved.weights_exact.tobytes(), name
    for weights in (w.tolist(), w.astype(">f8"), np.repeat(w, 2)[::2], w.view(_Subclass)):
        assert diagram_bits(build(y, weights, SQ)) == reference
        np.testing.assert_array_equal(
            geomot.solve(y, initial_weights=weights).weights_exact,
            geomot.solve(y, initial_weights=w).weights_exact,
        )
    nu = np.full(200, 1 / 200)
    for masses in (nu.tolist(), nu.astype(">f8"), np.repeat(nu, 2)[::2]):
        again = geomot.solve(y, masses)
        assert again.weights_exact.tobytes() == geomot.solve(y, nu).weights_exact.tobytes()
    for source in (SQ.tolist(), SQ.astype(int), np.asfortranarray(SQ), SQ.astype(">f8")):
        assert diagram_bits(build(y, w, source)) == reference


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int64, np.int32, np.uint8])
def test_other_numbers_are_converted_exactly(dtype):
    y = rng(0).random((200, 2)) * (100 if np.issubdtype(dtype, np.integer) else 1)
    y = y.astype(dtype)
    wide = y.astype(float)
    assert diagram_bits(build(y, None, 100 * SQ)) == diagram_bits(build(wide, None, 100 * SQ))
    one, two = solve(y, None, 100 * SQ), solve(wide, None, 100 * SQ)
    assert one.weights_exact.tobytes() == two.weights_exact.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["identical x", "sorted"])
def test_a_million_on_a_line(shape):
    n = 10**6
    x = np.full(n, 0.5) if shape == "identical x" else np.sort(rng(1).random(n))
    sites = np.column_stack([x, np.sort(rng(0).random(n))])
    d = geomot.PowerDiagram(sites)
    assert abs(fsum(d.masses) - 1) <= 1e-12
    if shape == "identical x":
        assert len(d.facets.measures) == np.count_nonzero(~d.empty) - 1


# The peak is that of the process's own memory: ru_maxrss also counts the parent's before exec.
_BIG = """
import re
from math import fsum
from pathlib import Path
import numpy as np
import geomot
n = {n}
sites = np.random.default_rng(0).random((n, 2))
weights = 1e-7 * np.random.default_rng(1).random(n)
d = geomot.PowerDiagram(sites, weights, threads=1)
masses = d.masses
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(abs(fsum(masses) - 1), int(peak) * 1024)
"""


def _big_diagram(n):
    done = subprocess.run(
        [sys.executable, "-c", _BIG.format(n=n)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(geomot.__file__).parents[1],
    )
    assert done.stderr == ""
    error, peak = map(float, done.stdout.split())
    assert error <= 1e-12
    assert peak <= 2**30


@linux
def test_memory_of_a_big_diagram():
    _big_diagram(10**5)


@linux
@pytest.mark.slow
def test_memory_of_a_diagram_of_a_million():
    _big_diagram(10**6)


# ---- what is meant otherwise ----


def test_masses_are_no_weights():
    sites = np.random.default_rng(0).random((20, 2))
    masses = np.random.default_rng(1).dirichlet(np.ones(20))
    with pytest.warns(UserWarning, match="weights holds positive numbers that sum to 1"):
        PowerDiagram(sites, masses)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PowerDiagram(sites, masses - masses.mean())


def test_sites_outside_the_default_source():
    towns = 100.0 * np.random.default_rng(0).random((20, 2)) + 1.0
    with pytest.warns(
        UserWarning, match="no row of sites lies in the unit box, the default source"
    ):
        PowerDiagram(towns)
    with pytest.warns(
        UserWarning, match="no row of sites lies in the unit box, the default source"
    ):
        geomot.solve(towns)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PowerDiagram(towns, source=geomot.UniformBox([0.0, 0.0], [101.0, 101.0]))
