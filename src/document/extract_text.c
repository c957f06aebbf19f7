#include "document/extract_text.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "document/metadata.h"
#include "document/writer.h"

/* From one mark to the next, be they of one line: extract_line counts the line breaks in
 * between. */
#define MARK_BYTES 1024
/* A longer line is no heading. */
#define MAX_HEADING_BYTES 200
/* Ways to underline a heading in one text, each a level of its own. */
#define MAX_UNDERLINES 6

void text_mark_lines(struct extract *out)
{
    const size_t size = out->text.size;
    size_t line = 1, at = 0;

    /* extract_add_mark notes the end of the text as it stands: let it grow again. */
    for (size_t i = 0; i < size; i++) {
        if (i == at) {
            out->text.size = i;
            extract_add_mark(out, line);
            at += MARK_BYTES;
        }
        line += out->text.data[i] == '\n';
    }
    out->text.size = size;
}

/* ---- lines ------------------------------------------------------------- */

struct line {
    const char *text;
    size_t size; /* without its line break and the space before that */
};

struct outline {
    struct writer *writer;
    struct line before, line, next; /* "" past the ends */
    struct {
        char mark;
        int has_overline;
    } underlines[MAX_UNDERLINES]; /* in the order they were met, which is that of the levels */
    unsigned n_underlines;
};

static struct line line_at(const char *text, size_t size, size_t at)
{
    const char *end = at < size ? memchr(text + at, '\n', size - at) : NULL;
    struct line line = { text + at, at >= size ? 0 : end != NULL ? (size_t)(end - text) - at
                                                                 : size - at };

    while (line.size > 0 && (unsigned char)line.text[line.size - 1] <= ' ')
        line.size--;
    return line;
}

static int starts_with(const struct line *line, const char *what)
{
    return line->size >= strlen(what) && strncasecmp(line->text, what, strlen(what)) == 0;
}

/* What is behind the first n bytes of a line and the space there. */
static struct line rest_of(const struct line *line, size_t n)
{
    struct line rest = { line->text + n, line->size - n };

    while (rest.size > 0 && (unsigned char)*rest.text <= ' ')
        rest.text++, rest.size--;
    return rest;
}

static void add_heading(struct outline *outline, unsigned level, const struct line *name)
{
    const struct extract *out = outline->writer->out;

    if (name->size > 0 && name->size <= MAX_HEADING_BYTES)
        writer_section(outline->writer, (size_t)(outline->line.text - out->text.data), level,
                       name->text, name->size);
}

/* ---- Org, AsciiDoc, LaTeX ---------------------------------------------- */

/* "** heading": as many marks as the level, then a space. */
static void read_marked(struct outline *outline, char mark)
{
    const struct line *line = &outline->line;
    size_t n = 0;
    struct line name;

    while (n < line->size && line->text[n] == mark)
        n++;
    if (n == 0 || n > 8 || n >= line->size || line->text[n] != ' ')
        return;
    name = rest_of(line, n);
    add_heading(outline, (unsigned)n, &name);
    if (mark == '=' && n == 1)
        metadata_set_title(outline->writer->out, name.text, name.size);
}

static void read_org(struct outline *outline)
{
    static const struct {
        const char *key;
        void (*set)(struct extract *, const char *, size_t);
    } keys[] = { { "#+title:", metadata_set_title },
                 { "#+author:", metadata_set_author },
                 { "#+date:", metadata_set_date },
                 { "#+language:", metadata_set_language } };
    struct line value;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!starts_with(&outline->line, keys[i].key))
            continue;
        value = rest_of(&outline->line, strlen(keys[i].key));
        if (value.size > 0 && (*value.text == '<' || *value.text == '[')) /* dates stand in them */
            value = rest_of(&value, 1);
        keys[i].set(outline->writer->out, value.text, value.size);
    }
    read_marked(outline, '*');
}

/* The argument of "\name{argument}", or of "\name*{argument}"; 0 when the line begins with
 * another command. */
static int tex_argument(const struct line *line, const char *name, struct line *out)
{
    const size_t n = strlen(name);
    size_t i = n + 1, depth = 1, start;

    if (line->size < n + 3 || line->text[0] != '\\' || memcmp(line->text + 1, name, n) != 0)
        return 0;
    i += line->text[i] == '*';
    if (line->text[i] != '{')
        return 0;
    start = ++i;
    while (i < line->size && depth > 0) {
        depth += line->text[i] == '{';
        depth -= line->text[i] == '}';
        i++;
    }
    *out = (struct line){ line->text + start, i - start - (depth == 0) };
    return 1;
}

static void read_tex(struct outline *outline)
{
    static const char *const levels[] = { "part",       "chapter",       "section",
                                          "subsection", "subsubsection", "paragraph" };
    struct extract *out = outline->writer->out;
    struct line name, line = rest_of(&outline->line, 0);

    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
        if (tex_argument(&line, levels[i], &name))
            add_heading(outline, i + 1, &name);
    if (tex_argument(&line, "title", &name))
        metadata_set_title(out, name.text, name.size);
    else if (tex_argument(&line, "author", &name))
        metadata_set_author(out, name.text, name.size);
    else if (tex_argument(&line, "date", &name))
        metadata_set_date(out, name.text, name.size);
}

/* ---- underlined and numbered ------------------------------------------- */

/* The character that a line consists of, at least three times; '\0' when there is none. */
static char line_of(const struct line *line)
{
    const char mark = line->size >= 3 ? line->text[0] : '\0';

    if (mark == '\0' || strchr("=-~^*#\"'`:._+<>", mark) == NULL)
        return '\0';
    for (size_t i = 0; i < line->size; i++)
        if (line->text[i] != mark)
            return '\0';
    return mark;
}

