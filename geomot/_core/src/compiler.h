/* What compilers call by different names, or lack. The kernels are C11 beside this file and the
 * vector types in argmax.c.
 *
 * GNU C stands for gcc and clang; others are MSVC. GEOMOT_PLAIN_C makes gcc and clang take the way of
 * compilers without vector types, so that this way can be tested with them.
 */
#ifndef GEOMOT_COMPILER_H
#define GEOMOT_COMPILER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
#define X86 1
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

#if defined(_WIN32)
#include <malloc.h>
#endif
#ifdef _MSC_VER
#include <intrin.h>
#endif

/* Types for vectors of any size, with arithmetic. */
#if defined(__GNUC__) && !defined(GEOMOT_PLAIN_C)
#define VECTOR_TYPES 1
#endif

/* INLINE is for what is called once per tile: in few dimensions a call would take a tenth of the
 * time. The targets let functions use instructions that the rest of the file may not. */
#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma")))
#define TARGET_AVX2 __attribute__((target("avx2,fma")))
#else
#define INLINE static __forceinline
#define TARGET_AVX512
#define TARGET_AVX2
#endif

/* Number of zeros below the lowest bit that is set; the argument is not 0. */
static inline int trailing_zeros(unsigned bits)
{
#ifdef __GNUC__
    return __builtin_ctz(bits);
#else
    unsigned long at;
    _BitScanForward(&at, bits);
    return (int)at;
#endif
}

static inline int trailing_zeros64(uint64_t bits)
{
#ifdef __GNUC__
    return __builtin_ctzll(bits);
#else
    unsigned long at;
    _BitScanForward64(&at, bits);
    return (int)at;
#endif
}

/* Number of bits that are set. */
static inline int ones(unsigned bits)
{
#ifdef __GNUC__
    return __builtin_popcount(bits);
#else
    int count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
#endif
}

/* Memory that starts at a cache line, NULL if it is short; `release` frees it. */
static inline void* acquire(size_t bytes)
{
#ifdef _WIN32
    return _aligned_malloc(bytes, 64);
#else
    void* memory = NULL;
    return posix_memalign(&memory, 64, bytes) == 0 ? memory : NULL;
#endif
}

static inline void release(void* memory)
{
#ifdef _WIN32
    _aligned_free(memory);
#else
    free(memory);
#endif
}

#ifdef X86

static inline void processor_facts(unsigned leaf, unsigned facts[4])
{
#ifdef _MSC_VER
    int values[4];
    __cpuidex(values, (int)leaf, 0);
    for (int i = 0; i < 4; i++)
        facts[i] = (unsigned)values[i];
#else
    if (!__get_cpuid_count(leaf, 0, &facts[0], &facts[1], &facts[2], &facts[3]))
        facts[0] = facts[1] = facts[2] = facts[3] = 0;
#endif
}

/* Registers that the system saves when it switches threads, as bits of XCR0. */
static inline unsigned saved_registers(void)
{
#ifdef _MSC_VER
    return (unsigned)_xgetbv(0);
#else
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

/* Whether the processor and the system support AVX2 with FMA, and AVX-512 F, DQ, BW and VL. */
static inline int has_avx(int wide)
{
    const unsigned fma = 1u << 12, xsave = 1u << 27, avx = 1u << 28, avx2 = 1u << 5;
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    const unsigned halves = 0x06, all = 0xe6;  /* of registers: SSE and AVX; the same and AVX-512 */
    unsigned facts[4];
    processor_facts(0, facts);
    if (facts[0] < 7)
        return 0;
    processor_facts(1, facts);
    if ((facts[2] & (fma | xsave | avx)) != (fma | xsave | avx))
        return 0;
    if ((saved_registers() & (wide ? all : halves)) != (wide ? all : halves))
        return 0;
    processor_facts(7, facts);
    return (facts[1] & (wide ? avx512 : avx2)) == (wide ? avx512 : avx2);
}

#endif

#endif
