"""From what users pass as a source to a source measure."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from geomot.sources.base import KINDS, Source
from geomot.sources.box import UniformBox
from geomot.sources.domains import Domain, PlaneDomain, SpaceDomain
from geomot.sources.polygon import UniformPolygon
from geomot.sources.samplers import draws_points
from geomot.sources.wrapped import WrappedSource

__all__ = [
    "as_source",
    "exact_domain",
    "plane_domain",
    "refuse_periodic",
    "require_exact",
    "space_domain",
]

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

    Examples
    --------
    >>> from geomot.sources import as_source
    >>> as_source(None, 2)
    UniformBox([0.0, 0.0], [1.0, 1.0])
    >>> as_source([(0, 0), (1, 0), (0, 1)], 2)
    UniformPolygon([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    """
    if source is None:
        return UniformBox.unit(dim)
    if _draws_points(source):
        source = WrappedSource(source, dim)
    elif isinstance(source, (bool, numbers.Number)):
        raise TypeError(
            f"{name} must be a source measure or the vertices of a polygon, got {source!r}"
        )
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
            "sites and source must have the same dimension"
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
    if hasattr(source, "__geo_interface__"):  # tables of GeoPandas are arrays, too
        return
    try:
        shape = np.shape(np.asarray(source))
    except (TypeError, ValueError, RuntimeError):
        return
    if len(shape) == 0 or (len(shape) == 2 and shape[1] == 2) or 0 in shape:
        return
    if len(shape) == 2 and shape[1] == dim:
        meant = "for points, pass Samples(points)"
    elif len(shape) == 3 and shape[2] in _COLOURS and dim != 3:
        meant = "for an image in colour, pass GridDensity(image.mean(axis=2))"
    else:
        meant = "for an image or other densities on a grid, pass GridDensity(values)"
    raise ValueError(
        f"{name} must be a source measure or the vertices of a polygon, shape (m, 2), got an array "
        f"of shape {shape}: {meant}"
    )


def require_exact(source: Source, name: str = "source") -> None:
    """Refuse a source without exact diagrams.

    Parameters
    ----------
    source : Source
        The source.
    name : str, default "source"
        The argument's name, for the message.

    Raises
    ------
    ValueError
        If the source has none.

    Examples
    --------
    >>> import geomot
    >>> geomot.sources.require_exact(geomot.UniformBox.unit(2))
    >>> geomot.sources.require_exact(geomot.UniformBox.unit(4))
    Traceback (most recent call last):
    ...
    ValueError: source must have at most 3 dimensions for exact diagrams, got 4 from UniformBox(...)
    """
    if source.exact:
        return
    if source.dim == 1:
        raise ValueError(
            f"{name} must have a distribution function for exact diagrams on the line, got {source}"
        )
    if source.dim == 2:
        raise ValueError(
            f"{name} must be a {_listed(2)} in the plane, or a Mixture of such, for exact "
            f"diagrams, got {source}"
        )
    if source.dim == 3:
        raise ValueError(f"{name} must be a {_listed(3)} in space for exact diagrams, got {source}")
    raise ValueError(
        f"{name} must have at most 3 dimensions for exact diagrams, got {source.dim} from {source}"
    )


def _listed(dim: int) -> str:
    """The kinds of sources with exact diagrams, but for mixtures."""
    exact = (key for key, kind in KINDS.items() if dim in kind.exact_dims and key != "Mixture")
    *kinds, last = sorted(exact)
    return f"{', '.join(kinds)} or {last}"


def exact_domain(source: Source) -> Domain:
    """Return the domain of a source with exact diagrams in the plane or in space; refuse others.

    Parameters
    ----------
    source : Source
        The source.

    Returns
    -------
    Domain

    Examples
    --------
    >>> import geomot
    >>> geomot.sources.exact_domain(geomot.GridDensity([[1.0, 2.0]]))
    ConvexPolygon(<4 corners>)
    """
    require_exact(source)
    if source.domain is None:
        raise ValueError(f"source must have a domain of 2 or 3 dimensions, got {source}")
    return source.domain


def plane_domain(source: Source) -> PlaneDomain:
    """Return the domain of a source with exact diagrams in the plane; refuse others.

    Parameters
    ----------
    source : Source
        The source.

    Returns
    -------
    PlaneDomain

    Examples
    --------
    >>> import geomot
    >>> geomot.sources.plane_domain(geomot.UniformBox.unit(2))
    ConvexPolygon(<4 corners>)
    """
    domain = exact_domain(source)
    if not isinstance(domain, PlaneDomain):
        raise ValueError(f"source must have a domain in the plane, got {source}")
    return domain


def space_domain(source: Source) -> SpaceDomain:
    """Return the domain of a source with exact diagrams in space; refuse others.

    Parameters
    ----------
    source : Source
        The source.

    Returns
    -------
    SpaceDomain

    Examples
    --------
    >>> import geomot
    >>> geomot.sources.space_domain(geomot.UniformBox.unit(3))
    ConvexPolyhedron(<8 corners, 6 faces>)
    """
    domain = exact_domain(source)
    if not isinstance(domain, SpaceDomain):
        raise ValueError(f"source must have a domain in space, got {source}")
    return domain


def refuse_periodic(source: Source, purpose: str, name: str = "source") -> None:
    """Refuse a source on a torus or a cylinder, where distances are those to the nearest copy.

    Parameters
    ----------
    source : Source
        The source.
    purpose : str
        What it cannot be used for, for the message.
    name : str, default "source"
        The argument's name, for the message.

    Raises
    ------
    ValueError
        If the source is periodic.

    Examples
    --------
    >>> import geomot
    >>> torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
    >>> geomot.sources.refuse_periodic(torus, "Monte Carlo")
    Traceback (most recent call last):
    ...
    ValueError: source must not be periodic for Monte Carlo, got UniformBox(...)
    """
    if source.periodic_domain is not None:
        raise ValueError(f"{name} must not be periodic for {purpose}, got {source}")
