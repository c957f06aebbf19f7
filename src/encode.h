/* What the library itself needs of ernie_encoder besides ernie.h. */
#ifndef ERNIE_ENCODE_H
#define ERNIE_ENCODE_H

#include "ernie.h"

/* ernie_encode_with for texts [n] that come with their sizes in bytes and need no 0
 * byte at the end. options may be NULL. */
int encode_texts(ernie_encoder *encoder, size_t n, const char *const *texts, const size_t *sizes,
                 const struct ernie_encode_options *options, float *out, ernie_error *err);

#endif
