/* How a virtual table answers SELECT: plans and cursors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/id_set.h"
#include "base/memory.h"
#include "model/model.h"
#include "snippet.h"
#include "sql/vectors_table.h"


/* With a WHERE on columns of the table, rows are given out by meaning first, and SQLite
 * passes over those it does not want. When it has passed over this many, the rows it can
 * want are looked up, which reads every row: about as much work as was done in vain. So no
 * query takes longer than twice the better of both ways. */
#define NARROW_AFTER 500

/* What xBestIndex tells xFilter, as bits of idxNum: which arguments there are, in this
 * order, then the filters. */
enum {
    PLAN_QUERY = 1,
    PLAN_K = 2,
    PLAN_MODE = 4,
    PLAN_ROWID = 8,     /* one row, or those of a list; without a question it is a filter */
    PLAN_ROWID_IN = 16, /* with PLAN_ROWID: a list */
    PLAN_DESCENDING = 32
};

struct vectors_cursor {
    sqlite3_vtab_cursor base; /* first: SQLite sees only this */
    int is_eof;
    int64_t rowid; /* of the current row */
    sqlite3_stmt *ids;    /* without a question: the rows, in order */
    sqlite3_stmt *values; /* the columns of one row; once one is asked for */
    int has_values;       /* of the current row */

    /* With a question. */
    struct nearest_search *search;
    struct neighbour neighbour; /* the current row's best chunk */
    sqlite3_value *question;
    int64_t k; /* rows at most; 0: all there are */
    int64_t n_given;
    struct id_set seen; /* rows that were given out; 0 is no id for it */
    int has_seen_0;

    /* What the WHERE says of columns: as xBestIndex wrote it, and the values. */
    char *filters;
    sqlite3_value **filter_values; /* [n_filters] */
    size_t n_filters;
    int is_narrow; /* what the filters let through was looked up, or need not be */
};

static struct vectors_table *table_of(const struct vectors_cursor *cursor)
{
    return (struct vectors_table *)cursor->base.pVtab;
}

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "search: out of memory");
}

/* ---- filters ----------------------------------------------------------- */

static int type_has(const char *type, const char *part)
{
    const int n = (int)strlen(part);

    for (; *type != '\0'; type++)
        if (sqlite3_strnicmp(type, part, n) == 0)
            return 1;
    return 0;
}

enum affinity { AFFINITY_NONE, AFFINITY_TEXT, AFFINITY_NUMBER };

/* SQLite's own rules, in their order ("Datatypes In SQLite", 3.1). */
static enum affinity affinity_of(const char *type)
{
    if (type_has(type, "INT"))
        return AFFINITY_NUMBER;
    if (type_has(type, "CHAR") || type_has(type, "CLOB") || type_has(type, "TEXT"))
        return AFFINITY_TEXT;
    return type[0] == '\0' || type_has(type, "BLOB") ? AFFINITY_NONE : AFFINITY_NUMBER;
}

static enum affinity column_affinity(const struct vectors_definition *definition, int column)
{
    return column < 0 ? AFFINITY_NUMBER : affinity_of(definition->column[column].type);
}

/* The operator of a constraint that the rows can be asked for, or 0. SQLite checks each
 * constraint again, so a filter may let through too much but must not keep back anything:
 * columns without affinity are left out, because what they are compared as depends on the
 * other side, and so are columns of another table (content=), which have types of their
 * own. */
static char filter_operator(const struct vectors_definition *definition,
                            const struct sqlite3_index_constraint *constraint)
{
    const int column = constraint->iColumn;

    if (column >= (int)definition->n ||
        (column >= 0 && (definition->content != NULL ||
                         definition->column[column].role != VECTORS_OTHER ||
                         column_affinity(definition, column) == AFFINITY_NONE)))
        return 0;
    switch (constraint->op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return '=';
    case SQLITE_INDEX_CONSTRAINT_LT:
        return '<';
    case SQLITE_INDEX_CONSTRAINT_GT:
        return '>';
    case SQLITE_INDEX_CONSTRAINT_LE:
        return 'l';
    case SQLITE_INDEX_CONSTRAINT_GE:
        return 'g';
    default:
        return 0;
    }
}

