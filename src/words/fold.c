#include "words/fold.h"

#include <utf8proc.h>

#include "base/utf8.h"
#include "words/simplified.h"

struct range {
    uint32_t first, last;
};

/* The blocks of dense scripts (Unicode 15), in order. utf8proc says which of their code
 * points are letters and which are punctuation. */
static const struct range dense_blocks[] = {
    { 0x0e00, 0x109f }, /* Thai, Lao, Tibetan, Myanmar */
    { 0x1100, 0x11ff }, /* Hangul jamo */
    { 0x1780, 0x17ff }, /* Khmer */
    { 0x2e80, 0x2fd5 }, /* radicals */
    { 0x3005, 0x3007 }, /* 々 〆 〇 */
    { 0x3021, 0x3029 }, /* Hangzhou numerals */
    { 0x3031, 0x3035 }, /* kana repeat marks */
    { 0x3038, 0x303c },
    { 0x3041, 0x3096 }, /* hiragana */
    { 0x309d, 0x309f },
    { 0x30a1, 0x30fa }, /* katakana */
    { 0x30fc, 0x318e }, /* its long and repeat marks, bopomofo, Hangul compatibility jamo */
    { 0x31a0, 0x31bf }, /* bopomofo */
    { 0x31f0, 0x31ff }, /* katakana */
    { 0x3400, 0x4dbf }, /* Han */
    { 0x4e00, 0xa48c }, /* Han, Yi */
    { 0xa960, 0xa97c }, /* Hangul jamo */
    { 0xaa60, 0xaa7f }, /* Myanmar */
    { 0xac00, 0xd7fb }, /* Hangul */
    { 0xf900, 0xfad9 }, /* Han, compatibility */
    { 0xff66, 0xff9d }, /* half-width katakana */
    { 0xffa0, 0xffdc }, /* half-width Hangul */
    { 0x1aff0, 0x1b16f }, /* kana */
    { 0x20000, 0x3ffff }, /* Han */
};

static int is_in(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n && ranges[i].first <= c; i++) {
        if (c <= ranges[i].last)
            return 1;
    }
    return 0;
}

static int is_voiced_mark(uint32_t c)
{
    return c == 0x3099 || c == 0x309a || c == 0xff9e || c == 0xff9f;
}

static enum character_kind ascii_kind(uint32_t c)
{
    if (c >= 'a' && c <= 'z')
        return CHARACTER_LOWER;
    if (c >= 'A' && c <= 'Z')
        return CHARACTER_UPPER;
    return c >= '0' && c <= '9' ? CHARACTER_DIGIT : CHARACTER_GAP;
}

static enum character_kind category_kind(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
        return CHARACTER_UPPER;
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return CHARACTER_LOWER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return CHARACTER_DIGIT;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
        return CHARACTER_MARK;
    default:
        return CHARACTER_GAP;
    }
}

enum character_kind character_kind(uint32_t c)
{
    enum character_kind kind;

    if (c < 0x80)
        return ascii_kind(c);
    if (c >= 0x4e00 && c <= 0x9fff)
        return CHARACTER_DENSE;
    if (is_voiced_mark(c))
        return CHARACTER_MARK;
    kind = category_kind(c);
    if (c < 0x0e00 || kind == CHARACTER_DIGIT ||
        !is_in(dense_blocks, sizeof dense_blocks / sizeof *dense_blocks, c))
        return kind;
    /* Punctuation of a dense block stays a gap; what newer Unicode put into the planes of
     * Han is of no category that this utf8proc knows, and Han all the same. */
    return kind == CHARACTER_GAP && c < 0x20000 && !(c >= 0x2e80 && c <= 0x2fd5)
               ? CHARACTER_GAP : CHARACTER_DENSE;
}

int breaks_anywhere(uint32_t c)
{
    return c >= 0x2e80 && !(c >= 0x3131 && c <= 0x318e) && !(c >= 0xa960 && c <= 0xd7fb) &&
           !(c >= 0xffa0 && c <= 0xffdc);
}

size_t fold_letter(uint32_t c, char *out)
{
    utf8proc_int32_t parts[FOLD_MAX_BYTES / 4];
    utf8proc_ssize_t n;
    size_t size = 0;
    int boundary = 0;

    if (c < 0x80) {
        out[0] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        return 1;
    }
    n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, FOLD_MAX_BYTES / 4,
                                UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                                    UTF8PROC_IGNORE, &boundary);
    if (n > FOLD_MAX_BYTES / 4)
        n = FOLD_MAX_BYTES / 4;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        if (parts[i] < 0x300 || parts[i] > 0x36f)
            size += utf8_encode((uint32_t)parts[i], out + size);
    }
    return size;
}

static uint32_t simplify(uint32_t c)
{
    size_t low = 0, high = N_SIMPLIFIED;

    if (c <= 0xffff) {
        while (low < high) {
            size_t middle = low + (high - low) / 2;

            if (simplified[2 * middle] < c)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < N_SIMPLIFIED && simplified[2 * low] == c)
            return simplified[2 * low + 1];
    }
    /* Pairs of rare characters, behind one comparison for those that are not. */
    for (low = 0, high = N_SIMPLIFIED_WIDE; low < high;) {
        size_t middle = low + (high - low) / 2;

        if (simplified_wide[2 * middle] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < N_SIMPLIFIED_WIDE && simplified_wide[2 * low] == c ? simplified_wide[2 * low + 1] : c;
}

uint32_t fold_dense(uint32_t c)
{
    static const struct range compatible[] = {
        { 0x2e80, 0x2fd5 }, { 0xf900, 0xfad9 }, { 0xff66, 0xffdc }, { 0x2f800, 0x2fa1f },
    };
    utf8proc_int32_t parts[4];
    int boundary = 0;

    if (is_in(compatible, sizeof compatible / sizeof *compatible, c) &&
        utf8proc_decompose_char((utf8proc_int32_t)c, parts, 4,
                                UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary) == 1)
        c = (uint32_t)parts[0];
    return c < 0x3400 || (c >= 0xa000 && c < 0x20000) ? c : simplify(c);
}

int fold_voiced(uint32_t *base, uint32_t mark)
{
    utf8proc_int32_t pair[2] = { (utf8proc_int32_t)*base, 0 };

    if (!is_voiced_mark(mark))
        return 0;
    pair[1] = mark == 0x3099 || mark == 0xff9e ? 0x3099 : 0x309a;
    if (utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1)
        return 0;
    *base = (uint32_t)pair[0];
    return 1;
}
