#include "model/wordpiece.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

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
    LOOK = -3,    /* normalise it, and see whether an added token begins here */
    LETTER = -4
};

struct wordpiece {
    const struct vocab *vocab;
    const struct added_tokens *added;
    struct normalization rules;
    int32_t unk;
    int32_t action[N_PLANE0];
};

struct mark {
    uint8_t combining_class;
    uint16_t start; /* offset into the word */
};

/* A part of the text, normalised: what normalized added tokens are looked for in. */
struct normal {
    struct buffer text;
    struct token_span *origin; /* [text.size]; only when traced */
    size_t origin_capacity;
    /* The marks at the end that may yet change places. */
    struct moving {
        uint32_t code_point;
        uint8_t combining_class;
        struct token_span origin;
    } *run, *sorted; /* [run_capacity] */
    size_t n_run, run_capacity;
    int failed;
};

struct wordpiece_scratch {
    struct normal normal;
    char word[MAX_WORD_BYTES];
    struct mark mark[MAX_WORD_CHARACTERS];
    int32_t piece[MAX_WORD_CHARACTERS];
    uint8_t piece_size[MAX_WORD_CHARACTERS];      /* in characters */
    struct token_span origin[MAX_WORD_CHARACTERS]; /* of each character of the word */
};

/* One walk through one text. Whether it traces spans is a constant to the compiler, so
 * that a walk that does not does none of that work. */
struct walk {
    const struct wordpiece *wordpiece;
    struct wordpiece_scratch *scratch;
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
    const struct wordpiece *wordpiece = walk->wordpiece;
    const struct token_span *origin = walk->scratch->origin;
    const char *word = walk->scratch->word;
    int32_t *piece = walk->scratch->piece;
    uint8_t *piece_size = walk->scratch->piece_size;
    size_t n_pieces = 0, n;

