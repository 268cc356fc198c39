"""The cells as polygons that share their corners.

Which cells are neighbours is decided exactly, and so is which sides have a length: from cell to
cell across the sides that meet there one walks once around every corner.  Each is found once,
however many cells meet in it, and gets coordinates from one formula, that of the cell of lowest
index: the meeting point of two lines, computed in twice the working precision, or exactly where
that does not settle the rounding.  Neighbours therefore agree about their corners bit for bit.

Different corners may round to one point.  They become one, and edges of no length and spikes
leave the polygons.  Where rounding makes the edges of a polygon cross (many cells that meet almost
in one point), its shortest edge is contracted too, until none do.  A cell that is smaller than the
spacing of doubles there may be left without corners.
"""

import numpy as np

from libc.math cimport fabs
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from geomot._core.plane.cells cimport (
    PLAIN_ERROR, REGULAR, SINE, Cell, Domain2D, Line, cell_compute, cell_free, cell_init,
    set_exact, set_line)
from geomot._core.interrupt cimport interrupted, raise_for, raise_pending
from geomot._core.order cimport Keyed, mix, sort_keyed
from geomot._core.predicates cimport ExactLine, exact_vertex, orient, two_sum
from geomot._core.plane.regular cimport Regular2D
from geomot._core.status cimport INTERRUPTED, NO_MEMORY
from geomot._core.types cimport index_t

cdef enum:
    PERIOD = 65536          # sides or corners between two looks for Ctrl-C (a few ms)
    DISAGREE = -3
    INNER = -2
    BORDER = -1
    FEW = 64                # edges whose crossings are looked for pair by pair

# Rounding is settled by an error below this share of the result: a thousandth of half a last place.
cdef double SETTLED = 2.0**-64
# Edges that may be contracted, of the larger coordinate: about a thousand last places.
# Rounding turns an edge of k places by 1/k, which makes the sides of angles below that cross.
cdef double SHORT = 2.0**-42


# ---- sides ----

def cell_sides(Regular2D mesh, Domain2D domain, const uint8_t[::1] kind, index_t start,
               index_t stop):
    """Sides of positive length of the cells start to stop: how many each has (stop - start,),
    and what lies across them, counter-clockwise, a site or -1 - e for the domain's edge e."""
    cdef Cell cell
    cdef int64_t[::1] counts = np.zeros(stop - start, dtype=np.int64)
    cdef index_t* across = NULL
    cdef index_t* larger
    cdef Py_ssize_t room = 0, size = 0, polled = 0, k
    cdef index_t[::1] out
    cdef index_t i
    cdef int status = cell_init(&cell)
    with nogil:
        for i in range(start, stop):
            if status < 0:
                break
            if kind[i] != REGULAR:
                continue
            status = cell_compute(&cell, mesh, domain, i)
            if status < 0:
                break
            if size + cell.size > room:
                room = 2 * (size + cell.size)
                larger = <index_t*> realloc(across, <size_t> room * sizeof(index_t))
                if larger == NULL:
                    status = NO_MEMORY
                    break
                across = larger
            for k in range(cell.size):
                if cell.length[k] > 0.0:
                    across[size] = <index_t> cell.lines[cell.side[k]].across
                    size += 1
                    counts[i - start] += 1
            if size - polled > PERIOD:
                polled = size
                if interrupted():
                    status = INTERRUPTED
        cell_free(&cell)
    try:
        raise_for(status, "one cell's sides do not fit into memory")
        out = np.empty(size, dtype=np.int32)
        if size > 0:
            memcpy(&out[0], across, <size_t> size * sizeof(index_t))
    finally:
        free(across)
    return np.asarray(counts), np.asarray(out)


