/* See argmax.h: helpers, and the choice of an instruction set at run time. */
#include "argmax.h"

#include <math.h>
#include <string.h>

#include "compiler.h"

#if defined(VECTOR_TYPES) && defined(__ARM_FEATURE_FMA)
#include <arm_neon.h>
#define NEON_FMA 1
#endif

/* A panel of sites takes half of a second-level cache of 1 MB. */
static ptrdiff_t panel_tiles(ptrdiff_t d)
{
    const ptrdiff_t tiles = (512 * 1024) / (4 * TILE * (d + 1));
    return tiles < 4 ? 4 : tiles > 64 ? 64 : tiles;
}

/* Blocks in a panel of the product kernel: both halves' rows and the maxima stay below 1 MB. */
enum { PAIR_PANEL = 16 };

static const float no_heights[BLOCK];

static float* scratch(ptrdiff_t count)
{
    return acquire((size_t)count * sizeof(float));
}

static void clear(ptrdiff_t m, int32_t* first, float* best, int32_t* second, float* runner)
{
    for (ptrdiff_t q = 0; q < m; q++) {
        first[q] = -1;
        best[q] = -INFINITY;
        if (second != NULL)
            second[q] = -1;
        if (runner != NULL)
            runner[q] = -INFINITY;
    }
}

/* Points (m, d) as [group][d][rows]; the last group is filled with copies of the last point. */
static void interleave(const float* points, ptrdiff_t m, ptrdiff_t d, int rows, float* out)
{
    for (ptrdiff_t g = 0; g < m; g += rows)
        for (int p = 0; p < rows; p++) {
            const float* from = points + (g + p < m ? g + p : m - 1) * d;
            for (ptrdiff_t k = 0; k < d; k++)
                out[g * d + k * rows + p] = from[k];
        }
}

#include "assign_contest.h"

/* Eight float64 numbers, one vector where there are such types: a float64 score takes in products,
 * each rounded before it is added. */
#ifdef VECTOR_TYPES
typedef double eight __attribute__((vector_size(8 * GROUP_SITES), aligned(8), may_alias));
#define SCALED(out, s, p) ((out) = (s) * *(const eight*)(p))
#define ADD_SCALED(out, s, p) ((out) += (s) * *(const eight*)(p))
#define SPILL(out, p) (*(eight*)(p) = (out))
#else
typedef struct {
    double lane[GROUP_SITES];
} eight;
#define EACH_LANE for (int lane = 0; lane < GROUP_SITES; lane++)
#define SCALED(out, s, p) EACH_LANE (out).lane[lane] = (s) * (p)[lane]
#define ADD_SCALED(out, s, p) EACH_LANE (out).lane[lane] += (s) * (p)[lane]
#define SPILL(out, p) EACH_LANE (p)[lane] = (out).lane[lane]
#endif

#ifdef X86

#define LANES 16
#define ROWS 8
#define TARGET TARGET_AVX512
#define NAME(x) x##_avx512
#define VEC __m512
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define WIDE(s) _mm512_set1_ps(s)
#define SUM(a, b) _mm512_add_ps(a, b)
#define LESS(a, b) _mm512_sub_ps(a, b)
#define PLUS(s, a, b) _mm512_fmadd_ps(a, b, s)
#define MINUS(s, a, b) _mm512_fnmadd_ps(a, b, s)
#define LARGER(a, b) _mm512_max_ps(a, b)
#define EQUAL(a, s) ((unsigned)_mm512_cmp_ps_mask(a, _mm512_set1_ps(s), _CMP_EQ_OQ))
#define ATLEAST(a, s) ((unsigned)_mm512_cmp_ps_mask(a, _mm512_set1_ps(s), _CMP_GE_OQ))
#define PEAK(a) _mm512_reduce_max_ps(a)
#include "argmax_kernel.h"
#include "assign_kernel.h"
#include "argmax_undef.h"

TARGET_AVX2 static inline float largest_lane_avx2(__m256 a)
{
    __m128 v = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    v = _mm_max_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_max_ss(v, _mm_shuffle_ps(v, v, 1)));
}

#define LANES 8
#define ROWS 4
#define TARGET TARGET_AVX2
#define NAME(x) x##_avx2
#define VEC __m256
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define WIDE(s) _mm256_set1_ps(s)
#define SUM(a, b) _mm256_add_ps(a, b)
#define LESS(a, b) _mm256_sub_ps(a, b)
#define PLUS(s, a, b) _mm256_fmadd_ps(a, b, s)
#define MINUS(s, a, b) _mm256_fnmadd_ps(a, b, s)
#define LARGER(a, b) _mm256_max_ps(a, b)
#define EQUAL(a, s) \
    ((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_set1_ps(s), _CMP_EQ_OQ)))
