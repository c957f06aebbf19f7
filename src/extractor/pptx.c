/* Office Open XML presentations (ECMA-376, part 1, section 19): the slides in the order they are
 * shown, each a page, its title the heading above its shapes, tables and diagrams, and behind
 * them what the speaker notes. Dates, numbers and footers of slides are left out. */
#include <string.h>

#include "base/memory.h"
#include "extractor/flow.h"
#include "extractor/formats.h"
#include "extractor/package.h"
#include "extractor/properties.h"
#include "extractor/relations.h"
#include "extractor/xml.h"

enum {
    SHAPE = 1,
    PLACEHOLDER,
    PARAGRAPH,
    TEXT,
    LINE_BREAK,
    FIELD,
    TABLE,
    ROW,
    CELL
};

static const struct xml_name names[] = {
    { "a:br", LINE_BREAK },   { "a:fld", FIELD },       { "a:p", PARAGRAPH },
    { "a:t", TEXT },          { "a:tbl", TABLE },       { "a:tc", CELL },
    { "a:tr", ROW },          { "dgm:pt", SHAPE },      { "m:t", TEXT },
    { "p:graphicFrame", SHAPE }, { "p:ph", PLACEHOLDER }, { "p:sp", SHAPE },
};

struct slide {
    struct writer *writer;
    struct flow flow;      /* of the writer, for its words */
    struct buffer *title;  /* only titles are read, to here; NULL: only the rest is */
    int is_title, is_hidden; /* the shape */
    int in_text;
    unsigned in_table; /* this many */
    int cell_begins;
};

static int is_read(const struct slide *slide)
{
    return slide->title != NULL ? slide->is_title : !slide->is_title && !slide->is_hidden;
}

static void use_placeholder(struct slide *slide, const struct xml_element *element)
{
    static const char *const furniture[] = { "dt", "ftr", "hdr", "sldImg", "sldNum" };
    char type[16];

    xml_attribute(element, "type", type, sizeof type);
    slide->is_title = strcmp(type, "title") == 0 || strcmp(type, "ctrTitle") == 0;
    for (size_t i = 0; i < sizeof furniture / sizeof *furniture; i++)
        slide->is_hidden |= strcmp(type, furniture[i]) == 0;
}

static void start_paragraph(struct slide *slide)
{
    if (slide->title != NULL) {
        if (is_read(slide) && slide->title->size > 0)
            buffer_append_char(slide->title, ' ');
        return;
    }
    if (slide->in_table == 0 || !slide->cell_begins)
        writer_break(slide->writer, 1);
    slide->cell_begins = 0;
}

/* The number of the slide and the day, as they were when it was saved. */
static int is_counter(const struct xml_element *element)
{
    char type[16];

    xml_attribute(element, "type", type, sizeof type);
    return strcmp(type, "slidenum") == 0 || strncmp(type, "datetime", 8) == 0;
}

static int start(void *data, int kind, const struct xml_element *element)
{
    struct slide *slide = data;

    switch (kind) {
    case SHAPE:
        slide->is_title = slide->is_hidden = 0;
        if (slide->title == NULL)
            writer_break(slide->writer, 2);
        break;
    case PLACEHOLDER:
        use_placeholder(slide, element);
        break;
    case PARAGRAPH:
        start_paragraph(slide);
        break;
    case TEXT:
        slide->in_text = 1;
        break;
    case LINE_BREAK:
        if (slide->title != NULL)
            buffer_append_char(slide->title, ' ');
        else
            writer_break(slide->writer, 1);
        break;
    case FIELD:
        return is_counter(element);
    case TABLE:
        slide->in_table++;
        break;
    case ROW:
        if (slide->title == NULL)
            writer_break(slide->writer, 1);
        break;
    case CELL:
        if (slide->title == NULL)
            writer_cell(slide->writer);
        slide->cell_begins = 1;
        break;
    }
    return 0;
}

static void end(void *data, int kind)
{
    struct slide *slide = data;

    if (kind == TEXT)
        slide->in_text = 0;
    else if (kind == TABLE)
        slide->in_table--;
    else if (kind == SHAPE)
        slide->is_title = slide->is_hidden = 0;
}

