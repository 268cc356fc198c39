"""Figures of diagrams, potentials and maps, with matplotlib.

Every function takes `ax=None` (then it makes a figure with pyplot) and returns the axes it drew on;
titles, sizes and files are left to the caller. Each set of cells is a single collection, so that
100 000 cells take seconds, and what has many parts is rasterised inside vector files. The colours
can be told apart with the usual forms of colour blindness.

`convergence`, `mass_errors` and `site_cloud` work in any dimension; what draws cells needs a
diagram in the plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import LightSource, Normalize, to_rgba, to_rgba_array
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from geomot import potentials
from geomot._data import as_classes
from geomot._mass_estimate import sampling_floor
from geomot._palette import spread_colours
from geomot._validation import as_count, as_points, as_real_array, as_vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.diagram import PowerDiagram
    from geomot.discrete import Plan
    from geomot.extended import ExtendedMap
    from geomot.solution import Solution

__all__ = [
    "brenier_contours",
    "brenier_potential",
    "class_colors",
    "convergence",
    "image_grid",
    "mass_errors",
    "permutation",
    "power_diagram",
    "singular_set",
    "site_cloud",
    "transport_map",
    "transport_plan",
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
_BLANK = "#DBE3EB"  # between images

# Channels of images: grey, colours, colours with opacity.
_CHANNELS = (1, 3, 4)

# Collections with more parts than this are stored as pixels inside svg and pdf files, which
# viewers would otherwise draw for minutes.
_RASTER_FROM = 10_000

# Strokes in one path; far longer paths exceed what the Agg renderer can hold.
_STROKES = 500

_POTENTIAL = {False: r"$u(x)$", True: r"$u(x) - \langle x, \bar y\rangle$"}

# Points of a permutation that are numbered by default.
_MOST_LABELS = 20

# Integers with more distinct values than the longest palette are treated as numbers.
_MOST_INTEGERS = len(_TOL_MUTED)

# Classes that have colours.
_MOST_CLASSES = 256

# Letters of a name in a legend of one or two columns; more of either would squeeze the figure.
_LEGEND_LETTERS = (24, 14)


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
        bar; text, booleans, categories of pandas (in their order), and integers with up to ten
        distinct values are classes, with a legend. Of more classes than fit, the legend names
        those of most sites.
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
        colours.paint(collection, _drawn(diagram), edges=edges)
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

    diagram = _as_diagram(solution, "solution")
    ax = _new_axes(projection="3d") if ax is None else ax
    if not hasattr(ax, "get_zlim"):
        raise ValueError('ax must be three-dimensional, made with projection="3d"')
    shown = _drawn(diagram)
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
    diagram = _as_diagram(solution, "solution")
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

    Above the plane, what is drawn are the first two principal components of the target measure,
    and the axes say how much of its variance each has. On the line, masses are the vertical axis.

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
    points, labels = _flattened(diagram.sites, masses)
    if diagram.sites.shape[1] == 1:
        ax.set(xlabel=labels[0], ylabel=labels[1], ylim=(0.0, 1.1 * points[:, 1].max()))
        ax.spines[["top", "right"]].set_visible(False)
    else:
        low, high = points.min(axis=0), points.max(axis=0)
        if not (high > low).any():
            low, high = low - 0.5, high + 0.5
        _frame(ax, np.array([low, high]), labels=labels)
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

    Where the source has no exact diagrams, its samples are drawn without cells.

    Parameters
    ----------
    solution : Solution
        The map, in the plane.
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
    _check_plane(solution, "solution")
    exact = solution.source.exact
    diagram = _as_diagram(solution, "solution") if exact else None
    if ax is None:
        ax = _new_axes(columns=2)
    source_ax, target_ax = ax
    if np.ndim(samples) == 0:
        count = as_count(samples, "samples", 0 if exact else 1)
        points = solution.source.sample(count, random_state)
    else:
        points = as_points(samples, "samples", 2, allow_empty=exact)
    colours = _position_colours(solution.sites)
    if diagram is not None:
        _frame(source_ax, diagram.source.bounds)
        _coloured_cells(source_ax, diagram, colours, pale=len(points) > 0)
    else:
        _frame(source_ax, np.array([points.min(axis=0), points.max(axis=0)]))
    if len(points):
        source_ax.scatter(
            *points.T,
            s=_dot_area(_pitch(source_ax, len(points))),
            c=colours[solution.assign(points) if diagram is None else diagram.locate(points)],
            linewidths=0,
            rasterized=len(points) > _RASTER_FROM,
        )
    if diagram is not None:
        _outline(source_ax, diagram.source)
    site_cloud(solution, legend=False, ax=target_ax)
    target_ax.collections[-1].set_facecolor(colours)
    source_ax.set_title("source")
    target_ax.set_title("target")
    return np.array([source_ax, target_ax])


def singular_set(extended: ExtendedMap, *, resolution: int = 400, ax: Axes | None = None) -> Axes:
    """Shade where an extended map would mix sites that lie too far apart.

    Parameters
    ----------
    extended : ExtendedMap
        The map, in the plane, from a bounded source.
    resolution : int, default 400
        Points that are looked at along the longer side of the domain.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
    """
    _check_plane(extended.solution, "extended.solution")
    source = extended.solution.source
    bounds = source.bounds
    if not np.isfinite(bounds).all():
        raise ValueError("extended must have a bounded source")
    if ax is None:
        ax = _new_axes()
    extent = bounds[1] - bounds[0]
    counts = np.maximum(as_count(resolution, "resolution", 2) * extent // extent.max(), 2)
    axes = [
        low + (np.arange(count) + 0.5) * size / count
        for low, size, count in zip(bounds[0], extent, counts.astype(int), strict=True)
    ]
    grid = np.stack(np.meshgrid(*axes), axis=-1)
    mask = extended.is_singular(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    colour = np.zeros((*mask.shape, 4))
    colour[mask] = to_rgba(_OKABE_ITO[5], 0.55)
    _frame(ax, bounds)
    image = ax.imshow(
        colour, origin="lower", extent=(*bounds[:, 0], *bounds[:, 1]), interpolation="nearest"
    )
    image.set_zorder(1.5)  # above cells, below points
    outline = _outline(ax, source) if source.exact else None
    if outline is not None:
        image.set_clip_path(outline)
    ax.set_title("singular set")
    return ax


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
    ax = _new_axes() if ax is None else ax
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
    ax = _new_axes() if ax is None else ax
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
        equal = wanted[-1] <= wanted[0] * (1.0 + 1e-9)
        by = "measured mass" if equal else "target mass"
        margin = max(0.5, 0.02 * len(order))
        ax.set(xlabel=f"sites, sorted by {by}", xlim=(1.0 - margin, len(order) + margin))
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="upper right" if wide else "upper left")
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
    images : array_like of shape (n, height, width), (n, height * width) or (n, c, height, width)
        Grey values; with three or four channels red, green and blue, the fourth being left out.
    columns : int, optional
        Images per row; None makes the grid about square.
    shape : (int, int), optional
        Height and width of flat images; None takes them to be square.
    row_labels : sequence of str, optional
        One text beside each row.
    gap : int, default 1
        Pixels left blank between images.
    cmap : str or Colormap, default "gray_r"
        Colours of grey values.
    vmin, vmax : float, optional
        Values of the ends of `cmap`, or of a channel; None takes the extremes of the images.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
    """
    stack = _as_images(images, shape)
    n, channels, height, width = stack.shape
    gap = as_count(gap, "gap", 0)
    columns = int(np.ceil(np.sqrt(n))) if columns is None else as_count(columns, "columns", 1)
    rows = -(-n // columns)
    if row_labels is not None and len(row_labels) != rows:
        raise ValueError(f"row_labels must have {rows} entries, got {len(row_labels)}")
    tile_h, tile_w = height + gap, width + gap
    canvas = np.full((rows * tile_h - gap, columns * tile_w - gap, channels), np.nan)
    for k, image in enumerate(stack):
        top, left = (k // columns) * tile_h, (k % columns) * tile_w
        canvas[top : top + height, left : left + width] = np.moveaxis(image, 0, -1)
    ax = _new_axes() if ax is None else ax
    if channels == 1:
        colours = mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
        # Blank pixels differ from the images' own background, so that each image is seen as one.
        ax.imshow(
            np.ma.masked_invalid(canvas[..., 0]),
            cmap=colours.with_extremes(bad=_BLANK),
            vmin=vmin,
            vmax=vmax,
            interpolation="nearest",
        )
    else:
        low = float(stack.min()) if vmin is None else vmin
        high = float(stack.max()) if vmax is None else vmax
        shown = np.clip((canvas - low) / ((high - low) or 1.0), 0.0, 1.0)
        blank = mpl.colors.to_rgb(_BLANK)
        ax.imshow(np.where(np.isnan(shown), blank, shown), interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if row_labels is not None:
        ax.set_yticks(np.arange(rows) * tile_h + (height - 1) / 2, row_labels)
        ax.tick_params(axis="y", length=0)
    return ax


def class_colors(n: int) -> list[str]:
    """Return colours for classes that readers with colour blindness can tell apart.

    From the eleventh on, each colour is as far as possible from the ones before it. More than about
    twenty are hard to tell apart.

    Parameters
    ----------
    n : int
        Number of classes, at most 256.

    Returns
    -------
    list of str
        Hexadecimal colours, all different.
    """
    n = as_count(n, "n", 0)
    if n > _MOST_CLASSES:
        raise ValueError(f"n must be at most {_MOST_CLASSES}, got {n}")
    if n <= len(_OKABE_ITO):
        return list(_OKABE_ITO[:n])
    if n <= len(_TOL_MUTED):
        return list(_TOL_MUTED[:n])
    return list(spread_colours(_TOL_MUTED, n))


def permutation(
    a: Any,
    b: Any,
    partners: Any,
    *,
    labels: bool | None = None,
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw who goes where when one cloud of the plane is moved onto another.

    Parameters
    ----------
    a, b : array_like of shape (n, 2)
        The clouds.
    partners : array_like of shape (n,), int
        The permutation: a[i] goes to b[partners[i]], such as `Assignment.permutation`.
    labels : bool, optional
        Number the points; None numbers up to 20.
    legend : bool, default True
        Whether to say which cloud is which.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If `partners` is no permutation, or the clouds are not of one size in the plane.
    """
    x, y = as_points(a, "a", 2), as_points(b, "b", 2)
    to = np.asarray(partners)
    if len(x) != len(y):
        raise ValueError(f"b must have as many points as a, got {len(x)} and {len(y)}")
    if to.dtype.kind not in "iu" or not np.array_equal(np.sort(to), np.arange(len(x))):
        raise ValueError(f"partners must be a permutation of 0, ..., {len(x) - 1}")
    ax = _new_axes() if ax is None else ax
    _clouds_and_moves(ax, x, y, np.arange(len(x)), to, np.full(len(x), 1.0))
    if legend:
        _name_clouds(ax)
    if labels if labels is not None else len(x) <= _MOST_LABELS:
        for points, letter in ((x, "x"), (y, "y")):
            for k, point in enumerate(points, 1):
                ax.annotate(
                    f"${letter}_{{{k}}}$",
                    point,
                    xytext=(5, 5),
                    textcoords="offset points",
                    color=_INK,
                    fontsize="small",
                )
    return ax


def transport_plan(plan: Plan, *, legend: bool = True, ax: Axes | None = None) -> Axes:
    """Draw a plan between two weighted clouds of the plane.

    Points have areas in proportion to their masses, and lines widths in proportion to what moves
    along them.

    Parameters
    ----------
    plan : Plan
        The plan, from `geomot.discrete`.
    legend : bool, default True
        Whether to say which cloud is which.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the clouds do not lie in the plane.
    """
    if not (hasattr(plan, "rows") and hasattr(plan, "a_masses")):
        raise TypeError(f"plan must be a Plan, got {type(plan).__name__}")
    if plan.a.shape[1] != 2:
        raise ValueError(f"plan must be one in the plane, got {plan.a.shape[1]} dimensions")
    ax = _new_axes() if ax is None else ax
    widths = plan.masses / plan.masses.max()
    _clouds_and_moves(
        ax, plan.a, plan.b, plan.rows, plan.columns, widths, (plan.a_masses, plan.b_masses)
    )
    if legend:
        _name_clouds(ax)
    return ax


# ---------------------------------------------------------------------------------------------
# Parts
# ---------------------------------------------------------------------------------------------


def _clouds_and_moves(
    ax: Axes,
    x: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    shares: np.ndarray,
    masses: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """Two clouds, and lines between them of widths in proportion to the shares."""
    both = np.concatenate([x, y])
    pitch = _pitch(ax, len(both))
    lines = LineCollection(
        np.stack([x[rows], y[columns]], axis=1),
        linewidths=min(2.4, 0.12 * pitch) * np.maximum(shares, 0.05),
        colors=_PLAIN_EDGE,
        zorder=1,
    )
    lines.set_rasterized(len(rows) > _RASTER_FROM)
    ax.add_collection(lines)
    area = min(6.0, max(0.3 * pitch, 0.8)) ** 2
    for k, (points, colour, name) in enumerate(
        ((x, _OKABE_ITO[0], "from"), (y, _OKABE_ITO[1], "to"))
    ):
        sizes = area if masses is None else 1.5 * area * masses[k] / masses[k].mean()
        ax.scatter(*points.T, s=sizes, color=colour, linewidths=0, zorder=2 + k, label=name)
    low, high = both.min(axis=0), both.max(axis=0)
    margin = 0.05 * max(float((high - low).max()), np.finfo(np.float64).tiny)
    _frame(ax, np.array([low - margin, high + margin]))


def _name_clouds(ax: Axes) -> None:
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _exact_convergence(ax: Axes, history: np.ndarray, solution: Any) -> None:
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


def _sampled_convergence(ax: Axes, history: np.ndarray, solution: Any) -> None:
    samples, tv = history["samples"], history["residual"]
    shown = samples > 0
    samples, tv = samples[shown], tv[shown]
    colour = _OKABE_ITO[0]
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
        color=_OKABE_ITO[5],
        linewidth=1.0,
        linestyle=(0, (4, 3)),
        label=f"tolerance {solution.tol:g}",
    )


def _exact_masses(ax: Axes, places: np.ndarray, errors: np.ndarray, tol: float) -> None:
    _error_dots(ax, places, errors, _OKABE_ITO[0])
    for sign in (-1.0, 1.0):
        label = f"tolerance {tol:g}" if sign > 0 else None
        ax.axhline(
            sign * tol, color=_OKABE_ITO[5], linewidth=1.0, linestyle=(0, (4, 3)), label=label
        )
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
    colours = to_rgba_array([_OKABE_ITO[0], _OKABE_ITO[5]])
    width = float(np.clip(0.5 * _width(ax) / len(places), 0.4, 2.0))
    for colour, chosen in zip(colours, (~missed, missed), strict=True):
        # Opaque: where transparent strokes overlap, one would see how many there are in a path.
        _strokes(ax, places[chosen], ends[chosen], 0.4 * colour + 0.6, width)
    # Sites that no sample fell into stand at the bottom.
    _error_dots(ax, places, np.maximum(ratios, bottom), colours[missed.astype(int)])
    ax.axhline(1.0, color=_INK, linewidth=0.8)
    ax.set(ylim=(bottom, top), ylabel="measured mass / target mass")
    level = f"{100 * confidence:g} % interval"
    for colour, name in (
        (_OKABE_ITO[0], f"{level} holds the target: {np.count_nonzero(~missed)}"),
        (_OKABE_ITO[5], f"misses it: {np.count_nonzero(missed)}"),
    ):
        ax.plot([], [], "o-", color=colour, markersize=3, linewidth=1.0, label=name)


def _strokes(ax: Axes, places: np.ndarray, ends: np.ndarray, colour: Any, width: float) -> None:
    """Vertical strokes as one collection of a few long paths: a path for each takes minutes."""
    paths = []
    for start in range(0, len(places), _STROKES):
        part = slice(start, start + _STROKES)
        x = np.repeat(places[part], 2)
        codes = np.tile([Path.MOVETO, Path.LINETO], len(x) // 2)
        paths.append(Path(np.column_stack([x, ends[part].ravel()]), codes))
    strokes = PathCollection(paths, facecolors="none", edgecolors=[colour], linewidths=width)
    strokes.set_transform(ax.transData)
    strokes.set_rasterized(len(places) > _RASTER_FROM)
    ax.add_collection(strokes, autolim=False)


def _error_dots(ax: Axes, places: np.ndarray, values: np.ndarray, colour: Any) -> None:
    size = float(np.clip(2.0 * _width(ax) / len(places), 1.2, 3.5))
    ax.scatter(
        places, values, s=size**2, c=colour, linewidths=0, rasterized=len(places) > _RASTER_FROM
    )


def _width(ax: Axes) -> float:
    """Width of the axes in points (1/72 inch)."""
    return 72.0 * ax.figure.get_size_inches()[0] * ax.get_position().width


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
        classes = as_classes(values, n, "values", _MOST_INTEGERS)
        if classes is not None:
            self.classes, self.index = classes
            if len(self.classes) > _MOST_CLASSES:
                raise ValueError(
                    f"values must have at most {_MOST_CLASSES} classes, got {len(self.classes)}"
                )
            self.palette = to_rgba_array(class_colors(len(self.classes)))
            return
        array = np.asarray(values)
        # Numbers as objects; all else has been refused or is a class.
        self.values = as_vector(
            array.astype(float) if array.dtype == object else array, n, "values"
        )
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
        size = "small" if len(self.classes) <= _legend_rows(ax, "small") else "x-small"
        rows = _legend_rows(ax, size)
        named, rest = self._named(len(_LEGEND_LETTERS) * rows)
        columns = -(-(len(named) + (rest > 0)) // rows)
        handles = [
            Line2D([], [], linestyle="", marker="o", markersize=6, color=self.palette[k])
            for k in named
        ]
        labels = [_shortened(str(self.classes[k]), _LEGEND_LETTERS[columns - 1]) for k in named]
        if rest:
            handles.append(Line2D([], [], linestyle=""))
            labels.append(f"and {rest} more")
        ax.legend(
            handles,
            labels,
            title=self.label,
            loc="center left",
            bbox_to_anchor=(1.1 if hasattr(ax, "get_zlim") else 1.0, 0.5),
            ncols=columns,
            frameon=False,
            handletextpad=0.2,
            columnspacing=0.8,
            fontsize=size,
            title_fontsize="small",
        )

    def _named(self, most: int) -> tuple[np.ndarray, int]:
        """The classes that a legend of so many entries names, and how many others there are."""
        count = len(self.classes)
        if count <= most:
            return np.arange(count), 0
        sizes = np.bincount(self.index, minlength=count)
        largest = np.argsort(-sizes, kind="stable")[: most - 1]
        return np.sort(largest), count - len(largest)


def _legend_rows(ax: Axes, size: str) -> int:
    """Entries of a legend below each other that are not higher than the axes."""
    height = 72.0 * ax.figure.get_size_inches()[1] * ax.get_position().height
    entry = 1.5 * FontProperties(size=size).get_size_in_points()
    return max(int(height / entry) - 1, 4)


def _shortened(name: str, letters: int) -> str:
    # A leading underscore would hide the entry.
    name = " ".join(name.split()).lstrip("_") or name
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "\u2026"


def _flattened(sites: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """Sites as points of the plane, and what its axes are."""
    d = sites.shape[1]
    if d == 1:
        return np.column_stack([sites[:, 0], masses]), ("$y$", "mass")
    if d == 2:
        return sites, ("$y_1$", "$y_2$")
    centred = sites - masses @ sites
    values, vectors = np.linalg.eigh((centred * masses[:, None]).T @ centred)
    axes = vectors[:, -1:-3:-1]
    # A component's sign is arbitrary: let its largest coefficient be positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    shares = 100.0 * values[-1:-3:-1] / (values.sum() or 1.0)
    names = [f"principal component {k} ({share:.0f} %)" for k, share in enumerate(shares, 1)]
    return centred @ axes, (names[0], names[1])


def _as_diagram(thing: Any, name: str = "diagram") -> PowerDiagram:
    """Return the diagram of a solution or a diagram, which has cells to be drawn."""
    _check_plane(thing, name)
    return thing if hasattr(thing, "cells") else thing.diagram()


def _check_plane(thing: Any, name: str) -> None:
    if not hasattr(thing, "sites"):
        raise TypeError(f"{name} must be a PowerDiagram or a Solution, got {type(thing).__name__}")
    dim = thing.sites.shape[1]
    if dim != 2:
        raise ValueError(
            f"{name} must lie in the plane for its cells to be drawn, got {dim} dimension(s)"
        )


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


def _drawn(diagram: PowerDiagram) -> np.ndarray:
    """Which cells have a polygon: those that are neither empty nor too small for float64."""
    return np.diff(diagram.cells.offsets) > 0


def _split(vertices: np.ndarray, offsets: np.ndarray, shown: np.ndarray) -> list[np.ndarray]:
    """The polygons of the cells that are shown."""
    return [vertices[offsets[i] : offsets[i + 1]] for i in np.flatnonzero(shown)]


def _cells(diagram: PowerDiagram, pitch: float, *, filled: bool, edges: bool) -> PolyCollection:
    cells = diagram.cells
    polygons = _split(cells.vertices, cells.offsets, _drawn(diagram))
    width = min(0.7, 0.04 * pitch)
    collection = PolyCollection(polygons, facecolor=_PLAIN_FACE, linewidth=width)
    if not edges or (filled and width < 0.1):
        # Borders in the cells' own colours close the hairlines that antialiasing leaves.
        collection.set(edgecolor="face", linewidth=0.25)
    else:
        collection.set_edgecolor("white" if filled else _PLAIN_EDGE)
    collection.set_rasterized(len(polygons) > _RASTER_FROM)
    return collection


def _coloured_cells(ax: Axes, diagram: PowerDiagram, colours: np.ndarray, *, pale: bool) -> None:
    collection = _cells(diagram, _pitch(ax, len(diagram.masses)), filled=True, edges=True)
    faces = colours[_drawn(diagram)]
    if pale:
        # Samples of the same colour stand out on paler cells.
        faces[:, :3] = 0.45 * faces[:, :3] + 0.55
    collection.set_facecolor(faces)
    ax.add_collection(collection, autolim=False)


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
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or 0 in array.shape:
        raise ValueError(
            "images must have shape (n, height, width) or (n, channels, height, width), "
            f"got {array.shape}"
        )
    if array.shape[1] not in _CHANNELS:
        raise ValueError(f"images must have 1, 3 or 4 channels, got {array.shape[1]}")
    return array[:, :3]
