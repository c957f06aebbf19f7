/* src/nearest over the rows of a real database: every answer is that of comparing with
 * each row that the connection sees, whatever the index in memory or the file was made of. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"
#include "faults.h"
#include "nearest.h"
#include "sql/store.h"
#include "suite.h"
#include "table.h"

enum { DIM = 12 };

static ernie_error err;
static char folder[64];
static const uint8_t fingerprint[16] = "print of a model";

static void ok(int status)
{
    ck_assert_msg(status == ERNIE_OK, "%d: %s", status, err.message);
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/check_nearest.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(setenv("XDG_STATE_HOME", folder, 1), 0);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A path in the test's folder; four at a time. */
static const char *in(const char *name)
{
    static _Thread_local char paths[4][256];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* ---- one connection ---------------------------------------------------- */

struct side {
    sqlite3 *connection;
    struct store *store;
    struct nearest nearest;
    uint64_t random;
};

static void sql(struct side *side, const char *format, ...)
{
    char text[1024];
    char *message = NULL;
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    ck_assert_msg(sqlite3_exec(side->connection, text, NULL, NULL, &message) == SQLITE_OK,
                  "%s: %s", text, message);
}

static void open_with(struct side *side, const char *name, const char *setting, size_t dim)
{
    struct store *store;

    memset(side, 0, sizeof *side);
    side->random = 1;
    if (strcmp(name, ":memory:") != 0) {
        ok(store_open(in(name), STORE_CREATE, &store, &err));
        store_close(store);
    }
    ck_assert_int_eq(sqlite3_open(strcmp(name, ":memory:") == 0 ? name : in(name),
                                  &side->connection), SQLITE_OK);
    sqlite3_busy_timeout(side->connection, 20000);
    if (strcmp(name, ":memory:") == 0) {
        FILE *file;
        char path[256], schema[16384];
        const char *srcdir = getenv("srcdir");

        snprintf(path, sizeof path, "%s/sql/schema.sql", srcdir != NULL ? srcdir : ".");
        file = fopen(path, "r");
        ck_assert_ptr_nonnull(file);
        schema[fread(schema, 1, sizeof schema - 1, file)] = '\0';
        fclose(file);
        ck_assert_int_eq(sqlite3_exec(side->connection, schema, NULL, NULL, NULL), SQLITE_OK);
    }
    /* What a power cut would leave is no matter here. */
    sql(side, "PRAGMA synchronous = OFF");
    sql(side, "INSERT OR IGNORE INTO ernie_documents (id, root_id, path, title, format,"
              " encoding, size_bytes, mtime_ns, ctime_ns, checked_ns, hash, failure) VALUES"
              " (1, 0, 'd', 't', 'text', 'UTF-8', 0, 0, 0, 0, x'00', NULL)");
    ok(store_attach(side->connection, &side->store, &err));
    ok(nearest_init(&side->nearest, store_collection(side->store), fingerprint, dim, setting,
                    "-ann", &err));
}

static void open_side(struct side *side, const char *name)
{
    open_with(side, name, "auto", DIM);
}

static void close_side(struct side *side)
{
    nearest_reset(&side->nearest);
    store_close(side->store);
    ck_assert_int_eq(sqlite3_close(side->connection), SQLITE_OK); /* no statement is left */
}

static void add_vector(struct side *side, const float *vector, size_t dim)
{
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_prepare_v2(side->connection,
                                        "INSERT INTO ernie_chunks (document_id, ordinal,"
                                        " start_byte, end_byte, line, text) SELECT 1,"
                                        " coalesce(max(ordinal), -1) + 1, 0, 0, 1, 'x'"
                                        " FROM ernie_chunks WHERE document_id = 1",
                                        -1, &statement, NULL), SQLITE_OK);
    ck_assert_msg(sqlite3_step(statement) == SQLITE_DONE, "%s", sqlite3_errmsg(side->connection));
    sqlite3_finalize(statement);
    ok(collection_vector_put(store_collection(side->store),
                             sqlite3_last_insert_rowid(side->connection), vector, dim, &err));
}

/* In the transaction there is, or one of their own. */
static void add(struct side *side, size_t n)
{
    const int is_ours = sqlite3_get_autocommit(side->connection);
    float vector[DIM];

    if (is_ours)
        sql(side, "BEGIN IMMEDIATE");
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < DIM; j++)
            vector[j] = table_number(&side->random);
        add_vector(side, vector, DIM);
    }
    if (is_ours)
        sql(side, "COMMIT");
}

/* ---- what is right ----------------------------------------------------- */

struct scored {
    double score;
    int64_t id;
};

