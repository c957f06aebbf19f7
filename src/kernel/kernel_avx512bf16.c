/* AVX-512 VNNI, and VDPBF16PS for attention: two products in each of sixteen lanes. */
#include "kernel/bfloat16.h"
#include "kernel/tile_vnni.h"

#define KERNEL_TABLE kernel_avx512bf16
#define KERNEL_NAME  "avx512bf16"

static void attend_bf16(size_t n, size_t head_size, const float *query, const float *key,
                        const float *value, size_t ld, float *context, size_t ldc, void *scratch);
#define ATTEND_BF16 attend_bf16
/* It comes after the loops, of which it uses some. */

#include "kernel/scan_vnni512.h"

#include "kernel/kernel_loops.h"

#define PANEL_ROWS 8 /* 8 x 2 registers of sums */

/* product [16][n] = a [16][k] times panels of b, which are panel_size apart; n a multiple
 * of 32, k of 2. Only 8 rows when there are no more. */
static inline void multiply_panels(size_t rows, size_t n, size_t k, const uint16_t *a,
                                   size_t lda, const uint16_t *b, size_t panel_size,
                                   float *product)
{
    for (size_t i = 0; i < rows; i += PANEL_ROWS, a += PANEL_ROWS * lda) {
        for (size_t j = 0; j < n; j += 32) {
            const uint16_t *b0 = b + j / 16 * panel_size, *b1 = b0 + panel_size;
            float *out = product + i * n + j;
            __m512 sum[PANEL_ROWS][2];

#pragma GCC unroll 8
            for (size_t r = 0; r < PANEL_ROWS; r++)
                sum[r][0] = sum[r][1] = _mm512_setzero_ps();
            for (size_t l = 0; l < k; l += 2) {
                const __m512bh w0 = (__m512bh)_mm512_load_si512(b0 + 16 * l);
                const __m512bh w1 = (__m512bh)_mm512_load_si512(b1 + 16 * l);

#pragma GCC unroll 8
                for (size_t r = 0; r < PANEL_ROWS; r++) {
                    int32_t two;
                    __m512bh x;

                    memcpy(&two, a + r * lda + l, sizeof two);
                    x = (__m512bh)_mm512_set1_epi32(two);
                    sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, w0);
                    sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, w1);
                }
            }
#pragma GCC unroll 8
            for (size_t r = 0; r < PANEL_ROWS; r++) {
                _mm512_store_ps(out + r * n, sum[r][0]);
                _mm512_store_ps(out + r * n + 16, sum[r][1]);
            }
        }
    }
}

#include "kernel/attention_bf16.h"
