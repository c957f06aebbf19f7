/* Files in, hits out: the stages together, through ernie.h and the default model. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ernie.h"
#include "folder.h"
#include "suite.h"

static ernie_model *model;
static char docs[80];
static ernie_error err;

static void open_default_model(void)
{
    ck_assert_msg(ernie_model_open(NULL, &model, &err) == ERNIE_OK, "%s", err.message);
}

static void close_model(void)
{
    ernie_model_close(model);
}

static void make_folder(void)
{
    folder_make("check_database");
    snprintf(docs, sizeof docs, "%s/docs", folder);
    run("mkdir %s", docs);
}

static void remove_folder(void)
{
    run("chmod -R u+w %s && rm -rf %s", folder, folder);
}

static ernie_database *open_database(const char *name, unsigned mode)
{
    ernie_database *database = NULL;

    ck_assert_msg(ernie_open(in(name), mode, model, &database, &err) == ERNIE_OK, "%s",
                  err.message);
    return database;
}

static struct ernie_index_report index_folder(ernie_database *database, const char *name)
{
    const char *paths[] = { in(name) };
    struct ernie_index_report report;

    ck_assert_msg(ernie_index(database, 1, paths, NULL, &report, &err) == ERNIE_OK, "%s",
                  err.message);
    return report;
}

/* The file name of the best hit, or "" when there is none. */
static const char *best(ernie_database *database, const char *query)
{
    static char name[256];
    struct ernie_hits *hits;

    ck_assert_msg(ernie_search(database, query, NULL, &hits, &err) == ERNIE_OK, "%s",
                  err.message);
    name[0] = '\0';
    if (hits->n > 0) {
        const char *slash = strrchr(hits->hit[0].path, '/');

        snprintf(name, sizeof name, "%s", slash != NULL ? slash + 1 : hits->hit[0].path);
    }
    ernie_hits_free(hits);
    return name;
}

static void write_three(void)
{
    write_file("docs/tea.md", "# 泡茶\n\n绿茶怕烫，水温八十度左右最好。\n");
    write_file("docs/bread.txt", "Knead the dough, let it rise, then bake it in a hot oven.\n");
    write_file("docs/ai.txt", "深度学习让计算机从大量数据中学会识别图像和语音。\n");
}

/* ---- indexing ---- */

START_TEST(test_index_then_search_finds_by_meaning_across_languages)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;

    write_three();
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 3);
    ck_assert_uint_eq(report.n_chunks, 3);
    ck_assert_str_eq(best(database, "人工智能"), "ai.txt");
    ck_assert_str_eq(best(database, "artificial intelligence"), "ai.txt");
    ck_assert_str_eq(best(database, "怎样做面包"), "bread.txt");
    ck_assert_str_eq(best(database, "what temperature for green tea"), "tea.md");
    ernie_close(database);
}
END_TEST

START_TEST(test_hits_say_where_they_are)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_hits *hits;
    char expected[300];

    write_three();
    index_folder(database, "docs");
    ck_assert_int_eq(ernie_search(database, "泡绿茶的水温", NULL, &hits, &err), ERNIE_OK);
    ck_assert_uint_eq(hits->n, 3);
    snprintf(expected, sizeof expected, "%s/docs/tea.md", folder);
    ck_assert_str_eq(hits->hit[0].path, expected);
    ck_assert_str_eq(hits->hit[0].title, "泡茶");
    ck_assert_uint_eq(hits->hit[0].rank, 1);
    ck_assert_uint_ge(hits->hit[0].line, 1);
    ck_assert_ptr_nonnull(strstr(hits->hit[0].snippet, "八十度"));
    for (size_t i = 0; i < hits->n; i++) {
        ck_assert(hits->hit[i].score <= 1 && hits->hit[i].score >= -1);
        ck_assert(i == 0 || hits->hit[i].score <= hits->hit[i - 1].score);
    }
    ernie_hits_free(hits);
    ernie_close(database);
}
END_TEST

/* Seven sentences, one of which means what is asked for without a word of it. */
START_TEST(test_the_snippet_is_the_sentence_nearest_in_meaning)
{
    static const char text[] =
        "The village lies in a narrow valley between two rivers. Its church was built in the "
        "twelfth century by monks from the south. Every year in June the farmers drive their "
        "cows up to the alpine meadows. Canines are welcome in the rooms of the inn if they are "
        "kept on a leash. The road over the pass is closed from November until the end of April. "
        "A small museum shows tools and costumes of former times. Trains run every hour to the "
        "capital of the province.";
    static const struct ernie_search_options without = { .no_snippets = 1 };
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_hits *hits;
    const struct ernie_hit *hit;
    char *snippet;

    ck_assert_int_eq(ernie_add_text(database, "village", NULL, text, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_search(database, "may I bring my dog to the hotel", NULL, &hits, &err),
                     ERNIE_OK);
    ck_assert_uint_eq(hits->n, 1);
    hit = &hits->hit[0];
    ck_assert_msg(strncmp(hit->snippet, "…Canines are welcome", 22) == 0, "%s", hit->snippet);
    ck_assert_int_eq(ernie_snippet(database, "may I bring my dog to the hotel", hit->chunk_id,
                                   &snippet, &err),
                     ERNIE_OK);
    ck_assert_str_eq(snippet, hit->snippet);
    ernie_free(snippet);
    ck_assert_int_eq(ernie_snippet(database, "dog", hit->chunk_id + 1, &snippet, &err),
                     ERNIE_ENOTFOUND);
    ernie_hits_free(hits);

    /* Where it has words of the question, they tell; those near them in meaning too. */
    ck_assert_int_eq(ernie_search(database, "trains to the big city", NULL, &hits, &err), ERNIE_OK);
    hit = &hits->hit[0];
    ck_assert_msg(strstr(hit->snippet, "Trains run every hour") != NULL, "%s", hit->snippet);
    ernie_hits_free(hits);
    ck_assert_int_eq(ernie_search(database, "cattle of the farmers", NULL, &hits, &err), ERNIE_OK);
    hit = &hits->hit[0];
    ck_assert_msg(strncmp(hit->snippet, "…Every year in June", 21) == 0, "%s", hit->snippet);
    ernie_hits_free(hits);

    /* Words are marked in whatever form they stand there. */
    ck_assert_int_eq(ernie_search(database, "farmer's cow", NULL, &hits, &err), ERNIE_OK);
    hit = &hits->hit[0];
    ck_assert_uint_ge(hit->n_marks, 1);
    ck_assert_int_eq(strncmp(hit->snippet + hit->marks[hit->n_marks - 1].start, "cows", 4), 0);
    ernie_hits_free(hits);

    ck_assert_int_eq(ernie_search(database, "farmer's cow", &without, &hits, &err), ERNIE_OK);
    ck_assert_str_eq(hits->hit[0].snippet, "");
    ck_assert_uint_eq(hits->hit[0].n_marks, 0);
    ernie_hits_free(hits);
    ernie_close(database);
}
END_TEST

START_TEST(test_second_index_embeds_nothing)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;

    write_three();
    index_folder(database, "docs");
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_chunks, 0);
    ck_assert_uint_eq(report.n_unchanged, 3);
    run("touch -d '2001-01-01' %s", in("docs/ai.txt")); /* new time, same bytes */
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_chunks, 0);
    ck_assert_uint_eq(report.n_unchanged, 3);
    ernie_close(database);
}
END_TEST

/* What a query answers, as the shell shows it; belongs to the function. */
static const char *ask_rows(const char *name, const char *sql)
{
    static char answer[1024];
    sqlite3_stmt *statement;
    sqlite3 *db;

    answer[0] = '\0';
    ck_assert_int_eq(sqlite3_open(in(name), &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    while (sqlite3_step(statement) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const char *text = (const char *)sqlite3_column_text(statement, i);

            snprintf(answer + strlen(answer), sizeof answer - strlen(answer), "%s%s",
                     text != NULL ? text : "NULL",
                     i + 1 < sqlite3_column_count(statement) ? "|" : "\n");
        }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
}

START_TEST(test_what_an_older_version_read_is_read_again)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;
    char version[32];

    write_three();
    index_folder(database, "docs");
    snprintf(version, sizeof version, "%s",
             ask_rows("a.db", "SELECT DISTINCT extractor_version FROM ernie_documents"));
    ask_rows("a.db", "UPDATE ernie_documents SET extractor_version = 1 WHERE path <> 'ai.txt'");
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_changed, 2);
    ck_assert_uint_eq(report.n_unchanged, 1);
    ck_assert_str_eq(ask_rows("a.db", "SELECT DISTINCT extractor_version FROM ernie_documents"),
                     version);
    /* What a later one read is not for us to read worse. */
    ask_rows("a.db", "UPDATE ernie_documents SET extractor_version = 1000000000");
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_unchanged, 3);
    ernie_close(database);
}
END_TEST

