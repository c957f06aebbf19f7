/* Rich Text Format (Microsoft, version 1.9.1): groups in braces, control words behind backslashes,
 * and text in the code page of the font it is set in, or as numbers of Unicode with a replacement
 * for old programs behind them. What comes in a destination of its own is left out, but for
 * footnotes, comments and text boxes, which follow the paragraph that they hang on. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/charset.h"
#include "extractor/flow.h"
#include "extractor/formats.h"
#include "extractor/properties.h"
#include "extractor/style.h"

#define MAX_DEPTH  512 /* of groups in each other */
#define MAX_FONTS  1024
#define MAX_STYLES 1024
#define MAX_WORD   32
#define MAX_NUMBER 1000000000L
#define MAX_TEXT_BYTES (64u << 20)

#define SYMBOL_PAGE 42 /* as Windows numbers it: characters that mean nothing without the font */

/* Where text goes. */
enum target { TO_BODY, TO_NOWHERE, TO_TITLE, TO_AUTHOR, TO_DATE, TO_FONTS, TO_STYLES, TO_INFO };

/* What holds in a group, and what was before holds again behind it. */
struct group {
    enum target target;
    int code_page;
    int n_fallback;  /* \uc: characters behind \u for those who do not know it */
    int is_deleted;  /* by a reviser */
    int is_aside;    /* the group itself is one */
    int is_twice;    /* \upr: the groups in it say the same, the one of \ud in Unicode */
    /* The paragraph: */
    int level;       /* of a heading; 0: none */
    int is_list, in_table, is_contents;
};

struct rtf {
    const uint8_t *bytes;
    size_t size, at;
    struct flow flow;
    struct group groups[MAX_DEPTH]; /* [depth + 1] */
    unsigned depth;
    struct group *group; /* the innermost */
    int code_page;       /* of the document */
    int default_font;
    int is_optional;     /* behind \*: what nobody need know */
    int n_skipped;       /* characters to leave out: the fallback of \u */
    uint32_t high;       /* surrogate that waits for its other half; 0: none */
    struct buffer pending; /* bytes in the group's code page */
    struct buffer decoded;
    struct buffer value; /* a title, the name of a style */
    struct {
        int id, code_page;
    } fonts[MAX_FONTS];
    size_t n_fonts;
    struct {
        int id, level, is_contents;
    } styles[MAX_STYLES];
    size_t n_styles;
    int names_style;   /* what is in value names the last of them */
    long date[5]; /* year, month, day, hour, minute */
    /* The paragraph that is open: */
    int is_begun, cell_begins;
    int after_list, after_table; /* what the one before was in */
    int status;
    ernie_error *err;
};

/* ---- writing ----------------------------------------------------------- */

static int in_aside(const struct rtf *rtf)
{
    return rtf->flow.depth > 0;
}

static void begin_paragraph(struct rtf *rtf)
{
    const struct group *group = rtf->group;
    struct writer *writer = rtf->flow.writer;

    if (rtf->is_begun || in_aside(rtf))
        return;
    rtf->is_begun = 1;
    if (group->in_table) {
        if (!rtf->after_table)
            writer_break(writer, 2);
        else if (!rtf->cell_begins)
            writer_break(writer, 1);
        rtf->cell_begins = 0;
    } else if (group->level > 0) {
        writer_heading_begin(writer, (unsigned)group->level);
    } else {
        writer_break(writer, group->is_list && rtf->after_list ? 1 : 2);
    }
    rtf->after_table = group->in_table;
    rtf->after_list = group->is_list;
}

static void end_paragraph(struct rtf *rtf)
{
    if (in_aside(rtf)) {
        writer_break(rtf->flow.writer, 1);
        return;
    }
    writer_heading_end(rtf->flow.writer);
    flow_end_paragraph(&rtf->flow);
    rtf->is_begun = 0;
}

static void put(struct rtf *rtf, const char *text, size_t size)
{
    const struct group *group = rtf->group;

    switch (group->target) {
    case TO_BODY:
        if (group->is_deleted || (group->is_contents && !in_aside(rtf)))
            return;
        begin_paragraph(rtf);
        flow_words(&rtf->flow, text, size);
        break;
    case TO_TITLE:
    case TO_AUTHOR:
    case TO_STYLES:
        buffer_append(&rtf->value, text, size);
        break;
    default:
        break;
    }
}

