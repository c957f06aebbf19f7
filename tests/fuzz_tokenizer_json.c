/* Any bytes as a tokenizer.json, and as the added tokens beside a vocab.txt: a file is
 * refused with a reason, or texts are read with it and every id is below vocab_size. For
 * libFuzzer, built on request:
 *
 *     ./configure CC=clang CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' LIBS=-lgomp
 *     make fuzz_tokenizer_json && ./fuzz_tokenizer_json -max_len=20000 CORPUS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/tokenizer.h"

#define VOCAB_SIZE 4000
#define MAX_IDS    4096

static char with_words[64], alone[64];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void put(const char *directory, const char *name, const void *data, size_t size)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    must(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char words[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\n##b\n中\n文\n<\n>\n";

    (void)argc, (void)argv;
    snprintf(with_words, sizeof with_words, "/tmp/fuzz_tokenizer_json-XXXXXX");
    snprintf(alone, sizeof alone, "/tmp/fuzz_tokenizer_json-XXXXXX");
    must(mkdtemp(with_words) != NULL && mkdtemp(alone) != NULL);
    put(with_words, "vocab.txt", words, sizeof words - 1);
    return 0;
}

static void read_texts(const char *directory)
{
    static const char *const texts[] = { "", "a", "中文ab [MASK]  <a>b</a> \xff caf\xc3\xa9",
                                         "  Hello\t\xe2\x96\x81World  \xcc\x81\xe3\x80\x80" };
    static int32_t ids[MAX_IDS];
    static struct token_span spans[MAX_IDS];
    struct model_config config = { .do_lower_case = 1, .strip_accents = 1,
                                   .tokenize_chinese_chars = 1, .vocab_size = VOCAB_SIZE,
                                   .max_tokens = 512 };
    struct tokenizer_scratch *scratch = NULL;
    struct tokenizer *tokenizer = NULL;
    struct vocab *vocab = NULL;
    ernie_error err = { 0 };
    struct hash hash;

    if (tokenizer_open(directory, &config, &vocab, &hash, &tokenizer, &err) != ERNIE_OK) {
        must(err.message[0] != '\0' && tokenizer == NULL);
        vocab_close(vocab);
        return;
    }
    must(tokenizer_scratch_new(&scratch, &err) == ERNIE_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const size_t size = strlen(texts[i]);
        const size_t n = tokenizer_ids(tokenizer, scratch, texts[i], size, ids, spans, MAX_IDS);

        must(n <= MAX_IDS);
        for (size_t j = 0; j < n; j++)
            must(ids[j] >= 0 && ids[j] < VOCAB_SIZE && spans[j].start <= spans[j].end &&
                 spans[j].end <= size);
        must(n == MAX_IDS || tokenizer_count(tokenizer, scratch, texts[i], size) == n);
    }
    tokenizer_scratch_free(scratch);
    tokenizer_free(tokenizer);
    vocab_close(vocab);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    put(with_words, "tokenizer.json", data, size);
    put(alone, "tokenizer.json", data, size);
    read_texts(with_words);
    read_texts(alone);
    return 0;
}
