/* Whose vectors a table holds: the model's that embeds its texts, or those that it is given. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cut.h"
#include "encode.h"
#include "model/model.h"
#include "sql/vectors_table.h"

#define MAX_DIM 65536

#define META_FINGERPRINT "model_fingerprint"
#define META_NAME "model_name"
#define META_DIM "dim"
#define META_CHUNKER "chunker_version"

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

/* ---- vectors that are given -------------------------------------------- */

static int read_json(const char *what, sqlite3_value *value, size_t dim, float *out,
                     ernie_error *err)
{
    const char *text = (const char *)sqlite3_value_text(value);
    float *vector = NULL;
    size_t n;
    ernie_error why;
    int status;

    if (text == NULL)
        return out_of_memory(err);
    if (strlen(text) != (size_t)sqlite3_value_bytes(value))
        return error_set(err, ERNIE_EINVAL, "%s: a zero character in JSON", what);
    status = ernie_vector_from_json(text, &n, &vector, &why);
    if (status == ERNIE_ENOMEM)
        return out_of_memory(err);
    if (status != ERNIE_OK)
        return error_set(err, ERNIE_EINVAL, "%s: %s", what, why.message);
    if (n == dim)
        memcpy(out, vector, dim * sizeof *out);
    else
        status = error_set(err, ERNIE_EINVAL, "%s: a JSON array of %zu numbers, not %zu", what, n,
                           dim);
    ernie_free(vector);
    return status;
}

int vectors_value(const char *what, sqlite3_value *value, size_t dim, float *out, ernie_error *err)
{
    double square = 0;

    if (sqlite3_value_type(value) == SQLITE_BLOB) {
        const void *bytes = sqlite3_value_blob(value);
        const size_t size_bytes = (size_t)sqlite3_value_bytes(value);

        if (size_bytes != dim * sizeof *out)
            return error_set(err, ERNIE_EINVAL,
                             "%s: a BLOB of %zu bytes is not a vector of %zu floats", what,
                             size_bytes, dim);
        if (bytes == NULL)
            return out_of_memory(err);
        memcpy(out, bytes, size_bytes); /* a BLOB need not be aligned */
    } else if (sqlite3_value_type(value) == SQLITE_TEXT) {
        int status = read_json(what, value, dim, out, err);

        if (status != ERNIE_OK)
            return status;
    } else {
        return error_set(err, ERNIE_EINVAL, "%s: a vector is a BLOB of floats or a JSON array",
                         what);
    }
    for (size_t i = 0; i < dim; i++) {
        if (!isfinite(out[i]))
            return error_set(err, ERNIE_EINVAL, "%s: the vector holds what is not a number", what);
        square += (double)out[i] * out[i];
    }
    if (square == 0)
        return error_set(err, ERNIE_EINVAL, "%s: the vector is all zero and has no direction",
                         what);
    return ERNIE_OK;
}

/* ---- the model --------------------------------------------------------- */

/* The last part of the model's directory: what model= and messages call it. */
static const char *model_name(const ernie_model *model)
{
    const char *directory = ernie_model_directory(model);
    const char *slash = strrchr(directory, '/');

    return slash == NULL || slash[1] == '\0' ? directory : slash + 1;
}

/* The model that the table names, or the default one, and its encoder. */
static int find_model(struct vectors_table *table, const ernie_model **model,
                      ernie_encoder **encoder, ernie_error *err)
{
    const char *name = table->definition.model;
    ernie_error why;
    int status, found;

    found = name != NULL ? models_find(&table->extension->models, name, encoder, model, &why)
                         : ERNIE_ENOTFOUND;
    if (found == ERNIE_OK)
        return ERNIE_OK;
    status = extension_model(table->extension, model, err);
    /* The default model can be named too; else it is what was asked for that is missing. */
    if (name != NULL && (status != ERNIE_OK || strcmp(name, model_name(*model)) != 0))
        return error_set(err, found, "%s", why.message);
    return status == ERNIE_OK ? extension_encoder(table->extension, encoder, err) : status;
}

