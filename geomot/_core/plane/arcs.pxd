"""Integrals over what a disk holds of a convex polygon."""

from geomot._core.plane.cells cimport Cell


cdef struct Circle:
    # in the frame of the polygon's corners
    double x            # the frame's origin minus the centre
    double y
    double power        # |(x, y)|^2 - radius^2: may cancel, and is best rounded once
    double radius


cdef struct Corner:
    double x
    double y
    double s            # the same point in coordinates in which areas are taken
    double t


cdef struct DiskMoments:
    # integrals of 1, x, y, xx, xy, yy about the frame's origin, the angle of all arcs, and the
    # integrals over it of the cosine and sine of the place on the circle, and of twice the place
    double one
    double x
    double y
    double xx
    double xy
    double yy
    double angle
    double[4] turn


cdef double power_at(const Circle* circle, double x, double y) noexcept nogil
cdef bint inside_part(const Circle* circle, double ax, double ay, double power_a, double bx,
                      double by, double power_b, double* first, double* last) noexcept nogil
cdef bint add_disk_part(const Circle* circle, Py_ssize_t n, const Corner* corner, double scale,
                        DiskMoments* sums) noexcept nogil
cdef void add_segment(const Circle* circle, double ax, double ay, double bx, double by,
                      DiskMoments* sums) noexcept nogil
cdef void clear_moments(DiskMoments* sums) noexcept nogil
cdef void add_disk_cell(const Circle* circle, const Cell* cell, const Corner* corner, double scale,
                        DiskMoments* sums) noexcept nogil
cdef void cut_triangle(const Circle* circle, double x0, double y0, double x1, double y1, double x2,
                       double y2, double twice, DiskMoments* sums) noexcept nogil
