"""Power diagrams and their sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection

from geomot._moments import weighted_moments
from geomot.plotting._classes import Colours
from geomot.plotting._style import (
    DUAL,
    INK,
    RASTER_FROM,
    as_diagram,
    cell_collection,
    dot_area,
    draw_dots,
    drawn_box,
    drawn_cells,
    new_axes,
    set_frame,
    site_pitch,
    source_outline,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.diagram import PowerDiagram
    from geomot.solution import Solution

__all__ = ["coloured_cells", "power_diagram", "site_cloud"]


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
    diagram = as_diagram(diagram)
    ax = new_axes() if ax is None else ax
    n = len(diagram.masses)
    set_frame(ax, drawn_box(diagram.source))
    pitch = site_pitch(ax, n)
    collection = cell_collection(diagram, pitch, filled=values is not None, edges=edges)
    if values is not None:
        colours = Colours(diagram, values, cmap, norm, label)
        colours.paint(collection, drawn_cells(diagram), edges=edges)
        if legend:
            colours.explain(ax, collection)
    ax.add_collection(collection, autolim=False)
    if triangulation:
        ax.add_collection(_dual_edges(diagram, pitch), autolim=False)
    if sites:
        draw_dots(ax, diagram.sites, pitch, INK)
    source_outline(ax, diagram.source)
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
    ax = new_axes() if ax is None else ax
    points, labels = _flattened(diagram.sites, masses)
    if diagram.sites.shape[1] == 1:
        ax.set(xlabel=labels[0], ylabel=labels[1], ylim=(0.0, 1.1 * points[:, 1].max()))
        ax.spines[["top", "right"]].set_visible(False)
    else:
        low, high = points.min(axis=0), points.max(axis=0)
        if not (high > low).any():
            low, high = low - 0.5, high + 0.5
        set_frame(ax, np.array([low, high]), labels=labels)
    area = dot_area(site_pitch(ax, len(points)))
    dots = ax.scatter(
        *points.T,
        s=2.0 * area * np.clip(masses * len(points), 0.05, 25.0),
        color=None if values is not None else INK,
        linewidths=0,
        rasterized=len(points) > RASTER_FROM,
    )
    if values is not None:
        colours = Colours(diagram, values, cmap, norm, label)
        colours.paint(dots, slice(None), edges=False)
        if legend:
            colours.explain(ax, dots)
    return ax


def _flattened(sites: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """Sites as points of the plane, and what its axes are."""
    d = sites.shape[1]
    if d == 1:
        return np.column_stack([sites[:, 0], masses]), ("$y$", "mass")
    if d == 2:
        return sites, ("$y_1$", "$y_2$")
    mean, covariance = weighted_moments(sites, masses)
    values, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, -1:-3:-1]
    # A component's sign is arbitrary: let its largest coefficient be positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    shares = 100.0 * values[-1:-3:-1] / (values.sum() or 1.0)
    names = [f"principal component {k} ({share:.0f} %)" for k, share in enumerate(shares, 1)]
    return (sites - mean) @ axes, (names[0], names[1])


def coloured_cells(ax: Axes, diagram: PowerDiagram, colours: np.ndarray, *, pale: bool) -> None:
    """Draw the cells in colours."""
    collection = cell_collection(
        diagram, site_pitch(ax, len(diagram.masses)), filled=True, edges=True
    )
    faces = colours[drawn_cells(diagram)]
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
    lines = LineCollection(diagram.sites[pairs], colors=DUAL, linewidths=min(0.7, 0.03 * pitch))
    lines.set_rasterized(len(pairs) > RASTER_FROM)
    return lines
