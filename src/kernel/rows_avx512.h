/* What AVX-512 does better by hand with single rows: sums in four registers, so that an
 * addition need not wait for the last one; bytes packed four registers at a time; the end of
 * a row under a mask. */
#include <immintrin.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define OWN_ROWS

/* The first n of 16 lanes, n of any size. */
static inline __mmask16 first_lanes(size_t n)
{
    return n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);
}

/* Numbers i..i+15 of a row of n, 0 past its end. */
static inline __m512 load_row(size_t n, const float *x, size_t i)
{
    return _mm512_maskz_loadu_ps(first_lanes(n - i), x + i);
}

static inline void store_row(size_t n, float *x, size_t i, __m512 v)
{
    if (n - i >= 16)
        _mm512_storeu_ps(x + i, v);
    else
        _mm512_mask_storeu_ps(x + i, first_lanes(n - i), v);
}

static inline float sum_of_four(const __m512 x[4])
{
    return _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(x[0], x[1]), _mm512_add_ps(x[2], x[3])));
}

/* x += residual, which may be NULL; its mean. */
static inline float add_residual(size_t n, float *x, const float *residual)
{
    __m512 sum[4] = { _mm512_setzero_ps() };

    for (size_t i = 0; i < n; i += 64) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            __m512 v;

            if (i + 16 * j >= n)
                break;
            v = load_row(n, x, i + 16 * j);

            if (residual != NULL) {
                v = _mm512_add_ps(v, load_row(n, residual, i + 16 * j));
                store_row(n, x, i + 16 * j, v);
            }
            sum[j] = _mm512_add_ps(sum[j], v);
        }
    }
    return sum_of_four(sum) / (float)n;
}

static inline float variance_of(size_t n, const float *x, float mean)
{
    __m512 sum[4] = { _mm512_setzero_ps() };

    for (size_t i = 0; i < n; i += 64) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            __m512 v;

            if (i + 16 * j >= n)
                break;
            v = _mm512_maskz_sub_ps(first_lanes(n - i - 16 * j),
                                                 load_row(n, x, i + 16 * j), _mm512_set1_ps(mean));

            sum[j] = _mm512_fmadd_ps(v, v, sum[j]);
        }
    }
    return sum_of_four(sum) / (float)n;
}

static void layer_norm(size_t n, float *x, const float *residual, const float *gamma,
                       const float *beta, float eps)
{
    const float mean = add_residual(n, x, residual);
    const float scale = 1.0f / sqrtf(variance_of(n, x, mean) + eps);

    for (size_t i = 0; i < n; i += 16) {
        const __m512 v = _mm512_sub_ps(load_row(n, x, i), _mm512_set1_ps(mean));

        store_row(n, x, i, _mm512_fmadd_ps(_mm512_mul_ps(v, _mm512_set1_ps(scale)),
                                           load_row(n, gamma, i), load_row(n, beta, i)));
    }
}

/* q = x * factor + shift, what is behind the point cut off, from 0 to 255. */
static inline void to_bytes(size_t n, const float *x, float factor, float shift, uint8_t *q)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);

    for (size_t i = 0; i < n; i += 64) {
        const size_t left = n - i;
        __m512i v[4], bytes;

#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++)
            v[j] = _mm512_cvttps_epi32(_mm512_fmadd_ps(
                left > 16 * j ? load_row(n, x, i + 16 * j) : _mm512_setzero_ps(),
                _mm512_set1_ps(factor), _mm512_set1_ps(shift)));
        bytes = _mm512_packus_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
        bytes = _mm512_permutexvar_epi32(order, bytes);
        if (left >= 64)
            _mm512_storeu_si512(q + i, bytes);
        else
            _mm512_mask_storeu_epi8(q + i, ((__mmask64)1 << left) - 1, bytes);
    }
}
