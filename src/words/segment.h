/* Text in the pieces that keyword search sees: runs of dense characters (Chinese and the
 * like, fold.h) and words. A new segment starts where the script changes, so that neither
 * side of `GitHub备份脚本` hides the other. What is between them says nothing.
 *
 * A word is letters and digits, with apostrophes between letters. Words that - or _ ties
 * together, or that only a capital tells apart, are the parts of one compound:
 * `getUserName`, `foo_bar-baz`, `gen-itgc`, `HTTPServer`, `utf-8`. */
#ifndef ERNIE_WORDS_SEGMENT_H
#define ERNIE_WORDS_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

/* Longer words are cut off here, in text and query alike; at a whole character. */
#define WORD_MAX_BYTES 128
#define COMPOUND_MAX_PARTS 32

struct part {
    size_t start, end;  /* in the text */
    size_t from, size;  /* in the segment's letters */
};

struct segment {
    size_t start, end; /* in the text */
    int dense;
    /* Of a compound: its parts, and their letters folded, one after the other. What does
     * not fit in here is a segment of its own. */
    size_t n_parts;
    struct part parts[COMPOUND_MAX_PARTS];
    char letters[WORD_MAX_BYTES];
    size_t n_letters;
    /* 1 when the letters together are one more way to write it: there are parts to join,
     * and some are not numbers. (1-2 is not 12.) */
    int joins;
};

/* The segment after offset at; 0 when there is none. Bytes that are not UTF-8 are gaps. */
int segment_next(const char *text, size_t size, size_t at, struct segment *out);

/* A character of a dense segment, folded, with the marks that follow it. */
struct dense {
    uint32_t c;
    size_t start, end;
};

/* Goes to the next character of a run; one that is all zero but for start and end, both
 * at the segment's start, goes to its first. 0 behind the last. Chinese and Japanese run
 * on over the end of a line. */
int dense_next(const char *text, size_t size, struct dense *dense);

#endif
