"""The matrix of a graph's Laplacian, as the Hessian of the dual energy is one.

Cost: two passes over the edges, which come in lexicographic order, so that no row is sorted.
"""

import numpy as np

from libc.stdint cimport int64_t

from geomot._core.types cimport index_t


def laplacian(Py_ssize_t n, const int64_t[:, ::1] edges, const double[::1] conductance):
    """Graph Laplacian in CSR form: (data, indices, indptr), columns sorted.

    Edges are pairs i < j in lexicographic order; every row has its diagonal."""
    cdef Py_ssize_t m = edges.shape[0], k
    cdef index_t[::1] indptr = np.zeros(n + 1, dtype=np.int32)
    cdef index_t[::1] indices = np.empty(n + 2 * m, dtype=np.int32)
    cdef double[::1] data = np.empty(n + 2 * m)
    cdef int64_t[::1] at = np.zeros(n, dtype=np.int64)
    cdef int64_t[::1] diagonal = np.zeros(n, dtype=np.int64)
    cdef int64_t i, j
    with nogil:
        for k in range(n):
            indptr[k + 1] = 1
        for k in range(m):
            indptr[edges[k, 0] + 1] += 1
            indptr[edges[k, 1] + 1] += 1
            diagonal[edges[k, 1]] += 1          # lower neighbours come first
        for k in range(n):
            indptr[k + 1] += indptr[k]
            at[k] = indptr[k]
            diagonal[k] += indptr[k]
            indices[diagonal[k]] = <index_t> k
            data[diagonal[k]] = 0.0
        for k in range(m):
            j = edges[k, 1]
            i = edges[k, 0]
            indices[at[j]] = <index_t> i
            data[at[j]] = -conductance[k]
            at[j] += 1
            data[diagonal[i]] += conductance[k]
            data[diagonal[j]] += conductance[k]
        for k in range(n):
            at[k] = diagonal[k] + 1
        for k in range(m):
            i = edges[k, 0]
            indices[at[i]] = <index_t> edges[k, 1]
            data[at[i]] = -conductance[k]
            at[i] += 1
    return np.asarray(data), np.asarray(indices), np.asarray(indptr)
