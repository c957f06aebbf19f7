#include "nearest.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/id_set.h"
#include "base/memory.h"
#include "base/system.h"
#include "index/stream.h"

/* Vectors that are newer than the index file: reading so many rows at the next start takes
 * less than a hundredth of a second. */
#define TAIL_KEPT 1000
/* A base is built anew when what came after it is more than this, and more than a quarter
 * of it: so many are scanned in less than a thousandth of a second. */
#define RECENT_KEPT 20000
/* Times that a new index is brought up to what was written since the last time: each takes a
 * part of the time of the one before, unless rows come as fast as they can be read. */
#define FOLLOW_ROUNDS 8
/* Chunks that are scored from their rows where only they are asked for: so many, or so
 * small a share of all, take no longer than the index does to pass over the others. */
#define SCORED_AT_ONCE 1000
#define SCORED_SHARE 50

/* Chunks that the background is the mean of: cosines with any chunk scatter by about 0.1,
 * their mean of so many by 0.02. */
#define BACKGROUND_ROWS 32

/* ---- making one -------------------------------------------------------- */

/* What the process knows the collection's index by: the file, whatever path led to it, the
 * collection in it, and the model. NULL in memory, or when memory ran out (*failed). */
static char *make_key(const struct nearest *nearest, int *failed)
{
    struct buffer key = { 0 };
    struct stat st;
    const char *path = collection_path(nearest->rows);

    *failed = 0;
    if (path[0] == '\0' || system_table.fstatat(AT_FDCWD, path, &st, 0) != 0)
        return NULL;
    buffer_printf(&key, "%llu:%llu:%zu:%s:", (unsigned long long)st.st_dev,
                  (unsigned long long)st.st_ino, nearest->dim, nearest->setting);
    for (size_t i = 0; i < 16; i++)
        buffer_printf(&key, "%02x%02x", nearest->uuid[i], nearest->fingerprint[i]);
    *failed = key.failed;
    return buffer_take(&key);
}

static int acquire(struct nearest *nearest, ernie_error *err)
{
    int failed, status;
    char *key = make_key(nearest, &failed);

    status = failed ? error_set(err, ERNIE_ENOMEM, "index: out of memory")
                    : registry_acquire(key, &nearest->shared, err);
    memory_free(key);
    return status;
}

static void drop_own(struct nearest *nearest)
{
    index_release(nearest->own);
    nearest->own = NULL;
}

int nearest_init(struct nearest *nearest, struct collection *rows, const uint8_t *fingerprint,
                 size_t dim, const char *setting, const char *suffix, ernie_error *err)
{
    const char *path = collection_path(rows);
    struct buffer file = { 0 };
    int status;

    memset(nearest, 0, sizeof *nearest);
    nearest->rows = rows;
    nearest->dim = dim;
    memcpy(nearest->fingerprint, fingerprint, sizeof nearest->fingerprint);
    if (strlen(setting) >= sizeof nearest->setting)
        return error_set(err, ERNIE_EINVAL, "index: %.20s...: too long", setting);
    strcpy(nearest->setting, setting);
    status = collection_uuid(rows, nearest->uuid, err);
    if (status == ERNIE_OK && path[0] != '\0') {
        buffer_printf(&file, "%s%s", path, suffix);
        nearest->path = buffer_take(&file);
        if (nearest->path == NULL)
            status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    }
    if (status == ERNIE_OK)
        status = acquire(nearest, err);
    if (status != ERNIE_OK)
        nearest_reset(nearest);
    return status;
}

void nearest_reset(struct nearest *nearest)
{
    drop_own(nearest);
    registry_release(nearest->shared);
    memory_free(nearest->path);
    memset(nearest, 0, sizeof *nearest);
}

int nearest_set_vectors(struct nearest *nearest, const uint8_t *fingerprint, size_t dim,
                        ernie_error *err)
{
    struct nearest before = *nearest;
    int status;

    if (dim == before.dim &&
        memcmp(fingerprint, before.fingerprint, sizeof before.fingerprint) == 0)
        return ERNIE_OK;
    drop_own(nearest);
    before.own = NULL;
    nearest->dim = dim;
    memcpy(nearest->fingerprint, fingerprint, sizeof nearest->fingerprint);
    status = acquire(nearest, err);
    if (status == ERNIE_OK)
        registry_release(before.shared);
    else
        *nearest = before;
    return status;
}

