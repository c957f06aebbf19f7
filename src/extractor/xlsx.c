/* Office Open XML spreadsheets (ECMA-376, part 1, section 18): the sheets in order, each a page
 * with its name for a heading, a row a line and its cells side by side. Of a formula the value is
 * read that it had when the file was saved; a number whose format shows a date is written as
 * one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "extractor/flow.h"
#include "extractor/formats.h"
#include "extractor/package.h"
#include "extractor/properties.h"
#include "extractor/relations.h"
#include "extractor/xml.h"

#define MAX_FORMATS 4096
#define MAX_STYLES  65536
/* 9999-12-31, the last day that a serial number is for. */
#define MAX_SERIAL 2958465

/* ---- number formats ---------------------------------------------------- */

enum shows { SHOWS_NUMBER = 0, SHOWS_DATE = 1, SHOWS_TIME = 2 }; /* added up */

/* What a number format of its first section shows (section 18.8.31). */
static unsigned shows_of_code(const char *code)
{
    unsigned shows = SHOWS_NUMBER;
    int has_m = 0, has_digits = 0, has_e = 0;

    for (const char *at = code; *at != '\0' && *at != ';'; at++) {
        if (*at == '"') {
            at = strchr(at + 1, '"');
            if (at == NULL)
                break;
        } else if (*at == '[') {
            const char *close = strchr(at, ']');

            if (close == NULL)
                break;
            /* [h] are hours past a day's; [red], [$-804] say how and not what. */
            if (strspn(at + 1, "hHmMsS") == (size_t)(close - at) - 1)
                shows |= SHOWS_TIME;
            at = close;
        } else if (*at == '\\' || *at == '_' || *at == '*') {
            if (*++at == '\0')
                break;
        } else if (strncasecmp(at, "General", 7) == 0 || strncmp(at, "G/", 2) == 0) {
            /* "G/通用格式" in Chinese. */
            return SHOWS_NUMBER;
        } else if (strncasecmp(at, "AM/PM", 5) == 0) {
            shows |= SHOWS_TIME;
            at += 4;
        } else if (strchr("yYdDaAgGbB", *at) != NULL) {
            shows |= SHOWS_DATE;
        } else if (strchr("hHsS", *at) != NULL) {
            shows |= SHOWS_TIME;
        } else {
            has_m |= *at == 'm' || *at == 'M';
            has_e |= *at == 'e';
            has_digits |= strchr("0#?", *at) != NULL;
        }
    }
    /* The m of hours and seconds is minutes; the e of digits is an exponent, else a year. */
    if ((has_m && shows == SHOWS_NUMBER) || (has_e && !has_digits))
        shows |= SHOWS_DATE;
    return shows;
}

/* The formats that need no code (section 18.8.30), East Asian ones among them. */
static unsigned shows_of_builtin(long id)
{
    if (id == 22)
        return SHOWS_DATE | SHOWS_TIME;
    if ((id >= 14 && id <= 17) || (id >= 27 && id <= 31) || id == 36 || (id >= 50 && id <= 54) ||
        id == 57 || id == 58)
        return SHOWS_DATE;
    if ((id >= 18 && id <= 21) || (id >= 32 && id <= 35) || (id >= 45 && id <= 47) || id == 55 ||
        id == 56)
        return SHOWS_TIME;
    return SHOWS_NUMBER;
}

/* ---- the workbook's tables --------------------------------------------- */

struct workbook {
    struct buffer strings; /* shared ones, one behind the other */
    size_t *string_starts; /* [n_strings + 1] */
    size_t n_strings, strings_capacity;
    struct {
        long id;
        unsigned shows;
    } formats[MAX_FORMATS];
    size_t n_formats;
    unsigned char style_shows[MAX_STYLES]; /* [n_styles] */
    size_t n_styles;
    int in_cell_styles, in_text;
    int starts_1904; /* days are counted from 1904-01-01 */
    int failed;
};

enum { STRING = 1, TEXT, FORMAT, CELL_STYLES, STYLE };

static const struct xml_name string_names[] = {
    { "x:rPh", XML_SKIP }, /* how it is spoken */
    { "x:si", STRING },
    { "x:t", TEXT },
};

static const struct xml_name style_names[] = {
    { "x:cellXfs", CELL_STYLES }, { "x:numFmt", FORMAT }, { "x:xf", STYLE },
};

