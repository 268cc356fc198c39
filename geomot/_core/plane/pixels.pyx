"""A density that is constant on each pixel of a grid, integrated over power cells.

In units of pixels, seen from the origin of the cell's frame, the line c of the grid lies at c - X,
where X, the origin's place in the grid, is known to twice the working precision: a line that passes
near the cell is as exact as the cell's own corners.

Three ways to the same integrals:

- a cell inside one pixel has what its shape measures, times the value;
- a fat cell is integrated along its sides by Green's theorem.  What a row of pixels holds up to a
  column, and its moments, are summed from the cell's own left border in that row: digits are lost
  to nothing outside the cell.  Cost: the pixels of the cell and those that its sides cross;
- a thin cell would lose its width to these differences.  It is cut into the triangles of its fan,
  whose areas are exact, and each triangle into the pixels' shares, in its affine coordinates: there
  a triangle of any thickness is the same well-conditioned one, and all terms are positive.

A side along a line of the grid gets the mean of both pixels beside it, which is the derivative of
the masses where the density jumps.
"""

import numpy as np

from cython cimport final
from libc.math cimport NAN, ceil, fabs, floor

from geomot._core.plane.cells cimport Cell
from geomot._core.plane.measure cimport Density, Measure, scratch_reserve
from geomot._core.plane.regular cimport Regular2D
from geomot._core.predicates cimport two_product, two_sum
from geomot._core.status cimport NO_MEMORY, OK
from geomot._core.types cimport index_t

# Conditioning, not correctness: thickness in pixels, and area over the extent squared, below which
# a cell counts as thin.
cdef double THIN = 1.0 / 128
cdef double SLENDER = 1.0 / 256
# Less mass than this, relative to the cell's full of its brightest pixel, may be rounding.
cdef double FAINT = 5.684341886080802e-14       # 2^-44
# Columns beside a row's own that rounding of a side may touch, in pixels.
cdef double SPARE = 1e-9

cdef enum:
    CORNERS = 12            # of a triangle that four half-planes cut


cdef struct Place:
    # of the frame's origin in the grid, in pixels: hi + lo
    double x
    double xl
    double y
    double yl


cdef struct Window:
    # the pixels that a cell may reach
    Py_ssize_t left
    Py_ssize_t right
    Py_ssize_t bottom
    Py_ssize_t top


cdef struct Sums:
    # prefix sums of a row's pixels, and where each row of the window has them
    double* mass
    double* first
    double* second
    Py_ssize_t* start
    Py_ssize_t* low
    Py_ssize_t* high


cdef struct Moments:
    # integrals of value x (1, u, v, u^2, v^2) in pixels
    double one
    double u
    double v
    double uu
    double vv


cdef inline Py_ssize_t clamp(double x, Py_ssize_t n) noexcept nogil:
    """The floor of x, as an index below n."""
    if not x > 0.0:
        return 0
    return n - 1 if x >= n else <Py_ssize_t> x


cdef inline void place(double site, double shift, double lower, double per, double per_low,
                       double* hi, double* lo) noexcept nogil:
    """(site + shift - lower) * per, in twice the working precision."""
    cdef double s, e, t, te, p, pe
    two_sum(site, shift, &s, &e)
    two_sum(s, -lower, &t, &te)
    te += e
    two_product(t, per, &p, &pe)
    pe += t * per_low + te * per
    two_sum(p, pe, hi, lo)


cdef inline double line_at(Py_ssize_t c, double hi, double lo) noexcept nogil:
    """Line c of the grid, seen from the frame's origin."""
    return (<double> c - hi) - lo


