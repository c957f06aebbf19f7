/* Each instruction set's loops against the plain ones, and those against libm in
 * double precision. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/pack.h"
#include "suite.h"

#define MAX_N 100

static const struct kernel *kernels[KERNEL_MAX];
static size_t n_kernels;

static void fill(size_t n, float *x, unsigned seed, float scale)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245u + 12345u;
        x[i] = ((float)(seed >> 8 & 0xffff) / 32768 - 1) * scale;
    }
}

START_TEST(test_dot)
{
    float a[MAX_N], b[MAX_N];

    for (size_t n = 0; n <= MAX_N; n++) {
        double expected = 0;

        fill(n, a, 1 + (unsigned)n, 1), fill(n, b, 1000 + (unsigned)n, 1);
        for (size_t i = 0; i < n; i++)
            expected += (double)a[i] * b[i];
        ck_assert_double_eq_tol((double)kernels[_i]->dot(n, a, b), expected, 1e-5);
    }
}
END_TEST

START_TEST(test_add)
{
    float x[MAX_N + 1], bias[MAX_N] = { 0 }, y[MAX_N];

    for (size_t n = 0; n <= MAX_N; n++) {
        fill(n, x, 3, 1), fill(n, bias, 4, 1);
        memcpy(y, x, n * sizeof *x);
        x[n] = 42; /* must stay */
        kernels[_i]->add(n, x, bias);
        for (size_t i = 0; i < n; i++)
            ck_assert(x[i] == y[i] + bias[i]);
        ck_assert(x[n] == 42);
    }
}
END_TEST

/* Rows with something between them, which must stay; turns are any numbers here. */
START_TEST(test_rotate)
{
    enum { ROWS = 3, GAP = 5 };

    for (size_t size = 2; size <= 64; size += 2) {
        const size_t ld = size + GAP;
        float x[ROWS * (64 + GAP)], y[ROWS * (64 + GAP)], turns[ROWS * 64];

        fill(ROWS * ld, x, 5 + (unsigned)size, 1), fill(ROWS * size, turns, 6, 1);
        memcpy(y, x, sizeof x);
        kernels[_i]->rotate(ROWS, size, turns, x, ld);
        for (size_t t = 0; t < ROWS; t++) {
            const float *turn = turns + t * size, *from = y + t * ld, *to = x + t * ld;

            for (size_t i = 0; i < size; i += 2) {
                ck_assert_double_eq_tol(
                    to[i], (double)from[i] * turn[i] - (double)from[i + 1] * turn[i + 1], 1e-6);
                ck_assert_double_eq_tol(
                    to[i + 1], (double)from[i + 1] * turn[i] + (double)from[i] * turn[i + 1], 1e-6);
            }
            for (size_t i = size; i < ld; i++)
                ck_assert(to[i] == from[i]);
        }
    }
}
END_TEST

static double gelu(double v)
{
    return 0.5 * v * (1 + erf(v / sqrt(2)));
}

/* Every 1/1000 from -40 to 40, far past where the function is flat. */
START_TEST(test_add_gelu_is_the_exact_one)
{
    enum { N = 80001 };
    float *x = malloc(N * sizeof *x), *bias = calloc(N, sizeof *bias);

    for (int i = 0; i < N; i++)
        x[i] = (float)(i - 40000) / 1000 - 0.25f, bias[i] = 0.25f;
    kernels[_i]->add_gelu(N, x, bias);
    for (int i = 0; i < N; i++) {
        double v = (double)((float)(i - 40000) / 1000 - 0.25f + 0.25f);

        ck_assert_double_eq_tol((double)x[i], gelu(v), 2e-7 * fmax(1, fabs(v)));
    }
    free(x);
    free(bias);
}
END_TEST

START_TEST(test_add_gelu_tails)
{
    float x[MAX_N], bias[MAX_N];

    for (size_t n = 0; n < MAX_N; n++) {
        fill(MAX_N, x, 5, 6), fill(MAX_N, bias, 6, 1);
        float kept = x[n];

        kernels[_i]->add_gelu(n, x, bias);
        ck_assert(x[n] == kept);
    }
}
END_TEST

START_TEST(test_softmax)
{
    float x[MAX_N + 1];
    double expected[MAX_N], sum;

    for (size_t n = 1; n <= MAX_N; n++) {
        for (float scale = 0.1f; scale < 300; scale *= 10) {
            double max = -INFINITY;

            fill(n, x, 7 + (unsigned)n, scale);
            x[n] = 42;
            for (size_t i = 0; i < n; i++)
                max = fmax(max, (double)x[i]);
            sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += expected[i] = exp((double)x[i] - max);
            kernels[_i]->softmax(n, x);
            for (size_t i = 0; i < n; i++)
                ck_assert_double_eq_tol((double)x[i], expected[i] / sum, 1e-6);
            ck_assert(x[n] == 42);
        }
    }
}
END_TEST

