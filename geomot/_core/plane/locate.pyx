"""Point location: the site whose power distance to a point is least, decided exactly.

From a site one steps to the neighbour in the regular triangulation that is nearest to the point,
until no neighbour is nearer: a power diagram has no local minima.  Every comparison is exact, so
the walk ends, and its result depends neither on the start nor on the order of the points.

A site with many neighbours would make each of its points cost as many comparisons.  Such hubs keep
their neighbours in the order of their facets around a point inside the cell.  The ray from there
through the query leaves the cell by one facet, found by bisection with exact signs, and the query
is in the cell exactly if it lies on the inner side of that facet.
"""

import numpy as np

cimport cython
from libc.math cimport fabs, frexp, ldexp
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from geomot._core.plane.cells cimport DET_BOUND, Line, shifted_bisector, shifted_edge
from geomot._core.interrupt cimport interrupted, raise_pending
from geomot._core.predicates cimport (
    ExactLine, compare_power, compare_power_exact, det3_exact, exact_bisector, exact_edge)
from geomot._core.plane.regular cimport Regular2D
from geomot._core.status cimport INTERRUPTED
from geomot._core.types cimport index_t

cdef enum:
    FEW = 64            # neighbours that are looked at one by one
    PERIOD = 65536      # comparisons between two looks for Ctrl-C (a few ms)

# Coordinates within 2^+-700 stay in the range of doubles through the products with sites of at
# least 2^-200; through the determinants of `ray_side` those from 2^-200 to 2^100 do.
cdef double TINY = 2.0**-700
cdef double HUGE = 2.0**700
cdef double LEAST = 2.0**-200
cdef double MOST = 2.0**100


# ---- queries ----

cdef inline bint within(double x, double least, double most) noexcept nogil:
    return least <= fabs(x) <= most


cdef void set_query(double x, double y, double scale, int exponent, Query* query) noexcept nogil:
    """The point (x, y) in units of 2^exponent = 1 / scale, or in finer or coarser ones where
    products of these with the sites would leave the range of doubles."""
    cdef int ex = 0, ey = 0, low, high, shift = 0
    query.x = x * scale
    query.y = y * scale
    query.unit = 1.0
    if ((x == 0.0 or within(query.x, TINY, HUGE)) and (y == 0.0 or within(query.y, TINY, HUGE))):
        return
    frexp(x, &ex)
    frexp(y, &ey)
    low = high = (ex if x != 0.0 else ey) - exponent
    if y != 0.0:
        low = min(low, ey - exponent)
        high = max(high, ey - exponent)
    if low < -699:                      # below 2^-700
        shift = -699 - low
    elif high > 700:
        shift = 700 - high
    query.x = ldexp(x, shift - exponent)
    query.y = ldexp(y, shift - exponent)
    query.unit = ldexp(1.0, shift)


cdef inline int compare(const Query* query, const double* a, const double* b) noexcept nogil:
    """+1 if site b is nearer to the query than a, 0 if they are equally near."""
    if query.unit == 1.0:
        return compare_power(a, b, query.x, query.y)
    return compare_power_exact(a, b, query.x, query.y, query.unit)


# ---- hubs ----

cdef struct Ray:
    double[4] ends          # from ends[0], ends[1] through ends[2], ends[3]
    Line line               # of what lies on its left, in the hub's frame


cdef void set_ray(const Hub* hub, double x, double y, Regular2D mesh, Ray* ray) noexcept nogil:
    """The ray from the hub's point through (x, y)."""
    ray.ends[0] = hub.x
    ray.ends[1] = hub.y
    ray.ends[2] = x
    ray.ends[3] = y
    shifted_edge(ray.ends, &mesh.site[hub.site, 0], 0.0, 0.0, &ray.line)


