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
