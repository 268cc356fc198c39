"""Triangles in the plane as the domain of a density that is linear on each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._core.plane.pieces import Pieces
from geomot._orientation import orientations
from geomot.sources._convex_parts import ConvexParts, parts_within
from geomot.sources._rings import meetings
from geomot.sources.domains import ConvexPolygon, PlaneDomain, PolygonRegion, on_hull
from geomot.sources.polygon import UniformPolygon

__all__ = ["TriangleMesh"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


class TriangleMesh:
    """Triangles that share whole edges.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        The vertices.
    simplices : ndarray of shape (m, 3), int64
        The triangles, in either orientation; refused if one has no area, or if some overlap.

    Attributes
    ----------
    simplices : ndarray of shape (m, 3), int64
        Counter-clockwise.
    corners : ndarray of shape (m, 3, 2)
        Their corners.
    sizes : ndarray of shape (m,)
        Their areas.
    """

    def __init__(self, points: FloatArray, simplices: IndexArray) -> None:
        self.simplices = _counter_clockwise(simplices, points)
        self.corners = points[self.simplices]
        a, b, c = (self.corners[:, k] for k in range(3))
        u, v = b - a, c - a
        self.sizes = 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
        self._parts = self._outlined()

    @cached_property
    def _merged(self) -> tuple[FloatArray, IndexArray]:
        """Distinct vertices, and the triangles in terms of them."""
        distinct, which = np.unique(self.corners.reshape(-1, 2), axis=0, return_inverse=True)
        return distinct, which.reshape(-1, 3).astype(np.int64)

    @cached_property
    def _outline(self) -> tuple[IndexArray, IndexArray]:
        """The border as directed edges of distinct vertices, ring after ring; the rings' sizes."""
        return _rings(_border(*self._merged))

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

    def density(self, values: FloatArray) -> Callable[[float], Any]:
        """The kernel's density that is linear on each triangle, as `Source.scaled_density`.

        Parameters
        ----------
        values : ndarray of shape (m, 3)
            At the corners.
        """
        corners = self.corners.reshape(-1, 2)
        start = 3 * np.arange(len(self.simplices) + 1)
        heights = values.reshape(-1)
        starts, ends = self.corners, np.roll(self.corners, -1, axis=1)
        hull = self.domain.container.vertices
        outer = on_hull(starts.reshape(-1, 2), ends.reshape(-1, 2), hull)

        # setting up the kernel takes as long as a diagram
        @lru_cache(maxsize=1)
        def density(scale: float) -> Pieces:
            return Pieces(start, scale * corners, heights / (scale * scale), outer)

        return density


def _counter_clockwise(simplices: IndexArray, points: FloatArray) -> IndexArray:
    """Return the triangles counter-clockwise, a new array."""
    triangles = simplices.copy()
    turn = orientations(*(points[triangles[:, k]] for k in range(3)))
    if not turn.all():
        row = int(np.flatnonzero(turn == 0)[0])
        raise ValueError(
            f"simplices must be triangles with an area, got {triangles[row].tolist()} in row {row}"
        )
    back = turn < 0
    triangles[back, 1], triangles[back, 2] = triangles[back, 2], triangles[back, 1]
    return triangles


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
