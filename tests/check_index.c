/* index/index: every kind against comparing with each vector in double precision. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "faults.h"
#include "index/index.h"
#include "suite.h"
#include "table.h"

static ernie_error err;

static void ok(int status)
{
    ck_assert_msg(status == ERNIE_OK, "%d: %s", status, err.message);
}

/* A vector without direction is no row of any order. */
static int has_direction(const struct table *table, size_t row)
{
    double square = 0;

    for (size_t i = 0; i < table->dim; i++)
        square += (double)table->vectors[row * table->dim + i] * table->vectors[row * table->dim + i];
    return isfinite(square) && square > 0;
}

static struct index *build(const char *setting, const struct table *table)
{
    struct index_plan plan;
    struct index_builder *builder;
    struct index *index;
    size_t n_wanted;

    ok(index_plan_for(setting, table->dim, table->n, &plan, &err));
    ok(index_builder_new(&plan, table->dim, table->n, 1, NULL, &builder, &err));
    n_wanted = index_builder_wants(builder);
    ck_assert_uint_le(n_wanted, table->n);
    if (n_wanted > 0)
        ok(index_builder_train(builder, n_wanted, table->vectors, &err));
    for (size_t i = 0; i < table->n; i++)
        ok(index_builder_add(builder, (int64_t)i + 1, table->vectors + i * table->dim, &err));
    ok(index_builder_finish(builder, &index, &err));
    index_builder_free(builder);
    return index;
}

static struct index_search *ask(struct index *index, struct table *table, const float *query)
{
    struct index_search *search;

    table->query = query;
    ok(index_search_new(index, query, table_score, table, &search, &err));
    return search;
}

/* ---- orders ------------------------------------------------------------ */

struct scored {
    double score;
    int64_t id;
};

