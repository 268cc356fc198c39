"""A density that is linear on each of many convex pieces, integrated over power cells.

The pieces are polygons without common interior; outside of them there is nothing. A cell that lies
inside one piece for certain has what its shape measures. Any other is cut by the edges of the
pieces that it may meet, in its own frame, where the place of each edge is known to twice the
working precision. Which corners lie on which side of an edge is asked of floating point numbers
whose errors are followed: where these leave a doubt, and where the whole is so thin or so small
that rounding would cost digits, the cell is cut out of each piece by exact decisions, as `cells`
cuts cells out of a domain. So it is decided and not estimated whether a cell has an inside, and
along which sides it meets a piece.

A side that runs along the border of a piece belongs to the cell on its own side of the border.

Cost: some 100 ns for a cell and a piece. A grid of buckets finds the pieces near a cell.
"""

import numpy as np

from libc.math cimport NAN, fabs, sqrt

from geomot._core.plane.cells cimport (
    REGULAR, Cell, Domain2D, Line, cell_compute, cell_free, cell_init, shifted_edge)
from geomot._core.plane.measure cimport Measure, scratch_reserve
from geomot._core.plane.regular cimport Regular2D
from geomot._core.predicates cimport two_sum
from geomot._core.status cimport NO_MEMORY, OK
from geomot._core.types cimport index_t

# Conditioning, not correctness: a bound on the error of the mass, relative to it, and how many
# times its error a side must be long, above which exact decisions are not asked for.
cdef double BLURRED = 5.820766091346741e-11     # 2^-34
cdef double KEPT = 2.0**30
# Error of a distance from an edge, relative to the magnitudes that enter it.
cdef double EDGE_ERROR = 1.7763568394002505e-15     # 16 u
# Of the pieces' diameter, and of the largest coordinate: what bounding boxes are widened by, and
# how far from an edge plain coordinates tell the side.
cdef double SLACK = 2.0**-30
cdef double SLACK_THERE = 2.0**-48

cdef enum:
    BORDER = -1             # side of a part on the border of its piece

cdef enum Overlap:
    NOTHING = 0
    PART = 1
    WHOLE = 2
    UNCERTAIN = 3


