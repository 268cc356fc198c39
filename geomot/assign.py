"""Nearest sites in power distance in any dimension, to the accuracy of float64.

A fused float32 pass finds winner and runner-up of every point. Where the two are closer than the
rounding of that pass could tell apart, all scores of the point are computed again in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot.backend import CoreBackend

__all__ = ["Assigner", "scoring_frame"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Scores held at once where float32 was not enough, and points in a pass.
_SCORES = 2**24
_POINTS = 2**16

# Products of float32 numbers below this lose digits, or all.
_UNDERFLOW = 1e-35

# Points farther out than this many times the sites' extent are left to float64.
_FAR = 2.0**60


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
        self.centre, self.scale, self.sites, self.heights = scoring_frame(sites, weights)
        self.scores = CoreBackend().points(self.sites)
        d = sites.shape[1]
        # A float32 score of rounded numbers is off by less than this times the size of its terms.
        self.rounding = (d + 4) * 2.0**-23
        self.reach = float(np.sqrt(np.max(np.sum(self.sites**2, axis=1))))

    def __call__(self, points: FloatArray, threads: int = 1) -> IntArray:
        """Return the index of the site of largest score for each point, (q,) int64.

        Of sites whose float64 scores are equal, the one with the lowest index.
        """
        labels = np.empty(len(points), dtype=np.int64)
        for start in range(0, len(points), _POINTS):
            part = slice(start, start + _POINTS)
            labels[part] = self._pass((points[part] - self.centre) / self.scale, threads)
        return labels

    def _pass(self, x: FloatArray, threads: int) -> IntArray:
        length = np.sqrt(np.einsum("qk,qk->q", x, x))
        far = ~(length < _FAR)
        near = np.where(far[:, None], 0.0, x)
        winners = self.scores.winners(near, self.heights, runner=True, threads=threads)
        labels = winners.first.astype(np.int64)
        gap = winners.best.astype(np.float64) - winners.runner
        # Heights are at most 0, so some score is at least -size: no site with a height below
        # -2 size can win, and the others' terms are at most that large.
        size = length * self.reach
        bound = 2.0 * self.rounding * (size + np.minimum(-self.heights.min(), 2.0 * size))
        bound += _UNDERFLOW
        unsure = np.flatnonzero(far | ~(gap > bound))
        step = max(_SCORES // len(self.sites), 1)
        for start in range(0, len(unsure), step):
            rows = unsure[start : start + step]
            # column by column: a product of matrices would round by the shape of the call
            scores = np.repeat(self.heights[None], len(rows), axis=0)
            for k in range(x.shape[1]):
                scores += x[rows, k, None] * self.sites[:, k]
            labels[rows] = np.argmax(scores, axis=1)
        return labels
