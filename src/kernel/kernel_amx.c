/* Intel's Advanced Matrix Extensions: registers of 16 rows of 64 bytes, and an
 * instruction that multiplies two of them. Four hold the sums of a tile of 32 rows and
 * 32 outputs. Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1,
 * chapter 18. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

#define KERNEL_TABLE kernel_amx
#define KERNEL_NAME  "amx"
#define TILE_ROWS    32

#define TILES_NEED_SETUP

static inline void tiles_begin(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes_per_row[16];
        uint8_t rows[16];
    } config __attribute__((aligned(64)));

    memset(&config, 0, sizeof config);
    config.palette = 1;
    for (int i = 0; i < 8; i++) {
        config.bytes_per_row[i] = 64;
        config.rows[i] = 16;
    }
    _tile_loadconfig(&config);
}

static inline void tiles_end(void)
{
    _tile_release();
}

/* Up to 32 rows. Rows of padding are multiplied too, into sums that nobody reads. */
static void multiply_32(size_t n_in, const uint8_t *x, const int8_t *w,
                        int32_t (*product)[I8_OUTPUTS])
{
    const int8_t *w1 = w + 16 * n_in;

    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t k = 0; k < n_in; k += 64) {
        _tile_loadd(4, x + k, n_in);
        _tile_loadd(6, w + 16 * k, 64);
        _tile_loadd(7, w1 + 16 * k, 64);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(5, x + 16 * n_in + k, n_in);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_stored(0, product[0], sizeof *product);
    _tile_stored(1, product[0] + 16, sizeof *product);
    _tile_stored(2, product[16], sizeof *product);
    _tile_stored(3, product[16] + 16, sizeof *product);
}

/* Up to 16 rows, as a question has: memory is what limits this, and the weights that
 * come next are asked for while these are used. */
static void multiply_16(size_t n_in, const uint8_t *x, const int8_t *w,
                        int32_t (*product)[I8_OUTPUTS])
{
    const int8_t *w1 = w + 16 * n_in;
    const int8_t *ahead = w + 32 * n_in;

    _tile_zero(0);
    _tile_zero(1);
    for (size_t k = 0; k < n_in; k += 64) {
        _tile_loadd(4, x + k, n_in);
        _tile_loadd(6, w + 16 * k, 64);
        _tile_loadd(7, w1 + 16 * k, 64);
        for (size_t line = 0; line < 2048; line += 64)
            _mm_prefetch(ahead + 32 * k + line, _MM_HINT_T0);
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
    }
    _tile_stored(0, product[0], sizeof *product);
    _tile_stored(1, product[0] + 16, sizeof *product);
}

static void multiply_tile(size_t n_in, size_t rows, const uint8_t *x, const int8_t *w,
                          int32_t (*product)[I8_OUTPUTS])
{
    if (rows > 16)
        multiply_32(n_in, x, w, product);
    else
        multiply_16(n_in, x, w, product);
}

#include "kernel/kernel_loops.h"
