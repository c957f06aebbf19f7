#include "sql/word_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "sql/findings.h"
#include "sql/statement.h"
#include "words/match.h"
#include "words_sql.h"

enum statement {
    IS_THERE,
    ADD,
    PENDING,
    TAKE_OUT,
    SETTLE,
    SETTLE_ALL,
    REBUILD,
    SEARCH,
    IDS,
    READS_ONLY,
    CHECK,
    N_STATEMENTS
};

static const char *const sql_of[N_STATEMENTS] = {
    [IS_THERE] = "SELECT 1 FROM main.sqlite_master WHERE name = 'ernie_words'",
    [ADD] = "INSERT INTO main.ernie_words (rowid, title, heading, text)"
            " SELECT c.id, d.title, c.heading, c.text FROM main.ernie_chunks c"
            " JOIN main.ernie_documents d ON d.id = c.document_id WHERE c.id = ?1",
    [PENDING] = "SELECT chunk_id FROM main.ernie_words_pending LIMIT 1",
    [TAKE_OUT] = "INSERT INTO main.ernie_words (ernie_words, rowid, title, heading, text)"
                 " SELECT 'delete', chunk_id, title, heading, text FROM main.ernie_words_pending"
                 " WHERE chunk_id = ?1 AND text IS NOT NULL",
    [SETTLE] = "DELETE FROM main.ernie_words_pending WHERE chunk_id = ?1",
    [SETTLE_ALL] = "DELETE FROM main.ernie_words_pending",
    [REBUILD] = "INSERT INTO main.ernie_words (ernie_words) VALUES ('rebuild')",
    [SEARCH] = "SELECT rowid, bm25(ernie_words) FROM main.ernie_words WHERE ernie_words MATCH ?1",
    [IDS] = "SELECT rowid FROM main.ernie_words WHERE ernie_words MATCH ?1 ORDER BY rowid",
    [READS_ONLY] = "SELECT query_only FROM pragma_query_only",
    [CHECK] = "INSERT INTO main.ernie_words (ernie_words, rank) VALUES ('integrity-check', 1)",
};

struct word_index {
    sqlite3 *connection;
    const char *path;
    struct statements statements;
};

int word_index_new(struct sqlite3 *connection, const char *path, struct word_index **out,
                   ernie_error *err)
{
    struct word_index *index = memory_new(1, sizeof *index);
    int status;

    if (index == NULL)
        return error_set(err, ERNIE_ENOMEM, "database: out of memory");
    index->connection = connection;
    index->path = path;
    status = statements_init(&index->statements, connection, path, N_STATEMENTS, sql_of, err);
    if (status != ERNIE_OK) {
        word_index_free(index);
        return status;
    }
    *out = index;
    return ERNIE_OK;
}

void word_index_free(struct word_index *index)
{
    if (index == NULL)
        return;
    statements_reset(&index->statements);
    memory_free(index);
}

void word_index_keep(struct word_index *index)
{
    statements_keep(&index->statements);
}

void word_index_let_go(struct word_index *index)
{
    statements_let_go(&index->statements);
}

/* ---- writing ----------------------------------------------------------- */

static int run_with_id(struct word_index *index, enum statement which, int64_t id,
                       ernie_error *err)
{
    struct query query = query_start(&index->statements, which);

    bind_integer(&query, 1, id);
    return query_run(&query, err);
}

static int run(struct word_index *index, enum statement which, ernie_error *err)
{
    struct query query = query_start(&index->statements, which);

    return query_run(&query, err);
}

/* The number in the first column of the first row; *found is 0 when there is none. */
static int first_row(struct word_index *index, enum statement which, int64_t *out, int *found,
                     ernie_error *err)
{
    struct query query = query_start(&index->statements, which);

    *found = query_row(&query);
    *out = *found ? column_integer(&query, 0) : 0;
    return query_end(&query, ERNIE_OK, err);
}

int word_index_rebuild(struct word_index *index, ernie_error *err)
{
    int status = run(index, SETTLE_ALL, err);

    return status == ERNIE_OK ? run(index, REBUILD, err) : status;
}

int word_index_is_there(struct word_index *index, int *is_there, ernie_error *err)
{
    int64_t one;

    return first_row(index, IS_THERE, &one, is_there, err);
}

