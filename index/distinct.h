/* Numbers vectors so that equal ones share a number. HNSW needs it: a vector
 * that is there more often than it has links is linked to its own copies only,
 * and a search that meets one never gets away from them. Boilerplate that a
 * thousand files repeat is such a vector.
 *
 * Equal means that each component rounds to the same multiple of 1/4096: the
 * same text embedded in another batch may differ in the last bits. For vectors of
 * length 1 that is a cosine above 0.9999. */
#ifndef ERNIE_INDEX_DISTINCT_H
#define ERNIE_INDEX_DISTINCT_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

/* All zero but for dim is empty. */
struct distinct {
    size_t dim;
    size_t n;         /* numbers given so far: 0 .. n - 1 */
    struct hash *key; /* [n], of the rounded vectors */
    size_t n_slots;   /* a power of two */
    int32_t *slot;    /* [n_slots], a number + 1, or 0: open addressing */
    int16_t *rounded; /* [dim] */
};

/* The number of the vector [dim], a new one (n before the call) when there is no
 * equal one yet. -1 when memory ran out; what was there stays. n stays below 2^31. */
int32_t distinct_number(struct distinct *distinct, const float *vector);
void distinct_reset(struct distinct *distinct); /* keeps dim */

#endif
