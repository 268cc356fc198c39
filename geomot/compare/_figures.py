"""The figures of a comparison, drawn from its cells."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geomot._files.replacing import replacing_figure
from geomot.compare._cells import Cell, plain_name
from geomot.compare._measures import METRICS
from geomot.compare._study import SURFACE_REACH, Study

if TYPE_CHECKING:
    from geomot.compare._report import Report

__all__ = ["draw", "write"]

_FIGURE_DPI = 110
_PANEL_COLUMNS = 4
_PANEL = 2.7
_DATA = "#B9C4CE"
_SAMPLES = "#D55E00"
_INK = "#222222"

# Columns of the histories that curves show.
_CURVES = {
    "divergence": "divergence",
    "kinetic_energy": "kinetic energy",
    "hamilton_jacobi": "Hamilton-Jacobi residual",
    "terminal": "terminal error",
}

# Columns of the tables that are no measure of quality.
_UNDRAWN = ("steps", "modes", "cost", "kinetic", "half_step", "gap")

# A metric gets a logarithmic axis if one row is so many times the typical one.
_RUNAWAY = 50.0

_IMAGES_IN_A_ROW = 16

# Strips between codes, images in each, and codes that are assigned to each other for them.
_STRIPS = 6
_STRIP_STEPS = 11
_ASSIGNED = 1000

# Gradient descent and ascent at the saddle point: rate and steps.
_RATE = 0.2
_TURNS = 40

# Moves that a figure of an assignment shows: of more, one would see a grey disk.
_MOVES = 200


def draw(report: Report) -> dict[str, Any]:
    """Draw the figures of all studies, by name."""
    from geomot.plotting import style

    figures = {}
    with style():
        for study in report.studies:
            for kind in study.figures:
                figure = _KINDS[kind](report, study)
                if figure is not None:
                    figures[f"{plain_name(study.name)}-{kind}"] = figure
    return figures


def write(figure: Any, path: Path) -> None:
    """Write a figure in one step."""
    replacing_figure(path, figure, dpi=_FIGURE_DPI)


def _figure(panels: int, title: str, **axes: Any) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    columns = min(panels, _PANEL_COLUMNS)
    rows = math.ceil(panels / columns)
    # One panel alone still has room for the title.
    size = (max(_PANEL * columns, 4.5) + 0.3, (_PANEL + 0.25) * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    made = [figure.add_subplot(rows, columns, k + 1, **axes) for k in range(panels)]
    figure.suptitle(title, fontsize="medium")
    return figure, made


def _first(report: Report, study: Study) -> list[Cell]:
    """One cell for each row, of the first seed."""
    cells = report.cells_of(study.name)
    found = []
    for entry in study.entries:
        mine = [cell for cell in cells if cell.label == entry.label]
        if mine:
            found.append(mine[0])
    return found


def _limits(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    margin = 0.2 * float((high - low).max())
    middle, half = 0.5 * (low + high), 0.5 * float((high - low).max()) + margin
    return middle - half, middle + half


def _plane(ax: Any, title: str, low: np.ndarray, high: np.ndarray) -> None:
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.set_aspect("equal")
    ax.set_title(title, fontsize="small")
    ax.tick_params(labelsize="x-small", length=2, color="#888888")
    ax.locator_params(nbins=5)
    for spine in ax.spines.values():
        spine.set_color("#CCCCCC")


def _verdict(cell: Cell, metric: str) -> str:
    if cell.diverged:
        step = "" if cell.diverged_at is None else f" at step {cell.diverged_at}"
        return f"{cell.label}\ndiverged{step}"
    value = cell.metrics.get(metric)
    said = [] if value is None else [f"{METRICS[metric].title} {value:.3g}"]
    said += _steps(cell)
    return "\n".join([cell.label, ", ".join(said)]) if said else cell.label


def _steps(cell: Cell) -> list[str]:
    """How long a training was, if it is known: a short one is not the method's best."""
    steps = cell.metrics.get("steps")
    return [] if steps is None or math.isnan(steps) else [f"{steps:.0f} steps"]


