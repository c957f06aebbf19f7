/* Texts made to take long: a megabyte without a space, of marks, of brackets, of anything
 * that opens and never closes. Twice as much of it takes twice the work, in every stage
 * from a file's bytes to chunks and tokens. */
#include <check.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "document/chunk.h"
#include "document/extract.h"
#include "ernie.h"
#include "model/model.h"
#include "suite.h"

/* Bytes of the shorter of the two texts; the longer has twice as many. */
#define SIZE 100000
/* Of work for twice the text: 2 and what a clock may err by. Quadratic work has 4. */
#define MAX_RATIO 3.5
#define MAX_DIM 512
/* So little work that it says nothing: what is done once, whatever the text. */
#define LITTLE (20 * (double)SIZE)

static ernie_model *model, *unigram; /* whose words are WordPiece's, and SentencePiece's */
static struct tokenizer_scratch *scratch;

/* ---- counting work ---- */

static int counter = -1; /* of the instructions of this thread; -1: time is taken */

static void open_counter(void)
{
    struct perf_event_attr what = { .type = PERF_TYPE_HARDWARE, .size = sizeof what,
                                    .config = PERF_COUNT_HW_INSTRUCTIONS, .exclude_kernel = 1,
                                    .exclude_hv = 1 };
    uint64_t n = 0;

    counter = (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, 0);
    if (counter >= 0 && (read(counter, &n, sizeof n) != sizeof n || n == 0)) {
        close(counter);
        counter = -1;
    }
}

