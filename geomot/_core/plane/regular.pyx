"""Regular triangulation of weighted sites in the plane, by incremental insertion.

The triangulation is the projected lower hull of the lifted sites (y, |y|^2 - w).  A vertex at
infinity closes it to a sphere, so that every edge has two triangles.  A site is inserted by
walking to the triangle that holds it, collecting the triangles whose plane passes strictly above
the lifted site (the conflict zone, star-shaped around the site), and joining the site to the
boundary of that zone (Bowyer 1981; Watson 1981; Edelsbrunner and Shah 1996 for weights).

Ties need no perturbation: strict conflict makes a convex function's visible region star-shaped,
so no flat triangle can arise, and a site that lies on the hull without being a corner of it is
either never inserted or found by `is_flat`, after which the caller builds once more without it.

The order of insertion is given (biased randomised rounds along a space-filling curve: Amenta,
Choi, Rote 2003), which makes the expected cost O(n log n) in general and O(n) on benign input.
"""

from libc.stdlib cimport free, malloc, realloc

import numpy as np

from geomot._core.interrupt cimport interrupted, raise_pending
from geomot._core.predicates cimport orient, power_collinear, power_test, weight_difference
from geomot._core.status cimport INTERRUPTED, NO_MEMORY
from geomot._core.types cimport index_t

# As in `predicates`: bound on the error of a filter, relative to its permanent.
cdef extern from *:
    """
    #define GEOMOT_STRIP_BOUND (8.0 * GEOMOT_ROUNDOFF)
    """
    const double STRIP_BOUND "GEOMOT_STRIP_BOUND"

cdef enum:
    PERIOD = 8192               # insertions between two looks for Ctrl-C (about 10 ms)
    LARGE_ZONE = 65536          # triangles of one zone between two looks
    LARGE_MESH = 1048576        # triangles of the result between two looks


cdef int zone_reserve(Zone* zone, Py_ssize_t room) noexcept nogil:
    """Make room for a zone of that many triangles; 0, or NO_MEMORY."""
    cdef void* p
    if room <= zone.room:
        return 0
    room = 2 * room
    p = realloc(zone.stack, <size_t> (3 * room + 8) * sizeof(Edge))
    if p == NULL:
        return NO_MEMORY
    zone.stack = <Edge*> p
    p = realloc(zone.boundary, <size_t> (room + 8) * sizeof(BoundaryEdge))
    if p == NULL:
        return NO_MEMORY
    zone.boundary = <BoundaryEdge*> p
    p = realloc(zone.triangles, <size_t> (room + 8) * sizeof(index_t))
    if p == NULL:
        return NO_MEMORY
    zone.triangles = <index_t*> p
    zone.room = room
    return 0


cdef inline int next3(int k) noexcept nogil:
    return k + 1 if k < 2 else 0


cdef inline int prev3(int k) noexcept nogil:
    return k - 1 if k > 0 else 2


