"""Integrals over what a disk holds of a convex polygon: triangles between chords, and segments.

The border of the common part consists of parts of the polygon's sides and of arcs. The triangles of
the fan over its corners, and the segments between arcs and their chords, add up to the integrals:
all terms are positive, and nothing is lost but where the polygon itself is blurred.

A point lies in the disk where its power, |z - centre|^2 - radius^2, is negative. It is computed
from the power of the frame's origin, so that a polygon much smaller than the disk keeps its digits:
the error of the circle's place is some units in the last place of the polygon's size, and not of
the radius. A side that does no more than touch the circle, up to that error, is in or out by
rounding.

`Circle` is all that is known of the disk. For one about the site of a cell, as partial transport
has them, x and y are the shift of the cell's frame, the power is their square minus the weight, and
the radius is the root of the weight. `inside_part` cuts sides, and the angle of all arcs tells how
the mass grows with the radius.

Cost: two square roots for a side that leaves the disk; an arctangent and a dozen terms of four
series for an arc, four sines and cosines for one above 85 degrees.
"""

from fractions import Fraction
from math import factorial

from libc.math cimport M_PI, atan2, cos, fabs, sin, sqrt

# Half angles up to which segments are summed by series: closed forms lose digits below.
cdef double SMALL = 0.75

# Conditioning, not correctness: area over the extent squared below which a cell counts as thin.
cdef double SLENDER = 1.0 / 256
# Less than this, relative to the whole cell, may be rounding: it is measured like a thin cell.
cdef double FAINT = 5.684341886080802e-14       # 2^-44

# Chords below this, relative to the radius, belong to arcs that rounding may have turned round:
# what such a segment holds is below 2^-60 of the disk.
cdef double CLOSE = 9.5367431640625e-07         # 2^-20

cdef enum:
    TERMS = 16              # of the series, more than enough at half angles of SMALL

# Of a segment with half angle phi of the unit circle, in units of phi^3, phi^5, phi^7 and phi^5, as
# polynomials in phi^2: area; first and second moment in the direction of the arc, about the chord;
# second moment along the chord.
cdef double[TERMS] AREA
cdef double[TERMS] FIRST
cdef double[TERMS] ACROSS
cdef double[TERMS] ALONG