/* ---- the shared index -------------------------------------------------- */

/* *is: whether the log of this database has been in the state that a stamp or mark tells. */
static int is_in_past(struct nearest *nearest, uint64_t seq, uint64_t mark, int *is,
                      ernie_error *err)
{
    uint64_t ours;
    int status = collection_log_mark(nearest->rows, seq, &ours, err);

    *is = status == ERNIE_OK && ours == mark;
    return status == ERNIE_ENOTFOUND ? ERNIE_OK : status;
}

static int stamp_fits(struct nearest *nearest, const struct index_stamp *stamp, int *fits,
                      ernie_error *err)
{
    *fits = memcmp(stamp->database_uuid, nearest->uuid, sizeof stamp->database_uuid) == 0 &&
            memcmp(stamp->model_fingerprint, nearest->fingerprint,
                   sizeof stamp->model_fingerprint) == 0;
    return *fits ? is_in_past(nearest, stamp->seq, stamp->mark, fits, err) : ERNIE_OK;
}

/* The index file when it fits, else NULL. One that is missing, damaged, larger than memory,
 * sealed by somebody else or of another state of the database is no error: the rows answer
 * instead. */
static int load_file(struct nearest *nearest, struct index **out, struct index_stamp *stamp,
                     ernie_error *err)
{
    struct mac_key key;
    struct index *index;
    int fits, status;

    *out = NULL;
    if (nearest->path == NULL || mac_key_load(&key, NULL) != ERNIE_OK ||
        index_file_load(nearest->path, &key, &index, stamp, NULL) != ERNIE_OK)
        return ERNIE_OK;
    status = stamp_fits(nearest, stamp, &fits, err);
    if (status == ERNIE_OK && fits && index_dim(index) == nearest->dim)
        *out = index;
    else
        index_release(index);
    return status;
}

/* A stamp of this collection for a state of its log. */
static struct index_stamp make_stamp(const struct nearest *nearest, uint64_t seq, uint64_t mark)
{
    struct index_stamp stamp = { .seq = seq, .mark = mark, .base_seq = seq };

    memcpy(stamp.database_uuid, nearest->uuid, sizeof stamp.database_uuid);
    memcpy(stamp.model_fingerprint, nearest->fingerprint, sizeof stamp.model_fingerprint);
    return stamp;
}

/* The first index of this process: the file's, or an empty one that the rows will fill. */
static int find_first(struct nearest *nearest, int look_for_file, ernie_error *err)
{
    struct index_stamp stamp = make_stamp(nearest, 0, 0);
    struct index *index = NULL;
    int status = look_for_file ? load_file(nearest, &index, &stamp, err) : ERNIE_OK;

    if (status == ERNIE_OK)
        shared_index_set_saved(nearest->shared, index != NULL ? index_count(index) : 0);
    if (status == ERNIE_OK && index == NULL) {
        stamp = make_stamp(nearest, 0, 0);
        status = index_new(nearest->dim, &index, err);
    }
    if (status == ERNIE_OK)
        shared_index_put(nearest->shared, index, &stamp, 0, NULL);
    return status;
}

static int add_row(void *data, int64_t id, const float *vector, ernie_error *err)
{
    /* One that is not what was written is left out; ernie_verify reports it. */
    return vector != NULL ? index_add(data, id, vector, err) : ERNIE_OK;
}

/* Adds what the log tells after the shared index's state, up to seq, all of it committed.
 * *is_busy is 1, and nothing is done, when somebody else is at it, unless waits is set. */
