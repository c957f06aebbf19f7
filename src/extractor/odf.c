/* OpenDocument (OASIS, version 1.3, part 3): texts, spreadsheets and presentations are one format,
 * whose body says which it is, as a package of parts or all in one XML file. Notes, comments and
 * text boxes come behind the paragraph that they hang on; what a reviser has deleted and tables of
 * contents are left out. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "extractor/flow.h"
#include "extractor/formats.h"
#include "extractor/package.h"
#include "extractor/properties.h"
#include "extractor/xml.h"

#define MAX_PAGES        65536
#define MAX_TITLE_STYLES 64
/* A cell may stand for any number like it, up to the edge of the sheet. */
#define MAX_REPEATS 16

enum {
    HEADING = 1,
    PARAGRAPH,
    ITEM,
    SPACE,
    LINE_BREAK,
    NOTE,
    TABLE,
    ROW,
    CELL,
    PAGE,
    FRAME,
    SPEAKER_NOTES,
    STYLE,
    SPREADSHEET,
    PRESENTATION
};

static const struct xml_name names[] = {
    { "dc:creator", XML_SKIP }, /* of a comment */
    { "dc:date", XML_SKIP },
    { "draw:custom-shape", FRAME },
    { "draw:frame", FRAME },
    { "draw:page", PAGE },
    { "meta:creator-initials", XML_SKIP },
    { "office:annotation", NOTE },
    { "office:binary-data", XML_SKIP }, /* an image, in a document of one file */
    { "office:drawing", PRESENTATION },
    { "office:master-styles", XML_SKIP }, /* what stands on every page */
    { "office:presentation", PRESENTATION },
    { "office:spreadsheet", SPREADSHEET },
    { "presentation:notes", SPEAKER_NOTES },
    { "style:style", STYLE },
    { "svg:desc", XML_SKIP },
    { "svg:title", XML_SKIP },
    { "table:content-validations", XML_SKIP },
    { "table:covered-table-cell", XML_SKIP },
    { "table:table", TABLE },
    { "table:table-cell", CELL },
    { "table:table-row", ROW },
    { "table:tracked-changes", XML_SKIP },
    { "text:h", HEADING },
    { "text:line-break", LINE_BREAK },
    { "text:list-item", ITEM },
    { "text:note", NOTE },
    { "text:note-citation", XML_SKIP },
    { "text:p", PARAGRAPH },
    { "text:ruby-text", XML_SKIP },
    { "text:s", SPACE },
    { "text:sender-initials", XML_SKIP },
    { "text:tab", SPACE },
    { "text:table-of-content", XML_SKIP },
    { "text:tracked-changes", XML_SKIP },
};

/* The titles of slides, which are read first: a title may be drawn after what it stands above. */
struct titles {
    struct buffer text;
    size_t *starts; /* [n + 1], of text */
    size_t n, capacity;
    int in_title;
    unsigned in_paragraph;
};

struct odf {
    struct flow flow;
    struct titles titles;
    struct buffer cell; /* a copy of the text of a cell that is repeated */
    char title_styles[MAX_TITLE_STYLES][32];
    size_t n_title_styles;
    int is_spreadsheet, is_presentation;
    unsigned n_pages; /* slides or sheets so far */
    unsigned in_paragraph, in_item, in_table; /* this many */
    int after_item;   /* the paragraph before was an item's */
    int cell_begins;
    size_t cell_start; /* of the text */
    long n_repeats;
};

/* ---- titles of slides -------------------------------------------------- */

static int is_class(const struct xml_element *element, const char *name)
{
    char value[32];

    xml_attribute(element, "presentation:class", value, sizeof value);
    return strcmp(value, name) == 0;
}

static int title_start(void *data, int kind, const struct xml_element *element)
{
    struct titles *titles = data;

    if (kind == PAGE && titles->n < MAX_PAGES) {
        if (titles->n == titles->capacity) {
            size_t capacity = titles->capacity < 16 ? 16 : titles->capacity * 2;
            size_t *grown = memory_resize(titles->starts, capacity + 1, sizeof *grown);

            if (grown == NULL) {
                titles->text.failed = 1;
                return 1;
            }
            titles->starts = grown;
            titles->capacity = capacity;
        }
        titles->starts[titles->n++] = titles->text.size;
        titles->starts[titles->n] = titles->text.size;
    } else if (kind == FRAME) {
        titles->in_title = is_class(element, "title");
    } else if (kind == PARAGRAPH || kind == HEADING) {
        titles->in_paragraph++;
    } else if (kind == SPEAKER_NOTES) {
        return 1;
    }
    return 0;
}

