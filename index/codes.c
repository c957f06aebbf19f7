#include "index/codes.h"

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

int codes_init(struct codes *codes, size_t dim, size_t capacity, ernie_error *err)
{
    memset(codes, 0, sizeof *codes);
    codes->dim = dim;
    codes->width = pack_padded(dim, I8_INPUTS);
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

size_t codes_slot_bytes(size_t dim)
{
    return pack_padded(dim, I8_INPUTS) + sizeof(int64_t) + 2 * sizeof(float);
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

int codes_query_init(struct codes_query *query, size_t dim, const float *vector, ernie_error *err)
{
    const size_t width = pack_padded(dim, I8_INPUTS);
    const double length = vector_length(dim, vector);
    int16_t *value = memory_new(width, sizeof *value);
    int8_t *high = memory_new(width, sizeof *high);
    uint8_t *low = memory_new(width, sizeof *low);
    double lost = 0;

    memset(query, 0, sizeof *query);
    query->scan = (struct scan_query){ value, high, low, 0 };
    if (value == NULL || high == NULL || low == NULL) {
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
        const double rounded = nearbyint(x * QUERY_LENGTH);
        const double difference = x - rounded / QUERY_LENGTH;

        value[i] = (int16_t)rounded;
        high[i] = (int8_t)floor(rounded / 128);
        low[i] = (uint8_t)(value[i] - 128 * high[i]);
        query->scan.high_sum += high[i];
        lost += difference * difference;
    }
    query->error = round_up(sqrt(lost));
    return ERNIE_OK;
}

void codes_query_reset(struct codes_query *query)
{
    memory_free((void *)(uintptr_t)query->scan.value);
    memory_free((void *)(uintptr_t)query->scan.high);
    memory_free((void *)(uintptr_t)query->scan.low);
    memset(query, 0, sizeof *query);
}

void codes_bounds(const struct codes *codes, size_t first, size_t n, const struct codes_query *query,
                  const struct kernel *kernel, float *upper)
{
    int32_t product[BLOCK];

    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t rows = n - i < BLOCK ? n - i : BLOCK;
        const float *scale = codes->scale + first + i, *error = codes->error + first + i;

        kernel->scan_i8(rows, codes->width, codes->rows + (first + i) * codes->width, &query->scan,
                        product);
        for (size_t j = 0; j < rows; j++)
            upper[i + j] = (float)product[j] * (scale[j] * (1.0f / QUERY_LENGTH)) + error[j] +
                           (1 + error[j]) * query->error + SLACK;
    }
}
