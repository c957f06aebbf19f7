#include "document/charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>
#include <uchardet/uchardet.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/common_characters.h"

#define SAMPLE_BYTES 65536 /* looked at to tell charsets apart */
#define REPLACEMENT  "\xef\xbf\xbd"
/* Common characters by which a charset is believed against what the document declares. */
#define MIN_COMMON 8

/* ---- names ------------------------------------------------------------- */

/* The labels met in documents and the names that uchardet gives, as the Encoding
 * Standard maps them. A charset with several rows is named by its first. */
static const struct label {
    const char *label, *name, *iconv;
} labels[] = {
    { "utf-8", "UTF-8", NULL },
    { "utf8", "UTF-8", NULL },
    { "ascii", "windows-1252", "CP1252" },
    { "us-ascii", "windows-1252", "CP1252" },
    { "gb18030", "GB18030", "GB18030" },
    { "gbk", "GB18030", "GB18030" },
    { "gb2312", "GB18030", "GB18030" },
    { "gb_2312-80", "GB18030", "GB18030" },
    { "x-gbk", "GB18030", "GB18030" },
    { "euc-cn", "GB18030", "GB18030" },
    { "cp936", "GB18030", "GB18030" },
    { "chinese", "GB18030", "GB18030" },
    { "big5", "Big5", "BIG5-HKSCS" },
    { "big5-hkscs", "Big5", "BIG5-HKSCS" },
    { "x-x-big5", "Big5", "BIG5-HKSCS" },
    { "cn-big5", "Big5", "BIG5-HKSCS" },
    { "cp950", "Big5", "BIG5-HKSCS" },
    { "euc-tw", "EUC-TW", "EUC-TW" },
    { "hz-gb-2312", "HZ-GB-2312", NULL },
    { "shift_jis", "Shift_JIS", "CP932" },
    { "shift-jis", "Shift_JIS", "CP932" },
    { "sjis", "Shift_JIS", "CP932" },
    { "x-sjis", "Shift_JIS", "CP932" },
    { "windows-31j", "Shift_JIS", "CP932" },
    { "cp932", "Shift_JIS", "CP932" },
    { "euc-jp", "EUC-JP", "EUC-JP" },
    { "x-euc-jp", "EUC-JP", "EUC-JP" },
    { "iso-2022-jp", "ISO-2022-JP", "ISO-2022-JP" },
    { "euc-kr", "EUC-KR", "UHC" },
    { "uhc", "EUC-KR", "UHC" },
    { "ks_c_5601-1987", "EUC-KR", "UHC" },
    { "windows-949", "EUC-KR", "UHC" },
    { "cp949", "EUC-KR", "UHC" },
    { "iso-8859-1", "windows-1252", "CP1252" },
    { "latin1", "windows-1252", "CP1252" },
    { "iso-8859-2", "ISO-8859-2", "ISO-8859-2" },
    { "iso-8859-3", "ISO-8859-3", "ISO-8859-3" },
    { "iso-8859-4", "ISO-8859-4", "ISO-8859-4" },
    { "iso-8859-5", "ISO-8859-5", "ISO-8859-5" },
    { "iso-8859-6", "ISO-8859-6", "ISO-8859-6" },
    { "iso-8859-7", "ISO-8859-7", "ISO-8859-7" },
    { "iso-8859-8", "ISO-8859-8", "ISO-8859-8" },
    { "iso-8859-9", "windows-1254", "CP1254" },
    { "iso-8859-10", "ISO-8859-10", "ISO-8859-10" },
    { "iso-8859-11", "windows-874", "CP874" },
    { "tis-620", "windows-874", "CP874" },
    { "windows-874", "windows-874", "CP874" },
    { "iso-8859-13", "ISO-8859-13", "ISO-8859-13" },
    { "iso-8859-14", "ISO-8859-14", "ISO-8859-14" },
    { "iso-8859-15", "ISO-8859-15", "ISO-8859-15" },
    { "iso-8859-16", "ISO-8859-16", "ISO-8859-16" },
    { "koi8-r", "KOI8-R", "KOI8-R" },
    { "koi8-u", "KOI8-U", "KOI8-U" },
    { "ibm852", "IBM852", "IBM852" },
    { "ibm855", "IBM855", "IBM855" },
    { "ibm866", "IBM866", "IBM866" },
    { "macintosh", "macintosh", "MACINTOSH" },
    { "mac-cyrillic", "x-mac-cyrillic", "MAC-CYRILLIC" },
    { "x-mac-cyrillic", "x-mac-cyrillic", "MAC-CYRILLIC" },
    { "viscii", "VISCII", "VISCII" },
    { "windows-1250", "windows-1250", "CP1250" },
    { "windows-1251", "windows-1251", "CP1251" },
    { "windows-1252", "windows-1252", "CP1252" },
    { "windows-1253", "windows-1253", "CP1253" },
    { "windows-1254", "windows-1254", "CP1254" },
    { "windows-1255", "windows-1255", "CP1255" },
    { "windows-1256", "windows-1256", "CP1256" },
    { "windows-1257", "windows-1257", "CP1257" },
    { "windows-1258", "windows-1258", "CP1258" },
};

