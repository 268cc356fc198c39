"""The uniform measure on a convex polygon.

Whether a polygon is valid and convex is decided in rational arithmetic on the given doubles. A
vertex on the line of its neighbours is dropped, and so is one that lies inside it by no more than
the rounding of the coordinates: the cells of a diagram, rounded to doubles, are convex polygons
again.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import CONVEX_ROUNDING
from geomot._frozen import read_only
from geomot._orientation import Point, orientation, orientations, surely_left
from geomot._validation import as_count, as_generator, as_points, as_tolerance, as_vector
from geomot.sources.base import Source, symmetric
from geomot.sources.domains import ConvexPolygon

__all__ = ["UniformPolygon"]

FloatArray = NDArray[np.float64]

# Vertices handled at once; and as many points are few enough for a hull without a first cut.
_VERTICES_AT_ONCE = 4096

# Directions in which the first cut of a hull looks for corners.
_DIRECTIONS = 32

# Most vertices among which crossing edges are searched for, to say what is wrong.
_SEARCHED = 300

# Vertices up to which they are written out.
_WRITTEN_OUT = 6


@dataclass(frozen=True, eq=False)
class UniformPolygon(Source):
    """Uniform measure on a convex polygon in the plane.

    Parameters
    ----------
    vertices : array_like of shape (m, 2)
        The corners in either orientation, the first one repeated at the end or not. Repeated
        vertices are dropped, and so are vertices on the line of their neighbours, or inside it by
        no more than the rounding of the coordinates.
    holes : sequence
        Must be empty: polygons with holes are not supported yet.

    Attributes
    ----------
    vertices : ndarray of shape (m, 2)
        The corners, counter-clockwise from the one with the smallest x (then smallest y), so
        that all spellings of a polygon are equal.

    Notes
    -----
    Rounding can push a vertex of a convex polygon inside the line of its neighbours. Where no
    vertex lies farther inside the convex hull than four units in the last place of the largest
    coordinates, the hull is taken, so that ``UniformPolygon(diagram.cells[i])`` works for every
    cell that has corners. Any other polygon that is not convex is refused; `UniformPolygon.hull`
    takes points of any kind.

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

        Examples
        --------
        >>> from geomot import UniformPolygon
        >>> UniformPolygon.regular(4).vertices.tolist()
        [[-1.0, 0.0], [0.0, -1.0], [1.0, 0.0], [0.0, 1.0]]
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

        Examples
        --------
        >>> from geomot import UniformPolygon
        >>> UniformPolygon.hull([(0, 0), (2, 0), (0, 2), (0.5, 0.5)]).vertices.tolist()
        [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]
        """
        corners = _hull(_outer(as_points(points, "points", 2)))
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

    @property
    def domain(self) -> ConvexPolygon:
        """The polygon."""
        return ConvexPolygon(self.vertices)

    @property
    def plane_density(self) -> None:
        """Uniform."""
        return None

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> from geomot import UniformPolygon
        >>> UniformPolygon([(0, 0), (1, 0), (0, 1)]).sample(2, random_state=0).round(2).tolist()
        [[0.04, 0.81], [0.02, 0.91]]
        """
        n = as_count(n, "n")
        rng = as_generator(random_state)
        # Pick a triangle of the fan by its area, then a point of it by two sides.
        origin = self.vertices[0]
        a, b, areas = self._fan
        share = np.cumsum(areas)
        pick, s, t = rng.random((3, n))
        k = np.minimum(np.searchsorted(share, pick, side="right"), len(share) - 1)
        fold = s + t > 1.0
        s, t = np.where(fold, 1.0 - s, s), np.where(fold, 1.0 - t, t)
        points = origin + s[:, None] * a[k] + t[:, None] * b[k]
        return np.clip(points, *self.bounds)

    @cached_property
    def _fan(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Triangles at the first corner: two sides of each, and its share of the area."""
        origin = self.vertices[0]
        a, b = self.vertices[1:-1] - origin, self.vertices[2:] - origin
        areas = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        return a, b, areas / areas.sum()

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (2,)."""
        a, b, shares = self._fan
        return read_only(self.vertices[0] + shares @ ((a + b) / 3.0))

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (2, 2)."""
        a, b, shares = self._fan
        centre = shares @ ((a + b) / 3.0)
        total = np.zeros((2, 2))
        # A triangle's second moment is that of its corners and of their sum; all seen from the
        # barycentre, so that thin polygons keep their digits.
        corners = [np.zeros_like(a) - centre, a - centre, b - centre]
        for point in [*corners, corners[0] + corners[1] + corners[2]]:
            total += point.T @ (shares[:, None] * point) / 12.0
        return symmetric(total)

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: 2."""
        return 2

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        # The first number sweeps the fan, triangle after triangle, the second one goes outwards:
        # a continuous map.
        a, b, shares = self._fan
        share = np.cumsum(shares)
        k = np.minimum(np.searchsorted(share, u[:, 0], side="right"), len(share) - 1)
        t = np.clip((u[:, 0] - (share[k] - shares[k])) / shares[k], 0.0, 1.0)[:, None]
        points = self.vertices[0] + np.sqrt(u[:, 1:]) * ((1.0 - t) * a[k] + t * b[k])
        return np.clip(points, *self.bounds)

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name and the corners.

        Examples
        --------
        >>> from geomot import UniformPolygon
        >>> UniformPolygon([(0, 0), (1, 0), (0, 1)]).to_dict()["vertices"].tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        """
        return {"type": "UniformPolygon", "vertices": self.vertices}

    def __repr__(self) -> str:
        if len(self.vertices) <= _WRITTEN_OUT:
            return f"UniformPolygon({self.vertices.tolist()})"
        return f"UniformPolygon(<{len(self.vertices)} vertices, area {self.area:.6g}>)"


def _outer(points: FloatArray) -> FloatArray:
    """Return the points without most of those that surely lie inside their hull."""
    if len(points) <= _VERTICES_AT_ONCE:
        return points
    angle = 2.0 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    # In turn around the hull; a point to the left of all sides is surrounded by corners.
    shifted = points - points[0]
    corners = points[[(shifted @ (np.cos(a), np.sin(a))).argmax() for a in angle]]
    ends = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    sides = [(a, b) for a, b in ends if (a != b).any()]
    inside = np.full(len(points), len(sides) > 0)
    for a, b in sides:
        inside &= surely_left(a, b, points)
    return points[~inside]


def _half_hull(ordered: list[Point]) -> list[Point]:
    chain: list[Point] = []
    for p in ordered:
        while len(chain) > 1 and orientation(chain[-2], chain[-1], p) <= 0:
            chain.pop()
        chain.append(p)
    return chain


def _hull(points: FloatArray) -> list[Point]:
    """Return the corners of the convex hull, counter-clockwise from the smallest."""
    ordered = sorted(set(map(tuple, points.tolist())))
    return _half_hull(ordered)[:-1] + _half_hull(ordered[::-1])[:-1]


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
    start = _smallest(ring)
    if turns[start] < 0:
        ring, turns = ring[::-1], -turns[::-1]
        start = len(ring) - 1 - start
    ring = np.concatenate([ring[start:], ring[:start]])
    if turns.min() < 0 or _half_plane_changes(ring) != 2:
        hull = _hull(ring)
        if not _follows(ring, hull):
            _refuse_non_convex(ring)
        ring = np.array(hull)
    return ring


def _smallest(ring: FloatArray) -> int:
    """Return the place of the vertex with the smallest x, then y: a corner of the hull."""
    leftmost = np.flatnonzero(ring[:, 0] == ring[:, 0].min())
    return int(leftmost[np.argmin(ring[leftmost, 1])])


def _follows(ring: FloatArray, hull: list[Point]) -> bool:
    """Return whether a polygon goes along its convex hull, up to the rounding of coordinates.

    Both start at the smallest vertex and run counter-clockwise.
    """
    ux, uy = (Fraction(float(u)) for u in CONVEX_ROUNDING * np.spacing(np.abs(ring).max(axis=0)))
    edge = 0
    last = ring[0]
    for point in ring[1:]:
        x, y = point.tolist()
        if (x, y) == hull[(edge + 1) % len(hull)]:
            edge += 1
        else:
            (ax, ay), (bx, by) = (map(Fraction, hull[k % len(hull)]) for k in (edge, edge + 1))
            ex, ey = bx - ax, by - ay
            depth = ex * (Fraction(y) - ay) - ey * (Fraction(x) - ax)
            step = ex * (Fraction(x) - Fraction(last[0])) + ey * (Fraction(y) - Fraction(last[1]))
            if depth > abs(ex) * uy + abs(ey) * ux or step < -(abs(ex) * ux + abs(ey) * uy):
                return False
        last = point
    return edge == len(hull) - 1


def _turns(ring: FloatArray) -> NDArray[np.int8]:
    """Return the exact sign of the turn at each vertex of a closed polygon."""
    m = len(ring)
    turns = np.empty(m, np.int8)
    # In pieces, so that the memory stays a small multiple of the vertices' own.
    for start in range(0, m, _VERTICES_AT_ONCE):
        here = np.arange(start, min(start + _VERTICES_AT_ONCE, m))
        turns[here] = orientations(ring[here - 1], ring[here], ring[(here + 1) % m])
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
            orientation(a, b, c) * orientation(a, b, d) <= 0
            and orientation(c, d, a) * orientation(c, d, b) <= 0
        ):
            raise ValueError(
                f"vertices must form a simple polygon, but edge {a} - {b} meets edge {c} - {d}"
            )
    raise ValueError(
        "vertices must form a convex polygon: exact diagrams do not support others yet "
        "(UniformPolygon.hull gives the convex hull)"
    )
