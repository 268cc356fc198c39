"""Numbers of twice the working precision, hi + lo, for places; signs come from `predicates`."""

from geomot._core.predicates cimport two_product, two_sum


cdef struct DD:
    double hi
    double lo


cdef inline DD dd_difference(double a, double b) noexcept nogil:
    """a - b, exactly."""
    cdef DD r
    two_sum(a, -b, &r.hi, &r.lo)
    return r


cdef inline DD dd_plus(DD a, DD b) noexcept nogil:
    cdef DD s, e
    cdef double t
    two_sum(a.hi, b.hi, &s.hi, &s.lo)
    two_sum(a.lo, b.lo, &e.hi, &e.lo)
    s.lo += e.hi
    t = s.hi + s.lo
    s.lo = s.lo - (t - s.hi)
    s.hi = t
    s.lo += e.lo
    t = s.hi + s.lo
    s.lo = s.lo - (t - s.hi)
    s.hi = t
    return s


cdef inline DD dd_minus(DD a, DD b) noexcept nogil:
    b.hi = -b.hi
    b.lo = -b.lo
    return dd_plus(a, b)


cdef inline DD dd_times(DD a, DD b) noexcept nogil:
    cdef DD p
    cdef double t
    two_product(a.hi, b.hi, &p.hi, &p.lo)
    p.lo += a.hi * b.lo + a.lo * b.hi
    t = p.hi + p.lo
    p.lo = p.lo - (t - p.hi)
    p.hi = t
    return p


cdef inline double dd_quotient(DD a, DD b) noexcept nogil:
    """a / b, rounded."""
    cdef double q = a.hi / b.hi
    cdef DD whole, rest
    whole.hi = q
    whole.lo = 0.0
    rest = dd_minus(a, dd_times(b, whole))
    return q + rest.hi / b.hi
