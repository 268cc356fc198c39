"""Mean and covariance of points with masses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["weighted_moments"]

FloatArray = NDArray[np.float64]


def weighted_moments(points: FloatArray, masses: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance of a discrete measure.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        Its points.
    masses : ndarray of shape (n,)
        Their masses, which sum to 1.

    Returns
    -------
    mean : ndarray of shape (d,)
    covariance : ndarray of shape (d, d)
        Of the measure itself, not an estimate from samples: nothing is divided by n - 1.

    Examples
    --------
    >>> import numpy as np
    >>> weighted_moments(np.array([[0.0], [4.0]]), np.array([0.75, 0.25]))
    (array([1.]), array([[3.]]))
    """
    mean = masses @ points
    centred = points - mean
    return mean, (centred * masses[:, None]).T @ centred