/* ---- characters -------------------------------------------------------- */

static int charset_of_page(int code_page, struct charset *charset)
{
    static const struct {
        int code_page;
        const char *label;
    } pages[] = {
        { 936, "gb18030" }, { 950, "big5" },      { 932, "shift_jis" }, { 949, "euc-kr" },
        { 866, "ibm866" },  { 852, "ibm852" },    { 855, "ibm855" },    { 874, "windows-874" },
        { 10000, "macintosh" }, { 65001, "utf-8" }, { 54936, "gb18030" },
    };
    char label[24];

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (pages[i].code_page == code_page)
            return charset_of_label(pages[i].label, strlen(pages[i].label), charset);
    snprintf(label, sizeof label, "windows-%d", code_page);
    return charset_of_label(label, strlen(label), charset) ||
           charset_of_label("windows-1252", strlen("windows-1252"), charset);
}

/* The code page of a font's \fcharset; 0: the document's. */
static int page_of_font_charset(long number)
{
    static const struct {
        int charset, code_page;
    } pages[] = {
        { 2, SYMBOL_PAGE }, { 77, 10000 }, { 128, 932 },  { 129, 949 },  { 134, 936 },
        { 136, 950 },       { 161, 1253 }, { 162, 1254 }, { 163, 1258 }, { 177, 1255 },
        { 178, 1256 },      { 186, 1257 }, { 204, 1251 }, { 222, 874 },  { 238, 1250 },
    };

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (pages[i].charset == number)
            return pages[i].code_page;
    return 0;
}

static int is_ascii(const struct buffer *text)
{
    for (size_t i = 0; i < text->size; i++)
        if ((unsigned char)text->data[i] >= 0x80 || text->data[i] == '\0')
            return 0;
    return 1;
}

/* Writes the bytes that have gathered: a character may have been in two pieces. */
static void flush(struct rtf *rtf)
{
    struct buffer *pending = &rtf->pending;
    const int code_page = rtf->group->code_page != 0 ? rtf->group->code_page : rtf->code_page;
    struct charset charset;
    size_t n_replaced = 0;

    if (pending->size == 0 || pending->failed || rtf->status != ERNIE_OK)
        return;
    if (rtf->high != 0)
        put(rtf, "\xef\xbf\xbd", 3);
    rtf->high = 0;
    if (is_ascii(pending)) {
        put(rtf, pending->data, pending->size);
    } else if (code_page != SYMBOL_PAGE && charset_of_page(code_page, &charset)) {
        buffer_clear(&rtf->decoded);
        rtf->status = charset_decode(&charset, (const uint8_t *)pending->data, pending->size,
                                     &rtf->decoded, &n_replaced, rtf->err);
        if (!rtf->decoded.failed)
            put(rtf, rtf->decoded.data, rtf->decoded.size);
        rtf->flow.main->out->n_replaced += n_replaced;
    }
    buffer_clear(pending);
}

static void put_byte(struct rtf *rtf, char byte)
{
    if (rtf->n_skipped > 0)
        rtf->n_skipped--;
    else if (rtf->group->target != TO_NOWHERE)
        buffer_append_char(&rtf->pending, byte);
}

static void put_code_point(struct rtf *rtf, uint32_t c)
{
    char bytes[4];

    flush(rtf);
    if (c >= 0xd800 && c < 0xdc00) {
        rtf->high = c;
        return;
    }
    if (c >= 0xdc00 && c < 0xe000)
        c = rtf->high != 0 ? 0x10000 + ((rtf->high - 0xd800) << 10) + (c - 0xdc00)
                           : UTF8_REPLACEMENT;
    rtf->high = 0;
    /* Private ones stand for those of symbol fonts. */
    if (c == 0 || (c >= 0xf000 && c < 0xf100))
        return;
    put(rtf, bytes, utf8_encode(c, bytes));
}

/* ---- tables of the document -------------------------------------------- */

