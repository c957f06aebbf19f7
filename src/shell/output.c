/* Rows of a statement in the shell's modes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell/shell.h"

/* Rows that columns are made wide enough for; those after them are printed as they come, so
 * that a result of any length is shown in bounded memory. */
#define MEASURED_ROWS 1000

struct output {
    const struct shell *shell;
    sqlite3_stmt *statement;
    int n_columns;
    size_t n_rows; /* seen */
    int failed;    /* memory ran out */
    /* Column and box: cells wait here until their widths are known. */
    char **cells; /* [MEASURED_ROWS][n_columns] */
    size_t n_waiting;
    size_t *widths; /* [n_columns], once the waiting rows are printed */
    int is_open;    /* what begins the rows was printed */
};

/* ---- values as text ---------------------------------------------------- */

char *visible_text(const char *text)
{
    char *out = malloc(3 * strlen(text) + 1), *end = out;

    if (out == NULL)
        return NULL;
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f) { /* U+2400 SYMBOL FOR NULL and those after it */
            *end++ = '\xe2';
            *end++ = '\x90';
            *end++ = (char)(0x80 + (*c == 0x7f ? 0x21 : *c));
        } else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) { /* U+0080 .. U+009F */
            c++;
            *end++ = '\xef';
            *end++ = '\xbf';
            *end++ = '\xbd';
        } else {
            *end++ = (char)*c;
        }
    }
    *end = '\0';
    return out;
}

/* Whether bytes are likely to be a vector: floats as embeddings have them. */
static int is_vector(const void *bytes, size_t size_bytes)
{
    const size_t n = size_bytes / sizeof(float);

    if (n < 4 || size_bytes % sizeof(float) != 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        float x;

        memcpy(&x, (const char *)bytes + i * sizeof x, sizeof x);
        if (!isfinite(x) || fabsf(x) > 1e4f || (x != 0 && fabsf(x) < 1e-12f))
            return 0;
    }
    return 1;
}

static char *hex_text(const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = malloc(2 * size + 1);

    for (size_t i = 0; out != NULL && i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    if (out != NULL)
        out[2 * size] = '\0';
    return out;
}

/* A BLOB for people: what it is rather than what is in it. */
static char *blob_words(const void *bytes, size_t size)
{
    char *out = NULL;
    int written = is_vector(bytes, size) ? asprintf(&out, "<%zu floats>", size / sizeof(float))
                                         : asprintf(&out, "<%zu bytes>", size);

    return written < 0 ? NULL : out;
}

/* A value for the eyes: NULL said, control characters shown, BLOBs described. */
static char *shown_value(sqlite3_stmt *statement, int column)
{
    const char *text;

    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return strdup("NULL");
    case SQLITE_BLOB: {
        const void *bytes = sqlite3_column_blob(statement, column);

        return blob_words(bytes, (size_t)sqlite3_column_bytes(statement, column));
    }
    default:
        text = (const char *)sqlite3_column_text(statement, column);
        return text != NULL ? visible_text(text) : NULL;
    }
}

/* A value for programs: all of it, BLOBs in hexadecimal, NULL as nothing. */
static char *exact_value(sqlite3_stmt *statement, int column)
{
    const char *text;

    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return strdup("");
    case SQLITE_BLOB: {
        const void *bytes = sqlite3_column_blob(statement, column);

        return hex_text(bytes, (size_t)sqlite3_column_bytes(statement, column));
    }
    default:
        text = (const char *)sqlite3_column_text(statement, column);
        return text != NULL ? strdup(text) : NULL;
    }
}

/* ---- list, csv --------------------------------------------------------- */

