/* Markdown (GitHub's dialect, by md4c) to text: the marks dropped, the words, code
 * and link texts kept, raw HTML stripped of its tags. */
#ifndef ERNIE_DOCUMENT_EXTRACT_MARKDOWN_H
#define ERNIE_DOCUMENT_EXTRACT_MARKDOWN_H

#include <stddef.h>

#include "document/writer.h"

/* Whether text [size] can be given to md4c: it holds a definition's link again for
 * each use of it, so a long one used often costs the product, and so do deep lists and
 * the blank lines behind them. */
int markdown_is_tame(const char *text, size_t size);

/* Writes text [size], UTF-8. The title is the front matter's, else that of the first
 * heading of level 1, else of the first heading. */
int markdown_extract(struct writer *writer, const char *text, size_t size, ernie_error *err);

#endif
