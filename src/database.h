/* Where the stages meet: what an open database holds. */
#ifndef ERNIE_DATABASE_H
#define ERNIE_DATABASE_H

#include "ernie.h"
#include "nearest.h"
#include "sql/store.h"

struct ernie_database {
    struct store *store;
    const ernie_model *model; /* NULL: nothing can be embedded */
    size_t dim;       /* numbers of each vector; 0 without a model */
    size_t dim_given; /* by ernie_set_dim, or 0 */
    ernie_encoder *encoder;   /* one thread, for queries; made on first use */
    struct word_bag *word_bag; /* model/word_bag.h; made on first use */
    struct nearest nearest;
    int writable;
};

/* The embedding of one question [dim], by the database's own encoder. */
int database_embed(struct ernie_database *database, const char *text, float *out,
                   ernie_error *err);

/* The same of what is plain text of a query (words/match.h): *out [dim], memory_free. */
int database_embed_query(struct ernie_database *database, const char *query, float **out,
                         ernie_error *err);
/* Belongs to the database. */
int database_word_bag(struct ernie_database *database, struct word_bag **out, ernie_error *err);

/* ERNIE_OK when the database's embeddings are the model's and as long as they were
 * asked for, or it has none yet; else ERNIE_EMISMATCH. Sets dim. */
int database_check_model(struct ernie_database *database, ernie_error *err);

/* Begins a write transaction and, the first time, notes whose embeddings the
 * database holds. */
int database_begin(struct ernie_database *database, ernie_error *err);
int database_note_model(struct store *store, const ernie_model *model, size_t dim,
                        ernie_error *err);

#endif
