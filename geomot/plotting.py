"""Figures of diagrams, potentials and maps, with matplotlib.

Every function takes `ax=None` (then it makes a figure with pyplot) and returns the axes it drew on;
titles, sizes and files are left to the caller. Each set of cells is a single collection, so that
100 000 cells take seconds, and what has many parts is rasterised inside vector files. The colours
can be told apart with the usual forms of colour blindness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LightSource, Normalize, to_rgba_array
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from geomot import potentials
from geomot._validation import as_count, as_points, as_real_array, as_vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.diagram import PowerDiagram
    from geomot.solution import Solution

__all__ = [
    "brenier_contours",
    "brenier_potential",
    "class_colors",
    "convergence",
    "image_grid",
    "power_diagram",
    "site_cloud",
    "transport_map",
]

# Okabe and Ito's palette without black, and Tol's "muted" with its grey: both are distinct for
# readers with any common colour blindness; the second is needed from the eighth class on.
_OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_TOL_MUTED = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#DDCC77",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#BBBBBB",
)
_INK = "#222222"
_PLAIN_FACE = "#EAF0F6"
_PLAIN_EDGE = "#7F97AD"
_DUAL = "#D55E00"

# Collections with more parts than this are stored as pixels inside svg and pdf files, which
# viewers would otherwise draw for minutes.
_RASTER_FROM = 10_000

_POTENTIAL = {False: r"$u(x)$", True: r"$u(x) - \langle x, \bar y\rangle$"}

# Integers with more distinct values than the longest palette are treated as numbers.
_MAX_CLASSES = len(_TOL_MUTED)


# ---------------------------------------------------------------------------------------------
# Public functions
# ---------------------------------------------------------------------------------------------


def power_diagram(
    diagram: PowerDiagram | Solution,
    values: Any = None,
    *,
    sites: bool = True,
    triangulation: bool = False,
    edges: bool = True,
    cmap: Any = "viridis",
    norm: Any = None,
    label: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the cells of a power diagram.

    Parameters
    ----------
    diagram : PowerDiagram or Solution
        What to draw.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        One value per site, shown as the colour of its cell. Floats are numbers, with a colour
        bar; text, booleans, and integers with up to ten distinct values are classes, with a
        legend.
    sites : bool, default True
        Mark the sites that lie inside the frame.
    triangulation : bool, default False
        Draw the dual regular triangulation over the cells, between the sites.
    edges : bool, default True
        Draw the borders of the cells; they fade where there are too many to be seen.
    cmap : str or Colormap, default "viridis"
        Colours of numbers.
    norm : str or Normalize, optional
        Scale of the numbers, as for matplotlib. None is linear, and logarithmic for masses that
        span more than two decades.
    label : str, optional
        Title of the colour bar or legend.
    legend : bool, default True
        Whether to draw the colour bar or legend.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import PowerDiagram, plotting
    >>> diagram = PowerDiagram(np.random.default_rng(0).random((50, 2)))
    >>> ax = plotting.power_diagram(diagram, "masses")
    >>> ax.get_xlabel()
    '$x_1$'
    """
    diagram = _as_diagram(diagram)
    ax = _new_axes() if ax is None else ax
    n = len(diagram.masses)
    _frame(ax, diagram.source.bounds)
    pitch = _pitch(ax, n)
    collection = _cells(diagram, pitch, filled=values is not None, edges=edges)
    if values is not None:
        colours = _Colours(diagram, values, cmap, norm, label)
        colours.paint(collection, ~diagram.empty, edges=edges)
        if legend:
            colours.explain(ax, collection)
    ax.add_collection(collection, autolim=False)
    if triangulation:
        ax.add_collection(_dual_edges(diagram, pitch), autolim=False)
    if sites:
        _dots(ax, diagram.sites, pitch, _INK)
    _outline(ax, diagram.source)
    return ax


