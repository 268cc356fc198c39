"""Power cells clipped to a convex polygon: measure, centroid, cost and facets in one pass.

Which neighbours a cell has is known exactly from the regular triangulation.  Numbers are computed
in a frame local to the cell, from the offsets of its bisectors

    d.z <= (d.(d - 2 s) + w_i - w_j) / 2,      d = y_j - y_i,  z = x - y_i - s,

where s is zero for a cell around its site, and a vertex of the cell, with the offset evaluated in
twice the working precision, for one far from it.

Two paths lead to the polygon.  A cell whose vertices all lie well inside the domain is the ring of
its power centres.  Any other is cut out of the domain by one half-plane after the other, every
decision the exact sign of a 3 x 3 determinant, so that emptiness is decided and not estimated; a
cell of the first kind goes there too unless its interior is certain.  Thin and tiny cells get their
lengths from exact determinants, so small areas keep their relative accuracy.

Cost: about six bisectors and power centres a cell; where the domain cuts, a walk around its edges
and the neighbours, both in the order of their angles.
"""

import itertools
from fractions import Fraction

import numpy as np

from libc.math cimport M_PI, atan2, fabs, sqrt
from libc.stdlib cimport free, realloc

from geomot._core.interrupt cimport interrupted
from geomot._core.predicates cimport (
    ExactLine, det3_exact, exact_bisector, exact_distance_ratio, exact_edge, exact_facet_ratio,
    exact_vertex, turn_exact, two_product, two_sum, weight_difference)
from geomot._core.plane.regular cimport Regular2D
from geomot._core.status cimport INTERRUPTED, NO_MEMORY
from geomot._core.types cimport index_t

# Conditioning, not correctness: beyond these the slower, more accurate formulas are taken.
cdef double TINY_SINE = 1.0 / 512       # angle that asks for the exact vertex
cdef double LEAST_SINE = 2.0**-20       # sharper ones leave errors above the domain's safety margin
cdef double FAR = 256.0                 # (distance x extent / area)^2 that asks for a shifted frame
cdef double THIN = 1.0 / 256            # area / (distance x extent) that asks for exact lengths
cdef double KEPT = 2.0**30              # lengths below as many errors ask for exact ones
# Bound on the error of a vertex, relative to the magnitudes that enter it: PLAIN_ERROR by the plain
# formula, whose angles are not below SINE, and by exact arithmetic, this by the formula between.
cdef double BLUNT_ERROR = 2.0**-40
cdef double MARGIN = 2.0**-28           # of a diameter: so far inside the border is inside


# ---- the domain ----

def exact_area(corners):
    """Area of the closed polygon, rounded once: slivers would lose it to cancellation."""
    points = [(Fraction(x), Fraction(y)) for x, y in corners.tolist()]
    twice = sum(px * qy - qx * py for (px, py), (qx, qy) in itertools.pairwise(points))
    return float(twice / 2)


cdef class Domain2D:
    """Convex polygon, strictly convex and counter-clockwise.

    A bisector along an edge has nothing beyond it and is not a side of the cell, unless the polygon
    `shares` its edges with others, in which its neighbour may lie.
    """

    def __init__(self, polygon, shares=False):
        self.shares = shares
        corners = np.ascontiguousarray(np.vstack([polygon, polygon[:1]]), dtype=np.float64)
        self.n = len(polygon)
        self.corner = corners
        lower, upper = corners.min(axis=0), corners.max(axis=0)
        self.lower_x, self.lower_y = lower
        self.upper_x, self.upper_y = upper
        centre = 0.5 * (lower + upper)
        local = corners - centre
        self.area = exact_area(corners)
        self.diameter = float((upper - lower).max())
        self.centre_x, self.centre_y = centre
        # of the corners themselves: beside the centre the rounding may swallow a short edge
        step = np.diff(corners, axis=0)
        normal = np.column_stack([step[:, 1], -step[:, 0]])
        normal /= np.hypot(step[:, 0], step[:, 1])[:, None]
        offset = np.sum(normal * local[:-1], axis=1)
        self.edge = np.ascontiguousarray(np.column_stack([normal, offset]))
        self.margin = MARGIN * self.diameter
        radius = float(offset.min()) - self.margin
        self.safe_radius2 = radius * radius if radius > 0.0 else -1.0
        self.outer_radius2 = float(np.sum(local * local, axis=1).max())
        angle = np.arctan2(normal[:, 1], normal[:, 0])
        self.angle = np.maximum.accumulate((angle - angle[0]) % (2.0 * np.pi))

    cdef bint surely_inside(self, double x, double y) noexcept nogil:
        """Is (x, y) inside by more than the margin?"""
        cdef Py_ssize_t k
        cdef double square
        x -= self.centre_x
        y -= self.centre_y
        square = x * x + y * y
        if square < self.safe_radius2:
            return True
        if square > self.outer_radius2:
            return False
        for k in range(self.n):
            if self.edge[k, 0] * x + self.edge[k, 1] * y > self.edge[k, 2] - self.margin:
                return False
        return True

    cdef Py_ssize_t facing(self, double a, double b) noexcept nogil:
        """An edge whose normal is a little clockwise of (a, b), as far as rounding tells."""
        cdef double sought = atan2(b, a) - atan2(self.edge[0, 1], self.edge[0, 0])
        cdef Py_ssize_t low = 0, high = self.n, middle
        if sought < 0.0:
            sought += 2.0 * M_PI
        while high - low > 1:
            middle = (low + high) // 2
            if self.angle[middle] <= sought:
                low = middle
            else:
                high = middle
        return low - 1 if low > 0 else self.n - 1


