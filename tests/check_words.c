/* Words, as they are listed by hand; stems are those of Python's snowballstemmer 2.2.0.
 * compare_words.py compares all characters and whole books. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "faults.h"
#include "suite.h"
#include "words/marker.h"
#include "words/match.h"
#include "words/words.h"

/* ---- the words of a text, written down ---- */

struct listing {
    struct buffer text;
    size_t n, end, size;
    const char *of;
    int with_offsets;
};

static int list_word(void *data, const char *word, size_t size, size_t start, size_t end,
                     int is_colocated)
{
    struct listing *listing = data;

    ck_assert_uint_gt(size, 0);
    ck_assert_uint_lt(start, end);
    ck_assert_uint_le(end, listing->size);
    if (listing->n++ > 0)
        buffer_append_char(&listing->text, is_colocated ? '|' : ' ');
    else
        ck_assert(!is_colocated);
    buffer_append(&listing->text, word, size);
    if (listing->with_offsets) {
        buffer_append_text(&listing->text, "=");
        buffer_append(&listing->text, listing->of + start, end - start);
    }
    return 0;
}

/* Places apart by a space, words of one place by |. The caller frees. */
static char *words_of(enum words_purpose purpose, const char *text, int with_offsets)
{
    struct listing listing = { .of = text, .size = strlen(text), .with_offsets = with_offsets };
    struct words *words;

    ck_assert_int_eq(words_new(&words, NULL), ERNIE_OK);
    ck_assert_int_eq(words_cut(words, purpose, text, strlen(text), list_word, &listing), 0);
    words_free(words);
    return buffer_take(&listing.text);
}

#define assert_words(purpose, text, expected)                       \
    do {                                                            \
        char *got_ = words_of(purpose, text, 0);                    \
        ck_assert_str_eq(got_, expected);                           \
        memory_free(got_);                                          \
    } while (0)
#define assert_document(text, expected) assert_words(WORDS_DOCUMENT, text, expected)
#define assert_query(text, expected) assert_words(WORDS_QUERY, text, expected)

START_TEST(test_chinese_is_pairs_and_characters)
{
    assert_document("人工智能", "人工|人 工智|工 智能|智 能");
    assert_document("茶", "茶");
    assert_document("你好，世界。", "你好|你 好 世界|世 界");
    assert_query("人工智能", "人工 工智 智能");
    assert_query("茶", "茶");
}
END_TEST

START_TEST(test_more_behind_a_run_keeps_its_last_character)
{
    assert_query("备份GitHub", "备份 份 git hub");
    assert_query("你好，世界", "你好 好 世界");
    assert_query("第3章", "第 3 章");
}
END_TEST

START_TEST(test_script_changes_part_words)
{
    assert_document("GitHub备份脚本", "git|github hub 备份|备 份脚|份 脚本|脚 本");
    assert_document("重跑gen-itgc后", "重跑|重 跑 gen|genitgc itgc 后");
}
END_TEST

START_TEST(test_runs_go_on_over_the_end_of_a_line)
{
    assert_document("人工\n智能", "人工|人 工智|工 智能|智 能");
    assert_document("人工\r\n智能", "人工|人 工智|工 智能|智 能");
    assert_document("人工\n\n智能", "人工|人 工 智能|智 能");
    assert_document("한국\n어", "한국|한 국 어");
}
END_TEST

START_TEST(test_traditional_is_simplified)
{
    assert_query("漢語", "汉语");
    assert_query("瞭解", "了解");
    assert_query("看著", "看着");
    assert_query("薴", "苎");
    assert_query("什麼", "什么");
    assert_query("\xf0\xa9\xbb\x97", "\xf0\xab\x9a\xa8"); /* U+29ED7, U+2B6A8 */
    assert_query("\uf914", "乐"); /* a compatibility ideograph: 樂 */
    assert_query("\u2f00", "一"); /* a radical */
}
END_TEST

