"""Weights that give new sites a cell of wanted area in an existing power diagram.

A site y has a cell as soon as its weight exceeds the least value over the domain D of

    max_i ( |x - y|^2 - |x - y_i|^2 + w_i ),

a convex function of x, linear on every cell, so its minimiser is a vertex of the clipped diagram;
it is found by walking from cell to cell, each step to a better vertex (in heights, -u*_D(y): the
Legendre dual restricted to the domain).  From there the weight is raised until the new cell, alone
against the old ones around that vertex, has the wanted area.  Each new site
sees the old diagram only: sites inserted together may take area from one another, but keep apart,
because rises for equal areas are concave along a line of sites that crowd together.

Vertices are rounded, and so are the coefficients of a bisector, which moves it by more the farther
it is from the frame's origin.  Where the cell that comes out does not contain the vertex it should
have grown from, all is done again in a frame inside that cell.

Cells with many sides are kept for the next sites, and searched by bisection, so that a hub costs
its size once and not with every site.
"""

from libc.math cimport fabs, log, pow, sqrt
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

from geomot._core.plane.cells cimport (
    REGULAR, Cell, Domain2D, Line, cell_compute, cell_free, cell_init, shifted_bisector,
    shifted_edge)
from geomot._core.interrupt cimport interrupted
from geomot._core.predicates cimport two_product, two_sum
from geomot._core.plane.measure cimport Density
from geomot._core.plane.regular cimport Regular2D
from geomot._core.status cimport INTERRUPTED, NO_MEMORY
from geomot._core.types cimport index_t

cdef enum:
    RIVALS = 48             # old sites that a new cell is measured against
    MAX_TRIALS = 60         # evaluations of the new cell's area
    FEW = 64                # sides of a cell that is computed anew each time
    HUBS = 4                # larger cells that are kept
    MAX_FRAMES = 12         # frames in which a new cell is computed, where the first was off
    PERIOD = 16384          # sides between two looks for Ctrl-C (a few ms)

# A new cell may miss its target by these factors. Sites that crowd together are kept apart by the
# concavity of their rises alone, which cruder areas destroy: with .6 and 1.5, 1582 of 1e5 clustered
# sites were left empty, now 7.
cdef double LEAST = 0.999
cdef double MOST = 1.001
# Where there is hardly any density a new cell is still not larger than at this share of the mean.
cdef double LEAST_DENSITY = 0.01
# From trial to trial.
cdef double MOST_GROWTH = 64.0
cdef double LEAST_SHRINKAGE = 2.0**-20
cdef double NOTHING = 2.0**-52            # no smaller rise is tried
cdef double NEXT = 1.0 + 2.0**-49         # no rise between
cdef double ROUNDING = 2.0**-50           # of the vertex's coordinates
# Improvement of the objective, relative to diameter times gradient, that is worth a step: more than
# rounding of the vertices makes up.
cdef double WORTH = 2.0**-50


cdef struct Corner:
    # a corner, and the line a x + b y = c of the side from it to the next one
    double x
    double y
    double a
    double b
    double c


cdef struct Polygon:
    int size
    Corner* corner
    Corner* spare


cdef struct Frame:
    # its origin is site + shift, near the vertex (x, y)
    const double* site
    double shift_x
    double shift_y
    double x
    double y


cdef struct Vertex:
    # a vertex of the diagram, of cell `site`; sites across the two sides that meet there
    index_t site
    double x
    double y
    Py_ssize_t before
    Py_ssize_t after


cdef struct Shapes:
    # scratch for cells, and the last large ones
    Cell cell
    Cell[HUBS] hub
    index_t[HUBS] site      # whose they are; -1: none
    int oldest
    Py_ssize_t work         # sides since the last look for Ctrl-C


cdef void shapes_free(Shapes* shapes) noexcept nogil:
    cdef int h
    cell_free(&shapes.cell)
    for h in range(HUBS):
        if shapes.site[h] >= 0:
            cell_free(&shapes.hub[h])


cdef int find_shape(Shapes* shapes, Regular2D mesh, Domain2D domain, index_t i,
                    const Cell** out) noexcept nogil:
    """The cell of site i, computed or kept; REGULAR, or what `cell_compute` says instead."""
    cdef int h, status
    for h in range(HUBS):
        if shapes.site[h] == i:
            out[0] = &shapes.hub[h]
            return REGULAR
    out[0] = &shapes.cell
    status = cell_compute(&shapes.cell, mesh, domain, i)
    shapes.work += shapes.cell.size
    if status == REGULAR and shapes.cell.size > FEW:
        h = shapes.oldest
        shapes.oldest = h + 1 if h + 1 < HUBS else 0
        if shapes.site[h] >= 0:
            cell_free(&shapes.hub[h])
        shapes.hub[h] = shapes.cell
        shapes.site[h] = i
        out[0] = &shapes.hub[h]
        if cell_init(&shapes.cell) != 0:
            return NO_MEMORY
    return status