static void title_text(void *data, const char *bytes, size_t size)
{
    struct titles *titles = data;

    if (titles->n == 0 || !titles->in_title || titles->in_paragraph == 0)
        return;
    buffer_append(&titles->text, bytes, size);
    titles->starts[titles->n] = titles->text.size;
}

static void title_end(void *data, int kind)
{
    struct titles *titles = data;

    if (kind == PARAGRAPH || kind == HEADING) {
        if (titles->n > 0 && titles->starts[titles->n] > titles->starts[titles->n - 1])
            title_text(titles, " ", 1);
        titles->in_paragraph--;
    } else if (kind == SPACE || kind == LINE_BREAK) {
        title_text(titles, " ", 1);
    } else if (kind == FRAME) {
        titles->in_title = 0;
    }
}

/* ---- text -------------------------------------------------------------- */

static int in_aside(const struct odf *odf)
{
    return odf->flow.depth > 0;
}

static int is_title_style(const struct odf *odf, const char *name)
{
    if (strcmp(name, "Title") == 0)
        return 1;
    for (size_t i = 0; i < odf->n_title_styles; i++)
        if (strcmp(odf->title_styles[i], name) == 0)
            return 1;
    return 0;
}

/* What is formatted by hand has a style of its own, made from the one that it was. */
static void note_style(struct odf *odf, const struct xml_element *element)
{
    char parent[16];

    xml_attribute(element, "style:parent-style-name", parent, sizeof parent);
    if (strcmp(parent, "Title") != 0 || odf->n_title_styles >= MAX_TITLE_STYLES)
        return;
    xml_attribute(element, "style:name", odf->title_styles[odf->n_title_styles],
                  sizeof odf->title_styles[0]);
    odf->n_title_styles++;
}

static void start_paragraph(struct odf *odf, int kind, const struct xml_element *element)
{
    struct writer *writer = odf->flow.writer;
    char style[32];

    odf->in_paragraph++;
    if (in_aside(odf) || odf->in_paragraph > 1) {
        writer_break(writer, 1);
        return;
    }
    if (odf->in_table > 0) {
        if (!odf->cell_begins)
            writer_break(writer, 1);
        odf->cell_begins = 0;
        return;
    }
    if (odf->is_presentation) {
        writer_break(writer, 1);
        return;
    }
    xml_attribute(element, "text:style-name", style, sizeof style);
    if (kind == HEADING)
        writer_heading_begin(writer,
                             (unsigned)xml_number(element, "text:outline-level", 1, 10, 1));
    else if (is_title_style(odf, style))
        writer_heading_begin(writer, 1);
    else
        writer_break(writer, odf->in_item > 0 && odf->after_item ? 1 : 2);
    odf->after_item = odf->in_item > 0;
}

static void end_paragraph(struct odf *odf)
{
    struct writer *writer = odf->flow.writer;

    odf->in_paragraph--;
    if (in_aside(odf) || odf->in_paragraph > 0) {
        writer_break(writer, 1);
        return;
    }
    writer_heading_end(writer);
    /* What hangs on a cell of a sheet comes behind its row. */
    if (!odf->is_spreadsheet)
        flow_end_paragraph(&odf->flow);
}

static void start_table(struct odf *odf, const struct xml_element *element)
{
    char name[256];
    size_t size;

    if (odf->is_spreadsheet && odf->in_table == 0 && odf->n_pages < MAX_PAGES) {
        size = xml_attribute(element, "table:name", name, sizeof name);
        writer_page(odf->flow.writer, ++odf->n_pages);
        writer_heading(odf->flow.writer, 1, name, size);
    }
    writer_break(odf->flow.writer, odf->in_table > 0 ? 1 : 2);
    odf->in_table++;
}

static void start_cell(struct odf *odf, const struct xml_element *element)
{
    writer_cell(odf->flow.writer);
    odf->cell_begins = 1;
    odf->n_repeats = xml_number(element, "table:number-columns-repeated", 1, MAX_REPEATS, 1);
    odf->cell_start = odf->flow.writer->out->text.size;
}

