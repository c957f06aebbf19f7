/* Virtual tables of vectors (USING ernie(embedding float[N], …)) against brute force: each
 * has a mirror, an ordinary table that the same statements change, and the answer is what
 * SQL says of the mirror with a plain cosine in double precision. The extension is loaded
 * into libsqlite3 as any host does it. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sql_host.h"
#include "suite.h"

/* ---- a connection ------------------------------------------------------ */

/* cosine(A, B) of two BLOBs of floats, with nothing of ours in it. */
static void fn_cosine(sqlite3_context *context, int n, sqlite3_value **values)
{
    const int size = sqlite3_value_bytes(values[0]);
    double ab = 0, aa = 0, bb = 0;

    (void)n;
    if (sqlite3_value_type(values[0]) != SQLITE_BLOB || size != sqlite3_value_bytes(values[1]))
        return;
    for (int i = 0; i < size / 4; i++) {
        float a, b;

        memcpy(&a, (const char *)sqlite3_value_blob(values[0]) + 4 * i, 4);
        memcpy(&b, (const char *)sqlite3_value_blob(values[1]) + 4 * i, 4);
        ab += (double)a * b;
        aa += (double)a * a;
        bb += (double)b * b;
    }
    sqlite3_result_double(context, ab / sqrt(aa * bb));
}

/* vector(D) is a random one; few values, so that scores are often equal. */
static void fn_vector(sqlite3_context *context, int n, sqlite3_value **values)
{
    const int dim = sqlite3_value_int(values[0]);
    float *vector = malloc((size_t)dim * sizeof *vector);

    (void)n;
    for (int i = 0; i < dim; i++)
        vector[i] = (float)(below(9) - 4) / 2;
    vector[below(dim)] = 1;
    sqlite3_result_blob(context, vector, dim * 4, free);
}

static char folder[256];

static sqlite3 *open_at(const char *path)
{
    const char *build = getenv("builddir");
    char extension[512], *message = NULL;
    sqlite3 *db;

    snprintf(extension, sizeof extension, "%s/ernie.so", build != NULL ? build : ".");
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 20000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    if (sqlite3_load_extension(db, extension, NULL, &message) != SQLITE_OK)
        ck_abort_msg("%s", message);
    sqlite3_create_function(db, "cosine", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, fn_cosine,
                            NULL, NULL);
    sqlite3_create_function(db, "vector", 1, SQLITE_UTF8, NULL, fn_vector, NULL, NULL);
    return db;
}

