"""A normal density, integrated over power cells in space.

In the coordinates z = W (x - mean), where the covariance is (W^T W)^-1, the density is the standard
normal one, and cells stay polytopes.  The divergence theorem takes integrals over a cell to its
faces, and from there to their edges:

- first moments of a cell are minus the sum of the faces' normals times their masses, and second
  moments follow from the faces' first moments; those of a face in the same way from its edges,
  whose masses are differences of error functions;
- the mass of a cell is that of the cones over its faces from the mean.  With h the height of a face
  above the mean, r the distance of a point and t the angle around the face's foot,

      4 pi mass = sum over faces of h (integral of S(r) dt along the edges - S(h) turn),

  S(r) = sqrt(2 / pi) - erf(r / sqrt 2) / r, with `turn` 2 pi for a face that holds its foot and 0
  for another.  For a cell away from the mean S(r) is erfc(r / sqrt 2) / r, small in the tails.
  The mass of a face in its plane is likewise an integral of exp(-r^2 / 2) dt.

So there are two integrals for each edge of each face, by Gauss's rule after the substitution
s = d sinh(u) along the edge, d the distance of its line from the foot.  Pieces are halved until the
exponent varies by no more than one rule serves for.

These sums lose the square of the ratio of the cell's distance from the mean to its extent.  A cell
over which the exponent varies little is the fan of tetrahedra of a corner instead, each integrated
by Gauss's rule for pyramids: there all terms are positive.

Errors of masses are below 1e-10 of them, mostly some 1e-14, of cells that the exponent varies over
and that are thicker than 1e-3; of thinner ones below 1e-13 over their thickness.  What is known of
a mass below 1e-290 is that it is small.

Cost: two exponentials and an error function for each of twelve nodes of a piece.
"""

import numpy as np
from scipy.special import roots_jacobi, roots_legendre

from libc.math cimport M_PI, NAN, asinh, atan2, cosh, erf, erfc, exp, expm1, fabs, sqrt

from geomot._core.space.cells cimport Polytope, trace_facet
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.measure cimport (
    SPREAD, Density3D, Measure3D, Sums, finish, scratch_reserve)
from geomot._core.space.regular cimport Regular3D
from geomot._core.status cimport NO_MEMORY, OK

cdef enum:
    NODES = 12
    STACK = 64              # pieces that wait: each halving leaves one
    TERMS = 14              # of the series of S
    LARGEST = 5             # nodes of the largest rule for pyramids, in each direction

# On [0, 1].
cdef double[NODES] NODE, WEIGHT
# Of a piece: its length in u, and how much the exponent may vary.
cdef double LONGEST = 1.5
cdef double VARIATION = 8.0
# Beyond this nothing is left of 1 / cosh(u).
cdef double FARTHEST = 40.0
# Where erf has become 1, as an exponent; and a drop of the density below which nothing counts.
cdef double SATURATED = 45.0
cdef double DEPTH = 60.0
# Deviations from which a cell, or a face in its plane, is away.
cdef double AWAY = 1.0
# Edges that are rounding, relative to their distance from the mean.
cdef double SHORTEST = 2.0**-50
# Turns that are rounding.
cdef double NO_TURN = 1e-6
cdef double ROOT = sqrt(0.5)
cdef double HEIGHT = sqrt(2.0 / M_PI)


# Up to which variation of the exponent a rule for pyramids is good to 1e-14.
cdef double[LARGEST + 1] REACH
# On [0, 1], row n for n nodes: with the weights u^2, u and 1.
cdef double[3][LARGEST + 1][LARGEST] RAY, SHARE


def _fill_tables():
    cdef int k, n, power
    reach = {3: 0.006, 4: 0.1, 5: 0.4}
    for n in range(LARGEST + 1):
        REACH[n] = reach.get(n, 0.0)
        for power in range(3):
            if n in reach:
                x, weights = roots_jacobi(n, 0.0, power)
                for k in range(n):
                    RAY[power][n][k] = 0.5 + 0.5 * x[k]
                    SHARE[power][n][k] = 0.5 ** (power + 1) * weights[k]
    x, weights = roots_legendre(NODES)
    for k in range(NODES):
        NODE[k] = 0.5 + 0.5 * x[k]
        WEIGHT[k] = 0.5 * weights[k]


_fill_tables()


