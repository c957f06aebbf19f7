/* SentencePiece's table of characters and what they become ("precompiled
 * charsmap"): a double-array trie (Aoe 1989, in the layout of Yata's Darts-clone)
 * whose values are offsets into a list of strings that end with a 0 byte. */
#ifndef ERNIE_MODEL_CHARSMAP_H
#define ERNIE_MODEL_CHARSMAP_H

#include <stddef.h>

#include "base/error.h"

#define CHARSMAP_MAX_BYTES 64 /* of a string; Unicode's NFKC has 33, for U+FDFA */

struct charsmap; /* unchanging: threads share it */

/* Copies blob [size]: the trie's size in bytes (u32, little-endian), the trie,
 * the strings. Returns ERNIE_EFORMAT when the trie runs past the end or the
 * strings are not UTF-8 or too long; other damage shows as characters that become nothing
 * else. */
int charsmap_new(const void *blob, size_t size, struct charsmap **out, ernie_error *err);
void charsmap_free(struct charsmap *charsmap);

/* What text [size] becomes: a string [*n] of the map's memory, perhaps empty; NULL
 * when the map says nothing of it. As in Hugging Face's, the shortest start of
 * the text that the map knows decides, and stands for all of it. */
const char *charsmap_find(const struct charsmap *charsmap, const char *text, size_t size,
                          size_t *n);

#endif