# ---- scratch ----

cdef inline bint stop(Cell* cell, Py_ssize_t k) noexcept nogil:
    """Look for Ctrl-C now and then on the way around a hub; true as soon as there is one."""
    if k & 2047 == 2047 and interrupted():
        cell.stopped = True
        return True
    return False


cdef int cell_init(Cell* cell) noexcept nogil:
    cell.room = 0
    cell.stopped = False
    cell.ring = NULL
    cell.lines = NULL
    cell.side = NULL
    cell.after = NULL
    cell.before = NULL
    cell.touched = NULL
    cell.n_touched = -1
    cell.x = NULL
    cell.y = NULL
    cell.length = NULL
    cell.twice = NULL
    return reserve(cell, 64)


cdef void cell_free(Cell* cell) noexcept nogil:
    free(cell.ring)
    free(cell.lines)
    free(cell.side)
    free(cell.after)
    free(cell.before)
    free(cell.touched)
    free(cell.x)
    free(cell.y)
    free(cell.length)
    free(cell.twice)


cdef inline int grow(void** block, size_t size) noexcept nogil:
    cdef void* p = realloc(block[0], size)
    if p == NULL:
        return NO_MEMORY
    block[0] = p
    return 0


cdef int reserve(Cell* cell, Py_ssize_t room) noexcept nogil:
    """Room for that many lines; 0, or NO_MEMORY."""
    cdef size_t n
    if room <= cell.room:
        return 0
    n = <size_t> (2 * room + 8)
    if (grow(<void**> &cell.ring, n * sizeof(index_t)) != 0
            or grow(<void**> &cell.lines, n * sizeof(Line)) != 0
            or grow(<void**> &cell.side, n * sizeof(Py_ssize_t)) != 0
            or grow(<void**> &cell.after, n * sizeof(Py_ssize_t)) != 0
            or grow(<void**> &cell.before, n * sizeof(Py_ssize_t)) != 0
            or grow(<void**> &cell.touched, n * sizeof(Py_ssize_t)) != 0
            or grow(<void**> &cell.x, n * sizeof(double)) != 0
            or grow(<void**> &cell.y, n * sizeof(double)) != 0
            or grow(<void**> &cell.length, n * sizeof(double)) != 0
            or grow(<void**> &cell.twice, n * sizeof(double)) != 0):
        return NO_MEMORY
    cell.room = 2 * room
    return 0


# ---- lines ----

cdef inline void near_bisector(const double* p, const double* q, Line* line) noexcept nogil:
    """Bisector of sites p and q in the frame of p."""
    cdef double dx = q[0] - p[0], dy = q[1] - p[1]
    cdef double magnitude
    cdef double square = dx * dx + dy * dy, dw = weight_difference(p, q, &magnitude)
    line.a = dx
    line.b = dy
    line.c = 0.5 * (square + dw)
    line.size = 0.5 * (square + magnitude)