cdef struct Face:
    # in whitened coordinates; integrals are those of the density over the face
    double[3] normal
    double height           # above the mean
    double solid            # 4 pi times its cone's mass, or minus that of what lies beyond
    double mass
    double[3] first
    double[6] second        # of z about the foot of the face


cdef inline double dot(const double* a, const double* b) noexcept nogil:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


cdef inline void set_cross(const double* a, const double* b, double* out) noexcept nogil:
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


cdef inline double normal_at(double x) noexcept nogil:
    """The standard normal density on the line."""
    return 0.5 * HEIGHT * exp(-0.5 * x * x)


cdef double normal_between(double a, double b) noexcept nogil:
    """Its integral from a to b, a < b."""
    if a > 0.0:
        return 0.5 * (erfc(ROOT * a) - erfc(ROOT * b))
    if b < 0.0:
        return 0.5 * (erfc(-ROOT * b) - erfc(-ROOT * a))
    return 0.5 * (erf(ROOT * b) - erf(ROOT * a))


cdef double inner(double r) noexcept nogil:
    """sqrt(2 / pi) - erf(r / sqrt 2) / r."""
    cdef double square, term, total
    cdef int k
    if r > 1.0:
        return HEIGHT - erf(ROOT * r) / r
    square = -0.5 * r * r
    term = 1.0
    total = 0.0
    for k in range(1, TERMS):
        term *= square / k
        total -= term / (2 * k + 1)
    return HEIGHT * total


cdef inline double outer(double r) noexcept nogil:
    """erfc(r / sqrt 2) / r."""
    return erfc(ROOT * r) / r


