"""Power cells in space: vertices, volumes, centroids, costs and facets.

A cell is a polytope in dual form: its vertices are triples of walls, in positive order.  The star
of a site in the triangulation is the polytope of its cell in the whole space, bounded thanks to the
ghosts; the domain's planes then cut it, one after the other.  Which vertices a plane cuts off is
decided exactly, and so is emptiness: a plane that leaves no vertex strictly inside leaves no
interior.  Numbers come from the vertices' places, which carry bounds on their errors: where
plain arithmetic does not do, places are computed with twice the working precision, and where that
does not do, exactly.

A cell without interior in the whole space (a tie of sites inserted before what makes it one) is
FLAT; all vertices of its star lie on one of its own walls, exactly.

Places are taken about the domain's centre, and about a vertex of the cell where it is small: the
errors of volumes are relative to the cell then.

Cost: proportional to the number of vertices times that of the domain's planes.
"""

from libc.math cimport fabs, sqrt
from libc.stdlib cimport calloc, free, realloc

from geomot._core.order cimport mix
from geomot._core.predicates cimport ROUNDOFF
from geomot._core.space.dd cimport (
    DD, dd_difference, dd_minus, dd_plus, dd_quotient, dd_times)
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.predicates cimport (
    Arena, Row, arena_free, arena_init, bisector_row, det4_sign, meeting_point, plane_row, power3)
from geomot._core.space.regular cimport FACET, Regular3D, Tet
from geomot._core.status cimport NO_MEMORY, OK
from geomot._core.types cimport index_t

# Of what a number of twice the working precision is off by, after the operations of a determinant.
cdef double FINE = 2.0**-94
# Errors of a cell's vertices, relative to its extent, that ask for finer places.
cdef double PLAIN = 2.0**-40
# Errors of fine places, relative to the extent: finer ones ask for exact arithmetic.
cdef double SHARP = 2.0**-48
# Errors of corners that rounding hides, relative to the domain's diameter.
cdef double ONCE = 2.0**-75
# Errors of centres inside the domain, relative to its diameter.
cdef double CENTRED = 2.0**-46
# Cells of this extent, or of this volume, relative to the domain's, are computed about a vertex.
cdef double SMALL = 2.0**-10
TINY = 1e-9
# Areas below this share of the squared extent may be those of facets that are not there.
cdef double NARROW = 2.0**-36

cdef enum:
    FRAMES = 4              # how often the scale of errors is corrected
    FEW = 64                # walls whose pairs are marked in a table instead of a hash


# ---- scratch ----

cdef inline int grow(void** block, size_t size) noexcept nogil:
    cdef void* p = realloc(block[0], size)
    if p == NULL:
        return NO_MEMORY
    block[0] = p
    return OK


cdef int polytope_init(Polytope* cell) noexcept nogil:
    cell.wall = NULL
    cell.walls_room = 0
    cell.vertex = NULL
    cell.vertices_room = 0
    cell.outside = NULL
    cell.link = NULL
    cell.head = NULL
    cell.first = NULL
    cell.area = NULL
    cell.rim = NULL
    cell.rim_room = 0
    cell.hash = NULL
    cell.hash_room = 0
    cell.cuts = 0
    cell.mark = <unsigned int*> calloc(FEW * FEW, sizeof(unsigned int))
    cell.corner = NULL
    cell.corners_room = 0
    if arena_init(&cell.arena) != OK or cell.mark == NULL or reserve_walls(cell, 64) != OK:
        return NO_MEMORY
    return reserve_vertices(cell, 128)


cdef void polytope_free(Polytope* cell) noexcept nogil:
    free(cell.wall)
    free(cell.vertex)
    free(cell.outside)
    free(cell.link)
    free(cell.head)
    free(cell.first)
    free(cell.area)
    free(cell.rim)
    free(cell.hash)
    free(cell.mark)
    free(cell.corner)
    arena_free(&cell.arena)


cdef int reserve_walls(Polytope* cell, Py_ssize_t room) noexcept nogil:
    cdef size_t n = <size_t> (2 * room)
    if room <= cell.walls_room:
        return OK
    if (grow(<void**> &cell.wall, n * sizeof(Wall)) != OK
            or grow(<void**> &cell.head, n * sizeof(index_t)) != OK
            or grow(<void**> &cell.first, n * sizeof(index_t)) != OK
            or grow(<void**> &cell.area, n * sizeof(double)) != OK):
        return NO_MEMORY
    cell.walls_room = 2 * room
    return OK