cdef inline void add_product(double a, double al, double b, double bl,
                             double* s, double* e) noexcept nogil:
    """s + e += (a + al)(b + bl), in twice the working precision."""
    cdef double p, pe, t, te
    two_product(a, b, &p, &pe)
    pe += a * bl + al * b
    two_sum(s[0], p, &t, &te)
    s[0] = t
    e[0] += te + pe


cdef void shifted_bisector(const double* p, const double* q, double sx, double sy,
                           Line* line) noexcept nogil:
    """Bisector of sites p and q in the frame p + s, its offset rounded once."""
    cdef double dx, dxl, dy, dyl, ux, uxl, uy, uyl, s = 0.0, e = 0.0, t, te
    cdef double hi, hil, lo, lol, w, wl
    two_sum(q[0], -p[0], &dx, &dxl)
    two_sum(q[1], -p[1], &dy, &dyl)
    two_sum(dx, -2.0 * sx, &ux, &uxl)
    two_sum(dy, -2.0 * sy, &uy, &uyl)
    add_product(dx, dxl, ux, uxl + dxl, &s, &e)
    add_product(dy, dyl, uy, uyl + dyl, &s, &e)
    two_sum(p[2], -q[2], &hi, &hil)
    two_sum(p[3], -q[3], &lo, &lol)
    two_sum(hi, lo, &w, &wl)
    two_sum(s, w, &t, &te)
    line.a = dx
    line.b = dy
    line.c = 0.5 * (t + (te + (e + (wl + (hil + lol)))))
    # What is left of the cancelled magnitudes after 106 bits, in units of the filters' bound. The
    # rounding of ux and uy, which may vanish, is relative to dx and dy.
    line.size = fabs(line.c) + CANCELLED * (
        fabs(dx) * (fabs(dx) + fabs(ux)) + fabs(dy) * (fabs(dy) + fabs(uy))
        + fabs(hi) + fabs(lo))


cdef void shifted_edge(const double* corner, const double* p, double sx, double sy,
                       Line* line) noexcept nogil:
    """Half-plane of the domain's edge from corner to its successor, in the frame p + s."""
    cdef double nx, nxl, ny, nyl, ux, uxl, uy, uyl, far_x, far_y, s = 0.0, e = 0.0
    two_sum(corner[3], -corner[1], &nx, &nxl)
    two_sum(corner[0], -corner[2], &ny, &nyl)
    two_sum(corner[0], -p[0], &ux, &uxl)
    two_sum(corner[1], -p[1], &uy, &uyl)
    far_x = fabs(ux)
    far_y = fabs(uy)
    subtract(&ux, &uxl, sx)
    subtract(&uy, &uyl, sy)
    add_product(nx, nxl, ux, uxl, &s, &e)
    add_product(ny, nyl, uy, uyl, &s, &e)
    line.a = nx
    line.b = ny
    line.c = s + e
    line.size = fabs(line.c) + CANCELLED * (
        fabs(nx) * (far_x + fabs(ux)) + fabs(ny) * (far_y + fabs(uy)))


cdef inline void subtract(double* s, double* e, double b) noexcept nogil:
    """s + e -= b."""
    cdef double t, te
    two_sum(s[0], -b, &t, &te)
    te += e[0]
    two_sum(t, te, s, e)


cdef void set_line(Line* line, Regular2D mesh, Domain2D domain, index_t i,
                   double sx, double sy) noexcept nogil:
    """Evaluate a line, known by what lies across it, in the frame y_i + s."""
    if line.across >= 0:
        shifted_bisector(&mesh.site[i, 0], &mesh.site[line.across, 0], sx, sy, line)
    else:
        shifted_edge(&domain.corner[-1 - line.across, 0], &mesh.site[i, 0], sx, sy, line)


cdef void set_exact(const Line* line, Regular2D mesh, Domain2D domain, index_t i,
                    ExactLine* out) noexcept nogil:
    """The same line, exactly, in the frame y_i."""
    if line.across >= 0:
        exact_bisector(&mesh.site[i, 0], &mesh.site[line.across, 0], out)
    else:
        exact_edge(&domain.corner[-1 - line.across, 0], &domain.corner[-line.across, 0],
                   mesh.site[i, 0], mesh.site[i, 1], out)


# ---- the polygon by exact clipping ----

