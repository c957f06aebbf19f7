/* Plain formats (src/document/extract_*.c): what of a file is text, where it is cut, and what
 * it says of itself. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document/extract.h"
#include "document/metadata.h"
#include "faults.h"
#include "suite.h"

static void extract_text(const char *name, const char *text, struct extract *out)
{
    ernie_error err;

    memset(out, 0, sizeof *out);
    ck_assert_msg(extract(name, (const uint8_t *)text, strlen(text), out, &err) == ERNIE_OK, "%s",
                  err.message);
}

/* ---- metadata ---- */

START_TEST(test_dates_as_people_write_them)
{
    static const struct {
        const char *text, *date; /* NULL: none */
    } cases[] = {
        { "2024-01-31", "2024-01-31" },
        { " 2024-1-3 behind it", "2024-01-03" },
        { "20240131", "2024-01-31" },
        { "2024/1/31 8:05", "2024-01-31T08:05:00" },
        { "2024\xe5\xb9\xb4" "1\xe6\x9c\x88" "31\xe6\x97\xa5", "2024-01-31" },
        { "2024-01-31T08:00:00Z", "2024-01-31T08:00:00Z" },
        { "2024-01-31T08:00:00.123+08:00", "2024-01-31T08:00:00+08:00" },
        { "2024-01-31 08:00:00 -0530", "2024-01-31T08:00:00-05:30" },
        { "Wed, 31 Jan 2024 08:00:00 +0800", "2024-01-31T08:00:00+08:00" },
        { "31 Jan 2024 08:00:00 GMT", "2024-01-31T08:00:00Z" },
        { "January 31, 2024", "2024-01-31" },
        { "Feb 29 2024", "2024-02-29" },
        { "2023-02-29", NULL },
        { "2024-13-01", NULL },
        { "2024", NULL },
        { "31.1.2024", NULL },
        { "yesterday", NULL },
        { "2024-01-31T25:00:00", "2024-01-31" },
        { "", NULL },
    };
    char date[32];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int found = metadata_date(cases[i].text, strlen(cases[i].text), date);

        ck_assert_msg(found == (cases[i].date != NULL), "%s", cases[i].text);
        if (found)
            ck_assert_str_eq(date, cases[i].date);
    }
}
END_TEST

START_TEST(test_what_documents_say_of_themselves)
{
    struct extract out;

    extract_text("a.html",
                 "<html lang='zh_CN'><head><META content='A &amp; B\n C' name=Author>"
                 "<meta property='article:published_time' content='2024-01-31T08:00:00Z'>"
                 "<meta name=author content=second></head><body lang=en>x",
                 &out);
    ck_assert_str_eq(out.author.data, "A & B C");
    ck_assert_str_eq(out.date, "2024-01-31T08:00:00Z");
    ck_assert_str_eq(out.language, "zh-CN");
    extract_reset(&out);

    extract_text("a.md",
                 "---\ntitle: 't'\nAuthor: \"\xe8\x8c\xb6\"\ndate: 2024-01-31\nlang: en\n---\nx\n",
                 &out);
    ck_assert_str_eq(out.title.data, "t");
    ck_assert_str_eq(out.author.data, "\xe8\x8c\xb6");
    ck_assert_str_eq(out.date, "2024-01-31");
    ck_assert_str_eq(out.language, "en");
    extract_reset(&out);
}
END_TEST

/* The sections as text: a line each, "line level path". */
static const char *outline_of(const struct extract *out)
{
    static char outline[4096];
    size_t n = 0;

    outline[0] = '\0';
    for (size_t i = 0; i < out->n_sections && n < sizeof outline - 400; i++)
        n += (size_t)sprintf(outline + n, "%zu %u %s\n",
                             extract_line(out, out->sections[i].offset), out->sections[i].level,
                             extract_heading(out, &out->sections[i]));
    return outline;
}

static void check_outline(const char *name, const char *text, const char *outline)
{
    struct extract out;

    extract_text(name, text, &out);
    ck_assert_str_eq(outline_of(&out), outline);
    extract_reset(&out);
}

static void check_text(const char *name, const char *text, const char *expected)
{
    struct extract out;

    extract_text(name, text, &out);
    ck_assert_str_eq(out.text.data, expected);
    extract_reset(&out);
}

/* The line of the file that a word of the text came from. */
static size_t line_of(const struct extract *out, const char *word)
{
    const char *found = strstr(out->text.data, word);

    ck_assert_msg(found != NULL, "%s", word);
    return extract_line(out, (size_t)(found - out->text.data));
}

/* ---- tables ---- */

