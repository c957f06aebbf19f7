/* Prints the token ids of each line of standard input: the side of
 * compare_unigram.py that is ours. Built on request: make unigram_lines.
 *
 *     unigram_lines FILE.model [spans] < lines > ids     lines as in texts.txt, see unigram_file.h
 *     unigram_lines --time N FILE.model < text           reads all of its lines N times, prints
 *                                                        seconds to build and tokens a second */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unigram_file.h"

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The ids of each line, printed if asked for. Returns how many, or dies. */
static size_t read_lines(const struct unigram_file *file, const struct unigram *unigram,
                         struct unigram_reader *reader, char *text, size_t size, int is_printed,
                         int with_spans)
{
    size_t room = 8 * size + 64, n_all = 0;
    int32_t *ids = malloc(room * sizeof *ids);
    struct token_span *spans = with_spans ? malloc(room * sizeof *spans) : NULL;
    ernie_error err = { 0 };

    for (char *line = text, *end; line < text + size; line = end + 1) {
        size_t n, n_bytes;

        end = memchr(line, '\n', (size_t)(text + size - line));
        if (end == NULL)
            end = text + size;
        n_bytes = (size_t)(end - line);
        if (is_printed) {
            *end = '\0';
            n_bytes = unigram_unescape(line);
        }
        if (unigram_file_encode(file, unigram, reader, line, n_bytes, ids, spans, room, &n, &err) !=
            ERNIE_OK) {
            fprintf(stderr, "unigram_lines: %s\n", err.message);
            exit(2);
        }
        n_all += n;
        for (size_t i = 0; is_printed && i < n; i++) {
            printf("%s%d", i > 0 ? " " : "", (int)ids[i]);
            if (with_spans)
                printf(":%zu-%zu", spans[i].start, spans[i].end);
        }
        if (is_printed)
            putchar('\n');
    }
    free(ids);
    free(spans);
    return n_all;
}

int main(int argc, char **argv)
{
    struct unigram_file file;
    struct unigram_reader reader = { 0 };
    struct unigram *unigram = NULL;
    ernie_error err = { 0 };
    int n_times = 0;
    double start, build;
    size_t size;
    char *text;

    if (argc > 2 && strcmp(argv[1], "--time") == 0) {
        n_times = atoi(argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (argc < 2) {
        fprintf(stderr, "unigram_lines: no model given\n");
        return 2;
    }
    if (unigram_file_open(argv[1], &file, &err) != ERNIE_OK)
        goto failed;
    start = now();
    if (unigram_new(file.n, file.piece, file.unk_id, file.byte_fallback, &unigram, &err) !=
            ERNIE_OK ||
        unigram_scratch_new(&reader.scratch, &err) != ERNIE_OK)
        goto failed;
    build = now() - start;
    text = unigram_read_bytes("/dev/stdin", &size);
    if (n_times == 0)
        read_lines(&file, unigram, &reader, text, size, 1, argc > 2);
    for (int i = 0; i < n_times; i++) {
        size_t n;

        start = now();
        n = read_lines(&file, unigram, &reader, text, size, 0, 0);
        printf("build %.4f s, %zu tokens, %.0f tokens/s\n", build, n, (double)n / (now() - start));
    }
    free(text);
    unigram_reader_reset(&reader);
    unigram_free(unigram);
    unigram_file_close(&file);
    return 0;
failed:
    fprintf(stderr, "unigram_lines: %s\n", err.message);
    return 2;
}
