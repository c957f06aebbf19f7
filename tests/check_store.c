/* sql/store.c: rows in and out, what one connection sees of another, and what is said
 * of files that cannot be used. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "folder.h"
#include "sql/store.h"
#include "suite.h"

#define DIM 4

static ernie_error err;

static void make_folder(void)
{
    folder_make("check_store");
}

static void ok(int status)
{
    ck_assert_msg(status == ERNIE_OK, "%d: %s", status, err.message);
}

static void fails(int status, int expected, const char *words)
{
    ck_assert_msg(status == expected, "%d, not %d: %s", status, expected, err.message);
    ck_assert_msg(strstr(err.message, words) != NULL, "no \"%s\" in: %s", words, err.message);
}

static struct store *open_store(const char *name, enum store_mode mode)
{
    struct store *store = NULL;

    ok(store_open(in(name), mode, &store, &err));
    return store;
}

static int put(struct store *store, int64_t root_id, const char *path, int64_t *id)
{
    struct store_document document = { .root_id = root_id,
                                       .path = path,
                                       .title = "题目",
                                       .format = "text",
                                       .encoding = "GB18030",
                                       .size_bytes = 7,
                                       .mtime_ns = 1700000000123456789,
                                       .ctime_ns = -1,
                                       .checked_ns = 3,
                                       .hash = "0123456789abcde" };

    return store_document_put(store, &document, id, &err);
}

static int add_chunk(struct store *store, int64_t document_id, size_t ordinal, int64_t *id)
{
    static const float embedding[DIM] = { 0.6f, 0.8f, 0, 0 };
    struct store_chunk chunk = { .document_id = document_id, .ordinal = ordinal,
                                 .start = ordinal * 6, .end = ordinal * 6 + 6, .line = ordinal + 1,
                                 .text = "智能", .size = 6, .embedding = embedding, .dim = DIM };

    return store_chunk_add(store, &chunk, id, &err);
}

/* A document of n chunks, in a transaction of its own; chunk ids in ids [n]. */
static int64_t add_document(struct store *store, int64_t root_id, const char *path, size_t n,
                            int64_t *ids)
{
    int64_t document_id, id;

    ok(store_begin(store, &err));
    ok(put(store, root_id, path, &document_id));
    for (size_t i = 0; i < n; i++)
        ok(add_chunk(store, document_id, i, ids != NULL ? &ids[i] : &id));
    ok(store_commit(store, &err));
    return document_id;
}

/* The first column of SQL's first row, run by a stock connection; "" for none. */
static const char *sql_in(const char *name, const char *sql)
{
    static char answer[8192];
    sqlite3_stmt *statement;
    sqlite3 *connection;

    ck_assert_int_eq(sqlite3_open(in(name), &connection), SQLITE_OK);
    sqlite3_busy_timeout(connection, 5000);
    ck_assert_msg(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(connection));
    answer[0] = '\0';
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL)
        snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(statement, 0));
    ck_assert_msg(sqlite3_finalize(statement) == SQLITE_OK, "%s", sqlite3_errmsg(connection));
    sqlite3_close(connection);
    return answer;
}

static struct store_counts counts_of(struct store *store)
{
    struct store_counts counts;

    ok(store_counts(store, &counts, &err));
    return counts;
}

struct seen {
    size_t n, n_missing;
    int64_t ids[64];
};

static int see(void *data, int64_t chunk_id, const float *embedding, ernie_error *error)
{
    struct seen *seen = data;

    (void)error;
    ck_assert_uint_lt(seen->n, 64);
    ck_assert(seen->n == 0 || seen->ids[seen->n - 1] < chunk_id);
    seen->ids[seen->n++] = chunk_id;
    if (embedding == NULL)
        seen->n_missing++;
    else
        ck_assert_float_eq(embedding[0], 0.6f);
    return ERNIE_OK;
}

static struct seen since(struct store *store, uint64_t seq)
{
    struct seen seen = { 0 };

    ok(collection_vectors_since(store_collection(store), seq, DIM, see, &seen, &err));
    return seen;
}

static uint64_t last_seq(struct store *store)
{
    uint64_t seq;

    ok(store_snapshot_begin(store, &seq, &err));
    store_snapshot_end(store);
    return seq;
}

static char findings[4096];

static void note(void *data, const char *finding)
{
    (void)data;
    ck_assert_ptr_null(strchr(finding, '\n'));
    strncat(findings, finding, sizeof findings - strlen(findings) - 2);
    strcat(findings, "\n");
}

static size_t check_store(struct store *store)
{
    size_t n;

    findings[0] = '\0';
    ok(store_check(store, DIM, note, NULL, &n, &err));
    return n;
}

/* ---- rows ---- */

START_TEST(test_a_document_comes_back_as_it_was_put)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_document document;
    int64_t id = add_document(store, STORE_NO_ROOT, "note", 1, NULL);
    int found;

    ok(store_document_find(store, STORE_NO_ROOT, "note", &document, &found, &err));
    ck_assert_int_eq(found, 1);
    ck_assert_int_eq(document.id, id);
    ck_assert_int_eq(document.root_id, STORE_NO_ROOT);
    ck_assert_str_eq(document.path, "note");
    ck_assert_str_eq(document.title, "题目");
    ck_assert_str_eq(document.format, "text");
    ck_assert_str_eq(document.encoding, "GB18030");
    ck_assert_uint_eq(document.size_bytes, 7);
    ck_assert_int_eq(document.mtime_ns, 1700000000123456789);
    ck_assert_int_eq(document.ctime_ns, -1);
    ck_assert_int_eq(document.checked_ns, 3);
    ck_assert_mem_eq(document.hash, "0123456789abcde", 16);
    ck_assert_ptr_null(document.failure);
    ok(store_document_find(store, STORE_NO_ROOT, "other", &document, &found, &err));
    ck_assert_int_eq(found, 0);
    ok(store_document_find(store, 1, "note", &document, &found, &err));
    ck_assert_int_eq(found, 0);
    store_close(store);
}
END_TEST

START_TEST(test_what_a_document_says_of_itself_comes_back)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_document document = { .path = "a.zip", .title = "", .format = "zip",
                                       .encoding = "" };
    struct store_chunk chunk = { .line = 1, .page = 3, .heading = "第1章 › 备份", .text = "智能",
                                 .size = 6, .embedding = (float[DIM]){ 1 }, .dim = DIM };
    struct store_hit hit;
    int64_t container, id, chunk_id;
    int found;

    ok(store_begin(store, &err));
    ok(store_document_put(store, &document, &container, &err));
    document = (struct store_document){ .path = "a.zip/b.pdf", .title = "题目", .format = "pdf",
                                        .encoding = "", .author = "李四", .language = "zh-CN",
                                        .date = "2024-01-31", .container_id = container,
                                        .extractor_version = 5 };
    ok(store_document_put(store, &document, &id, &err));
    chunk.document_id = id;
    ok(store_chunk_add(store, &chunk, &chunk_id, &err));
    ok(store_commit(store, &err));
    ok(store_document_find(store, STORE_NO_ROOT, "a.zip", &document, &found, &err));
    ck_assert_str_eq(document.author, "");
    ck_assert_str_eq(document.language, "");
    ck_assert_ptr_null(document.date);
    ck_assert_int_eq(document.container_id, 0);
    ok(store_document_find(store, STORE_NO_ROOT, "a.zip/b.pdf", &document, &found, &err));
    ck_assert_str_eq(document.author, "李四");
    ck_assert_str_eq(document.language, "zh-CN");
    ck_assert_str_eq(document.date, "2024-01-31");
    ck_assert_int_eq(document.container_id, container);
    ck_assert_int_eq(document.extractor_version, 5);
    ok(store_hit_get(store, chunk_id, &hit, &found, &err));
    ck_assert_uint_eq(hit.page, 3);
    ck_assert_str_eq(hit.heading, "第1章 › 备份");
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

/* a.zip with b.zip and c in it, and d in b.zip, each with a chunk, and another document. */
static void add_containers(struct store *store, int64_t ids[5])
{
    static const char *const paths[] = { "a.zip", "a.zip/b.zip", "a.zip/c", "a.zip/b.zip/d",
                                         "other" };
    static const int container[] = { -1, 0, 0, 1, -1 };

    ok(store_begin(store, &err));
    for (int i = 0; i < 5; i++) {
        struct store_document document = { .path = paths[i], .title = "", .format = "",
                                           .encoding = "" };
        int64_t chunk_id;

        document.container_id = container[i] >= 0 ? ids[container[i]] : 0;
        ok(store_document_put(store, &document, &ids[i], &err));
        ok(add_chunk(store, ids[i], 0, &chunk_id));
    }
    ok(store_commit(store, &err));
}

START_TEST(test_members_go_with_their_container)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t ids[5];

    add_containers(store, ids);
    ok(store_members_delete(store, ids[1], &err));
    ck_assert_uint_eq(counts_of(store).n_documents, 4);
    ok(store_members_delete(store, ids[0], &err));
    ck_assert_uint_eq(counts_of(store).n_documents, 2);
    ck_assert_uint_eq(counts_of(store).n_embeddings, 2);
    ok(store_document_delete(store, ids[4], &err));
    add_containers(store, ids);
    ok(store_document_delete(store, ids[0], &err));
    ck_assert_uint_eq(counts_of(store).n_documents, 1);
    ck_assert_uint_eq(counts_of(store).n_chunks, 1);
    ck_assert_uint_eq(check_store(store), 0);
    /* The same when another program does it, which does not enforce foreign keys. */
    add_containers(store, ids);
    sql_in("a.db", "DELETE FROM ernie_documents WHERE path LIKE 'a.zip%'");
    ck_assert_uint_eq(counts_of(store).n_documents, 1);
    ck_assert_uint_eq(counts_of(store).n_embeddings, 1);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

