"""A density that is constant on an ellipsoid, integrated over power cells in space.

A linear map, lower triangular, takes the ellipsoid to a ball, and cells to polytopes.  What the
ball holds of a polytope is bounded by parts of its faces, cut out by disks, and by a patch of the
sphere.  The divergence theorem gives its volume and moments from integrals of 1, x and x x over the
faces' parts, and from the solid angle of the patch alone: integrals over the patch of the normal n,
of x n and of x x n are what the whole surface has, by the same theorem, less what the faces have.

A face's part is the polygon of its corners inside and of points on its arcs, and a segment of the
disk beyond each chord between these, by Gauss's rule in the angle.  The solid angle is a sum over
the arcs,

    - integral of p.(n x dn) / (1 + p.n),

with p a direction in the midst of them, to which 4 pi are added if the patch holds -p.  Edges meet
the sphere in the same bits, whichever face they are seen from; where rounding has put these off an
arc, the way between is part of the sum, so that it goes around the patch without gaps.

All is taken about a vertex of the cell.  Errors are those of double precision times the ratio of
the ball's radius to the cell's extent, and times its cube for the cost.  Cells inside the ellipsoid
have what their shape measures.  Which cells reach into it is decided up to rounding: a cell that
holds less than 1e-18 of it may count as empty or not.

Cost: some 300 ns for an arc.
"""

import numpy as np
from scipy.special import roots_legendre

from libc.math cimport M_PI, NAN, atan2, ceil, cos, fabs, sin, sqrt

from geomot._core.space.cells cimport Polytope, trace_facet
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.measure cimport (
    SPREAD, Density3D, Measure3D, Sums, add_facets, finish, scratch_reserve)
from geomot._core.space.regular cimport Regular3D
from geomot._core.status cimport NO_MEMORY, OK

cdef enum:
    NODES = 12
    ROOM = 8                # points of a face's part for each of its corners, and as many more

# On [0, 1].
cdef double[NODES] NODE, WEIGHT
# Angle of a piece of an arc that one rule serves for.
cdef double PIECE = 0.5 * M_PI
# A direction is far enough from all arcs if 1 + p.n is at least this for them.
cdef double FAR = 1.0


def _fill_tables():
    cdef int k
    x, weights = roots_legendre(NODES)
    for k in range(NODES):
        NODE[k] = 0.5 + 0.5 * x[k]
        WEIGHT[k] = 0.5 * weights[k]


_fill_tables()


cdef struct Arc:
    # on the unit sphere: centre + cos(t) first + sin(t) second, from `start` over `turn`
    double[3] centre
    double[3] first
    double[3] second
    double start
    double turn
    double[3] begin         # where it begins and ends, in the bits of the faces beside
    double[3] end


cdef struct Part:
    # of a face in the ball: integrals of 1, q and q q (xx, xy, xz, yy, yz, zz)
    double one
    double[3] first
    double[6] second


cdef struct Solid:
    # sums over the faces
    double volume           # of height times area; heights are those above the first vertex
    double[3] first
    double[6] second
    double[3] normal        # of the normal times 1, q_j and q_j q_k
    double[3][3] flux       # [j][k]: q_j n_k
    double[6][3] flux2


cdef struct Disk:
    # of one face
    double[3] normal
    double[3] u
    double[3] v
    double[3] middle
    double radius
    double height           # above the ball's centre


cdef inline double dot(const double* a, const double* b) noexcept nogil:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


cdef inline void set_cross(const double* a, const double* b, double* out) noexcept nogil:
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