cdef class Pieces:
    """Linear on each of many convex pieces, and nothing elsewhere.

    Parameters
    ----------
    start : (count + 1,) array of int64
        Piece k has the corners start[k] to start[k + 1].
    corners : (total, 2) array
        Counter-clockwise, strictly convex, in the units of the kernels.
    values : (total,) array
        The density at each corner, linear on each piece, not negative.
    outer : (total,) array of bool
        Whether the edge from each corner to the next one of its piece lies on the border of the
        domain that cells are clipped to: it cuts no cell.
    """
    def __init__(self, start, corners, values, outer):
        self.one_sided = True
        self.count = len(start) - 1
        sizes = np.diff(start)
        self.most_corners = int(sizes.max())
        first = np.asarray(start[:-1], dtype=np.int64)
        piece = np.repeat(np.arange(self.count), sizes)
        place = np.arange(len(corners)) + piece
        closed = np.empty((len(corners) + self.count, 2))
        closed[place] = corners
        closed[first + np.arange(self.count) + sizes] = corners[first]
        self.start = np.concatenate([first, [len(corners)]]) + np.arange(self.count + 1)
        self.corner = closed
        at = np.empty(len(closed))
        at[place] = values
        at[first + np.arange(self.count) + sizes] = values[first]
        self.value = at
        cuts_nothing = np.zeros(len(closed), dtype=np.uint8)
        cuts_nothing[place] = outer
        self.outer = cuts_nothing
        self.gradient = _gradients(corners, values, first, sizes)
        self.domains = {}
        self.fill_buckets(np.hstack([np.minimum.reduceat(corners, first),
                                     np.maximum.reduceat(corners, first)]))
        wide, high = np.ptp(corners, axis=0)
        self.mean = _masses(corners, values, first, sizes).sum() / (wide * high)

    def fill_buckets(self, box):
        """List the pieces whose bounding box meets each bucket of a grid over all of them."""
        lower, upper = box[:, :2].min(axis=0), box[:, 2:].max(axis=0)
        self.slack = max(SLACK * float((upper - lower).max()),
                         SLACK_THERE * float(np.abs(box).max()))
        side = max(1, int(np.sqrt(self.count)))
        self.columns = self.rows = side
        self.lower_x, self.lower_y = lower
        self.per_x, self.per_y = side / (upper - lower)
        wide = np.hstack([box[:, :2] - self.slack, box[:, 2:] + self.slack])
        low = np.clip(np.floor((wide[:, :2] - lower) * [self.per_x, self.per_y]),
                      0, side - 1).astype(np.int64)
        high = np.clip(np.floor((wide[:, 2:] - lower) * [self.per_x, self.per_y]),
                       0, side - 1).astype(np.int64)
        spans = high - low + 1
        each = spans.prod(axis=1)
        piece = np.repeat(np.arange(self.count), each)
        within = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
        column = low[piece, 0] + within % spans[piece, 0]
        row = low[piece, 1] + within // spans[piece, 0]
        key = row * side + column
        order = np.argsort(key, kind="stable")
        self.bucket = piece[order].astype(np.int32)
        self.bucket_box = wide[piece[order]]
        self.bucket_first = low[piece[order]].astype(np.int32)
        self.bucket_start = np.searchsorted(key[order], np.arange(side * side + 1))

    cdef double relative(self, double x, double y) noexcept nogil:
        cdef Py_ssize_t at = self.row_of(y) * self.columns + self.column_of(x), k
        cdef index_t p
        for k in range(self.bucket_start[at], self.bucket_start[at + 1]):
            p = self.bucket[k]
            if self.holds(p, x, y):
                return self.at(p, x - self.corner[self.start[p], 0],
                               y - self.corner[self.start[p], 1]) / self.mean
        return 0.0

    cdef bint holds(self, index_t p, double x, double y) noexcept nogil:
        cdef Py_ssize_t k
        for k in range(self.start[p], self.start[p + 1] - 1):
            if ((self.corner[k + 1, 0] - self.corner[k, 0]) * (y - self.corner[k, 1])
                    < (self.corner[k + 1, 1] - self.corner[k, 1]) * (x - self.corner[k, 0])):
                return False
        return True

    cdef double at(self, index_t p, double x, double y) noexcept nogil:
        """The density of a piece at a place seen from its first corner."""
        return max(0.0, self.value[self.start[p]] + self.gradient[p, 0] * x
                   + self.gradient[p, 1] * y)

    cdef Py_ssize_t column_of(self, double x) noexcept nogil:
        return clamp((x - self.lower_x) * self.per_x, self.columns)

    cdef Py_ssize_t row_of(self, double y) noexcept nogil:
        return clamp((y - self.lower_y) * self.per_y, self.rows)

    # ---- one cell ----

    cdef int integrate(self, const Cell* cell, Regular2D mesh, index_t i,
                       Measure* out) noexcept nogil:
        cdef Py_ssize_t m = cell.size, k
        cdef double* length
        cdef Moments sums
        cdef double reach, error
        cdef bint exactly = False, found = False
        cdef int status
        # lengths, places of corners, which edges cut, and two parts; whole numbers stand in the
        # room of doubles
        if scratch_reserve(out, 3 * m + self.most_corners + 10 * (m + self.most_corners + 1)) != OK:
            return NO_MEMORY
        length = out.scratch
        for k in range(m):
            out.scratch[m + k] = (cell.site_x + cell.shift_x) + cell.x[k]
            out.scratch[2 * m + k] = (cell.site_y + cell.shift_y) + cell.y[k]
        sums.site = &mesh.site[i, 0]
        reach = reach_of(cell)
        error = cell.vertex_error * reach
        while True:
            sums.one = sums.x = sums.y = sums.second = sums.blur = sums.arc = 0.0
            for k in range(4):
                sums.turn[k] = 0.0
            for k in range(m):
                out.facet[k] = 0.0
                length[k] = 0.0
                if out.moment != NULL:
                    out.moment[2 * k] = out.moment[2 * k + 1] = 0.0
            found = False
            status = self.over_pieces(cell, mesh, i, error, exactly, &sums, &found, out)
            if status != OK:
                return status
            if exactly or not self.blurred(cell, length, error, &sums):
                break
            exactly = True
        out.empty = not found
        out.arc = sums.arc
        for k in range(4):
            out.turn[k] = sums.turn[k]
        finish(cell, &sums, out)
        return OK

    cdef bint blurred(self, const Cell* cell, const double* length, double error,
                      const Moments* sums) noexcept nogil:
        """Do rounding errors show in the mass, or in the length of a side?"""
        cdef Py_ssize_t k
        if sums.blur > BLURRED * sums.one:
            return True
        if sums.blur == 0.0:            # nothing was cut
            return False
        for k in range(cell.size):
            if 0.0 < length[k] < KEPT * error:
                return True
        return False

    cdef int over_pieces(self, const Cell* cell, Regular2D mesh, index_t i, double error,
                         bint exactly, Moments* sums, bint* found, Measure* out) noexcept nogil:
        """Add up what the pieces near the cell hold of it; OK, NO_MEMORY or INTERRUPTED."""
        cdef double left, bottom, right, top, x, y
        cdef Py_ssize_t k, row, column, first_row, first_column, last_row, last_column
        cdef int status
        left = right = cell.x[0]
        bottom = top = cell.y[0]
        for k in range(1, cell.size):
            left = min(left, cell.x[k])
            right = max(right, cell.x[k])
            bottom = min(bottom, cell.y[k])
            top = max(top, cell.y[k])
        x = cell.site_x + cell.shift_x
        y = cell.site_y + cell.shift_y
        left += x
        right += x
        bottom += y
        top += y
        first_column = self.column_of(left)
        last_column = self.column_of(right)
        first_row = self.row_of(bottom)
        last_row = self.row_of(top)
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                for k in range(self.bucket_start[row * self.columns + column],
                               self.bucket_start[row * self.columns + column + 1]):
                    if (self.bucket_box[k, 0] > right or self.bucket_box[k, 2] < left
                            or self.bucket_box[k, 1] > top or self.bucket_box[k, 3] < bottom):
                        continue
                    # each piece once: in the first bucket that both share
                    if (max(first_column, self.bucket_first[k, 0]) != column
                            or max(first_row, self.bucket_first[k, 1]) != row):
                        continue
                    status = self.add_piece(cell, mesh, i, self.bucket[k], error, exactly, sums,
                                            found, out)
                    if status == WHOLE:
                        return OK
                    if status < 0:
                        return status
        return OK

    cdef int add_piece(self, const Cell* cell, Regular2D mesh, index_t i, index_t p, double error,
                       bint exactly, Moments* sums, bint* found, Measure* out) noexcept nogil:
        """Add what a piece holds of the cell; WHOLE if that is all, a negative status, or OK."""
        cdef int overlap = UNCERTAIN
        cdef Part part
        if not exactly:
            overlap = self.cut(cell, p, error, &part, out)
        if overlap == NOTHING:
            return OK
        if overlap == UNCERTAIN:
            return self.cut_exactly(cell, mesh, i, p, sums, found, out)
        found[0] = True
        if overlap == WHOLE:
            self.add_cell(cell, cell, p, 0.0, 0.0, sums)
            self.add_sides(cell, cell, p, sums, out)
            return WHOLE
        self.add_part(cell, p, &part, sums, out)
        return OK

    # ---- parts by floating point ----

    cdef int cut(self, const Cell* cell, index_t p, double error, Part* part,
                 Measure* out) noexcept nogil:
        """Cut the cell by the edges of a piece; how much of it is left, or UNCERTAIN."""
        cdef Py_ssize_t m = cell.size, room = m + self.most_corners + 1, k, e
        cdef Part other
        cdef Line line
        cdef Py_ssize_t first = self.start[p], count = self.start[p + 1] - 1 - first
        cdef Py_ssize_t* cuts = <Py_ssize_t*> (out.scratch + 3 * m)
        cdef bint whole = True
        cdef int state
        cdef double site[2]
        site[0] = cell.site_x
        site[1] = cell.site_y
        for e in range(count):
            state = WHOLE if self.outer[first + e] else self.plainly(cell, first + e, out)
            if state == NOTHING:
                return NOTHING
            cuts[e] = state != WHOLE
        lay_out(part, out.scratch + 3 * m + self.most_corners, room)
        lay_out(&other, out.scratch + 3 * m + self.most_corners + 5 * room, room)
        for k in range(m):
            part.x[k] = cell.x[k]
            part.y[k] = cell.y[k]
            part.error[k] = error
            part.side[k] = k
        part.size = m
        part.off = error
        for e in range(count):
            if not cuts[e]:
                continue
            shifted_edge(&self.corner[first + e, 0], site, cell.shift_x, cell.shift_y, &line)
            state = cut_by_line(part, &line, &other)
            if state == UNCERTAIN or state == NOTHING:
                return state
            if state == PART:
                whole = False
                part[0], other = other, part[0]
        return WHOLE if whole else PART

    cdef int plainly(self, const Cell* cell, Py_ssize_t e, const Measure* out) noexcept nogil:
        """How much of the cell lies inside edge e, where plain coordinates tell."""
        cdef const double* x = out.scratch + cell.size
        cdef const double* y = x + cell.size
        cdef double px = self.corner[e, 0], py = self.corner[e, 1]
        cdef double a = self.corner[e + 1, 1] - py, b = px - self.corner[e + 1, 0], away
        cdef double bound = self.slack * (fabs(a) + fabs(b)), least, most
        cdef Py_ssize_t k
        least = most = a * (x[0] - px) + b * (y[0] - py)
        for k in range(1, cell.size):
            away = a * (x[k] - px) + b * (y[k] - py)
            least = min(least, away)
            most = max(most, away)
        if most < -bound:
            return WHOLE
        return NOTHING if least > bound else UNCERTAIN

    cdef void add_part(self, const Cell* cell, index_t p, const Part* part, Moments* sums,
                       Measure* out) noexcept nogil:
        """Add the integrals over a part, and along its sides that are sides of the cell."""
        cdef double* length = out.scratch
        cdef double* f = part.away      # the density at the corners: nothing is cut any more
        cdef double ox, oy, dx, dy, dense = 0.0, around = 0.0, along
        cdef Py_ssize_t n = part.size, k, j
        self.origin(cell, p, &ox, &oy)
        for k in range(n):
            f[k] = self.at(p, ox + part.x[k], oy + part.y[k])
            dense = max(dense, f[k])
        for k in range(2, n):
            self.add_triangle(cell, 0.0, 0.0, part.x[0], part.y[0], f[0],
                              part.x[k - 1], part.y[k - 1], f[k - 1], part.x[k], part.y[k], f[k],
                              (part.x[k - 1] - part.x[0]) * (part.y[k] - part.y[0])
                              - (part.y[k - 1] - part.y[0]) * (part.x[k] - part.x[0]), sums)
        for k in range(n):
            j = k - 1 if k > 0 else n - 1
            dx = fabs(part.x[k] - part.x[j])
            dy = fabs(part.y[k] - part.y[j])
            around += dx + dy
            if part.side[k] != BORDER:
                along = sqrt(dx * dx + dy * dy)
                length[part.side[k]] += along
                self.add_side(cell, part.side[k], part.x[j], part.y[j], f[j], part.x[k],
                              part.y[k], f[k], along, sums, out)
        # rounding moves a corner of two sides that hardly turn along them: little of the area
        sums.blur += dense * part.off * around

    # ---- parts by exact decisions ----

    cdef int cut_exactly(self, const Cell* cell, Regular2D mesh, index_t i, index_t p,
                         Moments* sums, bint* found, Measure* out) noexcept nogil:
        """Add what a piece holds of the cell, cut out of it exactly; OK or a negative status."""
        cdef Cell part
        cdef int kind
        if cell_init(&part) != 0:
            return NO_MEMORY
        kind = self.cell_in(p, mesh, i, &part)
        if kind == REGULAR:
            found[0] = True
            # exact: both frames lie in the cell
            self.add_cell(cell, &part, p, part.shift_x - cell.shift_x,
                          part.shift_y - cell.shift_y, sums)
            self.add_sides(cell, &part, p, sums, out)
        cell_free(&part)
        return kind if kind < 0 else OK

    cdef int cell_in(self, index_t p, Regular2D mesh, index_t i, Cell* part) noexcept with gil:
        """The cell of site i in piece p, as `cell_compute` makes it."""
        cdef Domain2D domain = self.domains.get(p)
        cdef int kind
        if domain is None:
            domain = Domain2D(np.asarray(self.corner[self.start[p]:self.start[p + 1] - 1]), True)
            self.domains[p] = domain
        with nogil:
            kind = cell_compute(part, mesh, domain, i)
        return kind

    # ---- parts as cells ----

    cdef void origin(self, const Cell* cell, index_t p, double* x, double* y) noexcept nogil:
        """The origin of the cell's frame, seen from the first corner of a piece."""
        cdef const double* corner = &self.corner[self.start[p], 0]
        x[0] = difference(cell.site_x, cell.shift_x, corner[0])
        y[0] = difference(cell.site_y, cell.shift_y, corner[1])

    cdef void add_cell(self, const Cell* cell, const Cell* part, index_t p, double dx, double dy,
                       Moments* sums) noexcept nogil:
        """Add the integrals over a part in a frame of its own, d away from the cell's."""
        cdef Py_ssize_t k, j, n = part.size
        cdef double ox, oy, f0, f1, f2
        self.origin(part, p, &ox, &oy)
        f0 = self.at(p, ox + part.x[0], oy + part.y[0])
        f1 = self.at(p, ox + part.x[n - 1], oy + part.y[n - 1])
        for k in range(n):
            j = k - 1 if k > 0 else n - 1
            f2 = self.at(p, ox + part.x[k], oy + part.y[k])
            if part.twice[k] != 0.0:
                self.add_triangle(part, dx, dy, part.x[0], part.y[0], f0, part.x[j], part.y[j],
                                  f1, part.x[k], part.y[k], f2, part.twice[k], sums)
            f1 = f2

    cdef void add_sides(self, const Cell* cell, const Cell* part, index_t p,
                        const Moments* sums, Measure* out) noexcept nogil:
        """Add the integrals along the sides of a part that are sides of the cell."""
        cdef Py_ssize_t k, j, n = part.size, m = cell.size, own = 0, _, across
        cdef double ox, oy, f1, f2
        # exact: both frames lie in the cell
        cdef double dx = part.shift_x - cell.shift_x, dy = part.shift_y - cell.shift_y
        self.origin(part, p, &ox, &oy)
        for k in range(n):
            across = part.lines[part.side[k]].across
            if across < 0 or part.length[k] == 0.0:
                continue
            # both have their sides in the same order: the search goes round once
            for _ in range(m):
                if cell.lines[cell.side[own]].across == across:
                    break
                own = own + 1 if own + 1 < m else 0
            else:
                continue
            j = k - 1 if k > 0 else n - 1
            f1 = self.at(p, ox + part.x[j], oy + part.y[j])
            f2 = self.at(p, ox + part.x[k], oy + part.y[k])
            self.add_side(cell, own, part.x[j] + dx, part.y[j] + dy, f1, part.x[k] + dx,
                          part.y[k] + dy, f2, part.length[k], sums, out)

    # ---- triangles and sides, which other densities may cut again ----

    cdef void add_triangle(self, const Cell* frame, double dx, double dy, double x0, double y0,
                           double f0, double x1, double y1, double f1, double x2, double y2,
                           double f2, double twice, Moments* sums) noexcept nogil:
        """Add the integrals over a triangle, in a frame that lies d away from the cell's."""
        add_linear(x0 + dx, y0 + dy, f0, x1 + dx, y1 + dy, f1, x2 + dx, y2 + dy, f2, twice, sums)

    cdef void add_side(self, const Cell* cell, Py_ssize_t side, double x0, double y0, double f0,
                       double x1, double y1, double f1, double length, const Moments* sums,
                       Measure* out) noexcept nogil:
        """Add the integrals along a stretch of a side of the cell, in the cell's frame."""
        out.facet[side] += 0.5 * length * (f0 + f1)
        add_moments(cell, side, x0, y0, f0, x1, y1, f1, length, out)


