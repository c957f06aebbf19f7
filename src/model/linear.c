#include "model/linear.h"

#include "kernel/blas.h"

void linear_multiply(const struct linear *linear, size_t n, const float *x, float *y)
{
    blas_multiply_transposed(n, linear->n_out, linear->n_in, 1, x, linear->n_in, linear->weight,
                             linear->n_in, y, linear->n_out);
}
