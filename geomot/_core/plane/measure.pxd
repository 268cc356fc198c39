"""What densities integrate to over the cells of a diagram."""

from geomot._core.plane.cells cimport Cell
from geomot._core.plane.regular cimport Regular2D
from geomot._core.types cimport index_t


cdef struct Measure:
    double mass
    double centre_x         # centroid minus the origin of the cell's frame; NaN without mass
    double centre_y
    double cost             # integral of |x - y_i|^2
    bint empty              # no interior in the density's own domain
    double* facet           # integral along the side k of the cell
    double arc              # integral along the arcs where the cell ends and no other begins
    double[4] turn          # along them: of cosine and sine of the direction, and of twice it
    bint wants_moments      # of sides, otherwise `moment` is NULL
    double* moment          # 2 a side: integrals of t and t^2 times the density along it
    Py_ssize_t room
    Py_ssize_t moment_room
    double* scratch         # of the density, for as long as the cell
    Py_ssize_t scratch_room


cdef class Density:
    # whether sides along a jump are seen from one cell only: a facet is the mean of both then
    cdef readonly bint one_sided
    # whether cells may end in arcs: their integrals are kept
    cdef readonly bint curved

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil
    cdef double relative(self, double x, double y) noexcept nogil


cdef class Uniform(Density):
    cdef double value


cdef void measure_init(Measure* measure, bint wants_moments=*) noexcept nogil
cdef void measure_free(Measure* measure) noexcept nogil
cdef int measure_reserve(Measure* measure, Py_ssize_t sides) noexcept nogil
cdef void uniform_sides(Measure* measure, Py_ssize_t sides) noexcept nogil
cdef int scratch_reserve(Measure* measure, Py_ssize_t numbers) noexcept nogil
