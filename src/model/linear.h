/* A linear layer, y = x W^T + b, whatever precision its weights have. */
#ifndef ERNIE_MODEL_LINEAR_H
#define ERNIE_MODEL_LINEAR_H

#include <stddef.h>

#include "kernel/kernel.h"

struct linear {
    size_t n_in, n_out;
    float *bias;         /* [n_out] */
    float *weight;       /* [n_out][n_in], or NULL: the weights are int8 */
    struct matrix_i8 i8; /* owns packed, sum and scale; its bias is the above */
};

/* y [n][n_out] = epilogue(x [n][n_in] W^T + b). scratch is for the input as int8:
 * memory for n rows (linear_scratch_init). */
void linear_apply(const struct linear *linear, const struct kernel *kernel, size_t n,
                  const float *x, enum epilogue epilogue, struct rows_i8 *scratch, float *y);

void linear_reset(struct linear *linear);

/* Bytes that n rows of n_in numbers take as int8. */
size_t linear_scratch_bytes(size_t n, size_t n_in);
/* Memory for up to n rows in n_bytes together; 0 when there is none. */
int linear_scratch_init(struct rows_i8 *scratch, size_t n, size_t n_bytes);
void linear_scratch_reset(struct rows_i8 *scratch);

#endif
