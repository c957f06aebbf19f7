#include "sql/vectors_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include "sql/findings.h"
#include "sql/fts_tokenizer.h"
#include "words/match.h"
#include "words/words.h"

enum statement {
    TEXTS,
    ALL_TEXTS,
    SIZES,
    ADD,
    TAKE_OUT,
    OPTIMIZE,
    SEARCH,
    IDS,
    CHECK,
    INSTANCES,
    N_STATEMENTS
};

_Static_assert(N_STATEMENTS == N_WORD_STATEMENTS, "one statement each");

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

/* ---- statements -------------------------------------------------------- */

static int is_text(const struct vectors_words *words, size_t column)
{
    return words->definition->column[column].role == VECTORS_TEXT;
}

/* The columns of P_words, which are called c0, c1, … by their places in P; or those of the
 * table with the rows, or as many parameters, from ?2 on. */
enum columns { OF_WORDS, OF_ROWS, AS_PARAMETERS };

static void append_columns(const struct vectors_words *words, enum columns which,
                           struct buffer *sql)
{
    int n = 0;

    for (size_t i = 0; i < words->definition->n; i++) {
        if (!is_text(words, i))
            continue;
        if (which == AS_PARAMETERS)
            buffer_printf(sql, ", ?%d", 2 + n++);
        else if (which == OF_ROWS && words->definition->content != NULL) {
            buffer_append_text(sql, ", ");
            append_identifier(sql, words->definition->column[i].name);
        } else {
            buffer_printf(sql, ", c%zu", i);
        }
    }
}

/* Appends SQL in which $ is P_words with its schema, # its name alone, and %c, %r, %p the
 * columns, each with a comma before it; %t is the table with the rows, %d FTS5's of the number
 * of words. */
static void append_sql(const struct vectors_words *words, const char *template, struct buffer *sql)
{
    struct buffer name = { 0 }, docsize = { 0 };

    buffer_printf(&name, "%s_words", words->name);
    buffer_printf(&docsize, "%s_words_docsize", words->name);
    for (; *template != '\0'; template++) {
        if (*template == '$' || *template == '#') {
            if (*template == '$') {
                append_identifier(sql, words->schema);
                buffer_append_char(sql, '.');
            }
            append_identifier(sql, name.data != NULL ? name.data : "");
        } else if (*template != '%') {
            buffer_append_char(sql, *template);
        } else if (*++template == 't') {
            buffer_append_text(sql, words->content);
        } else if (*template == 'd') {
            append_identifier(sql, words->schema);
            buffer_append_char(sql, '.');
            append_identifier(sql, docsize.data != NULL ? docsize.data : "");
        } else {
            append_columns(words, *template == 'c'   ? OF_WORDS
                                  : *template == 'r' ? OF_ROWS
                                                     : AS_PARAMETERS,
                           sql);
        }
    }
    sql->failed |= name.failed | docsize.failed;
    buffer_reset(&name);
    buffer_reset(&docsize);
}

static char *make_sql(const struct vectors_words *words, const char *template)
{
    struct buffer sql = { 0 };

    append_sql(words, template, &sql);
    return buffer_take(&sql);
}

/* A table temporary of ours, which the connection has for the time of a check. */
#define INSTANCES_TABLE "temp.ernie_words_check"

static char *make_statement(const struct vectors_words *words, enum statement which)
{
    static const char *const templates[N_STATEMENTS] = {
        [TEXTS] = "SELECT rowid%r FROM %t WHERE rowid = ?1",
        [ALL_TEXTS] = "SELECT rowid%r FROM %t",
        [SIZES] = "SELECT rowid%r, (SELECT sz FROM %d WHERE id = t.rowid) FROM %t AS t",
        [ADD] = "INSERT INTO $ (rowid%c) VALUES (?1%p)",
        [TAKE_OUT] = "INSERT INTO $ (#, rowid%c) VALUES ('delete', ?1%p)",
        [OPTIMIZE] = "INSERT INTO $ (#) VALUES ('optimize')",
        [SEARCH] = "SELECT rowid, bm25(#) FROM $ WHERE # MATCH ?1",
        [IDS] = "SELECT rowid FROM $ WHERE # MATCH ?1 ORDER BY rowid",
        [CHECK] = "INSERT INTO $ (#) VALUES ('integrity-check')",
        [INSTANCES] = "SELECT term, doc, substr(col, 2), offset FROM " INSTANCES_TABLE,
    };

    if (which == TAKE_OUT && words->definition->content != NULL)
        return make_sql(words, "DELETE FROM $ WHERE rowid = ?1");
    return make_sql(words, templates[which]);
}

