"""Point location in a power diagram of the plane."""

cimport cython
from libc.stdint cimport int64_t

from geomot._core.plane.regular cimport Regular2D
from geomot._core.types cimport index_t


cdef struct Query:
    double x            # over `unit`, a power of two, in the sites' scale
    double y
    double unit


cdef struct Hub:
    # a site with many neighbours, and how its cell in the whole plane looks from a point inside
    index_t site
    bint closed         # else the cell is unbounded
    bint seen           # is there such a point?
    double x            # the point
    double y
    index_t* ring       # the neighbours, counter-clockwise
    Py_ssize_t degree
    Py_ssize_t corners  # corner k lies between the neighbours k and k + 1
    Py_ssize_t first    # the one with the least angle about the point, of 0 to 2 pi
    Py_ssize_t upper    # how many have an angle below pi


@cython.final
cdef class Hubs:
    cdef Hub* hubs
    cdef Py_ssize_t count
    cdef index_t[::1] number        # (n,) of each site's hub, or -1; no entries without hubs
    cdef index_t[::1] ring          # the hubs' rings, one after the other

    cdef const Hub* hub_of(self, index_t site) noexcept nogil


cdef int locate_points(Regular2D mesh, Hubs hubs, const index_t[::1] perm,
                       const double[:, ::1] points, int exponent,
                       int64_t[::1] out) except -1
