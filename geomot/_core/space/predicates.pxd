"""Exact signs of the predicates in space: inlined filters, exact arithmetic behind them.

A site is five doubles, ``x y z hi lo``; its power weight is the unevaluated sum ``hi + lo`` with
``|lo| <= ulp(hi) / 2``.  Two determinants decide everything: the 3 x 3 one of three differences,
and the 4 x 4 one of four rows, each a normal of three components and an offset.
"""

from libc.math cimport fabs

from geomot._core.predicates cimport ROUNDOFF

# As in `geomot._core.predicates`: bounds on the errors of filters, relative to their permanents.
cdef extern from *:
    """
    #ifndef GEOMOT_SPACE_BOUNDS
    #define GEOMOT_SPACE_BOUNDS
    #define GEOMOT_ORIENT3_BOUND (8.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_POWER3_BOUND (20.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_COMPARE3_BOUND (8.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_STORED_BOUND (128.0 * GEOMOT_ROUNDOFF)
    #endif
    """
    const double ORIENT3_BOUND "GEOMOT_ORIENT3_BOUND"
    const double POWER3_BOUND "GEOMOT_POWER3_BOUND"
    const double COMPARE3_BOUND "GEOMOT_COMPARE3_BOUND"
    const double STORED_BOUND "GEOMOT_STORED_BOUND"


cdef struct Arena:
    # room for the expansions of one exact test, taken from the bottom up
    double* room
    double* work
    Py_ssize_t top


cdef struct Number:
    # an expansion: the exact sum of n doubles, smallest first
    int n
    double* terms


cdef struct Row:
    # {z : 2 (x, y, z).z <= offset}, or a lifted point
    Number[3] normal
    Number offset


cdef int arena_init(Arena* arena) noexcept nogil
cdef void arena_free(Arena* arena) noexcept nogil
cdef int orient3_exact(Arena* arena, const double* a, const double* b, const double* c,
                       const double* d) noexcept nogil
cdef int power3_exact(Arena* arena, const double* a, const double* b, const double* c,
                      const double* d, const double* p) noexcept nogil
cdef int compare_power3_exact(Arena* arena, const double* a, const double* b, const double* q,
                              double unit) noexcept nogil
cdef void bisector_row(Arena* arena, const double* site, const double* other,
                       Row* row) noexcept nogil
cdef void plane_row(Arena* arena, const double* plane, const double* site,
                    Row* row) noexcept nogil
cdef int det4_sign(Arena* arena, const Row* a, const Row* b, const Row* c,
                   const Row* d) noexcept nogil
cdef void meeting_point(Arena* arena, const Row* a, const Row* b, const Row* c, const double* site,
                        const double* origin, double* out) noexcept nogil


cdef inline int orient3(Arena* arena, const double* a, const double* b, const double* c,
                        const double* d) noexcept nogil:
    """Sign of det(a - d, b - d, c - d)."""
    cdef double ax = a[0] - d[0], ay = a[1] - d[1], az = a[2] - d[2]
    cdef double bx = b[0] - d[0], by = b[1] - d[1], bz = b[2] - d[2]
    cdef double cx = c[0] - d[0], cy = c[1] - d[1], cz = c[2] - d[2]
    cdef double bycz = by * cz, bzcy = bz * cy
    cdef double bzcx = bz * cx, bxcz = bx * cz
    cdef double bxcy = bx * cy, bycx = by * cx
    cdef double det = ax * (bycz - bzcy) + ay * (bzcx - bxcz) + az * (bxcy - bycx)
    cdef double bound = ORIENT3_BOUND * (fabs(ax) * (fabs(bycz) + fabs(bzcy))
                                         + fabs(ay) * (fabs(bzcx) + fabs(bxcz))
                                         + fabs(az) * (fabs(bxcy) + fabs(bycx)))
    if det > bound:
        return 1
    if det < -bound:
        return -1
    return orient3_exact(arena, a, b, c, d)


