#include "document/chunk.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "document/sentence.h"

#define MAX_BYTES_PER_TOKEN 16 /* more is no text that a model reads: an encoded blob */
#define MAX_ATOM_BYTES      64

/* A sentence, or what fits of a long one. */
struct piece {
    size_t start, end;
    size_t n_tokens;
    int is_heading;
    unsigned level; /* of the heading whose section begins with it, from 1; 0: none does */
};

struct chunker {
    const char *text;
    size_t max_tokens, max_bytes;
    count_tokens_fn count_tokens;
    void *data;
    int is_uncounted; /* the counter lacked memory: what is cut since means nothing */
    struct chunk_list *list;
    const struct chunk_order *order;
    size_t next_section; /* the first that begins behind the pieces so far */
    unsigned level;      /* of the section that the current chunk began in; 0: of none */
    /* The pieces of the chunk before and of the one being packed. */
    struct piece *piece; /* [n_pieces] */
    size_t n_pieces, capacity;
    size_t previous;  /* the first piece of the chunk before, repeated ones left out */
    size_t current;   /* the first piece that is new in the current chunk */
    size_t n_tokens;  /* of the current chunk, with the repeated piece */
    int repeats;      /* the current chunk begins with the piece before current */
};

/* ---- emitting chunks --------------------------------------------------- */

static int add_chunk(struct chunker *chunker, size_t start, size_t end, size_t n_tokens)
{
    struct chunk_list *list = chunker->list;

    if (list->n == list->capacity) {
        size_t capacity = list->capacity < 16 ? 16 : list->capacity * 2;
        struct chunk *grown = memory_resize(list->chunk, capacity, sizeof *grown);

        if (grown == NULL)
            return -1;
        list->chunk = grown;
        list->capacity = capacity;
    }
    list->chunk[list->n++] = (struct chunk){ .start = start, .end = end, .n_tokens = n_tokens };
    return 0;
}

static size_t tokens_of(const struct chunker *chunker, size_t from, size_t to)
{
    size_t n = 0;

    for (size_t i = from; i < to; i++)
        n += chunker->piece[i].n_tokens;
    return n;
}

/* Whether a chunk whose first new piece is at index i may repeat the one before it
 * and still hold n_tokens of its own up to offset end. */
static int may_repeat(const struct chunker *chunker, size_t i, size_t n_tokens, size_t end)
{
    const struct piece *last = &chunker->piece[i - 1];

    return !chunker->piece[i].is_heading && chunker->piece[i].level == 0 &&
           last->n_tokens <= chunker->max_tokens / 4 &&
           last->n_tokens + n_tokens <= chunker->max_tokens && end - last->start <= chunker->max_bytes;
}

/* Ends the current chunk before piece index end; the pieces from there on are the
 * next one's. */
static int close_chunk(struct chunker *chunker, size_t end)
{
    const size_t first = chunker->current - (size_t)chunker->repeats;
    const struct piece *piece = chunker->piece;

    if (tokens_of(chunker, chunker->current, end) > 0 &&
        add_chunk(chunker, piece[first].start, piece[end - 1].end,
                  tokens_of(chunker, first, end)) != 0)
        return -1;
    chunker->previous = chunker->current;
    chunker->current = end;
    chunker->repeats = 0;
    chunker->n_tokens = tokens_of(chunker, end, chunker->n_pieces);
    /* The piece before the previous chunk's own stays: that one may repeat it. */
    if (chunker->previous > 1) {
        size_t n_gone = chunker->previous - 1;

        memmove(chunker->piece, piece + n_gone, (chunker->n_pieces - n_gone) * sizeof *piece);
        chunker->n_pieces -= n_gone;
        chunker->previous -= n_gone;
        chunker->current -= n_gone;
    }
    return 0;
}

/* Where to end the current chunk when no more fits: before the headings it would
 * otherwise end with, unless there is nothing else in it. */
static size_t end_before_headings(const struct chunker *chunker)
{
    size_t end = chunker->n_pieces;

    while (end > chunker->current && chunker->piece[end - 1].is_heading)
        end--;
    return end > chunker->current ? end : chunker->n_pieces;
}

/* Whether nothing but headings is in the current chunk. */
static int is_only_headings(const struct chunker *chunker)
{
    size_t i = chunker->current;

    while (i < chunker->n_pieces && chunker->piece[i].is_heading)
        i++;
    return i == chunker->n_pieces;
}

/* Whether a piece begins a part of the text, so that the current chunk ends before it. A
 * quarter, of what was tried on the Debian Reference and the Administrator's Handbook with
 * their headings as questions and with sentences taken out of them: a half, all sections
 * that are not too small, and every heading are each worse in one of the two or in ordinary
 * questions. */
