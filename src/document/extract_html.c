#include "document/extract_html.h"

#include <libxml/HTMLparser.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/metadata.h"
#include "document/tags.h"

#define DECLARATION_BYTES 4096 /* how far into a file its charset may be declared */

/* ---- characters -------------------------------------------------------- */

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What browsers show for &#128; to &#159;: pages mean Windows-1252 with them. */
static uint32_t windows_1252(uint32_t c)
{
    static const uint16_t high[32] = {
        0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
        0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178,
    };

    return c >= 0x80 && c < 0xa0 ? high[c - 0x80] : c;
}

static uint32_t numeric_entity(const char *text, size_t size, size_t *n_bytes)
{
    const int hex = size > 2 && (text[2] == 'x' || text[2] == 'X');
    const uint32_t base = hex ? 16 : 10;
    size_t i = hex ? 3 : 2, start = i;
    uint32_t c = 0;

    for (; i < size; i++) {
        int value = hex ? hex_value(text[i]) : is_digit(text[i]) ? text[i] - '0' : -1;

        if (value < 0)
            break;
        if (c <= 0x10ffff) /* larger is wrong already and must not wrap around */
            c = c * base + (uint32_t)value;
    }
    if (i == start)
        return 0;
    *n_bytes = i + (i < size && text[i] == ';');
    return c == 0 || c > 0x10ffff ? 0xfffd : windows_1252(c);
}

uint32_t html_entity(const char *text, size_t size, size_t *n_bytes)
{
    char name[16];
    size_t n = 0;
    const htmlEntityDesc *entity;

    if (size > 2 && text[1] == '#')
        return numeric_entity(text, size, n_bytes);
    while (n + 1 < size && n < sizeof name - 1 && (is_letter(text[n + 1]) || is_digit(text[n + 1]))) {
        name[n] = text[n + 1];
        n++;
    }
    name[n] = '\0';
    entity = n > 0 ? htmlEntityLookup((const xmlChar *)name) : NULL;
    if (entity == NULL)
        return 0;
    *n_bytes = n + 1;
    if (n + 1 < size && text[n + 1] == ';')
        ++*n_bytes;
    else if (entity->value > 0xff) /* only the oldest may go without the semicolon */
        return 0;
    return entity->value;
}

/* ---- elements ---------------------------------------------------------- */

enum element_kind {
    ELEMENT_INLINE,
    ELEMENT_BLOCK, /* a blank line before and after */
    ELEMENT_LINE,  /* on a line of its own */
    ELEMENT_BREAK, /* ends a line and has no end tag */
    ELEMENT_LIST,
    ELEMENT_CELL,
    ELEMENT_PRE,
    ELEMENT_RAW,  /* holds no tags, and nothing to read */
    ELEMENT_TITLE,
    ELEMENT_HIDDEN /* holds tags, and nothing to read */
};

