"""A density that is linear on each of many tetrahedra."""

from libc.stdint cimport int64_t

from geomot._core.space.cells cimport Polytope
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.measure cimport Density3D, Linear, Measure3D, Sums
from geomot._core.space.regular cimport Regular3D
from geomot._core.types cimport index_t


cdef struct Found:
    # what the tetrahedra hold of a cell
    Sums sums
    bint any                # whether one of them holds a part with an interior
    bint whole              # whether one holds all of the cell
    double brightest        # the largest density there


cdef struct Box:
    double[3] lower
    double[3] upper


cdef class Tetrahedra(Density3D):
    cdef const double[:, :, ::1] corner     # (count, 4, 3), the least dense one first
    cdef const double[:, ::1] value         # (count, 4)
    cdef const double[:, ::1] gradient      # (count, 3)
    cdef const index_t[:, ::1] face         # (count, 4): rows of `planes`, or -1
    cdef Py_ssize_t count
    cdef double mean
    cdef double slack
    cdef Py_ssize_t side                    # buckets along each axis
    cdef double[3] lower
    cdef double[3] per
    cdef const int64_t[::1] bucket_start
    cdef const index_t[::1] bucket
    cdef const double[:, ::1] box           # (count, 6), widened by the slack
    cdef const index_t[:, ::1] first        # (count, 3): the first bucket of each

    cdef int over_all(self, Polytope* cell, Regular3D mesh, Domain3D domain, double scale,
                      bint finely, Found* found, Measure3D* out) noexcept nogil
    cdef int add_piece(self, Polytope* cell, Regular3D mesh, Domain3D domain, index_t p,
                       const Box* around, double scale, bint finely, Found* found,
                       Measure3D* out) noexcept nogil
    cdef bint inside(self, const Polytope* cell, index_t p, double scale) noexcept nogil
    cdef double brightest(self, index_t p) noexcept nogil
    cdef void add_whole(self, const Polytope* cell, index_t p, Sums* sums) noexcept nogil
