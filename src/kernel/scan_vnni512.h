/* The products of an 8-bit and a 4-bit row with a query, 64 numbers an instruction: for
 * every table with AVX-512 VNNI. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

/* VPDPBUSD wants one side unsigned: the row with its top bit turned over is the row plus
 * 128, for which the sum of the high bytes makes up. Sums may wrap on the way; what
 * comes out fits. */
static inline int32_t scan_row(size_t n, const int8_t *row, const struct scan_query *query)
{
    const __m512i top = _mm512_set1_epi8(-128);
    __m512i high = _mm512_setzero_si512(), low = _mm512_setzero_si512();

    for (size_t j = 0; j < n; j += 64) {
        const __m512i a = _mm512_load_si512(row + j);

        high = _mm512_dpbusd_epi32(high, _mm512_xor_si512(a, top),
                                   _mm512_loadu_si512(query->high + j));
        low = _mm512_dpbusd_epi32(low, _mm512_loadu_si512(query->low + j), a);
    }
    low = _mm512_add_epi32(low, _mm512_slli_epi32(high, 7));
    return (int32_t)((uint32_t)_mm512_reduce_add_epi32(low) -
                     UINT32_C(128) * 128 * (uint32_t)query->high_sum);
}

static inline int32_t scan_row_u4(size_t n, const uint8_t *row, const int8_t *query)
{
    const __m512i low_half = _mm512_set1_epi8(15);
    __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512();

    for (size_t j = 0; j < n; j += U4_INPUTS, row += U4_INPUTS / 2) {
        const __m512i both = _mm512_load_si512(row);

        low = _mm512_dpbusd_epi32(low, _mm512_and_si512(both, low_half),
                                  _mm512_loadu_si512(query + j));
        high = _mm512_dpbusd_epi32(high,
                                   _mm512_and_si512(_mm512_srli_epi16(both, 4), low_half),
                                   _mm512_loadu_si512(query + j + U4_INPUTS / 2));
    }
    return _mm512_reduce_add_epi32(_mm512_add_epi32(low, high));
}
