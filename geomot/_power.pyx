"""The door to the kernels: arrays in, arrays out, threads, errors.

`PlaneSites` sorts sites along a Hilbert curve once; each call of `diagram` triangulates them under
new weights and measures the cells.  Kernels see coordinates scaled by a power of two to about one,
so neither overflow nor underflow disturbs the exact arithmetic and units change no bit.
"""

import numpy as np

from libc.math cimport ldexp
from libc.stdint cimport int64_t, uint8_t

from geomot._core.interrupt cimport interrupted, raise_for, raise_pending
from geomot._core.plane.cells cimport (
    FLAT, REGULAR, Cell, Domain2D, cell_compute, cell_free, cell_init)
from geomot._core.plane.insert cimport insert_sites
from geomot._core.plane.locate cimport Hubs, locate_points
from geomot._core.plane.measure cimport (
    Density, Measure, Uniform, measure_free, measure_init, measure_reserve)
from geomot._core.plane.regular cimport Regular2D
from geomot._core.predicates cimport two_sum
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
from geomot._core.types cimport index_t

from geomot._core.facets import sort_facets
from geomot._core.order import coincident, exponent_of, hilbert_order, insertion_order
from geomot._core.plane.polygons import Corners, cell_sides, contracted, first_equal, unsound
from geomot._core.scaled import flushed, owners, write_weights
from geomot._facets import Facets, moments_of_sides, of_both_sides
from geomot._threads import run_chunks

cdef enum:
    CHUNK = 4096            # cells a thread takes at once; never depends on the thread count
    CORNER_CHUNK = 16384
    QUERY_CHUNK = 4096
    QUERY_BLOCK = 524288    # queries that are sorted together: sorting hears no Ctrl-C
    WORK = 65536            # sides between two looks for Ctrl-C (a few ms)
    TRIANGLES = 1048576     # triangles that are only counted, between two looks

# Whether this build checks every index (GEOMOT_DEBUG=1 at compile time).
cdef extern from *:
    """
    #ifdef GEOMOT_BOUNDS_CHECKED
    static const int geomot_bounds_checked = 1;
    #else
    static const int geomot_bounds_checked = 0;
    #endif
    """
    const bint geomot_bounds_checked

BOUNDS_CHECKED = geomot_bounds_checked

_LEAST_COORDINATE = 2.0**-200
_LEAST_DOMAIN = 2.0**-100

_MAX_SITES = 2**30          # triangles are numbered in 32 bits


# ---- sites ----

