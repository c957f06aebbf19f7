/* Office Open XML documents (ECMA-376, part 1, section 17): paragraphs, headings by their style's
 * outline level, lists, tables; footnotes, endnotes, comments and text boxes behind the paragraph
 * that they hang on. What a reviser has deleted, tables of contents, and headers and footers are
 * left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "extractor/flow.h"
#include "extractor/formats.h"
#include "extractor/package.h"
#include "extractor/properties.h"
#include "extractor/relations.h"
#include "extractor/style.h"
#include "extractor/xml.h"

#define MAX_STYLES   4096
#define MAX_NOTES    65536
#define MAX_BASED_ON 16 /* styles that a style may come from, one by one */

/* ---- styles ------------------------------------------------------------ */

struct style {
    char id[64], based_on[64];
    char name[64];
    int level;   /* of a heading, from 1; 0: body text; STYLE_NO_LEVEL: as what it is based on */
    int is_list;
};

struct styles {
    struct style *styles; /* [n], by id */
    size_t n, capacity;
    int failed;
};

enum { STYLE = 1, NAME, BASED_ON, OUTLINE, NUMBERING };

static const struct xml_name style_names[] = {
    { "w:basedOn", BASED_ON },   { "w:name", NAME },          { "w:numId", NUMBERING },
    { "w:outlineLvl", OUTLINE }, { "w:pPrChange", XML_SKIP }, { "w:style", STYLE },
};

static struct style *add_style(struct styles *styles)
{
    struct style *style;

    if (styles->n == styles->capacity) {
        size_t capacity = styles->capacity < 64 ? 64 : styles->capacity * 2;
        struct style *grown = memory_resize(styles->styles, capacity, sizeof *grown);

        if (grown == NULL) {
            styles->failed = 1;
            return NULL;
        }
        styles->styles = grown;
        styles->capacity = capacity;
    }
    style = memset(&styles->styles[styles->n++], 0, sizeof *style);
    style->level = STYLE_NO_LEVEL;
    return style;
}

/* w:outlineLvl: 0 to 8, and 9 for body text. */
static int level_of_outline(const struct xml_element *element)
{
    const int level = (int)xml_number(element, "w:val", 0, 9, 9);

    return level == 9 ? 0 : level + 1;
}

static int start_style(struct styles *styles, const struct xml_element *element)
{
    struct style *style;
    char type[16];

    xml_attribute(element, "w:type", type, sizeof type);
    if (strcmp(type, "paragraph") != 0 || styles->n >= MAX_STYLES)
        return 1;
    style = add_style(styles);
    if (style == NULL)
        return 1;
    xml_attribute(element, "w:styleId", style->id, sizeof style->id);
    return 0;
}

static int style_start(void *data, int kind, const struct xml_element *element)
{
    struct styles *styles = data;
    struct style *style = styles->n > 0 ? &styles->styles[styles->n - 1] : NULL;

    if (kind == STYLE)
        return start_style(styles, element);
    if (style == NULL)
        return 0;
    if (kind == NAME)
        xml_attribute(element, "w:val", style->name, sizeof style->name);
    else if (kind == BASED_ON)
        xml_attribute(element, "w:val", style->based_on, sizeof style->based_on);
    else if (kind == OUTLINE)
        style->level = level_of_outline(element);
    else if (kind == NUMBERING)
        style->is_list = xml_number(element, "w:val", 0, 1, 0) != 0;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct style *)a)->id, ((const struct style *)b)->id);
}

static int read_styles(struct styles *styles, const struct part *part, ernie_error *err)
{
    static const struct xml_handler handler = {
        .names = style_names,
        .n_names = sizeof style_names / sizeof *style_names,
        .start = style_start,
    };
    int status;

    if (part == NULL)
        return ERNIE_OK;
    status = xml_read(part->name, &part->bytes, &handler, styles, NULL, err);
    if (status == ERNIE_OK && styles->failed)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", part->name);
    if (styles->n > 0)
        qsort(styles->styles, styles->n, sizeof *styles->styles, by_id);
    return status;
}

static const struct style *find_style(const struct styles *styles, const char *id)
{
    struct style key;

    if (styles->n == 0 || *id == '\0')
        return NULL;
    snprintf(key.id, sizeof key.id, "%s", id);
    return bsearch(&key, styles->styles, styles->n, sizeof key, by_id);
}