cdef inline const Line* line_of(Cell* cell, Py_ssize_t k, Regular2D mesh, Domain2D domain,
                                index_t i) noexcept nogil:
    """Line k, evaluated when it is first needed: most edges of a round domain never are."""
    cdef Line* line = &cell.lines[k]
    if line.size < 0.0:
        set_line(line, mesh, domain, i, cell.shift_x, cell.shift_y)
        touch(cell, k, domain)
    return line


cdef inline void touch(Cell* cell, Py_ssize_t k, Domain2D domain) noexcept nogil:
    """Note that line k, if an edge of the domain, must be set back before the next cell."""
    if k < domain.n:
        cell.touched[cell.n_touched] = k
        cell.n_touched += 1


cdef void set_back_edges(Cell* cell, Domain2D domain) noexcept nogil:
    """The domain's edges as a ring, none evaluated; all at first, then those that were touched."""
    cdef Py_ssize_t j, k, n = domain.n, count = cell.n_touched if cell.n_touched >= 0 else n
    for j in range(count):
        k = cell.touched[j] if cell.n_touched >= 0 else j
        cell.lines[k].across = -1 - k
        cell.lines[k].size = -1.0
        cell.lines[k].a = domain.corner[k + 1, 1] - domain.corner[k, 1]
        cell.lines[k].b = domain.corner[k, 0] - domain.corner[k + 1, 0]
        cell.after[k] = k + 1 if k + 1 < n else 0
        cell.before[k] = k - 1 if k > 0 else n - 1
    cell.n_touched = 0


cdef int turn(Cell* cell, Py_ssize_t j, Py_ssize_t k, Regular2D mesh, Domain2D domain,
              index_t i) noexcept nogil:
    """+1, 0, -1: the normal of line k is counter-clockwise of, parallel to, clockwise of j's."""
    cdef const Line* l1 = &cell.lines[j]
    cdef const Line* l2 = &cell.lines[k]
    cdef double left = l1.a * l2.b, right = l2.a * l1.b
    cdef double bound = TURN_BOUND * (fabs(left) + fabs(right))
    cdef ExactLine e1, e2
    if left - right > bound:
        return 1
    if left - right < -bound:
        return -1
    set_exact(l1, mesh, domain, i, &e1)
    set_exact(l2, mesh, domain, i, &e2)
    return turn_exact(&e1, &e2)


cdef int vertex_side(Cell* cell, Py_ssize_t j, Py_ssize_t k, Py_ssize_t new, Regular2D mesh,
                     Domain2D domain, index_t i) noexcept nogil:
    """+1, 0, -1: the vertex of the consecutive sides j and k is inside, on, outside line new."""
    cdef const Line* l1 = line_of(cell, j, mesh, domain, i)
    cdef const Line* l2 = line_of(cell, k, mesh, domain, i)
    cdef const Line* l3 = line_of(cell, new, mesh, domain, i)
    cdef double p1 = l2.a * l3.b, q1 = l3.a * l2.b
    cdef double p2 = l3.a * l1.b, q2 = l1.a * l3.b
    cdef double p3 = l1.a * l2.b, q3 = l2.a * l1.b
    cdef double det = l1.c * (p1 - q1) + l2.c * (p2 - q2) + l3.c * (p3 - q3)
    cdef double bound = DET_BOUND * (l1.size * (fabs(p1) + fabs(q1))
                                     + l2.size * (fabs(p2) + fabs(q2))
                                     + l3.size * (fabs(p3) + fabs(q3)))
    cdef ExactLine e1, e2, e3
    if det > bound:
        return 1
    if det < -bound:
        return -1
    set_exact(l1, mesh, domain, i, &e1)
    set_exact(l2, mesh, domain, i, &e2)
    set_exact(l3, mesh, domain, i, &e3)
    return det3_exact(&e1, &e2, &e3)


cdef void relabel(Cell* cell, Py_ssize_t at, Py_ssize_t new, Py_ssize_t* highest,
                  Py_ssize_t* lowest, Regular2D mesh, Domain2D domain, index_t i) noexcept nogil:
    """Put line `new` in the place of side `at` of the domain, if it runs along it.

    The vertex that follows `at` lies on the line, and `at` is the side farthest along it."""
    cdef Py_ssize_t first = cell.before[at], last = cell.after[at]
    if turn(cell, at, new, mesh, domain, i) != 0:
        return
    line_of(cell, first, mesh, domain, i)       # to be set back
    cell.after[first] = new
    cell.before[new] = first
    cell.after[new] = last
    cell.before[last] = new
    highest[0] = new
    if lowest[0] == at:
        lowest[0] = new