def linked(const int64_t[::1] start, const index_t[::1] across):
    """The side of the neighbour that each side is, (m,); -1 where it lies on the domain's edge.

    Cell i has the sides start[i] to start[i + 1]."""
    cdef Py_ssize_t n = start.shape[0] - 1, m = across.shape[0], most = 0, i, k, inner
    cdef int64_t[::1] twin = np.full(m, -1, dtype=np.int64)
    cdef int64_t[::1] place = np.zeros(n + 1, dtype=np.int64)
    cdef int64_t[::1] side = np.empty(m, dtype=np.int64)        # sorted by (across, cell)
    cdef index_t[::1] cell = np.empty(m, dtype=np.int32)
    cdef Keyed* pairs
    cdef int status = 0
    for i in range(n):
        most = max(most, start[i + 1] - start[i])
    pairs = <Keyed*> malloc((2 * <size_t> most + 1) * sizeof(Keyed))
    if pairs == NULL:
        raise MemoryError
    with nogil:
        for k in range(m):
            if across[k] >= 0:
                place[across[k] + 1] += 1
        for i in range(n):
            place[i + 1] += place[i]
        for i in range(n):
            if i % PERIOD == PERIOD - 1 and interrupted():
                status = INTERRUPTED
                break
            for k in range(start[i], start[i + 1]):
                if across[k] >= 0:
                    side[place[across[k]]] = k
                    cell[place[across[k]]] = <index_t> i
                    place[across[k]] += 1
        for i in range(n):              # place[i] is now where cell i's end
            if status != 0:
                break
            if i % PERIOD == PERIOD - 1 and interrupted():
                status = INTERRUPTED
                break
            inner = 0
            for k in range(start[i], start[i + 1]):
                if across[k] >= 0:
                    pairs[inner].key = <uint64_t> across[k]
                    pairs[inner].item = <index_t> (k - start[i])
                    inner += 1
            status = sort_keyed(pairs, pairs + most, inner, 32)
            if status != 0:
                break
            if inner != place[i] - (place[i - 1] if i > 0 else 0):
                status = DISAGREE
                break
            for k in range(inner):
                if cell[place[i] - inner + k] != <index_t> pairs[k].key:
                    status = DISAGREE
                    break
                twin[start[i] + pairs[k].item] = side[place[i] - inner + k]
        free(pairs)
    if status == INTERRUPTED:
        raise_pending()
    if status == DISAGREE:
        raise RuntimeError("two cells disagree about being neighbours: please report this")
    return np.asarray(twin)


# ---- corners ----

cdef struct Corner:
    # between two consecutive sides of a cell
    index_t cell
    index_t before          # across the side that ends there
    index_t after
    index_t domain_corner   # or INNER, or BORDER: on an edge of the domain


cdef inline Py_ssize_t following(Py_ssize_t side, const int64_t* ring) noexcept nogil:
    return side + 1 if side + 1 < ring[1] else ring[0]


cdef inline Py_ssize_t preceding(Py_ssize_t side, const int64_t* ring) noexcept nogil:
    return side - 1 if side > ring[0] else ring[1] - 1


cdef Corner go_round(Py_ssize_t side, index_t i, int64_t number, const int64_t[::1] start,
                     const index_t[::1] across, const int64_t[::1] twin,
                     int64_t[::1] corner) noexcept nogil:
    """Give the corner at the end of a side of cell i its number in all cells that meet there."""
    cdef Py_ssize_t at = side, next_side = following(side, &start[i])
    cdef index_t j = i
    cdef Corner out
    out.cell = i
    out.before = across[side]
    out.after = across[next_side]
    out.domain_corner = INNER
    while True:                         # clockwise, by the sides that end there
        corner[at] = number
        j = across[at]
        if j < 0:
            break
        at = preceding(twin[at], &start[j])
        if at == side:
            return out
    out.domain_corner = j
    at = next_side                      # from the domain's border the other way
    while across[at] >= 0:
        j = across[at]
        at = twin[at]
        corner[at] = number
        at = following(at, &start[j])
    # corner e of the domain is the first of its edge e
    out.domain_corner = -1 - across[at] if across[at] != out.domain_corner else BORDER
    return out


