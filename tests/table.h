/* Rows with vectors, some of which are gone, as an index asks for them. */
#ifndef ERNIE_TESTS_TABLE_H
#define ERNIE_TESTS_TABLE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"

struct table {
    size_t dim, n;
    float *vectors; /* [n][dim]; the id of a row is its number + 1 */
    char *gone;     /* [n] */
    const float *query;
};

static inline uint64_t table_random(uint64_t *state)
{
    /* splitmix64 (Steele, Lea & Flood 2014): the same numbers everywhere. */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline float table_number(uint64_t *state)
{
    return (float)(table_random(state) >> 40) / (1 << 23) - 1;
}

/* In clusters, as texts are: around centers that are the same for every seed. */
static inline void table_init(struct table *table, size_t n, size_t dim, unsigned seed)
{
    enum { N_CENTERS = 64 };
    uint64_t state = seed;

    *table = (struct table){ .dim = dim, .n = n };
    table->vectors = malloc((n * dim + 1) * sizeof *table->vectors);
    table->gone = calloc(n + 1, 1);
    if (table->vectors == NULL || table->gone == NULL)
        abort();
    for (size_t i = 0; i < n; i++) {
        uint64_t center = 1000000 + table_random(&state) % N_CENTERS;

        for (size_t j = 0; j < dim; j++)
            table->vectors[i * dim + j] = table_number(&center) + table_number(&state);
    }
}

static inline void table_reset(struct table *table)
{
    free(table->vectors);
    free(table->gone);
}

static inline double cosine(size_t dim, const float *a, const float *b)
{
    double product = 0, a_square = 0, b_square = 0;

    for (size_t i = 0; i < dim; i++) {
        product += (double)a[i] * b[i];
        a_square += (double)a[i] * a[i];
        b_square += (double)b[i] * b[i];
    }
    return product / (sqrt(a_square) * sqrt(b_square));
}

/* A stream_score_fn; data is the table. */
static inline int table_score(void *data, int64_t id, double *out, int *found, ernie_error *err)
{
    const struct table *table = data;

    (void)err;
    *found = !table->gone[id - 1];
    *out = cosine(table->dim, table->query, table->vectors + (size_t)(id - 1) * table->dim);
    return ERNIE_OK;
}

#endif
