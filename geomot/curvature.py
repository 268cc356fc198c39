"""The Hessian of the energy, estimated from the gaps between winner and runner-up of samples.

The density of a sample's gap at 0, smoothed over half the median gap by the derivative of the
logistic function, is the mass that changes sides per unit of height: from it come the diagonal, for
steps site by site, and what moves masses farther than to the next cell. In three dimensions and
more that is the aggregation to a few clusters of sites. Cells of sites in a plane or on a line have
few neighbours, and long ways for mass to go: there the whole sparse matrix is used.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from geomot._constants import (
    COARSE_CLUSTERS,
    COARSE_FLOOR,
    COARSE_SITES,
    DAMPING,
    FAR_TOO_LARGE,
    HESSIAN_MEMORY,
    LEAST_DAMPING,
    LLOYD_STEPS,
    REFACTOR_GROWTH,
)
from geomot._core.montecarlo import PointScores
from geomot.backend import WinnersLike
from geomot.design import Design

__all__ = ["Curvature"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Gaps are differences of float32 scores of about 1: below this they are rounding.
_LEAST_GAP = 1e-7

# Entries of the diagonal for each unit of mass that are this many times the median stand out.
_STANDS_OUT = 10.0

# The density of gaps at 0 is that of a kernel of this width, as a share of the geometric mean of
# the gaps; for exponential ones this is half of their median.
_WIDTH = 0.6

# Sites whose gaps are this much smaller than usual, on a logarithmic scale, are close to others.
# Entries of their rows matter from this share of the diagonal on; and the least part of a diagonal
# that is not exchanged among them.
_CLOSE = -2.0
_STRONG = 0.1
_LEAST_SHARE = 1e-6

# Directions in which the sites vary by less than this share, squared, do not count.
_FLAT = 1e-12

# Fewer sites have no masses to move over distances.
_FEW_SITES = 3


class Curvature:
    """Running estimate of the Hessian of the energy, as far as steps use it.

    Parameters
    ----------
    design : Design
        Where samples and sites come from.
    rng : Generator
        Randomness of the clusters.
    """

    def __init__(self, design: Design, rng: np.random.Generator) -> None:
        n = len(design)
        self.looks = 0
        self.diagonal = np.zeros(n)
        self.trace = 0.0  # of the diagonal, without entries that stand out
        # samples of each cell in a look, those that a site is first or second for, and the sum of
        # the logarithms of their gaps
        self.hits = np.zeros(n)
        self.parts = np.zeros(n)
        self.logs = np.zeros(n)
        self.usual = 0.0
        self.near = _Close(n)
        self.far: _Far = _choose_far(design.frame_sites, rng)

    def update(self, winners: WinnersLike) -> None:
        """Take the gaps of a batch into the estimate."""
        gaps = (winners.best - winners.runner).astype(np.float64)
        if not np.isfinite(gaps).all():  # a single site has no runner-up
            self.diagonal[:] = self.trace = 1.0
            return
        self.looks += 1
        weight = max(1.0 / self.looks, HESSIAN_MEMORY)
        levels = self._levels(np.log(np.maximum(gaps, _LEAST_GAP)), winners, weight)
        # by the gaps that are usual in the cell: to a step for those of all between two sites that
        # lie close together, the whole mass of one would answer
        width = _WIDTH * np.exp(self.usual + levels[winners.first])
        decay = np.exp(-gaps / width)
        density = decay / (1.0 + decay) ** 2 / (width * len(gaps))
        n = len(self.diagonal)
        diagonal = np.bincount(winners.first, density, n) + np.bincount(winners.second, density, n)
        self.diagonal += weight * (diagonal - self.diagonal)
        self.trace = self._usual_trace()
        self.far.update(winners.first, winners.second, density, weight)
        if not self.far.complete:
            close = levels < _CLOSE
            self.near.update(winners.first, winners.second, density, weight, close, self.diagonal)

    def _levels(self, logs: FloatArray, winners: WinnersLike, weight: float) -> FloatArray:
        """Mean logarithm of the gaps that each site has a part in, less that of all."""
        n = len(self.diagonal)
        first = np.bincount(winners.first, minlength=n)
        count = first + np.bincount(winners.second, minlength=n)
        total = np.bincount(winners.first, logs, n) + np.bincount(winners.second, logs, n)
        self.hits += weight * (first - self.hits)
        self.parts += weight * (count - self.parts)
        self.logs += weight * (total - self.logs)
        # as many samples as are remembered, and one more of the usual kind
        self.usual = float(self.logs.sum() / self.parts.sum())
        levels: FloatArray = (self.logs + weight * self.usual) / (self.parts + weight) - self.usual
        return levels

    def _usual_trace(self) -> float:
        """Trace to which no site adds far more than its mass: some have another next to them."""
        share = self.hits / self.hits.sum()
        seen = share > 0.0
        ratios = self.diagonal[seen] / share[seen]
        return float(np.minimum(self.diagonal, _STANDS_OUT * np.median(ratios) * share).sum())

    def observe(self, total_variation: float) -> None:
        """Note how far the masses were from their targets."""
        self.far.observe(total_variation)

    def masses(self, targets: FloatArray) -> FloatArray:
        """Targets, and where hits tell that a cell is far larger, its mass."""
        share = self.hits / max(self.hits.sum(), 1.0)
        return np.where(share > FAR_TOO_LARGE * targets, share, targets)

    def newton_step(
        self, excess: FloatArray, floor: FloatArray
    ) -> tuple[FloatArray | float, FloatArray | float]:
        """Parts of an approximate solution of H step = excess: site by site, and over distances.

        ``floor`` times the trace is added to the diagonal.
        """
        ground = floor * self.trace
        far = self.far.step(excess, ground)
        if self.far.complete:
            return 0.0, far
        return self.near.step(excess, self.diagonal + ground), far


class _Close:
    """Steps site by site, but together for sites that lie far closer than usual.

    Two of them exchange masses at the least difference of their heights, and with others only if
    both move: of the matrix's rows for such sites, entries that matter are taken as they are.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.flow = csr_array((n, n))
        # sites with an entry that matters, and these entries by their places among the sites
        self.members = np.zeros(0, dtype=np.int64)
        self.entries = coo_array((0, 0))

    def update(
        self,
        first: NDArray[Any],
        second: NDArray[Any],
        density: FloatArray,
        weight: float,
        close: NDArray[np.bool_],
        diagonal: FloatArray,
    ) -> None:
        """Average the flow between sites that are close to others in."""
        both = close[first] & close[second]
        if not (both.any() or self.flow.nnz):
            return
        flow = coo_array((density[both], (first[both], second[both])), shape=(self.n, self.n))
        self.flow = self.flow * (1.0 - weight) + (flow + flow.T).tocsr() * weight
        found = self.flow.tocoo()
        matters = found.data > _STRONG * np.minimum(diagonal[found.row], diagonal[found.col])
        matters &= close[found.row] & close[found.col]
        self.members, places = np.unique(
            np.stack([found.row[matters], found.col[matters]]), return_inverse=True
        )
        k = len(self.members)
        self.entries = coo_array((found.data[matters], tuple(places.reshape(2, -1))), shape=(k, k))

    def step(self, excess: FloatArray, diagonal: FloatArray) -> FloatArray:
        """Solve with the diagonal, and with the flow between close sites."""
        step = excess / diagonal
        if self.members.size:
            # what was seen of the flow at other times may exceed the diagonal
            exchanged = np.bincount(self.entries.row, self.entries.data, len(self.members))
            own = np.maximum(diagonal[self.members], exchanged * (1.0 + _LEAST_SHARE))
            matrix = (diags_array(own) - self.entries).tocsc()
            step[self.members] = splu(matrix).solve(excess[self.members])
        return step


