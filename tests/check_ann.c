/* index/ann: against brute force in double precision, and against every way in
 * which its file can be wrong. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/system.h"
#include "index/ann.h"
#include "index/distinct.h"

/* ---- data -------------------------------------------------------------- */

/* splitmix64 (Steele, Lea & Flood 2014): the same numbers everywhere. */
static uint64_t random_state;

static uint64_t random_u64(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* n vectors of length 1, evenly spread enough. */
static float *random_vectors(size_t n, size_t dim, uint64_t seed)
{
    float *vectors = malloc(n * dim * sizeof *vectors);

    ck_assert_ptr_nonnull(vectors);
    random_state = seed;
    for (size_t i = 0; i < n; i++) {
        double norm = 0;

        for (size_t j = 0; j < dim; j++) {
            float x = (float)(random_u64() >> 40) / (float)(1 << 23) - 1;

            vectors[i * dim + j] = x;
            norm += (double)x * x;
        }
        for (size_t j = 0; j < dim; j++)
            vectors[i * dim + j] /= (float)sqrt(norm);
    }
    return vectors;
}

static int64_t *ids_from(int64_t first, size_t n)
{
    int64_t *ids = malloc(n * sizeof *ids);

    ck_assert_ptr_nonnull(ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = first + (int64_t)i;
    return ids;
}

static double exact_score(size_t dim, const float *a, const float *b)
{
    double sum = 0;

    for (size_t i = 0; i < dim; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* The place among n vectors of the one nearest to query that is not yet taken. */
static size_t nearest_left(size_t n, size_t dim, const float *vectors, const float *query,
                           char *taken)
{
    size_t best = n;
    double best_score = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        double score = exact_score(dim, vectors + i * dim, query);

        if (!taken[i] && score > best_score) {
            best = i;
            best_score = score;
        }
    }
    taken[best] = 1;
    return best;
}

static struct ann *new_index(enum ann_kind kind, size_t n, size_t dim, const int64_t *ids,
                             const float *vectors)
{
    ernie_error err = { 0 };
    struct ann *ann;

    ck_assert_msg(ann_new(kind, dim, &ann, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_msg(ann_add(ann, n, ids, vectors, 1, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_uint_eq(ann_count(ann), n);
    return ann;
}

/* ---- adding and searching ---------------------------------------------- */

static void check_against_brute_force(enum ann_kind kind, size_t n, size_t dim, size_t k)
{
    float *vectors = random_vectors(n, dim, 1), *queries = random_vectors(20, dim, 2);
    int64_t *ids = ids_from(1000, n), *found = malloc(n * sizeof *found);
    float *scores = malloc(n * sizeof *scores);
    struct ann *ann = new_index(kind, n, dim, ids, vectors);
    size_t n_found;

    for (size_t q = 0; q < 20; q++) {
        char *taken = calloc(n, 1);

        ck_assert_int_eq(ann_search(ann, queries + q * dim, k, found, scores, &n_found, NULL),
                         ERNIE_OK);
        ck_assert_uint_eq(n_found, k < n ? k : n);
        for (size_t i = 0; i < n_found; i++) {
            size_t best = nearest_left(n, dim, vectors, queries + q * dim, taken);

            ck_assert_int_eq(found[i], 1000 + (int64_t)best);
            ck_assert_double_eq_tol(
                scores[i], exact_score(dim, vectors + best * dim, queries + q * dim), 1e-6);
        }
        free(taken);
    }
    ann_free(ann);
    free(scores);
    free(found);
    free(ids);
    free(queries);
    free(vectors);
}

START_TEST(test_flat_equals_brute_force)
{
    check_against_brute_force(ANN_FLAT, 700, 24, 10);
    check_against_brute_force(ANN_FLAT, 700, 37, 150); /* FAISS keeps more than 100 otherwise */
    check_against_brute_force(ANN_FLAT, 300, 3, 1000000);
}
END_TEST

/* Where much of the index is wanted, HNSW compares with every vector: as exact. */
START_TEST(test_hnsw_is_exact_when_much_is_wanted)
{
    check_against_brute_force(ANN_HNSW, 700, 24, 30);
    check_against_brute_force(ANN_HNSW, 700, 37, 700);
    check_against_brute_force(ANN_HNSW, 300, 5, 1000000);
    check_against_brute_force(ANN_HNSW, 1, 5, 3);
}
END_TEST

/* The graph itself, at a size where it finds everything. */
START_TEST(test_hnsw_graph_equals_brute_force)
{
    check_against_brute_force(ANN_HNSW, 1500, 8, 10);
}
END_TEST

START_TEST(test_an_empty_index_finds_nothing)
{
    float query[4] = { 1 };
    int64_t id = 5;
    float score;

    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        struct ann *ann;
        size_t n_found = 9;

        ck_assert_int_eq(ann_new((enum ann_kind)kind, 4, &ann, NULL), ERNIE_OK);
        ck_assert_int_eq(ann_add(ann, 0, NULL, NULL, 1, NULL), ERNIE_OK);
        ck_assert_int_eq(ann_search(ann, query, 1, &id, &score, &n_found, NULL), ERNIE_OK);
        ck_assert_uint_eq(n_found, 0);
        ck_assert_int_eq(ann_add(ann, 1, &id, query, 1, NULL), ERNIE_OK);
        ck_assert_int_eq(ann_search(ann, query, 0, &id, &score, &n_found, NULL), ERNIE_OK);
        ck_assert_uint_eq(n_found, 0);
        ann_free(ann);
    }
    ann_free(NULL);
}
END_TEST

START_TEST(test_ids_are_any_that_are_not_negative)
{
    static const int64_t ids[] = { INT64_MAX, 0, 17, INT64_MAX - 1, 3 };
    const float vectors[] = { 1, 0, 0.8f, 0.6f, 0, 1, -0.6f, 0.8f, -1, 0 };

    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        struct ann *ann = new_index((enum ann_kind)kind, 5, 2, ids, vectors);
        int64_t found[5];
        float scores[5];
        size_t n;

        ck_assert_int_eq(ann_search(ann, vectors, 5, found, scores, &n, NULL), ERNIE_OK);
        ck_assert_uint_eq(n, 5);
        for (size_t i = 0; i < 5; i++) /* the vectors turn away from the first, one by one */
            ck_assert_int_eq(found[i], ids[i]);
        ann_free(ann);
    }
}
END_TEST

START_TEST(test_what_cannot_be_added_is_refused_and_changes_nothing)
{
    const float good[] = { 1, 0, 0, 1 };
    const float not_numbers[3][4] = { { 1, 0, NAN, 1 }, { 1, INFINITY, 0, 1 }, { -INFINITY, 0, 0, 1 } };
    const int64_t there[] = { 10, 20 };
    const int64_t wrong[][2] = { { 30, 20 }, { 10, 30 }, { 30, 30 }, { -1, 30 }, { 30, INT64_MIN } };
    const int64_t fresh[] = { 40, 5 };
    ernie_error err;

    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        struct ann *ann = new_index((enum ann_kind)kind, 2, 2, there, good);
        int64_t found[4];
        float scores[4];
        size_t n;

        for (size_t i = 0; i < 5; i++)
            ck_assert_int_eq(ann_add(ann, 2, wrong[i], good, 1, &err), ERNIE_EINVAL);
        for (size_t i = 0; i < 3; i++)
            ck_assert_int_eq(ann_add(ann, 2, fresh, not_numbers[i], 1, &err), ERNIE_EINVAL);
        ck_assert_uint_eq(ann_count(ann), 2);
        for (size_t i = 0; i < 3; i++) {
            const float query[] = { not_numbers[i][1], not_numbers[i][2] };

            if (!isfinite(query[0]) || !isfinite(query[1]))
                ck_assert_int_eq(ann_search(ann, query, 1, found, scores, &n, &err), ERNIE_EINVAL);
        }
        ck_assert_int_eq(ann_add(ann, 2, fresh, good, 1, &err), ERNIE_OK);
        ck_assert_int_eq(ann_search(ann, good, 9, found, scores, &n, NULL), ERNIE_OK);
        ck_assert_uint_eq(n, 4);
        ann_free(ann);
    }
}
END_TEST

START_TEST(test_unusable_dimensions_are_refused)
{
    static const size_t dims[] = { 0, 65537, SIZE_MAX };
    struct ann *ann = NULL;
    ernie_error err;

    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(ann_new(ANN_FLAT, dims[i], &ann, &err), ERNIE_EINVAL);
        ck_assert_int_eq(ann_new(ANN_HNSW, dims[i], &ann, &err), ERNIE_EINVAL);
    }
    ck_assert_ptr_null(ann);
}
END_TEST

START_TEST(test_kinds_have_names_and_grow_with_the_index)
{
    ck_assert_str_eq(ann_kind_name(ANN_FLAT), "flat");
    ck_assert_str_eq(ann_kind_name(ANN_HNSW), "hnsw");
    ck_assert_int_eq(ann_kind_for(0), ANN_FLAT);
    ck_assert_int_eq(ann_kind_for(10000), ANN_FLAT);
    ck_assert_int_eq(ann_kind_for(1000000), ANN_HNSW);
}
END_TEST

/* More copies than HNSW has links; the last bits of some differ, as they do when a
 * text is embedded in another batch. They come in two additions and a reload. */
START_TEST(test_equal_vectors_are_all_found_and_hide_no_other)
{
    enum { N = 4000, DIM = 16, COPIES = 1000 };
    float *vectors = random_vectors(N, DIM, 3);
    int64_t *ids = ids_from(0, N), found[COPIES];
    float scores[COPIES];
    struct ann *ann;
    size_t n, n_wrong = 0;

    for (size_t i = 0; i < COPIES; i++)
        for (size_t j = 0; j < DIM; j++)
            vectors[4 * i * DIM + j] = vectors[j] + (j == i % DIM ? 3e-8f : 0);
    ann = new_index(ANN_HNSW, N / 2, DIM, ids, vectors);
    ck_assert_int_eq(ann_add(ann, N / 2, ids + N / 2, vectors + N / 2 * DIM, 2, NULL), ERNIE_OK);

    ck_assert_int_eq(ann_search(ann, vectors, COPIES, found, scores, &n, NULL), ERNIE_OK);
    ck_assert_uint_eq(n, COPIES);
    for (size_t i = 0; i < COPIES; i++)
        ck_assert_int_eq(found[i] % 4, 0);
    for (size_t i = 1; i < N; i += 4) {
        ck_assert_int_eq(ann_search(ann, vectors + i * DIM, 1, found, scores, &n, NULL), ERNIE_OK);
        n_wrong += found[0] != (int64_t)i;
    }
    ck_assert_uint_eq(n_wrong, 0);
    ann_free(ann);
    free(ids);
    free(vectors);
}
END_TEST

START_TEST(test_distinct_tells_vectors_apart_by_a_step)
{
    struct distinct distinct = { .dim = 3 };
    const float a[] = { 0.5f, 0.25f, -0.5f }, b[] = { 0.5f, 0.2501f, -0.5f };
    const float c[] = { 0.5f, 0.2507f, -0.5f }, huge[] = { 1e30f, -1e30f, 0 };

    ck_assert_int_eq(distinct_number(&distinct, a), 0);
    ck_assert_int_eq(distinct_number(&distinct, c), 1);
    ck_assert_int_eq(distinct_number(&distinct, b), 0); /* 0.0001 is less than half a step */
    ck_assert_int_eq(distinct_number(&distinct, huge), 2);
    for (int i = 0; i < 5000; i++) { /* past several growths */
        const float v[] = { (float)i / 4096, 0, 1 };

        ck_assert_int_eq(distinct_number(&distinct, v), 3 + i);
    }
    ck_assert_int_eq(distinct_number(&distinct, c), 1);
    distinct_reset(&distinct);
}
END_TEST

/* ---- threads ----------------------------------------------------------- */

enum { N_SEARCHERS = 4, SEARCHED = 3000, SEARCHED_DIM = 32 };

struct searcher {
    const struct ann *ann;
    const float *queries; /* [100][SEARCHED_DIM] */
    int64_t ids[100][5];
    size_t n_threads;     /* of the process, after the last search */
    pthread_barrier_t *barrier;
};

static size_t count_entries(const char *directory)
{
    DIR *dir = opendir(directory);
    size_t n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2; /* . and .. */
}

static void *search_all(void *data)
{
    struct searcher *searcher = data;
    float scores[5];
    size_t n;

    for (size_t i = 0; i < 100; i++)
        if (ann_search(searcher->ann, searcher->queries + i * SEARCHED_DIM, 5, searcher->ids[i],
                       scores, &n, NULL) != ERNIE_OK)
            abort();
    pthread_barrier_wait(searcher->barrier);
    searcher->n_threads = count_entries("/proc/self/task");
    pthread_barrier_wait(searcher->barrier);
    return NULL;
}

START_TEST(test_threads_search_one_index_at_once)
{
    float *vectors = random_vectors(SEARCHED, SEARCHED_DIM, 4);
    float *queries = random_vectors(100, SEARCHED_DIM, 5);
    int64_t *ids = ids_from(1, SEARCHED);

    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        struct ann *ann = new_index((enum ann_kind)kind, SEARCHED, SEARCHED_DIM, ids, vectors);
        static struct searcher searchers[N_SEARCHERS];
        pthread_t threads[N_SEARCHERS];
        pthread_barrier_t barrier;

        pthread_barrier_init(&barrier, NULL, N_SEARCHERS);
        for (size_t i = 0; i < N_SEARCHERS; i++) {
            searchers[i] = (struct searcher){ .ann = ann, .queries = queries, .barrier = &barrier };
            ck_assert_int_eq(pthread_create(&threads[i], NULL, search_all, &searchers[i]), 0);
        }
        for (size_t i = 0; i < N_SEARCHERS; i++)
            pthread_join(threads[i], NULL);
        for (size_t i = 0; i < N_SEARCHERS; i++) {
            ck_assert_mem_eq(searchers[i].ids, searchers[0].ids, sizeof searchers[0].ids);
            /* Ours and the one that waits: FAISS starts none. */
            ck_assert_uint_eq(searchers[i].n_threads, N_SEARCHERS + 1);
        }
        pthread_barrier_destroy(&barrier);
        ann_free(ann);
    }
    free(ids);
    free(queries);
    free(vectors);
}
END_TEST

START_TEST(test_any_number_of_threads_builds_the_same_set)
{
    static const size_t n_threads[] = { 0, 1, 3, 100000 };
    float *vectors = random_vectors(1000, 8, 6);
    int64_t *ids = ids_from(1, 1000), found[1];
    float scores[1];
    size_t n;

    for (size_t t = 0; t < 4; t++) {
        struct ann *ann;

        ck_assert_int_eq(ann_new(ANN_HNSW, 8, &ann, NULL), ERNIE_OK);
        for (size_t i = 0; i < 1000; i += 250)
            ck_assert_int_eq(ann_add(ann, 250, ids + i, vectors + i * 8, n_threads[t], NULL),
                             ERNIE_OK);
        for (size_t i = 0; i < 1000; i++) {
            ck_assert_int_eq(ann_search(ann, vectors + i * 8, 1, found, scores, &n, NULL),
                             ERNIE_OK);
            ck_assert_int_eq(found[0], (int64_t)i + 1);
        }
        ann_free(ann);
    }
    free(ids);
    free(vectors);
}
END_TEST

/* ---- the file ---------------------------------------------------------- */

static char directory[64], path[80];

static void make_directory(void)
{
    strcpy(directory, "/tmp/check_ann.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/index", directory);
}

static void remove_directory(void)
{
    unlink(path);
    rmdir(directory);
}

static const struct ann_stamp small_stamp = {
    .database_uuid = "uuid of the base",
    .model_fingerprint = "print of a model",
    .dim = 4,
    .seq = UINT64_MAX - 5,
    .mark = 0x0123456789abcdef,
    .count = 9,
};

static struct ann *small_index(enum ann_kind kind)
{
    float *vectors = random_vectors(9, 4, 7);
    int64_t *ids = ids_from(INT64_MAX - 8, 9);
    struct ann *ann;

    memcpy(vectors + 8 * 4, vectors, 4 * sizeof *vectors); /* an equal pair */
    ann = new_index(kind, 9, 4, ids, vectors);
    free(ids);
    free(vectors);
    return ann;
}

static void save_small(enum ann_kind kind)
{
    struct ann *ann = small_index(kind);
    ernie_error err = { 0 };

    ck_assert_msg(ann_save(ann, &small_stamp, path, &err) == ERNIE_OK, "%s", err.message);
    ann_free(ann);
}

static uint8_t *read_all(const char *from, size_t *size)
{
    FILE *file = fopen(from, "rb");
    uint8_t *data = malloc(1 << 20);

    ck_assert_ptr_nonnull(file);
    *size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

static void write_all(const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* Refused as damaged, in one line, and before FAISS saw it: what FAISS says is
 * passed on with its name. */
static void check_refused(const char *what, size_t where)
{
    struct ann *ann = NULL;
    struct ann_stamp stamp;
    ernie_error err = { 0 };
    int status = ann_load(path, &ann, &stamp, &err);

    ck_assert_msg(status == ERNIE_EFORMAT, "%s at %zu: status %d", what, where, status);
    ck_assert_ptr_null(ann);
    ck_assert_msg(strncmp(err.message, path, strlen(path)) == 0, "%s", err.message);
    ck_assert_msg(strstr(err.message, "FAISS") == NULL, "%s", err.message);
}

START_TEST(test_a_saved_index_loads_as_it_was)
{
    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        enum { N = 2000, DIM = 20 };
        float *vectors = random_vectors(N, DIM, 8);
        int64_t *ids = ids_from(1, N), before[10], after[10];
        struct ann *ann = new_index((enum ann_kind)kind, N, DIM, ids, vectors), *loaded;
        struct ann_stamp stamp = small_stamp, read;
        float scores_before[10], scores_after[10];
        size_t n;

        stamp.dim = DIM;
        stamp.count = N;
        ck_assert_int_eq(ann_save(ann, &stamp, path, NULL), ERNIE_OK);
        ck_assert_int_eq(ann_load(path, &loaded, &read, NULL), ERNIE_OK);
        ck_assert_mem_eq(&stamp, &read, sizeof stamp);
        ck_assert_int_eq(ann_kind(loaded), kind);
        ck_assert_uint_eq(ann_count(loaded), N);
        ck_assert_uint_eq(ann_dim(loaded), DIM);
        for (size_t q = 0; q < N; q += 40) {
            ann_search(ann, vectors + q * DIM, 10, before, scores_before, &n, NULL);
            ann_search(loaded, vectors + q * DIM, 10, after, scores_after, &n, NULL);
            ck_assert_mem_eq(before, after, sizeof before);
            ck_assert_mem_eq(scores_before, scores_after, sizeof scores_before);
        }
        /* It still knows what is in it: the ids, and in HNSW the vectors. */
        ck_assert_int_eq(ann_add(loaded, 1, ids + 5, vectors, 1, NULL), ERNIE_EINVAL);
        ids[0] = N + 1;
        ck_assert_int_eq(ann_add(loaded, 1, ids, vectors + DIM, 1, NULL), ERNIE_OK);
        ck_assert_int_eq(ann_search(loaded, vectors + DIM, 2, after, scores_after, &n, NULL),
                         ERNIE_OK);
        ck_assert_int_eq(after[0] + after[1], 2 + N + 1);
        stamp.count = N + 1;
        ck_assert_int_eq(ann_save(loaded, &stamp, path, NULL), ERNIE_OK);
        ann_free(loaded);
        ck_assert_int_eq(ann_load(path, &loaded, &read, NULL), ERNIE_OK);
        ck_assert_uint_eq(ann_count(loaded), N + 1);
        ann_free(loaded);
        ann_free(ann);
        free(ids);
        free(vectors);
    }
}
END_TEST

START_TEST(test_an_empty_index_can_be_saved)
{
    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        struct ann_stamp stamp = { .dim = 6 }, read;
        struct ann *ann, *loaded;
        ernie_error err = { 0 };

        ck_assert_int_eq(ann_new((enum ann_kind)kind, 6, &ann, NULL), ERNIE_OK);
        ck_assert_int_eq(ann_save(ann, &stamp, path, NULL), ERNIE_OK);
        ck_assert_msg(ann_load(path, &loaded, &read, &err) == ERNIE_OK, "%s", err.message);
        ck_assert_uint_eq(ann_count(loaded), 0);
        ann_free(loaded);
        ann_free(ann);
    }
}
END_TEST

/* tests/data/index/make_flat.py put this file together without our code. */
START_TEST(test_the_layout_is_the_one_described)
{
    static const uint8_t uuid[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    const float vectors[] = { 1, 0, 0, 0, 0, 1, 0, 0, 0.6f, 0.8f, 0, 0 };
    const int64_t ids[] = { 7, 300, INT64_C(1) << 40 };
    const char *srcdir = getenv("srcdir");
    struct ann_stamp stamp;
    struct ann *ann;
    ernie_error err = { 0 };
    char made[4096];
    uint8_t *expected, *written;
    size_t n_expected, n_written, n;
    int64_t found[3];
    float scores[3];

    snprintf(made, sizeof made, "%s/tests/data/index/flat-3x4.ann", srcdir ? srcdir : ".");
    ck_assert_msg(ann_load(made, &ann, &stamp, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_mem_eq(stamp.database_uuid, uuid, 16);
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(stamp.model_fingerprint[i], 100 + i);
    ck_assert_uint_eq(stamp.dim, 4);
    ck_assert_uint_eq(stamp.seq, 0x1122334455667788);
    ck_assert_uint_eq(stamp.mark, 99);
    ck_assert_uint_eq(stamp.count, 3);
    ck_assert_int_eq(ann_search(ann, vectors + 4, 3, found, scores, &n, NULL), ERNIE_OK);
    ck_assert_int_eq(found[0], 300);
    ck_assert_int_eq(found[1], INT64_C(1) << 40);
    ck_assert_double_eq_tol(scores[1], 0.8, 1e-7);
    ann_free(ann);

    ann = new_index(ANN_FLAT, 3, 4, ids, vectors);
    ck_assert_int_eq(ann_save(ann, &stamp, path, NULL), ERNIE_OK);
    expected = read_all(made, &n_expected);
    written = read_all(path, &n_written);
    ck_assert_uint_eq(n_written, n_expected);
    ck_assert_mem_eq(written, expected, n_expected);
    free(expected);
    free(written);
    ann_free(ann);
}
END_TEST

START_TEST(test_every_changed_byte_is_noticed)
{
    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        uint8_t *data;
        size_t size;

        save_small((enum ann_kind)kind);
        data = read_all(path, &size);
        for (size_t i = 0; i < size; i++) {
            static const uint8_t changes[] = { 0x01, 0x80, 0xff };

            for (size_t j = 0; j < sizeof changes; j++) {
                data[i] ^= changes[j];
                write_all(data, size);
                check_refused("changed byte", i);
                data[i] ^= changes[j];
            }
        }
        free(data);
    }
}
END_TEST

START_TEST(test_every_other_length_is_noticed)
{
    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        uint8_t *data;
        size_t size;

        save_small((enum ann_kind)kind);
        data = read_all(path, &size);
        memset(data + size, 0, 64);
        for (size_t i = 0; i < size + 64; i++) {
            if (i == size)
                continue;
            write_all(data, i);
            check_refused("length", i);
        }
        free(data);
    }
}
END_TEST

/* Writes the file again with right checksums, as a program that lies would. */
static void write_signed(uint8_t *data, size_t size)
{
    struct hash hash = hash_of(data + 128, size - 128);
    uint64_t n = size - 128;

    for (int i = 0; i < 8; i++)
        data[80 + i] = (uint8_t)(n >> 8 * i);
    memcpy(data + 96, hash.bytes, 16);
    hash = hash_of(data, 112);
    memcpy(data + 112, hash.bytes, 16);
    write_all(data, size);
}

START_TEST(test_a_header_that_says_other_than_the_index_is_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
    } lies[] = { { 8, 2 },  { 12, 0 }, { 12, 1 }, { 12, 2 },    { 12, 3 },   { 48, 0 },   { 48, 3 },
                 { 48, 5 }, { 52, 1 }, { 72, 8 }, { 72, 10 }, { 72, 0 },   { 77, 1 },   { 79, 0xff } };

    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        struct ann *ann = NULL;
        struct ann_stamp stamp;
        ernie_error err;
        uint8_t *data, old;
        size_t size;

        save_small((enum ann_kind)kind);
        data = read_all(path, &size);
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            old = data[lies[i].at];
            if (old == lies[i].value)
                continue;
            data[lies[i].at] = lies[i].value;
            write_signed(data, size);
            ck_assert_msg(ann_load(path, &ann, &stamp, &err) == ERNIE_EFORMAT, "byte %zu = %d",
                          lies[i].at, lies[i].value);
            data[lies[i].at] = old;
        }
        memset(data + size, 0, 8);
        write_signed(data, size + 8);
        ck_assert_int_eq(ann_load(path, &ann, &stamp, &err), ERNIE_EFORMAT);
        data[128 + 7] |= 0x80; /* a negative id */
        write_signed(data, size);
        ck_assert_int_eq(ann_load(path, &ann, &stamp, &err), ERNIE_EFORMAT);
        data[128 + 7] &= 0x7f;
        if (kind == ANN_HNSW) {
            data[128 + 9 * 8] = 1; /* the first vector cannot have number 1 */
            write_signed(data, size);
            ck_assert_int_eq(ann_load(path, &ann, &stamp, &err), ERNIE_EFORMAT);
            data[128 + 9 * 8] = 0;
        }
        ck_assert_ptr_null(ann);
        write_signed(data, size);
        ck_assert_int_eq(ann_load(path, &ann, &stamp, &err), ERNIE_OK);
        ann_free(ann);
        free(data);
    }
}
END_TEST

