/* Tokens a second of ernie_encode:
 *
 *     bench_encode MODEL FILE THREADS [REPEATS]
 *
 * FILE has a text a line. Prints the median of REPEATS (5) runs over all of it; the
 * first run, which warms up, does not count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ernie.h"

#define MAX_TEXTS 1000000

static int fail(const char *words)
{
    fprintf(stderr, "bench_encode: %s\n", words);
    return 2;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static size_t read_lines(const char *path, char **texts)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0, n = 0;
    ssize_t size;

    while (file != NULL && n < MAX_TEXTS && (size = getline(&line, &capacity, file)) > 0) {
        if (line[size - 1] == '\n')
            line[size - 1] = '\0';
        texts[n++] = strdup(line);
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return n;
}

static size_t count_tokens(const ernie_model *model, size_t n, char **texts)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++) {
        struct ernie_tokens tokens;

        if (ernie_tokenize(model, texts[i], NULL, ernie_model_max_tokens(model), &tokens, NULL) !=
            ERNIE_OK)
            continue;
        total += tokens.n;
        ernie_tokens_reset(&tokens);
    }
    return total;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int repeats = argc > 4 ? atoi(argv[4]) : 5;
    char **texts = calloc(MAX_TEXTS, sizeof *texts);
    double *times = calloc((size_t)(repeats > 0 ? repeats : 1), sizeof *times);
    ernie_encoder *encoder;
    ernie_model *model;
    ernie_error err;
    size_t n, n_tokens;
    float *out;

    if (argc < 4 || repeats < 1)
        return fail("MODEL FILE THREADS [REPEATS]");
    n = read_lines(argv[2], texts);
    if (n == 0)
        return fail("no texts");
    if (ernie_model_open(argv[1], &model, &err) != ERNIE_OK ||
        ernie_encoder_new(model, (size_t)atoi(argv[3]), &encoder, &err) != ERNIE_OK)
        return fail(err.message);
    out = calloc(n * ernie_model_dim(model), sizeof *out);
    n_tokens = count_tokens(model, n, texts);
    for (int i = -1; i < repeats; i++) {
        double start = seconds();

        if (ernie_encode(encoder, n, (const char *const *)texts, out, &err) != ERNIE_OK)
            return fail(err.message);
        if (i >= 0)
            times[i] = seconds() - start;
    }
    qsort(times, (size_t)repeats, sizeof *times, compare);
    printf("ernie: %.0f tokens/s (%zu texts, %zu tokens)\n",
           (double)n_tokens / times[repeats / 2], n, n_tokens);
    return 0;
}
