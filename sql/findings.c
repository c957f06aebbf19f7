#include "sql/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sql/statement.h"

void findings_add(struct findings *findings, const char *format, ...)
{
    ernie_error line;
    char text[sizeof line.message];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    /* What error_set does for a message is right for a finding too: one line. */
    error_set(&line, ERNIE_ECORRUPT, "%s", text);
    findings->n++;
    if (findings->report != NULL)
        findings->report(findings->data, line.message);
}

int findings_end(struct findings *findings, int code, ernie_error *err)
{
    if (code == SQLITE_DONE)
        return ERNIE_OK;
    if ((code & 0xff) != SQLITE_CORRUPT && (code & 0xff) != SQLITE_ERROR)
        return sqlite_fail(findings->connection, findings->path, code, err);
    findings_add(findings, "%s", sqlite3_errmsg(findings->connection));
    return ERNIE_OK;
}

int findings_query(struct findings *findings, const char *sql, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(findings->connection, sql, -1, &statement, NULL);
    int status;

    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            const char *words = (const char *)sqlite3_column_text(statement, 0);

            if (words == NULL || strcmp(words, "ok") != 0)
                findings_add(findings, "%s", words != NULL ? words : "out of memory");
        }
    }
    status = findings_end(findings, code, err);
    sqlite3_finalize(statement);
    return status;
}
