"""Marks: cells, dots, strokes, links and names; what has many parts is rasterised."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from geomot.diagram import PowerDiagram
from geomot.plotting._axes import axes_size, ink, paper, shade
from geomot.sources import UniformBox

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    from geomot.diagram import Cells

__all__ = [
    "EDGE",
    "cell_collection",
    "cell_polygons",
    "domain_path",
    "drawn_box",
    "drawn_diagram",
    "dot_area",
    "draw_copies",
    "draw_dots",
    "draw_links",
    "draw_outline",
    "draw_strokes",
    "drawn_cells",
    "free_edges",
    "in_box",
    "polygon_owners",
    "rasterise",
    "scatter_dots",
    "split_cells",
    "write_names",
]

EDGE = "#7F97AD"
_FACE = "#B9CCDE"

# Opacity of the copies of cells on a torus.
_FADED = 0.3

# What a vector file pays for an artist's part and for each of its corners, in bytes of svg, and
# from which total on the artist is stored as pixels in svg and pdf files instead.
_PART_BYTES = 130
_CORNER_BYTES = 22
_VECTOR_BYTES = 400_000

# Of a source without a border, what lies this many deviations about the mean is drawn.
_DRAWN_DEVIATIONS = 4.0

# Diameter of dots that have room for a rim.
_ROOM_FOR_RIM = 2.0

# How far beyond the cells copies are drawn, in their extent: more than the margins of axes.
_BEYOND = 0.1

# Strokes in one path; far longer paths exceed what the Agg renderer can hold.
_STROKES = 500

# Parts of an edge that is straight in data and bent on logarithmic axes.
_BENT = 16

# Points between a name and its dot.
_GAP = 2.5

# Lines keep names off as squares of so many points along them.
_LINE_STEP = 3.0

# Where a name may stand, from its point, in units of the distance and of its own size.
_PLACES = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8), (-0.8, -0.8))


def rasterise(artist: Any, parts: int, corners: int) -> None:
    """Store an artist as pixels in vector files where its paths would take more room."""
    artist.set_rasterized(parts * _PART_BYTES + corners * _CORNER_BYTES > _VECTOR_BYTES)


def free_edges(artist: Any) -> None:
    """Let margins stay around an artist that would have the limits end with it."""
    artist.sticky_edges.x.clear()
    artist.sticky_edges.y.clear()


def drawn_box(source: Any) -> np.ndarray:
    """Lower and upper corner of what is drawn of a source in the plane, with most of its mass."""
    if np.isfinite(source.bounds).all():
        return source.bounds
    reach = _DRAWN_DEVIATIONS * np.sqrt(np.diag(source.covariance))
    return np.array([source.mean - reach, source.mean + reach])


def drawn_diagram(diagram: PowerDiagram) -> PowerDiagram:
    """The diagram with cells that end where they are no longer drawn; its masses are others."""
    if np.isfinite(diagram.source.bounds).all():
        return diagram
    box = UniformBox(*drawn_box(diagram.source))
    return PowerDiagram(diagram.sites, diagram.weights_exact, box)


def in_box(diagram: PowerDiagram) -> PowerDiagram:
    """The diagram; on a torus with the copies of sites and cells that are in the box."""
    torus = diagram.source.periodic_domain
    if torus is None:
        return diagram
    inside = torus.nearest(diagram.sites, diagram.source.bounds.mean(axis=0))
    if (inside == diagram.sites).all():
        return diagram
    return PowerDiagram(inside, diagram.weights_exact, diagram.source)


def _periodic_copies(diagram: PowerDiagram) -> tuple[list[np.ndarray], np.ndarray]:
    """Copies of the cells on a torus that lie where cells are drawn, and whose they are."""
    torus = diagram.source.periodic_domain
    cells = diagram.cells
    if torus is None or len(cells.vertices) == 0:
        return [], np.zeros(0, np.int64)
    low, high = cells.vertices.min(axis=0), cells.vertices.max(axis=0)
    low, high = low - _BEYOND * (high - low), high + _BEYOND * (high - low)
    periods = np.where(torus.periodic, torus.periods, 0.0)
    polygons = split_cells(cells.vertices, cells.offsets)
    found, owners = [], []
    for steps in itertools.product(*[(-1, 0, 1) if joined else (0,) for joined in torus.periodic]):
        for polygon, owner in zip(polygons, polygon_owners(cells), strict=True):
            moved = polygon + steps * periods
            if any(steps) and (moved.max(axis=0) > low).all() and (moved.min(axis=0) < high).all():
                found.append(moved)
                owners.append(owner)
    return found, np.array(owners, np.int64)


def drawn_cells(diagram: PowerDiagram) -> np.ndarray:
    """Which cells have a polygon: those that are neither empty nor too small for float64."""
    cells = diagram.cells
    return np.diff(cells.offsets[cells.parts]) > 0


def split_cells(vertices: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """The polygons that have corners."""
    return [vertices[a:b] for a, b in zip(offsets[:-1], offsets[1:], strict=True) if a < b]


def polygon_owners(cells: Cells) -> np.ndarray:
    """The site of each polygon that has corners."""
    owner = np.repeat(np.arange(len(cells)), np.diff(cells.parts))
    return owner[np.diff(cells.offsets) > 0]


def cell_polygons(ax: Axes, diagram: PowerDiagram) -> list[np.ndarray] | list[Path]:
    """The cells that are drawn; with more corners where the axes bend straight edges.

    Polygons, or paths of several rings on a domain that is not convex.
    """
    cells = diagram.cells
    straight = ax.get_xscale() == ax.get_yscale() == "linear"
    if cells.convex:
        polygons = split_cells(cells.vertices, cells.offsets)
        return polygons if straight else [_subdivided(polygon) for polygon in polygons]
    outlines = [cells.outlines(i) for i in np.flatnonzero(drawn_cells(diagram))]
    if not straight:
        outlines = [[_subdivided(ring) for ring in rings] for rings in outlines]
    return [_path(rings) for rings in outlines]


def _subdivided(polygon: np.ndarray) -> np.ndarray:
    t = np.arange(_BENT)[None, :, None] / _BENT
    ends = np.roll(polygon, -1, axis=0)
    return ((1.0 - t) * polygon[:, None] + t * ends[:, None]).reshape(-1, 2)


def cell_collection(
    ax: Axes, polygons: Sequence[Any], pitch: float, *, filled: bool, edges: bool
) -> PolyCollection | PathCollection:
    """The cells as one collection, in the colours of plain cells."""
    width = min(0.7, 0.04 * pitch)
    paths = len(polygons) > 0 and isinstance(polygons[0], Path)
    kind = PathCollection if paths else PolyCollection
    collection = kind(polygons, facecolor=shade(ax, _FACE, 0.3), linewidth=width)
    if not edges or (filled and width < 0.1):
        # Borders in the cells' own colours close the hairlines that antialiasing leaves.
        collection.set(edgecolor="face", linewidth=0.25)
    else:
        collection.set_edgecolor(paper(ax) if filled else EDGE)
    corners = (len(p.vertices if paths else p) for p in polygons)
    rasterise(collection, len(polygons), sum(corners))
    return collection


def draw_copies(
    ax: Axes, diagram: PowerDiagram, pitch: float, colours: Any, edges: bool, settings: Any
) -> dict[str, Any]:
    """Draw the copies of cells on a torus, faded: an artist, if there are any."""
    copies, owners = _periodic_copies(diagram)
    if not copies:
        return {}
    faded = cell_collection(ax, copies, pitch, filled=colours is not None, edges=edges)
    if colours is not None:
        colours.paint(faded, owners, edges=edges)
    faded.set(**{**settings, "alpha": _FADED})
    ax.add_collection(faded, autolim=False)
    return {"copies": faded}


def dot_area(pitch: float) -> float:
    """Area, in square points, of a dot that leaves most of its cell free."""
    return min(3.2, max(0.28 * pitch, 0.35)) ** 2


def draw_dots(ax: Axes, points: np.ndarray, pitch: float, **kwargs: Any) -> Line2D:
    """Draw points in one colour and size: markers of one line, of which files hold one path."""
    size = kwargs.pop("markersize", dot_area(pitch) ** 0.5)
    settings = {"color": ink(ax), "marker": "o", "markeredgewidth": 0.0, **kwargs}
    if kwargs.get("marker", "o") == "o" and size >= _ROOM_FOR_RIM:
        # Seen on dark cells as well.
        settings = {"markeredgecolor": paper(ax), **settings, "markeredgewidth": 0.4}
    (dots,) = ax.plot(*points.T, linestyle="", markersize=size, **settings)
    rasterise(dots, len(points), 0)
    return dots


def scatter_dots(ax: Axes, points: np.ndarray, areas: Any, **kwargs: Any) -> PathCollection:
    """Draw points of several colours or sizes; equal sizes are one path."""
    sizes = np.ravel(areas)
    one = len(sizes) == 0 or bool((sizes == sizes[0]).all())
    dots = ax.scatter(*points.T, s=sizes[:1] if one and len(sizes) else sizes, **kwargs)
    rasterise(dots, len(points), 0 if one else 18 * len(points))
    return dots


def draw_strokes(
    ax: Axes, places: np.ndarray, ends: np.ndarray, colour: Any, width: float
) -> PathCollection:
    """Vertical strokes as one collection of a few long paths: a path for each takes minutes."""
    paths = []
    for start in range(0, len(places), _STROKES):
        part = slice(start, start + _STROKES)
        x = np.repeat(places[part], 2)
        codes = np.tile([Path.MOVETO, Path.LINETO], len(x) // 2)
        paths.append(Path(np.column_stack([x, ends[part].ravel()]), codes))
    strokes = PathCollection(paths, facecolors="none", edgecolors=[colour], linewidths=width)
    strokes.set_transform(ax.transData)
    rasterise(strokes, len(paths), 2 * len(places))
    ax.add_collection(strokes, autolim=False)
    return strokes


def draw_links(ax: Axes, starts: np.ndarray, ends: np.ndarray, pitch: float) -> LineCollection:
    """Thin lines from sites to the centroids of their cells."""
    lines = LineCollection(
        np.stack([starts, ends], axis=1),
        colors=ink(ax),
        linewidths=min(0.7, 0.05 * pitch),
        path_effects=[withStroke(linewidth=min(1.7, 0.12 * pitch), foreground=paper(ax))],
        zorder=1.8,
    )
    rasterise(lines, len(starts), 2 * len(starts))
    ax.add_collection(lines, autolim=False)
    return lines


def domain_path(source: Any) -> Path:
    """The border of a domain in the plane as one path."""
    return _path(_outlines(source))


def _outlines(source: Any) -> list[np.ndarray]:
    """The closed curves around a domain; of a source without a border, around what is drawn."""
    if np.isfinite(source.bounds).all():
        return source.domain.outlines
    return [UniformBox(*drawn_box(source)).polygon]


def _path(rings: Sequence[np.ndarray]) -> Path:
    """Closed rings as one path; those around holes run the other way."""
    rings = [np.vstack([ring, ring[:1]]) for ring in rings]
    codes = [
        np.repeat([Path.MOVETO, Path.LINETO, Path.CLOSEPOLY], [1, len(ring) - 2, 1])
        for ring in rings
    ]
    return Path(np.concatenate(rings), np.concatenate(codes))


def draw_outline(ax: Axes, source: Any) -> PathPatch:
    """Draw the border of an exact source in the plane; not seen, of one that has none."""
    rings = _outlines(source)
    if not ax.get_xscale() == ax.get_yscale() == "linear":
        rings = [_subdivided(ring) for ring in rings]
    path = _path(rings)
    colour = ink(ax) if np.isfinite(source.bounds).all() else "none"
    patch = PathPatch(path, fill=False, edgecolor=colour, linewidth=0.8)
    ax.add_patch(patch)
    return patch


def write_names(
    ax: Axes,
    points: np.ndarray,
    names: Sequence[str],
    size: Any = "x-small",
    letters: int | None = None,
    lines: LineCollection | None = None,
) -> list[Text]:
    """Write names beside points, each on the side where it covers least of points, names and lines.

    As wide as their letters, or this many: commands of formulas are not letters.
    """
    ax.autoscale_view()
    height = FontProperties(size=size).get_size_in_points()
    places = ax.transData.transform(points) * (72.0 / ax.figure.dpi)
    low = ax.transAxes.transform((0.0, 0.0)) * (72.0 / ax.figure.dpi)
    room = np.array([low, low + axes_size(ax)])
    halo = [withStroke(linewidth=1.6, foreground=paper(ax))]
    taken = [np.array([place - 2.0, place + 2.0]) for place in places]
    for segment in [] if lines is None else lines.get_segments():
        start, end = ax.transData.transform(segment) * (72.0 / ax.figure.dpi)
        steps = 2 + int(np.linalg.norm(end - start) / _LINE_STEP)
        spots = np.linspace(start, end, steps)
        taken += [np.array([spot - 0.5 * _LINE_STEP, spot + 0.5 * _LINE_STEP]) for spot in spots]
    texts = []
    for point, place, name in zip(points, places, names, strict=True):
        if not name:
            continue
        extent = np.array(
            [0.56 * height * (len(name) if letters is None else letters), 1.05 * height]
        )
        boxes = [_box(place, np.array(side), extent) for side in _PLACES]
        costs = [_covered(box, taken, room) for box in boxes]
        best = int(np.argmin(costs))
        taken.append(boxes[best])
        # Anchored on the side of the point: the width of the letters is only estimated.
        side = int(np.sign(_PLACES[best][0]))
        across = _GAP * _PLACES[best][0]
        upwards = boxes[best].mean(axis=0)[1] - place[1]
        texts.append(
            ax.annotate(
                name,
                point,
                xytext=(across, upwards),
                textcoords="offset points",
                ha=("center", "left", "right")[side],
                va="center",
                fontsize=size,
                color=ink(ax),
                path_effects=halo,
                annotation_clip=True,
                zorder=4,
            )
        )
    return texts


def _box(place: np.ndarray, side: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """Corners of a name on one side of its point."""
    middle = place + side * (_GAP + 0.5 * extent)
    return np.array([middle - 0.5 * extent, middle + 0.5 * extent])


def _covered(box: np.ndarray, taken: list[np.ndarray], room: np.ndarray) -> float:
    """Area that a name shares with others, and that lies outside the axes."""
    others = np.array(taken)
    sides = np.minimum(box[1], others[:, 1]) - np.maximum(box[0], others[:, 0])
    inside = np.clip(np.minimum(box[1], room[1]) - np.maximum(box[0], room[0]), 0.0, None)
    outside = np.prod(box[1] - box[0]) - np.prod(inside)
    return float(np.prod(np.clip(sides, 0.0, None), axis=1).sum() + 4.0 * outside)