START_TEST(test_rows_keep_what_documents_say)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);

    write_file("docs/a.md", "---\ntitle: 茶\nauthor: 陆羽\ndate: 2024-01-31\nlang: zh-CN\n---\n"
                            "# 泡茶\n\n水温。\n\n## 绿茶\n\n八十度。\n\n# Milk\n\nNo.\n");
    write_file("docs/b.txt", "Nothing is said.\n");
    index_folder(database, "docs");
    ck_assert_str_eq(ask_rows("a.db", "SELECT path, title, author, language, date"
                                      " FROM ernie_documents ORDER BY path"),
                     "a.md|茶|陆羽|zh-CN|2024-01-31\nb.txt||||NULL\n");
    ck_assert_str_eq(ask_rows("a.db", "SELECT line, page, heading FROM ernie_chunks"
                                      " WHERE heading <> '' ORDER BY id"),
                     "7|NULL|泡茶\n15|NULL|Milk\n");
    ernie_close(database);
}
END_TEST

/* The first chunk begins with its heading, the second is read behind it. */
START_TEST(test_embedding_again_gives_the_same_vectors)
{
    static const char query[] = "SELECT c.heading, length(c.text), hex(substr(e.vector, 1, 64))"
                                " FROM ernie_chunks c JOIN ernie_embeddings e ON e.chunk_id = c.id"
                                " ORDER BY c.id";
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    char text[8192] = "# Tea\n\n## 绿茶\n\n", before[1024];

    for (int i = 0; i < 40; i++)
        strcat(text, "Water that boils burns the leaves, which is why it cools first. ");
    write_file("docs/a.md", text);
    index_folder(database, "docs");
    ernie_close(database);
    strcpy(before, ask_rows("a.db", query));
    ck_assert_ptr_nonnull(strstr(before, "\nTea › 绿茶|")); /* two chunks at least */
    ck_assert_int_eq(ernie_open(in("a.db"), ERNIE_WRITE, NULL, &database, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_reembed(database, model, NULL, &err), ERNIE_OK);
    ernie_close(database);
    ck_assert_str_eq(ask_rows("a.db", query), before);
}
END_TEST

/* Two writes within one tick of the clock: the second must not be missed although
 * size and time are the same. */
START_TEST(test_a_change_that_keeps_size_and_time_is_seen)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;
    struct timespec times[2];
    struct stat st;

    write_file("docs/a.txt", "cats and dogs");
    ck_assert_int_eq(stat(in("docs/a.txt"), &st), 0);
    index_folder(database, "docs");
    write_file("docs/a.txt", "rain and snow");
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    ck_assert_int_eq(utimensat(AT_FDCWD, in("docs/a.txt"), times, 0), 0);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_changed, 1);
    ernie_close(database);
}
END_TEST

START_TEST(test_changed_and_deleted_files_are_followed)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;

    write_three();
    index_folder(database, "docs");
    write_file("docs/tea.md", "# Coffee\n\nGrind the beans just before you brew them.\n");
    unlink(in("docs/bread.txt"));
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_changed, 1);
    ck_assert_uint_eq(report.n_removed, 1);
    ck_assert_uint_eq(report.n_unchanged, 1);
    ck_assert_str_eq(best(database, "咖啡豆"), "tea.md");
    ck_assert_str_ne(best(database, "how to bake bread"), "bread.txt");
    ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_OK);
    ernie_close(database);
}
END_TEST

START_TEST(test_one_file_of_a_folder_can_be_indexed_alone)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    char path[100];
    const char *paths[] = { path };
    struct ernie_index_report report;

    write_three();
    snprintf(path, sizeof path, "%s/ai.txt", docs);
    ck_assert_int_eq(ernie_index(database, 1, paths, NULL, &report, &err), ERNIE_OK);
    ck_assert_uint_eq(report.n_added, 1);
    /* The folder afterwards adds the others and keeps this one. */
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 2);
    ck_assert_uint_eq(report.n_unchanged, 1);
    /* And the file again does not remove the others. */
    ck_assert_int_eq(ernie_index(database, 1, paths, NULL, &report, &err), ERNIE_OK);
    ck_assert_uint_eq(report.n_removed, 0);
    ernie_close(database);
}
END_TEST

START_TEST(test_an_outer_folder_takes_the_inner_one_over)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;
    struct ernie_status now;

    run("mkdir %s/docs/inner", folder);
    write_three();
    write_file("docs/inner/x.txt", "月亮绕着地球转。");
    index_folder(database, "docs/inner");
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 3);
    ck_assert_uint_eq(report.n_unchanged, 1);
    ck_assert_int_eq(ernie_status(database, &now, &err), ERNIE_OK);
    ck_assert_uint_eq(now.n_documents, 4);
    ck_assert_uint_eq(now.n_roots, 1);
    ernie_close(database);
}
END_TEST

START_TEST(test_folder_and_database_move_together)
{
    ernie_database *database;
    struct ernie_index_report report;
    struct ernie_hits *hits;
    char moved[128];

    run("mkdir %s/here", folder);
    run("mv %s/docs %s/here/docs", folder, folder);
    write_file("here/docs/ai.txt", "神经网络从例子中学习。");
    database = open_database("here/ernie.db", ERNIE_CREATE);
    index_folder(database, "here/docs");
    ernie_close(database);
    run("mv %s/here %s/there", folder, folder);
    database = open_database("there/ernie.db", ERNIE_CREATE);
    ck_assert_int_eq(ernie_search(database, "机器学习", NULL, &hits, &err), ERNIE_OK);
    snprintf(moved, sizeof moved, "%s/there/docs/ai.txt", folder);
    ck_assert_str_eq(hits->hit[0].path, moved);
    ernie_hits_free(hits);
    report = index_folder(database, "there/docs");
    ck_assert_uint_eq(report.n_chunks, 0);
    ck_assert_uint_eq(report.n_unchanged, 1);
    ernie_close(database);
}
END_TEST

START_TEST(test_odd_files_do_not_stop_the_rest)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;
    char name[64];

    write_three();
    ck_assert_int_eq(mkfifo(in("docs/fifo.txt"), 0600), 0);
    ck_assert_int_eq(symlink("/etc", in("docs/link")), 0);
    ck_assert_int_eq(symlink("ai.txt", in("docs/loop.txt")), 0);
    write_file("docs/empty.txt", "");
    run("head -c 5000 /dev/urandom > %s/docs/noise", folder);
    run("yes line | head -c 100000 >%s/docs/huge.txt", folder);
    run("truncate -s 1T %s/docs/huge.txt", folder);
    snprintf(name, sizeof name, "docs/bad\xff\nname.txt");
    write_file(name, "海水是咸的。");
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 5); /* three, the empty one, the odd name */
    ck_assert_uint_eq(report.n_failed, 1);
    ck_assert_str_eq(best(database, "大海的味道"), "bad\\xff\\x0aname.txt");
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_chunks, 0);
    ck_assert_uint_eq(report.n_failed, 0); /* remembered until it changes */
    ck_assert_uint_eq(report.n_removed, 0);
    ernie_close(database);
}
END_TEST

/* ---- complex files ---- */

static int64_t count_rows(const char *condition)
{
    sqlite3 *connection;
    sqlite3_stmt *statement;
    char sql[512];
    int64_t n;

    snprintf(sql, sizeof sql, "SELECT count(*) FROM ernie_documents WHERE %s", condition);
    ck_assert_int_eq(sqlite3_open(in("a.db"), &connection), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(connection));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return n;
}

/* The three files in an archive, and nothing beside it. */
static void pack_three(void)
{
    write_three();
    run("cd %s/docs && tar czf ../all.tar.gz tea.md bread.txt ai.txt && rm * &&"
        " mv ../all.tar.gz . && touch -d '1 hour ago' all.tar.gz", folder);
}

