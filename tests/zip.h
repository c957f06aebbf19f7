/* Zip files made in memory, nothing compressed, and with lies in them where a test wants some. */
#ifndef ERNIE_TESTS_ZIP_H
#define ERNIE_TESTS_ZIP_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct zip {
    uint8_t bytes[1 << 19];
    size_t size;
    uint8_t directory[1 << 18];
    size_t directory_size;
    unsigned n;
};

static inline uint32_t zip_crc(const uint8_t *bytes, size_t size)
{
    uint32_t crc = ~0u;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

static inline size_t zip_put(uint8_t *to, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(value >> 8 * i);
    return n;
}

/* What both headers of an entry have in common: APPNOTE.TXT, 4.3.7 and 4.3.12. */
static inline size_t zip_put_common(uint8_t *to, const char *name, uint32_t crc, size_t size)
{
    uint8_t *at = to;

    at += zip_put(at, 20, 2);     /* version needed */
    at += zip_put(at, 0x0800, 2); /* names are UTF-8 */
    at += zip_put(at, 0, 2);      /* stored */
    at += zip_put(at, 0x00210000, 4);
    at += zip_put(at, crc, 4);
    at += zip_put(at, size, 4);
    at += zip_put(at, size, 4);
    at += zip_put(at, strlen(name), 2);
    at += zip_put(at, 0, 2); /* no extra field */
    return (size_t)(at - to);
}

/* An entry in the directory whose bytes are at some offset: of this file, or of another one, which
 * then lies over it. */
static inline void zip_add_entry(struct zip *zip, const char *name, uint32_t crc, size_t size,
                                 size_t offset)
{
    uint8_t *at = zip->directory + zip->directory_size;

    if (zip->directory_size + 46 + strlen(name) > sizeof zip->directory)
        abort();
    at += zip_put(at, 0x02014b50, 4);
    at += zip_put(at, 20, 2);
    at += zip_put_common(at, name, crc, size);
    at += zip_put(at, 0, 8); /* comment, disk, attributes */
    at += zip_put(at, 0, 2);
    at += zip_put(at, offset, 4);
    memcpy(at, name, strlen(name));
    zip->directory_size = (size_t)(at - zip->directory) + strlen(name);
    zip->n++;
}

static inline size_t zip_add(struct zip *zip, const char *name, const void *bytes, size_t size)
{
    const size_t offset = zip->size;
    const uint32_t crc = zip_crc(bytes, size);
    uint8_t *at = zip->bytes + zip->size;

    if (size + zip->size + 30 + strlen(name) > sizeof zip->bytes)
        abort();
    at += zip_put(at, 0x04034b50, 4);
    at += zip_put_common(at, name, crc, size);
    memcpy(at, name, strlen(name));
    at += strlen(name);
    if (size > 0)
        memcpy(at, bytes, size);
    zip->size = (size_t)(at - zip->bytes) + size;
    zip_add_entry(zip, name, crc, size, offset);
    return offset;
}

static inline void zip_add_text(struct zip *zip, const char *name, const char *text)
{
    zip_add(zip, name, text, strlen(text));
}

static inline void zip_finish(struct zip *zip)
{
    const size_t start = zip->size;
    uint8_t *at = zip->bytes + zip->size + zip->directory_size;

    if (zip->size + zip->directory_size + 22 > sizeof zip->bytes)
        abort();
    memcpy(zip->bytes + zip->size, zip->directory, zip->directory_size);
    at += zip_put(at, 0x06054b50, 4);
    at += zip_put(at, 0, 4);
    at += zip_put(at, zip->n, 2);
    at += zip_put(at, zip->n, 2);
    at += zip_put(at, zip->directory_size, 4);
    at += zip_put(at, start, 4);
    at += zip_put(at, 0, 2);
    zip->size = (size_t)(at - zip->bytes);
}

#endif
