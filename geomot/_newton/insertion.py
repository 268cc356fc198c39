"""Weights under which no cell is empty, close to the solution: insertion level by level.

The heaviest sites are solved first, roughly; each further level inserts its new sites into the
diagram of the level before, at the weight that gives each, alone, a share of its mass. The coarsest
level starts from the product of the marginals' quantile maps, a strictly convex potential.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from geomot import _double_double
from geomot._constants.newton import (
    COARSE_TOL,
    COARSEST,
    COARSEST_WIDE,
    INSERTED_SHARES,
    INSERTION_DECAY,
    INSERTION_ROUNDS,
    LEVEL_BAND,
    LEVEL_RATIO,
    LEVEL_RATIO_WIDE,
    MAX_COARSE_ITER,
    NEGLIGIBLE_START,
    QUANTILE_SHARES,
    START_FLOOR,
    START_SEED,
    VERY_WIDE_MASSES,
    VORONOI_DISTANCE,
    VORONOI_ERROR,
    WIDE_MASSES,
)
from geomot._double_double import Pair
from geomot._newton.newton import Iterate, Problem, lift_cells, newton, open_cells
from geomot._newton.quantiles import quantile_weights

__all__ = ["inserted", "insertion_start", "levels_of", "make_valid", "restricted"]

FloatArray = NDArray[np.float64]


def insertion_start(problem: Problem) -> Iterate:
    """Return weights for the problem under which no cell is empty, with their diagram.

    Parameters
    ----------
    problem : Problem
        Its sites must lie inside the domain's bounding box, or near it.

    Returns
    -------
    Iterate
    """
    voronoi = problem.evaluate((np.zeros(len(problem)), np.zeros(len(problem))))
    if _is_close(voronoi):
        return voronoi
    levels = levels_of(problem)
    level = restricted(problem, levels[0])
    start = make_valid(level.evaluate(quantile_weights(level)), START_FLOOR)
    for members, finer in itertools.pairwise(levels):
        coarse, _ = newton(start, tol=COARSE_TOL, max_iter=MAX_COARSE_ITER)
        level = restricted(problem, finer)
        share = INSERTED_SHARES[problem.domain.dim]
        weights = inserted(level, np.searchsorted(finer, members), coarse, share)
        start = make_valid(level.evaluate(weights), START_FLOOR)
    return start


def _is_close(voronoi: Iterate) -> bool:
    """Whether Newton's method from the Voronoi diagram is cheaper than insertion."""
    source = voronoi.problem.source
    if source.dim == 2 and source.periodic_domain is None:
        return voronoi.mass_error <= VORONOI_ERROR
    return voronoi.residual <= VORONOI_DISTANCE and not voronoi.massless.any()


def _heaviest_first(masses: FloatArray) -> NDArray[np.int64]:
    """Order by decreasing mass, ties in random order."""
    shuffled = np.random.default_rng(START_SEED).permutation(len(masses))
    order: NDArray[np.int64] = shuffled[np.argsort(-masses[shuffled], kind="stable")]
    return order


def _level_sizes(masses: FloatArray) -> list[int]:
    spread = masses.max() / masses.min()
    ratio = LEVEL_RATIO_WIDE if spread > VERY_WIDE_MASSES else LEVEL_RATIO
    coarsest = COARSEST_WIDE if spread > WIDE_MASSES else COARSEST
    descending = np.sort(masses)[::-1]
    sizes = [len(masses)]
    while True:
        # sites that are lighter by many decades would be buried by those of their own level
        heavier = int(np.count_nonzero(descending > LEVEL_BAND * descending[sizes[-1] - 1]))
        coarser = max(sizes[-1] // ratio, heavier)
        if coarser < coarsest:
            if heavier:
                sizes.append(heavier)
            return sizes[::-1]
        sizes.append(coarser)


def levels_of(problem: Problem) -> list[NDArray[np.int64]]:
    """Positions of the sites of every level, the coarsest first; each holds the one before."""
    by_mass = _heaviest_first(problem.masses)
    # sorted positions keep the order along the curve
    return [np.sort(by_mass[:size]) for size in _level_sizes(problem.masses)]


def restricted(problem: Problem, members: NDArray[np.int64]) -> Problem:
    """The problem of some of the sites, with masses in the same proportions."""
    if len(members) == len(problem):
        return problem
    masses = problem.masses[members]
    return Problem(
        np.ascontiguousarray(problem.sites[members]),
        masses / masses.sum(),
        problem.source,
        problem.threads,
        problem.least,
    )


def inserted(level: Problem, old: NDArray[np.int64], coarse: Iterate, share: float) -> Pair:
    """Weights of the level before for its sites `old`, of a share of their mass for new ones."""
    fresh = np.ones(len(level), dtype=bool)
    fresh[old] = False
    hi, lo = np.empty(len(level)), np.empty(len(level))
    hi[old], lo[old] = coarse.weights
    hi[fresh], lo[fresh] = coarse.diagram.insert(
        level.sites[fresh], share * level.masses[fresh], threads=level.threads
    ).T
    return hi, lo


def make_valid(iterate: Iterate, floor: float = 0.0) -> Iterate:
    """Return weights near the given ones under which no cell that counts is empty.

    Cells with less than the share `floor` of their mass are lifted as well.
    """
    problem, step = iterate.problem, iterate.step
    wanted = INSERTION_DECAY * INSERTED_SHARES[2] * problem.masses
    lifted = lift_cells(
        iterate, wanted, INSERTION_ROUNDS, INSERTION_DECAY, floor=floor * problem.masses
    )
    # where rounding spoils the weights of insertion, more is lost than the lightest cells are worth
    if _empty_mass(iterate) > NEGLIGIBLE_START or lifted.residual <= 2.0 * iterate.residual:
        iterate = lifted
    if _empty_mass(iterate) <= NEGLIGIBLE_START:
        return open_cells(iterate, wanted)
    # Touching cells belong to a convex potential, and a strictly convex one added leaves none
    # empty; larger shares serve where rounding blurs that.
    iterate = lift_cells(iterate, np.zeros(len(problem)), 1, 1.0)
    quantile = quantile_weights(problem)
    for share in QUANTILE_SHARES:
        trial = problem.evaluate(_double_double.mix(iterate.weights, quantile, share), step)
        if not trial.massless.any():
            return trial
    opened = open_cells(lifted, wanted)
    return opened if opened.lost < trial.lost else trial


def _empty_mass(iterate: Iterate) -> float:
    """What the empty cells should weigh together."""
    return float(iterate.problem.masses[iterate.massless].sum())