/* Below so many bytes without a zero, nothing is taken for UTF-16. */
#define MIN_WIDE_BYTES 16

static const struct charset utf8 = { "UTF-8", NULL, 0 };
static const struct charset utf16le = { "UTF-16LE", "UTF-16LE", 0 };
static const struct charset utf16be = { "UTF-16BE", "UTF-16BE", 0 };
static const struct charset utf32le = { "UTF-32LE", "UTF-32LE", 0 };
static const struct charset utf32be = { "UTF-32BE", "UTF-32BE", 0 };
static const struct charset iso2022jp = { "ISO-2022-JP", "ISO-2022-JP", 0 };
static const struct charset windows1252 = { "windows-1252", "CP1252", 0 };

int charset_of_label(const char *label, size_t size, struct charset *out)
{
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        const struct label *row = &labels[i];

        if (strlen(row->label) != size || strncasecmp(row->label, label, size) != 0)
            continue;
        /* iconv has no HZ; nothing else but UTF-8 goes without it. */
        if (row->iconv == NULL && strcmp(row->name, utf8.name) != 0)
            return 0;
        *out = (struct charset){ row->name, row->iconv, 0 };
        return 1;
    }
    return 0;
}

void charset_prepare(void)
{
    /* What is open stays loaded, so each is left open. */
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (labels[i].iconv != NULL &&
            (i == 0 || labels[i - 1].iconv == NULL ||
             strcmp(labels[i].iconv, labels[i - 1].iconv) != 0))
            iconv_open("UTF-8", labels[i].iconv);
    iconv_open("UTF-8", "UTF-16LE");
    iconv_open("UTF-8", "UTF-32LE");
}

/* ---- wide charsets ----------------------------------------------------- */

static int has_mark(const uint8_t *bytes, size_t size, struct charset *out)
{
    static const struct {
        const char *bytes;
        struct charset charset;
    } marks[] = {
        /* UTF-32LE's mark begins with UTF-16LE's, so it comes first. */
        { "\xff\xfe\0\0", { "UTF-32LE", "UTF-32LE", 4 } },
        { "\0\0\xfe\xff", { "UTF-32BE", "UTF-32BE", 4 } },
        { "\xef\xbb\xbf", { "UTF-8", NULL, 3 } },
        { "\xff\xfe", { "UTF-16LE", "UTF-16LE", 2 } },
        { "\xfe\xff", { "UTF-16BE", "UTF-16BE", 2 } },
    };

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        size_t n = marks[i].charset.n_mark;

        if (size >= n && memcmp(bytes, marks[i].bytes, n) == 0) {
            *out = marks[i].charset;
            return 1;
        }
    }
    return 0;
}

/* UTF-8 in spite of a few broken bytes: characters of two bytes and more that are
 * whole are rare in anything else, so a few of them outweigh one that is not. */
static int is_utf8(const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    size_t n, n_whole = 0, n_broken = 0;

    for (size_t i = 0; i < size; i += n) {
        int valid = 1;

        utf8_decode(text + i, size - i, &n, &valid);
        n_broken += (size_t)!valid;
        n_whole += valid && n > 1;
    }
    return n_broken == 0 || n_whole >= 4 * n_broken;
}

/* Characters that most text of the charset is made of: kana, the punctuation of
 * Chinese and Japanese, and the commonest ideographs. */
