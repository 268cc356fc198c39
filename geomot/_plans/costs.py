"""Squared distances between two clouds of points, block by block: never all of them in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

__all__ = ["blocks", "largest_cost", "nearest", "pair_costs", "transform"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Pairs whose costs are in memory at once: 32 MB.
_BLOCK = 2**22


def blocks(x: FloatArray, y: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Costs from successive rows of x to all of y, with the first row's number."""
    step = max(1, _BLOCK // len(y))
    for start in range(0, len(x), step):
        yield start, cdist(x[start : start + step], y, "sqeuclidean")


def transform(x: FloatArray, y: FloatArray, v: FloatArray) -> FloatArray:
    """The largest u with u_i + v_j <= |x_i - y_j|^2 for all pairs."""
    return np.concatenate([(costs - v).min(axis=1) for _, costs in blocks(x, y)])


def nearest(x: FloatArray, y: FloatArray, v: FloatArray, k: int) -> IndexArray:
    """For each x_i the k indices j of least |x_i - y_j|^2 - v_j, in no order."""
    parts = []
    for _, costs in blocks(x, y):
        costs -= v
        parts.append(np.argpartition(costs, k - 1, axis=1)[:, :k])
    return np.concatenate(parts)


def pair_costs(x: FloatArray, y: FloatArray, rows: IndexArray, columns: IndexArray) -> FloatArray:
    """Costs of listed pairs."""
    apart = x[rows] - y[columns]
    return np.einsum("kd,kd->k", apart, apart)


def largest_cost(x: FloatArray, y: FloatArray) -> float:
    """A bound on all costs, from the bounding boxes."""
    widest = np.maximum(x.max(axis=0) - y.min(axis=0), y.max(axis=0) - x.min(axis=0))
    return float(np.sum(widest**2))
