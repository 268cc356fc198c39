"""Domains: where the mass of a source can be."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from geomot._frozen import Frozen, read_only
from geomot._orientation import orientations

__all__ = [
    "ConvexPolygon",
    "ConvexPolyhedron",
    "Domain",
    "EllipticDisk",
    "PeriodicBox",
    "PeriodicRectangle",
    "PlaneDomain",
    "PolygonRegion",
    "PolyhedronRegion",
    "SolidEllipsoid",
    "SpaceDomain",
]

FloatArray = NDArray[np.float64]

# Corners of the polygon that stands for an ellipse where one is drawn: off it by 5e-6 of its size.
_ROUND = 1024
# Corners of the polyhedron that stands for an ellipsoid: off it by 5e-3 of its size.
_ROUND_IN_SPACE = 500


class Domain(Frozen, ABC):
    """Where the mass of a source can be, as exact solvers need to know it.

    Examples
    --------
    >>> import geomot
    >>> domain = geomot.UniformBox([0.0, 0.0], [2.0, 1.0]).domain
    >>> isinstance(domain, geomot.sources.Domain), domain.convex, domain.connected
    (True, True, True)
    """

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
        """Return the lower and the upper corner of a box inside the domain.

        Returns
        -------
        lower, upper : ndarray of shape (d,)

        Examples
        --------
        >>> import geomot
        >>> low, high = geomot.UniformBox([0.0, 0.0], [2.0, 1.0]).domain.inscribed_box()
        >>> low.tolist(), high.tolist()
        ([0.0, 0.0], [2.0, 1.0])
        """

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

        Examples
        --------
        >>> import geomot
        >>> domain = geomot.UniformBox([0.0, 0.0], [1.0, 1.0]).domain
        >>> domain.largest_price(np.array([[0.0, 0.0], [1.0, 1.0]]))
        2.0
        """
        # The price is affine in x: its largest value over the bounding box is that of a corner.
        price = 0.0
        for corner in itertools.product(*self.bounds.T):
            distance = np.sum((np.array(corner) - sites) ** 2, axis=1)
            price = max(price, float(distance.max() - distance.min()))
        return price


class _Convex(Domain):
    """What convex domains have in common."""

    @property
    def convex(self) -> bool:
        """True."""
        return True

    @property
    def connected(self) -> bool:
        """True."""
        return True


class _ConvexHull(_Convex):
    """What convex domains with corners have in common."""

    vertices: FloatArray

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, d)."""
        return np.array([self.vertices.min(axis=0), self.vertices.max(axis=0)])


class PlaneDomain(Domain):
    """A domain in the plane.

    Examples
    --------
    >>> import geomot
    >>> isinstance(geomot.UniformBox.unit(2).domain, geomot.sources.PlaneDomain)
    True
    """

    @property
    @abstractmethod
    def container(self) -> ConvexPolygon:
        """A convex domain that holds this one: kernels clip diagrams to it."""

    @property
    @abstractmethod
    def outlines(self) -> list[FloatArray]:
        """The closed curves around it, each of shape (m, 2), the domain on their left."""

    @property
    @abstractmethod
    def parts(self) -> list[FloatArray]:
        """Convex polygons without common interior that make the domain, corners (m, 2) of each."""


@dataclass(frozen=True, eq=False)
class ConvexPolygon(_ConvexHull, PlaneDomain):
    """A convex polygon.

    Attributes
    ----------
    vertices : ndarray of shape (m, 2)
        The corners, strictly convex and counter-clockwise.

    Examples
    --------
    >>> import geomot
    >>> geomot.UniformPolygon([(0, 0), (1, 0), (0, 1)]).domain.vertices.tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """

    vertices: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", read_only(self.vertices))

    def __repr__(self) -> str:
        return f"ConvexPolygon(<{len(self.vertices)} corners>)"

    @property
    def container(self) -> ConvexPolygon:
        """The polygon itself."""
        return self

    @property
    def outlines(self) -> list[FloatArray]:
        """The polygon alone."""
        return [self.vertices]

    @property
    def parts(self) -> list[FloatArray]:
        """The polygon alone."""
        return [self.vertices]

    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return a box inside the polygon, of the shape of its bounding box.

        Returns
        -------
        lower, upper : ndarray of shape (2,)

        Examples
        --------
        >>> import geomot
        >>> low, high = geomot.UniformPolygon([(0, 0), (3, 0), (0, 3)]).domain.inscribed_box()
        >>> low.tolist(), high.tolist()
        ([0.5, 0.5], [1.5, 1.5])
        """
        bounds = self.bounds
        half = 0.5 * (bounds[1] - bounds[0])
        centre = self.vertices.mean(axis=0)
        step = np.roll(self.vertices, -1, axis=0) - self.vertices
        normal = np.column_stack([step[:, 1], -step[:, 0]])
        room = np.sum(normal * (self.vertices - centre), axis=1)
        scale = np.min(room / np.sum(np.abs(normal) * half, axis=1))
        return centre - scale * half, centre + scale * half


