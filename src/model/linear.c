#include "model/linear.h"

#include <string.h>

#include "base/memory.h"
#include "kernel/blas.h"
#include "kernel/pack.h"

static void apply_float(const struct linear *linear, const struct kernel *kernel, size_t n,
                        const float *x, enum epilogue epilogue, float *y)
{
    blas_multiply_transposed(n, linear->n_out, linear->n_in, 1, x, linear->n_in, linear->weight,
                             linear->n_in, y, linear->n_out);
    for (size_t i = 0; i < n; i++) {
        if (epilogue == EPILOGUE_GELU)
            kernel->add_gelu(linear->n_out, y + i * linear->n_out, linear->bias);
        else
            kernel->add(linear->n_out, y + i * linear->n_out, linear->bias);
    }
}

static void apply_i8(const struct linear *linear, const struct kernel *kernel, size_t n,
                     const float *x, enum epilogue epilogue, struct rows_i8 *scratch, float *y)
{
    const size_t padded = linear->i8.n_in;

    for (size_t i = 0; i < n; i++) {
        uint8_t *row = scratch->q + i * padded;

        kernel->quantize(linear->n_in, x + i * linear->n_in, row, &scratch->scale[i],
                         &scratch->zero[i]);
        memset(row + linear->n_in, 0, padded - linear->n_in);
    }
    kernel->multiply_i8(&linear->i8, n, scratch, epilogue, y, linear->n_out);
}

void linear_apply(const struct linear *linear, const struct kernel *kernel, size_t n,
                  const float *x, enum epilogue epilogue, struct rows_i8 *scratch, float *y)
{
    if (linear->weight != NULL)
        apply_float(linear, kernel, n, x, epilogue, y);
    else
        apply_i8(linear, kernel, n, x, epilogue, scratch, y);
}

void linear_reset(struct linear *linear)
{
    memory_free_aligned(linear->bias);
    memory_free_aligned(linear->weight);
    memory_free_aligned(linear->i8.packed);
    memory_free_aligned(linear->i8.sum);
    memory_free_aligned(linear->i8.scale);
}

size_t linear_scratch_bytes(size_t n, size_t n_in)
{
    return pack_padded(n, I8_ROWS) * pack_padded(n_in, I8_INPUTS);
}

int linear_scratch_init(struct rows_i8 *scratch, size_t n, size_t n_bytes)
{
    scratch->q = memory_new_aligned(n_bytes, 1);
    scratch->scale = memory_new_aligned(n, sizeof *scratch->scale);
    scratch->zero = memory_new_aligned(n, sizeof *scratch->zero);
    return scratch->q != NULL && scratch->scale != NULL && scratch->zero != NULL;
}

void linear_scratch_reset(struct rows_i8 *scratch)
{
    memory_free_aligned(scratch->q);
    memory_free_aligned(scratch->scale);
    memory_free_aligned(scratch->zero);
}
