/* EPUB (W3C, version 3.3; version 2 as well): the chapters in the order of the spine, each read as
 * the web page that it is. A chapter without a heading of its own has the one that the table of
 * contents gives it. */
#include <string.h>

#include "base/memory.h"
#include "document/charset.h"
#include "document/extract_html.h"
#include "extractor/formats.h"
#include "extractor/package.h"
#include "extractor/properties.h"
#include "extractor/xml.h"

#define MAX_PATH        512
#define MAX_CREATORS    8
#define MAX_LABEL_BYTES 512

struct item {
    char id[128], path[MAX_PATH];
    int is_nav, is_ncx;
    int is_written;
};

/* What the table of contents calls a file: its first entry that leads there. */
struct entry {
    char path[MAX_PATH];
    size_t start, size; /* of labels */
};

struct epub {
    const struct package *package;
    struct writer *writer;
    char opf[MAX_PATH]; /* the package document */
    struct item *items; /* [n_items] */
    size_t n_items, items_capacity;
    size_t spine[PACKAGE_MAX_ENTRIES]; /* [n_spine], of items */
    size_t n_spine;
    struct entry *entries; /* [n_entries] */
    size_t n_entries, entries_capacity;
    struct buffer labels;
    /* While a part is read: */
    const char *part;
    struct buffer value;  /* the text of the element */
    char target[MAX_PATH]; /* of the link */
    int reads;            /* that text is wanted */
    unsigned n_creators;
    int is_encrypted;
    int failed; /* memory ran out */
};

/* The array with room for one more behind its n, or NULL: there are enough, or no memory. */
static void *grow(struct epub *epub, void *array, size_t n, size_t *capacity, size_t size)
{
    size_t wanted;

    if (n >= PACKAGE_MAX_ENTRIES)
        return NULL;
    if (n < *capacity)
        return array;
    wanted = n < 16 ? 16 : n * 2;
    array = memory_resize(array, wanted, size);
    epub->failed |= array == NULL;
    *capacity = array != NULL ? wanted : *capacity;
    return array;
}

static void text(void *data, const char *bytes, size_t size)
{
    struct epub *epub = data;

    if (epub->reads)
        buffer_append(&epub->value, bytes, size);
}

static void begin_value(struct epub *epub)
{
    buffer_clear(&epub->value);
    epub->reads = 1;
}

static int read_part(struct epub *epub, const struct part *part, const struct xml_handler *handler,
                     ernie_error *err)
{
    int status;

    epub->part = part->name;
    epub->reads = 0;
    status = xml_read(part->name, &part->bytes, handler, epub, NULL, err);
    if (status == ERNIE_OK && (epub->failed || epub->value.failed || epub->labels.failed))
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", part->name);
    return status;
}

/* ---- the container ----------------------------------------------------- */

enum { ROOT_FILE = 1, CIPHER };

static const struct xml_name container_names[] = {
    { "container:rootfile", ROOT_FILE },
    { "enc:CipherReference", CIPHER },
};

static int container_start(void *data, int kind, const struct xml_element *element)
{
    struct epub *epub = data;
    char value[MAX_PATH], path[MAX_PATH];

    if (kind == ROOT_FILE && *epub->opf == '\0') {
        xml_attribute(element, "full-path", value, sizeof value);
        package_resolve("", value, epub->opf, sizeof epub->opf);
    } else if (kind == CIPHER) { /* fonts may be, and not what is read */
        xml_attribute(element, "URI", value, sizeof value);
        package_resolve("", value, path, sizeof path);
        for (size_t i = 0; i < epub->n_spine; i++)
            epub->is_encrypted |= strcmp(epub->items[epub->spine[i]].path, path) == 0;
    }
    return 0;
}

static const struct xml_handler container_handler = {
    .names = container_names,
    .n_names = sizeof container_names / sizeof *container_names,
    .start = container_start,
};

/* ---- the package document ---------------------------------------------- */

enum { TITLE = 1, CREATOR, LANGUAGE, DATE, ITEM, ITEM_REFERENCE };

static const struct xml_name opf_names[] = {
    { "dc:creator", CREATOR }, { "dc:date", DATE }, { "dc:language", LANGUAGE },
    { "dc:title", TITLE },     { "opf:item", ITEM }, { "opf:itemref", ITEM_REFERENCE },
};

static void add_item(struct epub *epub, const struct xml_element *element)
{
    struct item *item, *grown;
    char value[MAX_PATH];

    grown = grow(epub, epub->items, epub->n_items, &epub->items_capacity, sizeof *item);
    if (grown == NULL)
        return;
    epub->items = grown;
    item = memset(&epub->items[epub->n_items++], 0, sizeof *item);
    xml_attribute(element, "id", item->id, sizeof item->id);
    xml_attribute(element, "href", value, sizeof value);
    package_resolve(epub->part, value, item->path, sizeof item->path);
    xml_attribute(element, "properties", value, sizeof value);
    item->is_nav = strstr(value, "nav") != NULL;
    xml_attribute(element, "media-type", value, sizeof value);
    item->is_ncx = strcmp(value, "application/x-dtbncx+xml") == 0;
}

