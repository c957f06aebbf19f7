/* The vectors of a collection nearest to a query, best first, as many as are asked for:
 * the index that this process shares for what is committed, an index of the connection's
 * own for what it has changed in a transaction, and the rows for the last word. The answer
 * is right however old the shared index is, because each hit is scored from its row. */
#ifndef ERNIE_NEAREST_H
#define ERNIE_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "index/registry.h"
#include "sql/collection.h"

/* One for each connection and collection. */
struct nearest {
    struct collection *rows; /* the caller's */
    uint8_t uuid[16];
    uint8_t fingerprint[16]; /* of the model whose vectors these are */
    size_t dim;
    char setting[ANN_DESCRIPTION_BYTES]; /* of the kind of index (index_plan_for) */
    char *path; /* of the index file, or NULL: a database in memory has none */
    struct shared_index *shared;
    /* What the rows that this connection sees have, and the shared index has not or may not
     * have: what the log tells from the state own_from to own_seq. */
    struct index *own;
    uint64_t own_from, own_seq, own_mark;
};

struct neighbour {
    int64_t chunk_id;
    int64_t document_id;
    double score; /* cosine */
};

/* fingerprint [16] and dim are the model's. The index file lies beside the database, by
 * the database's name and suffix. */
int nearest_init(struct nearest *nearest, struct collection *rows, const uint8_t *fingerprint,
                 size_t dim, const char *setting, const char *suffix, ernie_error *err);
void nearest_reset(struct nearest *nearest);
/* From now on vectors are of this model and have dim numbers. */
int nearest_set_vectors(struct nearest *nearest, const uint8_t *fingerprint, size_t dim,
                        ernie_error *err);

/* One question. It reads one state of the rows from begin to end, which must come before
 * anything else of nearest or rows is released. */
struct nearest_search;

/* query [dim] of any length but 0. */
int nearest_begin(struct nearest *nearest, const float *query, struct nearest_search **out,
                  ernie_error *err);
/* The next neighbour; *found is 0 after the last. */
int nearest_next(struct nearest_search *search, struct neighbour *out, int *found,
                 ernie_error *err);
/* What nearest_next would say of one chunk; *found is 0 when it is gone, or its vector cannot
 * be trusted. */
int nearest_look_up(struct nearest_search *search, int64_t chunk_id, struct neighbour *out,
                    int *found, ernie_error *err);
/* The mean cosine of the query with the chunks of the collection, by a few of them: how near
 * it is to what it has nothing to do with. 0 when there are none. */
int nearest_background(struct nearest_search *search, double *out, ernie_error *err);
/* From here on only these chunks [n] are looked at, in any order, for those who know which
 * may be asked for: few are scored straight from their rows, many are what the index is
 * asked for. What was given out before may come again. */
int nearest_among(struct nearest_search *search, size_t n, const int64_t *ids, ernie_error *err);
void nearest_end(struct nearest_search *search); /* NULL is fine */

/* Brings the shared index up to what is committed. */
int nearest_refresh(struct nearest *nearest, ernie_error *err);

/* Builds the index anew where another kind serves the number of vectors better, much of it
 * came after its base, or is gone, or always is set; then writes it to its file where that
 * has become old. cancel may be NULL. */
int nearest_save(struct nearest *nearest, int always, size_t n_threads, const atomic_int *cancel,
                 ernie_error *err);
/* The same at once for others than the caller, whose connection is not asked: it may be
 * about to end its commit. Where a reader makes no writer wait, that is with a write-ahead
 * log, a thread of the process does it with a connection of its own. Elsewhere it is only
 * written what there is, here and now, and nothing is built: a thread that reads would make
 * the caller's next commit fail. Never fails itself: it will be tried again. */
void nearest_save_soon(struct nearest *nearest);
/* nearest_save with always set, by a connection of its own, for a caller whose connection
 * must not be asked. ERNIE_ENOTFOUND in memory. */
int nearest_save_apart(struct nearest *nearest, size_t n_threads, ernie_error *err);

/* Removes the index file, if there is one. */
void nearest_forget(struct nearest *nearest);

#endif