cdef inline bint is_before(const Cell* cell, Py_ssize_t k, double dx, double dy) noexcept nogil:
    """Does the normal of side k come before (dx, dy), counter-clockwise from that of side 0?"""
    cdef const Line* base = &cell.lines[cell.side[0]]
    cdef const Line* line = &cell.lines[cell.side[k]]
    cdef bint far = base.a * line.b - line.a * base.b < 0.0
    cdef bint sought_far = base.a * dy - dx * base.b < 0.0
    if far != sought_far:
        return sought_far
    return line.a * dy - dx * line.b >= 0.0


cdef Py_ssize_t farthest(const Cell* cell, double dx, double dy) noexcept nogil:
    """The vertex of a cell that lies farthest in the direction (dx, dy)."""
    cdef Py_ssize_t k, at = 0, low, high, middle, step, m = cell.size
    cdef double value, best = 0.0
    if m <= FEW:
        for k in range(m):
            value = cell.x[k] * dx + cell.y[k] * dy
            if k == 0 or value > best:
                best = value
                at = k
        return at
    low = 0                             # the last side whose normal comes before the direction
    high = m
    while high - low > 1:
        middle = (low + high) // 2
        if is_before(cell, middle, dx, dy):
            low = middle
        else:
            high = middle
    at = low
    best = cell.x[at] * dx + cell.y[at] * dy
    for step in range(-1, 2, 2):        # rounding may have missed it by a little
        while True:
            k = (at + step + m) % m
            value = cell.x[k] * dx + cell.y[k] * dy
            if value <= best:
                break
            best = value
            at = k
    return at


cdef int best_vertex(Shapes* shapes, Regular2D mesh, Domain2D domain, index_t i, double x,
                     double y, Vertex* out) noexcept nogil:
    """The vertex of cell i that lies farthest in the direction from y_i to (x, y)."""
    cdef const Cell* cell
    cdef Py_ssize_t at
    cdef int status = find_shape(shapes, mesh, domain, i, &cell)
    if status != REGULAR:
        return status
    at = farthest(cell, x - mesh.site[i, 0], y - mesh.site[i, 1])
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


cdef int minimiser(Shapes* shapes, Regular2D mesh, Domain2D domain, const uint8_t[::1] kind,
                   double x, double y, index_t own, index_t start, Vertex* at) noexcept nogil:
    """Walk to the vertex where the site (x, y) first gets a cell.

    The weight needed there falls strictly from step to step, so that the walk ends even where
    rounding makes two cells disagree about a vertex they share."""
    cdef Vertex there
    cdef Vertex next_vertex
    cdef double value, best, hi, lo, next_hi, next_lo
    cdef Py_ssize_t across
    cdef int side, status = best_vertex(shapes, mesh, domain, start, x, y, at)
    if status != REGULAR:
        return status
    touching_weight(&mesh.site[at.site, 0], x, y, at.x, at.y, &hi, &lo)
    while True:
        best = 0.0
        for side in range(2):
            across = at.before if side == 0 else at.after
            if across < 0 or across == own or kind[across] != REGULAR:
                continue
            status = best_vertex(shapes, mesh, domain, <index_t> across, x, y, &there)
            if status < 0:
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


cdef index_t companion(Regular2D mesh, const Vertex* at, index_t site) noexcept nogil:
    """A neighbour of the site, at the vertex if there is one."""
    cdef int k
    if site != at.site:
        return at.site
    if at.before >= 0:
        return <index_t> at.before
    if at.after >= 0:
        return <index_t> at.after
    for k in range(3):
        if mesh.vert[mesh.incident[site], k] not in (site, mesh.n):
            return mesh.vert[mesh.incident[site], k]
    return site


cdef int collect_rivals(Regular2D mesh, const Vertex* at, index_t own, index_t* ring,
                        index_t* rivals) noexcept nogil:
    """Sites of the cells at the vertex, and their neighbours; how many."""
    cdef index_t[3] core
    cdef int n_core = 0, count = 0, c
    cdef Py_ssize_t degree
    cdef bint closed
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
        if mesh.has_more(core[c], FEW):
            degree = mesh.star_about(core[c], companion(mesh, at, core[c]), ring, RIVALS)
        else:
            degree = mesh.star(core[c], ring, RIVALS, &closed)
        count = append(ring, min(degree, RIVALS), own, rivals, count)
    return count


