"""The measure with a density that is linear on the simplices of a mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomot._constants import WEIGHT_LIMIT
from geomot._frozen import read_only
from geomot._validation import as_count, as_generator, as_points, as_real_array
from geomot.sources._tetrahedra import TetrahedronMesh
from geomot.sources._triangles import TriangleMesh
from geomot.sources.base import Source, symmetric
from geomot.sources.domains import PlaneDomain, SpaceDomain

__all__ = ["MeshDensity"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MeshDensity(Source):
    """Measure with a density that is linear on each triangle or tetrahedron of a mesh.

    Parameters
    ----------
    points : array_like of shape (n, 2) or (n, 3)
        The vertices of the mesh. Vertices that coincide may have different values: the density
        jumps between their simplices.
    simplices : array_like of shape (m, 3) or (m, 4), integers
        The vertices of each triangle, in space of each tetrahedron, in either orientation.
    values : array_like of shape (n,), optional
        The density at the vertices, up to a factor, not negative; uniform if None.

    Attributes
    ----------
    points : ndarray of shape (n, d)
        The vertices.
    simplices : ndarray of shape (m, d + 1), int64
        The triangles, counter-clockwise; tetrahedra with det(v1 - v0, v2 - v0, v3 - v0) > 0.
    values : ndarray of shape (n,)
        The density, with integral 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; the message names it. Simplices must have an area or a volume,
        which is decided exactly. Triangles must not overlap, and must share whole edges: a vertex
        in the middle of another triangle's edge (a hanging node) is refused; this, too, is decided
        exactly. Of tetrahedra two on the same side of a face are refused; where others overlap
        their densities add up.

    Notes
    -----
    Mass, centroid and cost of a cell are exact integrals over its parts in the simplices. Where all
    values of a simplex are zero the domain has no mass, but it is still part of the domain.

    A tetrahedron is what the planes of its faces enclose, whose coefficients are rounded once. All
    values equal, or None, gives the uniform measure on a polyhedron of any shape.

    Examples
    --------
    Twice as dense at x = 1 as in the middle of the unit square, and 0 at x = 0.

    >>> import geomot
    >>> corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    >>> ramp = geomot.MeshDensity(corners, [(0, 1, 2), (0, 2, 3)], [0, 1, 1, 0])
    >>> ramp.values.tolist(), ramp.mean.round(12).tolist()
    ([0.0, 2.0, 2.0, 0.0], [0.666666666667, 0.5])
    >>> geomot.PowerDiagram([(0.25, 0.5), (0.75, 0.5)], None, ramp).masses.tolist()
    [0.25, 0.75]

    A tetrahedron whose density grows from 0 in the plane x = 0.

    >>> corners = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    >>> solid = geomot.MeshDensity(corners, [(0, 1, 2, 3)], [0, 1, 0, 0])
    >>> solid.mean.round(12).tolist()
    [0.4, 0.2, 0.2]
    """

    points: FloatArray
    simplices: IndexArray
    values: FloatArray
    exact_dims: ClassVar[tuple[int, ...]] = (2, 3)

    def __init__(
        self, points: ArrayLike, simplices: ArrayLike, values: ArrayLike | None = None
    ) -> None:
        # adding 0.0 turns -0.0 into 0.0: equal meshes then have equal bits
        places = as_points(points, "points") + 0.0
        if places.shape[1] not in (2, 3):
            raise ValueError(f"points must have shape (n, 2) or (n, 3), got {places.shape}")
        mesh = _mesh(places, _as_simplices(simplices, places))
        object.__setattr__(self, "points", read_only(places))
        object.__setattr__(self, "simplices", read_only(mesh.simplices))
        self.__dict__["_mesh"] = mesh
        heights = _as_heights(values, len(places))
        mass = float(np.sum(mesh.sizes * heights[mesh.simplices].mean(axis=1)))
        if not mass > 0.0:
            raise ValueError("values must be positive at a vertex of some simplex, got none")
        object.__setattr__(self, "values", read_only(heights / mass))

    @property
    def dim(self) -> int:
        """Number of coordinates: 2 or 3."""
        return int(self.points.shape[1])

    @cached_property
    def _mesh(self) -> TriangleMesh | TetrahedronMesh:
        return _mesh(self.points, self.simplices)

    @cached_property
    def _corners(self) -> FloatArray:
        """The corners of the simplices, (m, d + 1, d)."""
        return self.points[self.simplices]

    @cached_property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""
        used = self._corners.reshape(-1, self.dim)
        return read_only(np.stack([used.min(axis=0), used.max(axis=0)]))

    # ---- the domain ----

    @cached_property
    def domain(self) -> PlaneDomain | SpaceDomain:
        """All simplices together."""
        return self._mesh.domain

    @property
    def polygon(self) -> FloatArray:
        """In the plane the corners of the outlines, (total, 2): edge e begins in corner e."""
        if not isinstance(self.domain, PlaneDomain):
            raise ValueError(f"polygon needs a mesh in the plane, got {self}")
        return np.concatenate(self.domain.outlines)

    @cached_property
    def scaled_density(self) -> Callable[[float], Any]:
        """Linear on each simplex."""
        return self._mesh.density(self.values[self.simplices])

    @property
    def darkest(self) -> float:
        """The least density on the convex hull, relative to the mean."""
        if not self.domain.convex:
            return 0.0
        return float(self.values[self.simplices].min() * self._mesh.sizes.sum())

    # ---- points and moments ----

    @cached_property
    def _shares(self) -> FloatArray:
        """Cumulated masses of the simplices' corners: each has an equal share of its value."""
        masses = (self._mesh.sizes / (self.dim + 1.0))[:, None] * self.values[self.simplices]
        return np.cumsum(masses.reshape(-1))

    def sample(self, n: int, random_state: Any = None) -> FloatArray:
        """Draw points; see `Source.sample`.

        Examples
        --------
        >>> import geomot
        >>> corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
        >>> ramp = geomot.MeshDensity(corners, [(0, 1, 2), (0, 2, 3)], [0, 1, 1, 0])
        >>> bool(abs(ramp.sample(10_000, random_state=0).mean(axis=0) - ramp.mean).max() < 0.01)
        True
        """
        n = as_count(n, "n")
        return self._from_uniforms(as_generator(random_state).random((n, self.n_uniforms)))

    @property
    def n_uniforms(self) -> int:
        """Number of uniform numbers for a point: 3, in space 5."""
        return 2 * self.dim - 1

    def _from_uniforms(self, u: FloatArray) -> FloatArray:
        # Linear on a simplex: a mixture of densities, each proportional to the barycentric
        # coordinate of one corner.
        shares, d = self._shares, self.dim
        pick = np.searchsorted(shares, u[:, 0] * shares[-1], side="right")
        held = np.flatnonzero(np.diff(shares, prepend=0.0) > 0.0)
        pick = np.minimum(pick, held[-1])
        simplex, corner = np.divmod(pick, d + 1)
        others = (_weights_in_plane if d == 2 else _weights_in_space)(u[:, 1:])
        at = [self._corners[simplex, (corner + k) % (d + 1)] for k in range(d + 1)]
        points = at[0].copy()
        for weight, place in zip(others.T, at[1:], strict=True):
            points += weight[:, None] * (place - at[0])
        return np.clip(points, *self.bounds)

    @cached_property
    def _moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean, and covariance."""
        d, sizes = self.dim, self._mesh.sizes
        first, second = float((d + 1) * (d + 2)), float((d + 1) * (d + 2) * (d + 3))
        f = self.values[self.simplices]
        origin = self._corners[0, 0]
        seen = self._corners - origin
        total, x = f.sum(axis=1), seen.sum(axis=1)
        fx = np.einsum("mk,mki->mi", f, seen)
        mean = np.sum((sizes / first)[:, None] * (total[:, None] * x + fx), axis=0)
        # about the mean, so that thin meshes keep their digits
        seen = seen - mean
        x = seen.sum(axis=1)
        fx = np.einsum("mk,mki->mi", f, seen)
        within = np.einsum("m,mi,mj->ij", sizes * total, x, x)
        within += np.einsum("m,mki,mkj->ij", sizes * total, seen, seen)
        mixed = np.einsum("m,mi,mj->ij", sizes, x, fx)
        within += 2.0 * np.einsum("m,mk,mki,mkj->ij", sizes, f, seen, seen)
        return origin + mean, (within + mixed + mixed.T) / second

    @cached_property
    def mean(self) -> FloatArray:
        """Barycentre, shape (d,)."""
        return read_only(self._moments[0])

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance matrix, shape (d, d)."""
        return symmetric(self._moments[1])

    # ---- storage ----

    def to_dict(self) -> dict[str, Any]:
        """Return the type's name, the vertices, the simplices and the density.

        Examples
        --------
        >>> import geomot
        >>> mesh = geomot.MeshDensity([(0, 0), (1, 0), (0, 1)], [(0, 1, 2)])
        >>> mesh.to_dict()["values"].tolist()
        [2.0, 2.0, 2.0]
        """
        return {
            "type": "MeshDensity",
            "points": self.points,
            "simplices": self.simplices.astype(np.float64),
            "values": self.values,
        }

    def __repr__(self) -> str:
        kind = "triangles" if self.dim == 2 else "tetrahedra"
        return f"MeshDensity(<{len(self.points)} points, {len(self.simplices)} {kind}>)"


