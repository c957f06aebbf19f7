/* FAISS numbers vectors 0, 1, 2 … in the order they come. Which rows each number stands
 * for is kept here, all whose vectors are equal (see distinct.h): FAISS's own IDMap knows
 * only one a number. */
#include "index/ann.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faiss/c_api/AutoTune_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <faiss/c_api/index_io_c.h>

#include "base/memory.h"
#include "index/distinct.h"
#include "index/faiss.h"

#define MAX_DIM   65536
#define MAX_COUNT INT32_MAX /* FAISS keeps the links of a graph as int32 */

/* Candidates kept while a vector is linked into a graph, and while a query is answered:
 * the second belongs to the index, which several threads may be searching, so it is one
 * number for every query. */
#define HNSW_EF_CONSTRUCTION 100
#define HNSW_EF_SEARCH       128
/* The part of an inverted file's lists that a query reads. */
#define IVF_PROBE_PART 16

struct ann {
    char description[ANN_DESCRIPTION_BYTES];
    size_t dim;
    FaissIndex *faiss;
    size_t n, capacity;
    int64_t *ids;             /* [n], in the order they were added */
    int32_t *number;          /* [n], FAISS's number of each id */
    size_t n_distinct;        /* vectors in FAISS */
    int32_t *first;           /* [n_distinct], the place in ids of the first of a number */
    int32_t *last;            /* [n_distinct], and of the last */
    int32_t *next;            /* [n], the place of the next with the same number, or -1 */
    struct distinct distinct; /* while vectors are added */
};

/* ---- making one -------------------------------------------------------- */

const char *ann_description(const struct ann *ann)
{
    return ann->description;
}

size_t ann_count(const struct ann *ann)
{
    return ann->n;
}

size_t ann_dim(const struct ann *ann)
{
    return ann->dim;
}

