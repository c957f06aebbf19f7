/* The part of a chunk that a hit shows. */
#ifndef ERNIE_SNIPPET_H
#define ERNIE_SNIPPET_H

#include <stddef.h>

#include "base/buffer.h"

/* Appends to out, on one line, the sentence of text [size] that shares the most
 * words with the query, and the sentences after it while there is room for
 * max_bytes. "…" marks what is left out. */
void snippet_append(struct buffer *out, const char *text, size_t size, const char *query,
                    size_t max_bytes);

#endif
