/* Against Hugging Face's tokenizers. tests/data/tokenizer/README.md says what the
 * files hold and how the reference made them. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "model/model.h"
#include "model/normalize.h"
#include "model/tokenizer.h"
#include "model/vocab.h"
#include "suite.h"

#define N_SETTINGS    7
#define N_LINES       20480
#define N_BLOCK_LINES 512
#define SWEEP_BLOCK   0x2000

static const struct setting {
    const char *name;
    const char *vocab;
    int lower_case, strip_accents, chinese_words;
} settings[N_SETTINGS] = {
    { "model-lower", "models/ernie-micro-zh-en/vocab.txt", 1, 1, 1 },
    { "model-cased", "models/ernie-micro-zh-en/vocab.txt", 0, 0, 1 },
    { "small-lower", "tests/data/tokenizer/vocab_small.txt", 1, 1, 1 },
    { "small-cased", "tests/data/tokenizer/vocab_small.txt", 0, 0, 1 },
    { "small-lower-accents", "tests/data/tokenizer/vocab_small.txt", 1, 0, 1 },
    { "small-cased-strip", "tests/data/tokenizer/vocab_small.txt", 0, 1, 1 },
    { "small-lower-joined", "tests/data/tokenizer/vocab_small.txt", 1, 1, 0 },
};

static struct vocab *vocab[N_SETTINGS];
static struct tokenizer *tokenizer[N_SETTINGS];
static struct tokenizer_scratch *scratch;

static char *source_path(const char *name)
{
    const char *srcdir = getenv("srcdir");
    char *path = path_join(srcdir == NULL ? "." : srcdir, name);

    ck_assert_ptr_nonnull(path);
    return path;
}

static void open_all(void)
{
    ernie_error err = { 0 };

    for (size_t i = 0; i < N_SETTINGS; i++) {
        struct model_config config = { .do_lower_case = settings[i].lower_case,
                                       .strip_accents = settings[i].strip_accents,
                                       .tokenize_chinese_chars = settings[i].chinese_words };
        char *path = source_path(settings[i].vocab);

        ck_assert_msg(vocab_open(path, &vocab[i], &err) == ERNIE_OK, "%s", err.message);
        ck_assert_msg(tokenizer_new(vocab[i], &config, NULL, &tokenizer[i], &err) == ERNIE_OK, "%s",
                      err.message);
        memory_free(path);
    }
    ck_assert_int_eq(tokenizer_scratch_new(&scratch, &err), ERNIE_OK);
}

static void close_all(void)
{
    tokenizer_scratch_free(scratch);
    for (size_t i = 0; i < N_SETTINGS; i++) {
        tokenizer_free(tokenizer[i]);
        vocab_close(vocab[i]);
    }
}

/* A file of tests/data/tokenizer, opened. Lines that start with # are comments. */
static FILE *open_data(const char *name)
{
    char *directory = source_path("tests/data/tokenizer");
    char *path = path_join(directory, name);
    FILE *file = fopen(path, "r");

    ck_assert_msg(file != NULL, "%s cannot be read", path);
    memory_free(path);
    memory_free(directory);
    return file;
}

/* The next line that is no comment, without its line end; NULL at the end. */
static char *next_line(FILE *file, char **line, size_t *capacity)
{
    ssize_t n;

    do {
        n = getline(line, capacity, file);
        if (n < 0)
            return NULL;
        if (n > 0 && (*line)[n - 1] == '\n')
            (*line)[n - 1] = '\0';
    } while ((*line)[0] == '#' && (*line)[1] == ' ');
    return *line;
}

/* FNV-1a, 64 bits: short enough to be written again in the reference's script. */
#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static uint64_t hash_add(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_add_u32(uint64_t hash, uint32_t value)
{
    unsigned char bytes[4] = { (unsigned char)value, (unsigned char)(value >> 8),
                               (unsigned char)(value >> 16), (unsigned char)(value >> 24) };

    return hash_add(hash, bytes, sizeof bytes);
}

/* ---- the kept lines ---------------------------------------------------- */

/* Undoes \xHH in place and returns the size. */
static size_t unescape(char *text)
{
    size_t n = 0;

    for (const char *s = text; *s != '\0'; n++) {
        unsigned byte;

        if (*s == '\\') {
            ck_assert_int_eq(sscanf(s, "\\x%2x", &byte), 1);
            text[n] = (char)byte;
            s += 4;
        } else {
            text[n] = *s++;
        }
    }
    return n;
}

