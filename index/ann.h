/* An approximate index by FAISS, of any kind that its factory makes: (id, vector) pairs
 * in, the ids likely to be nearest out, by inner product of vectors of length 1, the
 * cosine. It is built once and then only asked; what comes later is index.h's to hold. */
#ifndef ERNIE_INDEX_ANN_H
#define ERNIE_INDEX_ANN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct ann;

#define ANN_DESCRIPTION_BYTES 64

/* description: a string of FAISS's index factory, shorter than ANN_DESCRIPTION_BYTES:
 * "HNSW32", "IVF4096,PQ48". HNSW (Malkov & Yashunin 2016) and IVF search more widely
 * than FAISS does unasked (tests/check_index.c has floors of recall). ERNIE_EINVAL when
 * FAISS does not know the string, or dim is more than an index takes. */
int ann_new(const char *description, size_t dim, struct ann **out, ernie_error *err);
void ann_free(struct ann *ann);

/* Whether it must see some vectors before it takes any. */
int ann_needs_training(const struct ann *ann);
int ann_train(struct ann *ann, size_t n, const float *vectors, size_t n_threads,
              ernie_error *err);

/* Adds n vectors [n][dim] of length 1 under their ids; equal vectors share one place
 * (distinct.h). When FAISS fails, the index is of no more use. */
int ann_add(struct ann *ann, size_t n, const int64_t *ids, const float *vectors, size_t n_threads,
            ernie_error *err);

/* About k ids that are likely to be among the nearest to query [dim], at most k, in any
 * order: ids [k]. Several threads may search at once; each uses no thread but itself. */
int ann_search(const struct ann *ann, const float *query, size_t k, int64_t *ids, size_t *n_found,
               ernie_error *err);

const char *ann_description(const struct ann *ann);
size_t ann_count(const struct ann *ann);
size_t ann_dim(const struct ann *ann);
/* The ids [ann_count] in the order they were added; they belong to the index. */
const int64_t *ann_ids(const struct ann *ann);
/* Bytes of memory that it takes, nearly. */
uint64_t ann_bytes(const struct ann *ann);

/* Appends the index as bytes, little-endian: the ids in their order, 8 bytes each, FAISS's
 * number of each, 4 bytes, then FAISS's serialisation. path is for messages. */
int ann_to_bytes(const struct ann *ann, const char *path, struct buffer *out, ernie_error *err);

/* Makes the index again. The bytes must be known to be what ann_to_bytes wrote:
 * FAISS's reader does not defend itself. ERNIE_EFORMAT when the index in them has
 * another dim, metric or count. */
int ann_from_bytes(const char *description, size_t dim, size_t count, const uint8_t *data,
                   size_t size, const char *path, struct ann **out, ernie_error *err);

#endif