def _series(power, plain, sines, cosines):
    """Coefficients of plain phi + sum of s sin(m phi) + sum of c phi cos(m phi), from phi^power."""
    coefficients = []
    for k in range(power // 2 + TERMS):
        sign = (-1) ** k
        total = Fraction(plain) if k == 0 else Fraction(0)
        total += sum(Fraction(s) * sign * Fraction(m ** (2 * k + 1), factorial(2 * k + 1))
                     for m, s in sines.items())
        total += sum(Fraction(c) * sign * Fraction(m ** (2 * k), factorial(2 * k))
                     for m, c in cosines.items())
        coefficients.append(total)
    assert not any(coefficients[:power // 2])
    return [float(c) for c in coefficients[power // 2:]]


def _fill():
    third, quarter = Fraction(1, 3), Fraction(1, 4)
    AREA[:] = _series(3, 1, {2: -Fraction(1, 2)}, {})
    FIRST[:] = _series(5, 0, {1: 3 * quarter, 3: third * quarter}, {1: -1})
    ACROSS[:] = _series(7, 3 * quarter, {2: -7 * third * quarter, 4: -Fraction(1, 48)},
                        {2: Fraction(1, 2)})
    ALONG[:] = _series(5, quarter, {2: -Fraction(1, 6), 4: Fraction(1, 48)}, {})


_fill()


cdef inline double horner(const double* coefficient, double x) noexcept nogil:
    cdef double total = coefficient[TERMS - 1]
    cdef int k
    for k in range(TERMS - 2, -1, -1):
        total = total * x + coefficient[k]
    return total


cdef double power_at(const Circle* circle, double x, double y) noexcept nogil:
    """The power of a point: negative inside the circle."""
    return circle.power + (x * (x + 2.0 * circle.x) + y * (y + 2.0 * circle.y))


cdef bint inside_part(const Circle* circle, double ax, double ay, double power_a, double bx,
                      double by, double power_b, double* first, double* last) noexcept nogil:
    """Which part of the segment from a to b lies in the disk; false for none.

    Its ends in shares of the segment: 0.0 and 1.0 exactly for a and b inside."""
    cdef double dx = bx - ax, dy = by - ay, square = dx * dx + dy * dy
    cdef double along, root, foot
    first[0] = 0.0
    last[0] = 1.0
    if power_a < 0.0 and power_b < 0.0:
        return True
    along = (ax + circle.x) * dx + (ay + circle.y) * dy         # half the power's slope at a
    if power_a < 0.0:
        last[0] = min(1.0, leaving(power_a, along, square))
        return last[0] > 0.0
    if power_b < 0.0:
        along = -((bx + circle.x) * dx + (by + circle.y) * dy)
        first[0] = max(0.0, 1.0 - leaving(power_b, along, square))
        return first[0] < 1.0
    if not -square < along < 0.0:
        return False
    foot = -along / square
    root = -power_at(circle, ax + foot * dx, ay + foot * dy) / square
    if not root > 0.0:
        return False
    root = sqrt(root)
    first[0] = max(0.0, foot - root)
    last[0] = min(1.0, foot + root)
    return last[0] > first[0]


cdef inline double leaving(double power, double along, double square) noexcept nogil:
    """Where power + 2 along t + square t^2 is zero, from a negative power on."""
    cdef double root = sqrt(along * along - power * square)
    return -power / (along + root) if along > 0.0 else (root - along) / square


cdef bint add_disk_part(const Circle* circle, Py_ssize_t n, const Corner* corner, double scale,
                        DiskMoments* sums) noexcept nogil:
    """Add the integrals over what the disk holds of a convex polygon; false for nothing.

    The corners are counter-clockwise. Areas are those in the coordinates s, t, times `scale`; these
    may be x, y themselves, or affine ones in which a thin polygon is fat."""
    cdef Corner origin, before, start, stop
    cdef const Corner* a
    cdef const Corner* b
    cdef Corner[2] turned
    cdef Py_ssize_t k, count = 0
    cdef double first, last, power_a, power_b, second, path = 0.0, widest = -1.0
    cdef bint open_start = False, open_end = False      # on the circle, not in a corner
    cdef bint wide = False                              # whether an arc is not nearly nothing
    origin = before = turned[0] = turned[1] = corner[0]
    power_a = power_at(circle, corner[n - 1].x, corner[n - 1].y)
    for k in range(n):
        a = &corner[k - 1 if k > 0 else n - 1]
        b = &corner[k]
        power_b = power_at(circle, b.x, b.y)
        if inside_part(circle, a.x, a.y, power_a, b.x, b.y, power_b, &first, &last):
            between(a, b, first, &start)
            between(a, b, last, &stop)
            if count == 0:
                origin = start
                open_start = not power_a < 0.0
            elif open_end:
                wide |= add_arc(circle, &before, &start, turned, &widest, sums)
                add_triangle(&origin, &before, &start, scale, sums)
            add_triangle(&origin, &start, &stop, scale, sums)
            path += fabs(stop.x - start.x) + fabs(stop.y - start.y)
            before = stop
            open_end = not power_b < 0.0
            count += 1
        power_a = power_b
    if count > 0 and (open_end or open_start):
        wide |= add_arc(circle, &before, &origin, turned, &widest, sums)
    if wide or path >= 4.0 * CLOSE * circle.radius or not centre_inside(circle, n, corner):
        return count > 0
    if widest > 0.0:
        add_segment(circle, turned[0].x, turned[0].y, turned[1].x, turned[1].y, sums)
        return True
    # the whole disk
    add_moments(-circle.x, -circle.y, M_PI * circle.radius * circle.radius, sums)
    second = 0.25 * M_PI * circle.radius ** 4
    sums.xx += second
    sums.yy += second
    sums.angle += 2.0 * M_PI
    return True


cdef inline bint add_arc(const Circle* circle, const Corner* a, const Corner* b, Corner* turned,
                         double* widest, DiskMoments* sums) noexcept nogil:
    """Add the segment of the arc from a to b; whether its ends are apart.

    Between points that nearly coincide the arc is nearly nothing or nearly the whole circle, and
    rounding may have swapped the two. Nearly the whole circle lies in a polygon only if its sides
    hardly reach into the disk and the centre is inside, which the caller decides: it gets the ends
    of the longest of these arcs, and the length of its chord."""
    cdef double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy
    cdef double close = CLOSE * circle.radius, chord, forward
    cdef bint apart = square >= close * close
    if not apart:
        chord = sqrt(square)
        # the chord times the distance of the centre on its left, about the radius or its negative
        forward = (a.x + circle.x) * dy - (a.y + circle.y) * dx
        if forward < 0.5 * chord * circle.radius:
            if forward < -0.5 * chord * circle.radius and chord > widest[0]:
                widest[0] = chord
                turned[0] = a[0]
                turned[1] = b[0]
            return False
    add_segment(circle, a.x, a.y, b.x, b.y, sums)
    return apart


cdef inline void between(const Corner* a, const Corner* b, double share,
                         Corner* out) noexcept nogil:
    if share == 0.0:
        out[0] = a[0]
    elif share == 1.0:
        out[0] = b[0]
    else:
        out.x = a.x + share * (b.x - a.x)
        out.y = a.y + share * (b.y - a.y)
        out.s = a.s + share * (b.s - a.s)
        out.t = a.t + share * (b.t - a.t)


cdef bint centre_inside(const Circle* circle, Py_ssize_t n, const Corner* corner) noexcept nogil:
    """Whether the centre lies in a polygon whose sides hardly reach into the disk.

    By the sides to its right: those of length 0, and directions of tiny ones, do not count."""
    cdef double x = -circle.x, y = -circle.y
    cdef Py_ssize_t k
    cdef const Corner* a
    cdef const Corner* b
    cdef bint inside = False
    for k in range(n):
        a = &corner[k - 1 if k > 0 else n - 1]
        b = &corner[k]
        if (a.y > y) != (b.y > y):
            if a.x + (y - a.y) * ((b.x - a.x) / (b.y - a.y)) > x:
                inside = not inside
    return inside


cdef inline void add_moments(double x, double y, double mass, DiskMoments* sums) noexcept nogil:
    """Add a mass at a point."""
    sums.one += mass
    sums.x += mass * x
    sums.y += mass * y
    sums.xx += mass * x * x
    sums.xy += mass * x * y
    sums.yy += mass * y * y


cdef inline void add_triangle(const Corner* a, const Corner* b, const Corner* c, double scale,
                              DiskMoments* sums) noexcept nogil:
    """A triangle has the moments of a twelfth of it in each corner, and the rest in its middle."""
    cdef double area = 0.5 * scale * ((b.s - a.s) * (c.t - a.t) - (b.t - a.t) * (c.s - a.s))
    if not area > 0.0:
        return
    add_moments(a.x, a.y, area / 12.0, sums)
    add_moments(b.x, b.y, area / 12.0, sums)
    add_moments(c.x, c.y, area / 12.0, sums)
    add_moments((a.x + b.x + c.x) / 3.0, (a.y + b.y + c.y) / 3.0, 0.75 * area, sums)


cdef void add_segment(const Circle* circle, double ax, double ay, double bx, double by,
                      DiskMoments* sums) noexcept nogil:
    """Add the integrals between the chord from a to b and the arc from a to b, and its angle.

    The arc runs counter-clockwise around the centre; a and b lie on the circle."""
    cdef double tx = 0.5 * (bx - ax), ty = 0.5 * (by - ay), half = sqrt(tx * tx + ty * ty)
    cdef double mx = ax + tx, my = ay + ty, nx, ny, phi, square, cube, r = circle.radius
    cdef double area, first, across, along, away
    if half == 0.0:
        return
    tx /= half
    ty /= half
    nx = ty
    ny = -tx
    # not by the chord and the radius: the arc sine of a half circle is blurred
    away = (mx + circle.x) * nx + (my + circle.y) * ny
    phi = atan2(half, away)
    if phi < SMALL:
        square = phi * phi
        cube = square * phi
        area = cube * horner(AREA, square)
        first = cube * square * horner(FIRST, square)
        across = cube * square * square * horner(ACROSS, square)
        along = cube * square * horner(ALONG, square)
    else:
        area = phi - 0.5 * sin(2.0 * phi)
        first = 0.75 * sin(phi) + sin(3.0 * phi) / 12.0 - phi * cos(phi)
        across = (0.75 * phi + 0.5 * phi * cos(2.0 * phi) - 7.0 / 12.0 * sin(2.0 * phi)
                  - sin(4.0 * phi) / 48.0)
        along = 0.25 * phi - sin(2.0 * phi) / 6.0 + sin(4.0 * phi) / 48.0
    area *= r * r
    first *= r * r * r
    across *= r * r * r * r
    along *= r * r * r * r
    sums.angle += 2.0 * phi
    sums.turn[0] += 2.0 * (half / r) * nx
    sums.turn[1] += 2.0 * (half / r) * ny
    sums.turn[2] += 2.0 * (half / r) * (away / r) * (nx - ny) * (nx + ny)
    sums.turn[3] += 2.0 * (half / r) * (away / r) * 2.0 * nx * ny
    sums.one += area
    sums.x += area * mx + first * nx
    sums.y += area * my + first * ny
    sums.xx += area * mx * mx + 2.0 * first * mx * nx + across * nx * nx + along * tx * tx
    sums.xy += (area * mx * my + first * (mx * ny + my * nx) + across * nx * ny
                + along * tx * ty)
    sums.yy += area * my * my + 2.0 * first * my * ny + across * ny * ny + along * ty * ty


# ---- wrapper for tests ----

def _disk_in_polygon(const double[:, ::1] corners, double x, double y, double radius):
    """Integrals of 1, x, y, xx, xy, yy over the common part of a polygon and a disk about (x, y).

    Then the angle of its arcs."""
    cdef Circle circle
    cdef DiskMoments sums
    cdef Corner[64] corner
    cdef Py_ssize_t k
    if corners.shape[0] > 64:
        raise ValueError(f"corners must be at most 64, got {corners.shape[0]}")
    circle.x = -x
    circle.y = -y
    circle.radius = radius
    circle.power = x * x + y * y - radius * radius
    clear_moments(&sums)
    for k in range(corners.shape[0]):
        corner[k].x = corner[k].s = corners[k, 0]
        corner[k].y = corner[k].t = corners[k, 1]
    add_disk_part(&circle, corners.shape[0], corner, 1.0, &sums)
    return sums.one, sums.x, sums.y, sums.xx, sums.xy, sums.yy, sums.angle


# ---- cells ----

cdef void clear_moments(DiskMoments* sums) noexcept nogil:
    sums.one = sums.x = sums.y = sums.xx = sums.xy = sums.yy = sums.angle = 0.0
    sums.turn[:] = [0.0, 0.0, 0.0, 0.0]


cdef void add_disk_cell(const Circle* circle, const Cell* cell, const Corner* corner, double scale,
                        DiskMoments* sums) noexcept nogil:
    """Integrals over what the disk holds of a cell; of a thin one triangle by triangle.

    Areas of the corners' s, t, which are the cell's own coordinates, count `scale` times."""
    cdef Py_ssize_t m = cell.size, k, j
    cdef double reach = 0.0
    cdef bint fat
    for k in range(m):
        reach = max(reach, max(fabs(cell.x[k] - cell.x[0]), fabs(cell.y[k] - cell.y[0])))
    clear_moments(sums)
    fat = cell.area > SLENDER * reach * reach
    if fat and add_disk_part(circle, m, corner, scale, sums):
        fat = sums.one > FAINT * cell.area * scale
    if not fat:
        clear_moments(sums)
        for k in range(m):
            if cell.twice[k] != 0.0:
                j = k - 1 if k > 0 else m - 1
                cut_triangle(circle, corner[0].x, corner[0].y, corner[j].x, corner[j].y,
                             corner[k].x, corner[k].y, cell.twice[k] * scale, sums)


cdef void cut_triangle(const Circle* circle, double x0, double y0, double x1, double y1, double x2,
                       double y2, double twice, DiskMoments* sums) noexcept nogil:
    """Add what the disk holds of a triangle of which twice the area is known."""
    cdef Corner[3] part
    part[0].x = x0
    part[0].y = y0
    part[1].x = x1
    part[1].y = y1
    part[2].x = x2
    part[2].y = y2
    part[0].s = part[0].t = part[1].t = part[2].s = 0.0
    part[1].s = part[2].t = 1.0
    add_disk_part(circle, 3, part, twice, sums)
