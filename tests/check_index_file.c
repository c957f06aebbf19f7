/* index/index_file: what is written is read again, and every way in which a file can be
 * wrong is noticed. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mac.h"
#include "base/memory.h"
#include "base/system.h"
#include "faults.h"
#include "index/index_file.h"
#include "suite.h"
#include "table.h"

static ernie_error err;
static char directory[64], path[80];
static const struct mac_key key = { "a key that tests alone know of." };

static void ok(int status)
{
    ck_assert_msg(status == ERNIE_OK, "%d: %s", status, err.message);
}

static void make_directory(void)
{
    strcpy(directory, "/tmp/check_index_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/index", directory);
}

static void remove_directory(void)
{
    unlink(path);
    rmdir(path);
    rmdir(directory);
}

static size_t count_entries(void)
{
    DIR *dir = opendir(directory);
    size_t n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2; /* . and .. */
}

/* Vectors are so many times as long as the test says: lists are kept in 8 bits a number, and
 * in 4 where it is long enough. */
static const struct {
    const char *setting;
    size_t times;
} kinds[] = { { "flat", 1 }, { "ivf", 1 }, { "ivf", 40 }, { "hnsw", 1 }, { "SQ8", 1 } };

enum { FLAT, IVF, IVF_NARROW, HNSW, SQ8, N_KINDS };

/* The first n_base vectors in the base, the rest after it. */
static struct index *build(const char *setting, const struct table *table, size_t n_base)
{
    struct index_plan plan;
    struct index_builder *builder;
    struct index *index;

    ok(index_plan_for(setting, table->dim, n_base, &plan, &err));
    ok(index_builder_new(&plan, table->dim, n_base, 1, NULL, &builder, &err));
    if (index_builder_wants(builder) > 0)
        ok(index_builder_train(builder, n_base, table->vectors, &err));
    for (size_t i = 0; i < n_base; i++)
        ok(index_builder_add(builder, (int64_t)i + 1, table->vectors + i * table->dim, &err));
    ok(index_builder_finish(builder, &index, &err));
    index_builder_free(builder);
    for (size_t i = n_base; i < table->n; i++)
        ok(index_add(index, (int64_t)i + 1, table->vectors + i * table->dim, &err));
    return index;
}

static struct index_stamp stamp_of(const struct index *index)
{
    return (struct index_stamp){
        .database_uuid = { "uuid of the base" },
        .model_fingerprint = { "print of a model" },
        .seq = UINT64_MAX - 5,
        .mark = 0x0123456789abcdef,
        .base_seq = 77,
        .n_recent = index_recent(index),
    };
}

/* The first hits of both are the same; the first index's, all. */
static void check_same(struct index *a, struct index *b, struct table *table)
{
    ck_assert_str_eq(index_kind_name(a), index_kind_name(b));
    ck_assert_uint_eq(index_dim(a), index_dim(b));
    ck_assert_uint_eq(index_count(a), index_count(b));
    ck_assert_uint_eq(index_recent(a), index_recent(b));
    table->vectors[0] = 1; /* a query must have a direction */
    for (size_t q = 0; q < (index_count(a) > 0 ? 3 : 1); q++) {
        struct index_search *of_a, *of_b;
        struct stream_hit x, y;
        int found_x, found_y;

        table->query = table->vectors + q * 17 % table->n * table->dim;
        ok(index_search_new(a, table->query, table_score, table, &of_a, &err));
        ok(index_search_new(b, table->query, table_score, table, &of_b, &err));
        do {
            ok(index_search_next(of_a, &x, &found_x, &err));
            ok(index_search_next(of_b, &y, &found_y, &err));
            ck_assert_int_eq(found_x, found_y);
            if (found_x)
                ck_assert_int_eq(x.id, y.id);
        } while (found_x);
        index_search_free(of_a);
        index_search_free(of_b);
    }
}

/* ---- there and back ---------------------------------------------------- */