cdef class Regular2D:
    """Regular triangulation of sites (n, 4): x, y and the weight as hi + lo.

    Parameters
    ----------
    site : (n, 4) array
        Distinct points (no two sites of `order` coincide), along a space-filling curve.
    order : (m,) array of int32
        The sites to insert, in this order.
    """

    def __init__(self, const double[:, ::1] site, const index_t[::1] order):
        self.n = site.shape[0]
        self.site = site
        self.build(order)

    cdef int build(self, const index_t[::1] order) except -1:
        cdef Py_ssize_t m = order.shape[0]
        cdef index_t[3] first
        cdef int status
        self.incident = np.full(self.n, -1, dtype=np.int32)
        self.chain = np.empty(0, dtype=np.int32)
        self.chain_length = 0
        self.slots = 0
        if not self.first_triangle(order, first):
            self.collinear = True
            self.vert = self.adj = np.empty((0, 3), dtype=np.int32)
            self.build_chain(order)
            return 0
        self.collinear = False
        self.vert = np.empty((2 * m + 2, 3), dtype=np.int32)
        self.adj = np.empty((2 * m + 2, 3), dtype=np.int32)
        self.mark = np.zeros(2 * m + 2, dtype=np.int32)
        with nogil:
            status = self.insert_all(order, first)
        if status == NO_MEMORY:
            raise MemoryError("the conflict zone of one site does not fit into memory")
        if status == INTERRUPTED:
            return -1                   # a signal handler raised
        return 0

    cdef bint first_triangle(self, const index_t[::1] order, index_t* first) noexcept:
        """Find three sites that are not collinear, counter-clockwise; false if there are none."""
        cdef Py_ssize_t m = order.shape[0], k
        cdef const double* p
        cdef const double* q
        cdef int turn
        if m < 3:
            return False
        p = &self.site[order[0], 0]
        q = &self.site[order[1], 0]
        for k in range(2, m):
            turn = orient(p, q, &self.site[order[k], 0])
            if turn != 0:
                first[0] = order[0]
                first[1] = order[1] if turn > 0 else order[k]
                first[2] = order[k] if turn > 0 else order[1]
                return True
        return False

    cdef int insert_all(self, const index_t[::1] order, const index_t* first) noexcept nogil:
        """Insert every site; 0, NO_MEMORY or INTERRUPTED."""
        cdef Zone zone
        cdef Py_ssize_t m = order.shape[0], k, t
        cdef index_t p, last
        cdef int status = 0, j
        # Freed slots wait on a stack: a hidden vertex frees two, a later insertion takes two.
        cdef index_t* spare = <index_t*> malloc(<size_t> (2 * m + 8) * sizeof(index_t))
        cdef Py_ssize_t n_spare = 0
        zone.stack = NULL
        zone.boundary = NULL
        zone.triangles = NULL
        zone.room = 0
        if spare == NULL or zone_reserve(&zone, 64) != 0:
            status = NO_MEMORY
        else:
            self.start(first)
            last = 0
            for k in range(m):
                p = order[k]
                if p == first[0] or p == first[1] or p == first[2]:
                    continue
                if k % PERIOD == PERIOD - 1 and interrupted():
                    status = INTERRUPTED
                    break
                last = self.locate_triangle(p, last)
                if not self.conflict(last, p):
                    continue            # hidden
                status = self.collect(p, last, <index_t> (k + 1), &zone)
                if status != 0:
                    break
                last = self.fill(p, &zone, spare, &n_spare)
        free(zone.stack)
        free(zone.boundary)
        free(zone.triangles)
        if status == 0:
            for k in range(n_spare):
                self.vert[spare[k], 0] = -1
                self.vert[spare[k], 1] = -1
                self.vert[spare[k], 2] = -1
            for t in range(self.slots):
                if t % LARGE_MESH == LARGE_MESH - 1 and interrupted():
                    status = INTERRUPTED
                    break
                for j in range(3):
                    p = self.vert[t, j]
                    if 0 <= p < self.n:
                        self.incident[p] = <index_t> t
        free(spare)
        return status

    cdef void start(self, const index_t* first) noexcept nogil:
        """One finite triangle and the three infinite ones around it."""
        cdef index_t infinity = <index_t> self.n
        cdef int k
        for k in range(3):
            self.vert[0, k] = first[k]
            self.adj[0, k] = k + 1
            # across the edge opposite first[k]
            self.vert[k + 1, 0] = first[prev3(k)]
            self.vert[k + 1, 1] = first[next3(k)]
            self.vert[k + 1, 2] = infinity
            self.adj[k + 1, 0] = prev3(k) + 1
            self.adj[k + 1, 1] = next3(k) + 1
            self.adj[k + 1, 2] = 0
        self.slots = 4

    cdef inline int infinite_vertex(self, index_t t) noexcept nogil:
        """Number of the vertex at infinity in triangle t, -1 if t is finite."""
        if self.vert[t, 0] == self.n:
            return 0
        if self.vert[t, 1] == self.n:
            return 1
        if self.vert[t, 2] == self.n:
            return 2
        return -1

    cdef inline bint conflict_finite(self, index_t t, index_t p) noexcept nogil:
        return power_test(&self.site[self.vert[t, 0], 0], &self.site[self.vert[t, 1], 0],
                          &self.site[self.vert[t, 2], 0], &self.site[p, 0]) > 0

    cdef inline bint conflict(self, index_t t, index_t p) noexcept nogil:
        """Does triangle t see the lifted p strictly below its plane?"""
        cdef int k = self.infinite_vertex(t), turn
        if k < 0:
            return self.conflict_finite(t, p)
        turn = orient(&self.site[self.vert[t, next3(k)], 0], &self.site[self.vert[t, prev3(k)], 0],
                      &self.site[p, 0])
        if turn != 0:
            return turn > 0
        # On the hull's line the vertical plane is a limit of planes of the triangle inside.
        return self.conflict_finite(self.adj[t, k], p)

    cdef index_t locate_triangle(self, index_t p, index_t t) noexcept nogil:
        """Visibility walk: a closed finite triangle with p, or the infinite one that sees p.

        It ends because visibility is acyclic in a regular triangulation (Edelsbrunner 1990)."""
        cdef index_t came_from = -1, neighbour
        cdef const double* q = &self.site[p, 0]
        cdef int k = self.infinite_vertex(t)
        cdef bint moved = True
        if k >= 0:
            t = self.adj[t, k]
        while moved:
            moved = False
            for k in range(3):
                neighbour = self.adj[t, k]
                if neighbour == came_from:
                    continue
                if orient(&self.site[self.vert[t, next3(k)], 0],
                          &self.site[self.vert[t, prev3(k)], 0], q) < 0:
                    came_from = t
                    t = neighbour
                    moved = self.infinite_vertex(t) < 0
                    break
        return t

    cdef int collect(self, index_t p, index_t t, index_t stamp, Zone* zone) noexcept nogil:
        """Conflict zone of p from its triangle t, and its boundary counter-clockwise.

        The zone's triangles are visited depth first, edges counter-clockwise, which lists the
        boundary in order.  0, NO_MEMORY or INTERRUPTED."""
        cdef Py_ssize_t depth = 0
        cdef Edge edge
        cdef index_t neighbour, mark
        cdef int k, back
        cdef BoundaryEdge* out
        zone.n_triangles = 1
        zone.n_boundary = 0
        zone.triangles[0] = t
        self.mark[t] = stamp
        for k in range(2, -1, -1):
            zone.stack[depth].triangle = t
            zone.stack[depth].k = k
            depth += 1
        while depth > 0:
            depth -= 1
            edge = zone.stack[depth]
            neighbour = self.adj[edge.triangle, edge.k]
            mark = self.mark[neighbour]
            if mark == stamp:
                continue
            if self.adj[neighbour, 0] == edge.triangle:
                back = 0
            elif self.adj[neighbour, 1] == edge.triangle:
                back = 1
            else:
                back = 2
            if mark != -stamp and self.conflict(neighbour, p):
                self.mark[neighbour] = stamp
                if zone_reserve(zone, zone.n_triangles + 1) != 0:
                    return NO_MEMORY
                if zone.n_triangles % LARGE_ZONE == 0 and interrupted():
                    return INTERRUPTED
                zone.triangles[zone.n_triangles] = neighbour
                zone.n_triangles += 1
                zone.stack[depth].triangle = neighbour
                zone.stack[depth].k = prev3(back)
                zone.stack[depth + 1].triangle = neighbour
                zone.stack[depth + 1].k = next3(back)
                depth += 2
            else:
                self.mark[neighbour] = -stamp
                out = &zone.boundary[zone.n_boundary]
                zone.n_boundary += 1
                out.a = self.vert[edge.triangle, next3(edge.k)]
                out.b = self.vert[edge.triangle, prev3(edge.k)]
                out.outer = neighbour
                out.k = back
        return 0

    cdef index_t fill(self, index_t p, Zone* zone, index_t* spare,
                      Py_ssize_t* n_spare) noexcept nogil:
        """Replace the zone by the triangles that join p to its boundary; one of them, finite
        where there is one."""
        cdef Py_ssize_t m = zone.n_boundary, j
        cdef index_t t, before, first
        cdef BoundaryEdge* edge
        # The zone's own slots come first; slots left over wait for a later insertion.
        for j in range(zone.n_triangles, m):
            if n_spare[0] > 0:
                n_spare[0] -= 1
                t = spare[n_spare[0]]
            else:
                t = <index_t> self.slots
                self.slots += 1
                self.mark[t] = 0
            zone.triangles[j] = t
        for j in range(m, zone.n_triangles):
            spare[n_spare[0]] = zone.triangles[j]
            n_spare[0] += 1
        first = zone.triangles[0]
        before = zone.triangles[m - 1]
        for j in range(m):
            t = zone.triangles[j]
            edge = &zone.boundary[j]
            self.vert[t, 0] = p
            self.vert[t, 1] = edge.a
            self.vert[t, 2] = edge.b
            self.adj[t, 0] = edge.outer
            self.adj[t, 1] = zone.triangles[j + 1] if j + 1 < m else first
            self.adj[t, 2] = before
            self.adj[edge.outer, edge.k] = t
            before = t
        return first

    # ---- collinear sites ----

    cdef int build_chain(self, const index_t[::1] order) except -1:
        """Lower hull of the lifted sites along their common line."""
        cdef Py_ssize_t k, top
        site = np.asarray(self.site)
        inserted = np.asarray(order)
        # Distinct collinear points are ordered by x, or by y where the line is vertical.
        along = np.lexsort((site[inserted, 1], site[inserted, 0]))
        cdef index_t[::1] line = np.ascontiguousarray(inserted[along], dtype=np.int32)
        self.chain = visible_along(self.site, line)
        top = self.chain.shape[0]
        self.chain_length = top
        for k in range(top):
            self.incident[self.chain[k]] = <index_t> k
        return 0

    # ---- queries ----

    cdef Py_ssize_t star(self, index_t i, index_t* out, Py_ssize_t room,
                         bint* closed) noexcept nogil:
        """Neighbours of the visible site i, counter-clockwise; how many there are.

        At most `room` of them are written.  Around a site on the hull (`closed` false) they run
        from one hull edge to the other."""
        cdef index_t t, start
        cdef Py_ssize_t count = 0, place
        cdef int k
        closed[0] = False
        if self.collinear:
            place = self.incident[i]
            if place > 0:
                if count < room:
                    out[count] = self.chain[place - 1]
                count += 1
            if place + 1 < self.chain_length:
                if count < room:
                    out[count] = self.chain[place + 1]
                count += 1
            return count
        start = self.incident[i]
        t = start
        closed[0] = True
        while True:                     # counter-clockwise
            k = self.corner_of(t, i)
            if self.vert[t, next3(k)] == self.n:
                closed[0] = False
                start = t               # this triangle's second neighbour opens the fan
            t = self.adj[t, next3(k)]
            if t == start or not closed[0]:
                break
        t = start
        while True:
            k = self.corner_of(t, i)
            if closed[0]:
                if count < room:
                    out[count] = self.vert[t, next3(k)]
                count += 1
            elif self.vert[t, prev3(k)] != self.n:
                if count < room:
                    out[count] = self.vert[t, prev3(k)]
                count += 1
            else:
                break
            t = self.adj[t, next3(k)]
            if closed[0] and t == start:
                break
        return count

    cdef bint has_more(self, index_t i, Py_ssize_t limit) noexcept nogil:
        """Has the visible site i more than that many neighbours, infinity among them?"""
        cdef index_t t
        cdef Py_ssize_t count = 0
        if self.collinear:
            return limit < 2
        t = self.incident[i]
        while count <= limit:
            t = self.adj[t, next3(self.corner_of(t, i))]
            count += 1
            if t == self.incident[i]:
                return False
        return True

    cdef inline int corner_of(self, index_t t, index_t i) noexcept nogil:
        return 0 if self.vert[t, 0] == i else (1 if self.vert[t, 1] == i else 2)

    cdef inline bint has_corner(self, index_t t, index_t i) noexcept nogil:
        return self.vert[t, 0] == i or self.vert[t, 1] == i or self.vert[t, 2] == i

    cdef Py_ssize_t star_about(self, index_t i, index_t j, index_t* out,
                               Py_ssize_t room) noexcept nogil:
        """The neighbour j of site i, and up to room - 1 more on both sides of it; how many.

        Costs as many steps as the one of i and j with fewer neighbours has."""
        cdef index_t left = self.incident[i], other = self.incident[j], right, next_one
        cdef Py_ssize_t count = 1
        cdef int k
        while not self.has_corner(left, j) and not self.has_corner(other, i):
            left = self.adj[left, next3(self.corner_of(left, i))]
            other = self.adj[other, next3(self.corner_of(other, j))]
        if not self.has_corner(left, j):
            left = other
        # `left` has the edge ij on its right or left: turn so that it is on the right
        if self.vert[left, next3(self.corner_of(left, i))] != j:
            left = self.adj[left, next3(self.corner_of(left, i))]
        out[0] = j
        right = self.adj[left, prev3(self.corner_of(left, i))]
        while count < room:
            k = self.corner_of(left, i)
            next_one = self.vert[left, prev3(k)]
            left = self.adj[left, next3(k)]
            if next_one != j and next_one != self.n:
                out[count] = next_one
                count += 1
            if left == right or next_one == j or count == room:
                break
            k = self.corner_of(right, i)
            next_one = self.vert[right, next3(k)]
            right = self.adj[right, prev3(k)]
            if next_one != self.n:
                out[count] = next_one
                count += 1
            if left == right:
                break
        return count

    cdef bint is_flat(self, const index_t* ring, Py_ssize_t count, bint closed,
                      index_t i) noexcept nogil:
        """Has the cell of the visible site i, in the whole plane, no interior?

        A cell with interior has three facets of positive length, or is unbounded."""
        cdef Py_ssize_t k
        cdef int facets = 0
        cdef const double* p = &self.site[i, 0]
        if self.collinear:
            return False
        if not closed:
            return (orient(&self.site[ring[0], 0], &self.site[ring[count - 1], 0], p) == 0
                    and power_collinear(&self.site[ring[0], 0], p,
                                        &self.site[ring[count - 1], 0]) == 0)
        for k in range(count):
            if power_test(p, &self.site[ring[k], 0], &self.site[ring[(k + 1) % count], 0],
                          &self.site[ring[(k + 2) % count], 0]) != 0:
                facets += 1
        return facets < 3

    def triangles(self):
        """Finite triangles, counter-clockwise (k, 3), as numbers of sites in the given order."""
        if self.collinear:
            return np.empty((0, 3), dtype=np.int32)
        vert = np.asarray(self.vert)[: self.slots]
        return vert[((vert >= 0) & (vert < self.n)).all(axis=1)]


