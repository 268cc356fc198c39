"""What all figures share: colours, axes, sizes of marks, cells as collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Polygon
from matplotlib.path import Path

from geomot.diagram import PowerDiagram
from geomot.sources import UniformBox

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "DUAL",
    "INK",
    "PLAIN_EDGE",
    "RASTER_FROM",
    "add_colorbar",
    "as_diagram",
    "axes_width",
    "cell_collection",
    "check_plane",
    "dot_area",
    "draw_dots",
    "draw_strokes",
    "drawn_box",
    "drawn_cells",
    "drawn_diagram",
    "flat_norm",
    "new_axes",
    "set_frame",
    "site_pitch",
    "source_outline",
    "split_cells",
]


INK = "#222222"
_PLAIN_FACE = "#EAF0F6"
PLAIN_EDGE = "#7F97AD"
DUAL = "#D55E00"
# Collections with more parts than this are stored as pixels inside svg and pdf files, which
# viewers would otherwise draw for minutes.
RASTER_FROM = 10_000
# Of a source without a border, what lies this many deviations about the mean is drawn.
DRAWN_DEVIATIONS = 4.0
# Strokes in one path; far longer paths exceed what the Agg renderer can hold.
_STROKES = 500


def draw_strokes(ax: Axes, places: np.ndarray, ends: np.ndarray, colour: Any, width: float) -> None:
    """Vertical strokes as one collection of a few long paths: a path for each takes minutes."""
    paths = []
    for start in range(0, len(places), _STROKES):
        part = slice(start, start + _STROKES)
        x = np.repeat(places[part], 2)
        codes = np.tile([Path.MOVETO, Path.LINETO], len(x) // 2)
        paths.append(Path(np.column_stack([x, ends[part].ravel()]), codes))
    strokes = PathCollection(paths, facecolors="none", edgecolors=[colour], linewidths=width)
    strokes.set_transform(ax.transData)
    strokes.set_rasterized(len(places) > RASTER_FROM)
    ax.add_collection(strokes, autolim=False)


def axes_width(ax: Axes) -> float:
    """Width of the axes in points (1/72 inch)."""
    return 72.0 * ax.figure.get_size_inches()[0] * ax.get_position().width


def as_diagram(thing: Any, name: str = "diagram") -> PowerDiagram:
    """Return the diagram of a solution or a diagram, which has cells to be drawn."""
    check_plane(thing, name)
    return thing if hasattr(thing, "cells") else thing.diagram()


def check_plane(thing: Any, name: str) -> None:
    """Refuse what has no diagram in the plane."""
    if not hasattr(thing, "sites"):
        raise TypeError(f"{name} must be a PowerDiagram or a Solution, got {type(thing).__name__}")
    dim = thing.sites.shape[1]
    if dim != 2:
        raise ValueError(
            f"{name} must lie in the plane for its cells to be drawn, got {dim} dimension(s)"
        )


def new_axes(columns: int = 1, projection: str | None = None) -> Any:
    """Axes of a new figure."""
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


def set_frame(ax: Axes, bounds: np.ndarray, labels: tuple[str, str] = ("$x_1$", "$x_2$")) -> None:
    """Limits around some bounds, with a margin, and labels."""
    low, high = bounds
    margin = 0.02 * (high - low).max()
    ax.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    ax.set_aspect("equal")
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=2.5, color="#888888")
    ax.locator_params(nbins=5)


def drawn_box(source: Any) -> np.ndarray:
    """Lower and upper corner of what is drawn of a source in the plane, with most of its mass."""
    if np.isfinite(source.bounds).all():
        return source.bounds
    reach = DRAWN_DEVIATIONS * np.sqrt(np.diag(source.covariance))
    return np.array([source.mean - reach, source.mean + reach])


def drawn_diagram(diagram: PowerDiagram) -> PowerDiagram:
    """The diagram with cells that end where they are no longer drawn; its masses are others."""
    if np.isfinite(diagram.source.bounds).all():
        return diagram
    return PowerDiagram(
        diagram.sites, diagram.weights_exact, UniformBox(*drawn_box(diagram.source))
    )


def site_pitch(ax: Axes, n: int) -> float:
    """Points (1/72 inch) between neighbours if n items filled the axes evenly."""
    width, height = ax.figure.get_size_inches() * (ax.get_position().width, 1.0)
    height *= ax.get_position().height
    return 72.0 * min(width, height) / max(n, 1) ** 0.5


def dot_area(pitch: float) -> float:
    """Area, in square points, of a dot that leaves most of its cell free."""
    return min(3.2, max(0.28 * pitch, 0.35)) ** 2


def drawn_cells(diagram: PowerDiagram) -> np.ndarray:
    """Which cells have a polygon: those that are neither empty nor too small for float64."""
    return np.diff(diagram.cells.offsets) > 0


def split_cells(vertices: np.ndarray, offsets: np.ndarray, shown: np.ndarray) -> list[np.ndarray]:
    """The polygons of the cells that are shown."""
    return [vertices[offsets[i] : offsets[i + 1]] for i in np.flatnonzero(shown)]


def cell_collection(
    diagram: PowerDiagram, pitch: float, *, filled: bool, edges: bool
) -> PolyCollection:
    """The cells as one collection."""
    cells = diagram.cells
    polygons = split_cells(cells.vertices, cells.offsets, drawn_cells(diagram))
    width = min(0.7, 0.04 * pitch)
    collection = PolyCollection(polygons, facecolor=_PLAIN_FACE, linewidth=width)
    if not edges or (filled and width < 0.1):
        # Borders in the cells' own colours close the hairlines that antialiasing leaves.
        collection.set(edgecolor="face", linewidth=0.25)
    else:
        collection.set_edgecolor("white" if filled else PLAIN_EDGE)
    collection.set_rasterized(len(polygons) > RASTER_FROM)
    return collection


def draw_dots(ax: Axes, points: np.ndarray, pitch: float, colour: Any) -> None:
    """Draw points, of a size that suits their number."""
    ax.scatter(
        *points.T,
        s=dot_area(pitch),
        color=colour,
        linewidths=0,
        rasterized=len(points) > RASTER_FROM,
    )


def source_outline(ax: Axes, source: Any) -> Polygon:
    """Draw the border of an exact source."""
    patch = Polygon(source.domain.vertices, closed=True, fill=False, edgecolor=INK, linewidth=0.8)
    ax.add_patch(patch)
    return patch


def add_colorbar(ax: Axes, mappable: Any, label: str) -> None:
    """A slim colour bar beside the axes."""
    pad = 0.1 if hasattr(ax, "get_zlim") else 0.02
    bar = ax.figure.colorbar(mappable, ax=ax, label=label, shrink=0.8, pad=pad, aspect=25)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2.5)


def flat_norm(values: np.ndarray) -> Normalize | None:
    """A scale for values that are equal up to rounding, which matplotlib would blow up."""
    if len(values) == 0:
        return None
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low > 1e-6 * size:
        return None
    return Normalize(low - 0.05 * (size or 1.0), high + 0.05 * (size or 1.0))
