/* The arithmetic of the encoder besides matrix products: loops over arrays, no
 * allocation, no errors, no state. kernel_scalar is the meaning; the tables of other
 * instruction sets equal it within rounding. */
#ifndef ERNIE_KERNEL_KERNEL_H
#define ERNIE_KERNEL_KERNEL_H

#include <stddef.h>

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

    /* x [n] = gamma * (v - mean v) / sqrt(var v + eps) + beta, where v = x + bias +
     * residual; bias and residual may be NULL. Ba, Kiros & Hinton 2016. */
    void (*layer_norm)(size_t n, float *x, const float *bias, const float *residual,
                       const float *gamma, const float *beta, float eps);
};

extern const struct kernel kernel_scalar;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2;   /* AVX2 and FMA */
extern const struct kernel kernel_avx512; /* AVX-512 F and DQ */
#endif

/* The best table this CPU can run. */
const struct kernel *kernel_pick(void);

#endif