START_TEST(test_members_of_archives_are_documents)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;

    pack_three();
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 4);
    ck_assert_uint_eq(report.n_chunks, 3);
    ck_assert_str_eq(best(database, "怎样泡绿茶"), "tea.md");
    ck_assert_int_eq(count_rows("path = 'all.tar.gz/tea.md' AND title = '泡茶' AND"
                           " format = 'markdown' AND container_id = (SELECT id FROM"
                           " ernie_documents WHERE path = 'all.tar.gz' AND format = 'archive')"), 1);

    /* Neither times nor bytes are new. */
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_unchanged, 1);
    ck_assert_uint_eq(report.n_removed, 0);
    run("touch %s/docs/all.tar.gz", folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_unchanged, 1);
    ck_assert_uint_eq(report.n_removed, 0);
    ck_assert_int_eq(count_rows("1"), 4);

    /* One member is new, one gone, one another; the fourth is not embedded again. */
    run("cd %s/docs && tar xzf all.tar.gz && rm ai.txt all.tar.gz && echo '海水是咸的。' >sea.txt &&"
        " echo 'Coffee is bitter.' >bread.txt && tar czf ../all.tar.gz * && rm * &&"
        " mv ../all.tar.gz .", folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 1);
    ck_assert_uint_eq(report.n_changed, 2); /* the archive and a member */
    ck_assert_uint_eq(report.n_unchanged, 1);
    ck_assert_uint_eq(report.n_removed, 1);
    ck_assert_uint_eq(report.n_chunks, 2);
    ck_assert_int_eq(count_rows("1"), 4);

    /* Another name for it all. */
    run("mkdir %s/docs/deep && mv %s/docs/all.tar.gz %s/docs/deep/none.tar.gz", folder, folder,
        folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_moved, 1);
    ck_assert_uint_eq(report.n_added + report.n_removed + report.n_chunks, 0);
    ck_assert_int_eq(count_rows("1"), 4);
    ck_assert_int_eq(count_rows("path LIKE 'deep/none.tar.gz/%'"), 3);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_unchanged, 1);
    ck_assert_uint_eq(report.n_removed, 0);

    /* (A folder with nothing in it may be a disk that is not mounted.) */
    run("cd %s/docs && rm deep/none.tar.gz && echo here >stays.txt", folder);
    index_folder(database, "docs");
    ck_assert_int_eq(count_rows("1"), 1);
    ernie_close(database);
}
END_TEST

static int stop_at_tea(void *data, const struct ernie_progress *progress)
{
    (void)data;
    return progress->path != NULL && strstr(progress->path, "tea.md") != NULL;
}

/* What was read of it until then is not taken for all of it. */
START_TEST(test_an_archive_that_was_cut_short_is_read_again)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_options options = { .n_threads = 1, .progress = stop_at_tea };
    const char *paths[] = { docs };
    struct ernie_index_report report;

    /* Enough before the others for a batch of its own to be written. */
    write_three();
    run("cd %s/docs && for i in $(seq 300); do echo \"Note $i about the weather.\" >0$i.txt; done &&"
        " tar cf ../all.tar tea.md 0*.txt bread.txt ai.txt && rm * && mv ../all.tar . &&"
        " touch -d '1 hour ago' all.tar", folder);
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, &report, &err), ERNIE_ECANCELED);
    ck_assert_int_gt(count_rows("container_id IS NOT NULL"), 0);
    ck_assert_int_lt(count_rows("1"), 304);
    report = index_folder(database, "docs");
    ck_assert_int_eq(count_rows("1"), 304);
    ck_assert_uint_gt(report.n_unchanged, 0);
    ck_assert_str_eq(best(database, "bake bread"), "bread.txt");
    ernie_close(database);
}
END_TEST

/* A file that its reader fails on has a row that says so, and is left alone until it
 * changes. */
START_TEST(test_a_broken_complex_file_is_remembered)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;

    pack_three();
    run("cd %s/docs && head -c 100 all.tar.gz >cut.tar.gz && touch -d '1 hour ago' cut.tar.gz &&"
        " rm all.tar.gz", folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_failed, 1);
    ck_assert_int_eq(count_rows("path = 'cut.tar.gz' AND failure LIKE 'cut.tar.gz: %'"), 1);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_failed, 0);
    ck_assert_uint_eq(report.n_unchanged, 1);
    ck_assert_uint_eq(report.n_removed, 0);
    ernie_close(database);
}
END_TEST

static int note_failure(void *data, const struct ernie_progress *progress)
{
    if (progress->failure != NULL)
        snprintf(data, 256, "%s", progress->failure);
    return 0;
}

/* Where the programs are missing nothing is lost, and nothing forgotten. */
START_TEST(test_files_without_a_reader_are_left_out)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    char said[256] = "";
    struct ernie_index_options options = { .progress = note_failure, .progress_data = said };
    const char *paths[] = { docs };
    struct ernie_index_report report;

    pack_three();
    setenv("ERNIE_LIBEXEC", "/no/such/folder", 1);
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, &report, &err), ERNIE_OK);
    ck_assert_uint_eq(report.n_added, 0);
    ck_assert_uint_eq(report.n_skipped, 1);
    ck_assert_str_eq(said, "all.tar.gz: left out, and others like it: ernie-extract is not installed");
    unsetenv("ERNIE_LIBEXEC");
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 4);
    setenv("ERNIE_LIBEXEC", "/no/such/folder", 1);
    run("touch %s/docs/all.tar.gz && echo >>%s/docs/all.tar.gz", folder, folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_removed, 0);
    ck_assert_int_eq(count_rows("1"), 4);
    unsetenv("ERNIE_LIBEXEC");
    ernie_close(database);
}
END_TEST

/* Two pages of a PDF, as little as there can be of one. */
static void write_pdf(const char *name)
{
    FILE *file = fopen(in(name), "w");

    ck_assert_ptr_nonnull(file);
    fputs("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
          "2 0 obj<</Type/Pages/Kids[4 0 R 6 0 R]/Count 2/MediaBox[0 0 600 800]"
          "/Resources<</Font<</F 3 0 R>>>>>>endobj\n"
          "3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n", file);
    for (int i = 0; i < 2; i++) {
        const char *const words = i == 0 ? "Whales are mammals that live in the sea."
                                         : "Knead the dough and bake the bread.";

        fprintf(file, "%d 0 obj<</Type/Page/Parent 2 0 R/Contents %d 0 R>>endobj\n", 4 + 2 * i,
                5 + 2 * i);
        fprintf(file, "%d 0 obj<</Length %zu>>stream\nBT/F 12 Tf 100 %d Td(%s)Tj ET\nendstream endobj\n",
                5 + 2 * i, strlen(words) + 30, 700, words);
    }
    fputs("8 0 obj<</Title(On whales)/Author(N. N.)>>endobj\n"
          "trailer<</Size 9/Root 1 0 R/Info 8 0 R>>\n%%EOF\n", file);
    fclose(file);
}

START_TEST(test_pages_of_a_pdf_are_found)
{
    const char *builddir = getenv("builddir");
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;
    struct ernie_hits *hits;
    char program[256];

    snprintf(program, sizeof program, "%s/ernie-extract-pdf", builddir != NULL ? builddir : ".");
    write_pdf("docs/whales.pdf");
    report = index_folder(database, "docs");
    if (access(program, X_OK) != 0) { /* built without Poppler */
        ck_assert_uint_eq(report.n_skipped, 1);
    } else {
        ck_assert_uint_eq(report.n_added, 1);
        ck_assert_int_eq(count_rows("title = 'On whales' AND author = 'N. N.' AND"
                                         " format = 'pdf' AND failure IS NULL"), 1);
        ck_assert_int_eq(ernie_search(database, "baking bread", NULL, &hits, &err), ERNIE_OK);
        ck_assert_uint_eq(hits->n, 1);
        ck_assert_ptr_nonnull(strstr(hits->hit[0].snippet, "bread"));
        ck_assert_ptr_null(strstr(hits->hit[0].path, "whales.pdf/"));
        ernie_hits_free(hits);
        /* In an archive it is read by two programs, one after the other. */
        run("cd %s/docs && tar czf x.tgz whales.pdf && rm whales.pdf", folder);
        index_folder(database, "docs");
        ck_assert_int_eq(count_rows("path = 'x.tgz/whales.pdf' AND title = 'On whales'"), 1);
    }
    ernie_close(database);
}
END_TEST

