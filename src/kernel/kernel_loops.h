/* The loops of kernel.h, written so that a compiler makes vector code of them, and
 * compiled once for each instruction set: the file that includes this names its
 * table with KERNEL_TABLE and KERNEL_NAME, and gives the product of one tile (see
 * multiply_i8) with TILE_ROWS, and those of one row (see scan_i8, scan_u4). Sums run in LANES
 * parts side by side, because a compiler must not reorder floating-point additions by
 * itself. */
/* The -O2 that builds are made with by default vectorises next to nothing. */
#pragma GCC optimize("O3")

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

#if defined(__AVX512BW__)
#include "kernel/rows_avx512.h"
#endif

#ifndef TILES_NEED_SETUP
static inline void tiles_begin(void)
{
}

static inline void tiles_end(void)
{
}
#endif

#define LANES 16

#define BLOCK_ROWS 128

/* In pairs: one after the other each addition would wait for the last. */
static inline float sum_lanes(const float *lane)
{
    float eight[8], four[4];

    for (size_t j = 0; j < 8; j++)
        eight[j] = lane[j] + lane[j + 8];
    for (size_t j = 0; j < 4; j++)
        four[j] = eight[j] + eight[j + 4];
    return four[0] + four[2] + (four[1] + four[3]);
}

static float dot(size_t n, const float *a, const float *b)
{
    float lane[LANES] = { 0 }, sum;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += a[i + j] * b[i + j];
    sum = sum_lanes(lane);
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add(size_t n, float *restrict x, const float *restrict bias)
{
    for (size_t i = 0; i < n; i++)
        x[i] += bias[i];
}

/* e^x for x <= 0, within two units in the last place; e^-87, 1.6e-38, for all x below
 * -87, where e^x leaves the normal floats. Cody & Waite's reduction: x = k ln 2 + r, |r| <= ln 2 / 2, then
 * e^r by its Taylor series, whose seventh term is below 2^-24. */
static inline float exp_negative(float x)
{
    const float k_max = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float clamped = x < -87.0f ? -87.0f : x, shifted, k, r, p;
    uint32_t exponent;
    float power;

    shifted = clamped * 1.44269504f + k_max;
    k = shifted - k_max;
    r = clamped - k * 0.693359375f; /* ln 2 in two parts, the first with few bits */
    r = r - k * -2.12194440e-4f;
    p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    exponent = (uint32_t)((int32_t)k + 127) << 23; /* of NaN it is any number */
    memcpy(&power, &exponent, sizeof power);
    return p * power;
}

/* erf by formula 7.1.26 of Abramowitz & Stegun, error below 1.5e-7. */
static inline float gelu(float v)
{
    float z = fabsf(v) * 0.707106781f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float p = t * (0.254829592f +
                   t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    float tail = p * exp_negative(-z * z); /* 1 - erf(|v| / sqrt 2) */

    /* v * (1 + erf) / 2, without taking 1 - 1 where v is negative. */
    return (v > 0 ? v : 0.0f) - 0.5f * fabsf(v) * tail;
}

static const float gelu_terms[8] = { -1.580783910e-09f, 1.217109862e-07f,  -4.100864056e-06f,
                                     8.066737495e-05f,  -1.048204345e-03f, 9.664874390e-03f,
                                     -6.617538043e-02f, 3.988475111e-01f };

/* GELU where int8 numbers come of it, within 6e-5 * max(1, |v|): erf as an odd
 * polynomial, fitted to the least greatest error on -4..4 (least squares, reweighted by
 * the error until it is level). No division and no exponential, a fourth of the work. */
static inline float gelu_near(float v)
{
    float c = v > 4.0f ? 4.0f : v, u, p;

    c = c < -4.0f ? -4.0f : c;
    u = c * c;
    p = gelu_terms[0];
    for (size_t i = 1; i < 8; i++)
        p = p * u + gelu_terms[i];
    return v * (0.5f + c * p);
}

#ifndef OWN_ROWS
static void add_gelu(size_t n, float *restrict x, const float *restrict bias)
{
    for (size_t i = 0; i < n; i++)
        x[i] = gelu(x[i] + bias[i]);
}
#endif

/* A number that is ordered as the floats are, -0 before 0. Compilers make vector code
 * of the greatest of integers, but of floats only when told that none is NaN. The same
 * function turns it back. */
static inline int32_t order_of(int32_t bits)
{
    return bits ^ (bits >> 31 & 0x7fffffff);
}

/* The greatest of x [n] and start; of -x when sign is INT32_MIN, not 0. */
static inline float greatest_of(size_t n, const float *x, int32_t sign, float start)
{
    int32_t bits, greatest;
    float result;

    memcpy(&bits, &start, sizeof bits);
    greatest = order_of(bits);
    for (size_t i = 0; i < n; i++) {
        int32_t order;

        memcpy(&bits, &x[i], sizeof bits);
        order = order_of(bits ^ sign);
        greatest = order > greatest ? order : greatest;
    }
    bits = order_of(greatest);
    memcpy(&result, &bits, sizeof result);
    return result;
}

static void softmax(size_t n, float *x)
{
    const float max = greatest_of(n, x, 0, x[0]);
    float lane[LANES] = { 0 }, sum;
    size_t i;

    for (i = 0; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            x[i + j] = exp_negative(x[i + j] - max);
            lane[j] += x[i + j];
        }
    }
    sum = sum_lanes(lane);
    for (; i < n; i++) {
        x[i] = exp_negative(x[i] - max);
        sum += x[i];
    }
    sum = 1.0f / sum;
    for (i = 0; i < n; i++)
        x[i] *= sum;
}

#ifndef OWN_ROWS
static void layer_norm(size_t n, float *x, const float *residual, const float *gamma,
                       const float *beta, float eps)
{
    float lane[LANES] = { 0 }, sum, mean, scale;
    size_t i;

    if (residual != NULL)
        add(n, x, residual);
    for (i = 0; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j];
    sum = sum_lanes(lane);
    for (; i < n; i++)
        sum += x[i];
    mean = sum / (float)n;

    memset(lane, 0, sizeof lane);
    for (i = 0; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += (x[i + j] - mean) * (x[i + j] - mean);
    sum = sum_lanes(lane);
    for (; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    scale = 1.0f / sqrtf(sum / (float)n + eps);
    for (i = 0; i < n; i++)
        x[i] = (x[i] - mean) * scale * gamma[i] + beta[i];
}
#endif

static void rotate(size_t n, size_t head_size, const float *restrict turns, float *restrict x,
                   size_t ld)
{
    for (size_t t = 0; t < n; t++, x += ld, turns += head_size) {
        for (size_t i = 0; i < head_size; i += 2) {
            const float a = x[i], b = x[i + 1];

            x[i] = a * turns[i] - b * turns[i + 1];
            x[i + 1] = b * turns[i] + a * turns[i + 1];
        }
    }
}

/* Rows that pass by all weights together: few enough that they and what becomes of them
 * stay in the second-level cache, and all blocks alike. A multiple of the tile's rows. */
static inline size_t rows_of_block(size_t n_rows, size_t tile_rows)
{
    const size_t n_blocks = (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    const size_t rows = n_blocks > 0 ? (n_rows + n_blocks - 1) / n_blocks : 1;

    return (rows + tile_rows - 1) / tile_rows * tile_rows;
}

#include "kernel/attention_loops.h"
#ifndef OWN_MULTIPLY_F32
#include "kernel/product_loops.h"
#endif

#ifndef ATTEND_I8
#define ATTEND_I8 attend
#endif

/* ---- int8 -------------------------------------------------------------- */

#ifndef OWN_ROWS
/* q = x * factor + shift, what is behind the point cut off, from 0 to 255. */
static inline void to_bytes(size_t n, const float *restrict x, float factor, float shift,
                            uint8_t *restrict q)
{
    for (size_t i = 0; i < n; i++) {
        int32_t v = (int32_t)(x[i] * factor + shift);

        v = v > 0 ? v : 0;
        q[i] = (uint8_t)(v < 255 ? v : 255);
    }
}
#endif

static void quantize(size_t n, const float *restrict x, uint8_t *restrict q, float *scale,
                     int32_t *zero)
{
    int32_t most = 0;                 /* the bits of 0 */
    uint32_t least_bits = 0x80000000; /* of -0 */
    float least, greatest, factor, shift;

    /* Bits of positive floats are ordered as signed integers are, those of negative ones
     * as unsigned integers in reverse; what is not a number comes past both ends. */
    for (size_t i = 0; i < n; i++) {
        int32_t bits;

        memcpy(&bits, &x[i], sizeof bits);
        most = bits > most ? bits : most;
        least_bits = (uint32_t)bits > least_bits ? (uint32_t)bits : least_bits;
    }
    memcpy(&greatest, &most, sizeof greatest);
    memcpy(&least, &least_bits, sizeof least);
    *scale = (greatest - least) / 255;
    factor = *scale > 0 ? 1 / *scale : 0;
    *zero = (int32_t)(-least * factor + 0.5f);
    shift = (float)*zero + 0.5f; /* what is cut off then rounds; 255 may be left by one */
    to_bytes(n, x, factor, shift, q);
}

#ifdef OWN_MULTIPLY_I8
#include "kernel/product_vnni.h"
#else
/* One tile of products as numbers: y [rows][columns] with ldy. */
static inline void finish_tile(const struct matrix_i8 *w, size_t column, size_t n_columns,
                               const struct rows_i8 *x, size_t row, size_t rows,
                               enum epilogue epilogue, int32_t (*product)[I8_OUTPUTS],
                               float *y, size_t ldy)
{
    const int32_t *sum = w->sum + column;
    const float *scale = w->scale + column, *bias = w->bias + column;

    for (size_t i = 0; i < rows; i++) {
        const uint32_t zero = (uint32_t)x->zero[row + i];
        const float x_scale = x->scale[row + i];
        float *out = y + (row + i) * ldy + column;

        for (size_t j = 0; j < n_columns; j++)
            /* Unsigned: a row of NaN has any number for a zero point. */
            out[j] = (float)(int32_t)((uint32_t)product[i][j] - zero * (uint32_t)sum[j]) *
                         (x_scale * scale[j]) +
                     bias[j];
        if (epilogue == EPILOGUE_GELU)
            for (size_t j = 0; j < n_columns; j++)
                out[j] = gelu_near(out[j]);
    }
}

/* Tile by tile: I8_OUTPUTS outputs, whose weights stay in the first-level cache, of
 * all rows of a block, TILE_ROWS at a time. */
static void multiply_i8(const struct matrix_i8 *w, size_t n_rows, const struct rows_i8 *x,
                        enum epilogue epilogue, float *y, size_t ldy)
{
    const size_t block_rows = rows_of_block(n_rows, TILE_ROWS);
    int32_t product[TILE_ROWS][I8_OUTPUTS] __attribute__((aligned(64)));

    tiles_begin();
    for (size_t block = 0; block < n_rows; block += block_rows) {
        const size_t end = n_rows - block < block_rows ? n_rows : block + block_rows;

        for (size_t j = 0; j < w->n_out; j += I8_OUTPUTS) {
            const int8_t *panels = w->packed + j * w->n_in;
            const size_t n_columns = w->n_out - j < I8_OUTPUTS ? w->n_out - j : I8_OUTPUTS;

            for (size_t i = block; i < end; i += TILE_ROWS) {
                const size_t rows = end - i < TILE_ROWS ? end - i : TILE_ROWS;

                multiply_tile(w->n_in, rows, x->q + i * w->n_in, panels, product);
                if (n_columns == I8_OUTPUTS) /* a count the compiler knows */
                    finish_tile(w, j, I8_OUTPUTS, x, i, rows, epilogue, product, y, ldy);
                else
                    finish_tile(w, j, n_columns, x, i, rows, epilogue, product, y, ldy);
            }
        }
    }
    tiles_end();
}
#endif

/* ---- search ------------------------------------------------------------ */

static void scan_i8(size_t n_rows, size_t n, const int8_t *rows, const struct scan_query *query,
                    int32_t *out)
{
    for (size_t i = 0; i < n_rows; i++)
        out[i] = scan_row(n, rows + i * n, query);
}

static void scan_u4(size_t n_rows, size_t n, const uint8_t *rows, const int8_t *query,
                    int32_t *out)
{
    for (size_t i = 0; i < n_rows; i++)
        out[i] = scan_row_u4(n, rows + i * (n / 2), query);
}

const struct kernel KERNEL_TABLE = {
    KERNEL_NAME, dot, add, add_gelu, softmax, layer_norm, rotate,
    attend, ATTEND_I8, quantize, multiply_i8, pack_f32, multiply_f32, scan_i8,
    scan_u4,
};
