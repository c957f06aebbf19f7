/* Attention in int8 by VPDPBUSD, for the tables that tile_vnni.h makes; this comes after
 * kernel_loops.h. Products are of whole numbers of 8 bits, and what these stand for is
 * chosen so that nothing has to be made up for afterwards:
 *
 * - Keys are 0..255, each of the D channels from its least to its greatest number among the
 *   tokens. A channel's scale goes over to the queries, and its least number is left out: it
 *   adds the same to all scores of a query, which softmax does not see.
 * - Queries are -127..127, each row with a scale of its own.
 * - Weights are 0..255 and divided by their own sum, so a channel's middle, which the values
 *   are told from, is added once.
 *
 * Keys by channel: Liu et al. 2024 (KIVI), section 3. */
#define LOG2_E 1.44269504f

/* What a head has at most; a larger one is taken in float32. */
#define MAX_CHANNELS 64
#define MAX_VECTORS  (MAX_CHANNELS / 16)

/* Rows of scores that are there at a time: whole tiles, and whole groups of four. */
#define SCORE_ROWS (2 * TILE_ROWS)

/* One head's queries, keys and values. Queries are rows of d_padded. Keys are panels of 16
 * tokens, each [d_padded / 4][16][4]; values panels of 16 channels, each [n_padded / 4][16][4]:
 * both as tile_vnni.h multiplies by them. */
struct head {
    size_t n_queries, n, n_padded, d, d_padded; /* n_padded: a multiple of 64; d_padded: 32, 64 */
    __mmask16 lanes[MAX_VECTORS];    /* which of d_padded there are */
    size_t ld;                       /* of the three below */
    const float *query, *key, *value;
    float score_scale; /* in powers of 2, besides a query's */
    /* A number of a channel is kept as x * factor + shift. */
    float key_scale[MAX_CHANNELS], key_factor[MAX_CHANNELS], key_shift[MAX_CHANNELS];
    float value_scale[MAX_CHANNELS], value_factor[MAX_CHANNELS], value_shift[MAX_CHANNELS];
    float value_middle[MAX_CHANNELS];
    int32_t *scores;  /* [SCORE_ROWS][n_padded] */
    uint8_t *weights; /* [SCORE_ROWS][n_padded] */
    int8_t *queries;  /* [SCORE_ROWS][d_padded] */
    uint8_t *keys;
    int8_t *values;
};

static void head_init(struct head *head, void *scratch)
{
    head->n_padded = (head->n + 63) / 64 * 64;
    head->d_padded = head->d <= MAX_CHANNELS / 2 ? MAX_CHANNELS / 2 : MAX_CHANNELS;
    head->score_scale = LOG2_E / sqrtf((float)head->d);
    for (size_t i = 0; i < MAX_VECTORS; i++)
        head->lanes[i] = first_lanes(head->d < 16 * i ? 0 : head->d - 16 * i);
    /* The room of attention_scratch is for float32: all this fits in it. */
    head->scores = scratch;
    head->weights = (uint8_t *)(head->scores + SCORE_ROWS * head->n_padded);
    head->queries = (int8_t *)(head->weights + SCORE_ROWS * head->n_padded);
    head->keys = (uint8_t *)(head->queries + SCORE_ROWS * head->d_padded);
    head->values = (int8_t *)(head->keys + head->n_padded * head->d_padded);
}

/* Past the last of n rows it is repeated, where only padding comes of it. */
static inline size_t row_at(size_t n, size_t t)
{
    return t < n ? t : n - 1;
}

/* 1 / x, and 0 for 0. */
static inline __m512 inverse(__m512 x)
{
    return _mm512_maskz_div_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ),
                               _mm512_set1_ps(1), x);
}

/* What becomes of 16 channels that lie between least and greatest. */
static inline void set_keys(struct head *head, size_t d, __m512 least, __m512 greatest)
{
    const __m512 scale = _mm512_mul_ps(_mm512_sub_ps(greatest, least), _mm512_set1_ps(1.0f / 255));
    const __m512 factor = inverse(scale);

    _mm512_storeu_ps(head->key_scale + d, scale);
    _mm512_storeu_ps(head->key_factor + d, factor);
    _mm512_storeu_ps(head->key_shift + d, _mm512_fnmadd_ps(least, factor, _mm512_setzero_ps()));
}

