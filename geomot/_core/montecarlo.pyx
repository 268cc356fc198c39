"""Assignment of samples to sites by the largest score <x, y_i> + h_i, with the runner-up.

The arithmetic is float32 and the kernel C (src/argmax.h); here are arrays, threads and errors.
`PointScores` takes any points. `PairScores` takes product groups: 16 left halves and 16 right
halves of points stand for all their 256 combinations, so that a pair of a point and a site costs an
addition and a maximum whatever the dimension.
"""

import numpy as np

from libc.stdint cimport int32_t

from geomot._threads import run_chunks

cdef extern from "src/argmax.h" nogil:
    enum:
        TILE
        BLOCK
        SIDE
    void argmax_pack(const float* sites, Py_ssize_t n, Py_ssize_t d, Py_ssize_t begin,
                     Py_ssize_t end, float* tiles)
    int argmax_points(const float* points, Py_ssize_t m, Py_ssize_t d, const float* tiles,
                      const float* heights, Py_ssize_t n, int32_t* first, float* best,
                      int32_t* second, float* runner)
    int argmax_pairs(const float* left, const float* right, Py_ssize_t groups, Py_ssize_t dl,
                     Py_ssize_t dr, const float* left_tiles, const float* right_tiles,
                     const float* heights, Py_ssize_t n, int32_t* first, float* best,
                     int32_t* second, float* runner)
    const char* argmax_instructions()
    bint argmax_use(const char* instructions)

cdef enum:
    POINTS_CHUNK = 512      # samples a thread takes at once; never depends on the thread count
    GROUPS_CHUNK = 2

GROUP_SIDE = SIDE


def instructions():
    """Name of the instruction set in use."""
    return argmax_instructions().decode()


def use_instructions(name):
    """Use the named instruction set from now on: for tests of what other machines compute."""
    if not argmax_use(name.encode()):
        raise ValueError(f"name must be an instruction set of this machine, got {name!r}")


cdef class Winners:
    """Best and second-best site of each sample, and their scores.

    first, second : (m,) int32; best, runner : (m,) float32. `second` and `runner` are None where
    they were not asked for; second is -1 and runner -inf if there is one site only.
    """
    cdef readonly object first, best, second, runner

    def __init__(self, Py_ssize_t m, bint runner):
        self.first = np.empty(m, dtype=np.int32)
        self.best = np.empty(m, dtype=np.float32)
        self.second = np.empty(m, dtype=np.int32) if runner else None
        self.runner = np.empty(m, dtype=np.float32) if runner else None


cdef _tiles(const float[:, ::1] sites, Py_ssize_t begin, Py_ssize_t end):
    cdef Py_ssize_t n = sites.shape[0], d = sites.shape[1]
    cdef float[::1] tiles = np.empty((n + BLOCK - 1) // BLOCK * BLOCK * max(end - begin, 1),
                                     dtype=np.float32)
    with nogil:
        argmax_pack(&sites[0, 0], n, d, begin, end, &tiles[0])
    return np.asarray(tiles)


