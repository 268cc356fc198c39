"""Exact signs of the plane predicates: an inlined floating filter, exact arithmetic behind it.

A site is four doubles, ``x y hi lo``; its power weight is the unevaluated sum ``hi + lo`` with
``|lo| <= ulp(hi) / 2``.  Every function returns the exact sign of its expression.  The filters
bound the rounding error by a multiple of the expression's permanent (Shewchuk, "Adaptive precision
floating-point arithmetic and fast robust geometric predicates", 1997, section 4.3).
"""

from libc.math cimport fabs

# Bounds on the errors of the filters, in terms of the expressions' permanents; each is derived, and
# held against its number here, by tests/filter_bounds.py.
cdef extern from *:
    """
    #ifndef GEOMOT_ROUNDOFF
    #define GEOMOT_ROUNDOFF 1.1102230246251565e-16  /* 2^-53 */
    #define GEOMOT_ORIENT_BOUND (4.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_POWER_BOUND (16.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_COMPARE_BOUND (8.0 * GEOMOT_ROUNDOFF)
    #endif
    """
    const double ROUNDOFF "GEOMOT_ROUNDOFF"
    const double ORIENT_BOUND "GEOMOT_ORIENT_BOUND"
    const double POWER_BOUND "GEOMOT_POWER_BOUND"
    const double COMPARE_BOUND "GEOMOT_COMPARE_BOUND"


cdef struct ExactLine:
    # {z : a z_x + b z_y <= c}, each coefficient an expansion (exact sum of doubles)
    int na
    int nb
    int nc
    double a[2]
    double b[2]
    double c[20]


cdef int exp_diff(double a, double b, double* h) noexcept nogil
cdef int exp_sum(int m, const double* e, int n, const double* f, double* h) noexcept nogil
cdef int exp_scale(int m, const double* e, double b, double* h) noexcept nogil
cdef double exp_quotient(int m, const double* e, int n, const double* f) noexcept nogil
cdef int orient_exact(const double* a, const double* b, const double* c) noexcept nogil
cdef int power_exact(const double* a, const double* b, const double* c,
                     const double* p) noexcept nogil
cdef int power_collinear(const double* a, const double* p, const double* b) noexcept nogil
cdef int compare_power_exact(const double* a, const double* b, double x, double y,
                             double unit) noexcept nogil

cdef void exact_bisector(const double* site, const double* other, ExactLine* line) noexcept nogil
cdef void exact_edge(const double* p, const double* q, double ox, double oy,
                     ExactLine* line) noexcept nogil
cdef int turn_exact(const ExactLine* l1, const ExactLine* l2) noexcept nogil
cdef int det3_exact(const ExactLine* l1, const ExactLine* l2, const ExactLine* l3) noexcept nogil
cdef void exact_vertex(const ExactLine* l1, const ExactLine* l2,
                       double ox, double oy, double* x, double* y) noexcept nogil
cdef double exact_distance_ratio(const ExactLine* l1, const ExactLine* l2,
                                 const ExactLine* l3) noexcept nogil
cdef double exact_facet_ratio(const ExactLine* l1, const ExactLine* l2,
                              const ExactLine* l3) noexcept nogil


cdef inline void two_sum(double a, double b, double* s, double* e) noexcept nogil:
    """s + e = a + b exactly, s the rounded sum."""
    cdef double t = a + b
    cdef double bv = t - a
    e[0] = (a - (t - bv)) + (b - bv)
    s[0] = t


cdef inline void two_product(double a, double b, double* p, double* e) noexcept nogil:
    """p + e = a * b exactly, p the rounded product (Dekker's splitting: no fused operation)."""
    cdef double t = a * b
    cdef double c = 134217729.0 * a
    cdef double ah = c - (c - a), al = a - ah
    cdef double bh, bl
    c = 134217729.0 * b
    bh = c - (c - b)
    bl = b - bh
    e[0] = al * bl - (((t - ah * bh) - al * bh) - ah * bl)
    p[0] = t


cdef inline int orient(const double* a, const double* b, const double* c) noexcept nogil:
    """Sign of the area of triangle abc: +1 counter-clockwise, 0 collinear, -1 clockwise."""
    cdef double left = (a[0] - c[0]) * (b[1] - c[1])
    cdef double right = (a[1] - c[1]) * (b[0] - c[0])
    cdef double det = left - right
    cdef double bound = ORIENT_BOUND * (fabs(left) + fabs(right))
    if det > bound:
        return 1
    if det < -bound:
        return -1
    return orient_exact(a, b, c)


cdef inline double weight_difference(const double* a, const double* b,
                                     double* magnitude) noexcept nogil:
    """w_a - w_b, with an error of at most two units of 2^-53 of the magnitude.

    The magnitude may exceed the difference: leading and trailing parts can cancel."""
    cdef double hi = a[2] - b[2], lo = a[3] - b[3]
    magnitude[0] = fabs(hi) + fabs(lo)
    return hi + lo


cdef inline int power_test(const double* a, const double* b, const double* c,
                           const double* p) noexcept nogil:
    """+1 if the lifted p lies strictly below the plane of the lifted abc (counter-clockwise)."""
    cdef double ax = a[0] - p[0], ay = a[1] - p[1]
    cdef double bx = b[0] - p[0], by = b[1] - p[1]
    cdef double cx = c[0] - p[0], cy = c[1] - p[1]
    cdef double am, bm, cm
    cdef double aw = weight_difference(a, p, &am)
    cdef double bw = weight_difference(b, p, &bm)
    cdef double cw = weight_difference(c, p, &cm)
    cdef double a2 = ax * ax + ay * ay, b2 = bx * bx + by * by, c2 = cx * cx + cy * cy
    cdef double bxcy = bx * cy, cxby = cx * by
    cdef double cxay = cx * ay, axcy = ax * cy
    cdef double axby = ax * by, bxay = bx * ay
    cdef double det = ((a2 - aw) * (bxcy - cxby) + (b2 - bw) * (cxay - axcy)
                       + (c2 - cw) * (axby - bxay))
    cdef double bound = POWER_BOUND * (
        (a2 + am) * (fabs(bxcy) + fabs(cxby))
        + (b2 + bm) * (fabs(cxay) + fabs(axcy))
        + (c2 + cm) * (fabs(axby) + fabs(bxay)))
    if det > bound:
        return 1
    if det < -bound:
        return -1
    return power_exact(a, b, c, p)


cdef inline int compare_power(const double* a, const double* b, double x, double y) noexcept nogil:
    """Sign of (|q - a|^2 - w_a) - (|q - b|^2 - w_b) at q = (x, y): +1 if b is nearer.

    Coordinates of q beyond 2^700, or below 2^-700 and not zero, leave the range of a double: for
    them `compare_power_exact` takes q in a unit of its own, a power of two."""
    cdef double dx = b[0] - a[0], dy = b[1] - a[1]
    cdef double ux = (x - a[0]) + (x - b[0]), uy = (y - a[1]) + (y - b[1])
    cdef double m
    cdef double dw = weight_difference(b, a, &m)
    cdef double px = dx * ux, py = dy * uy
    cdef double value = px + py + dw
    # ux and uy may cancel: their error is relative to the two distances, not to their sum
    cdef double bound = COMPARE_BOUND * (
        fabs(dx) * (fabs(x - a[0]) + fabs(x - b[0]))
        + fabs(dy) * (fabs(y - a[1]) + fabs(y - b[1])) + m)
    if value > bound:
        return 1
    if value < -bound:
        return -1
    return compare_power_exact(a, b, x, y, 1.0)
