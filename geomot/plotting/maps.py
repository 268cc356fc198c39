"""What maps and plans do: cells and their sites, moves, the singular set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, to_rgba
from matplotlib.patches import Patch

from geomot._validation import as_count, as_masses, as_points
from geomot.plotting._axes import PLANE_AXES, frame, new_axes, paper, site_pitch
from geomot.plotting._classes import MOST_LABELS
from geomot.plotting._drawing import Drawing
from geomot.plotting._inputs import as_diagram, as_mapped, axis_names, check_plane
from geomot.plotting._marks import (
    EDGE,
    cell_collection,
    cell_polygons,
    dot_area,
    draw_outline,
    drawn_box,
    drawn_cells,
    drawn_diagram,
    free_edges,
    rasterise,
    scatter_dots,
    write_names,
)
from geomot.plotting._palette import BLUE, ORANGE, VERMILION
from geomot.plotting.diagrams import site_cloud

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.brenier import BrenierMap
    from geomot.diagram import PowerDiagram
    from geomot.discrete import Plan
    from geomot.extended import ExtendedMap
    from geomot.solution import Solution

__all__ = ["permutation", "singular_set", "transport_map", "transport_plan"]

# Opacity of a singular set over cells.
_SHADING = 0.55

# Share of the largest move, or of the mean mass, below which nothing could be seen.
_LEAST_WIDTH = 0.05

# Colour of points that stay where they are, in partial transport.
_STAYING = "#999999"


def transport_map(
    solution: PowerDiagram | Solution | BrenierMap,
    samples: int | Any = 1000,
    *,
    random_state: Any = 0,
    axes: Sequence[Axes] | None = None,
    **kwargs: Any,
) -> tuple[Drawing, Drawing]:
    """Draw the map: cells and samples of the source, and beside them the sites they are sent to.

    A cell, the samples in it and its site share one colour, chosen by the site's position: blue
    to orange from left to right, dark to light from bottom to top. It takes two axes.

    Where the source has no exact diagrams, its samples are drawn without cells. On the line, see
    `monotone_map`.

    Parameters
    ----------
    solution : PowerDiagram, Solution or BrenierMap
        The map, in the plane.
    samples : int or array_like of shape (m, 2), default 1000
        Points of the source, or how many to draw; 0 for none.
    random_state : None, int, Generator or RandomState, default 0
        Randomness of the samples.
    axes : sequence of two Axes, optional
        Where to draw source and target; None makes a figure. Those without a title get one.
    **kwargs
        Settings of the samples, as for `matplotlib.axes.Axes.scatter`.

    Returns
    -------
    source : Drawing
        Artists cells, samples and outline, if they were drawn.
    target : Drawing
        Artist sites.

    Raises
    ------
    ValueError
        If the map is not in the plane, or `axes` are not two.

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> solution = geomot.solve(np.random.default_rng(0).random((20, 2)))
    >>> source, target = plotting.transport_map(solution, 100)
    >>> list(source), list(target)
    (['cells', 'samples', 'outline'], ['sites'])
    >>> title = source.axes.set_title("uniform measure")
    """
    mapped = as_mapped(solution, "solution", (2,))
    exact = mapped.source.exact
    diagram = as_diagram(mapped, "solution") if exact else None
    if np.ndim(samples) == 0:
        count = as_count(samples, "samples", 0 if exact else 1)
        points = mapped.source.sample(count, random_state)
    else:
        points = as_points(samples, "samples", 2, allow_empty=exact)
    bounds = drawn_box(mapped.source)
    if diagram is None:
        bounds = np.array([points.min(axis=0), points.max(axis=0)])
    if axes is None:
        axes = new_axes(bounds, columns=2)
    if len(axes) != 2:
        raise ValueError(f"axes must be two, for source and target, got {len(axes)}")
    source_ax, target_ax = axes
    colours = _position_colours(mapped.sites)
    frame(source_ax, bounds, axis_names(solution, PLANE_AXES))
    artists: dict[str, Any] = {}
    if diagram is not None:
        artists["cells"] = _coloured_cells(source_ax, diagram, colours, pale=len(points) > 0)
    if len(points):
        labels = mapped.assign(points) if diagram is None else diagram.locate(points)
        # points that stay, in partial transport, have the label -1
        shown = np.vstack([colours, to_rgba(_STAYING)])[labels]
        settings = {"c": shown, "linewidths": 0, **kwargs}
        area = settings.pop("s", dot_area(site_pitch(source_ax, len(points))))
        artists["samples"] = scatter_dots(source_ax, points, area, **settings)
    if diagram is not None:
        artists["outline"] = draw_outline(source_ax, diagram.source)
    source_ax.autoscale_view()
    target = site_cloud(solution, ax=target_ax)
    target.sites.set_facecolor(colours)
    for ax, title in ((source_ax, "source"), (target_ax, "target")):
        if not ax.get_title():
            ax.set_title(title, fontsize="medium")
    return Drawing(source_ax, artists), target


def _coloured_cells(ax: Axes, diagram: PowerDiagram, colours: np.ndarray, *, pale: bool) -> Any:
    """Draw the cells in colours."""
    pitch = site_pitch(ax, len(diagram.masses))
    diagram = drawn_diagram(diagram)
    collection = cell_collection(ax, cell_polygons(ax, diagram), pitch, filled=True, edges=True)
    faces = colours[drawn_cells(diagram)]
    if pale:
        # Samples of the same colour stand out on paler cells.
        faces[:, :3] = 0.45 * faces[:, :3] + 0.55 * np.array(paper(ax))
    collection.set_facecolor(faces)
    return ax.add_collection(collection)


def singular_set(
    extended: ExtendedMap, *, resolution: int = 400, ax: Axes | None = None, **kwargs: Any
) -> Drawing:
    """Shade where an extended map would mix sites that lie too far apart.

    Parameters
    ----------
    extended : ExtendedMap
        The map, in the plane, from a source that is bounded or has exact diagrams.
    resolution : int, default 400
        Number of grid points along the longer side of the domain.
    ax : Axes, optional
        Where to draw, such as those with the cells; None makes a figure.
    **kwargs
        Settings of the shading, as for `matplotlib.axes.Axes.pcolormesh`.

    Returns
    -------
    Drawing
        Artists singular, a mesh, and outline where the domain has one.

    Raises
    ------
    ValueError
        If the map is not in the plane, or its source has no bounds.

    Examples
    --------
    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> sites = np.concatenate([np.random.default_rng(0).random((40, 2)) + [k, 0] for k in (0, 9)])
    >>> brenier = geomot.BrenierMap(geomot.UniformBox([0, 0], [10, 1])).fit(sites)
    >>> drawing = plotting.singular_set(brenier.extended(), resolution=50)
    >>> legend = drawing.axes.legend(*drawing.legend_elements())
    >>> drawing.singular.get_array().shape
    (5, 50)
    """
    check_plane(extended.solution, "extended.solution")
    source = extended.solution.source
    if not (source.exact or np.isfinite(source.bounds).all()):
        raise ValueError("extended must have a bounded source, or one with exact diagrams")
    bounds = drawn_box(source)
    ax = new_axes(bounds) if ax is None else ax
    extent = bounds[1] - bounds[0]
    counts = np.maximum(as_count(resolution, "resolution", 2) * extent // extent.max(), 2)
    edges = [
        np.linspace(low, high, int(count) + 1)
        for low, high, count in zip(*bounds, counts, strict=True)
    ]
    grid = np.stack(np.meshgrid(*((e[:-1] + e[1:]) / 2.0 for e in edges)), axis=-1)
    mask = extended.is_singular(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    frame(ax, bounds)
    settings = {"cmap": ListedColormap([VERMILION]), "alpha": _SHADING, "zorder": 1.5, **kwargs}
    mesh = ax.pcolormesh(*edges, np.ma.masked_where(~mask, mask), **settings)
    free_edges(mesh)
    rasterise(mesh, mask.size, 4 * mask.size)
    artists = {"singular": mesh}
    if source.exact:
        artists["outline"] = draw_outline(ax, source)
        mesh.set_clip_path(artists["outline"])
    return Drawing(ax, artists, ([Patch(color=VERMILION, alpha=_SHADING)], ["singular set"]))


def permutation(
    a: Any,
    b: Any,
    partners: Any,
    *,
    labels: bool | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
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
    **kwargs
        Settings of the lines, a `matplotlib.collections.LineCollection`.

    Returns
    -------
    Drawing
        Artists moves, a, b, and those that were drawn of labels and legend.

    Raises
    ------
    ValueError
        If `partners` is not a permutation, or the clouds are not of one size in the plane.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import discrete, plotting
    >>> a, b = np.random.default_rng(0).random((2, 30, 2))
    >>> best = discrete.assignment(a, b)
    >>> drawing = plotting.permutation(a, b, best.permutation, colors="tab:gray")
    >>> len(drawing.moves.get_segments())
    30
    """
    x, y = as_points(a, "a", 2), as_points(b, "b", 2)
    to = np.asarray(partners)
    if len(x) != len(y):
        raise ValueError(f"b must have as many points as a, got {len(x)} and {len(y)}")
    if to.dtype.kind not in "iu" or not np.array_equal(np.sort(to), np.arange(len(x))):
        raise ValueError(f"partners must be a permutation of 0, ..., {len(x) - 1}")
    ax = new_axes(_bounds_of(x, y), bar=legend) if ax is None else ax
    artists = _clouds_and_moves(
        ax, x, y, np.arange(len(x)), to, np.ones(len(x)), None, legend, kwargs
    )
    if labels if labels is not None else len(x) <= MOST_LABELS:
        numbers = [f"${letter}_{{{k}}}$" for letter in "xy" for k in range(1, len(x) + 1)]
        both = np.concatenate([x, y])
        artists["labels"] = write_names(ax, both, numbers, "small", letters=2)
    return Drawing(ax, artists, _cloud_legend(artists))


