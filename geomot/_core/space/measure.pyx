"""Integrals of a density over one cell in space and along its facets; shapes come from `cells`.

A density sees a cell as a polytope in the cell's own frame, as `cells` has computed it: places of
vertices, walls, areas of facets, volume, centroid and cost.

`integrate` sets the mass, the centroid (NaN where there is no mass), the integral of |x - y_i|^2
and, for each wall, the integral of the density over the facet there; 0.0 makes no facet.
Coordinates are those of the kernels, multiplied by a power of two, and in them the integral of the
density over the domain is 1.  Facets are measured from their own cell: where a density jumps along
one, the derivative of the masses is the mean of what both cells have found, which the door takes.
`empty`, False before, becomes true for a cell without an interior where the density is defined.

A density may cut parts from a cell by planes of its own, exactly, as a domain's planes cut it:
those planes follow the domain's in `Domain3D.plane`.  `add_linear` sums over a part where the
density is linear, tetrahedron by tetrahedron about one of the part's vertices: there no term is
negative.

Where the derivatives in the sites are wanted, `moment` has room for the moments of the density
along each facet.
"""

from libc.math cimport NAN, fabs, sqrt
from libc.stdlib cimport free, realloc

from geomot._core.space.cells cimport (
    Polytope, list_walls, polytope_free, polytope_init, trace_facet)
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.regular cimport Regular3D
from geomot._core.status cimport NO_MEMORY, OK

import numpy as np

# Gauss's rule on a triangle in coordinates (r, (1 - r) s), exact for polynomials of degree 3:
# shares of the three corners, and weights of sum 1.
RULE[0][:] = [0.6663902460147014, 0.15505102572168219, 0.17855872826361643, 0.31804138174397717]
RULE[1][:] = [0.17855872826361643, 0.15505102572168219, 0.6663902460147014, 0.31804138174397717]
RULE[2][:] = [0.28001991549907407, 0.6449489742783178, 0.07503111022260812, 0.18195861825602283]
RULE[3][:] = [0.07503111022260812, 0.6449489742783178, 0.28001991549907407, 0.18195861825602283]


cdef int measure_init(Measure3D* measure, bint wants_moments=False) noexcept nogil:
    """Room for what one thread measures; OK or NO_MEMORY, after which it must be freed, too."""
    cdef int k, status = OK
    measure.facet = NULL
    measure.room = 0
    measure.wants_moments = wants_moments
    measure.moment = NULL
    measure.moment_room = 0
    measure.scratch = NULL
    measure.scratch_room = 0
    for k in range(PARTS):
        if polytope_init(&measure.part[k]) != OK:
            status = NO_MEMORY
    return status


cdef void measure_free(Measure3D* measure) noexcept nogil:
    cdef int k
    free(measure.facet)
    free(measure.moment)
    free(measure.scratch)
    for k in range(PARTS):
        polytope_free(&measure.part[k])


cdef inline int grow(double** block, Py_ssize_t* room, Py_ssize_t wanted) noexcept nogil:
    cdef double* moved
    if wanted <= room[0]:
        return OK
    moved = <double*> realloc(block[0], 2 * <size_t> wanted * sizeof(double))
    if moved == NULL:
        return NO_MEMORY
    block[0] = moved
    room[0] = 2 * wanted
    return OK


cdef int measure_reserve(Measure3D* measure, Py_ssize_t walls) noexcept nogil:
    """Zeros for the facets of a cell of so many walls; OK or NO_MEMORY."""
    cdef Py_ssize_t k
    if grow(&measure.facet, &measure.room, walls) != OK:
        return NO_MEMORY
    for k in range(walls):
        measure.facet[k] = 0.0
    if measure.wants_moments:
        if grow(&measure.moment, &measure.moment_room, SPREAD * walls) != OK:
            return NO_MEMORY
        for k in range(SPREAD * walls):
            measure.moment[k] = 0.0
    return OK


cdef int scratch_reserve(Measure3D* measure, Py_ssize_t numbers) noexcept nogil:
    """Room for so many numbers in `scratch`, whose contents are kept; OK or NO_MEMORY."""
    return grow(&measure.scratch, &measure.scratch_room, numbers)


