"""What densities integrate to over the cells of a diagram."""

from geomot._core.plane.cells cimport Cell


cdef struct Measure:
    double mass
    double centre_x         # centroid minus the origin of the cell's frame
    double centre_y
    double cost             # integral of |x - y_i|^2
    double* facet           # integral along the side k of the cell
    Py_ssize_t room


cdef class Density:
    cdef void integrate(self, const Cell* cell, Measure* out) noexcept nogil


cdef class Uniform(Density):
    cdef double value


cdef int measure_reserve(Measure* measure, Py_ssize_t sides) noexcept nogil
cdef void measure_init(Measure* measure) noexcept nogil
cdef void measure_free(Measure* measure) noexcept nogil