START_TEST(test_kana_hangul_thai_are_pairs)
{
    assert_document("ｶﾞｷﾞ", "ガギ|ガ ギ");
    assert_document("か\u3099", "が");
    assert_document("食べる", "食べ|食 べる|べ る");
    assert_document("한국어", "한국|한 국어|국 어");
    assert_document("ไทย", "ไท|ไ ทย|ท ย");
}
END_TEST

START_TEST(test_letters_are_folded)
{
    assert_query("ＦＵＬＬ Ｗｉｄｔｈ１２", "full width12");
    assert_query("Café CAFE\u0301 naïve Straße", "cafe cafe naiv strass");
    assert_query("ΛΌΓΟΣ Москва Ёлка", "λογοσ москва елка");
    assert_query("so\u00adft zero\u200dwidth", "soft zerowidth");
    assert_query("x² ①", "x2 1");
}
END_TEST

START_TEST(test_english_is_stemmed)
{
    static const char *const stems[][2] = {
        { "running", "run" },        { "runs", "run" },
        { "ran", "ran" },            { "generically", "generic" },
        { "databases", "databas" },  { "indices", "indic" },
        { "ponies", "poni" },        { "skies", "sky" },
        { "dying", "die" },          { "news", "news" },
        { "relational", "relat" },   { "happily", "happili" },
        { "doesn't", "doesn't" },    { "john's", "john" },
        { "fairly", "fair" },        { "configuration", "configur" },
    };

    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        assert_query(stems[i][0], stems[i][1]);
    assert_document("running ran", "run|running ran");
    assert_document("John’s", "john|john's");
    assert_query("größe utf8s", "gross utf8s"); /* folded first; digits are not English */
}
END_TEST

START_TEST(test_the_start_of_a_word_is_not_stemmed)
{
    assert_words(WORDS_PREFIX, "running configuration", "run configuration");
    assert_words(WORDS_PREFIX, "人工", "人工");
}
END_TEST

START_TEST(test_identifiers_are_whole_and_in_parts)
{
    assert_document("getUserName", "get|getusernam|getusername user name");
    assert_document("foo_bar-baz", "foo|foobarbaz bar baz");
    assert_document("HTTPServer", "http|httpserver server");
    assert_document("PDFs APIs", "pdfs api|apis");
    assert_document("MP3Player H2O", "mp3|mp3player player h2o");
    assert_document("__init__", "init");
    assert_document("v1.2.3", "v1 2 3");
    assert_document("1-2 utf-8", "1 2 utf|utf8 8");
    assert_document("li.ming@example.org", "li ming exampl|example org");
    assert_document("/usr/lib/x86_64", "usr lib x86|x8664 64");
    assert_document("don't", "don't");
    assert_query("getUserName", "get user name");
}
END_TEST

START_TEST(test_other_characters_part_words)
{
    assert_document("", "");
    assert_document("😀👍🏽 → ©", "");
    assert_document("a😀b", "a b");
    assert_document("a\xff\xfe" "b\xe4\xba", "a b");
    assert_document("\u0301\u200d", "");
}
END_TEST

START_TEST(test_offsets_are_the_text_of_a_word)
{
    char *got = words_of(WORDS_DOCUMENT, "Ｃafé’s 漢\n語getName", 1);

    ck_assert_str_eq(got, "cafe=Ｃafé’s|cafe's=Ｃafé’s 汉语=漢\n語|汉=漢 语=語 "
                          "get=get|getnam=getName|getname=getName name=Name");
    memory_free(got);
}
END_TEST

START_TEST(test_zeros_part_words)
{
    struct listing listing = { .of = "a\0b", .size = 3 };
    struct words *words;

    ck_assert_int_eq(words_new(&words, NULL), ERNIE_OK);
    ck_assert_int_eq(words_cut(words, WORDS_DOCUMENT, "a\0b", 3, list_word, &listing), 0);
    ck_assert_str_eq(listing.text.data, "a b");
    buffer_reset(&listing.text);
    words_free(words);
}
END_TEST

