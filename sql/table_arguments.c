#include "sql/table_arguments.h"

#include <stddef.h>

int function_table_connect(sqlite3 *connection, const char *declaration, int use, void *data,
                           sqlite3_vtab **out)
{
    struct function_table *table;
    int status = sqlite3_declare_vtab(connection, declaration);

    if (status != SQLITE_OK)
        return status;
    sqlite3_vtab_config(connection, use);
    table = sqlite3_malloc64(sizeof *table);
    if (table == NULL)
        return SQLITE_NOMEM;
    *table = (struct function_table){ .data = data };
    *out = &table->base;
    return SQLITE_OK;
}

int function_table_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

int arguments_plan(sqlite3_index_info *info, int first, int n)
{
    int argv_index = 0;

    for (int argument = 0; argument < n; argument++) {
        int found = -1;

        for (int i = 0; found < 0 && i < info->nConstraint; i++) {
            const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];

            if (constraint->iColumn != first + argument ||
                constraint->op != SQLITE_INDEX_CONSTRAINT_EQ)
                continue;
            /* The value comes from a table that this plan would read later: only a plan
             * that reads it first will do. */
            if (!constraint->usable)
                return SQLITE_CONSTRAINT;
            found = i;
        }
        if (found < 0)
            continue;
        info->idxNum |= 1 << argument;
        info->aConstraintUsage[found].argvIndex = ++argv_index;
        info->aConstraintUsage[found].omit = 1;
    }
    return SQLITE_OK;
}

void arguments_read(int plan, int n, sqlite3_value **argv, sqlite3_value **out)
{
    int given = 0;

    for (int i = 0; i < n; i++)
        out[i] = (plan & 1 << i) != 0 ? argv[given++] : NULL;
}
