"""What densities integrate to over the cells of a diagram in space."""

from geomot._core.space.cells cimport Polytope
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.regular cimport Regular3D

cdef enum:
    PARTS = 6               # polytopes that a density may cut from a cell
    SPREAD = 10             # numbers of a facet: see `Measure3D.moment`

# Points of a triangle as shares of its corners, and their weights.
cdef double[4][4] RULE


cdef struct Measure3D:
    double mass
    double[3] centre        # centroid minus the origin of the cell's frame; NaN without mass
    double cost             # integral of |x - y_i|^2
    bint empty              # no interior in the density's own domain
    double* facet           # integral over the facet on each wall of the cell
    bint wants_moments      # of facets, otherwise `moment` is NULL
    # SPREAD a wall: integrals of 1, x, y, z, xx, xy, xz, yy, yz, zz times the density, about the
    # cell's first vertex
    double* moment
    Py_ssize_t room
    Py_ssize_t moment_room
    Polytope[PARTS] part    # of the density, for as long as the cell
    double* scratch
    Py_ssize_t scratch_room


cdef struct Sums:
    # integrals of the density times 1, x and |x|^2 about the first vertex of a cell
    double one
    double[3] first
    double second


cdef struct Linear:
    # value + gradient.(x - at), with x and `at` about the origin of a cell's frame
    double value
    double[3] gradient
    double[3] at


cdef class Density3D:
    # planes that the density cuts by, (p, 4), as those of a domain
    cdef readonly object planes

    cdef int integrate(self, Polytope* cell, Regular3D mesh, Domain3D domain,
                       Measure3D* out) noexcept nogil
    cdef double relative(self, const double* x) noexcept nogil


cdef class Uniform3D(Density3D):
    cdef double value


cdef int measure_init(Measure3D* measure, bint wants_moments=*) noexcept nogil
cdef void measure_free(Measure3D* measure) noexcept nogil
cdef int measure_reserve(Measure3D* measure, Py_ssize_t walls) noexcept nogil
cdef int scratch_reserve(Measure3D* measure, Py_ssize_t numbers) noexcept nogil
cdef int add_linear(Polytope* part, const Polytope* cell, const Linear* f, double narrow,
                    Sums* sums, Measure3D* out) noexcept nogil
cdef void add_triangle(const double* a, const double* b, const double* c, double fa, double fb,
                       double fc, double area, double* moment) noexcept nogil
cdef int add_facets(Polytope* cell, double value, Measure3D* out) noexcept nogil
cdef void finish(const Polytope* cell, const double* site, const Sums* sums,
                 Measure3D* out) noexcept nogil