static int compare_scored(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* All rows that are there, best first: out [table->n], how many they are. */
static size_t brute_force(const struct table *table, const float *query, struct scored *out)
{
    size_t n = 0;

    for (size_t i = 0; i < table->n; i++)
        if (!table->gone[i] && has_direction(table, i))
            out[n++] = (struct scored){ cosine(table->dim, query, table->vectors + i * table->dim),
                                        (int64_t)i + 1 };
    qsort(out, n, sizeof *out, compare_scored);
    return n;
}

/* The whole stream is the whole order. */
static void check_order(struct index *index, struct table *table, const float *query)
{
    struct scored *expected = malloc((table->n + 1) * sizeof *expected);
    struct index_search *search = ask(index, table, query);
    const size_t n = brute_force(table, query, expected);
    struct stream_hit hit;
    int found;

    for (size_t i = 0; i < n; i++) {
        ok(index_search_next(search, &hit, &found, &err));
        ck_assert_msg(found && hit.id == expected[i].id && hit.score == expected[i].score,
                      "hit %zu of %zu: %d: %lld %.17g, not %lld %.17g", i, n, found,
                      (long long)hit.id, hit.score, (long long)expected[i].id, expected[i].score);
    }
    for (int again = 0; again < 2; again++) {
        ok(index_search_next(search, &hit, &found, &err));
        ck_assert(!found);
    }
    index_search_free(search);
    free(expected);
}

/* The whole stream is every row once, in whatever order, each with its true score. */
static void check_all_once(struct index *index, struct table *table, const float *query)
{
    struct index_search *search = ask(index, table, query);
    char *seen = calloc(table->n + 1, 1);
    struct stream_hit hit;
    size_t n = 0, n_expected = 0;
    int found;

    for (size_t i = 0; i < table->n; i++)
        n_expected += !table->gone[i] && has_direction(table, i);
    for (;; n++) {
        ok(index_search_next(search, &hit, &found, &err));
        if (!found)
            break;
        ck_assert(hit.id >= 1 && hit.id <= (int64_t)table->n);
        ck_assert_msg(!seen[hit.id], "%lld twice", (long long)hit.id);
        ck_assert(!table->gone[hit.id - 1]);
        ck_assert_double_eq(hit.score, cosine(table->dim, query,
                                              table->vectors + (size_t)(hit.id - 1) * table->dim));
        seen[hit.id] = 1;
    }
    ck_assert_uint_eq(n, n_expected);
    index_search_free(search);
    free(seen);
}

/* The k-th greatest score of the rows there are. */
static double score_of_kth(const struct table *table, const float *query, size_t k)
{
    double best[16];
    size_t n = 0;

    for (size_t i = 0; i < table->n; i++) {
        const double score = cosine(table->dim, query, table->vectors + i * table->dim);
        size_t j = n;

        if (table->gone[i] || (n == k && score <= best[k - 1]))
            continue;
        n += n < k;
        for (j = n - 1; j > 0 && best[j - 1] < score; j--)
            best[j] = best[j - 1];
        best[j] = score;
    }
    return best[k - 1];
}

/* Of the k best of each query, the part that is among the first k of the stream. */
static double recall(struct index *index, struct table *table, const struct table *queries, size_t k)
{
    size_t n_right = 0;

    for (size_t q = 0; q < queries->n; q++) {
        const float *query = queries->vectors + q * table->dim;
        const double least = score_of_kth(table, query, k);
        struct index_search *search = ask(index, table, query);
        struct stream_hit hit;
        int found;

        for (size_t i = 0; i < k; i++) {
            ok(index_search_next(search, &hit, &found, &err));
            ck_assert(found);
            n_right += hit.score >= least; /* one as near as the k-th is as right */
        }
        index_search_free(search);
    }
    return (double)n_right / (double)(queries->n * k);
}

/* ---- flat -------------------------------------------------------------- */

/* Around the borders of segments, which end at 1024 (2^i - 1). */
START_TEST(test_flat_is_exact_for_every_number_of_vectors)
{
    static const size_t counts[] = { 0,    1,    2,    63,   64,   65,   1023, 1024, 1025,
                                     3071, 3072, 3073, 7167, 7168, 7169, 15361 };
    static const size_t dims[] = { 1, 3, 37, 384 };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const size_t dim = dims[i % 4];
        struct table table, queries;
        struct index *index;

        table_init(&table, counts[i], dim, (unsigned)i);
        table_init(&queries, 2, dim, 100 + (unsigned)i);
        index = build("flat", &table);
        ck_assert_str_eq(index_kind_name(index), "flat");
        ck_assert_uint_eq(index_count(index), table.n);
        ck_assert_uint_eq(index_recent(index), table.n);
        ck_assert_uint_eq(index_dim(index), dim);
        for (size_t q = 0; q < 2; q++)
            check_order(index, &table, queries.vectors + q * dim);
        if (table.n > 0)
            check_order(index, &table, table.vectors); /* a row itself */
        index_release(index);
        table_reset(&table);
        table_reset(&queries);
    }
}
END_TEST

START_TEST(test_flat_passes_over_rows_that_are_gone)
{
    struct table table, queries;
    struct index *index;

    table_init(&table, 5000, 24, 1);
    table_init(&queries, 3, 24, 2);
    index = build("flat", &table);
    for (size_t i = 0; i < table.n; i++)
        table.gone[i] = i % 3 != 0;
    for (size_t q = 0; q < 3; q++)
        check_order(index, &table, queries.vectors + q * 24);
    memset(table.gone, 1, table.n);
    check_order(index, &table, queries.vectors);
    index_release(index);
    table_reset(&table);
    table_reset(&queries);
}
END_TEST

