/* What kind of character a code point is to keyword search, and the form that all its
 * spellings share: case, accents, width and (for Chinese) traditional or simplified do
 * not tell two words apart. */
#ifndef ERNIE_WORDS_FOLD_H
#define ERNIE_WORDS_FOLD_H

#include <stddef.h>
#include <stdint.h>

enum character_kind {
    CHARACTER_GAP,   /* space, punctuation, symbol, emoji: between words */
    CHARACTER_UPPER, /* upper and title case */
    CHARACTER_LOWER, /* all other letters of scripts that put spaces between words */
    CHARACTER_DIGIT,
    CHARACTER_MARK,  /* belongs to the character before: accents, zero-width joiners */
    CHARACTER_DENSE, /* of a script without spaces, or (Korean) with words of many forms:
                      * Chinese, kana, bopomofo, Hangul, Yi, Thai, Lao, Khmer, Burmese,
                      * Tibetan */
};

enum character_kind character_kind(uint32_t c);

/* 1 for Chinese and Japanese, where a line may break inside of a word. */
int breaks_anywhere(uint32_t c);

/* The most bytes that one character folds to: 18 code points. */
#define FOLD_MAX_BYTES 72

/* Appends a letter, digit or mark to out [FOLD_MAX_BYTES] as Unicode's compatibility
 * decomposition with full case folding has it, without the accents U+0300 to U+036F.
 * Returns the bytes, which may be 0. */
size_t fold_letter(uint32_t c, char *out);

/* A dense character: of full width, simplified, and compatibility ideographs and
 * radicals as the characters they stand for. */
uint32_t fold_dense(uint32_t c);

/* 1 when mark is one of kana's voiced sounds and composes with the folded base. */
int fold_voiced(uint32_t *base, uint32_t mark);

#endif
