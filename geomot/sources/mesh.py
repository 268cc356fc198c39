"""The measure with a density that is linear on the triangles of a mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import WEIGHT_LIMIT
from geomot._core.plane.pieces import Pieces
from geomot._frozen import read_only
from geomot._orientation import orientations
from geomot._validation import as_count, as_generator, as_points, as_real_array
from geomot.sources._convex_parts import ConvexParts, parts_within
from geomot.sources._rings import meetings
from geomot.sources.base import Source, symmetric
from geomot.sources.domains import ConvexPolygon, PlaneDomain, PolygonRegion, on_hull
from geomot.sources.polygon import UniformPolygon

__all__ = ["MeshDensity"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MeshDensity(Source):
    """Measure in the plane with a density that is linear on each triangle of a mesh.

    Parameters
    ----------
    points : array_like of shape (n, 2)
        The vertices of the mesh. Vertices that coincide may have different values: the density
        jumps between their triangles.
    simplices : array_like of shape (m, 3), integers
        The vertices of each triangle, in either orientation.
    values : array_like of shape (n,), optional
        The density at the vertices, up to a factor, not negative; uniform if None.

    Attributes
    ----------
    points : ndarray of shape (n, 2)
        The vertices.
    simplices : ndarray of shape (m, 3), int64
        The triangles, counter-clockwise.
    values : ndarray of shape (n,)
        The density, with integral 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it. Triangles must have an area, must not
        overlap, and must share whole edges: a vertex in the middle of another triangle's edge (a
        hanging node) is refused. All of this is decided exactly.

    Notes
    -----
    Mass, centroid and cost of a cell are exact integrals over its parts in the triangles. Where all
    values of a triangle are zero the domain has no mass, but it is still part of the domain.

    Examples
    --------
    Twice as dense at x = 1 as in the middle of the unit square, and 0 at x = 0.

    >>> import geomot
    >>> corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    >>> ramp = geomot.MeshDensity(corners, [(0, 1, 2), (0, 2, 3)], [0, 1, 1, 0])
    >>> ramp.values.tolist(), ramp.mean.round(12).tolist()
    ([0.0, 2.0, 2.0, 0.0], [0.666666666667, 0.5])
    >>> geomot.PowerDiagram([(0.25, 0.5), (0.75, 0.5)], None, ramp).masses.tolist()
    [0.25, 0.75]
    """

    points: FloatArray
    simplices: IndexArray
    values: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (2,)

    def __init__(
        self, points: ArrayLike, simplices: ArrayLike, values: ArrayLike | None = None
    ) -> None:
        # adding 0.0 turns -0.0 into 0.0: equal meshes then have equal bits
        places = as_points(points, "points", 2) + 0.0
        triangles = _as_triangles(simplices, places)
        object.__setattr__(self, "points", read_only(places))
        object.__setattr__(self, "simplices", read_only(triangles))
        self.__dict__["_parts"] = self._outlined()
        heights = _as_heights(values, len(places))
        mass = float(np.sum(self._areas * heights[triangles].mean(axis=1)))
        if not mass > 0.0:
            raise ValueError("values must be positive at a vertex of some triangle, got none")
        object.__setattr__(self, "values", read_only(heights / mass))

    @property
    def dim(self) -> int:
        """Number of coordinates: 2."""
        return 2

    @cached_property
    def _corners(self) -> FloatArray:
        """The corners of the triangles, (m, 3, 2)."""
        return self.points[self.simplices]

    @cached_property
    def _areas(self) -> FloatArray:
        a, b, c = (self._corners[:, k] for k in range(3))
        u, v = b - a, c - a
        return 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])

    @cached_property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, 2)."""
        used = self._corners.reshape(-1, 2)
        return read_only(np.stack([used.min(axis=0), used.max(axis=0)]))

    # ---- the domain ----

    @cached_property
    def _merged(self) -> tuple[FloatArray, IndexArray]:
        """Distinct vertices, and the triangles in terms of them."""
        distinct, which = np.unique(self._corners.reshape(-1, 2), axis=0, return_inverse=True)
        return distinct, which.reshape(-1, 3).astype(np.int64)

    @cached_property
    def _outline(self) -> tuple[IndexArray, IndexArray]:
        """The border as directed edges of distinct vertices, ring after ring; the rings' sizes."""
        return _rings(_border(*self._merged))

    @cached_property
    def _parts(self) -> ConvexParts:
        return self._outlined()

    def _outlined(self) -> ConvexParts:
        """The domain as convex parts; refused if triangles overlap."""
        distinct, _ = self._merged
        edges, _ = self._outline
        _refuse_meetings(distinct, edges)
        try:
            return parts_within(distinct, edges)
        except ValueError:  # the border goes around a point twice
            raise ValueError(
                "simplices must not overlap, but some triangles lie on others"
            ) from None

    @cached_property
    def domain(self) -> PlaneDomain:
        """All triangles together."""
        parts = self._parts
        if len(parts.polygons) == 1:
            corners = parts.polygons[0]
            first = int(np.lexsort((corners[:, 1], corners[:, 0]))[0])
            return ConvexPolygon(np.roll(corners, -first, axis=0))
        distinct, _ = self._merged
        edges, sizes = self._outline
        return PolygonRegion(
            np.concatenate(parts.polygons),
            np.cumsum([0, *map(len, parts.polygons)]),
            np.concatenate([np.where(k >= 0, -1 - k, 0) for k in parts.labels]),
            parts.component,
            UniformPolygon.hull(distinct).vertices,
            distinct[edges[:, 0]],
            sizes,
        )

    @property
    def polygon(self) -> FloatArray:
        """The corners of the outlines, shape (total, 2): edge e begins in corner e."""
        return np.concatenate(self.domain.outlines)

    @cached_property
    def plane_density(self) -> Callable[[float], Any]:
        """Linear on each triangle."""
        corners = self._corners.reshape(-1, 2)
        start = 3 * np.arange(len(self.simplices) + 1)
        values = self.values[self.simplices].reshape(-1)
        outer = self._outer

        # setting up the kernel takes as long as a diagram
        @lru_cache(maxsize=1)
        def density(scale: float) -> Pieces:
            return Pieces(start, scale * corners, values / (scale * scale), outer)

        return density

    @cached_property
    def _outer(self) -> NDArray[np.bool_]:
        """Which edges of the triangles lie on the border of the convex hull, (3 m,)."""
        starts, ends = self._corners, np.roll(self._corners, -1, axis=1)
        hull = self.domain.container.vertices
        return on_hull(starts.reshape(-1, 2), ends.reshape(-1, 2), hull)

    @property
    def darkest(self) -> float:
        """The least density on the convex hull, relative to the mean."""
        if not self.domain.convex:
            return 0.0
        return float(self.values[self.simplices].min() * self._areas.sum())

    # ---- points and moments ----

    @cached_property
    def _shares(self) -> FloatArray:
        """Cumulated masses of the triangles' corners: each has a third of its value's share."""
        masses = (self._areas / 3.0)[:, None] * self.values[self.simplices]
        return np.cumsum(masses.reshape(-1))

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> import geomot
        >>> corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
        >>> ramp = geomot.MeshDensity(corners, [(0, 1, 2), (0, 2, 3)], [0, 1, 1, 0])
        >>> bool(abs(ramp.sample(10_000, random_state=0).mean(axis=0) - ramp.mean).max() < 0.01)
        True
        """
        n = as_count(n, "n")
        return self._from_uniforms(as_generator(random_state).random((n, 3)))

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: 3."""
        return 3

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        # Linear on a triangle: a mixture of three densities, each proportional to the barycentric
        # coordinate of one corner. That coordinate has the law Beta(2, 2), whose distribution
        # function 3 t^2 - 2 t^3 has an inverse in closed form; the two others share the rest.
        shares = self._shares
        pick = np.searchsorted(shares, u[:, 0] * shares[-1], side="right")
        held = np.flatnonzero(np.diff(shares, prepend=0.0) > 0.0)
        pick = np.minimum(pick, held[-1])
        triangle, corner = np.divmod(pick, 3)
        own = 0.5 - np.sin(np.arcsin(1.0 - 2.0 * u[:, 1]) / 3.0)
        rest = (1.0 - own) * u[:, 2]
        a, b, c = (self._corners[triangle, (corner + k) % 3] for k in range(3))
        points = a + ((1.0 - own) - rest)[:, None] * (b - a) + rest[:, None] * (c - a)
        return np.clip(points, *self.bounds)

    @cached_property
    def _moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean, and covariance."""
        f = self.values[self.simplices]
        origin = self._corners[0, 0]
        seen = self._corners - origin
        total, x = f.sum(axis=1), seen.sum(axis=1)
        fx = np.einsum("mk,mki->mi", f, seen)
        mean = np.sum((self._areas / 12.0)[:, None] * (total[:, None] * x + fx), axis=0)
        # about the mean, so that thin meshes keep their digits
        seen = seen - mean
        x = seen.sum(axis=1)
        fx = np.einsum("mk,mki->mi", f, seen)
        within = np.einsum("m,mi,mj->ij", self._areas * total, x, x)
        within += np.einsum("m,mki,mkj->ij", self._areas * total, seen, seen)
        mixed = np.einsum("m,mi,mj->ij", self._areas, x, fx)
        within += 2.0 * np.einsum("m,mk,mki,mkj->ij", self._areas, f, seen, seen)
        return origin + mean, (within + mixed + mixed.T) / 60.0

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (2,)."""
        return read_only(self._moments[0])

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (2, 2)."""
        return symmetric(self._moments[1])

    # ---- storage ----

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the vertices, the triangles and the density.

        Examples
        --------
        >>> import geomot
        >>> mesh = geomot.MeshDensity([(0, 0), (1, 0), (0, 1)], [(0, 1, 2)])
        >>> mesh.to_dict()["values"].tolist()
        [2.0, 2.0, 2.0]
        """
        return {
            "type": "MeshDensity",
            "points": self.points,
            "simplices": self.simplices.astype(np.float64),
            "values": self.values,
        }

    def __repr__(self) -> str:
        return f"MeshDensity(<{len(self.points)} points, {len(self.simplices)} triangles>)"


