/* Virtual tables of texts (USING ernie(a, b, …)) by words and by both: each has a mirror, an
 * ordinary table that the same statements change. What words find is what an FTS5 table says
 * that is made of the mirror; what both find is checked against that and against the vectors
 * alone, and under each WHERE against the whole answer without it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "ernie.h"
#include "faults.h"
#include "sql_host.h"
#include "suite.h"
#include "words/match.h"

static ernie_model *model;
static char folder[64];

static sqlite3 *open_at(const char *path)
{
    ernie_error err;
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 20000);
    ck_assert_msg(ernie_register(db, model, &err) == ERNIE_OK, "%s", err.message);
    return db;
}

static void close_db(sqlite3 *db)
{
    /* Nothing of ours may keep it open. */
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* ---- texts and questions ----------------------------------------------- */

static const char *const words[] = {
    "数据库", "备份", "人工智能", "绿茶", "水温", "火车", "晚点", "深度学习", "面包", "日志", "機器",
    "backup", "restoring", "databases", "getUserName", "tea", "trains", "kneading", "2024", "v1.2",
};
#define N_WORDS (int)(sizeof words / sizeof words[0])

static const char *word(void)
{
    return words[below(N_WORDS)];
}

/* A text of some words, which are often the same; one in 60 is long enough for several chunks. */
static void random_text(char *out, size_t size)
{
    const int n = one_in(60) ? 400 : below(7);

    out[0] = '\0';
    for (int i = 0; i < n; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s%s", word(),
                 one_in(3) ? "。" : one_in(2) ? " " : "");
}

