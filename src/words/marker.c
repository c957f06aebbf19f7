#include "words/marker.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "words/fold.h"
#include "words/match.h"
#include "words/words.h"

/* A query of a page is asked for by its first words, as match.h has it. */
#define MAX_WORDS MATCH_MAX_TERMS

/* A word of the query. */
struct wanted {
    size_t from, size; /* in letters */
    int is_prefix;
    unsigned seen; /* the number of the text that had it last */
};

struct marker {
    struct words *words;
    struct buffer letters;
    struct wanted wanted[MAX_WORDS];
    size_t n_wanted;
    unsigned n_texts; /* looked through */
    size_t n_found;   /* words, in this one */
    struct mark *marks;
    size_t n_marks, capacity;
};

/* ---- the query --------------------------------------------------------- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* English function words, as they are and as the stemmer leaves them. */
static int says_nothing(const char *word, size_t size)
{
    static const char *const empty[] = {
        "a",     "about", "am",    "an",   "and",   "ani",  "any",   "are",  "as",    "at",
        "be",    "been",  "but",   "by",   "can",   "could", "did",  "do",   "doe",   "does",
        "for",   "from",  "had",   "has",  "have",  "he",   "her",   "his",  "how",   "i",
        "if",    "in",    "into",  "is",   "it",    "its",  "me",    "my",   "no",    "not",
        "of",    "on",    "or",    "our",  "she",   "should", "so",  "some", "than",  "that",
        "the",   "their", "them",  "then", "there", "these", "they", "this", "those", "to",
        "was",   "we",    "were",  "what", "when",  "where", "whi",  "which", "who",  "why",
        "will",  "with",  "would", "you",  "your",
    };
    char key[16];
    const char *pointer = key;

    if (size >= sizeof key)
        return 0;
    memcpy(key, word, size);
    key[size] = '\0';
    return bsearch(&pointer, empty, sizeof empty / sizeof *empty, sizeof *empty,
                   compare_words) != NULL;
}

/* An item of the query while its words are taken. */
struct taking {
    struct marker *marker;
    const struct match_item *item;
    size_t end; /* of the words before */
};

static int is_dense_character(const char *word, size_t size)
{
    size_t n;

    return character_kind(utf8_decode(word, size, &n, NULL)) == CHARACTER_DENSE && n == size;
}

static int take_word(void *data, const char *word, size_t size, size_t start, size_t end,
                     int is_colocated)
{
    struct taking *taking = data;
    struct marker *marker = taking->marker;
    /* A character of a longer run of Chinese, whose pairs are what is asked for. */
    const int is_of_pair = start < taking->end && is_dense_character(word, size);

    (void)is_colocated;
    taking->end = end > taking->end ? end : taking->end;
    if (marker->n_wanted == MAX_WORDS || is_of_pair)
        return 0;
    if (!taking->item->is_phrase && !taking->item->is_prefix && says_nothing(word, size))
        return 0;
    marker->wanted[marker->n_wanted++] = (struct wanted){
        .from = marker->letters.size,
        .size = size,
        /* Of the words of one item the last is the one that may go on. */
        .is_prefix = taking->item->is_prefix && end == taking->item->end - taking->item->start,
    };
    buffer_append(&marker->letters, word, size);
    return 0;
}

static int take_query(struct marker *marker, const char *query, size_t size)
{
    struct match_item item;
    int status = 0;

    for (size_t at = 0; status == 0 && match_item_next(query, size, &at, &item);) {
        struct taking taking = { .marker = marker, .item = &item };

        /* All the forms that a document's words have, since any of them finds it. */
        if (!item.is_unwanted)
            status = words_cut(marker->words, item.is_prefix ? WORDS_PREFIX : WORDS_DOCUMENT,
                               query + item.start, item.end - item.start, take_word, &taking);
    }
    return status != 0 || marker->letters.failed ? ERNIE_ENOMEM : ERNIE_OK;
}

int marker_new(const char *query, size_t size, struct marker **out, ernie_error *err)
{
    struct marker *marker = memory_new(1, sizeof *marker);
    int status = marker != NULL ? words_new(&marker->words, err)
                                : error_set(err, ERNIE_ENOMEM, "words: out of memory");

    if (status == ERNIE_OK && take_query(marker, query, size) != ERNIE_OK)
        status = error_set(err, ERNIE_ENOMEM, "words: out of memory");
    if (status != ERNIE_OK) {
        marker_free(marker);
        return status;
    }
    *out = marker;
    return ERNIE_OK;
}

void marker_free(struct marker *marker)
{
    if (marker == NULL)
        return;
    words_free(marker->words);
    buffer_reset(&marker->letters);
    memory_free(marker->marks);
    memory_free(marker);
}

/* ---- a text ------------------------------------------------------------ */

static struct wanted *find_wanted(struct marker *marker, const char *word, size_t size)
{
    for (size_t i = 0; i < marker->n_wanted; i++) {
        struct wanted *wanted = &marker->wanted[i];

        if ((wanted->size == size || (wanted->is_prefix && wanted->size < size)) &&
            memcmp(marker->letters.data + wanted->from, word, wanted->size) == 0)
            return wanted;
    }
    return NULL;
}

/* Words come by where they start; of those of one place a longer one may come later, and
 * pairs of Chinese overlap. */
static int add_mark(struct marker *marker, size_t start, size_t end)
{
    struct mark *last = marker->n_marks > 0 ? &marker->marks[marker->n_marks - 1] : NULL;

    if (last != NULL && start <= last->end) {
        last->end = end > last->end ? end : last->end;
        return 0;
    }
    if (marker->n_marks == marker->capacity) {
        size_t capacity = marker->capacity == 0 ? 16 : marker->capacity * 2;
        struct mark *grown = memory_resize(marker->marks, capacity, sizeof *grown);

        if (grown == NULL)
            return ERNIE_ENOMEM;
        marker->marks = grown;
        marker->capacity = capacity;
    }
    marker->marks[marker->n_marks++] = (struct mark){ start, end };
    return 0;
}

static int look_at_word(void *data, const char *word, size_t size, size_t start, size_t end,
                        int is_colocated)
{
    struct marker *marker = data;
    struct wanted *wanted = find_wanted(marker, word, size);

    (void)is_colocated;
    if (wanted == NULL)
        return 0;
    if (wanted->seen != marker->n_texts) {
        wanted->seen = marker->n_texts;
        marker->n_found++;
    }
    return add_mark(marker, start, end);
}

int marker_find(struct marker *marker, const char *text, size_t size, const struct mark **marks,
                size_t *n, ernie_error *err)
{
    marker->n_texts++;
    marker->n_found = 0;
    marker->n_marks = 0;
    if (marker->n_wanted > 0 &&
        words_cut(marker->words, WORDS_DOCUMENT, text, size, look_at_word, marker) != 0)
        return error_set(err, ERNIE_ENOMEM, "words: out of memory");
    *marks = marker->marks;
    *n = marker->n_marks;
    return ERNIE_OK;
}

int marker_count(struct marker *marker, const char *text, size_t size, size_t *n,
                 ernie_error *err)
{
    const struct mark *marks;
    size_t n_marks;
    int status = marker_find(marker, text, size, &marks, &n_marks, err);

    if (status == ERNIE_OK)
        *n = marker->n_found;
    return status;
}
