"""Closed curves around a cell as polygons with holes, in the sense of GeoJSON and shapely.

Curves may pass a corner several times, where parts of a cell touch. Polygons must not: such a curve
is several simple rings, outer ones counter-clockwise and holes clockwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["nested", "simple_rings"]

FloatArray = NDArray[np.float64]


def nested(outlines: Sequence[FloatArray]) -> list[list[FloatArray]]:
    """Return polygons, each as its outer ring and its holes.

    Parameters
    ----------
    outlines : sequence of ndarray of shape (k, 2)
        Closed curves that have the cell on their left.
    """
    rings = [ring for outline in outlines for ring in simple_rings(outline)]
    areas = [_area(ring) for ring in rings]
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


def _area(ring: FloatArray) -> float:
    x, y = (ring - ring[0]).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _holds(ring: FloatArray, point: FloatArray) -> bool:
    """Whether a point lies within a ring, by the edges to its right."""
    (ax, ay), (bx, by) = ring.T, np.roll(ring, -1, axis=0).T
    x, y = point
    crossing = (ay > y) != (by > y)
    ax, ay, bx, by = ax[crossing], ay[crossing], bx[crossing], by[crossing]
    return bool(np.count_nonzero(ax + (y - ay) * (bx - ax) / (by - ay) > x) % 2)
