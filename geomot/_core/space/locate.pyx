"""Point location in space: the site whose power distance to a point is least, decided exactly.

From a site one steps to the neighbour in the regular triangulation that is nearest to the point,
until no neighbour is nearer: a power diagram has no local minima.  Every comparison is exact, so
the walk ends, and its result depends neither on the start nor on the order of the points.  Ghosts
are sites like others on the way; none is nearest to a point of the cube that they enclose.
"""

from libc.math cimport fabs, frexp, ldexp
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc

from geomot._core.interrupt cimport interrupted, raise_for
from geomot._core.order cimport mix
from geomot._core.space.predicates cimport (
    Arena, arena_free, arena_init, compare_power3, compare_power3_exact)
from geomot._core.space.regular cimport Regular3D, Tet, corner_of
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
from geomot._core.types cimport index_t

cdef enum:
    PERIOD = 65536      # comparisons between two looks for Ctrl-C (a few ms)

# Coordinates in this range stay in that of doubles through all products with the sites.
cdef double LEAST = 2.0**-500
cdef double MOST = 2.0**500


# ---- stars ----

cdef int star_init(Star* star) noexcept nogil:
    star.site = -1
    star.tets = NULL
    star.sites = NULL
    star.hash = NULL
    star.room = 0
    star.hash_room = 0
    return star_reserve(star, 64)


cdef void star_free(Star* star) noexcept nogil:
    free(star.tets)
    free(star.sites)
    free(star.hash)


cdef int star_reserve(Star* star, Py_ssize_t room) noexcept nogil:
    """Room for that many tetrahedra; OK or NO_MEMORY."""
    cdef size_t n = <size_t> (2 * room)
    cdef void* p
    if room <= star.room:
        return OK
    p = realloc(star.tets, n * sizeof(index_t))
    if p == NULL:
        return NO_MEMORY
    star.tets = <index_t*> p
    p = realloc(star.sites, n * sizeof(index_t))
    if p == NULL:
        return NO_MEMORY
    star.sites = <index_t*> p
    star.room = 2 * room
    return OK


cdef int open_hash(Star* star, Py_ssize_t size) noexcept nogil:
    """Empty the table, with room for `size` entries, a power of two; OK or NO_MEMORY."""
    cdef Py_ssize_t k
    cdef void* p
    p = realloc(star.hash, <size_t> size * sizeof(index_t))
    if p == NULL:
        return NO_MEMORY
    star.hash = <index_t*> p
    star.hash_room = size
    for k in range(size):
        star.hash[k] = -1
    return OK


cdef inline bint enter(Star* star, index_t key) noexcept nogil:
    """Enter a key; whether it is new."""
    cdef Py_ssize_t h = <Py_ssize_t> (mix(<unsigned long long> key) & (star.hash_room - 1))
    while star.hash[h] >= 0:
        if star.hash[h] == key:
            return False
        h = (h + 1) & (star.hash_room - 1)
    star.hash[h] = key
    return True


cdef int star_of(Star* star, Regular3D mesh, index_t i) noexcept nogil:
    """Find the tetrahedra around a visible site, breadth first, and its neighbours; OK or
    NO_MEMORY."""
    cdef Py_ssize_t h = 0, m, size = 128
    cdef const Tet* tet
    cdef index_t t, other
    cdef int k
    if star.site == i:
        return OK
    star.site = -1
    if open_hash(star, size) != OK:
        return NO_MEMORY
    t = mesh.incident[i]
    star.tets[0] = 4 * t + corner_of(&mesh.tet[t], i)
    enter(star, t)
    m = 1
    while h < m:
        if star_reserve(star, m + 4) != OK:
            return NO_MEMORY
        if 2 * (m + 4) > size:                  # enter all anew in a larger table
            size *= 4
            if open_hash(star, size) != OK:
                return NO_MEMORY
            for k in range(m):
                enter(star, star.tets[k] >> 2)
        tet = &mesh.tet[star.tets[h] >> 2]
        for k in range(4):
            if k != star.tets[h] & 3:
                t = tet.adj[k] >> 2
                if tet.adj[k] >= 0 and enter(star, t):
                    star.tets[m] = 4 * t + corner_of(&mesh.tet[t], i)
                    m += 1
        h += 1
    star.n_tets = m
    if open_hash(star, size) != OK:
        return NO_MEMORY
    star.n_sites = 0
    for h in range(m):
        tet = &mesh.tet[star.tets[h] >> 2]
        for k in range(4):
            other = tet.vert[k]
            if other != i and enter(star, other):
                star.sites[star.n_sites] = other
                star.n_sites += 1
    star.site = i
    return OK


