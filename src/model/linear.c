#include "model/linear.h"

#include <string.h>

#include "base/memory.h"
#include "kernel/pack.h"

static void apply_i8(const struct linear *linear, const struct kernel *kernel, size_t n,
                     const float *x, enum epilogue epilogue, struct linear_scratch *scratch,
                     float *y)
{
    const size_t padded = linear->i8.n_in;
    struct rows_i8 rows = { scratch->memory, scratch->scale, scratch->zero };

    for (size_t i = 0; i < n; i++) {
        uint8_t *row = rows.q + i * padded;

        kernel->quantize(linear->n_in, x + i * linear->n_in, row, &rows.scale[i], &rows.zero[i]);
        memset(row + linear->n_in, 0, padded - linear->n_in);
    }
    kernel->multiply_i8(&linear->i8, n, &rows, epilogue, y, linear->n_out);
}

void linear_apply(const struct linear *linear, const struct kernel *kernel, size_t n,
                  const float *x, enum epilogue epilogue, struct linear_scratch *scratch,
                  float *y)
{
    if (linear->f32.packed != NULL)
        kernel->multiply_f32(&linear->f32, n, x, linear->n_in, linear->n_in, epilogue, y,
                             linear->n_out, scratch->memory);
    else
        apply_i8(linear, kernel, n, x, epilogue, scratch, y);
}

void linear_reset(struct linear *linear)
{
    memory_free_aligned(linear->bias);
    memory_free_aligned(linear->f32.packed);
    memory_free_aligned(linear->i8.packed);
    memory_free_aligned(linear->i8.sum);
    memory_free_aligned(linear->i8.scale);
}

size_t linear_scratch_bytes(size_t n, size_t n_in)
{
    const size_t f32 = f32_scratch(n, n_in);
    const size_t i8 = pack_padded(n, I8_ROWS) * pack_padded(n_in, I8_INPUTS);

    return f32 > i8 ? f32 : i8;
}

int linear_scratch_init(struct linear_scratch *scratch, size_t n, size_t n_bytes)
{
    scratch->memory = memory_new_aligned(n_bytes, 1);
    scratch->scale = memory_new_aligned(n, sizeof *scratch->scale);
    scratch->zero = memory_new_aligned(n, sizeof *scratch->zero);
    return scratch->memory != NULL && scratch->scale != NULL && scratch->zero != NULL;
}

void linear_scratch_reset(struct linear_scratch *scratch)
{
    memory_free_aligned(scratch->memory);
    memory_free_aligned(scratch->scale);
    memory_free_aligned(scratch->zero);
}
