/* What checks of a database find: each finding is one line of words. Damage met while
 * looking for damage is a finding too; the other checks go on. */
#ifndef ERNIE_SQL_FINDINGS_H
#define ERNIE_SQL_FINDINGS_H

#include <stddef.h>

#include "base/error.h"
#include "sql/sqlite.h"

typedef void (*findings_report_fn)(void *data, const char *finding);

struct findings {
    sqlite3 *connection;
    const char *path; /* for messages */
    findings_report_fn report; /* may be NULL */
    void *data;
    size_t n;
};

void findings_add(struct findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Each row of a query is a finding, its first column the words. "ok" is none. */
int findings_query(struct findings *findings, const char *sql, ernie_error *err);

/* SQLite's code at the end of a check. */
int findings_end(struct findings *findings, int code, ernie_error *err);

#endif