def _points(report: Report, study: Study) -> Any:
    cells = _first(report, study)
    if not cells:
        return None
    test = study.make(cells[0].seed).test
    low, high = _limits(test)
    figure, axes = _figure(len(cells), study.title)
    size = max(0.8, min(4.0, 2000.0 / len(test)))
    for ax, cell in zip(axes, cells, strict=True):
        ax.scatter(test[:, 0], test[:, 1], s=size, color=_DATA, linewidths=0)
        samples = cell.arrays.get("samples")
        title = _verdict(cell, "w2")
        if samples is not None and not cell.diverged:
            ax.scatter(samples[:, 0], samples[:, 1], s=size, color=_SAMPLES, linewidths=0)
            inside = ((samples[:, :2] >= low) & (samples[:, :2] <= high)).all(axis=1)
            if not inside.all():
                title += f", {_share(float(np.mean(~inside)))} not shown"
        _plane(ax, title, low, high)
    return figure


def _share(part: float) -> str:
    """A share in percent; what is not zero does not look like it."""
    return "< 1 %" if part < 0.005 else f"{100.0 * part:.0f} %"


def _ridge(report: Report, study: Study) -> Any:
    """The Brenier potential, whose ridges lie between the modes, and the power diagram."""
    from matplotlib.figure import Figure

    from geomot import metrics, plotting
    from geomot.brenier import BrenierMap

    problem = study.make(report.seeds[0])
    modes = _some(problem.modes)
    _, nearest = metrics.nearest_distances(problem.train, modes, return_indices=True)
    solution = BrenierMap(problem.source, threads=1).fit(problem.train).solution_
    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    surface = figure.add_subplot(1, 2, 1, projection="3d")
    plotting.brenier_potential(solution, nearest, legend=False, ax=surface)
    cells = figure.add_subplot(1, 2, 2)
    plotting.power_diagram(solution, nearest, sites=False, label="mode", ax=cells)
    figure.suptitle(f"{study.title}: Brenier potential and power diagram", fontsize="medium")
    return figure


def _some(modes: np.ndarray | None) -> np.ndarray:
    if modes is None:
        raise ValueError("the figure of ridges needs a problem with modes")
    return modes


def _surface(report: Report, study: Study) -> Any:
    from matplotlib.figure import Figure

    from geomot import plotting
    from geomot.brenier import BrenierMap

    cells = [cell for cell in _first(report, study) if "surface" in cell.arrays]
    problem = study.make(report.seeds[0])
    solution = BrenierMap(problem.source, threads=1).fit(problem.train).solution_
    panels = len(cells) + 1
    reach = float(np.abs(problem.source.bounds).max())
    figure = Figure(figsize=(3.6 * panels, 4.2), layout="constrained")
    engine: Any = figure.get_layout_engine()
    # Labels of axes in space are not kept inside the figure.
    engine.set(rect=(0.0, 0.03, 1.0, 0.97))
    for k, cell in enumerate(cells):
        values = cell.arrays["surface"]
        ticks = np.linspace(-SURFACE_REACH, SURFACE_REACH, len(values))
        shown = np.abs(ticks) <= reach
        x, y = np.meshgrid(ticks[shown], ticks[shown])
        # The map is x + grad D(x): this is the potential that the exact one is compared with.
        u = 0.5 * (x**2 + y**2) + values[np.ix_(shown, shown)]
        ax = figure.add_subplot(1, panels, k + 1, projection="3d")
        ax.plot_surface(x, y, u, cmap="viridis", linewidth=0)
        for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
            axis.set_pane_color("white")
        _in_space(ax, cell.label)
    ax = figure.add_subplot(1, panels, panels, projection="3d")
    plotting.brenier_potential(solution, projection=False, centered=False, legend=False, ax=ax)
    _in_space(ax, "exact Brenier potential")
    figure.suptitle(f"{study.title}: potentials $|x|^2/2 + D(x)$", fontsize="medium")
    return figure