static void text(void *data, const char *bytes, size_t size)
{
    struct slide *slide = data;

    if (!slide->in_text || !is_read(slide))
        return;
    if (slide->title != NULL)
        buffer_append(slide->title, bytes, size);
    else
        flow_words(&slide->flow, bytes, size);
}

static const struct xml_handler handler = {
    .names = names,
    .n_names = sizeof names / sizeof *names,
    .start = start,
    .end = end,
    .text = text,
};

static int read_title(struct writer *writer, const struct part *part, ernie_error *err)
{
    struct buffer title = { 0 };
    struct slide slide = { .writer = writer, .title = &title };
    int status;

    flow_init(&slide.flow, writer);
    status = xml_read(part->name, &part->bytes, &handler, &slide, NULL, err);
    if (status == ERNIE_OK && title.failed)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", part->name);
    if (status == ERNIE_OK && title.size > 0) {
        writer_heading_begin(writer, 1);
        flow_words(&slide.flow, title.data, title.size);
        writer_heading_end(writer);
    } else if (status == ERNIE_OK) {
        writer_heading(writer, 1, "", 0);
    }
    flow_reset(&slide.flow);
    buffer_reset(&title);
    return status;
}

static int read_rest(struct writer *writer, const struct part *part, ernie_error *err)
{
    struct slide slide = { .writer = writer };
    int status;

    if (part == NULL)
        return ERNIE_OK;
    flow_init(&slide.flow, writer);
    writer_break(writer, 2);
    status = xml_read(part->name, &part->bytes, &handler, &slide, writer->out, err);
    flow_reset(&slide.flow);
    return status;
}

static int read_slide(struct writer *writer, const struct package *package,
                      const struct part *part, ernie_error *err)
{
    struct relations relations = { 0 };
    int status;

    status = relations_read(&relations, package, part->name, err);
    if (status == ERNIE_OK)
        status = read_title(writer, part, err);
    if (status == ERNIE_OK)
        status = read_rest(writer, part, err);
    for (size_t i = 0; status == ERNIE_OK && i < relations.n; i++)
        if (strcmp(relations.relations[i].type, "diagramData") == 0)
            status = read_rest(writer, package_part(package, relations.relations[i].target), err);
    if (status == ERNIE_OK)
        status = read_rest(writer, relations_by_type(&relations, package, "notesSlide"), err);
    relations_reset(&relations);
    return status;
}

/* ---- the presentation -------------------------------------------------- */

enum { SLIDE_ID = 1 };

static const struct xml_name presentation_names[] = { { "p:sldId", SLIDE_ID } };

struct presentation {
    struct writer *writer;
    const struct package *package;
    const struct relations *relations;
    unsigned n_slides;
    int status;
    ernie_error *err;
};

static int presentation_start(void *data, int kind, const struct xml_element *element)
{
    struct presentation *presentation = data;
    const struct part *part;
    char id[64];

    (void)kind;
    /* As many as there can be parts: a list that names one slide for ever is no presentation. */
    if (presentation->status != ERNIE_OK || presentation->n_slides >= PACKAGE_MAX_ENTRIES)
        return 1;
    xml_attribute(element, "r:id", id, sizeof id);
    part = relations_by_id(presentation->relations, presentation->package, id);
    writer_page(presentation->writer, ++presentation->n_slides);
    if (part != NULL)
        presentation->status = read_slide(presentation->writer, presentation->package, part,
                                          presentation->err);
    return 1;
}

int pptx_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    static const struct xml_handler presentation_handler = {
        .names = presentation_names,
        .n_names = 1,
        .start = presentation_start,
    };
    struct package package = { 0 };
    struct relations relations = { 0 };
    struct presentation presentation = {
        .writer = writer, .package = &package, .relations = &relations, .err = err
    };
    const struct part *part;
    int status;

    status = office_open(&package, bytes, size, "ppt/presentation.xml", &part, writer->out, err);
    if (status == ERNIE_OK)
        status = relations_read(&relations, &package, part->name, err);
    if (status == ERNIE_OK)
        status = xml_read(part->name, &part->bytes, &presentation_handler, &presentation,
                          NULL, err);
    if (presentation.status != ERNIE_OK)
        status = presentation.status;
    if (status == ERNIE_OK) {
        properties_title_from_heading(writer->out);
        status = properties_finish(writer, err);
    }
    relations_reset(&relations);
    package_reset(&package);
    return status;
}
