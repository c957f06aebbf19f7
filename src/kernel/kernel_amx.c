/* Intel's Advanced Matrix Extensions: registers of 16 rows of 64 bytes, and an
 * instruction that multiplies two of them. Four hold the sums of a tile of 32 rows and
 * 32 outputs. Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1,
 * chapter 18. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/bfloat16.h"
#include "kernel/kernel.h"

#define KERNEL_TABLE kernel_amx
#define KERNEL_NAME  "amx"
#define TILE_ROWS    32

#define TILES_NEED_SETUP
#define OWN_MULTIPLY_F32
#define ATTEND_I8 attend_i8

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

/* ---- float32 ----------------------------------------------------------- */

/* A float32 as the sum of two bfloat16, high and low, loses its last 8 bits of 24.
 * Products of high with high, high with low and low with high, summed in float32, so
 * miss the exact ones by about 2^-16: Henry, Tang & Heinecke 2019, "Leveraging the
 * bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations". Three
 * products of 512 a cycle are still five times what AVX-512 does.
 *
 * Packed: panels of 16 outputs, each [n_in / 2][16][2], the high parts of a panel and
 * then its low ones. */

static inline void split(float x, uint16_t *high, uint16_t *low)
{
    const uint32_t top = bf16_of(bits_of(x)), rounded_bits = top << 16;
    float rounded;

    memcpy(&rounded, &rounded_bits, sizeof rounded);
    *high = (uint16_t)top;
    *low = (uint16_t)bf16_of(bits_of(x - rounded));
}

static void pack_f32(size_t n_out, size_t n_in, const float *w, void *packed)
{
    const size_t padded_in = (n_in + I8_INPUTS - 1) / I8_INPUTS * I8_INPUTS;
    const size_t padded_out = (n_out + I8_OUTPUTS - 1) / I8_OUTPUTS * I8_OUTPUTS;
    uint16_t *out = packed;

    memset(out, 0, padded_out * padded_in * 4);
    for (size_t o = 0; o < n_out; o++) {
        uint16_t *high = out + o / 16 * 32 * padded_in + o % 16 * 2, *low = high + 16 * padded_in;

        for (size_t i = 0; i < n_in; i++)
            split(w[o * n_in + i], &high[i / 2 * 32 + i % 2], &low[i / 2 * 32 + i % 2]);
    }
}

/* sums [32][32] of 32 rows: their high parts, n_low bfloat16 before their low ones. */
static void multiply_32_f32(size_t n_in, const uint16_t *x, size_t n_low, const uint16_t *w,
                            float (*sums)[I8_OUTPUTS])
{
    const uint16_t *w1 = w + 32 * n_in; /* the second panel */
    const size_t ld = 2 * n_in, low = 16 * n_in;

    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t k = 0; k < n_in; k += 32) {
        const uint16_t *x0 = x + k, *x1 = x + 16 * n_in + k;

        _tile_loadd(4, x0 + n_low, ld);
        _tile_loadd(6, w + 16 * k, 64);
        _tile_loadd(7, w1 + 16 * k, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, x1 + n_low, ld);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(4, x0, ld);
        _tile_loadd(5, x1, ld);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(6, w + low + 16 * k, 64);
        _tile_loadd(7, w1 + low + 16 * k, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, sums[0], sizeof *sums);
    _tile_stored(1, sums[0] + 16, sizeof *sums);
    _tile_stored(2, sums[16], sizeof *sums);
    _tile_stored(3, sums[16] + 16, sizeof *sums);
}

/* The same for up to 16, in the same order, so that a row's sums do not depend on how
 * many there are. */