def _in_space(ax: Any, title: str) -> None:
    """Title and small ticks; names of axes in space would be cut."""
    ax.set(title=title, xlabel="", ylabel="", zlabel="")
    ax.title.set_fontsize("small")
    ax.locator_params(nbins=4)
    ax.tick_params(labelsize="xx-small", pad=-2)


def _paths(report: Report, study: Study) -> Any:
    from matplotlib.collections import LineCollection

    cells = [cell for cell in _first(report, study) if "paths" in cell.arrays]
    if not cells:
        return None
    ends = np.concatenate([study.make(cells[0].seed).test, cells[0].arrays["paths"][:, 0]])
    low, high = _limits(ends)
    figure, axes = _figure(len(cells), f"{study.title}: paths from the source to the samples")
    for ax, cell in zip(axes, cells, strict=True):
        paths = cell.arrays["paths"]
        ax.add_collection(LineCollection(list(paths), colors="#7F97AD", linewidths=0.5, alpha=0.6))
        ax.scatter(*paths[:, 0].T, s=3, color=_DATA, linewidths=0, zorder=2)
        ax.scatter(*paths[:, -1].T, s=4, color=_SAMPLES, linewidths=0, zorder=3)
        _plane(ax, _verdict(cell, "map_error"), low, high)
    return figure


def _saddle(report: Report, study: Study) -> Any:
    """Gradient descent in x and ascent in y on x y: the paper's example 1.1."""
    rate, start = _RATE, np.array([1.0, 0.0])
    together, alternating = [start], [start]
    for _ in range(_TURNS):
        x, y = together[-1]
        together.append(np.array([x - rate * y, y + rate * x]))
        x, y = alternating[-1]
        x = x - rate * y
        alternating.append(np.array([x, y + rate * x]))
    reach = 1.1 * float(np.abs(together).max())
    figure, axes = _figure(2, "Descent in x and ascent in y on x y: the saddle is not reached")
    for ax, path, name in (
        (axes[0], np.array(alternating), "in turn: circles"),
        (axes[1], np.array(together), "at the same time: spirals out"),
    ):
        ax.plot(*path.T, color="#0072B2", linewidth=0.8)
        ax.plot(*start, "o", color=_SAMPLES, markersize=4)
        ax.plot(0.0, 0.0, "+", color=_INK)
        _plane(ax, name, np.array([-reach, -reach]), np.array([reach, reach]))
    return figure


def _bars(report: Report, study: Study) -> Any:
    """Every metric: its mean, and the line from the least to the greatest of the seeds."""
    columns = [n for n in report.columns(study.name) if n in METRICS and n not in _UNDRAWN]
    labels = [e.label for e in study.entries if report.cells_of(study.name, e.label)]
    if not columns or not labels:
        return None
    from matplotlib.figure import Figure

    rows = math.ceil(len(columns) / _PANEL_COLUMNS)
    across = min(len(columns), _PANEL_COLUMNS)
    figure = Figure(
        figsize=(2.3 + 2.2 * across, (0.9 + 0.24 * len(labels)) * rows + 0.4), layout="constrained"
    )
    first: Any = None
    for k, name in enumerate(columns):
        ax = figure.add_subplot(rows, across, k + 1, sharey=first)
        first = ax if first is None else first
        means = []
        for row, label in enumerate(labels):
            values = report.values(study.name, label, name)
            if len(values):
                means.append(values.mean())
                ax.plot((values.min(), values.max()), (row, row), color="#0072B2")
                ax.plot(values.mean(), row, "o", color="#0072B2", markersize=4)
        arrow = {"lower": " ↓", "higher": " ↑", "": ""}[METRICS[name].better]
        ax.set_title(METRICS[name].title + arrow, fontsize="small")
        typical = _typical(means)
        if name == "seconds":
            _logarithmic(ax)
        elif np.abs(means).max(initial=0.0) > _RUNAWAY * typical:
            ax.set_xscale("symlog", linthresh=10.0 ** math.ceil(math.log10(typical)))
            # Its own locator would write its labels over each other.
            locator: Any = ax.xaxis.get_major_locator()
            locator.set_params(numticks=6)
        ax.set_yticks(range(len(labels)), labels, fontsize="x-small")
        ax.tick_params(axis="x", which="both", labelsize="x-small")
        ax.tick_params(axis="y", labelleft=k % across == 0, length=0)
        ax.grid(axis="y", color="#BBBBBB")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    first.set_ylim(len(labels) - 0.5, -0.5)
    figure.suptitle(study.title, fontsize="medium")
    return figure


