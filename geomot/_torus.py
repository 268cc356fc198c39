"""Power diagrams on a torus or a cylinder: those of the plane or of space, with copies of sites.

All copies of a site have its weight, so the diagram of all copies is periodic, and the cell of a
site in the box is a convex polytope that may reach beyond the box. It lies within half a period of
its site, hence copies one period away always suffice.

Most of these are never near a cell. Copies are added until this holds: if the box around a cell,
moved by whole periods, meets the box U around all cells and the domain, then the copy of its site
moved as far is there. Cells can only be too large while copies are missing. If some were, points of
it would belong to the true cell of a missing copy, whose translate lies in the measured cell of its
site: the two boxes would meet. So cells, facets, and which cell is nearest to a point of the domain
are then those of all copies.

Coordinates are taken from the corner of the box, and rounded to multiples of a power of two of
which the periods are multiples too: copies are exact translates, and the facets of a cell have the
same bits on both sides of the seam. Cost: about 1 + 6 / sqrt(n) sites for each of n sites that are
spread evenly in the plane, in space about (1 + 5 / cbrt(n))^3.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._core.plane.measure import Uniform
from geomot._facets import Facets
from geomot._power import PlaneDiagram, PlaneSites
from geomot._space import SpaceDiagram, SpaceSites
from geomot.sources import ConvexPolyhedron, PeriodicBox, Source

__all__ = ["TorusDiagram", "TorusSites", "torus_places"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

# Coordinates have this many binary digits below the largest that the box and its copies reach:
# their sums and differences are exact.
_DIGITS = 50
# How far a copy may be from the box at first, in mean distances of the sites.
_FIRST_REACH = 1.0
# Copies are added for boxes that are this much larger than those measured, in their widths: the
# next weights then rarely need more.
_AHEAD = 0.25
# Cells that lack their neighbours are large and ask for copies that the true ones do not need. If
# there are more sites than this, relative to those needed, the next diagram is made of fewer,
_SPARE = 1.1
# unless it would save less than this.
_SAVED = 1.05
# Rounding of boxes, in widths of the domain; it only matters that it is not too little.
_ROUNDING_OF_COPIES = 2.0**-20


def torus_places(points: FloatArray, domain: PeriodicBox) -> FloatArray:
    """Return points modulo the periods, from the corner of the box, as diagrams round them."""
    return _Frame(domain).wrapped(points)[0]


class TorusSites:
    """Sites under a measure on a torus or a cylinder, as `geomot._exact` wants them.

    Parameters
    ----------
    sites : ndarray of shape (n, 2) or (n, 3)
        The sites, anywhere.
    source : Source
        The source measure, on a periodic domain.
    """

    def __init__(self, sites: FloatArray, source: Source) -> None:
        domain = source.periodic_domain
        if domain is None:
            raise ValueError(f"source must be periodic, got {source}")
        self.sites = sites
        self.domain = domain
        self.frame = _Frame(domain)
        self.density = source.periodic_density(self.frame.lower, self.frame.upper)
        self.places, self.turns = self.frame.wrapped(sites)
        self._copied = self._first_copies()
        self._make()

    def diagram(
        self, weights: FloatArray, weights_low: FloatArray | None = None, *, threads: int = 1
    ) -> TorusDiagram:
        """Return the power diagram of weights hi, and lo where given."""
        while True:
            copies = self.copies
            found = copies.diagram(weights, weights_low, threads)
            boxes = found.boxes[copies.own]
            needed = self._needed(boxes, 0.0)
            if not (needed & ~self._copied).any():
                break
            self._copied |= self._needed(boxes, _AHEAD)
            self._make()
        if len(copies.owner) > _SPARE * (len(self.places) + np.count_nonzero(needed)):
            wanted = self._needed(boxes, _AHEAD)
            if len(copies.owner) > _SAVED * (len(self.places) + np.count_nonzero(wanted)):
                self._copied = wanted
                self._make()
        flat = np.intersect1d(found.flat, copies.own)
        if flat.size:
            # their copies are between cells at the seam as well, where it is not seen
            kept = self._copied.copy()
            kept[copies.owner[flat]] = False
            copies = _Copies(self.places, kept, self.frame, self.density)
            found = copies.diagram(weights, weights_low, threads)
        return TorusDiagram(self, copies, found)

    def _make(self) -> None:
        self.copies = _Copies(self.places, self._copied, self.frame, self.density)

    def _first_copies(self) -> NDArray[np.bool_]:
        """Copies, one for each row of `shifts`, that are near the box."""
        reach = _FIRST_REACH * (self.frame.volume / len(self.places)) ** (1.0 / self.domain.dim)
        low, high = self.frame.lower - reach, self.frame.upper + reach
        copied = np.zeros((len(self.places), len(self.frame.shifts)), bool)
        for k, shift in enumerate(self.frame.shifts):
            place = self.places + shift
            near = (place >= low) & (place <= high)
            copied[:, k] = near[:, self.domain.periodic].all(axis=1)
        return copied

    def _needed(self, boxes: FloatArray, ahead: float) -> NDArray[np.bool_]:
        """Copies whose cell may be near a cell of a site in the box; no box is NaN."""
        frame = self.frame
        # no farther than half a period from the site, where the copies on its sides would end it
        half = np.where(frame.periodic, 0.5 * frame.periods, np.inf)
        lower = np.maximum(boxes[:, : self.domain.dim], self.places - half)
        upper = np.minimum(boxes[:, self.domain.dim :], self.places + half)
        if ahead > 0.0:
            room = ahead * (upper - lower)
            lower, upper = lower - room, upper + room
        rounding = _ROUNDING_OF_COPIES * frame.widths
        bottom = np.fmin(np.fmin.reduce(lower), frame.lower) - rounding
        top = np.fmax(np.fmax.reduce(upper), frame.upper) + rounding
        meets = {}
        for axis, period in enumerate(frame.periods):
            # in the box they all meet
            for step in (-1, 1):
                meets[axis, step] = (lower[:, axis] <= top[axis] - step * period) & (
                    upper[:, axis] >= bottom[axis] - step * period
                )
        needed = np.empty(self._copied.shape, bool)
        for k, steps in enumerate(frame.steps.tolist()):
            needed[:, k] = np.logical_and.reduce(
                [meets[axis, step] for axis, step in enumerate(steps) if step]
            )
        return needed


class _Frame:
    """Coordinates from the corner of the box, in which copies are exact translates.

    Along an axis that is not periodic coordinates stay as they are.
    """

    def __init__(self, domain: PeriodicBox) -> None:
        self.periodic = domain.periodic
        self.origin = np.where(self.periodic, domain.lower, 0.0)
        widths = domain.upper - domain.lower
        self.unit = 2.0 ** (np.frexp(widths)[1] - _DIGITS)
        self.periods = np.where(self.periodic, np.rint(widths / self.unit) * self.unit, 0.0)
        self.lower = np.where(self.periodic, 0.0, domain.lower)
        self.upper = np.where(self.periodic, self.periods, domain.upper)
        self.widths = self.upper - self.lower
        self.volume = float(np.prod(self.widths))
        steps = itertools.product(*[(-1, 0, 1) if joined else (0,) for joined in self.periodic])
        self.steps = np.array([step for step in steps if any(step)])
        self.shifts = self.steps * self.periods

    def wrapped(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Places in the box, and how many periods each point is away from its place."""
        seen = points - self.origin
        places, turns = seen.copy(), np.zeros_like(seen)
        for k in np.flatnonzero(self.periodic):
            turns[:, k] = np.floor(seen[:, k] / self.periods[k])
            rest = np.fmod(seen[:, k], self.periods[k])
            rest = np.where(rest < 0.0, rest + self.periods[k], rest)
            rest = np.rint(rest / self.unit[k]) * self.unit[k]
            places[:, k] = np.where(rest >= self.periods[k], rest - self.periods[k], rest)
        return places, turns


