"""Exact signs in space by expansion arithmetic; see `geomot._core.predicates`.

The numbers of one test live in an arena, as the longest of them have tens of thousands of terms:
the rows have 2, 2, 2 and 28, their minors 16, the 3 x 3 minors 192, which times an offset makes
10752.  Inputs with few bits stay far below that: 17 terms are the most that lattices take.
"""

from libc.stdlib cimport free, malloc

from geomot._core.predicates cimport exp_diff, exp_quotient, exp_scale, exp_sum
from geomot._core.status cimport NO_MEMORY

cdef enum:
    ROOM = 262144       # doubles: the longest determinant has 43008, and what leads there
    WORK = 65536        # for the longest product, by halves


cdef int arena_init(Arena* arena) noexcept nogil:
    """0, or NO_MEMORY; the system hands out only what is touched."""
    arena.top = 0
    arena.work = NULL
    arena.room = <double*> malloc((ROOM + WORK) * sizeof(double))
    if arena.room == NULL:
        return NO_MEMORY
    arena.work = arena.room + ROOM
    return 0


cdef void arena_free(Arena* arena) noexcept nogil:
    free(arena.room)


# ---- numbers ----

cdef int product(int m, const double* e, int n, const double* f, double* h,
                 double* work) noexcept nogil:
    """h = e * f (2 m n terms at most) by halves of the shorter one; work holds 4 m n doubles."""
    cdef int half, na, nb
    cdef double* a
    cdef double* b
    if m == 0 or n == 0:
        return 0
    if n > m:
        return product(n, f, m, e, h, work)
    if n == 1:
        return exp_scale(m, e, f[0], h)
    half = n // 2
    a = work
    b = work + 2 * m * half
    na = product(m, e, half, f, a, work + 2 * m * n)
    nb = product(m, e, n - half, f + half, b, work + 2 * m * n)
    return exp_sum(na, a, nb, b, h)


cdef inline Number take(Arena* arena, int n) noexcept nogil:
    """The n doubles that lie at the arena's top."""
    cdef Number number
    number.n = n
    number.terms = arena.room + arena.top
    arena.top += n
    return number


cdef inline Number minus(Arena* arena, double a, double b) noexcept nogil:
    """a - b."""
    return take(arena, exp_diff(a, b, arena.room + arena.top))


cdef inline Number plus(Arena* arena, Number a, Number b) noexcept nogil:
    return take(arena, exp_sum(a.n, a.terms, b.n, b.terms, arena.room + arena.top))


cdef inline Number times(Arena* arena, Number a, Number b) noexcept nogil:
    return take(arena, product(a.n, a.terms, b.n, b.terms, arena.room + arena.top, arena.work))


cdef inline Number scaled(Arena* arena, Number a, double b) noexcept nogil:
    return take(arena, exp_scale(a.n, a.terms, b, arena.room + arena.top))


cdef inline Number less(Arena* arena, Number a, Number b) noexcept nogil:
    """a - b; b is not needed any more."""
    cdef int k
    for k in range(b.n):
        b.terms[k] = -b.terms[k]
    return plus(arena, a, b)


cdef inline int sign_of(Number a) noexcept nogil:
    if a.n == 0:
        return 0
    return 1 if a.terms[a.n - 1] > 0.0 else -1


cdef Number minor(Arena* arena, const Row* a, const Row* b, int j, int k) noexcept nogil:
    """a_j b_k - b_j a_k of the normals."""
    return less(arena, times(arena, a.normal[j], b.normal[k]),
                times(arena, b.normal[j], a.normal[k]))


cdef Number det3(Arena* arena, const Number* x, const Row* a, const Row* b, const Row* c,
                 int j, int k) noexcept nogil:
    """The determinant of the columns x, j and k of the rows a, b, c."""
    cdef Number total = times(arena, x[0], minor(arena, b, c, j, k))
    total = plus(arena, total, times(arena, x[1], minor(arena, c, a, j, k)))
    return plus(arena, total, times(arena, x[2], minor(arena, a, b, j, k)))


cdef Number normals_det(Arena* arena, const Row* a, const Row* b, const Row* c) noexcept nogil:
    cdef Number[3] x
    x[0] = a.normal[0]
    x[1] = b.normal[0]
    x[2] = c.normal[0]
    return det3(arena, x, a, b, c, 1, 2)


# ---- rows ----

cdef void bisector_row(Arena* arena, const double* site, const double* other,
                       Row* row) noexcept nogil:
    """Half-space of the points nearer to site, about it: 2 d.z <= |d|^2 + w_site - w_other."""
    cdef int k
    row.offset = plus(arena, minus(arena, site[3], other[3]), minus(arena, site[4], other[4]))
    for k in range(3):
        row.normal[k] = minus(arena, other[k], site[k])
        row.offset = plus(arena, row.offset, times(arena, row.normal[k], row.normal[k]))