static const struct element {
    const char *name;
    enum element_kind kind;
} elements[] = {
    { "address", ELEMENT_BLOCK },    { "article", ELEMENT_BLOCK },   { "aside", ELEMENT_BLOCK },
    { "blockquote", ELEMENT_BLOCK }, { "body", ELEMENT_BLOCK },      { "br", ELEMENT_BREAK },
    { "button", ELEMENT_LINE },      { "caption", ELEMENT_LINE },    { "center", ELEMENT_LINE },
    { "dd", ELEMENT_LINE },          { "details", ELEMENT_BLOCK },   { "dialog", ELEMENT_BLOCK },
    { "div", ELEMENT_LINE },         { "dl", ELEMENT_LIST },         { "dt", ELEMENT_LINE },
    { "fieldset", ELEMENT_BLOCK },   { "figcaption", ELEMENT_LINE }, { "figure", ELEMENT_BLOCK },
    { "footer", ELEMENT_BLOCK },     { "form", ELEMENT_BLOCK },      { "h1", ELEMENT_BLOCK },
    { "h2", ELEMENT_BLOCK },         { "h3", ELEMENT_BLOCK },        { "h4", ELEMENT_BLOCK },
    { "h5", ELEMENT_BLOCK },         { "h6", ELEMENT_BLOCK },        { "header", ELEMENT_BLOCK },
    { "hr", ELEMENT_BLOCK },         { "iframe", ELEMENT_RAW },      { "legend", ELEMENT_LINE },
    { "li", ELEMENT_LINE },          { "main", ELEMENT_BLOCK },      { "nav", ELEMENT_HIDDEN },
    { "noembed", ELEMENT_RAW },      { "noframes", ELEMENT_RAW },    { "noscript", ELEMENT_HIDDEN },
    { "ol", ELEMENT_LIST },          { "optgroup", ELEMENT_LINE },   { "option", ELEMENT_LINE },
    { "p", ELEMENT_BLOCK },          { "pre", ELEMENT_PRE },         { "script", ELEMENT_RAW },
    { "section", ELEMENT_BLOCK },    { "style", ELEMENT_RAW },       { "summary", ELEMENT_LINE },
    { "svg", ELEMENT_HIDDEN },       { "table", ELEMENT_BLOCK },     { "td", ELEMENT_CELL },
    { "template", ELEMENT_HIDDEN },  { "textarea", ELEMENT_LINE },   { "th", ELEMENT_CELL },
    { "title", ELEMENT_TITLE },      { "tr", ELEMENT_LINE },         { "ul", ELEMENT_LIST },
};

static enum element_kind kind_of(const char *name)
{
    size_t low = 0, high = sizeof elements / sizeof *elements;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(elements[middle].name, name);

        if (order == 0)
            return elements[middle].kind;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return ELEMENT_INLINE;
}

/* Classes of the boxes of links (previous, up, next) that DocBook's and Publican's
 * style sheets put on every page. */
static const char *const navigation_classes[] = { "navheader", "navfooter", "docnav" };

static int is_navigation_class(const char *value, size_t size)
{
    for (size_t i = 0, n; i < size; i += n + 1) {
        for (n = 0; i + n < size && !tag_is_space(value[i + n]); n++)
            ;
        for (size_t j = 0; j < sizeof navigation_classes / sizeof *navigation_classes; j++)
            if (strlen(navigation_classes[j]) == n &&
                memcmp(navigation_classes[j], value + i, n) == 0)
                return 1;
    }
    return 0;
}

/* ---- attributes -------------------------------------------------------- */

struct value {
    const char *text;
    size_t size;
};

/* What one tag says besides its name. */
struct attributes {
    int is_navigation;
    struct value name, content, language; /* of <meta>; a text's own language */
};

static int is_word(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && strncasecmp(text, word, size) == 0;
}

static void look_at_attribute(void *data, const char *name, size_t name_size, const char *value,
                              size_t value_size)
{
    struct attributes *attributes = data;
    const struct value found = { value, value_size };

    if (is_word(name, name_size, "role"))
        attributes->is_navigation |= is_word(value, value_size, "navigation");
    else if (is_word(name, name_size, "class"))
        attributes->is_navigation |= is_navigation_class(value, value_size);
    else if (is_word(name, name_size, "name") || is_word(name, name_size, "property") ||
             is_word(name, name_size, "itemprop"))
        attributes->name = found;
    else if (is_word(name, name_size, "content"))
        attributes->content = found;
    else if (is_word(name, name_size, "lang") || is_word(name, name_size, "xml:lang"))
        attributes->language = found;
}

/* Where the end tag of a raw element begins: everything before it is no markup. */
static size_t find_end_tag(const char *text, size_t size, const char *name)
{
    const size_t n = strlen(name);

    for (size_t i = 0; i < size; i++) {
        const char *tag = memchr(text + i, '<', size - i);

        if (tag == NULL)
            return size;
        i = (size_t)(tag - text);
        if (size - i >= n + 3 && tag[1] == '/' && strncasecmp(tag + 2, name, n) == 0 &&
            (tag_is_space(tag[n + 2]) || tag[n + 2] == '/' || tag[n + 2] == '>'))
            return i;
    }
    return size;
}

