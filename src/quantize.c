/* A model's weights as int8, one scale an output: rows of w as q * scale with q in
 * -127..127, chosen per row without looking at data (the greatest weight becomes 127), by
 * what the weights lose, or by what the outputs lose when the inputs are those of texts.
 * Nagel et al. 2021, "A White Paper on Neural Network Quantization", sections 2 and 3. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "ernie.h"
#include "model/checkpoint.h"
#include "model/directory.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "model/weights.h"

/* What a row's scale is chosen by. */
enum clipping { CLIPPING_GREATEST, CLIPPING_SQUARES, CLIPPING_OUTPUTS, N_CLIPPINGS };

static const char *const clipping_names[] = { "greatest", "squares", "outputs" };

/* Texts for the report where none are given. */
static const char *const own_texts[] = {
    "深度学习推动了人工智能的发展。",
    "春运期间，铁路部门增开了两百多列临时旅客列车。",
    "请问附近哪里有药店？",
    "数据库先把修改写进日志，断电之后仍然可以恢复。",
    "The library keeps rare books in rooms where humidity never changes.",
    "How do I return a parcel that arrived damaged?",
    "Water boils at a lower temperature on a mountain.",
    "A soft tyre is slow and gets punctures.",
};
#define N_OWN_TEXTS (sizeof own_texts / sizeof own_texts[0])

/* ---- one row ----------------------------------------------------------- */

static void round_row(size_t n, const float *w, float scale, int8_t *q)
{
    const float factor = scale > 0 ? 1 / scale : 0;

    for (size_t i = 0; i < n; i++) {
        float v = rintf(w[i] * factor);

        q[i] = (int8_t)(v < -127 ? -127 : v > 127 ? 127 : v);
    }
}

/* squares [n]: what each input's square is, in sum; NULL: all the same. Of inputs that
 * vary each for itself, the sum is the output's expected squared error, but for a factor. */
static double squares_lost(size_t n, const float *w, const double *squares, float scale,
                           const int8_t *q)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double lost = (double)w[i] - (double)scale * q[i];

        sum += lost * lost * (squares != NULL ? squares[i] : 1);
    }
    return sum;
}

/* The scale of a row, and the row by it. */
static float quantize_row(enum clipping clipping, size_t n, const float *w,
                          const double *squares, int8_t *q)
{
    float greatest = 0, best;
    double least;

    for (size_t i = 0; i < n; i++)
        greatest = fabsf(w[i]) > greatest ? fabsf(w[i]) : greatest;
    best = greatest / 127;
    round_row(n, w, best, q);
    if (clipping == CLIPPING_GREATEST || greatest == 0)
        return best;
    least = squares_lost(n, w, squares, best, q);
    for (int percent = 98; percent >= 60; percent -= 2) {
        const float scale = greatest / 127 * (float)percent / 100;
        double lost;

        round_row(n, w, scale, q);
        lost = squares_lost(n, w, squares, scale, q);
        if (lost < least) {
            least = lost;
            best = scale;
        }
    }
    round_row(n, w, best, q);
    return best;
}

/* ---- the file ---------------------------------------------------------- */

/* Matrices of the layers and the word embeddings: nearly all of a model's numbers. The
 * embeddings of positions and types are few and go into every token. */
static int is_quantized(const struct tensor *tensor)
{
    const size_t n = strlen(tensor->name);

    return tensor->n_dimensions == 2 && tensor->type != TENSOR_I8 && n > 7 &&
           strcmp(tensor->name + n - 7, ".weight") == 0 &&
           (strstr(tensor->name, "encoder.layer.") != NULL ||
            strstr(tensor->name, "encoder.layers.") != NULL || /* ERNIE-M's */
            strstr(tensor->name, "word_embeddings") != NULL);
}

struct plan {
    const struct safetensors *file;
    const struct weights *weights; /* of the same model, with squares measured or without */
    size_t n;
    struct tensor *tensor; /* [n], as they will be written */
    char (*scale_name)[200];
    size_t n_quantized, longest_row;
};

static void plan_reset(struct plan *plan)
{
    memory_free(plan->tensor);
    memory_free(plan->scale_name);
}

/* Each tensor as it is, or as int8 with its scales after it. Types that the library does
 * not read (position numbers, mostly) are left out. */