START_TEST(test_what_is_no_file_is_refused)
{
    struct ann *ann = NULL;
    struct ann_stamp stamp;
    ernie_error err;
    int fd;

    ck_assert_int_eq(ann_load(path, &ann, &stamp, &err), ERNIE_ENOTFOUND);
    ck_assert_int_eq(ann_load(directory, &ann, &stamp, &err), ERNIE_EFORMAT);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(ann_load(path, &ann, &stamp, &err), ERNIE_EFORMAT);
    unlink(path);
    /* Larger than any memory, and refused by its first bytes. */
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(ftruncate(fd, INT64_C(1) << 42), 0);
    close(fd);
    ck_assert_int_eq(ann_load(path, &ann, &stamp, &err), ERNIE_EFORMAT);
    ck_assert_ptr_null(ann);
}
END_TEST

START_TEST(test_a_stamp_of_another_index_is_not_saved)
{
    struct ann *ann = small_index(ANN_FLAT);
    struct ann_stamp stamp = small_stamp;

    stamp.count--;
    ck_assert_int_eq(ann_save(ann, &stamp, path, NULL), ERNIE_EINVAL);
    stamp = small_stamp;
    stamp.dim++;
    ck_assert_int_eq(ann_save(ann, &stamp, path, NULL), ERNIE_EINVAL);
    ck_assert_int_eq(access(path, F_OK), -1);
    ann_free(ann);
}
END_TEST