cdef bint clip(Cell* cell, Py_ssize_t new, Py_ssize_t* highest, Py_ssize_t* lowest,
               Regular2D mesh, Domain2D domain, index_t i) noexcept nogil:
    """Cut the ring of sides with line `new`; false where nothing is left.

    The vertices farthest along the new normal and against it follow the sides `highest` and
    `lowest`, whose normals are the last ones clockwise of it and of its opposite.  For lines in
    the order of their angles both go round the ring once."""
    cdef Py_ssize_t at = highest[0], first, last
    cdef int side
    while (turn(cell, at, new, mesh, domain, i) < 0
            or turn(cell, new, cell.after[at], mesh, domain, i) <= 0):
        at = cell.after[at]
    highest[0] = at
    side = vertex_side(cell, at, cell.after[at], new, mesh, domain, i)
    if side == 0 and domain.shares and at < domain.n:
        relabel(cell, at, new, highest, lowest, mesh, domain, i)
    if side >= 0:
        return True
    first = lowest[0]
    while (turn(cell, first, new, mesh, domain, i) > 0
            or turn(cell, new, cell.after[first], mesh, domain, i) >= 0):
        first = cell.after[first]
    lowest[0] = first           # next to an inside vertex, so that the cut leaves it in the ring
    if vertex_side(cell, first, cell.after[first], new, mesh, domain, i) <= 0:
        return False
    last = cell.after[at]
    while vertex_side(cell, last, cell.after[last], new, mesh, domain, i) <= 0:
        last = cell.after[last]
    first = at
    while vertex_side(cell, cell.before[first], first, new, mesh, domain, i) <= 0:
        first = cell.before[first]
    # Sides that the cut reaches are evaluated, and so among those that are set back.
    cell.after[first] = new
    cell.before[new] = first
    cell.after[new] = last
    cell.before[last] = new
    highest[0] = new
    return True


cdef void clip_exactly(Cell* cell, Regular2D mesh, Domain2D domain, index_t i,
                       Py_ssize_t degree) noexcept nogil:
    """Polygon of cell i from the domain and its neighbours, every decision exact.

    Vertices are not set."""
    cdef Py_ssize_t k, first, highest, lowest, n = domain.n
    cdef double x, y, power, least = 0.0
    cdef Line* line
    cell.shift_x = domain.centre_x - mesh.site[i, 0]
    cell.shift_y = domain.centre_y - mesh.site[i, 1]
    set_back_edges(cell, domain)
    for k in range(degree):
        line = &cell.lines[n + k]
        line.across = cell.ring[k]
        line.size = -1.0
        line.a = mesh.site[cell.ring[k], 0] - mesh.site[i, 0]
        line.b = mesh.site[cell.ring[k], 1] - mesh.site[i, 1]
    cell.size = 0
    highest = lowest = 0
    # The neighbour that is nearest to the domain's centre may leave nothing at once.
    first = 0
    for k in range(degree):
        x = domain.centre_x - mesh.site[cell.ring[k], 0]
        y = domain.centre_y - mesh.site[cell.ring[k], 1]
        power = x * x + y * y - mesh.site[cell.ring[k], 2]
        if k == 0 or power < least:
            least = power
            first = k
    if degree > 0:
        line = &cell.lines[n + first]
        highest = domain.facing(line.a, line.b)
        lowest = domain.facing(-line.a, -line.b)
    for k in range(degree):
        if stop(cell, k):
            return
        if not clip(cell, n + (first + k) % degree, &highest, &lowest, mesh, domain, i):
            return
    k = highest
    while cell.size == 0 or k != highest:
        line_of(cell, k, mesh, domain, i)
        cell.side[cell.size] = k
        cell.size += 1
        k = cell.after[k]


# ---- numbers ----

cdef inline double cross(double a, double b, double c, double d) noexcept nogil:
    """a b - c d to within an ulp or two (Kahan)."""
    cdef double p, pe, q, qe
    two_product(a, b, &p, &pe)
    two_product(c, d, &q, &qe)
    return (p - q) + (pe - qe)