@dataclass(frozen=True, eq=False)
class PolygonRegion(PlaneDomain):
    """A region of the plane that is made of convex polygons without common interior.

    Attributes
    ----------
    corners : ndarray of shape (total, 2)
        The corners of all parts, each strictly convex and counter-clockwise.
    offsets : ndarray of shape (n_parts + 1,), int64
        Part k has the corners ``offsets[k]:offsets[k + 1]``.
    labels : ndarray of shape (total,), int64
        What lies across the edge from each corner to the next one of its part: -1 - e for the edge
        e of the outline, 0 for another part.
    components : ndarray of shape (n_parts,), int64
        The connected component of each part; parts that touch in points only are not connected.
    hull : ndarray of shape (m, 2)
        The convex hull, counter-clockwise.
    rings : ndarray of shape (k, 2)
        The corners of all outlines, one after the other.
    sizes : ndarray, int64
        How many corners each outline has.

    Examples
    --------
    >>> import geomot
    >>> squares = [[(0, 0), (1, 0), (1, 1), (0, 1)], [(2, 0), (3, 0), (3, 1), (2, 1)]]
    >>> region = geomot.UniformPolygon(squares).domain
    >>> region, region.n_components, region.connected
    (PolygonRegion(<2 convex parts>), 2, False)
    """

    corners: FloatArray
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]
    components: NDArray[np.int64]
    hull: FloatArray
    rings: FloatArray
    sizes: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("corners", "offsets", "labels", "components", "hull", "rings", "sizes"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __repr__(self) -> str:
        return f"PolygonRegion(<{len(self.components)} convex parts>)"

    @property
    def parts(self) -> list[FloatArray]:
        """The convex polygons."""
        return np.split(self.corners, self.offsets[1:-1])

    @property
    def n_components(self) -> int:
        """Number of connected components."""
        return int(self.components.max()) + 1

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, 2)."""
        return np.array([self.hull.min(axis=0), self.hull.max(axis=0)])

    @property
    def convex(self) -> bool:
        """False."""
        return False

    @property
    def connected(self) -> bool:
        """Whether the region is in one piece."""
        return self.n_components == 1

    @property
    def container(self) -> ConvexPolygon:
        """The convex hull."""
        return ConvexPolygon(self.hull)

    @property
    def outlines(self) -> list[FloatArray]:
        """The outer curves, counter-clockwise, and those around holes, clockwise."""
        return np.split(self.rings, np.cumsum(self.sizes)[:-1])

    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return a box inside the largest part.

        Examples
        --------
        >>> import geomot
        >>> squares = [[(0, 0), (1, 0), (1, 1), (0, 1)], [(2, 0), (4, 0), (4, 2), (2, 2)]]
        >>> lower, upper = geomot.UniformPolygon(squares).domain.inscribed_box()
        >>> lower.tolist(), upper.tolist()
        ([2.0, 0.0], [4.0, 2.0])
        """
        boxes = [ConvexPolygon(part).inscribed_box() for part in self.parts]
        return max(boxes, key=lambda box: float(np.prod(box[1] - box[0])))


