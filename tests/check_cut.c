/* ernie_chunk and vectors in JSON: what ernie.h has for the SQL functions. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ernie.h"
#include "faults.h"
#include "suite.h"

static ernie_model *model;

static void open_default_model(void)
{
    ernie_error err;

    ck_assert_msg(ernie_model_open(NULL, &model, &err) == ERNIE_OK, "%s", err.message);
}

static void close_model(void)
{
    ernie_model_close(model);
}

/* A text of many sentences, to be freed. */
static char *long_text(void)
{
    static const char sentences[] = "深度学习推动AI进步。今天晚上吃什么？ Bread is baked in an oven. ";
    char *text = calloc(100, sizeof sentences);

    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < 100; i++)
        strcat(text, sentences);
    return text;
}

START_TEST(test_chunks_cover_the_text_in_order)
{
    char *text = long_text();
    struct ernie_chunks chunks;
    size_t covered = 0;

    ck_assert_int_eq(ernie_chunk(model, text, &chunks, NULL), ERNIE_OK);
    ck_assert_str_eq(chunks.text, text);
    ck_assert_uint_eq(chunks.size, strlen(text));
    ck_assert_uint_gt(chunks.n, 5);
    for (size_t i = 0; i < chunks.n; i++) {
        const struct ernie_chunk *chunk = &chunks.chunk[i];

        /* White space between chunks belongs to none. */
        ck_assert_uint_le(chunk->start, covered + 1);
        ck_assert_uint_gt(chunk->end, covered);
        ck_assert_uint_le(chunk->end, chunks.size);
        ck_assert_uint_le(chunk->n_tokens, 200);
        covered = chunk->end;
    }
    ck_assert_uint_ge(covered + 1, chunks.size);
    ernie_chunks_reset(&chunks);
    ernie_chunks_reset(&chunks);
    free(text);
}
END_TEST

START_TEST(test_chunks_of_what_is_not_utf8_are_of_its_replacement)
{
    struct ernie_chunks chunks;

    ck_assert_int_eq(ernie_chunk(model, "a\xff茶", &chunks, NULL), ERNIE_OK);
    ck_assert_str_eq(chunks.text, "a\xef\xbf\xbd茶");
    ck_assert_uint_eq(chunks.n, 1);
    ck_assert_uint_eq(chunks.chunk[0].end, 7);
    ernie_chunks_reset(&chunks);
    ck_assert_int_eq(ernie_chunk(model, " \n", &chunks, NULL), ERNIE_OK);
    ck_assert_uint_eq(chunks.n, 0);
    ernie_chunks_reset(&chunks);
    ck_assert_int_eq(ernie_chunk(model, NULL, &chunks, NULL), ERNIE_EINVAL);
}
END_TEST

START_TEST(test_chunks_without_memory)
{
    char *text = long_text();
    struct ernie_chunks chunks;
    ernie_error err;
    int status = ERNIE_ENOMEM;

    for (int k = 0; status != ERNIE_OK; k++) {
        fail_allocations_from(k);
        status = ernie_chunk(model, text, &chunks, &err);
        stop_failing();
        if (status != ERNIE_OK)
            ck_assert_int_eq(status, ERNIE_ENOMEM);
    }
    ernie_chunks_reset(&chunks);
    free(text);
}
END_TEST

START_TEST(test_vectors_come_back_from_json)
{
    static const float vector[] = { 1, -0.1f, 3.4028234e38f, 1e-45f, -0.0f };
    float *back;
    size_t dim;
    char *json;

    ck_assert_int_eq(ernie_vector_to_json(5, vector, &json, NULL), ERNIE_OK);
    ck_assert_int_eq(ernie_vector_from_json(json, &dim, &back, NULL), ERNIE_OK);
    ck_assert_uint_eq(dim, 5);
    ck_assert_mem_eq(back, vector, sizeof vector);
    ernie_free(back);
    ernie_free(json);
}
END_TEST

START_TEST(test_what_is_no_vector_is_refused)
{
    static const char *const texts[] = { "",       "[]",      "[1",     "[1,]", "{}",   "{\"a\":1}",
                                         "1",      "null",    "[null]", "[[1]]", "[\"1\"]",
                                         "[true]", "[1e39]",  "[1] 2",  "[NaN]", "[Infinity]",
                                         "[1e999]" };
    float *vector = NULL;
    size_t dim;
    ernie_error err;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ck_assert_msg(ernie_vector_from_json(texts[i], &dim, &vector, &err) == ERNIE_EFORMAT, "%s",
                      texts[i]);
        ck_assert_int_eq(strncmp(err.message, "vector: ", 8), 0);
    }
    ck_assert_int_eq(ernie_vector_from_json(NULL, &dim, &vector, NULL), ERNIE_EFORMAT);
    ck_assert_ptr_null(vector);
}
END_TEST

START_TEST(test_a_vector_from_json_without_memory)
{
    float *vector;
    size_t dim;
    int status = ERNIE_ENOMEM;

    for (int k = 0; status != ERNIE_OK; k++) {
        fail_allocations_from(k);
        status = ernie_vector_from_json("[1, 0.5]", &dim, &vector, NULL);
        stop_failing();
        if (status != ERNIE_OK)
            ck_assert_int_eq(status, ERNIE_ENOMEM);
    }
    ernie_free(vector);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cut");
    TCase *chunks = tcase_create("chunks"), *vectors = tcase_create("vectors");

    tcase_add_checked_fixture(chunks, open_default_model, close_model);
    tcase_add_test(chunks, test_chunks_cover_the_text_in_order);
    tcase_add_test(chunks, test_chunks_of_what_is_not_utf8_are_of_its_replacement);
    tcase_add_test(chunks, test_chunks_without_memory);
    tcase_add_test(vectors, test_vectors_come_back_from_json);
    tcase_add_test(vectors, test_what_is_no_vector_is_refused);
    tcase_add_test(vectors, test_a_vector_from_json_without_memory);
    suite_add_tcase(s, chunks);
    suite_add_tcase(s, vectors);
    return run_suite(s);
}
