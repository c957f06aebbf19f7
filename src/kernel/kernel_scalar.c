#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

#define KERNEL_TABLE kernel_scalar
#define KERNEL_NAME  "scalar"
#define TILE_ROWS    4

/* product [rows][32] = x [rows][n_in] times two panels of 16 outputs, in int32. What
 * the products of all instruction sets equal, bit for bit. */
static void multiply_tile(size_t n_in, size_t rows, const uint8_t *x, const int8_t *w,
                          int32_t (*product)[I8_OUTPUTS])
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < I8_OUTPUTS; j++) {
            const int8_t *column = w + j / 16 * 16 * n_in + j % 16 * 4;
            int32_t sum = 0;

            for (size_t k = 0; k < n_in; k++)
                sum += x[i * n_in + k] * column[k / 4 * 64 + k % 4];
            product[i][j] = sum;
        }
    }
}

static int32_t scan_row(size_t n, const int8_t *row, const struct scan_query *query)
{
    int32_t sum = 0;

    for (size_t j = 0; j < n; j++)
        sum += row[j] * query->value[j];
    return sum;
}

static int32_t scan_row_u4(size_t n, const uint8_t *row, const int8_t *query)
{
    int32_t sum = 0;

    for (size_t j = 0; j < n; j += U4_INPUTS, row += U4_INPUTS / 2)
        for (size_t k = 0; k < U4_INPUTS / 2; k++)
            sum += (row[k] & 15) * query[j + k] + (row[k] >> 4) * query[j + U4_INPUTS / 2 + k];
    return sum;
}

#include "kernel/kernel_loops.h"
