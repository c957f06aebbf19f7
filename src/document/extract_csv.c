#include "document/extract_csv.h"

#include <string.h>

/* Looked at to find what stands between the cells. */
#define SNIFFED_BYTES 65536
#define SNIFFED_ROWS  50
/* Columns whose names are repeated in each row. */
#define MAX_COLUMNS    64
#define MAX_NAME_BYTES 60
/* Bytes looked through for the ends of quotes that have none; past that no quote is looked
 * for, so that the time stays linear. */
#define MAX_WASTED_BYTES (1u << 24)

struct csv {
    const char *text;
    size_t size, at;
    char mark; /* between cells */
    size_t line;
    size_t n_wasted;
};

enum cell_end { CELL_ENDS, ROW_ENDS, TEXT_ENDS };

/* ---- cells ------------------------------------------------------------- */

/* The quoted cell whose quote is at csv->at, without its quotes. 0 when the quote is only a
 * character of the cell: then nothing is taken. */
static int take_quoted(struct csv *csv, struct buffer *cell)
{
    size_t end = csv->at + 1, from = end;

    if (csv->n_wasted > MAX_WASTED_BYTES)
        return 0;
    for (;; end += 2) {
        const char *quote = memchr(csv->text + end, '"', csv->size - end);

        if (quote == NULL) {
            csv->n_wasted += csv->size - csv->at;
            return 0;
        }
        end = (size_t)(quote - csv->text);
        if (end + 1 == csv->size || csv->text[end + 1] != '"')
            break;
    }
    if (end + 1 < csv->size && csv->text[end + 1] != csv->mark && csv->text[end + 1] != '\n') {
        csv->n_wasted += end - csv->at;
        return 0;
    }
    for (size_t i = from; i < end; i++) {
        buffer_append_char(cell, csv->text[i]);
        csv->line += csv->text[i] == '\n';
        i += csv->text[i] == '"'; /* one of each two */
    }
    csv->at = end + 1;
    return 1;
}

/* The next cell, and what comes behind it. */
static enum cell_end take_cell(struct csv *csv, struct buffer *cell)
{
    size_t end;

    buffer_clear(cell);
    if (csv->at < csv->size && csv->text[csv->at] == '"' && take_quoted(csv, cell)) {
        end = csv->at;
    } else {
        for (end = csv->at; end < csv->size && csv->text[end] != csv->mark &&
                            csv->text[end] != '\n';)
            end++;
        buffer_append(cell, csv->text + csv->at, end - csv->at);
    }
    if (end >= csv->size) {
        csv->at = csv->size;
        return TEXT_ENDS;
    }
    csv->at = end + 1;
    if (csv->text[end] != '\n')
        return CELL_ENDS;
    csv->line++;
    return csv->at < csv->size ? ROW_ENDS : TEXT_ENDS;
}

/* ---- what stands between them ------------------------------------------ */

/* How many of the first rows have as many cells as the first, if that has some. */
static size_t n_alike(const char *text, size_t size, char mark, size_t *n_columns)
{
    struct csv csv = { .text = text, .size = size, .mark = mark };
    struct buffer cell = { 0 };
    size_t n = 0, n_cells = 0, n_rows = 0;
    enum cell_end end;

    *n_columns = 0;
    while (n_rows < SNIFFED_ROWS && csv.at < size) {
        end = take_cell(&csv, &cell);
        n_cells++;
        if (end == CELL_ENDS)
            continue;
        if (n_rows++ == 0)
            *n_columns = n_cells;
        n += n_cells == *n_columns;
        n_cells = 0;
    }
    buffer_reset(&cell);
    return *n_columns > 1 ? n : 0;
}

/* The mark by which the most rows are alike; '\0' when there is only one column. */
static char find_mark(const char *text, size_t size)
{
    static const char marks[] = { '\t', ',', ';', '|' };
    size_t most = 0, widest = 0;
    char best = '\0';

    for (size_t i = 0; i < sizeof marks; i++) {
        size_t n_columns;
        const size_t n = n_alike(text, size < SNIFFED_BYTES ? size : SNIFFED_BYTES, marks[i],
                                 &n_columns);

        if (n > most || (n == most && n > 0 && n_columns > widest)) {
            most = n;
            widest = n_columns;
            best = marks[i];
        }
    }
    return best;
}

/* ---- names of columns -------------------------------------------------- */

struct columns {
    struct buffer names; /* each with its 0 byte */
    size_t offset[MAX_COLUMNS];
    size_t n;
};

static int is_number(const char *text, size_t size)
{
    size_t n_digits = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] >= '0' && text[i] <= '9')
            n_digits++;
        else if (memchr("+-.,%eE /:", text[i], 10) == NULL)
            return 0;
    }
    return n_digits > 0;
}

static void add_column(struct columns *columns, const struct buffer *cell)
{
    size_t size = cell->size;

    if (columns->n == MAX_COLUMNS)
        return;
    if (size > MAX_NAME_BYTES) {
        size = MAX_NAME_BYTES;
        while (size > 0 && ((unsigned char)cell->data[size] & 0xc0) == 0x80)
            size--; /* whole characters */
    }
    columns->offset[columns->n++] = columns->names.size;
    buffer_append(&columns->names, cell->data, size);
    buffer_append_char(&columns->names, '\0');
}

/* Reads the first row for its names, and leaves csv where it was. None are found when a cell
 * is empty or a number, or when no other row follows. */
static void find_names(struct csv csv, struct columns *columns)
{
    struct buffer cell = { 0 };
    enum cell_end end;
    int named = 1;

    do {
        end = take_cell(&csv, &cell);
        if (cell.size == 0 || is_number(cell.data, cell.size))
            named = 0;
        else if (named)
            add_column(columns, &cell);
    } while (named && end == CELL_ENDS);
    if (!named || end != ROW_ENDS)
        columns->n = 0;
    buffer_reset(&cell);
}

/* ---- the whole --------------------------------------------------------- */

static void write_cell(struct writer *writer, const struct columns *columns, size_t i,
                       const struct buffer *cell)
{
    const size_t line = writer->line;

    writer_cell(writer);
    if (i < columns->n) {
        const char *name = columns->names.data + columns->offset[i];

        writer_words(writer, name, strlen(name));
        writer_words(writer, ": ", 2);
        writer->line = line; /* line breaks in a name are none in this row */
    }
    writer_words(writer, cell->data, cell->size);
}

static int is_blank(const struct buffer *cell)
{
    for (size_t i = 0; i < cell->size; i++)
        if ((unsigned char)cell->data[i] > ' ')
            return 0;
    return 1;
}

void csv_extract(struct writer *writer, const char *text, size_t size)
{
    struct csv csv = { .text = text, .size = size, .line = 1 };
    struct columns columns = { .n = 0 };
    static const struct columns none = { .n = 0 };
    struct buffer cell = { 0 };
    size_t i = 0, n_rows = 0;

    csv.mark = find_mark(text, size);
    if (csv.mark != '\0')
        find_names(csv, &columns);
    while (csv.at < size && !cell.failed) {
        const size_t line = csv.line;
        const enum cell_end end = take_cell(&csv, &cell);

        writer->line = line;
        if (!is_blank(&cell))
            write_cell(writer, n_rows > 0 ? &columns : &none, i, &cell);
        i++;
        if (end != CELL_ENDS) {
            writer_break(writer, 1);
            n_rows++;
            i = 0;
        }
    }
    writer->out->text.failed |= cell.failed | columns.names.failed;
    buffer_reset(&cell);
    buffer_reset(&columns.names);
}
