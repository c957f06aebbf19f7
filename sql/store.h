/* Documents, chunks, embeddings and the log of changes as rows of SQLite. The
 * rows are the truth; everything else can be made again from them. Tables share
 * a name prefix, so that one database may hold several collections.
 *
 * The file is compiled twice: against libsqlite3 for the library, and against
 * the host's function table for the extension (sqlite.h). */
#ifndef ERNIE_SQL_STORE_H
#define ERNIE_SQL_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sql/collection.h"
#include "sql/word_index.h"

struct sqlite3;
struct store;

enum store_mode { STORE_READ, STORE_WRITE, STORE_CREATE };

/* Opens a file: WAL, synchronous=FULL, foreign_keys on, trusted_schema off,
 * cell_size_check on, a busy timeout of 5 s. STORE_READ works on a read-only
 * file, in a read-only directory too. STORE_CREATE makes file (mode 0600) and
 * schema when missing, not the folder; the schema goes into a database that has
 * other tables as well. ":memory:" is a database of its own. An older schema is
 * brought to ours in one transaction, except by STORE_READ. ERNIE_ENOTFOUND: no
 * such file, or no collection in it; ERNIE_EFORMAT: not an SQLite database, or a
 * schema version newer than ours, or older for STORE_READ. */
int store_open(const char *path, enum store_mode mode, struct store **out, ernie_error *err);
/* The same tables over a connection of the caller's, which stays open and keeps
 * its settings. Never creates or upgrades anything. */
int store_attach(struct sqlite3 *connection, struct store **out, ernie_error *err);
void store_close(struct store *store); /* statements; and the connection when it is ours */

/* Its meta, its log, and the vectors of its chunks; belongs to the store. */
struct collection *store_collection(struct store *store);
/* The database file's absolute path, or "" for one in memory. */
const char *store_path(const struct store *store);
/* How long a writer waits for another one to finish. */
void store_set_timeout(struct store *store, int timeout_ms);
/* Interrupts the statement that runs; safe from another thread. */
void store_interrupt(struct store *store);

/* ---- transactions ---- */

/* BEGIN IMMEDIATE, or a savepoint when the connection is already in a
 * transaction, of ours or of the host's. ERNIE_EBUSY when another process keeps
 * the lock past the timeout. Calls that change more than one row belong between
 * these. */
int store_begin(struct store *store, ernie_error *err);
/* After a failure the transaction is still to be rolled back. */
int store_commit(struct store *store, ernie_error *err);
void store_rollback(struct store *store); /* never fails; fine when there is nothing to undo */

/* As collection_snapshot_begin and _end, for the store's own reads too. */
int store_snapshot_begin(struct store *store, uint64_t *seq, ernie_error *err);
void store_snapshot_end(struct store *store);

/* ---- roots ---- */

/* A root is a folder that was indexed. Its path is kept relative to the
 * database's directory when it lies in it, so that both can move together. */
struct store_root {
    int64_t id;
    char *path; /* absolute, as resolved against the database's directory */
};

/* The roots, outermost first; store_roots_free. */
int store_roots(struct store *store, struct store_root **out, size_t *n, ernie_error *err);
void store_roots_free(struct store_root *roots, size_t n);
/* Adds a root, or finds it, by its absolute path with no link in it. Documents of
 * roots inside it become documents of it (their rows are renamed, nothing is
 * embedded again), and those roots go away. */
int store_root_add(struct store *store, const char *path, int64_t *id, ernie_error *err);

/* ---- documents ---- */

#define STORE_NO_ROOT 0 /* documents whose text the caller gave */

struct store_document {
    int64_t id;
    int64_t root_id;
    const char *path; /* below the root; any bytes but 0 */
    const char *title;
    const char *format;   /* "text", "markdown", "html" */
    const char *encoding;
    uint64_t size_bytes;
    int64_t mtime_ns, ctime_ns;
    int64_t checked_ns;   /* when the file was read: a later change may share its mtime */
    uint8_t hash[16];     /* of the file's bytes */
    const char *failure;  /* why it has no chunks, or NULL */
    const char *author;   /* as the document says; NULL is "", as with the language */
    const char *language; /* "zh-CN", "en" */
    const char *date;     /* ISO 8601: a day, or a time; NULL when the document says none */
    int64_t container_id; /* the archive or mail it is a member of, or 0 */
    int64_t extractor_version; /* of what made its text and chunks */
};

/* Looks a document up by root and path. *found is 0 when there is none. Strings
 * of out are valid until the next call on the store. */
int store_document_find(struct store *store, int64_t root_id, const char *path,
                        struct store_document *out, int *found, ernie_error *err);
/* Puts a document without chunks in place of the one with the same root and path,
 * if there is one: its id stays, its chunks and vectors go, its members do not. Sets
 * *id. */
int store_document_put(struct store *store, const struct store_document *document, int64_t *id,
                       ernie_error *err);