cdef void plane_row(Arena* arena, const double* plane, const double* site,
                    Row* row) noexcept nogil:
    """Half-space n.x <= d of the domain, about the site: 2 n.z <= 2 (d - n.y)."""
    cdef Number product_
    cdef int k
    row.offset = minus(arena, 2.0 * plane[3], 0.0)
    for k in range(3):
        row.normal[k] = minus(arena, plane[k], 0.0)
        product_ = scaled(arena, row.normal[k], -2.0 * site[k])
        row.offset = plus(arena, row.offset, product_)


cdef int det4_sign(Arena* arena, const Row* a, const Row* b, const Row* c,
                   const Row* d) noexcept nogil:
    """Sign of the determinant of four rows; with det(a, b, c) > 0 of the normals: +1 if the vertex
    of a, b and c lies strictly inside d, -1 if strictly outside."""
    cdef Number total = times(arena, d.offset, normals_det(arena, a, b, c))
    total = less(arena, total, times(arena, c.offset, normals_det(arena, a, b, d)))
    total = plus(arena, total, times(arena, b.offset, normals_det(arena, a, c, d)))
    total = less(arena, total, times(arena, a.offset, normals_det(arena, b, c, d)))
    return sign_of(total)


cdef void meeting_point(Arena* arena, const Row* a, const Row* b, const Row* c, const double* site,
                        const double* origin, double* out) noexcept nogil:
    """Where three planes about the site meet, minus the origin, each component rounded once."""
    cdef const Row* rows[3]
    cdef Number[3] offset
    cdef Number det = normals_det(arena, a, b, c), shift, value
    cdef int r, k
    rows[0] = a
    rows[1] = b
    rows[2] = c
    for r in range(3):                  # offsets about the origin
        offset[r] = rows[r].offset
        for k in range(3):
            shift = minus(arena, 2.0 * origin[k], 2.0 * site[k])
            offset[r] = less(arena, offset[r], times(arena, rows[r].normal[k], shift))
    for k in range(3):
        # the column k is replaced; a cyclic exchange of columns keeps the sign
        value = det3(arena, offset, a, b, c, (k + 1) % 3, (k + 2) % 3)
        out[k] = 0.5 * exp_quotient(value.n, value.terms, det.n, det.terms)


# ---- predicates behind the filters ----

cdef int orient3_exact(Arena* arena, const double* a, const double* b, const double* c,
                       const double* d) noexcept nogil:
    cdef Row ra, rb, rc
    cdef int k
    arena.top = 0
    for k in range(3):
        ra.normal[k] = minus(arena, a[k], d[k])
        rb.normal[k] = minus(arena, b[k], d[k])
        rc.normal[k] = minus(arena, c[k], d[k])
    return sign_of(normals_det(arena, &ra, &rb, &rc))


cdef int power3_exact(Arena* arena, const double* a, const double* b, const double* c,
                      const double* d, const double* p) noexcept nogil:
    # The determinant of the bisectors that p has with the four.
    cdef Row ra, rb, rc, rd
    arena.top = 0
    bisector_row(arena, p, a, &ra)
    bisector_row(arena, p, b, &rb)
    bisector_row(arena, p, c, &rc)
    bisector_row(arena, p, d, &rd)
    return det4_sign(arena, &ra, &rb, &rc, &rd)


cdef int compare_power3_exact(Arena* arena, const double* a, const double* b, const double* q,
                              double unit) noexcept nogil:
    """As `compare_power3`, for q in units of 1 / unit."""
    cdef Number total, sides
    cdef int k
    arena.top = 0
    total = plus(arena, minus(arena, unit * b[3], unit * a[3]),
                 minus(arena, unit * b[4], unit * a[4]))
    for k in range(3):
        sides = plus(arena, minus(arena, q[k], unit * a[k]), minus(arena, q[k], unit * b[k]))
        total = plus(arena, total, times(arena, minus(arena, b[k], a[k]), sides))
    return sign_of(total)


# ---- wrappers for tests ----

def _orient3(const double[::1] a, const double[::1] b, const double[::1] c, const double[::1] d):
    """Exact sign of the orientation of four points (x, y, z, ...)."""
    cdef Arena arena
    if arena_init(&arena) != 0:
        raise MemoryError
    sign = orient3(&arena, &a[0], &b[0], &c[0], &d[0])
    arena_free(&arena)
    return sign


def _power3(const double[::1] a, const double[::1] b, const double[::1] c, const double[::1] d,
            const double[::1] p):
    """Exact sign of the power test on five sites (x, y, z, hi, lo)."""
    cdef Arena arena
    if arena_init(&arena) != 0:
        raise MemoryError
    sign = power3(&arena, &a[0], &b[0], &c[0], &d[0], &p[0])
    arena_free(&arena)
    return sign


def _compare_power3(const double[::1] a, const double[::1] b, const double[::1] q):
    """Exact sign of the difference of the powers of a point from two sites."""
    cdef Arena arena
    if arena_init(&arena) != 0:
        raise MemoryError
    sign = compare_power3(&arena, &a[0], &b[0], &q[0])
    arena_free(&arena)
    return sign
