/* A tile of int8 products by VPDPBUSD on 512 bits: sixteen outputs, four inputs each, an
 * instruction. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

#define TILE_ROWS    12 /* 12 x 2 registers of sums of the 32 */

/* rows is a constant wherever this is called, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void
multiply_rows(size_t n_in, size_t rows, const uint8_t *x, const int8_t *w,
              int32_t (*product)[I8_OUTPUTS])
{
    const int8_t *w1 = w + 16 * n_in;
    __m512i sum[TILE_ROWS][2];

#pragma GCC unroll 12
    for (size_t i = 0; i < rows; i++)
        sum[i][0] = sum[i][1] = _mm512_setzero_si512();
    for (size_t k = 0; k < n_in; k += 4) {
        const __m512i b0 = _mm512_load_si512(w + 16 * k), b1 = _mm512_load_si512(w1 + 16 * k);

#pragma GCC unroll 12
        for (size_t i = 0; i < rows; i++) {
            int32_t four;
            __m512i a;

            memcpy(&four, x + i * n_in + k, sizeof four);
            a = _mm512_set1_epi32(four);
            sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], a, b0);
            sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], a, b1);
        }
    }
#pragma GCC unroll 12
    for (size_t i = 0; i < rows; i++) {
        _mm512_store_si512(product[i], sum[i][0]);
        _mm512_store_si512(product[i] + 16, sum[i][1]);
    }
}

static void multiply_tile(size_t n_in, size_t rows, const uint8_t *x, const int8_t *w,
                          int32_t (*product)[I8_OUTPUTS])
{
    switch (rows) { /* the rows of padding that 8 and 12 take along are not used */
    case 1:
        multiply_rows(n_in, 1, x, w, product);
        break;
    case 2:
        multiply_rows(n_in, 2, x, w, product);
        break;
    case 3:
    case 4:
        multiply_rows(n_in, 4, x, w, product);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        multiply_rows(n_in, 8, x, w, product);
        break;
    default:
        multiply_rows(n_in, 12, x, w, product);
    }
}