START_TEST(test_a_saved_index_loads_as_it_was)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        struct table table;
        struct index *index, *loaded;
        struct index_stamp stamp, read;

        table_init(&table, 6000, 20 * kinds[i].times, 1);
        index = build(kinds[i].setting, &table, 2500); /* and more than two segments after it */
        stamp = stamp_of(index);
        ok(index_file_save(index, &stamp, &key, path, &err));
        memset(&read, 0, sizeof read);
        ok(index_file_load(path, &key, &loaded, &read, &err));
        ck_assert_mem_eq(&stamp, &read, sizeof stamp);
        check_same(index, loaded, &table);
        /* It goes on growing where it was. */
        ok(index_add(loaded, 6001, table.vectors, &err));
        ck_assert_uint_eq(index_count(loaded), 6001);
        index_release(loaded);
        index_release(index);
        table_reset(&table);
    }
}
END_TEST

START_TEST(test_an_index_without_vectors_can_be_saved)
{
    for (size_t i = 0; i <= HNSW; i++) {
        const size_t dim = 6 * kinds[i].times;
        struct table table;
        struct index *index, *loaded;
        struct index_stamp stamp, read;

        table_init(&table, 3, dim, 2);
        memset(table.vectors, 0, 3 * dim * sizeof(float)); /* without direction: left out */
        index = build(kinds[i].setting, &table, 3);
        ck_assert_uint_eq(index_count(index), 0);
        stamp = stamp_of(index);
        ok(index_file_save(index, &stamp, &key, path, &err));
        ok(index_file_load(path, &key, &loaded, &read, &err));
        check_same(index, loaded, &table);
        index_release(loaded);
        index_release(index);
        table_reset(&table);
    }
}
END_TEST

/* A state that is older than the index in memory: others add while it is saved. */
START_TEST(test_what_came_after_the_stamp_is_left_out)
{
    struct table table;
    struct index *index, *loaded;
    struct index_stamp stamp, read;

    table_init(&table, 3000, 8, 3);
    index = build("ivf", &table, 500);
    stamp = stamp_of(index);
    stamp.n_recent = 1100;
    ok(index_file_save(index, &stamp, &key, path, &err));
    ok(index_file_load(path, &key, &loaded, &read, &err));
    ck_assert_uint_eq(index_count(loaded), 1600);
    ck_assert_uint_eq(index_recent(loaded), 1100);
    ck_assert_uint_eq(read.n_recent, 1100);
    index_release(loaded);
    index_release(index);
    table_reset(&table);
}
END_TEST

START_TEST(test_a_file_is_nobody_else_s_to_read)
{
    struct table table;
    struct index *index;
    struct index_stamp stamp;
    struct stat st;

    umask(0);
    table_init(&table, 10, 8, 3);
    index = build("flat", &table, 10);
    stamp = stamp_of(index);
    ok(index_file_save(index, &stamp, &key, path, &err));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    index_release(index);
    table_reset(&table);
}
END_TEST

/* ---- what is wrong ----------------------------------------------------- */

/* 24 short vectors, 5 of them after the base, two equal ones. */
static void save_small(size_t kind)
{
    const size_t dim = 3 * kinds[kind].times;
    struct table table;
    struct index *index;
    struct index_stamp stamp;

    table_init(&table, 24, dim, 4);
    memcpy(table.vectors + 3 * dim, table.vectors, dim * sizeof(float));
    index = build(kinds[kind].setting, &table, 19);
    stamp = stamp_of(index);
    ok(index_file_save(index, &stamp, &key, path, &err));
    index_release(index);
    table_reset(&table);
}

static uint8_t *read_all(size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = calloc(1 << 18, 1);

    ck_assert_ptr_nonnull(file);
    *size = fread(data, 1, 1 << 18, file);
    ck_assert_uint_lt(*size, (1 << 18) - 64);
    fclose(file);
    return data;
}

/* Not by O_TRUNC: file systems write a file out that is cut to nothing first. */
static void write_all(const uint8_t *data, size_t size)
{
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    close(fd);
}

/* Refused as damaged, in one line, and before FAISS saw it: what FAISS says is passed on
 * with its name. */
static void check_refused(const struct mac_key *with, const char *what, size_t where)
{
    struct index *index = NULL;
    struct index_stamp stamp;
    int status = index_file_load(path, with, &index, &stamp, &err);

    ck_assert_msg(status == ERNIE_EFORMAT, "%s at %zu: status %d", what, where, status);
    ck_assert_ptr_null(index);
    ck_assert_msg(strncmp(err.message, path, strlen(path)) == 0, "%s", err.message);
    ck_assert_msg(strstr(err.message, "FAISS") == NULL, "%s", err.message);
}