/* ---- text -------------------------------------------------------------- */

struct html {
    struct writer *writer;
    const char *text;
    size_t size, at;
    int keeps_space;   /* within this many <pre> */
    size_t list_depth;
    /* The element that is being left out, how many of its name are open in it, and
     * where to go on with it left in should it never end. */
    char hidden[TAG_MAX_NAME + 1];
    size_t n_hidden, after_hidden, line_hidden;
    int hides_nothing;
    size_t h1_start, h1_end; /* of the first <h1>, in the text written */
    int h1;                  /* 0: not seen, 1: within, 2: past */
};

static size_t count_lines(const char *text, size_t size)
{
    size_t n = 0;

    for (const char *end = text + size; (text = memchr(text, '\n', (size_t)(end - text))) != NULL;
         text++)
        n++;
    return n;
}

static void skip(struct html *html, size_t size)
{
    html->writer->line += count_lines(html->text + html->at, size);
    html->at += size;
}

/* Text without tags, entities resolved. */
static void write_text(struct html *html, struct writer *writer, const char *text, size_t size)
{
    while (size > 0) {
        const char *amp = memchr(text, '&', size);
        size_t n = amp != NULL ? (size_t)(amp - text) : size, n_entity = 0;
        uint32_t c;

        if (html->keeps_space)
            writer_verbatim(writer, text, n);
        else
            writer_words(writer, text, n);
        text += n;
        size -= n;
        if (size == 0)
            break;
        c = html_entity(text, size, &n_entity);
        if (c == 0) {
            n_entity = 1;
            c = '&';
        }
        if (html->keeps_space) {
            size_t line = writer->line;
            char bytes[4];

            if (c >= 0xd800 && c < 0xe000)
                c = 0xfffd;
            writer_verbatim(writer, bytes, utf8_encode(c, bytes));
            writer->line = line;
        } else {
            writer_code_point(writer, c);
        }
        text += n_entity;
        size -= n_entity;
    }
}

/* Sets a line that is still empty to text without its entities. */
static void take_line(struct html *html, struct buffer *line, const char *text, size_t size)
{
    struct extract plain = { 0 };
    struct writer writer = { .out = &plain, .line = 1 };
    const int keeps_space = html->keeps_space;

    if (line->size > 0)
        return;
    html->keeps_space = 0;
    write_text(html, &writer, text, size);
    html->keeps_space = keeps_space;
    buffer_append(line, plain.text.data, plain.text.size);
    line->failed |= plain.text.failed;
    buffer_reset(&plain.text);
    memory_free(plain.marks);
}

/* What the head of a page says of it: HTML's own names, Dublin Core's, and those that
 * publishers use (Open Graph, schema.org). */
static void take_meta(struct html *html, const struct attributes *attributes)
{
    static const char *const authors[] = { "author", "dc.creator", "dcterms.creator" };
    static const char *const dates[] = { "date", "dc.date", "dcterms.date", "dcterms.created",
                                         "dcterms.issued", "article:published_time",
                                         "datepublished", "last-modified", "dcterms.modified" };
    const struct value *name = &attributes->name, *content = &attributes->content;
    struct extract *out = html->writer->out;

    for (size_t i = 0; i < sizeof authors / sizeof *authors; i++)
        if (is_word(name->text, name->size, authors[i]))
            take_line(html, &out->author, content->text, content->size);
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        if (is_word(name->text, name->size, dates[i]))
            metadata_set_date(out, content->text, content->size);
}

static void begin_hidden(struct html *html, const struct tag *tag)
{
    memcpy(html->hidden, tag->name, sizeof html->hidden);
    html->n_hidden = 1;
    html->after_hidden = html->at;
    html->line_hidden = html->writer->line;
}