/* ---- other names ---- */

static int note_ids(void *data, const struct store_document *document, int *stop, ernie_error *e)
{
    int64_t *sum = data;

    (void)e;
    ck_assert_str_ne(document->path, "");
    *sum += document->id;
    *stop = document->id == 2;
    return ERNIE_OK;
}

START_TEST(test_a_renamed_document_keeps_its_chunks)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_document document = { .path = "new\xff.txt", .size_bytes = 8, .mtime_ns = 5,
                                       .ctime_ns = 6, .checked_ns = 7 };
    struct store_document found;
    int64_t root, ids[4], chunk[1];
    int is_found;

    ok(store_begin(store, &err));
    ok(store_root_add(store, "/r", &root, &err));
    ok(store_commit(store, &err));
    for (int i = 0; i < 4; i++) {
        static const char *const paths[] = { "a", "b", "c", "new\xff.txt" };

        ids[i] = add_document(store, root, paths[i], 1, chunk);
    }
    document.id = ids[0];
    document.root_id = root;
    ok(store_begin(store, &err));
    ok(store_document_rename(store, &document, &err));
    ok(store_commit(store, &err));
    ok(store_document_find(store, root, "new\xff.txt", &found, &is_found, &err));
    ck_assert_int_eq(found.id, ids[0]);
    ck_assert_int_eq(found.mtime_ns, 5);
    ck_assert_str_eq(found.title, "题目");
    ok(store_document_find(store, root, "a", &found, &is_found, &err));
    ck_assert(!is_found);
    ck_assert_uint_eq(counts_of(store).n_documents, 3); /* what had that path is gone */
    ck_assert_uint_eq(counts_of(store).n_chunks, 3);
    ck_assert_uint_eq(check_store(store), 0);
    /* Who removes it meanwhile wins. */
    document.id = 77;
    document.path = "d";
    ok(store_begin(store, &err));
    fails(store_document_rename(store, &document, &err), ERNIE_EBUSY, "removed");
    store_rollback(store);
    store_close(store);
}
END_TEST

START_TEST(test_members_are_renamed_with_their_container)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_document document = { .path = "x/long.zip" }, found;
    static const char *const paths[] = { "x/long.zip", "x/long.zip/b.zip", "x/long.zip/c",
                                         "x/long.zip/b.zip/d", "other" };
    int64_t ids[5];
    int is_found;

    add_containers(store, ids);
    document.id = ids[0];
    ok(store_begin(store, &err));
    ok(store_document_rename(store, &document, &err));
    ok(store_commit(store, &err));
    for (int i = 0; i < 5; i++) {
        ok(store_document_find(store, STORE_NO_ROOT, paths[i], &found, &is_found, &err));
        ck_assert_int_eq(found.id, ids[i]);
    }
    ck_assert_uint_eq(counts_of(store).n_chunks, 5);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

START_TEST(test_twins_are_files_with_the_same_bytes)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_document member = { .path = "a/m", .title = "", .format = "", .encoding = "",
                                     .hash = "0123456789abcde" };
    struct store_document failed = member;
    const uint8_t hash[16] = "0123456789abcde", another[16] = "1";
    int64_t root, id, sum = 0;

    ok(store_begin(store, &err));
    ok(store_root_add(store, "/r", &root, &err));
    ok(store_commit(store, &err));
    ck_assert_int_eq(add_document(store, root, "a", 1, NULL), 1);
    ck_assert_int_eq(add_document(store, root, "b", 1, NULL), 2);
    ck_assert_int_eq(add_document(store, root, "c", 1, NULL), 3);
    add_document(store, STORE_NO_ROOT, "given", 1, NULL); /* has no file */
    member.root_id = failed.root_id = root;
    member.container_id = 1;
    failed.path = "f";
    failed.failure = "no text";
    ok(store_begin(store, &err));
    ok(store_document_put(store, &member, &id, &err));
    ok(store_document_put(store, &failed, &id, &err));
    ok(store_commit(store, &err));
    ok(store_document_twins(store, hash, note_ids, &sum, &err));
    ck_assert_int_eq(sum, 1 + 2); /* it stops at the second */
    ok(store_document_delete(store, 2, &err));
    sum = 0;
    ok(store_document_twins(store, hash, note_ids, &sum, &err));
    ck_assert_int_eq(sum, 1 + 3);
    sum = 0;
    ok(store_document_twins(store, another, note_ids, &sum, &err));
    ck_assert_int_eq(sum, 0);
    store_close(store);
}
END_TEST

START_TEST(test_a_failure_is_remembered_and_counted)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_document document = { .path = "x.pdf", .title = "", .format = "", .encoding = "",
                                       .failure = "not text" };
    int64_t id;
    int found;

    ok(store_begin(store, &err));
    ok(store_document_put(store, &document, &id, &err));
    ok(store_commit(store, &err));
    ok(store_document_find(store, STORE_NO_ROOT, "x.pdf", &document, &found, &err));
    ck_assert_str_eq(document.failure, "not text");
    ck_assert_uint_eq(counts_of(store).n_failed, 1);
    store_close(store);
}
END_TEST

START_TEST(test_touch_changes_times_and_size_only)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_document document = { .path = "note", .size_bytes = 9, .mtime_ns = 10,
                                       .ctime_ns = 11, .checked_ns = 12 };
    int64_t id = add_document(store, STORE_NO_ROOT, "note", 2, NULL);
    uint64_t seq = last_seq(store);
    int found;

    ok(store_document_touch(store, &document, &err));
    ok(store_document_find(store, STORE_NO_ROOT, "note", &document, &found, &err));
    ck_assert_int_eq(document.id, id);
    ck_assert_uint_eq(document.size_bytes, 9);
    ck_assert_int_eq(document.mtime_ns, 10);
    ck_assert_int_eq(document.ctime_ns, 11);
    ck_assert_int_eq(document.checked_ns, 12);
    ck_assert_str_eq(document.title, "题目");
    ck_assert_uint_eq(counts_of(store).n_chunks, 2);
    ck_assert_uint_eq(last_seq(store), seq);
    store_close(store);
}
END_TEST

START_TEST(test_a_vector_is_stored_little_endian_with_its_checksum)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    float embedding[DIM];
    int64_t document_id, id, of;
    int found;

    document_id = add_document(store, STORE_NO_ROOT, "note", 1, &id);
    /* The bytes by hand; the checksum from `xxh128sum` over them. */
    ck_assert_str_eq(sql_in("a.db", "SELECT hex(vector) FROM ernie_embeddings"),
                     "9A99193FCDCC4C3F0000000000000000");
    ck_assert_str_eq(sql_in("a.db", "SELECT printf('%x', checksum) FROM ernie_embeddings"),
                     "37b209078ba4821c");
    ok(collection_vector_get(store_collection(store), id, DIM, embedding, &found, &err));
    ck_assert_int_eq(found, 1);
    ok(collection_owner(store_collection(store), id, &of, &found, &err));
    ck_assert_int_eq(found, 1);
    ck_assert_int_eq(of, document_id);
    ck_assert_float_eq(embedding[1], 0.8f);
    ok(collection_vector_get(store_collection(store), id, DIM + 1, embedding, &found, &err));
    ck_assert_int_eq(found, 0);
    ok(collection_vector_get(store_collection(store), id + 1, DIM, embedding, &found, &err));
    ck_assert_int_eq(found, 0);
    store_close(store);
}
END_TEST

START_TEST(test_a_hit_names_its_document)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_hit hit;
    int64_t root, ids[2], document_id;
    int found;

    ok(store_begin(store, &err));
    ok(store_root_add(store, "/elsewhere", &root, &err));
    ok(store_commit(store, &err));
    document_id = add_document(store, root, "a/b.txt", 2, ids);
    ok(store_hit_get(store, ids[1], &hit, &found, &err));
    ck_assert_int_eq(found, 1);
    ck_assert_int_eq(hit.document_id, document_id);
    ck_assert_int_eq(hit.root_id, root);
    ck_assert_str_eq(hit.path, "a/b.txt");
    ck_assert_str_eq(hit.title, "题目");
    ck_assert_uint_eq(hit.size, 6);
    ck_assert_str_eq(hit.text, "智能");
    ck_assert_uint_eq(hit.line, 2);
    ok(store_hit_get(store, 99, &hit, &found, &err));
    ck_assert_int_eq(found, 0);
    store_close(store);
}
END_TEST

START_TEST(test_replacing_a_document_keeps_its_id_and_no_chunk)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t before[3], after[2], id, again;

    id = add_document(store, STORE_NO_ROOT, "note", 3, before);
    again = add_document(store, STORE_NO_ROOT, "note", 2, after);
    ck_assert_int_eq(again, id);
    ck_assert_int_gt(after[0], before[2]); /* no id comes twice */
    ck_assert_uint_eq(counts_of(store).n_documents, 1);
    ck_assert_uint_eq(counts_of(store).n_chunks, 2);
    ck_assert_uint_eq(counts_of(store).n_embeddings, 2);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