class _Copies:
    """Sites and their copies, those of a site one after the other."""

    def __init__(
        self,
        places: FloatArray,
        copied: NDArray[np.bool_],
        frame: _Frame,
        density: Callable[[float], Any] | None,
    ) -> None:
        n, d = places.shape
        middle = len(frame.shifts)
        present = np.column_stack([copied, np.ones(n, bool)])
        self.owner, which = np.nonzero(present)
        self.inside = which == middle
        self.own = np.flatnonzero(self.inside)
        self.steps = np.vstack([frame.steps, np.zeros(d, np.int64)])[which]
        sites = places[self.owner] + np.vstack([frame.shifts, np.zeros(d)])[which]
        # as far as cells of sites in the box can reach
        lower = frame.lower - frame.periods
        upper = frame.upper + frame.periods
        make = _plane_sites if d == 2 else _space_sites
        self.sites = make(sites, lower, upper, frame.volume, density)
        # of the mass of all copies that new cells are given in `insert`
        self.share = frame.volume / float(np.prod(upper - lower)) if d == 2 else 1.0

    def diagram(
        self, weights: FloatArray, weights_low: FloatArray | None, threads: int
    ) -> PlaneDiagram | SpaceDiagram:
        """The diagram of all, from the weights of the sites."""
        low = None if weights_low is None else weights_low[self.owner]
        return self.sites.diagram(weights[self.owner], low, threads=threads)


