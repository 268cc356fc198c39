"""Exact semi-discrete transport on the line, by the quantiles of the source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geomot import _double_double
from geomot._bounds import largest_price
from geomot._constants.newton import CERTIFICATE_ROUNDING, ZERO_MASS_DROP
from geomot._double_double import Pair
from geomot._duplicates import Merged
from geomot._line import LineDiagram, solve_line
from geomot._monitor import Monitor, SolverState
from geomot._request import Request
from geomot._tolerance import mass_errors
from geomot.potentials import dual_value
from geomot.solution import Solution
from geomot.sources import Samples, Source

__all__ = ["solve_quantile"]

FloatArray = NDArray[np.float64]


def solve_quantile(request: Request, monitor: Monitor) -> Solution:
    """Find the weights at once: cells end where the distribution function passes sums of masses.

    Parameters
    ----------
    request : Request
        Its source has a distribution function. Given weights are only measured, and only if no step
        is wanted.
    monitor : Monitor
        Shown the one state that there is.

    Returns
    -------
    Solution
        Not converged if the source has atoms too heavy for the masses, if weights of twice
        float64's precision cannot place the borders that the tolerance asks for, or if the given
        weights are not good enough.
    """
    source, tol = request.source, request.tol
    given = request.initial if request.max_iter == 0 else None
    merged = Merged(request.sites, request.target_masses)
    if given is None:
        weights = solve_line(merged.sites, merged.masses, source)
    else:
        weights = given[0][merged.members], given[1][merged.members]
    diagram = LineDiagram(merged.sites, *weights, source)
    error = float(np.max(mass_errors(diagram.masses, merged.masses, tol, request.atol)))
    dual = dual_value(diagram.costs, diagram.masses, merged.masses, *weights)
    state = SolverState(
        n_iter=0,
        mass_error=error,
        dual=dual,
        residual=error,
        step=1.0,
        min_mass=float(diagram.masses.min()),
        weights_exact=np.column_stack(_all_weights(merged, diagram, weights, source)),
    )

    def solution(status: str) -> Solution:
        return request.solution(
            weights=state.weights_exact,
            masses=merged.spread(diagram.masses),
            mass_error=error,
            status=status,
            n_iter=0,
            dual=dual,
            bracket=_bracket(merged, diagram, dual),
            rows=[(dual, error, state.step, state.min_mass)],
        )

    stopped = monitor.show(lambda: state, lambda: solution("stopped"), f"mass_error={error:.1e}")
    if error <= tol:
        return solution("converged")
    if given is not None:
        return solution("stopped" if stopped else "max_iter")
    return solution("atoms" if isinstance(source, Samples) else "precision")


def _all_weights(merged: Merged, diagram: LineDiagram, weights: Pair, source: Source) -> Pair:
    """Weights of all sites; those of sites without mass stay below their cell."""
    hi, lo = (merged.copied(part) for part in weights)
    if merged.idle.size:
        points = np.concatenate([merged.all_sites[:, 0], diagram.breaks[0]])
        bounds = source.bounds[np.isfinite(source.bounds)]
        extent = float(np.ptp(np.concatenate([points, bounds])))
        touching = diagram.touching(merged.all_sites[merged.idle])
        drop = np.full(merged.idle.size, -ZERO_MASS_DROP * extent**2)
        hi[merged.idle], lo[merged.idle] = _double_double.add(touching, drop)
    return hi, lo


def _bracket(merged: Merged, diagram: LineDiagram, dual: float) -> tuple[float, float]:
    """Bounds on W2^2: the dual value, and the cost of moving on what cells have too much."""
    primal = float(np.sum(diagram.costs))
    moved = 0.5 * float(np.sum(np.abs(diagram.masses - merged.masses)))
    rounding = CERTIFICATE_ROUNDING * primal
    price = largest_price(merged.sites, diagram.centroids)
    return max(dual - rounding, 0.0), primal + moved * price + rounding
