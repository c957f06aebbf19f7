#include "index/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/id_set.h"
#include "base/memory.h"
#include "index/select.h"

/* Candidates of which the greatest bound is kept: finding those above a cut looks at
 * these, and into few blocks. */
#define BLOCK 64
/* Blocks with a bound above the first cut; each further cut takes twice as many. */
#define FIRST_TAKE 64

/* A heap of candidates by bound, or of hits by score: the greatest on top, of equal ones
 * the one with the least id. */
struct entry {
    double key;
    int64_t id;
};

struct heap {
    struct entry *entry; /* [n] */
    size_t n, capacity;
};

/* Candidates that were added at once: the ids of few are ever looked at. */
struct run {
    size_t first;       /* of the candidates */
    const int64_t *ids; /* of it and those after it, not ours */
};

struct stream {
    stream_score_fn score;
    void *data;
    size_t n, capacity; /* a multiple of BLOCK */
    float *upper;       /* [n] bounds; those of cut or more are in pending or scored */
    float *peak;        /* [capacity / BLOCK] the greatest bound of each block */
    size_t n_peaked;    /* candidates that peak takes into account */
    float *peak_copy;   /* [capacity / BLOCK] to be reordered */
    double cut;         /* INFINITY before the first, -INFINITY when nothing is below */
    size_t take;
    struct run *runs; /* [n_runs], by first */
    size_t n_runs, run_capacity;
    struct heap pending, scored;
    struct id_set seen; /* ids that were scored */
};

/* ---- heaps ------------------------------------------------------------- */

static int is_above(const struct entry *a, const struct entry *b)
{
    return a->key > b->key || (a->key == b->key && a->id < b->id);
}

static int heap_push(struct heap *heap, double key, int64_t id, ernie_error *err)
{
    const struct entry new = { key, id };
    size_t i = heap->n;

    if (heap->n == heap->capacity) {
        size_t capacity = heap->capacity < 64 ? 64 : heap->capacity * 2;
        struct entry *entry = memory_resize(heap->entry, capacity, sizeof *entry);

        if (entry == NULL)
            return error_set(err, ERNIE_ENOMEM, "search: out of memory");
        heap->entry = entry;
        heap->capacity = capacity;
    }
    heap->n++;
    for (; i > 0 && is_above(&new, &heap->entry[(i - 1) / 2]); i = (i - 1) / 2)
        heap->entry[i] = heap->entry[(i - 1) / 2];
    heap->entry[i] = new;
    return ERNIE_OK;
}

static struct entry heap_pop(struct heap *heap)
{
    const struct entry top = heap->entry[0], last = heap->entry[--heap->n];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < heap->n) {
        if (child + 1 < heap->n && is_above(&heap->entry[child + 1], &heap->entry[child]))
            child++;
        if (!is_above(&heap->entry[child], &last))
            break;
        heap->entry[i] = heap->entry[child];
        i = child;
    }
    heap->entry[i] = last;
    return top;
}

/* ---- candidates -------------------------------------------------------- */

int stream_new(stream_score_fn score, void *data, struct stream **out, ernie_error *err)
{
    struct stream *stream = memory_new(1, sizeof *stream);

    if (stream == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    stream->score = score;
    stream->data = data;
    stream->cut = INFINITY;
    stream->take = FIRST_TAKE;
    *out = stream;
    return ERNIE_OK;
}

void stream_free(struct stream *stream)
{
    if (stream == NULL)
        return;
    memory_free(stream->runs);
    memory_free(stream->upper);
    memory_free(stream->peak);
    memory_free(stream->peak_copy);
    memory_free(stream->pending.entry);
    memory_free(stream->scored.entry);
    id_set_reset(&stream->seen);
    memory_free(stream);
}

/* An array grown, its old place kept when memory ran out. */
static int grow(void *array, size_t n, size_t size)
{
    void *old, *new;

    memcpy(&old, array, sizeof old);
    new = memory_resize(old, n, size);
    if (new == NULL)
        return 0;
    memcpy(array, &new, sizeof new);
    return 1;
}

int stream_reserve(struct stream *stream, size_t n, ernie_error *err)
{
    size_t capacity = stream->capacity;

    if (n <= capacity - stream->n)
        return ERNIE_OK;
    if (n > SIZE_MAX / 32 - stream->n)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    /* Exactly so many the first time, which is most often the only one. */
    capacity = stream->n == 0 || n > stream->n ? stream->n + n : 2 * stream->n;
    capacity = (capacity + BLOCK - 1) / BLOCK * BLOCK;
    if (!grow(&stream->upper, capacity, sizeof *stream->upper) ||
        !grow(&stream->peak, capacity / BLOCK, sizeof *stream->peak) ||
        !grow(&stream->peak_copy, capacity / BLOCK, sizeof *stream->peak_copy))
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    stream->capacity = capacity;
    return ERNIE_OK;
}

static size_t n_blocks(const struct stream *stream)
{
    return (stream->n + BLOCK - 1) / BLOCK;
}

static int add_run(struct stream *stream, const int64_t *ids, ernie_error *err)
{
    if (stream->n_runs == stream->run_capacity) {
        const size_t capacity = stream->run_capacity < 32 ? 64 : 2 * stream->run_capacity;

        if (!grow(&stream->runs, capacity, sizeof *stream->runs))
            return error_set(err, ERNIE_ENOMEM, "search: out of memory");
        stream->run_capacity = capacity;
    }
    stream->runs[stream->n_runs++] = (struct run){ stream->n, ids };
    return ERNIE_OK;
}

static int64_t id_of(const struct stream *stream, size_t candidate)
{
    size_t low = 0, high = stream->n_runs;

    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;

        if (stream->runs[middle].first <= candidate)
            low = middle;
        else
            high = middle;
    }
    return stream->runs[low].ids[candidate - stream->runs[low].first];
}