cdef int ray_side(const Hub* hub, Py_ssize_t k, const Ray* ray, Regular2D mesh) noexcept nogil:
    """+1, 0, -1: corner k of the hub's cell lies to the left of the ray, on its line, right."""
    cdef const double* p = &mesh.site[hub.site, 0]
    cdef const double* q = &mesh.site[hub.ring[k], 0]
    cdef const double* r = &mesh.site[hub.ring[k + 1 if k + 1 < hub.degree else 0], 0]
    cdef const Line* l3 = &ray.line
    cdef Line l1, l2
    cdef ExactLine e1, e2, e3
    cdef double p1, q1, p2, q2, p3, q3, det, bound
    shifted_bisector(p, q, 0.0, 0.0, &l1)
    shifted_bisector(p, r, 0.0, 0.0, &l2)
    p1 = l2.a * l3.b
    q1 = l3.a * l2.b
    p2 = l3.a * l1.b
    q2 = l1.a * l3.b
    p3 = l1.a * l2.b
    q3 = l2.a * l1.b
    det = l1.c * (p1 - q1) + l2.c * (p2 - q2) + l3.c * (p3 - q3)
    bound = DET_BOUND * (l1.size * (fabs(p1) + fabs(q1)) + l2.size * (fabs(p2) + fabs(q2))
                         + l3.size * (fabs(p3) + fabs(q3)))
    if det > bound:
        return 1
    if det < -bound:
        return -1
    exact_bisector(p, q, &e1)
    exact_bisector(p, r, &e2)
    exact_edge(ray.ends, ray.ends + 2, p[0], p[1], &e3)
    return det3_exact(&e1, &e2, &e3)


cdef bint is_inside(const Hub* hub, double x, double y, Regular2D mesh) noexcept nogil:
    """Is the hub strictly nearer to (x, y) than all its neighbours?"""
    cdef Py_ssize_t k
    for k in range(hub.degree):
        if compare_power(&mesh.site[hub.site, 0], &mesh.site[hub.ring[k], 0], x, y) >= 0:
            return False
    return True


cdef bint is_upper(const Hub* hub, Py_ssize_t k, const Ray* right, const Ray* up,
                   Regular2D mesh) noexcept nogil:
    """Has corner k an angle from 0 to below pi, seen from the hub's point?"""
    cdef int side = ray_side(hub, k, right, mesh)
    return side > 0 or (side == 0 and ray_side(hub, k, up, mesh) < 0)


cdef int look_around(Hub* hub, double x, double y, Regular2D mesh) noexcept nogil:
    """Choose (x, y) or the site as the point, and find where angles start; 0, or INTERRUPTED."""
    cdef Ray right, up
    cdef Py_ssize_t k
    cdef bint here, there
    hub.corners = hub.degree if hub.closed else hub.degree - 1
    hub.x = x if within(x, LEAST, MOST) else 0.0
    hub.y = y if within(y, LEAST, MOST) else 0.0
    hub.seen = is_inside(hub, hub.x, hub.y, mesh)
    if not hub.seen:
        hub.x = mesh.site[hub.site, 0]
        hub.y = mesh.site[hub.site, 1]
        hub.seen = is_inside(hub, hub.x, hub.y, mesh)
    hub.first = 0
    hub.upper = 0
    if not hub.seen:
        return 0
    set_ray(hub, hub.x + 1.0, hub.y, mesh, &right)
    set_ray(hub, hub.x, hub.y + 1.0, mesh, &up)
    there = is_upper(hub, hub.corners - 1, &right, &up, mesh)
    for k in range(hub.corners):
        if k % PERIOD == PERIOD - 1 and interrupted():
            return INTERRUPTED
        here = is_upper(hub, k, &right, &up, mesh)
        if here and not there:
            hub.first = k
        hub.upper += here
        there = here
    return 0


