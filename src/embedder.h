/* Texts being embedded on a thread of their own, while the caller reads the next ones
 * and writes the last ones: so the encoder waits neither for the disk nor for SQLite.
 * One set of texts at a time, in slices, so that a request to stop is heard. */
#ifndef ERNIE_EMBEDDER_H
#define ERNIE_EMBEDDER_H

#include <stddef.h>

#include "base/error.h"
#include "ernie.h"

struct embedder;

/* slice: texts embedded in one call of the encoder. Borrows encoder and how, whose use
 * is the embedder's between embedder_begin and the end. */
int embedder_new(ernie_encoder *encoder, const struct ernie_encode_options *how, size_t slice,
                 struct embedder **out, ernie_error *err);
/* Stops what is being embedded, after the slice it is at. NULL is fine. */
void embedder_free(struct embedder *embedder);

/* Begins to embed n texts into out [n][how->dim]. All are borrowed until embedder_wait
 * says that the end is reached, or embedder_free. */
void embedder_begin(struct embedder *embedder, size_t n, const char *const *texts,
                    const size_t *sizes, float *out);

/* Waits until more texts are embedded than the last call told of, and sets *n_more to
 * how many; 0 when the end is reached, by all of them or by a failure, which is returned. */
int embedder_wait(struct embedder *embedder, size_t *n_more, ernie_error *err);

#endif