static int compare_scored(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static struct scored *brute_force(struct side *side, const float *query, size_t *n)
{
    const size_t dim = side->nearest.dim;
    struct scored *out = malloc(sizeof *out);
    sqlite3_stmt *statement;
    float *vector = malloc(dim * sizeof *vector);

    *n = 0;
    if (sqlite3_prepare_v2(side->connection, "SELECT chunk_id, vector FROM ernie_embeddings", -1,
                           &statement, NULL) != SQLITE_OK)
        abort();
    while (sqlite3_step(statement) == SQLITE_ROW) {
        double product = 0, square = 0, length = 0;

        memcpy(vector, sqlite3_column_blob(statement, 1), dim * sizeof *vector);
        for (size_t i = 0; i < dim; i++) {
            product += (double)query[i] * vector[i];
            square += (double)vector[i] * vector[i];
            length += (double)query[i] * query[i];
        }
        if ((*n & (*n + 1)) == 0) /* 0, 1, 3, 7, ...: room for twice as many */
            out = realloc(out, 2 * (*n + 1) * sizeof *out);
        out[(*n)++] = (struct scored){ product / (sqrt(square) * sqrt(length)),
                                       sqlite3_column_int64(statement, 0) };
    }
    if (sqlite3_finalize(statement) != SQLITE_OK)
        abort();
    qsort(out, *n, sizeof *out, compare_scored);
    free(vector);
    return out;
}

/* NULL when the first k neighbours (all for 0) are what comparing with each row gives. */
static const char *find_fault(struct side *side, const float *query, size_t k)
{
    static _Thread_local char fault[1024];
    struct nearest_search *search;
    struct neighbour hit;
    struct scored *expected;
    ernie_error error = { 0 };
    size_t n, n_rows;
    int found = 1, status = nearest_begin(&side->nearest, query, &search, &error);

    fault[0] = '\0';
    if (status != ERNIE_OK) {
        snprintf(fault, sizeof fault, "nearest_begin: %d: %s", status, error.message);
        return fault;
    }
    expected = brute_force(side, query, &n_rows);
    n = k == 0 || k > n_rows ? n_rows : k;
    for (size_t i = 0; i < n && fault[0] == '\0'; i++) {
        status = nearest_next(search, &hit, &found, &error);
        /* The sum may be done in another order, and lose its last bits. */
        if (status != ERNIE_OK)
            snprintf(fault, sizeof fault, "nearest_next: %d: %s", status, error.message);
        else if (!found)
            snprintf(fault, sizeof fault, "%zu of %zu: missing %lld", i, n_rows,
                     (long long)expected[i].id);
        else if (fabs(hit.score - expected[i].score) > 1e-12 || hit.document_id != 1)
            snprintf(fault, sizeof fault, "%zu of %zu: %lld %.15f, not %lld %.15f", i, n_rows,
                     (long long)hit.chunk_id, hit.score, (long long)expected[i].id,
                     expected[i].score);
    }
    if (fault[0] == '\0' && (k == 0 || k > n_rows)) {
        status = nearest_next(search, &hit, &found, &error);
        if (status != ERNIE_OK || found)
            snprintf(fault, sizeof fault, "after all %zu rows: status %d, found %d", n_rows,
                     status, found);
    }
    free(expected);
    nearest_end(search);
    return fault[0] == '\0' ? NULL : fault;
}

static void random_query(struct side *side, float *query)
{
    for (size_t i = 0; i < side->nearest.dim; i++)
        query[i] = table_number(&side->random);
}

static void check_at(struct side *side, int line)
{
    float query[64];

    for (int i = 0; i < 2; i++) {
        const char *fault;

        random_query(side, query);
        fault = find_fault(side, query, 0);
        ck_assert_msg(fault == NULL, "line %d: %s", line, fault);
    }
}

#define check(side) check_at(side, __LINE__)

static size_t n_rows(struct side *side)
{
    size_t n;

    ok(collection_count(store_collection(side->store), &n, &err));
    return n;
}

/* The kind and vectors of the index that is shared now, or "none". */
static const char *shared_kind(struct side *side, size_t *n)
{
    static char kind[ANN_DESCRIPTION_BYTES];
    struct index_stamp stamp;
    struct index *index = shared_index_get(side->nearest.shared, &stamp);

    *n = index != NULL ? index_count(index) : 0;
    snprintf(kind, sizeof kind, "%s", index != NULL ? index_kind_name(index) : "none");
    index_release(index);
    return kind;
}

static size_t shared_count(struct side *side)
{
    size_t n;

    shared_kind(side, &n);
    return n;
}

static int has_file(const char *name)
{
    return access(in(name), F_OK) == 0;
}

static void copy_file(const char *from, const char *to)
{
    char command[600];

    snprintf(command, sizeof command, "cp %s %s", in(from), in(to));
    ck_assert_int_eq(system(command), 0);
}

/* As `.restore` does it: into the file that others have open. */
static void restore(struct side *side, const char *from)
{
    sqlite3 *source;
    sqlite3_backup *backup;

    ck_assert_int_eq(sqlite3_open(in(from), &source), SQLITE_OK);
    backup = sqlite3_backup_init(side->connection, "main", source, "main");
    ck_assert_ptr_nonnull(backup);
    ck_assert_int_eq(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    sqlite3_backup_finish(backup);
    sqlite3_close(source);
}

static void back_up(struct side *side, const char *to)
{
    sql(side, "VACUUM INTO '%s'", in(to));
}

/* ---- transactions ------------------------------------------------------ */

START_TEST(test_what_is_committed_is_found)
{
    struct side a, b;

    open_side(&a, "a.db");
    check(&a); /* nothing yet */
    add(&a, 300);
    check(&a);
    open_side(&b, "a.db");
    check(&b);
    ck_assert_ptr_eq(a.nearest.shared, b.nearest.shared);
    add(&b, 5);
    check(&a);
    check(&b);
    sql(&a, "DELETE FROM ernie_chunks WHERE id %% 3 = 0");
    check(&b);
    check(&a);
    close_side(&a);
    check(&b);
    close_side(&b);
}
END_TEST

START_TEST(test_a_database_in_memory_has_an_index_of_its_own)
{
    struct side a, b;

    open_side(&a, ":memory:");
    open_side(&b, ":memory:");
    add(&a, 1500);
    check(&a);
    check(&b);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    nearest_save_soon(&a.nearest);
    nearest_forget(&a.nearest);
    check(&a);
    sql(&a, "BEGIN");
    add(&a, 3);
    check(&a);
    sql(&a, "ROLLBACK");
    check(&a);
    close_side(&a);
    close_side(&b);
}
END_TEST

START_TEST(test_a_transaction_sees_its_own_rows_and_nobody_else_does)
{
    struct side a, b;

    open_side(&a, "a.db");
    open_side(&b, "a.db");
    add(&a, 100);
    check(&b);
    sql(&a, "BEGIN");
    check(&a);
    add(&a, 10);
    check(&a);
    check(&b);
    ck_assert_uint_eq(shared_count(&a), 100);
    sql(&a, "DELETE FROM ernie_chunks WHERE id IN (5, 105)");
    add(&a, 1);
    check(&a);
    check(&b);
    sql(&a, "ROLLBACK");
    check(&a);
    add(&b, 20); /* the same numbers in the log and of chunks, other rows */
    check(&a);
    sql(&a, "BEGIN");
    add(&a, 7);
    check(&a);
    check(&b);
    sql(&a, "COMMIT");
    check(&b);
    check(&a);
    ck_assert_uint_eq(shared_count(&a), n_rows(&a));
    close_side(&a);
    close_side(&b);
}
END_TEST

START_TEST(test_rows_of_a_savepoint_that_was_rolled_back_are_forgotten)
{
    struct side a;

    open_side(&a, "a.db");
    add(&a, 50);
    check(&a);
    sql(&a, "BEGIN; SAVEPOINT one");
    add(&a, 10);
    check(&a);
    sql(&a, "ROLLBACK TO one");
    check(&a);
    add(&a, 10); /* as many log entries, with the same numbers */
    check(&a);
    sql(&a, "ROLLBACK TO one");
    add(&a, 4); /* fewer */
    check(&a);
    sql(&a, "SAVEPOINT two");
    add(&a, 20); /* more */
    check(&a);
    sql(&a, "ROLLBACK TO two");
    add(&a, 20);
    check(&a);
    sql(&a, "RELEASE two; RELEASE one; COMMIT");
    check(&a);
    close_side(&a);
}
END_TEST

/* The vector of a chunk is put in place of another. */
START_TEST(test_a_replaced_vector_is_found_where_it_is_now)
{
    const float vector[DIM] = { 0, 0, 1 };
    struct side a, b;

    open_side(&a, "a.db");
    open_side(&b, "a.db");
    add(&a, 2000);
    check(&b);
    sql(&b, "BEGIN");
    check(&b);
    for (int64_t id = 10; id < 2000; id += 10)
        ok(collection_vector_put(store_collection(a.store), id, vector, DIM, &err));
    check(&a);
    check(&b); /* still sees the old ones */
    sql(&b, "COMMIT");
    check(&b);
    close_side(&a);
    close_side(&b);
}
END_TEST

/* ---- older states ------------------------------------------------------ */

START_TEST(test_an_older_snapshot_is_answered_from_its_own_rows)
{
    struct side a, b;

    open_side(&a, "a.db");
    open_side(&b, "a.db");
    add(&a, 1200);
    check(&a);
    sql(&b, "BEGIN");
    check(&b);
    /* More states than are noted. */
    for (int i = 0; i < 100; i++) {
        add(&a, 2);
        sql(&a, "DELETE FROM ernie_chunks WHERE id = %d", i * 7 + 1);
        ok(nearest_refresh(&a.nearest, &err));
        if (i % 30 == 0)
            check(&b);
    }
    check(&b);
    check(&a);
    /* The shared index begins after it now, without what is gone. */
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    ck_assert_uint_eq(shared_count(&a), n_rows(&a));
    check(&b);
    check(&a);
    add(&a, 5);
    check(&b);
    check(&a);
    check(&b);
    sql(&b, "COMMIT");
    check(&b);
    close_side(&b);
    close_side(&a);
}
END_TEST

/* A snapshot between two states that were noted: what came between is not lost. */
START_TEST(test_a_snapshot_between_noted_states_lacks_nothing)
{
    struct side a, b, c;

    open_side(&a, "a.db");
    open_side(&b, "a.db");
    open_side(&c, "a.db");
    add(&a, 100);
    check(&a);
    add(&a, 10);
    sql(&b, "BEGIN; SELECT count(*) FROM ernie_chunks"); /* begins to read here */
    add(&a, 10);
    check(&a); /* from 100 to 120 */
    check(&b);
    sql(&b, "COMMIT");
    check(&b);
    close_side(&a);
    close_side(&b);
    close_side(&c);
}
END_TEST

/* A search that is open while others commit and rebuild goes on in its own state. */
START_TEST(test_a_search_goes_on_in_its_state)
{
    struct side a, b;
    struct nearest_search *search;
    struct neighbour hit;
    float query[DIM];
    size_t n = 0;
    int found;

    open_side(&a, "a.db");
    open_side(&b, "a.db");
    add(&a, 1500);
    random_query(&a, query);
    ok(nearest_begin(&b.nearest, query, &search, &err));
    for (;; n++) {
        ok(nearest_next(search, &hit, &found, &err));
        if (!found)
            break;
        if (n == 10)
            add(&a, 100);
        if (n == 20)
            sql(&a, "DELETE FROM ernie_chunks WHERE id < 700");
        if (n == 30)
            ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
        if (n == 40)
            check(&b); /* another one within it */
    }
    ck_assert_uint_eq(n, 1500);
    nearest_end(search);
    check(&b);
    close_side(&a);
    close_side(&b);
}
END_TEST

/* ---- other pasts ------------------------------------------------------- */

/* A backup put back under connections that are open, with an index in memory that is of
 * the past that is no more; then changed otherwise, to fewer, as many and more entries. */
START_TEST(test_a_backup_put_back_under_a_live_process_is_answered_right)
{
    struct side a, b;

    open_side(&a, "a.db");
    open_side(&b, "a.db");
    add(&a, 1010);
    check(&a); /* a state that is noted, and that the backup has */
    back_up(&a, "old.db");
    add(&a, 20);
    check(&b);
    restore(&a, "old.db");
    check(&b);
    check(&a);
    add(&a, 5);
    check(&b);
    check(&a);
    add(&a, 15);
    check(&b);
    add(&a, 30);
    check(&a);
    check(&b);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    check(&b);
    /* Again, to before the state that the index begins with. */
    restore(&b, "old.db");
    check(&a);
    add(&a, 3);
    check(&a);
    check(&b);
    add(&b, 100);
    check(&b);
    check(&a);
    close_side(&a);
    close_side(&b);
}
END_TEST

START_TEST(test_a_backup_put_back_under_an_index_file_is_answered_right)
{
    struct side a;
    size_t n;

    open_side(&a, "a.db");
    add(&a, 1100);
    back_up(&a, "old.db");
    add(&a, 50);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    close_side(&a);
    copy_file("old.db", "a.db");
    open_side(&a, "a.db");
    check(&a);
    close_side(&a);
    open_side(&a, "a.db");
    add(&a, 100);
    check(&a);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    close_side(&a);
    /* And now it is used. */
    open_side(&a, "a.db");
    ok(nearest_refresh(&a.nearest, &err));
    shared_kind(&a, &n);
    ck_assert_uint_eq(shared_index_saved(a.nearest.shared), 1200);
    check(&a);
    close_side(&a);
}
END_TEST

START_TEST(test_index_files_that_changed_places_are_not_used)
{
    struct side a, b;

    open_side(&a, "a.db");
    open_side(&b, "b.db");
    add(&a, 1100);
    b.random = 99;
    add(&b, 1100);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    ok(nearest_save(&b.nearest, 1, 1, NULL, &err));
    close_side(&a);
    close_side(&b);
    copy_file("a.db-ann", "c");
    copy_file("b.db-ann", "a.db-ann");
    copy_file("c", "b.db-ann");
    open_side(&a, "a.db");
    open_side(&b, "b.db");
    check(&a);
    check(&b);
    ck_assert_uint_eq(shared_index_saved(a.nearest.shared), 0);
    ck_assert_uint_eq(shared_index_saved(b.nearest.shared), 0);
    close_side(&a);
    close_side(&b);
}
END_TEST

/* A copy has the same uuid; each then goes its own way. */
START_TEST(test_copies_of_a_database_that_went_apart_are_told_apart)
{
    struct side a, b;

    open_side(&a, "a.db");
    add(&a, 1100);
    back_up(&a, "b.db");
    open_side(&b, "b.db");
    add(&a, 60);
    b.random = 77;
    add(&b, 60);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    check(&b);
    check(&a);
    close_side(&a);
    close_side(&b);
    copy_file("a.db-ann", "b.db-ann");
    open_side(&b, "b.db");
    check(&b);
    ck_assert_uint_eq(shared_index_saved(b.nearest.shared), 0);
    close_side(&b);
}
END_TEST

START_TEST(test_vectors_of_another_model_share_nothing)
{
    static const uint8_t other[16] = "another one's   ";
    struct side a, b;
    float vector[5];

    open_side(&a, "a.db");
    open_side(&b, "a.db");
    add(&a, 1100);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    check(&b);
    /* All vectors made anew, with fewer numbers each, as ernie_reembed does. */
    sql(&a, "BEGIN");
    for (int64_t id = 1; id <= 1100; id++) {
        for (int j = 0; j < 5; j++)
            vector[j] = table_number(&a.random);
        ok(collection_vector_put(store_collection(a.store), id, vector, 5, &err));
    }
    sql(&a, "COMMIT");
    ok(nearest_set_vectors(&a.nearest, other, 5, &err));
    ck_assert_ptr_ne(a.nearest.shared, b.nearest.shared);
    check(&a);
    ck_assert_uint_eq(shared_index_saved(a.nearest.shared), 0); /* not that file */
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    check(&a);
    ok(nearest_set_vectors(&b.nearest, other, 5, &err));
    ck_assert_ptr_eq(a.nearest.shared, b.nearest.shared);
    check(&b);
    ok(nearest_set_vectors(&b.nearest, other, 5, &err));
    close_side(&a);
    close_side(&b);
    open_with(&a, "a.db", "auto", 5); /* the first model's name, other vectors */
    check(&a);
    ck_assert_uint_eq(shared_index_saved(a.nearest.shared), 0);
    close_side(&a);
}
END_TEST

START_TEST(test_a_log_that_was_cut_short_hides_nothing)
{
    struct side a;

    open_side(&a, "a.db");
    add(&a, 1100);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    add(&a, 50);
    check(&a);
    ok(collection_log_trim(store_collection(a.store), 1120, &err));
    check(&a);
    close_side(&a);
    open_side(&a, "a.db"); /* the file's entry is gone from the log */
    check(&a);
    close_side(&a);
}
END_TEST

/* ---- saving ------------------------------------------------------------ */

START_TEST(test_a_file_is_written_where_it_pays)
{
    struct stat first, second;
    struct side a;

    open_side(&a, "a.db");
    add(&a, 1000);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert(!has_file("a.db-ann")); /* so few rows are read as fast */
    add(&a, 1);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_int_eq(stat(in("a.db-ann"), &first), 0);
    add(&a, 1000);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_int_eq(stat(in("a.db-ann"), &second), 0);
    ck_assert_uint_eq(first.st_ino, second.st_ino);
    add(&a, 1000);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_int_eq(stat(in("a.db-ann"), &second), 0);
    ck_assert_uint_ne(first.st_ino, second.st_ino);
    close_side(&a);
    /* The next process takes it as it is, and reads the rows that came after. */
    open_side(&a, "a.db");
    add(&a, 10);
    ok(nearest_refresh(&a.nearest, &err));
    ck_assert_uint_eq(shared_index_saved(a.nearest.shared), 3001);
    ck_assert_uint_eq(shared_count(&a), 3011);
    check(&a);
    /* What may be rolled back is not saved. */
    sql(&a, "BEGIN");
    add(&a, 5000);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    nearest_save_soon(&a.nearest);
    ck_assert_uint_eq(shared_index_saved(a.nearest.shared), 3001);
    sql(&a, "ROLLBACK");
    nearest_forget(&a.nearest);
    ck_assert(!has_file("a.db-ann"));
    check(&a);
    close_side(&a);
}
END_TEST

START_TEST(test_an_index_without_those_that_are_gone_is_made_when_they_are_many)
{
    struct side a;

    open_side(&a, "a.db");
    add(&a, 6000);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    sql(&a, "DELETE FROM ernie_chunks WHERE id %% 5 = 0"); /* 1200 of 6000 */
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_uint_eq(shared_count(&a), 6000);
    check(&a);
    sql(&a, "DELETE FROM ernie_chunks WHERE id %% 2 = 0");
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_uint_eq(shared_count(&a), n_rows(&a));
    check(&a);
    sql(&a, "DELETE FROM ernie_chunks");
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_uint_eq(shared_count(&a), 0);
    check(&a);
    add(&a, 3);
    check(&a);
    close_side(&a);
    open_side(&a, "a.db");
    check(&a);
    close_side(&a);
}
END_TEST

/* Where no file can be, the rows answer. */
START_TEST(test_a_file_that_cannot_be_read_or_written_stops_nothing)
{
    struct side a;
    char key[128];

    open_side(&a, "a.db");
    add(&a, 1100);
    ck_assert_int_eq(mkdir(in("a.db-ann"), 0700), 0);
    check(&a);
    ck_assert_int_ne(nearest_save(&a.nearest, 1, 1, NULL, &err), ERNIE_OK);
    nearest_save_soon(&a.nearest);
    check(&a);
    close_side(&a);
    ck_assert_int_eq(rmdir(in("a.db-ann")), 0);

    ck_assert_int_eq(mkfifo(in("a.db-ann"), 0600), 0);
    open_side(&a, "a.db");
    check(&a);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err)); /* in its place */
    close_side(&a);

    ck_assert_int_eq(truncate(in("a.db-ann"), INT64_C(1) << 40), 0);
    open_side(&a, "a.db");
    check(&a);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    close_side(&a);

    snprintf(key, sizeof key, "%s", in("ernie/key"));
    ck_assert_int_eq(chmod(key, 0640), 0);
    open_side(&a, "a.db");
    check(&a);
    ck_assert_uint_eq(shared_index_saved(a.nearest.shared), 0);
    ck_assert_int_eq(nearest_save(&a.nearest, 1, 1, NULL, &err), ERNIE_EINVAL);
    close_side(&a);

    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    open_side(&a, "a.db");
    check(&a);
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err)); /* a user without a home has no cache */
    close_side(&a);
}
END_TEST

