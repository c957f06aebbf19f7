/* The words a model knows, numbered from 0 in the order of vocab.txt. */
#ifndef ERNIE_MODEL_VOCAB_H
#define ERNIE_MODEL_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

struct vocab; /* unchanging: threads share it */

/* Reads vocab.txt: one word a line, UTF-8. A line ends at \n, \r\n or \r, the last
 * one at the end of the file as well; an empty line is a word that no text has. Of
 * two equal words the later one counts, as in Hugging Face's reader. Returns
 * ERNIE_EFORMAT with "path: line N: why" for a word that cannot be. */
int vocab_open(const char *path, struct vocab **out, ernie_error *err);
/* The same for a model with vectors for max_words words. ERNIE_EFORMAT when there are
 * more, before any memory is spent on them: 40 bytes may go into a word of two. */
int vocab_open_for(const char *path, size_t max_words, struct vocab **out, ernie_error *err);
/* A vocabulary of n words of sizes bytes, copied; an empty one is found nowhere. name is
 * for messages. The hash is of the words in order. */
int vocab_new(const char *name, size_t n, const char *const *words, const size_t *sizes,
              struct vocab **out, ernie_error *err);
void vocab_close(struct vocab *vocab);

size_t vocab_size(const struct vocab *vocab);
/* The id of a word [size] bytes long, or -1. continued: the word is the rest of
 * one begun before, written "##word" in the file. */
int32_t vocab_find(const struct vocab *vocab, const char *word, size_t size, int continued);
/* The id of the longest word that text [size] begins with, and in n_bytes its
 * length; -1 when there is none. An empty word is never found. */
int32_t vocab_find_longest(const struct vocab *vocab, const char *text, size_t size, int continued,
                           size_t *n_bytes);
/* The word of an id as the file has it ("##" included), or NULL. */
const char *vocab_word(const struct vocab *vocab, int32_t id);
/* Of the file's bytes, or of the words with a 0 byte after each. */
struct hash vocab_hash(const struct vocab *vocab);

#endif
