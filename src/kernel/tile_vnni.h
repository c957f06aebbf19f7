/* A tile of int8 products by VPDPBUSD on 512 bits: sixteen outputs, four inputs each, an
 * instruction. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

#define TILE_ROWS    12 /* 12 x 2 registers of sums of the 32 */

/* Which side of a product has the bytes from -128 to 127; the other's are 0 to 255. */
enum signs { UNSIGNED_ROWS, SIGNED_ROWS };

/* product [rows][ld_product] = x [rows][ldx] times two panels, k numbers of each row, a multiple
 * of 4. rows and signs are constants wherever this is called, so that the sums stay in
 * registers. */
static inline __attribute__((always_inline)) void
multiply_rows(size_t k, size_t rows, const uint8_t *x, size_t ldx, const int8_t *w,
              size_t panel_size, enum signs signs, int32_t *product, size_t ld_product)
{
    const int8_t *w1 = w + panel_size;
    __m512i sum[TILE_ROWS][2];

#pragma GCC unroll 12
    for (size_t i = 0; i < rows; i++)
        sum[i][0] = sum[i][1] = _mm512_setzero_si512();
    for (size_t j = 0; j < k; j += 4) {
        const __m512i b0 = _mm512_load_si512(w + 16 * j), b1 = _mm512_load_si512(w1 + 16 * j);

#pragma GCC unroll 12
        for (size_t i = 0; i < rows; i++) {
            int32_t four;
            __m512i a;

            memcpy(&four, x + i * ldx + j, sizeof four);
            a = _mm512_set1_epi32(four);
            if (signs == UNSIGNED_ROWS) {
                sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], a, b0);
                sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], a, b1);
            } else {
                sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], b0, a);
                sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], b1, a);
            }
        }
    }
#pragma GCC unroll 12
    for (size_t i = 0; i < rows; i++) {
        _mm512_store_si512(product + i * ld_product, sum[i][0]);
        _mm512_store_si512(product + i * ld_product + 16, sum[i][1]);
    }
}

static inline __attribute__((always_inline)) void
multiply_tile_of(size_t k, size_t rows, const uint8_t *x, size_t ldx, const int8_t *w,
                 size_t panel_size, enum signs signs, int32_t *product, size_t ld_product)
{
    switch (rows) { /* the rows of padding that 4, 8 and 12 take along are not used */
    case 1:
        multiply_rows(k, 1, x, ldx, w, panel_size, signs, product, ld_product);
        break;
    case 2:
        multiply_rows(k, 2, x, ldx, w, panel_size, signs, product, ld_product);
        break;
    case 3:
    case 4:
        multiply_rows(k, 4, x, ldx, w, panel_size, signs, product, ld_product);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        multiply_rows(k, 8, x, ldx, w, panel_size, signs, product, ld_product);
        break;
    default:
        multiply_rows(k, 12, x, ldx, w, panel_size, signs, product, ld_product);
    }
}

/* Functions of their own: among other code, compilers run out of registers and move sums
 * around. */
static __attribute__((noinline)) void multiply_unsigned(size_t k, size_t rows, const uint8_t *x,
                                                        size_t ldx, const int8_t *w,
                                                        size_t panel_size, int32_t *product,
                                                        size_t ld_product)
{
    multiply_tile_of(k, rows, x, ldx, w, panel_size, UNSIGNED_ROWS, product, ld_product);
}

static __attribute__((noinline)) void multiply_signed(size_t k, size_t rows, const int8_t *x,
                                                      size_t ldx, const uint8_t *w,
                                                      size_t panel_size, int32_t *product,
                                                      size_t ld_product)
{
    multiply_tile_of(k, rows, (const uint8_t *)x, ldx, (const int8_t *)w, panel_size, SIGNED_ROWS,
                     product, ld_product);
}

static void multiply_tile(size_t n_in, size_t rows, const uint8_t *x, const int8_t *w,
                          int32_t (*product)[I8_OUTPUTS])
{
    multiply_unsigned(n_in, rows, x, n_in, w, 16 * n_in, product[0], I8_OUTPUTS);
}
