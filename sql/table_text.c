/* Two tables that show what becomes of a text on its way into the model:
 *
 *     SELECT ordinal, start, "end", text FROM ernie_chunk_each('...')  -- as indexing cuts it
 *     SELECT ordinal, id, token FROM ernie_tokens('...')               -- as the model reads it
 *
 * Both read the whole text at once and then give rows of an array. */
#include <string.h>

#include "sql/extension.h"
#include "sql/table_arguments.h"

struct text_cursor;

/* What one of the tables is. Its last column is hidden, the text. */
struct text_kind {
    const char *name;
    const char *declaration;
    int text_column;
    /* Reads the text, which is never NULL, and sets the cursor's n. */
    int (*read)(struct text_cursor *cursor, const ernie_model *model, const char *text,
                ernie_error *err);
    /* A column of row i. */
    void (*column)(const struct text_cursor *cursor, sqlite3_context *context, int column);
};

struct text_module {
    const struct text_kind *kind;
    struct extension *extension; /* a reference of ours */
};

struct text_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_value *text; /* ours */
    const ernie_model *model;
    struct ernie_chunks chunks;
    struct ernie_tokens tokens;
    size_t n, i;
};

/* ---- ernie_chunks ------------------------------------------------------ */

static int read_chunks(struct text_cursor *cursor, const ernie_model *model, const char *text,
                       ernie_error *err)
{
    int status = ernie_chunk(model, text, &cursor->chunks, err);

    cursor->n = cursor->chunks.n;
    return status;
}

