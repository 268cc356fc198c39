"""Triangulations of the centroids of cells in the plane, and point location in them.

The dual of a power diagram, drawn between the centroids of its cells, has a triangle for each point
where three cells meet. Those of points in the domain nearly always lie side by side; with those of
points outside they would overlap. What is missing to the convex hull of the centroids, along the
border, is filled by further triangles, so that points outside the hull can be moved to the nearest
point of it without a jump. Where triangles overlap all the same, as between cells that are long
wedges, those of Delaunay's triangulation of the centroids take their place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, cKDTree

from geomot._double_double import two_sum
from geomot.diagram import PowerDiagram
from geomot.sources import UniformBox, convex_polygon
from geomot.sources._pieces import difference, product

__all__ = ["Mesh", "dual_triangles"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Steps of a walk that take the edge that is crossed farthest; then an edge is drawn, as walks may
# go round in circles where a triangulation is not Delaunay's (Devillers, Pion, Teillaud 2002).
_STRAIGHT = 30
# A walk that takes longer came from far away, and starts again nearby; then triangles may overlap
# by rounding, and all of them are looked at.
_WALK_STEPS = 1000

# Rounding of the side of an edge that a point is on, relative to the two products it is made of:
# (3 + 16 e) e with e = 2^-53 (Shewchuk 1997), and of pairs hi + lo. Below the second, a point is on
# the edge.
_UNSURE = 3.5 * 2.0**-53
_UNSURE_PAIRS = 2.0**-96

# Pairs of points and triangles that are looked at at once.
_PAIRS_AT_ONCE = 2**20

# Area that is none, as a share of the hull's.
_NO_AREA = 1e-14

# Areas of triangles that cover the hull add up to its own, as a share of it, within this.
_COVERED = 1e-9

# Points outside that are compared with all edges of the hull at once.
_OUTSIDE = 4096


class Mesh:
    """Triangulation of the convex hull of points in the plane.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        The points, not all on a line.
    triangles : ndarray of shape (m, 3), int64, optional
        Triangles that lie side by side, to be kept; Delaunay's where there are none, or where the
        rest of the hull cannot be filled.

    Raises
    ------
    QhullError
        If the points are fewer than three, or on a line.

    Attributes
    ----------
    triangles : ndarray of shape (m, 3), int64
        Corners, counter-clockwise.
    neighbours : ndarray of shape (m, 3), int64
        The triangle across the edge opposite to each corner; -1 outside.
    kept : bool
        Whether the given triangles were kept.
    """

    def __init__(self, points: FloatArray, triangles: IntArray | None = None) -> None:
        self.points = points
        # Far from the origin, Qhull takes most points for one.
        low, high = points.min(axis=0), points.max(axis=0)
        hull = ConvexHull(points - 0.5 * (low + high))
        filled = None if triangles is None else _filled(points, triangles, hull)
        self.kept = filled is not None
        if filled is None:
            # Exact, where Qhull's Delaunay triangulation leaves points out.
            delaunay = PowerDiagram(points, source=UniformBox(low, high)).triangulation
            filled = delaunay.astype(np.int64)
        self.triangles = filled
        self.neighbours = _neighbours(filled)
        self.border = np.concatenate(
            [filled[self.neighbours[:, k] < 0][:, [(k + 1) % 3, (k + 2) % 3]] for k in range(3)]
        )
        # any triangle at each point, to start a walk from
        self.first = np.zeros(len(points), dtype=np.int64)
        self.first[filled[::-1].ravel()] = np.repeat(np.arange(len(filled))[::-1], 3)
        # coordinates first, which is how they are computed with
        self._corners = np.ascontiguousarray(points[filled].T)
        corners = points[hull.vertices].T
        self._hull = corners, np.roll(corners, -1, axis=1)

    def coordinates(self, x: FloatArray, triangle: IntArray) -> FloatArray:
        """Barycentric coordinates (q, 3) of points in given triangles."""
        areas = _sides(x.T, self._corners[..., triangle])
        return (areas / areas.sum(axis=0)).T

    def locate(self, x: FloatArray, near: IntArray) -> IntArray:
        """Triangle that each point is in, or -1 outside the hull.

        Parameters
        ----------
        x : ndarray of shape (q, 2)
            The points.
        near : ndarray of shape (q,), int64
            A point of the mesh near each of them, to start at.

        Returns
        -------
        ndarray of shape (q,), int64
            No point lies beyond an edge of its triangle, as far as pairs hi + lo can tell.
        """
        triangle = self.first[near]
        left = self._walk(x, triangle, np.arange(len(x)))
        if left.size:
            triangle[left] = self.first[cKDTree(self.points).query(x[left])[1]]
            left = self._walk(x, triangle, left)
        if left.size:
            triangle[left] = self._search(x[left])
        return triangle

    def _walk(self, x: FloatArray, triangle: IntArray, walking: IntArray) -> IntArray:
        """Walk from triangles to points, in place; those of them that were not reached."""
        rng = np.random.default_rng(0)
        for step in range(_WALK_STEPS):
            here = triangle[walking]
            across = self.neighbours[here]
            beyond = -_sides(x[walking].T, self._corners[..., here]).T
            on = (beyond > 0.0).any(axis=1)
            # only edges with the point on their far side are crossed; of those out of the hull none
            # is, while there is another
            depth = np.where(across >= 0, np.maximum(beyond, 0.0), 0.0)
            if step >= _STRAIGHT:
                depth *= rng.random(depth.shape)
            edge = depth.argmax(axis=1)
            rows = np.arange(len(walking))
            stuck = depth[rows, edge] <= 0.0
            triangle[walking[on & stuck]] = -1
            onward = on & ~stuck
            triangle[walking[onward]] = across[rows, edge][onward]
            walking = walking[onward]
            if not walking.size:
                break
        return walking

    def _search(self, x: FloatArray) -> IntArray:
        """The triangle that each point is in, or nearest to: all of them are looked at."""
        found = np.full(len(x), -1)
        corners = self._corners[..., None]
        lengths = np.hypot(*(corners[:, [2, 0, 1]] - corners[:, [1, 2, 0]]))
        a, b = (end[..., None] for end in self._hull)
        count = max(1, _PAIRS_AT_ONCE // corners.shape[2])
        for start in range(0, len(x), count):
            some = x[start : start + count].T
            inside = np.flatnonzero((_side(a, b, some[:, None]) >= 0.0).all(axis=0))
            beyond = -_sides(some[:, None, inside], corners) / lengths
            found[start + inside] = beyond.max(axis=0).argmin(axis=0)
        return found

    def on_hull(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        """Edge of the hull nearest to each point, (q, 2) ends, and its share of the second end."""
        ends = np.empty((len(x), 2), dtype=np.int64)
        shares = np.empty(len(x))
        a, b = self.points[self.border[:, 0]], self.points[self.border[:, 1]]
        along = b - a
        for start in range(0, len(x), _OUTSIDE):
            away = x[start : start + _OUTSIDE, None] - a
            share = np.einsum("qek,ek->qe", away, along) / np.einsum("ek,ek->e", along, along)
            share = np.clip(share, 0.0, 1.0)
            away -= share[..., None] * along
            edge = np.argmin(np.einsum("qek,qek->qe", away, away), axis=1)
            ends[start : start + _OUTSIDE] = self.border[edge]
            shares[start : start + _OUTSIDE] = share[np.arange(len(edge)), edge]
        return ends, shares


def _sides(x: FloatArray, corners: FloatArray) -> FloatArray:
    """Which side of the edges opposite to corners (2, 3, ...) points (2, ...) are on, > 0 inside.

    These are twice the areas that edge and point span, shape (3, ...).
    """
    return _side(corners[:, [1, 2, 0]], corners[:, [2, 0, 1]], x[:, None])


def _side(a: FloatArray, b: FloatArray, x: FloatArray) -> FloatArray:
    """Which side of the edges from a to b points are on, > 0 to the left, 0 on the edge.

    The coordinates are the first axis. Seen from the other end, an edge has the same value of the
    other sign: of the two triangles beside an edge, at most one finds a point beyond it.
    """
    (ux, uy), (vx, vy) = a - x, b - x
    left, right = ux * vy, uy * vx
    side, size = left - right, np.abs(left) + np.abs(right)
    unsure = np.abs(side) < _UNSURE * size
    if unsure.any():
        a, b, x = (np.broadcast_to(p, (2, *side.shape))[:, unsure] for p in (a, b, x))
        side[unsure] = _side_by_pairs(a, b, x, size[unsure])
    return side


def _side_by_pairs(a: FloatArray, b: FloatArray, x: FloatArray, size: FloatArray) -> FloatArray:
    """The same for few points, whose side rounding would decide."""
    (ux, uy), (vx, vy) = ([two_sum(p[k], -x[k]) for k in range(2)] for p in (a, b))
    side = difference(product(ux, vy), product(uy, vx))[0]
    return np.where(np.abs(side) <= _UNSURE_PAIRS * size, 0.0, side)


def dual_triangles(diagram: PowerDiagram) -> IntArray:
    """Sites of each three cells that meet in the domain, shape (m, 3), by indices of sites."""
    triangles = diagram.triangulation
    y, w = diagram.sites, diagram.weights_exact
    i, j, k = triangles.T
    # x with equal power distances: 2 <x - y_i, y_j - y_i> = |y_j - y_i|^2 + w_i - w_j, and k
    sides = np.stack([y[j] - y[i], y[k] - y[i]], axis=1)
    gains = np.stack([(w[i] - w[j]).sum(axis=1), (w[i] - w[k]).sum(axis=1)], axis=1)
    right = 0.5 * (np.einsum("msk,msk->ms", sides, sides) + gains)
    area = sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        meeting = y[i] + np.column_stack(
            [
                (right[:, 0] * sides[:, 1, 1] - right[:, 1] * sides[:, 0, 1]) / area,
                (right[:, 1] * sides[:, 0, 0] - right[:, 0] * sides[:, 1, 0]) / area,
            ]
        )
    polygon = convex_polygon(diagram.source).vertices
    edges = np.roll(polygon, -1, axis=0) - polygon
    inside = np.isfinite(meeting).all(axis=1)
    for corner, (ex, ey) in zip(polygon, edges, strict=True):
        away = meeting - corner
        with np.errstate(invalid="ignore"):
            inside &= ex * away[:, 1] - ey * away[:, 0] >= 0.0
    return triangles[inside].astype(np.int64)


def _areas(points: FloatArray, triangles: IntArray) -> FloatArray:
    """Areas, > 0 for corners that are counter-clockwise; the sign is exact."""
    a, b, c = np.moveaxis(points[triangles], 2, 0).transpose(2, 0, 1)
    return 0.5 * _side(b, c, a)


def _half_edges(triangles: IntArray) -> tuple[IntArray, IntArray]:
    """Ends of the edge opposite to each corner, both of shape (3 m,), triangle by triangle."""
    return triangles[:, [1, 2, 0]].ravel(), triangles[:, [2, 0, 1]].ravel()


def _neighbours(triangles: IntArray) -> IntArray:
    start, end = _half_edges(triangles)
    n = int(triangles.max()) + 1
    key, twin = start * n + end, end * n + start
    order = np.argsort(key)
    place = np.minimum(np.searchsorted(key, twin, sorter=order), len(key) - 1)
    found = order[place]
    return np.where(key[found] == twin, found // 3, -1).reshape(-1, 3)


def _filled(points: FloatArray, triangles: IntArray, hull: ConvexHull) -> IntArray | None:
    """The triangles and more, up to the convex hull; None where they do not lie side by side."""
    if not len(triangles):
        return None
    kept = triangles[_areas(points, triangles) > 0.0]
    if not len(kept) or len(np.unique(kept)) < len(points):
        return None
    loop = _border_loop(kept)
    if loop is None:
        return None
    corner = np.isin(loop, hull.vertices)
    if corner.sum() != len(hull.vertices):
        return None
    loop = np.roll(loop, -int(np.argmax(corner)))
    places = np.flatnonzero(np.isin(loop, hull.vertices))
    added: list[tuple[int, int, int]] = []
    for a, b in zip(places, [*places[1:], len(loop)], strict=True):
        chain = [int(v) for v in loop[a:b]] + [int(loop[b % len(loop)])]
        if not _fill_pocket(points, chain[::-1], added, _NO_AREA * hull.volume):
            return None
    filled = np.concatenate([kept, np.array(added, dtype=np.int64).reshape(-1, 3)])
    # of triangles that are all turned the same way, up to the hull, none overlap if areas agree
    areas = _areas(points, filled)
    if not areas.min() > 0.0 or abs(areas.sum() - hull.volume) > _COVERED * hull.volume:
        return None
    return filled


def _border_loop(triangles: IntArray) -> IntArray | None:
    """Corners of the border, counter-clockwise; None unless it is a single loop."""
    start, end = _half_edges(triangles)
    open_edges = (_neighbours(triangles) < 0).ravel()
    start, end = start[open_edges], end[open_edges]
    if len(np.unique(start)) < len(start):
        return None
    following = dict(zip(start.tolist(), end.tolist(), strict=True))
    loop = [int(start[0])]
    while (vertex := following.get(loop[-1])) != loop[0]:
        if vertex is None or len(loop) > len(following):
            return None
        loop.append(vertex)
    return np.array(loop) if len(loop) == len(following) else None


def _fill_pocket(
    points: FloatArray, polygon: list[int], added: list[tuple[int, int, int]], least: float
) -> bool:
    """Cut ears off a polygon, counter-clockwise, until nothing is left; whether it went well.

    What has less than the least area is nothing.
    """
    while len(polygon) > 2:
        for k in range(len(polygon)):
            ear = [k - 1, k, (k + 1) % len(polygon)]
            a, b, c = (polygon[e] for e in ear)
            area = _areas(points, np.array([[a, b, c]]))[0]
            others = points[[v for v in polygon if v not in (a, b, c)]]
            if area > least and not _any_inside(points[[a, b, c]], others):
                added.append((a, b, c))
                del polygon[k]
                break
        else:
            fan = np.array(
                [[polygon[0], *pair] for pair in zip(polygon[1:-1], polygon[2:], strict=True)]
            )
            return bool(np.abs(_areas(points, fan)).max() <= least)
    return True


def _any_inside(triangle: FloatArray, points: FloatArray) -> bool:
    """Whether a point lies in a triangle or on its border."""
    inside = np.ones(len(points), dtype=bool)
    for a, b in zip(triangle, np.roll(triangle, -1, axis=0), strict=True):
        side = (b - a)[0] * (points - a)[:, 1] - (b - a)[1] * (points - a)[:, 0]
        inside &= side >= 0.0
    return bool(inside.any())
