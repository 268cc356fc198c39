"""The compiled door: order, insertion, Laplacian; diagrams themselves are tested by the cases."""

from __future__ import annotations

import threading
import time
import warnings
from fractions import Fraction

import numpy as np
import pytest
from effort import growth
from geomot._core.order import _as_keys, _ranks, _sorted_by
from geomot._core.plane.polygons import contracted, first_equal, linked, unsound
from numpy.testing import assert_allclose, assert_array_equal
from oracles import ExactDiagram

from geomot._core.interrupt import _look
from geomot._core.laplacian import laplacian
from geomot._power import PlaneSites, coincident, hilbert_order
from geomot._threads import run_chunks

BOX = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


def test_hilbert_curve_visits_a_grid_in_unit_steps():
    n = 32
    grid = np.array([(i, j) for i in range(n) for j in range(n)], dtype=float)
    order, keys = hilbert_order(grid / n)
    assert len(np.unique(keys)) == n * n
    assert_array_equal(np.abs(np.diff(grid[order], axis=0)).sum(axis=1), 1.0)


def test_hilbert_order_resolves_clusters_far_below_the_extent():
    cluster = 1e-12 * np.random.default_rng(0).random((1000, 2))
    order, _ = hilbert_order(np.vstack([cluster, [[1.0, 1.0]]]))
    inside = order[order < 1000]
    path = np.sqrt((np.diff(cluster[inside], axis=0) ** 2).sum(axis=1)).sum()
    assert path < 1e-12 * 60  # a random order is some 500 extents long


@pytest.mark.parametrize("n", [0, 1, 2, 64, 65, 1000, 300_000])
@pytest.mark.parametrize("bits", [1, 11, 12, 42, 64])
def test_radix_sort_is_stable(n, bits):
    keys = np.random.default_rng(n).integers(0, 2**bits, n, dtype=np.uint64)
    order, ordered = _sorted_by(keys, bits)
    assert_array_equal(order, np.argsort(keys, kind="stable"))
    assert_array_equal(ordered, np.sort(keys), strict=True)


def test_keys_have_the_order_of_doubles():
    x = np.array([-1e300, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, np.nextafter(1.0, 2.0), 1e300])
    keys = _as_keys(x)
    assert (np.diff(keys.astype(object)) > 0).tolist() == (np.diff(x) > 0).tolist()
    assert_array_equal(_ranks(x[::-1]), [7, 6, 5, 4, 3, 3, 2, 1, 0])


def test_coincident_groups_every_location_met_twice():
    rng = np.random.default_rng(1)
    points = rng.integers(0, 5, (60, 2)) / 4.0
    order, keys = hilbert_order(points)
    members, starts = coincident(points[order], keys)
    found = {
        frozenset(order[members[a:b]].tolist())
        for a, b in zip(starts[:-1], starts[1:], strict=True)
    }
    expected = {}
    for i, p in enumerate(points):
        expected.setdefault(tuple(p), set()).add(i)
    assert found == {frozenset(g) for g in expected.values() if len(g) > 1}


@pytest.mark.parametrize("share", [0.5, 1e-3, 1e-9])
def test_insertion_gives_the_wanted_mass_to_a_site_alone(share):
    rng = np.random.default_rng(2)
    sites, weights = rng.random((200, 2)), 1e-3 * rng.random(200)
    diagram = PlaneSites(sites, BOX).diagram(weights)
    fresh = np.vstack([rng.random((25, 2)), 3.0 * rng.random((5, 2)) - 1.0])
    target = np.full(30, share / 200)
    raised = diagram.insert(fresh, target)
    for k in range(30):
        together = PlaneSites(np.vstack([sites, fresh[k]]), BOX).diagram(
            np.append(weights, raised[k, 0]), np.append(np.zeros(200), raised[k, 1])
        )
        assert 0.99 * target[k] <= together.masses[-1] <= 1.01 * target[k]


