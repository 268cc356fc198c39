"""A density that is constant on each voxel of a grid, integrated over power cells.

The grid's planes are the doubles between the voxels, which are exact as they stand.  Three ways to
the same integrals:

- a cell inside one voxel has what its shape measures, times the value;
- a fat cell is integrated over its facets by the divergence theorem, layer by layer of the first
  axis.  What a row of voxels along the last axis holds up to a place, and its moments, are summed
  from where the cell begins; each facet is cut into strips along the second axis and then into
  pieces in one voxel each, over which the sums are polynomials of degree 3.  Cost: the voxels of
  the cell's bounding box, at 2 ns each, and those that its facets cross, at some 150 ns;
- a cell whose mass would be lost to the differences of these sums, because it is thin or dark, is
  cut into its parts in the voxels, exactly as a domain's planes cut it.  All terms are positive
  then.  Cost: some microseconds for each voxel that is not dark.

Facets see the voxels on their own cell's side.
"""

import numpy as np

from libc.math cimport NAN, fabs, sqrt

from geomot._core.interrupt cimport interrupted
from geomot._core.predicates cimport ROUNDOFF
from geomot._core.space.cells cimport (
    Polytope, Wall, move_frame, polytope_copy, polytope_cut, set_plane, trace_facet)
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.measure cimport (
    RULE, SPREAD, Density3D, Linear, Measure3D, Sums, add_facets, add_linear, add_triangle,
    finish, measure_reserve, scratch_reserve)
from geomot._core.space.regular cimport Regular3D
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
# Mass below which a cell is cut into parts, relative to what its facets would have before them if
# all was as bright as the brightest voxel: the differences cost the other cells three digits.
cdef double FAINT = 2.0**-10
# By how much rounding may move a corner, relative to its coordinates.
cdef double BLUR = 8.0 * ROUNDOFF

cdef enum:
    SPARE = 16              # corners that cuts may add to a facet
    ROW = 3                 # sums of a row of voxels: of 1, z and z^2 times the density
    SLABS = 32              # layers between two looks for Ctrl-C


cdef struct Window:
    # the voxels that a cell may reach, along each axis, and by how much rounding may move corners
    Py_ssize_t[3] low
    Py_ssize_t[3] high
    double[3] blur
    double* plane[3]        # from below the first of them, about the cell's first vertex


cdef struct Facet:
    # what is left of a facet; its corners start at a place of their own in the scratch
    Py_ssize_t wall
    Py_ssize_t start
    Py_ssize_t size
    double[3] unit          # outer normal
    int broad               # the axis that it is most nearly perpendicular to
    double turn             # from twice its area seen along that axis to its own, with the sign


cdef struct Polygon:
    double* corner
    Py_ssize_t size


