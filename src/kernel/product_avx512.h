/* Products of float32 rows with packed weights on 512 bits, in place of product_loops.h's own.
 * A tile is six rows by 64 outputs, two of the panels: 24 registers of sums, which become
 * numbers without passing through memory. The weights of a tile, F32_INPUTS inputs at a time,
 * stay in the second-level cache while all rows pass by them. */
#define F32_ROWS    6
#define F32_OUTPUTS 64
#define F32_INPUTS  512

/* A row's sums with 64 outputs. */
struct sums_f32 {
    __m512 part[4];
};

/* Which step of a product a tile is: a constant wherever something is called with it. */
struct step_f32 {
    size_t outputs; /* 32 or 64 */
    int is_first, is_last;
    enum epilogue epilogue;
};

static inline __attribute__((always_inline)) void
begin_row_f32(struct step_f32 step, const float *y, struct sums_f32 *sum)
{
    sum->part[0] = step.is_first ? _mm512_setzero_ps() : _mm512_loadu_ps(y);
    sum->part[1] = step.is_first ? _mm512_setzero_ps() : _mm512_loadu_ps(y + 16);
    if (step.outputs > 32) {
        sum->part[2] = step.is_first ? _mm512_setzero_ps() : _mm512_loadu_ps(y + 32);
        sum->part[3] = step.is_first ? _mm512_setzero_ps() : _mm512_loadu_ps(y + 48);
    }
}

static inline __attribute__((always_inline)) void
multiply_row_f32(struct step_f32 step, float x, const struct sums_f32 *w, struct sums_f32 *sum)
{
    const __m512 a = _mm512_set1_ps(x);

    sum->part[0] = _mm512_fmadd_ps(a, w->part[0], sum->part[0]);
    sum->part[1] = _mm512_fmadd_ps(a, w->part[1], sum->part[1]);
    if (step.outputs > 32) {
        sum->part[2] = _mm512_fmadd_ps(a, w->part[2], sum->part[2]);
        sum->part[3] = _mm512_fmadd_ps(a, w->part[3], sum->part[3]);
    }
}

static inline void finish_f32(struct step_f32 step, __m512 sum, const float *bias, float *y)
{
    if (step.is_last)
        sum = _mm512_add_ps(sum, _mm512_loadu_ps(bias));
    if (step.is_last && step.epilogue == EPILOGUE_GELU)
        sum = gelu_16(sum);
    _mm512_storeu_ps(y, sum);
}

static inline __attribute__((always_inline)) void
finish_row_f32(struct step_f32 step, struct sums_f32 *sum, const float *bias, float *y)
{
    /* As tile_vnni.h's keep_in_registers. */
    __asm__("" : "+v"(sum->part[0]), "+v"(sum->part[1]));
    if (step.outputs > 32)
        __asm__("" : "+v"(sum->part[2]), "+v"(sum->part[3]));
    finish_f32(step, sum->part[0], bias, y);
    finish_f32(step, sum->part[1], bias + 16, y + 16);
    if (step.outputs > 32) {
        finish_f32(step, sum->part[2], bias + 32, y + 32);
        finish_f32(step, sum->part[3], bias + 48, y + 48);
    }
}

/* y [rows][outputs] of n inputs; panels, of which there are two for 64 outputs, are panel_size
 * apart. */