static void add_to_spine(struct epub *epub, const struct xml_element *element)
{
    char id[sizeof epub->items->id];
    size_t i = 0;

    xml_attribute(element, "idref", id, sizeof id);
    while (i < epub->n_items && strcmp(epub->items[i].id, id) != 0)
        i++;
    if (i < epub->n_items && epub->n_spine < PACKAGE_MAX_ENTRIES)
        epub->spine[epub->n_spine++] = i;
}

static int opf_start(void *data, int kind, const struct xml_element *element)
{
    struct epub *epub = data;

    if (kind == ITEM)
        add_item(epub, element);
    else if (kind == ITEM_REFERENCE)
        add_to_spine(epub, element);
    else
        begin_value(epub);
    return 0;
}

static void add_creator(struct epub *epub, const char *name, size_t size)
{
    struct buffer *author = &epub->writer->out->author, line = { 0 };

    properties_set_line(&line, name, size);
    if (line.size > 0 && epub->n_creators < MAX_CREATORS) {
        if (epub->n_creators++ > 0)
            buffer_append_text(author, ", ");
        buffer_append(author, line.data, line.size);
    }
    author->failed |= line.failed;
    buffer_reset(&line);
}

static void opf_end(void *data, int kind)
{
    struct epub *epub = data;
    struct extract *out = epub->writer->out;
    const char *value = epub->value.data != NULL ? epub->value.data : "";
    const size_t size = epub->value.size;

    epub->reads = 0;
    if (kind == TITLE && out->title.size == 0)
        properties_set_line(&out->title, value, size);
    else if (kind == CREATOR)
        add_creator(epub, value, size);
    else if (kind == LANGUAGE && *out->language == '\0')
        properties_set_language(out, value, size);
    else if (kind == DATE && *out->date == '\0')
        properties_set_date(out, value, size);
}

static const struct xml_handler opf_handler = {
    .names = opf_names,
    .n_names = sizeof opf_names / sizeof *opf_names,
    .start = opf_start,
    .end = opf_end,
    .text = text,
    .may_have_type = 1,
};

/* ---- the table of contents --------------------------------------------- */

enum { LABEL = 1, TARGET, LINK };

static const struct xml_name contents_names[] = {
    { "h:a", LINK },
    { "ncx:content", TARGET },
    { "ncx:text", LABEL },
};

static void add_entry(struct epub *epub)
{
    struct entry *entry, *grown;
    size_t size = epub->value.size < MAX_LABEL_BYTES ? epub->value.size : MAX_LABEL_BYTES;

    if (*epub->target == '\0' || size == 0 || epub->n_entries >= PACKAGE_MAX_ENTRIES)
        return;
    for (size_t i = 0; i < epub->n_entries; i++)
        if (strcmp(epub->entries[i].path, epub->target) == 0)
            return;
    grown = grow(epub, epub->entries, epub->n_entries, &epub->entries_capacity, sizeof *entry);
    if (grown == NULL)
        return;
    epub->entries = grown;
    entry = &epub->entries[epub->n_entries++];
    memcpy(entry->path, epub->target, sizeof entry->path);
    entry->start = epub->labels.size;
    entry->size = size;
    buffer_append(&epub->labels, epub->value.data, size);
}

static void set_target(struct epub *epub, const struct xml_element *element, const char *name)
{
    char value[MAX_PATH];

    xml_attribute(element, name, value, sizeof value);
    package_resolve(epub->part, value, epub->target, sizeof epub->target);
}

static int contents_start(void *data, int kind, const struct xml_element *element)
{
    struct epub *epub = data;

    if (kind == TARGET) {
        set_target(epub, element, "src");
        add_entry(epub); /* its label comes first */
        return 1;
    }
    if (kind == LINK)
        set_target(epub, element, "href");
    begin_value(epub);
    return 0;
}

static void contents_end(void *data, int kind)
{
    struct epub *epub = data;

    epub->reads = 0;
    if (kind == LINK)
        add_entry(epub);
}

static const struct xml_handler contents_handler = {
    .names = contents_names,
    .n_names = sizeof contents_names / sizeof *contents_names,
    .start = contents_start,
    .end = contents_end,
    .text = text,
    .may_have_type = 1,
};