def test_insertion_far_from_the_vertex_where_the_walk_ends():
    # Seen from there the cell between twins is off by 1e-17, in a weight that needs 1e-21.
    x, third = 0.00048828125, 1 / 3
    sites = np.array(
        [
            (0.00033, 0.83333),
            (0.00016, 0.833),
            (x, 0.8333333333333331),
            (x, 0.8333333333333334),
            (0.00065, 1),
            (0.00048828, 2 * third),
            (0.00065, 0.5),
        ]
    )
    weights = np.array(
        [
            -0.00038,
            -0.00014,
            -0.0006796679862968248,
            -0.0006796679862967813,
            -0.015,
            -0.00811,
            0.024,
        ]
    )
    twin = np.array([(0.00048828124999999973, 0.8333333333333336)])
    raised = PlaneSites(sites, BOX).diagram(weights).insert(twin, np.array([6e-8]))
    together = PlaneSites(np.vstack([sites, twin]), BOX).diagram(
        np.append(weights, raised[0, 0]), np.append(np.zeros(7), raised[0, 1])
    )
    assert 0.99 * 6e-8 <= together.masses[-1] <= 1.01 * 6e-8


def test_insertion_of_mass_zero_touches():
    rng = np.random.default_rng(3)
    sites, weights = rng.random((50, 2)), np.zeros(50)
    fresh = rng.random((20, 2))
    touching = PlaneSites(sites, BOX).diagram(weights).insert(fresh, np.zeros(20))
    for k in range(20):
        both = PlaneSites(np.vstack([sites, fresh[k]]), BOX)
        below, above = (
            both.diagram(np.append(weights, touching[k, 0] + change)) for change in (-1e-12, 1e-12)
        )
        assert below.empty[-1]
        assert 0.0 < above.masses[-1] < 1e-12


def test_crowded_sites_inserted_together_all_keep_a_cell():
    # areas met to within a factor only let neighbours 1e-9 apart bury one another
    rng = np.random.default_rng(7)
    sites = rng.random((100, 2))
    crowd = sites[3] + 1e-9 * rng.random((12, 1)) * (0.6, 0.8) + 1e-7
    diagram = PlaneSites(sites, BOX).diagram(np.zeros(100))
    raised = diagram.insert(crowd, np.full(12, 1e-3))
    both = PlaneSites(np.vstack([sites, crowd]), BOX).diagram(
        np.append(np.zeros(100), raised[:, 0]), np.append(np.zeros(100), raised[:, 1])
    )
    assert not both.empty[100:].any()


def test_insertion_leaves_out_the_site_it_replaces():
    rng = np.random.default_rng(4)
    sites, weights = rng.random((100, 2)), np.zeros(100)
    weights[:5] = -0.1
    diagram = PlaneSites(sites, BOX).diagram(weights)
    hidden = np.flatnonzero(diagram.empty)
    assert hidden.size
    raised = diagram.insert(sites[hidden], np.full(hidden.size, 1e-3), hidden)
    for i, (hi, lo) in zip(hidden, raised, strict=True):
        changed, low = weights.copy(), np.zeros(100)
        changed[i], low[i] = hi, lo
        mass = PlaneSites(sites, BOX).diagram(changed, low).masses[i]
        assert 0.99e-3 <= mass <= 1.01e-3


def test_insertion_beside_a_hub_meets_the_wanted_mass():
    # measured against the hub's first neighbours, wherever they lie, masses were 50 times too small
    n = 5000
    angle = 2.0 * np.pi * np.arange(n) / n
    circle = 0.5 + 0.3 * np.column_stack([np.cos(angle), np.sin(angle)])
    sites, weights = np.vstack([circle, [(0.5, 0.5)]]), np.append(np.zeros(n), 0.05)
    plane = PlaneSites(sites, BOX)
    turn = np.random.default_rng(8).random(30) * 2.0 * np.pi
    fresh = 0.5 + 0.38 * np.column_stack([np.cos(turn), np.sin(turn)])
    raised = plane.diagram(weights).insert(fresh, np.full(30, 1e-9))
    for k in range(30):
        together = PlaneSites(np.vstack([sites, fresh[k]]), BOX).diagram(
            np.append(weights, raised[k, 0]), np.append(np.zeros(n + 1), raised[k, 1])
        )
        assert 0.99e-9 <= together.masses[-1] <= 1.01e-9


