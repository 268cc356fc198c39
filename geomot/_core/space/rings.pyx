"""Facets of cells inside the domain, each the ring of power centres around an edge.

An edge of the triangulation is met in all tetrahedra around it; it belongs to the one with the
least number, so that every facet is measured once, whatever chunk of tetrahedra a thread is at.
The pyramids over it go to both cells.  Those to cells of later chunks are kept and added when all
chunks are done, in order: sums do not depend on the number of threads.

Facets whose area rounding may have made up are decided exactly: the corners of one that is not
there all lie on the plane of one of its neighbours.
"""

from libc.math cimport sqrt
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc

from geomot._core.interrupt cimport interrupted
from geomot._core.space.cells cimport (
    Moments, Share, add_pyramid, place_of_sites, set_moments)
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.predicates cimport Arena, arena_free, arena_init, power3
from geomot._core.space.regular cimport Regular3D, Tet, corner_of
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
from geomot._core.types cimport index_t

cdef enum:
    WORK = 65536            # tetrahedra between two looks for Ctrl-C (a few ms)

# Areas below this share of the domain's squared diameter are decided exactly.
cdef double NARROW = 2.0**-36
# Errors of their corners, relative to the diameter: finer places are exact ones, rounded.
cdef double FINEST = 2.0**-80

# The six edges, and the other two vertices.
cdef int[6][4] EDGE
EDGE[0][:] = [0, 1, 2, 3]
EDGE[1][:] = [0, 2, 3, 1]
EDGE[2][:] = [0, 3, 1, 2]
EDGE[3][:] = [1, 2, 0, 3]
EDGE[4][:] = [1, 3, 2, 0]
EDGE[5][:] = [2, 3, 0, 1]


cdef struct Ring:
    # around one edge
    double* corner          # (room, 3) power centres
    index_t* tet
    index_t* kept           # the vertex between a tetrahedron and the next
    Py_ssize_t room
    Py_ssize_t size


cdef inline int grow(void** block, size_t size) noexcept nogil:
    cdef void* p = realloc(block[0], size)
    if p == NULL:
        return NO_MEMORY
    block[0] = p
    return OK


cdef int ring_reserve(Ring* ring, Py_ssize_t room) noexcept nogil:
    cdef size_t n = <size_t> (2 * room)
    if (grow(<void**> &ring.corner, 3 * n * sizeof(double)) != OK
            or grow(<void**> &ring.tet, n * sizeof(index_t)) != OK
            or grow(<void**> &ring.kept, n * sizeof(index_t)) != OK):
        return NO_MEMORY
    ring.room = 2 * room
    return OK


cdef int turn(const Tet* tets, index_t t, const int* edge, Ring* ring) noexcept nogil:
    """Walk around an edge of tetrahedron t: 1 if it is its own, 0 where a lower number is met;
    NO_MEMORY."""
    cdef const Tet* tet = &tets[t]
    cdef index_t i = tet.vert[edge[0]], j = tet.vert[edge[1]], cur = t, kept, facet
    cdef int leave = edge[2], other
    cdef Py_ssize_t m = 0
    if tet.adj[leave] >> 2 < t or tet.adj[edge[3]] >> 2 < t:
        return 0
    while True:
        other = 6 - corner_of(tet, i) - corner_of(tet, j) - leave
        kept = tet.vert[other]
        if m == ring.room and ring_reserve(ring, m) != OK:
            return NO_MEMORY
        ring.corner[3 * m] = tet.plane[0]
        ring.corner[3 * m + 1] = tet.plane[1]
        ring.corner[3 * m + 2] = tet.plane[2]
        ring.tet[m] = cur
        ring.kept[m] = kept
        m += 1
        facet = tet.adj[leave]
        cur = facet >> 2
        if cur <= t:
            ring.size = m
            return cur == t
        tet = &tets[cur]
        leave = corner_of(tet, kept)    # the vertex kept is the next to be left behind


cdef bint is_line(Regular3D mesh, Arena* arena, const Ring* ring) noexcept nogil:
    """Do all corners of the facet lie on the plane of one of its neighbours?"""
    cdef Py_ssize_t k, h
    cdef const Tet* tet
    cdef const double* s = mesh.s
    cdef index_t site
    cdef bint on
    for k in range(ring.size):
        site = ring.kept[k]
        on = True
        for h in range(ring.size):
            tet = &mesh.tet[ring.tet[h]]
            if (tet.vert[0] != site and tet.vert[1] != site and tet.vert[2] != site
                    and tet.vert[3] != site
                    and power3(arena, s + 5 * <Py_ssize_t> tet.vert[0],
                               s + 5 * <Py_ssize_t> tet.vert[1],
                               s + 5 * <Py_ssize_t> tet.vert[2],
                               s + 5 * <Py_ssize_t> tet.vert[3],
                               s + 5 * <Py_ssize_t> site) != 0):
                on = False
                break
        if on:
            return True
    return False


cdef double narrow_area(Regular3D mesh, Domain3D domain, Arena* arena, Ring* ring,
                        const double* unit) noexcept nogil:
    """Area of a facet that is there but narrow, from places about its first corner."""
    cdef double[3] origin
    cdef Moments facet
    cdef const Tet* tet
    cdef Py_ssize_t h
    cdef int k
    for k in range(3):
        origin[k] = domain.centre[k] + ring.corner[k]
    for h in range(ring.size):
        tet = &mesh.tet[ring.tet[h]]
        place_of_sites(mesh.s, tet.vert[3], tet.vert[0], tet.vert[1], tet.vert[2], origin,
                       FINEST * domain.diameter, arena, &ring.corner[3 * h])
    set_moments(ring.corner, ring.size, unit, &facet)
    return max(facet.area, 1e-300)