@cython.final
cdef class Hubs:
    """The sites of a triangulation with many neighbours, prepared for point location.

    Parameters
    ----------
    mesh : Regular2D
    inside : (n, 2) array
        For each site a point that lies in its cell, as far as is known; else NaN.
    """

    def __cinit__(self):
        self.hubs = NULL

    def __init__(self, Regular2D mesh, const double[:, ::1] inside):
        cdef index_t[::1] degree = np.zeros(mesh.n, dtype=np.int32)
        cdef Py_ssize_t t, h, at = 0
        cdef index_t a
        cdef const index_t[::1] found
        cdef Hub* hub
        cdef int k, status = 0
        with nogil:
            for t in range(mesh.slots):
                for k in range(3):
                    a = mesh.vert[t, k]
                    if 0 <= a < mesh.n:
                        degree[a] += 1
        found = np.flatnonzero(np.asarray(degree) > FEW).astype(np.int32)
        self.count = found.shape[0]
        self.number = np.empty(0, dtype=np.int32)
        if self.count == 0:
            return
        self.hubs = <Hub*> calloc(<size_t> self.count, sizeof(Hub))
        if self.hubs == NULL:
            raise MemoryError
        self.number = np.full(mesh.n, -1, dtype=np.int32)
        self.ring = np.empty(np.asarray(degree)[found].sum(), dtype=np.int32)
        with nogil:
            for h in range(self.count):
                hub = &self.hubs[h]
                hub.site = found[h]
                hub.ring = &self.ring[at]
                hub.degree = mesh.star(hub.site, hub.ring, degree[hub.site], &hub.closed)
                at += hub.degree
                self.number[hub.site] = <index_t> h
                status = look_around(hub, inside[hub.site, 0], inside[hub.site, 1], mesh)
                if status != 0:
                    break
        if status == INTERRUPTED:
            raise_pending()

    def __dealloc__(self):
        free(self.hubs)

    cdef inline const Hub* hub_of(self, index_t site) noexcept nogil:
        """The hub that a site is, or NULL."""
        if self.count == 0 or self.number[site] < 0:
            return NULL
        return &self.hubs[self.number[site]]


cdef Py_ssize_t way_out(const Hub* hub, const Query* query, Regular2D mesh) noexcept nogil:
    """The neighbour whose facet the ray from the hub's point through the query meets.

    0 where an unbounded cell may have none: the facet of its first or last neighbour, if any."""
    cdef Ray ray
    cdef Py_ssize_t low, high, middle, k
    cdef bint upper = query.y > hub.y or (query.y == hub.y and query.x > hub.x)
    set_ray(hub, query.x, query.y, mesh, &ray)
    low = 0 if upper else hub.upper
    high = hub.upper if upper else hub.corners
    while low < high:                   # the first corner that is not clockwise of the ray
        middle = (low + high) // 2
        k = hub.first + middle
        if ray_side(hub, k if k < hub.corners else k - hub.corners, &ray, mesh) >= 0:
            high = middle
        else:
            low = middle + 1
    return (hub.first + low) % hub.corners


# ---- walks ----

cdef int step_from_hub(const Hub* hub, const Query* query, Regular2D mesh,
                       Py_ssize_t* at) noexcept nogil:
    """+1, 0, -1: neighbour at[0] is nearer to the query, as near, or none is as near."""
    cdef const double* site = &mesh.site[hub.site, 0]
    cdef int sign, last
    at[0] = way_out(hub, query, mesh)
    sign = compare(query, site, &mesh.site[hub.ring[at[0]], 0])
    if hub.closed or at[0] > 0 or sign > 0:
        return sign
    last = compare(query, site, &mesh.site[hub.ring[hub.degree - 1], 0])
    if last > sign:
        at[0] = hub.degree - 1
    return max(sign, last)


cdef inline bint is_in_range(const Query* query) noexcept nogil:
    """Do the determinants of `ray_side` stay in the range of doubles?"""
    return (query.unit == 1.0 and (query.x == 0.0 or within(query.x, LEAST, MOST))
            and (query.y == 0.0 or within(query.y, LEAST, MOST)))


