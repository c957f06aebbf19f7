/* The tags of HTML and XML as they stand in a text, one at a time: names and attributes,
 * taken apart as the HTML Living Standard tokenizes them (section 13.2.5), which reads
 * XML's alike. No tree is built and nothing is looked up, so the time is linear in the
 * size, and what is broken is read as far as it goes. */
#ifndef ERNIE_DOCUMENT_TAGS_H
#define ERNIE_DOCUMENT_TAGS_H

#include <stddef.h>

/* Bytes of a name that are kept: more than any that matters has. */
#define TAG_MAX_NAME 31

struct tag {
    char name[TAG_MAX_NAME + 1]; /* lower case */
    int is_end;
    int is_closed; /* "/>": means something in XML and SVG only */
    size_t size;   /* bytes, from "<" to behind ">" */
};

static inline int tag_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

/* Called for each attribute that has a value, which is as it stands in the text. */
typedef void (*tag_attribute_fn)(void *data, const char *name, size_t name_size,
                                 const char *value, size_t value_size);

/* The tag at text[0] == '<', after which a name or "/" and a name comes. 0 when the text
 * ends within it. fn may be NULL. */
int tag_read(const char *text, size_t size, tag_attribute_fn fn, void *data, struct tag *out);

/* Bytes of the comment, declaration or processing instruction at text[0] == '<'. */
size_t tag_comment_size(const char *text, size_t size);

#endif
