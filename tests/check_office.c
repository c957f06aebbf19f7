/* src/extractor: Office documents, e-books, mail and RTF as text. What the files of data/office
 * must read as is written here from their sources, and so is what is made here. */
#include <archive.h>
#include <archive_entry.h>
#include <check.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <libxml/xmlmemory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "document/helper.h"
#include "extractor/formats.h"
#include "extractor/package.h"
#include "extractor/properties.h"
#include "faults.h"
#include "suite.h"
#include "zip.h"

typedef int (*extract_fn)(struct writer *, const uint8_t *, size_t, ernie_error *);

static ernie_error err;
static struct extract out;
static struct zip zip;

static void clean(void)
{
    extract_reset(&out);
    memset(&zip, 0, sizeof zip);
}

static int read_bytes(extract_fn read, const void *bytes, size_t size)
{
    struct writer writer = { .out = &out, .line = 1 };
    /* Of its own, so that reading past the end is seen. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    int status;

    extract_reset(&out);
    memcpy(copy, bytes, size);
    status = read(&writer, copy, size, &err);
    free(copy);
    return status;
}

static int read_text(extract_fn read, const char *text)
{
    return read_bytes(read, text, strlen(text));
}

static int read_zip(extract_fn read)
{
    zip_finish(&zip);
    return read_bytes(read, zip.bytes, zip.size);
}

static struct file load(const char *name)
{
    struct file file;
    char path[512];

    snprintf(path, sizeof path, "%s/tests/data/office/%s", getenv("srcdir"), name);
    ck_assert_msg(file_read(path, 1 << 20, &file, &err) == ERNIE_OK, "%s", err.message);
    return file;
}

static void read_file(extract_fn read, const char *name)
{
    struct file file = load(name);

    ck_assert_msg(read_bytes(read, file.data, file.size) == ERNIE_OK, "%s: %s", name, err.message);
    file_reset(&file);
}

static const char *text_of(const struct buffer *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}

static const struct section *section_at(const char *words)
{
    const char *at = strstr(text_of(&out.text), words);

    ck_assert_msg(at != NULL, "%s: not in the text", words);
    return extract_section(&out, (size_t)(at - out.text.data));
}

static const char *heading_at(const char *words)
{
    return extract_heading(&out, section_at(words));
}

static unsigned page_at(const char *words)
{
    const struct section *section = section_at(words);

    return section != NULL ? section->page : 0;
}

#define assert_text(expected) ck_assert_str_eq(text_of(&out.text), expected)

/* ---- documents as LibreOffice and others write them -------------------- */

static const struct {
    const char *name;
    extract_fn read;
} texts[] = {
    { "text.docx", docx_extract },
    { "text.odt", odt_extract },
    { "text.fodt", odt_extract },
    { "text.rtf", rtf_extract },
};

START_TEST(test_one_text_is_the_same_in_each_format)
{
    static const char expected[] = "第1章 备份\n"
                                   "\n"
                                   "每天夜里备份一次数据库。Backups run every night.\n"
                                   "夜里指零点以后。\n"
                                   "\n"
                                   "1.1 工具\n"
                                   "\n"
                                   "常用的工具：\n"
                                   "\n"
                                   "rsync 同步文件\n"
                                   "restic 加密备份\n"
                                   "\n"
                                   "Choose one.\n"
                                   "\n"
                                   "1.2 Schedule\n"
                                   "\n"
                                   "Day | 任务\n"
                                   "Monday | 完整备份\n"
                                   "Tuesday | 增量备份\n"
                                   "\n"
                                   "第2章 恢复\n"
                                   "\n"
                                   "先恢复到一个临时目录，再核对。\n"
                                   "Compare checksums.\n"
                                   "\n"
                                   "First line\n"
                                   "second line and spaces 𠀀 <b>.\n"
                                   "\n"
                                   "Look here now.\n"
                                   "In the box.\n"
                                   "\n"
                                   "Reviewed twice.\n"
                                   "谁来复查？\n";

    read_file(texts[_i].read, texts[_i].name);
    assert_text(expected);
    ck_assert_str_eq(text_of(&out.title), "备份手册 & notes");
    ck_assert_str_eq(text_of(&out.author), "王小明");
    ck_assert_msg(strncmp(out.date, "2024-01-31T08:30", 16) == 0, "%s", out.date);
    if (texts[_i].read != rtf_extract)
        ck_assert_str_eq(out.language, "zh-CN");
    ck_assert_str_eq(heading_at("每天"), "第1章 备份");
    ck_assert_str_eq(heading_at("rsync"), "第1章 备份 › 1.1 工具");
    ck_assert_str_eq(heading_at("Tuesday"), "第1章 备份 › 1.2 Schedule");
    ck_assert_str_eq(heading_at("Compare"), "第2章 恢复");
}
END_TEST

START_TEST(test_a_workbook)
{
    read_file(xlsx_extract, "sheet.xlsx");
    assert_text("日期 | 项目 | 金额 | 比例\n"
                "2024-01-31 | 服务器 | 1234.5 | 0.3\n"
                "2024-02-29 08:30:15 | 硬盘 | TRUE\n"
                "18:45\n"
                "5\n"
                "1900-01-01\n"
                "\n"
                "含税价格\n"
                "\n"
                "all | x<y & z\n");
    ck_assert_str_eq(text_of(&out.title), "预算表");
    ck_assert_str_eq(text_of(&out.author), "李雷");
    ck_assert_str_eq(out.date, "2024-01-31T08:30:00Z");
    ck_assert_str_eq(heading_at("服务器"), "费用 & 预算");
    ck_assert_uint_eq(page_at("服务器"), 1);
    ck_assert_str_eq(heading_at("x<y"), "Totals");
    ck_assert_uint_eq(page_at("x<y"), 2);
}
END_TEST

/* LibreOffice shows dates and currencies itself, and has worked out the formula. It does not share
 * Excel's 29 February 1900, so the first day of that year is another one to it. */
START_TEST(test_an_opendocument_spreadsheet)
{
    read_file(ods_extract, "sheet.ods");
    assert_text("日期 | 项目 | 金额 | 比例\n"
                "2024-01-31 | 服务器 | 1234.5 | 0.3\n"
                "2024-02-29 8:30:15 | 硬盘 | TRUE\n"
                "18:45:00 | 服务器（续）\n"
                "人民币5.00\n"
                "含税价格\n"
                "1899-12-31\n"
                "\n"
                "all | x<y & z\n");
    ck_assert_str_eq(heading_at("服务器"), "费用 & 预算");
    ck_assert_uint_eq(page_at("服务器"), 1);
    ck_assert_str_eq(heading_at("x<y"), "Totals");
    ck_assert_uint_eq(page_at("x<y"), 2);
}
END_TEST

static const struct {
    const char *name;
    extract_fn read;
} slides[] = {
    { "slides.pptx", pptx_extract },
    { "slides.odp", odp_extract },
};

START_TEST(test_slides_in_the_order_they_are_shown)
{
    read_file(slides[_i].read, slides[_i].name);
    assert_text("语义搜索\n"
                "\n"
                "Find by meaning\n"
                "\n"
                "没有标题\n"
                "\n"
                "How it works\n"
                "\n"
                "先切分\n"
                "then embed\n"
                "\n"
                "格00 | 格01\n"
                "格10 | 格11\n"
                "\n"
                "记得演示。\n");
    ck_assert_str_eq(text_of(&out.title), "演示");
    ck_assert_uint_eq(page_at("Find"), 1);
    ck_assert_str_eq(heading_at("Find"), "语义搜索");
    ck_assert_uint_eq(page_at("没有标题"), 2);
    ck_assert_str_eq(heading_at("没有标题"), "");
    ck_assert_uint_eq(page_at("格11"), 3);
    ck_assert_str_eq(heading_at("记得"), "How it works");
}
END_TEST

/* ---- Word's own ways --------------------------------------------------- */

#define W "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
#define OFFICE "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
#define RELATIONS "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>"

static void add_document(const char *namespace, const char *body)
{
    char xml[8192];

    snprintf(xml, sizeof xml,
             "<?xml version='1.0' encoding='UTF-8'?><w:document xmlns:w='%s' "
             "xmlns:mc='http://schemas.openxmlformats.org/markup-compatibility/2006' "
             "xmlns:m='http://schemas.openxmlformats.org/officeDocument/2006/math'>"
             "<w:body>%s</w:body></w:document>",
             namespace, body);
    zip_add_text(&zip, "word/document.xml", xml);
}

static void read_document(const char *body)
{
    clean();
    add_document(W, body);
    ck_assert_msg(read_zip(docx_extract) == ERNIE_OK, "%s", err.message);
}

#define P(text) "<w:p><w:r><w:t>" text "</w:t></w:r></w:p>"
#define STYLED(style, text) \
    "<w:p><w:pPr><w:pStyle w:val='" style "'/></w:pPr><w:r><w:t>" text "</w:t></w:r></w:p>"

START_TEST(test_styles_of_headings)
{
    zip_add_text(&zip, "_rels/.rels",
                 RELATIONS "<Relationship Id='a' Type='" OFFICE
                           "officeDocument' Target='word/document.xml'/></Relationships>");
    zip_add_text(&zip, "word/_rels/document.xml.rels",
                 RELATIONS "<Relationship Id='b' Type='" OFFICE
                           "styles' Target='styles2.xml'/></Relationships>");
    zip_add_text(&zip, "word/styles2.xml",
                 "<w:styles xmlns:w='" W "'>"
                 "<w:style w:type='paragraph' w:styleId='1'><w:name w:val='heading 1'/></w:style>"
                 "<w:style w:type='paragraph' w:styleId='a'><w:name w:val='标题 2'/></w:style>"
                 "<w:style w:type='paragraph' w:styleId='x'><w:name w:val='小节'/>"
                 "<w:basedOn w:val='y'/></w:style>"
                 "<w:style w:type='paragraph' w:styleId='y'><w:name w:val='节'/>"
                 "<w:basedOn w:val='x'/><w:pPr><w:outlineLvl w:val='2'/></w:pPr></w:style>"
                 "<w:style w:type='paragraph' w:styleId='t'><w:name w:val='toc 1'/></w:style>"
                 "</w:styles>");
    add_document(W, STYLED("t", "第一章 ...... 1") STYLED("1", "第一章") STYLED("a", "第二节")
                        STYLED("x", "第三小节") P("正文。")
                        "<w:p><w:pPr><w:pStyle w:val='1'/><w:outlineLvl w:val='9'/></w:pPr>"
                        "<w:r><w:t>Body all the same</w:t></w:r></w:p>");
    ck_assert_msg(read_zip(docx_extract) == ERNIE_OK, "%s", err.message);
    assert_text("第一章\n\n第二节\n\n第三小节\n\n正文。\n\nBody all the same\n");
    ck_assert_str_eq(heading_at("正文"), "第一章 › 第二节 › 第三小节");
    ck_assert_str_eq(heading_at("Body"), "第一章 › 第二节 › 第三小节");
    ck_assert_str_eq(text_of(&out.title), "第一章");
}
END_TEST

START_TEST(test_revisions_as_if_accepted)
{
    read_document("<w:p><w:r><w:t xml:space='preserve'>Pay </w:t></w:r>"
                  "<w:del><w:r><w:delText>monthly</w:delText></w:r></w:del>"
                  "<w:ins><w:r><w:t>weekly</w:t></w:r></w:ins>"
                  "<w:moveFrom><w:r><w:t> moved</w:t></w:r></w:moveFrom><w:r><w:t>.</w:t></w:r></w:p>"
                  "<w:p><w:pPr><w:pStyle w:val='Body'/><w:pPrChange><w:pPr><w:pStyle w:val='Heading1'/>"
                  "</w:pPr></w:pPrChange></w:pPr><w:r><w:t>Was a heading</w:t></w:r></w:p>");
    assert_text("Pay weekly.\n\nWas a heading\n");
    ck_assert_uint_eq(out.n_sections, 0);
}
END_TEST

START_TEST(test_a_text_box_once_behind_its_paragraph)
{
    read_document("<w:p><w:r><w:t>Before </w:t></w:r><w:r><mc:AlternateContent>"
                  "<mc:Choice Requires='wps'><w:txbxContent>" P("In the box") P("第二段")
                  "</w:txbxContent></mc:Choice><mc:Choice Requires='v'>" P("other")
                  "</mc:Choice><mc:Fallback><w:pict><w:txbxContent>" P("In the box")
                  "</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
                  "<w:r><w:t>after.</w:t></w:r></w:p>"
                  "<w:p><mc:AlternateContent><mc:Fallback><w:r><w:t>Only this</w:t></w:r>"
                  "</mc:Fallback></mc:AlternateContent></w:p>");
    assert_text("Before after.\nIn the box\n第二段\n\nOnly this\n");
}
END_TEST

START_TEST(test_small_things_in_a_paragraph)
{
    read_document("<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr>"
                  "<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t>"
                  "<w:softHyphen/><w:sym w:font='Wingdings' w:char='F0E0'/><w:sym w:char='2192'/></w:r>"
                  "<w:r><w:instrText>PAGE</w:instrText></w:r>"
                  "<w:ruby><w:rt><w:r><w:t>bèi</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>备</w:t></w:r>"
                  "</w:rubyBase></w:ruby><m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath>"
                  "<w:hyperlink><w:r><w:t> link &amp; &#x7b2c;</w:t></w:r></w:hyperlink></w:p>");
    assert_text("a b\nc-d→备x=1 link & 第\n");
}
END_TEST

START_TEST(test_tables_with_paragraphs_and_tables_in_cells)
{
    read_document(P("Above") "<w:tbl><w:tr><w:tc>" P("a") P("b") "</w:tc><w:tc>" P("c")
                  "</w:tc></w:tr><w:tr><w:tc><w:p/></w:tc><w:tc><w:tbl><w:tr><w:tc>" P("d")
                  "</w:tc><w:tc>" P("e") "</w:tc></w:tr></w:tbl><w:p/></w:tc></w:tr></w:tbl>" P("Below"));
    assert_text("Above\n\na\nb | c\nd | e\n\nBelow\n");
}
END_TEST

START_TEST(test_strict_documents)
{
    add_document("http://purl.oclc.org/ooxml/wordprocessingml/main", P("Strict"));
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_OK);
    assert_text("Strict\n");
}
END_TEST

