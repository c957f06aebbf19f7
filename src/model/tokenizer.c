#include "model/tokenizer.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "model/normalize.h"

#define N_PLANE0            0x10000
#define MAX_WORD_CHARACTERS 100 /* a longer word is [UNK] as a whole */
#define MAX_WORD_BYTES      (MAX_WORD_CHARACTERS * 4)

/* What to do with a character of plane 0, found out once when the tokenizer is
 * made. An action of 0 or more is the id of a word that is this one character:
 * all of Chinese, and punctuation. One of LETTER or less adds the character
 * LETTER - action to the word begun: nearly all the rest. */
enum {
    SPACE = -1,   /* the word ends */
    NOTHING = -2, /* as if it were not there */
    LOOK = -3,    /* normalise it, and see whether a special token begins here */
    LETTER = -4
};

struct special {
    char word[SPECIAL_TOKEN_BYTES];
    size_t size;
    int32_t id;
};

struct tokenizer {
    const struct vocab *vocab;
    struct normalization rules;
    size_t n_specials;
    struct special special[N_SPECIAL_TOKENS]; /* the longest first */
    int32_t unk, cls, sep;
    int32_t action[N_PLANE0];
};

struct mark {
    uint8_t combining_class;
    uint16_t start; /* offset into the word */
};

struct tokenizer_scratch {
    char word[MAX_WORD_BYTES];
    struct mark mark[MAX_WORD_CHARACTERS];
    int32_t piece[MAX_WORD_CHARACTERS];
    uint8_t piece_size[MAX_WORD_CHARACTERS];      /* in characters */
    struct token_span origin[MAX_WORD_CHARACTERS]; /* of each character of the word */
};

/* One walk through one text. Whether it traces spans is a constant to the compiler, so
 * that a walk that does not does none of that work. */
struct walk {
    const struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    int32_t *ids; /* [max_ids], or NULL */
    size_t n_ids, max_ids;
    struct token_span *spans; /* [max_ids]; set, as here, only when traced */
    struct token_span here;   /* the character being read */
    /* The word begun. A character past the limit makes it [UNK] at once, and
     * n_characters MAX_WORD_CHARACTERS + 1 until the word ends. */
    size_t n_characters, n_bytes;
    /* The movable marks at the end of the word; none when more has come since
     * (n_bytes is not marks_end). */
    size_t n_marks, marks_end;
};

#define INLINE static inline __attribute__((always_inline))

INLINE void emit(struct walk *walk, int traced, int32_t id, size_t start, size_t end)
{
    if (walk->n_ids == walk->max_ids)
        return;
    if (walk->ids != NULL)
        walk->ids[walk->n_ids] = id;
    if (traced)
        walk->spans[walk->n_ids] = (struct token_span){ start, end };
    walk->n_ids++;
}

