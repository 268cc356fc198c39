"""Orders of points: along a Hilbert curve, by place, and the one in which sites are inserted.

Everything rests on one stable radix sort of integer keys, linear and open to Ctrl-C.
"""

import numpy as np

from libc.math cimport frexp, ldexp
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from geomot._core.interrupt cimport interrupted, raise_pending
from geomot._core.status cimport INTERRUPTED
from geomot._core.types cimport index_t

cdef enum:
    HILBERT_BITS = 21       # per axis
    BRIO_LEVELS = 8
    DIGIT = 11              # bits of a radix pass
    BUCKETS = 2048
    MAX_PASSES = 6
    FEW = 64                # pairs that insertion sorts faster
    PERIOD = 262144         # points between two looks for Ctrl-C (about 10 ms)

# ---- sorting ----

cdef int sort_keyed(Keyed* pairs, Keyed* spare, Py_ssize_t n, int bits) noexcept nogil:
    """Sort n pairs by the lowest `bits` bits of their keys, stably; 0, or INTERRUPTED.

    `spare` has room for as many; digits that all keys share cost no pass."""
    cdef uint32_t[MAX_PASSES][BUCKETS] count
    cdef Py_ssize_t k, j
    cdef uint32_t at, total, size
    cdef int passes = (bits + DIGIT - 1) // DIGIT, p, digit
    cdef Keyed* source = pairs
    cdef Keyed* target = spare
    cdef Keyed* swap
    cdef Keyed pair
    if n <= FEW:
        for k in range(1, n):
            pair = pairs[k]
            j = k
            while j > 0 and pairs[j - 1].key > pair.key:
                pairs[j] = pairs[j - 1]
                j -= 1
            pairs[j] = pair
        return 0
    for p in range(passes):
        for digit in range(BUCKETS):
            count[p][digit] = 0
    for k in range(n):
        for p in range(passes):
            count[p][(pairs[k].key >> (DIGIT * p)) & (BUCKETS - 1)] += 1
    for p in range(passes):
        if count[p][(pairs[0].key >> (DIGIT * p)) & (BUCKETS - 1)] == n:
            continue
        total = 0
        for digit in range(BUCKETS):
            size = count[p][digit]
            count[p][digit] = total
            total += size
        for k in range(n):
            if k % PERIOD == PERIOD - 1 and interrupted():
                return INTERRUPTED
            digit = <int> ((source[k].key >> (DIGIT * p)) & (BUCKETS - 1))
            at = count[p][digit]
            count[p][digit] = at + 1
            target[at] = source[k]
        swap = source
        source = target
        target = swap
    if source != pairs:
        memcpy(pairs, source, <size_t> n * sizeof(Keyed))
    return 0


def _sorted_by(const uint64_t[::1] keys, int bits):
    """Stable order (n,) of keys, and the keys in that order."""
    cdef Py_ssize_t n = keys.shape[0], k
    cdef int64_t[::1] order = np.empty(n, dtype=np.int64)
    cdef uint64_t[::1] ordered = np.empty(n, dtype=np.uint64)
    cdef Keyed* pairs = <Keyed*> malloc((2 * <size_t> n + 1) * sizeof(Keyed))
    cdef int status
    if pairs == NULL:
        raise MemoryError
    with nogil:
        for k in range(n):
            pairs[k].key = keys[k]
            pairs[k].item = <index_t> k
        status = sort_keyed(pairs, pairs + n, n, bits)
        for k in range(n):
            order[k] = pairs[k].item
            ordered[k] = pairs[k].key
        free(pairs)
    if status == INTERRUPTED:
        raise_pending()
    return np.asarray(order), np.asarray(ordered)


def _as_keys(x):
    """Integers (n,) in the order of finite doubles, 64 bits; equal for -0.0 and 0.0."""
    bits = (np.ascontiguousarray(x) + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits < sign, bits | sign, ~bits)


# ---- along a curve ----

# Hilbert curve: state * 4 + (x bit * 2 + y bit) -> next state * 4 + position on the curve
cdef uint8_t[16] HILBERT = [
    1 * 4 + 0, 0 * 4 + 1, 3 * 4 + 3, 0 * 4 + 2,
    0 * 4 + 0, 2 * 4 + 3, 1 * 4 + 1, 1 * 4 + 2,
    2 * 4 + 2, 1 * 4 + 3, 2 * 4 + 1, 3 * 4 + 0,
    3 * 4 + 2, 3 * 4 + 1, 0 * 4 + 3, 2 * 4 + 0,
]


