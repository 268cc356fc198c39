"""Source measures: where the mass comes from.

A source is a probability measure on R^d that can be sampled. The uniform measures on a convex
polygon (`UniformPolygon`, and `UniformBox` in the plane) are also domains of exact power
diagrams; every source is immutable, comparable and picklable.

Whether a polygon is valid and convex is decided in rational arithmetic on the given doubles: a
vertex that lies exactly on the line of its neighbours is dropped, one that lies an ulp inside
makes the polygon non-convex.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._frozen import Frozen, read_only
from geomot._validation import (
    as_count,
    as_generator,
    as_masses,
    as_points,
    as_real_array,
    as_tolerance,
    as_vector,
)

__all__ = ["Samples", "Source", "UniformBox", "UniformPolygon", "as_source"]

FloatArray = NDArray[np.float64]

# Floats carry relative errors below 2^-50 through the three operations of an orientation; below
# this share of the terms' magnitude, or where they may have underflowed, the sign is computed
# exactly.
_ORIENTATION_FILTER = 2.0**-48
_ORIENTATION_FLOOR = 2.0**-900

# Vertices handled at once.
_CHUNK = 4096

# Most vertices among which crossing edges are searched for, to say what is wrong.
_SEARCHED = 300


class Source(Frozen, ABC):
    """Base of the source measures; each has total mass 1.

    Attributes
    ----------
    exact_dims : tuple of int
        The dimensions in which exact power diagrams of this kind of source are available.
    """

    exact_dims: ClassVar[tuple[int, ...]] = ()

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of coordinates."""

    @property
    @abstractmethod
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""

    @abstractmethod
    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points.

        Parameters
        ----------
        n : int
            Number of points; 0 is allowed.
        random_state : None, int, Generator or RandomState
            The randomness: an integer gives the same points each time.

        Returns
        -------
        ndarray of shape (n, d)
        """

    @property
    def exact(self) -> bool:
        """Whether exact power diagrams of this source are available."""
        return self.dim in self.exact_dims

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the type's name under "type" and the arrays that define the source."""

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Source:
        """Build the source that `to_dict` described.

        Parameters
        ----------
        data : mapping
            What `to_dict` returned.

        Returns
        -------
        Source
        """
        arguments = dict(data)
        name = arguments.pop("type", None)
        if name not in _KINDS:
            raise ValueError(f"data must describe one of {sorted(_KINDS)}, got type {name!r}")
        try:
            return _KINDS[name](**arguments)
        except TypeError as error:
            raise ValueError(f"data must hold the arguments of {name}: {error}") from None


