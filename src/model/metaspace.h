/* The "pre_tokenizer" of a SentencePiece model in tokenizer.json: WhitespaceSplit,
 * Metaspace, or one after the other. Spaces become a visible character (usually
 * U+2581), so that they are part of the pieces, and the text is cut into
 * pre-tokens in front of each. By Hugging Face's rules (tokenizers 0.23). */
#ifndef ERNIE_MODEL_METASPACE_H
#define ERNIE_MODEL_METASPACE_H

#include <stddef.h>

#include "base/error.h"
#include "model/text_normalizer.h"

enum metaspace_prepend {
    METASPACE_ALWAYS, /* each part starts with the replacement */
    METASPACE_FIRST,  /* only the part at the very start of the text */
    METASPACE_NEVER
};

/* What to do, in plain values for the caller to fill. All zero cuts nothing. */
struct metaspace {
    int whitespace_split;    /* first cut at white space, and drop it */
    char replacement[4];     /* one character of UTF-8 [replacement_size] */
    size_t replacement_size; /* 0: there is no Metaspace step */
    enum metaspace_prepend prepend;
    int split; /* a pre-token begins at each replacement */
};

/* A walk over the pre-tokens of one text. The buffers are kept from text to text:
 * set all to zero once, release with metaspace_walk_reset. */
struct metaspace_walk {
    /* The pre-token: UTF-8 and, where the text has it, the origin of each byte. */
    const char *text;
    size_t size;
    const struct token_span *origin;

    const struct metaspace *rules;
    struct normalized_text part; /* the rewritten part that pre-tokens are cut from */
    const struct normalized_text *source;
    size_t source_next, part_next;
    int at_start;
};

/* at_start: whether the text is the beginning of what the user gave, not the rest
 * behind a special token. The text is borrowed until the walk is over. */
void metaspace_begin(struct metaspace_walk *walk, const struct metaspace *rules,
                     const struct normalized_text *text, int at_start);

/* Sets *more to 1 and the walk to the next pre-token (never empty), or *more to 0.
 * Returns ERNIE_OK or ERNIE_ENOMEM. */
int metaspace_next(struct metaspace_walk *walk, int *more, ernie_error *err);

void metaspace_walk_reset(struct metaspace_walk *walk);

#endif
