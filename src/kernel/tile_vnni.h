/* A tile of int8 products by VPDPBUSD on 512 bits: sixteen outputs, four inputs each, an
 * instruction. Six rows by four panels of sixteen outputs are 24 registers of sums and ask for
 * ten loads a step, where twelve rows by two panels ask for fourteen and are slower by that. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

#define TILE_ROWS   6
#define TILE_PANELS 4

/* Which side of a product has the bytes from -128 to 127; the other's are 0 to 255. */
enum signs { UNSIGNED_ROWS, SIGNED_ROWS };

/* A row's sums with each panel. */
struct sums {
    __m512i panel[TILE_PANELS];
};

static inline __m512i multiply_add(enum signs signs, __m512i sum, __m512i row, __m512i panel)
{
    return signs == UNSIGNED_ROWS ? _mm512_dpbusd_epi32(sum, row, panel)
                                  : _mm512_dpbusd_epi32(sum, panel, row);
}

/* Four numbers of a row times those of each panel. */
static inline __attribute__((always_inline)) void
multiply_row(size_t panels, enum signs signs, const char *x, const struct sums *b,
             struct sums *sum)
{
    int32_t four;
    __m512i a;

    memcpy(&four, x, sizeof four);
    a = _mm512_set1_epi32(four);
    sum->panel[0] = multiply_add(signs, sum->panel[0], a, b->panel[0]);
    sum->panel[1] = multiply_add(signs, sum->panel[1], a, b->panel[1]);
    if (panels > 2) {
        sum->panel[2] = multiply_add(signs, sum->panel[2], a, b->panel[2]);
        sum->panel[3] = multiply_add(signs, sum->panel[3], a, b->panel[3]);
    }
}

/* GCC 12 puts sums that anything but a store comes after into memory, at every step, unless
 * something between the two seems to change them. */
static inline __attribute__((always_inline)) void keep_in_registers(size_t panels,
                                                                    struct sums *sum)
{
    __asm__("" : "+v"(sum->panel[0]), "+v"(sum->panel[1]));
    if (panels > 2)
        __asm__("" : "+v"(sum->panel[2]), "+v"(sum->panel[3]));
}

/* sum = x [rows][ldx] times two or four panels, which are panel_size apart, over k numbers of
 * each row, a multiple of 4. rows, panels and signs are constants wherever this is called, and
 * no loop goes over rows or panels: so the sums stay in registers. */
static inline __attribute__((always_inline)) void
multiply_rows(size_t rows, size_t panels, enum signs signs, size_t k, const void *x, size_t ldx,
              const void *w, size_t panel_size, struct sums sum[TILE_ROWS])
{
    const __m512i zero = _mm512_setzero_si512();
    const char *row = x, *panel = w;

    sum[0] = sum[1] = sum[2] = sum[3] = sum[4] = sum[5] =
        (struct sums){ { zero, zero, zero, zero } };
    for (size_t l = 0; l < k; l += 4, row += 4, panel += 64) {
        struct sums b = { { _mm512_load_si512(panel), _mm512_load_si512(panel + panel_size) } };

        if (panels > 2) {
            b.panel[2] = _mm512_load_si512(panel + 2 * panel_size);
            b.panel[3] = _mm512_load_si512(panel + 3 * panel_size);
        }
        multiply_row(panels, signs, row, &b, &sum[0]);
        if (rows > 1)
            multiply_row(panels, signs, row + ldx, &b, &sum[1]);
        if (rows > 2)
            multiply_row(panels, signs, row + 2 * ldx, &b, &sum[2]);
        if (rows > 3)
            multiply_row(panels, signs, row + 3 * ldx, &b, &sum[3]);
        if (rows > 4)
            multiply_row(panels, signs, row + 4 * ldx, &b, &sum[4]);
        if (rows > 5)
            multiply_row(panels, signs, row + 5 * ldx, &b, &sum[5]);
    }
    keep_in_registers(panels, &sum[0]);
    keep_in_registers(panels, &sum[1]);
    keep_in_registers(panels, &sum[2]);
    keep_in_registers(panels, &sum[3]);
    keep_in_registers(panels, &sum[4]);
    keep_in_registers(panels, &sum[5]);
}
