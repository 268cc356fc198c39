"""Exact signs by expansion arithmetic (Shewchuk 1997; Priest 1991).

An expansion is a sum of doubles, smallest first, whose components do not overlap; sums, products
and signs of expansions are exact barring overflow and underflow, which the door rules out by
scaling the input with a power of two.  Components that are zero are dropped as they appear, so
inputs with few significant bits (grids, integers) stay short and fast.
"""

from libc.math cimport fabs

# ---- expansions: each function returns the length of its result ----

cdef int exp_diff(double a, double b, double* h) noexcept nogil:
    """h = a - b."""
    cdef double s, e
    cdef int n = 0
    two_sum(a, -b, &s, &e)
    if e != 0.0:
        h[n] = e
        n += 1
    if s != 0.0:
        h[n] = s
        n += 1
    return n


cdef int exp_sum(int m, const double* e, int n, const double* f, double* h) noexcept nogil:
    """h = e + f (m + n terms at most); h must not alias e or f."""
    cdef int i = 0, j = 0, k = 0
    cdef double q, r, s, next_term
    if m == 0:
        for j in range(n):
            h[j] = f[j]
        return n
    if n == 0:
        for i in range(m):
            h[i] = e[i]
        return m
    if fabs(e[0]) < fabs(f[0]):
        q = e[0]
        i = 1
    else:
        q = f[0]
        j = 1
    while i < m or j < n:
        if j == n or (i < m and fabs(e[i]) < fabs(f[j])):
            next_term = e[i]
            i += 1
        else:
            next_term = f[j]
            j += 1
        two_sum(q, next_term, &s, &r)
        q = s
        if r != 0.0:
            h[k] = r
            k += 1
    if q != 0.0:
        h[k] = q
        k += 1
    return k


cdef int exp_scale(int m, const double* e, double b, double* h) noexcept nogil:
    """h = e * b (2 m terms at most)."""
    cdef int i, k = 0
    cdef double q, t, p, pe, s, r
    if m == 0 or b == 0.0:
        return 0
    two_product(e[0], b, &q, &r)
    if r != 0.0:
        h[k] = r
        k += 1
    for i in range(1, m):
        two_product(e[i], b, &p, &pe)
        two_sum(q, pe, &s, &r)
        if r != 0.0:
            h[k] = r
            k += 1
        two_sum(p, s, &t, &r)
        q = t
        if r != 0.0:
            h[k] = r
            k += 1
    if q != 0.0:
        h[k] = q
        k += 1
    return k


cdef int exp_product(int m, const double* e, int n, const double* f, double* h,
                     double* work) noexcept nogil:
    """h = e * f (2 m n terms at most); work holds 2 m n + 2 m doubles."""
    cdef int i, j, k = 0, t
    cdef double* scaled = work
    cdef double* total = work + 2 * m
    for i in range(n):
        t = exp_scale(m, e, f[i], scaled)
        if i == 0:
            for j in range(t):
                h[j] = scaled[j]
            k = t
        else:
            for j in range(k):
                total[j] = h[j]
            k = exp_sum(k, total, t, scaled, h)
    return k


cdef inline int exp_sign(int n, const double* e) noexcept nogil:
    if n == 0:
        return 0
    return 1 if e[n - 1] > 0.0 else -1


cdef inline double exp_estimate(int n, const double* e) noexcept nogil:
    cdef double s = 0.0
    cdef int i
    for i in range(n):
        s += e[i]
    return s


cdef inline void exp_negate(int n, double* e) noexcept nogil:
    cdef int i
    for i in range(n):
        e[i] = -e[i]


cdef int exp_weight_difference(const double* a, const double* b, double* h) noexcept nogil:
    """h = w_a - w_b (4 terms at most)."""
    cdef double hi[2]
    cdef double lo[2]
    return exp_sum(exp_diff(a[2], b[2], hi), hi, exp_diff(a[3], b[3], lo), lo, h)