START_TEST(test_words_in_images_are_found_when_asked_for)
{
    const char *builddir = getenv("builddir"), *srcdir = getenv("srcdir");
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_options options = { .ocr = 1 };
    const char *paths[] = { docs };
    struct ernie_index_report report;
    char program[256];

    snprintf(program, sizeof program, "%s/ernie-extract-image", builddir != NULL ? builddir : ".");
    run("cp %s/tests/data/image/words.png %s/docs", srcdir != NULL ? srcdir : ".", folder);
    run("cp %s/docs/words.png %s/docs/words", folder, folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_skipped, 2);
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, &report, &err), ERNIE_OK);
    if (access(program, X_OK) != 0) { /* built without Tesseract */
        ck_assert_uint_eq(report.n_skipped, 2);
    } else {
        ck_assert_uint_eq(report.n_added, 2);
        ck_assert_int_eq(count_rows("path = 'words.png' AND format = 'image' AND"
                                    " failure IS NULL"), 1);
        if (report.n_chunks > 0) /* else it has no language */
            ck_assert_ptr_nonnull(strstr(best(database, "animals of the sea"), "words"));
        /* What is there stays when nobody asks again. */
        report = index_folder(database, "docs");
        ck_assert_uint_eq(report.n_chunks, 0);
        ck_assert_int_eq(count_rows("path = 'words.png'"), 1);
    }
    ernie_close(database);
}
END_TEST

/* ---- what stays out ---- */

START_TEST(test_excluded_and_hidden_files_stay_out)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    const char *const excludes[] = { "*.md", "/sub/" };
    struct ernie_index_options options = { .n_excludes = 2, .excludes = excludes };
    const char *paths[] = { docs };
    struct ernie_index_report report;

    write_three();
    run("mkdir %s/docs/sub", folder);
    write_file("docs/sub/x.txt", "x y z");
    write_file("docs/.hidden.txt", "x y z");
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, &report, &err), ERNIE_OK);
    ck_assert_uint_eq(report.n_added, 2);
    options.n_excludes = 0;
    options.hidden = 1;
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, &report, &err), ERNIE_OK);
    ck_assert_uint_eq(report.n_added, 3);
    ernie_close(database);
}
END_TEST

START_TEST(test_a_misspelt_path_changes_nothing)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    const char *paths[] = { docs, "/tmp/dosc" };
    struct ernie_status now;

    write_three();
    ck_assert_int_eq(ernie_index(database, 2, paths, NULL, NULL, &err), ERNIE_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "dosc"));
    ck_assert_int_eq(ernie_status(database, &now, &err), ERNIE_OK);
    ck_assert_uint_eq(now.n_documents, 0);
    ck_assert_uint_eq(now.n_roots, 0);
    ernie_close(database);
}
END_TEST

/* ---- files with other names ---- */

/* The ids of document and chunks, as one number each: what must not change. */
static int64_t sum_of_ids(const char *name)
{
    sqlite3 *connection;
    sqlite3_stmt *statement;
    int64_t sum;

    ck_assert_int_eq(sqlite3_open(in(name), &connection), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(connection,
                                        "SELECT sum(c.id * 1000 + d.id) FROM ernie_documents d JOIN"
                                        " ernie_chunks c ON c.document_id = d.id",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    sum = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return sum;
}

START_TEST(test_a_renamed_file_is_the_same_document)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;
    int64_t before;

    write_three();
    run("mkdir %s/other", folder);
    write_file("other/x.txt", "x y z");
    index_folder(database, "docs");
    index_folder(database, "other");
    before = sum_of_ids("a.db");
    run("mkdir %s/docs/deep && mv %s/docs/tea.md %s/docs/deep/茶.md", folder, folder, folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_moved, 1);
    ck_assert_uint_eq(report.n_unchanged, 2);
    ck_assert_uint_eq(report.n_added + report.n_removed + report.n_chunks, 0);
    ck_assert_str_eq(best(database, "泡绿茶的水温"), "茶.md");
    /* To another root, and its time is new too. */
    run("mv %s/docs/ai.txt %s/other/intelligence.txt && touch %s/other/intelligence.txt", folder,
        folder, folder);
    report = index_folder(database, "other");
    ck_assert_uint_eq(report.n_moved, 1);
    ck_assert_uint_eq(report.n_chunks, 0);
    ck_assert_str_eq(best(database, "人工智能"), "intelligence.txt");
    ck_assert_int_eq(sum_of_ids("a.db"), before);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_removed, 0);
    ck_assert_uint_eq(report.n_unchanged, 2);
    ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_OK);
    ernie_close(database);
}
END_TEST

START_TEST(test_a_renamed_folder_of_thousands_is_not_embedded_again)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;
    int64_t before;

    /* Many of them have the same bytes, and some have none. */
    run("mkdir -p %s/docs/old/deep && cd %s/docs/old && for i in $(seq 2000); do"
        " echo note $((i %% 100)) >$i.txt; done; for i in $(seq 50); do : >deep/$i.txt; done",
        folder, folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 2050);
    before = sum_of_ids("a.db");
    run("mv %s/docs/old %s/docs/new", folder, folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_moved, 2050);
    ck_assert_uint_eq(report.n_added + report.n_removed + report.n_chunks, 0);
    ck_assert_int_eq(sum_of_ids("a.db"), before);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_unchanged, 2050);
    ernie_close(database);
}
END_TEST

START_TEST(test_what_only_looks_renamed_is_another_document)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_report report;

    write_three();
    index_folder(database, "docs");
    run("cp -p %s/docs/bread.txt %s/docs/copy.txt", folder, folder); /* both are there */
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 1);
    ck_assert_uint_eq(report.n_moved, 0);
    /* Read as Markdown from now on. */
    run("mv %s/docs/bread.txt %s/docs/bread.md", folder, folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 1);
    ck_assert_uint_eq(report.n_removed, 1);
    ck_assert_uint_eq(report.n_moved, 0);
    /* One was, and two are. */
    run("cp %s/docs/ai.txt %s/docs/ai2.txt && mv %s/docs/ai.txt %s/docs/ai1.txt", folder, folder,
        folder, folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_moved, 1);
    ck_assert_uint_eq(report.n_added, 1);
    ck_assert_uint_eq(report.n_removed, 0);
    ernie_close(database);
}
END_TEST

START_TEST(test_what_is_on_a_drive_that_is_not_there_stays)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_index_options options = { .prune = 1 };
    const char *paths[] = { docs };
    struct ernie_index_report report;

    write_three();
    index_folder(database, "docs");
    run("mv %s/docs %s/drive", folder, folder); /* the folder is gone */
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_kept, 3);
    ck_assert_uint_eq(report.n_removed, 0);
    run("mkdir %s/docs", folder); /* there is only what it was mounted on */
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_kept, 3);
    ck_assert_uint_eq(report.n_removed, 0);
    /* Its files are no other files' old names: they are perhaps still there. */
    run("mkdir %s/copies && cp %s/drive/* %s/copies", folder, folder, folder);
    report = index_folder(database, "copies");
    ck_assert_uint_eq(report.n_added, 3);
    run("rmdir %s/docs && mv %s/drive %s/docs", folder, folder, folder);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_unchanged, 3);
    ck_assert_uint_eq(report.n_kept, 0);
    /* A file in a folder that is there is gone, and a folder asked for by name may be. */
    run("mkdir %s/docs/deep && mv %s/docs/tea.md %s/docs/deep", folder, folder, folder);
    index_folder(database, "docs");
    run("rm -r %s/docs/deep", folder);
    report = index_folder(database, "docs/deep");
    ck_assert_uint_eq(report.n_kept, 1);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_removed, 1);
    run("rm -r %s/docs", folder);
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, &report, &err), ERNIE_OK);
    ck_assert_uint_eq(report.n_removed, 2);
    ck_assert_uint_eq(report.n_kept, 0);
    /* Now there is nothing of that name. */
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, &report, &err), ERNIE_ENOTFOUND);
    ernie_close(database);
}
END_TEST

static int stop_after_ten(void *data, const struct ernie_progress *progress)
{
    size_t *n_done = data;

    *n_done = progress->n_files_done;
    return progress->n_files_done >= 10;
}

START_TEST(test_stopping_keeps_what_was_reported_done)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    size_t n_done = 0;
    struct ernie_index_options options = { .progress = stop_after_ten,
                                           .progress_data = &n_done };
    const char *paths[] = { docs };
    struct ernie_index_report report;
    struct ernie_status now;

    for (int i = 0; i < 30; i++) {
        char name[32], text[64];

        snprintf(name, sizeof name, "docs/%02d.txt", i);
        snprintf(text, sizeof text, "This is note number %d about the weather.", i);
        write_file(name, text);
    }
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, &report, &err), ERNIE_ECANCELED);
    ck_assert_uint_ge(n_done, 10);
    ernie_close(database);
    database = open_database("a.db", ERNIE_CREATE);
    ck_assert_int_eq(ernie_status(database, &now, &err), ERNIE_OK);
    ck_assert_uint_eq(now.n_documents, n_done);
    report = index_folder(database, "docs");
    ck_assert_uint_eq(report.n_added, 30 - n_done);
    ck_assert_uint_eq(report.n_unchanged + report.n_changed, n_done);
    ernie_close(database);
}
END_TEST

