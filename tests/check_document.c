/* src/document: folders to files, bytes to text, text to chunks. */
#include <check.h>
#include <iconv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "document/chunk.h"
#include "document/extract.h"
#include "document/glob.h"
#include "document/walk.h"
#include "document/writer.h"
#include "faults.h"
#include "suite.h"

static ernie_error err;

/* ---- patterns: the answers are those of git check-ignore ---- */

START_TEST(test_patterns_as_in_gitignore)
{
    static const struct {
        const char *pattern, *path;
        int is_folder, excluded;
    } cases[] = {
        { "*.md", "a.md", 0, 1 },          { "*.md", "x/y/a.md", 0, 1 },
        { "*.md", "a.mdx", 0, 0 },         { "/a", "a", 0, 1 },
        { "/a", "b/a", 0, 0 },             { "sub/", "sub", 1, 1 },
        { "sub/", "sub", 0, 0 },           { "sub/", "x/sub", 1, 1 },
        { "a/b", "a/b", 0, 1 },            { "a/b", "x/a/b", 0, 0 },
        { "**/b", "x/y/b", 0, 1 },         { "**/b", "b", 0, 1 },
        { "a/**/b", "a/b", 0, 1 },         { "a/**/b", "a/x/y/b", 0, 1 },
        { "a/**", "a/x", 0, 1 },           { "a/*", "a/x/y", 0, 0 },
        { "[ab].txt", "b.txt", 0, 1 },     { "[!ab].txt", "b.txt", 0, 0 },
        { "a?c", "abc", 0, 1 },            { "a?c", "a/c", 0, 0 },
        { "\\!x", "!x", 0, 1 },            { "#x", "#x", 0, 0 },
        { "笔记*", "笔记本.txt", 0, 1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(glob_excludes(1, &cases[i].pattern, cases[i].path, cases[i].is_folder) ==
                          cases[i].excluded,
                      "%s %s", cases[i].pattern, cases[i].path);
}
END_TEST

START_TEST(test_the_last_pattern_decides)
{
    const char *const patterns[] = { "*.txt", "!keep.txt" };

    ck_assert(glob_excludes(2, patterns, "a.txt", 0));
    ck_assert(!glob_excludes(2, patterns, "keep.txt", 0));
}
END_TEST

/* Going back star by star would take the age of the universe. */
START_TEST(test_a_hostile_pattern_ends)
{
    const char *pattern = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab";
    char path[256];

    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ck_assert(!glob_excludes(1, &pattern, path, 0));
}
END_TEST

/* ---- walk ---- */

static char folder[64];

static void make_folder(void)
{
    char command[512];

    strcpy(folder, "/tmp/check_document.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command,
             "cd %s && mkdir -p b/c .h && echo 1 >a && echo 2 >b/x && echo 3 >b/c/y && echo 4 >.h/z"
             " && mkfifo b/fifo && ln -s / b/out && ln -s . b/loop",
             folder);
    ck_assert_int_eq(system(command), 0);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static int note_path(void *data, const struct walk_file *file, const char *failure,
                     ernie_error *e)
{
    (void)e;
    strcat(data, file->path);
    strcat(data, failure != NULL ? "! " : " ");
    return ERNIE_OK;
}

START_TEST(test_walk_finds_regular_files_in_order_and_stays_inside)
{
    struct walk_options options = { 0 };
    char found[256] = "";

    ck_assert_int_eq(walk(folder, "", &options, note_path, found, &err), ERNIE_OK);
    ck_assert_str_eq(found, "a b/c/y b/x ");
    found[0] = '\0';
    ck_assert_int_eq(walk(folder, "b/c", &options, note_path, found, &err), ERNIE_OK);
    ck_assert_str_eq(found, "b/c/y ");
    found[0] = '\0';
    options.hidden = 1;
    ck_assert_int_eq(walk(folder, "", &options, note_path, found, &err), ERNIE_OK);
    ck_assert_str_eq(found, ".h/z a b/c/y b/x ");
}
END_TEST

START_TEST(test_walk_open_refuses_what_is_not_a_regular_file)
{
    int fd = walk_open(folder, "b/x", &err);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_lt(walk_open(folder, "b/fifo", &err), 0);
    ck_assert_int_lt(walk_open(folder, "b/out/etc/passwd", &err), 0);
    ck_assert_int_lt(walk_open(folder, "b/loop", &err), 0);
    ck_assert_int_lt(walk_open(folder, "gone", &err), 0);
    ck_assert_int_eq(err.code, ERNIE_ENOTFOUND);
}
END_TEST

/* ---- extract ---- */

static void check_extract(const char *name, const void *bytes, size_t size, const char *title,
                          const char *words, const char *encoding)
{
    struct extract extract_ = { 0 };

    ck_assert_msg(extract(name, bytes, size, &extract_, &err) == ERNIE_OK, "%s: %s", name,
                  err.message);
    ck_assert_msg(strstr(extract_.text.data, words) != NULL, "%s: \"%s\" lacks \"%s\"", name,
                  extract_.text.data, words);
    ck_assert_str_eq(extract_.title.data != NULL ? extract_.title.data : "", title);
    if (encoding != NULL)
        ck_assert_str_eq(extract_.encoding, encoding);
    ck_assert(utf8_valid(extract_.text.data, extract_.text.size));
    extract_reset(&extract_);
}

static const char sample[] =
    "今天下午开会讨论了明年的预算，大家认为应该先把旧的设备换掉，然后再考虑招聘新的同事。";
static const char traditional[] =
    "颱風來臨之前把陽台的花盆收進屋裡，檢查窗戶的鎖，準備三天份的飲水和乾糧。";

/* glibc's iconv makes the bytes. */
static size_t encode(const char *charset, const char *text, char *out, size_t size)
{
    iconv_t converter = iconv_open(charset, "UTF-8");
    char *in = (char *)text, *end = out;
    size_t n_in = strlen(text), n_out = size;

    ck_assert(converter != (iconv_t)-1);
    ck_assert_uint_eq(iconv(converter, &in, &n_in, &end, &n_out), 0);
    iconv_close(converter);
    return size - n_out;
}

START_TEST(test_encodings_are_told_apart)
{
    static const struct {
        const char *charset;
        const char *text;
    } cases[] = { { "UTF-8", sample },        { "GB18030", sample },      { "UTF-16", sample },
                  { "BIG5", traditional },      { "UTF-16LE", traditional },
                  { "GB18030", traditional } };
    char bytes[1024];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = encode(cases[i].charset, cases[i].text, bytes, sizeof bytes);

        check_extract("a.txt", bytes, size, "", cases[i].text, NULL);
    }
}
END_TEST

/* Short texts without a byte order mark: next to no zero bytes, and U+4E00, which has
 * one at the other side. */
START_TEST(test_short_utf16_without_a_mark)
{
    static const char *const texts[] = {
        "会议改到下午三点。",
        "一个人在一家公司里工作",
        "今天天气很好，我们去公园。\n明天可能下雨，记得带伞。\n",
        "人工智能的发展离不开数据和计算能力的进步。",
        "請在星期五以前把報告寄給我，謝謝。",
        "这是一份 2024 年的合同，共三页。",
        "Meeting notes, three o'clock.\nBring the contract.\n",
        "一",
    };
    static const char *const charsets[] = { "UTF-16LE", "UTF-16BE" };
    char bytes[1024];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            size_t size = encode(charsets[j], texts[i], bytes, sizeof bytes);

            if (strlen(texts[i]) > 3) /* one character is anybody's guess, but no crash */
                check_extract("a.txt", bytes, size, "", texts[i], charsets[j]);
            else
                document_format("a.txt", (const uint8_t *)bytes, size);
        }
    }
}
END_TEST