/* ---- spreadsheets ------------------------------------------------------ */

#define X "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

static void read_cells(const char *styles, const char *properties, const char *cells)
{
    char xml[4096];

    clean();
    snprintf(xml, sizeof xml,
             "<x:workbook xmlns:x='" X "' xmlns:r='http://schemas.openxmlformats.org/"
             "officeDocument/2006/relationships'>%s<x:sheets><x:sheet name='S' r:id='s'/></x:sheets>"
             "</x:workbook>",
             properties);
    zip_add_text(&zip, "xl/workbook.xml", xml);
    zip_add_text(&zip, "xl/_rels/workbook.xml.rels",
                 RELATIONS "<Relationship Id='s' Type='" OFFICE "worksheet' Target='/xl/sheet.xml'/>"
                           "<Relationship Id='t' Type='" OFFICE "sharedStrings' Target='s.xml'/>"
                           "<Relationship Id='u' Type='" OFFICE
                           "styles' Target='t.xml'/></Relationships>");
    zip_add_text(&zip, "xl/s.xml",
                 "<x:sst xmlns:x='" X "'><x:si><x:r><x:t>北</x:t></x:r><x:r><x:t>京</x:t></x:r>"
                 "<x:rPh><x:t>běi</x:t></x:rPh></x:si><x:si><x:t/></x:si></x:sst>");
    snprintf(xml, sizeof xml, "<x:styleSheet xmlns:x='" X "'>%s</x:styleSheet>", styles);
    zip_add_text(&zip, "xl/t.xml", xml);
    snprintf(xml, sizeof xml,
             "<x:worksheet xmlns:x='" X "'><x:sheetData><x:row>%s</x:row></x:sheetData></x:worksheet>",
             cells);
    zip_add_text(&zip, "xl/sheet.xml", xml);
    ck_assert_msg(read_zip(xlsx_extract) == ERNIE_OK, "%s", err.message);
}