static int make_statements(struct vectors_words *words, ernie_error *err)
{
    for (enum statement i = 0; i < N_STATEMENTS; i++) {
        memory_free(words->sql[i]);
        words->sql[i] = make_statement(words, i);
        if (words->sql[i] == NULL)
            return out_of_memory(err);
    }
    return ERNIE_OK;
}

int vectors_words_init(struct vectors_words *words, sqlite3 *connection, const char *schema,
                       const char *name, const char *content, struct collection *collection,
                       const struct vectors_definition *definition, ernie_error *err)
{
    int status;

    memset(words, 0, sizeof *words);
    words->connection = connection;
    words->collection = collection;
    words->definition = definition;
    words->content = content;
    words->schema = memory_copy_text(schema, strlen(schema));
    words->name = memory_copy_text(name, strlen(name));
    status = words->schema != NULL && words->name != NULL ? make_statements(words, err)
                                                          : out_of_memory(err);
    if (status == ERNIE_OK)
        status = statements_init(&words->statements, connection, collection_path(collection),
                                 N_STATEMENTS, (const char *const *)words->sql, err);
    if (status != ERNIE_OK)
        vectors_words_reset(words);
    else
        statements_keep(&words->statements);
    return status;
}

void vectors_words_reset(struct vectors_words *words)
{
    if (words->statements.prepared != NULL)
        statements_reset(&words->statements);
    for (size_t i = 0; i < N_STATEMENTS; i++)
        memory_free(words->sql[i]);
    memory_free(words->schema);
    memory_free(words->name);
    memset(words, 0, sizeof *words);
}

/* ---- the table --------------------------------------------------------- */

/* Runs SQL of append_sql once; it may be several statements. */
static int run(struct vectors_words *words, const char *template, ernie_error *err)
{
    char *sql = make_sql(words, template);
    int code;

    if (sql == NULL)
        return out_of_memory(err);
    code = sqlite3_exec(words->connection, sql, NULL, NULL, NULL);
    memory_free(sql);
    return code == SQLITE_OK ? ERNIE_OK : statements_fail(&words->statements, code, err);
}

int vectors_words_are_there(struct vectors_words *words, int *are_there, ernie_error *err)
{
    char version[24];
    int status = collection_meta_get(words->collection, "schema_version", version, sizeof version,
                                     err);

    *are_there = status == ERNIE_OK && strcmp(version, VECTORS_WITH_WORDS) == 0;
    return status;
}

int vectors_words_create(struct vectors_words *words, ernie_error *err)
{
    int is_there, code, status;

    if (!words->definition->has_words)
        return ERNIE_OK;
    code = find_tokenizer(words->connection, &is_there);
    if (code != SQLITE_OK)
        return statements_fail(&words->statements, code, err);
    if (!is_there)
        return ERNIE_OK;
    status = run(words,
                 words->definition->content != NULL
                     ? "CREATE VIRTUAL TABLE IF NOT EXISTS $ USING fts5(tokenize = 'ernie'%c)"
                     : "CREATE VIRTUAL TABLE IF NOT EXISTS $"
                       " USING fts5(tokenize = 'ernie', content = ''%c)",
                 err);
    return status == ERNIE_OK ? collection_meta_set(words->collection, "schema_version",
                                                    VECTORS_WITH_WORDS, err)
                              : status;
}

int vectors_words_drop(struct vectors_words *words, ernie_error *err)
{
    statements_finalize(&words->statements);
    return run(words, "DROP TABLE IF EXISTS $", err);
}

