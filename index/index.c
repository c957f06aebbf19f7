#include "index/index_parts.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* Up to here a scan of all vectors (384 numbers each) takes less than five thousandths of
 * a second, and is exact. */
#define FLAT_MAX 200000
#define MAX_DIM   65536
#define MAX_COUNT INT32_MAX

/* Vectors handed to FAISS at once. */
#define BATCH 4096
/* Vectors of each list, or of each of 256 words, without which FAISS's own training says
 * on stderr that it is given too few. It is given between one and two times as many. */
#define TRAINING_PER_LIST 40
#define N_WORDS           256

/* The part of an inverted file's base that is scanned before the first hit; each time that
 * more is wanted, four times as much is. One in so many of what was scanned is believed to
 * be in the right order. */
#define IVF_FIRST_PART   16
#define IVF_FIRST_LEAST  11000
#define IVF_BELIEVED     64
/* Numbers of a vector from which its base is kept in 4 bits a number: with fewer, what that
 * loses tells too little of which rows to read. */
#define NARROW_DIM 96
/* Hits that FAISS is asked for first, and each further time four times as many, of which
 * one in two is believed; past one in FAISS_PART of all vectors, each is looked up. */
#define FAISS_FIRST    64
#define FAISS_BELIEVED 2
#define FAISS_PART     16

/* ---- which kind -------------------------------------------------------- */

/* Lists of FAISS's: half of our own (ivf.h), because each of its vectors is compared with
 * the centers in float32. */
static size_t faiss_lists_for(size_t n)
{
    return ivf_lists_for(n) / 2;
}

static size_t training_for(size_t n)
{
    const size_t n_lists = faiss_lists_for(n);

    return (n_lists > N_WORDS ? n_lists : N_WORDS) * TRAINING_PER_LIST;
}

/* The most parts, of 8 numbers or more each, that divide a vector. */
static size_t parts_of(size_t dim)
{
    size_t n = dim / 8 > 0 ? dim / 8 : 1;

    while (dim % n != 0)
        n--;
    return n;
}

int index_plan_for(const char *setting, size_t dim, size_t n, struct index_plan *out,
                   ernie_error *err)
{
    struct index_plan plan = { INDEX_FAISS, "" };
    int size = 0;

    if (setting[0] == '\0' || strcmp(setting, "auto") == 0)
        plan.kind = n <= FLAT_MAX ? INDEX_FLAT : INDEX_IVF;
    else if (strcmp(setting, "flat") == 0)
        plan.kind = INDEX_FLAT;
    else if (strcmp(setting, "ivf") == 0)
        plan.kind = INDEX_IVF;
    else if (strcmp(setting, "hnsw") == 0)
        size = snprintf(plan.description, sizeof plan.description, "HNSW32");
    else if (strcmp(setting, "ivfpq") == 0)
        size = snprintf(plan.description, sizeof plan.description, "IVF%zu,PQ%zu",
                        faiss_lists_for(n), parts_of(dim));
    else
        size = snprintf(plan.description, sizeof plan.description, "%s", setting);
    if (size >= (int)sizeof plan.description)
        return error_set(err, ERNIE_EINVAL, "index: %.20s...: too long", setting);
    /* Nothing to make lists or graphs of, or too few to find words in. */
    if (n == 0 || (strcmp(setting, "ivfpq") == 0 && n < training_for(n)))
        plan = (struct index_plan){ INDEX_FLAT, "" };
    *out = plan;
    return ERNIE_OK;
}

const char *index_plan_name(const struct index_plan *plan)
{
    return plan->kind == INDEX_FLAT  ? "flat"
           : plan->kind == INDEX_IVF ? "ivf"
                                     : plan->description;
}

/* ---- an index ---------------------------------------------------------- */

size_t index_segment_of(size_t slot, size_t *before)
{
    size_t i = 0;

    for (*before = 0; slot - *before >= (size_t)FIRST_SEGMENT << i; i++)
        *before += (size_t)FIRST_SEGMENT << i;
    return i;
}

