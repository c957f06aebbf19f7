/* Statements of a program that is SQLite's host, written as printf has it, and random numbers
 * for them that are the same in every run. */
#ifndef ERNIE_TESTS_SQL_HOST_H
#define ERNIE_TESTS_SQL_HOST_H

#include <check.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>

/* ---- numbers ----------------------------------------------------------- */

static uint64_t state;

static inline uint32_t random_bits(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static inline int below(int n)
{
    return (int)(random_bits() % (uint32_t)n);
}

static inline int one_in(int n)
{
    return below(n) == 0;
}

/* ---- statements -------------------------------------------------------- */

/* Runs SQL; its code. */
static inline int try(sqlite3 *db, const char *format, ...)
{
    va_list values;
    char *sql;
    int code;

    va_start(values, format);
    sql = sqlite3_vmprintf(format, values);
    va_end(values);
    code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return code;
}

#define run(db, ...)                                                                           \
    do {                                                                                       \
        int code_ = try(db, __VA_ARGS__);                                                      \
        ck_assert_msg(code_ == SQLITE_OK, "%d: %s: %s", code_, sqlite3_errmsg(db),             \
                      #__VA_ARGS__);                                                           \
    } while (0)

static inline double number(sqlite3 *db, const char *format, ...)
{
    va_list values;
    sqlite3_stmt *statement;
    double result;
    char *sql;

    va_start(values, format);
    sql = sqlite3_vmprintf(format, values);
    va_end(values);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        ck_abort_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(statement) != SQLITE_ROW)
        ck_abort_msg("%s: %s", sql, sqlite3_errmsg(db));
    result = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    return result;
}

#endif
