/* src/fusion.c through ernie_search: the order is that of the scores, whatever k; both sides
 * say what they say alone. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "ernie.h"
#include "faults.h"
#include "fusion.h"
#include "suite.h"

static ernie_model *model;
static ernie_database *database;
static ernie_error err;

static void ok(int status)
{
    ck_assert_msg(status == ERNIE_OK, "%d: %s", status, err.message);
}

static const char *const words[] = { "数据库", "备份", "backup", "人工智能", "绿茶", "水温",
                                     "火车",   "晚点", "restore", "深度学习", "面包", "日志" };

/* 150 texts, each of two or three of the words, so that both sides have much to say. */
static void make_database(void)
{
    const char *srcdir = getenv("srcdir");
    char directory[256], name[16], text[256];

    snprintf(directory, sizeof directory, "%s/models/ernie-micro-zh-en", srcdir != NULL ? srcdir : ".");
    ok(ernie_model_open(directory, &model, &err));
    ok(ernie_open(":memory:", ERNIE_CREATE, model, &database, &err));
    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof name, "%d", i);
        snprintf(text, sizeof text, "第%d条：%s和%s%s。", i, words[i % 12], words[i / 12 % 12],
                 i % 3 == 0 ? "，还有日志" : "");
        ok(ernie_add_text(database, name, NULL, text, &err));
    }
}

static void close_database(void)
{
    ernie_close(database);
    ernie_model_close(model);
}

static struct ernie_hits *search(const char *query, enum ernie_search_mode mode, size_t k)
{
    struct ernie_search_options options = { .k = k, .mode = mode, .no_snippets = 1 };
    struct ernie_hits *hits = NULL;

    ok(ernie_search(database, query, &options, &hits, &err));
    return hits;
}

static const char *const queries[] = { "数据库备份", "how to restore a backup", "绿茶 水温",
                                       "火车晚点", "xyzzy", "日志" };
#define N_QUERIES (sizeof queries / sizeof queries[0])

static const struct ernie_hit *find(const struct ernie_hits *hits, int64_t chunk_id)
{
    for (size_t i = 0; i < hits->n; i++)
        if (hits->hit[i].chunk_id == chunk_id)
            return &hits->hit[i];
    return NULL;
}

START_TEST(test_fewer_hits_are_the_start_of_more)
{
    for (size_t q = 0; q < N_QUERIES; q++) {
        for (int mode = ERNIE_HYBRID; mode <= ERNIE_KEYWORD; mode++) {
            struct ernie_hits *all = search(queries[q], (enum ernie_search_mode)mode, 1000);

            ck_assert(mode == ERNIE_KEYWORD ? all->n <= 150 : all->n == 150);
            for (size_t i = 1; i < all->n; i++)
                ck_assert_double_ge(all->hit[i - 1].fused_score, all->hit[i].fused_score);
            for (size_t k = 1; k <= all->n; k += 37) {
                struct ernie_hits *some = search(queries[q], (enum ernie_search_mode)mode, k);

                ck_assert_uint_eq(some->n, k);
                for (size_t i = 0; i < k; i++)
                    ck_assert_int_eq(some->hit[i].chunk_id, all->hit[i].chunk_id);
                ernie_hits_free(some);
            }
            ernie_hits_free(all);
        }
    }
}
END_TEST

/* What each hit says of the two sides is what these say by themselves, and what it is ordered
 * by grows with both. */