START_TEST(test_layer_norm)
{
    float x[MAX_N], residual[MAX_N], gamma[MAX_N], beta[MAX_N];
    double v[MAX_N];

    for (size_t n = 1; n <= MAX_N; n++) {
        for (int with_residual = 0; with_residual < 2; with_residual++) {
            double mean = 0, variance = 0;

            fill(n, x, 8, 3), fill(n, residual, 10, 2);
            fill(n, gamma, 11, 1), fill(n, beta, 12, 1);
            for (size_t i = 0; i < n; i++) {
                v[i] = (double)x[i] + (with_residual ? residual[i] : 0);
                mean += v[i] / (double)n;
            }
            for (size_t i = 0; i < n; i++)
                variance += (v[i] - mean) * (v[i] - mean) / (double)n;
            kernels[_i]->layer_norm(n, x, with_residual ? residual : NULL, gamma, beta, 1e-5f);
            for (size_t i = 0; i < n; i++)
                ck_assert_double_eq_tol(
                    (double)x[i], (v[i] - mean) / sqrt(variance + 1e-5) * gamma[i] + beta[i],
                    2e-5);
        }
    }
}
END_TEST

/* Against the definition, in double precision; to what 8 bits of mantissa leave in the
 * second form. Heads of sizes that fit no register, parts of wider rows, fewer queries than
 * keys. */
START_TEST(test_attend)
{
    static const size_t sizes[] = { 1, 2, 5, 26, 32, 40, 64, 72 };
    enum { MAX_T = 140, MAX_D = 72, LD = 3 * MAX_D + 5 };
    float *rows = malloc(MAX_T * LD * sizeof *rows), *context = malloc(MAX_T * LD * sizeof *rows);

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t n = 1; n <= MAX_T; n += n < 36 ? 1 : 17) {
            const size_t d = sizes[s], n_queries = n % 3 > 0 ? n : (n + 1) / 2;
            void *scratch = aligned_alloc(64, attention_scratch(n, d));

            fill(MAX_T * LD, rows, 40 + (unsigned)n, 3);
            for (int form = 0; form < 2; form++) {
                for (size_t i = 0; i < MAX_T * LD; i++)
                    context[i] = 42;
                (form ? kernels[_i]->attend_i8 : kernels[_i]->attend)(
                    n_queries, n, d, rows, rows + MAX_D, rows + 2 * MAX_D, LD, context, LD, scratch);
                for (size_t t = 0; t < n_queries; t++) {
                    double weight[MAX_T], sum = 0, greatest = -INFINITY;

                    for (size_t u = 0; u < n; u++) {
                        weight[u] = 0;
                        for (size_t i = 0; i < d; i++)
                            weight[u] += (double)rows[t * LD + i] * rows[u * LD + MAX_D + i];
                        weight[u] /= sqrt((double)d);
                        greatest = fmax(greatest, weight[u]);
                    }
                    for (size_t u = 0; u < n; u++)
                        sum += weight[u] = exp(weight[u] - greatest);
                    for (size_t i = 0; i < d; i++) {
                        double expected = 0;

                        for (size_t u = 0; u < n; u++)
                            expected += weight[u] / sum * rows[u * LD + 2 * MAX_D + i];
                        ck_assert_double_eq_tol((double)context[t * LD + i], expected,
                                                form ? 0.15 : 2e-5);
                    }
                    ck_assert(context[t * LD + d] == 42);
                }
                for (size_t t = n_queries; t < MAX_T; t++)
                    ck_assert(context[t * LD] == 42);
            }
            free(scratch);
        }
    }
    free(rows);
    free(context);
}
END_TEST

/* What a model's weights make too large must show in its embeddings. */
START_TEST(test_attend_keeps_what_is_not_finite)
{
    enum { T = 20, D = 40, LD = 3 * D };
    float rows[T * LD], context[T * D];
    void *scratch = aligned_alloc(64, attention_scratch(T, D));

    for (int form = 0; form < 4; form++) {
        fill(T * LD, rows, 70, 3);
        rows[7 * LD + 11 + (form & 2 ? 2 * D : 0)] = INFINITY; /* a query, or a value */
        (form & 1 ? kernels[_i]->attend_i8 : kernels[_i]->attend)(
            T, T, D, rows, rows + D, rows + 2 * D, LD, context, D, scratch);
        ck_assert(!isfinite(context[7 * D + 11]));
    }
    free(scratch);
}
END_TEST

