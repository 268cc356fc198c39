"""Laplacian systems solved by elimination without a subtraction, in pairs of doubles.

Eliminating a vertex of an electrical network connects its neighbours j, k by new conductances
c_ij c_ik / D_i, with D_i the sum of those of the vertex.  Only positive numbers are added, so that
every factor has its digits whatever the range of the conductances: the algorithm of Grassmann,
Taksar and Heyman (1985), whose relative accuracy O'Cinneide proved (1993).  A matrix that is stored
with its diagonal has lost a conductance of 1 where it stands beside one of 1e16.

Potentials across strong edges differ by far less than the potentials are large: they are pairs
hi + lo, and their differences are taken before anything is multiplied.

Cost: that of a sparse Cholesky factorisation in the order given, column by column.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t
from libc.stdlib cimport free, qsort, realloc

from geomot._core.predicates cimport two_product, two_sum
from geomot._core.types cimport index_t

cdef enum:
    COLUMNS = 256           # columns between two looks for an interrupt


cdef struct Buffer:
    index_t* row
    double* value
    Py_ssize_t used
    Py_ssize_t room


cdef int reserve(Buffer* buffer, Py_ssize_t count) noexcept nogil:
    """Room for that many entries more; -1 without memory."""
    cdef Py_ssize_t room = buffer.room
    cdef void* block
    if buffer.used + count <= room:
        return 0
    room = 2 * (buffer.used + count)
    block = realloc(buffer.row, <size_t> room * sizeof(index_t))
    if block == NULL:
        return -1
    buffer.row = <index_t*> block
    block = realloc(buffer.value, <size_t> room * sizeof(double))
    if block == NULL:
        return -1
    buffer.value = <double*> block
    buffer.room = room
    return 0


cdef int ascending(const void* a, const void* b) noexcept nogil:
    cdef index_t x = (<const index_t*> a)[0], y = (<const index_t*> b)[0]
    return (x > y) - (x < y)


cdef class Elimination:
    """Factors of the Laplacian of a weighted graph.

    Parameters
    ----------
    n : int
        Number of vertices.
    edges : (m, 2) array
        Each pair of neighbours once.
    conductances : (m,) array
        Their positive weights.
    order : (n,) array
        The vertices in the order of elimination.
    """
    cdef Py_ssize_t n
    cdef object order
    cdef Buffer factor              # below the diagonal, column by column, rows ascending
    cdef Py_ssize_t[::1] start      # of the columns
    cdef double[::1] total          # D of each column; 0 where a component ends

    def __cinit__(self):
        self.factor.row = NULL
        self.factor.value = NULL
        self.factor.used = 0
        self.factor.room = 0

    def __dealloc__(self):
        free(self.factor.row)
        free(self.factor.value)

    def __init__(self, Py_ssize_t n, const int64_t[:, ::1] edges, const double[::1] conductances,
                 order):
        cdef const int64_t[::1] place
        cdef Py_ssize_t m = edges.shape[0], k, e
        cdef index_t i, j
        self.n = n
        self.order = np.asarray(order)
        position = np.empty(n, dtype=np.int64)
        position[self.order] = np.arange(n)
        place = position
        # Columns of the matrix: each edge in that of the vertex that goes first.
        cdef Py_ssize_t[::1] head = np.zeros(n + 1, dtype=np.intp)
        cdef index_t[::1] below = np.empty(m, dtype=np.int32)
        cdef double[::1] weight = np.empty(m)
        cdef Py_ssize_t[::1] at
        with nogil:
            for e in range(m):
                head[min(place[edges[e, 0]], place[edges[e, 1]]) + 1] += 1
            for k in range(n):
                head[k + 1] += head[k]
        at = np.array(head[:n])
        with nogil:
            for e in range(m):
                i = <index_t> place[edges[e, 0]]
                j = <index_t> place[edges[e, 1]]
                k = at[min(i, j)]
                at[min(i, j)] += 1
                below[k] = max(i, j)
                weight[k] = conductances[e]
        self.factorise(head, below, weight)

    cdef factorise(self, const Py_ssize_t[::1] head, const index_t[::1] below,
                   const double[::1] weight):
        cdef Py_ssize_t n = self.n, k
        cdef Py_ssize_t[::1] start = np.zeros(n + 1, dtype=np.intp)
        cdef double[::1] total = np.zeros(n), work = np.zeros(n)
        cdef index_t[::1] first = np.full(n, -1, dtype=np.int32)    # columns that reach row k next
        cdef index_t[::1] following = np.full(n, -1, dtype=np.int32)
        cdef Py_ssize_t[::1] at = np.zeros(n, dtype=np.intp)        # where they do
        cdef index_t[::1] mark = np.full(n, -1, dtype=np.int32)
        cdef index_t[::1] found = np.empty(n, dtype=np.int32)
        cdef int status = 0
        for k in range(n):
            if k % COLUMNS == 0:
                PyErr_CheckSignals()
            with nogil:
                status = self.column(<index_t> k, head, below, weight, start, total, work, first,
                                     following, at, mark, found)
            if status != 0:
                raise MemoryError("the factors of the linear system do not fit into memory")
        self.start = start
        self.total = total

    cdef int column(self, index_t k, const Py_ssize_t[::1] head, const index_t[::1] below,
                    const double[::1] weight, Py_ssize_t[::1] start, double[::1] total,
                    double[::1] work, index_t[::1] first, index_t[::1] following,
                    Py_ssize_t[::1] at, index_t[::1] mark, index_t[::1] found) noexcept nogil:
        """Conductances of vertex k to those that remain, after all before it are eliminated."""
        cdef Buffer* factor = &self.factor
        cdef Py_ssize_t e, count = 0
        cdef index_t i, j, next_column
        cdef double share, s = 0.0
        for e in range(head[k], head[k + 1]):
            i = below[e]
            if mark[i] != k:
                mark[i] = k
                found[count] = i
                count += 1
                work[i] = 0.0
            work[i] += weight[e]
        j = first[k]
        while j >= 0:
            next_column = following[j]
            share = factor.value[at[j]] / total[j]
            at[j] += 1
            for e in range(at[j], start[j + 1]):
                i = factor.row[e]
                if mark[i] != k:
                    mark[i] = k
                    found[count] = i
                    count += 1
                    work[i] = 0.0
                work[i] += share * factor.value[e]
            if at[j] < start[j + 1]:
                i = factor.row[at[j]]
                following[j] = first[i]
                first[i] = j
            j = next_column
        if reserve(factor, count) != 0:
            return -1
        qsort(&found[0], <size_t> count, sizeof(index_t), ascending)
        for e in range(count):
            i = found[e]
            factor.row[factor.used + e] = i
            factor.value[factor.used + e] = work[i]
            s += work[i]
        total[k] = s
        at[k] = factor.used
        factor.used += count
        start[k + 1] = factor.used
        if count:
            following[k] = first[found[0]]
            first[found[0]] = k
        return 0

    def solve(self, rhs, rhs_low):
        """Solve L x = rhs + rhs_low, whose sum is zero on each component but for rounding.

        Returns x as a pair of (n,) arrays; the vertex of each component that is eliminated last
        has 0."""
        cdef double[::1] b = np.asarray(rhs)[self.order], bl = np.asarray(rhs_low)[self.order]
        cdef double[::1] x = np.zeros(self.n), xl = np.zeros(self.n)
        with nogil:
            self.substitute(b, bl, x, xl)
        hi, lo = np.empty(self.n), np.empty(self.n)
        hi[self.order], lo[self.order] = x, xl
        return hi, lo

    cdef void substitute(self, double[::1] b, double[::1] bl, double[::1] x,
                         double[::1] xl) noexcept nogil:
        cdef const Buffer* factor = &self.factor
        cdef Py_ssize_t k, e
        cdef index_t i, nearest
        cdef double share, p, pe, s, t, d, dl, most
        for k in range(self.n):
            for e in range(self.start[k], self.start[k + 1]):
                i = factor.row[e]
                share = factor.value[e] / self.total[k]
                two_product(share, b[k], &p, &pe)
                two_sum(b[i], p, &s, &t)
                two_sum(s, t + (bl[i] + (pe + share * bl[k])), &b[i], &bl[i])
        for k in range(self.n - 1, -1, -1):
            if self.start[k] == self.start[k + 1]:
                continue
            nearest = factor.row[self.start[k]]
            most = 0.0
            for e in range(self.start[k], self.start[k + 1]):
                if factor.value[e] > most:
                    most = factor.value[e]
                    nearest = factor.row[e]
            # The shares sum to one: relative to its nearest neighbour, whatever the rest is.
            s = b[k] / self.total[k]
            t = bl[k] / self.total[k]
            for e in range(self.start[k], self.start[k + 1]):
                i = factor.row[e]
                if i == nearest:
                    continue
                two_sum(x[i], -x[nearest], &d, &dl)
                two_sum(d, dl + (xl[i] - xl[nearest]), &d, &dl)
                share = factor.value[e] / self.total[k]
                two_product(share, d, &p, &pe)
                two_sum(s, p, &s, &d)
                t += d + (pe + share * dl)
            two_sum(x[nearest], s, &p, &pe)
            two_sum(p, pe + (xl[nearest] + t), &x[k], &xl[k])


def excess(const int64_t[:, ::1] edges, const double[::1] conductances, const double[::1] x,
           const double[::1] x_low, const double[::1] rhs):
    """rhs - L x as a pair of (n,) arrays, from differences along the edges."""
    cdef Py_ssize_t n = rhs.shape[0], e
    cdef double[::1] r = np.array(rhs), low = np.zeros(n)
    cdef double d, dl, p, pe
    with nogil:
        for e in range(edges.shape[0]):
            two_sum(x[edges[e, 0]], -x[edges[e, 1]], &d, &dl)
            two_sum(d, dl + (x_low[edges[e, 0]] - x_low[edges[e, 1]]), &d, &dl)
            two_product(conductances[e], d, &p, &pe)
            pe += conductances[e] * dl
            add(&r[edges[e, 0]], &low[edges[e, 0]], -p, -pe)
            add(&r[edges[e, 1]], &low[edges[e, 1]], p, pe)
    return np.asarray(r), np.asarray(low)


cdef inline void add(double* s, double* e, double a, double b) noexcept nogil:
    """s + e += a + b."""
    cdef double t, te
    two_sum(s[0], a, &t, &te)
    two_sum(t, te + (e[0] + b), s, e)
