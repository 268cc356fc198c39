"""Arithmetic for cells on the line: pairs hi + lo, and cells gathered from smaller pieces.

Cells of mass 1e-12 in the middle of a measure are as narrow as 1e-12: their ends have to be known
to far more digits than a float64 has. Ends, cumulative masses and weights on the line are
therefore unevaluated sums of two floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._double_double import Pair, negate, plus, two_product, two_sum

__all__ = [
    "as_keys",
    "constant",
    "cumulated",
    "difference",
    "from_keys",
    "gather",
    "merge",
    "product",
    "quotient",
    "running_sum",
    "where",
]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]
Keys = NDArray[np.complex128]

# Larger numbers overflow where a product is split into halves.
_SPLIT_LIMIT = 2.0**990


def constant(value: float) -> Pair:
    """Return an exact number as a pair."""
    return np.asarray(float(value)), np.asarray(0.0)


def where(condition: NDArray[np.bool_], a: Pair, b: Pair) -> Pair:
    """Return a pair from a where the condition holds, else from b."""
    return np.where(condition, a[0], b[0]), np.where(condition, a[1], b[1])


def difference(a: Pair, b: Pair) -> Pair:
    """Return a - b."""
    return plus(a, negate(b))


def product(a: Pair, b: Pair) -> Pair:
    """Return the product of two pairs, up to about 2^-100 of it."""
    p, e = two_product(a[0], b[0])
    return two_sum(p, e + (a[0] * b[1] + a[1] * b[0]))


def quotient(a: Pair, b: Pair) -> Pair:
    """Return a / b up to about 2^-100 of it; the trailing part is 0 where it cannot be known."""
    with np.errstate(all="ignore"):
        q = a[0] / b[0]
        rest = difference(a, product((q, np.zeros_like(q)), b))[0]
        hi, lo = two_sum(q, rest / b[0])
        known = np.isfinite(lo) & (np.abs(q) < _SPLIT_LIMIT)
    return np.where(known, hi, q), np.where(known, lo, 0.0)


def running_sum(values: FloatArray, values_low: FloatArray | None = None) -> Pair:
    """Return cumulative sums, as `numpy.cumsum` orders them, in pairs.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The numbers, or their leading parts.
    values_low : ndarray of shape (n,), optional
        The trailing parts; zero if None.

    Returns
    -------
    hi, lo : ndarray of shape (n,)
    """
    low = np.zeros_like(values) if values_low is None else values_low
    n = len(values)
    if n < 2:
        return two_sum(values, low)
    # Rows of about sqrt(n) numbers: all rows are summed side by side, then the rows' totals.
    columns = int(np.sqrt(n)) + 1
    rows = -(-n // columns)
    table = np.zeros((2, rows * columns))
    table[0, :n], table[1, :n] = values, low
    hi, lo = table.reshape(2, rows, columns).transpose(0, 2, 1).copy()
    total = two_sum(hi[0], lo[0])
    hi[0], lo[0] = total
    for k in range(1, columns):
        total = plus(total, (hi[k], lo[k]))
        hi[k], lo[k] = total
    if rows > 1:
        before = running_sum(*total)
        shift = tuple(np.concatenate([[0.0], part[:-1]]) for part in before)
        hi, lo = plus((hi, lo), (shift[0], shift[1]))
    return hi.T.reshape(-1)[:n], lo.T.reshape(-1)[:n]


def cumulated(masses: FloatArray) -> tuple[Pair, Pair, NDArray[np.bool_]]:
    """Return the shares of the total before and after each border between consecutive masses.

    Parameters
    ----------
    masses : ndarray of shape (n,)
        Positive masses.

    Returns
    -------
    before, after : pair of ndarray of shape (n - 1,)
        Summed from the respective end, so that both tails keep their digits.
    left : ndarray of shape (n - 1,), bool
        Whether less lies before than after.
    """
    forward = running_sum(masses)
    backward = running_sum(masses[::-1])
    total = forward[0][-1:], forward[1][-1:]
    before = quotient((forward[0][:-1], forward[1][:-1]), total)
    after = quotient((backward[0][-2::-1], backward[1][-2::-1]), total)
    return before, after, before[0] <= after[0]


def as_keys(pair: Pair) -> Keys:
    """Return normalised pairs as complex numbers, which numpy orders as the pairs' values."""
    keys = np.empty(np.shape(pair[0]), np.complex128)
    keys.real, keys.imag = pair
    return keys


def from_keys(keys: Keys) -> Pair:
    """Return the pairs that `as_keys` encoded."""
    return keys.real.copy(), keys.imag.copy()


def merge(edges: FloatArray, breaks: Pair) -> tuple[Pair, FloatArray, IndexArray, IndexArray]:
    """Cut a range at its edges and at the borders of cells.

    Parameters
    ----------
    edges : ndarray of shape (m + 1,)
        Ascending; the range lies between the first and the last one.
    breaks : pair of ndarray of shape (k - 1,)
        Ascending borders of k cells; those outside the range are moved to its ends.

    Returns
    -------
    start : pair of ndarray of shape (p,)
        Lower end of each piece, from left to right.
    width : ndarray of shape (p,)
        Width of each piece, possibly 0.
    stretch : ndarray of shape (p,)
        The edge k below each piece: it lies between edges k and k + 1.
    first : ndarray of shape (k,)
        The first piece of each cell; every cell has one.
    """
    ends = as_keys((edges, np.zeros_like(edges)))
    borders = np.minimum(np.maximum(as_keys(breaks), ends[0]), ends[-1])
    # At equal places edges come first, and the last edge closes the list once more: there is a
    # piece before the first border and one after the last.
    keys = np.concatenate([ends, borders, ends[-1:]])
    order = np.argsort(keys, kind="stable")
    knots = from_keys(keys[order])
    is_edge = order < len(ends)
    start = knots[0][:-1], knots[1][:-1]
    width = difference((knots[0][1:], knots[1][1:]), start)[0]
    stretch = np.minimum(np.cumsum(is_edge[:-1]) - 1, len(edges) - 2)
    borders_at = np.flatnonzero(~is_edge)[:-1]
    return start, np.maximum(width, 0.0), stretch, np.concatenate([[0], borders_at])


def gather(
    first: IndexArray, start: Pair, masses: FloatArray, offsets: FloatArray, spreads: FloatArray
) -> tuple[FloatArray, Pair, FloatArray]:
    """Add up the pieces of cells.

    Parameters
    ----------
    first : ndarray of shape (k,)
        The first piece of each cell; its pieces are consecutive.
    start : pair of ndarray of shape (p,)
        Where each piece begins.
    masses, offsets, spreads : ndarray of shape (p,)
        Mass of each piece, its barycentre as seen from its start, and the integral of the squared
        distance from there.

    Returns
    -------
    masses : ndarray of shape (k,)
    centres : pair of ndarray of shape (k,)
        Barycentres of the cells; NaN where there is no mass.
    spreads : ndarray of shape (k,)
        Integrals of the squared distance from the barycentre.
    """
    counts = np.diff(first, append=len(masses))
    total = np.add.reduceat(masses, first)
    # Seen from where the cell begins: a sum of terms of one sign and of the cell's own size.
    origin = start[0][first]
    seen = (start[0] - np.repeat(origin, counts)) + start[1] + offsets
    moment = np.add.reduceat(masses * seen, first)
    mean = np.divide(moment, total, where=total > 0.0, out=np.full_like(total, np.nan))
    deviation = np.where(masses > 0.0, seen - np.repeat(mean, counts), 0.0)
    spread = np.add.reduceat(spreads + masses * deviation**2, first)
    return total, two_sum(origin, mean), spread