static void close_db(sqlite3 *db)
{
    /* Nothing of ours may keep it open. */
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* ---- answers ----------------------------------------------------------- */

struct answer {
    int n;
    sqlite3_int64 id[8192];
    double score[8192];
};

/* The rows (id, score) of a query over which ?1 is the question. */
static void ask(sqlite3 *db, const char *sql, sqlite3_value *question, struct answer *out)
{
    sqlite3_stmt *statement;
    int code;

    out->n = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        ck_abort_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_bind_value(statement, 1, question);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        ck_assert_int_lt(out->n, 8192);
        out->id[out->n] = sqlite3_column_int64(statement, 0);
        out->score[out->n++] = sqlite3_column_double(statement, 1);
    }
    ck_assert_msg(code == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_finalize(statement);
}

static sqlite3_value *make_vector(sqlite3 *db, int dim)
{
    sqlite3_stmt *statement;
    sqlite3_value *value;

    sqlite3_prepare_v2(db, "SELECT vector(?1)", -1, &statement, NULL);
    sqlite3_bind_int(statement, 1, dim);
    sqlite3_step(statement);
    value = sqlite3_value_dup(sqlite3_column_value(statement, 0));
    sqlite3_finalize(statement);
    return value;
}

/* The first n of the true answer, which is all of it in order. Rows of one score may come in
 * any order, but each with its own score, and once. */
static void check_same(const char *sql, const struct answer *ours, const struct answer *truth,
                       int limit)
{
    const int n = limit >= 0 && limit < truth->n ? limit : truth->n;

    ck_assert_msg(ours->n == n, "%s: %d rows, not %d", sql, ours->n, n);
    for (int i = 0; i < n; i++) {
        int of = -1;

        ck_assert_msg(fabs(ours->score[i] - truth->score[i]) < 1e-9, "%s: row %d: %.12f, not %.12f",
                      sql, i, ours->score[i], truth->score[i]);
        for (int j = 0; j < truth->n; j++)
            if (truth->id[j] == ours->id[i])
                of = j;
        ck_assert_msg(of >= 0, "%s: row %d: %lld is none", sql, i, ours->id[i]);
        ck_assert_msg(fabs(ours->score[i] - truth->score[of]) < 1e-9, "%s: row %d: not its score",
                      sql, i);
        for (int j = 0; j < i; j++)
            ck_assert_msg(ours->id[j] != ours->id[i], "%s: %lld twice", sql, ours->id[i]);
    }
}

/* ---- conditions -------------------------------------------------------- */

/* A condition over table t, whose columns are named as the mirror's but for the rowid. */
static void random_condition(char *out, size_t size, const char *t, int n_rows)
{
    const int a = below(n_rows + 2), b = below(4) == 0 ? 1 : 1 + below(n_rows + 1);

    switch (below(17)) {
    case 0:
        snprintf(out, size, "1");
        break;
    case 1:
        snprintf(out, size, "%s.n >= %d AND %s.n < %d", t, a, t, a + b);
        break;
    case 2:
        snprintf(out, size, "%s.n = %d", t, a);
        break;
    case 3:
        snprintf(out, size, "%s.tag = 't%d'", t, below(10));
        break;
    case 4:
        snprintf(out, size, "%s.tag IN ('t1', 't%d', 'none')", t, below(10));
        break;
    case 5:
        snprintf(out, size, "%s.x < %d.5", t, below(100));
        break;
    case 6:
        snprintf(out, size, "%s.rowid BETWEEN %d AND %d", t, a, a + b);
        break;
    case 7:
        snprintf(out, size, "%s.rowid IN (%d, %d, %d, 0, -1)", t, a, b, a + b);
        break;
    case 8:
        snprintf(out, size, "%s.rowid = %d", t, a);
        break;
    case 9:
        snprintf(out, size, "%s.n %% %d = 1", t, 1 + b);
        break;
    case 10:
        snprintf(out, size, "%s.tag LIKE 't%d%%' AND %s.n > %d", t, below(10), t, a);
        break;
    case 11:
        snprintf(out, size, "%s.n IN (SELECT k FROM other WHERE k < %d)", t, a);
        break;
    case 12:
        snprintf(out, size, "(%s.n = %d OR %s.tag = 't3')", t, a, t);
        break;
    case 13:
        /* Numbers beside text, text beside numbers: what affinities are for. */
        snprintf(out, size, "%s.mixed = %s", t, one_in(2) ? "7" : "'07'");
        break;
    case 14:
        snprintf(out, size, "%s.n > '%d'", t, a);
        break;
    case 15:
        snprintf(out, size, "%s.tag = 'T%d' COLLATE NOCASE", t, below(10));
        break;
    default:
        snprintf(out, size, "%s.tag IS NULL", t);
    }
}

/* How the question is put around a condition. */
static void random_queries(char *ours, char *truth, size_t size, const char *condition_ours,
                           const char *condition_truth)
{
    static const char *const orders[] = { "v.rank", "v.score DESC", "v.distance" };
    const char *order = orders[below(3)];

    switch (below(6)) {
    case 0:
        snprintf(ours, size, "SELECT v.rowid, v.score FROM v(?1) WHERE %s ORDER BY %s",
                 condition_ours, order);
        break;
    case 1:
        snprintf(ours, size,
                 "SELECT v.rowid, v.score FROM v JOIN other ON other.k = v.n"
                 " WHERE v MATCH ?1 AND %s ORDER BY %s",
                 condition_ours, order);
        snprintf(truth, size,
                 "SELECT m.rowid, cosine(m.e, ?1) AS c FROM m JOIN other ON other.k = m.n"
                 " WHERE m.e IS NOT NULL AND %s ORDER BY c DESC",
                 condition_truth);
        return;
    case 2:
        snprintf(ours, size,
                 "SELECT v.rowid, v.score FROM other JOIN v ON v.rowid = other.k"
                 " WHERE v.e MATCH ?1 AND %s ORDER BY %s",
                 condition_ours, order);
        snprintf(truth, size,
                 "SELECT m.rowid, cosine(m.e, ?1) AS c FROM m JOIN other ON other.k = m.rowid"
                 " WHERE m.e IS NOT NULL AND %s ORDER BY c DESC",
                 condition_truth);
        return;
    case 3:
        /* The other side's type decides what is compared. */
        snprintf(ours, size,
                 "SELECT v.rowid, v.score FROM v JOIN other ON v.mixed = other.k"
                 " WHERE v MATCH ?1 AND %s ORDER BY %s",
                 condition_ours, order);
        snprintf(truth, size,
                 "SELECT m.rowid, cosine(m.e, ?1) AS c FROM m JOIN other ON m.mixed = other.k"
                 " WHERE m.e IS NOT NULL AND %s ORDER BY c DESC",
                 condition_truth);
        return;
    default:
        snprintf(ours, size, "SELECT v.rowid, v.score FROM v WHERE v MATCH ?1 AND %s ORDER BY %s",
                 condition_ours, order);
    }
    snprintf(truth, size,
             "SELECT m.rowid, cosine(m.e, ?1) AS c FROM m WHERE m.e IS NOT NULL AND %s"
             " ORDER BY c DESC",
             condition_truth);
}

/* One random question to v, and the same to m. */
static void check_question(sqlite3 *db, int dim, int n_rows)
{
    static struct answer ours, truth;
    char condition_ours[256], condition_truth[256], sql[1024], true_sql[1024];
    const int limit = one_in(3) ? -1 : below(40);
    const uint64_t at = state;
    sqlite3_value *question;

    random_condition(condition_ours, sizeof condition_ours, "v", n_rows);
    state = at; /* the same once more */
    random_condition(condition_truth, sizeof condition_truth, "m", n_rows);
    random_queries(sql, true_sql, sizeof sql, condition_ours, condition_truth);
    if (limit >= 0)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), " LIMIT %d", limit);
    question = make_vector(db, dim);
    ask(db, sql, question, &ours);
    ask(db, true_sql, question, &truth);
    check_same(sql, &ours, &truth, limit);
    sqlite3_value_free(question);
}

