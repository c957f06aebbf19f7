/* One XML part, read element by element (libxml2's SAX2): no tree, no entities but the five of
 * XML, nothing loaded. A format lists the elements that mean something to it;
 * the others are passed through, so that their text is seen, and those of kind XML_SKIP are left
 * out with all they hold. Of an mc:AlternateContent only the first mc:Choice is seen, and the
 * mc:Fallback where there is none (ECMA-376, part 3, section 7.6). */
#ifndef ERNIE_EXTRACTOR_XML_H
#define ERNIE_EXTRACTOR_XML_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "document/extract.h"

#define XML_MAX_DEPTH      512
#define XML_MAX_TEXT_BYTES (64u << 20) /* of the text that is made */

/* A name is written with the prefix that the standard uses, whatever the part uses: "w:p". An
 * element of no namespace, or of one that is not known (see xml.c), has none. */
struct xml_name {
    const char *name;
    int kind; /* > 0, or XML_SKIP */
};
enum { XML_OTHER = 0, XML_SKIP = -1 };

struct xml_element; /* while its start is handled */

struct xml_handler {
    const struct xml_name *names; /* [n_names], in strcmp's order */
    size_t n_names;
    /* Returns 0, or 1 to leave the element out with all it holds (its end is not told). */
    int (*start)(void *data, int kind, const struct xml_element *element);
    void (*end)(void *data, int kind); /* may be NULL */
    void (*text)(void *data, const char *text, size_t size); /* may be NULL */
    /* A document type may be named, as XHTML's is; else a part that has one is refused. */
    int may_have_type;
};

/* Where the bytes of a part come from, a piece at a time: at most capacity of them to out, and in
 * *n how many; 0 at the end. */
struct xml_source {
    int (*read)(void *data, char *out, size_t capacity, size_t *n, ernie_error *err);
    void *data;
};

/* Reads the part called name, of which only the error says. Fails with ERNIE_EFORMAT when
 * it is not well formed, has a document type or entities of its own, is too deep or has a tag of
 * very many attributes, or when the text of out (may be NULL) grows past its limit; or as its
 * source does. */
int xml_read_from(const char *name, const struct xml_source *source,
                  const struct xml_handler *handler, void *data, const struct extract *out,
                  ernie_error *err);
/* The same of bytes in memory. */
int xml_read(const char *name, const struct buffer *bytes, const struct xml_handler *handler,
             void *data, const struct extract *out, ernie_error *err);

/* The attribute's value with its 0 byte into value [capacity], cut at a whole character; "" when
 * there is none. Returns its length. */
size_t xml_attribute(const struct xml_element *element, const char *name, char *value,
                     size_t capacity);

/* The attribute as a number: otherwise, when it is absent or none, and never outside low..high. */
long xml_number(const struct xml_element *element, const char *name, long low, long high,
                long otherwise);

#endif
