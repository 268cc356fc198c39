/* The kernels of argmax.h for one instruction set. Included once for each, with
 * LANES        floats in a vector
 * ROWS         points in a register block, which spans two vectors of sites
 * TARGET       attribute of the functions
 * NAME(x)      x with a suffix
 * VEC          type of a vector
 * LOAD(p)      the vector at p, which need not be aligned, and STORE(p,v)
 * WIDE(s)      a vector of a scalar in every lane
 * SUM(a,b)     a + b, and LESS(a,b) a - b
 * PLUS(s,a,b)  s + a b, and MINUS(s,a,b) s - a b, fused where the machine can
 * LARGER(a,b)  lane-wise maximum of two vectors
 * EQUAL(a,s)   bit mask of the lanes of a that equal the scalar s
 * ATLEAST(a,s) bit mask of the lanes of a that are not below the scalar s
 * PEAK(a)      largest lane
 */

/* Scores of ROWS points, interleaved [coordinate][ROWS], with two vectors of sites of a tile. Sums
 * run over STRETCH coordinates and then over stretches: rounding does not grow with all of d. */
#define SCORES(score, x, d, tile, h)                                                        \
    VEC score[ROWS][2];                                                                     \
    for (int p = 0; p < ROWS; p++) {                                                        \
        score[p][0] = LOAD(h);                                                              \
        score[p][1] = LOAD((h) + LANES);                                                    \
    }                                                                                       \
    for (ptrdiff_t k = 0; k < ((d) < STRETCH ? (d) : STRETCH); k++)                         \
        ADD_PRODUCTS(score, x, tile)                                                        \
    for (ptrdiff_t k0 = STRETCH; k0 < (d); k0 += STRETCH) {                                 \
        VEC more[ROWS][2];                                                                  \
        for (int p = 0; p < ROWS; p++)                                                      \
            more[p][0] = more[p][1] = WIDE(0.0f);                                           \
        for (ptrdiff_t k = k0; k < ((d) - k0 < STRETCH ? (d) : k0 + STRETCH); k++)          \
            ADD_PRODUCTS(more, x, tile)                                                     \
        for (int p = 0; p < ROWS; p++) {                                                    \
            score[p][0] = SUM(score[p][0], more[p][0]);                                     \
            score[p][1] = SUM(score[p][1], more[p][1]);                                     \
        }                                                                                   \
    }

#define ADD_PRODUCTS(score, x, tile)                             \
    {                                                            \
        const VEC y0 = LOAD((tile) + k * TILE);                  \
        const VEC y1 = LOAD((tile) + k * TILE + LANES);          \
        for (int p = 0; p < ROWS; p++) {                         \
            const VEC own = WIDE((x)[k * ROWS + p]);             \
            score[p][0] = PLUS(score[p][0], own, y0);            \
            score[p][1] = PLUS(score[p][1], own, y1);            \
        }                                                        \
    }

/* Lane-wise maxima of a tile's scores, one vector per point, `stride` floats apart. */
TARGET INLINE void NAME(tile_maxima)(const float* x, ptrdiff_t d, const float* tile,
                                     const float* h, float* maxima, ptrdiff_t stride)
{
    for (int part = 0; part < TILE; part += 2 * LANES) {
        SCORES(score, x, d, tile + part, h + part)
        for (int p = 0; p < ROWS; p++) {
            VEC top = LARGER(score[p][0], score[p][1]);
            if (part > 0)
                top = LARGER(top, LOAD(maxima + p * stride));
            STORE(maxima + p * stride, top);
        }
    }
}

/* All scores of a tile, rows `stride` floats apart. */
TARGET static void NAME(tile_scores)(const float* x, ptrdiff_t d, const float* tile,
                                     const float* h, float* out, ptrdiff_t stride)
{
    for (int part = 0; part < TILE; part += 2 * LANES) {
        SCORES(score, x, d, tile + part, h + part)
        for (int p = 0; p < ROWS; p++) {
            STORE(out + p * stride + part, score[p][0]);
            STORE(out + p * stride + part + LANES, score[p][1]);
        }
    }
}

