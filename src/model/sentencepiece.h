/* SentencePiece's way from text to token ids, as Hugging Face's tokenizer.json spells it
 * out: take out the added tokens, normalise the rest, make its spaces visible and cut it
 * before them, then cut each part into the most likely pieces (unigram.h). */
#ifndef ERNIE_MODEL_SENTENCEPIECE_H
#define ERNIE_MODEL_SENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/added_tokens.h"
#include "model/metaspace.h"
#include "model/text_normalizer.h"
#include "model/token_span.h"
#include "model/unigram.h"

/* Unchanging: threads share it. All zero is nothing. */
struct sentencepiece {
    struct text_normalizer *normalizer;
    struct metaspace metaspace;
    struct unigram *unigram;
};

void sentencepiece_reset(struct sentencepiece *sentencepiece);

/* An added_normalize_fn; data is a struct text_normalizer. */
int sentencepiece_normalize(const void *normalizer, const char *text, size_t size,
                            struct buffer *out, ernie_error *err);

struct sentencepiece_scratch; /* the working memory of one thread */

int sentencepiece_scratch_new(struct sentencepiece_scratch **out, ernie_error *err);
void sentencepiece_scratch_free(struct sentencepiece_scratch *scratch);

/* As tokenizer_ids, but the text is normalised whole, or from one added token to the next,
 * before pieces are cut: memory grows with it. */
size_t sentencepiece_ids(const struct sentencepiece *sentencepiece,
                         const struct added_tokens *added, struct sentencepiece_scratch *scratch,
                         const char *text, size_t size, int32_t *ids, struct token_span *spans,
                         size_t max_ids);

#endif
