#include "model/charsmap.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

struct charsmap {
    size_t n_units;
    uint32_t *unit; /* [n_units] */
    size_t n_strings;
    char *strings; /* [n_strings] bytes */
};

/* A unit of the trie (Darts-clone): bits 0-7 the byte that leads here, 8 whether a
 * value is among the children, 10-30 and 9 how far away these are. A unit that is
 * a value has bit 31 set and the value in the others. */
static uint32_t unit_offset(uint32_t unit)
{
    return (unit >> 10) << ((unit >> 6) & 8);
}

static int unit_has_value(uint32_t unit)
{
    return (unit >> 8) & 1;
}

static uint32_t unit_value(uint32_t unit)
{
    return unit & 0x7fffffffu;
}

static uint32_t unit_label(uint32_t unit)
{
    return unit & 0x800000ffu;
}

static uint32_t load_u32le(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* Whether all strings, each with a 0 byte behind it, are short enough: a map is to make no
 * text endless. */
static int strings_are_short(const char *strings, size_t size)
{
    for (size_t start = 0, i = 0; i < size; i++) {
        if (i - start > CHARSMAP_MAX_BYTES)
            return 0;
        if (strings[i] == '\0')
            start = i + 1;
    }
    return 1;
}

int charsmap_new(const void *blob, size_t size, struct charsmap **out, ernie_error *err)
{
    int status;
    const unsigned char *bytes = blob;
    size_t trie_size;
    struct charsmap *map = NULL;

    if (size < 4 || load_u32le(bytes) > size - 4)
        return error_set(err, ERNIE_EFORMAT, "precompiled_charsmap: the trie runs past the end");
    trie_size = load_u32le(bytes);
    if (trie_size < 4 || trie_size % 4 != 0)
        return error_set(err, ERNIE_EFORMAT, "precompiled_charsmap: the trie is not whole");
    if (!utf8_valid((const char *)bytes + 4 + trie_size, size - 4 - trie_size))
        return error_set(err, ERNIE_EFORMAT, "precompiled_charsmap: the strings are not UTF-8");
    if (!strings_are_short((const char *)bytes + 4 + trie_size, size - 4 - trie_size))
        return error_set(err, ERNIE_EFORMAT, "precompiled_charsmap: a string of more than %d bytes",
                         CHARSMAP_MAX_BYTES);

    map = memory_new(1, sizeof *map);
    if (map == NULL)
        return error_set(err, ERNIE_ENOMEM, "precompiled_charsmap: out of memory");
    map->n_units = trie_size / 4;
    map->unit = memory_new(map->n_units, sizeof *map->unit);
    map->n_strings = size - 4 - trie_size;
    map->strings = memory_copy_text((const char *)bytes + 4 + trie_size, map->n_strings);
    if (map->unit == NULL || map->strings == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "precompiled_charsmap: out of memory");
        goto done;
    }
    for (size_t i = 0; i < map->n_units; i++)
        map->unit[i] = load_u32le(bytes + 4 + 4 * i);

    *out = map;
    map = NULL; /* the caller owns it now */
    status = ERNIE_OK;
done:
    charsmap_free(map);
    return status;
}

void charsmap_free(struct charsmap *map)
{
    if (map == NULL)
        return;
    memory_free(map->unit);
    memory_free(map->strings);
    memory_free(map);
}

/* The string at offset, or NULL where no character begins. */
static const char *string_at(const struct charsmap *map, uint32_t offset, size_t *n)
{
    const char *string = map->strings + offset;

    /* One that ends with the blob is followed by the 0 byte of our copy. */
    if (offset > map->n_strings || ((unsigned char)*string & 0xc0) == 0x80)
        return NULL;
    *n = strlen(string);
    return string;
}

const char *charsmap_find(const struct charsmap *map, const char *text, size_t size, size_t *n)
{
    uint32_t unit = map->unit[0];
    /* Offsets have less than 30 bits, so node stays a small number. */
    size_t node = unit_offset(unit);

    for (size_t i = 0; i < size && text[i] != '\0'; i++) {
        const unsigned char byte = (unsigned char)text[i];

        node ^= byte;
        if (node >= map->n_units)
            return NULL;
        unit = map->unit[node];
        if (unit_label(unit) != byte)
            return NULL;
        node ^= unit_offset(unit);
        if (unit_has_value(unit))
            return node < map->n_units ? string_at(map, unit_value(map->unit[node]), n) : NULL;
    }
    return NULL;
}
