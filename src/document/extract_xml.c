#include "document/extract_xml.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "document/extract_html.h"
#include "document/metadata.h"
#include "document/tags.h"

/* Of elements: what is deeper is read as if it were on the last of these. */
#define MAX_DEPTH 256

enum element_kind {
    ELEMENT_OTHER,   /* on a line of its own, unless it is in the middle of a sentence */
    ELEMENT_BLOCK,   /* a paragraph */
    ELEMENT_INLINE,  /* within a sentence */
    ELEMENT_SECTION, /* has a title that is a heading */
    ELEMENT_INFO,    /* holds the title of the section around it */
    ELEMENT_TITLE,
    ELEMENT_AUTHOR,
    ELEMENT_DATE,
    ELEMENT_LANGUAGE,
    ELEMENT_VERBATIM, /* white space in it is kept */
    ELEMENT_HTML,     /* HTML in it may be written as text */
    ELEMENT_HIDDEN    /* nothing to read */
};

struct element {
    enum element_kind kind;
    int is_inline;   /* no line begins or ends with it */
    int has_text;    /* some of its own was written: it holds sentences */
    int is_heading;  /* a title that is one */
    size_t start;    /* of out->text, where it began */
};

struct xml {
    struct writer *writer;
    const char *text;
    size_t size, at;
    struct element stack[MAX_DEPTH];
    size_t depth;     /* of open elements, those past the stack too */
    size_t n_hidden;  /* open elements within one that is hidden, with it */
    unsigned n_verbatim;
    unsigned level;   /* sections that are open */
    int has_type;     /* a document type was seen: there is one at most */
    struct buffer html; /* scratch */
};

/* ---- names ------------------------------------------------------------- */

static enum element_kind kind_of(const char *name)
{
    static const struct {
        const char *name;
        enum element_kind kind;
    } known[] = {
        { "a", ELEMENT_INLINE },          { "abbrev", ELEMENT_INLINE },
        { "acronym", ELEMENT_INLINE },    { "appendix", ELEMENT_SECTION },
        { "application", ELEMENT_INLINE }, { "article", ELEMENT_SECTION },
        { "articleinfo", ELEMENT_INFO },  { "author", ELEMENT_AUTHOR },
        { "b", ELEMENT_INLINE },          { "blockquote", ELEMENT_BLOCK },
        { "book", ELEMENT_SECTION },      { "bookinfo", ELEMENT_INFO },
        { "channel", ELEMENT_SECTION },   { "chapter", ELEMENT_SECTION },
        { "citetitle", ELEMENT_INLINE },  { "classname", ELEMENT_INLINE },
        { "code", ELEMENT_INLINE },       { "command", ELEMENT_INLINE },
        { "constant", ELEMENT_INLINE },   { "content", ELEMENT_HTML },
        { "created", ELEMENT_DATE },      { "creator", ELEMENT_AUTHOR },
        { "date", ELEMENT_DATE },         { "description", ELEMENT_HTML },
        { "em", ELEMENT_INLINE },         { "email", ELEMENT_INLINE },
        { "emphasis", ELEMENT_INLINE },   { "encoded", ELEMENT_HTML },
        { "entry", ELEMENT_SECTION },     { "feed", ELEMENT_SECTION },
        { "filename", ELEMENT_INLINE },   { "firstterm", ELEMENT_INLINE },
        { "function", ELEMENT_INLINE },   { "guilabel", ELEMENT_INLINE },
        { "hi", ELEMENT_INLINE },         { "i", ELEMENT_INLINE },
        { "info", ELEMENT_INFO },         { "issued", ELEMENT_DATE },
        { "item", ELEMENT_SECTION },      { "keycap", ELEMENT_INLINE },
        { "language", ELEMENT_LANGUAGE }, { "link", ELEMENT_INLINE },
        { "literal", ELEMENT_INLINE },    { "literallayout", ELEMENT_VERBATIM },
        { "option", ELEMENT_INLINE },     { "p", ELEMENT_BLOCK },
        { "package", ELEMENT_INLINE },    { "para", ELEMENT_BLOCK },
        { "parameter", ELEMENT_INLINE },  { "part", ELEMENT_SECTION },
        { "phrase", ELEMENT_INLINE },     { "preface", ELEMENT_SECTION },
        { "programlisting", ELEMENT_VERBATIM }, { "pubdate", ELEMENT_DATE },
        { "published", ELEMENT_DATE },    { "quote", ELEMENT_INLINE },
        { "refentry", ELEMENT_SECTION },  { "refsect1", ELEMENT_SECTION },
        { "refsect2", ELEMENT_SECTION },  { "refsection", ELEMENT_SECTION },
        { "replaceable", ELEMENT_INLINE }, { "screen", ELEMENT_VERBATIM },
        { "script", ELEMENT_HIDDEN },     { "sect1", ELEMENT_SECTION },
        { "sect2", ELEMENT_SECTION },     { "sect3", ELEMENT_SECTION },
        { "sect4", ELEMENT_SECTION },     { "sect5", ELEMENT_SECTION },
        { "section", ELEMENT_SECTION },   { "simpara", ELEMENT_BLOCK },
        { "span", ELEMENT_INLINE },       { "strong", ELEMENT_INLINE },
        { "style", ELEMENT_HIDDEN },      { "sub", ELEMENT_INLINE },
        { "summary", ELEMENT_HTML },      { "sup", ELEMENT_INLINE },
        { "systemitem", ELEMENT_INLINE }, { "term", ELEMENT_INLINE },
        { "title", ELEMENT_TITLE },       { "tspan", ELEMENT_INLINE },
        { "type", ELEMENT_INLINE },       { "ulink", ELEMENT_INLINE },
        { "updated", ELEMENT_DATE },      { "userinput", ELEMENT_INLINE },
        { "varname", ELEMENT_INLINE },    { "xref", ELEMENT_INLINE },
    };
    const char *colon = strchr(name, ':');
    size_t low = 0, high = sizeof known / sizeof *known;