# ---- sums over parts ----

cdef inline double value_at(const Linear* f, double x, double y, double z) noexcept nogil:
    """The density at a point, of which rounding makes nothing negative."""
    return max(f.value + (f.gradient[0] * (x - f.at[0]) + f.gradient[1] * (y - f.at[1])
                          + f.gradient[2] * (z - f.at[2])), 0.0)


cdef void add_triangle(const double* a, const double* b, const double* c, double fa, double fb,
                       double fc, double area, double* moment) noexcept nogil:
    """Add the moments of a linear function over a triangle of that area."""
    cdef int q
    cdef double r, s, t, f, x, y, z
    for q in range(4):
        r = RULE[q][0]
        s = RULE[q][1]
        t = RULE[q][2]
        x = r * a[0] + s * b[0] + t * c[0]
        y = r * a[1] + s * b[1] + t * c[1]
        z = r * a[2] + s * b[2] + t * c[2]
        f = area * RULE[q][3] * (r * fa + s * fb + t * fc)
        moment[0] += f
        moment[1] += f * x
        moment[2] += f * y
        moment[3] += f * z
        moment[4] += f * x * x
        moment[5] += f * x * y
        moment[6] += f * x * z
        moment[7] += f * y * y
        moment[8] += f * y * z
        moment[9] += f * z * z


cdef int add_linear(Polytope* part, const Polytope* cell, const Linear* f, double narrow,
                    Sums* sums, Measure3D* out) noexcept nogil:
    """Add the integrals of a linear density over a part of a cell; OK or NO_MEMORY.

    The first walls of the part are those of the cell.  Of its facets those of an area up to
    `narrow` are left out, which rounding may have made."""
    cdef double[3] shift, apex, unit, a, b, c
    cdef double[SPREAD] moment
    cdef const double* base = &cell.vertex[0].x[0]
    cdef const double* corner
    cdef double fo, fa, fb, fc, area, turn, height, volume, total, along, length
    cdef double one, second, part_one = 0.0, part_second = 0.0, sx, sy, sz, tx, ty, tz, aa, bb, cc
    cdef double[3] first, part_first
    cdef Py_ssize_t w, m, k
    cdef int j
    list_walls(part)
    for j in range(3):
        shift[j] = part.origin[j] - cell.origin[j]
        apex[j] = (part.vertex[0].x[j] + shift[j]) - base[j]
        part_first[j] = 0.0
    fo = value_at(f, shift[0] + part.vertex[0].x[0], shift[1] + part.vertex[0].x[1],
                  shift[2] + part.vertex[0].x[2])
    for w in range(part.n_walls):
        if part.head[w] < 0:
            continue
        m = trace_facet(part, w)
        if m < 0:
            return NO_MEMORY
        corner = part.corner
        length = sqrt(part.wall[w].normal[0] * part.wall[w].normal[0]
                      + part.wall[w].normal[1] * part.wall[w].normal[1]
                      + part.wall[w].normal[2] * part.wall[w].normal[2])
        height = 0.0
        for j in range(3):
            unit[j] = part.wall[w].normal[j] / length
            a[j] = corner[j] - part.vertex[0].x[j]
            b[j] = corner[3 + j] - part.vertex[0].x[j]
            height += unit[j] * a[j]
        # no height over a facet that the apex is a corner of
        if (part.vertex[0].wall[0] == w or part.vertex[0].wall[1] == w
                or part.vertex[0].wall[2] == w):
            height = 0.0
        fa = value_at(f, shift[0] + corner[0], shift[1] + corner[1], shift[2] + corner[2])
        fb = value_at(f, shift[0] + corner[3], shift[1] + corner[4], shift[2] + corner[5])
        aa = a[0] * a[0] + a[1] * a[1] + a[2] * a[2]
        bb = b[0] * b[0] + b[1] * b[1] + b[2] * b[2]
        area = along = one = second = 0.0
        first[0] = first[1] = first[2] = 0.0
        for k in range(SPREAD):
            moment[k] = 0.0
        for k in range(2, m):
            corner = part.corner + 3 * k
            for j in range(3):
                c[j] = corner[j] - part.vertex[0].x[j]
            fc = value_at(f, shift[0] + corner[0], shift[1] + corner[1], shift[2] + corner[2])
            cc = c[0] * c[0] + c[1] * c[1] + c[2] * c[2]
            turn = 0.5 * (
                unit[0] * ((b[1] - a[1]) * (c[2] - a[2]) - (b[2] - a[2]) * (c[1] - a[1]))
                + unit[1] * ((b[2] - a[2]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[2] - a[2]))
                + unit[2] * ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])))
            area += turn
            along += turn * (fa + fb + fc)
            if height > 0.0:
                volume = turn * height / 3.0
                total = fo + fa + fb + fc
                sx = a[0] + b[0] + c[0]
                sy = a[1] + b[1] + c[1]
                sz = a[2] + b[2] + c[2]
                tx = fa * a[0] + fb * b[0] + fc * c[0]
                ty = fa * a[1] + fb * b[1] + fc * c[1]
                tz = fa * a[2] + fb * b[2] + fc * c[2]
                one += volume * total
                first[0] += volume * (total * sx + tx)
                first[1] += volume * (total * sy + ty)
                first[2] += volume * (total * sz + tz)
                second += volume * (
                    total * (sx * sx + sy * sy + sz * sz + aa + bb + cc)
                    + 2.0 * (sx * tx + sy * ty + sz * tz + fa * aa + fb * bb + fc * cc))
            if out.wants_moments and w < cell.n_walls:
                add_moments(part, shift, base, k, fa, fb, fc, turn, moment)
            for j in range(3):
                b[j] = c[j]
            bb = cc
            fb = fc
        turn = 1.0 if area >= 0.0 else -1.0
        part_one += turn * one / 4.0
        for j in range(3):
            part_first[j] += turn * first[j] / 20.0
        part_second += turn * second / 120.0
        if w < cell.n_walls and fabs(area) > narrow:
            out.facet[w] += turn * along / 3.0
            if out.wants_moments:
                for k in range(SPREAD):
                    out.moment[SPREAD * w + k] += turn * moment[k]
    # of a part so thin that rounding turns it inside out nothing is left
    if part_one > 0.0:
        sums.one += part_one
        sums.second += part_second
        for j in range(3):
            sums.first[j] += part_first[j] + part_one * apex[j]
            sums.second += apex[j] * (2.0 * part_first[j] + part_one * apex[j])
    return OK


