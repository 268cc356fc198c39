"""Semi-discrete transport by sampling: from sites and target masses to measured weights."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from geomot._bounds import largest_price
from geomot._constants import SEED_RANGE
from geomot._constants.sampling import (
    BURIED,
    FIT_CAP,
    FORECAST_SECONDS,
    FORECAST_STEPS,
    IDLE_REACH,
    LEAST_LIMIT,
    LONG_SECONDS,
    MOST_SAMPLES,
    PLACEMENTS,
    REPAIR_SITES,
    TEST_STREAMS,
)
from geomot._duplicates import Merged
from geomot._mass_estimate import MassEstimate
from geomot._monitor import Monitor, SolverState
from geomot._request import Request
from geomot._sampling.designs import Design, make_design
from geomot._sampling.fit import Fit
from geomot._sampling.lost_sites import lost_sites
from geomot._sampling.tally import Tally
from geomot._sampling.verdict import Examiner, Look
from geomot._search.nearest_cell import Assigner
from geomot._stderr import warn
from geomot.solution import Solution
from geomot.sources import Source

__all__ = ["solve_montecarlo"]

FloatArray = NDArray[np.float64]


def solve_montecarlo(request: Request, monitor: Monitor) -> Solution:
    """Find weights whose masses are within `tol` of their targets in total variation.

    Parameters
    ----------
    request : Request
        Its initial weights are looked at, and started from if they are worth it.
    monitor : Monitor
        Shown every look.

    Returns
    -------
    Solution
    """
    problem = Merged(request.sites, request.target_masses)
    # not every generator can spawn others, but all draw integers
    root = np.random.SeedSequence([int(seed) for seed in request.rng.integers(SEED_RANGE, size=4)])
    design_rng, fit_rng, test_rng, blur_rng = map(np.random.default_rng, root.spawn(4))
    design = make_design(
        problem.sites, request.source, design_rng, request.threads, request.backend
    )
    examiner = Examiner(design, problem.masses, request.tol, test_rng)
    _refuse_too_many(examiner)
    initial = None if request.initial is None else request.initial[0] + request.initial[1]
    fit, look = _start(design, examiner, problem, initial, fit_rng)
    limit = int(FIT_CAP * examiner.usual / examiner.most / fit.batch_size)
    limit = max(limit, LEAST_LIMIT) if request.max_iter is None else request.max_iter

    recorder = _Recorder(request, problem, fit, examiner, monitor)
    following, placed = examiner.first_look(), 0
    forecast = _Forecast(examiner, fit, limit)
    while True:
        if look is None:
            while fit.n_iter < limit and fit.samples < following:
                fit.step()
                forecast.tick()
                monitor.tick(fit.drawn)
            look = examiner.look(fit.average, fit.samples)
            while look.converged and placed < PLACEMENTS:
                counts = look.tally.counts.sum(axis=0, dtype=np.int64)
                lost = lost_sites(problem.masses, counts, fit.samples)
                if not lost.size:
                    break
                placed += 1
                fit.place(lost)
                look = examiner.look(fit.average, fit.samples)
        fit.observe(examiner.total_variation(look))
        stopped = recorder.record(look)
        if look.converged:
            return recorder.solution(look, "converged")
        if stopped or look.unresolved or fit.n_iter >= limit:
            if not examiner.resolves(look, blur_rng):
                return recorder.solution(look, "precision")
            return recorder.solution(look, "stopped" if stopped else "max_iter")
        following, look = examiner.next_look(fit.samples), None


def _start(
    design: Design,
    examiner: Examiner,
    problem: Merged,
    initial: FloatArray | None,
    rng: np.random.Generator,
) -> tuple[Fit, Look | None]:
    """Start from a guess, or from weights, which are looked at to know what they are worth."""
    if initial is None:
        return Fit(design, problem.masses, None, rng), None
    look = examiner.assess(design.heights(initial[problem.members]))
    if examiner.total_variation(look) >= BURIED:
        warn(
            f"initial_weights are ignored: the total variation of their masses from the targets is "
            f"{examiner.total_variation(look):.2g}, and a solve without them is faster",
            UserWarning,
            stacklevel=4,
        )
        return _start(design, examiner, problem, None, rng)
    return Fit(design, problem.masses, look.heights, rng, examiner.worth(look)), look


class _Forecast:
    """Warns of a solve that will take long, as soon as its first steps tell."""

    def __init__(self, examiner: Examiner, fit: Fit, limit: int) -> None:
        self.examiner = examiner
        self.fit = fit
        fitted = min(examiner.usual / examiner.aim, float(limit) * fit.batch_size)
        self.samples = fitted + examiner.needed
        self.began: tuple[float, int] | None = None
        self.done = False

    def tick(self) -> None:
        """Look at the time after a step; the first ones are slow and do not count."""
        if self.done or self.fit.n_iter < FORECAST_STEPS:
            return
        if self.began is None:
            self.began = perf_counter(), self.fit.drawn
            return
        seconds, drawn = perf_counter() - self.began[0], self.fit.drawn - self.began[1]
        if seconds >= FORECAST_SECONDS:
            self.done = True
            self._judge(seconds / drawn * self.samples)

    def _judge(self, seconds: float) -> None:
        if seconds < LONG_SECONDS:
            return
        tol = self.examiner.tol
        reachable = tol * (seconds / 60.0) ** 0.5
        warn(
            f"tol={tol:.2g} needs about {self.samples:.1e} samples, that is about "
            f"{_duration(seconds)} on this machine; tol={reachable:.1g} takes about a minute",
            UserWarning,
            stacklevel=5,
        )


def _duration(seconds: float) -> str:
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"


def _refuse_too_many(examiner: Examiner) -> None:
    samples = examiner.usual / examiner.aim + examiner.needed
    if samples > MOST_SAMPLES:
        least = examiner.tol * (samples / MOST_SAMPLES) ** 0.5
        raise ValueError(
            f"tol must be at least {least:.1g} for {len(examiner.masses)} sites in Monte Carlo, "
            f"got {examiner.tol:.3g}, which would need about {samples:.1e} samples"
        )


def _all_weights(merged: Merged, weights: FloatArray, source: Source) -> FloatArray:
    """Weights of all sites; those of sites without mass make no cell within reach."""
    out = merged.copied(weights)
    idle = merged.idle
    if idle.size:
        nearest = Assigner(merged.sites, np.zeros(len(merged.sites)))(merged.all_sites[idle])
        apart = merged.all_sites[idle] - merged.sites[nearest]
        distance = np.sqrt(np.einsum("nk,nk->n", apart, apart))
        # |x - y|^2 - w grows past that of the neighbour for all x within reach of it
        away = merged.sites[nearest] - source.mean
        reach = np.sqrt(np.einsum("nk,nk->n", away, away)) + _radius(source)
        out[idle] = weights[nearest] - 2.0 * reach * distance
    return out


def _radius(source: Source) -> float:
    """Distance from the mean within which all of the source lies, or all but a negligible part."""
    corners = np.abs(source.bounds - source.mean).max(axis=0)
    if np.isfinite(corners).all():
        return float(np.sqrt(np.sum(corners**2)))
    return IDLE_REACH * float(np.sqrt(np.trace(source.covariance)))


class _Recorder:
    """Keeps the history, and turns looks into states and solutions."""

    def __init__(
        self,
        request: Request,
        problem: Merged,
        fit: Fit,
        examiner: Examiner,
        monitor: Monitor,
    ) -> None:
        self.request = request
        self.problem = problem
        self.fit = fit
        self.examiner = examiner
        self.monitor = monitor
        self.rows: list[tuple[float, ...]] = []

    def record(self, look: Look) -> bool:
        """Add a look to the history and show it; whether the monitor wants to stop."""
        dual = look.tally.costs(look.weights)[0]
        masses = look.tally.measured()
        tv, least = self.examiner.total_variation(look), float(masses.min())
        self.rows.append((dual, tv, self.fit.step_factor, least, float(self.fit.drawn)))
        return self.monitor.show(
            lambda: SolverState(
                n_iter=self.fit.n_iter,
                mass_error=_largest_error(masses, self.problem.masses),
                dual=dual,
                residual=tv,
                step=self.fit.step_factor,
                min_mass=least,
                weights_exact=_exact(self._weights(look)),
            ),
            lambda: self.solution(look, "stopped", sharp=False),
            f"tv={tv:.3g}",
        )

    def _weights(self, look: Look) -> FloatArray:
        return _all_weights(self.problem, look.weights, self.request.source)

    def solution(self, look: Look, status: str, sharp: bool = True) -> Solution:
        """Return what this look measured; in checkpoints without what takes long."""
        problem, tally = self.problem, look.tally
        masses = tally.measured()
        dual = tally.costs(look.weights)[0]
        estimate = tally.estimate(self.fit.drawn, look.weights, look.scales, max(look.verdict, 1))
        bounds = _bracket(problem, tally, look.weights, dual, estimate, sharp)
        return self.request.solution(
            weights=_exact(self._weights(look)),
            masses=problem.spread(masses),
            mass_error=_largest_error(masses, problem.masses),
            status=status,
            n_iter=self.fit.n_iter,
            dual=dual,
            bracket=bounds,
            rows=self.rows,
            estimate=replace(
                estimate,
                mass_standard_errors=problem.spread(estimate.mass_standard_errors),
                centroids=problem.copied(estimate.centroids),
            ),
        )


def _exact(weights: FloatArray) -> FloatArray:
    return np.column_stack([weights, np.zeros_like(weights)])


def _largest_error(masses: FloatArray, targets: FloatArray) -> float:
    return float(np.max(np.abs(masses - targets) / targets))


def _bracket(
    problem: Merged,
    tally: Tally,
    weights: FloatArray,
    dual: float,
    estimate: MassEstimate,
    sharp: bool,
) -> tuple[float, float]:
    """Bounds on W2^2, each at one side of the estimate's confidence.

    Below stands the dual value, which no weights raise above W2^2. Above, the cost of a plan: all
    cells to their sites, and then a random part of every cell that has too much to sites that have
    too little; for a sharp bound to near ones, if there are not too many sites to look for them.
    """
    level = 0.5 + 0.5 * estimate.confidence
    quantile = float(stdtrit(TEST_STREAMS - 1, level))
    below = max(dual - quantile * estimate.cost_standard_error, 0.0)
    above = (
        estimate.map_cost
        + quantile * estimate.map_cost_standard_error
        + estimate.tv_interval[1] * largest_price(problem.sites, estimate.centroids)
    )
    if sharp and len(problem.sites) <= REPAIR_SITES:
        above = min(above, tally.cost_above(weights, 1.0 - level))
    return below, max(above, below)
