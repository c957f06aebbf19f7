/* Vectors as numbers of 8 or 4 bits, a quarter or an eighth of their bytes, and how far
 * from the truth a cosine computed of them can be. A scan reads these; the few rows whose
 * cosine may be among the greatest are then read whole, so that the answer is exact.
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
    unsigned bits;      /* of a number: 8, or 4 after codes_narrow */
    size_t width;       /* bytes of a row, a multiple of 64 */
    size_t n, capacity; /* slots used, and there */
    int64_t *ids;       /* [capacity] */
    float *scale;       /* [capacity] */
    float *error;       /* [capacity] |x - x'|, rounded up */
    int8_t *rows;       /* [capacity][width] as scan_i8 takes them, or scan_u4: 8 is 0 */
};

/* The length of vector x [n], or 0 when it is not finite. */
double vector_length(size_t n, const float *x);

int codes_init(struct codes *codes, size_t dim, unsigned bits, size_t capacity,
               ernie_error *err);
void codes_reset(struct codes *codes);
/* Bytes that a slot takes. */
size_t codes_slot_bytes(size_t dim, unsigned bits);

/* Puts vector [dim] of any length into the next slot, of 8 bits, which must be there. 0, and
 * nothing is changed, when it has no direction: all zero, or not finite. */
int codes_add(struct codes *codes, int64_t id, const float *vector);
/* The vector of a slot of 8 bits as it is kept, nearly length 1: out [dim]. */
void codes_vector(const struct codes *codes, size_t slot, float *out);
/* Makes all slots ones of 4 bits; no more can be added. */
int codes_narrow(struct codes *codes, ernie_error *err);

struct codes_query {
    struct scan_query scan;
    float error; /* |q - q'| */
    /* The same for rows of 4 bits, as numbers of 8 bits. */
    const int8_t *rounded; /* [dim, padded] */
    int32_t rounded_sum;
    float rounded_scale, rounded_error;
    float share; /* of the errors that bounds make room for; 1: no cosine exceeds its bound */
};

/* query [dim] of any length, with bounds that hold always. ERNIE_EINVAL when it has no
 * direction. */
int codes_query_init(struct codes_query *query, size_t dim, const float *vector,
                     ernie_error *err);
/* Has bounds that may fail once in 700 times, and are a seventh as far from the cosine of 384
 * numbers, for those who find only nearly all: what rounding loses points anywhere, and of
 * the most that its product with the query could be, squared, a dim-th is to be expected. */
void codes_query_trust(struct codes_query *query, size_t dim);
void codes_query_reset(struct codes_query *query);

/* Asks the memory for slots that will be looked at soon. */
void codes_prefetch(const struct codes *codes, size_t first, size_t n);

/* upper [n]: what the cosines of the query with slots first .. first + n - 1 do not
 * exceed, or hardly ever after codes_query_trust. */
void codes_bounds(const struct codes *codes, size_t first, size_t n,
                  const struct codes_query *query, const struct kernel *kernel, float *upper);

#endif
