"""Weights that give new sites a cell of wanted volume in an existing power diagram."""

from libc.stdint cimport uint8_t

from geomot._core.space.domain cimport Domain3D
from geomot._core.space.measure cimport Density3D
from geomot._core.space.regular cimport Regular3D
from geomot._core.types cimport index_t


cdef int insert_sites(Regular3D mesh, Domain3D domain, Density3D density,
                      const uint8_t[::1] kind, const double[:, ::1] points,
                      const index_t[::1] own, const double[::1] volumes, index_t start,
                      double[:, ::1] weights) noexcept nogil
