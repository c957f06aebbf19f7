#include "base/mac.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"

/* ---- the key ----------------------------------------------------------- */

/* base/below, made when it is missing; memory_free. NULL with errno. */
static char *make_folder(const char *base, const char *below)
{
    char *path = path_join(base, below);

    if (path == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    if (system_table.mkdir(path, 0700) == 0 || errno == EEXIST)
        return path;
    memory_free(path);
    return NULL;
}

/* $XDG_STATE_HOME, by the XDG Base Directory Specification ~/.local/state. */
static char *state_folder(void)
{
    const char *state = secure_getenv("XDG_STATE_HOME"), *home = secure_getenv("HOME");
    char *folder = NULL, *outer;

    if (state != NULL && state[0] == '/') {
        system_table.mkdir(state, 0700); /* a failure shows in what comes next */
        return make_folder(state, "ernie");
    }
    if (home == NULL || home[0] != '/') {
        errno = ENOENT;
        return NULL;
    }
    outer = make_folder(home, ".local");
    if (outer != NULL) {
        char *middle = make_folder(outer, "state");

        if (middle != NULL)
            folder = make_folder(middle, "ernie");
        memory_free(middle);
    }
    memory_free(outer);
    return folder;
}

static int read_key(const char *path, struct mac_key *out, ernie_error *err)
{
    struct file file = { 0 };
    struct stat st;
    int status, fd;

    fd = system_table.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0);
    if (fd < 0)
        return error_set_system(err, errno, path);
    if (system_table.fstat(fd, &st) != 0)
        status = error_set_system(err, errno, path);
    else if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        status = error_set(err, ERNIE_EINVAL, "%s: must be yours and nobody else's to read", path);
    else
        status = file_read_fd(fd, path, sizeof out->bytes, &file, err);
    system_table.close(fd);
    if (status == ERNIE_OK && file.size != sizeof out->bytes)
        status = error_set(err, ERNIE_EFORMAT, "%s: not a key of %zu bytes", path,
                           sizeof out->bytes);
    if (status == ERNIE_OK)
        memcpy(out->bytes, file.data, sizeof out->bytes);
    file_reset(&file);
    return status;
}

static int make_key(const char *path, ernie_error *err)
{
    struct mac_key key;
    const void *part = key.bytes;
    const size_t size = sizeof key.bytes;
    int status = random_bytes(key.bytes, sizeof key.bytes, err);

    return status == ERNIE_OK ? file_write_atomic(path, 1, &part, &size, err) : status;
}

int mac_key_load(struct mac_key *out, ernie_error *err)
{
    char *folder = state_folder(), *path;
    int status;

    if (folder == NULL)
        return error_set_system(err, errno, "key");
    path = path_join(folder, "key");
    memory_free(folder);
    if (path == NULL)
        return error_set(err, ERNIE_ENOMEM, "key: out of memory");
    status = read_key(path, out, err);
    if (status == ERNIE_ENOTFOUND) {
        status = make_key(path, err);
        /* Read back: another process may have made one at the same time, and the last
         * one stays. */
        if (status == ERNIE_OK)
            status = read_key(path, out, err);
    }
    memory_free(path);
    return status;
}

/* ---- the code ---------------------------------------------------------- */

struct mac {
    crypto_onetimeauth_state state; /* which asks for its own alignment */
};

struct mac *mac_new(const struct mac_key *key, const uint8_t nonce[NONCE_BYTES])
{
    uint8_t file_key[crypto_onetimeauth_KEYBYTES];
    struct mac *mac;

    /* Any number of times, by any thread; it chooses code for this CPU. */
    if (sodium_init() < 0)
        return NULL;
    mac = memory_new_aligned(1, sizeof *mac);
    if (mac == NULL)
        return NULL;
    crypto_generichash(file_key, sizeof file_key, nonce, NONCE_BYTES, key->bytes,
                       sizeof key->bytes);
    crypto_onetimeauth_init(&mac->state, file_key);
    sodium_memzero(file_key, sizeof file_key);
    return mac;
}

void mac_add(struct mac *mac, const void *data, size_t size)
{
    crypto_onetimeauth_update(&mac->state, data, size);
}

void mac_result(struct mac *mac, uint8_t out[MAC_BYTES])
{
    crypto_onetimeauth_final(&mac->state, out);
}

void mac_free(struct mac *mac)
{
    memory_free_aligned(mac);
}

int mac_equal(const uint8_t a[MAC_BYTES], const uint8_t b[MAC_BYTES])
{
    return sodium_memcmp(a, b, MAC_BYTES) == 0;
}