/* Whether comparing a column with this value does the same in the rows' table as in the
 * virtual one: a number beside a text column could be the number of a column that wants
 * numbers, and then texts are compared as numbers. */
static int is_plain(enum affinity affinity, sqlite3_value *value)
{
    const int type = sqlite3_value_type(value);

    if (affinity == AFFINITY_TEXT)
        return type == SQLITE_TEXT;
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT || type == SQLITE_TEXT;
}

/* Appends the filters' conditions over a table t; value i is parameter i + 1. Filters are
 * written as "2=BINARY\n": column, operator, collation. */
static void append_filters(const struct vectors_cursor *cursor, struct buffer *sql)
{
    const struct vectors_definition *definition = &table_of(cursor)->definition;
    const char *at = cursor->filters != NULL ? cursor->filters : "";

    for (size_t i = 0; i < cursor->n_filters; i++) {
        const int column = (int)strtol(at, (char **)&at, 10);
        const char op = *at++;
        const char *end = strchr(at, '\n');
        const char *collation = at;

        at = end + 1;
        if (!is_plain(column_affinity(definition, column), cursor->filter_values[i]))
            continue;
        if (column < 0)
            buffer_append_text(sql, " AND t.rowid ");
        else
            buffer_printf(sql, " AND t.c%d ", column);
        buffer_append_text(sql, op == 'l' ? "<=" : op == 'g' ? ">=" : op == '<' ? "<"
                                : op == '>' ? ">" : "=");
        buffer_printf(sql, " ?%zu", i + 1);
        if (end - collation != 6 || strncmp(collation, "BINARY", 6) != 0) {
            char *name = memory_copy_text(collation, (size_t)(end - collation));

            buffer_append_text(sql, " COLLATE ");
            append_identifier(sql, name != NULL ? name : "");
            sql->failed |= name == NULL;
            memory_free(name);
        }
    }
}

/* Prepares SQL that ends with the filters' conditions, and binds their values. */
static int prepare_filtered(const struct vectors_cursor *cursor, struct buffer *sql,
                            const char *order, sqlite3_stmt **out, ernie_error *err)
{
    const struct vectors_table *table = table_of(cursor);
    int code;

    append_filters(cursor, sql);
    buffer_append_text(sql, order);
    if (sql->failed)
        return out_of_memory(err);
    code = sqlite3_prepare_v2(table->connection, sql->data, -1, out, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < cursor->n_filters; i++) {
        code = sqlite3_bind_value(*out, (int)i + 1, cursor->filter_values[i]);
        if (code == SQLITE_RANGE) /* the last ones may have been left out */
            code = SQLITE_OK;
    }
    return code == SQLITE_OK ? ERNIE_OK : statements_fail(&table->rows.statements, code, err);
}

/* ---- plans ------------------------------------------------------------- */

static int can_take_lists(void)
{
    return sqlite3_libversion_number() >= 3038000;
}

static int is_list(sqlite3_index_info *info, int i)
{
    return can_take_lists() && sqlite3_vtab_in(info, i, -1);
}

struct chosen {
    int query, k, mode, rowid; /* constraints, or -1 */
};

/* Finds what asks: the question, k and mode. SQLITE_CONSTRAINT when one of their values
 * comes from a table that this plan would read later: only a plan that reads it first will
 * do. */
static int choose(const struct vectors_definition *definition, const sqlite3_index_info *info,
                  struct chosen *chosen)
{
    const int first_hidden = (int)definition->n;
    int is_unusable = 0;

    *chosen = (struct chosen){ -1, -1, -1, -1 };
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        const int column = constraint->iColumn;
        const int equals = constraint->op == SQLITE_INDEX_CONSTRAINT_EQ;
        const int matches = constraint->op == SQLITE_INDEX_CONSTRAINT_MATCH;
        int *slot = NULL;

        if ((column == first_hidden + HIDDEN_QUERY && (equals || matches)) ||
            (matches && column >= 0 && column == definition->vector))
            slot = &chosen->query;
        else if (column == first_hidden + HIDDEN_K && equals)
            slot = &chosen->k;
        else if (column == first_hidden + HIDDEN_MODE && equals)
            slot = &chosen->mode;
        else if (column < 0 && equals && constraint->usable)
            slot = &chosen->rowid;
        if (slot == NULL || *slot >= 0)
            continue;
        is_unusable |= !constraint->usable;
        *slot = i;
    }
    return is_unusable ? SQLITE_CONSTRAINT : SQLITE_OK;
}

