#include "nearest.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernel/kernel.h"

/* Below this many rows an exact scan of the tail costs less than a hundredth of
 * a second, so the index file can stay as it is. */
#define TAIL_KEPT 1000
/* Vectors handed to the index at once. */
#define BATCH 4096

int nearest_init(struct nearest *nearest, const struct store *store, const uint8_t *fingerprint,
                 size_t dim, ernie_error *err)
{
    const char *path = store_path(store);
    size_t size = strlen(path);
    static const char suffix[] = "-ann";

    memset(nearest, 0, sizeof *nearest);
    nearest->dim = dim;
    memcpy(nearest->fingerprint, fingerprint, sizeof nearest->fingerprint);
    if (size == 0)
        return ERNIE_OK;
    nearest->path = memory_resize(NULL, size + sizeof suffix, 1);
    if (nearest->path == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    memcpy(nearest->path, path, size);
    memcpy(nearest->path + size, suffix, sizeof suffix);
    return ERNIE_OK;
}

static void drop_index(struct nearest *nearest)
{
    ann_free(nearest->ann);
    nearest->ann = NULL;
    memset(&nearest->stamp, 0, sizeof nearest->stamp);
    nearest->n_tail = 0;
    nearest->tail_seq = 0;
}

void nearest_set_dim(struct nearest *nearest, size_t dim)
{
    if (nearest->dim == dim)
        return;
    drop_index(nearest);
    memory_free(nearest->tail_ids);
    memory_free(nearest->tail);
    nearest->tail_ids = NULL;
    nearest->tail = NULL;
    nearest->tail_capacity = 0;
    nearest->looked_for_index = 0;
    nearest->dim = dim;
}

void nearest_reset(struct nearest *nearest)
{
    drop_index(nearest);
    memory_free(nearest->tail_ids);
    memory_free(nearest->tail);
    memory_free(nearest->path);
    memset(nearest, 0, sizeof *nearest);
}

/* Whether an index was made from this database, by this model, from a log that
 * is still the beginning of the present one. */
static int stamp_fits(const struct nearest *nearest, struct store *store,
                      const struct ann_stamp *stamp)
{
    uint64_t mark;

    return memcmp(stamp->database_uuid, store_uuid(store), sizeof stamp->database_uuid) == 0 &&
           memcmp(stamp->model_fingerprint, nearest->fingerprint,
                  sizeof stamp->model_fingerprint) == 0 &&
           stamp->dim == nearest->dim &&
           store_log_mark(store, stamp->seq, &mark, NULL) == ERNIE_OK && mark == stamp->mark;
}

/* Takes the index file when it fits. One that is missing, damaged or of another
 * state of the database is no error: the rows answer instead. Only memory running
 * out is. */
static int load_index(struct nearest *nearest, struct store *store, ernie_error *err)
{
    struct ann_stamp stamp;
    struct ann *ann;
    int status;

    nearest->looked_for_index = 1;
    if (nearest->path == NULL)
        return ERNIE_OK;
    status = ann_load(nearest->path, &ann, &stamp, err);
    if (status != ERNIE_OK)
        return status == ERNIE_ENOMEM ? status : ERNIE_OK;
    if (!stamp_fits(nearest, store, &stamp)) {
        ann_free(ann);
        return ERNIE_OK;
    }
    nearest->ann = ann;
    nearest->stamp = stamp;
    nearest->tail_seq = stamp.seq;
    nearest->n_tail = 0;
    return ERNIE_OK;
}

static int append_to_tail(void *data, int64_t chunk_id, const float *embedding, ernie_error *err)
{
    struct nearest *nearest = data;

    if (embedding == NULL) /* not to be trusted; ernie_verify reports it */
        return ERNIE_OK;
    if (nearest->n_tail == nearest->tail_capacity) {
        size_t capacity = nearest->tail_capacity < 64 ? 64 : nearest->tail_capacity * 2;
        int64_t *ids = memory_resize(nearest->tail_ids, capacity, sizeof *ids);
        float *tail;

        if (ids == NULL)
            return error_set(err, ERNIE_ENOMEM, "search: out of memory");
        nearest->tail_ids = ids;
        tail = memory_resize(nearest->tail, capacity, nearest->dim * sizeof *tail);
        if (tail == NULL)
            return error_set(err, ERNIE_ENOMEM, "search: out of memory");
        nearest->tail = tail;
        nearest->tail_capacity = capacity;
    }
    nearest->tail_ids[nearest->n_tail] = chunk_id;
    memcpy(nearest->tail + nearest->n_tail * nearest->dim, embedding,
           nearest->dim * sizeof *embedding);
    nearest->n_tail++;
    return ERNIE_OK;
}

int nearest_refresh(struct nearest *nearest, struct store *store, uint64_t seq, ernie_error *err)
{
    size_t n_tail;
    int status;

    /* The log never shrinks; a shorter one is another state of the database, put
     * back over the one we knew. */
    if (nearest->tail_seq > seq) {
        drop_index(nearest);
        nearest->looked_for_index = 0;
    }
    if (!nearest->looked_for_index) {
        status = load_index(nearest, store, err);
        if (status != ERNIE_OK)
            return status;
    }
    if (nearest->tail_seq == seq)
        return ERNIE_OK;
    n_tail = nearest->n_tail;
    status = store_embeddings_since(store, nearest->tail_seq, nearest->dim, append_to_tail,
                                    nearest, err);
    if (status != ERNIE_OK) {
        nearest->n_tail = n_tail; /* so that the next try does not add them twice */
        return status;
    }
    nearest->tail_seq = seq;
    return ERNIE_OK;
}

/* ---- searching --------------------------------------------------------- */

static int compare_neighbours(const void *a, const void *b)
{
    const struct neighbour *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    /* Equal scores come in a fixed order, so that the same question has the same
     * answer. */
    return (x->chunk_id > y->chunk_id) - (x->chunk_id < y->chunk_id);
}

/* The m nearest by index and tail, unchecked, into candidates
 * [m + n_tail]; the caller's ids and scores [m] are scratch. */
static int collect(struct nearest *nearest, const float *query, size_t m, int64_t *ids,
                   float *scores, struct neighbour *candidates, size_t *n, ernie_error *err)
{
    const struct kernel *kernel = kernel_pick();
    size_t n_found = 0;
    int status;

    if (nearest->ann != NULL && m > 0) {
        status = ann_search(nearest->ann, query, m, ids, scores, &n_found, err);
        if (status != ERNIE_OK)
            return status;
    }
    for (size_t i = 0; i < n_found; i++)
        candidates[i] = (struct neighbour){ .chunk_id = ids[i], .score = scores[i] };
    for (size_t i = 0; i < nearest->n_tail; i++)
        candidates[n_found + i] = (struct neighbour){
            .chunk_id = nearest->tail_ids[i],
            .score = kernel->dot(nearest->dim, query, nearest->tail + i * nearest->dim)
        };
    *n = n_found + nearest->n_tail;
    qsort(candidates, *n, sizeof *candidates, compare_neighbours);
    return ERNIE_OK;
}

/* Looks candidates up in order until want are found alive, and returns those at
 * the start of candidates, scored from their rows. */
static int check_against_rows(struct nearest *nearest, struct store *store, const float *query,
                              size_t want, struct neighbour *candidates, size_t n, float *row,
                              size_t *n_alive, ernie_error *err)
{
    const struct kernel *kernel = kernel_pick();

    *n_alive = 0;
    for (size_t i = 0; i < n && *n_alive < want; i++) {
        struct neighbour neighbour = candidates[i];
        int found, status;

        status = store_embedding_get(store, neighbour.chunk_id, nearest->dim,
                                     &neighbour.document_id, row, &found, err);
        if (status != ERNIE_OK)
            return status;
        if (!found) /* deleted since the index was made */
            continue;
        neighbour.score = kernel->dot(nearest->dim, query, row);
        candidates[(*n_alive)++] = neighbour;
    }
    qsort(candidates, *n_alive, sizeof *candidates, compare_neighbours);
    return ERNIE_OK;
}

int nearest_search(struct nearest *nearest, struct store *store, uint64_t seq, const float *query,
                   size_t want, struct neighbour **out, size_t *n, int *complete,
                   ernie_error *err)
{
    struct neighbour *candidates = NULL;
    int64_t *ids = NULL;
    float *scores = NULL, *row = NULL;
    size_t n_indexed, n_candidates = 0, n_alive = 0, m;
    int status = nearest_refresh(nearest, store, seq, err);

    if (status != ERNIE_OK)
        return status;
    n_indexed = nearest->ann == NULL ? 0 : ann_count(nearest->ann);
    /* A few more than wanted, since some may have been deleted. */
    m = want < n_indexed && n_indexed - want > 16 ? want + 16 : n_indexed;
    row = memory_new(nearest->dim, sizeof *row);
    for (;;) {
        struct neighbour *more = memory_resize(candidates, m + nearest->n_tail, sizeof *more);
        int64_t *more_ids = memory_resize(ids, m, sizeof *more_ids);
        float *more_scores = memory_resize(scores, m, sizeof *more_scores);

        candidates = more != NULL ? more : candidates;
        ids = more_ids != NULL ? more_ids : ids;
        scores = more_scores != NULL ? more_scores : scores;
        if (more == NULL || more_ids == NULL || more_scores == NULL || row == NULL) {
            status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
            goto done;
        }
        status = collect(nearest, query, m, ids, scores, candidates, &n_candidates, err);
        if (status == ERNIE_OK)
            status = check_against_rows(nearest, store, query, want, candidates, n_candidates,
                                        row, &n_alive, err);
        if (status != ERNIE_OK)
            goto done;
        if (n_alive >= want || m == n_indexed)
            break;
        m = m > n_indexed / 2 ? n_indexed : m * 2;
    }
    *complete = m == n_indexed && n_alive < want;
    *out = candidates;
    *n = n_alive;
    candidates = NULL;
done:
    memory_free(candidates);
    memory_free(ids);
    memory_free(scores);
    memory_free(row);
    return status;
}

/* ---- saving ------------------------------------------------------------ */

struct builder {
    struct ann *ann;
    size_t dim, n, n_threads;
    int64_t ids[BATCH];
    float *vectors; /* [BATCH][dim] */
};

static int flush(struct builder *builder, ernie_error *err)
{
    int status = ERNIE_OK;

    if (builder->n > 0)
        status = ann_add(builder->ann, builder->n, builder->ids, builder->vectors,
                         builder->n_threads, err);
    builder->n = 0;
    return status;
}

static int add_row(void *data, int64_t chunk_id, const float *embedding, ernie_error *err)
{
    struct builder *builder = data;

    if (embedding == NULL)
        return ERNIE_OK;
    builder->ids[builder->n] = chunk_id;
    memcpy(builder->vectors + builder->n * builder->dim, embedding,
           builder->dim * sizeof *embedding);
    builder->n++;
    return builder->n == BATCH ? flush(builder, err) : ERNIE_OK;
}

/* A new index of every row there is. */
static int build(struct nearest *nearest, struct store *store, size_t n_rows, size_t n_threads,
                 struct ann **out, ernie_error *err)
{
    struct builder *builder = memory_new(1, sizeof *builder);
    int status = ERNIE_ENOMEM;

    if (builder == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    builder->dim = nearest->dim;
    builder->n_threads = n_threads;
    builder->vectors = memory_new(BATCH, nearest->dim * sizeof *builder->vectors);
    if (builder->vectors == NULL)
        error_set(err, ERNIE_ENOMEM, "index: out of memory");
    else
        status = ann_new(ann_kind_for(n_rows), nearest->dim, &builder->ann, err);
    if (status == ERNIE_OK)
        status = store_embeddings_since(store, 0, nearest->dim, add_row, builder, err);
    if (status == ERNIE_OK)
        status = flush(builder, err);
    if (status == ERNIE_OK) {
        *out = builder->ann;
        builder->ann = NULL;
    }
    ann_free(builder->ann);
    memory_free(builder->vectors);
    memory_free(builder);
    return status;
}

/* Whether to build anew rather than add the tail: no index yet, the wrong kind
 * for the size, or more than a quarter of it deleted. */
static int must_build(const struct nearest *nearest, size_t n_rows)
{
    size_t n_with_tail, n_dead;

    if (nearest->ann == NULL)
        return 1;
    n_with_tail = ann_count(nearest->ann) + nearest->n_tail;
    n_dead = n_with_tail > n_rows ? n_with_tail - n_rows : 0;
    return ann_kind(nearest->ann) != ann_kind_for(n_rows) || n_dead > n_rows / 4;
}

int nearest_save(struct nearest *nearest, struct store *store, int always, size_t n_threads,
                 ernie_error *err)
{
    struct store_counts counts;
    struct ann_stamp stamp;
    struct ann *fresh = NULL;
    uint64_t seq;
    int status, snapshot = 0;

    if (nearest->path == NULL) /* a database in memory: the rows answer */
        return ERNIE_OK;
    status = store_snapshot_begin(store, &seq, err);
    if (status != ERNIE_OK)
        return status;
    snapshot = 1;
    status = nearest_refresh(nearest, store, seq, err);
    if (status == ERNIE_OK)
        status = store_counts(store, &counts, err);
    if (status != ERNIE_OK)
        goto done;
    if (!always && nearest->ann != NULL && nearest->n_tail <= TAIL_KEPT &&
        !must_build(nearest, counts.n_embeddings))
        goto done;
    if (!always && nearest->ann == NULL && counts.n_embeddings <= TAIL_KEPT)
        goto done;

    if (always || must_build(nearest, counts.n_embeddings)) {
        status = build(nearest, store, counts.n_embeddings, n_threads, &fresh, err);
        if (status != ERNIE_OK)
            goto done;
        drop_index(nearest);
        nearest->ann = fresh;
    } else {
        status = ann_add(nearest->ann, nearest->n_tail, nearest->tail_ids, nearest->tail,
                         n_threads, err);
        if (status != ERNIE_OK) {
            drop_index(nearest); /* it may hold a part of the tail */
            nearest->looked_for_index = 0;
            goto done;
        }
        nearest->n_tail = 0;
    }
    memset(&stamp, 0, sizeof stamp);
    memcpy(stamp.database_uuid, store_uuid(store), sizeof stamp.database_uuid);
    memcpy(stamp.model_fingerprint, nearest->fingerprint, sizeof stamp.model_fingerprint);
    stamp.dim = nearest->dim;
    stamp.seq = seq;
    stamp.count = ann_count(nearest->ann);
    status = store_log_mark(store, seq, &stamp.mark, err);
    if (status != ERNIE_OK)
        goto done;
    nearest->stamp = stamp;
    nearest->tail_seq = seq;
    store_snapshot_end(store); /* writing a large file must not hold the log of SQLite */
    snapshot = 0;
    status = ann_save(nearest->ann, &stamp, nearest->path, err);
done:
    if (snapshot)
        store_snapshot_end(store);
    return status;
}