# ---- sites on a line ----

cdef inline int strip(const double* a, const double* p, const double* b) noexcept nogil:
    """For p strictly between a and b on a line: +1 if the strip of p has positive width."""
    cdef double left, right, rise, fall, up, down, value, bound
    if a[1] == 0.0 and p[1] == 0.0 and b[1] == 0.0:
        left = p[0] - a[0]
        right = b[0] - p[0]
        rise = weight_difference(p, a, &up)
        fall = weight_difference(p, b, &down)
        value = (b[0] - a[0]) * left * right
        bound = STRIP_BOUND * (value + up * right + down * left)
        value += rise * right + fall * left
        if value > bound:
            return 1
        if value < -bound:
            return -1
    return power_collinear(a, p, b)


def visible_along(const double[:, ::1] site, const index_t[::1] line):
    """The sites whose cells have an interior, of sites (x, y, hi, lo) in their order on a line.

    The lower hull of the lifted sites, by exact decisions."""
    cdef Py_ssize_t m = line.shape[0], k, top = 0
    cdef index_t[::1] chain = np.empty(m, dtype=np.int32)
    cdef int status = 0
    with nogil:
        for k in range(m):
            if k % PERIOD == PERIOD - 1 and interrupted():
                status = INTERRUPTED
                break
            while top >= 2 and strip(&site[chain[top - 2], 0], &site[chain[top - 1], 0],
                                     &site[line[k], 0]) <= 0:
                top -= 1
            chain[top] = line[k]
            top += 1
    if status == INTERRUPTED:
        raise_pending()
    return np.asarray(chain)[:top]
