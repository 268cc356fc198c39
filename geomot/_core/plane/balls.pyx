"""The uniform density near the sites: a cell counts where |x - y_i|^2 < w_i.

`BallDensity` is for convex domains, `BallPieces` for those made of convex pieces: it cuts every
triangle that `pieces` adds up.

In partial transport every site takes mass only from its ball, of the squared radius w_i, as far as
the ball lies in its cell; what lies in no ball stays. A facet ends on the circles of both its sites
at the same points, and circles add arcs to the border of a cell. The common part of a cell and its
ball is what `arcs` integrates over; a cell inside its ball has what its shape measures.

Thin cells are cut triangle by triangle, each in affine coordinates, so that small areas keep their
digits. Which cells reach into their balls is decided up to rounding.

Cost: a dozen operations for a corner of a cell; some 100 ns for an arc.
"""

from libc.math cimport NAN, sqrt

from geomot._core.plane.arcs cimport (
    Circle, Corner, DiskMoments, add_disk_cell, clear_moments, cut_triangle, inside_part, power_at)
from geomot._core.plane.cells cimport Cell
from geomot._core.plane.measure cimport Density, Measure, scratch_reserve, uniform_sides
from geomot._core.plane.pieces cimport Moments, Pieces, add_moments
from geomot._core.plane.regular cimport Regular2D
from geomot._core.predicates cimport two_product, two_sum
from geomot._core.status cimport NO_MEMORY, OK
from geomot._core.types cimport index_t


cdef class BallDensity(Density):
    """The same density everywhere, of which each site has only what lies in its ball.

    Parameters
    ----------
    value : float
        The density.
    """
    cdef double value

    def __init__(self, double value):
        self.value = value
        self.curved = True

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        cdef Py_ssize_t m = cell.size, k, j
        cdef double square = mesh.site[i, 2] + mesh.site[i, 3]
        cdef Corner* corner
        cdef double* power
        cdef Circle circle
        cdef DiskMoments sums
        cdef double first, last
        cdef bint whole = True
        if not square > 0.0:
            nothing(cell, out)
            return OK
        if scratch_reserve(out, 5 * m) != OK:
            return NO_MEMORY
        power = out.scratch
        corner = <Corner*> (out.scratch + m)
        ball_of(&mesh.site[i, 0], cell, &circle)
        for k in range(m):
            corner[k].s = corner[k].x = cell.x[k]
            corner[k].t = corner[k].y = cell.y[k]
            power[k] = power_at(&circle, cell.x[k], cell.y[k])
            whole = whole and power[k] < 0.0
        if whole:
            out.mass = cell.area * self.value
            out.cost = cell.cost * self.value
            out.centre_x = cell.centre_x
            out.centre_y = cell.centre_y
            for k in range(m):
                out.facet[k] = cell.length[k] * self.value
            uniform_sides(out, m)
            return OK
        for k in range(m):
            j = k - 1 if k > 0 else m - 1
            out.facet[k] = 0.0
            if out.moment != NULL:
                out.moment[2 * k] = out.moment[2 * k + 1] = 0.0
            if cell.length[k] > 0.0 and inside_part(
                    &circle, corner[j].x, corner[j].y, power[j], corner[k].x, corner[k].y,
                    power[k], &first, &last):
                out.facet[k] = (last - first) * cell.length[k] * self.value
                if out.moment != NULL:
                    out.moment[2 * k] = out.facet[k] * (first + last) / 2.0
                    out.moment[2 * k + 1] = out.facet[k] * (
                        first * first + first * last + last * last) / 3.0
        add_disk_cell(&circle, cell, corner, 1.0, &sums)
        if not sums.one > 0.0:
            nothing(cell, out)
            return OK
        out.mass = self.value * sums.one
        out.centre_x = sums.x / sums.one
        out.centre_y = sums.y / sums.one
        out.cost = self.value * (
            sums.xx + sums.yy + 2.0 * (cell.shift_x * sums.x + cell.shift_y * sums.y)
            + (cell.shift_x * cell.shift_x + cell.shift_y * cell.shift_y) * sums.one)
        out.arc = sums.angle * circle.radius * self.value
        for k in range(4):
            out.turn[k] = sums.turn[k] * circle.radius * self.value
        return OK


cdef class BallPieces(Pieces):
    """The same density on many convex pieces, of which each site has only what lies in its ball.

    Parameters
    ----------
    start, corners, values, outer
        As in `Pieces`, with values that are all equal.
    """

    def __init__(self, start, corners, values, outer):
        super().__init__(start, corners, values, outer)
        self.curved = True

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        cdef int status
        if not mesh.site[i, 2] + mesh.site[i, 3] > 0.0:
            nothing(cell, out)
            return OK
        status = Pieces.integrate(self, cell, mesh, i, out)
        if status == OK and not out.mass > 0.0:
            nothing(cell, out)
        return status

    cdef void add_triangle(self, const Cell* frame, double dx, double dy, double x0, double y0,
                           double f0, double x1, double y1, double f1, double x2, double y2,
                           double f2, double twice, Moments* sums) noexcept nogil:
        cdef Circle circle
        cdef DiskMoments part
        cdef int k
        ball_of(sums.site, frame, &circle)
        clear_moments(&part)
        cut_triangle(&circle, x0, y0, x1, y1, x2, y2, twice, &part)
        sums.one += f0 * part.one
        sums.x += f0 * (part.x + dx * part.one)
        sums.y += f0 * (part.y + dy * part.one)
        sums.second += f0 * (part.xx + part.yy + 2.0 * (dx * part.x + dy * part.y)
                             + (dx * dx + dy * dy) * part.one)
        sums.arc += f0 * part.angle * circle.radius
        for k in range(4):
            sums.turn[k] += f0 * part.turn[k] * circle.radius

    cdef void add_side(self, const Cell* cell, Py_ssize_t side, double x0, double y0, double f0,
                       double x1, double y1, double f1, double length, const Moments* sums,
                       Measure* out) noexcept nogil:
        cdef Circle circle
        cdef double first, last
        ball_of(sums.site, cell, &circle)
        if inside_part(&circle, x0, y0, power_at(&circle, x0, y0), x1, y1,
                       power_at(&circle, x1, y1), &first, &last):
            out.facet[side] += (last - first) * length * f0
            add_moments(cell, side, x0 + first * (x1 - x0), y0 + first * (y1 - y0), f0,
                        x0 + last * (x1 - x0), y0 + last * (y1 - y0), f0, (last - first) * length,
                        out)


cdef void nothing(const Cell* cell, Measure* out) noexcept nogil:
    cdef Py_ssize_t k
    out.mass = out.cost = 0.0
    out.centre_x = out.centre_y = NAN
    out.empty = True
    for k in range(cell.size):
        out.facet[k] = 0.0


cdef inline void ball_of(const double* site, const Cell* frame, Circle* circle) noexcept nogil:
    """The circle of a site in a frame; |shift|^2 - w, of which the terms may cancel, rounded once.
    """
    cdef double a, al, b, bl, s, e, t, te
    two_product(frame.shift_x, frame.shift_x, &a, &al)
    two_product(frame.shift_y, frame.shift_y, &b, &bl)
    two_sum(a, b, &s, &e)
    two_sum(s, -site[2], &t, &te)
    circle.x = frame.shift_x
    circle.y = frame.shift_y
    circle.radius = sqrt(site[2] + site[3])
    circle.power = t + (te + (e + (al + bl) - site[3]))
