/* How a SELECT over a virtual table is to be answered: what xBestIndex tells xFilter. */
#ifndef ERNIE_SQL_VECTORS_PLAN_H
#define ERNIE_SQL_VECTORS_PLAN_H

#include "base/buffer.h"
#include "sql/sqlite.h"
#include "sql/vectors_definition.h"

/* Bits of idxNum: which arguments there are, in this order, then the filters, of which idxStr
 * tells. */
enum {
    PLAN_QUERY = 1,
    PLAN_K = 2,
    PLAN_MODE = 4,
    PLAN_ROWID = 8,     /* one row, or those of a list; without a question it is a filter */
    PLAN_ROWID_IN = 16, /* with PLAN_ROWID: a list */
    PLAN_DESCENDING = 32,
    PLAN_BY_SCORE = 64  /* whatever the mode */
};

int vectors_best_index(sqlite3_vtab *base, sqlite3_index_info *info);

/* Appends to SQL over a table t with the rows, after a condition, those that filters [n] say of
 * it: idxStr, and the values that xFilter was given for them; value i is parameter i + 1. */
void vectors_plan_conditions(const struct vectors_definition *definition, const char *filters,
                             size_t n, sqlite3_value **values, struct buffer *sql);

#endif
