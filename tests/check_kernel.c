/* Each instruction set's loops against the plain ones, and those against libm in
 * double precision. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/blas.h"
#include "kernel/kernel.h"

#define MAX_N 100

static const struct kernel *kernels[3];
static int n_kernels;

static void find_kernels(void)
{
    kernels[n_kernels++] = &kernel_scalar;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        kernels[n_kernels++] = &kernel_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        kernels[n_kernels++] = &kernel_avx512;
#endif
}

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
    float x[MAX_N], bias[MAX_N], residual[MAX_N], gamma[MAX_N], beta[MAX_N];
    double v[MAX_N];

    for (size_t n = 1; n <= MAX_N; n++) {
        for (int form = 0; form < 4; form++) { /* with and without bias and residual */
            double mean = 0, variance = 0;

            fill(n, x, 8, 3), fill(n, bias, 9, 1), fill(n, residual, 10, 2);
            fill(n, gamma, 11, 1), fill(n, beta, 12, 1);
            for (size_t i = 0; i < n; i++) {
                v[i] = (double)x[i] + (form & 1 ? bias[i] : 0) + (form & 2 ? residual[i] : 0);
                mean += v[i] / (double)n;
            }
            for (size_t i = 0; i < n; i++)
                variance += (v[i] - mean) * (v[i] - mean) / (double)n;
            kernels[_i]->layer_norm(n, x, form & 1 ? bias : NULL, form & 2 ? residual : NULL,
                                    gamma, beta, 1e-5f);
            for (size_t i = 0; i < n; i++)
                ck_assert_double_eq_tol(
                    (double)x[i], (v[i] - mean) / sqrt(variance + 1e-5) * gamma[i] + beta[i],
                    2e-5);
        }
    }
}
END_TEST

START_TEST(test_blas_multiplies_parts_of_larger_matrices)
{
    enum { M = 5, N = 7, K = 3, LD = 11 };
    float a[M * LD], b[N * LD], c[M * LD];

    fill(M * LD, a, 13, 1), fill(N * LD, b, 14, 1);
    blas_use_one_thread();
    for (int transposed = 0; transposed < 2; transposed++) {
        for (int i = 0; i < M * LD; i++)
            c[i] = 42;
        if (transposed)
            blas_multiply_transposed(M, N, K, 0.5f, a, LD, b, LD, c, LD);
        else
            blas_multiply(M, N, K, a, LD, b, LD, c, LD);
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                double sum = 0;

                for (int k = 0; k < K; k++)
                    sum += (double)a[i * LD + k] * b[transposed ? j * LD + k : k * LD + j];
                ck_assert_double_eq_tol((double)c[i * LD + j], transposed ? sum / 2 : sum, 1e-6);
            }
            for (int j = N; j < LD; j++)
                ck_assert(c[i * LD + j] == 42);
        }
    }
}
END_TEST

START_TEST(test_pick_gives_one_that_runs_here)
{
    int known = 0;

    for (int i = 0; i < n_kernels; i++)
        known |= kernel_pick() == kernels[i];
    ck_assert(known);
}
END_TEST

int main(void)
{
    const TTest *tests[] = { test_dot, test_add, test_add_gelu_is_the_exact_one,
                             test_add_gelu_tails, test_softmax, test_layer_norm };
    Suite *s = suite_create("kernel");
    TCase *loops = tcase_create("loops"), *others = tcase_create("blas");
    SRunner *runner;
    int n_failed;

    find_kernels();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_loop_test(loops, tests[i], 0, n_kernels);
    suite_add_tcase(s, loops);
    tcase_add_test(others, test_blas_multiplies_parts_of_larger_matrices);
    tcase_add_test(others, test_pick_gives_one_that_runs_here);
    suite_add_tcase(s, others);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed > 0;
}
