/* SELECT ernie_search('人工智能'): the hits as JSON. */
#include <string.h>

#include "sql/extension.h"

const char *const search_mode_names[3] = {
    [ERNIE_HYBRID] = "hybrid", [ERNIE_VECTOR] = "vector", [ERNIE_KEYWORD] = "keyword"
};

int search_arguments(sqlite3_value *k, sqlite3_value *mode, struct ernie_search_options *out,
                     ernie_error *err)
{
    const char *name;

    if (k != NULL && sqlite3_value_type(k) != SQLITE_NULL) {
        if (sqlite3_value_int64(k) < 1)
            return extension_refuse(err, "ernie_search: k must be 1 or more");
        out->k = (size_t)sqlite3_value_int64(k);
    }
    if (mode == NULL || sqlite3_value_type(mode) == SQLITE_NULL)
        return ERNIE_OK;
    name = (const char *)sqlite3_value_text(mode);
    for (int i = 0; name != NULL && i < 3; i++) {
        if (strcmp(name, search_mode_names[i]) == 0) {
            out->mode = (enum ernie_search_mode)i;
            return ERNIE_OK;
        }
    }
    return extension_refuse(err, "ernie_search: mode must be hybrid, vector or keyword");
}

/* ernie_search(QUERY [, K [, MODE]]) -> JSON array of the K (10) best hits. A NULL query
 * gives NULL. */
static void fn_search(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct extension *extension = sqlite3_user_data(context);
    struct ernie_search_options options = { 0 };
    struct ernie_hits *hits = NULL;
    ernie_database *database;
    const char *query;
    ernie_error err;
    char *json;
    int status;

    if (sqlite3_value_type(values[0]) == SQLITE_NULL)
        return;
    if (search_arguments(n > 1 ? values[1] : NULL, n > 2 ? values[2] : NULL, &options, &err) !=
        ERNIE_OK) {
        result_error(context, &err);
        return;
    }
    query = (const char *)sqlite3_value_text(values[0]);
    if (query == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    status = extension_database(extension, &database, &err);
    if (status == ERNIE_OK)
        status = ernie_search(database, query, &options, &hits, &err);
    if (status == ERNIE_OK)
        status = ernie_hits_to_json(hits, &json, &err);
    if (status == ERNIE_OK) {
        sqlite3_result_text(context, json, -1, ernie_free);
        sqlite3_result_subtype(context, SUBTYPE_JSON);
    } else {
        result_error(context, &err);
    }
    ernie_hits_free(hits);
}

int register_search_function(sqlite3 *connection, struct extension *extension)
{
    int status = SQLITE_OK;

    for (int n = 1; status == SQLITE_OK && n <= 3; n++) {
        extension->n_references++;
        /* It reads tables and a file: not for views and triggers of a database that
         * came from somewhere. */
        status = sqlite3_create_function_v2(
            connection, "ernie_search", n,
            SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_RESULT_SUBTYPE, extension, fn_search, NULL,
            NULL, extension_release);
    }
    return status;
}