int vectors_words_rename(struct vectors_words *words, const char *name, const char *content,
                         ernie_error *err)
{
    struct buffer sql = { 0 }, new_name = { 0 };
    char *copy = memory_copy_text(name, strlen(name));
    int are_there, code, status = vectors_words_are_there(words, &are_there, err);

    statements_finalize(&words->statements);
    if (status == ERNIE_OK && are_there) {
        append_sql(words, "ALTER TABLE $ RENAME TO ", &sql);
        buffer_printf(&new_name, "%s_words", name);
        append_identifier(&sql, new_name.data != NULL ? new_name.data : "");
        if (sql.failed || new_name.failed) {
            status = out_of_memory(err);
        } else {
            code = sqlite3_exec(words->connection, sql.data, NULL, NULL, NULL);
            if (code != SQLITE_OK)
                status = statements_fail(&words->statements, code, err);
        }
    }
    buffer_reset(&sql);
    buffer_reset(&new_name);
    if (status != ERNIE_OK || copy == NULL) {
        memory_free(copy);
        return status != ERNIE_OK ? status : out_of_memory(err);
    }
    memory_free(words->name);
    words->name = copy;
    words->content = content;
    return make_statements(words, err);
}

/* What is said of a failure where it is SQLite that has no FTS5. */
static int explain(struct vectors_words *words, int status, ernie_error *err)
{
    int is_possible;

    if (status == ERNIE_OK || status == ERNIE_ENOMEM ||
        find_tokenizer(words->connection, &is_possible) != SQLITE_OK || is_possible)
        return status;
    return error_set(err, ERNIE_EMISMATCH,
                     "%s: this SQLite has no FTS5, which its words need: it can be asked with"
                     " mode = 'vector'",
                     words->name);
}

/* ---- writing ----------------------------------------------------------- */

/* Binds the texts that the current row of a query has behind its id. */
static void bind_texts(struct query *to, struct query *row)
{
    const int n = sqlite3_column_count(row->statement);

    for (int i = 1; to->code == SQLITE_OK && i < n; i++)
        to->code = sqlite3_bind_value(to->statement, i + 1, sqlite3_column_value(row->statement, i));
}

/* Runs ADD or TAKE_OUT for a row with the texts that it has now; nothing when it is gone. */
static int run_with_texts(struct vectors_words *words, enum statement which, int64_t id,
                          ernie_error *err)
{
    struct query row = query_start(&words->statements, TEXTS), change;
    int status = ERNIE_OK;

    bind_integer(&row, 1, id);
    if (query_row(&row)) {
        change = query_start(&words->statements, which);
        bind_integer(&change, 1, id);
        bind_texts(&change, &row);
        status = query_run(&change, err);
    }
    return query_end(&row, status, err);
}

static int take_out(struct vectors_words *words, int64_t id, ernie_error *err)
{
    struct query query;

    if (words->definition->content == NULL)
        return run_with_texts(words, TAKE_OUT, id, err);
    query = query_start(&words->statements, TAKE_OUT);
    bind_integer(&query, 1, id);
    return query_run(&query, err);
}

int vectors_words_take_out(struct vectors_words *words, int64_t id, ernie_error *err)
{
    int are_there, status = vectors_words_are_there(words, &are_there, err);

    return status == ERNIE_OK && are_there ? explain(words, take_out(words, id, err), err)
                                           : status;
}

int vectors_words_add(struct vectors_words *words, int64_t id, ernie_error *err)
{
    int are_there, status = vectors_words_are_there(words, &are_there, err);

    if (status != ERNIE_OK || !are_there)
        return status;
    /* With content= a row of no chunks is not known to be there. */
    if (words->definition->content != NULL)
        status = take_out(words, id, err);
    if (status == ERNIE_OK)
        status = run_with_texts(words, ADD, id, err);
    return explain(words, status, err);
}

