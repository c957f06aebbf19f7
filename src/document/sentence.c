#include "document/sentence.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define MAX_WRAP_COLUMNS    120 /* wider lines are not broken by hand */
#define MIN_WRAP_COLUMNS    40
#define MAX_HEADING_COLUMNS 80

/* ---- characters -------------------------------------------------------- */

static int is_space_code_point(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x3000;
}

int space_at(const char *text, size_t size, size_t *n_bytes)
{
    return is_space_code_point(utf8_decode(text, size, n_bytes, NULL));
}

static int is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xd7a3) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe4f) ||
           (c >= 0xff01 && c <= 0xff60) || (c >= 0xffe0 && c <= 0xffe6) ||
           (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3ffff);
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* 。！？； and their narrow and small forms: these end a sentence whatever follows. */
static int is_full_stop(uint32_t c)
{
    return c == 0x3002 || c == 0xff01 || c == 0xff1f || c == 0xff1b || c == 0xff61;
}

static int is_stop(uint32_t c)
{
    return is_full_stop(c) || c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0xff0e ||
           c == 0x203c || (c >= 0x2047 && c <= 0x2049);
}

static int is_closing(uint32_t c)
{
    switch (c) {
    case '"': case '\'': case ')': case ']': case '}': case 0xbb:
    case 0x2019: case 0x201d: case 0x203a: case 0x3009: case 0x300b: case 0x300d:
    case 0x300f: case 0x3011: case 0x3015: case 0x3017: case 0xff02: case 0xff07:
    case 0xff09: case 0xff3d: case 0xff5d: case 0xff63:
        return 1;
    default:
        return 0;
    }
}

static size_t columns(const char *text, size_t size)
{
    size_t n, n_columns = 0;

    for (size_t i = 0; i < size; i += n) {
        uint32_t c = utf8_decode(text + i, size - i, &n, NULL);

        n_columns += c == '\t' ? 8 - n_columns % 8 : is_wide(c) ? 2 : 1;
    }
    return n_columns;
}

/* ---- paragraphs -------------------------------------------------------- */

/* The end of the line at offset at; *blank: whether it holds white space only. */
static size_t line_end(const char *text, size_t size, size_t at, int *blank)
{
    const char *found = memchr(text + at, '\n', size - at);
    size_t end = found != NULL ? (size_t)(found - text) : size, n;

    *blank = 1;
    for (size_t i = at; *blank && i < end; i += n)
        *blank = space_at(text + i, end - i, &n);
    return end;
}

int paragraph_next(const char *text, size_t size, size_t at, struct paragraph *out)
{
    int blank = 1;
    size_t end = at;

    memset(out, 0, sizeof *out);
    while (at < size && blank) {
        end = line_end(text, size, at, &blank);
        if (blank)
            at = end + 1;
    }
    if (at >= size)
        return 0;
    out->start = at;
    while (!blank) {
        size_t width = columns(text + at, end - at);

        if (width > out->width)
            out->width = width;
        out->n_lines++;
        out->end = end;
        if (end >= size)
            break;
        at = end + 1;
        end = line_end(text, size, at, &blank);
    }
    return 1;
}

int paragraph_is_heading(const char *text, const struct paragraph *paragraph)
{
    size_t end = paragraph->end, start;
    uint32_t c;
    size_t n;

    if (paragraph->n_lines > 2 || paragraph->width > MAX_HEADING_COLUMNS)
        return 0;
    /* The second line may only be what underlines the first. */
    if (paragraph->n_lines == 2) {
        const char *second = memchr(text + paragraph->start, '\n', end - paragraph->start);
        size_t size = (size_t)(text + end - second) - 1;

        if (strspn(second + 1, "=-~^*#") < (size > 0 ? size : 1))
            return 0;
        return 1;
    }
    while (end > paragraph->start && (text[end - 1] == ' ' || text[end - 1] == '\t'))
        end--;
    start = utf8_floor(text, end - 1);
    c = utf8_decode(text + start, end - start, &n, NULL);
    return !is_stop(c) && !is_closing(c) && strchr(",;:|", text[end - 1]) == NULL && c != 0xff0c &&
           c != 0xff1a && c != 0x3001;
}