static inline void set_values(struct head *head, size_t d, __m512 least, __m512 greatest)
{
    const __m512 scale = _mm512_mul_ps(_mm512_sub_ps(greatest, least), _mm512_set1_ps(1.0f / 254));
    const __m512 middle = _mm512_mul_ps(_mm512_add_ps(greatest, least), _mm512_set1_ps(0.5f));
    const __m512 factor = inverse(scale);

    _mm512_storeu_ps(head->value_scale + d, scale);
    _mm512_storeu_ps(head->value_middle + d, middle);
    _mm512_storeu_ps(head->value_factor + d, factor);
    _mm512_storeu_ps(head->value_shift + d, _mm512_fnmadd_ps(middle, factor, _mm512_setzero_ps()));
}

/* vectors, here and below, is d_padded / 16: a constant, so that what is in registers
 * stays there. */
static inline __attribute__((always_inline)) void find_ranges(struct head *head, size_t vectors)
{
    __m512 least[2][MAX_VECTORS], greatest[2][MAX_VECTORS];
    const float *key = head->key, *value = head->value;

#pragma GCC unroll 4
    for (size_t i = 0; i < vectors; i++) {
        least[0][i] = least[1][i] = _mm512_set1_ps(INFINITY);
        greatest[0][i] = greatest[1][i] = _mm512_set1_ps(-INFINITY);
    }
    for (size_t t = 0; t < head->n; t++, key += head->ld, value += head->ld) {
#pragma GCC unroll 4
        for (size_t i = 0; i < vectors; i++) {
            const __m512 k = _mm512_maskz_loadu_ps(head->lanes[i], key + 16 * i);
            const __m512 v = _mm512_maskz_loadu_ps(head->lanes[i], value + 16 * i);

            least[0][i] = _mm512_min_ps(least[0][i], k);
            greatest[0][i] = _mm512_max_ps(greatest[0][i], k);
            least[1][i] = _mm512_min_ps(least[1][i], v);
            greatest[1][i] = _mm512_max_ps(greatest[1][i], v);
        }
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < vectors; i++) {
        set_keys(head, 16 * i, least[0][i], greatest[0][i]);
        set_values(head, 16 * i, least[1][i], greatest[1][i]);
    }
}

static inline __m512i pack_four(const __m512i x[4], enum signs signs)
{
    const __m512i low = _mm512_packs_epi32(x[0], x[1]), high = _mm512_packs_epi32(x[2], x[3]);

    return signs == SIGNED_ROWS ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high);
}

/* 16 channels of four tokens as bytes, each 128 bits holding four channels of each token. */
static inline __m512i load_four(const float *const row[4], size_t d, __mmask16 lanes,
                                const float *factor, const float *shift, enum signs signs)
{
    const __m512 a = _mm512_loadu_ps(factor + d), b = _mm512_loadu_ps(shift + d);
    __m512i x[4];

#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        x[i] = _mm512_cvtps_epi32(
            _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, row[i] + d), a, b));
    return pack_four(x, signs);
}

/* Keys t..t+15. */
static inline __attribute__((always_inline)) void fill_keys(struct head *head, size_t t,
                                                            size_t vectors)
{
    const float *row[16];

    for (size_t i = 0; i < 16; i++)
        row[i] = head->key + row_at(head->n, t + i) * head->ld;
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++) {
        __m512i *panel = (__m512i *)(head->keys + t * head->d_padded + 256 * j);
        __m512i four[4], even[2], odd[2];

#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++)
            four[i] = load_four(row + 4 * i, 16 * j, head->lanes[j], head->key_factor,
                                head->key_shift, UNSIGNED_ROWS);
        /* The 128 bits of four channels come to lie side by side. */
#pragma GCC unroll 2
        for (size_t i = 0; i < 2; i++) {
            even[i] = _mm512_shuffle_i32x4(four[2 * i], four[2 * i + 1], 0x88);
            odd[i] = _mm512_shuffle_i32x4(four[2 * i], four[2 * i + 1], 0xdd);
        }
        _mm512_storeu_si512(panel, _mm512_shuffle_i32x4(even[0], even[1], 0x88));
        _mm512_storeu_si512(panel + 1, _mm512_shuffle_i32x4(odd[0], odd[1], 0x88));
        _mm512_storeu_si512(panel + 2, _mm512_shuffle_i32x4(even[0], even[1], 0xdd));
        _mm512_storeu_si512(panel + 3, _mm512_shuffle_i32x4(odd[0], odd[1], 0xdd));
    }
}

