#include "sql/vectors_rows.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "sql/findings.h"
#include "vectors_sql.h"

enum statement {
    ROW_EXISTS,
    ROW_ADD,
    ROW_MOVE,
    ROW_DELETE,
    ROW_TEXT,
    ROW_IDS,
    CHUNK_ADD,
    CHUNK_PLACE,
    CHUNK_IDS,
    CHUNKS_MOVE,
    CHUNKS_LOG_DELETE,
    CHUNKS_DELETE_VECTORS,
    CHUNKS_DELETE,
    N_STATEMENTS
};

_Static_assert(N_STATEMENTS == N_ROW_STATEMENTS, "one statement each");

/* For collection_sql; those that name columns are made by make_row_statements. */
static const char *const templates[N_STATEMENTS] = {
    [CHUNK_ADD] = "INSERT INTO $_chunks (document_id, ordinal, start_byte, end_byte)"
                  " VALUES (?1, ?2, ?3, ?4)",
    [CHUNK_PLACE] = "SELECT start_byte, end_byte FROM $_chunks WHERE id = ?1",
    [CHUNK_IDS] = "SELECT id FROM $_chunks WHERE document_id = ?1",
    [CHUNKS_MOVE] = "UPDATE $_chunks SET document_id = ?2 WHERE document_id = ?1",
    [CHUNKS_LOG_DELETE] = "INSERT INTO $_log (op, chunk_id)"
                          " SELECT 'delete', id FROM $_chunks WHERE document_id = ?1",
    [CHUNKS_DELETE_VECTORS] = "DELETE FROM $_embeddings WHERE chunk_id IN"
                              " (SELECT id FROM $_chunks WHERE document_id = ?1)",
    [CHUNKS_DELETE] = "DELETE FROM $_chunks WHERE document_id = ?1",
};

static const char *const tables[] = { "content", "chunks", "embeddings", "log", "meta" };
#define N_TABLES (sizeof tables / sizeof tables[0])

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

/* ---- statements about columns ------------------------------------------ */

/* The name that column i has in the table with the rows. */
static void append_column(const struct vectors_rows *rows, size_t i, struct buffer *out)
{
    if (rows->definition->content != NULL)
        append_identifier(out, rows->definition->column[i].name);
    else
        buffer_printf(out, "c%zu", i);
}

static const char *id_column(const struct vectors_rows *rows)
{
    return rows->definition->content != NULL ? "rowid" : "id";
}

static int is_kept(const struct vectors_rows *rows, size_t i)
{
    return rows->definition->column[i].role != VECTORS_VECTOR;
}

static void append_each_column(const struct vectors_rows *rows, const char *before,
                               enum vectors_role role, struct buffer *out)
{
    for (size_t i = 0; i < rows->definition->n; i++)
        if (rows->definition->column[i].role == role) {
            buffer_append_text(out, before);
            append_column(rows, i, out);
        }
}

static char *sql_row_add(const struct vectors_rows *rows)
{
    struct buffer sql = { 0 };

    buffer_printf(&sql, "INSERT INTO %s (id", rows->content);
    for (size_t i = 0; i < rows->definition->n; i++)
        if (is_kept(rows, i))
            buffer_printf(&sql, ", c%zu", i);
    buffer_append_text(&sql, ") VALUES (?1");
    for (size_t i = 0; i < rows->definition->n; i++)
        if (is_kept(rows, i))
            buffer_printf(&sql, ", ?%zu", i + 2);
    buffer_append_char(&sql, ')');
    return buffer_take(&sql);
}

static char *sql_row_text(const struct vectors_rows *rows)
{
    struct buffer sql = { 0 };

    buffer_append_text(&sql, "SELECT 1");
    append_each_column(rows, ", ", VECTORS_TEXT, &sql);
    buffer_printf(&sql, " FROM %s WHERE %s = ?1", rows->content, id_column(rows));
    return buffer_take(&sql);
}

static char *sql_about_id(const struct vectors_rows *rows, const char *verb, const char *rest)
{
    struct buffer sql = { 0 };

    buffer_printf(&sql, "%s %s %s", verb, rows->content, rest);
    return buffer_take(&sql);
}

