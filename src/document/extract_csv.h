/* Tables of text (RFC 4180 and its relatives: commas, tabs, semicolons or bars between the
 * cells) to lines, a row each, its cells behind their columns' names: "city: 上海 | area:
 * 6340". A row then means the same wherever it is read. */
#ifndef ERNIE_DOCUMENT_EXTRACT_CSV_H
#define ERNIE_DOCUMENT_EXTRACT_CSV_H

#include <stddef.h>

#include "document/writer.h"

/* Writes text [size], UTF-8. The first row names the columns unless a cell of it is empty or
 * a number. */
void csv_extract(struct writer *writer, const char *text, size_t size);

#endif
