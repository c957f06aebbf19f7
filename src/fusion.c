#include "fusion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "model/tokenize.h"
#include "words/match.h"

/* Of a text that the query's words are in, among all by their ids. */
struct word_place {
    int64_t id;
    size_t rank; /* from 1 */
};

/* Ids, ascending. */
struct ids {
    int64_t *id; /* [n] */
    size_t n;
};

/* Of either side, how many of the best tell how far the two agree. */
#define N_TELLING 10

struct fusion {
    struct nearest_search *search;
    const struct fusion_words *side;
    enum ernie_search_mode mode;
    int is_by_score;
    int asks_vectors; /* 0 in keyword mode, and when there are no more */
    size_t n_vectors; /* given by that side so far */
    double last_score;
    struct word_hits words; /* best first */
    struct word_place *place; /* [words.n], by id */
    size_t n_words; /* taken of words so far */
    /* What must not be given out; and, where it was said, what alone may be, by the query and
     * by fusion_among. */
    struct ids except, only, among;
    int has_only, has_among;
    double vector_weight, word_weight, offset; /* what a cosine and a bm25 count, and nothing */
    /* The nearest, which the weights needed, until they are pulled. */
    struct neighbour first[N_TELLING];
    size_t n_first, at_first;
    /* Candidates seen so far, and which of them were not given out yet: a heap, the best
     * first. */
    struct candidate *seen; /* [n_seen] */
    size_t n_seen, seen_capacity;
    size_t *heap; /* [n_heap] of [seen_capacity] */
    size_t n_heap;
    size_t *slot; /* [n_slots], a power of two: 1 + the place in seen of an id, or 0 */
    size_t n_slots;
};

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "search: out of memory");
}

/* The bm25 of a word that every fourth chunk has: so little says next to nothing, and counts
 * less than in proportion. */
#define COMMON_BM25 2.0

/* ---- the two sides ------------------------------------------------------ */

