/* Any bytes as a text, under any rules: the ids are words of the vocabulary, and
 * fewer of them are a prefix, and spans never cross. For libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_tokenizer && srcdir=. ./fuzz_tokenizer -max_len=2000
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/tokenizer.h"
#include "model/vocab.h"

#define N_RULES 8
#define MAX_IDS 65536

static struct vocab *vocab;
static struct tokenizer *tokenizer[N_RULES];
static struct tokenizer_scratch *scratch;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *srcdir = getenv("srcdir");
    char *path = path_join(srcdir == NULL ? "." : srcdir, "tests/data/tokenizer/vocab_small.txt");
    ernie_error err = { 0 };
    int status;

    (void)argc, (void)argv;
    status = vocab_open(path, &vocab, &err);
    for (int i = 0; status == ERNIE_OK && i < N_RULES; i++) {
        struct model_config config = { .do_lower_case = i & 1, .strip_accents = i & 2,
                                       .tokenize_chinese_chars = i & 4 };

        status = tokenizer_new(vocab, &config, NULL, &tokenizer[i], &err);
    }
    if (status == ERNIE_OK)
        status = tokenizer_scratch_new(&scratch, &err);
    if (status != ERNIE_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(2);
    }
    memory_free(path);
    return 0;
}

static void must(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int32_t all[MAX_IDS], some[MAX_IDS];
    static struct token_span spans[MAX_IDS];
    const struct tokenizer *chosen;
    size_t n, max;
    char *text;

    if (size < 2 || size > MAX_IDS / 4)
        return 0;
    chosen = tokenizer[data[0] % N_RULES];
    max = data[1];
    size -= 2;
    text = malloc(size); /* of its own, so that reading past the end is seen */
    must(text != NULL || size == 0);
    if (size > 0)
        memcpy(text, data + 2, size);

    n = tokenizer_ids(chosen, scratch, text, size, all, NULL, MAX_IDS);
    must(n < MAX_IDS && n == tokenizer_count(chosen, scratch, text, size));
    for (size_t i = 0; i < n; i++)
        must(vocab_word(vocab, all[i]) != NULL);
    must(tokenizer_ids(chosen, scratch, text, size, some, spans, max) == (n < max ? n : max));
    must(memcmp(all, some, (n < max ? n : max) * sizeof *all) == 0);
    for (size_t i = 0; i < n && i < max; i++) {
        must(spans[i].start < spans[i].end && spans[i].end <= size);
        must(i == 0 || (spans[i - 1].start <= spans[i].start && spans[i - 1].end <= spans[i].end));
    }
    free(text);
    return 0;
}
