/* The state of a connection that has our functions and tables. */
#include "sql/extension.h"
#include "sql/fts_tokenizer.h"

#include <stdarg.h>

int extension_model(struct extension *extension, const ernie_model **out, ernie_error *err)
{
    int status = ERNIE_OK;

    if (extension->model == NULL)
        status = ernie_model_open(NULL, &extension->own_model, err);
    if (status != ERNIE_OK)
        return status;
    if (extension->model == NULL)
        extension->model = extension->own_model;
    *out = extension->model;
    return ERNIE_OK;
}

int extension_encoder(struct extension *extension, ernie_encoder **out, ernie_error *err)
{
    const ernie_model *model;
    int status = extension_model(extension, &model, err);

    if (status == ERNIE_OK && extension->encoder == NULL)
        status = ernie_encoder_new(model, 1, &extension->encoder, err);
    if (status == ERNIE_OK)
        *out = extension->encoder;
    return status;
}

int extension_database(struct extension *extension, ernie_database **out, ernie_error *err)
{
    const ernie_model *model;
    int status = extension_model(extension, &model, err);

    if (status == ERNIE_OK && extension->database == NULL)
        status = ernie_attach(extension->connection, model, &extension->database, err);
    if (status == ERNIE_OK)
        *out = extension->database;
    return status;
}

int extension_refuse(ernie_error *err, const char *format, ...)
{
    va_list values;

    err->code = ERNIE_EINVAL;
    va_start(values, format);
    sqlite3_vsnprintf(sizeof err->message, err->message, format, values);
    va_end(values);
    return ERNIE_EINVAL;
}

int extension_options(const ernie_model *model, const char *name, sqlite3_value *prompt,
                      sqlite3_value *dim, struct ernie_encode_options *out, ernie_error *err)
{
    const size_t model_dim = ernie_model_dim(model);

    *out = (struct ernie_encode_options){ .dim = model_dim };
    if (prompt != NULL && sqlite3_value_type(prompt) != SQLITE_NULL) {
        const char *text = (const char *)sqlite3_value_text(prompt);

        out->prompt = text != NULL ? ernie_model_prompt(model, text) : NULL;
        if (out->prompt == NULL)
            return extension_refuse(err, "%s: the model has no prompt of that name", name);
    }
    if (dim != NULL && sqlite3_value_type(dim) != SQLITE_NULL) {
        const sqlite3_int64 kept = sqlite3_value_int64(dim);

        if (kept < 1 || (sqlite3_uint64)kept > model_dim)
            return extension_refuse(
                err, "%s: dim must be 1 or more, and no more than the model's", name);
        out->dim = (size_t)kept;
    }
    return ERNIE_OK;
}

int table_error(sqlite3_vtab *table, const ernie_error *err)
{
    if (err->code == ERNIE_ENOMEM)
        return SQLITE_NOMEM;
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", err->message);
    return SQLITE_ERROR;
}

int register_functions(sqlite3 *connection, struct extension *extension, size_t n,
                       const struct sql_function *functions)
{
    int status = SQLITE_OK;

    for (size_t i = 0; status == SQLITE_OK && i < n; i++) {
        extension->n_references++;
        /* SQLite calls the destructor when this fails, too. */
        status = sqlite3_create_function_v2(connection, functions[i].name,
                                            functions[i].n_arguments,
                                            functions[i].flags | SQLITE_UTF8, extension,
                                            functions[i].function, NULL, NULL, extension_release);
    }
    return status;
}

void result_error(sqlite3_context *context, const ernie_error *err)
{
    if (err->code == ERNIE_ENOMEM)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_error(context, err->message, -1);
}

void extension_release(void *data)
{
    struct extension *extension = data;

    if (--extension->n_references > 0)
        return;
    ernie_close(extension->database);
    ernie_encoder_free(extension->encoder);
    ernie_model_close(extension->own_model);
    models_free(extension->models);
    sqlite3_free(extension);
}

int extension_register(sqlite3 *connection, const ernie_model *model)
{
    struct extension *extension;
    int status;

    extension = sqlite3_malloc64(sizeof *extension);
    if (extension == NULL)
        return SQLITE_NOMEM;
    /* The reference is this function's own, until all is registered. */
    *extension = (struct extension){ .n_references = 1, .connection = connection, .model = model };
    status = register_embed_functions(connection, extension);
    if (status == SQLITE_OK)
        status = register_classify_functions(connection, extension);
    if (status == SQLITE_OK)
        status = register_vector_functions(connection, extension);
    if (status == SQLITE_OK)
        status = register_highlight_function(connection, extension);
    if (status == SQLITE_OK)
        status = register_info_function(connection, extension);
    if (status == SQLITE_OK)
        status = register_search_function(connection, extension);
    if (status == SQLITE_OK)
        status = register_search_table(connection, extension);
    if (status == SQLITE_OK)
        status = register_embed_table(connection, extension);
    if (status == SQLITE_OK)
        status = register_text_tables(connection, extension);
    if (status == SQLITE_OK)
        status = register_vectors_table(connection, extension);
    if (status == SQLITE_OK)
        status = register_tokenizer(connection);
    extension_release(extension);
    return status;
}
