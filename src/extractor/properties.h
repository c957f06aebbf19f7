/* What a document says of itself, into an extract: cleaned, since it may say anything. */
#ifndef ERNIE_EXTRACTOR_PROPERTIES_H
#define ERNIE_EXTRACTOR_PROPERTIES_H

#include <stddef.h>

#include "document/writer.h"
#include "extractor/package.h"

/* Text of one line: white space collapsed, what is not UTF-8 replaced, cut where it is absurdly
 * long. Replaces what was there; a text of nothing but space leaves it alone. */
void properties_set_line(struct buffer *line, const char *text, size_t size);

/* A BCP 47 tag; "zh_CN" is taken as well. What is none leaves it alone. */
void properties_set_language(struct extract *out, const char *text, size_t size);

/* A date as ISO 8601 and W3C-DTF write it ("2024", "2024-01-31T08:00:00.5Z"); fractions of a
 * second are left out. What is none leaves it alone. */
void properties_set_date(struct extract *out, const char *text, size_t size);

/* The properties part of Office Open XML (core.xml) or OpenDocument (meta.xml), where there is
 * one: Dublin Core's title, creator and language, the date of creation, or else of the last
 * change. A broken one is passed over: the text is what counts. */
int properties_read(struct extract *out, const struct package *package, const char *part,
                    ernie_error *err);
/* The same from the part, or from a document that is one file with its properties in it; name is
 * for messages. */
int properties_read_part(struct extract *out, const char *name, const struct buffer *part,
                         ernie_error *err);

/* A document that names no title has that of its first heading. */
void properties_title_from_heading(struct extract *out);

/* Ends the document, all of which comes from its line 1; ERNIE_ENOMEM when there was not enough for any of it. */
int properties_finish(struct writer *writer, ernie_error *err);

#endif
