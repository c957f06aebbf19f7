/* ernie_version, ernie_embed. */
#include "sql/extension.h"

/* ernie_version() -> TEXT */
static void fn_version(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    sqlite3_result_text(context, ernie_version(), -1, SQLITE_STATIC);
}

/* ernie_embed(TEXT [, PROMPT [, DIM]]) -> BLOB of little-endian float32 [DIM], length
 * 1. PROMPT is the name of one of the model's prompts; without it the text is embedded
 * as it stands. DIM is how many numbers to keep, all without it. A NULL text gives
 * NULL. */
static void fn_embed(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct extension *extension = sqlite3_user_data(context);
    struct ernie_encode_options options;
    ernie_encoder *encoder;
    ernie_error err;
    const char *text;
    float *embedding;
    size_t size_bytes;

    if (sqlite3_value_type(values[0]) == SQLITE_NULL)
        return; /* the result is NULL by default */
    if (extension_encoder(extension, &encoder, &err) != ERNIE_OK ||
        extension_options(extension->model, "ernie_embed", n > 1 ? values[1] : NULL,
                          n > 2 ? values[2] : NULL, &options, &err) != ERNIE_OK) {
        result_error(context, &err);
        return;
    }
    size_bytes = options.dim * sizeof *embedding;
    text = (const char *)sqlite3_value_text(values[0]);
    embedding = sqlite3_malloc64(size_bytes);
    if (text == NULL || embedding == NULL) {
        sqlite3_free(embedding);
        sqlite3_result_error_nomem(context);
    } else if (ernie_encode_with(encoder, 1, &text, &options, embedding, &err) != ERNIE_OK) {
        sqlite3_free(embedding);
        result_error(context, &err);
    } else {
        sqlite3_result_blob64(context, embedding, size_bytes, sqlite3_free);
        sqlite3_result_subtype(context, SUBTYPE_FLOAT32);
    }
}

int register_embed_functions(sqlite3 *connection, struct extension *extension)
{
    static const struct sql_function functions[] = {
        { "ernie_version", 0, PURE, fn_version },
        { "ernie_embed", 1, PURE | SQLITE_RESULT_SUBTYPE, fn_embed },
        { "ernie_embed", 2, PURE | SQLITE_RESULT_SUBTYPE, fn_embed },
        { "ernie_embed", 3, PURE | SQLITE_RESULT_SUBTYPE, fn_embed },
    };

    return register_functions(connection, extension, sizeof functions / sizeof functions[0],
                              functions);
}