/* text(): a random one, NULL or not a text now and then. */
static void fn_text(sqlite3_context *context, int n, sqlite3_value **values)
{
    char text[8000];

    (void)n;
    (void)values;
    random_text(text, sizeof text);
    if (one_in(20))
        sqlite3_result_int(context, below(3000));
    else if (!one_in(10))
        sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void random_question(char *out, size_t size)
{
    const int n = 1 + below(3);

    out[0] = '\0';
    for (int i = 0; i < n; i++) {
        char *at = out + strlen(out);
        const size_t left = size - strlen(out);

        switch (below(9)) {
        case 0:
            snprintf(at, left, "\"%s%s\" ", word(), word());
            break;
        case 1:
            snprintf(at, left, "-%s ", word());
            break;
        case 2:
            snprintf(at, left, "%.3s* ", word());
            break;
        case 3:
            snprintf(at, left, "茶 ");
            break;
        case 4:
            snprintf(at, left, "\"%s\" ", word());
            break;
        case 5:
            snprintf(at, left, "xyzzy ");
            break;
        default:
            snprintf(at, left, "%s ", word());
        }
    }
}

/* ---- the table and its mirror ------------------------------------------ */

static void create(sqlite3 *db, const char *options)
{
    sqlite3_create_function(db, "text", 0, SQLITE_UTF8, NULL, fn_text, NULL, NULL);
    run(db, "CREATE VIRTUAL TABLE v USING ernie(a, b, n INTEGER, tag TEXT%s)", options);
    run(db, "CREATE TABLE m (id INTEGER PRIMARY KEY, a, b, n INTEGER, tag TEXT);"
            "CREATE TABLE other (k INTEGER PRIMARY KEY)");
    for (int i = 0; i < 40; i++)
        run(db, "INSERT OR IGNORE INTO other VALUES (%d)", below(300));
}

static void insert_many(sqlite3 *db, int n)
{
    run(db, "CREATE TEMP TABLE new AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1"
            " FROM c WHERE i < %d) SELECT text() AS a, text() AS b, i AS n, 't' || (i * 7 %% 10)"
            " AS tag FROM c LIMIT %d",
        n, n);
    run(db, "INSERT INTO m(a, b, n, tag) SELECT * FROM new;"
            "INSERT INTO v(a, b, n, tag) SELECT * FROM new; DROP TABLE new");
}

/* The same change to both; what fails in one must fail in the other. */
static void change(sqlite3 *db, int n_rows)
{
    const int id = below(n_rows + 3), id2 = below(n_rows + 3);
    char sql[512];
    int codes[2];

    run(db, "CREATE TEMP TABLE IF NOT EXISTS fresh (a, b); DELETE FROM temp.fresh;"
            " INSERT INTO temp.fresh VALUES (text(), text())");
    switch (below(11)) {
    case 0:
        snprintf(sql, sizeof sql, "DELETE FROM %%s WHERE rowid = %d", id);
        break;
    case 1:
        snprintf(sql, sizeof sql, "DELETE FROM %%s WHERE n BETWEEN %d AND %d", id, id + 3);
        break;
    case 2:
        snprintf(sql, sizeof sql, "UPDATE %%s SET n = n + 1, tag = 'new' WHERE rowid > %d", id);
        break;
    case 3:
        snprintf(sql, sizeof sql,
                 "UPDATE %%s SET a = (SELECT a FROM temp.fresh) WHERE rowid IN (%d, %d)", id, id2);
        break;
    case 4:
        snprintf(sql, sizeof sql,
                 "INSERT INTO %%s(rowid, a, b, n) SELECT %d, a, b, 5 FROM temp.fresh", id);
        break;
    case 5:
        snprintf(sql, sizeof sql,
                 "INSERT OR REPLACE INTO %%s(rowid, a, b) SELECT %d, a, b FROM temp.fresh", id);
        break;
    case 6:
        snprintf(sql, sizeof sql, "UPDATE OR REPLACE %%s SET rowid = %d, b = a WHERE rowid = %d",
                 id2, id);
        break;
    case 7:
        snprintf(sql, sizeof sql, "UPDATE %%s SET rowid = %d WHERE rowid = %d", id2, id);
        break;
    case 8:
        /* The text of both columns stays what it was, but not whose it is. */
        snprintf(sql, sizeof sql, "UPDATE %%s SET a = b, b = a WHERE rowid = %d", id);
        break;
    case 9:
        /* One of several rows is refused: none may stay. */
        snprintf(sql, sizeof sql,
                 "INSERT INTO %%s(rowid, a, n) SELECT column1, a, 8 FROM temp.fresh,"
                 " (VALUES (%d), (%d), (%d))",
                 100000 + id, id, 100000 + id2);
        break;
    default:
        snprintf(sql, sizeof sql, "INSERT INTO %%s(a, b, n, tag) SELECT a, b, %d, 't1' FROM"
                                  " temp.fresh", id);
    }
    codes[0] = try(db, sql, "m");
    codes[1] = try(db, sql, "v");
    ck_assert_msg(codes[0] == codes[1], "%s: %d, not %d: %s", sql, codes[1], codes[0],
                  sqlite3_errmsg(db));
}

/* ---- answers ----------------------------------------------------------- */

struct row {
    sqlite3_int64 id;
    double rank, score;
};

struct answer {
    int n;
    struct row row[4096];
    struct row by_id[4096];
};

static int compare_ids(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static void sort_ids(struct answer *answer)
{
    memcpy(answer->by_id, answer->row, (size_t)answer->n * sizeof *answer->row);
    qsort(answer->by_id, (size_t)answer->n, sizeof *answer->row, compare_ids);
}

/* The rows (id, rank, score) of a query over which ?1 is the question. */
static void ask(sqlite3 *db, const char *sql, const char *question, struct answer *out)
{
    sqlite3_stmt *statement;
    int code;

    out->n = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        ck_abort_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_bind_text(statement, 1, question, -1, SQLITE_STATIC);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        ck_assert_int_lt(out->n, 4096);
        out->row[out->n++] = (struct row){ sqlite3_column_int64(statement, 0),
                                           sqlite3_column_double(statement, 1),
                                           sqlite3_column_double(statement, 2) };
    }
    ck_assert_msg(code == SQLITE_DONE, "%s (%s): %s", sql, question, sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    sort_ids(out);
}

static const struct row *find(const struct answer *answer, sqlite3_int64 id)
{
    const struct row wanted = { .id = id };

    return bsearch(&wanted, answer->by_id, (size_t)answer->n, sizeof wanted, compare_ids);
}

/* The first n of the truth, which is all of it in order. Rows of one rank may come in any order,
 * but each with its own, and once. */
static void check_same(const char *sql, const char *question, const struct answer *ours,
                       const struct answer *truth, int limit)
{
    const int n = limit >= 0 && limit < truth->n ? limit : truth->n;

    ck_assert_msg(ours->n == n, "%s (%s): %d rows, not %d", sql, question, ours->n, n);
    for (int i = 0; i < n; i++) {
        const struct row *row = &ours->row[i], *true_row = find(truth, row->id);

        /* libcheck writes to a file at each of its assertions. */
        if (true_row == NULL)
            ck_abort_msg("%s (%s): row %d: %lld is none", sql, question, i, row->id);
        if (!(fabs(row->rank - truth->row[i].rank) < 1e-9))
            ck_abort_msg("%s (%s): row %d: %.12f, not %.12f", sql, question, i, row->rank,
                         truth->row[i].rank);
        if (!(fabs(row->rank - true_row->rank) < 1e-9))
            ck_abort_msg("%s (%s): row %d: not its rank", sql, question, i);
        if (i > 0 && ours->by_id[i - 1].id == ours->by_id[i].id)
            ck_abort_msg("%s (%s): %lld twice", sql, question, ours->by_id[i].id);
    }
}

/* The rows of an answer that are in another. */
static void keep_those(const struct answer *all, const struct answer *those, struct answer *out)
{
    out->n = 0;
    for (int i = 0; i < all->n; i++)
        if (find(those, all->row[i].id) != NULL)
            out->row[out->n++] = all->row[i];
    sort_ids(out);
}

static void random_condition(char *out, size_t size, const char *t, const char *id, int n_rows)
{
    const int a = below(n_rows + 2), b = one_in(4) ? 1 : 1 + below(n_rows + 1);

    switch (below(9)) {
    case 0:
        snprintf(out, size, "%s.n >= %d AND %s.n < %d", t, a, t, a + b);
        break;
    case 1:
        snprintf(out, size, "%s.tag = 't%d'", t, below(10));
        break;
    case 2:
        snprintf(out, size, "%s.tag IN ('t1', 't%d')", t, below(10));
        break;
    case 3:
        snprintf(out, size, "%s.%s IN (%d, %d, %d, 0)", t, id, a, b, a + b);
        break;
    case 4:
        snprintf(out, size, "%s.%s = %d", t, id, a);
        break;
    case 5:
        snprintf(out, size, "%s.n %% %d = 1", t, 1 + below(40));
        break;
    case 6:
        snprintf(out, size, "%s.n = %d", t, a);
        break;
    case 7:
        snprintf(out, size, "%s.n IN (SELECT k FROM other WHERE k < %d)", t, a);
        break;
    default:
        snprintf(out, size, "%s.a LIKE '%%茶%%'", t);
    }
}

/* What FTS5 says of the mirror's texts. */
static void make_peer(sqlite3 *db)
{
    run(db, "DROP TABLE IF EXISTS temp.peer;"
            "CREATE VIRTUAL TABLE temp.peer USING fts5(a, b, tokenize = 'ernie');"
            "INSERT INTO temp.peer(rowid, a, b) SELECT id, a, b FROM m");
}

static void ask_peer(sqlite3 *db, const char *expression, struct answer *out)
{
    ask(db, "SELECT rowid, bm25(peer), 0 FROM temp.peer WHERE peer MATCH ?1 ORDER BY 2", expression,
        out);
}

/* What words and vectors say, each by itself and of all rows. */
struct sides {
    struct answer words, vectors;
};

static void ask_sides(sqlite3 *db, const char *question, struct sides *out)
{
    struct buffer expression = { 0 };

    match_append(&expression, question, strlen(question));
    make_peer(db);
    ask_peer(db, expression.data, &out->words);
    buffer_reset(&expression);
    ask(db, "SELECT rowid, rank, score FROM v(?1, NULL, 'vector')", question, &out->vectors);
}

/* The whole answer by both: which rows, their scores, and that a rank is a sum of something
 * that grows with the score, in proportion, and something that grows with bm25. */
static void check_hybrid(sqlite3 *db, const char *question, const struct sides *sides,
                         const struct answer *hybrid)
{
    static struct answer filtered;
    struct buffer expression = { 0 };
    const enum match_filter filter = match_filter_append(&expression, question, strlen(question));
    const struct row *first = NULL, *last = NULL;
    int n = 0;

    filtered.n = 0;
    if (filter != MATCH_ALL)
        ask_peer(db, expression.data, &filtered);
    buffer_reset(&expression);
    for (int i = 0; i < sides->vectors.n; i++) {
        const sqlite3_int64 id = sides->vectors.row[i].id;
        const int is_there = find(&filtered, id) != NULL;
        const int should = filter == MATCH_ALL || is_there == (filter == MATCH_ONLY);
        const struct row *row = find(hybrid, id);

        ck_assert_msg(should == (row != NULL), "%s: row %lld", question, id);
        n += should;
        if (row == NULL)
            continue;
        ck_assert_double_eq_tol(row->score, sides->vectors.row[i].score, 1e-9);
        if (find(&sides->words, id) == NULL) {
            first = first == NULL ? row : first;
            last = row;
        }
    }
    ck_assert_int_eq(hybrid->n, n);
    for (int i = 1; i < hybrid->n; i++)
        ck_assert(hybrid->row[i - 1].rank <= hybrid->row[i].rank);
    if (first == NULL || first->score - last->score < 1e-3)
        return;
    for (int i = 0; i < hybrid->n; i++) {
        const double slope = (last->rank - first->rank) / (last->score - first->score);
        double gain[2] = { 0 }, bm25[2] = { 0 };

        ck_assert(slope < 0);
        for (int j = 0; j < 2; j++) {
            const struct row *row = &hybrid->row[(i + j) % hybrid->n];
            const struct row *by_words = find(&sides->words, row->id);

            bm25[j] = by_words != NULL ? -by_words->rank : 0;
            gain[j] = first->rank + slope * (row->score - first->score) - row->rank;
        }
        ck_assert_msg(fabs(bm25[0] - bm25[1]) < 1e-9 ? fabs(gain[0] - gain[1]) < 1e-6
                      : bm25[0] < bm25[1]            ? gain[0] <= gain[1] + 1e-6
                                                     : gain[1] <= gain[0] + 1e-6,
                      "%s: bm25 %g gives %g, %g gives %g", question, bm25[0], gain[0], bm25[1],
                      gain[1]);
    }
}

/* One random question in each mode, as a whole and with a condition. */
static void check_question(sqlite3 *db, int n_rows)
{
    static const char *const modes[] = { "hybrid", "keyword", "vector" };
    static struct answer whole, ours, those, truth;
    static struct sides sides;
    char question[256], condition[256], sql[1024];
    uint64_t at;

    random_question(question, sizeof question);
    ask_sides(db, question, &sides);
    at = state;
    random_condition(condition, sizeof condition, "m", "id", n_rows);
    snprintf(sql, sizeof sql, "SELECT m.id, 0, 0 FROM m WHERE %s", condition);
    ask(db, sql, NULL, &those);
    state = at; /* the same once more */
    random_condition(condition, sizeof condition, "v", "rowid", n_rows);
    for (int mode = 0; mode < 3; mode++) {
        const int limit = one_in(3) ? -1 : below(40), k = 1 + below(20);
        int first_k;

        snprintf(sql, sizeof sql, "SELECT rowid, rank, score FROM v WHERE v MATCH ?1 AND mode = '%s'",
                 modes[mode]);
        ask(db, sql, question, &whole);
        if (mode == 0)
            check_hybrid(db, question, &sides, &whole);
        else
            check_same(sql, question, &whole, mode == 1 ? &sides.words : &sides.vectors, -1);
        keep_those(&whole, &those, &truth);
        snprintf(sql, sizeof sql,
                 "SELECT v.rowid, v.rank, v.score FROM v WHERE v MATCH ?1 AND mode = '%s' AND %s"
                 " ORDER BY v.rank LIMIT %d",
                 modes[mode], condition, limit);
        ask(db, sql, question, &ours);
        check_same(sql, question, &ours, &truth, limit);
        /* k counts before the condition. */
        first_k = whole.n < k ? whole.n : k;
        if (first_k == whole.n || whole.row[first_k - 1].rank != whole.row[first_k].rank) {
            whole.n = first_k;
            keep_those(&whole, &those, &truth);
            snprintf(sql, sizeof sql,
                     "SELECT v.rowid, v.rank, v.score FROM v(?1, %d, '%s') AS v WHERE %s"
                     " ORDER BY v.score DESC",
                     k, modes[mode], condition);
            ask(db, sql, question, &ours);
            ck_assert_int_eq(ours.n, truth.n);
            for (int i = 0; i < ours.n; i++) {
                ck_assert_ptr_nonnull(find(&truth, ours.row[i].id));
                ck_assert(i == 0 || ours.row[i - 1].score >= ours.row[i].score);
            }
        }
        /* By cosine, whatever the mode finds; in a join. */
        snprintf(sql, sizeof sql,
                 "SELECT v.rowid, v.distance - 1, v.rank FROM v JOIN m ON m.id = v.rowid"
                 " WHERE v MATCH ?1 AND mode = '%s' AND %s ORDER BY v.distance",
                 modes[mode], condition);
        ask(db, sql, question, &ours);
        snprintf(sql, sizeof sql,
                 "SELECT v.rowid, -v.score, v.rank FROM v JOIN m ON m.id = v.rowid"
                 " WHERE v MATCH ?1 AND mode = '%s' AND %s ORDER BY +v.distance",
                 modes[mode], condition);
        ask(db, sql, question, &truth);
        check_same(sql, question, &ours, &truth, -1);
    }
}

static void check_whole(sqlite3 *db)
{
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM (SELECT rowid, a, b, n, tag FROM v"
                                     " EXCEPT SELECT * FROM m)"),
                     0);
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
}

/* ---- tests ------------------------------------------------------------- */

START_TEST(test_answers_are_those_of_fts5_and_of_both)
{
    for (int table = 0; table < 40; table++) {
        const int n = one_in(4) ? below(4) : below(120);
        sqlite3 *db = open_at(":memory:");

        create(db, "");
        insert_many(db, n);
        for (int i = 0; i < 8; i++)
            check_question(db, n);
        check_whole(db);
        close_db(db);
    }
}
END_TEST

/* So many that conditions are looked up first (vectors_question.c). */
START_TEST(test_answers_in_a_larger_table)
{
    sqlite3 *db = open_at(":memory:");

    create(db, ", vector=f16");
    insert_many(db, 2500);
    for (int i = 0; i < 25; i++)
        check_question(db, 2500);
    close_db(db);
}
END_TEST

/* Statements that change, savepoints and transactions at random, in a file and in memory. */
START_TEST(test_changes_follow_the_mirror)
{
    for (int table = 0; table < 40; table++) {
        const int in_memory = one_in(3);
        char file[300];
        sqlite3 *db;
        int n = below(40), depth = 0;

        snprintf(file, sizeof file, "%s/changes-%d.db", folder, table);
        db = open_at(in_memory ? ":memory:" : file);
        if (one_in(2))
            run(db, "PRAGMA journal_mode = WAL");
        if (one_in(4))
            run(db, "PRAGMA encoding = 'UTF-16'");
        create(db, "");
        insert_many(db, n);
        for (int step = 0; step < 50; step++) {
            switch (below(12)) {
            case 0:
                run(db, "SAVEPOINT s%d", depth++);
                break;
            case 1:
                if (depth > 0)
                    run(db, "ROLLBACK TO s%d", below(depth));
                break;
            case 2:
                if (depth > 0) {
                    depth = below(depth);
                    run(db, "RELEASE s%d", depth);
                }
                break;
            case 3:
                if (sqlite3_get_autocommit(db))
                    run(db, "BEGIN; SAVEPOINT s%d", depth++);
                break;
            case 4:
                if (!sqlite3_get_autocommit(db) && one_in(2)) {
                    run(db, one_in(2) ? "COMMIT" : "ROLLBACK");
                    depth = 0;
                }
                break;
            case 5:
                if (one_in(3))
                    run(db, "ALTER TABLE v RENAME TO w; ALTER TABLE w RENAME TO v");
                break;
            default:
                change(db, n + step);
            }
            if (one_in(6))
                check_question(db, n);
            /* ROLLBACK TO keeps its own savepoint, and forgets those after it. */
            while (depth > 0 && try(db, "SAVEPOINT probe; RELEASE probe; ROLLBACK TO s%d",
                                    depth - 1) != SQLITE_OK)
                depth--;
        }
        if (!sqlite3_get_autocommit(db))
            run(db, "COMMIT");
        check_whole(db);
        check_question(db, n);
        if (one_in(4)) {
            run(db, "INSERT INTO v(v) VALUES ('%s')", one_in(2) ? "optimize" : "rebuild");
            check_whole(db);
        }
        if (one_in(4))
            run(db, "VACUUM");
        close_db(db);
        if (in_memory)
            continue;
        db = open_at(file);
        check_whole(db);
        check_question(db, n);
        close_db(db);
    }
}
END_TEST

/* Another process writes rows to v and m in one transaction, and this one never sees half. */
START_TEST(test_another_process_writes)
{
    char file[300], byte = 0;
    int status, n_seen = 0, ready[2];
    sqlite3 *db;
    pid_t child;

    snprintf(file, sizeof file, "%s/two.db", folder);
    db = open_at(file);
    run(db, "PRAGMA journal_mode = WAL");
    create(db, "");
    close_db(db);
    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        db = open_at(file);
        sqlite3_create_function(db, "text", 0, SQLITE_UTF8, NULL, fn_text, NULL, NULL);
        if (read(ready[0], &byte, 1) != 1)
            _exit(1);
        for (int i = 0; i < 25; i++) {
            if (try(db, "BEGIN IMMEDIATE") != SQLITE_OK)
                _exit(2);
            insert_many(db, 1 + below(10));
            change(db, 100);
            if (try(db, one_in(4) ? "ROLLBACK" : "COMMIT") != SQLITE_OK)
                _exit(3);
            usleep(5000);
        }
        _exit(sqlite3_close(db) == SQLITE_OK ? 0 : 5);
    }
    db = open_at(file);
    sqlite3_create_function(db, "text", 0, SQLITE_UTF8, NULL, fn_text, NULL, NULL);
    ck_assert_int_eq((int)write(ready[1], &byte, 1), 1);
    while (waitpid(child, &status, WNOHANG) == 0) {
        int n;

        run(db, "BEGIN");
        n = (int)number(db, "SELECT count(*) FROM m");
        n_seen += n > 0;
        check_question(db, n);
        run(db, "COMMIT");
        if (one_in(5)) { /* both write, too */
            run(db, "BEGIN IMMEDIATE");
            change(db, n);
            run(db, "COMMIT");
        }
    }
    close(ready[0]);
    close(ready[1]);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_gt(n_seen, 0);
    check_whole(db);
    close_db(db);
}
END_TEST

