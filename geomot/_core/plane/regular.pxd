"""Regular triangulation of weighted sites in the plane."""

from geomot._core.types cimport index_t


cdef struct Edge:
    index_t triangle
    int k                       # the edge opposite vertex k


cdef struct BoundaryEdge:
    index_t a
    index_t b                   # directed a -> b, the zone on its left
    index_t outer               # triangle on its right
    int k                       # this edge's number there


cdef struct Zone:
    # scratch of one insertion
    Edge* stack
    BoundaryEdge* boundary
    index_t* triangles
    Py_ssize_t room
    Py_ssize_t n_triangles
    Py_ssize_t n_boundary


cdef class Regular2D:
    cdef readonly Py_ssize_t n          # sites; n itself is the vertex at infinity
    cdef readonly bint collinear        # no triangle: the visible sites form a chain
    cdef const double[:, ::1] site      # (n, 4): x, y, hi, lo
    cdef index_t[:, ::1] vert           # (slots, 3) counter-clockwise; -1 in a free slot
    cdef index_t[:, ::1] adj            # (slots, 3) triangle across the edge opposite vert[:, k]
    cdef index_t[::1] mark              # (slots,) +- stamp of the last insertion that met it
    cdef readonly Py_ssize_t slots      # slots in use
    cdef index_t[::1] incident          # (n,) a triangle of the site, or its place; -1 hidden
    cdef index_t[::1] chain             # visible sites along their line, if collinear
    cdef Py_ssize_t chain_length

    cdef int build(self, const index_t[::1] order) except -1
    cdef bint first_triangle(self, const index_t[::1] order, index_t* first) noexcept
    cdef int insert_all(self, const index_t[::1] order, const index_t* first) noexcept nogil
    cdef void start(self, const index_t* first) noexcept nogil
    cdef int infinite_vertex(self, index_t t) noexcept nogil
    cdef bint conflict_finite(self, index_t t, index_t p) noexcept nogil
    cdef bint conflict(self, index_t t, index_t p) noexcept nogil
    cdef index_t locate_triangle(self, index_t p, index_t t) noexcept nogil
    cdef int collect(self, index_t p, index_t t, index_t stamp, Zone* zone) noexcept nogil
    cdef index_t fill(self, index_t p, Zone* zone, index_t* spare,
                      Py_ssize_t* n_spare) noexcept nogil
    cdef int build_chain(self, const index_t[::1] order) except -1
    cdef Py_ssize_t star(self, index_t i, index_t* out, Py_ssize_t room,
                         bint* closed) noexcept nogil
    cdef bint has_more(self, index_t i, Py_ssize_t limit) noexcept nogil
    cdef int corner_of(self, index_t t, index_t i) noexcept nogil
    cdef bint has_corner(self, index_t t, index_t i) noexcept nogil
    cdef Py_ssize_t star_about(self, index_t i, index_t j, index_t* out,
                               Py_ssize_t room) noexcept nogil
    cdef bint is_flat(self, const index_t* ring, Py_ssize_t count, bint closed,
                      index_t i) noexcept nogil