static int stop_at_three(void *data, const char *word, size_t size, size_t start, size_t end,
                         int is_colocated)
{
    int *n = data;

    (void)word, (void)size, (void)start, (void)end, (void)is_colocated;
    return ++*n == 3 ? 77 : 0;
}

START_TEST(test_the_caller_can_end_it)
{
    static const char *const texts[] = { "a b c d e", "人工智能", "running runs", "aBcDeF" };
    struct words *words;

    ck_assert_int_eq(words_new(&words, NULL), ERNIE_OK);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int n = 0;

        ck_assert_int_eq(words_cut(words, WORDS_DOCUMENT, texts[i], strlen(texts[i]),
                                   stop_at_three, &n), 77);
        ck_assert_int_eq(n, 3);
    }
    words_free(words);
}
END_TEST

/* ---- size ---- */

static char *repeat(const char *what, size_t size)
{
    char *text = malloc(size + 1);

    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < size; i++)
        text[i] = what[i % strlen(what)];
    text[size] = '\0';
    return text;
}

static int count_word(void *data, const char *word, size_t size, size_t start, size_t end,
                      int is_colocated)
{
    size_t *n = data;

    (void)word, (void)start, (void)end, (void)is_colocated;
    ck_assert_uint_le(size, 128);
    ++*n;
    return 0;
}

START_TEST(test_long_words_are_cut_off_alike)
{
    char *text = repeat("q", 1000), *got = words_of(WORDS_DOCUMENT, text, 0);

    ck_assert_uint_eq(strlen(got), 128);
    memory_free(got);
    memcpy(text, "1-2-", 4); /* what does not fit behind numbers makes no word of them */
    got = words_of(WORDS_DOCUMENT, text, 0);
    ck_assert_msg(strncmp(got, "1 2 q", 5) == 0, "%s", got);
    memory_free(got);
    free(text);
    text = repeat("\u0431", 1001);
    got = words_of(WORDS_QUERY, text, 0);
    ck_assert_uint_eq(strlen(got), 128);
    memory_free(got);
    free(text);
}
END_TEST

/* A megabyte of each shape takes a blink, and would take an hour if anything were read
 * again and again. */
START_TEST(test_time_is_linear)
{
    static const char *const shapes[] = {
        "a", "aA", "A", "a-", "a_b", "_", "中", "中\n", "中a", "a.", "a'", "1A", "\xcc\x81", "a\xcc\x81",
        "\"", "-", "* ", "a\" -", "\xef\xbc\x82", "running ", "PDFs",
    };
    const size_t size = 1 << 20;
    struct words *words;

    ck_assert_int_eq(words_new(&words, NULL), ERNIE_OK);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char *text = repeat(shapes[i], size);
        struct buffer out = { 0 };
        size_t n = 0;

        ck_assert_int_eq(words_cut(words, WORDS_DOCUMENT, text, size, count_word, &n), 0);
        ck_assert_int_eq(words_cut(words, WORDS_PREFIX, text, size, count_word, &n), 0);
        match_append(&out, text, size);
        ck_assert(!out.failed);
        buffer_reset(&out);
        free(text);
    }
    words_free(words);
}
END_TEST

/* ---- queries ---- */

static void assert_match(const char *query, const char *expected)
{
    struct buffer out = { 0 };
    char *got;

    match_append(&out, query, strlen(query));
    got = buffer_take(&out);
    ck_assert_str_eq(got, expected);
    memory_free(got);
}

START_TEST(test_words_are_alternatives)
{
    assert_match("rsync tar", "(\"rsync\" OR \"tar\")");
    assert_match("  备份　脚本 ", "(\"备份\" OR \"脚本\")");
    assert_match("茶", "(\"茶\")");
}
END_TEST

START_TEST(test_long_runs_are_pairs_too)
{
    assert_match("长江桥", "(\"长江桥\")");
    assert_match("南京大桥", "(\"南京大桥\" OR \"南京\" OR \"京大\" OR \"大桥\")");
    assert_match("好烫好烫", "(\"好烫好烫\" OR \"好烫\" OR \"烫好\")");
}
END_TEST

