/* Token vectors to one vector a sequence. */
#ifndef ERNIE_MODEL_POOLING_H
#define ERNIE_MODEL_POOLING_H

#include <stddef.h>

#include "model/config.h"

/* Pools tokens [n][hidden_size], n > 0, into out [hidden_size] and scales it to
 * length 1; a vector of zeros stays so. Reimers & Gurevych 2019, section 3. */
void pooling_apply(enum pooling_kind kind, size_t n, size_t hidden_size, const float *tokens,
                   float *out);

#endif