/* Within half a step, 0 exactly, and nothing written past the end. */
START_TEST(test_quantize)
{
    float x[MAX_N], scale;
    uint8_t q[MAX_N + 1];
    int32_t zero;

    for (size_t n = 0; n <= MAX_N; n++) {
        for (int form = 0; form < 4; form++) { /* both signs, positive, negative, all 0 */
            fill(n, x, 20 + (unsigned)n, 3);
            for (size_t i = 0; i < n && form > 0; i++)
                x[i] = form == 1 ? fabsf(x[i]) : form == 2 ? -fabsf(x[i]) : 0;
            if (n > 4)
                x[4] = 0;
            q[n] = 42;
            kernels[_i]->quantize(n, x, q, &scale, &zero);
            ck_assert_int_eq(q[n], 42);
            ck_assert(zero >= 0 && zero <= 255);
            for (size_t i = 0; i < n; i++)
                ck_assert_double_le(fabs((double)scale * (q[i] - zero) - (double)x[i]),
                                    0.5001 * (double)scale);
            ck_assert(n <= 4 || q[4] == zero);
            ck_assert(form < 3 || scale == 0);
        }
    }
}
END_TEST

/* What all int8 products are made of, in the plainest way: every number of every
 * output, as int32, against what the kernel made of it. */
static void check_product(const struct kernel *kernel, size_t n_rows, size_t n_in, size_t n_out,
                          int extreme)
{
    const size_t padded_in = pack_padded(n_in, I8_INPUTS), ldy = n_out + 3;
    const size_t padded_out = pack_padded(n_out, I8_OUTPUTS);
    int8_t *w = malloc(n_out * n_in);
    struct matrix_i8 matrix = {
        .n_in = padded_in,
        .n_out = n_out,
        .packed = aligned_alloc(64, padded_out * padded_in),
        .sum = malloc(padded_out * sizeof(int32_t)),
        .scale = malloc(n_out * sizeof(float)),
        .bias = malloc(n_out * sizeof(float)),
    };
    struct rows_i8 rows = {
        .q = aligned_alloc(64, pack_padded(n_rows, I8_ROWS) * padded_in),
        .scale = malloc(n_rows * sizeof(float)),
        .zero = malloc(n_rows * sizeof(int32_t)),
    };
    float *y[2] = { malloc(n_rows * ldy * sizeof(float)), malloc(n_rows * ldy * sizeof(float)) };

    memset(rows.q, 0, pack_padded(n_rows, I8_ROWS) * padded_in);
    srand((unsigned)(n_rows * 7 + n_in * 5 + n_out));
    for (size_t i = 0; i < n_out * n_in; i++)
        w[i] = (int8_t)(extreme ? (i % 3 ? -128 : 127) : rand() % 255 - 127);
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < n_in; i++)
            rows.q[r * padded_in + i] = (uint8_t)(extreme ? 255 : rand());
        rows.scale[r] = (float)(rand() % 100 + 1) / 4096;
        rows.zero[r] = rand() % 256;
    }
    fill(n_out, matrix.scale, 30, 0.01f), fill(n_out, matrix.bias, 31, 1);
    pack_i8(n_out, n_in, w, matrix.packed, matrix.sum);
    for (int gelu_after = 0; gelu_after < 2; gelu_after++) {
        for (size_t i = 0; i < n_rows * ldy; i++)
            y[gelu_after][i] = 42;
        kernel->multiply_i8(&matrix, n_rows, &rows,
                            gelu_after ? EPILOGUE_GELU : EPILOGUE_BIAS, y[gelu_after], ldy);
    }
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t o = 0; o < n_out; o++) {
            int32_t sum = 0;
            double expected;

            for (size_t i = 0; i < n_in; i++)
                sum += (rows.q[r * padded_in + i] - rows.zero[r]) * w[o * n_in + i];
            expected = (double)sum * (double)rows.scale[r] * (double)matrix.scale[o] +
                       (double)matrix.bias[o];
            ck_assert_double_eq_tol((double)y[0][r * ldy + o], expected,
                                    3e-7 * (fabs(expected) + 1));
            ck_assert_double_eq_tol((double)y[1][r * ldy + o], gelu(expected),
                                    7e-5 * fmax(1, fabs(expected)));
        }
        for (size_t o = n_out; o < ldy; o++)
            ck_assert(y[0][r * ldy + o] == 42);
    }
    free(w);
    free(matrix.packed);
    free(matrix.sum);
    free(matrix.scale);
    free(matrix.bias);
    free(rows.q);
    free(rows.scale);
    free(rows.zero);
    free(y[0]);
    free(y[1]);
}