int index_new(size_t dim, struct index **out, ernie_error *err)
{
    struct index *index;

    if (dim < 1 || dim > MAX_DIM)
        return error_set(err, ERNIE_EINVAL, "index: vectors of %zu numbers are not supported",
                         dim);
    index = memory_new(1, sizeof *index);
    if (index == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    atomic_init(&index->n_uses, 1);
    atomic_init(&index->n_recent, 0);
    index->dim = dim;
    index->plan.kind = INDEX_FLAT;
    index->kernel = kernel_pick();
    *out = index;
    return ERNIE_OK;
}

struct index *index_use(struct index *index)
{
    atomic_fetch_add(&index->n_uses, 1);
    return index;
}

void index_release(struct index *index)
{
    if (index == NULL || atomic_fetch_sub(&index->n_uses, 1) > 1)
        return;
    codes_reset(&index->base);
    ivf_reset(&index->ivf);
    ann_free(index->ann);
    for (size_t i = 0; i < N_SEGMENTS; i++)
        codes_reset(&index->segment[i]);
    memory_free(index);
}

const char *index_kind_name(const struct index *index)
{
    return index_plan_name(&index->plan);
}

size_t index_dim(const struct index *index)
{
    return index->dim;
}

static size_t base_count(const struct index *index)
{
    return index->base.n + (index->ann != NULL ? ann_count(index->ann) : 0);
}

size_t index_recent(const struct index *index)
{
    return atomic_load(&index->n_recent);
}

size_t index_count(const struct index *index)
{
    return base_count(index) + index_recent(index);
}

uint64_t index_bytes(const struct index *index)
{
    const size_t n_wide = index->ivf.centers.n + index_recent(index);

    return n_wide * codes_slot_bytes(index->dim, 8) +
           index->base.n * codes_slot_bytes(index->dim, index->base.bits) +
           (index->ann != NULL ? ann_bytes(index->ann) : 0);
}

int index_add(struct index *index, int64_t id, const float *vector, ernie_error *err)
{
    size_t before, i = index_segment_of(index->n_added, &before);
    struct codes *segment = &index->segment[i];

    if (index->n_added >= MAX_COUNT)
        return error_set(err, ERNIE_EINVAL, "index: more than %d vectors", MAX_COUNT);
    if (segment->rows == NULL) {
        int status = codes_init(segment, index->dim, 8, (size_t)FIRST_SEGMENT << i, err);

        if (status != ERNIE_OK)
            return status;
    }
    if (codes_add(segment, id, vector)) {
        index->n_added++;
        atomic_store_explicit(&index->n_recent, index->n_added, memory_order_release);
    }
    return ERNIE_OK;
}

/* ---- building ---------------------------------------------------------- */

struct index_builder {
    struct index *index;
    size_t n, n_threads;
    const atomic_int *cancel;
    /* of INDEX_FAISS: vectors on their way to it, of length 1 */
    size_t n_waiting;
    int64_t *ids;   /* [BATCH] */
    float *vectors; /* [BATCH][dim] */
};

int index_builder_new(const struct index_plan *plan, size_t dim, size_t n, size_t n_threads,
                      const atomic_int *cancel, struct index_builder **out, ernie_error *err)
{
    struct index_builder *builder = memory_new(1, sizeof *builder);
    int status = builder != NULL ? index_new(dim, &builder->index, err)
                                 : error_set(err, ERNIE_ENOMEM, "index: out of memory");

    if (status == ERNIE_OK) {
        builder->index->plan = *plan;
        builder->n = n;
        builder->n_threads = n_threads;
        builder->cancel = cancel;
    }
    if (status == ERNIE_OK && plan->kind == INDEX_IVF)
        status = codes_init(&builder->index->base, dim, 8, n, err);
    if (status == ERNIE_OK && plan->kind == INDEX_FAISS) {
        builder->ids = memory_new(BATCH, sizeof *builder->ids);
        builder->vectors = memory_new_aligned(BATCH, dim * sizeof *builder->vectors);
        status = builder->ids != NULL && builder->vectors != NULL
                     ? ann_new(plan->description, dim, &builder->index->ann, err)
                     : error_set(err, ERNIE_ENOMEM, "index: out of memory");
    }
    if (status != ERNIE_OK) {
        index_builder_free(builder);
        return status;
    }
    *out = builder;
    return ERNIE_OK;
}

void index_builder_free(struct index_builder *builder)
{
    if (builder == NULL)
        return;
    index_release(builder->index);
    memory_free(builder->ids);
    memory_free_aligned(builder->vectors);
    memory_free(builder);
}

size_t index_builder_wants(const struct index_builder *builder)
{
    const struct index *index = builder->index;
    const size_t n = 2 * training_for(builder->n);

    if (index->ann == NULL || !ann_needs_training(index->ann))
        return 0;
    return n < builder->n ? n : builder->n;
}

int index_builder_train(struct index_builder *builder, size_t n, const float *vectors,
                        ernie_error *err)
{
    return ann_train(builder->index->ann, n, vectors, builder->n_threads, err);
}

/* The vector with length 1; 0 when it has no direction. */
static int unit_vector(size_t n, const float *vector, float *out)
{
    const double length = vector_length(n, vector);

    if (length == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(vector[i] / length);
    return 1;
}

static int hand_to_faiss(struct index_builder *builder, ernie_error *err)
{
    const size_t n = builder->n_waiting;

    builder->n_waiting = 0;
    if (builder->cancel != NULL && atomic_load(builder->cancel) != 0)
        return error_set(err, ERNIE_ECANCELED, "index: canceled");
    return n == 0 ? ERNIE_OK
                  : ann_add(builder->index->ann, n, builder->ids, builder->vectors,
                            builder->n_threads, err);
}

int index_builder_add(struct index_builder *builder, int64_t id, const float *vector,
                      ernie_error *err)
{
    struct index *index = builder->index;

    switch (index->plan.kind) {
    case INDEX_FLAT:
        return index_add(index, id, vector, err);
    case INDEX_IVF:
        if (index->base.n == index->base.capacity)
            return error_set(err, ERNIE_EINVAL, "index: more vectors than were announced");
        codes_add(&index->base, id, vector);
        return ERNIE_OK;
    default:
        builder->ids[builder->n_waiting] = id;
        builder->n_waiting += (size_t)unit_vector(
            index->dim, vector, builder->vectors + builder->n_waiting * index->dim);
        return builder->n_waiting == BATCH ? hand_to_faiss(builder, err) : ERNIE_OK;
    }
}

int index_builder_finish(struct index_builder *builder, struct index **out, ernie_error *err)
{
    struct index *index = builder->index;
    int status = ERNIE_OK;

    if (index->plan.kind == INDEX_FAISS)
        status = hand_to_faiss(builder, err);
    if (index->plan.kind == INDEX_IVF && index->base.n > 0)
        status = ivf_build(&index->ivf, &index->base, ivf_lists_for(index->base.n),
                           builder->n_threads, builder->cancel, err);
    if (status == ERNIE_OK && index->plan.kind == INDEX_IVF && index->dim >= NARROW_DIM)
        status = codes_narrow(&index->base, err);
    if (status != ERNIE_OK)
        return status;
    *out = index;
    builder->index = NULL;
    return ERNIE_OK;
}

/* ---- searching --------------------------------------------------------- */

struct index_search {
    struct index *index, *other; /* other: of index_search_also, or NULL */
    struct codes_query query;
    struct stream *stream;
    size_t n_given;    /* hits given out */
    size_t n_believed; /* hits whose order what was searched so far settles */
    int is_complete;   /* every vector of the base is a candidate */
    /* of INDEX_IVF */
    struct ivf_rest rest;
    size_t n_scanned;
    /* of INDEX_FAISS */
    float *vector; /* the query, length 1 */
    size_t k;
};

static int search_codes(struct index_search *search, const struct codes *codes, size_t first,
                        size_t n, ernie_error *err)
{
    return stream_add_codes(search->stream, codes, first, n, &search->query, search->index->kernel, err);
}

/* What came after the base. */
static int search_recent(struct index_search *search, const struct index *index, ernie_error *err)
{
    const size_t n = atomic_load_explicit(&index->n_recent, memory_order_acquire);
    int status = ERNIE_OK;

    for (size_t i = 0, first = 0; first < n && status == ERNIE_OK; i++) {
        const size_t size = (size_t)FIRST_SEGMENT << i;

        status = search_codes(search, &index->segment[i], 0, n - first < size ? n - first : size,
                              err);
        first += size;
    }
    return status;
}

/* As many lists as hold n vectors, if they are as long as others. */
static size_t lists_of(const struct index *index, size_t n)
{
    return (size_t)((uint64_t)n * index->ivf.centers.n / index->base.n) + 1;
}

/* More lists: about four times what was scanned. */
static int search_more_lists(struct index_search *search, ernie_error *err)
{
    const struct index *index = search->index;
    const size_t n = index->base.n;
    const size_t first_part = n / IVF_FIRST_PART > IVF_FIRST_LEAST ? n / IVF_FIRST_PART
                                                                   : IVF_FIRST_LEAST;
    const size_t n_wanted = search->n_scanned == 0 ? first_part : 3 * search->n_scanned;
    const size_t n_lists = ivf_rest_take(&search->rest, lists_of(index, n_wanted));
    const uint32_t *start = index->ivf.start, *list = search->rest.list;
    int status = stream_reserve(search->stream, n_wanted < n ? n_wanted : n, err);

    for (size_t i = 0; i < n_lists && status == ERNIE_OK; i++) {
        const uint32_t *at = start + list[i], *next = start + list[i + 1 < n_lists ? i + 1 : i];

        codes_prefetch(&index->base, next[0], next[1] - next[0]);
        status = search_codes(search, &index->base, at[0], at[1] - at[0], err);
        search->n_scanned += at[1] - at[0];
    }
    search->is_complete = search->rest.n == 0;
    search->n_believed = search->n_scanned / IVF_BELIEVED;
    return status;
}

static int search_more_of_faiss(struct index_search *search, ernie_error *err)
{
    const struct ann *ann = search->index->ann;
    const size_t n = ann_count(ann);
    int64_t *ids;
    size_t n_found;
    int status;

    search->k = search->k == 0 ? FAISS_FIRST : search->k * 4;
    search->n_believed = search->k / FAISS_BELIEVED;
    if (search->k > n / FAISS_PART) {
        search->is_complete = 1;
        return stream_add_ids(search->stream, n, ann_ids(ann), err);
    }
    ids = memory_new(search->k, sizeof *ids);
    status = ids != NULL ? ann_search(ann, search->vector, search->k, ids, &n_found, err)
                         : error_set(err, ERNIE_ENOMEM, "search: out of memory");
    if (status == ERNIE_OK)
        status = stream_add_ids(search->stream, n_found, ids, err);
    memory_free(ids);
    return status;
}

static int search_more(struct index_search *search, ernie_error *err)
{
    return search->index->plan.kind == INDEX_IVF ? search_more_lists(search, err)
                                                 : search_more_of_faiss(search, err);
}

/* Whatever of the base is asked first. */
static int begin(struct index_search *search, const float *query, ernie_error *err)
{
    const struct index *index = search->index;
    int status;

    search->is_complete = base_count(index) == 0;
    if (search->is_complete)
        return ERNIE_OK;
    if (index->plan.kind == INDEX_IVF) {
        status = ivf_rest_init(&search->rest, &index->ivf, &search->query, index->kernel, err);
    } else {
        search->vector = memory_new(index->dim, sizeof *search->vector);
        status = search->vector != NULL ? ERNIE_OK
                                        : error_set(err, ERNIE_ENOMEM, "search: out of memory");
        if (status == ERNIE_OK)
            unit_vector(index->dim, query, search->vector);
    }
    return status == ERNIE_OK ? search_more(search, err) : status;
}

int index_search_new(struct index *index, const float *query, stream_score_fn score, void *data,
                     struct index_search **out, ernie_error *err)
{
    struct index_search *search = memory_new(1, sizeof *search);
    int status;

    if (search == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    search->index = index_use(index);
    status = codes_query_init(&search->query, index->dim, query, err);
    if (status == ERNIE_OK && index->plan.kind != INDEX_FLAT)
        codes_query_trust(&search->query, index->dim);
    if (status == ERNIE_OK)
        status = stream_new(score, data, &search->stream, err);
    if (status == ERNIE_OK)
        status = search_recent(search, search->index, err);
    if (status == ERNIE_OK)
        status = begin(search, query, err);
    if (status != ERNIE_OK) {
        index_search_free(search);
        return status;
    }
    *out = search;
    return ERNIE_OK;
}

void index_search_free(struct index_search *search)
{
    if (search == NULL)
        return;
    stream_free(search->stream);
    index_release(search->other);
    codes_query_reset(&search->query);
    ivf_rest_reset(&search->rest);
    memory_free(search->vector);
    index_release(search->index);
    memory_free(search);
}

int index_search_also(struct index_search *search, struct index *other, ernie_error *err)
{
    assert(search->other == NULL);
    search->other = index_use(other);
    return search_recent(search, other, err);
}

int index_search_next(struct index_search *search, struct stream_hit *out, int *found,
                      ernie_error *err)
{
    for (;;) {
        int status = ERNIE_OK;

        if (!search->is_complete && search->n_given >= search->n_believed)
            status = search_more(search, err);
        if (status == ERNIE_OK)
            status = stream_next(search->stream, out, found, err);
        if (status != ERNIE_OK)
            return status;
        if (*found || search->is_complete) {
            search->n_given += (size_t)*found;
            return ERNIE_OK;
        }
        search->n_believed = 0; /* used up: on to what was not searched yet */
    }
}
