#include "extractor/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define MAX_NAME       64 /* of an element with its prefix */
#define MAX_KNOWN      64 /* namespaces of a part that are remembered by address */
#define MAX_ATTRIBUTES 1000
#define TEXT_OF_(x)    #x
#define TEXT_OF(x)     TEXT_OF_(x)

/* ---- namespaces -------------------------------------------------------- */

/* Office Open XML has two names for each: of the first edition, and of "Strict". */
static const struct {
    const char *uri, *prefix;
} namespaces[] = {
    { "http://schemas.openxmlformats.org/wordprocessingml/2006/main", "w" },
    { "http://purl.oclc.org/ooxml/wordprocessingml/main", "w" },
    { "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "x" },
    { "http://purl.oclc.org/ooxml/spreadsheetml/main", "x" },
    { "http://schemas.openxmlformats.org/presentationml/2006/main", "p" },
    { "http://purl.oclc.org/ooxml/presentationml/main", "p" },
    { "http://schemas.openxmlformats.org/drawingml/2006/main", "a" },
    { "http://purl.oclc.org/ooxml/drawingml/main", "a" },
    { "http://schemas.openxmlformats.org/drawingml/2006/diagram", "dgm" },
    { "http://purl.oclc.org/ooxml/drawingml/diagram", "dgm" },
    { "http://schemas.openxmlformats.org/officeDocument/2006/relationships", "r" },
    { "http://purl.oclc.org/ooxml/officeDocument/relationships", "r" },
    { "http://schemas.openxmlformats.org/officeDocument/2006/math", "m" },
    { "http://purl.oclc.org/ooxml/officeDocument/math", "m" },
    { "http://schemas.openxmlformats.org/markup-compatibility/2006", "mc" },
    { "http://schemas.openxmlformats.org/package/2006/relationships", "rel" },
    { "http://schemas.openxmlformats.org/package/2006/metadata/core-properties", "cp" },
    { "http://purl.org/dc/elements/1.1/", "dc" },
    { "http://purl.org/dc/terms/", "dcterms" },
    { "urn:oasis:names:tc:opendocument:xmlns:office:1.0", "office" },
    { "urn:oasis:names:tc:opendocument:xmlns:text:1.0", "text" },
    { "urn:oasis:names:tc:opendocument:xmlns:table:1.0", "table" },
    { "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0", "draw" },
    { "urn:oasis:names:tc:opendocument:xmlns:presentation:1.0", "presentation" },
    { "urn:oasis:names:tc:opendocument:xmlns:style:1.0", "style" },
    { "urn:oasis:names:tc:opendocument:xmlns:meta:1.0", "meta" },
    { "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0", "svg" },
    { "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0", "manifest" },
    { "urn:oasis:names:tc:opendocument:xmlns:container", "container" },
    { "http://www.idpf.org/2007/opf", "opf" },
    { "http://www.daisy.org/z3986/2005/ncx/", "ncx" },
    { "http://www.w3.org/1999/xhtml", "h" },
    { "http://www.w3.org/2001/04/xmlenc#", "enc" },
    { "http://www.idpf.org/2007/ops", "epub" },
};

struct xml_reader {
    const struct xml_handler *handler;
    void *data;
    const struct extract *out;
    xmlParserCtxtPtr parser;
    /* The part's namespaces, by the address that libxml2 keeps each at. */
    struct {
        const xmlChar *uri;
        const char *prefix; /* NULL: not known to us */
    } known[MAX_KNOWN];
    size_t n_known;
    unsigned depth;
    unsigned skipped; /* the depth of the element that is being left out; 0: none */
    unsigned char has_choice[XML_MAX_DEPTH + 1]; /* by the depth of mc:AlternateContent */
    signed char kinds[XML_MAX_DEPTH + 1];
    const char *refused; /* why we stopped, where libxml2 would have gone on */
    const struct xml_source *source;
    ernie_error *err; /* what the source said, */
    int source_status; /* when it failed */
    unsigned n_attributes; /* of the tag that is being read, it seems */
    int after_equals;      /* spaces aside */
};

static const char *prefix_of(struct xml_reader *reader, const xmlChar *uri)
{
    const char *prefix = NULL;

    if (uri == NULL)
        return NULL;
    for (size_t i = 0; i < reader->n_known; i++)
        if (reader->known[i].uri == uri)
            return reader->known[i].prefix;
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
        if (strcmp(namespaces[i].uri, (const char *)uri) == 0)
            prefix = namespaces[i].prefix;
    if (reader->n_known < MAX_KNOWN) {
        reader->known[reader->n_known].uri = uri;
        reader->known[reader->n_known++].prefix = prefix;
    }
    return prefix;
}

/* "w:p"; what is longer than any name we know becomes "". */
static void full_name(struct xml_reader *reader, const xmlChar *local, const xmlChar *uri,
                      char name[MAX_NAME])
{
    const char *prefix = prefix_of(reader, uri);
    const size_t n_prefix = prefix != NULL ? strlen(prefix) + 1 : 0;
    const size_t n_local = strlen((const char *)local);

    name[0] = '\0';
    if (n_prefix + n_local >= MAX_NAME)
        return;
    if (prefix != NULL) {
        memcpy(name, prefix, n_prefix - 1);
        name[n_prefix - 1] = ':';
    }
    memcpy(name + n_prefix, local, n_local + 1);
}

static int kind_of(const struct xml_handler *handler, const char *name)
{
    size_t low = 0, high = handler->n_names;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(handler->names[middle].name, name);

        if (order == 0)
            return handler->names[middle].kind;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return XML_OTHER;
}

/* ---- attributes -------------------------------------------------------- */

struct xml_element {
    struct xml_reader *reader;
    int n_attributes;
    const xmlChar **attributes; /* five each: local name, prefix, URI, value, its end */
};

size_t xml_attribute(const struct xml_element *element, const char *name, char *value,
                     size_t capacity)
{
    /* Without entities replaced, libxml2 hands over "&" as it would be read again. */
    static const char ampersand[] = "&#38;";
    char full[MAX_NAME];
    size_t n = 0;

    value[0] = '\0';
    for (int i = 0; i < element->n_attributes; i++) {
        const xmlChar **attribute = element->attributes + 5 * i;
        const char *at = (const char *)attribute[3], *end = (const char *)attribute[4];

        full_name(element->reader, attribute[0], attribute[2], full);
        if (strcmp(full, name) != 0)
            continue;
        while (at < end && n + 1 < capacity) {
            value[n++] = *at;
            at += (size_t)(end - at) >= sizeof ampersand - 1 &&
                          memcmp(at, ampersand, sizeof ampersand - 1) == 0
                      ? sizeof ampersand - 1
                      : 1;
        }
        value[n] = '\0';
        if (at < end) {
            n = utf8_floor(value, n > 0 ? n - 1 : 0);
            value[n] = '\0';
        }
        break;
    }
    return n;
}

long xml_number(const struct xml_element *element, const char *name, long low, long high,
                long otherwise)
{
    char value[24], *end;
    long number;

    if (xml_attribute(element, name, value, sizeof value) == 0)
        return otherwise;
    number = strtol(value, &end, 10);
    if (end == value)
        return otherwise;
    return number < low ? low : number > high ? high : number;
}

/* ---- events ------------------------------------------------------------ */

static void refuse(struct xml_reader *reader, const char *why)
{
    if (reader->refused == NULL)
        reader->refused = why;
    xmlStopParser(reader->parser);
}

static void check_text(struct xml_reader *reader)
{
    if (reader->out != NULL && reader->out->text.size > XML_MAX_TEXT_BYTES)
        refuse(reader, "the text grows past 64 MiB");
}

/* Whether the element is an alternative that is not the chosen one. */
static int is_other_choice(struct xml_reader *reader, const char *name)
{
    unsigned char *has_choice = &reader->has_choice[reader->depth - 1];

    if (strcmp(name, "mc:AlternateContent") == 0) {
        reader->has_choice[reader->depth] = 0;
    } else if (strcmp(name, "mc:Choice") == 0) {
        if (*has_choice)
            return 1;
        *has_choice = 1;
    } else if (strcmp(name, "mc:Fallback") == 0) {
        return *has_choice;
    }
    return 0;
}

static void start_element(void *context, const xmlChar *local, const xmlChar *prefix,
                          const xmlChar *uri, int n_namespaces, const xmlChar **declared,
                          int n_attributes, int n_defaulted, const xmlChar **attributes)
{
    struct xml_reader *reader = context;
    struct xml_element element = { reader, n_attributes, attributes };
    char name[MAX_NAME];
    int kind;

    (void)prefix, (void)n_namespaces, (void)declared, (void)n_defaulted;
    if (reader->refused != NULL)
        return;
    if (reader->depth >= XML_MAX_DEPTH) {
        refuse(reader, "elements too deep in each other");
        return;
    }
    reader->depth++;
    if (reader->skipped > 0)
        return;
    full_name(reader, local, uri, name);
    kind = kind_of(reader->handler, name);
    reader->kinds[reader->depth] = (signed char)kind;
    if (kind == XML_SKIP || is_other_choice(reader, name) ||
        (kind != XML_OTHER && reader->handler->start(reader->data, kind, &element)))
        reader->skipped = reader->depth;
    check_text(reader);
}

static void end_element(void *context, const xmlChar *local, const xmlChar *prefix,
                        const xmlChar *uri)
{
    struct xml_reader *reader = context;

    (void)local, (void)prefix, (void)uri;
    if (reader->refused != NULL || reader->depth == 0)
        return;
    if (reader->skipped == 0 && reader->kinds[reader->depth] != XML_OTHER &&
        reader->handler->end != NULL) {
        reader->handler->end(reader->data, reader->kinds[reader->depth]);
        check_text(reader);
    }
    if (reader->skipped == reader->depth)
        reader->skipped = 0;
    reader->depth--;
}

static void characters(void *context, const xmlChar *text, int size)
{
    struct xml_reader *reader = context;

    if (reader->refused != NULL || reader->skipped > 0 || reader->handler->text == NULL ||
        size <= 0)
        return;
    reader->handler->text(reader->data, (const char *)text, (size_t)size);
    check_text(reader);
}

static void document_type(void *context, const xmlChar *name, const xmlChar *public_id,
                          const xmlChar *system_id)
{
    struct xml_reader *reader = context;

    (void)name, (void)public_id, (void)system_id;
    if (!reader->handler->may_have_type)
        refuse(reader, "has a document type");
}

static void declared_entity(void *context, const xmlChar *name, int type, const xmlChar *public_id,
                            const xmlChar *system_id, xmlChar *content)
{
    (void)name, (void)type, (void)public_id, (void)system_id, (void)content;
    refuse(context, "declares entities");
}

/* Whether a tag seems to have more attributes than any has: libxml2 compares each with all before
 * it, which takes minutes for a hundred thousand. "<" begins a tag and stands in no value; the zero
 * bytes are UTF-16's. Tags go on from one piece of the part to the next. */
static int has_many_attributes(struct xml_reader *reader, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char c = bytes[i];

        if (c == '<')
            reader->n_attributes = 0;
        else if ((c == '"' || c == '\'') && reader->after_equals &&
                 ++reader->n_attributes > MAX_ATTRIBUTES)
            return 1;
        if (c != '\0' && c != ' ' && (c < '\t' || c > '\r'))
            reader->after_equals = c == '=';
    }
    return 0;
}