/* A child is killed at moments spread over its run; whatever it reported is there
 * afterwards and the database is sound. */
static int report_done(void *data, const struct ernie_progress *progress)
{
    int pipe_end = *(int *)data;

    if (progress->path != NULL && progress->stage == ERNIE_STAGE_EMBED)
        ck_assert_int_eq(write(pipe_end, "x", 1), 1);
    return 0;
}

static void index_in_child(int pipe_end)
{
    struct ernie_index_options options = { .n_threads = 1, .progress = report_done,
                                           .progress_data = &pipe_end };
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    const char *paths[] = { docs };

    ernie_index(database, 1, paths, &options, NULL, &err);
    _exit(0);
}

START_TEST(test_kill_loses_nothing_reported)
{
    for (int i = 0; i < 200; i++) {
        char name[32], text[64];

        snprintf(name, sizeof name, "docs/%03d.txt", i);
        snprintf(text, sizeof text, "Note %d says that %d is a number.", i, i * 7);
        write_file(name, text);
    }
    for (int round = 0; round < 6; round++) {
        struct ernie_status now;
        ernie_database *database;
        char bytes[256];
        size_t n_reported = 0;
        ssize_t n;
        int ends[2];
        pid_t child;

        run("rm -f %s/a.db*", folder);
        ck_assert_int_eq(pipe(ends), 0);
        child = fork();
        if (child == 0)
            index_in_child(ends[1]);
        close(ends[1]);
        /* Wait for the first reports, then a little longer each round. */
        while (n_reported < (size_t)(1 + round * 20) && (n = read(ends[0], bytes, 1)) > 0)
            n_reported += (size_t)n;
        kill(child, SIGKILL);
        while ((n = read(ends[0], bytes, sizeof bytes)) > 0)
            n_reported += (size_t)n;
        close(ends[0]);
        waitpid(child, NULL, 0);
        database = open_database("a.db", ERNIE_WRITE);
        ck_assert_int_eq(ernie_status(database, &now, &err), ERNIE_OK);
        ck_assert_uint_ge(now.n_documents, n_reported);
        ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_OK);
        ernie_close(database);
    }
}
END_TEST

/* ---- texts of the caller's ---- */

START_TEST(test_add_text_replaces_and_removes_by_name)
{
    ernie_database *database = NULL;
    struct ernie_hits *hits;
    size_t n_removed;

    ck_assert_int_eq(ernie_open(":memory:", ERNIE_CREATE, model, &database, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_add_text(database, "n1", "Tea", "绿茶用八十度的水。", &err), ERNIE_OK);
    ck_assert_int_eq(ernie_add_text(database, "n2", NULL, "The cat sleeps.", &err), ERNIE_OK);
    ck_assert_str_eq(best(database, "how hot should the water be"), "n1");
    ck_assert_int_eq(ernie_add_text(database, "n1", "Moon", "月亮围绕地球转。", &err), ERNIE_OK);
    ck_assert_int_eq(ernie_search(database, "地球的卫星", NULL, &hits, &err), ERNIE_OK);
    ck_assert_uint_eq(hits->n, 2);
    ck_assert_str_eq(hits->hit[0].path, "n1");
    ck_assert_str_eq(hits->hit[0].title, "Moon");
    ernie_hits_free(hits);
    ck_assert_int_eq(ernie_remove(database, "n1", &n_removed, &err), ERNIE_OK);
    ck_assert_uint_eq(n_removed, 1);
    ck_assert_str_eq(best(database, "地球的卫星"), "n2");
    ck_assert_int_eq(ernie_remove(database, "n1", &n_removed, &err), ERNIE_ENOTFOUND);
    ernie_close(database);
}
END_TEST

START_TEST(test_one_long_document_makes_one_hit_and_many_chunks)
{
    ernie_database *database = NULL;
    struct ernie_search_options options = { .k = 50, .all_chunks = 1 };
    struct ernie_hits *hits;
    struct ernie_place places[5];
    size_t n_more;
    char *text = calloc(1, 200000);

    for (int i = 0; i < 1500; i++)
        sprintf(text + strlen(text), "第%d天下雨，我在家里读书。", i);
    ck_assert_int_eq(ernie_open(":memory:", ERNIE_CREATE, model, &database, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_add_text(database, "long", NULL, text, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_add_text(database, "short", NULL, "猫睡着了。", &err), ERNIE_OK);
    ck_assert_int_eq(ernie_search(database, "雨天看书", NULL, &hits, &err), ERNIE_OK);
    ck_assert_uint_eq(hits->n, 2);
    ck_assert_str_eq(hits->hit[0].path, "long");
    /* All but the best that come before the last hit are more of the document. */
    ck_assert_uint_eq(hits->hit[0].n_places, 5);
    for (size_t i = 0; i < 5; i++) {
        places[i] = hits->hit[0].places[i];
        ck_assert(i == 0 || places[i].chunk_id > places[i - 1].chunk_id);
    }
    n_more = hits->hit[0].n_more;
    ck_assert_uint_eq(hits->hit[1].n_more, 0);
    ernie_hits_free(hits);
    ck_assert_int_eq(ernie_search(database, "雨天看书", &options, &hits, &err), ERNIE_OK);
    ck_assert_uint_eq(hits->n, 50);
    for (size_t i = 1; i < 6; i++) {
        const struct ernie_hit *hit = &hits->hit[i];
        size_t j = 0;

        ck_assert_uint_eq(hit->n_more, 0);
        while (j < 5 && places[j].chunk_id != hit->chunk_id)
            j++;
        ck_assert_uint_lt(j, 5);
        ck_assert_uint_eq(places[j].line, hit->line);
    }
    ernie_hits_free(hits);
    options.k = 10000;
    ck_assert_int_eq(ernie_search(database, "雨天看书", &options, &hits, &err), ERNIE_OK);
    for (size_t i = 0; i < hits->n; i++)
        if (strcmp(hits->hit[i].path, "short") == 0)
            ck_assert_uint_eq(n_more, i - 1);
    ernie_hits_free(hits);
    free(text);
    ernie_close(database);
}
END_TEST

/* ---- searching ---- */

START_TEST(test_queries_that_cannot_be_answered)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_hits *hits;
    char *long_query = malloc((1 << 20) + 1);

    ck_assert_int_eq(ernie_search(database, "", NULL, &hits, &err), ERNIE_EINVAL);
    ck_assert_int_eq(ernie_search(database, " \t\n", NULL, &hits, &err), ERNIE_EINVAL);
    ck_assert_str_eq(err.message, "query: empty");
    ck_assert_int_eq(ernie_search(database, NULL, NULL, &hits, &err), ERNIE_EINVAL);
    /* An empty database has no hits, which is no error. */
    ck_assert_int_eq(ernie_search(database, "x", NULL, &hits, &err), ERNIE_OK);
    ck_assert_uint_eq(hits->n, 0);
    ernie_hits_free(hits);
    write_three();
    index_folder(database, "docs");
    memset(long_query, 'a', 1 << 20);
    long_query[1 << 20] = '\0';
    ck_assert_int_eq(ernie_search(database, long_query, NULL, &hits, &err), ERNIE_OK);
    ck_assert_uint_eq(hits->n, 3);
    ernie_hits_free(hits);
    ck_assert_int_eq(ernie_search(database, "\xff\xfe", NULL, &hits, &err), ERNIE_OK);
    ernie_hits_free(hits);
    free(long_query);
    ernie_close(database);
}
END_TEST

/* The file names of the hits, in alphabetical order, each with a space behind it. */
static const char *names_of(ernie_database *database, const struct ernie_search_options *options)
{
    static char names[512];
    struct ernie_hits *hits;
    char sorted[16][64];

    ck_assert_msg(ernie_search(database, "tea", options, &hits, &err) == ERNIE_OK, "%s",
                  err.message);
    ck_assert_uint_le(hits->n, 16);
    for (size_t i = 0; i < hits->n; i++)
        snprintf(sorted[i], sizeof sorted[i], "%s", strrchr(hits->hit[i].path, '/') + 1);
    qsort(sorted, hits->n, sizeof sorted[0], (int (*)(const void *, const void *))strcmp);
    names[0] = '\0';
    for (size_t i = 0; i < hits->n; i++) {
        strcat(names, sorted[i]);
        strcat(names, " ");
    }
    ernie_hits_free(hits);
    return names;
}

START_TEST(test_searching_some_of_the_documents)
{
    static const char *const markdown[] = { "markdown" }, *const two[] = { "csv", "text" },
                             *const none[] = { "markdwn" };
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_hits *hits;
    char path[512];

    run("mkdir %s %s", in("docs/sub"), in("other"));
    write_file("docs/a.md", "---\ndate: 2024-01-31\nauthor: A\nlang: en\n---\nGreen tea.\n");
    write_file("docs/b.md", "---\ndate: 2023-05-01T08:00:00Z\n---\nBlack tea.\n");
    write_file("docs/sub/c.txt", "White tea.\n");
    write_file("other/d.csv", "name,price\ntea,3\n");
    run("touch -d '2020-02-03 12:00' %s %s", in("docs/sub/c.txt"), in("other/d.csv"));
    index_folder(database, "docs");
    index_folder(database, "other");
#define NAMES(...) names_of(database, &(struct ernie_search_options){ __VA_ARGS__ })
    ck_assert_str_eq(NAMES(.k = 9), "a.md b.md c.txt d.csv ");
    ck_assert_str_eq(NAMES(.formats = markdown, .n_formats = 1), "a.md b.md ");
    ck_assert_str_eq(NAMES(.formats = two, .n_formats = 2), "c.txt d.csv ");
    ck_assert_str_eq(NAMES(.after = "2024-01-31"), "a.md ");
    ck_assert_str_eq(NAMES(.after = "2023"), "a.md b.md ");
    ck_assert_str_eq(NAMES(.before = "2024-01-31"), "b.md c.txt d.csv ");
    ck_assert_str_eq(NAMES(.after = "2020-02-03", .before = "2023-05-02"), "b.md c.txt d.csv ");
    ck_assert_str_eq(NAMES(.after = "2020-02-04", .before = "2023-05-01"), "");
    snprintf(path, sizeof path, "%s", in("docs/sub"));
    ck_assert_str_eq(NAMES(.path = path), "c.txt ");
    ck_assert_str_eq(NAMES(.path = folder), "a.md b.md c.txt d.csv ");
    snprintf(path, sizeof path, "%s", in("docs/b.md"));
    ck_assert_str_eq(NAMES(.path = path), "b.md ");
    ck_assert_str_eq(NAMES(.path = "/nowhere"), "");
    ck_assert_str_eq(NAMES(.k = 1, .before = "2021", .formats = two, .n_formats = 1), "d.csv ");
    ck_assert_int_eq(ernie_search(database, "tea",
                                  &(struct ernie_search_options){ .formats = none,
                                                                  .n_formats = 1 },
                                  &hits, &err),
                     ERNIE_EFORMAT);
    ck_assert_int_eq(ernie_search(database, "tea",
                                  &(struct ernie_search_options){ .after = "yesterday" }, &hits,
                                  &err),
                     ERNIE_EFORMAT);
    ck_assert_int_eq(ernie_search(database, "green tea",
                                  &(struct ernie_search_options){ .after = "2024" }, &hits, &err),
                     ERNIE_OK);
    ck_assert_str_eq(hits->hit[0].format, "markdown");
    ck_assert_str_eq(hits->hit[0].author, "A");
    ck_assert_str_eq(hits->hit[0].language, "en");
    ck_assert_str_eq(hits->hit[0].date, "2024-01-31");
    ernie_hits_free(hits);
#undef NAMES
    ernie_close(database);
}
END_TEST

START_TEST(test_k_is_as_large_as_one_likes)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_search_options options = { .k = SIZE_MAX };
    struct ernie_hits *hits;

    write_three();
    index_folder(database, "docs");
    ck_assert_int_eq(ernie_search(database, "茶", &options, &hits, &err), ERNIE_OK);
    ck_assert_uint_eq(hits->n, 3);
    ernie_hits_free(hits);
    options.k = 1;
    ck_assert_int_eq(ernie_search(database, "茶", &options, &hits, &err), ERNIE_OK);
    ck_assert_uint_eq(hits->n, 1);
    ernie_hits_free(hits);
    ernie_close(database);
}
END_TEST

/* ---- the vector index is expendable ---- */

/* Enough one-line notes that the index file is written. */
static void write_many(int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[32], text[80];

        snprintf(name, sizeof name, "docs/%05d.txt", i);
        snprintf(text, sizeof text, "Room %d is on floor %d.", i, i / 100);
        write_file(name, text);
    }
}

