"""A density that is linear on each of many tetrahedra, integrated over power cells.

The faces of the tetrahedra are planes in doubles, which are exact as they stand: a tetrahedron is
what its four planes enclose, and two that share a face share its plane.  Outside of all there is
nothing.

Where floating point numbers tell that a cell lies inside a tetrahedron, a tetrahedron inside a
cell, or both apart, nothing is cut.  Else the cell is cut by the planes of the tetrahedron that it
may meet, exactly as by the planes of a domain: whether a cell has an inside, and along which facets
it meets a tetrahedron, is decided and not estimated.

Parts are measured in the cell's frame.  Where the cell is slender, or where most of it is dark,
each part is measured once more in a frame of its own, so that its digits are relative to itself.

Cost: some microseconds for a cell and a tetrahedron that meet.  A grid of buckets finds the
tetrahedra near a cell.
"""

import numpy as np

from libc.math cimport fabs

from geomot._core.interrupt cimport interrupted
from geomot._core.predicates cimport ROUNDOFF
from geomot._core.space.cells cimport (
    NOTHING_LEFT, Polytope, Wall, extent, move_frame, polytope_copy, polytope_cut, set_plane,
    settle_places)
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.measure cimport (
    Density3D, Linear, Measure3D, Sums, add_linear, finish, measure_reserve)
from geomot._core.space.regular cimport Regular3D
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
from geomot._core.types cimport index_t

# Conditioning, not correctness: volume over the extent cubed, and mass over what the cell would
# have at its greatest density, below which parts have frames of their own.
cdef double SLENDER = 2.0**-10
cdef double FAINT = 2.0**-10
# Of the largest coordinate: what bounding boxes are widened by.
cdef double SLACK = 2.0**-40
# Areas of a part's facets, over the cell's extent squared, that rounding may make.
cdef double ROUND_AREA = 2.0**-46

cdef enum:
    WORK = 4096             # tetrahedra of one cell between two looks for Ctrl-C


