/* The words of keyword search (words/words.h) as a tokenizer of SQLite's FTS5:
 *
 *     CREATE VIRTUAL TABLE notes USING fts5(title, body, tokenize = 'ernie');
 *
 * Whoever writes to such a table, or searches it, needs the extension or the library on
 * the connection. It takes no options. MATCH takes FTS5's own syntax, in which a run of
 * Chinese is a phrase; words/match.h makes an expression of what a person types.
 *
 * highlight() and snippet() mark whole characters and words; a single Chinese character
 * that is asked for is marked with the one behind it, the pair that stands in its place. */
#ifndef ERNIE_SQL_FTS_TOKENIZER_H
#define ERNIE_SQL_FTS_TOKENIZER_H

#include "sql/sqlite.h"

/* Makes the tokenizer known to a connection, once. SQLite's code; SQLITE_OK and nothing
 * done where SQLite is built without FTS5. */
int register_tokenizer(sqlite3 *connection);

#endif
