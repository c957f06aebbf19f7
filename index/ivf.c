#include "index/ivf.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "index/cluster.h"
#include "index/select.h"
#include "kernel/pack.h"

/* Vectors that centers are found of: so many a center, fewer where all together would be
 * more than this. A round takes their number times that of the centers, and would take a
 * minute for a million vectors. */
#define SAMPLE_PER_LIST 32
#define SAMPLE_LEAST    8
#define SAMPLE_ENOUGH   131072
/* Vectors that are compared with all centers at once. */
#define ASSIGN_ROWS 64

size_t ivf_lists_for(size_t n)
{
    const size_t n_lists = (size_t)(8 * sqrt((double)n));

    return n_lists > n ? n : n_lists < 1 ? 1 : n_lists;
}

void ivf_reset(struct ivf *ivf)
{
    codes_reset(&ivf->centers);
    memory_free(ivf->start);
    memset(ivf, 0, sizeof *ivf);
}

static int is_canceled(const atomic_int *cancel)
{
    return cancel != NULL && atomic_load(cancel) != 0;
}

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "index: out of memory");
}

/* Centers [n_lists][dim] of every so many-th vector. */
static int find_centers(const struct codes *codes, size_t n_lists, size_t n_threads,
                        const atomic_int *cancel, float *centers, ernie_error *err)
{
    const size_t share = SAMPLE_ENOUGH / n_lists;
    const size_t enough = n_lists * (share > SAMPLE_PER_LIST ? SAMPLE_PER_LIST
                                     : share < SAMPLE_LEAST  ? SAMPLE_LEAST
                                                             : share);
    const size_t n = codes->n < enough ? codes->n : enough;
    float *sample = memory_new_aligned(n, codes->dim * sizeof *sample);
    int status;

    if (sample == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        codes_vector(codes, (size_t)((uint64_t)i * codes->n / n), sample + i * codes->dim);
    status = cluster_train(codes->dim, n, sample, n_lists, n_threads, cancel, centers, err);
    memory_free_aligned(sample);
    return status;
}

/* ---- each vector to its center ----------------------------------------- */

struct assignment {
    const struct codes *codes;
    const struct kernel *kernel;
    struct matrix_f32 centers;
    const atomic_int *cancel;
    atomic_size_t next;
    atomic_int failed; /* memory ran out */
    uint32_t *list;    /* [n] */
};

static void assign_rows(struct assignment *work, size_t first, size_t n, float *x, float *scores,
                        void *scratch)
{
    const size_t dim = work->codes->dim, n_lists = work->centers.n_out;

    for (size_t i = 0; i < n; i++)
        codes_vector(work->codes, first + i, x + i * dim);
    work->kernel->multiply_f32(&work->centers, n, x, dim, dim, EPILOGUE_BIAS, scores, n_lists,
                               scratch);
    for (size_t i = 0; i < n; i++) {
        const float *score = scores + i * n_lists;
        size_t best = 0;

        for (size_t j = 1; j < n_lists; j++)
            best = score[j] > score[best] ? j : best;
        work->list[first + i] = (uint32_t)best;
    }
}

static void assign_lane(void *data, size_t lane)
{
    struct assignment *work = data;
    const size_t dim = work->codes->dim, n = work->codes->n;
    float *x = memory_new_aligned(ASSIGN_ROWS, dim * sizeof *x);
    float *scores = memory_new_aligned(ASSIGN_ROWS, work->centers.n_out * sizeof *scores);
    void *scratch = memory_new_aligned(f32_scratch(ASSIGN_ROWS, dim), 1);
    size_t first;

    (void)lane;
    if (x == NULL || scores == NULL || scratch == NULL)
        atomic_store(&work->failed, 1);
    while (!atomic_load(&work->failed) && !is_canceled(work->cancel) &&
           (first = atomic_fetch_add(&work->next, ASSIGN_ROWS)) < n)
        assign_rows(work, first, n - first < ASSIGN_ROWS ? n - first : ASSIGN_ROWS, x, scores,
                    scratch);
    memory_free_aligned(x);
    memory_free_aligned(scores);
    memory_free_aligned(scratch);
}

static int assign(const struct codes *codes, size_t n_lists, const float *centers,
                  size_t n_threads, const atomic_int *cancel, uint32_t *list, ernie_error *err)
{
    const size_t padded_in = pack_padded(codes->dim, I8_INPUTS);
    const size_t padded_out = pack_padded(n_lists, I8_OUTPUTS);
    struct assignment work = { .codes = codes, .kernel = kernel_pick(), .cancel = cancel,
                               .list = list };
    struct pool *pool = NULL;
    int status = ERNIE_OK;

    work.centers = (struct matrix_f32){ padded_in, n_lists, NULL, NULL };
    work.centers.packed = memory_new_aligned(padded_out, padded_in * sizeof(float));
    work.centers.bias = memory_new_aligned(padded_out, sizeof(float));
    if (work.centers.packed == NULL || work.centers.bias == NULL)
        status = out_of_memory(err);
    if (status == ERNIE_OK)
        status = pool_new(n_threads, &pool, err);
    if (status == ERNIE_OK) {
        for (size_t i = 0; i < padded_out; i++)
            work.centers.bias[i] = 0;
        work.kernel->pack_f32(n_lists, codes->dim, centers, work.centers.packed);
        pool_run(pool, assign_lane, &work);
        if (atomic_load(&work.failed))
            status = out_of_memory(err);
        else if (is_canceled(cancel))
            status = error_set(err, ERNIE_ECANCELED, "index: canceled");
    }
    pool_free(pool);
    memory_free_aligned(work.centers.packed);
    memory_free_aligned(work.centers.bias);
    return status;
}

/* ---- in the order of lists --------------------------------------------- */

static void swap_slots(struct codes *codes, size_t a, size_t b)
{
    int8_t *x = codes->rows + a * codes->width, *y = codes->rows + b * codes->width;
    const int64_t id = codes->ids[a];
    const float scale = codes->scale[a], error = codes->error[a];

    codes->ids[a] = codes->ids[b];
    codes->ids[b] = id;
    codes->scale[a] = codes->scale[b];
    codes->scale[b] = scale;
    codes->error[a] = codes->error[b];
    codes->error[b] = error;
    for (size_t i = 0; i < codes->width; i++) {
        const int8_t byte = x[i];

        x[i] = y[i];
        y[i] = byte;
    }
}

/* Moves each slot to where its list says, start [n_lists + 1]: list [n] becomes the
 * place of each, and every swap brings one there. */
static void order_slots(struct codes *codes, size_t n_lists, uint32_t *list, uint32_t *start)
{
    memset(start, 0, (n_lists + 1) * sizeof *start);
    for (size_t i = 0; i < codes->n; i++)
        start[list[i] + 1]++;
    for (size_t i = 0; i < n_lists; i++)
        start[i + 1] += start[i];
    for (size_t i = 0; i < codes->n; i++)
        list[i] = start[list[i]]++; /* start[i] is where list i ends, afterwards */
    for (size_t i = n_lists; i > 0; i--)
        start[i] = start[i - 1];
    start[0] = 0;
    for (size_t i = 0; i < codes->n; i++) {
        while (list[i] != i) {
            const uint32_t place = list[i];

            swap_slots(codes, i, place);
            list[i] = list[place];
            list[place] = place;
        }
    }
}

/* Vectors that cancel each other out have no direction in common: any will do then. */
static void add_center(struct codes *centers, size_t i, float *center)
{
    if (codes_add(centers, (int64_t)i, center))
        return;
    memset(center, 0, centers->dim * sizeof *center);
    center[0] = 1;
    codes_add(centers, (int64_t)i, center);
}

int ivf_build(struct ivf *ivf, struct codes *codes, size_t n_lists, size_t n_threads,
              const atomic_int *cancel, ernie_error *err)
{
    float *centers = memory_new_aligned(n_lists, codes->dim * sizeof *centers);
    uint32_t *list = memory_new(codes->n, sizeof *list);
    int status;

    memset(ivf, 0, sizeof *ivf);
    ivf->start = memory_new(n_lists + 1, sizeof *ivf->start);
    status = centers != NULL && list != NULL && ivf->start != NULL ? ERNIE_OK : out_of_memory(err);
    if (status == ERNIE_OK)
        status = codes_init(&ivf->centers, codes->dim, 8, n_lists, err);
    if (status == ERNIE_OK)
        status = find_centers(codes, n_lists, n_threads, cancel, centers, err);
    if (status == ERNIE_OK)
        status = assign(codes, n_lists, centers, n_threads, cancel, list, err);
    if (status == ERNIE_OK) {
        order_slots(codes, n_lists, list, ivf->start);
        for (size_t i = 0; i < n_lists; i++)
            add_center(&ivf->centers, i, centers + i * codes->dim);
    }
    memory_free_aligned(centers);
    memory_free(list);
    if (status != ERNIE_OK)
        ivf_reset(ivf);
    return status;
}

/* ---- for a query ------------------------------------------------------- */

int ivf_rest_init(struct ivf_rest *rest, const struct ivf *ivf, const struct codes_query *query,
                  const struct kernel *kernel, ernie_error *err)
{
    const size_t n = ivf->centers.n;

    rest->upper = memory_new(n, sizeof *rest->upper);
    rest->copy = memory_new(n, sizeof *rest->copy);
    rest->list = memory_new(n, sizeof *rest->list);
    rest->n_lists = rest->n = n;
    if (rest->upper == NULL || rest->copy == NULL || rest->list == NULL) {
        ivf_rest_reset(rest);
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    }
    codes_bounds(&ivf->centers, 0, n, query, kernel, rest->upper);
    return ERNIE_OK;
}

void ivf_rest_reset(struct ivf_rest *rest)
{
    memory_free(rest->upper);
    memory_free(rest->copy);
    memory_free(rest->list);
    memset(rest, 0, sizeof *rest);
}

size_t ivf_rest_take(struct ivf_rest *rest, size_t n)
{
    size_t n_taken = 0;
    float cut = -INFINITY;

    if (n < rest->n) {
        memcpy(rest->copy, rest->upper, rest->n_lists * sizeof *rest->copy);
        cut = select_greatest(rest->n_lists, rest->copy, n);
    }
    for (size_t i = 0; i < rest->n_lists; i++) {
        if (rest->upper[i] < cut || rest->upper[i] == -INFINITY)
            continue;
        rest->upper[i] = -INFINITY;
        rest->list[n_taken++] = (uint32_t)i;
    }
    rest->n -= n_taken;
    return n_taken;
}