static int compare_places(const void *a, const void *b)
{
    const struct word_place *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static int ask_words(struct fusion *fusion, const char *query, ernie_error *err)
{
    int status = fusion->side->search(fusion->side->data, query, strlen(query), &fusion->words,
                                      err);

    if (status != ERNIE_OK)
        return status;
    fusion->place = memory_new(fusion->words.n, sizeof *fusion->place);
    if (fusion->place == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < fusion->words.n; i++)
        fusion->place[i] = (struct word_place){ fusion->words.hit[i].id, i + 1 };
    if (fusion->words.n > 1)
        qsort(fusion->place, fusion->words.n, sizeof *fusion->place, compare_places);
    return ERNIE_OK;
}

/* What the words call the text that a chunk is, or is of. */
static int64_t text_of(const struct fusion *fusion, int64_t chunk_id, int64_t document_id)
{
    return fusion->side->chunks != NULL ? document_id : chunk_id;
}

static int64_t candidate_text(const struct fusion *fusion, const struct candidate *candidate)
{
    return text_of(fusion, candidate->chunk_id, candidate->document_id);
}

/* What the query's words say of a candidate. */
static void look_up_words(const struct fusion *fusion, struct candidate *candidate)
{
    const struct word_place wanted = { .id = candidate_text(fusion, candidate) };
    const struct word_place *place =
        fusion->words.n == 0 ? NULL
                             : bsearch(&wanted, fusion->place, fusion->words.n,
                                       sizeof *fusion->place, compare_places);

    candidate->keyword_rank = place != NULL ? place->rank : 0;
    candidate->bm25 = place != NULL ? fusion->words.hit[place->rank - 1].bm25 : 0;
}

/* What the vectors say of a text that the words found; *found is 0 when it is gone. */
static int look_up_vector(const struct fusion *fusion, int64_t text, struct neighbour *out,
                          int *found, ernie_error *err)
{
    struct buffer chunks = { 0 };
    int status;

    if (fusion->side->chunks == NULL)
        return nearest_look_up(fusion->search, text, out, found, err);
    *found = 0;
    status = fusion->side->chunks(fusion->side->data, text, &chunks, err);
    for (size_t i = 0; status == ERNIE_OK && i < chunks.size; i += sizeof(int64_t)) {
        struct neighbour neighbour;
        int64_t chunk_id;
        int is_there;

        memcpy(&chunk_id, chunks.data + i, sizeof chunk_id);
        status = nearest_look_up(fusion->search, chunk_id, &neighbour, &is_there, err);
        if (status == ERNIE_OK && is_there && (!*found || neighbour.score > out->score)) {
            *out = neighbour;
            *found = 1;
        }
    }
    buffer_reset(&chunks);
    return status;
}

static int compare_ids(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int ids_have(const struct ids *ids, int64_t id)
{
    return ids->n > 0 && bsearch(&id, ids->id, ids->n, sizeof id, compare_ids) != NULL;
}

static int is_wanted(const struct fusion *fusion, int64_t text)
{
    return !ids_have(&fusion->except, text) &&
           (!fusion->has_only || ids_have(&fusion->only, text)) &&
           (!fusion->has_among || ids_have(&fusion->among, text));
}

/* Lets the vectors look at the chunks of these texts alone. */
static int look_among(struct fusion *fusion, const struct ids *texts, ernie_error *err)
{
    struct buffer chunks = { 0 };
    int64_t *copy = NULL;
    int status = ERNIE_OK;

    if (fusion->side->chunks == NULL)
        return nearest_among(fusion->search, texts->n, texts->id, err);
    for (size_t i = 0; status == ERNIE_OK && i < texts->n; i++)
        status = fusion->side->chunks(fusion->side->data, texts->id[i], &chunks, err);
    if (status == ERNIE_OK) {
        const size_t n = chunks.size / sizeof *copy;

        copy = (int64_t *)buffer_take(&chunks); /* memory_resize aligns for any type */
        status = copy != NULL ? nearest_among(fusion->search, n, copy, err) : out_of_memory(err);
    }
    memory_free(copy);
    buffer_reset(&chunks);
    return status;
}

/* A -word and a "phrase" are conditions for what the vectors find, too. */
static int filter_vectors(struct fusion *fusion, const char *query, ernie_error *err)
{
    struct buffer expression = { 0 };
    const enum match_filter filter = match_filter_append(&expression, query, strlen(query));
    struct ids *ids = filter == MATCH_ONLY ? &fusion->only : &fusion->except;
    int status = ERNIE_OK;

    if (expression.failed)
        status = out_of_memory(err);
    else if (filter != MATCH_ALL)
        status = fusion->side->ids(fusion->side->data, expression.data, expression.size, &ids->id,
                                   &ids->n, err);
    if (status == ERNIE_OK && filter == MATCH_ONLY) {
        fusion->has_only = 1;
        status = look_among(fusion, &fusion->only, err);
    }
    buffer_reset(&expression);
    return status;
}

/* ---- candidates --------------------------------------------------------- */

/* Where the id is in slot, or the empty one where it would go. */
static size_t find_slot(const struct fusion *fusion, int64_t id)
{
    size_t i = (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 16) & (fusion->n_slots - 1);

    while (fusion->slot[i] != 0 &&
           candidate_text(fusion, &fusion->seen[fusion->slot[i] - 1]) != id)
        i = (i + 1) & (fusion->n_slots - 1);
    return i;
}

/* Room for one more; slots stay half empty. */
static int grow(struct fusion *fusion, ernie_error *err)
{
    const size_t capacity = fusion->seen_capacity == 0 ? 64 : fusion->seen_capacity * 2;
    struct candidate *seen;
    size_t *heap, *slot;

    if (fusion->n_seen < fusion->seen_capacity)
        return ERNIE_OK;
    seen = memory_resize(fusion->seen, capacity, sizeof *seen);
    if (seen != NULL)
        fusion->seen = seen;
    heap = memory_resize(fusion->heap, capacity, sizeof *heap);
    if (heap != NULL)
        fusion->heap = heap;
    slot = memory_new(2 * capacity, sizeof *slot);
    if (seen == NULL || heap == NULL || slot == NULL) {
        memory_free(slot);
        return out_of_memory(err);
    }
    memory_free(fusion->slot);
    fusion->slot = slot;
    fusion->n_slots = 2 * capacity;
    fusion->seen_capacity = capacity;
    for (size_t i = 0; i < fusion->n_seen; i++)
        fusion->slot[find_slot(fusion, candidate_text(fusion, &fusion->seen[i]))] = i + 1;
    return ERNIE_OK;
}

static int is_better(const struct fusion *fusion, size_t a, size_t b)
{
    const struct candidate *x = &fusion->seen[a], *y = &fusion->seen[b];

    if (fusion->is_by_score && x->score != y->score)
        return x->score > y->score;
    return x->fused != y->fused ? x->fused > y->fused
                                : candidate_text(fusion, x) < candidate_text(fusion, y);
}

static void heap_push(struct fusion *fusion, size_t which)
{
    size_t i = fusion->n_heap++;

    for (; i > 0 && is_better(fusion, which, fusion->heap[(i - 1) / 2]); i = (i - 1) / 2)
        fusion->heap[i] = fusion->heap[(i - 1) / 2];
    fusion->heap[i] = which;
}

static size_t heap_pop(struct fusion *fusion)
{
    const size_t best = fusion->heap[0], last = fusion->heap[--fusion->n_heap];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < fusion->n_heap) {
        if (child + 1 < fusion->n_heap &&
            is_better(fusion, fusion->heap[child + 1], fusion->heap[child]))
            child++;
        if (!is_better(fusion, fusion->heap[child], last))
            break;
        fusion->heap[i] = fusion->heap[child];
        i = child;
    }
    fusion->heap[i] = last;
    return best;
}

static double fuse(const struct fusion *fusion, double score, double bm25)
{
    return fusion->offset + fusion->vector_weight * score +
           fusion->word_weight * bm25 * bm25 / (bm25 + COMMON_BM25);
}

/* There is room for it. */
static void add(struct fusion *fusion, const struct candidate *candidate)
{
    struct candidate *added = &fusion->seen[fusion->n_seen];

    *added = *candidate;
    added->fused = fuse(fusion, added->score, added->bm25);
    fusion->slot[find_slot(fusion, candidate_text(fusion, added))] = fusion->n_seen + 1;
    heap_push(fusion, fusion->n_seen++);
}

static int pull_vector(struct fusion *fusion, ernie_error *err)
{
    struct neighbour neighbour = { 0 };
    struct candidate candidate = { 0 };
    int64_t text;
    size_t known;
    int found = 1, status = ERNIE_OK;

    if (fusion->at_first < fusion->n_first)
        neighbour = fusion->first[fusion->at_first++];
    else
        status = nearest_next(fusion->search, &neighbour, &found, err);
    if (status != ERNIE_OK)
        return status;
    if (!found) {
        fusion->asks_vectors = 0;
        return ERNIE_OK;
    }
    fusion->n_vectors++;
    fusion->last_score = neighbour.score;
    text = text_of(fusion, neighbour.chunk_id, neighbour.document_id);
    if (!is_wanted(fusion, text))
        return ERNIE_OK;
    status = grow(fusion, err);
    if (status != ERNIE_OK)
        return status;
    known = fusion->slot[find_slot(fusion, text)];
    if (known > 0) { /* by its words; perhaps given out already, which changes nothing then */
        fusion->seen[known - 1].vector_rank = fusion->n_vectors;
        return ERNIE_OK;
    }
    candidate.chunk_id = neighbour.chunk_id;
    candidate.document_id = neighbour.document_id;
    candidate.score = neighbour.score;
    candidate.vector_rank = fusion->n_vectors;
    look_up_words(fusion, &candidate);
    add(fusion, &candidate);
    return ERNIE_OK;
}

static int pull_word(struct fusion *fusion, ernie_error *err)
{
    const struct word_hit *hit = &fusion->words.hit[fusion->n_words++];
    struct neighbour neighbour = { 0 };
    struct candidate candidate = { 0 };
    int found, status = grow(fusion, err);

    if (status != ERNIE_OK || fusion->slot[find_slot(fusion, hit->id)] > 0 ||
        !is_wanted(fusion, hit->id))
        return status;
    status = look_up_vector(fusion, hit->id, &neighbour, &found, err);
    if (status != ERNIE_OK || !found) /* deleted by another program */
        return status;
    candidate.chunk_id = neighbour.chunk_id;
    candidate.document_id = neighbour.document_id;
    candidate.score = neighbour.score;
    candidate.bm25 = hit->bm25;
    candidate.keyword_rank = fusion->n_words;
    add(fusion, &candidate);
    return ERNIE_OK;
}

/* ---- weights ------------------------------------------------------------ */

/* Scores are fused, not ranks: a sum of a cosine and a bm25, each made comparable, loses less
 * than reciprocal rank fusion, which throws away by how much one chunk is better than the
 * next (Bruch, Gai & Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval").
 * RRF falls behind the better side by up to 0.11 of nDCG@10 where the other one is weak.
 *
 * A cosine is counted from the background, the mean cosine of the query with any chunk, which
 * models put anywhere from 0 to 0.8: (cosine - background) / (1 - background).
 *
 * How much the words count is for the nearest chunk to say. Where it says nearly the same as
 * the query, as a paraphrase does, the vectors know the answer, and words that others share
 * with the query are chance. Where even the nearest is far, as a passage of many sentences
 * is from a question that one of them answers, it is the words that tell. What the vectors
 * leave open is (1 - greatest cosine) / (1 - background), in 0..1 and of one meaning for all
 * models; a bm25, less what common words give, counts WORD_WEIGHT times its square.
 *
 * A model may not know the language, and be near to something all the same. Two things tell:
 * - It cannot read the query: what share of its tokens no word of the vocabulary spells. So
 *   much of what seems to be known is open.
 * - It does not find the words: chunks that have most of the query's words mean what it means
 *   oftener than others do, and a model that knows the language is nearer to them. Agreement
 *   is how far the ten best by words are above the background, in how far the ten nearest
 *   are: 0.5 to 0.9 for most questions, and about 0 for Chinese models on English.
 * The more of either, the more is open, up to OPENED times more.
 *
 * The numbers were chosen on CMRC2018 questions, LCQMC and STS-B paraphrases and short news
 * questions, by two models, the last two on an English model's STS-B and a Chinese model's
 * English handbook; the table in bench/README.md has these and the sets that had no say. */
#define WORD_WEIGHT 0.14
#define AGREED 0.4 /* an agreement that is none the less for it */
#define OPENED 2

static double clip(double x)
{
    return fmin(fmax(x, 0), 1);
}

/* The mean cosine of the nearest, which are kept to be pulled, and the greatest. */
static int ask_nearest(struct fusion *fusion, double *mean, double *greatest, ernie_error *err)
{
    double sum = 0;
    int found = 1, status = ERNIE_OK;

    while (status == ERNIE_OK && fusion->n_first < N_TELLING) {
        struct neighbour *neighbour = &fusion->first[fusion->n_first];

        status = nearest_next(fusion->search, neighbour, &found, err);
        if (status != ERNIE_OK || !found)
            break;
        sum += neighbour->score;
        fusion->n_first++;
    }
    *mean = fusion->n_first > 0 ? sum / (double)fusion->n_first : 0;
    *greatest = fusion->n_first > 0 ? fusion->first[0].score : 0;
    return status;
}

/* The mean cosine of the best by words; otherwise, when words find nothing. */
static int ask_best_by_words(struct fusion *fusion, double otherwise, double *mean,
                             ernie_error *err)
{
    double sum = 0;
    size_t n = 0;
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < fusion->words.n && i < N_TELLING; i++) {
        struct neighbour neighbour;
        int found;

        status = look_up_vector(fusion, fusion->words.hit[i].id, &neighbour, &found, err);
        if (status == ERNIE_OK && found) {
            sum += neighbour.score;
            n++;
        }
    }
    *mean = n > 0 ? sum / (double)n : otherwise;
    return status;
}

