"""Damped Newton's method for the weights of a semi-discrete transport problem in the plane.

The step solves for the root of the masses, g^(1/2) = nu^(1/2): by the Brunn-Minkowski inequality
g^(1/2) is concave in the heights on a convex domain, so a step tends to leave no cell empty. The
matrix is the Alexandrov Hessian all the same, only the right-hand side differs from the classical
nu - g (Kitagawa, Merigot, Thibert 2016), with which it agrees near the solution. Steps are damped
until the Hellinger distance between masses and targets falls, the first trial twice the last step;
cells that a trial empties are lifted instead of shortening the step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geomot import _pairs
from geomot._constants import (
    DUAL_ROUNDING,
    FIRST_STEP,
    LIFT,
    LIFT_DECAY,
    LIFT_ROUNDS,
    LIFT_SHARE,
    LINEAR_RTOL,
    MIN_STEP,
    STALL_ERROR,
)
from geomot._pairs import Pair
from geomot._power import PlaneDiagram, PlaneSites
from geomot.laplacian import graph_laplacian, solve_laplacian

__all__ = ["Iterate", "Problem", "lift_empty_cells", "newton"]

FloatArray = NDArray[np.float64]


class Problem:
    """Sites with target masses, to be given weights.

    Attributes
    ----------
    sites : ndarray of shape (n, 2)
        Distinct, along a space-filling curve for the sake of speed.
    masses : ndarray of shape (n,)
        Targets: positive, of sum 1.
    """

    def __init__(
        self, sites: FloatArray, masses: FloatArray, polygon: FloatArray, threads: int
    ) -> None:
        self.sites = sites
        self.masses = masses
        self.polygon = polygon
        self.threads = threads
        self.plane = PlaneSites(sites, polygon)

    def __len__(self) -> int:
        return len(self.sites)

    def evaluate(self, weights: Pair, step: float = FIRST_STEP) -> Iterate:
        """Measure the diagram of the weights, reached by a step of the given length."""
        return Iterate(self, weights, self.plane.diagram(*weights, threads=self.threads), step)


@dataclass(frozen=True)
class Iterate:
    """Weights and what their diagram measures."""

    problem: Problem
    weights: Pair
    diagram: PlaneDiagram
    step: float

    @cached_property
    def mass_error(self) -> float:
        """Largest relative error of a cell's mass."""
        nu = self.problem.masses
        return float(np.max(np.abs(self.diagram.masses - nu) / nu))

    @cached_property
    def residual(self) -> float:
        """Hellinger distance of masses and targets, up to a factor."""
        root = np.sqrt(self.diagram.masses) - np.sqrt(self.problem.masses)
        return float(np.sqrt(np.sum(root * root)))

    @cached_property
    def min_mass(self) -> float:
        """Smallest mass of a cell."""
        return float(self.diagram.masses.min())

    @property
    def smallest(self) -> float:
        """Smallest mass, measured or wanted: a step may leave no cell below half of it."""
        return min(self.min_mass, float(self.problem.masses.min()))

    @cached_property
    def dual(self) -> float:
        """Kantorovich's dual value of the weights, a lower bound on W2^2."""
        # The value does not change with the weights' gauge; its rounding error does. Plain sums are
        # enough for the line search, and a tenth of the price of `potentials.dual_value`.
        hi, lo = self.weights
        excess = self.problem.masses - self.diagram.masses
        return float(np.sum(self.diagram.costs) + np.sum(((hi - hi.mean()) + lo) * excess))

    def hessian(self) -> tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]:
        """Derivative of the masses in the weights, a Laplacian, in CSR form."""
        edges = self.diagram.facet_sites
        sites = self.problem.sites
        span = sites[edges[:, 0]] - sites[edges[:, 1]]
        conductances = self.diagram.facet_measures / (2.0 * np.hypot(span[:, 0], span[:, 1]))
        return graph_laplacian(len(sites), edges, conductances)


