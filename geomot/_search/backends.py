"""Where scores are computed: a backend makes the objects that assign samples to sites.

A backend may keep the sites on another device or spread the work over processes; the compiled core
does neither. Its objects take float32 arrays of the host and return `Winners`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants.sampling import NEAR_DIMENSIONS, NEAR_POINTS
from geomot._core.montecarlo import NearScores, PairScores, PointScores

__all__ = [
    "Backend",
    "CoreBackend",
    "PairAssignment",
    "PointAssignment",
    "WinnersLike",
]


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
        """Runners-up, shape (m,), -1 where there is one site only; asked for by `runner` alone."""

    @property
    def runner(self) -> NDArray[np.float32]:
        """Their scores, shape (m,); -inf where there is one site only.

        If asked for by `lead`: so close to the best score, and no closer, where they are.
        """


class PointAssignment(Protocol):
    """Sites, ready for samples given one by one."""

    def winners(
        self,
        points: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: NDArray[np.float32] | None = None,
        threads: int = 1,
    ) -> WinnersLike:
        """Winners of points (m, d) under heights (n,).

        With `runner` also the runners-up. With `lead` (m,) only whether winners are ahead of all
        others by more than that: best - runner is more than the lead where they are, and not
        elsewhere.
        """


class PairAssignment(Protocol):
    """Sites, ready for product groups."""

    def winners(
        self,
        left: ArrayLike,
        right: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: NDArray[np.float32] | None = None,
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