/* ---- damage ------------------------------------------------------------ */

START_TEST(test_the_check_finds_words_that_are_not_the_rows)
{
    static const char *const damages[] = {
        "INSERT INTO v_words(v_words) VALUES ('delete-all')",
        "INSERT INTO v_words(rowid, c0) VALUES (5, 'more')",
        "INSERT INTO v_words(rowid, c0) VALUES (99, 'a row that is none')",
        "INSERT INTO v_words(v_words, rowid, c0) VALUES ('delete', 5, 'other words')",
        "UPDATE v_content SET c0 = c0 || ' changed' WHERE id = 5",
        "UPDATE v_content SET c0 = c1, c1 = c0 WHERE id = 5",
        "DELETE FROM v_words_docsize WHERE id = 5",
        "DELETE FROM v_words_data WHERE id > 10",
        "UPDATE v_words_data SET block = zeroblob(20) WHERE id > 10",
    };
    sqlite3 *db = open_at(":memory:");

    create(db, "");
    run(db, "INSERT INTO v(rowid, a, b) VALUES (1, '绿茶', 'tea'), (5, '火车', 'train'), (6, 'x', NULL)");
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        run(db, "BEGIN");
        if (try(db, "%s", damages[i]) == SQLITE_OK) {
            ck_assert_msg(try(db, "INSERT INTO v(v) VALUES ('integrity-check')") != SQLITE_OK, "%s",
                          damages[i]);
            try(db, "SELECT * FROM v('茶 train')"); /* no crash */
            run(db, "INSERT INTO v(v) VALUES ('rebuild')");
            run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
            ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v('绿茶', NULL, 'keyword')"), 1);
        }
        run(db, "ROLLBACK");
        run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    }
    close_db(db);
}
END_TEST

