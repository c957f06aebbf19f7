/* The arithmetic of the encoder besides matrix products: loops over arrays, no
 * allocation, no errors, no state. kernel_scalar is the meaning; the tables of other
 * instruction sets equal it within rounding. */
#ifndef ERNIE_KERNEL_KERNEL_H
#define ERNIE_KERNEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* What is done to a product before it is stored: the bias added, and GELU (add_gelu). */
enum epilogue { EPILOGUE_BIAS, EPILOGUE_GELU };

/* What int8 matrices and rows are padded to, with zeros. */
#define I8_INPUTS  64 /* a multiple of which n_in is */
#define U4_INPUTS  128 /* the same for rows of 4-bit numbers */
#define I8_OUTPUTS 32 /* a multiple of which n_out is, in packed and sum */
#define I8_ROWS    32 /* a multiple of which quantised rows have memory for */
#define F32_BLOCK  256 /* inputs that multiply_f32 takes at a time */
#define F32_GAP    16  /* floats between copied rows, lest all start in one cache set */

/* What attention pads a sequence and a head to within its scratch memory, and the rows
 * of scores that are there at a time. */
#define ATTENTION_PAD  32
#define ATTENTION_ROWS 16

/* A linear layer with int8 weights, packed by pack_i8 (pack.h): panels of 16 outputs,
 * each [n_in / 4][16][4], so that 64 bytes hold four inputs of sixteen outputs. The
 * weight of output o and input i is packed * scale[o]. */
struct matrix_i8 {
    size_t n_in;  /* padded */
    size_t n_out; /* as the layer has it */
    int8_t *packed;
    int32_t *sum; /* [n_out, padded] of each output's weights */
    float *scale; /* [n_out] */
    float *bias;  /* [n_out] */
};

/* The same with float32 weights, in the order that pack_f32 of the same table makes: 4
 * bytes for each padded weight. */
struct matrix_f32 {
    size_t n_in;  /* padded to I8_INPUTS */
    size_t n_out; /* as the layer has it */
    void *packed;
    float *bias; /* [n_out] */
};

/* Rows as 8-bit numbers, each with its own scale and zero point: x = scale * (q - zero).
 * Dettmers et al. 2022 (LLM.int8) call it row-wise quantisation. */
struct rows_i8 {
    uint8_t *q;    /* [rows, padded][n_in of the matrix]; what pads a row is 0 */
    float *scale;  /* [rows] */
    int32_t *zero; /* [rows] */
};

/* A query whose products with 8-bit rows scan_i8 takes: whole numbers, together of
 * length SCAN_LENGTH at most, so that no sum leaves int32 however many they are. The
 * bytes are for instructions that multiply bytes: value = 128 * high + low. */
#define SCAN_LENGTH 16256
struct scan_query {
    const int16_t *value; /* [n], a multiple of I8_INPUTS */
    const int8_t *high;   /* [n], -127..127 */
    const uint8_t *low;   /* [n], 0..127 */
    int32_t high_sum;
};

#define KERNEL_MAX 6

struct kernel { /* one table an instruction set */
    const char *name;

    /* Sum of a[i] * b[i]; a, b [n]. */
    float (*dot)(size_t n, const float *a, const float *b);

    /* x [n] += bias [n]. */
    void (*add)(size_t n, float *x, const float *bias);

    /* x [n] = gelu(x + bias), the exact one: v * (1 + erf(v / sqrt 2)) / 2, within
     * 2e-7 * max(1, |v|). Hendrycks & Gimpel 2016. */
    void (*add_gelu)(size_t n, float *x, const float *bias);

    /* x [n] = softmax(x). n > 0. */
    void (*softmax)(size_t n, float *x);

    /* x [n] = gamma * (v - mean v) / sqrt(var v + eps) + beta, where v = x + residual;
     * residual may be NULL. Ba, Kiros & Hinton 2016. */
    void (*layer_norm)(size_t n, float *x, const float *residual, const float *gamma,
                       const float *beta, float eps);

    /* Rotary positions of one head of one sequence, in place: the numbers 2i and 2i + 1 of
     * each of n rows of x, ld apart, are turned by the angle whose cosine and sine are
     * turns[row][i], [n][head_size / 2][2]. Su et al. 2021, section 3.4.2. */
    void (*rotate)(size_t n, size_t head_size, const float *turns, float *x, size_t ld);

