"""Domains: where the mass of a source can be."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geomot._frozen import Frozen, read_only

__all__ = ["ConvexPolygon", "ConvexPolyhedron", "Domain"]

FloatArray = NDArray[np.float64]


class Domain(Frozen, ABC):
    """Where the mass of a source can be, as exact solvers need to know it."""

    @property
    @abstractmethod
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""

    @property
    @abstractmethod
    def convex(self) -> bool:
        """Whether the segment between any two points of the domain lies in it."""

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the domain is in one piece."""

    @abstractmethod
    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return the lower and the upper corner of a box inside the domain."""

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return int(self.bounds.shape[1])

    def largest_price(self, sites: FloatArray) -> float:
        """Return a bound on what it costs to send a unit of mass to another site.

        Parameters
        ----------
        sites : ndarray of shape (n, d)
            The sites.

        Returns
        -------
        float
            At least |x - y_i|^2 - |x - y_j|^2 for all i, j and all x in the domain.
        """
        # The price is affine in x: its largest value over the bounding box is that of a corner.
        price = 0.0
        for corner in itertools.product(*self.bounds.T):
            distance = np.sum((np.array(corner) - sites) ** 2, axis=1)
            price = max(price, float(distance.max() - distance.min()))
        return price


@dataclass(frozen=True, eq=False)
class ConvexPolygon(Domain):
    """A convex polygon.

    Attributes
    ----------
    vertices : ndarray of shape (m, 2)
        The corners, strictly convex and counter-clockwise.
    """

    vertices: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", read_only(self.vertices))

    def __repr__(self) -> str:
        return f"ConvexPolygon(<{len(self.vertices)} corners>)"

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, 2)."""
        return np.array([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @property
    def convex(self) -> bool:
        """True."""
        return True

    @property
    def connected(self) -> bool:
        """True."""
        return True

    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return a box inside the polygon, of the shape of its bounding box."""
        bounds = self.bounds
        half = 0.5 * (bounds[1] - bounds[0])
        centre = self.vertices.mean(axis=0)
        step = np.roll(self.vertices, -1, axis=0) - self.vertices
        normal = np.column_stack([step[:, 1], -step[:, 0]])
        room = np.sum(normal * (self.vertices - centre), axis=1)
        scale = np.min(room / np.sum(np.abs(normal) * half, axis=1))
        return centre - scale * half, centre + scale * half


@dataclass(frozen=True, eq=False)
class ConvexPolyhedron(Domain):
    """A convex polyhedron.

    Attributes
    ----------
    vertices : ndarray of shape (m, 3)
        The corners.
    planes : ndarray of shape (k, 4)
        The faces' planes: the points with normal . x <= offset, the largest component of each
        normal 1 in magnitude.
    """

    vertices: FloatArray
    planes: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", read_only(self.vertices))
        object.__setattr__(self, "planes", read_only(self.planes))

    def __repr__(self) -> str:
        return f"ConvexPolyhedron(<{len(self.vertices)} corners, {len(self.planes)} faces>)"

    @classmethod
    def box(cls, lower: FloatArray, upper: FloatArray) -> ConvexPolyhedron:
        """Return a box with sides along the axes; face 2 k is below, 2 k + 1 above, along axis k.

        Parameters
        ----------
        lower, upper : ndarray of shape (3,)
            Opposite corners.

        Returns
        -------
        ConvexPolyhedron
        """
        planes = np.zeros((6, 4))
        for k in range(3):
            planes[2 * k, k], planes[2 * k, 3] = -1.0, -lower[k]
            planes[2 * k + 1, k], planes[2 * k + 1, 3] = 1.0, upper[k]
        corners = np.array(list(itertools.product(*np.stack([lower, upper]).T)))
        return cls(corners, planes)

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, 3)."""
        return np.array([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @property
    def convex(self) -> bool:
        """True."""
        return True

    @property
    def connected(self) -> bool:
        """True."""
        return True

    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return a box inside the polyhedron, of the shape of its bounding box."""
        bounds = self.bounds
        half = 0.5 * (bounds[1] - bounds[0])
        centre = self.vertices.mean(axis=0)
        normals, offsets = self.planes[:, :3], self.planes[:, 3]
        room = offsets - normals @ centre
        scale = np.min(room / (np.abs(normals) @ half))
        return centre - scale * half, centre + scale * half
