/* The kernels of assign.h for one instruction set; included after argmax_kernel.h. */

/* Compute the scores waiting in a queue; chains of dependent sums run side by side. */
TARGET static void NAME(flush)(Queue* queue)
{
    const AssignSites* sites = queue->sites;
    const ptrdiff_t d = sites->d;
    const double *x[CHAINS], *y[CHAINS];
    eight score[CHAINS];
    if (queue->count == 0)
        return;
    for (int i = 0; i < CHAINS; i++) {
        const Entry* entry = &queue->entries[i < queue->count ? i : 0];
        x[i] = entry->x;
        y[i] = sites->groups + entry->group * d * GROUP_SITES;
        const double* heights = sites->group_heights + (ptrdiff_t)entry->group * GROUP_SITES;
        SCALED(score[i], entry->contest->shrink, heights);
    }
    for (ptrdiff_t k = 0; k < d; k++)
        for (int i = 0; i < CHAINS; i++)
            ADD_SCALED(score[i], x[i][k], y[i] + k * GROUP_SITES);
    for (int i = 0; i < queue->count; i++) {
        double scores[GROUP_SITES];
        SPILL(score[i], scores);
        settle(&queue->entries[i], sites, scores);
    }
    queue->count = 0;
}

/* Score a contest's held groups in float64; they are complete only when the queue is flushed. */
TARGET static void NAME(enqueue)(Queue* queue, Contest* contest, const double* point)
{
    if (contest->held == 0)
        return;
    const double* x = framed(queue, contest, point);
    for (int i = 0; i < contest->held; i++) {
        queue->entries[queue->count++] = (Entry){contest, x, contest->group[i]};
        if (queue->count == CHAINS)
            NAME(flush)(queue);
    }
    contest->held = 0;
}

/* Let a group contend. */
TARGET static void NAME(hold)(Queue* queue, Contest* contest, const double* point, int32_t group,
                              double upper)
{
    if (contest->held == HELD) {
        drop_beaten(contest);
        if (contest->held == HELD) {
            NAME(enqueue)(queue, contest, point);
            NAME(flush)(queue);
            if (!contest->blind && contest->best > contest->least)
                contest->least = contest->best;
        }
    }
    contest->group[contest->held] = group;
    contest->upper[contest->held++] = upper;
}

/* Take in `count` tiles from `tile` on by their lane maxima; no site is longer than `reach`. */
TARGET static void NAME(enter)(Queue* queue, Contest* contest, const double* point,
                               const float* maxima, ptrdiff_t count, ptrdiff_t tile, double reach)
{
    const double slack = contest->spread * reach + contest->tiny;
    float threshold = -INFINITY;
    if (!contest->blind) {
        const double peak = NAME(peak)(maxima, count);
        if (peak == -INFINITY)
            return;
        const double share = queue->share * fabs(peak) + slack;
        if (peak - share > contest->least)
            contest->least = peak - share;
        if (peak + share < contest->least)
            return;
        threshold = lowest_score(contest->least - slack, queue->share);
    }
    for (ptrdiff_t t = 0; t < count; t++) {
        const float* own = maxima + t * LANES;
        unsigned lanes = ATLEAST(LOAD(own), threshold);
        while (lanes) {
            const int lane = trailing_zeros(lanes), g = lane % GROUPS;
            float top = own[lane];
            lanes &= lanes - 1;
            /* lanes of the same group are taken together, at the first of them */
            for (int other = lane + GROUPS; other < LANES; other += GROUPS) {
                top = own[other] > top ? own[other] : top;
                lanes &= ~(1u << other);
            }
            for (int i = g; i < GROUPS; i += LANES < GROUPS ? LANES : GROUPS)
                NAME(hold)(queue, contest, point, (int32_t)((tile + t) * GROUPS + i),
                           contest->blind ? INFINITY
                                          : top + (queue->share * fabs(top) + slack));
        }
    }
}

