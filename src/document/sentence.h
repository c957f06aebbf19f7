/* Where sentences end. The rules are told in chunk.h. */
#ifndef ERNIE_DOCUMENT_SENTENCE_H
#define ERNIE_DOCUMENT_SENTENCE_H

#include <stddef.h>

/* Lines without a blank one between them: a paragraph, a list, a table. */
struct paragraph {
    size_t start, end; /* behind its last line, without the line break */
    size_t width;      /* columns of its widest line; a Chinese character has two */
    size_t n_lines;
};

struct sentence {
    size_t start, end; /* no space at either end */
};

/* The paragraph after offset at. 0 when only white space is left. */
int paragraph_next(const char *text, size_t size, size_t at, struct paragraph *out);

/* The sentence after offset at, within the paragraph. 0 when there is none left. */
int sentence_next(const char *text, const struct paragraph *paragraph, size_t at,
                  struct sentence *out);

/* Whether the paragraph reads like a heading: one short line, no sentence's end. */
int paragraph_is_heading(const char *text, const struct paragraph *paragraph);

/* 1 and the bytes of the white space character at text[0] (a line break too), else 0. */
int space_at(const char *text, size_t size, size_t *n_bytes);

#endif
