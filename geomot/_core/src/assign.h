/* Maximising sites max_i <x, y_i> + h_i in float64, at the speed of float32, over many points x.
 *
 * A site's score is a definite float64 number: it starts at the height and takes in one product of
 * coordinates after the other, every product and every sum rounded, on all machines alike. So the
 * winner depends neither on the instruction set nor on the points beside it. Of equal scores the
 * lowest index wins.
 *
 * Float32 only tells who cannot win. Let u = 2^-24. A score s computed in float32, from coordinates
 * and a height that were rounded to float32, differs from the float64 score by at most
 *
 *     gamma (|x| |y| + |h|),   gamma = n u / (1 - n u),
 *                              n = min(d, STRETCH) + ceil(d / STRETCH) + 2,
 *
 * since each term takes part in no more than n roundings: two of its factors, one of the product,
 * and those of the sums, in stretches and then of stretches (Higham, Accuracy and Stability of
 * Numerical Algorithms, 3.1; Cauchy and Schwarz). As |h| <= |s| + |x| |y|, this is within
 *
 *     c (2 |x| |y| + |s|) + tiny,   c = gamma / (1 - gamma) and a little for float64,     (1)
 *
 * where `tiny` covers underflow. All sites whose score plus its bound is not below the largest of
 * all scores less their bounds contend; the others are out.
 *
 * A vector lane of the float32 pass holds the largest of some sites of a tile. In terms of that a
 * tile has GROUPS groups: group g are its sites g, g + GROUPS, g + 2 GROUPS, ... Groups that contend
 * are scored in float64, eight sites to a vector. Few do, unless float32 cannot tell the sites
 * apart; if all do, the time is that of some seven float32 passes, in few dimensions of more.
 */
#ifndef GEOMOT_ASSIGN_H
#define GEOMOT_ASSIGN_H

#include <stddef.h>
#include <stdint.h>

#include "argmax.h"

enum {
    GROUPS = 8,  /* groups of a tile */
    GROUP_SITES = TILE / GROUPS,
    HELD = 8  /* contenders that a point keeps before their scores are computed */
};

/* Sites in a frame in which no coordinate exceeds 1, and their heights, the largest of which is 0.
 * Places are those of tiles (argmax_pack). All arrays are IN.
 */
typedef struct {
    ptrdiff_t n, d;
    const double* centre;  /* of the frame (d); points are given outside it */
    double factor;  /* what lengths are multiplied by, a power of two */
    const float* tiles;
    const float* heights;  /* padded to whole tiles with -inf */
    const float* reach;  /* largest |y| of each tile, rounded up */
    const double* groups;  /* [tile][group][coordinate][GROUP_SITES] */
    const double* group_heights;  /* [tile][group][GROUP_SITES], padded with -inf */
    const int32_t* order;  /* site at each place; NULL for the place itself */
    /* few coordinates, see argmax_near; boxes NULL otherwise */
    const float* boxes;
    const float* rows;
    ptrdiff_t n_rows;
    double longest;  /* largest |y| */
    double weight;  /* largest 2 h + |y|^2 */
} AssignSites;

/* What is known of a point: who may still win. */
typedef struct {
    double factor;  /* what its coordinates from the centre are multiplied by */
    double shrink;  /* and what heights are multiplied by: not 1 for points very far out */
    double spread;  /* 2 c |x| */
    double tiny;
    double least;  /* the winner has at least this score */
    double best;  /* largest score in float64 of contenders that are no longer held */
    double upper[HELD];  /* largest score that a held group may contain */
    int32_t group[HELD];
    int32_t held;
    int32_t label;  /* site of the best score, -1 if there is none yet */
    int blind;  /* float32 tells nothing of this point */
} Contest;

/* Begin with points (m, d) IN. */
void assign_start(const AssignSites* sites, const double* points, ptrdiff_t m, Contest* contests);

/* Take in the sites of tiles [begin, end), or those near the points; -1 if memory is short. */
int assign_tiles(const AssignSites* sites, const double* points, ptrdiff_t m, ptrdiff_t begin,
                 ptrdiff_t end, Contest* contests);
int assign_near(const AssignSites* sites, const double* points, ptrdiff_t m, Contest* contests);

/* Decide, labels (m) OUT. 0, or -1 if memory is short. */
int assign_finish(const AssignSites* sites, const double* points, ptrdiff_t m, Contest* contests,
                  int64_t* labels);

#endif
