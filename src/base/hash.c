#include "base/hash.h"

#include <stdio.h>
#include <string.h>
/* The state is ours to allocate, so that it comes through memory.h. */
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "base/memory.h"

struct hasher {
    XXH3_state_t *state; /* wants 64-byte alignment */
};

static struct hash canonical(XXH128_hash_t value)
{
    XXH128_canonical_t form;
    struct hash hash;

    XXH128_canonicalFromHash(&form, value);
    memcpy(hash.bytes, form.digest, sizeof hash.bytes);
    return hash;
}

struct hash hash_of(const void *data, size_t size)
{
    return canonical(XXH3_128bits(data, size));
}

struct hasher *hasher_new(void)
{
    struct hasher *hasher = memory_new(1, sizeof *hasher);

    if (hasher == NULL)
        return NULL;
    hasher->state = memory_new_aligned(1, sizeof *hasher->state);
    if (hasher->state == NULL) {
        memory_free(hasher);
        return NULL;
    }
    XXH3_INITSTATE(hasher->state);
    XXH3_128bits_reset(hasher->state);
    return hasher;
}

void hasher_begin(struct hasher *hasher, size_t size)
{
    uint64_t length = size;
    uint8_t little_endian[8];

    for (int i = 0; i < 8; i++)
        little_endian[i] = (uint8_t)(length >> 8 * i);
    XXH3_128bits_update(hasher->state, little_endian, sizeof little_endian);
}

void hasher_continue(struct hasher *hasher, const void *piece, size_t size)
{
    XXH3_128bits_update(hasher->state, piece, size);
}

void hasher_add(struct hasher *hasher, const void *data, size_t size)
{
    hasher_begin(hasher, size);
    hasher_continue(hasher, data, size);
}

struct hash hasher_result(const struct hasher *hasher)
{
    return canonical(XXH3_128bits_digest(hasher->state));
}

void hasher_free(struct hasher *hasher)
{
    if (hasher == NULL)
        return;
    memory_free_aligned(hasher->state);
    memory_free(hasher);
}

void hash_to_hex(const struct hash *hash, char out[33])
{
    for (size_t i = 0; i < sizeof hash->bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", hash->bytes[i]);
}
