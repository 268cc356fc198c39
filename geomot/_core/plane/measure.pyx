"""Integrals of a density over one cell and along its sides; the shape comes from `cells`.

A density sees a cell in the cell's own frame, as `cells` has computed it, so that no digits are
lost far from zero. The frame's origin is site + shift, a sum that may cancel. Corner k lies between
the sides k and k + 1; side k runs from corner k - 1 to corner k. ``twice[k]`` is twice the area of
the triangle of corner 0 and side k. Lengths, `twice`, area, centroid and second moment of the shape
may be more exact than the corners: take areas and lengths from them, never from coordinates.

`integrate` sets the mass, the centroid (NaN where there is no mass), the integral of |x - y_i|^2
and, for each side, the integral of the density along it; 0.0 makes no facet. Coordinates and
lengths are those of the kernels, multiplied by a power of two, and in them the integral of the
density over the domain is 1. A mass keeps its relative accuracy where the density is nearly 0 if it
is a sum of terms that are not negative. `empty`, False before, becomes true for a cell without an
interior where the density is defined. `arc`, 0.0 before, is the integral along the arcs that end a
cell where no other begins, for a density that says `curved`; `turn`, 0.0 before, has the integrals
along them of the cosine and the sine of the direction from the site, and of twice the direction.

Where the derivatives in the sites are wanted, `moment` has room for two more numbers of each side:
the integrals of t and t^2 times the density along it, t from 0 at the side's start to 1 at its end.

Where a density jumps along a side, the derivative of the masses is the mean of both sides. A
density may look across the side itself; one that says `one_sided` measures a side in its own cell,
and the door takes the mean of what the two cells have measured.
"""

from libc.math cimport NAN
from libc.stdlib cimport free, realloc

from geomot._core.plane.cells cimport Cell
from geomot._core.plane.regular cimport Regular2D
from geomot._core.status cimport NO_MEMORY, OK
from geomot._core.types cimport index_t


cdef void measure_init(Measure* measure, bint wants_moments=False) noexcept nogil:
    measure.facet = NULL
    measure.room = 0
    measure.wants_moments = wants_moments
    measure.moment = NULL
    measure.moment_room = 0
    measure.scratch = NULL
    measure.scratch_room = 0


cdef void measure_free(Measure* measure) noexcept nogil:
    free(measure.facet)
    free(measure.moment)
    free(measure.scratch)


cdef inline int grow(double** block, Py_ssize_t* room, Py_ssize_t wanted) noexcept nogil:
    cdef double* moved
    if wanted <= room[0]:
        return OK
    moved = <double*> realloc(block[0], 2 * <size_t> wanted * sizeof(double))
    if moved == NULL:
        return NO_MEMORY
    block[0] = moved
    room[0] = 2 * wanted
    return OK


cdef int measure_reserve(Measure* measure, Py_ssize_t sides) noexcept nogil:
    """Room for the facets of a cell of so many sides; OK or NO_MEMORY."""
    cdef Py_ssize_t k
    if measure.wants_moments:
        if grow(&measure.moment, &measure.moment_room, 2 * sides) != OK:
            return NO_MEMORY
        # of a density that does not tell
        for k in range(2 * sides):
            measure.moment[k] = NAN
    return grow(&measure.facet, &measure.room, sides)


cdef void uniform_sides(Measure* measure, Py_ssize_t sides) noexcept nogil:
    """Moments of sides along which the density is constant."""
    cdef Py_ssize_t k
    if measure.moment != NULL:
        for k in range(sides):
            measure.moment[2 * k] = measure.facet[k] / 2.0
            measure.moment[2 * k + 1] = measure.facet[k] / 3.0


cdef int scratch_reserve(Measure* measure, Py_ssize_t numbers) noexcept nogil:
    """Room for so many numbers in `scratch`, whose contents may be lost; OK or NO_MEMORY."""
    return grow(&measure.scratch, &measure.scratch_room, numbers)


cdef class Density:
    """A density in the plane, in the units of the kernels."""

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        """Integrate over the cell of site i, and along its sides, for which there is room.

        The cell has an interior in the domain that the diagram is clipped to. OK, NO_MEMORY or
        INTERRUPTED."""
        return OK

    cdef double relative(self, double x, double y) noexcept nogil:
        """The density at a point of the domain, relative to its mean over the domain."""
        return 1.0


cdef class Uniform(Density):
    """The same density everywhere."""

    def __init__(self, double value):
        self.value = value

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        cdef Py_ssize_t k
        out.mass = cell.area * self.value
        out.cost = cell.cost * self.value
        out.centre_x = cell.centre_x
        out.centre_y = cell.centre_y
        for k in range(cell.size):
            out.facet[k] = cell.length[k] * self.value
        uniform_sides(out, cell.size)
        return OK


cdef class Blend(Density):
    """A density with a share of the uniform one mixed in.

    Parameters
    ----------
    density : Density
        Any density.
    uniform : Uniform
        The uniform one, on all that diagrams are clipped to.
    share : float
        How much of the mass is uniform.
    """
    cdef Density density
    cdef Uniform uniform
    cdef double share

    def __init__(self, Density density, Uniform uniform, double share):
        self.density = density
        self.uniform = uniform
        self.share = share
        self.one_sided = density.one_sided

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        cdef double value = self.share * self.uniform.value, rest = 1.0 - self.share
        cdef double own, uniform, mass
        cdef Py_ssize_t k
        cdef int status = self.density.integrate(cell, mesh, i, out)
        if status != OK:
            return status
        own = rest * out.mass
        uniform = value * cell.area
        mass = own + uniform
        out.empty = False
        out.mass = mass
        out.cost = rest * out.cost + value * cell.cost
        out.centre_x = (uniform / mass) * cell.centre_x + (
            (own / mass) * out.centre_x if own > 0.0 else 0.0)
        out.centre_y = (uniform / mass) * cell.centre_y + (
            (own / mass) * out.centre_y if own > 0.0 else 0.0)
        for k in range(cell.size):
            out.facet[k] = rest * out.facet[k] + value * cell.length[k]
            if out.moment != NULL:
                out.moment[2 * k] = rest * out.moment[2 * k] + value * cell.length[k] / 2.0
                out.moment[2 * k + 1] = rest * out.moment[2 * k + 1] + value * cell.length[k] / 3.0
        return OK

    cdef double relative(self, double x, double y) noexcept nogil:
        return (1.0 - self.share) * self.density.relative(x, y) + self.share
