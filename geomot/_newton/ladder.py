"""Weights under which no cell is without mass, for densities that are not uniform.

Under a density with dark places a cell may have an inside and no mass, and no Newton step fills it.
Voronoi cells do where sites follow the density; elsewhere an ascent of the dual value, to which a
cell's inside is enough, says where the cells belong. From there the masses are solved under the
density with a little of the uniform one mixed in, a tenth of the least target at last: cells then
have at least nine tenths of their targets under the density itself, and a few full steps finish.
Nothing of the mixture is left in the result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot._constants.newton import (
    DARK,
    DESCENT,
    DESCENT_STEPS,
    LADDER,
    LADDER_STEPS,
    NEAR_VORONOI,
    VORONOI_RATIO,
)
from geomot._double_double import Pair
from geomot._newton.ascent import ascend, ascend_by_levels, under
from geomot._newton.frame import framed_start
from geomot._newton.insertion import make_valid
from geomot._newton.newton import Iterate, Problem, newton
from geomot._newton.quantiles import quantile_weights
from geomot.sources import EllipticDisk, SolidEllipsoid

__all__ = ["density_start", "resumed", "simple_start"]

FloatArray = NDArray[np.float64]


def simple_start(problem: Problem) -> Iterate:
    """Return weights for the problem under which no cell is empty.

    Parameters
    ----------
    problem : Problem
        Its source is uniform or normal.

    Returns
    -------
    Iterate
    """
    if problem.source.scaled_density is None:
        return framed_start(problem)
    return make_valid(problem.evaluate(quantile_weights(problem)))


def density_start(problem: Problem) -> Iterate:
    """Return weights for the problem under which every cell has mass.

    Parameters
    ----------
    problem : Problem
        Its source has a density that is not uniform.

    Returns
    -------
    Iterate
    """
    zeros = np.zeros(len(problem))
    voronoi = problem.evaluate((zeros, zeros))
    if _bright(problem) and np.min(voronoi.diagram.masses / problem.masses) >= VORONOI_RATIO:
        return make_valid(voronoi)
    if isinstance(problem.domain, EllipticDisk | SolidEllipsoid):
        # convex, and uniform: as each image of a site lies in its cell, all cells have mass
        inner = make_valid(problem.evaluate(quantile_weights(problem)))
        if not inner.massless.any():
            return inner
    misplaced = 0.5 * float(np.sum(np.abs(voronoi.diagram.masses - problem.masses)))
    near = misplaced <= NEAR_VORONOI
    rough = ascend(problem, voronoi.weights) if near else ascend_by_levels(problem)
    reached, done = _climb(problem, rough, LADDER_STEPS)
    if not done:
        reached = _descend(problem)
    return problem.evaluate(reached.weights)


def _bright(problem: Problem) -> bool:
    """Whether the density is dark nowhere, or a normal one."""
    source = problem.source
    return source.darkest >= DARK or source.product is not None


def _descend(problem: Problem) -> Iterate:
    """Go down from a simple density by a factor at a time, with which no cell loses more.

    At every step down the density is at least that share of the one before everywhere, and so is
    the mass of each cell: Newton's method always starts from cells that all have mass, under a
    positive density on a convex domain. Slow, but it asks nothing of sites and masses. Facets that
    run along jumps of the density may still make it crawl.
    """
    (_, rough), (last, fine) = LADDER
    share, last = 1.0, last * float(problem.masses.min())
    reached = simple_start(under(problem, share))
    while True:
        tol = fine if share <= last else rough
        reached, _ = newton(reached, tol=tol, max_iter=DESCENT_STEPS)
        if share <= last:
            return reached
        share = max(DESCENT * share, last)
        reached = make_valid(under(problem, share).evaluate(reached.weights))


def resumed(problem: Problem, weights: Pair, step: float) -> Iterate:
    """Return given weights, or others near them where they leave a cell without mass."""
    iterate = problem.evaluate(weights, step)
    if not iterate.massless.any():
        return iterate
    return problem.evaluate(_climb(problem, ascend(problem, weights), LADDER_STEPS)[0].weights)


def _climb(problem: Problem, weights: Pair, steps: int) -> tuple[Iterate, bool]:
    """Solve with smaller and smaller shares of the uniform density; whether each solve ended well.

    Where the density is dark nowhere no share is needed, nor under a normal one.
    """
    if _bright(problem):
        start = make_valid(problem.evaluate(weights))
        return start, not start.massless.any()
    for share, tol in LADDER:
        mixed = under(problem, share * float(problem.masses.min()))
        start = make_valid(mixed.evaluate(weights))
        reached, status = newton(start, tol=tol, max_iter=steps)
        if status != "converged":
            return reached, False
        weights = reached.weights
    final = problem.evaluate(weights)
    return final, not final.massless.any()