/* ---- kinds ------------------------------------------------------------- */

/* Not exact, but complete; and 95 in 100 of the first are the first. */
static void check_nearly(struct side *side)
{
    size_t n_right = 0;

    for (int i = 0; i < 40; i++) {
        struct nearest_search *search;
        struct neighbour hit;
        struct scored *expected;
        float query[DIM];
        size_t n, n_seen = 0;
        int found = 1;

        random_query(side, query);
        ok(nearest_begin(&side->nearest, query, &search, &err));
        expected = brute_force(side, query, &n);
        for (; found; n_seen += (size_t)found) {
            ok(nearest_next(search, &hit, &found, &err));
            n_right += n_seen == 0 && found && hit.chunk_id == expected[0].id;
            if (i > 1)
                break;
        }
        if (i <= 1)
            ck_assert_uint_eq(n_seen, n);
        nearest_end(search);
        free(expected);
    }
    ck_assert_uint_ge(n_right, 36);
}

START_TEST(test_every_kind_is_built_saved_loaded_and_caught_up)
{
    static const struct {
        const char *setting, *kind;
    } cases[] = { { "ivf", "ivf" },
                  { "hnsw", "HNSW32" },
                  { "IVF32,SQ8", "IVF32,SQ8" },
                  { "ivfpq", "flat" } };
    struct side a;
    size_t n;

    open_with(&a, "a.db", cases[_i].setting, DIM);
    add(&a, 4000);
    sql(&a, "DELETE FROM ernie_chunks WHERE id %% 2 = 0"); /* ids with a step */
    check(&a);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_str_eq(shared_kind(&a, &n), cases[_i].kind);
    ck_assert_uint_eq(n, 2000);
    check_nearly(&a);
    add(&a, 500);
    check_nearly(&a);
    sql(&a, "BEGIN");
    add(&a, 50);
    check_nearly(&a);
    sql(&a, "ROLLBACK");
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    close_side(&a);
    open_with(&a, "a.db", cases[_i].setting, DIM);
    check_nearly(&a);
    ck_assert_str_eq(shared_kind(&a, &n), cases[_i].kind);
    ck_assert_uint_eq(shared_index_saved(a.nearest.shared), 2000);
    ck_assert_uint_eq(n, 2500);
    close_side(&a);
    /* Another setting: this file serves until the next save. */
    open_with(&a, "a.db", "HNSW16", DIM);
    check_nearly(&a);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_str_eq(shared_kind(&a, &n), "HNSW16");
    check_nearly(&a);
    close_side(&a);
    open_with(&a, "a.db", "flat", DIM);
    ok(nearest_save(&a.nearest, 0, 1, NULL, &err));
    ck_assert_str_eq(shared_kind(&a, &n), "flat");
    check(&a);
    close_side(&a);
}
END_TEST

