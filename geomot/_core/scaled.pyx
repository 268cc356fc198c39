"""Sites and weights as kernels see them: scaled by a power of two, in the order of the curve."""

import numpy as np

from libc.stdint cimport int64_t, uint8_t

from geomot._core.predicates cimport two_sum
from geomot._core.types cimport index_t

_LARGEST_WEIGHT = 2.0**800


def flushed(x, double least):
    """x with entries below `least` in magnitude replaced by zero."""
    x[np.abs(x) < least] = 0.0
    return x


def write_weights(
        double[:, :] pair, const index_t[::1] perm, weights, low, int exponent, double least):
    """Write weights hi (and lo), scaled, sorted and normalised, into two columns for each site."""
    cdef Py_ssize_t k, n = perm.shape[0]
    cdef const double[::1] hi = flushed(
        np.ldexp(np.asarray(weights, dtype=np.float64), exponent), least)
    cdef const double[::1] lo
    if hi.shape[0] != n:
        raise ValueError(f"weights must have shape ({n},), got ({hi.shape[0]},)")
    if np.abs(hi).max() > _LARGEST_WEIGHT:
        raise ValueError("weights must not exceed 2^800 times the largest coordinate squared")
    if low is None:
        for k in range(n):
            pair[k, 0] = hi[perm[k]]
            pair[k, 1] = 0.0
        return
    lo = flushed(np.ldexp(np.asarray(low, dtype=np.float64), exponent), least)
    if lo.shape[0] != n:
        raise ValueError(f"weights_low must have shape ({n},), got ({lo.shape[0]},)")
    for k in range(n):
        two_sum(hi[perm[k]], lo[perm[k]], &pair[k, 0], &pair[k, 1])


def owners(order, const int64_t[::1] twins, const int64_t[::1] starts, const double[:, :] pair):
    """Insertion order without the coincident sites that lose their place to a twin.

    Of the groups ``twins[starts[g]:starts[g + 1]]`` the heaviest site stays, of equal ones the
    first."""
    cdef Py_ssize_t g, k
    cdef int64_t best, twin
    cdef uint8_t[::1] keep
    if twins.shape[0] == 0:
        return order
    keep = np.ones(pair.shape[0], dtype=np.uint8)
    with nogil:
        for g in range(starts.shape[0] - 1):
            best = twins[starts[g]]
            for k in range(starts[g] + 1, starts[g + 1]):
                twin = twins[k]
                if (pair[twin, 0] > pair[best, 0]
                        or (pair[twin, 0] == pair[best, 0] and pair[twin, 1] > pair[best, 1])):
                    keep[best] = 0
                    best = twin
                else:
                    keep[twin] = 0
    return order[np.asarray(keep).view(bool)[order]]