/* Each with its own length; and vectors that have no direction lie between them. */
START_TEST(test_vectors_of_any_length_are_exact_and_those_of_none_are_left_out)
{
    enum { N = 2000, DIM = 10 };
    struct table table, queries;
    static const float lengths[] = { 1e-30f, 1, 1e30f, 3e-3f };

    table_init(&table, N, DIM, 3);
    table_init(&queries, 3, DIM, 4);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < DIM; j++)
            table.vectors[i * DIM + j] *= lengths[i % 4];
    for (size_t i = 0; i < N; i += 50) {
        memset(table.vectors + i * DIM, 0, DIM * sizeof(float));
        table.vectors[(i + 1) * DIM + 3] = NAN;
        table.vectors[(i + 2) * DIM + 9] = -INFINITY;
    }
    for (int kind = 0; kind < 3; kind++) {
        static const char *const settings[] = { "flat", "ivf", "hnsw" };
        struct index *index = build(settings[kind], &table);

        ck_assert_uint_eq(index_count(index), N - 3 * (N / 50));
        for (size_t q = 0; q < 3; q++) {
            if (kind == 0)
                check_order(index, &table, queries.vectors + q * DIM);
            check_all_once(index, &table, queries.vectors + q * DIM);
        }
        index_release(index);
    }
    table_reset(&table);
    table_reset(&queries);
}
END_TEST

START_TEST(test_a_query_without_direction_is_refused)
{
    const float none[3] = { 0 }, not_finite[3] = { 1, NAN, 0 }, infinite[3] = { INFINITY, 0, 0 };
    const float *const queries[] = { none, not_finite, infinite };
    struct index *index;
    struct index_search *search;

    ok(index_new(3, &index, &err));
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(index_search_new(index, queries[i], table_score, NULL, &search, &err),
                         ERNIE_EINVAL);
    index_release(index);
    ck_assert_int_eq(index_new(0, &index, &err), ERNIE_EINVAL);
    ck_assert_int_eq(index_new(65537, &index, &err), ERNIE_EINVAL);
    ck_assert_int_eq(index_new(SIZE_MAX, &index, &err), ERNIE_EINVAL);
    index_release(NULL);
    index_search_free(NULL);
    index_builder_free(NULL);
}
END_TEST

/* ---- every kind -------------------------------------------------------- */

enum { N_QUERIES = 20 };

static const struct {
    const char *setting, *name;
    size_t n, dim;
    double least; /* recall of ten */
} kinds[] = {
    { "auto", "flat", 9000, 32, 1 },
    { "", "flat", 9000, 32, 1 },
    { "flat", "flat", 9000, 32, 1 },
    { "ivf", "ivf", 30000, 32, 0.98 }, /* of which the first part is a quarter */
    { "ivf", "ivf", 20000, 128, 0.98 }, /* in 4 bits a number */
    { "hnsw", "HNSW32", 9000, 32, 0.98 },
    /* 4 sqrt(30000) lists; 4 parts of 8 numbers, each kept as a byte */
    { "ivfpq", "IVF692,PQ4", 30000, 32, 0.3 },
    { "IVF64,SQ8", "IVF64,SQ8", 9000, 32, 0.9 },
    { "PCA16,IVF64,Flat", "PCA16,IVF64,Flat", 9000, 32, 0.4 }, /* of half the numbers */
    { "Flat", "Flat", 9000, 32, 1 },
};

/* No kind leaves a vector out, however many are asked for; and what comes later is found
 * beside the base. */
START_TEST(test_every_kind_finds_what_is_near_and_each_vector_once)
{
    const size_t n = kinds[_i].n, dim = kinds[_i].dim;
    struct table table, queries;
    struct index *index;
    double found;

    table_init(&table, n + 1500, dim, 5);
    table_init(&queries, N_QUERIES, dim, 6);
    table.n = n;
    index = build(kinds[_i].setting, &table);
    ck_assert_str_eq(index_kind_name(index), kinds[_i].name);
    ck_assert_uint_eq(index_count(index), n);
    ck_assert_uint_gt(index_bytes(index), n * 4);
    found = recall(index, &table, &queries, 10);
    ck_assert_msg(found >= kinds[_i].least, "%s: recall %.4f", kinds[_i].setting, found);
    check_all_once(index, &table, queries.vectors);

    table.n = n + 1500;
    for (size_t i = n; i < table.n; i++)
        ok(index_add(index, (int64_t)i + 1, table.vectors + i * dim, &err));
    ck_assert_uint_eq(index_count(index), table.n);
    found = recall(index, &table, &queries, 10);
    ck_assert_msg(found >= kinds[_i].least, "%s: recall %.4f", kinds[_i].setting, found);
    for (size_t i = 0; i < table.n; i++)
        table.gone[i] = i % 7 < 5;
    found = recall(index, &table, &queries, 10);
    ck_assert_msg(found >= kinds[_i].least, "%s: recall %.4f among gone ones", kinds[_i].setting,
                  found);
    check_all_once(index, &table, queries.vectors);
    index_release(index);
    table_reset(&table);
    table_reset(&queries);
}
END_TEST

