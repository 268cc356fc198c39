"""Which data a point of noise goes with: the site of its cell, or one of several cells nearest.

The hard rule is that of `Solution.assign`, bit for bit, wherever it is computed. On a device of
torch, scores are float32; where the best is not ahead of the second by more than both may be
rounded, the point is decided on the CPU in float64. With terms <x, y> + h of d coordinates, a score
is off by at most (d + 3) u (|x| |y| + |h|), u = 2^-24: d + 1 roundings of sums and products, and
one each of x, y and h.

The soft rule draws site i with the probability

    p_i(x) = exp((w_i - |x - y_i|^2) / epsilon) / sum over the top_k nearest cells,

the conditional law of the plan with entropic regularisation epsilon for the cost |x - y|^2
(Genevay, Cuturi, Peyre, Bach, "Stochastic optimization for large-scale optimal transport", 2016),
cut off after `top_k` terms. Which cells are nearest is decided in float32, their probabilities in
float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geomot._constants import UNIT_ROUNDOFF_SINGLE
from geomot._duplicates import Merged
from geomot._search.k_nearest_cells import TopScores
from geomot._search.nearest_cell import Frame
from geomot.solution import Solution

__all__ = ["DeviceRule", "HardRule", "Rule", "SoftRule"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Numbers of differences x - y that are held at once.
_NUMBERS_SEARCHED = 2**22

# Room for the rounding of the bound itself, which is computed in float64.
_ROOM = 1.0 + 2.0**-20


class Rule(Protocol):
    """What a point of noise goes with."""

    def plan(self, points: FloatArray, threads: int) -> tuple[IntArray, FloatArray]:
        """Return sites (m, k) that points (m, d) may go with, and their probabilities (m, k)."""

    def draw(self, points: FloatArray, uniforms: FloatArray, threads: int) -> IntArray:
        """Return one site for each point, drawn by numbers in [0, 1)."""


class HardRule:
    """The site of the cell that a point lies in.

    Parameters
    ----------
    solution : Solution
        The optimal map.
    """

    def __init__(self, solution: Solution) -> None:
        self.solution = solution

    def plan(self, points: FloatArray, threads: int) -> tuple[IntArray, FloatArray]:
        """Return the site of each point, (m, 1), and ones."""
        index = self.draw(points, np.empty(0), threads)[:, None]
        return index, np.ones(index.shape)

    def draw(self, points: FloatArray, uniforms: FloatArray, threads: int) -> IntArray:
        """Return the site of each point; nothing is drawn."""
        return self.solution.assign(points, threads=threads)


class DeviceRule(HardRule):
    """The same sites, found on a device of torch.

    Parameters
    ----------
    solution : Solution
        The optimal map.
    device : str
        The device, as torch names it.
    """

    def __init__(self, solution: Solution, device: str) -> None:
        from geomot._search.torch_backend import TorchBackend

        super().__init__(solution)
        self.members = Merged(solution.sites, solution.target_masses).members
        self.frame = Frame(solution.sites[self.members])
        self.heights = self.frame.heights(solution.weights[self.members])
        self.scores = TorchBackend(device).points(self.frame.sites)
        self._longest = float(np.sqrt(self.frame.squares.max()))
        self._highest = float(np.abs(self.heights).max())

    def draw(self, points: FloatArray, uniforms: FloatArray, threads: int) -> IntArray:
        """Return the site of each point; nothing is drawn."""
        x = (points - self.frame.centre) * self.frame.factor
        found = self.scores.winners(x, self.heights, runner=True, threads=threads)
        index = self.members[found.first]
        lead = found.best.astype(np.float64) - found.runner
        near = np.flatnonzero(~(lead > self._rounding(x)))
        index[near] = super().draw(points[near], uniforms, threads)
        return index

    def _rounding(self, x: FloatArray) -> FloatArray:
        """How far the difference of two scores may be off, (m,)."""
        terms = np.linalg.norm(x, axis=1) * self._longest + self._highest
        return 2.0 * _ROOM * (x.shape[1] + 3) * UNIT_ROUNDOFF_SINGLE * terms


class SoftRule:
    """One of the `top_k` cells nearest to a point, with entropic probabilities.

    Parameters
    ----------
    sites : ndarray of shape (n, d)
        The sites.
    weights : ndarray of shape (n,)
        Their weights: potentials of the regularised problem.
    masses : ndarray of shape (n,)
        What the sites are to receive: those without mass are never drawn.
    epsilon : float
        The regularisation, a squared length.
    top_k : int
        Terms that are kept; all if there are fewer.
    device : str, optional
        Where torch finds the nearest cells; None: the compiled core.
    """

    def __init__(
        self,
        sites: FloatArray,
        weights: FloatArray,
        masses: FloatArray,
        epsilon: float,
        top_k: int,
        device: str | None = None,
    ) -> None:
        self.members = np.flatnonzero(masses > 0.0)
        self.sites, self.weights = sites[self.members], weights[self.members]
        self.epsilon, self.top_k = epsilon, min(top_k, len(self.members))
        self.device = device

    @cached_property
    def _nearest(self) -> Callable[[FloatArray, int, int], IntArray]:
        """Finds the k cells nearest to points, with a number of threads."""
        if self.device is not None:
            return _DeviceSearch(self.sites, self.weights, self.device)
        scores = TopScores(self.sites, self.weights)
        return lambda points, k, threads: scores(points, k, threads)[0].astype(np.int64)

    def under(self, weights: FloatArray) -> SoftRule:
        """Return the rule of the same sites under other weights, (n,)."""
        other = SoftRule.__new__(SoftRule)
        vars(other).update({k: v for k, v in vars(self).items() if k != "_nearest"})
        other.weights = weights[self.members]
        return other

    def plan(self, points: FloatArray, threads: int) -> tuple[IntArray, FloatArray]:
        """Return the sites nearest to each point, (m, k), and their probabilities."""
        index = self._nearest(points, self.top_k, threads)
        # the power distances, less the least of each point
        distances = np.empty(index.shape)
        step = max(_NUMBERS_SEARCHED // (self.top_k * points.shape[1]), 1)
        for start in range(0, len(points), step):
            part = slice(start, start + step)
            apart = points[part, None] - self.sites[index[part]]
            distances[part] = np.einsum("mkd,mkd->mk", apart, apart) - self.weights[index[part]]
        distances -= distances.min(axis=1, keepdims=True, initial=np.inf)
        shares = np.exp(-distances / self.epsilon)
        shares /= shares.sum(axis=1, keepdims=True)
        return self.members[index], shares

    def draw(self, points: FloatArray, uniforms: FloatArray, threads: int) -> IntArray:
        """Return one site for each point, drawn by numbers in [0, 1)."""
        index, shares = self.plan(points, threads)
        cumulative = shares.cumsum(axis=1)
        below = cumulative[:, :-1] <= uniforms[:, None] * cumulative[:, -1:]
        return index[np.arange(len(points)), below.sum(axis=1)]


class _DeviceSearch:
    """The cells nearest to points, on a device of torch."""

    def __init__(self, sites: FloatArray, weights: FloatArray, device: str) -> None:
        from geomot._search.torch_backend import TorchBackend

        self.frame = Frame(sites)
        self.heights = self.frame.heights(weights)
        self.scores = TorchBackend(device).points(self.frame.sites)

    def __call__(self, points: FloatArray, k: int, threads: int) -> IntArray:
        x = (points - self.frame.centre) * self.frame.factor
        return self.scores.largest(x, self.heights, k, threads=threads)
