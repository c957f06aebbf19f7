/* ernie_info: what runs here, for bug reports and for finding out why an answer is what it
 * is. */
#include <string.h>

#include "sql/extension.h"

static void append_text(sqlite3_str *out, const char *text)
{
    char *quoted = NULL;

    if (ernie_text_to_json(text, &quoted, NULL) == ERNIE_OK)
        sqlite3_str_appendall(out, quoted);
    else
        sqlite3_str_appendall(out, "null");
    ernie_free(quoted);
}

/* The model if a function has opened it: asking for it here would take the time that the
 * question may be about. */
static void append_model(sqlite3_str *out, const ernie_model *model)
{
    struct ernie_model_info info;
    const char *directory, *slash;

    if (model == NULL || ernie_model_info(model, &info, NULL) != ERNIE_OK) {
        sqlite3_str_appendall(out, ",\"model\":null");
        return;
    }
    directory = ernie_model_directory(model);
    slash = strrchr(directory, '/');
    sqlite3_str_appendall(out, ",\"model\":{\"name\":");
    append_text(out, slash != NULL && slash[1] != '\0' ? slash + 1 : directory);
    sqlite3_str_appendall(out, ",\"directory\":");
    append_text(out, directory);
    sqlite3_str_appendf(out, ",\"fingerprint\":\"%s\",\"dim\":%llu,\"max_tokens\":%llu,\"kernel\":",
                        ernie_model_fingerprint(model), (unsigned long long)info.dim,
                        (unsigned long long)info.max_tokens);
    append_text(out, info.kernel);
    sqlite3_str_appendchar(out, 1, '}');
}

static void append_status(sqlite3_str *out, const struct ernie_status *now)
{
    sqlite3_str_appendf(out, "{\"documents\":%llu,\"chunks\":%llu,\"dim\":%llu,\"model\":",
                        (unsigned long long)now->n_documents, (unsigned long long)now->n_chunks,
                        (unsigned long long)now->dim);
    append_text(out, now->model_name);
    sqlite3_str_appendf(out, ",\"model_fingerprint\":\"%s\",\"index\":", now->model_fingerprint);
    append_text(out, now->index_kind);
    sqlite3_str_appendf(out, ",\"index_vectors\":%llu,\"tail_vectors\":%llu}",
                        (unsigned long long)now->n_index_vectors,
                        (unsigned long long)now->n_tail_vectors);
}

/* The collection in the connection's database: null when there is none, and an object with
 * an error when it cannot be read. */
static void append_collection(sqlite3_str *out, struct extension *extension)
{
    ernie_database *database = extension->database, *own = NULL;
    struct ernie_status now;
    ernie_error err;
    int status = ERNIE_OK;

    sqlite3_str_appendall(out, ",\"collection\":");
    if (database == NULL) {
        status = ernie_attach(extension->connection, NULL, &own, &err);
        database = own;
    }
    if (status == ERNIE_OK)
        status = ernie_status(database, &now, &err);
    if (status == ERNIE_OK) {
        append_status(out, &now);
    } else if (status == ERNIE_ENOTFOUND) {
        sqlite3_str_appendall(out, "null");
    } else {
        sqlite3_str_appendall(out, "{\"error\":");
        append_text(out, err.message);
        sqlite3_str_appendchar(out, 1, '}');
    }
    ernie_close(own);
}

/* ernie_info() -> TEXT, a JSON object: version, SQLite's version, the model as far as it was
 * needed until now, and the collection in the database. */
static void fn_info(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct extension *extension = sqlite3_user_data(context);
    sqlite3_str *out = sqlite3_str_new(extension->connection);
    char *text;

    (void)n;
    (void)values;
    sqlite3_str_appendf(out, "{\"version\":\"%s\",\"sqlite\":\"%s\"", ernie_version(),
                        sqlite3_libversion());
    append_model(out, extension->model);
    append_collection(out, extension);
    sqlite3_str_appendchar(out, 1, '}');
    text = sqlite3_str_finish(out);
    if (text == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    sqlite3_result_text(context, text, -1, sqlite3_free);
    sqlite3_result_subtype(context, SUBTYPE_JSON);
}

int register_info_function(sqlite3 *connection, struct extension *extension)
{
    static const struct sql_function functions[] = {
        { "ernie_info", 0, SQLITE_DIRECTONLY | SQLITE_RESULT_SUBTYPE, fn_info },
    };

    return register_functions(connection, extension, 1, functions);
}