static void use_font(struct rtf *rtf, long id)
{
    rtf->group->code_page = 0;
    for (size_t i = 0; i < rtf->n_fonts; i++)
        if (rtf->fonts[i].id == id)
            rtf->group->code_page = rtf->fonts[i].code_page;
}

static void use_style(struct rtf *rtf, long id)
{
    for (size_t i = 0; i < rtf->n_styles; i++)
        if (rtf->styles[i].id == id) {
            rtf->group->level = rtf->styles[i].level;
            rtf->group->is_contents = rtf->styles[i].is_contents;
        }
}

/* In the list of fonts or of styles, where the words have another sense. */
static int use_table_word(struct rtf *rtf, const char *word, long number)
{
    if (rtf->group->target == TO_FONTS) {
        if (strcmp(word, "f") == 0 && rtf->n_fonts < MAX_FONTS) {
            rtf->fonts[rtf->n_fonts].id = (int)number;
            rtf->fonts[rtf->n_fonts++].code_page = 0;
        } else if (strcmp(word, "fcharset") == 0 && rtf->n_fonts > 0) {
            rtf->fonts[rtf->n_fonts - 1].code_page = page_of_font_charset(number);
        }
        return 1;
    }
    if (rtf->group->target == TO_STYLES) {
        if (strcmp(word, "s") == 0 && rtf->n_styles < MAX_STYLES) {
            rtf->styles[rtf->n_styles].id = (int)number;
            rtf->styles[rtf->n_styles].level = 0;
            rtf->styles[rtf->n_styles++].is_contents = 0;
            rtf->names_style = 1;
            buffer_clear(&rtf->value);
        } else if (strcmp(word, "outlinelevel") == 0 && rtf->n_styles > 0) {
            rtf->styles[rtf->n_styles - 1].level = number >= 0 && number < 9 ? (int)number + 1 : 0;
        }
        return strcmp(word, "u") != 0 && strcmp(word, "uc") != 0 && strcmp(word, "f") != 0;
    }
    if (rtf->group->target == TO_DATE) {
        static const char *const parts[] = { "yr", "mo", "dy", "hr", "min" };

        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            if (strcmp(word, parts[i]) == 0)
                rtf->date[i] = number < 0 || number > 9999 ? 0 : number;
        return 1;
    }
    return 0;
}

/* The name of a style ends in ";". */
static void end_style(struct rtf *rtf)
{
    const char *name = rtf->value.data;
    size_t size = rtf->value.size;
    int level;

    if (!rtf->names_style || size == 0 || name == NULL)
        return;
    rtf->names_style = 0;
    while (size > 0 && (name[size - 1] == ';' || name[size - 1] == ' '))
        size--;
    rtf->value.data[size] = '\0';
    while (*name == ' ')
        name++;
    level = style_level(name);
    if (level != STYLE_NO_LEVEL)
        rtf->styles[rtf->n_styles - 1].level = level;
    rtf->styles[rtf->n_styles - 1].is_contents = style_is_contents(name);
    buffer_clear(&rtf->value);
}

static void end_date(struct rtf *rtf)
{
    char date[40];
    int n;

    if (rtf->date[0] == 0 || rtf->date[1] == 0 || rtf->date[2] == 0)
        return;
    n = snprintf(date, sizeof date, "%04ld-%02ld-%02ldT%02ld:%02ld", rtf->date[0], rtf->date[1],
                 rtf->date[2], rtf->date[3], rtf->date[4]);
    properties_set_date(rtf->flow.main->out, date, (size_t)n);
}

/* ---- groups ------------------------------------------------------------ */

static void begin_group(struct rtf *rtf)
{
    static const char unicode[] = "\\*\\ud";

    flush(rtf);
    rtf->n_skipped = 0;
    if (rtf->depth + 1 >= MAX_DEPTH) {
        rtf->status = error_set(rtf->err, ERNIE_EFORMAT, "rtf: groups too deep in each other");
        return;
    }
    rtf->groups[rtf->depth + 1] = *rtf->group;
    rtf->group = &rtf->groups[++rtf->depth];
    rtf->group->is_aside = 0;
    if (rtf->group->is_twice && (rtf->size - rtf->at < sizeof unicode - 1 ||
                                 memcmp(rtf->bytes + rtf->at, unicode, sizeof unicode - 1) != 0))
        rtf->group->target = TO_NOWHERE;
    rtf->group->is_twice = 0;
}

