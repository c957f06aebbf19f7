#include "model/sentencepiece.h"

#include <string.h>

#include "base/memory.h"

struct sentencepiece_scratch {
    struct normalized_text normal;
    struct metaspace_walk walk;
    struct unigram_scratch *unigram;
};

/* One reading of one text. */
struct reading {
    const struct sentencepiece *rules;
    const struct added_tokens *added;
    struct sentencepiece_scratch *scratch;
    int32_t *ids;             /* [max_ids], or NULL */
    struct token_span *spans; /* [max_ids], or NULL */
    size_t n_ids, max_ids;
};

void sentencepiece_reset(struct sentencepiece *sentencepiece)
{
    text_normalizer_free(sentencepiece->normalizer);
    unigram_free(sentencepiece->unigram);
    memset(sentencepiece, 0, sizeof *sentencepiece);
}

int sentencepiece_normalize(const void *normalizer, const char *text, size_t size,
                            struct buffer *out, ernie_error *err)
{
    struct normalized_text normal = { 0 };
    int status = text_normalizer_apply(normalizer, text, size, 0, &normal, err);

    if (status == ERNIE_OK)
        buffer_append(out, normal.text, normal.size);
    normalized_text_reset(&normal);
    return status;
}

int sentencepiece_scratch_new(struct sentencepiece_scratch **out, ernie_error *err)
{
    struct sentencepiece_scratch *scratch = memory_new(1, sizeof *scratch);
    int status;

    if (scratch == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    status = unigram_scratch_new(&scratch->unigram, err);
    if (status == ERNIE_OK)
        *out = scratch;
    else
        sentencepiece_scratch_free(scratch);
    return status;
}

void sentencepiece_scratch_free(struct sentencepiece_scratch *scratch)
{
    if (scratch == NULL)
        return;
    normalized_text_reset(&scratch->normal);
    metaspace_walk_reset(&scratch->walk);
    unigram_scratch_free(scratch->unigram);
    memory_free(scratch);
}

static void emit(struct reading *reading, int32_t id, size_t start, size_t end)
{
    if (reading->n_ids == reading->max_ids)
        return;
    if (reading->ids != NULL)
        reading->ids[reading->n_ids] = id;
    if (reading->spans != NULL)
        reading->spans[reading->n_ids] = (struct token_span){ start, end };
    reading->n_ids++;
}

/* The pieces of the walk's pre-token. base: where its origins count from. */
static int read_word(struct reading *reading, size_t base, ernie_error *err)
{
    const struct metaspace_walk *walk = &reading->scratch->walk;
    struct token_span *spans = reading->spans != NULL ? reading->spans + reading->n_ids : NULL;
    size_t n = 0;
    int status = unigram_encode(reading->rules->unigram, reading->scratch->unigram, walk->text,
                                walk->size, reading->ids != NULL ? reading->ids + reading->n_ids
                                                                 : NULL,
                                spans, reading->max_ids - reading->n_ids, &n, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; spans != NULL && i < n; i++)
        spans[i] = (struct token_span){ base + walk->origin[spans[i].start].start,
                                        base + walk->origin[spans[i].end - 1].end };
    reading->n_ids += n;
    return ERNIE_OK;
}

/* Normalised text [start, end), which no token is in. */
static int read_words(struct reading *reading, size_t start, size_t end, size_t base,
                      ernie_error *err)
{
    const struct normalized_text *normal = &reading->scratch->normal;
    struct metaspace_walk *walk = &reading->scratch->walk;
    const struct normalized_text part = {
        .text = normal->text + start,
        .size = end - start,
        .origin = normal->origin != NULL ? normal->origin + start : NULL,
        .is_cut = normal->is_cut
    };
    int more = 1, status = ERNIE_OK;

    if (start == end)
        return ERNIE_OK;
    metaspace_begin(walk, &reading->rules->metaspace, &part, base == 0 && start == 0);
    while (status == ERNIE_OK && reading->n_ids < reading->max_ids) {
        status = metaspace_next(walk, &more, err);
        if (status != ERNIE_OK || !more)
            break;
        status = read_word(reading, base, err);
    }
    return status;
}

/* Text [start, end), which no raw token is in. */
static int read_part(struct reading *reading, const char *text, size_t start, size_t end,
                     ernie_error *err)
{
    struct normalized_text *normal = &reading->scratch->normal;
    struct added_match match;
    size_t at = 0, taken = 0;
    int status = ERNIE_OK;

    if (start < end)
        status = text_normalizer_apply(reading->rules->normalizer, text + start, end - start,
                                       reading->spans != NULL, normal, err);
    else
        normal->size = 0;
    while (status == ERNIE_OK && reading->n_ids < reading->max_ids &&
           added_tokens_next(reading->added, ADDED_NORMALIZED, normal->text, normal->size, at,
                             taken, &match)) {
        if (match.start > taken)
            status = read_words(reading, taken, match.start, start, err);
        if (status == ERNIE_OK && match.start < match.end) {
            if (reading->spans != NULL)
                emit(reading, match.id, start + normal->origin[match.start].start,
                     start + normal->origin[match.end - 1].end);
            else
                emit(reading, match.id, 0, 0);
        }
        at = match.next;
        taken = match.end;
    }
    if (status == ERNIE_OK && reading->n_ids < reading->max_ids && taken < normal->size)
        status = read_words(reading, taken, normal->size, start, err);
    return status;
}

size_t sentencepiece_ids(const struct sentencepiece *sentencepiece,
                         const struct added_tokens *added, struct sentencepiece_scratch *scratch,
                         const char *text, size_t size, int32_t *ids, struct token_span *spans,
                         size_t max_ids)
{
    struct reading reading = { .rules = sentencepiece, .added = added, .scratch = scratch,
                               .ids = ids, .spans = spans, .max_ids = max_ids };
    struct added_match match;
    size_t at = 0, taken = 0;
    int status = ERNIE_OK;

    while (status == ERNIE_OK && reading.n_ids < max_ids &&
           added_tokens_next(added, ADDED_RAW, text, size, at, taken, &match)) {
        if (match.start > taken)
            status = read_part(&reading, text, taken, match.start, NULL);
        if (match.start < match.end)
            emit(&reading, match.id, match.start, match.end);
        at = match.next;
        taken = match.end;
    }
    if (status == ERNIE_OK && reading.n_ids < max_ids && taken < size)
        status = read_part(&reading, text, taken, size, NULL);
    return status == ERNIE_OK ? reading.n_ids : SIZE_MAX;
}
