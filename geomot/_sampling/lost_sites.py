"""Heights of sites that fitting has left without a cell, or whose masses are too small for it.

Site i wins a sample z if its height exceeds t(z) = (best score of the others) - <z, s_i>: the
height that gives it a mass is the quantile of t at that mass.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr

from geomot._constants.sampling import (
    LARGEST_BATCH,
    RARE_HITS,
    RARE_PAIRS,
    RARE_SAMPLES,
)
from geomot._core.montecarlo import PointScores
from geomot._sampling.designs import Batch, Design
from geomot._search.backends import CoreBackend, PointAssignment

__all__ = ["Thresholds", "lost_sites", "place_sites"]

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

# Chunks of samples are so large that this many of a chunk are due to a site. Of so many chunks the
# two least values each are kept: hardly ever are more than two of a chunk among the least of all.
_DUE = 0.5
_CHUNKS = 32

# Shares within this factor of each other take chunks of one size.
_OCTAVE = 2.0

# Samples for each site from which on it is not worth while to sort them.
_QUERIES = 16

# Sites with less than this share of the samples that are due to them have hardly any cell.
_FEW_HITS = 0.2

# Masses of at least this share of the mean are usual ones, whose heights a short fit finds too.
_RARE = 0.2

# Least number of samples that can be due to a site that is placed.
_LEAST_DUE = 0.5


class Thresholds:
    """Heights at which sites take given shares of samples, each by itself.

    Parameters
    ----------
    sites : ndarray of shape (k, d)
        The sites.
    shares : ndarray of shape (k,)
        The shares of the samples.
    """

    def __init__(self, sites: FloatArray, shares: FloatArray) -> None:
        sizes = np.maximum(np.round(_DUE / shares), 1.0)
        octaves = np.round(np.log(sizes) / np.log(_OCTAVE))
        self.groups = [
            _Alike(np.flatnonzero(octaves == octave), sites, shares, sizes)
            for octave in np.unique(octaves)
        ]
        self.rng = np.random.default_rng(0)

    @property
    def wanted(self) -> int:
        """Number of samples from which on more of them change nothing."""
        return _CHUNKS * max(group.size for group in self.groups)

    def add(self, points: Float32Array, best: Float32Array) -> None:
        """Take samples (m, d) and the scores that are to be exceeded there."""
        # a chunk is not to consist of samples that have coordinates in common
        order = self.rng.permutation(len(points))
        points, best = points[order], best[order]
        for group in self.groups:
            group.add(points, best)

    def heights(self) -> FloatArray:
        """Return the heights, shape (k,); a share of less than half a sample is taken for that."""
        out = np.empty(sum(len(group.places) for group in self.groups))
        for group in self.groups:
            out[group.places] = group.heights()
        return out


class _Alike:
    """Sites of about the same share: the least values of t in chunks of samples.

    Samples and sites change their roles: of the samples of a chunk, the two of least t are winner
    and runner-up for the point s_i under heights of minus the scores that are to be exceeded.
    """

    def __init__(
        self, places: IntArray, sites: FloatArray, shares: FloatArray, sizes: FloatArray
    ) -> None:
        self.places = places
        self.sites = sites[places].astype(np.float32)
        self.shares = shares[places]
        self.size = int(np.median(sizes[places]))
        self.chunks: list[Float32Array] = []
        self._begin()

    def _begin(self) -> None:
        """Begin a chunk."""
        self.filled = 0
        self.least = np.full((2, len(self.places)), np.inf, dtype=np.float32)

    def add(self, points: Float32Array, best: Float32Array) -> None:
        """Fill chunks, as long as they are wanted."""
        start = 0
        while start < len(points) and len(self.chunks) < _CHUNKS:
            part = slice(start, min(start + self.size - self.filled, len(points)))
            found = self._scores(points[part]).winners(self.sites, -best[part], runner=True)
            values = np.concatenate([self.least, [-found.best, -found.runner]])
            self.least = np.sort(values, axis=0)[:2]
            self.filled += part.stop - part.start
            if self.filled == self.size:
                self.chunks.append(self.least)
                self._begin()
            start = part.stop

    def _scores(self, points: Float32Array) -> PointAssignment:
        """Prepare samples: for few sites not in the order of space, which takes longer."""
        many = len(self.sites) * _QUERIES >= len(points)
        return CoreBackend().points(points) if many else PointScores(points)

    def heights(self) -> FloatArray:
        """Return the quantiles of t, from whole chunks if there are any."""
        samples = len(self.chunks) * self.size or self.filled
        chunks = self.chunks or [self.least]
        values = np.sort(np.concatenate(chunks).astype(np.float64), axis=0)
        # chunks of one sample have no second value
        last = np.count_nonzero(np.isfinite(values), axis=0) - 1
        rank = np.clip(self.shares * samples, _LEAST_DUE, last + 0.5) - 0.5
        below = np.floor(rank).astype(np.int64)
        columns = np.arange(values.shape[1])
        low = values[below, columns]
        high = values[np.minimum(below + 1, last), columns]
        heights: FloatArray = low + (rank - below) * (high - low)
        return heights


def lost_sites(masses: FloatArray, counts: IntArray, fitted: int) -> IntArray:
    """Sites that hardly any sample of a test went to, and that have no cell, or may have none.

    Many of equal masses are missed by a short test for no other reason than chance. Sites count as
    lost if that is as good as excluded, or if their masses are so small that the fit cannot have
    found their heights.

    Parameters
    ----------
    masses : ndarray of shape (n,)
        The target masses.
    counts : ndarray of shape (n,)
        Samples of the test that went to each site.
    fitted : int
        Samples of the fit.

    Returns
    -------
    ndarray of int64
        Indices in order. Where all would take too long, those that are due most.
    """
    n, tested = len(masses), int(counts.sum())
    due = masses * tested
    few = counts <= _FEW_HITS * due
    # the expected number of sites with so few by chance, all of them together, is below 1
    told = pdtr(counts, due) <= 1.0 / (np.e * n)
    rare = (masses * fitted < RARE_HITS) & (masses < _RARE / n)
    hidden = rare & (masses * RARE_SAMPLES >= _LEAST_DUE)
    lost = np.flatnonzero(few & (told | hidden))
    # no more pairs of samples and sites than the fit has taken, or than take a second
    most = int(max(n * fitted, RARE_PAIRS) / RARE_SAMPLES) - n
    if len(lost) > max(most, 0):
        order = np.argsort(-masses[lost], kind="stable")
        lost = np.sort(lost[order[: max(most, 0)]])
    return lost


def place_sites(
    design: Design,
    draw: Callable[[int], Batch],
    heights: FloatArray,
    masses: FloatArray,
    lost: IntArray,
) -> FloatArray:
    """Return heights under which some sites have about their masses.

    Parameters
    ----------
    design : Design
        Which site a sample goes to.
    draw : callable
        The samples.
    heights, masses : ndarrays of shape (n,)
        Heights in the frame of the design, and target masses.
    lost : ndarray of int64
        The sites to be placed; few beside n.

    Returns
    -------
    ndarray of shape (n,)
    """
    thresholds = Thresholds(design.frame_sites[lost], masses[lost])
    buried = heights.copy()
    buried[lost] -= 2.0 * np.ptp(heights) + 1.0
    groups = max(LARGEST_BATCH // design.group, 1)
    drawn = 0
    while drawn < min(thresholds.wanted, RARE_SAMPLES):
        batch = draw(groups)
        thresholds.add(design.points(batch), design.winners(batch, buried).best)
        drawn += groups * design.group
    placed = heights.copy()
    placed[lost] = thresholds.heights()
    return placed
