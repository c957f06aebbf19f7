/* A text to chunks: whole sentences packed to about a given number of tokens,
 * each chunk beginning with the last sentence of the one before.
 *
 * A sentence ends
 * - after 。！？； and after .!? before a space, a line break or a Chinese character,
 *   each with the marks like it and the closing quotes and brackets that follow; an
 *   ellipsis ends one before a space, a line break or a closing quote only;
 * - not at the point of a number, a file name, an abbreviation ("e.g.", "Dr.") or an
 *   initial, nor where a small letter goes on after it;
 * - at a blank line;
 * - at a line break, unless the line was broken because it was full: that is, the
 *   lines of the paragraph are at most 120 columns wide, this one at least 40, it is
 *   not indented otherwise than the next, the next does not begin as an item of a
 *   list or a row of a table, and the next line's first word would have made it
 *   wider than the paragraph's widest. Then the sentence goes on.
 *
 * A text that says where its parts begin is cut there: at a heading, a slide, a function.
 * Only the first words below a heading, up to a quarter of a chunk, take the part below the
 * next deeper heading along, since what stands there mostly says what that is about. A page
 * ends nothing: sentences run on over it. */
#ifndef ERNIE_DOCUMENT_CHUNK_H
#define ERNIE_DOCUMENT_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "document/extract.h"

/* Grows when a change here would cut the same text otherwise. */
#define CHUNKER_VERSION 2

struct chunk {
    size_t start, end; /* bytes [start, end) of the text; whole characters, no space at either end */
    size_t n_tokens;   /* as the counter counted, sentence by sentence */
};

struct chunk_list {
    struct chunk *chunk; /* [n] */
    size_t n;
    size_t capacity;
};

/* Tokens in text [size]; the tokenizer's, without special tokens. CHUNK_NO_COUNT when
 * memory to count them ran out. */
#define CHUNK_NO_COUNT SIZE_MAX
typedef size_t (*count_tokens_fn)(void *data, const char *text, size_t size);

/* What a text is made of. All zero is plain text of which nothing more is known. */
struct chunk_order {
    const struct section *section; /* [n_sections], by offset */
    size_t n_sections;
    int pages_are_parts;   /* slides, sheets: each begins a chunk, as a heading does */
    int lines_are_whole;   /* rows of a table: a line is not cut at the ends of sentences */
    int headings_are_told; /* no line looks like a heading unless a section begins with it */
};

/* Cuts text [size], valid UTF-8, into chunks of at most max_tokens. order may be NULL.
 *
 * A sentence longer than that is cut at a clause (，、：,;:), else at a space, else
 * between characters; so is one of more than 16 bytes for each of max_tokens, since
 * a tokenizer may call any long word one token. The last sentence is not repeated
 * when it takes more than a quarter of max_tokens or leaves no room, nor at a
 * heading, which rather starts a chunk than ends one. A last chunk of less than a
 * quarter of max_tokens takes sentences from the one before. Text without tokens
 * makes no chunk.
 *
 * list is all zero before, and chunk_list_reset releases it also after a failure.
 * Returns ERNIE_EINVAL when max_tokens is 0, ERNIE_ENOMEM also when the counter lacks
 * memory. Linear in size. */
int chunk_text(const char *text, size_t size, const struct chunk_order *order, size_t max_tokens,
               count_tokens_fn count_tokens, void *data, struct chunk_list *list,
               ernie_error *err);
void chunk_list_reset(struct chunk_list *list);

/* The end of the sentence that starts at text[start]: the chunker's own idea of
 * one, for snippets. More than start; white space before the sentence counts to it.
 * start < size. Looks at the text to the end of the paragraph. */
size_t sentence_end(const char *text, size_t size, size_t start);

#endif
