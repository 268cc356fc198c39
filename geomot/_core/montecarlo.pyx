"""Assignment of samples to sites by the largest score <x, y_i> + h_i, with the runner-up.

The arithmetic is float32 and the kernel C (src/argmax.h); here are arrays, threads and errors.
`PointScores` takes any points. `PairScores` takes product groups: 16 left halves and 16 right
halves of points stand for all their 256 combinations, so that a pair of a point and a site costs an
addition and a maximum whatever the dimension. `ExactScores` decides in float64 (src/assign.h).
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc

from geomot._threads import run_chunks

cdef extern from "src/argmax.h" nogil:
    enum:
        TILE
        BLOCK
        SIDE
        NEAR
        NEAR_DIMENSIONS
    void argmax_pack(const float* sites, Py_ssize_t n, Py_ssize_t d, Py_ssize_t begin,
                     Py_ssize_t end, float* tiles)
    int argmax_points(const float* points, Py_ssize_t m, Py_ssize_t d, const float* tiles,
                      const float* heights, Py_ssize_t n, const float* lead, int32_t* first,
                      float* best, int32_t* second, float* runner)
    int argmax_near(const float* points, Py_ssize_t m, Py_ssize_t d, const float* tiles,
                    const float* heights, Py_ssize_t n, const float* boxes, const float* rows,
                    Py_ssize_t n_rows, float slack, const float* lead, int32_t* first, float* best,
                    int32_t* second, float* runner)
    int argmax_pairs(const float* left, const float* right, Py_ssize_t groups, Py_ssize_t dl,
                     Py_ssize_t dr, const float* left_tiles, const float* right_tiles,
                     const float* heights, Py_ssize_t n, const float* lead, int32_t* first,
                     float* best, int32_t* second, float* runner)
    const char* argmax_instructions()
    bint argmax_use(const char* instructions)

cdef extern from "src/assign.h" nogil:
    enum:
        GROUPS
        GROUP_SITES
    ctypedef struct AssignSites:
        Py_ssize_t n, d
        const double* centre
        double factor
        const float* tiles
        const float* heights
        const float* reach
        const double* groups
        const double* group_heights
        const int32_t* order
        const float* boxes
        const float* rows
        Py_ssize_t n_rows
        double longest, weight
    ctypedef struct Contest:
        pass
    void assign_start(const AssignSites* sites, const double* points, Py_ssize_t m,
                      Contest* contests)
    int assign_tiles(const AssignSites* sites, const double* points, Py_ssize_t m,
                     Py_ssize_t begin, Py_ssize_t end, Contest* contests)
    int assign_near(const AssignSites* sites, const double* points, Py_ssize_t m,
                    Contest* contests)
    int assign_finish(const AssignSites* sites, const double* points, Py_ssize_t m,
                      Contest* contests, int64_t* labels)

cdef enum:
    POINTS_CHUNK = 512      # samples a thread takes at once; never depends on the thread count
    GROUPS_CHUNK = 4
    CACHE_LINE = 64
    WORK = 1 << 28          # products of coordinates between two looks for an interrupt

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
    they were not asked for; second is -1 and runner -inf if there is one site only. If a lead was
    asked for, `second` is None, and best - runner is at most the lead where that of the winner is.
    """
    cdef readonly object first, best, second, runner
    cdef const float[::1] lead

    def __init__(self, Py_ssize_t m, bint runner, lead):
        self.first = np.empty(m, dtype=np.int32)
        self.best = np.empty(m, dtype=np.float32)
        self.second = np.empty(m, dtype=np.int32) if runner else None
        self.runner = np.empty(m, dtype=np.float32) if runner or lead is not None else None
        if lead is not None:
            self.lead = np.ascontiguousarray(lead, dtype=np.float32)
            if self.lead.shape[0] != m:
                raise ValueError(f"lead must have shape ({m},), got {np.shape(lead)}")

    def renumber(self, order):
        """Replace the places of sites in an order by the sites."""
        order = np.append(order, -1).astype(np.int32)
        self.first = order[self.first]
        if self.second is not None:
            self.second = order[self.second]


