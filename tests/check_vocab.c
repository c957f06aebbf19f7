#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/vocab.h"
#include "suite.h"

static char path[] = "check_vocab-XXXXXX";

static void make_path(void)
{
    int fd;

    strcpy(path, "check_vocab-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void remove_path(void)
{
    remove(path);
}

static int open_bytes(const void *bytes, size_t size, struct vocab **out, ernie_error *err)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return vocab_open(path, out, err);
}

static struct vocab *open_text(const char *text)
{
    struct vocab *vocab = NULL;
    ernie_error err = { 0 };

    ck_assert_msg(open_bytes(text, strlen(text), &vocab, &err) == ERNIE_OK, "%s", err.message);
    return vocab;
}

static int32_t find(const struct vocab *vocab, const char *word, int continued)
{
    return vocab_find(vocab, word, strlen(word), continued);
}

START_TEST(test_words_are_numbered_from_0)
{
    struct vocab *vocab = open_text("[PAD]\na\n##b\n中\n##中文\n");

    ck_assert_uint_eq(vocab_size(vocab), 5);
    ck_assert_int_eq(find(vocab, "[PAD]", 0), 0);
    ck_assert_int_eq(find(vocab, "a", 0), 1);
    ck_assert_int_eq(find(vocab, "a", 1), -1);
    ck_assert_int_eq(find(vocab, "b", 1), 2);
    ck_assert_int_eq(find(vocab, "b", 0), -1);
    ck_assert_int_eq(find(vocab, "##b", 0), 2);
    ck_assert_int_eq(find(vocab, "中", 0), 3);
    ck_assert_int_eq(find(vocab, "中文", 1), 4);
    ck_assert_int_eq(find(vocab, "", 0), -1);
    ck_assert_str_eq(vocab_word(vocab, 4), "##中文");
    ck_assert_ptr_null(vocab_word(vocab, 5));
    ck_assert_ptr_null(vocab_word(vocab, -1));
    vocab_close(vocab);
}
END_TEST

START_TEST(test_the_longest_word_is_found)
{
    struct vocab *vocab = open_text("a\nab\nabcd\n##c\n##cde\n中\n中文\n##\n\n");
    static const struct {
        const char *text;
        int continued;
        int32_t id;
        size_t n_bytes;
    } cases[] = {
        { "abcde", 0, 2, 4 }, { "abc", 0, 1, 2 },     { "a", 0, 0, 1 },    { "ax", 0, 0, 1 },
        { "b", 0, -1, 0 },    { "abc", 1, -1, 0 },    { "cdef", 1, 4, 3 }, { "cd", 1, 3, 1 },
        { "", 0, -1, 0 },     { "", 1, -1, 0 },       { "中国", 0, 5, 3 }, { "文", 0, -1, 0 },
        { "##cd", 0, 3, 3 },  { "中文字", 0, 6, 6 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n_bytes = 0;

        ck_assert_msg(vocab_find_longest(vocab, cases[i].text, strlen(cases[i].text),
                                         cases[i].continued, &n_bytes) == cases[i].id,
                      "case %zu", i);
        if (cases[i].id >= 0)
            ck_assert_uint_eq(n_bytes, cases[i].n_bytes);
    }
    vocab_close(vocab);
}
END_TEST

/* The word and id of each line, as Hugging Face reads vocab_odd.txt: three kinds
 * of line ends, empty lines, words twice, blanks, no line end at the end. */
START_TEST(test_odd_files_read_as_in_the_reference)
{
    const char *srcdir = getenv("srcdir");
    char *directory = path_join(srcdir == NULL ? "." : srcdir, "tests/data/tokenizer");
    char *odd = path_join(directory, "vocab_odd.txt");
    char *reference = path_join(directory, "vocab_odd_ids.txt");
    FILE *file = fopen(reference, "r");
    struct vocab *vocab = NULL;
    ernie_error err = { 0 };
    char line[256];
    size_t n = 0;
    int id = 0;

    ck_assert_msg(vocab_open(odd, &vocab, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file)); /* a comment */
    for (; fgets(line, sizeof line, file) != NULL; n++) {
        char word[256];
        size_t size = 0;
        const char *s = line;

        for (; *s != '\t'; size++) {
            unsigned byte = (unsigned char)*s;

            s += *s == '\\' ? sscanf(s, "\\x%2x", &byte) * 4 : 1;
            word[size] = (char)byte;
        }
        id = atoi(s + 1);
        ck_assert_msg(vocab_find(vocab, word, size, 0) == id, "%s", line);
        ck_assert_uint_eq(strlen(vocab_word(vocab, id)), size);
        ck_assert_mem_eq(vocab_word(vocab, id), word, size);
    }
    ck_assert_uint_gt(n, 10);
    ck_assert_uint_eq(vocab_size(vocab), (size_t)id + 1); /* the last line is a new word */
    vocab_close(vocab);
    fclose(file);
    memory_free(reference);
    memory_free(odd);
    memory_free(directory);
}
END_TEST

START_TEST(test_many_words_are_all_found)
{
    const int n = 200000;
    char *text = malloc((size_t)n * 16), *end = text, word[16];
    struct vocab *vocab = NULL;

    for (int i = 0; i < n; i++)
        end += sprintf(end, "%sw%d\n", i % 2 ? "##" : "", i);
    ck_assert_int_eq(open_bytes(text, (size_t)(end - text), &vocab, NULL), ERNIE_OK);
    for (int i = 0; i < n; i++) {
        sprintf(word, "w%d", i);
        ck_assert_int_eq(find(vocab, word, i % 2), i);
        ck_assert_int_eq(find(vocab, word, 1 - i % 2), -1);
    }
    vocab_close(vocab);
    free(text);
}
END_TEST

START_TEST(test_the_hash_is_of_the_bytes)
{
    struct vocab *a = open_text("a\nb\n"), *b = open_text("a\r\nb\n"), *c = open_text("a\nb\n");
    struct hash of_a = vocab_hash(a), of_b = vocab_hash(b), of_c = vocab_hash(c);

    ck_assert_mem_eq(of_a.bytes, of_c.bytes, sizeof of_a.bytes);
    ck_assert_mem_ne(of_a.bytes, of_b.bytes, sizeof of_a.bytes);
    vocab_close(a);
    vocab_close(b);
    vocab_close(c);
}
END_TEST

static void refuse(const void *bytes, size_t size, int status, const char *why)
{
    struct vocab *vocab = NULL;
    ernie_error err = { 0 };

    ck_assert_int_eq(open_bytes(bytes, size, &vocab, &err), status);
    ck_assert_ptr_null(vocab);
    ck_assert_msg(strncmp(err.message, path, strlen(path)) == 0, "%s", err.message);
    ck_assert_str_eq(err.message + strlen(path) + 2, why);
}

START_TEST(test_bad_files_are_refused)
{
    static char long_word[1100], lines[(2 << 20) + 1];

    refuse("", 0, ERNIE_EFORMAT, "no words");
    refuse("a\n\xff\n", 4, ERNIE_EFORMAT, "line 2: not UTF-8");
    refuse("a\r\nb\r\xe4\xb8", 7, ERNIE_EFORMAT, "line 3: not UTF-8");
    refuse("a\nb\n\0\n", 6, ERNIE_EFORMAT, "line 3: a 0 byte");
    memset(long_word, 'x', sizeof long_word);
    refuse(long_word, 1025, ERNIE_EFORMAT, "line 1: a word of 1025 bytes, more than 1024");
    memset(lines, '\n', sizeof lines);
    refuse(lines, sizeof lines, ERNIE_EFORMAT, "line 2097153: more than 2097152 words");
    memset(lines, '\r', sizeof lines);
    refuse(lines, sizeof lines, ERNIE_EFORMAT, "line 2097153: more than 2097152 words");
}
END_TEST

START_TEST(test_the_longest_allowed_word_is_taken)
{
    char word[1024];
    struct vocab *vocab = NULL;
    size_t n_bytes = 0;

    memset(word, 'x', sizeof word);
    ck_assert_int_eq(open_bytes(word, sizeof word, &vocab, NULL), ERNIE_OK);
    ck_assert_int_eq(vocab_find(vocab, word, sizeof word, 0), 0);
    ck_assert_int_eq(vocab_find_longest(vocab, word, sizeof word, 0, &n_bytes), 0);
    ck_assert_uint_eq(n_bytes, sizeof word);
    vocab_close(vocab);
}
END_TEST

START_TEST(test_too_large_a_file_is_refused)
{
    struct vocab *vocab = NULL;
    ernie_error err = { 0 };

    ck_assert_int_eq(truncate(path, (64 << 20) + 1), 0);
    ck_assert_int_eq(vocab_open(path, &vocab, &err), ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "67108865 bytes"));
    remove(path);
    ck_assert_int_eq(vocab_open(path, &vocab, &err), ERNIE_ENOTFOUND);
    ck_assert_int_eq(vocab_open("/", &vocab, &err), ERNIE_EINVAL);
    ck_assert_ptr_null(vocab);
}
END_TEST

static size_t n_left; /* allocations until they fail */

static void *fail_later(void *block, size_t size_bytes)
{
    if (size_bytes == 0) {
        free(block);
        return NULL;
    }
    if (n_left == 0)
        return NULL;
    n_left--;
    return realloc(block, size_bytes);
}

START_TEST(test_every_failed_allocation_is_reported)
{
    struct memory_table usual = memory_table;
    struct vocab *vocab = NULL;
    size_t n_failures = 0;

    memory_table.resize = fail_later;
    for (;; n_failures++) {
        ernie_error err = { 0 };

        n_left = n_failures;
        if (open_bytes("a\nb\n", 4, &vocab, &err) == ERNIE_OK)
            break;
        ck_assert_int_eq(err.code, ERNIE_ENOMEM);
        ck_assert_ptr_null(vocab);
    }
    ck_assert_uint_eq(n_failures, 6); /* the vocabulary, its file, four tables */
    vocab_close(vocab);
    memory_table = usual;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vocab");
    TCase *words = tcase_create("words"), *files = tcase_create("files");

    tcase_add_checked_fixture(words, make_path, remove_path);
    tcase_add_checked_fixture(files, make_path, remove_path);
    tcase_set_timeout(words, 60);
    tcase_set_timeout(files, 60);
    suite_add_tcase(suite, words);
    suite_add_tcase(suite, files);
    tcase_add_test(words, test_words_are_numbered_from_0);
    tcase_add_test(words, test_the_longest_word_is_found);
    tcase_add_test(words, test_odd_files_read_as_in_the_reference);
    tcase_add_test(words, test_many_words_are_all_found);
    tcase_add_test(words, test_the_hash_is_of_the_bytes);
    tcase_add_test(words, test_the_longest_allowed_word_is_taken);
    tcase_add_test(files, test_bad_files_are_refused);
    tcase_add_test(files, test_too_large_a_file_is_refused);
    tcase_add_test(files, test_every_failed_allocation_is_reported);
    return run_suite(suite);
}