START_TEST(test_deleting_leaves_nothing_but_log_and_ids_are_not_used_again)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t first[2], second[1], id, next;

    id = add_document(store, STORE_NO_ROOT, "note", 2, first);
    ok(store_begin(store, &err));
    ok(store_document_delete(store, id, &err));
    ok(store_document_delete(store, id, &err)); /* gone already */
    ok(store_commit(store, &err));
    ck_assert_uint_eq(counts_of(store).n_documents, 0);
    ck_assert_uint_eq(counts_of(store).n_chunks, 0);
    ck_assert_uint_eq(counts_of(store).n_embeddings, 0);
    ck_assert_str_eq(
        sql_in("a.db", "SELECT group_concat(op || chunk_id) FROM"
                       " (SELECT op, chunk_id FROM ernie_log ORDER BY seq)"),
        "add1,add2,delete1,delete2");
    ck_assert_uint_eq(check_store(store), 0);
    /* Nor after the database was closed, when nothing in memory remembers. */
    store_close(store);
    store = open_store("a.db", STORE_CREATE);
    next = add_document(store, STORE_NO_ROOT, "other", 1, second);
    ck_assert_int_gt(next, id);
    ck_assert_int_gt(second[0], first[1]);
    store_close(store);
}
END_TEST

START_TEST(test_rows_changed_by_another_program_are_logged)
{
    struct store *store = open_store("a.db", STORE_CREATE);

    add_document(store, STORE_NO_ROOT, "a", 2, NULL);
    add_document(store, STORE_NO_ROOT, "b", 1, NULL);
    sql_in("a.db", "DELETE FROM ernie_documents WHERE path = 'a'"); /* foreign keys off */
    ck_assert_uint_eq(counts_of(store).n_chunks, 1);
    ck_assert_uint_eq(counts_of(store).n_embeddings, 1);
    ck_assert_uint_eq(last_seq(store), 5);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

static int replace_each(void *data, int64_t chunk_id, const char *heading, const char *text,
                        size_t size, ernie_error *error)
{
    (void)heading;
    static const float embedding[DIM] = { 0.6f, 0, 0.8f, 0 };

    ck_assert_uint_eq(size, 6);
    ck_assert_mem_eq(text, "智能", 6);
    return collection_vector_put(store_collection(data), chunk_id, embedding, DIM, error);
}

START_TEST(test_embeddings_since_gives_what_is_new_and_still_there)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t ids[3], more[2];
    uint64_t seq;
    struct seen seen;

    add_document(store, STORE_NO_ROOT, "a", 3, ids);
    seq = last_seq(store);
    ck_assert_uint_eq(seq, 3);
    ck_assert_uint_eq(since(store, 0).n, 3);
    ck_assert_uint_eq(since(store, seq).n, 0);
    ck_assert_uint_eq(since(store, seq - 1).n, 1);
    ck_assert_int_eq(since(store, seq - 1).ids[0], ids[2]);
    add_document(store, STORE_NO_ROOT, "b", 2, more);
    add_document(store, STORE_NO_ROOT, "a", 0, NULL);
    seen = since(store, seq);
    ck_assert_uint_eq(seen.n, 2);
    ck_assert_int_eq(seen.ids[0], more[0]);
    ck_assert_uint_eq(since(store, 0).n, 2);
    /* A changed vector is new again; a walk over the texts may change them. */
    seq = last_seq(store);
    ok(store_begin(store, &err));
    ok(store_texts(store, replace_each, store, &err));
    ok(store_commit(store, &err));
    ck_assert_uint_eq(since(store, seq).n, 2);
    ck_assert_str_eq(sql_in("a.db", "SELECT op FROM ernie_log ORDER BY seq DESC"), "replace");
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

static int stop(void *data, int64_t chunk_id, const float *embedding, ernie_error *error)
{
    (void)data;
    (void)chunk_id;
    (void)embedding;
    return collection_vectors_since(store_collection(data), 0, DIM, stop, data, error);
}

START_TEST(test_a_callback_that_calls_its_caller_is_an_error)
{
    struct store *store = open_store("a.db", STORE_CREATE);

    add_document(store, STORE_NO_ROOT, "a", 3, NULL);
    ck_assert_int_ne(collection_vectors_since(store_collection(store), 0, DIM, stop, store, &err), ERNIE_OK);
    ck_assert_uint_eq(since(store, 0).n, 3);
    store_close(store);
}
END_TEST

START_TEST(test_a_log_cut_short_hides_no_row)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    uint64_t mark;

    add_document(store, STORE_NO_ROOT, "a", 3, NULL);
    add_document(store, STORE_NO_ROOT, "b", 2, NULL);
    sql_in("a.db", "DELETE FROM ernie_log WHERE seq < 4");
    ck_assert_uint_eq(since(store, 0).n, 5);
    ck_assert_uint_eq(since(store, 4).n, 1);
    ok(collection_log_mark(store_collection(store), 4, &mark, &err));
    fails(collection_log_mark(store_collection(store), 3, &mark, &err), ERNIE_ENOTFOUND, "3");
    ck_assert_uint_eq(check_store(store), 0);
    sql_in("a.db", "DELETE FROM ernie_log");
    add_document(store, STORE_NO_ROOT, "c", 1, NULL);
    ck_assert_uint_eq(last_seq(store), 6); /* numbers go on */
    store_close(store);
}
END_TEST

START_TEST(test_marks_tell_a_restored_log_apart)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    uint64_t lost, mark, again;

    ok(collection_log_mark(store_collection(store), 0, &mark, &err));
    ck_assert_uint_eq(mark, 0);
    add_document(store, STORE_NO_ROOT, "a", 1, NULL);
    store_close(store);
    run("cp %s %s", in("a.db"), in("backup.db"));
    store = open_store("a.db", STORE_WRITE);
    add_document(store, STORE_NO_ROOT, "b", 1, NULL);
    ok(collection_log_mark(store_collection(store), 1, &mark, &err));
    ok(collection_log_mark(store_collection(store), 2, &lost, &err));
    store_close(store);
    store = open_store("backup.db", STORE_WRITE);
    add_document(store, STORE_NO_ROOT, "c", 1, NULL);
    ok(collection_log_mark(store_collection(store), 1, &again, &err));
    ck_assert_uint_eq(again, mark);
    ok(collection_log_mark(store_collection(store), 2, &again, &err));
    ck_assert_uint_ne(again, lost);
    store_close(store);
}
END_TEST

START_TEST(test_meta_is_kept_and_absent_is_empty)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    char value[8];

    ok(collection_meta_get(store_collection(store), "dim", value, sizeof value, &err));
    ck_assert_str_eq(value, "");
    ok(collection_meta_set(store_collection(store), "dim", "384", &err));
    ok(collection_meta_set(store_collection(store), "dim", "512", &err));
    store_close(store);
    store = open_store("a.db", STORE_READ);
    ok(collection_meta_get(store_collection(store), "dim", value, sizeof value, &err));
    ck_assert_str_eq(value, "512");
    ok(collection_meta_get(store_collection(store), "uuid", value, sizeof value, &err));
    ck_assert_uint_eq(strlen(value), 7); /* what fits */
    store_close(store);
}
END_TEST

START_TEST(test_a_chunk_without_document_or_with_a_taken_place_is_refused)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    static const float embedding[DIM];
    int64_t id, document_id = add_document(store, STORE_NO_ROOT, "a", 1, NULL);

    fails(add_chunk(store, 77, 0, &id), ERNIE_ECORRUPT, "FOREIGN KEY");
    fails(add_chunk(store, document_id, 0, &id), ERNIE_ECORRUPT, "UNIQUE");
    fails(put(store, 5, "b", &id), ERNIE_ECORRUPT, "FOREIGN KEY"); /* no such root */
    fails(collection_vector_put(store_collection(store), 1, embedding, 0, &err), ERNIE_EINVAL, "0 numbers");
    fails(collection_vector_put(store_collection(store), 1, embedding, SIZE_MAX / 2, &err), ERNIE_EINVAL, "");
    store_close(store);
}
END_TEST

/* ---- paths and roots ---- */

static int64_t add_root(struct store *store, const char *path)
{
    int64_t id;

    ok(store_begin(store, &err));
    ok(store_root_add(store, path, &id, &err));
    ok(store_commit(store, &err));
    return id;
}

static size_t n_below(struct store *store, int64_t root, const char *below)
{
    int64_t *ids;
    size_t n;

    ok(store_document_ids(store, root, below, &ids, &n, &err));
    for (size_t i = 1; i < n; i++)
        ck_assert_int_lt(ids[i - 1], ids[i]);
    memory_free(ids);
    return n;
}

START_TEST(test_paths_are_bytes)
{
    static const char *const paths[] = {
        "README.md", "readme.md", "Readme.MD", "\xb1\xa8\xb8\xe6.txt" /* GBK */, "a%", "a_", "ab",
        "a'b\"c", "new\nline", "文件.txt", "é", "e\xcc\x81", "trailing ", "trailing",
    };
    enum { N = sizeof paths / sizeof paths[0] };
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t root = add_root(store, "/r"), ids[N];

    for (size_t i = 0; i < N; i++)
        ids[i] = add_document(store, root, paths[i], 1, NULL);
    for (size_t i = 0; i < N; i++) {
        struct store_document document;
        int found;

        ok(store_document_find(store, root, paths[i], &document, &found, &err));
        ck_assert_int_eq(found, 1);
        ck_assert_int_eq(document.id, ids[i]);
        ck_assert_str_eq(document.path, paths[i]);
        ck_assert_uint_eq(n_below(store, root, paths[i]), 1);
    }
    ck_assert_uint_eq(n_below(store, root, ""), N);
    ck_assert_str_eq(sql_in("a.db", "SELECT group_concat(CAST(path AS TEXT)) FROM ernie_documents"
                                    " WHERE typeof(path) <> 'text'"),
                     "\xb1\xa8\xb8\xe6.txt");
    store_close(store);
}
END_TEST