/* What of the query the model cannot read. */
static int ask_unread(const ernie_model *model, const char *query, double *unread,
                      ernie_error *err)
{
    struct buffer plain = { 0 };
    int status;

    match_plain_append(&plain, query, strlen(query));
    status = plain.failed ? out_of_memory(err)
                          : tokenize_unread(model, plain.data != NULL ? plain.data : "", plain.size,
                                            unread, err);
    buffer_reset(&plain);
    return status;
}

static int weigh(struct fusion *fusion, const ernie_model *model, const char *query,
                 ernie_error *err)
{
    double background, nearest, greatest, by_words, unread, room, open, doubt;
    int status = nearest_background(fusion->search, &background, err);

    if (status == ERNIE_OK)
        status = ask_nearest(fusion, &nearest, &greatest, err);
    if (status == ERNIE_OK)
        status = ask_best_by_words(fusion, nearest, &by_words, err);
    if (status == ERNIE_OK)
        status = ask_unread(model, query, &unread, err);
    if (status != ERNIE_OK || fusion->n_first == 0)
        return status;
    room = 1 - background > 0.05 ? 1 - background : 0.05; /* all chunks say the same as it */
    fusion->vector_weight = 1 / room;
    fusion->offset = -background / room;
    open = clip((1 - greatest) / room);
    open += unread * (1 - open);
    doubt = nearest > background
                ? clip(1 - (by_words - background) / (nearest - background) / AGREED)
                : 0;
    open *= 1 + OPENED * fmax(doubt, unread);
    fusion->word_weight = WORD_WEIGHT * open * open;
    return ERNIE_OK;
}

