"""Regular triangulation of weighted sites in space, by incremental insertion.

The triangulation is the projected lower hull of the lifted sites (y, |y|^2 - w).  A site is
inserted by walking to the tetrahedron that holds it, collecting those whose lifted plane passes
strictly above the lifted site (the conflict zone, star-shaped around the site), and joining the
site to the boundary of that zone (Bowyer 1981; Watson 1981; Edelsbrunner and Shah 1996 for
weights).

Four ghost sites of low weight enclose everything.  There is no vertex at infinity, every star is
closed, and few, collinear or coplanar sites need no case of their own.

Ties need no perturbation: two tetrahedra agree about the plane of their common facet, so that a
facet of the zone's boundary is never coplanar with the new site, and strict conflict makes the zone
star-shaped.  A site on the hull without being a corner of it is either hidden or has a cell without
interior, which `cells` finds; the caller then builds once more without it.

Every tetrahedron stores its lifted plane about the last vertex, so that a conflict costs one
scalar product; the filter's error is relative to two magnitudes beside it.

The order of insertion is given (biased randomised rounds along a space-filling curve: Amenta,
Choi, Rote 2003): O(n log n) expected on benign input, O(n^2) in the worst case, as the result is.
"""

import numpy as np

from libc.math cimport fabs
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from geomot._core.interrupt cimport interrupted, raise_for
from geomot._core.order cimport mix
from geomot._core.space.predicates cimport (
    STORED_BOUND, Arena, arena_free, arena_init, lifted_row, orient3, power3)
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
from geomot._core.types cimport index_t

cdef enum:
    PERIOD = 4096               # insertions between two looks for Ctrl-C (about 10 ms)
    LARGE_ZONE = 32768          # tetrahedra of one zone between two looks
    TETS = 1048576              # tetrahedra that are only passed, between two looks
    ROW = 6                     # difference, lifted height, what bounds its terms, largest part
    FEW = 128                   # vertices of a zone whose edges fit into the table
    MOST_TETS = 536870911       # numbers of facets have 32 bits
    LINE = 64                   # bytes of a cache line

FACET[0][:] = [3, 2, 1]
FACET[1][:] = [0, 2, 3]
FACET[2][:] = [1, 0, 3]
FACET[3][:] = [0, 1, 2]

# The corners of a simplex around [-1, 1]^3, and how far below the heaviest site they weigh: no
# point of the cube has the power distance to a ghost that it has to that site.
GHOSTS = np.array([[20.0, -4.0, -4.0], [-4.0, -4.0, -4.0], [-4.0, 20.0, -4.0], [-4.0, -4.0, 20.0]])
GHOST_DEPTH = 32.0
DEEP = 2.0**200
DEEPEST = 2.0**900


# ---- scratch ----

cdef inline int grow(void** block, size_t size) noexcept nogil:
    cdef void* p = realloc(block[0], size)
    if p == NULL:
        return NO_MEMORY
    block[0] = p
    return OK