/* ---- failing calls ----------------------------------------------------- */

static struct system_table real_system;
static int calls_left; /* the one that makes it 0 fails */

static int fails(void)
{
    if (--calls_left != 0)
        return 0;
    errno = ENOSPC;
    return 1;
}

static int failing_openat(int at, const char *name, int flags, mode_t mode)
{
    return fails() ? -1 : real_system.openat(at, name, flags, mode);
}

static int failing_close(int fd)
{
    int failed = fails();

    real_system.close(fd);
    return failed ? -1 : 0;
}

static ssize_t failing_read(int fd, void *out, size_t size)
{
    return fails() ? -1 : real_system.read(fd, out, size);
}

static ssize_t failing_write(int fd, const void *data, size_t size)
{
    return fails() ? -1 : real_system.write(fd, data, size);
}

static int failing_fstat(int fd, struct stat *out)
{
    return fails() ? -1 : real_system.fstat(fd, out);
}

static int failing_fsync(int fd)
{
    return fails() ? -1 : real_system.fsync(fd);
}

static int failing_rename(const char *from, const char *to)
{
    return fails() ? -1 : real_system.rename(from, to);
}

static ssize_t failing_getrandom(void *out, size_t size, unsigned flags)
{
    return fails() ? -1 : real_system.getrandom(out, size, flags);
}