cdef void set_vertex(Cell* cell, Py_ssize_t k, Regular2D mesh, Domain2D domain,
                     index_t i) noexcept nogil:
    """Vertex k, between side k and its successor, in the current frame."""
    cdef const Line* l1 = &cell.lines[cell.side[k]]
    cdef const Line* l2 = &cell.lines[cell.side[k + 1 if k + 1 < cell.size else 0]]
    cdef double det = l1.a * l2.b - l2.a * l1.b
    cdef double unit = (fabs(l1.a) + fabs(l1.b)) * (fabs(l2.a) + fabs(l2.b))
    cdef ExactLine e1, e2
    if det > SINE * unit:
        cell.x[k] = (l1.c * l2.b - l2.c * l1.b) / det
        cell.y[k] = (l1.a * l2.c - l2.a * l1.c) / det
        return
    # What the rounded coefficients move is the place along nearly parallel sides, not off them.
    det = cross(l1.a, l2.b, l2.a, l1.b)
    if det > TINY_SINE * unit:
        cell.vertex_error = BLUNT_ERROR
        cell.x[k] = cross(l1.c, l2.b, l2.c, l1.b) / det
        cell.y[k] = cross(l1.a, l2.c, l2.a, l1.c) / det
        return
    set_exact(l1, mesh, domain, i, &e1)
    set_exact(l2, mesh, domain, i, &e2)
    exact_vertex(&e1, &e2, cell.shift_x, cell.shift_y, &cell.x[k], &cell.y[k])


cdef double extent(const Cell* cell) noexcept nogil:
    """Largest coordinate difference from the first vertex."""
    cdef Py_ssize_t k
    cdef double e = 0.0
    for k in range(1, cell.size):
        e = max(e, max(fabs(cell.x[k] - cell.x[0]), fabs(cell.y[k] - cell.y[0])))
    return e


cdef double polygon_area(const Cell* cell) noexcept nogil:
    cdef Py_ssize_t k
    cdef double twice = 0.0
    for k in range(1, cell.size - 1):
        twice += ((cell.x[k] - cell.x[0]) * (cell.y[k + 1] - cell.y[0])
                  - (cell.y[k] - cell.y[0]) * (cell.x[k + 1] - cell.x[0]))
    return 0.5 * twice


cdef void moments(Cell* cell, double ox, double oy) noexcept nogil:
    """Area, centroid and cost from triangles (o, vertex k - 1, vertex k) of area twice[k] / 2."""
    cdef Py_ssize_t k, j
    cdef double area = 0.0, mx = 0.0, my = 0.0, second = 0.0, ux, uy, vx, vy, t
    for k in range(cell.size):
        t = cell.twice[k]
        if t == 0.0:
            continue
        j = k - 1 if k > 0 else cell.size - 1
        ux = cell.x[j] - ox
        uy = cell.y[j] - oy
        vx = cell.x[k] - ox
        vy = cell.y[k] - oy
        area += t
        mx += t * (ux + vx)
        my += t * (uy + vy)
        second += t * (ux * ux + uy * uy + vx * vx + vy * vy + ux * vx + uy * vy)
    mx /= 3.0 * area
    my /= 3.0 * area
    cell.area = 0.5 * area
    cell.centre_x = ox + mx
    cell.centre_y = oy + my
    ox += cell.shift_x
    oy += cell.shift_y
    # int |z + o|^2 for the vector o from the site
    cell.cost = second / 12.0 + cell.area * (2.0 * (ox * mx + oy * my) + ox * ox + oy * oy)


cdef void measure_plain(Cell* cell) noexcept nogil:
    """Lengths and moments from the vertices."""
    cdef Py_ssize_t k, j
    cdef const Line* line
    cdef double x0 = cell.x[0], y0 = cell.y[0]
    for k in range(cell.size):
        j = k - 1 if k > 0 else cell.size - 1
        cell.twice[k] = ((cell.x[j] - x0) * (cell.y[k] - y0)
                         - (cell.y[j] - y0) * (cell.x[k] - x0))
    moments(cell, x0, y0)
    for k in range(cell.size):
        j = k - 1 if k > 0 else cell.size - 1
        line = &cell.lines[cell.side[k]]
        cell.length[k] = max(0.0, (
            (cell.y[k] - cell.y[j]) * line.a - (cell.x[k] - cell.x[j]) * line.b
        ) / sqrt(line.a * line.a + line.b * line.b))


