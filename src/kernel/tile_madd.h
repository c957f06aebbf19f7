/* Int8 products where the CPU has no instruction for them: bytes widened to
 * 16 bits, multiplied and added in pairs by VPMADDWD, which unlike VPMADDUBSW cannot
 * overflow. For AVX2 and for AVX-512 without VNNI. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

#define TILE_ROWS 2

/* Four inputs of a row, as 16-bit numbers, four times over. */
static inline __m256i spread(const uint8_t *x)
{
    int32_t four;

    memcpy(&four, x, sizeof four);
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
}

/* 16 outputs of two rows. Each register of sums holds four outputs, in two parts. */
static inline void multiply_panel(size_t n_in, const uint8_t *x0, const uint8_t *x1,
                                  const int8_t *w, int32_t *out0, int32_t *out1)
{
    __m256i sum[2][4];

    for (int i = 0; i < 4; i++)
        sum[0][i] = sum[1][i] = _mm256_setzero_si256();
    for (size_t k = 0; k < n_in; k += 4, w += 64) {
        const __m256i a0 = spread(x0 + k), a1 = spread(x1 + k);

        for (int i = 0; i < 4; i++) {
            __m256i b = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(w + 16 * i)));

            sum[0][i] = _mm256_add_epi32(sum[0][i], _mm256_madd_epi16(a0, b));
            sum[1][i] = _mm256_add_epi32(sum[1][i], _mm256_madd_epi16(a1, b));
        }
    }
    for (int row = 0; row < 2; row++) {
        for (int half = 0; half < 2; half++) {
            /* hadd works within 128 bits: outputs 0 1 4 5 2 3 6 7 come out. */
            __m256i eight = _mm256_hadd_epi32(sum[row][2 * half], sum[row][2 * half + 1]);

            _mm256_storeu_si256((__m256i *)((row ? out1 : out0) + 8 * half),
                                _mm256_permute4x64_epi64(eight, 0xd8));
        }
    }
}

static void multiply_tile(size_t n_in, size_t rows, const uint8_t *x, const int8_t *w,
                          int32_t (*product)[I8_OUTPUTS])
{
    const uint8_t *second = rows > 1 ? x + n_in : x;

    for (size_t panel = 0; panel < 2; panel++)
        multiply_panel(n_in, x, second, w + panel * 16 * n_in, product[0] + 16 * panel,
                       product[1] + 16 * panel);
}

/* 16 numbers of the row at a time, in two sums so that one need not wait for the other. */
static inline int32_t scan_row(size_t n, const int8_t *row, const struct scan_query *query)
{
    __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
    __m128i four;

    for (size_t j = 0; j < n; j += 32) {
        const __m128i *bytes = (const __m128i *)(row + j);
        const __m256i *value = (const __m256i *)(query->value + j);

        even = _mm256_add_epi32(even, _mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes[0]),
                                                        _mm256_loadu_si256(value)));
        odd = _mm256_add_epi32(odd, _mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes[1]),
                                                      _mm256_loadu_si256(value + 1)));
    }
    even = _mm256_add_epi32(even, odd);
    four = _mm_add_epi32(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
    four = _mm_hadd_epi32(four, four);
    return _mm_cvtsi128_si32(_mm_hadd_epi32(four, four));
}

/* VPMADDUBSW adds two products of a number 0..15 with a signed byte; six times that fits
 * 16 bits, so the low and the high halves of a byte are added before they are widened. */
static inline int32_t scan_row_u4(size_t n, const uint8_t *row, const int8_t *query)
{
    const __m256i low_half = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i sum = _mm256_setzero_si256();
    __m128i four;

    for (size_t j = 0; j < n; j += U4_INPUTS, row += U4_INPUTS / 2) {
        for (size_t k = 0; k < U4_INPUTS / 2; k += 32) {
            const __m256i both = _mm256_load_si256((const __m256i *)(row + k));
            const __m256i low = _mm256_and_si256(both, low_half);
            const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_half);
            const __m256i *q = (const __m256i *)(query + j + k);
            const __m256i pairs =
                _mm256_add_epi16(_mm256_maddubs_epi16(low, _mm256_loadu_si256(q)),
                                 _mm256_maddubs_epi16(high, _mm256_loadu_si256(q + 2)));

            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
        }
    }
    four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    four = _mm_hadd_epi32(four, four);
    return _mm_cvtsi128_si32(_mm_hadd_epi32(four, four));
}