static void let_system_fail(int call)
{
    real_system = system_table;
    calls_left = call;
    system_table.openat = failing_openat;
    system_table.close = failing_close;
    system_table.read = failing_read;
    system_table.write = failing_write;
    system_table.fstat = failing_fstat;
    system_table.fsync = failing_fsync;
    system_table.rename = failing_rename;
    system_table.getrandom = failing_getrandom;
}

START_TEST(test_a_save_that_fails_leaves_a_whole_file)
{
    struct ann *ann = small_index(ANN_HNSW);
    struct ann_stamp newer = small_stamp, read;
    int status, n_failed = 0;

    newer.seq++;
    for (int call = 1;; call++) {
        struct ann *loaded;
        int reached;

        save_small(ANN_FLAT);
        let_system_fail(call);
        status = ann_save(ann, &newer, path, NULL);
        reached = calls_left <= 0;
        system_table = real_system;
        if (!reached)
            break;
        n_failed += status != ERNIE_OK;
        ck_assert_uint_eq(count_entries(directory), 1); /* no temporary */
        ck_assert_int_eq(ann_load(path, &loaded, &read, NULL), ERNIE_OK);
        ck_assert(read.seq == small_stamp.seq || (read.seq == newer.seq));
        if (status == ERNIE_OK)
            ck_assert_uint_eq(read.seq, newer.seq);
        ann_free(loaded);
    }
    ck_assert_int_eq(status, ERNIE_OK);
    ck_assert_int_ge(n_failed, 6); /* random, open, write twice, fsync, rename at the least */
    ann_free(ann);
}
END_TEST

