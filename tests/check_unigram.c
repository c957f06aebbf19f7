#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "faults.h"
#include "model/charsmap.h"
#include "suite.h"
#include "unigram_file.h"

#define MAX_IDS 4096

static const char *const names[] = { "rules", "bytes", "form", "accents", "odd", "high" };
#define N_NAMES 6

static const char *in(const char *name, const char *suffix)
{
    static char path[4096];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/unigram/%s%s", srcdir == NULL ? "." : srcdir, name,
             suffix);
    return path;
}

struct model {
    struct unigram_file file;
    struct unigram *unigram;
    struct unigram_reader reader;
};

static void open_model(const char *name, struct model *model)
{
    ernie_error err = { 0 };

    memset(model, 0, sizeof *model);
    ck_assert_msg(unigram_file_open(in(name, ".model"), &model->file, &err) == ERNIE_OK, "%s",
                  err.message);
    ck_assert_msg(unigram_new(model->file.n, model->file.piece, model->file.unk_id,
                              model->file.byte_fallback, &model->unigram, &err) == ERNIE_OK,
                  "%s", err.message);
    ck_assert_int_eq(unigram_scratch_new(&model->reader.scratch, &err), ERNIE_OK);
}

static void close_model(struct model *model)
{
    unigram_reader_reset(&model->reader);
    unigram_free(model->unigram);
    unigram_file_close(&model->file);
}

static size_t encode(struct model *model, const char *text, size_t size, int32_t *ids,
                     struct token_span *spans, size_t max_ids)
{
    ernie_error err = { 0 };
    size_t n;

    ck_assert_msg(unigram_file_encode(&model->file, model->unigram, &model->reader, text, size,
                                      ids, spans, max_ids, &n, &err) == ERNIE_OK,
                  "%s", err.message);
    return n;
}

/* One line of a .ids file. Returns how many, and whether they have spans. */
static size_t read_ids(char *line, int32_t *ids, struct token_span *spans, int *has_spans)
{
    size_t n = 0;

    *has_spans = strchr(line, ':') != NULL;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "), n++) {
        ids[n] = atoi(word);
        if (*has_spans && strchr(word, ':') != NULL)
            ck_assert_int_eq(
                sscanf(strchr(word, ':'), ":%zu-%zu", &spans[n].start, &spans[n].end), 2);
        else if (*has_spans)
            spans[n] = spans[n - 1];
    }
    return n;
}

static void check_line(struct model *model, const char *text, size_t size, char *expected)
{
    static int32_t ids[MAX_IDS], theirs[MAX_IDS];
    static struct token_span spans[MAX_IDS], their_spans[MAX_IDS];
    int has_spans;
    size_t n_theirs = read_ids(expected, theirs, their_spans, &has_spans);
    size_t n = encode(model, text, size, ids, NULL, MAX_IDS);

    ck_assert_msg(n == n_theirs, "%.*s: %zu ids, not %zu", (int)size, text, n, n_theirs);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(ids[i] == theirs[i], "%.*s: id %zu is %d, not %d", (int)size, text, i, ids[i],
                      theirs[i]);
    ck_assert_uint_eq(encode(model, text, size, NULL, NULL, MAX_IDS), n);
    ck_assert_uint_eq(encode(model, text, size, ids, spans, n), n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(ids[i], theirs[i]);
        ck_assert_msg(spans[i].start < spans[i].end && spans[i].end <= size, "%.*s: span %zu",
                      (int)size, text, i);
        if (has_spans)
            ck_assert_msg(spans[i].start == their_spans[i].start &&
                              spans[i].end == their_spans[i].end,
                          "%.*s: span %zu", (int)size, text, i);
    }
    ck_assert_uint_eq(encode(model, text, size, ids, NULL, n / 2), n / 2);
    ck_assert(n < 2 || memcmp(ids, theirs, n / 2 * sizeof *ids) == 0);
}

START_TEST(test_ids_and_spans_are_those_of_the_reference)
{
    struct model model;
    size_t size, n_lines = 0;
    char *texts = unigram_read_bytes(in("texts", ".txt"), &size), *text = texts;
    char *all = unigram_read_bytes(in(names[_i], ".ids"), &size), *expected = all;

    open_model(names[_i], &model);
    while (*text != '\0') {
        size_t n_text = strcspn(text, "\n"), n_expected = strcspn(expected, "\n");

        text[n_text] = expected[n_expected] = '\0';
        check_line(&model, text, unigram_unescape(text), expected);
        text += n_text + 1;
        expected += n_expected + 1;
        n_lines++;
    }
    ck_assert_uint_ge(n_lines, 300);
    close_model(&model);
    free(texts);
    free(all);
}
END_TEST

