"""Exact signs of turns in the plane: floats where they are sure, rational numbers elsewhere."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = ["Point", "orientation", "orientations", "signed_area", "surely_left"]

FloatArray = NDArray[np.float64]
Point = tuple[float, float]

# Floats carry relative errors below 2^-50 through the three operations of an orientation; below
# this share of the terms' magnitude, or where they may have underflowed, the sign is computed
# exactly.
_ORIENTATION_FILTER = 2.0**-48
_ORIENTATION_FLOOR = 2.0**-900


def _exact_orientation(a: Point, b: Point, c: Point) -> int:
    (ax, ay), (bx, by), (cx, cy) = ((Fraction(x), Fraction(y)) for x, y in (a, b, c))
    determinant = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (determinant > 0) - (determinant < 0)


def orientation(a: Point, b: Point, c: Point) -> int:
    """Return the exact sign of the turn a -> b -> c: 1 to the left, -1 to the right, 0 straight."""
    left = (b[0] - a[0]) * (c[1] - a[1])
    right = (b[1] - a[1]) * (c[0] - a[0])
    size = abs(left) + abs(right)
    if size > _ORIENTATION_FLOOR and abs(left - right) > _ORIENTATION_FILTER * size:
        return 1 if left > right else -1
    return _exact_orientation(a, b, c)


def _turn(a: FloatArray, b: FloatArray, c: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Twice the area of triangles (..., 2), rounded, and whether its sign is sure."""
    left = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1])
    right = (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
    size = np.abs(left) + np.abs(right)
    turn = left - right
    return turn, (size > _ORIENTATION_FLOOR) & (np.abs(turn) > _ORIENTATION_FILTER * size)


def orientations(a: FloatArray, b: FloatArray, c: FloatArray) -> NDArray[np.int8]:
    """Return the exact signs of many turns.

    Parameters
    ----------
    a, b, c : ndarrays of shape (..., 2)
        Points; they are broadcast against each other.

    Returns
    -------
    ndarray of shape (...), int8
        See `orientation`.
    """
    turn, sure = _turn(a, b, c)
    signs = np.array(np.sign(turn), dtype=np.int8)
    if not sure.all():
        ends = [np.broadcast_to(p, (*signs.shape, 2))[~sure].tolist() for p in (a, b, c)]
        signs[~sure] = [_exact_orientation(*three) for three in zip(*ends, strict=True)]
    return signs


def surely_left(a: FloatArray, b: FloatArray, points: FloatArray) -> NDArray[np.bool_]:
    """Return which points (n, 2) are to the left of the line from a to b by more than rounding."""
    turn, sure = _turn(a, b, points)
    return sure & (turn > 0.0)


def signed_area(ring: FloatArray) -> float:
    """Return the area within a ring of corners, (k, 2); negative if it runs clockwise."""
    x, y = (ring - ring[0]).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
