/* src/base: what every other module stands on. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/half.h"
#include "base/hash.h"
#include "base/id_set.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/system.h"
#include "base/utf8.h"
#include "faults.h"
#include "suite.h"

/* ---- half ---- */

/* By the definition, not by bits: a sign, a power of two, and eleven binary digits. */
static double half_by_definition(unsigned half)
{
    const double sign = half & 0x8000 ? -1 : 1;
    const int exponent = half >> 10 & 31, fraction = half & 0x3ff;

    if (exponent == 31)
        return fraction != 0 ? (double)NAN : sign * (double)INFINITY;
    return exponent == 0 ? sign * ldexp(fraction, -24)
                         : sign * ldexp(1024 + fraction, exponent - 25);
}

START_TEST(test_every_half_is_a_float_and_comes_back)
{
    for (unsigned half = 0; half < 0x10000; half++) {
        const double value = half_by_definition(half);
        const float is = float_of_half((uint16_t)half);

        if (isnan(value)) {
            ck_assert(isnan(is));
            ck_assert(isnan(float_of_half(half_of_float(is))));
            continue;
        }
        ck_assert(is == value && !signbit(is) == !signbit(value));
        ck_assert_uint_eq(half_of_float(is), half);
    }
}
END_TEST

START_TEST(test_floats_round_to_the_nearest_half)
{
    /* Between neighbours, the middle goes to the even one; past the largest, to infinity. */
    for (unsigned half = 0; half < 0x7c00; half++) {
        const double low = half_by_definition(half),
                     high = half + 1 == 0x7c00 ? 65536 : half_by_definition(half + 1);
        const float middle = (float)((low + high) / 2);

        ck_assert_uint_eq(half_of_float(middle), half + (half & 1));
        ck_assert_uint_eq(half_of_float(nextafterf(middle, 0)), half);
        ck_assert_uint_eq(half_of_float(nextafterf(middle, INFINITY)), half + 1);
        ck_assert_uint_eq(half_of_float(-middle), 0x8000 | (half + (half & 1)));
    }
    ck_assert_uint_eq(half_of_float(1e30f), 0x7c00);
    ck_assert_uint_eq(half_of_float(-1e30f), 0xfc00);
    ck_assert_uint_eq(half_of_float(1e-30f), 0);
}
END_TEST

/* ---- error ---- */

START_TEST(test_error_set_returns_the_code_and_keeps_one_line)
{
    ernie_error err;

    ck_assert_int_eq(error_set(&err, ERNIE_EFORMAT, "a\nb: %d", 7), ERNIE_EFORMAT);
    ck_assert_int_eq(err.code, ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "a b: 7");
    ck_assert_int_eq(error_set(NULL, ERNIE_EIO, "nobody listens"), ERNIE_EIO);
}
END_TEST

START_TEST(test_error_set_ends_a_long_message_at_a_whole_character)
{
    ernie_error err;
    char text[1024] = "x"; /* so that the limit falls inside of a character */

    while (strlen(text) < 900)
        strcat(text, "中");
    error_set(&err, ERNIE_EINVAL, "%s", text);
    ck_assert_uint_lt(strlen(err.message), sizeof err.message);
    ck_assert_uint_gt(strlen(err.message), sizeof err.message - 5);
    ck_assert(utf8_valid(err.message, strlen(err.message)));
}
END_TEST

START_TEST(test_error_set_system_tells_missing_files_apart)
{
    ernie_error err;

    ck_assert_int_eq(error_set_system(&err, ENOENT, "a.txt"), ERNIE_ENOTFOUND);
    ck_assert_str_eq(err.message, "a.txt: No such file or directory");
    ck_assert_int_eq(error_set_system(&err, ENOSPC, "a.txt"), ERNIE_EIO);
    ck_assert_int_eq(error_set_system(&err, ENOMEM, "a.txt"), ERNIE_ENOMEM);
}
END_TEST

/* ---- memory ---- */