/* What is no text stays none: bytes by chance, numbers of 16 and 32 bits, programs. */
START_TEST(test_binary_is_not_text)
{
    static uint8_t bytes[4096];
    uint32_t seed = 1;

    for (int form = 0; form < 4; form++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = form == 0   ? (uint8_t)(seed >> 24)
                       : form == 1 ? (i % 2 ? 0 : (uint8_t)(seed >> 24))
                       : form == 2 ? (i % 4 ? 0 : (uint8_t)(seed >> 24))
                                   : (i % 4 < 2 ? (uint8_t)(seed >> 24) : 0);
        }
        ck_assert_int_eq(document_format("a.txt", bytes, sizeof bytes), DOCUMENT_UNKNOWN);
    }
}
END_TEST

START_TEST(test_markdown)
{
    static const char text[] =
        "# 标题\n\nA *few* words &amp; a [link](http://x.y).\n\n- one\n- two\n\n```\ncode\n```\n";

    check_extract("a.md", text, sizeof text - 1, "标题", "A few words & a link.", "UTF-8");
    check_extract("a.md", text, sizeof text - 1, "标题", "code", "UTF-8");
}
END_TEST

START_TEST(test_html)
{
    static const char text[] =
        "<html><head><title>T &eacute;</title><style>p{}</style><script>var x</script></head>"
        "<body><h1>H</h1><p>one <b>two</b>\nthree</p><!-- no --><p>中\n文</p></body></html>";
    struct extract extract_ = { 0 };

    check_extract("a.html", text, sizeof text - 1, "T é", "one two three", NULL);
    ck_assert_int_eq(extract("a.html", (const uint8_t *)text, sizeof text - 1, &extract_, &err),
                     ERNIE_OK);
    ck_assert_ptr_null(strstr(extract_.text.data, "var x"));
    ck_assert_ptr_null(strstr(extract_.text.data, "p{}"));
    ck_assert_ptr_null(strstr(extract_.text.data, "no"));
    ck_assert_ptr_nonnull(strstr(extract_.text.data, "中文"));
    extract_reset(&extract_);
}
END_TEST

