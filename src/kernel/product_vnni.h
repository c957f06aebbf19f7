/* Products of 8-bit rows with packed weights by tile_vnni.h's tiles, which become numbers
 * without passing through memory; kernel_loops.h includes this in place of its own. */
#define TILE_OUTPUTS (16 * TILE_PANELS)

/* What the outputs of a tile need to become numbers; 0 past the last one. */
struct outputs {
    int32_t sum[TILE_OUTPUTS] __attribute__((aligned(64)));
    float scale[TILE_OUTPUTS], bias[TILE_OUTPUTS];
};

static void outputs_init(struct outputs *outputs, const struct matrix_i8 *w, size_t first,
                         size_t n)
{
    memset(outputs, 0, sizeof *outputs);
    memcpy(outputs->sum, w->sum + first, n * sizeof *w->sum);
    memcpy(outputs->scale, w->scale + first, n * sizeof *w->scale);
    memcpy(outputs->bias, w->bias + first, n * sizeof *w->bias);
}

/* gelu_near. */
static inline __m512 gelu_near_16(__m512 v)
{
    const __m512 c = _mm512_max_ps(_mm512_min_ps(v, _mm512_set1_ps(4)), _mm512_set1_ps(-4));
    const __m512 u = _mm512_mul_ps(c, c);
    __m512 p = _mm512_set1_ps(gelu_terms[0]);

#pragma GCC unroll 7
    for (size_t i = 1; i < 8; i++)
        p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(gelu_terms[i]));
    return _mm512_mul_ps(v, _mm512_fmadd_ps(c, p, _mm512_set1_ps(0.5f)));
}

/* The sums of a row and a panel as numbers, to y. */
static inline void finish(__m512i sum, __m512i zero, __m512 scale, enum epilogue epilogue,
                          const struct outputs *outputs, size_t panel, float *y)
{
    const size_t j = 16 * panel;
    const __m512i of_zero = _mm512_mullo_epi32(zero, _mm512_load_si512(outputs->sum + j));
    __m512 v = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, of_zero));

    v = _mm512_fmadd_ps(v, _mm512_mul_ps(scale, _mm512_loadu_ps(outputs->scale + j)),
                        _mm512_loadu_ps(outputs->bias + j));
    _mm512_storeu_ps(y + j, epilogue == EPILOGUE_GELU ? gelu_near_16(v) : v);
}

/* Row i of a tile, where there is one. */
static inline __attribute__((always_inline)) void
finish_row(size_t rows, size_t panels, enum epilogue epilogue, size_t i, const struct sums *sum,
           const struct rows_i8 *x, const struct outputs *outputs, float *y, size_t ldy)
{
    float *out = y + i * ldy;

    if (i >= rows)
        return;
    const __m512i zero = _mm512_set1_epi32(x->zero[i]);
    const __m512 scale = _mm512_set1_ps(x->scale[i]);

    finish(sum[i].panel[0], zero, scale, epilogue, outputs, 0, out);
    finish(sum[i].panel[1], zero, scale, epilogue, outputs, 1, out);
    if (panels > 2) {
        finish(sum[i].panel[2], zero, scale, epilogue, outputs, 2, out);
        finish(sum[i].panel[3], zero, scale, epilogue, outputs, 3, out);
    }
}

/* y [rows][16 panels]. rows, panels and epilogue are constants wherever this is called. */
static inline __attribute__((always_inline)) void
multiply_tile(size_t rows, size_t panels, enum epilogue epilogue, size_t n_in,
              const struct rows_i8 *x, const int8_t *w, const struct outputs *outputs, float *y,
              size_t ldy)
{
    struct sums sum[TILE_ROWS];

    multiply_rows(rows, panels, UNSIGNED_ROWS, n_in, x->q, n_in, w, 16 * n_in, sum);
    finish_row(rows, panels, epilogue, 0, sum, x, outputs, y, ldy);
    finish_row(rows, panels, epilogue, 1, sum, x, outputs, y, ldy);
    finish_row(rows, panels, epilogue, 2, sum, x, outputs, y, ldy);
    finish_row(rows, panels, epilogue, 3, sum, x, outputs, y, ldy);
    finish_row(rows, panels, epilogue, 4, sum, x, outputs, y, ldy);
    finish_row(rows, panels, epilogue, 5, sum, x, outputs, y, ldy);
}