START_TEST(test_a_kind_that_faiss_does_not_know_is_said_and_stops_no_search)
{
    struct side a;

    open_with(&a, "a.db", "HNSV32", DIM);
    add(&a, 1500);
    check(&a);
    ck_assert_int_eq(nearest_save(&a.nearest, 0, 1, NULL, &err), ERNIE_EINVAL);
    ck_assert_msg(strstr(err.message, "HNSV32") != NULL && strstr(err.message, "FAISS") != NULL,
                  "%s", err.message);
    nearest_save_soon(&a.nearest);
    check(&a);
    close_side(&a);
}
END_TEST

/* ---- failures ---------------------------------------------------------- */

START_TEST(test_memory_that_runs_out_is_an_error)
{
    int failed = 1;

    for (int k = 0; failed; k++) {
        struct side a;
        struct nearest_search *search = NULL;
        struct neighbour hit;
        float query[DIM];
        size_t n = 0;
        int status, found = 1;

        open_side(&a, "a.db");
        if (k == 0) {
            add(&a, 1100);
            ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
        }
        add(&a, 1);
        sql(&a, "BEGIN");
        ok(nearest_refresh(&a.nearest, &err));
        add(&a, 2);
        random_query(&a, query);
        nearest_reset(&a.nearest);
        fail_allocations_from(k);
        status = nearest_init(&a.nearest, store_collection(a.store), fingerprint, DIM, "auto",
                              "-ann", &err);
        if (status == ERNIE_OK)
            status = nearest_begin(&a.nearest, query, &search, &err);
        for (; status == ERNIE_OK && found; n += (size_t)found)
            status = nearest_next(search, &hit, &found, &err);
        nearest_end(search);
        if (status == ERNIE_OK)
            status = nearest_save(&a.nearest, 1, 1, NULL, &err);
        failed = stop_failing() > k;
        ck_assert(status == ERNIE_OK || (failed && status == ERNIE_ENOMEM));
        if (status == ERNIE_OK)
            ck_assert_uint_eq(n, n_rows(&a));
        if (k % 8 == 0 && status == ERNIE_OK)
            check(&a);
        sql(&a, "ROLLBACK");
        close_side(&a);
    }
}
END_TEST

