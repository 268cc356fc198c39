"""Triangulations of the centroids of cells in the plane, and point location in them.

The dual of a power diagram, drawn between the centroids of its cells, has a triangle for each point
where three cells meet. Those of points in the domain nearly always lie side by side; with those of
points outside they would overlap. What is missing to the convex hull of the centroids, along the
border, is filled by further triangles, so that points outside the hull can be moved to the nearest
point of it without a jump. Where triangles overlap all the same, as between cells that are long
wedges, those of Delaunay's triangulation of the centroids take their place.
"""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from geomot._constants import UNIT_ROUNDOFF
from geomot._double_double import two_sum
from geomot._orientation import orientations
from geomot.diagram import PowerDiagram
from geomot.extended.walking import WalkedMesh
from geomot.potentials import bisector_offsets
from geomot.sources import UniformBox, plane_domain
from geomot.sources._pieces import difference, product

__all__ = ["Mesh", "dual_triangles"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Rounding of the side of an edge that a point is on, relative to the two products it is made of:
# (3 + 16 e) e with e = 2^-53 (Shewchuk 1997), and of pairs hi + lo. Products of less size may have
# lost digits to underflow. Below these, rational numbers decide.
_UNSURE = 3.5 * UNIT_ROUNDOFF
_UNSURE_PAIRS = 2.0**-96
_UNSURE_SIZE = 2.0**-900

# The same for the side of a border on which three cells meet (tests/filter_bounds.py).
_UNSURE_MEETING = 16.0 * UNIT_ROUNDOFF

# Pairs of points and triangles that are looked at at once.
_PAIRS_AT_ONCE = 2**20

# Gaps at the border of the hull with less than this share of its area are rounding of the centroids
# and not filled: the border would leave out most points of a straight side.
_NO_AREA = 1e-14

# Points outside that are compared with all edges of the hull at once.
_OUTSIDE = 4096


class Mesh(WalkedMesh):
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

    straight: ClassVar[int] = 30

    def __init__(self, points: FloatArray, triangles: IntArray | None = None) -> None:
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
        super().__init__(points, filled, _neighbours(filled))
        self.border = np.concatenate(
            [filled[self.neighbours[:, k] < 0][:, [(k + 1) % 3, (k + 2) % 3]] for k in range(3)]
        )
        corners = points[hull.vertices].T
        self._hull = corners, np.roll(corners, -1, axis=1)

    def _sides(self, x: FloatArray, corners: FloatArray) -> FloatArray:
        return _sides(x, corners)

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

    The coordinates are the first axis. The sign is exact. Seen from the other end, an edge has the
    same value of the other sign: of the two triangles beside an edge, at most one finds a point
    beyond it.
    """
    (ux, uy), (vx, vy) = a - x, b - x
    left, right = ux * vy, uy * vx
    side, size = left - right, np.abs(left) + np.abs(right)
    unsure = (np.abs(side) < _UNSURE * size) | (size < _UNSURE_SIZE)
    if unsure.any():
        # differences of floats are zero only if the floats are equal
        unsure &= ((ux != 0.0) & (vy != 0.0)) | ((uy != 0.0) & (vx != 0.0))
        a, b, x = (np.broadcast_to(p, (2, *side.shape))[:, unsure] for p in (a, b, x))
        side[unsure] = _side_by_pairs(a, b, x, size[unsure])
    return side


def _side_by_pairs(a: FloatArray, b: FloatArray, x: FloatArray, size: FloatArray) -> FloatArray:
    """The same for few points, whose side rounding would decide."""
    (ux, uy), (vx, vy) = ([two_sum(p[k], -x[k]) for k in range(2)] for p in (a, b))
    side = difference(product(ux, vy), product(uy, vx))[0]
    unsure = (np.abs(side) <= _UNSURE_PAIRS * size) | (size < _UNSURE_SIZE)
    signs = orientations(*(p[:, unsure].T for p in (a, b, x)))
    side[unsure] = signs * np.maximum(np.abs(side[unsure]), np.finfo(np.float64).tiny)
    return side


def dual_triangles(diagram: PowerDiagram) -> IntArray:
    """Sites of each three cells that meet in the domain, shape (m, 3), by indices of sites."""
    triangles = diagram.triangulation.astype(np.int64)
    sites, weights = diagram.sites[triangles], diagram.weights_exact[triangles]
    inside = np.zeros(len(triangles), dtype=bool)
    for polygon in plane_domain(diagram.source).parts:
        inside |= _meet_inside(sites, weights, polygon)
    return triangles[inside]


def _meet_inside(y: FloatArray, w: FloatArray, polygon: FloatArray) -> NDArray[np.bool_]:
    """Which three cells meet in a polygon or on its border, exactly.

    Parameters
    ----------
    y : ndarray of shape (m, 3, 2)
        Sites, each three counter-clockwise.
    w : ndarray of shape (m, 3, 2)
        Their weights hi + lo.
    polygon : ndarray of shape (k, 2)
        Corners, counter-clockwise.
    """
    # Cells i, j, k meet at y_i + z, <z, p> = f and <z, q> = g, where p = y_j - y_i, q = y_k - y_i,
    # 2 f = |p|^2 + w_i - w_j, 2 g = |q|^2 + w_i - w_k. With D = p x q and N = (f q_y - g p_y,
    # g p_x - f q_x), z is N / D; (px, pD, pN) are the sizes of the terms of (x, D, N).
    px, py = (y[:, 1] - y[:, 0]).T
    qx, qy = (y[:, 2] - y[:, 0]).T
    (f, pf), (g, pg) = (_offset(x, z, w[:, 0] - w[:, k]) for k, x, z in ((1, px, py), (2, qx, qy)))
    area, p_area = px * qy - py * qx, np.abs(px * qy) + np.abs(py * qx)
    nx, ny = f * qy - g * py, g * px - f * qx
    p_nx, p_ny = pf * np.abs(qy) + pg * np.abs(py), pg * np.abs(px) + pf * np.abs(qx)
    inside = np.ones(len(y), dtype=bool)
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        ex, ey = b - a
        away_x, away_y = (y[:, 0] - a).T
        side = ex * (area * away_y + ny) - ey * (area * away_x + nx)
        size = np.abs(ex) * (p_area * np.abs(away_y) + p_ny)
        size += np.abs(ey) * (p_area * np.abs(away_x) + p_nx)
        sure = (np.abs(side) > _UNSURE_MEETING * size) & (size > _UNSURE_SIZE)
        inside &= ~sure | (side > 0.0)
        for row in np.flatnonzero(inside & ~sure):
            inside[row] = _meets_left_of(y[row].tolist(), w[row].tolist(), a.tolist(), b.tolist())
    return inside


def _offset(x: FloatArray, y: FloatArray, gain: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Half of |(x, y)|^2 and a gain hi + lo, and the size of its terms."""
    square = x * x + y * y
    sizes = np.abs(gain).sum(axis=1)
    return bisector_offsets(square, gain.sum(axis=1)), bisector_offsets(square, sizes)


def _meets_left_of(
    sites: list[list[float]], weights: list[list[float]], a: list[float], b: list[float]
) -> bool:
    """Whether three cells meet to the left of the line from a to b, or on it."""
    (ix, iy), *others = ([Fraction(x) for x in site] for site in sites)
    w = [Fraction(hi) + Fraction(lo) for hi, lo in weights]
    (px, py), (qx, qy) = ((x - ix, y - iy) for x, y in others)
    f, g = ((x * x + y * y + w[0] - v) / 2 for (x, y), v in (((px, py), w[1]), ((qx, qy), w[2])))
    area = px * qy - py * qx
    x, y = ix + (f * qy - g * py) / area, iy + (g * px - f * qx) / area
    (ax, ay), (bx, by) = ([Fraction(v) for v in end] for end in (a, b))
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0


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
        ears = _fill_pocket(points, chain[::-1], _NO_AREA * hull.volume)
        if ears is None:
            return None
        added += ears
    filled = np.concatenate([kept, np.array(added, dtype=np.int64).reshape(-1, 3)])
    # Triangles that are all turned the same way cover a point as often as their border goes around
    # it: if that is the hull's, once, and none overlap.
    return filled if _goes_along(_border_loop(filled), hull.vertices) else None


def _goes_along(loop: IntArray | None, corners: IntArray) -> bool:
    """Whether a loop has the corners of the hull in their order; others are beside its sides."""
    if loop is None:
        return False
    found = loop[np.isin(loop, corners)]
    if len(found) != len(corners):
        return False
    return np.array_equal(np.roll(found, -int(np.argmax(found == corners[0]))), corners)


def _border_loop(triangles: IntArray) -> IntArray | None:
    """Corners of the border, counter-clockwise; None unless it is a single loop.

    Nor is there one where two triangles lie on the same side of an edge.
    """
    start, end = _half_edges(triangles)
    if len(np.unique(start * (int(triangles.max()) + 1) + end)) < len(start):
        return None
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
    points: FloatArray, polygon: list[int], least: float
) -> list[tuple[int, int, int]] | None:
    """Triangles that fill a polygon, counter-clockwise; None if it went wrong.

    What has less than the least area is nothing, and may be left over along the side of the hull,
    which goes from the last vertex to the first. Elsewhere it would be a slit in the mesh.
    """
    for corners in (0, 1):
        ears, rest = _cut_ears(points, polygon, least, corners)
        if not rest or [rest[0], rest[-1]] == [polygon[0], polygon[-1]]:
            break
    else:
        return None
    fan = np.array([[rest[0], *pair] for pair in zip(rest[1:-1], rest[2:], strict=True)])
    return ears if not rest or np.abs(_areas(points, fan)).max() <= least else None


def _cut_ears(
    points: FloatArray, polygon: list[int], least: float, corners: int
) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Cut ears off a polygon while there are any, but not so many vertices at its ends, if not all.

    The ears, and the polygon that is left, empty if nothing is.
    """
    ears: list[tuple[int, int, int]] = []
    rest = list(polygon)
    while len(rest) > 2:
        for k in range(corners, len(rest) - corners):
            ear = [k - 1, k, (k + 1) % len(rest)]
            a, b, c = (rest[e] for e in ear)
            if _areas(points, np.array([[a, b, c]]))[0] <= least:
                continue
            if not _any_inside(points[[a, b, c]], points[[v for v in rest if v not in (a, b, c)]]):
                ears.append((a, b, c))
                del rest[k]
                break
        else:
            return ears, rest
    return ears, []


def _any_inside(triangle: FloatArray, points: FloatArray) -> bool:
    """Whether a point lies in a triangle or on its border."""
    ends = zip(triangle, np.roll(triangle, -1, axis=0), strict=True)
    return bool(np.all([orientations(a, b, points) >= 0 for a, b in ends], axis=0).any())
