"""From what users pass as a source to a source measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geomot.sources.base import Source
from geomot.sources.box import UniformBox
from geomot.sources.domains import ConvexPolygon, Domain
from geomot.sources.polygon import UniformPolygon
from geomot.sources.samplers import draws_points
from geomot.sources.wrapped import WrappedSource

__all__ = ["as_source", "convex_polygon", "exact_domain", "require_exact"]

# Channels of an image in colour, without and with opacity.
_COLOURS = (3, 4)


def as_source(source: Any, dim: int, name: str = "source") -> Source:
    """Return a source measure on R^dim.

    Parameters
    ----------
    source : Source, object with a `sample` method, array_like of shape (m, 2), or None
        None stands for the unit box, an array for the polygon with these vertices. Any other
        object that can draw points becomes a `WrappedSource`; so do samplers of other libraries.
    dim : int
        The required dimension.
    name : str, default "source"
        The argument's name, for the message.

    Returns
    -------
    Source
    """
    if source is None:
        return UniformBox.unit(dim)
    if _draws_points(source):
        source = WrappedSource(source, dim)
    elif not isinstance(source, Source):
        _refuse_other_arrays(source, dim, name)
        try:
            source = UniformPolygon(source)
        except TypeError as error:
            raise TypeError(f"{name} must be a source measure or a polygon: {error}") from None
        except ValueError as error:
            raise ValueError(f"{name} must be a valid domain: {error}") from None
    if source.dim != dim:
        raise ValueError(
            f"{name} must have dimension {dim}, got {source.dim} from {source}: "
            "sites and source lie in the same space"
        )
    return source


def _draws_points(source: Any) -> bool:
    # Tables, which draw rows, are arrays of vertices.
    return (
        not isinstance(source, (Source, Sequence, type))
        and not hasattr(source, "__array__")
        and draws_points(source)
    )


def _refuse_other_arrays(source: Any, dim: int, name: str) -> None:
    """Refuse an array that cannot hold vertices, and name the source that it may be meant for."""
    try:
        shape = np.shape(np.asarray(source))
    except (TypeError, ValueError, RuntimeError):
        return
    if len(shape) == 0 or (len(shape) == 2 and shape[1] == 2) or 0 in shape:
        return
    if len(shape) == 2 and shape[1] == dim:
        meant = "Samples(points) is the measure of points"
    elif len(shape) == 3 and shape[2] in _COLOURS and dim != 3:
        meant = "GridDensity(image.mean(axis=2)) is the measure of an image in colour"
    else:
        meant = "GridDensity(values) is the measure of an image or of other densities on a grid"
    raise ValueError(
        f"{name} must be a source measure or the vertices of a polygon, shape (m, 2), got an array "
        f"of shape {shape}: {meant}"
    )


def require_exact(source: Source, name: str = "source") -> None:
    """Refuse a source without exact diagrams."""
    if source.exact:
        return
    if source.dim == 1:
        raise ValueError(
            f"{name} must have a distribution function for exact diagrams on the line, got {source}"
        )
    if source.dim == 2:
        raise ValueError(
            f"{name} must be a UniformBox, UniformPolygon, GridDensity or Gaussian in the plane, "
            f"or a Mixture of such, for exact diagrams, got {source}"
        )
    raise ValueError(f"{name} must be on the line or in the plane for exact diagrams, got {source}")


def exact_domain(source: Source) -> Domain:
    """Return the domain of a source with exact diagrams in the plane; refuse others."""
    require_exact(source)
    if source.domain is None:
        raise ValueError(f"source must have a domain of 2 dimensions, got {source}")
    return source.domain


def convex_polygon(source: Source) -> ConvexPolygon:
    """Return the domain of a source with exact diagrams, if it is a convex polygon."""
    domain = exact_domain(source)
    if not isinstance(domain, ConvexPolygon):
        raise ValueError(f"source must be uniform on a convex polygon, got {source}")
    return domain