START_TEST(test_values_of_cells)
{
    read_cells("", "",
               "<x:c t='s'><x:v>0</x:v></x:c><x:c t='s'><x:v>1</x:v></x:c><x:c t='s'><x:v>2</x:v></x:c>"
               "<x:c t='inlineStr'><x:is><x:t>in</x:t><x:r><x:t>line</x:t></x:r></x:is></x:c>"
               "<x:c t='str'><x:f>A1&amp;\"x\"</x:f><x:v>formula</x:v></x:c>"
               "<x:c t='b'><x:v>0</x:v></x:c><x:c t='e'><x:v>#REF!</x:v></x:c>"
               "<x:c><x:v>1.1000000000000001</x:v></x:c><x:c><x:v>1E3</x:v></x:c><x:c><x:v>x</x:v></x:c>"
               "<x:c t='d'><x:v>2024-01-31</x:v></x:c><x:c/>");
    assert_text("北京 | inline | formula | FALSE | 1.1 | 1000 | 2024-01-31\n");
}
END_TEST

/* Days by Python: datetime(1899, 12, 30) + timedelta(n). */
START_TEST(test_numbers_that_are_dates)
{
    static const char formats[] =
        "<x:numFmts><x:numFmt numFmtId='176' formatCode='yyyy&quot;年&quot;m&quot;月&quot;'/>"
        "<x:numFmt numFmtId='177' formatCode='[$-804]aaaa'/>"
        "<x:numFmt numFmtId='178' formatCode='[h]:mm'/>"
        "<x:numFmt numFmtId='179' formatCode='0.00E+00;[Red]\\d0'/>"
        "<x:numFmt numFmtId='180' formatCode='G/通用格式&quot;day&quot;'/></x:numFmts>"
        "<x:cellStyleXfs><x:xf numFmtId='14'/></x:cellStyleXfs>"
        "<x:cellXfs><x:xf numFmtId='0'/><x:xf numFmtId='14'/><x:xf numFmtId='22'/>"
        "<x:xf numFmtId='176'/><x:xf numFmtId='177'/><x:xf numFmtId='178'/><x:xf numFmtId='179'/>"
        "<x:xf numFmtId='180'/><x:xf numFmtId='31'/></x:cellXfs>";
    static const char cells[] =
        "<x:c s='0'><x:v>45322</x:v></x:c><x:c s='1'><x:v>45322</x:v></x:c>"
        "<x:c s='2'><x:v>45322.5</x:v></x:c><x:c s='3'><x:v>45351</x:v></x:c>"
        "<x:c s='4'><x:v>2958465</x:v></x:c><x:c s='5'><x:v>1.25</x:v></x:c>"
        "<x:c s='6'><x:v>45322</x:v></x:c><x:c s='7'><x:v>45322</x:v></x:c>"
        "<x:c s='8'><x:v>1</x:v></x:c><x:c s='1'><x:v>61</x:v></x:c><x:c s='1'><x:v>-1</x:v></x:c>"
        "<x:c s='1'><x:v>1e300</x:v></x:c><x:c s='99999'><x:v>7</x:v></x:c>";

    read_cells(formats, "", cells);
    assert_text("45322 | 2024-01-31 | 2024-01-31 12:00 | 2024-02-29 | 9999-12-31 | 30:00 | 45322 | "
                "45322 | 1900-01-01 | 1900-03-01 | -1 | 1e+300 | 7\n");
    read_cells(formats, "<x:workbookPr date1904='1'/>", "<x:c s='1'><x:v>0</x:v></x:c>");
    assert_text("1904-01-01\n");
}
END_TEST

/* ---- OpenDocument ------------------------------------------------------ */

static int read_content(extract_fn read, const char *body)
{
    char xml[8192];

    clean();
    snprintf(xml, sizeof xml,
             "<o:document-content xmlns:o='urn:oasis:names:tc:opendocument:xmlns:office:1.0' "
             "xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0' "
             "xmlns:style='urn:oasis:names:tc:opendocument:xmlns:style:1.0' "
             "xmlns:table='urn:oasis:names:tc:opendocument:xmlns:table:1.0'>%s</o:document-content>",
             body);
    zip_add_text(&zip, "content.xml", xml);
    return read_zip(read);
}

START_TEST(test_cells_that_stand_for_many)
{
    ck_assert_int_eq(
        read_content(ods_extract,
                     "<o:body><o:spreadsheet><table:table table:name='A'><table:table-row>"
                     "<table:table-cell table:number-columns-repeated='2'/>"
                     "<table:table-cell><text:p>a</text:p></table:table-cell>"
                     "<table:table-cell table:number-columns-repeated='3'><text:p>b</text:p>"
                     "</table:table-cell><table:covered-table-cell><text:p>hidden</text:p>"
                     "</table:covered-table-cell>"
                     "<table:table-cell table:number-columns-repeated='16384'/></table:table-row>"
                     "<table:table-row table:number-rows-repeated='1048576'><table:table-cell "
                     "table:number-columns-repeated='999999999999999999999'><text:p>c</text:p>"
                     "</table:table-cell></table:table-row></table:table></o:spreadsheet></o:body>"),
        ERNIE_OK);
    assert_text("a | b | b | b\n"
                "c | c | c | c | c | c | c | c | c | c | c | c | c | c | c | c\n");
}
END_TEST

START_TEST(test_titles_and_contents_of_texts)
{
    ck_assert_int_eq(
        read_content(odt_extract,
                     "<o:automatic-styles><style:style style:name='P1' "
                     "style:parent-style-name='Title'/></o:automatic-styles><o:body><o:text>"
                     "<text:p text:style-name='P1'>大标题</text:p>"
                     "<text:table-of-content><text:index-body><text:p>第一章 1</text:p>"
                     "</text:index-body></text:table-of-content>"
                     "<text:h text:outline-level='2'>小节</text:h>\n<text:p>两行\n的 一段。</text:p>"
                     "</o:text></o:body>"),
        ERNIE_OK);
    assert_text("大标题\n\n小节\n\n两行 的 一段。\n");
    ck_assert_str_eq(heading_at("两行"), "大标题 › 小节");
    ck_assert_str_eq(text_of(&out.title), "大标题");
}
END_TEST

START_TEST(test_encrypted_documents_say_so)
{
    zip_add_text(&zip, "META-INF/manifest.xml",
                 "<m:manifest xmlns:m='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'>"
                 "<m:file-entry><m:encryption-data/></m:file-entry></m:manifest>");
    zip_add_text(&zip, "content.xml", "\x01\x02\x03");
    ck_assert_int_eq(read_zip(odt_extract), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "content.xml: encrypted");
}
END_TEST

/* ---- EPUB -------------------------------------------------------------- */

static void add_book(const char *opf)
{
    zip_add_text(&zip, "mimetype", "application/epub+zip");
    zip_add_text(&zip, "META-INF/container.xml",
                 "<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container'><rootfiles>"
                 "<rootfile full-path='OEBPS/book.opf'/></rootfiles></container>");
    zip_add_text(&zip, "OEBPS/book.opf", opf);
}

static const char book[] =
    "<package xmlns='http://www.idpf.org/2007/opf' xmlns:dc='http://purl.org/dc/elements/1.1/'>"
    "<metadata><dc:title>西游记\n选</dc:title><dc:title>Other</dc:title><dc:creator>吴承恩</dc:creator>"
    "<dc:creator>Editor</dc:creator><dc:language>zh_CN</dc:language><dc:date>1592</dc:date></metadata>"
    "<manifest><item id='b' href='text/%E4%BA%8C.xhtml' media-type='application/xhtml+xml'/>"
    "<item id='a' href='text/one.xhtml' media-type='application/xhtml+xml'/>"
    "<item id='n' href='nav.xhtml' properties='nav' media-type='application/xhtml+xml'/>"
    "<item id='x' href='toc.ncx' media-type='application/x-dtbncx+xml'/></manifest>"
    "<spine toc='x'><itemref idref='n'/><itemref idref='a'/><itemref idref='b'/><itemref idref='a'/>"
    "<itemref idref='none'/></spine></package>";

