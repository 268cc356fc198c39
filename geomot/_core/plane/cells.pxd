"""Power cells clipped to a convex polygon."""

from geomot._core.predicates cimport ExactLine
from geomot._core.plane.regular cimport Regular2D
from geomot._core.types cimport index_t

# As in `predicates`: bounds on the errors of filters, relative to their permanents.
cdef extern from *:
    """
    #ifndef GEOMOT_DET_BOUND
    #define GEOMOT_DET_BOUND (16.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_TURN_BOUND (4.0 * GEOMOT_ROUNDOFF)
    #define GEOMOT_SIDE_BOUND (8.0 * GEOMOT_ROUNDOFF)
    /* what cancels in the offset of a line, in units of its error: see Line.size */
    #define GEOMOT_CANCELLED (32.0 * GEOMOT_ROUNDOFF)
    /* conditioning: sine of two sides for the plain formula of their vertex, and its error,
       relative to the magnitudes that enter it: 2^-44 */
    #define GEOMOT_SINE 0.0625
    #define GEOMOT_PLAIN_ERROR (512.0 * GEOMOT_ROUNDOFF)
    #endif
    """
    const double DET_BOUND "GEOMOT_DET_BOUND"
    const double TURN_BOUND "GEOMOT_TURN_BOUND"
    const double SIDE_BOUND "GEOMOT_SIDE_BOUND"
    const double CANCELLED "GEOMOT_CANCELLED"
    const double SINE "GEOMOT_SINE"
    const double PLAIN_ERROR "GEOMOT_PLAIN_ERROR"


cdef struct Line:
    # {z : a z_x + b z_y <= c} in the current frame
    double a
    double b
    double c
    double size         # bound on |c| plus the magnitudes that cancelled in it
    Py_ssize_t across   # neighbouring site, or -1 - e for the domain's edge e


cdef struct Cell:
    # one cell, and the scratch that its computation needs
    Py_ssize_t room
    bint stopped            # by Ctrl-C; the exception is set
    index_t* ring           # neighbours in the triangulation
    Line* lines             # the domain's edges, then the neighbours' bisectors
    Py_ssize_t* after       # the polygon as a ring of lines while it is cut
    Py_ssize_t* before
    Py_ssize_t* touched     # edges of the domain that the last cut evaluated or relinked
    Py_ssize_t n_touched    # -1: the edges are not set yet
    Py_ssize_t* side        # polygon: numbers of its lines, counter-clockwise
    double* x               # vertex between side[k] and side[k + 1], minus the frame's origin
    double* y
    double* length          # of the edge on side[k], 0.0 exactly where it is one point
    double* twice           # twice the area of the triangle over that edge
    Py_ssize_t size         # number of sides; 0: empty
    double site_x
    double site_y
    double shift_x          # frame's origin minus the site
    double shift_y
    double vertex_error     # bound on the error of x, y relative to the magnitudes that enter
    double area
    double centre_x         # centroid minus the frame's origin
    double centre_y
    double cost


cdef class Domain2D:
    cdef readonly Py_ssize_t n
    cdef readonly bint shares           # its edges with other polygons
    cdef const double[:, ::1] corner    # (n + 1, 2), the first repeated
    cdef readonly double area
    cdef readonly double diameter
    cdef double lower_x
    cdef double lower_y
    cdef double upper_x
    cdef double upper_y
    cdef double centre_x
    cdef double centre_y
    cdef double safe_radius2            # points nearer to the centre are inside for certain
    cdef double outer_radius2           # points farther from it are outside
    cdef double margin
    cdef double[::1] angle              # (n,): of each edge's normal, from that of edge 0
    cdef double[:, ::1] edge            # (n, 3): unit normal and offset, about the centre

    cdef bint surely_inside(self, double x, double y) noexcept nogil
    cdef Py_ssize_t facing(self, double a, double b) noexcept nogil


cdef enum:
    EMPTY = 0
    REGULAR = 1
    FLAT = 2            # without interior in the whole plane: not a corner of the lifted hull


cdef int cell_init(Cell* cell) noexcept nogil
cdef void cell_free(Cell* cell) noexcept nogil
cdef int cell_compute(Cell* cell, Regular2D mesh, Domain2D domain, index_t i) noexcept nogil
cdef void shifted_edge(const double* corner, const double* p, double sx, double sy,
                       Line* line) noexcept nogil
cdef void shifted_bisector(const double* p, const double* q, double sx, double sy,
                           Line* line) noexcept nogil
cdef void shifted_edge(const double* corner, const double* p, double sx, double sy,
                       Line* line) noexcept nogil
cdef void set_line(Line* line, Regular2D mesh, Domain2D domain, index_t i,
                   double sx, double sy) noexcept nogil
cdef void set_exact(const Line* line, Regular2D mesh, Domain2D domain, index_t i,
                    ExactLine* out) noexcept nogil