cdef class Voxels(Density3D):
    """Constant on each voxel of a grid.

    Parameters
    ----------
    values : (l, m, n) array
        The masses of the voxels, of sum 1 in each copy.
    edges : list of three arrays
        The places of the planes between voxels, and of the ends, along each axis, increasing.
    copies : int
        How many copies of a grid these voxels are.
    """
    cdef const double[:, :, ::1] value
    cdef const double[::1] edge             # of all axes, one after the other
    cdef const double[::1] inverse          # of the widths, in the same places
    cdef Py_ssize_t[3] count
    cdef Py_ssize_t[3] start                # of each axis in `edge`
    cdef Py_ssize_t[3] row                  # of each axis in `planes`
    cdef double[3] per
    cdef double mean

    def __init__(self, values, edges, copies=1):
        cdef int k
        self.value = np.ascontiguousarray(values, dtype=np.float64)
        planes = []
        at = 0
        for k in range(3):
            along = np.asarray(edges[k], dtype=np.float64)
            self.count[k] = len(along) - 1
            self.start[k] = at
            self.row[k] = sum(map(len, planes))
            self.per[k] = self.count[k] / np.ptp(along)
            at += len(along)
            between = along[1:self.count[k]]
            inner = np.zeros((2 * len(between), 4))
            inner[0::2, k], inner[0::2, 3] = 1.0, between       # what lies below a plane
            inner[1::2, k], inner[1::2, 3] = -1.0, -between     # and above it
            planes.append(inner)
        self.planes = np.concatenate(planes)
        self.edge = np.concatenate(edges)
        self.inverse = np.concatenate([1.0 / np.diff(along, append=np.inf) for along in edges])
        self.mean = copies / float(np.prod([np.ptp(along) for along in edges]))

    cdef inline double density(self, Py_ssize_t i, Py_ssize_t j, Py_ssize_t k) noexcept nogil:
        return (self.value[i, j, k] * self.inverse[self.start[0] + i]
                * self.inverse[self.start[1] + j] * self.inverse[self.start[2] + k])

    cdef Py_ssize_t voxel_of(self, int axis, double origin, double x, bint below) noexcept nogil:
        """The voxel at origin + x, or the nearest one; of the two at a plane the lower one where
        `below`."""
        cdef const double* edge = &self.edge[self.start[axis]]
        cdef Py_ssize_t n = self.count[axis], at
        cdef double guess = ((origin - edge[0]) + x) * self.per[axis]
        at = 0 if not guess > 0.0 else (n - 1 if guess >= n else <Py_ssize_t> guess)
        while at > 0 and (x < edge[at] - origin or (below and x == edge[at] - origin)):
            at -= 1
        while at + 1 < n and (x > edge[at + 1] - origin
                              or (not below and x == edge[at + 1] - origin)):
            at += 1
        return at

    cdef double relative(self, const double* x) noexcept nogil:
        return self.density(self.voxel_of(0, 0.0, x[0], False), self.voxel_of(1, 0.0, x[1], False),
                            self.voxel_of(2, 0.0, x[2], False)) / self.mean

    cdef void look(self, const Polytope* cell, double slack, Window* window) noexcept nogil:
        """The voxels that a cell reaches into by more than `slack` times what rounding may."""
        cdef double low, high, blur
        cdef Py_ssize_t k
        cdef int j
        for j in range(3):
            low = high = cell.vertex[0].x[j]
            for k in range(1, cell.n_vertices):
                low = min(low, cell.vertex[k].x[j])
                high = max(high, cell.vertex[k].x[j])
            window.blur[j] = BLUR * max(fabs(low), fabs(high))
            blur = slack * window.blur[j]
            window.low[j] = self.voxel_of(j, cell.origin[j], low + blur, False)
            window.high[j] = max(window.low[j],
                                 self.voxel_of(j, cell.origin[j], high - blur, True))

    cdef int integrate(self, Polytope* cell, Regular3D mesh, Domain3D domain,
                       Measure3D* out) noexcept nogil:
        cdef Window window
        cdef Sums sums
        cdef int status
        cdef bint enough = False
        self.look(cell, 1.0, &window)
        if (window.low[0] == window.high[0] and window.low[1] == window.high[1]
                and window.low[2] == window.high[2]):
            return self.in_one_voxel(
                cell, self.density(window.low[0], window.low[1], window.low[2]), out)
        status = self.by_facets(cell, &window, &sums, &enough, out)
        if status == OK and not enough:
            self.look(cell, -1.0, &window)
            status = measure_reserve(out, cell.n_walls)
            if status == OK:
                status = self.by_parts(cell, mesh, domain, &window, &sums, out)
        finish(cell, mesh.s + 5 * <Py_ssize_t> cell.site, &sums, out)
        return status

    cdef int in_one_voxel(self, Polytope* cell, double density, Measure3D* out) noexcept nogil:
        cdef int j
        out.mass = cell.volume * density
        out.cost = cell.cost * density
        for j in range(3):
            out.centre[j] = cell.centre[j] if density > 0.0 else NAN
        return add_facets(cell, density, out)

    # ---- fat cells ----

    cdef int by_facets(self, Polytope* cell, Window* window, Sums* sums, bint* enough,
                       Measure3D* out) noexcept nogil:
        """The divergence theorem; `enough`: the digits of the mass are kept.  A status."""
        cdef Py_ssize_t columns = window.high[2] - window.low[2] + 1
        cdef Py_ssize_t entries = ROW * columns * (window.high[1] - window.low[1] + 1)
        cdef Py_ssize_t w, m, k, i, n_facets = 0, corners = 0, most = 0, lists
        cdef int j
        cdef Facet* facet
        cdef double* room
        cdef double* table
        cdef Polygon[4] cut
        cdef double brightest = 0.0, spread = 0.0
        cdef Py_ssize_t planes = 0
        for j in range(3):
            planes += window.high[j] - window.low[j] + 2
        clear(sums)
        for w in range(cell.n_walls):
            if cell.head[w] >= 0 and cell.area[w] > 0.0:
                m = trace_facet(cell, w)
                if m < 0:
                    return NO_MEMORY
                n_facets += 1
                corners += m + SPARE
                most = max(most, m + SPARE)
        lists = n_facets * (<Py_ssize_t> (sizeof(Facet) // sizeof(double)) + 1)
        if scratch_reserve(out, lists + 3 * corners + entries + 12 * most + planes) != OK:
            return NO_MEMORY
        facet = <Facet*> out.scratch
        room = out.scratch + lists
        table = room + 3 * corners
        for k in range(4):
            cut[k].corner = table + entries + 3 * most * k
        window.plane[0] = table + entries + 12 * most
        for j in range(3):
            for k in range(window.low[j], window.high[j] + 2):
                window.plane[j][k - window.low[j]] = (
                    (self.edge[self.start[j] + k] - cell.origin[j]) - cell.vertex[0].x[j])
            if j < 2:
                window.plane[j + 1] = window.plane[j] + (window.high[j] - window.low[j] + 2)
        corners = n_facets = 0
        for w in range(cell.n_walls):
            if cell.head[w] >= 0 and cell.area[w] > 0.0:
                m = trace_facet(cell, w)
                facet[n_facets].wall = w
                facet[n_facets].start = 3 * corners
                facet[n_facets].size = m
                for k in range(m):
                    for j in range(3):
                        room[3 * (corners + k) + j] = cell.corner[3 * k + j] - cell.vertex[0].x[j]
                set_facet(&facet[n_facets], &cell.wall[w].normal[0], room + 3 * corners)
                spread += cell.area[w] * fabs(facet[n_facets].unit[2])
                corners += m + SPARE
                n_facets += 1
        for i in range(window.low[0], window.high[0] + 1):
            if i % SLABS == SLABS - 1 and interrupted():
                return INTERRUPTED
            brightest = max(brightest, self.fill_table(window, i, table))
            for k in range(n_facets):
                if facet[k].size > 0:
                    self.add_layer(window, i, &facet[k], room + facet[k].start, table, cut,
                                   most, sums, out)
        enough[0] = sums.one > FAINT * brightest * spread * (
            window.plane[2][window.high[2] - window.low[2] + 1] - window.plane[2][0])
        return OK

    cdef double fill_table(self, const Window* window, Py_ssize_t i,
                           double* table) noexcept nogil:
        """Sums along the rows of layer i up to each voxel, about the cell's first vertex; the
        largest density."""
        cdef Py_ssize_t j, k, at = 0
        cdef double brightest = 0.0, per, f, low, high, wide, middle, a0, a1, a2
        cdef const double* inverse = &self.inverse[self.start[2]]
        for j in range(window.low[1], window.high[1] + 1):
            per = self.inverse[self.start[0] + i] * self.inverse[self.start[1] + j]
            a0 = a1 = a2 = 0.0
            low = window.plane[2][0]
            for k in range(window.low[2], window.high[2] + 1):
                table[at] = a0
                table[at + 1] = a1
                table[at + 2] = a2
                at += ROW
                high = window.plane[2][k + 1 - window.low[2]]
                f = self.value[i, j, k] * per
                brightest = max(brightest, f * inverse[k])
                middle = 0.5 * (low + high)
                wide = high - low
                a0 += f
                a1 += f * middle
                a2 += f * (middle * middle + wide * wide / 12.0)
                low = high
        return brightest

    cdef inline void reach(self, const Window* window, const Facet* facet,
                           const Polygon* polygon, int axis, Py_ssize_t* first,
                           Py_ssize_t* last) noexcept nogil:
        """The voxels of the window that a polygon of the facet passes, counted from its first; of
        those beside a plane that it lies on the one on the cell's side."""
        cdef const double* plane = window.plane[axis]
        cdef double low, high
        cdef Py_ssize_t k, end = window.high[axis] - window.low[axis], start
        low = high = polygon.corner[axis]
        for k in range(1, polygon.size):
            low = min(low, polygon.corner[3 * k + axis])
            high = max(high, polygon.corner[3 * k + axis])
        low += window.blur[axis]
        high -= window.blur[axis]
        start = <Py_ssize_t> max(0.0, (low - plane[0]) * self.per[axis])
        if start > end:
            start = end
        while start > 0 and plane[start] > low:
            start -= 1
        while start < end and plane[start + 1] <= low:
            start += 1
        k = max(start - 1, 0)
        while k < end and plane[k + 1] < high:
            k += 1
        if k < start:
            if facet.unit[axis] > 0.0:
                start = k
            else:
                k = start
        first[0] = start
        last[0] = k

    cdef void add_layer(self, const Window* window, Py_ssize_t i, Facet* facet, double* corner,
                        const double* table, Polygon* cut, Py_ssize_t room, Sums* sums,
                        Measure3D* out) noexcept nogil:
        """Add what a facet has in layer i, and keep what lies beyond it."""
        cdef Polygon whole
        cdef Py_ssize_t first, last, j, k, column, final
        cdef Py_ssize_t layer = i - window.low[0], columns = window.high[2] - window.low[2] + 1
        cdef const double* inverse = &self.inverse[self.start[2] + window.low[2]]
        cdef const double* value
        cdef double per
        whole.corner = corner
        whole.size = facet.size
        self.reach(window, facet, &whole, 0, &first, &last)
        if first > layer:
            return
        if last > layer:
            take(&whole, 0, window.plane[0][layer + 1], &cut[0], &cut[1], room)
            copy_corners(&whole, corner)
            cut[1].corner = whole.corner
            facet.size = whole.size
        else:
            copy_corners(&whole, cut[0].corner)
            cut[0].size = whole.size
            facet.size = 0
        if cut[0].size < 3:
            return
        self.reach(window, facet, &cut[0], 1, &first, &last)
        for j in range(first, last + 1):
            if j < last:
                take(&cut[0], 1, window.plane[1][j + 1], &cut[2], &cut[1], room)
            else:
                cut[0], cut[2] = cut[2], cut[0]
            if cut[2].size < 3:
                continue
            self.reach(window, facet, &cut[2], 2, &column, &final)
            per = (self.inverse[self.start[0] + i]
                   * self.inverse[self.start[1] + window.low[1] + j])
            value = &self.value[i, window.low[1] + j, window.low[2]]
            for k in range(column, final + 1):
                if k < final:
                    take(&cut[2], 2, window.plane[2][k + 1], &cut[3], &cut[1], room)
                else:
                    cut[2], cut[3] = cut[3], cut[2]
                if cut[3].size >= 3:
                    self.add_piece(facet, &cut[3], value[k] * per * inverse[k],
                                   window.plane[2][k], table + ROW * (columns * j + k), sums, out)

    cdef void add_piece(self, const Facet* facet, const Polygon* piece, double density,
                        double plane, const double* row, Sums* sums,
                        Measure3D* out) noexcept nogil:
        """Add what a piece of a facet in one voxel has before it, from the plane below the voxel
        and the sums of the row up to there."""
        cdef int u = (facet.broad + 1) % 3, v = (facet.broad + 2) % 3
        cdef const double* a = piece.corner
        cdef const double* b
        cdef const double* c
        cdef double area = 0.0, weight, turn, x, y, z, depth, f
        cdef double one = 0.0, first = 0.0, second = 0.0, third = 0.0, square = 0.0
        cdef Py_ssize_t k
        cdef int q
        if density == 0.0 and row[0] == 0.0:
            return
        for k in range(2, piece.size):
            b = a + 3 * (k - 1)
            c = a + 3 * k
            turn = facet.turn * ((b[u] - a[u]) * (c[v] - a[v]) - (b[v] - a[v]) * (c[u] - a[u]))
            area += turn
            if out.wants_moments:
                add_triangle(a, b, c, density, density, density, turn,
                             out.moment + SPREAD * facet.wall)
            for q in range(4):
                x = RULE[q][0] * a[0] + RULE[q][1] * b[0] + RULE[q][2] * c[0]
                y = RULE[q][0] * a[1] + RULE[q][1] * b[1] + RULE[q][2] * c[1]
                z = RULE[q][0] * a[2] + RULE[q][1] * b[2] + RULE[q][2] * c[2]
                weight = RULE[q][3] * turn
                depth = density * (z - plane)
                f = weight * (row[0] + depth)
                one += f
                first += f * x
                second += f * y
                third += weight * (row[1] + 0.5 * depth * (z + plane))
                square += f * (x * x + y * y) + weight * (
                    row[2] + depth * (z * z + z * plane + plane * plane) / 3.0)
        out.facet[facet.wall] += area * density
        sums.one += facet.unit[2] * one
        sums.first[0] += facet.unit[2] * first
        sums.first[1] += facet.unit[2] * second
        sums.first[2] += facet.unit[2] * third
        sums.second += facet.unit[2] * square

    # ---- thin cells, and dark ones ----

    cdef int by_parts(self, Polytope* cell, Regular3D mesh, Domain3D domain, const Window* window,
                      Sums* sums, Measure3D* out) noexcept nogil:
        """Cut a cell into slabs, bars and what is in each voxel; a status."""
        cdef Py_ssize_t[3] at
        cdef int status
        clear(sums)
        if polytope_copy(&out.part[0], cell) != OK:
            return NO_MEMORY
        for at[0] in range(window.low[0], window.high[0] + 1):
            if interrupted():
                return INTERRUPTED
            status = self.part_off(mesh, domain, window, 0, at[0], out)
            if status < 0:
                return status
            if out.part[1].n_vertices == 0:
                continue
            if polytope_copy(&out.part[2], &out.part[1]) != OK:
                return NO_MEMORY
            for at[1] in range(window.low[1], window.high[1] + 1):
                status = self.part_off(mesh, domain, window, 1, at[1], out)
                if status < 0:
                    return status
                if out.part[3].n_vertices == 0:
                    continue
                if polytope_copy(&out.part[4], &out.part[3]) != OK:
                    return NO_MEMORY
                for at[2] in range(window.low[2], window.high[2] + 1):
                    status = self.part_off(mesh, domain, window, 2, at[2], out)
                    if status == OK and out.part[5].n_vertices > 0:
                        status = self.add_part(cell, mesh, domain, at, sums, out)
                    if status < 0:
                        return status
        return OK

    cdef int part_off(self, Regular3D mesh, Domain3D domain, const Window* window, int axis,
                      Py_ssize_t k, Measure3D* out) noexcept nogil:
        """Move what lies below the plane above voxel k from part 2 axis to part 2 axis + 1, which
        has no vertices where that has no interior; OK or NO_MEMORY."""
        cdef const double* planes = &domain.plane[0, 0]
        cdef Polytope* rest = &out.part[2 * axis]
        cdef Polytope* part = rest + 1
        cdef Py_ssize_t row = domain.n + self.row[axis] + 2 * k
        cdef Wall wall
        part.n_vertices = 0
        if rest.n_vertices == 0:
            return OK
        if polytope_copy(part, rest) != OK:
            return NO_MEMORY
        if k == window.high[axis]:
            return OK
        set_plane(planes, row, rest.origin, &wall)
        if polytope_cut(part, mesh.s, planes, &wall) == NO_MEMORY:
            return NO_MEMORY
        set_plane(planes, row + 1, rest.origin, &wall)
        return min(polytope_cut(rest, mesh.s, planes, &wall), 0)

    cdef int add_part(self, const Polytope* cell, Regular3D mesh, Domain3D domain,
                      const Py_ssize_t* at, Sums* sums, Measure3D* out) noexcept nogil:
        cdef Polytope* part = &out.part[5]
        cdef Linear f
        cdef int j
        f.value = self.density(at[0], at[1], at[2])
        if f.value == 0.0:
            return OK
        for j in range(3):
            f.gradient[j] = 0.0
            f.at[j] = 0.0
        move_frame(part, mesh.s, &domain.plane[0, 0])
        return add_linear(part, cell, &f, 0.0, sums, out)


# ---- polygons ----

cdef void clear(Sums* sums) noexcept nogil:
    sums.one = sums.second = 0.0
    sums.first[0] = sums.first[1] = sums.first[2] = 0.0


cdef void set_facet(Facet* facet, const double* normal, const double* corner) noexcept nogil:
    """Set what is known from the outer normal and the corners."""
    cdef double length = sqrt(normal[0] * normal[0] + normal[1] * normal[1]
                              + normal[2] * normal[2])
    cdef double twice = 0.0
    cdef Py_ssize_t k
    cdef int j, u, v
    facet.broad = 0
    for j in range(3):
        facet.unit[j] = normal[j] / length
        if fabs(normal[j]) > fabs(normal[facet.broad]):
            facet.broad = j
    u = (facet.broad + 1) % 3
    v = (facet.broad + 2) % 3
    for k in range(2, facet.size):
        twice += ((corner[3 * k - 3 + u] - corner[u]) * (corner[3 * k + v] - corner[v])
                  - (corner[3 * k - 3 + v] - corner[v]) * (corner[3 * k + u] - corner[u]))
    facet.turn = 0.5 / fabs(facet.unit[facet.broad])
    if twice < 0.0:
        facet.turn = -facet.turn


cdef inline void copy_corners(const Polygon* polygon, double* corner) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(3 * polygon.size):
        corner[k] = polygon.corner[k]


cdef void take(Polygon* whole, int axis, double plane, Polygon* below, Polygon* above,
               Py_ssize_t room) noexcept nogil:
    """Move what lies below a plane from a polygon to `below`, by way of `above`; each has room for
    so many corners, and `whole` and `above` exchange theirs."""
    cdef Py_ssize_t k, m = 0, rest = 0
    cdef const double* p = whole.corner + 3 * (whole.size - 1)
    cdef const double* q
    cdef double share
    cdef double[3] x
    cdef int j
    for k in range(whole.size):
        q = whole.corner + 3 * k
        if (p[axis] > plane) != (q[axis] > plane):
            share = (plane - p[axis]) / (q[axis] - p[axis])
            for j in range(3):
                x[j] = p[j] + share * (q[j] - p[j])
            x[axis] = plane
            append(below.corner, &m, x, room)
            append(above.corner, &rest, x, room)
        if q[axis] > plane:
            append(above.corner, &rest, q, room)
        else:
            append(below.corner, &m, q, room)
        p = q
    below.size = m
    above.size = rest if rest >= 3 else 0
    whole[0], above[0] = above[0], whole[0]


cdef inline void append(double* corner, Py_ssize_t* size, const double* x,
                        Py_ssize_t room) noexcept nogil:
    """Rounding alone makes more corners than there is room for: they make no difference."""
    if size[0] < room:
        corner[3 * size[0]] = x[0]
        corner[3 * size[0] + 1] = x[1]
        corner[3 * size[0] + 2] = x[2]
        size[0] += 1
