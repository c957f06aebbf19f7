/* Our matrix products beside OpenBLAS and oneDNN, on the shapes of BERT's layers:
 *
 *     bench_gemm [HIDDEN...]
 *
 * HIDDEN is the model's width (512 768). One thread. Prints, as two tables in Markdown,
 * the billions of operations a second (2 m n k, the median of N_ROUNDS in which all take
 * turns) of m rows by a layer of k inputs and n outputs. Weights are packed beforehand where the product takes them so,
 * and OpenBLAS and oneDNN read them in the faster of the two orders. Ours add the bias,
 * and int8 becomes float32 again; theirs end with the bare sums. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif

#include <cblas.h>

#include "kernel/blas.h"
#include "kernel/kernel.h"
#include "kernel/pack.h"

#define N_ROUNDS 5
#define ROUND_S  4e-3 /* a round repeats the product until it took so long */
#define SLOW_S   1.0  /* what would take longer a product is left out */
#define MAX_CONTENDERS (4 + 2 * KERNEL_MAX)

/* Everything one shape needs; m rows, k inputs, n outputs. */
struct job {
    size_t m, n, k;
    float *x, *w, *w_transposed, *y; /* [m][k], [n][k], [k][n], [m][n] */
    int8_t *w_i8, *w_i8_transposed; /* as w */
    int32_t *y_i32; /* [m][n] */
    struct matrix_i8 matrix_i8;
    struct rows_i8 rows;
    struct matrix_f32 matrix_f32; /* packed by the contender that is next */
    void *scratch;
};

struct contender {
    const char *name;
    const struct kernel *kernel; /* or NULL: not ours */
    int is_i8;
    void (*run)(struct job *job, const struct kernel *kernel);
    void *packed; /* by kernel->pack_f32 */
    double seconds[N_ROUNDS];
    double rate; /* operations a second at the last shape, 0: not yet known */
};

/* One kind of numbers. A library has two entries of one name, for the two orders of its
 * weights. */
struct table {
    size_t n;
    struct contender contender[MAX_CONTENDERS];
};

static void *take(size_t n, size_t size)
{
    void *block = aligned_alloc(64, pack_padded(n * size, 64));

    if (block == NULL) {
        fputs("bench_gemm: out of memory\n", stderr);
        exit(2);
    }
    memset(block, 0, pack_padded(n * size, 64));
    return block;
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* others may want the core too */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void job_init(struct job *job, size_t m, size_t n, size_t k)
{
    const size_t padded_k = pack_padded(k, I8_INPUTS), padded_n = pack_padded(n, I8_OUTPUTS);

    *job = (struct job){
        .m = m,
        .n = n,
        .k = k,
        .x = take(m * k, sizeof(float)),
        .w = take(n * k, sizeof(float)),
        .w_transposed = take(n * k, sizeof(float)),
        .y = take(m * n, sizeof(float)),
        .w_i8 = take(n * k, 1),
        .w_i8_transposed = take(n * k, 1),
        .y_i32 = take(m * n, sizeof(int32_t)),
        .matrix_i8 = { .n_in = padded_k,
                       .n_out = n,
                       .packed = take(padded_n * padded_k, 1),
                       .sum = take(padded_n, sizeof(int32_t)),
                       .scale = take(padded_n, sizeof(float)),
                       .bias = take(padded_n, sizeof(float)) },
        .rows = { .q = take(pack_padded(m, I8_ROWS) * padded_k, 1),
                  .scale = take(pack_padded(m, I8_ROWS), sizeof(float)),
                  .zero = take(pack_padded(m, I8_ROWS), sizeof(int32_t)) },
        .matrix_f32 = { .n_in = padded_k, .n_out = n, .bias = take(padded_n, sizeof(float)) },
        .scratch = take(f32_scratch(m, k), 1),
    };
    srand(1);
    for (size_t o = 0; o < n; o++) {
        for (size_t i = 0; i < k; i++) {
            const int8_t value = (int8_t)(rand() % 255 - 127);

            job->w_i8[o * k + i] = job->w_i8_transposed[i * n + o] = value;
            job->w[o * k + i] = job->w_transposed[i * n + o] = (float)value / 1024;
        }
        job->matrix_i8.scale[o] = 1.0f / 1024;
    }
    for (size_t r = 0; r < m; r++) {
        for (size_t i = 0; i < k; i++)
            job->x[r * k + i] = (float)(rand() % 2001 - 1000) / 500;
        /* As the encoder does, once: it is not part of the product. */
        kernel_scalar.quantize(k, job->x + r * k, job->rows.q + r * padded_k,
                               &job->rows.scale[r], &job->rows.zero[r]);
    }
    pack_i8(n, k, job->w_i8, job->matrix_i8.packed, job->matrix_i8.sum);
}

static void job_reset(struct job *job)
{
    void *blocks[] = { job->x, job->w, job->w_transposed, job->y, job->w_i8,
                       job->w_i8_transposed, job->y_i32, job->matrix_i8.packed,
                       job->matrix_i8.sum, job->matrix_i8.scale, job->matrix_i8.bias,
                       job->rows.q, job->rows.scale, job->rows.zero, job->matrix_f32.bias,
                       job->scratch };

    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
}

/* ---- those that take part ---------------------------------------------- */

static void run_openblas(struct job *job, const struct kernel *kernel)
{
    (void)kernel;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)job->m, (blasint)job->n,
                (blasint)job->k, 1, job->x, (blasint)job->k, job->w, (blasint)job->k, 0, job->y,
                (blasint)job->n);
}