/* ---- changes ----------------------------------------------------------- */

/* v and its mirror m. */
static void create(sqlite3 *db, int dim, const char *options)
{
    run(db, "CREATE VIRTUAL TABLE v USING ernie(e float[%d], n INTEGER, x REAL, tag TEXT,"
            " mixed TEXT, note%s)",
        dim, options);
    run(db, "CREATE TABLE m (id INTEGER PRIMARY KEY, e, n INTEGER, x REAL, tag TEXT, mixed TEXT,"
            " note)");
    run(db, "CREATE TABLE other (k INTEGER PRIMARY KEY)");
    run(db, "INSERT INTO other SELECT abs(random() %% 500) FROM"
            " (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 60)"
            " SELECT i FROM c) WHERE true ON CONFLICT DO NOTHING");
    run(db, "INSERT OR IGNORE INTO other VALUES (0), (7)");
}

/* The same rows into both, made in a table of their own first. */
static void insert_many(sqlite3 *db, int dim, int n)
{
    run(db, "CREATE TEMP TABLE new AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1"
            " FROM c WHERE i < %d) SELECT vector(%d) AS e, i AS n, abs(random() %% 1000) / 10.0 AS"
            " x, 't' || abs(random() %% 10) AS tag, CASE abs(random() %% 4) WHEN 0 THEN '07' WHEN 1"
            " THEN '7' WHEN 2 THEN 'seven' END AS mixed, i AS note FROM c",
        n, dim);
    run(db, "UPDATE new SET tag = NULL WHERE n %% 11 = 0; UPDATE new SET e = NULL WHERE n %% 23 = 5");
    run(db, "INSERT INTO m(e, n, x, tag, mixed, note) SELECT * FROM new");
    run(db, "INSERT INTO v(e, n, x, tag, mixed, note) SELECT * FROM new");
    run(db, "DROP TABLE new");
}

static void check_rows_equal(sqlite3 *db)
{
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v"),
                     (int)number(db, "SELECT count(*) FROM m"));
    ck_assert_int_eq((int)number(db,
                                 "SELECT count(*) FROM (SELECT rowid, e, n, x, tag, mixed, note"
                                 " FROM v EXCEPT SELECT * FROM m)"),
                     0);
}

/* The same change to both; what fails in one must fail in the other. */
static void change(sqlite3 *db, int dim, int n_rows)
{
    const int id = below(n_rows + 3), id2 = below(n_rows + 3);
    char sql[512];
    int codes[2];

    run(db, "CREATE TEMP TABLE IF NOT EXISTS fresh (e); DELETE FROM temp.fresh;"
            " INSERT INTO temp.fresh VALUES (vector(%d))", dim);
    switch (below(12)) {
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
                 "UPDATE %%s SET e = (SELECT e FROM temp.fresh) WHERE rowid = %d", id);
        break;
    case 4:
        snprintf(sql, sizeof sql,
                 "INSERT INTO %%s(rowid, e, n) SELECT %d, e, 5 FROM temp.fresh", id);
        break;
    case 5:
        snprintf(sql, sizeof sql,
                 "INSERT OR REPLACE INTO %%s(rowid, e, n) SELECT %d, e, 6 FROM temp.fresh", id);
        break;
    case 6:
        snprintf(sql, sizeof sql,
                 "INSERT OR IGNORE INTO %%s(rowid, e, n) SELECT %d, e, 7 FROM temp.fresh", id);
        break;
    case 7:
        snprintf(sql, sizeof sql, "UPDATE %%s SET rowid = %d WHERE rowid = %d", id2, id);
        break;
    case 8:
        snprintf(sql, sizeof sql, "UPDATE OR REPLACE %%s SET rowid = %d WHERE rowid = %d", id2, id);
        break;
    case 9:
        /* One of several rows is refused: none may stay. */
        snprintf(sql, sizeof sql,
                 "INSERT INTO %%s(rowid, e, n) SELECT column1, e, 8 FROM temp.fresh,"
                 " (VALUES (%d), (%d), (%d))",
                 100000 + id, id, 100000 + id2);
        break;
    case 10:
        snprintf(sql, sizeof sql, "UPDATE %%s SET e = NULL WHERE rowid = %d", id);
        break;
    default:
        snprintf(sql, sizeof sql, "INSERT INTO %%s(e, n, tag) SELECT e, %d, 't1' FROM temp.fresh",
                 id);
    }
    codes[0] = try(db, sql, "m");
    codes[1] = try(db, sql, "v");
    ck_assert_msg(codes[0] == codes[1], "%s: %d, not %d: %s", sql, codes[1], codes[0],
                  sqlite3_errmsg(db));
}

