"""Equal rows of an array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["representatives"]


def representatives(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each row the lowest index of the rows that equal it; -0.0 equals 0.0.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        Finite coordinates.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    bits = (points + 0.0).view(np.uint64)
    factors = np.random.default_rng(0).integers(2**63, size=(points.shape[1], 1), dtype=np.uint64)
    # integer arithmetic wraps around: equal rows have equal keys, others hardly ever
    keys = np.zeros(len(points), dtype=np.uint64)
    for k in range(points.shape[1]):
        keys ^= keys >> np.uint64(29)
        keys += bits[:, k] * (2 * factors[k] + 1)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    owner = first[inverse]
    if np.array_equal(points[owner], points):
        return owner
    _, first, inverse = np.unique(points, axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()]
