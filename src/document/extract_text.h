/* Plain text, of which nothing is taken away. */
#ifndef ERNIE_DOCUMENT_EXTRACT_TEXT_H
#define ERNIE_DOCUMENT_EXTRACT_TEXT_H

#include "document/extract.h"

/* Notes the lines of out->text, which holds the file's text already. */
void text_mark_lines(struct extract *out);

#endif
