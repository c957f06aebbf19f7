#include "document/extract_markdown.h"

#include <limits.h>
#include <md4c.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "document/extract_html.h"
#include "document/metadata.h"

/* Bytes of link definitions that md4c may copy: about a second of them. */
#define MAX_COPIED_BYTES 1000000000u
/* Lists looked at for all blank lines together: some tenths of a second. */
#define MAX_LISTS_LOOKED_AT 100000000u

struct markdown {
    struct writer *writer;
    const char *text; /* what md4c was given */
    size_t size;
    size_t at, line;   /* the line of the file that offset at is on */
    int in_code;       /* a block of it */
    int in_html;
    struct buffer html; /* the raw HTML of one block */
    size_t html_line;
    size_t list_depth;
    unsigned heading_level; /* 0: within none */
    size_t heading_start;
    unsigned title_level; /* of the heading that is the title so far */
};

/* The line of the file that a piece of text is on; md4c points into its input
 * except for a few constants. */
static void find_line(struct markdown *md, const char *text)
{
    size_t offset;

    if ((uintptr_t)text < (uintptr_t)md->text || (uintptr_t)text > (uintptr_t)md->text + md->size)
        return;
    offset = (size_t)(text - md->text);
    for (; md->at < offset; md->at++)
        md->line += md->text[md->at] == '\n';
    md->writer->line = md->line;
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *data)
{
    struct markdown *md = data;

    switch (type) {
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        writer_break(md->writer, md->list_depth++ > 0 ? 1 : 2);
        break;
    case MD_BLOCK_LI:
    case MD_BLOCK_TR:
        writer_break(md->writer, 1);
        break;
    case MD_BLOCK_TD:
    case MD_BLOCK_TH:
        writer_cell(md->writer);
        break;
    case MD_BLOCK_H:
        md->heading_level = ((const MD_BLOCK_H_DETAIL *)detail)->level;
        md->heading_start = md->writer->out->text.size;
        writer_heading_begin(md->writer, md->heading_level);
        break;
    case MD_BLOCK_CODE:
        writer_break(md->writer, 2);
        md->in_code = 1;
        break;
    case MD_BLOCK_HTML:
        writer_break(md->writer, 2);
        md->in_html = 1;
        buffer_clear(&md->html);
        break;
    case MD_BLOCK_P:
    case MD_BLOCK_QUOTE:
    case MD_BLOCK_HR:
    case MD_BLOCK_TABLE:
        writer_break(md->writer, 2);
        break;
    default:
        break;
    }
    return 0;
}

/* The heading just written, as the title when none of its level came before. */
static void take_title(struct markdown *md)
{
    struct extract *out = md->writer->out;
    size_t start = md->heading_start;

    if (md->title_level != 0 && (md->heading_level > 1 || md->title_level == 1))
        return;
    while (start < out->text.size && out->text.data[start] == '\n')
        start++;
    if (start == out->text.size || out->text.failed)
        return;
    md->title_level = md->heading_level;
    buffer_clear(&out->title);
    buffer_append(&out->title, out->text.data + start, out->text.size - start);
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *data)
{
    struct markdown *md = data;

    (void)detail;
    switch (type) {
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        writer_break(md->writer, --md->list_depth > 0 ? 1 : 2);
        break;
    case MD_BLOCK_LI:
    case MD_BLOCK_TR:
        writer_break(md->writer, 1);
        break;
    case MD_BLOCK_H:
        take_title(md);
        md->heading_level = 0;
        writer_heading_end(md->writer);
        break;
    case MD_BLOCK_CODE:
        md->in_code = 0;
        writer_break(md->writer, 2);
        break;
    case MD_BLOCK_HTML:
        md->in_html = 0;
        md->writer->line = md->html_line;
        html_write(md->writer, md->html.data, md->html.size);
        writer_break(md->writer, 2);
        break;
    case MD_BLOCK_P:
    case MD_BLOCK_QUOTE:
    case MD_BLOCK_TABLE:
        writer_break(md->writer, 2);
        break;
    default:
        break;
    }
    return md->html.failed || md->writer->out->text.failed;
}

static int span(MD_SPANTYPE type, void *detail, void *data)
{
    (void)type, (void)detail, (void)data;
    return 0;
}

static int is_line_break_tag(const char *text, size_t size)
{
    return size >= 4 && text[0] == '<' && (text[1] | 0x20) == 'b' && (text[2] | 0x20) == 'r' &&
           (text[3] == '>' || text[3] == '/' || text[3] == ' ');
}

static int write_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *data)
{
    struct markdown *md = data;
    size_t n_entity;
    uint32_t c;

    find_line(md, text);
    switch (type) {
    case MD_TEXT_BR:
        writer_break(md->writer, 1);
        break;
    case MD_TEXT_SOFTBR:
        writer_words(md->writer, "\n", 1);
        break;
    case MD_TEXT_ENTITY:
        c = html_entity(text, size, &n_entity);
        if (c != 0)
            writer_code_point(md->writer, c);
        else
            writer_words(md->writer, text, size);
        break;
    case MD_TEXT_HTML:
        if (md->in_html && md->html.size == 0)
            md->html_line = md->writer->line;
        if (md->in_html)
            buffer_append(&md->html, text, size);
        else if (is_line_break_tag(text, size))
            writer_break(md->writer, 1);
        break;
    default:
        if (md->in_code)
            writer_verbatim(md->writer, text, size);
        else
            writer_words(md->writer, text, size);
        break;
    }
    return md->html.failed || md->writer->out->text.failed;
}

/* ---- front matter ------------------------------------------------------ */