static int catch_up(struct nearest *nearest, uint64_t seq, int waits, int *is_busy,
                    ernie_error *err)
{
    struct shared_index *shared = nearest->shared;
    struct index_stamp stamp;
    struct index *index;
    uint64_t mark;
    int fits = 0, status = ERNIE_OK;

    *is_busy = !waits && pthread_mutex_trylock(&shared->growing) != 0;
    if (*is_busy)
        return ERNIE_OK;
    if (waits)
        pthread_mutex_lock(&shared->growing);
    index = shared_index_get(shared, &stamp);
    /* Somebody else may have been quicker, or have put another one there. */
    if (index != NULL && stamp.seq < seq)
        status = is_in_past(nearest, stamp.seq, stamp.mark, &fits, err);
    if (status == ERNIE_OK && fits)
        status = collection_log_mark(nearest->rows, seq, &mark, err);
    if (status == ERNIE_OK && fits)
        status = collection_vectors_since(nearest->rows, stamp.seq, nearest->dim, add_row, index,
                                          err);
    /* After a failure some are in it that will come again: a hit is given out once. */
    if (status == ERNIE_OK && fits)
        shared_index_grown(shared, seq, mark);
    index_release(index);
    pthread_mutex_unlock(&shared->growing);
    return status;
}

/* Brings nearest->own to what the rows tell of the log from the state from to seq: what
 * this connection changed in its open transaction, what an index that is ahead may lack, or
 * what somebody else is just about to add to one that is behind. */
static int refresh_own(struct nearest *nearest, uint64_t from, uint64_t seq, ernie_error *err)
{
    uint64_t mark;
    int fits = 0, status = collection_log_mark(nearest->rows, seq, &mark, err);

    /* After ROLLBACK TO, the same numbers come again with other marks. */
    if (status == ERNIE_OK && nearest->own != NULL && nearest->own_from == from &&
        nearest->own_seq <= seq)
        status = is_in_past(nearest, nearest->own_seq, nearest->own_mark, &fits, err);
    if (status != ERNIE_OK)
        return status;
    if (!fits) {
        drop_own(nearest);
        nearest->own_from = nearest->own_seq = from;
        status = index_new(nearest->dim, &nearest->own, err);
    } else if (nearest->own_seq == seq) {
        return ERNIE_OK;
    }
    if (status == ERNIE_OK)
        status = collection_vectors_since(nearest->rows, nearest->own_seq, nearest->dim, add_row,
                                          nearest->own, err);
    nearest->own_seq = seq;
    nearest->own_mark = mark;
    if (status != ERNIE_OK)
        drop_own(nearest);
    return status;
}

/* The state that an index and the caller, who sees seq, have in common, into stamp: all of
 * it is in the index. An index that has gone on since then holds more, whose rows the
 * caller does not see; but it may lack what came to the caller's rows after that state, if
 * the database was put back to it and then changed otherwise. *fits is 0 when the index is
 * of another past, -1 when it was built after what the caller sees. */
static int find_common_state(struct nearest *nearest, const struct index *index, uint64_t seq,
                             struct index_stamp *stamp, int *fits, ernie_error *err)
{
    if (stamp->seq > seq &&
        !shared_index_mark(nearest->shared, index, seq, &stamp->seq, &stamp->mark)) {
        *fits = -1;
        return ERNIE_OK;
    }
    return is_in_past(nearest, stamp->seq, stamp->mark, fits, err);
}

/* Puts the first index in place of one of another past, or of none, unless somebody else
 * has put another one there. */
static int replace(struct nearest *nearest, const struct index *index, ernie_error *err)
{
    struct shared_index *shared = nearest->shared;
    struct index_stamp stamp;
    struct index *now;
    int status = ERNIE_OK;

    pthread_mutex_lock(&shared->growing);
    now = shared_index_get(shared, &stamp);
    if (now == index)
        status = find_first(nearest, index == NULL, err);
    index_release(now);
    pthread_mutex_unlock(&shared->growing);
    return status;
}

/* The index to ask, used, and in *own whether nearest->own is to be asked too, for the
 * state seq that the caller sees. */