static int interrupt_after;

static int count_steps(void *data)
{
    (void)data;
    return --interrupt_after < 0;
}

/* An interrupted question loses its answer, and nobody the index. */
START_TEST(test_an_interrupted_search_leaves_the_index_as_it_was)
{
    struct index_stamp stamp;
    struct side a;
    struct index *before;
    float query[DIM];
    int status = ERNIE_ECANCELED;

    open_side(&a, "a.db");
    add(&a, 1500);
    check(&a);
    before = shared_index_get(a.nearest.shared, &stamp);
    random_query(&a, query);
    for (int i = 0; status != ERNIE_OK; i++) {
        struct nearest_search *search = NULL;

        if (i == 0 || i == 40)
            add(&a, 1);
        interrupt_after = i;
        sqlite3_progress_handler(a.connection, 1, count_steps, NULL);
        status = nearest_begin(&a.nearest, query, &search, &err);
        sqlite3_progress_handler(a.connection, 0, NULL, NULL);
        ck_assert(status == ERNIE_OK || status == ERNIE_ECANCELED);
        nearest_end(search);
    }
    ck_assert_ptr_eq(before, shared_index_get(a.nearest.shared, &stamp));
    index_release(before);
    index_release(before);
    check(&a);
    close_side(&a);
}
END_TEST