cdef class NormalDensity(Density3D):
    """A normal density.

    Parameters
    ----------
    mean : (3,) array
        In the units of the kernels.
    factor : (3, 3) array
        Lower triangular, its product with its transpose the covariance.
    volume : float
        Of the domain.
    """
    cdef double[3] mean
    cdef double[3][3] white         # the inverse of the factor
    cdef double[3][3] back          # the factor
    cdef double peak                # of the density
    cdef double average             # over the domain

    def __init__(self, mean, factor, double volume):
        cdef int j, k
        back = np.asarray(factor, dtype=np.float64)
        white = np.linalg.inv(back)
        for j in range(3):
            self.mean[j] = mean[j]
            for k in range(3):
                self.white[j][k] = white[j, k]
                self.back[j][k] = back[j, k]
        self.peak = white[0, 0] * white[1, 1] * white[2, 2] * (0.5 * HEIGHT) ** 3
        self.average = 1.0 / volume

    cdef inline void whiten(self, const double* x, double* out) noexcept nogil:
        cdef int j
        for j in range(3):
            out[j] = (self.white[j][0] * x[0] + self.white[j][1] * x[1]
                      + self.white[j][2] * x[2])

    cdef double relative(self, const double* x) noexcept nogil:
        cdef double[3] away, z
        cdef int j
        for j in range(3):
            away[j] = x[j] - self.mean[j]
        self.whiten(away, z)
        return self.peak * exp(-0.5 * dot(z, z)) / self.average

    cdef void place(self, const Polytope* cell, const double* x, double* out) noexcept nogil:
        """A place of the cell's frame in whitened coordinates."""
        cdef double[3] away
        cdef int j
        for j in range(3):
            away[j] = (cell.origin[j] - self.mean[j]) + x[j]
        self.whiten(away, out)

    cdef int integrate(self, Polytope* cell, Regular3D mesh, Domain3D domain,
                       Measure3D* out) noexcept nogil:
        cdef const double* site = mesh.s + 5 * <Py_ssize_t> cell.site
        cdef double[3] z, first, turned, centre
        cdef double[6] second
        cdef double nearest = 1e300, away = -1e300, solid = 0.0, mass
        cdef Py_ssize_t k, w, m
        cdef int i, j, at
        cdef Face face
        cdef bint tail
        cdef int order
        if scratch_reserve(out, 3 * cell.n_vertices) != OK:
            return NO_MEMORY
        for j in range(3):
            first[j] = 0.0
        for j in range(6):
            second[j] = 0.0
        for k in range(cell.n_vertices):
            self.place(cell, cell.vertex[k].x, z)
            nearest = min(nearest, 0.5 * dot(z, z))
        # normals go with the transposed factor
        for w in range(cell.n_walls):
            if cell.head[w] < 0:
                continue
            self.set_plane(cell, w, &face)
            away = max(away, -face.height)
        tail = away > AWAY
        for w in range(cell.n_walls):
            if cell.head[w] < 0:
                continue
            m = trace_facet(cell, w)
            if m < 0:
                return NO_MEMORY
            self.set_plane(cell, w, &face)
            for k in range(m):
                self.place(cell, cell.corner + 3 * k, out.scratch + 3 * k)
            measure_face(&face, out.scratch, m, tail, nearest)
            solid += face.solid
            at = 0
            for i in range(3):
                first[i] -= face.normal[i] * face.mass
                for j in range(i, 3):
                    # of z_i z_j the normal may go with either
                    second[at] -= 0.5 * (face.normal[i] * (face.first[j] + face.height
                                                           * face.normal[j] * face.mass)
                                         + face.normal[j] * (face.first[i] + face.height
                                                             * face.normal[i] * face.mass))
                    at += 1
            self.set_facet(cell, w, &face, out)
        order = self.order_for(cell)
        if order <= LARGEST:
            return self.by_pyramids(cell, site, order, out)
        mass = solid / (4.0 * M_PI)
        out.cost = 0.0
        if not mass > 0.0:
            out.mass = 0.0
            for j in range(3):
                out.centre[j] = NAN
            return OK
        out.mass = mass
        second[0] += mass
        second[3] += mass
        second[5] += mass
        for j in range(3):
            centre[j] = dot(self.back[j], first) / mass
            turned[j] = self.mean[j] - site[j]
            out.centre[j] = centre[j] + (self.mean[j] - cell.origin[j])
            out.cost += as_it_lies(self.back, second, j, j)
            out.cost += mass * turned[j] * (2.0 * centre[j] + turned[j])
        out.cost = max(out.cost, 0.0)
        return OK

    cdef int order_for(self, const Polytope* cell) noexcept nogil:
        """Nodes for pyramids from the first vertex; LARGEST + 1 where none are enough."""
        cdef double[3] base, z
        cdef double varies = 0.0, square
        cdef Py_ssize_t k
        cdef int j, order = 3
        self.place(cell, cell.vertex[0].x, base)
        for k in range(1, cell.n_vertices):
            self.place(cell, cell.vertex[k].x, z)
            for j in range(3):
                z[j] -= base[j]
            square = dot(z, z)
            varies = max(varies, fabs(dot(base, z)) + square + 2.0 * sqrt(square))
        while order <= LARGEST and varies > REACH[order]:
            order += 1
        return order

    cdef int by_pyramids(self, Polytope* cell, const double* site, int order,
                         Measure3D* out) noexcept nogil:
        """Mass, centroid and cost of a small cell; OK or NO_MEMORY."""
        cdef double[3] base, a, b, c, cross, side, z
        cdef double[10] total
        cdef double[6] second
        cdef Sums sums
        cdef double volume, weight, u, v, t
        cdef Py_ssize_t w, m, k
        cdef int i, j, h, p, q
        for j in range(10):
            total[j] = 0.0
        self.place(cell, cell.vertex[0].x, base)
        for w in range(cell.n_walls):
            if (cell.head[w] < 0 or cell.vertex[0].wall[0] == w or cell.vertex[0].wall[1] == w
                    or cell.vertex[0].wall[2] == w):
                continue
            m = trace_facet(cell, w)
            if m < 0:
                return NO_MEMORY
            self.from_base(cell, cell.corner, a)
            self.from_base(cell, cell.corner + 3, b)
            for k in range(2, m):
                self.from_base(cell, cell.corner + 3 * k, c)
                set_cross(b, c, cross)
                volume = dot(a, cross)
                for i in range(order):
                    u = RAY[2][order][i]
                    for j in range(order):
                        v = RAY[1][order][j]
                        for h in range(order):
                            t = RAY[0][order][h]
                            for p in range(3):
                                side[p] = a[p] + v * ((b[p] - a[p]) + t * (c[p] - b[p]))
                                z[p] = u * side[p]
                            weight = (volume * SHARE[2][order][i] * SHARE[1][order][j]
                                      * SHARE[0][order][h]
                                      * exp(-(dot(base, z) + 0.5 * dot(z, z))))
                            total[0] += weight
                            total[1] += weight * z[0]
                            total[2] += weight * z[1]
                            total[3] += weight * z[2]
                            total[4] += weight * z[0] * z[0]
                            total[5] += weight * z[0] * z[1]
                            total[6] += weight * z[0] * z[2]
                            total[7] += weight * z[1] * z[1]
                            total[8] += weight * z[1] * z[2]
                            total[9] += weight * z[2] * z[2]
                for p in range(3):
                    b[p] = c[p]
        weight = (0.5 * HEIGHT) ** 3 * exp(-0.5 * dot(base, base))
        for q in range(6):
            second[q] = weight * total[4 + q]
        sums.one = weight * total[0]
        sums.second = 0.0
        for p in range(3):
            sums.first[p] = weight * dot(self.back[p], total + 1)
            sums.second += as_it_lies(self.back, second, p, p)
        finish(cell, site, &sums, out)
        out.cost = max(out.cost, 0.0)
        return OK

    cdef inline void from_base(self, const Polytope* cell, const double* x,
                               double* out) noexcept nogil:
        """A place in whitened coordinates, minus the first vertex."""
        cdef double[3] away
        cdef int j
        for j in range(3):
            away[j] = x[j] - cell.vertex[0].x[j]
        self.whiten(away, out)

    cdef void set_plane(self, const Polytope* cell, Py_ssize_t w, Face* face) noexcept nogil:
        """Set normal and height."""
        cdef const double* normal = &cell.wall[w].normal[0]
        cdef double length, offset = cell.wall[w].offset
        cdef int j
        for j in range(3):
            face.normal[j] = (self.back[0][j] * normal[0] + self.back[1][j] * normal[1]
                              + self.back[2][j] * normal[2])
            offset -= normal[j] * (self.mean[j] - cell.origin[j])
        length = sqrt(dot(face.normal, face.normal))
        for j in range(3):
            face.normal[j] /= length
        face.height = offset / length

    cdef void set_facet(self, const Polytope* cell, Py_ssize_t w, const Face* face,
                        Measure3D* out) noexcept nogil:
        """Set what the density has along a face as it lies."""
        cdef double[3] turned, base, shift, first
        cdef double[6] second
        cdef double scale
        cdef double* moment
        cdef int i, j, at
        for j in range(3):
            turned[j] = (self.white[0][j] * face.normal[0] + self.white[1][j] * face.normal[1]
                         + self.white[2][j] * face.normal[2])
        scale = sqrt(dot(turned, turned))
        out.facet[w] = max(scale * face.mass, 0.0)
        if not out.wants_moments:
            return
        self.place(cell, cell.vertex[0].x, base)
        for j in range(3):
            shift[j] = face.height * face.normal[j] - base[j]
            first[j] = face.first[j] + shift[j] * face.mass
        at = 0
        for i in range(3):
            for j in range(i, 3):
                second[at] = (face.second[at] + shift[i] * face.first[j]
                              + shift[j] * face.first[i] + shift[i] * shift[j] * face.mass)
                at += 1
        moment = out.moment + SPREAD * w
        moment[0] = scale * face.mass
        at = 4
        for i in range(3):
            moment[1 + i] = scale * dot(self.back[i], first)
            for j in range(i, 3):
                moment[at] = scale * as_it_lies(self.back, second, i, j)
                at += 1