static uint8_t count_characters(const char *text, size_t size)
{
    unsigned n = 0;

    for (size_t i = 0; i < size; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return (uint8_t)n;
}

/* Pieces are kept back until the last is found: a word with a rest that the
 * vocabulary cannot spell is [UNK] as a whole. */
INLINE void emit_pieces(struct walk *walk, int traced)
{
    const struct tokenizer *tokenizer = walk->tokenizer;
    const struct token_span *origin = walk->scratch->origin;
    const char *word = walk->scratch->word;
    int32_t *piece = walk->scratch->piece;
    uint8_t *piece_size = walk->scratch->piece_size;
    size_t n_pieces = 0, n;

    for (size_t i = 0; i < walk->n_bytes; i += n) {
        /* Words and vocabulary are both UTF-8, so a piece ends where a character
         * does, and there are no more pieces than characters. */
        int32_t id = vocab_find_longest(tokenizer->vocab, word + i, walk->n_bytes - i, i > 0, &n);

        if (id < 0) {
            emit(walk, traced, tokenizer->unk, origin[0].start, origin[walk->n_characters - 1].end);
            return;
        }
        if (traced)
            piece_size[n_pieces] = count_characters(word + i, n);
        piece[n_pieces++] = id;
    }
    for (size_t i = 0; i < n_pieces; i++) {
        if (traced) {
            emit(walk, traced, piece[i], origin[0].start, origin[piece_size[i] - 1].end);
            origin += piece_size[i];
        } else {
            emit(walk, traced, piece[i], 0, 0);
        }
    }
}

INLINE void end_word(struct walk *walk, int traced)
{
    if (walk->n_characters == 0)
        return;
    if (walk->n_characters <= MAX_WORD_CHARACTERS)
        emit_pieces(walk, traced);
    walk->n_characters = 0;
    walk->n_bytes = 0;
    walk->n_marks = 0;
}

/* Counts one more character of the word; 0 when it is past the limit. */
INLINE int has_room(struct walk *walk, int traced)
{
    if (walk->n_characters < MAX_WORD_CHARACTERS) {
        if (traced)
            walk->scratch->origin[walk->n_characters] = walk->here;
        walk->n_characters++;
        return 1;
    }
    if (walk->n_characters == MAX_WORD_CHARACTERS) {
        emit(walk, traced, walk->tokenizer->unk, walk->scratch->origin[0].start, walk->here.end);
        walk->n_characters++;
    } else if (traced) {
        walk->spans[walk->n_ids - 1].end = walk->here.end;
    }
    return 0;
}

INLINE void add_letter(struct walk *walk, int traced, uint32_t letter)
{
    if (!has_room(walk, traced))
        return;
    if (letter < 0x80)
        walk->scratch->word[walk->n_bytes++] = (char)letter;
    else
        walk->n_bytes += utf8_encode(letter, walk->scratch->word + walk->n_bytes);
}

/* Canonical ordering (Unicode 3.11, D108 and D109), one mark at a time: it goes in
 * front of the marks at the end of the word that have a higher class. */
static void add_mark(struct walk *walk, int traced, uint32_t code_point, uint8_t combining_class)
{
    char *word = walk->scratch->word;
    struct mark *mark = walk->scratch->mark;
    char bytes[4];
    size_t n = utf8_encode(code_point, bytes);
    size_t i, start;

    if (!has_room(walk, traced))
        return;
    if (walk->marks_end != walk->n_bytes)
        walk->n_marks = 0;
    for (i = walk->n_marks; i > 0 && mark[i - 1].combining_class > combining_class; i--)
        mark[i] = (struct mark){ mark[i - 1].combining_class, (uint16_t)(mark[i - 1].start + n) };
    start = i < walk->n_marks ? mark[i + 1].start - n : walk->n_bytes;
    memmove(word + start + n, word + start, walk->n_bytes - start);
    memcpy(word + start, bytes, n);
    mark[i] = (struct mark){ combining_class, (uint16_t)start };
    walk->n_marks++;
    walk->n_bytes += n;
    walk->marks_end = walk->n_bytes;
}

static int32_t id_alone(const struct tokenizer *tokenizer, uint32_t code_point)
{
    char bytes[4];
    int32_t id = vocab_find(tokenizer->vocab, bytes, utf8_encode(code_point, bytes), 0);

    return id < 0 ? tokenizer->unk : id;
}

INLINE void add_normalized(struct walk *walk, int traced, uint32_t code_point)
{
    struct character part[NORMALIZE_MAX];
    size_t n = normalize_character(&walk->tokenizer->rules, code_point, part);

    for (size_t i = 0; i < n; i++) {
        switch (part[i].kind) {
        case CHARACTER_PART:
            if (part[i].combining_class > 0)
                add_mark(walk, traced, part[i].code_point, part[i].combining_class);
            else
                add_letter(walk, traced, part[i].code_point);
            break;
        case CHARACTER_ALONE:
            end_word(walk, traced);
            emit(walk, traced, id_alone(walk->tokenizer, part[i].code_point), walk->here.start,
                 walk->here.end);
            break;
        case CHARACTER_SPACE:
            end_word(walk, traced);
            break;
        case CHARACTER_BARRIER:
            walk->n_marks = 0;
            break;
        }
    }
}

/* The special token that text [size] begins with, or NULL. */
static const struct special *find_special(const struct tokenizer *tokenizer, const char *text,
                                          size_t size)
{
    for (size_t i = 0; i < tokenizer->n_specials; i++) {
        const struct special *special = &tokenizer->special[i];

        if (special->size <= size && memcmp(special->word, text, special->size) == 0)
            return special;
    }
    return NULL;
}

/* utf8_decode for what nearly every text is made of, ready to be inlined. */
static inline uint32_t decode(const char *text, size_t size, size_t *n_bytes)
{
    const unsigned char *s = (const unsigned char *)text;

    if (s[0] < 0x80) {
        *n_bytes = 1;
        return s[0];
    }
    /* E0 and ED begin overlong forms and surrogates as well. */
    if (s[0] > 0xe0 && s[0] < 0xf0 && s[0] != 0xed && size >= 3 && (s[1] & 0xc0) == 0x80 &&
        (s[2] & 0xc0) == 0x80) {
        *n_bytes = 3;
        return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    }
    return utf8_decode(text, size, n_bytes, NULL);
}

INLINE size_t walk_text(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                        const char *text, size_t size, int32_t *ids, int traced,
                        struct token_span *spans, size_t max_ids)
{
    struct walk walk = { .tokenizer = tokenizer, .scratch = scratch, .ids = ids,
                         .max_ids = max_ids, .spans = spans };
    size_t n;

    /* The rest of a word past the limit, which is [UNK] already, belongs to its span. */
    for (size_t i = 0; i < size && (walk.n_ids < max_ids ||
                                    (traced && walk.n_characters > MAX_WORD_CHARACTERS));
         i += n) {
        uint32_t code_point = decode(text + i, size - i, &n);
        int32_t action = code_point < N_PLANE0 ? tokenizer->action[code_point] : LOOK;

        if (traced)
            walk.here = (struct token_span){ i, i + n };
        if (action >= 0) {
            end_word(&walk, traced);
            emit(&walk, traced, action, i, i + n);
        } else if (action <= LETTER) {
            add_letter(&walk, traced, (uint32_t)(LETTER - action));
        } else if (action == SPACE) {
            end_word(&walk, traced);
        } else if (action == LOOK) {
            const struct special *special = find_special(tokenizer, text + i, size - i);

            if (special == NULL) {
                add_normalized(&walk, traced, code_point);
            } else {
                end_word(&walk, traced);
                n = special->size;
                emit(&walk, traced, special->id, i, i + n);
            }
        }
    }
    end_word(&walk, traced);
    return walk.n_ids;
}

static __attribute__((noinline)) size_t
trace(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch, const char *text,
      size_t size, int32_t *ids, struct token_span *spans, size_t max_ids)
{
    return walk_text(tokenizer, scratch, text, size, ids, 1, spans, max_ids);
}

size_t tokenizer_ids(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                     const char *text, size_t size, int32_t *ids, struct token_span *spans,
                     size_t max_ids)
{
    if (spans != NULL)
        return trace(tokenizer, scratch, text, size, ids, spans, max_ids);
    return walk_text(tokenizer, scratch, text, size, ids, 0, NULL, max_ids);
}

size_t tokenizer_count(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                       const char *text, size_t size)
{
    return tokenizer_ids(tokenizer, scratch, text, size, NULL, NULL, SIZE_MAX);
}

static int32_t find_action(const struct tokenizer *tokenizer, uint32_t code_point)
{
    struct character part[NORMALIZE_MAX];
    size_t n = normalize_character(&tokenizer->rules, code_point, part);

    if (n == 0)
        return NOTHING;
    if (n > 1)
        return LOOK;
    switch (part[0].kind) {
    case CHARACTER_SPACE:
        return SPACE;
    case CHARACTER_ALONE:
        return id_alone(tokenizer, part[0].code_point);
    case CHARACTER_PART:
        return part[0].combining_class > 0 ? LOOK : LETTER - (int32_t)part[0].code_point;
    default:
        return LOOK;
    }
}

/* Puts a special token behind those that are longer: the longest one counts where
 * two begin. */
static void add_special(struct tokenizer *tokenizer, const char *word, int32_t id)
{
    size_t size = strlen(word);
    size_t i = tokenizer->n_specials++;

    for (; i > 0 && tokenizer->special[i - 1].size < size; i--)
        tokenizer->special[i] = tokenizer->special[i - 1];
    memcpy(tokenizer->special[i].word, word, size + 1);
    tokenizer->special[i].size = size;
    tokenizer->special[i].id = id;
}

static int find_specials(struct tokenizer *tokenizer, const struct model_config *config,
                         ernie_error *err)
{
    static const char *const usual[N_SPECIAL_TOKENS] = {
        [SPECIAL_UNK] = "[UNK]", [SPECIAL_CLS] = "[CLS]",   [SPECIAL_SEP] = "[SEP]",
        [SPECIAL_PAD] = "[PAD]", [SPECIAL_MASK] = "[MASK]",
    };
    int32_t id[N_SPECIAL_TOKENS];

    for (size_t i = 0; i < N_SPECIAL_TOKENS; i++) {
        const char *word = config->special_tokens[i];

        if (word[0] == '\0')
            word = usual[i];
        id[i] = vocab_find(tokenizer->vocab, word, strlen(word), 0);
        if (id[i] >= 0)
            add_special(tokenizer, word, id[i]);
        else if (i != SPECIAL_PAD && i != SPECIAL_MASK) /* which no embedding needs */
            return error_set(err, ERNIE_EFORMAT, "the special token %s is missing",
                             word);
    }
    tokenizer->unk = id[SPECIAL_UNK];
    tokenizer->cls = id[SPECIAL_CLS];
    tokenizer->sep = id[SPECIAL_SEP];
    return ERNIE_OK;
}

int tokenizer_new(const struct vocab *vocab, const struct model_config *config,
                  struct tokenizer **out, ernie_error *err)
{
    int status;
    struct tokenizer *tokenizer = memory_new(1, sizeof *tokenizer);

    if (tokenizer == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    tokenizer->vocab = vocab;
    tokenizer->rules = (struct normalization){ .lower_case = config->do_lower_case,
                                               .strip_accents = config->strip_accents,
                                               .chinese_words = config->tokenize_chinese_chars };
    status = find_specials(tokenizer, config, err);
    if (status != ERNIE_OK)
        goto done;
    for (uint32_t c = 0; c < N_PLANE0; c++)
        tokenizer->action[c] = c >= 0xd800 && c <= 0xdfff ? NOTHING : find_action(tokenizer, c);
    for (size_t i = 0; i < tokenizer->n_specials; i++) {
        const struct special *special = &tokenizer->special[i];
        size_t n;
        uint32_t c = utf8_decode(special->word, special->size, &n, NULL);

        if (c < N_PLANE0)
            tokenizer->action[c] = LOOK;
    }

    *out = tokenizer;
    tokenizer = NULL; /* the caller owns it now */
done:
    tokenizer_free(tokenizer);
    return status;
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    memory_free(tokenizer);
}

int tokenizer_scratch_new(struct tokenizer_scratch **out, ernie_error *err)
{
    struct tokenizer_scratch *scratch = memory_new(1, sizeof *scratch);

    if (scratch == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    *out = scratch;
    return ERNIE_OK;
}

void tokenizer_scratch_free(struct tokenizer_scratch *scratch)
{
    memory_free(scratch);
}

int32_t tokenizer_cls(const struct tokenizer *tokenizer)
{
    return tokenizer->cls;
}

int32_t tokenizer_sep(const struct tokenizer *tokenizer)
{
    return tokenizer->sep;
}