static void check_index(ernie_database *database, const char *kind, size_t n_index, size_t n_tail)
{
    struct ernie_status now;

    ck_assert_int_eq(ernie_status(database, &now, &err), ERNIE_OK);
    ck_assert_str_eq(now.index_kind, kind);
    ck_assert_uint_eq(now.n_index_vectors, n_index);
    ck_assert_uint_eq(now.n_tail_vectors, n_tail);
}

START_TEST(test_index_file_missing_damaged_or_foreign_changes_no_answer)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE), *other;

    write_many(0, 1200);
    write_three();
    index_folder(database, "docs");
    check_index(database, "flat", 1203, 0);
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_OK);
    ernie_close(database);

    run("cp %s/a.db-ann %s/good", folder, folder);
    unlink(in("a.db-ann"));
    database = open_database("a.db", ERNIE_READ);
    check_index(database, "none", 0, 1203);
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ernie_close(database);

    run("head -c 100000 %s/good > %s/a.db-ann", folder, folder);
    database = open_database("a.db", ERNIE_READ);
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ernie_close(database);

    /* That of another database, with the same rows. */
    other = open_database("b.db", ERNIE_CREATE);
    index_folder(other, "docs");
    ernie_close(other);
    run("cp %s/b.db-ann %s/a.db-ann", folder, folder);
    database = open_database("a.db", ERNIE_WRITE);
    check_index(database, "none", 0, 1203);
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ck_assert_int_eq(ernie_rebuild(database, &err), ERNIE_OK);
    check_index(database, "flat", 1203, 0);
    ernie_close(database);
    database = open_database("a.db", ERNIE_READ);
    check_index(database, "flat", 1203, 0);
    ernie_close(database);
}
END_TEST

START_TEST(test_rows_newer_than_the_index_are_found_and_deleted_ones_are_not)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);

    write_many(0, 1200);
    write_three();
    index_folder(database, "docs");
    unlink(in("docs/tea.md"));
    write_file("docs/moon.txt", "月亮每个月绕地球一圈。");
    index_folder(database, "docs");
    check_index(database, "flat", 1203, 1);
    ck_assert_str_eq(best(database, "地球的卫星"), "moon.txt");
    ck_assert_str_ne(best(database, "泡绿茶的水温"), "tea.md");
    ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_OK);
    ernie_close(database);
}
END_TEST

/* The old database comes back from a backup, and then grows in another way, so
 * that the log reaches the numbers that the index file knows. */
START_TEST(test_a_restored_backup_does_not_meet_the_index_of_its_future)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);

    write_many(0, 1100);
    index_folder(database, "docs");
    ernie_close(database);
    run("cp %s/a.db %s/backup", folder, folder);
    database = open_database("a.db", ERNIE_WRITE);
    write_many(1100, 2300);
    index_folder(database, "docs");
    check_index(database, "flat", 2300, 0);
    ernie_close(database);

    run("cp %s/backup %s/a.db && rm -f %s/a.db-wal %s/a.db-shm %s/docs/01[1-9]* %s/docs/02*",
        folder, folder, folder, folder, folder, folder);
    database = open_database("a.db", ERNIE_WRITE);
    for (int i = 0; i < 1400; i++) {
        char name[32], text[64];

        snprintf(name, sizeof name, "text-%d", i);
        snprintf(text, sizeof text, "Train %d leaves at noon.", i);
        ck_assert_int_eq(ernie_add_text(database, name, NULL, text, &err), ERNIE_OK);
    }
    ck_assert_str_eq(best(database, "Train 1234 leaves at noon."), "text-1234");
    ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_OK);
    ernie_close(database);
}
END_TEST

/* ---- models, modes, faults ---- */

