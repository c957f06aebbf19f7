/* The "normalizer" of a tokenizer.json: a chain of steps that each rewrite the
 * text, here by Hugging Face's rules (tokenizers 0.23). Beside the new text it
 * can keep, byte for byte, which bytes of the old one stand behind it. */
#ifndef ERNIE_MODEL_TEXT_NORMALIZER_H
#define ERNIE_MODEL_TEXT_NORMALIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/token_span.h"

struct text_normalizer; /* unchanging once built: threads share it */

enum text_form { TEXT_NFC, TEXT_NFD, TEXT_NFKC, TEXT_NFKD };

/* An empty chain, which leaves text as it is. */
int text_normalizer_new(struct text_normalizer **out, ernie_error *err);
void text_normalizer_free(struct text_normalizer *normalizer);

/* Each adds one step at the end, named as in tokenizer.json. Strings are copied
 * and must be UTF-8. ERNIE_ENOMEM, and what is said below. */
int text_normalizer_add_precompiled(struct text_normalizer *normalizer, const void *blob,
                                    size_t size, ernie_error *err); /* charsmap_new's errors */
int text_normalizer_add_form(struct text_normalizer *normalizer, enum text_form form,
                             ernie_error *err);
int text_normalizer_add_lowercase(struct text_normalizer *normalizer, ernie_error *err);
int text_normalizer_add_strip_accents(struct text_normalizer *normalizer, ernie_error *err);
/* Every occurrence of the string pattern [pattern_size > 0] becomes content. */
int text_normalizer_add_replace(struct text_normalizer *normalizer, const char *pattern,
                                size_t pattern_size, const char *content, size_t content_size,
                                ernie_error *err);
/* Every run of at_least or more spaces (U+0020) becomes content: the regular
 * expression " {2,}" with at_least 2, " +" with 1. */
int text_normalizer_add_replace_spaces(struct text_normalizer *normalizer, size_t at_least,
                                       const char *content, size_t content_size,
                                       ernie_error *err);
/* Takes white space off the left end, the right end or both. */
int text_normalizer_add_strip(struct text_normalizer *normalizer, int left, int right,
                              ernie_error *err);
/* Puts content in front of a text that is not empty. */
int text_normalizer_add_prepend(struct text_normalizer *normalizer, const char *content,
                                size_t content_size, ernie_error *err);

/* A text, where each byte of it comes from, and room to rewrite both. One for
 * each thread; all zero is empty, and the memory is kept for the next text. */
struct normalized_text {
    char *text; /* [size] UTF-8 */
    size_t size;
    /* [size], only when spans were asked for, else NULL. Each of the bytes of a
     * character has the span of the character in the text as given. */
    struct token_span *origin;
    /* A step took the beginning off, so that the text does not begin where the
     * text as given does. Metaspace asks. */
    int is_cut;

    struct {
        char *text;
        struct token_span *origin;
        size_t text_capacity, origin_capacity;
    } room[2];
    int32_t *unit[2]; /* characters that a normal form may reorder or compose */
    size_t unit_capacity[2];
};

/* Rewrites text [size]; bytes that are not UTF-8 read as U+FFFD. Returns ERNIE_OK,
 * or ERNIE_ENOMEM; out is then unspecified but may be used again. */
int text_normalizer_apply(const struct text_normalizer *normalizer, const char *text,
                          size_t size, int with_spans, struct normalized_text *out,
                          ernie_error *err);
void normalized_text_reset(struct normalized_text *text); /* releases the memory */

#endif
