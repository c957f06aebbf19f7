/* SELECT ernie_highlight(snippet, 'how hot is tea', '[', ']'): where the words stand. */
#include <string.h>

#include "base/buffer.h"
#include "snippet.h"
#include "sql/extension.h"
#include "words/marker.h"

static void release_marker(void *marker)
{
    marker_free(marker);
}

/* The marker of a query, which SQLite keeps: a statement asks the same of row after row. */
static int query_marker(sqlite3_context *context, sqlite3_value *query, struct marker **out,
                        ernie_error *err)
{
    const char *text = (const char *)sqlite3_value_text(query);
    const size_t size = (size_t)sqlite3_value_bytes(query);
    struct marker *marker = NULL;
    int status = ERNIE_OK;

    *out = sqlite3_get_auxdata(context, 1);
    if (*out != NULL)
        return ERNIE_OK;
    if (text != NULL)
        status = marker_new(text, size <= SNIPPET_QUERY_BYTES ? size : 0, &marker, err);
    if (status == ERNIE_OK && marker != NULL) {
        sqlite3_set_auxdata(context, 1, marker, release_marker); /* which may release it at once */
        *out = sqlite3_get_auxdata(context, 1);
    }
    return status != ERNIE_OK || *out != NULL
               ? status
               : error_set(err, ERNIE_ENOMEM, "ernie_highlight: out of memory");
}

/* ernie_highlight(TEXT, QUERY, BEFORE, AFTER) -> TEXT with each of the query's words between
 * the other two. NULL gives NULL. */
static void fn_highlight(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct marker *marker;
    struct buffer out = { 0 };
    const struct mark *marks;
    const char *text;
    size_t size, n_marks, at = 0;
    ernie_error err;
    int status;

    for (int i = 0; i < n; i++)
        if (sqlite3_value_type(values[i]) == SQLITE_NULL)
            return;
    status = query_marker(context, values[1], &marker, &err);
    text = (const char *)sqlite3_value_text(values[0]);
    size = (size_t)sqlite3_value_bytes(values[0]);
    if (status == ERNIE_OK)
        status = text != NULL ? marker_find(marker, text, size, &marks, &n_marks, &err)
                              : error_set(&err, ERNIE_ENOMEM, "ernie_highlight: out of memory");
    for (size_t i = 0; status == ERNIE_OK && i <= n_marks; i++) {
        const size_t start = i < n_marks ? marks[i].start : size;

        buffer_append(&out, text + at, start - at);
        at = start;
        if (i == n_marks)
            break;
        buffer_append(&out, sqlite3_value_text(values[2]), (size_t)sqlite3_value_bytes(values[2]));
        buffer_append(&out, text + start, marks[i].end - start);
        buffer_append(&out, sqlite3_value_text(values[3]), (size_t)sqlite3_value_bytes(values[3]));
        at = marks[i].end;
    }
    if (status != ERNIE_OK)
        result_error(context, &err);
    else if (out.failed)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_text64(context, out.data != NULL ? out.data : "", out.size,
                              SQLITE_TRANSIENT, SQLITE_UTF8);
    buffer_reset(&out);
}

int register_highlight_function(sqlite3 *connection, struct extension *extension)
{
    static const struct sql_function functions[] = {
        { "ernie_highlight", 4, PURE, fn_highlight },
    };

    return register_functions(connection, extension, 1, functions);
}
