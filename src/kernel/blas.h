/* Matrix products, by OpenBLAS. Matrices are row-major; ld is the distance between
 * the starts of two rows. Everything runs on the calling thread. */
#ifndef ERNIE_KERNEL_BLAS_H
#define ERNIE_KERNEL_BLAS_H

#include <stddef.h>

/* OpenBLAS has threads of its own, which would compete with ours: this pins it, for
 * the whole process, to the thread that calls it. Called before the first product. */
void blas_use_one_thread(void);

/* c [m][n] = scale * a [m][k] b^T, b being [n][k]. */
void blas_multiply_transposed(size_t m, size_t n, size_t k, float scale, const float *a,
                              size_t lda, const float *b, size_t ldb, float *c, size_t ldc);

/* c [m][n] = a [m][k] b [k][n]. */
void blas_multiply(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                   size_t ldb, float *c, size_t ldc);

#endif
