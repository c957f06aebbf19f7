#include "document/writer.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

/* Past this many marks they are kept only this far apart, so that a file of nothing
 * but line breaks costs no more memory than its text. */
#define MANY_MARKS        (1u << 20)
#define SPARSE_MARK_BYTES 64

/* Past this many sections the rest of the text belongs to the last one: nobody wrote so many
 * headings by hand. */
#define MANY_SECTIONS 65536
/* Of a heading in a path. */
#define MAX_HEADING_BYTES 120
#define REPLACEMENT "\xef\xbf\xbd"

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
        int valid = 1;
        uint32_t c = utf8_decode(text + i, size - i, &n, &valid);

        if (c == '\n') {
            add_gap(writer, GAP_LINE_BREAK);
            writer->line++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == 0xa0) {
            add_gap(writer, GAP_SPACE);
        } else if (!is_invisible(c)) {
            if (writer->gap != GAP_NONE || writer->breaks > 0 || writer->last == 0)
                close_gap(writer, c);
            if (valid && c != 0)
                buffer_append(&writer->out->text, text + i, n);
            else
                buffer_append(&writer->out->text, REPLACEMENT, 3);
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

/* ---- sections ---------------------------------------------------------- */

/* Appends the names of all levels, joined, and says where they begin. */
static size_t append_path(struct writer *writer)
{
    struct buffer *headings = &writer->out->headings;
    size_t start;

    if (headings->size == 0)
        buffer_append_char(headings, '\0'); /* the path of what stands below no heading */
    start = headings->size;
    for (unsigned i = 0; i < WRITER_MAX_LEVEL; i++) {
        if (writer->headings[i].size == 0)
            continue;
        if (headings->size > start)
            buffer_append_text(headings, EXTRACT_HEADING_SEPARATOR);
        /* Room first: the name is in the memory that appending may move. */
        if (buffer_reserve(headings, writer->headings[i].size) != NULL)
            buffer_append(headings, headings->data + writer->headings[i].offset,
                          writer->headings[i].size);
    }
    if (headings->size == start)
        return 0;
    buffer_append_char(headings, '\0');
    return start;
}

static void add_section(struct writer *writer, size_t offset, size_t heading, unsigned level)
{
    struct extract *out = writer->out;
    const struct section section = {
        .offset = offset, .heading = heading, .page = writer->page, .level = level
    };

    if (out->n_sections > 0 && out->sections[out->n_sections - 1].offset >= offset) {
        /* A page that begins with a heading begins with that. */
        out->sections[out->n_sections - 1] = section;
        return;
    }
    if (out->n_sections == out->sections_capacity) {
        size_t capacity = out->sections_capacity < 16 ? 16 : out->sections_capacity * 2;
        struct section *grown = memory_resize(out->sections, capacity, sizeof *grown);

        if (grown == NULL) {
            out->text.failed = 1; /* noticed with the text, at the end */
            return;
        }
        out->sections = grown;
        out->sections_capacity = capacity;
    }
    out->sections[out->n_sections++] = section;
}

/* A name of one line becomes the heading of its level, and those below it end. */
static void set_heading(struct writer *writer, unsigned level, const char *name, size_t size,
                        size_t offset)
{
    struct buffer *headings = &writer->out->headings;
    int space = 0;
    size_t start;

    if (writer->out->n_sections >= MANY_SECTIONS)
        return;
    if (headings->size == 0)
        buffer_append_char(headings, '\0');
    start = headings->size;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)name[i] <= ' ') {
            space = headings->size > start;
            continue;
        }
        if (headings->size - start >= MAX_HEADING_BYTES && ((unsigned char)name[i] & 0xc0) != 0x80)
            break; /* before a whole character */
        if (space)
            buffer_append_char(headings, ' ');
        space = 0;
        buffer_append_char(headings, name[i]);
    }
    if (headings->failed) {
        writer->out->text.failed = 1;
        return;
    }
    for (unsigned i = level; i < WRITER_MAX_LEVEL; i++)
        writer->headings[i].size = 0;
    writer->headings[level - 1].offset = start;
    writer->headings[level - 1].size = headings->size - start;
    buffer_append_char(headings, '\0');
    add_section(writer, offset, append_path(writer), level);
    writer->out->text.failed |= headings->failed;
}

static unsigned known_level(unsigned level)
{
    return level == 0 ? 1 : level > WRITER_MAX_LEVEL ? WRITER_MAX_LEVEL : level;
}

void writer_heading_begin(struct writer *writer, unsigned level)
{
    writer_heading_end(writer);
    writer_break(writer, 2);
    writer->heading_level = known_level(level);
    writer->heading_start = writer->out->text.size;
}

void writer_heading_end(struct writer *writer)
{
    const struct buffer *text = &writer->out->text;
    size_t start = writer->heading_start, size;

    if (writer->heading_level == 0)
        return;
    while (start < text->size && (text->data[start] == '\n' || text->data[start] == ' '))
        start++;
    size = text->size - start;
    if (size > 0 && !text->failed)
        set_heading(writer, writer->heading_level, text->data + start, size, start);
    writer->heading_level = 0;
    writer_break(writer, 2);
}

void writer_heading(struct writer *writer, unsigned level, const char *name, size_t size)
{
    writer_break(writer, 2);
    set_heading(writer, known_level(level), name, size, writer->out->text.size);
}

void writer_section(struct writer *writer, size_t offset, unsigned level, const char *name,
                    size_t size)
{
    set_heading(writer, known_level(level), name, size, offset);
}

void writer_page(struct writer *writer, unsigned page)
{
    const struct extract *out = writer->out;
    const size_t n = out->n_sections;

    writer->page = page;
    if (n < MANY_SECTIONS)
        add_section(writer, out->text.size, n > 0 ? out->sections[n - 1].heading : 0, 0);
}

void writer_finish(struct writer *writer)
{
    struct buffer *text = &writer->out->text;

    writer_heading_end(writer);
    while (text->size > 0 && (text->data[text->size - 1] == '\n' ||
                              text->data[text->size - 1] == ' '))
        text->size--;
    if (text->size > 0)
        buffer_append_char(text, '\n');
}
