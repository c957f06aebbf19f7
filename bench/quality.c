/* What a model with int8 weights keeps of the one it was made from:
 *
 *     bench_quality MODEL ORIGINAL FILE [STS]
 *
 * FILE has a text a line: prints the mean and the least cosine between the two models'
 * embeddings of each. STS has "text<TAB>text<TAB>score" lines: prints Spearman's rank
 * correlation of the models' cosines with the scores, times 100. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ernie.h"

#define MAX_LINES 100000

struct lines {
    size_t n;
    char *line[MAX_LINES];
};

static void fail(const char *words)
{
    fprintf(stderr, "bench_quality: %s\n", words);
    exit(2);
}

static void read_lines(const char *path, struct lines *out)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;

    if (file == NULL)
        fail(path);
    while (out->n < MAX_LINES && (size = getline(&line, &capacity, file)) > 0) {
        if (line[size - 1] == '\n')
            line[size - 1] = '\0';
        out->line[out->n++] = strdup(line);
    }
    free(line);
    fclose(file);
}

static float *embed(const ernie_model *model, size_t n, char **texts)
{
    float *out = malloc(n * ernie_model_dim(model) * sizeof *out);
    ernie_encoder *encoder;
    ernie_error err;

    if (ernie_encoder_new(model, 0, &encoder, &err) != ERNIE_OK ||
        ernie_encode(encoder, n, (const char *const *)texts, out, &err) != ERNIE_OK)
        fail(err.message);
    ernie_encoder_free(encoder);
    return out;
}

static void compare(ernie_model *const model[2], const char *path)
{
    static struct lines texts;
    const size_t dim = ernie_model_dim(model[0]);
    double sum = 0, least = 1;
    float *a, *b;

    read_lines(path, &texts);
    a = embed(model[0], texts.n, texts.line);
    b = embed(model[1], texts.n, texts.line);
    for (size_t i = 0; i < texts.n; i++) {
        double cosine = ernie_cosine(dim, a + i * dim, b + i * dim);

        sum += cosine;
        least = cosine < least ? cosine : least;
    }
    printf("cosine to the original on %zu texts: mean %.5f, least %.5f\n", texts.n,
           sum / (double)texts.n, least);
    free(a);
    free(b);
}

/* ---- Spearman's correlation -------------------------------------------- */

static const double *sorted_by;

static int by_value(const void *a, const void *b)
{
    double x = sorted_by[*(const size_t *)a], y = sorted_by[*(const size_t *)b];

    return (x > y) - (x < y);
}

/* The rank of each value, equal ones having the mean of theirs. */
static double *ranks_of(size_t n, const double *value)
{
    size_t *order = malloc(n * sizeof *order);
    double *rank = malloc(n * sizeof *rank);

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    sorted_by = value;
    qsort(order, n, sizeof *order, by_value);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && value[order[j]] == value[order[i]];)
            j++;
        for (size_t k = i; k < j; k++)
            rank[order[k]] = (double)(i + j - 1) / 2;
    }
    free(order);
    return rank;
}

static double spearman(size_t n, const double *x, const double *y)
{
    double *a = ranks_of(n, x), *b = ranks_of(n, y), mean = (double)(n - 1) / 2, result;
    float *u = malloc(n * sizeof *u), *v = malloc(n * sizeof *v);

    for (size_t i = 0; i < n; i++) {
        u[i] = (float)(a[i] - mean);
        v[i] = (float)(b[i] - mean);
    }
    result = ernie_cosine(n, u, v);
    free(a);
    free(b);
    free(u);
    free(v);
    return result;
}

static double correlate(const ernie_model *model, const struct lines *sts)
{
    const size_t n = sts->n, dim = ernie_model_dim(model);
    char **texts = malloc(2 * n * sizeof *texts);
    double *score = malloc(n * sizeof *score), *cosine = malloc(n * sizeof *cosine), result;
    float *vectors;

    for (size_t i = 0; i < n; i++) {
        char *line = strdup(sts->line[i]), *second = strchr(line, '\t'), *third;

        third = second != NULL ? strchr(second + 1, '\t') : NULL;
        if (third == NULL)
            fail("STS: a line has no three fields");
        *second++ = *third++ = '\0';
        texts[2 * i] = line;
        texts[2 * i + 1] = second;
        score[i] = atof(third);
    }
    vectors = embed(model, 2 * n, texts);
    for (size_t i = 0; i < n; i++)
        cosine[i] = ernie_cosine(dim, vectors + 2 * i * dim, vectors + (2 * i + 1) * dim);
    result = spearman(n, cosine, score);
    for (size_t i = 0; i < n; i++)
        free(texts[2 * i]);
    free(texts);
    free(score);
    free(cosine);
    free(vectors);
    return result;
}

int main(int argc, char **argv)
{
    static struct lines sts;
    ernie_model *model[2];
    ernie_error err;

    if (argc < 4)
        fail("usage: bench_quality MODEL ORIGINAL FILE [STS]");
    for (int i = 0; i < 2; i++)
        if (ernie_model_open(argv[1 + i], &model[i], &err) != ERNIE_OK)
            fail(err.message);
    compare(model, argv[3]);
    if (argc > 4) {
        double ours, original;

        read_lines(argv[4], &sts);
        ours = 100 * correlate(model[0], &sts);
        original = 100 * correlate(model[1], &sts);
        printf("Spearman x 100 on %zu pairs: %.2f, the original %.2f, difference %+.2f\n", sts.n,
               ours, original, ours - original);
    }
    ernie_model_close(model[0]);
    ernie_model_close(model[1]);
    return 0;
}
