/* Plain formats (src/document/extract_*.c): what of a file is text, where it is cut, and what
 * it says of itself. */
#include <check.h>
#include <string.h>

#include "document/extract.h"
#include "document/metadata.h"
#include "faults.h"

static void extract_text(const char *name, const char *text, struct extract *out)
{
    ernie_error err;

    memset(out, 0, sizeof *out);
    ck_assert_msg(extract(name, (const uint8_t *)text, strlen(text), out, &err) == ERNIE_OK, "%s",
                  err.message);
}

/* ---- metadata ---- */

START_TEST(test_dates_as_people_write_them)
{
    static const struct {
        const char *text, *date; /* NULL: none */
    } cases[] = {
        { "2024-01-31", "2024-01-31" },
        { " 2024-1-3 behind it", "2024-01-03" },
        { "20240131", "2024-01-31" },
        { "2024/1/31 8:05", "2024-01-31T08:05:00" },
        { "2024\xe5\xb9\xb4" "1\xe6\x9c\x88" "31\xe6\x97\xa5", "2024-01-31" },
        { "2024-01-31T08:00:00Z", "2024-01-31T08:00:00Z" },
        { "2024-01-31T08:00:00.123+08:00", "2024-01-31T08:00:00+08:00" },
        { "2024-01-31 08:00:00 -0530", "2024-01-31T08:00:00-05:30" },
        { "Wed, 31 Jan 2024 08:00:00 +0800", "2024-01-31T08:00:00+08:00" },
        { "31 Jan 2024 08:00:00 GMT", "2024-01-31T08:00:00Z" },
        { "January 31, 2024", "2024-01-31" },
        { "Feb 29 2024", "2024-02-29" },
        { "2023-02-29", NULL },
        { "2024-13-01", NULL },
        { "2024", NULL },
        { "31.1.2024", NULL },
        { "yesterday", NULL },
        { "2024-01-31T25:00:00", "2024-01-31" },
        { "", NULL },
    };
    char date[32];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int found = metadata_date(cases[i].text, strlen(cases[i].text), date);

        ck_assert_msg(found == (cases[i].date != NULL), "%s", cases[i].text);
        if (found)
            ck_assert_str_eq(date, cases[i].date);
    }
}
END_TEST

START_TEST(test_what_documents_say_of_themselves)
{
    struct extract out;

    extract_text("a.html",
                 "<html lang='zh_CN'><head><META content='A &amp; B\n C' name=Author>"
                 "<meta property='article:published_time' content='2024-01-31T08:00:00Z'>"
                 "<meta name=author content=second></head><body lang=en>x",
                 &out);
    ck_assert_str_eq(out.author.data, "A & B C");
    ck_assert_str_eq(out.date, "2024-01-31T08:00:00Z");
    ck_assert_str_eq(out.language, "zh-CN");
    extract_reset(&out);

    extract_text("a.md",
                 "---\ntitle: 't'\nAuthor: \"\xe8\x8c\xb6\"\ndate: 2024-01-31\nlang: en\n---\nx\n",
                 &out);
    ck_assert_str_eq(out.title.data, "t");
    ck_assert_str_eq(out.author.data, "\xe8\x8c\xb6");
    ck_assert_str_eq(out.date, "2024-01-31");
    ck_assert_str_eq(out.language, "en");
    extract_reset(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("plain");
    TCase *metadata = tcase_create("metadata");
    SRunner *runner;
    int n_failed;

    tcase_add_test(metadata, test_dates_as_people_write_them);
    tcase_add_test(metadata, test_what_documents_say_of_themselves);
    suite_add_tcase(s, metadata);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed > 0;
}
