/* Writes an extract's text block by block: white space collapsed as a browser does
 * it, blocks apart by a blank line or a line break, and a note of which line of the
 * file each piece came from. A line break between two Chinese characters is nothing,
 * since Chinese is written without spaces. */
#ifndef ERNIE_DOCUMENT_WRITER_H
#define ERNIE_DOCUMENT_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "document/extract.h"

/* Headings are counted so deep; a deeper one is of the last level. */
#define WRITER_MAX_LEVEL 6

enum writer_gap { GAP_NONE, GAP_SPACE, GAP_LINE_BREAK, GAP_CELL };

struct writer {
    struct extract *out;
    size_t line;           /* of the file: where what is written next comes from */
    uint32_t last;         /* the code point written last; 0 at the start of a block */
    enum writer_gap gap;   /* what was seen since */
    unsigned breaks;       /* line breaks to end the text with before the next word */
    unsigned page;         /* page, slide or sheet; 0: none so far */
    size_t heading_start;  /* of the text, where the heading that is open began */
    unsigned heading_level; /* of it; 0: none is open */
    /* The headings that stand above, by level: names in out->headings. */
    struct {
        size_t offset, size;
    } headings[WRITER_MAX_LEVEL];
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

/* What is written up to writer_heading_end is a heading of a level from 1: it stands in a
 * paragraph of its own, and above what follows until another of its level or a higher
 * one. */
void writer_heading_begin(struct writer *writer, unsigned level);
void writer_heading_end(struct writer *writer);
/* A heading that does not stand in the text: the name of a sheet, of a function. "" ends
 * the one of that level. */
void writer_heading(struct writer *writer, unsigned level, const char *name, size_t size);
/* The same from an offset of the text on, for a text that is kept as it is and was written
 * before: in order, behind all sections so far. */
void writer_section(struct writer *writer, size_t offset, unsigned level, const char *name,
                    size_t size);
/* What follows is on that page, slide or sheet, from 1; the headings go on. */
void writer_page(struct writer *writer, unsigned page);

/* Ends the text with one line break. */
void writer_finish(struct writer *writer);

/* Notes that the text from here on comes from a line of the file; also when it does so
 * already, for what counts line breaks from one mark to the next. */
void extract_add_mark(struct extract *extract, size_t line);
/* The same unless the mark before says so. */
void extract_mark(struct extract *extract, size_t line);

#endif