/* ---- tests ------------------------------------------------------------- */

static const int dims[] = { 1, 2, 3, 4, 8, 17, 33, 96 };

START_TEST(test_answers_equal_brute_force)
{
    for (int table = 0; table < 1500; table++) {
        const int dim = dims[below(8)];
        const int n = one_in(100) ? 2000 + below(2000) : one_in(4) ? below(4) : below(200);
        sqlite3 *db = open_at(":memory:");

        create(db, dim, one_in(4) ? ", vector=f16" : ""); /* which has all of vector()'s numbers */
        insert_many(db, dim, n);
        for (int i = 0; i < 6; i++)
            check_question(db, dim, n);
        close_db(db);
    }
}
END_TEST

/* Few rows of many, down to one in ten thousand: where the plan changes its mind. */
START_TEST(test_answers_at_each_selectivity)
{
    static struct answer ours, truth;
    const int n = 20000, dim = 16;
    sqlite3 *db = open_at(":memory:");

    create(db, dim, "");
    insert_many(db, dim, n);
    for (int share = 1; share <= n; share *= 10)
        for (int i = 0; i < 6; i++) {
            char sql[256], true_sql[256];
            sqlite3_value *question = make_vector(db, dim);
            const int from = below(n - n / share + 1) + 1, to = from + n / share - 1;
            const int limit = 1 + below(50);

            snprintf(sql, sizeof sql,
                     "SELECT rowid, score FROM v WHERE v MATCH ?1 AND %s BETWEEN %d AND %d"
                     " ORDER BY rank LIMIT %d",
                     i % 3 == 0 ? "rowid" : i % 3 == 1 ? "n" : "+n", from, to, limit);
            snprintf(true_sql, sizeof true_sql,
                     "SELECT id, cosine(e, ?1) AS c FROM m WHERE e IS NOT NULL AND"
                     " n BETWEEN %d AND %d ORDER BY c DESC LIMIT 4000",
                     from, to);
            ask(db, sql, question, &ours);
            ask(db, true_sql, question, &truth);
            check_same(sql, &ours, &truth, limit);
            sqlite3_value_free(question);
        }
    close_db(db);
}
END_TEST

/* Statements that change, savepoints and transactions at random, in a file and in memory. */
START_TEST(test_changes_follow_the_mirror)
{
    for (int table = 0; table < 150; table++) {
        const int dim = dims[below(6)];
        const char *path = one_in(3) ? ":memory:" : folder;
        char file[300];
        sqlite3 *db;
        int n = below(60), depth = 0;

        snprintf(file, sizeof file, "%s/changes-%d.db", folder, table);
        db = open_at(path == folder ? file : path);
        if (one_in(2))
            run(db, "PRAGMA journal_mode = WAL");
        create(db, dim, one_in(4) ? ", vector=f16" : "");
        insert_many(db, dim, n);
        for (int step = 0; step < 60; step++) {
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
            default:
                change(db, dim, n + step);
            }
            /* ROLLBACK TO keeps its own savepoint, and forgets those after it. */
            if (one_in(4))
                check_question(db, dim, n);
            while (depth > 0 && try(db, "SAVEPOINT probe; RELEASE probe; ROLLBACK TO s%d",
                                    depth - 1) != SQLITE_OK)
                depth--;
        }
        if (!sqlite3_get_autocommit(db))
            run(db, "COMMIT");
        check_rows_equal(db);
        check_question(db, dim, n);
        run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
        if (one_in(5)) {
            run(db, "INSERT INTO v(v) VALUES ('optimize')");
            run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
            check_question(db, dim, n);
        }
        if (one_in(4))
            run(db, "VACUUM");
        close_db(db);
        if (path == folder) {
            db = open_at(file);
            check_rows_equal(db);
            for (int i = 0; i < 3; i++)
                check_question(db, dim, n);
            close_db(db);
        }
    }
}
END_TEST