cdef class EllipsoidDensity(Density3D):
    """Constant on an ellipsoid, and nothing elsewhere.

    Parameters
    ----------
    center : (3,) array
        The centre, in the units of the kernels.
    whitening : (3, 3) array
        A lower triangular matrix that takes the ellipsoid about its centre to a ball about zero.
    radius : float
        Of the ball.
    volume : float
        Of the domain, a box around the ellipsoid.
    """
    cdef double[3] center
    cdef double[3][3] white
    cdef double[3][3] back          # the inverse
    cdef double radius
    cdef double det                 # of the whitening
    cdef double value               # the density
    cdef double mean                # over the domain

    def __init__(self, center, whitening, double radius, double volume):
        cdef int j, k
        white = np.asarray(whitening, dtype=np.float64)
        back = np.linalg.inv(white)
        for j in range(3):
            self.center[j] = center[j]
            for k in range(3):
                self.white[j][k] = white[j, k]
                self.back[j][k] = back[j, k]
        self.radius = radius
        self.det = white[0, 0] * white[1, 1] * white[2, 2]
        self.value = self.det / (4.0 / 3.0 * M_PI * radius * radius * radius)
        self.mean = 1.0 / volume

    cdef inline void whiten(self, const double* x, double* out) noexcept nogil:
        cdef int j
        for j in range(3):
            out[j] = (self.white[j][0] * x[0] + self.white[j][1] * x[1]
                      + self.white[j][2] * x[2])

    cdef double relative(self, const double* x) noexcept nogil:
        cdef double[3] away, q
        cdef int j
        for j in range(3):
            away[j] = x[j] - self.center[j]
        self.whiten(away, q)
        return self.value / self.mean if dot(q, q) < self.radius * self.radius else 0.0

    cdef int integrate(self, Polytope* cell, Regular3D mesh, Domain3D domain,
                       Measure3D* out) noexcept nogil:
        cdef double[3] base, center, q, scaled
        cdef Py_ssize_t k, w, m, room = cell.n_vertices + 4, n_arcs = 0
        cdef double* corner
        cdef double* points
        cdef Arc* arcs
        cdef int j
        cdef bint whole = True, around = True
        cdef Solid solid
        cdef Part part
        cdef Disk disk
        cdef Sums sums
        cdef double angle
        # corners with their powers, points of one part, arcs
        if scratch_reserve(out, 4 * room + 3 * ROOM * (room + 1)
                           + 17 * (3 * room + cell.n_walls)) != OK:
            return NO_MEMORY
        corner = out.scratch
        points = corner + 4 * room
        arcs = <Arc*> (points + 3 * ROOM * (room + 1))
        for j in range(3):
            base[j] = cell.vertex[0].x[j]
            q[j] = (self.center[j] - cell.origin[j]) - base[j]
        self.whiten(q, center)
        for k in range(cell.n_vertices):
            for j in range(3):
                q[j] = cell.vertex[k].x[j] - base[j]
            self.whiten(q, scaled)
            whole = whole and power_at(scaled, center, self.radius) < 0.0
        if whole:
            out.mass = cell.volume * self.value
            out.cost = cell.cost * self.value
            for j in range(3):
                out.centre[j] = cell.centre[j]
            return add_facets(cell, self.value, out)
        clear_solid(&solid)
        for w in range(cell.n_walls):
            if cell.head[w] < 0:
                continue
            m = trace_facet(cell, w)
            if m < 0:
                return NO_MEMORY
            for k in range(m):
                for j in range(3):
                    q[j] = cell.corner[3 * k + j] - base[j]
                self.whiten(q, corner + 4 * k)
                corner[4 * k + 3] = power_at(corner + 4 * k, center, self.radius)
            # normals go with the transposed inverse
            for j in range(3):
                disk.normal[j] = (self.back[0][j] * cell.wall[w].normal[0]
                                  + self.back[1][j] * cell.wall[w].normal[1]
                                  + self.back[2][j] * cell.wall[w].normal[2])
            angle = sqrt(dot(disk.normal, disk.normal))
            for j in range(3):
                disk.normal[j] /= angle
            disk.height = 0.0
            for j in range(3):
                disk.height += disk.normal[j] * (corner[j] - center[j])
            around = around and disk.height >= self.radius
            if disk.height <= -self.radius:
                return self.nothing(cell, out)
            # also where it is no nearer than that: edges of a tangent plane may meet the sphere
            set_disk(&disk, center, self.radius)
            cut_face(&disk, corner, m, center, self.radius, points, arcs, &n_arcs, &part)
            angle = 0.0
            if (cell.vertex[0].wall[0] != w and cell.vertex[0].wall[1] != w
                    and cell.vertex[0].wall[2] != w):
                angle = dot(disk.normal, corner)
            add_face(&solid, &disk, &part, angle)
            self.set_facet(w, &disk, &part, out)
        angle = 4.0 * M_PI if around else 0.0
        if n_arcs > 0:
            angle = self.solid_angle(cell, base, arcs, n_arcs)
        self.close(&solid, center, angle, &sums)
        if not sums.one > 0.0:
            return self.nothing(cell, out)
        finish(cell, mesh.s + 5 * <Py_ssize_t> cell.site, &sums, out)
        out.cost = max(out.cost, 0.0)
        return OK

    cdef int nothing(self, const Polytope* cell, Measure3D* out) noexcept nogil:
        cdef Py_ssize_t w
        cdef int j
        out.mass = out.cost = 0.0
        out.empty = True
        for j in range(3):
            out.centre[j] = NAN
        for w in range(cell.n_walls):
            out.facet[w] = 0.0
        return OK

    cdef void set_facet(self, Py_ssize_t w, const Disk* disk, const Part* part,
                        Measure3D* out) noexcept nogil:
        """Set what the density has along a face: its part as it lies."""
        cdef double[3] turned
        cdef double scale
        cdef double* moment
        cdef int j, k, at
        for j in range(3):
            turned[j] = (self.white[0][j] * disk.normal[0] + self.white[1][j] * disk.normal[1]
                         + self.white[2][j] * disk.normal[2])
        scale = self.value * sqrt(dot(turned, turned)) / self.det
        out.facet[w] = max(scale * part.one, 0.0)
        if not out.wants_moments:
            return
        moment = out.moment + SPREAD * w
        moment[0] = scale * part.one
        for j in range(3):
            moment[1 + j] = scale * dot(self.back[j], part.first)
        at = 4
        for j in range(3):
            for k in range(j, 3):
                moment[at] = scale * self.as_it_lies(part.second, j, k)
                at += 1

    cdef double as_it_lies(self, const double* second, int j, int k) noexcept nogil:
        """The moment of coordinates j and k from those of the whitened ones."""
        cdef double[3] row
        row[0] = (self.back[k][0] * second[0] + self.back[k][1] * second[1]
                  + self.back[k][2] * second[2])
        row[1] = (self.back[k][0] * second[1] + self.back[k][1] * second[3]
                  + self.back[k][2] * second[4])
        row[2] = (self.back[k][0] * second[2] + self.back[k][1] * second[4]
                  + self.back[k][2] * second[5])
        return dot(self.back[j], row)

    cdef double solid_angle(self, Polytope* cell, const double* base, const Arc* arcs,
                            Py_ssize_t n) noexcept nogil:
        """Solid angle of the patch of the sphere."""
        cdef double[3] pole, x
        cdef double far, length, total, offset
        cdef Py_ssize_t w
        cdef int j, k
        far = choose_pole(arcs, n, pole)
        length = sqrt(2.0 * far)
        total = 0.0
        for w in range(n):
            total -= turn_about(&arcs[w], pole, length)
        # does the patch hold the opposite of the pole?
        for j in range(3):
            x[j] = 0.0
            for k in range(j + 1):
                x[j] -= self.back[j][k] * self.radius * pole[k]
            x[j] += (self.center[j] - cell.origin[j])
        for w in range(cell.n_walls):
            if cell.head[w] < 0:
                continue
            offset = dot(cell.wall[w].normal, x) - cell.wall[w].offset
            if offset > 0.0:
                return total
        return total + 4.0 * M_PI

    cdef void close(self, const Solid* s, const double* o, double angle,
                    Sums* sums) noexcept nogil:
        """Volume and moments from those of the faces and the patch's solid angle."""
        cdef double r = self.radius, p0 = r * r * angle, unit = self.value / self.det
        cdef double volume, square, patch
        cdef double[3] p1, s1, first
        cdef double[6] second
        cdef double[3][3] t
        cdef int i, j, k, at = 0
        for j in range(3):
            p1[j] = -s.normal[j]
        volume = (s.volume + r * p0 + dot(o, p1)) / 3.0
        for j in range(3):
            s1[j] = r * p1[j] + o[j] * p0
            for k in range(3):
                t[j][k] = (volume if j == k else 0.0) - s.flux[j][k]
            first[j] = 0.25 * (s.first[j] + r * s1[j] + dot(o, t[j]))
        for i in range(3):
            for j in range(i, 3):
                patch = 0.5 * r * (r * (t[i][j] + t[j][i]) + o[j] * s1[i] + o[i] * s1[j])
                for k in range(3):
                    patch += o[k] * ((first[j] if k == i else 0.0)
                                     + (first[i] if k == j else 0.0) - s.flux2[at][k])
                second[at] = 0.2 * (s.second[at] + patch)
                at += 1
        square = 0.0
        for j in range(3):
            sums.first[j] = unit * dot(self.back[j], first)
            square += self.as_it_lies(second, j, j)
        sums.one = unit * volume
        sums.second = unit * square