/* Words that a database brings with it, made to hurt: no crash, no hang. */
START_TEST(test_hostile_words)
{
    static const char *const tricks[] = {
        "DROP TABLE v_words",
        "DROP TABLE v_words_docsize",
        "DROP TABLE v_words_data",
        "DROP TABLE v_words_config",
        "DELETE FROM v_words_config",
        "DELETE FROM v_words_data",
        "UPDATE v_words_data SET block = randomblob(length(block))",
        "UPDATE v_words_docsize SET sz = x'ffffffffffffffffffff'",
        "UPDATE v_words_docsize SET sz = NULL",
        "UPDATE v_words_docsize SET sz = 'text'",
        "UPDATE v_words_docsize SET id = -id",
        "DROP TABLE v_words; CREATE TABLE v_words (c0, c1)",
        "DROP TABLE v_words; CREATE VIRTUAL TABLE v_words USING fts5(c0, c1)",
        "DROP TABLE v_words; CREATE VIRTUAL TABLE v_words USING fts5(x)",
        "DROP TABLE v_words; CREATE VIRTUAL TABLE v_words USING fts5(c0, c1, content='v')",
        "DROP TABLE v_words; CREATE VIEW v_words AS SELECT 1 AS rowid, 2 AS c0, 3 AS c1",
        "UPDATE v_meta SET value = '1' WHERE key = 'schema_version'",
        "UPDATE v_meta SET value = '99' WHERE key = 'schema_version'",
    };

    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        sqlite3 *db = open_at(":memory:");

        create(db, "");
        insert_many(db, 20);
        run(db, tricks[i]);
        try(db, "SELECT *, snippet, rank FROM v('茶 -日志')");
        try(db, "SELECT *, snippet, rank FROM v('\"茶\" tea', NULL, 'keyword')");
        try(db, "SELECT * FROM v");
        try(db, "INSERT INTO v(a) VALUES ('茶')");
        try(db, "UPDATE v SET a = 'tea', n = 3");
        try(db, "DELETE FROM v WHERE rowid < 4");
        try(db, "INSERT INTO v(v) VALUES ('integrity-check')");
        try(db, "INSERT INTO v(v) VALUES ('optimize')");
        try(db, "INSERT INTO v(v) VALUES ('rebuild')");
        try(db, "ALTER TABLE v RENAME TO w");
        try(db, "DROP TABLE w");
        try(db, "DROP TABLE v");
        close_db(db);
    }
}
END_TEST

