/* SELECT key, text, embedding FROM ernie_embed_each('["一", "two"]'): the embedding of each
 * element of a JSON array, or member of an object. Elements are read and embedded many at a
 * time, which is much faster than ernie_embed row by row: one forward pass reads the
 * model's weights for all of them. */
#include <string.h>

#include "sql/extension.h"
#include "sql/table_arguments.h"

/* Texts embedded in the first call, for those who want a few rows of many, and at most:
 * enough to fill forward passes with short texts. Each call takes twice as many as the one
 * before. */
#define FIRST_BATCH 32
#define MAX_BATCH   512

enum column { COLUMN_KEY, COLUMN_TEXT, COLUMN_EMBEDDING, COLUMN_JSON, COLUMN_PROMPT, COLUMN_DIM };
enum { ARGUMENT_JSON, ARGUMENT_PROMPT, ARGUMENT_DIM, N_ARGUMENTS };

static const char name[] = "ernie_embed_each";
static const char declaration[] =
    "CREATE TABLE x(key, text TEXT, embedding BLOB, json HIDDEN, prompt HIDDEN, dim HIDDEN)";

struct element {
    sqlite3_value *key, *text; /* ours */
};

struct embed_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_value *arguments[N_ARGUMENTS]; /* ours, or NULL */
    struct ernie_encode_options options;
    sqlite3_stmt *elements; /* the JSON's, those not read yet; NULL after the last */
    struct element element[MAX_BATCH];
    float *embeddings; /* [n][options.dim]; nothing in those of NULL texts */
    size_t n, i;       /* elements of this batch, and the current one */
    size_t batch;      /* how many elements the next one may have */
    sqlite3_int64 rowid;
};

static struct extension *extension_of(const sqlite3_vtab_cursor *cursor)
{
    return ((const struct function_table *)cursor->pVtab)->data;
}

static int table_connect(sqlite3 *connection, void *data, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    return function_table_connect(connection, declaration, SQLITE_VTAB_INNOCUOUS, data, out);
}

static int table_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = 10000;
    info->estimatedRows = 100;
    return arguments_plan(info, COLUMN_JSON, N_ARGUMENTS);
}

/* ---- the cursor -------------------------------------------------------- */

static int cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    struct embed_cursor *cursor = sqlite3_malloc64(sizeof *cursor);

    (void)table;
    if (cursor == NULL)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static void drop_batch(struct embed_cursor *cursor)
{
    for (size_t i = 0; i < cursor->n; i++) {
        sqlite3_value_free(cursor->element[i].key);
        sqlite3_value_free(cursor->element[i].text);
    }
    sqlite3_free(cursor->embeddings);
    cursor->embeddings = NULL;
    cursor->n = cursor->i = 0;
}

