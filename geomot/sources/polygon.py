"""The uniform measure on a polygon.

Whether a polygon is valid and convex is decided in rational arithmetic on the given doubles. A
vertex on the line of its neighbours is dropped, and so is one of a convex polygon that lies inside
it by no more than the rounding of the coordinates: the cells of a diagram, rounded to doubles, are
convex polygons again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import CONVEX_ROUNDING
from geomot._core.plane.pieces import Pieces
from geomot._frozen import read_only
from geomot._orientation import Point, orientation, surely_left
from geomot._stderr import warn
from geomot._validation import as_count, as_generator, as_points, as_tolerance, as_vector
from geomot.sources._convex_parts import ConvexParts, convex_parts
from geomot.sources._rings import ascending, clean_ring, read_rings, ring_area, turns_of
from geomot.sources.base import Source, symmetric
from geomot.sources.domains import ConvexPolygon, Domain, PolygonRegion, on_hull

__all__ = ["UniformPolygon"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# As many points are few enough for a hull without a first cut.
_FEW = 4096

# Directions in which the first cut of a hull looks for corners.
_DIRECTIONS = 32

# Vertices up to which they are written out.
_WRITTEN_OUT = 6


@dataclass(frozen=True, eq=False)
class UniformPolygon(Source):
    """Uniform measure on a polygon in the plane, of any shape.

    Parameters
    ----------
    vertices : array_like of shape (m, 2), sequence of such, or geometry
        The corners in either orientation, the first one repeated at the end or not; or several
        polygons, which may touch and must not overlap. Repeated vertices are dropped, and so are
        vertices on the line of their neighbours, or inside a convex polygon by no more than the
        rounding of the coordinates. A GeoJSON object (Polygon, MultiPolygon, Feature), a geometry
        of shapely, or a GeoSeries or GeoDataFrame of GeoPandas is taken with its holes.
    holes : sequence of array_like of shape (k, 2)
        Polygons that are cut out. They may touch what they are cut from, and each other.

    Attributes
    ----------
    vertices : ndarray of shape (total, 2)
        The corners of all rings, one ring after the other, holes last. A ring starts at the corner
        with the smallest x (then smallest y) and has the domain on its left, so that all spellings
        of a polygon are equal.
    sizes : ndarray, int64
        How many corners each ring has; negative for holes.

    Raises
    ------
    ValueError
        If edges of a ring meet other than at their common corner, if rings cross or overlap, or if
        a hole does not lie inside.

    Warns
    -----
    UserWarning
        If the table's coordinate reference system has degrees, not lengths.

    Notes
    -----
    Exact diagrams cut a domain that is not convex into convex parts with the polygon's own corners;
    `domain` holds them. On a domain in several components the weights between components are
    determined only by cells that have mass in both.

    Rounding can push a vertex of a convex polygon inside the line of its neighbours. Where no
    vertex lies farther inside the convex hull than four units in the last place of the largest
    coordinates, the hull is taken, so that ``UniformPolygon(diagram.cells[i])`` works for every
    cell that has corners.

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

    A square with a hole, and what an L holds of the plane's quadrants.

    >>> square, hole = [(0, 0), (3, 0), (3, 3), (0, 3)], [(1, 1), (2, 1), (2, 2), (1, 2)]
    >>> UniformPolygon(square, holes=[hole]).area
    8.0
    >>> import geomot
    >>> corner = UniformPolygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
    >>> diagram = geomot.PowerDiagram([(0.5, 0.5), (1.5, 0.5), (0.5, 1.5)], None, corner)
    >>> diagram.masses.round(12).tolist()
    [0.333333333333, 0.333333333333, 0.333333333333]
    """

    vertices: FloatArray
    sizes: IndexArray = field(init=False)
    exact_dims: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, vertices: Any, holes: Any = ()) -> None:
        given, cut = read_rings(vertices, holes)
        rings = [clean_ring(ring, "vertices") for ring in given]
        cut = [clean_ring(ring, "holes", clockwise=True) for ring in cut]
        parts = None
        convex = _as_convex(rings[0]) if len(rings) == 1 and not cut else None
        if convex is not None:
            rings = [convex]
        else:
            rings, cut = _in_order(rings), _in_order(cut)
            parts = convex_parts(rings, cut)
        sizes = [len(ring) for ring in rings] + [-len(ring) for ring in cut]
        object.__setattr__(self, "vertices", read_only(np.concatenate([*rings, *cut])))
        object.__setattr__(self, "sizes", read_only(np.array(sizes, dtype=np.int64)))
        self.__dict__["_crs"] = _crs_of(vertices)
        if self.area == 0.0:
            raise ValueError("vertices must enclose an area that float64 can hold, got 0.0")
        if parts is not None:
            self.__dict__["_parts"] = parts

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

    @property
    def rings(self) -> list[FloatArray]:
        """The outer rings, counter-clockwise."""
        return [r for r, size in zip(self._rings, self.sizes, strict=True) if size > 0]

    @property
    def holes(self) -> list[FloatArray]:
        """The rings around holes, clockwise."""
        return [r for r, size in zip(self._rings, self.sizes, strict=True) if size < 0]

    @property
    def _rings(self) -> list[FloatArray]:
        return np.split(self.vertices, np.cumsum(np.abs(self.sizes))[:-1])

    @cached_property
    def area(self) -> float:
        """Area, correctly rounded."""
        return float(sum((ring_area(ring) for ring in self._rings), Fraction(0)))

    @property
    def crs(self) -> str | None:
        """Coordinate reference system of the table of GeoPandas that it was made of.

        As in "EPSG:28992"; None for everything else. It is neither compared nor saved to files.
        """
        return self.__dict__.get("_crs")

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_crs": self.crs}

    @property
    def polygon(self) -> FloatArray:
        """The corners, shape (total, 2): edge e of the domain begins in corner e."""
        return self.vertices

    @cached_property
    def _parts(self) -> ConvexParts | None:
        """The convex parts; None for a convex polygon."""
        if len(self.sizes) == 1 and _as_convex(self.vertices) is not None:
            return None
        return convex_parts(self.rings, self.holes)

    @cached_property
    def domain(self) -> Domain:
        """The polygon."""
        parts = self._parts
        if parts is None:
            return ConvexPolygon(self.vertices)
        if len(parts.polygons) == 1:
            return ConvexPolygon(parts.polygons[0])
        return PolygonRegion(
            np.concatenate(parts.polygons),
            np.cumsum([0, *map(len, parts.polygons)]),
            np.concatenate([np.where(k >= 0, -1 - k, 0) for k in parts.labels]),
            parts.component,
            np.array(_hull(_outer(self.vertices))),
            self.vertices,
            np.abs(self.sizes),
        )

    @property
    def scaled_density(self) -> Callable[[float], Any] | None:
        """Uniform; on the parts, where there are several."""
        domain = self.domain
        if not isinstance(domain, PolygonRegion):
            return None
        corners, offsets, area = domain.corners, domain.offsets, self.area
        outer = self._outer
        return lambda scale: Pieces(
            offsets, scale * corners, np.full(len(corners), 1.0 / (area * scale * scale)), outer
        )

    @cached_property
    def _outer(self) -> NDArray[np.bool_]:
        """Which edges of the parts lie on the border of the convex hull."""
        parts = [self.vertices] if self._parts is None else self._parts.polygons
        ends = np.concatenate([np.roll(part, -1, axis=0) for part in parts])
        hull = UniformPolygon.hull(self.vertices).vertices
        return on_hull(np.concatenate(parts), ends, hull)

    @property
    def darkest(self) -> float:
        """The least density on the convex hull, relative to the mean: 0 for other polygons."""
        return 1.0 if self.domain.convex else 0.0

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
        # Pick a triangle by its area, then a point of it by two sides.
        origin, a, b, areas = self._triangles
        share = np.cumsum(areas)
        pick, s, t = rng.random((3, n))
        k = np.minimum(np.searchsorted(share, pick, side="right"), len(share) - 1)
        fold = s + t > 1.0
        s, t = np.where(fold, 1.0 - s, s), np.where(fold, 1.0 - t, t)
        points = origin[k] + s[:, None] * a[k] + t[:, None] * b[k]
        return np.clip(points, *self.bounds)

    @cached_property
    def _triangles(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Triangles at the first corner of each part: the corner, two sides, share of the area."""
        parts = [self.vertices] if self._parts is None else self._parts.polygons
        origin = np.concatenate([np.repeat(p[:1], len(p) - 2, axis=0) for p in parts])
        a = np.concatenate([p[1:-1] - p[0] for p in parts])
        b = np.concatenate([p[2:] - p[0] for p in parts])
        areas = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        return origin, a, b, areas / areas.sum()

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (2,)."""
        origin, a, b, shares = self._triangles
        first = self.vertices[0]
        return read_only(first + shares @ ((origin - first) + (a + b) / 3.0))

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (2, 2)."""
        origin, a, b, shares = self._triangles
        first = self.vertices[0]
        centre = shares @ ((origin - first) + (a + b) / 3.0)
        total = np.zeros((2, 2))
        # A triangle's second moment is that of its corners and of their sum; all seen from the
        # barycentre, so that thin polygons keep their digits.
        at = (origin - first) - centre
        corners = [at, at + a, at + b]
        for point in [*corners, corners[0] + corners[1] + corners[2]]:
            total += point.T @ (shares[:, None] * point) / 12.0
        return symmetric(total)

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: 2."""
        return 2

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        # The first number sweeps the fan of a part, triangle after triangle, the second one goes
        # outwards: a continuous map within each part.
        origin, a, b, shares = self._triangles
        share = np.cumsum(shares)
        k = np.minimum(np.searchsorted(share, u[:, 0], side="right"), len(share) - 1)
        t = np.clip((u[:, 0] - (share[k] - shares[k])) / shares[k], 0.0, 1.0)[:, None]
        points = origin[k] + np.sqrt(u[:, 1:]) * ((1.0 - t) * a[k] + t * b[k])
        return np.clip(points, *self.bounds)

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name and the corners; for several rings, how many each has.

        Examples
        --------
        >>> from geomot import UniformPolygon
        >>> UniformPolygon([(0, 0), (1, 0), (0, 1)]).to_dict()["vertices"].tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        """
        several = {} if len(self.sizes) == 1 else {"sizes": self.sizes.astype(np.float64)}
        return {"type": "UniformPolygon", "vertices": self.vertices, **several}

    @classmethod
    def _from_arguments(cls, **arguments: Any) -> Source:
        sizes = arguments.pop("sizes", None)
        if sizes is None:
            return cls(**arguments)
        corners = as_points(arguments.pop("vertices", None), "vertices", 2)
        counts = as_vector(sizes, np.size(sizes), "sizes")
        whole = (counts == np.floor(counts)) & (np.abs(counts) >= 3.0)
        if arguments or not whole.all() or np.abs(counts).sum() != len(corners):
            raise ValueError(f"sizes must divide {len(corners)} vertices, got {counts.tolist()}")
        rings = np.split(corners, np.cumsum(np.abs(counts).astype(np.int64))[:-1])
        return cls(
            [ring for ring, n in zip(rings, counts, strict=True) if n > 0],
            [ring for ring, n in zip(rings, counts, strict=True) if n < 0],
        )

    def __repr__(self) -> str:
        if len(self.vertices) <= _WRITTEN_OUT and len(self.sizes) == 1:
            return f"UniformPolygon({self.vertices.tolist()})"
        counts = ((len(self.rings), "ring"), (len(self.holes), "hole"))
        words = [f"{n} {word}{'s' if n != 1 else ''}, " for n, word in counts if n]
        several = "".join(words) if len(self.sizes) > 1 else ""
        return f"UniformPolygon(<{several}{len(self.vertices)} vertices, area {self.area:.6g}>)"