cdef index_t walk(Regular2D mesh, Hubs hubs, index_t at, const Query* query, bint* tie,
                  Py_ssize_t* work) noexcept nogil:
    """The site that is nearest to the query, walking from site `at`; is there a tie?"""
    cdef index_t[FEW] star
    cdef const index_t* ring
    cdef const Hub* hub
    cdef Py_ssize_t degree, k
    cdef index_t best
    cdef bint closed
    cdef int sign
    while True:
        hub = hubs.hub_of(at)
        best = at
        tie[0] = False
        if hub == NULL:
            degree = mesh.star(at, star, FEW, &closed)
            ring = star
        elif hub.seen and is_in_range(query):
            degree = 0
            work[0] += 64
            if query.x != hub.x or query.y != hub.y:
                sign = step_from_hub(hub, query, mesh, &k)
                tie[0] = sign == 0
                if sign > 0:
                    best = hub.ring[k]
        else:
            degree = hub.degree
            ring = hub.ring
        for k in range(degree):
            sign = compare(query, &mesh.site[best, 0], &mesh.site[ring[k], 0])
            if sign > 0:
                best = ring[k]
                tie[0] = False
            elif sign == 0:
                tie[0] = True
        work[0] += degree
        if best == at:
            return at
        at = best


cdef list tied_neighbours(Regular2D mesh, Hubs hubs, index_t at, const Query* query):
    """Neighbours of a nearest site `at` that are as near to the query."""
    cdef index_t[FEW] star
    cdef const index_t* ring
    cdef const Hub* hub = hubs.hub_of(at)
    cdef const double* site = &mesh.site[at, 0]
    cdef Py_ssize_t degree, k, first
    cdef bint closed
    cdef list found = []
    if hub == NULL:
        degree = mesh.star(at, star, FEW, &closed)
        ring = star
    elif not (hub.seen and is_in_range(query)):
        degree = hub.degree
        ring = hub.ring
    else:
        # Facets that meet in one point follow one another.
        if step_from_hub(hub, query, mesh, &first) != 0:
            return found
        for k in range(first, first + hub.degree):
            if compare(query, site, &mesh.site[hub.ring[k % hub.degree], 0]) != 0:
                break
            found.append(hub.ring[k % hub.degree])
        for k in range(first + hub.degree - 1, first + len(found) - 1, -1):
            if compare(query, site, &mesh.site[hub.ring[k % hub.degree], 0]) != 0:
                break
            found.append(hub.ring[k % hub.degree])
        return found
    for k in range(degree):
        if compare(query, site, &mesh.site[ring[k], 0]) == 0:
            found.append(ring[k])
    return found


cdef index_t lowest_tie(Regular2D mesh, Hubs hubs, const index_t[::1] perm, index_t at,
                        const Query* query) except -1:
    """Lowest of the caller's indices among the sites tied with `at`, its neighbours in turn."""
    cdef index_t lowest = perm[at], site
    tied = {at}
    pending = [at]
    while pending:
        for site in tied_neighbours(mesh, hubs, pending.pop(), query):
            if site not in tied:
                tied.add(site)
                pending.append(site)
    for site in tied:
        lowest = min(lowest, perm[site])
    return lowest


cdef int locate_points(Regular2D mesh, Hubs hubs, const index_t[::1] perm,
                       const double[:, ::1] points, int exponent,
                       int64_t[::1] out) except -1:
    """Sites of the points, as the caller numbers them, walking from each answer to the next."""
    cdef Query query
    cdef Py_ssize_t k, work = 0
    cdef double scale = ldexp(1.0, -exponent)
    cdef index_t at = 0
    cdef bint tie
    cdef int status = 0
    while mesh.incident[at] < 0:
        at += 1
    with nogil:
        for k in range(points.shape[0]):
            set_query(points[k, 0], points[k, 1], scale, exponent, &query)
            at = walk(mesh, hubs, at, &query, &tie, &work)
            out[k] = perm[at]
            if tie:
                with gil:
                    out[k] = lowest_tie(mesh, hubs, perm, at, &query)
            if work > PERIOD:
                work = 0
                if interrupted():
                    status = INTERRUPTED
                    break
    if status == INTERRUPTED:
        raise_pending()
    return 0
