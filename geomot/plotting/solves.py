"""How solves went, and how far the masses are from their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgba_array

from geomot._mass_estimate import sampling_floor
from geomot.plotting._palette import BLUE, VERMILION
from geomot.plotting._style import INK, RASTER_FROM, axes_width, draw_strokes, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.solution import Solution

__all__ = ["convergence", "mass_errors"]

# Masses within this of each other, relatively, are equal.
_EQUAL = 1e-9


def convergence(solution: Solution | np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw how a solve converged, on logarithmic axes.

    For exact methods: error, duality gap and step length of each step. For Monte Carlo: the total
    variation between masses and targets against the samples that the weights were fitted to, the
    interval of the last estimate, the tolerance, and as a guide the total variation between the
    targets and the shares of as many independent samples, which falls as one over their root. Exact
    solutions on the line have nothing to show but their error.

    Parameters
    ----------
    solution : Solution or record array
        A solution, or its `history`; the history alone knows neither tolerance nor guide.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
    """
    history = getattr(solution, "history", solution)
    names = getattr(getattr(history, "dtype", None), "names", None) or ()
    missing = [name for name in ("dual", "residual", "step") if name not in names]
    if missing:
        raise ValueError(f"solution must be a Solution or its history, which has {missing[0]!r}")
    ax = new_axes() if ax is None else ax
    if getattr(solution, "method", None) == "quantile":
        # Nothing was iterated: there is no curve, and no axes to draw one on.
        text = f"computed at once,\nmass error {solution.mass_error:.1g}"
        ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
        return ax
    if "samples" in names:
        _sampled_convergence(ax, history, solution)
    else:
        _exact_convergence(ax, history, solution)
    ax.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return ax


def mass_errors(solution: Solution, *, ax: Axes | None = None) -> Axes:
    """Draw the measured mass of each site over its target, with its interval in Monte Carlo.

    Sites without target mass are left out. The others are sorted by target mass, and those of equal
    targets by measured mass; where targets span more than a decade, they are the horizontal axis.
    An interval that misses the target has another colour: at level 0.95 one in twenty does so by
    chance alone.

    Parameters
    ----------
    solution : Solution
        The solution. Of an exact one, deviations are drawn between its tolerances.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> sites = np.random.default_rng(0).standard_normal((100, 5))
    >>> solution = geomot.solve(sites, tol=0.1, random_state=0)
    >>> plotting.mass_errors(solution).get_ylabel()
    'measured mass / target mass'
    """
    if not hasattr(solution, "target_masses"):
        raise TypeError(f"solution must be a Solution, got {type(solution).__name__}")
    ax = new_axes() if ax is None else ax
    wanted = solution.target_masses
    order = np.lexsort([solution.masses, wanted])
    order = order[wanted[order] > 0.0]
    wanted, measured = wanted[order], solution.masses[order]
    wide = wanted[-1] > 10.0 * wanted[0]
    places = wanted if wide else np.arange(1.0, len(order) + 1.0)
    if solution.estimate is None:
        _exact_masses(ax, places, measured / wanted - 1.0, solution.tol)
    else:
        intervals = solution.estimate.mass_intervals(solution.masses)[order]
        ends = intervals / wanted[:, None]
        _sampled_masses(ax, places, measured / wanted, ends, solution.estimate.confidence)
    if wide:
        ax.set(xscale="log", xlabel="target mass")
    else:
        equal = wanted[-1] <= wanted[0] * (1.0 + _EQUAL)
        by = "measured mass" if equal else "target mass"
        margin = max(0.5, 0.02 * len(order))
        ax.set(xlabel=f"sites, sorted by {by}", xlim=(1.0 - margin, len(order) + margin))
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="upper right" if wide else "upper left")
    return ax


def _exact_convergence(ax: Axes, history: np.ndarray, solution: Any) -> None:
    steps = np.arange(len(history))
    # The last dual value stands for the optimum, so that its own gap (and any within rounding of
    # it) cannot be drawn on this axis.
    best = history["dual"][-1] if len(history) else 0.0
    gap = (best - history["dual"]) / (abs(best) or 1.0)
    curves = (
        (history["residual"], "mass error", "o-", BLUE),
        (gap, "relative dual gap", "s-", VERMILION),
        (history["step"], "step length", "^:", "#777777"),
    )
    for values, name, style, colour in curves:
        drawn = np.where(values > 0, values, np.nan)
        if np.isfinite(drawn).any():
            ax.plot(steps, drawn, style, color=colour, label=name, markersize=4, linewidth=1.2)
    tol = getattr(solution, "tol", None)
    if tol is not None:
        ax.axhline(tol, color=BLUE, linewidth=0.8, linestyle=(0, (4, 3)))
        ax.annotate("tolerance", (0, tol), (3, 3), textcoords="offset points", color=BLUE, size=8)
    ax.set(yscale="log", xlabel="Newton step", ylabel="relative size")
    ax.xaxis.get_major_locator().set_params(integer=True)


