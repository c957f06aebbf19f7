/* INSERT INTO notes(notes) VALUES ('integrity-check'), and its kin: a whole table checked,
 * made again, tidied. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cut.h"
#include "model/model.h"
#include "sql/findings.h"
#include "sql/vectors_table.h"

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

/* ---- checking ---------------------------------------------------------- */

struct check {
    struct vectors_table *table;
    struct findings *findings;
    const ernie_model *model;
};

static int count_one(void *data, int64_t id, ernie_error *err)
{
    (void)id;
    (void)err;
    ++*(size_t *)data;
    return ERNIE_OK;
}

/* Whether a row has the chunks that its text gives. */
static int check_row(void *data, int64_t id, ernie_error *err)
{
    struct check *check = data;
    struct vectors_table *table = check->table;
    struct chunk_list chunks = { 0 };
    struct buffer text = { 0 };
    size_t n = 0;
    int found, status = vectors_row_text(&table->rows, id, &text, &found, err);

    if (status == ERNIE_OK)
        status = vectors_chunks_each(&table->rows, id, count_one, &n, err);
    if (status == ERNIE_OK)
        status = cut_text(check->model, table->scratch, text.data != NULL ? text.data : "",
                          text.size, &chunks, err);
    if (status == ERNIE_OK && found && n != chunks.n)
        findings_add(check->findings, "row %lld: has %zu chunks, not %zu", (long long)id, n,
                     chunks.n);
    chunk_list_reset(&chunks);
    buffer_reset(&text);
    return status;
}

/* All but the words. */
static int check_vectors(struct vectors_table *table, struct findings *findings, ernie_error *err)
{
    struct check check = { .table = table, .findings = findings };
    uint8_t uuid[16];
    ernie_error why;
    size_t dim;
    int status = vectors_noted_dim(table, &dim, err);

    if (status == ERNIE_OK && collection_uuid(table->collection, uuid, &why) != ERNIE_OK)
        findings_add(findings, "%s", why.message);
    if (status == ERNIE_OK)
        status = collection_check(table->collection, dim, table->definition.vector >= 0, findings,
                                  err);
    if (status == ERNIE_OK)
        status = vectors_rows_check(&table->rows, findings, err);
    /* What needs the model is left out without it: that it is not there is no damage. */
    if (status != ERNIE_OK || vectors_check_model(table, NULL) != ERNIE_OK ||
        vectors_model(table, &check.model, NULL) != ERNIE_OK || check.model == NULL)
        return status;
    if (table->scratch == NULL)
        status = tokenizer_scratch_new(&table->scratch, err);
    return status == ERNIE_OK ? vectors_rows_each(&table->rows, check_row, &check, err) : status;
}

int vectors_check(struct vectors_table *table, int is_thorough, struct findings *findings,
                  ernie_error *err)
{
    int status = check_vectors(table, findings, err);

    return status == ERNIE_OK ? vectors_words_check(&table->words, is_thorough, findings, err)
                              : status;
}

static int check_all(struct vectors_table *table, struct findings *findings, ernie_error *err)
{
    return vectors_check(table, 1, findings, err);
}

/* ---- commands ---------------------------------------------------------- */

static void keep_first(void *data, const char *finding)
{
    ernie_error *first = data;

    if (first->message[0] == '\0')
        snprintf(first->message, sizeof first->message, "%s", finding);
}

typedef int check_fn(struct vectors_table *table, struct findings *findings, ernie_error *err);

/* What a check finds: how many, and the first. */
static int look_for_damage(struct vectors_table *table, check_fn *check, size_t *n,
                           ernie_error *first, ernie_error *err)
{
    struct findings findings = { .connection = table->connection,
                                 .path = collection_path(table->collection),
                                 .report = keep_first,
                                 .data = first };
    int status;

    first->message[0] = '\0';
    status = check(table, &findings, err);
    *n = findings.n;
    return status;
}

