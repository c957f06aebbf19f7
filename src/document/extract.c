#include "document/extract.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/charset.h"
#include "document/extract_csv.h"
#include "document/extract_html.h"
#include "document/extract_json.h"
#include "document/extract_markdown.h"
#include "document/extract_source.h"
#include "document/extract_subtitles.h"
#include "document/extract_text.h"
#include "document/extract_xml.h"
#include "document/writer.h"

/* Whether the text is taken apart; else it is kept as it is. */
static int has_markup(enum document_format format)
{
    return format != DOCUMENT_TEXT && format != DOCUMENT_SOURCE;
}

static int write_document(struct extract *out, const struct buffer *source, ernie_error *err)
{
    struct writer writer = { .out = out, .line = 1 };
    int status = ERNIE_OK;

    if (source->size == 0)
        return ERNIE_OK;
    switch (out->format) {
    case DOCUMENT_HTML:
        html_extract(&writer, source->data, source->size);
        break;
    case DOCUMENT_CSV:
        csv_extract(&writer, source->data, source->size);
        break;
    case DOCUMENT_JSON:
        json_extract(&writer, source->data, source->size);
        break;
    case DOCUMENT_XML:
        xml_extract(&writer, source->data, source->size);
        break;
    case DOCUMENT_SUBTITLES:
        subtitles_extract(&writer, source->data, source->size);
        break;
    default:
        status = markdown_extract(&writer, source->data, source->size, err);
    }
    writer_finish(&writer);
    return status;
}

/* The text is the document's, and its lines are the file's. */
static void keep_text(struct extract *out, const char *name, struct buffer *source)
{
    out->text = *source;
    memset(source, 0, sizeof *source);
    out->marks_are_sparse = 1;
    text_mark_lines(out);
    if (out->format == DOCUMENT_SOURCE)
        source_mark_sections(out, name);
    else
        text_mark_headings(out, name);
}

int extract(const char *name, const uint8_t *bytes, size_t size, struct extract *out,
            ernie_error *err)
{
    struct charset charset;
    struct buffer source = { 0 };
    const char *declared = NULL;
    size_t declared_size = 0;
    int status;

    out->format = document_format(name, bytes, size);
    if (out->format == DOCUMENT_UNKNOWN || document_format_is_complex(out->format))
        return error_set(err, ERNIE_EFORMAT, "%s: not a text", name);
    if (out->format == DOCUMENT_HTML || out->format == DOCUMENT_XML)
        declared = html_declared_charset(bytes, size, &declared_size);
    status = charset_detect(bytes, size, declared, declared_size, &charset, err);
    if (status != ERNIE_OK)
        return status;
    strncpy(out->encoding, charset.name, sizeof out->encoding - 1);
    status = charset_decode(&charset, bytes, size, &source, &out->n_replaced, err);
    if (status == ERNIE_OK && out->format == DOCUMENT_MARKDOWN &&
        !markdown_is_tame(source.data, source.size))
        out->format = DOCUMENT_TEXT;
    if (status == ERNIE_OK && has_markup(out->format))
        status = write_document(out, &source, err);
    /* Subtitles without a cue are none: a name can lie. */
    if (status == ERNIE_OK && out->format == DOCUMENT_SUBTITLES && out->text.size == 0)
        out->format = DOCUMENT_TEXT;
    if (status == ERNIE_OK && !has_markup(out->format))
        keep_text(out, name, &source);
    buffer_append(&out->text, "", 0); /* so that an empty one is "" */
    buffer_append(&out->title, "", 0);
    buffer_append(&out->author, "", 0);
    if (status == ERNIE_OK && (out->text.failed || out->title.failed || out->author.failed))
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    buffer_reset(&source);
    return status;
}

void extract_reset(struct extract *extract)
{
    buffer_reset(&extract->text);
    buffer_reset(&extract->title);
    buffer_reset(&extract->author);
    buffer_reset(&extract->headings);
    memory_free(extract->sections);
    memory_free(extract->marks);
    memset(extract, 0, sizeof *extract);
}

size_t extract_line(const struct extract *extract, size_t offset)
{
    size_t low = 0, high = extract->n_marks, line;

    while (low + 1 < high) {
        size_t middle = (low + high) / 2;

        if (extract->marks[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    if (extract->n_marks == 0)
        return 1;
    line = extract->marks[low].line;
    if (extract->marks_are_sparse)
        for (size_t i = extract->marks[low].offset; i < offset && i < extract->text.size; i++)
            line += extract->text.data[i] == '\n';
    return line;
}
