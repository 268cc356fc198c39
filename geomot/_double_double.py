"""Weights as unevaluated sums hi + lo: twice the precision of a float64 (Dekker 1971)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Pair",
    "add",
    "double",
    "halve",
    "less",
    "mix",
    "negate",
    "plus",
    "two_product",
    "two_sum",
]

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


# Splits a float64 into two halves of 26 bits (Dekker 1971).
_SPLITTER = 2.0**27 + 1.0


def _split(a: FloatArray) -> Pair:
    t = _SPLITTER * a
    high = t - (t - a)
    return high, a - high


def two_product(a: FloatArray, b: FloatArray) -> Pair:
    """Return the rounded product and its error, exactly a * b together (Dekker)."""
    p = a * b
    a1, a2 = _split(a)
    b1, b2 = _split(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def plus(a: Pair, b: Pair) -> Pair:
    """Return the sum of two pairs as a pair."""
    s, e = two_sum(a[0], b[0])
    t, f = two_sum(a[1], b[1])
    s, e = two_sum(s, e + t)
    return two_sum(s, e + f)


def less(a: Pair, k: int) -> Pair:
    """Return all numbers of a pair less the k-th one, which becomes zero."""
    return plus(a, (np.full_like(a[0], -a[0][k]), np.full_like(a[1], -a[1][k])))


def negate(a: Pair) -> Pair:
    """Return minus a pair, exactly."""
    return -a[0], -a[1]


def double(a: Pair) -> Pair:
    """Return twice a pair, exactly."""
    return 2.0 * a[0], 2.0 * a[1]


def halve(a: Pair) -> Pair:
    """Return half of a pair, exactly."""
    return 0.5 * a[0], 0.5 * a[1]
