#include "base/utf8.h"

#include <string.h>

uint32_t utf8_decode(const char *text, size_t size, size_t *n_bytes, int *valid)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
    uint32_t code_point;
    size_t n;

    *n_bytes = 1;
    if (s[0] < 0x80)
        return s[0];
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        n = 2;
        code_point = s[0] & 0x1fu;
    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        n = 3;
        code_point = s[0] & 0x0fu;
        if (s[0] == 0xe0)
            low = 0xa0; /* less would be overlong */
        else if (s[0] == 0xed)
            high = 0x9f; /* more would be a surrogate */
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        n = 4;
        code_point = s[0] & 0x07u;
        if (s[0] == 0xf0)
            low = 0x90;
        else if (s[0] == 0xf4)
            high = 0x8f; /* more would pass U+10FFFF */
    } else {
        goto broken;
    }
    for (; *n_bytes < n; ++*n_bytes) {
        if (*n_bytes >= size || s[*n_bytes] < low || s[*n_bytes] > high)
            goto broken;
        code_point = code_point << 6 | (s[*n_bytes] & 0x3fu);
        low = 0x80;
        high = 0xbf;
    }
    return code_point;
broken:
    if (valid != NULL)
        *valid = 0;
    return UTF8_REPLACEMENT;
}

size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t utf8_count(const char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

int utf8_valid(const char *text, size_t size)
{
    int valid = 1;
    size_t n;

    for (size_t i = 0; valid && i < size; i += n)
        utf8_decode(text + i, size - i, &n, &valid);
    return valid;
}

size_t utf8_floor(const char *text, size_t offset)
{
    size_t start = offset;

    while (start > 0 && offset - start < 3 && ((unsigned char)text[start] & 0xc0) == 0x80)
        start--;
    /* Stray continuation bytes belong to no character: cut anywhere. */
    return ((unsigned char)text[start] & 0xc0) == 0x80 ? offset : start;
}

size_t utf8_append_clean(struct buffer *out, const char *text, size_t size)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t n, start = 0, n_replaced = 0;

    for (size_t i = 0; i < size; i += n) {
        int valid = text[i] != '\0';

        utf8_decode(text + i, size - i, &n, &valid);
        if (valid)
            continue;
        buffer_append(out, text + start, i - start);
        buffer_append(out, replacement, sizeof replacement - 1);
        start = i + n;
        n_replaced++;
    }
    buffer_append(out, text + start, size - start);
    return n_replaced;
}

void utf8_append_printable(struct buffer *out, const char *bytes, size_t size)
{
    size_t n;

    for (size_t i = 0; i < size; i += n) {
        int valid = 1;
        uint32_t c = utf8_decode(bytes + i, size - i, &n, &valid);

        /* C0, DEL and C1 move the cursor or worse when a terminal shows them. */
        if (valid && c >= 0x20 && (c < 0x7f || c > 0x9f)) {
            buffer_append(out, bytes + i, n);
            continue;
        }
        for (size_t j = i; j < i + n; j++)
            buffer_printf(out, "\\x%02x", (unsigned char)bytes[j]);
    }
}
