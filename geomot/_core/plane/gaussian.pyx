"""Normal densities, and mixtures of some, integrated over power cells.

In the coordinates z = W (x - mean), where the covariance is (W^T W)^-1, a normal density is a
multiple of exp(-|z|^2 / 2), and cells stay polygons.  All integrals are sums of positive terms,
relative to a point of the cell, the base: the exponent is minus

    |b|^2 / 2 + (b.v + |v|^2 / 2),          z = b + v,

the first part, the same for the whole cell, in twice the working precision.  So a cell keeps its
relative accuracy in the tails, as long as its mass does not underflow.

- A cell beside which the density hardly bends is the fan of triangles of its first corner, whose
  areas are exact however thin the cell is.  Each is integrated along its rays and across them by
  Gauss's rules, of an order that the exponent's variation asks for.
- A larger one has its base where the density is largest in it.  From there the density falls along
  every ray, at least as exp(-r^2 / 2), so that what falls below exp(-DEPTH) is nothing.  The
  triangles of the fan are halved, along their rays or across them, until a rule serves or nothing
  is left.

Sides by Gauss's rules too, and by the error function where they are long.

Cost: at ten thousand cells 16 to 25 exponentials a triangle and four or five a side.
"""

import numpy as np
from scipy.special import roots_jacobi, roots_legendre

from libc.math cimport INFINITY, M_PI, NAN, erf, exp, fabs, log, sqrt
from scipy.special.cython_special cimport erfcx

from geomot._core.plane.cells cimport Cell
from geomot._core.plane.measure cimport Density, Measure, scratch_reserve
from geomot._core.plane.regular cimport Regular2D
from geomot._core.predicates cimport two_product, two_sum
from geomot._core.status cimport OK
from geomot._core.types cimport index_t

cdef enum:
    LARGEST = 16            # nodes of the largest rule
    STACK = 128             # parts that wait: each halving leaves one

# Up to which variation of the exponent each rule is good to 1e-14 of an integral; the order itself
# where it is 0.
cdef double[LARGEST + 1] REACH
# Nodes and weights on [0, 1], row n for n nodes: with the weight u along rays, and with none.
cdef double[LARGEST + 1][LARGEST] RAY_NODE, RAY_WEIGHT, SIDE_NODE, SIDE_WEIGHT

# Drop of the exponent from its largest value in a cell, below which 1e-15 of the second moment is.
cdef double DEPTH = 44.0
# A cell whose exponent varies by less is integrated triangle by triangle.
cdef double SMALL = 3.2
# A normal density's exponent is the square of this times a distance.
cdef double ROOT = sqrt(0.5)
# Logarithm of how much a density may add to another one without a trace.
cdef double NEGLIGIBLE = 44.0


def _fill_tables():
    cdef int n, k
    reach = {3: 0.006, 4: 0.1, 5: 0.4, 6: 1.0, 7: 1.8, 8: 3.2, 10: 6.0, 12: 9.9, 14: 14.0,
             16: 18.0}
    for n in range(LARGEST + 1):
        REACH[n] = reach.get(n, 0.0)
        if n in reach:
            x, weights = roots_jacobi(n, 0.0, 1.0)
            t, lengths = roots_legendre(n)
            for k in range(n):
                RAY_NODE[n][k] = 0.5 + 0.5 * x[k]
                RAY_WEIGHT[n][k] = 0.25 * weights[k]
                SIDE_NODE[n][k] = 0.5 + 0.5 * t[k]
                SIDE_WEIGHT[n][k] = 0.5 * lengths[k]


_fill_tables()


cdef struct Point:
    # minus the base: in the whitened coordinates, and as it lies
    double u
    double v
    double x
    double y


cdef struct Base:
    # where the exponent is taken from: whitened, to twice the working precision, and its rest
    double u
    double ul
    double v
    double vl
    double exponent
    double exponent_low


cdef struct Sums:
    # integrals of exp(exponent - that of the base) x (1, x, y, x^2 + y^2), about the base
    double one
    double x
    double y
    double square


cdef struct Part:
    # of a triangle: what two lines across its rays, and two of its rays, cut out
    Point[2] near
    Point[2] far
    double start            # of the rays, as a share of their length up to the triangle's side
    double length
    double measure          # share of the side times twice the triangle's area as it lies


