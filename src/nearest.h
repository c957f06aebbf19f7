/* The embeddings nearest to a vector: the vector index for what it includes, an
 * exact scan of the rows newer than it, and the rows themselves for the last
 * word. The answer is right however old the index is, because every neighbour
 * is looked up and scored again from its row. */
#ifndef ERNIE_NEAREST_H
#define ERNIE_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "index/ann.h"
#include "sql/store.h"

struct nearest {
    size_t dim;
    uint8_t fingerprint[16]; /* of the model whose embeddings these are */
    char *path;              /* of the index file, or NULL: a database in memory has none */
    int looked_for_index;
    struct ann *ann;         /* NULL while there is none that fits */
    struct ann_stamp stamp;
    /* What the log says after the stamp, as far as it was read. */
    uint64_t tail_seq;
    size_t n_tail, tail_capacity;
    int64_t *tail_ids;  /* [n_tail] */
    float *tail;        /* [n_tail][dim] */
};

struct neighbour {
    int64_t chunk_id;
    int64_t document_id;
    float score; /* cosine */
    float rerank_score; /* set by rerank.c */
};

/* fingerprint [16] and dim are the model's. The index file lies beside the
 * database: "<database>-ann". */
int nearest_init(struct nearest *nearest, const struct store *store, const uint8_t *fingerprint,
                 size_t dim, ernie_error *err);
void nearest_reset(struct nearest *nearest);
/* From now on vectors have dim numbers; forgets what was read when they had others. */
void nearest_set_dim(struct nearest *nearest, size_t dim);

/* The chunks nearest to query [dim], best first, at least want of them when there
 * are so many; *out is released with memory_free. *complete is set when no chunk
 * is left out. Must run between store_snapshot_begin, which gives seq, and _end. */
int nearest_search(struct nearest *nearest, struct store *store, uint64_t seq, const float *query,
                   size_t want, struct neighbour **out, size_t *n, int *complete,
                   ernie_error *err);

/* Reads what of index and tail is not in memory yet, up to seq. */
int nearest_refresh(struct nearest *nearest, struct store *store, uint64_t seq, ernie_error *err);

/* Brings the index file up to the rows: nothing when the tail is short, the tail
 * added when it is not, all of it built again when always is set or too much of
 * it is dead. */
int nearest_save(struct nearest *nearest, struct store *store, int always, size_t n_threads,
                 ernie_error *err);

#endif