START_TEST(test_ids_below_a_folder_are_those_and_no_neighbours)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t root = add_root(store, "/r"), other = add_root(store, "/s");

    add_document(store, root, "a", 0, NULL);
    add_document(store, root, "a/x", 0, NULL);
    add_document(store, root, "a/\xff", 0, NULL);
    add_document(store, root, "a/b/y", 0, NULL);
    add_document(store, root, "a.txt", 0, NULL);   /* '.' sorts before '/' */
    add_document(store, root, "a0", 0, NULL);      /* '0' sorts after it */
    add_document(store, root, "A/x", 0, NULL);
    add_document(store, root, "\xff/x", 0, NULL);
    add_document(store, root, "\xff/\xfe/x", 0, NULL);
    add_document(store, root, "%/x", 0, NULL);
    add_document(store, root, "_/x", 0, NULL);
    add_document(store, other, "a/z", 0, NULL);
    ck_assert_uint_eq(n_below(store, root, "a"), 4);
    ck_assert_uint_eq(n_below(store, root, "a/b"), 1);
    ck_assert_uint_eq(n_below(store, root, "\xff"), 2);
    ck_assert_uint_eq(n_below(store, root, "%"), 1);
    ck_assert_uint_eq(n_below(store, root, "_"), 1);
    ck_assert_uint_eq(n_below(store, root, "b"), 0);
    ck_assert_uint_eq(n_below(store, root, ""), 11);
    store_close(store);
}
END_TEST

/* The paths of all roots, joined. */
static const char *roots_of(struct store *store)
{
    static char joined[1024];
    struct store_root *roots;
    size_t n;

    ok(store_roots(store, &roots, &n, &err));
    joined[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s",
                 i > 0 ? " " : "", roots[i].path);
    store_roots_free(roots, n);
    return joined;
}

START_TEST(test_roots_inside_the_databases_folder_move_with_it)
{
    struct store *store;
    char expected[512];

    run("mkdir %s", in("here"));
    store = open_store("here/a.db", STORE_CREATE);
    add_root(store, in("here/docs"));
    add_root(store, "/usr/share/doc");
    snprintf(expected, sizeof expected, "%s /usr/share/doc", in("here/docs"));
    ck_assert_str_eq(roots_of(store), expected);
    store_close(store);
    run("mv %s %s", in("here"), in("there"));
    store = open_store("there/a.db", STORE_READ);
    snprintf(expected, sizeof expected, "%s /usr/share/doc", in("there/docs"));
    ck_assert_str_eq(roots_of(store), expected);
    store_close(store);
    ck_assert_str_eq(sql_in("there/a.db", "SELECT path FROM ernie_roots WHERE id = 1"), "docs");
    /* Opened by another way to the same file, it is in the same place. */
    run("ln -s %s %s", in("there"), in("link"));
    store = open_store("link/a.db", STORE_READ);
    ck_assert_str_eq(roots_of(store), expected);
    ck_assert_str_eq(store_path(store), in("there/a.db"));
    store_close(store);
}
END_TEST

START_TEST(test_the_databases_own_folder_can_be_a_root)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t id = add_root(store, in(""));

    ck_assert_int_eq(add_root(store, in("")), id); /* found, not added twice */
    ck_assert_str_eq(roots_of(store), in(""));
    store_close(store);
    ck_assert_str_eq(sql_in("a.db", "SELECT path FROM ernie_roots WHERE id <> 0"), ".");
    ck_assert_str_eq(sql_in("a.db", "SELECT count(*) FROM ernie_roots WHERE id <> 0"), "1");
}
END_TEST

START_TEST(test_a_new_outer_root_takes_over_what_is_inside)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t inner = add_root(store, "/r/in\xffner"), beside = add_root(store, "/rr"), outer;
    int64_t kept = add_document(store, inner, "x.txt", 2, NULL), chunk;
    uint64_t seq;
    struct store_document document;
    int found;

    add_document(store, beside, "x.txt", 1, &chunk);
    seq = last_seq(store);
    outer = add_root(store, "/r");
    ck_assert_str_eq(roots_of(store), "/r /rr");
    ok(store_document_find(store, outer, "in\xffner/x.txt", &document, &found, &err));
    ck_assert_int_eq(found, 1);
    ck_assert_int_eq(document.id, kept);
    ck_assert_uint_eq(counts_of(store).n_chunks, 3);
    ck_assert_uint_eq(last_seq(store), seq); /* nothing to embed again */
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

START_TEST(test_roots_are_listed_outermost_first)
{
    struct store *store = open_store("a.db", STORE_CREATE);

    add_root(store, "/b/c");
    add_root(store, "/b-");
    add_root(store, "/a");
    /* Rows of another program: our own would have been absorbed. */
    sql_in("a.db", "INSERT INTO ernie_roots (path) VALUES ('/b')");
    ck_assert_str_eq(roots_of(store), "/a /b /b- /b/c");
    store_close(store);
}
END_TEST

/* A root outside of the folder, and a folder of that name inside of it: moved onto
 * each other they are one place, named twice, and perhaps with the same files. */
START_TEST(test_two_roots_that_have_become_one_place_are_joined)
{
    struct store *store;
    int64_t outside, inside, joined;

    run("mkdir %s", in("here"));
    store = open_store("here/a.db", STORE_CREATE);
    outside = add_root(store, in("there/docs"));
    inside = add_root(store, in("here/docs"));
    add_document(store, outside, "both.txt", 1, NULL);
    add_document(store, outside, "one.txt", 1, NULL);
    add_document(store, inside, "both.txt", 1, NULL);
    add_document(store, inside, "two.txt", 1, NULL);
    store_close(store);
    run("mv %s %s", in("here"), in("there"));
    store = open_store("there/a.db", STORE_WRITE);
    joined = add_root(store, in("there/docs"));
    ck_assert_str_eq(roots_of(store), in("there/docs"));
    ck_assert_uint_eq(n_below(store, joined, ""), 3);
    ck_assert_uint_eq(counts_of(store).n_chunks, 3);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

START_TEST(test_a_database_in_memory_keeps_absolute_roots)
{
    struct store *store;

    ok(store_open(":memory:", STORE_CREATE, &store, &err));
    ck_assert_str_eq(store_path(store), "");
    add_root(store, "/tmp/x");
    ck_assert_str_eq(roots_of(store), "/tmp/x");
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

/* ---- transactions ---- */

START_TEST(test_rollback_leaves_nothing)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t id, chunk;

    store_rollback(store); /* nothing to undo */
    ok(store_begin(store, &err));
    ok(put(store, STORE_NO_ROOT, "a", &id));
    ok(add_chunk(store, id, 0, &chunk));
    store_rollback(store);
    ck_assert_uint_eq(counts_of(store).n_documents, 0);
    ck_assert_uint_eq(last_seq(store), 0);
    fails(store_commit(store, &err), ERNIE_EINVAL, "no transaction");
    add_document(store, STORE_NO_ROOT, "b", 1, NULL);
    ck_assert_uint_eq(counts_of(store).n_chunks, 1);
    store_close(store);
}
END_TEST

START_TEST(test_a_transaction_within_one_is_undone_alone)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t id;

    ok(store_begin(store, &err));
    ok(put(store, STORE_NO_ROOT, "outer", &id));
    ok(store_begin(store, &err));
    ok(put(store, STORE_NO_ROOT, "inner", &id));
    store_rollback(store);
    ok(store_begin(store, &err));
    ok(put(store, STORE_NO_ROOT, "second", &id));
    ok(store_commit(store, &err));
    ok(store_commit(store, &err));
    store_close(store);
    ck_assert_str_eq(sql_in("a.db", "SELECT group_concat(path) FROM ernie_documents"),
                     "outer,second");
}
END_TEST

START_TEST(test_a_document_not_committed_is_gone_when_the_process_is)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    pid_t child;

    add_document(store, STORE_NO_ROOT, "a", 1, NULL);
    store_close(store);
    child = fork();
    if (child == 0) {
        int64_t id;

        store = open_store("a.db", STORE_WRITE);
        add_document(store, STORE_NO_ROOT, "b", 1, NULL);
        store_begin(store, &err);
        put(store, STORE_NO_ROOT, "c", &id);
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
    ck_assert_str_eq(sql_in("a.db", "SELECT group_concat(path) FROM ernie_documents"), "a,b");
}
END_TEST

START_TEST(test_a_second_writer_waits_and_is_told_why)
{
    struct store *first = open_store("a.db", STORE_CREATE), *second;
    int64_t id;

    second = open_store("a.db", STORE_CREATE); /* opening does not wait for a writer */
    ok(store_begin(first, &err));
    ok(put(first, STORE_NO_ROOT, "a", &id));
    store_set_timeout(second, 50);
    fails(store_begin(second, &err), ERNIE_EBUSY, "another process is writing to it");
    store_rollback(second);
    ck_assert_uint_eq(counts_of(second).n_documents, 0); /* reading goes on */
    ok(store_commit(first, &err));
    ok(store_begin(second, &err));
    store_rollback(second);
    ck_assert_uint_eq(counts_of(second).n_documents, 1);
    store_close(first);
    store_close(second);
}
END_TEST