START_TEST(test_a_load_that_fails_says_so)
{
    int status, n_failed = 0;

    save_small(ANN_HNSW);
    for (int call = 1;; call++) {
        struct ann *ann = NULL;
        struct ann_stamp stamp;
        int reached;

        let_system_fail(call);
        status = ann_load(path, &ann, &stamp, NULL);
        reached = calls_left <= 0;
        system_table = real_system;
        ck_assert_int_eq(ann != NULL, status == ERNIE_OK);
        ann_free(ann);
        if (!reached)
            break;
        n_failed += status == ERNIE_EIO;
    }
    ck_assert_int_eq(status, ERNIE_OK);
    ck_assert_int_ge(n_failed, 5); /* open, fstat twice, read twice */
}
END_TEST

static int interrupted;

static ssize_t slow_read(int fd, void *out, size_t size)
{
    interrupted = !interrupted;
    if (interrupted) {
        errno = EINTR;
        return -1;
    }
    return real_system.read(fd, out, size < 7 ? size : 7);
}

START_TEST(test_short_and_interrupted_reads_go_on)
{
    struct ann *ann;
    struct ann_stamp stamp;

    save_small(ANN_HNSW);
    real_system = system_table;
    system_table.read = slow_read;
    ck_assert_int_eq(ann_load(path, &ann, &stamp, NULL), ERNIE_OK);
    system_table = real_system;
    ck_assert_uint_eq(ann_count(ann), 9);
    ann_free(ann);
}
END_TEST

