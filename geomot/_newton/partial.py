"""Exact partial transport: cells end at balls, and some of the source stays.

What stays is one more cell, of the weight 0 and the mass that is left over. Then masses and targets
sum to 1, weights matter up to a constant again, and the arcs where cells end are their facets with
the cell that stays: the derivative of a mass in its own weight is the integral along the arc over
twice the radius. Newton's method is that of the balanced problem.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from geomot import _double_double
from geomot._balls import BallDiagram, BallSites, require_partial
from geomot._bounds import bracket
from geomot._constants.newton import COARSE_TOL, MAX_COARSE_ITER, NEWTON_MAX_ITER
from geomot._double_double import Pair
from geomot._facets import Facets
from geomot._frozen import read_only
from geomot._monitor import Monitor
from geomot._newton.frame import framed_start
from geomot._newton.ladder import density_start
from geomot._newton.newton import Iterate, Problem, lift_cells, newton
from geomot._newton.solve import Observer, Reduced
from geomot._request import Request
from geomot.solution import Solution
from geomot.sources import Source

__all__ = ["solve_partial"]

FloatArray = NDArray[np.float64]

# If less than this stays, in mean masses of the sites, the balanced solution is near: at 1e4 sites
# and a total of .999 it saves four fifths of the diagrams, at .99 it costs twice as many.
FEW_STAY = 20.0
# With few sites this much of the source is far from nothing all the same.
MUCH_STAYS = 0.25
# The balls around a balanced solution leave each cell at least this share of its mass, found by so
# many trials.
LEAST_SHARE = 0.1
TRIALS = 50
# Steps that no run was seen to need that ended well without a continuation: 10 to 40 are usual.
DIRECT_STEPS = 100
# A continuation changes the log-odds of what stays, from solution to solution: each of so many
# steps, to within this error. The change grows by its rate after a solve that ended well and is
# halved after another, down to the least.
CONTINUED_STEPS = 30
CONTINUED_TOL = 1e-2
CONTINUED_GROWTH = 1.5
LEAST_CONTINUED = 1e-4
# Cells without mass are raised to this share of it at first, less in each further round.
LIFTED = 0.5
LIFTED_DECAY = 0.7
LIFTED_ROUNDS = 20
# Less than this share of its mass may be rounding: such a cell counts as one without mass.
FAINT_SHARE = 1e-6


def solve_partial(request: Request, monitor: Monitor) -> Solution:
    """Find weights whose cells, cut by balls, have their masses, which sum to less than 1.

    Parameters
    ----------
    request : Request
        Its source is uniform on a polygon.
    monitor : Monitor
        Shown every accepted iterate.

    Returns
    -------
    Solution
    """
    reduced = _PartialReduced(request)
    start = None if request.initial is None else reduced.restart(request.initial)
    if start is None or not _filled(start):
        start = reduced.start()
    observer = Observer(reduced, monitor)
    most = NEWTON_MAX_ITER if request.max_iter is None else request.max_iter
    first = min(most, DIRECT_STEPS)
    iterate, status = newton(start, tol=request.tol, max_iter=first, observe=observer)
    if status in ("max_iter", "stalled") and len(observer.rows) <= most:
        nearer = reduced.continued()
        if nearer is not None:
            left = most - len(observer.rows)
            iterate, status = newton(nearer, tol=request.tol, max_iter=left, observe=observer)
    return reduced.solution(iterate, status, observer.rows)


class _PartialProblem(Problem):
    """Sites with target masses, and what stays as the last of all cells."""

    def __init__(
        self,
        sites: FloatArray,
        masses: FloatArray,
        source: Source,
        threads: int,
        least: float = 0.0,
    ) -> None:
        super().__init__(sites, masses, source, threads, least)
        self.sites = np.vstack([sites, np.full(2, np.nan)])
        self.masses = np.append(masses, 1.0 - float(np.sum(masses)))
        self.sorted_sites = _RestSites(sites, source)
        # cells are raised roughly, which costs more than it saves while steps are searched
        self.lifts = False


class _RestSites:
    """Sites of partial transport, and one more for what stays."""

    def __init__(self, sites: FloatArray, source: Source) -> None:
        self.balls = BallSites(sites, source)

    def diagram(
        self, weights: FloatArray, weights_low: FloatArray | None = None, *, threads: int = 1
    ) -> _RestDiagram:
        low = np.zeros_like(weights) if weights_low is None else weights_low
        rest = len(weights) - 1
        hi, lo = _double_double.less((weights, low), rest)
        found = self.balls.diagram(hi[:rest], lo[:rest], threads=threads)
        return _RestDiagram(self.balls, found, (weights[rest:], low[rest:]))


@dataclass(frozen=True, eq=False)
class _RestFacets(Facets):
    """Facets between sites, and arcs, whose distance is the radius of their circle."""

    lengths: FloatArray = field(default_factory=lambda: np.zeros(0))

    @cached_property
    def distances(self) -> FloatArray:
        return self.lengths


class _RestDiagram:
    """A diagram of partial transport, with a last cell of what stays."""

    def __init__(self, sites: BallSites, balls: BallDiagram, gauge: Pair) -> None:
        self.balls = balls
        self.gauge = gauge
        left = max(1.0 - float(np.sum(balls.masses)), 0.0) if balls.arcs.any() else 0.0
        if not (balls.masses > 0.0).any():
            left = 1.0
        self.masses = np.append(balls.masses, left)
        self.costs = np.append(balls.costs, 0.0)
        self.empty = np.append(balls.empty, left == 0.0)

    @property
    def facets(self) -> _RestFacets:
        facets, arcs = self.balls.facets, self.balls.arcs
        rest = len(arcs)
        ends = np.flatnonzero(arcs > 0.0)
        place = np.searchsorted(facets.sites[:, 0], ends, side="right")
        pairs = np.insert(facets.sites, place, np.column_stack([ends, np.full_like(ends, rest)]), 0)
        measures = np.insert(facets.measures, place, arcs[ends])
        lengths = np.insert(facets.distances, place, self.balls.radii[ends])
        return _RestFacets(pairs, measures, facets.coordinates, None, read_only(lengths))

    def insert(
        self,
        points: FloatArray,
        masses: FloatArray,
        own: NDArray[np.integer] | None = None,
        *,
        threads: int = 1,
    ) -> FloatArray:
        weights = np.zeros((len(points), 2))
        sites = ~np.isnan(points[:, 0])
        weights[sites] = self.balls.insert(
            points[sites], masses[sites], None if own is None else own[sites], threads=threads
        )
        # what stays keeps its weight: mass for it is left over by shorter steps
        hi, lo = _double_double.plus(
            (weights[:, 0], weights[:, 1]),
            (np.repeat(self.gauge[0], len(points)), np.repeat(self.gauge[1], len(points))),
        )
        return np.column_stack([hi, lo])


def _lifted(iterate: Iterate) -> Iterate:
    """Raise cells without mass, a few times: they may take one another's place."""
    wanted = iterate.problem.masses
    return lift_cells(
        iterate, LIFTED * wanted, LIFTED_ROUNDS, LIFTED_DECAY, floor=FAINT_SHARE * wanted
    )


