/* A file's bytes to its text, and what the text says of its own order: pages, headings.
 * Plain text, Markdown and HTML in whatever encoding they are written. */
#ifndef ERNIE_DOCUMENT_EXTRACT_H
#define ERNIE_DOCUMENT_EXTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "document/format.h"

/* Grows when a change to the extraction would give another text of the same file. */
#define EXTRACT_VERSION 2

/* Where in the text something begins that stood on a line of the file. A text that is
 * kept as it is has one for every kilobyte, and extract_line counts from there. */
struct line_mark {
    size_t offset; /* of text */
    size_t line;   /* of the file, from 1 */
};

/* From a byte of the text on: the page, and the headings that stand above. The text before
 * the first one has neither. */
struct section {
    size_t offset;  /* of text */
    size_t heading; /* of headings: where the path begins, which a 0 byte ends */
    unsigned page;  /* page, slide or sheet, from 1; 0: the document has none */
    unsigned level; /* of the heading that begins here, from 1; 0: another page begins */
};

struct extract {
    struct buffer text; /* valid UTF-8 without 0 bytes; blocks end with a line break */
    struct buffer title; /* one line, or empty; so is what follows */
    struct buffer author;
    char language[16]; /* as the document declares it (BCP 47: "zh-CN", "en"), or "" */
    char date[32];     /* ISO 8601, as the document states it: "2024-01-31", "2024-01-31T08:00:00Z" */
    struct section *sections; /* [n_sections], by offset */
    size_t n_sections;
    size_t sections_capacity;
    struct buffer headings; /* the paths, "第1章 › 备份", each with its 0 byte; "" at 0 */
    struct line_mark *marks; /* [n_marks], by offset, the first at offset 0 */
    size_t n_marks;
    size_t marks_capacity;
    int marks_are_sparse; /* lines are counted from one to the next: the text is the file's */
    enum document_format format;
    char encoding[32]; /* the charset's IANA name: "UTF-8", "GB18030" */
    size_t n_replaced; /* characters that were not in that charset, now U+FFFD */
};

/* The text of a file that is text itself. Fills out (all zero before), which extract_reset releases also after a failure. */
int extract(const char *name, const uint8_t *bytes, size_t size, struct extract *out,
            ernie_error *err);
void extract_reset(struct extract *extract);

/* The line of the file that a byte of the text came from. */
size_t extract_line(const struct extract *extract, size_t offset);
/* The section that a byte of the text is in, or NULL before the first one. */
const struct section *extract_section(const struct extract *extract, size_t offset);
/* Stands between the headings of a path. */
#define EXTRACT_HEADING_SEPARATOR " \xe2\x80\xba "
/* Its headings' path, "" when there is none; belongs to the extract. */
const char *extract_heading(const struct extract *extract, const struct section *section);

#endif
