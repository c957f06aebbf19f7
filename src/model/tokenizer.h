/* Text to token ids: what a model reads. A tokenizer is the words added to a vocabulary,
 * the special tokens that go around a text, and between them one of the ways to cut text
 * into pieces (wordpiece.h, sentencepiece.h). Ids are those of Hugging Face's tokenizers. */
#ifndef ERNIE_MODEL_TOKENIZER_H
#define ERNIE_MODEL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "model/added_tokens.h"
#include "model/config.h"
#include "model/token_span.h"
#include "model/vocab.h"

struct tokenizer;         /* unchanging: threads share it */
struct tokenizer_scratch; /* the working memory of one thread */

/* The tokenizer of a model directory: words from vocab.txt and added tokens from where
 * they are, or all from tokenizer.json; of the two files the one that there is and, of
 * both, the one that the configuration says. The tokenizer borrows the vocabulary. hash is
 * of the file that the words are in. No id is vocab_size of the configuration or more. */
int tokenizer_open(const char *directory, const struct model_config *config, struct vocab **vocab,
                   struct hash *hash, struct tokenizer **out, ernie_error *err);

/* WordPiece, as the configuration says. Borrows vocab. added: copied; NULL for none but
 * the special tokens of the configuration, which belong to it always. Returns
 * ERNIE_EFORMAT when the vocabulary lacks the word for unknown words, [CLS] or [SEP], or
 * an added token has an id that the vocabulary gives to another word. */
int tokenizer_new(const struct vocab *vocab, const struct model_config *config,
                  const struct added_list *added, struct tokenizer **out, ernie_error *err);
/* As tokenizer.json says (model/tokenizer_json.h), of which it takes over the sentencepiece.
 * Borrows vocab, which holds its words. */
struct tokenizer_json;
int tokenizer_new_json(const struct vocab *vocab, struct tokenizer_json *file,
                       struct tokenizer **out, ernie_error *err);
void tokenizer_free(struct tokenizer *tokenizer);

int tokenizer_scratch_new(struct tokenizer_scratch **out, ernie_error *err);
void tokenizer_scratch_free(struct tokenizer_scratch *scratch);

#define TOKENIZER_NO_MEMORY SIZE_MAX

/* The ids of text [size] without the special tokens around it, at most max_ids of them:
 * reading stops there, so a long text costs no more than what is kept. Returns their
 * number, or TOKENIZER_NO_MEMORY, which WordPiece without normalized added tokens never
 * does: it allocates nothing. ids may be NULL to count only. Bytes that are not UTF-8
 * read as U+FFFD. An added token written in the text ("[MASK]") is that token, as in
 * Hugging Face's.
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

/* The special tokens around a text, or around a text and its pair. */
#define MAX_FRAME_PARTS 16

enum frame_kind { FRAME_TOKEN, FRAME_TEXT, FRAME_PAIR };

struct frame {
    size_t n;        /* parts */
    size_t n_tokens; /* of them, special tokens */
    struct frame_part {
        enum frame_kind kind;
        int32_t id;   /* of a special token */
        int32_t type; /* token type of the token, or of all of the text */
    } part[MAX_FRAME_PARTS];
};

/* [CLS] text [SEP] and [CLS] text [SEP] pair [SEP], or what the model has instead. */
const struct frame *tokenizer_frame(const struct tokenizer *tokenizer, int is_pair);

/* Adds the added tokens to the hash, but for those that every model of the kind has: a
 * plain model adds nothing. */
void tokenizer_hash(const struct tokenizer *tokenizer, struct hasher *hasher);

/* The id of a word of the vocabulary or an added token, or -1. */
int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *word, size_t size);
/* One more than the largest id. */
size_t tokenizer_size(const struct tokenizer *tokenizer);

/* The id of the token that stands for what no word of the vocabulary spells. */
int32_t tokenizer_unknown(const struct tokenizer *tokenizer);

/* The word of an id, or NULL. */
const char *tokenizer_word(const struct tokenizer *tokenizer, int32_t id);

#endif
