"""Diagrams of partial transport: power cells that end where |x - y_i|^2 = w_i.

Every site takes mass from what its ball, of the squared radius w_i, holds of its power cell. What
lies in no ball stays. Only uniform measures on polygons have such diagrams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._core.plane.balls import BallDensity, BallPieces
from geomot._core.plane.polygons import first_equal
from geomot._facets import Arcs, Facets
from geomot._orientation import signed_area
from geomot._power import PlaneDiagram, PlaneSites
from geomot.potentials import kantorovich_potential
from geomot.sources import ConvexPolygon, PolygonRegion, Source, UniformPolygon, exact_domain
from geomot.sources.domains import on_hull

__all__ = ["BallDiagram", "BallSites", "nearest_inside", "require_partial"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Chords of a polygon in place of a whole circle; it ends 0.05 % of the radius inside.
_CHORDS = 96
# Ends of arcs nearer to each other than this share of the radius may have been swapped by rounding.
_SWAPPED = 2.0**-20


def require_partial(source: Source, name: str = "source") -> ConvexPolygon | PolygonRegion:
    """Return the domain of a source that partial transport is possible for; refuse others."""
    domain = exact_domain(source) if source.dim == 2 and source.exact else None
    if isinstance(domain, ConvexPolygon) and source.scaled_density is None:
        return domain
    if isinstance(domain, PolygonRegion) and isinstance(source, UniformPolygon):
        return domain
    raise ValueError(
        f"{name} must be uniform on a polygon in the plane for partial transport, got {source}"
    )


def nearest_inside(points: FloatArray, parts: list[FloatArray]) -> FloatArray:
    """Return the points of a domain of convex parts that are nearest to other points."""
    least = np.full(len(points), np.inf)
    nearest = points.copy()
    for part in parts:
        inside = _nearest_in_part(points, part)
        square = np.sum((points - inside) ** 2, axis=1)
        closer = square < least
        least[closer], nearest[closer] = square[closer], inside[closer]
    return nearest


def _nearest_in_part(points: FloatArray, polygon: FloatArray) -> FloatArray:
    """The points of a convex polygon that are nearest to other points."""
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
        The source measure, uniform on a polygon.
    """

    def __init__(self, sites: FloatArray, source: Source) -> None:
        domain = require_partial(source)
        self.area = sum(map(signed_area, domain.parts))
        self.sites = sites
        self.domain = domain
        self.plane = PlaneSites(sites, domain.container.vertices, self._density)

    def _density(self, scale: float) -> BallDensity | BallPieces:
        """The kernel's density, for lengths multiplied by a power of two."""
        domain, value = self.domain, 1.0 / (self.area * scale * scale)
        if isinstance(domain, ConvexPolygon):
            return BallDensity(value)
        ends = np.concatenate([np.roll(part, -1, axis=0) for part in domain.parts])
        outer = on_hull(domain.corners, ends, domain.hull)
        values = np.full(len(domain.corners), value)
        return BallPieces(domain.offsets, scale * domain.corners, values, outer)

    def squares_of(self, mass: float) -> FloatArray:
        """Weights of balls that reach so far into the domain that a ball would have the mass."""
        places = nearest_inside(self.sites, self.domain.parts)
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
        """Mean (m, 2) and covariance (m, 2, 2) of the density along each of the facets."""
        return self._plane.facet_moments(threads=threads)

    @property
    def rims(self) -> Arcs:
        """The arcs of all cells, and where the density lies along them."""
        sites, radii = self._sites.sites, self.radii
        held = np.where(self.arcs > 0.0, self.arcs, 1.0)[:, None]
        # means of the cosine and sine of the direction, and of twice the direction
        once, twice = np.split(self._plane.turns / held, 2, axis=1)
        even, odd = twice.T
        # halves of 1 + cos 2t, sin 2t and 1 - cos 2t
        squares = 0.5 * np.array([[1.0 + even, odd], [odd, 1.0 - even]]).transpose(2, 0, 1)
        spread = squares - once[:, :, None] * once[:, None, :]
        covariances = np.where(self.arcs > 0.0, radii**2, 0.0)[:, None, None] * spread
        return Arcs(self.arcs, radii, sites + radii[:, None] * once, covariances)

    @property
    def plane(self) -> PlaneDiagram:
        """The diagram without balls, of which the cells are cut."""
        return self._plane

    def cells(self, *, threads: int = 1) -> tuple[Any, ...]:
        """Corners, offsets, indices and labels, as in `diagram.Cells`; arcs as short chords."""
        every = np.arange(len(self.empty) + 1)
        return self.cut(*self._plane.cells(threads=threads), every)[:4]

    def cut(
        self,
        corners: FloatArray,
        offsets: IndexArray,
        indices: IndexArray,
        labels: IndexArray,
        parts: IndexArray,
    ) -> tuple[FloatArray, IndexArray, IndexArray, IndexArray, IndexArray]:
        """What balls hold of cells without balls, both as in `diagram.Cells`."""
        convex = self._sites.domain.convex
        rim = -1 - sum(map(len, self._sites.domain.outlines))
        owners = np.repeat(np.arange(len(self.empty)), np.diff(parts))
        polygons, across, kept = [], [], []
        for i, a, b in zip(owners, offsets[:-1], offsets[1:], strict=True):
            polygon, named = corners[indices[a:b]], labels[a:b]
            site, radius = self._sites.sites[i], self.radii[i]
            if self.empty[i]:
                polygon, named = polygon[:0], named[:0]
            elif (np.hypot(*(polygon - site).T) > radius).any():
                polygon, named = _cut(polygon - site, named, radius, rim)
                polygon = polygon + site
            if len(polygon) or convex:
                polygons.append(polygon)
                across.append(named)
                kept.append(i)
        starts = np.cumsum([0, *map(len, polygons)])
        every = np.concatenate([corners[:0], *polygons])
        rows = np.arange(len(every))
        same = first_equal(every)
        if same is not None:
            used, rows = np.unique(same, return_inverse=True)
            every, rows = every[used], rows.reshape(-1)
        counts = np.searchsorted(kept, np.arange(len(self.empty) + 1))
        return every, starts, rows, np.concatenate([labels[:0], *across]), counts

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
        places = nearest_inside(points, self._sites.domain.parts)
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
        # in one direction for the polygons on both sides, which then have the same corners
        turned = b.tolist() < a.tolist()
        found = _stretch(b, a, radius) if turned else _stretch(a, b, radius)
        if found is None:
            continue
        start, stop = found[::-1] if turned else found
        if corners and (start != a).any():
            _round(corners, across, start, radius, rim)
        corners.append(start)
        across.append(label)
        corners.append(stop)
        across.append(rim)
    if not corners:
        (ax, ay), (bx, by) = polygon.T, ends.T
        # by the sides to the right of zero: directions of tiny ones do not count
        met = (ay > 0.0) != (by > 0.0)
        right = ax[met] - ay[met] * ((bx[met] - ax[met]) / (by[met] - ay[met])) > 0.0
        if np.count_nonzero(right) % 2 == 0:
            return polygon[:0], labels[:0]
        turns = 2.0 * np.pi * np.arange(_CHORDS) / _CHORDS
        circle = radius * np.column_stack([np.cos(turns), np.sin(turns)])
        return circle, np.full(_CHORDS, rim)
    _round(corners, across, corners[0], radius, rim)
    points = np.array(corners)
    # ends of sides that meet in a corner of the cell are there twice
    kept = (points != np.roll(points, -1, axis=0)).any(axis=1)
    return points[kept], np.array(across)[kept]


