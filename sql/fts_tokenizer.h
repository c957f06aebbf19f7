/* The words of keyword search (words/words.h) as a tokenizer of SQLite's FTS5:
 *
 *     CREATE VIRTUAL TABLE notes USING fts5(title, body, tokenize = 'ernie');
 *
 * Whoever writes to such a table, or searches it, needs the extension or the library on
 * the connection. It takes no options. MATCH takes FTS5's own syntax, in which a run of
 * Chinese is a phrase; words/match.h makes an expression of what a person types.
 *
 * What tables made with it need, beside FTS5's own tokenizers (10 MB of Chinese, and 1.8 MB
 * of English manuals, in rows of 400 bytes, the text kept elsewhere; one core of an AMD
 * EPYC, busy with other work, all in one run):
 *
 *                 index, of the text    made, MB a second
 *     ernie       1.9 / 0.7             3.7 / 13
 *     unicode61   0.9 / 0.5             17  / 58     finds no Chinese word
 *     trigram     2.4 / 3.2             2.8 / 7.7    finds none of two characters
 *
 * detail=none halves it and detail=column does not; both take away phrases, which a run of
 * three characters needs. columnsize=0 saves 1 % and takes away bm25's lengths.
 *
 * For texts that are rows already the table takes them from there:
 *
 *     CREATE VIRTUAL TABLE words USING fts5(text, content = 'notes', content_rowid = 'id',
 *                                           tokenize = 'ernie');
 *
 * Whoever writes to it must have the tokenizer, so no trigger may that other programs run.
 * words.sql and word_index.h show a way round.
 *
 * highlight() and snippet() mark whole characters and words; a single Chinese character
 * that is asked for is marked with the one behind it, the pair that stands in its place. */
#ifndef ERNIE_SQL_FTS_TOKENIZER_H
#define ERNIE_SQL_FTS_TOKENIZER_H

#include "sql/sqlite.h"

/* Makes the tokenizer known to a connection, once. SQLite's code; SQLITE_OK and nothing
 * done where SQLite is built without FTS5. */
int register_tokenizer(sqlite3 *connection);
/* Whether FTS5 and the tokenizer are there. SQLite's code. */
int find_tokenizer(sqlite3 *connection, int *is_there);

#endif