@dataclass(frozen=True, eq=False)
class UniformBox(Source):
    """Uniform measure on a box with sides along the axes.

    Parameters
    ----------
    lower, upper : array_like of shape (d,)
        Opposite corners, lower < upper in each coordinate.

    Examples
    --------
    >>> from geomot import UniformBox
    >>> box = UniformBox([0, 0], [2, 1])
    >>> box.dim, box.area
    (2, 2.0)
    >>> box.sample(3, random_state=0).shape
    (3, 2)
    """

    lower: FloatArray
    upper: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, lower: ArrayLike, upper: ArrayLike) -> None:
        low = as_real_array(lower, "lower")
        if low.ndim != 1 or low.size == 0:
            raise ValueError(f"lower must have shape (d,), got {low.shape}")
        low = as_vector(low, low.size, "lower")
        high = as_vector(upper, low.size, "upper")
        if not (low < high).all():
            k = int(np.flatnonzero(~(low < high))[0])
            raise ValueError(
                f"upper must exceed lower in each coordinate, got lower {low[k]} and "
                f"upper {high[k]} in coordinate {k}"
            )
        object.__setattr__(self, "lower", read_only(low.copy()))
        object.__setattr__(self, "upper", read_only(high.copy()))
        if self.dim == 2 and self.area == 0.0:
            raise ValueError(f"upper must enclose an area that float64 can hold, got {self}")

    @classmethod
    def unit(cls, dim: int = 2) -> UniformBox:
        """Return the unit box [0, 1]^dim."""
        dim = as_count(dim, "dim", 1)
        return cls(np.zeros(dim), np.ones(dim))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.lower.size

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner, shape (2, d)."""
        return np.stack([self.lower, self.upper])

    @property
    def volume(self) -> float:
        """Product of the side lengths."""
        return math.prod((self.upper - self.lower).tolist())

    @property
    def area(self) -> float:
        """Area of a box in the plane."""
        if self.dim != 2:
            raise ValueError(f"area is defined in 2 dimensions, got a box of {self.dim}")
        return self.volume

    @property
    def polygon(self) -> FloatArray:
        """Corners of a box in the plane, counter-clockwise, shape (4, 2)."""
        if self.dim != 2:
            raise ValueError(f"polygon is defined in 2 dimensions, got a box of {self.dim}")
        (x0, y0), (x1, y1) = self.lower, self.upper
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`."""
        n = as_count(n, "n")
        share = as_generator(random_state).random((n, self.dim))
        return np.clip(self.lower + share * (self.upper - self.lower), self.lower, self.upper)

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name and the two corners."""
        return {"type": "UniformBox", "lower": self.lower, "upper": self.upper}

    def __repr__(self) -> str:
        return f"UniformBox({self.lower.tolist()}, {self.upper.tolist()})"


@dataclass(frozen=True, eq=False)
class UniformPolygon(Source):
    """Uniform measure on a convex polygon in the plane.

    Parameters
    ----------
    vertices : array_like of shape (m, 2)
        The corners in either orientation, the first one repeated at the end or not. Repeated
        vertices and vertices exactly on the line of their neighbours are dropped.
    holes : sequence
        Must be empty: polygons with holes are not supported yet.

    Attributes
    ----------
    vertices : ndarray of shape (m, 2)
        The corners, counter-clockwise from the one with the smallest x (then smallest y), so
        that all spellings of a polygon are equal.

    Notes
    -----
    Rounding can push a vertex of a finely sampled convex curve inside the line of its
    neighbours, which makes the polygon non-convex; `UniformPolygon.hull` takes such points.

    Examples
    --------
    >>> from geomot import UniformPolygon
    >>> triangle = UniformPolygon([(0, 0), (0, 1), (1, 0), (0.5, 0)])
    >>> triangle.vertices.tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    >>> triangle.area
    0.5
    >>> UniformPolygon.regular(256, radius=2.0).vertices.shape
    (256, 2)
    """

    vertices: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, vertices: ArrayLike, holes: Any = ()) -> None:
        if holes is not None and len(holes) > 0:
            raise ValueError("holes must be empty: exact diagrams need a convex domain so far")
        points = as_points(vertices, "vertices", 2)
        if len(points) < 3:
            raise ValueError(f"vertices must hold at least 3 points, got {len(points)}")
        object.__setattr__(self, "vertices", read_only(_clean_polygon(points)))
        if self.area == 0.0:
            raise ValueError("vertices must enclose an area that float64 can hold, got 0.0")

    @classmethod
    def regular(cls, n: int, center: ArrayLike = (0.0, 0.0), radius: float = 1.0) -> UniformPolygon:
        """Return a regular polygon.

        Parameters
        ----------
        n : int
            Number of corners, at least 3.
        center : array_like of shape (2,)
            The centre.
        radius : float
            Distance of the corners from the centre; the first corner lies to the right.

        Returns
        -------
        UniformPolygon
            Where n is so large, or the centre so far away, that rounding moves a corner inside
            its neighbours' line, that corner is left out.
        """
        n = as_count(n, "n", 3)
        c = as_vector(center, 2, "center")
        r = as_tolerance(radius, "radius")
        # Only angles below a quarter turn are rounded: the four quarters are exact rotations.
        quarter, rest = np.divmod(4 * np.arange(n), n)
        angle = 0.5 * np.pi * (rest / n)
        x, y = np.cos(angle), np.sin(angle)
        x, y = np.choose(quarter, [x, -y, -x, y]), np.choose(quarter, [y, x, -y, -x])
        return cls.hull(c + r * np.column_stack([x, y]))

    @classmethod
    def hull(cls, points: ArrayLike) -> UniformPolygon:
        """Return the convex hull of points, computed exactly.

        Parameters
        ----------
        points : array_like of shape (m, 2)
            The points, in any order.

        Returns
        -------
        UniformPolygon
        """
        array = as_points(points, "points", 2)
        ordered = sorted(set(map(tuple, array.tolist())))
        corners = _half_hull(ordered)[:-1] + _half_hull(ordered[::-1])[:-1]
        if len(corners) < 3:
            raise ValueError("points must not all lie on one line")
        return cls(corners)

    @property
    def dim(self) -> int:
        """Number of coordinates: 2."""
        return 2

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, 2)."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @cached_property
    def area(self) -> float:
        """Area, correctly rounded."""
        twice = Fraction(0)
        (ax, ay) = map(Fraction, self.vertices[-1].tolist())
        for vertex in self.vertices:
            bx, by = map(Fraction, vertex.tolist())
            twice += ax * by - ay * bx
            ax, ay = bx, by
        return float(twice / 2)

    @property
    def polygon(self) -> FloatArray:
        """The corners, counter-clockwise, shape (m, 2)."""
        return self.vertices

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`."""
        n = as_count(n, "n")
        rng = as_generator(random_state)
        # A fan of triangles: pick one by its area, then a point of it by two sides.
        origin = self.vertices[0]
        a, b = self.vertices[1:-1] - origin, self.vertices[2:] - origin
        areas = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        share = np.cumsum(areas / areas.sum())
        pick, s, t = rng.random((3, n))
        k = np.minimum(np.searchsorted(share, pick, side="right"), len(share) - 1)
        fold = s + t > 1.0
        s, t = np.where(fold, 1.0 - s, s), np.where(fold, 1.0 - t, t)
        points = origin + s[:, None] * a[k] + t[:, None] * b[k]
        return np.clip(points, *self.bounds)

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name and the corners."""
        return {"type": "UniformPolygon", "vertices": self.vertices}

    def __repr__(self) -> str:
        if len(self.vertices) <= 6:
            return f"UniformPolygon({self.vertices.tolist()})"
        return f"UniformPolygon(<{len(self.vertices)} vertices, area {self.area:.6g}>)"


@dataclass(frozen=True, eq=False)
class Samples(Source):
    """Measure given by points with masses.

    Parameters
    ----------
    points : array_like of shape (m, d)
        The points.
    weights : array_like of shape (m,), optional
        Their masses, divided by their sum; equal if None.

    Examples
    --------
    >>> from geomot import Samples
    >>> cloud = Samples([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], weights=[2, 1, 1])
    >>> cloud.weights.tolist()
    [0.5, 0.25, 0.25]
    """

    points: FloatArray
    weights: FloatArray

    def __init__(self, points: ArrayLike, weights: ArrayLike | None = None) -> None:
        array = as_points(points, "points")
        masses = as_masses(weights, len(array), "weights", normalize=True)
        object.__setattr__(self, "points", read_only(array.copy()))
        object.__setattr__(self, "weights", read_only(masses))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.points.shape[1]

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""
        return np.stack([self.points.min(axis=0), self.points.max(axis=0)])

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points with replacement; see `Source.sample`."""
        n = as_count(n, "n")
        rng = as_generator(random_state)
        return self.points[rng.choice(len(self.points), size=n, p=self.weights)]

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the points and their masses."""
        return {"type": "Samples", "points": self.points, "weights": self.weights}

    def __repr__(self) -> str:
        return f"Samples(<{len(self.points)} points in {self.dim} dimensions>)"


_KINDS: dict[str, type[Source]] = {
    kind.__name__: kind for kind in (UniformBox, UniformPolygon, Samples)
}


def as_source(source: Any, dim: int, name: str = "source") -> Source:
    """Return a source measure on R^dim.

    Parameters
    ----------
    source : Source, array_like of shape (m, 2), or None
        None stands for the unit box, an array for the polygon with these vertices.
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
    if not isinstance(source, Source):
        try:
            source = UniformPolygon(source)
        except TypeError as error:
            raise TypeError(f"{name} must be a source measure or a polygon: {error}") from None
        except ValueError as error:
            raise ValueError(f"{name} must be a valid domain: {error}") from None
    if source.dim != dim:
        raise ValueError(f"{name} must have dimension {dim}, got {source.dim} from {source}")
    return source


