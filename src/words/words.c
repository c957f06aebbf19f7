#include "words/words.h"

#include <string.h>

#include <libstemmer.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "words/segment.h"

struct words {
    struct sb_stemmer *stemmer;
};

int words_new(struct words **out, ernie_error *err)
{
    struct words *words = memory_new(1, sizeof *words);

    if (words != NULL)
        words->stemmer = sb_stemmer_new("english", NULL);
    if (words == NULL || words->stemmer == NULL) {
        words_free(words);
        return error_set(err, ERNIE_ENOMEM, "words: out of memory");
    }
    *out = words;
    return ERNIE_OK;
}

void words_free(struct words *words)
{
    if (words == NULL)
        return;
    sb_stemmer_delete(words->stemmer);
    memory_free(words);
}

/* A word before it is known whether another follows. */
enum held {
    HELD_NOTHING,
    HELD_WORD, /* to be stemmed, unless it is the last of a prefix */
    HELD_TAIL, /* the last character of a run: its pair says it all, unless more follows,
                * which then has to stand in the place behind it */
};

struct cut {
    struct words *words;
    enum words_purpose purpose;
    words_fn fn;
    void *data;
    enum held held;
    char held_text[WORD_MAX_BYTES];
    size_t held_size, held_start, held_end;
};

static int is_english(const char *word, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((word[i] < 'a' || word[i] > 'z') && word[i] != '\'')
            return 0;
    }
    return 1;
}

/* The stem of a folded word, or the word; the stemmer's memory until it is used again. */
static const char *stem(struct words *words, const char *word, size_t size, size_t *n)
{
    const sb_symbol *out;

    *n = size;
    if (!is_english(word, size))
        return word;
    out = sb_stemmer_stem(words->stemmer, (const sb_symbol *)word, (int)size);
    if (out != NULL)
        *n = (size_t)sb_stemmer_length(words->stemmer);
    return (const char *)out;
}

/* A document's word, and its stem before it where that is another. */
static int give_both(struct cut *cut, const char *word, size_t size, size_t start, size_t end,
                     int is_colocated)
{
    size_t n;
    const char *stemmed = stem(cut->words, word, size, &n);
    int status;

    if (stemmed == NULL)
        return ERNIE_ENOMEM;
    status = cut->fn(cut->data, stemmed, n, start, end, is_colocated);
    if (status == 0 && (n != size || memcmp(word, stemmed, n) != 0))
        status = cut->fn(cut->data, word, size, start, end, 1);
    return status;
}

static int give_compound(struct cut *cut, const struct segment *segment)
{
    int status = 0;

    for (size_t i = 0; i < segment->n_parts && status == 0; i++) {
        const struct part *part = &segment->parts[i];

        status = give_both(cut, segment->letters + part->from, part->size, part->start, part->end,
                           0);
        if (status == 0 && i == 0 && segment->joins)
            status = give_both(cut, segment->letters, segment->n_letters, segment->start,
                               segment->end, 1);
    }
    return status;
}

static int give_run(struct cut *cut, const char *text, size_t size, size_t at)
{
    struct dense dense = { 0, at, at }, next;
    char pair[8];
    int status = 0, more = dense_next(text, size, &dense);

    while (more && status == 0) {
        size_t n = utf8_encode(dense.c, pair);

        next = dense;
        more = dense_next(text, size, &next);
        if (more)
            status = cut->fn(cut->data, pair, n + utf8_encode(next.c, pair + n), dense.start,
                             next.end, 0);
        if (status == 0)
            status = cut->fn(cut->data, pair, n, dense.start, dense.end, more);
        dense = next;
    }
    return status;
}

static int let_go(struct cut *cut, int is_last)
{
    const char *word = cut->held_text;
    size_t size = cut->held_size;
    enum held held = cut->held;

    cut->held = HELD_NOTHING;
    if (held == HELD_NOTHING || (held == HELD_TAIL && is_last))
        return 0;
    if (held == HELD_WORD && !(is_last && cut->purpose == WORDS_PREFIX)) {
        word = stem(cut->words, word, size, &size);
        if (word == NULL)
            return ERNIE_ENOMEM;
    }
    return cut->fn(cut->data, word, size, cut->held_start, cut->held_end, 0);
}

static void hold(struct cut *cut, enum held held, const char *word, size_t size, size_t start,
                 size_t end)
{
    cut->held = held;
    memcpy(cut->held_text, word, size);
    cut->held_size = size;
    cut->held_start = start;
    cut->held_end = end;
}

static int ask_compound(struct cut *cut, const struct segment *segment)
{
    int status = 0;

    for (size_t i = 0; i < segment->n_parts && status == 0; i++) {
        const struct part *part = &segment->parts[i];

        status = let_go(cut, 0);
        hold(cut, HELD_WORD, segment->letters + part->from, part->size, part->start, part->end);
    }
    return status;
}

static int ask_run(struct cut *cut, const char *text, size_t size, size_t at)
{
    struct dense dense = { 0, at, at }, next;
    char pair[8];
    int status = let_go(cut, 0), is_first = 1, more = dense_next(text, size, &dense);

    while (more && status == 0) {
        size_t n = utf8_encode(dense.c, pair);

        next = dense;
        more = dense_next(text, size, &next);
        if (more)
            status = cut->fn(cut->data, pair, n + utf8_encode(next.c, pair + n), dense.start,
                             next.end, 0);
        else if (is_first)
            status = cut->fn(cut->data, pair, n, dense.start, dense.end, 0);
        else
            hold(cut, HELD_TAIL, pair, n, dense.start, dense.end);
        dense = next;
        is_first = 0;
    }
    return status;
}

int words_cut(struct words *words, enum words_purpose purpose, const char *text, size_t size,
              words_fn fn, void *data)
{
    struct cut cut = { .words = words, .purpose = purpose, .fn = fn, .data = data };
    struct segment segment;
    int status = 0;

    for (size_t at = 0; status == 0 && segment_next(text, size, at, &segment); at = segment.end) {
        if (purpose == WORDS_DOCUMENT)
            status = segment.dense ? give_run(&cut, text, size, segment.start)
                                   : give_compound(&cut, &segment);
        else
            status = segment.dense ? ask_run(&cut, text, size, segment.start)
                                   : ask_compound(&cut, &segment);
    }
    return status == 0 ? let_go(&cut, 1) : status;
}
