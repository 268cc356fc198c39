"""Point location in simplices that lie side by side: walks from one to the next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["WALK_STEPS", "WalkedMesh"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# A walk that takes longer came from far away, or goes round in circles; it starts again nearby.
WALK_STEPS = 1000


class WalkedMesh(ABC):
    """Simplices of a convex hull, in which points are found.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        The points, in the unit of the mesh.
    simplices : ndarray of shape (m, d + 1), int64
        Corners, in the order in which `_sides` takes them.
    neighbours : ndarray of shape (m, d + 1), int64
        The simplex across the face opposite to each corner; -1 outside.
    unit : float, default 1.0
        What coordinates are multiplied with, a power of 2.

    Attributes
    ----------
    points, neighbours : ndarray
        As given.
    """

    # Steps that cross the face that a point is farthest beyond; then faces are drawn, as walks may
    # go round in circles where a triangulation is not Delaunay's (Devillers, Pion, Teillaud 2002).
    straight: ClassVar[int] = WALK_STEPS

    def __init__(
        self, points: FloatArray, simplices: IntArray, neighbours: IntArray, unit: float = 1.0
    ) -> None:
        self.points = points
        self.neighbours = neighbours
        self._unit = unit
        # any simplex at each point, to start a walk from
        self.first = np.zeros(len(points), dtype=np.int64)
        self.first[simplices[::-1].ravel()] = np.repeat(
            np.arange(len(simplices))[::-1], simplices.shape[1]
        )
        # coordinates first, which is how they are computed with
        self._corners = np.ascontiguousarray(points[simplices].T)

    @abstractmethod
    def _sides(self, x: FloatArray, corners: FloatArray) -> FloatArray:
        """Sides of points (d, q) of the faces opposite to corners (d, d + 1, q); > 0 inside."""

    @abstractmethod
    def _search(self, x: FloatArray) -> IntArray:
        """The simplex for each point, of all: for those that walks have not found."""

    def coordinates(self, x: FloatArray, simplex: IntArray) -> FloatArray:
        """Barycentric coordinates (q, d + 1) of points in given simplices."""
        sides = self._sides(self._unit * x.T, self._corners[..., simplex])
        return (sides / sides.sum(axis=0)).T

    def locate(self, x: FloatArray, near: IntArray) -> IntArray:
        """Simplex that each point is in, or -1 outside the hull.

        Parameters
        ----------
        x : ndarray of shape (q, d)
            The points.
        near : ndarray of shape (q,), int64
            A point of the mesh near each of them, to start at.

        Returns
        -------
        ndarray of shape (q,), int64
            No point lies beyond a face of its simplex.
        """
        x = self._unit * x
        found = self.first[near]
        left = self._walk(x, found, np.arange(len(x)))
        if left.size:
            found[left] = self.first[cKDTree(self.points).query(x[left])[1]]
            left = self._walk(x, found, left)
        if left.size:
            found[left] = self._search(x[left])
        return found

    def _walk(self, x: FloatArray, found: IntArray, walking: IntArray) -> IntArray:
        """Walk from simplices to points, in place; those of them that were not reached."""
        rng = np.random.default_rng(0)
        for step in range(WALK_STEPS):
            here = found[walking]
            across = self.neighbours[here]
            beyond = -self._sides(x[walking].T, self._corners[..., here]).T
            on = (beyond > 0.0).any(axis=1)
            # only faces with the point on their far side are crossed; of those out of the hull none
            # is, while there is another
            depth = np.where(across >= 0, np.maximum(beyond, 0.0), 0.0)
            if step >= self.straight:
                depth *= rng.random(depth.shape)
            face = depth.argmax(axis=1)
            rows = np.arange(len(walking))
            stuck = depth[rows, face] <= 0.0
            found[walking[on & stuck]] = -1
            onward = on & ~stuck
            found[walking[onward]] = across[rows, face][onward]
            walking = walking[onward]
            if not walking.size:
                break
        return walking
