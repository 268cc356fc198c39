"""Weights that give new sites a cell of wanted volume in an existing power diagram.

A site y has a cell as soon as its weight exceeds the least value over the domain D of

    max_i ( |x - y|^2 - |x - y_i|^2 + w_i ),

a convex function of x, linear on every cell, so its minimiser is a vertex of the clipped diagram.
Where it lies inside D it is the power centre of the tetrahedron that holds y; elsewhere it is found
by walking from cell to cell, each step to a better vertex.  From there the weight is raised until
the new cell, alone against the old ones around that vertex, has the wanted volume: by Newton's
method on its cube root, which is concave in the weight (Brunn, Minkowski) and has the derivative
that the facets' areas give.

Each new site sees the old diagram only: sites inserted together may take volume from one another.
"""

from libc.math cimport cbrt, fabs, sqrt
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc, realloc

from geomot._core.interrupt cimport interrupted
from geomot._core.predicates cimport two_product, two_sum
from geomot._core.space.cells cimport (
    NOTHING_LEFT, REGULAR, Polytope, Vertex, Wall, place_vertex, polytope_cut, polytope_free,
    polytope_from_star, polytope_init, polytope_start, polytope_volume, set_bisector, set_plane)
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.locate cimport Star, star_free, star_init, star_of
from geomot._core.space.measure cimport Density3D
from geomot._core.space.regular cimport Regular3D, Tet
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
from geomot._core.types cimport index_t

cdef enum:
    MAX_TRIALS = 40         # evaluations of the new cell's volume
    REACH = 4               # cuts after which the cell's reach is measured anew
    PERIOD = 256            # sites between two looks for Ctrl-C (a few ms)
    SIDES = 8               # walls and corners of the box that the domain is cut from

# A new cell may miss its target by this share: more costs no Newton step, less only time.
cdef double MISS = 0.01
# Where there is hardly any density a new cell is still not larger than at this share of the mean.
cdef double LEAST_DENSITY = 0.01
# From trial to trial.
cdef double MOST_GROWTH = 16.0
# Error of the domain's corners, relative to its diameter.
cdef double PLACED = 2.0**-60
# Improvement of the objective, relative to diameter times gradient, that is worth a step.
cdef double WORTH = 2.0**-50


cdef struct Corner:
    # a vertex of the diagram, of cell `site`; what lies across the three walls that meet there
    index_t site
    double[3] x
    index_t[3] across


cdef struct Scratch:
    Polytope cell
    Polytope whole          # the domain, about its centre
    Wall* wall              # of the new cell, and of the domain in its frame
    double* factor          # by how much a rise of the weight moves each rival's wall
    index_t* rival
    Py_ssize_t room
    Star star


cdef inline int grow(void** block, size_t size) noexcept nogil:
    cdef void* p = realloc(block[0], size)
    if p == NULL:
        return NO_MEMORY
    block[0] = p
    return OK


cdef int scratch_reserve(Scratch* scratch, Py_ssize_t room) noexcept nogil:
    cdef size_t n = <size_t> (2 * room)
    if room <= scratch.room:
        return OK
    if (grow(<void**> &scratch.wall, n * sizeof(Wall)) != OK
            or grow(<void**> &scratch.factor, n * sizeof(double)) != OK
            or grow(<void**> &scratch.rival, n * sizeof(index_t)) != OK):
        return NO_MEMORY
    scratch.room = 2 * room
    return OK


cdef int scratch_init(Scratch* scratch, Domain3D domain) noexcept nogil:
    cdef int status
    scratch.wall = NULL
    scratch.factor = NULL
    scratch.rival = NULL
    scratch.room = 0
    status = polytope_init(&scratch.cell)
    if polytope_init(&scratch.whole) != OK or star_init(&scratch.star) != OK:
        status = NO_MEMORY
    if scratch_reserve(scratch, 128) != OK:
        status = NO_MEMORY
    return status if status != OK else enclose(&scratch.whole, domain)


