#include "model/pooling.h"

#include <math.h>
#include <string.h>

void pooling_normalize(size_t n, float *x)
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

static void add_all(size_t n, size_t hidden_size, const float *tokens, float *out)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < hidden_size; j++)
            out[j] += tokens[i * hidden_size + j];
}

static void take_largest(size_t n, size_t hidden_size, const float *tokens, float *out)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < hidden_size; j++)
            if (out[j] < tokens[i * hidden_size + j])
                out[j] = tokens[i * hidden_size + j];
}

static void divide(size_t n, float *x, double by)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(x[i] / by);
}

static void pool(enum pooling_kind kind, size_t n, size_t hidden_size, const float *tokens,
                 float *out)
{
    const float *first = kind == POOLING_LAST_TOKEN ? tokens + (n - 1) * hidden_size : tokens;

    memcpy(out, first, hidden_size * sizeof *out); /* [CLS] is the first */
    switch (kind) {
    case POOLING_MEAN:
        add_all(n, hidden_size, tokens, out);
        divide(hidden_size, out, (double)n);
        break;
    case POOLING_MEAN_SQRT_LEN:
        add_all(n, hidden_size, tokens, out);
        divide(hidden_size, out, sqrt((double)n));
        break;
    case POOLING_MAX:
        take_largest(n, hidden_size, tokens, out);
        break;
    default:
        break;
    }
}

enum read_tokens pooling_reads(size_t n_ways, const enum pooling_kind *ways)
{
    for (size_t i = 1; i < n_ways; i++)
        if (ways[i] != ways[0])
            return READ_ALL;
    return ways[0] == POOLING_CLS ? READ_FIRST
           : ways[0] == POOLING_LAST_TOKEN ? READ_LAST
                                           : READ_ALL;
}

void pooling_apply(size_t n_ways, const enum pooling_kind *ways, size_t n, size_t hidden_size,
                   const float *tokens, float *out)
{
    for (size_t i = 0; i < n_ways; i++)
        pool(ways[i], n, hidden_size, tokens, out + i * hidden_size);
}