def transport_plan(
    plan: Plan | Any,
    a: Any = None,
    b: Any = None,
    *,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw a plan between two weighted clouds of the plane.

    Points have areas in proportion to their masses, and lines widths in proportion to what moves
    along them.

    Parameters
    ----------
    plan : Plan, or array_like or sparse matrix of shape (n, m)
        The plan, from `geomot.discrete`; or a matrix of what moves from each point of `a` to each
        point of `b`, such as POT's ``ot.emd``.
    a, b : array_like of shape (n, 2) and (m, 2), optional
        The clouds of a matrix.
    legend : bool, default True
        Whether to say which cloud is which.
    ax : Axes, optional
        Where to draw; None makes a figure.
    **kwargs
        Settings of the lines, a `matplotlib.collections.LineCollection`.

    Returns
    -------
    Drawing
        Artists moves, a, b, and legend where it was drawn.

    Raises
    ------
    ValueError
        If the clouds do not lie in the plane, or the matrix does not fit them.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import discrete, plotting
    >>> a, b = np.random.default_rng(0).random((4, 2)), np.random.default_rng(1).random((3, 2))
    >>> drawing = plotting.transport_plan(discrete.plan(a, b), legend=False)
    >>> list(drawing)
    ['moves', 'a', 'b']

    A matrix, as of POT:

    >>> drawing = plotting.transport_plan(np.full((4, 3), 1 / 12), a, b)
    >>> len(drawing.moves.get_segments())
    12
    """
    if hasattr(plan, "rows") and hasattr(plan, "a_masses"):
        if a is not None or b is not None:
            raise ValueError("a and b must be None for a Plan, which knows its clouds")
        x, y, rows, columns, moved = plan.a, plan.b, plan.rows, plan.columns, plan.masses
        masses = plan.a_masses, plan.b_masses
    else:
        x, y, rows, columns, moved, masses = _from_matrix(plan, a, b)
    if x.shape[1] != 2:
        raise ValueError(f"plan must be one in the plane, got {x.shape[1]} dimensions")
    ax = new_axes(_bounds_of(x, y), bar=legend) if ax is None else ax
    shares = moved / moved.max()
    artists = _clouds_and_moves(ax, x, y, rows, columns, shares, masses, legend, kwargs)
    return Drawing(ax, artists, _cloud_legend(artists))


def _from_matrix(plan: Any, a: Any, b: Any) -> tuple[Any, ...]:
    """Clouds, pairs, what moves between them, and the masses of the points."""
    from scipy.sparse import coo_array, issparse

    if not issparse(plan) and np.ndim(plan) != 2:
        raise TypeError(
            "plan must be a Plan or a matrix of what moves between two clouds, "
            f"got {type(plan).__name__}"
        )
    if a is None or b is None:
        raise ValueError("a and b must be given with a matrix: the clouds that it moves between")
    x, y = as_points(a, "a"), as_points(b, "b", np.shape(a)[1])
    moves = coo_array(plan)
    if moves.shape != (len(x), len(y)):
        raise ValueError(f"plan must have shape {(len(x), len(y))}, got {moves.shape}")
    moves.sum_duplicates()
    kept = moves.data != 0
    rows, columns = (index[kept] for index in moves.coords)
    moved = as_masses(moves.data[kept], np.count_nonzero(kept), "plan", normalize=True)
    masses = tuple(
        np.bincount(index, moved, minlength=len(cloud))
        for index, cloud in ((rows, x), (columns, y))
    )
    return x, y, rows, columns, moved, masses


def _bounds_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    both = np.concatenate([x, y])
    low, high = both.min(axis=0), both.max(axis=0)
    margin = 0.05 * max(float((high - low).max()), np.finfo(np.float64).tiny)
    return np.array([low - margin, high + margin])


def _clouds_and_moves(
    ax: Axes,
    x: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    shares: np.ndarray,
    masses: tuple[np.ndarray, np.ndarray] | None,
    legend: bool,
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    """Two clouds, and lines between them of widths in proportion to the shares."""
    frame(ax, _bounds_of(x, y))
    pitch = site_pitch(ax, len(x) + len(y))
    settings = {
        "linewidths": min(2.4, 0.12 * pitch) * np.maximum(shares, _LEAST_WIDTH),
        "colors": EDGE,
        "zorder": 1,
    }
    lines = LineCollection(np.stack([x[rows], y[columns]], axis=1), **(settings | kwargs))
    rasterise(lines, len(rows), 2 * len(rows))
    artists: dict[str, Any] = {"moves": ax.add_collection(lines)}
    area = min(6.0, max(0.3 * pitch, 0.8)) ** 2
    for k, (name, points, colour, marker) in enumerate(
        (("a", x, BLUE, "o"), ("b", y, ORANGE, "s"))
    ):
        areas = area if masses is None else 1.5 * area * masses[k] / masses[k].mean()
        artists[name] = scatter_dots(
            ax, points, areas, color=colour, marker=marker, linewidths=0, zorder=2 + k
        )
    if legend:
        handles, names = _cloud_legend(artists)
        artists["legend"] = ax.legend(
            handles,
            names,
            frameon=False,
            fontsize="small",
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
        )
    return artists


def _cloud_legend(artists: dict[str, Any]) -> tuple[list[Any], list[str]]:
    return [artists["a"], artists["b"]], ["from", "to"]


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