START_TEST(test_memory_refuses_sizes_that_wrap_around)
{
    ck_assert_ptr_null(memory_new(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(memory_new_aligned(SIZE_MAX, 1));
    ck_assert_ptr_null(memory_resize(NULL, SIZE_MAX, 1));
    ck_assert_ptr_null(memory_copy_text("", SIZE_MAX));
}
END_TEST

START_TEST(test_memory_new_aligned_starts_at_a_cache_line)
{
    for (size_t n = 0; n < 300; n += 7) {
        char *block = memory_new_aligned(n, 1);

        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % 64, 0);
        memset(block, 1, n);
        memory_free_aligned(block);
    }
    memory_free_aligned(NULL);
    memory_free(NULL);
}
END_TEST

START_TEST(test_memory_new_is_zero_even_for_nothing)
{
    char *block = memory_new(0, 8);
    int *numbers = memory_new(100, sizeof *numbers);

    ck_assert_ptr_nonnull(block);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(numbers[i], 0);
    memory_free(block);
    memory_free(numbers);
}
END_TEST

/* ---- buffer ---- */

START_TEST(test_buffer_grows_and_hands_over)
{
    struct buffer buffer = { 0 };
    char *text;

    for (int i = 0; i < 1000; i++)
        buffer_printf(&buffer, "%d,", i % 10);
    buffer_append_char(&buffer, '!');
    ck_assert_uint_eq(buffer.size, 2001);
    text = buffer_take(&buffer);
    ck_assert_uint_eq(strlen(text), 2001);
    ck_assert_str_eq(text + 1998, "9,!");
    memory_free(text);
    ck_assert_uint_eq(buffer.size, 0);
    text = buffer_take(&buffer);
    ck_assert_str_eq(text, "");
    memory_free(text);
}
END_TEST

START_TEST(test_buffer_remembers_that_memory_ran_out)
{
    struct buffer buffer = { 0 };

    fail_allocations_from(0);
    buffer_append_text(&buffer, "lost");
    stop_failing();
    buffer_append_text(&buffer, "not kept either");
    ck_assert(buffer.failed);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_ptr_null(buffer_take(&buffer));
    ck_assert_ptr_null(buffer_reserve(&(struct buffer){ 0 }, SIZE_MAX));
}
END_TEST

/* ---- utf8 ---- */

/* Every code point and back; surrogates are no characters. */
START_TEST(test_utf8_round_trip)
{
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char bytes[4];
        size_t n, size = utf8_encode(c, bytes);
        int valid = 1;
        uint32_t back = utf8_decode(bytes, size, &n, &valid);

        if (c >= 0xd800 && c <= 0xdfff) {
            ck_assert(!valid);
            ck_assert_uint_eq(back, UTF8_REPLACEMENT);
        } else {
            ck_assert(valid);
            ck_assert_uint_eq(back, c);
            ck_assert_uint_eq(n, size);
        }
    }
}
END_TEST

/* What Python's bytes.decode("utf-8", "replace") makes of broken sequences, as the
 * number of U+FFFD; the examples of the Unicode Standard, section 3.9, are there. */
