/* An index as bytes: what ann_faiss.c, which knows FAISS and no file, and
 * ann_file.c, which knows the file and not FAISS, say to each other. */
#ifndef ERNIE_INDEX_ANN_BYTES_H
#define ERNIE_INDEX_ANN_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "index/ann.h"

/* Appends the index, path being for messages: the ids in the order they were
 * added, 8 bytes each; in HNSW then FAISS's number of each, 4 bytes (equal vectors
 * share one); then FAISS's serialisation. Little-endian. */
int ann_to_bytes(const struct ann *ann, const char *path, struct buffer *out, ernie_error *err);

/* The largest size that the bytes of such an index can have, or 0 when count or
 * dim are more than an index holds. */
uint64_t ann_bytes_limit(enum ann_kind kind, uint64_t dim, uint64_t count);

/* Makes the index again. The bytes must be known to be what ann_to_bytes wrote:
 * FAISS's reader does not defend itself. Returns ERNIE_EFORMAT when the index in
 * them has another kind, dim, metric or count. */
int ann_from_bytes(enum ann_kind kind, uint64_t dim, uint64_t count, const uint8_t *data,
                   size_t size, const char *path, struct ann **out, ernie_error *err);

#endif