static int prepare(struct nearest *nearest, uint64_t seq, struct index **out, int *own,
                   ernie_error *err)
{
    struct index_stamp stamp;
    struct index *index;
    int status = ERNIE_OK, fits = 0, is_behind, is_busy;

    *own = 0;
    /* At most: look for the file, find that it is of another past, fill a new one. */
    for (int round = 0; round < 4 && status == ERNIE_OK && fits >= 0; round++) {
        index = shared_index_get(nearest->shared, &stamp);
        is_behind = index != NULL && stamp.seq < seq && !collection_is_changing(nearest->rows);
        is_busy = fits = 0;
        if (index != NULL)
            status = find_common_state(nearest, index, seq, &stamp, &fits, err);
        /* A few rows are read sooner than another one has read them. */
        if (status == ERNIE_OK && fits > 0 && is_behind)
            status = catch_up(nearest, seq, seq - stamp.seq > TAIL_KEPT, &is_busy, err);
        if (status == ERNIE_OK && fits > 0 && (!is_behind || is_busy)) {
            *own = stamp.seq < seq;
            if (*own)
                status = refresh_own(nearest, stamp.seq, seq, err);
            else
                drop_own(nearest);
            if (status == ERNIE_OK)
                *out = index;
            else
                index_release(index);
            return status;
        }
        if (status == ERNIE_OK && fits == 0)
            status = replace(nearest, index, err);
        index_release(index);
    }
    /* The shared one is of no use here: all rows, for this connection alone. */
    if (status == ERNIE_OK)
        status = refresh_own(nearest, 0, seq, err);
    if (status == ERNIE_OK)
        *out = index_use(nearest->own);
    return status;
}

int nearest_refresh(struct nearest *nearest, ernie_error *err)
{
    struct index *index;
    uint64_t seq;
    int own, status = collection_snapshot_begin(nearest->rows, &seq, err);

    if (status != ERNIE_OK)
        return status;
    status = prepare(nearest, seq, &index, &own, err);
    if (status == ERNIE_OK)
        index_release(index);
    collection_snapshot_end(nearest->rows);
    return status;
}

/* ---- searching --------------------------------------------------------- */

struct nearest_search {
    struct nearest *nearest;
    struct index_search *search;
    struct stream *few;  /* nearest_among's, which are asked instead of the index; or NULL */
    struct id_set *only; /* nearest_among's, when they are many; or NULL */
    size_t n_vectors;    /* that search has */
    int in_snapshot;
    double length;  /* of the query */
    float *query;   /* [dim] */
    float *row;     /* [dim] */
};

/* The cosine with a row, in double precision: in the order of these, ties are true ties. */
static int score_row(void *data, int64_t id, double *score, int *found, ernie_error *err)
{
    struct nearest_search *search = data;
    const size_t dim = search->nearest->dim;
    double product = 0, square = 0;
    int status;

    *found = search->only == NULL || id_set_has(search->only, id);
    if (!*found)
        return ERNIE_OK;
    status = collection_vector_get(search->nearest->rows, id, dim, search->row, found, err);
    if (status != ERNIE_OK || !*found)
        return status;
    for (size_t i = 0; i < dim; i++) {
        product += (double)search->query[i] * search->row[i];
        square += (double)search->row[i] * search->row[i];
    }
    *found = square > 0;
    *score = *found ? product / (sqrt(square) * search->length) : 0;
    return ERNIE_OK;
}

