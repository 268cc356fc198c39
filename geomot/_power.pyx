"""The door to the kernels: arrays in, arrays out, threads, errors.

`PlaneSites` sorts sites along a Hilbert curve once; each call of `diagram` triangulates them under
new weights and measures the cells.  Kernels see coordinates scaled by a power of two to about one,
so neither overflow nor underflow disturbs the exact arithmetic and units change no bit.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport frexp, ldexp
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc

from geomot._core.cells2d cimport (
    FLAT, NO_MEMORY, REGULAR, Cell, Domain2D, cell_compute, cell_free, cell_init)
from geomot._core.insert2d cimport insert_sites
from geomot._core.predicates cimport compare_power, two_sum
from geomot._core.regular2d cimport Regular2D
from geomot._core.types cimport index_t

from geomot._threads import run_chunks

cdef enum:
    CHUNK = 4096            # cells a thread takes at once; never depends on the thread count
    QUERY_CHUNK = 4096
    HILBERT_BITS = 21       # per axis
    BRIO_LEVELS = 8

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


# ---- space-filling order ----

# Hilbert curve: state * 4 + (x bit * 2 + y bit) -> next state * 4 + position on the curve
cdef uint8_t[16] HILBERT = [
    1 * 4 + 0, 0 * 4 + 1, 3 * 4 + 3, 0 * 4 + 2,
    0 * 4 + 0, 2 * 4 + 3, 1 * 4 + 1, 1 * 4 + 2,
    2 * 4 + 2, 1 * 4 + 3, 2 * 4 + 1, 3 * 4 + 0,
    3 * 4 + 2, 3 * 4 + 1, 0 * 4 + 3, 2 * 4 + 0,
]


def _hilbert_keys(const double[:, ::1] points, double x0, double y0, double scale):
    """Position of each point along the Hilbert curve of a 2^21 x 2^21 grid, uint64 (n,)."""
    cdef Py_ssize_t n = points.shape[0], k
    cdef uint64_t[::1] keys = np.empty(n, dtype=np.uint64)
    cdef uint64_t x, y, key, top = (1 << HILBERT_BITS) - 1
    cdef double u, v
    cdef int bit, state, entry
    with nogil:
        for k in range(n):
            u = (points[k, 0] - x0) * scale
            v = (points[k, 1] - y0) * scale
            x = <uint64_t> u if u > 0.0 else 0
            y = <uint64_t> v if v > 0.0 else 0
            x = min(x, top)
            y = min(y, top)
            key = 0
            state = 0
            for bit in range(HILBERT_BITS - 1, -1, -1):
                entry = HILBERT[state * 4 + (((x >> bit) & 1) << 1 | ((y >> bit) & 1))]
                key = (key << 2) | (entry & 3)
                state = entry >> 2
            keys[k] = key
    return np.asarray(keys)


def hilbert_order(points):
    """Permutation (n,) along a Hilbert curve, and the sorted keys: equal where points share a cell.

    Ties keep the order of indices.  Where many points share a cell of the grid (clusters far
    smaller than the whole), the curve is laid over the ranks of the coordinates instead."""
    order, keys = _sorted_by_key(points)
    shared = np.count_nonzero(keys[1:] == keys[:-1])
    if shared > len(points) // 16:
        ranks = np.empty_like(points)
        for axis in range(2):
            _, rank = np.unique(points[:, axis], return_inverse=True)
            ranks[:, axis] = rank
        order, keys = _sorted_by_key(ranks)
    return order, keys


def _sorted_by_key(points):
    lower = points.min(axis=0)
    extent = float((points.max(axis=0) - lower).max())
    # a power of two, so that scaled input gets the same keys
    scale = ldexp(1.0, HILBERT_BITS - _exponent(extent)) if extent > 0.0 else 0.0
    keys = _hilbert_keys(points, lower[0], lower[1], scale)
    order = np.argsort(keys, kind="stable")
    return order, keys[order]


cdef int _exponent(double x) noexcept:
    """The least e with |x| < 2^e."""
    cdef int e = 0
    frexp(x, &e)
    return e


cdef inline uint64_t _mix(uint64_t z) noexcept nogil:
    """Finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    z += 0x9E3779B97F4A7C15ULL
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
    return z ^ (z >> 31)