cdef double as_it_lies(const double[3][3] back, const double* second, int i,
                       int j) noexcept nogil:
    """The moment of coordinates i and j from those of the whitened ones."""
    cdef double[3] row
    row[0] = back[j][0] * second[0] + back[j][1] * second[1] + back[j][2] * second[2]
    row[1] = back[j][0] * second[1] + back[j][1] * second[3] + back[j][2] * second[4]
    row[2] = back[j][0] * second[2] + back[j][1] * second[4] + back[j][2] * second[5]
    return dot(back[i], row)


cdef void measure_face(Face* face, const double* corner, Py_ssize_t m, bint tail,
                       double nearest) noexcept nogil:
    """Set all but normal and height, from the corners, which turn around the normal.

    `nearest` is the exponent of a point of the cell."""
    cdef double[3] along, out
    cdef const double* a
    cdef const double* b
    cdef double h = face.height, level = normal_at(h), length, d, start, end
    cdef double turn = 0.0, flat = 0.0, inward = 1e300, side, ends, solid = 0.0
    cdef Py_ssize_t k
    cdef int i, j, at, sweep
    cdef bint apart = False
    face.mass = 0.0
    for j in range(3):
        face.first[j] = 0.0
    for j in range(6):
        face.second[j] = 0.0
    # first where the foot lies, then the integrals
    for sweep in range(2):
        for k in range(m):
            a = corner + 3 * k
            b = corner + 3 * (k + 1 if k + 1 < m else 0)
            for j in range(3):
                along[j] = b[j] - a[j]
            # in the face's plane, which rounding may leave
            length = dot(along, face.normal)
            for j in range(3):
                along[j] -= length * face.normal[j]
            length = sqrt(dot(along, along))
            if not length > SHORTEST * (fabs(a[0]) + fabs(a[1]) + fabs(a[2])):
                continue
            for j in range(3):
                along[j] /= length
            set_cross(along, face.normal, out)
            d = dot(a, out)
            start = dot(a, along)
            end = start + length
            if sweep == 0:
                inward = min(inward, d)
                if d != 0.0:
                    turn += atan2(d * length, d * d + start * end)
                continue
            add_edge(h, d, start, end, tail, apart, nearest, &solid, &flat)
            # first moments: minus the outer normals times the edges' masses
            side = level * normal_at(d) * normal_between(start, end)
            ends = level * normal_at(d) * (normal_at(start) - normal_at(end))
            at = 0
            for i in range(3):
                face.first[i] -= out[i] * side
                for j in range(i, 3):
                    face.second[at] -= (d * side * out[i] * out[j]
                                        + 0.5 * ends * (out[i] * along[j] + along[i] * out[j]))
                    at += 1
        apart = inward < -AWAY
    if fabs(turn) < NO_TURN:
        turn = 0.0
    if tail:
        face.solid = h * solid - (turn * (erfc(ROOT * h) if h > 0.0 else -erfc(-ROOT * h))
                                  if turn != 0.0 else 0.0)
    else:
        face.solid = h * (solid - turn * inner(fabs(h)))
    face.mass = level * (-flat if apart else flat) / (2.0 * M_PI)
    at = 0
    for i in range(3):
        for j in range(i, 3):
            face.second[at] += face.mass * ((1.0 if i == j else 0.0)
                                            - face.normal[i] * face.normal[j])
            at += 1