START_TEST(test_a_snapshot_is_one_state)
{
    struct store *reader, *writer = open_store("a.db", STORE_CREATE);
    uint64_t before, seq;
    int64_t id;

    id = add_document(writer, STORE_NO_ROOT, "a", 2, NULL);
    reader = open_store("a.db", STORE_READ);
    ok(store_snapshot_begin(reader, &before, &err));
    ck_assert_uint_eq(before, 2);
    add_document(writer, STORE_NO_ROOT, "b", 3, NULL);
    ok(store_document_delete(writer, id, &err));
    ck_assert_uint_eq(counts_of(reader).n_chunks, 2);
    ck_assert_uint_eq(since(reader, 0).n, 2);
    store_snapshot_end(reader);
    store_snapshot_end(reader); /* fine when there is none */
    ok(store_snapshot_begin(reader, &seq, &err));
    ck_assert_uint_eq(seq, 7);
    ck_assert_uint_eq(counts_of(reader).n_chunks, 3);
    store_snapshot_end(reader);
    store_close(reader);
    store_close(writer);
}
END_TEST

/* What find gave out must not hold a read transaction: the connection's next write
 * would fail when another one wrote in between. */
START_TEST(test_reading_outside_of_a_snapshot_holds_nothing)
{
    struct store *first = open_store("a.db", STORE_CREATE), *second;
    struct store_document document;
    struct store_hit hit;
    int64_t chunk;
    int found;

    add_document(first, STORE_NO_ROOT, "a", 1, &chunk);
    second = open_store("a.db", STORE_WRITE);
    ok(store_document_find(second, STORE_NO_ROOT, "a", &document, &found, &err));
    ok(store_hit_get(second, chunk, &hit, &found, &err));
    add_document(first, STORE_NO_ROOT, "b", 1, NULL);
    add_document(second, STORE_NO_ROOT, "c", 1, NULL);
    ck_assert_uint_eq(counts_of(first).n_documents, 3);
    store_close(first);
    store_close(second);
}
END_TEST

START_TEST(test_four_processes_may_create_and_write_at_once)
{
    struct store *store;

    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            store = open_store("a.db", STORE_CREATE);
            for (int j = 0; j < 10; j++) {
                char name[16];

                snprintf(name, sizeof name, "%d-%d", i, j);
                add_document(store, STORE_NO_ROOT, name, 2, NULL);
            }
            store_close(store);
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status;

        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    store = open_store("a.db", STORE_READ);
    ck_assert_uint_eq(counts_of(store).n_documents, 40);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

static int interrupt_at(void *data, int64_t chunk_id, const char *heading, const char *text,
                        size_t size, ernie_error *error)
{
    (void)chunk_id;
    (void)heading;
    (void)text;
    (void)size;
    (void)error;
    store_interrupt(data);
    return ERNIE_OK;
}

START_TEST(test_an_interrupted_statement_says_so)
{
    struct store *store = open_store("a.db", STORE_CREATE);

    add_document(store, STORE_NO_ROOT, "a", 3, NULL);
    fails(store_texts(store, interrupt_at, store, &err), ERNIE_ECANCELED, "interrupted");
    ck_assert_uint_eq(since(store, 0).n, 3);
    store_close(store);
}
END_TEST

/* ---- inside a host ---- */

static sqlite3 *open_host(const char *name)
{
    sqlite3 *host;

    ck_assert_int_eq(sqlite3_open(in(name), &host), SQLITE_OK);
    return host;
}

static void exec(sqlite3 *host, const char *sql)
{
    ck_assert_msg(sqlite3_exec(host, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(host));
}

START_TEST(test_attached_the_host_keeps_its_transaction)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    uint64_t seq;
    sqlite3 *host;

    store_close(store);
    host = open_host("a.db");
    ok(store_attach(host, &store, &err));
    exec(host, "CREATE TABLE mine (x); BEGIN; INSERT INTO mine VALUES (1)");
    ok(store_snapshot_begin(store, &seq, &err));
    store_snapshot_end(store);
    add_document(store, STORE_NO_ROOT, "a", 1, NULL);
    ok(store_begin(store, &err));
    ok(collection_meta_set(store_collection(store), "x", "y", &err));
    store_rollback(store);
    ck_assert_int_eq(sqlite3_get_autocommit(host), 0);
    ck_assert_uint_eq(counts_of(store).n_documents, 1);
    exec(host, "ROLLBACK");
    ck_assert_uint_eq(counts_of(store).n_documents, 0);
    store_close(store);
    ck_assert_int_eq(sqlite3_close(host), SQLITE_OK);
}
END_TEST

START_TEST(test_attached_the_host_can_close_at_any_time)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    struct store_document document;
    char value[40];
    uint64_t seq;
    sqlite3 *host;
    int found;

    add_document(store, STORE_NO_ROOT, "a", 1, NULL);
    store_close(store);
    host = open_host("a.db");
    ok(store_attach(host, &store, &err));
    ck_assert_ptr_null(sqlite3_next_stmt(host, NULL));
    ok(collection_meta_get(store_collection(store), "uuid", value, sizeof value, &err));
    ck_assert_ptr_null(sqlite3_next_stmt(host, NULL));
    ok(store_snapshot_begin(store, &seq, &err));
    ck_assert_uint_eq(since(store, 0).n, 1);
    ok(store_document_find(store, STORE_NO_ROOT, "a", &document, &found, &err));
    store_snapshot_end(store);
    ck_assert_ptr_null(sqlite3_next_stmt(host, NULL));
    ck_assert_int_eq(sqlite3_close(host), SQLITE_OK);
    store_close(store);
}
END_TEST

START_TEST(test_attached_temporary_tables_do_not_stand_in)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    sqlite3 *host;

    add_document(store, STORE_NO_ROOT, "a", 2, NULL);
    store_close(store);
    host = open_host("a.db");
    exec(host, "CREATE TEMP TABLE ernie_chunks (id, document_id, text);"
               "CREATE TEMP TABLE ernie_meta (key, value);"
               "CREATE TEMP TABLE ernie_log (seq, op, chunk_id)");
    ok(store_attach(host, &store, &err));
    ck_assert_uint_eq(since(store, 0).n, 2);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
    sqlite3_close(host);
}
END_TEST

START_TEST(test_attached_without_collection_says_so)
{
    struct store *store = NULL;
    sqlite3 *host = open_host("plain.db");

    exec(host, "CREATE TABLE mine (x)");
    fails(store_attach(host, &store, &err), ERNIE_ENOTFOUND, "holds no ernie collection");
    exec(host, "CREATE VIEW ernie_meta AS SELECT 'schema_version' AS key, '1' AS value");
    fails(store_attach(host, &store, &err), ERNIE_ENOTFOUND, "holds no ernie collection");
    ck_assert_int_eq(sqlite3_close(host), SQLITE_OK);
    host = open_host("memory?");
    ck_assert_int_eq(sqlite3_close(host), SQLITE_OK);
}
END_TEST

/* ---- opening ---- */

START_TEST(test_opening_for_reading_or_writing_makes_no_file)
{
    struct store *store = NULL;

    fails(store_open(in("none.db"), STORE_READ, &store, &err), ERNIE_ENOTFOUND, "none.db");
    fails(store_open(in("none.db"), STORE_WRITE, &store, &err), ERNIE_ENOTFOUND, "none.db");
    fails(store_open(in("no/a.db"), STORE_CREATE, &store, &err), ERNIE_ENOTFOUND, "no/a.db");
    ck_assert_int_eq(access(in("none.db"), F_OK), -1);
    ck_assert_ptr_null(store);
}
END_TEST

START_TEST(test_what_is_no_database_is_refused)
{
    struct store *store = NULL;

    run("echo 'this is no database, but it is long enough to be looked at closely, and longer"
        " than the header of one, which is 100 bytes' > %s", in("text"));
    run("head -c 4096 /dev/urandom > %s", in("noise"));
    run("mkfifo %s", in("fifo"));
    for (int mode = STORE_READ; mode <= STORE_CREATE; mode++) {
        fails(store_open(in("text"), mode, &store, &err), ERNIE_EFORMAT, "text: not an SQLite");
        fails(store_open(in("noise"), mode, &store, &err), ERNIE_EFORMAT, "noise: not an SQLite");
        fails(store_open(in(""), mode, &store, &err), ERNIE_EFORMAT, "is a folder");
        fails(store_open(in("fifo"), mode, &store, &err), ERNIE_EFORMAT, "not a regular file");
    }
    ck_assert_str_eq(sql_in("empty", "SELECT 1"), "1");
    fails(store_open(in("empty"), STORE_READ, &store, &err), ERNIE_ENOTFOUND, "no ernie");
}
END_TEST

START_TEST(test_another_programs_database_gets_our_tables_beside_its_own)
{
    struct store *store = NULL;

    sql_in("a.db", "CREATE TABLE mine (x)");
    fails(store_open(in("a.db"), STORE_READ, &store, &err), ERNIE_ENOTFOUND, "no ernie");
    fails(store_open(in("a.db"), STORE_WRITE, &store, &err), ERNIE_ENOTFOUND, "no ernie");
    store = open_store("a.db", STORE_CREATE);
    add_document(store, STORE_NO_ROOT, "a", 1, NULL);
    store_close(store);
    ck_assert_str_eq(sql_in("a.db", "SELECT count(*) FROM mine"), "0");
}
END_TEST

START_TEST(test_utf_16_is_refused)
{
    struct store *store = NULL;

    sql_in("a.db", "PRAGMA encoding = 'UTF-16le'");
    run("sqlite3 %s \"PRAGMA encoding='UTF-16le'; CREATE TABLE mine (x)\"", in("b.db"));
    fails(store_open(in("b.db"), STORE_CREATE, &store, &err), ERNIE_EFORMAT, "UTF-16");
}
END_TEST

