#include "sql/vectors_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "sql/vectors_table.h"

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

void vectors_plan_conditions(const struct vectors_definition *definition, const char *filters,
                             size_t n, sqlite3_value **values, struct buffer *sql)
{
    const char *at = filters;

    for (size_t i = 0; i < n; i++) {
        const int column = (int)strtol(at, (char **)&at, 10);
        const char op = *at++;
        const char *end = strchr(at, '\n');
        const char *collation = at;

        at = end + 1;
        if (!is_plain(column_affinity(definition, column), values[i]))
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

/* Takes what can be a filter, written as "2=BINARY\n": column, operator, collation. Returns
 * how many arguments there are then. */
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

/* Whether rows come in the order that is asked for. Scores are not what they come by, unless
 * vectors alone are asked; where k says which rows there are, SQLite sorts them. */
static void plan_order(struct vectors_table *table, sqlite3_index_info *info)
{
    const int column =
        info->nOrderBy == 1 ? info->aOrderBy[0].iColumn - (int)table->definition.n : -1;
    const int descends = info->nOrderBy == 1 && info->aOrderBy[0].desc;
    const int is_by_score = (column == HIDDEN_SCORE && descends) ||
                            (column == HIDDEN_DISTANCE && !descends);

    if (is_by_score && table->definition.vector < 0 && (info->idxNum & PLAN_K) == 0)
        info->idxNum |= PLAN_BY_SCORE;
    info->orderByConsumed =
        (column == HIDDEN_RANK && !descends) || (info->idxNum & PLAN_BY_SCORE) != 0 ||
        (is_by_score && table->definition.vector >= 0);
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
    plan_order(table, info);
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

