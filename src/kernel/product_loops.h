/* Products of float32 rows with packed weights, compiled for each instruction set as
 * kernel_loops.h is, which includes this. Goto & van de Geijn 2008: a panel of 32
 * outputs by F32_BLOCK inputs, 32 KiB, stays in the first-level cache while all rows pass by
 * it, and the sums of a tile stay in registers. */

/* Panels of 32 outputs, each [n_in, padded][32]. */
static void pack_f32(size_t n_out, size_t n_in, const float *w, void *packed)
{
    const size_t padded_in = (n_in + I8_INPUTS - 1) / I8_INPUTS * I8_INPUTS;
    const size_t padded_out = (n_out + I8_OUTPUTS - 1) / I8_OUTPUTS * I8_OUTPUTS;
    float *out = packed;

    memset(out, 0, padded_out * padded_in * sizeof *out);
    for (size_t o = 0; o < n_out; o++)
        for (size_t i = 0; i < n_in; i++)
            out[o / 32 * 32 * padded_in + i * 32 + o % 32] = w[o * n_in + i];
}

#if defined(__AVX512F__)
#include "kernel/product_avx512.h"
#else
#define F32_LD (F32_BLOCK + F32_GAP) /* of the copied rows */

#define F32_ROWS 6 /* 6 x 2 registers of sums of the 16 */

/* y [rows][ldy] += x [rows][F32_LD] times n_in x (2 WIDTH) weights of a panel; first: y
 * is not read. rows is a constant wherever this is called. */
static inline __attribute__((always_inline)) void
multiply_rows_f32(size_t rows, size_t n_in, const float *x, const float *w, int first, float *y,
                  size_t ldy)
{
    vector sum[F32_ROWS][2];

#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
        sum[i][0] = sum[i][1] = (vector){ 0 };
        if (!first) { /* one by one: as one block the sums would live in memory */
            memcpy(&sum[i][0], y + i * ldy, sizeof(vector));
            memcpy(&sum[i][1], y + i * ldy + WIDTH, sizeof(vector));
        }
    }
    for (size_t k = 0; k < n_in; k++) {
        vector b0, b1;

        memcpy(&b0, w + 32 * k, sizeof b0);
        memcpy(&b1, w + 32 * k + WIDTH, sizeof b1);
#pragma GCC unroll 6
        for (size_t i = 0; i < rows; i++) {
            sum[i][0] += x[i * F32_LD + k] * b0;
            sum[i][1] += x[i * F32_LD + k] * b1;
        }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
        memcpy(y + i * ldy, &sum[i][0], sizeof(vector));
        memcpy(y + i * ldy + WIDTH, &sum[i][1], sizeof(vector));
    }
}

static inline void multiply_tile_f32(size_t rows, size_t n_in, const float *x, const float *w,
                                     int first, float *y, size_t ldy)
{
    for (size_t j = 0; j < I8_OUTPUTS; j += 2 * WIDTH) {
        switch (rows) {
        case 1:
            multiply_rows_f32(1, n_in, x, w + j, first, y + j, ldy);
            break;
        case 2:
            multiply_rows_f32(2, n_in, x, w + j, first, y + j, ldy);
            break;
        case 3:
        case 4: /* a row of padding */
            multiply_rows_f32(4, n_in, x, w + j, first, y + j, ldy);
            break;
        default:
            multiply_rows_f32(F32_ROWS, n_in, x, w + j, first, y + j, ldy);
        }
    }
}

static inline void finish_rows_f32(size_t rows, size_t n, const float *bias,
                                   enum epilogue epilogue, float *y, size_t ldy)
{
    for (size_t i = 0; i < rows; i++) {
        if (epilogue == EPILOGUE_GELU)
            add_gelu(n, y + i * ldy, bias);
        else
            add(n, y + i * ldy, bias);
    }
}

/* All rows by one panel. What does not fill a tile passes through one on the stack. */
static inline void multiply_panel_f32(const struct matrix_f32 *w, size_t column, size_t block,
                                      size_t n_block, size_t n_rows, const float *x,
                                      enum epilogue epilogue, float *y, size_t ldy)
{
    const float *panel = (const float *)w->packed + column * w->n_in + 32 * block;
    const size_t n = w->n_out - column < I8_OUTPUTS ? w->n_out - column : I8_OUTPUTS;
    const int first = block == 0, last = block + n_block >= w->n_in;

    for (size_t i = 0; i < n_rows; i += F32_ROWS) {
        const size_t rows = n_rows - i < F32_ROWS ? n_rows - i : F32_ROWS;
        float *out = y + i * ldy + column, tile[F32_ROWS][I8_OUTPUTS] __attribute__((aligned(64)));

        if (rows == F32_ROWS && n == I8_OUTPUTS) {
            multiply_tile_f32(F32_ROWS, n_block, x + i * F32_LD, panel, first, out, ldy);
        } else {
            for (size_t r = 0; r < F32_ROWS; r++) {
                memset(tile[r], 0, sizeof tile[r]);
                if (!first && r < rows)
                    memcpy(tile[r], out + r * ldy, n * sizeof *out);
            }
            multiply_tile_f32(rows, n_block, x + i * F32_LD, panel, first, tile[0], I8_OUTPUTS);
            for (size_t r = 0; r < rows; r++)
                memcpy(out + r * ldy, tile[r], n * sizeof *out);
        }
        if (last)
            finish_rows_f32(rows, n, w->bias + column, epilogue, out, ldy);
    }
}

/* The rows of one block. Those of x that a panel's weights meet are copied so that they
 * lie close together. */
static inline void multiply_block_f32(const struct matrix_f32 *w, size_t n_rows, const float *x,
                                      size_t ldx, size_t n_in, enum epilogue epilogue, float *y,
                                      size_t ldy, float *copy)
{
    for (size_t block = 0; block < w->n_in; block += F32_BLOCK) {
        const size_t n_block = w->n_in - block < F32_BLOCK ? w->n_in - block : F32_BLOCK;
        const size_t n = n_in - block < n_block ? n_in - block : n_block;

        for (size_t i = 0; i < n_rows; i++) {
            memcpy(copy + i * F32_LD, x + i * ldx + block, n * sizeof *x);
            memset(copy + i * F32_LD + n, 0, (n_block - n) * sizeof *x);
        }
        for (size_t column = 0; column < w->n_out; column += I8_OUTPUTS)
            multiply_panel_f32(w, column, block, n_block, n_rows, copy, epilogue, y, ldy);
    }
}

static void multiply_f32(const struct matrix_f32 *w, size_t n_rows, const float *x, size_t ldx,
                         size_t n_in, enum epilogue epilogue, float *y, size_t ldy, void *scratch)
{
    const size_t block_rows = rows_of_block(n_rows, F32_ROWS);

    for (size_t i = 0; i < n_rows; i += block_rows)
        multiply_block_f32(w, n_rows - i < block_rows ? n_rows - i : block_rows, x + i * ldx, ldx,
                           n_in, epilogue, y + i * ldy, ldy, scratch);
}
#endif