static void multiply_16_f32(size_t n_in, const uint16_t *x, size_t n_low, const uint16_t *w,
                            float (*sums)[I8_OUTPUTS])
{
    const uint16_t *w1 = w + 32 * n_in;
    const size_t ld = 2 * n_in, low = 16 * n_in;

    _tile_zero(0);
    _tile_zero(1);
    for (size_t k = 0; k < n_in; k += 32) {
        _tile_loadd(4, x + k, ld);
        _tile_loadd(5, x + n_low + k, ld);
        _tile_loadd(6, w + 16 * k, 64);
        _tile_loadd(7, w1 + 16 * k, 64);
        _tile_dpbf16ps(0, 5, 6);
        _tile_dpbf16ps(1, 5, 7);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(6, w + low + 16 * k, 64);
        _tile_loadd(7, w1 + low + 16 * k, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stored(0, sums[0], sizeof *sums);
    _tile_stored(1, sums[0] + 16, sizeof *sums);
}

static void multiply_f32(const struct matrix_f32 *w, size_t n_rows, const float *x, size_t ldx,
                         size_t n_in, enum epilogue epilogue, float *y, size_t ldy,
                         void *scratch);
static void attend_i8(size_t n_queries, size_t n, size_t head_size, const float *query,
                      const float *key, const float *value, size_t ld, float *context, size_t ldc,
                      void *scratch);
/* Both come after the loops, of which they use some. */

#include "kernel/scan_vnni512.h"

#include "kernel/kernel_loops.h"

static inline void finish_row_f32(size_t n, const float *sum, const float *bias,
                                  enum epilogue epilogue, float *y)
{
    for (size_t j = 0; j < n; j++)
        y[j] = sum[j] + bias[j];
    if (epilogue == EPILOGUE_GELU)
        for (size_t j = 0; j < n; j++)
            y[j] = gelu(y[j]);
}

static void multiply_f32(const struct matrix_f32 *w, size_t n_rows, const float *x, size_t ldx,
                         size_t n_in, enum epilogue epilogue, float *y, size_t ldy, void *scratch)
{
    const size_t padded_rows = (n_rows + I8_ROWS - 1) / I8_ROWS * I8_ROWS;
    const size_t n_low = padded_rows * w->n_in;
    uint16_t *rows = scratch;
    float sums[TILE_ROWS][I8_OUTPUTS] __attribute__((aligned(64)));

    for (size_t i = 0; i < n_rows; i++) {
        uint16_t *high = rows + i * w->n_in, *low = high + n_low;

        for (size_t k = 0; k < n_in; k++)
            split(x[i * ldx + k], &high[k], &low[k]);
        memset(high + n_in, 0, (w->n_in - n_in) * sizeof *high);
        memset(low + n_in, 0, (w->n_in - n_in) * sizeof *low);
    }
    tiles_begin();
    for (size_t j = 0; j < w->n_out; j += I8_OUTPUTS) {
        const uint16_t *panels = (const uint16_t *)w->packed + 2 * j * w->n_in;
        const size_t n = w->n_out - j < I8_OUTPUTS ? w->n_out - j : I8_OUTPUTS;

        for (size_t i = 0; i < n_rows; i += TILE_ROWS) {
            const size_t left = n_rows - i;

            if (left > 16)
                multiply_32_f32(w->n_in, rows + i * w->n_in, n_low, panels, sums);
            else
                multiply_16_f32(w->n_in, rows + i * w->n_in, n_low, panels, sums);
            for (size_t r = 0; r < left && r < TILE_ROWS; r++)
                finish_row_f32(n, sums[r], w->bias + j, epilogue, y + (i + r) * ldy + j);
        }
    }
    tiles_end();
}

/* ---- attention --------------------------------------------------------- */

/* product [16][n] = a [16][k] times panels of b, which are panel_size apart; n a multiple
 * of 32, k too. */
static inline void multiply_panels(size_t rows, size_t n, size_t k, const uint16_t *a,
                                   size_t lda, const uint16_t *b, size_t panel_size,
                                   float *product)
{
    (void)rows; /* a tile always has 16 */
    for (size_t j = 0; j < n; j += 32) {
        const uint16_t *b0 = b + j / 16 * panel_size, *b1 = b0 + panel_size;

        _tile_zero(0);
        _tile_zero(1);
        for (size_t i = 0; i < k; i += 32) {
            _tile_loadd(4, a + i, 2 * lda);
            _tile_loadd(6, b0 + 16 * i, 64);
            _tile_loadd(7, b1 + 16 * i, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
        }
        _tile_stored(0, product + j, n * sizeof *product);
        _tile_stored(1, product + j + 16, n * sizeof *product);
    }
}

#include "kernel/attention_bf16.h"
