"""The cells nearest to a point in power distance, several of them, in any dimension.

Scores <x, y_i> + h_i are products of matrices in float32, block by block, of which the k largest
are kept: what a weight needs that fades out with the distance from a cell. Which single cell a
point is in is decided to the accuracy of float64 elsewhere (`geomot.assign`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._core.select import largest
from geomot._threads import run_chunks
from geomot.assign import Frame

__all__ = ["TopScores"]

FloatArray = NDArray[np.float64]

# Float32 scores held at once by a thread.
_SCORES = 2**22

# Points farther out than this many times the sites' extent keep their direction only.
_FAR = 2.0**30


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
        # one product of matrices adds the heights
        self.table = np.vstack([self.frame.sites.T, self.frame.heights(weights)]).astype(np.float32)

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
            found = largest(self._lifted(points[part]) @ self.table, k)
            indices[part] = found[0]
            scores[part] = found[1]

        run_chunks(work, -(-len(points) // step), threads)
        return indices, np.ldexp(scores, 2 * self.frame.exponent)

    def _lifted(self, points: FloatArray) -> NDArray[np.float32]:
        x = (points - self.frame.centre) * self.frame.factor
        reach = np.abs(x).max(axis=1, initial=0.0, keepdims=True)
        x *= np.minimum(1.0, _FAR / np.maximum(reach, 1.0))
        return np.column_stack([x, np.ones(len(x))]).astype(np.float32)