def brenier_potential(
    solution: PowerDiagram | Solution,
    values: Any = None,
    *,
    centered: bool = True,
    projection: bool = True,
    cmap: Any = "viridis",
    elevation: float = 28.0,
    azimuth: float = -60.0,
    label: str | None = None,
    legend: bool = True,
    ax: Any = None,
) -> Any:
    """Draw the Brenier potential as a polyhedral surface over the diagram.

    The surface is u(x) = max_i (<x, y_i> + h_i): one plane facet over each cell, whose gradient
    is the site. With many cells (above some 5000) `brenier_contours` is faster and clearer.

    Parameters
    ----------
    solution : PowerDiagram or Solution
        Cells and heights.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        What colours the facets, as in `power_diagram`; None takes their mean height, which the
        vertical axis explains.
    centered : bool, default True
        Subtract the linear function <x, y>, y the mean of the sites by mass, whose slope would
        hide the shape of the surface. The axis says so.
    projection : bool, default True
        Draw the diagram below the surface, in the same colours.
    cmap : str or Colormap, default "viridis"
        Colours of numbers.
    elevation, azimuth : float
        Direction of view in degrees.
    label : str, optional
        Title of the colour bar or legend.
    legend : bool, default True
        Whether to draw the colour bar or legend.
    ax : Axes3D, optional
        Where to draw; None makes a figure. Made by ``subplots(subplot_kw={"projection": "3d"})``.

    Returns
    -------
    Axes3D
    """
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    diagram = _as_diagram(solution)
    ax = _new_axes(projection="3d") if ax is None else ax
    if not hasattr(ax, "get_zlim"):
        raise ValueError('ax must be three-dimensional, made with projection="3d"')
    shown = ~diagram.empty
    cells = diagram.cells
    owners = np.repeat(np.arange(len(cells)), np.diff(cells.offsets))
    heights = _potential(diagram, cells.vertices, owners, centered)
    lifted = _split(np.column_stack([cells.vertices, heights]), cells.offsets, shown)
    by_height = values is None
    if by_height:
        values = np.zeros(len(cells))
        values[shown] = [polygon[:, 2].mean() for polygon in lifted]
    colours = _Colours(diagram, values, cmap, None, label)
    face = colours.rgba(shown)

    low, high = float(heights.min()), float(heights.max())
    height = (high - low) or 1.0
    floor = low - 0.5 * height if projection else low
    layers = [(lifted, _shade(diagram, face, shown))]
    if projection:
        flat = [np.column_stack([p[:, :2], np.full(len(p), floor)]) for p in lifted]
        layers.append((flat, face))
    width = min(0.4, 0.05 * _pitch(ax, len(cells)))
    for polygons, colour in layers:
        # Where borders cannot be told apart, white ones would only wash out the facets.
        border = {"edgecolors": "white" if width > 0.1 else colour, "linewidths": max(width, 0.1)}
        layer = Poly3DCollection(polygons, facecolors=colour, **border)
        ax.add_collection3d(layer, autolim=False)
    for artist in ax.collections:
        artist.set_rasterized(len(lifted) > _RASTER_FROM)
    (x0, y0), (x1, y1) = diagram.source.bounds
    ax.set(xlim=(x0, x1), ylim=(y0, y1), zlim=(floor, high))
    ax.set(xlabel="$x_1$", ylabel="$x_2$", zlabel=_POTENTIAL[centered])
    ax.set_box_aspect((x1 - x0, y1 - y0, 0.85 * max(x1 - x0, y1 - y0)))
    ax.view_init(elevation, azimuth)
    ax.locator_params(nbins=3)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set(facecolor="white", edgecolor="#CCCCCC", linewidth=0.5)
        axis._axinfo["grid"].update(color="#E4E4E4", linewidth=0.5)
    if legend and not by_height:
        colours.explain(ax, None)
    return ax