START_TEST(test_every_changed_byte_is_noticed)
{
    static const uint8_t changes[] = { 0x01, 0x80, 0xff };
    uint8_t *data;
    size_t size;

    save_small((size_t)_i);
    data = read_all(&size);
    for (size_t i = 0; i < size; i++)
        for (size_t j = 0; j < sizeof changes; j++) {
            if (j > 0 && i > 256) /* one will do for what is long */
                continue;
            data[i] ^= changes[j];
            write_all(data, size);
            check_refused(&key, "changed byte", i);
            data[i] ^= changes[j];
        }
    free(data);
}
END_TEST

START_TEST(test_every_other_length_is_noticed)
{
    uint8_t *data;
    size_t size;

    save_small((size_t)_i);
    data = read_all(&size);
    for (size_t i = 0; i < size + 64; i++) {
        if (i == size)
            continue;
        write_all(data, i);
        check_refused(&key, "length", i);
    }
    free(data);
}
END_TEST

START_TEST(test_another_key_breaks_the_seal)
{
    struct mac_key other = key;

    for (size_t i = 0; i < N_KINDS; i++) {
        save_small(i);
        for (size_t bit = 0; bit < 256; bit += 17) {
            other.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            check_refused(&other, "key", bit);
            other.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}
END_TEST

/* Seals the file again, as a program of ours that lies would. */
static void write_sealed(uint8_t *data, size_t size)
{
    struct mac *mac = mac_new(&key, data + 176);

    ck_assert_ptr_nonnull(mac);
    mac_add(mac, data, 240);
    mac_add(mac, data + 256, size - 256);
    mac_result(mac, data + 240);
    mac_free(mac);
    write_all(data, size);
}

static void check_lie(size_t i)
{
    struct index *index = NULL;
    struct index_stamp stamp;

    ck_assert_msg(index_file_load(path, &key, &index, &stamp, &err) == ERNIE_EFORMAT, "lie %zu", i);
    ck_assert_ptr_null(index);
}

/* Numbers of the header that contradict the rest of it, under a seal that holds. */
START_TEST(test_a_header_that_lies_is_refused)
{
    static const struct {
        size_t at;
        uint64_t value;
    } lies[] = {
        { 8, 2 },   { 8, 4 },   { 12, 0 },  { 12, 4 },  { 12, UINT32_MAX },
        { 48, 0 },  { 48, 129 }, { 48, 65537 }, { 48, UINT64_MAX },
        { 80, 18 }, { 80, 20 }, { 80, INT32_MAX }, { 80, UINT64_MAX }, { 80, UINT64_MAX / 80 + 2 },
        { 88, 1000 }, { 88, UINT64_MAX }, { 96, 4 }, { 96, 6 }, { 96, INT32_MAX },
        { 96, UINT64_MAX - 13 }, { 96, UINT64_MAX }, { 104, 1 }, { 104, UINT64_MAX },
        { 104, (uint64_t)1 << 62 }, { 208, 0 }, { 208, 5 }, { 208, 16 }, { 208, UINT32_MAX },
    };
    uint8_t *data, old[8];
    size_t size;

    save_small((size_t)_i);
    data = read_all(&size);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const size_t n = lies[i].at < 16 ? 4 : 8;

        memcpy(old, data + lies[i].at, n);
        memcpy(data + lies[i].at, &lies[i].value, n);
        write_sealed(data, size);
        check_lie(i);
        memcpy(data + lies[i].at, old, n);
    }
    for (uint32_t kind = 1; kind <= 3; kind++) { /* one of the others */
        uint32_t is;

        memcpy(&is, data + 12, 4);
        if (kind == is || (is == 1 && kind == 2)) /* one without base is like the other */
            continue;
        memcpy(data + 12, &kind, 4);
        write_sealed(data, size);
        check_lie(kind);
        memcpy(data + 12, &is, 4);
    }
    memset(data + 112, 'x', 64); /* a description without end */
    write_sealed(data, size);
    check_refused(&key, "description", 0);
    free(data);
}
END_TEST

/* Lists that overlap, or leave vectors out; two that change places are no lie. */
START_TEST(test_lists_that_are_none_are_refused)
{
    /* 19 vectors: 16 or 17 lists; their starts are before what came after the base: 5
     * times an id, a scale, an error and a row of 64. */
    uint8_t *data, *starts;
    uint64_t n_lists;
    uint32_t value;
    size_t size;

    save_small(IVF);
    data = read_all(&size);
    memcpy(&n_lists, data + 88, 8);
    starts = data + size - 5 * (8 + 4 + 4 + (size - 256 - 24 * 16 - n_lists * 8 - (n_lists + 1) * 4) /
                                               (24 + n_lists)) -
             (n_lists + 1) * 4;
    memcpy(&value, starts + n_lists * 4, 4);
    ck_assert_uint_eq(value, 19); /* found them */
    value = 20;
    memcpy(starts + n_lists * 4, &value, 4);
    write_sealed(data, size);
    check_refused(&key, "more than there are", 0);
    value = 18;
    memcpy(starts + n_lists * 4, &value, 4);
    write_sealed(data, size);
    check_refused(&key, "fewer", 0);
    value = 19;
    memcpy(starts + n_lists * 4, &value, 4);
    memcpy(starts, &value, 4);
    write_sealed(data, size);
    check_refused(&key, "overlap", 0);
    value = UINT32_MAX;
    memcpy(starts + 4, &value, 4);
    write_sealed(data, size);
    check_refused(&key, "overlap", 1);
    free(data);
}
END_TEST

/* Sealed bytes are handed to FAISS, but its index must be the one that is announced. */
START_TEST(test_an_index_of_faiss_s_that_is_another_is_refused)
{
    struct index *index = NULL;
    struct index_stamp stamp;
    uint8_t *data;
    size_t size;
    uint32_t number;

    save_small(HNSW);
    data = read_all(&size);
    /* After 19 ids, the numbers of the vectors: the first cannot be 1. */
    number = 1;
    memcpy(data + 256 + 19 * 8, &number, 4);
    write_sealed(data, size);
    ck_assert_int_eq(index_file_load(path, &key, &index, &stamp, &err), ERNIE_EFORMAT);
    number = 0;
    memcpy(data + 256 + 19 * 8, &number, 4);
    write_sealed(data, size);
    ok(index_file_load(path, &key, &index, &stamp, &err));
    index_release(index);
    free(data);
}
END_TEST

START_TEST(test_what_is_no_file_is_refused)
{
    struct index *index = NULL;
    struct index_stamp stamp;
    int fd;

    ck_assert_int_eq(index_file_load(path, &key, &index, &stamp, &err), ERNIE_ENOTFOUND);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    check_refused(&key, "directory", 0);
    rmdir(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    check_refused(&key, "FIFO", 0);
    unlink(path);
    /* Larger than any memory, and refused by its first bytes, ... */
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(ftruncate(fd, INT64_C(1) << 40), 0);
    close(fd);
    check_refused(&key, "1 TB", 0);
    /* ... or by its length. */
    save_small(IVF);
    ck_assert_int_eq(truncate(path, INT64_C(1) << 40), 0);
    check_refused(&key, "1 TB that begins well", 0);
    ck_assert_ptr_null(index);
}
END_TEST

/* ---- failing calls ----------------------------------------------------- */

static struct system_table real_system;
static int calls_left; /* the one that makes it 0 fails */

static int fails(void)
{
    if (--calls_left != 0)
        return 0;
    errno = ENOSPC;
    return 1;
}

static int failing_openat(int at, const char *name, int flags, mode_t mode)
{
    return fails() ? -1 : real_system.openat(at, name, flags, mode);
}

static int failing_close(int fd)
{
    int failed = fails();

    real_system.close(fd);
    return failed ? -1 : 0;
}

static ssize_t failing_read(int fd, void *out, size_t size)
{
    return fails() ? -1 : real_system.read(fd, out, size);
}

static ssize_t failing_write(int fd, const void *data, size_t size)
{
    return fails() ? -1 : real_system.write(fd, data, size);
}

static int failing_fstat(int fd, struct stat *out)
{
    return fails() ? -1 : real_system.fstat(fd, out);
}

static int failing_fsync(int fd)
{
    return fails() ? -1 : real_system.fsync(fd);
}

static int failing_rename(const char *from, const char *to)
{
    return fails() ? -1 : real_system.rename(from, to);
}

static ssize_t failing_getrandom(void *out, size_t size, unsigned flags)
{
    return fails() ? -1 : real_system.getrandom(out, size, flags);
}

static void let_system_fail(int call)
{
    real_system = system_table;
    calls_left = call;
    system_table.openat = failing_openat;
    system_table.close = failing_close;
    system_table.read = failing_read;
    system_table.write = failing_write;
    system_table.fstat = failing_fstat;
    system_table.fsync = failing_fsync;
    system_table.rename = failing_rename;
    system_table.getrandom = failing_getrandom;
}

START_TEST(test_a_save_that_fails_leaves_a_whole_file)
{
    struct table table;
    struct index *index;
    struct index_stamp newer, read;
    int status, n_failed = 0;

    table_init(&table, 30, 5, 5);
    index = build("hnsw", &table, 20);
    newer = stamp_of(index);
    newer.seq++;
    for (int call = 1;; call++) {
        struct index *loaded;
        int reached;

        save_small(FLAT);
        let_system_fail(call);
        status = index_file_save(index, &newer, &key, path, &err);
        reached = calls_left <= 0;
        system_table = real_system;
        if (!reached)
            break;
        n_failed += status != ERNIE_OK;
        ck_assert_uint_eq(count_entries(), 1); /* no temporary */
        ok(index_file_load(path, &key, &loaded, &read, &err));
        ck_assert(read.seq == newer.seq - 1 || read.seq == newer.seq);
        if (status == ERNIE_OK)
            ck_assert_uint_eq(read.seq, newer.seq);
        index_release(loaded);
    }
    ok(status);
    ck_assert_int_ge(n_failed, 8); /* random, open, writes, fsync, close, rename */
    index_release(index);
    table_reset(&table);
}
END_TEST

START_TEST(test_a_load_that_fails_says_so)
{
    int status, n_failed = 0;

    save_small(IVF);
    for (int call = 1;; call++) {
        struct index *index = NULL;
        struct index_stamp stamp;
        int reached;

        let_system_fail(call);
        status = index_file_load(path, &key, &index, &stamp, &err);
        reached = calls_left <= 0;
        system_table = real_system;
        ck_assert_int_eq(index != NULL, status == ERNIE_OK);
        index_release(index);
        if (!reached)
            break;
        n_failed += status == ERNIE_EIO;
    }
    ok(status);
    ck_assert_int_ge(n_failed, 10); /* open, fstat, reads */
}
END_TEST

static int interrupted;

static ssize_t slow_read(int fd, void *out, size_t size)
{
    interrupted = !interrupted;
    if (interrupted) {
        errno = EINTR;
        return -1;
    }
    return real_system.read(fd, out, size < 7 ? size : 7);
}

START_TEST(test_short_and_interrupted_reads_go_on)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        struct index *index;
        struct index_stamp stamp;

        save_small(i);
        real_system = system_table;
        system_table.read = slow_read;
        ok(index_file_load(path, &key, &index, &stamp, &err));
        system_table = real_system;
        ck_assert_uint_eq(index_count(index), 24);
        index_release(index);
    }
}
END_TEST