static void cursor_clear(struct embed_cursor *cursor)
{
    drop_batch(cursor);
    sqlite3_finalize(cursor->elements);
    cursor->elements = NULL;
    for (int i = 0; i < N_ARGUMENTS; i++) {
        sqlite3_value_free(cursor->arguments[i]);
        cursor->arguments[i] = NULL;
    }
    cursor->rowid = 0;
    cursor->batch = FIRST_BATCH;
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
    struct embed_cursor *cursor = (struct embed_cursor *)base;

    cursor_clear(cursor);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* SQLite's own words for what it refused: malformed JSON. */
static int host_error(struct embed_cursor *cursor, int status)
{
    const struct extension *extension = extension_of(&cursor->base);

    sqlite3_free(cursor->base.pVtab->zErrMsg);
    cursor->base.pVtab->zErrMsg =
        sqlite3_mprintf("%s: %s", name, sqlite3_errmsg(extension->connection));
    return status;
}

/* The element that the statement is at, as the next of the batch. */
static int add_element(struct embed_cursor *cursor)
{
    struct element *element = &cursor->element[cursor->n];
    const char *type = (const char *)sqlite3_column_text(cursor->elements, 1);

    if (type == NULL)
        return SQLITE_NOMEM;
    if (strcmp(type, "text") != 0 && strcmp(type, "null") != 0 && strcmp(type, "integer") != 0 &&
        strcmp(type, "real") != 0) {
        const unsigned char *key = sqlite3_column_text(cursor->elements, 0);
        ernie_error err;

        extension_refuse(&err, "%s: element %s is of type %s, not a text", name,
                         key != NULL ? (const char *)key : "0", type);
        return table_error(cursor->base.pVtab, &err);
    }
    element->key = sqlite3_value_dup(sqlite3_column_value(cursor->elements, 0));
    element->text = sqlite3_value_dup(sqlite3_column_value(cursor->elements, 2));
    cursor->n++;
    return element->key != NULL && element->text != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int read_elements(struct embed_cursor *cursor)
{
    int status = SQLITE_OK;

    while (status == SQLITE_OK && cursor->n < cursor->batch) {
        int step = sqlite3_step(cursor->elements);

        if (step != SQLITE_ROW) {
            if (step != SQLITE_DONE)
                status = host_error(cursor, step);
            sqlite3_finalize(cursor->elements);
            cursor->elements = NULL;
            break;
        }
        status = add_element(cursor);
    }
    return status;
}

/* Embeds the batch's texts in one call. Those that are NULL are left out, so that row j of
 * what comes back is not always element j: they are put in their places from the end. */
static int embed_elements(struct embed_cursor *cursor, ernie_error *err)
{
    struct extension *extension = extension_of(&cursor->base);
    const size_t dim = cursor->options.dim;
    const char *texts[MAX_BATCH];
    ernie_encoder *encoder;
    size_t n = 0;
    int status = extension_encoder(extension, &encoder, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; i < cursor->n; i++) {
        if (sqlite3_value_type(cursor->element[i].text) == SQLITE_NULL)
            continue;
        texts[n] = (const char *)sqlite3_value_text(cursor->element[i].text);
        if (texts[n++] == NULL) {
            err->code = ERNIE_ENOMEM;
            return ERNIE_ENOMEM;
        }
    }
    cursor->embeddings = sqlite3_malloc64(cursor->n * dim * sizeof(float));
    if (cursor->embeddings == NULL) {
        err->code = ERNIE_ENOMEM;
        return ERNIE_ENOMEM;
    }
    status = ernie_encode_with(encoder, n, texts, &cursor->options, cursor->embeddings, err);
    for (size_t i = cursor->n; status == ERNIE_OK && n < i; i--)
        if (sqlite3_value_type(cursor->element[i - 1].text) != SQLITE_NULL) {
            n--;
            memmove(cursor->embeddings + (i - 1) * dim, cursor->embeddings + n * dim,
                    dim * sizeof(float));
        }
    return status;
}

/* The next batch, when there is one. */
static int fetch(struct embed_cursor *cursor)
{
    ernie_error err;
    int status;

    drop_batch(cursor);
    if (cursor->elements == NULL)
        return SQLITE_OK;
    status = read_elements(cursor);
    if (status != SQLITE_OK || cursor->n == 0)
        return status;
    cursor->batch = cursor->batch * 2 < MAX_BATCH ? cursor->batch * 2 : MAX_BATCH;
    return embed_elements(cursor, &err) == ERNIE_OK ? SQLITE_OK
                                                    : table_error(cursor->base.pVtab, &err);
}

/* Keeps the arguments for the columns that show them. */
static int keep_arguments(struct embed_cursor *cursor, int plan, sqlite3_value **argv)
{
    sqlite3_value *given[N_ARGUMENTS];

    arguments_read(plan, N_ARGUMENTS, argv, given);
    for (int i = 0; i < N_ARGUMENTS; i++) {
        if (given[i] == NULL)
            continue;
        cursor->arguments[i] = sqlite3_value_dup(given[i]);
        if (cursor->arguments[i] == NULL)
            return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                         sqlite3_value **argv)
{
    struct embed_cursor *cursor = (struct embed_cursor *)base;
    struct extension *extension = extension_of(base);
    const ernie_model *model;
    ernie_error err;
    int status;

    (void)unused;
    (void)argc;
    cursor_clear(cursor);
    status = keep_arguments(cursor, plan, argv);
    if (status != SQLITE_OK)
        return status;
    if (cursor->arguments[ARGUMENT_JSON] == NULL) {
        extension_refuse(&err, "%s: give a JSON array: %s('[...]')", name, name);
        return table_error(base->pVtab, &err);
    }
    if (sqlite3_value_type(cursor->arguments[ARGUMENT_JSON]) == SQLITE_NULL)
        return SQLITE_OK; /* no rows */
    if (extension_model(extension, &model, &err) != ERNIE_OK ||
        extension_options(model, name, cursor->arguments[ARGUMENT_PROMPT],
                          cursor->arguments[ARGUMENT_DIM], &cursor->options, &err) != ERNIE_OK)
        return table_error(base->pVtab, &err);
    status = sqlite3_prepare_v2(extension->connection,
                                "SELECT key, type, value FROM json_each(?1)", -1,
                                &cursor->elements, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_bind_value(cursor->elements, 1, cursor->arguments[ARGUMENT_JSON]);
    return status == SQLITE_OK ? fetch(cursor) : host_error(cursor, status);
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
    struct embed_cursor *cursor = (struct embed_cursor *)base;

    cursor->rowid++;
    return ++cursor->i < cursor->n ? SQLITE_OK : fetch(cursor);
}

static int cursor_eof(sqlite3_vtab_cursor *base)
{
    struct embed_cursor *cursor = (struct embed_cursor *)base;

    return cursor->i >= cursor->n;
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct embed_cursor *cursor = (struct embed_cursor *)base;
    const struct element *element = &cursor->element[cursor->i];
    const size_t dim = cursor->options.dim;

    switch (column) {
    case COLUMN_KEY:
        sqlite3_result_value(context, element->key);
        break;
    case COLUMN_TEXT:
        sqlite3_result_value(context, element->text);
        break;
    case COLUMN_EMBEDDING:
        if (sqlite3_value_type(element->text) == SQLITE_NULL)
            break; /* the result is NULL by default */
        sqlite3_result_blob64(context, cursor->embeddings + cursor->i * dim, dim * sizeof(float),
                              SQLITE_TRANSIENT);
        sqlite3_result_subtype(context, SUBTYPE_FLOAT32);
        break;
    default:
        if (cursor->arguments[column - COLUMN_JSON] != NULL)
            sqlite3_result_value(context, cursor->arguments[column - COLUMN_JSON]);
    }
    return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((struct embed_cursor *)base)->rowid;
    return SQLITE_OK;
}

int register_embed_table(sqlite3 *connection, struct extension *extension)
{
    /* No xCreate: the table is there without CREATE VIRTUAL TABLE, and cannot be made
     * otherwise. */
    static const sqlite3_module module = {
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

    extension->n_references++;
    return sqlite3_create_module_v2(connection, name, &module, extension, extension_release);
}