static int begins_part(const struct chunker *chunker, const struct piece *piece)
{
    if (piece->level == 0)
        return piece->is_heading && chunker->n_tokens * 2 >= chunker->max_tokens &&
               !chunker->piece[chunker->n_pieces - 1].is_heading;
    if (is_only_headings(chunker))
        return 0;
    return chunker->n_tokens * 4 >= chunker->max_tokens || piece->level <= chunker->level;
}

static int add_piece(struct chunker *chunker, const struct piece *piece)
{
    while (chunker->n_pieces > chunker->current) {
        const struct piece *first = &chunker->piece[chunker->current - (size_t)chunker->repeats];
        const int full = chunker->n_tokens + piece->n_tokens > chunker->max_tokens ||
                         piece->end - first->start > chunker->max_bytes;

        if (!full && !begins_part(chunker, piece))
            break;
        if (close_chunk(chunker, end_before_headings(chunker)) != 0)
            return -1;
    }
    if (chunker->n_pieces == chunker->capacity) {
        size_t capacity = chunker->capacity < 64 ? 64 : chunker->capacity * 2;
        struct piece *grown = memory_resize(chunker->piece, capacity, sizeof *grown);

        if (grown == NULL)
            return -1;
        chunker->piece = grown;
        chunker->capacity = capacity;
    }
    if (chunker->n_pieces == chunker->current && piece->level > 0)
        chunker->level = piece->level;
    chunker->piece[chunker->n_pieces++] = *piece;
    chunker->n_tokens += piece->n_tokens;
    if (chunker->n_pieces == chunker->current + 1 && chunker->current > 0 &&
        may_repeat(chunker, chunker->current, piece->n_tokens, piece->end)) {
        chunker->repeats = 1;
        chunker->n_tokens += chunker->piece[chunker->current - 1].n_tokens;
    }
    return 0;
}

/* ---- sentences too long ------------------------------------------------ */

static int is_mark(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36f) || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f) ||
           (c >= 0x1f3fb && c <= 0x1f3ff) || (c >= 0x20d0 && c <= 0x20ff);
}

static int is_clause_mark(uint32_t c)
{
    return c == ',' || c == ';' || c == ':' || c == 0xff0c || c == 0x3001 || c == 0xff1a;
}

static int is_of_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c >= 0xc0 && c < 0x2000);
}

/* The end of the least that may be taken from offset at: a word of letters and
 * digits or one other character, with its marks, and the space behind it. *is_clause
 * and *is_space: what it ends with. */
static size_t atom_end(const char *text, size_t at, size_t end, int *is_clause, int *is_space)
{
    const size_t start = at;
    uint32_t previous = 0;
    size_t n;

    *is_clause = *is_space = 0;
    while (at < end) {
        uint32_t c = utf8_decode(text + at, end - at, &n, NULL);
        const int joins = is_mark(c) || previous == 0x200d || (is_of_word(c) && is_of_word(previous));

        if (at > start && (!joins || at - start >= MAX_ATOM_BYTES))
            break;
        /* 1,000 and 12:30 are no clauses. */
        *is_clause = is_clause_mark(c) && (c >= 0x80 || at + 1 == end || text[at + 1] == ' ' ||
                                           text[at + 1] == '\n');
        previous = c;
        at += n;
    }
    while (at < end && space_at(text + at, end - at, &n)) {
        *is_space = 1;
        at += n;
    }
    return at;
}

/* Tokens in [start, end); none when they cannot be counted. */
static size_t count(struct chunker *chunker, size_t start, size_t end)
{
    size_t n = chunker->count_tokens(chunker->data, chunker->text + start, end - start);

    if (n != CHUNK_NO_COUNT)
        return n;
    chunker->is_uncounted = 1;
    return 0;
}

struct cut {
    size_t end;
    size_t n_tokens;
};

/* As much of [at, end) as fits, up to the last clause that leaves at least a quarter
 * of the room used, else the last space that does, else the last atom. */
static size_t fitting_end(struct chunker *chunker, size_t at, size_t end)
{
    const char *text = chunker->text;
    struct cut clause = { 0, 0 }, space = { 0, 0 }, now = { at, 0 };
    const size_t enough_tokens = chunker->max_tokens / 4;
    const size_t enough_bytes = chunker->max_bytes / 4;

    while (now.end < end) {
        int is_clause, is_space;
        size_t next = atom_end(text, now.end, end, &is_clause, &is_space);
        size_t n = count(chunker, now.end, next);

        if (now.end > at && (now.n_tokens + n > chunker->max_tokens ||
                             next - at > chunker->max_bytes))
            break;
        now = (struct cut){ next, now.n_tokens + n };
        if (is_clause)
            clause = now;
        if (is_space)
            space = now;
    }
    if (now.end >= end)
        return end;
    if (clause.n_tokens > enough_tokens || (clause.end > at && clause.end - at > enough_bytes))
        return clause.end;
    if (space.n_tokens > enough_tokens || (space.end > at && space.end - at > enough_bytes))
        return space.end;
    return now.end;
}

