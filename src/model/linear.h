/* A linear layer, y = x W^T + b, whatever precision its weights have. */
#ifndef ERNIE_MODEL_LINEAR_H
#define ERNIE_MODEL_LINEAR_H

#include <stddef.h>

struct linear {
    size_t n_in, n_out;
    float *weight; /* [n_out][n_in] */
    float *bias;   /* [n_out] */
};

/* y [n][n_out] = x [n][n_in] W^T, without the bias: what follows adds it in its own
 * pass over y. */
void linear_multiply(const struct linear *linear, size_t n, const float *x, float *y);

#endif
