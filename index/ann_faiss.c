/* The nearest-neighbour index over FAISS's C interface. No other file names it.
 *
 * FAISS numbers vectors 0, 1, 2 … in the order they come. Which rows each number
 * stands for is kept here: one in a flat index, all whose vectors are equal in
 * HNSW (see distinct.h). FAISS's own IDMap knows only the first, and is neither in
 * memory we allocate nor checked when it is read back. */
#include "index/ann_bytes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <faiss/c_api/AutoTune_c.h>
#include <faiss/c_api/IndexFlat_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <faiss/c_api/index_io_c.h>

#include "base/id_set.h"
#include "base/memory.h"
#include "index/distinct.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef HAVE_OMP
#include <omp.h>
#endif

#define MAX_DIM   65536
#define MAX_COUNT INT32_MAX /* HNSW keeps its links as int32 */

/* Links of a vector on the upper levels; twice as many on the lowest. */
#define HNSW_LINKS "32"
/* Candidates kept while a vector is linked in, and while a query is answered: the
 * second belongs to the index, which several threads may be searching, so it is one
 * number for every query. The README has recall and time for others. */
#define HNSW_EF_CONSTRUCTION 100
#define HNSW_EF_SEARCH       256
/* The graph answers for this many neighbours at most. FAISS stops once as many
 * candidates as the line above says are nearer than what it would look at next, so
 * of more it misses more. */
#define HNSW_MAX_K 128
/* Where more than this part of the vectors is wanted, comparing with each is as
 * fast as the graph, and exact. */
#define SCAN_PART 32
/* Up to here, comparing with every vector takes less than a hundredth of a second
 * (384 floats each), and there is no graph to build. */
#define FLAT_MAX 40000

/* Vectors copied out of FAISS at once. Below 1000, where it would start threads. */
#define SCAN_BLOCK 128

struct ann {
    enum ann_kind kind;
    size_t dim;
    FaissIndex *faiss;
    size_t n, capacity;
    int64_t *ids; /* [n], in the order they were added */
    /* HNSW; in a flat index, ids[i] is FAISS's number i. */
    size_t n_distinct;        /* vectors in FAISS */
    int32_t *number;          /* [n], FAISS's number of each id */
    int32_t *first;           /* [n_distinct], the place in ids of the first of a number */
    int32_t *last;            /* [n_distinct], and of the last */
    int32_t *next;            /* [n], the place of the next with the same number, or -1 */
    struct distinct distinct; /* made from FAISS's vectors when something is added */
};

/* Says what FAISS said. Its C functions tell running out of memory only by the
 * name of the exception; a libfaiss_c of the system loses even that and says
 * "std::exception", which hardly ever is anything else. */
static int faiss_error(ernie_error *err, int code, int status, const char *what)
{
    const char *message = faiss_get_last_error();

    if (message == NULL)
        message = "unknown error";
    if (code == STD_EXCEPT &&
        (strstr(message, "bad_alloc") != NULL || strcmp(message, "std::exception") == 0))
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", what);
    return error_set(err, status, "%s: FAISS: %s", what, message);
}

/* ---- threads ----------------------------------------------------------- */

/* FAISS shares work by OpenMP, whose number of threads belongs to the calling
 * thread: setting it here disturbs no other thread. Where FAISS was built with
 * another OpenMP than our compiler's, this has no effect, and OMP_NUM_THREADS
 * rules. */
static int threads_begin(size_t n_threads)
{
#ifdef HAVE_OMP
    int before = omp_get_max_threads();

    omp_set_num_threads(n_threads < 1 ? 1 : n_threads > 1024 ? 1024 : (int)n_threads);
    return before;
#else
    return (int)n_threads;
#endif
}

static void threads_end(int before)
{
#ifdef HAVE_OMP
    omp_set_num_threads(before);
#else
    (void)before;
#endif
}

/* ---- making one -------------------------------------------------------- */

enum ann_kind ann_kind_for(size_t n)
{
    return n <= FLAT_MAX ? ANN_FLAT : ANN_HNSW;
}

const char *ann_kind_name(enum ann_kind kind)
{
    return kind == ANN_FLAT ? "flat" : "hnsw";
}

size_t ann_count(const struct ann *ann)
{
    return ann->n;
}

enum ann_kind ann_kind(const struct ann *ann)
{
    return ann->kind;
}

