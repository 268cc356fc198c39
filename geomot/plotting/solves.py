"""How solves went, and how far the masses are from their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from geomot._mass_estimate import sampling_floor
from geomot.plotting._axes import axes_size, ink, name_axes, new_axes, paper, shade
from geomot.plotting._drawing import Drawing
from geomot.plotting._inputs import as_mapped
from geomot.plotting._marks import draw_strokes, scatter_dots
from geomot.plotting._palette import BLUE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.brenier import BrenierMap
    from geomot.solution import Solution

__all__ = ["convergence", "mass_errors"]

# Masses within this of each other, relatively, are equal.
_EQUAL = 1e-9

# Height of marks for what is zero, in units of the axes.
_BOTTOM = 0.04

_DASHED = (0, (4, 3))

# What is beside the point, on light and on dark backgrounds.
_MIDDLE = "#808080"

# Up to this ratio of the largest to the least value, ticks stand between powers of ten too.
_FEW_DECADES = 200.0


def convergence(
    solution: Solution | BrenierMap | np.ndarray,
    *,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw how a solve converged, on logarithmic axes.

    For Newton's method: error, duality gap and step length of each step. For Monte Carlo: the total
    variation between masses and targets against the samples that the weights were fitted to, the
    interval of the last estimate (an arrow down from its upper end where it reaches zero), the
    tolerance, and as a guide the total variation between the targets and the shares of this many
    independent samples, which falls as one over their root. Arrows down stand for estimates of
    zero. Solutions on the line are computed without iteration: their error is one point.

    Parameters
    ----------
    solution : Solution, BrenierMap or record array
        A solution, or its `history`; the history alone has neither tolerance nor guide.
    legend : bool, default True
        Whether to draw a legend.
    ax : Axes, optional
        Where to draw; None makes a figure. Axes with linear scales become logarithmic, if nothing
        has been drawn on them.
    **kwargs
        Settings of the curves, a `matplotlib.lines.Line2D`.

    Returns
    -------
    Drawing
        Artist error, a line, and those that were drawn of gap, step, zeros, interval, guide,
        tolerance, text, legend.

    Raises
    ------
    ValueError
        If it is neither a solution nor the history of one.

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> solution = geomot.solve(np.random.default_rng(0).random((50, 2)))
    >>> drawing = plotting.convergence(solution, legend=False)
    >>> list(drawing), drawing.axes.get_yscale()
    (['error', 'gap', 'step', 'tolerance'], 'log')
    """
    if hasattr(solution, "fit") or hasattr(solution, "history"):
        solution = as_mapped(solution, "solution")
    history = getattr(solution, "history", solution)
    names = getattr(getattr(history, "dtype", None), "names", None) or ()
    missing = [name for name in ("dual", "residual", "step") if name not in names]
    if missing:
        raise ValueError(f"solution must be a Solution or its history, which has {missing[0]!r}")
    ax = new_axes() if ax is None else ax
    settings = {"markersize": 4, "linewidth": 1.2, **kwargs}
    if "samples" in names:
        artists = _sampled_convergence(ax, history, solution, settings)
    elif getattr(solution, "method", None) == "quantile":
        artists = _direct(ax, solution, settings)
    else:
        artists = _exact_convergence(ax, history, solution, settings)
    return _finished(ax, artists, legend, "lower left")


