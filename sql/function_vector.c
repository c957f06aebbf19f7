/* Functions of vectors: ernie_similarity, ernie_distance, ernie_vector_to_json,
 * ernie_vector_from_json. */
#include <math.h>
#include <string.h>

#include "sql/extension.h"

struct vector {
    float *x; /* [n], of sqlite3_malloc64 */
    size_t n;
};

static int out_of_memory(ernie_error *err)
{
    err->code = ERNIE_ENOMEM;
    err->message[0] = '\0';
    return ERNIE_ENOMEM;
}

/* The vector that a BLOB is: little-endian float32, one or more, all finite. name is the
 * function's, for messages. */
static int read_blob(const char *name, sqlite3_value *value, struct vector *out, ernie_error *err)
{
    const void *bytes = sqlite3_value_blob(value);
    const size_t size_bytes = (size_t)sqlite3_value_bytes(value);

    if (size_bytes == 0 || size_bytes % sizeof *out->x != 0)
        return extension_refuse(err, "%s: a BLOB of %llu bytes is not a vector of floats", name,
                                (unsigned long long)size_bytes);
    out->n = size_bytes / sizeof *out->x;
    out->x = sqlite3_malloc64(size_bytes);
    if (bytes == NULL || out->x == NULL)
        return out_of_memory(err);
    memcpy(out->x, bytes, size_bytes); /* a BLOB need not be aligned */
    for (size_t i = 0; i < out->n; i++)
        if (!isfinite(out->x[i]))
            return extension_refuse(err, "%s: the vector holds what is not a number", name);
    return ERNIE_OK;
}

/* A text's embedding. */
static int read_text(struct extension *extension, sqlite3_value *value, struct vector *out,
                     ernie_error *err)
{
    const char *text = (const char *)sqlite3_value_text(value);
    ernie_encoder *encoder;
    int status = extension_encoder(extension, &encoder, err);

    if (status != ERNIE_OK)
        return status;
    out->n = ernie_model_dim(extension->model);
    out->x = sqlite3_malloc64(out->n * sizeof *out->x);
    if (text == NULL || out->x == NULL)
        return out_of_memory(err);
    return ernie_encode(encoder, 1, &text, out->x, err);
}

/* Two vectors are of one length. A text's has as many numbers as the vector beside it,
 * which may be the beginning of one. */
static int check_lengths(const char *name, const int is_blob[2], struct vector vector[2],
                         ernie_error *err)
{
    for (int i = 0; i < 2; i++)
        if (!is_blob[i] && vector[!i].n < vector[i].n)
            vector[i].n = vector[!i].n;
    if (vector[0].n != vector[1].n)
        return extension_refuse(err, "%s: vectors of different lengths, %llu and %llu", name,
                                (unsigned long long)vector[0].n, (unsigned long long)vector[1].n);
    return ERNIE_OK;
}

/* The cosine of two texts or vectors. Two vectors need no model. */
static int read_cosine(sqlite3_context *context, const char *name, sqlite3_value **values,
                       double *out, ernie_error *err)
{
    struct extension *extension = sqlite3_user_data(context);
    struct vector vector[2] = { { NULL, 0 }, { NULL, 0 } };
    int is_blob[2];
    int status = ERNIE_OK;

    for (int i = 0; status == ERNIE_OK && i < 2; i++) {
        is_blob[i] = sqlite3_value_type(values[i]) == SQLITE_BLOB;
        status = is_blob[i] ? read_blob(name, values[i], &vector[i], err)
                            : read_text(extension, values[i], &vector[i], err);
    }
    if (status == ERNIE_OK)
        status = check_lengths(name, is_blob, vector, err);
    if (status == ERNIE_OK)
        *out = ernie_cosine(vector[0].n, vector[0].x, vector[1].x);
    sqlite3_free(vector[0].x);
    sqlite3_free(vector[1].x);
    return status;
}