static size_t without_space_behind(const char *text, size_t start, size_t end)
{
    size_t n;

    while (end > start) {
        size_t last = utf8_floor(text, end - 1);

        if (!space_at(text + last, end - last, &n))
            break;
        end = last;
    }
    return end;
}

/* The tokens of a whole are not always those of its atoms: what came out too long is
 * halved until it fits. One character is taken as it is. */
static size_t shrink(struct chunker *chunker, size_t at, size_t *end)
{
    size_t n_tokens;

    for (;;) {
        size_t n_bytes, half;

        n_tokens = count(chunker, at, *end);
        utf8_decode(chunker->text + at, *end - at, &n_bytes, NULL);
        if (n_tokens <= chunker->max_tokens || at + n_bytes >= *end)
            return n_tokens;
        half = utf8_floor(chunker->text, at + (*end - at) / 2);
        *end = half > at ? half : at + n_bytes;
    }
}

static int add_long_sentence(struct chunker *chunker, const struct sentence *sentence,
                             unsigned level)
{
    size_t at = sentence->start, n;

    while (at < sentence->end) {
        struct piece piece = { .start = at, .level = at == sentence->start ? level : 0 };

        piece.end = without_space_behind(chunker->text, at,
                                         fitting_end(chunker, at, sentence->end));
        piece.n_tokens = shrink(chunker, at, &piece.end);
        if (add_piece(chunker, &piece) != 0)
            return -1;
        at = piece.end;
        while (at < sentence->end && space_at(chunker->text + at, sentence->end - at, &n))
            at += n;
    }
    return 0;
}

/* The level of a section: 0 for a page that is no part of its own. */
static unsigned level_of(const struct chunker *chunker, const struct section *section)
{
    return section->level > 0 ? section->level : chunker->order->pages_are_parts ? 1 : 0;
}

/* The level of the sections that begin behind the pieces so far and up to offset, the highest
 * of them; 0: none does. */
static unsigned take_sections(struct chunker *chunker, size_t offset)
{
    const struct chunk_order *order = chunker->order;
    unsigned highest = 0;

    for (; chunker->next_section < order->n_sections &&
           order->section[chunker->next_section].offset <= offset;
         chunker->next_section++) {
        const unsigned level = level_of(chunker, &order->section[chunker->next_section]);

        if (level > 0 && (highest == 0 || level < highest))
            highest = level;
    }
    return highest;
}

static int add_sentence(struct chunker *chunker, const struct sentence *sentence, int is_heading)
{
    struct piece piece = { .start = sentence->start, .end = sentence->end,
                           .level = take_sections(chunker, sentence->start) };
    const size_t size = sentence->end - sentence->start;

    piece.is_heading = is_heading && (piece.level > 0 || !chunker->order->headings_are_told);

    if (size <= chunker->max_bytes) {
        piece.n_tokens = count(chunker, piece.start, piece.end);
        if (piece.n_tokens <= chunker->max_tokens)
            return add_piece(chunker, &piece);
    }
    return add_long_sentence(chunker, sentence, piece.level);
}

/* ---- the whole text ---------------------------------------------------- */

/* The current chunk is the last. When it is small, the chunk before gives it pieces
 * from its end until they are about equal, or takes it in where it fits. */
