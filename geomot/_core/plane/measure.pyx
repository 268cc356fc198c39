"""Integrals of a density over one cell and along its sides; the shape comes from `cells`.

A density sees a cell in the cell's own frame, as `cells` has computed it: corners relative to an
origin next to the cell, so that no digits are lost far from zero, and what geometry alone decides,
its area, centroid, second moment and the lengths of its sides, each right to its own last digits.
"""

from libc.stdlib cimport free, realloc

from geomot._core.plane.cells cimport Cell
from geomot._core.status cimport NO_MEMORY, OK


cdef void measure_init(Measure* measure) noexcept nogil:
    measure.facet = NULL
    measure.room = 0


cdef void measure_free(Measure* measure) noexcept nogil:
    free(measure.facet)


cdef int measure_reserve(Measure* measure, Py_ssize_t sides) noexcept nogil:
    """Room for the facets of a cell of so many sides; OK or NO_MEMORY."""
    cdef double* facet
    if sides <= measure.room:
        return OK
    facet = <double*> realloc(measure.facet, 2 * <size_t> sides * sizeof(double))
    if facet == NULL:
        return NO_MEMORY
    measure.facet = facet
    measure.room = 2 * sides
    return OK


cdef class Density:
    """A density in the plane, in the units of the kernels."""

    cdef void integrate(self, const Cell* cell, Measure* out) noexcept nogil:
        """Integrate over a cell with an interior, and along its sides, for which there is room."""
        pass


cdef class Uniform(Density):
    """The same density everywhere."""

    def __init__(self, double value):
        self.value = value

    cdef void integrate(self, const Cell* cell, Measure* out) noexcept nogil:
        cdef Py_ssize_t k
        out.mass = cell.area * self.value
        out.cost = cell.cost * self.value
        out.centre_x = cell.centre_x
        out.centre_y = cell.centre_y
        for k in range(cell.size):
            out.facet[k] = cell.length[k] * self.value
