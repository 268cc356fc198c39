"""Heights to start a fit from, found on levels of ever more sites.

Far from the solution the single steps of a stochastic fit are of little use: cells are empty, and
mass has long ways to go. For few sites this is a small problem. So clusters of sites are solved for
first, each standing at its centroid with the mass of its sites, then the clusters that these
consist of, and so on down to the sites themselves.

From level to level a site gets the height at which it takes its own mass from the potential of the
coarser level, whatever its neighbours do (`geomot._sampling.lost_sites`). No cell starts empty, and
none far too large, wherever the source has its mass. What is still wrong is mended by Newton's
method on a fixed set of samples: their dual value is concave, so each step can be tried, and is
damped until it makes progress (Levenberg, Marquardt).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geomot._constants.sampling import (
    LEVEL_GOALS,
    LEVEL_ITERATIONS,
    LEVEL_RESIDUAL,
    LEVEL_SAMPLES,
    LEVEL_SAMPLES_PER_SITE,
    LEVEL_STEPS,
    TOP_LEVEL,
)
from geomot._moments import weighted_moments
from geomot._sampling.clusters import centroids
from geomot._sampling.designs import Batch, Design
from geomot._sampling.hessian import Gaps, Linear, conjugate_gradients, flow_between
from geomot._sampling.lost_sites import Thresholds
from geomot._sampling.springs import Ground, stiffness
from geomot._search.backends import CoreBackend, WinnersLike

__all__ = ["Start", "gaussian_heights", "look_samples", "start_from_levels"]

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]

# A step is progress if the dual value rises by this share of what the matrix promises. The damping
# falls after good steps, and grows until there is progress.
_PROGRESS = 0.1
_GOOD = 0.5
_EASE = 0.25
_TIGHTEN = 4.0
_DAMPING_RANGE = 1e-6, 1e6

# Cells with less than this share of their mass are lifted to the second share of it, if they lack
# more than the third share of all mass that is out of place.
_LOST = 0.1
_LIFTED = 0.5
_MATTERS = 0.2

# Variance of the sites, as a share of the largest, in directions in which they do not spread.
_FLAT_TARGET = 1e-12


@dataclass(frozen=True)
class Start:
    """Heights to start from, and what is known of them.

    Attributes
    ----------
    heights : ndarray of shape (n,)
        The heights, in the frame of the design.
    winners : WinnersLike
        Winners and runners-up of the last samples under them.
    samples : int
        Number of these samples, to which the heights were fitted.
    drawn : int
        Samples that were drawn on all levels.
    total_variation : float
        How far the masses of the last samples are from their targets.
    """

    heights: FloatArray
    winners: WinnersLike
    samples: int
    drawn: int
    total_variation: float


def look_samples(n: int) -> int:
    """Samples that show so many cells: more for each of few."""
    fewest, most = LEVEL_SAMPLES_PER_SITE
    return max(LEVEL_SAMPLES[0], min(most * n, LEVEL_SAMPLES[1]), fewest * n)


def start_from_levels(
    design: Design, draw: Callable[[int], Batch], masses: FloatArray, owners: list[IntArray]
) -> Start:
    """Find heights to start a fit from.

    Parameters
    ----------
    design : Design
        Samples, and which sites they go to.
    draw : callable
        The samples.
    masses : ndarray of shape (n,)
        The target masses, all positive.
    owners : list of ndarray
        Clusters of the sites, see `geomot._sampling.clusters.hierarchy`.

    Returns
    -------
    Start
    """
    levels = _levels(design.frame_sites, masses, owners)
    coarser: tuple[FloatArray, FloatArray] | None = None
    drawn = 0
    for depth, (sites, nu) in reversed(list(enumerate(levels))):
        batch = draw(-(-look_samples(len(sites)) // design.group))
        points = design.points(batch)
        drawn += len(points)
        if coarser is None:
            guess = gaussian_heights(sites, nu, points)
        else:
            guess = _refined(coarser, sites, nu, points)
        assign = _Assign(design, points, sites) if depth else _AssignBatch(design, batch)
        dual = _Dual(points, sites, nu, owners[depth:], assign)
        found = dual.climb(guess, LEVEL_GOALS[1 if depth == 0 else 0])
        coarser = sites, found.heights
    return Start(found.heights, found.winners, len(points), drawn, found.total_variation)


def _refined(
    coarser: tuple[FloatArray, FloatArray],
    sites: FloatArray,
    masses: FloatArray,
    points: Float32Array,
) -> FloatArray:
    """Heights at which sites take their masses from the potential of a coarser level."""
    clusters, heights = coarser
    thresholds = Thresholds(sites, masses)
    thresholds.add(points, CoreBackend().points(clusters).winners(points, heights).best)
    return thresholds.heights()


def _levels(
    sites: FloatArray, masses: FloatArray, owners: list[IntArray]
) -> list[tuple[FloatArray, FloatArray]]:
    """Sites and masses of all levels, from the finest to the coarsest."""
    levels = [(sites, masses)]
    for owner in owners:
        if len(levels[-1][0]) <= TOP_LEVEL:
            break
        levels.append(centroids(*levels[-1], owner))
    return levels


class _Assign:
    """Winners and runners-up of given points among the sites of a level."""

    def __init__(self, design: Design, points: Float32Array, sites: FloatArray) -> None:
        self.points = points
        self.scores = CoreBackend().points(sites)
        self.threads = design.threads

    def __call__(self, heights: FloatArray) -> WinnersLike:
        return self.scores.winners(self.points, heights, runner=True, threads=self.threads)


class _AssignBatch:
    """Winners and runners-up of a batch among the sites of the design."""

    def __init__(self, design: Design, batch: Batch) -> None:
        self.design = design
        self.batch = batch

    def __call__(self, heights: FloatArray) -> WinnersLike:
        return self.design.winners(self.batch, heights, runner=True)


@dataclass(frozen=True)
class _Point:
    """Heights, and what the samples say about them."""

    heights: FloatArray
    winners: WinnersLike
    excess: FloatArray
    value: float

    @property
    def total_variation(self) -> float:
        return 0.5 * float(np.abs(self.excess).sum())


class _Dual:
    """The dual value of heights on fixed samples.

    Parameters
    ----------
    points : ndarray of shape (m, d), float32
        The samples in the frame.
    sites : ndarray of shape (n, d)
        The sites in the frame.
    masses : ndarray of shape (n,)
        Their target masses.
    owners : list of ndarray
        Clusters of the sites.
    assign : callable
        Winners and runners-up of the samples under given heights.
    """

    def __init__(
        self,
        points: Float32Array,
        sites: FloatArray,
        masses: FloatArray,
        owners: list[IntArray],
        assign: Callable[[FloatArray], WinnersLike],
    ) -> None:
        self.points = points
        self.sites = sites
        self.masses = masses
        self.ground = Ground(owners, masses)
        self.assign = assign

    def at(self, heights: FloatArray) -> _Point:
        """Evaluate heights."""
        heights = heights - heights.mean()
        winners = self.assign(heights)
        n, m = len(self.masses), len(self.points)
        shares = np.bincount(winners.first, minlength=n) / m
        value = float(heights @ self.masses - winners.best.sum(dtype=np.float64) / m)
        return _Point(heights, winners, shares - self.masses, value)

    def climb(self, heights: FloatArray, goal: float) -> _Point:
        """Newton's method to a total variation, or as far as it gets."""
        now, damping = self.at(heights), 1.0
        for _ in range(LEVEL_STEPS):
            if len(self.masses) == 1 or now.total_variation <= goal or damping > _DAMPING_RANGE[1]:
                break
            now = self._lifted(now)
            now, damping = self._stepped(now, damping)
        return now

    def _lifted(self, now: _Point) -> _Point:
        """Give cells that lack nearly all of their mass a part of it, if that is progress."""
        shares = now.excess + self.masses
        due = self.masses * len(self.points)
        lost = np.flatnonzero((shares < _LOST * self.masses) & (due >= 1.0))
        if self.masses[lost].sum() <= _MATTERS * now.total_variation:
            return now
        thresholds = Thresholds(self.sites[lost], _LIFTED * self.masses[lost])
        thresholds.add(self.points, now.winners.best)
        heights = now.heights.copy()
        heights[lost] = np.maximum(heights[lost], thresholds.heights())
        trial = self.at(heights)
        return trial if trial.value > now.value else now

    def _stepped(self, now: _Point, damping: float) -> tuple[_Point, float]:
        """One step that is progress, and the damping for the next one."""
        n, m = len(self.masses), len(self.points)
        flow = flow_between(now.winners, Gaps(n).density(now.winners, 1.0), n)
        diagonal = np.asarray(flow.sum(axis=1)).ravel()
        hits = (now.excess + self.masses) * m
        ground = self.ground
        ground.learn(flow, hits, m, stiffness(diagonal, hits, m, ground.owners)[0])
        while damping <= _DAMPING_RANGE[1]:
            ground.hold(damping, damping)
            multiply = _raised(flow, diagonal, ground)
            own = diagonal + ground.springs[0]
            step = conjugate_gradients(
                multiply, partial(_divided, own), -now.excess, LEVEL_RESIDUAL, LEVEL_ITERATIONS
            )
            promised = -float(step @ now.excess) - 0.5 * float(step @ multiply(step))
            trial = self.at(now.heights + step)
            gained = trial.value - now.value
            if gained > _PROGRESS * promised:
                ease = _EASE if gained > _GOOD * promised else 1.0
                return trial, max(damping * ease, _DAMPING_RANGE[0])
            damping *= _TIGHTEN
        return now, damping


