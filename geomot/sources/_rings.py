"""Closed rings of edges in the plane: read, cleaned, and checked in exact arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from geomot._orientation import Point, orientation, orientations
from geomot._validation import as_points

__all__ = [
    "Meeting",
    "ascending",
    "clean_ring",
    "first_crossing",
    "meetings",
    "read_rings",
    "ring_area",
    "turns_of",
]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Vertices handled at once, so that the memory stays a small multiple of the vertices' own.
_AT_ONCE = 4096


class Meeting(NamedTuple):
    """A vertex that lies on an edge, or two edges that cross (no vertex then)."""

    edge: int
    other: int
    vertex: int | None


def read_rings(vertices: Any, holes: Any) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return the outer rings and the holes of what stands for a region.

    Parameters
    ----------
    vertices : array_like, sequence of array_like, mapping or geometry
        One ring, several, a GeoJSON object of type Polygon, MultiPolygon or Feature, or anything
        with ``__geo_interface__``, such as a geometry of shapely.
    holes : sequence of array_like
        Rings to cut out.

    Returns
    -------
    rings, holes : list of ndarray of shape (m, 2)
    """
    holes = [] if holes is None else holes
    geometry = getattr(vertices, "__geo_interface__", vertices)
    if isinstance(geometry, Mapping):
        if len(holes) > 0:
            raise ValueError("holes must be empty where vertices is a geometry with its own holes")
        outer, inner = _read_geometry(geometry)
        return [_ring(r, "vertices") for r in outer], [_ring(r, "vertices") for r in inner]
    several = not isinstance(vertices, np.ndarray) and _holds_rings(vertices)
    if not several and isinstance(vertices, np.ndarray) and vertices.ndim == 3:
        several = True
    outer = list(vertices) if several else [vertices]
    if len(outer) == 0:
        raise ValueError("vertices must hold at least one ring")
    if _is_one_ring(holes):
        raise ValueError("holes must be a sequence of rings, got one ring: write [ring]")
    return [_ring(r, "vertices") for r in outer], [_ring(r, "holes") for r in holes]


def _holds_rings(vertices: Any) -> bool:
    """Whether this is a sequence of rings, and not of points."""
    try:
        first = np.asarray(vertices[0], dtype=np.float64)
    except (TypeError, ValueError, KeyError, IndexError):
        return False
    return first.ndim == 2


def _is_one_ring(holes: Any) -> bool:
    try:
        return np.ndim(np.asarray(holes[0], dtype=np.float64)) == 1
    except (TypeError, ValueError, KeyError, IndexError):
        return False


def _read_geometry(geometry: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    kind = geometry.get("type")
    if kind == "Feature":
        return _read_geometry(geometry["geometry"])
    if kind in ("FeatureCollection", "GeometryCollection"):
        parts = geometry.get("features", geometry.get("geometries", ()))
        both = [_read_geometry(part) for part in parts]
        return [r for outer, _ in both for r in outer], [r for _, inner in both for r in inner]
    if kind == "Polygon":
        polygons = [geometry["coordinates"]]
    elif kind == "MultiPolygon":
        polygons = list(geometry["coordinates"])
    else:
        raise ValueError(f"vertices must be a polygon or several, got a geometry of type {kind!r}")
    polygons = [p for p in polygons if len(p) > 0]
    if not polygons:
        raise ValueError("vertices must not be an empty geometry")
    return [p[0] for p in polygons], [ring for p in polygons for ring in p[1:]]


def _ring(points: Any, name: str) -> FloatArray:
    ring = as_points(points, name, 2)
    if len(ring) < 3:
        raise ValueError(f"{name} must hold at least 3 points, got {len(ring)}")
    return ring


def clean_ring(points: FloatArray, name: str, *, clockwise: bool = False) -> FloatArray:
    """Return a ring from its smallest vertex, without vertices that repeat or do not turn.

    Parameters
    ----------
    points : ndarray of shape (m, 2)
        The vertices, in either orientation.
    name : str
        What they are called in errors.
    clockwise : bool
        The orientation of the result.

    Returns
    -------
    ndarray of shape (k, 2)
    """
    # Adding 0.0 turns -0.0 into 0.0: equal polygons then have equal bits.
    ring = points + 0.0
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    turns = turns_of(ring)
    while (straight := (turns == 0) & _between_neighbours(ring)).any():
        ring = ring[~straight]
        turns = turns_of(ring)
    if len(ring) < 3:
        raise ValueError(f"{name} must enclose a positive area, got a polygon of zero area")
    if not turns.all():
        k = int(np.flatnonzero(turns == 0)[0])
        raise ValueError(f"{name} must not turn back on themselves, as at {ring[k].tolist()}")
    start = _smallest(ring)
    if (turns[start] < 0) != clockwise:
        ring = ring[::-1]
        start = len(ring) - 1 - start
    return np.concatenate([ring[start:], ring[:start]])


def ring_area(ring: FloatArray) -> Fraction:
    """Return the area of a ring, negative for a clockwise one."""
    twice = Fraction(0)
    ax, ay = map(Fraction, ring[-1].tolist())
    for x, y in ring.tolist():
        bx, by = Fraction(x), Fraction(y)
        twice += ax * by - ay * bx
        ax, ay = bx, by
    return twice / 2


def _smallest(ring: FloatArray) -> int:
    """Return the place of the vertex with the smallest x, then y: a corner of the hull."""
    leftmost = np.flatnonzero(ring[:, 0] == ring[:, 0].min())
    return int(leftmost[np.argmin(ring[leftmost, 1])])


def turns_of(ring: FloatArray) -> NDArray[np.int8]:
    """Return the exact sign of the turn at each vertex of a closed polygon."""
    m = len(ring)
    turns = np.empty(m, np.int8)
    for start in range(0, m, _AT_ONCE):
        here = np.arange(start, min(start + _AT_ONCE, m))
        turns[here] = orientations(ring[here - 1], ring[here], ring[(here + 1) % m])
    return turns


def _before(a: FloatArray, b: FloatArray) -> NDArray[np.bool_]:
    """Return whether each point of a is lexicographically smaller than the one of b."""
    return (a[:, 0] < b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] < b[:, 1]))