def _as_triangles(simplices: Any, points: FloatArray) -> IndexArray:
    """Return the triangles as indices, counter-clockwise, a new array."""
    given = as_real_array(simplices, "simplices")
    if given.ndim != 2 or given.shape[1] != 3 or len(given) == 0:
        raise ValueError(f"simplices must have shape (m, 3), got {given.shape}")
    good = (given >= 0) & (given < len(points)) & (given == np.floor(given))
    if not good.all():
        row, column = (int(k) for k in np.argwhere(~good)[0])
        raise ValueError(
            f"simplices must be indices of {len(points)} points, got {given[row, column]:g} in row "
            f"{row}"
        )
    triangles = given.astype(np.int64)
    turn = orientations(*(points[triangles[:, k]] for k in range(3)))
    if not turn.all():
        row = int(np.flatnonzero(turn == 0)[0])
        raise ValueError(
            f"simplices must be triangles with an area, got {triangles[row].tolist()} in row {row}"
        )
    back = turn < 0
    triangles[back, 1], triangles[back, 2] = triangles[back, 2], triangles[back, 1]
    return triangles


def _as_heights(values: Any, n: int) -> FloatArray:
    """Return densities of which none exceeds 1, a new array."""
    if values is None:
        return np.ones(n)
    heights = as_real_array(values, "values")
    if heights.shape != (n,):
        raise ValueError(f"values must have shape ({n},), got {heights.shape}")
    good = (heights >= 0.0) & (heights <= WEIGHT_LIMIT)
    if not good.all():
        k = int(np.flatnonzero(~good)[0])
        raise ValueError(f"values must be finite and not negative, got {heights[k]} at {k}")
    return heights / max(float(heights.max()), np.finfo(float).tiny)