START_TEST(test_memory_that_runs_out_is_an_error)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        struct table table;
        struct index *index;
        struct index_stamp stamp, read;
        int failed = 1;

        table_init(&table, 40, 5 * kinds[i].times, 6);
        index = build(kinds[i].setting, &table, 30);
        stamp = stamp_of(index);
        for (int k = 0; failed; k++) {
            int status;

            fail_allocations_from(k);
            status = index_file_save(index, &stamp, &key, path, &err);
            failed = stop_failing() > k;
            ck_assert_int_eq(status, failed ? ERNIE_ENOMEM : ERNIE_OK);
            ck_assert_uint_le(count_entries(), 1); /* no temporary */
        }
        failed = 1;
        for (int k = 0; failed; k++) {
            struct index *loaded = NULL;
            int status;

            fail_allocations_from(k);
            status = index_file_load(path, &key, &loaded, &read, &err);
            failed = stop_failing() > k;
            ck_assert_int_eq(status, failed ? ERNIE_ENOMEM : ERNIE_OK);
            ck_assert_int_eq(loaded != NULL, !failed);
            index_release(loaded);
        }
        unlink(path);
        index_release(index);
        table_reset(&table);
    }
}
END_TEST

/* ---- the key ----------------------------------------------------------- */

static char key_path[128];

