#include "kernel/pack.h"

#include <string.h>

#include "kernel/kernel.h"

size_t pack_padded(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

void pack_i8_rows(size_t first, size_t n, size_t n_in, const int8_t *w, int8_t *packed,
                  int32_t *sum)
{
    const size_t padded_in = pack_padded(n_in, I8_INPUTS);

    for (size_t o = first; o < first + n; o++) {
        const int8_t *row = w + (o - first) * n_in;
        int8_t *column = packed + o / 16 * 16 * padded_in + o % 16 * 4;
        int32_t total = 0;
        size_t i = 0;

        for (; i + 4 <= n_in; i += 4)
            memcpy(column + 16 * i, row + i, 4);
        for (; i < n_in; i++)
            column[i / 4 * 64 + i % 4] = row[i];
        for (i = 0; i < n_in; i++)
            total += row[i];
        sum[o] = total;
    }
}

void pack_i8(size_t n_out, size_t n_in, const int8_t *w, int8_t *packed, int32_t *sum)
{
    const size_t padded_out = pack_padded(n_out, I8_OUTPUTS);

    memset(packed, 0, padded_out * pack_padded(n_in, I8_INPUTS));
    memset(sum, 0, padded_out * sizeof *sum);
    pack_i8_rows(0, n_out, n_in, w, packed, sum);
}
