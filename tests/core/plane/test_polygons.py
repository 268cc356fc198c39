"""Corners on which all cells agree: equal points, crossed edges, contracted edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from geomot._core.plane.polygons import contracted, first_equal, linked, unsound


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
