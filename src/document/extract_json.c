#include "document/extract_json.h"

#include <string.h>

#include "base/utf8.h"
#include "document/metadata.h"

/* Of containers: what is deeper is written, but its order is not kept. */
#define MAX_DEPTH 64
/* A longer string without a space is data in disguise, a picture in base64 say, unless it is
 * of a script that is written without spaces. */
#define MAX_BLOB_BYTES 512

struct container {
    int is_object;
    unsigned level;  /* of headings: how many keys lie above */
    int has_heading; /* its key is one */
    int is_listed;   /* it is in a list, or is one: keys in it are no headings */
};

struct reader {
    struct writer *writer;
    const char *text;
    size_t size, at;
    int is_lines; /* several values one after another: a list too */
    struct container stack[MAX_DEPTH];
    size_t depth;      /* of containers, those past the stack too */
    struct buffer key; /* of the value that comes next; empty in lists */
    int has_key;
    struct buffer value; /* scratch */
};

/* ---- strings ----------------------------------------------------------- */

static int hex_digits(const char *text, size_t size, uint32_t *out)
{
    *out = 0;
    if (size < 4)
        return 0;
    for (size_t i = 0; i < 4; i++) {
        const char c = text[i];
        const int value = c >= '0' && c <= '9'               ? c - '0'
                          : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                                   : -1;

        if (value < 0)
            return 0;
        *out = *out << 4 | (uint32_t)value;
    }
    return 1;
}

/* The escape behind the backslash at text[0]; its bytes. */
static size_t append_escape(struct buffer *out, const char *text, size_t size)
{
    static const char plain[] = "\"\\/";
    uint32_t c, low;
    char bytes[4];
    size_t n = 6;

    if (size < 2 || (unsigned char)text[1] >= 0x80)
        return 1; /* no escape there is */
    if (text[1] != 'u' || !hex_digits(text + 2, size - 2, &c)) {
        if (memchr(plain, text[1], sizeof plain - 1) != NULL)
            buffer_append_char(out, text[1]);
        else
            buffer_append_char(out, text[1] == 'n' || text[1] == 'r' ? '\n' : ' ');
        return 2;
    }
    if (c >= 0xd800 && c < 0xdc00 && size >= 12 && text[6] == '\\' && text[7] == 'u' &&
        hex_digits(text + 8, size - 8, &low) && low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        n = 12;
    }
    if (c == 0 || (c >= 0xd800 && c < 0xe000))
        c = UTF8_REPLACEMENT;
    buffer_append(out, bytes, utf8_encode(c, bytes));
    return n;
}

/* The string whose quote is at reader->at, without its escapes. One that never ends ends
 * with its line. */
static void take_string(struct reader *reader, struct buffer *out)
{
    const char *text = reader->text;
    size_t i = reader->at + 1;

    buffer_clear(out);
    while (i < reader->size && text[i] != '"' && text[i] != '\n') {
        if (text[i] == '\\') {
            i += append_escape(out, text + i, reader->size - i);
        } else {
            size_t n = 1;

            while (i + n < reader->size && memchr("\"\\\n", text[i + n], 3) == NULL)
                n++;
            buffer_append(out, text + i, n);
            i += n;
        }
    }
    reader->at = i < reader->size && text[i] == '"' ? i + 1 : i;
}

static int is_blob(const struct buffer *value)
{
    if (value->size <= MAX_BLOB_BYTES)
        return 0;
    for (size_t i = 0; i < value->size; i++)
        if ((unsigned char)value->data[i] <= ' ' || (unsigned char)value->data[i] >= 0x80)
            return 0;
    return 1;
}

/* ---- writing ----------------------------------------------------------- */

static struct container *container_of(struct reader *reader)
{
    return reader->depth > 0 && reader->depth <= MAX_DEPTH ? &reader->stack[reader->depth - 1]
                                                           : NULL;
}

/* Title, author, date and language of a document that is one object with such keys. */
static void take_metadata(struct reader *reader, const char *text, size_t size)
{
    struct extract *out = reader->writer->out;
    const char *key = reader->key.data;

    if (reader->depth != 1 || !reader->has_key || key == NULL)
        return;
    if (strcmp(key, "title") == 0 || strcmp(key, "name") == 0)
        metadata_set_title(out, text, size);
    else if (strcmp(key, "author") == 0)
        metadata_set_author(out, text, size);
    else if (strcmp(key, "date") == 0 || strcmp(key, "created") == 0 ||
             strcmp(key, "published") == 0)
        metadata_set_date(out, text, size);
    else if (strcmp(key, "language") == 0 || strcmp(key, "lang") == 0)
        metadata_set_language(out, text, size);
}

/* A value on a line of its own, behind its key. */
static void write_value(struct reader *reader, const char *text, size_t size)
{
    struct writer *writer = reader->writer;
    const size_t line = writer->line;

    take_metadata(reader, text, size);
    writer_break(writer, 1);
    if (reader->has_key && reader->key.size > 0) {
        writer_words(writer, reader->key.data, reader->key.size);
        writer_words(writer, ": ", 2);
    }
    /* Its own line breaks are the writer's to say in the text, and none in the file. */
    for (size_t i = 0, n; i < size; i += n + 1) {
        const char *end = memchr(text + i, '\n', size - i);

        n = end != NULL ? (size_t)(end - text) - i : size - i;
        writer->line = line;
        if (i > 0)
            writer_break(writer, n == 0 ? 2 : 1);
        writer_words(writer, text + i, n);
    }
    writer->line = line;
}

