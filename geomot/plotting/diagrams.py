"""Power diagrams and their sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection

from geomot._moments import weighted_moments
from geomot.plotting._axes import PLANE_AXES, frame, ink, name_axes, new_axes, paper, site_pitch
from geomot.plotting._classes import Colours
from geomot.plotting._drawing import Drawing
from geomot.plotting._inputs import as_diagram, as_mapped, as_names, axis_names
from geomot.plotting._marks import (
    cell_collection,
    cell_polygons,
    domain_path,
    dot_area,
    draw_copies,
    draw_dots,
    draw_links,
    draw_outline,
    drawn_box,
    drawn_cells,
    drawn_diagram,
    in_box,
    rasterise,
    scatter_dots,
    write_names,
)
from geomot.plotting._palette import VERMILION
from geomot.plotting.densities import is_uniform, source_density
from geomot.plotting.line import line_cells
from geomot.plotting.space import EXPLODED, MOST_SOLIDS, planar_cut, solid_cells
from geomot.sources import refuse_periodic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geomot.brenier import BrenierMap
    from geomot.diagram import PowerDiagram
    from geomot.solution import Solution

__all__ = ["power_diagram", "site_cloud"]

# Sites up to which links are drawn by themselves, from those outside their own cells.
_MOST_LINKS = 60

# How far from the domain sites are shown, in units of its longer side.
_VISIBLE = 0.5


def power_diagram(
    diagram: PowerDiagram | Solution | BrenierMap,
    values: Any = None,
    *,
    sites: bool = True,
    names: Any = None,
    links: bool | None = None,
    triangulation: bool = False,
    density: bool | None = None,
    edges: bool = True,
    cmap: Any = "viridis",
    norm: Any = None,
    label: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw the cells of a power diagram on the line, in the plane or in space.

    Dots are the sites, crosses those whose cells are empty. A note says how many sites lie too far
    from the domain to be shown, and how many cells are empty.

    On the line each cell is an interval under the density of the source: its area is its mass. In
    space up to 100 cells are drawn by `solid_cells`, a little apart, and more by `planar_cut`,
    where they meet a plane through the middle; there are no sites, names, links or triangulation.

    Parameters
    ----------
    diagram : PowerDiagram, Solution or BrenierMap
        What to draw.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        One value per site, shown as the colour of its cell. Floats are numbers, with a colour
        bar; text, booleans, categories of pandas (in their order), and integers with up to ten
        distinct values are classes, with a legend. Of more classes than fit, the legend names
        those of most sites.
    sites : bool, default True
        Mark the sites; those farther from the domain than half its size are only counted.
    names : sequence of str of length n, optional
        Texts written at the sites; an empty one is left out.
    links : bool, optional
        Draw a line from each site to the centroid of its cell, as a site may lie outside its own
        cell. None does so for these sites, if there are at most 60 in all.
    triangulation : bool, default False
        Draw the dual regular triangulation over the cells, between the sites.
    density : bool, optional
        Draw the density of the source under the cells, which are then not filled. None does so
        where it is not uniform and there are no values; on the line it is always drawn.
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
        Where to draw; None makes a figure. On logarithmic axes edges are bent, if the axes are
        logarithmic before.
    **kwargs
        Settings of the cells, a `matplotlib.collections.PolyCollection`. Numbers to be shown as
        colours go into `values`, not into ``color``.

    Returns
    -------
    Drawing
        Artists cells, and those that were drawn of copies (on a torus, the cells one period away,
        faded), density, triangulation, links, sites (a line of
        markers), empty_sites, names, note, outline, legend, colorbar.

    Raises
    ------
    ValueError
        If there are no cells to draw, or `values` or `names` do not fit the sites.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import PowerDiagram, plotting
    >>> diagram = PowerDiagram(np.random.default_rng(0).random((50, 2)))
    >>> drawing = plotting.power_diagram(diagram, "masses", linewidth=0.3)
    >>> list(drawing)
    ['cells', 'sites', 'outline', 'colorbar']
    >>> len(drawing.cells.get_paths())
    50
    """
    labels = axis_names(diagram, PLANE_AXES)
    diagram = as_diagram(diagram, dims=(1, 2, 3))
    if triangulation:
        refuse_periodic(diagram.source, "drawings of the triangulation")
    diagram = in_box(diagram)
    texts = as_names(names, len(diagram.sites))
    if diagram.sites.shape[1] == 3:
        for name, given in (("names", texts), ("links", links), ("triangulation", triangulation)):
            if given:
                raise ValueError(f"{name} cannot be drawn in space")
        settings = {"cmap": cmap, "norm": norm, "label": label, "legend": legend, "ax": ax}
        if len(diagram) > MOST_SOLIDS:
            return planar_cut(diagram, values, edges=edges, **settings, **kwargs)
        if not edges:
            kwargs = {"linewidths": 0.0, **kwargs}
        return solid_cells(diagram, values, explode=EXPLODED, **settings, **kwargs)
    if diagram.sites.shape[1] == 1:
        if triangulation:
            raise ValueError("triangulation must be False on the line, where neighbours touch")
        return line_cells(
            diagram, values, sites=sites, names=texts, links=links is not False, edges=edges,
            cmap=cmap, norm=norm, label=label, legend=legend, ax=ax, **kwargs,
        )  # fmt: skip
    if density is None:
        density = values is None and not is_uniform(diagram.source)
    shown = _near(diagram) if sites else np.zeros(len(diagram.sites), bool)
    bounds = _joint_bounds(drawn_box(diagram.source), diagram.sites[shown])
    ax = new_axes(bounds, bar=legend and values is not None) if ax is None else ax
    frame(ax, bounds, labels)
    artists: dict[str, Any] = {}
    if density:
        artists["density"] = source_density(diagram.source, outline=False, ax=ax).density
    pitch = site_pitch(ax, len(diagram.sites))
    drawn = drawn_diagram(diagram)
    cells = cell_collection(
        ax, cell_polygons(ax, drawn), pitch, filled=values is not None, edges=edges
    )
    artists["cells"] = cells
    if density:
        cells.set(facecolor="none", edgecolor=ink(ax), alpha=0.5)
    colours = None
    if values is not None:
        colours = Colours(diagram, values, cmap, norm, label)
        colours.paint(cells, drawn_cells(drawn), edges=edges)
    cells.set(**kwargs)
    ax.add_collection(cells)
    artists |= draw_copies(ax, drawn, pitch, colours, edges, kwargs)
    if triangulation:
        artists["triangulation"] = _dual_edges(diagram, pitch)
        ax.add_collection(artists["triangulation"], autolim=False)
    if sites:
        artists |= _draw_sites(ax, diagram, shown, links, pitch)
    artists["outline"] = draw_outline(ax, diagram.source)
    ax.autoscale_view()
    if texts is not None:
        written = shown if sites else _near(diagram)
        artists["names"] = write_names(
            ax,
            diagram.sites[written],
            [t for t, w in zip(texts, written, strict=True) if w],
            lines=artists.get("links"),
        )
    return _explained(ax, artists, colours, cells, legend)


