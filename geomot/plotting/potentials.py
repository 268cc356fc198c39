"""Brenier potentials, as surfaces and as contours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LightSource
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from geomot import potentials
from geomot._validation import as_count
from geomot.plotting._classes import Colours
from geomot.plotting._style import (
    INK,
    RASTER_FROM,
    add_colorbar,
    as_diagram,
    cell_collection,
    drawn_box,
    drawn_cells,
    drawn_diagram,
    new_axes,
    set_frame,
    site_pitch,
    source_outline,
    split_cells,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.diagram import PowerDiagram
    from geomot.solution import Solution

__all__ = ["brenier_contours", "brenier_potential"]


_POTENTIAL = {False: r"$u(x)$", True: r"$u(x) - \langle x, \bar y\rangle$"}


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

    diagram = as_diagram(solution, "solution")
    ax = new_axes(projection="3d") if ax is None else ax
    if not hasattr(ax, "get_zlim"):
        raise ValueError('ax must be three-dimensional, made with projection="3d"')
    drawn = drawn_diagram(diagram)
    shown = drawn_cells(drawn)
    cells = drawn.cells
    owners = np.repeat(np.arange(len(cells)), np.diff(cells.offsets))
    heights = _potential(diagram, cells.vertices, owners, centered)
    lifted = split_cells(np.column_stack([cells.vertices, heights]), cells.offsets, shown)
    by_height = values is None
    if by_height:
        values = np.zeros(len(cells))
        values[shown] = [polygon[:, 2].mean() for polygon in lifted]
    colours = Colours(diagram, values, cmap, None, label)
    face = colours.rgba(shown)

    low, high = float(heights.min()), float(heights.max())
    height = (high - low) or 1.0
    floor = low - 0.5 * height if projection else low
    layers = [(lifted, _shade(diagram, face, shown))]
    if projection:
        flat = [np.column_stack([p[:, :2], np.full(len(p), floor)]) for p in lifted]
        layers.append((flat, face))
    width = min(0.4, 0.05 * site_pitch(ax, len(cells)))
    for polygons, colour in layers:
        # Where borders cannot be told apart, white ones would only wash out the facets.
        border = {"edgecolors": "white" if width > 0.1 else colour, "linewidths": max(width, 0.1)}
        layer = Poly3DCollection(polygons, facecolors=colour, **border)
        ax.add_collection3d(layer, autolim=False)
    for artist in ax.collections:
        artist.set_rasterized(len(lifted) > RASTER_FROM)
    (x0, y0), (x1, y1) = drawn_box(diagram.source)
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
    diagram = as_diagram(solution, "solution")
    resolution = as_count(resolution, "resolution", 2)
    ax = new_axes() if ax is None else ax
    low, high = box = drawn_box(diagram.source)
    size = high - low
    shape = np.maximum(2, np.rint(resolution * size / size.max())).astype(int)
    x, y = (np.linspace(low[k], high[k], shape[k]) for k in range(2))
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    u = _potential(diagram, points, diagram.locate(points), centered).reshape(len(y), len(x))
    set_frame(ax, box)
    outline = source_outline(ax, diagram.source)
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
        borders = cell_collection(diagram, site_pitch(ax, n), filled=False, edges=True)
        borders.set(facecolor="none", edgecolor=INK, alpha=0.35)
        ax.add_collection(borders, autolim=False)
    if legend:
        add_colorbar(ax, filled, _POTENTIAL[centered] if label is None else label)
    return ax


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
    polygon = drawn_diagram(diagram).source.domain.vertices
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