    if (colon != NULL)
        name = colon + 1; /* dc:creator, content:encoded: the name space is as good as known */
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(known[middle].name, name);

        if (order == 0)
            return known[middle].kind;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return ELEMENT_OTHER;
}

static struct element *top(struct xml *xml)
{
    return xml->depth == 0 ? NULL
                           : &xml->stack[(xml->depth < MAX_DEPTH ? xml->depth : MAX_DEPTH) - 1];
}

/* ---- text -------------------------------------------------------------- */

static void skip(struct xml *xml, size_t size)
{
    for (size_t i = 0; i < size; i++)
        xml->writer->line += xml->text[xml->at + i] == '\n';
    xml->at += size;
}

static void write_words(struct xml *xml, const char *text, size_t size)
{
    if (xml->n_verbatim > 0)
        writer_verbatim(xml->writer, text, size);
    else
        writer_words(xml->writer, text, size);
}

/* Text with its entities resolved, into out, or where that is NULL to the writer. */
static void write_text(struct xml *xml, struct buffer *out, const char *text, size_t size)
{
    while (size > 0) {
        const char *amp = memchr(text, '&', size);
        size_t n = amp != NULL ? (size_t)(amp - text) : size;
        char bytes[4];
        uint32_t c;

        if (out != NULL)
            buffer_append(out, text, n);
        else
            write_words(xml, text, n);
        text += n;
        size -= n;
        if (size == 0)
            break;
        c = html_entity(text, size, &n);
        if (c == 0) {
            c = '&';
            n = 1;
        } else if (c >= 0xd800 && c < 0xe000) {
            c = UTF8_REPLACEMENT;
        }
        if (out != NULL)
            buffer_append(out, bytes, utf8_encode(c, bytes));
        else if (c == '\n' || c == '\r')
            writer_words(xml->writer, " ", 1); /* a line break of the text's, not of the file's */
        else
            write_words(xml, bytes, utf8_encode(c, bytes));
        text += n;
        size -= n;
    }
}

static int is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!tag_is_space(text[i]))
            return 0;
    return 1;
}