/* What a table was before there were words. */
static void make_old(sqlite3 *db)
{
    run(db, "DROP TABLE v_words; UPDATE v_meta SET value = '1' WHERE key = 'schema_version'");
}

START_TEST(test_tables_made_before_there_were_words)
{
    static struct answer ours;
    char file[300];
    sqlite3 *db;

    snprintf(file, sizeof file, "%s/old.db", folder);
    db = open_at(file);
    create(db, "");
    insert_many(db, 20);
    make_old(db);
    close_db(db);
    db = open_at(file);
    sqlite3_create_function(db, "text", 0, SQLITE_UTF8, NULL, fn_text, NULL, NULL);
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v('茶') WHERE mode <> 'vector'"), 0);
    for (int i = 0; i < 20; i++)
        change(db, 20);
    run(db, "ALTER TABLE v RENAME TO w; ALTER TABLE w RENAME TO v");
    check_whole(db);
    ck_assert_int_eq(try(db, "SELECT * FROM v('茶', 3, 'keyword')"), SQLITE_ERROR);
    ck_assert_ptr_nonnull(strstr(sqlite3_errmsg(db), "INSERT INTO v(v) VALUES('rebuild')"));
    run(db, "INSERT INTO v(v) VALUES ('rebuild')");
    check_whole(db);
    ask(db, "SELECT rowid, rank, score FROM v(?1) WHERE mode = 'hybrid'", "茶", &ours);
    ck_assert_int_gt(ours.n, 0);
    for (int i = 0; i < 20; i++)
        change(db, 20);
    check_whole(db);
    check_question(db, 20);
    close_db(db);
}
END_TEST