cdef class Tetrahedra(Density3D):
    """Linear on each of many tetrahedra, and nothing elsewhere.

    Parameters
    ----------
    corners : (count, 4, 3) array
        In the units of the kernels.
    values : (count, 4) array
        The density at each corner, linear on each tetrahedron, not negative.
    planes : (p, 4) array
        Half-spaces, {x : normal.x <= offset}, the largest component of each normal at most 1.
    faces : (count, 4) array of int
        The planes that enclose each tetrahedron; -1 where a face lies on the border of the domain
        that cells are clipped to: it cuts no cell.
    """

    def __init__(self, corners, values, planes, faces):
        self.count = len(corners)
        # differences from the least dense corner keep the digits of densities near 0
        least = np.argsort(values, axis=1, kind="stable")
        corners = np.take_along_axis(corners, least[:, :, None], axis=1)
        values = np.take_along_axis(values, least, axis=1)
        self.corner = np.ascontiguousarray(corners)
        self.value = np.ascontiguousarray(values)
        self.planes = planes
        self.face = np.ascontiguousarray(faces, dtype=np.int32)
        edges = corners[:, 1:] - corners[:, :1]
        rises = values[:, 1:] - values[:, :1]
        self.gradient = np.ascontiguousarray(np.linalg.solve(edges, rises[:, :, None])[:, :, 0])
        volumes = np.abs(np.linalg.det(edges)) / 6.0
        extents = np.ptp(corners.reshape(-1, 3), axis=0)
        self.mean = float(np.sum(volumes * values.mean(axis=1)) / extents.prod())
        self.fill_buckets(corners.min(axis=1), corners.max(axis=1))

    def fill_buckets(self, low, high):
        """List the tetrahedra whose bounding box meets each bucket of a grid over all of them."""
        lower, upper = low.min(axis=0), high.max(axis=0)
        self.slack = SLACK * float(max(np.abs(lower).max(), np.abs(upper).max()))
        self.side = max(1, int(np.cbrt(self.count)))
        per = self.side / (upper - lower)
        for k in range(3):
            self.lower[k] = lower[k]
            self.per[k] = per[k]
        low, high = low - self.slack, high + self.slack
        self.box = np.hstack([low, high])
        first = np.clip(np.floor((low - lower) * per), 0, self.side - 1).astype(np.int64)
        last = np.clip(np.floor((high - lower) * per), 0, self.side - 1).astype(np.int64)
        spans = last - first + 1
        each = spans.prod(axis=1)
        piece = np.repeat(np.arange(self.count), each)
        within = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
        place = np.empty((len(piece), 3), dtype=np.int64)
        for k in (2, 1, 0):
            place[:, k] = first[piece, k] + within % spans[piece, k]
            within //= spans[piece, k]
        key = (place[:, 0] * self.side + place[:, 1]) * self.side + place[:, 2]
        order = np.argsort(key, kind="stable")
        self.bucket = piece[order].astype(np.int32)
        self.bucket_start = np.searchsorted(key[order], np.arange(self.side**3 + 1))
        self.first = first.astype(np.int32)

    cdef double relative(self, const double* x) noexcept nogil:
        cdef Py_ssize_t k, at = 0
        cdef int j
        cdef index_t p
        cdef double f
        for j in range(3):
            at = at * self.side + clamp((x[j] - self.lower[j]) * self.per[j], self.side)
        for k in range(self.bucket_start[at], self.bucket_start[at + 1]):
            p = self.bucket[k]
            if holds(&self.corner[p, 0, 0], x):
                f = self.value[p, 0]
                for j in range(3):
                    f += self.gradient[p, j] * (x[j] - self.corner[p, 0, j])
                return max(f, 0.0) / self.mean
        return 0.0

    cdef int integrate(self, Polytope* cell, Regular3D mesh, Domain3D domain,
                       Measure3D* out) noexcept nogil:
        cdef Found found
        cdef double scale = extent(cell)
        cdef bint slender = cell.volume < SLENDER * scale * scale * scale
        cdef int status = self.over_all(cell, mesh, domain, scale, slender, &found, out)
        if (status == OK and not slender and not found.whole and found.any
                and found.sums.one < FAINT * found.brightest * cell.volume):
            status = measure_reserve(out, cell.n_walls)
            if status == OK:
                status = self.over_all(cell, mesh, domain, scale, True, &found, out)
        out.empty = not found.any
        finish(cell, mesh.s + 5 * <Py_ssize_t> cell.site, &found.sums, out)
        return status

    cdef int over_all(self, Polytope* cell, Regular3D mesh, Domain3D domain, double scale,
                      bint finely, Found* found, Measure3D* out) noexcept nogil:
        """Add up what the tetrahedra near the cell hold of it; OK, NO_MEMORY or INTERRUPTED."""
        cdef Box around
        cdef Py_ssize_t[3] low
        cdef Py_ssize_t[3] high
        cdef Py_ssize_t k, x, y, z, work = 0, at
        cdef double value
        cdef index_t p
        cdef int j, status
        found.sums.one = found.sums.second = 0.0
        found.any = found.whole = False
        found.brightest = 0.0
        for j in range(3):
            found.sums.first[j] = 0.0
            around.lower[j] = around.upper[j] = cell.vertex[0].x[j]
        for k in range(1, cell.n_vertices):
            for j in range(3):
                value = cell.vertex[k].x[j]
                around.lower[j] = min(around.lower[j], value)
                around.upper[j] = max(around.upper[j], value)
        for j in range(3):
            around.lower[j] += cell.origin[j]
            around.upper[j] += cell.origin[j]
            low[j] = clamp((around.lower[j] - self.lower[j]) * self.per[j], self.side)
            high[j] = clamp((around.upper[j] - self.lower[j]) * self.per[j], self.side)
        for x in range(low[0], high[0] + 1):
            for y in range(low[1], high[1] + 1):
                for z in range(low[2], high[2] + 1):
                    at = (x * self.side + y) * self.side + z
                    for k in range(self.bucket_start[at], self.bucket_start[at + 1]):
                        p = self.bucket[k]
                        # each one once: in the first bucket that both share
                        if (max(low[0], self.first[p, 0]) != x
                                or max(low[1], self.first[p, 1]) != y
                                or max(low[2], self.first[p, 2]) != z):
                            continue
                        if (self.box[p, 0] > around.upper[0] or self.box[p, 3] < around.lower[0]
                                or self.box[p, 1] > around.upper[1]
                                or self.box[p, 4] < around.lower[1]
                                or self.box[p, 2] > around.upper[2]
                                or self.box[p, 5] < around.lower[2]):
                            continue
                        work += 1
                        if work % WORK == 0 and interrupted():
                            return INTERRUPTED
                        status = self.add_piece(cell, mesh, domain, p, &around, scale, finely,
                                                found, out)
                        if status != OK or found.whole:
                            return status
        return OK

    cdef int add_piece(self, Polytope* cell, Regular3D mesh, Domain3D domain, index_t p,
                       const Box* around, double scale, bint finely, Found* found,
                       Measure3D* out) noexcept nogil:
        """Add what a tetrahedron holds of the cell; OK or NO_MEMORY."""
        cdef const double* planes = &domain.plane[0, 0]
        cdef Polytope* part = &out.part[0]
        cdef Linear f
        cdef Wall wall
        cdef Py_ssize_t row, beyond
        cdef int j, k, side, status, n_cuts = 0
        cdef Py_ssize_t[4] cuts
        cdef Py_ssize_t[4] off
        for j in range(4):
            if self.face[p, j] < 0:
                continue
            row = domain.n + self.face[p, j]
            side = side_of_plane(cell, planes + 4 * row, around, &beyond)
            if side > 0:
                return OK
            if side == 0:
                # what cuts off most comes first: little is left to cut then
                k = n_cuts
                while k > 0 and off[k - 1] < beyond:
                    off[k] = off[k - 1]
                    cuts[k] = cuts[k - 1]
                    k -= 1
                off[k] = beyond
                cuts[k] = row
                n_cuts += 1
        if n_cuts > 0 and not finely and self.inside(cell, p, scale):
            self.add_whole(cell, p, &found.sums)
            found.any = True
            found.brightest = max(found.brightest, self.brightest(p))
            return OK
        if n_cuts == 0:
            found.whole = True
            part = cell
        elif polytope_copy(part, cell) != OK:
            return NO_MEMORY
        for j in range(n_cuts):
            set_plane(planes, cuts[j], cell.origin, &wall)
            status = polytope_cut(part, mesh.s, planes, &wall)
            if status == NOTHING_LEFT:
                return OK
            if status < 0:
                return status
        found.any = True
        found.brightest = max(found.brightest, self.brightest(p))
        if n_cuts > 0:
            if finely:
                move_frame(part, mesh.s, planes)
            else:
                settle_places(part, mesh.s, planes, scale)
        f.value = self.value[p, 0]
        for j in range(3):
            f.gradient[j] = self.gradient[p, j]
            f.at[j] = self.corner[p, 0, j] - cell.origin[j]
        return add_linear(part, cell, &f, 0.0 if finely else ROUND_AREA * scale * scale,
                          &found.sums, out)

    cdef inline double brightest(self, index_t p) noexcept nogil:
        return self.value[p, 3]             # the values are sorted

    cdef bint inside(self, const Polytope* cell, index_t p, double scale) noexcept nogil:
        """Is a tetrahedron inside the cell, for certain?"""
        cdef Py_ssize_t w
        cdef int k, j
        cdef double[4][3] x
        cdef const Wall* wall
        cdef double value, bound
        for k in range(4):
            for j in range(3):
                x[k][j] = self.corner[p, k, j] - cell.origin[j]
        for w in range(cell.n_walls):
            wall = &cell.wall[w]
            bound = wall.error + 16.0 * ROUNDOFF * (fabs(wall.offset) + 4.0 * scale)
            for k in range(4):
                value = (wall.normal[0] * x[k][0] + wall.normal[1] * x[k][1]
                         + wall.normal[2] * x[k][2])
                if not value < wall.offset - bound - 16.0 * ROUNDOFF * (
                        fabs(x[k][0]) + fabs(x[k][1]) + fabs(x[k][2])):
                    return False
        return True

    cdef void add_whole(self, const Polytope* cell, index_t p, Sums* sums) noexcept nogil:
        """Add the integrals over a whole tetrahedron."""
        cdef double[4][3] x
        cdef double[3] e
        cdef double total = 0.0, one, volume, second = 0.0, square, f
        cdef double[3] sum_
        cdef double[3] weighted
        cdef int k, j
        for j in range(3):
            sum_[j] = 0.0
            weighted[j] = 0.0
        for k in range(4):
            f = self.value[p, k]
            total += f
            square = 0.0
            for j in range(3):
                # of the tetrahedron's own corners differences are exact enough
                x[k][j] = self.corner[p, k, j] - self.corner[p, 0, j]
                sum_[j] += x[k][j]
                weighted[j] += f * x[k][j]
                square += x[k][j] * x[k][j]
            second += 2.0 * f * square
        for k in range(4):
            for j in range(3):
                second += total * x[k][j] * x[k][j]
        volume = 0.0
        for j in range(3):
            volume += x[1][j] * (x[2][(j + 1) % 3] * x[3][(j + 2) % 3]
                                 - x[2][(j + 2) % 3] * x[3][(j + 1) % 3])
            second += total * sum_[j] * sum_[j] + 2.0 * sum_[j] * weighted[j]
        volume = fabs(volume) / 6.0
        one = volume * total / 4.0
        sums.one += one
        sums.second += volume * second / 120.0
        for j in range(3):
            e[j] = (self.corner[p, 0, j] - cell.origin[j]) - cell.vertex[0].x[j]
            f = volume * (total * sum_[j] + weighted[j]) / 20.0
            sums.first[j] += f + one * e[j]
            sums.second += e[j] * (2.0 * f + one * e[j])