struct look {
    int level;       /* of a heading; 0: none */
    int is_list;
    int is_contents; /* of a table of contents */
};

static struct look look_of_style(const struct styles *styles, const char *id)
{
    struct look look = { .level = STYLE_NO_LEVEL };
    const struct style *style = find_style(styles, id);

    if (style == NULL && *id != '\0') { /* a part without styles still has their names */
        look.level = style_level(id);
        look.is_contents = style_is_contents(id);
    }
    for (int i = 0; style != NULL && i < MAX_BASED_ON; i++) {
        if (look.level == STYLE_NO_LEVEL)
            look.level = style_level(style->name);
        if (look.level == STYLE_NO_LEVEL)
            look.level = style->level;
        look.is_list |= style->is_list;
        look.is_contents |= style_is_contents(style->name);
        style = find_style(styles, style->based_on);
    }
    if (look.level == STYLE_NO_LEVEL)
        look.level = 0;
    return look;
}

/* ---- text -------------------------------------------------------------- */

/* A footnote, an endnote or a comment: its text in notes->text. */
struct note {
    long id;
    size_t start, size;
    int is_written;
};

struct notes {
    struct extract text;
    struct note *notes; /* [n], as the part has them */
    size_t n, capacity;
};

enum note_kind { FOOTNOTES, ENDNOTES, COMMENTS, N_NOTES };

struct docx {
    const struct styles *styles;
    struct notes *notes; /* [N_NOTES]; NULL while notes themselves are read */
    struct notes *reads; /* where they go then */
    struct flow flow;
    struct look look;  /* of the paragraph that is open */
    int is_begun;      /* its first text has been written */
    int has_level;     /* it names its level itself */
    int in_text;       /* within w:t */
    int after_list;    /* the paragraph before was an item */
    unsigned in_table; /* this many */
    int cell_begins;
};

enum {
    PARAGRAPH = 1,
    PARAGRAPH_STYLE,
    PARAGRAPH_LEVEL,
    PARAGRAPH_LIST,
    TEXT,
    TAB,
    LINE_BREAK,
    HYPHEN,
    SYMBOL,
    TABLE,
    ROW,
    CELL,
    TEXT_BOX,
    FOOTNOTE_MARK,
    ENDNOTE_MARK,
    COMMENT_MARK,
    NOTE
};

static const struct xml_name names[] = {
    { "m:t", TEXT },
    { "w:br", LINE_BREAK },
    { "w:comment", NOTE },
    { "w:commentReference", COMMENT_MARK },
    { "w:cr", LINE_BREAK },
    { "w:del", XML_SKIP },
    { "w:endnote", NOTE },
    { "w:endnoteReference", ENDNOTE_MARK },
    { "w:footnote", NOTE },
    { "w:footnoteReference", FOOTNOTE_MARK },
    { "w:moveFrom", XML_SKIP },
    { "w:noBreakHyphen", HYPHEN },
    { "w:numId", PARAGRAPH_LIST },
    { "w:outlineLvl", PARAGRAPH_LEVEL },
    { "w:p", PARAGRAPH },
    { "w:pPrChange", XML_SKIP },
    { "w:pStyle", PARAGRAPH_STYLE },
    { "w:ptab", TAB },
    { "w:rPrChange", XML_SKIP },
    { "w:rt", XML_SKIP },
    { "w:sdtPr", XML_SKIP },
    { "w:sectPr", XML_SKIP },
    { "w:sym", SYMBOL },
    { "w:t", TEXT },
    { "w:tab", TAB },
    { "w:tabs", XML_SKIP },
    { "w:tbl", TABLE },
    { "w:tc", CELL },
    { "w:tr", ROW },
    { "w:txbxContent", TEXT_BOX },
};

static int is_plain(const struct docx *docx)
{
    return docx->flow.depth > 0 || docx->reads != NULL;
}

/* Begins the paragraph, when its first text comes: its properties are known by then. */
static void begin_paragraph(struct docx *docx)
{
    struct writer *writer = docx->flow.writer;

    if (docx->is_begun || is_plain(docx))
        return;
    docx->is_begun = 1;
    if (docx->in_table > 0) {
        if (!docx->cell_begins)
            writer_break(writer, 1);
        docx->cell_begins = 0;
    } else if (docx->look.level > 0) {
        writer_heading_begin(writer, (unsigned)docx->look.level);
    } else {
        writer_break(writer, docx->look.is_list && docx->after_list ? 1 : 2);
    }
}