/* A host whose SQLite has no FTS5. */
static sqlite3 *open_without_fts5(const char *path)
{
    ernie_error err;
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_create_function(db, "fts5", 1, SQLITE_UTF8, NULL, NULL, NULL, NULL);
    sqlite3_drop_modules(db, NULL);
    ck_assert_int_eq(ernie_register(db, model, &err), ERNIE_OK);
    return db;
}

START_TEST(test_a_host_without_fts5)
{
    char file[300];
    sqlite3 *db;

    snprintf(file, sizeof file, "%s/none.db", folder);
    db = open_without_fts5(file);
    run(db, "CREATE VIRTUAL TABLE v USING ernie(a)");
    run(db, "INSERT INTO v(a) VALUES ('tea'), ('bread')");
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v('tea') WHERE mode = 'vector'"), 2);
    ck_assert_int_eq(try(db, "SELECT * FROM v('tea', 3, 'keyword')"), SQLITE_ERROR);
    ck_assert_ptr_nonnull(strstr(sqlite3_errmsg(db), "no FTS5"));
    run(db, "INSERT INTO v(v) VALUES ('rebuild'); INSERT INTO v(v) VALUES ('integrity-check')");
    close_db(db);
    db = open_at(file);
    run(db, "INSERT INTO v(v) VALUES ('rebuild')");
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v('tea', NULL, 'keyword')"), 1);
    close_db(db);
    /* It has words now: such a host can ask vectors, and nothing that it says is wrong. */
    db = open_without_fts5(file);
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v('tea', NULL, 'vector')"), 2);
    ck_assert_int_eq(try(db, "SELECT * FROM v('tea')"), SQLITE_ERROR);
    ck_assert_int_eq(try(db, "INSERT INTO v(a) VALUES ('milk')"), SQLITE_ERROR);
    ck_assert_ptr_nonnull(strstr(sqlite3_errmsg(db), "no FTS5"));
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v"), 2);
    close_db(db);
}
END_TEST

