/* Plain text, of which nothing is taken away: where its lines are, and the headings that it
 * marks in one of the ways that people mark them. */
#ifndef ERNIE_DOCUMENT_EXTRACT_TEXT_H
#define ERNIE_DOCUMENT_EXTRACT_TEXT_H

#include "document/extract.h"

/* Notes the lines of out->text, which holds the file's text already. */
void text_mark_lines(struct extract *out);

/* Notes the headings of out->text. The name says how they are marked: "* heading" in .org, "=
 * heading" in .adoc, \section{heading} in .tex, and elsewhere a line of punctuation below the
 * heading (reStructuredText), or a line that begins with 第一章 or "Chapter 1". */
void text_mark_headings(struct extract *out, const char *name);

#endif
