/* What a store is made of: for store.c, which opens it and keeps its transactions, and for
 * store_roots.c and store_documents.c, which read and write its rows.
 *
 * Compiled twice, as store.c is. */
#ifndef ERNIE_SQL_STORE_PARTS_H
#define ERNIE_SQL_STORE_PARTS_H

#include "base/buffer.h"
#include "sql/statement.h"
#include "sql/store.h"

struct store {
    sqlite3 *connection;
    int is_ours;  /* the connection: opened here, closed here */
    char *path;   /* absolute, or "" */
    char *folder; /* of the database, or NULL in memory */
    int depth;    /* of store_begin calls not ended yet */
    int in_hosts; /* the first of them found a transaction of the host's */
    struct buffer held; /* the strings that the last call gave out */
    struct collection *collection;
    struct word_index *words;
    struct statements roots, documents; /* of store_roots.c and store_documents.c */
};

/* SQLite's code as ours, with its words. */
int store_fail(const struct store *store, int code, ernie_error *err);

/* Make their statements ready to be prepared. */
int store_roots_init(struct store *store, ernie_error *err);
int store_documents_init(struct store *store, ernie_error *err);

/* The documents of a root become documents of another, with its path `below` before theirs; of
 * two with the same path, the one that was there stays. */
int store_documents_move(struct store *store, int64_t from_root_id, int64_t to_root_id,
                         const char *below, ernie_error *err);

#endif