START_TEST(test_multiply_i8_on_every_tail)
{
    for (size_t n = 1; n <= 70; n++) {
        check_product(kernels[_i], n, 64, 32, 0);
        check_product(kernels[_i], 5, n, 33, 0);
        check_product(kernels[_i], 3, 70, n, 0);
    }
    for (size_t n_rows = 1; n_rows <= 40; n_rows++)
        check_product(kernels[_i], n_rows, 130, 50, 0);
}
END_TEST

/* Against double precision; ldx and ldy are wider than the rows. */
static void check_product_f32(const struct kernel *kernel, size_t n_rows, size_t n_in, size_t n_out)
{
    const size_t padded_in = pack_padded(n_in, I8_INPUTS), ldx = n_in + 3, ldy = n_out + 5;
    float *w = malloc(n_out * n_in * sizeof *w), *x = malloc(n_rows * ldx * sizeof *x);
    float *y = malloc(n_rows * ldy * sizeof *y), *bias = malloc(n_out * sizeof *bias);
    struct matrix_f32 matrix = {
        .n_in = padded_in,
        .n_out = n_out,
        .packed = aligned_alloc(64, pack_padded(n_out, I8_OUTPUTS) * padded_in * 4),
        .bias = bias,
    };
    void *scratch = aligned_alloc(64, f32_scratch(n_rows, n_in));
    const int split = strcmp(kernel->name, "amx") == 0; /* into two bfloat16 */

    fill(n_out * n_in, w, 50, 0.2f), fill(n_rows * ldx, x, 51, 2), fill(n_out, bias, 52, 1);
    kernel->pack_f32(n_out, n_in, w, matrix.packed);
    for (int gelu_after = 0; gelu_after < 2; gelu_after++) {
        for (size_t i = 0; i < n_rows * ldy; i++)
            y[i] = 42;
        kernel->multiply_f32(&matrix, n_rows, x, ldx, n_in,
                             gelu_after ? EPILOGUE_GELU : EPILOGUE_BIAS, y, ldy, scratch);
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t o = 0; o < n_out; o++) {
                double expected = (double)bias[o], size = 1;

                for (size_t i = 0; i < n_in; i++) {
                    expected += (double)x[r * ldx + i] * w[o * n_in + i];
                    size += fabs((double)x[r * ldx + i] * w[o * n_in + i]);
                }
                ck_assert_double_eq_tol((double)y[r * ldy + o],
                                        gelu_after ? gelu(expected) : expected,
                                        size * (split ? 0x1p-16 : 0x1p-19));
            }
            for (size_t o = n_out; o < ldy; o++)
                ck_assert(y[r * ldy + o] == 42);
        }
    }
    free(w);
    free(x);
    free(y);
    free(bias);
    free(matrix.packed);
    free(scratch);
}

START_TEST(test_multiply_f32_on_every_tail)
{
    for (size_t n = 1; n <= 70; n++) {
        check_product_f32(kernels[_i], n, 64, 32);
        check_product_f32(kernels[_i], 5, n, 33);
        check_product_f32(kernels[_i], 3, 70, n);
    }
    for (size_t n_in = 250; n_in < 265; n_in++)
        check_product_f32(kernels[_i], 13, n_in, 40);
    check_product_f32(kernels[_i], 50, 700, 96);
    for (size_t n_rows = 1; n_rows <= 13; n_rows++)
        check_product_f32(kernels[_i], n_rows, 40, 90);
    check_product_f32(kernels[_i], 7, 1100, 64); /* in three parts and more */
    check_product_f32(kernels[_i], 7, 1100, 104);
    check_product_f32(kernels[_i], 7, 1100, 20);
}
END_TEST

/* Sums that a 16-bit number would not hold, as VPMADDUBSW's does not. */
START_TEST(test_multiply_i8_does_not_saturate)
{
    check_product(kernels[_i], 13, 3072, 40, 1);
}
END_TEST

/* Every width of a row up to four times the widest vector, numbers of a row at both ends
 * of what they can be, and queries that put all their length into one number or spread it. */