cdef class Corners:
    """The corners of all cells, each once, in the order in which the cells meet them.

    Parameters
    ----------
    start : (n + 1,) array of int64
    across : (m,) array of int32
        Sides of the sorted cells, as `cell_sides` gives them.
    rank : (n,) array of int32
        Order in which to go through the cells: the one that meets a corner first defines it.
    """
    cdef const int64_t[::1] start
    cdef const index_t[::1] across
    cdef const index_t[::1] rank
    cdef int64_t[::1] corner            # (m,) number of the corner at each side's end
    cdef Corner[::1] found
    cdef readonly Py_ssize_t count

    def __init__(self, const int64_t[::1] start, const index_t[::1] across,
                 const index_t[::1] rank):
        cdef const int64_t[::1] twin = linked(start, across)
        cdef Py_ssize_t n = rank.shape[0], m = across.shape[0], k, own, polled = 0
        cdef index_t i
        cdef int status = 0
        self.start = start
        self.across = across
        self.rank = rank
        self.corner = np.full(m, -1, dtype=np.int64)
        # at least two cells, or one and the domain's corner, meet in each
        self.found = np.empty(m, dtype=[("cell", "i4"), ("before", "i4"), ("after", "i4"),
                                        ("domain_corner", "i4")])
        self.count = 0
        with nogil:
            for own in range(n):
                i = rank[own]
                for k in range(start[i], start[i + 1]):
                    if self.corner[k] < 0:
                        self.found[self.count] = go_round(k, i, self.count, start, across, twin,
                                                          self.corner)
                        self.count += 1
                if self.count - polled > PERIOD:
                    polled = self.count
                    if interrupted():
                        status = INTERRUPTED
                        break
        if status == INTERRUPTED:
            raise_pending()

    def locate(self, Regular2D mesh, Domain2D domain, double[:, ::1] points, Py_ssize_t start,
               Py_ssize_t stop):
        """Write the coordinates of the corners start to stop, in the kernel's scale."""
        cdef Py_ssize_t k
        cdef const Corner* corner
        with nogil:
            for k in range(start, stop):
                corner = &self.found[k]
                if corner.domain_corner >= 0:
                    points[k, 0] = domain.corner[corner.domain_corner, 0]
                    points[k, 1] = domain.corner[corner.domain_corner, 1]
                else:
                    meeting_point(mesh, domain, corner, &points[k, 0], &points[k, 1])
                # adding 0.0 makes -0.0 positive
                points[k, 0] += 0.0
                points[k, 1] += 0.0

    @property
    def domain_corners(self):
        """Which corner of the domain each corner is, (count,); negative for others."""
        cdef index_t[::1] out = np.empty(self.count, dtype=np.int32)
        cdef Py_ssize_t k
        # not through a view of the structs: numpy makes a ValueError of an interrupt in its making
        for k in range(self.count):
            out[k] = self.found[k].domain_corner
        return np.asarray(out)

    def polygons(self, const int64_t[::1] place, const index_t[::1] seen):
        """Offsets (n + 1,), corners and labels of the cells in the order of `rank`.

        `place` gives the number by which each corner goes, None its own.  A label is what `seen`
        says of the side from a corner to its successor, in sorted numbers."""
        cdef Py_ssize_t n = self.rank.shape[0], m = self.across.shape[0], own, k, size, at = 0
        cdef int64_t[::1] offsets = np.zeros(n + 1, dtype=np.int64)
        cdef int64_t[::1] indices = np.empty(m, dtype=np.int64)
        cdef int64_t[::1] labels = np.empty(m, dtype=np.int64)
        cdef bint merged = place is not None
        cdef int status = 0
        cdef index_t i
        with nogil:
            for own in range(n):
                if own % PERIOD == PERIOD - 1 and interrupted():
                    status = INTERRUPTED
                    break
                i = self.rank[own]
                size = self.start[i + 1] - self.start[i]
                for k in range(self.start[i], self.start[i + 1]):
                    indices[at] = place[self.corner[k]] if merged else self.corner[k]
                    labels[at] = seen[following(k, &self.start[i])]
                    at += 1
                if merged and size > 0:
                    at += without_folds(&indices[at - size], &labels[at - size], size) - size
                offsets[own + 1] = at
        if status == INTERRUPTED:
            raise_pending()
        return np.asarray(offsets), np.asarray(indices)[:at], np.asarray(labels)[:at]


cdef void meeting_point(Regular2D mesh, Domain2D domain, const Corner* corner,
                        double* x, double* y) noexcept nogil:
    """Coordinates of a corner, correctly rounded but for ties within a thousandth of a place."""
    cdef Line l1, l2
    cdef ExactLine e1, e2
    cdef const double* site = &mesh.site[corner.cell, 0]
    cdef double det, unit, sx, sy, rx, ry, error, tail
    l1.across = corner.before
    l2.across = corner.after
    set_line(&l1, mesh, domain, corner.cell, 0.0, 0.0)
    set_line(&l2, mesh, domain, corner.cell, 0.0, 0.0)
    det = l1.a * l2.b - l2.a * l1.b
    unit = (fabs(l1.a) + fabs(l1.b)) * (fabs(l2.a) + fabs(l2.b))
    if det > SINE * unit:
        sx = (l1.c * l2.b - l2.c * l1.b) / det
        sy = (l1.a * l2.c - l2.a * l1.c) / det
        # once more, about the point found
        set_line(&l1, mesh, domain, corner.cell, sx, sy)
        set_line(&l2, mesh, domain, corner.cell, sx, sy)
        rx = (l1.c * l2.b - l2.c * l1.b) / det
        ry = (l1.a * l2.c - l2.a * l1.c) / det
        error = PLAIN_ERROR * (l1.size / (fabs(l1.a) + fabs(l1.b))
                               + l2.size / (fabs(l2.a) + fabs(l2.b)))
        two_sum(site[0], sx, x, &tail)
        x[0] += tail + rx
        two_sum(site[1], sy, y, &tail)
        y[0] += tail + ry
        if error <= SETTLED * fabs(x[0]) and error <= SETTLED * fabs(y[0]):
            return
    set_exact(&l1, mesh, domain, corner.cell, &e1)
    set_exact(&l2, mesh, domain, corner.cell, &e2)
    exact_vertex(&e1, &e2, -site[0], -site[1], x, y)


