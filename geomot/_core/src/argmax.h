/* Maximising sites max_i <x, y_i> + h_i in float32, with the runner-up, over many points x.
 *
 * The matrix of scores is never written. Sites stand in tiles of TILE columns, [tile][coordinate]
 * [TILE], and a register block of points runs over them; per point and tile (or block of tiles)
 * only the maxima of each vector lane are kept. Then the largest is searched, and the few sites
 * behind it are scored again for the index; for the runner-up the same without the winner.
 *
 * Of equal scores the lowest index wins. The result of a point does not depend on the points beside
 * it; its last bits depend on the vector width, since wider machines fuse products and sums.
 */
#ifndef GEOMOT_ARGMAX_H
#define GEOMOT_ARGMAX_H

#include <stddef.h>
#include <stdint.h>

enum {
    TILE = 64,  /* sites per tile */
    BLOCK = 256,  /* heights and tiles are padded to multiples of this many sites */
    SIDE = 16,  /* points per side of a product group: SIDE * SIDE pairs */
    STRETCH = 64  /* coordinates that are summed before the sum joins those of others */
};

/* Coordinates [begin, end) of n sites (n, d) as tiles; columns beyond n are zero. */
void argmax_pack(const float* sites, ptrdiff_t n, ptrdiff_t d, ptrdiff_t begin, ptrdiff_t end,
                 float* tiles);

/* Single points.
 *
 * points (m, d) IN, tiles IN, heights (n padded to BLOCK, -inf beyond n) IN,
 * first (m) OUT, best (m) OUT; second, runner (m) OUT or both NULL: -1 and -inf if n is 1.
 * If only second is NULL, what matters is whether winners are ahead of all others by more than
 * lead (m) IN: where they are not, best - runner is at most that, and elsewhere it is more.
 * Returns 0, or -1 if memory is short.
 */
int argmax_points(const float* points, ptrdiff_t m, ptrdiff_t d, const float* tiles,
                  const float* heights, ptrdiff_t n, const float* lead, int32_t* first, float* best,
                  int32_t* second, float* runner);

/* Single points in few dimensions (d <= NEAR_DIMENSIONS), skipping tiles that cannot hold a winner.
 *
 * The sites should stand in an order in which those of a tile, and of NEAR tiles in a row, lie close
 * together. boxes IN, for each row of NEAR tiles: d lower and d upper ends of the tiles' bounding
 * boxes and the largest weights 2 h + |y|^2 in them, NEAR floats each; rows IN, for all rows: the
 * same, n_rows floats each, n_rows a multiple of NEAR. slack: what rounding may add to a bound.
 * Of equal scores the one met first wins. Otherwise as argmax_points.
 */
enum { NEAR = 16, NEAR_DIMENSIONS = 8 };
int argmax_near(const float* points, ptrdiff_t m, ptrdiff_t d, const float* tiles,
                const float* heights, ptrdiff_t n, const float* boxes, const float* rows,
                ptrdiff_t n_rows, float slack, const float* lead, int32_t* first, float* best,
                int32_t* second, float* runner);

/* Product groups: all pairs of SIDE left halves with SIDE right halves of points.
 *
 * left (groups, SIDE, dl), right (groups, SIDE, dr) IN, tiles of either half IN, heights IN,
 * first (groups, SIDE, SIDE) OUT, left index first; the other outputs likewise.
 */
int argmax_pairs(const float* left, const float* right, ptrdiff_t groups, ptrdiff_t dl,
                 ptrdiff_t dr, const float* left_tiles, const float* right_tiles,
                 const float* heights, ptrdiff_t n, const float* lead, int32_t* first, float* best,
                 int32_t* second, float* runner);

/* Name of the instruction set in use. */
const char* argmax_instructions(void);

/* Use the given one, for tests; 0 if this machine lacks it. */
int argmax_use(const char* instructions);

#endif