/* Boilerplate: half of the vectors are four, and the best of the rest is still found. */
START_TEST(test_equal_vectors_are_all_found_and_hide_no_other)
{
    enum { N = 6000, DIM = 16 };
    static const char *const settings[] = { "flat", "ivf", "hnsw", "IVF16,Flat" };
    struct table table;
    struct index *index;
    size_t n_found = 0;

    table_init(&table, N, DIM, 7);
    for (size_t i = 0; i < N; i += 2)
        memcpy(table.vectors + i * DIM, table.vectors + i % 8 * DIM, DIM * sizeof(float));
    index = build(settings[_i], &table);
    check_all_once(index, &table, table.vectors);
    for (size_t i = 1; i < N; i += 60) { /* odd: themselves */
        struct index_search *search = ask(index, &table, table.vectors + i * DIM);
        struct stream_hit hit;
        int found;

        ok(index_search_next(search, &hit, &found, &err));
        n_found += found && hit.id == (int64_t)i + 1;
        index_search_free(search);
    }
    ck_assert_uint_ge(n_found, N / 60 * 99 / 100);
    if (strcmp(settings[_i], "flat") == 0)
        check_order(index, &table, table.vectors);
    index_release(index);

    /* Nothing but copies. */
    for (size_t i = 1; i < N; i++)
        memcpy(table.vectors + i * DIM, table.vectors, DIM * sizeof(float));
    index = build(settings[_i], &table);
    check_all_once(index, &table, table.vectors);
    index_release(index);
    table_reset(&table);
}
END_TEST

START_TEST(test_few_vectors_serve_every_kind_that_can_be_made_of_them)
{
    static const char *const settings[] = { "auto", "flat", "ivf", "hnsw", "ivfpq", "SQ8" };

    for (size_t n = 0; n < 40; n += n < 3 ? 1 : 9)
        for (size_t i = 0; i < 6; i++) {
            struct table table, queries;
            struct index *index;

            table_init(&table, n, 8, 8);
            table_init(&queries, 1, 8, 9);
            index = build(settings[i], &table);
            check_order(index, &table, queries.vectors); /* so few are compared with each */
            index_release(index);
            table_reset(&table);
            table_reset(&queries);
        }
}
END_TEST

/* A base of vectors without direction alone is an index of none. */
START_TEST(test_a_base_may_turn_out_empty)
{
    static const char *const settings[] = { "flat", "ivf", "hnsw" };
    const float query[4] = { 1, 2, 3, 4 };

    for (size_t i = 0; i < 3; i++) {
        struct table table;
        struct index *index;

        table_init(&table, 10, 4, 10);
        memset(table.vectors, 0, 40 * sizeof(float));
        index = build(settings[i], &table);
        ck_assert_uint_eq(index_count(index), 0);
        check_all_once(index, &table, query);
        memcpy(table.vectors + 4, query, sizeof query);
        ok(index_add(index, 2, query, &err));
        check_order(index, &table, query);
        index_release(index);
        table_reset(&table);
    }
}
END_TEST

/* ---- which kind -------------------------------------------------------- */