cdef int reserve_vertices(Polytope* cell, Py_ssize_t room) noexcept nogil:
    cdef size_t n = <size_t> (2 * room)
    if room <= cell.vertices_room:
        return OK
    if (grow(<void**> &cell.vertex, n * sizeof(Vertex)) != OK
            or grow(<void**> &cell.outside, n) != OK
            or grow(<void**> &cell.link, 3 * n * sizeof(index_t)) != OK):
        return NO_MEMORY
    cell.vertices_room = 2 * room
    return OK


cdef int open_hash(Polytope* cell, Py_ssize_t entries) noexcept nogil:
    """Empty the table, with room for that many entries; OK or NO_MEMORY."""
    cdef Py_ssize_t size = 64, k
    while size < 2 * entries:
        size *= 2
    if size > cell.hash_room:
        if grow(<void**> &cell.hash, <size_t> size * sizeof(Entry)) != OK:
            return NO_MEMORY
    cell.hash_room = size
    for k in range(size):
        cell.hash[k].key = -1
    return OK


cdef inline Entry* entry_of(Polytope* cell, long long key) noexcept nogil:
    """The entry of a key, or the free one that it would get."""
    cdef Py_ssize_t h = <Py_ssize_t> (mix(<unsigned long long> key) & (cell.hash_room - 1))
    while cell.hash[h].key != key and cell.hash[h].key >= 0:
        h = (h + 1) & (cell.hash_room - 1)
    return &cell.hash[h]


cdef inline int open_pairs(Polytope* cell, Py_ssize_t pairs) noexcept nogil:
    """Forget all pairs of walls, with room for so many; OK or NO_MEMORY."""
    cdef Py_ssize_t k
    if cell.n_walls > FEW:
        return open_hash(cell, pairs)
    cell.cuts += 1
    if cell.cuts == 0:
        for k in range(FEW * FEW):
            cell.mark[k] = 0
        cell.cuts = 1
    return OK


cdef inline void add_pair(Polytope* cell, index_t a, index_t b) noexcept nogil:
    cdef long long key = <long long> a * cell.n_walls + b
    if cell.n_walls > FEW:
        entry_of(cell, key).key = key
    else:
        cell.mark[FEW * <Py_ssize_t> a + b] = cell.cuts


cdef inline bint has_pair(Polytope* cell, index_t a, index_t b) noexcept nogil:
    if cell.n_walls > FEW:
        return entry_of(cell, <long long> a * cell.n_walls + b).key >= 0
    return cell.mark[FEW * <Py_ssize_t> a + b] == cell.cuts


# ---- walls ----

cdef inline double largest(const double* x) noexcept nogil:
    return max(fabs(x[0]), max(fabs(x[1]), fabs(x[2])))


cdef inline double total(const double* x) noexcept nogil:
    return fabs(x[0]) + fabs(x[1]) + fabs(x[2])


cdef double fine_bisector(const double* p, const double* q, const double* origin, DD* normal,
                          DD* offset) noexcept nogil:
    """Bisector of the sites p and q, {z : 2 normal.z <= offset} about the origin; what bounds the
    offset's terms."""
    cdef double size = fabs(p[3] - q[3]) + fabs(p[4] - q[4])
    cdef DD sides
    cdef int k
    offset[0] = dd_plus(dd_difference(p[3], q[3]), dd_difference(p[4], q[4]))
    for k in range(3):
        normal[k] = dd_difference(q[k], p[k])
        sides = dd_plus(dd_difference(q[k], origin[k]), dd_difference(p[k], origin[k]))
        offset[0] = dd_plus(offset[0], dd_times(normal[k], sides))
        size += fabs(normal[k].hi) * (fabs(q[k] - origin[k]) + fabs(p[k] - origin[k]))
    return size


cdef double fine_plane(const double* plane, const double* origin, DD* normal,
                       DD* offset) noexcept nogil:
    """The same of the half-space normal.x <= offset."""
    cdef double size = 2.0 * fabs(plane[3])
    cdef DD shift
    cdef int k
    offset[0] = dd_difference(2.0 * plane[3], 0.0)
    for k in range(3):
        normal[k] = dd_difference(plane[k], 0.0)
        shift = dd_difference(2.0 * origin[k], 0.0)
        offset[0] = dd_minus(offset[0], dd_times(normal[k], shift))
        size += 2.0 * fabs(plane[k] * origin[k])
    return size


cdef inline void set_wall(const DD* normal, DD offset, double size, Wall* wall) noexcept nogil:
    """Round, with the normal's largest component 1."""
    cdef double[3] d
    cdef double scale
    cdef int k
    for k in range(3):
        d[k] = normal[k].hi
    scale = 1.0 / largest(d)
    for k in range(3):
        wall.normal[k] = d[k] * scale
    wall.offset = 0.5 * offset.hi * scale
    wall.error = 4.0 * ROUNDOFF * fabs(wall.offset) + FINE * size * scale