# ---- corners that round to one point ----

cdef inline uint64_t bits_of(double x) noexcept nogil:
    cdef uint64_t bits
    x += 0.0                            # -0.0 equals 0.0
    memcpy(&bits, &x, sizeof(double))
    return bits


def first_equal(const double[:, ::1] points):
    """Number of the first point equal to each, (m,); None where all differ."""
    cdef Py_ssize_t m = points.shape[0], k
    cdef int64_t[::1] first
    cdef int64_t[::1] table
    cdef uint64_t at, mask = 15
    cdef bint repeated = False
    cdef int status = 0
    while mask < 2 * <uint64_t> m:
        mask = 2 * mask + 1
    first = np.empty(m, dtype=np.int64)
    table = np.full(mask + 1, -1, dtype=np.int64)
    with nogil:
        for k in range(m):
            if k % PERIOD == PERIOD - 1 and interrupted():
                status = INTERRUPTED
                break
            at = mix(bits_of(points[k, 0]) ^ mix(bits_of(points[k, 1]))) & mask
            while table[at] >= 0 and (points[table[at], 0] != points[k, 0]
                                      or points[table[at], 1] != points[k, 1]):
                at = (at + 1) & mask
            if table[at] < 0:
                table[at] = k
            else:
                repeated = True
            first[k] = table[at]
    if status == INTERRUPTED:
        raise_pending()
    return np.asarray(first) if repeated else None


cdef Py_ssize_t without_folds(int64_t* corner, int64_t* label, Py_ssize_t size) noexcept nogil:
    """Take edges of no length, and pairs of edges there and back, out of a polygon; its size.

    A label belongs to the edge from its corner to the next one."""
    cdef Py_ssize_t k, top = 0, bottom = 0
    for k in range(size):
        while True:
            if top > 0 and corner[top - 1] == corner[k]:
                top -= 1
            elif top > 1 and corner[top - 2] == corner[k]:
                top -= 2
            else:
                break
        corner[top] = corner[k]
        label[top] = label[k]
        top += 1
    while top - bottom > 1:             # the same across the ends
        if corner[top - 1] == corner[bottom]:
            top -= 1
        elif top - bottom > 2 and corner[top - 2] == corner[bottom]:
            top -= 2
        elif top - bottom > 2 and corner[top - 1] == corner[bottom + 1]:
            top -= 1
            bottom += 1
        else:
            break
    if top - bottom < 3:
        return 0
    for k in range(bottom, top):
        corner[k - bottom] = corner[k]
        label[k - bottom] = label[k]
    return top - bottom


# ---- polygons that rounding has turned over ----

def unsound(const double[:, ::1] points, const int64_t[::1] offsets, const int64_t[::1] indices,
            const double[:, ::1] centres):
    """Numbers of the cells whose edges cross or run clockwise.

    Nearly all cells are seen whole from their centroid, which settles it."""
    cdef Py_ssize_t n = offsets.shape[0] - 1, i, m
    cdef uint8_t[::1] bad = np.zeros(n, dtype=np.uint8)
    cdef const int64_t* ring
    cdef int status = 0
    with nogil:
        for i in range(n):
            if i % PERIOD == PERIOD - 1 and interrupted():
                status = INTERRUPTED
                break
            m = offsets[i + 1] - offsets[i]
            if m == 0:
                continue
            ring = &indices[offsets[i]]
            if not is_star(points, ring, m, &centres[i, 0]):
                bad[i] = m > FEW or not is_simple(points, ring, m)
    if status == INTERRUPTED:
        raise_pending()
    return np.flatnonzero(bad)


