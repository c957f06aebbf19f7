/* A seal on a file that only this user's programs can have made: a message
 * authentication code with a secret key, which lies in the user's state directory and
 * never beside what it seals. By libsodium: Poly1305 (RFC 8439) with a key for each file,
 * which keyed BLAKE2b (RFC 7693) makes of the secret and of a nonce in the file. */
#ifndef ERNIE_BASE_MAC_H
#define ERNIE_BASE_MAC_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define MAC_BYTES   16
#define NONCE_BYTES 32

struct mac_key {
    uint8_t bytes[32];
};

/* Reads $XDG_STATE_HOME/ernie/key (else ~/.local/state/ernie/key), or makes it, random
 * and with mode 0600, when it is missing. ERNIE_EINVAL when others may read it, or it is
 * another user's; ERNIE_ENOTFOUND when there is no home to keep it in. */
int mac_key_load(struct mac_key *out, ernie_error *err);

struct mac; /* a code in the making */

/* NULL when memory ran out. */
struct mac *mac_new(const struct mac_key *key, const uint8_t nonce[NONCE_BYTES]);
void mac_add(struct mac *mac, const void *data, size_t size);
void mac_result(struct mac *mac, uint8_t out[MAC_BYTES]); /* once, after all is added */
void mac_free(struct mac *mac);

/* Whether two codes are the same, in a time that does not tell where they differ. */
int mac_equal(const uint8_t a[MAC_BYTES], const uint8_t b[MAC_BYTES]);

#endif