static int use(sqlite3_index_info *info, int i, int n_arguments, int omit)
{
    info->aConstraintUsage[i].argvIndex = n_arguments + 1;
    info->aConstraintUsage[i].omit = (unsigned char)omit;
    return n_arguments + 1;
}

/* Takes what can be a filter; returns how many arguments there are then. */
static int use_filters(const struct vectors_definition *definition, sqlite3_index_info *info,
                       int n_arguments, struct buffer *filters)
{
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        const char op = constraint->usable ? filter_operator(definition, constraint) : 0;

        /* One value after the other of a list would be a search, or a scan, for each; a
         * rowid is found at once. */
        if (op == 0 || info->aConstraintUsage[i].argvIndex > 0 ||
            (is_list(info, i) && (constraint->iColumn >= 0 || info->idxNum & PLAN_QUERY)))
            continue;
        n_arguments = use(info, i, n_arguments, 0);
        buffer_printf(filters, "%d%c%s\n", constraint->iColumn, op,
                      sqlite3_vtab_collation(info, i));
        info->estimatedCost /= op == '=' ? 10 : 2;
        info->estimatedRows /= op == '=' ? 10 : 2;
    }
    return n_arguments;
}

/* Whether rows that come by meaning are in the order that is asked for. */
static int order_is_by_meaning(const struct vectors_definition *definition,
                               const sqlite3_index_info *info)
{
    const int column = info->nOrderBy == 1 ? info->aOrderBy[0].iColumn - (int)definition->n : -1;

    if (column == HIDDEN_SCORE)
        return info->aOrderBy[0].desc;
    return (column == HIDDEN_RANK || column == HIDDEN_DISTANCE) && !info->aOrderBy[0].desc;
}

static int plan_question(struct vectors_table *table, sqlite3_index_info *info,
                         const struct chosen *chosen, struct buffer *filters)
{
    int n = use(info, chosen->query, 0, 1);

    info->idxNum = PLAN_QUERY;
    info->estimatedCost = 2000;
    info->estimatedRows = 1000;
    if (chosen->k >= 0) {
        n = use(info, chosen->k, n, 1);
        info->idxNum |= PLAN_K;
        info->estimatedRows = 10;
    }
    if (chosen->mode >= 0) {
        n = use(info, chosen->mode, n, 1);
        info->idxNum |= PLAN_MODE;
    }
    /* k counts rows before any other condition, so that it does not depend on the plan. */
    if (chosen->k < 0 && chosen->rowid >= 0) {
        info->idxNum |= PLAN_ROWID;
        if (is_list(info, chosen->rowid)) {
            sqlite3_vtab_in(info, chosen->rowid, 1);
            info->idxNum |= PLAN_ROWID_IN;
        }
        n = use(info, chosen->rowid, n, 1);
        info->estimatedRows = 1;
        info->estimatedCost = 50;
    } else if (chosen->k < 0) {
        n = use_filters(&table->definition, info, n, filters);
    }
    info->orderByConsumed = order_is_by_meaning(&table->definition, info);
    return n;
}

static void plan_rows(struct vectors_table *table, sqlite3_index_info *info,
                      const struct chosen *chosen, struct buffer *filters)
{
    info->estimatedCost = 1e6;
    info->estimatedRows = 1000000;
    use_filters(&table->definition, info, 0, filters);
    if (chosen->rowid >= 0) {
        info->estimatedCost = 5;
        info->estimatedRows = 1;
        info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
        info->idxNum |= PLAN_ROWID;
    }
    if (info->nOrderBy == 1 && info->aOrderBy[0].iColumn < 0) {
        info->orderByConsumed = 1;
        info->idxNum |= info->aOrderBy[0].desc ? PLAN_DESCENDING : 0;
    }
}

int vectors_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    struct vectors_table *table = (struct vectors_table *)base;
    struct buffer filters = { 0 };
    struct chosen chosen;
    int code = choose(&table->definition, info, &chosen);

    if (code != SQLITE_OK)
        return code;
    if (chosen.query >= 0)
        plan_question(table, info, &chosen, &filters);
    else
        plan_rows(table, info, &chosen, &filters);
    if (!filters.failed && filters.size > 0) {
        info->idxStr = sqlite3_mprintf("%s", filters.data);
        info->needToFreeIdxStr = 1;
        filters.failed = info->idxStr == NULL;
    }
    code = filters.failed ? SQLITE_NOMEM : SQLITE_OK;
    buffer_reset(&filters);
    return code;
}