/* Values t..t+3. */
static inline __attribute__((always_inline)) void fill_values(struct head *head, size_t t,
                                                              size_t vectors)
{
    /* Four channels of each of four tokens to four tokens of each channel. */
    const __m512i turn = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    const float *row[4];

    for (size_t i = 0; i < 4; i++)
        row[i] = head->value + row_at(head->n, t + i) * head->ld;
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        _mm512_storeu_si512(
            head->values + 16 * j * head->n_padded + 16 * t,
            _mm512_shuffle_epi8(load_four(row, 16 * j, head->lanes[j], head->value_factor,
                                          head->value_shift, SIGNED_ROWS),
                                turn));
}

/* Four rows' sums over their 16 lanes. */
static inline __m128i sum_four(const __m512i row[4])
{
    const __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(row[0], row[1]),
                                       _mm512_unpackhi_epi32(row[0], row[1]));
    const __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(row[2], row[3]),
                                       _mm512_unpackhi_epi32(row[2], row[3]));
    const __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    const __m256i d = _mm256_add_epi32(_mm512_castsi512_si256(c), _mm512_extracti64x4_epi64(c, 1));

    return _mm_add_epi32(_mm256_castsi256_si128(d), _mm256_extracti128_si256(d, 1));
}

/* The greatest of their 16 lanes. */
static inline __m128i greatest_of_four(const __m512i row[4])
{
    const __m512i a = _mm512_max_epi32(_mm512_unpacklo_epi32(row[0], row[1]),
                                       _mm512_unpackhi_epi32(row[0], row[1]));
    const __m512i b = _mm512_max_epi32(_mm512_unpacklo_epi32(row[2], row[3]),
                                       _mm512_unpackhi_epi32(row[2], row[3]));
    const __m512i c = _mm512_max_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    const __m256i d = _mm256_max_epi32(_mm512_castsi512_si256(c), _mm512_extracti64x4_epi64(c, 1));

    return _mm_max_epi32(_mm256_castsi256_si128(d), _mm256_extracti128_si256(d, 1));
}

/* The 32-bit parts of four rows that pack_four made, row by row. */
static inline __m512i in_order(__m512i bytes)
{
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), bytes);
}

/* Queries t..t+3, with the keys' scales in them, as rows r..r+3; what their scores are to
 * be multiplied with. */
static inline __attribute__((always_inline)) void fill_queries(struct head *head, size_t t,
                                                               size_t r, size_t vectors,
                                                               float *scale)
{
    __m512 x[4][MAX_VECTORS];
    __m512i greatest[4];
    __m128 of_row, factors;
    float factor[4];

#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        const float *row = head->query + row_at(head->n_queries, t + i) * head->ld;

        greatest[i] = _mm512_setzero_si512();
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            x[i][j] = _mm512_mul_ps(_mm512_maskz_loadu_ps(head->lanes[j], row + 16 * j),
                                    _mm512_loadu_ps(head->key_scale + 16 * j));
            /* Floats without their signs are ordered as integers are. */
            greatest[i] =
                _mm512_max_epi32(greatest[i], _mm512_castps_si512(_mm512_abs_ps(x[i][j])));
        }
    }
    of_row = _mm_castsi128_ps(greatest_of_four(greatest));
    factors = _mm_maskz_div_ps(_mm_cmp_ps_mask(of_row, _mm_setzero_ps(), _CMP_NEQ_UQ),
                               _mm_set1_ps(127), of_row);
    _mm_storeu_ps(scale + r, _mm_mul_ps(of_row, _mm_set1_ps(head->score_scale / 127)));
    _mm_storeu_ps(factor, factors);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        int8_t *out = head->queries + (r + i) * head->d_padded;
        __m512i q[4], bytes;

        q[2] = q[3] = _mm512_setzero_si512();
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            q[j] = _mm512_cvtps_epi32(_mm512_mul_ps(x[i][j], _mm512_set1_ps(factor[i])));
        bytes = in_order(pack_four(q, SIGNED_ROWS));
        if (vectors == MAX_VECTORS)
            _mm512_storeu_si512(out, bytes);
        else
            _mm256_storeu_si256((__m256i *)out, _mm512_castsi512_si256(bytes));
    }
}

