"""Weights under which no cell is without mass, for densities that are not uniform.

Under a density with dark places a cell may have an inside and no mass, and no Newton step fills it.
Voronoi cells do where sites follow the density; elsewhere a rough solve by samples says where the
cells belong. From there the masses are solved under the density with a little of the uniform one
mixed in, a tenth of the least target at last: cells then have at least nine tenths of their targets
under the density itself, and a few full steps finish. Nothing of the mixture is left in the result.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from geomot._constants.newton import (
    DARK,
    LADDER,
    LADDER_STEPS,
    LADDER_TOL,
    LAST_LADDER_TOL,
    LONG_LADDER,
    LONG_LADDER_STEPS,
    VORONOI_RATIO,
    VORONOI_STEPS,
)
from geomot._double_double import Pair
from geomot._newton.insertion import make_valid
from geomot._newton.newton import Iterate, Problem, newton

__all__ = ["density_start", "resumed"]

FloatArray = NDArray[np.float64]

# Rough weights for sites, target masses and source of a problem.
Guess = Callable[[Problem], FloatArray]


def density_start(problem: Problem, guess: Guess) -> Iterate:
    """Return weights for the problem under which every cell has mass.

    Parameters
    ----------
    problem : Problem
        Its source has a density that is not uniform.
    guess : callable
        Called for rough weights where those of the Voronoi diagram do not serve.

    Returns
    -------
    Iterate
    """
    least = float(problem.masses.min())
    short = tuple(least * share for share in LADDER)
    long = tuple(share for share in LONG_LADDER if share > short[0]) + short
    voronoi = problem.evaluate((np.zeros(len(problem)), np.zeros(len(problem))))
    if np.min(voronoi.diagram.masses / problem.masses) >= VORONOI_RATIO:
        reached, done = _climb(problem, voronoi.weights, short, VORONOI_STEPS)
        if done:
            return reached
    rough = guess(problem), np.zeros(len(problem))
    reached, done = _climb(problem, rough, short)
    if not done:
        reached, _ = _climb(problem, rough, long, LONG_LADDER_STEPS)
    return problem.evaluate(reached.weights)


def resumed(problem: Problem, weights: Pair, step: float) -> Iterate:
    """Return given weights, or others near them where they leave a cell without mass."""
    iterate = problem.evaluate(weights, step)
    if not iterate.massless.any():
        return iterate
    least = float(problem.masses.min())
    return _climb(problem, weights, tuple(least * share for share in LADDER))[0]


def _climb(
    problem: Problem, weights: Pair, shares: tuple[float, ...], steps: int = LADDER_STEPS
) -> tuple[Iterate, bool]:
    """Solve with smaller and smaller shares of the uniform density; whether each solve ended well.

    Where the density is dark nowhere no share is needed.
    """
    source = problem.source
    if source.darkest >= DARK:
        start = make_valid(problem.evaluate(weights))
        return start, not start.massless.any()
    for k, share in enumerate(shares):
        mixed = Problem(
            problem.sites, problem.masses, source.blended(share), problem.threads, problem.least
        )
        tol = LAST_LADDER_TOL if k == len(shares) - 1 else LADDER_TOL
        start = make_valid(mixed.evaluate(weights))
        reached, status = newton(start, tol=tol, max_iter=steps)
        if status != "converged":
            return reached, False
        weights = reached.weights
    final = problem.evaluate(weights)
    return final, not final.massless.any()
