"""Weights that give new sites a cell of wanted area in an existing power diagram."""

from libc.stdint cimport uint8_t

from geomot._core.plane.cells cimport Domain2D
from geomot._core.plane.measure cimport Density
from geomot._core.plane.regular cimport Regular2D
from geomot._core.types cimport index_t


cdef int insert_sites(Regular2D mesh, Domain2D domain, Density density, const uint8_t[::1] kind,
                      const double[:, ::1] points, const index_t[::1] own,
                      const double[::1] areas, index_t start,
                      double[:, ::1] weights) noexcept nogil
