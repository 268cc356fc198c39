"""Hilbert order, sorting, and coincident sites."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from geomot._core.order import _as_keys, _ranks, _sorted_by
from geomot._power import coincident, hilbert_order


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


def test_hilbert_curve_visits_a_cube_in_unit_steps():
    n = 16
    cube = np.stack(np.meshgrid(*3 * [np.arange(n, dtype=float)]), axis=-1).reshape(-1, 3)
    order, keys = hilbert_order(cube / n)
    assert len(np.unique(keys)) == n**3
    assert_array_equal(np.abs(np.diff(cube[order], axis=0)).sum(axis=1), 1.0)


def test_coincident_points_in_space():
    points = np.random.default_rng(0).random((100, 3))
    points[[3, 50, 70]] = points[20]
    points[4] = points[20] + [0.0, 0.0, 1e-16]  # another place, the same cell of the grid
    order, keys = hilbert_order(points)
    members, starts = coincident(points[order], keys)
    groups = [set(order[members[a:b]].tolist()) for a, b in zip(starts, starts[1:], strict=False)]
    assert groups == [{3, 20, 50, 70}]