cdef class Rings:
    """Facets of the edges that belong to a range of tetrahedra."""

    def __dealloc__(self):
        free(self.border)
        free(self.late)

    cdef int add_border(self, index_t i, index_t j, double area) noexcept nogil:
        if self.n_borders == self.borders_room:
            if grow(<void**> &self.border,
                    (2 * <size_t> self.borders_room + 1024) * sizeof(Border)) != OK:
                return NO_MEMORY
            self.borders_room = 2 * self.borders_room + 1024
        self.border[self.n_borders].i = min(i, j)
        self.border[self.n_borders].j = max(i, j)
        self.border[self.n_borders].area = area
        self.n_borders += 1
        return OK

    cdef int add(self, Regular3D mesh, Share* shares, index_t site, Py_ssize_t stop,
                 const Share* share) noexcept nogil:
        """Add a pyramid to a cell of this chunk, or keep it for a later one."""
        cdef Share* sum_
        if site < stop:
            sum_ = &shares[site]
            sum_.volume += share.volume
            sum_.first[0] += share.first[0]
            sum_.first[1] += share.first[1]
            sum_.first[2] += share.first[2]
            sum_.second += share.second
            return OK
        if self.n_late == self.late_room:
            if grow(<void**> &self.late,
                    (2 * <size_t> self.late_room + 1024) * sizeof(Late)) != OK:
                return NO_MEMORY
            self.late_room = 2 * self.late_room + 1024
        self.late[self.n_late].site = site
        self.late[self.n_late].share = share[0]
        self.n_late += 1
        return OK

    cdef void settle(self, Share* shares) noexcept nogil:
        """Add what was kept."""
        cdef Py_ssize_t k
        cdef int j
        cdef Share* sum_
        for k in range(self.n_late):
            sum_ = &shares[self.late[k].site]
            sum_.volume += self.late[k].share.volume
            for j in range(3):
                sum_.first[j] += self.late[k].share.first[j]
            sum_.second += self.late[k].share.second
        free(self.late)
        self.late = NULL
        self.n_late = self.late_room = 0

    cdef int measure(self, Regular3D mesh, Domain3D domain, const uint8_t* kept, Share* shares,
                     Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
        """Measure the facets whose tetrahedra have their least vertex in start to stop, but for
        those between two cells that are `kept` for later; OK, NO_MEMORY or INTERRUPTED."""
        cdef Py_ssize_t t, n = mesh.n, first = mesh.start[start], work = 0
        cdef int e, k, own, status = OK
        cdef index_t i, j
        cdef const double* p
        cdef const double* q
        cdef double[3] unit
        cdef double length
        cdef double narrow = NARROW * domain.diameter * domain.diameter
        cdef const Tet* tet
        cdef Moments facet
        cdef Share share
        cdef Ring ring
        cdef Arena arena
        ring.corner = NULL
        ring.tet = NULL
        ring.kept = NULL
        ring.room = 0
        if arena_init(&arena) != OK or ring_reserve(&ring, 32) != OK:
            status = NO_MEMORY
        for t in range(first, mesh.start[stop]):
            if status != OK:
                break
            tet = &mesh.tet[t]
            work += 1
            if work > WORK:
                work = 0
                if interrupted():
                    status = INTERRUPTED
                    break
            for e in range(6):
                i = tet.vert[EDGE[e][0]]
                j = tet.vert[EDGE[e][1]]
                if i >= n or j >= n or (kept[i] and kept[j]):
                    continue
                own = turn(mesh.tet, <index_t> t, EDGE[e], &ring)
                if own <= 0:
                    if own == 0:
                        continue
                    status = NO_MEMORY
                    break
                work += ring.size
                p = mesh.s + 5 * <Py_ssize_t> i
                q = mesh.s + 5 * <Py_ssize_t> j
                for k in range(3):
                    unit[k] = q[k] - p[k]
                length = 1.0 / sqrt(unit[0] * unit[0] + unit[1] * unit[1] + unit[2] * unit[2])
                for k in range(3):
                    unit[k] *= length
                set_moments(ring.corner, ring.size, unit, &facet)
                if facet.area <= narrow:
                    if is_line(mesh, &arena, &ring):
                        continue
                    status = self.add_border(i, j, narrow_area(mesh, domain, &arena, &ring, unit))
                else:
                    status = self.add_border(i, j, facet.area)
                if status == OK and not kept[i]:
                    clear(&share)
                    add_pyramid(&share, &facet, unit, 1.0,
                                &mesh.tet[mesh.incident[i]].plane[0])
                    status = self.add(mesh, shares, i, stop, &share)
                if status == OK and not kept[j]:
                    clear(&share)
                    add_pyramid(&share, &facet, unit, -1.0,
                                &mesh.tet[mesh.incident[j]].plane[0])
                    status = self.add(mesh, shares, j, stop, &share)
                if status != OK:
                    break
        free(ring.corner)
        free(ring.tet)
        free(ring.kept)
        arena_free(&arena)
        return status


cdef inline void clear(Share* share) noexcept nogil:
    share.volume = 0.0
    share.first[0] = 0.0
    share.first[1] = 0.0
    share.first[2] = 0.0
    share.second = 0.0
