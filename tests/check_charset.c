/* Bytes to UTF-8: which charset they are in, and what they say. The bytes are made by glibc's
 * iconv, the hash of GB 18030 by Python (tests/data/document/make_gb18030.py). */
#include <check.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "document/charset.h"
#include "document/extract.h"
#include "suite.h"

static ernie_error err;

#define CHINESE     "今天下午开会讨论了明年的预算，大家认为应该先把旧的设备换掉。"
#define TRADITIONAL "颱風來臨之前把陽台的花盆收進屋裡，檢查窗戶的鎖。"
#define JAPANESE    "本日の午後、会議で来年の予算について話し合いました。まず古い設備を取り替えます。"
#define KOREAN      "오늘 오후 회의에서 내년 예산에 대해 논의했습니다. 먼저 오래된 장비를 교체합니다."
#define RUSSIAN     "Сегодня на собрании мы обсудили бюджет на следующий год."
#define POLISH      "Dzisiaj po południu omówiliśmy przyszłoroczny budżet. Najpierw wymienimy stare" \
                    " urządzenia, później zatrudnimy nowych ludzi, jeśli będzie można."
#define CZECH       "Dnes odpoledne jsme projednali příští rozpočet. Nejdříve vyměníme staré" \
                    " přístroje, potom přijmeme nové lidi, žluťoučký kůň."
#define FRENCH      "Cet après-midi nous avons discuté du budget : 1 500 € pour les vieux" \
                    " appareils, où l'œuvre a été déjà commencée."
#define GERMAN      "Heute Nachmittag haben wir über das nächste Jahr gesprochen. Zuerst" \
                    " ersetzen wir die alten Geräte."
#define GREEK       "Σήμερα το απόγευμα συζητήσαμε τον προϋπολογισμό του επόμενου έτους."
#define TURKISH     "Bugün öğleden sonra gelecek yılın bütçesini görüştük. Önce eski cihazları" \
                    " değiştireceğiz, sonra yeni kişileri işe alacağız."

/* text in the charset, between what is ASCII before and behind it. */
static size_t encode(const char *charset, const char *before, const char *text, const char *behind,
                     char *out, size_t size)
{
    const char *const parts[] = { before, text, behind };
    iconv_t converter = iconv_open(charset, "UTF-8");
    size_t left = size;

    ck_assert_msg(converter != (iconv_t)-1, "%s", charset);
    for (int i = 0; i < 3; i++) {
        char *in = (char *)parts[i];
        size_t n = strlen(in);

        ck_assert_msg(iconv(converter, &in, &n, &out, &left) == 0, "%s: %s", charset, parts[i]);
    }
    ck_assert_uint_eq(iconv(converter, NULL, NULL, &out, &left), 0);
    iconv_close(converter);
    return size - left;
}

static void check_read(const char *name, const char *bytes, size_t size, const char *words,
                       const char *what)
{
    struct extract out = { 0 };

    ck_assert_msg(extract(name, (const uint8_t *)bytes, size, &out, &err) == ERNIE_OK, "%s: %s",
                  what, err.message);
    ck_assert_msg(strstr(out.text.data, words) != NULL, "%s, taken for %s: %s", what, out.encoding,
                  out.text.data);
    ck_assert_uint_eq(out.n_replaced, 0);
    extract_reset(&out);
}

START_TEST(test_charsets_without_a_declaration)
{
    static const struct {
        const char *charset, *text;
    } cases[] = {
        { "UTF-8", CHINESE },         { "GB18030", CHINESE },      { "GBK", "会议改到下午三点。" },
        { "BIG5", TRADITIONAL },      { "UTF-16", CHINESE },       { "UTF-16LE", CHINESE },
        { "UTF-16BE", CHINESE },      { "UTF-16LE", GERMAN },      { "UTF-32", CHINESE },
        { "UTF-32LE", CHINESE },      { "UTF-32BE", CHINESE },     { "UTF-32LE", GERMAN },
        { "UTF-32BE", "会议改到下午三点。" },
        { "SHIFT_JIS", JAPANESE },    { "CP932", "会議は午後三時に変更されました。" },
        { "EUC-JP", JAPANESE },       { "EUC-JP", "会議は午後三時に変更されました。" },
        { "ISO-2022-JP", JAPANESE },  { "EUC-KR", KOREAN },        { "UHC", KOREAN },
        { "EUC-KR", "회의는 오후 세 시로 바뀌었습니다." },
        { "KOI8-R", RUSSIAN },        { "CP1251", RUSSIAN },       { "ISO-8859-5", RUSSIAN },
        { "CP866", RUSSIAN },         { "KOI8-R", "Собрание перенесли на три часа." },
        { "ISO-8859-2", POLISH },     { "CP1250", POLISH },        { "ISO-8859-2", CZECH },
        { "CP1250", CZECH },          { "ISO-8859-15", FRENCH },   { "CP1252", FRENCH },
        { "ISO-8859-1", GERMAN },     { "ISO-8859-7", GREEK },     { "CP1253", GREEK },
        { "ISO-8859-9", TURKISH },    { "CP1254", TURKISH },
    };
    char bytes[2048], what[64];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = encode(cases[i].charset, "", cases[i].text, "", bytes, sizeof bytes);

        snprintf(what, sizeof what, "%zu %s", i, cases[i].charset);
        check_read("a.txt", bytes, size, cases[i].text, what);
    }
}
END_TEST

