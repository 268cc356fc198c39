"""The line: cells as intervals, the monotone map, distribution functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from geomot.plotting._axes import ink, name_axes, new_axes, site_pitch
from geomot.plotting._classes import Colours
from geomot.plotting._drawing import Drawing
from geomot.plotting._inputs import as_diagram, as_mapped
from geomot.plotting._marks import (
    cell_collection,
    dot_area,
    draw_dots,
    draw_links,
    draw_strokes,
    drawn_cells,
    rasterise,
    write_names,
)
from geomot.plotting._palette import BLUE, VERMILION
from geomot.plotting._profile import has_density, line_profile, line_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.brenier import BrenierMap
    from geomot.diagram import PowerDiagram
    from geomot.solution import Solution

__all__ = ["distribution_functions", "line_cells", "monotone_map"]

# How far below the axis sites stand, in units of the greatest density.
_BELOW = 0.18

# Points of a distribution function.
_FUNCTION_POINTS = 1025


def line_cells(
    diagram: PowerDiagram,
    values: Any,
    *,
    sites: bool,
    names: list[str] | None,
    links: bool,
    edges: bool,
    cmap: Any,
    norm: Any,
    label: str | None,
    legend: bool,
    ax: Axes | None,
    **kwargs: Any,
) -> Drawing:
    """Draw cells on the line, as `power_diagram` says."""
    ax = new_axes() if ax is None else ax
    fresh = not ax.has_data()
    x, heights = line_profile(diagram.source)
    dense = has_density(diagram.source)
    top = float(heights.max())
    if not dense:
        # Atoms are strokes over intervals of full height, in proportion to the largest one.
        strokes, (x, heights) = (
            (x, heights),
            (np.array(line_range(diagram.source)), np.full(2, top)),
        )
    pitch = site_pitch(ax, len(diagram.sites))
    shown = drawn_cells(diagram)
    ends = diagram.cells.vertices.reshape(-1, 2)
    polygons = [_under(a, b, x, heights) for a, b in ends]
    cells = cell_collection(ax, polygons, 20.0, filled=values is not None, edges=edges)
    artists: dict[str, Any] = {"cells": cells}
    colours = None
    if values is not None:
        colours = Colours(diagram, values, cmap, norm, label)
        colours.paint(cells, shown, edges=edges)
    cells.set(**kwargs)
    ax.add_collection(cells)
    if not dense:
        places, masses = strokes
        tops = np.column_stack([np.zeros_like(masses), masses])
        artists["atoms"] = draw_strokes(ax, places, tops, ink(ax), 0.8)
    places = np.column_stack([diagram.sites[:, 0], np.full(len(diagram.sites), -_BELOW * top)])
    if sites:
        low, high = line_range(diagram.source)
        reach = 0.5 * (high - low)
        near = (places[:, 0] >= low - reach) & (places[:, 0] <= high + reach)
        held = near & np.isfinite(diagram.centroids[:, 0])
        if links:
            feet = np.column_stack([diagram.centroids[held, 0], np.zeros(np.count_nonzero(held))])
            artists["links"] = draw_links(ax, places[held], feet, pitch)
        artists["sites"] = draw_dots(
            ax, places[held], pitch, markersize=max(dot_area(pitch) ** 0.5, 2)
        )
        if (near & ~held).any():
            artists["empty_sites"] = draw_dots(
                ax, places[near & ~held], pitch, marker="x", markersize=4, markeredgewidth=0.8
            )
        ax.update_datalim([[0.5 * (low + high), -1.4 * _BELOW * top]])
        if fresh and ax.get_yscale() == "linear":
            ax.yaxis.set_major_locator(_FromZero(nbins=5))
    ax.update_datalim([[x[0], 0.0], [x[-1], 1.03 * top]])
    ax.autoscale_view()
    artists["outline"] = ax.axhline(0.0, color=ink(ax), linewidth=0.8)
    name_axes(ax, "$x$", "density of the source" if dense else "mass of the source")
    if names is not None:
        artists["names"] = write_names(ax, places, names)
    if colours is not None and legend:
        artists |= colours.explain(ax, cells)
    return Drawing(ax, artists, colours.legend_elements() if colours is not None else ((), ()))


class _FromZero(MaxNLocator):
    """Ticks of a density: none below zero, where the sites stand."""

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        """Return the ticks between two numbers."""
        ticks = super().tick_values(vmin, vmax)
        return ticks[ticks > -1e-9 * abs(vmax)]


def _under(low: float, high: float, x: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """The polygon between an interval and a curve above it."""
    low, high = max(low, x[0]), min(high, x[-1])
    inside = (x > low) & (x < high)
    along = np.concatenate([[low], x[inside], [high]])
    above = np.concatenate(
        [np.interp([low], x, heights), heights[inside], np.interp([high], x, heights)]
    )
    return np.concatenate([[[low, 0.0]], np.column_stack([along, above]), [[high, 0.0]]])


def monotone_map(
    diagram: PowerDiagram | Solution | BrenierMap, *, ax: Axes | None = None, **kwargs: Any
) -> Drawing:
    """Draw the map on the line: each interval is sent to its site, in ascending order.

    Parameters
    ----------
    diagram : PowerDiagram, Solution or BrenierMap
        The map, on the line.
    ax : Axes, optional
        Where to draw; None makes a figure.
    **kwargs
        Settings of the steps, a `matplotlib.lines.Line2D`.

    Returns
    -------
    Drawing
        Artists steps, and jumps between them.

    Raises
    ------
    ValueError
        If it does not lie on the line.

    Examples
    --------
    >>> import geomot
    >>> from geomot import plotting
    >>> solution = geomot.solve([[0.1], [0.9]], [0.25, 0.75])
    >>> drawing = plotting.monotone_map(solution)
    >>> drawing.steps.get_xydata()[:2].tolist()
    [[0.0, 0.1], [0.25, 0.1]]
    """
    diagram = as_diagram(diagram, dims=(1,))
    shown = drawn_cells(diagram)
    low, high = line_range(diagram.source)
    ends = np.clip(diagram.cells.vertices.reshape(-1, 2), low, high)
    order = np.lexsort([diagram.sites[shown, 0], ends[:, 0]])
    ends, heights = ends[order], diagram.sites[shown, 0][order]
    ax = new_axes() if ax is None else ax
    x = np.column_stack([ends, np.full(len(ends), np.nan)]).ravel()
    y = np.repeat(heights, 3)
    settings = {"color": BLUE, "linewidth": 1.6, "solid_capstyle": "butt", **kwargs}
    (jumps,) = ax.plot(
        ends.ravel(), np.repeat(heights, 2), color=ink(ax), linewidth=0.5, linestyle=":", zorder=1.5
    )
    (steps,) = ax.plot(x, y, **settings)
    for line in (steps, jumps):
        rasterise(line, 1, len(x))
    name_axes(ax, "$x$", "$T(x)$")
    return Drawing(ax, {"steps": steps, "jumps": jumps})


def distribution_functions(
    solution: PowerDiagram | Solution | BrenierMap, *, ax: Axes | None = None, legend: bool = True
) -> Drawing:
    """Draw the distribution functions of source and target on the line.

    The optimal map sends each point to the one at the same height on the other curve.

    Parameters
    ----------
    solution : PowerDiagram, Solution or BrenierMap
        The map, on the line. The target has the target masses of a solution, and the masses of the
        cells of a diagram.
    ax : Axes, optional
        Where to draw; None makes a figure.
    legend : bool, default True
        Whether to draw a legend.

    Returns
    -------
    Drawing
        Artists source and target, two lines, and legend where it was drawn.

    Raises
    ------
    ValueError
        If it does not lie on the line, or the source has no distribution function.

    Examples
    --------
    >>> import geomot
    >>> from geomot import plotting
    >>> drawing = plotting.distribution_functions(geomot.solve([[0.1], [0.9]], [0.25, 0.75]))
    >>> drawing.target.get_ydata().tolist()
    [0.0, 0.25, 1.0, 1.0]
    >>> drawing.legend_elements()[1]
    ['source', 'target']
    """
    mapped = as_mapped(solution, "solution", (1,))
    masses = getattr(mapped, "target_masses", mapped.masses)
    low, high = line_range(mapped.source)
    y = mapped.sites[:, 0]
    order = np.argsort(y, kind="stable")
    left, right = min(low, y.min()), max(high, y.max())
    pad = 0.02 * (right - left)
    left, right = left - pad, right + pad
    ax = new_axes() if ax is None else ax
    if has_density(mapped.source):
        x = np.unique(np.concatenate([np.linspace(left, right, _FUNCTION_POINTS), [low, high]]))
        (source,) = ax.plot(x, mapped.source.cdf(x), color=BLUE, label="source")
    else:
        x = np.concatenate([[left], line_profile(mapped.source)[0], [right]])
        (source,) = ax.step(x, mapped.source.cdf(x), where="post", color=BLUE, label="source")
    shares = np.concatenate([[0.0], np.minimum(np.cumsum(masses[order]), 1.0)])
    (target,) = ax.step(
        np.concatenate([[left], y[order], [right]]),
        np.concatenate([shares, shares[-1:]]),
        where="post",
        color=VERMILION,
        linestyle="-",
        label="target",
    )
    for line in (source, target):
        rasterise(line, 1, 2 * len(line.get_xdata()))
    name_axes(ax, "place", "mass up to there")
    artists = {"source": source, "target": target}
    if legend:
        artists["legend"] = ax.legend(
            [source, target], ["source", "target"], frameon=False, loc="upper left"
        )
    return Drawing(ax, artists, ([source, target], ["source", "target"]))
