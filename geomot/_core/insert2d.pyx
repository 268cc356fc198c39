"""Weights that give new sites a cell of wanted area in an existing power diagram.

A site y has a cell as soon as its weight exceeds the least value over the domain D of

    max_i ( |x - y|^2 - |x - y_i|^2 + w_i ),

a convex function of x, linear on every cell, so its minimiser is a vertex of the clipped diagram;
it is found by walking from cell to cell, each step to a better vertex (in heights, -u*_D(y): the
Legendre dual restricted to the domain).  From there the weight is raised until the new cell, alone
against the old ones around that vertex, has the wanted area.  Each new site
sees the old diagram only: sites inserted together may take area from one another, but keep apart,
because rises for equal areas are concave along a line of sites that crowd together.
"""

from libc.math cimport fabs, sqrt
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

from geomot._core.cells2d cimport (
    NO_MEMORY, REGULAR, Cell, Domain2D, Line, cell_compute, cell_free, cell_init, shifted_bisector)
from geomot._core.predicates cimport two_product, two_sum
from geomot._core.regular2d cimport Regular2D
from geomot._core.types cimport index_t

cdef enum:
    RIVALS = 48             # old sites that a new cell is measured against
    MAX_TRIALS = 60         # evaluations of the new cell's area

# A new cell may miss its target by these factors. Sites that crowd together are kept apart by the
# concavity of their rises alone, which cruder areas destroy: with .6 and 1.5, 1582 of 1e5 clustered
# sites were left empty, now 7.
cdef double LEAST = 0.999
cdef double MOST = 1.001
# Improvement of the objective, relative to diameter times gradient, that is worth a step: more than
# rounding of the vertices makes up.
cdef double WORTH = 8.881784197001252e-16       # 2^-50


cdef struct Polygon:
    int size
    double* x
    double* y
    double* x_next
    double* y_next


cdef struct Vertex:
    # a vertex of the diagram, of cell `site`; sites across the two sides that meet there
    index_t site
    double x
    double y
    Py_ssize_t before
    Py_ssize_t after


cdef int best_vertex(Cell* cell, Regular2D mesh, Domain2D domain, index_t i, double x, double y,
                     Vertex* out) noexcept nogil:
    """The vertex of cell i that lies farthest in the direction from y_i to (x, y)."""
    cdef double dx = x - mesh.site[i, 0], dy = y - mesh.site[i, 1]
    cdef double value, best = 0.0
    cdef Py_ssize_t k, at = 0
    cdef int status = cell_compute(cell, mesh, domain, i)
    if status != REGULAR:
        return status
    for k in range(cell.size):
        value = cell.x[k] * dx + cell.y[k] * dy
        if k == 0 or value > best:
            best = value
            at = k
    out.site = i
    out.x = mesh.site[i, 0] + (cell.shift_x + cell.x[at])
    out.y = mesh.site[i, 1] + (cell.shift_y + cell.y[at])
    out.before = cell.lines[cell.side[at]].across
    out.after = cell.lines[cell.side[at + 1 if at + 1 < cell.size else 0]].across
    return REGULAR


cdef inline double gain(const Vertex* here, const Vertex* there, Regular2D mesh,
                        double x, double y) noexcept nogil:
    """Decrease of the objective from `here` to the vertex `there`, both on the latter's cell."""
    return ((there.x - here.x) * (x - mesh.site[there.site, 0])
            + (there.y - here.y) * (y - mesh.site[there.site, 1]))


cdef void touching_weight(const double* p, double x, double y, double vx, double vy,
                          double* hi, double* lo) noexcept nogil:
    """hi + lo = w_p + (y - p).(y + p - 2 v): the weight at which the site meets p's cell in v."""
    cdef double dx, dxl, dy, dyl, ux, uxl, uy, uyl, a, al, b, bl, s, e
    two_sum(x, -p[0], &dx, &dxl)
    two_sum(y, -p[1], &dy, &dyl)
    two_sum(p[0] - vx, x - vx, &ux, &uxl)
    two_sum(p[1] - vy, y - vy, &uy, &uyl)
    two_product(dx, ux, &a, &al)
    two_product(dy, uy, &b, &bl)
    al += dx * uxl + dxl * ux
    bl += dy * uyl + dyl * uy
    two_sum(p[2], a, &s, &e)
    e += al + p[3]
    two_sum(s, b, &a, &al)
    al += e + bl
    two_sum(a, al, hi, lo)


