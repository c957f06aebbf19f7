#include "index/codes.h"

/* The -O2 that builds are made with by default vectorises next to nothing. */
#pragma GCC optimize("O3")

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernel/pack.h"

/* Products computed at once, so that they stay in the cache. */
#define BLOCK 256

/* Rounding adds at most half to each of a query's numbers, and 128 to the length of the
 * longest query that there can be: it stays below SCAN_LENGTH. */
#define QUERY_LENGTH (SCAN_LENGTH - 128)

/* What computing a bound in float32 may lose: four operations on numbers below 2, and the
 * lengths of x and q, which are 1 only to the last bit of a float. */
#define SLACK 2e-6f

/* Standard deviations that a likely bound makes room for. */
#define LIKELY 3

static size_t row_bytes(size_t dim, unsigned bits)
{
    return bits == 8 ? pack_padded(dim, I8_INPUTS) : pack_padded(dim, U4_INPUTS) / 2;
}

int codes_init(struct codes *codes, size_t dim, unsigned bits, size_t capacity, ernie_error *err)
{
    memset(codes, 0, sizeof *codes);
    codes->dim = dim;
    codes->bits = bits;
    codes->width = row_bytes(dim, bits);
    codes->capacity = capacity;
    codes->ids = memory_new_aligned(capacity, sizeof *codes->ids);
    codes->scale = memory_new_aligned(capacity, sizeof *codes->scale);
    codes->error = memory_new_aligned(capacity, sizeof *codes->error);
    codes->rows = memory_new_aligned(capacity, codes->width);
    if (codes->ids != NULL && codes->scale != NULL && codes->error != NULL && codes->rows != NULL)
        return ERNIE_OK;
    codes_reset(codes);
    return error_set(err, ERNIE_ENOMEM, "index: out of memory");
}

void codes_reset(struct codes *codes)
{
    memory_free_aligned(codes->ids);
    memory_free_aligned(codes->scale);
    memory_free_aligned(codes->error);
    memory_free_aligned(codes->rows);
    memset(codes, 0, sizeof *codes);
}

size_t codes_slot_bytes(size_t dim, unsigned bits)
{
    return row_bytes(dim, bits) + sizeof(int64_t) + 2 * sizeof(float);
}

double vector_length(size_t n, const float *x)
{
    double square = 0;

    for (size_t i = 0; i < n; i++)
        square += (double)x[i] * x[i];
    return isfinite(square) ? sqrt(square) : 0;
}

static double greatest_of(size_t n, const float *x)
{
    double greatest = 0;

    for (size_t i = 0; i < n; i++)
        if (fabs((double)x[i]) > greatest)
            greatest = fabs((double)x[i]);
    return greatest;
}

/* The next float that is not below x. */
static float round_up(double x)
{
    float y = (float)x;

    return (double)y < x ? nextafterf(y, INFINITY) : y;
}

int codes_add(struct codes *codes, int64_t id, const float *vector)
{
    const size_t slot = codes->n;
    const double length = vector_length(codes->dim, vector);
    int8_t *row = codes->rows + slot * codes->width;
    float scale;
    double lost = 0;

    if (length == 0)
        return 0;
    scale = (float)(greatest_of(codes->dim, vector) / length / 127);
    for (size_t i = 0; i < codes->dim; i++) {
        const double x = vector[i] / length;
        const double rounded = nearbyint(x / scale);
        const double code = rounded > 127 ? 127 : rounded < -127 ? -127 : rounded;
        const double difference = x - scale * code;

        row[i] = (int8_t)code;
        lost += difference * difference;
    }
    memset(row + codes->dim, 0, codes->width - codes->dim);
    codes->ids[slot] = id;
    codes->scale[slot] = scale;
    codes->error[slot] = round_up(sqrt(lost));
    codes->n++;
    return 1;
}

void codes_vector(const struct codes *codes, size_t slot, float *out)
{
    for (size_t i = 0; i < codes->dim; i++)
        out[i] = codes->scale[slot] * codes->rows[slot * codes->width + i];
}

/* ---- 4 bits ------------------------------------------------------------ */

/* A number of 8 bits in steps of `step` of them, -8..7. */
static int in_steps(int8_t code, float step)
{
    const float rounded = rintf((float)code / step);

    return rounded > 7 ? 7 : rounded < -8 ? -8 : (int)rounded;
}

/* What a row [dim] loses, squared, in steps of so many 8-bit numbers. */
static double lost_in_steps(size_t dim, const int8_t *row, float step)
{
    double lost = 0;

    for (size_t i = 0; i < dim; i++) {
        const float difference = (float)row[i] - step * (float)in_steps(row[i], step);

        lost += (double)difference * difference;
    }
    return lost;
}

/* The greatest number is 127. Where few are near it, smaller steps lose less, though they do
 * not reach it: of numbers spread as those of a normal distribution about a fifth. */
static float best_step(size_t dim, const int8_t *row)
{
    float best = 127.0f / 7;
    double least = INFINITY;

    for (float step = best; step > 127.0f / 20; step *= 0.85f) {
        const double lost = lost_in_steps(dim, row, step);

        if (lost < least) {
            least = lost;
            best = step;
        }
    }
    return best;
}

/* Numbers of one block of a row follow each other in the low halves of its bytes, then in
 * the high ones. */
static void pack_steps(size_t dim, const int8_t *row, float step, uint8_t *out)
{
    for (size_t i = 0; i < pack_padded(dim, U4_INPUTS); i++) {
        const unsigned code = i < dim ? (unsigned)(in_steps(row[i], step) + 8) : 8;
        uint8_t *byte = out + i / U4_INPUTS * (U4_INPUTS / 2) + i % (U4_INPUTS / 2);

        if (i % U4_INPUTS < U4_INPUTS / 2)
            *byte = (uint8_t)code;
        else
            *byte |= (uint8_t)(code << 4);
    }
}

