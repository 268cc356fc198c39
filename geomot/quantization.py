"""Optimal quantisation: the n points that stand for a measure best.

With free masses the points minimise the mean of the squared distance to the nearest of them; at a
minimum each is the centroid of its Voronoi cell. With given masses they minimise W2^2 between the
measure and the masses at the points; at a minimum each is the centroid of its power cell. Equal
masses make blue noise: points of even density without a pattern, as in stippling (de Goes, Breeden,
Ostromoukhov, Desbrun, "Blue noise through optimal transport", 2012).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants.newton import NEWTON_TOL
from geomot._descent import Place, descend
from geomot._frozen import Frozen, read_only
from geomot._stderr import progress_bar, warn
from geomot._validation import (
    as_count,
    as_generator,
    as_masses,
    as_points,
    as_threads,
    as_tolerance,
)
from geomot._warm_start import carried_weights
from geomot.diagram import PowerDiagram
from geomot.errors import ConvergenceWarning
from geomot.solution import Solution
from geomot.solver import solve
from geomot.sources import Source, as_source, require_exact

__all__ = ["Quantization", "QuantizationState", "quantize"]

FloatArray = NDArray[np.float64]

METHODS = ("lbfgs", "lloyd")
HISTORY_DTYPE = np.dtype([(name, np.float64) for name in ("cost", "gradient_norm", "step")])

# Relative errors of masses while points move: this share of how far they are from their centroids,
# which puts the errors of the energy far below what a step gains.
MASS_SHARE = 1e-2
COARSEST_MASSES = 1e-3

_REASONS = {
    "max_iter": "max_iter was reached",
    "stalled": "no step lowers the cost",
    "stopped": "the callback asked for it",
}


@dataclass(frozen=True)
class QuantizationState:
    """State that a callback of `quantize` receives after each step.

    Attributes
    ----------
    n_iter : int
        Steps taken so far.
    points : ndarray of shape (n, d)
        The points.
    cost : float
        The energy.
    gradient_norm : float
        As in `Quantization`.

    Examples
    --------
    >>> import geomot
    >>> states = []
    >>> square = geomot.UniformBox.unit(2)
    >>> found = geomot.quantize(square, 10, random_state=0, callback=states.append)
    >>> states[-1].n_iter == found.n_iter, states[-1].cost <= states[0].cost
    (True, True)
    """

    n_iter: int
    points: FloatArray
    cost: float
    gradient_norm: float


@dataclass(frozen=True, eq=False, repr=False)
class Quantization(Frozen):
    """Points that stand for a measure, and what is known about them.

    Made by `geomot.quantize`; immutable, comparable, picklable.

    Attributes
    ----------
    points : ndarray of shape (n, d)
        The points.
    masses : ndarray of shape (n,)
        Their masses, which sum to 1: those given, or those of their Voronoi cells.
    weights_exact : ndarray of shape (n, 2)
        Power weights of the cells as exact sums hi + lo; zero if masses were free.
    cost : float
        W2^2 between the source and the masses at the points.
    gradient_norm : float
        Root mean square of the distances from the points to the centroids of their cells, relative
        to the root of `cost`. The gradient of the cost is 2 m_i (y_i - c_i).
    status : str
        "converged": `gradient_norm` is at most `tol`; "max_iter": the steps ran out; "stopped": by
        the callback; "stalled": no step lowers the cost, mostly because `tol` is below what
        rounding allows.
    n_iter : int
        Steps taken.
    n_evaluations : int
        How often the cells of some points were measured, or solved for.
    history : recarray
        Fields cost, gradient_norm and step (length of the step that led here, relative to that of
        the method): one record per step, and one of the start.
    source : Source
        The measure.
    method : str
        The method that was used.
    tol : float
        The requested tolerance.

    Notes
    -----
    The points are a local minimum: others may be better. They depend on the start.

    Examples
    --------
    >>> import geomot
    >>> found = geomot.quantize(geomot.Gaussian([0.0], 1.0), 2, tol=1e-9, random_state=0)
    >>> sorted(found.points.ravel().round(8).tolist())  # the roots of 2 / pi
    [-0.79788456, 0.79788456]
    >>> found.converged, round(found.cost, 12)  # 1 - 2 / pi
    (True, 0.363380227632)
    """

    points: FloatArray
    masses: FloatArray
    weights_exact: FloatArray
    cost: float
    gradient_norm: float
    status: str
    n_iter: int
    n_evaluations: int
    history: np.recarray
    source: Source
    method: str
    tol: float

    def __post_init__(self) -> None:
        for name in ("points", "masses", "weights_exact"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        object.__setattr__(self, "history", read_only(self.history.view(np.recarray)))

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        n, d = self.points.shape
        where = f"{d} dimension{'s' if d > 1 else ''}"
        return (
            f"Quantization(<{n} points in {where}>, {self.status!r}, "
            f"gradient_norm={self.gradient_norm:.3g}, cost={self.cost:.12g}, n_iter={self.n_iter})"
        )

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        # A record array pickles its class by name; the bare one is all that is needed.
        state["history"] = np.asarray(self.history)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "history": state["history"].view(np.recarray)})

    @property
    def converged(self) -> bool:
        """Whether the tolerance was reached."""
        return self.status == "converged"

    @cached_property
    def _diagram(self) -> PowerDiagram:
        return PowerDiagram(self.points, self.weights_exact, self.source)

    def diagram(self) -> PowerDiagram:
        """Return the cells of the points.

        Computed when first asked for, then kept.

        Returns
        -------
        PowerDiagram

        Examples
        --------
        >>> import geomot
        >>> found = geomot.quantize(geomot.UniformBox.unit(2), 4, masses="equal", random_state=0)
        >>> found.diagram().masses.round(9).tolist()
        [0.25, 0.25, 0.25, 0.25]
        """
        return self._diagram


def quantize(
    source: Source | ArrayLike,
    n: int,
    *,
    masses: str | ArrayLike = "free",
    method: str = "lbfgs",
    tol: float = 1e-3,
    max_iter: int = 1000,
    initial_points: ArrayLike | None = None,
    random_state: None | int | np.random.Generator | np.random.RandomState = None,
    threads: int | None = None,
    callback: Callable[[QuantizationState], bool | None] | None = None,
    progress: bool = False,
) -> Quantization:
    """Find n points that stand for a measure.

    Starts from a sample and lowers the mean squared distance between the measure and the points,
    to a local minimum.

    Parameters
    ----------
    source : Source or array_like of shape (m, 2)
        A measure with exact diagrams: on the line, in the plane or in space, see `PowerDiagram`; an
        array holds the vertices of a polygon.
        Of other measures, take `geomot.Samples` on the line, or scikit-learn's KMeans of a sample.
    n : int
        Number of points.
    masses : {"free", "equal"} or array_like of shape (n,), default "free"
        "free": each point takes what is nearest to it (centroidal Voronoi cells), which makes the
        cost least. "equal", or masses that sum to 1: each point gets its mass by optimal transport
        (power cells with capacity constraints), and each step solves for the cells.
    method : {"lbfgs", "lloyd"}, default "lbfgs"
        "lloyd" moves every point to the centroid of its cell. "lbfgs" is a quasi-Newton method that
        starts from these moves, and takes fewer steps.
    tol : float, default 1e-3
        Bound on `Quantization.gradient_norm`. At 1e-3 another Lloyd step would lower the cost by a
        millionth of it, at least.
    max_iter : int, default 1000
        Largest number of steps.
    initial_points : array_like of shape (n, d), optional
        Where to start; None: a sample of the measure. Points whose cell is empty are moved to a
        sample, unless masses are given.
    random_state : None, int, Generator or RandomState, optional
        Randomness of the samples; an integer gives the same result each time.
    threads : int, optional
        Number of threads, all usable cores by default. The result does not depend on it.
    callback : callable, optional
        Called with a `QuantizationState` at the start and after each step. Returning True stops.
    progress : bool, default False
        Show a progress bar on standard error.

    Returns
    -------
    Quantization

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, such as a source without exact diagrams; the message names it.
    ConvergenceError
        If the masses of the start cannot be solved for.

    Warns
    -----
    ConvergenceWarning
        If the tolerance is not reached.

    References
    ----------
    de Goes, Breeden, Ostromoukhov, Desbrun, "Blue noise through optimal transport", 2012. Xin,
    Levy, Chen, Chu, Yu, Tu, Wang, "Centroidal power diagrams with capacity constraints", 2016. Liu,
    Wang, Levy, Sun, Yan, Lu, Yang, "On centroidal Voronoi tessellation - energy smoothness and fast
    computation", 2009. Merigot, Santambrogio, Sarrazin, "Non-asymptotic convergence bounds for
    Wasserstein approximation using point clouds", 2021.

    Examples
    --------
    >>> import geomot
    >>> found = geomot.quantize(geomot.UniformBox.unit(2), 100, masses="equal", random_state=0)
    >>> found.converged, found.points.shape
    (True, (100, 2))
    >>> bool(found.cost > 5 / (18 * 3**0.5) / 100)  # a honeycomb would have this cost
    True
    """
    measure = as_source(source, source.dim if isinstance(source, Source) else 2)
    require_exact(measure)
    count = as_count(n, "n", 1)
    given = None if isinstance(masses, str) and masses == "free" else _as_targets(masses, count)
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    tolerance = as_tolerance(tol)
    limit = as_count(max_iter, "max_iter", 0)
    rng = as_generator(random_state)
    n_threads = as_threads(threads)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    if initial_points is None:
        points = measure.sample(count, rng)
    else:
        points = as_points(initial_points, "initial_points", measure.dim)
        if len(points) != count:
            raise ValueError(f"initial_points must have {count} rows, got {len(points)}")
    energy: _Nearest | _Transport = (
        _Nearest(measure, rng, n_threads)
        if given is None
        else _Transport(measure, given, n_threads)
    )
    if given is not None and len(np.unique(points, axis=0)) < count:
        raise ValueError("initial_points must be distinct if masses are given")
    start = energy.start(points)
    rows: list[tuple[float, float, float]] = []
    bar = progress_bar(desc=f"Points to {tolerance:.0e}", unit=" steps") if progress else None

    def shown(steps: int, place: Place, length: float) -> bool:
        rows.append((place.cost, place.norm, length))
        if bar is not None:
            bar.update(steps - bar.n)
            bar.set_postfix_str(f"{place.norm:.1e}", refresh=False)
        if callback is None:
            return False
        answer = callback(QuantizationState(steps, read_only(place.points), place.cost, place.norm))
        return isinstance(answer, (bool, np.bool_)) and bool(answer)

    try:
        last, status = descend(energy, start, tolerance, limit, method == "lbfgs", shown)
    finally:
        if bar is not None:
            bar.close()
    result = Quantization(
        last.points,
        last.masses,
        last.weights_exact,
        last.cost,
        last.norm,
        status,
        len(rows) - 1,
        energy.evaluations,
        np.array(rows, dtype=HISTORY_DTYPE).view(np.recarray),
        measure,
        method,
        tolerance,
    )
    if not result.converged:
        warn(
            f"not converged: gradient_norm {result.gradient_norm:.3g} > tol {tolerance:.3g} after "
            f"{result.n_iter} steps; {_REASONS[status]}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return result


def _as_targets(masses: Any, n: int) -> FloatArray:
    if isinstance(masses, str):
        if masses != "equal":
            raise ValueError(
                f"masses must be 'free', 'equal' or an array of shape ({n},), got {masses!r}"
            )
        return np.full(n, 1.0 / n)
    if masses is None:
        raise TypeError("masses must be 'free', 'equal' or an array, got None")
    return as_masses(masses, n, "masses")


class _Nearest:
    """Mean squared distance to the nearest point."""

    def __init__(self, source: Source, rng: np.random.Generator, threads: int) -> None:
        self.source = source
        self.rng = rng
        self.threads = threads
        self.evaluations = 0

    def at(self, points: FloatArray, near: Place, precisely: bool) -> Place:
        """Measure the Voronoi cells, which are exact at once."""
        return near if precisely else self.start(points)

    def start(self, points: FloatArray) -> Place:
        """Measure the first Voronoi cells."""
        self.evaluations += 1
        weights = np.zeros((len(points), 2))
        diagram = PowerDiagram(points, weights, self.source, threads=self.threads)
        centroids = np.where(diagram.masses[:, None] > 0.0, diagram.centroids, points)
        return Place(points, diagram.masses, centroids, float(diagram.costs.sum()), weights)

    def refilled(self, place: Place) -> FloatArray | None:
        """Points without mass, moved to samples."""
        lost = place.masses == 0.0
        if not lost.any():
            return None
        points = place.points.copy()
        points[lost] = self.source.sample(int(lost.sum()), self.rng)
        return points


class _Transport:
    """W2^2 to points of given masses."""

    def __init__(self, source: Source, targets: FloatArray, threads: int) -> None:
        self.source = source
        self.targets = targets
        self.threads = threads
        self.evaluations = 0
        self.last: Solution | None = None

    def start(self, points: FloatArray) -> Place:
        """Solve for the first cells."""
        self.evaluations += 1
        return self._place(
            solve(points, self.targets, self.source, threads=self.threads, strict=True)
        )

    def at(self, points: FloatArray, near: Place, precisely: bool) -> Place | None:
        """Solve for the cells, from the potential of the last ones."""
        self.evaluations += 1
        coarse = min(max(MASS_SHARE * near.norm, NEWTON_TOL), COARSEST_MASSES)
        solution = self._solved(points, NEWTON_TOL if precisely else coarse)
        return self._place(solution) if solution.converged else None

    def _place(self, solution: Solution) -> Place:
        self.last = solution
        centroids = solution.centroids
        held = ~np.isnan(centroids[:, :1])
        return Place(
            solution.sites,
            self.targets,
            np.where(held, centroids, solution.sites),
            solution.cost,
            solution.weights_exact,
        )

    def _solved(self, points: FloatArray, tol: float) -> Solution:
        options: dict[str, Any] = {"tol": tol, "threads": self.threads}
        start = None if self.last is None else carried_weights(self.last, points)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            if start is not None:
                solution = solve(
                    points, self.targets, self.source, initial_weights=start, **options
                )
                if solution.converged:
                    return solution
            return solve(points, self.targets, self.source, **options)

    def refilled(self, place: Place) -> None:
        """Every point gets its mass."""
