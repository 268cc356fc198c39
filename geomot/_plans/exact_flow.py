"""What moves along the edges of a forest, exactly.

A plan that is a vertex moves mass along a forest, whose edges have one value that fits the masses
at the points. Masses are whole multiples of the least float64, and so are their sums.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

__all__ = ["exact_flow", "whole_masses"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Multiples of 2^-1074: all float64 are.
_UNIT = 1 << 1074


def whole_masses(mu: FloatArray, nu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return equal masses as whole numbers of equal sums, which are not rounded; others as is."""
    n, m = len(mu), len(nu)
    if (mu != mu[0]).any() or (nu != nu[0]).any():
        return mu, nu
    common = math.gcd(n, m)
    return np.full(n, float(m // common)), np.full(m, float(n // common))


def exact_flow(
    rows: IndexArray, columns: IndexArray, mu: FloatArray, nu: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Find what moves along the edges of a forest between rows and columns.

    Parameters
    ----------
    rows, columns : ndarray of shape (k,), int64
        The edges.
    mu, nu : ndarray of shape (n,), (m,)
        Masses of the rows and columns.

    Returns
    -------
    moved : ndarray of shape (k,)
        What moves, rounded once.
    p, q : ndarray of shape (n,), (m,)
        What is left, in the largest row or column of each tree, where its sides do not balance.

    Or None if the edges are no forest, or something would have to move backwards.
    """
    n, m = len(mu), len(nu)
    ends = np.concatenate([rows, n + columns])
    graph = coo_matrix((np.ones(len(rows)), (rows, n + columns)), shape=(n + m, n + m))
    count, tree = connected_components(graph, directed=False)
    if len(rows) != n + m - count:
        return None
    left = [_whole(mass) for mass in (*mu.tolist(), *nu.tolist())]
    rest = _balance(left, tree.tolist(), n)
    degree = np.bincount(ends, minlength=n + m).tolist()
    # The sum of a point's edges that are not settled is the one edge, once it is a leaf.
    edges = np.zeros(n + m, dtype=object)
    np.add.at(edges, ends, np.tile(np.arange(len(rows)), 2).astype(object))
    moved = [0] * len(rows)
    leaves = [point for point in range(n + m) if degree[point] == 1]
    while leaves:
        point = leaves.pop()
        if degree[point] != 1:
            continue
        edge = edges[point]
        if left[point] < 0:
            return None
        other = int(n + columns[edge] if point < n else rows[edge])
        moved[edge], left[other] = left[point], left[other] - left[point]
        degree[point], degree[other] = 0, degree[other] - 1
        edges[other] -= edge
        if degree[other] == 1:
            leaves.append(other)
        elif left[other] < 0:
            return None
    rounded = np.array([_rounded(value) for value in rest])
    return np.array([_rounded(value) for value in moved]), rounded[:n], rounded[n:]


def _balance(left: list[int], tree: list[int], n: int) -> list[int]:
    """Take from the largest row or column of each tree what its other side lacks."""
    excess: dict[int, int] = {}
    largest: dict[tuple[int, bool], int] = {}
    for point, (mass, k) in enumerate(zip(left, tree, strict=True)):
        is_row = point < n
        excess[k] = excess.get(k, 0) + (mass if is_row else -mass)
        if mass > left[largest.setdefault((k, is_row), point)]:
            largest[k, is_row] = point
    rest = [0] * len(left)
    for k, more in excess.items():
        if more:
            point = largest[k, more > 0]
            rest[point] = abs(more)
            left[point] -= abs(more)
    return rest


def _whole(mass: float) -> int:
    numerator, denominator = mass.as_integer_ratio()
    return numerator * (_UNIT // denominator)


def _rounded(value: int) -> float:
    return value / _UNIT
