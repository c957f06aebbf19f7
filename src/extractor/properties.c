#include "extractor/properties.h"

#include <string.h>

#include "base/utf8.h"
#include "extractor/xml.h"

#define MAX_LINE_BYTES 1000

static int is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void properties_set_line(struct buffer *line, const char *text, size_t size)
{
    struct buffer clean = { 0 };
    int space = 0;

    utf8_append_clean(&clean, text, size);
    if (clean.failed) {
        line->failed = 1;
        return;
    }
    size = 0; /* of what is kept, moved to the front */
    for (size_t i = 0; i < clean.size; i++) {
        if ((unsigned char)clean.data[i] <= ' ') {
            space = size > 0;
            continue;
        }
        if (size >= MAX_LINE_BYTES && ((unsigned char)clean.data[i] & 0xc0) != 0x80)
            break; /* before a whole character */
        if (space)
            clean.data[size++] = ' ';
        space = 0;
        clean.data[size++] = clean.data[i];
    }
    if (size > 0) {
        buffer_clear(line);
        buffer_append(line, clean.data, size);
    }
    buffer_reset(&clean);
}

void properties_set_language(struct extract *out, const char *text, size_t size)
{
    char tag[sizeof out->language];
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        const char c = text[i] == '_' ? '-' : text[i];

        if ((unsigned char)c <= ' ')
            continue;
        if (n == sizeof tag - 1 || (c != '-' && !is_letter_or_digit(c)))
            return;
        tag[n++] = c;
    }
    tag[n] = '\0';
    if (n >= 2 && tag[0] != '-' && strcmp(tag, "und") != 0)
        memcpy(out->language, tag, n + 1);
}

/* How much of text has the form of pattern, where "9" is a digit and anything else itself. */
static size_t match_form(const char *text, size_t size, const char *pattern)
{
    size_t n = 0;

    while (n < size && pattern[n] != '\0' &&
           (pattern[n] == '9' ? text[n] >= '0' && text[n] <= '9' : text[n] == pattern[n]))
        n++;
    return n;
}

void properties_set_date(struct extract *out, const char *text, size_t size)
{
    char date[sizeof out->date];
    size_t n, rest;

    while (size > 0 && (unsigned char)*text <= ' ')
        text++, size--;
    n = match_form(text, size, "9999-99-99T99:99:99");
    /* A date ends after its year, month, day, minute or second. */
    n = n >= 19 ? 19 : n >= 16 ? 16 : n >= 10 ? 10 : n >= 7 ? 7 : n >= 4 ? 4 : 0;
    if (n == 0 || (n >= 7 && memcmp(text + 5, "00", 2) == 0) || memcmp(text, "0000", 4) == 0)
        return;
    memcpy(date, text, n);
    rest = n;
    if (n == 19 && rest < size && text[rest] == '.')
        for (rest++; rest < size && text[rest] >= '0' && text[rest] <= '9';)
            rest++;
    if (n >= 16 && rest < size && text[rest] == 'Z') {
        date[n++] = 'Z';
    } else if (n >= 16 && size - rest >= 6 && (text[rest] == '+' || text[rest] == '-') &&
               match_form(text + rest + 1, 5, "99:99") == 5) {
        memcpy(date + n, text + rest, 6);
        n += 6;
    }
    date[n] = '\0';
    memcpy(out->date, date, n + 1);
}

/* ---- the properties part ----------------------------------------------- */

enum { TITLE = 1, CREATOR, FIRST_CREATOR, LANGUAGE, CREATED, CHANGED };

static const struct xml_name names[] = {
    { "dc:creator", CREATOR },
    { "dc:date", CHANGED },
    { "dc:language", LANGUAGE },
    { "dc:title", TITLE },
    { "dcterms:created", CREATED },
    { "dcterms:modified", CHANGED },
    { "meta:creation-date", CREATED },
    { "meta:initial-creator", FIRST_CREATOR },
    { "office:body", XML_SKIP },
};

struct properties {
    struct extract *out;
    struct buffer value;
    int reads; /* within one of the elements */
    int has_date, has_author;
};

static int start(void *data, int kind, const struct xml_element *element)
{
    struct properties *properties = data;

    (void)kind, (void)element;
    buffer_clear(&properties->value);
    properties->reads = 1;
    return 0;
}

static void text(void *data, const char *bytes, size_t size)
{
    struct properties *properties = data;

    if (properties->reads)
        buffer_append(&properties->value, bytes, size);
}

static void end(void *data, int kind)
{
    struct properties *properties = data;
    struct extract *out = properties->out;
    const char *value = properties->value.data != NULL ? properties->value.data : "";
    const size_t size = properties->value.size;

    properties->reads = 0;
    if (properties->value.failed)
        out->title.failed = 1;
    else if (kind == TITLE)
        properties_set_line(&out->title, value, size);
    else if (kind == LANGUAGE)
        properties_set_language(out, value, size);
    else if (kind == CREATED || (kind == CHANGED && !properties->has_date))
        properties_set_date(out, value, size);
    else if (kind == FIRST_CREATOR || (kind == CREATOR && !properties->has_author))
        properties_set_line(&out->author, value, size);
    properties->has_date |= kind == CREATED;
    properties->has_author |= kind == FIRST_CREATOR;
}

int properties_read_part(struct extract *out, const char *name, const struct buffer *part,
                         ernie_error *err)
{
    static const struct xml_handler handler = {
        .names = names,
        .n_names = sizeof names / sizeof *names,
        .start = start,
        .end = end,
        .text = text,
    };
    struct properties properties = { .out = out };
    int status = xml_read(name, part, &handler, &properties, NULL, err);

    buffer_reset(&properties.value);
    return status == ERNIE_EFORMAT ? ERNIE_OK : status;
}

int properties_read(struct extract *out, const struct package *package, const char *name,
                    ernie_error *err)
{
    const struct part *part = package_part(package, name);

    return part != NULL ? properties_read_part(out, name, &part->bytes, err) : ERNIE_OK;
}

void properties_title_from_heading(struct extract *out)
{
    const char *path;

    if (out->title.size > 0 || out->headings.failed)
        return;
    for (size_t i = 0; i < out->n_sections; i++) {
        if (out->sections[i].level == 1) {
            path = extract_heading(out, &out->sections[i]);
            buffer_append(&out->title, path, strlen(path));
            return;
        }
    }
}

int properties_finish(struct writer *writer, ernie_error *err)
{
    struct extract *out = writer->out;

    writer_finish(writer);
    /* Nobody sees the lines of what is packed in a file. */
    if (out->n_marks > 0) {
        out->n_marks = 1;
        out->marks[0].line = 1;
    }
    if (out->text.failed || out->headings.failed || out->title.failed || out->author.failed)
        return error_set(err, ERNIE_ENOMEM, "document: out of memory");
    return ERNIE_OK;
}
