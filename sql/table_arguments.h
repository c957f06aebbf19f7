/* What the table-valued functions have in common: the table, which holds nothing but what
 * its module was registered with, and its arguments: the last columns are hidden, and SQLite
 * turns `f(a, b)` into a constraint `= a` on the first of them, `= b` on the second. */
#ifndef ERNIE_SQL_TABLE_ARGUMENTS_H
#define ERNIE_SQL_TABLE_ARGUMENTS_H

#include "sql/sqlite.h"

struct function_table {
    sqlite3_vtab base; /* first: SQLite sees only this */
    void *data;        /* what the module was registered with */
};

/* For xConnect: declares the table, says how it may be used (SQLITE_VTAB_INNOCUOUS or
 * _DIRECTONLY), and makes a struct function_table. */
int function_table_connect(sqlite3 *connection, const char *declaration, int use, void *data,
                           sqlite3_vtab **out);
/* xDisconnect. */
int function_table_disconnect(sqlite3_vtab *table);

/* For xBestIndex of a table whose columns first .. first + n - 1 are its arguments (n < 16).
 * Bit i of idxNum says that argument i is given; argv of xFilter has the given ones in their
 * order. Returns SQLITE_CONSTRAINT for a plan that cannot give an argument yet. */
int arguments_plan(sqlite3_index_info *info, int first, int n);

/* What xFilter was given: out [n], NULL for arguments that were not. */
void arguments_read(int plan, int n, sqlite3_value **argv, sqlite3_value **out);

#endif