# ---- faces ----

cdef inline double power_at(const double* q, const double* center, double radius) noexcept nogil:
    """Power of a point: negative inside the ball."""
    cdef double x = q[0] - center[0], y = q[1] - center[1], z = q[2] - center[2]
    return x * x + y * y + z * z - radius * radius


cdef void clear_solid(Solid* s) noexcept nogil:
    cdef int j, k
    s.volume = 0.0
    for j in range(3):
        s.first[j] = s.normal[j] = 0.0
        for k in range(3):
            s.flux[j][k] = 0.0
    for j in range(6):
        s.second[j] = 0.0
        for k in range(3):
            s.flux2[j][k] = 0.0


cdef void add_face(Solid* s, const Disk* disk, const Part* part, double height) noexcept nogil:
    cdef int j, k
    s.volume += height * part.one
    for k in range(3):
        s.normal[k] += disk.normal[k] * part.one
    for j in range(3):
        s.first[j] += height * part.first[j]
        for k in range(3):
            s.flux[j][k] += disk.normal[k] * part.first[j]
    for j in range(6):
        s.second[j] += height * part.second[j]
        for k in range(3):
            s.flux2[j][k] += disk.normal[k] * part.second[j]


cdef void set_disk(Disk* disk, const double* center, double radius) noexcept nogil:
    """Set all but the normal and the height."""
    cdef double[3] axis
    cdef int j, least = 0
    cdef double length
    disk.radius = sqrt(max((radius - disk.height) * (radius + disk.height), 0.0))
    for j in range(3):
        disk.middle[j] = center[j] + disk.height * disk.normal[j]
        axis[j] = 0.0
        if fabs(disk.normal[j]) < fabs(disk.normal[least]):
            least = j
    axis[least] = 1.0
    set_cross(disk.normal, axis, disk.u)
    length = sqrt(dot(disk.u, disk.u))
    for j in range(3):
        disk.u[j] /= length
    set_cross(disk.normal, disk.u, disk.v)