#define ATLEAST(a, s) \
    ((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_set1_ps(s), _CMP_GE_OQ)))
#define PEAK(a) largest_lane_avx2(a)
#include "argmax_kernel.h"
#include "assign_kernel.h"
#include "argmax_undef.h"

#endif

/* Four lanes with nothing but vector arithmetic (SSE2, NEON and others), or one by one. */
#ifdef VECTOR_TYPES
typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t quad_mask __attribute__((vector_size(16), aligned(4), may_alias));
#define LANE(a, k) ((a)[k])

static inline quad larger_quad(quad a, quad b)
{
    const quad_mask take = (quad_mask)(a > b);
    return (quad)((take & (quad_mask)a) | (~take & (quad_mask)b));
}

#define LOAD(p) (*(const quad*)(p))
#define STORE(p, v) (*(quad*)(p) = (v))
#define WIDE(s) ((quad){(s), (s), (s), (s)})
#define SUM(a, b) ((a) + (b))
#define LESS(a, b) ((a) - (b))
#ifdef NEON_FMA
#define PLUS(s, a, b) ((quad)vfmaq_f32((float32x4_t)(s), (float32x4_t)(a), (float32x4_t)(b)))
#define MINUS(s, a, b) ((quad)vfmsq_f32((float32x4_t)(s), (float32x4_t)(a), (float32x4_t)(b)))
#else
#define PLUS(s, a, b) ((s) + (a) * (b))
#define MINUS(s, a, b) ((s) - (a) * (b))
#endif

#else
typedef struct {
    float lane[4];
} quad;
#define LANE(a, k) ((a).lane[k])

#define LANEWISE(name, value)              \
    static inline quad name(quad a, quad b) \
    {                                      \
        quad out;                          \
        for (int k = 0; k < 4; k++)        \
            out.lane[k] = (value);         \
        return out;                        \
    }
LANEWISE(larger_quad, a.lane[k] > b.lane[k] ? a.lane[k] : b.lane[k])
LANEWISE(sum_quad, a.lane[k] + b.lane[k])
LANEWISE(less_quad, a.lane[k] - b.lane[k])
LANEWISE(product_quad, a.lane[k] * b.lane[k])

static inline quad load_quad(const float* from)
{
    quad out;
    memcpy(&out, from, sizeof out);
    return out;
}

static inline quad wide_quad(float s)
{
    quad out = {{s, s, s, s}};
    return out;
}

#define LOAD(p) load_quad(p)
#define STORE(p, v)                      \
    do {                                 \
        const quad stored = (v);         \
        memcpy((p), &stored, sizeof stored); \
    } while (0)
#define WIDE(s) wide_quad(s)
#define SUM(a, b) sum_quad(a, b)
#define LESS(a, b) less_quad(a, b)
#define PLUS(s, a, b) sum_quad(s, product_quad(a, b))
#define MINUS(s, a, b) less_quad(s, product_quad(a, b))
#endif

static inline unsigned equal_quad(quad a, float s)
{
    return (unsigned)((LANE(a, 0) == s) | (LANE(a, 1) == s) << 1 | (LANE(a, 2) == s) << 2
                      | (LANE(a, 3) == s) << 3);
}

static inline unsigned at_least_quad(quad a, float s)
{
    return (unsigned)((LANE(a, 0) >= s) | (LANE(a, 1) >= s) << 1 | (LANE(a, 2) >= s) << 2
                      | (LANE(a, 3) >= s) << 3);
}

static inline float largest_lane_quad(quad a)
{
    const float u = LANE(a, 0) > LANE(a, 1) ? LANE(a, 0) : LANE(a, 1);
    const float v = LANE(a, 2) > LANE(a, 3) ? LANE(a, 2) : LANE(a, 3);
    return u > v ? u : v;
}

#define LANES 4
#define ROWS 4
#define TARGET
#define NAME(x) x##_plain
#define VEC quad
#define LARGER(a, b) larger_quad(a, b)
#define EQUAL(a, s) equal_quad(a, s)
#define ATLEAST(a, s) at_least_quad(a, s)
#define PEAK(a) largest_lane_quad(a)
#include "argmax_kernel.h"
#include "assign_kernel.h"
#include "argmax_undef.h"