static size_t columns(const struct line *line)
{
    size_t n_columns = 0, n;

    for (size_t i = 0; i < line->size; i += n)
        n_columns += utf8_decode(line->text + i, line->size - i, &n, NULL) >= 0x1100 ? 2 : 1;
    return n_columns;
}

static unsigned level_of_underline(struct outline *outline, char mark, int has_overline)
{
    for (unsigned i = 0; i < outline->n_underlines; i++)
        if (outline->underlines[i].mark == mark &&
            outline->underlines[i].has_overline == has_overline)
            return i + 1;
    if (outline->n_underlines == MAX_UNDERLINES)
        return MAX_UNDERLINES;
    outline->underlines[outline->n_underlines].mark = mark;
    outline->underlines[outline->n_underlines].has_overline = has_overline;
    return ++outline->n_underlines;
}

static int is_underlined(const struct outline *outline, char *mark, int *has_overline)
{
    const struct line *line = &outline->line;

    *mark = line_of(&outline->next);
    *has_overline = *mark != '\0' && line_of(&outline->before) == *mark;
    if (*mark == '\0' || line->size == 0 || line_of(line) != '\0' ||
        outline->next.size + 2 < columns(line))
        return 0;
    /* Rules above and below a row of a table are wider. A paragraph's last line, with a rule
     * below the whole, is no heading. */
    return outline->next.size <= columns(line) + 40 &&
           (outline->before.size == 0 || *has_overline);
}

/* 第十二章, 第3回, at the start of a line: its level, or 0. */
static unsigned level_of_chinese(const struct line *line)
{
    static const struct {
        const char *unit;
        unsigned level;
    } units[] = { { "部", 1 }, { "卷", 1 }, { "篇", 1 }, { "编", 1 },
                  { "章", 2 }, { "回", 2 }, { "讲", 2 }, { "节", 3 } };
    static const char digits[] = "零〇一二三四五六七八九十百千两壹贰叁肆伍陆柒捌玖拾";
    size_t i = strlen("第"), n, n_digits = 0;

    if (!starts_with(line, "第") || columns(line) > 80)
        return 0;
    for (; i < line->size; i += n, n_digits++) {
        utf8_decode(line->text + i, line->size - i, &n, NULL);
        if (!(n == 1 && ((line->text[i] >= '0' && line->text[i] <= '9') || line->text[i] == ' ')) &&
            !(n == 3 && memmem(digits, sizeof digits - 1, line->text + i, n) != NULL))
            break;
    }
    for (size_t j = 0; n_digits > 0 && j < sizeof units / sizeof *units; j++)
        if (line->size - i >= 3 && memcmp(line->text + i, units[j].unit, 3) == 0) {
            i += 3;
            /* "第一章里说" is a sentence. */
            return i == line->size || (unsigned char)line->text[i] <= ' ' ||
                           memcmp(line->text + i, "\xe3\x80\x80", 3) == 0 ||
                           line->text[i] == ':' || memcmp(line->text + i, "：", 3) == 0
                       ? units[j].level
                       : 0;
        }
    return 0;
}

/* "CHAPTER IV", "Part 2: the sea" between blank lines: its level, or 0. */
static unsigned level_of_english(const struct line *line)
{
    static const char *const words[] = { "part ", "chapter " };

    for (unsigned i = 0; i < 2; i++) {
        size_t n = strlen(words[i]);

        if (!starts_with(line, words[i]) || line->size > 80)
            continue;
        while (n < line->size && ((line->text[n] >= '0' && line->text[n] <= '9') ||
                                  strchr("IVXLC", line->text[n]) != NULL))
            n++;
        if (n > strlen(words[i]) && (n == line->size || strchr(" .:", line->text[n]) != NULL))
            return i + 1;
    }
    return 0;
}

static void read_plain(struct outline *outline)
{
    const struct line name = rest_of(&outline->line, 0);
    int has_overline;
    unsigned level;
    char mark;

    if (name.size == 0 || name.size > MAX_HEADING_BYTES)
        return;
    if (is_underlined(outline, &mark, &has_overline)) {
        add_heading(outline, level_of_underline(outline, mark, has_overline), &name);
        return;
    }
    level = level_of_chinese(&name);
    if (level == 0 && outline->before.size == 0 && outline->next.size == 0)
        level = level_of_english(&name);
    if (level > 0)
        add_heading(outline, level, &name);
}

void text_mark_headings(struct extract *out, const char *name)
{
    static const struct {
        const char *extension;
        void (*read)(struct outline *);
    } kinds[] = { { ".org", read_org }, { ".tex", read_tex }, { ".latex", read_tex } };
    static const char *const asciidoc[] = { ".adoc", ".asciidoc" };
    const char *dot = strrchr(name, '.');
    void (*read)(struct outline *) = read_plain;
    struct writer writer = { .out = out };
    struct outline outline = { .writer = &writer };
    int is_asciidoc = 0;

    for (size_t i = 0; dot != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (strcasecmp(dot, kinds[i].extension) == 0)
            read = kinds[i].read;
    for (size_t i = 0; dot != NULL && i < sizeof asciidoc / sizeof *asciidoc; i++)
        is_asciidoc |= strcasecmp(dot, asciidoc[i]) == 0;
    outline.next = line_at(out->text.data, out->text.size, 0);
    for (size_t i = 0; i < out->text.size;) {
        const char *end = memchr(out->text.data + i, '\n', out->text.size - i);

        i = end != NULL ? (size_t)(end - out->text.data) + 1 : out->text.size;
        outline.before = outline.line;
        outline.line = outline.next;
        outline.next = line_at(out->text.data, out->text.size, i);
        if (is_asciidoc)
            read_marked(&outline, '=');
        else
            read(&outline);
    }
}
