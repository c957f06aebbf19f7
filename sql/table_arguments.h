/* The arguments of a table-valued function: its last columns are hidden, and SQLite turns
 * `f(a, b)` into a constraint `= a` on the first of them, `= b` on the second. */
#ifndef ERNIE_SQL_TABLE_ARGUMENTS_H
#define ERNIE_SQL_TABLE_ARGUMENTS_H

#include "sql/sqlite.h"

/* For xBestIndex of a table whose columns first .. first + n - 1 are its arguments (n < 16).
 * Bit i of idxNum says that argument i is given; argv of xFilter has the given ones in their
 * order. Returns SQLITE_CONSTRAINT for a plan that cannot give an argument yet. */
int arguments_plan(sqlite3_index_info *info, int first, int n);

/* What xFilter was given: out [n], NULL for arguments that were not. */
void arguments_read(int plan, int n, sqlite3_value **argv, sqlite3_value **out);

#endif
