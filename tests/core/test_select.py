"""The largest entries of rows."""

from __future__ import annotations

import numpy as np
import pytest

from geomot._core.select import largest


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 5), (31, 3), (32, 32), (33, 1), (1000, 40)])
def test_largest_entries(n, k):
    r = rng(n)
    for table in (
        r.standard_normal((20, n), dtype=np.float32),
        r.integers(0, 4, (20, n)).astype(np.float32),  # many equals
        np.sort(r.standard_normal((3, n)).astype(np.float32), axis=1),
    ):
        index, value = largest(table, k)
        order = np.argsort(-table, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(index, order)
        np.testing.assert_array_equal(value, np.take_along_axis(table, order, axis=1))


@pytest.mark.parametrize("k", [0, 4])
def test_largest_entries_of_too_few(k):
    with pytest.raises(ValueError, match="k must lie between 1 and 3"):
        largest(np.zeros((2, 3), dtype=np.float32), k)
