"""When a mass is right: within a relative tolerance of its target, or within an absolute one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mass_errors"]

FloatArray = NDArray[np.float64]


def mass_errors(masses: FloatArray, targets: FloatArray, tol: float, atol: float) -> FloatArray:
    """Return the errors of masses, at most `tol` where a mass is right.

    Parameters
    ----------
    masses, targets : ndarray of shape (n,)
        The masses measured, and those wanted.
    tol, atol : float
        A mass is right if it is within max(tol * target, atol) of its target.

    Returns
    -------
    ndarray of shape (n,)
        Relative to the target, or to atol / tol where that is larger. A site without mass has no
        error while it is left without a cell.
    """
    difference = np.abs(masses - targets)
    units = np.maximum(targets, atol / tol)
    return np.divide(difference, units, where=difference > 0.0, out=np.zeros_like(difference))