/* What somebody does while lists are made: at the moment when memory is asked for the list of
 * each of the rows, which are known by their odd number. */
enum { N_AT_FIRST = 3001, N_MEANWHILE = 1500 };

static struct side *meanwhile;
static void *(*resize_before)(void *, size_t);

static void *write_meanwhile(void *block, size_t size_bytes)
{
    struct side *side = meanwhile;

    if (size_bytes == N_AT_FIRST * sizeof(uint32_t) && side != NULL) {
        meanwhile = NULL;
        add(side, N_MEANWHILE);
        sql(side, "DELETE FROM ernie_chunks WHERE id = 7");
    }
    return resize_before(block, size_bytes);
}

/* A new index is put in its place with what was written while it was built, so that nobody
 * waits for that; and those who look at rows as they were then get no other answer. */
START_TEST(test_what_is_written_during_a_build_is_there_after_it)
{
    struct side a, writer, old;
    size_t n;

    open_with(&a, "a.db", "ivf", DIM);
    open_with(&writer, "a.db", "ivf", DIM);
    open_with(&old, "a.db", "ivf", DIM);
    add(&a, N_AT_FIRST);
    sql(&old, "BEGIN; SELECT count(*) FROM ernie_chunks");
    meanwhile = &writer;
    resize_before = memory_table.resize;
    memory_table.resize = write_meanwhile;
    ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    memory_table.resize = resize_before;
    ck_assert_ptr_null(meanwhile);
    ck_assert_str_eq(shared_kind(&a, &n), "ivf");
    ck_assert_uint_eq(n, N_AT_FIRST + N_MEANWHILE);
    check_nearly(&a);
    check_nearly(&old);
    ck_assert_ptr_nonnull(old.nearest.shared);
    ck_assert_ptr_null(old.nearest.own); /* its state is one that the index was in */
    sql(&old, "COMMIT");
    check_nearly(&old);
    close_side(&old);
    close_side(&writer);
    close_side(&a);
}
END_TEST

START_TEST(test_rows_that_are_not_what_was_written_are_left_out)
{
    struct nearest_search *search;
    struct neighbour hit;
    struct side a;
    float query[DIM];
    size_t n = 0;
    int found = 1;

    open_side(&a, "a.db");
    add(&a, 100);
    check(&a);
    sql(&a, "UPDATE ernie_embeddings SET checksum = checksum + 1 WHERE chunk_id = 3");
    sql(&a, "UPDATE ernie_embeddings SET vector = x'00' WHERE chunk_id = 4");
    sql(&a, "UPDATE ernie_embeddings SET vector = zeroblob(48) WHERE chunk_id = 5");
    sql(&a, "DELETE FROM ernie_embeddings WHERE chunk_id = 6");
    for (int again = 0; again < 2; again++) {
        random_query(&a, query);
        ok(nearest_begin(&a.nearest, query, &search, &err));
        for (n = 0, found = 1; found; n += (size_t)found) {
            ok(nearest_next(search, &hit, &found, &err));
            ck_assert(!found || hit.chunk_id < 3 || hit.chunk_id > 6);
        }
        nearest_end(search);
        ck_assert_uint_eq(n, 96);
        ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
    }
    close_side(&a);
}
END_TEST