static int command_check(struct vectors_table *table, ernie_error *err)
{
    ernie_error first;
    size_t n;
    int status = look_for_damage(table, check_all, &n, &first, err);

    if (status == ERNIE_OK && n > 0)
        status = error_set(err, ERNIE_ECORRUPT, "%s: damaged: %s%s", table->name, first.message,
                           n > 1 ? " (and more)" : "");
    return status;
}

static int embed_row_again(void *data, int64_t id, ernie_error *err)
{
    struct vectors_table *table = data;
    struct buffer text = { 0 };
    int found, status = vectors_row_text(&table->rows, id, &text, &found, err);

    if (status == ERNIE_OK && found)
        status = vectors_wait(table, id, &text, err);
    buffer_reset(&text);
    return status;
}

/* Embeds all rows again where their vectors are of another model or damaged, or of another
 * table's rows, which may have changed; makes the words again; and builds the index anew. */
static int command_rebuild(struct vectors_table *table, ernie_error *err)
{
    const int is_other_model = vectors_check_model(table, NULL) == ERNIE_EMISMATCH;
    const ernie_model *model;
    ernie_error first;
    size_t n;
    int status = vectors_model(table, &model, err);

    if (status == ERNIE_OK)
        status = look_for_damage(table, check_vectors, &n, &first, err);
    if (status == ERNIE_OK && model != NULL &&
        (n > 0 || is_other_model || table->definition.content != NULL)) {
        status = vectors_chunks_delete_all(&table->rows, err);
        if (status == ERNIE_OK)
            status = vectors_note_model(table, model, err);
        if (status == ERNIE_OK)
            status = vectors_rows_each(&table->rows, embed_row_again, table, err);
        if (status == ERNIE_OK)
            status = vectors_flush(table, err);
    } else if (status == ERNIE_OK && n > 0) {
        status = error_set(err, ERNIE_ECORRUPT, "%s: damaged: %s", table->name, first.message);
    }
    if (status == ERNIE_OK)
        status = vectors_words_rebuild(&table->words, err);
    table->wants_save = status == ERNIE_OK;
    return status;
}

/* Forgets the log that a new index will not need, merges FTS5's lists, and gives free pages back where the
 * database can (PRAGMA auto_vacuum). */
static int command_optimize(struct vectors_table *table, ernie_error *err)
{
    uint64_t seq;
    char *sql;
    int code, status = collection_snapshot_begin(table->collection, &seq, err);

    if (status != ERNIE_OK)
        return status;
    collection_snapshot_end(table->collection);
    status = collection_log_trim(table->collection, seq, err);
    if (status == ERNIE_OK)
        status = vectors_words_optimize(&table->words, err);
    sql = sqlite3_mprintf("PRAGMA \"%w\".incremental_vacuum", table->schema);
    if (status == ERNIE_OK && sql == NULL)
        status = out_of_memory(err);
    if (status == ERNIE_OK) {
        code = sqlite3_exec(table->connection, sql, NULL, NULL, NULL);
        if (code != SQLITE_OK)
            status = statements_fail(&table->rows.statements, code, err);
    }
    sqlite3_free(sql);
    table->wants_save = status == ERNIE_OK;
    return status;
}

int vectors_command(struct vectors_table *table, const char *command, ernie_error *err)
{
    static const struct {
        const char *name;
        int (*run)(struct vectors_table *table, ernie_error *err);
    } commands[] = {
        { "integrity-check", command_check },
        { "rebuild", command_rebuild },
        { "optimize", command_optimize },
    };
    int status = vectors_flush(table, err);

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (command != NULL && strcmp(command, commands[i].name) == 0)
            return status == ERNIE_OK ? commands[i].run(table, err) : status;
    return error_set(err, ERNIE_EINVAL,
                     "%s: no such command as '%.40s': there are integrity-check, rebuild, optimize",
                     table->name, command != NULL ? command : "");
}