START_TEST(test_scan_i8_on_every_width)
{
    enum { ROWS = 7, MAX = 8 * I8_INPUTS };
    static int8_t rows[ROWS * MAX] __attribute__((aligned(64)));
    static int16_t value[MAX];
    static int8_t high[MAX];
    static uint8_t low[MAX];
    int32_t out[ROWS + 1];

    for (size_t n = I8_INPUTS; n <= MAX; n += I8_INPUTS) {
        for (unsigned kind = 0; kind < 4; kind++) {
            struct scan_query query = { value, high, low, 0 };
            float x[MAX];

            fill(n, x, kind + (unsigned)n, (float)(SCAN_LENGTH / sqrt((double)n)));
            for (size_t j = 0; j < n; j++) {
                value[j] = kind == 0   ? (int16_t)(j == 3 ? -SCAN_LENGTH : 0)
                           : kind == 1 ? (int16_t)(j == n - 1 ? SCAN_LENGTH : 0)
                                       : (int16_t)x[j];
                high[j] = (int8_t)floor(value[j] / 128.0);
                low[j] = (uint8_t)(value[j] - 128 * high[j]);
                query.high_sum += high[j];
            }
            for (size_t i = 0; i < ROWS; i++) {
                fill(n, x, 77 + (unsigned)i, 127.99f);
                for (size_t j = 0; j < n; j++)
                    rows[i * n + j] = (int8_t)(i == 0 ? -127 : i == 1 ? 127 : (int)x[j]);
            }
            out[ROWS] = 42; /* must stay */
            kernels[_i]->scan_i8(ROWS, n, rows, &query, out);
            for (size_t i = 0; i < ROWS; i++) {
                int64_t expected = 0;

                for (size_t j = 0; j < n; j++)
                    expected += (int64_t)rows[i * n + j] * value[j];
                ck_assert_int_eq(out[i], expected);
            }
            ck_assert_int_eq(out[ROWS], 42);
        }
    }
}
END_TEST

/* Numbers at both ends of what they can be, and sums that 16 bits would not hold. */
START_TEST(test_scan_u4_on_every_width)
{
    enum { ROWS = 7, MAX = 9 * U4_INPUTS };
    static uint8_t rows[ROWS * MAX / 2] __attribute__((aligned(64)));
    static int8_t query[MAX];
    int32_t out[ROWS + 1];

    for (size_t n = U4_INPUTS; n <= MAX; n += U4_INPUTS) {
        for (unsigned kind = 0; kind < 4; kind++) {
            int32_t expected[ROWS] = { 0 };
            float x[MAX];

            fill(n, x, kind + (unsigned)n, 127.99f);
            for (size_t j = 0; j < n; j++)
                query[j] = (int8_t)(kind == 0 ? -127 : kind == 1 ? 127 : (int)x[j]);
            for (size_t i = 0; i < ROWS; i++) {
                fill(n, x, 99 + (unsigned)i, 7.99f);
                for (size_t j = 0; j < n; j++) {
                    const int number = i == 0 ? 15 : i == 1 ? 0 : (int)(x[j] + 8);
                    const size_t block = j / U4_INPUTS * 64, in_block = j % U4_INPUTS;
                    uint8_t *byte = &rows[i * n / 2 + block + in_block % 64];

                    *byte = (uint8_t)(in_block < 64 ? number : *byte | number << 4);
                    expected[i] += number * query[j];
                }
            }
            out[ROWS] = 42; /* must stay */
            kernels[_i]->scan_u4(ROWS, n, rows, query, out);
            for (size_t i = 0; i < ROWS; i++)
                ck_assert_int_eq(out[i], expected[i]);
            ck_assert_int_eq(out[ROWS], 42);
        }
    }
}
END_TEST

START_TEST(test_pick_gives_one_that_runs_here)
{
    int known = 0;

    for (size_t i = 0; i < n_kernels; i++)
        known |= kernel_pick() == kernels[i];
    ck_assert(known);
}
END_TEST

int main(void)
{
    const TTest *tests[] = { test_dot, test_add, test_rotate, test_add_gelu_is_the_exact_one,
                             test_add_gelu_tails, test_softmax, test_layer_norm,
                             test_attend, test_attend_keeps_what_is_not_finite,
                             test_quantize, test_multiply_i8_on_every_tail,
                             test_multiply_i8_does_not_saturate,
                             test_multiply_f32_on_every_tail, test_scan_i8_on_every_width,
                             test_scan_u4_on_every_width };
    Suite *s = suite_create("kernel");
    TCase *loops = tcase_create("loops"), *others = tcase_create("blas");

    n_kernels = kernel_list(kernels);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_loop_test(loops, tests[i], 0, (int)n_kernels);
    suite_add_tcase(s, loops);
    tcase_add_test(others, test_pick_gives_one_that_runs_here);
    suite_add_tcase(s, others);
    return run_suite(s);
}