/* A book without one, or with a broken one, is read all the same. */
static int read_contents(struct epub *epub, ernie_error *err)
{
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < epub->n_items; i++) {
        const struct item *item = &epub->items[i];
        const struct part *part = item->is_nav || item->is_ncx
                                      ? package_part(epub->package, item->path)
                                      : NULL;

        if (part != NULL)
            status = read_part(epub, part, &contents_handler, err);
        if (status == ERNIE_EFORMAT)
            status = ERNIE_OK;
    }
    return status;
}

/* ---- chapters ---------------------------------------------------------- */

static int has_heading(const struct buffer *html)
{
    const char *at = html->data, *end = html->data + html->size;

    while (at < end && (at = memchr(at, '<', (size_t)(end - at))) != NULL) {
        if (end - at > 3 && (at[1] == 'h' || at[1] == 'H') && at[2] >= '1' && at[2] <= '6')
            return 1;
        at++;
    }
    return 0;
}

static void write_label(struct epub *epub, const char *path)
{
    for (size_t i = 0; i < epub->n_entries; i++)
        if (strcmp(epub->entries[i].path, path) == 0)
            writer_heading(epub->writer, 1, epub->labels.data + epub->entries[i].start,
                           epub->entries[i].size);
}

static int write_chapter(struct epub *epub, const struct part *part, ernie_error *err)
{
    const uint8_t *bytes = (const uint8_t *)part->bytes.data;
    struct extract *out = epub->writer->out;
    struct buffer html = { 0 };
    struct charset charset;
    const char *declared;
    size_t declared_size = 0, n_replaced = 0;
    int status;

    declared = html_declared_charset(bytes, part->bytes.size, &declared_size);
    status = charset_detect(bytes, part->bytes.size, declared, declared_size, &charset, err);
    if (status == ERNIE_OK)
        status = charset_decode(&charset, bytes, part->bytes.size, &html, &n_replaced, err);
    if (status == ERNIE_OK && html.failed)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", part->name);
    if (status == ERNIE_OK && html.size > 0) {
        out->n_replaced += n_replaced;
        writer_break(epub->writer, 2);
        if (!has_heading(&html))
            write_label(epub, part->name);
        html_write(epub->writer, html.data, html.size);
        writer_heading_end(epub->writer);
        writer_break(epub->writer, 2);
    }
    buffer_reset(&html);
    return status;
}

static int write_chapters(struct epub *epub, ernie_error *err)
{
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < epub->n_spine; i++) {
        struct item *item = &epub->items[epub->spine[i]];
        const struct part *part = package_part(epub->package, item->path);

        if (part == NULL || item->is_nav || item->is_written)
            continue;
        item->is_written = 1;
        status = write_chapter(epub, part, err);
    }
    return status;
}

/* ---- the whole --------------------------------------------------------- */

static int is_wanted(const char *name)
{
    static const char *const ends[] = { ".htm", ".html", ".ncx", ".opf", ".xht", ".xhtml", ".xml" };

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (package_name_ends(name, ends[i]))
            return 1;
    return 0;
}

static int read_book(struct epub *epub, ernie_error *err)
{
    const struct part *container = package_part(epub->package, "META-INF/container.xml");
    const struct part *encryption = package_part(epub->package, "META-INF/encryption.xml");
    const struct part *opf;
    int status;

    if (container == NULL)
        return error_set(err, ERNIE_EFORMAT, "META-INF/container.xml: missing");
    status = read_part(epub, container, &container_handler, err);
    if (status != ERNIE_OK)
        return status;
    opf = package_part(epub->package, epub->opf);
    if (opf == NULL)
        return error_set(err, ERNIE_EFORMAT, "%s: missing",
                         *epub->opf != '\0' ? epub->opf : "package document");
    status = read_part(epub, opf, &opf_handler, err);
    if (status == ERNIE_OK && encryption != NULL)
        status = read_part(epub, encryption, &container_handler, err);
    if (status == ERNIE_OK && epub->is_encrypted)
        return error_set(err, ERNIE_EFORMAT, "META-INF/encryption.xml: the book is encrypted");
    if (status == ERNIE_OK)
        status = read_contents(epub, err);
    return status == ERNIE_OK ? write_chapters(epub, err) : status;
}

int epub_extract(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *err)
{
    struct package package = { 0 };
    struct epub *epub = memory_new(1, sizeof *epub);
    int status;

    if (epub == NULL)
        return error_set(err, ERNIE_ENOMEM, "epub: out of memory");
    epub->package = &package;
    epub->writer = writer;
    status = package_open(&package, bytes, size, is_wanted, err);
    if (status == ERNIE_OK)
        status = read_book(epub, err);
    if (status == ERNIE_OK)
        status = properties_finish(writer, err);
    memory_free(epub->items);
    memory_free(epub->entries);
    buffer_reset(&epub->labels);
    buffer_reset(&epub->value);
    memory_free(epub);
    package_reset(&package);
    return status;
}