START_TEST(test_words_of_two_scripts_are_whole_and_parts)
{
    assert_match("GitHub备份", "(\"GitHub备份\" OR \"GitHub\" OR \"github\" OR \"备份\")");
    assert_match("gen-itgc", "(\"gen-itgc\" OR \"genitgc\")");
    assert_match("li@a.org", "(\"li@a.org\")");
    assert_match("a,b", "(\"a,b\" OR \"a\" OR \"b\")");
}
END_TEST

START_TEST(test_quotations_are_required)
{
    assert_match("\"use rsync\"", "(\"use rsync\")");
    assert_match("“人工智能的发展”", "(\"人工智能的发展\")");
    assert_match("\"a b\" c \"d\"", "(\"a b\" AND \"d\" AND (\"a b\" OR \"c\"))");
    assert_match("\"open end", "(\"open end\")");
    assert_match("“a \"b\" c”", "(\"a  b  c\")");
    /* Marks of a sentence. */
    assert_match("他说“不”，走", "(\"他说“不”，走\" OR \"他说\" OR \"不\" OR \"走\")");
    assert_match("“走，不”", "(\"走，不\" OR \"走\" OR \"不\")");
    assert_match("\"走，不\"", "(\"走，不\")");
    assert_match("“不”字", "(\"不”字\" OR \"不\" OR \"字\")");
    assert_match("x\"y z\"", "(\"x y\" OR \"x\" OR \"y\" OR \"z\")");
}
END_TEST

static void assert_plain(const char *query, const char *expected)
{
    struct buffer plain = { 0 };

    match_plain_append(&plain, query, strlen(query));
    ck_assert_str_eq(plain.data, expected);
    buffer_reset(&plain);
}

START_TEST(test_plain_text_of_a_query)
{
    assert_plain("How hot  is tea?", "How hot  is tea?"); /* as it stands */
    assert_plain("他说“不”，就走了", "他说“不”，就走了");
    assert_plain("\"绿茶 水温\" 多少 -红茶 conf*", "绿茶 水温 多少 conf");
    assert_plain("-红茶", "-红茶");
    assert_plain("", "");
}
END_TEST

static void assert_filter(const char *query, enum match_filter filter, const char *expected)
{
    struct buffer expression = { 0 };

    ck_assert_int_eq(match_filter_append(&expression, query, strlen(query)), filter);
    ck_assert_str_eq(expression.data != NULL ? expression.data : "", expected);
    buffer_reset(&expression);
}

START_TEST(test_what_a_query_says_of_texts_found_otherwise)
{
    assert_filter("绿茶 conf*", MATCH_ALL, "");
    assert_filter("tea \"hot water\" \"b\"", MATCH_ONLY, "(\"hot water\" AND \"b\")");
    assert_filter("\"hot\" -red -\"x y\"", MATCH_ONLY, "(\"hot\") NOT (\"red\" OR \"x y\")");
    assert_filter("tea -red -gr*", MATCH_EXCEPT, "\"red\" OR \"gr\"*");
    assert_filter("\"？！\" -。", MATCH_ALL, "");
}
END_TEST

START_TEST(test_minus_excludes)
{
    assert_match("tea -green", "(\"tea\") NOT (\"green\")");
    assert_match("茶 -\"绿茶\" －红茶", "(\"茶\") NOT (\"绿茶\" OR \"红茶\")");
    assert_match("gen-itgc -a-b", "(\"gen-itgc\" OR \"genitgc\") NOT (\"a-b\")");
    assert_match("a - b", "(\"a\" OR \"b\")");
    assert_match("-only", "\"\"");
}
END_TEST

START_TEST(test_stars_are_prefixes)
{
    assert_match("conf*", "(\"conf\"*)");
    assert_match("getUs*", "(\"getUs\"* OR \"getus\"*)");
    assert_match("备份conf*", "(\"备份conf\"* OR \"备份\" OR \"conf\"*)");
    assert_match("tea -gr*", "(\"tea\") NOT (\"gr\"*)");
    assert_match("* ** a *", "(\"a\")");
}
END_TEST

