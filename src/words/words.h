/* Text cut into words for keyword search, the same way for documents and for queries.
 * SQLite's FTS5 takes them through sql/fts_tokenizer.c; nothing in here knows it.
 *
 * What is a word:
 * - Of a run of Chinese (or kana, Hangul, Thai ...), each character and each pair of
 *   neighbours. A document has at the place of a character the pair that starts with it,
 *   and with it the character alone. A query's run of n >= 2 characters is its n - 1
 *   pairs, one after the other, and a single character is itself: a phrase of them is
 *   found exactly where the run stands, whatever its length, and no dictionary decides.
 *   (Pairs alone would not find one character; trigrams find no word of two, and most
 *   Chinese words have two. Punctuation and script end a run; the end of a line does not.)
 * - A word of other scripts: folded (fold.h), and stemmed as English (Porter 2, by
 *   libstemmer) when all of it is a to z. A document has the stem and, where it differs,
 *   the word as well, so that the start of a word finds it too: `runn*` is no start of run.
 *   A query has the stem only.
 * - Of a compound (segment.h) its parts, in their places, and with the first the whole,
 *   joined: getUserName is get, user, name and getusername. E-mail addresses, paths and
 *   versions are found as the phrase of their parts.
 *
 * Words that share a place are "colocated", so that phrases go past them. A phrase that
 * goes on behind `getusername` does not find `getUserName`, which has three places.
 *
 * Of each n bytes of Chinese there are about 2 n / 3 words. Time is linear in the text. */
#ifndef ERNIE_WORDS_WORDS_H
#define ERNIE_WORDS_WORDS_H

#include <stddef.h>

#include "base/error.h"

/* Holds the stemmer; for one thread at a time. */
struct words;

int words_new(struct words **out, ernie_error *err);
void words_free(struct words *words);

enum words_purpose {
    WORDS_DOCUMENT,
    WORDS_QUERY,  /* a phrase: what all is to be found, in this order */
    WORDS_PREFIX, /* a phrase whose last word need only be the start of one: not stemmed */
};

/* One word, and the bytes of the text it stands for. Not 0 ends the cutting. */
typedef int (*words_fn)(void *data, const char *word, size_t size, size_t start, size_t end,
                        int is_colocated);

/* Calls fn for each word of text [size], in order; bytes that are not UTF-8 part words.
 * Returns what fn did, or 0; ERNIE_ENOMEM when the stemmer found no memory. */
int words_cut(struct words *words, enum words_purpose purpose, const char *text, size_t size,
              words_fn fn, void *data);

#endif