size_t ann_dim(const struct ann *ann)
{
    return ann->dim;
}

void ann_free(struct ann *ann)
{
    if (ann == NULL)
        return;
    if (ann->faiss != NULL)
        faiss_Index_free(ann->faiss);
    memory_free(ann->ids);
    memory_free(ann->number);
    memory_free(ann->first);
    memory_free(ann->last);
    memory_free(ann->next);
    distinct_reset(&ann->distinct);
    memory_free(ann);
}

/* Fails with ERNIE_EFORMAT where the index has no such parameter: it is not HNSW. */
static int set_hnsw_parameters(FaissIndex *faiss, const char *what, ernie_error *err)
{
    FaissParameterSpace *space;
    int code = faiss_ParameterSpace_new(&space);

    if (code != OK)
        return faiss_error(err, code, ERNIE_ENOMEM, what);
    code = faiss_ParameterSpace_set_index_parameter(space, faiss, "efConstruction",
                                                    HNSW_EF_CONSTRUCTION);
    if (code == OK)
        code = faiss_ParameterSpace_set_index_parameter(space, faiss, "efSearch", HNSW_EF_SEARCH);
    faiss_ParameterSpace_free(space);
    return code == OK ? ERNIE_OK : faiss_error(err, code, ERNIE_EFORMAT, what);
}

int ann_new(enum ann_kind kind, size_t dim, struct ann **out, ernie_error *err)
{
    struct ann *ann;
    int code, status = ERNIE_OK;

    if (dim < 1 || dim > MAX_DIM)
        return error_set(err, ERNIE_EINVAL, "index: vectors of %zu floats are not supported", dim);
    ann = memory_new(1, sizeof *ann);
    if (ann == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    ann->kind = kind;
    ann->dim = ann->distinct.dim = dim;
    code = faiss_index_factory(&ann->faiss, (int)dim, kind == ANN_FLAT ? "Flat" : "HNSW" HNSW_LINKS,
                               METRIC_INNER_PRODUCT);
    if (code != OK) {
        ann->faiss = NULL;
        status = faiss_error(err, code, ERNIE_EINVAL, "index");
    } else if (kind == ANN_HNSW) {
        status = set_hnsw_parameters(ann->faiss, "index", err);
    }
    if (status != ERNIE_OK) {
        ann_free(ann);
        return status;
    }
    *out = ann;
    return ERNIE_OK;
}

/* ---- adding ------------------------------------------------------------ */

static int check_vectors(size_t n, size_t dim, const int64_t *ids, const float *vectors,
                         ernie_error *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++)
            if (!isfinite(vectors[i * dim + j]))
                return error_set(err, ERNIE_EINVAL,
                                 "index: vector %" PRId64 " has a component that is not a number",
                                 ids[i]);
    return ERNIE_OK;
}

/* Each id is new and not negative. Rows are numbered upwards, so comparing with
 * the one before settles nearly every call; otherwise a set does. */
static int check_ids(const struct ann *ann, size_t n, const int64_t *ids, ernie_error *err)
{
    struct id_set seen = { 0 };
    int ascending = 1, added = 1;
    int64_t last = -1, repeated = 0;

    for (size_t i = 0; i < ann->n && ascending; i++) {
        ascending = ann->ids[i] > last;
        last = ann->ids[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0)
            return error_set(err, ERNIE_EINVAL, "index: id %" PRId64 " is negative", ids[i]);
        ascending = ascending && ids[i] > last;
        last = ids[i];
    }
    if (ascending)
        return ERNIE_OK;
    /* The complement, since the set cannot hold 0. */
    for (size_t i = 0; i < ann->n && added == 1; i++)
        added = id_set_add(&seen, ~ann->ids[i]);
    for (size_t i = 0; i < n && added == 1; i++) {
        added = id_set_add(&seen, ~ids[i]);
        repeated = ids[i];
    }
    id_set_reset(&seen);
    if (added < 0)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    if (added == 0)
        return error_set(err, ERNIE_EINVAL, "index: id %" PRId64 " is there already", repeated);
    return ERNIE_OK;
}

static int resize_places(int32_t **places, size_t n)
{
    int32_t *more = memory_resize(*places, n, sizeof *more);

    if (more != NULL)
        *places = more;
    return more != NULL;
}

