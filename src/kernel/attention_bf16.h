/* Attention in bfloat16 with sums in float32: the file that includes this, after
 * kernel_loops.h, has multiply_panels. */
#define LOG2_E 1.44269504f

static inline void round_row(size_t n, const float *x, float scale, uint16_t *out)
{
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        __m256bh half = _mm512_cvtneps_pbh(
            _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(scale)));

        memcpy(out + i, &half, sizeof half);
    }
    for (; i < n; i++)
        out[i] = (uint16_t)bf16_of(bits_of(x[i] * scale));
}

/* One head's queries, keys and values as bfloat16. Queries are rows. Keys are panels of 16
 * tokens, each [d_padded / 2][16][2]; values panels of 16 numbers, each [n_padded / 2][16][2]:
 * both as the second matrix of a tile product is laid out. */
struct head {
    size_t n, n_padded, d_padded;
    uint16_t *queries, *keys, *values;
    uint16_t *weights; /* [16][n_padded] */
    float *scores;     /* [16][n_padded] */
    float *out;        /* [16][d_padded] */
};

static void head_init(struct head *head, size_t n, size_t head_size, void *scratch)
{
    const size_t n_padded = (n + ATTENTION_PAD - 1) / ATTENTION_PAD * ATTENTION_PAD;
    const size_t d_padded = (head_size + ATTENTION_PAD - 1) / ATTENTION_PAD * ATTENTION_PAD;
    uint16_t *halves;

    head->n = n;
    head->n_padded = n_padded;
    head->d_padded = d_padded;
    head->scores = scratch;
    head->out = head->scores + ATTENTION_ROWS * n_padded;
    halves = (uint16_t *)(head->out + ATTENTION_ROWS * d_padded);
    head->queries = halves;
    head->keys = halves + n_padded * d_padded;
    head->values = halves + 2 * n_padded * d_padded;
    /* The room of attention_scratch is for float32: this fits in what is left of it. */
    head->weights = halves + 3 * n_padded * d_padded;
}

/* The panel of the 16 tokens from t on. */
static inline void fill_keys(struct head *head, size_t head_size, size_t t, const float *key,
                             size_t ld)
{
    uint32_t *panel = (uint32_t *)(head->keys + t * head->d_padded), pairs[16][ATTENTION_PAD / 2];

    for (size_t d = 0; d < head->d_padded; d += ATTENTION_PAD) {
        const size_t count = head_size - d < ATTENTION_PAD ? head_size - d : ATTENTION_PAD;

        memset(pairs, 0, sizeof pairs);
        for (size_t i = 0; i < 16 && t + i < head->n; i++)
            round_row(count, key + (t + i) * ld + d, 1, (uint16_t *)pairs[i]);
        for (size_t p = 0; p < ATTENTION_PAD / 2; p++)
            for (size_t i = 0; i < 16; i++)
                panel[(d / 2 + p) * 16 + i] = pairs[i][p];
    }
}

/* Tokens t and t + 1 of all panels, number by number in turns. */
static inline void fill_values(struct head *head, size_t head_size, size_t t, const float *value,
                               size_t ld)
{
    for (size_t d = 0; d < head->d_padded; d += 16) {
        const size_t count = d >= head_size ? 0 : head_size - d < 16 ? head_size - d : 16;
        uint16_t row[2][16];
        uint32_t pairs[16];

        memset(row, 0, sizeof row);
        for (size_t i = 0; i < 2 && t + i < head->n; i++)
            round_row(count, value + (t + i) * ld + d, 1, row[i]);
        for (size_t i = 0; i < 16; i++)
            pairs[i] = row[0][i] | (uint32_t)row[1][i] << 16;
        memcpy(head->values + d * head->n_padded + t * 16, pairs, sizeof pairs);
    }
}

static void head_fill(struct head *head, size_t n_queries, size_t head_size, const float *query,
                      const float *key, const float *value, size_t ld)
{
    const size_t n_padded = head->n_padded, d_padded = head->d_padded;
    const float scale = LOG2_E / sqrtf((float)head_size); /* for powers of 2 */

    memset(head->queries, 0, n_padded * d_padded * sizeof *head->queries);
    for (size_t t = 0; t < n_queries; t++)
        round_row(head_size, query + t * ld, scale, head->queries + t * d_padded);
    for (size_t t = 0; t < n_padded; t += 16)
        fill_keys(head, head_size, t, key, ld);
    for (size_t t = 0; t < n_padded; t += 2)
        fill_values(head, head_size, t, value, ld);
}

/* Which of the 16 scores from the i-th on are of tokens, not of padding. */
static inline __mmask16 tokens_from(const struct head *head, size_t i)
{
    return head->n >= i + 16 ? 0xffff : head->n <= i ? 0 : (__mmask16)((1u << (head->n - i)) - 1);
}

/* Softmax without the division: weights [n_padded] = 2^(score - the greatest), 0 for what
 * is padding; their sum. 2^x = 2^k 2^r with k whole and |r| <= 1/2, where a cubic, fitted
 * to the least greatest error, misses 2^r by one part in 10^4: a twentieth of what
 * bfloat16 does. */
static inline float weigh_row(const struct head *head, const float *scores, uint16_t *weights)
{
    __m512 max = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();

    for (size_t i = 0; i < head->n_padded; i += 16)
        max = _mm512_mask_max_ps(max, tokens_from(head, i), max, _mm512_load_ps(scores + i));
    max = _mm512_set1_ps(_mm512_reduce_max_ps(max));
    for (size_t i = 0; i < head->n_padded; i += 16) {
        const __m512 x = _mm512_sub_ps(_mm512_load_ps(scores + i), max);
        const __m512 k = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        const __m512 r = _mm512_sub_ps(x, k);
        __m512 p = _mm512_set1_ps(0.055171666f);
        __m256bh halves;

        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.242611136f));
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.693260987f));
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.999928073f));
        p = _mm512_maskz_scalef_ps(tokens_from(head, i), p, k);
        sum = _mm512_add_ps(sum, p);
        halves = _mm512_cvtneps_pbh(p);
        memcpy(weights + i, &halves, sizeof halves);
    }
    return _mm512_reduce_add_ps(sum);
}

static void attend_i8(size_t n_queries, size_t n, size_t head_size, const float *query,
                      const float *key, const float *value, size_t ld, float *context, size_t ldc,
                      void *scratch)
{
    struct head head;

    head_init(&head, n, head_size, scratch);
    head_fill(&head, n_queries, head_size, query, key, value, ld);
    tiles_begin();
    for (size_t i = 0; i < n_queries; i += ATTENTION_ROWS) {
        const size_t rows = n_queries - i < ATTENTION_ROWS ? n_queries - i : ATTENTION_ROWS;
        float sum[ATTENTION_ROWS];

        multiply_panels(rows, head.n_padded, head.d_padded, head.queries + i * head.d_padded,
                        head.d_padded, head.keys, 16 * head.d_padded, head.scores);
        for (size_t r = 0; r < rows; r++)
            sum[r] = weigh_row(&head, head.scores + r * head.n_padded,
                               head.weights + r * head.n_padded);
        multiply_panels(rows, head.d_padded, head.n_padded, head.weights, head.n_padded,
                        head.values, 16 * head.n_padded, head.out);
        for (size_t r = 0; r < rows; r++)
            for (size_t d = 0; d < head_size; d++)
                context[(i + r) * ldc + d] = head.out[r * head.d_padded + d] / sum[r];
    }
    tiles_end();
}
