/* Where the words of a query stand in a text: shows people why it was found. What the
 * keyword side finds is marked, by the same words (words.h): other forms of an English
 * word, traditional characters for simplified ones, pairs of a longer run of Chinese.
 * Words that are to be absent (-word) are not looked for, and neither are English words
 * that say nothing (the, of, how) outside of quotes. */
#ifndef ERNIE_WORDS_MARKER_H
#define ERNIE_WORDS_MARKER_H

#include <stddef.h>

#include "base/error.h"

struct marker;

struct mark {
    size_t start, end; /* bytes [start, end) of the text, whole characters */
};

/* For one thread at a time. ERNIE_ENOMEM. */
int marker_new(const char *query, size_t size, struct marker **out, ernie_error *err);
void marker_free(struct marker *marker);

/* The places in text [size], in order and apart from each other; *marks [*n] belongs to
 * the marker and is good until it is asked again. ERNIE_ENOMEM. */
int marker_find(struct marker *marker, const char *text, size_t size, const struct mark **marks,
                size_t *n, ernie_error *err);

/* How many words of the query, each counted once, text [size] has. ERNIE_ENOMEM. */
int marker_count(struct marker *marker, const char *text, size_t size, size_t *n,
                 ernie_error *err);

#endif
