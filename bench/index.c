/* How long a vector index takes to build, ask, save and load, what memory it takes, and how
 * much of the exact answer it finds.
 *
 *     make bench_index && ./bench_index FILE DIM N KIND [THREADS]
 *
 * FILE is float32 [N + 200 or more][DIM], as `ernie embed --format f32` writes them; the
 * first N are indexed, the 200 after them are the queries. KIND is flat, ivf, hnsw, ivfpq
 * or a string of FAISS's factory. Hits are scored from the file's vectors in memory, where
 * a database reads rows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "index/index_file.h"

enum { N_QUERIES = 200, K = 10 };

struct rows {
    size_t dim, n;
    float *vectors; /* [n + N_QUERIES][dim]; the id of a row is its number */
    const float *query;
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void must(int status, const ernie_error *err)
{
    if (status == ERNIE_OK)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(2);
}

static double cosine(size_t dim, const float *a, const float *b)
{
    double product = 0, a_square = 0, b_square = 0;

    for (size_t i = 0; i < dim; i++) {
        product += (double)a[i] * b[i];
        a_square += (double)a[i] * a[i];
        b_square += (double)b[i] * b[i];
    }
    return product / sqrt(a_square * b_square);
}

static int score(void *data, int64_t id, double *out, int *found, ernie_error *err)
{
    const struct rows *rows = data;

    (void)err;
    *found = 1;
    *out = cosine(rows->dim, rows->query, rows->vectors + (size_t)id * rows->dim);
    return ERNIE_OK;
}

static struct index *build(const struct rows *rows, const char *kind, size_t n_threads)
{
    struct index_builder *builder;
    struct index_plan plan;
    struct index *index;
    ernie_error err;
    double start = seconds();
    size_t n_wanted;

    must(index_plan_for(kind, rows->dim, rows->n, &plan, &err), &err);
    must(index_builder_new(&plan, rows->dim, rows->n, n_threads, NULL, &builder, &err), &err);
    n_wanted = index_builder_wants(builder);
    if (n_wanted > 0)
        must(index_builder_train(builder, n_wanted, rows->vectors, &err), &err);
    for (size_t i = 0; i < rows->n; i++)
        must(index_builder_add(builder, (int64_t)i, rows->vectors + i * rows->dim, &err), &err);
    must(index_builder_finish(builder, &index, &err), &err);
    index_builder_free(builder);
    printf("%s  %zu vectors of %zu numbers  build %.2f s  memory %.1f MB, %.0f bytes a vector\n",
           index_kind_name(index), rows->n, rows->dim, seconds() - start,
           (double)index_bytes(index) / 1e6, (double)index_bytes(index) / (double)rows->n);
    return index;
}

/* The score of the k-th best row. */
static double least_of_best(const struct rows *rows, const float *query)
{
    double best[K + 1];
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++) {
        const double x = cosine(rows->dim, query, rows->vectors + i * rows->dim);
        size_t j = n < K ? n++ : K;

        for (; j > 0 && best[j - 1] < x; j--)
            best[j] = best[j - 1];
        best[j] = x;
    }
    return best[n - 1];
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void ask(struct index *index, struct rows *rows)
{
    double times[N_QUERIES];
    size_t n_right = 0, n_hits = 0;
    ernie_error err;

    for (size_t q = 0; q < N_QUERIES; q++) {
        struct index_search *search;
        struct stream_hit hits[K];
        double start, least;
        size_t n = 0;
        int found = 1;

        rows->query = rows->vectors + (rows->n + q) * rows->dim;
        start = seconds();
        must(index_search_new(index, rows->query, score, rows, &search, &err), &err);
        while (n < K && found) {
            must(index_search_next(search, &hits[n], &found, &err), &err);
            n += (size_t)found;
        }
        index_search_free(search);
        times[q] = 1e3 * (seconds() - start);
        least = least_of_best(rows, rows->query);
        for (size_t i = 0; i < n; i++)
            n_right += hits[i].score >= least;
        n_hits += n;
    }
    qsort(times, N_QUERIES, sizeof *times, compare_doubles);
    printf("ten nearest: p50 %.3f ms  p95 %.3f ms  recall %.4f\n", times[N_QUERIES / 2],
           times[N_QUERIES * 95 / 100], (double)n_right / (double)n_hits);
}

static void save_and_load(const struct index *index)
{
    static const struct mac_key key;
    struct index_stamp stamp = { .n_recent = index_recent(index) };
    char path[] = "/tmp/bench_index.XXXXXX";
    const int fd = mkstemp(path);
    ernie_error err;

    if (fd < 0) {
        perror(path);
        exit(2);
    }
    close(fd);
    for (int i = 0; i < 3; i++) {
        double start = seconds(), saved;
        struct index *loaded;

        must(index_file_save(index, &stamp, &key, path, &err), &err);
        saved = seconds();
        must(index_file_load(path, &key, &loaded, &stamp, &err), &err);
        printf("save %.0f ms  load %.0f ms\n", 1e3 * (saved - start), 1e3 * (seconds() - saved));
        index_release(loaded);
    }
    unlink(path);
}

int main(int argc, char **argv)
{
    struct rows rows = { 0 };
    struct index *index;
    FILE *file;

    if (argc == 5 || argc == 6) {
        rows.dim = strtoul(argv[2], NULL, 10);
        rows.n = strtoul(argv[3], NULL, 10);
    }
    if (rows.dim < 1 || rows.dim > 65536 || rows.n < K || rows.n > INT32_MAX) {
        fprintf(stderr, "usage: bench_index FILE DIM N KIND [THREADS]\n");
        return 2;
    }
    file = fopen(argv[1], "rb");
    rows.vectors = malloc((rows.n + N_QUERIES) * rows.dim * sizeof *rows.vectors);
    if (file == NULL || rows.vectors == NULL ||
        fread(rows.vectors, rows.dim * sizeof *rows.vectors, rows.n + N_QUERIES, file) !=
            rows.n + N_QUERIES) {
        fprintf(stderr, "%s: fewer than %zu vectors of %zu numbers\n", argv[1],
                rows.n + N_QUERIES, rows.dim);
        return 2;
    }
    fclose(file);
    index = build(&rows, argv[4], argc == 6 ? strtoul(argv[5], NULL, 10) : 0);
    ask(index, &rows);
    save_and_load(index);
    index_release(index);
    free(rows.vectors);
    return 0;
}
