/* BERT's way from text to token ids, id for id as Hugging Face's tokenizers: take out the
 * added tokens, clean and normalise the rest, split it at spaces, punctuation and CJK
 * characters, then cut each word into the longest pieces the vocabulary has (WordPiece:
 * Schuster & Nakajima 2012; Devlin et al. 2019). A text is read once, from left to right. */
#ifndef ERNIE_MODEL_WORDPIECE_H
#define ERNIE_MODEL_WORDPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/added_tokens.h"
#include "model/normalize.h"
#include "model/token_span.h"
#include "model/vocab.h"

struct wordpiece;         /* unchanging: threads share it */
struct wordpiece_scratch; /* the working memory of one thread */

/* Borrows vocab and added, whose normalized tokens were normalised by
 * wordpiece_normalize under the same rules. unk: of a word that no pieces spell. */
int wordpiece_new(const struct vocab *vocab, const struct normalization *rules,
                  const struct added_tokens *added, int32_t unk, struct wordpiece **out,
                  ernie_error *err);
void wordpiece_free(struct wordpiece *wordpiece);

/* An added_normalize_fn; data is a struct normalization. */
int wordpiece_normalize(const void *rules, const char *text, size_t size, struct buffer *out,
                        ernie_error *err);

int wordpiece_scratch_new(struct wordpiece_scratch **out, ernie_error *err);
void wordpiece_scratch_free(struct wordpiece_scratch *scratch);

/* As tokenizer_ids. Allocates only when there are normalized added tokens. */
size_t wordpiece_ids(const struct wordpiece *wordpiece, struct wordpiece_scratch *scratch,
                     const char *text, size_t size, int32_t *ids, struct token_span *spans,
                     size_t max_ids);

#endif