/* 255 * 2^(score * scale), rounded, of 16 scores from floor to 0. 2^x = 2^k 2^r with k whole
 * and |r| <= 1/2, where a cubic, fitted to the least greatest error, misses 2^r by one part
 * in 10^4. What rounding takes is carried over to the lane's next weight, or the many small
 * weights of a long text, together not small, would be 0. Floyd & Steinberg 1976. */
static inline __m512i weigh(__m512i score, __m512 scale, __m512 *carry)
{
    const __m512 magic = _mm512_set1_ps(12582912.0f); /* 1.5 * 2^23: adding it rounds */
    const __m512 x = _mm512_cvtepi32_ps(score);
    const __m512 k = _mm512_fmadd_ps(x, scale, magic);
    const __m512 r = _mm512_fmsub_ps(x, scale, _mm512_sub_ps(k, magic));
    __m512 p = _mm512_set1_ps(255 * 0.055171666f);
    __m512i weight;

    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(255 * 0.242611136f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(255 * 0.693260987f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(255 * 0.999928073f));
    /* k is in the last bits of what it was added to: on to the exponent. */
    p = _mm512_castsi512_ps(_mm512_add_epi32(
        _mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(k), 23)));
    p = _mm512_add_ps(p, *carry);
    weight = _mm512_cvtps_epi32(p);
    *carry = _mm512_sub_ps(p, _mm512_cvtepi32_ps(weight));
    return weight;
}

#define NO_SCORE (-(1 << 30))

/* Softmax of rows r..r+3 of the scores, without the division: the sums to divide by are
 * left in sum. */
static inline void weigh_rows(struct head *head, size_t r, const float *scale, float *sum)
{
    int32_t *scores = head->scores + r * head->n_padded;
    uint8_t *weights = head->weights + r * head->n_padded;
    __m512i of_row[4];
    int32_t greatest[4];

    for (size_t i = head->n / 16 * 16; i < head->n_padded; i += 16) {
        const __mmask16 padding = (__mmask16)~first_lanes(i < head->n ? head->n - i : 0);

        for (size_t row = 0; row < 4; row++)
            _mm512_mask_storeu_epi32(scores + row * head->n_padded + i, padding,
                                     _mm512_set1_epi32(NO_SCORE));
    }
    for (size_t row = 0; row < 4; row++)
        of_row[row] = _mm512_set1_epi32(NO_SCORE);
    for (size_t i = 0; i < head->n; i += 16)
#pragma GCC unroll 4
        for (size_t row = 0; row < 4; row++)
            of_row[row] = _mm512_max_epi32(of_row[row],
                                           _mm512_loadu_si512(scores + row * head->n_padded + i));
    _mm_storeu_si128((__m128i *)greatest, greatest_of_four(of_row));

    for (size_t row = 0; row < 4; row++) {
        /* 20 powers of 2 below the greatest nothing is left. */
        const float lowest = -20 / scale[r + row];
        const __m512i floor = _mm512_set1_epi32(lowest > NO_SCORE ? (int32_t)lowest : NO_SCORE);
        const __m512i top = _mm512_set1_epi32(greatest[row]);
        const __m512 factor = _mm512_set1_ps(scale[r + row]);

        /* Two, so that one need not wait for the other. */
        __m512 carry[2] = { _mm512_setzero_ps(), _mm512_setzero_ps() };

        of_row[row] = _mm512_setzero_si512();
        for (size_t i = 0; i < head->n; i += 64) {
            __m512i four[4], bytes;

#pragma GCC unroll 4
            for (size_t j = 0; j < 4; j++) {
                const __m512i score =
                    _mm512_loadu_si512(scores + row * head->n_padded + i + 16 * j);

                four[j] = weigh(_mm512_max_epi32(_mm512_sub_epi32(score, top), floor), factor,
                                &carry[j % 2]);
            }
            bytes = in_order(pack_four(four, UNSIGNED_ROWS));
            of_row[row] = _mm512_dpbusd_epi32(of_row[row], bytes, _mm512_set1_epi8(1));
            _mm512_storeu_si512(weights + row * head->n_padded + i, bytes);
        }
    }
    /* A scale that is not finite makes the sum so. */
    _mm_storeu_ps(sum + r, _mm_fmadd_ps(_mm_loadu_ps(scale + r), _mm_setzero_ps(),
                                        _mm_cvtepi32_ps(sum_four(of_row))));
}