cdef void add_edge(double h, double d, double start, double end, bint tail, bint apart,
                   double nearest, double* solid, double* flat) noexcept nogil:
    """Add the integrals over the angle along an edge, from `start` to `end` at the distance d from
    the foot: of `inner` or, in the tail, `outer`, and of 1 - exp(-r^2 / 2) in the plane or, apart
    from the foot, exp(-r^2 / 2)."""
    cdef double[STACK] low, high
    cdef double a, b, near, far, size = fabs(d), level = 0.5 * h * h
    cdef double sign = 1.0 if d > 0.0 else -1.0
    cdef double variation, u, c, square, weight
    cdef int waiting = 1, k
    cdef bint gone
    if d == 0.0:
        return
    low[0] = min(max(asinh(start / size), -FARTHEST), FARTHEST)
    high[0] = min(max(asinh(end / size), -FARTHEST), FARTHEST)
    while waiting > 0:
        waiting -= 1
        a = low[waiting]
        b = high[waiting]
        if not b > a:
            continue
        near = 0.0 if a < 0.0 < b else min(fabs(a), fabs(b))
        near = size * cosh(near)
        far = size * cosh(max(fabs(a), fabs(b)))
        near = 0.5 * near * near
        far = 0.5 * far * far
        gone = level + near > nearest + DEPTH
        if gone and tail and apart:
            continue
        variation = 0.0
        if not (tail and gone):
            variation = far - near if tail else (
                min(level + far, SATURATED) - min(level + near, SATURATED))
        if not (apart and gone):
            variation = max(variation, far - near if apart else (
                min(far, SATURATED) - min(near, SATURATED)))
        if (variation > VARIATION or b - a > LONGEST) and waiting + 2 <= STACK:
            u = 0.5 * (a + b)
            low[waiting] = a
            high[waiting] = u
            low[waiting + 1] = u
            high[waiting + 1] = b
            waiting += 2
            continue
        for k in range(NODES):
            u = a + (b - a) * NODE[k]
            c = cosh(u)
            square = d * d * c * c
            weight = sign * WEIGHT[k] * (b - a) / c
            if not (tail and gone):
                c = sqrt(h * h + square)
                solid[0] += weight * (outer(c) if tail else inner(c))
            flat[0] += weight * (exp(-0.5 * square) if apart else -expm1(-0.5 * square))
