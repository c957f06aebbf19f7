/* Any bytes as vocab.txt: refused, or every word is found under its id or that of
 * an equal word further on. Built like fuzz_tokenizer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vocab *vocab = NULL;
    char path[64];
    ernie_error err;
    int fd = memfd_create("vocab.txt", 0);

    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (vocab_open(path, &vocab, &err) == ERNIE_OK) {
        for (size_t i = 0; i < vocab_size(vocab); i++) {
            const char *word = vocab_word(vocab, (int32_t)i);
            size_t n = strlen(word), n_longest = 0;
            int32_t id = vocab_find(vocab, word, n, 0);

            must(id >= (int32_t)i && strcmp(vocab_word(vocab, id), word) == 0);
            if (n > 0)
                must(vocab_find_longest(vocab, word, n, 0, &n_longest) == id && n_longest == n);
        }
    } else {
        must(strncmp(err.message, path, strlen(path)) == 0);
    }
    vocab_close(vocab);
    close(fd);
    return 0;
}