static void write(struct docx *docx, const char *text, size_t size)
{
    if (docx->look.is_contents && !is_plain(docx))
        return;
    begin_paragraph(docx);
    flow_words(&docx->flow, text, size);
}

static void start_paragraph(struct docx *docx)
{
    if (is_plain(docx)) {
        writer_break(docx->flow.writer, 1);
        return;
    }
    docx->look = (struct look){ 0 };
    docx->is_begun = docx->has_level = 0;
}

static void end_paragraph(struct docx *docx)
{
    if (is_plain(docx)) {
        writer_break(docx->flow.writer, 1);
        return;
    }
    if (docx->is_begun) {
        writer_heading_end(docx->flow.writer);
        docx->after_list = docx->look.is_list;
    }
    flow_end_paragraph(&docx->flow);
}

static void use_style(struct docx *docx, const struct xml_element *element)
{
    const int level = docx->look.level, is_list = docx->look.is_list;
    char id[64];

    if (is_plain(docx))
        return;
    xml_attribute(element, "w:val", id, sizeof id);
    docx->look = look_of_style(docx->styles, id);
    docx->look.is_list |= is_list;
    if (docx->has_level)
        docx->look.level = level;
}

static void use_level(struct docx *docx, const struct xml_element *element)
{
    if (is_plain(docx))
        return;
    docx->look.level = level_of_outline(element);
    docx->has_level = 1;
}

/* A character of a font: the private ones of Wingdings and Symbol mean nothing without it. */
static void write_symbol(struct docx *docx, const struct xml_element *element)
{
    char value[16], bytes[4];
    unsigned long c;

    xml_attribute(element, "w:char", value, sizeof value);
    c = strtoul(value, NULL, 16);
    if (c > ' ' && c < 0xd800)
        write(docx, bytes, utf8_encode((uint32_t)c, bytes));
}

static void use_mark(struct docx *docx, enum note_kind kind, const struct xml_element *element)
{
    const long id = xml_number(element, "w:id", -1, 1L << 30, -1);
    struct notes *notes = docx->notes != NULL ? &docx->notes[kind] : NULL;

    for (size_t i = 0; notes != NULL && i < notes->n; i++) {
        struct note *note = &notes->notes[i];

        if (note->id == id && !note->is_written && note->size > 0) {
            note->is_written = 1;
            flow_add_aside(&docx->flow, notes->text.text.data + note->start, note->size);
            return;
        }
    }
}

static void start_note(struct docx *docx, const struct xml_element *element)
{
    struct notes *notes = docx->reads;

    if (notes == NULL || notes->n >= MAX_NOTES)
        return;
    if (notes->n == notes->capacity) {
        size_t capacity = notes->capacity < 16 ? 16 : notes->capacity * 2;
        struct note *grown = memory_resize(notes->notes, capacity, sizeof *grown);

        if (grown == NULL) {
            notes->text.text.failed = 1;
            return;
        }
        notes->notes = grown;
        notes->capacity = capacity;
    }
    writer_break(docx->flow.writer, 2);
    notes->notes[notes->n++] = (struct note){
        .id = xml_number(element, "w:id", -1, 1L << 30, -1), .start = notes->text.text.size
    };
}

static void end_note(struct docx *docx)
{
    struct notes *notes = docx->reads;
    const struct buffer *text;
    struct note *note;

    if (notes == NULL || notes->n == 0)
        return;
    text = &notes->text.text;
    note = &notes->notes[notes->n - 1];
    while (note->start < text->size && text->data[note->start] == '\n')
        note->start++;
    note->size = text->size - note->start;
}