def on_hull(starts: FloatArray, ends: FloatArray, hull: FloatArray) -> NDArray[np.bool_]:
    """Return which edges of polygons lie on the border of their convex hull.

    Parameters
    ----------
    starts, ends : ndarray of shape (k, 2)
        The edges, their polygon on the left.
    hull : ndarray of shape (m, 2)
        The hull, strictly convex and counter-clockwise.

    Returns
    -------
    ndarray of shape (k,), bool
        Decided exactly, but where sides of the hull hardly turn: False may stand for True there.

    Examples
    --------
    >>> import numpy as np
    >>> from geomot.sources.domains import on_hull
    >>> square = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    >>> on_hull(square[[0, 2]], np.array([(0.5, 0.0), (0.0, 0.0)]), square).tolist()
    [True, False]
    """
    sides = np.roll(hull, -1, axis=0) - hull
    angles = np.arctan2(sides[:, 1], sides[:, 0])
    order = np.argsort(angles)
    steps = ends - starts
    place = np.searchsorted(angles[order], np.arctan2(steps[:, 1], steps[:, 0]))
    found = np.zeros(len(starts), dtype=np.bool_)
    for shift in (-1, 0, 1):
        side = order[(place + shift) % len(hull)]
        a, b = hull[side], hull[(side + 1) % len(hull)]
        found |= (orientations(a, b, starts) == 0) & (orientations(a, b, ends) == 0)
    return found


@dataclass(frozen=True, eq=False)
class _Elliptic(_Convex):
    """What an ellipse and an ellipsoid have in common."""

    center: FloatArray
    factor: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", read_only(self.center))
        object.__setattr__(self, "factor", read_only(self.factor))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.center.tolist()}, {self.factor.tolist()})"

    @property
    def half_widths(self) -> FloatArray:
        """Half the sides of the bounding box, shape (d,)."""
        return np.asarray(reduce(np.hypot, self.factor.T))

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of a box around it, shape (2, d)."""
        half = self.half_widths
        lower, upper = self.center - half, self.center + half
        return np.stack([np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)])

    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return a box inside it, of the shape of its bounding box.

        Examples
        --------
        >>> import geomot
        >>> lower, upper = geomot.UniformBall([0.0, 0.0], 2.0).domain.inscribed_box()
        >>> (upper**2).round(12).tolist()
        [2.0, 2.0]
        """
        half = self.half_widths
        # opposite corners are as far away
        signs = np.array(list(itertools.product([1.0], *[(1.0, -1.0)] * (len(half) - 1))))
        corners = (half * signs).T
        reach = np.linalg.norm(np.linalg.solve(self.factor, corners), axis=0).max()
        return self.center - half / reach, self.center + half / reach


@dataclass(frozen=True, eq=False, repr=False)
class EllipticDisk(_Elliptic, PlaneDomain):
    """The region within an ellipse.

    Attributes
    ----------
    center : ndarray of shape (2,)
        The centre.
    factor : ndarray of shape (2, 2)
        The points are center + factor @ z, with z of length at most 1.

    Examples
    --------
    >>> import geomot
    >>> domain = geomot.UniformBall([0.0, 0.0], 2.0).domain
    >>> domain.convex, domain.outlines[0].shape
    (True, (1024, 2))
    >>> domain.container.bounds.round(12).tolist()
    [[-2.0, -2.0], [2.0, 2.0]]
    """

    @property
    def container(self) -> ConvexPolygon:
        """The box around it."""
        (x0, y0), (x1, y1) = self.bounds
        return ConvexPolygon(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))

    @property
    def outlines(self) -> list[FloatArray]:
        """A polygon of many corners on the ellipse."""
        angle = 2.0 * np.pi * np.arange(_ROUND) / _ROUND
        around = np.column_stack([np.cos(angle), np.sin(angle)])
        return [np.clip(self.center + around @ self.factor.T, *self.bounds)]

    @property
    def parts(self) -> list[FloatArray]:
        """The same polygon."""
        return self.outlines