cdef inline int det4_filtered(const double* a, const double* b, const double* c, const double* d,
                              double am, double bm, double cm, double dm) noexcept nogil:
    """Sign of the 4 x 4 determinant of the rows x y z offset, 2 where rounding hides it.

    The normals are differences rounded once, and the offsets sums like |d|^2 + w - w', am to dm
    what bounds their terms."""
    cdef double ab1 = a[0] * b[1], ab2 = b[0] * a[1], bc1 = b[0] * c[1], bc2 = c[0] * b[1]
    cdef double cd1 = c[0] * d[1], cd2 = d[0] * c[1], da1 = d[0] * a[1], da2 = a[0] * d[1]
    cdef double ac1 = a[0] * c[1], ac2 = c[0] * a[1], bd1 = b[0] * d[1], bd2 = d[0] * b[1]
    cdef double ab = ab1 - ab2, bc = bc1 - bc2, cd = cd1 - cd2
    cdef double da = da1 - da2, ac = ac1 - ac2, bd = bd1 - bd2
    cdef double abc = a[2] * bc - b[2] * ac + c[2] * ab
    cdef double bcd = b[2] * cd - c[2] * bd + d[2] * bc
    cdef double cda = c[2] * da + d[2] * ac + a[2] * cd
    cdef double dab = d[2] * ab + a[2] * bd + b[2] * da
    cdef double det = (d[3] * abc - c[3] * dab) + (b[3] * cda - a[3] * bcd)
    cdef double az = fabs(a[2]), bz = fabs(b[2]), cz = fabs(c[2]), dz = fabs(d[2])
    cdef double pab = fabs(ab1) + fabs(ab2), pbc = fabs(bc1) + fabs(bc2)
    cdef double pcd = fabs(cd1) + fabs(cd2), pda = fabs(da1) + fabs(da2)
    cdef double pac = fabs(ac1) + fabs(ac2), pbd = fabs(bd1) + fabs(bd2)
    cdef double bound = POWER3_BOUND * (
        (am * (bz * pcd + cz * pbd + dz * pbc) + bm * (cz * pda + dz * pac + az * pcd))
        + (cm * (dz * pab + az * pbd + bz * pda) + dm * (az * pbc + bz * pac + cz * pab)))
    if det > bound:
        return 1
    if det < -bound:
        return -1
    return 2


cdef inline double lifted_row(const double* a, const double* p, double* row) noexcept nogil:
    """Row of a about p: the difference and |d|^2 - (w_a - w_p); what bounds the latter's terms."""
    cdef double hi = a[3] - p[3], lo = a[4] - p[4], square
    row[0] = a[0] - p[0]
    row[1] = a[1] - p[1]
    row[2] = a[2] - p[2]
    square = row[0] * row[0] + row[1] * row[1] + row[2] * row[2]
    row[3] = square - (hi + lo)
    return square + (fabs(hi) + fabs(lo))


cdef inline int power3(Arena* arena, const double* a, const double* b, const double* c,
                       const double* d, const double* p) noexcept nogil:
    """+1 if the lifted p lies strictly below the plane of the lifted abcd, of which
    det(a - d, b - d, c - d) > 0."""
    cdef double[4] ra
    cdef double[4] rb
    cdef double[4] rc
    cdef double[4] rd
    cdef double am = lifted_row(a, p, ra), bm = lifted_row(b, p, rb)
    cdef double cm = lifted_row(c, p, rc), dm = lifted_row(d, p, rd)
    cdef int sign = det4_filtered(ra, rb, rc, rd, am, bm, cm, dm)
    if sign != 2:
        return sign
    return power3_exact(arena, a, b, c, d, p)


cdef inline int compare_power3(Arena* arena, const double* a, const double* b,
                               const double* q) noexcept nogil:
    """Sign of (|q - a|^2 - w_a) - (|q - b|^2 - w_b): +1 if b is nearer.

    Coordinates of q beyond 2^700, or below 2^-700 and not zero, leave the range of a double: for
    them `compare_power3_exact` takes q in a unit of its own, a power of two."""
    cdef double value = 0.0, bound = 0.0, d, hi = b[3] - a[3], lo = b[4] - a[4]
    cdef int k
    for k in range(3):
        d = b[k] - a[k]
        value += d * ((q[k] - a[k]) + (q[k] - b[k]))
        bound += fabs(d) * (fabs(q[k] - a[k]) + fabs(q[k] - b[k]))
    value += hi + lo
    bound = COMPARE3_BOUND * (bound + (fabs(hi) + fabs(lo)))
    if value > bound:
        return 1
    if value < -bound:
        return -1
    return compare_power3_exact(arena, a, b, q, 1.0)