static char *make_statement(const struct vectors_rows *rows, enum statement which)
{
    const int is_ours = rows->definition->content == NULL;

    switch (which) {
    case ROW_EXISTS:
        return is_ours ? sql_about_id(rows, "SELECT 1 FROM", "WHERE id = ?1")
                       : collection_sql(rows->collection,
                                        "SELECT 1 FROM $_chunks WHERE document_id = ?1 LIMIT 1");
    case ROW_ADD:
        return is_ours ? sql_row_add(rows) : memory_copy_text("", 0);
    case ROW_MOVE:
        return is_ours ? sql_about_id(rows, "UPDATE", "SET id = ?2 WHERE id = ?1")
                       : memory_copy_text("", 0);
    case ROW_DELETE:
        return is_ours ? sql_about_id(rows, "DELETE FROM", "WHERE id = ?1")
                       : memory_copy_text("", 0);
    case ROW_TEXT:
        return sql_row_text(rows);
    case ROW_IDS:
        return sql_about_id(rows, "SELECT rowid FROM", "ORDER BY rowid");
    default:
        return collection_sql(rows->collection, templates[which]);
    }
}

static int make_statements(struct vectors_rows *rows, ernie_error *err)
{
    struct buffer name = { 0 };

    memory_free(rows->content);
    rows->content = NULL;
    if (rows->definition->content == NULL) {
        rows->content = collection_sql(rows->collection, "$_content");
    } else {
        append_identifier(&name, rows->schema);
        buffer_append_char(&name, '.');
        append_identifier(&name, rows->definition->content);
        rows->content = buffer_take(&name);
    }
    if (rows->content == NULL)
        return out_of_memory(err);
    for (enum statement i = 0; i < N_STATEMENTS; i++) {
        memory_free(rows->sql[i]);
        rows->sql[i] = make_statement(rows, i);
        if (rows->sql[i] == NULL)
            return out_of_memory(err);
    }
    return ERNIE_OK;
}

int vectors_rows_init(struct vectors_rows *rows, sqlite3 *connection, const char *schema,
                      struct collection *collection, const struct vectors_definition *definition,
                      ernie_error *err)
{
    int status;

    memset(rows, 0, sizeof *rows);
    rows->connection = connection;
    rows->collection = collection;
    rows->definition = definition;
    rows->schema = memory_copy_text(schema, strlen(schema));
    status = rows->schema != NULL ? make_statements(rows, err) : out_of_memory(err);
    if (status == ERNIE_OK)
        status = statements_init(&rows->statements, connection, collection_path(collection),
                                 N_STATEMENTS, (const char *const *)rows->sql, err);
    if (status != ERNIE_OK)
        vectors_rows_reset(rows);
    else
        statements_keep(&rows->statements);
    return status;
}

void vectors_rows_reset(struct vectors_rows *rows)
{
    if (rows->statements.prepared != NULL)
        statements_reset(&rows->statements);
    for (size_t i = 0; i < N_STATEMENTS; i++)
        memory_free(rows->sql[i]);
    memory_free(rows->schema);
    memory_free(rows->content);
    memset(rows, 0, sizeof *rows);
}

/* ---- tables ------------------------------------------------------------ */

/* Runs SQL with the names put in, once; it may be several statements. */
static int run(struct vectors_rows *rows, const char *template, ernie_error *err)
{
    char *sql = collection_sql(rows->collection, template);
    int code;

    if (sql == NULL)
        return out_of_memory(err);
    code = sqlite3_exec(rows->connection, sql, NULL, NULL, NULL);
    memory_free(sql);
    return code == SQLITE_OK ? ERNIE_OK : statements_fail(&rows->statements, code, err);
}

/* What is short comes first: reading it does not read past texts. */
static int create_content(struct vectors_rows *rows, ernie_error *err)
{
    const struct vectors_definition *definition = rows->definition;
    struct buffer sql = { 0 };
    char *text;
    int code;

    buffer_printf(&sql, "CREATE TABLE %s (id INTEGER PRIMARY KEY", rows->content);
    for (size_t i = 0; i < definition->n; i++)
        if (definition->column[i].role == VECTORS_OTHER)
            buffer_printf(&sql, ", c%zu %s", i, definition->column[i].type);
    append_each_column(rows, ", ", VECTORS_TEXT, &sql);
    buffer_append_char(&sql, ')');
    text = buffer_take(&sql);
    if (text == NULL)
        return out_of_memory(err);
    code = sqlite3_exec(rows->connection, text, NULL, NULL, NULL);
    memory_free(text);
    return code == SQLITE_OK ? ERNIE_OK : statements_fail(&rows->statements, code, err);
}

