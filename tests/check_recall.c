/* index/recall, and how much HNSW finds: a floor under what index/README.md
 * measures. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/recall.h"

START_TEST(test_recall_counts_the_ids_found)
{
    static const int64_t exact[] = { 5, 1, 9, 4 }, found[] = { 4, 2, 5, 3 };

    ck_assert_double_eq(recall_of(4, exact, 4, found), 0.5);
    ck_assert_double_eq(recall_of(4, exact, 4, exact), 1.0);
    ck_assert_double_eq(recall_of(4, exact, 1, found), 0.25);
    ck_assert_double_eq(recall_of(4, exact, 0, NULL), 0.0);
    ck_assert_double_eq(recall_of(0, NULL, 4, found), 1.0);
}
END_TEST

/* The second index lacks the nearest vector of one query, and holds under another
 * id a vector as near as the first one's second. */
START_TEST(test_recall_measures_the_mean_and_the_worst)
{
    const float exact_vectors[] = { 1, 0, 0.8f, 0.6f, 0, 1 };
    const float other_vectors[] = { 0.8f, 0.6f, 0.8f, -0.6f, 0, 1 };
    const float queries[] = { 1, 0, 0, 1 };
    static const int64_t exact_ids[] = { 1, 2, 3 }, other_ids[] = { 2, 4, 3 };
    struct ann *exact, *other;
    struct recall recall;

    ann_new(ANN_FLAT, 2, &exact, NULL);
    ann_new(ANN_FLAT, 2, &other, NULL);
    ann_add(exact, 3, exact_ids, exact_vectors, 1, NULL);
    ann_add(other, 3, other_ids, other_vectors, 1, NULL);
    ck_assert_int_eq(recall_measure(other, exact, 2, queries, 1, &recall, NULL), ERNIE_OK);
    ck_assert_double_eq(recall.mean, 0.5);
    ck_assert_double_eq(recall.worst, 0.0);
    ck_assert_int_eq(recall_measure(other, exact, 2, queries, 2, &recall, NULL), ERNIE_OK);
    ck_assert_double_eq(recall.mean, 1.0); /* 0.8, 0.8 against 1, 0.8: both reach 0.8 */
    ck_assert_int_eq(recall_measure(exact, exact, 2, queries, 5, &recall, NULL), ERNIE_OK);
    ck_assert_double_eq(recall.worst, 1.0);
    ck_assert_int_eq(recall_measure(exact, exact, 0, NULL, 5, &recall, NULL), ERNIE_OK);
    ck_assert_double_eq(recall.mean, 1.0);
    ann_free(exact);
    ann_free(other);
}
END_TEST

/* ---- HNSW -------------------------------------------------------------- */

enum { N = 20000, N_QUERIES = 200, DIM = 384, TOPICS = 400, DEPTH = 24, K = 10 };

static uint64_t random_state = 20240601;

/* splitmix64 (Steele, Lea & Flood 2014), four uniform numbers summed: near enough
 * to a normal distribution, and the same on every machine. */
static float random_normal(void)
{
    float sum = 0;

    for (int i = 0; i < 4; i++) {
        uint64_t z = (random_state += 0x9e3779b97f4a7c15u);

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        sum += (float)((z ^ z >> 31) >> 40) / (float)(1 << 23) - 1;
    }
    return sum;
}

/* Texts as embeddings show them: topics, a few dozen directions in which texts of
 * all topics differ, and a little noise in every other. Length 1. */
static float *topic_vectors(size_t n)
{
    float *topics = malloc(TOPICS * DIM * sizeof *topics);
    float *directions = malloc(DEPTH * DIM * sizeof *directions);
    float *vectors = malloc(n * DIM * sizeof *vectors);

    ck_assert(topics != NULL && directions != NULL && vectors != NULL);
    for (size_t i = 0; i < TOPICS * DIM; i++)
        topics[i] = random_normal();
    for (size_t i = 0; i < DEPTH * DIM; i++)
        directions[i] = random_normal();
    for (size_t i = 0; i < n; i++) {
        const float *topic = topics + (size_t)(random_state % TOPICS) * DIM;
        float *vector = vectors + i * DIM;
        double norm = 0;

        for (size_t j = 0; j < DIM; j++)
            vector[j] = topic[j] + 0.3f * random_normal();
        for (size_t d = 0; d < DEPTH; d++) {
            float by = 0.3f * random_normal();

            for (size_t j = 0; j < DIM; j++)
                vector[j] += by * directions[d * DIM + j];
        }
        for (size_t j = 0; j < DIM; j++)
            norm += (double)vector[j] * vector[j];
        for (size_t j = 0; j < DIM; j++)
            vector[j] /= (float)sqrt(norm);
    }
    free(directions);
    free(topics);
    return vectors;
}

/* The K nearest by comparing with every vector, in double precision. */
static void brute_force(const float *vectors, const float *query, int64_t out[K])
{
    double scores[K];
    size_t n = 0;

    for (size_t i = 0; i < N; i++) {
        double score = 0;
        size_t at;

        for (size_t j = 0; j < DIM; j++)
            score += (double)vectors[i * DIM + j] * query[j];
        if (n == K && score <= scores[K - 1])
            continue;
        for (at = n < K ? n++ : K - 1; at > 0 && scores[at - 1] < score; at--) {
            scores[at] = scores[at - 1];
            out[at] = out[at - 1];
        }
        scores[at] = score;
        out[at] = (int64_t)i;
    }
}

START_TEST(test_hnsw_finds_98_of_100)
{
    float *vectors = topic_vectors(N + N_QUERIES), *queries = vectors + N * DIM;
    int64_t *ids = malloc(N * sizeof *ids);
    double sum = 0;
    struct ann *ann;

    for (size_t i = 0; i < N; i++)
        ids[i] = (int64_t)i;
    ck_assert_int_eq(ann_new(ANN_HNSW, DIM, &ann, NULL), ERNIE_OK);
    for (size_t i = 0; i < N; i += 4000) /* in batches, as a database does */
        ck_assert_int_eq(ann_add(ann, 4000, ids + i, vectors + i * DIM, 2, NULL), ERNIE_OK);
    for (size_t q = 0; q < N_QUERIES; q++) {
        int64_t exact[K], found[K];
        float scores[K];
        size_t n;

        brute_force(vectors, queries + q * DIM, exact);
        ck_assert_int_eq(ann_search(ann, queries + q * DIM, K, found, scores, &n, NULL), ERNIE_OK);
        sum += recall_of(K, exact, n, found);
    }
    ck_assert_msg(sum / N_QUERIES >= 0.98, "recall@%d is %.4f", K, sum / N_QUERIES);
    ann_free(ann);
    free(ids);
    free(vectors);
}
END_TEST

static Suite *recall_suite(void)
{
    Suite *suite = suite_create("recall");
    TCase *measure = tcase_create("recall");
    TCase *hnsw = tcase_create("hnsw");

    tcase_add_test(measure, test_recall_counts_the_ids_found);
    tcase_add_test(measure, test_recall_measures_the_mean_and_the_worst);
    suite_add_tcase(suite, measure);
    tcase_set_timeout(hnsw, 600);
    tcase_add_test(hnsw, test_hnsw_finds_98_of_100);
    suite_add_tcase(suite, hnsw);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(recall_suite());
    int n_failed;

    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
