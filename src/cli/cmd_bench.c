/* How fast a model encodes on this machine. Rounds are many and the middle one counts:
 * machines share their cores, and a mean would tell of the neighbours. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"

#define N_ROUNDS    5   /* over all texts, after one that warms up */
#define N_QUERIES   200 /* one by one, after a tenth as many that warm up */
#define N_OWN_TEXTS 256

/* What is encoded when no texts are given: some short, some long. */
static const char *const own_texts[] = {
    "深度学习推动了人工智能的发展。",
    "The library keeps rare books in rooms where temperature and humidity never change.",
    "晚饭后散步有助于消化，但不宜立刻做剧烈运动，尤其是患有心脏病的人。",
    "How do I return a parcel that arrived damaged?",
    "春运期间，铁路部门增开了两百多列临时旅客列车，并提醒旅客提前到站、刷身份证进站，"
    "行李中不要携带易燃易爆物品；如需改签或者退票，可以在开车前通过网站或者车站窗口办理。",
    "Water boils at a lower temperature on a mountain, because the air above it weighs less; "
    "that is why rice cooked high up takes longer, and why recipes printed for the coast have "
    "to be changed for kitchens in the hills.",
    "请问附近哪里有药店？",
    "数据库把每一次修改先写进日志，再写进数据文件，这样断电之后仍然可以恢复到最后一次提交的状态。"
    "检查点会把日志里的页写回原处，读者在这段时间里看到的仍然是旧的一致的内容。",
};
#define N_OWN (sizeof own_texts / sizeof own_texts[0])

/* Twelve tokens of a BERT vocabulary, with [CLS] and [SEP]. */
static const char query[] = "人工智能如何改变生活";

struct latency {
    double p50_s, p95_s;
};

struct figures {
    const char *model;
    size_t n_threads, n_texts, n_tokens, n_query_tokens;
    double open_s, encode_s; /* all texts once, the median */
    /* resident: what opening the model added, what the encoder did, and the most of the
     * process, whose libraries are in it too */
    uint64_t model_bytes, encoder_bytes, peak_bytes, weights_bytes;
    struct latency one_thread, all_threads;
};

static int read_texts(const char *path, struct texts *texts)
{
    int status = texts_read(path, 1, texts);

    return status == EXIT_FOUND && texts->n == 0 ? fail("%s: no text in it", path) : status;
}

static int make_texts(const struct arguments *arguments, struct texts *texts)
{
    int status = EXIT_FOUND;

    if (arguments->input != NULL)
        return read_texts(arguments->input, texts);
    for (size_t i = 0; status == EXIT_FOUND && i < N_OWN_TEXTS; i++)
        status = texts_add(texts, own_texts[i % N_OWN]);
    return status;
}