static void print_ids(struct buffer *out, const int32_t *ids, size_t n)
{
    buffer_clear(out);
    for (size_t i = 0; i < n; i++)
        buffer_printf(out, "%s%d", i > 0 ? " " : "", (int)ids[i]);
    buffer_append_char(out, '\0');
}

START_TEST(test_tricky_lines_have_the_references_ids)
{
    FILE *file = open_data("tricky.txt");
    char *line = NULL, *shown = NULL;
    size_t capacity = 0, n_lines = 0;
    struct buffer got = { 0 };

    while (next_line(file, &line, &capacity) != NULL) {
        char *field = line;
        char *text = strsep(&field, "\t");
        size_t size;

        shown = strdup(text);
        size = unescape(text);
        for (size_t i = 0; i < 3; i++) {
            const char *expected = strsep(&field, "\t");
            int32_t *ids = calloc(size * 4 + 1, sizeof *ids);
            size_t n = tokenizer_ids(tokenizer[i], scratch, text, size, ids, NULL, size * 4);

            ck_assert_ptr_nonnull(expected);
            print_ids(&got, ids, n);
            ck_assert_msg(strcmp(got.data, expected) == 0, "%s of \"%s\": %s, not %s",
                          settings[i].name, shown, got.data, expected);
            free(ids);
        }
        free(shown);
        n_lines++;
    }
    ck_assert_uint_ge(n_lines, 400);
    buffer_reset(&got);
    free(line);
    fclose(file);
}
END_TEST

/* ---- the generated lines ----------------------------------------------- */

struct ingredient {
    char kind[8];
    char what[64];
};

struct kitchen {
    uint64_t state;
    struct ingredient ingredient[512]; /* each as often as it weighs */
    size_t n_ingredients;
};

static uint32_t below(struct kitchen *kitchen, uint32_t n)
{
    /* Knuth's MMIX generator; the low bits of its state are no good. */
    kitchen->state = kitchen->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((kitchen->state >> 33) % n);
}

static void read_ingredients(struct kitchen *kitchen)
{
    FILE *file = open_data("ingredients.txt");
    char *line = NULL;
    size_t capacity = 0;

    while (next_line(file, &line, &capacity) != NULL) {
        struct ingredient ingredient = { { 0 }, { 0 } };
        unsigned weight;
        int n_read = 0;

        if (line[0] == '\0' || line[0] == '#')
            continue;
        ck_assert_int_eq(sscanf(line, "%u %7[a-z]%n", &weight, ingredient.kind, &n_read), 2);
        ck_assert_uint_lt(strlen(line + n_read + 1), sizeof ingredient.what);
        strcpy(ingredient.what, line + n_read + 1);
        for (; weight > 0; weight--) {
            ck_assert_uint_lt(kitchen->n_ingredients, 512);
            kitchen->ingredient[kitchen->n_ingredients++] = ingredient;
        }
    }
    free(line);
    fclose(file);
}

/* The same as make_line of make_tokenizer_reference.py. */
static void make_line(struct kitchen *kitchen, struct buffer *out)
{
    uint32_t n = 1 + below(kitchen, 24);

    buffer_clear(out);
    for (; n > 0; n--) {
        const struct ingredient *ingredient =
            &kitchen->ingredient[below(kitchen, (uint32_t)kitchen->n_ingredients)];
        const char *what = ingredient->what;

        if (strcmp(ingredient->kind, "range") == 0) {
            unsigned first, last;
            uint32_t n_characters = 1 + below(kitchen, 8);

            ck_assert_int_eq(sscanf(what, "%x %x", &first, &last), 2);
            for (; n_characters > 0; n_characters--) {
                char bytes[4];

                buffer_append(out, bytes,
                              utf8_encode(first + below(kitchen, last - first + 1), bytes));
            }
        } else if (strcmp(ingredient->kind, "text") == 0) {
            buffer_append_text(out, what);
        } else if (strcmp(ingredient->kind, "bytes") == 0) {
            unsigned byte;

            for (; sscanf(what, "%2x", &byte) == 1; what += what[2] == ' ' ? 3 : 2)
                buffer_append_char(out, (char)byte);
        } else {
            uint32_t n_times = 95 + below(kitchen, 12);

            ck_assert_str_eq(ingredient->kind, "long");
            for (; n_times > 0; n_times--)
                buffer_append_text(out, what);
        }
        if (below(kitchen, 3) == 0)
            buffer_append_char(out, ' ');
    }
    ck_assert(!out->failed);
}