cdef void add_moments(const Polytope* part, const double* shift, const double* base, Py_ssize_t k,
                      double fa, double fb, double fc, double area,
                      double* moment) noexcept nogil:
    """Add those of triangle k of the fan of the facet that was traced last."""
    cdef double[9] x
    cdef Py_ssize_t h
    cdef int j
    for j in range(3):
        x[j] = (part.corner[j] + shift[j]) - base[j]
        for h in range(2):
            x[3 * (h + 1) + j] = (part.corner[3 * (k - 1 + h) + j] + shift[j]) - base[j]
    add_triangle(x, x + 3, x + 6, fa, fb, fc, area, moment)


cdef void finish(const Polytope* cell, const double* site, const Sums* sums,
                 Measure3D* out) noexcept nogil:
    """From sums about the cell's first vertex to its measures."""
    cdef int j
    cdef double away, mean
    out.mass = sums.one
    out.cost = 0.0
    for j in range(3):
        out.centre[j] = NAN
    if not sums.one > 0.0:
        out.mass = 0.0
        return
    out.cost = sums.second
    for j in range(3):
        mean = sums.first[j] / sums.one
        away = (cell.origin[j] - site[j]) + cell.vertex[0].x[j]
        out.centre[j] = cell.vertex[0].x[j] + mean
        out.cost += sums.one * away * (2.0 * mean + away)


# ---- densities ----