def _stretch(a: FloatArray, b: FloatArray, radius: float) -> tuple[FloatArray, FloatArray] | None:
    """Ends of the part of a segment that lies in a disk about zero; None if there is none."""
    step = b - a
    square, half, rest = step @ step, a @ step, a @ a - radius * radius
    root = half * half - square * rest
    if not root > 0.0:
        return None
    root = np.sqrt(root)
    first = max(float((-half - root) / square), 0.0)
    last = min(float((-half + root) / square), 1.0)
    if first >= last:
        return None
    return (a if first == 0.0 else a + first * step), (b if last == 1.0 else a + last * step)


def _round(
    corners: list[FloatArray], across: list[int], stop: FloatArray, radius: float, rim: int
) -> None:
    """Add the corners between the last one and the next, along the circle."""
    start = corners[-1]
    if (start == stop).all():
        return
    angle = np.arctan2(start[0] * stop[1] - start[1] * stop[0], start @ stop) % (2.0 * np.pi)
    chord = np.hypot(*(stop - start))
    within = np.hypot(*np.diff(corners, axis=0).T).sum()
    if angle > np.pi and chord < _SWAPPED * radius and within > 2.0 * chord:
        # rounding has swapped the ends: the sides in the disk are not as short as the gap
        return
    count = int(np.ceil(angle * _CHORDS / (2.0 * np.pi)))
    turn = np.arctan2(start[1], start[0])
    for k in range(1, count):
        place = turn + angle * k / count
        corners.append(radius * np.array([np.cos(place), np.sin(place)]))
        across.append(rim)
