"""Brenier potentials, as surfaces, contours and curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LightSource
from matplotlib.ticker import MaxNLocator

from geomot import potentials
from geomot._validation import as_count
from geomot.plotting._axes import (
    PLANE_AXES,
    add_colorbar,
    frame,
    ink,
    name_axes,
    new_axes,
    site_pitch,
)
from geomot.plotting._classes import Colours
from geomot.plotting._drawing import Drawing
from geomot.plotting._inputs import as_diagram, axis_names
from geomot.plotting._marks import (
    cell_collection,
    cell_polygons,
    domain_path,
    draw_outline,
    drawn_box,
    drawn_diagram,
    free_edges,
    polygon_owners,
    rasterise,
    split_cells,
)
from geomot.plotting._palette import BLUE
from geomot.plotting._profile import line_range
from geomot.plotting._solids import ROOM_FOR_LABELS, axes_in_space, quiet_walls
from geomot.sources import refuse_periodic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.brenier import BrenierMap
    from geomot.diagram import PowerDiagram
    from geomot.solution import Solution

__all__ = ["brenier_contours", "brenier_potential"]


_POTENTIAL = {False: r"$u(x)$", True: r"$u(x) - \langle x, \bar y\rangle$"}


def brenier_potential(
    solution: PowerDiagram | Solution | BrenierMap,
    values: Any = None,
    *,
    centered: bool = True,
    projection: bool = True,
    cmap: Any = "viridis",
    elevation: float | None = None,
    azimuth: float | None = None,
    label: str | None = None,
    legend: bool = True,
    ax: Any = None,
    **kwargs: Any,
) -> Drawing:
    """Draw the Brenier potential as a polyhedral surface over the diagram; on the line as a curve.

    The surface is u(x) = max_i (<x, y_i> + h_i): one plane facet over each cell, whose gradient
    is the site. With many cells (above some 5000) `brenier_contours` is faster and clearer.

    Parameters
    ----------
    solution : PowerDiagram, Solution or BrenierMap
        Cells and heights.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        What colours the facets, as in `power_diagram`; None: coloured by mean height, as on the
        vertical axis. Not for the line.
    centered : bool, default True
        Subtract the linear function <x, y>, y the mean of the sites by mass, whose slope would
        hide the shape of the surface. The axis says so.
    projection : bool, default True
        Draw the diagram below the surface, in the same colours.
    cmap : str or Colormap, default "viridis"
        Colours of numbers.
    elevation, azimuth : float, optional
        Direction of view in degrees; None keeps that of the axes.
    label : str, optional
        Title of the colour bar or legend.
    legend : bool, default True
        Whether to draw the colour bar or legend.
    ax : Axes3D, optional
        Where to draw; None makes a figure. Made by ``subplots(subplot_kw={"projection": "3d"})``;
        usual axes for the line.
    **kwargs
        Settings of the surface, a `mpl_toolkits.mplot3d.art3d.Poly3DCollection`, or of the curve,
        a `matplotlib.lines.Line2D`.

    Returns
    -------
    Drawing
        Artists surface, and those that were drawn of projection, legend, colorbar. On the line,
        curve.

    Raises
    ------
    ValueError
        If there are no cells to draw, or the axes are not three-dimensional.

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> solution = geomot.solve(np.random.default_rng(0).random((20, 2)))
    >>> drawing = plotting.brenier_potential(solution, alpha=0.9)
    >>> list(drawing), drawing.axes.get_xlabel()
    (['surface', 'projection'], '$x_1$')
    """
    diagram = as_diagram(solution, "solution", (1, 2))
    refuse_periodic(diagram.source, "graphs of potentials")
    if diagram.partial:
        raise ValueError("solution must not be of partial transport for graphs of potentials")
    if diagram.sites.shape[1] == 1:
        if values is not None:
            raise ValueError("values must be None on the line, where the potential is one curve")
        return _curve(diagram, centered, ax, kwargs)
    ax = axes_in_space(ax)
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    cells = drawn_diagram(diagram).cells
    shown = polygon_owners(cells)
    heights = _potential(diagram, cells.vertices, _owners(cells), centered)
    lifted = split_cells(np.column_stack([cells.vertices, heights]), cells.offsets)
    by_height = values is None
    if by_height:
        means = np.bincount(shown, [p[:, 2].mean() for p in lifted], len(cells))
        values = means / np.maximum(np.bincount(shown, minlength=len(cells)), 1)
    colours = Colours(diagram, values, cmap, None, label)
    face = colours.rgba(shown)

    low, high = float(heights.min()), float(heights.max())
    height = (high - low) or 1.0
    floor = low - 0.5 * height if projection else low
    layers = {"surface": (lifted, _shade(diagram, face, shown), kwargs)}
    if projection:
        flat = [np.column_stack([p[:, :2], np.full(len(p), floor)]) for p in lifted]
        layers["projection"] = (flat, face, {})
    width = min(0.4, 0.05 * site_pitch(ax, len(cells)))
    artists: dict[str, Any] = {}
    had_data = ax.has_data()
    for name, (polygons, colour, settings) in layers.items():
        # Where borders cannot be told apart, white ones would only wash out the facets.
        border = {"edgecolors": "white" if width > 0.1 else colour, "linewidths": max(width, 0.1)}
        artists[name] = Poly3DCollection(polygons, **{"facecolors": colour, **border, **settings})
        ax.add_collection3d(artists[name], autolim=False)
        rasterise(artists[name], len(polygons), len(cells.vertices))
    _frame_in_space(ax, np.column_stack([drawn_box(diagram.source), [floor, high]]), had_data)
    if not ax.get_zlabel():
        ax.set_zlabel(_POTENTIAL[centered])
    ax.view_init(
        ax.elev if elevation is None else elevation, ax.azim if azimuth is None else azimuth
    )
    if legend and not by_height:
        artists |= colours.explain(ax, None)
    return Drawing(ax, artists, ((), ()) if by_height else colours.legend_elements())


def _owners(cells: Any) -> np.ndarray:
    """The cell of each corner."""
    return np.repeat(np.arange(len(cells)), np.diff(cells.offsets[cells.parts]))


def _frame_in_space(ax: Any, bounds: np.ndarray, had_data: bool) -> None:
    """Make room for bounds, with equal scales along the domain, and quiet walls behind it."""
    ax.auto_scale_xyz(*bounds.T, had_data=had_data)
    if not had_data:
        x, y = np.diff([ax.get_xlim3d(), ax.get_ylim3d()], axis=1).ravel()
        ax.set_box_aspect((x, y, 0.85 * max(x, y)), zoom=ROOM_FOR_LABELS)
    quiet_walls(ax, ("$x_1$", "$x_2$"))


def _curve(
    diagram: PowerDiagram, centered: bool, ax: Axes | None, kwargs: dict[str, Any]
) -> Drawing:
    """The potential on the line, which is straight over each cell."""
    cells = diagram.cells
    x = np.clip(cells.vertices[:, 0], *line_range(diagram.source))
    u = _potential(diagram, x[:, None], _owners(cells), centered)
    order = np.argsort(x, kind="stable")
    ax = new_axes() if ax is None else ax
    (curve,) = ax.plot(x[order], u[order], **{"color": BLUE, **kwargs})
    rasterise(curve, 1, len(x))
    name_axes(ax, "$x$", _POTENTIAL[centered])
    return Drawing(ax, {"curve": curve})


def brenier_contours(
    solution: PowerDiagram | Solution | BrenierMap,
    *,
    centered: bool = True,
    levels: int | Sequence[float] = 16,
    resolution: int = 400,
    cells: bool | None = None,
    cmap: Any = "viridis",
    label: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw the Brenier potential as filled contours: fast for any number of cells.

    Parameters
    ----------
    solution : PowerDiagram, Solution or BrenierMap
        Cells and heights.
    centered : bool, default True
        Subtract the linear function <x, y>, y the mean of the sites by mass, whose slope would
        hide the shape of the potential. The colour bar says so.
    levels : int or sequence of float, default 16
        Number of contours, or their values.
    resolution : int, default 400
        Number of grid points along the longer side of the domain. The potential is evaluated
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
    **kwargs
        Settings of the filled contours, as for `matplotlib.axes.Axes.contourf`.

    Returns
    -------
    Drawing
        Artists filled and lines (contour sets), outline, and those that were drawn of cells and
        colorbar.

    Raises
    ------
    ValueError
        If there are no cells in the plane.

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> solution = geomot.solve(np.random.default_rng(0).random((20, 2)))
    >>> drawing = plotting.brenier_contours(solution, levels=[-0.1, 0.0, 0.1], legend=False)
    >>> bar = drawing.figure.colorbar(drawing.filled, orientation="horizontal")
    >>> drawing.filled.levels.tolist()
    [-0.1, 0.0, 0.1]
    """
    diagram = as_diagram(solution, "solution")
    refuse_periodic(diagram.source, "graphs of potentials")
    if diagram.partial:
        raise ValueError("solution must not be of partial transport for graphs of potentials")
    resolution = as_count(resolution, "resolution", 2)
    bounds = low, high = drawn_box(diagram.source)
    ax = new_axes(bounds, bar=legend) if ax is None else ax
    size = high - low
    shape = np.maximum(2, np.rint(resolution * size / size.max())).astype(int)
    x, y = (np.linspace(low[k], high[k], shape[k]) for k in range(2))
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    u = _potential(diagram, points, diagram.locate(points), centered).reshape(len(y), len(x))
    frame(ax, bounds, axis_names(solution, PLANE_AXES))
    outline = draw_outline(ax, diagram.source)
    if np.ndim(levels) == 0:
        levels = _levels(diagram, u, points, as_count(levels, "levels", 1), centered)
    filled = ax.contourf(x, y, u, **{"levels": levels, "cmap": cmap, **kwargs})
    # Without an edge in their own colour the bands show hairlines between them in vector files.
    filled.set_edgecolor("face")
    filled.set_linewidth(0.3)
    lines = ax.contour(
        x, y, u, levels=filled.levels, colors="white", linewidths=0.5, linestyles="solid"
    )
    for artist in (filled, lines):
        free_edges(artist)
        artist.set_clip_path(outline)
        corners = [len(path.vertices) for path in artist.get_paths()]
        rasterise(artist, len(corners), sum(corners))
    artists: dict[str, Any] = {"filled": filled, "lines": lines, "outline": outline}
    n = len(diagram.masses)
    if cells if cells is not None else n <= 3000:
        borders = cell_collection(
            ax,
            cell_polygons(ax, drawn_diagram(diagram)),
            site_pitch(ax, n),
            filled=False,
            edges=True,
        )
        borders.set(facecolor="none", edgecolor=ink(ax), alpha=0.35)
        artists["cells"] = ax.add_collection(borders, autolim=False)
    # Contours have let the limits shrink to themselves.
    ax.autoscale_view(tight=False)
    if legend:
        title = _POTENTIAL[centered] if label is None else label
        artists["colorbar"] = add_colorbar(ax, filled, title)
    return Drawing(ax, artists)


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
    path = domain_path(diagram.source)
    polygon = path.vertices
    # A convex function is greatest at a corner of the domain.
    corners = _potential(diagram, polygon, diagram.locate(polygon), centered)
    inside = u.ravel()[path.contains_points(points)]
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