def brenier_contours(
    solution: PowerDiagram | Solution,
    *,
    centered: bool = True,
    levels: int | Sequence[float] = 16,
    resolution: int = 400,
    cells: bool | None = None,
    cmap: Any = "viridis",
    label: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the Brenier potential as filled contours: fast for any number of cells.

    Parameters
    ----------
    solution : PowerDiagram or Solution
        Cells and heights.
    centered : bool, default True
        Subtract the linear function <x, y>, y the mean of the sites by mass, whose slope would
        hide the shape of the potential. The colour bar says so.
    levels : int or sequence of float, default 16
        Number of contours, or their values.
    resolution : int, default 400
        Points of the grid along the longer side of the domain. The potential is evaluated
        exactly at the points and interpolated between them.
    cells : bool, optional
        Draw the borders of the cells over the contours; None does so up to 3000 cells.
    cmap : str or Colormap, default "viridis"
        Colours of the potential.
    label : str, optional
        Title of the colour bar.
    legend : bool, default True
        Whether to draw the colour bar.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
    """
    diagram = _as_diagram(solution)
    resolution = as_count(resolution, "resolution", 2)
    ax = _new_axes() if ax is None else ax
    low, high = diagram.source.bounds
    size = high - low
    shape = np.maximum(2, np.rint(resolution * size / size.max())).astype(int)
    x, y = (np.linspace(low[k], high[k], shape[k]) for k in range(2))
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    u = _potential(diagram, points, diagram.locate(points), centered).reshape(len(y), len(x))
    _frame(ax, diagram.source.bounds)
    outline = _outline(ax, diagram.source)
    if np.ndim(levels) == 0:
        levels = _levels(diagram, u, points, as_count(levels, "levels", 1), centered)
    filled = ax.contourf(x, y, u, levels=levels, cmap=cmap)
    # Without an edge in their own colour the bands show hairlines between them in vector files.
    filled.set_edgecolor("face")
    filled.set_linewidth(0.3)
    lines = ax.contour(
        x, y, u, levels=filled.levels, colors="white", linewidths=0.5, linestyles="solid"
    )
    for artist in (filled, lines):
        artist.set_clip_path(outline)
    n = len(diagram.masses)
    if cells if cells is not None else n <= 3000:
        borders = _cells(diagram, _pitch(ax, n), filled=False, edges=True)
        borders.set(facecolor="none", edgecolor=_INK, alpha=0.35)
        ax.add_collection(borders, autolim=False)
    if legend:
        _colorbar(ax, filled, _POTENTIAL[centered] if label is None else label)
    return ax


def site_cloud(
    diagram: PowerDiagram | Solution,
    values: Any = None,
    *,
    cmap: Any = "viridis",
    norm: Any = None,
    label: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the sites alone: the target measure, each dot with an area in proportion to its mass.

    Parameters
    ----------
    diagram : PowerDiagram or Solution
        Sites and masses; of a solution, the target masses.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        What colours the sites, as in `power_diagram`.
    cmap, norm, label, legend : optional
        As in `power_diagram`.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
    """
    masses = getattr(diagram, "target_masses", diagram.masses)
    ax = _new_axes() if ax is None else ax
    points = diagram.sites
    low, high = points.min(axis=0), points.max(axis=0)
    if not (high > low).any():
        low, high = low - 0.5, high + 0.5
    _frame(ax, np.array([low, high]), labels=("$y_1$", "$y_2$"))
    area = _dot_area(_pitch(ax, len(points)))
    dots = ax.scatter(
        *points.T,
        s=2.0 * area * np.clip(masses * len(points), 0.05, 25.0),
        color=None if values is not None else _INK,
        linewidths=0,
        rasterized=len(points) > _RASTER_FROM,
    )
    if values is not None:
        colours = _Colours(diagram, values, cmap, norm, label)
        colours.paint(dots, slice(None), edges=False)
        if legend:
            colours.explain(ax, dots)
    return ax


def transport_map(
    solution: Solution,
    samples: int | Any = 1000,
    *,
    random_state: Any = 0,
    ax: Sequence[Axes] | None = None,
) -> np.ndarray:
    """Draw the map: cells and samples of the source, and beside them the sites they are sent to.

    A cell, the samples in it and its site share one colour, chosen by the site's position: blue
    to orange from left to right, dark to light from bottom to top.

    Parameters
    ----------
    solution : Solution
        The map.
    samples : int or array_like of shape (m, 2), default 1000
        Points of the source, or how many to draw; 0 for none.
    random_state : optional
        Randomness of the samples.
    ax : sequence of two Axes, optional
        Where to draw source and target; None makes a figure.

    Returns
    -------
    ndarray of two Axes
    """
    diagram = _as_diagram(solution)
    if ax is None:
        ax = _new_axes(columns=2)
    source_ax, target_ax = ax
    if np.ndim(samples) == 0:
        count = as_count(samples, "samples", 0)
        points = diagram.source.sample(count, random_state)
    else:
        points = as_points(samples, "samples", 2, allow_empty=True)
    colours = _position_colours(diagram.sites)
    _frame(source_ax, diagram.source.bounds)
    pitch = _pitch(source_ax, len(diagram.masses))
    collection = _cells(diagram, pitch, filled=True, edges=True)
    shown = ~diagram.empty
    pale = colours.copy()
    # Paler cells let the samples of the same colour stand out on them.
    pale[:, :3] = 0.45 * pale[:, :3] + 0.55 if len(points) else pale[:, :3]
    collection.set_facecolor(pale[shown])
    source_ax.add_collection(collection, autolim=False)
    if len(points):
        source_ax.scatter(
            *points.T,
            s=_dot_area(_pitch(source_ax, len(points))),
            c=colours[diagram.locate(points)],
            linewidths=0,
            rasterized=len(points) > _RASTER_FROM,
        )
    _outline(source_ax, diagram.source)
    site_cloud(solution, legend=False, ax=target_ax)
    target_ax.collections[-1].set_facecolor(colours)
    source_ax.set_title("source")
    target_ax.set_title("target")
    return np.array([source_ax, target_ax])


def convergence(solution: Solution | np.ndarray, *, ax: Axes | None = None) -> Axes:
    """Draw how a solve converged: error, duality gap and step length on a logarithmic axis.

    Parameters
    ----------
    solution : Solution or record array
        A solution, or its `history`.
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
    ax = _new_axes() if ax is None else ax
    steps = np.arange(len(history))
    # The last dual value stands for the optimum, so that its own gap (and any within rounding of
    # it) cannot be drawn on this axis.
    best = history["dual"][-1] if len(history) else 0.0
    gap = (best - history["dual"]) / (abs(best) or 1.0)
    curves = (
        (history["residual"], "mass error", "o-", _OKABE_ITO[0]),
        (gap, "relative dual gap", "s-", _OKABE_ITO[5]),
        (history["step"], "step length", "^:", "#777777"),
    )
    for values, name, style, colour in curves:
        drawn = np.where(values > 0, values, np.nan)
        if np.isfinite(drawn).any():
            ax.plot(steps, drawn, style, color=colour, label=name, markersize=4, linewidth=1.2)
    tol = getattr(solution, "tol", None)
    if tol is not None:
        ax.axhline(tol, color=_OKABE_ITO[0], linewidth=0.8, linestyle=(0, (4, 3)))
        ax.annotate(
            "tolerance", (0, tol), (3, 3), textcoords="offset points", color=_OKABE_ITO[0], size=8
        )
    ax.set(yscale="log", xlabel="Newton step", ylabel="relative size")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return ax


def image_grid(
    images: Any,
    *,
    columns: int | None = None,
    shape: tuple[int, int] | None = None,
    row_labels: Sequence[str] | None = None,
    gap: int = 1,
    cmap: Any = "gray_r",
    vmin: float | None = None,
    vmax: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw images side by side, row by row: generated samples, or steps of an interpolation.

    Parameters
    ----------
    images : array_like of shape (n, height, width) or (n, height * width)
        Grey values.
    columns : int, optional
        Images per row; None makes the grid about square.
    shape : (int, int), optional
        Height and width of flat images; None takes them to be square.
    row_labels : sequence of str, optional
        One text beside each row.
    gap : int, default 1
        Pixels left blank between images.
    cmap : str or Colormap, default "gray_r"
        Colours of the pixels.
    vmin, vmax : float, optional
        Values of the ends of `cmap`; None takes the extremes of the images.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
    """
    stack = _as_images(images, shape)
    n, height, width = stack.shape
    gap = as_count(gap, "gap", 0)
    columns = int(np.ceil(np.sqrt(n))) if columns is None else as_count(columns, "columns", 1)
    rows = -(-n // columns)
    tile_h, tile_w = height + gap, width + gap
    canvas = np.full((rows * tile_h - gap, columns * tile_w - gap), np.nan)
    for k, image in enumerate(stack):
        top, left = (k // columns) * tile_h, (k % columns) * tile_w
        canvas[top : top + height, left : left + width] = image
    ax = _new_axes() if ax is None else ax
    colours = mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
    # Blank pixels differ from the images' own background, so that each image is seen as one.
    ax.imshow(
        np.ma.masked_invalid(canvas),
        cmap=colours.with_extremes(bad="#DBE3EB"),
        vmin=vmin,
        vmax=vmax,
        interpolation="nearest",
    )
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if row_labels is not None:
        if len(row_labels) != rows:
            raise ValueError(f"row_labels must have {rows} entries, got {len(row_labels)}")
        ax.set_yticks(np.arange(rows) * tile_h + (height - 1) / 2, row_labels)
        ax.tick_params(axis="y", length=0)
    return ax


def class_colors(n: int) -> list[str]:
    """Return colours for classes that readers with colour blindness can tell apart.

    Parameters
    ----------
    n : int
        Number of classes, at most ten.

    Returns
    -------
    list of str
        Hexadecimal colours.
    """
    n = as_count(n, "n", 0)
    if n > _MAX_CLASSES:
        raise ValueError(f"n must be at most {_MAX_CLASSES}, got {n}")
    return list((_OKABE_ITO if n <= len(_OKABE_ITO) else _TOL_MUTED)[:n])


# ---------------------------------------------------------------------------------------------
# Parts
# ---------------------------------------------------------------------------------------------


class _Colours:
    """One value per site, and how it is shown: as numbers on a scale, or as classes."""

    def __init__(
        self, diagram: PowerDiagram | Solution, values: Any, cmap: Any, norm: Any, label: str | None
    ) -> None:
        names = {"weights": "weight $w_i$", "masses": "mass of cell", "costs": "cost of cell"}
        n = len(diagram.masses)
        self.classes: np.ndarray | None = None
        self.label = label
        if isinstance(values, str):
            if values not in names:
                raise ValueError(f"values must be an array or one of {sorted(names)}: {values!r}")
            self.label = names[values] if label is None else label
            if values == "costs":
                diagram = _as_diagram(diagram)
            if values == "masses" and norm is None:
                positive = diagram.masses[diagram.masses > 0]
                norm = "log" if positive.max() > 100 * positive.min() else None
            values = getattr(diagram, values)
        array = np.asarray(values)
        if array.dtype.kind in "biuSU":
            if array.shape != (n,):
                raise ValueError(f"values must have shape ({n},), got {array.shape}")
            classes, index = np.unique(array, return_inverse=True)
            if len(classes) <= _MAX_CLASSES:
                self.classes, self.index = classes, index
                self.palette = to_rgba_array(class_colors(len(classes)))
                return
        self.values = as_vector(values, n, "values")
        shown = self.values[diagram.masses > 0]
        self.mappable = mpl.cm.ScalarMappable(cmap=cmap)
        self.mappable.set_norm(_flat_norm(shown) if norm is None else norm)
        self.mappable.set_array(shown)
        self.mappable.autoscale_None()

    def rgba(self, shown: Any) -> np.ndarray:
        if self.classes is not None:
            return self.palette[self.index[shown]]
        return self.mappable.to_rgba(self.values[shown])

    def paint(self, collection: Any, shown: Any, *, edges: bool) -> None:
        """Give a collection its colours; numbers stay attached to it for later changes."""
        if self.classes is not None:
            collection.set_facecolor(self.rgba(shown))
        else:
            collection.set(cmap=self.mappable.cmap, norm=self.mappable.norm)
            collection.set_array(self.values[shown])
        if not edges:
            collection.set_edgecolor("face")

    def explain(self, ax: Axes, collection: Any) -> None:
        if self.classes is None:
            _colorbar(ax, self.mappable if collection is None else collection, self.label or "")
            return
        handles = [
            Line2D([], [], linestyle="", marker="o", markersize=6, color=colour, label=str(name))
            for name, colour in zip(self.classes, self.palette, strict=True)
        ]
        ax.legend(
            handles=handles,
            title=self.label,
            loc="center left",
            bbox_to_anchor=(1.1 if hasattr(ax, "get_zlim") else 1.0, 0.5),
            frameon=False,
            handletextpad=0.2,
            fontsize="small",
            title_fontsize="small",
        )


def _as_diagram(thing: Any) -> PowerDiagram:
    if hasattr(thing, "cells"):
        return thing
    if hasattr(thing, "diagram"):
        return thing.diagram()
    raise TypeError(f"diagram must be a PowerDiagram or a Solution, got {type(thing).__name__}")


def _new_axes(columns: int = 1, projection: str | None = None) -> Any:
    import matplotlib.pyplot as plt

    width = 5.2 if columns == 1 else 4.2 * columns
    figure, axes = plt.subplots(
        ncols=columns,
        figsize=(width, 4.2),
        # Unlike "constrained", it knows of axes with equal aspect: labels are not cut.
        layout="compressed",
        subplot_kw={"projection": projection} if projection else {},
    )
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return axes


def _frame(ax: Axes, bounds: np.ndarray, labels: tuple[str, str] = ("$x_1$", "$x_2$")) -> None:
    low, high = bounds
    margin = 0.02 * (high - low).max()
    ax.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    ax.set_aspect("equal")
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=2.5, color="#888888")
    ax.locator_params(nbins=5)


def _pitch(ax: Axes, n: int) -> float:
    """Points (1/72 inch) between neighbours if n items filled the axes evenly."""
    width, height = ax.figure.get_size_inches() * (ax.get_position().width, 1.0)
    height *= ax.get_position().height
    return 72.0 * min(width, height) / max(n, 1) ** 0.5


def _dot_area(pitch: float) -> float:
    """Area, in square points, of a dot that leaves most of its cell free."""
    return min(3.2, max(0.28 * pitch, 0.35)) ** 2


def _split(vertices: np.ndarray, offsets: np.ndarray, shown: np.ndarray) -> list[np.ndarray]:
    """The polygons of the cells that are not empty."""
    return [vertices[offsets[i] : offsets[i + 1]] for i in np.flatnonzero(shown)]


def _cells(diagram: PowerDiagram, pitch: float, *, filled: bool, edges: bool) -> PolyCollection:
    cells = diagram.cells
    polygons = _split(cells.vertices, cells.offsets, ~diagram.empty)
    width = min(0.7, 0.04 * pitch)
    collection = PolyCollection(polygons, facecolor=_PLAIN_FACE, linewidth=width)
    if not edges or (filled and width < 0.1):
        # Borders in the cells' own colours close the hairlines that antialiasing leaves.
        collection.set(edgecolor="face", linewidth=0.25)
    else:
        collection.set_edgecolor("white" if filled else _PLAIN_EDGE)
    collection.set_rasterized(len(polygons) > _RASTER_FROM)
    return collection


def _dual_edges(diagram: PowerDiagram, pitch: float) -> LineCollection:
    simplices = diagram.triangulation
    pairs = np.sort(np.concatenate([simplices[:, k] for k in ([0, 1], [1, 2], [2, 0])]), axis=1)
    # One number per pair sorts several times faster than rows do.
    n = len(diagram.sites)
    pairs = np.column_stack(np.divmod(np.unique(pairs[:, 0] * n + pairs[:, 1]), n))
    lines = LineCollection(diagram.sites[pairs], colors=_DUAL, linewidths=min(0.7, 0.03 * pitch))
    lines.set_rasterized(len(pairs) > _RASTER_FROM)
    return lines


def _dots(ax: Axes, points: np.ndarray, pitch: float, colour: Any) -> None:
    ax.scatter(
        *points.T,
        s=_dot_area(pitch),
        color=colour,
        linewidths=0,
        rasterized=len(points) > _RASTER_FROM,
    )


def _outline(ax: Axes, source: Any) -> Polygon:
    patch = Polygon(source.polygon, closed=True, fill=False, edgecolor=_INK, linewidth=0.8)
    ax.add_patch(patch)
    return patch


def _colorbar(ax: Axes, mappable: Any, label: str) -> None:
    pad = 0.1 if hasattr(ax, "get_zlim") else 0.02
    bar = ax.figure.colorbar(mappable, ax=ax, label=label, shrink=0.8, pad=pad, aspect=25)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2.5)


def _flat_norm(values: np.ndarray) -> Normalize | None:
    """A scale for values that are equal up to rounding, which matplotlib would blow up."""
    if len(values) == 0:
        return None
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low > 1e-6 * size:
        return None
    return Normalize(low - 0.05 * (size or 1.0), high + 0.05 * (size or 1.0))


def _potential(
    diagram: PowerDiagram, points: np.ndarray, labels: np.ndarray, centered: bool
) -> np.ndarray:
    hi, lo = (np.ascontiguousarray(part) for part in diagram.weights_exact.T)
    u = potentials.brenier_potential(points, labels, diagram.sites, hi, lo)
    return u - points @ (diagram.masses @ diagram.sites) if centered else u


def _levels(
    diagram: PowerDiagram, u: np.ndarray, points: np.ndarray, count: int, centered: bool
) -> np.ndarray:
    """Round values of contours over the domain alone, without the corners of its bounding box."""
    polygon = diagram.source.polygon
    # A convex function is greatest at a corner of the domain.
    corners = _potential(diagram, polygon, diagram.locate(polygon), centered)
    inside = u.ravel()[Path(polygon).contains_points(points)]
    values = np.concatenate([corners, inside])
    return MaxNLocator(count).tick_values(values.min(), values.max())


def _shade(diagram: PowerDiagram, face: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Darken facets by their slope, so that the surface reads as one in any colours."""
    slopes = diagram.sites[shown] - diagram.sites[shown].mean(axis=0)
    slopes = slopes / (np.abs(slopes).max() or 1.0)
    normals = np.column_stack([-slopes, np.ones(len(slopes))])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    brightness = np.clip(normals @ LightSource(azdeg=315, altdeg=45).direction, 0, None)
    brightness /= brightness.max(initial=0) or 1.0
    shaded = face.copy()
    shaded[:, :3] *= (0.75 + 0.25 * brightness)[:, None]
    return shaded


def _position_colours(points: np.ndarray) -> np.ndarray:
    """Colours by position in the plane: blue to orange along x, dark to light along y.

    Ranks rather than coordinates spread the colours evenly however the points are clustered. The
    mixture is linear in OKLab (Ottosson 2020), where equal steps look equal.
    """
    n = len(points)
    s, t = (np.argsort(np.argsort(points[:, k], kind="stable")) / max(n - 1, 1) for k in range(2))
    lightness = 0.42 + 0.42 * t
    # The arch in a leads through violet and rose instead of grey.
    a = -0.04 + 0.10 * s + 0.48 * s * (1 - s)
    b = -0.14 + 0.27 * s
    cone = np.column_stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    linear = cone**3 @ np.array(
        [
            [4.0767416621, -1.2684380046, -0.0041960863],
            [-3.3077115913, 2.6097574011, -0.7034186147],
            [0.2309699292, -0.3413193965, 1.7076147010],
        ]
    )
    linear = np.clip(linear, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.column_stack([srgb, np.ones(n)])


def _as_images(images: Any, shape: tuple[int, int] | None) -> np.ndarray:
    array = as_real_array(images, "images")
    if array.ndim == 2:
        if shape is None:
            side = int(np.rint(array.shape[1] ** 0.5))
            shape = (side, side)
        if shape[0] * shape[1] != array.shape[1]:
            raise ValueError(f"shape must be that of {array.shape[1]} pixels, got {shape}")
        array = array.reshape(len(array), *shape)
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"images must have shape (n, height, width), got {array.shape}")
    return array