static void end_group(struct rtf *rtf)
{
    struct extract *out = rtf->flow.main->out;
    const struct group ended = *rtf->group;

    flush(rtf);
    rtf->n_skipped = 0;
    rtf->is_optional = 0;
    if (rtf->depth > 0)
        rtf->group = &rtf->groups[--rtf->depth];
    if (ended.is_aside)
        flow_aside_end(&rtf->flow);
    if (ended.target == TO_STYLES)
        end_style(rtf);
    if (ended.target == rtf->group->target || rtf->value.failed)
        return;
    if (ended.target == TO_TITLE && rtf->value.size > 0)
        properties_set_line(&out->title, rtf->value.data, rtf->value.size);
    else if (ended.target == TO_AUTHOR && rtf->value.size > 0)
        properties_set_line(&out->author, rtf->value.data, rtf->value.size);
    else if (ended.target == TO_DATE)
        end_date(rtf);
}

static void begin_aside(struct rtf *rtf)
{
    if (rtf->group->target != TO_BODY || rtf->group->is_aside)
        return;
    flow_aside_begin(&rtf->flow);
    rtf->group->is_aside = 1;
}

/* ---- control words ----------------------------------------------------- */

enum word {
    WORD_OTHER,
    WORD_ANSI_PAGE,
    WORD_ASIDE,
    WORD_AUTHOR,
    WORD_BIN,
    WORD_CELL,
    WORD_DATE,
    WORD_DEFAULT_FONT,
    WORD_DELETED,
    WORD_FALLBACK,
    WORD_FONT,
    WORD_FONTS,
    WORD_INFO,
    WORD_IN_TABLE,
    WORD_KEEP, /* a destination that holds text like any other */
    WORD_LINE,
    WORD_LIST,
    WORD_MAC,
    WORD_OUTLINE,
    WORD_PARAGRAPH,
    WORD_PARAGRAPH_DEFAULT,
    WORD_PC,
    WORD_PLAIN,
    WORD_ROW,
    WORD_SKIP,
    WORD_SPACE,
    WORD_STYLE,
    WORD_STYLES,
    WORD_TITLE,
    WORD_TWICE,
    WORD_UNICODE,
    WORD_CHARACTER /* and past it: the code point */
};

