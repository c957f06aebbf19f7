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

static int fail(ernie_error *err, const char *message)
{
    err->code = ERNIE_EINVAL;
    sqlite3_snprintf(sizeof err->message, err->message, "%s", message);
    return ERNIE_EINVAL;
}

/* The second and third argument of ernie_embed, NULL for what is not said. */
static int read_options(const ernie_model *model, int n, sqlite3_value **values,
                        struct ernie_encode_options *out, ernie_error *err)
{
    const size_t dim = ernie_model_dim(model);

    out->dim = dim;
    if (n > 1 && sqlite3_value_type(values[1]) != SQLITE_NULL) {
        out->prompt = ernie_model_prompt(model, (const char *)sqlite3_value_text(values[1]));
        if (out->prompt == NULL)
            return fail(err, "ernie_embed: the model has no prompt of that name");
    }
    if (n > 2 && sqlite3_value_type(values[2]) != SQLITE_NULL) {
        sqlite3_int64 kept = sqlite3_value_int64(values[2]);

        if (kept < 1 || (sqlite3_uint64)kept > dim)
            return fail(err, "ernie_embed: dim must be 1 or more, and no more than the model's");
        out->dim = (size_t)kept;
    }
    return ERNIE_OK;
}

/* ernie_embed(TEXT [, PROMPT [, DIM]]) -> BLOB of little-endian float32 [DIM], length
 * 1. PROMPT is the name of one of the model's prompts; without it the text is embedded
 * as it stands. DIM is how many numbers to keep, all without it. A NULL text gives
 * NULL. */
static void fn_embed(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct extension *extension = sqlite3_user_data(context);
    struct ernie_encode_options options = { 0 };
    ernie_encoder *encoder;
    ernie_error err;
    const char *text;
    float *embedding;
    size_t size_bytes;

    if (sqlite3_value_type(values[0]) == SQLITE_NULL)
        return; /* the result is NULL by default */
    if (extension_encoder(extension, &encoder, &err) != ERNIE_OK ||
        read_options(extension->model, n, values, &options, &err) != ERNIE_OK) {
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

/* A text's embedding, or the vector that a BLOB is, into out [model's dim]. *n is set to
 * how many numbers it has: a vector may be the beginning of one. */
static int read_vector(struct extension *extension, sqlite3_value *value, float *out, size_t *n,
                       ernie_error *err)
{
    const size_t dim = ernie_model_dim(extension->model);

    *n = dim;
    if (sqlite3_value_type(value) == SQLITE_BLOB) {
        const void *bytes = sqlite3_value_blob(value);
        size_t size_bytes = (size_t)sqlite3_value_bytes(value);

        if (bytes == NULL || size_bytes > dim * sizeof *out || size_bytes % sizeof *out != 0) {
            err->code = ERNIE_EINVAL;
            sqlite3_snprintf(
                sizeof err->message, err->message,
                "ernie_similarity: a BLOB of %llu bytes is not a vector of at most %llu floats",
                (unsigned long long)size_bytes, (unsigned long long)dim);
            return ERNIE_EINVAL;
        }
        *n = size_bytes / sizeof *out;
        memcpy(out, bytes, size_bytes); /* a BLOB need not be aligned */
    } else {
        const char *text = (const char *)sqlite3_value_text(value);

        if (text == NULL) {
            err->code = ERNIE_ENOMEM;
            return ERNIE_ENOMEM;
        }
        return ernie_encode(extension->encoder, 1, &text, out, err);
    }
    for (size_t i = 0; i < *n; i++)
        if (!isfinite(out[i]))
            return fail(err, "ernie_similarity: the vector holds what is not a number");
    return ERNIE_OK;
}

/* ernie_similarity(A, B) -> REAL, the cosine of two texts or vectors (BLOBs), in
 * any mixture. Beside a vector of the first few numbers only so many of a text count.
 * NULL gives NULL. */
static void fn_similarity(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct extension *extension = sqlite3_user_data(context);
    ernie_encoder *encoder;
    ernie_error err;
    float *vectors;
    size_t dim, n_a, n_b;

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
    else if (read_vector(extension, values[0], vectors, &n_a, &err) != ERNIE_OK ||
             read_vector(extension, values[1], vectors + dim, &n_b, &err) != ERNIE_OK)
        result_error(context, &err);
    else if (n_a != n_b && sqlite3_value_type(values[0]) == SQLITE_BLOB &&
             sqlite3_value_type(values[1]) == SQLITE_BLOB)
        sqlite3_result_error(context, "ernie_similarity: vectors of different lengths", -1);
    else
        sqlite3_result_double(context,
                              ernie_cosine(n_a < n_b ? n_a : n_b, vectors, vectors + dim));
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
        { "ernie_embed", 2, SQLITE_RESULT_SUBTYPE, fn_embed },
        { "ernie_embed", 3, SQLITE_RESULT_SUBTYPE, fn_embed },
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