/* ---- line breaks ------------------------------------------------------- */

static size_t indentation(const char *text, size_t size)
{
    size_t n = 0;

    while (n < size && (text[n] == ' ' || text[n] == '\t'))
        n++;
    return n;
}

/* Items of lists, rows of tables, and lines that are no prose by their first sign. */
static int begins_an_item(const char *text, size_t size)
{
    static const char *const bullets[] = { "\xe2\x80\xa2", "\xc2\xb7", "\xe2\x97\x8f", "\xe2\x97\x8b",
                                           "\xe2\x96\xa0", "\xe2\x80\x93", "\xe2\x97\x86" };
    size_t n = 0;

    if (size == 0)
        return 0;
    if (strchr("-*+", text[0]) != NULL)
        return size == 1 || text[1] == ' ' || text[1] == '\t';
    if (strchr("|#>$", text[0]) != NULL)
        return 1;
    for (size_t i = 0; i < sizeof bullets / sizeof *bullets; i++)
        if (size > strlen(bullets[i]) && memcmp(text, bullets[i], strlen(bullets[i])) == 0)
            return 1;
    if (text[0] == '(')
        n++;
    while (n < size && n < 4 && is_digit(text[n]))
        n++;
    if (n == 0 || (n == 1 && text[0] == '('))
        return 0;
    if (n + 1 < size && (text[n] == '.' || text[n] == ')') && text[n + 1] == ' ')
        return 1;
    return n + 2 < size && memcmp(text + n, "\xe3\x80\x81", 3) == 0; /* 1、 */
}

/* Columns of the first word, which a line must have room for; a Chinese character
 * can stand alone. */
static size_t first_word_columns(const char *text, size_t size)
{
    size_t n, n_columns = 0;

    for (size_t i = 0; i < size; i += n) {
        uint32_t c = utf8_decode(text + i, size - i, &n, NULL);

        if (is_space_code_point(c))
            break;
        if (is_wide(c))
            return n_columns > 0 ? n_columns : 2;
        n_columns++;
    }
    return n_columns;
}

/* Whether the line [start, end) was broken because it was full, so that the sentence
 * goes on behind its line break. */
static int is_wrapped(const char *text, const struct paragraph *paragraph, size_t start, size_t end)
{
    const char *next = text + end + 1;
    size_t next_size = paragraph->end - (end + 1), indent, next_indent, width, word;

    if (paragraph->width > MAX_WRAP_COLUMNS || paragraph->width < MIN_WRAP_COLUMNS)
        return 0;
    indent = indentation(text + start, end - start);
    next_indent = indentation(next, next_size);
    /* The first line of a paragraph may be indented, that of an item outdented. */
    if (indent != next_indent && start != paragraph->start &&
        !begins_an_item(text + start + indent, end - start - indent))
        return 0;
    next += next_indent;
    next_size -= next_indent;
    if (begins_an_item(next, next_size))
        return 0;
    width = columns(text + start, end - start);
    word = first_word_columns(next, next_size);
    /* Chinese lines end early, by a character and the mark that may not begin one. */
    return width >= MIN_WRAP_COLUMNS && width + 1 + word + 3 > paragraph->width;
}

/* ---- sentences --------------------------------------------------------- */

/* Abbreviations that a name or number follows, so that a capital after them starts no
 * sentence. Those that may end one ("etc.", "Inc.") are told by what follows. */
static int is_abbreviation(const char *word, size_t size)
{
    static const char *const words[] = {
        "e.g", "i.e", "cf",  "vs",  "viz", "Mr",  "Mrs", "Ms",  "Dr",  "Prof", "Rev", "Gen",
        "Sen", "Gov", "St",  "Mt",  "Jr",  "Sr",  "Fig", "Figs", "Eq", "Sec",  "Ch",  "Vol",
        "Nr",  "pp",  "al",  "approx", "resp", "ca", "incl", "Jan", "Feb", "Aug", "Sept", "Oct",
        "Nov", "Dec",
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == size && strncasecmp(words[i], word, size) == 0)
            return 1;
    return 0;
}