int vectors_rows_create(struct vectors_rows *rows, ernie_error *err)
{
    int status = rows->definition->content == NULL ? create_content(rows, err) : ERNIE_OK;

    return status == ERNIE_OK ? run(rows, vectors_sql, err) : status;
}

int vectors_rows_drop(struct vectors_rows *rows, ernie_error *err)
{
    int status = ERNIE_OK;

    statements_finalize(&rows->statements);
    for (size_t i = 0; status == ERNIE_OK && i < N_TABLES; i++) {
        struct buffer sql = { 0 };
        char *text;

        buffer_printf(&sql, "DROP TABLE IF EXISTS $_%s", tables[i]);
        text = buffer_take(&sql);
        status = text != NULL ? run(rows, text, err) : out_of_memory(err);
        memory_free(text);
        /* What has the name and is no table is not ours, and must not keep ours. */
        if (status == ERNIE_ECORRUPT)
            status = ERNIE_OK;
    }
    return status;
}

int vectors_rows_rename(struct vectors_rows *rows, const char *name, ernie_error *err)
{
    int status = ERNIE_OK;

    statements_finalize(&rows->statements);
    for (size_t i = rows->definition->content != NULL; status == ERNIE_OK && i < N_TABLES; i++) {
        struct buffer sql = { 0 }, new_name = { 0 };
        char *template;
        int code;

        buffer_printf(&new_name, "%s_%s", name, tables[i]);
        buffer_printf(&sql, "$_%s", tables[i]);
        template = buffer_take(&sql);
        if (template != NULL && new_name.data != NULL) {
            char *old = collection_sql(rows->collection, template);

            buffer_printf(&sql, "ALTER TABLE %s RENAME TO ", old != NULL ? old : "");
            append_identifier(&sql, new_name.data);
            sql.failed |= old == NULL;
            memory_free(old);
        }
        if (template == NULL || new_name.failed || sql.failed) {
            status = out_of_memory(err);
        } else {
            code = sqlite3_exec(rows->connection, sql.data, NULL, NULL, NULL);
            status = code == SQLITE_OK ? ERNIE_OK
                                       : statements_fail(&rows->statements, code, err);
        }
        memory_free(template);
        buffer_reset(&sql);
        buffer_reset(&new_name);
    }
    if (status == ERNIE_OK)
        status = collection_rename(rows->collection, name, err);
    return status == ERNIE_OK ? make_statements(rows, err) : status;
}

/* ---- rows -------------------------------------------------------------- */

static int run_with_id(struct vectors_rows *rows, enum statement which, int64_t id,
                       ernie_error *err)
{
    struct query query = query_start(&rows->statements, which);

    bind_integer(&query, 1, id);
    return query_run(&query, err);
}

static void bind_value(struct query *query, int i, sqlite3_value *value)
{
    if (query->code == SQLITE_OK)
        query->code = sqlite3_bind_value(query->statement, i, value);
}

int vectors_row_exists(struct vectors_rows *rows, int64_t id, int *exists, ernie_error *err)
{
    struct query query = query_start(&rows->statements, ROW_EXISTS);

    bind_integer(&query, 1, id);
    *exists = query_row(&query);
    return query_end(&query, ERNIE_OK, err);
}

int vectors_row_add(struct vectors_rows *rows, const int64_t *id, sqlite3_value **values,
                    int64_t *out, ernie_error *err)
{
    struct query query;
    int status;

    if (rows->definition->content != NULL) {
        if (id == NULL)
            return error_set(err, ERNIE_EINVAL, "%s: give the rowid that the text has there",
                             rows->definition->content);
        *out = *id;
        return ERNIE_OK;
    }
    query = query_start(&rows->statements, ROW_ADD);
    if (id != NULL)
        bind_integer(&query, 1, *id);
    for (size_t i = 0; i < rows->definition->n; i++)
        if (is_kept(rows, i))
            bind_value(&query, (int)i + 2, values[i]);
    status = query_run(&query, err);
    if (status == ERNIE_OK)
        *out = sqlite3_last_insert_rowid(rows->connection);
    return status;
}

