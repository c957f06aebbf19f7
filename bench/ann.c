/* How long the vector index takes to build, search, save and load, and how much
 * of the exact answer HNSW finds.
 *
 *     make bench_ann && ./bench_ann DIM N N_THREADS < VECTORS
 *
 * VECTORS is float32 [N + 200][DIM], as `ernie embed --format f32` writes them; the
 * last 200 are the queries. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "index/recall.h"

enum { N_QUERIES = 200, MAX_K = 1000, BATCH = 4096 };

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

static struct ann *build(enum ann_kind kind, size_t n, size_t dim, const int64_t *ids,
                         const float *vectors, size_t n_threads)
{
    double start = seconds();
    ernie_error err;
    struct ann *ann;

    must(ann_new(kind, dim, &ann, &err), &err);
    for (size_t i = 0; i < n; i += BATCH)
        must(ann_add(ann, n - i < BATCH ? n - i : BATCH, ids + i, vectors + i * dim, n_threads,
                     &err), &err);
    printf("%s  build %.2f s\n", ann_kind_name(kind), seconds() - start);
    return ann;
}

static void search(const struct ann *ann, const struct ann *exact, const float *queries, size_t k)
{
    static int64_t ids[MAX_K];
    static float scores[MAX_K];
    struct recall recall;
    ernie_error err;
    size_t n;
    double start = seconds();

    for (size_t i = 0; i < N_QUERIES; i++)
        must(ann_search(ann, queries + i * ann_dim(ann), k, ids, scores, &n, &err), &err);
    printf("%s  k %4zu  %.3f ms a query", ann_kind_name(ann_kind(ann)), k,
           1e3 * (seconds() - start) / N_QUERIES);
    must(recall_measure(ann, exact, N_QUERIES, queries, k, &recall, &err), &err);
    printf("  recall %.4f, worst query %.2f\n", recall.mean, recall.worst);
}

static void save_and_load(const struct ann *ann)
{
    struct ann_stamp stamp = { .dim = ann_dim(ann), .count = ann_count(ann) };
    char path[] = "/tmp/bench_ann.XXXXXX";
    int fd = mkstemp(path);
    ernie_error err;

    if (fd < 0) {
        perror(path);
        exit(2);
    }
    close(fd);
    for (int i = 0; i < 3; i++) {
        double start = seconds(), saved;
        struct ann *loaded;

        must(ann_save(ann, &stamp, path, &err), &err);
        saved = seconds();
        must(ann_load(path, &loaded, &stamp, &err), &err);
        printf("%s  save %.1f ms  load %.1f ms\n", ann_kind_name(ann_kind(ann)),
               1e3 * (saved - start), 1e3 * (seconds() - saved));
        ann_free(loaded);
    }
    unlink(path);
}

int main(int argc, char **argv)
{
    size_t dim = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
    size_t n = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    size_t n_threads = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    struct ann *flat, *hnsw;
    float *vectors;
    int64_t *ids;

    if (dim < 1 || dim > 65536 || n < 1 || n > INT32_MAX) {
        fprintf(stderr, "usage: bench_ann DIM N N_THREADS < VECTORS\n");
        return 2;
    }
    vectors = malloc((n + N_QUERIES) * dim * sizeof *vectors);
    ids = malloc(n * sizeof *ids);
    if (vectors == NULL || ids == NULL ||
        fread(vectors, dim * sizeof *vectors, n + N_QUERIES, stdin) != n + N_QUERIES) {
        fprintf(stderr, "bench_ann: fewer than %zu vectors of %zu floats\n", n + N_QUERIES, dim);
        return 2;
    }
    for (size_t i = 0; i < n; i++)
        ids[i] = (int64_t)i + 1;
    flat = build(ANN_FLAT, n, dim, ids, vectors, n_threads);
    hnsw = build(ANN_HNSW, n, dim, ids, vectors, n_threads);
    for (size_t k = 10; k <= MAX_K; k *= 10) {
        search(flat, flat, vectors + n * dim, k);
        search(hnsw, flat, vectors + n * dim, k);
    }
    save_and_load(flat);
    save_and_load(hnsw);
    ann_free(hnsw);
    ann_free(flat);
    free(ids);
    free(vectors);
    return 0;
}