/* Another process writes rows to v and m in one transaction, and this one never sees half. */
START_TEST(test_another_process_writes)
{
    char file[300];
    const int dim = 8;
    sqlite3 *db;
    int status, n_seen = 0, ready[2];
    pid_t child;
    char byte = 0;

    snprintf(file, sizeof file, "%s/two.db", folder);
    db = open_at(file);
    run(db, "PRAGMA journal_mode = WAL");
    create(db, dim, "");
    close_db(db);
    fflush(NULL);
    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        db = open_at(file);
        if (read(ready[0], &byte, 1) != 1)
            _exit(1);
        for (int i = 0; i < 60; i++) {
            if (try(db, "BEGIN IMMEDIATE") != SQLITE_OK)
                _exit(2);
            insert_many(db, dim, 1 + below(40));
            change(db, dim, 500);
            if (try(db, one_in(4) ? "ROLLBACK" : "COMMIT") != SQLITE_OK)
                _exit(3);
            if (one_in(10) && try(db, "INSERT INTO v(v) VALUES ('optimize')") != SQLITE_OK)
                _exit(4);
            usleep(5000);
        }
        _exit(sqlite3_close(db) == SQLITE_OK ? 0 : 5);
    }
    db = open_at(file);
    ck_assert_int_eq((int)write(ready[1], &byte, 1), 1);
    while (waitpid(child, &status, WNOHANG) == 0) {
        int n;

        run(db, "BEGIN");
        n = (int)number(db, "SELECT count(*) FROM m");
        n_seen += n > 0;
        check_question(db, dim, n);
        check_question(db, dim, n);
        run(db, "COMMIT");
        /* Both write, too. */
        if (one_in(5)) {
            run(db, "BEGIN IMMEDIATE");
            change(db, dim, n);
            run(db, "COMMIT");
        }
    }
    close(ready[0]);
    close(ready[1]);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_gt(n_seen, 0);
    check_rows_equal(db);
    check_question(db, dim, 500);
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    close_db(db);
}
END_TEST

/* ---- threads ----------------------------------------------------------- */

enum { N_PARTS = 4, N_DOCUMENTS = 100, N_READERS = 4, PARTS_DIM = 32 };

static atomic_int is_over;

/* Near the middle of its document, which is far from every other one's. */
static void part_vector(int document, int part, float *out)
{
    uint64_t random = (uint64_t)document + 1;

    for (int i = 0; i < PARTS_DIM; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        out[i] = (float)(random >> 40) / (1 << 23) - 1;
        out[i] += 0.01f * (float)((part + 1) * (i + 1) % 7);
    }
}

static void put_document(sqlite3 *db, int document, int version)
{
    sqlite3_stmt *put;

    ck_assert_int_eq(sqlite3_prepare_v2(db, "REPLACE INTO v(rowid, embedding, document, version)"
                                            " VALUES (?, ?, ?, ?)", -1, &put, NULL), SQLITE_OK);
    for (int part = 0; part < N_PARTS; part++) {
        float vector[PARTS_DIM];

        part_vector(document, part, vector);
        sqlite3_bind_int(put, 1, document * N_PARTS + part);
        sqlite3_bind_blob(put, 2, vector, sizeof vector, SQLITE_STATIC);
        sqlite3_bind_int(put, 3, document);
        sqlite3_bind_int(put, 4, version);
        ck_assert_int_eq(sqlite3_step(put), SQLITE_DONE);
        sqlite3_reset(put);
    }
    sqlite3_finalize(put);
}

struct reader {
    pthread_t thread;
    char path[300];
    int n_questions, n_halves, code;
};

/* The nearest to the middle of a document are its parts, of one version, or none is there. */
static void *read_documents(void *data)
{
    struct reader *reader = data;
    sqlite3 *db = open_at(reader->path);
    sqlite3_stmt *ask;

    reader->code = sqlite3_prepare_v2(db, "SELECT document, version FROM v WHERE embedding MATCH"
                                          " ? ORDER BY rank LIMIT 4", -1, &ask, NULL);
    while (reader->code == SQLITE_OK && !atomic_load(&is_over)) {
        const int document = reader->n_questions++ % N_DOCUMENTS;
        int version = 0, n = 0, is_mixed = 0, code;
        float vector[PARTS_DIM];

        part_vector(document, 1, vector);
        sqlite3_bind_blob(ask, 1, vector, sizeof vector, SQLITE_STATIC);
        while ((code = sqlite3_step(ask)) == SQLITE_ROW) {
            if (sqlite3_column_int(ask, 0) != document)
                continue;
            is_mixed |= n > 0 && sqlite3_column_int(ask, 1) != version;
            version = sqlite3_column_int(ask, 1);
            n++;
        }
        reader->n_halves += is_mixed || (n != 0 && n != N_PARTS);
        reader->code = code == SQLITE_DONE ? sqlite3_reset(ask) : code;
    }
    sqlite3_finalize(ask);
    close_db(db);
    return NULL;
}

/* One connection replaces and removes documents of several rows, one a transaction; those of
 * other threads never see a part of one without the others. bench/readers.c measures. */