START_TEST(test_generated_lines_have_the_references_ids)
{
    static struct kitchen kitchen;
    static int32_t ids[1 << 16];
    FILE *file = open_data("blocks.txt");
    char *row = NULL;
    size_t capacity = 0, n_blocks = 0;
    struct buffer line = { 0 };

    kitchen.state = 1;
    read_ingredients(&kitchen);
    for (; next_line(file, &row, &capacity) != NULL; n_blocks++) {
        uint64_t hash[N_SETTINGS];
        char *field = row;

        ck_assert_uint_eq(strtoul(strsep(&field, " "), NULL, 10), n_blocks * N_BLOCK_LINES);
        for (size_t i = 0; i < N_SETTINGS; i++)
            hash[i] = HASH_BEGIN;
        for (size_t j = 0; j < N_BLOCK_LINES; j++) {
            make_line(&kitchen, &line);
            for (size_t i = 0; i < N_SETTINGS; i++) {
                size_t n = tokenizer_ids(tokenizer[i], scratch, line.data, line.size, ids, NULL,
                                         1 << 16);

                hash[i] = hash_add_u32(hash[i], (uint32_t)n);
                for (size_t k = 0; k < n; k++)
                    hash[i] = hash_add_u32(hash[i], (uint32_t)ids[k]);
            }
        }
        for (size_t i = 0; i < N_SETTINGS; i++)
            ck_assert_msg(hash[i] == strtoull(strsep(&field, " "), NULL, 16),
                          "%s: lines %zu to %zu differ from the reference", settings[i].name,
                          n_blocks * N_BLOCK_LINES, (n_blocks + 1) * N_BLOCK_LINES - 1);
    }
    ck_assert_uint_eq(n_blocks * N_BLOCK_LINES, N_LINES);
    buffer_reset(&line);
    free(row);
    fclose(file);
}
END_TEST

/* Whether canonical ordering moves a mark of the text: spans differ from the reference's
 * then, which moves a mark and not where it came from. */
static int moves(const char *text, size_t size)
{
    static const struct normalization rules = { 1, 1, 1 };
    size_t n;

    for (size_t i = 0; i < size; i += n) {
        struct character part[NORMALIZE_MAX];
        size_t n_parts = normalize_character(&rules, utf8_decode(text + i, size - i, &n, NULL),
                                             part);

        for (size_t j = 0; j < n_parts; j++)
            if (part[j].combining_class > 0)
                return 1;
    }
    return 0;
}

static uint64_t hash_add_spans(uint64_t hash, const struct tokenizer *of, const char *text,
                               size_t size)
{
    static struct token_span spans[1 << 16];
    static int32_t ids[1 << 16];
    size_t n;

    if (moves(text, size))
        return hash;
    n = tokenizer_ids(of, scratch, text, size, ids, spans, 1 << 16);
    hash = hash_add_u32(hash, (uint32_t)n * 2);
    for (size_t i = 0; i < n; i++) {
        hash = hash_add_u32(hash, (uint32_t)spans[i].start);
        hash = hash_add_u32(hash, (uint32_t)spans[i].end);
    }
    return hash;
}

