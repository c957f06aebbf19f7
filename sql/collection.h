/* What every collection of vectors has, whatever its rows are about: the tables
 * P_embeddings, P_log and P_meta, for a prefix P, in one database of a connection. Rows
 * are named by the ids of P_chunks, which grow and are never used again. store.h has
 * documents over it, table_vectors.h the rows of a virtual table.
 *
 * Compiled twice, as store.c is. */
#ifndef ERNIE_SQL_COLLECTION_H
#define ERNIE_SQL_COLLECTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sqlite3;
struct collection;

/* schema: "main", or the name of an attached database. path is the database's file,
 * absolute, or "" for one in memory. Nothing is looked at yet. */
int collection_new(struct sqlite3 *connection, const char *schema, const char *prefix,
                   const char *path, struct collection **out, ernie_error *err);
void collection_free(struct collection *collection); /* NULL is fine */

/* The same collection over a connection of its own, which collection_free closes: for
 * another thread. ERNIE_ENOTFOUND for one in memory. */
int collection_reopen(const struct collection *collection, struct collection **out,
                      ernie_error *err);

const char *collection_path(const struct collection *collection);
/* Whether readers and writers of the database do not wait for each other: it has a
 * write-ahead log. */
int collection_has_wal(struct collection *collection);
/* SQL with names for this collection: "$_meta" stands for the table of that name with
 * schema and prefix, "@" for the schema and a point, "^" for the prefix within a string.
 * memory_free; NULL when memory ran out. */
char *collection_sql(const struct collection *collection, const char *template);
/* From here on vectors are written as float16. Each is read as what it is. */
void collection_write_half(struct collection *collection);
/* From here on the collection is called by another name. */
int collection_rename(struct collection *collection, const char *prefix, ernie_error *err);

/* Between these, statements stay prepared; elsewhere each goes after its run, because a
 * host that has not been told cannot close a connection with statements in it. */
void collection_keep(struct collection *collection);
void collection_let_go(struct collection *collection);

/* ---- meta ---- */

/* value [size] is set to "" when the key is absent. */
int collection_meta_get(struct collection *collection, const char *key, char *value, size_t size,
                        ernie_error *err);
int collection_meta_set(struct collection *collection, const char *key, const char *value,
                        ernie_error *err);
/* 16 random bytes made with the collection. ERNIE_ECORRUPT when they are not there. */
int collection_uuid(struct collection *collection, uint8_t out[16], ernie_error *err);

/* ---- the state ---- */

/* Between these all reads see one state of the database, whatever other connections
 * commit. seq is the log's last entry in that state. They nest. */
int collection_snapshot_begin(struct collection *collection, uint64_t *seq, ernie_error *err);
void collection_snapshot_end(struct collection *collection);
/* Whether what is seen may never be committed: the connection has changed this database in
 * a transaction that is still open. */
int collection_is_changing(const struct collection *collection);

/* The random mark that the log entry seq was given when it was written (0 for seq 0). An
 * index that remembers seq and mark of its last entry can tell a log that merely grew from
 * one that was put back to an older state and then grew otherwise. ERNIE_ENOTFOUND when
 * there is no such entry. */
int collection_log_mark(struct collection *collection, uint64_t seq, uint64_t *mark,
                        ernie_error *err);
/* Notes that the vector of a chunk came, changed or went. For collections whose tables have
 * no triggers to do it. op: "add", "replace", "delete". */
int collection_log(struct collection *collection, const char *op, int64_t chunk_id,
                   ernie_error *err);
/* Forgets the entries before seq, which only an index older than it would ask for. */
int collection_log_trim(struct collection *collection, uint64_t seq, ernie_error *err);

/* ---- vectors ---- */

/* Calls fn for each vector logged after seq and still there, by id. vector [dim] is NULL
 * when its row is missing or its checksum does not fit. */
typedef int (*collection_vector_fn)(void *data, int64_t id, const float *vector,
                                    ernie_error *err);
int collection_vectors_since(struct collection *collection, uint64_t seq, size_t dim,
                             collection_vector_fn fn, void *data, ernie_error *err);
/* About one vector in stride, by id. */
int collection_vectors_sample(struct collection *collection, size_t stride, size_t dim,
                              collection_vector_fn fn, void *data, ernie_error *err);
/* Ids of vectors, spread evenly over all there are: at most most of them, fewer where there are
 * no more; some may come twice. */
int collection_spread(struct collection *collection, size_t most, int64_t *ids, size_t *n,
                      ernie_error *err);
/* A vector [dim], checked against its checksum. *found is 0 when it is gone or cannot be
 * trusted. */
int collection_vector_get(struct collection *collection, int64_t id, size_t dim, float *out,
                          int *found, ernie_error *err);
/* Whose a vector is: P_chunks.document_id. *found is 0 when it is gone. */
int collection_owner(struct collection *collection, int64_t id, int64_t *document_id, int *found,
                     ernie_error *err);
/* Puts a vector in place of the one of that id, if there is one. */
int collection_vector_put(struct collection *collection, int64_t id, const float *vector,
                          size_t dim, ernie_error *err);
int collection_count(struct collection *collection, size_t *n_vectors, ernie_error *err);

/* Chunks without vector, vectors that are not what was written, not finite or, unless
 * any_length, not of length 1 (dim 0: vectors are left out), the log against the rows.
 * ERNIE_OK whatever was found. */
struct findings;
int collection_check(struct collection *collection, size_t dim, int any_length,
                     struct findings *findings, ernie_error *err);

/* The checksum kept with a vector: the first 8 bytes of its XXH3-128, big-endian. */
int64_t collection_checksum(const void *vector, size_t size_bytes);

#endif