START_TEST(test_nothing_is_an_operator)
{
    assert_match("", "\"\"");
    assert_match("()^+:{}\"\" -\"\" *", "\"\"");
    assert_match("a AND b", "(\"a\" OR \"AND\" OR \"b\")");
    assert_match("NEAR(a", "(\"NEAR(a\" OR \"NEAR\" OR \"a\")");
}
END_TEST

START_TEST(test_queries_have_an_end)
{
    char *text = repeat("ab ", 6000);
    struct buffer out = { 0 };
    size_t n = 0;

    match_append(&out, text, 6000);
    for (const char *c = out.data; (c = strstr(c, "\"ab\"")) != NULL; c++)
        n++;
    ck_assert_uint_eq(n, MATCH_MAX_TERMS);
    buffer_clear(&out);
    text[0] = '"';
    match_append(&out, text, 6000);
    ck_assert_uint_lt(out.size, 4 * MATCH_MAX_PHRASE);
    buffer_reset(&out);
    free(text);
}
END_TEST

/* ---- marks ---- */

/* The text with [brackets] around what the query's words are. The caller frees. */
static char *marked(const char *query, const char *text)
{
    struct marker *marker;
    struct buffer out = { 0 };
    const struct mark *marks;
    size_t n, at = 0;

    ck_assert_int_eq(marker_new(query, strlen(query), &marker, NULL), ERNIE_OK);
    ck_assert_int_eq(marker_find(marker, text, strlen(text), &marks, &n, NULL), ERNIE_OK);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_le(at, marks[i].start);
        ck_assert_uint_lt(marks[i].start, marks[i].end);
        buffer_append(&out, text + at, marks[i].start - at);
        buffer_append_char(&out, '[');
        buffer_append(&out, text + marks[i].start, marks[i].end - marks[i].start);
        buffer_append_char(&out, ']');
        at = marks[i].end;
    }
    buffer_append_text(&out, text + at);
    marker_free(marker);
    return buffer_take(&out);
}

#define assert_marked(query, text, expected) \
    do {                                      \
        char *got_ = marked(query, text);     \
        ck_assert_str_eq(got_, expected);     \
        memory_free(got_);                    \
    } while (0)

START_TEST(test_marks_are_the_words_of_the_query)
{
    assert_marked("备份", "每天备份，备好份数", "每天[备份]，备好份数");
    assert_marked("怎样备份数据库", "数据库的备份", "[数据库]的[备份]");
    assert_marked("茶", "茶，泡茶", "[茶]，泡[茶]");
    assert_marked("漢語", "学汉语", "学[汉语]");
    assert_marked("汉语", "學漢語", "學[漢語]");
    assert_marked("running machines", "A machine runs. Machinery", "A [machine] [runs]. Machinery");
    assert_marked("how do the machines", "do the machine", "do the [machine]");
    assert_marked("\"the machine\"", "the machine", "[the] [machine]");
    assert_marked("backup -disk", "disk backups", "disk [backups]");
    assert_marked("back*", "my backup is back", "my [backup] is [back]");
    assert_marked("备份GitHub", "份子 备份 GitHub github", "份子 [备份] [GitHub] [github]");
    assert_marked("getUserName", "get the username of getUserName", "[get] the username of [getUserName]");
    assert_marked("x", "", "");
    assert_marked("", "text", "text");
    assert_marked("-text", "text", "text");
}
END_TEST