def test_insertion_around_a_hub_takes_linear_time():
    def insert(n):
        angle = 2.0 * np.pi * np.arange(n) / n
        circle = 0.5 + 0.3 * np.column_stack([np.cos(angle), np.sin(angle)])
        diagram = PlaneSites(np.vstack([circle, [(0.5, 0.5)]]), BOX).diagram(
            np.append(np.zeros(n), 0.05)
        )
        fresh = 0.5 + 0.3 * (np.random.default_rng(0).random((n, 2)) - 0.5)
        diagram.insert(fresh, np.full(n, 1e-8))

    # with the hub's cell anew for every point it is 16
    assert growth(insert, 5000) < 8


def test_insertion_does_not_depend_on_threads():
    rng = np.random.default_rng(5)
    diagram = PlaneSites(rng.random((3000, 2)), BOX).diagram(np.zeros(3000))
    fresh, target = rng.random((20000, 2)), np.full(20000, 1e-5)
    assert_array_equal(
        diagram.insert(fresh, target), diagram.insert(fresh, target, threads=2), strict=True
    )


def test_laplacian_is_the_dense_one():
    rng = np.random.default_rng(6)
    n = 40
    upper = np.triu(rng.random((n, n)) < 0.2, 1)
    edges = np.ascontiguousarray(np.argwhere(upper))
    conductance = rng.random(len(edges))
    dense = np.zeros((n, n))
    dense[tuple(edges.T)] = dense[tuple(edges.T[::-1])] = -conductance
    dense -= np.diag(dense.sum(axis=1))
    data, indices, indptr = laplacian(n, edges, conductance)
    rebuilt = np.zeros((n, n))
    for i in range(n):
        row = slice(indptr[i], indptr[i + 1])
        assert (np.diff(indices[row]) > 0).all()
        rebuilt[i, indices[row]] = data[row]
    assert_allclose(rebuilt, dense, rtol=1e-15, atol=1e-15)


def test_wrong_lengths_are_refused():
    plane = PlaneSites(np.random.default_rng(0).random((5, 2)), BOX)
    with pytest.raises(ValueError, match=r"weights must have shape \(5,\), got \(4,\)"):
        plane.diagram(np.zeros(4))
    with pytest.raises(ValueError, match=r"weights_low must have shape \(5,\), got \(6,\)"):
        plane.diagram(np.zeros(5), np.zeros(6))


def _hub_beyond_the_border(n, radius, weight):
    angle = 2.0 * np.pi * np.arange(n) / n
    circle = 0.5 + radius * np.column_stack([np.cos(angle), np.sin(angle)])
    sites, weights = np.vstack([[(0.5, 0.5)], circle]), np.zeros(n + 1)
    weights[0] = weight
    return sites, weights


def test_hub_cut_by_the_border_takes_linear_time():
    def build(n):
        sites, weights = _hub_beyond_the_border(n, 0.7, 0.28)
        return PlaneSites(sites, BOX).diagram(weights).masses

    # every neighbour once looked at every side
    assert growth(build, 10000) < 8


def test_hub_cut_by_the_border():
    n, radius, weight = 40000, 0.7, 0.28
    sites, weights = _hub_beyond_the_border(n, radius, weight)
    hub = PlaneSites(sites, BOX).diagram(weights).masses[0]
    # a disk without the four segments beyond the square
    r = (radius + weight / radius) / 2.0
    beyond = np.sqrt(r * r - 0.25)
    segment = r * r * np.arccos(0.5 / r) - 0.5 * beyond
    assert_allclose(hub, np.pi * r * r - 4.0 * segment, rtol=1e-7)