/* The same when rows is any number up to TILE_ROWS. A function for each of the others, for
 * compilers run out of registers when they are one. */
#define MULTIPLY_TILE(name, panels, epilogue)                                                 \
    static __attribute__((noinline)) void name(size_t rows, size_t n_in,                      \
                                               const struct rows_i8 *x, const int8_t *w,      \
                                               const struct outputs *outputs, float *y,       \
                                               size_t ldy)                                    \
    {                                                                                         \
        switch (rows) {                                                                       \
        case 1:                                                                               \
            multiply_tile(1, panels, epilogue, n_in, x, w, outputs, y, ldy);                  \
            break;                                                                            \
        case 2:                                                                               \
            multiply_tile(2, panels, epilogue, n_in, x, w, outputs, y, ldy);                  \
            break;                                                                            \
        case 3:                                                                               \
            multiply_tile(3, panels, epilogue, n_in, x, w, outputs, y, ldy);                  \
            break;                                                                            \
        case 4:                                                                               \
            multiply_tile(4, panels, epilogue, n_in, x, w, outputs, y, ldy);                  \
            break;                                                                            \
        case 5:                                                                               \
            multiply_tile(5, panels, epilogue, n_in, x, w, outputs, y, ldy);                  \
            break;                                                                            \
        default:                                                                              \
            multiply_tile(TILE_ROWS, panels, epilogue, n_in, x, w, outputs, y, ldy);          \
        }                                                                                     \
    }
MULTIPLY_TILE(multiply_64, TILE_PANELS, EPILOGUE_BIAS)
MULTIPLY_TILE(multiply_64_gelu, TILE_PANELS, EPILOGUE_GELU)
MULTIPLY_TILE(multiply_32, TILE_PANELS / 2, EPILOGUE_BIAS)
MULTIPLY_TILE(multiply_32_gelu, TILE_PANELS / 2, EPILOGUE_GELU)

/* Outputs [first, first + n), no more than a tile has, of n_rows rows. */
static void multiply_outputs(const struct matrix_i8 *w, size_t first, size_t n, size_t n_rows,
                             const struct rows_i8 *x, enum epilogue epilogue, float *y,
                             size_t ldy)
{
    void (*const multiply)(size_t, size_t, const struct rows_i8 *, const int8_t *,
                           const struct outputs *, float *, size_t) =
        n > I8_OUTPUTS ? (epilogue == EPILOGUE_GELU ? multiply_64_gelu : multiply_64)
                       : (epilogue == EPILOGUE_GELU ? multiply_32_gelu : multiply_32);
    const int8_t *panels = w->packed + first * w->n_in;
    const int is_whole = n == I8_OUTPUTS || n == TILE_OUTPUTS;
    float whole[TILE_ROWS][TILE_OUTPUTS];
    struct outputs outputs;

    outputs_init(&outputs, w, first, n);
    for (size_t i = 0; i < n_rows; i += TILE_ROWS) {
        const size_t rows = n_rows - i < TILE_ROWS ? n_rows - i : TILE_ROWS;
        const struct rows_i8 of_tile = { x->q + i * w->n_in, x->scale + i, x->zero + i };
        float *out = y + i * ldy + first;

        if (is_whole) {
            multiply(rows, w->n_in, &of_tile, panels, &outputs, out, ldy);
            continue;
        }
        multiply(rows, w->n_in, &of_tile, panels, &outputs, whole[0], TILE_OUTPUTS);
        for (size_t r = 0; r < rows; r++)
            memcpy(out + r * ldy, whole[r], n * sizeof *out);
    }
}

static void multiply_i8(const struct matrix_i8 *w, size_t n_rows, const struct rows_i8 *x,
                        enum epilogue epilogue, float *y, size_t ldy)
{
    const size_t block_rows = rows_of_block(n_rows, TILE_ROWS);

    for (size_t i = 0; i < n_rows; i += block_rows) {
        const size_t rows = n_rows - i < block_rows ? n_rows - i : block_rows;
        const struct rows_i8 block = { x->q + i * w->n_in, x->scale + i, x->zero + i };

        for (size_t j = 0; j < w->n_out; j += TILE_OUTPUTS)
            multiply_outputs(w, j, w->n_out - j < TILE_OUTPUTS ? w->n_out - j : TILE_OUTPUTS, rows,
                             &block, epilogue, y + i * ldy, ldy);
    }
}
