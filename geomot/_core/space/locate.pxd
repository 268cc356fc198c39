"""Stars of sites, and point location in a power diagram of space."""

from libc.stdint cimport int64_t

from geomot._core.space.regular cimport Regular3D
from geomot._core.types cimport index_t


cdef struct Star:
    # what lies around one site
    index_t site
    index_t* tets           # numbers 4 t + k of the tetrahedra and the site in them
    Py_ssize_t n_tets
    index_t* sites          # neighbours, ghosts among them
    Py_ssize_t n_sites
    Py_ssize_t room
    index_t* hash
    Py_ssize_t hash_room


cdef struct Query:
    double[3] x             # over `unit`, a power of two, in the sites' scale
    double unit


cdef int star_init(Star* star) noexcept nogil
cdef void star_free(Star* star) noexcept nogil
cdef int star_of(Star* star, Regular3D mesh, index_t i) noexcept nogil
cdef int locate_points(Regular3D mesh, const index_t[::1] perm, const double[:, ::1] points,
                       int exponent, int64_t[::1] out) except -1