cdef void measure_exactly(Cell* cell, Regular2D mesh, Domain2D domain, index_t i) noexcept nogil:
    """The same for a polygon that is thin, or small beside the rounding of its place.

    Edge lengths and the distances of edges from the first vertex are exact determinants rounded
    once, so that the area keeps its relative accuracy however small it is."""
    cdef Py_ssize_t k, m = cell.size
    cdef const Line* line
    cdef ExactLine first, second, before, here, after
    set_exact(&cell.lines[cell.side[0]], mesh, domain, i, &first)
    set_exact(&cell.lines[cell.side[1]], mesh, domain, i, &second)
    set_exact(&cell.lines[cell.side[m - 1]], mesh, domain, i, &before)
    here = first
    for k in range(m):
        if stop(cell, k):
            return
        set_exact(&cell.lines[cell.side[k + 1 if k + 1 < m else 0]], mesh, domain, i, &after)
        cell.length[k] = exact_facet_ratio(&before, &here, &after)
        cell.twice[k] = 0.0
        if k > 1:
            cell.twice[k] = exact_distance_ratio(&first, &second, &here) * cell.length[k]
        if k > 0:
            line = &cell.lines[cell.side[k]]
            cell.x[k] = cell.x[k - 1] - cell.length[k] * line.b
            cell.y[k] = cell.y[k - 1] + cell.length[k] * line.a
        before = here
        here = after
    moments(cell, cell.x[0], cell.y[0])
    for k in range(m):
        line = &cell.lines[cell.side[k]]
        cell.length[k] *= sqrt(line.a * line.a + line.b * line.b)


cdef inline double magnitude(const Line* line) noexcept nogil:
    """What rounding errors of points on the line are relative to."""
    return line.size / (fabs(line.a) + fabs(line.b))


cdef void settle_short_sides(Cell* cell, double reach, Regular2D mesh, Domain2D domain,
                             index_t i) noexcept nogil:
    """Lengths that the vertices' rounding blurs, or has made up, from exact determinants.

    A side of the triangulation's ring has no length where cocircular sites meet; it gets 0.0, and
    every side that is there a positive length."""
    cdef Py_ssize_t k, m = cell.size
    cdef double blurred = KEPT * cell.vertex_error * reach
    cdef const Line* line
    cdef ExactLine before, here, after
    for k in range(m):
        if cell.length[k] > blurred:
            continue
        if stop(cell, k):
            return
        line = &cell.lines[cell.side[k]]
        set_exact(&cell.lines[cell.side[k - 1 if k > 0 else m - 1]], mesh, domain, i, &before)
        set_exact(line, mesh, domain, i, &here)
        set_exact(&cell.lines[cell.side[k + 1 if k + 1 < m else 0]], mesh, domain, i, &after)
        cell.length[k] = exact_facet_ratio(&before, &here, &after) * sqrt(
            line.a * line.a + line.b * line.b)


cdef void measure_locally(Cell* cell, Regular2D mesh, Domain2D domain, index_t i) noexcept nogil:
    """Move the frame to the first vertex, evaluate lines and vertices anew, and measure."""
    cdef Py_ssize_t k
    cdef double reach = 0.0, blur = 0.0
    for k in range(cell.size):
        set_line(&cell.lines[cell.side[k]], mesh, domain, i, cell.shift_x, cell.shift_y)
    cell.vertex_error = PLAIN_ERROR
    for k in range(cell.size):
        if stop(cell, k):
            return
        set_vertex(cell, k, mesh, domain, i)
        reach = max(reach, max(fabs(cell.x[k]), fabs(cell.y[k])))
        blur = max(blur, magnitude(&cell.lines[cell.side[k]]))
    # bisectors of sites far away may be blurred even in twice the working precision
    if polygon_area(cell) > THIN * max(reach, blur) * extent(cell):
        measure_plain(cell)
        settle_short_sides(cell, max(reach, blur), mesh, domain, i)
    else:
        measure_exactly(cell, mesh, domain, i)


