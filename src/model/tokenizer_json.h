/* tokenizer.json, Hugging Face's one file of a whole tokenizer, and the other places that
 * a directory names added tokens in. What a file asks for and we do not do is refused by
 * its field and name, never passed over; no pattern of a file is ever run. */
#ifndef ERNIE_MODEL_TOKENIZER_JSON_H
#define ERNIE_MODEL_TOKENIZER_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "model/added_tokens.h"
#include "model/normalize.h"
#include "model/sentencepiece.h"
#include "model/tokenizer.h"

/* What the file says, checked. Release with tokenizer_json_reset. */
struct tokenizer_json {
    struct added_list added;
    struct frame frame[2]; /* special tokens around one text, around two */
    /* A word's number is its id, and a number without a word has an empty one. */
    size_t n_words;
    const char **words; /* [n_words] of the document */
    size_t *sizes;      /* [n_words] */
    /* WordPiece */
    int32_t unk;
    struct normalization rules;
    /* Unigram: all zero when it is WordPiece */
    struct sentencepiece sentencepiece;
    struct hash hash; /* of the file's bytes */
    json *document;
};

/* Reads all of directory's tokenizer.json. vocab_size: no id may be that or more. Returns
 * ERNIE_ENOTFOUND when there is none, ERNIE_EFORMAT with "path: field: why". */
int tokenizer_json_load(const char *directory, size_t vocab_size, struct tokenizer_json *out,
                        ernie_error *err);
void tokenizer_json_reset(struct tokenizer_json *file);

/* The added tokens of a directory whose words are in vocab.txt: those of tokenizer.json,
 * else of tokenizer_config.json's added_tokens_decoder, else of added_tokens.json. None is
 * no error. */
int added_tokens_load(const char *directory, size_t vocab_size, struct added_list *out,
                      ernie_error *err);

#endif
