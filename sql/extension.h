/* What the parts of the SQLite extension share: the state of one connection. */
#ifndef ERNIE_SQL_EXTENSION_H
#define ERNIE_SQL_EXTENSION_H

#include "ernie.h"
#include "sql/models.h"
#include "sql/sqlite.h"

/* One for each connection the extension was loaded or registered into. Its functions and its
 * table each hold a reference, given back by their destructors. Model, encoder and
 * database are opened when first needed, so that loading costs nothing. */
struct extension {
    int n_references;
    sqlite3 *connection;
    const ernie_model *model; /* NULL until one is needed */
    ernie_model *own_model;   /* what to close of it */
    ernie_encoder *encoder;
    ernie_database *database;
    struct named_model *models; /* that SQL calls by name */
};

/* The embedding space's subtype for BLOBs of float32, as sqlite-vec defines it. */
#define SUBTYPE_FLOAT32 223
/* SQLite's own for JSON. */
#define SUBTYPE_JSON 74

#ifndef SQLITE_RESULT_SUBTYPE
#define SQLITE_RESULT_SUBTYPE 0x001000000 /* since 3.45 */
#endif

/* Adds all functions and tables to a connection. model NULL: the default one, when it is
 * first needed; else it is borrowed for as long as the connection is open. SQLite's code. */
int extension_register(sqlite3 *connection, const ernie_model *model);

int extension_model(struct extension *extension, const ernie_model **out, ernie_error *err);
int extension_encoder(struct extension *extension, ernie_encoder **out, ernie_error *err);
int extension_database(struct extension *extension, ernie_database **out, ernie_error *err);

/* Writes "what: why" into err and returns ERNIE_EINVAL. */
int extension_refuse(ernie_error *err, const char *format, ...);

/* The prompt and the number of numbers that a call of a function asks for: each value may
 * be NULL or SQL's NULL for what is not said. name is for messages. The prompt belongs to
 * the model. */
int extension_options(const ernie_model *model, const char *name, sqlite3_value *prompt,
                      sqlite3_value *dim, struct ernie_encode_options *out, ernie_error *err);

/* "hybrid", "vector", "keyword", by enum ernie_search_mode. */
extern const char *const search_mode_names[3];
/* The k and the mode that ernie_search was given; each may be NULL or SQL's NULL. */
int search_arguments(sqlite3_value *k, sqlite3_value *mode, struct ernie_search_options *out,
                     ernie_error *err);

/* Makes an error the result of a SQL function. */
void result_error(sqlite3_context *context, const ernie_error *err);

/* The same for a table: SQLite's code, the words kept for the statement. */
int table_error(sqlite3_vtab *table, const ernie_error *err);

/* A scalar function; n_arguments -1 is any number. */
struct sql_function {
    const char *name;
    int n_arguments;
    int flags;
    void (*function)(sqlite3_context *context, int n, sqlite3_value **values);
};

/* What a function of its arguments alone may promise. */
#define PURE (SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS)

/* Registers n functions, each with a reference to extension. */
int register_functions(sqlite3 *connection, struct extension *extension, size_t n,
                       const struct sql_function *functions);

/* A destructor for SQLite. */
void extension_release(void *extension);

/* Each registers its functions, with a reference of their own; SQLite's code. */
int register_embed_functions(sqlite3 *connection, struct extension *extension);
int register_classify_functions(sqlite3 *connection, struct extension *extension);
int register_vector_functions(sqlite3 *connection, struct extension *extension);
int register_highlight_function(sqlite3 *connection, struct extension *extension);
int register_info_function(sqlite3 *connection, struct extension *extension);
int register_search_function(sqlite3 *connection, struct extension *extension);
int register_search_table(sqlite3 *connection, struct extension *extension);
int register_embed_table(sqlite3 *connection, struct extension *extension);
int register_text_tables(sqlite3 *connection, struct extension *extension);
int register_vectors_table(sqlite3 *connection, struct extension *extension);

#endif