def _crs_of(geometry: Any) -> str | None:
    """The coordinate reference system of a table of GeoPandas, as text."""
    crs: Any = getattr(geometry, "crs", None)
    if not hasattr(crs, "is_geographic"):
        return None
    if crs.is_geographic:
        warn(
            "vertices are in degrees, and distances are computed from the coordinates as they are: "
            "convert them to a projected system first, as by to_crs(geometry.estimate_utm_crs())",
            UserWarning,
            stacklevel=3,
        )
    return str(crs.to_string())


def _outer(points: FloatArray) -> FloatArray:
    """Return the points without most of those that surely lie inside their hull."""
    if len(points) <= _FEW:
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


def _in_order(rings: list[FloatArray]) -> list[FloatArray]:
    """Rings in the order of their first corners, whatever order they were given in."""
    return sorted(rings, key=lambda ring: ring.tolist())


def _as_convex(ring: FloatArray) -> FloatArray | None:
    """Return the corners of a ring that is convex up to rounding; None for any other."""
    if turns_of(ring).min() > 0 and _half_plane_changes(ring) == 2:
        return ring
    hull = _hull(ring)
    return np.array(hull) if _follows(ring, hull) else None


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


def _half_plane_changes(ring: FloatArray) -> int:
    """Count how often the direction of the edges passes from one half-plane to the other."""
    up = ascending(ring)
    return int((up != np.roll(up, 1)).sum())