START_TEST(test_utf8_replaces_each_maximal_part)
{
    static const struct {
        const char *bytes;
        const char *clean;
    } cases[] = {
        { "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", "????????A" },
        { "\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", "????????A" },
        { "\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", "?????A??B" },
        { "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "????A" },
        { "\xe4\xb8", "?" },
        { "\xf0\x9f\x98", "?" },
        { "a\x80z", "a?z" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer clean = { 0 }, marked = { 0 };
        size_t n_replaced = utf8_append_clean(&clean, cases[i].bytes, strlen(cases[i].bytes));
        size_t n, n_marks = 0;

        for (size_t j = 0; j < clean.size; j += n) {
            uint32_t c = utf8_decode(clean.data + j, clean.size - j, &n, NULL);

            n_marks += c == UTF8_REPLACEMENT;
            buffer_append_char(&marked, c == UTF8_REPLACEMENT ? '?' : (char)c);
        }
        ck_assert_str_eq(marked.data, cases[i].clean);
        ck_assert_uint_eq(n_marks, n_replaced);
        ck_assert(utf8_valid(clean.data, clean.size));
        buffer_reset(&clean);
        buffer_reset(&marked);
    }
}
END_TEST

START_TEST(test_utf8_clean_replaces_zero_bytes)
{
    struct buffer clean = { 0 };

    ck_assert_uint_eq(utf8_append_clean(&clean, "a\0b", 3), 1);
    ck_assert_str_eq(clean.data, "a\xef\xbf\xbd" "b");
    buffer_reset(&clean);
}
END_TEST

START_TEST(test_utf8_floor_never_splits_a_character)
{
    static const char text[] = "a中é😀z";
    static const size_t floors[] = { 0, 1, 1, 1, 4, 4, 6, 6, 6, 6, 10, 11 };

    for (size_t i = 0; i < sizeof floors / sizeof floors[0]; i++)
        ck_assert_uint_eq(utf8_floor(text, i), floors[i]);
}
END_TEST

START_TEST(test_utf8_printable_shows_what_a_terminal_would_obey)
{
    struct buffer out = { 0 };

    utf8_append_printable(&out, "a\x1b[2J\xff中\xc2\x9b\n", 12);
    ck_assert_str_eq(out.data, "a\\x1b[2J\\xff中\\xc2\\x9b\\x0a");
    buffer_reset(&out);
}
END_TEST

/* ---- hash ---- */

/* Reference: python3 -c 'import xxhash; print(xxhash.xxh3_128_hexdigest(b""))' */
START_TEST(test_hash_is_xxh3_128)
{
    struct hash hash = hash_of("", 0);
    char hex[33];

    hash_to_hex(&hash, hex);
    ck_assert_str_eq(hex, "99aa06d3014798d86001c324468d497f");
}
END_TEST

START_TEST(test_hasher_keeps_parts_apart)
{
    struct hasher *a = hasher_new(), *b = hasher_new();
    struct hash x, y;

    hasher_add(a, "ab", 2);
    hasher_add(a, "c", 1);
    hasher_add(b, "a", 1);
    hasher_add(b, "bc", 2);
    x = hasher_result(a);
    y = hasher_result(b);
    ck_assert_mem_ne(x.bytes, y.bytes, sizeof x.bytes);
    hasher_free(a);
    hasher_free(b);
}
END_TEST

/* ---- id_set ---- */

START_TEST(test_id_set_knows_what_was_added)
{
    struct id_set set = { 0 };

    ck_assert(!id_set_has(&set, 1));
    for (int64_t id = 1; id < 5000; id += 3)
        ck_assert_int_eq(id_set_add(&set, id), 1);
    ck_assert_int_eq(id_set_add(&set, INT64_MIN), 1);
    ck_assert_int_eq(id_set_add(&set, INT64_MIN), 0);
    for (int64_t id = 1; id < 5000; id++) {
        ck_assert_int_eq(id_set_has(&set, id), id % 3 == 1);
        if (id % 3 == 1)
            ck_assert_int_eq(id_set_add(&set, id), 0);
    }
    ck_assert_uint_eq(set.n, 1667 + 1);
    id_set_reset(&set);
}
END_TEST

/* ---- json ---- */

START_TEST(test_json_reads_values)
{
    static const char text[] = "{\"n\": 7, \"x\": 1e-12, \"s\": \"中\\u6587\", \"b\": true, \"a\": [1, null]}";
    json *document;
    size_t size;

    ck_assert_int_eq(json_parse("t.json", text, sizeof text - 1, &document, NULL), ERNIE_OK);
    ck_assert_int_eq(json_to_integer(json_member(document, "n")), 7);
    ck_assert(json_to_number(json_member(document, "x")) == 1e-12);
    ck_assert_str_eq(json_to_text(json_member(document, "s"), &size), "中文");
    ck_assert_uint_eq(size, 6);
    ck_assert_int_eq(json_to_boolean(json_member(document, "b")), 1);
    ck_assert_uint_eq(json_count(json_member(document, "a")), 2);
    ck_assert_int_eq(json_kind(json_element(json_member(document, "a"), 1)), JSON_KIND_NULL);
    ck_assert_ptr_null(json_member(document, "absent"));
    json_free(document);
}
END_TEST

START_TEST(test_json_refuses_with_a_reason)
{
    static const char *const bad[] = { "", "{", "{\"a\":1,\"a\":2}", "[1,]", "\"\xff\"", "1 2",
                                       "{\"a\":01}", "nul" };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ernie_error err;
        json *document;

        ck_assert_int_eq(json_parse("t.json", bad[i], strlen(bad[i]), &document, &err),
                         ERNIE_EFORMAT);
        ck_assert_int_eq(strncmp(err.message, "t.json: line ", 13), 0);
    }
}
END_TEST

START_TEST(test_json_is_looked_over_before_it_is_parsed)
{
    ernie_error err;

    ck_assert_int_eq(json_check_size("t.json", "[[1,2],{\"a]\":\"\\\"[[[,,,\"}]", 23, 2, 7, &err), ERNIE_OK);
    ck_assert_int_eq(json_check_size("t.json", "[[1,2],[[]]]", 12, 2, 9, &err), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "t.json: more than 2 brackets deep");
    ck_assert_int_eq(json_check_size("t.json", "[[1,2],[[]]]", 12, 3, 6, &err), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "t.json: more than 6 values");
    ck_assert_int_eq(json_check_size("t.json", "[[1,2],[[]]]", 12, 3, 7, &err), ERNIE_OK);
    ck_assert_int_eq(json_check_size("t.json", "\"\\", 2, 0, 1, &err), ERNIE_OK);
    ck_assert_int_eq(json_check_size("t.json", "", 0, 0, 1, &err), ERNIE_OK);
}
END_TEST

/* A hundred thousand brackets must not exhaust the stack. */
START_TEST(test_json_refuses_endless_depth)
{
    size_t size = 100000;
    char *text = malloc(size);
    json *document;

    memset(text, '[', size);
    ck_assert_int_eq(json_parse("t.json", text, size, &document, NULL), ERNIE_EFORMAT);
    free(text);
}
END_TEST

START_TEST(test_json_writes_text_that_reads_back)
{
    struct buffer out = { 0 };
    json *document;

    json_append_text(&out, "a\"b\\c\n\t\x01\x7f 中 😀 \xff");
    ck_assert_int_eq(json_parse("t.json", out.data, out.size, &document, NULL), ERNIE_OK);
    ck_assert_str_eq(json_to_text(document, NULL), "a\"b\\c\n\t\x01\x7f 中 😀 \xef\xbf\xbd");
    json_free(document);
    buffer_reset(&out);
}
END_TEST

START_TEST(test_json_floats_read_back_in_any_locale)
{
    static const float values[] = { 0, -0.0f, 1, 0.1f, -1.5e-30f, 3.4028235e38f, 1.1754944e-38f,
                                    0.333333343f, 16777216 };

    for (int pass = 0; pass < 2; pass++) {
        /* A comma for a point, where such a locale is installed. */
        if (pass == 1)
            setlocale(LC_NUMERIC, "de_DE.UTF-8");
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            struct buffer out = { 0 };

            json_append_float(&out, values[i]);
            ck_assert_ptr_null(strchr(out.data, ','));
            setlocale(LC_NUMERIC, "C");
            ck_assert(strtof(out.data, NULL) == values[i]);
            buffer_reset(&out);
        }
    }
    struct buffer out = { 0 };
    json_append_float(&out, NAN);
    json_append_float(&out, INFINITY);
    ck_assert_str_eq(out.data, "nullnull");
    buffer_reset(&out);
}
END_TEST