typedef struct {
    const char* name;
    int (*points)(const float*, ptrdiff_t, ptrdiff_t, const float*, const float*, ptrdiff_t,
                  const float*, int32_t*, float*, int32_t*, float*);
    int (*near)(const float*, ptrdiff_t, ptrdiff_t, const float*, const float*, ptrdiff_t,
                const float*, const float*, ptrdiff_t, float, const float*, int32_t*, float*,
                int32_t*, float*);
    int (*pairs)(const float*, const float*, ptrdiff_t, ptrdiff_t, ptrdiff_t, const float*,
                 const float*, const float*, ptrdiff_t, const float*, int32_t*, float*, int32_t*,
                 float*);
    int (*assign_tiles)(const AssignSites*, const double*, ptrdiff_t, ptrdiff_t, ptrdiff_t,
                        Contest*);
    int (*assign_near)(const AssignSites*, const double*, ptrdiff_t, Contest*);
    int (*assign_finish)(const AssignSites*, const double*, ptrdiff_t, Contest*, int64_t*);
} Kernels;

#define KERNELS(set)                                                               \
    {#set, points_##set, near_##set, pairs_##set, assign_tiles_##set, assign_near_##set, \
     assign_finish_##set}

static const Kernels available[] = {
#ifdef X86
    KERNELS(avx512),
    KERNELS(avx2),
#endif
    KERNELS(plain),
};

static int supported(const Kernels* kernels)
{
#ifdef X86
    if (strcmp(kernels->name, "avx512") == 0)
        return has_avx(1);
    if (strcmp(kernels->name, "avx2") == 0)
        return has_avx(0);
#endif
    return strcmp(kernels->name, "plain") == 0;
}

static const Kernels* chosen;

static const Kernels* kernels(void)
{
    if (chosen == NULL) {
        size_t k = 0;
        while (!supported(&available[k]))
            k++;
        chosen = &available[k];
    }
    return chosen;
}

const char* argmax_instructions(void)
{
    return kernels()->name;
}

int argmax_use(const char* instructions)
{
    for (size_t k = 0; k < sizeof available / sizeof *available; k++)
        if (strcmp(available[k].name, instructions) == 0 && supported(&available[k])) {
            chosen = &available[k];
            return 1;
        }
    return 0;
}

int assign_tiles(const AssignSites* sites, const double* points, ptrdiff_t m, ptrdiff_t begin,
                 ptrdiff_t end, Contest* contests)
{
    return kernels()->assign_tiles(sites, points, m, begin, end, contests);
}

int assign_near(const AssignSites* sites, const double* points, ptrdiff_t m, Contest* contests)
{
    return kernels()->assign_near(sites, points, m, contests);
}

int assign_finish(const AssignSites* sites, const double* points, ptrdiff_t m, Contest* contests,
                  int64_t* labels)
{
    return kernels()->assign_finish(sites, points, m, contests, labels);
}

void argmax_pack(const float* sites, ptrdiff_t n, ptrdiff_t d, ptrdiff_t begin, ptrdiff_t end,
                 float* tiles)
{
    const ptrdiff_t padded = (n + BLOCK - 1) / BLOCK * BLOCK;
    for (ptrdiff_t t = 0; t < padded; t += TILE)
        for (ptrdiff_t k = begin; k < end; k++)
            for (ptrdiff_t i = 0; i < TILE; i++)
                *tiles++ = t + i < n ? sites[(t + i) * d + k] : 0.0f;
}

int argmax_points(const float* points, ptrdiff_t m, ptrdiff_t d, const float* tiles,
                  const float* heights, ptrdiff_t n, const float* lead, int32_t* first, float* best,
                  int32_t* second, float* runner)
{
    return kernels()->points(points, m, d, tiles, heights, n, lead, first, best, second, runner);
}

int argmax_near(const float* points, ptrdiff_t m, ptrdiff_t d, const float* tiles,
                const float* heights, ptrdiff_t n, const float* boxes, const float* rows,
                ptrdiff_t n_rows, float slack, const float* lead, int32_t* first, float* best,
                int32_t* second, float* runner)
{
    return kernels()->near(points, m, d, tiles, heights, n, boxes, rows, n_rows, slack, lead, first,
                           best, second, runner);
}

int argmax_pairs(const float* left, const float* right, ptrdiff_t groups, ptrdiff_t dl,
                 ptrdiff_t dr, const float* left_tiles, const float* right_tiles,
                 const float* heights, ptrdiff_t n, const float* lead, int32_t* first, float* best,
                 int32_t* second, float* runner)
{
    return kernels()->pairs(left, right, groups, dl, dr, left_tiles, right_tiles, heights, n, lead,
                            first, best, second, runner);
}