START_TEST(test_rows_stand_behind_their_columns_names)
{
    check_text("a.csv", "city,area,note\n上海,6340,\"a, \"\"b\"\"\nc\"\n北京,16410,\n",
               "city | area | note\n"
               "city: 上海 | area: 6340 | note: a, \"b\" c\n"
               "city: 北京 | area: 16410\n");
    check_text("a.tsv", "a\tb\n1, 2\t\"x\n3\ty\n", "a | b\na: 1, 2 | b: \"x\na: 3 | b: y\n");
    check_text("a.csv", "a;b;c\n1,5;2;3\n4;5;6\n", "a | b | c\na: 1,5 | b: 2 | c: 3\na: 4 | b: 5 | c: 6\n");
    /* Numbers are no names. */
    check_text("a.csv", "x,1\ny,2\n", "x | 1\ny | 2\n");
    check_text("a.csv", "only\none column\n", "only\none column\n");
    check_text("a.csv", "a,b\n\"never ends,1\n2,3", "a | b\na: \"never ends | b: 1\na: 2 | b: 3\n");
    check_text("a.csv", "", "");
}
END_TEST

START_TEST(test_rows_know_their_lines)
{
    struct extract out;

    extract_text("a.csv", "a,b\n\"1\n2\n3\",x\ny,z\n", &out);
    ck_assert_uint_eq(line_of(&out, "a: 1 2 3"), 2);
    ck_assert_uint_eq(line_of(&out, "b: x"), 4);
    ck_assert_uint_eq(line_of(&out, "a: y"), 5);
    extract_reset(&out);
}
END_TEST

/* ---- JSON ---- */

START_TEST(test_json_is_read_by_keys)
{
    struct extract out;

    extract_text("a.json",
                 "{\n  \"title\": \"Tea \\u8336 \\ud83c\\udf75\",\n  \"n\": 3, \"none\": null,\n"
                 "  \"data\": [1, 2, 3],\n  \"shop\": {\"city\": \"上海\", \"open\": true,\n"
                 "    \"at\": {\"street\": \"one\\ntwo\"}},\n  \"tail\": \"end\"\n}\n",
                 &out);
    ck_assert_str_eq(out.text.data, "title: Tea 茶 🍵\nn: 3\n\ndata\n\nshop\n\ncity: 上海\nopen: true\n\n"
                                    "at\n\nstreet: one\ntwo\n\ntail: end\n");
    ck_assert_str_eq(out.title.data, "Tea 茶 🍵");
    ck_assert_str_eq(outline_of(&out), "4 1 data\n4 1 \n5 1 shop\n6 2 shop › at\n6 1 \n");
    ck_assert_uint_eq(line_of(&out, "street"), 6);
    extract_reset(&out);
}
END_TEST

START_TEST(test_lists_of_objects_are_paragraphs)
{
    static const char expected[] = "q: one\nmeta:\nid: 1\n\nq: two\n";

    check_text("a.json", "[{\"q\": \"one\", \"meta\": {\"id\": 1}}, {\"q\": \"two\"}]", expected);
    check_text("a.jsonl", "{\"q\": \"one\", \"meta\": {\"id\": 1}}\n{\"q\": \"two\"}\n", expected);
    check_outline("a.jsonl", "{\"q\": \"one\", \"meta\": {\"id\": 1}}\n{\"q\": \"two\"}\n", "");
    check_text("a.json", "[\"a\", \"b\"]", "a\nb\n");
    check_text("a.json", "\"alone\"", "alone\n");
}
END_TEST

START_TEST(test_broken_json_is_read_as_far_as_it_goes)
{
    check_text("a.json", "{\"a\": \"x\", \"b\": \"cut", "a: x\nb: cut\n");
    check_text("a.json", "{\"a\": \"\\ud800\\u0000\\q\\", "a: \xef\xbf\xbd\xef\xbf\xbd\n");
    check_text("a.json", "}}]] {\"a\": tru, 'b': 1, c: \"d\"}", "a: tru\nd\n");
}
END_TEST

START_TEST(test_json_nested_very_deep)
{
    const size_t n = 1000000;
    char *text = malloc(n * 6 + 1);
    struct extract out = { 0 };
    ernie_error err;

    for (size_t i = 0; i < n; i++)
        memcpy(text + 6 * i, "{\"k\":[", 6);
    ck_assert_int_eq(extract("a.json", (const uint8_t *)text, n * 6, &out, &err), ERNIE_OK);
    ck_assert_uint_lt(out.text.size, 1000);
    extract_reset(&out);
    free(text);
}
END_TEST

/* ---- XML ---- */