/* The columns that change are not the same each time: the statement is made for them. */
static int change_values(struct vectors_rows *rows, int64_t id, sqlite3_value **values,
                         ernie_error *err)
{
    struct buffer sql = { 0 };
    sqlite3_stmt *statement = NULL;
    int n_changed = 0, code, status;

    buffer_printf(&sql, "UPDATE %s SET ", rows->content);
    for (size_t i = 0; i < rows->definition->n; i++)
        if (is_kept(rows, i) && !sqlite3_value_nochange(values[i]))
            buffer_printf(&sql, "%sc%zu = ?%zu", n_changed++ > 0 ? ", " : "", i, i + 2);
    buffer_append_text(&sql, " WHERE id = ?1");
    if (n_changed == 0) {
        buffer_reset(&sql);
        return ERNIE_OK;
    }
    if (sql.failed) {
        buffer_reset(&sql);
        return out_of_memory(err);
    }
    code = sqlite3_prepare_v2(rows->connection, sql.data, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, 1, id);
    for (size_t i = 0; code == SQLITE_OK && i < rows->definition->n; i++)
        if (is_kept(rows, i) && !sqlite3_value_nochange(values[i]))
            code = sqlite3_bind_value(statement, (int)i + 2, values[i]);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    status = code == SQLITE_DONE ? ERNIE_OK : statements_fail(&rows->statements, code, err);
    sqlite3_finalize(statement);
    buffer_reset(&sql);
    return status;
}

int vectors_row_change(struct vectors_rows *rows, int64_t id, int64_t new_id,
                       sqlite3_value **values, ernie_error *err)
{
    const int is_ours = rows->definition->content == NULL;
    int status = ERNIE_OK;

    for (int i = 0; new_id != id && i < 2 && status == ERNIE_OK; i++) {
        struct query query;

        if (i == 0 && !is_ours)
            continue;
        query = query_start(&rows->statements, i == 0 ? ROW_MOVE : CHUNKS_MOVE);
        bind_integer(&query, 1, id);
        bind_integer(&query, 2, new_id);
        status = query_run(&query, err);
    }
    return status == ERNIE_OK && is_ours ? change_values(rows, new_id, values, err) : status;
}

int vectors_row_delete(struct vectors_rows *rows, int64_t id, ernie_error *err)
{
    int status = vectors_chunks_delete(rows, id, err);

    if (status == ERNIE_OK && rows->definition->content == NULL)
        status = run_with_id(rows, ROW_DELETE, id, err);
    return status;
}

static void append_text(struct buffer *out, sqlite3_value *value)
{
    const unsigned char *text = sqlite3_value_text(value);
    const int size = sqlite3_value_bytes(value);

    if (text == NULL) {
        out->failed |= sqlite3_value_type(value) != SQLITE_NULL;
        return;
    }
    if (size > 0 && out->size > 0)
        buffer_append_text(out, "\n\n");
    utf8_append_clean(out, (const char *)text, (size_t)size);
}

void vectors_values_text(const struct vectors_definition *definition, sqlite3_value **values,
                         struct buffer *out)
{
    for (size_t i = 0; i < definition->n; i++)
        if (definition->column[i].role == VECTORS_TEXT)
            append_text(out, values[i]);
}

int vectors_row_text(struct vectors_rows *rows, int64_t id, struct buffer *out, int *found,
                     ernie_error *err)
{
    struct query query = query_start(&rows->statements, ROW_TEXT);
    int status;

    bind_integer(&query, 1, id);
    *found = query_row(&query);
    for (int i = 1; *found && i < sqlite3_column_count(query.statement); i++)
        append_text(out, sqlite3_column_value(query.statement, i));
    status = query_end(&query, ERNIE_OK, err);
    return status == ERNIE_OK && out->failed ? out_of_memory(err) : status;
}

/* Ids are collected first: fn may change the rows. */
static int each_id(struct vectors_rows *rows, enum statement which, const int64_t *argument,
                   vectors_row_fn fn, void *data, ernie_error *err)
{
    struct query query = query_start(&rows->statements, which);
    struct buffer ids = { 0 };
    int status;

    if (argument != NULL)
        bind_integer(&query, 1, *argument);
    while (query_row(&query)) {
        const int64_t id = column_integer(&query, 0);

        buffer_append(&ids, &id, sizeof id);
    }
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK && ids.failed)
        status = out_of_memory(err);
    for (size_t i = 0; status == ERNIE_OK && i < ids.size; i += sizeof(int64_t)) {
        int64_t id;

        memcpy(&id, ids.data + i, sizeof id);
        status = fn(data, id, err);
    }
    buffer_reset(&ids);
    return status;
}