static void note_h1(struct html *html, const struct tag *tag)
{
    if (strcmp(tag->name, "h1") != 0)
        return;
    if (!tag->is_end && html->h1 == 0) {
        html->h1_start = html->writer->out->text.size;
        html->h1 = 1;
    } else if (tag->is_end && html->h1 == 1) {
        html->h1_end = html->writer->out->text.size;
        html->h1 = 2;
    }
}

static void use_heading(struct writer *writer, const struct tag *tag)
{
    if (tag->name[0] != 'h' || tag->name[1] < '1' || tag->name[1] > '6' || tag->name[2] != '\0')
        return;
    if (tag->is_end)
        writer_heading_end(writer);
    else
        writer_heading_begin(writer, (unsigned)(tag->name[1] - '0'));
}

/* A tag that shows; html->at is behind it. */
static void use_tag(struct html *html, const struct tag *tag)
{
    struct writer *writer = html->writer;
    enum element_kind kind = kind_of(tag->name);

    note_h1(html, tag);
    switch (kind) {
    case ELEMENT_BLOCK:
        writer_break(writer, 2);
        use_heading(writer, tag);
        break;
    case ELEMENT_PRE:
        if (!tag->is_end && html->at < html->size && html->text[html->at] == '\n')
            skip(html, 1); /* a line break right behind the tag is not shown */
        html->keeps_space += tag->is_end ? -(html->keeps_space > 0) : 1;
        writer_break(writer, 2);
        break;
    case ELEMENT_LIST:
        if (tag->is_end && html->list_depth > 0)
            html->list_depth--;
        writer_break(writer, html->list_depth > 0 ? 1 : 2);
        if (!tag->is_end)
            html->list_depth++;
        break;
    case ELEMENT_LINE:
    case ELEMENT_BREAK:
        writer_break(writer, 1);
        break;
    case ELEMENT_CELL:
        writer_cell(writer);
        break;
    default:
        break;
    }
}

static void start_tag(struct html *html, const struct tag *tag,
                      const struct attributes *attributes)
{
    enum element_kind kind = kind_of(tag->name);
    const char *rest = html->text + html->at;
    size_t size;

    if (attributes->language.size > 0 && (strcmp(tag->name, "html") == 0 ||
                                          strcmp(tag->name, "body") == 0))
        metadata_set_language(html->writer->out, attributes->language.text,
                              attributes->language.size);
    if (attributes->name.size > 0 && strcmp(tag->name, "meta") == 0)
        take_meta(html, attributes);
    if (kind == ELEMENT_RAW || kind == ELEMENT_TITLE) {
        size = find_end_tag(rest, html->size - html->at, tag->name);
        if (kind == ELEMENT_TITLE && html->n_hidden == 0)
            take_line(html, &html->writer->out->title, rest, size);
        skip(html, size);
    } else if (html->n_hidden > 0) {
        html->n_hidden += strcmp(tag->name, html->hidden) == 0 && !tag->is_closed;
    } else if ((kind == ELEMENT_HIDDEN || attributes->is_navigation) && !tag->is_closed &&
               !html->hides_nothing) {
        writer_break(html->writer, 1);
        begin_hidden(html, tag);
    } else {
        use_tag(html, tag);
    }
}

static void end_tag(struct html *html, const struct tag *tag)
{
    if (html->n_hidden > 0)
        html->n_hidden -= strcmp(tag->name, html->hidden) == 0;
    else
        use_tag(html, tag);
}

/* What begins at the "<" at html->at. */
static void read_markup(struct html *html)
{
    const char *text = html->text + html->at;
    const size_t size = html->size - html->at;
    struct attributes attributes = { 0 };
    struct tag tag;

    if (size > 1 && (text[1] == '!' || text[1] == '?')) {
        skip(html, tag_comment_size(text, size));
    } else if ((size > 1 && is_letter(text[1])) || (size > 2 && text[1] == '/' && is_letter(text[2]))) {
        if (!tag_read(text, size, look_at_attribute, &attributes, &tag)) {
            skip(html, size);
            return;
        }
        skip(html, tag.size);
        if (tag.is_end)
            end_tag(html, &tag);
        else
            start_tag(html, &tag, &attributes);
    } else {
        if (html->n_hidden == 0)
            write_text(html, html->writer, "<", 1);
        html->at++;
    }
}