cdef class PlaneSites:
    """Sites in the plane and their convex domain, sorted once for many diagrams.

    Parameters
    ----------
    sites : (n, 2) array
        Finite coordinates.
    polygon : (m, 2) array
        The domain, strictly convex and counter-clockwise.
    density : function, optional
        Called with the power of two by which the kernels multiply coordinates, it returns the
        Density; uniform by default.
    boxed : bool, optional
        Whether diagrams also hold the bounding box of each cell.

    Coordinates below 2^-200 of the largest, and parts of weights below its square, are taken as
    zero: exact determinants of smaller ones would leave the range of a double.
    """
    cdef readonly Py_ssize_t n
    cdef object given                   # the sites, in the caller's order
    cdef int exponent                   # kernels see coordinates times 2^-exponent
    cdef object perm                    # sorted position -> the caller's index
    cdef double[:, ::1] base            # (n, 4) sorted, weights zero
    cdef object order                   # insertion order, in sorted positions
    cdef object twins, twin_starts      # coincident sites, in sorted positions
    cdef Domain2D domain
    cdef Density density
    cdef object polygon                 # the domain as it was given
    cdef readonly bint boxed

    def __init__(self, sites, polygon, density=None, boxed=False):
        self.boxed = boxed
        sites = np.ascontiguousarray(sites, dtype=np.float64)
        polygon = np.array(polygon, dtype=np.float64, order="C")
        if sites.ndim != 2 or sites.shape[1] != 2 or len(sites) == 0:
            raise ValueError(f"sites must have shape (n, 2) with n >= 1, got {sites.shape}")
        if len(sites) > _MAX_SITES:
            raise ValueError(f"sites must be at most {_MAX_SITES}, got {len(sites)}")
        self.n = len(sites)
        self.given = sites
        self.exponent = exponent_of(max(np.abs(sites).max(), np.abs(polygon).max()))
        scaled = flushed(np.ldexp(sites, -self.exponent), _LEAST_COORDINATE)
        domain = flushed(np.ldexp(polygon, -self.exponent), _LEAST_COORDINATE)
        if np.ptp(domain, axis=0).min() < _LEAST_DOMAIN:
            raise ValueError("sites must not be 2^100 times as far away as the domain is wide")
        self.domain = Domain2D(domain)
        if density is None:
            self.density = Uniform(1.0 / self.domain.area)
        else:
            self.density = density(ldexp(1.0, -self.exponent))
        self.polygon = polygon
        order, keys = hilbert_order(scaled)
        self.perm = order.astype(np.int32)
        base = np.zeros((self.n, 4))
        base[:, :2] = scaled[order]
        self.base = base
        self.order = insertion_order(self.n)
        self.twins, self.twin_starts = coincident(base[:, :2], keys)

    def diagram(self, weights, weights_low=None, *, threads=1):
        """Power diagram under the given weights (hi, and lo where given); PlaneDiagram."""
        cdef double[:, ::1] site = np.array(self.base)
        write_weights(site[:, 2:4], self.perm, weights, weights_low, -2 * self.exponent,
                      _LEAST_COORDINATE**2)
        diagram = PlaneDiagram.__new__(PlaneDiagram)
        (<PlaneDiagram> diagram).compute(self, site, threads)
        return diagram

    def owners(self, const double[:, ::1] site):
        """Insertion order without the coincident sites that lose their place to a twin."""
        return owners(self.order, self.twins, self.twin_starts, site[:, 2:4])


# ---- diagrams ----