static int plan_init(struct plan *plan, const struct safetensors *file, ernie_error *err)
{
    const size_t n = safetensors_count(file);

    memset(plan, 0, sizeof *plan);
    plan->file = file;
    plan->tensor = memory_new(2 * n, sizeof *plan->tensor);
    plan->scale_name = memory_new(n, sizeof *plan->scale_name);
    if (plan->tensor == NULL || plan->scale_name == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(file));
    for (size_t i = 0; i < n; i++) {
        const struct tensor *tensor = safetensors_at(file, i);
        struct tensor *out = &plan->tensor[plan->n];

        if (tensor->type == TENSOR_OTHER)
            continue;
        *out = *tensor;
        plan->n++;
        if (!is_quantized(tensor))
            continue;
        out->type = TENSOR_I8;
        out->size_bytes = tensor->shape[0] * tensor->shape[1];
        snprintf(plan->scale_name[i], sizeof plan->scale_name[i], "%s_scale", tensor->name);
        out[1] = (struct tensor){ .name = plan->scale_name[i], .type = TENSOR_F32,
                                  .n_dimensions = 2, .shape = { tensor->shape[0], 1 },
                                  .size_bytes = tensor->shape[0] * sizeof(float) };
        plan->n++;
        plan->n_quantized++;
        if (tensor->shape[1] > plan->longest_row)
            plan->longest_row = tensor->shape[1];
    }
    return ERNIE_OK;
}

/* The squares of what a matrix is multiplied with; NULL: not measured, or not multiplied. */
static const double *find_squares(const struct weights *weights, const struct tensor *tensor)
{
    static const char layers[] = "encoder.layer.", self[] = ".attention.self.";
    const char *at = strstr(tensor->name, layers);
    const struct layer *layer;
    const struct linear *linear;
    unsigned long i;
    char *part;

    if (at == NULL)
        return NULL;
    i = strtoul(at + sizeof layers - 1, &part, 10);
    if (i >= weights->n_layers)
        return NULL;
    layer = &weights->layer[i];
    linear = strncmp(part, self, sizeof self - 1) == 0           ? &layer->query_key_value
             : strcmp(part, ".attention.output.dense.weight") == 0 ? &layer->attention_output
             : strcmp(part, ".intermediate.dense.weight") == 0     ? &layer->intermediate
             : strcmp(part, ".output.dense.weight") == 0           ? &layer->output
                                                                   : NULL;
    return linear != NULL && linear->n_in == tensor->shape[1] ? linear->squares : NULL;
}

static int write_quantized(struct directory_writer *writer, const struct plan *plan,
                           const struct tensor *tensor, enum clipping clipping, ernie_error *err)
{
    const size_t n_rows = tensor->shape[0], n = tensor->shape[1];
    const size_t row_bytes = n * tensor_type_size(tensor->type);
    const double *squares =
        clipping == CLIPPING_OUTPUTS ? find_squares(plan->weights, tensor) : NULL;
    float *scale = memory_new_aligned(n_rows, sizeof *scale);
    float *row = memory_new_aligned(n, sizeof *row);
    uint8_t *bytes = memory_new_aligned(row_bytes, 1);
    int8_t *q = memory_new_aligned(n, 1);
    int status = ERNIE_OK;

    if (scale == NULL || row == NULL || bytes == NULL || q == NULL)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(plan->file));
    for (size_t i = 0; status == ERNIE_OK && i < n_rows; i++) {
        status = safetensors_read(plan->file, tensor, i * row_bytes, row_bytes, bytes, err);
        if (status != ERNIE_OK)
            break;
        tensor_widen(tensor->type, n, bytes, row);
        scale[i] = quantize_row(clipping, n, row, squares, q);
        status = directory_writer_data(writer, q, n, err);
    }
    if (status == ERNIE_OK)
        status = directory_writer_data(writer, scale, n_rows * sizeof *scale, err);
    memory_free_aligned(scale);
    memory_free_aligned(row);
    memory_free_aligned(bytes);
    memory_free_aligned(q);
    return status;
}

static int write_as_is(struct directory_writer *writer, const struct plan *plan,
                       const struct tensor *tensor, ernie_error *err)
{
    uint8_t block[65536];
    int status = ERNIE_OK;

    for (size_t at = 0; status == ERNIE_OK && at < tensor->size_bytes; at += sizeof block) {
        const size_t left = tensor->size_bytes - at, n = left < sizeof block ? left : sizeof block;

        status = safetensors_read(plan->file, tensor, at, n, block, err);
        if (status == ERNIE_OK)
            status = directory_writer_data(writer, block, n, err);
    }
    return status;
}