START_TEST(test_html_nested_very_deep)
{
    size_t n = 100000;
    char *text = malloc(n * 5 + 16);
    struct extract extract_ = { 0 };
    int status;

    for (size_t i = 0; i < n; i++)
        memcpy(text + 5 * i, "<div>", 5);
    memcpy(text + 5 * n, "inside", 7);
    status = extract("a.html", (const uint8_t *)text, 5 * n + 6, &extract_, &err);
    ck_assert(status == ERNIE_OK || status == ERNIE_EFORMAT);
    extract_reset(&extract_);
    free(text);
}
END_TEST

START_TEST(test_formats)
{
    static const struct {
        const char *name, *start;
        size_t size;
        enum document_format format;
    } cases[] = {
#define CASE(name, start, format) { name, start, sizeof start - 1, format }
        CASE("a.csv", "x,y\n", DOCUMENT_CSV),
        CASE("a.TSV", "x\ty\n", DOCUMENT_CSV),
        CASE("a.jsonl", "{}\n", DOCUMENT_JSON),
        CASE("a.xml", "<a/>", DOCUMENT_XML),
        CASE("a.srt", "1\n", DOCUMENT_SUBTITLES),
        CASE("a.zsh", "x\n", DOCUMENT_SOURCE),
        CASE("a.ada", "x\n", DOCUMENT_SOURCE),
        CASE("a.php", "<?php\n", DOCUMENT_SOURCE),
        CASE("a.php", "<html><p>", DOCUMENT_HTML),
        CASE("a.pdf", "%PDF-1.7\n", DOCUMENT_PDF),
        CASE("a.txt", "%PDF-1.7\n", DOCUMENT_PDF),
        CASE("a.pdf", "@PJL SET\n%PDF-1.4\n", DOCUMENT_PDF),
        CASE("a.pdf", "no such thing", DOCUMENT_TEXT),
        CASE("a.docx", "PK\3\4 whatever", DOCUMENT_DOCX),
        CASE("a.docx", "PK\3\4l\0o\0o\0k\0s\0 \0l\0i\0k\0e\0 \0U\0T\0F\0-\0001\0006\0", DOCUMENT_DOCX),
        CASE("a", "PK\3\4..........................[Content_Types].xml...word/document.xml",
             DOCUMENT_DOCX),
        CASE("a.zip", "PK\3\4......[Content_Types].xml ppt/presentation.xml", DOCUMENT_PPTX),
        CASE("a", "PK\3\4......[Content_Types].xml xl/workbook.xml", DOCUMENT_XLSX),
        CASE("a.docx", "PK\3\4..........................mimetypeapplication/epub+zip",
             DOCUMENT_EPUB),
        CASE("a", "PK\3\4..........................mimetype"
                  "application/vnd.oasis.opendocument.spreadsheetPK", DOCUMENT_ODS),
        CASE("a.fods", "<?xml version=\"1.0\"?>\n<office:document xmlns:office=\"x\" "
                       "office:mimetype=\"application/vnd.oasis.opendocument.spreadsheet\">",
             DOCUMENT_ODS),
        CASE("a.xml", "<office:document office:mimetype=\"application/"
                      "vnd.oasis.opendocument.presentation\">", DOCUMENT_ODP),
        CASE("a.txt", "<office:document office:mimetype=\"application/"
                      "vnd.oasis.opendocument.text\">", DOCUMENT_TEXT),
        CASE("a.fodt", "<office:document>", DOCUMENT_TEXT),
        CASE("a.zip", "PK\3\4 whatever", DOCUMENT_ARCHIVE),
        CASE("a.zip", "PK\5\6 empty", DOCUMENT_ARCHIVE),
        CASE("a.txt", "\x1f\x8b\10 gzip", DOCUMENT_ARCHIVE),
        CASE("a.bz2", "BZh91AY&SY", DOCUMENT_ARCHIVE),
        CASE("a.txt", "BZh is short for something", DOCUMENT_TEXT),
        CASE("a.rtf", "{\\rtf1 x}", DOCUMENT_RTF),
        CASE("a.eml", "Subject: x\n\nx", DOCUMENT_EMAIL),
        CASE("1700000.M1P1.host:2,S", "Return-Path: <a@b>\r\nReceived: by x\r\n\tfor y\r\n"
                                      "Subject: z\r\n\r\nx", DOCUMENT_EMAIL),
        CASE("Inbox", "From a@b Mon Jan  1 00:00:00 2024\nFrom: a@b\nDate: x\n\nx",
             DOCUMENT_MBOX),
        CASE("a", "From here on, it is text.\nDate: later\n", DOCUMENT_TEXT),
        CASE("a.mht", "From: x\n\nx", DOCUMENT_MHTML),
        CASE("a.png", "\x89PNG\r\n\x1a\n", DOCUMENT_IMAGE),
        CASE("a.webp", "RIFF....WEBPVP8 ", DOCUMENT_IMAGE),
#undef CASE
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(document_format(cases[i].name, (const uint8_t *)cases[i].start,
                                      cases[i].size) == cases[i].format,
                      "case %zu: %s", i, cases[i].name);
    for (int i = DOCUMENT_TEXT; i < DOCUMENT_N_FORMATS; i++)
        ck_assert_int_eq(document_format_of_name(document_format_name(i)), i);
    ck_assert_int_eq(document_format_of_name("doc"), DOCUMENT_UNKNOWN);
    /* What holds nothing may have no memory. */
    ck_assert_int_eq(document_format("a.eml", NULL, 0), DOCUMENT_EMAIL);
    ck_assert_int_eq(document_format("a", NULL, 0), DOCUMENT_TEXT);
    ck_assert_int_eq(document_format("a.md", (const uint8_t *)"x", 1), DOCUMENT_MARKDOWN);
    ck_assert_int_eq(document_format("a.htm", (const uint8_t *)"x", 1), DOCUMENT_HTML);
    ck_assert_int_eq(document_format("a", (const uint8_t *)"<!DOCTYPE html><p>", 18),
                     DOCUMENT_HTML);
    ck_assert_int_eq(document_format("a", (const uint8_t *)"words", 5), DOCUMENT_TEXT);
    ck_assert_int_eq(document_format("a", (const uint8_t *)"\x7f" "ELF\2\1\1\0\0\0", 10),
                     DOCUMENT_UNKNOWN);
    ck_assert(!document_name_is_promising("x/a.PNG"));
    ck_assert(document_name_is_promising("x/a.txt"));
}
END_TEST

START_TEST(test_lines_are_those_of_the_file)
{
    static const char text[] = "one\r\ntwo\r\n\r\nfour\n";
    struct extract extract_ = { 0 };
    char *four;

    ck_assert_int_eq(extract("a.txt", (const uint8_t *)text, sizeof text - 1, &extract_, &err),
                     ERNIE_OK);
    four = strstr(extract_.text.data, "four");
    ck_assert_ptr_nonnull(four);
    ck_assert_uint_eq(extract_line(&extract_, (size_t)(four - extract_.text.data)), 4);
    ck_assert_uint_eq(extract_line(&extract_, 0), 1);
    extract_reset(&extract_);
}
END_TEST

/* The path of headings above the first place that holds word. */
static void check_heading(const struct extract *extract_, const char *word, const char *path,
                          unsigned page)
{
    const char *at = strstr(extract_->text.data, word);
    const struct section *section;

    ck_assert_msg(at != NULL, "%s in: %s", word, extract_->text.data);
    section = extract_section(extract_, (size_t)(at - extract_->text.data));
    ck_assert_str_eq(extract_heading(extract_, section), path);
    ck_assert_uint_eq(section != NULL ? section->page : 0, page);
}

START_TEST(test_headings_stand_above_what_follows)
{
    static const char *const names[] = { "a.md", "a.html" };
    static const char *const texts[] = {
        "before\n\n# 第1章  备份\n\none\n\n### Deep *er*\n\ntwo\n\n## Next\n\nthree\n\n# 2\n\nfour\n",
        "before<h1>第1章\n备份</h1>one<h3>Deep <i>er</i></h3>two<h2></h2><h2>Next</h2>three<h1>2</h1>four",
    };
    static const char *const first[] = { "第1章 备份", "第1章备份" };

    for (int i = 0; i < 2; i++) {
        struct extract extract_ = { 0 };
        char path[64];

        ck_assert_int_eq(extract(names[i], (const uint8_t *)texts[i], strlen(texts[i]), &extract_,
                                 &err),
                         ERNIE_OK);
        check_heading(&extract_, "before", "", 0);
        check_heading(&extract_, "one", first[i], 0);
        snprintf(path, sizeof path, "%s › Deep er", first[i]);
        check_heading(&extract_, "Deep er", path, 0);
        check_heading(&extract_, "two", path, 0);
        snprintf(path, sizeof path, "%s › Next", first[i]);
        check_heading(&extract_, "three", path, 0);
        check_heading(&extract_, "four", "2", 0);
        extract_reset(&extract_);
    }
}
END_TEST

START_TEST(test_pages_and_named_sections)
{
    struct extract extract_ = { 0 };
    struct writer writer = { .out = &extract_, .line = 1 };
    char name[400];

    memset(name, 'n', sizeof name);
    writer_page(&writer, 1);
    writer_words(&writer, "one", 3);
    writer_heading(&writer, 1, "Sheet", 5);
    writer_words(&writer, "two", 3);
    writer_page(&writer, 2);
    writer_words(&writer, "three", 5);
    writer_heading(&writer, 9, name, sizeof name); /* cut, and of the last level */
    writer_words(&writer, "four", 4);
    writer_heading(&writer, 1, "", 0);
    writer_words(&writer, "five", 4);
    writer_finish(&writer);
    check_heading(&extract_, "one", "", 1);
    check_heading(&extract_, "two", "Sheet", 1);
    check_heading(&extract_, "three", "Sheet", 2);
    memcpy(name, "Sheet › ", 10);
    name[130] = '\0';
    check_heading(&extract_, "four", name, 2);
    check_heading(&extract_, "five", "", 2);
    extract_reset(&extract_);
}
END_TEST

/* ---- chunks ---- */

/* A token a character, which any reader can count. */
static size_t count_characters(void *data, const char *text, size_t size)
{
    size_t n = 0, step;

    (void)data;
    for (size_t i = 0; i < size; i += step, n++)
        utf8_decode(text + i, size - i, &step, NULL);
    return n;
}

static void cut(const char *text, size_t max_tokens, struct chunk_list *list)
{
    memset(list, 0, sizeof *list);
    ck_assert_int_eq(chunk_text(text, strlen(text), NULL, max_tokens, count_characters, NULL, list,
                                &err),
                     ERNIE_OK);
}

START_TEST(test_chunks_are_whole_sentences_that_cover_the_text)
{
    struct chunk_list list;
    char text[8192] = "";

    for (int i = 0; i < 60; i++)
        sprintf(text + strlen(text), "这是第%d句话，说的是第%d件事情。", i, i * 7);
    cut(text, 100, &list);
    ck_assert_uint_gt(list.n, 5);
    ck_assert_uint_eq(list.chunk[0].start, 0);
    ck_assert_uint_eq(list.chunk[list.n - 1].end, strlen(text));
    for (size_t i = 0; i < list.n; i++) {
        const struct chunk *chunk = &list.chunk[i];

        ck_assert_uint_le(count_characters(NULL, text + chunk->start, chunk->end - chunk->start),
                          100);
        ck_assert(memcmp(text + chunk->end - 3, "。", 3) == 0);
        ck_assert(memcmp(text + chunk->start, "这", 3) == 0);
        /* One sentence of overlap. */
        if (i > 0)
            ck_assert_uint_le(chunk->start, list.chunk[i - 1].end);
    }
    chunk_list_reset(&list);
}
END_TEST

/* The first character of each chunk and how long the text from there to its end is. */
static void check_chunks(const char *text, const struct chunk_order *order, size_t max_tokens,
                         size_t n, const char *const *chunks)
{
    struct chunk_list list = { 0 };

    ck_assert_int_eq(chunk_text(text, strlen(text), order, max_tokens, count_characters, NULL,
                                &list, &err),
                     ERNIE_OK);
    for (size_t i = 0; i < list.n && i < n; i++) {
        size_t size = list.chunk[i].end - list.chunk[i].start;

        ck_assert_msg(size == strlen(chunks[i]) &&
                          memcmp(text + list.chunk[i].start, chunks[i], size) == 0,
                      "%zu: '%.*s'", i, (int)size, text + list.chunk[i].start);
    }
    ck_assert_uint_eq(list.n, n);
    chunk_list_reset(&list);
}

START_TEST(test_a_heading_begins_a_chunk)
{
    static const char text[] = "# One\n\nFirst.\n\n## Deeper\n\nSecond sentence of some length.\n\n"
                               "## Next\n\nThird.\n\n# Two\n\n## Below\n\nFourth.\n";
    static const char *const chunks[] = {
        "One\n\nFirst.\n\nDeeper\n\nSecond sentence of some length.", /* a short start goes along */
        "Next\n\nThird.", "Two\n\nBelow\n\nFourth."
    };
    /* When the start is a quarter of a chunk, it is a chunk. */
    static const char *const smaller[] = { "One\n\nFirst.",
                                           "Deeper\n\nSecond sentence of some length.",
                                           "Next\n\nThird.", "Two\n\nBelow\n\nFourth." };
    struct extract out = { 0 };
    struct chunk_order order;

    ck_assert_int_eq(extract("a.md", (const uint8_t *)text, sizeof text - 1, &out, &err), ERNIE_OK);
    order = (struct chunk_order){ .section = out.sections, .n_sections = out.n_sections };
    check_chunks(out.text.data, &order, 100, 3, chunks);
    check_chunks(out.text.data, &order, 40, 4, smaller);
    extract_reset(&out);
}
END_TEST

START_TEST(test_a_page_cuts_no_sentence_and_a_slide_begins_a_chunk)
{
    static const char text[] = "One sentence runs over\nto page two. Another.\n\nThird.\n";
    struct section sections[] = { { .page = 1 }, { .offset = 23, .page = 2 },
                                  { .offset = 46, .page = 3 } };
    struct chunk_order order = { .section = sections, .n_sections = 3 };
    static const char *const whole[] = {
        "One sentence runs over\nto page two. Another.\n\nThird."
    };
    static const char *const slides[] = { "One sentence runs over", "to page two. Another.",
                                          "Third." };

    check_chunks(text, &order, 100, 1, whole);
    order.pages_are_parts = 1;
    check_chunks(text, &order, 100, 3, slides);
}
END_TEST

START_TEST(test_rows_and_functions_stay_whole)
{
    static const char rows[] = "a: One. Two. Three.\na: Four. Five.\na: Six.\n";
    struct chunk_order order = { .lines_are_whole = 1, .headings_are_told = 1 };
    static const char *const of_rows[] = { "a: One. Two. Three.", "a: Four. Five.\na: Six." };
    static const char code[] = "int f(void) {\n    return 1;\n}\n// g\nint g(void) {\n}\n";
    struct section sections[] = { { .level = 1 }, { .offset = 30, .level = 1 } };
    static const char *const functions[] = { "int f(void) {\n    return 1;\n}",
                                             "// g\nint g(void) {\n}" };

    check_chunks(rows, &order, 24, 2, of_rows);
    order = (struct chunk_order){ .section = sections, .n_sections = 2, .headings_are_told = 1 };
    check_chunks(code, &order, 100, 2, functions);
}
END_TEST

START_TEST(test_a_long_sentence_is_cut_between_characters)
{
    struct chunk_list list;
    char text[3001] = "";

    for (int i = 0; i < 1000; i++)
        strcat(text, "长");
    cut(text, 100, &list);
    ck_assert_uint_ge(list.n, 10);
    for (size_t i = 0; i < list.n; i++) {
        ck_assert_uint_eq(list.chunk[i].start % 3, 0);
        ck_assert_uint_eq(list.chunk[i].end % 3, 0);
        ck_assert_uint_le(list.chunk[i].end - list.chunk[i].start, 300);
    }
    chunk_list_reset(&list);
}
END_TEST

START_TEST(test_points_that_end_no_sentence)
{
    static const char text[] = "Dr. Smith paid 3.14 dollars, e.g. for tea. Then he left.";

    size_t end = sentence_end(text, sizeof text - 1, 0);
    size_t then = (size_t)(strstr(text, " Then") - text);

    ck_assert(end == then || end == then + 1); /* the space may go with either */
}
END_TEST

/* What a tokenizer reads of a text with control characters in it. */
static size_t count_letters(void *data, const char *text, size_t size)
{
    size_t n = 0;

    (void)data;
    for (size_t i = 0; i < size; i++)
        n += text[i] >= 'a' && text[i] <= 'z';
    return n;
}

/* The last paragraphs have no tokens: what was taken for them out of the chunk before
 * must not get lost (found by fuzz_chunk). */
START_TEST(test_an_end_without_tokens_takes_nothing_along)
{
    static const char text[] = "\x1b\n\na\x1b\x1b\x1b\n\n\x1b\n\x1b\x1b\x1b\x1b\x1b\x1b";
    struct chunk_list list = { 0 };

    ck_assert_int_eq(chunk_text(text, sizeof text - 1, NULL, 1, count_letters, NULL, &list, &err),
                     ERNIE_OK);
    ck_assert_uint_eq(list.n, 1);
    ck_assert_ptr_nonnull(memchr(text + list.chunk[0].start, 'a',
                                 list.chunk[0].end - list.chunk[0].start));
    chunk_list_reset(&list);
}
END_TEST

START_TEST(test_empty_texts_have_no_chunks)
{
    struct chunk_list list;

    cut("", 100, &list);
    ck_assert_uint_eq(list.n, 0);
    chunk_list_reset(&list);
    cut(" \n\t\n", 100, &list);
    ck_assert_uint_eq(list.n, 0);
    chunk_list_reset(&list);
}
END_TEST

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    static const char *const names[] = { "a.txt", "a.md", "a.html" };
    static const char text[] = "# 标题\n\n<p>Some words.<h2>Heading</h2> And more &amp; more.</p>\n\nThe end.\n";

    for (size_t i = 0; i < 3; i++) {
        int status, k = 0;

        do {
            struct extract extract_ = { 0 };
            struct chunk_list list = { 0 };

            fail_allocations_from(k++);
            status = extract(names[i], (const uint8_t *)text, sizeof text - 1, &extract_, &err);
            if (status == ERNIE_OK)
                status = chunk_text(extract_.text.data, extract_.text.size, NULL, 5, count_characters,
                                    NULL, &list, &err);
            stop_failing();
            ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%s: %d", names[i],
                          status);
            extract_reset(&extract_);
            chunk_list_reset(&list);
        } while (status != ERNIE_OK && k < 1000);
        ck_assert_int_eq(status, ERNIE_OK);
    }
}
END_TEST

