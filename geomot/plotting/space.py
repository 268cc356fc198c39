"""Power diagrams in space: their cells, and plane cuts through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgba

from geomot._double_double import negate, plus, two_product, two_sum
from geomot._validation import as_real
from geomot.diagram import PowerDiagram
from geomot.plotting._axes import frame, new_axes, paper, site_pitch
from geomot.plotting._classes import Colours
from geomot.plotting._drawing import Drawing
from geomot.plotting._inputs import as_diagram
from geomot.plotting._marks import (
    cell_collection,
    cell_polygons,
    draw_copies,
    draw_outline,
    drawn_cells,
    in_box,
)
from geomot.plotting._solids import add_polygons, axes_in_space, quiet_walls, shaded
from geomot.sources import UniformBox, UniformPolygon

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.brenier import BrenierMap
    from geomot.solution import Solution

__all__ = ["EXPLODED", "MOST_SOLIDS", "planar_cut", "solid_cells"]

# Cells that are drawn as polyhedra by default, and how far apart; more are cut.
MOST_SOLIDS = 100
EXPLODED = 0.3

# Of cells without values.
_FACE = "#9DBAD5"

_NAMES = "$x_1$", "$x_2$", "$x_3$"


def solid_cells(
    diagram: PowerDiagram | Solution | BrenierMap,
    values: Any = None,
    *,
    explode: float = 0.0,
    shown: Any = None,
    cmap: Any = "viridis",
    norm: Any = None,
    label: str | None = None,
    legend: bool = True,
    ax: Any = None,
    **kwargs: Any,
) -> Drawing:
    """Draw the cells of a power diagram in space as polyhedra.

    Parameters
    ----------
    diagram : PowerDiagram, Solution or BrenierMap
        What to draw.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        What colours the cells, as in `power_diagram`.
    explode : float, default 0
        By how much cells move away from the middle, as a share of their distance to it.
    shown : array_like of shape (n,), bool, optional
        Which cells to draw, as for a block that is cut open; None: all.
    cmap, norm, label, legend : optional
        As in `power_diagram`.
    ax : Axes3D, optional
        Where to draw; None makes a figure.
    **kwargs
        Settings of the faces, a `mpl_toolkits.mplot3d.art3d.Poly3DCollection`. With an ``alpha``
        below 1 the faces between cells are drawn as well.

    Returns
    -------
    Drawing
        Artists cells, and those that were drawn of legend, colorbar.

    Raises
    ------
    ValueError
        If the diagram is not in space, or an argument is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import PowerDiagram, plotting
    >>> diagram = PowerDiagram(np.random.default_rng(0).random((20, 3)))
    >>> list(plotting.solid_cells(diagram, "masses", explode=0.3))
    ['cells', 'colorbar']
    """
    diagram = as_diagram(diagram, dims=(3,))
    n = len(diagram)
    if not as_real(explode, "explode") >= 0.0:
        raise ValueError(f"explode must not be negative, got {explode}")
    visible = np.ones(n, dtype=bool) if shown is None else np.asarray(shown)
    if visible.shape != (n,) or visible.dtype != bool:
        raise ValueError(
            f"shown must be booleans of shape ({n},), got {visible.dtype} of shape {visible.shape}"
        )
    cells: Any = diagram.cells
    owner = np.repeat(np.arange(n), np.diff(cells.offsets))
    chosen = visible[owner]
    if explode == 0.0 and not kwargs.get("alpha", 1.0) < 1.0:
        # faces towards a cell that is drawn are hidden
        across = cells.labels
        hidden = (across >= 0) & visible[np.maximum(across, 0)]
        if diagram.source.periodic_domain is not None:
            hidden &= _shared_faces(cells)
        chosen &= ~hidden
    faces = np.flatnonzero(chosen)
    corners = np.split(cells.vertices[cells.indices], cells.face_offsets[1:-1])
    middle = diagram.source.bounds.mean(axis=0)
    shifts = explode * (np.nan_to_num(diagram.centroids) - middle)
    polygons = [corners[f] + shifts[owner[f]] for f in faces]
    colours = None
    if values is None:
        face = np.tile(to_rgba(_FACE), (len(faces), 1))
    else:
        colours = Colours(diagram, values, cmap, norm, label)
        face = colours.rgba(owner[faces])
    ax = axes_in_space(ax)
    settings = {
        "facecolors": shaded(face, _normals(polygons)),
        "edgecolors": paper(ax),
        "linewidths": 0.3 if len(faces) < 3000 else 0.1,
        **kwargs,
    }
    bounds = middle + (1.0 + explode) * (diagram.source.bounds - middle)
    artists: dict[str, Any] = {"cells": add_polygons(ax, polygons, settings, bounds)}
    quiet_walls(ax, _NAMES)
    if colours is None:
        return Drawing(ax, artists)
    if legend:
        artists |= colours.explain(ax, None)
    return Drawing(ax, artists, colours.legend_elements())


def planar_cut(
    diagram: PowerDiagram | Solution | BrenierMap,
    values: Any = None,
    *,
    axis: int = 2,
    position: float | None = None,
    edges: bool = True,
    cmap: Any = "viridis",
    norm: Any = None,
    label: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw the cut of a plane across one axis through a power diagram in space.

    The cut is a power diagram too, of the sites moved into the plane with weights less their
    squared distances from it: fast and exact for any number of cells. Of a periodic box it is drawn
    with faded copies of the cells at its border, as by `power_diagram`.

    Parameters
    ----------
    diagram : PowerDiagram, Solution or BrenierMap
        What to cut.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        What colours the cells, as in `power_diagram`: of the cells in space, not of their cuts.
    axis : {0, 1, 2}, default 2
        The axis that the plane is orthogonal to.
    position : float, optional
        The plane's coordinate on this axis; None: the middle of the domain.
    edges : bool, default True
        Draw the borders of the cells; they fade where there are too many to be seen.
    cmap, norm, label, legend : optional
        As in `power_diagram`.
    ax : Axes, optional
        Where to draw; None makes a figure.
    **kwargs
        Settings of the cells, a `matplotlib.collections.PolyCollection`.

    Returns
    -------
    Drawing
        Artists cells, outline, and those that were drawn of copies, legend, colorbar.

    Raises
    ------
    ValueError
        If the diagram is not in space, the plane misses the domain, or an argument is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import PowerDiagram, plotting
    >>> diagram = PowerDiagram(np.random.default_rng(0).random((1000, 3)))
    >>> drawing = plotting.planar_cut(diagram, "masses", axis=0, position=0.25)
    >>> drawing.axes.get_xlabel(), drawing.axes.get_ylabel()
    ('$x_2$', '$x_3$')
    """
    diagram = as_diagram(diagram, dims=(3,))
    if axis not in (0, 1, 2):
        raise ValueError(f"axis must be 0, 1 or 2, got {axis!r}")
    low, high = diagram.source.bounds[:, axis]
    place = 0.5 * (low + high) if position is None else as_real(position, "position")
    if not low < place < high:
        raise ValueError(f"position must lie between {low:g} and {high:g}, got {place:g}")
    cut = in_box(_cut(diagram, axis, place))
    first, second = (k for k in range(3) if k != axis)
    bounds = cut.source.bounds
    ax = new_axes(bounds, bar=legend and values is not None) if ax is None else ax
    frame(ax, bounds, (_NAMES[first], _NAMES[second]))
    pitch = site_pitch(ax, int(np.count_nonzero(cut.masses)))
    cells = cell_collection(
        ax, cell_polygons(ax, cut), pitch, filled=values is not None, edges=edges
    )
    colours = None
    if values is not None:
        colours = Colours(diagram, values, cmap, norm, label)
        colours.paint(cells, drawn_cells(cut), edges=edges)
    cells.set(**kwargs)
    ax.add_collection(cells)
    artists = {"cells": cells, "outline": draw_outline(ax, cut.source)}
    artists |= draw_copies(ax, cut, pitch, colours, edges, kwargs)
    ax.autoscale_view()
    if colours is None:
        return Drawing(ax, artists)
    if legend:
        artists |= colours.explain(ax, cells)
    return Drawing(ax, artists, colours.legend_elements())