static void add_chapters(void)
{
    zip_add_text(&zip, "OEBPS/text/one.xhtml",
                 "<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.1//EN' "
                 "'http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd'><html xmlns='http://www.w3.org/1999/"
                 "xhtml'><head><title>file</title></head><body>\n\n<h2>第一回</h2>\n<p>灵根育孕&nbsp;源流出"
                 "</p></body></html>");
    zip_add_text(&zip, "OEBPS/text/二.xhtml", "<html><body><p>Only words here.</p></body></html>");
    zip_add_text(&zip, "OEBPS/nav.xhtml",
                 "<!DOCTYPE html><html xmlns='http://www.w3.org/1999/xhtml'><body><nav><a "
                 "href='text/%E4%BA%8C.xhtml#top'>第二回 &amp; more</a></nav></body></html>");
    zip_add_text(&zip, "OEBPS/toc.ncx",
                 "<!DOCTYPE ncx PUBLIC '-//NISO//DTD ncx 2005-1//EN' 'http://www.daisy.org/z3986/2005/"
                 "ncx-2005-1.dtd'><ncx xmlns='http://www.daisy.org/z3986/2005/ncx/'><navMap><navPoint>"
                 "<navLabel><text>old name</text></navLabel><content src='text/%E4%BA%8C.xhtml'/>"
                 "</navPoint></navMap></ncx>");
}

START_TEST(test_a_book_in_its_order)
{
    add_book(book);
    add_chapters();
    ck_assert_msg(read_zip(epub_extract) == ERNIE_OK, "%s", err.message);
    assert_text("第一回\n\n灵根育孕 源流出\n\nOnly words here.\n");
    ck_assert_str_eq(text_of(&out.title), "西游记 选");
    ck_assert_str_eq(text_of(&out.author), "吴承恩, Editor");
    ck_assert_str_eq(out.language, "zh-CN");
    ck_assert_str_eq(out.date, "1592");
    ck_assert_str_eq(heading_at("灵根"), "第一回");
    ck_assert_str_eq(heading_at("Only"), "第二回 & more");
    ck_assert_uint_eq(extract_line(&out, out.text.size - 1), 1);
}
END_TEST

START_TEST(test_a_book_of_encrypted_chapters)
{
    add_book(book);
    add_chapters();
    zip_add_text(&zip, "META-INF/encryption.xml",
                 "<encryption xmlns='urn:oasis:names:tc:opendocument:xmlns:container' "
                 "xmlns:enc='http://www.w3.org/2001/04/xmlenc#'><enc:EncryptedData><enc:CipherData>"
                 "<enc:CipherReference URI='OEBPS/text/one.xhtml'/></enc:CipherData>"
                 "</enc:EncryptedData></encryption>");
    ck_assert_int_eq(read_zip(epub_extract), ERNIE_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, "encrypted"));
}
END_TEST

/* An item may come behind the spine that names it, which then is not found: not a crash. */
START_TEST(test_a_book_that_is_upside_down)
{
    add_book("<package xmlns='http://www.idpf.org/2007/opf'><spine><itemref idref='a'/></spine>"
             "<manifest><item id='a' href='text/one.xhtml'/></manifest></package>");
    add_chapters();
    ck_assert_int_eq(read_zip(epub_extract), ERNIE_OK);
    assert_text("");
}
END_TEST

/* ---- RTF --------------------------------------------------------------- */

START_TEST(test_rtf_code_pages_and_unicode)
{
    /* "中文" in GBK, "При" in Windows-1251, U+20000 as a pair of surrogates. */
    ck_assert_int_eq(
        read_text(rtf_extract,
                  "{\\rtf1\\ansi\\ansicpg936\\deff0{\\fonttbl{\\f0\\fcharset134 SimSun;}"
                  "{\\f1\\fcharset204 Arial{\\*\\falt x};}{\\f2\\fcharset2 Symbol;}}"
                  "{\\colortbl;\\red0\\green0\\blue0;}\\pard\\plain "
                  "\\'d6\\'d0\\'ce\\'c4 {\\f1 \\'cf\\'f0\\'e8}{\\f2 \\'b7} "
                  "\\uc1\\u20013?\\u-25991\\'3f.{\\uc0\\u-10175\\u-9216}"
                  "{\\uc2\\u25991\\'ce\\'c4}\\emdash\\{\\~\\_\\\\ caf\\u233 e\\line x\\tab y\n"
                  "z\\par}ignored"),
        ERNIE_OK);
    assert_text("中文 При 中驹.𠐀文—{ -\\ café\nx yz\n");
}
END_TEST

START_TEST(test_rtf_destinations)
{
    ck_assert_int_eq(
        read_text(rtf_extract,
                  "{\\rtf1\\ansi{\\stylesheet{\\s0 Normal;}{\\s1\\sbasedon0 heading 1;}"
                  "{\\s2\\outlinelevel1 Mine;}{\\s3 toc 1;}{\\*\\cs4 heading 3;}}"
                  "{\\info{\\upr{\\title ????}{\\*\\ud{\\title \\u22791\\'3f\\u20221?}}}{\\author Li}"
                  "{\\creatim\\yr2024\\mo2\\dy9\\hr23\\min5}{\\revtim\\yr2025\\mo1\\dy1}}"
                  "{\\header head}{\\footer foot}\\pard\\s3 contents 1\\par\\pard\\s1 One\\par"
                  "\\pard\\s2 Two\\par\\pard text{\\*\\footnote \\pard a note\\par} goes"
                  "{\\*\\annotation remark} on{\\deleted gone}.\\par"
                  "{\\field{\\*\\fldinst HYPERLINK \"x\"}{\\fldrslt link}}{\\pict ffd8}"
                  "{\\object{\\*\\objdata 0105}{\\result shown}}{\\*\\unknown{nested}}"
                  "{\\shp{\\*\\shpinst{\\sp{\\sn n}{\\sv v}}{\\shptxt \\pard boxed\\par}}{\\shprslt twice}}"
                  "\\bin5 {{{{{ end\\par}"),
        ERNIE_OK);
    assert_text("One\n\nTwo\n\ntext goes on.\na note\nremark\n\nlinkshown end\nboxed\n");
    ck_assert_str_eq(heading_at("text"), "One › Two");
    ck_assert_str_eq(text_of(&out.title), "备份");
    ck_assert_str_eq(text_of(&out.author), "Li");
    ck_assert_str_eq(out.date, "2024-02-09T23:05");
}
END_TEST

START_TEST(test_rtf_tables_and_lists)
{
    ck_assert_int_eq(
        read_text(rtf_extract,
                  "{\\rtf1 above\\par\\trowd\\pard\\intbl a\\cell b\\par b2\\cell\\row"
                  "\\pard\\intbl c\\cell\\cell\\row\\pard below\\par"
                  "\\pard\\ls1{\\listtext 1.}one\\par\\pard\\ls1{\\listtext 2.}two\\par\\pard end}"),
        ERNIE_OK);
    assert_text("above\n\na | b\nb2\nc\n\nbelow\n\none\ntwo\n\nend\n");
}
END_TEST

/* ---- mail -------------------------------------------------------------- */

static struct {
    char name[128];
    char start[32];
    size_t size;
} members[16];
static size_t n_members;

static int keep_member(void *data, const char *name, const uint8_t *bytes, size_t size,
                       ernie_error *error)
{
    (void)data, (void)error;
    ck_assert_uint_lt(n_members, 16);
    snprintf(members[n_members].name, sizeof members[0].name, "%s", name);
    snprintf(members[n_members].start, sizeof members[0].start, "%.*s", (int)size,
             (const char *)bytes);
    members[n_members++].size = size;
    return ERNIE_OK;
}

static int read_mail(struct writer *writer, const uint8_t *bytes, size_t size, ernie_error *error)
{
    n_members = 0;
    return mail_extract(writer, bytes, size, keep_member, NULL, error);
}

#define HEADERS                                                                             \
    "From: =?gb2312?B?zfXQocP3?= <wang@example.org>\r\nTo: Jane <jane@example.org>,\r\n b@c.d\r\n" \
    "Subject: =?utf-8?q?=E5=85=B3=E4=BA=8E?=\r\n =?utf-8?b?5pS26I63?= / harvest\r\n"         \
    "Date: Wed, 31 Jan 2024 08:30:00 +0800\r\nMIME-Version: 1.0\r\n"