def _insertion_order(Py_ssize_t n):
    """Biased randomised insertion order of n sites sorted along a curve.

    Level l holds about 3/4 of what levels 0..l leave to the levels above; high levels go first and
    each follows the curve (Amenta, Choi, Rote 2003)."""
    cdef index_t[::1] order = np.empty(n, dtype=np.int32)
    cdef uint8_t[::1] level = np.empty(n, dtype=np.uint8)
    cdef Py_ssize_t k, at = 0
    cdef uint64_t h
    cdef int lev
    with nogil:
        for k in range(n):
            h = _mix(k)
            lev = 0
            while lev < BRIO_LEVELS and (h & 3) == 0:
                h >>= 2
                lev += 1
            level[k] = lev
        for lev in range(BRIO_LEVELS, -1, -1):
            for k in range(n):
                if level[k] == lev:
                    order[at] = <index_t> k
                    at += 1
    return np.asarray(order)


def coincident(points, keys):
    """Groups of coincident points among points sorted along the curve.

    Returns (members, starts): positions grouped by location, groups of two or more only, each in
    increasing position."""
    same = np.flatnonzero(keys[1:] == keys[:-1])
    if same.size == 0:
        return np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    suspects = np.union1d(same, same + 1)
    by_place = suspects[np.lexsort((suspects, points[suspects, 1], points[suspects, 0]))]
    place = points[by_place]
    fresh = np.ones(len(place) + 1, dtype=bool)
    fresh[1:-1] = (place[1:] != place[:-1]).any(axis=1)
    starts = np.flatnonzero(fresh)
    kept = np.flatnonzero(np.diff(starts) > 1)
    members = [by_place[starts[g] : starts[g + 1]] for g in kept]
    sizes = [0] + [len(m) for m in members]
    joined = np.concatenate(members) if members else np.empty(0, dtype=np.int64)
    return joined, np.cumsum(sizes)


# ---- sites ----

cdef class PlaneSites:
    """Sites in the plane and their convex domain, sorted once for many diagrams.

    Parameters
    ----------
    sites : (n, 2) array
        Finite coordinates.
    polygon : (m, 2) array
        The domain, strictly convex and counter-clockwise.

    Coordinates below 2^-200 of the largest, and parts of weights below its square, are taken as
    zero: exact determinants of smaller ones would leave the range of a double.
    """
    cdef readonly Py_ssize_t n
    cdef int exponent                   # kernels see coordinates times 2^-exponent
    cdef object perm                    # sorted position -> the caller's index
    cdef double[:, ::1] base            # (n, 4) sorted, weights zero
    cdef object order                   # insertion order, in sorted positions
    cdef object twins, twin_starts      # coincident sites, in sorted positions
    cdef Domain2D domain

    def __init__(self, sites, polygon):
        sites = np.ascontiguousarray(sites, dtype=np.float64)
        polygon = np.ascontiguousarray(polygon, dtype=np.float64)
        if sites.ndim != 2 or sites.shape[1] != 2 or len(sites) == 0:
            raise ValueError(f"sites must have shape (n, 2) with n >= 1, got {sites.shape}")
        if len(sites) > _MAX_SITES:
            raise ValueError(f"sites must be at most {_MAX_SITES}, got {len(sites)}")
        self.n = len(sites)
        self.exponent = _exponent(max(np.abs(sites).max(), np.abs(polygon).max()))
        scaled = _flushed(np.ldexp(sites, -self.exponent), _LEAST_COORDINATE)
        domain = _flushed(np.ldexp(polygon, -self.exponent), _LEAST_COORDINATE)
        if np.ptp(domain, axis=0).min() < _LEAST_DOMAIN:
            raise ValueError("sites must not be 2^100 times as far away as the domain is wide")
        self.domain = Domain2D(domain)
        order, keys = hilbert_order(scaled)
        self.perm = order.astype(np.int32)
        base = np.zeros((self.n, 4))
        base[:, :2] = scaled[order]
        self.base = base
        self.order = _insertion_order(self.n)
        self.twins, self.twin_starts = coincident(base[:, :2], keys)

    def diagram(self, weights, weights_low=None, *, threads=1):
        """Power diagram under the given weights (hi, and lo where given); PlaneDiagram."""
        cdef double[:, ::1] site = np.array(self.base)
        _set_weights(site, self.perm, weights, weights_low, -2 * self.exponent)
        diagram = PlaneDiagram.__new__(PlaneDiagram)
        (<PlaneDiagram> diagram).compute(self, site, threads)
        return diagram

    def owners(self, const double[:, ::1] site):
        """Insertion order without the coincident sites that lose their place to a twin."""
        cdef Py_ssize_t g, k, best
        cdef const int64_t[::1] twins = self.twins, starts = self.twin_starts
        if len(self.twins) == 0:
            return self.order
        keep = np.ones(self.n, dtype=bool)
        keep[self.twins] = False
        for g in range(len(self.twin_starts) - 1):
            best = twins[starts[g]]
            for k in range(starts[g] + 1, starts[g + 1]):
                if (site[twins[k], 2], site[twins[k], 3]) > (site[best, 2], site[best, 3]):
                    best = twins[k]
            keep[best] = True
        return self.order[keep[self.order]]


