"""Orders of points in the plane and in space: along a Hilbert curve, by place, for insertion.

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
    MAX_PASSES = 6          # 64 bits
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


cdef inline uint64_t on_grid(double x, double x0, double scale) noexcept nogil:
    """Number of the cell of the grid along one axis."""
    cdef double u = (x - x0) * scale
    cdef uint64_t top = (1 << HILBERT_BITS) - 1
    return min(<uint64_t> u, top) if u > 0.0 else 0


cdef inline uint64_t key_in_plane(uint64_t x, uint64_t y) noexcept nogil:
    cdef uint64_t key = 0
    cdef int bit, state = 0, entry
    for bit in range(HILBERT_BITS - 1, -1, -1):
        entry = HILBERT[state * 4 + (((x >> bit) & 1) << 1 | ((y >> bit) & 1))]
        key = (key << 2) | (entry & 3)
        state = entry >> 2
    return key


cdef inline uint64_t key_in_space(uint64_t x, uint64_t y, uint64_t z) noexcept nogil:
    """Position along the curve from the transposed form (Skilling 2004)."""
    cdef uint64_t[3] t
    cdef uint64_t q, p, swap, key = 0
    cdef int k, bit
    t[0] = x
    t[1] = y
    t[2] = z
    q = 1 << (HILBERT_BITS - 1)
    while q > 1:
        p = q - 1
        for k in range(3):
            if t[k] & q:
                t[0] ^= p
            else:
                swap = (t[0] ^ t[k]) & p
                t[0] ^= swap
                t[k] ^= swap
        q >>= 1
    t[1] ^= t[0]
    t[2] ^= t[1]
    swap = 0
    q = 1 << (HILBERT_BITS - 1)
    while q > 1:
        if t[2] & q:
            swap ^= q - 1
        q >>= 1
    for bit in range(HILBERT_BITS - 1, -1, -1):
        for k in range(3):
            key = (key << 1) | (((t[k] ^ swap) >> bit) & 1)
    return key


def _hilbert_keys(const double[:, ::1] points, const double[::1] lower, double scale):
    """Position of each point along the Hilbert curve of a grid of 2^21 cells an axis, uint64 (n,).

    Points have two or three coordinates."""
    cdef Py_ssize_t n = points.shape[0], k
    cdef uint64_t[::1] keys = np.empty(n, dtype=np.uint64)
    cdef uint64_t x, y, z
    cdef bint space = points.shape[1] == 3
    cdef int status = 0
    with nogil:
        for k in range(n):
            if k % PERIOD == PERIOD - 1 and interrupted():
                status = INTERRUPTED
                break
            x = on_grid(points[k, 0], lower[0], scale)
            y = on_grid(points[k, 1], lower[1], scale)
            if space:
                z = on_grid(points[k, 2], lower[2], scale)
                keys[k] = key_in_space(x, y, z)
            else:
                keys[k] = key_in_plane(x, y)
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
    keys = _hilbert_keys(points, lower, scale)
    return _sorted_by(keys, points.shape[1] * HILBERT_BITS)


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
    for axis in range(points.shape[1] - 1, -1, -1):
        suspects = suspects[_sorted_by(_as_keys(points[suspects, axis]), 64)[0]]
    place = points[suspects]
    fresh = np.ones(len(place) + 1, dtype=bool)
    fresh[1:-1] = (place[1:] != place[:-1]).any(axis=1)
    sizes = np.diff(np.flatnonzero(fresh))
    members = suspects[np.repeat(sizes > 1, sizes)]
    return members, np.cumsum(np.append(0, sizes[sizes > 1]))


# ---- for insertion ----

def insertion_order(Py_ssize_t n, int bits=2):
    """Biased randomised insertion order of n sites sorted along a curve.

    Level l holds all but about 2^-bits of what levels 0..l-1 leave; high levels go first and each
    follows the curve (Amenta, Choi, Rote 2003)."""
    cdef index_t[::1] order = np.empty(n, dtype=np.int32)
    cdef uint8_t[::1] level = np.empty(n, dtype=np.uint8)
    cdef Py_ssize_t k, at = 0
    cdef uint64_t h, mask = (1 << bits) - 1
    cdef int lev
    with nogil:
        for k in range(n):
            h = mix(k)
            lev = 0
            while lev < BRIO_LEVELS and (h & mask) == 0:
                h >>= bits
                lev += 1
            level[k] = lev
        for lev in range(BRIO_LEVELS, -1, -1):
            for k in range(n):
                if level[k] == lev:
                    order[at] = <index_t> k
                    at += 1
    return np.asarray(order)
