/* A unigram language model cuts a word into pieces: of all the ways to spell it
 * with pieces of the vocabulary, the one whose scores (log probabilities) have
 * the highest sum (Kudo 2018, "Subword Regularization"; SentencePiece). Ids and
 * ties are those of Hugging Face's tokenizers 0.23. The model knows neither
 * files nor spaces: what it is given is a pre-token, and that may be long, for
 * Chinese has no spaces to cut at. Time is linear in it. */
#ifndef ERNIE_MODEL_UNIGRAM_H
#define ERNIE_MODEL_UNIGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/token_span.h"

struct unigram;         /* unchanging: threads share it */
struct unigram_scratch; /* the working memory of one thread */

struct unigram_piece {
    const char *text; /* [size] UTF-8, not empty except where nothing is to match it */
    size_t size;
    double score;
};

/* The number of a piece is its id. Of two equal pieces the later one counts.
 *
 *   pieces         [n]; read, not kept
 *   unk_id         the piece that stands for what no piece spells; in 0..n-1
 *   byte_fallback  not zero: what no piece spells is written in the pieces
 *                  <0x00> ... <0xFF> if the vocabulary has those it takes
 *
 * Returns ERNIE_EFORMAT when unk_id is not a piece, a piece is not UTF-8 or a
 * score is not a finite number. */
int unigram_new(size_t n, const struct unigram_piece *pieces, int32_t unk_id, int byte_fallback,
                struct unigram **out, ernie_error *err);
void unigram_free(struct unigram *unigram);
/* The id of the piece for the unknown. */
int32_t unigram_unknown(const struct unigram *unigram);

size_t unigram_count(const struct unigram *unigram); /* pieces */

/* The id of the piece text [size], or -1. */
int32_t unigram_find(const struct unigram *unigram, const char *text, size_t size);

/* Serves every model. */
int unigram_scratch_new(struct unigram_scratch **out, ernie_error *err);
void unigram_scratch_free(struct unigram_scratch *scratch);

/* The ids of word [size], which is UTF-8, at most max_ids of them. Reading stops
 * soon after these are known.
 *
 *   ids    [max_ids], or NULL to count only
 *   spans  [max_ids], or NULL; offsets into word. The pieces of one character
 *          written in bytes have the same span: all that no piece spelled there.
 *   n_ids  how many there are
 *
 * Returns ERNIE_OK, or ERNIE_ENOMEM when the scratch cannot grow. It grows to
 * four bytes for each byte between two places that no piece straddles (a few
 * kilobytes at most in text that is language; in one letter repeated, the word),
 * and to eight for each byte of the longest piece. */
int unigram_encode(const struct unigram *unigram, struct unigram_scratch *scratch,
                   const char *word, size_t size, int32_t *ids, struct token_span *spans,
                   size_t max_ids, size_t *n_ids, ernie_error *err);

#endif