def _plane_sites(
    sites: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    area: float,
    density: Callable[[float], Any] | None,
) -> PlaneSites:
    """Sites under a density with the mass 1 on this area; None: the uniform one."""
    (x0, y0), (x1, y1) = lower, upper
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])

    def uniform(scale: float) -> Uniform:
        return Uniform(1.0 / (area * scale * scale))

    return PlaneSites(sites, corners, density or uniform, boxed=True)


def _space_sites(
    sites: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    volume: float,
    density: Callable[[float], Any] | None,
) -> SpaceSites:
    """Sites under a density with the mass 1 on this volume; None: the uniform one."""
    domain = ConvexPolyhedron.box(lower, upper)
    return SpaceSites(
        sites, domain.planes, domain.bounds, density=density, volume=volume, boxed=True
    )


class TorusDiagram:
    """Power diagram on a torus or a cylinder, as `geomot._exact` wants it.

    Parameters
    ----------
    sites : TorusSites
        The sites.
    copies : _Copies
        The copies that the diagram was made of.
    found : PlaneDiagram or SpaceDiagram
        Their diagram.
    """

    def __init__(
        self, sites: TorusSites, copies: _Copies, found: PlaneDiagram | SpaceDiagram
    ) -> None:
        self._sites = sites
        self._copies = copies
        self._found = found
        own = copies.own
        self.masses = found.masses[own]
        self.costs = found.costs[own]
        self.empty = found.empty[own]
        # cells are around the sites as they were given
        self.centroids = sites.sites + (found.centroids[own] - sites.places)
        self._facets: Facets | None = None

    @property
    def facets(self) -> Facets:
        """Neighbours, and the measures of their common borders: one for each copy that is met."""
        if self._facets is None:
            self._facets = self._joined_facets()
        return self._facets

    def _joined_facets(self) -> Facets:
        sites, found = self._sites, self._found.facets
        copies, (n, d) = self._copies, sites.sites.shape
        first, second = found.sites.T
        in_box = copies.inside[first].astype(np.int8) + copies.inside[second]
        within, across = np.flatnonzero(in_box == 2), np.flatnonzero(in_box == 1)
        seam = copies.owner[found.sites[across]]
        # a border with a copy of itself does not change what a cell has
        across, seam = across[seam[:, 0] != seam[:, 1]], seam[seam[:, 0] != seam[:, 1]]
        apart = copies.steps[second[across]] - copies.steps[first[across]]
        swapped = seam[:, 0] > seam[:, 1]
        seam[swapped] = seam[swapped, ::-1]
        apart[swapped] *= -1
        # each is seen from both of its ends
        turned = 3**d
        keys = (seam[:, 0] * n + seam[:, 1]) * turned + (apart + 1) @ 3 ** np.arange(d)[::-1]
        keys, once, which = np.unique(keys, return_index=True, return_inverse=True)
        means = np.bincount(which, found.measures[across]) / np.maximum(np.bincount(which), 1)
        inner = copies.owner[first[within]], copies.owner[second[within]]
        place = np.searchsorted(inner[0] * n + inner[1], keys // turned, side="right")
        pairs = np.column_stack(
            [np.insert(own, place, new) for own, new in zip(inner, seam[once].T, strict=True)]
        )
        turns = np.zeros((len(pairs), d))
        turns[place + np.arange(len(place))] = apart[once]
        if sites.turns.any():
            turns += sites.turns[pairs[:, 0]] - sites.turns[pairs[:, 1]]
        measures = np.insert(found.measures[within], place, means)
        return Facets(pairs, measures, sites.sites, turns * sites.frame.periods)

    def facet_moments(self, *, threads: int = 1) -> tuple[FloatArray, FloatArray]:
        """Mean (m, d) and covariance (m, d, d) of the density along each of the facets.

        Around the first site of each.
        """
        borders, means, covariances = self.border_moments(threads=threads)
        apart = borders.sites[:, 0] != borders.sites[:, 1]
        return means[apart], covariances[apart]

    def border_moments(self, *, threads: int = 1) -> tuple[Facets, FloatArray, FloatArray]:
        """Facets, those between a cell and copies of itself included, with means and covariances.

        These are in the order of the other ones, once for each two copies on opposite sides.
        """
        sites, copies, found = self._sites, self._copies, self._found.facets
        means, covariances = self._found.facet_moments(threads=threads)
        (n, d), turned = sites.sites.shape, 3 ** np.arange(sites.sites.shape[1])[::-1]
        used = np.flatnonzero(copies.inside[found.sites].any(axis=1))
        ends = found.sites[used]
        pairs, apart = copies.owner[ends], copies.steps[ends[:, 1]] - copies.steps[ends[:, 0]]
        swapped = pairs[:, 0] > pairs[:, 1]
        swapped |= (pairs[:, 0] == pairs[:, 1]) & (apart @ turned < 0)
        ends[swapped], pairs[swapped] = ends[swapped, ::-1], pairs[swapped, ::-1]
        apart[swapped] *= -1
        # one between places that are both in the box is there once, any other from both of its ends
        keys = (pairs[:, 0] * n + pairs[:, 1]) * 3**d + (apart + 1) @ turned
        _, once, which = np.unique(keys, return_index=True, return_inverse=True)
        counts = np.bincount(which)

        def averaged(values: FloatArray) -> FloatArray:
            columns = values.reshape(len(which), -1).T
            total = np.array([np.bincount(which, along) for along in columns]) / counts
            return total.T.reshape(len(counts), *values.shape[1:])

        frame, first = sites.frame, copies.steps[ends[:, 0]]
        turns = sites.turns[pairs]
        moved = means[used] + frame.origin + (turns[:, 0] - first) * frame.periods
        shifts = (apart + turns[:, 0] - turns[:, 1])[once] * frame.periods
        borders = Facets(pairs[once], averaged(found.measures[used]), sites.sites, shifts)
        return borders, averaged(moved), averaged(covariances[used])

    def cells(self, *, threads: int = 1) -> tuple[Any, ...]:
        """Corners, offsets, indices and labels, as in `diagram.Cells`.

        In space what `diagram.Polyhedra` holds. A label is the site across, whichever copy of it;
        the cell's own one where it meets a copy of itself.
        """
        own = self._copies.own
        found: Any = self._found.cells(threads=threads)
        if self._sites.domain.dim == 2:
            corners, offsets, indices, labels = found
            rows, starts = _chosen(offsets, own)
            turned = np.repeat(np.arange(len(own)), np.diff(starts))
            places, indices = self._turned(corners, indices[rows], turned)
            return places, starts, indices, self._owners(labels[rows])
        corners, offsets, face_offsets, indices, labels = found
        faces, starts = _chosen(offsets, own)
        rows, face_starts = _chosen(face_offsets, faces)
        turned = np.repeat(np.repeat(np.arange(len(own)), np.diff(starts)), np.diff(face_starts))
        places, indices = self._turned(corners, indices[rows], turned)
        return places, starts, face_starts, indices, self._owners(labels[faces])

    def _owners(self, labels: IndexArray) -> IndexArray:
        """The sites whose copies the labels name."""
        return np.where(labels >= 0, self._copies.owner[labels], labels)

    def _turned(
        self, corners: FloatArray, indices: IndexArray, cells: IndexArray
    ) -> tuple[FloatArray, IndexArray]:
        """The corners that these cells have, around their sites, and their numbers.

        A corner of cells whose sites are turned differently is there once for each turn.
        """
        sites = self._sites
        keys = np.column_stack([indices, sites.turns[cells]])
        used, numbers = np.unique(keys, axis=0, return_inverse=True)
        moved = sites.frame.origin + used[:, 1:] * sites.frame.periods
        return corners[used[:, 0].astype(np.int64)] + moved, numbers.reshape(-1)

    def simplices(self) -> IndexArray:
        """Simplices that are dual to the diagram, each once, by their sites."""
        found = self._found.simplices()
        owner, steps = self._copies.owner[found], self._copies.steps[found]
        # each has one translate whose first corner, in this order, is in the box
        rank = owner
        for axis in range(steps.shape[2]):
            rank = rank * 3 + steps[:, :, axis] + 1
        first = np.argmin(rank, axis=1)
        kept = (steps[np.arange(len(found)), first] == 0).all(axis=1)
        return np.ascontiguousarray(owner[kept])

    def locate(self, points: FloatArray, *, threads: int = 1) -> IndexArray:
        """Site with a copy whose power distance to each point is least, decided exactly.

        After the points have been moved into the box, where their coordinates are rounded.
        """
        places = self._sites.frame.wrapped(np.asarray(points, np.float64))[0]
        return self._copies.owner[self._found.locate(places, threads=threads)]

    def insert(
        self,
        points: FloatArray,
        masses: FloatArray,
        own: NDArray[np.integer] | None = None,
        *,
        threads: int = 1,
    ) -> FloatArray:
        """Weights that would give each point alone its mass, as `PlaneDiagram.insert`."""
        places = self._sites.frame.wrapped(np.asarray(points, np.float64))[0]
        replaced = None if own is None else self._copies.own[own]
        shares = self._copies.share * np.asarray(masses)
        return self._found.insert(places, shares, replaced, threads=threads)


def _chosen(offsets: IndexArray, chosen: IndexArray) -> tuple[IndexArray, IndexArray]:
    """The rows of some groups, one after the other, and where each of these groups begins."""
    counts = np.diff(offsets)[chosen]
    starts = np.concatenate([[0], np.cumsum(counts)])
    return np.repeat(offsets[chosen] - starts[:-1], counts) + np.arange(starts[-1]), starts