/* libxml2's reading of its input: how many bytes there are, or -1. */
static int read_input(void *context, char *out, int capacity)
{
    struct xml_reader *reader = context;
    size_t n = 0;

    reader->source_status = reader->source->read(reader->source->data, out, (size_t)capacity, &n,
                                                 reader->err);
    if (reader->source_status != ERNIE_OK)
        return -1;
    if (has_many_attributes(reader, out, n)) {
        reader->refused = "a tag with more than " TEXT_OF(MAX_ATTRIBUTES) " attributes";
        return -1;
    }
    return (int)n;
}

/* libxml2 prints what it finds wrong unless somebody listens. */
static void ignore_error(void *context, xmlErrorPtr error)
{
    (void)context, (void)error;
}

int xml_read_from(const char *name, const struct xml_source *source,
                  const struct xml_handler *handler, void *data, const struct extract *out,
                  ernie_error *err)
{
    static const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
    ernie_error source_error;
    struct xml_reader reader = { .handler = handler, .data = data, .out = out,
                                 .source = source, .err = &source_error };
    xmlSAXHandler sax = { .initialized = XML_SAX2_MAGIC,
                          .internalSubset = document_type,
                          .entityDecl = declared_entity,
                          .startElementNs = start_element,
                          .endElementNs = end_element,
                          .characters = characters,
                          .ignorableWhitespace = characters,
                          .cdataBlock = characters,
                          .serror = ignore_error };
    xmlParserInputBufferPtr buffer;
    xmlParserInputPtr input = NULL;
    const xmlError *error;
    int status = ERNIE_OK;

    reader.parser = xmlNewParserCtxt();
    if (reader.parser == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    *reader.parser->sax = sax;
    reader.parser->userData = &reader;
    xmlCtxtUseOptions(reader.parser, options);
    buffer = xmlParserInputBufferCreateIO(read_input, NULL, &reader, XML_CHAR_ENCODING_NONE);
    if (buffer != NULL)
        input = xmlNewIOInputStream(reader.parser, buffer, XML_CHAR_ENCODING_NONE);
    if (input == NULL || inputPush(reader.parser, input) < 0) {
        if (input != NULL)
            xmlFreeInputStream(input);
        else if (buffer != NULL)
            xmlFreeParserInputBuffer(buffer);
        xmlFreeParserCtxt(reader.parser);
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    }
    xmlParseDocument(reader.parser);
    error = xmlCtxtGetLastError(reader.parser);
    if (reader.source_status != ERNIE_OK)
        status = error_set(err, reader.source_status, "%s", source_error.message);
    else if (reader.refused != NULL)
        status = error_set(err, ERNIE_EFORMAT, "%s: %s", name, reader.refused);
    else if (error != NULL && error->code == XML_ERR_NO_MEMORY)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    else if (!reader.parser->wellFormed)
        status = error_set(err, ERNIE_EFORMAT, "%s: line %d: %s", name,
                           error != NULL ? error->line : 0,
                           error != NULL && error->message != NULL ? error->message
                                                                   : "not well formed");
    xmlFreeParserCtxt(reader.parser);
    return status;
}

/* ---- in memory --------------------------------------------------------- */

struct memory {
    const char *bytes;
    size_t n_left;
};

static int read_memory(void *data, char *out, size_t capacity, size_t *n, ernie_error *err)
{
    struct memory *memory = data;

    (void)err;
    *n = memory->n_left < capacity ? memory->n_left : capacity;
    memcpy(out, memory->bytes, *n);
    memory->bytes += *n;
    memory->n_left -= *n;
    return ERNIE_OK;
}

int xml_read(const char *name, const struct buffer *bytes, const struct xml_handler *handler,
             void *data, const struct extract *out, ernie_error *err)
{
    struct memory memory = { bytes->data, bytes->size };
    const struct xml_source source = { read_memory, &memory };

    if (bytes->size == 0)
        return error_set(err, ERNIE_EFORMAT, "%s: empty", name);
    return xml_read_from(name, &source, handler, data, out, err);
}