cdef void set_bisector(const double* p, const double* q, const double* origin,
                       Wall* wall) noexcept nogil:
    """Evaluate the bisector of two sites about the origin."""
    cdef DD[3] normal
    cdef DD offset
    cdef double size = fine_bisector(p, q, origin, normal, &offset)
    set_wall(normal, offset, size, wall)


cdef void set_plane(const double* planes, Py_ssize_t k, const double* origin,
                    Wall* wall) noexcept nogil:
    """Evaluate the domain's plane k about the origin."""
    cdef DD[3] normal
    cdef DD offset
    cdef double size = fine_plane(planes + 4 * k, origin, normal, &offset)
    set_wall(normal, offset, size, wall)
    wall.across = <index_t> (-1 - k)


cdef void know_wall(Polytope* cell, Py_ssize_t w, const double* s) noexcept nogil:
    """Evaluate a bisector of the cell when it is first needed."""
    if cell.wall[w].error < 0.0:
        set_bisector(s + 5 * <Py_ssize_t> cell.site, s + 5 * <Py_ssize_t> cell.wall[w].across,
                     cell.origin, &cell.wall[w])


cdef void set_row(Polytope* cell, Py_ssize_t across, const double* s, const double* planes,
                  Row* row) noexcept nogil:
    """What lies across a wall as an exact row about the cell's site."""
    if across >= 0:
        bisector_row(&cell.arena, s + 5 * <Py_ssize_t> cell.site, s + 5 * across, row)
    else:
        plane_row(&cell.arena, planes + 4 * (-1 - across), s + 5 * <Py_ssize_t> cell.site, row)


# ---- places ----

cdef double solve_fine(const DD* normal, const DD* offset, const double* size,
                       double* x) noexcept nogil:
    """Where three planes meet, x; a bound on the error of its components but for their rounding,
    negative where the planes hardly meet.

    `normal` holds three rows, `size` what bounds the terms of the offsets."""
    cdef DD[3] value
    cdef DD[3] cross
    cdef DD det
    cdef double[3] d
    cdef double scale = 1.0, terms = 0.0, m, w
    cdef int r, j, k, last
    for r in range(3):
        for k in range(3):
            d[k] = normal[3 * r + k].hi
        m = largest(d)
        scale *= m
        terms += size[r] / m
    det.hi = 0.0
    det.lo = 0.0
    for j in range(3):
        k = (j + 1) % 3
        last = (j + 2) % 3
        for r in range(3):
            cross[r] = dd_minus(
                dd_times(normal[3 * ((r + 1) % 3) + k], normal[3 * ((r + 2) % 3) + last]),
                dd_times(normal[3 * ((r + 1) % 3) + last], normal[3 * ((r + 2) % 3) + k]))
        det = dd_plus(det, dd_times(normal[j], cross[0]))
        value[j] = dd_plus(dd_plus(dd_times(offset[0], cross[0]), dd_times(offset[1], cross[1])),
                           dd_times(offset[2], cross[2]))
    w = fabs(det.hi) / scale
    if not w > 64.0 * FINE:
        return -1.0
    for j in range(3):
        x[j] = 0.5 * dd_quotient(value[j], det)
    return FINE * (terms + 6.0 * total(x)) / w


cdef double place_of_sites(const double* s, index_t o, index_t a, index_t b, index_t c,
                           const double* origin, double tolerance, Arena* arena,
                           double* out) noexcept nogil:
    """Power centre of four sites about the origin, and a bound on its error: within the tolerance,
    or as close as rounding the exact one is."""
    cdef DD[9] normal
    cdef DD[3] offset
    cdef double[3] size
    cdef index_t[3] other
    cdef double error
    cdef int r
    cdef Row ra, rb, rc
    cdef const double* p = s + 5 * <Py_ssize_t> o
    other[0] = a
    other[1] = b
    other[2] = c
    for r in range(3):
        size[r] = fine_bisector(p, s + 5 * <Py_ssize_t> other[r], origin, &normal[3 * r],
                                &offset[r])
    error = solve_fine(normal, offset, size, out)
    if 0.0 <= error <= tolerance:
        return error + 4.0 * ROUNDOFF * largest(out)
    arena.top = 0
    bisector_row(arena, p, s + 5 * <Py_ssize_t> a, &ra)
    bisector_row(arena, p, s + 5 * <Py_ssize_t> b, &rb)
    bisector_row(arena, p, s + 5 * <Py_ssize_t> c, &rc)
    meeting_point(arena, &ra, &rb, &rc, p, origin, out)
    return 4.0 * ROUNDOFF * largest(out)