cdef inline int order_for(double variation) noexcept nogil:
    """Nodes for a variation of the exponent; LARGEST + 1 where none are enough."""
    cdef int n = 3
    while n <= LARGEST and not variation <= REACH[n]:
        n += 1
    return n


cdef inline double variation(double u, double v, double du, double dv) noexcept nogil:
    """By how much the exponent may vary, and bend, from the place (u, v) along (du, dv)."""
    cdef double square = du * du + dv * dv
    return fabs(u * du + v * dv) + square + 2.0 * sqrt(square)


cdef inline double drop(const Base* base, double u, double v) noexcept nogil:
    """By how much the exponent falls from the base to another place."""
    return base.u * u + base.v * v + 0.5 * (u * u + v * v)


cdef void add_product(double a, double al, double b, double bl, double* s,
                      double* e) noexcept nogil:
    """s + e += (a + al)(b + bl), in twice the working precision."""
    cdef double p, pe, t, te
    two_product(a, b, &p, &pe)
    pe += a * bl + al * b
    two_sum(s[0], p, &t, &te)
    s[0] = t
    e[0] += te + pe


cdef struct Normal:
    # one of the normal measures
    double mean_x
    double mean_y
    double[6] white         # W_xx, W_yx, W_yy as hi, lo
    double peak             # its density at its mean, times its share


cdef class GaussianDensity(Density):
    """The density of a normal measure, or of a mixture of some.

    Parameters
    ----------
    means : (k, 2) array
        In the units of the kernels.
    whitenings : (k, 3, 2) array
        The entries W_xx, W_yx, W_yy of lower triangular matrices, each as hi + lo.
    shares : (k,) array
        Positive, of sum 1.
    area : float
        Of the domain.
    """
    cdef double[:, ::1] part    # (k, 9): of each measure the numbers of a Normal
    cdef Py_ssize_t n
    cdef double area

    def __init__(self, means, whitenings, shares, area):
        white = np.reshape(whitenings, (-1, 6))
        peak = np.asarray(shares) * white[:, 0] * white[:, 4] / (2.0 * M_PI)
        self.part = np.ascontiguousarray(np.column_stack([means, white, peak]))
        self.n = len(peak)
        self.area = area

    cdef double relative(self, double x, double y) noexcept nogil:
        cdef const Normal* normal
        cdef double u, v, total = 0.0
        cdef Py_ssize_t k
        for k in range(self.n):
            normal = <const Normal*> &self.part[k, 0]
            u = normal.white[0] * (x - normal.mean_x)
            v = normal.white[2] * (x - normal.mean_x) + normal.white[4] * (y - normal.mean_y)
            total += normal.peak * exp(-0.5 * (u * u + v * v))
        return total * self.area

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        cdef Py_ssize_t m = cell.size, k
        cdef Point* corner
        cdef double* most
        cdef double least
        cdef int status = scratch_reserve(out, 4 * m + self.n)
        if status != OK:
            return status
        corner = <Point*> out.scratch
        most = out.scratch + 4 * m
        out.mass = out.cost = out.centre_x = out.centre_y = 0.0
        for k in range(m):
            out.facet[k] = 0.0
            if out.moment != NULL:
                out.moment[2 * k] = out.moment[2 * k + 1] = 0.0
        least = self.bounds_on(cell, most) if self.n > 1 else 0.0
        for k in range(self.n):
            # what is nowhere in the cell more than a share of another's density is nothing
            if self.n == 1 or most[k] > least - NEGLIGIBLE:
                add_normal(<const Normal*> &self.part[k, 0], cell, corner, out)
        if not out.mass > 0.0:
            out.centre_x = out.centre_y = NAN
        return OK

    cdef double bounds_on(self, const Cell* cell, double* most) noexcept nogil:
        """Bounds on the logarithms of the densities in a cell: above each, below the best."""
        cdef const Normal* normal
        cdef double x, y, u, v, square, centre, radius, peak, least = -INFINITY
        cdef Py_ssize_t k, j
        for k in range(self.n):
            normal = <const Normal*> &self.part[k, 0]
            x = (cell.site_x + cell.shift_x) - normal.mean_x
            y = (cell.site_y + cell.shift_y) - normal.mean_y
            u = normal.white[0] * (x + cell.x[0])
            v = normal.white[2] * (x + cell.x[0]) + normal.white[4] * (y + cell.y[0])
            centre = sqrt(u * u + v * v)
            square = 0.0
            for j in range(1, cell.size):
                x = cell.x[j] - cell.x[0]
                u = normal.white[0] * x
                v = normal.white[2] * x + normal.white[4] * (cell.y[j] - cell.y[0])
                square = max(square, u * u + v * v)
            radius = sqrt(square)
            peak = log(normal.peak)
            most[k] = peak - 0.5 * max(0.0, centre - radius) * max(0.0, centre - radius)
            least = max(least, peak - 0.5 * (centre + radius) * (centre + radius))
        return least