START_TEST(test_spans_are_the_references)
{
    static struct kitchen kitchen;
    FILE *file = open_data("spans.txt"), *tricky = open_data("tricky.txt");
    char *row = NULL, *text = NULL;
    size_t capacity = 0, text_capacity = 0, n_blocks = 0;
    struct buffer line = { 0 };

    kitchen.state = 1;
    read_ingredients(&kitchen);
    for (; next_line(file, &row, &capacity) != NULL; n_blocks++) {
        const int is_last = n_blocks == N_LINES / N_BLOCK_LINES;
        uint64_t hash[N_SETTINGS];
        char *field = row;

        ck_assert_uint_eq(strtoul(strsep(&field, " "), NULL, 10), n_blocks * N_BLOCK_LINES);
        for (size_t i = 0; i < N_SETTINGS; i++)
            hash[i] = HASH_BEGIN;
        for (size_t j = 0; j < N_BLOCK_LINES && !is_last; j++) {
            make_line(&kitchen, &line);
            for (size_t i = 0; i < N_SETTINGS; i++)
                hash[i] = hash_add_spans(hash[i], tokenizer[i], line.data, line.size);
        }
        while (is_last && next_line(tricky, &text, &text_capacity) != NULL) {
            char *end = text;
            size_t size;

            strsep(&end, "\t");
            size = unescape(text);
            for (size_t i = 0; i < N_SETTINGS; i++)
                hash[i] = hash_add_spans(hash[i], tokenizer[i], text, size);
        }
        for (size_t i = 0; i < N_SETTINGS; i++)
            ck_assert_msg(hash[i] == strtoull(strsep(&field, " "), NULL, 16),
                          "%s: the spans of block %zu differ from the reference", settings[i].name,
                          n_blocks);
    }
    ck_assert_uint_eq(n_blocks, N_LINES / N_BLOCK_LINES + 1);
    buffer_reset(&line);
    free(text);
    free(row);
    fclose(tricky);
    fclose(file);
}
END_TEST

/* Words of the small vocabulary, most of them one character, between two marks that
 * NFD moves and stripping leaves (classes 9, 216, 224) or that stops them (U+034F). */
START_TEST(test_marks_take_the_references_order)
{
    static const char *const marks[] = { "\xe1\xad\x84", "\xf0\x9d\x85\xa5", "\xe3\x80\xaf",
                                         "\xcd\x8f" };
    FILE *file = open_data("order.txt");
    char *row = NULL;
    size_t capacity = 0, n_rows = 0;
    struct buffer line = { 0 };

    for (; next_line(file, &row, &capacity) != NULL; n_rows++) {
        char *field = row;
        const char *name = strsep(&field, " ");
        uint64_t hash = HASH_BEGIN;
        size_t s = 0;

        while (s < N_SETTINGS && strcmp(settings[s].name, name) != 0)
            s++;
        ck_assert_uint_lt(s, N_SETTINGS);
        for (size_t i = 0; i < vocab_size(vocab[s]) * 16; i++) {
            int32_t ids[256];
            size_t n;

            buffer_clear(&line);
            buffer_append_char(&line, 'a');
            buffer_append_text(&line, marks[i / 4 % 4]);
            buffer_append_text(&line, vocab_word(vocab[s], (int32_t)(i / 16)));
            buffer_append_text(&line, marks[i % 4]);
            n = tokenizer_ids(tokenizer[s], scratch, line.data, line.size, ids, NULL, 256);
            hash = hash_add_u32(hash, (uint32_t)n);
            for (size_t k = 0; k < n; k++)
                hash = hash_add_u32(hash, (uint32_t)ids[k]);
        }
        ck_assert_msg(hash == strtoull(field, NULL, 16), "%s differs from the reference", name);
    }
    ck_assert_uint_eq(n_rows, 5);
    buffer_reset(&line);
    free(row);
    fclose(file);
}
END_TEST

/* ---- all of Unicode ---------------------------------------------------- */

/* The words of a text, a line break between them and a 0 byte after them. One
 * character at a time: nothing in the texts of the sweep changes places. */
static void append_words(struct buffer *out, const struct normalization *rules,
                         const uint32_t *text, size_t size)
{
    size_t start = out->size;
    int in_word = 0;

    for (size_t i = 0; i < size; i++) {
        struct character part[NORMALIZE_MAX];
        size_t n = normalize_character(rules, text[i], part);

        for (size_t j = 0; j < n; j++) {
            char bytes[4];

            if (part[j].kind == CHARACTER_SPACE)
                in_word = 0;
            if (part[j].kind == CHARACTER_SPACE || part[j].kind == CHARACTER_BARRIER)
                continue;
            if (out->size > start && (!in_word || part[j].kind == CHARACTER_ALONE))
                buffer_append_char(out, '\n');
            buffer_append(out, bytes, utf8_encode(part[j].code_point, bytes));
            in_word = part[j].kind == CHARACTER_PART;
        }
    }
    buffer_append_char(out, '\0');
}

