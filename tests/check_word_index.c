/* sql/word_index.c: the words of chunks stay with their rows, whoever changes those, and every
 * short run of Chinese in them is found. */
#include <check.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "faults.h"
#include "sql/store.h"
#include "suite.h"

#define DIM 4
#define MAX_LINES 128

static char folder[64], path[128];
static ernie_error err;

static void make_folder(void)
{
    strcpy(folder, "/tmp/check_word_index.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.db", folder);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void ok(int status)
{
    ck_assert_msg(status == ERNIE_OK, "%d: %s", status, err.message);
}

static struct store *open_store(enum store_mode mode)
{
    struct store *store = NULL;

    ok(store_open(path, mode, &store, &err));
    return store;
}

static int put_document(struct store *store, const char *name, const char *title, int64_t *id)
{
    struct store_document document = { .path = name, .title = title, .format = "text",
                                       .encoding = "UTF-8" };

    return store_document_put(store, &document, id, &err);
}

static int add_chunk(struct store *store, int64_t document_id, size_t ordinal,
                     const char *heading, const char *text, int64_t *id)
{
    struct store_chunk chunk = { .document_id = document_id, .ordinal = ordinal, .line = 1,
                                 .heading = heading, .text = text, .size = strlen(text),
                                 .embedding = (float[DIM]){ 1 }, .dim = DIM };

    return store_chunk_add(store, &chunk, id, &err);
}

/* A document of one chunk, which is returned. */
static int64_t add(struct store *store, const char *name, const char *title, const char *heading,
                   const char *text)
{
    int64_t document_id, chunk_id;

    ok(store_begin(store, &err));
    ok(put_document(store, name, title, &document_id));
    ok(add_chunk(store, document_id, 0, heading, text, &chunk_id));
    ok(store_commit(store, &err));
    return chunk_id;
}

/* What a query finds, best first, as "2,1". */
static const char *found(struct store *store, const char *query)
{
    static char ids[4096];
    struct word_hits hits;
    size_t size = 0;

    ids[0] = '\0';
    ok(store_words_search(store, query, strlen(query), &hits, &err));
    for (size_t i = 0; i < hits.n; i++) {
        ck_assert_double_gt(hits.hit[i].bm25, 0);
        size += (size_t)snprintf(ids + size, sizeof ids - size, "%s%lld", i > 0 ? "," : "",
                                 (long long)hits.hit[i].id);
        ck_assert_uint_lt(size, sizeof ids);
    }
    memory_free(hits.hit);
    return ids;
}

/* By a program without our tokenizer. */
static void stock(const char *sql)
{
    sqlite3 *connection;

    ck_assert_int_eq(sqlite3_open(path, &connection), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(connection, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(connection));
    sqlite3_close(connection);
}

static long long stock_number(const char *sql)
{
    sqlite3_stmt *statement;
    sqlite3 *connection;
    long long number;

    ck_assert_int_eq(sqlite3_open(path, &connection), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return number;
}

static char findings[4096];

static void note(void *data, const char *finding)
{
    (void)data;
    strncat(findings, finding, sizeof findings - strlen(findings) - 2);
    strcat(findings, "\n");
}

static void expect_findings(struct store *store, const char *words)
{
    size_t n;

    findings[0] = '\0';
    ok(store_check(store, DIM, note, NULL, &n, &err));
    if (words == NULL)
        ck_assert_msg(n == 0, "%s", findings);
    else
        ck_assert_msg(strstr(findings, words) != NULL, "no \"%s\" in: %s", words, findings);
}

/* ---- finding ---- */

START_TEST(test_title_heading_and_text_are_found)
{
    struct store *store = open_store(STORE_CREATE);
    int64_t a = add(store, "a", "值班手册", "第3章 › 數據庫恢復", "先停写入，再看日志 gen-itgc。");
    int64_t b = add(store, "b", "Backups", NULL, "Copy the database every night.");
    char expected[32];

    snprintf(expected, sizeof expected, "%lld", (long long)a);
    ck_assert_str_eq(found(store, "值班"), expected);
    ck_assert_str_eq(found(store, "数据库"), expected); /* simplified finds traditional */
    ck_assert_str_eq(found(store, "志"), expected);
    ck_assert_str_eq(found(store, "ITGC"), expected);
    snprintf(expected, sizeof expected, "%lld", (long long)b);
    ck_assert_str_eq(found(store, "backup copies"), expected);
    ck_assert_str_eq(found(store, "？！"), "");
    ck_assert_str_eq(found(store, "database -night"), "");
    expect_findings(store, NULL);
    store_close(store);
}
END_TEST

START_TEST(test_more_and_rarer_words_come_first)
{
    struct store *store = open_store(STORE_CREATE);

    add(store, "1", "", NULL, "tea and rice and bread");
    add(store, "2", "", NULL, "tea and coffee and bread");
    add(store, "3", "", NULL, "tea and salt and bread");
    add(store, "4", "", NULL, "water");
    ck_assert_str_eq(found(store, "tea coffee"), "2,1,3");
    store_close(store);
}
END_TEST

/* The characters of a line, n at a time. */
static size_t substring(const char *line, size_t from, size_t n, char *out)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        size_t bytes = 3;

        if ((unsigned char)line[from + size] < 0xe0)
            return 0; /* not Chinese */
        memcpy(out + size, line + from + size, bytes);
        size += bytes;
    }
    out[size] = '\0';
    return size;
}

START_TEST(test_every_run_of_one_to_three_characters_is_found_where_it_stands)
{
    struct store *store = open_store(STORE_CREATE);
    const char *srcdir = getenv("srcdir");
    char name[256], lines[MAX_LINES][512], run[16];
    int64_t document_id, ids[MAX_LINES];
    size_t n_lines = 0, n_asked = 0;
    FILE *file;

    snprintf(name, sizeof name, "%s/tests/data/words/sentences.txt", srcdir != NULL ? srcdir : ".");
    file = fopen(name, "r");
    ck_assert_ptr_nonnull(file);
    ok(store_begin(store, &err));
    ok(put_document(store, "book", "", &document_id));
    for (; n_lines < MAX_LINES && fgets(lines[n_lines], sizeof lines[0], file) != NULL; n_lines++)
        ok(add_chunk(store, document_id, n_lines, NULL, lines[n_lines], &ids[n_lines]));
    ok(store_commit(store, &err));
    fclose(file);
    ck_assert_uint_gt(n_lines, 50);
    for (size_t i = 0; i < n_lines; i++) {
        for (size_t at = 0; lines[i][at] != '\0'; at++) {
            for (size_t n = 1; n <= 3 && substring(lines[i], at, n, run) > 0; n++) {
                struct word_hits hits;
                size_t n_expected = 0, n_there = 0;

                /* Punctuation is no word, and takes 3 bytes as well: E3 80 and EF BC. */
                if (strstr(run, "\xe3\x80") != NULL || strstr(run, "\xef\xbc") != NULL)
                    continue;
                n_asked++;
                ok(store_words_search(store, run, strlen(run), &hits, &err));
                for (size_t j = 0; j < n_lines; j++) {
                    if (strstr(lines[j], run) == NULL)
                        continue;
                    n_expected++;
                    for (size_t k = 0; k < hits.n; k++)
                        n_there += hits.hit[k].id == ids[j];
                }
                ck_assert_msg(n_there == n_expected && hits.n == n_expected, "%s: %zu of %zu",
                              run, n_there, n_expected);
                memory_free(hits.hit);
            }
        }
    }
    ck_assert_uint_gt(n_asked, 2500);
    store_close(store);
}
END_TEST

/* ---- with the rows ---- */

START_TEST(test_words_come_and_go_with_their_chunks)
{
    struct store *store = open_store(STORE_CREATE);
    int64_t id, chunk_id;

    add(store, "a", "", NULL, "绿茶");
    ok(store_begin(store, &err));
    ok(put_document(store, "b", "", &id));
    ok(add_chunk(store, id, 0, NULL, "红茶", &chunk_id));
    ck_assert_str_eq(found(store, "红茶"), "2"); /* the transaction's own */
    store_rollback(store);
    ck_assert_str_eq(found(store, "红茶"), "");
    ck_assert_str_eq(found(store, "茶"), "1");
    /* Replaced: only what is new is found. */
    add(store, "a", "", NULL, "乌龙");
    ck_assert_str_eq(found(store, "绿茶"), "");
    ck_assert_str_eq(found(store, "乌龙"), "2");
    expect_findings(store, NULL);
    /* Half of a transaction: deleted, and the deletion rolled back. */
    ok(store_begin(store, &err));
    ok(store_document_delete(store, 1, &err));
    store_rollback(store);
    ck_assert_str_eq(found(store, "乌龙"), "2");
    ok(store_begin(store, &err));
    ok(store_document_delete(store, 1, &err));
    ok(store_commit(store, &err));
    ck_assert_str_eq(found(store, "乌龙"), "");
    expect_findings(store, NULL);
    ck_assert_int_eq(stock_number("SELECT count(*) FROM ernie_words_pending"), 0);
    store_close(store);
}
END_TEST

START_TEST(test_a_killed_writer_leaves_chunks_and_words_alike)
{
    struct store *store = open_store(STORE_CREATE);

    add(store, "a", "", NULL, "绿茶");
    store_close(store);
    for (int n = 0; n < 20; n++) {
        pid_t child = fork();

        if (child == 0) {
            store = open_store(STORE_WRITE);
            for (int i = 0;; i++) {
                char name[16];

                snprintf(name, sizeof name, "%d", i % 5);
                add(store, name, "题目", NULL, i % 2 == 0 ? "红茶和绿茶" : "龙井");
            }
        }
        usleep(20000 + (useconds_t)n * 5000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        store = open_store(STORE_READ);
        expect_findings(store, NULL);
        store_close(store);
    }
    ck_assert_int_gt(stock_number("SELECT count(*) FROM ernie_chunks"), 1);
}
END_TEST

START_TEST(test_a_program_without_the_tokenizer_may_delete_and_change)
{
    struct store *store = open_store(STORE_CREATE);

    add(store, "a", "茶经", "上卷", "绿茶");
    add(store, "b", "茶经", "下卷", "红茶");
    add(store, "c", "酒谱", NULL, "黄酒");
    store_close(store);
    stock("DELETE FROM ernie_documents WHERE path = 'a'");
    stock("UPDATE ernie_documents SET title = '茶谱' WHERE path = 'b'");
    stock("UPDATE ernie_documents SET title = '饮料' WHERE path = 'b'");
    stock("UPDATE ernie_chunks SET text = '白酒' WHERE id = 3");
    stock("DELETE FROM ernie_documents WHERE path = 'c'");
    stock("INSERT INTO ernie_chunks (document_id, ordinal, start_byte, end_byte, line, text)"
          " VALUES (2, 1, 0, 6, 1, '米酒'), (2, 2, 0, 6, 1, '咖啡')");
    stock("INSERT INTO ernie_embeddings SELECT id, vector, checksum FROM ernie_chunks,"
          " (SELECT vector, checksum FROM ernie_embeddings LIMIT 1) WHERE id > 3");
    stock("DELETE FROM ernie_chunks WHERE id = 5");
    ck_assert_int_eq(stock_number("SELECT count(*) FROM ernie_words_pending"), 5);
    store = open_store(STORE_WRITE);
    expect_findings(store, NULL);           /* what is pending is known to be */
    ck_assert_str_eq(found(store, "茶经"), "1,2"); /* until somebody writes */
    add(store, "d", "", NULL, "水");
    ck_assert_int_eq(stock_number("SELECT count(*) FROM ernie_words_pending"), 0);
    ck_assert_str_eq(found(store, "茶经"), "");
    ck_assert_str_eq(found(store, "饮料"), "4,2");
    ck_assert_str_eq(found(store, "酒"), "4");
    ck_assert_str_eq(found(store, "咖啡"), "");
    expect_findings(store, NULL);
    store_close(store);
    stock("VACUUM");
    store = open_store(STORE_READ);
    ck_assert_str_eq(found(store, "红茶"), "2");
    expect_findings(store, NULL);
    store_close(store);
}
END_TEST

/* ---- made again ---- */

START_TEST(test_words_that_are_missing_or_wrong_are_found_and_made_again)
{
    static const char *const cases[][2] = {
        { "DELETE FROM ernie_words_docsize WHERE id = 2", "chunk 2: its words are missing" },
        { "INSERT INTO ernie_words_docsize VALUES (9, x'000001')",
          "chunk 9: gone, but its words are there" },
        { "DELETE FROM ernie_words_data WHERE id > 10", "words: " },
        { "DROP TRIGGER ernie_chunks_update; UPDATE ernie_chunks SET text = '白酒' WHERE id = 2",
          "words: they are not those of the chunks" },
        { "INSERT INTO ernie_words_pending VALUES (1, '', '', '别的')", "words: " },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store *store = open_store(STORE_CREATE);

        add(store, "a", "", NULL, "绿茶");
        add(store, "b", "", NULL, "红茶");
        stock(cases[i][0]);
        expect_findings(store, cases[i][1]);
        store_close(store);
        store = open_store(STORE_READ); /* a reader finds the same, and writes nothing */
        expect_findings(store, cases[i][1]);
        store_close(store);
        store = open_store(STORE_WRITE);
        ok(store_begin(store, &err));
        ok(store_words_rebuild(store, &err));
        ok(store_commit(store, &err));
        expect_findings(store, NULL);
        ck_assert_str_eq(found(store, "绿茶"), "1");
        store_close(store);
        remove_folder();
        make_folder();
    }
}
END_TEST

START_TEST(test_a_collection_without_words_gets_them_from_the_first_writer)
{
    struct store *store = open_store(STORE_CREATE);
    struct word_hits hits;

    add(store, "a", "茶经", NULL, "绿茶");
    store_close(store);
    stock("PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'ernie_words';"
          "DROP TABLE IF EXISTS ernie_words_data; DROP TABLE ernie_words_idx;"
          "DROP TABLE ernie_words_docsize; DROP TABLE ernie_words_config");
    store = open_store(STORE_READ);
    ck_assert_int_ne(store_words_search(store, "茶", 3, &hits, &err), ERNIE_OK);
    ck_assert_msg(strstr(err.message, "`ernie rebuild`") != NULL, "%s", err.message);
    expect_findings(store, "words: not there");
    store_close(store);
    store = open_store(STORE_WRITE);
    ck_assert_str_eq(found(store, "茶经"), "1");
    expect_findings(store, NULL);
    store_close(store);
}
END_TEST

/* ---- memory ---- */

static int whole_life(void)
{
    struct store *store = NULL;
    struct word_hits hits;
    int64_t id, chunk_id;
    size_t n;
    int status = store_open(":memory:", STORE_CREATE, &store, &err);

    if (status != ERNIE_OK)
        return status;
    status = store_begin(store, &err);
    if (status == ERNIE_OK)
        status = put_document(store, "a", "茶经", &id);
    if (status == ERNIE_OK)
        status = add_chunk(store, id, 0, "上卷", "绿茶 tea", &chunk_id);
    if (status == ERNIE_OK)
        status = put_document(store, "a", "茶谱", &id);
    if (status == ERNIE_OK)
        status = add_chunk(store, id, 0, "上卷", "绿茶 tea", &chunk_id);
    if (status == ERNIE_OK)
        status = store_words_rebuild(store, &err);
    if (status == ERNIE_OK)
        status = store_commit(store, &err);
    else
        store_rollback(store);
    if (status == ERNIE_OK)
        status = store_words_search(store, "绿茶 \"tea\" -红", strlen("绿茶 \"tea\" -红"), &hits,
                                    &err);
    if (status == ERNIE_OK) {
        ck_assert_uint_eq(hits.n, 1);
        memory_free(hits.hit);
        status = store_check(store, DIM, NULL, NULL, &n, &err);
    }
    if (status == ERNIE_OK)
        ck_assert_uint_eq(n, 0);
    store_close(store);
    return status;
}

START_TEST(test_each_allocation_may_fail)
{
    int n_asked = 1;

    for (int i = 0; i < n_asked; i++) {
        int status;

        fail_allocations_from(i);
        status = whole_life();
        n_asked = stop_failing();
        ck_assert_msg(i >= n_asked ? status == ERNIE_OK : status == ERNIE_ENOMEM,
                      "allocation %d: %d %s", i, status, err.message);
    }
    ok(whole_life());
}
END_TEST

static Suite *suite(void)
{
    const struct {
        const char *name;
        const TTest *tests[8];
    } cases[] = {
        { "finding",
          { test_title_heading_and_text_are_found, test_more_and_rarer_words_come_first,
            test_every_run_of_one_to_three_characters_is_found_where_it_stands } },
        { "rows",
          { test_words_come_and_go_with_their_chunks,
            test_a_killed_writer_leaves_chunks_and_words_alike,
            test_a_program_without_the_tokenizer_may_delete_and_change } },
        { "rebuilding",
          { test_words_that_are_missing_or_wrong_are_found_and_made_again,
            test_a_collection_without_words_gets_them_from_the_first_writer } },
        { "memory", { test_each_allocation_may_fail } },
    };
    Suite *s = suite_create("word_index");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TCase *tcase = tcase_create(cases[i].name);

        tcase_add_checked_fixture(tcase, make_folder, remove_folder);
        for (size_t j = 0; j < 8 && cases[i].tests[j] != NULL; j++)
            tcase_add_test(tcase, cases[i].tests[j]);
        suite_add_tcase(s, tcase);
    }
    return s;
}

int main(void)
{
    return run_suite(suite());
}