cdef void add_normal(const Normal* normal, const Cell* cell, Point* corner,
                     Measure* out) noexcept nogil:
    """Add what a normal measure has in a cell."""
    cdef Py_ssize_t m = cell.size, k, j
    cdef Base base
    cdef Sums sums
    cdef double scale, mass, ox, oy, largest = 0.0
    cdef double[2] means
    place(normal, cell, &base)
    for k in range(m):
        corner[k].x = cell.x[k]
        corner[k].y = cell.y[k]
        corner[k].u = normal.white[0] * cell.x[k]
        corner[k].v = normal.white[2] * cell.x[k] + normal.white[4] * cell.y[k]
    ox = corner[0].x
    oy = corner[0].y
    move(&base, corner, m, corner[0])
    for k in range(1, m):
        largest = max(largest, variation(base.u, base.v, corner[k].u, corner[k].v))
    sums.one = sums.x = sums.y = sums.square = 0.0
    if largest <= SMALL:
        for k in range(2, m):
            if cell.twice[k] > 0.0:
                add_triangle(&base, corner, corner + (k - 1), corner + k, cell.twice[k], &sums)
    else:
        move_to_summit(normal, cell, &base, corner, &ox, &oy)
        for k in range(2, m):
            if cell.twice[k] > 0.0:
                add_large(&base, corner, corner + (k - 1), corner + k, cell.twice[k], &sums)
    scale = normal.peak * exp(base.exponent) * (1.0 + base.exponent_low)
    mass = scale * sums.one
    if mass > 0.0:
        out.mass += mass
        out.centre_x += mass / out.mass * (ox + sums.x / sums.one - out.centre_x)
        out.centre_y += mass / out.mass * (oy + sums.y / sums.one - out.centre_y)
    ox += cell.shift_x
    oy += cell.shift_y
    out.cost += scale * (sums.square + 2.0 * (ox * sums.x + oy * sums.y)
                         + (ox * ox + oy * oy) * sums.one)
    for k in range(m):
        j = k - 1 if k > 0 else m - 1
        out.facet[k] += cell.length[k] * scale * mean_along(&base, corner + j, corner + k, means)
        if out.moment != NULL:
            out.moment[2 * k] += cell.length[k] * scale * means[0]
            out.moment[2 * k + 1] += cell.length[k] * scale * means[1]


cdef void place(const Normal* normal, const Cell* cell, Base* base) noexcept nogil:
    """The frame's origin, whitened."""
    cdef double x, xl, y, yl
    difference(cell.site_x, cell.shift_x, normal.mean_x, &x, &xl)
    difference(cell.site_y, cell.shift_y, normal.mean_y, &y, &yl)
    base.u = base.ul = base.v = base.vl = 0.0
    add_product(normal.white[0], normal.white[1], x, xl, &base.u, &base.ul)
    add_product(normal.white[2], normal.white[3], x, xl, &base.v, &base.vl)
    add_product(normal.white[4], normal.white[5], y, yl, &base.v, &base.vl)