def _cut(diagram: PowerDiagram, axis: int, place: float) -> PowerDiagram:
    """The diagram in a plane."""
    torus = diagram.source.periodic_domain
    at = diagram.sites[:, axis]
    if torus is not None:
        # the heaviest of all copies that fall on one place in the plane is the nearest one
        at = torus.nearest(diagram.sites, np.full_like(diagram.sites, place))[:, axis]
    away, rest = two_sum(at, np.full(len(diagram), -place))
    square = plus(two_product(away, away), two_product(2.0 * away, rest))
    hi, lo = (np.ascontiguousarray(w) for w in diagram.weights_exact.T)
    weights = np.column_stack(plus((hi, lo), negate(square)))
    kept = [k for k in range(3) if k != axis]
    sites = np.ascontiguousarray(diagram.sites[:, kept])
    if torus is not None:
        box = UniformBox(torus.lower[kept], torus.upper[kept], torus.periodic[kept])
        return PowerDiagram(sites, weights, box)
    # the domain's edges that the plane crosses
    domain: Any = diagram.source.domain
    whole: Any = PowerDiagram(domain.bounds[:1], None, diagram.source).cells[0]
    ends = np.concatenate([np.column_stack([face, np.roll(face, -1)]) for face in whole.faces])
    a, b = (whole.vertices[rows] for rows in ends[ends[:, 0] < ends[:, 1]].T)
    crossed = (a[:, axis] - place) * (b[:, axis] - place) <= 0.0
    crossed &= a[:, axis] != b[:, axis]
    a, b = a[crossed], b[crossed]
    share = ((place - a[:, axis]) / (b[:, axis] - a[:, axis]))[:, None]
    corners = np.where(share < 1.0, a + share * (b - a), b)[:, kept]
    return PowerDiagram(sites, weights, UniformPolygon.hull(corners))


def _shared_faces(cells: Any) -> np.ndarray:
    """Which faces two cells share where they are: on a torus a neighbour may be a copy."""
    first: dict[tuple[int, ...], int] = {}
    shared = np.zeros(len(cells.labels), dtype=bool)
    for f, corners in enumerate(np.split(cells.indices, cells.face_offsets[1:-1])):
        other = first.setdefault(tuple(np.sort(corners).tolist()), f)
        shared[[f, other]] |= f != other
    return shared


def _normals(polygons: list[np.ndarray]) -> np.ndarray:
    """Unit normals of polygons that are counter-clockwise seen from outside."""
    normals = np.zeros((len(polygons), 3))
    for k, p in enumerate(polygons):
        edges = p[1:] - p[0]
        normals[k] = np.cross(edges[:-1], edges[1:]).sum(axis=0)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.where(lengths > 0.0, lengths, 1.0)