/* A key above a container. */
static void write_key(struct reader *reader, const struct container *here)
{
    struct writer *writer = reader->writer;
    const size_t line = writer->line;

    if (here->has_heading)
        writer_heading_begin(writer, here->level);
    else
        writer_break(writer, 1);
    writer_words(writer, reader->key.data, reader->key.size);
    if (here->has_heading)
        writer_heading_end(writer);
    else
        writer_words(writer, ":", 1);
    writer_break(writer, 1);
    writer->line = line;
}

static void begin_container(struct reader *reader, int is_object)
{
    const struct container *above = container_of(reader);
    const unsigned level = above != NULL ? above->level : 0;
    const int is_listed = above != NULL ? above->is_listed : reader->is_lines;
    const int has_key = reader->has_key && reader->key.size > 0;
    struct container *here;

    reader->has_key = 0;
    if (reader->depth++ >= MAX_DEPTH)
        return;
    here = container_of(reader);
    *here = (struct container){ .is_object = is_object,
                                .has_heading = has_key && !is_listed && level < WRITER_MAX_LEVEL,
                                .is_listed = is_listed || !is_object };
    here->level = level + (unsigned)here->has_heading;
    if (has_key)
        write_key(reader, here);
    else if (is_object)
        writer_break(reader->writer, 2); /* an element of a list: a paragraph */
}

static void end_container(struct reader *reader)
{
    struct container *here = container_of(reader);

    if (reader->depth == 0)
        return;
    if (here != NULL && here->has_heading)
        writer_heading(reader->writer, here->level, "", 0);
    else if (here != NULL && here->is_object)
        writer_break(reader->writer, 2);
    reader->depth--;
    reader->has_key = 0;
}

/* ---- tokens ------------------------------------------------------------ */

/* A string is a key when a colon follows it, in an object. */
static int is_key(const struct reader *reader)
{
    size_t i = reader->at;

    while (i < reader->size && (unsigned char)reader->text[i] <= ' ')
        i++;
    return i < reader->size && reader->text[i] == ':';
}

static void read_string(struct reader *reader)
{
    const struct container *here = container_of(reader);
    struct buffer swap;

    take_string(reader, &reader->value);
    if ((here == NULL || here->is_object) && !reader->has_key && is_key(reader)) {
        swap = reader->key;
        reader->key = reader->value;
        reader->value = swap;
        reader->has_key = 1;
        return;
    }
    if (reader->value.size > 0 && !is_blob(&reader->value))
        write_value(reader, reader->value.data, reader->value.size);
    reader->has_key = 0;
}

/* A number, true, false or null: worth reading behind a key. Lists of them are data. */
static void read_bare(struct reader *reader)
{
    const char *start = reader->text + reader->at;
    size_t n = 0;

    while (reader->at + n < reader->size && (unsigned char)start[n] > ' ' &&
           memchr(",:{}[]\"", start[n], 7) == NULL)
        n++;
    reader->at += n > 0 ? n : 1;
    if (reader->has_key && n > 0 && n < 64 && strncmp(start, "null", 4) != 0)
        write_value(reader, start, n);
    reader->has_key = 0;
}

/* Where the value at offset 0 ends, if it is an object or a list. */
static size_t first_end(const char *text, size_t size)
{
    size_t depth = 0;
    int in_string = 0;

    for (size_t i = 0; i < size; i++) {
        if (in_string) {
            if (text[i] == '\\')
                i++; /* whatever is escaped */
            else
                in_string = text[i] != '"' && text[i] != '\n';
        } else if (text[i] == '"') {
            in_string = 1;
        } else if (text[i] == '{' || text[i] == '[') {
            depth++;
        } else if ((text[i] == '}' || text[i] == ']') && depth-- <= 1) {
            return i + 1;
        }
    }
    return size;
}

static int is_lines(const char *text, size_t size)
{
    for (size_t i = first_end(text, size); i < size; i++)
        if (text[i] == '{' || text[i] == '[')
            return 1;
    return 0;
}

void json_extract(struct writer *writer, const char *text, size_t size)
{
    struct reader reader = { .writer = writer, .text = text, .size = size };

    reader.is_lines = is_lines(text, size);
    while (reader.at < size && !writer->out->text.failed) {
        const char c = text[reader.at];

        if (c == '"') {
            read_string(&reader);
        } else if (c == '{' || c == '[') {
            begin_container(&reader, c == '{');
            reader.at++;
        } else if (c == '}' || c == ']') {
            end_container(&reader);
            reader.at++;
        } else if ((unsigned char)c <= ' ' || c == ':' || c == ',') {
            writer->line += c == '\n';
            reader.at++;
        } else {
            read_bare(&reader);
        }
    }
    writer->out->text.failed |= reader.key.failed | reader.value.failed;
    buffer_reset(&reader.key);
    buffer_reset(&reader.value);
}