static const struct word_row {
    const char *name;
    unsigned word;
} words[] = { /* in strcmp's order */
    { "aftnsep", WORD_SKIP },       { "aftnsepc", WORD_SKIP },
    { "annotation", WORD_ASIDE },   { "ansicpg", WORD_ANSI_PAGE },
    { "atnauthor", WORD_SKIP },     { "atnid", WORD_SKIP },
    { "author", WORD_AUTHOR },      { "bin", WORD_BIN },
    { "bullet", WORD_CHARACTER + 0x2022 }, { "cell", WORD_CELL },
    { "colortbl", WORD_SKIP },      { "creatim", WORD_DATE },
    { "deff", WORD_DEFAULT_FONT },  { "deleted", WORD_DELETED },
    { "emdash", WORD_CHARACTER + 0x2014 }, { "emspace", WORD_SPACE },
    { "endash", WORD_CHARACTER + 0x2013 }, { "enspace", WORD_SPACE },
    { "f", WORD_FONT },             { "falt", WORD_SKIP },
    { "filetbl", WORD_SKIP },       { "fldinst", WORD_SKIP },
    { "fonttbl", WORD_FONTS },      { "footer", WORD_SKIP },
    { "footerf", WORD_SKIP },       { "footerl", WORD_SKIP },
    { "footerr", WORD_SKIP },       { "footnote", WORD_ASIDE },
    { "ftnsep", WORD_SKIP },        { "ftnsepc", WORD_SKIP },
    { "header", WORD_SKIP },        { "headerf", WORD_SKIP },
    { "headerl", WORD_SKIP },       { "headerr", WORD_SKIP },
    { "info", WORD_INFO },          { "intbl", WORD_IN_TABLE },
    { "ldblquote", WORD_CHARACTER + 0x201c }, { "line", WORD_LINE },
    { "listtext", WORD_SKIP },      { "lquote", WORD_CHARACTER + 0x2018 },
    { "ls", WORD_LIST },            { "mac", WORD_MAC },
    { "nestcell", WORD_CELL },      { "nestrow", WORD_ROW },
    { "nesttableprops", WORD_KEEP },
    { "nesttableprops", WORD_KEEP },
    { "nonesttables", WORD_SKIP },  { "nonshppict", WORD_SKIP },
    { "objdata", WORD_SKIP },       { "outlinelevel", WORD_OUTLINE },
    { "page", WORD_LINE },          { "par", WORD_PARAGRAPH },
    { "pard", WORD_PARAGRAPH_DEFAULT }, { "pc", WORD_PC },
    { "pict", WORD_SKIP },          { "plain", WORD_PLAIN },
    { "pntext", WORD_SKIP },        { "rdblquote", WORD_CHARACTER + 0x201d },
    { "row", WORD_ROW },            { "rquote", WORD_CHARACTER + 0x2019 },
    { "rxe", WORD_SKIP },           { "s", WORD_STYLE },
    { "sect", WORD_PARAGRAPH },     { "shpinst", WORD_KEEP },
    { "shprslt", WORD_SKIP },       { "shptxt", WORD_ASIDE },
    { "sp", WORD_SKIP },            { "stylesheet", WORD_STYLES },
    { "tab", WORD_SPACE },          { "tc", WORD_SKIP },
    { "title", WORD_TITLE },        { "txe", WORD_SKIP },
    { "u", WORD_UNICODE },          { "uc", WORD_FALLBACK },
    { "ud", WORD_KEEP },            { "upr", WORD_TWICE },
    { "xe", WORD_SKIP },
};

static unsigned find_word(const char *name)
{
    size_t low = 0, high = sizeof words / sizeof *words;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(words[middle].name, name);

        if (order == 0)
            return words[middle].word;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return WORD_OTHER;
}

/* Text that goes somewhere else than the body; what is within something left out stays so. */
static void set_target(struct rtf *rtf, enum target target, enum target within)
{
    if (rtf->group->target != within)
        return;
    rtf->group->target = target;
    buffer_clear(&rtf->value);
}

static void end_cell(struct rtf *rtf)
{
    if (in_aside(rtf)) {
        writer_cell(rtf->flow.writer);
        return;
    }
    begin_paragraph(rtf); /* an empty one is one as well */
    end_paragraph(rtf);
    writer_cell(rtf->flow.writer);
    rtf->cell_begins = 1;
}

static void end_row(struct rtf *rtf)
{
    if (!in_aside(rtf))
        end_paragraph(rtf);
    writer_break(rtf->flow.writer, 1);
    rtf->cell_begins = 1;
}

static void begin_default_paragraph(struct group *group)
{
    group->level = group->is_list = group->in_table = group->is_contents = 0;
}

/* A word that changes what is in the text, or how it is to be read. */
static void use_text_word(struct rtf *rtf, unsigned word, long number)
{
    struct group *group = rtf->group;

    if (word >= WORD_CHARACTER) {
        put_code_point(rtf, word - WORD_CHARACTER);
        return;
    }
    switch (word) {
    case WORD_UNICODE:
        put_code_point(rtf, (uint32_t)(number < 0 ? number + 65536 : number) & 0xffff);
        rtf->n_skipped = group->n_fallback;
        break;
    case WORD_SPACE:
        put(rtf, " ", 1);
        break;
    case WORD_LINE:
        if (group->target == TO_BODY && (rtf->is_begun || in_aside(rtf)))
            writer_break(rtf->flow.writer, 1);
        break;
    case WORD_PARAGRAPH:
        if (group->target == TO_BODY)
            end_paragraph(rtf);
        break;
    case WORD_CELL:
        if (group->target == TO_BODY)
            end_cell(rtf);
        break;
    case WORD_ROW:
        if (group->target == TO_BODY)
            end_row(rtf);
        break;
    }
}

