/* What a hit shows of its chunk: the sentence nearest the query in meaning, with the
 * query's words marked in it. */
#ifndef ERNIE_HIGHLIGHT_H
#define ERNIE_HIGHLIGHT_H

#include "database.h"

/* The text of a chunk. */
struct passage {
    const char *text;
    size_t size;
};

/* Sets snippet and marks of n hits, in the memory of memory_free, from their passages.
 * embedding [dim] is the query's; where it is NULL, and past the first hits, which are what
 * people look at, the sentence is the one with the most of the query's words: to compare
 * meanings, every sentence is embedded. After a failure what was set stays set. */
int highlight(struct ernie_database *database, const char *query, const float *embedding,
              size_t n, const struct passage *passages, struct ernie_hit *hits, ernie_error *err);

#endif
