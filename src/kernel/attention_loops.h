/* Attention in float32, compiled for each instruction set as kernel_loops.h is, which
 * includes this. Keys are transposed first, so that both products run along rows of
 * numbers that lie side by side. */

/* The registers of the instruction set, as GCC and Clang write them. */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
typedef float vector __attribute__((vector_size(VECTOR_BYTES)));
#define WIDTH (VECTOR_BYTES / sizeof(float))

/* product [4][ld_product] += a [4][k] b [k][n], n a multiple of 2 WIDTH: four rows by two
 * registers at a time. a's rows are lda apart. */
static inline void multiply_four(size_t n, size_t k, const float *const a[4], const float *b,
                                 size_t ldb, float *product, size_t ld_product)
{
    for (size_t j = 0; j < n; j += 2 * WIDTH) {
        vector sum[4][2] = { 0 };

        for (size_t i = 0; i < k; i++) {
            vector b0, b1;

            memcpy(&b0, b + i * ldb + j, sizeof b0);
            memcpy(&b1, b + i * ldb + j + WIDTH, sizeof b1);
#pragma GCC unroll 4
            for (size_t row = 0; row < 4; row++) {
                sum[row][0] += a[row][i] * b0;
                sum[row][1] += a[row][i] * b1;
            }
        }
#pragma GCC unroll 4
        for (size_t row = 0; row < 4; row++) {
            memcpy(product + row * ld_product + j, &sum[row][0], sizeof(vector));
            memcpy(product + row * ld_product + j + WIDTH, &sum[row][1], sizeof(vector));
        }
    }
}

/* Keys as [D][n_padded], times 1 / sqrt D, and values as [n][d_padded]. */
static inline void arrange(size_t n, size_t head_size, const float *key, const float *value,
                           size_t ld, size_t n_padded, size_t d_padded, float *keys,
                           float *values)
{
    const float scale = 1.0f / sqrtf((float)head_size);

    for (size_t i = 0; i < n; i += 16) { /* a cache line of each column at a time */
        const size_t rows = n - i < 16 ? n - i : 16;

        for (size_t d = 0; d < head_size; d++)
            for (size_t t = 0; t < rows; t++)
                keys[d * n_padded + i + t] = key[(i + t) * ld + d] * scale;
    }
    for (size_t d = 0; d < head_size; d++)
        memset(keys + d * n_padded + n, 0, (n_padded - n) * sizeof *keys);
    for (size_t t = 0; t < n; t++) {
        memcpy(values + t * d_padded, value + t * ld, head_size * sizeof *values);
        memset(values + t * d_padded + head_size, 0, (d_padded - head_size) * sizeof *values);
    }
}

static void attend(size_t n_queries, size_t n, size_t head_size, const float *query,
                   const float *key, const float *value, size_t ld, float *context, size_t ldc,
                   void *scratch)
{
    const size_t n_padded = (n + ATTENTION_PAD - 1) / ATTENTION_PAD * ATTENTION_PAD;
    const size_t d_padded = (head_size + ATTENTION_PAD - 1) / ATTENTION_PAD * ATTENTION_PAD;
    float *keys = scratch, *values = keys + d_padded * n_padded;
    float *scores = values + n_padded * d_padded, *out = scores + ATTENTION_ROWS * n_padded;

    arrange(n, head_size, key, value, ld, n_padded, d_padded, keys, values);
    for (size_t i = 0; i < n_queries; i += 4) {
        const size_t rows = n_queries - i < 4 ? n_queries - i : 4;
        const float *a[4];

        for (size_t row = 0; row < 4; row++) /* a row too many repeats the last one */
            a[row] = query + (i + (row < rows ? row : rows - 1)) * ld;
        multiply_four(n_padded, head_size, a, keys, n_padded, scores, n_padded);
        for (size_t row = 0; row < 4; row++) {
            a[row] = scores + row * n_padded;
            softmax(n, scores + row * n_padded);
        }
        multiply_four(d_padded, n, a, values, d_padded, out, d_padded);
        for (size_t row = 0; row < rows; row++)
            memcpy(context + (i + row) * ldc, out + row * d_padded, head_size * sizeof *context);
    }
}