static void use_property(struct rtf *rtf, unsigned word, long number)
{
    struct group *group = rtf->group;

    switch (word) {
    case WORD_ANSI_PAGE:
        rtf->code_page = number > 0 && number < 65536 ? (int)number : 1252;
        break;
    case WORD_MAC:
        rtf->code_page = 10000;
        break;
    case WORD_PC:
        rtf->code_page = 1252; /* for 437, which charset.h has not: the same in ASCII */
        break;
    case WORD_DEFAULT_FONT:
        rtf->default_font = (int)number;
        break;
    case WORD_FONT:
        use_font(rtf, number);
        break;
    case WORD_PLAIN:
        use_font(rtf, rtf->default_font);
        group->is_deleted = 0;
        break;
    case WORD_FALLBACK:
        group->n_fallback = number < 0 ? 0 : number > 255 ? 255 : (int)number;
        break;
    case WORD_DELETED:
        group->is_deleted = number != 0;
        break;
    case WORD_PARAGRAPH_DEFAULT:
        begin_default_paragraph(group);
        break;
    case WORD_STYLE:
        use_style(rtf, number);
        break;
    case WORD_OUTLINE:
        group->level = number >= 0 && number < 9 ? (int)number + 1 : 0;
        break;
    case WORD_LIST:
        group->is_list = number > 0;
        break;
    case WORD_IN_TABLE:
        group->in_table = 1;
        break;
    }
}

static void use_destination(struct rtf *rtf, unsigned word)
{
    switch (word) {
    case WORD_SKIP:
        if (rtf->group->target == TO_BODY || rtf->group->target == TO_FONTS)
            rtf->group->target = TO_NOWHERE;
        break;
    case WORD_ASIDE:
        begin_aside(rtf);
        break;
    case WORD_TWICE:
        rtf->group->is_twice = 1;
        break;
    case WORD_FONTS:
        set_target(rtf, TO_FONTS, TO_BODY);
        break;
    case WORD_STYLES:
        set_target(rtf, TO_STYLES, TO_BODY);
        break;
    case WORD_INFO:
        set_target(rtf, TO_INFO, TO_BODY);
        break;
    case WORD_TITLE:
        set_target(rtf, TO_TITLE, TO_INFO);
        break;
    case WORD_AUTHOR:
        set_target(rtf, TO_AUTHOR, TO_INFO);
        break;
    case WORD_DATE:
        set_target(rtf, TO_DATE, TO_INFO);
        break;
    }
}

static void skip_binary(struct rtf *rtf, long n)
{
    const size_t left = rtf->size - rtf->at;

    if (n > 0)
        rtf->at += (size_t)n < left ? (size_t)n : left;
}

static void use_word(struct rtf *rtf, const char *name, long number)
{
    const int is_optional = rtf->is_optional;
    unsigned word;

    rtf->is_optional = 0;
    rtf->n_skipped = 0;
    word = find_word(name);
    if (word == WORD_BIN) {
        skip_binary(rtf, number);
        return;
    }
    flush(rtf);
    /* A destination that we do not know, and that says it may be left out. */
    if (is_optional && word != WORD_ASIDE && word != WORD_KEEP) {
        rtf->group->target = TO_NOWHERE;
        return;
    }
    if (rtf->group->target == TO_NOWHERE || use_table_word(rtf, name, number))
        return;
    use_destination(rtf, word);
    use_text_word(rtf, word, number);
    use_property(rtf, word, number);
}

/* ---- tokens ------------------------------------------------------------ */

