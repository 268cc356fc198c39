"""Power cells in space: their vertices, cut by a convex polyhedron, and what they measure."""

from geomot._core.space.domain cimport Domain3D
from geomot._core.space.predicates cimport Arena
from geomot._core.space.regular cimport Regular3D
from geomot._core.types cimport index_t

# As in `predicates`: bounds on the errors of places and filters; tests/filter_bounds.py.
cdef extern from *:
    """
    #ifndef GEOMOT_SPACE_CELL_BOUNDS
    #define GEOMOT_SPACE_CELL_BOUNDS
    #define GEOMOT_CENTRE_BOUND (64.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_MEETING_BOUND (32.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_SIDE3_BOUND (8.0 * GEOMOT_ROUNDOFF)
    #endif
    """
    const double CENTRE_BOUND "GEOMOT_CENTRE_BOUND"
    const double MEETING_BOUND "GEOMOT_MEETING_BOUND"
    const double SIDE3_BOUND "GEOMOT_SIDE3_BOUND"


# Cells of this volume, relative to the domain's, are computed about one of their vertices.
cdef double TINY

cdef enum:
    EMPTY = 0
    REGULAR = 1
    FLAT = 2            # without interior in the whole space: not a corner of the lifted hull


cdef struct Wall:
    # a plane that bounds a cell, {z : normal.z <= offset} about the frame's origin
    double[3] normal    # the largest component is 1 in magnitude
    double offset
    double error        # of the offset; negative: not evaluated in this frame yet
    index_t across      # a site or ghost, or -1 - k for the domain's plane k


cdef struct Vertex:
    index_t[3] wall     # in positive order
    double[3] x         # minus the frame's origin
    double error        # bound on that of each component


cdef struct Moments:
    # of a polygon: area, centroid, second moment about it
    double area
    double[3] x
    double second


cdef struct Share:
    # what a facet adds to a cell: volume, first and second moment about the cell's apex
    double volume
    double[3] first
    double second


cdef struct Pair:
    index_t a
    index_t b


cdef struct Entry:
    # of a hash table
    long long key
    index_t value


cdef struct Polytope:
    # one cell, and the scratch that its computation needs
    index_t site
    double[3] origin        # of the frame
    Wall* wall
    Py_ssize_t n_walls
    Py_ssize_t walls_room
    Vertex* vertex
    Py_ssize_t n_vertices
    Py_ssize_t vertices_room
    unsigned char* outside  # (vertices)
    index_t* link           # (3 vertices) the vertices of each wall as lists
    index_t* head           # (walls)
    index_t* first          # (walls)
    double* area            # (walls) of the facets
    Pair* rim
    Py_ssize_t rim_room
    Entry* hash
    Py_ssize_t hash_room
    unsigned int* mark      # pairs of walls met in the current cut, where there are few walls
    unsigned int cuts
    double* corner          # one facet's corners
    Py_ssize_t corners_room
    double volume
    double[3] centre        # centroid minus the frame's origin
    double cost             # integral of |x - y|^2
    Arena arena


cdef int polytope_init(Polytope* cell) noexcept nogil
cdef void polytope_free(Polytope* cell) noexcept nogil
cdef int polytope_from_star(Polytope* cell, Regular3D mesh, Domain3D domain, index_t i,
                            const index_t* star, Py_ssize_t m) noexcept nogil
cdef int polytope_start(Polytope* cell, const Wall* walls, Py_ssize_t n_walls,
                        const Vertex* vertices, Py_ssize_t n_vertices) noexcept nogil
cdef int polytope_copy(Polytope* cell, const Polytope* other) noexcept nogil
cdef int polytope_cut(Polytope* cell, const double* s, const double* planes,
                      const Wall* wall) noexcept nogil
cdef int polytope_measure(Polytope* cell, const double* site) noexcept nogil
cdef int list_walls(Polytope* cell) noexcept nogil
cdef Py_ssize_t trace_facet(Polytope* cell, Py_ssize_t w) noexcept nogil
cdef void corner_place(Polytope* cell, const Vertex* v, const double* s, const double* planes,
                       double diameter, double* out) noexcept nogil