TARGET static inline void NAME(add_products)(const float* x, ptrdiff_t d, const float* tile,
                                             VEC* score)
{
    for (ptrdiff_t k = 0; k < d; k++) {
        const VEC own = WIDE(x[k * ROWS]);
        for (int v = 0; v < TILE / LANES; v++)
            score[v] = PLUS(score[v], own, LOAD(tile + k * TILE + v * LANES));
    }
}

/* Scores of one point, as in SCORES, with a whole tile. */
TARGET static void NAME(point_scores)(const float* x, ptrdiff_t d, const float* tile,
                                      const float* h, float* out)
{
    VEC score[TILE / LANES];
    for (int v = 0; v < TILE / LANES; v++)
        score[v] = LOAD(h + v * LANES);
    NAME(add_products)(x, d < STRETCH ? d : STRETCH, tile, score);
    for (ptrdiff_t k = STRETCH; k < d; k += STRETCH) {
        VEC more[TILE / LANES];
        for (int v = 0; v < TILE / LANES; v++)
            more[v] = WIDE(0.0f);
        NAME(add_products)(x + k * ROWS, d - k < STRETCH ? d - k : STRETCH, tile + k * TILE, more);
        for (int v = 0; v < TILE / LANES; v++)
            score[v] = SUM(score[v], more[v]);
    }
    for (int v = 0; v < TILE / LANES; v++)
        STORE(out + v * LANES, score[v]);
}

