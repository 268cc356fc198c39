"""The compiled door: order, insertion, Laplacian; diagrams themselves are tested by the cases."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from geomot._power import PlaneSites, coincident, hilbert_order, laplacian

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


def test_hub_cut_by_the_border_takes_linear_time():
    # every neighbour once looked at every side: 40000 of them took 5 s, now less than 0.2
    n, radius, weight = 40000, 0.7, 0.28
    angle = 2.0 * np.pi * np.arange(n) / n
    circle = 0.5 + radius * np.column_stack([np.cos(angle), np.sin(angle)])
    sites, weights = np.vstack([[(0.5, 0.5)], circle]), np.zeros(n + 1)
    weights[0] = weight
    began = time.process_time()
    hub = PlaneSites(sites, BOX).diagram(weights).masses[0]
    assert time.process_time() - began < 2.0
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


def test_domain_lost_beside_its_sites_is_refused():
    with pytest.raises(ValueError, match="sites must not be"):
        PlaneSites(np.array([(1e40, 0.0)]), BOX)
