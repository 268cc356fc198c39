"""Descent of quantisation energies: Lloyd's steps, and quasi-Newton steps that start from them.

The energy of points y_i whose cells have masses m_i and centroids c_i has the gradient
2 m_i (y_i - c_i), and Lloyd's step, from the points to the centroids, is a step of gradient descent
with the inverse Hessian 1 / (2 m_i), which is never too long: the energy falls by at least
sum_i m_i |y_i - c_i|^2. L-BFGS (Nocedal 1980) with this diagonal as its first guess sees how the
cells answer to each other's motion (Liu, Wang, Levy, Sun, Yan, Lu, Yang 2009, for Voronoi cells;
Xin, Levy, Chen, Chu, Yu, Tu, Wang 2016, for cells of given masses). A step that does not lower the
energy enough is shortened, and at last replaced by Lloyd's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Energy", "Place", "descend"]

FloatArray = NDArray[np.float64]

# Pairs of steps and changes of the gradient that are remembered.
MEMORY = 10
# Share of the decrease that the slope promises, which a step must bring (Armijo).
ENOUGH = 1e-4
# Lengths of a quasi-Newton step, relative to its own, before Lloyd's is taken.
LENGTHS = (1.0, 0.5, 0.25)
# Relative differences of energies that are rounding.
ROUNDING = 2.0**-44
# Moves of sites without a cell, one after the other, before they stay without one.
MOST_MOVES = 20


@dataclass(frozen=True, eq=False)
class Place:
    """Points, and what their cells measure.

    Attributes
    ----------
    points : ndarray of shape (n, d)
        The points y_i.
    masses : ndarray of shape (n,)
        The masses m_i that the gradient counts.
    centroids : ndarray of shape (n, d)
        Those of the cells; the point itself where the cell has no mass.
    cost : float
        The energy.
    weights_exact : ndarray of shape (n, 2)
        The weights of the cells.
    """

    points: FloatArray
    masses: FloatArray
    centroids: FloatArray
    cost: float
    weights_exact: FloatArray

    @property
    def gradient(self) -> FloatArray:
        """The gradient of the energy in the points, (n, d)."""
        return 2.0 * self.masses[:, None] * (self.points - self.centroids)

    @property
    def norm(self) -> float:
        """Root mean square of Lloyd's moves, relative to that of the distances to the points."""
        moved = float(np.sum(self.masses[:, None] * (self.points - self.centroids) ** 2))
        return float(np.sqrt(moved / self.cost)) if self.cost > 0.0 else 0.0


class Energy(Protocol):
    """The energy that descends."""

    evaluations: int

    def at(self, points: FloatArray, near: Place, precisely: bool) -> Place | None:
        """Measure at points, from an earlier place; None if that fails."""

    def refilled(self, place: Place) -> FloatArray | None:
        """The points with those that have no cell moved to where they get one; None if all have."""


class _Memory:
    """The inverse Hessian, as L-BFGS knows it."""

    def __init__(self) -> None:
        self.pairs: list[tuple[FloatArray, FloatArray, float]] = []

    def clear(self) -> None:
        self.pairs.clear()

    def add(self, step: FloatArray, change: FloatArray) -> None:
        curvature = float(np.sum(step * change))
        if curvature > 0.0:
            self.pairs = [*self.pairs[1 - MEMORY :], (step, change, curvature)]

    def direction(self, place: Place) -> FloatArray:
        """The quasi-Newton step, by the two loops."""
        rest = place.gradient
        shares = []
        for step, change, curvature in reversed(self.pairs):
            share = float(np.sum(step * rest)) / curvature
            shares.append(share)
            rest = rest - share * change
        move = -self._scale(place) * _per(place.masses, rest)
        for (step, change, curvature), share in zip(self.pairs, reversed(shares), strict=True):
            back = float(np.sum(change * move)) / curvature
            move = move - (share + back) * step
        return move

    def _scale(self, place: Place) -> float:
        """How much longer than Lloyd's a step may be, by the last pair."""
        if not self.pairs:
            return 1.0
        _, change, curvature = self.pairs[-1]
        return curvature / float(np.sum(change * _per(place.masses, change)))


def _per(masses: FloatArray, gradient: FloatArray) -> FloatArray:
    """The gradient times the inverse Hessian of Lloyd's step."""
    held = masses > 0.0
    return np.where(held[:, None], gradient / np.where(held, 2.0 * masses, 1.0)[:, None], 0.0)


def descend(
    energy: Energy,
    start: Place,
    tol: float,
    max_iter: int,
    accelerate: bool,
    shown: Callable[[int, Place, float], bool],
) -> tuple[Place, str]:
    """Lower an energy until Lloyd's moves are small.

    Parameters
    ----------
    energy : Energy
        The energy.
    start : Place
        Where to start.
    tol : float
        Bound on the `norm` of the place reached.
    max_iter : int
        Largest number of steps.
    accelerate : bool
        L-BFGS; else Lloyd's steps alone.
    shown : callable
        Called with the number of steps, the place and the length of the last step, relative to that
        of L-BFGS, 0.0 at the start; whether to stop.

    Returns
    -------
    place : Place
        The last one.
    status : str
        "converged", "max_iter", "stopped" or "stalled".
    """
    memory = _Memory()
    here, length = start, 0.0
    for count in range(max_iter + 1):
        here = _all_with_cells(energy, memory, here)
        stop = shown(count, here, length)
        if here.norm <= tol:
            here = energy.at(here.points, here, True) or here
            if here.norm <= tol:
                return here, "converged"
        if stop:
            return here, "stopped"
        if count == max_iter:
            break
        for length, move in _steps(here, memory, accelerate):
            there = energy.at(here.points + length * move, here, False)
            if there is not None and _lower(here, there, length, move):
                break
        else:
            return here, "stalled"
        memory.add(there.points - here.points, there.gradient - here.gradient)
        here = there
    return here, "max_iter"


def _all_with_cells(energy: Energy, memory: _Memory, here: Place) -> Place:
    """Move points that have no cell, which costs nothing."""
    for _ in range(MOST_MOVES):
        points = energy.refilled(here)
        if points is None:
            break
        memory.clear()
        there = energy.at(points, here, False)
        if there is None:
            break
        here = there
    return here


def _steps(here: Place, memory: _Memory, accelerate: bool) -> Iterator[tuple[float, FloatArray]]:
    """Steps to try, one after the other."""
    if accelerate and memory.pairs:
        move = memory.direction(here)
        for length in LENGTHS:
            yield length, move
        memory.clear()
    yield 1.0, here.centroids - here.points


def _lower(here: Place, there: Place, length: float, move: FloatArray) -> bool:
    """Whether a step has lowered the energy enough."""
    slope = float(np.sum(here.gradient * move))
    if there.cost <= here.cost + ENOUGH * length * slope:
        return slope < 0.0
    return abs(there.cost - here.cost) <= ROUNDING * here.cost and there.norm < here.norm