def exact_polygon(source: Source, name: str = "source") -> FloatArray:
    """Return the polygon of a source that has exact diagrams in the plane."""
    if isinstance(source, (UniformBox, UniformPolygon)) and source.dim == 2:
        return source.polygon
    raise ValueError(
        f"{name} must be a UniformBox or UniformPolygon in the plane for exact diagrams, "
        f"got {source}"
    )


Point = tuple[float, float]


def _exact_orientation(a: Point, b: Point, c: Point) -> int:
    (ax, ay), (bx, by), (cx, cy) = ((Fraction(x), Fraction(y)) for x, y in (a, b, c))
    determinant = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (determinant > 0) - (determinant < 0)


def _orientation(a: Point, b: Point, c: Point) -> int:
    """Return the exact sign of the turn a -> b -> c: 1 to the left, -1 to the right, 0 straight."""
    left = (b[0] - a[0]) * (c[1] - a[1])
    right = (b[1] - a[1]) * (c[0] - a[0])
    size = abs(left) + abs(right)
    if size > _ORIENTATION_FLOOR and abs(left - right) > _ORIENTATION_FILTER * size:
        return 1 if left > right else -1
    return _exact_orientation(a, b, c)


def _half_hull(ordered: list[Point]) -> list[Point]:
    chain: list[Point] = []
    for p in ordered:
        while len(chain) > 1 and _orientation(chain[-2], chain[-1], p) <= 0:
            chain.pop()
        chain.append(p)
    return chain