def mass_errors(
    solution: Solution | BrenierMap,
    *,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw how far the mass of each site is from its target.

    Sites without target mass are left out. The others are sorted by target mass, and those of equal
    targets by measured mass; where targets span more than a decade, they are the horizontal axis.

    Of an exact solution the relative errors are drawn on a logarithmic axis, below or above the
    tolerance; errors of zero stand at the bottom. In Monte Carlo it is the measured mass over the
    target, with its interval. One that misses the target has another colour: at level 0.95 one in
    twenty does so by chance alone.

    Parameters
    ----------
    solution : Solution or BrenierMap
        The solution.
    legend : bool, default True
        Whether to draw a legend.
    ax : Axes, optional
        Where to draw; None makes a figure. Linear scales become logarithmic where they have to, if
        nothing has been drawn on the axes.
    **kwargs
        Settings of the dots, as for `matplotlib.axes.Axes.scatter`.

    Returns
    -------
    Drawing
        Artist dots, and those that were drawn of zeros, tolerance, target, hits, misses, legend.

    Raises
    ------
    TypeError
        If it is not a solution.

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> sites = np.random.default_rng(0).standard_normal((100, 5))
    >>> solution = geomot.solve(sites, tol=0.1, random_state=0)
    >>> drawing = plotting.mass_errors(solution)
    >>> drawing.axes.get_ylabel()
    'measured / target mass'
    """
    solution = as_mapped(solution, "solution") if hasattr(solution, "fit") else solution
    if not hasattr(solution, "target_masses"):
        raise TypeError(f"solution must be a Solution, got {type(solution).__name__}")
    ax = new_axes() if ax is None else ax
    wanted = solution.target_masses
    order = np.lexsort([solution.masses, wanted])
    order = order[wanted[order] > 0.0]
    wanted, measured = wanted[order], solution.masses[order]
    wide = wanted[-1] > 10.0 * wanted[0]
    places = wanted if wide else np.arange(1.0, len(order) + 1.0)
    scales = _Scales(ax)
    if wide:
        scales.logarithmic("x", wanted)
        name_axes(ax, "target mass", "")
    else:
        equal = wanted[-1] <= wanted[0] * (1.0 + _EQUAL)
        name_axes(ax, f"sites, sorted by {'measured' if equal else 'target'} mass", "")
        scales.whole("x")
    if solution.estimate is None:
        bounds = np.maximum(solution.tol, solution.atol / wanted)
        errors = np.abs(measured / wanted - 1.0)
        artists = _exact_masses(ax, scales, places, errors, bounds, kwargs)
    else:
        intervals = solution.estimate.mass_intervals(solution.masses)[order]
        ends = intervals / wanted[:, None]
        level = solution.estimate.confidence
        artists = _sampled_masses(ax, scales, places, measured / wanted, ends, level, kwargs)
    return _finished(ax, artists, legend, "upper right" if wide else "upper left")


def _finished(ax: Axes, artists: dict[str, Any], legend: bool, place: str) -> Drawing:
    """The drawing, with a legend of what has a label, on the background where it meets lines."""
    ax.autoscale_view()
    named = [a for a in artists.values() if not a.get_label().startswith("_") and a.get_label()]
    labels = [artist.get_label() for artist in named]
    handles = [_handle(artist) for artist in named]
    if legend and named:
        artists["legend"] = ax.legend(
            handles,
            labels,
            loc=place,
            fontsize="small",
            frameon=True,
            facecolor=paper(ax),
            edgecolor="none",
            framealpha=0.85,
            borderpad=0.2,
        )
    return Drawing(ax, artists, (handles, labels))


def _handle(artist: Any) -> Any:
    """What stands for an artist in a legend; strokes in one path are shown by no handler."""
    if not isinstance(artist, PathCollection):
        return artist
    colour = artist.get_edgecolor() if len(artist.get_edgecolor()) else artist.get_facecolor()
    strokes = not len(artist.get_facecolor())
    return Line2D(
        [],
        [],
        color=colour[0],
        linestyle="-" if strokes else "",
        linewidth=3,
        marker="" if strokes else "o",
        markersize=4,
    )


class _Scales:
    """Scales and ticks of axes on which nothing has been drawn; others are the user's own."""

    def __init__(self, ax: Axes) -> None:
        self._ax = ax
        self.fresh = not ax.has_data()

    def logarithmic(self, axis: str, values: np.ndarray) -> None:
        """Make an axis logarithmic, with few labels that do not overlap."""
        if not self.fresh:
            return
        getattr(self._ax, f"set_{axis}scale")("log")
        positive = values[np.isfinite(values) & (values > 0.0)]
        if not len(positive):
            # Without a positive number a logarithmic axis has no range of its own.
            getattr(self._ax, f"set_{axis}lim")(0.1, 1.0)
            return
        narrow = positive.max() < _FEW_DECADES * positive.min()
        one = getattr(self._ax, f"{axis}axis")
        one.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,), numticks=7))
        short = positive.min() >= 1e-3 and positive.max() < 1e4
        one.set_major_formatter(FuncFormatter(_short if short else _power))
        one.set_minor_formatter(NullFormatter())

    def whole(self, axis: str) -> None:
        """Tick whole numbers only."""
        one = getattr(self._ax, f"{axis}axis")
        if self.fresh and isinstance(one.get_major_locator(), MaxNLocator):
            one.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))


def _short(value: float, _: Any = None) -> str:
    """A number on a logarithmic axis of short numbers."""
    return f"{value:g}"


def _power(value: float, _: Any = None) -> str:
    """A number on a logarithmic axis as a multiple of a power of ten."""
    power = int(np.floor(np.log10(value) + 1e-9))
    digit = round(value / 10.0**power)
    return f"$10^{{{power}}}$" if digit == 1 else f"${digit}\\cdot 10^{{{power}}}$"


