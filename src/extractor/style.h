/* What the name of a paragraph style of a word processor says of its paragraphs. Word names the
 * styles that come with it in English, whatever the language it is used in; others do not. */
#ifndef ERNIE_EXTRACTOR_STYLE_H
#define ERNIE_EXTRACTOR_STYLE_H

#define STYLE_NO_LEVEL (-1)

/* The level, from 1, of the headings that "heading 2", "标题 2" or "Title" are for;
 * STYLE_NO_LEVEL for any other name. */
int style_level(const char *name);

/* Whether its paragraphs are lines of a table of contents. */
int style_is_contents(const char *name);

#endif