static int start(void *data, int kind, const struct xml_element *element)
{
    struct docx *docx = data;

    switch (kind) {
    case PARAGRAPH:
        start_paragraph(docx);
        break;
    case PARAGRAPH_STYLE:
        use_style(docx, element);
        break;
    case PARAGRAPH_LEVEL:
        use_level(docx, element);
        break;
    case PARAGRAPH_LIST:
        if (!is_plain(docx))
            docx->look.is_list = xml_number(element, "w:val", 0, 1, 0) != 0;
        break;
    case TEXT:
        docx->in_text = 1;
        break;
    case TAB:
        write(docx, " ", 1);
        break;
    case LINE_BREAK:
        if (docx->is_begun || is_plain(docx))
            writer_break(docx->flow.writer, 1);
        break;
    case HYPHEN:
        write(docx, "-", 1);
        break;
    case SYMBOL:
        write_symbol(docx, element);
        break;
    case TABLE:
        if (!is_plain(docx)) {
            writer_break(docx->flow.writer, docx->in_table > 0 ? 1 : 2);
            docx->in_table++;
        }
        break;
    case ROW:
        writer_break(docx->flow.writer, 1);
        break;
    case CELL:
        writer_cell(docx->flow.writer);
        docx->cell_begins |= !is_plain(docx);
        break;
    case TEXT_BOX:
        if (docx->reads == NULL)
            flow_aside_begin(&docx->flow);
        break;
    case FOOTNOTE_MARK:
        use_mark(docx, FOOTNOTES, element);
        break;
    case ENDNOTE_MARK:
        use_mark(docx, ENDNOTES, element);
        break;
    case COMMENT_MARK:
        use_mark(docx, COMMENTS, element);
        break;
    case NOTE:
        start_note(docx, element);
        break;
    }
    return 0;
}

static void end(void *data, int kind)
{
    struct docx *docx = data;

    switch (kind) {
    case PARAGRAPH:
        end_paragraph(docx);
        break;
    case TEXT:
        docx->in_text = 0;
        break;
    case TABLE:
        if (!is_plain(docx)) {
            docx->in_table--;
            docx->after_list = 0;
            writer_break(docx->flow.writer, docx->in_table > 0 ? 1 : 2);
        }
        break;
    case ROW:
        writer_break(docx->flow.writer, 1);
        break;
    case TEXT_BOX:
        if (docx->reads == NULL)
            flow_aside_end(&docx->flow);
        break;
    case NOTE:
        end_note(docx);
        break;
    }
}

static void text(void *data, const char *bytes, size_t size)
{
    struct docx *docx = data;

    if (docx->in_text)
        write(docx, bytes, size);
}

static const struct xml_handler handler = {
    .names = names,
    .n_names = sizeof names / sizeof *names,
    .start = start,
    .end = end,
    .text = text,
};

/* ---- the whole --------------------------------------------------------- */

static int read_notes(struct notes *notes, const struct styles *styles, const struct part *part,
                      ernie_error *err)
{
    struct writer writer = { .out = &notes->text, .line = 1 };
    struct docx docx = { .styles = styles, .reads = notes };
    int status;

    if (part == NULL)
        return ERNIE_OK;
    flow_init(&docx.flow, &writer);
    status = xml_read(part->name, &part->bytes, &handler, &docx, &notes->text, err);
    if (status == ERNIE_OK && notes->text.text.failed)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", part->name);
    flow_reset(&docx.flow);
    return status;
}

static int read_document(struct writer *writer, const struct package *package,
                         const struct part *part, ernie_error *err)
{
    static const char *const note_types[N_NOTES] = { "footnotes", "endnotes", "comments" };
    struct relations relations = { 0 };
    struct styles styles = { 0 };
    struct notes notes[N_NOTES] = { 0 };
    struct docx docx = { .styles = &styles, .notes = notes };
    int status;

    flow_init(&docx.flow, writer);
    status = relations_read(&relations, package, part->name, err);
    if (status == ERNIE_OK)
        status = read_styles(&styles, relations_by_type(&relations, package, "styles"), err);
    for (int i = 0; status == ERNIE_OK && i < N_NOTES; i++)
        status = read_notes(&notes[i], &styles,
                            relations_by_type(&relations, package, note_types[i]), err);
    if (status == ERNIE_OK)
        status = xml_read(part->name, &part->bytes, &handler, &docx, writer->out, err);
    flow_reset(&docx.flow);
    for (int i = 0; i < N_NOTES; i++) {
        extract_reset(&notes[i].text);
        memory_free(notes[i].notes);
    }
    memory_free(styles.styles);
    relations_reset(&relations);
    return status;
}

int docx_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    struct package package = { 0 };
    const struct part *part;
    int status;

    status = office_open(&package, bytes, size, "word/document.xml", &part, writer->out, err);
    if (status == ERNIE_OK)
        status = read_document(writer, &package, part, err);
    if (status == ERNIE_OK) {
        properties_title_from_heading(writer->out);
        status = properties_finish(writer, err);
    }
    package_reset(&package);
    return status;
}