def _aligned(shape, dtype):
    """Return an empty array that starts at a cache line, so that no vector lies in two of them."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + CACHE_LINE, dtype=np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start:start + size].view(dtype).reshape(shape)


cdef _tiles(const float[:, ::1] sites, Py_ssize_t begin, Py_ssize_t end):
    cdef Py_ssize_t n = sites.shape[0], d = sites.shape[1]
    cdef float[::1] tiles = _aligned(
        (n + BLOCK - 1) // BLOCK * BLOCK * max(end - begin, 1), np.float32)
    with nogil:
        argmax_pack(&sites[0, 0], n, d, begin, end, &tiles[0])
    return np.asarray(tiles)


cdef _padded(heights, Py_ssize_t n):
    if np.shape(heights) != (n,):
        raise ValueError(f"heights must have shape ({n},), got {np.shape(heights)}")
    padded = _aligned((n + BLOCK - 1) // BLOCK * BLOCK, np.float32)
    padded[:n] = heights
    padded[n:] = -np.inf
    return padded


cdef class PointScores:
    """Sites (n, d), float32, for samples given one by one."""
    cdef readonly Py_ssize_t n, dim
    cdef float[::1] tiles

    def __init__(self, sites):
        sites = np.ascontiguousarray(sites, dtype=np.float32)
        self.n, self.dim = sites.shape
        self.tiles = _tiles(sites, 0, self.dim)

    def winners(self, points, heights, *, bint runner=False, lead=None, threads=1):
        """Winners of points (m, d) under heights (n,), both rounded to float32.

        With `runner` also the runners-up; with `lead` (m,) only whether they are that close."""
        cdef const float[:, ::1] x = np.ascontiguousarray(points, dtype=np.float32)
        cdef const float[::1] h = _padded(heights, self.n)
        cdef Py_ssize_t m = x.shape[0]
        if x.shape[1] != self.dim:
            raise ValueError(f"points must have shape (m, {self.dim}), got {np.shape(points)}")
        result = Winners(m, runner, lead)
        run_chunks(lambda chunk: self._chunk(x, h, result, chunk * POINTS_CHUNK),
                   (m + POINTS_CHUNK - 1) // POINTS_CHUNK, threads)
        return result

    def _chunk(self, const float[:, ::1] x, const float[::1] h, Winners out, Py_ssize_t start):
        cdef int32_t[::1] first = out.first, second = out.second
        cdef float[::1] best = out.best, runner = out.runner
        cdef bint both = second is not None, some = runner is not None
        cdef const float* lead = NULL
        cdef Py_ssize_t count = min(POINTS_CHUNK, x.shape[0] - start)
        cdef int status
        if some and not both:
            lead = &out.lead[start]
        with nogil:
            status = argmax_points(
                &x[start, 0], count, self.dim, &self.tiles[0], &h[0], self.n, lead,
                &first[start], &best[start], &second[start] if both else NULL,
                &runner[start] if some else NULL)
        if status != 0:
            raise MemoryError("no memory for the maxima of a panel of sites")


cdef class NearScores:
    """Sites (n, d), float32, few coordinates, for samples given one by one; see argmax_near.

    Samples skip tiles of 64 sites, and rows of 16 tiles, that cannot hold their winner or
    runner-up. The same winners as from PointScores, but for ties: those go to the tile that is met
    first."""
    cdef readonly Py_ssize_t n, dim
    cdef Boxes boxes
    cdef float[::1] tiles

    def __init__(self, sites):
        sites = np.ascontiguousarray(sites, dtype=np.float32)
        self.n, self.dim = sites.shape
        self.boxes = Boxes(sites)
        self.tiles = _tiles(sites[self.boxes.order], 0, self.dim)

    def winners(self, points, heights, *, bint runner=False, lead=None, threads=1):
        """Winners of points (m, d) under heights (n,), both rounded to float32.

        With `runner` also the runners-up; with `lead` (m,) only whether they are that close."""
        cdef const float[:, ::1] x = np.ascontiguousarray(points, dtype=np.float32)
        cdef Py_ssize_t m = x.shape[0]
        if x.shape[1] != self.dim:
            raise ValueError(f"points must have shape (m, {self.dim}), got {np.shape(points)}")
        if np.shape(heights) != (self.n,):
            raise ValueError(f"heights must have shape ({self.n},), got {np.shape(heights)}")
        cdef const float[::1] h = self.boxes.padded(heights), inner, around
        inner, around, most = self.boxes.under(h)
        # Squared distances, weights and scores are sums of d terms below (|x| + |y|)^2 and |h|.
        longest = float(np.sqrt(np.einsum("mk,mk->m", points, points).max())) if m else 0.0
        size = 2.0 * (longest + self.boxes.reach) ** 2 + abs(most)
        cdef float slack = (self.dim + 4) * 2.0**-21 * size
        result = Winners(m, runner, lead)
        run_chunks(lambda chunk: self._chunk(x, h, inner, around, slack, result,
                                             chunk * POINTS_CHUNK),
                   (m + POINTS_CHUNK - 1) // POINTS_CHUNK, threads)
        result.renumber(self.boxes.order)
        return result

    def _chunk(self, const float[:, ::1] x, const float[::1] h, const float[::1] boxes,
               const float[::1] rows, float slack, Winners out, Py_ssize_t start):
        cdef int32_t[::1] first = out.first, second = out.second
        cdef float[::1] best = out.best, runner = out.runner
        cdef bint both = second is not None, some = runner is not None
        cdef const float* lead = NULL
        cdef Py_ssize_t count = min(POINTS_CHUNK, x.shape[0] - start)
        cdef int status
        if some and not both:
            lead = &out.lead[start]
        with nogil:
            status = argmax_near(
                &x[start, 0], count, self.dim, &self.tiles[0], &h[0], self.n, &boxes[0], &rows[0],
                self.boxes.n_rows, slack, lead, &first[start], &best[start],
                &second[start] if both else NULL, &runner[start] if some else NULL)
        if status != 0:
            raise MemoryError("no memory for the bounds of all rows of tiles")


cdef class Boxes:
    """Bounding boxes of tiles of 64 sites, and of rows of 16 tiles, of sites (n, d) in float32.

    Sites stand in the order of a tree that halves them across their widest extent."""
    cdef readonly Py_ssize_t n, dim, n_rows
    cdef readonly object order
    cdef readonly double reach
    cdef object squares, lower, upper

    def __init__(self, sites):
        self.n, self.dim = sites.shape
        if self.dim > NEAR_DIMENSIONS:
            raise ValueError(f"sites must have at most {NEAR_DIMENSIONS} columns, got {self.dim}")
        self.order = _tree_order(sites)
        sites = sites[self.order]
        self.squares = np.einsum("nk,nk->n", sites, sites, dtype=np.float64)
        self.reach = np.sqrt(self.squares.max())
        # rows of tiles, and their number, whole multiples of NEAR; repeated sites change no box
        rows = (self.n + NEAR * TILE - 1) // (NEAR * TILE)
        self.n_rows = (rows + NEAR - 1) // NEAR * NEAR
        filled = sites[np.minimum(np.arange(rows * NEAR * TILE), self.n - 1)]
        tiles = filled.reshape(rows, NEAR, TILE, self.dim)
        self.lower, self.upper = tiles.min(axis=2), tiles.max(axis=2)

    def padded(self, heights):
        """Heights (n,) in the order of the tree, float32, as many as whole rows take."""
        out = _aligned(len(self.lower) * NEAR * TILE, np.float32)
        out[:self.n] = np.asarray(heights)[self.order]
        out[self.n:] = -np.inf
        return out

    def under(self, heights):
        """Boxes of tiles and of rows under padded heights, and the largest weight of all."""
        cdef Py_ssize_t d = self.dim, rows = len(self.lower)
        weights = 2.0 * np.asarray(heights, dtype=np.float64)
        weights[:self.n] += self.squares
        weights = weights.reshape(rows, NEAR, TILE).max(axis=2)
        tiles = np.concatenate(
            [self.lower.swapaxes(1, 2), self.upper.swapaxes(1, 2), weights[:, None]], axis=1)
        around = np.full((2 * d + 1, self.n_rows), -np.inf, dtype=np.float32)
        around[:2 * d] = 0.0
        around[:d, :rows] = self.lower.min(axis=1).T
        around[d:2 * d, :rows] = self.upper.max(axis=1).T
        around[2 * d, :rows] = weights.max(axis=1)
        inner = np.ascontiguousarray(tiles, dtype=np.float32)
        return inner.ravel(), around.ravel(), float(weights.max())


def _tree_order(sites):
    """Order of sites in which tiles, and rows of NEAR tiles, are compact."""
    order = np.arange(len(sites))
    pending = [(0, len(sites))]
    while pending:
        start, stop = pending.pop()
        count = stop - start
        if count <= TILE:
            continue
        grain = NEAR * TILE if count > NEAR * TILE else TILE
        half = (count + 2 * grain - 1) // (2 * grain) * grain
        part = order[start:stop]
        own = sites[part]
        axis = int(np.argmax(own.max(axis=0) - own.min(axis=0)))
        order[start:stop] = part[np.argpartition(own[:, axis], half)]
        pending += [(start, start + half), (start + half, stop)]
    return order


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

    def winners(self, left, right, heights, *, bint runner=False, lead=None, threads=1):
        """Winners of all pairs in each group, (groups * 256,), the left half's index first.

        With `runner` also the runners-up; with `lead` (m,) only whether they are that close.
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
        result = Winners(groups * SIDE * SIDE, runner, lead)
        run_chunks(lambda chunk: self._chunk(a, b, h, result, chunk * GROUPS_CHUNK),
                   (groups + GROUPS_CHUNK - 1) // GROUPS_CHUNK, threads)
        return result

    def _chunk(self, const float[:, :, ::1] a, const float[:, :, ::1] b, const float[::1] h,
               Winners out, Py_ssize_t start):
        cdef int32_t[::1] first = out.first, second = out.second
        cdef float[::1] best = out.best, runner = out.runner
        cdef bint both = second is not None, some = runner is not None
        cdef const float* lead = NULL
        cdef Py_ssize_t count = min(GROUPS_CHUNK, a.shape[0] - start), at = start * SIDE * SIDE
        cdef int status
        if some and not both:
            lead = &out.lead[start * SIDE * SIDE]
        with nogil:
            status = argmax_pairs(
                &a[start, 0, 0], &b[start, 0, 0], count, self.split, self.dim - self.split,
                &self.left_tiles[0], &self.right_tiles[0], &h[0], self.n, lead, &first[at],
                &best[at], &second[at] if both else NULL, &runner[at] if some else NULL)
        if status != 0:
            raise MemoryError("no memory for the scores of a panel of sites")


# ---- decisions in float64 ----

cdef class ExactSites:
    """Sites (n, d), float64, none of their coordinates larger than 1, packed for ExactScores."""
    cdef readonly Py_ssize_t n, dim, n_tiles
    cdef Boxes boxes        # of few coordinates and many sites
    cdef object order
    cdef float[::1] tiles, reach
    cdef double[::1] groups
    cdef readonly double longest

    def __init__(self, sites, bint near=False):
        cdef Py_ssize_t t, step
        sites = np.ascontiguousarray(sites, dtype=np.float64)
        self.n, self.dim = sites.shape
        self.n_tiles = (self.n + TILE - 1) // TILE
        self.boxes = Boxes(sites.astype(np.float32)) if near else None
        self.order = self.boxes.order.astype(np.int32) if near else None
        ordered = sites if self.order is None else sites[self.order]
        self.tiles = _tiles(ordered.astype(np.float32), 0, self.dim)
        lengths = np.zeros(self.n_tiles * TILE)
        lengths[:self.n] = np.sqrt(np.einsum("nk,nk->n", ordered, ordered))
        self.longest = lengths.max()
        reach = lengths.reshape(-1, TILE).max(axis=1).astype(np.float32)
        self.reach = np.nextafter(reach, np.float32(np.inf))
        groups = _aligned((self.n_tiles, GROUPS, self.dim, GROUP_SITES), np.float64)
        step = max((1 << 20) // (TILE * self.dim), 1)
        for t in range(0, self.n_tiles, step):
            part = np.zeros((min(step, self.n_tiles - t) * TILE, self.dim))
            own = ordered[t * TILE:(t + step) * TILE]
            part[:len(own)] = own
            by_group = part.reshape(-1, GROUP_SITES, GROUPS, self.dim).transpose(0, 2, 3, 1)
            groups[t:t + step] = by_group
        self.groups = groups.ravel()

    def under(self, heights):
        """Scores of the sites under heights (n,), the largest of which is 0."""
        return ExactScores(self, heights)


cdef class ExactScores:
    """Sites and heights: which site has the largest float64 score, as src/assign.h defines it."""
    cdef readonly ExactSites sites
    cdef float[::1] heights
    cdef double[::1] group_heights
    cdef const float[::1] inner, around
    cdef double weight
    cdef const int32_t[::1] order

    def __init__(self, ExactSites sites, heights):
        self.sites = sites
        if np.shape(heights) != (sites.n,):
            raise ValueError(f"heights must have shape ({sites.n},), got {np.shape(heights)}")
        heights = np.asarray(heights, dtype=np.float64)
        with np.errstate(over="ignore"):  # heights that become -inf in float32 belong to no winner
            if sites.boxes is None:
                self.heights = _padded(heights, sites.n)
            else:
                self.heights = sites.boxes.padded(heights)
                self.inner, self.around, self.weight = sites.boxes.under(self.heights)
                self.order = sites.order
        padded = np.full(sites.n_tiles * TILE, -np.inf)
        padded[:sites.n] = heights if sites.order is None else heights[sites.order]
        self.group_heights = np.ascontiguousarray(
            padded.reshape(-1, GROUP_SITES, GROUPS).swapaxes(1, 2)).ravel()

    def largest(self, points, centre, double factor, threads=1):
        """Sites of largest score, (m,) int64, of points that are (points - centre) * factor."""
        cdef const double[:, ::1] x = points
        cdef const double[::1] origin = centre
        cdef Py_ssize_t m = x.shape[0]
        if x.shape[1] != self.sites.dim or origin.shape[0] != self.sites.dim:
            raise ValueError(f"points must have shape (m, {self.sites.dim}), got {points.shape}")
        labels = np.empty(m, dtype=np.int64)
        interrupted = Interrupted()

        def work(chunk):
            try:
                self._chunk(x, origin, factor, labels, chunk * POINTS_CHUNK, interrupted)
            except BaseException:
                interrupted.flag = True
                raise

        run_chunks(work, (m + POINTS_CHUNK - 1) // POINTS_CHUNK, threads)
        return labels

    def _chunk(self, const double[:, ::1] x, const double[::1] centre, double factor,
               int64_t[::1] labels, Py_ssize_t start, Interrupted interrupted):
        cdef ExactSites own = self.sites
        cdef Py_ssize_t count = min(POINTS_CHUNK, x.shape[0] - start), t
        cdef Py_ssize_t step = max(WORK // (count * own.dim * TILE), 1)
        cdef Contest* contests = <Contest*> malloc(count * sizeof(Contest))
        cdef int status = -1 if contests == NULL else 0
        cdef AssignSites sites
        cdef bint near = own.boxes is not None
        sites.n, sites.d, sites.centre, sites.factor = own.n, own.dim, &centre[0], factor
        sites.tiles, sites.heights, sites.reach = &own.tiles[0], &self.heights[0], &own.reach[0]
        sites.groups, sites.group_heights = &own.groups[0], &self.group_heights[0]
        sites.order = NULL
        sites.longest, sites.weight = own.longest, self.weight
        if near:
            sites.order = &self.order[0]
            sites.boxes, sites.rows = &self.inner[0], &self.around[0]
            sites.n_rows = own.boxes.n_rows
        try:
            if status == 0:
                with nogil:
                    assign_start(&sites, &x[start, 0], count, contests)
                    if near:
                        status = assign_near(&sites, &x[start, 0], count, contests)
                t = own.n_tiles if near else 0
                while t < own.n_tiles and status == 0:
                    with nogil:
                        status = assign_tiles(&sites, &x[start, 0], count, t,
                                              min(t + step, own.n_tiles), contests)
                    t += step
                    PyErr_CheckSignals()
                    if interrupted.flag:
                        return
            if status == 0:
                with nogil:
                    status = assign_finish(&sites, &x[start, 0], count, contests, &labels[start])
        finally:
            free(contests)
        if status != 0:
            raise MemoryError("no memory for the maxima of a panel of sites")


cdef class Interrupted:
    """Tells the threads of a run that one of them has ended with an exception."""
    cdef bint flag


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