    /* One head of one sequence: context = softmax(Q K^T / sqrt D) V for the keys and values
     * of n tokens and as many queries or fewer, all of D numbers and ld apart; context rows
     * are ldc apart. No more of the matrix of weights exists at a time than a few rows.
     * Vaswani et al. 2017, section 3.2. scratch: attention_scratch(n, head_size) bytes,
     * starting at a multiple of 64. */
    void (*attend)(size_t n_queries, size_t n, size_t head_size, const float *query,
                   const float *key, const float *value, size_t ld, float *context, size_t ldc,
                   void *scratch);
    /* The same for a model with int8 weights: may round queries, keys, values and weights
     * to 8 bits. */
    void (*attend_i8)(size_t n_queries, size_t n, size_t head_size, const float *query,
                      const float *key, const float *value, size_t ld, float *context,
                      size_t ldc, void *scratch);

    /* x [n] as q [n] in 0..255 with the scale and zero point that its least and
     * greatest number and 0 ask for; 0 stays exact. */
    void (*quantize)(size_t n, const float *x, uint8_t *q, float *scale, int32_t *zero);

    /* y [n_rows][ldy] = epilogue(x W^T + bias), the products summed in int32
     * and GELU within 6e-5 * max(1, |v|), far below a step of the int8 it becomes. */
    void (*multiply_i8)(const struct matrix_i8 *w, size_t n_rows, const struct rows_i8 *x,
                        enum epilogue epilogue, float *y, size_t ldy);

    /* w [n_out][n_in] into packed [n_out, padded to I8_OUTPUTS][n_in, padded] * 4 bytes,
     * starting at a multiple of 64. */
    void (*pack_f32)(size_t n_out, size_t n_in, const float *w, void *packed);

    /* y [n_rows][ldy] = epilogue(x [n_rows][ldx] W^T + bias), within 2^-19 of the sum
     * of the products' sizes, which is what float32 sums differ by; kernel_amx: 2^-16.
     * scratch: f32_scratch(n_rows, n_in) bytes, starting at a multiple of 64. */
    void (*multiply_f32)(const struct matrix_f32 *w, size_t n_rows, const float *x, size_t ldx,
                         size_t n_in, enum epilogue epilogue, float *y, size_t ldy,
                         void *scratch);

    /* out [n_rows] = sum of rows[i][j] * query[j], exactly; rows [n_rows][n] in
     * -127..127, starting at a multiple of 64. */
    void (*scan_i8)(size_t n_rows, size_t n, const int8_t *rows, const struct scan_query *query,
                    int32_t *out);

    /* out [n_rows] = sum of rows[i][j] * query[j], exactly; query [n] in -127..127; rows
     * [n_rows][n / 2 bytes], starting at a multiple of 64, of numbers 0..15: each 64 bytes
     * hold U4_INPUTS of them, the first 64 in their low halves. n at most 65536. */
    void (*scan_u4)(size_t n_rows, size_t n, const uint8_t *rows, const int8_t *query,
                    int32_t *out);
};

extern const struct kernel kernel_scalar;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2;       /* AVX2 and FMA */
extern const struct kernel kernel_avxvnni;    /* and AVX-VNNI */
extern const struct kernel kernel_avx512;     /* AVX-512 F, BW, DQ and VL */
extern const struct kernel kernel_avx512vnni; /* and AVX-512 VNNI */
extern const struct kernel kernel_amx;        /* and AVX-512 BF16, AMX int8 and bf16 */
#endif

/* Bytes that multiply_f32 needs for n_rows rows of n_in numbers, on any table. */
size_t f32_scratch(size_t n_rows, size_t n_in);

/* Bytes that attend needs for a sequence of n tokens, on any table. */
size_t attention_scratch(size_t n, size_t head_size);

/* The tables this CPU can run, kernel_scalar first and the best one last. */
size_t kernel_list(const struct kernel *out[KERNEL_MAX]);

/* The best table this CPU can run. */
const struct kernel *kernel_pick(void);

#endif