/* ---- cursors ----------------------------------------------------------- */

int vectors_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    struct vectors_cursor *cursor = memory_new(1, sizeof *cursor);

    (void)base;
    if (cursor == NULL)
        return SQLITE_NOMEM;
    *out = &cursor->base;
    return SQLITE_OK;
}

static void clear(struct vectors_cursor *cursor)
{
    const sqlite3_vtab_cursor base = cursor->base;

    nearest_end(cursor->search);
    sqlite3_finalize(cursor->ids);
    sqlite3_finalize(cursor->values);
    sqlite3_value_free(cursor->question);
    id_set_reset(&cursor->seen);
    memory_free(cursor->filters);
    for (size_t i = 0; cursor->filter_values != NULL && i < cursor->n_filters; i++)
        sqlite3_value_free(cursor->filter_values[i]);
    memory_free(cursor->filter_values);
    memset(cursor, 0, sizeof *cursor);
    cursor->base = base;
}

int vectors_close(sqlite3_vtab_cursor *base)
{
    clear((struct vectors_cursor *)base);
    memory_free(base);
    return SQLITE_OK;
}

static int keep_filters(struct vectors_cursor *cursor, const char *filters, size_t n,
                        sqlite3_value **values, ernie_error *err)
{
    if (n == 0)
        return ERNIE_OK;
    cursor->filters = memory_copy_text(filters, strlen(filters));
    cursor->filter_values = memory_new(n, sizeof *cursor->filter_values);
    if (cursor->filters == NULL || cursor->filter_values == NULL)
        return out_of_memory(err);
    for (; cursor->n_filters < n; cursor->n_filters++) {
        sqlite3_value *copy = sqlite3_value_dup(values[cursor->n_filters]);

        if (copy == NULL)
            return out_of_memory(err);
        cursor->filter_values[cursor->n_filters] = copy;
    }
    return ERNIE_OK;
}

/* ---- rows without a question ------------------------------------------- */

static int next_row(struct vectors_cursor *cursor, ernie_error *err)
{
    int code = sqlite3_step(cursor->ids);

    cursor->is_eof = code != SQLITE_ROW;
    if (code == SQLITE_ROW)
        cursor->rowid = sqlite3_column_int64(cursor->ids, 0);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? ERNIE_OK
               : statements_fail(&table_of(cursor)->rows.statements, code, err);
}

/* With content= a row that is gone from there is still found by its rowid, so that a trigger
 * can delete it after that. */
static int append_row_source(const struct vectors_table *table, int plan, struct buffer *sql,
                             ernie_error *err)
{
    char *chunks;

    if (table->definition.content == NULL || !(plan & PLAN_ROWID)) {
        buffer_printf(sql, "%s AS t", table->rows.content);
        return ERNIE_OK;
    }
    chunks = collection_sql(table->collection, "$_chunks");
    if (chunks == NULL)
        return out_of_memory(err);
    buffer_printf(sql, "(SELECT rowid AS rowid FROM %s UNION SELECT document_id FROM %s) AS t",
                  table->rows.content, chunks);
    memory_free(chunks);
    return ERNIE_OK;
}

static int begin_rows(struct vectors_cursor *cursor, int plan, ernie_error *err)
{
    struct buffer sql = { 0 };
    int status;

    buffer_append_text(&sql, "SELECT t.rowid FROM ");
    status = append_row_source(table_of(cursor), plan, &sql, err);
    buffer_append_text(&sql, " WHERE 1");
    if (status == ERNIE_OK)
        status = prepare_filtered(cursor, &sql,
                                  plan & PLAN_DESCENDING ? " ORDER BY t.rowid DESC"
                                                         : " ORDER BY t.rowid",
                                  &cursor->ids, err);
    buffer_reset(&sql);
    return status == ERNIE_OK ? next_row(cursor, err) : status;
}

/* ---- rows by meaning --------------------------------------------------- */

