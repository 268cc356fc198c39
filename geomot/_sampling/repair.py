"""What it costs to bring the masses of a map to their targets, at most.

A plan is made from the cells of given weights: all mass goes to the site of its cell, and then what
cells have too much flows from cell to neighbouring cell until all have their targets. A random part
of cell i that is sent to site j costs more than the dual value accounts for by

    r_ij = (|c_i - y_j|^2 - w_j) - (|c_i - y_i|^2 - w_i) >= 0,

c_i being the centroid of the cell, so that W2^2 <= K(w) + sum_ij f_ij r_ij for the flows f. They
are taken as the currents of an electrical network, and so are linear in the excess: the bound is a
convex function of it, and an unbiased estimate of the excess gives, on average, no less than the
excess itself would.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geomot._constants.sampling import REPAIR_NEIGHBOURS, REPAIR_RTOL
from geomot._laplacian import Network, solve_laplacian
from geomot._search.k_nearest_cells import TopScores
from geomot._search.nearest_cell import central_point
from geomot.potentials import doubled_heights, doubled_scores

__all__ = ["LAWS", "Repair"]

FloatArray = NDArray[np.float64]

# Kinds of flow.
LAWS = 3

# Conductances within this factor of their median: ways beyond it take all or none of the flow, and
# a linear solve in float64 gets lost.
_SPAN = 1e5

# Least price of a way, as a share of their median, so that of free ones none takes all of the flow;
# and least mass that repels it, as a share of the largest.
_FREE = 1e-6
_WEIGHTLESS = 1e-12

# Slacks held at once.
_SLACKS = 2**22


def _tame(conductances: FloatArray) -> FloatArray:
    """Conductances without the extremes, on a scale of their own."""
    return np.clip(conductances / np.median(conductances), 1.0 / _SPAN, _SPAN)


class Repair:
    """Cells, prepared for flows between neighbours.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        Distinct sites.
    weights : ndarray of shape (n,)
        Their power weights.
    masses : ndarray of shape (n,)
        The masses of their cells.
    centroids : ndarray of shape (n, d)
        The centroids of their cells; NaN where there is none.
    threads : int
        Number of threads; the result does not depend on it.
    """

    def __init__(
        self,
        sites: FloatArray,
        weights: FloatArray,
        masses: FloatArray,
        centroids: FloatArray,
        threads: int,
    ) -> None:
        # what scores of sites far from the origin have in common would leave the slacks few digits
        self.centre = central_point(sites)
        self.moved = sites - self.centre
        self.doubled = doubled_heights(self.moved, weights)
        self.sites = sites
        self.weights = weights
        self.masses = masses
        self.centroids = centroids
        self.held = ~np.isnan(centroids[:, 0])
        if len(sites) == 1:
            return
        self.edges = self._neighbours(threads)
        i, j = self.edges.T
        self.there, self.back = self._slack(i, j), self._slack(j, i)
        both = self.there + self.back
        price = np.maximum(both, _FREE * np.median(both))
        price = price / price.max() if price.min() > 0.0 else np.ones_like(both)
        mass = np.minimum(masses[i], masses[j])
        mass = np.maximum(mass / masses.max(), _WEIGHTLESS)
        # Cheap ways attract the flow, small cells repel it: how much is best depends.
        laws = [mass / price**2, mass / price, mass**2 / price]
        self.networks = [Network(len(sites), self.edges, _tame(law)) for law in laws]

    def _neighbours(self, threads: int) -> NDArray[np.int64]:
        """Pairs of sites: of each cell those nearest to its centroid, and of all the heaviest."""
        n = len(self.sites)
        count = min(REPAIR_NEIGHBOURS + 1, n)
        scores = TopScores(self.sites, self.weights)
        near, _ = scores(self.centroids[self.held], count, threads)
        own = np.repeat(np.flatnonzero(self.held), count)
        hub = int(np.argmax(self.masses))
        first = np.concatenate([own, np.full(n, hub)])
        second = np.concatenate([near.ravel().astype(np.int64), np.arange(n)])
        different = first != second
        low = np.minimum(first, second)[different]
        high = np.maximum(first, second)[different]
        keys = np.unique(low * n + high)
        return np.column_stack([keys // n, keys % n])

    def _slack(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> FloatArray:
        """Cost of sending mass of cell i to site j, beyond the dual value.

        That of the worst move where cell i has no centroid.
        """
        c, y, h = self.centroids[i] - self.centre, self.moved, self.doubled
        slack = np.maximum(doubled_scores(np.sum(c * (y[i] - y[j]), axis=1), h[i] - h[j]), 0.0)
        missing = ~self.held[i]
        if missing.any():
            slack[missing] = self._worst
        return slack

    @cached_property
    def _worst(self) -> float:
        """The largest slack of any cell and site."""
        worst = 0.0
        cells = np.flatnonzero(self.held)
        step = max(_SLACKS // len(self.sites), 1)
        for start in range(0, len(cells), step):
            part = cells[start : start + step]
            inner = (self.centroids[part] - self.centre) @ self.moved.T
            scores = doubled_scores(inner, self.doubled)
            own = scores[np.arange(len(part)), part]
            worst = max(worst, float(np.max(own - scores.min(axis=1))))
        return worst

    def costs(self, excess: FloatArray) -> FloatArray:
        """Return upper bounds on W2^2 less the dual value, by `LAWS` kinds of flow.

        Parameters
        ----------
        excess : ndarray of shape (n,)
            What the cells have beyond their targets; of sum 0 but for rounding.

        Returns
        -------
        ndarray of shape (LAWS,)
        """
        if len(self.sites) == 1:
            return np.zeros(LAWS)
        return np.array([self._cost(network, excess) for network in self.networks])

    def _cost(self, network: Network, excess: FloatArray) -> float:
        """The bound by the flows of one network."""
        hi, lo = solve_laplacian(network, excess, np.ones_like(excess), REPAIR_RTOL).values
        i, j = self.edges.T
        flow = network.conductances * ((hi[i] - hi[j]) + (lo[i] - lo[j]))
        out = np.bincount(i, np.maximum(flow, 0.0), len(hi))
        out += np.bincount(j, np.maximum(-flow, 0.0), len(hi))
        left = network.excess((hi, lo), excess)[0]
        # What passes through a cell beyond its own mass is not a random part of it, and what the
        # linear solve has left is moved at the worst price.
        stray = float(np.sum(np.maximum(out - self.masses, 0.0)) + 0.5 * np.sum(np.abs(left)))
        price = float(np.sum(np.where(flow > 0.0, flow * self.there, -flow * self.back)))
        return price + (stray * self._worst if stray > 0.0 else 0.0)