static void run_openblas_transposed(struct job *job, const struct kernel *kernel)
{
    (void)kernel;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)job->m, (blasint)job->n,
                (blasint)job->k, 1, job->x, (blasint)job->k, job->w_transposed, (blasint)job->n, 0,
                job->y, (blasint)job->n);
}

#ifdef WITH_DNNL
static void expect_success(dnnl_status_t status)
{
    if (status != dnnl_success) {
        fprintf(stderr, "bench_gemm: oneDNN: status %d\n", (int)status);
        exit(2);
    }
}

static void run_dnnl(struct job *job, const struct kernel *kernel)
{
    const dnnl_dim_t m = (dnnl_dim_t)job->m, n = (dnnl_dim_t)job->n, k = (dnnl_dim_t)job->k;

    (void)kernel;
    expect_success(dnnl_sgemm('N', 'T', m, n, k, 1, job->x, k, job->w, k, 0, job->y, n));
}

static void run_dnnl_transposed(struct job *job, const struct kernel *kernel)
{
    const dnnl_dim_t m = (dnnl_dim_t)job->m, n = (dnnl_dim_t)job->n, k = (dnnl_dim_t)job->k;

    (void)kernel;
    expect_success(
        dnnl_sgemm('N', 'N', m, n, k, 1, job->x, k, job->w_transposed, n, 0, job->y, n));
}

static void run_dnnl_i8(struct job *job, const struct kernel *kernel)
{
    const dnnl_dim_t m = (dnnl_dim_t)job->m, n = (dnnl_dim_t)job->n, k = (dnnl_dim_t)job->k;
    const int32_t zero = 0;

    (void)kernel;
    expect_success(dnnl_gemm_u8s8s32('N', 'T', 'F', m, n, k, 1, job->rows.q,
                                     (dnnl_dim_t)job->matrix_i8.n_in, 0, job->w_i8, k, 0, 0,
                                     job->y_i32, n, &zero));
}

static void run_dnnl_i8_transposed(struct job *job, const struct kernel *kernel)
{
    const dnnl_dim_t m = (dnnl_dim_t)job->m, n = (dnnl_dim_t)job->n, k = (dnnl_dim_t)job->k;
    const int32_t zero = 0;

    (void)kernel;
    expect_success(dnnl_gemm_u8s8s32('N', 'N', 'F', m, n, k, 1, job->rows.q,
                                     (dnnl_dim_t)job->matrix_i8.n_in, 0, job->w_i8_transposed,
                                     n, 0, 0, job->y_i32, n, &zero));
}
#endif

