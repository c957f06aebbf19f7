#include "model/linear.h"

#include <string.h>

#include "base/memory.h"
#include "kernel/pack.h"

static void apply_i8(const struct matrix_i8 *matrix, const struct kernel *kernel, size_t n,
                     size_t n_in, const float *x, enum epilogue epilogue,
                     struct linear_scratch *scratch, float *y, size_t ldy)
{
    struct rows_i8 rows = { scratch->memory, scratch->scale, scratch->zero };

    for (size_t i = 0; i < n; i++) {
        uint8_t *row = rows.q + i * matrix->n_in;

        kernel->quantize(n_in, x + i * n_in, row, &rows.scale[i], &rows.zero[i]);
        memset(row + n_in, 0, matrix->n_in - n_in);
    }
    kernel->multiply_i8(matrix, n, &rows, epilogue, y, ldy);
}

static void add_squares(size_t n, size_t n_in, const float *x, double *squares)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n_in; j++)
            squares[j] += (double)x[i * n_in + j] * (double)x[i * n_in + j];
}

void linear_apply(const struct linear *linear, const struct kernel *kernel, size_t first,
                  size_t end, size_t n, const float *x, enum epilogue epilogue,
                  struct linear_scratch *scratch, float *y)
{
    if (first >= end)
        return;
    if (linear->squares != NULL)
        add_squares(n, linear->n_in, x, linear->squares);
    if (linear->f32.packed != NULL) {
        struct matrix_f32 part = linear->f32;

        part.n_out = end - first;
        part.packed = (char *)part.packed + first * part.n_in * sizeof(float);
        part.bias += first;
        kernel->multiply_f32(&part, n, x, linear->n_in, linear->n_in, epilogue, y + first,
                             linear->n_out, scratch->memory);
    } else {
        struct matrix_i8 part = linear->i8;

        part.n_out = end - first;
        part.packed += first * part.n_in;
        part.sum += first;
        part.scale += first;
        part.bias += first;
        apply_i8(&part, kernel, n, linear->n_in, x, epilogue, scratch, y + first, linear->n_out);
    }
}

void linear_reset(struct linear *linear)
{
    memory_free_aligned(linear->bias);
    memory_free_aligned(linear->f32.packed);
    memory_free_aligned(linear->i8.packed);
    memory_free_aligned(linear->i8.sum);
    memory_free_aligned(linear->i8.scale);
    memory_free(linear->squares);
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