const int64_t *ann_ids(const struct ann *ann)
{
    return ann->ids;
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

/* The number after a word of the description: 32 after "HNSW" in "HNSW32"; 0 when the
 * word is not there. */
static size_t number_after(const char *description, const char *word)
{
    const char *at = strstr(description, word);

    return at != NULL ? strtoul(at + strlen(word), NULL, 10) : 0;
}

static int set_parameter(FaissIndex *faiss, const char *name, size_t value, const char *what,
                         ernie_error *err)
{
    FaissParameterSpace *space;
    int code = faiss_ParameterSpace_new(&space);

    if (code != FAISS_OK)
        return faiss_failed(err, code, ERNIE_ENOMEM, what);
    code = faiss_ParameterSpace_set_index_parameter(space, faiss, name, (double)value);
    faiss_ParameterSpace_free(space);
    return code == FAISS_OK ? ERNIE_OK : faiss_failed(err, code, ERNIE_EFORMAT, what);
}

/* How widely it searches: FAISS's own choice, one list of many, finds little. */
static int set_parameters(struct ann *ann, const char *what, ernie_error *err)
{
    const size_t n_links = number_after(ann->description, "HNSW");
    const size_t n_lists = number_after(ann->description, "IVF");
    int status = ERNIE_OK;

    if (n_lists > 0) /* whose centers may be in a graph */
        return set_parameter(ann->faiss, "nprobe",
                             n_lists < 8 * IVF_PROBE_PART ? 8 : n_lists / IVF_PROBE_PART, what,
                             err);
    if (n_links > 0)
        status = set_parameter(ann->faiss, "efConstruction", HNSW_EF_CONSTRUCTION, what, err);
    if (n_links > 0 && status == ERNIE_OK)
        status = set_parameter(ann->faiss, "efSearch", HNSW_EF_SEARCH, what, err);
    return status;
}

/* One without FAISS's index. */
static int ann_empty(const char *description, size_t dim, struct ann **out, ernie_error *err)
{
    struct ann *ann;

    if (dim < 1 || dim > MAX_DIM)
        return error_set(err, ERNIE_EINVAL, "index: vectors of %zu floats are not supported", dim);
    if (strlen(description) >= ANN_DESCRIPTION_BYTES)
        return error_set(err, ERNIE_EINVAL, "index: %.20s...: a description that is too long",
                         description);
    ann = memory_new(1, sizeof *ann);
    if (ann == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    strcpy(ann->description, description);
    ann->dim = ann->distinct.dim = dim;
    *out = ann;
    return ERNIE_OK;
}

int ann_new(const char *description, size_t dim, struct ann **out, ernie_error *err)
{
    struct ann *ann;
    int code, status = ann_empty(description, dim, &ann, err);

    if (status != ERNIE_OK)
        return status;
    code = faiss_index_factory(&ann->faiss, (int)dim, description, METRIC_INNER_PRODUCT);
    if (code != FAISS_OK) {
        ann->faiss = NULL;
        status = faiss_failed(err, code, ERNIE_EINVAL, description);
    } else {
        status = set_parameters(ann, description, err);
    }
    if (status != ERNIE_OK) {
        ann_free(ann);
        return status;
    }
    *out = ann;
    return ERNIE_OK;
}

int ann_needs_training(const struct ann *ann)
{
    return !faiss_Index_is_trained(ann->faiss);
}

int ann_train(struct ann *ann, size_t n, const float *vectors, size_t n_threads, ernie_error *err)
{
    int threads = faiss_threads_begin(n_threads);
    int code = faiss_Index_train(ann->faiss, (idx_t)n, vectors);

    faiss_threads_end(threads);
    return code == FAISS_OK ? ERNIE_OK : faiss_failed(err, code, ERNIE_EINVAL, ann->description);
}

/* ---- adding ------------------------------------------------------------ */

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
    if (ids == NULL || !resize_places(&ann->number, capacity) ||
        !resize_places(&ann->first, capacity) || !resize_places(&ann->last, capacity) ||
        !resize_places(&ann->next, capacity))
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

int ann_add(struct ann *ann, size_t n, const int64_t *ids, const float *vectors, size_t n_threads,
            ernie_error *err)
{
    float *fresh; /* those that are not there yet */
    size_t n_fresh = 0;
    int status, code = FAISS_OK, threads;

    if (n > MAX_COUNT - ann->n)
        return error_set(err, ERNIE_EINVAL, "index: more than %d vectors", MAX_COUNT);
    status = reserve(ann, ann->n + n, err);
    fresh = status == ERNIE_OK ? memory_new_aligned(n, ann->dim * sizeof *fresh) : NULL;
    if (status == ERNIE_OK && fresh == NULL)
        status = error_set(err, ERNIE_ENOMEM, "index: out of memory");
    for (size_t i = 0; i < n && status == ERNIE_OK; i++) {
        int32_t number = distinct_number(&ann->distinct, vectors + i * ann->dim);

        if (number < 0)
            status = error_set(err, ERNIE_ENOMEM, "index: out of memory");
        else if ((size_t)number == ann->n_distinct + n_fresh)
            memcpy(fresh + n_fresh++ * ann->dim, vectors + i * ann->dim, ann->dim * sizeof *fresh);
        ann->number[ann->n + i] = number;
    }
    if (status == ERNIE_OK && n_fresh > 0) {
        threads = faiss_threads_begin(n_threads);
        code = faiss_Index_add(ann->faiss, (idx_t)n_fresh, fresh);
        faiss_threads_end(threads);
        if (code != FAISS_OK)
            status = faiss_failed(err, code, ERNIE_EINVAL, "index");
    }
    for (size_t i = 0; i < n && status == ERNIE_OK; i++) {
        ann->ids[ann->n] = ids[i];
        link_place(ann, ann->n++);
    }
    memory_free_aligned(fresh);
    return status;
}

/* ---- searching --------------------------------------------------------- */

int ann_search(const struct ann *ann, const float *query, size_t k, int64_t *ids, size_t *n_found,
               ernie_error *err)
{
    const size_t want = k < ann->n_distinct ? k : ann->n_distinct;
    idx_t *numbers = memory_new(want, sizeof *numbers);
    float *scores = memory_new(want, sizeof *scores);
    int code = FAISS_OK, threads, status = ERNIE_OK;

    *n_found = 0;
    if (numbers == NULL || scores == NULL)
        status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
    if (status == ERNIE_OK && want > 0) {
        threads = faiss_threads_begin(1);
        code = faiss_Index_search(ann->faiss, 1, query, (idx_t)want, scores, numbers);
        faiss_threads_end(threads);
        if (code != FAISS_OK)
            status = faiss_failed(err, code, ERNIE_EINVAL, "search");
    }
    for (size_t i = 0; i < want && status == ERNIE_OK && numbers[i] >= 0; i++)
        for (int32_t j = ann->first[numbers[i]]; j >= 0 && *n_found < k; j = ann->next[j])
            ids[(*n_found)++] = ann->ids[j];
    memory_free(numbers);
    memory_free(scores);
    return status;
}

/* ---- bytes ------------------------------------------------------------- */

#define BYTES_PER_ID (8 + 4)

uint64_t ann_bytes(const struct ann *ann)
{
    const uint64_t n_links = 2 * number_after(ann->description, "HNSW");
    const uint64_t vector = strstr(ann->description, "PQ") != NULL   ? ann->dim / 8
                            : strstr(ann->description, "SQ8") != NULL ? ann->dim
                                                                      : ann->dim * sizeof(float);

    return ann->n_distinct * (vector + n_links * sizeof(int32_t)) +
           ann->capacity * (sizeof *ann->ids + 4 * sizeof(int32_t));
}

static ssize_t append_to_buffer(void *cookie, const char *data, size_t size)
{
    struct buffer *out = cookie;

    buffer_append(out, data, size);
    return out->failed ? 0 : (ssize_t)size;
}

int ann_to_bytes(const struct ann *ann, const char *path, struct buffer *out, ernie_error *err)
{
    static const cookie_io_functions_t functions = { .write = append_to_buffer };
    FILE *file;
    char *places;
    int code, status = ERNIE_OK;

    places = buffer_reserve(out, ann->n * BYTES_PER_ID);
    if (places == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    for (size_t i = 0; i < ann->n; i++)
        for (size_t j = 0; j < 8; j++)
            *places++ = (char)((uint64_t)ann->ids[i] >> 8 * j);
    for (size_t i = 0; i < ann->n; i++)
        for (size_t j = 0; j < 4; j++)
            *places++ = (char)((uint32_t)ann->number[i] >> 8 * j);
    out->size += ann->n * BYTES_PER_ID;

    file = fopencookie(out, "w", functions);
    if (file == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    code = faiss_write_index(ann->faiss, file);
    if (code != FAISS_OK && !out->failed)
        status = faiss_failed(err, code, ERNIE_EINVAL, path);
    /* The only way in which a buffer fails. */
    if (fclose(file) != 0 || out->failed)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    return status;
}

static int read_ids(struct ann *ann, size_t n, const uint8_t *data, const char *path,
                    ernie_error *err)
{
    int status = reserve(ann, n, err);

    for (size_t i = 0; i < n && status == ERNIE_OK; i++, data += 8) {
        uint64_t id = 0;

        for (size_t j = 0; j < 8; j++)
            id |= (uint64_t)data[j] << 8 * j;
        ann->ids[i] = (int64_t)id;
    }
    for (size_t i = 0; i < n && status == ERNIE_OK; i++, data += 4) {
        uint32_t number = 0;

        for (size_t j = 0; j < 4; j++)
            number |= (uint32_t)data[j] << 8 * j;
        if (number > ann->n_distinct) {
            status = error_set(err, ERNIE_EFORMAT, "%s: its vectors are not numbered in order",
                               path);
        } else {
            ann->number[i] = (int32_t)number;
            link_place(ann, i);
        }
    }
    ann->n = n;
    return status;
}

static int read_faiss(struct ann *ann, const uint8_t *data, size_t size, const char *path,
                      ernie_error *err)
{
    /* fmemopen takes no const, but a stream for reading writes nothing. */
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "r");
    long end;
    int code;

    if (file == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    code = faiss_read_index(file, 0, &ann->faiss);
    end = ftell(file);
    fclose(file);
    if (code != FAISS_OK) {
        ann->faiss = NULL;
        return faiss_failed(err, code, ERNIE_EFORMAT, path);
    }
    if (end < 0 || (size_t)end != size)
        return error_set(err, ERNIE_EFORMAT, "%s: bytes are left over after the index", path);
    if (faiss_Index_d(ann->faiss) != (int)ann->dim ||
        faiss_Index_ntotal(ann->faiss) != (idx_t)ann->n_distinct ||
        faiss_Index_metric_type(ann->faiss) != METRIC_INNER_PRODUCT)
        return error_set(err, ERNIE_EFORMAT, "%s: FAISS's index is not what its header says",
                         path);
    return set_parameters(ann, path, err);
}

int ann_from_bytes(const char *description, size_t dim, size_t count, const uint8_t *data,
                   size_t size, const char *path, struct ann **out, ernie_error *err)
{
    struct ann *ann;
    int status;

    if (count > MAX_COUNT || size / BYTES_PER_ID < count || size == count * BYTES_PER_ID)
        return error_set(err, ERNIE_EFORMAT, "%s: too short for its count of vectors", path);
    status = ann_empty(description, dim, &ann, err);
    if (status != ERNIE_OK)
        return status;
    status = read_ids(ann, count, data, path, err);
    if (status == ERNIE_OK)
        status = read_faiss(ann, data + count * BYTES_PER_ID, size - count * BYTES_PER_ID, path,
                            err);
    if (status == ERNIE_OK) {
        *out = ann;
        ann = NULL;
    }
    ann_free(ann);
    return status;
}