/* ---- the whole ---------------------------------------------------------- */

static int begin(struct fusion *fusion, struct nearest *nearest, const ernie_model *model,
                 const char *query, const float *embedding, ernie_error *err)
{
    const enum ernie_search_mode mode = fusion->mode;
    int status = nearest_begin(nearest, embedding, &fusion->search, err);

    fusion->asks_vectors = mode != ERNIE_KEYWORD;
    if (status == ERNIE_OK && mode != ERNIE_VECTOR)
        status = ask_words(fusion, query, err);
    if (status == ERNIE_OK && mode == ERNIE_HYBRID)
        status = filter_vectors(fusion, query, err);
    fusion->vector_weight = mode != ERNIE_KEYWORD;
    fusion->word_weight = mode != ERNIE_VECTOR;
    fusion->last_score = INFINITY;
    return status == ERNIE_OK && mode == ERNIE_HYBRID ? weigh(fusion, model, query, err) : status;
}

int fusion_begin(struct nearest *nearest, const struct fusion_words *words,
                 const ernie_model *model, enum ernie_search_mode mode, const char *query,
                 const float *embedding, struct fusion **out, ernie_error *err)
{
    struct fusion *fusion = memory_new(1, sizeof *fusion);
    int status;

    if (fusion == NULL)
        return out_of_memory(err);
    fusion->side = words;
    fusion->mode = mode;
    status = begin(fusion, nearest, model, query, embedding, err);
    if (status == ERNIE_OK)
        *out = fusion;
    else
        fusion_end(fusion);
    return status;
}