START_TEST(test_no_reader_sees_half_a_document)
{
    static struct reader readers[N_READERS];
    const time_t end = time(NULL) + 3;
    char file[300];
    sqlite3 *db;

    snprintf(file, sizeof file, "%s/parts.db", folder);
    db = open_at(file);
    run(db, "PRAGMA journal_mode = WAL");
    run(db, "PRAGMA synchronous = OFF");
    run(db, "CREATE VIRTUAL TABLE v USING ernie(embedding float[%d], document, version)",
        PARTS_DIM);
    run(db, "BEGIN");
    for (int i = 0; i < N_DOCUMENTS; i++)
        put_document(db, i, 0);
    run(db, "COMMIT");
    atomic_init(&is_over, 0);
    for (int i = 0; i < N_READERS; i++) {
        strcpy(readers[i].path, file);
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_documents, &readers[i]),
                         0);
    }
    for (int version = 1; time(NULL) < end; version++) {
        const int document = below(N_DOCUMENTS);

        run(db, "BEGIN IMMEDIATE");
        if (version % 5 == 0)
            run(db, "DELETE FROM v WHERE rowid BETWEEN %d AND %d", document * N_PARTS,
                document * N_PARTS + N_PARTS - 1);
        else
            put_document(db, document, version);
        run(db, "COMMIT");
        if (version % 50 == 0)
            run(db, "INSERT INTO v(v) VALUES ('optimize')");
        usleep(1000);
    }
    atomic_store(&is_over, 1);
    for (int i = 0; i < N_READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        ck_assert_int_eq(readers[i].code, SQLITE_OK);
        ck_assert_int_gt(readers[i].n_questions, 0);
        ck_assert_int_eq(readers[i].n_halves, 0);
    }
    close_db(db);
}
END_TEST

/* ---- what is built ----------------------------------------------------- */

/* Indexes that are built: what they find is exact in its scores, and nearly always in what. */
START_TEST(test_built_indexes_find_their_rows)
{
    static const char *const kinds[] = { "hnsw", "ivf", "flat", "'IVF16,Flat'", "ivfpq" };
    /* Of ten, for numbers drawn at random, in which there is nothing for a quantizer to
     * learn; texts have much. */
    static const int floors[] = { 8, 8, 10, 8, 3 };
    static struct answer ours, truth;

    for (int kind = 0; kind < 5; kind++) {
        char file[300], options[64];
        const int dim = 16, n = 6000;
        int n_found = 0, n_wanted = 0;
        sqlite3 *db;

        snprintf(file, sizeof file, "%s/kind-%d.db", folder, kind);
        snprintf(options, sizeof options, ", index=%s", kinds[kind]);
        db = open_at(file);
        create(db, dim, options);
        insert_many(db, dim, n);
        run(db, "INSERT INTO v(v) VALUES ('rebuild')");
        for (int i = 0; i < 20; i++) {
            sqlite3_value *question = make_vector(db, dim);

            /* What came after the index was built is found as well. */
            change(db, dim, n);
            ask(db, "SELECT rowid, score FROM v WHERE v MATCH ?1 AND n % 3 = 1 ORDER BY rank"
                    " LIMIT 10", question, &ours);
            ask(db, "SELECT id, cosine(e, ?1) AS c FROM m WHERE e IS NOT NULL AND n % 3 = 1"
                    " ORDER BY c DESC LIMIT 10", question, &truth);
            ck_assert_int_eq(ours.n, truth.n);
            for (int j = 0; j < ours.n; j++)
                n_found += ours.score[j] >= truth.score[truth.n - 1] - 1e-9;
            n_wanted += truth.n;
            sqlite3_value_free(question);
        }
        ck_assert_msg(n_found >= n_wanted * floors[kind] / 10, "%s: %d of %d", kinds[kind], n_found, n_wanted);
        /* And in the end every row comes, once. */
        ck_assert_int_eq((int)number(db, "SELECT count(DISTINCT rowid) = count(*) AND count(*) ="
                                         " (SELECT count(*) FROM m WHERE e IS NOT NULL)"
                                         " FROM v((SELECT e FROM m WHERE e IS NOT NULL LIMIT 1))"),
                         1);
        close_db(db);
    }
}
END_TEST

/* ---- damage ------------------------------------------------------------ */

START_TEST(test_the_check_finds_damage)
{
    static const char *const damages[] = {
        "DELETE FROM v_embeddings WHERE chunk_id = 5",
        "UPDATE v_embeddings SET checksum = checksum + 1 WHERE chunk_id = 5",
        "UPDATE v_embeddings SET vector = zeroblob(length(vector)) WHERE chunk_id = 5",
        "UPDATE v_embeddings SET vector = x'00' WHERE chunk_id = 5",
        "DELETE FROM v_chunks WHERE id = 5",
        "DELETE FROM v_content WHERE id = 6",
        "DELETE FROM v_log WHERE chunk_id = 5",
        "UPDATE v_chunks SET ordinal = 1 WHERE id = 5",
        "INSERT INTO v_log(op, chunk_id) VALUES ('delete', 5)",
        "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'v_chunks'",
        "DELETE FROM v_meta WHERE key = 'uuid'",
    };
    sqlite3 *db = open_at(":memory:");

    create(db, 4, "");
    insert_many(db, 4, 20);
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        run(db, "SAVEPOINT whole");
        run(db, damages[i]);
        ck_assert_msg(try(db, "INSERT INTO v(v) VALUES ('integrity-check')") != SQLITE_OK, "%s",
                      damages[i]);
        /* And no answer has what is damaged, nor ends the process. */
        try(db, "SELECT count(*), sum(length(e)), sum(score) FROM v('[1,2,3,4]')");
        run(db, "ROLLBACK TO whole; RELEASE whole");
    }
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    close_db(db);
}
END_TEST

