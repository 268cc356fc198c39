/* What the kernels of assign.h share that is not vector code: points, contests and the queue. */
#ifndef GEOMOT_ASSIGN_CONTEST_H
#define GEOMOT_ASSIGN_CONTEST_H

#include <math.h>
#include <stdlib.h>

#include "assign.h"

/* Points farther out than this many times the sites' extent are not looked at in float32. */
#define FAR 0x1p60

/* Groups that are scored side by side. */
enum { CHAINS = 4 };

typedef struct {
    Contest* contest;
    const double* x;
    int32_t group;
} Entry;

/* Groups of contenders that wait for their scores. */
typedef struct {
    const AssignSites* sites;
    double share;  /* c of (1) in assign.h */
    double* points;  /* coordinates of the last CHAINS points */
    int turn;
    int count;
    Entry entries[CHAINS];
} Queue;

/* The number c, infinite where float32 sums have no meaning. */
static double error_share(ptrdiff_t d)
{
    const ptrdiff_t n = (d < STRETCH ? d : STRETCH) + (d + STRETCH - 1) / STRETCH + 2;
    const double rounding = (double)n * 0x1p-24;
    if (rounding > 0.25)
        return INFINITY;
    const double gamma = rounding / (1.0 - rounding);
    return gamma / (1.0 - gamma) * (1.0 + 0x1p-16);
}

static int open_queue(Queue* queue, const AssignSites* sites)
{
    queue->sites = sites;
    queue->share = error_share(sites->d);
    queue->turn = queue->count = 0;
    queue->points = malloc((size_t)(CHAINS * sites->d) * sizeof(double));
    return queue->points == NULL ? -1 : 0;
}

static void close_queue(Queue* queue)
{
    free(queue->points);
}

/* A point in the sites' frame, in float64; it stays until CHAINS - 1 others have been asked for. */
static const double* framed(Queue* queue, const Contest* contest, const double* point)
{
    const ptrdiff_t d = queue->sites->d;
    double* x = queue->points + queue->turn * d;
    queue->turn = (queue->turn + 1) % CHAINS;
    for (ptrdiff_t k = 0; k < d; k++)
        x[k] = (point[k] - queue->sites->centre[k]) * contest->factor;
    return x;
}

/* The same in float32, coordinates `stride` apart; 0 where float32 would tell nothing. */
static void rounded(const AssignSites* sites, const Contest* contest, const double* point,
                    float* out, ptrdiff_t stride)
{
    for (ptrdiff_t k = 0; k < sites->d; k++)
        out[k * stride] =
            contest->blind ? 0.0f : (float)((point[k] - sites->centre[k]) * contest->factor);
}

static double largest(const float* values, ptrdiff_t count)
{
    float most = values[0];
    for (ptrdiff_t i = 1; i < count; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

/* Largest float32 number s, or little less, such that s + share |s| < bound for all below it. */
static float lowest_score(double bound, double share)
{
    const double s = bound / (bound < 0.0 ? 1.0 - share : 1.0 + share);
    return nextafterf((float)s, -INFINITY);
}

/* Forget held groups that cannot contain the winner. */
static void drop_beaten(Contest* contest)
{
    int kept = 0;
    for (int i = 0; i < contest->held; i++)
        if (contest->upper[i] >= contest->least) {
            contest->group[kept] = contest->group[i];
            contest->upper[kept++] = contest->upper[i];
        }
    contest->held = kept;
}

/* Take the float64 scores of a group into its contest. */
static void settle(const Entry* entry, const AssignSites* sites, const double* scores)
{
    Contest* contest = entry->contest;
    const int32_t first = entry->group / GROUPS * TILE + entry->group % GROUPS;
    for (int i = 0; i < GROUP_SITES; i++)
        if (scores[i] >= contest->best && scores[i] > -INFINITY) {
            const int32_t place = first + i * GROUPS;
            const int32_t site = sites->order == NULL ? place : sites->order[place];
            if (scores[i] > contest->best || site < contest->label)
                contest->label = site;
            contest->best = scores[i];
        }
}

void assign_start(const AssignSites* sites, const double* points, ptrdiff_t m, Contest* contests)
{
    const ptrdiff_t d = sites->d;
    const double share = error_share(d);
    for (ptrdiff_t q = 0; q < m; q++) {
        Contest* contest = &contests[q];
        double square = 0.0, extent = 0.0;
        for (ptrdiff_t k = 0; k < d; k++) {
            const double gap = points[q * d + k] - sites->centre[k], x = gap * sites->factor;
            square += x * x;
            extent = fabs(gap) > extent ? fabs(gap) : extent;
        }
        contest->factor = sites->factor;
        contest->shrink = 1.0;
        contest->least = contest->best = -INFINITY;
        contest->held = 0;
        contest->label = -1;
        contest->blind = share == INFINITY;
        if (!(extent * sites->factor < FAR)) {
            /* so far out that scores could overflow: all of them are made smaller */
            const int size = ilogb(extent);
            const int less = size + ilogb(sites->factor);
            contest->factor = ldexp(1.0, -size);
            contest->shrink = ldexp(1.0, less < 1000 ? -less : -1000);
            contest->blind = 1;
        }
        contest->spread = contest->blind ? 0.0 : 2.0 * share * sqrt(square);
        contest->tiny = contest->blind ? 0.0 : 0x1p-123 * (double)(d + 1) * (1.0 + sqrt(square));
    }
}

#endif