/* Room for n ids. */
static int reserve(struct ann *ann, size_t n, ernie_error *err)
{
    size_t capacity = ann->capacity < 1024 ? 1024 : ann->capacity;
    int64_t *ids;

    while (capacity < n)
        capacity *= 2;
    if (capacity == ann->capacity)
        return ERNIE_OK;
    ids = memory_resize(ann->ids, capacity, sizeof *ids);
    if (ids != NULL)
        ann->ids = ids;
    if (ids == NULL ||
        (ann->kind == ANN_HNSW &&
         (!resize_places(&ann->number, capacity) || !resize_places(&ann->first, capacity) ||
          !resize_places(&ann->last, capacity) || !resize_places(&ann->next, capacity))))
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    ann->capacity = capacity;
    return ERNIE_OK;
}

/* Puts the id at place i of ids into the list of its number. Numbers come in
 * order: each is at most one more than those before. */
static void link_place(struct ann *ann, size_t i)
{
    size_t number = (size_t)ann->number[i];

    if (number == ann->n_distinct) {
        ann->first[number] = (int32_t)i;
        ann->n_distinct++;
    } else {
        ann->next[ann->last[number]] = (int32_t)i;
    }
    ann->last[number] = (int32_t)i;
    ann->next[i] = -1;
}

/* An index that was loaded, or whose last addition failed, numbers its vectors
 * again before it takes more. */
static int restore_distinct(struct ann *ann, ernie_error *err)
{
    float *block;
    int status = ERNIE_OK;

    if (ann->distinct.n == ann->n_distinct)
        return ERNIE_OK;
    distinct_reset(&ann->distinct);
    block = memory_new_aligned(SCAN_BLOCK, ann->dim * sizeof *block);
    if (block == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    for (size_t start = 0; start < ann->n_distinct && status == ERNIE_OK; start += SCAN_BLOCK) {
        size_t n = ann->n_distinct - start < SCAN_BLOCK ? ann->n_distinct - start : SCAN_BLOCK;
        int code = faiss_Index_reconstruct_n(ann->faiss, (faiss_idx_t)start, (faiss_idx_t)n, block);

        if (code != OK)
            status = faiss_error(err, code, ERNIE_EINVAL, "index");
        for (size_t i = 0; i < n && status == ERNIE_OK; i++) {
            int32_t number = distinct_number(&ann->distinct, block + i * ann->dim);

            if (number < 0)
                status = error_set(err, ERNIE_ENOMEM, "index: out of memory");
            else if ((size_t)number != start + i)
                status = error_set(err, ERNIE_ECORRUPT, "index: a vector is in it twice");
        }
    }
    memory_free_aligned(block);
    return status;
}

/* Hands vectors to FAISS. When it fails, it may hold a part of them under numbers
 * that stand for nothing here; an empty index is at least a right one. */
static int add_to_faiss(struct ann *ann, size_t n, const float *vectors, size_t n_threads,
                        ernie_error *err)
{
    int code, status, threads = threads_begin(n_threads);

    code = faiss_Index_add(ann->faiss, (faiss_idx_t)n, vectors);
    threads_end(threads);
    if (code == OK)
        return ERNIE_OK;
    status = faiss_error(err, code, ERNIE_EINVAL, "index");
    faiss_Index_reset(ann->faiss);
    ann->n = ann->n_distinct = 0;
    return status;
}

static int add_distinct(struct ann *ann, size_t n, const int64_t *ids, const float *vectors,
                        size_t n_threads, ernie_error *err)
{
    float *fresh;
    size_t n_fresh = 0;
    int status = restore_distinct(ann, err);

    if (status != ERNIE_OK)
        return status;
    fresh = memory_new_aligned(n, ann->dim * sizeof *fresh);
    if (fresh == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    for (size_t i = 0; i < n; i++) {
        int32_t number = distinct_number(&ann->distinct, vectors + i * ann->dim);

        if (number < 0) {
            status = error_set(err, ERNIE_ENOMEM, "index: out of memory");
            goto done;
        }
        ann->number[ann->n + i] = number;
        if ((size_t)number == ann->n_distinct + n_fresh)
            memcpy(fresh + n_fresh++ * ann->dim, vectors + i * ann->dim, ann->dim * sizeof *fresh);
    }
    if (n_fresh > 0)
        status = add_to_faiss(ann, n_fresh, fresh, n_threads, err);
    if (status != ERNIE_OK)
        goto done;
    for (size_t i = 0; i < n; i++) {
        ann->ids[ann->n + i] = ids[i];
        link_place(ann, ann->n + i);
    }
    ann->n += n;
done:
    memory_free_aligned(fresh);
    return status;
}

int ann_add(struct ann *ann, size_t n, const int64_t *ids, const float *vectors, size_t n_threads,
            ernie_error *err)
{
    int status;

    if (n == 0)
        return ERNIE_OK;
    if (n > MAX_COUNT - ann->n)
        return error_set(err, ERNIE_EINVAL, "index: more than %d vectors", MAX_COUNT);
    status = check_vectors(n, ann->dim, ids, vectors, err);
    if (status == ERNIE_OK)
        status = check_ids(ann, n, ids, err);
    if (status == ERNIE_OK)
        status = reserve(ann, ann->n + n, err);
    if (status != ERNIE_OK)
        return status;
    if (ann->kind == ANN_HNSW)
        return add_distinct(ann, n, ids, vectors, n_threads, err);
    status = add_to_faiss(ann, n, vectors, n_threads, err);
    if (status != ERNIE_OK)
        return status;
    memcpy(ann->ids + ann->n, ids, n * sizeof *ids);
    ann->n += n;
    return ERNIE_OK;
}

/* ---- searching --------------------------------------------------------- */

/* Eight sums, so that the compiler may keep them in vector registers. */
static float dot(size_t n, const float *a, const float *b)
{
    float sum[8] = { 0 };
    float rest = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        rest += a[i] * b[i];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7])) + rest;
}

