"""Nearest sites in power distance in any dimension, to the accuracy of float64.

A fused float32 pass tells which sites cannot have the largest score of a point, by a bound on its
rounding. The scores of the others, mostly of one small group, are computed in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._constants import NEAR_DIMENSIONS, NEAR_POINTS
from geomot._core.montecarlo import ExactSites

__all__ = ["Assigner", "scoring_frame"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def scoring_frame(
    sites: FloatArray, weights: FloatArray
) -> tuple[FloatArray, float, FloatArray, FloatArray]:
    """Return the frame in which float32 scores lose nothing to units or a far origin.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    weights : ndarray of shape (n,)
        Their power weights.

    Returns
    -------
    centre : ndarray of shape (d,)
        Its origin: the mean of the sites.
    scale : float
        Its unit of length, a power of two: scaling by it is exact.
    moved : ndarray of shape (n, d)
        The sites in it.
    heights : ndarray of shape (n,)
        Their heights in it, at most 0.
    """
    centre = sites.mean(axis=0)
    moved = sites - centre
    size = float(np.abs(moved).max())
    scale = float(2.0 ** np.ceil(np.log2(size))) if size > 0.0 else 1.0
    moved /= scale
    heights = 0.5 * (weights / scale**2 - np.einsum("nk,nk->n", moved, moved))
    return centre, scale, moved, heights - heights.max()


class Assigner:
    """Sites and weights, prepared for many points.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    weights : ndarray of shape (n,)
        Their power weights.
    """

    def __init__(self, sites: FloatArray, weights: FloatArray) -> None:
        self.centre, self.scale, moved, heights = scoring_frame(sites, weights)
        n, d = sites.shape
        near = d <= NEAR_DIMENSIONS and n >= NEAR_POINTS
        self.scores = ExactSites(moved, near).under(heights)

    def __call__(self, points: FloatArray, threads: int = 1) -> IntArray:
        """Return the index of the site of largest score for each point, (q,) int64.

        Of sites whose float64 scores are equal, the one with the lowest index.
        """
        return self.scores.largest(
            np.ascontiguousarray(points, np.float64), self.centre, 1.0 / self.scale, threads
        )