@dataclass(frozen=True, eq=False)
class PeriodicBox(_Convex):
    """A box of which opposite sides are joined: a torus, or a cylinder.

    It counts as convex, because every cell is one convex polytope.

    Attributes
    ----------
    lower, upper : ndarray of shape (d,)
        Opposite corners.
    periodic : ndarray of shape (d,), bool
        Along which axes the box is repeated.

    Examples
    --------
    >>> import geomot
    >>> domain = geomot.UniformBox([0.0, 0.0, 0.0], [2.0, 1.0, 1.0], periodic=True).domain
    >>> domain
    PeriodicBox([0.0, 0.0, 0.0], [2.0, 1.0, 1.0], [True, True, True])
    >>> domain.nearest(np.array([[1.9, 0.5, 0.5]]), np.array([[0.0, 0.0, 0.0]])).round(9).tolist()
    [[-0.1, 0.5, 0.5]]
    """

    lower: FloatArray
    upper: FloatArray
    periodic: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name in ("lower", "upper", "periodic"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __repr__(self) -> str:
        corners = f"{self.lower.tolist()}, {self.upper.tolist()}"
        return f"{type(self).__name__}({corners}, {self.periodic.tolist()})"

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner, shape (2, d)."""
        return np.stack([self.lower, self.upper])

    @property
    def periods(self) -> FloatArray:
        """Width of the box along each axis, infinite where it is not repeated, shape (d,)."""
        return np.where(self.periodic, self.upper - self.lower, np.inf)

    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return the corners of the box.

        Examples
        --------
        >>> import geomot
        >>> low, high = geomot.UniformBox([0, 0], [2, 1], periodic=True).domain.inscribed_box()
        >>> low.tolist(), high.tolist()
        ([0.0, 0.0], [2.0, 1.0])
        """
        return self.lower, self.upper

    def nearest(self, points: FloatArray, places: FloatArray) -> FloatArray:
        """Return the copies of points that are nearest to other points.

        Parameters
        ----------
        points, places : ndarray of shape (n, d)
            The points, and the places that copies of them must be near.

        Returns
        -------
        ndarray of shape (n, d)
            Each differs from its point by whole periods.

        Examples
        --------
        >>> import geomot
        >>> torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True).domain
        >>> torus.nearest(np.array([[0.25, 0.5]]), np.array([[1.0, 0.5]])).tolist()
        [[1.25, 0.5]]
        """
        widths = self.upper - self.lower
        return points + np.where(self.periodic, np.rint((places - points) / widths) * widths, 0.0)

    def largest_price(self, sites: FloatArray) -> float:
        """Return a bound on what it costs to send a unit of mass to another site.

        Parameters
        ----------
        sites : ndarray of shape (n, d)
            The sites.

        Returns
        -------
        float
            At least c(x, y_i) - c(x, y_j) for all i, j and all x in the domain, where c is the
            square of the distance to the nearest copy.

        Examples
        --------
        >>> import geomot
        >>> torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True).domain
        >>> torus.largest_price(np.array([[0.1, 0.1], [0.9, 0.9]]))
        0.5
        """
        widths = (self.upper - self.lower)[self.periodic]
        around = 0.25 * float(np.sum(widths**2))
        across = ~self.periodic
        # along these axes as in a box
        prices = [
            np.ptp(np.sum((np.array(corner) - sites[:, across]) ** 2, axis=1))
            for corner in itertools.product(*self.bounds[:, across].T)
        ]
        return around + float(max(prices))


@dataclass(frozen=True, eq=False, repr=False)
class PeriodicRectangle(PeriodicBox, PlaneDomain):
    """A periodic box in the plane.

    Examples
    --------
    >>> import geomot
    >>> geomot.UniformBox([0.0, 0.0], [2.0, 1.0], periodic=True).domain
    PeriodicRectangle([0.0, 0.0], [2.0, 1.0], [True, True])
    """

    @property
    def container(self) -> ConvexPolygon:
        """The box, without its copies."""
        (x0, y0), (x1, y1) = self.lower, self.upper
        return ConvexPolygon(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))

    @property
    def outlines(self) -> list[FloatArray]:
        """The border of the box."""
        return self.container.outlines

    @property
    def parts(self) -> list[FloatArray]:
        """The box alone."""
        return self.container.parts


