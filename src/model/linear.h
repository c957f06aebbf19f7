/* A linear layer, y = x W^T + b, whatever precision its weights have. */
#ifndef ERNIE_MODEL_LINEAR_H
#define ERNIE_MODEL_LINEAR_H

#include <stddef.h>

#include "kernel/kernel.h"

struct linear {
    size_t n_in, n_out;
    float *bias;           /* [n_out]; f32 and i8 borrow it */
    struct matrix_f32 f32; /* owns packed, NULL when the weights are int8 */
    struct matrix_i8 i8;   /* owns packed, sum and scale, NULL when they are float32 */
    double *squares;       /* [n_in] owned; when not NULL, the square of each input is added:
                              for a model that one thread has for itself, to measure it */
};

/* Where a layer puts its input in the form that the product takes: rows as int8, or as
 * multiply_f32 likes them. */
struct linear_scratch {
    void *memory;
    float *scale;  /* [rows] */
    int32_t *zero; /* [rows] */
};

/* Outputs [first, end) of y [n][n_out] = epilogue(x [n][n_in] W^T + b); first is a
 * multiple of I8_OUTPUTS. kernel: the one it was packed by. */
void linear_apply(const struct linear *linear, const struct kernel *kernel, size_t first,
                  size_t end, size_t n, const float *x, enum epilogue epilogue,
                  struct linear_scratch *scratch, float *y);

void linear_reset(struct linear *linear);

/* Bytes that n rows of n_in numbers take. */
size_t linear_scratch_bytes(size_t n, size_t n_in);
/* Memory for up to n rows in n_bytes together; 0 when there is none. */
int linear_scratch_init(struct linear_scratch *scratch, size_t n, size_t n_bytes);
void linear_scratch_reset(struct linear_scratch *scratch);

#endif
