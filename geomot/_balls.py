"""Diagrams of partial transport: power cells that end where |x - y_i|^2 = w_i.

Every site takes mass from what its ball, of the squared radius w_i, holds of its power cell. What
lies in no ball stays. Only uniform measures on convex polygons have such diagrams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._core.plane.balls import BallDensity
from geomot._facets import Facets
from geomot._power import PlaneDiagram, PlaneSites
from geomot.potentials import kantorovich_potential
from geomot.sources import ConvexPolygon, Source, exact_domain

__all__ = ["BallDiagram", "BallSites", "nearest_inside", "require_partial"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Chords of a polygon in place of a whole circle; it ends 0.05 % of the radius inside.
_CHORDS = 96


def require_partial(source: Source, name: str = "source") -> ConvexPolygon:
    """Return the domain of a source that partial transport is possible for; refuse others."""
    domain = exact_domain(source) if source.dim == 2 and source.exact else None
    if isinstance(domain, ConvexPolygon) and source.plane_density is None:
        return domain
    raise ValueError(
        f"{name} must be uniform on a convex polygon in the plane for partial transport, "
        f"got {source}"
    )


def nearest_inside(points: FloatArray, polygon: FloatArray) -> FloatArray:
    """Return the points of a convex polygon that are nearest to other points."""
    least = np.full(len(points), np.inf)
    outside = np.zeros(len(points), bool)
    nearest = points.copy()
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        step, seen = b - a, points - a
        outside |= step[0] * seen[:, 1] - step[1] * seen[:, 0] < 0.0
        foot = a + np.clip(seen @ step / (step @ step), 0.0, 1.0)[:, None] * step
        square = np.sum((points - foot) ** 2, axis=1)
        closer = square < least
        least[closer], nearest[closer] = square[closer], foot[closer]
    return np.where(outside[:, None], nearest, points)


class BallSites:
    """Sites under a uniform measure, as `geomot._exact` wants them, for partial transport.

    Parameters
    ----------
    sites : ndarray of shape (n, 2)
        The sites.
    source : Source
        The source measure, uniform on a convex polygon.
    """

    def __init__(self, sites: FloatArray, source: Source) -> None:
        domain = require_partial(source)
        x, y = (domain.vertices - domain.vertices[0]).T
        self.area = 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
        self.sites = sites
        self.domain = domain

        def density(scale: float) -> BallDensity:
            return BallDensity(1.0 / (self.area * scale * scale))

        self.plane = PlaneSites(sites, domain.vertices, density)

    def squares_of(self, mass: float) -> FloatArray:
        """Weights of balls that reach so far into the domain that a ball would have the mass."""
        places = nearest_inside(self.sites, self.domain.vertices)
        squares = np.sum((places - self.sites) ** 2, axis=1)
        return squares + mass * self.area / np.pi

    def diagram(
        self, weights: FloatArray, weights_low: FloatArray | None = None, *, threads: int = 1
    ) -> BallDiagram:
        """Return the diagram of weights hi, and lo where given."""
        plane = self.plane.diagram(weights, weights_low, threads=threads)
        low = np.zeros_like(weights) if weights_low is None else weights_low
        return BallDiagram(self, plane, weights, low)


class BallDiagram:
    """Diagram of partial transport, as `geomot._exact` wants it.

    Parameters
    ----------
    sites : BallSites
        The sites.
    plane : PlaneDiagram
        Their power diagram, measured in the balls.
    weights, weights_low : ndarray of shape (n,)
        The weights.
    """

    def __init__(
        self, sites: BallSites, plane: PlaneDiagram, weights: FloatArray, weights_low: FloatArray
    ) -> None:
        self._sites = sites
        self._plane = plane
        self._weights = weights, weights_low
        self.masses, self.costs, self.centroids = plane.masses, plane.costs, plane.centroids
        self.empty, self.arcs = plane.empty, plane.arcs
        self.radii: FloatArray = np.sqrt(np.maximum(weights + weights_low, 0.0))

    @property
    def facets(self) -> Facets:
        """Neighbours, and the measures of their common borders inside the balls."""
        return self._plane.facets

    def facet_moments(self, *, threads: int = 1) -> tuple[FloatArray, FloatArray]:
        """Refuse: only derivatives in the sites need them."""
        raise NotImplementedError("cells that end in arcs have no moments of facets")

    def cells(self, *, threads: int = 1) -> tuple[Any, ...]:
        """Corners, offsets, indices and labels, as in `diagram.Cells`; arcs as short chords."""
        corners, offsets, indices, labels = self._plane.cells(threads=threads)
        rim = -1 - len(self._sites.domain.vertices)
        polygons, across = [], []
        for i, (a, b) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
            polygon = corners[indices[a:b]] - self._sites.sites[i]
            named = labels[a:b]
            if self.empty[i]:
                polygon, named = polygon[:0], named[:0]
            elif (np.hypot(*polygon.T) > self.radii[i]).any():
                polygon, named = _cut(polygon, named, self.radii[i], rim)
            polygons.append(polygon + self._sites.sites[i])
            across.append(named)
        starts = np.concatenate([[0], np.cumsum([len(p) for p in polygons])])
        every = np.concatenate(polygons)
        return every, starts, np.arange(len(every)), np.concatenate(across)

    def simplices(self) -> IndexArray:
        """Triangles dual to the diagram without balls."""
        return self._plane.simplices()

    def locate(self, points: FloatArray, *, threads: int = 1) -> IndexArray:
        """Site whose power distance to each point is least, or -1 where it is positive."""
        nearest = self._plane.locate(points, threads=threads)
        stays = kantorovich_potential(points, nearest, self._sites.sites, *self._weights) > 0.0
        return np.where(stays, -1, nearest)

    def insert(
        self,
        points: FloatArray,
        masses: FloatArray,
        own: NDArray[np.integer] | None = None,
        *,
        threads: int = 1,
    ) -> FloatArray:
        """Weights (q, 2) that would give each point alone a cell, of no more than about the mass.

        The place of the domain that is nearest to the point comes to lie in its cell and ball, so
        far from their borders that a ball about it has the mass.
        """
        places = nearest_inside(points, self._sites.domain.vertices)
        owners = self._plane.locate(places, threads=threads)
        covered = kantorovich_potential(places, owners, self._sites.sites, *self._weights)
        squares = np.sum((places - points) ** 2, axis=1) + np.maximum(-covered, 0.0)
        weights = squares + np.asarray(masses) * self._sites.area / np.pi
        return np.column_stack([weights, np.zeros_like(weights)])


def _cut(
    polygon: FloatArray, labels: IndexArray, radius: float, rim: int
) -> tuple[FloatArray, IndexArray]:
    """What a disk about zero holds of a convex polygon; arcs become chords, labelled rim."""
    corners: list[FloatArray] = []
    across: list[int] = []
    ends = np.roll(polygon, -1, axis=0)
    for a, b, label in zip(polygon, ends, labels.tolist(), strict=True):
        step = b - a
        square, half, rest = step @ step, a @ step, a @ a - radius * radius
        root = half * half - square * rest
        if not root > 0.0:
            continue
        root = np.sqrt(root)
        first, last = max((-half - root) / square, 0.0), min((-half + root) / square, 1.0)
        if first >= last:
            continue
        start = a if first == 0.0 else a + first * step
        stop = b if last == 1.0 else a + last * step
        if corners and first > 0.0:
            _round(corners, across, start, radius, rim)
        corners.append(start)
        across.append(label)
        corners.append(stop)
        across.append(rim)
    if not corners:
        turns = 2.0 * np.pi * np.arange(_CHORDS) / _CHORDS
        circle = radius * np.column_stack([np.cos(turns), np.sin(turns)])
        return circle, np.full(_CHORDS, rim)
    _round(corners, across, corners[0], radius, rim)
    points = np.array(corners)
    # ends of sides that meet in a corner of the cell are there twice
    kept = (points != np.roll(points, -1, axis=0)).any(axis=1)
    return points[kept], np.array(across)[kept]


def _round(
    corners: list[FloatArray], across: list[int], stop: FloatArray, radius: float, rim: int
) -> None:
    """Add the corners between the last one and the next, along the circle."""
    start = corners[-1]
    if (start == stop).all():
        return
    angle = np.arctan2(start[0] * stop[1] - start[1] * stop[0], start @ stop) % (2.0 * np.pi)
    count = int(np.ceil(angle * _CHORDS / (2.0 * np.pi)))
    turn = np.arctan2(start[1], start[0])
    for k in range(1, count):
        place = turn + angle * k / count
        corners.append(radius * np.array([np.cos(place), np.sin(place)]))
        across.append(rim)