/* Tables that a database brings with it, made to hurt: no crash, no hang. */
START_TEST(test_hostile_tables)
{
    static const char *const tricks[] = {
        "DROP TABLE v_meta",
        "DROP TABLE v_chunks",
        "DROP TABLE v_embeddings",
        "DROP TABLE v_content",
        "DROP TABLE v_log",
        "UPDATE v_meta SET value = '../../../../etc/passwd' WHERE key = 'uuid'",
        "UPDATE v_meta SET value = '' WHERE key = 'uuid'",
        "DELETE FROM v_meta",
        "UPDATE v_embeddings SET vector = 'text'",
        "UPDATE v_embeddings SET vector = zeroblob(1000000)",
        "UPDATE v_chunks SET document_id = -1, ordinal = -1 WHERE id = 2; DELETE FROM v_log",
        "UPDATE v_log SET mark = 'x', op = 'add'",
        "INSERT INTO v_log(seq, op, chunk_id) VALUES (9223372036854775807, 'add', 3)",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807 WHERE name = 'v_chunks'",
        "DROP TABLE v_content; CREATE VIEW v_content AS SELECT 1 AS id, 2 AS c1",
        "DROP TABLE v_chunks; CREATE TABLE v_chunks (id, document_id)",
    };

    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        sqlite3 *db = open_at(":memory:");

        create(db, 4, "");
        insert_many(db, 4, 20);
        run(db, tricks[i]);
        try(db, "SELECT *, score FROM v('[1,2,3,4]')");
        try(db, "SELECT * FROM v");
        try(db, "INSERT INTO v(e) VALUES ('[1,2,3,4]')");
        try(db, "UPDATE v SET e = '[1,1,1,1]', n = 3");
        try(db, "DELETE FROM v WHERE rowid < 4");
        try(db, "INSERT INTO v(v) VALUES ('integrity-check')");
        try(db, "INSERT INTO v(v) VALUES ('rebuild')");
        try(db, "INSERT INTO v(v) VALUES ('optimize')");
        run(db, "DROP TABLE v");
        close_db(db);
    }
}
END_TEST

/* Memory that SQLite does not get: an error at most, and the table stays whole. */
START_TEST(test_memory_runs_out)
{
    int n_failed = 0;
    sqlite3 *db = open_at(":memory:");

    create(db, 8, "");
    insert_many(db, 8, 50);
    for (int extra = 0; extra < 400000; extra += extra < 20000 ? 611 : 20011) {
        static const char *const statements[] = {
            "INSERT INTO v(e, tag) VALUES ('[1,2,3,4,5,6,7,8]', 'x')",
            "UPDATE v SET e = '[1,2,3,4,5,6,7,8]', n = n + 1 WHERE rowid % 7 = 1",
            "SELECT *, score FROM v('[1,2,3,4,5,6,7,9]') WHERE n > 3",
            "SELECT * FROM v WHERE rowid IN (1, 2, 3) AND v MATCH '[1,2,3,4,5,6,7,9]'",
            "INSERT INTO v(v) VALUES ('integrity-check')",
            "DELETE FROM v WHERE rowid % 5 = 2",
        };

        for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
            sqlite3_hard_heap_limit64(sqlite3_memory_used() + extra);
            n_failed += try(db, "%s", statements[i]) == SQLITE_NOMEM;
            sqlite3_hard_heap_limit64(0);
        }
    }
    ck_assert_int_gt(n_failed, 10);
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    close_db(db);
}
END_TEST

/* ---- vectors as values ------------------------------------------------- */

START_TEST(test_vectors_that_are_none)
{
    static const char *const wrong[] = {
        "'[1,2]'", "'[1,2,3,4]'", "'[]'", "'{}'", "'1'", "'x'", "''", "x''", "x'00'",
        "x'00000000000000000000'", "zeroblob(12)", "'[0,0,0]'", "x'0000c07f0000000000000000'",
        "x'0000807f0000000000000000'", "'[1e39,0,0]'", "'[1,2,null]'", "'[1,2,\"3\"]'",
        "'[[1],2,3]'", "5", "1.5", "'[NaN,1,2]'", "zeroblob(16)", "'[1,2,3'",
    };
    sqlite3 *db = open_at(":memory:");

    run(db, "CREATE VIRTUAL TABLE v USING ernie(e float[3], tag TEXT)");
    run(db, "INSERT INTO v(e, tag) VALUES (' [1, 0.5, -2e0] ', 'kept')");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(try(db, "INSERT INTO v(e) VALUES (%s)", wrong[i]) == SQLITE_ERROR, "%s",
                      wrong[i]);
        ck_assert_int_eq(try(db, "UPDATE v SET e = %s, tag = 'lost'", wrong[i]), SQLITE_ERROR);
        ck_assert_int_eq(try(db, "SELECT * FROM v WHERE v MATCH %s", wrong[i]), SQLITE_ERROR);
    }
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v WHERE tag = 'kept'"
                                     " AND e = x'0000803f0000003f000000c0'"),
                     1);
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM v(NULL)"), 0);
    close_db(db);
}
END_TEST