/* What the bytes are counts, where they say it; else what is declared. */
START_TEST(test_declarations_right_and_wrong)
{
    static const struct {
        const char *charset, *text, *declared;
    } cases[] = {
        { "GB18030", CHINESE, "utf-8" },        { "GB18030", CHINESE, "iso-8859-1" },
        { "GB18030", CHINESE, "big5" },         { "GB18030", CHINESE, "shift_jis" },
        { "GB18030", CHINESE, "windows-1251" }, { "GB18030", CHINESE, "nonsense" },
        { "GBK", "鑫淼", "gb2312" },            { "UTF-8", CHINESE, "gb2312" },
        { "UTF-16LE", CHINESE, "utf-8" },       { "UTF-32BE", CHINESE, "gbk" },
        { "BIG5", TRADITIONAL, "gb2312" },      { "BIG5", TRADITIONAL, "utf-8" },
        { "SHIFT_JIS", JAPANESE, "gb2312" },    { "SHIFT_JIS", JAPANESE, "euc-jp" },
        { "EUC-JP", JAPANESE, "shift_jis" },    { "EUC-JP", JAPANESE, "iso-8859-1" },
        { "EUC-KR", KOREAN, "iso-8859-1" },     { "EUC-KR", KOREAN, "utf-8" },
        { "EUC-KR", KOREAN, "ks_c_5601-1987" }, { "KOI8-R", RUSSIAN, "koi8-r" },
        { "KOI8-R", RUSSIAN, "utf-8" },         { "CP1251", RUSSIAN, "iso-8859-1" },
        { "CP1250", POLISH, "windows-1250" },   { "ISO-8859-2", POLISH, "iso-8859-2" },
        { "CP1252", FRENCH, "iso-8859-1" },     { "ISO-8859-15", FRENCH, "iso-8859-15" },
        { "CP1253", GREEK, "iso-8859-1" },      { "CP1252", GERMAN, "utf-8" },
    };
    char bytes[2048], before[128], what[64];
    size_t size;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(what, sizeof what, "%zu %s as %s", i, cases[i].charset, cases[i].declared);
        snprintf(before, sizeof before, "<html><meta charset=\"%s\"><p>", cases[i].declared);
        size = encode(cases[i].charset, before, cases[i].text, "</p></html>", bytes, sizeof bytes);
        check_read("a.html", bytes, size, cases[i].text, what);
        snprintf(before, sizeof before, "<?xml version='1.0' encoding='%s'?><a>",
                 cases[i].declared);
        size = encode(cases[i].charset, before, cases[i].text, "</a>", bytes, sizeof bytes);
        check_read("a.xml", bytes, size, cases[i].text, what);
    }
}
END_TEST

static size_t add_sequence(char *out, const unsigned char *bytes, size_t n)
{
    static const char changed[] = /* as in make_gb18030.py */
        " a6d9 a6da a6db a6dc a6dd a6de a6df a6ec a6ed a6f3 a8bc fe51 fe52 fe53 fe59 fe61 fe66"
        " fe67 fe6c fe6d fe76 fe7e fe90 fe91 fea0 8135f437 82359037 82359038 82359039 82359130"
        " 82359131 82359132 82359133 82359134 84318236 84318237 84318238 84318239 84318330"
        " 84318331 84318332 84318333 84318334 84318335 ";
    char name[16];

    snprintf(name, sizeof name, n == 2 ? " %02x%02x " : " %02x%02x%02x%02x ", bytes[0], bytes[1],
             n == 2 ? 0 : bytes[2], n == 2 ? 0 : bytes[3]);
    if (strstr(changed, name) != NULL)
        return 0;
    memcpy(out, bytes, n);
    out[n] = '\n';
    return n + 1;
}

/* The sequences of four bytes are numbered from 81308130 on. */
static size_t add_four(char *out, unsigned from, unsigned to)
{
    size_t size = 0;

    for (unsigned i = from; i <= to; i++) {
        const unsigned char bytes[] = { (unsigned char)(0x81 + i / 12600),
                                        (unsigned char)(0x30 + i / 1260 % 10),
                                        (unsigned char)(0x81 + i / 10 % 126),
                                        (unsigned char)(0x30 + i % 10) };

        size += add_sequence(out + size, bytes, 4);
    }
    return size;
}

START_TEST(test_all_of_gb18030)
{
    char *bytes = malloc(8u << 20);
    struct charset charset;
    struct buffer out = { 0 };
    uint64_t hash = 0xcbf29ce484222325u;
    size_t size = 0, n_replaced;

    for (unsigned a = 0x81; a <= 0xfe; a++)
        for (unsigned b = 0x40; b <= 0xfe; b++) {
            const unsigned char two[] = { (unsigned char)a, (unsigned char)b };

            size += b != 0x7f ? add_sequence(bytes + size, two, 2) : 0;
        }
    size += add_four(bytes + size, 0, 39419);        /* 81308130 to 8431A439: to U+FFFF */
    size += add_four(bytes + size, 189000, 1237575); /* 90308130 to E3329A35: the rest */
    ck_assert_int_eq(charset_of_label("gb18030", 7, &charset), 1);
    ck_assert_int_eq(charset_decode(&charset, (const uint8_t *)bytes, size, &out, &n_replaced, &err),
                     ERNIE_OK);
    ck_assert_uint_eq(n_replaced, 0);
    ck_assert(utf8_valid(out.data, out.size));
    for (size_t i = 0; i < out.size; i++)
        hash = (hash ^ (unsigned char)out.data[i]) * 0x100000001b3u;
    ck_assert_uint_eq(hash, 0x2aa92aad470d2ba1u);
    buffer_reset(&out);
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("charset");
    TCase *tcase = tcase_create("charset");

    tcase_add_test(tcase, test_charsets_without_a_declaration);
    tcase_add_test(tcase, test_declarations_right_and_wrong);
    tcase_add_test(tcase, test_all_of_gb18030);
    suite_add_tcase(s, tcase);
    return run_suite(s);
}