def _border(distinct: FloatArray, triangles: IndexArray) -> IndexArray:
    """The directed edges that have a triangle on their left and none on their right."""
    n = len(distinct)
    edges = np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    keys = edges[:, 0] * n + edges[:, 1]
    order = np.argsort(keys, kind="stable")
    twice = np.flatnonzero(np.diff(keys[order]) == 0)
    if twice.size:
        first, second = (int(k) % len(triangles) for k in order[twice[0] : twice[0] + 2])
        raise ValueError(
            "simplices must not overlap, but the triangles in rows "
            f"{first} and {second} lie on the same side of an edge"
        )
    border = ~np.isin(keys, edges[:, 1] * n + edges[:, 0])
    found: IndexArray = edges[border]
    return found


def _rings(border: IndexArray) -> tuple[IndexArray, IndexArray]:
    """Order the edges of the border into rings; their sizes."""
    following: dict[int, list[int]] = {}
    for a, b in sorted(map(tuple, border.tolist()), reverse=True):
        following.setdefault(a, []).append(b)
    edges: list[tuple[int, int]] = []
    sizes: list[int] = []
    for start in sorted(following):
        while following[start]:
            a, count = start, 0
            while count == 0 or a != start:
                b = following[a].pop()
                edges.append((a, b))
                a, count = b, count + 1
            sizes.append(count)
    return np.array(edges, dtype=np.int64), np.array(sizes, dtype=np.int64)


def _refuse_meetings(distinct: FloatArray, edges: IndexArray) -> None:
    """Refuse edges of the border that cross, and vertices in the middle of an edge."""
    for meeting in meetings(distinct, edges):
        a, b = distinct[edges[meeting.edge]].tolist()
        if meeting.vertex is None:
            c, d = distinct[edges[meeting.other]].tolist()
            raise ValueError(
                f"simplices must not overlap, but edge {a} - {b} crosses edge {c} - {d}"
            )
        vertex = distinct[meeting.vertex].tolist()
        raise ValueError(
            f"simplices must share whole edges, but the point {vertex} lies on the edge {a} - {b}"
        )