cdef bint ring_of_centres(Cell* cell, Regular2D mesh, Domain2D domain, index_t i,
                          Py_ssize_t degree) noexcept nogil:
    """The polygon of a cell inside the domain, measured; false where that is not certain."""
    cdef const double* p = &mesh.site[i, 0]
    cdef Line* lines = cell.lines + domain.n
    cdef Line* line
    cdef Line* following
    cdef double det, reach = 0.0, e, area, px, py
    cdef Py_ssize_t k
    for k in range(degree):
        lines[k].across = cell.ring[k]
        near_bisector(p, &mesh.site[cell.ring[k], 0], &lines[k])
        cell.side[k] = domain.n + k
    cell.size = degree
    cell.shift_x = 0.0
    cell.shift_y = 0.0
    cell.vertex_error = PLAIN_ERROR
    for k in range(degree):
        line = &lines[k]
        following = &lines[k + 1 if k + 1 < degree else 0]
        det = line.a * following.b - following.a * line.b
        if det <= LEAST_SINE * (fabs(line.a) + fabs(line.b)) * (
                fabs(following.a) + fabs(following.b)):
            return False
        if stop(cell, k):
            return False
        set_vertex(cell, k, mesh, domain, i)
        reach = max(reach, max(magnitude(line), max(fabs(cell.x[k]), fabs(cell.y[k]))))
    e = extent(cell)
    area = polygon_area(cell)
    if area < THIN * e * e or reach * reach * e * e > FAR * area * area:
        cell.shift_x = cell.x[0]
        cell.shift_y = cell.y[0]
        measure_locally(cell, mesh, domain, i)
        reach = extent(cell)
    else:
        measure_plain(cell)
        settle_short_sides(cell, reach, mesh, domain, i)
    if reach > 4.0 * domain.diameter:
        return False
    px = p[0] + cell.shift_x
    py = p[1] + cell.shift_y
    for k in range(degree):
        if not domain.surely_inside(px + cell.x[k], py + cell.y[k]):
            return False
    # The interior is certain if the centroid satisfies every bisector beyond rounding.
    if not cell.area > 0.0:
        return False
    for k in range(degree):
        line = &lines[k]
        px = line.a * cell.centre_x
        py = line.b * cell.centre_y
        if not line.c - (px + py) > SIDE_BOUND * (line.size + fabs(px) + fabs(py)):
            return False
    return True


cdef int cell_compute(Cell* cell, Regular2D mesh, Domain2D domain, index_t i) noexcept nogil:
    """Compute the cell of site i; EMPTY, REGULAR, FLAT, NO_MEMORY or INTERRUPTED."""
    cdef Py_ssize_t degree
    cdef bint closed
    cell.size = 0
    cell.site_x = mesh.site[i, 0]
    cell.site_y = mesh.site[i, 1]
    if mesh.incident[i] < 0:
        return EMPTY
    degree = mesh.star(i, cell.ring, cell.room, &closed)
    if degree + domain.n > cell.room:
        if reserve(cell, degree + domain.n) != 0:
            return NO_MEMORY
        mesh.star(i, cell.ring, cell.room, &closed)
    if closed and ring_of_centres(cell, mesh, domain, i, degree):
        return INTERRUPTED if cell.stopped else REGULAR
    if cell.stopped:
        return INTERRUPTED
    clip_exactly(cell, mesh, domain, i, degree)
    if cell.stopped:
        return INTERRUPTED
    if cell.size == 0:
        return FLAT if degree > 1 and mesh.is_flat(cell.ring, degree, closed, i) else EMPTY
    set_vertex(cell, 0, mesh, domain, i)
    cell.shift_x += cell.x[0]
    cell.shift_y += cell.y[0]
    measure_locally(cell, mesh, domain, i)
    return INTERRUPTED if cell.stopped else REGULAR


# ---- wrappers for tests ----

def _bisector_about(const double[::1] p, const double[::1] q, double sx, double sy):
    """Coefficients a, b, c and size of the bisector of two sites (x, y, hi, lo), about p + s."""
    cdef Line line
    shifted_bisector(&p[0], &q[0], sx, sy, &line)
    return line.a, line.b, line.c, line.size


def _edge_about(const double[::1] ends, const double[::1] p, double sx, double sy):
    """The same of the edge between two corners, four coordinates."""
    cdef Line line
    shifted_edge(&ends[0], &p[0], sx, sy, &line)
    return line.a, line.b, line.c, line.size
