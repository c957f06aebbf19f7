#include "document/writer.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

/* Past this many marks they are kept only this far apart, so that a file of nothing
 * but line breaks costs no more memory than its text. */
#define MANY_MARKS        (1u << 20)
#define SPARSE_MARK_BYTES 64

void extract_add_mark(struct extract *extract, size_t line)
{
    struct line_mark *last = extract->n_marks > 0 ? &extract->marks[extract->n_marks - 1] : NULL;

    if (last != NULL && last->offset == extract->text.size) {
        last->line = line;
        return;
    }
    if (extract->n_marks > MANY_MARKS && extract->text.size - last->offset < SPARSE_MARK_BYTES)
        return;
    if (extract->n_marks == extract->marks_capacity) {
        size_t capacity = extract->marks_capacity < 32 ? 32 : extract->marks_capacity * 2;
        struct line_mark *grown = memory_resize(extract->marks, capacity, sizeof *grown);

        if (grown == NULL) {
            extract->text.failed = 1; /* noticed with the text, at the end */
            return;
        }
        extract->marks = grown;
        extract->marks_capacity = capacity;
    }
    extract->marks[extract->n_marks++] =
        (struct line_mark){ .offset = extract->text.size, .line = line };
}

void extract_mark(struct extract *extract, size_t line)
{
    if (extract->n_marks == 0 || extract->marks[extract->n_marks - 1].line != line)
        extract_add_mark(extract, line);
}

/* Characters that are written without spaces between them. Hangul has spaces. */
static int is_cjk(uint32_t c)
{
    return (c >= 0x2e80 && c <= 0x312f) || (c >= 0x31a0 && c <= 0x4dbf) ||
           (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0xfe30 && c <= 0xfe4f) || (c >= 0xff01 && c <= 0xff60) ||
           (c >= 0x20000 && c <= 0x3ffff);
}

/* Marks for the eye that only keep words from being found. */
static int is_invisible(uint32_t c)
{
    return c == 0xad || c == 0x200b || c == 0xfeff || c == 0x2060;
}

/* Makes the text end with the line breaks that are due. */
static void end_block(struct writer *writer)
{
    struct buffer *text = &writer->out->text;
    size_t n = 0;

    while (n < writer->breaks && n < text->size && text->data[text->size - 1 - n] == '\n')
        n++;
    for (; text->size > 0 && n < writer->breaks; n++)
        buffer_append_char(text, '\n');
    writer->breaks = 0;
    writer->last = 0;
    writer->gap = GAP_NONE;
}

/* Writes what belongs between the last word and code point c. */
static void close_gap(struct writer *writer, uint32_t c)
{
    struct buffer *text = &writer->out->text;

    if (writer->breaks > 0)
        end_block(writer);
    if (writer->gap == GAP_CELL)
        buffer_append_text(text, " | ");
    else if (writer->last != 0 &&
             (writer->gap == GAP_SPACE ||
              (writer->gap == GAP_LINE_BREAK && !(is_cjk(writer->last) && is_cjk(c)))))
        buffer_append_char(text, ' ');
    writer->gap = GAP_NONE;
    extract_mark(writer->out, writer->line);
}

static void add_gap(struct writer *writer, enum writer_gap gap)
{
    if (gap > writer->gap)
        writer->gap = gap;
}

void writer_words(struct writer *writer, const char *text, size_t size)
{
    size_t n;

    for (size_t i = 0; i < size; i += n) {
        uint32_t c = utf8_decode(text + i, size - i, &n, NULL);

        if (c == '\n') {
            add_gap(writer, GAP_LINE_BREAK);
            writer->line++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == 0xa0) {
            add_gap(writer, GAP_SPACE);
        } else if (!is_invisible(c)) {
            if (writer->gap != GAP_NONE || writer->breaks > 0 || writer->last == 0)
                close_gap(writer, c);
            buffer_append(&writer->out->text, text + i, n);
            writer->last = c;
        }
    }
}

void writer_code_point(struct writer *writer, uint32_t code_point)
{
    char bytes[4];
    size_t line = writer->line;

    if (code_point == 0 || code_point > 0x10ffff || (code_point >= 0xd800 && code_point < 0xe000))
        code_point = UTF8_REPLACEMENT;
    writer_words(writer, bytes, utf8_encode(code_point, bytes));
    writer->line = line; /* a line break written as an entity is none in the file */
}

void writer_verbatim(struct writer *writer, const char *text, size_t size)
{
    while (size > 0) {
        const char *line_end = memchr(text, '\n', size);
        size_t n = line_end != NULL ? (size_t)(line_end - text) + 1 : size;

        if (writer->breaks > 0)
            end_block(writer);
        extract_mark(writer->out, writer->line);
        buffer_append(&writer->out->text, text, n);
        writer->line += line_end != NULL;
        writer->last = 0;
        writer->gap = GAP_NONE;
        text += n;
        size -= n;
    }
}

void writer_break(struct writer *writer, unsigned n)
{
    if (n > writer->breaks)
        writer->breaks = n;
    writer->gap = GAP_NONE;
}

void writer_cell(struct writer *writer)
{
    if (writer->breaks == 0 && writer->last != 0)
        writer->gap = GAP_CELL;
}

void writer_finish(struct writer *writer)
{
    struct buffer *text = &writer->out->text;

    while (text->size > 0 && (text->data[text->size - 1] == '\n' ||
                              text->data[text->size - 1] == ' '))
        text->size--;
    if (text->size > 0)
        buffer_append_char(text, '\n');
}