START_TEST(test_a_newer_schema_is_refused_by_number)
{
    struct store *store = open_store("a.db", STORE_CREATE);

    store_close(store);
    sql_in("a.db", "UPDATE ernie_meta SET value = '7' WHERE key = 'schema_version'");
    for (int mode = STORE_READ; mode <= STORE_CREATE; mode++)
        fails(store_open(in("a.db"), mode, &store, &err), ERNIE_EFORMAT, "newer ernie (schema 7");
    sql_in("a.db", "DELETE FROM ernie_meta WHERE key = 'schema_version'");
    fails(store_open(in("a.db"), STORE_READ, &store, &err), ERNIE_ECORRUPT, "schema version");
    sql_in("a.db", "INSERT INTO ernie_meta VALUES ('schema_version', '2')");
    sql_in("a.db", "UPDATE ernie_meta SET value = 'xyz' WHERE key = 'uuid'");
    fails(store_open(in("a.db"), STORE_READ, &store, &err), ERNIE_ECORRUPT, "uuid");
}
END_TEST

/* A collection as version 1 made it, with one document of two chunks. */
static void make_version_1(const char *name)
{
    const char *srcdir = getenv("srcdir");

    run("sqlite3 %s < %s/tests/data/store/version_1.sql", in(name),
        srcdir != NULL ? srcdir : ".");
}

/* Tables and columns, and all else by its name. */
static void schema_of(const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s",
             sql_in(name, "SELECT group_concat(line, char(10)) FROM (SELECT"
                          " m.type || ' ' || m.name || ' ' || coalesce(p.name || ' ' || p.type ||"
                          " p.\"notnull\" || coalesce(p.dflt_value, ''), iif(m.type = 'table', '',"
                          " m.sql)) AS line FROM sqlite_master m LEFT JOIN"
                          " pragma_table_info(iif(m.type = 'table' AND m.rootpage <> 0, m.name, '')) p"
                          " WHERE m.name NOT LIKE 'sqlite_%' ORDER BY line)"));
}

START_TEST(test_version_1_is_upgraded_by_who_may_write)
{
    struct store *store;
    struct store_document document;
    struct store_hit hit;
    sqlite3 *host;
    char before[8192], after[8192];
    int found;

    make_version_1("a.db");
    fails(store_open(in("a.db"), STORE_READ, &store, &err), ERNIE_EFORMAT, "`ernie rebuild`");
    ck_assert_int_eq(sqlite3_open(in("a.db"), &host), SQLITE_OK);
    fails(store_attach(host, &store, &err), ERNIE_EFORMAT, "older ernie (schema 1)");
    sqlite3_close(host);
    ck_assert_str_eq(sql_in("a.db", "SELECT value FROM ernie_meta WHERE key = 'schema_version'"),
                     "1");
    store_close(open_store("a.db", STORE_WRITE));
    store = open_store("a.db", STORE_READ);
    ok(store_document_find(store, STORE_NO_ROOT, "note", &document, &found, &err));
    ck_assert_int_eq(found, 1);
    ck_assert_str_eq(document.author, "");
    ck_assert_int_eq(document.extractor_version, 0);
    ok(store_hit_get(store, 2, &hit, &found, &err));
    ck_assert_str_eq(hit.text, "备份脚本");
    ck_assert_str_eq(hit.heading, "");
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
    /* It is then what a new one is. */
    store_close(open_store("b.db", STORE_CREATE));
    schema_of("a.db", before, sizeof before);
    schema_of("b.db", after, sizeof after);
    ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(test_an_upgrade_that_fails_changes_nothing)
{
    struct store *store;

    make_version_1("a.db");
    sql_in("a.db", "CREATE TABLE ernie_documents_container (x)"); /* where an index is to be */
    fails(store_open(in("a.db"), STORE_WRITE, &store, &err), ERNIE_ECORRUPT,
          "ernie_documents_container");
    ck_assert_str_eq(sql_in("a.db", "SELECT count(*) FROM pragma_table_info('ernie_documents')"),
                     "12");
    sql_in("a.db", "DROP TABLE ernie_documents_container");
    store_close(open_store("a.db", STORE_WRITE));
}
END_TEST

START_TEST(test_a_missing_table_is_damage_and_no_crash)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    uint64_t seq;

    store_close(store);
    sql_in("a.db", "DROP TABLE ernie_log");
    store = open_store("a.db", STORE_READ);
    fails(store_snapshot_begin(store, &seq, &err), ERNIE_ECORRUPT, "ernie_log");
    ck_assert_uint_gt(check_store(store), 0);
    store_close(store);
}
END_TEST

START_TEST(test_the_schema_runs_alone_and_is_a_collection)
{
    const char *srcdir = getenv("srcdir");
    struct store *store;

    run("sqlite3 %s < %s/sql/schema.sql", in("a.db"), srcdir != NULL ? srcdir : ".");
    store = open_store("a.db", STORE_WRITE);
    add_document(store, STORE_NO_ROOT, "a", 1, NULL);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}
END_TEST

START_TEST(test_the_uuid_is_new_and_stays)
{
    struct store *a = open_store("a.db", STORE_CREATE), *b = open_store("b.db", STORE_CREATE);
    uint8_t uuid[16], other[16];

    ck_assert_int_eq(collection_uuid(store_collection(a), uuid, NULL), ERNIE_OK);
    ck_assert_int_eq(collection_uuid(store_collection(b), other, NULL), ERNIE_OK);
    ck_assert_mem_ne(uuid, other, 16);
    store_close(a);
    a = open_store("a.db", STORE_CREATE);
    ck_assert_int_eq(collection_uuid(store_collection(a), other, NULL), ERNIE_OK);
    ck_assert_mem_eq(uuid, other, 16);
    store_close(a);
    store_close(b);
}
END_TEST

START_TEST(test_names_that_mean_something_in_a_uri_are_names)
{
    static const char *const names[] = { "a?mode=memory", "a%41.db", "a#b.db", "中 文.db",
                                         "b\xff.db", "file:x.db" };
    struct store *store;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        store = open_store(names[i], STORE_CREATE);
        ck_assert_str_eq(store_path(store), in(names[i]));
        add_document(store, STORE_NO_ROOT, "a", 1, NULL);
        store_close(store);
        ck_assert_int_eq(access(in(names[i]), F_OK), 0);
    }
    /* And from the folder itself, by a relative name. */
    ck_assert_int_eq(chdir(folder), 0);
    ok(store_open("file:x.db", STORE_READ, &store, &err));
    ck_assert_str_eq(store_path(store), in("file:x.db"));
    store_close(store);
}
END_TEST

