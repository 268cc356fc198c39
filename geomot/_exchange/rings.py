"""Closed curves around a cell as polygons with holes, in the sense of GeoJSON and shapely.

Curves may pass a corner several times, where parts of a cell touch. Polygons must not: such a curve
is several simple rings, outer ones counter-clockwise and holes clockwise.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from geomot._orientation import signed_area

__all__ = ["closed_curves", "nested", "simple_rings", "uncovered"]

FloatArray = NDArray[np.float64]

# Distance from a line below which a corner lies on it, relative to the coordinates.
ROUNDED = 2.0**-48


def uncovered(
    outer: Iterable[tuple[int, int]],
    inner: Sequence[tuple[int, int]],
    place: Mapping[int, Sequence[float]],
) -> list[tuple[int, int]]:
    """Return the edges of a region's parts beyond which the region does not go on.

    Parameters
    ----------
    outer, inner : iterable of (int, int)
        The parts' directed edges, the parts on their left: those on the region's border, and those
        that meet other parts, along lines on which one may have a corner and the other none.
        Rounding may have left an edge without the one that it meets.
    place : mapping from int to (float, float)
        Where the corners are.
    """
    edges = Counter(outer)
    edges.update(_split(inner, place))
    return [(a, b) for (a, b), n in edges.items() for _ in range(n - edges.get((b, a), 0))]


def _split(
    edges: Sequence[tuple[int, int]], place: Mapping[int, Sequence[float]]
) -> list[tuple[int, int]]:
    """Edges that end in every corner of the others that lies on them."""
    corners = np.unique(np.array(edges, dtype=np.int64).reshape(-1))
    at = np.array([place[c] for c in corners.tolist()]).reshape(-1, 2)
    slack = ROUNDED * float(np.abs(at).max(initial=0.0))
    found = []
    for a, b in edges:
        start = np.array(place[a])
        along = np.array(place[b]) - start
        length = float(np.hypot(*along))
        if length == 0.0:
            found.append((a, b))
            continue
        forward = (at - start) @ along / length
        aside = np.abs((at - start) @ np.array([-along[1], along[0]])) / length
        between = np.flatnonzero((aside <= slack) & (forward > slack) & (forward < length - slack))
        path = [a, *corners[between[np.argsort(forward[between])]].tolist(), b]
        found += itertools.pairwise(path)
    return found


def closed_curves(
    edges: Iterable[tuple[int, int]], place: Mapping[int, Sequence[float]]
) -> list[list[int]]:
    """Return the closed curves of directed edges around a region on their left.

    Where several curves meet in a corner, each goes on along the next edge clockwise, so that it
    stays in one piece of the region: where a hole touches the border twice, it cuts the region.

    Parameters
    ----------
    edges : iterable of (int, int)
        As many begin in a corner as end there.
    place : mapping from int to (float, float)
        Where the corners are.
    """
    following: dict[int, list[int]] = {}
    for a, b in edges:
        following.setdefault(a, []).append(b)
    curves = []
    while following:
        # where only one curve passes, so that it ends there
        alone = (a for a, ends in following.items() if len(ends) == 1)
        last = here = start = next(alone, next(iter(following)))
        curve = []
        while here in following:
            ends = following[here]
            after = ends[0] if len(ends) == 1 else _clockwise(place, last, here, ends)
            ends.remove(after)
            if not ends:
                del following[here]
            curve.append(here)
            last, here = here, after
            if here == start:
                break
        curves.append(curve)
    return curves


def _clockwise(
    place: Mapping[int, Sequence[float]], last: int, here: int, ends: Sequence[int]
) -> int:
    """The end of the edge that is next clockwise after the one that leads back."""

    def direction(corner: int) -> float:
        (x, y), (x0, y0) = place[corner], place[here]
        return math.atan2(y - y0, x - x0)

    back = direction(last)
    return min(ends, key=lambda end: (back - direction(end)) % (2.0 * math.pi))


def nested(outlines: Sequence[FloatArray]) -> list[list[FloatArray]]:
    """Return polygons, each as its outer ring and its holes.

    Parameters
    ----------
    outlines : sequence of ndarray of shape (k, 2)
        Closed curves that have the cell on their left.
    """
    rings = [ring for outline in outlines for ring in simple_rings(outline)]
    areas = [signed_area(ring) for ring in rings]
    outer = [(area, [ring]) for area, ring in zip(areas, rings, strict=True) if area > 0.0]
    outer.sort(key=lambda pair: pair[0])
    for area, hole in zip(areas, rings, strict=True):
        if area < 0.0:
            place = 0.5 * (hole[0] + hole[1])
            # the smallest outer ring around a hole is that of its own polygon
            around = (polygon for _, polygon in outer if _holds(polygon[0], place))
            next(around, outer[-1][1]).append(hole)
    return [polygon for _, polygon in outer]


def simple_rings(ring: FloatArray) -> list[FloatArray]:
    """Return the rings of a closed curve that pass no corner twice."""
    found: list[FloatArray] = []
    path: list[tuple[float, float]] = []
    place: dict[tuple[float, float], int] = {}
    for x, y in ring.tolist():
        corner = (x, y)
        start = place.get(corner)
        if start is not None:
            loop = path[start:]
            if len(loop) > 2:
                found.append(np.array(loop))
            for passed in loop:
                del place[passed]
            del path[start:]
        place[corner] = len(path)
        path.append(corner)
    if len(path) > 2:
        found.append(np.array(path))
    return found


def _holds(ring: FloatArray, point: FloatArray) -> bool:
    """Whether a point lies within a ring, by the edges to its right."""
    (ax, ay), (bx, by) = ring.T, np.roll(ring, -1, axis=0).T
    x, y = point
    crossing = (ay > y) != (by > y)
    ax, ay, bx, by = ax[crossing], ay[crossing], bx[crossing], by[crossing]
    return bool(np.count_nonzero(ax + (y - ay) * (bx - ax) / (by - ay) > x) % 2)