def _hilbert_keys(const double[:, ::1] points, double x0, double y0, double scale):
    """Position of each point along the Hilbert curve of a 2^21 x 2^21 grid, uint64 (n,)."""
    cdef Py_ssize_t n = points.shape[0], k
    cdef uint64_t[::1] keys = np.empty(n, dtype=np.uint64)
    cdef uint64_t x, y, key, top = (1 << HILBERT_BITS) - 1
    cdef double u, v
    cdef int bit, state, entry, status = 0
    with nogil:
        for k in range(n):
            if k % PERIOD == PERIOD - 1 and interrupted():
                status = INTERRUPTED
                break
            u = (points[k, 0] - x0) * scale
            v = (points[k, 1] - y0) * scale
            x = <uint64_t> u if u > 0.0 else 0
            y = <uint64_t> v if v > 0.0 else 0
            x = min(x, top)
            y = min(y, top)
            key = 0
            state = 0
            for bit in range(HILBERT_BITS - 1, -1, -1):
                entry = HILBERT[state * 4 + (((x >> bit) & 1) << 1 | ((y >> bit) & 1))]
                key = (key << 2) | (entry & 3)
                state = entry >> 2
            keys[k] = key
    if status == INTERRUPTED:
        raise_pending()
    return np.asarray(keys)


def hilbert_order(points):
    """Permutation (n,) along a Hilbert curve, and the sorted keys: equal where points share a cell.

    Ties keep the order of indices.  Where many points share a cell of the grid (clusters far
    smaller than the whole), the curve is laid over the ranks of the coordinates instead."""
    order, keys = _along_curve(points)
    shared = np.count_nonzero(keys[1:] == keys[:-1])
    if shared > len(points) // 16:
        order, keys = _along_curve(np.column_stack([_ranks(x) for x in points.T]))
    return order, keys


def _along_curve(points):
    lower = points.min(axis=0)
    extent = float((points.max(axis=0) - lower).max())
    # a power of two, so that scaled input gets the same keys
    scale = ldexp(1.0, HILBERT_BITS - exponent_of(extent)) if extent > 0.0 else 0.0
    return _sorted_by(_hilbert_keys(points, lower[0], lower[1], scale), 2 * HILBERT_BITS)


def _ranks(x):
    """Rank of each number (n,) among the different ones, as doubles."""
    order, keys = _sorted_by(_as_keys(x), 64)
    ranks = np.zeros(len(x))
    ranks[order[1:]] = np.cumsum(keys[1:] != keys[:-1])
    return ranks


cpdef int exponent_of(double x) noexcept:
    """The least e with |x| < 2^e."""
    cdef int e = 0
    frexp(x, &e)
    return e


# ---- by place ----

def coincident(points, keys):
    """Groups of coincident points among points sorted along the curve.

    Returns (members, starts): positions grouped by location, groups of two or more only, each in
    increasing position."""
    same = keys[1:] == keys[:-1]
    if not same.any():
        return np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    suspect = np.zeros(len(points), dtype=bool)
    suspect[1:] = same
    suspect[:-1] |= same
    suspects = np.flatnonzero(suspect)
    for axis in (1, 0):
        suspects = suspects[_sorted_by(_as_keys(points[suspects, axis]), 64)[0]]
    place = points[suspects]
    fresh = np.ones(len(place) + 1, dtype=bool)
    fresh[1:-1] = (place[1:] != place[:-1]).any(axis=1)
    sizes = np.diff(np.flatnonzero(fresh))
    members = suspects[np.repeat(sizes > 1, sizes)]
    return members, np.cumsum(np.append(0, sizes[sizes > 1]))


# ---- for insertion ----

def insertion_order(Py_ssize_t n):
    """Biased randomised insertion order of n sites sorted along a curve.

    Level l holds about 3/4 of what levels 0..l leave to the levels above; high levels go first and
    each follows the curve (Amenta, Choi, Rote 2003)."""
    cdef index_t[::1] order = np.empty(n, dtype=np.int32)
    cdef uint8_t[::1] level = np.empty(n, dtype=np.uint8)
    cdef Py_ssize_t k, at = 0
    cdef uint64_t h
    cdef int lev
    with nogil:
        for k in range(n):
            h = mix(k)
            lev = 0
            while lev < BRIO_LEVELS and (h & 3) == 0:
                h >>= 2
                lev += 1
            level[k] = lev
        for lev in range(BRIO_LEVELS, -1, -1):
            for k in range(n):
                if level[k] == lev:
                    order[at] = <index_t> k
                    at += 1
    return np.asarray(order)