cdef int polytope_volume(Polytope* cell) noexcept nogil
cdef int cell_from_star(Polytope* cell, Regular3D mesh, Domain3D domain, index_t i,
                        const index_t* star, Py_ssize_t m, bint inside) noexcept nogil
cdef void set_bisector(const double* p, const double* q, const double* origin,
                       Wall* wall) noexcept nogil
cdef void place_vertex(Polytope* cell, Vertex* v, const double* s, const double* planes,
                       double tolerance) noexcept nogil
cdef void set_plane(const double* planes, Py_ssize_t k, const double* origin,
                    Wall* wall) noexcept nogil
cdef double extent(const Polytope* cell) noexcept nogil
cdef void settle_places(Polytope* cell, const double* s, const double* planes,
                        double scale) noexcept nogil
cdef void move_frame(Polytope* cell, const double* s, const double* planes) noexcept nogil
cdef int set_centre(Regular3D mesh, Domain3D domain, Arena* arena, index_t t) noexcept nogil
cdef double place_of_sites(const double* s, index_t o, index_t a, index_t b, index_t c,
                           const double* origin, double tolerance, Arena* arena,
                           double* out) noexcept nogil


cdef enum:
    NOTHING_LEFT = 0
    NOT_CUT = 1
    IS_CUT = 2


cdef inline void set_moments(const double* corner, Py_ssize_t m, const double* unit,
                             Moments* out) noexcept nogil:
    """Moments of the polygon with the given corners and unit normal, of either orientation."""
    cdef Py_ssize_t k
    cdef double px = corner[3] - corner[0], py = corner[4] - corner[1], pz = corner[5] - corner[2]
    cdef double qx, qy, qz, qq, t, pp = px * px + py * py + pz * pz
    cdef double area = 0.0, x = 0.0, y = 0.0, z = 0.0, second = 0.0
    for k in range(2, m):
        qx = corner[3 * k] - corner[0]
        qy = corner[3 * k + 1] - corner[1]
        qz = corner[3 * k + 2] - corner[2]
        qq = qx * qx + qy * qy + qz * qz
        t = (unit[0] * (py * qz - pz * qy) + unit[1] * (pz * qx - px * qz)
             + unit[2] * (px * qy - py * qx))
        area += t
        x += t * (px + qx)
        y += t * (py + qy)
        z += t * (pz + qz)
        second += t * (pp + qq + px * qx + py * qy + pz * qz)
        px = qx
        py = qy
        pz = qz
        pp = qq
    out.area = 0.0
    out.x[0] = corner[0]
    out.x[1] = corner[1]
    out.x[2] = corner[2]
    out.second = 0.0
    if area == 0.0:
        return
    t = 1.0 / (3.0 * area)
    x *= t
    y *= t
    z *= t
    second = second / 12.0 - 0.5 * area * (x * x + y * y + z * z)
    if area < 0.0:
        area = -area
        second = -second
    out.area = 0.5 * area
    out.x[0] += x
    out.x[1] += y
    out.x[2] += z
    out.second = second


cdef inline void add_pyramid(Share* share, const Moments* facet, const double* unit, double sign,
                             const double* apex) noexcept nogil:
    """Add the pyramid over a facet, whose outer normal is `unit` times the sign, to a cell."""
    cdef double x = facet.x[0] - apex[0], y = facet.x[1] - apex[1], z = facet.x[2] - apex[2]
    cdef double height = sign * (unit[0] * x + unit[1] * y + unit[2] * z)
    cdef double volume = facet.area * height / 3.0
    share.volume += volume
    share.first[0] += 0.75 * volume * x
    share.first[1] += 0.75 * volume * y
    share.first[2] += 0.75 * volume * z
    share.second += 0.2 * height * (facet.second + facet.area * (x * x + y * y + z * z))