static inline void store_scores(const struct sums *sum, size_t panels, int32_t *scores)
{
    _mm512_storeu_si512(scores, sum->panel[0]);
    _mm512_storeu_si512(scores + 16, sum->panel[1]);
    if (panels > 2) {
        _mm512_storeu_si512(scores + 32, sum->panel[2]);
        _mm512_storeu_si512(scores + 48, sum->panel[3]);
    }
}

/* Scores of TILE_ROWS queries from row on with the tokens of some panels from t on. */
static inline __attribute__((always_inline)) void score(struct head *head, size_t row, size_t t,
                                                        size_t panels)
{
    int32_t *scores = head->scores + row * head->n_padded + t;
    struct sums sum[TILE_ROWS];

    multiply_rows(TILE_ROWS, panels, SIGNED_ROWS, (head->d + 3) / 4 * 4,
                  head->queries + row * head->d_padded, head->d_padded,
                  head->keys + t * head->d_padded, 16 * head->d_padded, sum);
    store_scores(&sum[0], panels, scores);
    store_scores(&sum[1], panels, scores + head->n_padded);
    store_scores(&sum[2], panels, scores + 2 * head->n_padded);
    store_scores(&sum[3], panels, scores + 3 * head->n_padded);
    store_scores(&sum[4], panels, scores + 4 * head->n_padded);
    store_scores(&sum[5], panels, scores + 5 * head->n_padded);
}

static __attribute__((noinline)) void score_64(struct head *head, size_t row, size_t t)
{
    score(head, row, t, TILE_PANELS);
}

static __attribute__((noinline)) void score_32(struct head *head, size_t row, size_t t)
{
    score(head, row, t, TILE_PANELS / 2);
}

static inline void finish_context(const struct head *head, __m512i sum, __m512 part, size_t d,
                                  float *context)
{
    const __m512 scale = _mm512_mul_ps(_mm512_loadu_ps(head->value_scale + d), part);

    _mm512_storeu_ps(context + d, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale,
                                                  _mm512_loadu_ps(head->value_middle + d)));
}

static inline __attribute__((always_inline)) void
finish_row_of_context(const struct head *head, size_t vectors, const struct sums *sum, float part,
                      float *context)
{
    finish_context(head, sum->panel[0], _mm512_set1_ps(part), 0, context);
    finish_context(head, sum->panel[1], _mm512_set1_ps(part), 16, context);
    if (vectors > 2) {
        finish_context(head, sum->panel[2], _mm512_set1_ps(part), 32, context);
        finish_context(head, sum->panel[3], _mm512_set1_ps(part), 48, context);
    }
}

/* TILE_ROWS rows of context [TILE_ROWS][MAX_CHANNELS] from their weights and what these are
 * to be multiplied with. */