static inline __attribute__((always_inline)) void
multiply_tile_f32(size_t rows, struct step_f32 step, size_t n, const float *x, size_t ldx,
                  const float *w, size_t panel_size, const float *bias, float *y, size_t ldy)
{
    struct sums_f32 sum[F32_ROWS];

    begin_row_f32(step, y, &sum[0]);
    if (rows > 1)
        begin_row_f32(step, y + ldy, &sum[1]);
    if (rows > 2)
        begin_row_f32(step, y + 2 * ldy, &sum[2]);
    if (rows > 3)
        begin_row_f32(step, y + 3 * ldy, &sum[3]);
    if (rows > 4)
        begin_row_f32(step, y + 4 * ldy, &sum[4]);
    if (rows > 5)
        begin_row_f32(step, y + 5 * ldy, &sum[5]);
    for (size_t k = 0; k < n; k++, x++, w += 32) {
        struct sums_f32 b = { { _mm512_loadu_ps(w), _mm512_loadu_ps(w + 16) } };

        if (step.outputs > 32) {
            b.part[2] = _mm512_loadu_ps(w + panel_size);
            b.part[3] = _mm512_loadu_ps(w + panel_size + 16);
        }
        multiply_row_f32(step, x[0], &b, &sum[0]);
        if (rows > 1)
            multiply_row_f32(step, x[ldx], &b, &sum[1]);
        if (rows > 2)
            multiply_row_f32(step, x[2 * ldx], &b, &sum[2]);
        if (rows > 3)
            multiply_row_f32(step, x[3 * ldx], &b, &sum[3]);
        if (rows > 4)
            multiply_row_f32(step, x[4 * ldx], &b, &sum[4]);
        if (rows > 5)
            multiply_row_f32(step, x[5 * ldx], &b, &sum[5]);
    }
    finish_row_f32(step, &sum[0], bias, y);
    if (rows > 1)
        finish_row_f32(step, &sum[1], bias, y + ldy);
    if (rows > 2)
        finish_row_f32(step, &sum[2], bias, y + 2 * ldy);
    if (rows > 3)
        finish_row_f32(step, &sum[3], bias, y + 3 * ldy);
    if (rows > 4)
        finish_row_f32(step, &sum[4], bias, y + 4 * ldy);
    if (rows > 5)
        finish_row_f32(step, &sum[5], bias, y + 5 * ldy);
}

typedef void (*tile_f32)(size_t rows, size_t n, const float *x, size_t ldx, const float *w,
                         size_t panel_size, const float *bias, float *y, size_t ldy);

/* Functions of their own, for compilers run out of registers when these are one. */
#define MULTIPLY_TILE_F32(name, ...)                                                          \
    static __attribute__((noinline)) void name(size_t rows, size_t n, const float *x,         \
                                               size_t ldx, const float *w, size_t panel_size, \
                                               const float *bias, float *y, size_t ldy)       \
    {                                                                                         \
        const struct step_f32 step = { __VA_ARGS__ };                                         \
                                                                                              \
        switch (rows) {                                                                       \
        case 1:                                                                               \
            multiply_tile_f32(1, step, n, x, ldx, w, panel_size, bias, y, ldy);               \
            break;                                                                            \
        case 2:                                                                               \
            multiply_tile_f32(2, step, n, x, ldx, w, panel_size, bias, y, ldy);               \
            break;                                                                            \
        case 3:                                                                               \
            multiply_tile_f32(3, step, n, x, ldx, w, panel_size, bias, y, ldy);               \
            break;                                                                            \
        case 4:                                                                               \
            multiply_tile_f32(4, step, n, x, ldx, w, panel_size, bias, y, ldy);               \
            break;                                                                            \
        case 5:                                                                               \
            multiply_tile_f32(5, step, n, x, ldx, w, panel_size, bias, y, ldy);               \
            break;                                                                            \
        default:                                                                              \
            multiply_tile_f32(F32_ROWS, step, n, x, ldx, w, panel_size, bias, y, ldy);        \
        }                                                                                     \
    }
MULTIPLY_TILE_F32(first_64, 64, 1, 0, EPILOGUE_BIAS)
MULTIPLY_TILE_F32(middle_64, 64, 0, 0, EPILOGUE_BIAS)
MULTIPLY_TILE_F32(last_64, 64, 0, 1, EPILOGUE_BIAS)
MULTIPLY_TILE_F32(last_gelu_64, 64, 0, 1, EPILOGUE_GELU)
MULTIPLY_TILE_F32(whole_64, 64, 1, 1, EPILOGUE_BIAS)
MULTIPLY_TILE_F32(whole_gelu_64, 64, 1, 1, EPILOGUE_GELU)
MULTIPLY_TILE_F32(first_32, 32, 1, 0, EPILOGUE_BIAS)
MULTIPLY_TILE_F32(middle_32, 32, 0, 0, EPILOGUE_BIAS)
MULTIPLY_TILE_F32(last_32, 32, 0, 1, EPILOGUE_BIAS)
MULTIPLY_TILE_F32(last_gelu_32, 32, 0, 1, EPILOGUE_GELU)
MULTIPLY_TILE_F32(whole_32, 32, 1, 1, EPILOGUE_BIAS)
MULTIPLY_TILE_F32(whole_gelu_32, 32, 1, 1, EPILOGUE_GELU)

