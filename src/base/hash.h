/* A 128-bit fingerprint of bytes (XXH3-128, of libxxhash): tells whether two
 * contents are the same. It guards against accidents, not against forgery. */
#ifndef ERNIE_BASE_HASH_H
#define ERNIE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash {
    uint8_t bytes[16]; /* XXH128's canonical (big-endian) form */
};

struct hash hash_of(const void *data, size_t size);

/* A hash of several parts, each with its length, so that moving a byte from one
 * part to the next changes the result. NULL when memory ran out. */
struct hasher;
struct hasher *hasher_new(void);
void hasher_add(struct hasher *hasher, const void *data, size_t size);
/* A part that comes in pieces: its length, then the pieces, which together have it. */
void hasher_begin(struct hasher *hasher, size_t size);
void hasher_continue(struct hasher *hasher, const void *piece, size_t size);
struct hash hasher_result(const struct hasher *hasher);
void hasher_free(struct hasher *hasher);

void hash_to_hex(const struct hash *hash, char out[33]);

#endif