/* The same search as simply as it can be written: all of it in memory, a look at
 * each piece for each place. */
static size_t search_simply(const struct unigram *unigram, const struct unigram_file *file,
                            const char *word, size_t size, size_t longest, int32_t *ids)
{
    double *sum = calloc(size + 1, sizeof *sum), lowest = INFINITY;
    int32_t *last = calloc(size + 1, sizeof *last);
    size_t *from = calloc(size + 1, sizeof *from), n = 0, n_bytes;

    for (size_t i = 0; i < file->n; i++)
        lowest = file->piece[i].score < lowest ? file->piece[i].score : lowest;
    for (size_t i = 0; i <= size; i++)
        from[i] = SIZE_MAX;
    for (size_t i = 0; i < size; i += n_bytes) {
        int is_alone = 0;

        utf8_decode(word + i, size - i, &n_bytes, NULL);
        for (size_t k = 1; k <= longest && i + k <= size; k++) {
            int32_t id = unigram_find(unigram, word + i, k);
            double way;

            if (id < 0)
                continue;
            is_alone |= k == n_bytes;
            way = file->piece[id].score + sum[i];
            if (from[i + k] == SIZE_MAX || way > sum[i + k])
                sum[i + k] = way, from[i + k] = i, last[i + k] = id;
        }
        if (!is_alone && (from[i + n_bytes] == SIZE_MAX || sum[i] + lowest - 10 > sum[i + n_bytes]))
            sum[i + n_bytes] = lowest - 10 + sum[i], from[i + n_bytes] = i,
                       last[i + n_bytes] = file->unk_id;
    }
    for (size_t i = size; i > 0; i = from[i])
        if (n == 0 || last[i] != file->unk_id || ids[n - 1] != file->unk_id)
            ids[n++] = last[i];
    for (size_t i = 0; i < n / 2; i++) {
        int32_t id = ids[i];

        ids[i] = ids[n - 1 - i];
        ids[n - 1 - i] = id;
    }
    free(sum);
    free(last);
    free(from);
    return n;
}

static size_t largest_block;
static void *(*real_resize)(void *, size_t);

static void *resize_and_note(void *block, size_t size_bytes)
{
    if (size_bytes > largest_block)
        largest_block = size_bytes;
    return real_resize(block, size_bytes);
}

/* Encodes word with a new scratch and returns the largest block it asked for. */
static size_t check_long_word(const char *name, const char *word, size_t size)
{
    struct model model;
    int32_t *ids = calloc(size, sizeof *ids), *simple = calloc(size, sizeof *simple);
    size_t n, n_simple;

    open_model(name, &model);
    real_resize = memory_table.resize;
    memory_table.resize = resize_and_note;
    largest_block = 0;
    ck_assert_int_eq(unigram_encode(model.unigram, model.reader.scratch, word, size, ids, NULL,
                                    size, &n, NULL),
                     ERNIE_OK);
    memory_table.resize = real_resize;
    n_simple = search_simply(model.unigram, &model.file, word, size, 64, simple);
    ck_assert_uint_eq(n, n_simple);
    ck_assert_int_eq(memcmp(ids, simple, n * sizeof *ids), 0);
    close_model(&model);
    free(ids);
    free(simple);
    return largest_block;
}

START_TEST(test_a_long_word_is_cut_where_nothing_straddles)
{
    size_t size, n = 0;
    char *texts = unigram_read_bytes(in("texts", ".txt"), &size);
    char *word = malloc(150 * size);

    for (int times = 0; times < 150; times++)
        for (size_t i = 0; i < size; i++)
            if (texts[i] != '\n' && texts[i] != ' ')
                word[n++] = texts[i];
    ck_assert_uint_gt(n, 1000000);
    ck_assert_uint_le(check_long_word("rules", word, n), 4096);
    free(word);
    free(texts);
}
END_TEST

/* With pieces of one and more letters no place is surely passed, up to the end.
 * Sums are rounded the more the longer the word is, and still decide between ways
 * that are equally good. */