# ---- geometry ----

cdef inline Py_ssize_t clamp(double x, Py_ssize_t n) noexcept nogil:
    if not x > 0.0:
        return 0
    return n - 1 if x >= n else <Py_ssize_t> x


cdef inline double difference(double site, double shift, double corner) noexcept nogil:
    """site + shift - corner, of which any two may cancel."""
    cdef double s, e, t, te
    two_sum(site, shift, &s, &e)
    two_sum(s, -corner, &t, &te)
    return t + (te + e)


cdef double reach_of(const Cell* cell) noexcept nogil:
    """What the errors of the cell's corners are relative to."""
    cdef Py_ssize_t k
    cdef const Line* line
    cdef double reach = 0.0
    for k in range(cell.size):
        line = &cell.lines[cell.side[k]]
        reach = max(reach, max(line.size / (fabs(line.a) + fabs(line.b)),
                               max(fabs(cell.x[k]), fabs(cell.y[k]))))
    return reach


cdef void lay_out(Part* part, double* room, Py_ssize_t size) noexcept nogil:
    part.x = room
    part.y = room + size
    part.error = room + 2 * size
    part.away = room + 3 * size
    part.side = <Py_ssize_t*> (room + 4 * size)
    part.size = 0


cdef int cut_by_line(const Part* part, const Line* line, Part* out) noexcept nogil:
    """Keep what lies inside a line: WHOLE (`out` is not set), PART, NOTHING or UNCERTAIN."""
    cdef Py_ssize_t n = part.size, k, j, size = 0, inside = 0
    cdef double steep = fabs(line.a) + fabs(line.b), reach = 0.0, px, py, bound, share, blur
    for k in range(n):
        px = line.a * part.x[k]
        py = line.b * part.y[k]
        part.away[k] = line.c - (px + py)
        reach = max(reach, fabs(px) + fabs(py))
        bound = steep * part.error[k] + EDGE_ERROR * (line.size + fabs(px) + fabs(py))
        if part.away[k] > bound:
            inside += 1
        elif part.away[k] >= -bound:
            return UNCERTAIN
    if inside == n:
        return WHOLE
    if inside == 0:
        return NOTHING
    for k in range(n):
        j = k - 1 if k > 0 else n - 1
        if (part.away[j] > 0.0) != (part.away[k] > 0.0):
            share = part.away[j] / (part.away[j] - part.away[k])
            px = part.x[k] - part.x[j]
            py = part.y[k] - part.y[j]
            blur = steep * max(part.error[j], part.error[k]) + EDGE_ERROR * (
                line.size + steep * (fabs(part.x[j]) + fabs(part.y[j]) + fabs(part.x[k])
                                     + fabs(part.y[k])))
            out.x[size] = part.x[j] + share * px
            out.y[size] = part.y[j] + share * py
            out.error[size] = max(part.error[j], part.error[k]) + 2.0 * max(fabs(px), fabs(py)) * (
                blur / fabs(part.away[j] - part.away[k]))
            out.side[size] = part.side[k] if part.away[j] > 0.0 else BORDER
            size += 1
        if part.away[k] > 0.0:
            out.x[size] = part.x[k]
            out.y[size] = part.y[k]
            out.error[size] = part.error[k]
            out.side[size] = part.side[k]
            size += 1
    out.size = size
    out.off = part.off + EDGE_ERROR * (line.size + reach) / steep
    return PART


