"""The uniform measure on a convex polyhedron."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull, QhullError

from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_points
from geomot.sources.base import Source, symmetric
from geomot.sources.domains import ConvexPolyhedron

__all__ = ["UniformPolyhedron"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UniformPolyhedron(Source):
    """Uniform measure on a convex polyhedron in space, the convex hull of points.

    Parameters
    ----------
    vertices : array_like of shape (m, 3)
        Points whose convex hull is the polyhedron; those inside it are dropped.

    Attributes
    ----------
    vertices : ndarray of shape (m, 3)
        The corners, in lexicographic order, so that all spellings of a polyhedron are equal.

    Notes
    -----
    Exact diagrams take the polyhedron as the intersection of its faces' half-spaces, whose
    coefficients are rounded once; ``domain.planes`` holds them.

    Examples
    --------
    >>> from geomot import UniformPolyhedron
    >>> corner = UniformPolyhedron([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.1, 0.1, 0.1)])
    >>> corner.vertices.tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    >>> round(6 * corner.volume, 12), corner.mean.round(12).tolist()
    (1.0, [0.25, 0.25, 0.25])
    >>> len(corner.domain.planes)
    4
    """

    vertices: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (3,)

    def __init__(self, vertices: ArrayLike) -> None:
        points = np.unique(as_points(vertices, "vertices", 3) + 0.0, axis=0)
        if len(points) < 4:
            raise ValueError(f"vertices must hold at least 4 different points, got {len(points)}")
        try:
            corners = np.sort(ConvexHull(_centred(points)).vertices)
        except QhullError:
            raise ValueError("vertices must not all lie in one plane") from None
        object.__setattr__(self, "vertices", read_only(points[corners]))

    @property
    def dim(self) -> int:
        """Number of coordinates: 3."""
        return 3

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, 3)."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @cached_property
    def volume(self) -> float:
        """Volume."""
        return float(self._fan[2])

    @cached_property
    def domain(self) -> ConvexPolyhedron:
        """The polyhedron with its planes."""
        hull = ConvexHull(_centred(self.vertices))
        normals = np.unique(hull.equations, axis=0)[:, :3]
        normals = normals / np.abs(normals).max(axis=1, keepdims=True)
        normals = np.unique(np.where(np.abs(normals) < _ALONG_AN_AXIS, 0.0, normals), axis=0)
        return ConvexPolyhedron(self.vertices, supporting_planes(normals, self.vertices))

    @property
    def scaled_density(self) -> None:
        """Uniform."""
        return None

    @cached_property
    def _fan(self) -> tuple[FloatArray, FloatArray, float]:
        """Tetrahedra at the first corner: three edges of each, shares, and the volume."""
        hull = ConvexHull(_centred(self.vertices))
        edges = self.vertices[hull.simplices] - self.vertices[0]
        volumes = np.abs(np.linalg.det(edges)) / 6.0
        kept = volumes > 0.0
        total = float(volumes[kept].sum())
        return edges[kept], volumes[kept] / total, total

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> import geomot
        >>> simplex = geomot.UniformPolyhedron([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> simplex.sample(4, random_state=0).shape
        (4, 3)
        """
        n = as_count(n, "n")
        return self._from_uniforms(as_generator(random_state).random((n, 4)))

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: 4."""
        return 4

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        # The first number picks a tetrahedron, the others, in order, cut an interval: its pieces
        # are weights of the corners.
        edges, shares, _ = self._fan
        pick = np.searchsorted(np.cumsum(shares), u[:, 0], side="right")
        pick = np.minimum(pick, len(shares) - 1)
        cuts = np.sort(u[:, 1:], axis=1)
        parts = np.diff(cuts, axis=1, prepend=0.0)
        points = self.vertices[0] + np.einsum("nk,nkj->nj", parts, edges[pick])
        return np.clip(points, *self.bounds)

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (3,)."""
        edges, shares, _ = self._fan
        return read_only(self.vertices[0] + shares @ (edges.sum(axis=1) / 4.0))

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (3, 3)."""
        edges, shares, _ = self._fan
        corners = np.concatenate([np.zeros((len(edges), 1, 3)), edges], axis=1)
        corners = corners - (self.mean - self.vertices[0])
        # a tetrahedron's second moment is that of its corners and of their sum
        corners = np.concatenate([corners, corners.sum(axis=1, keepdims=True)], axis=1)
        return symmetric(np.einsum("t,tkj,tkl->jl", shares, corners, corners) / 20.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name and the corners.

        Examples
        --------
        >>> import geomot
        >>> simplex = geomot.UniformPolyhedron([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> simplex.to_dict()["vertices"].shape
        (4, 3)
        """
        return {"type": "UniformPolyhedron", "vertices": self.vertices}

    def __repr__(self) -> str:
        return f"UniformPolyhedron(<{len(self.vertices)} vertices, volume {self.volume:.6g}>)"


# Components of a normal below this are what the hull's rounding leaves of zero.
_ALONG_AN_AXIS = 2.0**-50


def _centred(points: FloatArray) -> FloatArray:
    """Points about their centre and of extent one, for the hull."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - (0.5 * low + 0.5 * high)) / (high - low).max()


def supporting_planes(normals: FloatArray, vertices: FloatArray) -> FloatArray:
    """Return planes (m, 4) with the given normals that touch the hull of the vertices."""
    offsets = (normals @ vertices.T).max(axis=1)
    return np.column_stack([normals, offsets])