void fusion_by_score(struct fusion *fusion)
{
    fusion->is_by_score = 1;
}

int fusion_among(struct fusion *fusion, size_t n, const int64_t *texts, size_t n_chunks,
                 const int64_t *chunks, ernie_error *err)
{
    int64_t *among = memory_new(n, sizeof *among);

    if (among == NULL)
        return out_of_memory(err);
    if (n > 0) {
        memcpy(among, texts, n * sizeof *among);
        qsort(among, n, sizeof *among, compare_ids);
    }
    memory_free(fusion->among.id);
    fusion->among = (struct ids){ among, n };
    fusion->has_among = 1;
    if (fusion->mode == ERNIE_KEYWORD)
        return ERNIE_OK;
    /* The nearest come again, from the first of these on. */
    fusion->asks_vectors = 1;
    fusion->n_first = fusion->at_first = 0;
    fusion->last_score = INFINITY;
    return nearest_among(fusion->search, n_chunks, chunks, err);
}

/* No text that is not seen yet can be better than this. */
static double bound(const struct fusion *fusion)
{
    const int has_words = fusion->n_words < fusion->words.n;
    const double bm25 = has_words ? fusion->words.hit[fusion->n_words].bm25 : 0;

    if (!fusion->asks_vectors && !has_words)
        return -INFINITY;
    if (fusion->is_by_score) /* words come in no order of cosines: all of them first */
        return fusion->asks_vectors ? fusion->last_score : INFINITY;
    /* In keyword mode cosines count nothing, and infinity times nothing is not a number. */
    return fuse(fusion, fusion->vector_weight > 0 ? fusion->last_score : 0, bm25);
}

/* What the best of the heap is ordered by. */
static double best_value(const struct fusion *fusion)
{
    const struct candidate *best = &fusion->seen[fusion->heap[0]];

    return fusion->is_by_score ? best->score : best->fused;
}

int fusion_next(struct fusion *fusion, struct candidate *out, int *found, ernie_error *err)
{
    while (fusion->n_heap == 0 || best_value(fusion) < bound(fusion)) {
        const int has_words = fusion->n_words < fusion->words.n;
        int status;

        if (!fusion->asks_vectors && !has_words)
            break;
        status = has_words && (!fusion->asks_vectors ||
                               (!fusion->is_by_score && fusion->n_words < fusion->n_vectors))
                     ? pull_word(fusion, err)
                     : pull_vector(fusion, err);
        if (status != ERNIE_OK)
            return status;
    }
    *found = fusion->n_heap > 0;
    if (*found)
        *out = fusion->seen[heap_pop(fusion)];
    return ERNIE_OK;
}

void fusion_end(struct fusion *fusion)
{
    if (fusion == NULL)
        return;
    nearest_end(fusion->search);
    memory_free(fusion->words.hit);
    memory_free(fusion->place);
    memory_free(fusion->except.id);
    memory_free(fusion->only.id);
    memory_free(fusion->among.id);
    memory_free(fusion->seen);
    memory_free(fusion->heap);
    memory_free(fusion->slot);
    memory_free(fusion);
}
