/* The order of files, and the time that is left, in runs that are made up. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "pace.h"
#include "suite.h"

START_TEST(test_each_file_is_taken_once)
{
    for (size_t n = 0; n <= 700; n++) {
        char *taken = calloc(n + 1, 1);

        for (size_t i = 0; i < n; i++) {
            size_t at = pace_nth(i, n, pace_stride(n));

            ck_assert_uint_lt(at, n);
            ck_assert(!taken[at]);
            taken[at] = 1;
        }
        free(taken);
    }
}
END_TEST

START_TEST(test_few_files_are_taken_as_they_come)
{
    for (size_t n = 0; n <= 32; n++)
        for (size_t i = 0; i < n; i++)
            ck_assert_uint_eq(pace_nth(i, n, pace_stride(n)), i);
}
END_TEST

/* Any tenth of the files holds a tenth of each hundred neighbours, or nearly. */
START_TEST(test_what_is_done_is_spread_over_all)
{
    enum { N = 10000 };
    int in_block[N / 100] = { 0 };

    for (size_t i = 0; i < N / 10; i++)
        in_block[pace_nth(i, N, pace_stride(N)) / 100]++;
    for (size_t i = 0; i < N / 100; i++)
        ck_assert(in_block[i] >= 8 && in_block[i] <= 13);
}
END_TEST

/* A folder of three parts, as their names sort them: English pages, HTML of which a tenth is
 * text, and a Chinese book. Seconds that a file takes, for its bytes. */
enum { N_FILES = 100000 };

static double seconds_of(size_t file, uint64_t n_bytes)
{
    double text = (double)n_bytes, bytes_a_token = 4.5;

    if (file >= N_FILES / 2 && file < N_FILES * 7 / 10)
        text /= 10;
    else if (file >= N_FILES * 7 / 10)
        bytes_a_token = 2.6;
    return text / bytes_a_token / 30000 + 0.00005;
}

/* Few files are large, most are small: their sizes differ by a factor of a thousand. */
static uint64_t bytes_of(size_t file)
{
    uint64_t x = (file + 1) * 0x9e3779b97f4a7c15u;

    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return (uint64_t)(200 * exp(7 * pow((double)(x >> 11) / 9007199254740992.0, 3)));
}

/* The furthest that what is told is from what it turns out to be, after the first tenth, as a
 * part of it; the last hundredth aside. */
static double furthest(size_t stride)
{
    uint64_t total = 0, done = 0;
    double all = 0, elapsed = 0, worst = 0;

    for (size_t i = 0; i < N_FILES; i++) {
        total += bytes_of(i);
        all += seconds_of(i, bytes_of(i));
    }
    for (size_t i = 0; i < N_FILES; i++) {
        const size_t file = pace_nth(i, N_FILES, stride);
        double left, error;

        done += bytes_of(file);
        elapsed += seconds_of(file, bytes_of(file));
        if (elapsed < all / 10 || elapsed > all * 0.99)
            continue;
        left = pace_left_after(elapsed, done, total);
        error = fabs(left - (all - elapsed)) / (all - elapsed);
        worst = error > worst ? error : worst;
    }
    return worst;
}

START_TEST(test_what_is_left_is_known_after_a_tenth)
{
    ck_assert_double_lt(furthest(pace_stride(N_FILES)), 0.1);
    ck_assert_double_gt(furthest(1), 0.2); /* which is what the order is for */
}
END_TEST

START_TEST(test_nothing_is_told_too_early)
{
    struct pace pace = { 0 };

    ck_assert(isnan(pace_left(&pace, 1, 2)));
    pace_begin(&pace);
    ck_assert(isnan(pace_left(&pace, 1, 2)));
    ck_assert(isnan(pace_left_after(5, 0, 10)));
    ck_assert_double_eq(pace_left_after(5, 5, 10), 5);
    ck_assert_double_eq(pace_left_after(5, 12, 10), 0);
    ck_assert_double_eq(pace_left_after(5, 10, 10), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pace");
    TCase *tcase = tcase_create("pace");

    tcase_add_test(tcase, test_each_file_is_taken_once);
    tcase_add_test(tcase, test_few_files_are_taken_as_they_come);
    tcase_add_test(tcase, test_what_is_done_is_spread_over_all);
    tcase_add_test(tcase, test_what_is_left_is_known_after_a_tenth);
    tcase_add_test(tcase, test_nothing_is_told_too_early);
    suite_add_tcase(s, tcase);
    return run_suite(s);
}