cdef inline bint comes_first(const double* a, const double* b) noexcept nogil:
    """Lexicographic order of places."""
    if a[0] != b[0]:
        return a[0] < b[0]
    return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])


cdef int crossings(const double* a, const double* b, const double* center, double* first,
                   double* last) noexcept nogil:
    """Where an edge meets the sphere, from a to b: how many points, 0 to 2.

    The same bits from b to a: the corners, which hold their powers, are put in order."""
    cdef double[3] d, away
    cdef double[2][3] found
    cdef double along, square, root, t
    cdef bint swapped = comes_first(b, a)
    cdef const double* p = b if swapped else a
    cdef const double* q = a if swapped else b
    cdef int j, count = 0
    if a[3] < 0.0 and b[3] < 0.0:
        return 0
    for j in range(3):
        d[j] = q[j] - p[j]
        away[j] = p[j] - center[j]
    along = dot(d, away)
    square = dot(d, d)
    root = along * along - square * p[3]
    if p[3] >= 0.0 and q[3] >= 0.0 and not (root > 0.0 and 0.0 < -along < square):
        return 0
    root = sqrt(max(root, 0.0))
    if p[3] >= 0.0:
        t = p[3] / (root - along) if root > along else 0.0
        for j in range(3):
            found[count][j] = p[j] + min(t, 1.0) * d[j]
        count += 1
    if q[3] >= 0.0:
        t = (root - along) / square if along <= 0.0 else -p[3] / (root + along)
        for j in range(3):
            found[count][j] = p[j] + min(max(t, 0.0), 1.0) * d[j]
        count += 1
    for j in range(3):
        first[j] = found[count - 1 if swapped else 0][j]
        last[j] = found[0 if swapped else count - 1][j]
    return count


