#include "kernel/pack.h"

#include <string.h>

#include "kernel/kernel.h"

size_t pack_padded(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

void pack_i8(size_t n_out, size_t n_in, const int8_t *w, int8_t *packed, int32_t *sum)
{
    const size_t padded_in = pack_padded(n_in, I8_INPUTS);
    const size_t padded_out = pack_padded(n_out, I8_OUTPUTS);

    memset(packed, 0, padded_out * padded_in);
    memset(sum, 0, padded_out * sizeof *sum);
    for (size_t o = 0; o < n_out; o++) {
        int8_t *column = packed + o / 16 * 16 * padded_in + o % 16 * 4;

        for (size_t i = 0; i < n_in; i++) {
            column[i / 4 * 64 + i % 4] = w[o * n_in + i];
            sum[o] += w[o * n_in + i];
        }
    }
}
