/* Exact neighbours by 8-bit scans, against comparing with every vector in double
 * precision. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "faults.h"
#include "index/codes.h"
#include "index/stream.h"
#include "suite.h"

#define MAX_DIM 400

static unsigned random_state;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (unsigned)((uint64_t)(random_state >> 8) * n >> 24);
}

static float random_number(void)
{
    return (float)random_below(1 << 20) / (1 << 19) - 1;
}

/* The rows, some of which are gone. */
struct table {
    size_t dim, n;
    float *vectors; /* [n][dim]; the id of a row is its number + 1 */
    char *gone;     /* [n] */
    const float *query;
    size_t n_asked;
};

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
    struct table *table = data;

    (void)err;
    table->n_asked++;
    *found = !table->gone[id - 1];
    *out = cosine(table->dim, table->query, table->vectors + (size_t)(id - 1) * table->dim);
    return ERNIE_OK;
}

/* Vectors of any length in clusters, as texts are, with copies among them. */
static void table_init(struct table *table, size_t dim, size_t n, unsigned percent_gone)
{
    float center[MAX_DIM];

    *table = (struct table){ .dim = dim, .n = n };
    table->vectors = malloc((n + 1) * dim * sizeof(float));
    table->gone = calloc(n + 1, 1);
    for (size_t i = 0; i < n; i++) {
        float *vector = table->vectors + i * dim;
        const float spread = 0.1f + 0.3f * (float)random_below(3);

        if (i % 16 == 0)
            for (size_t j = 0; j < dim; j++)
                center[j] = random_number();
        for (size_t j = 0; j < dim; j++)
            vector[j] = (center[j] + spread * random_number()) * (float)(1 + i % 3);
        if (i > 0 && random_below(10) == 0)
            memcpy(vector, table->vectors + random_below((unsigned)i) * dim, dim * sizeof *vector);
        table->gone[i] = random_below(100) < percent_gone;
    }
}

static void table_reset(struct table *table)
{
    free(table->vectors);
    free(table->gone);
}