# ---- integrals ----

cdef inline void add_linear(double x0, double y0, double f0, double x1, double y1, double f1,
                            double x2, double y2, double f2, double twice,
                            Moments* sums) noexcept nogil:
    """Add the integrals of a linear function, given at the corners, times 1, x, y, x^2 + y^2."""
    cdef double f = f0 + f1 + f2, x = x0 + x1 + x2, y = y0 + y1 + y2
    cdef double fx = f0 * x0 + f1 * x1 + f2 * x2, fy = f0 * y0 + f1 * y1 + f2 * y2
    cdef double r0 = x0 * x0 + y0 * y0, r1 = x1 * x1 + y1 * y1, r2 = x2 * x2 + y2 * y2
    sums.one += twice * f / 6.0
    sums.x += twice * (f * x + fx) / 24.0
    sums.y += twice * (f * y + fy) / 24.0
    sums.second += twice * (
        f * (x * x + y * y + r0 + r1 + r2) + 2.0 * (x * fx + y * fy + f0 * r0 + f1 * r1 + f2 * r2)
    ) / 120.0


cdef void add_moments(const Cell* cell, Py_ssize_t side, double x0, double y0, double f0, double x1,
                      double y1, double f1, double length, Measure* out) noexcept nogil:
    """Add the moments along a side of the cell of a linear function on a stretch of it."""
    cdef Py_ssize_t start = side - 1 if side > 0 else cell.size - 1
    cdef double t0, t1, middle
    if out.moment == NULL:
        return
    t0 = share_along(cell, start, side, x0, y0)
    t1 = share_along(cell, start, side, x1, y1)
    middle = 0.5 * (t0 + t1)
    # Simpson's rule, exact for these
    out.moment[2 * side] += length / 6.0 * (f0 * t0 + 2.0 * (f0 + f1) * middle + f1 * t1)
    out.moment[2 * side + 1] += length / 6.0 * (
        f0 * t0 * t0 + 2.0 * (f0 + f1) * middle * middle + f1 * t1 * t1)


