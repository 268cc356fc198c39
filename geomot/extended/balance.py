"""How often points of each cell are to be drawn, so that images keep the masses of the sites.

Cells have the masses of their sites, and images of their points have shares of neighbours, which do
not balance: a deep cell, around a site far from others, gives away more than it receives, so that
sparse classes lose up to a fifth of their mass. Points of cell c are drawn r_c times as often, with

    sum_c m_c r_c P_cj = m_j   for all sites j,

where P_cj is the mean share of j in images of points of c. The iteration r_c <- r_c times the mean
of m_j / q_j under P_c, q = (m r) P, is that of expectation and maximisation for the weights of a
mixture (Dempster, Laird, Rubin 1977), and needs no more than products with P.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

__all__ = ["frequencies"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Steps: what is left after these is noise of P. And the limits of the frequencies: nothing is drawn
# so seldom that its samples are lost.
_BALANCING_STEPS = 30
_LIMITS = (0.25, 4.0)


def frequencies(shares: csr_array, cell: IntArray, masses: FloatArray) -> FloatArray:
    """Return how often points of each cell are to be drawn, relative to the source.

    Parameters
    ----------
    shares : csr_array of shape (q, n)
        Shares of the sites in the images of source points; none where points are rejected.
    cell : ndarray of shape (q,), int64
        The cells that the points are in.
    masses : ndarray of shape (n,)
        Masses of the sites, of sum 1.

    Returns
    -------
    ndarray of shape (n,)
        From 0.25 to 4; 1 for cells without points.
    """
    n = len(masses)
    count = np.bincount(cell, minlength=n)
    kept = np.bincount(cell, np.asarray(shares.sum(axis=1)).ravel(), minlength=n)
    seen = kept > 0.0
    # points stand for their cell's mass, so that chance in their number does not matter
    weight = (masses / np.maximum(count, 1))[cell]
    often = np.where(seen, count / np.where(seen, kept, 1.0), 1.0)
    for _ in range(_BALANCING_STEPS):
        received = shares.T @ (weight * often[cell])
        received[~seen] += masses[~seen]
        wanted = masses * (received.sum() / masses.sum())
        lacking = np.divide(wanted, received, out=np.ones(n), where=received > 0.0)
        mean = np.bincount(cell, shares @ lacking, minlength=n) / np.where(seen, kept, 1.0)
        often = np.clip(np.where(seen, often * mean, 1.0), *_LIMITS)
    return often