/* ---- threads ----------------------------------------------------------- */

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

START_TEST(test_a_thread_saves_and_ends_with_the_last_use)
{
    struct side a, b;

    open_side(&a, "a.db");
    open_side(&b, "a.db");
    add(&a, 3000);
    nearest_save_soon(&a.nearest);
    nearest_save_soon(&b.nearest);
    close_side(&a);
    check(&b);
    close_side(&b);
    ck_assert(has_file("a.db-ann"));
    open_side(&b, "a.db");
    ok(nearest_refresh(&b.nearest, &err));
    ck_assert_uint_eq(shared_index_saved(b.nearest.shared), 3000);
    nearest_save_soon(&b.nearest); /* finds nothing to do */
    close_side(&b);

    /* A build that takes long is given up. */
    open_with(&a, "a.db", "ivf", DIM);
    add(&a, 30000);
    check(&a);
    {
        double start;

        nearest_save_soon(&a.nearest);
        start = now_ms();
        close_side(&a);
        printf("a build was given up after %.0f ms\n", now_ms() - start);
    }
    open_with(&a, "a.db", "ivf", DIM);
    check_nearly(&a);
    close_side(&a);
}
END_TEST

enum { N_READERS = 8, MAX_TIMES = 100000 };

struct reader {
    pthread_t thread;
    unsigned number;
    atomic_int *done;
    char fault[1024];
    size_t n_searches, n_times;
    float *times; /* [MAX_TIMES] of ten neighbours */
    int saves;
};

static void *read_on(void *data)
{
    struct reader *reader = data;
    struct side side;
    float query[DIM];

    open_side(&side, "a.db");
    side.random = reader->number;
    while (!atomic_load(reader->done)) {
        struct nearest_search *search;
        struct neighbour hit;
        const char *fault;
        double start;
        int found = 1;

        random_query(&side, query);
        for (int i = 0; i < 20 && reader->n_times < MAX_TIMES; i++) {
            start = now_ms();
            if (nearest_begin(&side.nearest, query, &search, NULL) != ERNIE_OK)
                break;
            for (int k = 0; k < 10 && found; k++)
                nearest_next(search, &hit, &found, NULL);
            nearest_end(search);
            reader->times[reader->n_times++] = (float)(now_ms() - start);
        }
        /* Every fourth reader in a state that gets old. */
        if (reader->number % 4 == 0)
            sql(&side, "BEGIN");
        fault = find_fault(&side, query, reader->n_searches % 4 == 0 ? 0 : 10);
        if (reader->number % 4 == 0) {
            usleep(20000);
            if (fault == NULL)
                fault = find_fault(&side, query, 10);
            sql(&side, "COMMIT");
        }
        if (fault != NULL) {
            snprintf(reader->fault, sizeof reader->fault, "%s", fault);
            break;
        }
        if (reader->saves)
            nearest_save_soon(&side.nearest);
        reader->n_searches++;
    }
    close_side(&side);
    return NULL;
}