cdef int minimiser(Cell* cell, Regular2D mesh, Domain2D domain, const uint8_t[::1] kind,
                   double x, double y, index_t own, index_t start, Vertex* at) noexcept nogil:
    """Walk to the vertex where the site (x, y) first gets a cell.

    The weight needed there falls strictly from step to step, so that the walk ends even where
    rounding makes two cells disagree about a vertex they share."""
    cdef Vertex there
    cdef Vertex next_vertex
    cdef double value, best, hi, lo, next_hi, next_lo
    cdef Py_ssize_t across
    cdef int side, status = best_vertex(cell, mesh, domain, start, x, y, at)
    if status != REGULAR:
        return status
    touching_weight(&mesh.site[at.site, 0], x, y, at.x, at.y, &hi, &lo)
    while True:
        best = 0.0
        for side in range(2):
            across = at.before if side == 0 else at.after
            if across < 0 or across == own or kind[across] != REGULAR:
                continue
            status = best_vertex(cell, mesh, domain, <index_t> across, x, y, &there)
            if status == NO_MEMORY:
                return status
            if status != REGULAR:
                continue
            value = gain(at, &there, mesh, x, y)
            if value > best and value > WORTH * domain.diameter * (
                    fabs(x - mesh.site[there.site, 0]) + fabs(y - mesh.site[there.site, 1])):
                best = value
                next_vertex = there
        if best == 0.0:
            return REGULAR
        touching_weight(&mesh.site[next_vertex.site, 0], x, y, next_vertex.x, next_vertex.y,
                        &next_hi, &next_lo)
        if next_hi > hi or (next_hi == hi and next_lo >= lo):
            return REGULAR
        at[0] = next_vertex
        hi = next_hi
        lo = next_lo


cdef int collect_rivals(Regular2D mesh, const Vertex* at, index_t own, index_t* ring,
                        index_t* rivals) noexcept nogil:
    """Sites of the cells at the vertex, and their neighbours; how many."""
    cdef index_t[3] core
    cdef int n_core = 0, count = 0, c, r
    cdef Py_ssize_t degree, k
    cdef bint closed, known
    core[0] = at.site
    n_core = 1
    if at.before >= 0 and at.before != own:
        core[n_core] = <index_t> at.before
        n_core += 1
    if at.after >= 0 and at.after != own:
        core[n_core] = <index_t> at.after
        n_core += 1
    for c in range(n_core):
        rivals[count] = core[c]
        count += 1
    for c in range(n_core):
        degree = mesh.star(core[c], ring, RIVALS, &closed)
        for k in range(min(degree, RIVALS)):
            known = ring[k] == own
            for r in range(count):
                known = known or rivals[r] == ring[k]
            if not known and count < RIVALS:
                rivals[count] = ring[k]
                count += 1
    return count


cdef void cut(Polygon* p, double a, double b, double c) noexcept nogil:
    """Keep the part of a convex polygon in a x + b y <= c (Sutherland and Hodgman 1974)."""
    cdef int k, j, m = 0
    cdef double here, there, t
    cdef double* swap
    if p.size == 0:
        return
    j = p.size - 1
    there = a * p.x[j] + b * p.y[j] - c
    for k in range(p.size):
        here = a * p.x[k] + b * p.y[k] - c
        if (here <= 0.0) != (there <= 0.0):
            t = there / (there - here)
            p.x_next[m] = p.x[j] + t * (p.x[k] - p.x[j])
            p.y_next[m] = p.y[j] + t * (p.y[k] - p.y[j])
            m += 1
        if here <= 0.0:
            p.x_next[m] = p.x[k]
            p.y_next[m] = p.y[k]
            m += 1
        j = k
        there = here
    swap = p.x
    p.x = p.x_next
    p.x_next = swap
    swap = p.y
    p.y = p.y_next
    p.y_next = swap
    p.size = m


cdef double area_at(double rise, const Line* lines, int count, Domain2D domain,
                    double ox, double oy, Polygon* p) noexcept nogil:
    """Area of the new cell when its weight is raised by `rise`, about the origin o."""
    cdef int k, j
    cdef bint inside = True
    cdef double twice = 0.0
    # the domain's bounding box; its edges only where the cell comes near them
    p.size = 4
    p.x[0] = p.x[3] = domain.lower_x - ox
    p.x[1] = p.x[2] = domain.upper_x - ox
    p.y[0] = p.y[1] = domain.lower_y - oy
    p.y[2] = p.y[3] = domain.upper_y - oy
    for k in range(count):
        cut(p, lines[k].a, lines[k].b, lines[k].c + 0.5 * rise)
        if p.size == 0:
            return 0.0
    for k in range(p.size):
        inside = inside and domain.surely_inside(ox + p.x[k], oy + p.y[k])
    if not inside:
        for k in range(domain.n):
            cut(p, domain.edge[k, 0], domain.edge[k, 1],
                domain.edge[k, 2] - domain.edge[k, 0] * (ox - domain.centre_x)
                - domain.edge[k, 1] * (oy - domain.centre_y))
    for k in range(1, p.size - 1):
        j = k + 1
        twice += ((p.x[k] - p.x[0]) * (p.y[j] - p.y[0]) - (p.y[k] - p.y[0]) * (p.x[j] - p.x[0]))
    return 0.5 * twice