cdef int zone_init(Zone* zone, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    zone.tets = NULL
    zone.boundary = NULL
    zone.room = 0
    zone.verts = NULL
    zone.rows = NULL
    zone.hash = NULL
    zone.hash_room = 0
    zone.spare = NULL
    zone.n_spare = 0
    zone.spare_room = 0
    zone.number = <index_t*> malloc(<size_t> (n + 4) * sizeof(index_t))
    zone.table = <index_t*> malloc(FEW * FEW * sizeof(index_t))
    if arena_init(&zone.arena) != 0 or zone.number == NULL or zone.table == NULL:
        return NO_MEMORY
    for k in range(n + 4):
        zone.number[k] = -1
    return zone_reserve(zone, 256)


cdef void zone_free(Zone* zone) noexcept nogil:
    free(zone.tets)
    free(zone.boundary)
    free(zone.verts)
    free(zone.rows)
    free(zone.number)
    free(zone.table)
    free(zone.hash)
    free(zone.spare)
    arena_free(&zone.arena)


cdef int zone_reserve(Zone* zone, Py_ssize_t tets) noexcept nogil:
    """Room for a zone of that many tetrahedra, whose boundary has up to three times as many and
    one facet; OK or NO_MEMORY."""
    cdef size_t n
    if tets <= zone.room:
        return OK
    n = <size_t> (2 * tets)
    if (grow(<void**> &zone.tets, (3 * n + 8) * sizeof(index_t)) != OK
            or grow(<void**> &zone.boundary, (3 * n + 8) * sizeof(Facet)) != OK
            or grow(<void**> &zone.verts, (2 * n + 8) * sizeof(index_t)) != OK
            or grow(<void**> &zone.rows, (2 * n + 8) * ROW * sizeof(double)) != OK):
        return NO_MEMORY
    zone.room = 2 * tets
    return OK


cdef inline int put_aside(Zone* zone, index_t t) noexcept nogil:
    """Keep a free slot for later; OK or NO_MEMORY."""
    if zone.n_spare == zone.spare_room:
        if grow(<void**> &zone.spare,
                (2 * <size_t> zone.spare_room + 1024) * sizeof(index_t)) != OK:
            return NO_MEMORY
        zone.spare_room = 2 * zone.spare_room + 1024
    zone.spare[zone.n_spare] = t
    zone.n_spare += 1
    return OK


# ---- directed edges of a zone's boundary ----

cdef int open_table(Zone* zone) noexcept nogil:
    """Make ready for the edges of the boundary; OK or NO_MEMORY."""
    cdef Py_ssize_t size = 1024, k
    if zone.n_verts <= FEW:
        return OK                       # what is read has been written before
    while size < 6 * zone.n_boundary:
        size *= 2
    if size > zone.hash_room:
        if grow(<void**> &zone.hash, <size_t> size * sizeof(Slot)) != OK:
            return NO_MEMORY
    zone.hash_room = size
    for k in range(size):
        zone.hash[k].key = -1
    return OK


cdef inline Slot* slot_of(Zone* zone, index_t u, index_t v) noexcept nogil:
    cdef long long key = <long long> u * zone.n_verts + v
    cdef Py_ssize_t h = <Py_ssize_t> (mix(<unsigned long long> key) & (zone.hash_room - 1))
    while zone.hash[h].key != key and zone.hash[h].key >= 0:
        h = (h + 1) & (zone.hash_room - 1)
    zone.hash[h].key = key
    return &zone.hash[h]


cdef inline void put(Zone* zone, index_t u, index_t v, index_t value) noexcept nogil:
    if zone.n_verts <= FEW:
        zone.table[u * FEW + v] = value
    else:
        slot_of(zone, u, v).value = value


cdef inline index_t get(Zone* zone, index_t u, index_t v) noexcept nogil:
    if zone.n_verts <= FEW:
        return zone.table[u * FEW + v]
    return slot_of(zone, u, v).value


# ---- planes ----

cdef inline void set_row(const double* v, const double* o, double* row) noexcept nogil:
    row[4] = lifted_row(v, o, row)
    row[5] = max(fabs(row[0]), max(fabs(row[1]), fabs(row[2])))


cdef inline void set_plane(Tet* tet, double* size, const double* a, const double* b,
                           const double* c) noexcept nogil:
    """The lifted plane of three rows about the fourth vertex, and the magnitudes of its error."""
    cdef double u0 = b[1] * c[2] - b[2] * c[1]
    cdef double u1 = b[2] * c[0] - b[0] * c[2]
    cdef double u2 = b[0] * c[1] - b[1] * c[0]
    cdef double v0 = c[1] * a[2] - c[2] * a[1]
    cdef double v1 = c[2] * a[0] - c[0] * a[2]
    cdef double v2 = c[0] * a[1] - c[1] * a[0]
    cdef double w0 = a[1] * b[2] - a[2] * b[1]
    cdef double w1 = a[2] * b[0] - a[0] * b[2]
    cdef double w2 = a[0] * b[1] - a[1] * b[0]
    cdef double m = max(a[5], max(b[5], c[5])), lifted = max(a[4], max(b[4], c[4]))
    tet.plane[0] = -(a[3] * u0 + b[3] * v0 + c[3] * w0)
    tet.plane[1] = -(a[3] * u1 + b[3] * v1 + c[3] * w1)
    tet.plane[2] = -(a[3] * u2 + b[3] * v2 + c[3] * w2)
    tet.plane[3] = a[0] * u0 + a[1] * u1 + a[2] * u2
    size[0] = m * m * lifted
    size[1] = m * m * m


# ---- the triangulation ----

cdef class Regular3D:
    """Regular triangulation of sites (n + 4, 5): x, y, z and the weight as hi + lo.

    Parameters
    ----------
    site : (n + 4, 5) array
        Points in [-1, 1]^3 along a space-filling curve, no two of `order` at one place, and the
        four ghosts (see `enclosed`).
    order : (m,) array of int32
        The sites to insert, in this order.
    """

    def __init__(self, const double[:, ::1] site, const index_t[::1] order):
        self.n = site.shape[0] - 4
        self.site = site
        self.s = &site[0, 0]
        self.build(order)

    def __dealloc__(self):
        free(self.block)
        free(self.size)
        free(self.mark)

    cdef int build(self, const index_t[::1] order) except -1:
        cdef int status
        self.incident = np.full(self.n + 4, -1, dtype=np.int32)
        self.sorted = False
        self.slots = 0
        # 6.8 a site where sites are scattered, and more room where they are not
        status = self.reserve(<Py_ssize_t> (6.9 * order.shape[0]) + 64)
        if status == OK:
            with nogil:
                status = self.insert_all(order)
        raise_for(status, "the triangulation does not fit into memory")
        return 0

    cdef int reserve(self, Py_ssize_t room) noexcept nogil:
        """Room for that many tetrahedra; OK or NO_MEMORY."""
        cdef void* block
        cdef Tet* tets
        if room <= self.room:
            return OK
        if room > MOST_TETS:
            return NO_MEMORY
        block = malloc(<size_t> room * sizeof(Tet) + LINE)
        if block == NULL:
            return NO_MEMORY
        tets = <Tet*> ((<uintptr_t> block + LINE - 1) & ~<uintptr_t> (LINE - 1))
        if self.slots > 0:
            memcpy(tets, self.tet, <size_t> self.slots * sizeof(Tet))
        free(self.block)
        self.block = block
        self.tet = tets
        if (grow(<void**> &self.size, 2 * <size_t> room * sizeof(double)) != OK
                or grow(<void**> &self.mark, <size_t> room * sizeof(index_t)) != OK):
            return NO_MEMORY
        self.room = room
        return OK

    cdef int insert_all(self, const index_t[::1] order) noexcept nogil:
        """Insert the sites one by one; OK, NO_MEMORY or INTERRUPTED."""
        cdef Py_ssize_t k
        cdef index_t p, t, last = 0
        cdef Zone zone
        cdef int status = zone_init(&zone, self.n)
        cdef double[3][ROW] rows
        if status == OK:
            # the ghosts are in positive order
            for k in range(4):
                self.tet[0].vert[k] = <index_t> (self.n + k)
                self.tet[0].adj[k] = -1
            for k in range(3):
                set_row(self.s + 5 * (self.n + k), self.s + 5 * (self.n + 3), rows[k])
            set_plane(&self.tet[0], self.size, rows[0], rows[1], rows[2])
            self.mark[0] = 0
            self.slots = 1
            for k in range(order.shape[0]):
                if k % PERIOD == PERIOD - 1 and interrupted():
                    status = INTERRUPTED
                    break
                p = order[k]
                t = self.walk(&zone.arena, last, self.s + 5 * <Py_ssize_t> p)
                last = t
                if not self.conflict(&zone.arena, t, self.s + 5 * <Py_ssize_t> p):
                    continue            # hidden
                status = self.collect(self.s + 5 * <Py_ssize_t> p, t, <index_t> (k + 1), &zone)
                if status == OK:
                    status = self.fill(p, &zone, &last)
                if status != OK:
                    break
        if status == OK:
            for k in range(zone.n_spare):
                self.tet[zone.spare[k]].vert[0] = -1
        zone_free(&zone)
        return status

    cdef bint conflict(self, Arena* arena, index_t t, const double* q) noexcept nogil:
        """Does the lifted q lie strictly below the plane of tetrahedron t?"""
        cdef Tet* tet = &self.tet[t]
        cdef const double* p = tet.plane
        cdef const double* o = self.s + 5 * <Py_ssize_t> tet.vert[3]
        cdef double x = q[0] - o[0], y = q[1] - o[1], z = q[2] - o[2]
        cdef double hi = q[3] - o[3], lo = q[4] - o[4]
        cdef double square = x * x + y * y + z * z
        cdef double value = p[0] * x + p[1] * y + p[2] * z + p[3] * (square - (hi + lo))
        cdef double bound = STORED_BOUND * (
            self.size[2 * <Py_ssize_t> t] * (fabs(x) + fabs(y) + fabs(z))
            + self.size[2 * <Py_ssize_t> t + 1] * (square + (fabs(hi) + fabs(lo))))
        if value > bound:
            return False
        if value < -bound:
            return True
        return power3(arena, self.s + 5 * <Py_ssize_t> tet.vert[0],
                      self.s + 5 * <Py_ssize_t> tet.vert[1],
                      self.s + 5 * <Py_ssize_t> tet.vert[2], o, q) > 0

    cdef index_t walk(self, Arena* arena, index_t t, const double* q) noexcept nogil:
        """A tetrahedron that holds q, which is inside the ghosts' simplex, from t.

        The visibility walk ends because visibility is acyclic in a regular triangulation
        (Edelsbrunner 1990)."""
        cdef index_t came_from = -1, neighbour
        cdef const Tet* tet
        cdef const double* s = self.s
        cdef int k
        cdef bint moved = True
        while moved:
            moved = False
            tet = &self.tet[t]
            for k in range(4):
                neighbour = tet.adj[k]
                if neighbour < 0 or neighbour >> 2 == came_from:
                    continue
                if orient3(arena, s + 5 * <Py_ssize_t> tet.vert[FACET[k][0]],
                           s + 5 * <Py_ssize_t> tet.vert[FACET[k][1]],
                           s + 5 * <Py_ssize_t> tet.vert[FACET[k][2]], q) < 0:
                    came_from = t
                    t = neighbour >> 2
                    moved = True
                    break
        return t

    cdef int collect(self, const double* q, index_t t, index_t stamp, Zone* zone) noexcept nogil:
        """Conflict zone of q from its tetrahedron t, breadth first, and its boundary; OK,
        NO_MEMORY or INTERRUPTED."""
        cdef Py_ssize_t h = 0
        cdef index_t facet, u
        cdef const Tet* tet
        cdef Facet* out
        cdef int k
        zone.n_tets = 1
        zone.n_boundary = 0
        zone.tets[0] = t
        self.mark[t] = stamp
        while h < zone.n_tets:
            if h % LARGE_ZONE == LARGE_ZONE - 1 and interrupted():
                return INTERRUPTED
            if zone_reserve(zone, zone.n_tets + 4) != OK:
                return NO_MEMORY
            tet = &self.tet[zone.tets[h]]
            h += 1
            for k in range(4):
                facet = tet.adj[k]
                if facet >= 0:
                    u = facet >> 2
                    if self.mark[u] == stamp:
                        continue
                    if self.mark[u] != -stamp:
                        if self.conflict(&zone.arena, u, q):
                            self.mark[u] = stamp
                            zone.tets[zone.n_tets] = u
                            zone.n_tets += 1
                            continue
                        self.mark[u] = -stamp
                out = &zone.boundary[zone.n_boundary]
                zone.n_boundary += 1
                out.a = tet.vert[FACET[k][0]]
                out.b = tet.vert[FACET[k][1]]
                out.c = tet.vert[FACET[k][2]]
                out.outer = facet
        return OK

    cdef int fill(self, index_t p, Zone* zone, index_t* last) noexcept nogil:
        """Replace the zone by the tetrahedra that join p to its boundary, `last` one of them; OK
        or NO_MEMORY."""
        cdef Py_ssize_t m = zone.n_boundary, j
        cdef const double* q = self.s + 5 * <Py_ssize_t> p
        cdef index_t t
        cdef Facet* f
        cdef Tet* tet
        number_vertices(self.s, q, zone)
        if open_table(zone) != OK or self.slots + m > MOST_TETS:
            return NO_MEMORY
        if self.slots + m > self.room:
            if self.reserve(min(self.slots + m + self.room // 4, MOST_TETS)) != OK:
                return NO_MEMORY
        # The zone's own slots come first; slots left over wait for a later insertion.
        for j in range(zone.n_tets, m):
            if zone.n_spare > 0:
                zone.n_spare -= 1
                t = zone.spare[zone.n_spare]
            else:
                t = <index_t> self.slots
                self.slots += 1
                self.mark[t] = 0
            zone.tets[j] = t
        for j in range(m, zone.n_tets):
            if put_aside(zone, zone.tets[j]) != OK:
                return NO_MEMORY
        for j in range(m):
            f = &zone.boundary[j]
            t = zone.tets[j]
            tet = &self.tet[t]
            tet.vert[0] = f.a
            tet.vert[1] = f.b
            tet.vert[2] = f.c
            tet.vert[3] = p
            tet.adj[3] = f.outer
            if f.outer >= 0:
                self.tet[f.outer >> 2].adj[f.outer & 3] = 4 * t + 3
            f.a = zone.number[f.a]
            f.b = zone.number[f.b]
            f.c = zone.number[f.c]
            put(zone, f.b, f.c, 4 * t)
            put(zone, f.c, f.a, 4 * t + 1)
            put(zone, f.a, f.b, 4 * t + 2)
            set_plane(tet, &self.size[2 * <Py_ssize_t> t], &zone.rows[ROW * <Py_ssize_t> f.a],
                      &zone.rows[ROW * <Py_ssize_t> f.b], &zone.rows[ROW * <Py_ssize_t> f.c])
        for j in range(m):
            f = &zone.boundary[j]
            tet = &self.tet[zone.tets[j]]
            tet.adj[0] = get(zone, f.c, f.b)
            tet.adj[1] = get(zone, f.a, f.c)
            tet.adj[2] = get(zone, f.b, f.a)
        for j in range(zone.n_verts):
            zone.number[zone.verts[j]] = -1
        last[0] = zone.tets[0]
        return OK

    # ---- order ----

    def renumber(self):
        """Sort the tetrahedra by their least vertex, in place: neighbours come close in memory.

        Sites follow a curve.  Planes lose their error bounds: no site can be inserted any more."""
        cdef index_t[::1] to = np.empty(self.slots, dtype=np.int32)
        cdef int status
        if self.sorted:
            return
        free(self.size)
        free(self.mark)
        self.size = NULL
        self.mark = NULL
        self.start = np.zeros(self.n + 5, dtype=np.int32)
        with nogil:
            status = self.sort_tets(to)
        raise_for(status, "")
        self.sorted = True

    cdef int sort_tets(self, index_t[::1] to) noexcept nogil:
        """Counting sort; `to` is scratch.  OK or INTERRUPTED."""
        cdef Py_ssize_t t, live = 0
        cdef index_t v, place, at = 0
        cdef Tet moved
        cdef Tet* tet
        cdef int k
        for t in range(self.slots):
            if t % TETS == TETS - 1 and interrupted():
                return INTERRUPTED
            if self.tet[t].vert[0] >= 0:
                self.start[least_vertex(&self.tet[t]) + 1] += 1
                live += 1
        for t in range(self.n + 4):
            self.start[t + 1] += self.start[t]
        at = <index_t> live
        for t in range(self.slots):
            if self.tet[t].vert[0] >= 0:
                v = least_vertex(&self.tet[t])
                to[t] = self.start[v]
                self.start[v] += 1
            else:
                to[t] = at
                at += 1
        for t in range(self.n + 4, 0, -1):      # each start has moved to the next one
            self.start[t] = self.start[t - 1]
        self.start[0] = 0
        for t in range(self.slots):
            if t % TETS == TETS - 1 and interrupted():
                return INTERRUPTED
            tet = &self.tet[t]
            if tet.vert[0] >= 0:
                for k in range(4):
                    if tet.adj[k] >= 0:
                        tet.adj[k] = 4 * to[tet.adj[k] >> 2] + (tet.adj[k] & 3)
        for t in range(self.slots):
            if t % TETS == TETS - 1 and interrupted():
                return INTERRUPTED
            while to[t] != t:
                place = to[t]
                moved = self.tet[place]
                self.tet[place] = self.tet[t]
                self.tet[t] = moved
                to[t] = to[place]
                to[place] = place
        self.slots = live
        for t in range(live - 1, -1, -1):
            for k in range(4):
                self.incident[self.tet[t].vert[k]] = <index_t> t
        return OK

    # ---- for Python ----

    def tetrahedra(self, bint ghosts=False):
        """Tetrahedra (k, 4), positively oriented, as numbers of sites; ghosts are n to n + 3."""
        cdef Py_ssize_t t, at = 0
        cdef const Tet* tet
        cdef int k
        cdef index_t[:, ::1] out = np.empty((self.slots, 4), dtype=np.int32)
        for t in range(self.slots):
            tet = &self.tet[t]
            if tet.vert[0] < 0 or (not ghosts and has_ghost(tet, self.n)):
                continue
            for k in range(4):
                out[at, k] = tet.vert[k]
            at += 1
        return np.asarray(out)[:at]

    def faults(self, const index_t[::1] order):
        """What is wrong, in words: every sign is decided again, exactly.

        Every facet must be shared by two tetrahedra in positive order, none of them in conflict
        with the other's far vertex; every site of `order` in no tetrahedron must be hidden."""
        cdef Py_ssize_t t, live = 0
        cdef const Tet* tet
        cdef const Tet* other
        cdef int k, j
        cdef index_t p, facet
        cdef const double* s = self.s
        cdef Arena arena
        cdef bint[::1] seen = np.zeros(self.n + 4, dtype=np.int32)
        found = []
        if arena_init(&arena) != OK:
            raise MemoryError
        last = -1
        for t in range(self.slots):
            tet = &self.tet[t]
            if tet.vert[0] < 0:
                continue
            live += 1
            last = t
            for k in range(4):
                seen[tet.vert[k]] = True
            if orient3(&arena, s + 5 * <Py_ssize_t> tet.vert[0], s + 5 * <Py_ssize_t> tet.vert[1],
                       s + 5 * <Py_ssize_t> tet.vert[2], s + 5 * <Py_ssize_t> tet.vert[3]) <= 0:
                found.append(f"tetrahedron {t} is not positive")
            for k in range(4):
                facet = tet.adj[k]
                if facet < 0:
                    for j in range(3):
                        if tet.vert[FACET[k][j]] < self.n:
                            found.append(f"facet {k} of {t} has no other side")
                    continue
                other = &self.tet[facet >> 2]
                if other.vert[0] < 0 or other.adj[facet & 3] != 4 * t + k:
                    found.append(f"facet {k} of {t} and {facet & 3} of {facet >> 2} disagree")
                    continue
                shared = {tet.vert[FACET[k][j]] for j in range(3)}
                if shared != {other.vert[FACET[facet & 3][j]] for j in range(3)}:
                    found.append(f"facet {k} of {t} and {facet & 3} of {facet >> 2} differ")
                p = other.vert[facet & 3]
                if power3(&arena, s + 5 * <Py_ssize_t> tet.vert[0],
                          s + 5 * <Py_ssize_t> tet.vert[1], s + 5 * <Py_ssize_t> tet.vert[2],
                          s + 5 * <Py_ssize_t> tet.vert[3], s + 5 * <Py_ssize_t> p) > 0:
                    found.append(f"facet {k} of {t} is not regular")
        for t in range(order.shape[0]):
            p = order[t]
            if not seen[p]:
                last = self.walk(&arena, last, s + 5 * <Py_ssize_t> p)
                tet = &self.tet[<index_t> last]
                if power3(&arena, s + 5 * <Py_ssize_t> tet.vert[0],
                          s + 5 * <Py_ssize_t> tet.vert[1], s + 5 * <Py_ssize_t> tet.vert[2],
                          s + 5 * <Py_ssize_t> tet.vert[3], s + 5 * <Py_ssize_t> p) > 0:
                    found.append(f"site {p} is in no tetrahedron, but not hidden")
        arena_free(&arena)
        return found


cdef inline index_t least_vertex(const Tet* tet) noexcept nogil:
    return min(min(tet.vert[0], tet.vert[1]), min(tet.vert[2], tet.vert[3]))


cdef inline bint has_ghost(const Tet* tet, Py_ssize_t n) noexcept nogil:
    return max(max(tet.vert[0], tet.vert[1]), max(tet.vert[2], tet.vert[3])) >= n


cdef void number_vertices(const double* s, const double* q, Zone* zone) noexcept nogil:
    """Number the vertices of the boundary, with their rows about q."""
    cdef Py_ssize_t j
    cdef int k
    cdef index_t[3] corner
    cdef const Facet* f
    zone.n_verts = 0
    for j in range(zone.n_boundary):
        f = &zone.boundary[j]
        corner[0] = f.a
        corner[1] = f.b
        corner[2] = f.c
        for k in range(3):
            if zone.number[corner[k]] < 0:
                zone.number[corner[k]] = <index_t> zone.n_verts
                zone.verts[zone.n_verts] = corner[k]
                set_row(s + 5 * <Py_ssize_t> corner[k], q, &zone.rows[ROW * zone.n_verts])
                zone.n_verts += 1


def enclosed(const double[:, ::1] points, weight=0.0):
    """Sites (n + 4, 5) of points in [-1, 1]^3 with equal weights, and the ghosts around them."""
    n = len(points)
    site = np.zeros((n + 4, 5))
    site[:n, :3] = points
    site[n:, :3] = GHOSTS
    site[:n, 3] = weight
    set_ghosts(site)
    return site


def set_ghosts(site, deep=False):
    """Set the ghosts' weights for the weights of the sites (n + 4, 5).

    `deep`: so low that ghosts hide nothing, in the whole space, that determinants of doubles do not
    put beyond 2^200 times all coordinates and weights; many more signs need exact arithmetic."""
    weights = site[:-4, 3]
    if deep:
        size = max(1.0, float(np.abs(weights).max(initial=0.0)))
        site[-4:, 3] = -min(DEEP * size, DEEPEST)
    elif len(weights):
        site[-4:, 3] = weights.max() - GHOST_DEPTH
    site[-4:, 4] = 0.0