cdef int exp_dot(int na, const double* a, int nb, const double* b,
                 int nu, const double* u, int nv, const double* v, double* h) noexcept nogil:
    """h = a u + b v for expansions of up to two terms (16 terms at most)."""
    cdef double p[8]
    cdef double q[8]
    cdef double work[16]
    cdef int np = exp_product(na, a, nu, u, p, work)
    cdef int nq = exp_product(nb, b, nv, v, q, work)
    return exp_sum(np, p, nq, q, h)


cdef int exp_minor(const ExactLine* l1, const ExactLine* l2, double* h) noexcept nogil:
    """h = a1 b2 - a2 b1 (16 terms at most)."""
    cdef double p[8]
    cdef double q[8]
    cdef double work[16]
    cdef int np = exp_product(l1.na, l1.a, l2.nb, l2.b, p, work)
    cdef int nq = exp_product(l2.na, l2.a, l1.nb, l1.b, q, work)
    exp_negate(nq, q)
    return exp_sum(np, p, nq, q, h)


# ---- lines ----

cdef void exact_bisector(const double* site, const double* other, ExactLine* line) noexcept nogil:
    """Power bisector of site and other, in the frame of site: 2 d.z <= |d|^2 + w_site - w_other."""
    cdef double square[16]
    cdef double dw[4]
    cdef int ns, nw, k
    line.na = exp_diff(other[0], site[0], line.a)
    line.nb = exp_diff(other[1], site[1], line.b)
    ns = exp_dot(line.na, line.a, line.nb, line.b, line.na, line.a, line.nb, line.b, square)
    nw = exp_weight_difference(site, other, dw)
    line.nc = exp_sum(ns, square, nw, dw, line.c)
    for k in range(line.nc):
        line.c[k] *= 0.5


cdef void exact_edge(const double* p, const double* q, double ox, double oy,
                     ExactLine* line) noexcept nogil:
    """Inner half-plane of the directed edge pq of a counter-clockwise polygon, in the frame o."""
    cdef double px[2]
    cdef double py[2]
    cdef int nx = exp_diff(p[0], ox, px), ny = exp_diff(p[1], oy, py)
    line.na = exp_diff(q[1], p[1], line.a)
    line.nb = exp_diff(p[0], q[0], line.b)
    line.nc = exp_dot(line.na, line.a, line.nb, line.b, nx, px, ny, py, line.c)


cdef int turn_exact(const ExactLine* l1, const ExactLine* l2) noexcept nogil:
    """Sign of a1 b2 - a2 b1: +1 if the normal of l2 lies counter-clockwise of that of l1."""
    cdef double minor[16]
    return exp_sign(exp_minor(l1, l2, minor), minor)


cdef int exp_det3(const ExactLine* l1, const ExactLine* l2, const ExactLine* l3,
                  double* total) noexcept nogil:
    """total = det[c a b] over the three lines (1920 terms at most)."""
    cdef const ExactLine* lines[3]
    cdef double minor[16]
    cdef double term[640]
    cdef double work[680]
    cdef double other[1920]
    cdef int k, j, n, nt, ntotal = 0
    lines[0] = l1
    lines[1] = l2
    lines[2] = l3
    for k in range(3):
        n = exp_minor(lines[(k + 1) % 3], lines[(k + 2) % 3], minor)
        nt = exp_product(lines[k].nc, lines[k].c, n, minor, term, work)
        for j in range(ntotal):
            other[j] = total[j]
        ntotal = exp_sum(ntotal, other, nt, term, total)
    return ntotal


cdef int det3_exact(const ExactLine* l1, const ExactLine* l2, const ExactLine* l3) noexcept nogil:
    """Sign of det[c a b] over the three lines; with a1 b2 > a2 b1: +1 if the vertex of l1 and l2
    lies strictly inside l3, -1 if strictly outside."""
    cdef double det[1920]
    return exp_sign(exp_det3(l1, l2, l3, det), det)


