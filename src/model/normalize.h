/* What BERT makes of one character before words are cut into pieces: control
 * characters go, every space is a space, accents are taken off (NFD without its
 * nonspacing marks), capitals become small, and punctuation and Chinese
 * characters stand alone. The meaning is that of Hugging Face's tokenizers 0.23,
 * code point for code point. */
#ifndef ERNIE_MODEL_NORMALIZE_H
#define ERNIE_MODEL_NORMALIZE_H

#include <stddef.h>
#include <stdint.h>

struct normalization {
    int lower_case;
    int strip_accents;
    int chinese_words; /* every Chinese character is a word */
};

enum character_kind {
    CHARACTER_PART,   /* joins its neighbours in a word */
    CHARACTER_ALONE,  /* a word by itself */
    CHARACTER_SPACE,  /* between words; its code point means nothing */
    CHARACTER_BARRIER /* nothing, but marks do not change places across it */
};

struct character {
    uint32_t code_point;
    uint8_t kind;
    /* Of a CHARACTER_PART that canonical ordering moves: it goes before those
     * directly in front of it that have a higher class. 0: stays where it is. */
    uint8_t combining_class;
};

#define NORMALIZE_MAX 8

/* What becomes of the character, in order, and how many they are: 0 when it is
 * left out. Code points up to U+10FFFF, surrogates excepted. */
size_t normalize_character(const struct normalization *rules, uint32_t code_point,
                           struct character out[NORMALIZE_MAX]);

/* The small letter of a capital, any other character itself. U+0130 becomes i; the
 * dot above it that belongs to it as well is for the caller to add. */
uint32_t normalize_lower(uint32_t code_point);

#define NORMALIZE_MAX_DECOMPOSED 18 /* U+FDFA */

/* The character's full canonical or compatibility decomposition (NFD, NFKD). */
size_t normalize_decompose(uint32_t code_point, int compatible,
                           int32_t out[NORMALIZE_MAX_DECOMPOSED]);

/* Of category M, and the class that canonical ordering goes by. */
int normalize_is_mark(uint32_t code_point);
uint8_t normalize_combining_class(uint32_t code_point);

/* Unicode's White_Space. */
int normalize_is_white(uint32_t code_point);

/* Whether chinese_words makes the character a word, with a space on each side. */
int normalize_is_chinese(uint32_t code_point);

#endif
