"""A density that is constant on an ellipse, integrated over power cells.

A linear map, lower triangular, takes the ellipse to a disk; the formulas of `arcs` do the rest. A
cell all of whose corners lie in the ellipse has what its shape measures. Any other is cut by the
ellipse in its own frame, in which the ellipse's place is known to twice the working precision; thin
cells triangle by triangle, each in affine coordinates, so that small areas keep their digits. What
rounding of the corners takes is relative to the cell in the box around the ellipse: a cell that is
much larger there than within the ellipse loses as many digits.

Which cells reach into the ellipse is decided up to rounding: a cell that holds less than 1e-20 of
the ellipse may count as empty or not, and a facet whose part inside is shorter than 1e-6 of the
ellipse may be missing or not.

Cost: about twenty operations for a corner of a cell; some 100 ns for an arc.
"""

import numpy as np

from libc.math cimport M_PI, NAN

from geomot._core.plane.arcs cimport (
    Circle, Corner, DiskMoments, add_disk_cell, inside_part, power_at)
from geomot._core.plane.cells cimport Cell
from geomot._core.plane.measure cimport Density, Measure, scratch_reserve, uniform_sides
from geomot._core.plane.regular cimport Regular2D
from geomot._core.predicates cimport two_product, two_sum
from geomot._core.status cimport NO_MEMORY, OK
from geomot._core.types cimport index_t


cdef class EllipseDensity(Density):
    """Constant on an ellipse, and nothing elsewhere.

    Parameters
    ----------
    center : (2,) array
        The centre, in the units of the kernels.
    whitening : (3, 2) array
        The numbers W_xx, W_yx, W_yy, each as a pair hi, lo: W takes the ellipse about its centre to
        a disk about zero.
    radius : float
        Of the disk.
    area : float
        Of the domain, a box around the ellipse.
    """
    cdef double[2] center
    cdef double[3][2] white
    cdef double radius
    cdef double det                 # of W
    cdef double value               # the density
    cdef double mean                # over the domain

    def __init__(self, center, whitening, double radius, double area):
        cdef int k
        white = np.asarray(whitening, dtype=np.float64)
        for k in range(2):
            self.center[k] = center[k]
        for k in range(3):
            self.white[k][0] = white[k, 0]
            self.white[k][1] = white[k, 1]
        self.radius = radius
        self.det = white[0, 0] * white[2, 0]
        self.value = self.det / (M_PI * radius * radius)
        self.mean = 1.0 / area

    cdef double relative(self, double x, double y) noexcept nogil:
        cdef double dx = x - self.center[0], dy = y - self.center[1], u, v
        u = self.white[0][0] * dx
        v = self.white[1][0] * dx + self.white[2][0] * dy
        return self.value / self.mean if u * u + v * v < self.radius * self.radius else 0.0

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        cdef Py_ssize_t m = cell.size, k, j
        cdef Corner* corner
        cdef double* power
        cdef Circle circle
        cdef DiskMoments sums
        cdef double first, last
        cdef bint whole = True
        if scratch_reserve(out, 5 * m) != OK:
            return NO_MEMORY
        power = out.scratch
        corner = <Corner*> (out.scratch + m)
        self.place(cell, &circle)
        for k in range(m):
            corner[k].s = cell.x[k]
            corner[k].t = cell.y[k]
            corner[k].x = self.white[0][0] * cell.x[k]
            corner[k].y = self.white[1][0] * cell.x[k] + self.white[2][0] * cell.y[k]
            power[k] = power_at(&circle, corner[k].x, corner[k].y)
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
            if not inside_part(&circle, corner[j].x, corner[j].y, power[j], corner[k].x,
                               corner[k].y, power[k], &first, &last):
                first = last = 0.0
            self.set_side(k, cell.length[k], first, last, out)
        add_disk_cell(&circle, cell, corner, self.det, &sums)
        self.finish(cell, &sums, out)
        return OK

    cdef void set_side(self, Py_ssize_t k, double length, double first, double last,
                       Measure* out) noexcept nogil:
        """Set the integrals along a side that lies in the ellipse from one share to another."""
        out.facet[k] = length * self.value * (last - first)
        if out.moment != NULL:
            out.moment[2 * k] = out.facet[k] * (last + first) / 2.0
            out.moment[2 * k + 1] = out.facet[k] * (
                last * last + last * first + first * first) / 3.0

    cdef void place(self, const Cell* cell, Circle* circle) noexcept nogil:
        """The disk in the cell's frame: offset and power of the origin, each rounded once."""
        cdef double dx, dxl, dy, dyl, u = 0.0, ul = 0.0, v = 0.0, vl = 0.0, p = 0.0, pl = 0.0
        offset(cell.site_x, cell.shift_x, self.center[0], &dx, &dxl)
        offset(cell.site_y, cell.shift_y, self.center[1], &dy, &dyl)
        add_product(self.white[0][0], self.white[0][1], dx, dxl, &u, &ul)
        add_product(self.white[1][0], self.white[1][1], dx, dxl, &v, &vl)
        add_product(self.white[2][0], self.white[2][1], dy, dyl, &v, &vl)
        two_sum(u, ul, &u, &ul)
        two_sum(v, vl, &v, &vl)
        add_product(u, ul, u, ul, &p, &pl)
        add_product(v, vl, v, vl, &p, &pl)
        add_product(self.radius, 0.0, -self.radius, 0.0, &p, &pl)
        circle.x = u
        circle.y = v
        circle.power = p + pl
        circle.radius = self.radius

    cdef void finish(self, const Cell* cell, const DiskMoments* sums,
                     Measure* out) noexcept nogil:
        """From integrals in the frame of the disk to those of the measure."""
        cdef double a = 1.0 / self.white[0][0], c = 1.0 / self.white[2][0]
        cdef double b = -self.white[1][0] * a * c, unit = self.value / self.det
        cdef double x, y, second, ox = cell.shift_x, oy = cell.shift_y
        cdef Py_ssize_t k
        out.mass = unit * sums.one
        if not out.mass > 0.0:
            out.mass = out.cost = 0.0
            out.centre_x = out.centre_y = NAN
            out.empty = True
            for k in range(cell.size):
                self.set_side(k, 0.0, 0.0, 0.0, out)
            return
        x = a * sums.x
        y = b * sums.x + c * sums.y
        second = (a * a + b * b) * sums.xx + 2.0 * b * c * sums.xy + c * c * sums.yy
        out.cost = unit * (second + 2.0 * (ox * x + oy * y) + (ox * ox + oy * oy) * sums.one)
        out.centre_x = x / sums.one
        out.centre_y = y / sums.one


cdef inline void offset(double site, double shift, double center,
                        double* hi, double* lo) noexcept nogil:
    """site + shift - center, of which any two may cancel."""
    cdef double s, e, t, te
    two_sum(site, shift, &s, &e)
    two_sum(s, -center, &t, &te)
    two_sum(t, te + e, hi, lo)


cdef inline void add_product(double a, double al, double b, double bl,
                             double* s, double* e) noexcept nogil:
    """s + e += (a + al)(b + bl), in twice the working precision."""
    cdef double p, pe, t, te
    two_product(a, b, &p, &pe)
    pe += a * bl + al * b
    two_sum(s[0], p, &t, &te)
    s[0] = t
    e[0] += te + pe
