/* Vectors as 8-bit numbers, a quarter of their bytes, and how far from the truth a
 * cosine computed of them can be. A scan reads these; the few rows whose cosine may be
 * among the greatest are then read whole, so that the answer is exact.
 *
 * With x a vector of length 1 kept as x' = scale * row, and q a query kept as q':
 *
 *     q x = q' x' + (q - q') x' + q (x - x') <= q' x' + |q - q'| |x'| + |x - x'|
 *
 * by Cauchy and Schwarz. Both lengths are computed from the vectors themselves, so the
 * bound holds for every vector and is no estimate. */
#ifndef ERNIE_INDEX_CODES_H
#define ERNIE_INDEX_CODES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/kernel.h"

struct codes {
    size_t dim;
    size_t width;       /* dim, rounded up to a multiple of I8_INPUTS */
    size_t n, capacity; /* slots used, and there */
    int64_t *ids;       /* [capacity] */
    float *scale;       /* [capacity] */
    float *error;       /* [capacity] |x - x'|, rounded up */
    int8_t *rows;       /* [capacity][width] */
};

/* The length of vector x [n], or 0 when it is not finite. */
double vector_length(size_t n, const float *x);

int codes_init(struct codes *codes, size_t dim, size_t capacity, ernie_error *err);
void codes_reset(struct codes *codes);
/* Bytes that a slot takes. */
size_t codes_slot_bytes(size_t dim);

/* Puts vector [dim] of any length into the next slot, which must be there. 0, and
 * nothing is changed, when it has no direction: all zero, or not finite. */
int codes_add(struct codes *codes, int64_t id, const float *vector);
/* The vector of a slot as it is kept, nearly length 1: out [dim]. */
void codes_vector(const struct codes *codes, size_t slot, float *out);

struct codes_query {
    struct scan_query scan;
    float error; /* |q - q'| */
};

/* query [dim] of any length. ERNIE_EINVAL when it has no direction. */
int codes_query_init(struct codes_query *query, size_t dim, const float *vector, ernie_error *err);
void codes_query_reset(struct codes_query *query);

/* upper [n]: what the cosines of the query with slots first .. first + n - 1 do not
 * exceed. */
void codes_bounds(const struct codes *codes, size_t first, size_t n, const struct codes_query *query,
                  const struct kernel *kernel, float *upper);

#endif