cdef bint is_star(const double[:, ::1] points, const int64_t* ring, Py_ssize_t m,
                  const double* centre) noexcept nogil:
    """Does the polygon run once counter-clockwise around the centre, seen from there?"""
    cdef Py_ssize_t k, turns = 0
    cdef const double* here = &points[ring[m - 1], 0]
    cdef const double* there
    for k in range(m):
        there = &points[ring[k], 0]
        if orient(centre, here, there) <= 0:
            return False
        turns += here[1] <= centre[1] < there[1]
        here = there
    return turns == 1


cdef bint is_simple(const double[:, ::1] points, const int64_t* ring, Py_ssize_t m) noexcept nogil:
    """Does the polygon run counter-clockwise, and do its edges meet in its corners only?"""
    cdef Py_ssize_t j, k, least = 0
    cdef const double* a
    cdef const double* b
    cdef const double* c
    for k in range(m):
        a = &points[ring[k], 0]
        b = &points[ring[least], 0]
        if a[0] < b[0] or (a[0] == b[0] and a[1] < b[1]):
            least = k
        b = &points[ring[(k + 1) % m], 0]
        c = &points[ring[(k + 2) % m], 0]
        if orient(a, b, c) == 0 and (a[0] - b[0]) * (c[0] - b[0]) + (a[1] - b[1]) * (
                c[1] - b[1]) >= 0.0:
            return False                # there and back
        for j in range(k + 2, m if k > 0 else m - 1):
            if segments_meet(a, b, &points[ring[j], 0], &points[ring[(j + 1) % m], 0]):
                return False
    return orient(&points[ring[least - 1 if least > 0 else m - 1], 0], &points[ring[least], 0],
                  &points[ring[least + 1 if least + 1 < m else 0], 0]) > 0


cdef bint segments_meet(const double* a, const double* b, const double* c,
                        const double* d) noexcept nogil:
    cdef int of_c = orient(a, b, c), of_d = orient(a, b, d)
    cdef int of_a = orient(c, d, a), of_b = orient(c, d, b)
    if of_c * of_d > 0 or of_a * of_b > 0:
        return False
    if of_c != 0 or of_d != 0:
        return True
    return (max(a[0], b[0]) >= min(c[0], d[0]) and max(c[0], d[0]) >= min(a[0], b[0])
            and max(a[1], b[1]) >= min(c[1], d[1]) and max(c[1], d[1]) >= min(a[1], b[1]))


def contracted(const int64_t[::1] cells, const double[:, ::1] points,
               const int64_t[::1] offsets, const int64_t[::1] indices,
               const index_t[::1] domain_corners, place):
    """`place` after the shortest edge of each of the cells has been contracted to one of its ends;
    None if no edge is that short."""
    cdef Py_ssize_t n_cells = cells.shape[0], count = points.shape[0], c, k, m
    cdef int64_t[::1] parent = np.arange(count, dtype=np.int64)
    cdef const int64_t* ring
    cdef const double* a
    cdef const double* b
    cdef int64_t p, q, best_p, best_q
    cdef double length, shortest
    cdef bint changed = False
    with nogil:
        for c in range(n_cells):
            m = offsets[cells[c] + 1] - offsets[cells[c]]
            ring = &indices[offsets[cells[c]]]
            best_p = best_q = -1
            shortest = 0.0
            for k in range(m):
                p = ring[k]
                q = ring[k + 1 if k + 1 < m else 0]
                a = &points[p, 0]
                b = &points[q, 0]
                length = max(fabs(a[0] - b[0]), fabs(a[1] - b[1]))
                if (domain_corners[p] < 0 or domain_corners[q] < 0) and (
                        best_p < 0 or length < shortest) and (
                        length <= SHORT * max(fabs(a[0]), fabs(a[1]))):
                    shortest = length
                    best_p = p
                    best_q = q
            if best_p < 0:
                continue
            p = top_of(parent, best_p)
            q = top_of(parent, best_q)
            if p == q or (domain_corners[p] >= 0 and domain_corners[q] >= 0):
                continue
            # the domain's corners stay, then corners on its border, then the first
            if min(domain_corners[p], 0) < min(domain_corners[q], 0) or (
                    min(domain_corners[p], 0) == min(domain_corners[q], 0) and q < p):
                parent[p] = q
            else:
                parent[q] = p
            changed = True
    if not changed:
        return None
    for k in range(count):
        parent[k] = top_of(parent, k)
    return np.asarray(parent) if place is None else np.asarray(parent)[place]


cdef inline int64_t top_of(int64_t[::1] parent, int64_t p) noexcept nogil:
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p