START_TEST(test_a_mail_with_attachments)
{
    ck_assert_int_eq(
        read_text(read_mail,
                  HEADERS "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
                          "--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n"
                          "--y\r\nContent-Type: text/plain; charset=gb18030\r\n"
                          "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                          "=C4=E3=BA=C3=A3=BA\r\n  indented\r\n"
                          "--y\r\nContent-Type: text/html\r\n\r\n<p>web</p>\r\n--y--\r\n"
                          "--x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; "
                          "filename*=utf-8''%E6%8A%A5%E5%91%8A.pdf\r\n"
                          "Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQ=\r\n"
                          "--x\r\nContent-Type: image/gif\r\n\r\nGIF89a\r\n"
                          "--x\r\nContent-Type: application/zip\r\n\r\nPK\r\n"
                          "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: a/b\r\n\r\ninner\r\n"
                          "--x--\r\n"),
        ERNIE_OK);
    assert_text("关于收获 / harvest\n"
                "\n"
                "From: 王小明 <wang@example.org>\n"
                "To: Jane <jane@example.org>, b@c.d\n"
                "\n"
                "你好：\n"
                "  indented\n"
                "\n"
                "Attachment: 报告.pdf\n");
    ck_assert_str_eq(text_of(&out.title), "关于收获 / harvest");
    ck_assert_str_eq(text_of(&out.author), "王小明");
    ck_assert_str_eq(out.date, "2024-01-31T08:30:00+08:00");
    ck_assert_uint_eq(n_members, 3);
    ck_assert_str_eq(members[0].name, "报告.pdf");
    ck_assert_str_eq(members[0].start, "%PDF-1.4");
    ck_assert_str_eq(members[1].name, "part 2");
    ck_assert_str_eq(members[2].name, "3 a_b.eml");
    ck_assert_ptr_nonnull(strstr(members[2].start, "Subject: a/b"));
}
END_TEST

/* Phones call every picture alike. */
START_TEST(test_attachments_of_one_name)
{
    ck_assert_int_eq(read_text(read_mail, "Content-Type: multipart/mixed; boundary=x\n\n"
                                          "--x\nContent-Type: a/b; name=i.png\n\n1\n"
                                          "--x\nContent-Type: a/b; name=.i\n\n2\n"
                                          "--x\nContent-Type: a/b; name=i.png\n\n3\n"
                                          "--x\nContent-Type: a/b; name=.i\n\n4\n--x--\n"),
                     ERNIE_OK);
    ck_assert_uint_eq(n_members, 4);
    ck_assert_str_eq(members[0].name, "i.png");
    ck_assert_str_eq(members[1].name, ".i");
    ck_assert_str_eq(members[2].name, "i 3.png");
    ck_assert_str_eq(members[3].name, ".i 4");
    ck_assert_str_eq(members[3].start, "4");
}
END_TEST

START_TEST(test_the_web_version_where_the_plain_one_is_empty)
{
    ck_assert_int_eq(read_text(read_mail, "Subject: s\n"
                                          "Content-Type: multipart/alternative; boundary=y\n\n"
                                          "--y\nContent-Type: text/plain\n\n \n\n"
                                          "--y\nContent-Type: multipart/related; boundary=z\n\n"
                                          "--z\nContent-Type: text/html; charset=utf-8\n\n"
                                          "<title>t</title><p>只有<b>网页</b></p>\n"
                                          "--z\nContent-Type: image/png\nContent-ID: <i>\n\nPNG\n"
                                          "--z--\n--y--\n"),
                     ERNIE_OK);
    assert_text("s\n\n只有网页\n");
    ck_assert_int_eq(read_text(read_mail, ""), ERNIE_EFORMAT);
    ck_assert_uint_eq(n_members, 0);
}
END_TEST

START_TEST(test_mail_that_says_nothing_of_its_charset)
{
    /* "标题" and "今天的天气很好，我们去公园。" in GBK, in a header as well. */
    ck_assert_int_eq(read_text(read_mail, "Subject: \xb1\xea\xcc\xe2\n\n"
                                          "\xbd\xf1\xcc\xec\xb5\xc4\xcc\xec\xc6\xf8\xba\xdc\xba\xc3\xa3\xac"
                                          "\xce\xd2\xc3\xc7\xc8\xa5\xb9\xab\xd4\xb0\xa1\xa3\n"),
                     ERNIE_OK);
    assert_text("标题\n\n今天的天气很好，我们去公园。\n");
    ck_assert_int_eq(read_text(read_mail, "Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\n"
                                          "Content-Type: text/plain; charset=iso-2022-jp\n\n"
                                          "\x1b$BF|K\\\x1b(B\n"),
                     ERNIE_OK);
    assert_text("日本\n\n日本\n");
}
END_TEST

START_TEST(test_a_type_without_a_subtype_is_plain_text)
{
    static const char *const types[] = { "text", "Text; charset=utf-8", "", "nonsense; a=b/c" };
    char mail[256];

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        n_members = 0;
        snprintf(mail, sizeof mail, "Subject: old\nContent-Type: %s\n\nBread <b> 面包。\n",
                 types[i]);
        ck_assert_int_eq(read_text(read_mail, mail), ERNIE_OK);
        assert_text("old\n\nBread <b> 面包。\n");
        ck_assert_uint_eq(n_members, 0);
    }
}
END_TEST

START_TEST(test_flowed_lines_are_joined)
{
    ck_assert_int_eq(read_text(read_mail, "Subject: f\nContent-Type: text/plain; format=flowed\n\n"
                                          "One \nparagraph.\nTwo \n> quoted \n> on\n-- \nname \n"),
                     ERNIE_OK);
    assert_text("f\n\nOne paragraph.\nTwo \n> quoted \n> on\n-- \nname\n");
    ck_assert_int_eq(
        read_text(read_mail, "Subject: f\nContent-Type: text/plain; format=flowed; delsp=yes; "
                             "charset=utf-8\n\n一个 \n段落。\n"),
        ERNIE_OK);
    assert_text("f\n\n一个段落。\n");
}
END_TEST

START_TEST(test_a_folder_of_mail)
{
    static const char folder[] = "From a@b Wed Jan 31 08:30:00 2024\n"
                                 "Subject: one\n\nFrom here on, text.\n\nFrom there as well.\n\n"
                                 "From c@d Thu Feb  1 09:00:00 2024\n"
                                 "Subject: =?utf-8?q?=E4=BA=8C?=\n\ntwo\n\n"
                                 "From e@f Fri Feb  2 10:00:00 2024\n\nno headers\n";

    n_members = 0;
    ck_assert_int_eq(mbox_extract((const uint8_t *)folder, sizeof folder - 1, keep_member, NULL,
                                  &err),
                     ERNIE_OK);
    ck_assert_uint_eq(n_members, 3);
    ck_assert_str_eq(members[0].name, "1 one.eml");
    ck_assert_uint_eq(members[0].size, strlen("Subject: one\n\nFrom here on, text.\n\nFrom there as "
                                              "well.\n\n"));
    ck_assert_str_eq(members[1].name, "2 二.eml");
    ck_assert_str_eq(members[2].name, "3.eml");
    ck_assert_int_eq(mbox_extract((const uint8_t *)"Subject: x\n\n", 12, keep_member, NULL, &err),
                     ERNIE_EFORMAT);
}
END_TEST

START_TEST(test_a_saved_page)
{
    ck_assert_int_eq(
        read_text(mhtml_extract,
                  "From: <Saved by Blink>\nSubject: in the subject\nDate: Thu, 1 Feb 2024 00:00:00 -0000\n"
                  "Content-Type: multipart/related; type=\"text/html\"; start=\"<b@x>\"; boundary=z\n\n"
                  "--z\nContent-Type: text/html\nContent-ID: <a@x>\n\n<p>a frame</p>\n"
                  "--z\nContent-Type: text/html; charset=gbk\nContent-ID: <b@x>\n"
                  "Content-Transfer-Encoding: quoted-printable\n\n"
                  "<title>=D5=E6</title><h1>=D2=BB</h1><p>body</p>\n--z--\n"),
        ERNIE_OK);
    assert_text("一\n\nbody\n");
    ck_assert_str_eq(text_of(&out.title), "真");
    ck_assert_str_eq(text_of(&out.author), "");
    ck_assert_str_eq(out.date, "2024-02-01T00:00:00Z");
    ck_assert_int_eq(read_text(mhtml_extract, "Subject: x\n\nno page\n"), ERNIE_EFORMAT);
}
END_TEST

/* ---- properties and names ---------------------------------------------- */

