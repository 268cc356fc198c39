"""Two clouds of points as arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._validation import as_points

__all__ = ["two_clouds"]

FloatArray = NDArray[np.float64]


def two_clouds(
    a: Any, b: Any, names: tuple[str, str] = ("a", "b"), least: int = 1
) -> tuple[FloatArray, FloatArray]:
    """Return two arrays of points in one space, of at least this many points each."""
    x = as_points(a, names[0])
    y = as_points(b, names[1], x.shape[1])
    for points, name in ((x, names[0]), (y, names[1])):
        if len(points) < least:
            raise ValueError(f"{name} must hold at least {least} points, got {len(points)}")
    return x, y