cdef inline double share_along(const Cell* cell, Py_ssize_t start, Py_ssize_t end, double x,
                               double y) noexcept nogil:
    """Where a point of a side lies: 0 at its start, 1 at its end."""
    cdef double dx = cell.x[end] - cell.x[start], dy = cell.y[end] - cell.y[start]
    cdef double square = dx * dx + dy * dy
    cdef double along = (x - cell.x[start]) * dx + (y - cell.y[start]) * dy
    if not along > 0.0:
        return 0.0
    return along / square if along < square else 1.0


cdef void finish(const Cell* cell, const Moments* sums, Measure* out) noexcept nogil:
    cdef double ox = cell.shift_x, oy = cell.shift_y
    out.mass = sums.one
    out.cost = sums.second + 2.0 * (ox * sums.x + oy * sums.y) + (ox * ox + oy * oy) * sums.one
    if sums.one > 0.0:
        out.centre_x = sums.x / sums.one
        out.centre_y = sums.y / sums.one
    else:
        out.cost = 0.0
        out.centre_x = NAN
        out.centre_y = NAN


def _gradients(corners, values, first, sizes):
    """Gradient of the linear function on each piece, (count, 2), from its widest triangle."""
    piece = np.repeat(np.arange(len(first)), sizes)
    a = corners - corners[first][piece]
    rise = values - values[first][piece]
    b, up = np.roll(a, -1, axis=0), np.roll(rise, -1)
    twice = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    twice[first + sizes - 1] = 0.0
    order = np.lexsort((twice, piece))
    widest = order[first + sizes - 1]
    a, b, ra, rb, det = a[widest], b[widest], rise[widest], up[widest], twice[widest]
    gradient = np.column_stack([ra * b[:, 1] - rb * a[:, 1], rb * a[:, 0] - ra * b[:, 0]])
    return np.ascontiguousarray(gradient / det[:, None])


def _masses(corners, values, first, sizes):
    """Mass of each piece."""
    piece = np.repeat(np.arange(len(first)), sizes)
    a = corners - corners[first][piece]
    b = np.roll(a, -1, axis=0)
    twice = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    twice[first + sizes - 1] = 0.0
    mean = (values[first][piece] + values + np.roll(values, -1)) / 3.0
    return np.add.reduceat(0.5 * twice * mean, first)