static int write_weights(struct directory_writer *writer, const struct plan *plan,
                         enum clipping clipping, ernie_error *err)
{
    int status = directory_writer_begin(writer, plan->n, plan->tensor, err);

    for (size_t i = 0; status == ERNIE_OK && i < safetensors_count(plan->file); i++) {
        const struct tensor *tensor = safetensors_at(plan->file, i);

        if (tensor->type == TENSOR_OTHER)
            continue;
        status = is_quantized(tensor) ? write_quantized(writer, plan, tensor, clipping, err)
                                      : write_as_is(writer, plan, tensor, err);
    }
    return status == ERNIE_OK ? directory_writer_end(writer, err) : status;
}

/* ---- the report -------------------------------------------------------- */

/* Texts, and what the original makes of them. */
struct sample {
    size_t n;
    const char *const *texts;
    float *embeddings; /* [n][dim] */
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static size_t count_tokens(const ernie_model *model, const struct sample *sample)
{
    size_t total = 0;

    for (size_t i = 0; i < sample->n; i++) {
        struct ernie_tokens tokens;

        if (ernie_tokenize(model, sample->texts[i], NULL, ernie_model_max_tokens(model), &tokens,
                           NULL) == ERNIE_OK) {
            total += tokens.n;
            ernie_tokens_reset(&tokens);
        }
    }
    return total;
}

/* Embeds the sample twice, the second time by the clock. */
static int embed(const ernie_model *model, const struct sample *sample, float *out,
                 double *tokens_per_s, ernie_error *err)
{
    ernie_encoder *encoder = NULL;
    int status = ernie_encoder_new(model, 0, &encoder, err);

    if (status == ERNIE_OK)
        status = ernie_encode(encoder, sample->n, sample->texts, out, err);
    if (status == ERNIE_OK) {
        const double start = now_s();

        status = ernie_encode(encoder, sample->n, sample->texts, out, err);
        *tokens_per_s = (double)count_tokens(model, sample) / (now_s() - start);
    }
    ernie_encoder_free(encoder);
    return status;
}

/* Has the original add up the squares of its layers' inputs over the texts that may choose. */
static int measure(ernie_model *model, const struct sample *sample, ernie_error *err)
{
    ernie_encoder *encoder = NULL;
    float *out = memory_new_aligned(sample->n / 2, ernie_model_dim(model) * sizeof *out);
    int status = out == NULL ? error_set(err, ERNIE_ENOMEM, "model: out of memory")
                             : ernie_encoder_new(model, 1, &encoder, err);

    for (size_t i = 0; status == ERNIE_OK && i < model->weights->n_layers; i++) {
        struct layer *layer = &model->weights->layer[i];
        struct linear *const linears[] = { &layer->query_key_value, &layer->attention_output,
                                           &layer->intermediate, &layer->output };

        for (size_t j = 0; status == ERNIE_OK && j < 4; j++) {
            linears[j]->squares = memory_new(linears[j]->n_in, sizeof(double));
            if (linears[j]->squares == NULL)
                status = error_set(err, ERNIE_ENOMEM, "model: out of memory");
        }
    }
    if (status == ERNIE_OK)
        status = ernie_encode(encoder, sample->n / 2, sample->texts, out, err);
    ernie_encoder_free(encoder);
    memory_free_aligned(out);
    return status;
}

/* The written model's cosines to the original: first those of the texts that may choose
 * between clippings, then those that only judge. */
static int judge(const char *directory, const struct sample *sample, double *choosing,
                 struct ernie_quantize_report *report, ernie_error *err)
{
    ernie_model *model = NULL;
    float *out = NULL;
    size_t dim, n_choosing = sample->n / 2;
    int status = ernie_model_open(directory, &model, err);