def site_cloud(
    diagram: PowerDiagram | Solution | BrenierMap,
    values: Any = None,
    *,
    names: Any = None,
    cmap: Any = "viridis",
    norm: Any = None,
    label: str | None = None,
    legend: bool = True,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw the sites alone: the target measure, each dot with an area in proportion to its mass.

    Above the plane, what is drawn are the first two principal components of the target measure,
    and the axes say what share of its variance each has. On the line, masses are the vertical
    axis.

    Parameters
    ----------
    diagram : PowerDiagram, Solution or BrenierMap
        Sites and masses; of a solution, the target masses.
    values : None, "weights", "masses", "costs" or array_like of shape (n,)
        What colours the sites, as in `power_diagram`.
    names : sequence of str of length n, optional
        Texts written at the sites; an empty one is left out.
    cmap, norm, label, legend : optional
        As in `power_diagram`.
    ax : Axes, optional
        Where to draw; None makes a figure.
    **kwargs
        Settings of the dots, as for `matplotlib.axes.Axes.scatter`.

    Returns
    -------
    Drawing
        Artists sites, and those that were drawn of names, legend, colorbar.

    Raises
    ------
    ValueError
        If `values` or `names` do not fit the sites.

    Examples
    --------
    Sites in five dimensions are projected:

    >>> import numpy as np
    >>> import geomot
    >>> from geomot import plotting
    >>> points = np.random.default_rng(0).standard_normal((40, 5)) * [3, 2, 1, 1, 1]
    >>> source = geomot.Gaussian(np.zeros(5), 1.0)
    >>> solution = geomot.solve(points, source=source, tol=0.2, random_state=0)
    >>> drawing = plotting.site_cloud(solution, marker="s")
    >>> drawing.axes.get_xlabel()
    'component 1 (46 %)'
    >>> len(drawing.sites.get_offsets())
    40
    """
    plane = axis_names(diagram, ("$y_1$", "$y_2$"))
    diagram = as_mapped(diagram, "diagram")
    texts = as_names(names, len(diagram.sites))
    masses = getattr(diagram, "target_masses", diagram.masses)
    points, labels = _flattened(diagram.sites, masses, plane)
    low, high = points.min(axis=0), points.max(axis=0)
    if not (high > low).any():
        low, high = low - 0.5, high + 0.5
    bounds = np.array([low, high])
    on_line = diagram.sites.shape[1] == 1
    if ax is None:
        ax = new_axes(None if on_line else bounds, bar=legend and values is not None)
    if on_line:
        name_axes(ax, *labels)
        ax.update_datalim([[low[0], 0.0], [high[0], 1.05 * high[1]]])
    else:
        frame(ax, bounds, labels)
    settings = {"linewidths": 0, **({} if values is not None else {"color": ink(ax)}), **kwargs}
    area = dot_area(site_pitch(ax, len(points)))
    areas = settings.pop("s", 2.0 * area * np.clip(masses * len(points), 0.05, 25.0))
    dots = scatter_dots(ax, points, areas, **settings)
    artists: dict[str, Any] = {"sites": dots}
    colours = None
    if values is not None:
        colours = Colours(diagram, values, cmap, norm, label)
        colours.paint(dots, slice(None), edges=False)
    if texts is not None:
        ax.autoscale_view()
        artists["names"] = write_names(ax, points, texts)
    return _explained(ax, artists, colours, dots, legend)


def _explained(
    ax: Axes, artists: dict[str, Any], colours: Colours | None, painted: Any, legend: bool
) -> Drawing:
    """The drawing, with its legend or colour bar where it is wanted."""
    if colours is None:
        return Drawing(ax, artists)
    if legend:
        artists |= colours.explain(ax, painted)
    return Drawing(ax, artists, colours.legend_elements())


def _near(diagram: PowerDiagram) -> np.ndarray:
    """Which sites lie so near to the domain that they can be shown together with it."""
    low, high = drawn_box(diagram.source)
    reach = _VISIBLE * (high - low).max()
    return ((diagram.sites >= low - reach) & (diagram.sites <= high + reach)).all(axis=1)


def _joint_bounds(bounds: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bounds of the domain and of points."""
    every = np.concatenate([bounds, points])
    return np.array([every.min(axis=0), every.max(axis=0)])


def _draw_sites(
    ax: Axes, diagram: PowerDiagram, shown: np.ndarray, links: bool | None, pitch: float
) -> dict[str, Any]:
    """Dots, crosses at sites without a cell, links to centroids, and a note of what is hidden."""
    artists: dict[str, Any] = {}
    n, empty = len(diagram.sites), diagram.empty
    linked = shown & ~empty & np.isfinite(diagram.centroids).all(axis=1)
    if links is None:
        links = n <= _MOST_LINKS
        if links:
            outside = diagram.locate(diagram.sites) != np.arange(n)
            linked &= outside | ~_domain_holds(diagram, diagram.sites)
    if links and linked.any():
        artists["links"] = draw_links(ax, diagram.sites[linked], diagram.centroids[linked], pitch)
    artists["sites"] = draw_dots(ax, diagram.sites[shown & ~empty], pitch)
    if (shown & empty).any():
        size = max(2.0 * dot_area(pitch) ** 0.5, 2.5)
        artists["empty_sites"] = draw_dots(
            ax, diagram.sites[shown & empty], pitch, marker="x", markersize=size,
            markeredgewidth=min(0.8, 0.3 * size),
        )  # fmt: skip
    far = n - np.count_nonzero(shown)
    notes = [f"{far} of {n} sites lie outside the picture"] if far else []
    if empty.any():
        notes.append(f"× {np.count_nonzero(empty)} of {n} cells are empty")
    if notes:
        artists["note"] = _note(ax, "\n".join(notes))
    return artists


def _domain_holds(diagram: PowerDiagram, points: np.ndarray) -> np.ndarray:
    """Whether points lie in the domain of a diagram, its border included."""
    low, high = drawn_box(diagram.source)
    return domain_path(diagram.source).contains_points(
        points, radius=1e-9 * float((high - low).max())
    )


def _note(ax: Axes, text: str) -> Any:
    """A small text below the axes' lower left corner."""
    return ax.annotate(
        text,
        (0.0, 0.0),
        xycoords="axes fraction",
        xytext=(3.0, 3.0),
        textcoords="offset points",
        fontsize="x-small",
        color=ink(ax),
        bbox={"facecolor": paper(ax), "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        zorder=5,
    )


def _flattened(
    sites: np.ndarray, masses: np.ndarray, plane: tuple[str, str]
) -> tuple[np.ndarray, tuple[str, str]]:
    """Sites as points of the plane, and what its axes are: given, if sites are in the plane."""
    d = sites.shape[1]
    if d == 1:
        return np.column_stack([sites[:, 0], masses]), ("$y$", "mass")
    if d == 2:
        return sites, plane
    mean, covariance = weighted_moments(sites, masses)
    values, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, -1:-3:-1]
    # A component's sign is arbitrary: let its largest coefficient be positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    shares = 100.0 * values[-1:-3:-1] / (values.sum() or 1.0)
    names = [f"component {k} ({share:.0f} %)" for k, share in enumerate(shares, 1)]
    return (sites - mean) @ axes, (names[0], names[1])


def _dual_edges(diagram: PowerDiagram, pitch: float) -> LineCollection:
    simplices = diagram.triangulation
    pairs = np.sort(np.concatenate([simplices[:, k] for k in ([0, 1], [1, 2], [2, 0])]), axis=1)
    # One number per pair sorts several times faster than rows do.
    n = len(diagram.sites)
    pairs = np.column_stack(np.divmod(np.unique(pairs[:, 0] * n + pairs[:, 1]), n))
    lines = LineCollection(
        diagram.sites[pairs], colors=VERMILION, linewidths=min(0.7, 0.03 * pitch)
    )
    rasterise(lines, len(pairs), 2 * len(pairs))
    return lines