int vectors_rows_each(struct vectors_rows *rows, vectors_row_fn fn, void *data, ernie_error *err)
{
    return each_id(rows, ROW_IDS, NULL, fn, data, err);
}

/* ---- chunks ------------------------------------------------------------ */

int vectors_chunk_add(struct vectors_rows *rows, int64_t document_id, size_t ordinal, size_t start,
                      size_t end, const float *vector, size_t dim, ernie_error *err)
{
    struct query query = query_start(&rows->statements, CHUNK_ADD);
    int64_t id;
    int status;

    bind_integer(&query, 1, document_id);
    bind_integer(&query, 2, (int64_t)ordinal);
    bind_integer(&query, 3, (int64_t)start);
    bind_integer(&query, 4, (int64_t)end);
    status = query_run(&query, err);
    if (status != ERNIE_OK)
        return status;
    id = sqlite3_last_insert_rowid(rows->connection);
    status = collection_vector_put(rows->collection, id, vector, dim, err);
    return status == ERNIE_OK ? collection_log(rows->collection, "add", id, err) : status;
}

int vectors_chunks_delete(struct vectors_rows *rows, int64_t document_id, ernie_error *err)
{
    int status = run_with_id(rows, CHUNKS_LOG_DELETE, document_id, err);

    if (status == ERNIE_OK)
        status = run_with_id(rows, CHUNKS_DELETE_VECTORS, document_id, err);
    return status == ERNIE_OK ? run_with_id(rows, CHUNKS_DELETE, document_id, err) : status;
}

int vectors_chunks_delete_all(struct vectors_rows *rows, ernie_error *err)
{
    return run(rows,
               "INSERT INTO $_log (op, chunk_id) SELECT 'delete', id FROM $_chunks;"
               " DELETE FROM $_embeddings; DELETE FROM $_chunks",
               err);
}

int vectors_chunks_each(struct vectors_rows *rows, int64_t document_id, vectors_row_fn fn,
                        void *data, ernie_error *err)
{
    return each_id(rows, CHUNK_IDS, &document_id, fn, data, err);
}

int vectors_chunk_ids(struct vectors_rows *rows, int64_t document_id, struct buffer *out,
                      ernie_error *err)
{
    struct query query = query_start(&rows->statements, CHUNK_IDS);
    int status;

    bind_integer(&query, 1, document_id);
    while (query_row(&query)) {
        const int64_t id = column_integer(&query, 0);

        buffer_append(out, &id, sizeof id);
    }
    status = query_end(&query, ERNIE_OK, err);
    return status == ERNIE_OK && out->failed ? out_of_memory(err) : status;
}

int vectors_chunk_place(struct vectors_rows *rows, int64_t chunk_id, size_t *start, size_t *end,
                        int *found, ernie_error *err)
{
    struct query query = query_start(&rows->statements, CHUNK_PLACE);

    bind_integer(&query, 1, chunk_id);
    *found = query_row(&query);
    if (*found) {
        *start = (size_t)column_integer(&query, 0);
        *end = (size_t)column_integer(&query, 1);
    }
    return query_end(&query, ERNIE_OK, err);
}

/* ---- checking ---------------------------------------------------------- */

int vectors_rows_check(struct vectors_rows *rows, struct findings *findings, ernie_error *err)
{
    static const char *const queries[] = {
        "SELECT 'row ' || document_id || ': a chunk of it is missing' FROM $_chunks"
        " GROUP BY document_id HAVING min(ordinal) <> 0 OR max(ordinal) <> count(*) - 1 LIMIT 100",
        "SELECT 'row ' || document_id || ': gone, but has chunks' FROM $_chunks"
        " WHERE document_id NOT IN (SELECT ",
    };
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < sizeof queries / sizeof queries[0]; i++) {
        char *begin = collection_sql(rows->collection, queries[i]);
        struct buffer sql = { 0 };

        buffer_append_text(&sql, begin != NULL ? begin : "");
        if (i == 1)
            buffer_printf(&sql, "%s FROM %s) GROUP BY document_id LIMIT 100", id_column(rows),
                          rows->content);
        status = begin != NULL && !sql.failed ? findings_query(findings, sql.data, err)
                                              : out_of_memory(err);
        memory_free(begin);
        buffer_reset(&sql);
    }
    return status;
}