static void in_a_home(void)
{
    make_directory();
    ck_assert_int_eq(setenv("XDG_STATE_HOME", directory, 1), 0);
    snprintf(key_path, sizeof key_path, "%s/ernie/key", directory);
}

static void remove_home(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(test_a_key_is_made_once)
{
    struct mac_key first, again;
    struct stat st;

    ok(mac_key_load(&first, &err));
    ok(mac_key_load(&again, &err));
    ck_assert_mem_eq(&first, &again, sizeof first);
    ck_assert_int_eq(stat(key_path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(st.st_size, 32);
    ck_assert_int_eq(unlink(key_path), 0);
    ok(mac_key_load(&again, &err));
    ck_assert_mem_ne(&first, &again, sizeof first);
}
END_TEST

START_TEST(test_a_key_that_is_not_ours_alone_is_refused)
{
    struct mac_key read;
    char other[160];

    ok(mac_key_load(&read, &err));
    for (unsigned bit = 001; bit <= 040; bit <<= 1) {
        ck_assert_int_eq(chmod(key_path, 0600 | bit), 0);
        ck_assert_int_eq(mac_key_load(&read, &err), ERNIE_EINVAL);
        ck_assert_msg(strstr(err.message, "nobody else") != NULL, "%s", err.message);
    }
    ck_assert_int_eq(chmod(key_path, 0600), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(key_path, 12345, (gid_t)-1), 0);
        ck_assert_int_eq(mac_key_load(&read, &err), ERNIE_EINVAL);
        ck_assert_int_eq(chown(key_path, 0, (gid_t)-1), 0);
    }
    ok(mac_key_load(&read, &err));

    /* A link may lead to anything. */
    snprintf(other, sizeof other, "%s.real", key_path);
    ck_assert_int_eq(rename(key_path, other), 0);
    ck_assert_int_eq(symlink(other, key_path), 0);
    ck_assert_int_ne(mac_key_load(&read, &err), ERNIE_OK);
}
END_TEST

START_TEST(test_what_is_no_key_is_refused)
{
    struct mac_key read;

    ok(mac_key_load(&read, &err));
    ck_assert_int_eq(truncate(key_path, 31), 0);
    ck_assert_int_eq(mac_key_load(&read, &err), ERNIE_EFORMAT);
    ck_assert_int_eq(truncate(key_path, 0), 0);
    ck_assert_int_eq(mac_key_load(&read, &err), ERNIE_EFORMAT);
    ck_assert_int_eq(truncate(key_path, INT64_C(1) << 40), 0);
    ck_assert_int_ne(mac_key_load(&read, &err), ERNIE_OK);
    unlink(key_path);
    ck_assert_int_eq(mkfifo(key_path, 0600), 0);
    ck_assert_int_ne(mac_key_load(&read, &err), ERNIE_OK);
    unlink(key_path);
    ck_assert_int_eq(mkdir(key_path, 0700), 0);
    ck_assert_int_ne(mac_key_load(&read, &err), ERNIE_OK);
}
END_TEST

START_TEST(test_without_a_home_there_is_no_key)
{
    struct mac_key read;

    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    ck_assert_int_eq(mac_key_load(&read, &err), ERNIE_ENOTFOUND);
    setenv("HOME", "not/absolute", 1);
    ck_assert_int_eq(mac_key_load(&read, &err), ERNIE_ENOTFOUND);
    setenv("XDG_STATE_HOME", "not/absolute", 1); /* is as good as none */
    setenv("HOME", directory, 1);
    ok(mac_key_load(&read, &err));
    snprintf(key_path, sizeof key_path, "%s/.local/state/ernie/key", directory);
    ck_assert_int_eq(access(key_path, R_OK), 0);
    setenv("HOME", "/dev/null", 1);
    ck_assert_int_ne(mac_key_load(&read, &err), ERNIE_OK);
}
END_TEST

START_TEST(test_a_key_that_cannot_be_made_is_an_error_and_leaves_nothing)
{
    for (int call = 1;; call++) {
        struct mac_key made;
        int reached, status;

        let_system_fail(call);
        status = mac_key_load(&made, &err);
        reached = calls_left <= 0;
        system_table = real_system;
        if (!reached) {
            ok(status);
            ck_assert_int_ge(call, 8);
            break;
        }
        if (status != ERNIE_OK && access(key_path, F_OK) == 0)
            ok(mac_key_load(&made, &err)); /* whole */
        unlink(key_path);
    }
}
END_TEST

/* Poly1305 with a key that BLAKE2b makes: by Python's hashlib, and RFC 8439's arithmetic
 * in a few lines of Python (tests/data/index/make_mac.py). */
START_TEST(test_the_code_is_the_one_described)
{
    static const uint8_t expected[MAC_BYTES] = {
        0x9a, 0xbd, 0x3b, 0xbb, 0x30, 0x87, 0x74, 0x1d,
        0x52, 0x68, 0xb7, 0x5d, 0x7c, 0xc5, 0x87, 0x1d
    };
    uint8_t nonce[NONCE_BYTES], code[MAC_BYTES], text[1000];
    struct mac_key numbers;
    struct mac *mac;

    for (size_t i = 0; i < sizeof numbers.bytes; i++)
        numbers.bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(100 + i);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7);
    for (size_t piece = 1; piece <= sizeof text; piece += 111) {
        mac = mac_new(&numbers, nonce);
        ck_assert_ptr_nonnull(mac);
        for (size_t i = 0; i < sizeof text; i += piece)
            mac_add(mac, text + i, sizeof text - i < piece ? sizeof text - i : piece);
        mac_result(mac, code);
        mac_free(mac);
        ck_assert_mem_eq(code, expected, sizeof code);
        ck_assert(mac_equal(code, expected));
        code[15] ^= 1;
        ck_assert(!mac_equal(code, expected));
    }
    mac_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("index_file");
    TCase *file = tcase_create("file"), *wrong = tcase_create("wrong");
    TCase *failing = tcase_create("failing"), *seal = tcase_create("key");

    tcase_add_checked_fixture(file, make_directory, remove_directory);
    tcase_add_test(file, test_a_saved_index_loads_as_it_was);
    tcase_add_test(file, test_an_index_without_vectors_can_be_saved);
    tcase_add_test(file, test_what_came_after_the_stamp_is_left_out);
    tcase_add_test(file, test_a_file_is_nobody_else_s_to_read);
    suite_add_tcase(suite, file);
    tcase_add_checked_fixture(wrong, make_directory, remove_directory);
    tcase_add_loop_test(wrong, test_every_changed_byte_is_noticed, 0, N_KINDS);
    tcase_add_loop_test(wrong, test_every_other_length_is_noticed, 0, N_KINDS);
    tcase_add_test(wrong, test_another_key_breaks_the_seal);
    tcase_add_loop_test(wrong, test_a_header_that_lies_is_refused, 0, N_KINDS);
    tcase_add_test(wrong, test_lists_that_are_none_are_refused);
    tcase_add_test(wrong, test_an_index_of_faiss_s_that_is_another_is_refused);
    tcase_add_test(wrong, test_what_is_no_file_is_refused);
    suite_add_tcase(suite, wrong);
    tcase_add_checked_fixture(failing, make_directory, remove_directory);
    tcase_add_test(failing, test_a_save_that_fails_leaves_a_whole_file);
    tcase_add_test(failing, test_a_load_that_fails_says_so);
    tcase_add_test(failing, test_short_and_interrupted_reads_go_on);
    tcase_add_test(failing, test_memory_that_runs_out_is_an_error);
    suite_add_tcase(suite, failing);
    tcase_add_checked_fixture(seal, in_a_home, remove_home);
    tcase_add_test(seal, test_a_key_is_made_once);
    tcase_add_test(seal, test_a_key_that_is_not_ours_alone_is_refused);
    tcase_add_test(seal, test_what_is_no_key_is_refused);
    tcase_add_test(seal, test_without_a_home_there_is_no_key);
    tcase_add_test(seal, test_a_key_that_cannot_be_made_is_an_error_and_leaves_nothing);
    tcase_add_test(seal, test_the_code_is_the_one_described);
    suite_add_tcase(suite, seal);
    return run_suite(suite);
}