cdef void move_to_summit(const Normal* normal, const Cell* cell, Base* base, Point* corner,
                         double* ox, double* oy) noexcept nogil:
    """Move the base to where the density is largest in the cell."""
    cdef Point summit, step
    cdef Py_ssize_t m = cell.size, k, j
    cdef double square, t, du, dv, u, v, distance, least = -1.0
    cdef bint inside = True
    cdef double x, xl, y, yl
    for k in range(m):
        j = k - 1 if k > 0 else m - 1
        step.u = corner[k].u - corner[j].u
        step.v = corner[k].v - corner[j].v
        u = base.u + corner[j].u
        v = base.v + corner[j].v
        if not step.v * u - step.u * v > 0.0:
            inside = False
        square = step.u * step.u + step.v * step.v
        t = -(u * step.u + v * step.v)
        t = 0.0 if not t > 0.0 else (1.0 if t >= square else t / square)
        du = u + t * step.u
        dv = v + t * step.v
        distance = du * du + dv * dv
        if least < 0.0 or distance < least:
            least = distance
            summit.u = corner[j].u + t * step.u
            summit.v = corner[j].v + t * step.v
            summit.x = corner[j].x + t * (corner[k].x - corner[j].x)
            summit.y = corner[j].y + t * (corner[k].y - corner[j].y)
    if inside:
        difference(cell.site_x, cell.shift_x, normal.mean_x, &x, &xl)
        difference(cell.site_y, cell.shift_y, normal.mean_y, &y, &yl)
        summit.u = -base.u
        summit.v = -base.v
        summit.x = -x - ox[0]
        summit.y = -y - oy[0]
    ox[0] += summit.x
    oy[0] += summit.y
    move(base, corner, m, summit)


cdef inline void difference(double site, double shift, double mean, double* hi,
                            double* lo) noexcept nogil:
    """site + shift - mean, in twice the working precision."""
    cdef double s, e, t, te
    two_sum(site, shift, &s, &e)
    two_sum(s, -mean, &t, &te)
    two_sum(t, te + e, hi, lo)


cdef void move(Base* base, Point* corner, Py_ssize_t m, Point to) noexcept nogil:
    """Take everything from another base, given from the old one."""
    cdef Py_ssize_t k
    cdef double s, e, p = 0.0, pe = 0.0
    two_sum(base.u, to.u, &s, &e)
    two_sum(s, e + base.ul, &base.u, &base.ul)
    two_sum(base.v, to.v, &s, &e)
    two_sum(s, e + base.vl, &base.v, &base.vl)
    for k in range(m):
        corner[k].u -= to.u
        corner[k].v -= to.v
        corner[k].x -= to.x
        corner[k].y -= to.y
    add_product(base.u, base.ul, base.u, base.ul, &p, &pe)
    add_product(base.v, base.vl, base.v, base.vl, &p, &pe)
    base.exponent = -0.5 * p
    base.exponent_low = -0.5 * pe


cdef void add_triangle(const Base* base, const Point* a, const Point* b, const Point* c,
                       double twice, Sums* sums) noexcept nogil:
    """Add the integrals over a triangle that one rule serves."""
    cdef Part part
    set_part(&part, a, b, c, twice)
    add_part(base, &part, min(LARGEST, order_for(along(base, &part))),
             min(LARGEST, order_for(across(base, &part))), sums)


cdef void add_large(const Base* base, const Point* a, const Point* b, const Point* c,
                    double twice, Sums* sums) noexcept nogil:
    """Add the integrals over a triangle of any size and shape.

    It is cut into two with a right angle: in them rays towards the shorter leg are across it."""
    cdef const Point* p = a
    cdef const Point* q = b
    cdef const Point* r = c
    cdef Point foot
    cdef double square = apart(a, b), t
    if apart(b, c) > square:
        square = apart(b, c)
        p = b
        q = c
        r = a
    if apart(c, a) > square:
        square = apart(c, a)
        p = c
        q = a
        r = b
    if not square > 0.0:
        return
    t = ((r.u - p.u) * (q.u - p.u) + (r.v - p.v) * (q.v - p.v)) / square
    foot = at_share(p, q, t)
    add_right(base, p, &foot, r, t * twice, sums)
    add_right(base, q, &foot, r, (1.0 - t) * twice, sums)


cdef inline Point at_share(const Point* a, const Point* b, double t) noexcept nogil:
    cdef Point p
    p.u = a.u + t * (b.u - a.u)
    p.v = a.v + t * (b.v - a.v)
    p.x = a.x + t * (b.x - a.x)
    p.y = a.y + t * (b.y - a.y)
    return p


