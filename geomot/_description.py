"""A solution in words: a line for a prompt, five lines for a reader, a table for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geomot._exchange.notebook import MOST_SITES, beside, picture, table

if TYPE_CHECKING:
    from geomot.solution import Solution

__all__ = ["as_html", "one_line", "report"]

# Bounds nearer to each other than this, relatively, agree in the 12 digits that are shown.
DIGITS_SHOWN = 1e-11
# Numbers from here on, and more decimals than this, are read more easily with an exponent.
LONG_NUMBER = 1e6
MOST_DIGITS = 9

_ENDED = {
    "converged": "Converged",
    "max_iter": "Not converged: the largest number of steps was reached",
    "precision": "Not converged: the remaining errors are rounding errors",
    "stalled": "Not converged: no step improves the masses",
    "stopped": "Stopped by the callback",
    "atoms": "Not converged: atoms of the source would have to be split between cells",
}

_METHODS = {
    "newton": "Newton's method",
    "quantile": "quantiles",
    "montecarlo": "Monte Carlo",
}


def one_line(solution: Solution) -> str:
    """Return what matters for the method: sizes, status, errors, cost."""
    n, d = solution.sites.shape
    start = f"Solution(<{n} sites in {d} dimensions>, {solution.status!r}, "
    if solution.estimate is None:
        return (
            f"{start}mass_error={solution.mass_error:.3g}, cost={solution.cost:.12g}, "
            f"n_iter={solution.n_iter})"
        )
    low, high = solution.estimate.tv_interval
    error = solution.estimate.cost_standard_error
    return (
        f"{start}tv={solution.estimate.tv:.3g} in [{low:.3g}, {high:.3g}], "
        f"cost={_with_error(solution.cost, error)} in [{solution.bracket[0]:.4g}, "
        f"{solution.bracket[1]:.4g}])"
    )


def report(solution: Solution) -> str:
    """Return some five lines of plain English."""
    return "\n".join(f"{name}: {text}" for name, text in _facts(solution))


def as_html(solution: Solution) -> str:
    """Return the report as a table for notebooks, with a picture of cells in the plane."""
    drawn = picture(solution.diagram()) if _has_picture(solution) else ""
    return beside(table(_facts(solution)), drawn)


def _has_picture(solution: Solution) -> bool:
    source, n = solution.source, len(solution.sites)
    return source.dim == 2 and source.exact and n <= MOST_SITES


def _facts(solution: Solution) -> list[tuple[str, str]]:
    n, d = solution.sites.shape
    sites = f"{n} site{'s' if n != 1 else ''} in {d} dimension{'s' if d != 1 else ''}"
    facts = [
        ("Map", f"from {solution.source} onto {sites}"),
        ("Status", f"{_ENDED[solution.status]} ({_METHODS[solution.method]}, {_effort(solution)})"),
        ("Masses", _masses(solution)),
        ("Cost", _cost(solution)),
    ]
    if solution.partial:
        total = float(np.sum(solution.target_masses))
        facts.append(("Partial", f"{total:.6g} of the source is moved, {1.0 - total:.6g} stays"))
    without = int(np.count_nonzero(solution.target_masses == 0.0))
    if without:
        facts.append(("Sites without mass", f"{without}, whose cells are empty"))
    return facts


def _effort(solution: Solution) -> str:
    if solution.method == "quantile":
        return "no iteration"
    steps = f"{solution.n_iter} step{'s' if solution.n_iter != 1 else ''}"
    if solution.estimate is None:
        return steps
    fitted, tested = solution.estimate.n_fit_samples, solution.estimate.n_samples
    return f"{steps}; fitted to {fitted} samples, tested on {tested} others"


def _masses(solution: Solution) -> str:
    if solution.estimate is None:
        return (
            f"largest relative error of a cell {solution.mass_error:.2g} "
            f"(asked for: {solution.tol:.2g})"
        )
    low, high = solution.estimate.tv_interval
    return (
        f"total variation from the targets about {solution.estimate.tv:.2g}, between {low:.2g} and "
        f"{high:.2g} at level {solution.estimate.confidence:g} (asked for: {solution.tol:.2g})"
    )


def _cost(solution: Solution) -> str:
    low, high = solution.bracket
    if solution.estimate is None:
        if high - low <= DIGITS_SHOWN * high:
            return f"W2^2 = {solution.cost:.12g}, certified to all digits shown"
        return f"W2^2 = {solution.cost:.12g}, certified to lie between {low:.12g} and {high:.12g}"
    level = 0.5 + 0.5 * solution.estimate.confidence
    dual = _with_error(solution.cost, solution.estimate.cost_standard_error)
    return (
        f"W2^2 between {low:.4g} and {high:.4g}, each bound at level {level:g}; the dual value, "
        f"{dual}, is too low until the masses are right"
    )


def _with_error(value: float, error: float) -> str:
    """A number with its standard error, to the digits that this leaves."""
    if not (np.isfinite(error) and error > 0.0 and np.isfinite(value)):
        return f"{value:.4g}"
    digits = max(1 - int(np.floor(np.log10(error))), 0)
    if abs(value) >= LONG_NUMBER or digits > MOST_DIGITS:
        return f"{value:.4g} +- {error:.1g}"
    return f"{value:.{digits}f} +- {error:.{digits}f}"