static void run_ours(struct job *job, const struct kernel *kernel)
{
    kernel->multiply_f32(&job->matrix_f32, job->m, job->x, job->k, job->k, EPILOGUE_BIAS, job->y,
                         job->n, job->scratch);
}

static void run_ours_i8(struct job *job, const struct kernel *kernel)
{
    kernel->multiply_i8(&job->matrix_i8, job->m, &job->rows, EPILOGUE_BIAS, job->y, job->n);
}

static void add(struct table *table, struct contender contender)
{
    table->contender[table->n++] = contender;
}

static void add_ours(struct table *table, int is_i8)
{
    const struct kernel *kernels[KERNEL_MAX];
    const size_t n = kernel_list(kernels);

    for (size_t i = 0; i < n; i++)
        /* VNNI is of int8 alone: else the product is that of the set below. */
        if (is_i8 || strstr(kernels[i]->name, "vnni") == NULL)
            add(table, (struct contender){ .name = kernels[i]->name,
                                           .kernel = kernels[i],
                                           .is_i8 = is_i8,
                                           .run = is_i8 ? run_ours_i8 : run_ours });
}

static void fill_tables(struct table *f32, struct table *i8)
{
    add(f32, (struct contender){ .name = "OpenBLAS", .run = run_openblas });
    add(f32, (struct contender){ .name = "OpenBLAS", .run = run_openblas_transposed });
#ifdef WITH_DNNL
    add(f32, (struct contender){ .name = "oneDNN", .run = run_dnnl });
    add(f32, (struct contender){ .name = "oneDNN", .run = run_dnnl_transposed });
    add(i8, (struct contender){ .name = "oneDNN", .is_i8 = 1, .run = run_dnnl_i8 });
    add(i8, (struct contender){ .name = "oneDNN", .is_i8 = 1, .run = run_dnnl_i8_transposed });
#endif
    add_ours(f32, 0);
    add_ours(i8, 1);
}

/* ---- measuring --------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double n_operations(const struct job *job)
{
    return 2 * (double)job->m * (double)job->n * (double)job->k;
}

static double time_once(struct contender *contender, struct job *job)
{
    const double started = seconds_now();
    size_t n = 0;
    double now;

    job->matrix_f32.packed = contender->packed;
    do {
        contender->run(job, contender->kernel);
        n++;
        now = seconds_now();
    } while (now - started < ROUND_S);
    return (now - started) / (double)n;
}

static int is_slow(const struct contender *contender, const struct job *job)
{
    return contender->rate > 0 && n_operations(job) / contender->rate > SLOW_S;
}

/* The last number of the last row, lest something else be measured. Eight bits make a
 * difference that grows as the root of k. */
static void expect_product(const struct contender *contender, const struct job *job)
{
    const float *x = job->x + (job->m - 1) * job->k, *w = job->w + (job->n - 1) * job->k;
    const size_t at = job->m * job->n - 1;
    double expected = 0, got = (double)job->y[at];
    double bound = contender->is_i8 ? 5e-3 * sqrt((double)job->k) : 1e-3;

    for (size_t i = 0; i < job->k; i++)
        expected += (double)x[i] * (double)w[i];
    if (contender->is_i8 && contender->kernel == NULL)
        got = (double)job->rows.scale[job->m - 1] / 1024 *
              (job->y_i32[at] - job->rows.zero[job->m - 1] * job->matrix_i8.sum[job->n - 1]);
    if (fabs(got - expected) > bound) {
        fprintf(stderr, "bench_gemm: %s: %g instead of %g\n", contender->name, got, expected);
        exit(2);
    }
}