def _sampled_convergence(ax: Axes, history: np.ndarray, solution: Any) -> None:
    samples, tv = history["samples"], history["residual"]
    shown = samples > 0
    samples, tv = samples[shown], tv[shown]
    colour = BLUE
    ax.set(xscale="log", yscale="log")
    ax.set(xlabel="samples fitted to", ylabel="total variation of the masses")
    held = tv > 0
    if not held.any():
        # Without a positive number a logarithmic axis has no range of its own.
        ax.set(xlim=(1.0, 10.0), ylim=(0.1, 1.0))
    if not len(samples):
        ax.text(0.5, 0.5, "no samples were fitted to", ha="center", transform=ax.transAxes)
    ax.plot(
        samples[held], tv[held], "o-", color=colour, label="estimate", markersize=4, linewidth=1.2
    )
    if not held.all():
        # Estimates of zero, from squared distances that noise made negative, at the bottom.
        ax.plot(
            samples[~held],
            np.full(np.count_nonzero(~held), 0.03),
            "v",
            transform=ax.get_xaxis_transform(),
            color=colour,
            fillstyle="none",
            markersize=5,
            label="estimate is 0",
        )
    estimate = getattr(solution, "estimate", None)
    if estimate is None or not len(samples):
        return
    low, high = estimate.tv_interval
    if high > 0.0:
        # From below the other numbers where the interval reaches down to zero.
        least = 0.5 * min([solution.tol, high, *tv[held]])
        label = f"{100 * estimate.confidence:g} % interval"
        bar = [low or least, high]
        ax.plot(samples[[-1, -1]], bar, color=colour, alpha=0.4, linewidth=4, label=label)
    ends = np.array([samples[0], max(samples[-1], 1.5 * samples[0])])
    guide = sampling_floor(solution.target_masses, ends)
    ax.plot(ends, guide, ":", color="#777777", linewidth=1.2, label="noise of as many samples")
    ax.axhline(
        solution.tol,
        color=VERMILION,
        linewidth=1.0,
        linestyle=(0, (4, 3)),
        label=f"tolerance {solution.tol:g}",
    )


def _exact_masses(ax: Axes, places: np.ndarray, errors: np.ndarray, tol: float) -> None:
    _error_dots(ax, places, errors, BLUE)
    for sign in (-1.0, 1.0):
        label = f"tolerance {tol:g}" if sign > 0 else None
        ax.axhline(sign * tol, color=VERMILION, linewidth=1.0, linestyle=(0, (4, 3)), label=label)
    reach = 1.35 * max(float(np.abs(errors).max()), tol)
    ax.set(ylim=(-reach, reach), ylabel="measured mass / target mass $-$ 1")


def _sampled_masses(
    ax: Axes, places: np.ndarray, ratios: np.ndarray, ends: np.ndarray, confidence: float
) -> None:
    """Dots and intervals on a logarithmic axis if they span more than a decade."""
    top = 1.1 * float(ends.max())
    logarithmic = top > 10.0 or (ends[:, 0].min() < 0.1 and ratios.min() < 0.3)
    if logarithmic:
        ax.set_yscale("log")
        positive = ratios[ratios > 0.0]
        bottom = 0.5 * float(min(positive.min(initial=1.0), ends[:, 1].min()))
    else:
        bottom = min(0.9 * float(ends[:, 0].min()), 2.0 - top) if ends.min() > 0.0 else 0.0
    ends = np.maximum(ends, bottom)
    missed = (ends[:, 0] > 1.0) | (ends[:, 1] < 1.0)
    colours = to_rgba_array([BLUE, VERMILION])
    width = float(np.clip(0.5 * axes_width(ax) / len(places), 0.4, 2.0))
    for colour, chosen in zip(colours, (~missed, missed), strict=True):
        # Opaque: where transparent strokes overlap, one would see how many there are in a path.
        draw_strokes(ax, places[chosen], ends[chosen], 0.4 * colour + 0.6, width)
    # Sites that no sample fell into stand at the bottom.
    _error_dots(ax, places, np.maximum(ratios, bottom), colours[missed.astype(int)])
    ax.axhline(1.0, color=INK, linewidth=0.8)
    ax.set(ylim=(bottom, top), ylabel="measured mass / target mass")
    level = f"{100 * confidence:g} % interval"
    for colour, name in (
        (BLUE, f"{level} holds the target: {np.count_nonzero(~missed)}"),
        (VERMILION, f"misses it: {np.count_nonzero(missed)}"),
    ):
        ax.plot([], [], "o-", color=colour, markersize=3, linewidth=1.0, label=name)


def _error_dots(ax: Axes, places: np.ndarray, values: np.ndarray, colour: Any) -> None:
    size = float(np.clip(2.0 * axes_width(ax) / len(places), 1.2, 3.5))
    ax.scatter(
        places, values, s=size**2, c=colour, linewidths=0, rasterized=len(places) > RASTER_FROM
    )