cdef void scratch_free(Scratch* scratch) noexcept nogil:
    polytope_free(&scratch.cell)
    polytope_free(&scratch.whole)
    star_free(&scratch.star)
    free(scratch.wall)
    free(scratch.factor)
    free(scratch.rival)


cdef int enclose(Polytope* whole, Domain3D domain) noexcept nogil:
    """The domain as a polytope about its centre, cut from a box; OK or NO_MEMORY.

    Signs are exact: where many faces meet in a corner, cuts up to rounding would tear it."""
    cdef double* planes = <double*> malloc(4 * <size_t> (domain.n + 6) * sizeof(double))
    cdef double[5] site
    cdef int j, status
    if planes == NULL:
        return NO_MEMORY
    for j in range(3):
        site[j] = whole.origin[j] = domain.centre[j]
    site[3] = 0.0
    site[4] = 0.0
    whole.site = 0
    status = cut_domain(whole, domain, site, planes)
    free(planes)
    return status


cdef int cut_domain(Polytope* whole, Domain3D domain, const double* site,
                    double* planes) noexcept nogil:
    """Cut the domain from a box of twice its size; `planes` is room for both's, in this order."""
    cdef Wall[SIDES] wall
    cdef Vertex[SIDES] corner
    cdef Py_ssize_t k, n = domain.n
    cdef int j, sign
    for k in range(n):
        for j in range(4):
            planes[4 * k + j] = domain.plane[k, j]
    for k in range(6):              # walls 2 j and 2 j + 1: below and above, along axis j
        for j in range(3):
            planes[4 * (n + k) + j] = 0.0
        sign = 1 if k & 1 else -1
        planes[4 * (n + k) + k // 2] = sign
        planes[4 * (n + k) + 3] = sign * site[k // 2] + domain.diameter
        set_plane(planes, n + k, site, &wall[k])
    for k in range(8):
        sign = 1
        for j in range(3):
            corner[k].wall[j] = <index_t> (2 * j + (k >> j & 1))
            sign = sign if k >> j & 1 else -sign
        if sign < 0:
            corner[k].wall[0], corner[k].wall[1] = corner[k].wall[1], corner[k].wall[0]
    if polytope_start(whole, wall, 6, corner, 8) != OK:
        return NO_MEMORY
    for k in range(8):
        place_vertex(whole, &whole.vertex[k], site, planes, PLACED * domain.diameter)
    for k in range(n):
        set_plane(planes, k, site, wall)
        if polytope_cut(whole, site, planes, wall) < 0:
            return NO_MEMORY
    for k in range(whole.n_vertices):
        place_vertex(whole, &whole.vertex[k], site, planes, PLACED * domain.diameter)
    return OK


# ---- where the cell begins ----

cdef int best_corner(Scratch* scratch, Regular3D mesh, Domain3D domain, index_t i,
                     const double* y, Corner* out) noexcept nogil:
    """The corner of cell i that lies farthest in the direction from y_i to y; REGULAR,
    NOTHING_LEFT or NO_MEMORY."""
    cdef Polytope* cell = &scratch.cell
    cdef const double* p = mesh.s + 5 * <Py_ssize_t> i
    cdef Wall wall
    cdef double value, best = 0.0
    cdef Py_ssize_t k, at = 0
    cdef int j, status
    if star_of(&scratch.star, mesh, i) != OK:
        return NO_MEMORY
    if polytope_from_star(cell, mesh, domain, i, scratch.star.tets, scratch.star.n_tets) != OK:
        return NO_MEMORY
    for k in range(domain.n):
        for j in range(3):
            wall.normal[j] = domain.local[k, j]
        wall.offset = domain.local[k, 3]
        wall.error = domain.local[k, 4]
        wall.across = <index_t> (-1 - k)
        status = polytope_cut(cell, mesh.s, &domain.plane[0, 0], &wall)
        if status < 0 or status == NOTHING_LEFT:
            return status
    for k in range(cell.n_vertices):
        value = 0.0
        for j in range(3):
            value += (y[j] - p[j]) * cell.vertex[k].x[j]
        if k == 0 or value > best:
            best = value
            at = k
    out.site = i
    for j in range(3):
        out.x[j] = domain.centre[j] + cell.vertex[at].x[j]
        out.across[j] = cell.wall[cell.vertex[at].wall[j]].across
    return REGULAR


cdef void touching_weight(const double* p, const double* y, const double* x, double* hi,
                          double* lo) noexcept nogil:
    """hi + lo = w_p + (y - p).(y + p - 2 x): the weight at which y meets p's cell in x."""
    cdef double d, dl, u, ul, a, al, s, e
    cdef int k
    hi[0] = p[3]
    lo[0] = p[4]
    for k in range(3):
        two_sum(y[k], -p[k], &d, &dl)
        two_sum(p[k] - x[k], y[k] - x[k], &u, &ul)
        two_product(d, u, &a, &al)
        al += d * ul + dl * u
        two_sum(hi[0], a, &s, &e)
        two_sum(s, e + (lo[0] + al), hi, lo)


cdef int walk_cells(Scratch* scratch, Regular3D mesh, Domain3D domain, const uint8_t[::1] kind,
                    const double* y, index_t own, index_t start, Corner* at) noexcept nogil:
    """Walk to the corner where the site y first gets a cell; REGULAR or NO_MEMORY.

    The weight needed there falls strictly from step to step, so that the walk ends."""
    cdef Corner there, following
    cdef double hi, lo, best_hi, best_lo, next_hi, next_lo, gain, least, away
    cdef index_t across
    cdef int k, j, status = best_corner(scratch, mesh, domain, start, y, at)
    cdef bint moved = True
    if status != REGULAR:
        return status
    touching_weight(mesh.s + 5 * <Py_ssize_t> at.site, y, at.x, &hi, &lo)
    while moved:
        moved = False
        best_hi = hi
        best_lo = lo
        for k in range(3):
            across = at.across[k]
            if across < 0 or across >= mesh.n or across == own or kind[across] != REGULAR:
                continue
            status = best_corner(scratch, mesh, domain, across, y, &there)
            if status < 0:
                return status
            if status != REGULAR:
                continue
            gain = 0.0
            away = 0.0
            for j in range(3):
                gain += (there.x[j] - at.x[j]) * (y[j] - mesh.s[5 * <Py_ssize_t> across + j])
                away += fabs(y[j] - mesh.s[5 * <Py_ssize_t> across + j])
            least = WORTH * domain.diameter * away
            if gain <= least:
                continue
            touching_weight(mesh.s + 5 * <Py_ssize_t> across, y, there.x, &next_hi, &next_lo)
            if next_hi < best_hi or (next_hi == best_hi and next_lo < best_lo):
                best_hi = next_hi
                best_lo = next_lo
                following = there
                moved = True
        if moved:
            at[0] = following
            hi = best_hi
            lo = best_lo
    return REGULAR


cdef bint is_inside(Regular3D mesh, Domain3D domain, index_t t, index_t own,
                    Corner* out) noexcept nogil:
    """The centre of a tetrahedron as a corner, if it is one of the diagram without `own`."""
    cdef const Tet* tet = &mesh.tet[t]
    cdef int k
    for k in range(4):
        if tet.vert[k] >= mesh.n or tet.vert[k] == own:
            return False
    if not domain.surely_inside(&tet.plane[0], tet.plane[3]):
        return False
    out.site = tet.vert[3]
    for k in range(3):
        out.x[k] = domain.centre[k] + tet.plane[k]
        out.across[k] = tet.vert[k]
    return True


# ---- how far it rises ----

cdef int collect_rivals(Scratch* scratch, Regular3D mesh, const Corner* at, index_t own,
                        Py_ssize_t* count) noexcept nogil:
    """Sites of the cells at the corner, then their neighbours; OK or NO_MEMORY."""
    cdef index_t site
    cdef Py_ssize_t k, core
    cdef int c
    count[0] = 0
    append(scratch, at.site, count)
    for c in range(3):
        if 0 <= at.across[c] < mesh.n and at.across[c] != own:
            append(scratch, at.across[c], count)
    core = count[0]
    for c in range(<int> core):
        if star_of(&scratch.star, mesh, scratch.rival[c]) != OK:
            return NO_MEMORY
        if scratch_reserve(scratch, count[0] + scratch.star.n_sites) != OK:
            return NO_MEMORY
        for k in range(scratch.star.n_sites):
            site = scratch.star.sites[k]
            if site < mesh.n and site != own:
                append(scratch, site, count)
    return OK


cdef inline void append(Scratch* scratch, index_t site, Py_ssize_t* count) noexcept nogil:
    """Add a site that is not among the rivals yet."""
    cdef Py_ssize_t k
    for k in range(count[0]):
        if scratch.rival[k] == site:
            return
    scratch.rival[count[0]] = site
    count[0] += 1


cdef int volume_at(Scratch* scratch, Py_ssize_t rivals, const double* x, double rise,
                   double* volume, double* rate) noexcept nogil:
    """Volume of the new cell about x, where its weight exceeds the touching one by `rise`, and the
    derivative; OK or NO_MEMORY."""
    cdef Polytope* cell = &scratch.cell
    cdef const Polytope* whole = &scratch.whole
    cdef Wall wall
    cdef double reach2 = 1e300, square
    cdef Py_ssize_t k, r, cuts = 0
    cdef int j, status
    volume[0] = 0.0
    rate[0] = 0.0
    if polytope_start(cell, whole.wall, whole.n_walls, whole.vertex, whole.n_vertices) != OK:
        return NO_MEMORY
    for k in range(cell.n_walls):
        for j in range(3):
            cell.wall[k].offset -= cell.wall[k].normal[j] * x[j]
    for k in range(cell.n_vertices):
        for j in range(3):
            cell.vertex[k].x[j] -= x[j]
    for r in range(rivals):
        wall = scratch.wall[r]
        wall.offset += scratch.factor[r] * rise
        square = (wall.normal[0] * wall.normal[0] + wall.normal[1] * wall.normal[1]
                  + wall.normal[2] * wall.normal[2])
        if wall.offset > 0.0 and wall.offset * wall.offset > reach2 * square:
            continue
        wall.across = <index_t> r
        status = polytope_cut(cell, NULL, NULL, &wall)
        if status < 0:
            return NO_MEMORY
        if status == NOTHING_LEFT:
            return OK
        cuts += 1
        if cuts % REACH == 0:
            reach2 = 0.0
            for k in range(cell.n_vertices):
                square = 0.0
                for j in range(3):
                    square += cell.vertex[k].x[j] * cell.vertex[k].x[j]
                reach2 = max(reach2, square)
    if polytope_volume(cell) != OK:
        return NO_MEMORY
    volume[0] = cell.volume
    for k in range(cell.n_walls):
        r = cell.wall[k].across
        if r >= 0 and cell.area[k] > 0.0:
            rate[0] += cell.area[k] * scratch.factor[r] / sqrt(
                cell.wall[k].normal[0] * cell.wall[k].normal[0]
                + cell.wall[k].normal[1] * cell.wall[k].normal[1]
                + cell.wall[k].normal[2] * cell.wall[k].normal[2])
    return OK


cdef int find_rise(Scratch* scratch, Regular3D mesh, Domain3D domain, const Corner* at,
                   const double* site, index_t own, double target, double* guess,
                   double* out) noexcept nogil:
    """By how much the weight must exceed the touching one for the wanted volume; OK or NO_MEMORY.

    `guess` relates rises to targets, from site to site."""
    cdef Py_ssize_t rivals, r
    cdef double[3] x
    cdef double d, far, away = 0.0, root, rise, volume, rate, step, want = cbrt(target)
    cdef const double* q
    cdef int k
    out[0] = 0.0
    if not target > 0.0:
        return OK
    if collect_rivals(scratch, mesh, at, own, &rivals) != OK:
        return NO_MEMORY
    for r in range(rivals):
        q = mesh.s + 5 * <Py_ssize_t> scratch.rival[r]
        set_bisector(site, q, at.x, &scratch.wall[r])
        far = 0.0
        for k in range(3):
            far = max(far, fabs(q[k] - site[k]))
        scratch.factor[r] = 0.5 / far
    for k in range(3):
        away += fabs(site[k] - mesh.s[5 * <Py_ssize_t> at.site + k])
        x[k] = at.x[k] - domain.centre[k]
    d = want * away
    rise = guess[0] * d
    for _ in range(MAX_TRIALS):
        if volume_at(scratch, rivals, x, rise, &volume, &rate) != OK:
            return NO_MEMORY
        if (1.0 - MISS) * target < volume < (1.0 + MISS) * target:
            break
        root = cbrt(volume)
        step = (want - root) * 3.0 * root * root / rate if volume > 0.0 and rate > 0.0 else (
            MOST_GROWTH * rise)
        rise = min(MOST_GROWTH * rise, max(rise / MOST_GROWTH, rise + step))
    if 0.0 < rise < 1e300:
        guess[0] = 0.75 * guess[0] + 0.25 * (rise / d)
    out[0] = rise
    return OK


cdef int insert_sites(Regular3D mesh, Domain3D domain, Density3D density,
                      const uint8_t[::1] kind, const double[:, ::1] points,
                      const index_t[::1] own, const double[::1] volumes, index_t start,
                      double[:, ::1] weights) noexcept nogil:
    """Weights of the points, along a curve; `start` is a site that has a cell.  OK, NO_MEMORY or
    INTERRUPTED.

    `volumes` would have the wanted masses if the density were its mean; what it is where a cell
    appears scales them."""
    cdef Scratch scratch
    cdef Corner at
    cdef Py_ssize_t k
    cdef index_t hint = 0, first
    cdef int j, status = scratch_init(&scratch, domain)
    cdef double[5] site
    cdef double guess = 1.0, hi, lo, rise, s, e, volume
    cdef bint near
    for k in range(points.shape[0]):
        if status != OK:
            break
        if k % PERIOD == PERIOD - 1 and interrupted():
            status = INTERRUPTED
            break
        near = True
        for j in range(3):
            site[j] = points[k, j]
            near = near and fabs(site[j]) <= 1.0
        first = start
        if near:
            hint = mesh.walk(&scratch.cell.arena, hint, site)
        if not near or not is_inside(mesh, domain, hint, own[k], &at):
            for j in range(4):
                if (near and mesh.tet[hint].vert[j] < mesh.n and mesh.tet[hint].vert[j] != own[k]
                        and kind[mesh.tet[hint].vert[j]] == REGULAR):
                    first = mesh.tet[hint].vert[j]
            status = walk_cells(&scratch, mesh, domain, kind, site, own[k], first, &at)
            if status == NOTHING_LEFT and first != start:
                status = walk_cells(&scratch, mesh, domain, kind, site, own[k], start, &at)
            if status < 0:
                break
            status = OK
        touching_weight(mesh.s + 5 * <Py_ssize_t> at.site, site, at.x, &hi, &lo)
        site[3] = hi
        site[4] = lo
        volume = volumes[k] / max(density.relative(at.x), LEAST_DENSITY)
        status = find_rise(&scratch, mesh, domain, &at, site, own[k], volume, &guess, &rise)
        two_sum(hi, rise, &s, &e)
        two_sum(s, e + lo, &weights[k, 0], &weights[k, 1])
    scratch_free(&scratch)
    return status