START_TEST(test_rows_of_another_table)
{
    sqlite3 *db = open_at(":memory:");

    run(db, "CREATE TABLE posts (id INTEGER PRIMARY KEY, \"the title\", text);"
            "CREATE VIRTUAL TABLE v USING ernie(\"the title\", text, content=posts);"
            "CREATE TRIGGER i AFTER INSERT ON posts BEGIN INSERT INTO v(rowid, \"the title\", text)"
            " VALUES (NEW.id, NEW.\"the title\", NEW.text); END;"
            "CREATE TRIGGER u AFTER UPDATE ON posts BEGIN UPDATE v SET text = NEW.text,"
            " rowid = NEW.id WHERE rowid = OLD.id; END;"
            "CREATE TRIGGER d AFTER DELETE ON posts BEGIN DELETE FROM v WHERE rowid = OLD.id; END");
    run(db, "INSERT INTO posts VALUES (1, '茶', 'green tea'), (2, 'bread', 'knead'), (3, NULL, NULL)");
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    ck_assert_int_eq((int)number(db, "SELECT rowid FROM v('tea', NULL, 'keyword')"), 1);
    run(db, "UPDATE posts SET text = 'black coffee' WHERE id = 1");
    run(db, "UPDATE posts SET id = 7, text = 'tea' WHERE id = 2; DELETE FROM posts WHERE id = 3");
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    ck_assert_int_eq((int)number(db, "SELECT rowid FROM v('tea', NULL, 'keyword')"), 7);
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v('green', NULL, 'keyword')"), 0);
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v_words_docsize"), 2);
    run(db, "DROP TRIGGER u; UPDATE posts SET text = 'nobody was told' WHERE id = 7");
    ck_assert_int_ne(try(db, "INSERT INTO v(v) VALUES ('integrity-check')"), SQLITE_OK);
    run(db, "INSERT INTO v(v) VALUES ('rebuild'); INSERT INTO v(v) VALUES ('integrity-check')");
    ck_assert_int_eq((int)number(db, "SELECT rowid FROM v('told', NULL, 'keyword')"), 7);
    close_db(db);
}
END_TEST