START_TEST(test_a_setting_means_a_kind)
{
    static const struct {
        const char *setting;
        size_t n;
        const char *name;
    } cases[] = {
        { "auto", 0, "flat" },       { "auto", 200000, "flat" }, { "auto", 200001, "ivf" },
        { "", 1000000, "ivf" },      { "flat", 10000000, "flat" }, { "ivf", 1, "ivf" },
        { "ivf", 0, "flat" },        { "hnsw", 5, "HNSW32" },    { "hnsw", 0, "flat" },
        { "ivfpq", 1000, "flat" },   { "ivfpq", 1000000, "IVF4000,PQ48" },
        { "LSH", 0, "flat" },        { "LSH", 10, "LSH" },
    };
    struct index_plan plan;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ok(index_plan_for(cases[i].setting, 384, cases[i].n, &plan, &err));
        ck_assert_str_eq(index_plan_name(&plan), cases[i].name);
    }
    /* As many parts as divide the vector. */
    ok(index_plan_for("ivfpq", 100, 1000000, &plan, &err));
    ck_assert_str_eq(plan.description, "IVF4000,PQ10");
    ok(index_plan_for("ivfpq", 7, 1000000, &plan, &err));
    ck_assert_str_eq(plan.description, "IVF4000,PQ1");
}
END_TEST

START_TEST(test_a_string_that_is_no_kind_is_refused_in_faiss_s_words)
{
    static const char *const settings[] = { "Flatt", "IVF", "PQ7x", "auto ", "hnsw32" };
    struct index_builder *builder = NULL;
    struct index_plan plan;
    char long_one[200];

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        ok(index_plan_for(settings[i], 8, 100, &plan, &err));
        ck_assert_msg(index_builder_new(&plan, 8, 100, 1, NULL, &builder, &err) == ERNIE_EINVAL,
                      "%s", settings[i]);
        ck_assert_msg(strstr(err.message, "FAISS: ") != NULL, "%s", err.message);
        ck_assert_msg(strstr(err.message, settings[i]) != NULL, "%s", err.message);
    }
    memset(long_one, 'x', sizeof long_one);
    long_one[sizeof long_one - 1] = '\0';
    ck_assert_int_eq(index_plan_for(long_one, 8, 100, &plan, &err), ERNIE_EINVAL);
    ck_assert_msg(strstr(err.message, "too long") != NULL, "%s", err.message);
    long_one[ANN_DESCRIPTION_BYTES] = '\0';
    ck_assert_int_eq(index_plan_for(long_one, 8, 100, &plan, &err), ERNIE_EINVAL);
    long_one[ANN_DESCRIPTION_BYTES - 1] = '\0';
    ok(index_plan_for(long_one, 8, 100, &plan, &err));
    ck_assert_ptr_null(builder);
}
END_TEST

/* ---- building ---------------------------------------------------------- */

START_TEST(test_more_than_announced_is_refused)
{
    const struct index_plan plan = { INDEX_IVF, "" };
    const float vector[2] = { 1, 0 };
    struct index_builder *builder;

    ok(index_builder_new(&plan, 2, 2, 1, NULL, &builder, &err));
    ok(index_builder_add(builder, 1, vector, &err));
    ok(index_builder_add(builder, 2, vector, &err));
    ck_assert_int_eq(index_builder_add(builder, 3, vector, &err), ERNIE_EINVAL);
    index_builder_free(builder);
}
END_TEST

START_TEST(test_a_canceled_build_ends_so)
{
    static const char *const settings[] = { "ivf", "hnsw" };
    struct table table;
    atomic_int cancel;

    table_init(&table, 5000, 8, 11);
    for (size_t i = 0; i < 2; i++) {
        struct index_plan plan;
        struct index_builder *builder;
        struct index *index = NULL;
        int status = ERNIE_OK;

        atomic_init(&cancel, 0);
        ok(index_plan_for(settings[i], 8, 5000, &plan, &err));
        ok(index_builder_new(&plan, 8, 5000, 1, &cancel, &builder, &err));
        for (size_t j = 0; j < 5000 && status == ERNIE_OK; j++) {
            atomic_store(&cancel, j > 2000);
            status = index_builder_add(builder, (int64_t)j + 1, table.vectors + j * 8, &err);
        }
        if (status == ERNIE_OK)
            status = index_builder_finish(builder, &index, &err);
        ck_assert_int_eq(status, ERNIE_ECANCELED);
        ck_assert_ptr_null(index);
        index_builder_free(builder);
    }
    table_reset(&table);
}
END_TEST