START_TEST(test_a_new_file_is_its_owners_alone)
{
    struct store *store;
    struct stat st;

    umask(022);
    store = open_store("a.db", STORE_CREATE);
    add_document(store, STORE_NO_ROOT, "a", 1, NULL);
    ck_assert_int_eq(stat(in("a.db"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(in("a.db-wal"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    store_close(store);
    ck_assert_int_eq(access(in("a.db-wal"), F_OK), -1);
}
END_TEST

START_TEST(test_reading_leaves_nothing_behind_and_cannot_write)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    int64_t id;

    add_document(store, STORE_NO_ROOT, "a", 1, NULL);
    store_close(store);
    run("cp %s %s", in("a.db"), in("before"));
    store = open_store("a.db", STORE_READ);
    ck_assert_uint_eq(since(store, 0).n, 1);
    fails(put(store, STORE_NO_ROOT, "b", &id), ERNIE_EIO, "read-only");
    store_close(store);
    run("cmp %s %s", in("a.db"), in("before"));
    run("test \"$(ls %s | tr '\\n' ' ')\" = 'a.db before '", folder);
}
END_TEST

/* ---- media that cannot be written ---- */

#define SKIPPED 77

/* Runs a test in a process that has its own mounts; 0 when that is not allowed here. */
static int with_mounts(void (*test)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            _exit(SKIPPED);
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
            _exit(SKIPPED);
        test();
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        puts("skipped: no mounts of its own for a process here");
        return 0;
    }
    ck_assert_int_eq(status, 0);
    return 1;
}

static void read_only(void)
{
    if (mount(folder, folder, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, folder, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0)
        _exit(SKIPPED);
}

static void search_on_a_read_only_medium(void)
{
    struct store *store = NULL;
    int64_t id;

    read_only();
    store = open_store("a.db", STORE_READ);
    ck_assert_uint_eq(since(store, 0).n, 2);
    ck_assert_uint_eq(check_store(store), 0);
    ck_assert_int_ne(put(store, STORE_NO_ROOT, "b", &id), ERNIE_OK);
    store_close(store);
    fails(store_open(in("a.db"), STORE_WRITE, &store, &err), ERNIE_EIO, "a.db");
    fails(store_open(in("a.db"), STORE_CREATE, &store, &err), ERNIE_EIO, "a.db");
    fails(store_open(in("new.db"), STORE_CREATE, &store, &err), ERNIE_EIO, "Read-only");
}

START_TEST(test_a_read_only_medium_can_be_searched)
{
    struct store *store = open_store("a.db", STORE_CREATE);

    add_document(store, STORE_NO_ROOT, "a", 2, NULL);
    store_close(store);
    with_mounts(search_on_a_read_only_medium);
}
END_TEST

static void meet_a_log_on_a_read_only_medium(void)
{
    struct store *store = NULL;

    read_only();
    fails(store_open(in("copy.db"), STORE_READ, &store, &err), ERNIE_EIO, "-wal");
}

/* Without the log the last documents would be missing, and nobody told. */
START_TEST(test_a_log_that_cannot_be_read_is_not_passed_over)
{
    struct store *store = open_store("a.db", STORE_CREATE);

    add_document(store, STORE_NO_ROOT, "a", 2, NULL);
    run("cp %s %s; cp %s %s", in("a.db"), in("copy.db"), in("a.db-wal"), in("copy.db-wal"));
    store_close(store);
    with_mounts(meet_a_log_on_a_read_only_medium);
}
END_TEST

START_TEST(test_a_read_only_file_can_be_searched)
{
    struct store *store = open_store("a.db", STORE_CREATE);

    add_document(store, STORE_NO_ROOT, "a", 2, NULL);
    store_close(store);
    run("chmod 400 %s", in("a.db"));
    store = open_store("a.db", STORE_READ);
    ck_assert_uint_eq(since(store, 0).n, 2);
    store_close(store);
    if (geteuid() == 0)
        puts("skipped: the superuser may write to read-only files");
    else
        fails(store_open(in("a.db"), STORE_WRITE, &store, &err), ERNIE_EIO, "read-only");
}
END_TEST

/* A document of 40 kB of text, until the disk is full. */
static int fill(struct store *store, size_t *n_done)
{
    char *text = malloc(40000);
    int status = ERNIE_OK;

    memset(text, 'x', 40000);
    while (status == ERNIE_OK && *n_done < 200) {
        static const float embedding[DIM] = { 1, 0, 0, 0 };
        struct store_chunk chunk = { .text = text, .size = 40000, .line = 1,
                                     .embedding = embedding, .dim = DIM };
        char name[16];
        int64_t id;

        snprintf(name, sizeof name, "%zu", *n_done);
        status = store_begin(store, &err);
        if (status == ERNIE_OK)
            status = put(store, STORE_NO_ROOT, name, &chunk.document_id);
        if (status == ERNIE_OK)
            status = store_chunk_add(store, &chunk, &id, &err);
        if (status == ERNIE_OK)
            status = store_commit(store, &err);
        if (status == ERNIE_OK)
            (*n_done)++;
        else
            store_rollback(store);
    }
    free(text);
    return status;
}

static void fill_a_small_disk(void)
{
    struct store *store;
    size_t n_done = 0, n_before;

    if (mount("tmpfs", folder, "tmpfs", 0, "size=1m") != 0)
        _exit(SKIPPED);
    store = open_store("a.db", STORE_CREATE);
    fails(fill(store, &n_done), ERNIE_EIO, "the disk is full");
    ck_assert_uint_gt(n_done, 3);
    ck_assert_uint_eq(counts_of(store).n_documents, n_done);
    ck_assert_uint_eq(check_store(store), 0);
    /* There is room again: the same connection goes on. */
    ck_assert_int_eq(mount(NULL, folder, NULL, MS_REMOUNT, "size=4m"), 0);
    n_before = n_done;
    fails(fill(store, &n_done), ERNIE_EIO, "the disk is full");
    ck_assert_uint_gt(n_done, n_before);
    store_close(store);
    store = open_store("a.db", STORE_READ);
    ck_assert_uint_eq(counts_of(store).n_documents, n_done);
    ck_assert_uint_eq(check_store(store), 0);
    store_close(store);
}

START_TEST(test_a_full_disk_loses_nothing_committed)
{
    with_mounts(fill_a_small_disk);
}
END_TEST

/* ---- damage ---- */

START_TEST(test_each_kind_of_damage_is_found)
{
    static const struct {
        const char *sql, *finding;
    } cases[] = {
        { "UPDATE ernie_embeddings SET vector = zeroblob(16) WHERE chunk_id = 2",
          "chunk 2: its vector is not what was written" },
        { "UPDATE ernie_embeddings SET vector = x'00' WHERE chunk_id = 2",
          "chunk 2: its vector has another number of numbers" },
        /* [2, 0, 0, 0] and [NaN, 0, 0, 0], with checksums by xxh128sum */
        { "UPDATE ernie_embeddings SET vector = x'00000040000000000000000000000000',"
          " checksum = -4266835350709694673 WHERE chunk_id = 2",
          "chunk 2: its vector has length 2, not 1" },
        { "UPDATE ernie_embeddings SET vector = x'0000c07f000000000000000000000000',"
          " checksum = 1367672172152753512 WHERE chunk_id = 2",
          "chunk 2: its vector holds what is not a number" },
        { "DELETE FROM ernie_embeddings WHERE chunk_id = 2", "chunk 2: no vector" },
        { "INSERT INTO ernie_embeddings SELECT 50, vector, checksum FROM ernie_embeddings LIMIT 1",
          "a row of ernie_embeddings refers to none of ernie_chunks" },
        { "INSERT INTO ernie_chunks VALUES (NULL, 70, 0, 0, 1, 1, 'x', NULL, '')",
          "a row of ernie_chunks refers to none of ernie_documents" },
        { "UPDATE ernie_documents SET root_id = 9",
          "a row of ernie_documents refers to none of ernie_roots" },
        { "UPDATE ernie_chunks SET ordinal = 7 WHERE id = 2", "a chunk is missing" },
        { "UPDATE ernie_chunks SET end_byte = 1, start_byte = 2 WHERE id = 2",
          "chunk 2: ends before it starts" },
        { "UPDATE ernie_documents SET failure = 'why'", "failed, but has chunks" },
        { "DELETE FROM ernie_log WHERE chunk_id = 2", "chunk 2: not in the log" },
        { "INSERT INTO ernie_log (op, chunk_id) VALUES ('delete', 2)", "chunk 2: not in the log" },
        { "INSERT INTO ernie_log (op, chunk_id) VALUES ('add', 40)",
          "chunk 40: in the log, but gone" },
        { "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'ernie_chunks'",
          "could be given out again" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store *store = open_store("a.db", STORE_CREATE);

        add_document(store, STORE_NO_ROOT, "a", 3, NULL);
        ck_assert_uint_eq(check_store(store), 0);
        sql_in("a.db", cases[i].sql);
        ck_assert_msg(check_store(store) > 0, "not found: %s", cases[i].sql);
        ck_assert_msg(strstr(findings, cases[i].finding) != NULL, "%s: %s", cases[i].sql,
                      findings);
        store_close(store);
        unlink(in("a.db"));
    }
}
END_TEST

START_TEST(test_a_damaged_vector_is_not_given_out)
{
    struct store *store = open_store("a.db", STORE_CREATE);
    float embedding[DIM];
    struct seen seen;
    int found;

    add_document(store, STORE_NO_ROOT, "a", 3, NULL);
    sql_in("a.db", "UPDATE ernie_embeddings SET vector = zeroblob(16) WHERE chunk_id = 2");
    ok(collection_vector_get(store_collection(store), 2, DIM, embedding, &found, &err));
    ck_assert_int_eq(found, 0);
    seen = since(store, 0);
    ck_assert_uint_eq(seen.n, 3);
    ck_assert_uint_eq(seen.n_missing, 1);
    store_close(store);
}
END_TEST

/* Pages overwritten one after another: every call gives an answer or an error. */
START_TEST(test_damaged_pages_are_errors)
{
    struct store *store = open_store("whole.db", STORE_CREATE);
    struct stat st;
    size_t n_found = 0;

    for (int i = 0; i < 40; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i);
        add_document(store, STORE_NO_ROOT, name, 20, NULL);
    }
    store_close(store);
    ck_assert_int_eq(stat(in("whole.db"), &st), 0);
    for (off_t page = 0; page < st.st_size / 4096; page++) {
        struct store_document document;
        int64_t *ids = NULL;
        size_t n;
        int found;

        run("cp %s %s && dd if=/dev/urandom of=%s bs=4096 count=1 seek=%ld conv=notrunc"
            " status=none", in("whole.db"), in("a.db"), in("a.db"), (long)page);
        if (store_open(in("a.db"), STORE_WRITE, &store, &err) != ERNIE_OK) {
            n_found++;
            continue;
        }
        findings[0] = '\0';
        if (store_check(store, DIM, note, NULL, &n, &err) != ERNIE_OK || n > 0)
            n_found++;
        store_document_find(store, STORE_NO_ROOT, "7", &document, &found, &err);
        if (store_document_ids(store, STORE_NO_ROOT, "", &ids, &n, &err) == ERNIE_OK)
            memory_free(ids);
        store_begin(store, &err);
        store_document_delete(store, 8, &err);
        store_rollback(store);
        store_close(store);
    }
    ck_assert_uint_eq(n_found, (size_t)(st.st_size / 4096));
}
END_TEST

/* ---- memory ---- */

static struct memory_table real_memory;
static sqlite3_mem_methods real_sqlite;
static long allocations_left, blocks;

static int may_allocate(void)
{
    return allocations_left == 0 || --allocations_left > 0;
}

static void *counting_resize(void *block, size_t size_bytes)
{
    void *resized;

    if (size_bytes > 0 && !may_allocate()) {
        allocations_left = 1; /* and no more */
        return NULL;
    }
    resized = real_memory.resize(block, size_bytes);
    blocks += (block == NULL && resized != NULL) - (block != NULL && size_bytes == 0);
    return resized;
}

static void *counting_malloc(int size_bytes)
{
    void *block;

    if (!may_allocate()) {
        allocations_left = 1;
        return NULL;
    }
    block = real_sqlite.xMalloc(size_bytes);
    blocks += block != NULL;
    return block;
}

static void counting_free(void *block)
{
    blocks -= block != NULL;
    real_sqlite.xFree(block);
}

static void *counting_realloc(void *block, int size_bytes)
{
    if (!may_allocate()) {
        allocations_left = 1;
        return NULL;
    }
    return real_sqlite.xRealloc(block, size_bytes);
}

/* Most of what the store does, once. */
static int whole_life(const char *path)
{
    struct store *store = NULL;
    struct store_document document;
    struct store_counts counts;
    struct store_root *roots;
    struct store_hit hit;
    struct seen seen = { 0 };
    float embedding[DIM];
    int64_t root, id, chunk, *ids;
    uint64_t seq;
    size_t n;
    int found, status = store_open(path, STORE_CREATE, &store, &err);

    if (status != ERNIE_OK)
        return status;
    status = store_begin(store, &err);
    if (status == ERNIE_OK)
        status = store_root_add(store, "/r/inner", &root, &err);
    if (status == ERNIE_OK)
        status = put(store, root, "\xff.txt", &id);
    if (status == ERNIE_OK)
        status = add_chunk(store, id, 0, &chunk);
    if (status == ERNIE_OK)
        status = store_root_add(store, "/r", &root, &err);
    if (status == ERNIE_OK)
        status = collection_meta_set(store_collection(store), "dim", "4", &err);
    if (status == ERNIE_OK)
        status = store_commit(store, &err);
    else
        store_rollback(store);
    if (status == ERNIE_OK)
        status = store_snapshot_begin(store, &seq, &err);
    if (status == ERNIE_OK) {
        status = collection_vectors_since(store_collection(store), 0, DIM, see, &seen, &err);
        if (status == ERNIE_OK)
            ck_assert_uint_eq(seen.n_missing, 0);
        store_snapshot_end(store);
    }
    if (status == ERNIE_OK)
        status = store_document_find(store, root, "inner/\xff.txt", &document, &found, &err);
    if (status == ERNIE_OK)
        ck_assert(found && strcmp(document.path, "inner/\xff.txt") == 0);
    if (status == ERNIE_OK)
        status = store_hit_get(store, chunk, &hit, &found, &err);
    if (status == ERNIE_OK)
        ck_assert(found && strcmp(hit.text, "智能") == 0);
    if (status == ERNIE_OK)
        status = collection_vector_get(store_collection(store), chunk, DIM, embedding, &found, &err);
    if (status == ERNIE_OK)
        ck_assert(found);
    if (status == ERNIE_OK)
        status = store_counts(store, &counts, &err);
    if (status == ERNIE_OK && (status = store_roots(store, &roots, &n, &err)) == ERNIE_OK)
        store_roots_free(roots, n);
    if (status == ERNIE_OK &&
        (status = store_document_ids(store, root, "inner", &ids, &n, &err)) == ERNIE_OK) {
        ck_assert_uint_eq(n, 1);
        memory_free(ids);
    }
    if (status == ERNIE_OK)
        status = store_check(store, DIM, NULL, NULL, &n, &err);
    if (status == ERNIE_OK)
        ck_assert_uint_eq(n, 0);
    store_close(store);
    return status;
}

/* name: a database, which is made anew each time. */
static void fail_each_allocation(const char *name)
{
    long before = blocks;

    for (long i = 2;; i++) { /* 1 would be one that failed already */
        char beside[128];
        int status;

        unlink(name);
        snprintf(beside, sizeof beside, "%s-wal", name);
        unlink(beside);
        snprintf(beside, sizeof beside, "%s-shm", name);
        unlink(beside);
        err.message[0] = '\0';
        allocations_left = i;
        status = whole_life(name);
        ck_assert_msg(blocks == before, "allocation %ld: %ld left", i, blocks - before);
        if (allocations_left > 1) {
            ck_assert_int_eq(status, ERNIE_OK);
            ck_assert_int_gt(i, 10);
            break;
        }
        /* SQLite does without some, its lookaside for one. */
        ck_assert_msg(status == ERNIE_ENOMEM || status == ERNIE_OK, "allocation %ld: %d %s", i,
                      status, err.message);
        if (status != ERNIE_OK)
            ck_assert_ptr_nonnull(strstr(err.message, "out of memory"));
    }
    allocations_left = 0;
}

START_TEST(test_each_allocation_of_ours_may_fail)
{
    char name[128];

    snprintf(name, sizeof name, "%s", in("a.db"));
    real_memory = memory_table;
    memory_table.resize = counting_resize;
    fail_each_allocation(name);
    memory_table = real_memory;
}
END_TEST

START_TEST(test_each_allocation_of_sqlites_may_fail)
{
    sqlite3_mem_methods counting;
    char name[128];

    sqlite3_shutdown();
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_sqlite), SQLITE_OK);
    counting = real_sqlite;
    counting.xMalloc = counting_malloc;
    counting.xRealloc = counting_realloc;
    counting.xFree = counting_free;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &counting), SQLITE_OK);
    ck_assert_int_eq(sqlite3_initialize(), SQLITE_OK);
    fail_each_allocation(":memory:");
    /* There are ten thousand of them: not each with a disk to wait for. */
    snprintf(name, sizeof name, "%s", in("a.db"));
    if (access("/dev/shm", W_OK) == 0)
        snprintf(name, sizeof name, "/dev/shm/check_store.%ld.db", (long)getpid());
    fail_each_allocation(name);
    unlink(name);
}
END_TEST