static int string_start(void *data, int kind, const struct xml_element *element)
{
    struct workbook *workbook = data;

    (void)element;
    workbook->in_text = kind == TEXT;
    if (kind != STRING)
        return 0;
    if (workbook->n_strings == workbook->strings_capacity) {
        size_t capacity = workbook->strings_capacity < 64 ? 64 : workbook->strings_capacity * 2;
        size_t *grown = memory_resize(workbook->string_starts, capacity + 1, sizeof *grown);

        if (grown == NULL) {
            workbook->failed = 1;
            return 1;
        }
        workbook->string_starts = grown;
        workbook->strings_capacity = capacity;
    }
    workbook->string_starts[workbook->n_strings++] = workbook->strings.size;
    workbook->string_starts[workbook->n_strings] = workbook->strings.size;
    return 0;
}

static void string_text(void *data, const char *bytes, size_t size)
{
    struct workbook *workbook = data;

    if (!workbook->in_text || workbook->n_strings == 0)
        return;
    buffer_append(&workbook->strings, bytes, size);
    workbook->string_starts[workbook->n_strings] = workbook->strings.size;
}

static void string_end(void *data, int kind)
{
    struct workbook *workbook = data;

    if (kind == TEXT)
        workbook->in_text = 0;
}

static unsigned shows_of_format(const struct workbook *workbook, long id)
{
    for (size_t i = 0; i < workbook->n_formats; i++)
        if (workbook->formats[i].id == id)
            return workbook->formats[i].shows;
    return shows_of_builtin(id);
}

static int style_start(void *data, int kind, const struct xml_element *element)
{
    struct workbook *workbook = data;
    char code[256];
    long id;

    if (kind == CELL_STYLES) {
        workbook->in_cell_styles = 1;
        return 0;
    }
    id = xml_number(element, "numFmtId", 0, 1L << 30, 0);
    if (kind == FORMAT && workbook->n_formats < MAX_FORMATS) {
        xml_attribute(element, "formatCode", code, sizeof code);
        workbook->formats[workbook->n_formats].id = id;
        workbook->formats[workbook->n_formats++].shows = shows_of_code(code);
    } else if (kind == STYLE && workbook->in_cell_styles && workbook->n_styles < MAX_STYLES) {
        workbook->style_shows[workbook->n_styles++] =
            (unsigned char)shows_of_format(workbook, id);
    }
    return 0;
}

static void style_end(void *data, int kind)
{
    struct workbook *workbook = data;

    if (kind == CELL_STYLES)
        workbook->in_cell_styles = 0;
}

static int read_tables(struct workbook *workbook, const struct package *package,
                       const struct relations *relations, ernie_error *err)
{
    static const struct xml_handler string_handler = {
        .names = string_names,
        .n_names = sizeof string_names / sizeof *string_names,
        .start = string_start,
        .end = string_end,
        .text = string_text,
    };
    static const struct xml_handler style_handler = {
        .names = style_names,
        .n_names = sizeof style_names / sizeof *style_names,
        .start = style_start,
        .end = style_end,
    };
    const struct part *strings = relations_by_type(relations, package, "sharedStrings");
    const struct part *styles = relations_by_type(relations, package, "styles");
    int status = ERNIE_OK;

    if (strings != NULL)
        status = xml_read(strings->name, &strings->bytes, &string_handler, workbook, NULL, err);
    if (status == ERNIE_OK && styles != NULL)
        status = xml_read(styles->name, &styles->bytes, &style_handler, workbook, NULL, err);
    if (status == ERNIE_OK && (workbook->failed || workbook->strings.failed))
        status = error_set(err, ERNIE_ENOMEM, "workbook: out of memory");
    return status;
}

/* ---- values ------------------------------------------------------------ */

/* Days since 1970-01-01 to the date (H. Hinnant, "chrono-compatible low-level date
 * algorithms", civil_from_days). */
static void date_of_days(long days, long *year, unsigned *month, unsigned *day)
{
    long era, in_era, of_year, of_era;

    days += 719468;
    era = days / 146097;
    in_era = days - era * 146097;
    of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    of_year = in_era - (365 * of_era + of_era / 4 - of_era / 100);
    *month = (unsigned)((5 * of_year + 2) / 153);
    *day = (unsigned)(of_year - (153 * (long)*month + 2) / 5 + 1);
    *month = *month < 10 ? *month + 3 : *month - 9;
    *year = of_era + era * 400 + (*month <= 2);
}

