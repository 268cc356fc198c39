"""Weights near the solution under a density that is dark in places: an ascent of the dual value.

Where a density all but vanishes, so does the Hessian: between islands of mass the weights may move
far before a cell has crossed the dark, and a step of Newton's method is too long by orders of
magnitude. Damping it would hold back the sites of an island among themselves as well. The steps
here solve

    (H + mu U) step = right-hand side

where U is the Hessian of the same cells under a simple measure, the uniform one, and mu is adapted
from step to step (Levenberg 1944, Marquardt 1963). Within bright places they are Newton's, and
across dark ones they are as gentle as mu asks for. Kantorovich's dual value says whether one is
good. It is concave, and for mu large enough every step raises it, whatever the masses are: no cell
needs to have mass, only an inside.

The right-hand side solves for the roots of the masses, as in `geomot._newton.newton`, as long as
that is seen to rise; it halves the number of steps. Else it is what the masses miss.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geomot import _double_double
from geomot._constants.newton import (
    ASCENT_COARSE_TOL,
    ASCENT_FAINT,
    ASCENT_INSERTED,
    ASCENT_LIFT,
    ASCENT_ROOT_TRIALS,
    ASCENT_RTOL,
    ASCENT_STEPS,
    ASCENT_TOL,
    DAMPING_DOWN,
    DAMPING_UP,
    GOOD_GAIN,
    LEAST_ASCENT_DAMPING,
    LEAST_GAIN,
    LIFT_DECAY,
    LIFT_ROUNDS,
    LIFT_SHARE,
    MOST_ASCENT_DAMPING,
    POOR_GAIN,
)
from geomot._double_double import Pair
from geomot._laplacian import Network, solve_laplacian
from geomot._newton.insertion import inserted, levels_of, make_valid, restricted
from geomot._newton.newton import Iterate, Problem, lift_cells, root_excess
from geomot._newton.quantiles import quantile_weights
from geomot.sources import Blended, Mixture

__all__ = ["ascend", "ascend_by_levels", "under"]

FloatArray = NDArray[np.float64]


def under(problem: Problem, share: float) -> Problem:
    """The problem with a share of a simple measure mixed in; with all of it, under that alone."""
    source = problem.source
    if isinstance(source, Mixture):
        mixed = source.blended(share)
    else:
        blended = Blended(source, share)
        mixed = blended.uniform if share == 1.0 else blended
    return Problem(problem.sites, problem.masses, mixed, problem.threads, problem.least)


def ascend(problem: Problem, weights: Pair) -> Pair:
    """Return weights with which all cells have about their masses.

    Parameters
    ----------
    problem : Problem
        Its source has a density that is not uniform.
    weights : Pair
        Where to start.

    Returns
    -------
    Pair
        Masses are within a share of `ASCENT_TOL` of their targets under the density with a little
        of the simple measure mixed in, the least target's worth; or as near as it went.
    """
    return _climb(problem, weights, ASCENT_TOL).weights


def ascend_by_levels(problem: Problem) -> Pair:
    """Return what `ascend` does, from no weights: the heaviest sites first, roughly.

    Mass goes far between few sites in few steps, which would take many among all.
    """
    levels = levels_of(problem)
    level = restricted(problem, levels[0])
    weights = quantile_weights(under(level, 1.0))
    for members, finer in itertools.pairwise(levels):
        coarse = _climb(level, weights, ASCENT_COARSE_TOL)
        level = restricted(problem, finer)
        weights = inserted(level, np.searchsorted(finer, members), coarse, ASCENT_INSERTED)
    return ascend(problem, weights)


@dataclass(frozen=True)
class _Place:
    """Weights, with what they measure under the density and under the simple measure."""

    mixed: Iterate
    simple: Iterate

    @cached_property
    def missing(self) -> FloatArray:
        """What the masses lack."""
        lack: FloatArray = self.mixed.problem.masses - self.mixed.diagram.masses
        return lack

    @property
    def closed(self) -> int:
        """How many cells have no inside, or next to none."""
        return _closed(self.simple)

    def damped(self, damping: float) -> Network:
        """The Hessian, with a multiple of that of the simple measure."""
        own, simple = self.mixed.hessian, self.simple.hessian
        conductances = damping * simple.conductances
        if np.array_equal(own.edges, simple.edges):
            return Network(own.n, own.edges, own.conductances + conductances)
        edges, which = np.unique(
            np.concatenate([own.edges, simple.edges]), axis=0, return_inverse=True
        )
        both = np.concatenate([own.conductances, conductances])
        joined: FloatArray = np.bincount(which.ravel(), both).astype(np.float64, copy=False)
        return Network(own.n, edges, joined)


def _closed(simple: Iterate) -> int:
    """How many cells have no inside, or next to none: steps of theirs would have no bounds."""
    return int(np.count_nonzero(simple.diagram.masses < ASCENT_FAINT * simple.problem.masses))


def _climb(problem: Problem, weights: Pair, tol: float) -> Iterate:
    """Raise the dual value until all masses are within `tol`, or it cannot be told to rise."""
    mixed = under(problem, float(problem.masses.min()))
    simple = make_valid(under(problem, 1.0).evaluate(weights), ASCENT_FAINT)
    place = _Place(mixed.evaluate(simple.weights), simple)
    damping = 1.0
    for _ in range(ASCENT_STEPS):
        if place.mixed.mass_error <= tol:
            break
        following, damping = _step(place, damping)
        if following is None:
            break
        place = following
    return place.mixed


def _step(place: _Place, damping: float) -> tuple[_Place | None, float]:
    """The next place, None if there is none, and the damping to go on with."""
    rooted = ASCENT_ROOT_TRIALS
    while damping <= MOST_ASCENT_DAMPING:
        rhs = root_excess(place.mixed) if rooted > 0 else place.missing
        trial, gain = _trial(place, rhs, damping)
        if trial is not None and gain > LEAST_GAIN:
            if gain > GOOD_GAIN:
                damping = max(damping / DAMPING_DOWN, LEAST_ASCENT_DAMPING)
            elif gain < POOR_GAIN:
                damping *= DAMPING_UP
            return trial, damping
        rooted = 0 if gain == -np.inf else rooted - 1
        if rooted != 0:
            damping *= DAMPING_UP
    return None, damping


def _trial(place: _Place, rhs: FloatArray, damping: float) -> tuple[_Place | None, float]:
    """Where a step leads, and what it gains, relative to what the quadratic model promises.

    The gain is -inf if the model promises a loss. There is no place if it closes cells for good.
    """
    mixed = place.mixed
    units = np.maximum(mixed.diagram.masses, mixed.problem.masses)
    direction = solve_laplacian(place.damped(damping), rhs, units, ASCENT_RTOL).values
    step = direction[0]
    bent = mixed.hessian.plain_excess(step, np.zeros_like(step))
    promised = float(step @ place.missing + 0.5 * (step @ bent))
    if not promised > 0.0:
        return None, -np.inf
    weights = _double_double.plus(mixed.weights, direction)
    if not np.abs(weights[0]).max() <= mixed.problem.most:
        return None, 0.0
    there = mixed.problem.evaluate(weights)
    gain = (there.dual - mixed.dual) / promised
    if not gain > LEAST_GAIN:
        return None, gain
    trial = _opened(place, there)
    if trial is None:
        return None, 0.0
    return trial, (trial.mixed.dual - mixed.dual) / promised


def _opened(place: _Place, there: Iterate) -> _Place | None:
    """The place with the cells that a step has closed raised again, None if some stay closed."""
    simple = place.simple.problem.evaluate(there.weights)
    trial = _Place(there, simple)
    if trial.closed <= place.closed:
        return trial
    if trial.closed > LIFT_SHARE * len(there.problem):
        return None
    wanted = ASCENT_LIFT * place.simple.diagram.masses
    floor = ASCENT_FAINT * simple.problem.masses
    raised = lift_cells(simple, wanted, LIFT_ROUNDS, LIFT_DECAY, floor=floor)
    if _closed(raised) > place.closed:
        return None
    return _Place(there.problem.evaluate(raised.weights), raised)