/* Whether the point at text[at] belongs to the word before it: an abbreviation, an
 * initial, or the number of an item at the start of a line. */
static int point_is_of_word(const char *text, size_t start, size_t at)
{
    size_t word = at, n_digits = 0, before;

    while (word > start && at - word < 16 && (is_ascii_letter(text[word - 1]) ||
                                             is_digit(text[word - 1]) || text[word - 1] == '.'))
        word--;
    if (word == at)
        return 0;
    if (is_abbreviation(text + word, at - word))
        return 1;
    if (at - word == 1 && text[word] >= 'A' && text[word] <= 'Z')
        return text[word] != 'I'; /* "So do I." */
    while (word + n_digits < at && is_digit(text[word + n_digits]))
        n_digits++;
    if (n_digits != at - word || n_digits > 3)
        return 0;
    for (before = word; before > start && (text[before - 1] == ' ' || text[before - 1] == '\t');)
        before--;
    return before == start || text[before - 1] == '\n';
}

/* What follows a run of stops and closings at offset at: does a sentence end there?
 * first is the offset of the run, full whether one of it ends any sentence. */
static int stops_here(const char *text, size_t start, size_t end, size_t first, size_t at,
                      int full, int closed)
{
    size_t n, next = at;
    uint32_t c;

    if (full || at >= end)
        return 1;
    c = utf8_decode(text + at, end - at, &n, NULL);
    if (!is_space_code_point(c)) {
        /* 英文句点.中文 */
        return is_wide(c) && text[first] != '\xe2' && !is_digit(text[at - 1]) &&
               (first == start || !is_digit(text[first - 1]));
    }
    if (text[first] == '.' && at == first + 1 && point_is_of_word(text, start, first))
        return 0;
    while (next < end && space_at(text + next, end - next, &n))
        next += n;
    /* A small letter goes on: "etc. and", "(why?) because", "... so". */
    return next >= end || !(text[next] >= 'a' && text[next] <= 'z') ||
           (!closed && (text[first] == '!' || text[first] == '?'));
}

/* The end of the sentence if one ends with the stop at offset at, else 0; *past is
 * behind the stop and what belongs to it. */
static size_t end_at_stop(const char *text, size_t start, size_t end, size_t at, size_t *past)
{
    size_t n, first = at;
    int full = 0, closed = 0;

    while (at < end) {
        uint32_t c = utf8_decode(text + at, end - at, &n, NULL);

        if (is_stop(c) && !closed)
            full |= is_full_stop(c);
        else if (is_closing(c) && at > first)
            closed = 1;
        else
            break;
        at += n;
    }
    *past = at;
    return stops_here(text, start, end, first, at, full, closed) ? at : 0;
}

int sentence_next(const char *text, const struct paragraph *paragraph, size_t at,
                  struct sentence *out)
{
    size_t end = paragraph->end, n, line, past;

    while (at < end && space_at(text + at, end - at, &n))
        at += n;
    if (at >= end)
        return 0;
    out->start = at;
    out->end = end;
    /* Lines are measured whole, so from the start of the one the sentence is on. */
    for (line = at; line > paragraph->start && text[line - 1] != '\n' && at - line < 1024;)
        line--;
    for (size_t i = at; i < end; i += n) {
        uint32_t c = utf8_decode(text + i, end - i, &n, NULL);

        if (c == '\n') {
            if (!is_wrapped(text, paragraph, line, i)) {
                out->end = i;
                break;
            }
            line = i + 1;
        } else if (is_stop(c)) {
            out->end = end_at_stop(text, out->start, end, i, &past);
            if (out->end != 0)
                break;
            out->end = end;
            n = past - i;
        }
    }
    while (out->end > out->start) {
        size_t last = utf8_floor(text, out->end - 1);

        if (!space_at(text + last, out->end - last, &n))
            break;
        out->end = last;
    }
    return 1;
}