# ---- geometry ----

cdef inline Py_ssize_t clamp(double x, Py_ssize_t n) noexcept nogil:
    if not x > 0.0:
        return 0
    return n - 1 if x >= n else <Py_ssize_t> x


cdef int side_of_plane(const Polytope* cell, const double* plane, const Box* around,
                       Py_ssize_t* beyond) noexcept nogil:
    """+1, -1: the cell lies outside or inside a half-space, for certain; 0: it may meet both, with
    about so many vertices outside."""
    cdef double value = -plane[3], reach = 0.0, size = fabs(plane[3]), bound, middle, x
    cdef double least, most
    cdef Py_ssize_t k
    cdef int j
    for j in range(3):
        middle = 0.5 * around.lower[j] + 0.5 * around.upper[j]
        value += plane[j] * middle
        reach += fabs(plane[j]) * (around.upper[j] - around.lower[j])
        size += fabs(plane[j]) * (fabs(middle) + (around.upper[j] - around.lower[j]))
    reach *= 0.5
    bound = 16.0 * ROUNDOFF * size
    if value - reach > bound:
        return 1
    if value + reach < -bound:
        return -1
    value = -plane[3]
    for j in range(3):
        value += plane[j] * cell.origin[j]
        size += 2.0 * fabs(plane[j] * cell.origin[j])
    bound = 16.0 * ROUNDOFF * size
    least = 1e300
    most = -1e300
    beyond[0] = 0
    for k in range(cell.n_vertices):
        x = (plane[0] * cell.vertex[k].x[0] + plane[1] * cell.vertex[k].x[1]
             + plane[2] * cell.vertex[k].x[2])
        beyond[0] += x > -value
        least = min(least, x - 3.0 * cell.vertex[k].error)
        most = max(most, x + 3.0 * cell.vertex[k].error)
    if value + least > bound:
        return 1
    return -1 if value + most < -bound else 0


cdef bint holds(const double* corner, const double* x) noexcept nogil:
    """Does a tetrahedron hold a point, as far as rounding tells?"""
    cdef double[4][3] e
    cdef double[4] part
    cdef double total = 0.0
    cdef int k, j
    cdef const double* a
    cdef const double* b
    cdef const double* c
    for k in range(4):
        for j in range(3):
            e[k][j] = corner[3 * k + j] - x[j]
    for k in range(4):
        a = e[(k + 1) % 4]
        b = e[(k + 2) % 4]
        c = e[(k + 3) % 4]
        part[k] = (a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2])
                   + a[2] * (b[0] * c[1] - b[1] * c[0]))
        if k & 1:
            part[k] = -part[k]
        total += part[k]
    for k in range(4):
        if part[k] * total < -1e-12 * total * total:
            return False
    return True
