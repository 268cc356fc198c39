"""Orders of points."""

from libc.stdint cimport uint64_t

from geomot._core.types cimport index_t


cdef struct Keyed:
    uint64_t key
    index_t item


cdef int sort_keyed(Keyed* pairs, Keyed* spare, Py_ssize_t n, int bits) noexcept nogil


cdef inline uint64_t mix(uint64_t z) noexcept nogil:
    """Finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    z += 0x9E3779B97F4A7C15ULL
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
    return z ^ (z >> 31)