cdef void place_about(Polytope* cell, const Vertex* v, const double* s, const double* planes,
                      const double* origin, double tolerance, double* out) noexcept nogil:
    """The same of a vertex of the cell."""
    cdef DD[9] normal
    cdef DD[3] offset
    cdef double[3] size
    cdef Row[3] row
    cdef double error
    cdef Py_ssize_t across
    cdef int r
    cdef const double* p = s + 5 * <Py_ssize_t> cell.site
    for r in range(3):
        across = cell.wall[v.wall[r]].across
        if across >= 0:
            size[r] = fine_bisector(p, s + 5 * across, origin, &normal[3 * r], &offset[r])
        else:
            size[r] = fine_plane(planes + 4 * (-1 - across), origin, &normal[3 * r], &offset[r])
    error = solve_fine(normal, offset, size, out)
    if not 0.0 <= error <= tolerance:
        cell.arena.top = 0
        for r in range(3):
            set_row(cell, cell.wall[v.wall[r]].across, s, planes, &row[r])
        meeting_point(&cell.arena, &row[0], &row[1], &row[2], p, origin, out)


cdef void place_vertex(Polytope* cell, Vertex* v, const double* s, const double* planes,
                       double tolerance) noexcept nogil:
    """Compute the place of a vertex anew, about the cell's frame."""
    place_about(cell, v, s, planes, cell.origin, tolerance, v.x)
    v.error = tolerance + 4.0 * ROUNDOFF * largest(v.x)


cdef void corner_place(Polytope* cell, const Vertex* v, const double* s, const double* planes,
                       double diameter, double* out) noexcept nogil:
    """The place of a vertex, about zero, each coordinate rounded once."""
    cdef double[3] zero
    zero[0] = 0.0
    zero[1] = 0.0
    zero[2] = 0.0
    place_about(cell, v, s, planes, zero, ONCE * diameter, out)


cdef int set_centre(Regular3D mesh, Domain3D domain, Arena* arena, index_t t) noexcept nogil:
    """Replace the plane of a tetrahedron by its power centre about the domain's, and a bound on its
    error; whether the centre is surely inside the domain."""
    cdef Tet* tet = &mesh.tet[t]
    cdef const double* o = mesh.s + 5 * <Py_ssize_t> tet.vert[3]
    cdef double w = tet.plane[3], scale = -0.5 / w, far = 0.0, away = 0.0, error
    cdef double[3] c
    cdef double offset
    cdef int k
    for k in range(3):
        offset = tet.plane[k] * scale
        c[k] = (o[k] - domain.centre[k]) + offset
        far = max(far, fabs(offset))
        away = max(away, fabs(o[k] - domain.centre[k]))
    error = (CENTRE_BOUND * (mesh.size[2 * <Py_ssize_t> t]
                             + mesh.size[2 * <Py_ssize_t> t + 1] * far) / w
             + 8.0 * ROUNDOFF * (far + away))
    # the bound holds where the determinant's own error is a small part of it
    if not (w > 1024.0 * CENTRE_BOUND * mesh.size[2 * <Py_ssize_t> t + 1]) or (
            error > CENTRED * domain.diameter and not domain.surely_outside(c, error)):
        error = place_of_sites(mesh.s, tet.vert[3], tet.vert[0], tet.vert[1], tet.vert[2],
                               domain.centre, CENTRED * domain.diameter, arena, c)
    for k in range(3):
        tet.plane[k] = c[k]
    tet.plane[3] = error
    return domain.surely_inside(c, error)


# ---- polytopes ----