static Suite *suite(void)
{
    const struct {
        const char *name;
        const TTest *tests[16];
    } cases[] = {
        { "rows",
          { test_a_document_comes_back_as_it_was_put, test_a_failure_is_remembered_and_counted,
            test_what_a_document_says_of_itself_comes_back, test_members_go_with_their_container,
            test_touch_changes_times_and_size_only,
            test_a_vector_is_stored_little_endian_with_its_checksum,
            test_a_hit_names_its_document, test_replacing_a_document_keeps_its_id_and_no_chunk,
            test_deleting_leaves_nothing_but_log_and_ids_are_not_used_again,
            test_rows_changed_by_another_program_are_logged,
            test_embeddings_since_gives_what_is_new_and_still_there,
            test_a_callback_that_calls_its_caller_is_an_error, test_a_log_cut_short_hides_no_row,
            test_marks_tell_a_restored_log_apart, test_meta_is_kept_and_absent_is_empty,
            test_a_chunk_without_document_or_with_a_taken_place_is_refused } },
        { "names",
          { test_a_renamed_document_keeps_its_chunks,
            test_members_are_renamed_with_their_container,
            test_twins_are_files_with_the_same_bytes } },
        { "paths",
          { test_paths_are_bytes, test_ids_below_a_folder_are_those_and_no_neighbours,
            test_roots_inside_the_databases_folder_move_with_it,
            test_the_databases_own_folder_can_be_a_root,
            test_a_new_outer_root_takes_over_what_is_inside, test_roots_are_listed_outermost_first,
            test_two_roots_that_have_become_one_place_are_joined,
            test_a_database_in_memory_keeps_absolute_roots } },
        { "transactions",
          { test_rollback_leaves_nothing, test_a_transaction_within_one_is_undone_alone,
            test_a_document_not_committed_is_gone_when_the_process_is,
            test_a_second_writer_waits_and_is_told_why, test_a_snapshot_is_one_state,
            test_reading_outside_of_a_snapshot_holds_nothing,
            test_four_processes_may_create_and_write_at_once,
            test_an_interrupted_statement_says_so } },
        { "host",
          { test_attached_the_host_keeps_its_transaction,
            test_attached_the_host_can_close_at_any_time,
            test_attached_temporary_tables_do_not_stand_in,
            test_attached_without_collection_says_so } },
        { "opening",
          { test_opening_for_reading_or_writing_makes_no_file, test_what_is_no_database_is_refused,
            test_another_programs_database_gets_our_tables_beside_its_own, test_utf_16_is_refused,
            test_a_newer_schema_is_refused_by_number,
            test_version_1_is_upgraded_by_who_may_write,
            test_an_upgrade_that_fails_changes_nothing, test_a_missing_table_is_damage_and_no_crash,
            test_the_schema_runs_alone_and_is_a_collection, test_the_uuid_is_new_and_stays,
            test_names_that_mean_something_in_a_uri_are_names, test_a_new_file_is_its_owners_alone,
            test_reading_leaves_nothing_behind_and_cannot_write } },
        { "media",
          { test_a_read_only_medium_can_be_searched,
            test_a_log_that_cannot_be_read_is_not_passed_over,
            test_a_read_only_file_can_be_searched, test_a_full_disk_loses_nothing_committed } },
        { "damage",
          { test_each_kind_of_damage_is_found, test_a_damaged_vector_is_not_given_out,
            test_damaged_pages_are_errors } },
        { "memory",
          { test_each_allocation_of_ours_may_fail, test_each_allocation_of_sqlites_may_fail } },
    };
    Suite *s = suite_create("store");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TCase *tcase = tcase_create(cases[i].name);

        tcase_add_checked_fixture(tcase, make_folder, folder_remove);
        tcase_set_timeout(tcase, 300); /* sanitizers on a busy machine */
        for (size_t j = 0; j < 16 && cases[i].tests[j] != NULL; j++)
            tcase_add_test(tcase, cases[i].tests[j]);
        suite_add_tcase(s, tcase);
    }
    return s;
}

int main(void)
{
    return run_suite(suite());
}