cdef double raise_to(double target, double first, const Line* lines, int count, Domain2D domain,
                     double ox, double oy, Polygon* p) noexcept nogil:
    """A rise at which the new cell's area is the target to within the factors above.

    sqrt(area) is concave in the rise (Brunn and Minkowski), which the secant steps use."""
    cdef double low = 0.0, high = 0.0, root_low = 0.0, root_high = 0.0
    cdef bint has_low = False, has_high = False
    cdef double rise = first, area, root, share, wanted = sqrt(target)
    cdef int _trial
    for _trial in range(MAX_TRIALS):
        area = area_at(rise, lines, count, domain, ox, oy, p)
        if LEAST * target <= area <= MOST * target:
            break
        root = sqrt(max(area, 0.0))
        if area < target:
            low = rise
            root_low = root
            has_low = True
        else:
            high = rise
            root_high = root
            has_high = True
        if has_low and has_high:
            share = (wanted - root_low) / (root_high - root_low)
            rise = low + (high - low) * min(0.9, max(0.1, share))
        elif has_low:
            rise = rise * min(16.0, wanted / root) if rise > 0.0 and root > 0.0 else (
                rise + 4.0 * fabs(rise) + first)
        elif rise > first / 64.0:
            rise *= max(1.0 / 16.0, wanted / root)
        else:
            rise -= 4.0 * fabs(rise) + first
    return rise


cdef int insert_sites(Regular2D mesh, Domain2D domain, const uint8_t[::1] kind,
                      const double[:, ::1] points, const index_t[::1] own,
                      const double[::1] areas, index_t start,
                      double[:, ::1] weights) noexcept nogil:
    """Weights (q, 2) for the points (q, 2), which should follow a space-filling curve.

    `own` is the old site that a point replaces and must not compete with, or -1.  `start` is any
    site with a cell.  0, or NO_MEMORY."""
    cdef Cell cell
    cdef Vertex at
    cdef Polygon polygon
    cdef Line[RIVALS] lines
    cdef index_t[RIVALS] rivals
    cdef index_t[RIVALS] ring
    cdef double[4] site
    cdef double rise, first, sx, sy
    cdef Py_ssize_t k, q = points.shape[0]
    cdef int count, j, n_lines, status = 0
    cdef size_t corners = <size_t> (4 + RIVALS + domain.n + 4)
    cdef double* memory = <double*> malloc(4 * corners * sizeof(double))
    if memory == NULL:
        return NO_MEMORY
    if cell_init(&cell) != 0:
        free(memory)
        return NO_MEMORY
    polygon.x = memory
    polygon.y = memory + corners
    polygon.x_next = memory + 2 * corners
    polygon.y_next = memory + 3 * corners
    for k in range(q):
        if start == own[k]:
            start = other_cell(mesh, kind, start)
        status = minimiser(&cell, mesh, domain, kind, points[k, 0], points[k, 1], own[k], start,
                           &at)
        if status == NO_MEMORY:
            break
        start = at.site
        site[0] = points[k, 0]
        site[1] = points[k, 1]
        touching_weight(&mesh.site[at.site, 0], site[0], site[1], at.x, at.y, &site[2], &site[3])
        count = collect_rivals(mesh, &at, own[k], ring, rivals)
        sx = at.x - site[0]
        sy = at.y - site[1]
        n_lines = 0
        for j in range(count):
            shifted_bisector(site, &mesh.site[rivals[j], 0], sx, sy, &lines[n_lines])
            n_lines += lines[n_lines].a != 0.0 or lines[n_lines].b != 0.0
        first = 2.0 * sqrt(areas[k]) * (fabs(site[0] - mesh.site[at.site, 0])
                                        + fabs(site[1] - mesh.site[at.site, 1]))
        rise = 0.0
        if areas[k] > 0.0:
            rise = raise_to(areas[k], first, lines, n_lines, domain, at.x, at.y, &polygon)
        two_sum(site[2], rise, &weights[k, 0], &weights[k, 1])
        weights[k, 1] += site[3]
    cell_free(&cell)
    free(memory)
    return NO_MEMORY if status == NO_MEMORY else 0


cdef index_t other_cell(Regular2D mesh, const uint8_t[::1] kind, index_t site) noexcept nogil:
    """The next site with a cell after `site`, or `site` if it is the only one."""
    cdef index_t k = site
    cdef Py_ssize_t _turn
    for _turn in range(mesh.n):
        k = k + 1 if k + 1 < mesh.n else 0
        if kind[k] == REGULAR:
            return k
    return site