/* The block's candidates with bounds in [from, below), into pending. */
static int take_block(struct stream *stream, size_t block, size_t first, double from, double below,
                      ernie_error *err)
{
    const size_t start = block * BLOCK > first ? block * BLOCK : first;
    const size_t end = (block + 1) * BLOCK < stream->n ? (block + 1) * BLOCK : stream->n;
    int status = ERNIE_OK;

    for (size_t i = start; i < end && status == ERNIE_OK; i++)
        if (stream->upper[i] >= from && stream->upper[i] < below)
            status = heap_push(&stream->pending, stream->upper[i], id_of(stream, i), err);
    return status;
}

/* The peaks of the blocks that hold candidates from first on. */
static void find_peaks(struct stream *stream, size_t first)
{
    for (size_t block = first / BLOCK; block < n_blocks(stream); block++) {
        const size_t start = block * BLOCK;
        const size_t end = start + BLOCK < stream->n ? start + BLOCK : stream->n;
        float peak = -INFINITY;

        for (size_t i = start; i < end; i++)
            peak = stream->upper[i] > peak ? stream->upper[i] : peak;
        stream->peak[block] = peak;
    }
    stream->n_peaked = stream->n;
}

/* Candidates from first on are new: those above the cut are late for their turn. Before the
 * first cut there is nothing to do yet, and more may come. */
static int enter(struct stream *stream, size_t first, ernie_error *err)
{
    int status = ERNIE_OK;

    if (stream->cut == INFINITY)
        return ERNIE_OK;
    find_peaks(stream, first);
    for (size_t block = first / BLOCK; block < n_blocks(stream) && status == ERNIE_OK; block++)
        if (stream->peak[block] >= stream->cut)
            status = take_block(stream, block, first, stream->cut, INFINITY, err);
    return status;
}

int stream_add_codes(struct stream *stream, const struct codes *codes, size_t first, size_t n,
                     const struct codes_query *query, const struct kernel *kernel,
                     ernie_error *err)
{
    const size_t before = stream->n;
    int status = stream_reserve(stream, n, err);

    if (status == ERNIE_OK && n > 0)
        status = add_run(stream, codes->ids + first, err);
    if (status != ERNIE_OK || n == 0)
        return status;
    codes_bounds(codes, first, n, query, kernel, stream->upper + before);
    stream->n += n;
    return enter(stream, before, err);
}

int stream_add_ids(struct stream *stream, size_t n, const int64_t *ids, ernie_error *err)
{
    int status = ERNIE_OK;

    for (size_t i = 0; i < n && status == ERNIE_OK; i++)
        status = heap_push(&stream->pending, INFINITY, ids[i], err);
    return status;
}

/* ---- what comes next --------------------------------------------------- */

/* Lowers the cut, so that at least one more candidate is pending or nothing is left. */
static int lower_cut(struct stream *stream, ernie_error *err)
{
    const double before = stream->cut;
    size_t n = 0;
    int status = ERNIE_OK;

    find_peaks(stream, stream->n_peaked);
    /* A block above the cut may hold more below it: it counts as often as a whole one. */
    for (size_t block = 0; block < n_blocks(stream); block++)
        stream->peak_copy[n++] = stream->peak[block];
    stream->cut = stream->take < n
                      ? (double)select_greatest(n, stream->peak_copy, stream->take)
                      : -INFINITY;
    if (stream->cut >= before) /* the peaks of earlier cuts again */
        stream->cut = before;
    stream->take *= 2;
    for (size_t block = 0; block < n_blocks(stream) && status == ERNIE_OK; block++)
        if (stream->peak[block] >= stream->cut)
            status = take_block(stream, block, 0, stream->cut, before, err);
    return status;
}

static int score_next(struct stream *stream, ernie_error *err)
{
    const int64_t id = heap_pop(&stream->pending).id;
    double score;
    int found, is_new = id_set_add(&stream->seen, id), status;

    if (is_new < 0)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    if (is_new == 0)
        return ERNIE_OK;
    status = stream->score(stream->data, id, &score, &found, err);
    return status == ERNIE_OK && found ? heap_push(&stream->scored, score, id, err) : status;
}

int stream_next(struct stream *stream, struct stream_hit *out, int *found, ernie_error *err)
{
    for (;;) {
        /* What is not scored yet has at most this score. */
        const double rest = stream->pending.n > 0 ? stream->pending.entry[0].key : stream->cut;
        int status = ERNIE_OK;

        if (stream->scored.n > 0 && (stream->scored.entry[0].key > rest ||
                                     (stream->pending.n == 0 && stream->cut == -INFINITY))) {
            const struct entry best = heap_pop(&stream->scored);

            *out = (struct stream_hit){ best.id, best.key };
            *found = 1;
            return ERNIE_OK;
        }
        if (stream->pending.n > 0) {
            status = score_next(stream, err);
        } else if (stream->cut == -INFINITY) {
            *found = 0;
            return ERNIE_OK;
        } else {
            status = lower_cut(stream, err);
        }
        if (status != ERNIE_OK)
            return status;
    }
}

size_t stream_n_candidates(const struct stream *stream)
{
    return stream->n;
}

size_t stream_n_scored(const struct stream *stream)
{
    return stream->seen.n;
}