class _Far(Protocol):
    """The part of the Hessian that moves masses over distances."""

    complete: bool  # whether steps site by site are part of it

    def update(
        self, first: NDArray[Any], second: NDArray[Any], density: FloatArray, weight: float
    ) -> None:
        """Average the flow between winners and runners-up in, with a weight."""

    def observe(self, total_variation: float) -> None:
        """Note how far the masses were from their targets."""

    def step(self, excess: FloatArray, ground: FloatArray) -> FloatArray | float:
        """Solve for a step, the diagonal being raised by `ground`."""


def _choose_far(sites: FloatArray, rng: np.random.Generator) -> _Far:
    n = len(sites)
    if n < _FEW_SITES:
        return _Nothing()
    spread = np.linalg.eigvalsh(np.cov(sites.T).reshape(sites.shape[1], -1))
    if np.count_nonzero(spread > _FLAT * spread.max()) <= 2:
        return _Graph(n)
    count = min(COARSE_CLUSTERS, n // COARSE_SITES)
    return _Clusters(sites, count, rng) if count > 1 else _Nothing()


class _Nothing:
    """No part: few sites."""

    complete = False

    def update(
        self, first: NDArray[Any], second: NDArray[Any], density: FloatArray, weight: float
    ) -> None:
        """Do nothing."""

    def observe(self, total_variation: float) -> None:
        """Do nothing."""

    def step(self, excess: FloatArray, ground: FloatArray) -> float:
        """Return no step."""
        return 0.0


class _Clusters:
    """The matrix between clusters of sites, dense."""

    complete = False

    def __init__(self, sites: FloatArray, count: int, rng: np.random.Generator) -> None:
        self.labels = _lloyd(sites, count, rng)
        self.matrix = np.zeros((count, count))
        self.inverse = np.zeros((count, count))

    def update(
        self, first: NDArray[Any], second: NDArray[Any], density: FloatArray, weight: float
    ) -> None:
        """Average the flow in, and invert."""
        k = len(self.matrix)
        flow = np.bincount(self.labels[first] * k + self.labels[second], density, k * k)
        flow = flow.reshape(k, k)
        flow += flow.T
        np.fill_diagonal(flow, 0.0)
        self.matrix += weight * (np.diag(flow.sum(axis=0)) - flow - self.matrix)
        floor = COARSE_FLOOR * float(np.trace(self.matrix)) / k
        if floor > 0.0:
            self.inverse[:] = np.linalg.inv(self.matrix + floor * np.eye(k))

    def observe(self, total_variation: float) -> None:
        """Do nothing: the floor is fixed."""

    def step(self, excess: FloatArray, ground: FloatArray) -> FloatArray:
        """Move all sites of a cluster alike."""
        together = np.bincount(self.labels, excess, len(self.matrix))
        stepped: FloatArray = (self.inverse @ together)[self.labels]
        return stepped


class _Graph:
    """The whole matrix, sparse; factorised again as samples accumulate.

    Far from the solution the matrix tells little of what a long step would do: what the diagonal is
    raised by is in proportion to the total variation that is left (Levenberg, Marquardt).
    """

    complete = True

    def __init__(self, n: int) -> None:
        self.n = n
        self.flow: Any = None
        self.factor: Any = None
        self.updates = 0
        self.renewal = 0
        self.damping = 1.0

    def update(
        self, first: NDArray[Any], second: NDArray[Any], density: FloatArray, weight: float
    ) -> None:
        """Average the flow in."""
        flow = coo_array((density, (first, second)), shape=(self.n, self.n)).tocsr()
        self.flow = flow if self.flow is None else self.flow * (1.0 - weight) + flow * weight
        self.updates += 1
        if self.updates >= self.renewal:
            self.factor = None

    def observe(self, total_variation: float) -> None:
        """Damp steps by what is left."""
        self.damping = float(np.clip(DAMPING * total_variation, LEAST_DAMPING, 1.0))
        self.factor = None

    def step(self, excess: FloatArray, ground: FloatArray) -> FloatArray:
        """Solve with the factors of the last renewal."""
        if self.factor is None:
            both = self.flow + self.flow.T
            diagonal = np.asarray(both.sum(axis=1)).ravel() + self.damping * ground
            # symmetric and diagonally dominant: no pivoting
            self.factor = splu(
                (diags_array(diagonal) - both).tocsc(),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
            self.renewal = int(REFACTOR_GROWTH * self.updates) + 1
        stepped: FloatArray = self.factor.solve(excess)
        return stepped - stepped.mean()


def _lloyd(sites: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    """Cluster of each site, after a few of Lloyd's steps from random sites."""
    centres = sites[rng.choice(len(sites), count, replace=False)]
    points = sites.astype(np.float32)
    for _ in range(LLOYD_STEPS + 1):
        heights = -0.5 * np.einsum("kd,kd->k", centres, centres)
        label = PointScores(centres).winners(points, heights).first
        size = np.maximum(np.bincount(label, minlength=count), 1)
        sums = [np.bincount(label, column, count) for column in sites.T]
        centres = np.stack(sums, axis=1) / size[:, None]
    return label.astype(np.int64)