static int begin(struct nearest_search *search, const float *query, ernie_error *err)
{
    struct nearest *nearest = search->nearest;
    struct index *index = NULL;
    uint64_t seq;
    double square = 0;
    int own, status;

    search->query = memory_new(nearest->dim, sizeof *search->query);
    search->row = memory_new(nearest->dim, sizeof *search->row);
    if (search->query == NULL || search->row == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    memcpy(search->query, query, nearest->dim * sizeof *query);
    for (size_t i = 0; i < nearest->dim; i++)
        square += (double)query[i] * query[i];
    search->length = sqrt(square);
    status = collection_snapshot_begin(nearest->rows, &seq, err);
    if (status != ERNIE_OK)
        return status;
    search->in_snapshot = 1;
    status = prepare(nearest, seq, &index, &own, err);
    if (status == ERNIE_OK)
        status = index_search_new(index, query, score_row, search, &search->search, err);
    if (status == ERNIE_OK)
        search->n_vectors = index_count(index);
    if (status == ERNIE_OK && own)
        status = index_search_also(search->search, nearest->own, err);
    index_release(index);
    return status;
}

int nearest_begin(struct nearest *nearest, const float *query, struct nearest_search **out,
                  ernie_error *err)
{
    struct nearest_search *search = memory_new(1, sizeof *search);
    int status;

    if (search == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    search->nearest = nearest;
    status = begin(search, query, err);
    if (status == ERNIE_OK)
        *out = search;
    else
        nearest_end(search);
    return status;
}

int nearest_next(struct nearest_search *search, struct neighbour *out, int *found,
                 ernie_error *err)
{
    struct stream_hit hit;
    int status, has_owner;

    do {
        status = search->few != NULL ? stream_next(search->few, &hit, found, err)
                                     : index_search_next(search->search, &hit, found, err);
        if (status != ERNIE_OK || !*found)
            return status;
        out->chunk_id = hit.id;
        out->score = hit.score;
        status = collection_owner(search->nearest->rows, hit.id, &out->document_id, &has_owner,
                                  err);
    } while (status == ERNIE_OK && !has_owner);
    return status;
}

int nearest_look_up(struct nearest_search *search, int64_t chunk_id, struct neighbour *out,
                    int *found, ernie_error *err)
{
    int status = score_row(search, chunk_id, &out->score, found, err);

    out->chunk_id = chunk_id;
    if (status == ERNIE_OK && *found)
        status = collection_owner(search->nearest->rows, chunk_id, &out->document_id, found, err);
    return status;
}

int nearest_background(struct nearest_search *search, double *out, ernie_error *err)
{
    int64_t ids[BACKGROUND_ROWS];
    double sum = 0, score;
    size_t n = 0, n_scored = 0;
    int found, status = collection_spread(search->nearest->rows, BACKGROUND_ROWS, ids, &n, err);

    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        status = score_row(search, ids[i], &score, &found, err);
        if (status == ERNIE_OK && found) {
            sum += score;
            n_scored++;
        }
    }
    *out = n_scored > 0 ? sum / (double)n_scored : 0;
    return status;
}

static void drop_selection(struct nearest_search *search)
{
    stream_free(search->few);
    search->few = NULL;
    if (search->only != NULL)
        id_set_reset(search->only);
    memory_free(search->only);
    search->only = NULL;
}

int nearest_among(struct nearest_search *search, size_t n, const int64_t *ids, ernie_error *err)
{
    int status;

    drop_selection(search);
    if (n < SCORED_AT_ONCE || n < search->n_vectors / SCORED_SHARE) {
        status = stream_new(score_row, search, &search->few, err);
        return status == ERNIE_OK ? stream_add_ids(search->few, n, ids, err) : status;
    }
    search->only = memory_new(1, sizeof *search->only);
    for (size_t i = 0; search->only != NULL && i < n; i++)
        if (id_set_add(search->only, ids[i]) < 0)
            drop_selection(search);
    return search->only != NULL ? ERNIE_OK : error_set(err, ERNIE_ENOMEM, "search: out of memory");
}

void nearest_end(struct nearest_search *search)
{
    if (search == NULL)
        return;
    index_search_free(search->search);
    drop_selection(search);
    if (search->in_snapshot)
        collection_snapshot_end(search->nearest->rows);
    memory_free(search->query);
    memory_free(search->row);
    memory_free(search);
}

/* ---- building ---------------------------------------------------------- */

struct sample {
    size_t dim, n, capacity;
    float *vectors; /* [capacity][dim] */
};

static int add_to_sample(void *data, int64_t id, const float *vector, ernie_error *err)
{
    struct sample *sample = data;

    (void)id;
    (void)err;
    if (vector != NULL && sample->n < sample->capacity)
        memcpy(sample->vectors + sample->n++ * sample->dim, vector,
               sample->dim * sizeof *vector);
    return ERNIE_OK;
}

static int train(struct nearest *nearest, struct index_builder *builder, size_t n_rows,
                 ernie_error *err)
{
    const size_t wanted = index_builder_wants(builder);
    struct sample sample = { .dim = nearest->dim, .capacity = wanted };
    int status;

    if (wanted == 0)
        return ERNIE_OK;
    sample.vectors = memory_new_aligned(wanted, nearest->dim * sizeof(float));
    if (sample.vectors == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    status = collection_vectors_sample(nearest->rows, (n_rows + wanted - 1) / wanted,
                                       nearest->dim, add_to_sample, &sample, err);
    if (status == ERNIE_OK)
        status = index_builder_train(builder, sample.n, sample.vectors, err);
    memory_free_aligned(sample.vectors);
    return status;
}

static int add_to_builder(void *data, int64_t id, const float *vector, ernie_error *err)
{
    return vector != NULL ? index_builder_add(data, id, vector, err) : ERNIE_OK;
}

/* A builder filled with every row there is in the state that the caller sees, n_rows of
 * them. */
static int fill(struct nearest *nearest, const struct index_plan *plan, size_t n_rows,
                size_t n_threads, const atomic_int *cancel, struct index_builder **out,
                ernie_error *err)
{
    struct index_builder *builder;
    int status = index_builder_new(plan, nearest->dim, n_rows, n_threads, cancel, &builder, err);

    if (status != ERNIE_OK)
        return status;
    status = train(nearest, builder, n_rows, err);
    if (status == ERNIE_OK)
        status = collection_vectors_since(nearest->rows, 0, nearest->dim, add_to_builder, builder,
                                          err);
    if (status == ERNIE_OK)
        *out = builder;
    else
        index_builder_free(builder);
    return status;
}

/* Whether the index is of the kind that is planned now. The number of lists in a
 * description of ours changes with every vector, and makes no other kind. */
static int is_of_kind(const struct nearest *nearest, const struct index *index,
                      const struct index_plan *plan)
{
    const char *is = index_kind_name(index), *should = index_plan_name(plan);

    if (strcmp(nearest->setting, "ivfpq") == 0 && plan->kind == INDEX_FAISS)
        return strncmp(is, "IVF", 3) == 0 && strchr(is, ',') != NULL &&
               strcmp(strchr(is, ','), strchr(should, ',')) == 0;
    return strcmp(is, should) == 0;
}

static int must_build(const struct nearest *nearest, const struct index *index,
                      const struct index_plan *plan, size_t n_rows)
{
    const size_t n = index_count(index), n_recent = index_recent(index);
    const size_t n_gone = n > n_rows ? n - n_rows : 0;

    return !is_of_kind(nearest, index, plan) || n_gone > n_rows / 4 + TAIL_KEPT ||
           (plan->kind != INDEX_FLAT && n_recent > RECENT_KEPT && n_recent > n_rows / 4);
}

/* Writes the shared index as it is now. */
static int save(struct nearest *nearest, ernie_error *err)
{
    struct shared_index *shared = nearest->shared;
    struct index_stamp stamp;
    struct mac_key key;
    struct index *index;
    int status;

    status = mac_key_load(&key, err);
    if (status == ERNIE_ENOTFOUND) /* a user without a home has no cache */
        return ERNIE_OK;
    index = shared_index_get(shared, &stamp);
    if (status == ERNIE_OK && index != NULL)
        status = index_file_save(index, &stamp, &key, nearest->path, err);
    if (status == ERNIE_OK && index != NULL)
        shared_index_set_saved(shared, index_count(index) - index_recent(index) +
                                           (size_t)stamp.n_recent);
    index_release(index);
    return status;
}

/* Whether an index of n vectors should be written, when n_saved of them are in the file. */
static int is_old(size_t n, size_t n_saved)
{
    return n > n_saved + n_saved / 10 + TAIL_KEPT;
}

/* What is to be done, by the state that the caller sees. */
static int look(struct nearest *nearest, int always, uint64_t seq, struct index_plan *plan,
                size_t *n_rows, int *builds, int *saves, ernie_error *err)
{
    struct index *index = NULL;
    size_t n, n_saved;
    int own, status = collection_count(nearest->rows, n_rows, err);

    if (status == ERNIE_OK)
        status = index_plan_for(nearest->setting, nearest->dim, *n_rows, plan, err);
    if (status == ERNIE_OK)
        status = prepare(nearest, seq, &index, &own, err);
    if (status != ERNIE_OK)
        return status;
    n = index_count(index);
    n_saved = shared_index_saved(nearest->shared);
    *builds = always || must_build(nearest, index, plan, *n_rows);
    *saves = nearest->path != NULL && (always || *builds || is_old(n, n_saved));
    index_release(index);
    return ERNIE_OK;
}

/* Adds to an index that nobody else has yet what was written since its state, but for what
 * is written meanwhile. */
static int follow(struct nearest *nearest, struct index *index, struct index_stamp *stamp,
                  ernie_error *err)
{
    uint64_t seq, mark;
    int fits = 0, status = collection_snapshot_begin(nearest->rows, &seq, err);

    if (status != ERNIE_OK)
        return status;
    if (seq > stamp->seq)
        status = is_in_past(nearest, stamp->seq, stamp->mark, &fits, err);
    if (status == ERNIE_OK && fits)
        status = collection_log_mark(nearest->rows, seq, &mark, err);
    if (status == ERNIE_OK && fits)
        status = collection_vectors_since(nearest->rows, stamp->seq, nearest->dim, add_row, index,
                                          err);
    collection_snapshot_end(nearest->rows);
    if (status == ERNIE_OK && fits) {
        stamp->seq = seq;
        stamp->mark = mark;
    }
    return status;
}

/* Ends the building and shares what was built. Building takes long, and whoever asks next
 * would have to wait for all that was written meanwhile: so that comes first. */
static int put(struct nearest *nearest, struct index_builder *builder, struct index_stamp *stamp,
               ernie_error *err)
{
    struct log_state states[FOLLOW_ROUNDS];
    struct index *index;
    size_t n = 0;
    int status = index_builder_finish(builder, &index, err);

    if (status != ERNIE_OK)
        return status;
    do {
        states[n++] = (struct log_state){ stamp->seq, stamp->mark };
        status = follow(nearest, index, stamp, err);
    } while (status == ERNIE_OK && n < FOLLOW_ROUNDS &&
             stamp->seq - states[n - 1].seq > TAIL_KEPT);
    if (status != ERNIE_OK) {
        index_release(index);
        return status;
    }
    pthread_mutex_lock(&nearest->shared->growing);
    shared_index_put(nearest->shared, index, stamp, n, states);
    pthread_mutex_unlock(&nearest->shared->growing);
    return ERNIE_OK;
}

int nearest_save(struct nearest *nearest, int always, size_t n_threads, const atomic_int *cancel,
                 ernie_error *err)
{
    struct index_plan plan;
    struct index_builder *builder = NULL;
    struct index_stamp stamp;
    size_t n_rows;
    uint64_t seq;
    int builds = 0, saves = 0, status = collection_snapshot_begin(nearest->rows, &seq, err);

    if (status != ERNIE_OK)
        return status;
    stamp = make_stamp(nearest, seq, 0);
    /* What may yet be rolled back is no state to keep. */
    if (!collection_is_changing(nearest->rows))
        status = look(nearest, always, seq, &plan, &n_rows, &builds, &saves, err);
    if (status == ERNIE_OK && builds)
        status = collection_log_mark(nearest->rows, seq, &stamp.mark, err);
    if (status == ERNIE_OK && builds)
        status = fill(nearest, &plan, n_rows, n_threads, cancel, &builder, err);
    /* Finding lists and writing a large file must not hold SQLite's log. */
    collection_snapshot_end(nearest->rows);
    if (status == ERNIE_OK && builds)
        status = put(nearest, builder, &stamp, err);
    index_builder_free(builder);
    return status == ERNIE_OK && saves ? save(nearest, err) : status;
}

/* Writes the shared index where its file is old, without building another. */
static int save_as_it_is(struct nearest *nearest, ernie_error *err)
{
    struct index_stamp stamp;
    struct index *index;
    int saves, status = nearest_refresh(nearest, err);

    if (status != ERNIE_OK)
        return status;
    index = shared_index_get(nearest->shared, &stamp);
    saves = index != NULL && is_old(index_count(index), shared_index_saved(nearest->shared));
    index_release(index);
    return saves ? save(nearest, err) : ERNIE_OK;
}

/* ---- later ------------------------------------------------------------- */

/* What the thread is given, to free. It uses no part of the connection that started it;
 * that one waits for it before shared goes. */
struct errand {
    struct shared_index *shared;
    struct collection *rows;
    struct nearest nearest;
};

static void errand_free(struct errand *errand)
{
    if (errand == NULL)
        return;
    drop_own(&errand->nearest);
    memory_free(errand->nearest.path);
    collection_free(errand->rows);
    memory_free(errand);
}

static void *run_errand(void *data)
{
    struct errand *errand = data;
    struct shared_index *shared = errand->shared;

    nearest_save(&errand->nearest, 0, 1, &shared->cancel, NULL);
    errand_free(errand);
    pthread_mutex_lock(&shared->mutex);
    shared->is_busy = 0;
    pthread_mutex_unlock(&shared->mutex);
    return NULL;
}

static int errand_new(struct nearest *nearest, struct errand **out, ernie_error *err)
{
    struct errand *errand = memory_new(1, sizeof *errand);
    int status;

    if (errand == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    status = collection_reopen(nearest->rows, &errand->rows, err);
    if (status != ERNIE_OK) {
        memory_free(errand);
        return status;
    }
    errand->shared = nearest->shared;
    errand->nearest = *nearest;
    errand->nearest.rows = errand->rows;
    errand->nearest.own = NULL;
    errand->nearest.path = memory_copy_text(nearest->path, strlen(nearest->path));
    if (errand->nearest.path == NULL) {
        errand_free(errand);
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    }
    *out = errand;
    return ERNIE_OK;
}

int nearest_save_apart(struct nearest *nearest, size_t n_threads, ernie_error *err)
{
    struct errand *errand;
    int status = nearest->path != NULL ? errand_new(nearest, &errand, err)
                                       : error_set(err, ERNIE_ENOTFOUND, "index: in memory only");

    if (status != ERNIE_OK)
        return status;
    status = nearest_save(&errand->nearest, 1, n_threads, NULL, err);
    errand_free(errand);
    return status;
}

static int start_thread(struct shared_index *shared, struct errand *errand)
{
    sigset_t all, old;
    int code;

    /* Signals belong to the host's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    code = pthread_create(&shared->thread, NULL, run_errand, errand);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return code;
}

void nearest_save_soon(struct nearest *nearest)
{
    struct shared_index *shared = nearest->shared;
    struct errand *errand = NULL;
    int is_free, has_wal, has_thread;

    if (nearest->path == NULL)
        return;
    pthread_mutex_lock(&shared->mutex);
    is_free = !shared->is_busy;
    shared->is_busy = 1;
    pthread_mutex_unlock(&shared->mutex);
    if (!is_free)
        return;
    if (shared->has_thread) /* which has nothing left to do */
        pthread_join(shared->thread, NULL);
    if (errand_new(nearest, &errand, NULL) != ERNIE_OK)
        errand = NULL;
    has_wal = errand != NULL && collection_has_wal(errand->rows);
    if (errand != NULL && !has_wal)
        save_as_it_is(&errand->nearest, NULL);
    /* The thread's own last step needs the lock: what is noted of it here comes first. */
    pthread_mutex_lock(&shared->mutex);
    has_thread = has_wal && start_thread(shared, errand) == 0;
    shared->is_busy = shared->has_thread = has_thread;
    pthread_mutex_unlock(&shared->mutex);
    if (!has_thread)
        errand_free(errand);
}

void nearest_forget(struct nearest *nearest)
{
    if (nearest->path != NULL)
        system_table.unlink(nearest->path);
}