cdef int append(const index_t* more, Py_ssize_t n_more, index_t own, index_t* rivals,
                int count) noexcept nogil:
    """Add the sites that are not among the rivals yet; how many there are then."""
    cdef bint known
    cdef Py_ssize_t k
    cdef int r
    for k in range(n_more):
        known = more[k] == own
        for r in range(count):
            known = known or rivals[r] == more[k]
        if not known and count < RIVALS:
            rivals[count] = more[k]
            count += 1
    return count


cdef int collect_around(Regular2D mesh, const Polygon* p, const Line* lines, int n_lines,
                        index_t own, index_t* ring, index_t* rivals) noexcept nogil:
    """Sites across the sides of a new cell, and their neighbours; how many."""
    cdef int k, j, count = 0, n_sides
    cdef index_t site
    cdef bint closed
    for k in range(p.size):
        for j in range(n_lines):
            if lines[j].a == p.corner[k].a and lines[j].b == p.corner[k].b:
                site = <index_t> lines[j].across
                count = append(&site, 1, own, rivals, count)
    n_sides = count
    for k in range(n_sides):
        j = <int> min(mesh.star(rivals[k], ring, RIVALS, &closed), RIVALS)
        count = append(ring, j, own, rivals, count)
    return count


cdef inline void put(Corner* corner, double x, double y, double a, double b,
                     double c) noexcept nogil:
    corner.x = x
    corner.y = y
    corner.a = a
    corner.b = b
    corner.c = c


cdef void cut(Polygon* p, double a, double b, double c) noexcept nogil:
    """Keep the part of a convex polygon in a x + b y <= c (Sutherland and Hodgman 1974).

    New corners are intersections of lines and not places along a side: what is close to the origin
    keeps its digits however long the sides are."""
    cdef int k, m = 0
    cdef double here, there, det, x, y
    cdef Corner* this
    cdef Corner* that
    cdef Corner* swap
    if p.size == 0:
        return
    this = &p.corner[0]
    here = a * this.x + b * this.y - c
    for k in range(p.size):
        this = &p.corner[k]
        that = &p.corner[k + 1 if k + 1 < p.size else 0]
        there = a * that.x + b * that.y - c
        if here <= 0.0:
            p.spare[m] = this[0]
            m += 1
        if (here <= 0.0) != (there <= 0.0):
            det = this.a * b - a * this.b
            x = (this.c * b - c * this.b) / det
            y = (this.a * c - a * this.c) / det
            if here <= 0.0:
                put(&p.spare[m], x, y, a, b, c)
            else:
                put(&p.spare[m], x, y, this.a, this.b, this.c)
            # rounding may throw the intersection of nearly parallel lines off the side
            clamp(&p.spare[m].x, this.x, that.x)
            clamp(&p.spare[m].y, this.y, that.y)
            m += 1
        here = there
    swap = p.corner
    p.corner = p.spare
    p.spare = swap
    p.size = m


cdef inline void clamp(double* x, double one, double other) noexcept nogil:
    """Move x between the two numbers; also where it is none."""
    if not x[0] >= min(one, other):
        x[0] = min(one, other)
    elif x[0] > max(one, other):
        x[0] = max(one, other)


cdef double area_at(double rise, const Line* lines, int count, Domain2D domain,
                    const Frame* frame, Polygon* p) noexcept nogil:
    """Area of the new cell when its weight is raised by `rise`."""
    cdef int k, j
    cdef bint inside = True
    cdef double twice = 0.0, ox = frame.x, oy = frame.y, room = domain.diameter
    cdef double left = domain.lower_x - ox - room, right = domain.upper_x - ox + room
    cdef double bottom = domain.lower_y - oy - room, top = domain.upper_y - oy + room
    cdef Line edge
    cdef Corner* first
    # a box around the domain; the domain's edges only where the cell comes near them
    p.size = 4
    put(&p.corner[0], left, bottom, 0.0, -1.0, -bottom)
    put(&p.corner[1], right, bottom, 1.0, 0.0, right)
    put(&p.corner[2], right, top, 0.0, 1.0, top)
    put(&p.corner[3], left, top, -1.0, 0.0, -left)
    for k in range(count):
        cut(p, lines[k].a, lines[k].b, lines[k].c + 0.5 * rise)
        if p.size == 0:
            return 0.0
    for k in range(p.size):
        inside = inside and domain.surely_inside(ox + p.corner[k].x, oy + p.corner[k].y)
    if not inside:
        for k in range(domain.n):
            # in the frame of the bisectors: cells at the border may be thinner than its rounding
            shifted_edge(&domain.corner[k, 0], frame.site, frame.shift_x, frame.shift_y, &edge)
            cut(p, edge.a, edge.b, edge.c)
    first = p.corner
    for k in range(1, p.size - 1):
        j = k + 1
        twice += ((p.corner[k].x - first.x) * (p.corner[j].y - first.y)
                  - (p.corner[k].y - first.y) * (p.corner[j].x - first.x))
    return 0.5 * twice


