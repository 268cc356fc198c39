"""A density that is linear on each of many convex pieces."""

from libc.stdint cimport int64_t, uint8_t

from geomot._core.plane.cells cimport Cell
from geomot._core.plane.measure cimport Density, Measure
from geomot._core.plane.regular cimport Regular2D
from geomot._core.types cimport index_t


cdef struct Part:
    # what a piece holds of a cell: corners in the cell's frame, and the side that ends in each
    double* x
    double* y
    double* error
    double* away            # from the edge that cuts
    double off              # bound on the distances of corners from the two lines that they lie on
    Py_ssize_t* side        # of the cell, or BORDER
    Py_ssize_t size


cdef struct Moments:
    double one
    double x
    double y
    double second           # x^2 + y^2
    double blur             # bound on the error of `one`
    double arc              # integral along the arcs where the cell ends
    double[4] turn          # along them: of directions, as in `Measure`
    const double* site      # of the cell: place, weight and the weight's second part


cdef void add_moments(const Cell* cell, Py_ssize_t side, double x0, double y0, double f0, double x1,
                      double y1, double f1, double length, Measure* out) noexcept nogil


cdef class Pieces(Density):
    cdef const int64_t[::1] start
    cdef const double[:, ::1] corner    # each piece with its first corner again, in row start + k
    cdef const double[::1] value
    cdef const double[:, ::1] gradient
    cdef const uint8_t[::1] outer       # of the edge that begins in each row of `corner`
    cdef Py_ssize_t count
    cdef Py_ssize_t most_corners
    cdef const int64_t[::1] bucket_start
    cdef const index_t[::1] bucket
    cdef const double[:, ::1] bucket_box    # of each entry, widened by the slack
    cdef const index_t[:, ::1] bucket_first     # column and row of the first bucket of each entry
    cdef Py_ssize_t columns
    cdef Py_ssize_t rows
    cdef double lower_x
    cdef double lower_y
    cdef double per_x
    cdef double per_y
    cdef double slack
    cdef double mean
    cdef dict domains

    cdef bint holds(self, index_t p, double x, double y) noexcept nogil
    cdef double at(self, index_t p, double x, double y) noexcept nogil
    cdef Py_ssize_t column_of(self, double x) noexcept nogil
    cdef Py_ssize_t row_of(self, double y) noexcept nogil
    cdef bint blurred(self, const Cell* cell, const double* length, double error,
                      const Moments* sums) noexcept nogil
    cdef int over_pieces(self, const Cell* cell, Regular2D mesh, index_t i, double error,
                         bint exactly, Moments* sums, bint* found, Measure* out) noexcept nogil
    cdef int add_piece(self, const Cell* cell, Regular2D mesh, index_t i, index_t p, double error,
                       bint exactly, Moments* sums, bint* found, Measure* out) noexcept nogil
    cdef int cut(self, const Cell* cell, index_t p, double error, Part* part,
                 Measure* out) noexcept nogil
    cdef int plainly(self, const Cell* cell, Py_ssize_t e, const Measure* out) noexcept nogil
    cdef void add_part(self, const Cell* cell, index_t p, const Part* part, Moments* sums,
                       Measure* out) noexcept nogil
    cdef int cut_exactly(self, const Cell* cell, Regular2D mesh, index_t i, index_t p,
                         Moments* sums, bint* found, Measure* out) noexcept nogil
    cdef int cell_in(self, index_t p, Regular2D mesh, index_t i, Cell* part) noexcept with gil
    cdef void origin(self, const Cell* cell, index_t p, double* x, double* y) noexcept nogil
    cdef void add_cell(self, const Cell* cell, const Cell* part, index_t p, double dx, double dy,
                       Moments* sums) noexcept nogil
    cdef void add_sides(self, const Cell* cell, const Cell* part, index_t p,
                        const Moments* sums, Measure* out) noexcept nogil
    cdef void add_triangle(self, const Cell* frame, double dx, double dy, double x0, double y0,
                           double f0, double x1, double y1, double f1, double x2, double y2,
                           double f2, double twice, Moments* sums) noexcept nogil
    cdef void add_side(self, const Cell* cell, Py_ssize_t side, double x0, double y0, double f0,
                       double x1, double y1, double f1, double length, const Moments* sums,
                       Measure* out) noexcept nogil