cdef double exact_distance_ratio(const ExactLine* l1, const ExactLine* l2,
                                 const ExactLine* l3) noexcept nogil:
    """Distance from the vertex of l1 and l2 to l3, times the length of l3's normal."""
    cdef double det[1920]
    cdef double minor[16]
    cdef double d12 = exp_estimate(exp_minor(l1, l2, minor), minor)
    return exp_estimate(exp_det3(l1, l2, l3, det), det) / d12


cdef double exact_facet_ratio(const ExactLine* l1, const ExactLine* l2,
                              const ExactLine* l3) noexcept nogil:
    """Length of the edge that l1 and l3 cut from l2, over the length of l2's normal."""
    cdef double det[1920]
    cdef double minor[16]
    cdef double d12 = exp_estimate(exp_minor(l1, l2, minor), minor)
    cdef double d23 = exp_estimate(exp_minor(l2, l3, minor), minor)
    return exp_estimate(exp_det3(l1, l2, l3, det), det) / d12 / d23


cdef int exp_shifted_offset(const ExactLine* line, double ox, double oy, double* h) noexcept nogil:
    """h = c - a ox - b oy (28 terms at most)."""
    cdef double p[4]
    cdef double q[4]
    cdef double s[8]
    cdef int np = exp_scale(line.na, line.a, -ox, p)
    cdef int nq = exp_scale(line.nb, line.b, -oy, q)
    cdef int ns = exp_sum(np, p, nq, q, s)
    return exp_sum(line.nc, line.c, ns, s, h)


cdef inline void exp_leading(int n, const double* e, double* hi, double* lo) noexcept nogil:
    """hi + lo = e to about 100 bits."""
    cdef int k
    hi[0] = 0.0
    lo[0] = 0.0
    if n > 0:
        hi[0] = e[n - 1]
        for k in range(n - 1):          # the smallest first
            lo[0] += e[k]
        two_sum(hi[0], lo[0], hi, lo)


cdef double exp_quotient(int m, const double* e, int n, const double* f) noexcept nogil:
    """e / f, rounded from about 100 bits."""
    cdef double eh, el, fh, fl, quotient, p, pe
    exp_leading(m, e, &eh, &el)
    exp_leading(n, f, &fh, &fl)
    quotient = eh / fh
    two_product(quotient, fh, &p, &pe)
    return quotient + (((eh - p) - pe) + (el - quotient * fl)) / fh


cdef int exp_cross(int nu, const double* u, int nb, const double* b,
                   int nv, const double* v, int na, const double* a, double* h) noexcept nogil:
    """h = u b - v a (224 terms at most); u, v of up to 28 terms, a, b of up to two."""
    cdef double p[112]
    cdef double q[112]
    cdef double work[168]
    cdef int np = exp_product(nu, u, nb, b, p, work)
    cdef int nq = exp_product(nv, v, na, a, q, work)
    exp_negate(nq, q)
    return exp_sum(np, p, nq, q, h)


cdef void exact_vertex(const ExactLine* l1, const ExactLine* l2,
                       double ox, double oy, double* x, double* y) noexcept nogil:
    """Intersection of two lines minus (ox, oy), each component rounded once."""
    cdef double c1[28]
    cdef double c2[28]
    cdef double minor[16]
    cdef double total[224]
    cdef int n1 = exp_shifted_offset(l1, ox, oy, c1)
    cdef int n2 = exp_shifted_offset(l2, ox, oy, c2)
    cdef int n = exp_minor(l1, l2, minor)
    x[0] = exp_quotient(exp_cross(n1, c1, l2.nb, l2.b, n2, c2, l1.nb, l1.b, total), total,
                        n, minor)
    y[0] = exp_quotient(exp_cross(n2, c2, l1.na, l1.a, n1, c1, l2.na, l2.a, total), total,
                        n, minor)


# ---- predicates behind the filters ----

cdef int orient_exact(const double* a, const double* b, const double* c) noexcept nogil:
    cdef ExactLine u, v
    cdef double minor[16]
    u.na = exp_diff(a[0], c[0], u.a)
    u.nb = exp_diff(a[1], c[1], u.b)
    v.na = exp_diff(b[0], c[0], v.a)
    v.nb = exp_diff(b[1], c[1], v.b)
    return exp_sign(exp_minor(&u, &v, minor), minor)