static void end_cell(struct odf *odf)
{
    const struct buffer *text = &odf->flow.writer->out->text;
    size_t start = odf->cell_start;

    if (odf->n_repeats == 1 || in_aside(odf) || text->failed || start > text->size)
        return;
    while (start < text->size && strchr("\n |", text->data[start]) != NULL)
        start++;
    buffer_clear(&odf->cell);
    buffer_append(&odf->cell, text->data + start, text->size - start);
    if (odf->cell.failed) {
        odf->flow.writer->out->text.failed = 1;
        return;
    }
    for (long i = 1; i < odf->n_repeats && odf->cell.size > 0; i++) {
        writer_cell(odf->flow.writer);
        flow_words(&odf->flow, odf->cell.data, odf->cell.size);
    }
    odf->n_repeats = 1;
}

static void start_page(struct odf *odf)
{
    struct writer *writer = odf->flow.writer;
    const struct titles *titles = &odf->titles;
    size_t n = odf->n_pages, size;

    if (n >= titles->n)
        return;
    writer_page(writer, ++odf->n_pages);
    size = titles->starts[n + 1] - titles->starts[n];
    if (size > 0) {
        writer_heading_begin(writer, 1);
        flow_words(&odf->flow, titles->text.data + titles->starts[n], size);
        writer_heading_end(writer);
    } else {
        writer_heading(writer, 1, "", 0);
    }
}

/* A box or a shape. Those of a slide are parts of it, those of a text hang on a paragraph. */
static int start_frame(struct odf *odf, const struct xml_element *element)
{
    static const char *const furniture[] = { "title", "header", "footer", "date-time",
                                             "page-number" };

    if (odf->is_presentation)
        for (size_t i = 0; i < sizeof furniture / sizeof *furniture; i++)
            if (is_class(element, furniture[i]))
                return 1;
    if (odf->in_paragraph > 0)
        flow_aside_begin(&odf->flow);
    else
        writer_break(odf->flow.writer, 2);
    return 0;
}

static int start(void *data, int kind, const struct xml_element *element)
{
    struct odf *odf = data;

    switch (kind) {
    case HEADING:
    case PARAGRAPH:
        start_paragraph(odf, kind, element);
        break;
    case ITEM:
        odf->in_item++;
        break;
    case SPACE:
        writer_words(odf->flow.writer, " ", 1);
        break;
    case LINE_BREAK:
        writer_break(odf->flow.writer, 1);
        break;
    case NOTE:
        flow_aside_begin(&odf->flow);
        break;
    case TABLE:
        start_table(odf, element);
        break;
    case ROW:
        writer_break(odf->flow.writer, 1);
        break;
    case CELL:
        start_cell(odf, element);
        break;
    case PAGE:
        start_page(odf);
        break;
    case FRAME:
        return start_frame(odf, element);
    case SPEAKER_NOTES:
        writer_break(odf->flow.writer, 2);
        break;
    case STYLE:
        note_style(odf, element);
        break;
    case SPREADSHEET:
        odf->is_spreadsheet = 1;
        break;
    case PRESENTATION:
        odf->is_presentation = 1;
        break;
    }
    return 0;
}

static void end(void *data, int kind)
{
    struct odf *odf = data;

    switch (kind) {
    case HEADING:
    case PARAGRAPH:
        end_paragraph(odf);
        break;
    case ITEM:
        odf->in_item--;
        break;
    case NOTE:
        flow_aside_end(&odf->flow);
        break;
    case TABLE:
        odf->in_table--;
        odf->after_item = 0;
        writer_break(odf->flow.writer, odf->in_table > 0 ? 1 : 2);
        break;
    case ROW:
        flow_end_paragraph(&odf->flow);
        writer_break(odf->flow.writer, 1);
        break;
    case CELL:
        end_cell(odf);
        break;
    case FRAME:
        if (odf->in_paragraph > 0)
            flow_aside_end(&odf->flow);
        break;
    }
}

static void text(void *data, const char *bytes, size_t size)
{
    struct odf *odf = data;

    if (odf->in_paragraph > 0)
        flow_words(&odf->flow, bytes, size);
}

/* ---- the whole --------------------------------------------------------- */

enum { ENCRYPTED = 1 };

static int encrypted_start(void *data, int kind, const struct xml_element *element)
{
    (void)element;
    *(int *)data |= kind == ENCRYPTED;
    return 1;
}