def _tolerance(ax: Axes, tol: float, colour: Any = VERMILION) -> Any:
    return ax.axhline(
        tol, color=colour, linewidth=1.0, linestyle=_DASHED, label=f"tolerance {tol:g}"
    )


def _zeros(ax: Axes, places: np.ndarray, label: str) -> Any:
    """Marks at the bottom of a logarithmic axis for what is zero."""
    (marks,) = ax.plot(
        places,
        np.full(len(places), _BOTTOM),
        "v",
        transform=ax.get_xaxis_transform(),
        color=BLUE,
        fillstyle="none",
        markersize=4,
        label=label,
    )
    return marks


def _direct(ax: Axes, solution: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """The error of a solution that was computed without iteration."""
    scales = _Scales(ax)
    error = np.array([solution.mass_error])
    scales.logarithmic("y", np.array([*error, solution.tol]))
    artists: dict[str, Any] = {}
    style = {"marker": "o", "linestyle": "", "color": BLUE, **settings}
    label = f"mass error {error[0]:.1g}"
    if error[0] > 0.0:
        (artists["error"],) = ax.plot([0.0], error, label=label, **style)
    else:
        artists["error"] = _zeros(ax, np.zeros(1), label)
    artists["tolerance"] = _tolerance(ax, solution.tol)
    name_axes(ax, "computed directly, without iteration", "relative size")
    if scales.fresh:
        ax.set_xticks([])
    return artists


def _exact_convergence(
    ax: Axes, history: np.ndarray, solution: Any, settings: dict[str, Any]
) -> dict[str, Any]:
    steps = np.arange(len(history))
    # The last dual value stands for the optimum, so that its own gap (and any within rounding of
    # it) cannot be drawn on this axis.
    best = history["dual"][-1] if len(history) else 0.0
    gap = (best - history["dual"]) / (abs(best) or 1.0)
    curves = (
        ("error", history["residual"], "mass error", "o", "-", BLUE),
        ("gap", gap, "relative dual gap", "s", "-", VERMILION),
        ("step", history["step"], "step length", "^", ":", _MIDDLE),
    )
    scales = _Scales(ax)
    scales.logarithmic("y", np.concatenate([values for _, values, *_ in curves]))
    scales.whole("x")
    artists: dict[str, Any] = {}
    for name, values, label, marker, line, colour in curves:
        drawn = np.where(values > 0, values, np.nan)
        if np.isfinite(drawn).any():
            style = {"marker": marker, "linestyle": line, "color": colour, **settings}
            (artists[name],) = ax.plot(steps, drawn, label=label, **style)
    tol = getattr(solution, "tol", None)
    if tol is not None:
        artists["tolerance"] = _tolerance(ax, tol, BLUE)
    name_axes(ax, "Newton step", "relative size")
    return artists


def _sampled_convergence(
    ax: Axes, history: np.ndarray, solution: Any, settings: dict[str, Any]
) -> dict[str, Any]:
    samples, tv = history["samples"], history["residual"]
    shown = samples > 0
    samples, tv = samples[shown], tv[shown]
    held = tv > 0
    scales = _Scales(ax)
    scales.logarithmic("x", samples)
    scales.logarithmic("y", tv)
    name_axes(ax, "samples fitted to", "total variation")
    artists: dict[str, Any] = {}
    if not len(samples):
        artists["text"] = ax.annotate(
            "no samples were fitted to", (0.5, 0.5), xycoords="axes fraction", ha="center"
        )
    style = {"marker": "o", "linestyle": "-", "color": BLUE, **settings}
    (artists["error"],) = ax.plot(samples[held], tv[held], label="estimate", **style)
    if not held.all():
        # Estimates of zero, from squared distances that noise made negative.
        artists["zeros"] = _zeros(ax, samples[~held], "estimate is 0")
    estimate = getattr(solution, "estimate", None)
    if estimate is None or not len(samples):
        return artists
    artists["interval"] = _interval(ax, samples[-1], estimate)
    if scales.fresh and held.any():
        # Room for the legend below the curve.
        least, most = tv[held].min(), max(tv[held].max(), solution.tol)
        ax.update_datalim([[samples[0], least * (least / most) ** 0.9]])
    ends = np.array([samples[0], max(samples[-1], 1.5 * samples[0])])
    (artists["guide"],) = ax.plot(
        ends,
        sampling_floor(solution.target_masses, ends),
        ":",
        color=_MIDDLE,
        linewidth=1.2,
        label="noise of as many samples",
    )
    artists["tolerance"] = _tolerance(ax, solution.tol)
    return artists


def _interval(ax: Axes, place: float, estimate: Any) -> Any:
    """The interval of an estimate: a bar, or an arrow down from its upper end."""
    low, high = estimate.tv_interval
    label = f"{100 * estimate.confidence:g} % interval"
    if high <= 0.0:
        return None
    if low > 0.0:
        (bar,) = ax.plot(
            [place, place], [low, high], color=shade(ax, BLUE, 0.4), linewidth=4, label=label
        )
        return bar
    return ax.errorbar(
        [place],
        [high],
        yerr=[0.5 * high],
        uplims=True,
        fmt="_",
        color=BLUE,
        markersize=7,
        label=f"upper end of the {label}",
    )


def _exact_masses(
    ax: Axes,
    scales: _Scales,
    places: np.ndarray,
    errors: np.ndarray,
    bounds: np.ndarray,
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    """Relative errors on a logarithmic axis, beside what is tolerated."""
    scales.logarithmic("y", np.concatenate([errors, bounds]))
    held = errors > 0.0
    artists: dict[str, Any] = {}
    if held.any():
        artists["dots"] = _error_dots(ax, places[held], errors[held], BLUE, kwargs)
        artists["dots"].set_label(f"largest error {errors.max():.1e}")
    if not held.all():
        artists["zeros"] = _zeros(ax, places[~held], f"no error: {np.count_nonzero(~held)} sites")
    if bounds.min() == bounds.max():
        artists["tolerance"] = _tolerance(ax, bounds[0])
    else:
        (artists["tolerance"],) = ax.plot(
            places, bounds, color=VERMILION, linewidth=1.0, linestyle=_DASHED, label="tolerance"
        )
    # Room for the legend above the tolerance.
    least = min(errors[held].min(initial=bounds.min()), bounds.min())
    room = bounds.max() * (bounds.max() / least) ** 0.35 * 3.0
    ax.update_datalim([[places[0], room]])
    name_axes(ax, "", "relative error of the mass")
    return artists


def _sampled_masses(
    ax: Axes,
    scales: _Scales,
    places: np.ndarray,
    ratios: np.ndarray,
    ends: np.ndarray,
    confidence: float,
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    """Dots and intervals on a logarithmic axis if they span more than a decade."""
    top = 1.1 * float(ends.max())
    if top > 10.0 or (ends[:, 0].min() < 0.1 and ratios.min() < 0.3):
        scales.logarithmic("y", np.array([ratios[ratios > 0.0].min(initial=1.0), top]))
    if ax.get_yscale() == "log":
        positive = ratios[ratios > 0.0]
        bottom = 0.5 * float(min(positive.min(initial=1.0), ends[:, 1].min()))
    else:
        bottom = min(0.9 * float(ends[:, 0].min()), 2.0 - top) if ends.min() > 0.0 else 0.0
    ends = np.maximum(ends, bottom)
    missed = (ends[:, 0] > 1.0) | (ends[:, 1] < 1.0)
    colours = to_rgba_array([BLUE, VERMILION])
    width = float(np.clip(0.5 * axes_size(ax)[0] / len(places), 0.4, 2.0))
    level = f"{100 * confidence:g} % interval"
    labels = (
        f"{level} holds the target: {np.count_nonzero(~missed)}",
        f"misses it: {np.count_nonzero(missed)}",
    )
    artists: dict[str, Any] = {}
    # Opaque: where transparent strokes overlap, one would see how many there are in a path. Misses
    # are darker, so that they are seen in grey.
    for name, colour, share, chosen, label in zip(
        ("hits", "misses"), colours, (0.4, 0.85), (~missed, missed), labels, strict=True
    ):
        toned = shade(ax, colour, share)
        artists[name] = draw_strokes(ax, places[chosen], ends[chosen], toned, width)
        artists[name].set_label(label)
    # Sites that no sample fell into stand at the bottom.
    artists["dots"] = _error_dots(
        ax, places, np.maximum(ratios, bottom), colours[missed.astype(int)], kwargs
    )
    artists["target"] = ax.axhline(1.0, color=ink(ax), linewidth=0.8)
    ax.update_datalim([[places[0], bottom], [places[-1], top]])
    name_axes(ax, "", "measured / target mass")
    return artists


def _error_dots(
    ax: Axes, places: np.ndarray, values: np.ndarray, colour: Any, kwargs: dict[str, Any]
) -> Any:
    size = float(np.clip(2.0 * axes_size(ax)[0] / len(places), 1.2, 3.5))
    settings = {"c": colour, "linewidths": 0, **kwargs}
    area = settings.pop("s", size**2)
    return scatter_dots(ax, np.column_stack([places, values]), area, **settings)