cdef inline double angle_between(const Disk* disk, const double* a,
                                 const double* b) noexcept nogil:
    """Angle from a to b as seen from the disk's centre, in (-pi, pi]."""
    cdef double[3] p, q
    cdef double ax, ay, bx, by
    cdef int j
    for j in range(3):
        p[j] = a[j] - disk.middle[j]
        q[j] = b[j] - disk.middle[j]
    ax = dot(p, disk.u)
    ay = dot(p, disk.v)
    bx = dot(q, disk.u)
    by = dot(q, disk.v)
    return atan2(ax * by - ay * bx, ax * bx + ay * by)


cdef inline void put(const double* x, double* points, Py_ssize_t* size) noexcept nogil:
    points[3 * size[0]] = x[0]
    points[3 * size[0] + 1] = x[1]
    points[3 * size[0] + 2] = x[2]
    size[0] += 1


cdef void cut_face(const Disk* disk, const double* corner, Py_ssize_t m, const double* center,
                   double radius, double* points, Arc* arcs, Py_ssize_t* n_arcs,
                   Part* part) noexcept nogil:
    """Measure what the disk holds of a face, and list the arcs that bound it.

    From where the border of the face leaves the disk to where it comes back, it turns about the
    centre by as much as the arc between."""
    cdef double[3] first, last, leaving, entry
    cdef const double* a
    cdef const double* b
    cdef double turned = 0.0, head = 0.0
    cdef Py_ssize_t k, size = 0
    cdef int count, j
    cdef bint out_there = False, waits = False
    clear_part(part)
    for k in range(m):
        a = corner + 4 * k
        b = corner + 4 * (k + 1 if k + 1 < m else 0)
        if a[3] < 0.0:
            put(a, points, &size)
        count = crossings(a, b, center, first, last)
        if count == 0:
            if a[3] >= 0.0:
                turned += angle_between(disk, a, b)
            continue
        if a[3] >= 0.0:
            # comes back
            turned += angle_between(disk, a, first)
            if out_there:
                add_arc(disk, leaving, first, turned, radius, points, &size, arcs, n_arcs, part)
            else:
                head = turned
                waits = True
                for j in range(3):
                    entry[j] = first[j]
            put(first, points, &size)
            out_there = False
            if count == 1:
                continue
            for j in range(3):
                first[j] = last[j]
        # leaves
        put(first, points, &size)
        out_there = True
        turned = angle_between(disk, first, b)
        for j in range(3):
            leaving[j] = first[j]
    if out_there and waits:
        add_arc(disk, leaving, entry, turned + head, radius, points, &size, arcs, n_arcs, part)
    elif size == 0 and turned > M_PI and disk.radius > 0.0:
        # the whole disk
        for j in range(3):
            first[j] = disk.middle[j] + disk.radius * disk.u[j]
        put(first, points, &size)
        add_arc(disk, first, first, 2.0 * M_PI, radius, points, &size, arcs, n_arcs, part)
    add_polygon(disk, points, size, part)


cdef void clear_part(Part* part) noexcept nogil:
    cdef int j
    part.one = 0.0
    for j in range(3):
        part.first[j] = 0.0
    for j in range(6):
        part.second[j] = 0.0