START_TEST(test_hybrid_is_made_of_the_two_sides)
{
    for (size_t q = 0; q < N_QUERIES; q++) {
        struct ernie_hits *hybrid = search(queries[q], ERNIE_HYBRID, 1000);
        struct ernie_hits *vector = search(queries[q], ERNIE_VECTOR, 1000);
        struct ernie_hits *keyword = search(queries[q], ERNIE_KEYWORD, 1000);

        for (size_t i = 0; i < hybrid->n; i++) {
            const struct ernie_hit *hit = &hybrid->hit[i];
            const struct ernie_hit *v = find(vector, hit->chunk_id);
            const struct ernie_hit *k = find(keyword, hit->chunk_id);

            ck_assert_double_eq_tol(hit->score, v->score, 1e-12);
            ck_assert(hit->vector_rank == 0 || hit->vector_rank == v->rank);
            ck_assert_uint_eq(hit->keyword_rank, k != NULL ? k->rank : 0);
            ck_assert_double_eq_tol(hit->bm25, k != NULL ? k->bm25 : 0, 1e-12);
            for (size_t j = i + 1; j < hybrid->n; j++)
                ck_assert(hit->score >= hybrid->hit[j].score ||
                          hit->bm25 >= hybrid->hit[j].bm25 ||
                          hit->fused_score == hybrid->hit[j].fused_score);
        }
        if (keyword->n == 0) /* a silent side is left out */
            for (size_t i = 0; i < hybrid->n; i++)
                ck_assert_int_eq(hybrid->hit[i].chunk_id, vector->hit[i].chunk_id);
        ernie_hits_free(hybrid);
        ernie_hits_free(vector);
        ernie_hits_free(keyword);
    }
}
END_TEST

START_TEST(test_phrases_and_minus_words_hold_for_both_sides)
{
    struct ernie_hits *hits = search("备份 -日志 -backup", ERNIE_HYBRID, 1000), *with;

    with = search("日志 backup", ERNIE_KEYWORD, 1000);
    ck_assert_uint_eq(hits->n + with->n, 150);
    for (size_t i = 0; i < hits->n; i++)
        ck_assert_ptr_null(find(with, hits->hit[i].chunk_id));
    ernie_hits_free(hits);
    ernie_hits_free(with);
    hits = search("\"还有日志\" 数据库 -火车", ERNIE_HYBRID, 1000);
    with = search("\"还有日志\" -火车", ERNIE_KEYWORD, 1000);
    ck_assert_uint_gt(hits->n, 20);
    ck_assert_uint_eq(hits->n, with->n);
    for (size_t i = 0; i < hits->n; i++)
        ck_assert_ptr_nonnull(find(with, hits->hit[i].chunk_id));
    ernie_hits_free(hits);
    ernie_hits_free(with);
    hits = search("\"无此一句\"", ERNIE_HYBRID, 10);
    ck_assert_uint_eq(hits->n, 0);
    ernie_hits_free(hits);
}
END_TEST

/* Each allocation of a question fails, and all after it; after that the same question is
 * answered as before. */
static void check_allocations(const char *query, enum ernie_search_mode mode)
{
    const struct ernie_search_options options = { .k = 5, .mode = mode };
    struct ernie_hits *before = NULL, *hits = NULL;
    int status = ERNIE_ENOMEM;

    ok(ernie_search(database, query, &options, &before, &err));
    ck_assert_uint_gt(before->n, 0);
    for (int k = 0; status != ERNIE_OK; k++) {
        ck_assert_int_lt(k, 10000);
        fail_allocations_from(k);
        status = ernie_search(database, query, &options, &hits, &err);
        stop_failing();
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "mode %d, %d: %d: %s",
                      (int)mode, k, status, err.message);
    }
    ck_assert_uint_eq(hits->n, before->n);
    for (size_t i = 0; i < hits->n; i++) {
        ck_assert_int_eq(hits->hit[i].chunk_id, before->hit[i].chunk_id);
        ck_assert_str_eq(hits->hit[i].snippet, before->hit[i].snippet);
    }
    ernie_hits_free(hits);
    ernie_hits_free(before);
}

/* With words that filter, and a passage of several sentences whose snippet is chosen by its
 * words, and by meaning for a question with none of them. */
