/* VPDPBUSD on 256 bits: four products of a byte with a signed byte, added to an int32. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

#define KERNEL_TABLE kernel_avxvnni
#define KERNEL_NAME  "avxvnni"
#define TILE_ROWS    3 /* 3 x 4 registers of sums, 3 of inputs and 1 of weights: all 16 */

static inline __m256i spread(const uint8_t *x)
{
    int32_t four;

    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}

static void multiply_tile(size_t n_in, size_t rows, const uint8_t *x, const int8_t *w,
                          int32_t (*product)[I8_OUTPUTS])
{
    const uint8_t *x1 = rows > 1 ? x + n_in : x, *x2 = rows > 2 ? x + 2 * n_in : x;
    __m256i sum[TILE_ROWS][4];

    for (int i = 0; i < 4; i++)
        sum[0][i] = sum[1][i] = sum[2][i] = _mm256_setzero_si256();
    for (size_t k = 0; k < n_in; k += 4, w += 64) {
        const __m256i a0 = spread(x + k), a1 = spread(x1 + k), a2 = spread(x2 + k);

#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) {
            __m256i b = _mm256_load_si256((const __m256i *)(w + i / 2 * 16 * n_in + i % 2 * 32));

            sum[0][i] = _mm256_dpbusd_avx_epi32(sum[0][i], a0, b);
            sum[1][i] = _mm256_dpbusd_avx_epi32(sum[1][i], a1, b);
            sum[2][i] = _mm256_dpbusd_avx_epi32(sum[2][i], a2, b);
        }
    }
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < 4; i++)
            _mm256_store_si256((__m256i *)(product[row] + 8 * i), sum[row][i]);
}

/* VPDPBUSD wants one side unsigned: the row with its top bit turned over is the row plus
 * 128, for which the sum of the high bytes makes up. Sums may wrap on the way; what
 * comes out fits. */
static inline int32_t scan_row(size_t n, const int8_t *row, const struct scan_query *query)
{
    const __m256i top = _mm256_set1_epi8(-128);
    __m256i high = _mm256_setzero_si256(), low = _mm256_setzero_si256();
    __m128i four;

    for (size_t j = 0; j < n; j += 32) {
        const __m256i a = _mm256_load_si256((const __m256i *)(row + j));

        high = _mm256_dpbusd_avx_epi32(high, _mm256_xor_si256(a, top),
                                       _mm256_loadu_si256((const __m256i *)(query->high + j)));
        low = _mm256_dpbusd_avx_epi32(low, _mm256_loadu_si256((const __m256i *)(query->low + j)),
                                      a);
    }
    low = _mm256_add_epi32(low, _mm256_slli_epi32(high, 7));
    four = _mm_add_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    four = _mm_hadd_epi32(four, four);
    return (int32_t)((uint32_t)_mm_cvtsi128_si32(_mm_hadd_epi32(four, four)) -
                     UINT32_C(128) * 128 * (uint32_t)query->high_sum);
}

static inline int32_t scan_row_u4(size_t n, const uint8_t *row, const int8_t *query)
{
    const __m256i low_half = _mm256_set1_epi8(15);
    __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
    __m128i four;

    for (size_t j = 0; j < n; j += U4_INPUTS, row += U4_INPUTS / 2) {
        for (size_t k = 0; k < U4_INPUTS / 2; k += 32) {
            const __m256i both = _mm256_load_si256((const __m256i *)(row + k));
            const __m256i *q = (const __m256i *)(query + j + k);

            low = _mm256_dpbusd_avx_epi32(low, _mm256_and_si256(both, low_half),
                                          _mm256_loadu_si256(q));
            high = _mm256_dpbusd_avx_epi32(
                high, _mm256_and_si256(_mm256_srli_epi16(both, 4), low_half),
                _mm256_loadu_si256(q + 2));
        }
    }
    low = _mm256_add_epi32(low, high);
    four = _mm_add_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    four = _mm_hadd_epi32(four, four);
    return _mm_cvtsi128_si32(_mm_hadd_epi32(four, four));
}

#include "kernel/kernel_loops.h"