/* Building and asking, with each allocation the first that fails: an error or the whole
 * answer, and nothing is lost. FAISS's own memory is not ours to fail. */
START_TEST(test_memory_that_runs_out_is_an_error)
{
    static const struct {
        const char *setting;
        size_t dim;
    } cases[] = { { "flat", 8 }, { "ivf", 8 }, { "ivf", 100 }, { "hnsw", 8 } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t dim = cases[i].dim;
        struct table table;
        int failed = 1;

        table_init(&table, 200, dim, 12);
        table.query = table.vectors;

        for (int k = 0; failed; k++) {
            struct index_plan plan;
            struct index_builder *builder = NULL;
            struct index *index = NULL;
            struct index_search *search = NULL;
            struct stream_hit hit;
            size_t n = 0;
            int found = 1, status;

            ok(index_plan_for(cases[i].setting, dim, table.n, &plan, &err));
            fail_allocations_from(k);
            status = index_builder_new(&plan, dim, table.n, 2, NULL, &builder, &err);
            for (size_t j = 0; j < table.n && status == ERNIE_OK; j++)
                status = index_builder_add(builder, (int64_t)j + 1, table.vectors + j * dim,
                                           &err);
            if (status == ERNIE_OK)
                status = index_builder_finish(builder, &index, &err);
            if (status == ERNIE_OK)
                status = index_search_new(index, table.vectors, table_score, &table, &search, &err);
            for (; status == ERNIE_OK && found; n += (size_t)found)
                status = index_search_next(search, &hit, &found, &err);
            index_search_free(search);
            index_release(index);
            index_builder_free(builder);
            failed = stop_failing() > k;
            ck_assert_int_eq(status, failed ? ERNIE_ENOMEM : ERNIE_OK);
            if (!failed)
                ck_assert_uint_eq(n, table.n);
        }
        table_reset(&table);
    }
}
END_TEST

/* ---- two indexes ------------------------------------------------------- */

/* Vectors that are in both, or replaced in the second, come once, with their row's score;
 * the other index may go away before the first hit. */
START_TEST(test_another_index_can_be_searched_too)
{
    enum { N = 3000, DIM = 12 };
    struct table table, old, queries;
    struct index *index, *other;

    table_init(&table, N, DIM, 13);
    table_init(&old, 2000, DIM, 14);
    table_init(&queries, 4, DIM, 15);
    memcpy(old.vectors, table.vectors, 1500 * DIM * sizeof(float)); /* 500 were replaced */
    index = build("flat", &old);
    ok(index_new(DIM, &other, &err));
    for (size_t i = 1400; i < N; i++)
        ok(index_add(other, (int64_t)i + 1, table.vectors + i * DIM, &err));
    for (size_t q = 0; q < 4; q++) {
        struct scored expected[N];
        struct index_search *search = ask(index, &table, queries.vectors + q * DIM);
        struct stream_hit hit;
        int found;

        ok(index_search_also(search, other, &err));
        if (q == 3)
            index_release(other);
        ck_assert_uint_eq(brute_force(&table, queries.vectors + q * DIM, expected), N);
        for (size_t i = 0; i < N; i++) {
            ok(index_search_next(search, &hit, &found, &err));
            ck_assert(found && hit.id == expected[i].id);
        }
        ok(index_search_next(search, &hit, &found, &err));
        ck_assert(!found);
        index_search_free(search);
    }
    index_release(index);
    table_reset(&table);
    table_reset(&old);
    table_reset(&queries);
}
END_TEST

/* ---- threads ----------------------------------------------------------- */

enum { GROWN = 20000, GROWN_DIM = 16, N_SEARCHERS = 4 };

struct searcher {
    int is_exact;
    struct index *index;
    struct table table; /* its own query */
    pthread_t thread;
    atomic_int *done;
    size_t n_searches;
    const char *wrong;
};