/* Text between tags, or a CDATA section's. */
static void use_text(struct xml *xml, const char *text, size_t size, int is_raw)
{
    struct element *element = top(xml);
    const size_t line = xml->writer->line;

    if (xml->n_hidden > 0)
        return;
    if (element != NULL && !is_blank(text, size))
        element->has_text = 1;
    buffer_clear(&xml->html);
    if (element != NULL && element->kind == ELEMENT_HTML && !is_blank(text, size)) {
        if (!is_raw)
            write_text(xml, &xml->html, text, size);
        html_write(xml->writer, is_raw ? text : xml->html.data, is_raw ? size : xml->html.size);
    } else if (is_raw) {
        write_words(xml, text, size);
    } else {
        write_text(xml, NULL, text, size);
    }
    xml->writer->line = line; /* counted once, by skip */
}

/* ---- elements ---------------------------------------------------------- */

/* Attributes that hold text to read (OPML, TTML, SVG, interface files). */
static void look_at_attribute(void *data, const char *name, size_t name_size, const char *value,
                              size_t value_size)
{
    static const char *const read[] = { "title", "text", "label", "alt", "caption", "summary",
                                        "description" };
    struct xml *xml = data;
    const size_t line = xml->writer->line;

    if ((name_size == 8 && memcmp(name, "xml:lang", 8) == 0) ||
        (name_size == 4 && memcmp(name, "lang", 4) == 0)) {
        if (xml->depth <= 1)
            metadata_set_language(xml->writer->out, value, value_size);
        return;
    }
    for (size_t i = 0; xml->n_hidden == 0 && i < sizeof read / sizeof *read; i++) {
        if (strlen(read[i]) != name_size || strncasecmp(read[i], name, name_size) != 0)
            continue;
        writer_break(xml->writer, 1);
        write_text(xml, NULL, value, value_size);
        writer_break(xml->writer, 1);
        xml->writer->line = line;
    }
}

static void break_around(struct xml *xml, const struct element *element)
{
    if (!element->is_inline)
        writer_break(xml->writer, element->kind == ELEMENT_BLOCK ||
                                          element->kind == ELEMENT_SECTION ||
                                          element->kind == ELEMENT_VERBATIM ||
                                          element->kind == ELEMENT_HTML
                                      ? 2
                                      : 1);
}

/* What has just been written of an element, as the document's title, author, ... */
static void take_metadata(struct xml *xml, const struct element *element)
{
    struct extract *out = xml->writer->out;
    const char *text = out->text.data + element->start;
    size_t size = out->text.size > element->start ? out->text.size - element->start : 0;

    if (xml->level > 1 || size == 0 || out->text.failed)
        return;
    while (size > 0 && tag_is_space(*text))
        text++, size--;
    if (element->kind == ELEMENT_TITLE && element->is_heading)
        metadata_set_title(out, text, size);
    else if (element->kind == ELEMENT_AUTHOR)
        metadata_set_author(out, text, size);
    else if (element->kind == ELEMENT_DATE)
        metadata_set_date(out, text, size);
    else if (element->kind == ELEMENT_LANGUAGE)
        metadata_set_language(out, text, size);
}

static void begin_element(struct xml *xml, enum element_kind kind)
{
    const struct element *parent = top(xml);
    struct element element = { .kind = kind, .start = xml->writer->out->text.size };

    if (xml->depth++ >= MAX_DEPTH || xml->n_hidden > 0)
        return;
    element.is_inline = kind == ELEMENT_INLINE ||
                        (parent != NULL && parent->has_text && kind != ELEMENT_SECTION &&
                         kind != ELEMENT_BLOCK && kind != ELEMENT_VERBATIM);
    element.is_heading = kind == ELEMENT_TITLE &&
                         (parent == NULL || parent->kind == ELEMENT_SECTION ||
                          parent->kind == ELEMENT_INFO || xml->depth <= 2);
    if (element.is_inline && xml->depth >= 2)
        xml->stack[xml->depth - 2].has_text = 1;
    xml->stack[xml->depth - 1] = element;
    xml->level += kind == ELEMENT_SECTION;
    break_around(xml, &element);
    xml->n_verbatim += kind == ELEMENT_VERBATIM;
    if (element.is_heading)
        writer_heading_begin(xml->writer, xml->level > 0 ? xml->level : 1);
}

