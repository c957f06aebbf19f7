/* A text to chunks: whole sentences packed to about a given number of tokens,
 * each chunk beginning with the last sentence of the one before. */
#ifndef ERNIE_DOCUMENT_CHUNK_H
#define ERNIE_DOCUMENT_CHUNK_H

#include <stddef.h>

#include "base/error.h"

/* Grows when a change here would cut the same text otherwise. */
#define CHUNKER_VERSION 1

struct chunk {
    size_t start, end; /* bytes [start, end) of the text; whole characters, no space at either end */
    size_t n_tokens;   /* as the counter counted, sentence by sentence */
};

struct chunk_list {
    struct chunk *chunk; /* [n] */
    size_t n;
    size_t capacity;
};

/* Tokens in text [size]; the tokenizer's, without special tokens. */
typedef size_t (*count_tokens_fn)(void *data, const char *text, size_t size);

/* Cuts text [size], valid UTF-8, into chunks of at most max_tokens. A sentence
 * ends after 。！？；.!? (with the closing quotes that follow) or at a line break
 * that ends a paragraph or line; an abbreviation's or a number's point does not
 * end one. A sentence longer than max_tokens is cut at a clause, else at a
 * space, else between characters. list is all zero before, and
 * chunk_list_reset releases it also after a failure. Linear in size. */
int chunk_text(const char *text, size_t size, size_t max_tokens, count_tokens_fn count_tokens,
               void *data, struct chunk_list *list, ernie_error *err);
void chunk_list_reset(struct chunk_list *list);

/* The end of the sentence that starts at text[start]: the chunker's own idea of
 * one, for snippets. start < size. */
size_t sentence_end(const char *text, size_t size, size_t start);

#endif