def _clean_polygon(points: FloatArray) -> FloatArray:
    """Return the corners of a convex polygon, counter-clockwise from the smallest; or refuse."""
    # Adding 0.0 turns -0.0 into 0.0: equal polygons then have equal bits.
    ring = points + 0.0
    repeated = np.empty(len(ring), bool)
    repeated[1:] = (ring[1:] == ring[:-1]).all(axis=1)
    repeated[0] = (ring[0] == ring[-1]).all()
    if repeated.any():
        ring = ring[~repeated]
    turns = _turns(ring)
    while (straight := (turns == 0) & _between_neighbours(ring)).any():
        ring = ring[~straight]
        turns = _turns(ring)
    if len(ring) < 3:
        raise ValueError("vertices must enclose a positive area, got a polygon of zero area")
    if not turns.all():
        k = int(np.flatnonzero(turns == 0)[0])
        raise ValueError(f"vertices must not turn back on themselves, as at {ring[k].tolist()}")
    if turns[0] < 0:
        ring, turns = ring[::-1], -turns
    if turns.min() < 0 or _half_plane_changes(ring) != 2:
        _refuse_non_convex(ring)
    leftmost = np.flatnonzero(ring[:, 0] == ring[:, 0].min())
    start = leftmost[np.argmin(ring[leftmost, 1])]
    return np.concatenate([ring[start:], ring[:start]])


def _turns(ring: FloatArray) -> NDArray[np.int8]:
    """Return the exact sign of the turn at each vertex of a closed polygon."""
    m = len(ring)
    turns = np.empty(m, np.int8)
    # In pieces, so that the memory stays a small multiple of the vertices' own.
    for start in range(0, m, _CHUNK):
        here = np.arange(start, min(start + _CHUNK, m))
        a, b, c = ring[here - 1], ring[here], ring[(here + 1) % m]
        left = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1])
        right = (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        size = np.abs(left) + np.abs(right)
        sure = (size > _ORIENTATION_FLOOR) & (np.abs(left - right) > _ORIENTATION_FILTER * size)
        turns[here] = np.sign(left - right)
        for k in np.flatnonzero(~sure):
            turns[here[k]] = _exact_orientation(*(tuple(v[k].tolist()) for v in (a, b, c)))
    return turns


def _before(a: FloatArray, b: FloatArray) -> NDArray[np.bool_]:
    """Return whether each point of a is lexicographically smaller than the one of b."""
    return (a[:, 0] < b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] < b[:, 1]))


def _ascending(ring: FloatArray) -> NDArray[np.bool_]:
    """Return whether each vertex is lexicographically smaller than its successor."""
    return np.concatenate([_before(ring[:-1], ring[1:]), _before(ring[-1:], ring[:1])])


def _between_neighbours(ring: FloatArray) -> NDArray[np.bool_]:
    """Return whether each vertex lies in the order between its neighbours."""
    up = _ascending(ring)
    return up == np.roll(up, 1)


def _half_plane_changes(ring: FloatArray) -> int:
    """Count how often the direction of the edges passes from one half-plane to the other."""
    up = _ascending(ring)
    return int((up != np.roll(up, 1)).sum())


def _refuse_non_convex(ring: FloatArray) -> None:
    corners = [tuple(p) for p in ring[:_SEARCHED].tolist()]
    m = len(corners)
    # Quadratic, on the way to an error only: the reason is not searched for in long polygons.
    for i, j in combinations(range(m if len(ring) <= _SEARCHED else 0), 2):
        if j == i + 1 or (i, j) == (0, m - 1):
            continue
        (a, b), (c, d) = ((corners[k], corners[(k + 1) % m]) for k in (i, j))
        if (
            _orientation(a, b, c) * _orientation(a, b, d) <= 0
            and _orientation(c, d, a) * _orientation(c, d, b) <= 0
        ):
            raise ValueError(
                f"vertices must form a simple polygon, but edge {a} - {b} meets edge {c} - {d}"
            )
    raise ValueError(
        "vertices must form a convex polygon: exact diagrams do not support others yet "
        "(UniformPolygon.hull gives the convex hull)"
    )
