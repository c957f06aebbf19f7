/* One virtual table over one connection, and the parts that it is made of:
 *
 *   table_vectors.c    the module: made, connected, renamed, dropped, checked by SQLite
 *   vectors_plan.c     what SQLite is told of a SELECT
 *   vectors_read.c     cursors; vectors_question.c the rows that answer a question, and
 *                      vectors_columns.c what a row shows
 *   vectors_write.c    changes; vectors_waiting.c texts that wait to be embedded
 *   vectors_commands.c checks, and what else is done to a whole table
 *   vectors_model.c    whose vectors they are
 *
 * over vectors_definition.h (what CREATE VIRTUAL TABLE said), vectors_rows.h (the tables
 * behind it), vectors_words.h (the words of their texts) and fusion.h (the search). */
#ifndef ERNIE_SQL_VECTORS_TABLE_H
#define ERNIE_SQL_VECTORS_TABLE_H

#include "document/chunk.h"
#include "model/tokenizer.h"
#include "nearest.h"
#include "sql/extension.h"
#include "sql/vectors_definition.h"
#include "sql/vectors_rows.h"
#include "sql/vectors_words.h"

/* A row whose chunks are not written yet. */
struct waiting {
    int64_t id;
    char *text; /* what its chunks are parts of */
    struct chunk_list chunks;
};

struct vectors_table {
    sqlite3_vtab base; /* first: SQLite sees only this */
    struct extension *extension;
    sqlite3 *connection;
    char *schema, *name;
    struct vectors_definition definition;
    struct collection *collection;
    struct vectors_rows rows;
    struct vectors_words words;
    struct nearest nearest; /* once vectors_open_nearest was called */
    int has_nearest;
    struct tokenizer_scratch *scratch;
    int knows_schema; /* the tables behind it are of a version that we know */

    /* Rows that were put in since the last savepoint began, to be embedded many at a time:
     * before anything reads, before a savepoint, before the commit. */
    struct waiting *waiting; /* [n_waiting] */
    size_t n_waiting, waiting_capacity;
    size_t n_waiting_chunks;

    size_t n_written; /* vectors since the index file was last looked after */
    int wants_save;   /* a command asked for a new index, once it is committed */

    /* The last question and its embedding: a join asks it again for every row. */
    char *question;
    float *question_vector; /* [dim] */
};

/* SQLite's code for a failure, its words kept for the statement. */
int vectors_fail(struct vectors_table *table, const ernie_error *err);

/* Makes nearest ready for the table's vectors. */
int vectors_open_nearest(struct vectors_table *table, ernie_error *err);

/* ---- whose vectors (vectors_model.c) ----------------------------------- */

/* The model of the table's texts; NULL for a table of vectors. */
int vectors_model(struct vectors_table *table, const ernie_model **out, ernie_error *err);
/* encode_texts of that model. */
int vectors_encode(struct vectors_table *table, size_t n, const char *const *texts,
                   const size_t *sizes, const struct ernie_encode_options *how, float *out,
                   ernie_error *err);
/* ERNIE_OK when the tables are of a version that we know, and their vectors the model's, or
 * there are none yet. */
int vectors_check_model(struct vectors_table *table, ernie_error *err);
/* Notes that the table's vectors are this model's. */
int vectors_note_model(struct vectors_table *table, const ernie_model *model, ernie_error *err);
/* The numbers of a vector. */
int vectors_dim(struct vectors_table *table, size_t *out, ernie_error *err);
/* The same, as it was noted; 0 when nothing is embedded yet. Needs no model. */
int vectors_noted_dim(struct vectors_table *table, size_t *out, ernie_error *err);
/* The vector [dim] that a BLOB or a JSON array is; what names it for messages. */
int vectors_value(const char *what, sqlite3_value *value, size_t dim, float *out, ernie_error *err);

/* ---- texts that wait (vectors_waiting.c) ------------------------------- */

/* Cuts a row's text and lets it wait; the text is taken over, and left empty. */
int vectors_wait(struct vectors_table *table, int64_t id, struct buffer *text, ernie_error *err);
/* The row if it waits, or NULL; good until another one waits or stops. */
struct waiting *vectors_find_waiting(struct vectors_table *table, int64_t id);
/* It need not be embedded any more. */
void vectors_stop_waiting(struct vectors_table *table, struct waiting *waiting);
/* Embeds and writes what waits. */
int vectors_flush(struct vectors_table *table, ernie_error *err);
/* The same if this row waits. */
int vectors_flush_row(struct vectors_table *table, int64_t id, ernie_error *err);
/* Forgets it. */
void vectors_drop_waiting(struct vectors_table *table);

/* ---- writing (vectors_write.c, vectors_commands.c) --------------------- */

int vectors_update(sqlite3_vtab *base, int n, sqlite3_value **values, sqlite3_int64 *rowid);
/* Runs a command by its name, which may be NULL. */
int vectors_command(struct vectors_table *table, const char *name, ernie_error *err);
/* Rows, chunks, vectors, words, log and the model against each other; is_thorough as for
 * vectors_words_check. */
struct findings;
int vectors_check(struct vectors_table *table, int is_thorough, struct findings *findings,
                  ernie_error *err);

/* ---- reading ----------------------------------------------------------- */

int vectors_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out);
int vectors_close(sqlite3_vtab_cursor *base);
int vectors_filter(sqlite3_vtab_cursor *base, int plan, const char *filters, int n,
                   sqlite3_value **values);
int vectors_next(sqlite3_vtab_cursor *base);
int vectors_eof(sqlite3_vtab_cursor *base);
/* xBestIndex is in vectors_plan.h, xColumn in vectors_cursor.h. */
int vectors_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out);

#endif