START_TEST(test_every_code_point_becomes_what_the_reference_makes_of_it)
{
    static const struct normalization rules[] = {
        { 0, 0, 0 }, { 1, 1, 1 }, { 1, 0, 1 }, { 0, 1, 0 }
    };
    FILE *file = open_data("sweep.txt");
    char *row = NULL;
    size_t capacity = 0;
    uint32_t first = 0;
    struct buffer words = { 0 };

    for (; next_line(file, &row, &capacity) != NULL; first += SWEEP_BLOCK) {
        char *field = row;

        ck_assert_uint_eq(strtoul(strsep(&field, " "), NULL, 16), first);
        for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
            uint64_t hash = HASH_BEGIN;

            for (uint32_t c = first; c < first + SWEEP_BLOCK; c++) {
                const uint32_t text[] = { 'a', c, 'b' };

                if (c >= 0xd800 && c <= 0xdfff)
                    continue;
                buffer_clear(&words);
                append_words(&words, &rules[i], text + 1, 1);
                append_words(&words, &rules[i], text, 3);
                hash = hash_add(hash, words.data, words.size);
            }
            ck_assert_msg(hash == strtoull(strsep(&field, " "), NULL, 16),
                          "rules %d%d%d: a code point from U+%04X to U+%04X differs",
                          rules[i].lower_case, rules[i].strip_accents, rules[i].chinese_words,
                          first, first + SWEEP_BLOCK - 1);
        }
    }
    ck_assert_uint_eq(first, 0x110000);
    buffer_reset(&words);
    free(row);
    fclose(file);
}
END_TEST

/* ---- limits ------------------------------------------------------------ */

/* What is asked for less is the beginning of what is asked for more. */
START_TEST(test_fewer_ids_are_a_prefix)
{
    static struct kitchen kitchen;
    static struct token_span all_spans[1 << 14], some_spans[1 << 14];
    static int32_t all[1 << 14], some[1 << 14];
    struct buffer line = { 0 };

    kitchen.state = 2;
    read_ingredients(&kitchen);
    for (size_t i = 0; i < 300; i++) {
        size_t n;

        make_line(&kitchen, &line);
        n = tokenizer_ids(tokenizer[0], scratch, line.data, line.size, all, all_spans,
                          1 << 14);
        ck_assert_uint_eq(tokenizer_count(tokenizer[0], scratch, line.data, line.size), n);
        for (size_t max = 0; max <= n + 1; max++) {
            size_t expected = max < n ? max : n;

            memset(some, 0x55, sizeof *some * (max + 1));
            ck_assert_uint_eq(
                tokenizer_ids(tokenizer[0], scratch, line.data, line.size, some, NULL, max), expected);
            ck_assert_mem_eq(some, all, expected * sizeof *some);
            ck_assert_uint_eq(tokenizer_ids(tokenizer[0], scratch, line.data, line.size, some,
                                            some_spans, max), expected);
            ck_assert_mem_eq(some, all, expected * sizeof *some);
            ck_assert_mem_eq(some_spans, all_spans, expected * sizeof *some_spans);
            ck_assert_int_eq(some[expected], 0x55555555);
        }
    }
    buffer_reset(&line);
}
END_TEST

/* The text ends where a page begins that may not be read, and claims to be longer:
 * one byte too many ends the test. */
START_TEST(test_reading_stops_at_max_ids)
{
    static const struct {
        const char *unit;
        size_t n_units, max_ids;
    } cases[] = {
        { "!", 4, 4 }, { "中", 4, 4 }, { "a", 101, 1 }, { "é", 101, 1 }, { "a ", 7, 7 },
    };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int32_t ids[8];

    ck_assert_ptr_ne(pages, MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + page, page, PROT_NONE), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = strlen(cases[i].unit);
        char *text = pages + page - n * cases[i].n_units;

        for (size_t j = 0; j < cases[i].n_units; j++)
            memcpy(text + j * n, cases[i].unit, n);
        ck_assert_uint_eq(
            tokenizer_ids(tokenizer[0], scratch, text, 1 << 30, ids, NULL, cases[i].max_ids),
            cases[i].max_ids);
    }
    munmap(pages, 2 * page);
}
END_TEST