static int compare_hits(const void *a, const void *b)
{
    const struct stream_hit *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* All rows there are, best first. */
static struct stream_hit *by_comparing(const struct table *table, size_t *n)
{
    struct stream_hit *hits = malloc((table->n + 1) * sizeof *hits);

    *n = 0;
    for (size_t i = 0; i < table->n; i++)
        if (!table->gone[i])
            hits[(*n)++] = (struct stream_hit){
                (int64_t)i + 1, cosine(table->dim, table->query, table->vectors + i * table->dim)
            };
    qsort(hits, *n, sizeof *hits, compare_hits);
    return hits;
}

static void codes_of(const struct table *table, unsigned bits, struct codes *codes)
{
    ck_assert_int_eq(codes_init(codes, table->dim, 8, table->n, NULL), ERNIE_OK);
    for (size_t i = 0; i < table->n; i++)
        ck_assert(codes_add(codes, (int64_t)i + 1, table->vectors + i * table->dim));
    if (bits == 4)
        ck_assert_int_eq(codes_narrow(codes, NULL), ERNIE_OK);
}

/* ---- codes ------------------------------------------------------------- */

/* What a cosine of vectors as tables have them may lie below its bound. */
static double room(unsigned bits)
{
    return bits == 8 ? 0.05 : 0.4;
}

/* The bounds of each slot by each kernel, for a few queries. */
static void check_bounds(const struct table *table, unsigned bits)
{
    const struct kernel *kernels[KERNEL_MAX];
    const size_t n_kernels = kernel_list(kernels);
    struct codes_query query;
    struct codes codes;
    float vector[MAX_DIM], *upper = malloc(table->n * sizeof *upper);

    codes_of(table, bits, &codes);
    for (int round = 0; round < 8; round++) {
        for (size_t j = 0; j < table->dim; j++)
            vector[j] = round < 4 ? table->vectors[(size_t)round * 100 * table->dim + j]
                                  : random_number() * 1e-6f;
        ck_assert_int_eq(codes_query_init(&query, table->dim, vector, NULL), ERNIE_OK);
        for (size_t k = 0; k < n_kernels; k++) {
            codes_bounds(&codes, 0, codes.n, &query, kernels[k], upper);
            for (size_t i = 0; i < table->n; i++) {
                double true_score = cosine(table->dim, vector, table->vectors + i * table->dim);

                ck_assert_double_ge((double)upper[i], true_score);
                /* and is of use */
                ck_assert_double_le((double)upper[i], true_score + room(bits));
            }
        }
        codes_query_reset(&query);
    }
    free(upper);
    codes_reset(&codes);
}

START_TEST(test_no_cosine_exceeds_its_bound)
{
    static const size_t dims[] = { 1, 2, 3, 7, 63, 64, 65, 128, 384 };
    struct table table;

    random_state = (unsigned)_i;
    table_init(&table, dims[_i], 1000, 0);
    check_bounds(&table, 8);
    check_bounds(&table, 4);
    table_reset(&table);
}
END_TEST

/* Three standard deviations of a normal distribution are exceeded once in 741 times. */
START_TEST(test_few_cosines_exceed_a_trusted_bound)
{
    static const unsigned bits[] = { 8, 4 };
    const size_t n_queries = 50;
    struct table table;

    random_state = 9;
    table_init(&table, 384, 1000, 0);
    for (int i = 0; i < 2; i++) {
        struct codes codes;
        float upper[1000];
        size_t n_above = 0;

        codes_of(&table, bits[i], &codes);
        for (size_t q = 0; q < n_queries; q++) {
            const float *vector = table.vectors + q * 19 * table.dim;
            struct codes_query query;

            ck_assert_int_eq(codes_query_init(&query, table.dim, vector, NULL), ERNIE_OK);
            codes_query_trust(&query, table.dim);
            codes_bounds(&codes, 0, codes.n, &query, kernel_pick(), upper);
            for (size_t j = 0; j < table.n; j++) {
                double score = cosine(table.dim, vector, table.vectors + j * table.dim);

                n_above += (double)upper[j] < score;
                ck_assert_double_le((double)upper[j], score + room(bits[i]) / 3);
            }
            codes_query_reset(&query);
        }
        ck_assert_msg(n_above <= n_queries * table.n / 400, "%u bits: %zu above", bits[i],
                      n_above);
        codes_reset(&codes);
    }
    table_reset(&table);
}
END_TEST

START_TEST(test_a_vector_without_direction_is_refused)
{
    const float zero[3] = { 0 }, infinite[3] = { 1, INFINITY, 0 }, nan[3] = { NAN, 1, 1 };
    const float *bad[] = { zero, infinite, nan };
    const float tiny[3] = { 1e-38f, 0, 0 }, huge[3] = { 3e38f, 3e38f, 0 };
    float out[3];
    struct codes_query query;
    struct codes codes;
    ernie_error err;

    ck_assert_int_eq(codes_init(&codes, 3, 8, 4, &err), ERNIE_OK);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(!codes_add(&codes, 1, bad[i]));
        ck_assert_int_eq(codes_query_init(&query, 3, bad[i], &err), ERNIE_EINVAL);
    }
    ck_assert_uint_eq(codes.n, 0);
    ck_assert(codes_add(&codes, 1, tiny));
    ck_assert(codes_add(&codes, 2, huge));
    codes_vector(&codes, 0, out);
    ck_assert_double_eq_tol((double)out[0], 1, 1e-6);
    codes_vector(&codes, 1, out);
    ck_assert_double_eq_tol((double)out[1], sqrt(0.5), 1e-6);
    codes_reset(&codes);
}
END_TEST

/* ---- streams ----------------------------------------------------------- */

/* Everything a stream gives, and how many rows were scored before the tenth hit. */
static size_t compare_stream(struct table *table, const struct codes *codes, size_t n_at_once)
{
    const struct kernel *kernel = kernel_pick();
    struct codes_query query;
    struct stream *stream;
    struct stream_hit hit, *expected;
    size_t n, first = 0, n_for_ten = 0;
    int found;

    expected = by_comparing(table, &n);
    ck_assert_int_eq(codes_query_init(&query, table->dim, table->query, NULL), ERNIE_OK);
    ck_assert_int_eq(stream_new(score, table, &stream, NULL), ERNIE_OK);
    for (; first < codes->n; first += n_at_once)
        ck_assert_int_eq(stream_add_codes(stream, codes, first,
                                          codes->n - first < n_at_once ? codes->n - first
                                                                       : n_at_once,
                                          &query, kernel, NULL),
                         ERNIE_OK);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(stream_next(stream, &hit, &found, NULL), ERNIE_OK);
        ck_assert(found);
        ck_assert_int_eq(hit.id, expected[i].id);
        ck_assert_double_eq(hit.score, expected[i].score);
        if (i == 9)
            n_for_ten = stream_n_scored(stream);
    }
    ck_assert_int_eq(stream_next(stream, &hit, &found, NULL), ERNIE_OK);
    ck_assert(!found);
    ck_assert_uint_eq(stream_n_candidates(stream), codes->n);
    stream_free(stream);
    codes_query_reset(&query);
    free(expected);
    return n_for_ten;
}

