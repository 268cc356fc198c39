"""The door to the kernels of space: arrays in, arrays out, threads, errors.

As `geomot._power` in the plane: `SpaceSites` sorts sites along a Hilbert curve once; each call of
`diagram` triangulates them under new weights and measures the cells.  Kernels see coordinates
scaled by a power of two into [-1, 1], which their four ghost sites enclose.
"""

import numpy as np

from libc.math cimport ldexp
from libc.stdint cimport int64_t, uint8_t

from geomot._core.interrupt cimport interrupted, raise_for
from geomot._core.space.cells cimport (
    EMPTY, FLAT, REGULAR, TINY, Polytope, Share, cell_from_star, polytope_free, polytope_init,
    set_centre)
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.insert cimport insert_sites
from geomot._core.space.locate cimport locate_points
from geomot._core.space.measure cimport (
    SPREAD, Density3D, Measure3D, measure_free, measure_init, measure_reserve)
from geomot._core.space.predicates cimport Arena, arena_free, arena_init
from geomot._core.space.regular cimport Regular3D
from geomot._core.space.rings cimport Rings
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
from geomot._core.types cimport index_t

from geomot._core.facets import sort_facets
from geomot._core.order import coincident, exponent_of, hilbert_order, insertion_order
from geomot._core.scaled import flushed, owners, write_weights
from geomot._core.space.polyhedra import cell_faces
from geomot._core.space.regular import enclosed, set_ghosts
from geomot._facets import Facets, of_both_sides
from geomot._polyhedra import (
    Faces, moments_of_both_sides, moments_of_faces, shared_polyhedra)
from geomot._threads import run_chunks

cdef enum:
    CHUNK = 8192            # cells a thread takes at once; never depends on the thread count
    STARS = 1024            # cells at the border
    DENSE = 64              # cells over which a density is integrated
    TETS = 65536            # tetrahedra, of which only centres are computed
    WORK = 1024             # cells between two looks for Ctrl-C (a few ms)
    QUERY_CHUNK = 4096
    QUERY_BLOCK = 524288    # queries that are sorted together: sorting hears no Ctrl-C

# Coordinates below this share of the largest are taken as zero, and parts of weights below its
# square: exact determinants of smaller ones would leave the range of a double.
_LEAST_COORDINATE = 2.0**-150
_LEAST_DOMAIN = 2.0**-100

_MAX_SITES = 2**26          # facets of tetrahedra are numbered in 32 bits

# Volumes that differ by less are the same.
_ROUNDING = 2.0**-46

# Sites of a level of the insertion order, of those of the next one, as a power of two.
_LEVEL_BITS = 3


# ---- sites ----

