/* CREATE VIRTUAL TABLE notes USING ernie(title, body): a table whose rows are found by
 * meaning. */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/model.h"
#include "sql/findings.h"
#include "sql/vectors_cursor.h"

/* Vectors after which it is looked whether the index file has become old. */
#define WRITTEN_UNSAVED 1000

/* Vectors for which a kind of index must make sense when a table is made. */
#define IMAGINED_VECTORS 1000000

int vectors_fail(struct vectors_table *table, const ernie_error *err)
{
    if (err->code == ERNIE_ENOMEM)
        return SQLITE_NOMEM;
    sqlite3_free(table->base.zErrMsg);
    table->base.zErrMsg = sqlite3_mprintf("%s", err->message);
    switch (err->code) {
    case ERNIE_EBUSY:
        return SQLITE_BUSY;
    case ERNIE_ECANCELED:
        return SQLITE_INTERRUPT;
    case ERNIE_ECORRUPT:
        return SQLITE_CORRUPT_VTAB;
    default:
        return SQLITE_ERROR;
    }
}

/* ---- the index --------------------------------------------------------- */

/* The file lies beside the database: "x.db-ann-" and the first half of the collection's
 * uuid, so that a table can be renamed, and no name in a database leads anywhere else. */
static int nearest_open(struct vectors_table *table, const uint8_t *fingerprint, size_t dim,
                        ernie_error *err)
{
    char suffix[32];
    uint8_t uuid[16];
    int status = collection_uuid(table->collection, uuid, err);

    if (status != ERNIE_OK)
        return status;
    strcpy(suffix, "-ann-");
    for (size_t i = 0; i < 8; i++)
        sqlite3_snprintf(3, suffix + 5 + 2 * i, "%02x", uuid[i]);
    return nearest_init(&table->nearest, table->collection, fingerprint, dim,
                        table->definition.index, suffix, err);
}

int vectors_open_nearest(struct vectors_table *table, ernie_error *err)
{
    static const uint8_t no_model[16];
    const uint8_t *fingerprint = no_model;
    const ernie_model *model;
    size_t dim;
    int status = vectors_model(table, &model, err);

    if (status == ERNIE_OK)
        status = vectors_dim(table, &dim, err);
    if (status != ERNIE_OK)
        return status;
    if (model != NULL)
        fingerprint = model->fingerprint.bytes;
    if (table->has_nearest)
        return nearest_set_vectors(&table->nearest, fingerprint, dim, err);
    status = nearest_open(table, fingerprint, dim, err);
    table->has_nearest = status == ERNIE_OK;
    return status;
}

/* ---- making and unmaking ----------------------------------------------- */

static void table_free(struct vectors_table *table)
{
    if (table == NULL)
        return;
    sqlite3_free(table->base.zErrMsg); /* SQLite takes none of a table that cannot be dropped */
    if (table->has_nearest)
        nearest_reset(&table->nearest);
    vectors_drop_waiting(table);
    memory_free(table->waiting);
    memory_free(table->question);
    memory_free(table->question_vector);
    tokenizer_scratch_free(table->scratch);
    vectors_words_reset(&table->words);
    vectors_rows_reset(&table->rows);
    collection_free(table->collection);
    vectors_definition_reset(&table->definition);
    memory_free(table->schema);
    memory_free(table->name);
    memory_free(table);
}

