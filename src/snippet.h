/* The part of a chunk that a hit shows: the sentence that answers, and what follows it
 * while there is room. */
#ifndef ERNIE_SNIPPET_H
#define ERNIE_SNIPPET_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "words/marker.h"

/* A query longer than this would be compared word by word with each sentence: it has none. */
#define SNIPPET_QUERY_BYTES 1024
/* About two lines of a terminal in Chinese, three in English. */
#define SNIPPET_BYTES 240
/* Sentences that are looked at: chunks have a dozen. */
#define SNIPPET_SENTENCES 32

struct snippet_sentence {
    size_t start, end; /* bytes [start, end) of the text; no space at the start */
};

/* Fills out with the sentences of text [size], at most SNIPPET_SENTENCES, and returns
 * their number. */
size_t snippet_sentences(const char *text, size_t size,
                         struct snippet_sentence out[SNIPPET_SENTENCES]);

/* The sentence that has the most of the query's words, the first of several: its index,
 * or 0. ERNIE_ENOMEM. */
int snippet_best_by_words(struct marker *marker, const char *text, size_t n,
                          const struct snippet_sentence *sentences, size_t *best,
                          ernie_error *err);

/* Appends to out, on one line, text from sentence `best` on, and the sentences before it
 * as far as there is room for them when the text ends. "…" marks what is left out. */
void snippet_append(struct buffer *out, const char *text, size_t size, size_t n,
                    const struct snippet_sentence *sentences, size_t best);

/* The same from the sentence that has the most of the query's words. ERNIE_ENOMEM, and
 * buffer failures. */
int snippet_by_words(struct buffer *out, const char *text, size_t size, const char *query,
                     ernie_error *err);

#endif