static int hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "\par", "\u-10179 ": letters, a number that may be missing (then 1 is meant), one space. */
static void read_word(struct rtf *rtf)
{
    char name[MAX_WORD];
    size_t n = 0;
    long number = 0;
    int is_negative = 0, has_number = 0;

    while (rtf->at < rtf->size && is_letter(rtf->bytes[rtf->at])) {
        if (n + 1 < sizeof name)
            name[n++] = (char)rtf->bytes[rtf->at];
        rtf->at++;
    }
    name[n] = '\0';
    if (rtf->at + 1 < rtf->size && rtf->bytes[rtf->at] == '-' && rtf->bytes[rtf->at + 1] >= '0' &&
        rtf->bytes[rtf->at + 1] <= '9') {
        is_negative = 1;
        rtf->at++;
    }
    while (rtf->at < rtf->size && rtf->bytes[rtf->at] >= '0' && rtf->bytes[rtf->at] <= '9') {
        has_number = 1;
        if (number < MAX_NUMBER)
            number = number * 10 + (rtf->bytes[rtf->at] - '0');
        rtf->at++;
    }
    if (rtf->at < rtf->size && rtf->bytes[rtf->at] == ' ')
        rtf->at++;
    use_word(rtf, name, !has_number ? 1 : is_negative ? -number : number);
}

/* What stands behind a backslash at rtf->at. */
static void read_control(struct rtf *rtf)
{
    int c, high, low;

    if (rtf->at >= rtf->size)
        return;
    c = rtf->bytes[rtf->at];
    if (is_letter(c)) {
        read_word(rtf);
        return;
    }
    rtf->at++;
    if (c == '\'') {
        high = rtf->at < rtf->size ? hex_value(rtf->bytes[rtf->at]) : -1;
        low = rtf->at + 1 < rtf->size ? hex_value(rtf->bytes[rtf->at + 1]) : -1;
        if (high >= 0 && low >= 0) {
            rtf->at += 2;
            put_byte(rtf, (char)(high << 4 | low));
        }
    } else if (c == '\\' || c == '{' || c == '}') {
        put_byte(rtf, (char)c);
    } else if (c == '~') {
        put_byte(rtf, ' ');
    } else if (c == '_') {
        put_byte(rtf, '-');
    } else if (c == '*') {
        rtf->is_optional = 1;
    } else if (c == '\n' || c == '\r') {
        use_word(rtf, "par", 1);
    }
}

static void read_all(struct rtf *rtf)
{
    const struct buffer *text = &rtf->flow.main->out->text;

    while (rtf->status == ERNIE_OK && rtf->at < rtf->size) {
        const char c = (char)rtf->bytes[rtf->at++];

        if (c == '{')
            begin_group(rtf);
        else if (c == '}')
            end_group(rtf);
        else if (c == '\\')
            read_control(rtf);
        else if (c != '\r' && c != '\n')
            put_byte(rtf, c);
        if (rtf->depth == 0)
            break; /* what stands behind the document is none of it */
        if (text->size > MAX_TEXT_BYTES)
            rtf->status = error_set(rtf->err, ERNIE_EFORMAT, "rtf: the text grows past 64 MiB");
    }
    while (rtf->depth > 0 && rtf->status == ERNIE_OK)
        end_group(rtf);
}

int rtf_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    static const char magic[] = "{\\rtf";
    struct rtf *rtf;
    int status;

    if (size < sizeof magic - 1 || memcmp(bytes, magic, sizeof magic - 1) != 0)
        return error_set(err, ERNIE_EFORMAT, "rtf: does not begin as one");
    rtf = memory_new(1, sizeof *rtf);
    if (rtf == NULL)
        return error_set(err, ERNIE_ENOMEM, "rtf: out of memory");
    rtf->bytes = bytes;
    rtf->size = size;
    rtf->err = err;
    rtf->code_page = 1252;
    rtf->group = &rtf->groups[0];
    rtf->group->n_fallback = 1;
    flow_init(&rtf->flow, writer);
    read_all(rtf);
    status = rtf->status;
    if (status == ERNIE_OK && (rtf->pending.failed || rtf->decoded.failed || rtf->value.failed))
        status = error_set(err, ERNIE_ENOMEM, "rtf: out of memory");
    if (status == ERNIE_OK) {
        end_paragraph(rtf);
        properties_title_from_heading(writer->out);
        status = properties_finish(writer, err);
    }
    flow_reset(&rtf->flow);
    buffer_reset(&rtf->pending);
    buffer_reset(&rtf->decoded);
    buffer_reset(&rtf->value);
    memory_free(rtf);
    return status;
}