def newton(
    start: Iterate,
    *,
    tol: float,
    max_iter: int,
    observe: Callable[[Iterate], bool | None] | None = None,
) -> tuple[Iterate, str]:
    """Iterate until every mass is within `tol` of its target, relatively.

    Parameters
    ----------
    start : Iterate
        With no cell empty. The first trial is twice its step.
    tol : float
        Bound on `Iterate.mass_error`.
    max_iter : int
        Largest number of steps.
    observe : callable, optional
        Called with every accepted iterate, the start included; stops the run by returning True.

    Returns
    -------
    iterate : Iterate
        The last accepted one.
    status : str
        "converged", "max_iter", "precision", "stalled" or "stopped".
    """
    iterate = start
    n_iter = 0
    while True:
        if observe is not None and observe(iterate) is True:
            return iterate, "stopped"
        if iterate.mass_error <= tol:
            return iterate, "converged"
        if n_iter == max_iter:
            return iterate, "max_iter"
        following = _line_search(iterate, _direction(iterate))
        if following is None:
            return iterate, "precision" if iterate.mass_error < STALL_ERROR else "stalled"
        iterate = following
        n_iter += 1


def _direction(iterate: Iterate) -> FloatArray:
    """Newton direction for the roots of the masses."""
    g, nu = iterate.diagram.masses, iterate.problem.masses
    mean = np.sqrt(g * nu)
    # Masses may span many decades, and each is wanted to a relative accuracy.
    return solve_laplacian(iterate.hessian(), 2.0 * (mean / mean.sum() - g), nu, LINEAR_RTOL)


def _line_search(iterate: Iterate, direction: FloatArray) -> Iterate | None:
    """The first trial that is good enough, halving the step; None when the step is exhausted."""
    step = min(1.0, 2.0 * iterate.step)
    while step >= MIN_STEP:
        trial = iterate.problem.evaluate(_pairs.add(iterate.weights, step * direction), step)
        if np.count_nonzero(trial.diagram.empty) < LIFT_SHARE * len(trial.problem):
            targets = LIFT * np.minimum(iterate.diagram.masses, iterate.problem.masses)
            trial = lift_empty_cells(trial, targets, LIFT_ROUNDS, LIFT_DECAY, iterate.smallest)
        if _acceptable(iterate, trial):
            return trial
        step *= 0.5
    return None


def _acceptable(iterate: Iterate, trial: Iterate) -> bool:
    return (
        trial.min_mass >= 0.5 * iterate.smallest
        and _better(iterate, trial)
        and trial.dual >= iterate.dual - DUAL_ROUNDING * abs(iterate.dual)
    )


def _better(iterate: Iterate, trial: Iterate) -> bool:
    decrease = 1.0 - 0.5 * trial.step
    # Small masses drown in the residual's rounding before their relative error is small.
    return trial.residual <= decrease * iterate.residual or trial.mass_error <= decrease * min(
        iterate.mass_error, 1.0
    )


def lift_empty_cells(
    iterate: Iterate, targets: FloatArray, rounds: int, decay: float, least: float = 0.0
) -> Iterate:
    """Raise the weights of empty cells until, alone, each would have its target mass.

    Cells lifted together may take one another's place, or a third one's: hence the rounds, each
    with more modest targets than the one before, down to the mass `least`.
    """
    for k in range(rounds):
        empty = np.flatnonzero(iterate.diagram.empty)
        if empty.size == 0:
            break
        problem = iterate.problem
        raised = iterate.diagram.insert(
            problem.sites[empty],
            np.maximum(decay**k * targets[empty], least),
            empty,
            threads=problem.threads,
        )
        hi, lo = iterate.weights[0].copy(), iterate.weights[1].copy()
        hi[empty], lo[empty] = raised.T
        iterate = problem.evaluate((hi, lo), iterate.step)
    return iterate