cdef void add_polygon(const Disk* disk, const double* points, Py_ssize_t size,
                      Part* part) noexcept nogil:
    cdef double[3] b, c, cross
    cdef const double* a = points
    cdef double area, x, y
    cdef Py_ssize_t k
    cdef int i, j, at
    for k in range(2, size):
        for j in range(3):
            b[j] = points[3 * k - 3 + j] - a[j]
            c[j] = points[3 * k + j] - a[j]
        set_cross(b, c, cross)
        area = 0.5 * dot(cross, disk.normal)
        part.one += area
        at = 0
        for i in range(3):
            x = 3.0 * a[i] + b[i] + c[i]
            part.first[i] += area / 3.0 * x
            for j in range(i, 3):
                y = 3.0 * a[j] + b[j] + c[j]
                part.second[at] += area / 12.0 * (
                    x * y + a[i] * a[j] + (a[i] + b[i]) * (a[j] + b[j])
                    + (a[i] + c[i]) * (a[j] + c[j]))
                at += 1


cdef void add_arc(const Disk* disk, const double* a, const double* b, double turn, double radius,
                  double* points, Py_ssize_t* size, Arc* arcs, Py_ssize_t* n_arcs,
                  Part* part) noexcept nogil:
    """Add the segments beyond the chords of an arc from a to b, put the points between these, and
    list the arc."""
    cdef double[3] start, end, away
    cdef Arc* arc = &arcs[n_arcs[0]]
    cdef int j, k, pieces
    cdef double angle, step
    turn = max(turn, 0.0)
    pieces = <int> ceil(turn / PIECE)
    step = turn / max(pieces, 1)
    for j in range(3):
        away[j] = a[j] - disk.middle[j]
        arc.begin[j] = (away[j] + disk.height * disk.normal[j]) / radius
        arc.end[j] = ((b[j] - disk.middle[j]) + disk.height * disk.normal[j]) / radius
        arc.centre[j] = disk.height / radius * disk.normal[j]
        arc.first[j] = disk.radius / radius * disk.u[j]
        arc.second[j] = disk.radius / radius * disk.v[j]
        start[j] = a[j]
    arc.start = atan2(dot(away, disk.v), dot(away, disk.u))
    arc.turn = turn
    n_arcs[0] += 1
    for k in range(pieces):
        angle = arc.start + (k + 1) * step
        if k == pieces - 1:
            for j in range(3):
                end[j] = b[j]
        else:
            for j in range(3):
                end[j] = disk.middle[j] + disk.radius * (
                    cos(angle) * disk.u[j] + sin(angle) * disk.v[j])
            put(end, points, size)
        add_segment(disk, start, end, angle - 0.5 * step, 0.5 * step, part)
        for j in range(3):
            start[j] = end[j]


cdef void add_segment(const Disk* disk, const double* a, const double* b, double middle,
                      double half, Part* part) noexcept nogil:
    """Add the segment of the disk beyond a chord, by its middle direction and half its angle."""
    cdef double[3] e, across, mid
    cdef double one = 0.0, out = 0.0, out2 = 0.0, side2 = 0.0, t, s, x, w, r = disk.radius
    cdef int i, j, k, at = 0
    for k in range(NODES):
        t = half * NODE[k]
        # twice: both halves
        w = 2.0 * half * WEIGHT[k] * r * cos(t)
        s = 2.0 * r * sin(0.5 * (half + t)) * sin(0.5 * (half - t))
        x = r * sin(t)
        one += w * s
        out += 0.5 * w * s * s
        out2 += w * s * s * s / 3.0
        side2 += w * s * x * x
    for j in range(3):
        e[j] = cos(middle) * disk.u[j] + sin(middle) * disk.v[j]
        mid[j] = 0.5 * (a[j] + b[j])
    set_cross(disk.normal, e, across)
    part.one += one
    for i in range(3):
        part.first[i] += one * mid[i] + out * e[i]
        for j in range(i, 3):
            part.second[at] += (one * mid[i] * mid[j] + out * (mid[i] * e[j] + e[i] * mid[j])
                                + out2 * e[i] * e[j] + side2 * across[i] * across[j])
            at += 1


# ---- the patch of the sphere ----

