"""Signed measures as sums of source measures of geomot: what an assembly of pysdot stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.spatial import HalfspaceIntersection

from geomot._orientation import signed_area
from geomot.sources import (
    GridDensity,
    MeshDensity,
    Mixture,
    Source,
    UniformBox,
    UniformPolygon,
    UniformPolyhedron,
    plane_domain,
)

__all__ = ["Domain", "Part", "Piece", "box", "merged", "mixed", "polyhedron", "uniform"]

FloatArray = NDArray[np.float64]

# Lines of boxes are those of a grid if they are so to this share of its pitch.
_EVEN = 1e-12
# Rectangles up to which the lines of boxes cut the plane into a mesh.
_MOST_RECTANGLES = 40_000


class Part(NamedTuple):
    """A source measure, times a mass of any sign."""

    source: Source
    mass: float


class Piece(NamedTuple):
    """A convex piece of constant density: by its planes, and as a box where it is one.

    Attributes
    ----------
    source : UniformBox, UniformPolygon or UniformPolyhedron
        The uniform measure on the piece.
    size : float
        Its area or volume.
    coeff : float
        The density, of any sign.
    planes : ndarray of shape (k, 2 * d)
        A point of each side, and the normal that points outwards.
    """

    source: Source
    size: float
    coeff: float
    planes: FloatArray

    @property
    def part(self) -> Part:
        """The piece as a part of a measure."""
        return Part(self.source, self.coeff * self.size)

    def holds(self, point: FloatArray) -> bool:
        """Whether a point lies in the piece or on its border."""
        d = len(point)
        return bool((np.sum((point - self.planes[:, :d]) * self.planes[:, d:], axis=1) <= 0).all())


class Domain(Protocol):
    """What a `PowerDiagram` of pysdot asks of its domain."""

    _version: int

    def _parts(self) -> list[Part]:
        """The measure as a sum, with as few parts as possible."""

    def _pieces(self) -> list[Piece]:
        """The measure as a sum of uniform measures on convex pieces."""

    def _whole(self) -> Part:
        """The measure as one source, and its mass."""

    def _uniform(self) -> Part:
        """The measure as one uniform source."""


def box(lower: FloatArray, upper: FloatArray, coeff: float) -> Piece:
    """Return a box as a piece."""
    d = len(lower)
    normals = np.vstack([-np.eye(d), np.eye(d)])
    places = np.repeat(np.stack([lower, upper]), d, axis=0)
    size = float(np.prod(upper - lower))
    return Piece(UniformBox(lower, upper), size, coeff, np.hstack([places, normals]))


def corners_of(planes: FloatArray, name: str) -> FloatArray:
    """Return the corners of the intersection of half-spaces.

    Parameters
    ----------
    planes : ndarray of shape (k, 2 * d)
        Points and outward normals.
    name : str
        The argument's name, for messages.
    """
    d = planes.shape[1] // 2
    places, normals = planes[:, :d], planes[:, d:]
    lengths = np.linalg.norm(normals, axis=1)
    if not (lengths > 0.0).all():
        raise ValueError(f"{name} must have normals that are not zero")
    normals = normals / lengths[:, None]
    centre = places.mean(axis=0)
    reaches = np.sum(normals * (places - centre), axis=1)
    # the largest ball inside
    found = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.column_stack([normals, np.ones(len(normals))]),
        b_ub=reaches,
        bounds=[(None, None)] * d + [(0.0, None)],
    )
    if found.status != 0 or not found.x[-1] > 0.0:
        raise ValueError(f"{name} must enclose a bounded region with an interior")
    inside = HalfspaceIntersection(np.column_stack([normals, -reaches]), found.x[:d])
    corners = inside.intersections
    if not np.isfinite(corners).all():
        raise ValueError(f"{name} must enclose a bounded region with an interior")
    return np.asarray(corners + centre)


def polyhedron(planes: FloatArray, coeff: float, name: str) -> Piece:
    """Return an intersection of half-spaces as a piece."""
    corners = corners_of(planes, name)
    if corners.shape[1] == 2:
        polygon = UniformPolygon.hull(corners)
        return Piece(polygon, polygon.area, coeff, planes)
    solid = UniformPolyhedron(corners)
    return Piece(solid, solid.volume, coeff, planes)


def merged(pieces: Sequence[Piece]) -> list[Part]:
    """Return a sum of pieces with as few parts as possible."""
    if len(pieces) == 1:
        return [pieces[0].part]
    if all(isinstance(piece.source, UniformBox) for piece in pieces):
        grid = _boxes(pieces) if pieces[0].source.dim == 2 else None
        if grid is not None:
            return [grid]
    else:
        region = _region(pieces)
        if region is not None:
            return [region]
    return [piece.part for piece in pieces]


def mixed(parts: Sequence[Part]) -> Part:
    """Return a sum of parts as one source; refuse those that have no such source."""
    if len(parts) == 1 and parts[0].mass > 0.0:
        return parts[0]
    if not parts or any(part.mass <= 0.0 for part in parts):
        raise NotImplementedError(
            "densities below zero cannot be a source: give geomot.solve a UniformPolygon with holes"
        )
    if parts[0].source.dim != 2:
        raise NotImplementedError(
            "domains of several pieces in space cannot be a source: use one box or polyhedron"
        )
    masses = np.array([part.mass for part in parts])
    return Part(Mixture([part.source for part in parts], masses), float(masses.sum()))


def uniform(pieces: Sequence[Piece]) -> Part:
    """Return pieces of the same density as one uniform source in the plane."""
    if len(pieces) == 1:
        return pieces[0].part
    (part, *others) = merged(pieces)
    source = part.source
    if not others and isinstance(source, (GridDensity, MeshDensity)):
        region = _uniform_rectangles(pieces)
        if region is not None:
            return Part(region, part.mass)
    if not others and isinstance(source, UniformPolygon):
        return part
    raise NotImplementedError(
        "partial transport needs a uniform density on a polygon: in_ball has exact integrals on "
        "other domains, but no exact solves"
    )


def _region(pieces: Sequence[Piece]) -> Part | None:
    """Polygons of the same density that do not overlap, with holes, as one."""
    coeff = max(piece.coeff for piece in pieces)
    if pieces[0].source.dim != 2 or any(abs(piece.coeff) != coeff for piece in pieces):
        return None
    rings: dict[bool, list[FloatArray]] = {True: [], False: []}
    for piece in pieces:
        source: Any = piece.source
        rings[piece.coeff > 0.0].append(source.polygon)
    try:
        region = UniformPolygon(rings[True], rings[False])
    except ValueError:  # they overlap, or holes do not lie inside
        return None
    return Part(region, coeff * region.area)


def _rectangles(pieces: Sequence[Piece]) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """The lines of boxes along both axes, and the density between them."""
    sources: list[Any] = [piece.source for piece in pieces]
    low, high = (np.array([getattr(s, side) for s in sources]) for side in ("lower", "upper"))
    x, y = (np.unique(np.concatenate([low[:, k], high[:, k]])) for k in range(2))
    if (len(x) - 1) * (len(y) - 1) > _MOST_RECTANGLES:
        return None
    density = np.zeros((len(x) - 1, len(y) - 1))
    starts = np.column_stack([np.searchsorted(x, low[:, 0]), np.searchsorted(y, low[:, 1])])
    ends = np.column_stack([np.searchsorted(x, high[:, 0]), np.searchsorted(y, high[:, 1])])
    for piece, (i, j), (k, m) in zip(pieces, starts, ends, strict=True):
        density[i:k, j:m] += piece.coeff
    return x, y, density


def _boxes(pieces: Sequence[Piece]) -> Part | None:
    """Boxes in the plane as an image, or as a mesh of rectangles; None below zero."""
    found = _rectangles(pieces)
    if found is None:
        return None
    x, y, density = found
    if density.min() < 0.0 or not density.max() > 0.0:
        return None
    mass = float(np.sum(density * np.outer(np.diff(x), np.diff(y))))
    if _even(x) and _even(y):
        return Part(GridDensity(density, [x[0], y[0]], [x[-1], y[-1]]), mass)
    return Part(_mesh(x, y, density), mass)


def _mesh(x: FloatArray, y: FloatArray, density: FloatArray) -> MeshDensity:
    """Rectangles of constant density, each as two triangles."""
    i, j = np.nonzero(density > 0.0)
    corners = np.stack(
        [np.column_stack([x[i + a], y[j + b]]) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))],
        axis=1,
    )
    first = 4 * np.arange(len(i))[:, None]
    triangles = np.vstack([first + [0, 1, 2], first + [0, 2, 3]])
    return MeshDensity(corners.reshape(-1, 2), triangles, np.repeat(density[i, j], 4))


def _uniform_rectangles(pieces: Sequence[Piece]) -> UniformPolygon | None:
    """Where boxes of one density lie."""
    found = _rectangles(pieces)
    if found is None:
        return None
    x, y, density = found
    if len(np.unique(density[density != 0.0])) > 1:
        return None
    outlines = plane_domain(_mesh(x, y, density)).outlines
    return UniformPolygon(
        [ring for ring in outlines if signed_area(ring) > 0.0],
        [ring for ring in outlines if signed_area(ring) < 0.0],
    )


def _even(lines: FloatArray) -> bool:
    steps = np.diff(lines)
    return bool(np.ptp(steps) <= _EVEN * max(float(np.abs(lines).max()), float(steps.max())))