/* Empties the table, whatever state it is in. */
static int clear(struct vectors_words *words, ernie_error *err)
{
    char *sql;
    int code;

    if (words->definition->content == NULL)
        return run(words, "INSERT INTO $ (#) VALUES ('delete-all')", err);
    sql = collection_sql(words->collection, "DELETE FROM $_words_content");
    if (sql == NULL)
        return out_of_memory(err);
    code = sqlite3_exec(words->connection, sql, NULL, NULL, NULL);
    memory_free(sql);
    return code == SQLITE_OK ? run(words, "INSERT INTO $ (#) VALUES ('rebuild')", err)
                             : statements_fail(&words->statements, code, err);
}

int vectors_words_rebuild(struct vectors_words *words, ernie_error *err)
{
    struct query row;
    int are_there, status = vectors_words_are_there(words, &are_there, err);

    if (status == ERNIE_OK && !are_there)
        status = vectors_words_create(words, err);
    if (status == ERNIE_OK)
        status = vectors_words_are_there(words, &are_there, err);
    if (status == ERNIE_OK && are_there)
        status = clear(words, err);
    if (status != ERNIE_OK || !are_there)
        return status;
    row = query_start(&words->statements, ALL_TEXTS);
    while (status == ERNIE_OK && query_row(&row)) {
        struct query add = query_start(&words->statements, ADD);

        bind_integer(&add, 1, column_integer(&row, 0));
        bind_texts(&add, &row);
        status = query_run(&add, err);
    }
    return query_end(&row, status, err);
}

int vectors_words_optimize(struct vectors_words *words, ernie_error *err)
{
    struct query query;
    int are_there, status = vectors_words_are_there(words, &are_there, err);

    if (status != ERNIE_OK || !are_there)
        return status;
    query = query_start(&words->statements, OPTIMIZE);
    return query_run(&query, err);
}

/* ---- searching --------------------------------------------------------- */

int vectors_words_require(struct vectors_words *words, const char *mode, ernie_error *err)
{
    int are_there, is_possible, status = vectors_words_are_there(words, &are_there, err);

    if (status != ERNIE_OK || are_there)
        return status;
    if (words->definition->vector >= 0)
        return error_set(err, ERNIE_EMISMATCH, "%s: mode %s: a table of vectors has no words",
                         words->name, mode);
    if (!words->definition->has_words)
        return error_set(err, ERNIE_EMISMATCH, "%s: mode %s: the table was made with words=off",
                         words->name, mode);
    if (find_tokenizer(words->connection, &is_possible) == SQLITE_OK && !is_possible)
        return error_set(err, ERNIE_EMISMATCH,
                         "%s: mode %s: it has no words, and this SQLite no FTS5 to make them",
                         words->name, mode);
    return error_set(err, ERNIE_EMISMATCH,
                     "%s: mode %s: its words are not there yet: INSERT INTO %s(%s)"
                     " VALUES('rebuild') makes them",
                     words->name, mode, words->name, words->name);
}

int vectors_words_search(struct vectors_words *words, const char *query, size_t size,
                         struct word_hits *out, ernie_error *err)
{
    struct buffer expression = { 0 };
    struct query search;
    int status;

    match_append(&expression, query, size);
    if (expression.failed) {
        buffer_reset(&expression);
        return out_of_memory(err);
    }
    search = query_start(&words->statements, SEARCH);
    bind_sized_text(&search, 1, expression.data, expression.size);
    status = explain(words, word_hits_read(&search, out, err), err);
    buffer_reset(&expression);
    return status;
}

int vectors_words_ids(struct vectors_words *words, const char *expression, size_t size,
                      int64_t **ids, size_t *n, ernie_error *err)
{
    struct query query = query_start(&words->statements, IDS);

    bind_sized_text(&query, 1, expression, size);
    return query_ids(&query, ids, n, err);
}

/* ---- checking ---------------------------------------------------------- */

/* What stands where, in no order: the sum of a hash of each word with its place. */
struct sum {
    uint64_t value;
    struct buffer item; /* what is hashed */
    int64_t id, column, position;
};

