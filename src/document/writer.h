/* Writes an extract's text block by block: white space collapsed as a browser does
 * it, blocks apart by a blank line or a line break, and a note of which line of the
 * file each piece came from. A line break between two Chinese characters is nothing,
 * since Chinese is written without spaces. */
#ifndef ERNIE_DOCUMENT_WRITER_H
#define ERNIE_DOCUMENT_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "document/extract.h"

enum writer_gap { GAP_NONE, GAP_SPACE, GAP_LINE_BREAK, GAP_CELL };

struct writer {
    struct extract *out;
    size_t line;           /* of the file: where what is written next comes from */
    uint32_t last;         /* the code point written last; 0 at the start of a block */
    enum writer_gap gap;   /* what was seen since */
    unsigned breaks;       /* line breaks to end the text with before the next word */
};

/* Words and the space between them. Moves line past the line breaks in the text. */
void writer_words(struct writer *writer, const char *text, size_t size);
void writer_code_point(struct writer *writer, uint32_t code_point);
/* Text kept as it is, indentation and line breaks included. */
void writer_verbatim(struct writer *writer, const char *text, size_t size);

/* What is written next stands on a line of its own (1) or after a blank line (2). */
void writer_break(struct writer *writer, unsigned n);
/* What is written next is another cell of the same row. */
void writer_cell(struct writer *writer);

/* Ends the text with one line break. */
void writer_finish(struct writer *writer);

/* Notes that the text from here on comes from a line of the file; also when it does so
 * already, for what counts line breaks from one mark to the next. */
void extract_add_mark(struct extract *extract, size_t line);
/* The same unless the mark before says so. */
void extract_mark(struct extract *extract, size_t line);

#endif