def _filled(iterate: Iterate) -> bool:
    """Whether every cell has mass for certain."""
    return bool((iterate.diagram.masses >= FAINT_SHARE * iterate.problem.masses).all())


class _PartialReduced(Reduced):
    """The problem on distinct sites whose masses count, and what stays."""

    problem_kind = _PartialProblem

    def start(self) -> Iterate:
        """Weights under which every cell that counts has mass, and some stays.

        Equal balls around the sites leave a part of every Voronoi cell of sites in the domain, and
        balls around others are larger. Where little stays, and where such balls leave cells without
        mass, it is the balanced solution instead, in balls that are as small as the cells allow.
        """
        problem = self.problem
        rest, each = problem.masses[-1], float(np.mean(problem.masses[:-1]))
        if rest > min(FEW_STAY * each, MUCH_STAYS):
            weights = np.append(problem.sorted_sites.balls.squares_of(each), 0.0)
            start = _lifted(problem.evaluate((weights, np.zeros_like(weights))))
            if _filled(start):
                return start
        return self._from_balanced()

    def _from_balanced(self) -> Iterate:
        """The balanced solution, roughly, in balls that leave each cell a share of its mass."""
        problem = self.problem
        wanted = problem.masses[:-1]
        balanced = Problem(
            problem.sites[:-1], wanted / wanted.sum(), problem.source, problem.threads
        )
        convex = balanced.domain.convex
        rough = framed_start(balanced) if convex else density_start(balanced)
        solved, _ = newton(rough, tol=COARSE_TOL, max_iter=MAX_COARSE_ITER)
        low = -float(solved.weights[0].max())
        corners = require_partial(problem.source).container.vertices
        sites = solved.problem.sites
        farthest = max(float(np.max(np.sum((sites - c) ** 2, axis=1))) for c in corners)
        high = farthest - float(solved.weights[0].min())
        best = self._raised(solved, high)
        for _ in range(TRIALS):
            middle = 0.5 * (low + high)
            trial = self._raised(solved, middle)
            if (trial.diagram.masses[:-1] < LEAST_SHARE * wanted).any():
                low = middle
            else:
                high, best = middle, trial
                if (trial.diagram.masses[:-1] < 2.0 * LEAST_SHARE * wanted).any():
                    break
        return best

    def continued(self) -> Iterate | None:
        """Weights near the solution, by way of problems in which ever less is taken; None if lost.

        The balanced solution in balls is near a problem in which next to nothing stays. From each
        solution a Newton's method of few steps leads to one with a little less in every cell.
        """
        reached = self._from_balanced()
        if reached.massless.any():
            return None
        most = float(reached.diagram.masses[:-1].sum())
        goal = float(self.problem.masses[:-1].sum())
        solved, status = newton(
            self._taking(max(most, goal)).evaluate(reached.weights),
            tol=CONTINUED_TOL,
            max_iter=NEWTON_MAX_ITER,
        )
        if status != "converged":
            return None
        # log-odds see little that stays as well as little that is taken
        odds, last = (-float(logit(taken)) for taken in (max(most, goal), goal))
        rate = last - odds
        while odds < last:
            following = min(odds + rate, last)
            start = self._taking(float(expit(-following))).evaluate(solved.weights)
            trial, status = newton(start, tol=CONTINUED_TOL, max_iter=CONTINUED_STEPS)
            if status == "converged":
                solved, odds = trial, following
                rate *= CONTINUED_GROWTH
            else:
                rate *= 0.5
                if rate < LEAST_CONTINUED:
                    return None
        return self.problem.evaluate(solved.weights)

    def _taking(self, taken: float) -> Problem:
        """The problem with so much taken in all."""
        problem, share = self.problem, taken / float(self.problem.masses[:-1].sum())
        masses = share * problem.masses[:-1]
        return _PartialProblem(
            problem.sites[:-1], masses, problem.source, problem.threads, problem.least
        )

    def _raised(self, balanced: Iterate, constant: float) -> Iterate:
        """The weights of a balanced problem and a constant, with what stays."""
        hi, lo = _double_double.add(balanced.weights, np.full(len(balanced.problem), constant))
        return self.problem.evaluate((np.append(hi, 0.0), np.append(lo, 0.0)))

    def restart(self, weights: Pair) -> Iterate:
        """The given weights of all sites, with cells raised that they leave without mass."""
        hi, lo = (np.append(part[self.members], 0.0) for part in weights)
        return _lifted(self.problem.evaluate((hi, lo), self.request.step))

    def expand(self, weights: Pair) -> Pair:
        """Weights of all sites, relative to what stays; sites that do not count have the weight 0.

        Their balls are points.
        """
        n = len(self.request.sites)
        hi, lo = np.zeros(n), np.zeros(n)
        found = _double_double.less(weights, len(weights[0]) - 1)
        hi[self.members], lo[self.members] = (part[:-1] for part in found)
        return hi[self.representative], lo[self.representative]

    def measured(self, iterate: Iterate) -> tuple[FloatArray, FloatArray]:
        """Masses and costs of all cells but that of what stays."""
        n = len(self.group_mass)
        masses, costs = np.zeros(n), np.zeros(n)
        masses[self.members] = iterate.diagram.masses[:-1]
        costs[self.members] = iterate.diagram.costs[:-1]
        return masses, costs

    def bounds(
        self, iterate: Iterate, weights: Pair, masses: FloatArray, costs: FloatArray
    ) -> tuple[float, tuple[float, float]]:
        """The dual value, and bounds on the cost: what cells lack may come from anywhere."""
        sites = self.request.sites
        wanted = np.append(self.group_mass, 1.0 - float(np.sum(self.group_mass)))
        found = np.append(masses, 1.0 - float(np.sum(masses)))
        hi, lo = (np.append(part, 0.0) for part in weights)
        corners = require_partial(self.request.source).container.vertices
        price = max(float(np.max(np.sum((sites - corner) ** 2, axis=1))) for corner in corners)
        return bracket(sites, hi, lo, found, np.append(costs, 0.0), wanted, price)