static void print_csv(const char *text)
{
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

/* On a terminal a list is for the eyes as well. */
static void print_list(struct output *output, const char *text)
{
    char *visible = isatty(STDOUT_FILENO) ? visible_text(text) : NULL;

    if (visible == NULL && isatty(STDOUT_FILENO))
        output->failed = 1;
    else
        fputs(visible != NULL ? visible : text, stdout);
    free(visible);
}

static void print_field(struct output *output, int column, const char *text)
{
    if (column > 0)
        putchar(output->shell->mode == MODE_CSV ? ',' : '|');
    if (output->shell->mode == MODE_CSV)
        print_csv(text);
    else
        print_list(output, text);
}

static void print_fields(struct output *output)
{
    for (int i = 0; i < output->n_columns; i++) {
        char *text = exact_value(output->statement, i);

        if (text == NULL)
            output->failed = 1;
        else
            print_field(output, i, text);
        free(text);
    }
    putchar('\n');
}

static void print_field_names(struct output *output)
{
    for (int i = 0; i < output->n_columns; i++)
        print_field(output, i, sqlite3_column_name(output->statement, i));
    putchar('\n');
}

/* ---- json -------------------------------------------------------------- */

static void print_json_text(struct output *output, const char *text)
{
    char *quoted;

    if (ernie_text_to_json(text, &quoted, NULL) != ERNIE_OK) {
        output->failed = 1;
        return;
    }
    fputs(quoted, stdout);
    ernie_free(quoted);
}

static void print_json_value(struct output *output, int column)
{
    const int type = sqlite3_column_type(output->statement, column);
    char *text;

    if (type == SQLITE_NULL) {
        fputs("null", stdout);
        return;
    }
    if (type == SQLITE_FLOAT && isinf(sqlite3_column_double(output->statement, column))) {
        /* JSON has no infinity; this reads as one. */
        fputs(sqlite3_column_double(output->statement, column) > 0 ? "1e999" : "-1e999", stdout);
        return;
    }
    text = exact_value(output->statement, column);
    if (text == NULL)
        output->failed = 1;
    else if (type == SQLITE_INTEGER || type == SQLITE_FLOAT)
        fputs(text, stdout);
    else
        print_json_text(output, text);
    free(text);
}

static void print_json_row(struct output *output)
{
    fputs(output->n_rows > 1 ? ",\n{" : "[{", stdout);
    for (int i = 0; i < output->n_columns; i++) {
        if (i > 0)
            putchar(',');
        print_json_text(output, sqlite3_column_name(output->statement, i));
        putchar(':');
        print_json_value(output, i);
    }
    putchar('}');
}

/* ---- line -------------------------------------------------------------- */

static void print_spaces(size_t n)
{
    printf("%*s", (int)n, "");
}

static void print_lines(struct output *output)
{
    size_t width = 0;

    for (int i = 0; i < output->n_columns; i++) {
        size_t columns = text_columns(sqlite3_column_name(output->statement, i));

        width = columns > width ? columns : width;
    }
    if (output->n_rows > 1)
        putchar('\n');
    for (int i = 0; i < output->n_columns; i++) {
        const char *name = sqlite3_column_name(output->statement, i);
        char *text = shown_value(output->statement, i);

        print_spaces(width - text_columns(name));
        if (text != NULL)
            printf("%s = %s\n", name, text);
        else
            output->failed = 1;
        free(text);
    }
}

/* ---- column, box ------------------------------------------------------- */

/* A cell and the spaces that fill its column; what is too wide is cut when the table was
 * made to fit the terminal. */
static void print_cell(struct output *output, int column, const char *text)
{
    const size_t width = output->widths[column], columns = text_columns(text);
    const int is_box = output->shell->mode == MODE_BOX;

    if (is_box)
        fputs(column == 0 ? "│ " : " │ ", stdout);
    else if (column > 0)
        fputs("  ", stdout);
    if (columns <= width || output->n_rows > MEASURED_ROWS) {
        fputs(text, stdout);
        if (is_box || column + 1 < output->n_columns)
            print_spaces(columns < width ? width - columns : 0);
    } else {
        size_t n = text_bytes_within(text, width - 1);
        char *kept = strndup(text, n);

        if (kept == NULL)
            output->failed = 1;
        printf("%s…", kept != NULL ? kept : "");
        if (is_box || column + 1 < output->n_columns)
            print_spaces(kept != NULL ? width - 1 - text_columns(kept) : 0);
        free(kept);
    }
}

static void end_row(const struct output *output)
{
    fputs(output->shell->mode == MODE_BOX ? " │\n" : "\n", stdout);
}

static void print_rule(const struct output *output, const char *left, const char *middle,
                       const char *right, const char *line)
{
    fputs(left, stdout);
    for (int i = 0; i < output->n_columns; i++) {
        size_t n = output->widths[i] + (output->shell->mode == MODE_BOX ? 2 : 0);

        if (i > 0)
            fputs(middle, stdout);
        while (n-- > 0)
            fputs(line, stdout);
    }
    fputs(right, stdout);
    putchar('\n');
}

/* Narrows the widest columns until the table fits the terminal, if standard output is one. */
static void fit_terminal(struct output *output)
{
    const int is_box = output->shell->mode == MODE_BOX;
    const size_t between = is_box ? 3 : 2, room = (size_t)terminal_columns(stdout);
    const size_t n = (size_t)output->n_columns;

    if (room == 0)
        return;
    for (;;) {
        size_t total = n * between + (is_box ? 1 : 0) - (is_box ? 0 : between), widest = 0;

        for (size_t i = 0; i < n; i++) {
            total += output->widths[i];
            widest = output->widths[i] > output->widths[widest] ? i : widest;
        }
        if (total <= room || output->widths[widest] <= 8)
            return;
        output->widths[widest] -= total - room < output->widths[widest] / 8 + 1
                                      ? total - room
                                      : output->widths[widest] / 8 + 1;
    }
}

static void measure(struct output *output)
{
    const size_t n = (size_t)output->n_columns;

    for (size_t i = 0; i < n; i++)
        if (output->shell->headers || output->shell->mode == MODE_BOX)
            output->widths[i] = text_columns(sqlite3_column_name(output->statement, (int)i));
    for (size_t i = 0; i < output->n_waiting * n; i++) {
        size_t columns = text_columns(output->cells[i]);

        if (columns > output->widths[i % n])
            output->widths[i % n] = columns;
    }
    fit_terminal(output);
}

static void print_head(struct output *output)
{
    const int is_box = output->shell->mode == MODE_BOX;

    if (!output->shell->headers && !is_box)
        return;
    if (is_box)
        print_rule(output, "┌", "┬", "┐", "─");
    for (int i = 0; i < output->n_columns; i++)
        print_cell(output, i, sqlite3_column_name(output->statement, i));
    end_row(output);
    if (is_box)
        print_rule(output, "├", "┼", "┤", "─");
    else
        print_rule(output, "", "  ", "", "-");
}

/* The rows that wait, and the table's head before them. */
static void print_waiting(struct output *output)
{
    const size_t n = (size_t)output->n_columns;

    if (!output->is_open) {
        measure(output);
        print_head(output);
        output->is_open = 1;
    }
    for (size_t i = 0; i < output->n_waiting; i++) {
        for (size_t j = 0; j < n; j++) {
            print_cell(output, (int)j, output->cells[i * n + j]);
            free(output->cells[i * n + j]);
        }
        end_row(output);
    }
    output->n_waiting = 0;
}

static void add_cells(struct output *output)
{
    const size_t n = (size_t)output->n_columns;
    char **row = output->cells + output->n_waiting * n;

    for (size_t i = 0; i < n; i++) {
        row[i] = shown_value(output->statement, (int)i);
        if (row[i] != NULL)
            continue;
        while (i-- > 0)
            free(row[i]);
        output->failed = 1;
        return;
    }
    output->n_waiting++;
    if (output->is_open || output->n_waiting == MEASURED_ROWS)
        print_waiting(output);
}

/* ---- all modes --------------------------------------------------------- */

struct output *output_begin(const struct shell *shell, sqlite3_stmt *statement)
{
    struct output *output = calloc(1, sizeof *output);
    size_t n;

    if (output == NULL)
        return NULL;
    output->shell = shell;
    output->statement = statement;
    output->n_columns = sqlite3_column_count(statement);
    n = (size_t)output->n_columns;
    if (shell->mode == MODE_COLUMN || shell->mode == MODE_BOX) {
        output->cells = calloc(MEASURED_ROWS * n, sizeof *output->cells);
        output->widths = calloc(n, sizeof *output->widths);
        if (output->cells == NULL || output->widths == NULL) {
            free(output->cells);
            free(output->widths);
            free(output);
            return NULL;
        }
    } else if (shell->mode == MODE_CSV && shell->headers) {
        print_field_names(output);
    }
    return output;
}

void output_row(struct output *output)
{
    output->n_rows++;
    switch (output->shell->mode) {
    case MODE_LIST:
        if (output->n_rows == 1 && output->shell->headers)
            print_field_names(output);
        print_fields(output);
        break;
    case MODE_CSV:
        print_fields(output);
        break;
    case MODE_JSON:
        print_json_row(output);
        break;
    case MODE_LINE:
        print_lines(output);
        break;
    default:
        add_cells(output);
    }
}

int output_end(struct output *output)
{
    int failed;

    if (output->n_waiting > 0)
        print_waiting(output);
    if (output->shell->mode == MODE_JSON)
        puts(output->n_rows > 0 ? "]" : "[]");
    if (output->shell->mode == MODE_BOX && output->is_open)
        print_rule(output, "└", "┴", "┘", "─");
    failed = output->failed;
    free(output->cells);
    free(output->widths);
    free(output);
    return failed ? fail("sql: out of memory") : EXIT_FOUND;
}