START_TEST(test_a_word_of_32_mb_is_one_unknown)
{
    static const char *const letters[] = {
        "a", "é", "각", "\xcc\x81", "\xe3\x80\xae", "\xe2\x80\x8b",
    };

    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        size_t n = strlen(letters[i]), size = (32 << 20) / n * n;
        char *text = malloc(size);
        int32_t id = -1;
        size_t n_ids;

        for (size_t j = 0; j < size; j += n)
            memcpy(text + j, letters[i], n);
        n_ids = tokenizer_ids(tokenizer[0], scratch, text, size, &id, NULL, 1);
        /* Accents and zero-width characters leave nothing. */
        ck_assert_uint_eq(n_ids, i == 3 || i == 5 ? 0 : 1);
        if (n_ids == 1)
            ck_assert_int_eq(id, vocab_find(vocab[0], "[UNK]", 5, 0));
        ck_assert_uint_eq(tokenizer_count(tokenizer[0], scratch, text, size), n_ids);
        free(text);
    }
}
END_TEST

/* ---- special tokens ---------------------------------------------------- */

static struct vocab *vocab_of(const char *words)
{
    struct vocab *opened = NULL;
    ernie_error err = { 0 };
    char path[] = "check_tokenizer-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    ck_assert_ptr_nonnull(file);
    fputs(words, file);
    fclose(file);
    ck_assert_msg(vocab_open(path, &opened, &err) == ERNIE_OK, "%s", err.message);
    remove(path);
    return opened;
}

START_TEST(test_special_tokens_can_have_other_names)
{
    struct model_config config = { .do_lower_case = 1, .special_tokens = { [SPECIAL_UNK] = "<unk>",
                                   [SPECIAL_CLS] = "<s>", [SPECIAL_SEP] = "<s>>",
                                   [SPECIAL_MASK] = "🎭" } };
    struct vocab *words = vocab_of("<s>\n<s>>\n<unk>\na\n[MASK]\n🎭\n>\n");
    struct tokenizer *named = NULL;
    /* BERT's own [MASK] is no special token here; of <s> and <s>>, which begin at
     * the same place, the longer one counts. Brackets are not in the vocabulary. */
    static const char text[] = "a<s>a<s>>>🎭[MASK]";
    static const int32_t expected[] = { 3, 0, 3, 1, 6, 5, 2, 2, 2 };
    int32_t ids[16];

    ck_assert_int_eq(tokenizer_new(words, &config, NULL, &named, NULL), ERNIE_OK);
    ck_assert_int_eq(tokenizer_frame(named, 0)->part[0].id, 0);
    ck_assert_int_eq(tokenizer_frame(named, 0)->part[2].id, 1);
    ck_assert_uint_eq(tokenizer_ids(named, scratch, text, strlen(text), ids, NULL, 16), 9);
    ck_assert_mem_eq(ids, expected, sizeof expected);
    tokenizer_free(named);
    vocab_close(words);
}
END_TEST

START_TEST(test_a_missing_special_token_is_named)
{
    static const struct {
        const char *words, *missing;
    } cases[] = { { "[UNK]\n[CLS]\n", "[SEP]" },
                  { "[UNK]\n[SEP]\n", "[CLS]" },
                  { "[CLS]\n[SEP]\n", "[UNK]" },
                  { "a\n", "[UNK]" } };
    struct model_config config = { .do_lower_case = 1 };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vocab *words = vocab_of(cases[i].words);
        struct tokenizer *none = NULL;
        ernie_error err = { 0 };

        ck_assert_int_eq(tokenizer_new(words, &config, NULL, &none, &err), ERNIE_EFORMAT);
        ck_assert_ptr_null(none);
        ck_assert_ptr_nonnull(strstr(err.message, cases[i].missing));
        vocab_close(words);
    }
}
END_TEST