def _logarithmic(ax: Any) -> None:
    """Give an axis of powers few labels: matplotlib's own for less than a decade overlap."""
    from matplotlib.ticker import LogLocator

    ax.set_xscale("log")
    low, high = ax.dataLim.intervalx
    if high < 10.0 * low:
        middle = math.sqrt(low * high)
        low, high = middle / 4.0, middle * 4.0
        ax.set_xlim(low, high)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
    ax.xaxis.set_minor_formatter("{x:g}" if high < 30.0 * low else "")


def _typical(values: Sequence[float]) -> float:
    """Median size of what is not zero."""
    sizes = np.abs(values)
    return float(np.median(sizes[sizes > 0.0])) if sizes.any() else 1.0


def _curves(report: Report, study: Study) -> Any:
    from matplotlib.lines import Line2D

    from geomot.plotting import class_colors

    cells = [c for c in report.cells_of(study.name) if {*_CURVES} <= {*c.history_names}]
    if not cells:
        return None
    labels = [e.label for e in study.entries if any(c.label == e.label for c in cells)]
    colours = dict(zip(labels, class_colors(len(labels)), strict=True))
    # Colours alone are all the same in grey.
    dashes: dict[str, Any] = dict(
        zip(labels, itertools.cycle(("-", "--", "-.", ":")), strict=False)
    )
    figure, axes = _figure(len(_CURVES), study.title)
    for ax, (name, title) in zip(axes, _CURVES.items(), strict=True):
        for cell in cells:
            column, steps = cell.history_names.index(name), cell.history_names.index("step")
            rows = cell.arrays["history"]
            values = np.where(np.isfinite(rows[:, column]), rows[:, column], np.nan)
            style = {"color": colours[cell.label], "linestyle": dashes[cell.label]}
            ax.plot(rows[:, steps], values, linewidth=0.8, **style)
            if cell.diverged:
                last = np.flatnonzero(np.isfinite(values))
                if len(last):
                    at = last[-1]
                    ax.plot(rows[at, steps], values[at], "x", color=colours[cell.label])
        if name == "divergence":
            # Of either sign; only beyond 1 is there an axis of powers to label.
            if np.abs(ax.dataLim.intervaly).max() > 10.0:
                ax.set_yscale("symlog", linthresh=1.0)
        elif any((c.arrays["history"][:, c.history_names.index(name)] > 0).any() for c in cells):
            ax.set_yscale("log")
        ax.set_title(title, fontsize="small")
        ax.set_xlabel("step", fontsize="x-small")
        ax.tick_params(which="both", labelsize="x-small")
        ax.spines[["top", "right"]].set_visible(False)
    handles = [
        Line2D([], [], color=colours[label], linestyle=dashes[label], label=label)
        for label in labels
    ]
    if any(cell.diverged for cell in cells):
        handles.append(Line2D([], [], color=_INK, marker="x", linestyle="", label="diverged"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize="x-small")
    return figure


def _images(report: Report, study: Study) -> Any:
    from matplotlib.figure import Figure

    from geomot import plotting

    cells = [c for c in _first(report, study) if "samples" in c.arrays and not c.diverged]
    if not cells:
        return None
    rows = []
    for cell in cells:
        rows.append(cell.arrays["samples"][:_IMAGES_IN_A_ROW])
    per_row = min(len(row) for row in rows)
    images = np.concatenate([row[:per_row] for row in rows])
    figure = Figure(figsize=(2.6 + 0.45 * per_row, 0.5 + 0.47 * len(rows)), layout="compressed")
    ax = figure.add_subplot()
    # Pixels far off would leave all others grey.
    low, high = np.quantile(images, (0.03, 0.97))
    plotting.image_grid(
        images,
        columns=per_row,
        row_labels=[", ".join([c.label, *_steps(c)]) for c in cells],
        vmin=float(low),
        vmax=float(high),
        ax=ax,
    )
    ax.tick_params(axis="y", labelsize="small")
    figure.suptitle(study.title, fontsize="medium")
    return figure


def _strips(report: Report, study: Study) -> Any:
    """Decoded straight lines between codes that are assigned to each other."""
    from matplotlib.figure import Figure

    from geomot import plotting
    from geomot.discrete import assignment

    problem = study.make(report.seeds[0])
    if problem.codec is None or problem.codes is None:
        return None
    half = min(len(problem.codes) // 2, _ASSIGNED)
    # Data may come sorted by class.
    codes = np.random.default_rng(0).permutation(problem.codes)
    start, end = codes[:half], codes[half : 2 * half]
    partners = assignment(start, end).permutation
    # The longest moves among the first, which are those where something happens.
    moves = np.sum((start - end[partners]) ** 2, axis=1)
    rows = np.argsort(moves)[::-1][: min(_STRIPS, half)]
    t = np.linspace(0.0, 1.0, _STRIP_STEPS)[:, None]
    codes = np.concatenate([(1.0 - t) * start[i] + t * end[partners[i]] for i in rows])
    images = np.asarray(problem.codec.decode(codes))
    figure = Figure(figsize=(0.5 * _STRIP_STEPS, 0.5 + 0.5 * len(rows)), layout="constrained")
    ax = figure.add_subplot()
    low, high = float(problem.train.min()), float(problem.train.max())
    plotting.image_grid(
        images.clip(low, high), columns=_STRIP_STEPS, cmap="gray", vmin=low, vmax=high, ax=ax
    )
    figure.suptitle(
        "On straight lines between codes that are assigned to each other", fontsize="small"
    )
    return figure


def _moves(report: Report, study: Study) -> Any:
    from geomot import plotting
    from geomot.discrete import plan

    cells = [cell for cell in _first(report, study) if "rows" in cell.arrays]
    if not cells:
        return None
    problem = study.make(cells[0].seed)
    figure, axes = _figure(len(cells), study.title)
    for ax, cell in zip(axes, cells, strict=True):
        title = cell.label
        if problem.masses is None:
            n = len(problem.train)
            shown = np.random.default_rng(0).permutation(n)[:_MOVES]
            ends = problem.test[cell.arrays["columns"][shown]]
            plotting.permutation(
                problem.train[shown], ends, np.arange(len(shown)), labels=False, legend=False, ax=ax
            )
            if len(shown) < n:
                title += f", {len(shown)} of {n} moves"
        else:
            # The cell has no potentials: the plan is solved for once more.
            plotting.transport_plan(
                plan(problem.train, problem.test, *problem.masses), legend=False, ax=ax
            )
        ax.set(xlabel="", ylabel="")
        ax.set_title(f"{title}\nmean cost {cell.metrics['cost']:.4g}", fontsize="small")
        ax.tick_params(labelsize="x-small")
    return figure


_KINDS: Mapping[str, Callable[[Report, Study], Any]] = {
    "points": _points,
    "ridge": _ridge,
    "surface": _surface,
    "paths": _paths,
    "saddle": _saddle,
    "bars": _bars,
    "curves": _curves,
    "images": _images,
    "moves": _moves,
    "strips": _strips,
}
