"""The largest entries of each row of a table, in order.

A row is scanned once against the least of the k entries kept so far; few entries pass, about
k log(n / k) of n in random order, and are inserted into a sorted list. The scan itself goes over
blocks of entries whose maximum is compared first, which compilers turn into vector code.
"""

import numpy as np

cdef enum:
    BLOCK = 32


def largest(const float[:, ::1] table, Py_ssize_t k):
    """Return the k largest entries of each row, in descending order; of equals the first.

    Parameters
    ----------
    table : (m, n) array of float32
        Finite numbers or infinities.
    k : int
        Between 1 and n.

    Returns
    -------
    indices : (m, k) array of int32
    values : (m, k) array of float32
    """
    cdef Py_ssize_t m = table.shape[0], n = table.shape[1], row
    if not 1 <= k <= n:
        raise ValueError(f"k must lie between 1 and {n}, got {k}")
    indices = np.empty((m, k), dtype=np.int32)
    values = np.empty((m, k), dtype=np.float32)
    cdef int[:, ::1] out = indices
    cdef float[:, ::1] kept = values
    with nogil:
        for row in range(m):
            _largest_of_row(&table[row, 0], n, &out[row, 0], &kept[row, 0], k)
    return indices, values


cdef void _largest_of_row(const float *row, Py_ssize_t n, int *indices, float *values,
                          Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t i, start, stop
    cdef float most
    for i in range(k):
        _insert(indices, values, i, row[i], i)
    start = k
    while start < n:
        stop = min(start + BLOCK, n)
        most = row[start]
        for i in range(start + 1, stop):
            most = row[i] if row[i] > most else most
        if most > values[k - 1]:
            for i in range(start, stop):
                if row[i] > values[k - 1]:
                    _insert(indices, values, k - 1, row[i], i)
        start = stop


cdef void _insert(int *indices, float *values, Py_ssize_t last, float value,
                  Py_ssize_t index) noexcept nogil:
    """Put an entry into a sorted list of `last` ones, behind its equals; place `last` is free."""
    cdef Py_ssize_t place = last
    while place > 0 and values[place - 1] < value:
        values[place] = values[place - 1]
        indices[place] = indices[place - 1]
        place -= 1
    values[place] = value
    indices[place] = <int> index
