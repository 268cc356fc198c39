"""The solver's public face: arguments in one form, the choice of a method, warnings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._balls import require_partial
from geomot._constants.newton import ATOL, FIRST_STEP, LEAST_RELATIVE_MASS, NEWTON_TOL
from geomot._constants.sampling import MONTECARLO_TOL
from geomot._double_double import Pair
from geomot._monitor import Monitor, SolverState
from geomot._newton.partial import solve_partial
from geomot._newton.solve import solve_exact
from geomot._quantile import solve_quantile
from geomot._request import Request
from geomot._sampling.solve import solve_montecarlo
from geomot._search.backends import Backend, CoreBackend
from geomot._stderr import warn
from geomot._tolerance import mass_errors
from geomot._validation import (
    as_absolute_tolerance,
    as_count,
    as_flag,
    as_generator,
    as_masses,
    as_partial_masses,
    as_points,
    as_threads,
    as_tolerance,
    as_weights,
    warn_if_outside_the_unit_box,
    warn_if_transposed,
)
from geomot.errors import ConvergenceError, ConvergenceWarning
from geomot.solution import Solution
from geomot.sources import Source, as_source, refuse_periodic, require_exact

__all__ = ["SolverState", "solve"]

FloatArray = NDArray[np.float64]

METHODS = ("auto", "quantile", "newton", "montecarlo")


def solve(
    sites: ArrayLike,
    target_masses: ArrayLike | None = None,
    source: Source | ArrayLike | None = None,
    *,
    method: str = "auto",
    tol: float | None = None,
    atol: float | None = None,
    initial_weights: ArrayLike | Solution | SolverState | None = None,
    max_iter: int | None = None,
    threads: int | None = None,
    callback: Callable[[SolverState], bool | None] | None = None,
    random_state: Any = None,
    progress: bool = False,
    strict: bool = False,
    normalize: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    device: str | None = None,
    distributed: bool | str = False,
    partial: bool = False,
) -> Solution:
    """Find the optimal map from a continuous measure onto weighted points.

    The map minimises the mean of |x - T(x)|^2. It sends the power cell of each site to that site;
    what is to be found are the power weights that give each cell its mass. They maximise a concave
    dual energy.

    - "quantile", on the line: cells end where the source's distribution function passes sums of the
      masses, which gives the weights at once.
    - "newton", in the plane and in space: cells are measured exactly, and Newton's method, started
      by inserting sites level by level, solves for the masses to nine digits and more (Kitagawa,
      Merigot, Thibert 2016; Lei, Su, Cui, Yau, Gu, arXiv:1710.05488).
    - "montecarlo", in any dimension: stochastic approximation on samples of the source, and a
      verdict from fresh samples. Its error decreases as one over the root of the samples per site:
      a total variation of 0.01 takes some 1500 samples per site, and no run reaches 1e-6.

    Parameters
    ----------
    sites : array_like of shape (n, d)
        The sites y_i, anywhere. Coincident sites are merged: they share one cell's mass in
        proportion to their target masses, and the lowest index owns the cell.
    target_masses : array_like of shape (n,), optional
        Non-negative masses, which must sum to 1 within 1e-6; equal ones by default. `normalize`
        divides others by their sum. A site of mass zero gets a finite weight and an empty cell.
    source : Source, array_like of shape (m, 2), or sampler, optional
        The source measure on R^d; an array holds the vertices of a polygon, for the uniform
        measure on it. A sampler is an object with a method ``sample(n, rng)``, or one of
        scikit-learn, scipy.stats or torch.distributions (see `geomot.sources.WrappedSource`). The
        unit box by default.
    method : {"auto", "quantile", "newton", "montecarlo"}
        "auto" is exact where the source has exact diagrams.
    tol : float, optional
        Exact: bound on the largest relative error of a cell's mass, 1e-9 by default. Monte Carlo:
        bound on the total variation between masses and targets, 0.01 by default; "converged" then
        means that an independent test has found it smaller, at level 0.95.
    atol : float, optional
        Exact: absolute tolerance of a mass, of a total of 1. A mass is right if it is within
        max(tol * target, atol) of its target; sites whose target masses together are at most
        `atol` may end without a cell. By default 2^-97 (6e-30), or 2^-52 `tol` if that is less.
    initial_weights : array_like of shape (n,) or (n, 2), Solution or SolverState, optional
        Initial weights. Newton first raises those of empty cells; from a Solution or SolverState of
        the same problem it resumes exactly as if it had not stopped. Monte Carlo first measures
        their error, and warns if it is so large that a fit from the start is faster. Quantiles do
        not depend on a start: if `max_iter` is 0 the given weights are measured, else not used.
    max_iter : int, optional
        Largest number of steps: 200 of Newton's by default, and in Monte Carlo those of 20 times
        the samples that a fit to independent points would need. Quantiles take no steps.
    threads : int, optional
        Number of threads, all usable cores by default. The result does not depend on it.
    callback : callable, optional
        Called with a `SolverState` after each accepted iterate or look, not while Newton's method
        looks for a start, which takes most of the time if the density is dark in places. Returning
        True stops the solve, and the callback is not called again; the status is "stopped", or
        "converged" if this very state has reached the tolerance.
    random_state : None, int, Generator or RandomState, optional
        All randomness of Monte Carlo; an integer gives the same result each time. Newton's method
        draws nothing from it.
    progress : bool, default False
        Show a progress bar on standard error.
    strict : bool, default False
        Raise instead of warn when the tolerance is not reached.
    normalize : bool, default False
        Divide the target masses by their sum.
    checkpoint : str or path-like, optional
        File to which what has been reached is saved after each accepted iterate or look, with the
        status "stopped"; `geomot.load` reads it, and `initial_weights` takes it. A path that cannot
        be written is refused at once; if saving fails later, the solve continues with a
        CheckpointWarning.
    device : str, optional
        Monte Carlo only: where samples are assigned to sites by torch, as in "cuda" or "cpu". None:
        the CPU, by the compiled core, which is faster there than torch. The same samples are drawn,
        and scores differ by rounding.
    distributed : bool or {"samples", "sites"}, default False
        Monte Carlo only: share the work with the other ranks of a run under torch.distributed
        (see `geomot.distributed`), all of which must make the same call. Samples are split (True
        is the same), or sites where they do not fit on one device. All ranks return the same
        solution; callback, progress and checkpoint are rank 0's. Without other ranks, nothing
        changes.
    partial : bool, default False
        Partial transport: the target masses sum to less than 1, and the rest of the source stays
        where it is, for nothing. Each site takes what is cheapest: the part of its power cell
        within the distance sqrt(w_i). In the plane, for uniform measures on polygons.

    Returns
    -------
    Solution

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it. In Monte Carlo also if `tol` would take
        more than some 3e10 samples.
    ConvergenceError
        If `strict`, when the tolerance is not reached; it carries the solution.
    ImportError
        If `device` or `distributed` is given and torch is missing.
    RuntimeError
        If another rank of a distributed run is lost.

    Warns
    -----
    CheckpointWarning
        When a checkpoint could not be saved.
    ConvergenceWarning
        When the tolerance is not reached. The message names the worst site; the solution's `status`
        says why: "max_iter", "precision" (the errors that are left are rounding), "stalled" (no
        step improves the masses, though rounding does not explain the errors), "stopped" (by the
        callback) or "atoms" (points of a source on the line hold too much mass).
    UserWarning
        If there are at most 3 sites in at least 100 dimensions: `sites` is probably transposed. If
        no source is given and no site lies in the unit box. In Monte Carlo, if its first steps show
        that the solve will take minutes, and if `initial_weights` are too bad to start from.

    Examples
    --------
    >>> import geomot
    >>> import numpy as np
    >>> solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]], [0.3, 0.7])
    >>> solution.converged
    True
    >>> round(solution.cost, 12)            # W2^2
    0.124166666667

    In space, exactly; the masses are met to nine digits.

    >>> sites = np.random.default_rng(0).random((200, 3))
    >>> solution = geomot.solve(sites, source=geomot.UniformBox.unit(3))
    >>> solution.method, solution.converged, solution.mass_error < 1e-9
    ('newton', True, True)

    In ten dimensions, from a Gaussian, by sampling:

    >>> sites = np.random.default_rng(0).standard_normal((200, 10))
    >>> source = geomot.Gaussian(np.zeros(10), 1.0)
    >>> solution = geomot.solve(sites, source=source, tol=0.05, random_state=0)
    >>> solution.converged, solution.estimate.tv < 0.05
    (True, True)

    Partial transport: a site that takes 0.3 of the square takes it from a disk around itself.

    >>> solution = geomot.solve([[0.5, 0.5]], [0.3], partial=True)
    >>> round(float(solution.weights[0]) * np.pi, 12)
    0.3
    """
    y = as_points(sites, "sites")
    warn_if_transposed(y, "sites")
    partial = as_flag(partial, "partial")
    if isinstance(target_masses, Source):
        raise TypeError(
            f"target_masses must hold real numbers, got {type(target_masses).__name__}: pass a "
            "source by its name, source="
        )
    if partial:
        nu = as_partial_masses(target_masses, len(y), "target_masses", normalize=normalize)
    else:
        nu = as_masses(target_masses, len(y), "target_masses", normalize=normalize)
    measure = as_source(source, y.shape[1])
    if partial:
        if method not in ("auto", "newton"):
            raise ValueError(
                f'method must be "auto" or "newton" for partial transport, got {method!r}'
            )
        require_partial(measure)
    if source is None:
        warn_if_outside_the_unit_box(y, "sites")
    method = _as_method(method, y, measure)
    tolerance, absolute = _as_tolerances(tol, atol, method)
    limit = None if max_iter is None else as_count(max_iter, "max_iter", 0)
    if method != "montecarlo" and device is not None:
        raise ValueError(f"device must be None for method {method}, got {device!r}")
    shards = _as_shards(distributed, method)
    n_threads = as_threads(threads)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    rng = as_generator(random_state)
    initial, step = _as_initial(initial_weights, len(y))

    backend: Backend = CoreBackend()
    if device is not None:
        from geomot._search.torch_backend import TorchBackend

        backend = TorchBackend(device)
    monitors = Monitor
    if shards is not None:
        from geomot._distributed import DistributedBackend, SharedMonitor, agree, local_ranks

        start = None if initial is None else initial[0] + initial[1]
        rng = agree(rng, sites=y, target_masses=nu, initial_weights=start, tol=tolerance,
                    max_iter=limit, source=measure)  # fmt: skip
        backend = DistributedBackend(backend, shards=shards)
        monitors = SharedMonitor
        if threads is None:
            n_threads = max(n_threads // local_ranks(), 1)

    request = Request(
        y, nu, measure, method, tolerance, absolute, initial, step, limit, n_threads, rng, backend,
        partial,
    )  # fmt: skip
    with monitors(callback, progress, checkpoint, *_bar(method, tolerance)) as monitor:
        solution = _SOLVERS[method](request, monitor)
    if not solution.converged:
        message = _complaint(solution)
        if strict:
            raise ConvergenceError(message, solution)
        warn(message, ConvergenceWarning, stacklevel=2)
    return solution


def _solve_newton(request: Request, monitor: Monitor) -> Solution:
    return (solve_partial if request.partial else solve_exact)(request, monitor)


_SOLVERS = {
    "quantile": solve_quantile,
    "newton": _solve_newton,
    "montecarlo": solve_montecarlo,
}

_TOLERANCES = {"newton": NEWTON_TOL, "quantile": NEWTON_TOL, "montecarlo": MONTECARLO_TOL}

_REASONS = {
    "max_iter": "max_iter was reached",
    "precision": "the remaining errors are rounding errors",
    "stalled": "no step along Newton's direction improves the masses",
    "stopped": "the callback asked for it",
    "atoms": "atoms of the source would have to be split between cells",
}


def _as_method(method: str, sites: FloatArray, source: Source) -> str:
    """The method to take, which must be able to solve for this source."""
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    if method == "montecarlo":
        refuse_periodic(source, "method montecarlo")
    if method == "auto":
        exact = "quantile" if sites.shape[1] == 1 else "newton"
        return exact if source.exact else "montecarlo"
    if method == "newton":
        if sites.shape[1] not in (2, 3):
            raise ValueError(
                f"sites must have 2 or 3 columns for method newton, got shape {sites.shape}: "
                'method="montecarlo" works in any dimension'
            )
        require_exact(source)
    if method == "quantile":
        if sites.shape[1] != 1:
            raise ValueError(f"sites must have shape (n, 1) for method quantile, got {sites.shape}")
        if not source.exact:
            raise ValueError(
                f"source must have a distribution function for method quantile, got {source}"
            )
    return method


def _as_tolerances(tol: float | None, atol: float | None, method: str) -> tuple[float, float]:
    """The relative tolerance, and the absolute one, which Monte Carlo does not have."""
    tolerance = as_tolerance(_TOLERANCES[method] if tol is None else tol)
    if method != "montecarlo":
        if atol is not None:
            return tolerance, as_absolute_tolerance(atol)
        return tolerance, min(ATOL, LEAST_RELATIVE_MASS * tolerance)
    if tolerance >= 1.0:
        raise ValueError(
            f"tol must be less than 1 for method montecarlo (a total variation), got {tolerance}"
        )
    if atol is not None:
        raise ValueError(f"atol must be None for method montecarlo, got {atol!r}")
    return tolerance, 0.0


def _as_shards(distributed: bool | str, method: str) -> str | None:
    """What to split over the ranks of this run; None without others."""
    if isinstance(distributed, (bool, np.bool_)):
        if not distributed:
            return None
        distributed = "samples"
    if distributed not in ("samples", "sites"):
        raise ValueError(f"distributed must be a bool, 'samples' or 'sites', got {distributed!r}")
    if method != "montecarlo":
        raise ValueError(f'distributed must be False for method {method}: use method="montecarlo"')
    from geomot._distributed import joined

    return distributed if joined() else None


def _bar(method: str, tol: float) -> tuple[str, str]:
    """Description and unit of the progress bar."""
    if method == "quantile":
        return "Quantiles", " steps"
    if method == "newton":
        return f"Newton to {tol:.0e}", " steps"
    return f"Monte Carlo to {tol:.3g}", " samples"


def _complaint(solution: Solution) -> str:
    steps = f"{solution.n_iter} step{'s' if solution.n_iter != 1 else ''}"
    return f"not converged: {_reached(solution)} after {steps}; {_REASONS[solution.status]}"


def _reached(solution: Solution) -> str:
    """How far it got: of an exact solve at which site, of a sampling one in all."""
    if solution.estimate is not None:
        low, high = solution.estimate.tv_interval
        return f"total variation in [{low:.3g}, {high:.3g}], tol {solution.tol:.3g}"
    masses, targets = solution.masses, solution.target_masses
    worst = int(np.argmax(mass_errors(masses, targets, solution.tol, solution.atol)))
    return (
        f"mass_error {solution.mass_error:.3g} > tol {solution.tol:.3g} "
        f"(site {worst} has mass {masses[worst]:.6g}, target {targets[worst]:.6g})"
    )


def _as_initial(value: Any, n: int) -> tuple[Pair | None, float]:
    """Weights to start from, and the step before the first."""
    if value is None:
        return None, FIRST_STEP
    if isinstance(value, Solution):
        exact = value.method == "newton" and len(value.history) > 0
        step = float(value.history.step[-1]) if exact else FIRST_STEP
        return as_weights(value.weights_exact, n, "initial_weights"), step
    if isinstance(value, SolverState):
        return as_weights(value.weights_exact, n, "initial_weights"), value.step
    return as_weights(value, n, "initial_weights"), FIRST_STEP