/* ---- file ---- */

static char folder[] = "/tmp/check_base.XXXXXX";

static void make_folder(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static size_t count_files(void)
{
    DIR *directory = opendir(folder);
    size_t n = 0;

    while (readdir(directory) != NULL)
        n++;
    closedir(directory);
    return n - 2; /* . and .. */
}

static void remove_folder(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static int write_two_parts(const char *path, ernie_error *err)
{
    const void *parts[] = { "one ", "two" };
    const size_t sizes[] = { 4, 3 };

    return file_write_atomic(path, 2, parts, sizes, err);
}

START_TEST(test_file_round_trip)
{
    char *path = path_join(folder, "a");
    struct file file;
    struct stat st;

    ck_assert_int_eq(write_two_parts(path, NULL), ERNIE_OK);
    ck_assert_int_eq(file_read(path, 100, &file, NULL), ERNIE_OK);
    ck_assert_uint_eq(file.size, 7);
    ck_assert_mem_eq(file.data, "one two", 7);
    ck_assert_uint_eq(file.data[7], 0);
    ck_assert_uint_eq((uintptr_t)file.data % 64, 0);
    file_reset(&file);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_uint_eq(count_files(), 1);
    memory_free(path);
}
END_TEST

START_TEST(test_file_read_refuses_what_is_not_a_file_of_that_size)
{
    char *path = path_join(folder, "fifo");
    struct file file;
    ernie_error err;

    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(file_read(path, 100, &file, &err), ERNIE_EINVAL);
    ck_assert_int_eq(file_read(folder, 100, &file, &err), ERNIE_EINVAL);
    unlink(path);
    ck_assert_int_eq(file_read(path, 100, &file, &err), ERNIE_ENOTFOUND);
    ck_assert_int_eq(write_two_parts(path, NULL), ERNIE_OK);
    ck_assert_int_eq(file_read(path, 6, &file, &err), ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "more than the limit of 6"));
    memory_free(path);
}
END_TEST

/* Each call of the table fails once, at each time it is made. */
static const struct system_table *real_system;
static struct system_table kept_system;
static int calls_left;

static int should_fail(void)
{
    if (calls_left-- > 0)
        return 0;
    errno = EIO;
    return 1;
}

static int failing_openat(int d, const char *p, int f, mode_t m)
{
    return should_fail() ? -1 : real_system->openat(d, p, f, m);
}
static ssize_t failing_write(int fd, const void *data, size_t n)
{
    return should_fail() ? -1 : real_system->write(fd, data, n);
}
static int failing_fsync(int fd)
{
    return should_fail() ? -1 : real_system->fsync(fd);
}
static int failing_close(int fd)
{
    int result = real_system->close(fd);
    return should_fail() ? -1 : result;
}
static int failing_rename(const char *a, const char *b)
{
    return should_fail() ? -1 : real_system->rename(a, b);
}
static ssize_t failing_getrandom(void *out, size_t n, unsigned flags)
{
    return should_fail() ? -1 : real_system->getrandom(out, n, flags);
}

START_TEST(test_file_write_atomic_is_all_or_nothing_whatever_fails)
{
    char *path = path_join(folder, "a");
    struct file file;
    int status, k = 0;

    kept_system = system_table;
    real_system = &kept_system;
    do {
        FILE *old = fopen(path, "w");

        fputs("old", old);
        fclose(old);
        calls_left = k++;
        system_table.openat = failing_openat;
        system_table.write = failing_write;
        system_table.fsync = failing_fsync;
        system_table.close = failing_close;
        system_table.rename = failing_rename;
        system_table.getrandom = failing_getrandom;
        status = write_two_parts(path, NULL);
        system_table = kept_system;
        ck_assert_int_eq(file_read(path, 100, &file, NULL), ERNIE_OK);
        if (status == ERNIE_OK)
            ck_assert_mem_eq(file.data, "one two", 7);
        else /* once renamed it is the new one, though not yet known to be safe */
            ck_assert(file.size == 3 || k > 7);
        file_reset(&file);
        ck_assert_uint_eq(count_files(), 1);
    } while (status != ERNIE_OK);
    ck_assert_int_gt(k, 7);
    memory_free(path);
}
END_TEST

static ssize_t slow_read(int fd, void *out, size_t n)
{
    static int turn;

    if (++turn % 3 == 0) {
        errno = EINTR;
        return -1;
    }
    return real_system->read(fd, out, n > 2 ? 2 : n);
}
static ssize_t slow_write(int fd, const void *data, size_t n)
{
    static int turn;

    if (++turn % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return real_system->write(fd, data, n > 1 ? 1 : n);
}

START_TEST(test_file_goes_on_after_short_counts_and_interrupts)
{
    char *path = path_join(folder, "a");
    struct file file;

    kept_system = system_table;
    real_system = &kept_system;
    system_table.read = slow_read;
    system_table.write = slow_write;
    ck_assert_int_eq(write_two_parts(path, NULL), ERNIE_OK);
    ck_assert_int_eq(file_read(path, 100, &file, NULL), ERNIE_OK);
    system_table = kept_system;
    ck_assert_uint_eq(file.size, 7);
    ck_assert_mem_eq(file.data, "one two", 7);
    file_reset(&file);
    memory_free(path);
}
END_TEST

static void check_path(char *got, const char *expected)
{
    ck_assert_str_eq(got, expected);
    memory_free(got);
}

START_TEST(test_paths)
{
    check_path(path_join("a", "b"), "a/b");
    check_path(path_join("a/", "b"), "a/b");
    check_path(path_join("/", "b"), "/b");
    check_path(path_join("a", ""), "a");
    check_path(path_directory("a/b"), "a");
    check_path(path_directory("a"), ".");
    check_path(path_directory("/a"), "/");
    ck_assert_str_eq(path_below("/a/b", "/a/b/c/d"), "c/d");
    ck_assert_str_eq(path_below("/a/b", "/a/b"), "");
    ck_assert_str_eq(path_below("/", "/a"), "a");
    ck_assert_ptr_null(path_below("/a/b", "/a/bc"));
    ck_assert_ptr_null(path_below("/a/b", "/a"));
}
END_TEST

START_TEST(test_path_resolve_follows_links)
{
    char *path = path_join(folder, "link"), *resolved;

    ck_assert_int_eq(symlink("/usr", path), 0);
    ck_assert_int_eq(path_resolve(path, &resolved, NULL), ERNIE_OK);
    check_path(resolved, "/usr");
    unlink(path);
    ck_assert_int_eq(path_resolve(path, &resolved, NULL), ERNIE_ENOTFOUND);
    memory_free(path);
}
END_TEST

/* ---- pool ---- */

struct sum {
    atomic_size_t next;
    atomic_size_t total;
    size_t lanes[64];
};

static void add_up(void *data, size_t lane)
{
    struct sum *sum = data;
    size_t i;

    sum->lanes[lane]++;
    while ((i = atomic_fetch_add(&sum->next, 1)) < 1000)
        atomic_fetch_add(&sum->total, i);
}

START_TEST(test_pool_runs_each_lane_once_a_round)
{
    struct pool *pool;

    ck_assert_int_eq(pool_new(5, &pool, NULL), ERNIE_OK);
    ck_assert_uint_eq(pool_n_threads(pool), 5);
    for (int round = 0; round < 200; round++) {
        struct sum sum = { 0 };

        pool_run(pool, add_up, &sum);
        ck_assert_uint_eq(atomic_load(&sum.total), 999 * 1000 / 2);
        for (size_t lane = 0; lane < 5; lane++)
            ck_assert_uint_eq(sum.lanes[lane], 1);
    }
    pool_free(pool);
    ck_assert_int_eq(pool_new(1, &pool, NULL), ERNIE_OK);
    ck_assert_uint_eq(pool_n_threads(pool), 1);
    pool_free(pool);
    pool_free(NULL);
}
END_TEST

START_TEST(test_pool_takes_its_number_of_threads_from_the_environment)
{
    static const char *const wrong[] = { "0", "x", "2x", "-1", " 2", "+2", "1.5" };
    struct pool *pool;
    ernie_error err;

    setenv("ERNIE_THREADS", "3", 1);
    ck_assert_int_eq(pool_new(0, &pool, NULL), ERNIE_OK);
    ck_assert_uint_eq(pool_n_threads(pool), 3);
    pool_free(pool);
    ck_assert_int_eq(pool_new(2, &pool, NULL), ERNIE_OK); /* who asks for some gets them */
    ck_assert_uint_eq(pool_n_threads(pool), 2);
    pool_free(pool);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        setenv("ERNIE_THREADS", wrong[i], 1);
        ck_assert_int_eq(pool_new(0, &pool, &err), ERNIE_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.message, wrong[i]));
    }
    setenv("ERNIE_THREADS", "", 1);
    ck_assert_int_eq(pool_new(0, &pool, NULL), ERNIE_OK);
    pool_free(pool);
    unsetenv("ERNIE_THREADS");
}
END_TEST

