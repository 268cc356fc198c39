"""The density of a source: what lies under its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import PathPatch

from geomot._validation import as_count
from geomot.plotting._axes import frame, ink, name_axes, new_axes, paper, shade, site_pitch
from geomot.plotting._drawing import Drawing
from geomot.plotting._marks import (
    domain_path,
    dot_area,
    draw_dots,
    draw_outline,
    free_edges,
    rasterise,
)
from geomot.plotting._profile import line_profile
from geomot.sources import (
    GridDensity,
    MeshDensity,
    Source,
    UniformBall,
    UniformBox,
    UniformEllipsoid,
    UniformPolygon,
    as_source,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["is_uniform", "source_density"]

# Exact sources with the same density everywhere on their domains.
_UNIFORM = (UniformBall, UniformBox, UniformEllipsoid, UniformPolygon)

# How much of the ink the greatest density has.
_DARKEST = 0.6


def source_density(
    source: Source,
    *,
    outline: bool = True,
    samples: int = 2000,
    random_state: Any = 0,
    ax: Axes | None = None,
    **kwargs: Any,
) -> Drawing:
    """Draw where a source has its mass: the more there is, the farther from the background.

    A uniform measure in the plane is a filled area, a grid of densities an image, a mesh a set of
    shaded triangles, a source on the line with a density a filled curve. Of any other source
    samples are drawn.

    Parameters
    ----------
    source : Source, or what `geomot.solve` takes for one in the plane
        The source, in the plane or on the line.
    outline : bool, default True
        Draw the border of a domain in the plane.
    samples : int, default 2000
        How many samples to draw where there is no formula.
    random_state : None, int, Generator or RandomState, default 0
        Randomness of the samples.
    ax : Axes, optional
        Where to draw; None makes a figure.
    **kwargs
        Settings of the artist: a patch, a mesh (also `cmap`), a filled curve, or markers.

    Returns
    -------
    Drawing
        Artist density, and outline where it was drawn.

    Raises
    ------
    ValueError
        If the source has more than two dimensions.

    Examples
    --------
    >>> from geomot import GridDensity, plotting
    >>> drawing = plotting.source_density(GridDensity([[1.0, 0.0], [2.0, 1.0]]), cmap="Blues")
    >>> type(drawing.density).__name__, list(drawing)
    ('QuadMesh', ['density', 'outline'])
    """
    if not isinstance(source, Source):
        source = as_source(source, 2)
    if source.dim > 2:
        raise ValueError(f"source must lie on the line or in the plane, got dimension {source.dim}")
    count = as_count(samples, "samples", 1)
    if source.dim == 1:
        return _on_line(source, ax, kwargs)
    bounded = source.exact and np.isfinite(source.bounds).all()
    points = None if bounded else source.sample(count, random_state)
    bounds = source.bounds
    if points is not None:
        bounds = np.array([points.min(axis=0), points.max(axis=0)])
    ax = new_axes(bounds) if ax is None else ax
    frame(ax, bounds)
    if points is not None:
        pitch = site_pitch(ax, len(points))
        settings = {"color": shade(ax, ink(ax), 0.5), "markersize": dot_area(pitch) ** 0.5}
        return Drawing(ax, {"density": draw_dots(ax, points, pitch, **(settings | kwargs))})
    artists: dict[str, Any] = {}
    if isinstance(source, GridDensity):
        artists["density"] = _pixels(ax, source, kwargs)
    elif isinstance(source, MeshDensity):
        artists["density"] = _triangles(ax, source, kwargs)
    else:
        settings = {"facecolor": shade(ax, ink(ax), 0.15), "edgecolor": "none", "zorder": 0.6}
        artists["density"] = ax.add_patch(PathPatch(domain_path(source), **(settings | kwargs)))
    if outline:
        artists["outline"] = draw_outline(ax, source)
    ax.autoscale_view()
    return Drawing(ax, artists)


def is_uniform(source: Source) -> bool:
    """Whether an exact source has the same density everywhere on its domain."""
    return source.dim == 1 or isinstance(source, _UNIFORM)


def _triangles(ax: Axes, mesh: MeshDensity, kwargs: dict[str, Any]) -> Any:
    """Triangles in their densities, which are linear on each."""
    settings = {"cmap": _colours(ax), "vmin": 0.0, "zorder": 0.6, **kwargs}
    return ax.tripcolor(*mesh.points.T, mesh.simplices, mesh.values, shading="gouraud", **settings)


def _colours(ax: Axes) -> LinearSegmentedColormap:
    """From the background to the density of the darkest places."""
    return LinearSegmentedColormap.from_list("density", [paper(ax), shade(ax, ink(ax), _DARKEST)])


def _pixels(ax: Axes, grid: GridDensity, kwargs: dict[str, Any]) -> Any:
    """The cells of a grid in their densities."""
    edges = (
        np.linspace(low, high, count + 1)
        for low, high, count in zip(*grid.bounds, grid.values.shape, strict=True)
    )
    densities = grid.values.T * (grid.values.size / np.prod(grid.upper - grid.lower))
    settings = {"cmap": _colours(ax), "vmin": 0.0, "zorder": 0.6, **kwargs}
    mesh = ax.pcolormesh(*edges, densities, **settings)
    free_edges(mesh)
    rasterise(mesh, densities.size, 4 * densities.size)
    return mesh


def _on_line(source: Source, ax: Axes | None, kwargs: dict[str, Any]) -> Drawing:
    x, heights = line_profile(source)
    ax = new_axes() if ax is None else ax
    settings = {"facecolor": shade(ax, ink(ax), 0.15), "linewidth": 0.8, "edgecolor": ink(ax)}
    curve = ax.fill_between(x, heights, **(settings | kwargs))
    name_axes(ax, "$x$", "density")
    return Drawing(ax, {"density": curve})