/* Each part of a document with a password is encrypted by itself; the manifest says how. */
static int refuse_encrypted(const struct package *package, ernie_error *err)
{
    static const struct xml_name manifest_names[] = { { "manifest:encryption-data", ENCRYPTED } };
    static const struct xml_handler handler = {
        .names = manifest_names,
        .n_names = 1,
        .start = encrypted_start,
    };
    const struct part *part = package_part(package, "META-INF/manifest.xml");
    int is_encrypted = 0, status = ERNIE_OK;

    if (part != NULL)
        status = xml_read(part->name, &part->bytes, &handler, &is_encrypted, NULL, err);
    if (is_encrypted)
        return error_set(err, ERNIE_EFORMAT, "content.xml: encrypted");
    return status == ERNIE_EFORMAT ? ERNIE_OK : status;
}

/* The bytes of a document: a package, whose text is one part, or one XML file with all in it. */
struct source {
    const uint8_t *bytes;
    size_t size;
    int is_flat;
};

static struct buffer whole_of(const struct source *source)
{
    /* To be read only. */
    return (struct buffer){ .data = (char *)source->bytes, .size = source->size };
}

/* A sheet of 100,000 rows takes 150 MB as XML: it is not held. */
static int read_content(const struct source *source, const struct xml_handler *handler, void *data,
                        const struct extract *out, ernie_error *err)
{
    const struct buffer whole = whole_of(source);
    struct package_stream *stream;
    struct xml_source part = { .read = package_stream_read };
    int status;

    if (source->is_flat)
        return xml_read("document", &whole, handler, data, out, err);
    status = package_stream_open(source->bytes, source->size, "content.xml", &stream, err);
    if (status != ERNIE_OK)
        return status;
    part.data = stream;
    status = xml_read_from("content.xml", &part, handler, data, out, err);
    package_stream_close(stream);
    return status;
}

/* Sheets have no slides, whose titles are to be known before. */
static int write_content(struct writer *writer, const struct source *source, int has_slides,
                         ernie_error *err)
{
    static const struct xml_handler title_handler = {
        .names = names,
        .n_names = sizeof names / sizeof *names,
        .start = title_start,
        .end = title_end,
        .text = title_text,
    };
    static const struct xml_handler handler = {
        .names = names,
        .n_names = sizeof names / sizeof *names,
        .start = start,
        .end = end,
        .text = text,
    };
    struct odf *odf = memory_new(1, sizeof *odf);
    int status = ERNIE_OK;

    if (odf == NULL)
        return error_set(err, ERNIE_ENOMEM, "document: out of memory");
    flow_init(&odf->flow, writer);
    if (has_slides)
        status = read_content(source, &title_handler, &odf->titles, NULL, err);
    if (status == ERNIE_OK && odf->titles.text.failed)
        status = error_set(err, ERNIE_ENOMEM, "document: out of memory");
    if (status == ERNIE_OK)
        status = read_content(source, &handler, odf, writer->out, err);
    flow_reset(&odf->flow);
    buffer_reset(&odf->titles.text);
    buffer_reset(&odf->cell);
    memory_free(odf->titles.starts);
    memory_free(odf);
    return status;
}

static int is_wanted(const char *name)
{
    return strcmp(name, "meta.xml") == 0 || strcmp(name, "META-INF/manifest.xml") == 0;
}

static int read_package_properties(struct extract *out, const struct source *source,
                                   ernie_error *err)
{
    struct package package = { 0 };
    int status = package_open(&package, source->bytes, source->size, is_wanted, err);

    if (status == ERNIE_OK)
        status = refuse_encrypted(&package, err);
    if (status == ERNIE_OK)
        status = properties_read(out, &package, "meta.xml", err);
    package_reset(&package);
    return status;
}

static int odf_extract(struct writer *writer, const uint8_t *bytes, size_t size, int has_slides,
                       ernie_error *err)
{
    const struct source source = { bytes, size, size < 2 || memcmp(bytes, "PK", 2) != 0 };
    const struct buffer whole = whole_of(&source);
    int status = source.is_flat ? properties_read_part(writer->out, "document", &whole, err)
                                : read_package_properties(writer->out, &source, err);

    if (status == ERNIE_OK)
        status = write_content(writer, &source, has_slides, err);
    if (status == ERNIE_OK) {
        properties_title_from_heading(writer->out);
        status = properties_finish(writer, err);
    }
    return status;
}

int odt_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    return odf_extract(writer, bytes, size, 1, err);
}

int odp_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    return odf_extract(writer, bytes, size, 1, err);
}

int ods_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    return odf_extract(writer, bytes, size, 0, err);
}