static inline __attribute__((always_inline)) void mix(const struct head *head, size_t row,
                                                      size_t vectors, const float *part,
                                                      float *context)
{
    struct sums sum[TILE_ROWS];

    multiply_rows(TILE_ROWS, vectors, UNSIGNED_ROWS, (head->n + 3) / 4 * 4,
                  head->weights + row * head->n_padded, head->n_padded, head->values,
                  16 * head->n_padded, sum);
    finish_row_of_context(head, vectors, &sum[0], part[0], context);
    finish_row_of_context(head, vectors, &sum[1], part[1], context + MAX_CHANNELS);
    finish_row_of_context(head, vectors, &sum[2], part[2], context + 2 * MAX_CHANNELS);
    finish_row_of_context(head, vectors, &sum[3], part[3], context + 3 * MAX_CHANNELS);
    finish_row_of_context(head, vectors, &sum[4], part[4], context + 4 * MAX_CHANNELS);
    finish_row_of_context(head, vectors, &sum[5], part[5], context + 5 * MAX_CHANNELS);
}

static __attribute__((noinline)) void mix_64(const struct head *head, size_t row,
                                             const float *part, float *context)
{
    mix(head, row, MAX_VECTORS, part, context);
}

static __attribute__((noinline)) void mix_32(const struct head *head, size_t row,
                                             const float *part, float *context)
{
    mix(head, row, MAX_VECTORS / 2, part, context);
}

/* Scores of rows of queries, all of them. */
static void score_rows(struct head *head, size_t rows)
{
    for (size_t t = 0; t < head->n; t += 64) {
        for (size_t row = 0; row < rows; row += TILE_ROWS) {
            if (head->n - t > 32)
                score_64(head, row, t);
            else
                score_32(head, row, t);
        }
    }
}

static void mix_rows(const struct head *head, size_t rows, const float *sum, float *context,
                     size_t ldc)
{
    float part[SCORE_ROWS], whole[TILE_ROWS][MAX_CHANNELS];

    for (size_t row = 0; row < SCORE_ROWS; row++)
        part[row] = 1 / sum[row];
    for (size_t row = 0; row < rows; row += TILE_ROWS) {
        if (head->d_padded == MAX_CHANNELS)
            mix_64(head, row, part + row, whole[0]);
        else
            mix_32(head, row, part + row, whole[0]);
        for (size_t i = 0; i < TILE_ROWS && row + i < rows; i++)
            memcpy(context + (row + i) * ldc, whole[i], head->d * sizeof *context);
    }
}

static inline __attribute__((always_inline)) void fill(struct head *head, size_t vectors)
{
    find_ranges(head, vectors);
    for (size_t t = 0; t < head->n; t += 16)
        fill_keys(head, t, vectors);
    for (size_t t = 0; t < head->n; t += 4)
        fill_values(head, t, vectors);
}

static void attend_i8(size_t n_queries, size_t n, size_t head_size, const float *query,
                      const float *key, const float *value, size_t ld, float *context, size_t ldc,
                      void *scratch)
{
    struct head head = { .n_queries = n_queries, .n = n, .d = head_size, .ld = ld,
                         .query = query, .key = key, .value = value };
    float scale[SCORE_ROWS], sum[SCORE_ROWS];

    if (head_size > MAX_CHANNELS) {
        attend(n_queries, n, head_size, query, key, value, ld, context, ldc, scratch);
        return;
    }
    head_init(&head, scratch);
    if (head.d_padded == MAX_CHANNELS)
        fill(&head, MAX_VECTORS);
    else
        fill(&head, MAX_VECTORS / 2);
    for (size_t t = 0; t < n_queries; t += SCORE_ROWS) {
        const size_t rows = n_queries - t < SCORE_ROWS ? n_queries - t : SCORE_ROWS;

        for (size_t row = 0; row < SCORE_ROWS; row += 4) {
            if (head.d_padded == MAX_CHANNELS)
                fill_queries(&head, t + row, row, MAX_VECTORS, scale);
            else
                fill_queries(&head, t + row, row, MAX_VECTORS / 2, scale);
        }
        score_rows(&head, rows);
        for (size_t row = 0; row < rows; row += 4)
            weigh_rows(&head, row, scale, sum);
        mix_rows(&head, rows, sum, context + t * ldc, ldc);
    }
}