def test_tiny_coordinates_are_zero():
    # without the flush, determinants of 1e-120 underflow and emptiness goes wrong
    sites = np.array([(0.0, 0.25), (0.0, 0.5), (0.25, 0.25), (0.75, 1e-120), (0.5, 2e-120)])
    plain = PlaneSites(np.where(sites < 1e-100, 0.0, sites), BOX).diagram(np.zeros(5))
    tiny = PlaneSites(sites, BOX).diagram(np.zeros(5))
    assert_array_equal(plain.masses, tiny.masses, strict=True)


def test_weights_beyond_the_range_of_exact_arithmetic_are_refused():
    plane = PlaneSites(2.0**-250 * np.random.default_rng(0).random((3, 2)), 2.0**-250 * BOX)
    with pytest.raises(ValueError, match="weights must not exceed"):
        plane.diagram(np.array([2.0**303, 0.0, 0.0]))
    assert plane.diagram(np.array([2.0**301, 0.0, 0.0])).masses.tolist() == [1.0, 0.0, 0.0]


def test_a_domain_with_an_edge_far_below_its_size():
    # beside the centre the edge at the origin rounds to one point: its normal was 0 / 0
    e = 2.0**-60
    domain = np.array([(0.0, 0.0), (e, -e / 4), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    sites = np.random.default_rng(0).random((30, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagram = PlaneSites(sites, domain).diagram(np.zeros(30))
        corners, offsets, indices, _ = diagram.cells()
    assert_allclose(diagram.masses, ExactDiagram(sites, None, domain).masses, rtol=1e-12)
    assert {tuple(p) for p in domain} <= {tuple(p) for p in corners[indices[: offsets[-1]]]}


def _locate_near_the_origin(sites, points):
    """By integers: |q - a|^2 compared for all sites."""
    found = []
    for x, y in points.tolist():
        power = [
            (Fraction(x) - Fraction(a)) ** 2 + (Fraction(y) - Fraction(b)) ** 2
            for a, b in sites.tolist()
        ]
        found.append(power.index(min(power)))
    return found


@pytest.mark.parametrize("e", [0, 50, 100, 199])
def test_locate_is_exact_for_points_next_to_a_border(e):
    # Down to the smallest double: products with sites 2^-100 apart used to underflow.
    u = 2.0**-e
    size = 2.0 ** -np.array([0, 1, 2, 49, 51, 99, 101, 200, 699, 700, 701, 702, 975, 1021, 1074])
    plane = np.column_stack([np.append(size, -size), np.zeros(2 * len(size))])
    # the borders of the three kinds of sites below: x = 0, x = y, x = u / 2
    points = np.vstack([plane, plane + (0, 0.3), plane[:, ::-1], plane + (u / 2, 0)])
    for sites in ([(u, 0), (-u, 0)], [(u, -u), (-u, u)], [(0, 0), (u, 0), (0, u)]):
        sites = np.array(sites, dtype=float)
        diagram = PlaneSites(sites, 2.0 * BOX - 1.0).diagram(np.zeros(len(sites)))
        assert diagram.locate(points).tolist() == _locate_near_the_origin(sites, points)


def test_locate_is_exact_for_far_points():
    size = 2.0 ** np.array([50, 100, 101, 300, 700, 701, 999])
    plane = np.vstack([np.column_stack([size, size]), np.column_stack([-size, size])])
    points = np.vstack([plane, plane * (1, 1 + 2.0**-52), plane * (2.0**-1050, 1)])
    sites = np.array([(1.0, -1.0), (-1.0, 1.0), (2.0, -2.0), (0.0, 1.0)])
    diagram = PlaneSites(sites, 4.0 * BOX - 2.0).diagram(np.zeros(4))
    assert diagram.locate(points).tolist() == _locate_near_the_origin(sites, points)


def test_locate_in_blocks_is_locate():
    rng = np.random.default_rng(9)
    diagram = PlaneSites(rng.random((50, 2)), BOX).diagram(np.zeros(50))
    points = rng.random((600_000, 2))
    found = diagram.locate(points)
    for part in (slice(0, 1000), slice(524_000, 525_000), slice(599_000, None)):
        assert_array_equal(diagram.locate(points[part]), found[part])


# ---- corners of the polygons ----


def test_sides_that_do_not_match_are_reported():
    start = np.array([0, 3, 6])
    across = np.array([1, -1, -2, -1, -2, 0], dtype=np.int32)
    assert_array_equal(linked(start, across), [5, -1, -1, -1, -1, 0])
    for wrong in ([-3, -1, -2, -1, -2, 0], [1, -1, -2, -1, -2, 1]):
        with pytest.raises(RuntimeError, match="disagree about being neighbours"):
            linked(start, np.array(wrong, dtype=np.int32))


def test_first_equal():
    points = np.random.default_rng(0).random((1000, 2))
    assert first_equal(points) is None
    assert first_equal(np.empty((0, 2))) is None
    repeated = np.vstack([[(-0.0, 1.0)], points, points[::2], [(0.0, 1.0)]])
    expected = np.concatenate([np.arange(1001), 1 + np.arange(0, 1000, 2), [0]])
    assert_array_equal(first_equal(repeated), expected)


SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]


@pytest.mark.parametrize(
    ("ring", "sound"),
    [
        (SQUARE, True),
        ([*SQUARE[:2], (0.9, 0.5), *SQUARE[2:]], True),  # a dent
        (SQUARE[::-1], False),
        ([(0, 0), (1, 0), (0, 1), (1, 1)], False),
        ([(0, 0), (1, 0), (0.5, 0), (1, 1)], False),  # there and back
        ([(0, 0), (1, 0), (2, 0)], False),
        ([(0, 0), (2, 0), (2, 2), (1, 0), (0, 2)], False),  # a corner on an edge
    ],
)
def test_unsound_polygons_are_found(ring, sound):
    points = np.array(ring, dtype=float)
    offsets, indices = np.array([0, 0, len(ring)]), np.arange(len(ring))
    for centre in ((0.5, 0.5), (5.0, 5.0), (np.nan, np.nan)):
        bad = unsound(points, offsets, indices, np.array([(np.nan, np.nan), centre]))
        assert bad.tolist() == ([] if sound else [1])


def test_the_shortest_edge_is_contracted_and_the_domain_keeps_its_corners():
    u = 2.0**-52
    points = np.array([(1, 1), (1, 1 + u), (1 + 4 * u, 1), (2, 2)], dtype=float)
    cells, offsets, indices = np.array([0]), np.array([0, 4]), np.arange(4)
    inner, border, corner = -2, -1, 7
    for kinds, kept in (
        ((inner, inner, inner, inner), [0, 0, 2, 3]),
        ((inner, border, inner, inner), [1, 1, 2, 3]),
        ((corner, border, inner, inner), [0, 0, 2, 3]),
        ((border, corner, inner, inner), [1, 1, 2, 3]),
        # two corners of the domain stay apart: the next short edge goes
        ((corner, corner, inner, inner), [0, 1, 1, 3]),
    ):
        kinds = np.array(kinds, dtype=np.int32)
        place = contracted(cells, points, offsets, indices, kinds, None)
        assert place.tolist() == kept
        # corners that are one already keep their numbers
        before = np.array([0, 1, 2, 3, 2])
        assert contracted(cells, points, offsets, indices, kinds, before).tolist() == (
            place[before].tolist()
        )
    square = np.array(SQUARE, dtype=float)
    assert contracted(cells, square, offsets, indices, kinds, None) is None


# ---- threads ----


def test_an_interrupt_of_the_caller_ends_the_chunks_of_others():
    entered, told = threading.Event(), threading.Event()

    def work(chunk):
        if threading.current_thread() is threading.main_thread():
            assert entered.wait(20)
            raise KeyboardInterrupt
        entered.set()
        limit = time.monotonic() + 60.0
        try:
            while time.monotonic() < limit:
                _look()
        except KeyboardInterrupt:
            told.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        run_chunks(work, 2, 2)
    assert told.is_set()
    _look()


def test_domain_lost_beside_its_sites_is_refused():
    with pytest.raises(ValueError, match="sites must not be"):
        PlaneSites(np.array([(1e40, 0.0)]), BOX)
