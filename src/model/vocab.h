/* The words a model knows, numbered from 0 in the order of vocab.txt. */
#ifndef ERNIE_MODEL_VOCAB_H
#define ERNIE_MODEL_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

struct vocab;

/* Reads vocab.txt: one word a line. */
int vocab_open(const char *path, struct vocab **out, ernie_error *err);
void vocab_close(struct vocab *vocab);

size_t vocab_size(const struct vocab *vocab);
/* The id of a word [size] bytes long, or -1. continued: the word is the rest of
 * one begun before, written "##word" in the file. */
int32_t vocab_find(const struct vocab *vocab, const char *word, size_t size, int continued);
/* The word of an id as the file has it ("##" included), or NULL. */
const char *vocab_word(const struct vocab *vocab, int32_t id);
/* Of the file's bytes. */
struct hash vocab_hash(const struct vocab *vocab);

#endif