cdef class Density3D:
    """A density in space, in the units of the kernels."""

    def __cinit__(self, *_, **__):
        self.planes = np.empty((0, 4))

    cdef int integrate(self, Polytope* cell, Regular3D mesh, Domain3D domain,
                       Measure3D* out) noexcept nogil:
        """Integrate over a cell, and over its facets, for which there is room.

        The cell has an interior in the domain that the diagram is clipped to. OK, NO_MEMORY or
        INTERRUPTED."""
        return OK

    cdef double relative(self, const double* x) noexcept nogil:
        """The density at a point of the domain, relative to its mean over the domain."""
        return 1.0


cdef class Uniform3D(Density3D):
    """The same density everywhere."""

    def __init__(self, double value):
        self.value = value

    cdef int integrate(self, Polytope* cell, Regular3D mesh, Domain3D domain,
                       Measure3D* out) noexcept nogil:
        cdef int j
        out.mass = cell.volume * self.value
        out.cost = cell.cost * self.value
        for j in range(3):
            out.centre[j] = cell.centre[j]
        return add_facets(cell, self.value, out)


cdef int add_facets(Polytope* cell, double value, Measure3D* out) noexcept nogil:
    """Add the integrals of a constant over the facets of a cell; OK or NO_MEMORY."""
    cdef Py_ssize_t w, k, m
    cdef int j
    cdef double[3] zero
    cdef double area
    cdef const double* c
    cdef double[SPREAD] moment
    zero[0] = zero[1] = zero[2] = 0.0
    for w in range(cell.n_walls):
        out.facet[w] += cell.area[w] * value
        if not out.wants_moments or cell.head[w] < 0 or not cell.area[w] > 0.0:
            continue
        m = trace_facet(cell, w)
        if m < 0:
            return NO_MEMORY
        c = cell.corner
        for k in range(SPREAD):
            moment[k] = 0.0
        for k in range(2, m):
            area = 0.0
            for j in range(3):
                area += cell.wall[w].normal[j] * (
                    (c[3 * k - 3 + (j + 1) % 3] - c[(j + 1) % 3])
                    * (c[3 * k + (j + 2) % 3] - c[(j + 2) % 3])
                    - (c[3 * k - 3 + (j + 2) % 3] - c[(j + 2) % 3])
                    * (c[3 * k + (j + 1) % 3] - c[(j + 1) % 3]))
            add_moments(cell, zero, &cell.vertex[0].x[0], k, 1.0, 1.0, 1.0, area, moment)
        # scaled to the area, which is more exact
        if moment[0] != 0.0:
            for k in range(SPREAD):
                out.moment[SPREAD * w + k] += value * cell.area[w] * (moment[k] / moment[0])
    return OK


cdef class Blend3D(Density3D):
    """A density with a share of the uniform one mixed in.

    Parameters
    ----------
    density : Density3D
        Any density.
    uniform : Uniform3D
        The uniform one, on all that diagrams are clipped to.
    share : float
        How much of the mass is uniform.
    """
    cdef Density3D density
    cdef Uniform3D uniform
    cdef double share

    def __init__(self, Density3D density, Uniform3D uniform, double share):
        self.density = density
        self.uniform = uniform
        self.share = share
        self.planes = density.planes

    cdef int integrate(self, Polytope* cell, Regular3D mesh, Domain3D domain,
                       Measure3D* out) noexcept nogil:
        cdef double value = self.share * self.uniform.value, rest = 1.0 - self.share
        cdef double own, uniform, mass
        cdef Py_ssize_t k
        cdef int j, status = self.density.integrate(cell, mesh, domain, out)
        if status != OK:
            return status
        own = rest * out.mass
        uniform = value * cell.volume
        mass = own + uniform
        out.empty = False
        out.mass = mass
        out.cost = rest * out.cost + value * cell.cost
        for j in range(3):
            out.centre[j] = (uniform / mass) * cell.centre[j] + (
                (own / mass) * out.centre[j] if own > 0.0 else 0.0)
        for k in range(cell.n_walls):
            out.facet[k] *= rest
        if out.wants_moments:
            for k in range(SPREAD * cell.n_walls):
                out.moment[k] *= rest
        return add_facets(cell, value, out)

    cdef double relative(self, const double* x) noexcept nogil:
        return (1.0 - self.share) * self.density.relative(x) + self.share