START_TEST(test_a_database_of_another_model_is_refused_and_can_be_moved)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    ernie_model *other;
    struct ernie_hits *hits;

    write_three();
    index_folder(database, "docs");
    ernie_close(database);
    /* The same model cut off at 100 tokens is another one. */
    run("cp -r %s %s/other && chmod -R u+w %s/other", ernie_model_directory(model), folder, folder);
    write_file("other/sentence_bert_config.json", "{\"max_seq_length\": 100}");
    ck_assert_msg(ernie_model_open(in("other"), &other, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_str_ne(ernie_model_fingerprint(other), ernie_model_fingerprint(model));
    ck_assert_int_eq(ernie_open(in("a.db"), ERNIE_READ, other, &database, &err), ERNIE_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(err.message, "ernie rebuild --embeddings"));

    ck_assert_int_eq(ernie_open(in("a.db"), ERNIE_WRITE, NULL, &database, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_reembed(database, other, NULL, &err), ERNIE_OK);
    ernie_close(database);
    ck_assert_int_eq(ernie_open(in("a.db"), ERNIE_READ, model, &database, &err), ERNIE_EMISMATCH);
    ck_assert_int_eq(ernie_open(in("a.db"), ERNIE_READ, other, &database, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_search(database, "绿茶", NULL, &hits, &err), ERNIE_OK);
    ck_assert_str_eq(hits->hit[0].title, "泡茶");
    ernie_hits_free(hits);
    ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_OK);
    ernie_close(database);
    ernie_model_close(other);
}
END_TEST

/* ---- prompts and cut vectors ---- */

/* The default model with prompts, reading 64 tokens at most. */
static ernie_model *open_prompted_model(void)
{
    ernie_model *prompted;

    run("cp -r %s %s/prompted && chmod -R u+w %s", ernie_model_directory(model), folder, folder);
    write_file("prompted/sentence_bert_config.json", "{\"max_seq_length\": 64}");
    write_file("prompted/config_sentence_transformers.json",
               "{\"prompts\": {\"query\": \"问题：\", \"passage\":"
               " \"这是一段用来回答问题的文字，请读一读下面的话：\"}}");
    ck_assert_msg(ernie_model_open(in("prompted"), &prompted, &err) == ERNIE_OK, "%s",
                  err.message);
    return prompted;
}

/* The embedding of text as the model gives it; free. */
static float *embed_as(const ernie_model *with, const char *prompt, size_t dim, const char *text)
{
    const struct ernie_encode_options options = { .prompt = prompt, .dim = dim };
    float *out = calloc(dim, sizeof *out);
    ernie_encoder *encoder;

    ck_assert_int_eq(ernie_encoder_new(with, 1, &encoder, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_encode_with(encoder, 1, &text, &options, out, &err), ERNIE_OK);
    ernie_encoder_free(encoder);
    return out;
}

/* Each stored vector has dim numbers and is what the model gives of its chunk with the
 * prompt; and the model reads all of the chunk. How many there are. */
static size_t check_vectors(const char *name, const ernie_model *with, const char *prompt,
                            size_t dim)
{
    sqlite3_stmt *statement;
    sqlite3 *connection;
    size_t n = 0;

    ck_assert_int_eq(sqlite3_open(in(name), &connection), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(connection,
                                        "SELECT ?1 || text, text, vector FROM ernie_chunks JOIN"
                                        " ernie_embeddings ON chunk_id = id",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(statement, 1, prompt, -1, SQLITE_STATIC);
    for (; sqlite3_step(statement) == SQLITE_ROW; n++) {
        float *right = embed_as(with, prompt, dim,
                                (const char *)sqlite3_column_text(statement, 1));
        struct ernie_tokens tokens;

        ck_assert_int_eq(sqlite3_column_bytes(statement, 2), (int)(dim * sizeof *right));
        ck_assert(ernie_cosine(dim, right, sqlite3_column_blob(statement, 2)) > 0.99999);
        free(right);
        ck_assert_int_eq(ernie_tokenize(with, (const char *)sqlite3_column_text(statement, 0),
                                        NULL, 0, &tokens, &err),
                         ERNIE_OK);
        ck_assert_uint_le(tokens.n, ernie_model_max_tokens(with));
        ernie_tokens_reset(&tokens);
    }
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    return n;
}

/* The score of the best hit is that of the question with its prompt. */
static void check_score(ernie_database *database, const ernie_model *with, size_t dim,
                        const char *query, const char *passage)
{
    const char *prompts[] = { ernie_model_prompt(with, "query"),
                              ernie_model_prompt(with, "passage") };
    float *a = embed_as(with, prompts[0], dim, query), *b = embed_as(with, prompts[1], dim, passage);
    struct ernie_hits *hits;

    ck_assert_msg(ernie_search(database, query, NULL, &hits, &err) == ERNIE_OK, "%s",
                  err.message);
    ck_assert_uint_ge(hits->n, 1);
    ck_assert_double_eq_tol(hits->hit[0].score, ernie_cosine(dim, a, b), 1e-5);
    ernie_hits_free(hits);
    free(a);
    free(b);
}

START_TEST(test_prompts_stand_before_questions_and_passages)
{
    ernie_model *prompted = open_prompted_model();
    const char *prompt = ernie_model_prompt(prompted, "passage");
    const char *paths[] = { docs };
    ernie_database *database;

    ck_assert_int_eq(ernie_open(in("a.db"), ERNIE_CREATE, prompted, &database, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_add_text(database, "tea", NULL, "绿茶要用八十度的水", &err), ERNIE_OK);
    ck_assert_uint_eq(check_vectors("a.db", prompted, prompt, 384), 1);
    check_score(database, prompted, 384, "怎么泡茶", "绿茶要用八十度的水");
    run("seq 1 200 | sed 's/$/ 天气很好，我们去公园散步。/' > %s/long.txt", docs);
    ck_assert_int_eq(ernie_index(database, 1, paths, NULL, NULL, &err), ERNIE_OK);
    ck_assert_uint_gt(check_vectors("a.db", prompted, prompt, 384), 40);
    ernie_close(database);
    /* And so when an older collection moves to this model. */
    database = open_database("b.db", ERNIE_CREATE);
    ck_assert_int_eq(ernie_add_text(database, "tea", NULL, "绿茶要用八十度的水", &err), ERNIE_OK);
    ernie_close(database);
    ck_assert_int_eq(ernie_open(in("b.db"), ERNIE_WRITE, NULL, &database, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_reembed(database, prompted, NULL, &err), ERNIE_OK);
    ernie_close(database);
    ck_assert_uint_eq(check_vectors("b.db", prompted, prompt, 384), 1);
    ernie_model_close(prompted);
}
END_TEST

START_TEST(test_vectors_can_be_cut_once_and_for_all)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    struct ernie_status now;

    ck_assert_int_eq(ernie_set_dim(database, 0, &err), ERNIE_EINVAL);
    ck_assert_int_eq(ernie_set_dim(database, 385, &err), ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "385 is not in 1..384"));
    ck_assert_int_eq(ernie_set_dim(database, 32, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_set_dim(database, 64, &err), ERNIE_OK); /* nothing is there yet */
    write_three();
    index_folder(database, "docs");
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ernie_close(database);
    ck_assert_uint_ge(check_vectors("a.db", model, "", 64), 3);

    /* Later nobody has to say it again. */
    database = open_database("a.db", ERNIE_WRITE);
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ck_assert_int_eq(ernie_add_text(database, "more", NULL, "铁观音是乌龙茶", &err), ERNIE_OK);
    check_score(database, model, 64, "铁观音是什么茶", "铁观音是乌龙茶");
    ck_assert_int_eq(ernie_set_dim(database, 64, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_set_dim(database, 32, &err), ERNIE_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(err.message, "its vectors have 64 numbers, not 32: leave --dim "
                                              "out, or embed again with `ernie rebuild "
                                              "--embeddings --dim 32`"));
    ck_assert_str_eq(best(database, "铁观音"), "more"); /* and nothing was changed by asking */
    ck_assert_int_eq(ernie_rebuild(database, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_status(database, &now, &err), ERNIE_OK);
    ck_assert_uint_eq(now.dim, 64);
    ck_assert_uint_eq(now.model_dim, 384);
    ck_assert_uint_eq(now.n_index_vectors, now.n_chunks);
    ck_assert_msg(ernie_verify(database, NULL, NULL, &err) == ERNIE_OK, "%s", err.message);
    ernie_close(database);
    check_vectors("a.db", model, "", 64);
}
END_TEST

/* A connection that is open follows when another one makes all vectors anew. */
START_TEST(test_reembedding_changes_the_length_of_vectors)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE), *other;
    struct ernie_status now;

    write_three();
    index_folder(database, "docs");
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ck_assert_int_eq(ernie_set_dim(database, 100, &err), ERNIE_EMISMATCH);
    ck_assert_int_eq(ernie_open(in("a.db"), ERNIE_WRITE, NULL, &other, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_set_dim(other, 385, &err), ERNIE_OK); /* of which model? */
    ck_assert_int_eq(ernie_reembed(other, model, NULL, &err), ERNIE_EINVAL);
    ck_assert_int_eq(ernie_set_dim(other, 100, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_reembed(other, model, NULL, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_status(other, &now, &err), ERNIE_OK);
    ck_assert_uint_eq(now.dim, 100);
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ck_assert_int_eq(ernie_status(database, &now, &err), ERNIE_OK);
    ck_assert_uint_eq(now.dim, 100);
    ck_assert_int_eq(ernie_add_text(database, "more", NULL, "铁观音是乌龙茶", &err), ERNIE_OK);
    ernie_close(other);
    ernie_close(database);
    ck_assert_uint_ge(check_vectors("a.db", model, "", 100), 4);
    /* Without a word about it, all numbers are back. */
    ck_assert_int_eq(ernie_open(in("a.db"), ERNIE_WRITE, NULL, &other, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_reembed(other, model, NULL, &err), ERNIE_OK);
    ernie_close(other);
    ck_assert_uint_ge(check_vectors("a.db", model, "", 384), 4);
}
END_TEST

/* Another process embeds the first text while this one looks for files. */
static int add_shorter(void *data, const struct ernie_progress *progress)
{
    int *is_done = data;

    if (!*is_done && progress->n_files_total > 0) {
        ernie_database *other = open_database("a.db", ERNIE_WRITE);

        ck_assert_int_eq(ernie_set_dim(other, 50, &err), ERNIE_OK);
        ck_assert_int_eq(ernie_add_text(other, "first", NULL, "一段文字", &err), ERNIE_OK);
        ernie_close(other);
        *is_done = 1;
    }
    return 0;
}

START_TEST(test_two_that_begin_with_other_lengths_do_not_mix_them)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    int is_done = 0;
    const struct ernie_index_options options = { .progress = add_shorter,
                                                 .progress_data = &is_done };
    const char *paths[] = { docs };

    write_three();
    ck_assert_int_eq(ernie_index(database, 1, paths, &options, NULL, &err), ERNIE_EMISMATCH);
    ck_assert_ptr_nonnull(strstr(err.message, "50 numbers now, not 384: index again"));
    ck_assert_int_eq(is_done, 1);
    index_folder(database, "docs");
    ernie_close(database);
    ck_assert_uint_ge(check_vectors("a.db", model, "", 50), 4);
}
END_TEST

START_TEST(test_opening_what_is_no_database)
{
    ernie_database *database;

    ck_assert_int_eq(ernie_open(in("none.db"), ERNIE_READ, model, &database, &err),
                     ERNIE_ENOTFOUND);
    ck_assert_int_eq(access(in("none.db"), F_OK), -1);
    write_file("text.db", "this is no database, but it is long enough to look at it closely");
    ck_assert_int_eq(ernie_open(in("text.db"), ERNIE_CREATE, model, &database, &err),
                     ERNIE_EFORMAT);
    ck_assert_int_eq(ernie_open(in("docs"), ERNIE_READ, model, &database, &err) != ERNIE_OK, 1);
    ck_assert_int_eq(ernie_open("", ERNIE_READ, model, &database, &err), ERNIE_EINVAL);
}
END_TEST

START_TEST(test_a_connection_gets_the_functions)
{
    sqlite3 *connection;
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_open(":memory:", &connection), SQLITE_OK);
    ck_assert_int_eq(ernie_register(NULL, model, &err), ERNIE_EINVAL);
    ck_assert_msg(ernie_register(connection, model, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_int_eq(sqlite3_prepare_v2(connection,
                                        "SELECT count(*), sum(length(embedding)), ernie_version()"
                                        " FROM ernie_embed_each('[\"a\", null, \"茶\"]')",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(statement, 0), 3);
    ck_assert_uint_eq((size_t)sqlite3_column_int64(statement, 1),
                      2 * ernie_model_dim(model) * sizeof(float));
    ck_assert_str_eq((const char *)sqlite3_column_text(statement, 2), ernie_version());
    sqlite3_finalize(statement);
    ck_assert_int_eq(sqlite3_close(connection), SQLITE_OK);
}
END_TEST

START_TEST(test_reading_only_changes_nothing)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    const char *paths[] = { docs };

    write_three();
    index_folder(database, "docs");
    ernie_close(database);
    database = open_database("a.db", ERNIE_READ);
    ck_assert_int_eq(ernie_index(database, 1, paths, NULL, NULL, &err), ERNIE_EINVAL);
    ck_assert_int_eq(ernie_add_text(database, "x", NULL, "x", &err), ERNIE_EINVAL);
    ck_assert_str_eq(best(database, "绿茶"), "tea.md");
    ernie_close(database);
}
END_TEST

START_TEST(test_vectors_that_were_damaged_are_left_out_and_reported)
{
    ernie_database *database = open_database("a.db", ERNIE_CREATE);
    sqlite3 *connection;

    write_three();
    index_folder(database, "docs");
    ernie_close(database);
    ck_assert_int_eq(sqlite3_open(in("a.db"), &connection), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(connection,
                     "UPDATE ernie_embeddings SET vector = zeroblob(length(vector)) WHERE chunk_id ="
                     " (SELECT min(chunk_id) FROM ernie_embeddings)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(connection);
    database = open_database("a.db", ERNIE_READ);
    ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_ECORRUPT);
    ck_assert_str_eq(best(database, "how to bake bread"), "bread.txt");
    ernie_close(database);
}
END_TEST

static Suite *suite(void)
{
    const struct {
        const char *name;
        const TTest *tests[24];
    } cases[] = {
        { "index",
          { test_index_then_search_finds_by_meaning_across_languages, test_hits_say_where_they_are,
            test_the_snippet_is_the_sentence_nearest_in_meaning,
            test_second_index_embeds_nothing, test_what_an_older_version_read_is_read_again,
            test_rows_keep_what_documents_say, test_embedding_again_gives_the_same_vectors,
            test_a_change_that_keeps_size_and_time_is_seen,
            test_changed_and_deleted_files_are_followed,
            test_one_file_of_a_folder_can_be_indexed_alone,
            test_an_outer_folder_takes_the_inner_one_over, test_folder_and_database_move_together,
            test_odd_files_do_not_stop_the_rest, test_excluded_and_hidden_files_stay_out,
            test_a_misspelt_path_changes_nothing, test_stopping_keeps_what_was_reported_done,
            test_kill_loses_nothing_reported, test_a_renamed_file_is_the_same_document,
            test_a_renamed_folder_of_thousands_is_not_embedded_again,
            test_what_only_looks_renamed_is_another_document,
            test_what_is_on_a_drive_that_is_not_there_stays } },
        { "complex",
          { test_members_of_archives_are_documents,
            test_an_archive_that_was_cut_short_is_read_again,
            test_a_broken_complex_file_is_remembered, test_files_without_a_reader_are_left_out,
            test_pages_of_a_pdf_are_found, test_words_in_images_are_found_when_asked_for } },
        { "text",
          { test_add_text_replaces_and_removes_by_name,
            test_one_long_document_makes_one_hit_and_many_chunks } },
        { "search", { test_queries_that_cannot_be_answered, test_searching_some_of_the_documents,
            test_k_is_as_large_as_one_likes } },
        { "nearest",
          { test_index_file_missing_damaged_or_foreign_changes_no_answer,
            test_rows_newer_than_the_index_are_found_and_deleted_ones_are_not,
            test_a_restored_backup_does_not_meet_the_index_of_its_future } },
        { "modules",
          { test_prompts_stand_before_questions_and_passages,
            test_vectors_can_be_cut_once_and_for_all,
            test_reembedding_changes_the_length_of_vectors,
            test_two_that_begin_with_other_lengths_do_not_mix_them } },
        { "database",
          { test_a_database_of_another_model_is_refused_and_can_be_moved,
            test_opening_what_is_no_database, test_a_connection_gets_the_functions,
            test_reading_only_changes_nothing,
            test_vectors_that_were_damaged_are_left_out_and_reported } },
    };
    Suite *s = suite_create("database");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TCase *tcase = tcase_create(cases[i].name);

        tcase_add_checked_fixture(tcase, open_default_model, close_model);
        tcase_add_checked_fixture(tcase, make_folder, remove_folder);
        tcase_set_timeout(tcase, 300); /* sanitizers on a busy machine */
        for (size_t j = 0; j < 24 && cases[i].tests[j] != NULL; j++)
            tcase_add_test(tcase, cases[i].tests[j]);
        suite_add_tcase(s, tcase);
    }
    return s;
}

int main(void)
{
    return run_suite(suite());
}
