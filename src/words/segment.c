#include "words/segment.h"

#include <string.h>

#include "base/utf8.h"
#include "words/fold.h"

struct character {
    uint32_t c;
    size_t n_bytes; /* 0 at the end of the text */
    enum character_kind kind;
};

static struct character read_at(const char *text, size_t size, size_t at)
{
    struct character out = { 0, 0, CHARACTER_GAP };
    int valid = 1;

    if (at < size) {
        out.c = utf8_decode(text + at, size - at, &out.n_bytes, &valid);
        if (valid)
            out.kind = character_kind(out.c);
    }
    return out;
}

/* A letter or digit of a word, marks left out. */
static int is_letter(enum character_kind kind)
{
    return kind == CHARACTER_UPPER || kind == CHARACTER_LOWER || kind == CHARACTER_DIGIT;
}

/* The character after the marks that follow offset at. */
static struct character skip_marks(const char *text, size_t size, size_t *at)
{
    struct character next = read_at(text, size, *at);

    while (next.kind == CHARACTER_MARK) {
        *at += next.n_bytes;
        next = read_at(text, size, *at);
    }
    return next;
}

/* The dense character after offset at, behind the end of a line when c, the one before
 * it, and it may stand on two lines; kind CHARACTER_GAP when there is none. */
static struct character read_dense(const char *text, size_t size, uint32_t c, size_t *at)
{
    struct character next = read_at(text, size, *at);
    size_t behind = *at;

    if (next.kind == CHARACTER_DENSE || !breaks_anywhere(c))
        return next;
    if (behind < size && text[behind] == '\r')
        behind++;
    if (behind < size && text[behind] == '\n') {
        struct character below = read_at(text, size, ++behind);

        if (below.kind == CHARACTER_DENSE && breaks_anywhere(below.c)) {
            *at = behind;
            return below;
        }
    }
    return next;
}

int dense_next(const char *text, size_t size, struct dense *dense)
{
    size_t at = dense->end;
    struct character next = read_dense(text, size, dense->c, &at), mark;

    if (next.kind != CHARACTER_DENSE)
        return 0;
    dense->start = at;
    dense->c = fold_dense(next.c);
    for (at += next.n_bytes;; at += mark.n_bytes) {
        mark = read_at(text, size, at);
        if (mark.kind != CHARACTER_MARK)
            break;
        fold_voiced(&dense->c, mark.c);
    }
    dense->end = at;
    return 1;
}

static int is_apostrophe(uint32_t c)
{
    return c == '\'' || c == 0x2019 || c == 0xff07;
}

/* Whether a word of a compound ends between two characters of one word: aB, and before
 * the b of ABb. `behind` is the offset after b; the s of PDFs starts no word. */
static int is_hump(const char *text, size_t size, enum character_kind a, enum character_kind b,
                   size_t behind)
{
    struct character next;

    if (b != CHARACTER_UPPER)
        return 0;
    if (a == CHARACTER_LOWER)
        return 1;
    next = skip_marks(text, size, &behind);
    if (next.kind != CHARACTER_LOWER)
        return 0;
    if (a == CHARACTER_UPPER && next.c == 's') {
        behind += next.n_bytes;
        next = skip_marks(text, size, &behind);
        return next.kind == CHARACTER_LOWER;
    }
    return 1;
}

/* A word's letters as they are read: what does not fit is dropped, from then on. */
struct letters {
    char *out;
    size_t size, capacity;
    int is_full;
};

static void add_letter(struct letters *letters, uint32_t c)
{
    char folded[FOLD_MAX_BYTES];
    size_t n = fold_letter(c, folded);

    if (n > letters->capacity - letters->size)
        letters->is_full = 1;
    if (!letters->is_full) {
        memcpy(letters->out + letters->size, folded, n);
        letters->size += n;
    }
}

/* Reads the word at offset at, where a letter is, up to the next hump or gap. Returns its
 * end; *has_letter is set when not all of it is digits. */
static size_t read_word(const char *text, size_t size, size_t at, struct letters *letters,
                        int *has_letter)
{
    struct character character = read_at(text, size, at);
    size_t behind, apostrophe;

    for (;;) {
        enum character_kind before = character.kind;

        *has_letter |= before != CHARACTER_DIGIT;
        add_letter(letters, character.c);
        for (at += character.n_bytes;; at += character.n_bytes) {
            character = read_at(text, size, at);
            if (character.kind != CHARACTER_MARK)
                break;
            add_letter(letters, character.c);
        }
        apostrophe = 0;
        if (is_apostrophe(character.c) && before != CHARACTER_DIGIT) {
            apostrophe = character.n_bytes;
            character = read_at(text, size, at + apostrophe);
            if (character.kind == CHARACTER_DIGIT)
                return at;
        }
        if (!is_letter(character.kind))
            return at;
        behind = at + apostrophe;
        if (is_hump(text, size, before, character.kind, behind + character.n_bytes))
            return at;
        if (apostrophe > 0)
            add_letter(letters, '\'');
        at = behind;
    }
}

/* The offset behind the - or _ (one or two, as in `__init__`) at offset at, when a letter
 * follows; at itself where a hump was. 0 when the compound ends. */
static size_t read_tie(const char *text, size_t size, size_t at)
{
    struct character next = read_at(text, size, at);

    for (int n = 0; n < 2 && (next.c == '-' || next.c == '_' || next.c == 0x2010 || next.c == 0x2011);
         n++) {
        at += next.n_bytes;
        next = read_at(text, size, at);
    }
    return is_letter(next.kind) ? at : 0;
}

static void read_compound(const char *text, size_t size, size_t at, struct segment *out)
{
    int has_letter = 0;

    out->n_parts = 0;
    out->n_letters = 0;
    do {
        struct letters letters = { out->letters + out->n_letters, 0,
                                   sizeof out->letters - out->n_letters, 0 };
        int has_more = has_letter;
        size_t end = read_word(text, size, at, &letters, &has_more);

        /* The first word stays, cut off; a later one that does not fit begins anew. */
        if (out->n_parts > 0 && letters.is_full)
            break;
        has_letter = has_more;
        /* Letters that Unicode says to ignore may leave nothing. */
        if (letters.size > 0)
            out->parts[out->n_parts++] = (struct part){ at, end, out->n_letters, letters.size };
        out->n_letters += letters.size;
        out->end = end;
        at = letters.is_full ? 0 : read_tie(text, size, end);
    } while (at != 0 && out->n_parts < COMPOUND_MAX_PARTS);
    out->joins = out->n_parts > 1 && has_letter;
}

int segment_next(const char *text, size_t size, size_t at, struct segment *out)
{
    struct character next = read_at(text, size, at);

    while (next.n_bytes > 0 && !is_letter(next.kind) && next.kind != CHARACTER_DENSE) {
        at += next.n_bytes;
        next = read_at(text, size, at);
    }
    if (next.n_bytes == 0)
        return 0;
    out->start = at;
    out->dense = next.kind == CHARACTER_DENSE;
    if (out->dense) {
        struct dense dense = { 0, at, at };

        while (dense_next(text, size, &dense))
            out->end = dense.end;
    } else {
        read_compound(text, size, at, out);
    }
    return 1;
}