static int compare_floats(const void *a, const void *b)
{
    const float *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* One adds, replaces, deletes and rebuilds, the others ask. */
START_TEST(test_readers_are_right_while_one_writes)
{
    static struct reader readers[N_READERS];
    const char *seconds = getenv("NEAREST_SECONDS");
    const double end = now_ms() + 1000 * (seconds != NULL ? atof(seconds) : 2);
    float *times = malloc(N_READERS * MAX_TIMES * sizeof *times);
    size_t n = 0, n_commits = 0;
    atomic_int done;
    struct side a;

    atomic_init(&done, 0);
    open_side(&a, "a.db");
    add(&a, 1500);
    check(&a);
    for (unsigned i = 0; i < N_READERS; i++) {
        readers[i] = (struct reader){ .number = i + 1, .done = &done, .saves = i % 2 == 0,
                                      .times = malloc(MAX_TIMES * sizeof(float)) };
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (; now_ms() < end; n_commits++) {
        const char *fault;
        float query[DIM];

        add(&a, 1 + n_commits % 3);
        random_query(&a, query);
        if (n_commits % 5 == 4)
            sql(&a, "DELETE FROM ernie_chunks WHERE id %% 97 = %zu", n_commits % 97);
        if (n_commits % 7 == 6)
            sql(&a, "UPDATE ernie_embeddings SET (vector, checksum) ="
                    " (SELECT vector, checksum FROM ernie_embeddings WHERE chunk_id ="
                    " (SELECT max(id) FROM ernie_chunks)) WHERE chunk_id %% 131 = %zu",
                n_commits % 131);
        if (n_commits % 40 == 39)
            ok(nearest_save(&a.nearest, 1, 1, NULL, &err));
        fault = find_fault(&a, query, 10);
        ck_assert_msg(fault == NULL, "writer: %s", fault);
        usleep(5000);
    }
    atomic_store(&done, 1);
    for (size_t i = 0; i < N_READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        ck_assert_msg(readers[i].fault[0] == '\0', "reader %zu: %s", i, readers[i].fault);
        ck_assert_uint_gt(readers[i].n_searches, 0);
        memcpy(times + n, readers[i].times, readers[i].n_times * sizeof *times);
        n += readers[i].n_times;
        free(readers[i].times);
    }
    qsort(times, n, sizeof *times, compare_floats);
    printf("%zu commits, %zu searches for ten: p50 %.2f ms, p99 %.2f, p99.9 %.2f, greatest %.2f\n",
           n_commits, n, (double)times[n / 2], (double)times[n * 99 / 100],
           (double)times[n * 999 / 1000], (double)times[n - 1]);
    check(&a);
    close_side(&a);
    free(times);
}
END_TEST

/* ---- kill -9 ----------------------------------------------------------- */

/* Seven chunks a transaction, some in place of seven others; every third time the index is
 * saved. */
static void write_until_killed(unsigned seed)
{
    struct side a;

    open_side(&a, "a.db");
    a.random = seed;
    for (int i = 0;; i++) {
        sql(&a, "BEGIN IMMEDIATE");
        if (i % 4 == 3)
            sql(&a, "DELETE FROM ernie_chunks WHERE id IN"
                    " (SELECT id FROM ernie_chunks ORDER BY id DESC LIMIT 7)");
        add(&a, 7);
        sql(&a, "COMMIT");
        if (i % 3 == 0)
            nearest_save(&a.nearest, 1, 1, NULL, NULL);
    }
}

static void print_finding(void *data, const char *finding)
{
    (void)data;
    fprintf(stderr, "%s\n", finding);
}

START_TEST(test_a_killed_writer_leaves_a_database_that_answers_right)
{
    const char *times = getenv("NEAREST_KILLS");
    const int n_kills = times != NULL ? atoi(times) : 20;
    uint64_t random = 42;
    size_t n_loaded = 0;
    struct side a;

    open_side(&a, "a.db");
    add(&a, 700);
    close_side(&a);
    for (int i = 0; i < n_kills; i++) {
        pid_t child = fork();
        size_t n_findings;
        int found;

        ck_assert_int_ge(child, 0);
        if (child == 0)
            write_until_killed((unsigned)i);
        usleep((useconds_t)(3000 + table_random(&random) % 60000));
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, &found, 0), child);
        ck_assert(WIFSIGNALED(found));

        open_side(&a, "a.db");
        check(&a);
        n_loaded += shared_index_saved(a.nearest.shared) > 0;
        ck_assert_uint_eq(n_rows(&a) % 7, 0); /* whole transactions */
        ok(store_check(a.store, 0, print_finding, NULL, &n_findings, &err));
        ck_assert_uint_eq(n_findings, 0);
        close_side(&a);
    }
    printf("%d kills; %zu times an index file was there and used\n", n_kills, n_loaded);
    ck_assert_uint_gt(n_loaded, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nearest");
    TCase *rows = tcase_create("rows"), *past = tcase_create("past");
    TCase *saving = tcase_create("saving"), *threads = tcase_create("threads");
    TCase *killed = tcase_create("killed");

    tcase_add_checked_fixture(rows, make_folder, remove_folder);
    tcase_add_test(rows, test_what_is_committed_is_found);
    tcase_add_test(rows, test_a_database_in_memory_has_an_index_of_its_own);
    tcase_add_test(rows, test_a_transaction_sees_its_own_rows_and_nobody_else_does);
    tcase_add_test(rows, test_rows_of_a_savepoint_that_was_rolled_back_are_forgotten);
    tcase_add_test(rows, test_a_replaced_vector_is_found_where_it_is_now);
    tcase_add_test(rows, test_an_older_snapshot_is_answered_from_its_own_rows);
    tcase_add_test(rows, test_a_snapshot_between_noted_states_lacks_nothing);
    tcase_add_test(rows, test_a_search_goes_on_in_its_state);
    suite_add_tcase(suite, rows);
    tcase_add_checked_fixture(past, make_folder, remove_folder);
    tcase_add_test(past, test_a_backup_put_back_under_a_live_process_is_answered_right);
    tcase_add_test(past, test_a_backup_put_back_under_an_index_file_is_answered_right);
    tcase_add_test(past, test_index_files_that_changed_places_are_not_used);
    tcase_add_test(past, test_copies_of_a_database_that_went_apart_are_told_apart);
    tcase_add_test(past, test_vectors_of_another_model_share_nothing);
    tcase_add_test(past, test_a_log_that_was_cut_short_hides_nothing);
    suite_add_tcase(suite, past);
    tcase_add_checked_fixture(saving, make_folder, remove_folder);
    tcase_add_test(saving, test_a_file_is_written_where_it_pays);
    tcase_add_test(saving, test_an_index_without_those_that_are_gone_is_made_when_they_are_many);
    tcase_add_test(saving, test_a_file_that_cannot_be_read_or_written_stops_nothing);
    tcase_add_loop_test(saving, test_every_kind_is_built_saved_loaded_and_caught_up, 0, 4);
    tcase_add_test(saving, test_a_kind_that_faiss_does_not_know_is_said_and_stops_no_search);
    tcase_add_test(saving, test_memory_that_runs_out_is_an_error);
    tcase_add_test(saving, test_an_interrupted_search_leaves_the_index_as_it_was);
    tcase_add_test(saving, test_what_is_written_during_a_build_is_there_after_it);
    tcase_add_test(saving, test_rows_that_are_not_what_was_written_are_left_out);
    suite_add_tcase(suite, saving);
    tcase_add_checked_fixture(threads, make_folder, remove_folder);
    tcase_add_test(threads, test_a_thread_saves_and_ends_with_the_last_use);
    tcase_add_test(threads, test_readers_are_right_while_one_writes);
    suite_add_tcase(suite, threads);
    tcase_add_checked_fixture(killed, make_folder, remove_folder);
    tcase_add_test(killed, test_a_killed_writer_leaves_a_database_that_answers_right);
    suite_add_tcase(suite, killed);
    return run_suite(suite);
}
