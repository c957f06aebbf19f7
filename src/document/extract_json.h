/* JSON to what people can read in it: strings, and numbers and truths behind their keys; a
 * line each, objects of a list in paragraphs, and below the keys of what holds them. Several
 * values one after another (JSON Lines) are as good as one.
 *
 * The text is read from its start to its end, without a tree: what is broken is read as far
 * as it goes, nothing grows with the depth, and each piece knows its line. */
#ifndef ERNIE_DOCUMENT_EXTRACT_JSON_H
#define ERNIE_DOCUMENT_EXTRACT_JSON_H

#include <stddef.h>

#include "document/writer.h"

/* Writes text [size], UTF-8. */
void json_extract(struct writer *writer, const char *text, size_t size);

#endif
