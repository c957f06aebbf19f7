/* What a hit shows of its chunk: the sentence nearest the query, with the query's words
 * marked in it.
 *
 * To embed the sentences of ten passages takes ten times as long as the question itself, so
 * the sentence is chosen by its words: those of the query that it has, and how near in meaning
 * its words are to them (model/word_bag.h). A passage with none of the query's words, which
 * meaning alone has found, as one in another language, has its sentences embedded. */
#ifndef ERNIE_HIGHLIGHT_H
#define ERNIE_HIGHLIGHT_H

#include "database.h"

/* The text of a chunk. */
struct passage {
    const char *text;
    size_t size;
};

/* Sets snippet and marks of n hits, in the memory of memory_free, from their passages.
 * embedding [dim] is the query's, or NULL: then it is made when a passage needs it. After a
 * failure what was set stays set. */
int highlight(struct ernie_database *database, const char *query, const float *embedding,
              size_t n, const struct passage *passages, struct ernie_hit *hits, ernie_error *err);

#endif