TARGET static int NAME(assign_tiles)(const AssignSites* sites, const double* points, ptrdiff_t m,
                                     ptrdiff_t begin, ptrdiff_t end, Contest* contests)
{
    const ptrdiff_t d = sites->d, panel = panel_tiles(d);
    enum { batch = 64 };  /* points whose lane maxima are kept at once */
    float* x = scratch((m + ROWS) * d);
    float* maxima = scratch(batch * panel * LANES);
    Queue queue;
    int status = -1;
    if (open_queue(&queue, sites) != 0 || x == NULL || maxima == NULL)
        goto done;
    for (ptrdiff_t q = 0; q < (m + ROWS - 1) / ROWS * ROWS; q++) {
        const ptrdiff_t from = q < m ? q : m - 1;  /* the last rows are copies of the last point */
        rounded(sites, &contests[from], points + from * d, x + q / ROWS * ROWS * d + q % ROWS,
                ROWS);
    }
    for (ptrdiff_t t0 = begin; t0 < end; t0 += panel) {
        const ptrdiff_t count = end - t0 < panel ? end - t0 : panel;
        const double reach = largest(sites->reach + t0, count);
        for (ptrdiff_t q0 = 0; q0 < m; q0 += batch) {
            const ptrdiff_t here = m - q0 < batch ? m - q0 : batch;
            for (ptrdiff_t t = 0; t < count; t++)
                for (ptrdiff_t q = 0; q < here; q += ROWS)
                    NAME(tile_maxima)(x + (q0 + q) * d, d, sites->tiles + (t0 + t) * d * TILE,
                                      sites->heights + (t0 + t) * TILE,
                                      maxima + (q * count + t) * LANES, count * LANES);
            for (ptrdiff_t q = 0; q < here; q++)
                NAME(enter)(&queue, &contests[q0 + q], points + (q0 + q) * d,
                            maxima + q * count * LANES, count, t0, reach);
        }
    }
    status = 0;
done:
    close_queue(&queue);
    release(x);
    release(maxima);
    return status;
}

TARGET static int NAME(assign_near)(const AssignSites* sites, const double* points, ptrdiff_t m,
                                    Contest* contests)
{
    const ptrdiff_t d = sites->d, n_rows = sites->n_rows;
    float* row_bounds = scratch(n_rows);
    float x[NEAR_DIMENSIONS * ROWS], scores[TILE], top[LANES], here[NEAR];
    Queue queue;
    int status = -1;
    if (open_queue(&queue, sites) != 0 || row_bounds == NULL)
        goto done;
    for (ptrdiff_t q = 0; q < m; q++) {
        Contest* contest = &contests[q];
        rounded(sites, contest, points + q * d, x, ROWS);
        double square = 0.0;
        for (ptrdiff_t k = 0; k < d; k++)
            square += (double)x[k * ROWS] * x[k * ROWS];
        /* bounds of boxes are sums of d terms below (|x| + |y|)^2 and |w| */
        const double size = sqrt(square) + sites->longest;
        const double rounding =
            (double)(d + 4) * 0x1p-21 * (2.0 * size * size + sites->weight) + contest->tiny;
        VEC peak = WIDE(-INFINITY);
        for (ptrdiff_t r = 0; r < n_rows; r += LANES) {
            const VEC bound = NAME(bounds)(x, d, sites->rows + r, n_rows);
            STORE(row_bounds + r, bound);
            peak = LARGER(peak, bound);
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
                const float* own = sites->boxes + r * NEAR * (2 * d + 1);
                uint64_t open = 0;
                for (int v = 0; v < NEAR; v += LANES) {
                    const VEC bound = NAME(bounds)(x, d, own + v, NEAR);
                    STORE(here + v, bound);
                    open |= (uint64_t)ATLEAST(bound, least) << v;
                }
                int first = turn < 0;
                while (open) {
                    ptrdiff_t t = trailing_zeros64(open);
                    for (int k = 1; first && k < NEAR; k++)
                        t = here[k] > here[t] ? k : t;
                    first = 0;
                    open &= ~((uint64_t)1 << t);
                    if (here[t] < least || here[t] == -INFINITY)
                        continue;
                    const ptrdiff_t tile = r * NEAR + t;
                    NAME(point_scores)(x, d, sites->tiles + tile * d * TILE,
                                       sites->heights + tile * TILE, scores);
                    NAME(fold)(scores, TILE, top);
                    NAME(enter)(&queue, contest, points + q * d, top, 1, tile, sites->reach[tile]);
                    least = (float)(2.0 * contest->least - square - rounding);
                }
            }
        }
    }
    status = 0;
done:
    close_queue(&queue);
    release(row_bounds);
    return status;
}

TARGET static int NAME(assign_finish)(const AssignSites* sites, const double* points, ptrdiff_t m,
                                      Contest* contests, int64_t* labels)
{
    Queue queue;
    if (open_queue(&queue, sites) != 0) {
        close_queue(&queue);
        return -1;
    }
    for (ptrdiff_t q = 0; q < m; q++) {
        drop_beaten(&contests[q]);
        NAME(enqueue)(&queue, &contests[q], points + q * sites->d);
    }
    NAME(flush)(&queue);
    for (ptrdiff_t q = 0; q < m; q++)
        labels[q] = contests[q].label;
    close_queue(&queue);
    return 0;
}
