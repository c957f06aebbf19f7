/* HTML to text. The tags are taken apart as the HTML Living Standard tokenizes them
 * (section 13.2.5); no tree is built, since text needs none: which elements begin a
 * block, and which hold no text for readers, is known from the tags alone. So the
 * time is linear in the size, whatever is nested in what. (The HTML parser of
 * libxml2 2.9 compares each attribute of a tag with all before it, and each end tag
 * with all open elements: half a megabyte of either takes it four seconds.) */
#ifndef ERNIE_DOCUMENT_EXTRACT_HTML_H
#define ERNIE_DOCUMENT_EXTRACT_HTML_H

#include <stddef.h>
#include <stdint.h>

#include "document/writer.h"

/* Writes text [size], UTF-8, as a whole document: its title goes to out->title. */
void html_extract(struct writer *writer, const char *text, size_t size);

/* Writes a part of a document, such as Markdown holds. */
void html_write(struct writer *writer, const char *text, size_t size);

/* The code point of the entity that starts at text[0] == '&' and its length, or 0
 * when it is none. */
uint32_t html_entity(const char *text, size_t size, size_t *n_bytes);

/* The charset label that the start of an HTML or XML file declares, or NULL. Points
 * into bytes. */
const char *html_declared_charset(const uint8_t *bytes, size_t size, size_t *label_size);

#endif