def _raised(flow: csr_array, diagonal: FloatArray, ground: Ground) -> Linear:
    """The Hessian on its ground."""
    return lambda x: diagonal * x - flow @ x + ground.apply(x)


def _divided(diagonal: FloatArray, x: FloatArray) -> FloatArray:
    return x / diagonal


def gaussian_heights(sites: FloatArray, masses: FloatArray, points: Float32Array) -> FloatArray:
    """Heights of the optimal map between Gaussians with the moments of samples and sites.

    For sites that fill the space evenly they are close; they are exact in the limit of Gaussian
    source and target. The optimal map from N(m, A) to N(n, B) is x -> n + M (x - m). The potential
    of its inverse, (y - n)' M^-1 (y - n) / 2 + <m, y>, is minus the heights sought.
    """
    if len(sites) == 1:
        return np.zeros(1)
    x = points.astype(np.float64)
    mean, target = weighted_moments(sites, masses)
    centred = sites - mean
    values, vectors = np.linalg.eigh(target)
    values = np.maximum(values, _FLAT_TARGET * values.max())
    root = np.sqrt(values)
    half = (vectors * root) @ vectors.T
    inner, turn = np.linalg.eigh(half @ np.cov(x.T).reshape(x.shape[1], -1) @ half)
    middle = (turn * np.sqrt(np.maximum(inner, 0.0))) @ turn.T
    undo = (vectors / root) @ vectors.T
    inverse = undo @ middle @ undo
    heights: FloatArray = -0.5 * np.einsum("nk,kl,nl->n", centred, inverse, centred)
    return heights - centred @ x.mean(axis=0)