int vectors_model(struct vectors_table *table, const ernie_model **out, ernie_error *err)
{
    ernie_encoder *encoder;

    *out = NULL;
    return table->definition.vector >= 0 ? ERNIE_OK : find_model(table, out, &encoder, err);
}

int vectors_encode(struct vectors_table *table, size_t n, const char *const *texts,
                   const size_t *sizes, const struct ernie_encode_options *how, float *out,
                   ernie_error *err)
{
    const ernie_model *model;
    ernie_encoder *encoder;
    int status = find_model(table, &model, &encoder, err);

    return status == ERNIE_OK ? encode_texts(encoder, n, texts, sizes, how, out, err) : status;
}

static int check_schema(struct vectors_table *table, ernie_error *err)
{
    char number[24];
    int status;

    if (table->knows_schema)
        return ERNIE_OK;
    status = collection_meta_get(table->collection, "schema_version", number, sizeof number, err);
    if (status == ERNIE_OK && strtol(number, NULL, 10) > atoi(VECTORS_WITH_WORDS))
        status = error_set(err, ERNIE_EFORMAT, "%s: made by a newer ernie (tables of version %s)",
                           table->name, number);
    table->knows_schema = status == ERNIE_OK;
    return status;
}

int vectors_check_model(struct vectors_table *table, ernie_error *err)
{
    char fingerprint[33], name[128];
    const ernie_model *model = NULL;
    int status = check_schema(table, err);

    if (status == ERNIE_OK)
        status = vectors_model(table, &model, err);
    if (status != ERNIE_OK || model == NULL)
        return status;
    status = collection_meta_get(table->collection, META_FINGERPRINT, fingerprint,
                                 sizeof fingerprint, err);
    if (status != ERNIE_OK || fingerprint[0] == '\0' ||
        strcmp(fingerprint, ernie_model_fingerprint(model)) == 0)
        return status;
    status = collection_meta_get(table->collection, META_NAME, name, sizeof name, err);
    if (status != ERNIE_OK)
        return status;
    return error_set(err, ERNIE_EMISMATCH,
                     "%s: made with the model %s (%.8s), not %s (%.8s): give that one with "
                     "ERNIE_MODEL, or embed again with INSERT INTO %s(%s) VALUES('rebuild')",
                     table->name, name, fingerprint, model_name(model),
                     ernie_model_fingerprint(model), table->name, table->name);
}

int vectors_dim(struct vectors_table *table, size_t *out, ernie_error *err)
{
    const ernie_model *model;
    int status = vectors_model(table, &model, err);

    if (status == ERNIE_OK)
        *out = model != NULL ? ernie_model_dim(model) : table->definition.dim;
    return status;
}

int vectors_note_model(struct vectors_table *table, const ernie_model *model, ernie_error *err)
{
    char number[24];
    int status = collection_meta_set(table->collection, META_FINGERPRINT,
                                     ernie_model_fingerprint(model), err);

    if (status == ERNIE_OK)
        status = collection_meta_set(table->collection, META_NAME, model_name(model), err);
    snprintf(number, sizeof number, "%zu", ernie_model_dim(model));
    if (status == ERNIE_OK)
        status = collection_meta_set(table->collection, META_DIM, number, err);
    snprintf(number, sizeof number, "%d", CHUNKER_VERSION);
    if (status == ERNIE_OK)
        status = collection_meta_set(table->collection, META_CHUNKER, number, err);
    return status;
}

int vectors_noted_dim(struct vectors_table *table, size_t *out, ernie_error *err)
{
    char number[24];
    unsigned long value;
    int status = collection_meta_get(table->collection, META_DIM, number, sizeof number, err);

    if (status != ERNIE_OK)
        return status;
    value = strtoul(number, NULL, 10);
    *out = table->definition.vector >= 0 ? table->definition.dim
           : value <= MAX_DIM            ? (size_t)value
                                         : 0;
    return ERNIE_OK;
}
