/* Texts to what a model reads of them, in memory of the caller's. */
#ifndef ERNIE_MODEL_TOKENIZE_H
#define ERNIE_MODEL_TOKENIZE_H

#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

struct text_pair {
    const char *text;
    size_t text_size;
    const char *pair; /* or NULL */
    size_t pair_size;
};

/* The ids and token types [n] that ernie_tokenize gives for the model's max_tokens, for
 * which there must be room; types may be NULL. Returns n, or TOKENIZER_NO_MEMORY. */
size_t tokenize_sequence(const struct ernie_model *model, struct tokenizer_scratch *scratch,
                         const struct text_pair *texts, int32_t *ids, int32_t *types);

/* The share in 0..1 of a text's tokens that stand for what no word of the vocabulary spells:
 * what of it the model cannot read. Of the first UNREAD_TOKENS; 0 when there are none.
 * ERNIE_ENOMEM. */
#define UNREAD_TOKENS 512
int tokenize_unread(const struct ernie_model *model, const char *text, size_t size, double *out,
                    ernie_error *err);

#endif
