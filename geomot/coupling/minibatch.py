"""Optimal assignments of batches: what semi-discrete couplings are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from geomot import discrete

__all__ = ["assign_batch", "as_host"]

# Sizes up to which scipy's solver alone is faster than one with certificates.
_SMALL = 512


def assign_batch(noise: ArrayLike, data: ArrayLike) -> NDArray[np.int64]:
    """Return the permutation of data that is nearest to noise on average.

    Parameters
    ----------
    noise, data : array_like of shape (m, d)
        Two batches of one size.

    Returns
    -------
    ndarray of shape (m,), int64
        For each row of `noise` the row of `data` that it goes with: the mean of the squared
        distances is least.

    Examples
    --------
    >>> from geomot.coupling.minibatch import assign_batch
    >>> assign_batch([[0.0], [1.0]], [[1.5], [0.5]]).tolist()
    [1, 0]
    """
    a, b = np.asarray(noise, dtype=np.float64), np.asarray(data, dtype=np.float64)
    if len(a) > _SMALL:
        return discrete.assignment(a, b).permutation
    return linear_sum_assignment(cdist(a, b, "sqeuclidean"))[1]


def as_host(batch: Any) -> NDArray[np.float64]:
    """Return an array or tensor of any device as float64 rows of vectors.

    Parameters
    ----------
    batch : ndarray or torch.Tensor of shape (m, ...)
        The batch.

    Returns
    -------
    ndarray of shape (m, d)
    """
    if hasattr(batch, "detach"):
        batch = batch.detach().double().cpu().numpy()
    array = np.asarray(batch, dtype=np.float64)
    return array.reshape(len(array), -1)