/* A heap of the best found so far, the worst of them on top. */
static void sift_down(size_t n, float *scores, int64_t *numbers, float score, int64_t number)
{
    size_t i = 0, child;

    while ((child = 2 * i + 1) < n) {
        if (child + 1 < n && scores[child + 1] < scores[child])
            child++;
        if (scores[child] >= score)
            break;
        scores[i] = scores[child];
        numbers[i] = numbers[child];
        i = child;
    }
    scores[i] = score;
    numbers[i] = number;
}

/* The k <= n_distinct nearest by comparing with every vector that HNSW stores: the
 * answer where its graph would walk past most of them anyway, or did not reach k. */
static int scan(const struct ann *ann, const float *query, size_t k, int64_t *numbers,
                float *scores, ernie_error *err)
{
    float *block = memory_new_aligned(SCAN_BLOCK, ann->dim * sizeof *block);
    int status = ERNIE_OK;

    if (block == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    for (size_t i = 0; i < k; i++) {
        scores[i] = -INFINITY;
        numbers[i] = -1;
    }
    for (size_t start = 0; start < ann->n_distinct; start += SCAN_BLOCK) {
        size_t n = ann->n_distinct - start < SCAN_BLOCK ? ann->n_distinct - start : SCAN_BLOCK;
        int code = faiss_Index_reconstruct_n(ann->faiss, (faiss_idx_t)start, (faiss_idx_t)n, block);

        if (code != OK) {
            status = faiss_error(err, code, ERNIE_EINVAL, "index");
            break;
        }
        for (size_t i = 0; i < n; i++) {
            float score = dot(ann->dim, query, block + i * ann->dim);

            if (score > scores[0])
                sift_down(k, scores, numbers, score, (int64_t)(start + i));
        }
    }
    memory_free_aligned(block);
    /* Taking the worst away, again and again, leaves the best in front. */
    for (size_t n = k; n-- > 1;) {
        float score = scores[n];
        int64_t number = numbers[n];

        scores[n] = scores[0];
        numbers[n] = numbers[0];
        sift_down(n, scores, numbers, score, number);
    }
    return status;
}

static int ask_faiss(const struct ann *ann, const float *query, size_t k, int64_t *numbers,
                     float *scores, ernie_error *err)
{
    int code, threads = threads_begin(1);

    code = faiss_Index_search(ann->faiss, 1, query, (faiss_idx_t)k, scores, numbers);
    threads_end(threads);
    return code == OK ? ERNIE_OK : faiss_error(err, code, ERNIE_EINVAL, "index");
}

static size_t count_found(size_t k, const int64_t *numbers)
{
    size_t n = 0;

    while (n < k && numbers[n] >= 0)
        n++;
    return n;
}

static int search_flat(const struct ann *ann, const float *query, size_t k, int64_t *ids,
                       float *scores, size_t *n_found, ernie_error *err)
{
    int status = ask_faiss(ann, query, k, ids, scores, err); /* numbers, not yet ids */

    if (status != ERNIE_OK)
        return status;
    *n_found = count_found(k, ids);
    for (size_t i = 0; i < *n_found; i++)
        ids[i] = ann->ids[ids[i]];
    return ERNIE_OK;
}

static int search_hnsw(const struct ann *ann, const float *query, size_t k, int64_t *ids,
                       float *scores, size_t *n_found, ernie_error *err)
{
    size_t m = ann->n_distinct, want = k < m ? k : m, n = 0;
    int by_graph = want <= HNSW_MAX_K && want <= m / SCAN_PART;
    int64_t *numbers = memory_new(want, sizeof *numbers);
    float *found = memory_new(want, sizeof *found);
    int status = ERNIE_OK;

    if (numbers == NULL || found == NULL)
        status = error_set(err, ERNIE_ENOMEM, "index: out of memory");
    if (status == ERNIE_OK && by_graph) {
        status = ask_faiss(ann, query, want, numbers, found, err);
        by_graph = count_found(want, numbers) == want;
    }
    if (status == ERNIE_OK && !by_graph)
        status = scan(ann, query, want, numbers, found, err);
    if (status == ERNIE_OK) {
        want = count_found(want, numbers);
        for (size_t i = 0; i < want; i++)
            for (int32_t j = ann->first[numbers[i]]; j >= 0 && n < k; j = ann->next[j]) {
                ids[n] = ann->ids[j];
                scores[n++] = found[i];
            }
        *n_found = n;
    }
    memory_free(numbers);
    memory_free(found);
    return status;
}

int ann_search(const struct ann *ann, const float *query, size_t k, int64_t *ids, float *scores,
               size_t *n_found, ernie_error *err)
{
    for (size_t i = 0; i < ann->dim; i++)
        if (!isfinite(query[i]))
            return error_set(err, ERNIE_EINVAL,
                             "index: the query has a component that is not a number");
    if (k > ann->n)
        k = ann->n;
    if (k == 0) {
        *n_found = 0;
        return ERNIE_OK;
    }
    return ann->kind == ANN_HNSW ? search_hnsw(ann, query, k, ids, scores, n_found, err)
                                 : search_flat(ann, query, k, ids, scores, n_found, err);
}

/* ---- bytes ------------------------------------------------------------- */

static ssize_t append_to_buffer(void *cookie, const char *data, size_t size)
{
    struct buffer *out = cookie;

    buffer_append(out, data, size);
    return out->failed ? 0 : (ssize_t)size;
}

static size_t bytes_per_id(enum ann_kind kind)
{
    return kind == ANN_HNSW ? 8 + 4 : 8;
}

int ann_to_bytes(const struct ann *ann, const char *path, struct buffer *out, ernie_error *err)
{
    static const cookie_io_functions_t functions = { .write = append_to_buffer };
    FILE *file;
    char *places;
    int code, status = ERNIE_OK;

    /* In one piece: growing by doubling would copy the vectors. */
    places = buffer_reserve(out, ann_bytes_limit(ann->kind, ann->dim, ann->n));
    if (places == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    for (size_t i = 0; i < ann->n; i++)
        for (size_t j = 0; j < 8; j++)
            *places++ = (char)((uint64_t)ann->ids[i] >> 8 * j);
    for (size_t i = 0; i < ann->n && ann->kind == ANN_HNSW; i++)
        for (size_t j = 0; j < 4; j++)
            *places++ = (char)((uint32_t)ann->number[i] >> 8 * j);
    out->size += ann->n * bytes_per_id(ann->kind);

    file = fopencookie(out, "w", functions);
    if (file == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    code = faiss_write_index(ann->faiss, file);
    if (code != OK && !out->failed)
        status = faiss_error(err, code, ERNIE_EINVAL, path);
    /* The only way in which a buffer fails. */
    if (fclose(file) != 0 || out->failed)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    return status;
}

uint64_t ann_bytes_limit(enum ann_kind kind, uint64_t dim, uint64_t count)
{
    /* 2 * 32 links on the lowest level and 32 on each of the others, of which one
     * vector in 32 has one more: 1 KiB is more than twice what they take. */
    uint64_t each = bytes_per_id(kind) + dim * sizeof(float) + (kind == ANN_HNSW ? 1024 : 0);

    if (dim < 1 || dim > MAX_DIM || count > MAX_COUNT)
        return 0;
    return count * each + 65536;
}

static int check_against_header(const struct ann *ann, const char *path, ernie_error *err)
{
    int is_flat = faiss_IndexFlat_cast(ann->faiss) != NULL;
    size_t n = ann->kind == ANN_HNSW ? ann->n_distinct : ann->n;

    if (faiss_Index_d(ann->faiss) != (int)ann->dim)
        return error_set(err, ERNIE_EFORMAT, "%s: its vectors have %d floats, its header says %zu",
                         path, faiss_Index_d(ann->faiss), ann->dim);
    if (faiss_Index_ntotal(ann->faiss) != (faiss_idx_t)n)
        return error_set(err, ERNIE_EFORMAT, "%s: it holds %jd vectors, its header says %zu", path,
                         (intmax_t)faiss_Index_ntotal(ann->faiss), n);
    if (faiss_Index_metric_type(ann->faiss) != METRIC_INNER_PRODUCT)
        return error_set(err, ERNIE_EFORMAT, "%s: its metric is not the inner product", path);
    if (is_flat != (ann->kind == ANN_FLAT))
        return error_set(err, ERNIE_EFORMAT, "%s: its kind is not what its header says", path);
    return ann->kind == ANN_HNSW ? set_hnsw_parameters(ann->faiss, path, err) : ERNIE_OK;
}

/* The ids, and what FAISS's numbers stand for. */
static int read_ids(struct ann *ann, const uint8_t *data, const char *path, ernie_error *err)
{
    size_t n = ann->n;

    ann->n = 0; /* as many as are read */
    if (reserve(ann, n, err) != ERNIE_OK)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    for (size_t i = 0; i < n; i++, data += 8) {
        uint64_t id = 0;

        for (size_t j = 0; j < 8; j++)
            id |= (uint64_t)data[j] << 8 * j;
        if (id > INT64_MAX)
            return error_set(err, ERNIE_EFORMAT, "%s: an id is negative", path);
        ann->ids[i] = (int64_t)id;
    }
    for (size_t i = 0; i < n && ann->kind == ANN_HNSW; i++, data += 4) {
        uint32_t number = 0;

        for (size_t j = 0; j < 4; j++)
            number |= (uint32_t)data[j] << 8 * j;
        if (number > ann->n_distinct)
            return error_set(err, ERNIE_EFORMAT, "%s: its vectors are not numbered in order", path);
        ann->number[i] = (int32_t)number;
        link_place(ann, i);
    }
    ann->n = n;
    return ERNIE_OK;
}

static int read_faiss(struct ann *ann, const uint8_t *data, size_t size, const char *path,
                      ernie_error *err)
{
    /* fmemopen takes no const, but a stream for reading writes nothing. */
    FILE *file = fmemopen((void *)data, size, "r");
    long end;
    int code;

    if (file == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    code = faiss_read_index(file, 0, &ann->faiss);
    end = ftell(file);
    fclose(file);
    if (code != OK) {
        ann->faiss = NULL;
        return faiss_error(err, code, ERNIE_EFORMAT, path);
    }
    if (end < 0 || (size_t)end != size)
        return error_set(err, ERNIE_EFORMAT, "%s: bytes are left over after the index", path);
    return ERNIE_OK;
}

int ann_from_bytes(enum ann_kind kind, uint64_t dim, uint64_t count, const uint8_t *data,
                   size_t size, const char *path, struct ann **out, ernie_error *err)
{
    struct ann *ann;
    size_t n_bytes;
    int status;

    if (ann_bytes_limit(kind, dim, count) == 0 || size / bytes_per_id(kind) <= count)
        return error_set(err, ERNIE_EFORMAT, "%s: too short for its count of vectors", path);
    ann = memory_new(1, sizeof *ann);
    if (ann == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    ann->kind = kind;
    ann->dim = ann->distinct.dim = (size_t)dim;
    ann->n = (size_t)count;
    n_bytes = ann->n * bytes_per_id(kind);
    status = read_ids(ann, data, path, err);
    if (status == ERNIE_OK)
        status = read_faiss(ann, data + n_bytes, size - n_bytes, path, err);
    if (status == ERNIE_OK)
        status = check_against_header(ann, path, err);
    if (status == ERNIE_OK) {
        *out = ann;
        ann = NULL;
    }
    ann_free(ann);
    return status;
}
