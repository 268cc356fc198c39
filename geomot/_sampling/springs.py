"""What an estimated Hessian is raised by, so that steps are no longer than it can tell.

Raising the diagonal holds each height to 0. That is too firm for the common height of a cluster of
sites, which few samples at its border answer to: a step would hardly move it. So a height is held
to the mean of its cluster, this one to the mean of the clusters around it, and only the few largest
clusters to 0, each in proportion to the mass that changes sides at its own scale. The heights and
means are joined by a tree of springs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geomot._constants.sampling import PRIOR_HITS
from geomot._sampling.clusters import totals

__all__ = ["Ground", "stiffness"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Entries of the diagonal for each unit of mass that are this many times those of the cluster stand
# out: such sites have another one next to them.
_STANDS_OUT = 10.0


def stiffness(
    diagonal: FloatArray, hits: FloatArray, samples: float, owners: list[IntArray]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Diagonal of the Hessian for each unit of mass; where few samples tell it, as around.

    Parameters
    ----------
    diagonal : ndarray of shape (n,)
        The diagonal.
    hits : ndarray of shape (n,)
        Samples of each cell that it was estimated from.
    samples : float
        All those samples.
    owners : list of ndarray
        Clusters of the sites, see `geomot._sampling.clusters.hierarchy`.

    Returns
    -------
    ndarray of shape (n,)
        The stiffness, within bounds around that of the cluster.
    ndarray of bool, shape (n,)
        Whether a site stands out, for others lie next to it.
    """
    groups = owners[0] if owners else np.zeros(len(hits), dtype=np.int64)
    seen = hits > 0.0
    whole = float(np.median(diagonal[seen] * samples / hits[seen]))
    # the harmonic mean of a cluster, for which sites that stand out count little
    softness = (hits + PRIOR_HITS) / (diagonal * samples + PRIOR_HITS * whole)
    around = totals(groups, hits) + PRIOR_HITS
    around /= totals(groups, hits * softness) + PRIOR_HITS / whole
    around = around[groups]
    own = (diagonal * samples + PRIOR_HITS * around) / (hits + PRIOR_HITS)
    most = around * _STANDS_OUT
    return np.clip(own, around / _STANDS_OUT, most), own > most


class Ground:
    """The tree of springs.

    Parameters
    ----------
    owners : list of ndarray
        Clusters of the sites, see `geomot._sampling.clusters.hierarchy`.
    masses : ndarray of shape (n,)
        The target masses.
    """

    def __init__(self, owners: list[IntArray], masses: FloatArray) -> None:
        self.owners = owners
        self.masses = [masses]
        for owner in owners:
            self.masses.append(totals(owner, self.masses[-1]))
        # of each level for each unit of mass: as known, and as usual inside of a cluster
        self.stiffness = [np.ones_like(m) for m in self.masses]
        self.inner = [np.ones_like(m) for m in self.masses]
        self.samples = 1.0
        # spring from each site or cluster to what it is held to
        self.springs = [np.ones_like(m) for m in self.masses]

    def learn(
        self, flow: csr_array, hits: FloatArray, samples: float, stiffness: FloatArray
    ) -> None:
        """Take the stiffness of each level from what its clusters exchange.

        Parameters
        ----------
        flow : csr_array of shape (n, n)
            Mass that changes sides between two sites per unit of height.
        hits : ndarray of shape (n,)
            Samples of each cell that it was estimated from.
        samples : float
            All those samples.
        stiffness : ndarray of shape (n,)
            That of the sites.
        """
        self.samples = samples
        self.stiffness[0] = self.inner[0] = stiffness
        found = flow.tocoo()
        row, column, data = found.row, found.col, found.data
        for level, owner in enumerate(self.owners):
            mass = self.masses[level + 1]
            inner = mass / totals(owner, self.masses[level] / self.stiffness[level])
            row, column = owner[row], owner[column]
            apart = row != column
            row, column, data = row[apart], column[apart], data[apart]
            hits = totals(owner, hits)
            # where few samples tell the border's, that of the inside, which is larger
            own = totals(row, data, len(mass)) * samples + PRIOR_HITS * inner
            self.stiffness[level + 1] = np.minimum(own / (hits + PRIOR_HITS), inner)
            self.inner[level + 1] = inner

    def hold(self, damping: float, overlooked: float) -> None:
        """Set the springs.

        Parameters
        ----------
        damping : float
            Their share of the Hessian where it is known.
        overlooked : float
            Samples at the border of a site or cluster that may have been missed.
        """
        for level, mass in enumerate(self.masses):
            known = damping * mass * self.stiffness[level]
            self.springs[level] = known + overlooked / self.samples * self.inner[level]

    def apply(self, heights: FloatArray) -> FloatArray:
        """Product of the tree's matrix with heights."""
        return self.springs[0] * (heights - self._held_to(heights))

    def _held_to(self, heights: FloatArray) -> FloatArray:
        """What each height is held to: means of clusters in equilibrium."""
        ascended = []
        mean, spring = heights, self.springs[0]
        for owner, onwards in zip(self.owners, self.springs[1:], strict=True):
            firm = totals(owner, spring)
            pull = totals(owner, spring * mean)
            ascended.append((firm, pull))
            # seen from above, the two springs are one
            mean, spring = pull / firm, firm * onwards / (firm + onwards)
        held = np.zeros(len(self.masses[-1]))
        for level in reversed(range(len(self.owners))):
            firm, pull = ascended[level]
            onwards = self.springs[level + 1]
            held = ((pull + onwards * held) / (firm + onwards))[self.owners[level]]
        return held

    def coarse(self, level: int) -> Ground:
        """Return the tree as it acts on heights that are equal within the clusters of a level."""
        if level == 0:
            return self
        firm = self.springs[0]
        for owner, onwards in zip(self.owners[:level], self.springs[1:], strict=False):
            together = totals(owner, firm)
            firm = together * onwards / (together + onwards)
        tree = Ground(self.owners[level:], self.masses[level])
        tree.springs = [firm, *self.springs[level + 1 :]]
        return tree

    def edges(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Return the tree as a graph: the sites and then the clusters, level by level.

        Returns
        -------
        ends, others : ndarray of int64
            What the springs join.
        springs : ndarray
            Their constants.
        grounded : ndarray of shape (nodes,)
            Constants of the springs that hold nodes to 0.
        """
        starts = np.concatenate([[0], np.cumsum([len(m) for m in self.masses])])
        places = [starts[k + 1] + owner for k, owner in enumerate(self.owners)]
        others = np.concatenate([np.zeros(0, dtype=np.int64), *places])
        grounded = np.zeros(starts[-1])
        grounded[starts[-2] :] = self.springs[-1]
        springs = np.concatenate([np.zeros(0), *self.springs[:-1]])
        return np.arange(len(others)), others, springs, grounded
