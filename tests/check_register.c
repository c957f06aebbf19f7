/* Models that a host registers with the extension, and what SQL cannot do. */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static sqlite3 *connection;

static void open_connection(void)
{
    const char *builddir = getenv("builddir");
    char path[512], *message = NULL;

    snprintf(path, sizeof path, "%s/ernie.so", builddir != NULL ? builddir : ".");
    ck_assert_int_eq(sqlite3_open(":memory:", &connection), SQLITE_OK);
    ck_assert_int_eq(sqlite3_enable_load_extension(connection, 1), SQLITE_OK);
    ck_assert_msg(sqlite3_load_extension(connection, path, NULL, &message) == SQLITE_OK, "%s",
                  message);
    unsetenv("ERNIE_MODELS");
}

static void close_connection(void)
{
    ck_assert_int_eq(sqlite3_close(connection), SQLITE_OK);
}

/* The first column of the first row, or the error. */
static const char *answer(const char *sql, const char *directory)
{
    static char out[1000];
    sqlite3_stmt *statement;
    const char *text;

    if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) != SQLITE_OK)
        return sqlite3_errmsg(connection);
    if (directory != NULL)
        sqlite3_bind_pointer(statement, 1, (void *)(size_t)directory, "ernie-model-directory",
                             NULL);
    text = sqlite3_step(statement) == SQLITE_ROW
               ? (const char *)sqlite3_column_text(statement, 0)
               : sqlite3_errmsg(connection);
    snprintf(out, sizeof out, "%s", text != NULL ? text : "NULL");
    sqlite3_finalize(statement);
    return out;
}

static void check_answer(const char *sql, const char *directory, const char *part)
{
    const char *got = answer(sql, directory);

    ck_assert_msg(strstr(got, part) != NULL, "%s: %s, not %s", sql, got, part);
}

static const char *model_directory(const char *name)
{
    static char path[512];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/encoder%s%s", srcdir != NULL ? srcdir : ".",
             name[0] != '\0' ? "/" : "", name);
    return path;
}

START_TEST(test_a_registered_model_classifies)
{
    check_answer("SELECT ernie_model_register('topic', ?1)", model_directory("roformer-cls"),
                 "NULL");
    check_answer("SELECT ernie_classify('丂七', 'topic')", NULL, "{\"label\":\"tech \\\"news\\\"\"");
    check_answer("SELECT ernie_classify('丂七', 'topic') ->> '$.label'", NULL, "tech \"news\"");
    check_answer("SELECT ernie_classify('丂七', 'topic', '一')", NULL, "\"probabilities\":{");
    check_answer("SELECT ernie_classify(NULL, 'topic')", NULL, "NULL");
    check_answer("SELECT ernie_classify('丂七', NULL)", NULL, "must not be NULL");
    check_answer("SELECT ernie_rerank('丂七', '一', 'topic')", NULL, "is no cross-encoder");
    check_answer("SELECT ernie_model_register('best', ?1)", model_directory("xlmr-rerank"), "NULL");
    check_answer("SELECT typeof(ernie_rerank('丂七', '一', 'best'))", NULL, "real");
    /* The same again is fine, another directory is not. */
    check_answer("SELECT ernie_model_register('best', ?1)", model_directory("xlmr-rerank"), "NULL");
    check_answer("SELECT ernie_model_register('best', ?1)", model_directory("bert-cls"),
                 "another directory");
}
END_TEST

START_TEST(test_sql_names_no_path)
{
    static const char *const names[] = { "../bert-cls", "a/b", "/tmp", "..", ".", "" };
    char sql[200];

    setenv("ERNIE_MODELS", model_directory(""), 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(sql, sizeof sql, "SELECT ernie_classify('一', '%s')", names[i]);
        check_answer(sql, NULL, "not a plain name");
    }
    check_answer("SELECT ernie_model_register('x', '/tmp')", NULL, "binds as a pointer");
    check_answer("SELECT ernie_model_register('../x', ?1)", "/tmp", "not a plain name");
    sqlite3_exec(connection, "CREATE VIEW v AS SELECT ernie_classify('一', 'bert-cls')", NULL, NULL,
                 NULL);
    check_answer("SELECT * FROM v", NULL, "unsafe use of ernie_classify");
}
END_TEST

START_TEST(test_models_in_the_directory_of_the_environment)
{
    check_answer("SELECT ernie_classify('一', 'bert-cls')", NULL, "ERNIE_MODELS");
    setenv("ERNIE_MODELS", model_directory(""), 1);
    check_answer("SELECT ernie_classify('一', 'bert-cls')", NULL, "{\"label\":\"LABEL_");
    check_answer("SELECT ernie_classify('一', 'bert-cls')", NULL, "{\"label\":\"LABEL_");
    check_answer("SELECT ernie_classify('一', 'none')", NULL, "none/config.json: no such file");
    check_answer("SELECT ernie_classify('一', 'bert-f32')", NULL, "no head that classifies");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("register");
    TCase *t = tcase_create("register");

    tcase_add_checked_fixture(t, open_connection, close_connection);
    tcase_add_test(t, test_a_registered_model_classifies);
    tcase_add_test(t, test_sql_names_no_path);
    tcase_add_test(t, test_models_in_the_directory_of_the_environment);
    suite_add_tcase(s, t);
    return run_suite(s);
}
