#include "kernel/blas.h"

#include <cblas.h>

void blas_use_one_thread(void)
{
    if (openblas_get_num_threads() != 1)
        openblas_set_num_threads(1);
}

void blas_multiply_transposed(size_t m, size_t n, size_t k, float scale, const float *a,
                              size_t lda, const float *b, size_t ldb, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)m, (blasint)n, (blasint)k,
                scale, a, (blasint)lda, b, (blasint)ldb, 0, c, (blasint)ldc);
}

void blas_multiply(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                   size_t ldb, float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1,
                a, (blasint)lda, b, (blasint)ldb, 0, c, (blasint)ldc);
}
