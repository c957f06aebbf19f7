/* XML to text: what stands in its elements, those in the middle of a sentence as part of it
 * and others on lines of their own. Titles of chapters, sections and entries are headings, as
 * DocBook, TEI, FictionBook, Atom and RSS have them; HTML within is read as such.
 *
 * The text is taken apart by tags (tags.h), as HTML is: no document type is read, no entity of
 * its own is known, nothing is fetched, and the time is linear in the size. */
#ifndef ERNIE_DOCUMENT_EXTRACT_XML_H
#define ERNIE_DOCUMENT_EXTRACT_XML_H

#include <stddef.h>

#include "document/writer.h"

/* Writes text [size], UTF-8. */
void xml_extract(struct writer *writer, const char *text, size_t size);

#endif