START_TEST(test_docbook)
{
    struct extract out;

    extract_text("a.xml",
                 "<?xml version='1.0'?>\n<!DOCTYPE book [ <!ENTITY x \"<b>y</b>\"> ]>\n"
                 "<book xml:lang='zh-CN'>\n<bookinfo><title>The &amp; Book</title>\n"
                 "<author><firstname>A</firstname> <surname>B</surname></author>\n"
                 "<pubdate>2024-01-31</pubdate></bookinfo>\n<chapter><title>First</title>\n"
                 "<para>Run <command>ls</command> &x; now.</para>\n"
                 "<section><title>Inner</title><screen>a  b\n  c</screen></section></chapter>\n"
                 "<chapter><title>Second</title><itemizedlist><listitem><para>one</para></listitem>"
                 "<listitem><para>two</para></listitem></itemizedlist></chapter></book>\n",
                 &out);
    ck_assert_str_eq(out.title.data, "The & Book");
    ck_assert_str_eq(out.author.data, "A B");
    ck_assert_str_eq(out.date, "2024-01-31");
    ck_assert_str_eq(out.language, "zh-CN");
    ck_assert_str_eq(outline_of(&out), "4 1 The & Book\n7 2 The & Book › First\n"
                                       "9 3 The & Book › First › Inner\n"
                                       "11 2 The & Book › Second\n");
    ck_assert_ptr_nonnull(strstr(out.text.data, "\n\nRun ls &x; now.\n\n"));
    ck_assert_ptr_nonnull(strstr(out.text.data, "a  b\n  c\n"));
    ck_assert_ptr_nonnull(strstr(out.text.data, "one\n\ntwo\n"));
    ck_assert_uint_eq(line_of(&out, "Run ls"), 8);
    ck_assert_uint_eq(line_of(&out, "  c"), 10);
    extract_reset(&out);
}
END_TEST

START_TEST(test_feeds)
{
    struct extract out;

    extract_text("a.rss",
                 "<rss><channel><title>News</title><item><title>One</title>"
                 "<description>&lt;p&gt;Tea &amp;amp; milk&lt;/p&gt;</description>"
                 "<pubDate>Wed, 31 Jan 2024 08:00:00 GMT</pubDate></item>"
                 "<item><title>Two</title><content:encoded><![CDATA[<p>a</p><p>b</p>]]>"
                 "</content:encoded></item></channel></rss>",
                 &out);
    ck_assert_str_eq(out.title.data, "News");
    ck_assert_str_eq(outline_of(&out), "1 1 News\n1 2 News › One\n1 2 News › Two\n");
    ck_assert_ptr_nonnull(strstr(out.text.data, "\n\nTea & milk\n\n"));
    ck_assert_ptr_nonnull(strstr(out.text.data, "\n\na\n\nb\n"));
    extract_reset(&out);
}
END_TEST

START_TEST(test_broken_xml_is_read_as_far_as_it_goes)
{
    check_text("a.xml", "<a><k>x</a></k></c>y<", "x\ny<\n");
    check_text("a.xml", "<a>x<b c='", "x\n");
    check_text("a.xml", "<!DOCTYPE a [<!DOCTYPE b [", "");
    check_text("a.xml", "<a>x<![CDATA[<y>]]>z<![CDATA[never", "x<y>znever\n");
    check_text("a.xml", "<a>x<script>no<b>no</b></script><style/>y</a>", "xy\n");
}
END_TEST

START_TEST(test_xml_nested_very_deep)
{
    const size_t n = 1000000;
    char *text = malloc(n * 3 + 1);
    struct extract out = { 0 };
    ernie_error err;

    for (size_t i = 0; i < n; i++)
        memcpy(text + 3 * i, "<a>", 3);
    memcpy(text, "<a>in", 5);
    ck_assert_int_eq(extract("a.xml", (const uint8_t *)text, n * 3, &out, &err), ERNIE_OK);
    extract_reset(&out);
    free(text);
}
END_TEST

/* ---- subtitles ---- */

