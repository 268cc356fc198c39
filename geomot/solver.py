"""The solver: from sites and target masses to certified weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot import _pairs
from geomot._constants import FIRST_STEP, NEWTON_MAX_ITER, NEWTON_TOL, ZERO_MASS_DROP
from geomot._pairs import Pair
from geomot._power import coincident, hilbert_order
from geomot._validation import (
    as_count,
    as_generator,
    as_masses,
    as_points,
    as_threads,
    as_tolerance,
    as_weights,
)
from geomot.certificate import bracket
from geomot.errors import ConvergenceError, ConvergenceWarning
from geomot.newton import Iterate, Problem, newton
from geomot.potentials import heights_from_weights, weights_from_heights
from geomot.solution import Solution, history_records
from geomot.sources import Source, as_source, exact_polygon
from geomot.start import insertion_start, make_valid

__all__ = ["SolverState", "solve"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

METHODS = ("auto", "newton")


@dataclass(frozen=True)
class SolverState:
    """What a callback is shown after each accepted iterate, the start included.

    Attributes
    ----------
    n_iter : int
        Newton steps taken so far.
    mass_error : float
        Largest relative error of a mass.
    dual : float
        Kantorovich's dual value, a lower bound on W2^2.
    residual : float
        Euclidean distance of the roots of masses and targets.
    step : float
        Length of the step that led here; 0.5 at the start.
    min_mass : float
        Smallest mass of a cell.
    weights_exact : ndarray of shape (n, 2)
        The weights as exact sums hi + lo. Passing the state as `initial_weights` resumes the solve.
    """

    n_iter: int
    mass_error: float
    dual: float
    residual: float
    step: float
    min_mass: float
    weights_exact: FloatArray


def solve(
    sites: ArrayLike,
    target_masses: ArrayLike | None = None,
    source: Source | ArrayLike | None = None,
    *,
    method: str = "auto",
    tol: float | None = None,
    initial_weights: ArrayLike | Solution | SolverState | None = None,
    max_iter: int | None = None,
    threads: int | None = None,
    callback: Callable[[SolverState], bool | None] | None = None,
    random_state: Any = None,
    progress: bool = False,
    strict: bool = False,
    normalize: bool = False,
) -> Solution:
    """Find the optimal map from a continuous measure onto weighted points.

    The map minimises the mean of |x - T(x)|^2. It sends the power cell of each site to that site;
    Newton's method on the dual energy finds the power weights that give each cell its mass
    (Kitagawa, Merigot, Thibert 2016; Lei, Su, Cui, Yau, Gu, arXiv:1710.05488), started by
    inserting sites level by level.

    Parameters
    ----------
    sites : array_like of shape (n, 2)
        The sites y_i, anywhere in the plane. Coincident sites are merged: they share one cell's
        mass in proportion to their target masses, and the lowest index owns the cell.
    target_masses : array_like of shape (n,), optional
        Non-negative masses of sum 1; equal ones by default. A site of mass zero gets a finite
        weight and an empty cell.
    source : Source or array_like of shape (m, 2), optional
        The source measure, or the vertices of a convex polygon for the uniform one on it. The unit
        square by default.
    method : {"auto", "newton"}
        Both stand for the exact method.
    tol : float, default 1e-9
        Bound on the largest relative error of a cell's mass.
    initial_weights : array_like of shape (n,) or (n, 2), Solution or SolverState, optional
        Where to start instead; cells that are empty under them are lifted first. From a Solution
        or SolverState of the same problem the run goes on exactly as if it had not stopped.
    max_iter : int, default 200
        Largest number of Newton steps on the full problem.
    threads : int, optional
        Number of threads, all usable cores by default. The result does not depend on it.
    callback : callable, optional
        Called with a `SolverState` after each accepted iterate; returning True stops the solve.
    random_state : optional
        Accepted for symmetry with sampling methods; the exact method draws nothing from it.
    progress : bool, default False
        Show a progress bar on standard error.
    strict : bool, default False
        Raise instead of warn when the tolerance is not reached.
    normalize : bool, default False
        Divide the target masses by their sum.

    Returns
    -------
    Solution

    Raises
    ------
    TypeError, ValueError
        Naming the argument, for input that cannot be meant.
    ConvergenceError
        If `strict`, when the tolerance is not reached; it carries the solution.

    Warns
    -----
    ConvergenceWarning
        When the tolerance is not reached. The solution's `status` says why: "max_iter",
        "precision" (rounding leaves no further progress), "stalled" (no step is acceptable for
        another reason) or "stopped" (by the callback).

    Examples
    --------
    >>> import geomot
    >>> solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7])
    >>> solution.converged
    True
    >>> round(solution.cost, 12)            # W2^2
    0.124166666667
    """
    y = as_points(sites, "sites", 2)
    nu = as_masses(target_masses, len(y), "target_masses", normalize=normalize)
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    measure = as_source(source, 2)
    polygon = exact_polygon(measure)
    tolerance = NEWTON_TOL if tol is None else as_tolerance(tol)
    limit = NEWTON_MAX_ITER if max_iter is None else as_count(max_iter, "max_iter", 0)
    n_threads = as_threads(threads)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    as_generator(random_state)
    initial, step = _as_initial(initial_weights, len(y))

    reduced = _Reduced(y, nu, polygon, n_threads)
    start = reduced.start() if initial is None else reduced.restart(initial, step)
    with _Observer(reduced, tolerance, callback, progress) as observer:
        iterate, status = newton(start, tol=tolerance, max_iter=limit, observe=observer)
    solution = reduced.solution(iterate, status, measure, tolerance, observer.rows)
    if not solution.converged:
        message = (
            f"solve stopped with mass_error {solution.mass_error:.3g} > tol {tolerance:.3g} "
            f"after {solution.n_iter} steps: {_REASONS[status]}"
        )
        if strict:
            raise ConvergenceError(message, solution)
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return solution


_REASONS = {
    "max_iter": "max_iter was reached",
    "precision": "rounding leaves no further progress",
    "stalled": "no step along Newton's direction improves the masses",
    "stopped": "the callback asked for it",
}


def _as_initial(value: Any, n: int) -> tuple[Pair | None, float]:
    """Weights to start from, and the step before the first."""
    if value is None:
        return None, FIRST_STEP
    if isinstance(value, Solution):
        step = float(value.history.step[-1]) if len(value.history) else FIRST_STEP
        return as_weights(value.weights_exact, n, "initial_weights"), step
    if isinstance(value, SolverState):
        return as_weights(value.weights_exact, n, "initial_weights"), value.step
    return as_weights(value, n, "initial_weights"), FIRST_STEP


class _Observer:
    """Keeps the history, feeds the callback and the progress bar."""

    def __init__(
        self,
        reduced: _Reduced,
        tol: float,
        callback: Callable[[SolverState], bool | None] | None,
        progress: bool,
    ) -> None:
        self.reduced = reduced
        self.callback = callback
        self.rows: list[tuple[float, float, float, float]] = []
        self.bar = None
        if progress:
            from tqdm import tqdm

            self.bar = tqdm(desc=f"Newton to {tol:.0e}", unit=" steps")

    def __enter__(self) -> _Observer:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, iterate: Iterate) -> bool:
        self.rows.append((iterate.dual, iterate.residual, iterate.step, iterate.min_mass))
        if self.bar is not None:
            self.bar.set_postfix(mass_error=f"{iterate.mass_error:.1e}", refresh=False)
            self.bar.update(int(len(self.rows) > 1))
        if self.callback is None:
            return False
        state = SolverState(
            n_iter=len(self.rows) - 1,
            mass_error=iterate.mass_error,
            dual=iterate.dual,
            residual=iterate.residual,
            step=iterate.step,
            min_mass=iterate.min_mass,
            weights_exact=np.column_stack(self.reduced.expand(iterate.weights)),
        )
        return self.callback(state) is True


class _Reduced:
    """The problem on distinct sites of positive mass, along a space-filling curve.

    Coincident sites are merged, sites of mass zero left out; `expand` brings both back.
    """

    def __init__(
        self, sites: FloatArray, masses: FloatArray, polygon: FloatArray, threads: int
    ) -> None:
        self.sites = sites
        self.masses = masses
        self.polygon = polygon
        self.threads = threads
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
        # along the curve, without losers among twins and sites without mass
        self.members = order[(representative[order] == order) & (self.group_mass[order] > 0.0)]
        self.problem = Problem(
            np.ascontiguousarray(sites[self.members]),
            self.group_mass[self.members],
            polygon,
            threads,
        )

    def restart(self, weights: Pair, step: float) -> Iterate:
        """The given weights of all sites, made valid where they leave a cell empty."""
        kept = weights[0][self.members], weights[1][self.members]
        return make_valid(self.problem.evaluate(kept, step))

    def start(self) -> Iterate:
        """The insertion start, in a frame in which the sites lie inside the domain."""
        near, centre, scale, origin = _near_domain(self.problem.sites, self.polygon)
        if near is None:
            return insertion_start(self.problem)
        model = Problem(near, self.problem.masses, self.polygon, self.threads)
        heights = heights_from_weights(near, *insertion_start(model).weights)
        # With y' = scale (y - centre) + origin, u' = scale u + <x, origin - scale centre>.
        weights = weights_from_heights(self.problem.sites, heights[0] / scale, heights[1] / scale)
        return make_valid(self.problem.evaluate(weights))

    def expand(self, weights: Pair) -> Pair:
        """Weights of all sites: twins share one, sites without mass stay below their cell."""
        n = len(self.sites)
        hi, lo = np.zeros(n), np.zeros(n)
        hi[self.members], lo[self.members] = weights
        idle = np.flatnonzero((self.group_mass == 0.0) & (self.representative == np.arange(n)))
        if idle.size:
            diagram = self.problem.plane.diagram(*weights, threads=self.threads)
            touching = diagram.insert(self.sites[idle], np.zeros(idle.size), threads=self.threads)
            extent = np.ptp(np.vstack([self.polygon, self.sites]), axis=0).max()
            below = _pairs.add(
                (touching[:, 0], touching[:, 1]), np.full(idle.size, -ZERO_MASS_DROP * extent**2)
            )
            hi[idle], lo[idle] = below
        return hi[self.representative], lo[self.representative]

    def solution(
        self,
        iterate: Iterate,
        status: str,
        source: Source,
        tol: float,
        rows: list[tuple[float, float, float, float]],
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
            cost=dual,
            dual_value=dual,
            bracket=bounds,
            history=history_records(rows),
            source=source,
            method="newton",
            tol=tol,
        )


def _near_domain(
    sites: FloatArray, polygon: FloatArray
) -> tuple[FloatArray | None, FloatArray, float, FloatArray]:
    """Sites moved and scaled into the domain's bounding box; None where they lie in it."""
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    bottom, top = sites.min(axis=0), sites.max(axis=0)
    origin, centre = 0.5 * (low + high), 0.5 * (bottom + top)
    if (bottom >= low).all() and (top <= high).all():
        return None, centre, 1.0, origin
    extent = float((top - bottom).max())
    room = float((high - low).min())
    # a power of two, so that scaling heights back is exact
    scale = 2.0 ** np.floor(np.log2(room / extent)) if extent > room else 1.0
    return scale * (sites - centre) + origin, centre, float(scale), origin
