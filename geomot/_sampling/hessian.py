"""The Hessian of the energy, estimated from the gaps between winner and runner-up of samples.

The density of a sample's gap at 0, smoothed by the derivative of the logistic function, is the mass
that changes sides per unit of height. It makes a sparse matrix, the Laplacian of a graph of cells.
Newton's systems with it, raised by a tree of springs (`geomot._sampling.springs`), are solved by a
few conjugate gradients that are preconditioned by the diagonal, by the whole matrix of sites that
lie close to each other, and by that of clusters. Cells of sites in a plane or on a line have few
neighbours, and mass has long ways to go: there the matrix is factorised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import splu

from geomot._constants.sampling import (
    CAUTION,
    CAUTION_EASE,
    COARSE_CLUSTERS,
    DAMPING,
    FAR_TOO_LARGE,
    HESSIAN_MEMORY,
    LEAST_DAMPING,
    MOST_DAMPING,
    NEWTON_ITERATIONS,
    NEWTON_RESIDUAL,
    OVERLOOKED_HITS,
    REFACTOR_GROWTH,
)
from geomot._sampling.clusters import totals
from geomot._sampling.designs import Design
from geomot._sampling.springs import Ground, stiffness
from geomot._search.backends import WinnersLike

__all__ = ["Curvature", "Gaps", "conjugate_gradients", "flow_between"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Linear = Callable[[FloatArray], FloatArray]

# Gaps are differences of float32 scores of about 1: below this they are rounding.
_LEAST_GAP = 1e-7

# The density of gaps at 0 is that of a kernel of this width, as a share of the geometric mean of
# the gaps; for exponential ones this is half of their median.
_WIDTH = 0.6

# Of the rows of sites that lie close to each other, entries count from this share of the diagonal
# on; and this is the least part of a diagonal that is not exchanged among them.
_STRONG = 0.1
_LEAST_SHARE = 1e-6

# Directions in which the sites vary by less than this share, squared, do not count.
_FLAT_SITES = 1e-12

# Fewer sites have no masses to move over distances.
_FEW_SITES = 3


class Gaps:
    """Running means of the gaps of the samples that each site has a part in."""

    def __init__(self, n: int) -> None:
        # samples of each cell in a look, those that a site is first or second for, and the sum of
        # the logarithms of their gaps
        self.hits = np.zeros(n)
        self.parts = np.zeros(n)
        self.logs = np.zeros(n)

    def density(self, winners: WinnersLike, weight: float) -> FloatArray:
        """Density at 0 of each sample's gap, after the batch was averaged in with a weight.

        It is taken by the gaps that are usual in the sample's cell: to a step for those of all,
        between two sites that lie close together the whole mass of one would answer.
        """
        gaps = (winners.best - winners.runner).astype(np.float64)
        logs = np.log(np.maximum(gaps, _LEAST_GAP))
        n = len(self.hits)
        first = np.bincount(winners.first, minlength=n)
        count = first + np.bincount(winners.second, minlength=n)
        total = np.bincount(winners.first, logs, n) + np.bincount(winners.second, logs, n)
        self.hits += weight * (first - self.hits)
        self.parts += weight * (count - self.parts)
        self.logs += weight * (total - self.logs)
        # as many samples as are remembered, and one more of the usual kind
        usual = float(self.logs.sum() / self.parts.sum())
        mean = (self.logs + weight * usual) / (self.parts + weight)
        width = _WIDTH * np.exp(mean[winners.first])
        decay = np.exp(-gaps / width)
        density: FloatArray = decay / (1.0 + decay) ** 2 / (width * len(gaps))
        return density


def flow_between(winners: WinnersLike, density: FloatArray, n: int) -> csr_array:
    """Symmetric matrix of the mass that changes sides between two sites per unit of height."""
    flow = coo_array((density, (winners.first, winners.second)), shape=(n, n)).tocsr()
    return (flow + flow.T).tocsr()


class Curvature:
    """Running estimate of the Hessian of the energy, as far as steps use it.

    Parameters
    ----------
    design : Design
        Where samples and sites come from.
    masses : ndarray of shape (n,)
        The target masses.
    owners : list of ndarray
        Clusters of the sites, see `geomot._sampling.clusters.hierarchy`.
    """

    def __init__(self, design: Design, masses: FloatArray, owners: list[IntArray]) -> None:
        n = len(design)
        self.seen = 0  # samples
        self.remembered = 0.0
        self.gaps = Gaps(n)
        self.flow = csr_array((n, n))
        self.ground = Ground(owners, masses)
        self.damping = 1.0
        self.caution = 1.0
        flat = n >= _FEW_SITES and _dimensions(design.frame_sites) <= 2
        self.solver: _Factors | _Iterations = _Factors() if flat else _Iterations(owners)
        self.updates = 0
        self.renewal = 0  # number of updates at which the solver is out of date

    def update(self, winners: WinnersLike) -> None:
        """Take the gaps of a batch into the estimate."""
        n, size = len(self.ground.masses[0]), len(winners.first)
        if n == 1:  # no runner-up
            return
        self.seen += size
        weight = max(size / self.seen, HESSIAN_MEMORY)
        self.remembered = min(self.seen, size / HESSIAN_MEMORY)
        flow = flow_between(winners, self.gaps.density(winners, weight), n)
        self.flow = self.flow * (1.0 - weight) + flow * weight
        self.updates += 1

    def observe(self, total_variation: float) -> None:
        """Note how far the masses were from their targets.

        Far from the solution the matrix tells little of what a long step would do: what it is
        raised by is in proportion to the total variation that is left (Levenberg, Marquardt).
        """
        self.damping = float(np.clip(DAMPING * total_variation, LEAST_DAMPING, MOST_DAMPING))
        self.renewal = 0

    def refuse(self) -> None:
        """Shorten steps, for one has made the masses far worse."""
        self.caution *= CAUTION
        self.renewal = 0

    def accept(self) -> None:
        """Lengthen steps that were shortened."""
        self.caution = max(1.0, self.caution * CAUTION**-CAUTION_EASE)

    def masses(self, targets: FloatArray) -> FloatArray:
        """Targets, and where hits tell that a cell is far larger, its mass."""
        share = self.gaps.hits / max(self.gaps.hits.sum(), 1.0)
        return np.where(share > FAR_TOO_LARGE * targets, share, targets)

    def newton_step(self, excess: FloatArray) -> FloatArray:
        """Approximate solution of H step = excess."""
        if len(excess) == 1:
            return np.zeros(1)
        if self.updates >= self.renewal:
            self._renew()
        return self.solver.solve(excess)

    def _renew(self) -> None:
        """Set up the system that steps are solved with until samples have grown by a part."""
        self.renewal = int(REFACTOR_GROWTH * self.updates) + 1
        diagonal = np.asarray(self.flow.sum(axis=1)).ravel()
        hits = self.gaps.hits * (self.remembered / self.gaps.hits.sum())
        stiff, close = stiffness(diagonal, hits, self.remembered, self.ground.owners)
        self.ground.learn(self.flow, hits, self.remembered, stiff)
        damping = min(self.damping * self.caution, MOST_DAMPING)
        self.ground.hold(damping, OVERLOOKED_HITS * self.caution)
        self.solver.prepare(self.flow, diagonal, self.ground, close)


class _Factors:
    """Solution by sparse factors of the whole matrix."""

    def __init__(self) -> None:
        self.nodes = 0
        self.factors: Any = None

    def prepare(
        self, flow: csr_array, diagonal: FloatArray, ground: Ground, close: NDArray[np.bool_]
    ) -> None:
        """Factorise; the nodes of the tree are more unknowns."""
        ends, others, springs, grounded = ground.edges()
        self.nodes = len(grounded)
        found = flow.tocoo()
        upper = found.row < found.col
        rows = np.concatenate([found.row[upper], ends])
        columns = np.concatenate([found.col[upper], others])
        data = np.concatenate([found.data[upper], springs])
        joined = coo_array((data, (rows, columns)), shape=(self.nodes, self.nodes)).tocsr()
        joined = joined + joined.T
        total = np.asarray(joined.sum(axis=1)).ravel() + grounded
        # symmetric and diagonally dominant: no pivoting
        self.factors = splu(
            (diags_array(total) - joined).tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def solve(self, excess: FloatArray) -> FloatArray:
        """Solve."""
        padded = np.zeros(self.nodes)
        padded[: len(excess)] = excess
        step: FloatArray = self.factors.solve(padded)[: len(excess)]
        return step


class _Iterations:
    """Solution by a few conjugate gradients."""

    def __init__(self, owners: list[IntArray]) -> None:
        self.clusters = _Clusters(owners)
        self.multiply: Linear = np.copy
        self.precondition: Linear = np.copy

    def prepare(
        self, flow: csr_array, diagonal: FloatArray, ground: Ground, close: NDArray[np.bool_]
    ) -> None:
        """Set up the matrix, and what is nearly its inverse."""
        near = _Close(flow, diagonal + ground.springs[0], close)
        self.clusters.prepare(flow, ground)
        self.multiply = lambda x: diagonal * x - flow @ x + ground.apply(x)
        self.precondition = lambda r: near.step(r) + self.clusters.step(r)

    def solve(self, excess: FloatArray) -> FloatArray:
        """Solve roughly."""
        return conjugate_gradients(
            self.multiply, self.precondition, excess, NEWTON_RESIDUAL, NEWTON_ITERATIONS
        )


def conjugate_gradients(
    multiply: Linear, precondition: Linear, right: FloatArray, rtol: float, most: int
) -> FloatArray:
    """Solve a positive definite system, to a residual measured by the preconditioner."""
    x = np.zeros(len(right))
    residual = right.copy()
    z = precondition(residual)
    direction = z
    product = float(residual @ z)
    goal = rtol**2 * product
    for _ in range(most):
        if product <= goal:
            break
        image = multiply(direction)
        share = product / float(direction @ image)
        x += share * direction
        residual -= share * image
        z = precondition(residual)
        product, before = float(residual @ z), product
        direction = z + (product / before) * direction
    return x


class _Close:
    """Division by the diagonal, but the whole matrix for sites that lie close to others.

    Two of them exchange mass at the least difference of their heights, and with others only if both
    move: of the matrix's rows for such sites, entries that matter are taken as they are.
    """

    def __init__(self, flow: csr_array, diagonal: FloatArray, close: NDArray[np.bool_]) -> None:
        self.diagonal = diagonal
        self.members = np.zeros(0, dtype=np.int64)
        if not close.any():
            return
        places = np.flatnonzero(close)
        found = flow[places][:, places].tocoo()
        row, column = places[found.row], places[found.col]
        matters = found.data > _STRONG * np.minimum(diagonal[row], diagonal[column])
        pairs = np.stack([row[matters], column[matters]])
        self.members, inner = np.unique(pairs, return_inverse=True)
        k = len(self.members)
        if k == 0:
            return
        inner = inner.reshape(2, -1)
        entries = coo_array((found.data[matters], (inner[0], inner[1])), shape=(k, k))
        exchanged = np.bincount(inner[0], found.data[matters], k)
        own = np.maximum(diagonal[self.members], exchanged * (1.0 + _LEAST_SHARE))
        self.factors = splu((diags_array(own) - entries).tocsc())

    def step(self, excess: FloatArray) -> FloatArray:
        """Solve."""
        step = excess / self.diagonal
        if self.members.size:
            step[self.members] = self.factors.solve(excess[self.members])
        return step


class _Clusters:
    """The matrix of a level of clusters, dense."""

    def __init__(self, owners: list[IntArray]) -> None:
        # the first level of few enough
        self.level = 0
        self.labels = np.zeros(0, dtype=np.int64)
        for k, owner in enumerate(owners):
            self.labels = owner if k == 0 else owner[self.labels]
            self.level = k + 1
            if self.labels.max() < COARSE_CLUSTERS:
                break
        self.inverse: FloatArray = np.zeros((0, 0))

    def prepare(self, flow: csr_array, ground: Ground) -> None:
        """Invert, together with the nodes of the tree above."""
        if self.level == 0:
            return
        ends, others, springs, grounded = ground.coarse(self.level).edges()
        nodes, k = len(grounded), int(self.labels.max()) + 1
        found = flow.tocoo()
        rows, columns = self.labels[found.row], self.labels[found.col]
        between = totals(rows * nodes + columns, found.data, nodes * nodes)
        matrix = between.reshape(nodes, nodes)
        np.fill_diagonal(matrix, 0.0)
        matrix[ends, others] += springs
        matrix[others, ends] += springs
        laplacian = np.diag(matrix.sum(axis=1) + grounded) - matrix
        # a block of an inverse is the inverse of what is left when the others are eliminated
        inverse: Any = np.linalg.inv(laplacian)
        self.inverse = inverse[:k, :k]

    def step(self, excess: FloatArray) -> FloatArray | float:
        """Move all sites of a cluster alike."""
        if self.level == 0:
            return 0.0
        together = totals(self.labels, excess)
        stepped: FloatArray = (self.inverse @ together)[self.labels]
        return stepped


def _dimensions(sites: FloatArray) -> int:
    """Number of dimensions that the sites span."""
    spread = np.linalg.eigvalsh(np.cov(sites.T).reshape(sites.shape[1], -1))
    return int(np.count_nonzero(spread > _FLAT_SITES * spread.max()))
