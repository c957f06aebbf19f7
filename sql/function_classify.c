/* ernie_classify, ernie_rerank, ernie_model_register. */
#include <string.h>

#include "sql/extension.h"

/* The encoder that an argument names, or the result is an error. */
static ernie_encoder *find_encoder(sqlite3_context *context, sqlite3_value *value,
                                   const ernie_model **model)
{
    struct extension *extension = sqlite3_user_data(context);
    const char *name = (const char *)sqlite3_value_text(value);
    ernie_encoder *encoder = NULL;
    ernie_error err;

    if (name == NULL)
        sqlite3_result_error(context, "a model's name must not be NULL", -1);
    else if (models_find(&extension->models, name, &encoder, model, &err) != ERNIE_OK)
        result_error(context, &err);
    return encoder;
}

/* "text" as JSON at the end of out. */
static int append_quoted(sqlite3_str *out, const char *text, ernie_error *err)
{
    char *quoted;
    int status = ernie_text_to_json(text, &quoted, err);

    if (status == ERNIE_OK) {
        sqlite3_str_appendall(out, quoted);
        ernie_free(quoted);
    }
    return status;
}

/* {"label":"...","score":...,"probabilities":{"label":...,...}} */
static int append_result(sqlite3_str *out, const ernie_model *model, const float *probabilities,
                         ernie_error *err)
{
    const size_t n = ernie_model_n_labels(model);
    size_t best = 0;
    int status;

    for (size_t i = 1; i < n; i++)
        best = probabilities[i] > probabilities[best] ? i : best;
    sqlite3_str_appendall(out, "{\"label\":");
    status = append_quoted(out, ernie_model_label(model, best), err);
    sqlite3_str_appendf(out, ",\"score\":%.9g,\"probabilities\":{", (double)probabilities[best]);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        sqlite3_str_appendall(out, i > 0 ? "," : "");
        status = append_quoted(out, ernie_model_label(model, i), err);
        sqlite3_str_appendf(out, ":%.9g", (double)probabilities[i]);
    }
    sqlite3_str_appendall(out, "}}");
    return status;
}

static void classify(sqlite3_context *context, ernie_encoder *encoder, const ernie_model *model,
                     const char *text, const char *pair)
{
    const struct ernie_encode_options options = { .pairs = pair != NULL ? &pair : NULL };
    const size_t n = ernie_model_n_labels(model);
    float *probabilities = sqlite3_malloc64((n + 1) * sizeof *probabilities);
    sqlite3_str *json = sqlite3_str_new(sqlite3_context_db_handle(context));
    ernie_error err;
    char *text_out;
    int status;

    if (probabilities == NULL) {
        sqlite3_free(sqlite3_str_finish(json));
        sqlite3_result_error_nomem(context);
        return;
    }
    status = ernie_classify(encoder, 1, &text, &options, NULL, probabilities, &err);
    if (status == ERNIE_OK)
        status = append_result(json, model, probabilities, &err);
    text_out = sqlite3_str_finish(json); /* NULL when memory ran out */
    if (status != ERNIE_OK) {
        result_error(context, &err);
        sqlite3_free(text_out);
    } else if (text_out == NULL) {
        sqlite3_result_error_nomem(context);
    } else {
        sqlite3_result_text(context, text_out, -1, sqlite3_free);
        sqlite3_result_subtype(context, SUBTYPE_JSON);
    }
    sqlite3_free(probabilities);
}

/* ernie_classify(TEXT, MODEL [, PAIR]) -> TEXT, JSON: the likeliest label, its score, and
 * the probability of each label. A NULL text gives NULL. */
static void fn_classify(sqlite3_context *context, int n, sqlite3_value **values)
{
    const char *text, *pair = NULL;
    const ernie_model *model;
    ernie_encoder *encoder;

    if (sqlite3_value_type(values[0]) == SQLITE_NULL ||
        (n > 2 && sqlite3_value_type(values[2]) == SQLITE_NULL))
        return;
    encoder = find_encoder(context, values[1], &model);
    if (encoder == NULL)
        return; /* said */
    text = (const char *)sqlite3_value_text(values[0]);
    if (n > 2)
        pair = (const char *)sqlite3_value_text(values[2]);
    if (text == NULL || (n > 2 && pair == NULL))
        sqlite3_result_error_nomem(context);
    else
        classify(context, encoder, model, text, pair);
}

/* ernie_rerank(QUERY, TEXT, MODEL) -> REAL: how well the text answers the query, by a
 * cross-encoder; higher is better. NULL gives NULL. */
static void fn_rerank(sqlite3_context *context, int n, sqlite3_value **values)
{
    const char *query, *text;
    const ernie_model *model;
    ernie_encoder *encoder;
    ernie_error err;
    float score;

    (void)n;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL ||
        sqlite3_value_type(values[1]) == SQLITE_NULL)
        return;
    encoder = find_encoder(context, values[2], &model);
    if (encoder == NULL)
        return;
    query = (const char *)sqlite3_value_text(values[0]);
    text = (const char *)sqlite3_value_text(values[1]);
    if (query == NULL || text == NULL)
        sqlite3_result_error_nomem(context);
    else if (ernie_rerank(encoder, query, 1, &text, &score, &err) != ERNIE_OK)
        result_error(context, &err);
    else
        sqlite3_result_double(context, score);
}

/* ernie_model_register(NAME, DIRECTORY) -> NULL. DIRECTORY is a C string that the host
 * binds with sqlite3_bind_pointer(..., "ernie-model-directory", ...): nothing that SQL can
 * write has that type. */
static void fn_register(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct extension *extension = sqlite3_user_data(context);
    const char *name = (const char *)sqlite3_value_text(values[0]);
    const char *directory = sqlite3_value_pointer(values[1], MODEL_DIRECTORY_POINTER);
    ernie_error err;

    (void)n;
    if (name == NULL || directory == NULL)
        sqlite3_result_error(context,
                             "ernie_model_register: needs a name, and a directory that the "
                             "program binds as a pointer (\"" MODEL_DIRECTORY_POINTER "\")",
                             -1);
    else if (models_register(&extension->models, name, directory, &err) != ERNIE_OK)
        result_error(context, &err);
}

int register_classify_functions(sqlite3 *connection, struct extension *extension)
{
    static const struct {
        const char *name;
        int n_arguments;
        int flags;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        { "ernie_classify", 2, SQLITE_RESULT_SUBTYPE, fn_classify },
        { "ernie_classify", 3, SQLITE_RESULT_SUBTYPE, fn_classify },
        { "ernie_rerank", 3, 0, fn_rerank },
        { "ernie_model_register", 2, 0, fn_register },
    };
    int status = SQLITE_OK;

    for (size_t i = 0; status == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++) {
        extension->n_references++;
        /* They open files by name: not for views and triggers of a database that came
         * from somewhere. */
        status = sqlite3_create_function_v2(connection, functions[i].name,
                                            functions[i].n_arguments,
                                            functions[i].flags | SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                            extension, functions[i].function, NULL, NULL,
                                            extension_release);
    }
    return status;
}