static Suite *suite(void)
{
    const struct {
        const char *name;
        const TTest *tests[8];
        int in_folder;
    } cases[] = {
        { "error",
          { test_error_set_returns_the_code_and_keeps_one_line,
            test_error_set_ends_a_long_message_at_a_whole_character,
            test_error_set_system_tells_missing_files_apart },
          0 },
        { "memory",
          { test_memory_refuses_sizes_that_wrap_around,
            test_memory_new_aligned_starts_at_a_cache_line,
            test_memory_new_is_zero_even_for_nothing },
          0 },
        { "buffer",
          { test_buffer_grows_and_hands_over, test_buffer_remembers_that_memory_ran_out },
          0 },
        { "utf8",
          { test_utf8_round_trip, test_utf8_replaces_each_maximal_part,
            test_utf8_clean_replaces_zero_bytes, test_utf8_floor_never_splits_a_character,
            test_utf8_printable_shows_what_a_terminal_would_obey },
          0 },
        { "half", { test_every_half_is_a_float_and_comes_back,
                    test_floats_round_to_the_nearest_half }, 0 },
        { "hash", { test_hash_is_xxh3_128, test_hasher_keeps_parts_apart }, 0 },
        { "id_set", { test_id_set_knows_what_was_added }, 0 },
        { "json",
          { test_json_reads_values, test_json_refuses_with_a_reason,
            test_json_is_looked_over_before_it_is_parsed, test_json_refuses_endless_depth,
            test_json_writes_text_that_reads_back,
            test_json_floats_read_back_in_any_locale },
          0 },
        { "file",
          { test_file_round_trip, test_file_read_refuses_what_is_not_a_file_of_that_size,
            test_file_write_atomic_is_all_or_nothing_whatever_fails,
            test_file_goes_on_after_short_counts_and_interrupts, test_paths,
            test_path_resolve_follows_links },
          1 },
        { "pool", { test_pool_runs_each_lane_once_a_round,
                    test_pool_takes_its_number_of_threads_from_the_environment }, 0 },
    };
    Suite *s = suite_create("base");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TCase *tcase = tcase_create(cases[i].name);

        if (cases[i].in_folder)
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
