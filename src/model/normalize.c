#include "model/normalize.h"

#include <assert.h>

#include <utf8proc.h>

#include "base/utf8.h"

/* The reference reads three different versions of Unicode: 8 for what is a mark,
 * punctuation or control, 9 for NFD, and 17 for capitals. utf8proc knows one, and
 * which one depends on the machine. The tables below hold the difference, so that
 * a model sees the same tokens everywhere. They come from sweeping all code
 * points through the reference (tests/data/make_tokenizer_reference.py), and
 * check_tokenizer sweeps them again. */

struct range {
    uint32_t first, last;
};

/* Gaps in Unicode 8 that later versions put marks, punctuation and format
 * characters into. To the reference no code point in them is any of these. Each
 * gap is as wide as it can be, so that what comes next is in it as well. */
static const struct range without_category[] = {
    { 0x061d, 0x061d },   { 0x07fa, 0x0815 },   { 0x085f, 0x08e2 },   { 0x09e4, 0x0a00 },
    { 0x0a76, 0x0a80 },   { 0x0af1, 0x0b00 },   { 0x0b4e, 0x0b55 },   { 0x0c01, 0x0c3d },
    { 0x0c64, 0x0c80 },   { 0x0c82, 0x0cbb },   { 0x0ce4, 0x0d00 },   { 0x0d02, 0x0d40 },
    { 0x0d64, 0x0dc9 },   { 0x0eba, 0x0eba },   { 0x0ece, 0x0f03 },   { 0x180f, 0x18a8 },
    { 0x1abf, 0x1aff },   { 0x1b74, 0x1b7f },   { 0x1df6, 0x1dfb },   { 0x2e43, 0x2fff },
    { 0xa827, 0xa873 },   { 0xa8c5, 0xa8cd },   { 0xa8fd, 0xa925 },   { 0xa9bd, 0xa9c0 },
    { 0x10b9d, 0x11000 }, { 0x1104e, 0x1107e }, { 0x110c2, 0x110ff }, { 0x111ce, 0x111da },
    { 0x1123e, 0x112a8 }, { 0x11302, 0x1133b }, { 0x11375, 0x114b2 }, { 0x11644, 0x116aa },
    { 0x116b8, 0x1171c }, { 0x1173f, 0x1246f }, { 0x12475, 0x16a6d }, { 0x16b45, 0x16f8e },
    { 0x16f93, 0x1bc9c }, { 0x1bca4, 0x1d166 }, { 0x1dab0, 0x1e8cf }, { 0x1e8d7, 0xe0000 },
};

/* What NFD moves and stripping accents does not take away: spacing marks, and
 * marks newer than Unicode 8 but not than 9. */
static const struct range movable[] = {
    { 0x08d4, 0x08e1 },   { 0x1b44, 0x1b44 },   { 0x1baa, 0x1baa },   { 0x1bf2, 0x1bf3 },
    { 0x1dfb, 0x1dfb },   { 0x302e, 0x302f },   { 0xa953, 0xa953 },   { 0xa9c0, 0xa9c0 },
    { 0x111c0, 0x111c0 }, { 0x11235, 0x11235 }, { 0x1134d, 0x1134d }, { 0x11442, 0x11442 },
    { 0x11446, 0x11446 }, { 0x116b6, 0x116b6 }, { 0x11c3f, 0x11c3f }, { 0x1d165, 0x1d166 },
    { 0x1d16d, 0x1d172 }, { 0x1e000, 0x1e006 }, { 0x1e008, 0x1e018 }, { 0x1e01b, 0x1e021 },
    { 0x1e023, 0x1e024 }, { 0x1e026, 0x1e02a }, { 0x1e944, 0x1e94a },
};

/* Gaps in Unicode 9 that later versions put marks and characters with a
 * decomposition into. To the reference none in them is a mark, has a combining
 * class or is made of others. Each is as wide as it can be, as above. */