@final
cdef class Pixels(Density):
    """Constant on each pixel of a grid.

    Parameters
    ----------
    values : (rows, columns) array
        Not negative, of positive sum; the first row is the lowest.
    lower, upper : (2,) arrays
        Corners of the grid, which is the domain, in the units of the kernels.
    repeats : (2,) sequence of int
        How many copies of the values stand side by side between the corners, along x and y; each
        has the mass 1.
    """
    cdef const double[:, ::1] values    # (rows, columns) of one copy, from below and from the left
    cdef Py_ssize_t high                # rows and columns of one copy
    cdef Py_ssize_t wide
    cdef Py_ssize_t rows                # and of all together
    cdef Py_ssize_t columns
    cdef double lower_x
    cdef double lower_y
    cdef double[4] per                  # pixels per unit along x and y, as hi, lo
    cdef double mass                    # of a pixel of value 1
    cdef double density                 # of a pixel of value 1
    cdef double mean                    # of the values

    def __init__(self, values, lower, upper, repeats=(1, 1)):
        self.values = np.ascontiguousarray(values, dtype=np.float64)
        self.high, self.wide = values.shape
        self.columns, self.rows = self.wide * repeats[0], self.high * repeats[1]
        self.lower_x, self.lower_y = lower
        width, height = (float(x) for x in np.subtract(upper, lower))
        total = float(np.sum(values))
        self.mass = 1.0 / total
        self.mean = total / (self.high * self.wide)
        self.density = repeats[0] * repeats[1] / (self.mean * width * height)
        self.set_pitch(0, self.columns, width)
        self.set_pitch(2, self.rows, height)

    cdef set_pitch(self, int at, Py_ssize_t count, double size):
        cdef double p, e
        self.per[at] = count / size
        two_product(self.per[at], size, &p, &e)
        self.per[at + 1] = ((count - p) - e) / size

    cdef inline double value(self, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
        """The value of a pixel, which its copies share."""
        while row >= self.high:
            row -= self.high
        while column >= self.wide:
            column -= self.wide
        return self.values[row, column]

    cdef double relative(self, double x, double y) noexcept nogil:
        cdef Py_ssize_t column = clamp((x - self.lower_x) * self.per[0], self.columns)
        cdef Py_ssize_t row = clamp((y - self.lower_y) * self.per[2], self.rows)
        return self.value(row, column) / self.mean

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        cdef Py_ssize_t m = cell.size, k
        cdef double* u
        cdef double* v
        cdef double low_u, high_u, low_v, high_v, area, extent
        cdef Place at
        cdef Window window
        cdef int status = scratch_reserve(out, 2 * m)
        if status != OK:
            return status
        u = out.scratch
        v = u + m
        place(cell.site_x, cell.shift_x, self.lower_x, self.per[0], self.per[1], &at.x, &at.xl)
        place(cell.site_y, cell.shift_y, self.lower_y, self.per[2], self.per[3], &at.y, &at.yl)
        for k in range(m):
            u[k] = cell.x[k] * self.per[0]
            v[k] = cell.y[k] * self.per[2]
        low_u = high_u = u[0]
        low_v = high_v = v[0]
        for k in range(1, m):
            low_u = min(low_u, u[k])
            high_u = max(high_u, u[k])
            low_v = min(low_v, v[k])
            high_v = max(high_v, v[k])
        window.left = clamp((at.x + low_u) + at.xl, self.columns)
        window.right = max(window.left, clamp(ceil((at.x + high_u) + at.xl) - 1.0, self.columns))
        window.bottom = clamp((at.y + low_v) + at.yl, self.rows)
        window.top = max(window.bottom, clamp(ceil((at.y + high_v) + at.yl) - 1.0, self.rows))
        if window.left == window.right and window.bottom == window.top:
            self.in_one_pixel(cell, self.value(window.bottom, window.left), out)
        else:
            area = cell.area * self.per[0] * self.per[2]
            extent = max(high_u - low_u, high_v - low_v)
            if area < THIN * extent or area < SLENDER * extent * extent:
                self.by_triangles(cell, u, v, &at, &window, out)
            else:
                return self.by_rows(cell, &at, &window, area, out)
        for k in range(m):
            out.facet[k] = cell.length[k] * self.density * self.march(
                u[k - 1 if k > 0 else m - 1], v[k - 1 if k > 0 else m - 1], u[k], v[k], &at,
                NULL, NULL, NULL, moment_of(out, k))
        self.scale_moments(cell, out)
        return OK

    cdef void in_one_pixel(self, const Cell* cell, double value, Measure* out) noexcept nogil:
        cdef double density = value * self.density
        out.mass = cell.area * density
        out.cost = cell.cost * density
        out.centre_x = cell.centre_x if value > 0.0 else NAN
        out.centre_y = cell.centre_y if value > 0.0 else NAN

    cdef void finish(self, const Cell* cell, const Moments* sums, Measure* out) noexcept nogil:
        """From integrals in pixels, about the frame's origin, to those of the measure."""
        cdef double px = 1.0 / self.per[0], py = 1.0 / self.per[2]
        cdef double ox = cell.shift_x, oy = cell.shift_y
        out.mass = sums.one * self.mass
        out.cost = self.mass * (
            px * px * sums.uu + py * py * sums.vv + 2.0 * (ox * px * sums.u + oy * py * sums.v)
            + (ox * ox + oy * oy) * sums.one)
        out.centre_x = px * (sums.u / sums.one)
        out.centre_y = py * (sums.v / sums.one)

    # ---- fat cells ----

    cdef int by_rows(self, const Cell* cell, const Place* at, const Window* window, double area,
                     Measure* out) noexcept nogil:
        """Green's theorem along the sides; OK or NO_MEMORY."""
        cdef Py_ssize_t m = cell.size, k, j, r, c, need = 0, first
        cdef Py_ssize_t count = window.top - window.bottom + 1
        cdef double* u
        cdef double* v
        cdef Sums sums
        cdef Moments total
        cdef double brightest = 0.0, a0, a1, a2, e, f
        # indices are kept in the room of doubles
        if scratch_reserve(out, 2 * m + 3 * count) != OK:
            return NO_MEMORY
        self.lay_out(out, m, count, 0, &u, &v, &sums)
        for r in range(count):
            sums.low[r] = self.columns
            sums.high[r] = -1
        for k in range(m):
            j = k - 1 if k > 0 else m - 1
            self.spread(u[j], v[j], u[k], v[k], at, window, &sums)
        for r in range(count):
            if sums.high[r] < sums.low[r]:
                sums.low[r] = sums.high[r] = window.left
            sums.start[r] = need
            need += max(sums.high[r] - sums.low[r] + 1, 0)
        if scratch_reserve(out, 2 * m + 3 * count + 3 * need) != OK:
            return NO_MEMORY
        self.lay_out(out, m, count, need, &u, &v, &sums)
        for r in range(count):
            a0 = a1 = a2 = 0.0
            first = sums.start[r] - sums.low[r]
            for c in range(sums.low[r], sums.high[r] + 1):
                sums.mass[first + c] = a0
                sums.first[first + c] = a1
                sums.second[first + c] = a2
                f = self.value(window.bottom + r, c)
                brightest = max(brightest, f)
                e = line_at(c, at.x, at.xl) + 0.5
                a0 += f
                a1 += f * e
                a2 += f * (e * e + 1.0 / 12.0)
        total.one = total.u = total.v = total.uu = total.vv = 0.0
        for k in range(m):
            j = k - 1 if k > 0 else m - 1
            out.facet[k] = cell.length[k] * self.density * self.march(
                u[j], v[j], u[k], v[k], at, window, &sums, &total, moment_of(out, k))
        self.scale_moments(cell, out)
        if total.one > FAINT * brightest * area:
            self.finish(cell, &total, out)
        else:
            self.by_triangles(cell, u, v, at, window, out)
        return OK

    cdef void lay_out(self, Measure* out, Py_ssize_t m, Py_ssize_t count, Py_ssize_t need,
                      double** u, double** v, Sums* sums) noexcept nogil:
        u[0] = out.scratch
        v[0] = u[0] + m
        sums.start = <Py_ssize_t*> (v[0] + m)
        sums.low = <Py_ssize_t*> (v[0] + m + count)
        sums.high = <Py_ssize_t*> (v[0] + m + 2 * count)
        sums.mass = v[0] + m + 3 * count
        sums.first = sums.mass + need
        sums.second = sums.first + need

    cdef void spread(self, double u0, double v0, double u1, double v1, const Place* at,
                     const Window* window, Sums* sums) noexcept nogil:
        """Widen the rows' ranges of columns to those that a side passes, and one row more."""
        cdef Py_ssize_t first, last, r
        cdef double slope, a, b
        if v1 < v0:
            u0, u1 = u1, u0
            v0, v1 = v1, v0
        first = clamp((at.y + v0) + at.yl, self.rows)
        last = clamp((at.y + v1) + at.yl, self.rows)
        slope = (u1 - u0) / (v1 - v0) if v1 > v0 else 0.0
        a = u0
        for r in range(first, last + 1):
            b = u1
            if r < last:
                b = u0 + (line_at(r + 1, at.y, at.yl) - v0) * slope
                b = max(min(u0, u1), min(max(u0, u1), b))
            self.widen(sums, window, r, min(a, b), max(a, b), at)
            # a corner on the line between two rows may be taken for one of either
            self.widen(sums, window, r - 1, a, a, at)
            self.widen(sums, window, r + 1, b, b, at)
            a = b
        self.widen(sums, window, last, u1, u1, at)

    cdef inline void widen(self, Sums* sums, const Window* window, Py_ssize_t r, double a, double b,
                           const Place* at) noexcept nogil:
        if r < window.bottom or r > window.top:
            return
        r -= window.bottom
        sums.low[r] = min(sums.low[r], clamp((at.x + (a - SPARE)) + at.xl, self.columns))
        sums.high[r] = max(sums.high[r], clamp((at.x + (b + SPARE)) + at.xl, self.columns))

    cdef void scale_moments(self, const Cell* cell, Measure* out) noexcept nogil:
        """From means of values along the sides to integrals of the density."""
        cdef Py_ssize_t k
        if out.moment != NULL:
            for k in range(cell.size):
                out.moment[2 * k] *= cell.length[k] * self.density
                out.moment[2 * k + 1] *= cell.length[k] * self.density

    cdef double march(self, double u0, double v0, double u1, double v1, const Place* at,
                      const Window* window, const Sums* sums, Moments* total,
                      double* moment) noexcept nogil:
        """Walk along a side from pixel to pixel: its mean value, and where wanted Green's sums and
        the means of the value times t and t^2."""
        cdef double du = u1 - u0, dv = v1 - v0
        cdef double x0 = (at.x + u0) + at.xl, x1 = (at.x + u1) + at.xl
        cdef double y0 = (at.y + v0) + at.yl, y1 = (at.y + v1) + at.yl
        cdef bint upright = du == 0.0 and line_at(<Py_ssize_t> x0, at.x, at.xl) == u0
        cdef bint level = dv == 0.0 and line_at(<Py_ssize_t> y0, at.y, at.yl) == v0
        cdef Py_ssize_t ix, iy, jx, jy, crossings_x, crossings_y, row, column, r = 0
        cdef int step_x = 1 if du > 0.0 else -1, step_y = 1 if dv > 0.0 else -1
        cdef double tx, ty, t, before = 0.0, up = u0, vp = v0, uq, vq, f, along = 0.0
        if moment != NULL:
            moment[0] = moment[1] = 0.0
        # a corner on a line belongs to the pixel that the side leads to, or comes from; a side
        # along a line to the one on its left, where the cell is
        ix = <Py_ssize_t> floor(x0)
        iy = <Py_ssize_t> floor(y0)
        jx = <Py_ssize_t> floor(x1)
        jy = <Py_ssize_t> floor(y1)
        if x0 == ix and (du < 0.0 or (upright and dv > 0.0)):
            ix -= 1
        if y0 == iy and (dv < 0.0 or (level and du < 0.0)):
            iy -= 1
        if x1 == jx and du > 0.0:
            jx -= 1
        if y1 == jy and dv > 0.0:
            jy -= 1
        crossings_x = max(0, step_x * (jx - ix)) if du != 0.0 else 0
        crossings_y = max(0, step_y * (jy - iy)) if dv != 0.0 else 0
        while True:
            tx = ty = 2.0
            if crossings_x > 0:
                tx = (line_at(ix + (step_x > 0), at.x, at.xl) - u0) / du
            if crossings_y > 0:
                ty = (line_at(iy + (step_y > 0), at.y, at.yl) - v0) / dv
            if crossings_x == 0 and crossings_y == 0:
                t = 1.0
                uq = u1
                vq = v1
            elif crossings_y == 0 or (crossings_x > 0 and tx < ty):
                t = min(max(tx, before), 1.0)
                uq = line_at(ix + (step_x > 0), at.x, at.xl)
                vq = v0 + t * dv
            else:
                t = min(max(ty, before), 1.0)
                vq = line_at(iy + (step_y > 0), at.y, at.yl)
                uq = u0 + t * du
            row = clamp(<double> iy, self.rows)
            column = clamp(<double> ix, self.columns)
            if sums != NULL:
                # rounding may turn a side that is as short as its rounding, on a line of the grid,
                # to pixels beyond: it counts to the nearest one that the cell has
                row = max(window.bottom, min(window.top, row))
                r = row - window.bottom
                column = max(sums.low[r], min(sums.high[r], column))
            f = self.value(row, column)
            if sums != NULL:
                green(up, vp, uq, vq, f, line_at(column, at.x, at.xl),
                      sums.start[r] + column - sums.low[r], sums, total)
            if upright:
                f = 0.5 * (f + self.value(row, clamp(<double> (ix + step_y), self.columns)))
            elif level:
                f = 0.5 * (f + self.value(clamp(<double> (iy - step_x), self.rows), column))
            along += f * (t - before)
            if moment != NULL:
                moment[0] += f * (t - before) * (t + before) / 2.0
                moment[1] += f * (t - before) * (t * t + t * before + before * before) / 3.0
            if crossings_x == 0 and crossings_y == 0:
                return along
            before = t
            up = uq
            vp = vq
            if crossings_y == 0 or (crossings_x > 0 and tx < ty):
                ix += step_x
                crossings_x -= 1
            else:
                iy += step_y
                crossings_y -= 1

    # ---- thin cells ----

    cdef void by_triangles(self, const Cell* cell, const double* u, const double* v,
                           const Place* at, const Window* window, Measure* out) noexcept nogil:
        """Sum over the fan of corner 0 of what pixels hold of each triangle; all terms positive."""
        cdef Py_ssize_t m = cell.size, k, j
        cdef double[6] part             # of value x (1, s, t, ss, st, tt)
        cdef double ox = cell.shift_x + cell.x[0], oy = cell.shift_y + cell.y[0]
        cdef double ax, ay, bx, by, area, mass = 0.0, mx = 0.0, my = 0.0, cost = 0.0
        for k in range(m):
            j = k - 1 if k > 0 else m - 1
            area = cell.twice[k]
            if not area > 0.0:
                continue
            self.triangle(u[0], v[0], u[j] - u[0], v[j] - v[0], u[k] - u[0], v[k] - v[0], at,
                          part)
            ax = cell.x[j] - cell.x[0]
            ay = cell.y[j] - cell.y[0]
            bx = cell.x[k] - cell.x[0]
            by = cell.y[k] - cell.y[0]
            mass += area * part[0]
            mx += area * (ax * part[1] + bx * part[2])
            my += area * (ay * part[1] + by * part[2])
            cost += area * ((ox * ox + oy * oy) * part[0]
                            + 2.0 * ((ox * ax + oy * ay) * part[1] + (ox * bx + oy * by) * part[2])
                            + (ax * ax + ay * ay) * part[3] + 2.0 * (ax * bx + ay * by) * part[4]
                            + (bx * bx + by * by) * part[5])
        out.mass = mass * self.density
        out.cost = cost * self.density
        out.centre_x = cell.x[0] + mx / mass if mass > 0.0 else NAN
        out.centre_y = cell.y[0] + my / mass if mass > 0.0 else NAN

    cdef void triangle(self, double u0, double v0, double au, double av, double bu, double bv,
                       const Place* at, double* part) noexcept nogil:
        """Integrals over the triangle (u0, v0) + s a + t b, for 0 <= s, t and s + t <= 1."""
        cdef double[CORNERS] s, t, row_s, row_t, ps, pt
        cdef int k, n, size
        cdef Py_ssize_t r, c, bottom, top, left, right
        cdef double low, high, place_k
        for k in range(6):
            part[k] = 0.0
        s[0] = s[2] = t[0] = t[1] = 0.0
        s[1] = t[2] = 1.0
        low = v0 + min(0.0, min(av, bv))
        high = v0 + max(0.0, max(av, bv))
        bottom = clamp((at.y + low) + at.yl, self.rows)
        top = max(bottom, clamp(ceil((at.y + high) + at.yl) - 1.0, self.rows))
        for r in range(bottom, top + 1):
            for k in range(3):
                row_s[k] = s[k]
                row_t[k] = t[k]
            n = 3
            if r > bottom:
                n = cut(row_s, row_t, n, v0 - line_at(r, at.y, at.yl), av, bv)
            if r < top:
                n = cut(row_s, row_t, n, line_at(r + 1, at.y, at.yl) - v0, -av, -bv)
            if n < 3:
                continue
            low = high = u0 + row_s[0] * au + row_t[0] * bu
            for k in range(1, n):
                place_k = u0 + row_s[k] * au + row_t[k] * bu
                low = min(low, place_k)
                high = max(high, place_k)
            left = clamp((at.x + low) + at.xl, self.columns)
            right = max(left, clamp(ceil((at.x + high) + at.xl) - 1.0, self.columns))
            for c in range(left, right + 1):
                if self.value(r, c) == 0.0:
                    continue
                for k in range(n):
                    ps[k] = row_s[k]
                    pt[k] = row_t[k]
                size = n
                if c > left:
                    size = cut(ps, pt, size, u0 - line_at(c, at.x, at.xl), au, bu)
                if c < right:
                    size = cut(ps, pt, size, line_at(c + 1, at.x, at.xl) - u0, -au, -bu)
                add_polygon(ps, pt, size, self.value(r, c), part)


cdef inline double* moment_of(Measure* out, Py_ssize_t k) noexcept nogil:
    return NULL if out.moment == NULL else out.moment + 2 * k


cdef inline void green(double up, double vp, double uq, double vq, double f, double left,
                       Py_ssize_t at, const Sums* sums, Moments* total) noexcept nogil:
    """Integrals of the part of a row left of a piece of a side inside one pixel, times its rise."""
    cdef double h = vq - vp, a, b, m, linear, square, cube
    if h == 0.0:
        return
    a = up - left
    b = uq - left
    m = sums.mass[at]
    linear = f * 0.5 * (a + b)
    square = (a * a + a * b + b * b) / 3.0
    cube = (a + b) * (a * a + b * b) / 4.0
    total.one += h * (m + linear)
    total.u += h * (sums.first[at] + f * 0.5 * square + left * linear)
    total.uu += h * (sums.second[at] + f * (cube / 3.0 + left * square) + left * left * linear)
    total.v += h * (m * 0.5 * (vp + vq) + f * (a * (2.0 * vp + vq) + b * (vp + 2.0 * vq)) / 6.0)
    total.vv += h * (m * (vp * vp + vp * vq + vq * vq) / 3.0
                     + f * (a * (3.0 * vp * vp + 2.0 * vp * vq + vq * vq)
                            + b * (vp * vp + 2.0 * vp * vq + 3.0 * vq * vq)) / 12.0)


cdef int cut(double* s, double* t, int n, double c, double a, double b) noexcept nogil:
    """Keep the part of a convex polygon in c + a s + b t >= 0 (Sutherland and Hodgman 1974)."""
    cdef double[CORNERS] old_s, old_t
    cdef double here, following, share
    cdef int k, j, size = 0
    for k in range(n):
        old_s[k] = s[k]
        old_t[k] = t[k]
    following = c + a * old_s[0] + b * old_t[0]
    for k in range(n):
        j = k + 1 if k + 1 < n else 0
        here = following
        following = c + a * old_s[j] + b * old_t[j]
        if here >= 0.0:
            s[size] = old_s[k]
            t[size] = old_t[k]
            size += 1
        if (here > 0.0 and following < 0.0) or (here < 0.0 and following > 0.0):
            share = here / (here - following)
            s[size] = old_s[k] + share * (old_s[j] - old_s[k])
            t[size] = old_t[k] + share * (old_t[j] - old_t[k])
            size += 1
    return size


cdef void add_polygon(const double* s, const double* t, int n, double value,
                      double* part) noexcept nogil:
    """Add value x the integrals of 1, s, t, ss, st, tt over a convex polygon."""
    cdef int k
    cdef double twice, s1, t1, s2, t2, s0, t0, ds, dt
    if n < 3:
        return
    s0 = s[0]
    t0 = t[0]
    for k in range(1, n - 1):
        s1 = s[k]
        t1 = t[k]
        s2 = s[k + 1]
        t2 = t[k + 1]
        twice = value * fabs((s1 - s0) * (t2 - t0) - (t1 - t0) * (s2 - s0))
        ds = s0 + s1 + s2
        dt = t0 + t1 + t2
        part[0] += 0.5 * twice
        part[1] += twice * ds / 6.0
        part[2] += twice * dt / 6.0
        part[3] += twice * (s0 * s0 + s1 * s1 + s2 * s2 + ds * ds) / 24.0
        part[4] += twice * (s0 * t0 + s1 * t1 + s2 * t2 + ds * dt) / 24.0
        part[5] += twice * (t0 * t0 + t1 * t1 + t2 * t2 + dt * dt) / 24.0