cdef _padded(heights, Py_ssize_t n):
    if np.shape(heights) != (n,):
        raise ValueError(f"heights must have shape ({n},), got {np.shape(heights)}")
    padded = np.full((n + BLOCK - 1) // BLOCK * BLOCK, -np.inf, dtype=np.float32)
    padded[:n] = heights
    return padded


cdef class PointScores:
    """Sites (n, d), float32, for samples given one by one."""
    cdef readonly Py_ssize_t n, dim
    cdef float[::1] tiles

    def __init__(self, sites):
        sites = np.ascontiguousarray(sites, dtype=np.float32)
        self.n, self.dim = sites.shape
        self.tiles = _tiles(sites, 0, self.dim)

    def winners(self, points, heights, *, bint runner=False, threads=1):
        """Winners of points (m, d) under heights (n,), both rounded to float32."""
        cdef const float[:, ::1] x = np.ascontiguousarray(points, dtype=np.float32)
        cdef const float[::1] h = _padded(heights, self.n)
        cdef Py_ssize_t m = x.shape[0]
        if x.shape[1] != self.dim:
            raise ValueError(f"points must have shape (m, {self.dim}), got {np.shape(points)}")
        result = Winners(m, runner)
        run_chunks(lambda chunk: self._chunk(x, h, result, chunk * POINTS_CHUNK),
                   (m + POINTS_CHUNK - 1) // POINTS_CHUNK, threads)
        return result

    def _chunk(self, const float[:, ::1] x, const float[::1] h, Winners out, Py_ssize_t start):
        cdef int32_t[::1] first = out.first, second = out.second
        cdef float[::1] best = out.best, runner = out.runner
        cdef bint both = second is not None
        cdef Py_ssize_t count = min(POINTS_CHUNK, x.shape[0] - start)
        cdef int status
        with nogil:
            status = argmax_points(
                &x[start, 0], count, self.dim, &self.tiles[0], &h[0], self.n, &first[start],
                &best[start], &second[start] if both else NULL, &runner[start] if both else NULL)
        if status != 0:
            raise MemoryError("no memory for the maxima of a panel of sites")


cdef class PairScores:
    """Sites (n, d), float32, for product groups: the first `split` coordinates are the left."""
    cdef readonly Py_ssize_t n, dim, split
    cdef float[::1] left_tiles, right_tiles

    def __init__(self, sites, Py_ssize_t split):
        sites = np.ascontiguousarray(sites, dtype=np.float32)
        self.n, self.dim = sites.shape
        if not 0 < split < self.dim:
            raise ValueError(f"split must lie between 1 and {self.dim - 1}, got {split}")
        self.split = split
        self.left_tiles = _tiles(sites, 0, split)
        self.right_tiles = _tiles(sites, split, self.dim)

    def winners(self, left, right, heights, *, bint runner=False, threads=1):
        """Winners of all pairs in each group, (groups * 256,), the left half's index first.

        left (groups, 16, split) and right (groups, 16, d - split) are the halves of the points."""
        left = np.ascontiguousarray(left, dtype=np.float32)
        right = np.ascontiguousarray(right, dtype=np.float32)
        for name, half, d in (("left", left, self.split), ("right", right, self.dim - self.split)):
            if half.shape != (len(left), SIDE, d):
                raise ValueError(
                    f"{name} must have shape (groups, {SIDE}, {d}), got {half.shape}")
        cdef const float[:, :, ::1] a = left, b = right
        cdef const float[::1] h = _padded(heights, self.n)
        cdef Py_ssize_t groups = a.shape[0]
        result = Winners(groups * SIDE * SIDE, runner)
        run_chunks(lambda chunk: self._chunk(a, b, h, result, chunk * GROUPS_CHUNK),
                   (groups + GROUPS_CHUNK - 1) // GROUPS_CHUNK, threads)
        return result

    def _chunk(self, const float[:, :, ::1] a, const float[:, :, ::1] b, const float[::1] h,
               Winners out, Py_ssize_t start):
        cdef int32_t[::1] first = out.first, second = out.second
        cdef float[::1] best = out.best, runner = out.runner
        cdef bint both = second is not None
        cdef Py_ssize_t count = min(GROUPS_CHUNK, a.shape[0] - start), at = start * SIDE * SIDE
        cdef int status
        with nogil:
            status = argmax_pairs(
                &a[start, 0, 0], &b[start, 0, 0], count, self.split, self.dim - self.split,
                &self.left_tiles[0], &self.right_tiles[0], &h[0], self.n, &first[at], &best[at],
                &second[at] if both else NULL, &runner[at] if both else NULL)
        if status != 0:
            raise MemoryError("no memory for the scores of a panel of sites")


# ---- means of cells ----

def add_points(const float[:, ::1] points, const int32_t[::1] labels, double[:, ::1] sums):
    """Add each point (m, d) to the row of its label, sums (n, d) INOUT."""
    cdef Py_ssize_t m = points.shape[0], d = points.shape[1], k, q
    cdef double* row
    with nogil:
        for q in range(m):
            row = &sums[labels[q], 0]
            for k in range(d):
                row[k] += points[q, k]