    if (status != ERNIE_OK)
        return status;
    dim = ernie_model_dim(model);
    out = memory_new_aligned(sample->n, dim * sizeof *out);
    status = out == NULL ? error_set(err, ERNIE_ENOMEM, "%s: out of memory", directory)
                         : embed(model, sample, out, &report->tokens_per_s_after, err);
    *choosing = report->cosine_mean = 0;
    report->cosine_least = 1;
    for (size_t i = 0; status == ERNIE_OK && i < sample->n; i++) {
        double cosine = ernie_cosine(dim, out + i * dim, sample->embeddings + i * dim);

        if (i < n_choosing) {
            *choosing += cosine;
            continue;
        }
        report->cosine_mean += cosine / (double)(sample->n - n_choosing);
        if (cosine < report->cosine_least)
            report->cosine_least = cosine;
    }
    report->n_texts = sample->n - n_choosing;
    memory_free_aligned(out);
    ernie_model_close(model);
    return status;
}

static uint64_t weights_bytes(const char *directory)
{
    char *path = path_join(directory, "model.safetensors");
    struct stat st = { 0 };

    if (path == NULL || system_table.fstatat(AT_FDCWD, path, &st, 0) != 0)
        st.st_size = 0;
    memory_free(path);
    return (uint64_t)st.st_size;
}

/* ---- all of it --------------------------------------------------------- */

/* Writes the weights by each clipping that may be chosen, and keeps the better. */
static int write_best(struct directory_writer *writer, const struct plan *plan,
                      const struct sample *sample, int calibrate,
                      struct ernie_quantize_report *report, ernie_error *err)
{
    enum clipping best = CLIPPING_GREATEST;
    double best_sum = -INFINITY, sum = 0;
    int status = ERNIE_OK, written = -1;

    for (int i = 0; status == ERNIE_OK && i < (calibrate ? N_CLIPPINGS : 1); i++) {
        status = write_weights(writer, plan, (enum clipping)i, err);
        if (status == ERNIE_OK)
            status = judge(directory_writer_path(writer), sample, &sum, report, err);
        written = i;
        if (status == ERNIE_OK && sum > best_sum) {
            best_sum = sum;
            best = (enum clipping)i;
        }
    }
    if (status == ERNIE_OK && written != (int)best) {
        status = write_weights(writer, plan, best, err);
        if (status == ERNIE_OK)
            status = judge(directory_writer_path(writer), sample, &sum, report, err);
    }
    report->clipping = clipping_names[best];
    return status;
}

static int quantize(ernie_model *model, const struct safetensors *file, const char *out,
                    struct sample *sample, int calibrate, struct ernie_quantize_report *report,
                    ernie_error *err)
{
    struct directory_writer *writer = NULL;
    struct plan plan;
    int status = plan_init(&plan, file, err);

    if (status == ERNIE_OK && plan.n_quantized == 0)
        status = error_set(err, ERNIE_EINVAL, "%s: its weights are int8 already",
                           safetensors_path(file));
    plan.weights = model->weights;
    report->n_matrices = plan.n_quantized;
    if (status == ERNIE_OK) {
        sample->embeddings =
            memory_new_aligned(sample->n, ernie_model_dim(model) * sizeof(float));
        status = sample->embeddings == NULL
                     ? error_set(err, ERNIE_ENOMEM, "%s: out of memory", out)
                     : embed(model, sample, sample->embeddings, &report->tokens_per_s_before, err);
    }
    if (status == ERNIE_OK && calibrate)
        status = measure(model, sample, err);
    if (status == ERNIE_OK)
        status = directory_writer_new(ernie_model_directory(model), out, &writer, err);
    if (status == ERNIE_OK) {
        status = write_best(writer, &plan, sample, calibrate, report, err);
        report->bytes_after = weights_bytes(directory_writer_path(writer));
        if (status == ERNIE_OK)
            status = directory_writer_finish(writer, err);
        else
            directory_writer_cancel(writer);
    }
    memory_free_aligned(sample->embeddings);
    plan_reset(&plan);
    return status;
}

int ernie_model_quantize(const char *directory, const char *out, size_t n_texts,
                         const char *const *texts, struct ernie_quantize_report *report,
                         ernie_error *err)
{
    struct sample sample = { n_texts, texts, NULL };
    struct ernie_quantize_report unused;
    struct safetensors *file = NULL;
    ernie_model *model = NULL;
    int status;

    if (n_texts < 2)
        sample = (struct sample){ N_OWN_TEXTS, own_texts, NULL };
    if (report == NULL)
        report = &unused;
    memset(report, 0, sizeof *report);
    status = ernie_model_open(directory, &model, err);
    if (status == ERNIE_OK)
        status = checkpoint_open(directory, &file, err);
    if (status == ERNIE_OK) {
        report->bytes_before = safetensors_size_bytes(file);
        status = quantize(model, file, out, &sample, n_texts >= 2, report, err);
    }
    safetensors_close(file);
    ernie_model_close(model);
    return status;
}
