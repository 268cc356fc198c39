"""What maps and plans do: cells and their sites, moves, the singular set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from geomot._validation import as_count, as_points
from geomot.plotting._classes import MOST_LABELS, OKABE_ITO
from geomot.plotting._style import (
    INK,
    PLAIN_EDGE,
    RASTER_FROM,
    as_diagram,
    check_plane,
    dot_area,
    drawn_box,
    new_axes,
    set_frame,
    site_pitch,
    source_outline,
)
from geomot.plotting.diagrams import coloured_cells, site_cloud

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.discrete import Plan
    from geomot.extended import ExtendedMap
    from geomot.solution import Solution

__all__ = ["permutation", "singular_set", "transport_map", "transport_plan"]


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
    check_plane(solution, "solution")
    exact = solution.source.exact
    diagram = as_diagram(solution, "solution") if exact else None
    if ax is None:
        ax = new_axes(columns=2)
    source_ax, target_ax = ax
    if np.ndim(samples) == 0:
        count = as_count(samples, "samples", 0 if exact else 1)
        points = solution.source.sample(count, random_state)
    else:
        points = as_points(samples, "samples", 2, allow_empty=exact)
    colours = _position_colours(solution.sites)
    if diagram is not None:
        set_frame(source_ax, drawn_box(diagram.source))
        coloured_cells(source_ax, diagram, colours, pale=len(points) > 0)
    else:
        set_frame(source_ax, np.array([points.min(axis=0), points.max(axis=0)]))
    if len(points):
        source_ax.scatter(
            *points.T,
            s=dot_area(site_pitch(source_ax, len(points))),
            c=colours[solution.assign(points) if diagram is None else diagram.locate(points)],
            linewidths=0,
            rasterized=len(points) > RASTER_FROM,
        )
    if diagram is not None:
        source_outline(source_ax, diagram.source)
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
        The map, in the plane, from a source that is bounded or has exact diagrams.
    resolution : int, default 400
        Points that are looked at along the longer side of the domain.
    ax : Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
    """
    check_plane(extended.solution, "extended.solution")
    source = extended.solution.source
    if not (source.exact or np.isfinite(source.bounds).all()):
        raise ValueError("extended must have a bounded source, or one with exact diagrams")
    bounds = drawn_box(source)
    if ax is None:
        ax = new_axes()
    extent = bounds[1] - bounds[0]
    counts = np.maximum(as_count(resolution, "resolution", 2) * extent // extent.max(), 2)
    axes = [
        low + (np.arange(count) + 0.5) * size / count
        for low, size, count in zip(bounds[0], extent, counts.astype(int), strict=True)
    ]
    grid = np.stack(np.meshgrid(*axes), axis=-1)
    mask = extended.is_singular(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    colour = np.zeros((*mask.shape, 4))
    colour[mask] = to_rgba(OKABE_ITO[5], 0.55)
    set_frame(ax, bounds)
    image = ax.imshow(
        colour, origin="lower", extent=(*bounds[:, 0], *bounds[:, 1]), interpolation="nearest"
    )
    image.set_zorder(1.5)  # above cells, below points
    outline = source_outline(ax, source) if source.exact else None
    if outline is not None:
        image.set_clip_path(outline)
    ax.set_title("singular set")
    return ax


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
    ax = new_axes() if ax is None else ax
    _clouds_and_moves(ax, x, y, np.arange(len(x)), to, np.full(len(x), 1.0))
    if legend:
        _name_clouds(ax)
    if labels if labels is not None else len(x) <= MOST_LABELS:
        for points, letter in ((x, "x"), (y, "y")):
            for k, point in enumerate(points, 1):
                ax.annotate(
                    f"${letter}_{{{k}}}$",
                    point,
                    xytext=(5, 5),
                    textcoords="offset points",
                    color=INK,
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
    ax = new_axes() if ax is None else ax
    widths = plan.masses / plan.masses.max()
    _clouds_and_moves(
        ax, plan.a, plan.b, plan.rows, plan.columns, widths, (plan.a_masses, plan.b_masses)
    )
    if legend:
        _name_clouds(ax)
    return ax


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
    pitch = site_pitch(ax, len(both))
    lines = LineCollection(
        np.stack([x[rows], y[columns]], axis=1),
        linewidths=min(2.4, 0.12 * pitch) * np.maximum(shares, 0.05),
        colors=PLAIN_EDGE,
        zorder=1,
    )
    lines.set_rasterized(len(rows) > RASTER_FROM)
    ax.add_collection(lines)
    area = min(6.0, max(0.3 * pitch, 0.8)) ** 2
    for k, (points, colour, name) in enumerate(
        ((x, OKABE_ITO[0], "from"), (y, OKABE_ITO[1], "to"))
    ):
        sizes = area if masses is None else 1.5 * area * masses[k] / masses[k].mean()
        ax.scatter(*points.T, s=sizes, color=colour, linewidths=0, zorder=2 + k, label=name)
    low, high = both.min(axis=0), both.max(axis=0)
    margin = 0.05 * max(float((high - low).max()), np.finfo(np.float64).tiny)
    set_frame(ax, np.array([low - margin, high + margin]))


def _name_clouds(ax: Axes) -> None:
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


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