# ---- queries ----

cdef void set_query(const double* x, int exponent, Query* query) noexcept nogil:
    """The point in units of 2^exponent, or in finer or coarser ones where products of these with
    the sites would leave the range of doubles."""
    cdef int k, e = 0, low = 4096, high = -4096, shift = 0
    cdef bint plain = True
    for k in range(3):
        query.x[k] = ldexp(x[k], -exponent)
        if x[k] != 0.0:
            plain = plain and LEAST <= fabs(query.x[k]) <= MOST
            frexp(x[k], &e)
            low = min(low, e - exponent)
            high = max(high, e - exponent)
    query.unit = 1.0
    if plain:
        return
    if high > 500:
        shift = 500 - high
    elif low < -499:
        shift = min(-499 - low, 500 - high)
    for k in range(3):
        query.x[k] = ldexp(x[k], shift - exponent)
    query.unit = ldexp(1.0, shift)


cdef inline int compare(Arena* arena, const Query* query, const double* a,
                        const double* b) noexcept nogil:
    """+1 if site b is nearer to the query than a, 0 if they are equally near."""
    if query.unit == 1.0:
        return compare_power3(arena, a, b, query.x)
    return compare_power3_exact(arena, a, b, query.x, query.unit)


cdef int walk(Regular3D mesh, Star* star, Arena* arena, const Query* query, index_t* at,
              bint* tie, Py_ssize_t* work) noexcept nogil:
    """From the site `at` to the nearest one; whether others are as near.  OK or NO_MEMORY."""
    cdef index_t best
    cdef Py_ssize_t k
    cdef int sign
    cdef const double* s = mesh.s
    while True:
        if star_of(star, mesh, at[0]) != OK:
            return NO_MEMORY
        best = at[0]
        tie[0] = False
        for k in range(star.n_sites):
            sign = compare(arena, query, s + 5 * <Py_ssize_t> best,
                           s + 5 * <Py_ssize_t> star.sites[k])
            if sign > 0:
                best = star.sites[k]
                tie[0] = False
            elif sign == 0:
                tie[0] = True
        work[0] += star.n_sites
        if best == at[0]:
            return OK
        at[0] = best


cdef index_t lowest_tie(Regular3D mesh, Star* star, Arena* arena, const index_t[::1] perm,
                        index_t at, const Query* query) except -1:
    """Lowest of the caller's indices among the sites tied with `at`, its neighbours in turn."""
    cdef index_t lowest = perm[at], site
    cdef Py_ssize_t k
    tied = {at}
    pending = [at]
    while pending:
        if star_of(star, mesh, pending.pop()) != OK:
            raise MemoryError("one site's neighbours do not fit into memory")
        for k in range(star.n_sites):
            site = star.sites[k]
            if site < mesh.n and site not in tied and compare(
                    arena, query, mesh.s + 5 * <Py_ssize_t> at,
                    mesh.s + 5 * <Py_ssize_t> site) == 0:
                tied.add(site)
                pending.append(site)
    for site in tied:
        lowest = min(lowest, perm[site])
    return lowest


cdef int locate_points(Regular3D mesh, const index_t[::1] perm, const double[:, ::1] points,
                       int exponent, int64_t[::1] out) except -1:
    """Sites of the points, as the caller numbers them, walking from each answer to the next."""
    cdef Query query
    cdef Star star
    cdef Arena arena
    cdef Py_ssize_t k, work = 0
    cdef index_t at = 0
    cdef bint tie
    cdef int status
    while mesh.incident[at] < 0:
        at += 1
    status = arena_init(&arena)
    if star_init(&star) != OK:
        status = NO_MEMORY
    try:
        with nogil:
            for k in range(points.shape[0]):
                if status != OK:
                    break
                set_query(&points[k, 0], exponent, &query)
                status = walk(mesh, &star, &arena, &query, &at, &tie, &work)
                if status != OK:
                    break
                out[k] = perm[at]
                if tie:
                    with gil:
                        out[k] = lowest_tie(mesh, &star, &arena, perm, at, &query)
                if work > PERIOD:
                    work = 0
                    if interrupted():
                        status = INTERRUPTED
    finally:
        star_free(&star)
        arena_free(&arena)
    raise_for(status, "one site's neighbours do not fit into memory")
    return 0
