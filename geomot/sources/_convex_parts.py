"""A region between rings as convex polygons that have the rings' own vertices for corners.

The vertices are triangulated (Delaunay), the edges of the rings put into the triangulation, and the
triangles inside the region merged across diagonals for as long as they stay convex (Hertel and
Mehlhorn, 1983). Every decision is an exact sign, and no new point is made: a region's parts meet
bit for bit.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomot._core.order import exponent_of, hilbert_order, insertion_order
from geomot._core.plane.regular import Regular2D
from geomot._orientation import Point, orientation
from geomot.sources._rings import first_crossing, meetings

__all__ = ["INNER", "ConvexParts", "convex_parts", "parts_within"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]
Edge = tuple[int, int]

# The label of an edge that two parts share.
INNER = -1


class ConvexParts(NamedTuple):
    """Convex polygons without common interior.

    Attributes
    ----------
    polygons : list of ndarray of shape (k, 2)
        Strictly convex, counter-clockwise.
    labels : list of ndarray of shape (k,), int64
        For the edge from each corner to the next one: the number of the ring's edge that it lies
        on, counted through all rings, or INNER between two parts.
    component : ndarray, int64
        The connected component that each part belongs to; parts that touch in points only are not
        connected.
    """

    polygons: list[FloatArray]
    labels: list[IndexArray]
    component: IndexArray


def convex_parts(rings: list[FloatArray], holes: list[FloatArray]) -> ConvexParts:
    """Cut a region into convex parts.

    Parameters
    ----------
    rings : list of ndarray of shape (m, 2)
        Counter-clockwise, cleaned. They may touch each other.
    holes : list of ndarray of shape (m, 2)
        Clockwise, cleaned, each inside the rings. They may touch.

    Returns
    -------
    ConvexParts
    """
    for name, several in (("vertices", rings), ("holes", holes)):
        for ring in several:
            _refuse_crossing_itself(ring, name)
    return _cut(*_walls([*rings, *holes], len(rings)))


def parts_within(points: FloatArray, outline: IndexArray) -> ConvexParts:
    """Cut the region within an outline into convex parts.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Distinct points.
    outline : ndarray of shape (m, 2), int64
        The ends of the edges of the outline, the region on their left; they meet in points only.
        An edge's row is its label.

    Returns
    -------
    ConvexParts
    """
    walls: dict[Edge, _Wall] = {}
    for label, (a, b) in enumerate(outline.tolist()):
        _add(walls, (a, b), _Wall(1, 0, label), 1)
        _add(walls, (b, a), _Wall(1, 0, label), -1)
    return _cut(points, walls)


class _Wall(NamedTuple):
    """What an edge separates: how many more rings and holes are on its left than on its right."""

    rings: int
    holes: int
    label: int

    @property
    def outer(self) -> bool:
        """Whether the region is on one side only."""
        return self.rings - self.holes != 0


def _cut(points: FloatArray, walls: dict[Edge, _Wall]) -> ConvexParts:
    triangles = _triangles_inside(points, walls)
    outline = {edge: wall for edge, wall in walls.items() if wall.outer}
    if not outline:
        raise ValueError("holes must leave something of what they are cut from")
    used = np.unique(list(outline))
    if len(used) < len(points):
        # without the vertices inside, which would only stand in the way
        number = np.full(len(points), -1)
        number[used] = np.arange(len(used))
        outline = {(int(number[a]), int(number[b])): w for (a, b), w in outline.items()}
        points = points[used]
        triangles = _triangles_inside(points, outline)
    return _merged(points, triangles, {edge: wall.label for edge, wall in outline.items()})


def _triangles_inside(points: FloatArray, walls: dict[Edge, _Wall]) -> list[tuple[int, int, int]]:
    mesh = _Mesh(_delaunay(points), points)
    for edge in sorted(walls):
        mesh.force(*edge)
    return [mesh.triangles[t] for t in _inside(mesh, walls)]


# ---- the rings as walls ----


def _refuse_crossing_itself(ring: FloatArray, name: str) -> None:
    crossing = first_crossing(ring)
    if crossing is not None:
        (a, b), (c, d) = crossing
        raise ValueError(
            f"{name} must form a simple polygon, but edge {a} - {b} meets edge {c} - {d}"
        )


def _walls(rings: list[FloatArray], n_outer: int) -> tuple[FloatArray, dict[Edge, _Wall]]:
    """The distinct vertices, and the edges between them in both directions."""
    stacked = np.concatenate(rings)
    points, vertex = np.unique(stacked, axis=0, return_inverse=True)
    vertex = vertex.reshape(-1)
    starts = np.cumsum([0, *map(len, rings)])
    edges = np.concatenate(
        [
            np.column_stack([vertex[a:b], np.roll(vertex[a:b], -1)])
            for a, b in zip(starts[:-1], starts[1:], strict=True)
        ]
    )
    ring_of = np.repeat(np.arange(len(rings)), np.diff(starts))
    on_edge: dict[int, set[int]] = {}
    for meeting in meetings(points, edges):
        if meeting.vertex is None:
            (a, b), (c, d) = (
                [tuple(points[v].tolist()) for v in edges[e]] for e in (meeting.edge, meeting.other)
            )
            raise ValueError(
                f"vertices and holes must not cross, but edge {a} - {b} meets edge {c} - {d}"
            )
        on_edge.setdefault(meeting.edge, set()).add(meeting.vertex)
    walls: dict[Edge, _Wall] = {}
    for e, (a, b) in enumerate(edges.tolist()):
        outer = ring_of[e] < n_outer
        # a ring has its inside on the left of its edges, a hole on the right
        step = _Wall(1, 0, e) if outer else _Wall(0, -1, e)
        for u, v in _split(points, a, b, on_edge.get(e, set())):
            _add(walls, (u, v), step, 1)
            _add(walls, (v, u), step, -1)
    return points, walls


def _add(walls: dict[Edge, _Wall], edge: Edge, step: _Wall, sign: int) -> None:
    old = walls.get(edge, _Wall(0, 0, step.label))
    walls[edge] = _Wall(old.rings + sign * step.rings, old.holes + sign * step.holes, old.label)


def _split(points: FloatArray, a: int, b: int, between: set[int]) -> list[Edge]:
    """An edge as pieces between the vertices that lie on it."""
    along = sorted([a, b, *between], key=lambda v: tuple(points[v].tolist()))
    if along[0] != a:
        along.reverse()
    return list(zip(along[:-1], along[1:], strict=True))


# ---- a triangulation with given edges ----


def _delaunay(points: FloatArray) -> list[tuple[int, int, int]]:
    scaled = np.ldexp(points, -exponent_of(float(np.abs(points).max())))
    order, _ = hilbert_order(scaled)
    site = np.zeros((len(points), 4))
    site[:, :2] = scaled[order]
    mesh = Regular2D(site, insertion_order(len(points)))
    return [tuple(t) for t in order[np.asarray(mesh.triangles())].tolist()]


class _Mesh:
    """Triangles, counter-clockwise, and which of them is on the left of a directed edge."""

    def __init__(self, triangles: list[tuple[int, int, int]], points: FloatArray) -> None:
        self.points: list[Point] = [(x, y) for x, y in points.tolist()]
        self.triangles: list[tuple[int, int, int]] = []
        self.left: dict[Edge, int] = {}
        self.around: list[set[int]] = [set() for _ in self.points]
        for triangle in triangles:
            self._put(triangle)

    def _put(self, triangle: tuple[int, int, int]) -> None:
        a, b, c = triangle
        for edge in ((a, b), (b, c), (c, a)):
            self.left[edge] = len(self.triangles)
        for v in triangle:
            self.around[v].add(len(self.triangles))
        self.triangles.append(triangle)

    def _take(self, t: int) -> None:
        a, b, c = self.triangles[t]
        for edge in ((a, b), (b, c), (c, a)):
            del self.left[edge]
        for v in (a, b, c):
            self.around[v].discard(t)

    def side(self, a: int, b: int, c: int) -> int:
        """The exact sign of the turn a -> b -> c."""
        return orientation(self.points[a], self.points[b], self.points[c])

    def force(self, a: int, b: int) -> None:
        """Put the edge a - b into the triangulation, in place of those that cross it."""
        if (a, b) in self.left or (b, a) in self.left:
            return
        crossed, above, below = self._crossed(a, b)
        for t in crossed:
            self._take(t)
        self._fill(a, b, above)
        self._fill(b, a, below[::-1])

    def _crossed(self, a: int, b: int) -> tuple[list[int], list[int], list[int]]:
        """The triangles that the segment crosses, and the vertices left and right of it."""
        for t in self.around[a]:
            p, q = self._opposite(t, a)
            if self.side(a, b, p) < 0 and self.side(a, b, q) > 0:
                break
        crossed, above, below = [t], [q], [p]
        while True:
            t = self.left[q, p]  # across the edge from p, below, to q, above
            crossed.append(t)
            apex = next(v for v in self.triangles[t] if v not in (p, q))
            if apex == b:
                return crossed, above, below
            if self.side(a, b, apex) > 0:
                q = apex
                above.append(q)
            else:
                p = apex
                below.append(p)

    def _opposite(self, t: int, a: int) -> Edge:
        triangle = self.triangles[t]
        k = triangle.index(a)
        return triangle[(k + 1) % 3], triangle[(k + 2) % 3]

    def _fill(self, a: int, b: int, chain: list[int]) -> None:
        """Triangulate the polygon of the edge a - b and a chain of vertices on its left.

        With the vertex nearest to the edge no other lies in the triangle, and no edge of the chain
        passes through it.
        """
        pending = [(a, b, chain)]
        while pending:
            a, b, chain = pending.pop()
            if not chain:
                continue
            k = min(range(len(chain)), key=lambda k: self._height(a, b, chain[k]))
            self._put((a, b, chain[k]))
            pending.append((a, chain[k], chain[:k]))
            pending.append((chain[k], b, chain[k + 1 :]))

    def _height(self, a: int, b: int, c: int) -> Fraction:
        (ax, ay), (bx, by), (cx, cy) = (tuple(map(Fraction, self.points[v])) for v in (a, b, c))
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

    def alive(self) -> set[int]:
        """The triangles that have not been replaced."""
        return set(self.left.values())


def _inside(mesh: _Mesh, walls: dict[Edge, _Wall]) -> list[int]:
    """The triangles inside a ring and outside of its holes."""
    none = _Wall(0, 0, INNER)
    depth: dict[int, tuple[int, int]] = {}
    waiting: deque[int] = deque()
    for edge, t in mesh.left.items():
        if edge[::-1] not in mesh.left and t not in depth:
            wall = walls.get(edge, none)
            depth[t] = (wall.rings, wall.holes)
            waiting.append(t)
    while waiting:
        t = waiting.popleft()
        a, b, c = mesh.triangles[t]
        for u, v in ((a, b), (b, c), (c, a)):
            other = mesh.left.get((v, u))
            if other is not None and other not in depth:
                wall = walls.get((v, u), none)
                depth[other] = (depth[t][0] + wall.rings, depth[t][1] + wall.holes)
                waiting.append(other)
    for t, (n_rings, n_holes) in depth.items():
        place = np.mean([mesh.points[v] for v in mesh.triangles[t]], axis=0).tolist()
        if n_rings - n_holes > 1:
            raise ValueError(f"vertices must not overlap, but two of the rings hold {place}")
        if n_holes > n_rings:
            raise ValueError(
                "holes must lie inside the rings of vertices and not overlap, as they do not at "
                f"{place}"
            )
    return sorted(t for t, (n_rings, n_holes) in depth.items() if n_rings - n_holes == 1)


# ---- merging ----


def _merged(
    points: FloatArray, triangles: list[tuple[int, int, int]], outline: dict[Edge, int]
) -> ConvexParts:
    """Merge triangles across common edges for as long as they stay convex.

    All vertices lie on the outline, whose directed edges have labels.
    """
    place: list[Point] = [(x, y) for x, y in points.tolist()]
    following: dict[Edge, Edge] = {}
    preceding: dict[Edge, Edge] = {}
    for a, b, c in triangles:
        for first, second in (((a, b), (b, c)), ((b, c), (c, a)), ((c, a), (a, b))):
            following[first], preceding[second] = second, first

    def joins(first: Edge, second: Edge) -> bool:
        """Whether the polygon may go from one edge to the other."""
        turn = orientation(place[first[0]], place[first[1]], place[second[1]])
        # straight on where nothing changes: the corner between is dropped in the end
        return turn > 0 or (turn == 0 and (first in outline) == (second in outline))

    component = _Groups(len(triangles))
    of_edge = {
        edge: t for t, (a, b, c) in enumerate(triangles) for edge in ((a, b), (b, c), (c, a))
    }
    shared = [e for e in following if e[0] < e[1] and e[::-1] in following]
    for edge in shared:
        component.join(of_edge[edge], of_edge[edge[::-1]])
    # long ones first: short ones cut off less
    shared.sort(key=lambda e: -np.hypot(*(points[e[1]] - points[e[0]])))
    for edge in shared:
        back = edge[::-1]
        if joins(preceding[edge], following[back]) and joins(preceding[back], following[edge]):
            for first, second in (
                (preceding[edge], following[back]),
                (preceding[back], following[edge]),
            ):
                following[first], preceding[second] = second, first
            for gone in (edge, back):
                del following[gone], preceding[gone]
    polygons, labels, components = [], [], []
    seen: set[Edge] = set()
    for start in following:
        if start in seen:
            continue
        ring = [start]
        seen.add(start)
        while (edge := following[ring[-1]]) != start:
            ring.append(edge)
            seen.add(edge)
        kept = [
            k
            for k, edge in enumerate(ring)
            if orientation(place[ring[k - 1][0]], place[edge[0]], place[edge[1]]) != 0
        ]
        polygons.append(points[[ring[k][0] for k in kept]])
        labels.append(np.array([outline.get(ring[k], INNER) for k in kept], dtype=np.int64))
        components.append(component.of(of_edge[start]))
    _, numbers = np.unique(components, return_inverse=True)
    return ConvexParts(polygons, labels, numbers.reshape(-1).astype(np.int64))


class _Groups:
    """Disjoint sets of numbers."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def of(self, k: int) -> int:
        while self.parent[k] != k:
            self.parent[k] = self.parent[self.parent[k]]
            k = self.parent[k]
        return k

    def join(self, a: int, b: int) -> None:
        self.parent[self.of(a)] = self.of(b)