cdef double raise_to(double target, double first, double blur, const Line* lines, int count,
                     Domain2D domain, const Frame* frame, Polygon* p) noexcept nogil:
    """A rise at which the new cell's area is the target to within the factors above.

    The area grows with a power of the rise between 0 and 2 (its root is concave: Brunn and
    Minkowski), so that secants are taken between logarithms. The weight at which the cell appears
    may be off by `blur`, the rounding of its vertex."""
    cdef double low = 0.0, high = 0.0, area_low = 0.0, area_high = 0.0
    cdef bint has_low = False, has_high = False
    cdef double rise = first, area, share
    cdef int trial
    for trial in range(MAX_TRIALS):
        area = area_at(rise, lines, count, domain, frame, p)
        if LEAST * target <= area <= MOST * target:
            break
        if area < target:
            low = rise
            area_low = area
            has_low = True
        else:
            high = rise
            area_high = area
            has_high = True
        if not has_high:
            rise *= min(MOST_GROWTH, sqrt(target / area)) if area > 0.0 else MOST_GROWTH
        elif not has_low:
            if high < NOTHING * blur:
                return lower_to(target, blur, lines, count, domain, frame, p)
            rise *= max(LEAST_SHRINKAGE, target / area)
        elif high <= NEXT * low:
            break
        else:
            share = 0.5
            if area_low > 0.0 and trial % 3 != 2:
                share = log(target / area_low) / log(area_high / area_low)
            rise = low * pow(high / low, min(0.95, max(0.05, share)))
    return rise


cdef double lower_to(double target, double blur, const Line* lines, int count, Domain2D domain,
                     const Frame* frame, Polygon* p) noexcept nogil:
    """The same where rounding has put the vertex so that the cell is too large from the start."""
    cdef double low = -blur, high = 0.0, middle
    cdef int _trial
    for _trial in range(MAX_TRIALS):
        if area_at(low, lines, count, domain, frame, p) < target:
            break
        high = low
        low *= MOST_GROWTH
    for _trial in range(MAX_TRIALS):
        middle = 0.5 * (low + high)
        if area_at(middle, lines, count, domain, frame, p) < target:
            low = middle
        else:
            high = middle
    return high


cdef int bisectors(Regular2D mesh, const Frame* frame, const index_t* rivals, int count,
                   Line* lines) noexcept nogil:
    """Bisectors of the frame's site with each rival; how many."""
    cdef int j, n_lines = 0
    for j in range(count):
        shifted_bisector(frame.site, &mesh.site[rivals[j], 0], frame.shift_x, frame.shift_y,
                         &lines[n_lines])
        lines[n_lines].across = rivals[j]
        n_lines += lines[n_lines].a != 0.0 or lines[n_lines].b != 0.0
    return n_lines


cdef inline bint contains_origin(const Line* lines, int count, double rise) noexcept nogil:
    """Is the frame's origin on the new cell's side of all bisectors?"""
    cdef int k
    for k in range(count):
        if lines[k].c + 0.5 * rise < 0.0:
            return False
    return True


cdef double reframe(Regular2D mesh, Domain2D domain, index_t own, double target, double rise,
                    double* site, Frame* frame, Line* lines, int n_lines, index_t* ring,
                    index_t* rivals, Polygon* p) noexcept nogil:
    """The rise above the site's weight, which changes, from frames inside the new cell.

    The rounding that put the cell elsewhere is relative to the way there: each frame is better than
    the one before."""
    cdef double x, y, s, e, span, blur, area
    cdef int k, count, _turn
    for _turn in range(MAX_FRAMES):
        area_at(rise, lines, n_lines, domain, frame, p)
        if p.size == 0:
            return rise
        x = y = span = 0.0
        for k in range(p.size):
            x += p.corner[k].x / p.size
            y += p.corner[k].y / p.size
        for k in range(p.size):
            span = max(span, fabs(p.corner[k].a) + fabs(p.corner[k].b))
        blur = ROUNDING * (fabs(x) + fabs(y)) * span
        count = collect_around(mesh, p, lines, n_lines, own, ring, rivals)
        two_sum(site[2], rise, &s, &e)
        two_sum(s, e + site[3], &site[2], &site[3])
        frame.x += x
        frame.y += y
        frame.shift_x += x
        frame.shift_y += y
        n_lines = bisectors(mesh, frame, rivals, count, lines)
        area = area_at(0.0, lines, n_lines, domain, frame, p)
        rise = 0.0
        if area < LEAST * target:
            rise = raise_to(target, blur, blur, lines, n_lines, domain, frame, p)
        elif area > MOST * target:
            rise = lower_to(target, blur, lines, n_lines, domain, frame, p)
        if contains_origin(lines, n_lines, rise):
            return rise
    return rise


