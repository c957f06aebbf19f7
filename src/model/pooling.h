/* Token vectors to one vector a sequence. */
#ifndef ERNIE_MODEL_POOLING_H
#define ERNIE_MODEL_POOLING_H

#include <stddef.h>

#include "model/config.h"

/* Which of a sequence's token vectors are read. */
enum read_tokens { READ_ALL, READ_FIRST, READ_LAST };

/* What these ways of pooling read. */
enum read_tokens pooling_reads(size_t n_ways, const enum pooling_kind *ways);

/* Pools tokens [n][hidden_size], n > 0, in each of the ways and puts the results end
 * to end in out [n_ways][hidden_size]. Reimers & Gurevych 2019, section 3. */
void pooling_apply(size_t n_ways, const enum pooling_kind *ways, size_t n, size_t hidden_size,
                   const float *tokens, float *out);

/* Scales x [n] to length 1; a vector of zeros stays so. */
void pooling_normalize(size_t n, float *x);

#endif
