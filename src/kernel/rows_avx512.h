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

/* The exact GELU, v * (1 + erf(v / sqrt 2)) / 2, as max(v, 0) - |v| * tail(|v|), where tail(u)
 * is the part of the normal distribution past u: in each of 16 steps of 1/3 the polynomial of
 * degree 4 that meets it at the five Chebyshev nodes, within 1.2e-7. One instruction looks
 * up a term of each of sixteen numbers, where gelu has a division and an exponential. */
static inline __m512 gelu_16(__m512 v)
{
    static const float terms[5][16] = {
        { 0.499999911f, 0.369441301f, 0.252492547f, 0.158655301f, 0.0912112668f, 0.0477903821f,
          0.0227501411f, 0.0098153241f, 0.00383037142f, 0.00134989014f, 0.000429055421f,
          0.000122863974f, 3.16702462e-05f, 7.34307696e-06f, 1.53052247e-06f, 2.86624385e-07f },
        { -0.132976964f, -0.125792369f, -0.106483109f, -0.0806590542f, -0.0546724126f,
          -0.0331606008f, -0.0179974735f, -0.00874040462f, -0.00379820238f, -0.00147688622f,
          -0.000513847393f, -0.000159968855f, -4.45601945e-05f, -1.11061991e-05f,
          -2.47677826e-06f, -4.94207143e-07f },
        { -3.05006324e-05f, 0.00697188033f, 0.0118345954f, 0.0134598361f, 0.0121680573f,
          0.00922343321f, 0.00600301055f, 0.00339740096f, 0.0016846268f, 0.000735450361f,
          0.000283621339f, 9.68479653e-05f, 2.93338908e-05f, 7.89143451e-06f, 1.88756098e-06f,
          4.0175766e-07f },
        { 0.00254863361f, 0.00211945828f, 0.00108863227f, -4.66821839e-05f, -0.000841372414f,
          -0.00112782686f, -0.00101192191f, -0.000714973547f, -0.000419683056f,
          -0.000209810416f, -9.05693596e-05f, -3.40470688e-05f, -1.12095349e-05f,
          -3.24520511e-06f, -8.28552345e-07f, -1.86977815e-07f },
        { -9.96835442e-05f, -0.000247704942f, -0.000277428189f, -0.000198222537f,
          -7.52321721e-05f, 2.4715664e-05f, 7.15653878e-05f, 7.30395477e-05f, 5.27946177e-05f,
          3.04239657e-05f, 1.46107695e-05f, 5.97734561e-06f, 2.10985877e-06f, 6.47806928e-07f,
          1.73982954e-07f, 4.10373602e-08f },
    };
    const __m512 u = _mm512_abs_ps(v);
    const __m512 x = _mm512_min_ps(_mm512_set1_ps(15.999999f), _mm512_mul_ps(u, _mm512_set1_ps(3)));
    const __m512i step = _mm512_cvttps_epi32(x);
    const __m512 t = _mm512_sub_ps(x, _mm512_cvtepi32_ps(step));
    __m512 tail = _mm512_permutexvar_ps(step, _mm512_loadu_ps(terms[4]));


    tail = _mm512_fmadd_ps(tail, t, _mm512_permutexvar_ps(step, _mm512_loadu_ps(terms[3])));
    tail = _mm512_fmadd_ps(tail, t, _mm512_permutexvar_ps(step, _mm512_loadu_ps(terms[2])));
    tail = _mm512_fmadd_ps(tail, t, _mm512_permutexvar_ps(step, _mm512_loadu_ps(terms[1])));
    tail = _mm512_fmadd_ps(tail, t, _mm512_permutexvar_ps(step, _mm512_loadu_ps(terms[0])));
    return _mm512_fnmadd_ps(u, tail, _mm512_max_ps(_mm512_setzero_ps(), v));
}

static void add_gelu(size_t n, float *x, const float *bias)
{
    for (size_t i = 0; i < n; i += 16)
        store_row(n, x, i, gelu_16(_mm512_add_ps(load_row(n, x, i), load_row(n, bias, i))));
}