static struct memory_table real_memory;
static int allocations_left;
static size_t largest;

static void *failing_resize(void *block, size_t size_bytes)
{
    if (size_bytes > largest)
        largest = size_bytes;
    if (size_bytes > 0 && --allocations_left == 0)
        return NULL;
    return real_memory.resize(block, size_bytes);
}

/* Everything once: a new index, two additions (the second out of order), a search
 * by graph and by scan, a save and a load with an addition after it. */
static int whole_life(enum ann_kind kind, const float *vectors, ernie_error *err)
{
    static const int64_t ids[] = { 1, 2, 3, 4, 5, 9, 8, 7, 6 };
    static const int64_t more[] = { 20 };
    struct ann *ann = NULL, *loaded = NULL;
    struct ann_stamp stamp;
    int64_t found[4];
    float scores[4];
    size_t n;
    int status = ann_new(kind, 4, &ann, err);

    if (status == ERNIE_OK)
        status = ann_add(ann, 5, ids, vectors, 1, err);
    if (status == ERNIE_OK)
        status = ann_add(ann, 4, ids + 5, vectors + 5 * 4, 1, err);
    if (status == ERNIE_OK)
        status = ann_search(ann, vectors, 4, found, scores, &n, err);
    if (status == ERNIE_OK)
        status = ann_save(ann, &small_stamp, path, err);
    if (status == ERNIE_OK)
        status = ann_load(path, &loaded, &stamp, err);
    if (status == ERNIE_OK)
        status = ann_add(loaded, 1, more, vectors, 1, err);
    ann_free(ann);
    ann_free(loaded);
    return status;
}

