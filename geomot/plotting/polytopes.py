"""Convex polytopes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from geomot._validation import as_vector
from geomot.plotting._axes import add_colorbar, flat_norm, frame, new_axes, paper
from geomot.plotting._drawing import Drawing
from geomot.plotting._solids import add_polygons, axes_in_space, quiet_walls, shaded
from geomot.polytopes import AlexandrovSolution, MinkowskiSolution, Polytope

__all__ = ["polytope"]

# Of facets without values.
_FACE = "#9DBAD5"


def polytope(
    polytope: Polytope | MinkowskiSolution | AlexandrovSolution,
    values: Any = None,
    *,
    cmap: Any = "viridis",
    norm: Any = None,
    label: str | None = None,
    legend: bool = True,
    ax: Any = None,
    **kwargs: Any,
) -> Drawing:
    """Draw a convex polytope in the plane or in space.

    Parameters
    ----------
    polytope : Polytope, MinkowskiSolution or AlexandrovSolution
        What to draw, in two or three dimensions.
    values : "areas" or array_like of shape (m,), optional
        One number per facet, shown as its colour; facets with NaN are left out, such as the lid
        and the walls of a graph. None: one colour, shaded.
    cmap : str or Colormap, default "viridis"
        Colours of numbers.
    norm : str or Normalize, optional
        Scale of the numbers, as for matplotlib.
    label : str, optional
        Title of the colour bar.
    legend : bool, default True
        Whether to draw the colour bar.
    ax : Axes or Axes3D, optional
        Where to draw; None makes a figure.
    **kwargs
        Settings of the facets, a `mpl_toolkits.mplot3d.art3d.Poly3DCollection`, in the plane of
        its sides, a `matplotlib.collections.LineCollection`.

    Returns
    -------
    Drawing
        Artists facets, and colorbar if there are values.

    Raises
    ------
    ValueError
        If `values` do not fit, or the polytope has four dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot import plotting
    >>> from geomot.polytopes import minkowski
    >>> solution = minkowski(np.vstack([np.eye(3), -np.eye(3)]), [1, 2, 3, 1, 2, 3])
    >>> list(plotting.polytope(solution, "areas"))
    ['facets', 'colorbar']
    """
    body = getattr(polytope, "polytope", polytope)
    if not isinstance(body, Polytope):
        raise TypeError(
            f"polytope must be a Polytope or a solution with one, got {type(polytope).__name__}"
        )
    dim = body.normals.shape[1]
    if dim not in (2, 3):
        raise ValueError(f"polytope must have 2 or 3 dimensions to be drawn, got {dim}")
    drawn = np.array([len(f) > 0 for f in body.facets])
    mappable = None
    if values is not None:
        numbers = body.areas if isinstance(values, str) and values == "areas" else values
        if isinstance(numbers, str):
            raise ValueError(f'values must be an array or "areas", got {values!r}')
        array = np.array(numbers, dtype=np.float64)
        drawn &= ~np.isnan(array) if array.shape == drawn.shape else True
        numbers = as_vector(np.where(np.isnan(array), 0.0, array), len(drawn), "values")
        shown = numbers[drawn]
        mappable = ScalarMappable(cmap=cmap, norm=flat_norm(shown) if norm is None else norm)
        mappable.set_array(shown)
        mappable.autoscale_None()
        face = mappable.to_rgba(shown)
        if isinstance(values, str) and label is None:
            label = "area of facet" if dim == 3 else "length of side"
    else:
        face = np.tile(to_rgba(_FACE), (np.count_nonzero(drawn), 1))
    corners = [body.vertices[f] for f, d in zip(body.facets, drawn, strict=True) if d]
    if dim == 2:
        ax = new_axes(body.bounds, bar=mappable is not None and legend) if ax is None else ax
        frame(ax, body.bounds)
        settings = {"colors": face, "linewidths": 1.6, "capstyle": "round", **kwargs}
        artist = ax.add_collection(LineCollection(corners, **settings), autolim=False)
        ax.autoscale_view()
    else:
        ax = axes_in_space(ax)
        colours = shaded(face, body.normals[drawn])
        settings = {"facecolors": colours, "edgecolors": paper(ax), "linewidths": 0.4, **kwargs}
        artist = add_polygons(ax, corners, settings, body.bounds)
        quiet_walls(ax, ("$x_1$", "$x_2$", "$x_3$"))
    artists = {"facets": artist}
    if mappable is not None and legend:
        artists["colorbar"] = add_colorbar(ax, mappable, label or "")
    return Drawing(ax, artists)
