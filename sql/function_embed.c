/* ernie_version, ernie_embed, ernie_similarity. */
#include <math.h>
#include <string.h>

#include "sql/extension.h"

/* ernie_version() -> TEXT */
static void fn_version(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    sqlite3_result_text(context, ernie_version(), -1, SQLITE_STATIC);
}

/* ernie_embed(TEXT) -> BLOB of little-endian float32 [dim], length 1. NULL gives
 * NULL. */
static void fn_embed(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct extension *extension = sqlite3_user_data(context);
    ernie_encoder *encoder;
    ernie_error err;
    const char *text;
    float *embedding;
    size_t size_bytes;

    (void)n;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL)
        return; /* the result is NULL by default */
    if (extension_encoder(extension, &encoder, &err) != ERNIE_OK) {
        result_error(context, &err);
        return;
    }
    size_bytes = ernie_model_dim(extension->model) * sizeof *embedding;
    text = (const char *)sqlite3_value_text(values[0]);
    embedding = sqlite3_malloc64(size_bytes);
    if (text == NULL || embedding == NULL) {
        sqlite3_free(embedding);
        sqlite3_result_error_nomem(context);
    } else if (ernie_encode(encoder, 1, &text, embedding, &err) != ERNIE_OK) {
        sqlite3_free(embedding);
        result_error(context, &err);
    } else {
        sqlite3_result_blob64(context, embedding, size_bytes, sqlite3_free);
        sqlite3_result_subtype(context, SUBTYPE_FLOAT32);
    }
}

/* A text's embedding, or the vector that a BLOB is, into out [dim]. */
static int read_vector(struct extension *extension, sqlite3_value *value, float *out,
                       ernie_error *err)
{
    const size_t dim = ernie_model_dim(extension->model);

    if (sqlite3_value_type(value) == SQLITE_BLOB) {
        const void *bytes = sqlite3_value_blob(value);
        size_t size_bytes = (size_t)sqlite3_value_bytes(value);

        if (bytes == NULL || size_bytes != dim * sizeof *out) {
            err->code = ERNIE_EINVAL;
            sqlite3_snprintf(sizeof err->message, err->message,
                             "ernie_similarity: a BLOB of %llu bytes is not a vector of %llu floats",
                             (unsigned long long)size_bytes, (unsigned long long)dim);
            return ERNIE_EINVAL;
        }
        memcpy(out, bytes, size_bytes); /* a BLOB need not be aligned */
    } else {
        const char *text = (const char *)sqlite3_value_text(value);

        if (text == NULL) {
            err->code = ERNIE_ENOMEM;
            return ERNIE_ENOMEM;
        }
        return ernie_encode(extension->encoder, 1, &text, out, err);
    }
    for (size_t i = 0; i < dim; i++) {
        if (!isfinite(out[i])) {
            err->code = ERNIE_EINVAL;
            sqlite3_snprintf(sizeof err->message, err->message,
                             "ernie_similarity: the vector holds what is not a number");
            return ERNIE_EINVAL;
        }
    }
    return ERNIE_OK;
}

/* ernie_similarity(A, B) -> REAL, the cosine of two texts or vectors (BLOBs), in
 * any mixture. NULL gives NULL. */
static void fn_similarity(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct extension *extension = sqlite3_user_data(context);
    ernie_encoder *encoder;
    ernie_error err;
    float *vectors;
    size_t dim;

    (void)n;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL ||
        sqlite3_value_type(values[1]) == SQLITE_NULL)
        return;
    if (extension_encoder(extension, &encoder, &err) != ERNIE_OK) {
        result_error(context, &err);
        return;
    }
    dim = ernie_model_dim(extension->model);
    vectors = sqlite3_malloc64(2 * dim * sizeof *vectors);
    if (vectors == NULL)
        sqlite3_result_error_nomem(context);
    else if (read_vector(extension, values[0], vectors, &err) != ERNIE_OK ||
             read_vector(extension, values[1], vectors + dim, &err) != ERNIE_OK)
        result_error(context, &err);
    else
        sqlite3_result_double(context, ernie_cosine(dim, vectors, vectors + dim));
    sqlite3_free(vectors);
}

int register_embed_functions(sqlite3 *connection, struct extension *extension)
{
    static const struct {
        const char *name;
        int n_arguments;
        int flags;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        { "ernie_version", 0, 0, fn_version },
        { "ernie_embed", 1, SQLITE_RESULT_SUBTYPE, fn_embed },
        { "ernie_similarity", 2, 0, fn_similarity },
    };
    int status = SQLITE_OK;

    for (size_t i = 0; status == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++) {
        extension->n_references++;
        /* SQLite calls the destructor when this fails, too. */
        status = sqlite3_create_function_v2(
            connection, functions[i].name, functions[i].n_arguments,
            functions[i].flags | SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, extension,
            functions[i].function, NULL, NULL, extension_release);
    }
    return status;
}