START_TEST(test_halves_of_vectors)
{
    sqlite3 *db = open_at(":memory:");

    run(db, "CREATE VIRTUAL TABLE v USING ernie(e float[2], vector=f16)");
    run(db, "INSERT INTO v(e) VALUES ('[1, 2049]')"); /* which is none: 2048 is the even one */
    ck_assert_int_eq((int)number(db, "SELECT length(vector) FROM v_embeddings"), 4);
    ck_assert_int_eq((int)number(db, "SELECT e = x'0000803f00000045' FROM v"), 1);
    ck_assert_double_eq_tol(number(db, "SELECT score FROM v('[0, 1]')"), 2048 / hypot(1, 2048),
                            1e-12);
    ck_assert_int_eq(try(db, "INSERT INTO v(e) VALUES ('[1, 65520]')"), SQLITE_ERROR);
    ck_assert_int_eq(try(db, "INSERT INTO v(e) VALUES ('[1e-9, 1e-9]')"), SQLITE_ERROR);
    run(db, "INSERT INTO v(v) VALUES ('integrity-check')");
    close_db(db);
}
END_TEST

START_TEST(test_declarations_that_are_none)
{
    static const char *const wrong[] = {
        "", "n INTEGER", "e float[0]", "e float[65537]", "e float[x]", "e float[3], f float[3]",
        "e float[3], e", "e float[3], rowid", "e float[3], K TEXT", "e float[3], v",
        "e float[3], n INTEGER PRIMARY KEY", "e float[3], n UNIQUE", "e float[3], n DEFAULT 3",
        "e float[3], n INTEGER HIDDEN", "e float[3], n INTEGER)", "e float[3], index=", "index=flat",
        "e float[3], index=nonsense(", "e float[3], vector=f8", "e float[3], model=x",
        "e float[3], content=m", "e float[3], colour=red", "e float[3], index=flat, index=flat",
        "e float[3], \"", "e float[3] UNINDEXED", "e float[3], n INT; DROP TABLE x",
    };
    sqlite3 *db = open_at(":memory:");

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(try(db, "CREATE VIRTUAL TABLE v USING ernie(%s)", wrong[i]) != SQLITE_OK,
                      "%s", wrong[i]);
        ck_assert_int_eq((int)number(db, "SELECT count(*) FROM sqlite_master"
                                         " WHERE name <> 'sqlite_sequence'"), 0);
    }
    run(db, "CREATE VIRTUAL TABLE \"a \"\" b\" USING ernie('the \"\"vector\"\"' FLOAT [ 3 ],"
            " [two words] VARCHAR(10, 2), 汉字 unindexed, index = 'hnsw')");
    run(db, "INSERT INTO \"a \"\" b\"(\"two words\", 汉字, \"the \"\"\"\"vector\"\"\"\"\")"
            " VALUES ('x', 'y', '[1,2,3]')");
    ck_assert_int_eq((int)number(db, "SELECT count(*) FROM \"a \"\" b\"('[1,2,3]') WHERE"
                                     " \"two words\" = 'x' AND 汉字 = 'y' AND score > 0.999"), 1);
    run(db, "ALTER TABLE \"a \"\" b\" RENAME TO \"it's\"");
    run(db, "INSERT INTO \"it's\"(\"it's\") VALUES ('integrity-check')");
    run(db, "DROP TABLE \"it's\"");
    close_db(db);
}
END_TEST

static void make_folder(void)
{
    const char *tmp = getenv("TMPDIR");

    state = 20260731;
    snprintf(folder, sizeof folder, "%s/check_vectors.XXXXXX", tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[300];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

int main(void)
{
    Suite *suite = suite_create("vectors");
    TCase *tcase = tcase_create("vectors"), *threads = tcase_create("threads");

    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, test_answers_equal_brute_force);
    tcase_add_test(tcase, test_answers_at_each_selectivity);
    tcase_add_test(tcase, test_changes_follow_the_mirror);
    tcase_add_test(tcase, test_another_process_writes);
    tcase_add_test(tcase, test_built_indexes_find_their_rows);
    tcase_add_test(tcase, test_the_check_finds_damage);
    tcase_add_test(tcase, test_hostile_tables);
    tcase_add_test(tcase, test_memory_runs_out);
    tcase_add_test(tcase, test_vectors_that_are_none);
    tcase_add_test(tcase, test_halves_of_vectors);
    tcase_add_test(tcase, test_declarations_that_are_none);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(threads, make_folder, remove_folder);
    tcase_set_timeout(threads, 300);
    tcase_add_test(threads, test_no_reader_sees_half_a_document);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
