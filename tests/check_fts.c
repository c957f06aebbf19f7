/* The tokenizer in FTS5: what is found, beside looking through every sentence. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "faults.h"
#include "sql/fts_tokenizer.h"
#include "suite.h"
#include "words/match.h"

#define MAX_SENTENCES 100

static sqlite3 *open_memory(void)
{
    sqlite3 *connection;

    ck_assert_int_eq(sqlite3_open(":memory:", &connection), SQLITE_OK);
    ck_assert_int_eq(register_tokenizer(connection), SQLITE_OK);
    return connection;
}

static void run(sqlite3 *connection, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK)
        ck_abort_msg("%s: %s", sql, message);
}

static void insert(sqlite3 *connection, const char *text, size_t size)
{
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_prepare_v2(connection, "INSERT INTO t (x) VALUES (?1)", -1, &statement,
                                        NULL), SQLITE_OK);
    sqlite3_bind_text(statement, 1, text, (int)size, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
}

/* Row i is sentence i, from 1. */
static size_t insert_file(sqlite3 *connection, const char *name, char *sentences[MAX_SENTENCES])
{
    const char *srcdir = getenv("srcdir");
    char path[4096], *line = NULL;
    size_t n = 0, capacity = 0;
    ssize_t size;
    FILE *file;

    snprintf(path, sizeof path, "%s/tests/data/words/%s", srcdir != NULL ? srcdir : ".", name);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while ((size = getline(&line, &capacity, file)) > 0) {
        ck_assert_uint_lt(n, MAX_SENTENCES);
        line[size - 1] = '\0';
        insert(connection, line, (size_t)size - 1);
        sentences[n++] = strdup(line);
    }
    free(line);
    fclose(file);
    ck_assert_uint_gt(n, 50);
    return n;
}

/* Sets found[rowid - 1] for each row. SQLite's code. */
static int find(sqlite3 *connection, const char *expression, char found[MAX_SENTENCES])
{
    sqlite3_stmt *statement;
    int code;

    memset(found, 0, MAX_SENTENCES);
    ck_assert_int_eq(sqlite3_prepare_v2(connection,
                                        "SELECT rowid FROM t WHERE t MATCH ?1 ORDER BY rank", -1,
                                        &statement, NULL), SQLITE_OK);
    sqlite3_bind_text(statement, 1, expression, -1, SQLITE_STATIC);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        found[sqlite3_column_int(statement, 0) - 1] = 1;
    sqlite3_finalize(statement);
    return code;
}

/* What a person finds who types it. */
static void find_typed(sqlite3 *connection, const char *query, size_t size,
                       char found[MAX_SENTENCES])
{
    struct buffer expression = { 0 };
    char *text;

    match_append(&expression, query, size);
    text = buffer_take(&expression);
    if (find(connection, text, found) != SQLITE_DONE)
        ck_abort_msg("%s: %s", text, sqlite3_errmsg(connection));
    memory_free(text);
}

static int is_han(const char *text)
{
    size_t n;
    uint32_t c = utf8_decode(text, strlen(text), &n, NULL);

    return c >= 0x4e00 && c <= 0x9fff;
}

/* The bytes of n Chinese characters at the start of text; 0 when there are not so many. */
static size_t run_of(const char *text, int n)
{
    size_t size = 0;

    for (; n > 0; n--, size += 3) {
        if (text[size] == '\0' || !is_han(text + size))
            return 0;
    }
    return size;
}

/* Calls fn for each substring of n Chinese characters of each sentence. */
#define for_each_substring(sentences, n_sentences, n, substring)                             \
    for (size_t i_ = 0; i_ < n_sentences; i_++)                                              \
        for (const char *c_ = sentences[i_]; *c_ != '\0'; c_++)                              \
            if (((unsigned char)*c_ & 0xc0) != 0x80 && copy_run(substring, c_, n))

static int copy_run(char out[32], const char *text, int n)
{
    size_t size = run_of(text, n);

    memcpy(out, text, size);
    out[size] = '\0';
    return size > 0;
}

static void free_all(char *sentences[MAX_SENTENCES], size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(sentences[i]);
}

