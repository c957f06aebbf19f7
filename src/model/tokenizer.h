/* Text to token ids, as BERT does it and id for id as Hugging Face's tokenizers:
 * take out the model's special tokens, clean and normalise the rest, split it at
 * spaces, punctuation and CJK characters, then cut each word into the longest
 * pieces the vocabulary has (WordPiece: Schuster & Nakajima 2012; Devlin et al.
 * 2019). A text is read once, from left to right. */
#ifndef ERNIE_MODEL_TOKENIZER_H
#define ERNIE_MODEL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/config.h"
#include "model/vocab.h"

struct tokenizer;         /* unchanging: threads share it */
struct tokenizer_scratch; /* the working memory of one thread */

/* Where in the text a token came from: the bytes from start on, up to end. */
struct token_span {
    size_t start, end;
};

/* Borrows vocab. Returns ERNIE_EFORMAT when it lacks the word for unknown words,
 * [CLS] or [SEP]. */
int tokenizer_new(const struct vocab *vocab, const struct model_config *config,
                  struct tokenizer **out, ernie_error *err);
void tokenizer_free(struct tokenizer *tokenizer);

int tokenizer_scratch_new(struct tokenizer_scratch **out, ernie_error *err);
void tokenizer_scratch_free(struct tokenizer_scratch *scratch);

/* The ids of text [size] without [CLS] and [SEP], at most max_ids of them: reading
 * stops there, so a long text costs no more than what is kept. Returns their
 * number. ids may be NULL to count only. Never allocates and never fails: bytes
 * that are not UTF-8 read as U+FFFD. A special token written in the text
 * ("[MASK]") is that token, as in Hugging Face's.
 *
 * spans [max_ids], or NULL: from the first to the last character of the text that
 * became the token, as Hugging Face's offset_mapping has it in characters. An accent
 * taken off at a word's end is in no token. Spans never cross: marks that change
 * places do not take theirs along. */
size_t tokenizer_ids(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                     const char *text, size_t size, int32_t *ids, struct token_span *spans,
                     size_t max_ids);

/* How many ids text [size] has. */
size_t tokenizer_count(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                       const char *text, size_t size);

int32_t tokenizer_cls(const struct tokenizer *tokenizer);
int32_t tokenizer_sep(const struct tokenizer *tokenizer);

#endif