    for (size_t i = 0; i < walk->n_bytes; i += n) {
        /* Words and vocabulary are both UTF-8, so a piece ends where a character
         * does, and there are no more pieces than characters. */
        int32_t id = vocab_find_longest(wordpiece->vocab, word + i, walk->n_bytes - i, i > 0, &n);

        if (id < 0) {
            emit(walk, traced, wordpiece->unk, origin[0].start, origin[walk->n_characters - 1].end);
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
        emit(walk, traced, walk->wordpiece->unk, walk->scratch->origin[0].start, walk->here.end);
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

static int32_t id_alone(const struct wordpiece *wordpiece, uint32_t code_point)
{
    char bytes[4];
    int32_t id = vocab_find(wordpiece->vocab, bytes, utf8_encode(code_point, bytes), 0);

    return id < 0 ? wordpiece->unk : id;
}

INLINE void add_normalized(struct walk *walk, int traced, const struct normalization *rules,
                           uint32_t code_point)
{
    struct character part[NORMALIZE_MAX];
    size_t n = normalize_character(rules, code_point, part);

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
            emit(walk, traced, id_alone(walk->wordpiece, part[i].code_point), walk->here.start,
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

/* ---- the straight way: as the text is read ------------------------------ */

/* The rest of a word past the limit, which is [UNK] already, belongs to its span. */
INLINE int is_done(const struct walk *walk, int traced)
{
    return walk->n_ids >= walk->max_ids &&
           !(traced && walk->n_characters > MAX_WORD_CHARACTERS);
}

INLINE size_t walk_text(struct walk *walk, int traced, const char *text, size_t size)
{
    const struct wordpiece *wordpiece = walk->wordpiece;
    size_t taken = 0, look_from = 0, n;

    for (size_t i = 0; i < size && !is_done(walk, traced); i += n) {
        uint32_t code_point = utf8_decode_quick(text + i, size - i, &n);
        int32_t action = code_point < N_PLANE0 ? wordpiece->action[code_point] : LOOK;

        if (traced)
            walk->here = (struct token_span){ i, i + n };
        if (action >= 0) {
            end_word(walk, traced);
            emit(walk, traced, action, i, i + n);
        } else if (action <= LETTER) {
            add_letter(walk, traced, (uint32_t)(LETTER - action));
        } else if (action == SPACE) {
            end_word(walk, traced);
        } else if (action == LOOK) {
            struct added_match match;

            if (i < look_from || !added_tokens_at(wordpiece->added, ADDED_RAW, text, size, i,
                                                  taken, &match)) {
                add_normalized(walk, traced, &wordpiece->rules, code_point);
            } else if (match.id < 0) {
                look_from = match.next;
                add_normalized(walk, traced, &wordpiece->rules, code_point);
            } else {
                end_word(walk, traced);
                if (match.start < match.end)
                    emit(walk, traced, match.id, match.start, match.end);
                taken = match.end;
                n = match.next - i; /* white space taken along is none of a word */
            }
        }
    }
    end_word(walk, traced);
    return walk->n_ids;
}

/* ---- the long way: normalise a part, look for tokens in it, then split it ---- */

static void *grown(void *block, size_t n, size_t *capacity, size_t size)
{
    size_t wanted = *capacity > 0 ? *capacity : 256;
    void *larger;

    while (wanted < n)
        wanted *= 2;
    larger = memory_resize(block, wanted, size);
    if (larger != NULL)
        *capacity = wanted;
    return larger;
}

static void append(struct normal *normal, int traced, uint32_t code_point, struct token_span origin)
{
    char bytes[4];
    const size_t n = utf8_encode(code_point, bytes), size = normal->text.size;

    buffer_append(&normal->text, bytes, n);
    if (traced && size + n > normal->origin_capacity) {
        struct token_span *larger = grown(normal->origin, size + n, &normal->origin_capacity,
                                          sizeof *larger);

        normal->failed |= larger == NULL;
        normal->origin = larger != NULL ? larger : normal->origin;
    }
    normal->failed |= normal->text.failed;
    for (size_t i = 0; traced && !normal->failed && i < n; i++)
        normal->origin[size + i] = origin;
}

/* Sorts the run by class, equal ones as they came, by counting: a run may be long. What
 * is at a place came from that place, as when marks are put in order one at a time. */
static void end_run(struct normal *normal, int traced)
{
    size_t first[257] = { 0 };

    if (normal->n_run == 0)
        return;
    for (size_t i = 0; i < normal->n_run; i++)
        first[normal->run[i].combining_class + 1]++;
    for (size_t i = 1; i < 256; i++)
        first[i] += first[i - 1];
    for (size_t i = 0; i < normal->n_run; i++)
        normal->sorted[first[normal->run[i].combining_class]++] = normal->run[i];
    for (size_t i = 0; i < normal->n_run; i++)
        append(normal, traced, normal->sorted[i].code_point, normal->run[i].origin);
    normal->n_run = 0;
}

static void add_to_run(struct normal *normal, const struct character *mark,
                       struct token_span origin)
{
    if (normal->n_run == normal->run_capacity) {
        size_t capacity = normal->run_capacity;
        struct moving *run = grown(normal->run, normal->n_run + 1, &capacity, sizeof *run);
        struct moving *sorted = run == NULL ? NULL
                                            : memory_resize(normal->sorted, capacity, sizeof *run);

        normal->run = run != NULL ? run : normal->run;
        normal->sorted = sorted != NULL ? sorted : normal->sorted;
        if (sorted == NULL) {
            normal->failed = 1;
            return;
        }
        normal->run_capacity = capacity;
    }
    normal->run[normal->n_run++] = (struct moving){ mark->code_point, mark->combining_class,
                                                    origin };
}

static void append_character(struct normal *normal, int traced, const struct normalization *rules,
                             uint32_t code_point, struct token_span origin)
{
    struct character part[NORMALIZE_MAX];
    const int is_word = rules->chinese_words && normalize_is_chinese(code_point);
    const size_t n = normalize_character(rules, code_point, part);

    if (is_word) {
        end_run(normal, traced);
        append(normal, traced, ' ', origin);
    }
    for (size_t i = 0; i < n; i++) {
        if (part[i].kind == CHARACTER_PART && part[i].combining_class > 0) {
            add_to_run(normal, &part[i], origin);
            continue;
        }
        end_run(normal, traced);
        if (part[i].kind != CHARACTER_BARRIER)
            append(normal, traced, part[i].code_point, origin);
    }
    if (is_word)
        append(normal, traced, ' ', origin);
}

/* Text [start, end), normalised. */
static void normalize(struct normal *normal, int traced, const struct normalization *rules,
                      const char *text, size_t start, size_t end)
{
    size_t n;

    buffer_clear(&normal->text);
    normal->text.failed = normal->failed = 0;
    normal->n_run = 0;
    for (size_t i = start; i < end && !normal->failed; i += n) {
        uint32_t code_point = utf8_decode_quick(text + i, end - i, &n);

        append_character(normal, traced, rules, code_point, (struct token_span){ i, i + n });
    }
    end_run(normal, traced);
}

int wordpiece_normalize(const void *rules, const char *text, size_t size, struct buffer *out,
                        ernie_error *err)
{
    struct normal normal = { .failed = 0 };
    int status = ERNIE_OK;

    normalize(&normal, 0, rules, text, 0, size);
    if (normal.failed)
        status = error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    else
        buffer_append(out, normal.text.data, normal.text.size);
    buffer_reset(&normal.text);
    memory_free(normal.run);
    memory_free(normal.sorted);
    return status;
}

/* What is left between tokens: normalised, so that only words are left to find. */
INLINE void walk_words(struct walk *walk, int traced, size_t start, size_t end)
{
    static const struct normalization nothing = { 0, 0, 0 };
    const struct normal *normal = &walk->scratch->normal;
    size_t n;

    for (size_t i = start; i < end && !is_done(walk, traced); i += n) {
        uint32_t code_point = utf8_decode_quick(normal->text.data + i, end - i, &n);

        if (traced)
            walk->here = normal->origin[i];
        add_normalized(walk, traced, &nothing, code_point);
    }
    end_word(walk, traced);
}

/* Text [start, end), which no raw token is in. */
INLINE void walk_part(struct walk *walk, int traced, const char *text, size_t start, size_t end)
{
    const struct wordpiece *wordpiece = walk->wordpiece;
    struct normal *normal = &walk->scratch->normal;
    const struct token_span *origin;
    struct added_match match;
    size_t at = 0, taken = 0;

    normalize(normal, traced, &wordpiece->rules, text, start, end);
    origin = normal->origin;
    while (!normal->failed && walk->n_ids < walk->max_ids &&
           added_tokens_next(wordpiece->added, ADDED_NORMALIZED, normal->text.data,
                             normal->text.size, at, taken, &match)) {
        if (match.start > taken)
            walk_words(walk, traced, taken, match.start);
        if (match.start < match.end && traced)
            emit(walk, traced, match.id, origin[match.start].start, origin[match.end - 1].end);
        else if (match.start < match.end)
            emit(walk, traced, match.id, 0, 0);
        at = match.next;
        taken = match.end;
    }
    if (!normal->failed)
        walk_words(walk, traced, taken, normal->text.size);
}

INLINE size_t walk_parts(struct walk *walk, int traced, const char *text, size_t size)
{
    const struct added_tokens *added = walk->wordpiece->added;
    const struct normal *normal = &walk->scratch->normal;
    struct added_match match;
    size_t at = 0, taken = 0;

    while (walk->n_ids < walk->max_ids && !normal->failed &&
           added_tokens_next(added, ADDED_RAW, text, size, at, taken, &match)) {
        if (match.start > taken)
            walk_part(walk, traced, text, taken, match.start);
        if (match.start < match.end)
            emit(walk, traced, match.id, match.start, match.end);
        at = match.next;
        taken = match.end;
    }
    if (walk->n_ids < walk->max_ids && !normal->failed)
        walk_part(walk, traced, text, taken, size);
    return normal->failed ? SIZE_MAX : walk->n_ids;
}

/* ---- calling ----------------------------------------------------------- */

static __attribute__((noinline)) size_t
trace(const struct wordpiece *wordpiece, struct wordpiece_scratch *scratch, const char *text,
      size_t size, int32_t *ids, struct token_span *spans, size_t max_ids)
{
    struct walk walk = { .wordpiece = wordpiece, .scratch = scratch, .ids = ids,
                         .max_ids = max_ids, .spans = spans };

    return walk_text(&walk, 1, text, size);
}

static __attribute__((noinline)) size_t
read_parts(const struct wordpiece *wordpiece, struct wordpiece_scratch *scratch, const char *text,
           size_t size, int32_t *ids, struct token_span *spans, size_t max_ids)
{
    struct walk walk = { .wordpiece = wordpiece, .scratch = scratch, .ids = ids,
                         .max_ids = max_ids, .spans = spans };

    scratch->normal.failed = 0;
    return spans != NULL ? walk_parts(&walk, 1, text, size) : walk_parts(&walk, 0, text, size);
}

size_t wordpiece_ids(const struct wordpiece *wordpiece, struct wordpiece_scratch *scratch,
                     const char *text, size_t size, int32_t *ids, struct token_span *spans,
                     size_t max_ids)
{
    struct walk walk = { .wordpiece = wordpiece, .scratch = scratch, .ids = ids,
                         .max_ids = max_ids };

    if (added_tokens_count(wordpiece->added, ADDED_NORMALIZED) > 0)
        return read_parts(wordpiece, scratch, text, size, ids, spans, max_ids);
    if (spans != NULL)
        return trace(wordpiece, scratch, text, size, ids, spans, max_ids);
    return walk_text(&walk, 0, text, size);
}

static int32_t find_action(const struct wordpiece *wordpiece, uint32_t code_point)
{
    struct character part[NORMALIZE_MAX];
    size_t n = normalize_character(&wordpiece->rules, code_point, part);

    if (n == 0)
        return NOTHING;
    if (n > 1)
        return LOOK;
    switch (part[0].kind) {
    case CHARACTER_SPACE:
        return SPACE;
    case CHARACTER_ALONE:
        return id_alone(wordpiece, part[0].code_point);
    case CHARACTER_PART:
        return part[0].combining_class > 0 ? LOOK : LETTER - (int32_t)part[0].code_point;
    default:
        return LOOK;
    }
}

int wordpiece_new(const struct vocab *vocab, const struct normalization *rules,
                  const struct added_tokens *added, int32_t unk, struct wordpiece **out,
                  ernie_error *err)
{
    struct wordpiece *wordpiece = memory_new(1, sizeof *wordpiece);

    if (wordpiece == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    wordpiece->vocab = vocab;
    wordpiece->added = added;
    wordpiece->rules = *rules;
    wordpiece->unk = unk;
    for (uint32_t c = 0; c < N_PLANE0; c++)
        wordpiece->action[c] = c >= 0xd800 && c <= 0xdfff ? NOTHING : find_action(wordpiece, c);
    for (size_t i = 0; i < added_tokens_count(added, ADDED_RAW); i++) {
        const char *pattern = added_tokens_pattern(added, ADDED_RAW, i);
        size_t n;
        uint32_t c = utf8_decode(pattern, strlen(pattern), &n, NULL);

        if (c < N_PLANE0)
            wordpiece->action[c] = LOOK;
    }
    *out = wordpiece;
    return ERNIE_OK;
}

void wordpiece_free(struct wordpiece *wordpiece)
{
    memory_free(wordpiece);
}

int wordpiece_scratch_new(struct wordpiece_scratch **out, ernie_error *err)
{
    struct wordpiece_scratch *scratch = memory_new(1, sizeof *scratch);

    if (scratch == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    *out = scratch;
    return ERNIE_OK;
}

void wordpiece_scratch_free(struct wordpiece_scratch *scratch)
{
    if (scratch == NULL)
        return;
    buffer_reset(&scratch->normal.text);
    memory_free(scratch->normal.origin);
    memory_free(scratch->normal.run);
    memory_free(scratch->normal.sorted);
    memory_free(scratch);
}
