/* Source code: kept as it is, and cut where functions and classes begin, each with the comment
 * above it, under its name. They are known by the first lines of their declarations and by
 * their indentation, which tells more reliably where one ends than brackets do when nothing is
 * parsed: all code that people read is indented. */
#ifndef ERNIE_DOCUMENT_EXTRACT_SOURCE_H
#define ERNIE_DOCUMENT_EXTRACT_SOURCE_H

#include "document/extract.h"

/* Notes the functions and classes of out->text, which holds the file's text already; a method
 * stands below its class. The name's extension says the language; in one that is not known
 * none are found. */
void source_mark_sections(struct extract *out, const char *name);

#endif