/* Updates size, times and checked_ns only: the content was seen to be the same. */
int store_document_touch(struct store *store, const struct store_document *document,
                         ernie_error *err);
/* The document of this id has root, path, size and times of document from now on: its file
 * has another name. Chunks and vectors stay, and members are named anew too. What had that
 * path goes. */
int store_document_rename(struct store *store, const struct store_document *document,
                          ernie_error *err);
/* Calls fn for each document of a file with these bytes (id, root_id, path, hash and
 * extractor_version are set), a thousand at most, until *stop is set. fn may not call the store. */
typedef int (*store_document_fn)(void *data, const struct store_document *document, int *stop,
                                 ernie_error *err);
int store_document_twins(struct store *store, const uint8_t hash[16], store_document_fn fn,
                         void *data, ernie_error *err);
/* Removes a document, its chunks and vectors, and its members with theirs, and logs it;
 * fine when it is gone. */
int store_document_delete(struct store *store, int64_t id, ernie_error *err);
/* Removes what a container holds, and leaves the container. */
int store_members_delete(struct store *store, int64_t container_id, ernie_error *err);
/* The ids of documents of a root whose path is `below` or lies below it ("": all),
 * ascending; memory_free. */
int store_document_ids(struct store *store, int64_t root_id, const char *below, int64_t **ids,
                       size_t *n, ernie_error *err);

/* ---- chunks and embeddings ---- */

struct store_chunk {
    int64_t document_id;
    size_t ordinal; /* 0, 1, ... in the document */
    size_t start, end; /* bytes of the document's text */
    size_t line;
    size_t page;         /* or slide or sheet, from 1; 0 where there are none */
    const char *heading; /* what it stands under, "第1章 › 备份"; NULL is "" */
    const char *text; /* [size] */
    size_t size;
    const float *embedding; /* [dim] */
    size_t dim;
};

/* Adds a chunk with its words and its embedding and logs it. Ids grow and are never used again.
 * ERNIE_ECORRUPT when there is no such document, or the ordinal is taken. */
int store_chunk_add(struct store *store, const struct store_chunk *chunk, int64_t *id,
                    ernie_error *err);

/* Calls fn for each chunk, by id, with its heading and text; with
 * collection_vector_put this is how a collection moves to another model. */
typedef int (*store_text_fn)(void *data, int64_t chunk_id, const char *heading, const char *text,
                             size_t size, ernie_error *err);
int store_texts(struct store *store, store_text_fn fn, void *data, ernie_error *err);
/* What a hit shows. Strings are valid until the next call on the store. */
struct store_hit {
    int64_t document_id;
    int64_t root_id;
    const char *path;
    const char *title;
    const char *text; /* the chunk's */
    size_t size;
    size_t line;
    size_t page; /* 0 where there are none */
    const char *heading;
    const char *format, *author, *language; /* the document's */
    const char *date; /* that it states, else that its file changed on; "" for neither */
};

/* *found is 0 when the chunk is gone. */
int store_hit_get(struct store *store, int64_t chunk_id, struct store_hit *out, int *found,
                  ernie_error *err);

/* Calls fn for each document that did not fail: with its format, and its date as a hit shows
 * it, or NULL. */
typedef int (*store_listed_fn)(void *data, int64_t id, const char *format, const char *date,
                               ernie_error *err);
int store_documents_each(struct store *store, store_listed_fn fn, void *data,
                         ernie_error *err);

/* Every chunk that a query (words/match.h) finds. Chunks that another program has deleted
 * may be among them. */
int store_words_search(struct store *store, const char *query, size_t size,
                       struct word_hits *out, ernie_error *err);
/* The chunks, ascending, that an expression of FTS5's finds; memory_free. */
int store_words_ids(struct store *store, const char *expression, size_t size, int64_t **ids,
                    size_t *n, ernie_error *err);
/* Makes the words again from the chunks' texts; in a transaction. */
int store_words_rebuild(struct store *store, ernie_error *err);

/* ---- upkeep ---- */

struct store_counts {
    size_t n_documents, n_failed, n_chunks, n_embeddings, n_roots;
    uint64_t database_bytes;
};
/* Reads indexes only: 2 ms for 100,000 chunks, where all vectors take 97 ms. */
int store_counts(struct store *store, struct store_counts *out, ernie_error *err);
/* The size of the texts of all chunks; reads every one. */
int store_text_bytes(struct store *store, uint64_t *out, ernie_error *err);

/* SQLite's integrity and foreign key checks, chunks without embedding and the other
 * way round, checksums, lengths, vectors that are not finite or not of length 1
 * (dim 0: vectors are left out), log against rows, words against texts. report is called
 * for each finding, at most 100 of each kind that is not a vector's; n_findings counts
 * them. Returns ERNIE_OK whatever was found. */
int store_check(struct store *store, size_t dim, void (*report)(void *data, const char *finding),
                void *data, size_t *n_findings, ernie_error *err);

#endif