static void chunk_column(const struct text_cursor *cursor, sqlite3_context *context, int column)
{
    const struct ernie_chunk *chunk = &cursor->chunks.chunk[cursor->i];

    switch (column) {
    case 0:
        sqlite3_result_int64(context, (sqlite3_int64)cursor->i);
        break;
    case 1:
        sqlite3_result_int64(context, (sqlite3_int64)chunk->start);
        break;
    case 2:
        sqlite3_result_int64(context, (sqlite3_int64)chunk->end);
        break;
    case 3:
        sqlite3_result_int64(context, (sqlite3_int64)chunk->n_tokens);
        break;
    default:
        sqlite3_result_text64(context, cursor->chunks.text + chunk->start,
                              chunk->end - chunk->start, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
}

/* ---- ernie_tokens ------------------------------------------------------ */

static int read_tokens(struct text_cursor *cursor, const ernie_model *model, const char *text,
                       ernie_error *err)
{
    int status = ernie_tokenize(model, text, NULL, 0, &cursor->tokens, err);

    cursor->n = cursor->tokens.n;
    return status;
}

static void token_column(const struct text_cursor *cursor, sqlite3_context *context, int column)
{
    const int32_t id = cursor->tokens.input_ids[cursor->i];

    switch (column) {
    case 0:
        sqlite3_result_int64(context, (sqlite3_int64)cursor->i);
        break;
    case 1:
        sqlite3_result_int(context, id);
        break;
    default: /* NULL for an id without a word */
        sqlite3_result_text(context, ernie_token(cursor->model, id), -1, SQLITE_TRANSIENT);
    }
}

#define CHUNKS_DECLARATION                                                                         \
    "CREATE TABLE x(ordinal INTEGER, start INTEGER, \"end\" INTEGER, n_tokens INTEGER,"            \
    " text TEXT, source HIDDEN)"

/* A collection has a table ernie_chunks of its own, which hides the function of that name;
 * ernie_chunk_each is there in every database. */
static const struct text_kind kinds[] = {
    { "ernie_chunks", CHUNKS_DECLARATION, 5, read_chunks, chunk_column },
    { "ernie_chunk_each", CHUNKS_DECLARATION, 5, read_chunks, chunk_column },
    { "ernie_tokens", "CREATE TABLE x(ordinal INTEGER, id INTEGER, token TEXT, source HIDDEN)", 3,
      read_tokens, token_column },
};

/* ---- both -------------------------------------------------------------- */

static int table_connect(sqlite3 *connection, void *data, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    const struct text_module *module = data;

    (void)argc;
    (void)argv;
    (void)message;
    return function_table_connect(connection, module->kind->declaration, SQLITE_VTAB_INNOCUOUS, data, out);
}

static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct text_module *module = ((const struct function_table *)base)->data;

    /* Rows come in the order of the text. */
    info->orderByConsumed =
        info->nOrderBy == 1 && info->aOrderBy[0].iColumn <= 0 && !info->aOrderBy[0].desc;
    info->estimatedCost = 1000;
    info->estimatedRows = 100;
    return arguments_plan(info, module->kind->text_column, 1);
}

static int cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    struct text_cursor *cursor = sqlite3_malloc64(sizeof *cursor);

    (void)table;
    if (cursor == NULL)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static void cursor_clear(struct text_cursor *cursor)
{
    ernie_chunks_reset(&cursor->chunks);
    ernie_tokens_reset(&cursor->tokens);
    sqlite3_value_free(cursor->text);
    cursor->text = NULL;
    cursor->n = cursor->i = 0;
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
    struct text_cursor *cursor = (struct text_cursor *)base;

    cursor_clear(cursor);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                         sqlite3_value **argv)
{
    struct text_cursor *cursor = (struct text_cursor *)base;
    const struct text_module *module = ((const struct function_table *)base->pVtab)->data;
    const char *text;
    ernie_error err;

    (void)unused;
    (void)argc;
    cursor_clear(cursor);
    if (plan == 0) {
        extension_refuse(&err, "%s: give a text: %s('...')", module->kind->name,
                         module->kind->name);
        return table_error(base->pVtab, &err);
    }
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return SQLITE_OK; /* no rows */
    cursor->text = sqlite3_value_dup(argv[0]);
    text = cursor->text != NULL ? (const char *)sqlite3_value_text(cursor->text) : NULL;
    if (text == NULL)
        return SQLITE_NOMEM;
    if (extension_model(module->extension, &cursor->model, &err) != ERNIE_OK ||
        module->kind->read(cursor, cursor->model, text, &err) != ERNIE_OK)
        return table_error(base->pVtab, &err);
    return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
    ((struct text_cursor *)base)->i++;
    return SQLITE_OK;
}

static int cursor_eof(sqlite3_vtab_cursor *base)
{
    struct text_cursor *cursor = (struct text_cursor *)base;

    return cursor->i >= cursor->n;
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct text_cursor *cursor = (struct text_cursor *)base;
    const struct text_module *module = ((const struct function_table *)base->pVtab)->data;
    const struct text_kind *kind = module->kind;

    if (column == kind->text_column)
        sqlite3_result_value(context, cursor->text);
    else
        kind->column(cursor, context, column);
    return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((struct text_cursor *)base)->i;
    return SQLITE_OK;
}

static void module_release(void *data)
{
    struct text_module *module = data;

    extension_release(module->extension);
    sqlite3_free(module);
}

int register_text_tables(sqlite3 *connection, struct extension *extension)
{
    static const sqlite3_module methods = {
        .xConnect = table_connect,
        .xBestIndex = table_best_index,
        .xDisconnect = function_table_disconnect,
        .xOpen = cursor_open,
        .xClose = cursor_close,
        .xFilter = cursor_filter,
        .xNext = cursor_next,
        .xEof = cursor_eof,
        .xColumn = cursor_column,
        .xRowid = cursor_rowid,
    };
    int status = SQLITE_OK;

    for (size_t i = 0; status == SQLITE_OK && i < sizeof kinds / sizeof kinds[0]; i++) {
        struct text_module *module = sqlite3_malloc64(sizeof *module);

        if (module == NULL)
            return SQLITE_NOMEM;
        *module = (struct text_module){ &kinds[i], extension };
        extension->n_references++;
        status = sqlite3_create_module_v2(connection, kinds[i].name, &methods, module,
                                          module_release);
    }
    return status;
}