/* ---- memory ------------------------------------------------------------ */

static const char *const each_statement[] = {
    "CREATE VIRTUAL TABLE w USING ernie(a, b, n INTEGER, words=on)",
    "INSERT INTO v(a, b, n) VALUES ('绿茶', 'green tea', 3)",
    "UPDATE v SET a = 'bread' WHERE rowid % 3 = 1",
    "UPDATE v SET rowid = rowid + 1000 WHERE rowid = 2",
    "REPLACE INTO v(rowid, a) VALUES (4, 'trains')",
    "DELETE FROM v WHERE rowid = 5",
    "SELECT *, score, rank, snippet FROM v('茶 -面包')",
    "SELECT *, score, rank, snippet FROM v('\"绿茶\" tea', NULL, 'hybrid') WHERE n > 3",
    "SELECT *, snippet FROM v('茶 bread', NULL, 'keyword') ORDER BY score DESC",
    "SELECT *, snippet FROM v('茶', NULL, 'keyword') WHERE rowid IN (1, 2, 3, 4)",
    "INSERT INTO v(v) VALUES ('integrity-check')",
    "INSERT INTO v(v) VALUES ('optimize')",
    "INSERT INTO v(v) VALUES ('rebuild')",
    "ALTER TABLE v RENAME TO x",
    "ALTER TABLE x RENAME TO v",
    "DROP TABLE w",
};

/* Every allocation of ours fails once, and those after it: an error, nothing else, and what was
 * begun is undone. */
START_TEST(test_each_allocation_fails)
{
    sqlite3 *db = open_at(":memory:");

    create(db, "");
    insert_many(db, 20);
    for (size_t i = 0; i < sizeof each_statement / sizeof each_statement[0]; i++) {
        int code = SQLITE_NOMEM;

        for (int k = 0; code != SQLITE_OK; k++) {
            ck_assert_msg(k < 20000, "%s", each_statement[i]);
            fail_allocations_from(k);
            code = try(db, "%s", each_statement[i]);
            stop_failing();
            ck_assert_msg(code == SQLITE_OK || code == SQLITE_NOMEM, "%s, %d: %d: %s",
                          each_statement[i], k, code, sqlite3_errmsg(db));
        }
    }
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    close_db(db);
}
END_TEST

/* The same of SQLite's memory, and FTS5's. */
START_TEST(test_memory_of_sqlite_runs_out)
{
    sqlite3 *db = open_at(":memory:");
    int n_failed = 0;

    create(db, "");
    insert_many(db, 40);
    run(db, "SELECT * FROM v('茶')"); /* what is allocated once */
    for (int extra = 0; extra < 300000; extra += extra < 20000 ? 1511 : 30011)
        for (size_t i = 1; i + 3 < sizeof each_statement / sizeof each_statement[0]; i++) {
            sqlite3_hard_heap_limit64(sqlite3_memory_used() + extra);
            n_failed += try(db, "%s", each_statement[i]) != SQLITE_OK;
            sqlite3_hard_heap_limit64(0);
        }
    ck_assert_int_gt(n_failed, 10);
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    close_db(db);
}
END_TEST

/* ---- the whole --------------------------------------------------------- */

static void set_up(void)
{
    const char *srcdir = getenv("srcdir");
    char directory[256];
    ernie_error err;

    state = 20261125;
    snprintf(folder, sizeof folder, "/tmp/check_vectors_words.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(directory, sizeof directory, "%s/models/ernie-micro-zh-en",
             srcdir != NULL ? srcdir : ".");
    ck_assert_msg(ernie_model_open(directory, &model, &err) == ERNIE_OK, "%s", err.message);
}

static void tear_down(void)
{
    char command[128];

    ernie_model_close(model);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

int main(void)
{
    Suite *suite = suite_create("vectors_words");
    TCase *tcase = tcase_create("vectors_words");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, test_answers_are_those_of_fts5_and_of_both);
    tcase_add_test(tcase, test_answers_in_a_larger_table);
    tcase_add_test(tcase, test_changes_follow_the_mirror);
    tcase_add_test(tcase, test_another_process_writes);
    tcase_add_test(tcase, test_the_check_finds_words_that_are_not_the_rows);
    tcase_add_test(tcase, test_hostile_words);
    tcase_add_test(tcase, test_tables_made_before_there_were_words);
    tcase_add_test(tcase, test_a_host_without_fts5);
    tcase_add_test(tcase, test_rows_of_another_table);
    tcase_add_test(tcase, test_each_allocation_fails);
    tcase_add_test(tcase, test_memory_of_sqlite_runs_out);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