def _mesh(points: FloatArray, simplices: IndexArray) -> TriangleMesh | TetrahedronMesh:
    return (TriangleMesh if points.shape[1] == 2 else TetrahedronMesh)(points, simplices)


def _weights_in_plane(u: FloatArray) -> FloatArray:
    """Shares of the two other corners where the density is proportional to that of the first."""
    # That share has the law Beta(2, 2), whose distribution function 3 t^2 - 2 t^3 has an inverse in
    # closed form; the two others divide the rest.
    own = 0.5 - np.sin(np.arcsin(1.0 - 2.0 * u[:, 0]) / 3.0)
    rest = (1.0 - own) * u[:, 1]
    return np.column_stack([(1.0 - own) - rest, rest])


def _weights_in_space(u: FloatArray) -> FloatArray:
    """The same of three."""
    # Four numbers cut an interval into five pieces, all alike: two of them are the first share.
    return np.diff(np.sort(u, axis=1), axis=1)


def _as_simplices(simplices: Any, points: FloatArray) -> IndexArray:
    """Return simplices as indices of points."""
    given = as_real_array(simplices, "simplices")
    corners = points.shape[1] + 1
    if given.ndim != 2 or given.shape[1] != corners or len(given) == 0:
        raise ValueError(f"simplices must have shape (m, {corners}), got {given.shape}")
    good = (given >= 0) & (given < len(points)) & (given == np.floor(given))
    if not good.all():
        row, column = (int(k) for k in np.argwhere(~good)[0])
        raise ValueError(
            f"simplices must be indices of {len(points)} points, got {given[row, column]:g} in row "
            f"{row}"
        )
    return given.astype(np.int64)


def _as_heights(values: Any, n: int) -> FloatArray:
    """Return densities of which none exceeds 1, a new array."""
    if values is None:
        return np.ones(n)
    heights = as_real_array(values, "values")
    if heights.shape != (n,):
        raise ValueError(f"values must have shape ({n},), got {heights.shape}")
    good = (heights >= 0.0) & (heights <= WEIGHT_LIMIT)
    if not good.all():
        k = int(np.flatnonzero(~good)[0])
        raise ValueError(f"values must be finite and not negative, got {heights[k]} at {k}")
    return heights / max(float(heights.max()), np.finfo(float).tiny)
