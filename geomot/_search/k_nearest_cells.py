"""The cells nearest to a point in power distance, several of them, in any dimension.

Scores <x, y_i> + h_i are products of matrices in float32, block by block, of which the k largest
are kept: what a weight needs that fades out with the distance from a cell. Which single cell a
point is in is decided to the accuracy of float64 elsewhere (`geomot._search.nearest_cell`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._core.select import largest
from geomot._search.nearest_cell import Frame
from geomot._threads import run_chunks

__all__ = ["TopScores"]

FloatArray = NDArray[np.float64]

# Float32 scores held at once by a thread.
_SCORES = 2**22

# Exponent of the extent of points, and of most heights, in the frame, up to which they are taken as
# they are; and of the lowest height that float32 holds.
_FAR_BITS = 30
_LOWEST_BITS = 126


class TopScores:
    """Sites and weights, prepared for many points.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    weights : ndarray of shape (n,)
        Their power weights.
    """

    def __init__(self, sites: FloatArray, weights: FloatArray) -> None:
        self.frame = Frame(sites)
        heights = self.frame.heights(weights)
        # sites may be so small beside the source that float32 has no place for their heights
        self.rise = max(int(np.frexp(np.median(-heights))[1]) - _FAR_BITS, 0)
        heights = np.maximum(np.ldexp(heights, -self.rise), -(2.0**_LOWEST_BITS))
        # one product of matrices adds the heights
        self.table = np.vstack([self.frame.sites.T, heights]).astype(np.float32)

    def __call__(
        self, points: FloatArray, k: int, threads: int = 1
    ) -> tuple[NDArray[np.int32], FloatArray]:
        """Return the k sites of largest score for each point, and the scores.

        Parameters
        ----------
        points : ndarray of shape (q, d)
            The points.
        k : int
            How many; at most the number of sites.
        threads : int
            Number of threads; the result does not depend on it.

        Returns
        -------
        indices : ndarray of shape (q, k), int32
            The best site first.
        scores : ndarray of shape (q, k)
            Up to a constant of each point, <x, y_i> + h_i.
        """
        n = self.table.shape[1]
        indices = np.empty((len(points), k), dtype=np.int32)
        scores = np.empty((len(points), k))
        step = max(_SCORES // n, 1)

        def work(chunk: int) -> None:
            part = slice(chunk * step, (chunk + 1) * step)
            lifted, shrunk = self._lifted(points[part])
            found = largest(lifted @ self.table, k)
            indices[part] = found[0]
            scores[part] = np.ldexp(found[1].astype(np.float64), 2 * self.frame.exponent + shrunk)

        run_chunks(work, -(-len(points) // step), threads)
        return indices, scores

    def _lifted(self, points: FloatArray) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Points in the frame and factors of the heights; both over powers of two, (q, 1)."""
        x = points - self.frame.centre
        reach = np.frexp(np.abs(x).max(axis=1, initial=0.0, keepdims=True))[1] - self.frame.exponent
        shrunk = np.maximum(np.maximum(reach, self.rise) - _FAR_BITS, 0)
        x *= np.ldexp(1.0, -self.frame.exponent - shrunk)
        return np.hstack([x, np.ldexp(1.0, self.rise - shrunk)]).astype(np.float32), shrunk
