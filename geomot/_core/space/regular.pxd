"""Regular triangulation of weighted sites in space."""

from geomot._core.space.predicates cimport Arena
from geomot._core.types cimport index_t


cdef struct Tet:
    # one cache line
    index_t[4] vert     # det(v0 - v3, v1 - v3, v2 - v3) > 0; vert[0] = -1 in a free slot
    index_t[4] adj      # 4 t + k: tetrahedron t across the facet opposite vert[], its facet k
    double[4] plane     # the lifted plane about vert[3]; later what `cells` puts here


cdef struct Facet:
    # of the conflict zone's boundary: the new site sees a, b, c positively
    index_t a
    index_t b
    index_t c
    index_t outer       # 4 t + k outside, or -1


cdef struct Slot:
    # of a hash table
    long long key
    index_t value


cdef struct Zone:
    # scratch of one insertion
    index_t* tets
    Facet* boundary
    Py_ssize_t room
    Py_ssize_t n_tets
    Py_ssize_t n_boundary
    index_t* verts          # vertices of the boundary
    double* rows            # (n_verts, ROW) of them about the new site
    Py_ssize_t n_verts
    index_t* number         # (n + 4,) of each vertex in `verts`, or -1
    index_t* table          # of directed edges, for few vertices
    Slot* hash              # for many
    Py_ssize_t hash_room
    index_t* spare          # free slots
    Py_ssize_t n_spare
    Py_ssize_t spare_room
    Arena arena


cdef class Regular3D:
    cdef readonly Py_ssize_t n          # sites; four ghosts follow
    cdef const double[:, ::1] site      # (n + 4, 5): x, y, z, hi, lo
    cdef const double* s                # the same
    cdef Tet* tet
    cdef double* size                   # (slots, 2): what errors of the planes are relative to
    cdef index_t* mark                  # (slots,) +- stamp of the last insertion that met it
    cdef readonly Py_ssize_t slots      # slots in use
    cdef Py_ssize_t room
    cdef void* block                    # what `tet` is part of
    cdef readonly bint sorted           # by `renumber`
    cdef index_t[::1] incident          # (n + 4,) a tetrahedron of the site; -1 hidden
    cdef index_t[::1] start             # (n + 5,) the first tetrahedron whose least vertex it is

    cdef int build(self, const index_t[::1] order) except -1
    cdef int reserve(self, Py_ssize_t room) noexcept nogil
    cdef int insert_all(self, const index_t[::1] order) noexcept nogil
    cdef bint conflict(self, Arena* arena, index_t t, const double* q) noexcept nogil
    cdef index_t walk(self, Arena* arena, index_t t, const double* q) noexcept nogil
    cdef int collect(self, const double* q, index_t t, index_t stamp, Zone* zone) noexcept nogil
    cdef int fill(self, index_t p, Zone* zone, index_t* last) noexcept nogil
    cdef int sort_tets(self, index_t[::1] to) noexcept nogil


# The vertices of facet k, opposite vertex k, which follow with it in positive order.
cdef int[4][3] FACET


cdef inline int corner_of(const Tet* tet, index_t i) noexcept nogil:
    """Which vertex of the tetrahedron the site i is."""
    return (tet.vert[1] == i) + 2 * (tet.vert[2] == i) + 3 * (tet.vert[3] == i)