START_TEST(test_dates_as_documents_state_them)
{
    static const struct {
        const char *text, *date;
    } cases[] = {
        { "2024", "2024" },
        { "2024-01", "2024-01" },
        { "2024-01-31", "2024-01-31" },
        { " 2024-01-31T08:30:00Z", "2024-01-31T08:30:00Z" },
        { "2024-01-31T08:30:00.123456789", "2024-01-31T08:30:00" },
        { "2024-01-31T08:30:00.5+08:00", "2024-01-31T08:30:00+08:00" },
        { "2024-01-31T08:30+08:00", "2024-01-31T08:30+08:00" },
        { "2024-01-31T08", "2024-01-31" },
        { "31.1.2024", "" },
        { "0000-00-00", "" },
        { "", "" },
        { "today", "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(out.date, 0, sizeof out.date);
        properties_set_date(&out, cases[i].text, strlen(cases[i].text));
        ck_assert_str_eq(out.date, cases[i].date);
    }
}
END_TEST

START_TEST(test_languages_and_lines)
{
    char line[3010];

    properties_set_language(&out, "zh_CN\n", 6);
    ck_assert_str_eq(out.language, "zh-CN");
    properties_set_language(&out, "<script>", 8);
    properties_set_language(&out, "a-very-long-language-tag", 24);
    ck_assert_str_eq(out.language, "zh-CN");
    properties_set_line(&out.title, " a\t\n b\xff ", 8);
    ck_assert_str_eq(text_of(&out.title), "a b\xef\xbf\xbd");
    properties_set_line(&out.title, " \n", 2);
    ck_assert_str_eq(text_of(&out.title), "a b\xef\xbf\xbd");
    /* Spaces that are taken out must not make the cut fall within a character. */
    for (size_t i = 0; i < sizeof line; i++)
        line[i] = i < 10 ? ' ' : "一"[(i - 10) % 3];
    properties_set_line(&out.title, line, sizeof line);
    ck_assert(out.title.size >= 1000 && out.title.size < 1004);
    ck_assert(utf8_valid(out.title.data, out.title.size));
}
END_TEST

START_TEST(test_references_between_parts)
{
    static const struct {
        const char *from, *reference, *name;
    } cases[] = {
        { "", "word/document.xml", "word/document.xml" },
        { "word/document.xml", "styles.xml", "word/styles.xml" },
        { "word/document.xml", "/xl/a.xml", "xl/a.xml" },
        { "a/b/c.xml", "../d.xml#x", "a/d.xml" },
        { "a/b/c.xml", "./d//e.xml", "a/b/d/e.xml" },
        { "a/b.xml", "../../d.xml", "" },
        { "a.xml", "%e4%b8%80%2F.x", "一/.x" },
        { "a.xml", "b\\c.xml", "b/c.xml" },
        { "a.xml", "%00", "" },
        { "a/b.xml", "", "a/" },
        { "a/b.xml", "0123456789012345678901234567890123456789", "" },
    };
    char name[32];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        package_resolve(cases[i].from, cases[i].reference, name, sizeof name);
        ck_assert_msg(strcmp(name, cases[i].name) == 0, "%s %s: %s", cases[i].from,
                      cases[i].reference, name);
    }
}
END_TEST

/* ---- hostile ----------------------------------------------------------- */

static void add_xml_document(const char *xml)
{
    clean();
    zip_add_text(&zip, "word/document.xml", xml);
}

START_TEST(test_document_types_are_refused)
{
    add_xml_document("<!DOCTYPE w [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><w>&b;</w>");
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "word/document.xml: has a document type");
    add_xml_document("<!DOCTYPE w SYSTEM 'file:///etc/passwd'><w/>");
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_EFORMAT);
    add_xml_document("<w>&none;</w>");
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_EFORMAT);
}
END_TEST

/* A book may have a document type, and still no entities of its own. */
START_TEST(test_entities_of_books_are_refused)
{
    add_book("<!DOCTYPE package [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><package "
             "xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>&x;</dc:title></package>");
    ck_assert_int_eq(read_zip(epub_extract), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "OEBPS/book.opf: declares entities");
}
END_TEST

START_TEST(test_elements_nested_too_deep)
{
    static char xml[80000];
    size_t n = 0;

    for (int i = 0; i < 10000; i++)
        n += (size_t)sprintf(xml + n, "<a>");
    for (int i = 0; i < 10000; i++)
        n += (size_t)sprintf(xml + n, "</a>");
    add_xml_document(xml);
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_EFORMAT);
}
END_TEST

/* A part whose bytes are another part, with its header and all. */
START_TEST(test_tags_with_very_many_attributes)
{
    static char xml[200000];
    size_t n = (size_t)sprintf(xml, "<a");

    for (int i = 0; i < 10000; i++)
        n += (size_t)sprintf(xml + n, " a%d = ''", i);
    sprintf(xml + n, "/>");
    add_xml_document(xml);
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "word/document.xml: a tag with more than 1000 attributes");
}
END_TEST

/* GMime calls itself for each. */
START_TEST(test_groups_of_addresses_in_groups)
{
    static char mail[2100000];
    size_t n = (size_t)sprintf(mail, "Subject: s\ncC :");

    for (int i = 0; i < 500000; i++)
        n += (size_t)sprintf(mail + n, i % 1000 == 999 ? "a:\n " : "a:");
    sprintf(mail + n, "\n\ntext\n");
    ck_assert_int_eq(read_text(read_mail, mail), ERNIE_EFORMAT);
    ck_assert_int_eq(read_text(read_mail, "To: friends: a@b.c;, d: e@f.g;\n\ntext\n"), ERNIE_OK);
    assert_text("To: friends: a@b.c;, d: e@f.g;\n\ntext\n");
}
END_TEST

START_TEST(test_parts_that_lie_over_each_other)
{
    static struct zip inner;
    size_t offset;

    memset(&inner, 0, sizeof inner);
    zip_add(&inner, "word/b.xml", "<a/>", 4);
    add_document(W, P("text"));
    offset = zip.size + 30 + strlen("word/a.xml");
    zip_add(&zip, "word/a.xml", inner.bytes, inner.size);
    zip_add_entry(&zip, "word/b.xml", zip_crc((const uint8_t *)"<a/>", 4), 4, offset);
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, "lies over"));
}
END_TEST

START_TEST(test_sizes_and_places_that_lie)
{
    static const struct {
        size_t at; /* of the directory's first entry */
        uint32_t value;
    } lies[] = { { 20, 1u << 30 }, { 20, 0xffffffff }, { 24, 1u << 30 },
                 { 24, 0xffffffff }, { 42, 1u << 30 }, { 42, 7 }, { 28, 0xffff }, { 16, 12345 } };

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        int status;

        clean();
        add_document(W, P("text"));
        zip_put(zip.directory + lies[i].at, lies[i].value, 4);
        status = read_zip(docx_extract);
        /* The header in front of the part's bytes may tell the truth. */
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_EFORMAT, "%zu: %d", i, status);
        if (status == ERNIE_OK)
            assert_text("text\n");
    }
}
END_TEST

START_TEST(test_more_entries_than_a_document_has)
{
    static struct zip many;
    char name[32];

    add_document(W, P("text"));
    for (int i = 1; i < PACKAGE_MAX_ENTRIES; i++) {
        snprintf(name, sizeof name, "%d", i);
        zip_add(&zip, name, "", 0);
    }
    many = zip;
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_OK);
    assert_text("text\n");
    zip = many;
    zip_add(&zip, "one more", "", 0);
    ck_assert_int_eq(read_zip(docx_extract), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "package: more than 4096 entries");
}
END_TEST

/* A zip file whose one part is n times a piece [size], compressed. */
static size_t deflate(char *to, size_t capacity, const char *name, const char *piece, size_t size,
                      size_t n)
{
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    size_t used;

    ck_assert_int_eq(archive_write_set_format_zip(archive), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_open_memory(archive, to, capacity, &used), ARCHIVE_OK);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    ck_assert_int_eq(archive_write_header(archive, entry), ARCHIVE_OK);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(archive_write_data(archive, piece, size), (la_ssize_t)size);
    archive_entry_free(entry);
    ck_assert_int_eq(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
    return used;
}

/* One of n MiB of the same letter, compressed a thousand times. */
static size_t make_bomb(char *to, size_t capacity, const char *name, size_t n)
{
    static char mebibyte[1 << 20];

    memset(mebibyte, 'a', sizeof mebibyte);
    return deflate(to, capacity, name, mebibyte, sizeof mebibyte, n);
}

START_TEST(test_bombs_are_put_out_early)
{
    static char bomb[1 << 20];
    size_t size = make_bomb(bomb, sizeof bomb, "word/document.xml", 20);

    ck_assert_int_eq(read_bytes(docx_extract, bomb, size), ERNIE_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.message, "more than 200 times"));
    /* What is not read is not inflated. */
    size = make_bomb(bomb, sizeof bomb, "word/media/image1.bmp", 20);
    ck_assert_int_eq(read_bytes(docx_extract, bomb, size), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "word/document.xml: missing");
}
END_TEST