/* A serial number as the date, the time or both that it stands for (section 18.17.4). */
static int write_serial(char *out, size_t capacity, double serial, unsigned shows, int starts_1904)
{
    const long days = (long)floor(serial);
    long seconds = lround((serial - floor(serial)) * 86400), year;
    unsigned month, day;
    int n = 0;

    if (shows & SHOWS_DATE) {
        /* Lotus 1-2-3 had a 29 February 1900, day 60, so the days before it are one off. */
        date_of_days(days + (starts_1904 ? -24107 : days < 60 ? -25568 : -25569), &year, &month,
                     &day);
        n = snprintf(out, capacity, "%04ld-%02u-%02u", year, month, day);
        if (!(shows & SHOWS_TIME))
            return n;
        out[n++] = ' ';
        seconds = seconds == 86400 ? 86399 : seconds;
    } else {
        seconds += days * 86400L; /* hours may pass 24 */
    }
    n += snprintf(out + n, capacity - (size_t)n, "%02ld:%02ld", seconds / 3600,
                  seconds / 60 % 60);
    if (seconds % 60 != 0)
        n += snprintf(out + n, capacity - (size_t)n, ":%02ld", seconds % 60);
    return n;
}

/* A number as the sheet shows it: with fifteen digits, for there are no more in it. */
static int write_number(char *out, size_t capacity, const char *value, unsigned shows,
                        int starts_1904)
{
    char *end;
    const double number = strtod(value, &end);

    if (end == value || *end != '\0')
        return 0;
    if (shows != SHOWS_NUMBER && number >= 0 && number <= MAX_SERIAL)
        return write_serial(out, capacity, number, shows, starts_1904);
    return snprintf(out, capacity, "%.15g", number);
}

/* ---- sheets ------------------------------------------------------------ */

enum { ROW = 1, CELL, VALUE, COMMENT, CELL_TEXT };

static const struct xml_name sheet_names[] = {
    { "x:c", CELL },     { "x:comment", COMMENT }, { "x:rPh", XML_SKIP }, { "x:row", ROW },
    { "x:t", CELL_TEXT }, { "x:v", VALUE },
};

struct sheet {
    const struct workbook *workbook;
    struct flow flow;
    struct buffer value;
    char type[12];
    unsigned shows;
    int in_value, in_text;
};

static int sheet_start(void *data, int kind, const struct xml_element *element)
{
    struct sheet *sheet = data;
    long style;

    switch (kind) {
    case ROW:
    case COMMENT:
        writer_break(sheet->flow.writer, 1);
        break;
    case CELL:
        xml_attribute(element, "t", sheet->type, sizeof sheet->type);
        style = xml_number(element, "s", 0, MAX_STYLES, 0);
        sheet->shows = (size_t)style < sheet->workbook->n_styles
                           ? sheet->workbook->style_shows[style]
                           : SHOWS_NUMBER;
        writer_cell(sheet->flow.writer);
        break;
    case VALUE:
        buffer_clear(&sheet->value);
        sheet->in_value = 1;
        break;
    case CELL_TEXT:
        sheet->in_text = 1;
        break;
    }
    return 0;
}

static void write_shared(struct sheet *sheet, const char *value)
{
    const struct workbook *workbook = sheet->workbook;
    const unsigned long i = strtoul(value, NULL, 10);

    if (i < workbook->n_strings)
        flow_words(&sheet->flow, workbook->strings.data + workbook->string_starts[i],
                   workbook->string_starts[i + 1] - workbook->string_starts[i]);
}

static void end_value(struct sheet *sheet)
{
    const char *value = sheet->value.data != NULL ? sheet->value.data : "", *type = sheet->type;
    char written[64];
    int n = 0;

    sheet->in_value = 0;
    if (sheet->value.failed) {
        sheet->flow.writer->out->text.failed = 1;
        return;
    }
    if (strcmp(type, "s") == 0)
        write_shared(sheet, value);
    else if (strcmp(type, "str") == 0 || strcmp(type, "d") == 0)
        flow_words(&sheet->flow, value, sheet->value.size);
    else if (strcmp(type, "b") == 0)
        flow_words(&sheet->flow, *value == '1' ? "TRUE" : "FALSE", *value == '1' ? 4 : 5);
    else if (*type == '\0' || strcmp(type, "n") == 0)
        n = write_number(written, sizeof written, value, sheet->shows,
                         sheet->workbook->starts_1904);
    flow_words(&sheet->flow, written, (size_t)n);
}