static int is_common(uint32_t c)
{
    size_t low = 0, high = sizeof common_characters / sizeof *common_characters;

    if ((c >= 0x3041 && c <= 0x3093) || (c >= 0x30a1 && c <= 0x30fc))
        return 1;
    switch (c) {
    case 0x2014: case 0x2018: case 0x2019: case 0x201c: case 0x201d: case 0x2026:
    case 0x3000: case 0x3001: case 0x3002: case 0x3008: case 0x3009: case 0x300a:
    case 0x300b: case 0x300c: case 0x300d: case 0x300e: case 0x300f: case 0x3010:
    case 0x3011: case 0xff01: case 0xff08: case 0xff09: case 0xff0c: case 0xff1a:
    case 0xff1b: case 0xff1f:
        return 1;
    default:
        break;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (common_characters[middle] == c)
            return 1;
        if (common_characters[middle] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* What the units of a sample are when byte `high` of each is the upper one. */
struct units {
    size_t n_text;    /* ASCII and Latin-1 */
    size_t n_control; /* other units below 0x100 */
    size_t n_common;  /* what Chinese and Japanese are mostly made of */
    size_t n_stray;   /* 0xXX00 that is no ideograph: next to none in any language */
    size_t n_rare;    /* other ideographs */
};

static struct units count_units(const uint8_t *bytes, size_t n_units, size_t high)
{
    struct units units = { 0 };

    for (size_t i = 0; i < n_units; i++) {
        const uint32_t h = bytes[2 * i + high], l = bytes[2 * i + !high], unit = h << 8 | l;

        if (h == 0 && (l == '\n' || l == '\r' || l == '\t' || (l >= 0x20 && l < 0x7f) || l >= 0xa0))
            units.n_text++;
        else if (h == 0)
            units.n_control++;
        else if (is_common(unit))
            units.n_common++;
        else if (l == 0 && (unit < 0x4e00 || unit > 0x9f00))
            units.n_stray++;
        else if (unit >= 0x4e00 && unit <= 0x9fff)
            units.n_rare++;
    }
    return units;
}

/* UTF-16 is told from everything else, and its two byte orders from each other, by what
 * the units are: text in the right order, and next to nothing in the other. A zero byte
 * alone does not tell: the commonest of characters is U+4E00. Without any zero byte, two
 * fifths of the units must be common characters, or one fifth where all are ideographs: two
 * letters of ASCII are one, but hardly ever a common one. Of lines of Chinese cut to 8
 * characters 4% are not recognized, of 16 characters 0.07%, and next to none are taken for the
 * other order (2 of 40,000). */
static int is_common_text(const struct units *units, size_t n_units)
{
    return units->n_text > 0 || units->n_common * 5 >= n_units * 2 ||
           (units->n_common >= 4 && units->n_common * 5 >= n_units &&
            (units->n_common + units->n_rare) * 50 >= n_units * 49);
}

static int is_utf16(const uint8_t *bytes, size_t size, struct charset *out)
{
    const size_t n_units = (size < SAMPLE_BYTES ? size : SAMPLE_BYTES) / 2;
    const struct units order[2] = { count_units(bytes, n_units, 0),
                                    count_units(bytes, n_units, 1) };

    for (size_t high = 0; high < 2; high++) {
        const struct units *right = &order[high], *wrong = &order[!high];
        const size_t n_good = right->n_text + right->n_common;

        if (n_good > 2 * (wrong->n_text + wrong->n_common) && n_good * 200 >= n_units &&
            right->n_control * 100 <= n_units && right->n_stray * 20 <= n_good &&
            is_common_text(right, n_units)) {
            *out = high == 1 ? utf16le : utf16be;
            return 1;
        }
    }
    return 0;
}

/* UTF-32 has a zero byte at least in each unit, and units that are all characters. */
static int is_utf32(const uint8_t *bytes, size_t size, struct charset *out)
{
    const size_t n_units = (size < SAMPLE_BYTES ? size : SAMPLE_BYTES) / 4;

    for (size_t high = 0; size % 4 == 0 && high < 4; high += 3) {
        size_t n_text = 0, n_foreign = 0;

        for (size_t i = 0; i < n_units; i++) {
            const uint8_t *unit = bytes + 4 * i;
            const uint32_t c = (uint32_t)unit[high] << 24 | (uint32_t)unit[high == 0 ? 1 : 2] << 16 |
                               (uint32_t)unit[high == 0 ? 2 : 1] << 8 | unit[3 - high];

            if (c == '\n' || c == '\r' || c == '\t' || (c >= 0x20 && c < 0x7f) || is_common(c))
                n_text++;
            else if (c < 0xa0 || c > 0x3ffff || (c >= 0xd800 && c < 0xe000))
                n_foreign++;
        }
        if (n_units >= 4 && n_text * 4 >= n_units && n_foreign * 100 <= n_units) {
            *out = high == 3 ? utf32le : utf32be;
            return 1;
        }
    }
    return 0;
}

int charset_is_wide(const uint8_t *bytes, size_t size, struct charset *out)
{
    const size_t n = size < SAMPLE_BYTES ? size : SAMPLE_BYTES;

    if (has_mark(bytes, size, out))
        return out->iconv != NULL;
    if (n > 0 && memchr(bytes, 0, n) != NULL)
        return is_utf32(bytes, size, out) || is_utf16(bytes, size, out);
    /* Two letters of ASCII can look like an ideograph. */
    return n >= MIN_WIDE_BYTES && !is_utf8(bytes, n) && is_utf16(bytes, size, out);
}

/* ---- decoding ---------------------------------------------------------- */

/* Called for each piece of decoded UTF-8 (whole characters); n_broken counts what
 * was not in the charset. */
static int convert(const struct charset *charset, const uint8_t *bytes, size_t size,
                   struct buffer *out, size_t *n_broken, ernie_error *err)
{
    const size_t unit = strncmp(charset->name, "UTF-32", 6) == 0   ? 4
                        : strncmp(charset->name, "UTF-16", 6) == 0 ? 2
                                                                   : 1;
    char *in = (char *)(uintptr_t)bytes; /* iconv's argument lacks a const */
    size_t in_left = size;
    iconv_t cd = iconv_open("UTF-8", charset->iconv);

    if (cd == (iconv_t)-1) {
        if (errno == ENOMEM)
            return error_set(err, ERNIE_ENOMEM, "%s: out of memory", charset->name);
        return error_set(err, ERNIE_EFORMAT, "%s: this system's iconv cannot read it",
                         charset->name);
    }
    for (int flushed = 0; !flushed && !out->failed;) {
        char *end = buffer_reserve(out, in_left + in_left / 2 + 64);
        size_t room = in_left + in_left / 2 + 64, n, skip;

        if (end == NULL)
            break;
        flushed = in_left == 0;
        n = flushed ? iconv(cd, NULL, NULL, &end, &room) : iconv(cd, &in, &in_left, &end, &room);
        out->size = (size_t)(end - out->data);
        *end = '\0'; /* there is room for it past what was reserved */
        if (n != (size_t)-1 || errno == E2BIG)
            continue;
        ++*n_broken;
        buffer_append(out, REPLACEMENT, 3);
        if (errno != EILSEQ || flushed)
            break; /* the bytes end within a character */
        skip = in_left < unit ? in_left : unit;
        in += skip;
        in_left -= skip;
    }
    iconv_close(cd);
    return ERNIE_OK;
}

/* In place: CRLF and CR to LF, so that lines are counted alike everywhere. */
static void unify_line_ends(struct buffer *text, size_t from)
{
    char *to, *cr;

    if (text->data == NULL)
        return;
    cr = memchr(text->data + from, '\r', text->size - from);
    if (cr == NULL)
        return;
    to = cr;
    for (const char *in = cr, *end = text->data + text->size; in < end; in++) {
        if (*in != '\r')
            *to++ = *in;
        else if (in + 1 == end || in[1] != '\n')
            *to++ = '\n';
    }
    text->size = (size_t)(to - text->data);
    *to = '\0';
}

/* U+FFFD for each 0: C strings end there, and no text means it. */
static size_t replace_zeros(struct buffer *text, size_t from, ernie_error *err, int *status)
{
    struct buffer clean = { 0 };
    size_t n;

    *status = ERNIE_OK;
    if (text->data == NULL || memchr(text->data + from, 0, text->size - from) == NULL)
        return 0;
    buffer_append(&clean, text->data, from);
    n = utf8_append_clean(&clean, text->data + from, text->size - from);
    if (clean.failed)
        *status = error_set(err, ERNIE_ENOMEM, "text: out of memory");
    buffer_reset(text);
    *text = clean;
    return n;
}

int charset_decode(const struct charset *charset, const uint8_t *bytes, size_t size,
                   struct buffer *out, size_t *n_replaced, ernie_error *err)
{
    size_t from = out->size;
    int status = ERNIE_OK;

    *n_replaced = 0;
    bytes += charset->n_mark;
    size -= charset->n_mark;
    if (charset->iconv == NULL) {
        *n_replaced = utf8_append_clean(out, (const char *)bytes, size);
    } else {
        status = convert(charset, bytes, size, out, n_replaced, err);
        if (status == ERNIE_OK && !out->failed)
            *n_replaced += replace_zeros(out, from, err, &status);
    }
    if (status == ERNIE_OK && out->failed)
        status = error_set(err, ERNIE_ENOMEM, "text: out of memory");
    if (status == ERNIE_OK)
        unify_line_ends(out, from);
    return status;
}

/* ---- detection --------------------------------------------------------- */

struct score {
    double share;    /* of common characters among those past ASCII */
    size_t n_common;
    size_t n_broken; /* bytes that are not in the charset */
};

/* How much of the sample reads as ordinary Chinese or Japanese in this charset; each broken
 * byte counts as five uncommon characters. */
static int score(const struct charset *charset, const uint8_t *sample, size_t size,
                 struct buffer *scratch, struct score *out, ernie_error *err)
{
    size_t n, n_common = 0, n_other = 0, n_foreign;
    int status;

    buffer_clear(scratch);
    *out = (struct score){ .share = 0 };
    status = convert(charset, sample, size, scratch, &out->n_broken, err);
    if (status == ERNIE_EFORMAT) /* not in this iconv: no candidate */
        return ERNIE_OK;
    if (status == ERNIE_OK && scratch->failed)
        status = error_set(err, ERNIE_ENOMEM, "text: out of memory");
    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; i < scratch->size; i += n) {
        uint32_t c = utf8_decode(scratch->data + i, scratch->size - i, &n, NULL);

        if (c >= 0x80 && is_common(c))
            n_common++;
        else if (c >= 0x80)
            n_other++;
    }
    /* The sample may end within a character. */
    n_foreign = out->n_broken > 1 ? out->n_broken * 4 : 0;
    out->n_common = n_common;
    if (n_common > 0)
        out->share = (double)n_common / (double)(n_common + n_other + n_foreign);
    return ERNIE_OK;
}

/* Most of the bytes past ASCII are what is to be told apart; text before the first
 * of them says nothing. Keeps the parity that UTF-16 needs. */
static size_t sample_start(const uint8_t *bytes, size_t size)
{
    size_t i = 0;

    while (i < size && bytes[i] < 0x80)
        i++;
    return i & ~(size_t)1;
}

/* Windows-1250 and ISO-8859-2 share most letters, and uchardet takes one for the other. The
 * first has letters and quotation marks (š, ś, „) where the second has control characters,
 * which no text has; and no Slavic text of some length goes without them. */
static void tell_central_european(const uint8_t *sample, size_t size, struct charset *charset)
{
    static const struct charset pair[] = { { "ISO-8859-2", "ISO-8859-2", 0 },
                                           { "windows-1250", "CP1250", 0 } };
    size_t n = 0;

    if (strcmp(charset->name, pair[0].name) != 0 && strcmp(charset->name, pair[1].name) != 0)
        return;
    for (size_t i = 0; i < size; i++)
        n += sample[i] >= 0x80 && sample[i] < 0xa0;
    *charset = pair[n > 0];
}

/* What uchardet takes it for, when that charset has all of the sample's bytes. */
static int guess(const uint8_t *sample, size_t size, struct buffer *scratch, struct charset *out,
                 int *found, ernie_error *err)
{
    uchardet_t detector = uchardet_new();
    const char *name;
    size_t n_broken = 0;
    int status = ERNIE_OK;

    *found = 0;
    if (detector == NULL)
        return error_set(err, ERNIE_ENOMEM, "text: out of memory");
    if (uchardet_handle_data(detector, (const char *)sample, size) == 0) {
        uchardet_data_end(detector);
        name = uchardet_get_charset(detector);
        /* UTF-8 has been refused by now, and so have the scored ones. */
        if (charset_of_label(name, strlen(name), out) && out->iconv != NULL) {
            tell_central_european(sample, size, out);
            buffer_clear(scratch);
            status = convert(out, sample, size, scratch, &n_broken, err);
            if (status == ERNIE_OK && scratch->failed)
                status = error_set(err, ERNIE_ENOMEM, "text: out of memory");
            *found = status == ERNIE_OK && n_broken <= 1;
            if (status == ERNIE_EFORMAT)
                status = ERNIE_OK;
        }
    }
    uchardet_delete(detector);
    return status;
}

/* A charset that has a meaning for every byte proves nothing by decoding. */
static int is_single_byte(const struct charset *charset)
{
    return strncmp(charset->name, "windows-", 8) == 0 || strncmp(charset->name, "ISO-8859", 8) == 0;
}

/* Latin-1 is what programs declare that do not know: but no language that is written in it has
 * more letters past ASCII than in it. */
static int is_no_latin(const uint8_t *sample, size_t size)
{
    size_t n_past = 0, n_letters = 0;

    for (size_t i = 0; i < size; i++) {
        n_past += sample[i] >= 0xc0;
        n_letters += (sample[i] | 0x20) >= 'a' && (sample[i] | 0x20) <= 'z';
    }
    return n_past > n_letters;
}

static int detect_legacy(const uint8_t *bytes, size_t size, const struct charset *declared,
                         struct charset *out, struct buffer *scratch, ernie_error *err)
{
    static const struct charset candidates[] = {
        { "GB18030", "GB18030", 0 }, { "Big5", "BIG5-HKSCS", 0 },  { "Shift_JIS", "CP932", 0 },
        { "EUC-JP", "EUC-JP", 0 },   { "UTF-16LE", "UTF-16LE", 0 }, { "UTF-16BE", "UTF-16BE", 0 },
    };
    const size_t start = sample_start(bytes, size);
    const uint8_t *sample = bytes + start;
    const size_t sample_size = size - start < SAMPLE_BYTES ? size - start : SAMPLE_BYTES;
    struct score best = { .share = 0 }, told = { .share = 0 }, one;
    int status, found, fits = 0;

    if (declared != NULL && declared->iconv != NULL) {
        status = score(declared, sample, sample_size, scratch, &told, err);
        if (status != ERNIE_OK)
            return status;
        fits = told.n_broken <= 1 && !is_single_byte(declared);
    }
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        /* UTF-16 begins at an even offset of the file; the others begin at a lead
         * byte, which the sample's first may follow by one. */
        size_t skip = candidates[i].name[0] != 'U' && sample_size > 0 && sample[0] < 0x80;

        status = score(&candidates[i], sample + skip, sample_size - skip, scratch, &one, err);
        if (status != ERNIE_OK)
            return status;
        if (one.share > best.share) {
            best = one;
            *out = candidates[i];
        }
    }
    /* What is declared counts where it fits, unless another charset makes much better Chinese
     * or Japanese of it: most of Big5 is in GB 18030 too, as rare characters. */
    if (fits && (best.n_common < MIN_COMMON || best.share < 0.4 || best.share < 2 * told.share)) {
        *out = *declared;
        return ERNIE_OK;
    }
    if (best.share >= 0.4)
        return ERNIE_OK;
    if (declared != NULL && is_single_byte(declared) &&
        !(strcmp(declared->name, windows1252.name) == 0 && is_no_latin(sample, sample_size))) {
        *out = *declared;
        return ERNIE_OK;
    }
    status = guess(sample, sample_size, scratch, out, &found, err);
    if (status == ERNIE_OK && !found)
        *out = windows1252;
    return status;
}

/* Seven bits, and escape sequences that call Japanese characters in (RFC 1468): it passes for
 * UTF-8. */
static int is_iso2022jp(const uint8_t *bytes, size_t size)
{
    size_t n_calls = 0;

    if (size > SAMPLE_BYTES)
        size = SAMPLE_BYTES;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] >= 0x80)
            return 0;
        if (bytes[i] == 0x1b && size - i >= 3)
            n_calls += bytes[i + 1] == '$' && (bytes[i + 2] == 'B' || bytes[i + 2] == '@');
    }
    return n_calls > 0;
}

int charset_detect(const uint8_t *bytes, size_t size, const char *declared, size_t declared_size,
                   struct charset *out, ernie_error *err)
{
    struct charset label;
    struct buffer scratch = { 0 };
    int has_label, status;

    if (has_mark(bytes, size, out) || charset_is_wide(bytes, size, out))
        return ERNIE_OK;
    if (is_utf8(bytes, size)) {
        *out = is_iso2022jp(bytes, size) ? iso2022jp : utf8;
        return ERNIE_OK;
    }
    has_label = declared != NULL && charset_of_label(declared, declared_size, &label);
    status = detect_legacy(bytes, size, has_label ? &label : NULL, out, &scratch, err);
    buffer_reset(&scratch);
    return status;
}