static int close_last(struct chunker *chunker)
{
    const size_t n_new = tokens_of(chunker, chunker->current, chunker->n_pieces);
    struct chunk_list *list = chunker->list;
    struct chunk *before = list->n > 0 ? &list->chunk[list->n - 1] : NULL;
    size_t first = chunker->current, n_tokens = n_new, end, n_repeated;
    const struct piece *piece = chunker->piece;

    if (n_new == 0) /* nothing is left but space and what the tokenizer does not read */
        return 0;
    end = piece[chunker->n_pieces - 1].end;
    if (before == NULL || n_new * 4 >= chunker->max_tokens || piece[chunker->current].level > 0)
        return close_chunk(chunker, chunker->n_pieces);
    if (before->n_tokens + n_new <= chunker->max_tokens &&
        end - before->start <= chunker->max_bytes) {
        before->end = end;
        before->n_tokens += n_new;
        return 0;
    }
    if (piece[chunker->current].is_heading) /* a short last section stays one */
        return close_chunk(chunker, chunker->n_pieces);
    while (first > chunker->previous + 1 &&
           n_tokens + piece[first - 1].n_tokens <=
               before->n_tokens - piece[first - 1].n_tokens &&
           end - piece[first - 1].start <= chunker->max_bytes) {
        first--;
        n_tokens += piece[first].n_tokens;
        before->n_tokens -= piece[first].n_tokens;
    }
    /* What was taken may have left a heading behind at the end: it comes along. */
    while (first > chunker->previous + 1 && piece[first - 1].is_heading &&
           n_tokens + piece[first - 1].n_tokens <= chunker->max_tokens &&
           end - piece[first - 1].start <= chunker->max_bytes) {
        first--;
        n_tokens += piece[first].n_tokens;
        before->n_tokens -= piece[first].n_tokens;
    }
    before->end = piece[first - 1].end;
    n_repeated = may_repeat(chunker, first, n_tokens, end) ? piece[first - 1].n_tokens : 0;
    return add_chunk(chunker, piece[n_repeated > 0 ? first - 1 : first].start, end,
                     n_tokens + n_repeated);
}

/* Where the next part begins behind offset at and before end, else end: no sentence runs on
 * into another part, though it may into another page. */
static size_t part_end(const struct chunker *chunker, size_t at, size_t end)
{
    const struct chunk_order *order = chunker->order;

    for (size_t i = chunker->next_section;
         i < order->n_sections && order->section[i].offset < end; i++)
        if (order->section[i].offset > at && level_of(chunker, &order->section[i]) > 0)
            return order->section[i].offset;
    return end;
}

static int next_piece(const struct chunker *chunker, const struct paragraph *paragraph, size_t at,
                      struct sentence *out)
{
    const char *text = chunker->text, *end;

    if (!sentence_next(text, paragraph, at, out))
        return 0;
    if (chunker->order->lines_are_whole) {
        end = memchr(text + out->start, '\n', paragraph->end - out->start);
        out->end = without_space_behind(text, out->start,
                                        end != NULL ? (size_t)(end - text) : paragraph->end);
    }
    return 1;
}

static int add_paragraph(struct chunker *chunker, const struct paragraph *paragraph)
{
    struct paragraph part = *paragraph;
    struct sentence sentence;

    for (; part.start < paragraph->end; part.start = part.end) {
        int is_heading;

        part.end = part_end(chunker, part.start, paragraph->end);
        is_heading = part.start == paragraph->start && part.end == paragraph->end &&
                     paragraph_is_heading(chunker->text, &part);
        for (size_t at = part.start; next_piece(chunker, &part, at, &sentence); at = sentence.end)
            if (add_sentence(chunker, &sentence, is_heading) != 0)
                return -1;
    }
    return chunker->is_uncounted ? -1 : 0;
}

int chunk_text(const char *text, size_t size, const struct chunk_order *order, size_t max_tokens,
               count_tokens_fn count_tokens, void *data, struct chunk_list *list,
               ernie_error *err)
{
    static const struct chunk_order plain = { 0 };
    struct chunker chunker = { .text = text,
                               .max_tokens = max_tokens,
                               .count_tokens = count_tokens,
                               .data = data,
                               .list = list,
                               .order = order != NULL ? order : &plain };
    struct paragraph paragraph;
    int status = 0;

    if (max_tokens == 0)
        return error_set(err, ERNIE_EINVAL, "chunk: no tokens allowed");
    if (__builtin_mul_overflow(max_tokens, MAX_BYTES_PER_TOKEN, &chunker.max_bytes))
        chunker.max_bytes = SIZE_MAX;
    for (size_t at = 0; status == 0 && paragraph_next(text, size, at, &paragraph);
         at = paragraph.end)
        status = add_paragraph(&chunker, &paragraph);
    if (status == 0)
        status = close_last(&chunker);
    memory_free(chunker.piece);
    return status == 0 ? ERNIE_OK : error_set(err, ERNIE_ENOMEM, "chunk: out of memory");
}

void chunk_list_reset(struct chunk_list *list)
{
    memory_free(list->chunk);
    memset(list, 0, sizeof *list);
}

size_t sentence_end(const char *text, size_t size, size_t start)
{
    struct paragraph paragraph;
    struct sentence sentence;

    if (!paragraph_next(text, size, start, &paragraph) ||
        !sentence_next(text, &paragraph, start, &sentence))
        return size;
    return sentence.end;
}