static int embed_question(struct vectors_table *table, const char *question, ernie_error *err)
{
    struct ernie_encode_options how = { 0 };
    const ernie_model *model;
    float *vector;
    char *copy;
    int status = vectors_model(table, &model, err);

    if (status != ERNIE_OK)
        return status;
    vector = memory_new(ernie_model_dim(model), sizeof *vector);
    copy = memory_copy_text(question, strlen(question));
    how.prompt = model_query_prompt(model);
    status = vector != NULL && copy != NULL
                 ? vectors_encode(table, 1, &question, NULL, &how, vector, err)
                 : out_of_memory(err);
    if (status != ERNIE_OK) {
        memory_free(vector);
        memory_free(copy);
        return status;
    }
    memory_free(table->question);
    memory_free(table->question_vector);
    table->question = copy;
    table->question_vector = vector;
    return ERNIE_OK;
}

/* The vector of the question; *own is to be released. */
static int question_vector(struct vectors_table *table, sqlite3_value *question,
                           const float **out, float **own, ernie_error *err)
{
    const char *text;
    int status = vectors_check_model(table, err);

    *own = NULL;
    if (status != ERNIE_OK)
        return status;
    if (table->definition.vector >= 0) {
        *own = memory_new(table->definition.dim, sizeof **own);
        if (*own == NULL)
            return out_of_memory(err);
        *out = *own;
        return vectors_value(table->name, question, table->definition.dim, *own, err);
    }
    text = (const char *)sqlite3_value_text(question);
    if (text == NULL)
        return out_of_memory(err);
    if (text[strspn(text, " \t\r\n\f\v")] == '\0')
        return error_set(err, ERNIE_EINVAL, "query: empty");
    if (table->question == NULL || strcmp(table->question, text) != 0)
        status = embed_question(table, text, err);
    *out = table->question_vector;
    return status;
}

static int add_chunk_id(void *data, int64_t id, ernie_error *err)
{
    struct buffer *ids = data;

    buffer_append(ids, &id, sizeof id);
    return ids->failed ? out_of_memory(err) : ERNIE_OK;
}

static int select_chunks(struct vectors_cursor *cursor, const struct buffer *ids, ernie_error *err)
{
    const size_t n = ids->size / sizeof(int64_t);
    int64_t *copy = memory_new(n, sizeof *copy);
    int status;

    if (ids->failed || copy == NULL) {
        memory_free(copy);
        return out_of_memory(err);
    }
    if (n > 0)
        memcpy(copy, ids->data, n * sizeof *copy);
    status = nearest_among(cursor->search, n, copy, err);
    memory_free(copy);
    return status;
}

/* The rows that rowid = or rowid IN lets through. */
static int select_rowids(struct vectors_cursor *cursor, int is_in, sqlite3_value *value,
                         ernie_error *err)
{
    struct vectors_table *table = table_of(cursor);
    struct buffer ids = { 0 };
    sqlite3_value *element = value;
    int code = is_in ? sqlite3_vtab_in_first(value, &element) : SQLITE_OK;
    int status = ERNIE_OK;

    while (status == ERNIE_OK && code == SQLITE_OK && element != NULL) {
        /* A number written as text is a number beside a rowid; 2.5 and NULL are none. */
        const int type = sqlite3_value_numeric_type(element);
        const int64_t id = sqlite3_value_int64(element);

        if (type == SQLITE_INTEGER ||
            (type == SQLITE_FLOAT && sqlite3_value_double(element) == (double)id))
            status = vectors_chunks_each(&table->rows, id, add_chunk_id, &ids, err);
        if (!is_in)
            break;
        code = sqlite3_vtab_in_next(value, &element);
    }
    if (status == ERNIE_OK && code != SQLITE_OK && code != SQLITE_DONE)
        status = statements_fail(&table->rows.statements, code, err);
    if (status == ERNIE_OK)
        status = select_chunks(cursor, &ids, err);
    buffer_reset(&ids);
    return status;
}

