/* The loops of kernel.h, written so that a compiler makes vector code of them, and
 * compiled once for each instruction set: the file that includes this names its
 * table with KERNEL_TABLE and KERNEL_NAME. Sums run in LANES parts side by side,
 * because a compiler must not reorder floating-point additions by itself. */
/* The -O2 that builds are made with by default vectorises next to nothing. */
#pragma GCC optimize("O3")

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

#define LANES 16

static inline float sum_lanes(const float *lane)
{
    float sum = 0;

    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

static float dot(size_t n, const float *a, const float *b)
{
    float lane[LANES] = { 0 }, sum;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += a[i + j] * b[i + j];
    sum = sum_lanes(lane);
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add(size_t n, float *restrict x, const float *restrict bias)
{
    for (size_t i = 0; i < n; i++)
        x[i] += bias[i];
}

/* e^x for x <= 0, within two units in the last place; e^-87, 1.6e-38, for all x below
 * -87, where e^x leaves the normal floats. Cody & Waite's reduction: x = k ln 2 + r, |r| <= ln 2 / 2, then
 * e^r by its Taylor series, whose seventh term is below 2^-24. */
static inline float exp_negative(float x)
{
    const float k_max = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float clamped = x < -87.0f ? -87.0f : x, shifted, k, r, p;
    int32_t exponent;
    float power;

    shifted = clamped * 1.44269504f + k_max;
    k = shifted - k_max;
    r = clamped - k * 0.693359375f; /* ln 2 in two parts, the first with few bits */
    r = r - k * -2.12194440e-4f;
    p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    exponent = ((int32_t)k + 127) << 23;
    memcpy(&power, &exponent, sizeof power);
    return p * power;
}

/* erf by formula 7.1.26 of Abramowitz & Stegun, error below 1.5e-7. */
static inline float gelu(float v)
{
    float z = fabsf(v) * 0.707106781f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float p = t * (0.254829592f +
                   t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    float tail = p * exp_negative(-z * z); /* 1 - erf(|v| / sqrt 2) */

    /* v * (1 + erf) / 2, without taking 1 - 1 where v is negative. */
    return (v > 0 ? v : 0.0f) - 0.5f * fabsf(v) * tail;
}

static void add_gelu(size_t n, float *restrict x, const float *restrict bias)
{
    for (size_t i = 0; i < n; i++)
        x[i] = gelu(x[i] + bias[i]);
}

static void softmax(size_t n, float *x)
{
    float lane[LANES], max = x[0], sum;
    size_t i = 0;

    for (size_t j = 0; j < LANES; j++)
        lane[j] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (size_t j = 0; j < LANES; j++)
        max = lane[j] > max ? lane[j] : max;
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;

    memset(lane, 0, sizeof lane);
    for (i = 0; i + LANES <= n; i += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            x[i + j] = exp_negative(x[i + j] - max);
            lane[j] += x[i + j];
        }
    }
    sum = sum_lanes(lane);
    for (; i < n; i++) {
        x[i] = exp_negative(x[i] - max);
        sum += x[i];
    }
    sum = 1.0f / sum;
    for (i = 0; i < n; i++)
        x[i] *= sum;
}

static void layer_norm(size_t n, float *x, const float *bias, const float *residual,
                       const float *gamma, const float *beta, float eps)
{
    float lane[LANES] = { 0 }, sum, mean, scale;
    size_t i;

    if (bias != NULL)
        add(n, x, bias);
    if (residual != NULL)
        add(n, x, residual);
    for (i = 0; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += x[i + j];
    sum = sum_lanes(lane);
    for (; i < n; i++)
        sum += x[i];
    mean = sum / (float)n;

    memset(lane, 0, sizeof lane);
    for (i = 0; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += (x[i + j] - mean) * (x[i + j] - mean);
    sum = sum_lanes(lane);
    for (; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    scale = 1.0f / sqrtf(sum / (float)n + eps);
    for (i = 0; i < n; i++)
        x[i] = (x[i] - mean) * scale * gamma[i] + beta[i];
}

const struct kernel KERNEL_TABLE = { KERNEL_NAME, dot, add, add_gelu, softmax, layer_norm };
