/* Prints the token ids of each line of standard input, each with its span in bytes: the
 * side of compare_tokenizer.py that is ours. Built on request: make tokenize_lines.
 *
 *     tokenize_lines VOCAB [lower] [strip] [chinese] < lines > ids:start:end
 *     tokenize_lines DIRECTORY < lines > ...       vocab.txt, tokenizer.json or both in it
 *     tokenize_lines --time N VOCAB ... < text     reads it N times over, prints MB/s */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buffer.h"
#include "model/tokenizer.h"
#include "model/vocab.h"

static void read_all(FILE *file, struct buffer *out)
{
    char *room;

    while ((room = buffer_reserve(out, 1 << 16)) != NULL) {
        size_t n = fread(room, 1, 1 << 16, file);

        out->size += n;
        if (n == 0)
            return;
    }
}

static void print_lines(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                        const struct buffer *text)
{
    int32_t *ids = calloc(text->size * 4 + 1, sizeof *ids);
    struct token_span *spans = calloc(text->size * 4 + 1, sizeof *spans);

    for (size_t i = 0; i < text->size;) {
        const char *end = memchr(text->data + i, '\n', text->size - i);
        size_t size = end == NULL ? text->size - i : (size_t)(end - (text->data + i));
        size_t n = tokenizer_ids(tokenizer, scratch, text->data + i, size, ids, spans, SIZE_MAX);

        for (size_t j = 0; j < n; j++)
            printf("%s%d:%zu:%zu", j > 0 ? " " : "", (int)ids[j], spans[j].start, spans[j].end);
        putchar('\n');
        i += size + 1;
    }
    free(spans);
    free(ids);
}

static void print_speed(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                        const struct buffer *text, int n_times)
{
    double best = 0;

    for (int i = 0; i < n_times; i++) {
        struct timespec begin, end;
        double seconds;
        size_t n;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        n = tokenizer_count(tokenizer, scratch, text->data, text->size);
        clock_gettime(CLOCK_MONOTONIC, &end);
        seconds = (double)(end.tv_sec - begin.tv_sec);
        seconds += 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
        if ((double)text->size / 1e6 / seconds > best)
            best = (double)text->size / 1e6 / seconds;
        if (i == 0)
            printf("%zu bytes, %zu tokens\n", text->size, n);
    }
    printf("%.0f MB/s (best of %d)\n", best, n_times);
}

int main(int argc, char **argv)
{
    struct model_config config = { 0 };
    struct tokenizer_scratch *scratch = NULL;
    struct tokenizer *tokenizer = NULL;
    struct vocab *vocab = NULL;
    struct buffer text = { 0 };
    ernie_error err = { 0 };
    int n_times = 0, status = 2;
    struct hash hash;
    struct stat st;

    if (argc > 2 && strcmp(argv[1], "--time") == 0) {
        n_times = atoi(argv[2]);
        argc -= 2;
        argv += 2;
    }
    for (int i = 2; i < argc; i++) {
        config.do_lower_case |= strcmp(argv[i], "lower") == 0;
        config.strip_accents |= strcmp(argv[i], "strip") == 0;
        config.tokenize_chinese_chars |= strcmp(argv[i], "chinese") == 0;
    }
    config.vocab_size = 2000000;
    config.max_tokens = 512;
    if (argc < 2 || tokenizer_scratch_new(&scratch, &err) != ERNIE_OK ||
        (stat(argv[1], &st) == 0 && S_ISDIR(st.st_mode)
             ? tokenizer_open(argv[1], &config, &vocab, &hash, &tokenizer, &err) != ERNIE_OK
             : vocab_open(argv[1], &vocab, &err) != ERNIE_OK ||
                   tokenizer_new(vocab, &config, NULL, &tokenizer, &err) != ERNIE_OK)) {
        fprintf(stderr, "tokenize_lines: %s\n", argc < 2 ? "no vocabulary given" : err.message);
        goto done;
    }
    read_all(stdin, &text);
    if (n_times > 0)
        print_speed(tokenizer, scratch, &text, n_times);
    else
        print_lines(tokenizer, scratch, &text);
    status = 0;
done:
    buffer_reset(&text);
    tokenizer_scratch_free(scratch);
    tokenizer_free(tokenizer);
    vocab_close(vocab);
    return status;
}