/* A string of 100 KB that a thousand cells share is 100 MB of text. */
START_TEST(test_text_that_grows_out_of_little)
{
    static char strings[110000], cells[120000];
    size_t n;

    n = (size_t)sprintf(strings, "<x:sst xmlns:x='" X "'><x:si><x:t>");
    for (int i = 0; i < 20000; i++)
        n += (size_t)sprintf(strings + n, "word ");
    sprintf(strings + n, "</x:t></x:si></x:sst>");
    n = (size_t)sprintf(cells, "<x:worksheet xmlns:x='" X "'><x:row>");
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(cells + n, "<x:c t='s'><x:v>0</x:v></x:c>");
    sprintf(cells + n, "</x:row></x:worksheet>");
    zip_add_text(&zip, "xl/workbook.xml",
                 "<x:workbook xmlns:x='" X "' xmlns:r='http://schemas.openxmlformats.org/"
                 "officeDocument/2006/relationships'><x:sheet name='S' r:id='s'/></x:workbook>");
    zip_add_text(&zip, "xl/_rels/workbook.xml.rels",
                 RELATIONS "<Relationship Id='s' Type='" OFFICE "worksheet' Target='sheet.xml'/>"
                           "<Relationship Id='t' Type='" OFFICE
                           "sharedStrings' Target='s.xml'/></Relationships>");
    zip_add_text(&zip, "xl/s.xml", strings);
    zip_add_text(&zip, "xl/sheet.xml", cells);
    ck_assert_int_eq(read_zip(xlsx_extract), ERNIE_EFORMAT);
    ck_assert_str_eq(err.message, "xl/sheet.xml: the text grows past 64 MiB");
}
END_TEST

/* Sheets are not held, so that one may be longer than any part that is: 200,000 rows, 70 MB. */
START_TEST(test_a_sheet_that_is_too_long_to_hold)
{
    static const char head[] =
        "<o:document-content xmlns:o='urn:oasis:names:tc:opendocument:xmlns:office:1.0' "
        "xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0' "
        "xmlns:table='urn:oasis:names:tc:opendocument:xmlns:table:1.0'>"
        "<o:body><o:spreadsheet><table:table table:name='A'>";
    static const char tail[] = "</table:table></o:spreadsheet></o:body></o:document-content>";
    static char packed[1 << 25];
    struct buffer xml = { 0 };
    size_t size;

    buffer_append_text(&xml, head);
    for (unsigned i = 0; i < 200000; i++) {
        buffer_append_text(&xml, "<table:table-row>");
        for (unsigned j = 0; j < 5; j++)
            buffer_printf(&xml, "<table:table-cell><text:p>%u</text:p></table:table-cell>",
                          (i * 5 + j) * 2654435761u);
        buffer_append_text(&xml, "</table:table-row>\n");
    }
    buffer_append_text(&xml, tail);
    ck_assert_uint_gt(xml.size, PACKAGE_MAX_PART_BYTES);
    size = deflate(packed, sizeof packed, "content.xml", xml.data, xml.size, 1);
    ck_assert_msg(read_bytes(ods_extract, packed, size) == ERNIE_OK, "%s", err.message);
    ck_assert_ptr_nonnull(strstr(text_of(&out.text), "\n3850874315 | 2210342780 | 569811245 | "
                                                     "3224247006 | 1583715471\n"));
    buffer_reset(&xml);
}
END_TEST

/* The files of data/office and mail, for what is tried on every format. */
static struct {
    const char *name;
    extract_fn read;
} const files[] = {
    { "text.docx", docx_extract },   { "text.odt", odt_extract },   { "text.rtf", rtf_extract },
    { "text.fodt", odt_extract },    { "sheet.xlsx", xlsx_extract },  { "sheet.ods", ods_extract },  { "slides.pptx", pptx_extract },
    { "slides.odp", odp_extract },
};

static void check_truncated(extract_fn read, const uint8_t *bytes, size_t size)
{
    const size_t step = size / 500 + 1;

    for (size_t n = 0; n < size; n += step) {
        int status = read_bytes(read, bytes, n);

        ck_assert_msg(status == ERNIE_OK || status == ERNIE_EFORMAT, "%zu bytes: %d", n, status);
        ck_assert(utf8_valid(text_of(&out.text), out.text.size));
    }
}

START_TEST(test_files_that_are_cut_off)
{
    struct file file = load(files[_i].name);

    check_truncated(files[_i].read, file.data, file.size);
    file_reset(&file);
}
END_TEST

START_TEST(test_files_with_a_wrong_byte)
{
    struct file file = load(files[_i].name);
    const size_t step = file.size / 500 + 1;

    for (size_t n = 0; n < file.size; n += step) {
        int status;

        file.data[n] ^= 0x10;
        status = read_bytes(files[_i].read, file.data, file.size);
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_EFORMAT, "byte %zu: %d", n, status);
        ck_assert(utf8_valid(text_of(&out.text), out.text.size));
        file.data[n] ^= 0x10;
    }
    file_reset(&file);
}
END_TEST

struct heard {
    int n;
    struct buffer text, title;
};

static int hear(void *data, const struct helper_document *document, ernie_error *error)
{
    struct heard *heard = data;

    (void)error;
    ck_assert_msg(document->extract != NULL, "%s: %s", document->name, document->failure);
    heard->n++;
    buffer_append(&heard->text, document->extract->text.data, document->extract->text.size);
    buffer_append(&heard->title, document->extract->title.data, document->extract->title.size);
    return ERNIE_OK;
}

/* Confined as they are, the helper programs read what the functions read. */
static void check_program(const char *path, const char *name, enum document_format format)
{
    const char *folder = getenv("builddir");
    struct helper helper = { 0 };
    struct heard heard = { 0 };
    int fd = open(path, O_RDONLY);

    folder = folder != NULL ? folder : ".";
    helper.folder = memory_copy_text(folder, strlen(folder));
    ck_assert_msg(helper_extract(&helper, fd, name, format, hear, &heard, &err) == ERNIE_OK,
                  "%s: %s", name, err.message);
    close(fd);
    ck_assert_int_eq(heard.n, 1);
    ck_assert_str_eq(text_of(&heard.text), text_of(&out.text));
    ck_assert_str_eq(text_of(&heard.title), text_of(&out.title));
    buffer_reset(&heard.text);
    buffer_reset(&heard.title);
    helper_reset(&helper);
}

/* Cells of a table, which Poppler has as one line without a space. */
START_TEST(test_words_of_a_pdf_that_stand_apart)
{
    static const char words[] =
        "BT/F 12 Tf 72 700 Td(VAR)Tj 120 0 Td(TYPE)Tj 120 0 Td(MEANING)Tj -240 -30 Td"
        "(nameString)Tj 120 0 Td(value)Tj 120 0 Td(a name)Tj -240 -30 Td"
        "(size)Tj 120 0 Td(int)Tj 120 0 Td(in bytes)Tj ET";
    const char *folder = getenv("builddir");
    char path[] = "/tmp/check_office.XXXXXX", program[512];
    FILE *file = fdopen(mkstemp(path), "w");

    snprintf(program, sizeof program, "%s/ernie-extract-pdf", folder != NULL ? folder : ".");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
            "2 0 obj<</Type/Pages/Kids[4 0 R]/Count 1/MediaBox[0 0 600 800]"
            "/Resources<</Font<</F 3 0 R>>>>>>endobj\n"
            "3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
            "4 0 obj<</Type/Page/Parent 2 0 R/Contents 5 0 R>>endobj\n"
            "5 0 obj<</Length %zu>>stream\n%s\nendstream endobj\n"
            "trailer<</Size 6/Root 1 0 R>>\n%%%%EOF\n",
            strlen(words), words);
    fclose(file);
    buffer_append_text(&out.text, "VAR TYPE MEANING\nnameString value a name\nsize int in bytes\n");
    if (access(program, X_OK) == 0) /* else it is built without Poppler */
        check_program(path, "a.pdf", DOCUMENT_PDF);
    unlink(path);
}
END_TEST

