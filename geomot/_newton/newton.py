"""Damped Newton's method for the weights of a semi-discrete transport problem.

The step solves for the roots of the masses, g^(1/d) = nu^(1/d) in d = 2 or 3 dimensions; below
stands what it is for d = 2. By the Brunn-Minkowski inequality g^(1/d) is concave in the heights on
a convex domain, so a step tends to leave no cell empty. The matrix is the Alexandrov Hessian all
the same, only the right-hand side differs from the classical nu - g (Kitagawa, Merigot, Thibert
2016), with which it agrees near the solution.

It converges from wherever no cell is empty, for the reason that the classical step does. To first
order in the step t, the ratio s = (g / nu)^(1/2) of every cell goes to one and the same number,

    s(t) = s + t (1/A - s) + o(t),    A = sum (g nu)^(1/2) <= 1,

so that three things hold for short steps. Cells smaller than their target grow, hence no cell need
fall below half of the least target, or below the least mass where that is smaller. The Hellinger
distance M of masses and targets, M^2 = 2 - 2 A, falls at the rate M at least. So does the spread of
the ratios, max s - min s, which sees the smallest mass as well as the largest. Where no cell is
smaller than a given mass, the derivatives are Hoelder continuous and the Hessian is definite on a
convex domain (the same paper), which makes "short" a length that does not shrink on the way.

Steps are damped until this is so, the first trial twice the last step; cells that a trial empties
are lifted instead of shortening the step. The dual value is not asked to rise: between clusters
that are in balance already the step moves mass that has to come back, and demanding that stalls.
Where rounding makes every such step unacceptable, the classical one is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot import _double_double
from geomot._constants.newton import (
    ACCEPTED_RESIDUAL,
    CLASSICAL_RATE,
    FIRST_STEP,
    FIXED_FLOOR,
    FLOOR_SHARES,
    HELLINGER_ROUNDING,
    LIFT,
    LIFT_BAND,
    LIFT_DECAY,
    LIFT_ROUNDS,
    LIFT_SHARE,
    LINEAR_RTOL,
    MANY_SHORT_STEPS,
    MASS_ROUNDING,
    MAX_OPENING,
    MIN_STEP,
    MOST_EXAMINED,
    MOST_WEIGHT,
    OPENING,
    OPENING_GROWTH,
    OPENING_PRICE,
    OPENING_ROUNDS,
    ROOT_RATE,
    ROUNDING_TRIALS,
    SHORT_STEP,
    WEIGHT_NOISE,
    WEIGHT_ROUNDING,
)
from geomot._double_double import Pair
from geomot._exact import InsertingDiagram, inserting_sites
from geomot._laplacian import Network, Potentials, solve_laplacian
from geomot.potentials import mass_rates_in_weights
from geomot.sources import Source, exact_domain

__all__ = ["Iterate", "Problem", "lift_cells", "newton", "open_cells", "root_excess"]

FloatArray = NDArray[np.float64]


class Problem:
    """Sites with target masses, to be given weights.

    Attributes
    ----------
    sites : ndarray of shape (n, d)
        Distinct, along a space-filling curve for the sake of speed.
    masses : ndarray of shape (n,)
        Targets: positive, of sum 1.
    source : Source
        The source measure, which has exact diagrams.
    domain : Domain
        Where its mass is.
    least : float
        Mass below which errors are relative to it, no longer to the target.
    lifts : bool
        Whether cells that a step empties are lifted before the step is shortened.
    most : float
        Weights that are larger come from a matrix whose parts hardly hang together.
    """

    def __init__(
        self,
        sites: FloatArray,
        masses: FloatArray,
        source: Source,
        threads: int,
        least: float = 0.0,
    ) -> None:
        self.sites = sites
        self.masses = masses
        self.source = source
        self.domain = exact_domain(source)
        self.threads = threads
        self.least = least
        self.sorted_sites: Any = inserting_sites(sites, source)
        # weights of insertion know the density at one place only: where it jumps they cost more
        # than they save
        self.lifts = source.scaled_density is None or source.product is not None
        reach = max(float(np.abs(sites).max()), float(np.abs(self.domain.bounds).max()))
        self.most = MOST_WEIGHT * reach**2

    def __len__(self) -> int:
        return len(self.sites)

    def evaluate(self, weights: Pair, step: float = FIRST_STEP) -> Iterate:
        """Measure the diagram of the weights, reached by a step of the given length."""
        return Iterate(
            self, weights, self.sorted_sites.diagram(*weights, threads=self.threads), step
        )


@dataclass(frozen=True)
class Iterate:
    """Weights and what their diagram measures."""

    problem: Problem
    weights: Pair
    diagram: InsertingDiagram
    step: float

    @cached_property
    def massless(self) -> NDArray[np.bool_]:
        """Which cells have no mass, be they empty or where the density is zero."""
        massless: NDArray[np.bool_] = self.diagram.masses == 0.0
        return massless

    @cached_property
    def mass_errors(self) -> FloatArray:
        """Error of each cell's mass, relative to its target or to the least mass that counts."""
        nu = self.problem.masses
        return np.abs(self.diagram.masses - nu) / np.maximum(nu, self.problem.least)

    @cached_property
    def mass_error(self) -> float:
        """The largest of the errors."""
        return float(self.mass_errors.max())

    @cached_property
    def residual(self) -> float:
        """Hellinger distance of masses and targets, up to a factor."""
        g, nu = self.diagram.masses, self.problem.masses
        root = (g - nu) / (np.sqrt(g) + np.sqrt(nu))
        return float(np.sqrt(np.sum(root * root)))

    @cached_property
    def root_error(self) -> float:
        """Largest error of a mass's root, relative to that of its target or of the least mass."""
        g, nu = self.diagram.masses, self.problem.masses
        units = np.sqrt(np.maximum(nu, self.problem.least))
        return float(np.max(np.abs(np.sqrt(g) - np.sqrt(nu)) / units))

    @cached_property
    def min_mass(self) -> float:
        """Smallest mass of a cell."""
        return float(self.diagram.masses.min())

    @cached_property
    def lost(self) -> float:
        """Number of empty cells, of those lighter than counts only their share."""
        nu = self.problem.masses
        units = np.maximum(nu, self.problem.least)
        return float(np.sum((nu / units)[self.massless]))

    @cached_property
    def floor(self) -> float:
        """Mass below which a step may leave no cell."""
        share = FLOOR_SHARES[self.problem.domain.dim]
        return min(self.min_mass, share * float(self.problem.masses.min()))

    @cached_property
    def dual(self) -> float:
        """Kantorovich's dual value of the weights, a lower bound on W2^2."""
        # The value does not change with the weights' gauge; its rounding error does. Plain sums are
        # enough for the history, and a tenth of the price of `potentials.dual_value`.
        hi, lo = self.weights
        excess = self.problem.masses - self.diagram.masses
        return float(np.sum(self.diagram.costs) + np.sum(((hi - hi.mean()) + lo) * excess))

    @cached_property
    def hessian(self) -> Network:
        """Derivative of the masses in the weights: a Laplacian, as a graph with conductances."""
        facets = self.diagram.facets
        return Network(len(self.problem), *facets.joined(mass_rates_in_weights(facets)))

    @cached_property
    def weight_noise(self) -> FloatArray:
        """What rounding of the weights makes of each mass, with the best constant added to them."""
        edges, conductances = self.hessian.edges, self.hessian.conductances
        n = len(self.problem)
        size = np.abs(_double_double.less(self.weights, self.stiffest)[0])
        flow = conductances * (size[edges[:, 0]] + size[edges[:, 1]])
        noise: FloatArray = np.bincount(edges[:, 0], flow, n).astype(np.float64, copy=False)
        return WEIGHT_NOISE * (noise + np.bincount(edges[:, 1], flow, n))

    @cached_property
    def noise(self) -> FloatArray:
        """Which part of each mass is rounding; of empty cells the heaviest are opened to see it."""
        noise = self.weight_noise.copy()
        closed = np.flatnonzero(self.massless)
        closed = closed[np.argsort(-self.problem.masses[closed], kind="stable")[:MOST_EXAMINED]]
        if closed.size:
            centred = self.problem.evaluate(
                _double_double.less(self.weights, self.stiffest), self.step
            )
        for i in closed:
            target = float(self.problem.masses[i])
            opened = _open(centred, int(i), target, (False,))[0]
            # the smallest cell that the digits allow, if it is too large
            smallest = float(opened.diagram.masses[i])
            noise[i] = max(opened.weight_noise[i], smallest if smallest > 2.0 * target else 0.0)
        return noise

    def excess_error(self, noise: FloatArray) -> float:
        """The largest error of a mass that is not noise."""
        nu = self.problem.masses
        excess = np.abs(self.diagram.masses - nu) - noise
        return float(np.max(excess / np.maximum(nu, self.problem.least)))

    @cached_property
    def stiffest(self) -> int:
        """The site whose relative mass depends most on its weight.

        A constant added to all weights changes no cell but the digits that are left: rounding moves
        a mass by its stiffness s_i times some |w_i + c|. With the weight of the stiffest site at
        zero the largest s_i |w_i + c| is at most twice what the best constant makes of it.
        """
        units = np.maximum(self.problem.masses, self.problem.least)
        return int(np.argmax(self.hessian.rates / units))

    def at_rounding(self, tol: float) -> bool:
        """Whether rounding explains every error above `tol`: of areas, and of the weights."""
        nu = self.problem.masses
        explained = np.maximum(MASS_ROUNDING * np.maximum(self.diagram.masses, nu), self.noise)
        hi = self.weights[0]
        rng = np.random.default_rng(0)
        for _ in range(ROUNDING_TRIALS):
            moved = WEIGHT_ROUNDING * np.abs(hi) * rng.choice([-1.0, 1.0], len(hi))
            other = self.problem.evaluate(_double_double.add(self.weights, moved))
            explained = np.maximum(explained, np.abs(other.diagram.masses - self.diagram.masses))
        units = np.maximum(nu, self.problem.least)
        return bool((self.mass_errors <= np.maximum(tol, explained / units)).all())


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
        Called with every accepted iterate, the start included; stops the run by returning True,
        unless this iterate is within `tol`.

    Returns
    -------
    iterate : Iterate
        The last accepted one.
    status : str
        "converged", "max_iter", "precision", "stalled" or "stopped".
    """
    iterate = start
    # Without lifting, cells are not to be pinned to what they have had: where derivatives jump, as
    # arcs come in or facets run along a jump of the density, one may have to shrink for a while.
    floor = None if start.problem.lifts else FIXED_FLOOR * start.floor
    n_iter = short = openings = 0
    while True:
        stopped = observe is not None and observe(iterate) is True
        if iterate.mass_error <= tol:
            return iterate, "converged"
        if stopped:
            return iterate, "stopped"
        if n_iter == max_iter:
            return iterate, "max_iter"
        following, residual = _step(iterate, tol, floor, crawling=short >= MANY_SHORT_STEPS)
        if following is None and openings < OPENING_ROUNDS and iterate.massless.any():
            openings += 1
            following = open_cells(iterate, LIFT * iterate.problem.masses)
            following = None if following is iterate else following
        if following is None:
            exhausted = residual > ACCEPTED_RESIDUAL or iterate.at_rounding(tol)
            return iterate, "precision" if exhausted else "stalled"
        iterate = following
        n_iter += 1
        short = short + 1 if iterate.step < SHORT_STEP else 0
        crawls = short == MANY_SHORT_STEPS and iterate.mass_error > tol
        if crawls and iterate.at_rounding(tol):
            return iterate, "precision"


def _step(
    iterate: Iterate, tol: float, least: float | None, crawling: bool
) -> tuple[Iterate | None, float]:
    """The next iterate, None if there is none, and the residual of the last linear system.

    No cell is left with less than `least`, or what `Iterate.floor` says.
    """
    floor = iterate.floor if least is None else least
    root = _direction(iterate, root_excess(iterate))
    if not crawling:
        following = _line_search(iterate, root, floor, rate=ROOT_RATE)
        if following is not None:
            return following, root.residual
    missing = iterate.problem.masses - iterate.diagram.masses
    missing[iterate.massless] = 0.0  # no step of the others fills them
    classical = _direction(iterate, missing)
    following = None if crawling else _line_search(iterate, classical, floor, rate=CLASSICAL_RATE)
    if following is None and iterate.excess_error(iterate.noise) > tol:
        # masses that are noise must not keep the others from theirs
        beyond = _direction(iterate, _beyond_noise(iterate, missing))
        following = _line_search(iterate, beyond, floor, rate=CLASSICAL_RATE, noise=iterate.noise)
    return following, classical.residual


def _beyond_noise(iterate: Iterate, missing: FloatArray) -> FloatArray:
    """What is missing where it is more than noise; the other cells balance the sum.

    Linear systems are solved relative to their right-hand side: noise would set their accuracy.
    No cell balances more than its noise: what the masses of all others are off by together may be
    more than it weighs, and is left to the heavy cells.
    """
    quiet = np.abs(missing) > iterate.noise
    share = np.where(quiet | iterate.massless, 0.0, iterate.noise)
    total = float(share.sum())
    if total == 0.0:
        return missing
    part = min(max(-missing[quiet].sum() / total, -1.0), 1.0)
    return np.where(quiet, missing, part * share)


def root_excess(iterate: Iterate) -> FloatArray:
    """Right-hand side that solves for the roots of the masses."""
    g, d = iterate.diagram.masses, iterate.problem.domain.dim
    mean = g ** (1.0 - 1.0 / d) * iterate.problem.masses ** (1.0 / d)
    return d * (mean / mean.sum() - g)


def _direction(iterate: Iterate, rhs: FloatArray) -> Potentials:
    """Solve for a step of the weights.

    Masses may span many decades, and each is wanted to a relative accuracy; where one is too large
    by decades, its own size counts, lest it make light of the others.
    """
    units = np.maximum(iterate.diagram.masses, iterate.problem.masses)
    direction = solve_laplacian(iterate.hessian, rhs, units, LINEAR_RTOL)
    if direction.residual > ACCEPTED_RESIDUAL and units.min() < iterate.problem.least:
        # a cell lighter than counts may be beyond the digits
        units = np.maximum(units, iterate.problem.least)
        direction = solve_laplacian(iterate.hessian, rhs, units, LINEAR_RTOL)
    return direction


def _line_search(
    iterate: Iterate,
    direction: Potentials,
    floor: float,
    rate: float,
    noise: FloatArray | None = None,
) -> Iterate | None:
    """The first trial that is good enough, halving the step; None when the step is exhausted."""
    least_target = float(iterate.problem.masses.min())
    k = iterate.stiffest
    weights_there = _double_double.less(iterate.weights, k)
    hi, lo = _double_double.less(direction.values, k)
    # no equation says where empty cells go: they must not come out where others fall
    lowest = int(np.argmin(hi))
    hi[iterate.massless], lo[iterate.massless] = hi[lowest], lo[lowest]
    step = min(1.0, 2.0 * iterate.step) if noise is None else 1.0
    while step >= MIN_STEP:
        weights = _double_double.plus(weights_there, (step * hi, step * lo))
        if not np.abs(weights[0]).max() <= iterate.problem.most:
            step *= 0.5
            continue
        trial = iterate.problem.evaluate(weights, step)
        if trial.problem.lifts and np.count_nonzero(trial.massless) < LIFT_SHARE * len(
            trial.problem
        ):
            reached = np.where(iterate.massless, np.inf, iterate.diagram.masses)
            targets = LIFT * np.minimum(reached, iterate.problem.masses)
            # masses of lifted cells are met roughly: not to the very floor
            least = min(2.0 * floor, least_target)
            trial = lift_cells(trial, targets, LIFT_ROUNDS, LIFT_DECAY, least, floor)
        if noise is not None:
            kept = (trial.diagram.masses >= floor) | (noise > trial.problem.masses)
            most = (1.0 - rate * step) * iterate.excess_error(noise)
            if kept.all() and trial.excess_error(noise) <= most:
                return trial
        elif trial.min_mass >= floor and _better(iterate, trial, 1.0 - rate * step):
            return trial
        step *= 0.5
    return None


def _better(iterate: Iterate, trial: Iterate, decrease: float) -> bool:
    """Whether the distance falls enough, or at least does not rise while the worst error falls.

    Small masses drown in the distance's rounding before their relative errors are small.
    """
    if trial.residual <= decrease * iterate.residual:
        return True
    return trial.residual <= max(iterate.residual, HELLINGER_ROUNDING) and (
        trial.mass_error <= decrease * iterate.mass_error
        or trial.root_error <= decrease * iterate.root_error
    )


def open_cells(iterate: Iterate, targets: FloatArray) -> Iterate:
    """Raise the weights of empty cells one by one, by trial, the heaviest first.

    Cells that are inserted together may bury each other; of one at a time it is seen what it costs.
    None is opened that buries more than it is worth, or they would take turns.
    """
    trials = MAX_OPENING
    for k in range(OPENING_ROUNDS):
        wanted = LIFT_DECAY**k * targets  # so that what is opened last buries no other cell
        closed = np.flatnonzero(iterate.massless)
        for i in closed[np.argsort(-wanted[closed], kind="stable")]:
            if trials > 0 and iterate.massless[i]:
                opened, used = _open(iterate, int(i), float(wanted[i]))
                trials -= used
                # other cells may need the digits more
                if (
                    opened.lost < iterate.lost
                    and opened.residual <= OPENING_PRICE * iterate.residual
                ):
                    iterate = opened
    return iterate


def _open(
    iterate: Iterate, i: int, wanted: float, gauges: tuple[bool, ...] = (False, True)
) -> tuple[Iterate, int]:
    """Give an empty cell about the mass wanted; also how many trials that took.

    Bisection corrects the weight of insertion, which rounding may spoil. Where the digits of the
    weights end before, they are taken about that of this site (True), and what is left is the
    smallest cell that was seen.
    """
    problem = iterate.problem
    at = slice(i, i + 1)
    size = max(float(np.abs(iterate.weights[0]).max()), float(np.ptp(problem.domain.bounds)) ** 2)
    best = iterate
    used = 0
    for centred in gauges:
        if centred:
            best = problem.evaluate(_double_double.less(best.weights, i), iterate.step)
        hi, lo = best.weights[0].copy(), best.weights[1].copy()
        if best.massless[i]:
            hi[at], lo[at] = best.diagram.insert(
                problem.sites[at], np.array([wanted]), np.array([i])
            ).T
        low: Pair | None = None
        high: Pair | None = None
        step = OPENING * size
        while True:
            trial = problem.evaluate((hi.copy(), lo.copy()), iterate.step)
            used += 1
            mass = float(trial.diagram.masses[i])
            here = hi[at].copy(), lo[at].copy()
            if mass < 0.5 * wanted:
                low = here
            else:
                best, high = trial, here
                if mass <= 2.0 * wanted:
                    return best, used
            if low is None or high is None:
                if step > OPENING_GROWTH * size:
                    return best, used
                middle = _double_double.add(here, np.array([step if high is None else -step]))
                step *= OPENING_GROWTH
            else:
                middle = _double_double.halve(_double_double.plus(low, high))
                if any(middle[0] == end[0] and middle[1] == end[1] for end in (low, high)):
                    break
            hi[at], lo[at] = middle
    return best, used


def lift_cells(
    iterate: Iterate,
    targets: FloatArray,
    rounds: int,
    decay: float,
    least: float = 0.0,
    floor: float | FloatArray = 0.0,
) -> Iterate:
    """Raise the weights of cells that are empty, or smaller than a floor, to their target masses.

    Each would have its target if it were raised alone.

    Cells lifted together may take one another's place, or a third one's: hence the rounds, each
    with more modest targets than the one before, down to the mass `least`. Sites far lighter than
    the heaviest have their rounds after it: they would be buried.
    """
    problem = iterate.problem
    top, k = np.inf, 0
    while True:
        waiting = np.flatnonzero(iterate.massless | (iterate.diagram.masses < floor))
        if waiting.size == 0:
            return iterate
        masses = problem.masses[waiting]
        if masses.max() < LIFT_BAND * top:
            top, k = masses.max(), 0
        elif k == rounds:
            return iterate
        due = waiting[masses >= LIFT_BAND * top]
        wanted = np.maximum(decay**k * targets[due], least)
        raised = iterate.diagram.insert(problem.sites[due], wanted, due, threads=problem.threads)
        hi, lo = iterate.weights[0].copy(), iterate.weights[1].copy()
        hi[due], lo[due] = raised.T
        iterate = problem.evaluate((hi, lo), iterate.step)
        k += 1