START_TEST(test_each_substring_is_found_where_it_stands)
{
    sqlite3 *connection = open_memory();
    char *sentences[MAX_SENTENCES], found[MAX_SENTENCES], substring[32], quoted[40];
    size_t n_sentences, n_asked = 0;

    run(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie')");
    n_sentences = insert_file(connection, "sentences.txt", sentences);
    for (int n = 1; n <= 5; n++) {
        for_each_substring(sentences, n_sentences, n, substring) {
            /* Longer ones in quotes: without, their pairs are enough. */
            snprintf(quoted, sizeof quoted, n <= 3 ? "%s" : "\"%s\"", substring);
            find_typed(connection, quoted, strlen(quoted), found);
            for (size_t row = 0; row < n_sentences; row++) {
                if ((strstr(sentences[row], substring) != NULL) != found[row])
                    ck_abort_msg("%s: %s %s", quoted, found[row] ? "found in" : "missed in",
                                 sentences[row]);
            }
            n_asked++;
        }
    }
    ck_assert_uint_gt(n_asked, 2000);
    free_all(sentences, n_sentences);
    sqlite3_close(connection);
}
END_TEST

/* Either way of writing finds both, where it stands in either. */
START_TEST(test_traditional_finds_simplified_and_the_reverse)
{
    sqlite3 *simplified = open_memory(), *traditional = open_memory();
    char *plain[MAX_SENTENCES], *full[MAX_SENTENCES], a[32], b[32];
    char found[MAX_SENTENCES], other[MAX_SENTENCES];
    size_t n_sentences;

    run(simplified, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie')");
    run(traditional, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie')");
    n_sentences = insert_file(simplified, "sentences.txt", plain);
    ck_assert_uint_eq(insert_file(traditional, "traditional.txt", full), n_sentences);
    for (size_t i = 0; i < n_sentences; i++) {
        ck_assert_uint_eq(strlen(plain[i]), strlen(full[i]));
        for (size_t at = 0; plain[i][at] != '\0'; at++) {
            if (((unsigned char)plain[i][at] & 0xc0) == 0x80 || !copy_run(a, plain[i] + at, 2) ||
                !copy_run(b, full[i] + at, 2))
                continue;
            find_typed(simplified, b, strlen(b), found);
            find_typed(simplified, a, strlen(a), other);
            ck_assert_msg(memcmp(found, other, MAX_SENTENCES) == 0, "%s and %s", a, b);
            ck_assert(found[i]);
            find_typed(traditional, a, strlen(a), other);
            ck_assert_mem_eq(found, other, MAX_SENTENCES);
        }
    }
    free_all(plain, n_sentences);
    free_all(full, n_sentences);
    sqlite3_close(simplified);
    sqlite3_close(traditional);
}
END_TEST

struct expected {
    const char *text, *query;
    int is_found;
};

static void assert_found(const struct expected *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sqlite3 *connection = open_memory();
        char found[MAX_SENTENCES];

        run(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie')");
        insert(connection, cases[i].text, strlen(cases[i].text));
        find_typed(connection, cases[i].query, strlen(cases[i].query), found);
        ck_assert_msg(found[0] == cases[i].is_found, "'%s' in '%s'", cases[i].query, cases[i].text);
        sqlite3_close(connection);
    }
}

START_TEST(test_mixed_text_and_identifiers_are_found)
{
    static const struct expected cases[] = {
        { "GitHub备份脚本", "备份", 1 },
        { "GitHub备份脚本", "github", 1 },
        { "GitHub备份脚本", "GITHUB", 1 },
        { "GitHub备份脚本", "\"GitHub备份脚本\"", 1 },
        { "备份GitHub上的东西", "\"备份GitHub\"", 1 },
        { "备份到GitHub上", "\"备份GitHub\"", 0 },
        { "重跑gen-itgc后", "gen-itgc", 1 },
        { "重跑gen-itgc后", "itgc", 1 },
        { "重跑gen-itgc后", "genitgc", 1 },
        { "重跑gen-itgc后", "\"itgc后\"", 1 },
        { "call getUserName()", "getUserName", 1 },
        { "call getUserName()", "getusername", 1 },
        { "call getUserName()", "get_user_name", 1 },
        { "call getUserName()", "username", 0 },
        { "call getUserName()", "\"user name\"", 1 },
        { "call getusername()", "getUserName", 1 },
        { "foo_bar-baz", "bar", 1 },
        { "foo_bar-baz", "foobarbaz", 1 },
        { "since v1.2.3 of it", "v1.2.3", 1 },
        { "since v1.2.4 of it", "v1.2.3", 0 },
        { "mail li.ming@example.org now", "li.ming@example.org", 1 },
        { "mail li.ming@example.org now", "example.org", 1 },
        { "/usr/share/doc/x.txt", "share/doc", 1 },
        { "Ｗｉｄｅ café", "wide CAFÉ", 1 },
        { "the runners were running", "\"runner was running\"", 0 },
        { "the runners were running", "\"runners were run\"", 1 },
        { "the runners were running", "runn*", 1 },
        { "configuration files", "configura*", 1 },
        { "configuration files", "configurb*", 0 },
        { "getUserName", "getUserN*", 1 },
        { "getUserName", "getusern*", 1 },
    };

    assert_found(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(test_operators_do_what_they_say)
{
    static const struct expected cases[] = {
        { "red tea", "tea green", 1 },
        { "red tea", "tea -red", 0 },
        { "red tea", "tea -green", 1 },
        { "red tea", "\"tea red\"", 0 },
        { "red tea", "\"red tea\" coffee", 1 },
        { "red tea", "\"green tea\" red", 0 },
        { "red tea", "\"red\" \"tea\"", 1 },
        { "red tea", "\"red\" \"pot\" tea", 0 },
        { "red tea", "-tea", 0 },
        { "喝绿茶不要用开水", "绿茶 -红茶", 1 },
        { "喝绿茶不要用开水", "绿茶 -开水", 0 },
        { "喝绿茶不要用开水", "怎样泡绿茶才好喝", 1 },
        { "喝绿茶不要用开水", "“怎样泡绿茶”", 0 },
    };

    assert_found(cases, sizeof cases / sizeof *cases);
}
END_TEST

START_TEST(test_phrases_rank_before_their_pairs)
{
    sqlite3 *connection = open_memory();
    sqlite3_stmt *statement;

    run(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie');"
                    "INSERT INTO t VALUES ('大桥在南京'), ('长江大桥是桥'), ('市长来了'), ('茶'), ('水')");
    ck_assert_int_eq(sqlite3_prepare_v2(connection,
                                        "SELECT rowid FROM t('\"长江大桥\" OR \"长江\" OR \"江大\" OR "
                                        "\"大桥\"') ORDER BY rank", -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(statement, 0), 2);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
}
END_TEST

static void assert_highlight(sqlite3 *connection, const char *query, const char *expected)
{
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_prepare_v2(connection,
                                        "SELECT highlight(t, 0, '[', ']') FROM t WHERE t MATCH ?1",
                                        -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_text(statement, 1, query, -1, SQLITE_STATIC);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), expected);
    sqlite3_finalize(statement);
}

START_TEST(test_highlights_are_the_text_that_was_found)
{
    sqlite3 *connection = open_memory();

    run(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie');"
                    "INSERT INTO t VALUES ('用GitHub備份腳本，Ｃafé’s getUserName 茶')");
    assert_highlight(connection, "备份", "用GitHub[備份]腳本，Ｃafé’s getUserName 茶");
    assert_highlight(connection, "份脚本", "用GitHub備[份腳本]，Ｃafé’s getUserName 茶");
    assert_highlight(connection, "\"GitHub备份\"", "用[GitHub備份]腳本，Ｃafé’s getUserName 茶");
    assert_highlight(connection, "cafe", "用GitHub備份腳本，[Ｃafé’s] getUserName 茶");
    assert_highlight(connection, "\"user name\"", "用GitHub備份腳本，Ｃafé’s get[UserName] 茶");
    assert_highlight(connection, "茶", "用GitHub備份腳本，Ｃafé’s getUserName [茶]");
    sqlite3_close(connection);
}
END_TEST

/* Strings of what FTS5 gives a meaning to, and of what it may choke on. */
START_TEST(test_any_query_is_one_that_fts5_reads)
{
    static const char *const atoms[] = {
        "\"", "“", "”", "＂", "(", ")", "-", "－", "+", "*", "^", ":", "{", "}", "x:", "NEAR", "AND",
        "OR", "NOT", "NEAR(a b, 3)", " ", "　", "\n", ",", ";", "'", "\\", "--", "/*", "茶", "人工智能",
        "word", "getUserName", "a-b", "1", "😀", "\xff", "\xe4\xba", "\xed\xa0\x80", "\x01", "\0", "%",
        "null", "rank", "t", "é", "ไทย", "-x*", "\"a\"*",
    };
    sqlite3 *connection = open_memory();
    char found[MAX_SENTENCES];
    unsigned state = 1;

    run(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie');"
                    "INSERT INTO t VALUES ('人工智能 word a b getUserName'), ('茶 null near rank')");
    for (int round = 0; round < 20000; round++) {
        struct buffer query = { 0 };
        int n;

        state = state * 1664525u + 1013904223u;
        n = 1 + (int)(state >> 16) % 12;
        for (; n > 0; n--) {
            const char *atom;

            state = state * 1664525u + 1013904223u;
            atom = atoms[(state >> 16) % (sizeof atoms / sizeof *atoms)];
            buffer_append(&query, atom, *atom == '\0' ? 1 : strlen(atom));
        }
        find_typed(connection, query.data, query.size, found);
        buffer_reset(&query);
    }
    sqlite3_close(connection);
}
END_TEST

START_TEST(test_the_longest_query_is_one_that_fts5_reads)
{
    static const char *const atoms[] = { "ab", "\"a b\" ", "-ab ", "a ", "人工智能", "a人b工 ", "a.", "aB" };
    sqlite3 *connection = open_memory();
    char found[MAX_SENTENCES];

    run(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie');"
                    "INSERT INTO t VALUES ('人工智能 ab a b c')");
    for (size_t i = 0; i < sizeof atoms / sizeof *atoms; i++) {
        struct buffer query = { 0 };

        while (query.size < 100000)
            buffer_append_text(&query, atoms[i]);
        find_typed(connection, query.data, query.size, found);
        buffer_reset(&query);
    }
    /* Many different ones. */
    for (int minus = 0; minus < 2; minus++) {
        struct buffer query = { 0 };

        buffer_append_text(&query, "ab ");
        for (int i = 0; i < 1000; i++)
            buffer_printf(&query, minus ? "-w%d \"ab\" " : "w%d ", i);
        find_typed(connection, query.data, query.size, found);
        ck_assert_int_eq(found[0], 1);
        buffer_reset(&query);
    }
    sqlite3_close(connection);
}
END_TEST

START_TEST(test_a_table_can_be_emptied_and_checked)
{
    sqlite3 *connection = open_memory();

    run(connection, "CREATE VIRTUAL TABLE t USING fts5(x, y, tokenize = 'ernie');"
                    "INSERT INTO t VALUES ('备份 running', NULL), ('', 'getUserName\xff'), (NULL, X'e4ba');"
                    "UPDATE t SET x = '脚本' WHERE rowid = 1;"
                    "INSERT INTO t(t) VALUES ('integrity-check');"
                    "INSERT INTO t(t) VALUES ('rebuild');"
                    "INSERT INTO t(t) VALUES ('integrity-check');"
                    "DELETE FROM t;"
                    "INSERT INTO t(t) VALUES ('integrity-check')");
    sqlite3_close(connection);
}
END_TEST

START_TEST(test_memory_running_out_is_said)
{
    sqlite3 *connection = open_memory();
    int code;

    fail_allocations_from(0);
    code = sqlite3_exec(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie')", NULL,
                        NULL, NULL);
    stop_failing();
    ck_assert_int_ne(code, SQLITE_OK);
    run(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie')");
    sqlite3_close(connection);
}
END_TEST

START_TEST(test_options_are_refused)
{
    sqlite3 *connection = open_memory();

    ck_assert_int_ne(sqlite3_exec(connection, "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'ernie 1')",
                                  NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(connection);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fts");
    TCase *tcase = tcase_create("fts");

    tcase_add_test(tcase, test_each_substring_is_found_where_it_stands);
    tcase_add_test(tcase, test_traditional_finds_simplified_and_the_reverse);
    tcase_add_test(tcase, test_mixed_text_and_identifiers_are_found);
    tcase_add_test(tcase, test_operators_do_what_they_say);
    tcase_add_test(tcase, test_phrases_rank_before_their_pairs);
    tcase_add_test(tcase, test_highlights_are_the_text_that_was_found);
    tcase_add_test(tcase, test_any_query_is_one_that_fts5_reads);
    tcase_add_test(tcase, test_the_longest_query_is_one_that_fts5_reads);
    tcase_add_test(tcase, test_a_table_can_be_emptied_and_checked);
    tcase_add_test(tcase, test_memory_running_out_is_said);
    tcase_add_test(tcase, test_options_are_refused);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
