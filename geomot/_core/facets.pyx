"""Facets in lexicographic order: what the cells of all chunks have found, put together.

A counting sort by the first site of each facet, then one row after the other: linear in the number
of facets, whatever their distribution over the sites.
"""

import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc

from geomot._core.interrupt cimport interrupted, raise_for
from geomot._core.order cimport Keyed, sort_keyed
from geomot._core.status cimport INTERRUPTED, NO_MEMORY
from geomot._core.types cimport index_t

cdef enum:
    WORK = 65536            # rows between two looks for Ctrl-C (a few ms)
    SHORT_ROW = 64          # facets of a site that are sorted by insertion


def sort_facets(Py_ssize_t n, const int64_t[::1] start, const int64_t[::1] count,
                const index_t[:, ::1] site, const double[::1] length):
    """Facets of all chunks, i < j, in lexicographic order.

    A counting sort by i; the few j of a row by insertion, the many of a hub by their digits."""
    cdef Py_ssize_t chunks = count.shape[0], c, k, at, total = 0
    cdef int64_t[::1] row = np.zeros(n + 2, dtype=np.int64)
    cdef index_t a
    cdef int status = 0
    for c in range(chunks):
        total += count[c]
    cdef int64_t[:, ::1] pairs = np.empty((total, 2), dtype=np.int64)
    cdef double[::1] measures = np.empty(total)
    with nogil:
        for c in range(chunks):
            for k in range(start[c], start[c] + count[c]):
                row[min(site[k, 0], site[k, 1]) + 2] += 1
        for k in range(n):
            row[k + 2] += row[k + 1]
        for c in range(chunks):
            if interrupted():
                status = INTERRUPTED
                break
            for k in range(start[c], start[c] + count[c]):
                a = min(site[k, 0], site[k, 1])
                at = row[a + 1]
                row[a + 1] = at + 1
                pairs[at, 0] = a
                pairs[at, 1] = max(site[k, 0], site[k, 1])
                measures[at] = length[k]
        # now site a has the facets row[a] to row[a + 1]
        for k in range(n):
            if status != 0:
                break
            if k % WORK == WORK - 1 and interrupted():
                status = INTERRUPTED
            elif row[k + 1] - row[k] > SHORT_ROW:
                status = sort_row(pairs, measures, row[k], row[k + 1])
            else:
                sort_short_row(pairs, measures, row[k], row[k + 1])
    raise_for(status, "the facets of one site do not fit into memory")
    return np.asarray(pairs), np.asarray(measures)


cdef void sort_short_row(int64_t[:, ::1] pairs, double[::1] measures, Py_ssize_t start,
                         Py_ssize_t stop) noexcept nogil:
    cdef Py_ssize_t k, j
    cdef int64_t b
    cdef double v
    for k in range(start + 1, stop):
        b = pairs[k, 1]
        v = measures[k]
        j = k
        while j > start and pairs[j - 1, 1] > b:
            pairs[j, 1] = pairs[j - 1, 1]
            measures[j] = measures[j - 1]
            j -= 1
        pairs[j, 1] = b
        measures[j] = v


cdef int sort_row(int64_t[:, ::1] pairs, double[::1] measures, Py_ssize_t start,
                  Py_ssize_t stop) noexcept nogil:
    """0, NO_MEMORY or INTERRUPTED."""
    cdef Py_ssize_t m = stop - start, k
    cdef Keyed* keyed = <Keyed*> malloc(2 * <size_t> m * sizeof(Keyed))
    cdef double* moved = <double*> malloc(<size_t> m * sizeof(double))
    cdef int status = NO_MEMORY
    if keyed != NULL and moved != NULL:
        for k in range(m):
            keyed[k].key = <uint64_t> pairs[start + k, 1]
            keyed[k].item = <index_t> k
            moved[k] = measures[start + k]
        status = sort_keyed(keyed, keyed + m, m, 32)
        for k in range(m):
            pairs[start + k, 1] = <int64_t> keyed[k].key
            measures[start + k] = moved[keyed[k].item]
    free(keyed)
    free(moved)
    return status