START_TEST(test_one_letter_repeated_is_remembered_whole)
{
    size_t n = 1 << 20;
    char *word = malloc(n);

    memset(word, 'a', n);
    for (size_t i = 1000; i < n; i += 3001)
        word[i] = 'b';
    ck_assert_uint_le(check_long_word("odd", word, n), 16 * n);
    memset(word, 'a', n);
    ck_assert_uint_le(check_long_word("odd", word, n), 16 * n);
    free(word);
}
END_TEST

START_TEST(test_no_text_has_no_ids)
{
    for (int i = 0; i < N_NAMES; i++) {
        struct model model;

        open_model(names[i], &model);
        ck_assert_uint_eq(encode(&model, "", 0, NULL, NULL, MAX_IDS), 0);
        ck_assert_uint_eq(encode(&model, "abc", 3, NULL, NULL, 0), 0);
        close_model(&model);
    }
}
END_TEST

START_TEST(test_bad_vocabularies_are_refused)
{
    const struct unigram_piece good[] = { { "<unk>", 5, 0 }, { "a", 1, -1 } };
    const struct unigram_piece no_text[] = { { "<unk>", 5, 0 }, { "a\xff", 2, -1 } };
    const struct unigram_piece no_number[] = { { "<unk>", 5, 0 }, { "a", 1, NAN } };
    const struct unigram_piece no_end[] = { { "<unk>", 5, 0 }, { "a", 1, -INFINITY } };
    struct unigram *unigram = NULL;

    ck_assert_int_eq(unigram_new(2, good, -1, 0, &unigram, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(unigram_new(2, good, 2, 0, &unigram, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(unigram_new(0, NULL, 0, 0, &unigram, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(unigram_new(2, no_text, 0, 0, &unigram, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(unigram_new(2, no_number, 0, 0, &unigram, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(unigram_new(2, no_end, 0, 0, &unigram, NULL), ERNIE_EFORMAT);
    ck_assert_ptr_null(unigram);
    ck_assert_int_eq(unigram_new(2, good, 0, 0, &unigram, NULL), ERNIE_OK);
    ck_assert_uint_eq(unigram_count(unigram), 2);
    ck_assert_int_eq(unigram_find(unigram, "a", 1), 1);
    ck_assert_int_eq(unigram_find(unigram, "<un", 3), -1);
    ck_assert_int_eq(unigram_find(unigram, "", 0), -1);
    unigram_free(unigram);
}
END_TEST

START_TEST(test_bad_charsmaps_are_refused)
{
    static const unsigned char past_the_end[] = { 8, 0, 0, 0, 1, 2, 3, 4 };
    static const unsigned char largest[] = { 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4 };
    static const unsigned char not_whole[] = { 5, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 };
    static const unsigned char no_trie[] = { 0, 0, 0, 0, 'a', 0 };
    static const unsigned char not_text[] = { 4, 0, 0, 0, 1, 2, 3, 4, 0xff, 0 };
    struct charsmap *map = NULL;

    ck_assert_int_eq(charsmap_new("", 0, &map, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(charsmap_new(past_the_end, 3, &map, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(charsmap_new(past_the_end, 8, &map, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(charsmap_new(largest, sizeof largest, &map, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(charsmap_new(not_whole, sizeof not_whole, &map, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(charsmap_new(no_trie, sizeof no_trie, &map, NULL), ERNIE_EFORMAT);
    ck_assert_int_eq(charsmap_new(not_text, sizeof not_text, &map, NULL), ERNIE_EFORMAT);
    ck_assert_ptr_null(map);
}
END_TEST

/* A trie of one character, 'a' (unit 1 ^ 'a' = 96), whose value (unit 97) is the
 * offset given, with the strings "xyz" and, after its 0 byte, a character of three
 * bytes that the blob ends with. */
static struct charsmap *map_a_to(uint32_t offset)
{
    enum { N_UNITS = 100 };
    unsigned char blob[4 + 4 * N_UNITS + 7] = { (4 * N_UNITS) & 255, (4 * N_UNITS) >> 8 };
    struct charsmap *map = NULL;
    uint32_t unit[N_UNITS] = { 0 };

    unit[0] = 1 << 10;
    unit[96] = 1 << 10 | 1 << 8 | 'a';
    unit[97] = offset | 1u << 31;
    for (size_t i = 0; i < N_UNITS; i++)
        for (size_t k = 0; k < 4; k++)
            blob[4 + 4 * i + k] = (unsigned char)(unit[i] >> 8 * k);
    memcpy(blob + 4 + 4 * N_UNITS, "xyz\0\xe4\xb8\xad", 7);
    ck_assert_int_eq(charsmap_new(blob, sizeof blob, &map, NULL), ERNIE_OK);
    return map;
}

START_TEST(test_a_charsmap_looks_only_where_its_strings_are)
{
    static const struct {
        uint32_t offset;
        const char *becomes; /* NULL: nothing else */
    } cases[] = { { 0, "xyz" }, { 1, "yz" },     { 3, "" },        { 4, "\xe4\xb8\xad" },
                  { 5, NULL },  { 7, "" },       { 8, NULL },      { 0x7fffffff, NULL } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct charsmap *map = map_a_to(cases[i].offset);
        size_t n = 99;
        const char *found = charsmap_find(map, "a", 1, &n);

        if (cases[i].becomes == NULL) {
            ck_assert_ptr_null(found);
        } else {
            ck_assert_ptr_nonnull(found);
            ck_assert_uint_eq(n, strlen(cases[i].becomes));
            ck_assert_int_eq(memcmp(found, cases[i].becomes, n), 0);
            ck_assert_ptr_eq(charsmap_find(map, "abc", 3, &n), found);
        }
        ck_assert_ptr_null(charsmap_find(map, "b", 1, &n));
        ck_assert_ptr_null(charsmap_find(map, "\xff", 1, &n));
        ck_assert_ptr_null(charsmap_find(map, "", 0, &n));
        charsmap_free(map);
    }
}
END_TEST

/* Full-width A, then e and an acute accent, which the charsmap makes one letter,
 * then nothing of a soft hyphen, then two letters of one ligature, then a byte
 * that is not UTF-8. */
START_TEST(test_each_byte_knows_where_it_comes_from)
{
    static const char text[] = "\xef\xbc\xa1" "e\xcc\x81" "\xc2\xad" "\xef\xac\x81" "\xff";
    static const char becomes[] = "A\xc3\xa9" "fi\xef\xbf\xbd";
    static const struct token_span spans[] = { { 0, 3 },  { 3, 6 },   { 3, 6 },   { 8, 11 },
                                               { 8, 11 }, { 11, 12 }, { 11, 12 }, { 11, 12 } };
    struct model model;
    struct normalized_text out = { 0 };

    open_model("rules", &model);
    ck_assert_int_eq(text_normalizer_apply(model.file.normalizer, text, sizeof text - 1, 1, &out,
                                           NULL),
                     ERNIE_OK);
    ck_assert_uint_eq(out.size, sizeof becomes - 1);
    ck_assert_int_eq(memcmp(out.text, becomes, out.size), 0);
    for (size_t i = 0; i < out.size; i++) {
        ck_assert_uint_eq(out.origin[i].start, spans[i].start);
        ck_assert_uint_eq(out.origin[i].end, spans[i].end);
    }
    normalized_text_reset(&out);
    close_model(&model);
}
END_TEST

/* A dot below (class 220) goes before an acute accent (230), however many there
 * are of both. */
START_TEST(test_many_marks_are_put_in_order)
{
    enum { N = 1000000 };
    char *text = malloc(4 * N);
    struct text_normalizer *normalizer;
    struct normalized_text out = { 0 };

    for (size_t i = 0; i < N; i++)
        memcpy(text + 4 * i, "\xcc\x81\xcc\xa3", 4);
    ck_assert_int_eq(text_normalizer_new(&normalizer, NULL), ERNIE_OK);
    ck_assert_int_eq(text_normalizer_add_form(normalizer, TEXT_NFC, NULL), ERNIE_OK);
    ck_assert_int_eq(text_normalizer_apply(normalizer, text, 4 * N, 0, &out, NULL), ERNIE_OK);
    ck_assert_uint_eq(out.size, 4 * N);
    for (size_t i = 0; i < N; i++) {
        ck_assert(memcmp(out.text + 2 * i, "\xcc\xa3", 2) == 0);
        ck_assert(memcmp(out.text + 2 * (N + i), "\xcc\x81", 2) == 0);
    }
    normalized_text_reset(&out);
    text_normalizer_free(normalizer);
    free(text);
}
END_TEST

/* What metaspace makes of text, its pre-tokens with a '|' between. */
static const char *cut(struct metaspace rules, const char *text, int at_start)
{
    static char out[256];
    struct normalized_text source = { .text = (char *)text, .size = strlen(text) };
    struct metaspace_walk walk = { 0 };
    size_t n = 0;
    int more;

    metaspace_begin(&walk, &rules, &source, at_start);
    while (metaspace_next(&walk, &more, NULL) == ERNIE_OK && more)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%.*s", n > 0 ? "|" : "", (int)walk.size,
                              walk.text);
    out[n] = '\0';
    metaspace_walk_reset(&walk);
    return out;
}

START_TEST(test_the_first_part_is_the_one_at_the_start)
{
    struct metaspace rules = { .replacement = "_", .replacement_size = 1, .split = 1,
                               .prepend = METASPACE_FIRST };

    ck_assert_str_eq(cut(rules, "a b", 1), "_a|_b");
    ck_assert_str_eq(cut(rules, "a b", 0), "a|_b");
    ck_assert_str_eq(cut(rules, " a", 1), "_a");
    ck_assert_str_eq(cut(rules, "_a_", 1), "_a|_");
    ck_assert_str_eq(cut(rules, "a  b", 1), "_a|_|_b");
    rules.whitespace_split = 1;
    ck_assert_str_eq(cut(rules, "a \t b", 1), "_a|b");
    rules.prepend = METASPACE_ALWAYS;
    ck_assert_str_eq(cut(rules, " a b_c\n", 0), "_a|_b|_c");
    rules.split = 0;
    ck_assert_str_eq(cut(rules, " a b_c\n", 0), "_a|_b_c");
    rules.replacement_size = 0;
    ck_assert_str_eq(cut(rules, " a b_c\n", 0), "a|b_c");
    rules.whitespace_split = 0;
    ck_assert_str_eq(cut(rules, " a b", 0), " a b");
    ck_assert_str_eq(cut(rules, "", 1), "");
}
END_TEST

/* Opens a model and reads a text, as far as the memory allows. */
static int open_and_read(const char *name)
{
    static const char text[] = "e\xcc\x81\xcc\xa3 \xef\xbc\xa1 aaaa  \xe4\xbd\xa0\xe5\xa5\xbd";
    struct model model = { 0 };
    struct token_span spans[64];
    int32_t ids[64];
    size_t n;
    int status = unigram_file_open(in(name, ".model"), &model.file, NULL);

    if (status == ERNIE_OK)
        status = unigram_new(model.file.n, model.file.piece, model.file.unk_id,
                             model.file.byte_fallback, &model.unigram, NULL);
    if (status == ERNIE_OK)
        status = unigram_scratch_new(&model.reader.scratch, NULL);
    if (status == ERNIE_OK)
        status = unigram_file_encode(&model.file, model.unigram, &model.reader, text,
                                     sizeof text - 1, ids, spans, 64, &n, NULL);
    close_model(&model);
    return status;
}

START_TEST(test_every_failed_allocation_is_reported)
{
    int status, k = 0;

    do {
        fail_allocations_from(k++);
        status = open_and_read(names[_i]);
        stop_failing();
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%d", status);
    } while (status != ERNIE_OK);
    ck_assert_int_gt(k, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unigram");
    TCase *reading = tcase_create("reading"), *faults = tcase_create("faults");

    suite_add_tcase(suite, reading);
    suite_add_tcase(suite, faults);
    tcase_add_loop_test(reading, test_ids_and_spans_are_those_of_the_reference, 0, N_NAMES);
    tcase_add_test(reading, test_a_long_word_is_cut_where_nothing_straddles);
    tcase_add_test(reading, test_one_letter_repeated_is_remembered_whole);
    tcase_add_test(reading, test_no_text_has_no_ids);
    tcase_add_test(reading, test_each_byte_knows_where_it_comes_from);
    tcase_add_test(reading, test_many_marks_are_put_in_order);
    tcase_add_test(reading, test_the_first_part_is_the_one_at_the_start);
    tcase_add_test(faults, test_bad_vocabularies_are_refused);
    tcase_add_test(faults, test_bad_charsmaps_are_refused);
    tcase_add_test(faults, test_a_charsmap_looks_only_where_its_strings_are);
    tcase_add_loop_test(faults, test_every_failed_allocation_is_reported, 0, N_NAMES);
    return run_suite(suite);
}