START_TEST(test_every_order_is_that_of_comparing_with_each)
{
    for (int round = 0; round < 200; round++) {
        struct table table;
        struct codes codes;
        float query[MAX_DIM];

        random_state = (unsigned)(round * 77 + 1);
        table_init(&table, 1 + random_below(80), random_below(round % 10 == 0 ? 5000 : 300),
                   (unsigned[]){ 0, 10, 90, 100 }[random_below(4)]);
        for (size_t j = 0; j < table.dim; j++)
            query[j] = random_number();
        table.query = query;
        codes_of(&table, round % 2 == 0 ? 8 : 4, &codes);
        compare_stream(&table, &codes, 1 + random_below(700));
        codes_reset(&codes);
        table_reset(&table);
    }
}
END_TEST

START_TEST(test_few_rows_are_scored)
{
    struct table table;
    struct codes codes;

    random_state = 5;
    table_init(&table, 384, 20000, 0);
    table.query = table.vectors + 777 * table.dim;
    codes_of(&table, 8, &codes);
    ck_assert_uint_le(compare_stream(&table, &codes, table.n), 200);
    codes_reset(&codes);
    table_reset(&table);
}
END_TEST

/* As an approximate index does it: some candidates without a bound, others later, some
 * of them again. */
START_TEST(test_candidates_may_come_later_and_twice)
{
    struct table table;
    struct codes codes;
    struct codes_query query;
    struct stream *stream;
    struct stream_hit hit, *expected;
    size_t n;
    int64_t first[] = { 500, 3, 90 };
    int found;

    random_state = 6;
    table_init(&table, 32, 1000, 20);
    table.query = table.vectors + 33 * table.dim;
    codes_of(&table, 8, &codes);
    expected = by_comparing(&table, &n);
    ck_assert_int_eq(codes_query_init(&query, 32, table.query, NULL), ERNIE_OK);
    ck_assert_int_eq(stream_new(score, &table, &stream, NULL), ERNIE_OK);
    ck_assert_int_eq(stream_next(stream, &hit, &found, NULL), ERNIE_OK);
    ck_assert(!found);
    ck_assert_int_eq(stream_add_ids(stream, 3, first, NULL), ERNIE_OK);
    ck_assert_int_eq(stream_add_codes(stream, &codes, 0, 400, &query, kernel_pick(), NULL),
                     ERNIE_OK);
    ck_assert_int_eq(stream_next(stream, &hit, &found, NULL), ERNIE_OK);
    ck_assert(found);
    ck_assert_int_eq(hit.id, expected[0].id);
    ck_assert_int_eq(stream_add_codes(stream, &codes, 300, 700, &query, kernel_pick(), NULL),
                     ERNIE_OK);
    for (size_t i = 1; i < n; i++) {
        ck_assert_int_eq(stream_next(stream, &hit, &found, NULL), ERNIE_OK);
        ck_assert(found);
        ck_assert_int_eq(hit.id, expected[i].id);
    }
    ck_assert_int_eq(stream_next(stream, &hit, &found, NULL), ERNIE_OK);
    ck_assert(!found);
    stream_free(stream);
    codes_query_reset(&query);
    free(expected);
    codes_reset(&codes);
    table_reset(&table);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stream");
    TCase *codes = tcase_create("codes"), *streams = tcase_create("streams");

    tcase_add_loop_test(codes, test_no_cosine_exceeds_its_bound, 0, 9);
    tcase_add_test(codes, test_few_cosines_exceed_a_trusted_bound);
    tcase_add_test(codes, test_a_vector_without_direction_is_refused);
    suite_add_tcase(s, codes);
    tcase_add_test(streams, test_every_order_is_that_of_comparing_with_each);
    tcase_add_test(streams, test_few_rows_are_scored);
    tcase_add_test(streams, test_candidates_may_come_later_and_twice);
    suite_add_tcase(s, streams);
    return run_suite(s);
}