static void end_element(struct xml *xml)
{
    const struct element *element = top(xml);

    if (xml->depth == 0 || xml->depth-- > MAX_DEPTH)
        return;
    if (element->is_heading)
        writer_heading_end(xml->writer);
    take_metadata(xml, element);
    xml->n_verbatim -= element->kind == ELEMENT_VERBATIM;
    xml->level -= element->kind == ELEMENT_SECTION;
    break_around(xml, element);
}

/* ---- markup ------------------------------------------------------------ */

/* Bytes of the document type at text[0], with the declarations that may be in it. */
static size_t doctype_size(const char *text, size_t size)
{
    const char *end = memchr(text, '>', size), *inner;

    if (end == NULL)
        return size;
    inner = memchr(text, '[', (size_t)(end - text));
    for (size_t i = inner != NULL ? (size_t)(inner - text) : size; i < size; i++) {
        if (text[i] != ']')
            continue;
        for (i++; i < size && tag_is_space(text[i]);)
            i++;
        if (i < size && text[i] == '>')
            return i + 1;
    }
    return (size_t)(end - text) + 1;
}

static size_t cdata_end(const char *text, size_t size)
{
    for (size_t i = 0; i + 2 < size; i++) {
        const char *found = memchr(text + i, ']', size - i);

        if (found == NULL)
            return size;
        i = (size_t)(found - text);
        if (size - i >= 3 && memcmp(found, "]]>", 3) == 0)
            return i;
    }
    return size;
}

static void read_tag(struct xml *xml)
{
    const char *text = xml->text + xml->at;
    struct tag tag;
    enum element_kind kind;

    /* Attributes are looked at when it is known that the tag is whole. */
    if (!tag_read(text, xml->size - xml->at, NULL, NULL, &tag)) {
        skip(xml, xml->size - xml->at);
        return;
    }
    kind = kind_of(tag.name);
    if (tag.is_end) {
        if (xml->n_hidden > 0 && --xml->n_hidden > 0)
            xml->depth--;
        else
            end_element(xml);
    } else {
        begin_element(xml, kind);
        xml->n_hidden += xml->n_hidden > 0 || kind == ELEMENT_HIDDEN;
        tag_read(text, xml->size - xml->at, look_at_attribute, xml, &tag);
        if (tag.is_closed) {
            if (xml->n_hidden > 0 && --xml->n_hidden > 0)
                xml->depth--;
            else
                end_element(xml);
        }
    }
    skip(xml, tag.size);
}

static int begins_a_tag(const char *text, size_t size)
{
    const char c = size > 2 && text[1] == '/' ? text[2] : size > 1 ? text[1] : ' ';

    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

/* What begins at the "<" at xml->at. */
static void read_markup(struct xml *xml)
{
    const char *text = xml->text + xml->at;
    const size_t size = xml->size - xml->at;

    if (size >= 9 && memcmp(text, "<![CDATA[", 9) == 0) {
        const size_t n = cdata_end(text + 9, size - 9);

        use_text(xml, text + 9, n, 1);
        skip(xml, size - 9 - n < 3 ? size : n + 12);
    } else if (size >= 9 && !xml->has_type && strncasecmp(text, "<!doctype", 9) == 0) {
        xml->has_type = 1;
        skip(xml, doctype_size(text, size));
    } else if (size > 1 && (text[1] == '!' || text[1] == '?')) {
        skip(xml, tag_comment_size(text, size));
    } else if (begins_a_tag(text, size)) {
        read_tag(xml);
    } else {
        use_text(xml, "<", 1, 1);
        skip(xml, 1);
    }
}

void xml_extract(struct writer *writer, const char *text, size_t size)
{
    struct xml xml = { .writer = writer, .text = text, .size = size };

    while (xml.at < size && !writer->out->text.failed) {
        const char *tag = memchr(text + xml.at, '<', size - xml.at);
        const size_t n = (tag != NULL ? (size_t)(tag - text) : size) - xml.at;

        if (n > 0) {
            use_text(&xml, text + xml.at, n, 0);
            skip(&xml, n);
        } else {
            read_markup(&xml);
        }
    }
    writer->out->text.failed |= xml.html.failed;
    buffer_reset(&xml.html);
}
