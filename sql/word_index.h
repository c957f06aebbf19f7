/* The words of a collection's chunks: the FTS5 table ernie_words (words.sql), which keyword
 * search asks. It is made of the rows, keeps no text of its own, and can be made again.
 *
 * What is added is added in the caller's transaction, with the chunk or not at all. What else
 * changes, by whatever program, triggers note in ernie_words_pending until word_index_sync,
 * which is to be called before each commit; until then chunks that are gone may still be
 * found, and the caller must look whether a hit has its row.
 *
 * Compiled twice, as store.c is. */
#ifndef ERNIE_SQL_WORD_INDEX_H
#define ERNIE_SQL_WORD_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sqlite3;
struct word_index;
struct findings;

/* Over a connection that has the tokenizer. path: the database's, for messages. Nothing is
 * looked at yet. */
int word_index_new(struct sqlite3 *connection, const char *path, struct word_index **out,
                   ernie_error *err);
void word_index_free(struct word_index *index); /* NULL is fine */

/* As collection_keep and _let_go. */
void word_index_keep(struct word_index *index);
void word_index_let_go(struct word_index *index);

/* ---- writing, in a transaction of the caller's ---- */

int word_index_is_there(struct word_index *index, int *is_there, ernie_error *err);
/* Makes the table and fills it where there is none. */
int word_index_make(struct word_index *index, ernie_error *err);
/* Adds the words of a chunk that was just inserted. */
int word_index_add(struct word_index *index, int64_t chunk_id, ernie_error *err);
/* Takes out the words of what is gone or was changed, and adds those of what is new. */
int word_index_sync(struct word_index *index, ernie_error *err);
/* Makes all of it again from the rows. */
int word_index_rebuild(struct word_index *index, ernie_error *err);

/* ---- searching ---- */

struct word_hit {
    int64_t id; /* of the chunk */
    double bm25; /* Robertson & Zaragoza 2009, as FTS5 has it, higher is better; more than 0 */
};

struct word_hits {
    struct word_hit *hit; /* [n], best first; memory_free */
    size_t n;
};

/* Runs a statement that gives ids and what FTS5's bm25 says of each, and puts them in order:
 * as query_end, with the caller's parameters bound. */
struct query;
int word_hits_read(struct query *query, struct word_hits *out, ernie_error *err);

/* Every chunk that a query (words/match.h) finds. */
int word_index_search(struct word_index *index, const char *query, size_t size,
                      struct word_hits *out, ernie_error *err);

/* The chunks, ascending, that an expression of FTS5's finds; *ids is released with
 * memory_free. */
int word_index_ids(struct word_index *index, const char *expression, size_t size, int64_t **ids,
                   size_t *n, ernie_error *err);

/* ---- checking ---- */

/* Chunks without words, words without chunk, and, where the connection may write, all words
 * against the texts of their chunks. ERNIE_OK whatever was found. */
int word_index_check(struct word_index *index, struct findings *findings, ernie_error *err);

#endif