cdef void add_right(const Base* base, const Point* a, const Point* foot, const Point* b,
                    double twice, Sums* sums) noexcept nogil:
    """Add the integrals over a triangle with a right angle, halved as often as it takes."""
    cdef Part[STACK] stack
    cdef Part* top
    cdef double rays, sides
    cdef int size = 1
    if not twice > 0.0:
        return
    if apart(a, foot) > apart(b, foot):
        set_part(stack, a, foot, b, twice)
    else:
        set_part(stack, b, foot, a, twice)
    while size > 0:
        top = &stack[size - 1]
        if least_drop(base, top) > DEPTH:
            size -= 1
            continue
        rays = along(base, top)
        sides = across(base, top)
        if max(rays, sides) <= REACH[LARGEST] or size == STACK:
            add_part(base, top, min(LARGEST, order_for(rays)), min(LARGEST, order_for(sides)),
                     sums)
            size -= 1
            continue
        if rays > sides:
            halve_rays(top, &stack[size])
        else:
            halve_sides(top, &stack[size])
        size += 1


cdef void set_part(Part* part, const Point* a, const Point* b, const Point* c,
                   double twice) noexcept nogil:
    """The triangle of the rays from a to the side from b to c."""
    part.near[0] = part.near[1] = a[0]
    part.far[0] = b[0]
    part.far[1] = c[0]
    part.start = 0.0
    part.length = 1.0
    part.measure = twice


cdef inline double apart(const Point* a, const Point* b) noexcept nogil:
    """Squared distance, whitened."""
    return (b.u - a.u) * (b.u - a.u) + (b.v - a.v) * (b.v - a.v)


cdef inline Point middle(const Point* a, const Point* b) noexcept nogil:
    cdef Point m
    m.u = 0.5 * (a.u + b.u)
    m.v = 0.5 * (a.v + b.v)
    m.x = 0.5 * (a.x + b.x)
    m.y = 0.5 * (a.y + b.y)
    return m


cdef void halve_rays(Part* part, Part* rest) noexcept nogil:
    """Keep the near half of the rays, and set the far one."""
    rest[0] = part[0]
    part.far[0] = middle(part.near, part.far)
    part.far[1] = middle(part.near + 1, part.far + 1)
    part.length *= 0.5
    rest.near[0] = part.far[0]
    rest.near[1] = part.far[1]
    rest.length = part.length
    rest.start = part.start + part.length


cdef void halve_sides(Part* part, Part* rest) noexcept nogil:
    """Keep the first half of the rays, and set the others."""
    rest[0] = part[0]
    part.near[1] = middle(part.near, part.near + 1)
    part.far[1] = middle(part.far, part.far + 1)
    part.measure *= 0.5
    rest.near[0] = part.near[1]
    rest.far[0] = part.far[1]
    rest.measure = part.measure


cdef inline double between(const Base* base, const Point* a, const Point* b) noexcept nogil:
    """By how much the exponent may vary from a to b."""
    cdef double du = b.u - a.u, dv = b.v - a.v
    return max(variation(base.u + a.u, base.v + a.v, du, dv),
               variation(base.u + b.u, base.v + b.v, du, dv))


cdef inline double along(const Base* base, const Part* part) noexcept nogil:
    return max(between(base, part.near, part.far), between(base, part.near + 1, part.far + 1))


cdef inline double across(const Base* base, const Part* part) noexcept nogil:
    return max(between(base, part.near, part.near + 1), between(base, part.far, part.far + 1))


cdef double least_drop(const Base* base, const Part* part) noexcept nogil:
    """A bound on how little the exponent falls: the drop is convex, and above its tangents."""
    cdef double u = 0.0, v = 0.0, gu, gv, least
    cdef int k
    for k in range(2):
        u += 0.25 * (part.near[k].u + part.far[k].u)
        v += 0.25 * (part.near[k].v + part.far[k].v)
    gu = base.u + u
    gv = base.v + v
    least = gu * (part.near[0].u - u) + gv * (part.near[0].v - v)
    least = min(least, gu * (part.near[1].u - u) + gv * (part.near[1].v - v))
    least = min(least, gu * (part.far[0].u - u) + gv * (part.far[0].v - v))
    least = min(least, gu * (part.far[1].u - u) + gv * (part.far[1].v - v))
    return drop(base, u, v) + least