static const struct range inert[] = {
    { 0x07f4, 0x0815 }, { 0x085c, 0x08d3 }, { 0x09e4, 0x0a00 }, { 0x0ae4, 0x0b00 },
    { 0x0b4e, 0x0b55 }, { 0x0c04, 0x0c3d }, { 0x0ce4, 0x0d00 }, { 0x0d04, 0x0d3d },
    { 0x0d64, 0x0d81 }, { 0x0eba, 0x0eba }, { 0x0ece, 0x0edb }, { 0x1715, 0x1731 },
    { 0x180e, 0x1884 }, { 0x1abf, 0x1aff }, { 0x1cf5, 0x1cf7 },
    { 0x1df6, 0x1dfa }, { 0x32ff, 0x32ff }, { 0xa771, 0xa7f7 }, { 0xa828, 0xa87f },
    { 0xa8f2, 0xa925 }, { 0xab60, 0xabe2 }, { 0x1037b, 0x10a00 }, { 0x10ae7, 0x10fff },
    { 0x11047, 0x1107e }, { 0x110bb, 0x110ff }, { 0x11135, 0x11172 }, { 0x111c1, 0x111c9 },
    { 0x111cd, 0x1122b }, { 0x1123f, 0x112de }, { 0x11304, 0x1133b }, { 0x11375, 0x11434 },
    { 0x11447, 0x114af }, { 0x1172c, 0x11c2e }, { 0x11cb7, 0x16aef }, { 0x16b37, 0x16f50 },
    { 0x16f7f, 0x16f8e }, { 0x16f93, 0x1bc9c }, { 0x1bc9f, 0x1d15d }, { 0x1e02b, 0x1e8cf },
    { 0x1f16c, 0x1f18f }, { 0x1f252, 0x2f7ff },
};

static const struct range chinese[] = {
    { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xf900, 0xfaff },
    { 0x20000, 0x2a6df }, { 0x2a700, 0x2b81f },
    /* BERT has 2B820 here, tokenizers 2B920. */
    { 0x2b920, 0x2ceaf }, { 0x2f800, 0x2fa1f },
};

/* Capitals of Unicode 16 and 17; the n-th of a range has the n-th from small. */
static const struct {
    struct range capital;
    uint32_t small;
} new_capitals[] = {
    { { 0x1c89, 0x1c89 }, 0x1c8a },    { { 0xa7cb, 0xa7cb }, 0x0264 },
    { { 0xa7cc, 0xa7cc }, 0xa7cd },    { { 0xa7ce, 0xa7ce }, 0xa7cf },
    { { 0xa7d2, 0xa7d2 }, 0xa7d3 },    { { 0xa7d4, 0xa7d4 }, 0xa7d5 },
    { { 0xa7da, 0xa7da }, 0xa7db },    { { 0xa7dc, 0xa7dc }, 0x019b },
    { { 0x10d50, 0x10d65 }, 0x10d70 }, { { 0x16ea0, 0x16eb8 }, 0x16ebb },
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static int within(uint32_t c, const struct range *table, size_t n)
{
    size_t low = 0;

    while (low < n) {
        size_t middle = low + (n - low) / 2;

        if (c > table[middle].last)
            low = middle + 1;
        else if (c < table[middle].first)
            n = middle;
        else
            return 1;
    }
    return 0;
}

static utf8proc_category_t category(uint32_t c)
{
    utf8proc_category_t known;

    switch (c) { /* what later versions moved from one category to another */
    case 0x166d:  /* CANADIAN SYLLABICS CHI SIGN */
    case 0x111c9: /* SHARADA SANDHI MARK */
        return UTF8PROC_CATEGORY_PO;
    case 0x1734: /* HANUNOO SIGN PAMUDPOD */
        return UTF8PROC_CATEGORY_MN;
    default:
        break;
    }
    known = utf8proc_category((utf8proc_int32_t)c);
    switch (known) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        if (within(c, without_category, COUNT(without_category)))
            return UTF8PROC_CATEGORY_CN;
        return known;
    default:
        return known;
    }
}

static int is_dropped(uint32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r')
        return 0;
    switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
        return 1;
    default:
        return c == UTF8_REPLACEMENT;
    }
}

static int is_space(uint32_t c)
{
    switch (category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return 1;
    default:
        return c == '\t' || c == '\n' || c == '\r';
    }
}

static int is_punctuation(uint32_t c)
{
    /* BERT takes the symbols of ASCII for punctuation too: $ + < = > ^ ` | ~ */
    if (c < 0x80)
        return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
               (c > 'z' && c < 0x7f);
    switch (category(c)) {
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return 1;
    default:
        return 0;
    }
}

