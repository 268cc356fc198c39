"""Facets of cells inside the domain, and what they add to the cells."""

from libc.stdint cimport uint8_t

from geomot._core.space.cells cimport Share
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.regular cimport Regular3D
from geomot._core.types cimport index_t


cdef struct Border:
    # between two cells, in sorted positions
    index_t i
    index_t j
    double area


cdef struct Late:
    # what a facet adds to a cell of a later chunk
    index_t site
    Share share


cdef class Rings:
    cdef Border* border
    cdef Py_ssize_t n_borders
    cdef Py_ssize_t borders_room
    cdef Late* late
    cdef Py_ssize_t n_late
    cdef Py_ssize_t late_room

    cdef int measure(self, Regular3D mesh, Domain3D domain, const uint8_t* kept, Share* shares,
                     Py_ssize_t start, Py_ssize_t stop) noexcept nogil
    cdef int add_border(self, index_t i, index_t j, double area) noexcept nogil
    cdef int add(self, Regular3D mesh, Share* shares, index_t site, Py_ssize_t stop,
                 const Share* share) noexcept nogil
    cdef void settle(self, Share* shares) noexcept nogil