static void sheet_end(void *data, int kind)
{
    struct sheet *sheet = data;

    if (kind == VALUE)
        end_value(sheet);
    else if (kind == CELL_TEXT)
        sheet->in_text = 0;
    else if (kind == ROW)
        writer_break(sheet->flow.writer, 1);
}

static void sheet_text(void *data, const char *bytes, size_t size)
{
    struct sheet *sheet = data;

    if (sheet->in_value)
        buffer_append(&sheet->value, bytes, size);
    else if (sheet->in_text)
        flow_words(&sheet->flow, bytes, size);
}

static int read_part(struct writer *writer, const struct workbook *workbook,
                     const struct part *part, ernie_error *err)
{
    static const struct xml_handler handler = {
        .names = sheet_names,
        .n_names = sizeof sheet_names / sizeof *sheet_names,
        .start = sheet_start,
        .end = sheet_end,
        .text = sheet_text,
    };
    struct sheet sheet = { .workbook = workbook };
    int status;

    if (part == NULL)
        return ERNIE_OK;
    flow_init(&sheet.flow, writer);
    writer_break(writer, 2);
    status = xml_read(part->name, &part->bytes, &handler, &sheet, writer->out, err);
    flow_reset(&sheet.flow);
    buffer_reset(&sheet.value);
    return status;
}

/* ---- the workbook ------------------------------------------------------ */

enum { SHEET = 1, WORKBOOK };

static const struct xml_name book_names[] = {
    { "x:sheet", SHEET },
    { "x:workbookPr", WORKBOOK },
};

struct book {
    struct writer *writer;
    struct workbook *workbook;
    const struct package *package;
    const struct relations *relations;
    unsigned n_sheets;
    int status;
    ernie_error *err;
};

static int read_sheet(struct book *book, const struct part *part)
{
    struct relations relations = { 0 };
    int status;

    status = relations_read(&relations, book->package, part->name, book->err);
    if (status == ERNIE_OK)
        status = read_part(book->writer, book->workbook, part, book->err);
    if (status == ERNIE_OK)
        status = read_part(book->writer, book->workbook,
                           relations_by_type(&relations, book->package, "comments"), book->err);
    relations_reset(&relations);
    return status;
}

static int book_start(void *data, int kind, const struct xml_element *element)
{
    struct book *book = data;
    const struct part *part;
    char value[256];
    size_t size;

    if (kind == WORKBOOK) {
        xml_attribute(element, "date1904", value, sizeof value);
        book->workbook->starts_1904 = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
        return 0;
    }
    if (book->status != ERNIE_OK || book->n_sheets >= PACKAGE_MAX_ENTRIES)
        return 1;
    xml_attribute(element, "r:id", value, sizeof value);
    part = relations_by_id(book->relations, book->package, value);
    writer_page(book->writer, ++book->n_sheets);
    size = xml_attribute(element, "name", value, sizeof value);
    writer_heading(book->writer, 1, value, size);
    if (part != NULL)
        book->status = read_sheet(book, part);
    return 1;
}

int xlsx_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    static const struct xml_handler handler = {
        .names = book_names,
        .n_names = sizeof book_names / sizeof *book_names,
        .start = book_start,
    };
    struct package package = { 0 };
    struct relations relations = { 0 };
    struct workbook *workbook = memory_new(1, sizeof *workbook);
    struct book book = { .writer = writer, .workbook = workbook, .package = &package,
                         .relations = &relations, .err = err };
    const struct part *part;
    int status;

    if (workbook == NULL)
        return error_set(err, ERNIE_ENOMEM, "workbook: out of memory");
    status = office_open(&package, bytes, size, "xl/workbook.xml", &part, writer->out, err);
    if (status == ERNIE_OK)
        status = relations_read(&relations, &package, part->name, err);
    if (status == ERNIE_OK)
        status = read_tables(workbook, &package, &relations, err);
    if (status == ERNIE_OK)
        status = xml_read(part->name, &part->bytes, &handler, &book, NULL, err);
    if (book.status != ERNIE_OK)
        status = book.status;
    if (status == ERNIE_OK)
        status = properties_finish(writer, err);
    relations_reset(&relations);
    package_reset(&package);
    buffer_reset(&workbook->strings);
    memory_free(workbook->string_starts);
    memory_free(workbook);
    return status;
}