int word_index_make(struct word_index *index, ernie_error *err)
{
    int is_there, code, status = word_index_is_there(index, &is_there, err);

    if (status != ERNIE_OK || is_there)
        return status;
    code = sqlite3_exec(index->connection, words_sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return statements_fail(&index->statements, code, err);
    return word_index_rebuild(index, err);
}

int word_index_add(struct word_index *index, int64_t chunk_id, ernie_error *err)
{
    int status = run_with_id(index, ADD, chunk_id, err);

    return status == ERNIE_OK ? run_with_id(index, SETTLE, chunk_id, err) : status;
}

int word_index_sync(struct word_index *index, ernie_error *err)
{
    int64_t chunk_id;
    int found, status = first_row(index, PENDING, &chunk_id, &found, err);

    while (status == ERNIE_OK && found) {
        status = run_with_id(index, TAKE_OUT, chunk_id, err);
        if (status == ERNIE_OK) /* a chunk that is gone adds nothing */
            status = word_index_add(index, chunk_id, err);
        if (status == ERNIE_OK)
            status = first_row(index, PENDING, &chunk_id, &found, err);
    }
    return status;
}

/* ---- searching --------------------------------------------------------- */

static int compare_hits(const void *a, const void *b)
{
    const struct word_hit *x = a, *y = b;

    if (x->bm25 != y->bm25)
        return x->bm25 > y->bm25 ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

int word_hits_read(struct query *query, struct word_hits *out, ernie_error *err)
{
    struct word_hits hits = { 0 };
    size_t capacity = 0;
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(query)) {
        if (hits.n == capacity) {
            const size_t more = capacity == 0 ? 64 : capacity * 2;
            struct word_hit *grown = memory_resize(hits.hit, more, sizeof *grown);

            if (grown == NULL) {
                status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
                break;
            }
            hits.hit = grown;
            capacity = more;
        }
        /* FTS5 turns its sign so that less is better. */
        hits.hit[hits.n++] = (struct word_hit){ column_integer(query, 0),
                                                -sqlite3_column_double(query->statement, 1) };
    }
    status = query_end(query, status, err);
    if (status != ERNIE_OK) {
        memory_free(hits.hit);
        return status;
    }
    if (hits.n > 1)
        qsort(hits.hit, hits.n, sizeof *hits.hit, compare_hits);
    *out = hits;
    return ERNIE_OK;
}

int word_index_search(struct word_index *index, const char *query, size_t size,
                      struct word_hits *out, ernie_error *err)
{
    struct buffer expression = { 0 };
    struct query search;
    int is_there, status = word_index_is_there(index, &is_there, err);

    if (status != ERNIE_OK)
        return status;
    if (!is_there)
        return error_set(err, ERNIE_EMISMATCH,
                         "%s: its words are not there yet: `ernie rebuild` makes them",
                         index->path[0] != '\0' ? index->path : "database");
    match_append(&expression, query, size);
    if (expression.failed) {
        buffer_reset(&expression);
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    }
    search = query_start(&index->statements, SEARCH);
    bind_sized_text(&search, 1, expression.data, expression.size);
    status = word_hits_read(&search, out, err);
    buffer_reset(&expression);
    return status;
}

int word_index_ids(struct word_index *index, const char *expression, size_t size, int64_t **ids,
                   size_t *n, ernie_error *err)
{
    struct query query = query_start(&index->statements, IDS);

    bind_sized_text(&query, 1, expression, size);
    return query_ids(&query, ids, n, err);
}

/* ---- checking ---------------------------------------------------------- */

/* FTS5 compares its lists with the words that its tokenizer finds in the texts. It is an
 * INSERT, though it writes nothing: on a file that cannot be written it cannot be asked. */
static int check_words(struct word_index *index, struct findings *findings, ernie_error *err)
{
    struct query query;
    int64_t reads_only;
    int found, status = first_row(index, READS_ONLY, &reads_only, &found, err);

    if (status != ERNIE_OK || sqlite3_db_readonly(index->connection, "main") == 1)
        return status;
    if (reads_only)
        sqlite3_exec(index->connection, "PRAGMA query_only = OFF", NULL, NULL, NULL);
    query = query_start(&index->statements, CHECK);
    while (query_row(&query))
        continue;
    if (reads_only)
        sqlite3_exec(index->connection, "PRAGMA query_only = ON", NULL, NULL, NULL);
    if ((query.code & 0xff) == SQLITE_CORRUPT) {
        findings_add(findings, "words: they are not those of the chunks: `ernie rebuild`");
        query.code = SQLITE_OK;
    } else if ((query.code & 0xff) == SQLITE_READONLY) {
        query.code = SQLITE_OK;
    }
    return query_end(&query, ERNIE_OK, err);
}

int word_index_check(struct word_index *index, struct findings *findings, ernie_error *err)
{
    static const char *const queries[] = {
        "SELECT 'chunk ' || id || ': its words are missing' FROM main.ernie_words_source"
        " WHERE id NOT IN (SELECT id FROM main.ernie_words_docsize) LIMIT 100",
        "SELECT 'chunk ' || id || ': gone, but its words are there' FROM main.ernie_words_docsize"
        " WHERE id NOT IN (SELECT id FROM main.ernie_words_source) LIMIT 100",
    };
    int is_there, status = word_index_is_there(index, &is_there, err);

    if (status == ERNIE_OK && !is_there) {
        findings_add(findings, "words: not there: `ernie rebuild` makes them");
        return ERNIE_OK;
    }
    for (size_t i = 0; status == ERNIE_OK && i < sizeof queries / sizeof queries[0]; i++)
        status = findings_query(findings, queries[i], err);
    return status == ERNIE_OK ? check_words(index, findings, err) : status;
}
