"""Convex polyhedra as domains of diagrams in space."""


cdef class Domain3D:
    cdef readonly Py_ssize_t n
    cdef const double[:, ::1] plane     # (n, 4): x with normal.x <= offset; then a density's
    cdef readonly double volume
    cdef readonly double diameter
    cdef double[3] centre
    cdef double[:, ::1] local           # (n, 5): normal, offset about the centre and its error
    cdef double[::1] slope              # (n,): sums of the normals' magnitudes
    cdef double margin
    cdef double safe_radius2            # points nearer to the centre are inside for certain

    cdef bint surely_inside(self, const double* x, double error) noexcept nogil
    cdef bint surely_outside(self, const double* x, double error) noexcept nogil