/* What the model reads of the texts is added to *total. */
static int count_tokens(const ernie_model *model, size_t n, const char *const *texts,
                        size_t *total, ernie_error *err)
{
    struct ernie_tokens tokens;

    for (size_t i = 0; i < n; i++) {
        int status =
            ernie_tokenize(model, texts[i], NULL, ernie_model_max_tokens(model), &tokens, err);

        if (status != ERNIE_OK)
            return status;
        *total += tokens.n;
        ernie_tokens_reset(&tokens);
    }
    return ERNIE_OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Encodes n texts over and over; seconds [n_rounds] each round took, sorted. */
static int time_rounds(ernie_encoder *encoder, size_t n, const char *const *texts,
                       size_t n_warming, size_t n_rounds, float *out, double *seconds,
                       ernie_error *err)
{
    for (size_t i = 0; i < n_warming + n_rounds; i++) {
        double started = seconds_now();
        int status = ernie_encode(encoder, n, texts, out, err);

        if (status != ERNIE_OK)
            return status;
        if (i >= n_warming)
            seconds[i - n_warming] = seconds_now() - started;
    }
    qsort(seconds, n_rounds, sizeof *seconds, compare);
    return ERNIE_OK;
}

static int time_query(ernie_encoder *encoder, float *out, struct latency *latency,
                      ernie_error *err)
{
    const char *const text = query;
    double seconds[N_QUERIES];
    int status =
        time_rounds(encoder, 1, &text, N_QUERIES / 10, N_QUERIES, out, seconds, err);

    if (status == ERNIE_OK)
        *latency = (struct latency){ seconds[N_QUERIES / 2], seconds[N_QUERIES * 95 / 100] };
    return status;
}

/* The most memory this process has held so far. */
static uint64_t peak_bytes(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

/* What it holds now: the second number of statm (proc(5)), in pages. 0: cannot be told. */
static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long n_pages = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %llu", &n_pages) != 1)
        n_pages = 0;
    fclose(file);
    return (uint64_t)n_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The memory is read before the second encoder is there, which only this command
 * needs. */
static int measure(const ernie_model *model, const struct texts *texts, float *out,
                   struct figures *figures, ernie_error *err)
{
    const char *const *text = (const char *const *)texts->text;
    const char *const one = query;
    ernie_encoder *all = NULL, *single = NULL;
    struct ernie_model_info info;
    double seconds[N_ROUNDS];
    uint64_t resident;
    int status = ernie_model_info(model, &info, err);

    if (status != ERNIE_OK)
        return status;
    figures->weights_bytes = info.weights_bytes;
    figures->n_texts = texts->n;
    status = count_tokens(model, texts->n, text, &figures->n_tokens, err);
    if (status == ERNIE_OK)
        status = count_tokens(model, 1, &one, &figures->n_query_tokens, err);
    resident = resident_bytes();
    if (status == ERNIE_OK)
        status = ernie_encoder_new(model, figures->n_threads, &all, err);
    if (status == ERNIE_OK)
        status = time_rounds(all, texts->n, text, 1, N_ROUNDS, out, seconds, err);
    if (status != ERNIE_OK)
        goto done;
    figures->n_threads = ernie_encoder_n_threads(all);
    figures->encode_s = seconds[N_ROUNDS / 2];
    status = time_query(all, out, &figures->all_threads, err);
    figures->encoder_bytes = resident_bytes() - resident;
    figures->peak_bytes = peak_bytes();
    if (status == ERNIE_OK)
        status = ernie_encoder_new(model, 1, &single, err);
    if (status == ERNIE_OK)
        status = time_query(single, out, &figures->one_thread, err);
done:
    ernie_encoder_free(single);
    ernie_encoder_free(all);
    return status;
}

static int print_json(const struct figures *figures)
{
    char *model = NULL, *text = NULL;
    ernie_error err;
    int status = EXIT_FOUND;

    if (ernie_text_to_json(figures->model, &model, &err) != ERNIE_OK ||
        ernie_text_to_json(query, &text, &err) != ERNIE_OK)
        status = fail_with(&err);
    else
        printf("{\"version\":\"%s\",\"model\":%s,\"threads\":%zu,\"texts\":%zu,\"tokens\":%zu,"
               "\"tokens_per_s\":%.1f,\"texts_per_s\":%.2f,\"query\":%s,\"query_tokens\":%zu,"
               "\"query_p50_ms\":%.4f,\"query_p95_ms\":%.4f,\"query_p50_ms_one_thread\":%.4f,"
               "\"query_p95_ms_one_thread\":%.4f,\"open_ms\":%.3f,\"weights_bytes\":%llu,"
               "\"model_rss_bytes\":%llu,\"encoder_rss_bytes\":%llu,\"peak_rss_bytes\":%llu}\n",
               ernie_version(), model, figures->n_threads, figures->n_texts, figures->n_tokens,
               (double)figures->n_tokens / figures->encode_s,
               (double)figures->n_texts / figures->encode_s, text, figures->n_query_tokens,
               figures->all_threads.p50_s * 1e3, figures->all_threads.p95_s * 1e3,
               figures->one_thread.p50_s * 1e3, figures->one_thread.p95_s * 1e3,
               figures->open_s * 1e3, (unsigned long long)figures->weights_bytes,
               (unsigned long long)figures->model_bytes,
               (unsigned long long)figures->encoder_bytes,
               (unsigned long long)figures->peak_bytes);
    ernie_free(text);
    ernie_free(model);
    return status;
}

static void print_text(const struct figures *figures)
{
    printf("model        %s\n", figures->model);
    printf("texts        %zu, of %zu tokens in all\n", figures->n_texts, figures->n_tokens);
    printf("threads      %zu\n", figures->n_threads);
    printf("speed        %.0f tokens/s, %.1f texts/s (median of %d rounds)\n",
           (double)figures->n_tokens / figures->encode_s,
           (double)figures->n_texts / figures->encode_s, N_ROUNDS);
    printf("a query      of %zu tokens, %d times\n", figures->n_query_tokens, N_QUERIES);
    printf("  1 thread   p50 %.2f ms, p95 %.2f ms\n", figures->one_thread.p50_s * 1e3,
           figures->one_thread.p95_s * 1e3);
    if (figures->n_threads > 1)
        printf("  %zu threads  p50 %.2f ms, p95 %.2f ms\n", figures->n_threads,
               figures->all_threads.p50_s * 1e3, figures->all_threads.p95_s * 1e3);
    printf("opening      %.1f ms\n", figures->open_s * 1e3);
    printf("memory       %.1f MB resident at most\n", (double)figures->peak_bytes / 1e6);
    printf("  model      %.1f MB, %.2f times its file\n", (double)figures->model_bytes / 1e6,
           (double)figures->model_bytes / (double)figures->weights_bytes);
    printf("  encoder    %.1f MB\n", (double)figures->encoder_bytes / 1e6);
}

static int bench_encode(const struct arguments *arguments)
{
    struct figures figures = { 0 };
    struct texts texts = { 0 };
    ernie_model *model = NULL;
    float *out = NULL;
    ernie_error err;
    double started;
    int status = make_texts(arguments, &texts);

    figures.n_threads = arguments->n_threads;
    figures.model_bytes = resident_bytes();
    started = seconds_now();
    if (status == EXIT_FOUND)
        status = open_model(arguments, &model);
    if (status != EXIT_FOUND)
        goto done;
    figures.open_s = seconds_now() - started;
    /* The first opening's: what it needed for a while and gave back may be in it. */
    figures.model_bytes = resident_bytes() - figures.model_bytes;
    figures.model = ernie_model_directory(model);
    out = reallocarray(NULL, texts.n, ernie_model_dim(model) * sizeof *out);
    if (out == NULL)
        status = fail("out of memory");
    else if (measure(model, &texts, out, &figures, &err) != ERNIE_OK)
        status = fail_with(&err);
    else if (arguments->format == FORMAT_JSON)
        status = print_json(&figures);
    else
        print_text(&figures);
done:
    free(out);
    ernie_model_close(model);
    texts_reset(&texts);
    return status;
}

int cmd_bench(const struct arguments *arguments)
{
    if (arguments->n_words == 0)
        return fail("bench: of what? (give `encode` or `quality`)");
    if (arguments->n_words > 1)
        return fail("bench %s: takes no operand", arguments->words[0]);
    if (strcmp(arguments->words[0], "encode") == 0)
        return bench_encode(arguments);
    if (strcmp(arguments->words[0], "quality") == 0)
        return bench_quality(arguments);
    return fail("bench: %s: not one of: encode quality", arguments->words[0]);
}