cdef void add_part(const Base* base, const Part* part, int rays, int sides,
                   Sums* sums) noexcept nogil:
    """Add the integrals over a part of a triangle by a product of two rules."""
    cdef const Point* a = &part.near[0]
    cdef const Point* b = &part.far[0]
    cdef double du = (part.far[1].u - b.u) - (part.near[1].u - a.u)
    cdef double dv = (part.far[1].v - b.v) - (part.near[1].v - a.v)
    cdef double dx = (part.far[1].x - b.x) - (part.near[1].x - a.x)
    cdef double dy = (part.far[1].y - b.y) - (part.near[1].y - a.y)
    cdef double t, u, v, x, y, px, py, fall, slope, bend, r, g, e0, e1, e2
    cdef double one = 0.0, sx = 0.0, sy = 0.0, square = 0.0
    cdef const double* node = SIDE_NODE[rays]
    cdef double[LARGEST] weight
    cdef int k, j
    if part.start == 0.0:
        node = RAY_NODE[rays]
        for j in range(rays):
            weight[j] = part.length * part.length * RAY_WEIGHT[rays][j]
    else:
        for j in range(rays):
            weight[j] = part.length * SIDE_WEIGHT[rays][j] * (part.start + node[j] * part.length)
    for k in range(sides):
        t = SIDE_NODE[sides][k]
        u = a.u + t * (part.near[1].u - a.u)
        v = a.v + t * (part.near[1].v - a.v)
        x = (b.u - a.u) + t * du
        y = (b.v - a.v) + t * dv
        fall = drop(base, u, v)
        slope = (base.u + u) * x + (base.v + v) * y
        bend = 0.5 * (x * x + y * y)
        e0 = e1 = e2 = 0.0
        for j in range(rays):
            r = node[j]
            g = weight[j] * exp(-(fall + r * (slope + r * bend)))
            e0 += g
            g *= r
            e1 += g
            e2 += g * r
        t = SIDE_WEIGHT[sides][k]
        px = a.x + SIDE_NODE[sides][k] * (part.near[1].x - a.x)
        py = a.y + SIDE_NODE[sides][k] * (part.near[1].y - a.y)
        x = (b.x - a.x) + SIDE_NODE[sides][k] * dx
        y = (b.y - a.y) + SIDE_NODE[sides][k] * dy
        one += t * e0
        sx += t * (px * e0 + x * e1)
        sy += t * (py * e0 + y * e1)
        square += t * ((px * px + py * py) * e0 + 2.0 * (px * x + py * y) * e1
                       + (x * x + y * y) * e2)
    sums.one += part.measure * one
    sums.x += part.measure * sx
    sums.y += part.measure * sy
    sums.square += part.measure * square


cdef double mean_along(const Base* base, const Point* a, const Point* b,
                       double* means) noexcept nogil:
    """The mean along a side of exp(exponent - that of the base); `means` of it times t and t^2."""
    cdef double u = base.u + a.u, v = base.v + a.v, du = b.u - a.u, dv = b.v - a.v
    cdef double fall = drop(base, a.u, a.v), slope = u * du + v * dv
    cdef double bend = 0.5 * (du * du + dv * dv), t, total = 0.0, length, height, low, high
    cdef double value, between, at_low, at_high
    cdef int n = order_for(variation(u, v, du, dv)), k
    if n <= LARGEST:
        means[0] = means[1] = 0.0
        for k in range(n):
            t = SIDE_NODE[n][k]
            value = SIDE_WEIGHT[n][k] * exp(-(fall + t * (slope + t * bend)))
            total += value
            means[0] += t * value
            means[1] += t * t * value
        return total
    length = sqrt(2.0 * bend)
    height = (u * dv - v * du) / length
    low = slope / length
    high = low + length
    # the density at both ends, times sqrt(2 pi); that at the line's foot may overflow
    at_low = exp(-fall)
    at_high = exp(-drop(base, b.u, b.v))
    if low > 0.0:
        between = at_low * erfcx(low * ROOT) - at_high * erfcx(high * ROOT)
    elif high < 0.0:
        between = at_high * erfcx(-high * ROOT) - at_low * erfcx(-low * ROOT)
    else:
        between = (erf(high * ROOT) - erf(low * ROOT)) * exp(-0.5 * height * height - base.exponent)
    between *= sqrt(0.5 * M_PI)
    means[0] = (at_low - at_high - low * between) / (length * length)
    means[1] = ((1.0 + low * low) * between - low * at_low - (high - 2.0 * low) * at_high) / (
        length * length * length)
    return between / length