cdef class PlaneDiagram:
    """Power diagram clipped to the domain: measures of every cell, in the caller's order."""
    cdef readonly object masses, centroids, costs, empty
    cdef readonly object boxes          # (n, 4): lower and upper corner, NaN if empty; or None
    cdef readonly object arcs           # (n,): integral along arcs that end the cell; or None
    cdef readonly object turns          # (n, 4): along them, of directions from the site; or None
    cdef readonly object flat           # sites without a cell that lie on facets of others
    cdef PlaneSites sites
    cdef Regular2D mesh
    cdef const index_t[::1] perm
    cdef double[::1] mass_, cost_
    cdef double[:, ::1] centroid_
    cdef object inside                  # a point inside each cell, in the kernels' scale
    cdef double[:, ::1] inside_
    cdef uint8_t[::1] empty_
    cdef double[:, ::1] box_
    cdef double[::1] arc_
    cdef double[:, ::1] turn_
    cdef uint8_t[::1] kind              # of each cell, in sorted positions
    cdef int64_t[::1] facet_start       # room of each chunk in the facet arrays
    cdef int64_t[::1] facet_count
    cdef index_t[:, ::1] facet_site
    cdef double[::1] facet_measure
    cdef double[:, ::1] facet_mean      # of `facet_moments` only
    cdef double[::1] facet_variance
    cdef object facets_
    cdef object hubs_

    cdef compute(self, PlaneSites sites, double[:, ::1] site, threads):
        cdef Py_ssize_t n = sites.n
        cdef Py_ssize_t chunks = (n + CHUNK - 1) // CHUNK
        self.sites = sites
        self.perm = sites.perm
        self.facets_ = None
        self.hubs_ = None
        self.masses = np.zeros(n)
        self.costs = np.zeros(n)
        self.centroids = np.full((n, 2), np.nan)
        self.inside = np.full((n, 2), np.nan)
        self.inside_ = self.inside
        self.empty = np.ones(n, dtype=bool)
        self.mass_ = self.masses
        self.cost_ = self.costs
        self.centroid_ = self.centroids
        self.empty_ = self.empty.view(np.uint8)
        self.boxes = np.full((n, 4), np.nan) if sites.boxed else None
        self.box_ = self.boxes
        self.arcs = np.zeros(n) if sites.density.curved else None
        self.arc_ = self.arcs
        self.turns = np.zeros((n, 4)) if sites.density.curved else None
        self.turn_ = self.turns
        self.kind = np.zeros(n, dtype=np.uint8)
        found = []
        order = sites.owners(site)
        while True:
            self.mesh = Regular2D(site, order)
            self.reserve_facets(chunks)
            run_chunks(self._measure_chunk, chunks, threads)
            flat = np.flatnonzero(np.asarray(self.kind) == FLAT)
            if flat.size == 0:
                break
            # Not corners of the lifted hull: without them the facets of their neighbours meet.
            found.append(np.asarray(self.perm)[flat])
            keep = np.ones(n, dtype=bool)
            keep[flat] = False
            order = order[keep[order]]
        self.flat = np.concatenate(found) if found else np.zeros(0, dtype=np.int32)

    cdef reserve_facets(self, Py_ssize_t chunks):
        """Count the edges that each chunk of cells owns: those to later sites, or all."""
        cdef Regular2D mesh = self.mesh
        cdef int64_t[::1] start = np.zeros(chunks + 1, dtype=np.int64)
        cdef Py_ssize_t t
        cdef index_t a, b
        cdef int k, status = 0
        cdef bint all_ = self.sites.density.one_sided
        with nogil:
            for t in range(mesh.slots):
                if t % TRIANGLES == TRIANGLES - 1 and interrupted():
                    status = INTERRUPTED
                    break
                for k in range(3):
                    a = mesh.vert[t, k]
                    b = mesh.vert[t, k + 1 if k < 2 else 0]
                    if 0 <= a < mesh.n and 0 <= b < mesh.n and (all_ or a < b):
                        start[a // CHUNK + 1] += 1
            for t in range(1, mesh.chain_length):
                a = min(mesh.chain[t - 1], mesh.chain[t])
                b = max(mesh.chain[t - 1], mesh.chain[t])
                start[a // CHUNK + 1] += 1
                start[b // CHUNK + 1] += all_
        if status == INTERRUPTED:
            raise_pending()
        self.facet_start = np.cumsum(start)
        self.facet_count = np.zeros(chunks, dtype=np.int64)
        self.facet_site = np.empty((self.facet_start[chunks], 2), dtype=np.int32)
        self.facet_measure = np.empty(self.facet_start[chunks])

    def _measure_chunk(self, Py_ssize_t chunk):
        cdef Py_ssize_t start = chunk * CHUNK, stop = min(start + CHUNK, self.sites.n)
        cdef int status
        cdef Regular2D mesh = self.mesh
        cdef Domain2D domain = self.sites.domain
        cdef Density density = self.sites.density
        cdef int exponent = self.sites.exponent
        with nogil:
            status = self.measure(mesh, domain, density, exponent, chunk, <index_t> start,
                                  <index_t> stop)
        raise_for(status, "one cell's sides do not fit into memory")

    cdef int measure(self, Regular2D mesh, Domain2D domain, Density density, int e,
                     Py_ssize_t chunk, index_t start, index_t stop) noexcept nogil:
        """Cells of the sorted sites start to stop; OK, NO_MEMORY or INTERRUPTED."""
        cdef Cell cell
        cdef Measure measured
        cdef index_t i, own
        cdef Py_ssize_t k, across, least_across, at = self.facet_start[chunk], work = 0
        cdef int kind, status = OK
        cdef double unit = ldexp(1.0, e), unit2 = ldexp(1.0, 2 * e), per_unit = ldexp(1.0, -e)
        if cell_init(&cell) != 0:
            return NO_MEMORY
        measure_init(&measured)
        for i in range(start, stop):
            least_across = 0 if density.one_sided else i + 1
            kind = cell_compute(&cell, mesh, domain, i)
            if kind < 0:
                status = kind
                break
            self.kind[i] = kind
            if kind != REGULAR:
                continue
            work += cell.size
            if work > WORK:             # hubs: other chunks are short
                work = 0
                if interrupted():
                    status = INTERRUPTED
                    break
            status = measure_reserve(&measured, cell.size)
            if status != OK:
                break
            measured.empty = False
            measured.arc = 0.0
            for k in range(4):
                measured.turn[k] = 0.0
            status = density.integrate(&cell, mesh, i, &measured)
            if status != OK:
                break
            own = self.perm[i]
            self.empty_[own] = measured.empty
            self.mass_[own] = measured.mass
            self.cost_[own] = measured.cost * unit2
            self.centroid_[own, 0] = sum3(mesh.site[i, 0], cell.shift_x, measured.centre_x) * unit
            self.centroid_[own, 1] = sum3(mesh.site[i, 1], cell.shift_y, measured.centre_y) * unit
            self.inside_[own, 0] = sum3(mesh.site[i, 0], cell.shift_x, cell.centre_x)
            self.inside_[own, 1] = sum3(mesh.site[i, 1], cell.shift_y, cell.centre_y)
            if self.arc_ is not None:
                self.arc_[own] = measured.arc * per_unit
                for k in range(4):
                    self.turn_[own, k] = measured.turn[k] * per_unit
            if self.box_ is not None:
                self.set_box(own, i, mesh, &cell, unit)
            for k in range(cell.size):
                across = cell.lines[cell.side[k]].across
                if across >= least_across and measured.facet[k] > 0.0:
                    self.facet_site[at, 0] = own
                    self.facet_site[at, 1] = self.perm[across]
                    self.facet_measure[at] = measured.facet[k] * per_unit
                    at += 1
        self.facet_count[chunk] = at - self.facet_start[chunk]
        cell_free(&cell)
        measure_free(&measured)
        return status

    cdef void set_box(self, index_t own, index_t i, Regular2D mesh, const Cell* cell,
                      double unit) noexcept nogil:
        cdef double low_x = cell.x[0], low_y = cell.y[0], high_x = low_x, high_y = low_y
        cdef Py_ssize_t k
        for k in range(1, cell.size):
            low_x = min(low_x, cell.x[k])
            low_y = min(low_y, cell.y[k])
            high_x = max(high_x, cell.x[k])
            high_y = max(high_y, cell.y[k])
        self.box_[own, 0] = sum3(mesh.site[i, 0], cell.shift_x, low_x) * unit
        self.box_[own, 1] = sum3(mesh.site[i, 1], cell.shift_y, low_y) * unit
        self.box_[own, 2] = sum3(mesh.site[i, 0], cell.shift_x, high_x) * unit
        self.box_[own, 3] = sum3(mesh.site[i, 1], cell.shift_y, high_y) * unit

    # ---- facets ----

    @property
    def facets(self):
        """Neighbouring sites i < j, in lexicographic order, and the measures of their borders."""
        if self.facets_ is None:
            pairs, measures = sort_facets(self.sites.n, self.facet_start, self.facet_count,
                                          self.facet_site, self.facet_measure)
            if self.sites.density.one_sided:
                pairs, measures = of_both_sides(pairs, measures)
                inside = ~self.empty[pairs].any(axis=1)
                pairs, measures = pairs[inside], measures[inside]
            self.facets_ = Facets(pairs, measures, self.sites.given)
            self.facet_site = None
            self.facet_measure = None
        return self.facets_

    def facet_moments(self, *, threads=1):
        """Mean (m, 2) and covariance (m, 2, 2) of the density along each of the facets."""
        cdef Py_ssize_t chunks = (self.sites.n + CHUNK - 1) // CHUNK, chunk
        # room of its own, so that several threads may ask at once
        cdef PlaneDiagram own = PlaneDiagram.__new__(PlaneDiagram)
        own.sites = self.sites
        own.mesh = self.mesh
        own.perm = self.perm
        own.kind = self.kind
        own.reserve_facets(chunks)
        own.facet_mean = np.empty((own.facet_site.shape[0], 2))
        own.facet_variance = np.empty(own.facet_site.shape[0])
        run_chunks(own._side_chunk, chunks, threads)
        found = np.concatenate([np.arange(own.facet_start[chunk],
                                          own.facet_start[chunk] + own.facet_count[chunk])
                                for chunk in range(chunks)])
        pairs = np.sort(np.asarray(own.facet_site)[found].astype(np.int64), axis=1)
        weights = np.asarray(own.facet_measure)[found]
        means = np.asarray(own.facet_mean)[found]
        variances = np.asarray(own.facet_variance)[found]
        return moments_of_sides(self.facets, pairs, weights, means, variances)

    def _side_chunk(self, Py_ssize_t chunk):
        cdef Py_ssize_t start = chunk * CHUNK, stop = min(start + CHUNK, self.sites.n)
        cdef int status
        cdef Regular2D mesh = self.mesh
        cdef Domain2D domain = self.sites.domain
        cdef Density density = self.sites.density
        cdef double unit = ldexp(1.0, self.sites.exponent)
        with nogil:
            status = self.measure_sides(mesh, domain, density, unit, chunk, <index_t> start,
                                        <index_t> stop)
        raise_for(status, "one cell's sides do not fit into memory")

    cdef int measure_sides(self, Regular2D mesh, Domain2D domain, Density density, double unit,
                           Py_ssize_t chunk, index_t start, index_t stop) noexcept nogil:
        """Facets of the sorted sites start to stop; OK, NO_MEMORY or INTERRUPTED."""
        cdef Cell cell
        cdef Measure measured
        cdef index_t i
        cdef Py_ssize_t k, j, across, at = self.facet_start[chunk], work = 0
        cdef int status = OK
        cdef double dx, dy, mean, x, y
        if cell_init(&cell) != 0:
            return NO_MEMORY
        measure_init(&measured, True)
        for i in range(start, stop):
            if self.kind[i] != REGULAR:
                continue
            status = min(cell_compute(&cell, mesh, domain, i), 0)
            if status < 0:
                break
            work += cell.size
            if work > WORK:
                work = 0
                if interrupted():
                    status = INTERRUPTED
                    break
            status = measure_reserve(&measured, cell.size)
            if status != OK:
                break
            status = density.integrate(&cell, mesh, i, &measured)
            if status != OK:
                break
            for k in range(cell.size):
                across = cell.lines[cell.side[k]].across
                if across < (0 if density.one_sided else i + 1) or not measured.facet[k] > 0.0:
                    continue
                j = k - 1 if k > 0 else cell.size - 1
                dx = cell.x[k] - cell.x[j]
                dy = cell.y[k] - cell.y[j]
                mean = measured.moment[2 * k] / measured.facet[k]
                x = sum3(mesh.site[i, 0], cell.shift_x, cell.x[j] + mean * dx)
                y = sum3(mesh.site[i, 1], cell.shift_y, cell.y[j] + mean * dy)
                self.facet_site[at, 0] = self.perm[i]
                self.facet_site[at, 1] = self.perm[across]
                self.facet_measure[at] = measured.facet[k]
                self.facet_mean[at, 0] = x * unit
                self.facet_mean[at, 1] = y * unit
                self.facet_variance[at] = unit * unit * (dx * dx + dy * dy) * (
                    measured.moment[2 * k + 1] / measured.facet[k] - mean * mean)
                at += 1
        self.facet_count[chunk] = at - self.facet_start[chunk]
        cell_free(&cell)
        measure_free(&measured)
        return status

    # ---- geometry ----

    def cells(self, *, threads=1):
        """Polygons: corners (V, 2), offsets (n + 1,), indices (m,), labels (m,).

        Cell i has the corners of indices[offsets[i]:offsets[i + 1]], counter-clockwise; labels[k]
        is what lies across the edge from corner indices[k] to its successor: a site, or -1 - e for
        the domain's edge e.  Corners that round to one point are one."""
        return self.cells_within(self.sites.domain, self.sites.polygon, self.kind, None, threads)

    def cells_in_part(self, part, inner, chosen, *, threads=1):
        """The same of the cells in one convex part of the domain.

        An edge along the part's edge e has the label -1 - e, unless e is an inner one and the
        border to another cell runs along it: then that cell's site.

        Parameters
        ----------
        part : (m, 2) array
            The corners, strictly convex and counter-clockwise.
        inner : (m,) array of bool
            Edges that are shared with other parts.
        chosen : (n,) array of bool
            Cells that may have corners there.
        """
        scaled = flushed(np.ldexp(part, -self.sites.exponent), _LEAST_COORDINATE)
        kind = np.where(chosen[np.asarray(self.perm)], np.asarray(self.kind), 0)
        return self.cells_within(Domain2D(scaled), part, kind.astype(np.uint8), inner, threads)

    cdef cells_within(self, Domain2D domain, polygon, const uint8_t[::1] kind, inner, threads):
        """Cells clipped to a domain, of which some edges may be shared with others."""
        cdef PlaneSites sites = self.sites
        cdef Py_ssize_t n = sites.n
        perm = np.asarray(self.perm)
        rank = np.empty(n, dtype=np.int32)
        rank[perm] = np.arange(n, dtype=np.int32)
        start, across = self.sides_within(domain, kind, threads)
        seen = across
        if inner is not None:
            shared = self.sides_within(Domain2D(domain.corner[:domain.n], True), kind, threads)[1]
            border = np.flatnonzero(across < 0)
            border = border[inner[-1 - across[border]]]
            seen = across.copy()
            seen[border] = shared[border]
        corners = Corners(start, across, rank)
        points = np.empty((corners.count, 2))
        of_domain = corners.domain_corners

        def coordinates(chunk):
            corners.locate(self.mesh, domain, points, chunk * CORNER_CHUNK,
                           min((chunk + 1) * CORNER_CHUNK, len(points)))

        run_chunks(coordinates, (len(points) + CORNER_CHUNK - 1) // CORNER_CHUNK, threads)
        centres = self.inside
        place = first_equal(points)
        while True:
            offsets, indices, labels = corners.polygons(place, seen)
            bad = unsound(points, offsets, indices, centres)
            changed = None if len(bad) == 0 else contracted(
                bad, points, offsets, indices, of_domain, place)
            if changed is None:
                break
            place = changed
        of_sites = labels >= 0
        labels[of_sites] = perm[labels[of_sites]]
        points = np.ldexp(points, sites.exponent)
        points[of_domain >= 0] = polygon[of_domain[of_domain >= 0]]
        used = np.zeros(len(points), dtype=bool)
        used[indices] = True
        if not used.all():
            points, indices = points[used], (np.cumsum(used) - 1)[indices]
        return points, offsets, indices, labels

    def sides_within(self, domain, kind, threads):
        """Offsets (n + 1,) of the sides of the sorted cells, and what lies across each."""
        cdef Py_ssize_t n = self.sites.n
        parts = [None] * ((n + CHUNK - 1) // CHUNK)

        def sides(chunk):
            parts[chunk] = cell_sides(self.mesh, domain, kind, chunk * CHUNK,
                                      min((chunk + 1) * CHUNK, n))

        run_chunks(sides, len(parts), threads)
        start = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.concatenate([counts for counts, _ in parts]), out=start[1:])
        return start, np.concatenate([across for _, across in parts])

    def simplices(self):
        """Regular triangulation of the sites (k, 3), counter-clockwise, not clipped."""
        perm = np.asarray(self.perm).astype(np.int64)
        return perm[self.mesh.triangles()]

    def locate(self, points, *, threads=1):
        """Site whose power distance to each point is least (q,), decided exactly.

        Among sites at the same power distance: the lowest index of those whose cell in the plane
        has an interior."""
        points = np.ascontiguousarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"points must have shape (q, 2), got {points.shape}")
        count = len(points)
        result = np.empty(count, dtype=np.int64)
        if count == 0:
            return result
        if self.hubs_ is None:
            self.hubs_ = self.find_hubs()
        for first in range(0, count, QUERY_BLOCK):
            block, found = points[first:first + QUERY_BLOCK], result[first:first + QUERY_BLOCK]
            order = hilbert_order(block)[0] if len(block) > 64 else np.arange(len(block))

            def work(chunk, block=block, found=found, order=order):
                part = order[chunk * QUERY_CHUNK:(chunk + 1) * QUERY_CHUNK]
                found[part] = _locate(self, block[part])

            run_chunks(work, (len(block) + QUERY_CHUNK - 1) // QUERY_CHUNK, threads)
        return result

    cdef find_hubs(self):
        """The sites with many neighbours, seen from the centroids of their cells."""
        return Hubs(self.mesh, self.inside[np.asarray(self.perm)])

    def insert(self, points, masses, own=None, *, threads=1):
        """Weights (q, 2), hi + lo, that would give each point alone a cell of about that mass.

        Parameters
        ----------
        points : (q, 2) array
            New sites.
        masses : (q,) array
            Wanted masses, met to a thousandth or so where the density is uniform, and else roughly;
            0: the weight at which the point's cell would appear.
        own : (q,) array of int, optional
            The site of this diagram that each point replaces.
        """
        cdef double unit = ldexp(1.0, -self.sites.exponent)
        cdef index_t start
        points = np.ascontiguousarray(points, dtype=np.float64) * unit
        count = len(points)
        weights = np.empty((count, 2))
        if count == 0:
            return weights
        areas = np.asarray(masses, dtype=np.float64) * self.sites.domain.area
        replaced = np.full(count, -1, dtype=np.int32)
        if own is not None:
            rank = np.empty(self.sites.n, dtype=np.int32)
            rank[np.asarray(self.perm)] = np.arange(self.sites.n, dtype=np.int32)
            replaced[:] = rank[np.asarray(own)]
        order = hilbert_order(points)[0] if count > 1 else np.arange(1)
        start = <index_t> np.flatnonzero(np.asarray(self.kind) == REGULAR)[0]

        def work(chunk):
            part = order[chunk * QUERY_CHUNK : (chunk + 1) * QUERY_CHUNK]
            weights[part] = _insert(self, points[part], replaced[part], areas[part], start)

        run_chunks(work, (count + QUERY_CHUNK - 1) // QUERY_CHUNK, threads)
        return np.ldexp(weights, 2 * self.sites.exponent)


def _insert(PlaneDiagram diagram, const double[:, ::1] points, const index_t[::1] own,
            const double[::1] areas, index_t start):
    cdef double[:, ::1] weights = np.empty((points.shape[0], 2))
    cdef Regular2D mesh = diagram.mesh
    cdef Domain2D domain = diagram.sites.domain
    cdef Density density = diagram.sites.density
    cdef const uint8_t[::1] kind = diagram.kind
    cdef int status
    with nogil:
        status = insert_sites(mesh, domain, density, kind, points, own, areas, start, weights)
    raise_for(status, "one cell's sides do not fit into memory")
    return np.asarray(weights)


cdef inline double sum3(double a, double b, double c) noexcept nogil:
    """a + b + c where a and b may cancel: a far site and the frame's shift back to its cell."""
    cdef double s, e
    two_sum(a, b, &s, &e)
    return s + (e + c)


def _locate(PlaneDiagram diagram, const double[:, ::1] points):
    cdef int64_t[::1] out = np.empty(points.shape[0], dtype=np.int64)
    locate_points(diagram.mesh, diagram.hubs_, diagram.perm, points, diagram.sites.exponent, out)
    return np.asarray(out)
