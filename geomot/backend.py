"""Where scores are computed: a backend makes the objects that assign samples to sites.

A backend may keep the sites on another device or spread the work over processes; the compiled core
does neither. Its objects take float32 arrays of the host and return `Winners`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import NEAR_DIMENSIONS, NEAR_POINTS
from geomot._core.montecarlo import NearScores, PairScores, PointScores

__all__ = [
    "Backend",
    "CoreBackend",
    "DoubleBackend",
    "PairAssignment",
    "PointAssignment",
    "WinnersLike",
]

# Float64 scores held at once.
_SCORES = 2**23


class WinnersLike(Protocol):
    """Best and second-best site of each sample, and their scores."""

    @property
    def first(self) -> NDArray[np.int32]:
        """Winning sites, shape (m,)."""

    @property
    def best(self) -> NDArray[np.float32]:
        """Their scores, shape (m,)."""

    @property
    def second(self) -> NDArray[np.int32]:
        """Runners-up, shape (m,), -1 where there is one site only; asked for by `runner`."""

    @property
    def runner(self) -> NDArray[np.float32]:
        """Their scores, shape (m,); -inf where there is one site only."""


class PointAssignment(Protocol):
    """Sites, ready for samples given one by one."""

    def winners(
        self, points: ArrayLike, heights: ArrayLike, *, runner: bool = False, threads: int = 1
    ) -> WinnersLike:
        """Winners of points (m, d) under heights (n,)."""


class PairAssignment(Protocol):
    """Sites, ready for product groups."""

    def winners(
        self,
        left: ArrayLike,
        right: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        threads: int = 1,
    ) -> WinnersLike:
        """Winners of all pairs of halves, left (groups, 16, split), right (groups, 16, d - split).

        The result has groups * 256 entries, the left half's index first.
        """


class Backend(Protocol):
    """Maker of assignments; results do not depend on which one is used, up to float32 rounding."""

    def points(self, sites: ArrayLike) -> PointAssignment:
        """Prepare sites (n, d) for single samples."""

    def pairs(self, sites: ArrayLike, split: int) -> PairAssignment:
        """Prepare sites (n, d) for product groups, of which the left half has `split` columns."""


class CoreBackend:
    """The compiled kernels, on threads of this process."""

    def points(self, sites: ArrayLike) -> PointAssignment:
        """Prepare sites for single samples."""
        n, d = np.shape(sites)
        near = d <= NEAR_DIMENSIONS and n >= NEAR_POINTS
        return NearScores(sites) if near else PointScores(sites)

    def pairs(self, sites: ArrayLike, split: int) -> PairAssignment:
        """Prepare sites for product groups."""
        return PairScores(sites, split)


class DoubleBackend:
    """Scores in float64 throughout, for sites that float32 cannot tell apart: slow, and obvious."""

    def points(self, sites: ArrayLike) -> PointAssignment:
        """Prepare sites for single samples."""
        return _DoubleScores(np.asarray(sites, dtype=np.float64))

    def pairs(self, sites: ArrayLike, split: int) -> PairAssignment:
        """Product groups gain nothing here."""
        raise NotImplementedError("float64 scores are computed sample by sample")


@dataclass(frozen=True)
class _DoubleWinners:
    first: NDArray[np.int32]
    best: NDArray[np.float32]
    second: NDArray[np.int32]
    runner: NDArray[np.float32]


@dataclass(frozen=True)
class _DoubleScores:
    sites: NDArray[np.float64]

    def winners(
        self, points: ArrayLike, heights: ArrayLike, *, runner: bool = False, threads: int = 1
    ) -> WinnersLike:
        """Winners and runners-up; the threads are those of numpy's matrix product."""
        x, h = np.asarray(points, dtype=np.float64), np.asarray(heights, dtype=np.float64)
        first = np.empty(len(x), dtype=np.int32)
        second = np.full(len(x), -1, dtype=np.int32)
        best, other = np.empty(len(x), np.float32), np.full(len(x), -np.inf, np.float32)
        step = max(_SCORES // len(h), 1)
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            scores = x[part] @ self.sites.T + h
            rows = np.arange(len(scores))
            first[part] = np.argmax(scores, axis=1)
            best[part] = scores[rows, first[part]]
            if runner and len(h) > 1:
                scores[rows, first[part]] = -np.inf
                second[part] = np.argmax(scores, axis=1)
                other[part] = scores[rows, second[part]]
        return _DoubleWinners(first, best, second, other)