static size_t count_until(void *data, const char *text, size_t size)
{
    int *n_left = data;

    return (*n_left)-- > 0 ? count_characters(NULL, text, size) : CHUNK_NO_COUNT;
}

/* Counting may take memory, too: a count that failed is no huge one. */
START_TEST(test_a_counter_without_memory_stops_the_cutting)
{
    static const char text[] = "One two. A sentence that is much, much too long for that.\n\nThree.";
    int status = ERNIE_ENOMEM, n = 0;

    for (; status != ERNIE_OK && n < 1000; n++) {
        struct chunk_list list = { 0 };
        int n_left = n;

        status = chunk_text(text, sizeof text - 1, NULL, 10, count_until, &n_left, &list, &err);
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
        chunk_list_reset(&list);
    }
    ck_assert_int_eq(status, ERNIE_OK);
    ck_assert_int_gt(n, 8);
}
END_TEST

int main(void)
{
    const struct {
        const char *name;
        const TTest *tests[12];
    } cases[] = {
        { "glob",
          { test_patterns_as_in_gitignore, test_the_last_pattern_decides,
            test_a_hostile_pattern_ends } },
        { "walk",
          { test_walk_finds_regular_files_in_order_and_stays_inside,
            test_walk_open_refuses_what_is_not_a_regular_file } },
        { "extract",
          { test_encodings_are_told_apart, test_short_utf16_without_a_mark,
            test_binary_is_not_text, test_markdown, test_html, test_html_nested_very_deep,
            test_formats, test_lines_are_those_of_the_file, test_headings_stand_above_what_follows,
            test_pages_and_named_sections } },
        { "chunk",
          { test_chunks_are_whole_sentences_that_cover_the_text,
            test_a_long_sentence_is_cut_between_characters, test_a_heading_begins_a_chunk,
            test_a_page_cuts_no_sentence_and_a_slide_begins_a_chunk,
            test_rows_and_functions_stay_whole, test_points_that_end_no_sentence,
            test_an_end_without_tokens_takes_nothing_along, test_empty_texts_have_no_chunks,
            test_a_counter_without_memory_stops_the_cutting,
            test_running_out_of_memory_at_each_allocation } },
    };
    Suite *s = suite_create("document");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TCase *tcase = tcase_create(cases[i].name);

        if (strcmp(cases[i].name, "walk") == 0)
            tcase_add_checked_fixture(tcase, make_folder, remove_folder);
        tcase_set_timeout(tcase, 60);
        for (size_t j = 0; j < 12 && cases[i].tests[j] != NULL; j++)
            tcase_add_test(tcase, cases[i].tests[j]);
        suite_add_tcase(s, tcase);
    }
    return run_suite(s);
}
