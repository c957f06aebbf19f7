/* The words of a virtual table's texts, which keyword search asks: the FTS5 table P_words, for
 * a table P, with the tokenizer of fts_tokenizer.h. What it holds are rows, each column that
 * is embedded for itself; so it says of words and phrases what FTS5 says of a table that is
 * written with the same rows.
 *
 * A row's words come and go in the statement that changes the row, and not when it is embedded:
 * SQLite lets nobody write to another virtual table within xSync. FTS5 gathers them by itself.
 *
 * Texts are not kept twice (content='' of FTS5): to take a row's words out they are read from
 * the row once more, before it changes. Only with content=, where the row has changed already
 * when we are told, FTS5 keeps a copy. Nor does anything in it name the rows' table, which
 * would outlive a renaming.
 *
 * There are none where the table is of vectors, was made with words=off, by an ernie that had
 * no words, or where SQLite has no FTS5; P_meta says so by its schema_version, 1. All that
 * writes does nothing then. Nobody who lacks the module can write to P, so who writes has the
 * tokenizer. */
#ifndef ERNIE_SQL_VECTORS_WORDS_H
#define ERNIE_SQL_VECTORS_WORDS_H

#include "sql/collection.h"
#include "sql/sqlite.h"
#include "sql/statement.h"
#include "sql/vectors_definition.h"
#include "sql/word_index.h"

/* schema_version of tables without words, and with. */
#define VECTORS_WITHOUT_WORDS "1"
#define VECTORS_WITH_WORDS "2"

#define N_WORD_STATEMENTS 10

struct vectors_words {
    sqlite3 *connection;
    struct collection *collection;
    const struct vectors_definition *definition;
    char *schema, *name; /* P's */
    const char *content; /* the table with the rows, quoted; the caller's */
    char *sql[N_WORD_STATEMENTS];
    struct statements statements;
};

/* content is a table with schema, quoted. What is given stays the caller's; schema and name
 * are copied. Nothing is looked at yet. */
int vectors_words_init(struct vectors_words *words, sqlite3 *connection, const char *schema,
                       const char *name, const char *content, struct collection *collection,
                       const struct vectors_definition *definition, ernie_error *err);
void vectors_words_reset(struct vectors_words *words);

int vectors_words_are_there(struct vectors_words *words, int *are_there, ernie_error *err);

/* Makes the table, empty, where it can be made and is wanted. */
int vectors_words_create(struct vectors_words *words, ernie_error *err);
int vectors_words_drop(struct vectors_words *words, ernie_error *err);
/* To be called when everything else has the new name; content as for _init. */
int vectors_words_rename(struct vectors_words *words, const char *name, const char *content,
                         ernie_error *err);

/* ---- writing ----------------------------------------------------------- */

/* Adds the words of a row that is new, or has changed after vectors_words_take_out. */
int vectors_words_add(struct vectors_words *words, int64_t id, ernie_error *err);
/* Takes out those of a row that is about to change or to go. */
int vectors_words_take_out(struct vectors_words *words, int64_t id, ernie_error *err);
/* Makes all of it again from the rows, and the table where it is missing. */
int vectors_words_rebuild(struct vectors_words *words, ernie_error *err);
/* FTS5's own: merges its lists into one. */
int vectors_words_optimize(struct vectors_words *words, ernie_error *err);

/* ---- searching --------------------------------------------------------- */

/* ERNIE_EMISMATCH when there are no words, and why, for one who asks for a mode. */
int vectors_words_require(struct vectors_words *words, const char *mode, ernie_error *err);
/* The rows that a query (words/match.h) finds, or an expression of FTS5's, as word_index.h has
 * it. */
int vectors_words_search(struct vectors_words *words, const char *query, size_t size, struct word_hits *out,
                         ernie_error *err);
int vectors_words_ids(struct vectors_words *words, const char *expression, size_t size, int64_t **ids, size_t *n,
                      ernie_error *err);

/* ---- checking ---------------------------------------------------------- */

/* Rows without words, words without row, and how many words each text has; is_thorough: each
 * word in its place, too, for which a temporary table is made: not within a PRAGMA, which
 * SQLite ends when the schema changes. ERNIE_OK whatever was found. */
struct findings;
int vectors_words_check(struct vectors_words *words, int is_thorough, struct findings *findings,
                        ernie_error *err);

#endif
