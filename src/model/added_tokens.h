/* Words that were added to a tokenizer after its vocabulary was made, special tokens
 * among them. They are found in the text before anything else is done to it (or, when
 * they are "normalized", after the text was normalised and before it is split), the
 * longest where several begin, and nothing else reads what they cover. The rules are
 * those of Hugging Face's tokenizers 0.23 (AddedVocabulary). */
#ifndef ERNIE_MODEL_ADDED_TOKENS_H
#define ERNIE_MODEL_ADDED_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct added_token {
    char *text; /* [size] UTF-8, a 0 byte after it */
    size_t size;
    int32_t id;
    int single_word; /* counts only where no word character touches it */
    int lstrip;      /* takes the white space before it along */
    int rstrip;      /* and behind it */
    int normalized;  /* is looked for, itself normalised, in the normalised text */
    int special;
};

/* A growing list of them, as files name them; all zero is empty. */
struct added_list {
    size_t n, capacity;
    struct added_token *token; /* [n] */
};

#define ADDED_TOKEN_BYTES 1024  /* the longest */
#define MAX_ADDED_TOKENS  65536

/* Copies the token's text. */
int added_list_add(struct added_list *list, const struct added_token *token, ernie_error *err);
void added_list_reset(struct added_list *list);

struct added_tokens; /* unchanging: threads share it */

/* What the tokenizer makes of a text before it splits it, appended to out. */
typedef int (*added_normalize_fn)(const void *data, const char *text, size_t size,
                                  struct buffer *out, ernie_error *err);

/* Copies the list. Returns ERNIE_EFORMAT when two tokens have one id or one text. Of
 * tokens that are looked for in the same form the last counts, and one that is not special
 * before those that are. */
int added_tokens_new(const struct added_list *list, added_normalize_fn normalize, const void *data,
                     struct added_tokens **out, ernie_error *err);
void added_tokens_free(struct added_tokens *tokens);

/* The kinds of text that tokens are looked for in. */
enum added_kind { ADDED_RAW, ADDED_NORMALIZED, N_ADDED_KINDS };

/* The number of tokens of that kind. */
size_t added_tokens_count(const struct added_tokens *tokens, enum added_kind kind);
/* Tokens of that kind in the form they are looked for. */
const char *added_tokens_pattern(const struct added_tokens *tokens, enum added_kind kind, size_t i);
/* The text of a token with this id, or NULL. */
const char *added_tokens_word(const struct added_tokens *tokens, int32_t id);
/* One more than the largest id. */
size_t added_tokens_end(const struct added_tokens *tokens);
/* The id of a token, or -1. */
int32_t added_tokens_find(const struct added_tokens *tokens, const char *text, size_t size);

struct added_match {
    /* What it covers, white space that it takes along included. Nothing when another took
     * that already: then it is no token, but ends where it ends. */
    size_t start, end;
    size_t next;       /* where to look for the next one */
    int32_t id;        /* -1: this one does not count, and nothing else before next does */
};

/* Whether a token begins at text [at], a character's first byte. taken: where the last
 * token ended, before which nothing is taken along. 0: none does. */
int added_tokens_at(const struct added_tokens *tokens, enum added_kind kind, const char *text,
                    size_t size, size_t at, size_t taken, struct added_match *match);

/* The first one from at on that counts; 0 when there is none. */
int added_tokens_next(const struct added_tokens *tokens, enum added_kind kind, const char *text,
                      size_t size, size_t at, size_t taken, struct added_match *match);

#endif
