#include "model/pooling.h"

#include <math.h>
#include <string.h>

static void scale_to_length_1(size_t n, float *x)
{
    double square = 0;
    float scale;

    for (size_t i = 0; i < n; i++)
        square += (double)x[i] * x[i];
    if (square == 0)
        return;
    scale = (float)(1 / sqrt(square));
    for (size_t i = 0; i < n; i++)
        x[i] *= scale;
}

void pooling_apply(enum pooling_kind kind, size_t n, size_t hidden_size, const float *tokens,
                   float *out)
{
    memcpy(out, tokens, hidden_size * sizeof *out); /* [CLS] is the first */
    /* The mean's division would be undone by the scaling. */
    for (size_t i = 1; kind == POOLING_MEAN && i < n; i++)
        for (size_t j = 0; j < hidden_size; j++)
            out[j] += tokens[i * hidden_size + j];
    scale_to_length_1(hidden_size, out);
}
