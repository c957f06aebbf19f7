/* Nearest neighbours of a vector: (id, embedding) pairs in, ids by inner product
 * out. The embeddings have length 1, so the inner product is the cosine. An
 * index is derived from rows and can be thrown away at any time; its file
 * carries a stamp that says which rows it was made from. */
#ifndef ERNIE_INDEX_ANN_H
#define ERNIE_INDEX_ANN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct ann;

enum ann_kind {
    ANN_FLAT, /* exact: compares with every vector */
    ANN_HNSW  /* approximate: Malkov & Yashunin 2016; cannot delete */
};

/* The kind that serves n vectors best. */
enum ann_kind ann_kind_for(size_t n);
const char *ann_kind_name(enum ann_kind kind); /* "flat", "hnsw" */

int ann_new(enum ann_kind kind, size_t dim, struct ann **out, ernie_error *err);
void ann_free(struct ann *ann);

/* Adds n vectors [n][dim] under their ids, which are not negative; an id may be
 * added once. n_threads may share the work. Returns ERNIE_EINVAL, and adds none,
 * when an id is there already or a component is not a finite number. When FAISS
 * itself fails, the index is empty afterwards. */
int ann_add(struct ann *ann, size_t n, const int64_t *ids, const float *vectors, size_t n_threads,
            ernie_error *err);

/* The k nearest vectors to query [dim], best first: ids and scores with n_found =
 * min(k, ann_count) of them set, so they need no more room than that. HNSW may put
 * a farther one in the place of one of the nearest (index/README.md says how
 * often), and gives vectors that are equal to 1/4096 in each component one score.
 * Several threads may search one index at once; each uses no thread but itself. */
int ann_search(const struct ann *ann, const float *query, size_t k, int64_t *ids, float *scores,
               size_t *n_found, ernie_error *err);

size_t ann_count(const struct ann *ann);
size_t ann_dim(const struct ann *ann);
enum ann_kind ann_kind(const struct ann *ann);

/* What an index file was made from. It fits a database when uuid, fingerprint
 * and dim are the database's and its log has the entry seq with this mark. */
struct ann_stamp {
    uint8_t database_uuid[16];
    uint8_t model_fingerprint[16];
    uint64_t dim;
    uint64_t seq;   /* the last entry of the log that it includes */
    uint64_t mark;  /* that entry's own random mark */
    uint64_t count; /* vectors in it */
};

/* Writes header (magic, version, stamp, kind, payload length, checksums) and
 * FAISS's own serialisation in one atomic replacement of path. */
int ann_save(const struct ann *ann, const struct ann_stamp *stamp, const char *path,
             ernie_error *err);

/* Reads what ann_save wrote. The whole file is read and its checksum compared
 * before FAISS sees a byte of it. ERNIE_ENOTFOUND: no file; ERNIE_EFORMAT: not
 * one of ours, damaged, or not what its header says; the caller builds a new one. */
int ann_load(const char *path, struct ann **out, struct ann_stamp *stamp, ernie_error *err);

#endif