static size_t line_size(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);

    return end == NULL ? size : (size_t)(end - text) + 1;
}

static int is_marker(const char *text, size_t size, const char *marker)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
        size--;
    return size == 3 && memcmp(text, marker, 3) == 0;
}

/* The value of a line "key: value", without quotes. 0 when the line has another key. */
static int value_of_key(const char *text, size_t size, const char *key, const char **value,
                        size_t *value_size)
{
    const size_t n = strlen(key);

    if (size <= n || strncasecmp(text, key, n) != 0 || text[n] != ':')
        return 0;
    text += n + 1;
    size -= n + 1;
    while (size > 0 && (*text == ' ' || *text == '\t'))
        text++, size--;
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
        size--;
    if (size >= 2 && (*text == '"' || *text == '\'') && text[size - 1] == *text)
        text++, size -= 2;
    *value = text;
    *value_size = size;
    return 1;
}

static void read_front_line(struct extract *out, const char *text, size_t size)
{
    const char *value;
    size_t n;

    if (value_of_key(text, size, "title", &value, &n)) {
        buffer_clear(&out->title);
        metadata_set_title(out, value, n);
    } else if (value_of_key(text, size, "author", &value, &n)) {
        metadata_set_author(out, value, n);
    } else if (value_of_key(text, size, "date", &value, &n)) {
        metadata_set_date(out, value, n);
    } else if (value_of_key(text, size, "lang", &value, &n) ||
               value_of_key(text, size, "language", &value, &n)) {
        metadata_set_language(out, value, n);
    }
}

/* Bytes of the YAML between two lines of "---" that the text begins with, or 0. What
 * it says of the document is kept. */
static size_t read_front_matter(struct writer *writer, const char *text, size_t size)
{
    size_t i = line_size(text, size), end = 0, n;

    if (size == 0 || !is_marker(text, i, "---"))
        return 0;
    for (size_t j = i; end == 0 && j < size; j += n) {
        n = line_size(text + j, size - j);
        if (is_marker(text + j, n, "---") || is_marker(text + j, n, "..."))
            end = j + n;
    }
    for (size_t j = i; j < end; j += n) {
        n = line_size(text + j, end - j);
        read_front_line(writer->out, text + j, n);
    }
    return end;
}

/* ---- the whole --------------------------------------------------------- */

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* How many bytes from text on begin an item of a list or a quote, or 0. */
static size_t marker_size(const char *text, size_t size)
{
    size_t n = 0;

    if (size > 0 && text[0] == '>')
        return 1;
    while (n < size && n < 9 && text[n] >= '0' && text[n] <= '9')
        n++;
    if (n == size || strchr(n > 0 ? ".)" : "-+*", text[n]) == NULL)
        return 0;
    n++;
    return n == size || is_blank(text[n]) ? n : 0;
}

/* How deep in lists a line can be: by those that begin on it, and by its indentation, of
 * which each one around it needs two columns. */
static size_t depth_of_line(const char *text, size_t size)
{
    size_t n_columns = 0, n_markers = 0, n, i = 0;

    while (i < size) {
        if (text[i] == ' ' || text[i] == '\t') {
            n_columns += text[i++] == '\t' ? 4 : 1;
        } else {
            n = marker_size(text + i, size - i);
            if (n == 0)
                break;
            n_markers++;
            i += n;
        }
    }
    return n_columns / 2 + n_markers;
}

/* A blank line is looked at once for each list that may go on behind it. */
static int lists_are_tame(const char *text, size_t size)
{
    size_t deepest = 0, n_blank = 0;

    for (size_t i = 0, n; i < size; i += n) {
        const size_t depth = depth_of_line(text + i, n = line_size(text + i, size - i));

        if (depth > deepest)
            deepest = depth;
        n_blank += n == 1 || is_blank(text[i]);
    }
    return n_blank == 0 || deepest < MAX_LISTS_LOOKED_AT / n_blank;
}

int markdown_is_tame(const char *text, size_t size)
{
    size_t n_uses = 0, longest = 0, start = 0;
    int within = 0; /* a paragraph with a definition in it: as long as one can be */

    if (size > UINT_MAX)
        return 0;
    for (size_t i = 0; i < size; i++) {
        n_uses += text[i] == ']';
        if (text[i] == ']' && i + 1 < size && text[i + 1] == ':' && !within) {
            within = 1;
            start = i;
        }
        if (within && (i + 1 == size || (text[i] == '\n' && text[i + 1] == '\n'))) {
            within = 0;
            if (i - start > longest)
                longest = i - start;
        }
    }
    return (n_uses == 0 || longest < MAX_COPIED_BYTES / n_uses) && lists_are_tame(text, size);
}

int markdown_extract(struct writer *writer, const char *text, size_t size, ernie_error *err)
{
    /* Links without brackets would be links without changing a word: not asked for. */
    const MD_PARSER parser = { .flags = MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS,
                               .enter_block = enter_block,
                               .leave_block = leave_block,
                               .enter_span = span,
                               .leave_span = span,
                               .text = write_text };
    size_t front = read_front_matter(writer, text, size);
    struct markdown md = { .writer = writer, .text = text, .size = size, .line = 1 };
    int status;

    if (writer->out->title.size > 0)
        md.title_level = 1;
    find_line(&md, text + front);
    status = md_parse(text + front, (MD_SIZE)(size - front), &parser, &md);
    buffer_reset(&md.html);
    /* md4c stops for nothing but its memory and ours. */
    return status == 0 ? ERNIE_OK : error_set(err, ERNIE_ENOMEM, "markdown: out of memory");
}
