"""Delaunay triangulations of centroids in space, and point location in them.

In the plane the dual of the power diagram, drawn between centroids, nearly always is a
triangulation. In space it is not: the dual has slivers, flat tetrahedra that turn over when their
corners move. So the centroids get their own triangulation, Delaunay's, which is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import QhullError

from geomot._constants import UNIT_ROUNDOFF
from geomot._double_double import Pair, plus, two_sum
from geomot.diagram import PowerDiagram
from geomot.extended.walking import WalkedMesh
from geomot.sources import UniformBox
from geomot.sources._pieces import difference, product

__all__ = ["SolidMesh"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The face opposite to each corner, so that a point inside has a positive determinant with it.
_FACES = np.array([(1, 3, 2), (3, 0, 2), (1, 0, 3), (0, 1, 2)])

# Rounding of such a determinant, relative to its terms (Shewchuk 1997: 7 + 56 e), beyond which
# pairs hi + lo decide, and what they leave: such a point is on the face.
_UNSURE_VOLUME = 8.0 * UNIT_ROUNDOFF
_ON_FACE = 2.0**-96

# Pairs of points with faces, edges or tetrahedra that are looked at at once.
_CORNERS_AT_ONCE = 2**20

# Twice the area of a face over the square of its longest edge, below which its edges stand for it.
_NO_FACE = 1e-10


class SolidMesh(WalkedMesh):
    """Delaunay triangulation of points in space.

    Parameters
    ----------
    points : ndarray of shape (n, 3)
        The points, not all in a plane.

    Raises
    ------
    QhullError
        If the points are fewer than four, or in a plane.

    Attributes
    ----------
    tetrahedra : ndarray of shape (m, 4), int64
        Corners; det(v0 - v3, v1 - v3, v2 - v3) is positive.
    neighbours : ndarray of shape (m, 4), int64
        The tetrahedron across the face opposite to each corner; -1 outside.
    border : ndarray of shape (b, 3), int64
        Corners of the faces of the convex hull.
    """

    def __init__(self, points: FloatArray) -> None:
        low, high = points.min(axis=0), points.max(axis=0)
        if len(points) < 4 or not (high > low).all():
            raise QhullError("a triangulation needs four points that are not in a plane")
        # a unit of about the extent: products of three lengths neither overflow nor vanish
        unit = 2.0 ** -np.floor(np.log2((high - low).max()))
        points = points * unit
        box = UniformBox(low * unit, high * unit)
        self.tetrahedra = PowerDiagram(points, source=box).triangulation.astype(np.int64)
        if not len(self.tetrahedra):
            raise QhullError("a triangulation needs four points that are not in a plane")
        super().__init__(points, self.tetrahedra, _neighbours(self.tetrahedra), unit)
        tet, corner = np.nonzero(self.neighbours < 0)
        self.border = self.tetrahedra[tet[:, None], _FACES[corner]]

    def _sides(self, x: FloatArray, corners: FloatArray) -> FloatArray:
        return _sides(x, corners)

    def _search(self, x: FloatArray) -> IntArray:
        """The tetrahedron that each point is in, of all; -1 if it is in none."""
        found = np.full(len(x), -1)
        for k, point in enumerate(x):
            inside = (_sides(point[:, None], self._corners) >= 0.0).all(axis=0)
            if inside.any():
                found[k] = inside.argmax()
        return found

    def on_hull(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        """The nearest points of the hull: corners (q, 3) of a face, and their shares (q, 3).

        Of an edge the third share is 0.
        """
        a, b, c = self.points[self.border.T]
        u, v = b - a, c - a
        uu, uv, vv = (np.sum(p * q, axis=1) for p, q in ((u, u), (u, v), (v, v)))
        square = uu * vv - uv * uv
        longest = np.maximum(np.maximum(uu, vv), np.sum((c - b) ** 2, axis=1))
        wide = square > (_NO_FACE * longest) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            to_b = (vv[:, None] * u - uv[:, None] * v) / square[:, None]
            to_c = (uu[:, None] * v - uv[:, None] * u) / square[:, None]
            normal = np.cross(u, v) / np.sqrt(square)[:, None]
        faces = self.border[wide]
        a, to_b, to_c, normal = a[wide], to_b[wide], to_c[wide], normal[wide]
        ends = np.sort(
            np.concatenate(
                [self.border[:, [0, 1]], self.border[:, [1, 2]], self.border[:, [2, 0]]]
            ),
            axis=1,
        )
        ends = np.unique(ends, axis=0)
        start = self.points[ends[:, 0]]
        along = self.points[ends[:, 1]] - start
        lengths = np.sum(along * along, axis=1)
        corners = np.empty((len(x), 3), dtype=np.int64)
        shares = np.empty((len(x), 3))
        step = max(1, _CORNERS_AT_ONCE // max(len(ends), 1))
        for begin in range(0, len(x), step):
            part = slice(begin, begin + step)
            away = self._unit * x[part, None] - start
            t = np.clip(np.einsum("qek,ek->qe", away, along) / lengths, 0.0, 1.0)
            away -= t[..., None] * along
            distance = np.einsum("qek,qek->qe", away, away)
            edge = distance.argmin(axis=1)
            rows = np.arange(len(edge))
            best, t = distance[rows, edge], t[rows, edge]
            corners[part, :2], corners[part, 2] = ends[edge], ends[edge, 0]
            shares[part] = np.column_stack([1.0 - t, t, np.zeros(len(t))])
            if not len(faces):
                continue
            away = self._unit * x[part, None] - a
            at_b = np.einsum("qfk,fk->qf", away, to_b)
            at_c = np.einsum("qfk,fk->qf", away, to_c)
            height = np.einsum("qfk,fk->qf", away, normal) ** 2
            over = (at_b >= 0.0) & (at_c >= 0.0) & (at_b + at_c <= 1.0)
            height = np.where(over, height, np.inf)
            face = height.argmin(axis=1)
            nearer = height[rows, face] < best
            some, face = rows[nearer], face[nearer]
            s, t = at_b[some, face], at_c[some, face]
            corners[begin + some] = faces[face]
            shares[begin + some] = np.column_stack([1.0 - s - t, s, t])
        return corners, shares


def _neighbours(tetrahedra: IntArray) -> IntArray:
    faces = np.sort(tetrahedra[:, _FACES], axis=2).reshape(-1, 3)
    order = np.lexsort(faces.T)
    same = (faces[order[1:]] == faces[order[:-1]]).all(axis=1)
    one, other = order[:-1][same], order[1:][same]
    found = np.full(len(faces), -1)
    found[one], found[other] = other // 4, one // 4
    return found.reshape(-1, 4)


def _sides(x: FloatArray, corners: FloatArray) -> FloatArray:
    """Which side of the faces opposite to corners (3, 4, q) points (3, q) are on, > 0 inside.

    These are six times the volumes that face and point span, shape (4, q); 0 up to the rounding of
    pairs is 0.
    """
    away = corners - x[:, None]
    sides = np.empty(away.shape[1:])
    for k, face in enumerate(_FACES):
        u, v, w = (away[:, f] for f in face)
        side, size = _determinant(u, v, w)
        unsure = np.abs(side) <= _UNSURE_VOLUME * size
        if unsure.any():
            points = [corners[:, f, unsure] for f in face]
            near = np.broadcast_to(x, u.shape)[:, unsure]
            rows = [[two_sum(p[j], -near[j]) for j in range(3)] for p in points]
            exact = _determinant_of_pairs(rows)
            side[unsure] = np.where(np.abs(exact) <= _ON_FACE * size[unsure], 0.0, exact)
        sides[k] = side
    return sides


def _determinant(u: FloatArray, v: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Determinant of three vectors (3, q), and the size of its terms."""
    side, size = np.zeros(u.shape[1:]), np.zeros(u.shape[1:])
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        one, other = v[j] * w[k], v[k] * w[j]
        side += u[i] * (one - other)
        size += np.abs(u[i]) * (np.abs(one) + np.abs(other))
    return side, size


def _determinant_of_pairs(rows: list[list[Pair]]) -> FloatArray:
    """Determinant of three rows of pairs."""
    u, v, w = rows
    minors = [
        product(u[i], difference(product(v[j], w[k]), product(v[k], w[j])))
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    ]
    return plus(plus(minors[0], minors[1]), minors[2])[0]
