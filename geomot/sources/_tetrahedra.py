"""Tetrahedra in space as the domain of a density that is linear on each."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geomot._core.space.tetrahedra import Tetrahedra
from geomot.sources.domains import ConvexPolyhedron, PolyhedronRegion, SpaceDomain
from geomot.sources.polyhedron import UniformPolyhedron

__all__ = ["TetrahedronMesh"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# A determinant above this share of its terms' magnitude, and far from underflow, has its sign.
_VOLUME_FILTER = 2.0**-46
_VOLUME_FLOOR = 2.0**-900

# How far, relative to the largest coordinate, a face of the mesh may be from a plane of the convex
# hull to lie on it: what rounding of both planes leaves.
_ON_HULL = 2.0**-44

# The corners of the face opposite each corner, counter-clockwise from outside.
_FACES = np.array([(1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1)])


class TetrahedronMesh:
    """Tetrahedra, of which some share faces.

    Parameters
    ----------
    points : ndarray of shape (n, 3)
        The vertices.
    simplices : ndarray of shape (m, 4), int64
        The tetrahedra, in either orientation; refused if one has no volume, or if two lie on the
        same side of a face.

    Attributes
    ----------
    simplices : ndarray of shape (m, 4), int64
        With det(v1 - v0, v2 - v0, v3 - v0) > 0.
    corners : ndarray of shape (m, 4, 3)
        Their corners.
    sizes : ndarray of shape (m,)
        Their volumes.
    """

    def __init__(self, points: FloatArray, simplices: IndexArray) -> None:
        self.simplices = _oriented(simplices, points)
        self.corners = points[self.simplices]
        edges = self.corners[:, 1:] - self.corners[:, :1]
        self.sizes = np.abs(np.linalg.det(edges)) / 6.0
        distinct, which = np.unique(self.corners.reshape(-1, 3), axis=0, return_inverse=True)
        self._distinct = distinct
        self._find_faces(which.reshape(-1, 4))

    def _find_faces(self, tetrahedra: IndexArray) -> None:
        """Number the faces; which tetrahedra have them, and on which side."""
        m = len(tetrahedra)
        corners = tetrahedra[:, _FACES].reshape(-1, 3)
        order = np.argsort(corners, axis=1)
        # a permutation is even where the second of three follows the first around
        even = (order[:, 1] - order[:, 0]) % 3 == 1
        self._faces, face = np.unique(
            np.take_along_axis(corners, order, axis=1), axis=0, return_inverse=True
        )
        self._face = face.reshape(m, 4)
        self._even = even.reshape(m, 4)
        side = 2 * face.reshape(-1) + even
        found, first, count = np.unique(side, return_index=True, return_counts=True)
        if (count > 1).any():
            twice = np.flatnonzero(side == found[count > 1][0]) // 4
            raise ValueError(
                "simplices must not overlap, but the tetrahedra in rows "
                f"{int(twice[0])} and {int(twice[1])} lie on the same side of a face"
            )
        self._border = np.bincount(self._face.reshape(-1)) == 1

    @cached_property
    def _planes(self) -> FloatArray:
        """The faces' planes, (F, 4): normals counter-clockwise about the sorted corners."""
        a, b, c = (self._distinct[self._faces[:, k]].astype(np.longdouble) for k in range(3))
        normals = np.cross(b - a, c - a)
        normals = (normals / np.abs(normals).max(axis=1, keepdims=True)).astype(np.float64)
        middle = (a + b + c) / np.longdouble(3.0)
        offsets = np.sum(normals.astype(np.longdouble) * middle, axis=1)
        return np.column_stack([normals, offsets.astype(np.float64)])

    @cached_property
    def _container(self) -> ConvexPolyhedron:
        return UniformPolyhedron(self._distinct).domain

    @cached_property
    def _outer(self) -> NDArray[np.bool_]:
        """Which faces lie on the border of the convex hull, (F,), up to rounding."""
        outer = np.zeros(len(self._faces), dtype=np.bool_)
        faces = np.flatnonzero(self._border)
        hull = self._container.planes
        size = float(np.abs(self._distinct).max())
        lengths = np.linalg.norm(hull[:, :3], axis=1, keepdims=True)
        unit = hull / (lengths * [1.0, 1.0, 1.0, size])
        tree = cKDTree(unit)
        for sign in (1.0, -1.0):
            seen = sign * self._planes[faces]
            seen = seen / (
                np.linalg.norm(seen[:, :3], axis=1, keepdims=True) * [1.0, 1.0, 1.0, size]
            )
            _, near = tree.query(seen)
            plane = hull[near]
            for k in range(3):
                corner = self._distinct[self._faces[faces, k]]
                away = np.abs(np.sum(plane[:, :3] * corner, axis=1) - plane[:, 3])
                near = np.where(away <= _ON_HULL * size, near, -1)
            outer[faces[near >= 0]] = True
        return outer

    @cached_property
    def domain(self) -> SpaceDomain:
        """All tetrahedra together."""
        if (self._outer | ~self._border).all():
            return self._container
        m = len(self.simplices)
        pairs = np.argsort(self._face.reshape(-1), kind="stable")
        inner = ~self._border[self._face.reshape(-1)[pairs]]
        first, second = (pairs[inner].reshape(-1, 2) // 4).T
        links = coo_array((np.ones(len(first)), (first, second)), shape=(m, m))
        _, component = connected_components(links, directed=False)
        return PolyhedronRegion(self.corners, component.astype(np.int64), self._container)

    def density(self, values: FloatArray) -> Callable[[float], Any]:
        """The kernel's density that is linear on each tetrahedron, as `Source.scaled_density`.

        Parameters
        ----------
        values : ndarray of shape (m, 4)
            At the corners.
        """
        planes = np.empty((2 * len(self._faces), 4))
        planes[0::2], planes[1::2] = -self._planes, self._planes
        # outward: counter-clockwise from outside where the sorted corners are an even permutation
        faces = np.where(self._outer[self._face], -1, 2 * self._face + self._even)

        # setting up the kernel takes as long as a diagram
        @lru_cache(maxsize=1)
        def density(scale: float) -> Tetrahedra:
            scaled = planes * np.array([1.0, 1.0, 1.0, scale])
            return Tetrahedra(scale * self.corners, values / scale**3, scaled, faces)

        return density


def _oriented(simplices: IndexArray, points: FloatArray) -> IndexArray:
    """Return the tetrahedra with positive volumes, a new array."""
    tetrahedra = simplices.copy()
    a, b, c, d = (points[tetrahedra[:, k]] for k in range(4))
    u, v, w = b - a, c - a, d - a
    terms = np.stack(
        [
            turn * u[:, i] * (v[:, (i + turn) % 3] * w[:, (i - turn) % 3])
            for i in range(3)
            for turn in (1, -1)
        ]
    )
    size = np.abs(terms).sum(axis=0)
    sign = np.sign(terms.sum(axis=0))
    unsure = ~((np.abs(terms.sum(axis=0)) > _VOLUME_FILTER * size) & (size > _VOLUME_FLOOR))
    for k in np.flatnonzero(unsure):
        sign[k] = _exact_sign(points[tetrahedra[k]])
    if not sign.all():
        row = int(np.flatnonzero(sign == 0.0)[0])
        raise ValueError(
            "simplices must be tetrahedra with a volume, got "
            f"{tetrahedra[row].tolist()} in row {row}"
        )
    back = sign < 0.0
    tetrahedra[back, 2], tetrahedra[back, 3] = tetrahedra[back, 3], tetrahedra[back, 2]
    return tetrahedra


def _exact_sign(corners: FloatArray) -> float:
    a, *others = ([Fraction(x) for x in corner] for corner in corners.tolist())
    u, v, w = ([p - q for p, q in zip(corner, a, strict=True)] for corner in others)
    volume = sum(
        u[i] * (v[j] * w[k] - v[k] * w[j]) for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    )
    return float((volume > 0) - (volume < 0))