cdef class SpaceSites:
    """Sites in space and their convex domain, sorted once for many diagrams.

    Parameters
    ----------
    sites : (n, 3) array
        Finite coordinates.
    planes : (m, 4) array
        The domain: x with normal.x <= offset for all rows; components of normals at most 1.
    bounds : (2, 3) array
        Corners of the box around the domain.
    density : function, optional
        Returns the density for the power of two by which all coordinates are multiplied, as
        `Source.scaled_density`; uniform if None.
    volume : float, optional
        What has mass 1; None: the domain.
    boxed : bool, optional
        Whether diagrams have the boxes around their cells.
    """
    cdef readonly Py_ssize_t n
    cdef readonly bint boxed
    cdef object given                   # the sites, in the caller's order
    cdef int exponent                   # kernels see coordinates times 2^-exponent
    cdef object perm                    # sorted position -> the caller's index
    cdef object base                    # (n + 4, 5) sorted, weights zero
    cdef object order                   # insertion order, in sorted positions
    cdef object twins, twin_starts      # coincident sites, in sorted positions
    cdef Domain3D domain
    cdef Density3D density
    cdef readonly bint uniform

    def __init__(self, sites, planes, bounds, *, density=None, volume=None, boxed=False):
        self.boxed = boxed
        sites = np.ascontiguousarray(sites, dtype=np.float64)
        if sites.ndim != 2 or sites.shape[1] != 3 or len(sites) == 0:
            raise ValueError(f"sites must have shape (n, 3) with n >= 1, got {sites.shape}")
        if len(sites) > _MAX_SITES:
            raise ValueError(f"sites must be at most {_MAX_SITES}, got {len(sites)}")
        self.n = len(sites)
        self.given = sites
        self.exponent = exponent_of(max(np.abs(sites).max(), np.abs(bounds).max()))
        scaled = flushed(np.ldexp(sites, -self.exponent), _LEAST_COORDINATE)
        planes = np.array(planes, dtype=np.float64)
        planes[:, 3] = np.ldexp(planes[:, 3], -self.exponent)
        planes = flushed(planes, _LEAST_COORDINATE)
        box = np.ldexp(np.asarray(bounds, dtype=np.float64), -self.exponent)
        if np.ptp(box, axis=0).min() < _LEAST_DOMAIN:
            raise ValueError("sites must not be 2^100 times as far away as the domain is wide")
        self.uniform = density is None
        self.density = Density3D() if density is None else density(ldexp(1.0, -self.exponent))
        unit = (_volume(planes, box) if volume is None
                else float(np.ldexp(volume, -3 * self.exponent)))
        self.domain = Domain3D(planes, box, unit,
                               flushed(self.density.planes, _LEAST_COORDINATE))
        order, keys = hilbert_order(scaled)
        self.perm = order.astype(np.int32)
        self.base = enclosed(scaled[order])
        self.order = insertion_order(self.n, _LEVEL_BITS)
        self.twins, self.twin_starts = coincident(self.base[: self.n, :3], keys)

    def diagram(self, weights, weights_low=None, *, threads=1):
        """Power diagram under the given weights (hi, and lo where given); SpaceDiagram."""
        site = np.array(self.base)
        write_weights(site[: self.n, 3:5], self.perm, weights, weights_low, -2 * self.exponent,
                      _LEAST_COORDINATE**2)
        set_ghosts(site)
        diagram = SpaceDiagram.__new__(SpaceDiagram)
        (<SpaceDiagram> diagram).compute(self, site, threads)
        return diagram

    def owners(self, const double[:, ::1] site):
        """Insertion order without the coincident sites that lose their place to a twin."""
        return owners(self.order, self.twins, self.twin_starts, site[: self.n, 3:5])


def _volume(planes, bounds):
    """Volume of what the planes enclose: the only cell that there is."""
    cdef Regular3D mesh = Regular3D(enclosed(bounds[:1]), insertion_order(1))
    cdef Domain3D domain = Domain3D(planes, bounds, 0.0)
    cdef index_t[::1] star
    cdef Polytope cell
    cdef Arena arena
    cdef Py_ssize_t t
    cdef int status = arena_init(&arena)
    if status == OK:
        for t in range(mesh.slots):
            set_centre(mesh, domain, &arena, <index_t> t)
        arena_free(&arena)
        mesh.renumber()
        # the only site is the last vertex of all tetrahedra
        star = np.array([4 * t + 3 for t in range(mesh.slots)], dtype=np.int32)
        status = polytope_init(&cell)
        if status == OK:
            status = cell_from_star(&cell, mesh, domain, 0, &star[0], star.shape[0], False)
        measured = cell.volume
        polytope_free(&cell)
    if status == NO_MEMORY:
        raise MemoryError("the domain's corners do not fit into memory")
    if status != REGULAR:
        raise ValueError("the domain must have an interior")
    # of a box exactly
    box = float(np.prod(bounds[1] - bounds[0]))
    return box if abs(measured - box) <= _ROUNDING * box else measured


# ---- diagrams ----