cdef int power_exact(const double* a, const double* b, const double* c,
                     const double* p) noexcept nogil:
    # The determinant of the three bisectors that p has with a, b and c.
    cdef ExactLine la, lb, lc
    exact_bisector(p, a, &la)
    exact_bisector(p, b, &lb)
    exact_bisector(p, c, &lc)
    return det3_exact(&la, &lb, &lc)


cdef int power_collinear(const double* a, const double* p, const double* b) noexcept nogil:
    """For p strictly between a and b on a line: +1 if the strip of p has positive width."""
    cdef ExactLine la, lb
    cdef double left[80]
    cdef double right[80]
    cdef double total[160]
    cdef double work[120]
    cdef int nl, nr
    exact_bisector(p, a, &la)
    exact_bisector(p, b, &lb)
    # The normals are opposite; weigh each offset by the other normal's length along one axis.
    if la.na > 0:
        nl = exp_product(la.nc, la.c, lb.na, lb.a, left, work)
        nr = exp_product(lb.nc, lb.c, la.na, la.a, right, work)
        if la.a[la.na - 1] > 0.0:
            exp_negate(nl, left)
        else:
            exp_negate(nr, right)
    else:
        nl = exp_product(la.nc, la.c, lb.nb, lb.b, left, work)
        nr = exp_product(lb.nc, lb.c, la.nb, la.b, right, work)
        if la.b[la.nb - 1] > 0.0:
            exp_negate(nl, left)
        else:
            exp_negate(nr, right)
    return exp_sign(exp_sum(nl, left, nr, right, total), total)


cdef int compare_power_exact(const double* a, const double* b, double x, double y,
                             double unit) noexcept nogil:
    cdef double dx[2]
    cdef double dy[2]
    cdef double u[2]
    cdef double v[2]
    cdef double s[4]
    cdef double t[4]
    cdef double work[20]
    cdef double px[16]
    cdef double py[16]
    cdef double dw[4]
    cdef double dot[32]
    cdef double total[36]
    cdef int ndx = exp_diff(b[0], a[0], dx), ndy = exp_diff(b[1], a[1], dy)
    cdef int ns = exp_sum(exp_diff(x, unit * a[0], u), u, exp_diff(x, unit * b[0], v), v, s)
    cdef int nt = exp_sum(exp_diff(y, unit * a[1], u), u, exp_diff(y, unit * b[1], v), v, t)
    cdef int npx = exp_product(ndx, dx, ns, s, px, work)
    cdef int npy = exp_product(ndy, dy, nt, t, py, work)
    cdef int nw = exp_weight_difference(b, a, dw), k
    cdef int nd = exp_sum(npx, px, npy, py, dot)
    for k in range(nw):
        dw[k] *= unit
    return exp_sign(exp_sum(nd, dot, nw, dw, total), total)


# ---- wrappers for tests ----

def _orient(const double[::1] a, const double[::1] b, const double[::1] c):
    """Exact sign of the orientation of three points (x, y, ...)."""
    return orient(&a[0], &b[0], &c[0])


def _power_test(const double[::1] a, const double[::1] b, const double[::1] c,
                const double[::1] p):
    """Exact sign of the power test on four sites (x, y, hi, lo)."""
    return power_test(&a[0], &b[0], &c[0], &p[0])


def _compare_power(const double[::1] a, const double[::1] b, double x, double y):
    """Exact sign of the difference of the powers of (x, y) from two sites."""
    return compare_power(&a[0], &b[0], x, y)


def _line_vertex(const double[::1] site, const double[::1] first, const double[::1] second):
    """Where the bisectors of `site` with two others meet, each component rounded once."""
    cdef ExactLine l1, l2
    cdef double x, y
    exact_bisector(&site[0], &first[0], &l1)
    exact_bisector(&site[0], &second[0], &l2)
    exact_vertex(&l1, &l2, -site[0], -site[1], &x, &y)
    return x, y
