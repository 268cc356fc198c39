"""Heights of sites whose masses are so small that fitting has left them without a cell.

Site i wins a sample z if its height exceeds t(z) = (best score of the others) - <z, s_i>: the
height that gives it a mass is the quantile of t at that mass. It is read off the order of many
samples, all lost sites at once, while the heights of the others stay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from geomot._constants import LARGEST_BATCH, RARE_RANKS, RARE_SAMPLES
from geomot.design import Batch, Design

__all__ = ["lost_sites", "place_sites"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Scores held at once.
_SCORES = 2**22


def lost_sites(masses: FloatArray, counts: IntArray) -> IntArray:
    """Sites that no sample of a test went to, among those that can be placed.

    Parameters
    ----------
    masses : ndarray of shape (n,)
        The target masses.
    counts : ndarray of shape (n,)
        Samples that went to each site.

    Returns
    -------
    ndarray of int64
        Indices, in order.
    """
    expected = masses * RARE_SAMPLES
    return np.flatnonzero((counts == 0) & (expected >= 0.5) & (expected < RARE_RANKS))


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
    sites = design.frame_sites[lost].astype(np.float32)
    least = np.full((RARE_RANKS, len(lost)), np.inf, dtype=np.float32)
    groups = max(min(LARGEST_BATCH, _SCORES // len(lost)) // design.group, 1)
    buried = heights.copy()
    buried[lost] -= 2.0 * np.ptp(heights) + 1.0
    drawn = 0
    while drawn < RARE_SAMPLES:
        batch = draw(groups)
        best = design.winners(batch, buried).best
        needed = best[:, None] - design.points(batch) @ sites.T
        # few samples are among the least so far
        close = (needed < least[-1]).any(axis=1)
        together = np.concatenate([least, needed[close]])
        least = np.partition(together, RARE_RANKS - 1, axis=0)[:RARE_RANKS]
        least.sort(axis=0)
        drawn += len(needed)
    placed = heights.copy()
    rank = np.clip(masses[lost] * drawn, 0.5, RARE_RANKS - 1.0) - 0.5
    below = rank.astype(np.int64)
    columns = np.arange(len(lost))
    step = least[below + 1, columns] - least[below, columns]
    placed[lost] = least[below, columns] + (rank - below) * step
    return placed