START_TEST(test_subtitles_are_what_is_said)
{
    struct extract out;

    extract_text("a.srt",
                 "1\n00:00:01,000 --> 00:00:02,000\n<i>Good</i>\nmorning.\n\n"
                 "2\n00:00:02,500 --> 00:00:04,000\n早上\n好。\n\n"
                 "3\n00:01:00,000 --> 00:01:02,000\n{\\an8}Later &amp; then\n",
                 &out);
    ck_assert_str_eq(out.text.data, "Good morning.\n早上好。\n\nLater & then\n");
    ck_assert_uint_eq(line_of(&out, "Good"), 3);
    ck_assert_uint_eq(line_of(&out, "早上"), 8);
    ck_assert_uint_eq(line_of(&out, "Later"), 13);
    extract_reset(&out);

    check_text("a.vtt",
               "WEBVTT - x\n\nNOTE no\n\nintro\n00:01.000 --> 00:02.000 align:start\nrolls <c.a>up</c>\n\n"
               "00:02.000 --> 00:03.000\nrolls up\n",
               "rolls up\n");
    check_text("a.ass",
               "[Script Info]\nTitle: T\n[Events]\nFormat: Layer, Start\n"
               "Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\b1}One, two\\Nthree\nComment: 0,no\n",
               "One, two three\n");
    check_text("a.lrc", "[ti:歌]\n[00:12.00][01:12.00]一句\n[00:13.50]两句\n", "一句\n两句\n");
    /* A name can lie. */
    check_text("a.srt", "no cues\n", "no cues\n");
}
END_TEST

/* ---- source code ---- */

START_TEST(test_functions_of_c)
{
    check_outline("a.c",
                  "/* licence */\n#include <x.h>\n\nstatic const int t[] = {\n    1\n};\n\n"
                  "int prototype(void);\n\n/* Adds.\n */\nstatic int\nadd(int a,\n    int b)\n{\n"
                  "    if (a) {\n        b++;\n    }\nout:\n    return a;\n}\n\n"
                  "struct s {\n    int x;\n};\n\nstruct s *make(void) {\n#if X\n    x();\n#endif\n}\n"
                  "START_TEST(test_x)\n{\n}\nEND_TEST\n",
                  "10 1 add\n23 1 s\n27 1 make\n32 1 START_TEST(test_x)\n");
    check_outline("a.cpp",
                  "namespace n {\n\nclass A : public B {\npublic:\n    int f(int a = 3) const {\n"
                  "        return 1;\n    }\n\n    // why\n    void g();\n    void h() {\n    }\n};\n\n"
                  "template <typename T>\nvoid A<T>::k() {\n}\n}\n",
                  "1 1 n\n3 1 A\n5 2 A › f\n11 2 A › h\n15 1 A<T>::k\n");
}
END_TEST

START_TEST(test_functions_of_languages_with_braces)
{
    check_outline("A.java",
                  "package x;\n\n/** Doc. */\npublic class A extends B {\n    private int x = 1;\n\n"
                  "    @Override\n    public int f(int a) throws E {\n        for (;;) {\n        }\n"
                  "    }\n\n    interface I {\n    }\n}\n",
                  "3 1 A\n7 2 A › f\n13 2 A › I\n");
    check_outline("a.go",
                  "package x\n\n// F does.\nfunc F(a int) error {\n\treturn nil\n}\n\n"
                  "type S struct {\n\tx int\n}\n\nfunc (s *S) M() {\n}\n",
                  "3 1 F\n8 1 S\n12 1 M\n");
    check_outline("a.rs",
                  "use x::y;\n\n#[derive(Debug)]\npub struct P {\n    x: i32,\n}\n\n"
                  "impl<T> Trait for P {\n    /// Doc\n    pub fn f<'a>(&'a self) -> i32 {\n"
                  "        1\n    }\n}\n",
                  "3 1 P\n8 1 Trait for P\n9 2 Trait for P › f\n");
    check_outline("a.ts",
                  "import { x } from 'y';\n\nexport class A {\n  async f(a: number) {\n    if (a) {\n"
                  "    }\n  }\n  get g() {\n  }\n}\n\nexport const h = (a) => {\n};\n\n"
                  "describe('x', () => {\n});\n\nfunction* k() {\n}\n",
                  "3 1 A\n4 2 A › f\n8 2 A › g\n12 1 h\n18 1 k\n");
}
END_TEST

START_TEST(test_functions_of_languages_with_words)
{
    check_outline("a.py",
                  "import x\n\n# Why.\n@decorated\ndef f(a,\n      b):\n    \"\"\"\ndef no(): pass\n"
                  "    \"\"\"\n    def inner():\n        pass\n\nclass A:\n    x = 1\n\n"
                  "    async def g(self):\n        pass\n\na = 1\nb = 2\nc = 3\n",
                  "3 1 f\n13 1 A\n16 2 A › g\n19 1 \n");
    check_outline("a.rb",
                  "module M\n  class C < D\n    def self.f?\n    end\n  end\nend\n",
                  "1 1 M\n2 2 M › C\n3 3 M › C › self.f?\n");
    check_outline("a.lua", "-- Says.\nlocal function f(x)\nend\n\nfunction M.g()\nend\n",
                  "1 1 f\n5 1 M.g\n");
    check_outline("a.sh", "set -e\n\n# Does.\nmain() {\n\techo\n}\n\nfunction other {\n}\n",
                  "3 1 main\n8 1 other\n");
    check_outline("a.sql",
                  "-- A table.\nCREATE TABLE IF NOT EXISTS \"t\" (\n  x\n);\n\n"
                  "create or replace function s.f() as $$\nbegin\nend;\n$$;\n",
                  "1 1 t\n6 1 s.f\n");
    check_outline("a.hs", "f :: Int\nf = 1\n", "");
}
END_TEST

