/* UTF-8 as the Unicode Standard defines it (chapter 3, table 3-7): no overlong
 * forms, no surrogates, nothing past U+10FFFF. Bytes that are not UTF-8 read as
 * U+FFFD, one for each maximal part of a broken sequence, as the Standard
 * recommends and as Python's bytes.decode(errors="replace") does. */
#ifndef ERNIE_BASE_UTF8_H
#define ERNIE_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define UTF8_REPLACEMENT 0xfffd

/* The code point at the start of text [size > 0] and, in n_bytes (1 to 4), how
 * many bytes it takes. valid, when not NULL, is set to 0 where they are not UTF-8. */
uint32_t utf8_decode(const char *text, size_t size, size_t *n_bytes, int *valid);
/* The same, quick for what nearly every text is made of: ASCII and Chinese. */
static inline uint32_t utf8_decode_quick(const char *text, size_t size, size_t *n_bytes)
{
    const unsigned char *s = (const unsigned char *)text;

    if (s[0] < 0x80) {
        *n_bytes = 1;
        return s[0];
    }
    /* E0 and ED begin overlong forms and surrogates as well. */
    if (s[0] > 0xe0 && s[0] < 0xf0 && s[0] != 0xed && size >= 3 && (s[1] & 0xc0) == 0x80 &&
        (s[2] & 0xc0) == 0x80) {
        *n_bytes = 3;
        return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    }
    return utf8_decode(text, size, n_bytes, NULL);
}

/* Writes the code point's bytes (1 to 4) and returns their number. */
size_t utf8_encode(uint32_t code_point, char out[4]);

/* Characters of text [size], which is UTF-8. */
size_t utf8_count(const char *text, size_t size);

/* 1 when all of text [size] is UTF-8. */
int utf8_valid(const char *text, size_t size);

/* The largest offset <= offset that no character straddles. text [offset + 1]
 * must be readable. */
size_t utf8_floor(const char *text, size_t offset);

/* Appends text with what is not UTF-8, and each 0 byte, made U+FFFD. Returns how
 * many replacements it made. */
size_t utf8_append_clean(struct buffer *out, const char *text, size_t size);

/* Appends bytes as printable UTF-8: control characters and bytes that are not
 * UTF-8 as \xHH, a backslash before them left alone. For paths, which may hold
 * anything. */
void utf8_append_printable(struct buffer *out, const char *bytes, size_t size);

#endif