START_TEST(test_each_allocation_may_fail)
{
    float *vectors = random_vectors(9, 4, 9);

    real_memory = memory_table;
    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        int status, n_failed = 0;

        for (int i = 1;; i++) {
            ernie_error err = { 0 };

            allocations_left = i;
            memory_table.resize = failing_resize;
            status = whole_life((enum ann_kind)kind, vectors, &err);
            memory_table = real_memory;
            if (allocations_left > 0)
                break;
            n_failed++;
            ck_assert_msg(status == ERNIE_ENOMEM, "allocation %d: %d %s", i, status, err.message);
            ck_assert_str_ne(err.message, "");
            ck_assert_uint_le(count_entries(directory), 1); /* no temporary */
        }
        ck_assert_int_eq(status, ERNIE_OK);
        ck_assert_int_ge(n_failed, 8);
    }
    free(vectors);
}
END_TEST

START_TEST(test_a_huge_k_asks_for_little_memory)
{
    for (int kind = ANN_FLAT; kind <= ANN_HNSW; kind++) {
        struct ann *ann = small_index((enum ann_kind)kind);
        const float query[4] = { 1, 0, 0, 0 };
        int64_t ids[9]; /* room for min(k, count) is enough */
        float scores[9];
        size_t n;

        real_memory = memory_table;
        allocations_left = -1;
        largest = 0;
        memory_table.resize = failing_resize;
        ck_assert_int_eq(ann_search(ann, query, SIZE_MAX, ids, scores, &n, NULL), ERNIE_OK);
        memory_table = real_memory;
        ck_assert_uint_eq(n, 9);
        ck_assert_uint_lt(largest, 4096);
        ann_free(ann);
    }
}
END_TEST