START_TEST(test_running_out_of_memory)
{
    static const char text[] =
        "船队在清晨离开港口，向南航行了整整三天三夜，途中只遇到过一次不大的风浪。船上的厨师每天为水手准备新鲜的"
        "鱼和热汤，大家都说他的手艺比家里的还要好。第四天傍晚他们看见了灯塔，那是一座建在礁石上的白色石塔。数据库备份"
        "写在航海日志的最后一页。";

    ok(ernie_add_text(database, "voyage", NULL, text, &err));
    for (int mode = ERNIE_HYBRID; mode <= ERNIE_KEYWORD; mode++)
        check_allocations("数据库备份 \"备份\" -restore", (enum ernie_search_mode)mode);
    check_allocations("lighthouse on a rock", ERNIE_HYBRID);
}
END_TEST

static int search_words(void *store, const char *query, size_t size, struct word_hits *out,
                        ernie_error *why)
{
    return store_words_search(store, query, size, out, why);
}

static int word_ids(void *store, const char *expression, size_t size, int64_t **ids, size_t *n,
                    ernie_error *why)
{
    return store_words_ids(store, expression, size, ids, n, why);
}

/* All candidates of a query: how many there are, and the ids in one number. */
static int fuse_all(enum ernie_search_mode mode, const char *query, const float *embedding,
                    size_t *n, uint64_t *sum)
{
    const struct fusion_words sides = { database->store, search_words, word_ids, NULL };
    struct fusion *fusion = NULL;
    struct candidate candidate;
    uint64_t seq;
    int found = 1, status = store_snapshot_begin(database->store, &seq, &err);

    *n = *sum = 0;
    if (status != ERNIE_OK)
        return status;
    status = fusion_begin(&database->nearest, &sides, model, mode, query, embedding, &fusion, &err);
    while (status == ERNIE_OK && found) {
        status = fusion_next(fusion, &candidate, &found, &err);
        if (status == ERNIE_OK && found)
            *sum = *sum * 31 + (uint64_t)candidate.chunk_id + ++*n;
    }
    fusion_end(fusion);
    store_snapshot_end(database->store);
    return status;
}

/* More candidates than there is room for at first, so that what holds them grows. */
START_TEST(test_each_allocation_of_the_fusion_may_fail)
{
    static const char query[] = "数据库备份 日志 -面包";
    float *embedding;

    ok(database_embed_query(database, query, &embedding, &err));
    for (int mode = ERNIE_HYBRID; mode <= ERNIE_KEYWORD; mode++) {
        size_t n_before, n;
        uint64_t before, sum;
        int k = 0, status;

        ok(fuse_all((enum ernie_search_mode)mode, query, embedding, &n_before, &before));
        ck_assert_uint_gt(n_before, 64);
        do {
            fail_allocations_from(k++);
            status = fuse_all((enum ernie_search_mode)mode, query, embedding, &n, &sum);
            stop_failing();
            ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%d: %s", status,
                          err.message);
        } while (status != ERNIE_OK);
        ck_assert_int_gt(k, 8);
        ck_assert_uint_eq(n, n_before);
        ck_assert_uint_eq(sum, before);
    }
    memory_free(embedding);
}
END_TEST

START_TEST(test_modes_that_are_none_are_refused)
{
    struct ernie_search_options options = { .mode = (enum ernie_search_mode)3 };
    struct ernie_hits *hits;

    ck_assert_int_eq(ernie_search(database, "x", &options, &hits, &err), ERNIE_EINVAL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fusion");
    TCase *tcase = tcase_create("fusion");

    tcase_add_checked_fixture(tcase, make_database, close_database);
    tcase_add_test(tcase, test_fewer_hits_are_the_start_of_more);
    tcase_add_test(tcase, test_hybrid_is_made_of_the_two_sides);
    tcase_add_test(tcase, test_phrases_and_minus_words_hold_for_both_sides);
    tcase_add_test(tcase, test_modes_that_are_none_are_refused);
    tcase_add_test(tcase, test_running_out_of_memory);
    tcase_add_test(tcase, test_each_allocation_of_the_fusion_may_fail);
    suite_add_tcase(s, tcase);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