/* Looks up which chunks the filters let through, and goes on with those. */
static int narrow(struct vectors_cursor *cursor, ernie_error *err)
{
    struct vectors_table *table = table_of(cursor);
    char *chunks = collection_sql(table->collection, "$_chunks");
    struct buffer sql = { 0 }, ids = { 0 };
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_DONE, status;

    cursor->is_narrow = 1;
    buffer_printf(&sql, "SELECT k.id FROM %s AS t JOIN %s AS k ON k.document_id = t.rowid WHERE 1",
                  table->rows.content, chunks != NULL ? chunks : "");
    status = chunks != NULL ? prepare_filtered(cursor, &sql, "", &statement, err)
                            : out_of_memory(err);
    while (status == ERNIE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        status = add_chunk_id(&ids, sqlite3_column_int64(statement, 0), err);
    if (status == ERNIE_OK && code != SQLITE_DONE)
        status = statements_fail(&table->rows.statements, code, err);
    sqlite3_finalize(statement);
    if (status == ERNIE_OK)
        status = select_chunks(cursor, &ids, err);
    memory_free(chunks);
    buffer_reset(&sql);
    buffer_reset(&ids);
    return status;
}

/* Notes that a row is given out; 0 when it was before, -1 when memory ran out. */
static int is_new(struct vectors_cursor *cursor, int64_t id)
{
    int had = cursor->has_seen_0;

    if (id != 0)
        return id_set_add(&cursor->seen, id);
    cursor->has_seen_0 = 1;
    return !had;
}

static int next_neighbour(struct vectors_cursor *cursor, ernie_error *err)
{
    int found = 1, fresh = 0, status = ERNIE_OK;

    if (cursor->k != 0 && cursor->n_given == cursor->k) {
        cursor->is_eof = 1;
        return ERNIE_OK;
    }
    if (!cursor->is_narrow && cursor->n_filters > 0 && cursor->n_given >= NARROW_AFTER)
        status = narrow(cursor, err);
    while (status == ERNIE_OK && found && fresh == 0) {
        status = nearest_next(cursor->search, &cursor->neighbour, &found, err);
        if (status == ERNIE_OK && found)
            fresh = is_new(cursor, cursor->neighbour.document_id);
    }
    if (status == ERNIE_OK && fresh < 0)
        status = out_of_memory(err);
    cursor->is_eof = status != ERNIE_OK || !found;
    cursor->rowid = cursor->neighbour.document_id;
    cursor->n_given++;
    return status;
}

static int read_k(struct vectors_cursor *cursor, sqlite3_value *value, ernie_error *err)
{
    if (sqlite3_value_type(value) == SQLITE_NULL)
        return ERNIE_OK;
    cursor->k = sqlite3_value_int64(value);
    return cursor->k >= 1 ? ERNIE_OK
                          : error_set(err, ERNIE_EINVAL, "%s: k must be 1 or more",
                                      table_of(cursor)->name);
}

static int read_mode(struct vectors_cursor *cursor, sqlite3_value *value, ernie_error *err)
{
    const char *mode = (const char *)sqlite3_value_text(value);

    if (mode == NULL || strcmp(mode, "vector") == 0)
        return ERNIE_OK;
    return error_set(err, ERNIE_EINVAL, "%s: mode %.40s: there is only 'vector'",
                     table_of(cursor)->name, mode);
}

static int begin_search(struct vectors_cursor *cursor, sqlite3_value *question, ernie_error *err)
{
    struct vectors_table *table = table_of(cursor);
    const float *vector = NULL;
    float *own;
    int status = question_vector(table, question, &vector, &own, err);

    if (status == ERNIE_OK)
        status = vectors_open_nearest(table, err);
    if (status == ERNIE_OK)
        status = nearest_begin(&table->nearest, vector, &cursor->search, err);
    memory_free(own);
    return status;
}

static int begin_question(struct vectors_cursor *cursor, int plan, const char *filters, int n,
                          sqlite3_value **values, ernie_error *err)
{
    int i = 1, status = ERNIE_OK;

    if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
        cursor->is_eof = 1;
        return ERNIE_OK;
    }
    cursor->question = sqlite3_value_dup(values[0]);
    if (cursor->question == NULL)
        return out_of_memory(err);
    if (plan & PLAN_K)
        status = read_k(cursor, values[i++], err);
    if (status == ERNIE_OK && plan & PLAN_MODE)
        status = read_mode(cursor, values[i++], err);
    if (status == ERNIE_OK)
        status = begin_search(cursor, cursor->question, err);
    if (status == ERNIE_OK && plan & PLAN_ROWID)
        status = select_rowids(cursor, plan & PLAN_ROWID_IN, values[i++], err);
    if (status == ERNIE_OK)
        status = keep_filters(cursor, filters, (size_t)(n - i), values + i, err);
    return status == ERNIE_OK ? next_neighbour(cursor, err) : status;
}