cdef int polytope_from_star(Polytope* cell, Regular3D mesh, Domain3D domain, index_t i,
                            const index_t* star, Py_ssize_t m) noexcept nogil:
    """The cell of site i in the whole space, about the domain's centre; OK or NO_MEMORY.

    The star is given by numbers 4 t + k of the facets opposite the site."""
    cdef Py_ssize_t h
    cdef int j, k
    cdef index_t across
    cdef const Tet* tet
    cdef Vertex* v
    cdef Entry* entry
    cell.site = i
    cell.n_walls = 0
    cell.n_vertices = m
    for k in range(3):
        cell.origin[k] = domain.centre[k]
    # a simple polytope of m vertices has m / 2 + 2 walls
    if (reserve_vertices(cell, m) != OK or reserve_walls(cell, m // 2 + 3) != OK
            or open_hash(cell, m // 2 + 3) != OK):
        return NO_MEMORY
    for h in range(m):
        tet = &mesh.tet[star[h] >> 2]
        v = &cell.vertex[h]
        for j in range(3):
            across = tet.vert[FACET[star[h] & 3][j]]
            entry = entry_of(cell, across)
            if entry.key < 0:
                entry.key = across
                entry.value = <index_t> cell.n_walls
                cell.wall[cell.n_walls].across = across
                cell.wall[cell.n_walls].error = -1.0
                cell.n_walls += 1
            v.wall[j] = entry.value
            v.x[j] = tet.plane[j]
        v.error = tet.plane[3]
    return OK


cdef int polytope_start(Polytope* cell, const Wall* walls, Py_ssize_t n_walls,
                        const Vertex* vertices, Py_ssize_t n_vertices) noexcept nogil:
    """A copy of a given polytope; OK or NO_MEMORY."""
    cdef Py_ssize_t k
    if reserve_walls(cell, n_walls) != OK or reserve_vertices(cell, n_vertices) != OK:
        return NO_MEMORY
    for k in range(n_walls):
        cell.wall[k] = walls[k]
    for k in range(n_vertices):
        cell.vertex[k] = vertices[k]
    cell.n_walls = n_walls
    cell.n_vertices = n_vertices
    return OK


cdef int polytope_copy(Polytope* cell, const Polytope* other) noexcept nogil:
    """A copy of another cell, or of a part of one; OK or NO_MEMORY."""
    cdef int k
    cell.site = other.site
    for k in range(3):
        cell.origin[k] = other.origin[k]
    return polytope_start(cell, other.wall, other.n_walls, other.vertex, other.n_vertices)


cdef inline int side_of(Polytope* cell, const Vertex* v, const Wall* wall, const double* s,
                        const double* planes) noexcept nogil:
    """+1, 0, -1: the vertex lies strictly outside the wall, on it, strictly inside.

    Exactly, where there are sites; else as far as rounding tells."""
    cdef Row[4] row
    cdef int r
    cdef double x = wall.normal[0] * v.x[0], y = wall.normal[1] * v.x[1]
    cdef double z = wall.normal[2] * v.x[2]
    cdef double value = x + y + z - wall.offset
    cdef double bound = (SIDE3_BOUND * (fabs(x) + fabs(y) + fabs(z) + fabs(wall.offset))
                         + total(wall.normal) * v.error + wall.error)
    if value > bound:
        return 1
    if value < -bound:
        return -1
    if s == NULL:
        return 1 if value > 0.0 else -1
    cell.arena.top = 0
    for r in range(3):
        set_row(cell, cell.wall[v.wall[r]].across, s, planes, &row[r])
    set_row(cell, wall.across, s, planes, &row[3])
    return -det4_sign(&cell.arena, &row[0], &row[1], &row[2], &row[3])


cdef int polytope_cut(Polytope* cell, const double* s, const double* planes,
                      const Wall* wall) noexcept nogil:
    """Keep what lies inside a wall; NOTHING_LEFT, NOT_CUT, IS_CUT or NO_MEMORY."""
    cdef Py_ssize_t k, n_out = 0, n_in = 0, kept = 0, n_rim = 0
    cdef int j, sign
    cdef Vertex* v
    cdef index_t a, b, new
    for k in range(cell.n_vertices):
        sign = side_of(cell, &cell.vertex[k], wall, s, planes)
        cell.outside[k] = sign > 0
        n_out += sign > 0
        n_in += sign < 0
    if n_in == 0:                       # no interior
        cell.n_vertices = 0
        return NOTHING_LEFT
    if n_out == 0:
        return NOT_CUT
    if reserve_walls(cell, cell.n_walls + 1) != OK or open_pairs(cell, 3 * n_out) != OK:
        return NO_MEMORY
    if 3 * n_out > cell.rim_room:
        if grow(<void**> &cell.rim, 6 * <size_t> n_out * sizeof(Pair)) != OK:
            return NO_MEMORY
        cell.rim_room = 6 * n_out
    new = <index_t> cell.n_walls
    cell.wall[new] = wall[0]
    # Edges of what is cut off, whose other end stays: directed pairs of walls without reverse.
    for k in range(cell.n_vertices):
        if cell.outside[k]:
            v = &cell.vertex[k]
            for j in range(3):
                add_pair(cell, v.wall[j], v.wall[(j + 1) % 3])
    for k in range(cell.n_vertices):
        v = &cell.vertex[k]
        if cell.outside[k]:
            for j in range(3):
                a = v.wall[j]
                b = v.wall[(j + 1) % 3]
                if not has_pair(cell, b, a):
                    cell.rim[n_rim].a = a
                    cell.rim[n_rim].b = b
                    n_rim += 1
        else:
            cell.vertex[kept] = v[0]
            kept += 1
    cell.n_walls += 1
    cell.n_vertices = kept
    if reserve_vertices(cell, kept + n_rim) != OK:
        return NO_MEMORY
    for k in range(n_rim):
        v = &cell.vertex[kept + k]
        v.wall[0] = cell.rim[k].a
        v.wall[1] = cell.rim[k].b
        v.wall[2] = new
        if s != NULL:
            know_wall(cell, cell.rim[k].a, s)
            know_wall(cell, cell.rim[k].b, s)
        meet(cell, v)
    cell.n_vertices = kept + n_rim
    return IS_CUT


cdef void meet(Polytope* cell, Vertex* v) noexcept nogil:
    """The place of a vertex from its walls' coefficients; its error infinite where they hardly
    meet."""
    cdef const Wall* a = &cell.wall[v.wall[0]]
    cdef const Wall* b = &cell.wall[v.wall[1]]
    cdef const Wall* c = &cell.wall[v.wall[2]]
    cdef const double* n = &a.normal[0]
    cdef const double* m = &b.normal[0]
    cdef const double* o = &c.normal[0]
    cdef double[3] u
    cdef double det, x, offsets = fabs(a.offset) + fabs(b.offset) + fabs(c.offset)
    cdef double far = 0.0
    cdef int j, k, i
    u[0] = m[1] * o[2] - m[2] * o[1]
    u[1] = m[2] * o[0] - m[0] * o[2]
    u[2] = m[0] * o[1] - m[1] * o[0]
    det = n[0] * u[0] + n[1] * u[1] + n[2] * u[2]
    for i in range(3):
        j = i + 1 if i < 2 else 0
        k = i - 1 if i > 0 else 2
        x = (a.offset * u[i] + b.offset * (o[j] * n[k] - o[k] * n[j])
             + c.offset * (n[j] * m[k] - n[k] * m[j])) / det
        v.x[i] = x
        far = max(far, fabs(x))
    v.error = 1e300
    if det > 1024.0 * MEETING_BOUND:
        v.error = (MEETING_BOUND * (offsets + 3.0 * far)
                   + 4.0 * (a.error + b.error + c.error)) / det + 4.0 * ROUNDOFF * far


# ---- numbers ----

cdef int list_walls(Polytope* cell) noexcept nogil:
    """Lists of the vertices of each wall: `head` and `link` hold 3 v + j for wall j of vertex v."""
    cdef Py_ssize_t k
    cdef int j
    for k in range(cell.n_walls):
        cell.head[k] = -1
    for k in range(cell.n_vertices):
        for j in range(3):
            cell.link[3 * k + j] = cell.head[cell.vertex[k].wall[j]]
            cell.head[cell.vertex[k].wall[j]] = <index_t> (3 * k + j)
    return OK


cdef Py_ssize_t trace_facet(Polytope* cell, Py_ssize_t w) noexcept nogil:
    """Corners of the facet on wall w, in order, as numbers of vertices in `link`'s place: written
    to `corner` as coordinates; how many, or NO_MEMORY.

    Vertex (w, u, v) is followed by the one (w, v, .).  Where cuts are decided up to rounding there
    may be none: the corners that precede the gap are traced then."""
    cdef index_t h = cell.head[w], following
    cdef Py_ssize_t count = 0, k
    cdef const Vertex* v
    while h >= 0:
        v = &cell.vertex[h // 3]
        cell.first[v.wall[(h + 1) % 3]] = h
        count += 1
        h = cell.link[h]
    if count > cell.corners_room:
        if grow(<void**> &cell.corner, 6 * <size_t> count * sizeof(double)) != OK:
            return NO_MEMORY
        cell.corners_room = 2 * count
    h = cell.head[w]
    for k in range(count):
        v = &cell.vertex[h // 3]
        cell.corner[3 * k] = v.x[0]
        cell.corner[3 * k + 1] = v.x[1]
        cell.corner[3 * k + 2] = v.x[2]
        following = v.wall[(h + 2) % 3]
        h = cell.first[following]
        if not 0 <= h < 3 * cell.n_vertices:
            return k + 1
        v = &cell.vertex[h // 3]
        if v.wall[h % 3] != w or v.wall[(h + 1) % 3] != following:
            return k + 1
    return count


cdef int polytope_measure(Polytope* cell, const double* site) noexcept nogil:
    """Volume, centroid, cost of the site, and the areas of the facets; OK or NO_MEMORY."""
    cdef Share share
    cdef Moments facet
    cdef double[3] unit
    cdef double length, far
    cdef Py_ssize_t w, m
    cdef int k
    share.volume = 0.0
    share.second = 0.0
    for k in range(3):
        share.first[k] = 0.0
    list_walls(cell)
    for w in range(cell.n_walls):
        cell.area[w] = 0.0
        if cell.head[w] < 0:
            continue
        m = trace_facet(cell, w)
        if m < 0:
            return NO_MEMORY
        length = sqrt(cell.wall[w].normal[0] * cell.wall[w].normal[0]
                      + cell.wall[w].normal[1] * cell.wall[w].normal[1]
                      + cell.wall[w].normal[2] * cell.wall[w].normal[2])
        for k in range(3):
            unit[k] = cell.wall[w].normal[k] / length
        set_moments(cell.corner, m, unit, &facet)
        cell.area[w] = facet.area
        add_pyramid(&share, &facet, unit, 1.0, cell.vertex[0].x)
    cell.volume = share.volume
    cell.cost = share.second
    for k in range(3):
        length = share.first[k] / share.volume if share.volume > 0.0 else 0.0
        far = (cell.origin[k] - site[k]) + cell.vertex[0].x[k]
        cell.centre[k] = cell.vertex[0].x[k] + length
        cell.cost += share.volume * far * (2.0 * length + far)
    return OK


cdef int polytope_volume(Polytope* cell) noexcept nogil:
    """Volume and areas only, of a polytope that the origin lies in; OK or NO_MEMORY."""
    cdef Py_ssize_t w, m, k
    cdef const double* c
    cdef const double* n
    cdef double px, py, pz, qx, qy, qz, twice, length2
    list_walls(cell)
    cell.volume = 0.0
    for w in range(cell.n_walls):
        cell.area[w] = 0.0
        if cell.head[w] < 0:
            continue
        m = trace_facet(cell, w)
        if m < 0:
            return NO_MEMORY
        c = cell.corner
        n = &cell.wall[w].normal[0]
        twice = 0.0
        px = c[3] - c[0]
        py = c[4] - c[1]
        pz = c[5] - c[2]
        for k in range(2, m):
            qx = c[3 * k] - c[0]
            qy = c[3 * k + 1] - c[1]
            qz = c[3 * k + 2] - c[2]
            twice += (n[0] * (py * qz - pz * qy) + n[1] * (pz * qx - px * qz)
                      + n[2] * (px * qy - py * qx))
            px = qx
            py = qy
            pz = qz
        length2 = n[0] * n[0] + n[1] * n[1] + n[2] * n[2]
        twice = fabs(twice)
        cell.area[w] = 0.5 * twice / sqrt(length2)
        cell.volume += twice * cell.wall[w].offset / (6.0 * length2)
    return OK


# ---- a cell from its star ----

cdef double extent(const Polytope* cell) noexcept nogil:
    """Largest difference of a coordinate from the first vertex."""
    cdef Py_ssize_t k
    cdef int j
    cdef double far = 0.0
    for k in range(1, cell.n_vertices):
        for j in range(3):
            far = max(far, fabs(cell.vertex[k].x[j] - cell.vertex[0].x[j]))
    return far


cdef void sharpen(Polytope* cell, const double* s, const double* planes, double limit,
                  double tolerance) noexcept nogil:
    """Compute anew the places of vertices whose errors exceed the limit."""
    cdef Py_ssize_t k
    for k in range(cell.n_vertices):
        if not cell.vertex[k].error <= limit:
            place_vertex(cell, &cell.vertex[k], s, planes, tolerance)


cdef void know_walls(Polytope* cell, const double* s, const double* planes) noexcept nogil:
    """Evaluate all walls in the current frame."""
    cdef Py_ssize_t w
    for w in range(cell.n_walls):
        if cell.wall[w].across >= 0:
            know_wall(cell, w, s)
        elif cell.wall[w].error < 0.0:
            set_plane(planes, -1 - <Py_ssize_t> cell.wall[w].across, cell.origin, &cell.wall[w])


cdef void move_frame(Polytope* cell, const double* s, const double* planes) noexcept nogil:
    """Move the frame to the first vertex, and compute all places anew, to the cell's own scale."""
    cdef Py_ssize_t w, k
    cdef int j
    cdef double tolerance, scale
    place_vertex(cell, &cell.vertex[0], s, planes, 1e300)
    for j in range(3):
        cell.origin[j] += cell.vertex[0].x[j]
    for w in range(cell.n_walls):
        cell.wall[w].error = -1.0
    for k in range(cell.n_vertices):
        cell.vertex[k].error = 1e300
    scale = extent(cell)
    for _ in range(FRAMES):
        tolerance = SHARP * scale
        sharpen(cell, s, planes, 0.0, tolerance)
        scale = extent(cell)
        if tolerance <= 4.0 * SHARP * scale:
            break
    know_walls(cell, s, planes)


cdef void settle_places(Polytope* cell, const double* s, const double* planes,
                        double scale) noexcept nogil:
    """Places as exact as a cell of that extent needs them, and all walls."""
    sharpen(cell, s, planes, PLAIN * scale, SHARP * scale)
    know_walls(cell, s, planes)


cdef bint is_flat(Polytope* cell, Regular3D mesh, const index_t* star,
                  Py_ssize_t m) noexcept nogil:
    """Do all vertices of the cell's star lie on one of its walls?  Then it has no interior."""
    cdef Py_ssize_t h, w
    cdef index_t across
    cdef const Tet* tet
    cdef const double* s = mesh.s
    cdef bint on
    for w in range(cell.n_walls):
        across = cell.wall[w].across
        on = across >= 0
        for h in range(m):
            if not on:
                break
            tet = &mesh.tet[star[h] >> 2]
            on = (tet.vert[0] == across or tet.vert[1] == across or tet.vert[2] == across
                  or tet.vert[3] == across
                  or power3(&cell.arena, s + 5 * <Py_ssize_t> tet.vert[0],
                            s + 5 * <Py_ssize_t> tet.vert[1], s + 5 * <Py_ssize_t> tet.vert[2],
                            s + 5 * <Py_ssize_t> tet.vert[3], s + 5 * <Py_ssize_t> across) == 0)
        if on:
            return True
    return False


cdef void settle_facets(Polytope* cell, const double* s, const double* planes) noexcept nogil:
    """Set the areas of facets that are not there to zero: their corners lie on one line."""
    cdef Py_ssize_t w
    cdef double scale = extent(cell), narrow
    narrow = NARROW * scale * scale
    for w in range(cell.n_walls):
        if cell.head[w] >= 0 and cell.area[w] <= narrow:
            if is_line(cell, w, s, planes):
                cell.area[w] = 0.0
            else:
                cell.area[w] = max(cell.area[w], ROUNDOFF * ROUNDOFF * narrow)


cdef bint is_line(Polytope* cell, Py_ssize_t w, const double* s,
                  const double* planes) noexcept nogil:
    """Do all corners of the facet on wall w lie on one other wall, too?"""
    cdef index_t g = cell.head[w], h, other
    cdef const Vertex* v
    cdef Row[4] row
    cdef int r
    cdef bint on
    while g >= 0:
        other = cell.vertex[g // 3].wall[(g + 1) % 3]      # every neighbour once
        on = True
        h = cell.head[w]
        while h >= 0 and on:
            v = &cell.vertex[h // 3]
            if v.wall[0] != other and v.wall[1] != other and v.wall[2] != other:
                cell.arena.top = 0
                for r in range(3):
                    set_row(cell, cell.wall[v.wall[r]].across, s, planes, &row[r])
                set_row(cell, cell.wall[other].across, s, planes, &row[3])
                on = det4_sign(&cell.arena, &row[0], &row[1], &row[2], &row[3]) == 0
            h = cell.link[h]
        if on:
            return True
        g = cell.link[g]
    return False


cdef int cell_from_star(Polytope* cell, Regular3D mesh, Domain3D domain, index_t i,
                        const index_t* star, Py_ssize_t m, bint inside) noexcept nogil:
    """Compute the cell of site i in the domain from its star, and measure it; EMPTY, REGULAR, FLAT
    or NO_MEMORY.  `inside`: no plane of the domain cuts it, for certain."""
    cdef const double* planes = &domain.plane[0, 0]
    cdef const double* s = mesh.s
    cdef Py_ssize_t k
    cdef Wall wall
    cdef double scale
    cdef int status, j
    cdef bint moved = False
    if polytope_from_star(cell, mesh, domain, i, star, m) != OK:
        return NO_MEMORY
    if not inside:
        for k in range(domain.n):
            for j in range(3):
                wall.normal[j] = domain.local[k, j]
            wall.offset = domain.local[k, 3]
            wall.error = domain.local[k, 4]
            wall.across = <index_t> (-1 - k)
            status = polytope_cut(cell, s, planes, &wall)
            if status == NOTHING_LEFT:
                return FLAT if is_flat(cell, mesh, star, m) else EMPTY
            if status == NO_MEMORY:
                return NO_MEMORY
    scale = extent(cell)
    if scale < SMALL * domain.diameter:
        moved = True
        move_frame(cell, s, planes)
    else:
        settle_places(cell, s, planes, scale)
    if polytope_measure(cell, s + 5 * <Py_ssize_t> i) != OK:
        return NO_MEMORY
    if not cell.volume > TINY * domain.volume:
        if is_flat(cell, mesh, star, m):
            return FLAT
        if not moved:
            move_frame(cell, s, planes)
            if polytope_measure(cell, s + 5 * <Py_ssize_t> i) != OK:
                return NO_MEMORY
        cell.volume = max(cell.volume, 1e-300)
        cell.cost = max(cell.cost, 0.0)
    settle_facets(cell, s, planes)
    return REGULAR