class SpaceDomain(Domain):
    """A domain in space.

    Examples
    --------
    >>> import geomot
    >>> isinstance(geomot.UniformBox.unit(3).domain, geomot.sources.SpaceDomain)
    True
    """

    @property
    @abstractmethod
    def container(self) -> ConvexPolyhedron:
        """A convex domain that holds this one: kernels clip diagrams to it."""


@dataclass(frozen=True, eq=False)
class ConvexPolyhedron(_ConvexHull, SpaceDomain):
    """A convex polyhedron.

    Attributes
    ----------
    vertices : ndarray of shape (m, 3)
        The corners.
    planes : ndarray of shape (k, 4)
        The faces' planes: the points with normal . x <= offset, the largest component of each
        normal 1 in magnitude.

    Examples
    --------
    >>> import geomot
    >>> geomot.UniformBox.unit(3).domain
    ConvexPolyhedron(<8 corners, 6 faces>)
    """

    vertices: FloatArray
    planes: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", read_only(self.vertices))
        object.__setattr__(self, "planes", read_only(self.planes))

    def __repr__(self) -> str:
        return f"ConvexPolyhedron(<{len(self.vertices)} corners, {len(self.planes)} faces>)"

    @property
    def container(self) -> ConvexPolyhedron:
        """The polyhedron itself."""
        return self

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

        Examples
        --------
        >>> import numpy as np
        >>> from geomot.sources import ConvexPolyhedron
        >>> ConvexPolyhedron.box(np.zeros(3), np.ones(3)).planes[1].tolist()
        [1.0, 0.0, 0.0, 1.0]
        """
        planes = np.zeros((6, 4))
        for k in range(3):
            planes[2 * k, k], planes[2 * k, 3] = -1.0, -lower[k]
            planes[2 * k + 1, k], planes[2 * k + 1, 3] = 1.0, upper[k]
        corners = np.array(list(itertools.product(*np.stack([lower, upper]).T)))
        return cls(corners, planes)

    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return a box inside the polyhedron, of the shape of its bounding box.

        Examples
        --------
        >>> import geomot
        >>> lower, upper = geomot.UniformBox.unit(3).domain.inscribed_box()
        >>> lower.round(12).tolist(), upper.round(12).tolist()
        ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
        """
        bounds = self.bounds
        half = 0.5 * (bounds[1] - bounds[0])
        centre = self.vertices.mean(axis=0)
        normals, offsets = self.planes[:, :3], self.planes[:, 3]
        room = offsets - normals @ centre
        scale = np.min(room / (np.abs(normals) @ half))
        return centre - scale * half, centre + scale * half


