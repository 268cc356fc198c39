"""The cells of a diagram as polyhedra: faces, corners, and what lies across each face.

A corner is where four things meet, sites and planes of the domain, and its place is that meeting
point rounded: computed once, it is the same for all cells that have it.  Where more than four
things meet there are several such corners at one place, which the caller makes one.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc

from geomot._core.interrupt cimport interrupted, raise_for
from geomot._core.space.cells cimport (
    REGULAR, Polytope, Vertex, cell_from_star, corner_place, polytope_free, polytope_init,
    trace_facet)
from geomot._core.space.domain cimport Domain3D
from geomot._core.space.locate cimport Star, star_free, star_init, star_of
from geomot._core.space.regular cimport Regular3D
from geomot._core.status cimport INTERRUPTED, NO_MEMORY, OK
from geomot._core.types cimport index_t

cdef enum:
    PERIOD = 512            # cells between two looks for Ctrl-C (a few ms)


cdef struct Found:
    # growing arrays of one chunk
    index_t* key            # (vertices, 4) what meets there, in increasing order
    double* place           # (vertices, 3)
    Py_ssize_t n_vertices
    Py_ssize_t vertices_room
    index_t* label          # (faces,)
    index_t* size           # (faces,)
    Py_ssize_t n_faces
    Py_ssize_t faces_room
    index_t* corner         # numbers of vertices, face after face
    Py_ssize_t n_corners
    Py_ssize_t corners_room


cdef inline int grow(void** block, Py_ssize_t* room, Py_ssize_t wanted, size_t size,
                     bint last) noexcept nogil:
    """Room for `wanted` items; `room` is updated with the last array that has it."""
    cdef void* p
    if wanted <= room[0]:
        return OK
    p = realloc(block[0], (2 * <size_t> wanted + 64) * size)
    if p == NULL:
        return NO_MEMORY
    block[0] = p
    if last:
        room[0] = 2 * wanted + 64
    return OK


cdef void sort4(index_t* key) noexcept nogil:
    cdef int k, j
    cdef index_t v
    for k in range(1, 4):
        v = key[k]
        j = k
        while j > 0 and key[j - 1] > v:
            key[j] = key[j - 1]
            j -= 1
        key[j] = v


cdef int add_cell(Found* found, Polytope* cell, Regular3D mesh, Domain3D domain) noexcept nogil:
    """Add the vertices and faces of a cell; OK or NO_MEMORY."""
    cdef Py_ssize_t k, w, m, base = found.n_vertices
    cdef int j
    cdef index_t h
    cdef index_t* key
    cdef const Vertex* v
    cdef const double* n
    cdef const double* c
    cdef double turn
    m = base + cell.n_vertices
    if (grow(<void**> &found.key, &found.vertices_room, m, 4 * sizeof(index_t), False) != OK
            or grow(<void**> &found.place, &found.vertices_room, m, 3 * sizeof(double),
                    True) != OK):
        return NO_MEMORY
    for k in range(cell.n_vertices):
        v = &cell.vertex[k]
        key = &found.key[4 * (base + k)]
        for j in range(3):
            key[j] = cell.wall[v.wall[j]].across
        key[3] = cell.site
        sort4(key)
        corner_place(cell, v, mesh.s, &domain.plane[0, 0], domain.diameter,
                     &found.place[3 * (base + k)])
    found.n_vertices = m
    for w in range(cell.n_walls):
        if cell.head[w] < 0 or not cell.area[w] > 0.0:
            continue
        m = trace_facet(cell, w)
        if m < 0:
            return NO_MEMORY
        if (grow(<void**> &found.label, &found.faces_room, found.n_faces + 1, sizeof(index_t),
                 False) != OK
                or grow(<void**> &found.size, &found.faces_room, found.n_faces + 1,
                        sizeof(index_t), True) != OK
                or grow(<void**> &found.corner, &found.corners_room, found.n_corners + m,
                        sizeof(index_t), True) != OK):
            return NO_MEMORY
        c = cell.corner
        n = &cell.wall[w].normal[0]
        turn = 0.0
        for k in range(2, m):
            turn += signed_triangle(n, c, c + 3 * (k - 1), c + 3 * k)
        h = cell.head[w]
        for k in range(m):
            # as `trace_facet` goes; counter-clockwise from outside
            j = <int> (k if turn >= 0.0 else m - 1 - k)
            found.corner[found.n_corners + j] = <index_t> (base + h // 3)
            h = cell.first[cell.vertex[h // 3].wall[(h + 2) % 3]]
        found.label[found.n_faces] = cell.wall[w].across
        found.size[found.n_faces] = <index_t> m
        found.n_faces += 1
        found.n_corners += m
    return OK


cdef inline double signed_triangle(const double* n, const double* a, const double* b,
                                   const double* c) noexcept nogil:
    cdef double px = b[0] - a[0], py = b[1] - a[1], pz = b[2] - a[2]
    cdef double qx = c[0] - a[0], qy = c[1] - a[1], qz = c[2] - a[2]
    return (n[0] * (py * qz - pz * qy) + n[1] * (pz * qx - px * qz) + n[2] * (px * qy - py * qx))


cdef int add_cells(Found* found, Regular3D mesh, Domain3D domain, const uint8_t[::1] kind,
                   Py_ssize_t start, Py_ssize_t stop, int64_t[::1] faces) noexcept nogil:
    """The cells start to stop, with how many faces each; OK, NO_MEMORY or INTERRUPTED."""
    cdef Polytope cell
    cdef Star star
    cdef Py_ssize_t i, before
    cdef int status = polytope_init(&cell)
    if star_init(&star) != OK:
        status = NO_MEMORY
    for i in range(start, stop):
        if status != OK:
            break
        if i % PERIOD == PERIOD - 1 and interrupted():
            status = INTERRUPTED
            break
        if kind[i] != REGULAR:
            continue
        before = found.n_faces
        status = star_of(&star, mesh, <index_t> i)
        if status == OK and cell_from_star(&cell, mesh, domain, <index_t> i, star.tets,
                                           star.n_tets, False) < 0:
            status = NO_MEMORY
        if status == OK:
            status = add_cell(found, &cell, mesh, domain)
        faces[i - start] = found.n_faces - before
    star_free(&star)
    polytope_free(&cell)
    return status


def cell_faces(Regular3D mesh, Domain3D domain, const uint8_t[::1] kind, Py_ssize_t start,
               Py_ssize_t stop):
    """Cells start to stop: faces of each cell (m,); labels and sizes of the faces (F,); their
    corners, counter-clockwise from outside, as rows of the keys (V, 4) and places (V, 3)."""
    cdef Found found
    cdef int64_t[::1] faces = np.zeros(stop - start, dtype=np.int64)
    cdef int status
    found.key = NULL
    found.place = NULL
    found.label = NULL
    found.size = NULL
    found.corner = NULL
    found.n_vertices = found.vertices_room = 0
    found.n_faces = found.faces_room = 0
    found.n_corners = found.corners_room = 0
    with nogil:
        status = add_cells(&found, mesh, domain, kind, start, stop, faces)
    try:
        raise_for(status, "the faces of the cells do not fit into memory")
        return (np.asarray(faces), copied(found.label, found.n_faces),
                copied(found.size, found.n_faces), copied(found.corner, found.n_corners),
                copied(found.key, 4 * found.n_vertices).reshape(-1, 4),
                copied_doubles(found.place, 3 * found.n_vertices).reshape(-1, 3))
    finally:
        free(found.key)
        free(found.place)
        free(found.label)
        free(found.size)
        free(found.corner)


cdef copied(const index_t* x, Py_ssize_t n):
    return np.array(<const index_t[:n]> x, dtype=np.int64) if n > 0 else np.empty(0, np.int64)


cdef copied_doubles(const double* x, Py_ssize_t n):
    return np.array(<const double[:n]> x) if n > 0 else np.empty(0)
