"""Exact semi-discrete transport in the plane: from sites and target masses to certified weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot import _double_double
from geomot._bounds import bracket
from geomot._constants import ZERO_MASS_DROP
from geomot._double_double import Pair
from geomot._duplicates import representatives
from geomot._monitor import Monitor, SolverState
from geomot._newton.insertion import insertion_start, make_valid
from geomot._newton.newton import Iterate, Problem, newton
from geomot._power import PlaneSites, coincident, hilbert_order
from geomot.potentials import heights_from_weights, weights_from_heights
from geomot.solution import Solution, history_records
from geomot.sources import Source, exact_polygon

__all__ = ["solve_exact"]

FloatArray = NDArray[np.float64]


def solve_exact(
    sites: FloatArray,
    masses: FloatArray,
    source: Source,
    *,
    tol: float,
    atol: float,
    initial: Pair | None,
    step: float,
    max_iter: int,
    threads: int,
    monitor: Monitor,
) -> Solution:
    """Find weights whose cells have their masses to a relative error of `tol`, or within `atol`.

    Parameters
    ----------
    sites : ndarray of shape (n, 2)
        The sites.
    masses : ndarray of shape (n,)
        The target masses, of sum 1.
    source : Source
        The uniform measure on a polygon.
    tol, atol : float
        Each mass is wanted to within tol times its target, or to within atol.
    initial : pair of ndarray of shape (n,), optional
        Weights hi, lo to start from.
    step : float
        Length of the step before the first.
    max_iter : int
        Most Newton steps.
    threads : int
        Number of threads.
    monitor : Monitor
        Shown every accepted iterate.

    Returns
    -------
    Solution
    """
    reduced = _Reduced(sites, masses, exact_polygon(source), threads, tol, atol)
    start = reduced.start() if initial is None else reduced.restart(initial, step)
    observer = _Observer(reduced, source, monitor)
    iterate, status = newton(start, tol=tol, max_iter=max_iter, observe=observer)
    return reduced.solution(iterate, status, source, observer.rows)


class _Observer:
    """Keeps the history, and shows every iterate to the monitor."""

    def __init__(self, reduced: _Reduced, source: Source, monitor: Monitor) -> None:
        self.reduced = reduced
        self.source = source
        self.monitor = monitor
        self.rows: list[tuple[float, ...]] = []

    def __call__(self, iterate: Iterate) -> bool:
        self.rows.append((iterate.dual, iterate.residual, iterate.step, iterate.min_mass))
        self.monitor.tick(len(self.rows) - 1)
        return self.monitor.show(
            lambda: self._state(iterate),
            lambda: self.reduced.solution(iterate, "stopped", self.source, self.rows),
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


class _Reduced:
    """The problem on distinct sites whose masses count, along a space-filling curve.

    Coincident sites are merged, sites without a mass that counts left out; `expand` brings both
    back.
    """

    def __init__(
        self,
        sites: FloatArray,
        masses: FloatArray,
        polygon: FloatArray,
        threads: int,
        tol: float,
        atol: float,
    ) -> None:
        self.sites = sites
        self.masses = masses
        self.polygon = polygon
        self.threads = threads
        self.tol = tol
        self.atol = atol
        order, keys = hilbert_order(sites)
        representative = np.arange(len(sites))
        twins, starts = coincident(sites[order], keys)
        for g in range(len(starts) - 1):
            group = order[twins[starts[g] : starts[g + 1]]]
            representative[group] = group.min()
        self.representative = representative
        self.group_mass: FloatArray = np.bincount(
            representative, masses, minlength=len(sites)
        ).astype(np.float64)
        self.counts = self.group_mass > 0.0
        self.counts[negligible(self.group_mass, atol)] = False
        # along the curve, without losers among twins
        self.members = order[(representative[order] == order) & self.counts[order]]
        self.problem = Problem(
            np.ascontiguousarray(sites[self.members]),
            self.group_mass[self.members],
            polygon,
            threads,
            atol / tol,
        )

    def restart(self, weights: Pair, step: float) -> Iterate:
        """The given weights of all sites, made valid where they leave a cell empty."""
        kept = weights[0][self.members], weights[1][self.members]
        return make_valid(self.problem.evaluate(kept, step))

    def start(self) -> Iterate:
        """The insertion start, in a frame in which the sites lie inside the domain."""
        sites, masses = self.problem.sites, self.problem.masses
        frame = _Frame.near(sites, self.polygon)
        if frame is None:
            return insertion_start(self.problem)
        similar = frame.sites(sites)
        model = Problem(similar, masses, self.polygon, self.threads, self.problem.least)
        weights = frame.weights(sites, similar, insertion_start(model).weights)
        return make_valid(self.problem.evaluate(weights))

    def expand(self, weights: Pair) -> Pair:
        """Weights of all sites: twins share one, sites that do not count have no cell."""
        n = len(self.sites)
        hi, lo = np.zeros(n), np.zeros(n)
        hi[self.members], lo[self.members] = weights
        idle = np.flatnonzero(~self.counts & (self.representative == np.arange(n)))
        if idle.size:
            diagram = self.problem.plane.diagram(*weights, threads=self.threads)
            touching = diagram.insert(self.sites[idle], np.zeros(idle.size), threads=self.threads)
            extent = np.ptp(np.vstack([self.polygon, self.sites]), axis=0).max()
            below = (touching[:, 0], touching[:, 1])
            drop = np.full(idle.size, ZERO_MASS_DROP * extent**2)
            distinct = np.flatnonzero(self.representative == np.arange(n))
            plane = PlaneSites(self.sites[distinct], self.polygon)
            due = np.ones(idle.size, dtype=bool)
            while due.any():
                below = _double_double.add(below, np.where(due, -drop, 0.0))
                hi[idle], lo[idle] = below
                empty = np.ones(n, dtype=bool)
                empty[distinct] = plane.diagram(
                    hi[distinct], lo[distinct], threads=self.threads
                ).empty
                # where rounding has put the weight at which a cell appears too high; steps grow
                # also for those that come to light again when others have gone
                due = ~empty[idle]
                drop[due] *= 4.0
        return hi[self.representative], lo[self.representative]

    def solution(
        self,
        iterate: Iterate,
        status: str,
        source: Source,
        rows: list[tuple[float, ...]],
    ) -> Solution:
        hi, lo = self.expand(iterate.weights)
        masses, costs = np.zeros(len(self.sites)), np.zeros(len(self.sites))
        masses[self.members] = iterate.diagram.masses
        costs[self.members] = iterate.diagram.costs
        dual, bounds = bracket(self.sites, hi, lo, masses, costs, self.group_mass, self.polygon)
        share = np.divide(
            self.masses,
            self.group_mass[self.representative],
            where=self.masses > 0.0,
            out=np.zeros_like(self.masses),
        )
        return Solution(
            sites=self.sites,
            weights_exact=np.column_stack([hi, lo]),
            target_masses=self.masses,
            masses=masses[self.representative] * share,
            mass_error=iterate.mass_error,
            status=status,
            n_iter=len(rows) - 1,
            cost=max(dual, 0.0),
            dual_value=dual,
            bracket=bounds,
            history=history_records(rows),
            source=source,
            method="newton",
            tol=self.tol,
            atol=self.atol,
        )


def negligible(masses: FloatArray, atol: float) -> NDArray[np.int64]:
    """Return the smallest positive masses that add up to no more than `atol`.

    Without them every other mass can still be within `atol` of its target.
    """
    order = np.argsort(masses, kind="stable")
    order = order[masses[order] > 0.0]
    return order[: np.searchsorted(np.cumsum(masses[order]), atol, side="right")]


@dataclass(frozen=True)
class _Frame:
    """Similar sites y' = scale (y - centre) + origin, for which the solution has the same cells."""

    centre: FloatArray
    scale: float
    origin: FloatArray

    @classmethod
    def near(cls, sites: FloatArray, polygon: FloatArray) -> _Frame | None:
        """The frame in which sites fill the bounding box of the domain.

        None if they lie in it, or if rounding would make some coincide.
        """
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        bottom, top = sites.min(axis=0), sites.max(axis=0)
        if (bottom >= low).all() and (top <= high).all():
            return None
        extent = float((top - bottom).max())
        room = float((high - low).min())
        # A power of two, so that scaling is exact. Tight groups of sites are scaled up: they would
        # lose their shape to rounding if they were only moved.
        scale = 2.0 ** np.floor(np.log2(room / extent)) if extent > 0.0 else 1.0
        # about zero more sites are told apart, and the domain need not be there
        for origin in (0.5 * (low + high), np.zeros(2)):
            frame = cls(0.5 * (bottom + top), float(scale), origin)
            if (representatives(frame.sites(sites)) == np.arange(len(sites))).all():
                return frame
        return None

    def sites(self, sites: FloatArray) -> FloatArray:
        """The similar sites."""
        return self.scale * (sites - self.centre) + self.origin

    def weights(self, sites: FloatArray, similar: FloatArray, weights: Pair) -> Pair:
        """Weights of the sites that make the cells of the similar ones."""
        # u' = scale u + <x, origin - scale centre>
        hi, lo = heights_from_weights(similar, *weights)
        hi, lo = weights_from_heights(sites, hi / self.scale, lo / self.scale)
        # Small numbers have fine digits: those of most sites, whatever one far away has.
        return _double_double.add((hi, lo), np.full_like(hi, -np.median(hi)))