START_TEST(test_words_are_counted_once)
{
    struct marker *marker;
    size_t n;

    ck_assert_int_eq(marker_new("数据库 backup", strlen("数据库 backup"), &marker, NULL), ERNIE_OK);
    ck_assert_int_eq(marker_count(marker, "backup backups", 14, &n, NULL), ERNIE_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(marker_count(marker, "数据 backup", strlen("数据 backup"), &n, NULL), ERNIE_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(marker_count(marker, "nothing", 7, &n, NULL), ERNIE_OK);
    ck_assert_uint_eq(n, 0);
    marker_free(marker);
}
END_TEST

/* ---- memory ---- */

START_TEST(test_marking_without_memory)
{
    static const char query[] = "备份 backup", text[] = "backup 备份";
    int status;

    for (int k = 0;; k++) {
        struct marker *marker = NULL;
        const struct mark *marks;
        size_t n;

        fail_allocations_from(k);
        status = marker_new(query, sizeof query - 1, &marker, NULL);
        if (status == ERNIE_OK)
            status = marker_find(marker, text, sizeof text - 1, &marks, &n, NULL);
        stop_failing();
        marker_free(marker);
        if (status == ERNIE_OK)
            break;
        ck_assert_int_eq(status, ERNIE_ENOMEM);
        ck_assert_int_lt(k, 100);
    }
}
END_TEST

START_TEST(test_memory_running_out)
{
    struct words *words = NULL;
    struct buffer out = { 0 };
    ernie_error err;

    fail_allocations_from(0);
    ck_assert_int_eq(words_new(&words, &err), ERNIE_ENOMEM);
    stop_failing();
    for (int k = 0;; k++) {
        int n;

        fail_allocations_from(k);
        match_append(&out, "备份脚本 \"a b\" -c", strlen("备份脚本 \"a b\" -c"));
        n = stop_failing();
        if (n <= k)
            break;
        ck_assert(out.failed);
        buffer_reset(&out);
    }
    ck_assert(!out.failed);
    buffer_reset(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *cut = tcase_create("cut"), *query = tcase_create("query"), *size = tcase_create("size"),
          *marks = tcase_create("marks");

    tcase_add_test(cut, test_chinese_is_pairs_and_characters);
    tcase_add_test(cut, test_more_behind_a_run_keeps_its_last_character);
    tcase_add_test(cut, test_script_changes_part_words);
    tcase_add_test(cut, test_runs_go_on_over_the_end_of_a_line);
    tcase_add_test(cut, test_traditional_is_simplified);
    tcase_add_test(cut, test_kana_hangul_thai_are_pairs);
    tcase_add_test(cut, test_letters_are_folded);
    tcase_add_test(cut, test_english_is_stemmed);
    tcase_add_test(cut, test_the_start_of_a_word_is_not_stemmed);
    tcase_add_test(cut, test_identifiers_are_whole_and_in_parts);
    tcase_add_test(cut, test_other_characters_part_words);
    tcase_add_test(cut, test_offsets_are_the_text_of_a_word);
    tcase_add_test(cut, test_zeros_part_words);
    tcase_add_test(cut, test_the_caller_can_end_it);
    tcase_add_test(query, test_words_are_alternatives);
    tcase_add_test(query, test_long_runs_are_pairs_too);
    tcase_add_test(query, test_words_of_two_scripts_are_whole_and_parts);
    tcase_add_test(query, test_quotations_are_required);
    tcase_add_test(query, test_plain_text_of_a_query);
    tcase_add_test(query, test_what_a_query_says_of_texts_found_otherwise);
    tcase_add_test(query, test_minus_excludes);
    tcase_add_test(query, test_stars_are_prefixes);
    tcase_add_test(query, test_nothing_is_an_operator);
    tcase_add_test(query, test_queries_have_an_end);
    tcase_add_test(query, test_memory_running_out);
    tcase_add_test(marks, test_marks_are_the_words_of_the_query);
    tcase_add_test(marks, test_words_are_counted_once);
    tcase_add_test(marks, test_marking_without_memory);
    tcase_add_test(size, test_long_words_are_cut_off_alike);
    tcase_add_test(size, test_time_is_linear);
    suite_add_tcase(suite, cut);
    suite_add_tcase(suite, query);
    suite_add_tcase(suite, marks);
    suite_add_tcase(suite, size);
    return run_suite(suite);
}