/* The flags of added tokens, all mixed, in a directory without vocab.txt. */
START_TEST(test_added_tokens_are_found_where_the_reference_finds_them)
{
    struct model_config config = { .vocab_size = 4000, .max_tokens = 512 };
    char *directory = source_path("tests/data/tokenizer/added"), *line = NULL;
    FILE *file = open_data("added/lines.txt");
    struct tokenizer *with_added = NULL;
    struct vocab *words = NULL;
    struct buffer got = { 0 };
    size_t capacity = 0, n_lines = 0;
    struct hash hash;
    ernie_error err = { 0 };

    ck_assert_msg(tokenizer_open(directory, &config, &words, &hash, &with_added, &err) == ERNIE_OK,
                  "%s", err.message);
    for (; next_line(file, &line, &capacity) != NULL; n_lines++) {
        struct token_span spans[512];
        int32_t ids[512];
        char *field = line;
        char *text = strsep(&field, "\t");
        const size_t size = unescape(text);
        const size_t n = tokenizer_ids(with_added, scratch, text, size, ids, spans, 512);

        ck_assert_uint_eq(tokenizer_count(with_added, scratch, text, size), n);
        buffer_clear(&got);
        for (size_t i = 0; i < n; i++)
            buffer_printf(&got, "%s%d:%zu:%zu", i > 0 ? " " : "", (int)ids[i], spans[i].start,
                          spans[i].end);
        ck_assert_msg(strcmp(n > 0 ? got.data : "", field) == 0, "line %zu: %s, not %s", n_lines,
                      got.data, field);
    }
    ck_assert_uint_eq(n_lines, 400);
    buffer_reset(&got);
    tokenizer_free(with_added);
    vocab_close(words);
    memory_free(directory);
    free(line);
    fclose(file);
}
END_TEST

/* ---- ernie_tokenize ---------------------------------------------------- */

START_TEST(test_truncation_keeps_what_the_reference_keeps)
{
    struct ernie_model model = { .vocab = vocab[0], .tokenizer = tokenizer[0] };
    FILE *file = open_data("truncation.txt");
    char *row = NULL;
    size_t capacity = 0, n_rows = 0;

    for (; next_line(file, &row, &capacity) != NULL; n_rows++) {
        int n_text, n_pair, max, kept_text, kept_pair;
        char text[64] = "", pair[64] = "";
        struct ernie_tokens tokens = { 0 };
        ernie_error err = { 0 };
        size_t n_types = 0;

        ck_assert_int_eq(
            sscanf(row, "%d %d %d %d %d", &n_text, &n_pair, &max, &kept_text, &kept_pair), 5);
        for (int i = 0; i < n_text; i++)
            strcat(text, "中");
        for (int i = 0; i < n_pair; i++)
            strcat(pair, "文");
        ck_assert_msg(ernie_tokenize(&model, text, n_pair < 0 ? NULL : pair, (size_t)max, &tokens,
                                     &err) == ERNIE_OK, "%s", err.message);
        ck_assert_msg(tokens.n == (size_t)(kept_text + 2 + kept_pair + 1), "%s: %zu tokens", row,
                      tokens.n);
        for (size_t i = 0; i < tokens.n; i++) {
            int second = i >= (size_t)kept_text + 2;
            const char *word = ernie_token(&model, tokens.input_ids[i]);
            const char *expected = i == 0 ? "[CLS]"
                                   : i == (size_t)kept_text + 1 || i + 1 == tokens.n ? "[SEP]"
                                   : second ? "文" : "中";

            ck_assert_str_eq(word, expected);
            ck_assert_int_eq(tokens.token_type_ids[i], second);
            ck_assert_int_eq(tokens.attention_mask[i], 1);
            n_types += (size_t)second;
        }
        ck_assert_uint_eq(n_types, (size_t)(kept_pair + 1));
        ernie_tokens_reset(&tokens);
        ck_assert_uint_eq(tokens.n, 0);
    }
    ck_assert_uint_gt(n_rows, 500);
    free(row);
    fclose(file);
}
END_TEST

START_TEST(test_tokens_say_where_they_come_from)
{
    struct ernie_model model = { .vocab = vocab[0], .tokenizer = tokenizer[0] };
    struct ernie_tokens tokens = { 0 };
    const size_t start[] = { 0, 0, 3, 0, 1, 4, 0 }, end[] = { 0, 3, 6, 0, 2, 5, 0 };

    /* An accent at a word's end is in no span: 2, not 4. */
    ck_assert_int_eq(ernie_tokenize(&model, "中文", " e\xcc\x81!", 0, &tokens, NULL), ERNIE_OK);
    ck_assert_uint_eq(tokens.n, 7);
    ck_assert_mem_eq(tokens.start, start, sizeof start);
    ck_assert_mem_eq(tokens.end, end, sizeof end);
    ernie_tokens_reset(&tokens);
}
END_TEST