static int sum_add(struct sum *sum, const char *word, size_t size)
{
    struct hash hash;
    uint64_t value;

    buffer_clear(&sum->item);
    buffer_append(&sum->item, &sum->id, sizeof sum->id);
    buffer_append(&sum->item, &sum->column, sizeof sum->column);
    buffer_append(&sum->item, &sum->position, sizeof sum->position);
    buffer_append(&sum->item, word, size);
    if (sum->item.failed)
        return -1;
    hash = hash_of(sum->item.data, sum->item.size);
    memcpy(&value, hash.bytes, sizeof value);
    sum->value += value;
    return 0;
}

/* FTS5 cuts off what is longer. */
#define MAX_WORD 32768

/* words_cut's, counting places as FTS5 does. */
static int sum_word(void *data, const char *word, size_t size, size_t start, size_t end,
                    int is_colocated)
{
    struct sum *sum = data;

    (void)start;
    (void)end;
    if (!is_colocated || sum->position < 0)
        sum->position++;
    return sum_add(sum, word, size < MAX_WORD ? size : MAX_WORD);
}

/* Calls fn for each word of a text of the current row; column of the statement. */
static int cut_column(struct words *cutter, struct query *row, int column, words_fn fn, void *data,
                      ernie_error *err)
{
    const char *text = (const char *)sqlite3_column_text(row->statement, column);
    const size_t size = (size_t)sqlite3_column_bytes(row->statement, column);

    if (text == NULL)
        return sqlite3_column_type(row->statement, column) == SQLITE_NULL ? ERNIE_OK
                                                                         : out_of_memory(err);
    return words_cut(cutter, WORDS_DOCUMENT, text, size, fn, data) == 0 ? ERNIE_OK
                                                                       : out_of_memory(err);
}

static int sum_texts(struct vectors_words *words, struct sum *sum, ernie_error *err)
{
    struct words *cutter;
    struct query row;
    int status = words_new(&cutter, err);

    if (status != ERNIE_OK)
        return status;
    row = query_start(&words->statements, ALL_TEXTS);
    while (status == ERNIE_OK && query_row(&row)) {
        int column = 0;

        sum->id = column_integer(&row, 0);
        for (size_t i = 0; status == ERNIE_OK && i < words->definition->n; i++) {
            if (!is_text(words, i))
                continue;
            sum->column = (int64_t)i;
            sum->position = -1;
            status = cut_column(cutter, &row, ++column, sum_word, sum, err);
        }
    }
    words_free(cutter);
    return query_end(&row, status, err);
}

static int sum_instances(struct vectors_words *words, struct sum *sum, ernie_error *err)
{
    struct query row = query_start(&words->statements, INSTANCES);
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(&row)) {
        const char *word = (const char *)sqlite3_column_text(row.statement, 0);

        sum->id = column_integer(&row, 1);
        sum->column = column_integer(&row, 2);
        sum->position = column_integer(&row, 3);
        if (word == NULL ||
            sum_add(sum, word, (size_t)sqlite3_column_bytes(row.statement, 0)) != 0)
            status = out_of_memory(err);
    }
    return query_end(&row, status, err);
}

/* Compares the two, and FTS5's lists with each other. */
static int compare(struct vectors_words *words, struct findings *findings, ernie_error *err)
{
    struct sum of_texts = { 0 }, of_words = { 0 };
    struct query check = query_start(&words->statements, CHECK);
    int status = query_run(&check, err);

    if (status == ERNIE_OK)
        status = sum_texts(words, &of_texts, err);
    if (status == ERNIE_OK)
        status = sum_instances(words, &of_words, err);
    if (status == ERNIE_ECORRUPT || (status == ERNIE_OK && of_texts.value != of_words.value)) {
        findings_add(findings, "words: they are not those of the rows");
        status = ERNIE_OK;
    }
    buffer_reset(&of_texts.item);
    buffer_reset(&of_words.item);
    return status;
}

/* Counts places, as FTS5 does. */
static int count_word(void *data, const char *word, size_t size, size_t start, size_t end,
                      int is_colocated)
{
    int64_t *n = data;

    (void)word;
    (void)size;
    (void)start;
    (void)end;
    *n += !is_colocated || *n == 0;
    return 0;
}

