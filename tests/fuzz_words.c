/* Any bytes as a text and as a query: words are in order and of the text, what is found by
 * its own words holds them, and FTS5 reads every query. For libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_words && ./fuzz_words -max_len=600
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/fts_tokenizer.h"
#include "words/match.h"
#include "words/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition) must_hold(condition, #condition)

static void must_hold(int holds, const char *condition)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", condition);
        abort();
    }
}

struct seen {
    size_t size, n, start, end;
};

static int see(void *data, const char *word, size_t size, size_t start, size_t end,
               int is_colocated)
{
    struct seen *seen = data;

    must(size > 0 && size <= 128 && memchr(word, 0, size) == NULL);
    must(start < end && end <= seen->size);
    must(!is_colocated || (seen->n > 0 && start == seen->start));
    must(is_colocated || start >= seen->start);
    if (!is_colocated) {
        seen->start = start;
        seen->end = end;
    }
    seen->n++;
    return 0;
}

static int step(sqlite3 *connection, const char *sql, const char *text, size_t size)
{
    sqlite3_stmt *statement;
    int code;

    must(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK);
    if (text != NULL)
        sqlite3_bind_text(statement, 1, text, (int)size, SQLITE_STATIC);
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(connection));
    sqlite3_finalize(statement);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3 *connection;
    static struct words *words;
    char *bytes = malloc(size); /* of its own, so that reading past the end is seen */
    struct buffer expression = { 0 };
    struct seen seen = { .size = size };

    if (connection == NULL) {
        must(sqlite3_open(":memory:", &connection) == SQLITE_OK);
        must(register_tokenizer(connection) == SQLITE_OK);
        must(step(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie')", NULL, 0) ==
             SQLITE_DONE);
        must(words_new(&words, NULL) == ERNIE_OK);
    }
    must(bytes != NULL || size == 0);
    if (size > 0)
        memcpy(bytes, data, size);
    must(words_cut(words, WORDS_DOCUMENT, bytes, size, see, &seen) == 0);
    seen = (struct seen){ .size = size };
    must(words_cut(words, WORDS_QUERY, bytes, size, see, &seen) == 0);
    seen = (struct seen){ .size = size };
    must(words_cut(words, WORDS_PREFIX, bytes, size, see, &seen) == 0);

    match_append(&expression, bytes, size);
    must(!expression.failed && expression.size > 0);
    must(memchr(expression.data, 0, expression.size) == NULL);
    if (size % 8 != 0) { /* FTS5 is slow beside the rest */
        buffer_reset(&expression);
        free(bytes);
        return 0;
    }
    must(step(connection, "INSERT INTO t (x) VALUES (?1)", size > 0 ? bytes : "", size) ==
         SQLITE_DONE);
    must(step(connection, "SELECT highlight(t, 0, '[', ']') FROM t WHERE t MATCH ?1 ORDER BY rank",
              expression.data, expression.size) != SQLITE_ERROR);
    buffer_reset(&expression);

    /* A text holds the phrase of all its words. */
    if (seen.n > 0 && seen.n <= MATCH_MAX_PHRASE && memchr(bytes, '"', size) == NULL &&
        memchr(bytes, 0, size) == NULL) {
        buffer_append_char(&expression, '"');
        buffer_append(&expression, bytes, size);
        buffer_append_char(&expression, '"');
        must(step(connection, "SELECT 1 FROM t WHERE t MATCH ?1", expression.data,
                  expression.size) == SQLITE_ROW);
        buffer_reset(&expression);
    }
    must(step(connection, "DELETE FROM t", NULL, 0) == SQLITE_DONE);
    free(bytes);
    return 0;
}