int codes_narrow(struct codes *codes, ernie_error *err)
{
    const size_t width = row_bytes(codes->dim, 4);
    int8_t *rows = memory_new_aligned(codes->n, width);

    if (rows == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    for (size_t i = 0; i < codes->n; i++) {
        const int8_t *row = codes->rows + i * codes->width;
        const float step = best_step(codes->dim, row);
        const double lost = sqrt(lost_in_steps(codes->dim, row, step));

        pack_steps(codes->dim, row, step, (uint8_t *)rows + i * width);
        /* Both losses, one after the other; the second was computed of float32. */
        codes->error[i] = round_up(codes->error[i] + codes->scale[i] * lost * (1 + 1e-6));
        codes->scale[i] *= step;
    }
    memory_free_aligned(codes->rows);
    codes->rows = rows;
    codes->width = width;
    codes->bits = 4;
    codes->capacity = codes->n;
    return ERNIE_OK;
}

/* ---- a query ----------------------------------------------------------- */

/* vector [dim] of length as 8-bit numbers, for rows of 4 bits. */
static void round_query(struct codes_query *query, size_t dim, const float *vector, double length,
                        int8_t *out)
{
    double lost = 0;

    query->rounded = out;
    query->rounded_scale = (float)(greatest_of(dim, vector) / length / 127);
    query->rounded_sum = 0;
    for (size_t i = 0; i < dim; i++) {
        const double x = vector[i] / length;
        const double rounded = nearbyint(x / query->rounded_scale);
        const double code = rounded > 127 ? 127 : rounded < -127 ? -127 : rounded;
        const double difference = x - query->rounded_scale * code;

        out[i] = (int8_t)code;
        query->rounded_sum += (int32_t)code;
        lost += difference * difference;
    }
    query->rounded_error = round_up(sqrt(lost));
}

int codes_query_init(struct codes_query *query, size_t dim, const float *vector, ernie_error *err)
{
    const size_t width = pack_padded(dim, U4_INPUTS);
    const double length = vector_length(dim, vector);
    int16_t *value = memory_new(width, sizeof *value);
    int8_t *high = memory_new(width, sizeof *high);
    uint8_t *low = memory_new(width, sizeof *low);
    int8_t *rounded = memory_new(width, sizeof *rounded);
    double lost = 0;

    memset(query, 0, sizeof *query);
    query->scan = (struct scan_query){ value, high, low, 0 };
    query->rounded = rounded;
    query->share = 1;
    if (value == NULL || high == NULL || low == NULL || rounded == NULL) {
        codes_query_reset(query);
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    }
    if (length == 0) {
        codes_query_reset(query);
        return error_set(err, ERNIE_EINVAL,
                         "search: the query's vector is all zero or not finite");
    }
    for (size_t i = 0; i < dim; i++) {
        const double x = vector[i] / length;
        const double rounded_x = nearbyint(x * QUERY_LENGTH);
        const double difference = x - rounded_x / QUERY_LENGTH;

        value[i] = (int16_t)rounded_x;
        high[i] = (int8_t)floor(rounded_x / 128);
        low[i] = (uint8_t)(value[i] - 128 * high[i]);
        query->scan.high_sum += high[i];
        lost += difference * difference;
    }
    query->error = round_up(sqrt(lost));
    round_query(query, dim, vector, length, rounded);
    return ERNIE_OK;
}

void codes_query_trust(struct codes_query *query, size_t dim)
{
    query->share = fminf(1, LIKELY / sqrtf((float)dim));
}

void codes_query_reset(struct codes_query *query)
{
    memory_free((void *)(uintptr_t)query->scan.value);
    memory_free((void *)(uintptr_t)query->scan.high);
    memory_free((void *)(uintptr_t)query->scan.low);
    memory_free((void *)(uintptr_t)query->rounded);
    memset(query, 0, sizeof *query);
}

/* ---- scanning ---------------------------------------------------------- */

static void prefetch(const void *first, size_t size_bytes)
{
    const char *at = first;

    for (size_t i = 0; i < size_bytes; i += 64)
        __builtin_prefetch(at + i);
}

void codes_prefetch(const struct codes *codes, size_t first, size_t n)
{
    prefetch(codes->rows + first * codes->width, n * codes->width);
    prefetch(codes->scale + first, n * sizeof *codes->scale);
    prefetch(codes->error + first, n * sizeof *codes->error);
}

void codes_bounds(const struct codes *codes, size_t first, size_t n,
                  const struct codes_query *query, const struct kernel *kernel, float *upper)
{
    const int is_narrow = codes->bits == 4;
    const int32_t zero = is_narrow ? 8 * query->rounded_sum : 0;
    const float unit = is_narrow ? query->rounded_scale : 1.0f / QUERY_LENGTH;
    const float query_error = is_narrow ? query->rounded_error : query->error;
    int32_t product[BLOCK];

    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t rows = n - i < BLOCK ? n - i : BLOCK;
        const float *scale = codes->scale + first + i, *error = codes->error + first + i;
        const int8_t *row = codes->rows + (first + i) * codes->width;

        if (is_narrow)
            kernel->scan_u4(rows, 2 * codes->width, (const uint8_t *)row, query->rounded, product);
        else
            kernel->scan_i8(rows, codes->width, row, &query->scan, product);
        for (size_t j = 0; j < rows; j++)
            upper[i + j] = (float)(product[j] - zero) * (scale[j] * unit) +
                           (error[j] + (1 + error[j]) * query_error) * query->share + SLACK;
    }
}