/* Lane-wise maxima over a block of sites for 4 x 4 pairs: rows of a and b are BLOCK long. */
TARGET static void NAME(pair_maxima)(const float* a, const float* b, float* maxima,
                                     ptrdiff_t stride_a, ptrdiff_t stride_b)
{
    VEC top[4][4];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            top[i][j] = SUM(LOAD(a + i * BLOCK), LOAD(b + j * BLOCK));
    for (int v = LANES; v < BLOCK; v += LANES) {
        const VEC b0 = LOAD(b + v), b1 = LOAD(b + BLOCK + v), b2 = LOAD(b + 2 * BLOCK + v),
                  b3 = LOAD(b + 3 * BLOCK + v);
        for (int i = 0; i < 4; i++) {
            const VEC row = LOAD(a + i * BLOCK + v);
            top[i][0] = LARGER(top[i][0], SUM(row, b0));
            top[i][1] = LARGER(top[i][1], SUM(row, b1));
            top[i][2] = LARGER(top[i][2], SUM(row, b2));
            top[i][3] = LARGER(top[i][3], SUM(row, b3));
        }
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            STORE(maxima + i * stride_a + j * stride_b, top[i][j]);
}

/* Largest lane of `count` vectors. */
TARGET static inline float NAME(peak)(const float* maxima, ptrdiff_t count)
{
    VEC even = LOAD(maxima), odd = even;
    ptrdiff_t c = 1;
    for (; c + 1 < count; c += 2) {
        even = LARGER(even, LOAD(maxima + c * LANES));
        odd = LARGER(odd, LOAD(maxima + (c + 1) * LANES));
    }
    if (c < count)
        even = LARGER(even, LOAD(maxima + c * LANES));
    even = LARGER(even, odd);
    return PEAK(even);
}

/* First of at most 64 vectors that holds a value: without branches, which no one could predict. */
TARGET static inline ptrdiff_t NAME(holder)(const float* maxima, ptrdiff_t count, float value)
{
    uint64_t found = 0;
    for (ptrdiff_t c = 0; c < count; c++)
        found |= (uint64_t)(EQUAL(LOAD(maxima + c * LANES), value) != 0) << c;
    return trailing_zeros64(found);
}

/* Index of the first of `count` scores, a multiple of 64, that equals a value. */
TARGET static inline ptrdiff_t NAME(find)(const float* scores, ptrdiff_t count, float value)
{
    ptrdiff_t at = 0;
    for (ptrdiff_t w = count - 64; w >= 0; w -= 64) {
        uint64_t found = 0;
        for (int v = 0; v < 64; v += LANES)
            found |= (uint64_t)EQUAL(LOAD(scores + w + v), value) << v;
        at = found ? w + trailing_zeros64(found) : at;
    }
    return at;
}

/* Which of at most 64 vectors holds a value below which no other lane is; -1 if there are several.
 * The largest lane is one of them. */
TARGET static inline ptrdiff_t NAME(lone_vector)(const float* values, ptrdiff_t count, float least)
{
    uint64_t found = 0;
    int lanes = 0;
    for (ptrdiff_t c = 0; c < count; c++) {
        const unsigned mask = ATLEAST(LOAD(values + c * LANES), least);
        lanes += ones(mask);
        found |= (uint64_t)(mask != 0) << c;
    }
    return lanes == 1 ? trailing_zeros64(found) : -1;
}

/* The only one of TILE scores that is not below a value; -1 if there are several. */
TARGET static inline ptrdiff_t NAME(lone)(const float* scores, float least)
{
    uint64_t found = 0;
    for (int v = 0; v < TILE; v += LANES)
        found |= (uint64_t)ATLEAST(LOAD(scores + v), least) << v;
    return found & (found - 1) ? -1 : trailing_zeros64(found);
}

/* First of a row of values, whole vectors of them, that equals a value. */
TARGET static inline ptrdiff_t NAME(find_first)(const float* row, ptrdiff_t count, float value)
{
    for (ptrdiff_t v = 0; v < count; v += LANES) {
        const unsigned lanes = EQUAL(LOAD(row + v), value);
        if (lanes)
            return v + trailing_zeros(lanes);
    }
    return 0;
}

/* Lane-wise maxima of `count` scores. */
TARGET static inline void NAME(fold)(const float* scores, ptrdiff_t count, float* maxima)
{
    VEC top = LOAD(scores);
    for (ptrdiff_t v = LANES; v < count; v += LANES)
        top = LARGER(top, LOAD(scores + v));
    STORE(maxima, top);
}

/* Index of the first of BLOCK sums of two rows that equals a value. */
TARGET static inline ptrdiff_t NAME(find_sum)(const float* a, const float* b, float value)
{
    ptrdiff_t at = 0;
    for (ptrdiff_t w = BLOCK - 64; w >= 0; w -= 64) {
        uint64_t found = 0;
        for (ptrdiff_t v = w; v < w + 64; v += LANES)
            found |= (uint64_t)EQUAL(SUM(LOAD(a + v), LOAD(b + v)), value) << (v - w);
        at = found ? w + trailing_zeros64(found) : at;
    }
    return at;
}

/* As `lone`, for the BLOCK sums of two rows. */
TARGET static inline ptrdiff_t NAME(lone_sum)(const float* a, const float* b, float least)
{
    uint64_t all = 0, more = 0;
    ptrdiff_t at = 0;
    for (ptrdiff_t w = 0; w < BLOCK; w += 64) {
        uint64_t found = 0;
        for (ptrdiff_t v = w; v < w + 64; v += LANES)
            found |= (uint64_t)ATLEAST(SUM(LOAD(a + v), LOAD(b + v)), least) << (v - w);
        more |= (found & (found - 1)) | (all != 0 ? found : 0);
        at = found ? w + trailing_zeros64(found) : at;
        all |= found;
    }
    return more ? -1 : at;
}

/* Sum of two rows. */
TARGET static inline void NAME(add_rows)(const float* a, const float* b, ptrdiff_t count,
                                         float* out)
{
    for (ptrdiff_t v = 0; v < count; v += LANES)
        STORE(out + v, SUM(LOAD(a + v), LOAD(b + v)));
}

/* Take what a panel of sites offers a point, whose largest score there is `largest`, into its best and
 * runner-up. Scores behind the lane maxima come from SCORE(where, out), `span` of them from site
 * base + where * span on. */
#define MERGE(largest, maxima, count, span, base, SCORE)                                   \
    do {                                                                                \
        float offer = (largest);                                                         \
        ptrdiff_t taken = -1;                                                           \
        if (offer > *best) {                                                            \
            ptrdiff_t where = NAME(holder)((maxima), (count), offer);                   \
            SCORE(where, scores);                                                       \
            const ptrdiff_t at = NAME(find)(scores, (span), offer);                     \
            taken = where * (span) + at;                                                \
            if (runner != NULL) {                                                       \
                *runner = *best;                                                        \
                *second = *first;                                                       \
                scores[at] = -INFINITY;                                                 \
                NAME(fold)(scores, (span), (maxima) + where * LANES);                   \
            }                                                                           \
            *best = offer;                                                              \
            *first = (int32_t)((base) + taken);                                         \
            if (runner != NULL)                                                         \
                offer = NAME(peak)((maxima), (count));                                  \
        }                                                                               \
        if (runner != NULL && offer > *runner) {                                        \
            ptrdiff_t where = NAME(holder)((maxima), (count), offer);                   \
            SCORE(where, scores);                                                       \
            if (taken >= 0 && taken / (span) == where)                                  \
                scores[taken % (span)] = -INFINITY;                                     \
            *runner = offer;                                                            \
            *second = (int32_t)((base) + where * (span)                                 \
                                + NAME(find)(scores, (span), offer));                   \
        }                                                                               \
    } while (0)

/* The same for winners whose lead alone matters: LONE(where, least) is the only site of a span not
 * below `least`, FIND(where) the first that has the largest score. */
#define MERGE_LEAD(largest, maxima, count, span, base, lead, LONE, FIND)                    \
    do {                                                                                \
        const float offer = (largest);                                                   \
        if (offer > *best) {                                                            \
            const float least = offer - (lead);                                          \
            const ptrdiff_t lone = NAME(lone_vector)((maxima), (count), least);          \
            const ptrdiff_t where =                                                      \
                lone < 0 ? NAME(holder)((maxima), (count), offer) : lone;                \
            ptrdiff_t at = LONE(where, least);                                           \
            *runner = lone < 0 || at < 0 ? offer : *best > *runner ? *best : *runner;    \
            if (at < 0)                                                                  \
                at = FIND(where);                                                        \
            *best = offer;                                                              \
            *first = (int32_t)((base) + where * (span) + at);                            \
        } else if (offer > *runner) {                                                   \
            *runner = offer;                                                            \
        }                                                                               \
    } while (0)

/* Panels of sites stay in the second-level cache while a batch of points passes over them. */
TARGET static int NAME(points)(const float* points, ptrdiff_t m, ptrdiff_t d, const float* tiles,
                               const float* heights, ptrdiff_t n, const float* lead,
                               int32_t* out_first, float* out_best, int32_t* out_second,
                               float* out_runner)
{
    const ptrdiff_t n_tiles = (n + TILE - 1) / TILE;
    const ptrdiff_t panel = panel_tiles(d);
    enum { batch = 64 };  /* points whose lane maxima are kept at once */
    float* x = scratch(batch * d);
    float* maxima = scratch(batch * panel * LANES);
    float scores[TILE], peaks[batch];
    if (x == NULL || maxima == NULL) {
        release(x);
        release(maxima);
        return -1;
    }
    clear(m, out_first, out_best, out_second, out_runner);
    for (ptrdiff_t t0 = 0; t0 < n_tiles; t0 += panel) {
        const ptrdiff_t count = n_tiles - t0 < panel ? n_tiles - t0 : panel;
        for (ptrdiff_t q0 = 0; q0 < m; q0 += batch) {
            const ptrdiff_t here = m - q0 < batch ? m - q0 : batch;
            interleave(points + q0 * d, here, d, ROWS, x);
            for (ptrdiff_t t = 0; t < count; t++)
                for (ptrdiff_t q = 0; q < here; q += ROWS)
                    NAME(tile_maxima)(x + q * d, d, tiles + (t0 + t) * d * TILE,
                                      heights + (t0 + t) * TILE,
                                      maxima + (q * count + t) * LANES, count * LANES);
            for (ptrdiff_t q = 0; q < here; q++)
                peaks[q] = NAME(peak)(maxima + q * count * LANES, count);
            for (ptrdiff_t q = 0; q < here; q++) {
                const float* own = x + q / ROWS * ROWS * d + q % ROWS;
                int32_t* first = out_first + q0 + q;
                float* best = out_best + q0 + q;
                int32_t* second = out_second == NULL ? NULL : out_second + q0 + q;
                float* runner = out_runner == NULL ? NULL : out_runner + q0 + q;
#define SCORE(where, out)                                                        \
    NAME(point_scores)(own, d, tiles + (t0 + (where)) * d * TILE,                \
                       heights + (t0 + (where)) * TILE, out)
#define LONE(where, least) (SCORE(where, scores), NAME(lone)(scores, least))
#define FIND(where) NAME(find)(scores, TILE, offer)
                if (runner != NULL && second == NULL)
                    MERGE_LEAD(peaks[q], maxima + q * count * LANES, count, TILE, t0 * TILE,
                               lead[q0 + q], LONE, FIND);
                else
                    MERGE(peaks[q], maxima + q * count * LANES, count, TILE, t0 * TILE, SCORE);
#undef LONE
#undef FIND
#undef SCORE
            }
        }
    }
    release(x);
    release(maxima);
    return 0;
}

/* Bounds on 2 <x, y> + 2 h - |x|^2 = w - |x - y|^2 over boxes: w less the squared distance. */
TARGET static inline VEC NAME(bounds)(const float* x, ptrdiff_t d, const float* boxes,
                                      ptrdiff_t stride)
{
    const VEC zero = WIDE(0.0f);
    VEC bound = LOAD(boxes + 2 * d * stride);
    for (ptrdiff_t k = 0; k < d; k++) {
        const VEC own = WIDE(x[k * ROWS]);
        const VEC below = LESS(LOAD(boxes + k * stride), own);
        const VEC above = LESS(own, LOAD(boxes + (d + k) * stride));
        const VEC gap = LARGER(LARGER(below, above), zero);
        bound = MINUS(bound, gap, gap);
    }
    return bound;
}

TARGET static int NAME(near)(const float* points, ptrdiff_t m, ptrdiff_t d, const float* tiles,
                             const float* heights, ptrdiff_t n, const float* boxes,
                             const float* rows, ptrdiff_t n_rows, float slack, const float* lead,
                             int32_t* out_first, float* out_best, int32_t* out_second,
                             float* out_runner)
{
    float* row_bounds = scratch(n_rows);
    float x[NEAR_DIMENSIONS * ROWS], scores[TILE], top[LANES], here[NEAR];
    (void)n;
    if (row_bounds == NULL)
        return -1;
    clear(m, out_first, out_best, out_second, out_runner);
    for (ptrdiff_t q = 0; q < m; q++) {
        int32_t* first = out_first + q;
        float* best = out_best + q;
        int32_t* second = out_second == NULL ? NULL : out_second + q;
        float* runner = out_runner == NULL ? NULL : out_runner + q;
        float square = 0.0f;
        for (ptrdiff_t k = 0; k < d; k++) {
            x[k * ROWS] = points[q * d + k];
            square += x[k * ROWS] * x[k * ROWS];
        }
        VEC peak = WIDE(0.0f);
        for (ptrdiff_t r = 0; r < n_rows; r += LANES) {
            const VEC bound = NAME(bounds)(x, d, rows + r, n_rows);
            STORE(row_bounds + r, bound);
            peak = r == 0 ? bound : LARGER(peak, bound);
        }
        /* the most promising row first: what it holds rules out most of the others */
        const ptrdiff_t start = NAME(find_first)(row_bounds, n_rows, PEAK(peak));
        float least = -INFINITY;
        for (ptrdiff_t turn = -1; turn < n_rows; turn += turn < 0 ? 1 : LANES) {
            unsigned wanted = 1;
            const ptrdiff_t r0 = turn < 0 ? start : turn;
            if (turn >= 0)
                wanted = ATLEAST(LOAD(row_bounds + turn), least);
            for (; wanted; wanted &= wanted - 1) {
                const ptrdiff_t r = r0 + trailing_zeros(wanted);
                /* rows and tiles without sites have bounds of -inf */
                if ((turn >= 0 && r == start) || row_bounds[r] < least
                    || row_bounds[r] == -INFINITY)
                    continue;
                const float* own = boxes + r * NEAR * (2 * d + 1);
                uint64_t open = 0;
                for (int v = 0; v < NEAR; v += LANES) {
                    const VEC bound = NAME(bounds)(x, d, own + v, NEAR);
                    STORE(here + v, bound);
                    open |= (uint64_t)ATLEAST(bound, least) << v;
                }
                while (open) {
                    ptrdiff_t t = trailing_zeros64(open);
                    if (turn < 0 && *best == -INFINITY) {
                        for (int k = 1; k < NEAR; k++)
                            t = here[k] > here[t] ? k : t;
                    }
                    open &= ~((uint64_t)1 << t);
                    if (here[t] < least || here[t] == -INFINITY)
                        continue;
                    const ptrdiff_t tile = r * NEAR + t;
                    NAME(point_scores)(x, d, tiles + tile * d * TILE, heights + tile * TILE,
                                       scores);
                    NAME(fold)(scores, TILE, top);
#define SCORE(where, out)                                                                   \
    NAME(point_scores)(x, d, tiles + tile * d * TILE, heights + tile * TILE, out)
#define LONE(where, least) NAME(lone)(scores, least)
#define FIND(where) NAME(find)(scores, TILE, offer)
                    if (runner != NULL && second == NULL) {
                        MERGE_LEAD(PEAK(LOAD(top)), top, 1, TILE, tile * TILE, lead[q], LONE,
                                   FIND);
                        least = 2.0f * (*best - lead[q]) - square - slack;
                    } else {
                        MERGE(PEAK(LOAD(top)), top, 1, TILE, tile * TILE, SCORE);
                        least = 2.0f * (runner == NULL ? *best : *runner) - square - slack;
                    }
#undef LONE
#undef FIND
#undef SCORE
                }
            }
        }
    }
    release(row_bounds);
    return 0;
}

/* Rows [SIDE][BLOCK] of one half's scores with a block of sites. */
TARGET static void NAME(half_scores)(const float* x, ptrdiff_t d, const float* tiles,
                                     const float* heights, float* rows)
{
    for (ptrdiff_t t = 0; t < BLOCK / TILE; t++)
        for (ptrdiff_t p = 0; p < SIDE; p += ROWS)
            NAME(tile_scores)(x + p * d, d, tiles + t * d * TILE, heights + t * TILE,
                              rows + p * BLOCK + t * TILE, BLOCK);
}

TARGET static int NAME(pairs)(const float* left, const float* right, ptrdiff_t groups,
                              ptrdiff_t dl, ptrdiff_t dr, const float* left_tiles,
                              const float* right_tiles, const float* heights, ptrdiff_t n,
                              const float* lead, int32_t* out_first, float* out_best,
                              int32_t* out_second, float* out_runner)
{
    const ptrdiff_t n_blocks = (n + BLOCK - 1) / BLOCK;
    const ptrdiff_t panel = n_blocks < PAIR_PANEL ? n_blocks : PAIR_PANEL;
    float* xl = scratch(groups * SIDE * dl);
    float* xr = scratch(groups * SIDE * dr);
    float* a = scratch(panel * SIDE * BLOCK);
    float* b = scratch(panel * SIDE * BLOCK);
    float* maxima = scratch(SIDE * SIDE * panel * LANES);
    float scores[BLOCK], peaks[SIDE * SIDE];
    int status = -1;
    if (xl == NULL || xr == NULL || a == NULL || b == NULL || maxima == NULL)
        goto done;
    clear(groups * SIDE * SIDE, out_first, out_best, out_second, out_runner);
    interleave(left, groups * SIDE, dl, ROWS, xl);
    interleave(right, groups * SIDE, dr, ROWS, xr);
    for (ptrdiff_t c0 = 0; c0 < n_blocks; c0 += panel) {
        const ptrdiff_t count = n_blocks - c0 < panel ? n_blocks - c0 : panel;
        for (ptrdiff_t g = 0; g < groups; g++) {
            /* block by block: both halves' rows of one are in the first-level cache */
            for (ptrdiff_t c = 0; c < count; c++) {
                float* ac = a + c * SIDE * BLOCK;
                float* bc = b + c * SIDE * BLOCK;
                NAME(half_scores)(xl + g * SIDE * dl, dl, left_tiles + (c0 + c) * BLOCK * dl,
                                  heights + (c0 + c) * BLOCK, ac);
                NAME(half_scores)(xr + g * SIDE * dr, dr, right_tiles + (c0 + c) * BLOCK * dr,
                                  no_heights, bc);
                for (int i = 0; i < SIDE; i += 4)
                    for (int j = 0; j < SIDE; j += 4)
                        NAME(pair_maxima)(ac + i * BLOCK, bc + j * BLOCK,
                                          maxima + ((i * SIDE + j) * count + c) * LANES,
                                          SIDE * count * LANES, count * LANES);
            }
            for (int q = 0; q < SIDE * SIDE; q++)
                peaks[q] = NAME(peak)(maxima + q * count * LANES, count);
            for (int q = 0; q < SIDE * SIDE; q++) {
                const ptrdiff_t pair = g * SIDE * SIDE + q;
                int32_t* first = out_first + pair;
                float* best = out_best + pair;
                if (out_runner == NULL) {
                    if (peaks[q] > *best) {
                        const ptrdiff_t c = NAME(holder)(maxima + q * count * LANES, count,
                                                         peaks[q]);
                        *best = peaks[q];
                        *first = (int32_t)((c0 + c) * BLOCK
                                           + NAME(find_sum)(a + (c * SIDE + q / SIDE) * BLOCK,
                                                            b + (c * SIDE + q % SIDE) * BLOCK,
                                                            peaks[q]));
                    }
                    continue;
                }
                float* runner = out_runner + pair;
                if (out_second == NULL) {
#define LONE(where, least)                                                  \
    NAME(lone_sum)(a + ((where) * SIDE + q / SIDE) * BLOCK,                 \
                   b + ((where) * SIDE + q % SIDE) * BLOCK, least)
#define FIND(where)                                                         \
    NAME(find_sum)(a + ((where) * SIDE + q / SIDE) * BLOCK,                 \
                   b + ((where) * SIDE + q % SIDE) * BLOCK, offer)
                    MERGE_LEAD(peaks[q], maxima + q * count * LANES, count, BLOCK, c0 * BLOCK,
                               lead[pair], LONE, FIND);
#undef LONE
#undef FIND
                    continue;
                }
                int32_t* second = out_second + pair;
#define SCORE(where, out)                                                   \
    NAME(add_rows)(a + ((where) * SIDE + q / SIDE) * BLOCK,                 \
                   b + ((where) * SIDE + q % SIDE) * BLOCK, BLOCK, out)
                MERGE(peaks[q], maxima + q * count * LANES, count, BLOCK, c0 * BLOCK, SCORE);
#undef SCORE
            }
        }
    }
    status = 0;
done:
    release(xl);
    release(xr);
    release(a);
    release(b);
    release(maxima);
    return status;
}

#undef MERGE
#undef MERGE_LEAD