static Suite *ann_suite(void)
{
    Suite *suite = suite_create("ann");
    TCase *search = tcase_create("search");
    TCase *file = tcase_create("file");

    tcase_set_timeout(search, 120);
    tcase_add_test(search, test_flat_equals_brute_force);
    tcase_add_test(search, test_hnsw_is_exact_when_much_is_wanted);
    tcase_add_test(search, test_hnsw_graph_equals_brute_force);
    tcase_add_test(search, test_an_empty_index_finds_nothing);
    tcase_add_test(search, test_ids_are_any_that_are_not_negative);
    tcase_add_test(search, test_what_cannot_be_added_is_refused_and_changes_nothing);
    tcase_add_test(search, test_unusable_dimensions_are_refused);
    tcase_add_test(search, test_kinds_have_names_and_grow_with_the_index);
    tcase_add_test(search, test_equal_vectors_are_all_found_and_hide_no_other);
    tcase_add_test(search, test_distinct_tells_vectors_apart_by_a_step);
    tcase_add_test(search, test_threads_search_one_index_at_once);
    tcase_add_test(search, test_any_number_of_threads_builds_the_same_set);
    suite_add_tcase(suite, search);

    tcase_set_timeout(file, 120);
    tcase_add_checked_fixture(file, make_directory, remove_directory);
    tcase_add_test(file, test_a_saved_index_loads_as_it_was);
    tcase_add_test(file, test_an_empty_index_can_be_saved);
    tcase_add_test(file, test_the_layout_is_the_one_described);
    tcase_add_test(file, test_every_changed_byte_is_noticed);
    tcase_add_test(file, test_every_other_length_is_noticed);
    tcase_add_test(file, test_a_header_that_says_other_than_the_index_is_refused);
    tcase_add_test(file, test_what_is_no_file_is_refused);
    tcase_add_test(file, test_a_stamp_of_another_index_is_not_saved);
    tcase_add_test(file, test_a_save_that_fails_leaves_a_whole_file);
    tcase_add_test(file, test_a_load_that_fails_says_so);
    tcase_add_test(file, test_short_and_interrupted_reads_go_on);
    tcase_add_test(file, test_each_allocation_may_fail);
    tcase_add_test(file, test_a_huge_k_asks_for_little_memory);
    suite_add_tcase(suite, file);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(ann_suite());
    int n_failed;

    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