START_TEST(test_files_through_the_confined_program)
{
    static const enum document_format formats[] = {
        DOCUMENT_DOCX, DOCUMENT_ODT,  DOCUMENT_RTF, DOCUMENT_ODT,  DOCUMENT_XLSX,
        DOCUMENT_ODS,  DOCUMENT_PPTX, DOCUMENT_ODP,
    };
    char path[512];

    read_file(files[_i].read, files[_i].name);
    snprintf(path, sizeof path, "%s/tests/data/office/%s", getenv("srcdir"), files[_i].name);
    check_program(path, files[_i].name, formats[_i]);
}
END_TEST

/* A mail whose header and text are in charsets that the system reads from files, which it may not
 * then, and a book whose names are Chinese. */
START_TEST(test_charsets_in_the_confined_program)
{
    static const char mail[] = "Subject: =?gb2312?B?zfXQocP3?= =?iso-8859-15?q?caf=E9?= "
                               "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?euc-kr?B?x9HH0Q==?=\n"
                               "Content-Type: text/plain; charset=big5\n\n\xa4\xa4\xa4\xe5\n";
    char path[] = "/tmp/check_office.XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, mail, sizeof mail - 1), sizeof mail - 1);
    close(fd);
    ck_assert_int_eq(read_text(read_mail, mail), ERNIE_OK);
    assert_text("王小明café日本한한\n\n中文\n");
    check_program(path, "a.eml", DOCUMENT_EMAIL);
    add_book(book);
    add_chapters();
    ck_assert_int_eq(read_zip(epub_extract), ERNIE_OK);
    fd = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write(fd, zip.bytes, zip.size), (ssize_t)zip.size);
    close(fd);
    check_program(path, "a.epub", DOCUMENT_EPUB);
    unlink(path);
}
END_TEST

static void fail_each_allocation(extract_fn read, const void *bytes, size_t size)
{
    int status, k = 0;

    do {
        extract_reset(&out);
        fail_allocations_from(k++);
        status = read_bytes(read, bytes, size);
        stop_failing();
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "allocation %d: %d, %s", k,
                      status, err.message);
    } while (status != ERNIE_OK && k < 2000);
    ck_assert_int_eq(status, ERNIE_OK);
}

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    struct file file = load(files[_i].name);

    fail_each_allocation(files[_i].read, file.data, file.size);
    file_reset(&file);
}
END_TEST

START_TEST(test_running_out_of_memory_in_books_and_mail)
{
    static const char mail[] = HEADERS "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
                                       "--x\r\nContent-Type: text/plain; charset=gbk\r\n\r\n"
                                       "\xc4\xe3\xba\xc3\r\n"
                                       "--x\r\nContent-Type: text/html\r\n\r\n<h1>a</h1>\r\n"
                                       "--x\r\nContent-Type: a/b; name=c\r\n\r\nd\r\n--x--\r\n";
    static const char page[] = "Subject: x\nContent-Type: text/html\n\n<p>page</p>\n";

    add_book(book);
    add_chapters();
    zip_finish(&zip);
    fail_each_allocation(epub_extract, zip.bytes, zip.size);
    n_members = 0;
    fail_each_allocation(read_mail, mail, sizeof mail - 1);
    fail_each_allocation(mhtml_extract, page, sizeof page - 1);
}
END_TEST

/* libxml2 keeps memory of its own. */
static int xml_n_left;

static void *xml_malloc(size_t size)
{
    return xml_n_left-- > 0 ? malloc(size) : NULL;
}

static void *xml_realloc(void *block, size_t size)
{
    return xml_n_left-- > 0 ? realloc(block, size) : NULL;
}

static char *xml_strdup(const char *text)
{
    return xml_n_left-- > 0 ? strdup(text) : NULL;
}

START_TEST(test_running_out_of_memory_in_libxml2)
{
    struct file file = load("text.docx");
    int status = ERNIE_ENOMEM;
    char *expected;

    ck_assert_int_eq(read_bytes(docx_extract, file.data, file.size), ERNIE_OK);
    expected = buffer_take(&out.text);
    xmlCleanupParser();
    ck_assert_int_eq(xmlMemSetup(free, xml_malloc, xml_realloc, xml_strdup), 0);
    for (int k = 0; status != ERNIE_OK && k < 20000; k += 1 + k / 100) {
        xml_n_left = k;
        status = read_bytes(docx_extract, file.data, file.size);
        /* What it cannot open for want of memory it calls broken here and there. */
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM || status == ERNIE_EFORMAT,
                      "allocation %d: %d", k, status);
    }
    assert_text(expected); /* never a part of it */
    memory_free(expected);
    file_reset(&file);
}
END_TEST

int main(void)
{
    struct {
        const TTest *test;
        int n; /* times, with _i from 0; 0: once */
    } const tests[] = {
        { test_one_text_is_the_same_in_each_format, sizeof texts / sizeof *texts },
        { test_a_workbook, 0 },
        { test_an_opendocument_spreadsheet, 0 },
        { test_slides_in_the_order_they_are_shown, 2 },
        { test_styles_of_headings, 0 },
        { test_revisions_as_if_accepted, 0 },
        { test_a_text_box_once_behind_its_paragraph, 0 },
        { test_small_things_in_a_paragraph, 0 },
        { test_tables_with_paragraphs_and_tables_in_cells, 0 },
        { test_strict_documents, 0 },
        { test_values_of_cells, 0 },
        { test_numbers_that_are_dates, 0 },
        { test_cells_that_stand_for_many, 0 },
        { test_titles_and_contents_of_texts, 0 },
        { test_encrypted_documents_say_so, 0 },
        { test_a_book_in_its_order, 0 },
        { test_a_book_of_encrypted_chapters, 0 },
        { test_a_book_that_is_upside_down, 0 },
        { test_rtf_code_pages_and_unicode, 0 },
        { test_rtf_destinations, 0 },
        { test_rtf_tables_and_lists, 0 },
        { test_a_mail_with_attachments, 0 },
        { test_attachments_of_one_name, 0 },
        { test_the_web_version_where_the_plain_one_is_empty, 0 },
        { test_mail_that_says_nothing_of_its_charset, 0 },
        { test_a_type_without_a_subtype_is_plain_text, 0 },
        { test_flowed_lines_are_joined, 0 },
        { test_a_folder_of_mail, 0 },
        { test_a_saved_page, 0 },
        { test_dates_as_documents_state_them, 0 },
        { test_languages_and_lines, 0 },
        { test_references_between_parts, 0 },
        { test_document_types_are_refused, 0 },
        { test_entities_of_books_are_refused, 0 },
        { test_elements_nested_too_deep, 0 },
        { test_tags_with_very_many_attributes, 0 },
        { test_groups_of_addresses_in_groups, 0 },
        { test_parts_that_lie_over_each_other, 0 },
        { test_sizes_and_places_that_lie, 0 },
        { test_more_entries_than_a_document_has, 0 },
        { test_bombs_are_put_out_early, 0 },
        { test_text_that_grows_out_of_little, 0 },
        { test_a_sheet_that_is_too_long_to_hold, 0 },
        { test_files_that_are_cut_off, sizeof files / sizeof *files },
        { test_files_with_a_wrong_byte, sizeof files / sizeof *files },
        { test_files_through_the_confined_program, sizeof files / sizeof *files },
        { test_words_of_a_pdf_that_stand_apart, 0 },
        { test_charsets_in_the_confined_program, 0 },
        { test_running_out_of_memory_at_each_allocation, sizeof files / sizeof *files },
        { test_running_out_of_memory_in_books_and_mail, 0 },
        { test_running_out_of_memory_in_libxml2, 0 },
    };
    Suite *s = suite_create("office");
    TCase *tcase = tcase_create("office");

    tcase_add_checked_fixture(tcase, clean, clean);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].n > 0 ? tests[i].n : 1);
    suite_add_tcase(s, tcase);
    return run_suite(s);
}
