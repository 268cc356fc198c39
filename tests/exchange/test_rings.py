"""Closed curves as polygons with holes."""

from __future__ import annotations

import numpy as np

from geomot._exchange.rings import closed_curves, nested, simple_rings

SQUARE = np.array([(0, 0), (4, 0), (4, 4), (0, 4)], float)
HOLE = np.array([(1, 1), (1, 2), (2, 2), (2, 1)], float)


def as_sets(polygons):
    return [[frozenset(map(tuple, ring.tolist())) for ring in polygon] for polygon in polygons]


def test_a_hole_belongs_to_the_smallest_ring_around_it():
    island = HOLE[0] + 0.25 * (HOLE[::-1] - HOLE[0]) + 0.25
    pond = island[::-1].mean(axis=0) + 0.5 * (island[::-1] - island.mean(axis=0))
    far = SQUARE + [10.0, 0.0]
    expected = as_sets([[island, pond], [SQUARE, HOLE], [far]])
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        rings = [[SQUARE, HOLE, island, pond, far][k] for k in order]
        found = as_sets(nested(rings))
        assert sorted(map(str, map(len, found))) == ["1", "2", "2"]
        assert {frozenset(p) for p in found} == {frozenset(p) for p in expected}


def test_a_curve_through_a_corner_twice_is_two_rings():
    # two squares that touch in a corner, and a hole that touches the border
    twice = np.array([(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1)], float)
    assert sorted(as_sets(nested([twice])), key=str) == sorted(
        as_sets([[twice[[0, 1, 2, 7]]], [twice[2:6]]]), key=str
    )
    pinched = np.array([(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 2), (2, 1)], float)
    assert as_sets(nested([pinched])) == as_sets([[pinched[:4], pinched[4:]]])


def test_there_and_back_is_no_ring():
    spike = np.array([(0, 0), (1, 0), (2, 0), (1, 0), (1, 1)], float)
    assert as_sets([simple_rings(spike)]) == as_sets([[np.array([(0, 0), (1, 0), (1, 1)], float)]])
    assert nested([]) == []


def test_a_hole_that_touches_the_border_twice_cuts_the_region():
    outer = [(0, 0), (2, -1), (4, 0), (2, 1)]
    hole = [(0, 0), (2, 0.5), (4, 0), (2, -0.5)]
    place = dict(enumerate([*map(tuple, outer), (2, 0.5), (2, -0.5)]))
    edges = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 2), (2, 5), (5, 0)]
    assert [place[a] for a, _ in edges] == [*outer, *hole]
    for order in (edges, edges[::-1], edges[3:] + edges[:3]):
        curves = closed_curves(order, place)
        assert sorted(map(sorted, curves)) == [[0, 1, 2, 5], [0, 2, 3, 4]]
        polygons = nested([np.array([place[c] for c in curve]) for curve in curves])
        assert [len(polygon) for polygon in polygons] == [1, 1]


def test_a_hole_that_touches_the_border_once_is_a_hole():
    place = dict(enumerate([(0, 0), (4, 0), (4, 4), (0, 4), (1, 2), (2, 1)]))
    edges = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 5), (5, 0)]
    (curve,) = closed_curves(edges, place)
    (polygon,) = nested([np.array([place[c] for c in curve], float)])
    assert [len(ring) for ring in polygon] == [4, 3]