static void measure(struct table *table, struct job *job)
{
    for (size_t i = 0; i < table->n; i++) {
        struct contender *one = &table->contender[i];

        if (one->kernel != NULL && !one->is_i8) {
            one->packed = take(pack_padded(job->n, I8_OUTPUTS) * job->matrix_f32.n_in, 4);
            one->kernel->pack_f32(job->n, job->k, job->w, one->packed);
        }
        if (!is_slow(one, job)) {
            time_once(one, job); /* warms up */
            expect_product(one, job);
            job->y[job->m * job->n - 1] = 0;
        }
    }
    for (size_t round = 0; round < N_ROUNDS; round++)
        for (size_t i = 0; i < table->n; i++)
            if (!is_slow(&table->contender[i], job))
                table->contender[i].seconds[round] = time_once(&table->contender[i], job);
    for (size_t i = 0; i < table->n; i++) {
        struct contender *one = &table->contender[i];

        if (!is_slow(one, job)) {
            qsort(one->seconds, N_ROUNDS, sizeof *one->seconds, compare);
            one->rate = n_operations(job) / one->seconds[N_ROUNDS / 2];
        }
        free(one->packed);
        one->packed = NULL;
    }
}

/* The two orders of a library are one column, and the faster one counts. */
static int is_second_order(const struct table *table, size_t i)
{
    return i > 0 && strcmp(table->contender[i].name, table->contender[i - 1].name) == 0;
}

static void print_head(const struct table *table, const char *title)
{
    printf("\n%s\n\n| layer | rows |", title);
    for (size_t i = 0; i < table->n; i++)
        if (!is_second_order(table, i))
            printf(" %s |", table->contender[i].name);
    printf("\n| --- | --- |");
    for (size_t i = 0; i < table->n; i++)
        if (!is_second_order(table, i))
            printf(" --- |");
    putchar('\n');
}

static void print_row(const struct table *table, const struct job *job)
{
    printf("| %zu → %zu | %zu |", job->k, job->n, job->m);
    for (size_t i = 0; i < table->n; i++) {
        const struct contender *one = &table->contender[i];
        double rate = one->rate;

        if (is_second_order(table, i))
            continue;
        if (i + 1 < table->n && is_second_order(table, i + 1) && one[1].rate > rate)
            rate = one[1].rate;
        if (is_slow(one, job))
            printf(" - |");
        else
            printf(" %.0f |", rate * 1e-9);
    }
    putchar('\n');
    fflush(stdout);
}

static void print_cpu(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "model name", 10) == 0) {
            printf("CPU: %s", strchr(line, ':') != NULL ? strchr(line, ':') + 2 : line);
            break;
        }
    if (file != NULL)
        fclose(file);
}

static void print_versions(void)
{
    print_cpu();
    printf("%s\n", openblas_get_config());
#ifdef WITH_DNNL
    printf("oneDNN %d.%d.%d\n", dnnl_version()->major, dnnl_version()->minor,
           dnnl_version()->patch);
#endif
}

static void run_all(struct table *table, const char *title, size_t hidden)
{
    static const size_t rows[] = { 8, 32, 128, 512, 4096 };
    const size_t layers[][2] = { { hidden, 3 * hidden },
                                 { hidden, hidden },
                                 { hidden, 4 * hidden },
                                 { 4 * hidden, hidden } };

    print_head(table, title);
    for (size_t l = 0; l < 4; l++)
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            struct job job;

            job_init(&job, rows[r], layers[l][1], layers[l][0]);
            measure(table, &job);
            print_row(table, &job);
            job_reset(&job);
        }
}

int main(int argc, char **argv)
{
    static const char *const usual[] = { "512", "768" };
    const char *const *hidden = argc > 1 ? (const char *const *)argv + 1 : usual;
    const size_t n = argc > 1 ? (size_t)argc - 1 : 2;
    static struct table f32, i8;

    /* oneDNN's OpenMP reads it before main. */
    if (getenv("OMP_NUM_THREADS") == NULL) {
        setenv("OMP_NUM_THREADS", "1", 1);
        execv("/proc/self/exe", argv);
    }
    blas_use_one_thread();
    fill_tables(&f32, &i8);
    print_versions();
    for (size_t i = 0; i < n; i++) {
        const size_t size = strtoul(hidden[i], NULL, 10);

        if (size == 0 || size > 16384) {
            fputs("bench_gemm [HIDDEN...]\n", stderr);
            return 2;
        }
        run_all(&f32, "float32", size);
        run_all(&i8, "int8", size);
    }
    return 0;
}