/* Instructions, or nanoseconds of this thread's time, of which there are about as many. */
static double work_done(void)
{
    struct timespec now;
    uint64_t n;

    if (counter >= 0 && read(counter, &n, sizeof n) == sizeof n)
        return (double)n;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- stages ---- */

static size_t count_tokens(void *data, const char *text, size_t size)
{
    (void)data;
    return tokenizer_count(model->tokenizer, scratch, text, size);
}

/* A file to chunks, each with its line, as `ernie index` does it. */
static void read_document(const char *name, const struct buffer *bytes)
{
    struct extract document = { 0 };
    struct chunk_list chunks = { 0 };
    size_t n_lines = 0;
    ernie_error err;

    if (extract(name, (const uint8_t *)bytes->data, bytes->size, &document, &err) == ERNIE_OK) {
        ck_assert_int_eq(chunk_text(document.text.data, document.text.size, NULL, 128,
                                    count_tokens, NULL, &chunks, &err),
                         ERNIE_OK);
        for (size_t i = 0; i < chunks.n; i++)
            n_lines += extract_line(&document, chunks.chunk[i].start);
    }
    ck_assert(n_lines > 0 || chunks.n == 0);
    chunk_list_reset(&chunks);
    extract_reset(&document);
}

static void read_text(const struct buffer *bytes) { read_document("a.txt", bytes); }
static void read_markdown(const struct buffer *bytes) { read_document("a.md", bytes); }
static void read_html(const struct buffer *bytes) { read_document("a.html", bytes); }

static void tokenize_by(const ernie_model *by, const struct buffer *bytes)
{
    struct ernie_tokens tokens;

    ck_assert_int_eq(ernie_tokenize(by, bytes->data, NULL, 0, &tokens, NULL), ERNIE_OK);
    ernie_tokens_reset(&tokens);
}

static void tokenize(const struct buffer *bytes) { tokenize_by(model, bytes); }
static void tokenize_unigram(const struct buffer *bytes) { tokenize_by(unigram, bytes); }

static const struct stage {
    const char *name;
    void (*run)(const struct buffer *bytes);
} stages[] = { { "Markdown", read_markdown }, { "HTML", read_html }, { "text", read_text },
               { "tokens", tokenize }, { "Unigram's tokens", tokenize_unigram } };
#define N_MARKUP_STAGES 2
#define N_STAGES (sizeof stages / sizeof *stages)

/* ---- texts ---- */

struct text {
    const char *begin, *unit, *end; /* said once, over and over, and once again */
};

static const struct text texts[] = {
    { "", "x", "" }, { "", "\xe4\xba\xba", "" }, { "", " ", "x" }, { "x", " ", "x" },
    { "", "\n", "x" }, { "", "a\n", "" }, { "", "a \n", "" }, { "", "a  \n", "" },
    { "", "\r", "x" }, { "", "\t", "x" }, { "a", "\xcc\x81", "" }, { "", "a\xcc\x81", "" },
    { "", "\xe2\x80\x8d", "" }, { "", "\xcc\x95\xcc\x80", "" }, { "", "\xef\xb7\xba", "" },
    { "", "\xff", "" }, { "", "a\xe4\xba", "" },
    { "aaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\1", "" }, { "", ".", "" },
    { "", "a. ", "" }, { "", "a! ", "" }, { "", "a.", "" }, { "", "1.", "" }, { "", "1. ", "" },
    { "", "A. a ", "" }, { "", "a.   a", "" }, { "", "\xe3\x80\x82", "" },
    { "", "\xe2\x80\xa6", "" }, { "", ".\"", "" }, { "", ",", "" }, { "", "a,", "" },
    { "", "a-", "" }, { "", "e.g. ", "" }, { "", "a... a ", "" },
    { "", "a b c d e f g h i j k l m n o p q r s t u\n", "" }, { "", "[MASK]", "" },
    { "", "[MASK", "" }, { "", "##a", "" }, { "", "<", "" }, { "", "[", "" }, { "", "`", "" },
    { "", "&", "" },
};
#define N_TEXTS (sizeof texts / sizeof *texts)

/* What means something in Markdown or HTML alone. */
static const struct text markups[] = {
    { "", "<", "" }, { "", "<a", "" }, { "", "<a ", "" }, { "", "<a b='", "" },
    { "", "<a b=\"", "" }, { "", "</", "" }, { "", "</a", "" }, { "", "<!", "" },
    { "", "<!--", "" }, { "", "<!-- -", "" }, { "", "<?", "" }, { "", "<![CDATA[", "" },
    { "", "<div>", "" }, { "", "<div>a", "" }, { "", "<ul><li>", "" }, { "", "<pre>", "" },
    { "", "<pre>\n\n", "a" }, { "", "<script>", "" }, { "", "<title>", "" },
    { "", "<title></title>", "" }, { "", "<nav>", "" }, { "", "<nav></nav>", "" },
    { "", "<svg>a", "" }, { "", "<h1>", "" }, { "", "<td>", "" }, { "", "<br>", "a" },
    { "", "<p>", "a" }, { "", "<style></styl", "" }, { "", "<a class=\"b ", "" },
    { "<pre>", "\n", "</pre>a" }, { "", "&", "" }, { "", "&a", "" }, { "", "&#", "" },
    { "", "&#1", "" }, { "&#", "1", "" }, { "", "&amp", "" }, { "", "&amp;", "" },
    { "", "&#x41;", "" }, { "", "[", "" }, { "", "[a", "" }, { "", "[a](", "" },
    { "", "[a](b", "" }, { "", "[a](<b", "" }, { "", "[a][", "" }, { "", "![", "" },
    { "", "![[]()", "" }, { "", "]", "" }, { "", "[]", "" }, { "", "[a]: b\n", "" },
    { "", "[a]: b\n\n[a]\n\n", "" }, { "", "[a]:\n\n", "" }, { "", "[a]", "\n\n[a]: b\n" },
    { "", "](", "" }, { "", "[[a]](b)", "" }, { "[", "a", "](b)" }, { "[a](", "(", "" },
    { "[a](b \"", "c", "" }, { "", "`", "" }, { "", "`a", "" }, { "", "``a`", "" },
    { "", "```\n", "" }, { "", "~~~\na\n", "" }, { "", "`` ` ", "" }, { "", "~", "" },
    { "", "~~a", "" }, { "", "~a~~", "" }, { "", "*", "" }, { "", "*a", "" }, { "", "**a", "" },
    { "", "*a **b ", "" }, { "", "_", "" }, { "", "a_", "" }, { "", "*a_ ", "" },
    { "", "***a", "" }, { "", "a**b_c* ", "" }, { "", ">", "a" }, { "", "> ", "a" },
    { "", "> a\n", "" }, { "", ">\n", "a" }, { "", "- ", "a" }, { "", "- a\n", "" },
    { "", "-\n", "" }, { "", "* ", "a" }, { "", "1) ", "a" }, { "", "1) a\n", "" },
    { "", "- > ", "a" }, { "", "+", "" }, { "", "#", "" }, { "", "# ", "" },
    { "", "# a\n", "" }, { "", "=\n", "" }, { "", "a\n=\n", "" }, { "", "---\n", "" },
    { "---\n", "title: a\n", "---\n" }, { "---\n", "a\n", "" }, { "", "|", "" },
    { "", "|a", "" }, { "", "|-|\n", "" }, { "|a|\n|-|\n", "|a|\n", "" }, { "", "|-", "" },
    { "a|b\n-|-\n", "|\n", "" }, { "", "\\", "" }, { "", "\\\n", "" }, { "", "\\[", "" },
    { "", "    a\n", "" }, { "", "    \n", "a" }, { "", "\ta\n\n", "" },
    { "", "- [ ] a\n", "" }, { "", "<a@b>", "" }, { "", "<http://a", "" }, { "", "(", "" },
    { "", "$", "" }, { "", "a\x1b[1m", "" }, { "", "{", "" }, { "", "\"", "" },
    { "", "\xc2\xa0", "a" },
};
#define N_MARKUPS (sizeof markups / sizeof *markups)

static void make_text(const struct text *text, size_t size, struct buffer *out)
{
    buffer_clear(out);
    buffer_append_text(out, text->begin);
    while (out->size < size)
        buffer_append_text(out, text->unit);
    buffer_append_text(out, text->end);
    ck_assert(!out->failed);
}

static double work_of(const struct stage *stage, const struct buffer *text)
{
    const double start = work_done();

    stage->run(text);
    return work_done() - start;
}

/* How often the work grows, the least of a few runs: others are at work on the machine. */
static double growth(const struct stage *stage, const struct buffer *once, const struct buffer *twice)
{
    double least[2] = { HUGE_VAL, HUGE_VAL };

    for (int i = 0; i < 8; i++) {
        const double work[2] = { work_of(stage, once), work_of(stage, twice) };

        for (int j = 0; j < 2; j++)
            least[j] = work[j] < least[j] ? work[j] : least[j];
        if (least[1] < MAX_RATIO * least[0] || least[1] < LITTLE)
            break;
    }
    return least[1] < LITTLE ? 0 : least[1] / least[0];
}

static void check_growth(size_t n, const struct text *list, size_t size, size_t first_stage,
                         size_t end_stage)
{
    struct buffer once = { 0 }, twice = { 0 };
    size_t n_wrong = 0;

    for (size_t i = 0; i < n; i++) {
        make_text(&list[i], size, &once);
        make_text(&list[i], 2 * size, &twice);
        for (size_t j = first_stage; j < end_stage; j++) {
            const double ratio = growth(&stages[j], &once, &twice);

            if (ratio < MAX_RATIO)
                continue;
            n_wrong++;
            printf("%s of %s%s%s: %.2f times the work\n", stages[j].name, list[i].begin, list[i].unit,
                   list[i].end, ratio);
            fflush(stdout);
        }
    }
    buffer_reset(&once);
    buffer_reset(&twice);
    ck_assert_msg(n_wrong == 0, "%zu texts, named above", n_wrong);
}

START_TEST(test_twice_the_text_is_twice_the_work)
{
    check_growth(N_TEXTS, texts, SIZE, 0, N_STAGES);
}
END_TEST

START_TEST(test_twice_the_markup_is_twice_the_work)
{
    check_growth(N_MARKUPS, markups, SIZE, 0, N_MARKUP_STAGES);
}
END_TEST

START_TEST(test_ten_megabytes_and_a_word_of_one_are_no_different)
{
    const struct text word = { "", "x", "" };
    const struct text text = { "", "the cat, \xe4\xba\xba\xe5\xb7\xa5\xe3\x80\x82", "" };

    check_growth(1, &word, 500000, N_MARKUP_STAGES, N_STAGES);
    check_growth(1, &text, 5000000, N_MARKUP_STAGES, N_STAGES);
}
END_TEST

/* Lists as deep as half of it, and then blank lines, of which each would be looked at for
 * each list. */
START_TEST(test_deep_lists_end_soon)
{
    const struct text deep = { "", "- ", "a" }, blank = { "", "\n", "a" };
    struct buffer lists = { 0 }, lines = { 0 };
    double start;

    make_text(&deep, 1000000, &lists);
    make_text(&blank, 1000000, &lines);
    buffer_append(&lists, lines.data, lines.size);
    start = work_done();
    read_markdown(&lists);
    ck_assert(work_done() - start < 3e9);
    buffer_reset(&lists);
    buffer_reset(&lines);
}
END_TEST

/* The encoder reads as much as it can take in, and no more. */
START_TEST(test_ten_megabytes_are_encoded_as_fast_as_ten_kilobytes)
{
    struct buffer text = { 0 };
    double work[2] = { HUGE_VAL, HUGE_VAL };
    ernie_encoder *encoder;
    float out[MAX_DIM];

    ck_assert_int_eq(ernie_encoder_new(model, 1, &encoder, NULL), ERNIE_OK);
    for (int round = 0; round < 6; round++) {
        const struct text unit = { "", round % 2 == 0 ? "a " : "\xe4\xba\xba", "" };

        for (int i = 0; i < 2; i++) {
            const char *begin;
            double start, now;

            make_text(&unit, i == 0 ? 10000 : 10000000, &text);
            begin = text.data;
            start = work_done();
            ck_assert_int_eq(ernie_encode(encoder, 1, &begin, out, NULL), ERNIE_OK);
            now = work_done() - start;
            work[i] = now < work[i] ? now : work[i];
        }
    }
    /* strlen looks at all of it, some 30 bytes an instruction or nanosecond. */
    ck_assert_msg(work[1] < 2 * work[0] + 10e6, "%.0f and %.0f", work[0], work[1]);
    ernie_encoder_free(encoder);
    buffer_reset(&text);
}
END_TEST

static void open_one(const char *name, ernie_model **out)
{
    const char *srcdir = getenv("srcdir");
    ernie_error err;
    char path[512];

    snprintf(path, sizeof path, "%s/tests/data/encoder/%s", srcdir != NULL ? srcdir : ".", name);
    ck_assert_msg(ernie_model_open(path, out, &err) == ERNIE_OK, "%s", err.message);
}

static void open_model(void)
{
    ernie_error err;

    open_one("bert-f32", &model);
    open_one("xlmr-unigram", &unigram);
    ck_assert_int_eq(tokenizer_scratch_new(&scratch, &err), ERNIE_OK);
    open_counter();
}

static void close_model(void)
{
    tokenizer_scratch_free(scratch);
    ernie_model_close(model);
    ernie_model_close(unigram);
    if (counter >= 0)
        close(counter);
}

int main(void)
{
    Suite *suite = suite_create("linear");
    TCase *all = tcase_create("work");

    tcase_add_checked_fixture(all, open_model, close_model);
    tcase_add_test(all, test_twice_the_text_is_twice_the_work);
    tcase_add_test(all, test_twice_the_markup_is_twice_the_work);
    tcase_add_test(all, test_ten_megabytes_and_a_word_of_one_are_no_different);
    tcase_add_test(all, test_deep_lists_end_soon);
    tcase_add_test(all, test_ten_megabytes_are_encoded_as_fast_as_ten_kilobytes);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