/* ---- headings of plain text ---- */

START_TEST(test_headings_of_plain_text)
{
    check_outline("a.rst",
                  "=====\nTitle\n=====\n\nOne\n===\n\ntext\n\nDeeper\n------\n\nTwo 二\n======\n\n"
                  "x\n---\n\nlast line\nof a paragraph\n--------------\n",
                  "2 1 Title\n5 2 Title › One\n10 3 Title › One › Deeper\n13 2 Title › Two 二\n"
                  "16 3 Title › Two 二 › x\n");
    check_outline("a.txt", "序\n\n第一章 茶\n\n第一章里说的是茶。\n\n第十二节\n\n第2章：水\n",
                  "3 2 第一章 茶\n7 3 第一章 茶 › 第十二节\n9 2 第2章：水\n");
    check_outline("a.txt", "PART I\n\nChapter 1: Sea\n\nChapter 2 is\nlong.\n\nChapter IV\n",
                  "1 1 PART I\n3 2 PART I › Chapter 1: Sea\n8 2 PART I › Chapter IV\n");
    check_outline("a.org", "#+TITLE: T\n* One\ntext *bold*\n** Two\n*no\n", "2 1 One\n4 2 One › Two\n");
    check_outline("a.adoc", "= Title\nA B\n\n== One\n\n====\nexample\n====\n\n=== Two\n",
                  "1 1 Title\n4 2 Title › One\n10 3 Title › One › Two\n");
    check_outline("a.tex",
                  "\\title{T {x}}\n\\date{2024-01-31}\n\\section{One}\n\\subsection*{Two}\n\\sectionmark\n",
                  "3 3 One\n4 4 One › Two\n");
}
END_TEST

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    static const char *const cases[][2] = {
        { "a.csv", "a,b\n\"1\",2\n" },
        { "a.json", "{\"title\": \"x\", \"k\": {\"a\": [1, \"y\"]}}" },
        { "a.xml", "<book><title>x</title><author>y</author><description>z</description></book>" },
        { "a.srt", "1\n00:00:01,000 --> 00:00:02,000\nx\n" },
        { "a.py", "class A:\n    def f():\n        pass\n" },
        { "a.rst", "x\n===\n" },
        { "a.html", "<html lang=en><meta name=author content=x><h1>y</h1>" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = ERNIE_ENOMEM;

        for (int k = 0; status != ERNIE_OK; k++) {
            struct extract out = { 0 };
            ernie_error err;

            fail_allocations_from(k);
            status = extract(cases[i][0], (const uint8_t *)cases[i][1], strlen(cases[i][1]), &out,
                             &err);
            stop_failing();
            ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%s", cases[i][0]);
            extract_reset(&out);
        }
    }
}
END_TEST

int main(void)
{
    const struct {
        const char *name;
        const TTest *tests[8];
    } cases[] = {
        { "metadata", { test_dates_as_people_write_them, test_what_documents_say_of_themselves } },
        { "csv", { test_rows_stand_behind_their_columns_names, test_rows_know_their_lines } },
        { "json",
          { test_json_is_read_by_keys, test_lists_of_objects_are_paragraphs,
            test_broken_json_is_read_as_far_as_it_goes, test_json_nested_very_deep } },
        { "xml",
          { test_docbook, test_feeds, test_broken_xml_is_read_as_far_as_it_goes,
            test_xml_nested_very_deep } },
        { "subtitles", { test_subtitles_are_what_is_said } },
        { "source",
          { test_functions_of_c, test_functions_of_languages_with_braces,
            test_functions_of_languages_with_words } },
        { "text", { test_headings_of_plain_text } },
        { "memory", { test_running_out_of_memory_at_each_allocation } },
    };
    Suite *s = suite_create("plain");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TCase *tcase = tcase_create(cases[i].name);

        for (size_t j = 0; cases[i].tests[j] != NULL; j++)
            tcase_add_test(tcase, cases[i].tests[j]);
        suite_add_tcase(s, tcase);
    }
    return run_suite(s);
}
