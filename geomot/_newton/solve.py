"""Exact semi-discrete transport in the plane and in space: certified weights of target masses."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from geomot import _double_double
from geomot._bounds import bracket, largest_price
from geomot._constants.newton import NEWTON_MAX_ITER, ZERO_MASS_DROP, ZERO_MASS_GROWTH
from geomot._double_double import Pair
from geomot._exact import inserting_sites, places_of
from geomot._monitor import Monitor, SolverState
from geomot._newton.insertion import make_valid
from geomot._newton.ladder import density_start, resumed, simple_start
from geomot._newton.newton import Iterate, Problem, newton
from geomot._power import coincident, hilbert_order
from geomot._request import Request
from geomot.solution import Solution
from geomot.sources import exact_domain

__all__ = ["Observer", "Reduced", "solve_exact"]

FloatArray = NDArray[np.float64]


def solve_exact(request: Request, monitor: Monitor) -> Solution:
    """Find weights whose cells have their masses to within the request's tolerances.

    Parameters
    ----------
    request : Request
        Its source has exact diagrams in the plane or in space.
    monitor : Monitor
        Shown every accepted iterate.

    Returns
    -------
    Solution
    """
    reduced = Reduced(request)
    start = reduced.start() if request.initial is None else reduced.restart(request.initial)
    observer = Observer(reduced, monitor)
    max_iter = NEWTON_MAX_ITER if request.max_iter is None else request.max_iter
    iterate, status = newton(start, tol=request.tol, max_iter=max_iter, observe=observer)
    return reduced.solution(iterate, status, observer.rows)


class Observer:
    """Keeps the history, and shows every iterate to the monitor."""

    def __init__(self, reduced: Reduced, monitor: Monitor) -> None:
        self.reduced = reduced
        self.monitor = monitor
        self.rows: list[tuple[float, ...]] = []

    def __call__(self, iterate: Iterate) -> bool:
        self.rows.append((iterate.dual, iterate.residual, iterate.step, iterate.min_mass))
        self.monitor.tick(len(self.rows) - 1)
        return self.monitor.show(
            lambda: self._state(iterate),
            lambda: self.reduced.solution(iterate, "stopped", self.rows),
            f"mass_error={iterate.mass_error:.1e}",
        )

    def _state(self, iterate: Iterate) -> SolverState:
        return SolverState(
            n_iter=len(self.rows) - 1,
            mass_error=iterate.mass_error,
            dual=iterate.dual,
            residual=iterate.residual,
            step=iterate.step,
            min_mass=iterate.min_mass,
            weights_exact=np.column_stack(self.reduced.expand(iterate.weights)),
        )


class Reduced:
    """The problem on distinct sites whose masses count, along a space-filling curve.

    Coincident sites are merged, sites without a mass that counts left out; `expand` brings both
    back.
    """

    problem_kind: ClassVar[type[Problem]] = Problem

    def __init__(self, request: Request) -> None:
        self.request = request
        self.domain = exact_domain(request.source)
        sites, masses = request.sites, request.target_masses
        places = places_of(sites, request.source)
        order, keys = hilbert_order(places)
        representative = np.arange(len(sites))
        twins, starts = coincident(places[order], keys)
        for g in range(len(starts) - 1):
            group = order[twins[starts[g] : starts[g + 1]]]
            representative[group] = group.min()
        self.representative = representative
        self.group_mass: FloatArray = np.bincount(
            representative, masses, minlength=len(sites)
        ).astype(np.float64)
        self.counts = self.group_mass > 0.0
        self.counts[negligible(self.group_mass, request.atol)] = False
        # along the curve, without losers among twins
        self.members = order[(representative[order] == order) & self.counts[order]]
        self.problem = self.problem_kind(
            np.ascontiguousarray(sites[self.members]),
            self.group_mass[self.members],
            request.source,
            request.threads,
            request.atol / request.tol,
        )

    def restart(self, weights: Pair) -> Iterate:
        """The given weights of all sites, made valid where they leave a cell empty."""
        kept = weights[0][self.members], weights[1][self.members]
        if self.request.source.scaled_density is not None:
            return resumed(self.problem, kept, self.request.step)
        return make_valid(self.problem.evaluate(kept, self.request.step))

    def start(self) -> Iterate:
        """Weights under which every cell that counts has mass."""
        source = self.request.source
        if source.scaled_density is None or source.product is not None:
            return simple_start(self.problem)
        return density_start(self.problem)

    def expand(self, weights: Pair) -> Pair:
        """Weights of all sites: twins share one, sites that do not count have no cell."""
        sites, threads = self.request.sites, self.request.threads
        n = len(sites)
        hi, lo = np.zeros(n), np.zeros(n)
        hi[self.members], lo[self.members] = weights
        idle = np.flatnonzero(~self.counts & (self.representative == np.arange(n)))
        if idle.size:
            diagram = self.problem.sorted_sites.diagram(*weights, threads=threads)
            touching = diagram.insert(sites[idle], np.zeros(idle.size), threads=threads)
            extent = np.ptp(np.vstack([self.domain.bounds, sites]), axis=0).max()
            below = (touching[:, 0], touching[:, 1])
            drop = np.full(idle.size, ZERO_MASS_DROP * extent**2)
            distinct = np.flatnonzero(self.representative == np.arange(n))
            others = inserting_sites(sites[distinct], self.request.source)
            due = np.ones(idle.size, dtype=bool)
            while due.any():
                below = _double_double.add(below, np.where(due, -drop, 0.0))
                hi[idle], lo[idle] = below
                empty = np.ones(n, dtype=bool)
                empty[distinct] = others.diagram(hi[distinct], lo[distinct], threads=threads).empty
                # where rounding has put the weight at which a cell appears too high; steps grow
                # also for those that come to light again when others have gone
                due = ~empty[idle]
                drop[due] *= ZERO_MASS_GROWTH
        return hi[self.representative], lo[self.representative]

    def _price(self, iterate: Iterate) -> float:
        """A bound on the cost of moving a unit of mass to another site."""
        if np.isfinite(self.request.source.bounds).all():
            return self.domain.largest_price(self.request.sites)
        centroids = np.full_like(self.request.sites, np.nan)
        centroids[self.members] = iterate.diagram.centroids
        return largest_price(self.request.sites, centroids)

    def measured(self, iterate: Iterate) -> tuple[FloatArray, FloatArray]:
        """Masses and costs of all cells; those of coincident sites are at one of them."""
        masses, costs = np.zeros(len(self.group_mass)), np.zeros(len(self.group_mass))
        masses[self.members] = iterate.diagram.masses
        costs[self.members] = iterate.diagram.costs
        return masses, costs

    def bounds(
        self, iterate: Iterate, weights: Pair, masses: FloatArray, costs: FloatArray
    ) -> tuple[float, tuple[float, float]]:
        """The dual value, and bounds on the cost."""
        price = self._price(iterate)
        return bracket(self.request.sites, *weights, masses, costs, self.group_mass, price)

    def solution(self, iterate: Iterate, status: str, rows: list[tuple[float, ...]]) -> Solution:
        """What the solve returns at this iterate."""
        targets = self.request.target_masses
        hi, lo = self.expand(iterate.weights)
        masses, costs = self.measured(iterate)
        dual, bounds = self.bounds(iterate, (hi, lo), masses, costs)
        share = np.divide(
            targets,
            self.group_mass[self.representative],
            where=targets > 0.0,
            out=np.zeros_like(targets),
        )
        return self.request.solution(
            weights=np.column_stack([hi, lo]),
            masses=masses[self.representative] * share,
            mass_error=float(iterate.mass_errors[: len(self.members)].max()),
            status=status,
            n_iter=len(rows) - 1,
            dual=dual,
            bracket=bounds,
            rows=rows,
        )


def negligible(masses: FloatArray, atol: float) -> NDArray[np.int64]:
    """Return the smallest positive masses that add up to no more than `atol`.

    Without them every other mass can still be within `atol` of its target.
    """
    order = np.argsort(masses, kind="stable")
    order = order[masses[order] > 0.0]
    return order[: np.searchsorted(np.cumsum(masses[order]), atol, side="right")]
