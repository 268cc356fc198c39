"""Squared distances between clouds, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from geomot._validation import as_points

__all__ = ["distance_blocks", "two_clouds"]

FloatArray = NDArray[np.float64]

# Distances in memory at once: 32 MB.
_BLOCK = 2**22


def two_clouds(
    a: Any, b: Any, names: tuple[str, str] = ("a", "b"), least: int = 1
) -> tuple[FloatArray, FloatArray]:
    """Return two arrays of points in one space, of at least so many points each."""
    x = as_points(a, names[0])
    y = as_points(b, names[1], x.shape[1])
    for points, name in ((x, names[0]), (y, names[1])):
        if len(points) < least:
            raise ValueError(f"{name} must hold at least {least} points, got {len(points)}")
    return x, y


def distance_blocks(x: FloatArray, y: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Yield slices of rows of x, with their squared distances to all rows of y.

    Differences are squared and summed, not expanded: distances between near points are right, and
    the same in both directions.
    """
    step = max(1, _BLOCK // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        yield rows, cdist(x[rows], y, "sqeuclidean")