int vectors_filter(sqlite3_vtab_cursor *base, int plan, const char *filters, int n,
                   sqlite3_value **values)
{
    struct vectors_cursor *cursor = (struct vectors_cursor *)base;
    struct vectors_table *table = table_of(cursor);
    ernie_error err;
    int status;

    clear(cursor);
    if (plan & PLAN_QUERY) {
        status = vectors_flush(table, &err);
        if (status == ERNIE_OK)
            status = begin_question(cursor, plan, filters, n, values, &err);
    } else {
        status = keep_filters(cursor, filters, (size_t)n, values, &err);
        /* With content= a row may be known by its chunks only: those of the row that is
         * asked for must be there. One of the values is its rowid. */
        for (int i = 0; plan & PLAN_ROWID && table->definition.content != NULL && i < n; i++)
            if (status == ERNIE_OK)
                status = vectors_flush_row(table, sqlite3_value_int64(values[i]), &err);
        if (status == ERNIE_OK)
            status = begin_rows(cursor, plan, &err);
    }
    return status == ERNIE_OK ? SQLITE_OK : vectors_fail(table, &err);
}

int vectors_next(sqlite3_vtab_cursor *base)
{
    struct vectors_cursor *cursor = (struct vectors_cursor *)base;
    ernie_error err;
    int status;

    cursor->has_values = 0;
    status = cursor->search != NULL ? next_neighbour(cursor, &err) : next_row(cursor, &err);
    return status == ERNIE_OK ? SQLITE_OK : vectors_fail(table_of(cursor), &err);
}

int vectors_eof(sqlite3_vtab_cursor *base)
{
    return ((struct vectors_cursor *)base)->is_eof;
}

int vectors_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((struct vectors_cursor *)base)->rowid;
    return SQLITE_OK;
}

/* ---- columns ----------------------------------------------------------- */

static int prepare_values(struct vectors_cursor *cursor, ernie_error *err)
{
    struct vectors_table *table = table_of(cursor);
    const struct vectors_definition *definition = &table->definition;
    struct buffer sql = { 0 };
    int code;

    buffer_append_text(&sql, "SELECT ");
    for (size_t i = 0; i < definition->n; i++) {
        buffer_append_text(&sql, i > 0 ? ", " : "");
        if (definition->column[i].role == VECTORS_VECTOR)
            buffer_append_text(&sql, "NULL");
        else if (definition->content != NULL)
            append_identifier(&sql, definition->column[i].name);
        else
            buffer_printf(&sql, "c%zu", i);
    }
    buffer_printf(&sql, " FROM %s WHERE rowid = ?1", table->rows.content);
    code = sql.failed ? SQLITE_NOMEM
                      : sqlite3_prepare_v2(table->connection, sql.data, -1, &cursor->values, NULL);
    buffer_reset(&sql);
    return code == SQLITE_OK ? ERNIE_OK : statements_fail(&table->rows.statements, code, err);
}

/* A column of the row as it was put in. With content= the row may be gone from there: its
 * columns are NULL then. */
static int column_value(struct vectors_cursor *cursor, sqlite3_context *context, int column,
                        ernie_error *err)
{
    struct vectors_table *table = table_of(cursor);
    int code, status = cursor->values == NULL ? prepare_values(cursor, err) : ERNIE_OK;

    if (status != ERNIE_OK)
        return status;
    if (!cursor->has_values) {
        sqlite3_reset(cursor->values);
        code = sqlite3_bind_int64(cursor->values, 1, cursor->rowid);
        if (code == SQLITE_OK)
            code = sqlite3_step(cursor->values);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return statements_fail(&table->rows.statements, code, err);
        cursor->has_values = code == SQLITE_ROW ? 1 : -1;
    }
    if (cursor->has_values > 0)
        sqlite3_result_value(context, sqlite3_column_value(cursor->values, column));
    return ERNIE_OK;
}