/* What was there when the search began is found, exactly as far as it goes. */
static void *search_while_it_grows(void *data)
{
    struct searcher *searcher = data;
    unsigned turn = 0;

    while (!atomic_load(searcher->done) || searcher->n_searches == 0) {
        const size_t n = index_count(searcher->index);
        struct index_search *search;
        struct stream_hit hit;
        double last = INFINITY;
        int found = 1;

        if (n == 0)
            continue;
        searcher->table.query =
            searcher->table.vectors + (size_t)(turn++ * 7919u) % n * GROWN_DIM;
        if (index_search_new(searcher->index, searcher->table.query, table_score,
                             &searcher->table, &search, NULL) != ERNIE_OK) {
            searcher->wrong = "no search";
            return NULL;
        }
        for (int i = 0; i < 20 && found; i++) {
            if (index_search_next(search, &hit, &found, NULL) != ERNIE_OK)
                searcher->wrong = "no next hit";
            if (!found)
                break;
            /* Lists bound nearly all scores, not all (codes_query_trust). */
            if (hit.score > last && searcher->is_exact)
                searcher->wrong = "not in order";
            if (i == 0 && hit.score < 1 - 1e-9)
                searcher->wrong = "what was there is not found";
            last = hit.score;
        }
        index_search_free(search);
        searcher->n_searches++;
    }
    return NULL;
}

START_TEST(test_threads_search_while_one_adds)
{
    static struct searcher searchers[N_SEARCHERS];
    struct table table;
    struct index *index;
    atomic_int done;

    atomic_init(&done, 0);
    table_init(&table, GROWN, GROWN_DIM, 16);
    table.n = 2000;
    index = build(_i == 0 ? "flat" : "ivf", &table);
    table.n = GROWN;
    for (size_t i = 0; i < N_SEARCHERS; i++) {
        searchers[i] = (struct searcher){ .index = index_use(index), .table = table,
                                          .done = &done, .is_exact = _i == 0 };
        ck_assert_int_eq(pthread_create(&searchers[i].thread, NULL, search_while_it_grows,
                                        &searchers[i]), 0);
    }
    for (size_t i = 2000; i < GROWN; i++)
        ok(index_add(index, (int64_t)i + 1, table.vectors + i * GROWN_DIM, &err));
    atomic_store(&done, 1);
    index_release(index);
    for (size_t i = 0; i < N_SEARCHERS; i++) {
        pthread_join(searchers[i].thread, NULL);
        ck_assert_msg(searchers[i].wrong == NULL, "%s", searchers[i].wrong);
        ck_assert_uint_gt(searchers[i].n_searches, 0);
        index_release(searchers[i].index);
    }
    table_reset(&table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("index");
    TCase *flat = tcase_create("flat"), *kind = tcase_create("kinds");
    TCase *building = tcase_create("building"), *threads = tcase_create("threads");

    tcase_add_test(flat, test_flat_is_exact_for_every_number_of_vectors);
    tcase_add_test(flat, test_flat_passes_over_rows_that_are_gone);
    tcase_add_test(flat, test_vectors_of_any_length_are_exact_and_those_of_none_are_left_out);
    tcase_add_test(flat, test_a_query_without_direction_is_refused);
    tcase_add_test(flat, test_another_index_can_be_searched_too);
    suite_add_tcase(suite, flat);
    tcase_add_loop_test(kind, test_every_kind_finds_what_is_near_and_each_vector_once, 0,
                        sizeof kinds / sizeof *kinds);
    tcase_add_loop_test(kind, test_equal_vectors_are_all_found_and_hide_no_other, 0, 4);
    tcase_add_test(kind, test_few_vectors_serve_every_kind_that_can_be_made_of_them);
    tcase_add_test(kind, test_a_base_may_turn_out_empty);
    tcase_add_test(kind, test_a_setting_means_a_kind);
    tcase_add_test(kind, test_a_string_that_is_no_kind_is_refused_in_faiss_s_words);
    suite_add_tcase(suite, kind);
    tcase_add_test(building, test_more_than_announced_is_refused);
    tcase_add_test(building, test_a_canceled_build_ends_so);
    tcase_add_test(building, test_memory_that_runs_out_is_an_error);
    suite_add_tcase(suite, building);
    tcase_add_loop_test(threads, test_threads_search_while_one_adds, 0, 2);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
