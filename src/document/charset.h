/* Bytes in whatever charset they were written to UTF-8. A charset is taken from
 * the bytes themselves before anybody's word for it: a byte order mark, then
 * whether they are UTF-8, then what the document declares where that fits, then
 * which of the East Asian charsets makes the commonest characters of them, then
 * uchardet's guess, and Windows-1252, which fits anything, last. */
#ifndef ERNIE_DOCUMENT_CHARSET_H
#define ERNIE_DOCUMENT_CHARSET_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct charset {
    const char *name;  /* as IANA writes it: "GB18030" */
    const char *iconv; /* as iconv knows it; NULL for UTF-8, which needs none */
    size_t n_mark;     /* bytes of byte order mark at the start */
};

/* The charset of a label ("gb2312", "x-sjis"; case does not matter), as the WHATWG
 * Encoding Standard maps them: GB2312 and GBK are GB18030, Latin-1 is Windows-1252.
 * 0 when it is none that can be decoded. */
int charset_of_label(const char *label, size_t size, struct charset *out);

/* Loads what decoding takes, for a process that will not be able to open a file: the C
 * library keeps a part of each charset in one. About 2 ms. */
void charset_prepare(void);

/* Whether the bytes are UTF-16 or UTF-32, by their mark or by where their zero
 * bytes are: everything else with zero bytes in it is not text. */
int charset_is_wide(const uint8_t *bytes, size_t size, struct charset *out);

/* The charset of a text. declared [declared_size] is the label that the document
 * gives itself, or NULL. */
int charset_detect(const uint8_t *bytes, size_t size, const char *declared, size_t declared_size,
                   struct charset *out, ernie_error *err);

/* Appends the bytes as UTF-8, without their mark, with LF for every CRLF and CR.
 * What is not in the charset, and each 0, becomes U+FFFD, counted in n_replaced. */
int charset_decode(const struct charset *charset, const uint8_t *bytes, size_t size,
                   struct buffer *out, size_t *n_replaced, ernie_error *err);

#endif