cdef inline void point_of(const Arc* arc, double angle, double* out) noexcept nogil:
    cdef int j
    for j in range(3):
        out[j] = arc.centre[j] + cos(angle) * arc.first[j] + sin(angle) * arc.second[j]


cdef double distance_from(const Arc* arcs, Py_ssize_t n, const double* pole) noexcept nogil:
    """The least 1 + p.n over the arcs."""
    cdef Py_ssize_t k
    cdef double least = 2.0, x, y, value, top, past
    for k in range(n):
        x = dot(pole, arcs[k].first)
        y = dot(pole, arcs[k].second)
        value = 1.0 + dot(pole, arcs[k].centre)
        # where it is least on the circle, if that is on the arc; else at its ends
        top = atan2(-y, -x) - arcs[k].start
        past = top - 2.0 * M_PI * <double> (<long> (top / (2.0 * M_PI)))
        if past < 0.0:
            past += 2.0 * M_PI
        if past <= arcs[k].turn:
            least = min(least, value - sqrt(x * x + y * y))
        else:
            least = min(least, value + x * cos(arcs[k].start) + y * sin(arcs[k].start))
            top = arcs[k].start + arcs[k].turn
            least = min(least, value + x * cos(top) + y * sin(top))
    return least


cdef double choose_pole(const Arc* arcs, Py_ssize_t n, double* pole) noexcept nogil:
    """A direction whose opposite is far from all arcs: amid them, or along an axis; how far."""
    cdef double[3] trial, point
    cdef double best, value, length
    cdef Py_ssize_t k
    cdef int j, axis
    for j in range(3):
        trial[j] = 0.0
    for k in range(n):
        point_of(&arcs[k], arcs[k].start + 0.5 * arcs[k].turn, point)
        for j in range(3):
            trial[j] += point[j]
        point_of(&arcs[k], arcs[k].start, point)
        for j in range(3):
            trial[j] += point[j]
    length = sqrt(dot(trial, trial))
    best = -1.0
    if length > 0.0:
        for j in range(3):
            pole[j] = trial[j] / length
        best = distance_from(arcs, n, pole)
    axis = 0
    while best < FAR and axis < 6:
        for j in range(3):
            trial[j] = 0.0
        trial[axis // 2] = 1.0 if axis & 1 else -1.0
        value = distance_from(arcs, n, trial)
        if value > best:
            best = value
            for j in range(3):
                pole[j] = trial[j]
        axis += 1
    return best


cdef double between(const double* a, const double* b, const double* pole) noexcept nogil:
    """The same integral over a way as short as rounding."""
    cdef double[3] middle, step, off, cross
    cdef int j
    for j in range(3):
        middle[j] = 0.5 * (a[j] + b[j])
        off[j] = middle[j] - pole[j]
        step[j] = b[j] - a[j]
    set_cross(off, step, cross)
    return dot(pole, cross) / (1.0 + dot(pole, middle))


cdef double turn_about(const Arc* arc, const double* pole, double far) noexcept nogil:
    """Integral of p.(n x dn) / (1 + p.n) along an arc."""
    cdef double[3] n, dn, off, cross
    cdef double radius = sqrt(dot(arc.first, arc.first)), total = 0.0, angle, step
    cdef int pieces, piece, k, j
    point_of(arc, arc.start, n)
    total = between(arc.begin, n, pole)
    point_of(arc, arc.start + arc.turn, n)
    total += between(n, arc.end, pole)
    pieces = 1 + <int> min(1e4, arc.turn * max(1.0 / PIECE, radius / max(far, 1e-3)))
    step = arc.turn / pieces
    for piece in range(pieces):
        for k in range(NODES):
            angle = arc.start + (piece + NODE[k]) * step
            point_of(arc, angle, n)
            for j in range(3):
                dn[j] = cos(angle) * arc.second[j] - sin(angle) * arc.first[j]
                off[j] = n[j] - pole[j]
            set_cross(off, dn, cross)
            total += WEIGHT[k] * step * dot(pole, cross) / (1.0 + dot(pole, n))
    return total