cdef int insert_sites(Regular2D mesh, Domain2D domain, Density density, const uint8_t[::1] kind,
                      const double[:, ::1] points, const index_t[::1] own,
                      const double[::1] areas, index_t start,
                      double[:, ::1] weights) noexcept nogil:
    """Weights (q, 2) for the points (q, 2), which should follow a space-filling curve.

    `areas` would have the wanted masses if the density were its mean; what it is where a cell
    appears is taken for all of the cell.  `own` is the old site that a point replaces and must not
    compete with, or -1.  `start` is any site with a cell.  0, NO_MEMORY or INTERRUPTED."""
    cdef Shapes shapes
    cdef Vertex at
    cdef Polygon polygon
    cdef Line[RIVALS] lines
    cdef index_t[RIVALS] rivals
    cdef index_t[RIVALS] ring
    cdef double[4] site
    cdef double rise, distance, area
    cdef Frame frame
    cdef Py_ssize_t k, q = points.shape[0]
    cdef int count, n_lines, h, status = 0
    cdef size_t corners = <size_t> (4 + RIVALS + domain.n + 4)
    cdef Corner* memory = <Corner*> malloc(2 * corners * sizeof(Corner))
    if memory == NULL:
        return NO_MEMORY
    if cell_init(&shapes.cell) != 0:
        free(memory)
        return NO_MEMORY
    for h in range(HUBS):
        shapes.site[h] = -1
    shapes.oldest = 0
    shapes.work = 0
    polygon.corner = memory
    polygon.spare = memory + corners
    for k in range(q):
        if start == own[k]:
            start = other_cell(mesh, kind, start)
        shapes.work += FEW
        if shapes.work > PERIOD:
            shapes.work = 0
            if interrupted():
                status = INTERRUPTED
                break
        status = minimiser(&shapes, mesh, domain, kind, points[k, 0], points[k, 1], own[k], start,
                           &at)
        if status < 0:
            break
        start = at.site
        site[0] = points[k, 0]
        site[1] = points[k, 1]
        touching_weight(&mesh.site[at.site, 0], site[0], site[1], at.x, at.y, &site[2], &site[3])
        count = collect_rivals(mesh, &at, own[k], ring, rivals)
        frame.site = site
        frame.x = at.x
        frame.y = at.y
        frame.shift_x = at.x - site[0]
        frame.shift_y = at.y - site[1]
        n_lines = bisectors(mesh, &frame, rivals, count, lines)
        distance = (fabs(site[0] - mesh.site[at.site, 0])
                    + fabs(site[1] - mesh.site[at.site, 1]))
        rise = 0.0
        if areas[k] > 0.0:
            area = areas[k] / max(density.relative(at.x, at.y), LEAST_DENSITY)
            rise = raise_to(area, 2.0 * sqrt(area) * distance,
                            ROUNDING * domain.diameter * distance, lines, n_lines, domain,
                            &frame, &polygon)
            if not contains_origin(lines, n_lines, rise):
                rise = reframe(mesh, domain, own[k], area, rise, site, &frame, lines, n_lines,
                               ring, rivals, &polygon)
        two_sum(site[2], rise, &weights[k, 0], &weights[k, 1])
        weights[k, 1] += site[3]
    shapes_free(&shapes)
    free(memory)
    return min(status, 0)


cdef index_t other_cell(Regular2D mesh, const uint8_t[::1] kind, index_t site) noexcept nogil:
    """The next site with a cell after `site`, or `site` if it is the only one."""
    cdef index_t k = site
    cdef Py_ssize_t _turn
    for _turn in range(mesh.n):
        k = k + 1 if k + 1 < mesh.n else 0
        if kind[k] == REGULAR:
            return k
    return site