static tile_f32 tile_of(struct step_f32 step)
{
    const int has_gelu = step.epilogue == EPILOGUE_GELU;

    if (step.outputs > 32)
        return step.is_first ? (!step.is_last ? first_64 : has_gelu ? whole_gelu_64 : whole_64)
                             : (!step.is_last ? middle_64 : has_gelu ? last_gelu_64 : last_64);
    return step.is_first ? (!step.is_last ? first_32 : has_gelu ? whole_gelu_32 : whole_32)
                         : (!step.is_last ? middle_32 : has_gelu ? last_gelu_32 : last_32);
}

/* What does not fill a tile passes through one on the stack. */
static void multiply_part_f32(struct step_f32 step, size_t n, size_t rows, size_t n_block,
                              const float *x, size_t ldx, const float *w, size_t panel_size,
                              const float *bias, float *y, size_t ldy)
{
    float tile[F32_ROWS][F32_OUTPUTS] = { { 0 } };

    for (size_t r = 0; !step.is_first && r < rows; r++)
        memcpy(tile[r], y + r * ldy, n * sizeof *y);
    tile_of(step)(rows, n_block, x, ldx, w, panel_size, bias, tile[0], F32_OUTPUTS);
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * ldy, tile[r], n * sizeof *y);
}

/* n outputs from column on, no more than a tile has, of all rows: their sums over n_block
 * inputs from block on. */
static inline void multiply_outputs_f32(const struct matrix_f32 *w, size_t column, size_t n,
                                        size_t block, size_t n_block, struct step_f32 step,
                                        size_t n_rows, const float *x, size_t ldx, float *y,
                                        size_t ldy)
{
    const float *panels = (const float *)w->packed + column * w->n_in + 32 * block;
    const tile_f32 multiply = tile_of(step);
    float bias[F32_OUTPUTS] = { 0 };

    memcpy(bias, w->bias + column, n * sizeof *bias);
    for (size_t i = 0; i < n_rows; i += F32_ROWS) {
        const size_t rows = n_rows - i < F32_ROWS ? n_rows - i : F32_ROWS;
        const float *row = x + i * ldx + block;
        float *out = y + i * ldy + column;

        if (n == step.outputs)
            multiply(rows, n_block, row, ldx, panels, 32 * w->n_in, bias, out, ldy);
        else
            multiply_part_f32(step, n, rows, n_block, row, ldx, panels, 32 * w->n_in, bias, out,
                              ldy);
    }
}

static void multiply_f32(const struct matrix_f32 *w, size_t n_rows, const float *x, size_t ldx,
                         size_t n_in, enum epilogue epilogue, float *y, size_t ldy, void *scratch)
{
    const size_t block_rows = rows_of_block(n_rows, F32_ROWS);

    (void)scratch;
    for (size_t i = 0; i < n_rows; i += block_rows) {
        const size_t rows = n_rows - i < block_rows ? n_rows - i : block_rows;

        for (size_t k = 0; k < n_in; k += F32_INPUTS) {
            const size_t n_block = n_in - k < F32_INPUTS ? n_in - k : F32_INPUTS;

            for (size_t j = 0; j < w->n_out; j += F32_OUTPUTS) {
                const size_t n = w->n_out - j < F32_OUTPUTS ? w->n_out - j : F32_OUTPUTS;
                const struct step_f32 step = { n > 32 ? 64 : 32, k == 0, k + n_block == n_in,
                                               epilogue };

                multiply_outputs_f32(w, j, n, k, n_block, step, rows, x + i * ldx, ldx,
                                     y + i * ldy, ldy);
            }
        }
    }
}