static int column_vector(struct vectors_cursor *cursor, sqlite3_context *context, ernie_error *err)
{
    struct vectors_table *table = table_of(cursor);
    const size_t size_bytes = table->definition.dim * sizeof(float);
    struct buffer ids = { 0 };
    float *vector;
    int64_t id;
    int found, status;

    status = vectors_chunks_each(&table->rows, cursor->rowid, add_chunk_id, &ids, err);
    if (status != ERNIE_OK || ids.size < sizeof id) { /* a row without a vector */
        buffer_reset(&ids);
        return status;
    }
    memcpy(&id, ids.data, sizeof id);
    buffer_reset(&ids);
    vector = sqlite3_malloc64(size_bytes);
    if (vector == NULL)
        return out_of_memory(err);
    status = collection_vector_get(table->collection, id, table->definition.dim, vector, &found,
                                   err);
    if (status == ERNIE_OK && found) {
        sqlite3_result_blob64(context, vector, size_bytes, sqlite3_free);
        sqlite3_result_subtype(context, SUBTYPE_FLOAT32);
        return ERNIE_OK;
    }
    sqlite3_free(vector);
    return status == ERNIE_OK ? error_set(err, ERNIE_ECORRUPT, "%s: row %lld: damaged vector",
                                          table->name, (long long)cursor->rowid)
                              : status;
}

static int column_snippet(struct vectors_cursor *cursor, sqlite3_context *context,
                          ernie_error *err)
{
    struct vectors_table *table = table_of(cursor);
    struct buffer text = { 0 }, snippet = { 0 };
    const char *question = (const char *)sqlite3_value_text(cursor->question);
    size_t start, end;
    int found, status;

    if (table->definition.vector >= 0)
        return ERNIE_OK;
    if (question == NULL)
        return out_of_memory(err);
    status = vectors_row_text(&table->rows, cursor->rowid, &text, &found, err);
    if (status == ERNIE_OK)
        status = vectors_chunk_place(&table->rows, cursor->neighbour.chunk_id, &start, &end,
                                     &found, err);
    /* The text of another table may have changed without a word. */
    if (status == ERNIE_OK && found && start <= end && end <= text.size) {
        status = snippet_by_words(&snippet, text.data + start, end - start, question, err);
        if (status == ERNIE_OK && snippet.failed)
            status = out_of_memory(err);
        else if (status == ERNIE_OK && snippet.data != NULL)
            sqlite3_result_text64(context, snippet.data, snippet.size, SQLITE_TRANSIENT,
                                  SQLITE_UTF8);
    }
    buffer_reset(&text);
    buffer_reset(&snippet);
    return status;
}

static int column_hidden(struct vectors_cursor *cursor, sqlite3_context *context, int column,
                         ernie_error *err)
{
    /* Rounding can put a cosine a hair outside of what a cosine may be. */
    const double score = fmax(-1, fmin(1, cursor->neighbour.score));

    if (cursor->search == NULL)
        return ERNIE_OK;
    switch (column) {
    case HIDDEN_QUERY:
        sqlite3_result_value(context, cursor->question);
        break;
    case HIDDEN_K:
        if (cursor->k != 0)
            sqlite3_result_int64(context, cursor->k);
        break;
    case HIDDEN_MODE:
        sqlite3_result_text(context, "vector", -1, SQLITE_STATIC);
        break;
    case HIDDEN_SCORE:
        sqlite3_result_double(context, score);
        break;
    case HIDDEN_RANK:
        sqlite3_result_double(context, -score);
        break;
    case HIDDEN_DISTANCE:
        sqlite3_result_double(context, 1 - score);
        break;
    default:
        return column_snippet(cursor, context, err);
    }
    return ERNIE_OK;
}

int vectors_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct vectors_cursor *cursor = (struct vectors_cursor *)base;
    const struct vectors_table *table = table_of(cursor);
    const int n = (int)table->definition.n;
    ernie_error err;
    int status;

    if (sqlite3_vtab_nochange(context))
        return SQLITE_OK;
    if (column >= n)
        status = column_hidden(cursor, context, column - n, &err);
    else if (column == table->definition.vector)
        status = column_vector(cursor, context, &err);
    else
        status = column_value(cursor, context, column, &err);
    return status == ERNIE_OK ? SQLITE_OK : vectors_fail(table_of(cursor), &err);
}