static int has_null(int n, sqlite3_value **values)
{
    for (int i = 0; i < n; i++)
        if (sqlite3_value_type(values[i]) == SQLITE_NULL)
            return 1;
    return 0;
}

/* ernie_similarity(A, B) -> REAL, the cosine of two texts or vectors (BLOBs), in
 * any mixture. Beside a vector of the first few numbers only so many of a text count.
 * NULL gives NULL. */
static void fn_similarity(sqlite3_context *context, int n, sqlite3_value **values)
{
    ernie_error err;
    double cosine;

    if (has_null(n, values))
        return; /* the result is NULL by default */
    if (read_cosine(context, "ernie_similarity", values, &cosine, &err) != ERNIE_OK)
        result_error(context, &err);
    else
        sqlite3_result_double(context, cosine);
}

/* ernie_distance(A, B) -> REAL, 1 - ernie_similarity(A, B): 0 for the same direction, 2 for
 * the opposite one, and never a hair below 0. NULL gives NULL. */
static void fn_distance(sqlite3_context *context, int n, sqlite3_value **values)
{
    ernie_error err;
    double cosine;

    if (has_null(n, values))
        return;
    if (read_cosine(context, "ernie_distance", values, &cosine, &err) != ERNIE_OK)
        result_error(context, &err);
    else
        sqlite3_result_double(context, fmax(0, 1 - cosine));
}

/* ernie_vector_to_json(BLOB) -> TEXT, a JSON array of numbers that read back as the same
 * floats. NULL gives NULL. */
static void fn_to_json(sqlite3_context *context, int n, sqlite3_value **values)
{
    static const char name[] = "ernie_vector_to_json";
    struct vector vector = { NULL, 0 };
    ernie_error err;
    char *json;
    int status;

    if (has_null(n, values))
        return;
    if (sqlite3_value_type(values[0]) != SQLITE_BLOB)
        status = extension_refuse(&err, "%s: not a BLOB", name);
    else
        status = read_blob(name, values[0], &vector, &err);
    if (status == ERNIE_OK)
        status = ernie_vector_to_json(vector.n, vector.x, &json, &err);
    if (status == ERNIE_OK) {
        sqlite3_result_text(context, json, -1, ernie_free);
        sqlite3_result_subtype(context, SUBTYPE_JSON);
    } else {
        result_error(context, &err);
    }
    sqlite3_free(vector.x);
}

/* ernie_vector_from_json(TEXT) -> BLOB of little-endian float32, of a JSON array of
 * numbers. NULL gives NULL. */
static void fn_from_json(sqlite3_context *context, int n, sqlite3_value **values)
{
    ernie_error err;
    const char *text;
    float *vector;
    size_t dim;
    int status;

    if (has_null(n, values))
        return;
    if (sqlite3_value_type(values[0]) == SQLITE_BLOB) {
        sqlite3_result_error(context, "ernie_vector_from_json: a BLOB, not JSON text", -1);
        return;
    }
    text = (const char *)sqlite3_value_text(values[0]);
    status = text == NULL ? out_of_memory(&err)
                          : ernie_vector_from_json(text, &dim, &vector, &err);
    if (status != ERNIE_OK) {
        result_error(context, &err);
        return;
    }
    sqlite3_result_blob64(context, vector, dim * sizeof *vector, ernie_free);
    sqlite3_result_subtype(context, SUBTYPE_FLOAT32);
}

int register_vector_functions(sqlite3 *connection, struct extension *extension)
{
    static const struct sql_function functions[] = {
        { "ernie_similarity", 2, PURE, fn_similarity },
        { "ernie_distance", 2, PURE, fn_distance },
        { "ernie_vector_to_json", 1, PURE | SQLITE_RESULT_SUBTYPE, fn_to_json },
        { "ernie_vector_from_json", 1, PURE | SQLITE_RESULT_SUBTYPE, fn_from_json },
    };

    return register_functions(connection, extension, sizeof functions / sizeof functions[0],
                              functions);
}