@dataclass(frozen=True, eq=False, repr=False)
class SolidEllipsoid(_Elliptic, SpaceDomain):
    """The region within an ellipsoid.

    Attributes
    ----------
    center : ndarray of shape (3,)
        The centre.
    factor : ndarray of shape (3, 3)
        The points are center + factor @ z, with z of length at most 1.

    Examples
    --------
    >>> import geomot
    >>> domain = geomot.UniformBall([0.0, 0.0, 0.0], 2.0).domain
    >>> domain.convex, domain.container, domain.surface.shape
    (True, ConvexPolyhedron(<8 corners, 6 faces>), (500, 3))
    """

    @property
    def container(self) -> ConvexPolyhedron:
        """The box around it."""
        return ConvexPolyhedron.box(*self.bounds)

    @property
    def surface(self) -> FloatArray:
        """Points on the ellipsoid, evenly spread, whose convex hull stands for it in figures."""
        k = np.arange(_ROUND_IN_SPACE)
        height = 1.0 - (2.0 * k + 1.0) / _ROUND_IN_SPACE
        angle = np.pi * (1.0 + np.sqrt(5.0)) * k
        wide = np.sqrt(1.0 - height**2)
        points = np.column_stack([wide * np.cos(angle), wide * np.sin(angle), height])
        return np.clip(self.center + points @ self.factor.T, *self.bounds)


@dataclass(frozen=True, eq=False)
class PolyhedronRegion(SpaceDomain):
    """A region of space that is made of tetrahedra.

    Attributes
    ----------
    corners : ndarray of shape (m, 4, 3)
        The corners of the tetrahedra.
    components : ndarray of shape (m,), int64
        The connected component of each; tetrahedra that share no face are not connected.
    hull : ConvexPolyhedron
        The convex hull.

    Examples
    --------
    >>> import geomot
    >>> points = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (2, 1, 1), (1, 1, 2)]
    >>> region = geomot.MeshDensity(points, [(0, 1, 2, 3), (3, 4, 5, 6)]).domain
    >>> region, region.n_components, region.convex
    (PolyhedronRegion(<2 tetrahedra>), 2, False)
    """

    corners: FloatArray
    components: NDArray[np.int64]
    hull: ConvexPolyhedron

    def __post_init__(self) -> None:
        object.__setattr__(self, "corners", read_only(self.corners))
        object.__setattr__(self, "components", read_only(self.components))

    def __repr__(self) -> str:
        return f"PolyhedronRegion(<{len(self.corners)} tetrahedra>)"

    @property
    def n_components(self) -> int:
        """Number of connected components."""
        return int(self.components.max()) + 1

    @property
    def bounds(self) -> FloatArray:
        """Lower and upper corner of the bounding box, shape (2, 3)."""
        return self.hull.bounds

    @property
    def container(self) -> ConvexPolyhedron:
        """The convex hull."""
        return self.hull

    @property
    def convex(self) -> bool:
        """False."""
        return False

    @property
    def connected(self) -> bool:
        """Whether the region is in one piece."""
        return self.n_components == 1

    def inscribed_box(self) -> tuple[FloatArray, FloatArray]:
        """Return a box inside the largest tetrahedron, of the shape of its bounding box.

        Examples
        --------
        >>> import geomot
        >>> points = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (2, 1, 1), (1, 1, 2)]
        >>> region = geomot.MeshDensity(points, [(0, 1, 2, 3), (3, 4, 5, 6)]).domain
        >>> lower, upper = region.inscribed_box()
        >>> lower.round(9).tolist(), upper.round(9).tolist()
        ([0.166666667, 0.166666667, 0.166666667], [0.333333333, 0.333333333, 0.333333333])
        """
        edges = self.corners[:, 1:] - self.corners[:, :1]
        corners = self.corners[int(np.argmax(np.abs(np.linalg.det(edges))))]
        centre = corners.mean(axis=0)
        half = 0.5 * np.ptp(corners, axis=0)
        # barycentric coordinates are affine: how fast the least of them falls towards a corner
        slopes = np.linalg.inv((corners[1:] - corners[0]).T)
        slopes = np.vstack([-slopes.sum(axis=0), slopes])
        scale = 0.25 / np.max(np.abs(slopes) @ half)
        return centre - scale * half, centre + scale * half
