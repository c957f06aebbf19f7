#include "pace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/memory.h"

/* So many are no more than a batch. */
#define FEW 32
/* Fewer bytes are read as they come, in a few seconds. */
#define FEW_BYTES (4u << 20)
/* A file of a 64th of all bytes is large. */
#define LARGE_PARTS 64
/* One of so many small ones is in the sample. */
#define SAMPLE_PART 32
/* Before, the first batch says more of caches being filled than of the rest. */
#define LEAST_S 1
/* What is known of all files counts for so many bytes in each kind. */
#define COMMON_BYTES 8192.0
/* Of which packed ones have one part in so many. */
#define PACKED 4
/* Of each kind some of about this size are taken at first. */
#define TYPICAL_BYTES 65536.0

static size_t greatest_common_divisor(size_t a, size_t b)
{
    while (b != 0) {
        const size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* How far it is from one of n to the next that is taken; few are taken as they come. */
static size_t stride_of(size_t n)
{
    size_t stride;

    if (n <= FEW)
        return 1;
    /* Every one is come by when stride and n have no divisor in common. */
    stride = (size_t)((double)n * 0.6180339887498949);
    while (greatest_common_divisor(stride, n) != 1)
        stride++;
    return stride;
}

double pace_now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* By what is behind the last point of the name, letters of any case (FNV-1a). Kinds that share a
 * place are counted as one. */
static size_t kind_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *point = strrchr(name, '.');
    uint32_t hash = 2166136261u;

    if (point == NULL || (slash != NULL && point < slash))
        point = "";
    for (; *point != '\0'; point++)
        hash = (hash ^ (unsigned char)(*point | 0x20)) * 16777619u;
    return (hash ^ hash >> 16) % PACE_KINDS;
}

/* Whether there is much in such a file beside its text: pictures, fonts. */
static int is_packed(const char *name)
{
    static const char *const ends[] = { ".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".odp", ".ods",
                                        ".epub", ".zip", ".7z" };
    const char *point = strrchr(name, '.');

    for (size_t i = 0; point != NULL && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(point, ends[i]) == 0)
            return 1;
    return 0;
}

/* ---- order ------------------------------------------------------------- */

static int by_turn(const void *a, const void *b)
{
    const struct pace_large *x = a, *y = b;

    if (x->turn != y->turn)
        return x->turn < y->turn ? -1 : 1;
    if (x->size_bytes != y->size_bytes)
        return (x->size_bytes < y->size_bytes) == (x->turn <= PACE_FIRST) ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

/* How far a size is from a typical one: a factor. */
static double oddness(uint64_t size_bytes)
{
    const double size = (double)size_bytes + 1;

    return size > TYPICAL_BYTES ? size / TYPICAL_BYTES : TYPICAL_BYTES / size;
}

/* Keeps the file when it is of a more typical size than one of those kept. */
static void keep_first(struct pace_kind *kind, double odd[PACE_FIRST], size_t i, double oddness)
{
    size_t at = kind->n_first < PACE_FIRST ? kind->n_first++ : PACE_FIRST;

    if (at == PACE_FIRST && odd[--at] <= oddness)
        return;
    for (; at > 0 && odd[at - 1] > oddness; at--) {
        kind->first[at] = kind->first[at - 1];
        odd[at] = odd[at - 1];
    }
    kind->first[at] = i;
    odd[at] = oddness;
}

/* Adds up the files, and finds some of each kind. */
static uint64_t add_up(struct pace *pace)
{
    double odd[PACE_KINDS][PACE_FIRST];
    uint64_t n_bytes = 0, size_bytes;
    const char *name;

    for (size_t i = 0; i < pace->n; i++) {
        size_t k;

        pace->file(pace->data, i, &name, &size_bytes);
        k = kind_of(name);
        pace->kinds[k].n_bytes_left += size_bytes;
        pace->kinds[k].is_packed = is_packed(name);
        n_bytes += size_bytes;
        keep_first(&pace->kinds[k], odd[k], i, oddness(size_bytes));
    }
    return n_bytes;
}

/* Its place among the first of its kind, from 1; PACE_FIRST + 1 when it is none of them. */
static size_t turn_of(const struct pace *pace, const char *name, size_t i)
{
    const struct pace_kind *kind = &pace->kinds[kind_of(name)];

    for (size_t j = 0; j < kind->n_first; j++)
        if (kind->first[j] == i)
            return j + 1;
    return PACE_FIRST + 1;
}

int pace_plan(struct pace *pace, size_t n,
              void (*file)(const void *data, size_t i, const char **name, uint64_t *size_bytes),
              const void *data, double now_s, ernie_error *err)
{
    uint64_t n_bytes, size_bytes;
    const char *name;

    pace->n = n;
    pace->stride = stride_of(n);
    pace->file = file;
    pace->data = data;
    pace->began_s = now_s;
    n_bytes = add_up(pace);
    pace->large_bytes = UINT64_MAX;
    if (n_bytes < FEW_BYTES)
        return ERNIE_OK;
    pace->large_bytes = n_bytes / LARGE_PARTS;
    pace->large = memory_new(LARGE_PARTS + 1, sizeof *pace->large);
    if (pace->large == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    for (size_t i = 0; i < n; i++) {
        file(data, i, &name, &size_bytes);
        if (size_bytes >= pace->large_bytes)
            pace->large[pace->n_large++] =
                (struct pace_large){ i, size_bytes, turn_of(pace, name, i) };
        else if (turn_of(pace, name, i) <= PACE_FIRST)
            pace->first[pace->n_first++] = i;
    }
    qsort(pace->large, pace->n_large, sizeof *pace->large, by_turn);
    pace->n_sample = (n - pace->n_large - pace->n_first) / SAMPLE_PART;
    return ERNIE_OK;
}

void pace_reset(struct pace *pace)
{
    memory_free(pace->large);
    memset(pace, 0, sizeof *pace);
}

/* The file that was taken last is done with. */
static void end_file(struct pace *pace, double now_s)
{
    if (pace->kind == NULL)
        return;
    pace_found(pace, 0);
    pace->kind->seconds += now_s - pace->taken_s - pace->waited_s;
    pace->kind = NULL;
}

/* Whether its turn does not come by the stride. */
static int is_apart(const struct pace *pace, size_t i)
{
    const char *name;
    uint64_t size_bytes;

    if (pace->large_bytes == UINT64_MAX)
        return 0;
    pace->file(pace->data, i, &name, &size_bytes);
    return size_bytes >= pace->large_bytes || turn_of(pace, name, i) <= PACE_FIRST;
}

static size_t next_small(struct pace *pace)
{
    size_t i;

    do {
        i = (size_t)((unsigned __int128)pace->n_strides++ * pace->stride % pace->n);
    } while (is_apart(pace, i));
    pace->n_small++;
    return i;
}

int pace_next(struct pace *pace, double now_s, size_t *i)
{
    const char *name;

    end_file(pace, now_s);
    if (pace->n_first_taken + pace->n_small + pace->n_large_taken == pace->n)
        return 0;
    if (pace->n_first_taken < pace->n_first)
        *i = pace->first[pace->n_first_taken++];
    else if (pace->n_large_taken < pace->n_large && pace->n_small >= pace->n_sample)
        *i = pace->large[pace->n_large_taken++].i;
    else
        *i = next_small(pace);
    pace->file(pace->data, *i, &name, &pace->size_bytes);
    pace->kind = &pace->kinds[kind_of(name)];
    pace->is_counted = 0;
    pace->taken_s = now_s;
    pace->waited_s = 0;
    return 1;
}

/* ---- what was learnt --------------------------------------------------- */

void pace_found(struct pace *pace, size_t n_tokens)
{
    if (pace->kind == NULL)
        return;
    if (!pace->is_counted) {
        pace->kind->n_bytes_left -= pace->size_bytes;
        pace->kind->n_bytes_read += pace->size_bytes;
        pace->is_counted = 1;
    }
    pace->kind->n_tokens += (double)n_tokens;
    pace->n_tokens_waiting += (double)n_tokens;
}

void pace_wait_begin(struct pace *pace, double now_s)
{
    pace->wait_began_s = now_s;
}

void pace_wait_end(struct pace *pace, double now_s)
{
    pace->waited_s += now_s - pace->wait_began_s;
}

void pace_embedded(struct pace *pace, double n_tokens)
{
    pace->n_tokens_waiting -= n_tokens;
    pace->n_tokens_embedded += n_tokens;
}

double pace_left(const struct pace *pace, double now_s)
{
    const double elapsed_s = now_s - pace->began_s;
    double n_tokens = pace->n_tokens_waiting, reading_s = 0;
    struct { double n_bytes, n_tokens, seconds; } all = { 0 };

    for (size_t k = 0; k < PACE_KINDS; k++) {
        all.n_bytes += (double)pace->kinds[k].n_bytes_read;
        all.n_tokens += pace->kinds[k].n_tokens;
        all.seconds += pace->kinds[k].seconds;
    }
    if (pace->began_s == 0 || elapsed_s < LEAST_S || all.n_bytes == 0)
        return (double)NAN;
    for (size_t k = 0; k < PACE_KINDS; k++) {
        const struct pace_kind *kind = &pace->kinds[k];
        const double part =
            (double)kind->n_bytes_left / ((double)kind->n_bytes_read + COMMON_BYTES);

        n_tokens += part * (kind->n_tokens + COMMON_BYTES * all.n_tokens / all.n_bytes /
                                                 (kind->is_packed ? PACKED : 1));
        reading_s += part * (kind->seconds + COMMON_BYTES * all.seconds / all.n_bytes);
    }
    if (n_tokens <= 0)
        return reading_s;
    if (pace->n_tokens_embedded == 0)
        return (double)NAN;
    return reading_s + n_tokens * (elapsed_s - all.seconds) / pace->n_tokens_embedded;
}

double pace_left_alike(double elapsed_s, uint64_t n_bytes_done, uint64_t n_bytes_total)
{
    if (n_bytes_done == 0 || elapsed_s < LEAST_S)
        return (double)NAN;
    if (n_bytes_done >= n_bytes_total)
        return 0;
    return elapsed_s * (double)(n_bytes_total - n_bytes_done) / (double)n_bytes_done;
}