def ascending(ring: FloatArray) -> NDArray[np.bool_]:
    """Return whether each vertex is lexicographically smaller than its successor."""
    return np.concatenate([_before(ring[:-1], ring[1:]), _before(ring[-1:], ring[:1])])


def _between_neighbours(ring: FloatArray) -> NDArray[np.bool_]:
    """Return whether each vertex lies in the order between its neighbours."""
    up = ascending(ring)
    return up == np.roll(up, 1)


def meetings(points: FloatArray, edges: IndexArray) -> list[Meeting]:
    """Return where edges meet other than in a vertex of both, found exactly.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Distinct points.
    edges : ndarray of shape (m, 2), int64
        The two ends of each edge.

    Returns
    -------
    list of Meeting
    """
    found: list[Meeting] = []
    for i, j in _close_pairs(points, edges):
        (a, b), (c, d) = edges[i].T, edges[j].T
        of_c = orientations(points[a], points[b], points[c])
        of_d = orientations(points[a], points[b], points[d])
        of_a = orientations(points[c], points[d], points[a])
        of_b = orientations(points[c], points[d], points[b])
        crossing = (of_c * of_d < 0) & (of_a * of_b < 0)
        for k in np.flatnonzero(crossing | ((of_c == 0) | (of_d == 0) | (of_a == 0) | (of_b == 0))):
            if crossing[k]:
                found.append(Meeting(int(i[k]), int(j[k]), None))
                continue
            for side, e, f, v in (
                (of_c, i, j, c),
                (of_d, i, j, d),
                (of_a, j, i, a),
                (of_b, j, i, b),
            ):
                if side[k] == 0 and _inside_edge(points, edges[e[k]], v[k]):
                    found.append(Meeting(int(e[k]), int(f[k]), int(v[k])))
    return found


def _inside_edge(points: FloatArray, edge: IndexArray, vertex: int) -> bool:
    """Whether a vertex on the line of an edge lies between its ends."""
    a, b, p = (tuple(points[k].tolist()) for k in (edge[0], edge[1], vertex))
    return min(a, b) < p < max(a, b)


def _close_pairs(points: FloatArray, edges: IndexArray) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Pairs of edges whose bounding boxes touch, some at a time."""
    ends = points[edges]
    low, high = ends.min(axis=1), ends.max(axis=1)
    order = np.argsort(low[:, 0], kind="stable")
    low, high = low[order], high[order]
    # those that begin before this one ends, from the next in the order on
    stop = np.searchsorted(low[:, 0], high[:, 0], side="right")
    for start in range(0, len(edges), _AT_ONCE):
        here = np.arange(start, min(start + _AT_ONCE, len(edges)))
        counts = stop[here] - here - 1
        i = np.repeat(here, counts)
        j = i + 1 + np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
        near = (low[i, 1] <= high[j, 1]) & (low[j, 1] <= high[i, 1])
        yield order[i[near]], order[j[near]]


def first_crossing(ring: FloatArray) -> tuple[tuple[Point, Point], tuple[Point, Point]] | None:
    """Return two edges of a ring that meet although they are not neighbours, if there are any."""
    corners = [tuple(p) for p in ring.tolist()]
    m = len(corners)
    edges = np.column_stack([np.arange(m), np.roll(np.arange(m), -1)])
    for i, j in _close_pairs(ring, edges):
        for e, f in zip(i.tolist(), j.tolist(), strict=True):
            if (e - f) % m in (1, m - 1):
                continue
            (a, b), (c, d) = ((corners[k], corners[(k + 1) % m]) for k in (e, f))
            if (
                orientation(a, b, c) * orientation(a, b, d) <= 0
                and orientation(c, d, a) * orientation(c, d, b) <= 0
            ):
                return (a, b), (c, d)
    return None