/* SQLite's integer of one to nine bytes at *at, which is moved past it; -1 when there is
 * none. */
static int64_t read_varint(const unsigned char *bytes, size_t size, size_t *at)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 9; i++) {
        if (*at >= size)
            return -1;
        if (i == 8)
            return (int64_t)(value << 8 | bytes[(*at)++]);
        value = value << 7 | (bytes[*at] & 0x7f);
        if ((bytes[(*at)++] & 0x80) == 0)
            return (int64_t)value;
    }
    return -1;
}

/* How many words FTS5 has noted of each text. */
static int compare_sizes(struct vectors_words *words, struct findings *findings, ernie_error *err)
{
    struct words *cutter;
    struct query row;
    int status = words_new(&cutter, err);

    if (status != ERNIE_OK)
        return status;
    row = query_start(&words->statements, SIZES);
    while (status == ERNIE_OK && query_row(&row)) {
        const int n = sqlite3_column_count(row.statement) - 2;
        size_t size, at = 0;
        const unsigned char *sizes = column_bytes(&row, n + 1, &size);
        int is_same = 1;

        if (sizes == NULL) /* which compare_ids says */
            continue;
        for (int i = 1; status == ERNIE_OK && i <= n; i++) {
            int64_t n_words = 0;

            status = cut_column(cutter, &row, i, count_word, &n_words, err);
            is_same &= n_words == read_varint(sizes, size, &at);
        }
        if (status == ERNIE_OK && !is_same)
            findings_add(findings, "row %lld: its words are not those of its text",
                         (long long)column_integer(&row, 0));
    }
    words_free(cutter);
    return query_end(&row, status, err);
}

/* Rows without words, words without row. */
static int compare_ids(struct vectors_words *words, struct findings *findings, ernie_error *err)
{
    static const char *const queries[] = {
        "SELECT 'row ' || rowid || ': its words are missing' FROM %t"
        " WHERE rowid NOT IN (SELECT id FROM %d) LIMIT 100",
        "SELECT 'row ' || id || ': gone, but its words are there' FROM %d"
        " WHERE id NOT IN (SELECT rowid FROM %t) LIMIT 100",
    };
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < sizeof queries / sizeof queries[0]; i++) {
        char *sql = make_sql(words, queries[i]);

        status = sql != NULL ? findings_query(findings, sql, err) : out_of_memory(err);
        memory_free(sql);
    }
    return status;
}

static int make_instances(struct vectors_words *words, ernie_error *err)
{
    char *sql = sqlite3_mprintf("DROP TABLE IF EXISTS " INSTANCES_TABLE ";"
                                "CREATE VIRTUAL TABLE " INSTANCES_TABLE
                                " USING fts5vocab(\"%w\", \"%w_words\", instance)",
                                words->schema, words->name);
    int code;

    if (sql == NULL)
        return out_of_memory(err);
    code = sqlite3_exec(words->connection, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return code == SQLITE_OK ? ERNIE_OK : statements_fail(&words->statements, code, err);
}

/* Each word in its place. */
static int compare_places(struct vectors_words *words, struct findings *findings,
                          ernie_error *err)
{
    int status = make_instances(words, err);

    if (status == ERNIE_OK)
        status = compare(words, findings, err);
    statements_finalize(&words->statements);
    sqlite3_exec(words->connection, "DROP TABLE IF EXISTS " INSTANCES_TABLE, NULL, NULL, NULL);
    return status;
}

int vectors_words_check(struct vectors_words *words, int is_thorough, struct findings *findings,
                        ernie_error *err)
{
    size_t n_before = findings->n;
    int are_there, status = vectors_words_are_there(words, &are_there, err);

    if (status != ERNIE_OK || !are_there)
        return status;
    status = compare_ids(words, findings, err);
    if (status == ERNIE_OK)
        status = compare_sizes(words, findings, err);
    if (status == ERNIE_OK && is_thorough && findings->n == n_before)
        status = compare_places(words, findings, err);
    return status;
}
