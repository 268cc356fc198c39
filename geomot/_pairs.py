"""Weights as unevaluated sums hi + lo: twice the precision of a float64 (Dekker 1971)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pair", "add", "mix", "two_sum"]

FloatArray = NDArray[np.float64]
Pair = tuple[FloatArray, FloatArray]


def two_sum(a: FloatArray, b: FloatArray) -> Pair:
    """Return the rounded sum and its exact rounding error."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def add(x: Pair, y: FloatArray) -> Pair:
    """Return x + y, normalised."""
    s, e = two_sum(x[0], y)
    return two_sum(s, e + x[1])


def mix(x: Pair, y: Pair, share: float) -> Pair:
    """Return (1 - share) x + share y to about twice the working precision."""
    difference, error = two_sum(y[0], -x[0])
    return add(add(x, share * difference), share * (error + (y[1] - x[1])))