def _flushed(x, least):
    """x with entries below `least` in magnitude replaced by zero."""
    x[np.abs(x) < least] = 0.0
    return x


def _set_weights(double[:, ::1] site, const index_t[::1] perm, weights, low, int exponent):
    """Write the sorted, scaled and normalised pairs into columns 2 and 3."""
    cdef const double[::1] hi = _flushed(
        np.ldexp(np.asarray(weights, dtype=np.float64), exponent), _LEAST_COORDINATE**2)
    cdef const double[::1] lo
    cdef Py_ssize_t k, n = site.shape[0]
    if hi.shape[0] != n:
        raise ValueError(f"weights must have shape ({n},), got ({hi.shape[0]},)")
    if low is None:
        for k in range(n):
            site[k, 2] = hi[perm[k]]
        return
    lo = _flushed(np.ldexp(np.asarray(low, dtype=np.float64), exponent), _LEAST_COORDINATE**2)
    if lo.shape[0] != n:
        raise ValueError(f"weights_low must have shape ({n},), got ({lo.shape[0]},)")
    for k in range(n):
        two_sum(hi[perm[k]], lo[perm[k]], &site[k, 2], &site[k, 3])


# ---- diagrams ----

cdef class PlaneDiagram:
    """Power diagram clipped to the domain: measures of every cell, in the caller's order."""
    cdef readonly object masses, centroids, costs, empty
    cdef PlaneSites sites
    cdef Regular2D mesh
    cdef const index_t[::1] perm
    cdef double[::1] mass_, cost_
    cdef double[:, ::1] centroid_
    cdef uint8_t[::1] empty_
    cdef uint8_t[::1] kind              # of each cell, in sorted positions
    cdef int64_t[::1] facet_start       # room of each chunk in the facet arrays
    cdef int64_t[::1] facet_count
    cdef index_t[:, ::1] facet_site
    cdef double[::1] facet_length
    cdef object facets_

    cdef compute(self, PlaneSites sites, double[:, ::1] site, threads):
        cdef Py_ssize_t n = sites.n
        cdef Py_ssize_t chunks = (n + CHUNK - 1) // CHUNK
        self.sites = sites
        self.perm = sites.perm
        self.facets_ = None
        self.masses = np.zeros(n)
        self.costs = np.zeros(n)
        self.centroids = np.full((n, 2), np.nan)
        self.empty = np.ones(n, dtype=bool)
        self.mass_ = self.masses
        self.cost_ = self.costs
        self.centroid_ = self.centroids
        self.empty_ = self.empty.view(np.uint8)
        self.kind = np.zeros(n, dtype=np.uint8)
        order = sites.owners(site)
        while True:
            self.mesh = Regular2D(site, order)
            self.reserve_facets(chunks)
            run_chunks(self._measure_chunk, chunks, threads)
            flat = np.flatnonzero(np.asarray(self.kind) == FLAT)
            if flat.size == 0:
                break
            # Not corners of the lifted hull: without them the facets of their neighbours meet.
            keep = np.ones(n, dtype=bool)
            keep[flat] = False
            order = order[keep[order]]

    cdef reserve_facets(self, Py_ssize_t chunks):
        """Count the edges that each chunk of cells owns (those to later sites)."""
        cdef Regular2D mesh = self.mesh
        cdef int64_t[::1] start = np.zeros(chunks + 1, dtype=np.int64)
        cdef Py_ssize_t t
        cdef index_t a, b
        cdef int k
        with nogil:
            for t in range(mesh.slots):
                for k in range(3):
                    a = mesh.vert[t, k]
                    b = mesh.vert[t, k + 1 if k < 2 else 0]
                    if 0 <= a < b < mesh.n:
                        start[a // CHUNK + 1] += 1
            for t in range(1, mesh.chain_length):
                a = min(mesh.chain[t - 1], mesh.chain[t])
                start[a // CHUNK + 1] += 1
        self.facet_start = np.cumsum(start)
        self.facet_count = np.zeros(chunks, dtype=np.int64)
        self.facet_site = np.empty((self.facet_start[chunks], 2), dtype=np.int32)
        self.facet_length = np.empty(self.facet_start[chunks])

    def _measure_chunk(self, Py_ssize_t chunk):
        cdef Py_ssize_t start = chunk * CHUNK, stop = min(start + CHUNK, self.sites.n)
        cdef int status
        cdef Regular2D mesh = self.mesh
        cdef Domain2D domain = self.sites.domain
        cdef int exponent = self.sites.exponent
        with nogil:
            status = self.measure(mesh, domain, exponent, chunk, <index_t> start, <index_t> stop)
        if status == NO_MEMORY:
            raise MemoryError("one cell's sides do not fit into memory")

    cdef int measure(self, Regular2D mesh, Domain2D domain, int e, Py_ssize_t chunk,
                     index_t start, index_t stop) noexcept nogil:
        """Cells of the sorted sites start to stop; 0, or NO_MEMORY."""
        cdef Cell cell
        cdef index_t i, own
        cdef Py_ssize_t k, across, at = self.facet_start[chunk]
        cdef int kind
        cdef double density = 1.0 / domain.area
        cdef double unit = ldexp(1.0, e), unit2 = ldexp(1.0, 2 * e), per_unit = ldexp(1.0, -e)
        if cell_init(&cell) != 0:
            return NO_MEMORY
        for i in range(start, stop):
            kind = cell_compute(&cell, mesh, domain, i)
            if kind == NO_MEMORY:
                cell_free(&cell)
                return NO_MEMORY
            self.kind[i] = kind
            if kind != REGULAR:
                continue
            own = self.perm[i]
            self.empty_[own] = 0
            self.mass_[own] = cell.area * density
            self.cost_[own] = cell.cost * density * unit2
            self.centroid_[own, 0] = sum3(mesh.site[i, 0], cell.shift_x, cell.centre_x) * unit
            self.centroid_[own, 1] = sum3(mesh.site[i, 1], cell.shift_y, cell.centre_y) * unit
            for k in range(cell.size):
                across = cell.lines[cell.side[k]].across
                if across > i and cell.length[k] > 0.0:
                    self.facet_site[at, 0] = own
                    self.facet_site[at, 1] = self.perm[across]
                    self.facet_length[at] = cell.length[k] * density * per_unit
                    at += 1
        self.facet_count[chunk] = at - self.facet_start[chunk]
        cell_free(&cell)
        return 0

    # ---- facets ----

    @property
    def facet_sites(self):
        """Neighbouring sites (m, 2), i < j, in lexicographic order."""
        return self.sorted_facets()[0]

    @property
    def facet_measures(self):
        """Integral of the density over each facet (m,), positive."""
        return self.sorted_facets()[1]

    cdef sorted_facets(self):
        if self.facets_ is None:
            self.facets_ = _sort_facets(self.sites.n, self.facet_start, self.facet_count,
                                        self.facet_site, self.facet_length)
            self.facet_site = None
            self.facet_length = None
        return self.facets_

    # ---- geometry ----

    def cells(self):
        """Polygons: vertices (V, 2), offsets (n + 1,), labels (V,).

        Cell i has the vertices offsets[i] to offsets[i + 1], counter-clockwise; labels[k] is what
        lies across the edge from vertex k to its successor: a site, or -1 - e for the domain's
        edge e."""
        cdef Py_ssize_t n = self.sites.n, k, m, at
        cdef index_t i
        cdef Cell cell
        cdef int64_t[::1] offsets = np.zeros(n + 1, dtype=np.int64)
        cdef double[:, ::1] vertices
        cdef int64_t[::1] labels
        cdef double unit = ldexp(1.0, self.sites.exponent)
        cdef index_t[::1] rank = np.empty(n, dtype=np.int32)
        cdef Regular2D mesh = self.mesh
        cdef Domain2D domain = self.sites.domain
        for k in range(n):
            rank[self.perm[k]] = <index_t> k
        if cell_init(&cell) != 0:
            raise MemoryError
        try:
            for own in range(n):
                i = rank[own]
                m = 0
                if self.kind[i] == REGULAR:
                    cell_compute(&cell, mesh, domain, i)
                    m = proper_sides(&cell)
                offsets[own + 1] = offsets[own] + m
                if own % CHUNK == 0:
                    PyErr_CheckSignals()
            vertices = np.empty((offsets[n], 2))
            labels = np.empty(offsets[n], dtype=np.int64)
            for own in range(n):
                i = rank[own]
                if self.kind[i] != REGULAR:
                    continue
                cell_compute(&cell, mesh, domain, i)
                m = proper_sides(&cell)
                at = offsets[own]
                for k in range(m):
                    # side k ends at vertex k: the edge from vertex k is the next side
                    vertices[at + k, 0] = sum3(mesh.site[i, 0], cell.shift_x, cell.x[k]) * unit
                    vertices[at + k, 1] = sum3(mesh.site[i, 1], cell.shift_y, cell.y[k]) * unit
                    across = cell.lines[cell.side[k + 1 if k + 1 < m else 0]].across
                    labels[at + k] = self.perm[across] if across >= 0 else across
                if own % CHUNK == 0:
                    PyErr_CheckSignals()
        finally:
            cell_free(&cell)
        return np.asarray(vertices), np.asarray(offsets), np.asarray(labels)

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
        scaled = np.ldexp(points, -self.sites.exponent)
        order = hilbert_order(scaled)[0] if count > 64 else np.arange(count)

        def work(chunk):
            part = order[chunk * QUERY_CHUNK : (chunk + 1) * QUERY_CHUNK]
            result[part] = _locate(self, scaled[part])

        run_chunks(work, (count + QUERY_CHUNK - 1) // QUERY_CHUNK, threads)
        return result

    def insert(self, points, masses, own=None, *, threads=1):
        """Weights (q, 2), hi + lo, that would give each point alone a cell of about that mass.

        Parameters
        ----------
        points : (q, 2) array
            New sites.
        masses : (q,) array
            Wanted masses, met to a thousandth or so; 0: the weight at which the point's cell
            would appear.
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
    cdef const uint8_t[::1] kind = diagram.kind
    cdef int status
    with nogil:
        status = insert_sites(mesh, domain, kind, points, own, areas, start, weights)
    if status == NO_MEMORY:
        raise MemoryError("one cell's sides do not fit into memory")
    return np.asarray(weights)


cdef inline double sum3(double a, double b, double c) noexcept nogil:
    """a + b + c where a and b may cancel: a far site and the frame's shift back to its cell."""
    cdef double s, e
    two_sum(a, b, &s, &e)
    return s + (e + c)


cdef Py_ssize_t proper_sides(Cell* cell) noexcept nogil:
    """Drop sides that rounding leaves without length; the number of sides that stay."""
    cdef Py_ssize_t k, m = 0
    cdef double e = 0.0
    for k in range(cell.size):
        e = max(e, cell.length[k])
    e *= 1.7763568394002505e-15
    for k in range(cell.size):
        m += cell.length[k] > e
    if m < 3:           # thinner than that: every side counts
        return cell.size
    m = 0
    for k in range(cell.size):
        if cell.length[k] > e:
            cell.side[m] = cell.side[k]
            cell.x[m] = cell.x[k]
            cell.y[m] = cell.y[k]
            m += 1
    return m


def _sort_facets(Py_ssize_t n, const int64_t[::1] start, const int64_t[::1] count,
                 const index_t[:, ::1] site, const double[::1] length):
    """Facets of all chunks, i < j, in lexicographic order: counting sort, then short runs."""
    cdef Py_ssize_t chunks = count.shape[0], c, k, at, j, total = 0
    cdef int64_t[::1] row = np.zeros(n + 1, dtype=np.int64)
    cdef index_t a, b
    cdef double v
    for c in range(chunks):
        total += count[c]
    cdef int64_t[:, ::1] pairs = np.empty((total, 2), dtype=np.int64)
    cdef double[::1] measures = np.empty(total)
    with nogil:
        for c in range(chunks):
            for k in range(start[c], start[c] + count[c]):
                row[min(site[k, 0], site[k, 1]) + 1] += 1
        for k in range(n):
            row[k + 1] += row[k]
        for c in range(chunks):
            for k in range(start[c], start[c] + count[c]):
                a = min(site[k, 0], site[k, 1])
                b = max(site[k, 0], site[k, 1])
                at = row[a]
                row[a] = at + 1
                pairs[at, 0] = a
                pairs[at, 1] = b
                measures[at] = length[k]
        for k in range(1, total):
            a = <index_t> pairs[k, 0]
            b = <index_t> pairs[k, 1]
            v = measures[k]
            j = k
            while j > 0 and pairs[j - 1, 0] == a and pairs[j - 1, 1] > b:
                pairs[j, 1] = pairs[j - 1, 1]
                measures[j] = measures[j - 1]
                j -= 1
            pairs[j, 1] = b
            measures[j] = v
    return np.asarray(pairs), np.asarray(measures)


# ---- point location ----

def _locate(PlaneDiagram diagram, const double[:, ::1] points):
    """Sites of the points, walking from each answer to the next."""
    cdef Regular2D mesh = diagram.mesh
    cdef Py_ssize_t q = points.shape[0], k
    cdef int64_t[::1] out = np.empty(q, dtype=np.int64)
    cdef index_t at = 0
    cdef index_t* ring = <index_t*> malloc(mesh.n * sizeof(index_t))
    if ring == NULL:
        raise MemoryError
    while mesh.incident[at] < 0:
        at += 1
    try:
        with nogil:
            for k in range(q):
                at = walk(mesh, at, points[k, 0], points[k, 1], ring)
                if at < 0:
                    at = -1 - at
                    with gil:
                        out[k] = _lowest_tie(diagram, at, points[k, 0], points[k, 1])
                else:
                    out[k] = diagram.perm[at]
    finally:
        free(ring)
    return np.asarray(out)


cdef index_t walk(Regular2D mesh, index_t at, double x, double y, index_t* ring) noexcept nogil:
    """Descend the power distance over the triangulation; -1 - i where i has a tie."""
    cdef Py_ssize_t degree, j
    cdef index_t best
    cdef bint closed, tie
    cdef int sign
    while True:
        degree = mesh.star(at, ring, mesh.n, &closed)
        best = at
        tie = False
        for j in range(degree):
            sign = compare_power(&mesh.site[best, 0], &mesh.site[ring[j], 0], x, y)
            if sign > 0:
                best = ring[j]
                tie = False
            elif sign == 0:
                tie = True
        if best == at:
            return -1 - at if tie else at
        at = best


cdef index_t _lowest_tie(PlaneDiagram diagram, index_t at, double x, double y) except -1:
    """Lowest of the caller's indices among the sites tied with `at`, its neighbours in turn."""
    cdef Regular2D mesh = diagram.mesh
    cdef index_t[::1] ring = np.empty(mesh.n, dtype=np.int32)
    cdef Py_ssize_t degree, j
    cdef bint closed
    tied = {at}
    pending = [at]
    while pending:
        degree = mesh.star(pending.pop(), &ring[0], mesh.n, &closed)
        for j in range(degree):
            if ring[j] not in tied and compare_power(
                    &mesh.site[at, 0], &mesh.site[ring[j], 0], x, y) == 0:
                tied.add(ring[j])
                pending.append(ring[j])
    return min(diagram.perm[site] for site in tied)


# ---- the Hessian's matrix ----

def laplacian(Py_ssize_t n, const int64_t[:, ::1] edges, const double[::1] conductance):
    """Graph Laplacian in CSR form: (data, indices, indptr), columns sorted.

    Edges are pairs i < j in lexicographic order; every row has its diagonal."""
    cdef Py_ssize_t m = edges.shape[0], k
    cdef index_t[::1] indptr = np.zeros(n + 1, dtype=np.int32)
    cdef index_t[::1] indices = np.empty(n + 2 * m, dtype=np.int32)
    cdef double[::1] data = np.empty(n + 2 * m)
    cdef int64_t[::1] at = np.zeros(n, dtype=np.int64)
    cdef int64_t[::1] diagonal = np.zeros(n, dtype=np.int64)
    cdef int64_t i, j
    with nogil:
        for k in range(n):
            indptr[k + 1] = 1
        for k in range(m):
            indptr[edges[k, 0] + 1] += 1
            indptr[edges[k, 1] + 1] += 1
            diagonal[edges[k, 1]] += 1          # lower neighbours come first
        for k in range(n):
            indptr[k + 1] += indptr[k]
            at[k] = indptr[k]
            diagonal[k] += indptr[k]
            indices[diagonal[k]] = <index_t> k
            data[diagonal[k]] = 0.0
        for k in range(m):
            j = edges[k, 1]
            i = edges[k, 0]
            indices[at[j]] = <index_t> i
            data[at[j]] = -conductance[k]
            at[j] += 1
            data[diagonal[i]] += conductance[k]
            data[diagonal[j]] += conductance[k]
        for k in range(n):
            at[k] = diagonal[k] + 1
        for k in range(m):
            i = edges[k, 0]
            indices[at[i]] = <index_t> edges[k, 1]
            data[at[i]] = -conductance[k]
            at[i] += 1
    return np.asarray(data), np.asarray(indices), np.asarray(indptr)