cdef class SpaceDiagram:
    """Power diagram clipped to the domain: measures of every cell, in the caller's order."""
    cdef readonly object masses, centroids, costs, empty
    cdef readonly object boxes          # (n, 6): lower and upper corner, NaN if empty; or None
    cdef readonly object flat           # sites without a cell that lie on facets of others
    cdef SpaceSites sites
    cdef Regular3D mesh
    cdef const index_t[::1] perm
    cdef double[::1] mass_, cost_
    cdef double[:, ::1] centroid_
    cdef double[:, ::1] box_
    cdef uint8_t[::1] empty_
    cdef uint8_t[::1] kept              # cells that are computed from their stars
    cdef uint8_t[::1] tiny              # of these, those inside the domain
    cdef uint8_t[::1] kind              # of each cell, in sorted positions
    cdef double[:, ::1] shares          # (n, 5) of cells inside: see `Share`
    cdef index_t[::1] listed            # kept cells
    cdef index_t[::1] star_start        # (len(listed) + 1,)
    cdef index_t[::1] stars             # numbers 4 t + k of their tetrahedra
    cdef object borders                 # pairs and areas, one entry a chunk
    cdef object facets_
    cdef object inserted                # the sites in the triangulation, as they were inserted
    cdef Regular3D everywhere_

    cdef compute(self, SpaceSites sites, double[:, ::1] site, threads):
        cdef Py_ssize_t n = sites.n
        self.sites = sites
        self.perm = sites.perm
        self.facets_ = None
        self.kind = np.zeros(n, dtype=np.uint8)
        order = sites.owners(site)
        found = []
        while True:
            self.masses = np.zeros(n)
            self.costs = np.zeros(n)
            self.centroids = np.full((n, 3), np.nan)
            self.empty = np.ones(n, dtype=bool)
            self.mass_ = self.masses
            self.cost_ = self.costs
            self.centroid_ = self.centroids
            self.empty_ = self.empty.view(np.uint8)
            self.boxes = np.full((n, 6), np.nan) if sites.boxed else None
            self.box_ = self.boxes
            self.mesh = Regular3D(site, order)
            self.measure(threads)
            flat = np.flatnonzero(np.asarray(self.kind) == FLAT)
            if flat.size == 0:
                self.inserted = order
                break
            # Not corners of the lifted hull: without them the facets of their neighbours meet.
            found.append(np.asarray(self.perm)[flat])
            lost = np.zeros(n, dtype=bool)
            lost[flat] = True
            order = order[~lost[order]]
        self.flat = np.concatenate(found) if found else np.zeros(0, dtype=np.int32)
        if sites.boxed:
            self.box_inner_cells()

    cdef measure(self, threads):
        """Everything about the cells of the current triangulation."""
        cdef Py_ssize_t n = self.sites.n
        cdef Py_ssize_t chunks = (n + CHUNK - 1) // CHUNK, slots = self.mesh.slots, stars
        self.kept = np.zeros(n + 4, dtype=np.uint8)
        self.kept[n:] = 1
        run_chunks(self._centre_chunk, (slots + TETS - 1) // TETS, threads)
        self.mesh.renumber()
        self.tiny = np.zeros(n + 4, dtype=np.uint8)
        if not self.sites.uniform:
            self.kept[:] = 1
            self.kind[:] = EMPTY
            self.list_stars()
            chunks = (self.listed.shape[0] + DENSE - 1) // DENSE
            self.borders = [None] * chunks
            run_chunks(self._dense_chunk, chunks, threads)
            return
        self.shares = np.zeros((n, 5))
        self.borders = [None] * chunks
        rings = [Rings() for _ in range(chunks)]
        run_chunks(lambda chunk: self._ring_chunk(rings[chunk], chunk), chunks, threads)
        for part in rings:
            (<Rings> part).settle(<Share*> &self.shares[0, 0])
        run_chunks(self._inner_chunk, chunks, threads)
        for chunk in range(chunks):
            self.borders[chunk] = self.ring_borders(rings[chunk])
            rings[chunk] = None
        self.shares = None
        self.list_stars()
        stars = (self.listed.shape[0] + STARS - 1) // STARS
        self.borders += [None] * stars
        run_chunks(lambda chunk: self._star_chunk(chunk, chunks), stars, threads)

    def _centre_chunk(self, Py_ssize_t chunk):
        cdef Py_ssize_t t, k
        cdef Py_ssize_t stop = min((chunk + 1) * TETS, self.mesh.slots)
        cdef Regular3D mesh = self.mesh
        cdef Domain3D domain = self.sites.domain
        cdef Arena arena
        cdef int status = OK
        if arena_init(&arena) != OK:
            raise MemoryError
        with nogil:
            for t in range(chunk * TETS, stop):
                if t & 8191 == 8191 and interrupted():
                    status = INTERRUPTED
                    break
                if mesh.tet[t].vert[0] >= 0 and not set_centre(mesh, domain, &arena,
                                                               <index_t> t):
                    for k in range(4):
                        self.kept[mesh.tet[t].vert[k]] = 1
            arena_free(&arena)
        raise_for(status, "")

    def _ring_chunk(self, Rings rings, Py_ssize_t chunk):
        cdef Regular3D mesh = self.mesh
        cdef Domain3D domain = self.sites.domain
        cdef Py_ssize_t start = chunk * CHUNK, stop = min(start + CHUNK, self.sites.n)
        cdef int status
        with nogil:
            status = rings.measure(mesh, domain, &self.kept[0], <Share*> &self.shares[0, 0],
                                   start, stop)
        raise_for(status, "the facets of the cells do not fit into memory")

    def _inner_chunk(self, Py_ssize_t chunk):
        """Results of cells inside the domain; tiny ones are kept for later."""
        cdef Py_ssize_t i, own, k
        cdef Regular3D mesh = self.mesh
        cdef Domain3D domain = self.sites.domain
        cdef int e = self.sites.exponent
        cdef const Share* share
        cdef const double* apex
        cdef const double* y
        cdef double away, mean, cost
        cdef double unit = ldexp(1.0, e), unit2 = ldexp(1.0, 2 * e)
        with nogil:
            for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, self.sites.n)):
                self.kind[i] = EMPTY
                if self.kept[i] or mesh.incident[i] < 0:
                    continue
                share = <const Share*> &self.shares[i, 0]
                if not share.volume > TINY * domain.volume:
                    self.tiny[i] = 1
                    continue
                self.kind[i] = REGULAR
                own = self.perm[i]
                y = mesh.s + 5 * i
                apex = &mesh.tet[mesh.incident[i]].plane[0]
                cost = share.second
                for k in range(3):
                    mean = share.first[k] / share.volume
                    away = (domain.centre[k] - y[k]) + apex[k]
                    cost += share.volume * away * (2.0 * mean + away)
                    self.centroid_[own, k] = (domain.centre[k] + (apex[k] + mean)) * unit
                self.empty_[own] = 0
                self.mass_[own] = share.volume / domain.volume
                self.cost_[own] = cost / domain.volume * unit2

    cdef ring_borders(self, Rings rings):
        """Pairs and measures of the facets of cells inside the domain that are not tiny."""
        cdef Py_ssize_t k, at = 0
        cdef index_t i, j
        cdef double scale = ldexp(1.0 / self.sites.domain.volume, -self.sites.exponent)
        cdef index_t[:, ::1] pairs = np.empty((rings.n_borders, 2), dtype=np.int32)
        cdef double[::1] areas = np.empty(rings.n_borders)
        for k in range(rings.n_borders):
            i = rings.border[k].i
            j = rings.border[k].j
            if not (self.tiny[i] or self.tiny[j]):
                pairs[at, 0] = self.perm[i]
                pairs[at, 1] = self.perm[j]
                areas[at] = rings.border[k].area * scale
                at += 1
        return np.asarray(pairs)[:at], np.asarray(areas)[:at]

    cdef list_stars(self):
        """The tetrahedra around each cell that is computed from its star."""
        cdef Regular3D mesh = self.mesh
        cdef Py_ssize_t n = self.sites.n, t, k, total = 0
        cdef index_t v
        visible = np.asarray(mesh.incident)[:n] >= 0
        from_stars = (np.asarray(self.kept) | np.asarray(self.tiny))[:n].astype(bool)
        self.listed = np.flatnonzero(from_stars & visible).astype(np.int32)
        cdef index_t[::1] place = np.full(n + 4, -1, dtype=np.int32)
        np.asarray(place)[np.asarray(self.listed)] = np.arange(len(self.listed), dtype=np.int32)
        self.star_start = np.zeros(len(self.listed) + 2, dtype=np.int32)
        with nogil:
            for t in range(mesh.slots):
                for k in range(4):
                    v = place[mesh.tet[t].vert[k]]
                    if v >= 0:
                        self.star_start[v + 2] += 1
                        total += 1
            for t in range(2, self.star_start.shape[0]):
                self.star_start[t] += self.star_start[t - 1]
        self.stars = np.empty(total, dtype=np.int32)
        with nogil:
            for t in range(mesh.slots):
                for k in range(4):
                    v = place[mesh.tet[t].vert[k]]
                    if v >= 0:
                        self.stars[self.star_start[v + 1]] = <index_t> (4 * t + k)
                        self.star_start[v + 1] += 1

    cdef box_inner_cells(self):
        """Boxes of the cells inside the domain; those computed from stars have theirs."""
        cdef Regular3D mesh = self.mesh
        cdef Domain3D domain = self.sites.domain
        cdef double unit = ldexp(1.0, self.sites.exponent)
        cdef Py_ssize_t t, own
        cdef index_t v
        cdef int j, k
        cdef double x
        with nogil:
            for t in range(mesh.slots):
                for k in range(4):
                    v = mesh.tet[t].vert[k]
                    if v < 0 or v >= self.sites.n or self.kept[v] or self.tiny[v]:
                        continue
                    own = self.perm[v]
                    for j in range(3):
                        x = (domain.centre[j] + mesh.tet[t].plane[j]) * unit
                        self.widen_box(own, j, x)

    cdef inline void widen_box(self, Py_ssize_t own, int j, double x) noexcept nogil:
        if not self.box_[own, j] <= x:
            self.box_[own, j] = x
        if not self.box_[own, 3 + j] >= x:
            self.box_[own, 3 + j] = x

    def _star_chunk(self, Py_ssize_t chunk, Py_ssize_t before):
        cdef Py_ssize_t start = chunk * STARS, stop = min(start + STARS, self.listed.shape[0])
        cdef Rings found = Rings()
        cdef Regular3D mesh = self.mesh
        cdef Domain3D domain = self.sites.domain
        cdef int status
        cdef Polytope cell
        status = polytope_init(&cell)
        if status == OK:
            with nogil:
                status = self.from_stars(&cell, mesh, domain, found, start, stop)
        polytope_free(&cell)
        raise_for(status, "one cell's vertices do not fit into memory")
        self.borders[before + chunk] = self.star_borders(found, self.sites.domain.volume)

    cdef int from_stars(self, Polytope* cell, Regular3D mesh, Domain3D domain, Rings found,
                        Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
        """Cells of the listed sites start to stop; OK, NO_MEMORY or INTERRUPTED."""
        cdef Py_ssize_t h, own, w, k
        cdef index_t i, j
        cdef int kind
        cdef int e = self.sites.exponent
        cdef double unit = ldexp(1.0, e), unit2 = ldexp(1.0, 2 * e)
        for h in range(start, stop):
            if h % WORK == WORK - 1 and interrupted():
                return INTERRUPTED
            i = self.listed[h]
            kind = cell_from_star(cell, mesh, domain, i, &self.stars[self.star_start[h]],
                                  self.star_start[h + 1] - self.star_start[h], self.tiny[i] != 0)
            if kind == NO_MEMORY:
                return NO_MEMORY
            self.kind[i] = kind
            if kind != REGULAR:
                continue
            own = self.perm[i]
            self.empty_[own] = 0
            self.mass_[own] = cell.volume / domain.volume
            self.cost_[own] = cell.cost / domain.volume * unit2
            for k in range(3):
                self.centroid_[own, k] = (cell.origin[k] + cell.centre[k]) * unit
            if self.sites.boxed:
                self.box_star_cell(own, cell, unit)
            for w in range(cell.n_walls):
                j = cell.wall[w].across
                if j < 0 or j >= mesh.n or not cell.area[w] > 0.0:
                    continue
                # facets between two kept cells are measured by the lower one of them
                if self.kept[j] or self.tiny[j]:
                    if j < i:
                        continue
                elif not self.tiny[i]:
                    continue
                if found.add_border(i, j, cell.area[w]) != OK:
                    return NO_MEMORY
        return OK

    cdef void box_star_cell(self, Py_ssize_t own, const Polytope* cell, double unit) noexcept nogil:
        """Set the box around a cell that was computed from its star."""
        cdef Py_ssize_t v
        cdef int j
        for v in range(cell.n_vertices):
            for j in range(3):
                self.widen_box(own, j, (cell.origin[j] + cell.vertex[v].x[j]) * unit)

    def _dense_chunk(self, Py_ssize_t chunk):
        cdef Py_ssize_t start = chunk * DENSE, stop = min(start + DENSE, self.listed.shape[0])
        cdef Rings found = Rings()
        cdef int status = self.dense_cells(found, None, start, stop)
        raise_for(status, "one cell's vertices do not fit into memory")
        self.borders[chunk] = self.star_borders(found, 1.0)

    cdef int dense_cells(self, Rings found, double[:, ::1] moments, Py_ssize_t start,
                         Py_ssize_t stop):
        """Integrate the density over the listed cells start to stop; a status.

        With `moments` only those of the facets are wanted, one row for each in `found`: about a
        place in its first three columns."""
        cdef Regular3D mesh = self.mesh
        cdef Domain3D domain = self.sites.domain
        cdef Density3D density = self.sites.density
        cdef bint wants_moments = moments is not None
        cdef Measure3D measured
        cdef Polytope cell
        cdef int status
        status = polytope_init(&cell)
        if measure_init(&measured, wants_moments) != OK:
            status = NO_MEMORY
        if status == OK:
            with nogil:
                status = self.integrate(&cell, &measured, mesh, domain, density, found, moments,
                                        start, stop)
        measure_free(&measured)
        polytope_free(&cell)
        return status

    cdef int integrate(self, Polytope* cell, Measure3D* measured, Regular3D mesh, Domain3D domain,
                       Density3D density, Rings found, double[:, ::1] moments, Py_ssize_t start,
                       Py_ssize_t stop) noexcept nogil:
        cdef Py_ssize_t h, own, w, k, row
        cdef index_t i, j
        cdef int kind, status
        cdef int e = self.sites.exponent
        cdef double unit = ldexp(1.0, e), unit2 = ldexp(1.0, 2 * e)
        for h in range(start, stop):
            if interrupted():
                return INTERRUPTED
            i = self.listed[h]
            kind = cell_from_star(cell, mesh, domain, i, &self.stars[self.star_start[h]],
                                  self.star_start[h + 1] - self.star_start[h], False)
            if kind == NO_MEMORY:
                return NO_MEMORY
            if not measured.wants_moments:
                self.kind[i] = kind
            if kind != REGULAR:
                continue
            measured.empty = False
            status = measure_reserve(measured, cell.n_walls)
            if status == OK:
                status = density.integrate(cell, mesh, domain, measured)
            if status != OK:
                return status
            if not measured.wants_moments:
                own = self.perm[i]
                self.empty_[own] = measured.empty
                self.mass_[own] = measured.mass
                self.cost_[own] = measured.cost * unit2
                for k in range(3):
                    self.centroid_[own, k] = (cell.origin[k] + measured.centre[k]) * unit
                if self.sites.boxed:
                    self.box_star_cell(own, cell, unit)
            for w in range(cell.n_walls):
                j = cell.wall[w].across
                if j < 0 or j >= mesh.n or not measured.facet[w] > 0.0:
                    continue
                if measured.wants_moments:
                    row = found.n_borders
                    for k in range(3):
                        moments[row, k] = (cell.origin[k] + cell.vertex[0].x[k]) * unit
                    for k in range(SPREAD):
                        moments[row, 3 + k] = measured.moment[SPREAD * w + k] * (
                            1.0 if k == 0 else unit if k < 4 else unit2)
                if found.add_border(i, j, measured.facet[w]) != OK:
                    return NO_MEMORY
        return OK

    cdef star_borders(self, Rings found, double volume):
        """Pairs and measures of all facets found."""
        cdef Py_ssize_t k
        cdef double scale = ldexp(1.0 / volume, -self.sites.exponent)
        cdef index_t[:, ::1] pairs = np.empty((found.n_borders, 2), dtype=np.int32)
        cdef double[::1] areas = np.empty(found.n_borders)
        for k in range(found.n_borders):
            pairs[k, 0] = self.perm[found.border[k].i]
            pairs[k, 1] = self.perm[found.border[k].j]
            areas[k] = found.border[k].area * scale
        return np.asarray(pairs), np.asarray(areas)

    # ---- facets ----

    @property
    def facets(self):
        """Neighbouring sites i < j, in lexicographic order, and the measures of their borders."""
        if self.facets_ is None:
            pairs = np.concatenate([pairs for pairs, _ in self.borders])
            areas = np.concatenate([areas for _, areas in self.borders])
            self.borders = None
            if self.empty.any():        # cells may touch the domain from outside
                inside = ~self.empty[pairs].any(axis=1)
                pairs, areas = pairs[inside], areas[inside]
            pairs, measures = sort_facets(
                self.sites.n, np.zeros(1, dtype=np.int64),
                np.array([len(areas)], dtype=np.int64), pairs, areas)
            if not self.sites.uniform:
                pairs, measures = of_both_sides(pairs, measures)
            self.facets_ = Facets(pairs, measures, self.sites.given)
        return self.facets_

    def facet_moments(self, *, threads=1):
        """Barycentre (m, 3) and covariance (m, 3, 3) of the points of each facet, in the order of
        `facets`."""
        if self.sites.uniform:
            return moments_of_faces(self.facets, self.cells(threads=threads), self.centroids)
        chunks = (self.listed.shape[0] + DENSE - 1) // DENSE
        parts = [None] * chunks

        def work(chunk):
            parts[chunk] = _facets_of(self, chunk * DENSE,
                                      min((chunk + 1) * DENSE, self.listed.shape[0]))

        run_chunks(work, chunks, threads)
        pairs, moments = (np.concatenate(part) for part in zip(*parts))
        return moments_of_both_sides(self.facets, pairs, moments)

    # ---- geometry ----

    def cells(self, *, threads=1):
        """Polyhedra: corners (V, 3), offsets (n + 1,), face_offsets (F + 1,), indices (m,), labels
        (F,).

        Cell i has the faces offsets[i] to offsets[i + 1]; face f has the corners of
        indices[face_offsets[f]:face_offsets[f + 1]], counter-clockwise from outside; labels[f] is
        what lies across: a site, or -1 - k for the domain's plane k.  Corners closer together than
        a few roundings are one."""
        cdef SpaceSites sites = self.sites
        cdef Py_ssize_t n = sites.n, count = (n + CHUNK - 1) // CHUNK
        parts = [None] * count

        def faces(chunk):
            parts[chunk] = cell_faces(self.mesh, sites.domain, self.kind, chunk * CHUNK,
                                      min((chunk + 1) * CHUNK, n))

        run_chunks(faces, count, threads)
        shift = np.cumsum([0] + [len(part[4]) for part in parts])
        keys = np.concatenate([part[4] for part in parts])
        places = np.ldexp(np.concatenate([part[5] for part in parts]), sites.exponent)
        corners = np.concatenate([part[3] + shift[k] for k, part in enumerate(parts)])
        in_order = Faces(np.concatenate([part[0] for part in parts]),
                         np.concatenate([part[1] for part in parts]),
                         np.concatenate([part[2] for part in parts]), corners)
        planes = np.array(sites.domain.plane[:sites.domain.n])
        planes[:, 3] = np.ldexp(planes[:, 3], sites.exponent)
        return shared_polyhedra(in_order, keys, places, planes, np.asarray(self.perm),
                                np.asarray(self.empty), np.ptp(places, axis=0).max(initial=0.0))

    # ---- the triangulation of all space ----

    cdef Regular3D everywhere(self):
        """The triangulation without the domain: ghosts so low that they hide nothing."""
        if self.everywhere_ is None:
            site = np.array(self.mesh.site)
            set_ghosts(site, deep=True)
            self.everywhere_ = Regular3D(site, self.inserted)
            self.everywhere_.renumber()
        return self.everywhere_

    def simplices(self):
        """Regular triangulation of the sites (k, 4), positively oriented, not clipped."""
        perm = np.asarray(self.perm).astype(np.int64)
        return perm[self.everywhere().tetrahedra()]

    def locate(self, points, *, threads=1):
        """Site whose power distance to each point is least (q,), decided exactly.

        Among sites at the same power distance: the lowest index of those whose cell in space has
        an interior."""
        points = np.ascontiguousarray(points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points must have shape (q, 3), got {points.shape}")
        result = np.empty(len(points), dtype=np.int64)
        with np.errstate(over="ignore"):
            far = np.abs(np.ldexp(points, -self.sites.exponent)).max(axis=1, initial=0.0) > 1.0
        for mesh, which in ((self.mesh, ~far), (self.everywhere() if far.any() else None, far)):
            members = np.flatnonzero(which)
            for first in range(0, len(members), QUERY_BLOCK):
                block = members[first:first + QUERY_BLOCK]
                order = block[hilbert_order(points[block])[0]] if len(block) > 64 else block

                def work(chunk, mesh=mesh, order=order):
                    part = order[chunk * QUERY_CHUNK:(chunk + 1) * QUERY_CHUNK]
                    result[part] = _locate(mesh, self.perm, self.sites.exponent, points[part])

                run_chunks(work, (len(block) + QUERY_CHUNK - 1) // QUERY_CHUNK, threads)
        return result

    def insert(self, points, masses, own=None, *, threads=1):
        """Weights (q, 2), hi + lo, that would give each point alone a cell of about that mass.

        Parameters
        ----------
        points : (q, 3) array
            New sites.
        masses : (q,) array
            Wanted masses, met to a hundredth or so; 0: the weight at which the point's cell would
            appear.
        own : (q,) array of int, optional
            The site of this diagram that each point replaces.
        """
        cdef index_t start
        points = np.ldexp(np.ascontiguousarray(points, dtype=np.float64), -self.sites.exponent)
        count = len(points)
        weights = np.empty((count, 2))
        if count == 0:
            return weights
        volumes = np.asarray(masses, dtype=np.float64) * self.sites.domain.volume
        replaced = np.full(count, -1, dtype=np.int32)
        if own is not None:
            rank = np.empty(self.sites.n, dtype=np.int32)
            rank[np.asarray(self.perm)] = np.arange(self.sites.n, dtype=np.int32)
            replaced[:] = rank[np.asarray(own)]
        order = hilbert_order(points)[0] if count > 1 else np.arange(1)
        start = <index_t> np.flatnonzero(np.asarray(self.kind) == REGULAR)[0]

        def work(chunk):
            part = order[chunk * QUERY_CHUNK : (chunk + 1) * QUERY_CHUNK]
            weights[part] = _insert(self, points[part], replaced[part], volumes[part], start)

        run_chunks(work, (count + QUERY_CHUNK - 1) // QUERY_CHUNK, threads)
        return np.ldexp(weights, 2 * self.sites.exponent)


def _facets_of(SpaceDiagram diagram, Py_ssize_t start, Py_ssize_t stop):
    """Facets of the listed cells as each cell sees them: pairs, and rows of moments."""
    cdef Rings found = Rings()
    cdef Py_ssize_t room = diagram.star_start[stop] - diagram.star_start[start]
    # a cell has fewer walls than its star has tetrahedra
    cdef double[:, ::1] moments = np.empty((room, 3 + SPREAD))
    cdef int status = diagram.dense_cells(found, moments, start, stop)
    raise_for(status, "one cell's vertices do not fit into memory")
    pairs, _ = diagram.star_borders(found, 1.0)
    return np.sort(pairs, axis=1), np.asarray(moments)[:len(pairs)]


def _insert(SpaceDiagram diagram, const double[:, ::1] points, const index_t[::1] own,
            const double[::1] volumes, index_t start):
    cdef double[:, ::1] weights = np.empty((points.shape[0], 2))
    cdef Regular3D mesh = diagram.mesh
    cdef Domain3D domain = diagram.sites.domain
    cdef Density3D density = diagram.sites.density
    cdef const uint8_t[::1] kind = diagram.kind
    cdef int status
    with nogil:
        status = insert_sites(mesh, domain, density, kind, points, own, volumes, start, weights)
    raise_for(status, "one cell's vertices do not fit into memory")
    return np.asarray(weights)


def _locate(Regular3D mesh, const index_t[::1] perm, int exponent, const double[:, ::1] points):
    cdef int64_t[::1] out = np.empty(points.shape[0], dtype=np.int64)
    locate_points(mesh, perm, points, exponent, out)
    return np.asarray(out)