START_TEST(test_no_limit_keeps_all)
{
    struct ernie_model model = { .vocab = vocab[0], .tokenizer = tokenizer[0] };
    struct ernie_tokens tokens = { 0 };
    char text[3 * 3000 + 1] = "";

    for (size_t i = 0; i < 3000; i++)
        memcpy(text + 3 * i, "中", 4);
    ck_assert_int_eq(ernie_tokenize(&model, text, NULL, 0, &tokens, NULL), ERNIE_OK);
    ck_assert_uint_eq(tokens.n, 3002);
    ernie_tokens_reset(&tokens);
    ck_assert_int_eq(ernie_tokenize(&model, text, text, SIZE_MAX, &tokens, NULL), ERNIE_OK);
    ck_assert_uint_eq(tokens.n, 6003);
    ernie_tokens_reset(&tokens);
}
END_TEST

START_TEST(test_too_small_a_limit_is_refused)
{
    struct ernie_model model = { .vocab = vocab[0], .tokenizer = tokenizer[0] };
    struct ernie_tokens tokens = { 0 };
    ernie_error err = { 0 };

    ck_assert_int_eq(ernie_tokenize(&model, "a", NULL, 1, &tokens, &err), ERNIE_EINVAL);
    ck_assert_int_eq(ernie_tokenize(&model, "a", "b", 2, &tokens, &err), ERNIE_EINVAL);
    ck_assert_int_eq(ernie_tokenize(&model, NULL, NULL, 0, &tokens, &err), ERNIE_EINVAL);
    ck_assert_ptr_null(tokens.input_ids);
    ck_assert_ptr_null(ernie_token(&model, -1));
    ck_assert_ptr_null(ernie_token(&model, (int32_t)vocab_size(vocab[0])));
}
END_TEST

/* ---- memory ------------------------------------------------------------ */

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
    struct ernie_model model = { .vocab = vocab[0], .tokenizer = tokenizer[0] };
    int status = ERNIE_ENOMEM;
    size_t n_failures = 0;

    memory_table.resize = fail_later;
    for (; status != ERNIE_OK; n_failures++) {
        struct ernie_tokens tokens = { 0 };
        ernie_error err = { 0 };

        n_left = n_failures;
        status = ernie_tokenize(&model, "深度学习", "AI", 0, &tokens, &err);
        if (status != ERNIE_OK) {
            ck_assert_int_eq(status, ERNIE_ENOMEM);
            ck_assert_str_eq(err.message + strlen(err.message) - 13, "out of memory");
            ck_assert_ptr_null(tokens.input_ids);
        }
        ernie_tokens_reset(&tokens);
    }
    memory_table = usual;
    ck_assert_uint_eq(n_failures, 11); /* scratch of four blocks, five arrays, spans, and then none */
}
END_TEST

static TCase *tcase(Suite *suite, const char *name)
{
    TCase *test_case = tcase_create(name);

    tcase_add_unchecked_fixture(test_case, open_all, close_all);
    tcase_set_timeout(test_case, 120);
    suite_add_tcase(suite, test_case);
    return test_case;
}

int main(void)
{
    Suite *suite = suite_create("tokenizer");
    TCase *ids = tcase(suite, "ids"), *limits = tcase(suite, "limits");
    TCase *special = tcase(suite, "special"), *tokenize = tcase(suite, "tokenize");

    tcase_add_test(ids, test_tricky_lines_have_the_references_ids);
    tcase_add_test(ids, test_generated_lines_have_the_references_ids);
    tcase_add_test(ids, test_spans_are_the_references);
    tcase_add_test(ids, test_marks_take_the_references_order);
    tcase_add_test(ids, test_every_code_point_becomes_what_the_reference_makes_of_it);
    tcase_add_test(limits, test_fewer_ids_are_a_prefix);
    tcase_add_test(limits, test_reading_stops_at_max_ids);
    tcase_add_test(limits, test_a_word_of_32_mb_is_one_unknown);
    tcase_add_test(special, test_special_tokens_can_have_other_names);
    tcase_add_test(special, test_a_missing_special_token_is_named);
    tcase_add_test(special, test_added_tokens_are_found_where_the_reference_finds_them);
    tcase_add_test(tokenize, test_truncation_keeps_what_the_reference_keeps);
    tcase_add_test(tokenize, test_tokens_say_where_they_come_from);
    tcase_add_test(tokenize, test_no_limit_keeps_all);
    tcase_add_test(tokenize, test_too_small_a_limit_is_refused);
    tcase_add_test(tokenize, test_every_failed_allocation_is_reported);
    return run_suite(suite);
}