static void read_text(struct html *html)
{
    const char *text = html->text + html->at, *tag = memchr(text, '<', html->size - html->at);
    size_t size = tag != NULL ? (size_t)(tag - text) : html->size - html->at;
    size_t line = html->writer->line;

    if (html->n_hidden == 0)
        write_text(html, html->writer, text, size);
    html->writer->line = line; /* counted once, here */
    skip(html, size);
}

/* The first <h1> is the title of a page that names none. */
static void title_from_h1(struct html *html)
{
    struct extract *out = html->writer->out;
    size_t start = html->h1_start, end = html->h1 == 2 ? html->h1_end : html->h1_start;

    if (out->title.size > 0 || end <= start || out->text.failed)
        return;
    while (start < end && tag_is_space(out->text.data[start]))
        start++;
    while (end > start && tag_is_space(out->text.data[end - 1]))
        end--;
    buffer_append(&out->title, out->text.data + start, end - start);
    for (size_t i = 0; i < out->title.size; i++)
        if (tag_is_space(out->title.data[i]))
            out->title.data[i] = ' ';
}

static void read_all(struct html *html)
{
    for (;;) {
        while (html->at < html->size) {
            if (html->text[html->at] == '<')
                read_markup(html);
            else
                read_text(html);
        }
        if (html->n_hidden == 0)
            return;
        /* What never ends would hide the rest of the page: read it after all. */
        html->at = html->after_hidden;
        html->writer->line = html->line_hidden;
        html->n_hidden = 0;
        html->hides_nothing = 1;
    }
}

void html_write(struct writer *writer, const char *text, size_t size)
{
    struct html html = { .writer = writer, .text = text, .size = size };

    read_all(&html);
}

void html_extract(struct writer *writer, const char *text, size_t size)
{
    struct html html = { .writer = writer, .text = text, .size = size };

    read_all(&html);
    title_from_h1(&html);
}

/* ---- declared charset -------------------------------------------------- */

static const char *find(const char *text, const char *end, const char *word)
{
    const size_t n = strlen(word);

    for (; (size_t)(end - text) >= n; text++)
        if (strncasecmp(text, word, n) == 0)
            return text;
    return NULL;
}

/* The value behind "name" and "=", with or without quotes. */
static const char *value_of(const char *text, const char *end, const char *name, size_t *size)
{
    const char *value;

    text = find(text, end, name);
    if (text == NULL)
        return NULL;
    text += strlen(name);
    while (text < end && tag_is_space(*text))
        text++;
    if (text >= end || *text++ != '=')
        return NULL;
    while (text < end && (tag_is_space(*text) || *text == '"' || *text == '\''))
        text++;
    value = text;
    while (text < end && (is_letter(*text) || is_digit(*text) || memchr("-_:.", *text, 4) != NULL))
        text++;
    *size = (size_t)(text - value);
    return value;
}

const char *html_declared_charset(const uint8_t *bytes, size_t size, size_t *label_size)
{
    const char *text = (const char *)bytes;
    const char *end = text + (size < DECLARATION_BYTES ? size : DECLARATION_BYTES);
    const char *close, *label;

    if (end - text > 5 && strncasecmp(text, "<?xml", 5) == 0) {
        close = memchr(text, '>', (size_t)(end - text));
        label = close != NULL ? value_of(text, close, "encoding", label_size) : NULL;
        if (label != NULL)
            return label;
    }
    while ((text = find(text, end, "<meta")) != NULL) {
        close = memchr(text, '>', (size_t)(end - text));
        if (close == NULL)
            return NULL;
        label = value_of(text, close, "charset", label_size);
        if (label != NULL)
            return label;
        text = close;
    }
    return NULL;
}