uint32_t normalize_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    for (size_t i = 0; i < COUNT(new_capitals); i++)
        if (c >= new_capitals[i].capital.first && c <= new_capitals[i].capital.last)
            return new_capitals[i].small + (c - new_capitals[i].capital.first);
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

size_t normalize_decompose(uint32_t c, int compatible, int32_t out[NORMALIZE_MAX_DECOMPOSED])
{
    const utf8proc_option_t options = compatible ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT
                                                 : UTF8PROC_DECOMPOSE;
    utf8proc_ssize_t n;

    out[0] = (int32_t)c;
    if (c < 0x80 || within(c, inert, COUNT(inert)))
        return 1;
    n = utf8proc_decompose_char((utf8proc_int32_t)c, out, NORMALIZE_MAX_DECOMPOSED, options, NULL);
    assert(n >= 1 && n <= NORMALIZE_MAX_DECOMPOSED);
    return (size_t)n;
}

int normalize_is_mark(uint32_t c)
{
    if (c == 0x1cf2 || c == 0x1cf3) /* VEDIC SIGNs ARDHAVISARGA, later letters */
        return 1;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return !within(c, inert, COUNT(inert));
    default:
        return 0;
    }
}

uint8_t normalize_combining_class(uint32_t c)
{
    uint8_t class = (uint8_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;

    return class == 0 || within(c, inert, COUNT(inert)) ? 0 : class;
}

int normalize_is_white(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Hangul syllables are in order, so their letters can be computed (Unicode 3.12). */
static int is_hangul_syllable(uint32_t c)
{
    return c >= 0xac00 && c <= 0xd7a3;
}

static size_t split_hangul(uint32_t c, struct character out[NORMALIZE_MAX])
{
    const uint32_t i = c - 0xac00, last = i % 28;

    out[0] = (struct character){ 0x1100 + i / (21 * 28), CHARACTER_PART, 0 };
    out[1] = (struct character){ 0x1161 + i / 28 % 21, CHARACTER_PART, 0 };
    out[2] = (struct character){ 0x11a7 + last, CHARACTER_PART, 0 };
    return last == 0 ? 2 : 3;
}

int normalize_is_chinese(uint32_t c)
{
    return within(c, chinese, COUNT(chinese));
}

size_t normalize_character(const struct normalization *rules, uint32_t c,
                           struct character out[NORMALIZE_MAX])
{
    int32_t parts[NORMALIZE_MAX_DECOMPOSED] = { (int32_t)c };
    size_t n_parts = 1, n = 0;
    int alone;

    if (is_hangul_syllable(c) && rules->strip_accents)
        return split_hangul(c, out);
    if (is_dropped(c))
        return 0;
    if (is_space(c)) {
        out[0] = (struct character){ ' ', CHARACTER_SPACE, 0 };
        return 1;
    }
    /* Asked of the character as written: a compatibility ideograph is Chinese
     * here even though NFD makes another one of it. */
    alone = rules->chinese_words && normalize_is_chinese(c);
    if (rules->strip_accents)
        n_parts = normalize_decompose(c, 0, parts);
    /* Unicode promises that no canonical decomposition is longer than four. */
    assert(n_parts <= NORMALIZE_MAX / 2);
    for (size_t i = 0; i < n_parts; i++) {
        uint32_t part = (uint32_t)parts[i];
        uint8_t class = 0;

        if (rules->strip_accents && category(part) == UTF8PROC_CATEGORY_MN) {
            /* Ordering happens before marks are taken away: one of class 0
             * keeps those around it apart. */
            if (utf8proc_get_property((utf8proc_int32_t)part)->combining_class == 0)
                out[n++] = (struct character){ 0, CHARACTER_BARRIER, 0 };
            continue;
        }
        if (rules->strip_accents && within(part, movable, COUNT(movable)))
            class = (uint8_t)utf8proc_get_property((utf8proc_int32_t)part)->combining_class;
        if (rules->lower_case && part == 0x0130) {
            /* The one capital with two small characters: i and a dot above. */
            out[n++] = (struct character){ 'i', CHARACTER_PART, 0 };
            part = 0x0307;
        } else if (rules->lower_case) {
            part = normalize_lower(part);
        }
        out[n++] = (struct character){
            part, alone || is_punctuation(part) ? CHARACTER_ALONE : CHARACTER_PART, class
        };
    }
    return n;
}