/* The database's file, absolute; "" for one in memory, or where a host keeps it elsewhere. */
static int find_path(sqlite3 *connection, const char *schema, char **out, ernie_error *err)
{
    const char *name = sqlite3_db_filename(connection, schema);
    int status = ERNIE_OK;

    *out = NULL;
    if (name != NULL && name[0] != '\0')
        status = path_resolve(name, out, err);
    if (*out == NULL && status != ERNIE_ENOMEM)
        *out = memory_copy_text("", 0);
    return *out != NULL ? ERNIE_OK : error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

/* argv as xCreate has it: module, schema, table, and what CREATE VIRTUAL TABLE says. */
static int table_init(struct vectors_table *table, int argc, const char *const *argv,
                      ernie_error *err)
{
    char *path;
    int status = vectors_definition_parse(argv[2], (size_t)argc - 3, argv + 3, &table->definition,
                                          err);

    if (status != ERNIE_OK)
        return status;
    table->schema = memory_copy_text(argv[1], strlen(argv[1]));
    table->name = memory_copy_text(argv[2], strlen(argv[2]));
    if (table->schema == NULL || table->name == NULL)
        return error_set(err, ERNIE_ENOMEM, "table: out of memory");
    status = find_path(table->connection, table->schema, &path, err);
    if (status != ERNIE_OK)
        return status;
    status = collection_new(table->connection, table->schema, table->name, path,
                            &table->collection, err);
    memory_free(path);
    if (status != ERNIE_OK)
        return status;
    collection_keep(table->collection);
    if (table->definition.is_half)
        collection_write_half(table->collection);
    status = vectors_rows_init(&table->rows, table->connection, table->schema, table->collection,
                               &table->definition, err);
    return status == ERNIE_OK
               ? vectors_words_init(&table->words, table->connection, table->schema, table->name,
                                    table->rows.content, table->collection, &table->definition,
                                    err)
               : status;
}

/* What a table is asked before it is made, so that a wrong word shows at once. */
static int create_tables(struct vectors_table *table, ernie_error *err)
{
    struct index_plan plan;
    size_t dim;
    int status = vectors_dim(table, &dim, err);

    if (status == ERNIE_OK)
        status = index_plan_for(table->definition.index, dim, IMAGINED_VECTORS, &plan, err);
    if (status == ERNIE_OK)
        status = vectors_rows_create(&table->rows, err);
    return status == ERNIE_OK ? vectors_words_create(&table->words, err) : status;
}

static int connect(sqlite3 *connection, void *data, int argc, const char *const *argv,
                   sqlite3_vtab **out, char **message, int creates)
{
    struct vectors_table *table = memory_new(1, sizeof *table);
    ernie_error err = { 0 };
    char *declaration = NULL;
    int code = SQLITE_OK, status;

    if (table == NULL)
        return SQLITE_NOMEM;
    table->extension = data;
    table->connection = connection;
    status = table_init(table, argc, argv, &err);
    if (status == ERNIE_OK) {
        declaration = vectors_definition_declare(&table->definition, table->name);
        if (declaration == NULL)
            status = error_set(&err, ERNIE_ENOMEM, "table: out of memory");
        else
            code = sqlite3_declare_vtab(connection, declaration);
    }
    memory_free(declaration);
    if (status == ERNIE_OK && code == SQLITE_OK && creates)
        status = create_tables(table, &err);
    if (status == ERNIE_OK && code == SQLITE_OK) {
        sqlite3_vtab_config(connection, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
        *out = &table->base;
        return SQLITE_OK;
    }
    table_free(table);
    if (err.code == ERNIE_ENOMEM)
        return SQLITE_NOMEM;
    *message = sqlite3_mprintf("%s", err.code != ERNIE_OK ? err.message
                                                          : sqlite3_errmsg(connection));
    return code != SQLITE_OK ? code : SQLITE_ERROR;
}

static int table_create(sqlite3 *connection, void *data, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message)
{
    return connect(connection, data, argc, argv, out, message, 1);
}

static int table_connect(sqlite3 *connection, void *data, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    return connect(connection, data, argc, argv, out, message, 0);
}

static int table_disconnect(sqlite3_vtab *base)
{
    table_free((struct vectors_table *)base);
    return SQLITE_OK;
}

static int table_destroy(sqlite3_vtab *base)
{
    static const uint8_t no_model[16];
    struct vectors_table *table = (struct vectors_table *)base;
    ernie_error err;

    vectors_drop_waiting(table);
    /* Where its file is, which the tables say; if they are damaged it may stay behind. */
    if (!table->has_nearest)
        table->has_nearest = nearest_open(table, no_model, 1, NULL) == ERNIE_OK;
    if (vectors_words_drop(&table->words, &err) != ERNIE_OK ||
        vectors_rows_drop(&table->rows, &err) != ERNIE_OK)
        return vectors_fail(table, &err);
    if (table->has_nearest)
        nearest_forget(&table->nearest);
    table_free(table);
    return SQLITE_OK;
}

static int table_rename(sqlite3_vtab *base, const char *name)
{
    struct vectors_table *table = (struct vectors_table *)base;
    char *copy = memory_copy_text(name, strlen(name));
    ernie_error err;
    int status = copy != NULL ? vectors_flush(table, &err)
                              : error_set(&err, ERNIE_ENOMEM, "table: out of memory");

    if (status == ERNIE_OK)
        status = vectors_rows_rename(&table->rows, name, &err);
    if (status == ERNIE_OK)
        status = vectors_words_rename(&table->words, name, table->rows.content, &err);
    if (status != ERNIE_OK) {
        memory_free(copy);
        return vectors_fail(table, &err);
    }
    memory_free(table->name);
    table->name = copy;
    return SQLITE_OK;
}

static int is_shadow_name(const char *name)
{
    static const char *const names[] = { "content", "chunks", "embeddings",
                                         "log",     "meta",   "words" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (sqlite3_stricmp(name, names[i]) == 0)
            return 1;
    return 0;
}

/* ---- transactions ------------------------------------------------------ */

static int flush(sqlite3_vtab *base)
{
    struct vectors_table *table = (struct vectors_table *)base;
    ernie_error err;

    return vectors_flush(table, &err) == ERNIE_OK ? SQLITE_OK : vectors_fail(table, &err);
}

static int table_begin(sqlite3_vtab *base)
{
    (void)base;
    return SQLITE_OK;
}

static int table_sync(sqlite3_vtab *base)
{
    struct vectors_table *table = (struct vectors_table *)base;
    int code = flush(base);

    /* After the commit this connection cannot be asked for what opening the index asks. */
    if (code == SQLITE_OK && (table->wants_save || table->n_written >= WRITTEN_UNSAVED))
        vectors_open_nearest(table, NULL);
    return code;
}

static int table_commit(sqlite3_vtab *base)
{
    struct vectors_table *table = (struct vectors_table *)base;
    ernie_error err;

    if (table->has_nearest && table->wants_save) {
        /* The commit is done, whatever becomes of the index: the rows answer without. */
        if (nearest_save_apart(&table->nearest, 1, &err) != ERNIE_OK)
            sqlite3_log(SQLITE_WARNING, "%s: %s", table->name, err.message);
        table->n_written = 0;
    } else if (table->has_nearest && table->n_written >= WRITTEN_UNSAVED) {
        nearest_save_soon(&table->nearest);
        table->n_written = 0;
    }
    table->wants_save = 0;
    return SQLITE_OK;
}

static int table_rollback(sqlite3_vtab *base)
{
    struct vectors_table *table = (struct vectors_table *)base;

    vectors_drop_waiting(table);
    table->wants_save = 0;
    return SQLITE_OK;
}

/* What waits came before the savepoint and stays when it is rolled back. */
static int table_savepoint(sqlite3_vtab *base, int savepoint)
{
    (void)savepoint;
    return flush(base);
}

static int table_release(sqlite3_vtab *base, int savepoint)
{
    (void)base;
    (void)savepoint;
    return SQLITE_OK;
}

/* All that waits came after the last savepoint, and so after this one. */
static int table_rollback_to(sqlite3_vtab *base, int savepoint)
{
    (void)savepoint;
    vectors_drop_waiting((struct vectors_table *)base);
    return SQLITE_OK;
}

/* ---- PRAGMA integrity_check -------------------------------------------- */

static void append_finding(void *data, const char *finding)
{
    struct buffer *words = data;

    /* SQLite shows one text; a few findings say enough. */
    if (words->size < 2000)
        buffer_printf(words, "%s%s", words->size > 0 ? "\n" : "", finding);
}

static int table_integrity(sqlite3_vtab *base, const char *schema, const char *name, int flags,
                           char **words)
{
    struct vectors_table *table = (struct vectors_table *)base;
    struct buffer found = { 0 };
    struct findings findings = { .connection = table->connection,
                                 .path = collection_path(table->collection),
                                 .report = append_finding,
                                 .data = &found };
    ernie_error err;
    int status = vectors_flush(table, &err);

    (void)flags;
    if (status == ERNIE_OK)
        status = vectors_check(table, 0, &findings, &err);
    if (status == ERNIE_OK && findings.n > 0)
        *words = sqlite3_mprintf("%s.%s: %s", schema, name, found.data != NULL ? found.data : "");
    buffer_reset(&found);
    return status == ERNIE_OK ? SQLITE_OK : vectors_fail(table, &err);
}

/* SQLite's sqlite3_module of version 4 (since 3.44), whatever the header at hand: hosts look
 * at no more of it than they know. */
struct module_4 {
    sqlite3_module module;
    int (*xIntegrity)(sqlite3_vtab *base, const char *schema, const char *name, int flags,
                      char **words);
};

/* ---- registration ------------------------------------------------------ */

int register_vectors_table(sqlite3 *connection, struct extension *extension)
{
    static const struct module_4 module = {
        .module = {
            .iVersion = 4,
            .xCreate = table_create,
            .xConnect = table_connect,
            .xBestIndex = vectors_best_index,
            .xDisconnect = table_disconnect,
            .xDestroy = table_destroy,
            .xOpen = vectors_open,
            .xClose = vectors_close,
            .xFilter = vectors_filter,
            .xNext = vectors_next,
            .xEof = vectors_eof,
            .xColumn = vectors_column,
            .xRowid = vectors_rowid,
            .xUpdate = vectors_update,
            .xBegin = table_begin,
            .xSync = table_sync,
            .xCommit = table_commit,
            .xRollback = table_rollback,
            .xRename = table_rename,
            .xSavepoint = table_savepoint,
            .xRelease = table_release,
            .xRollbackTo = table_rollback_to,
            .xShadowName = is_shadow_name,
        },
        .xIntegrity = table_integrity,
    };

    extension->n_references++;
    return sqlite3_create_module_v2(connection, "ernie", &module.module, extension,
                                    extension_release);
}
