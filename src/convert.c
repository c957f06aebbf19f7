/* A checkpoint as people have it, made into a directory as transformers writes one: a
 * single file, plain names, linear layers [outputs][inputs]. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/float_state.h"
#include "base/memory.h"
#include "ernie.h"
#include "model/checkpoint.h"
#include "model/directory.h"
#include "model/safetensors.h"

#define NAME_BYTES 200
#define BLOCK      16384 /* numbers that are converted at once */

struct plan {
    const struct safetensors *file;
    size_t n;
    struct tensor *out;        /* [n], as they will be written */
    const struct tensor **from; /* [n] */
    int *is_linear;            /* [n] */
    char (*name)[NAME_BYTES];  /* [n] */
    int transposed;            /* linear layers are [inputs][outputs] in file */
};

static int ends_with(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);

    return n >= m && strcmp(name + n - m, ending) == 0;
}

static int begins_with(const char *name, size_t n, const char *beginning)
{
    return strncmp(name, beginning, n) == 0;
}

/* ---- names ------------------------------------------------------------- */

/* What predicts words, in training: no part of an encoder, and as large as its words. */
static int is_of_training(const char *name)
{
    return begins_with(name, 4, "cls.") || begins_with(name, 8, "lm_head.");
}

static int is_left_out(const struct tensor *tensor)
{
    return tensor->type == TENSOR_OTHER || is_of_training(tensor->name);
}

/* How much stands before the names of the encoder's tensors ("bert."). 0 when something
 * stands beside it, a classifier: its model is told from the encoder by the prefix. */
static size_t find_prefix(const struct safetensors *file)
{
    static const char word[] = "embeddings.word_embeddings.weight";
    const char *prefix = NULL;
    size_t n = 0;

    for (size_t i = 0; prefix == NULL && i < safetensors_count(file); i++) {
        const char *name = safetensors_at(file, i)->name;

        if (ends_with(name, word) && !is_of_training(name)) {
            prefix = name;
            n = strlen(name) - (sizeof word - 1);
        }
    }
    for (size_t i = 0; n > 0 && i < safetensors_count(file); i++)
        if (!is_left_out(safetensors_at(file, i)) &&
            !begins_with(safetensors_at(file, i)->name, n, prefix))
            n = 0;
    return n;
}

/* gamma and beta of TensorFlow's time are called weight and bias. */
static int clean_name(const char *name, char out[NAME_BYTES])
{
    static const char *const old[] = { ".gamma", ".beta" }, *const new[] = { ".weight", ".bias" };
    size_t n = strlen(name);
    const char *ending = "";

    for (int i = 0; i < 2; i++) {
        if (ends_with(name, old[i])) {
            n -= strlen(old[i]);
            ending = new[i];
        }
    }
    return snprintf(out, NAME_BYTES, "%.*s%s", (int)n, name, ending) < NAME_BYTES;
}

/* ---- layout ------------------------------------------------------------ */

/* The bias of a linear layer's weight; NULL when it is none. */
static const struct tensor *find_bias(const struct safetensors *file, const struct tensor *weight)
{
    char name[NAME_BYTES];
    const struct tensor *bias;
    const int n = (int)strlen(weight->name) - 7;

    if (weight->n_dimensions != 2 || !ends_with(weight->name, ".weight") ||
        snprintf(name, sizeof name, "%.*s.bias", n, weight->name) >= (int)sizeof name)
        return NULL;
    bias = safetensors_find(file, name);
    return bias != NULL && bias->n_dimensions == 1 ? bias : NULL;
}

/* Paddle stores linear layers [inputs][outputs], PyTorch the other way. There are as many
 * biases as outputs, so each layer that is not square tells which it is. */
static int find_layout(struct plan *plan, ernie_error *err)
{
    const char *straight = NULL, *transposed = NULL;

    for (size_t i = 0; i < plan->n; i++) {
        const struct tensor *weight = plan->from[i], *bias = find_bias(plan->file, weight);

        plan->is_linear[i] = bias != NULL;
        if (bias == NULL || weight->shape[0] == weight->shape[1])
            continue;
        if (weight->shape[0] == bias->shape[0])
            straight = weight->name;
        else if (weight->shape[1] == bias->shape[0])
            transposed = weight->name;
    }
    if (straight != NULL && transposed != NULL)
        return error_set(err, ERNIE_EFORMAT, "%s: %.80s is transposed, and %.80s is not",
                         safetensors_path(plan->file), transposed, straight);
    plan->transposed = transposed != NULL;
    return ERNIE_OK;
}

/* ---- the plan ---------------------------------------------------------- */

static void plan_reset(struct plan *plan)
{
    memory_free(plan->out);
    memory_free(plan->from);
    memory_free(plan->is_linear);
    memory_free(plan->name);
}

static int plan_init(struct plan *plan, const struct safetensors *file, enum ernie_dtype dtype,
                     ernie_error *err)
{
    static const enum tensor_type types[] = { [ERNIE_F32] = TENSOR_F32, [ERNIE_F16] = TENSOR_F16,
                                              [ERNIE_BF16] = TENSOR_BF16 };
    const size_t n = safetensors_count(file), n_prefix = find_prefix(file);
    int status;

    memset(plan, 0, sizeof *plan);
    plan->file = file;
    plan->out = memory_new(n, sizeof *plan->out);
    plan->from = memory_new(n, sizeof *plan->from);
    plan->is_linear = memory_new(n, sizeof *plan->is_linear);
    plan->name = memory_new(n, sizeof *plan->name);
    if (plan->out == NULL || plan->from == NULL || plan->is_linear == NULL || plan->name == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(file));
    for (size_t i = 0; i < n; i++) {
        const struct tensor *tensor = safetensors_at(file, i);

        if (is_left_out(tensor))
            continue;
        if (!clean_name(tensor->name + n_prefix, plan->name[plan->n]))
            return error_set(err, ERNIE_EFORMAT, "%s: %.120s...: too long a name",
                             safetensors_path(file), tensor->name);
        if (tensor->type == TENSOR_I8 && dtype != ERNIE_AS_IS)
            return error_set(err, ERNIE_EINVAL, "%s: its weights are int8 already",
                             safetensors_path(file));
        plan->from[plan->n++] = tensor;
    }
    status = find_layout(plan, err);
    for (size_t i = 0; status == ERNIE_OK && i < plan->n; i++) {
        const struct tensor *from = plan->from[i];
        struct tensor *out = &plan->out[i];

        *out = *from;
        out->name = plan->name[i];
        if (dtype != ERNIE_AS_IS)
            out->type = types[dtype];
        out->size_bytes =
            from->size_bytes / tensor_type_size(from->type) * tensor_type_size(out->type);
        if (plan->transposed && plan->is_linear[i]) {
            out->shape[0] = from->shape[1];
            out->shape[1] = from->shape[0];
        }
    }
    return status;
}

/* ---- writing ----------------------------------------------------------- */

/* n numbers of from's type as numbers of out's. */
static int write_numbers(struct directory_writer *writer, const struct tensor *from,
                         const struct tensor *out, size_t n, const uint8_t *bytes,
                         ernie_error *err)
{
    float wide[1024];
    uint8_t narrow[sizeof wide];

    if (from->type == out->type)
        return directory_writer_data(writer, bytes, n * tensor_type_size(from->type), err);
    for (size_t i = 0; i < n; i += 1024) {
        const size_t part = n - i < 1024 ? n - i : 1024;
        int status;

        tensor_widen(from->type, part, bytes + i * tensor_type_size(from->type), wide);
        if (!tensor_narrow(out->type, part, wide, narrow))
            return error_set(err, ERNIE_EINVAL, "%s: %s: a number is too large for this dtype",
                             safetensors_path(from->file), from->name);
        status = directory_writer_data(writer, narrow, part * tensor_type_size(out->type), err);
        if (status != ERNIE_OK)
            return status;
    }
    return ERNIE_OK;
}

static int write_tensor(struct directory_writer *writer, const struct tensor *from,
                        const struct tensor *out, ernie_error *err)
{
    const size_t size = tensor_type_size(from->type), n = from->size_bytes / size;
    uint8_t *block = memory_new_aligned(BLOCK, size);
    int status = ERNIE_OK;

    if (block == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(from->file));
    for (size_t i = 0; status == ERNIE_OK && i < n; i += BLOCK) {
        const size_t part = n - i < BLOCK ? n - i : BLOCK;

        status = safetensors_read(from->file, from, i * size, part * size, block, err);
        if (status == ERNIE_OK)
            status = write_numbers(writer, from, out, part, block, err);
    }
    memory_free_aligned(block);
    return status;
}

/* Row j of what is written is column j of what was read. */
static int write_transposed(struct directory_writer *writer, const struct tensor *from,
                            const struct tensor *out, ernie_error *err)
{
    const size_t size = tensor_type_size(from->type), n_rows = out->shape[0], n = out->shape[1];
    uint8_t *whole = memory_new_aligned(from->size_bytes, 1), *row = memory_new_aligned(n, size);
    int status = whole == NULL || row == NULL
                     ? error_set(err, ERNIE_ENOMEM, "%s: out of memory",
                                 safetensors_path(from->file))
                     : safetensors_read(from->file, from, 0, from->size_bytes, whole, err);

    for (size_t j = 0; status == ERNIE_OK && j < n_rows; j++) {
        for (size_t i = 0; i < n; i++)
            memcpy(row + i * size, whole + (i * n_rows + j) * size, size);
        status = write_numbers(writer, from, out, n, row, err);
    }
    memory_free_aligned(whole);
    memory_free_aligned(row);
    return status;
}

static int write_weights(struct directory_writer *writer, const struct plan *plan,
                         ernie_error *err)
{
    int status = directory_writer_begin(writer, plan->n, plan->out, err);

    for (size_t i = 0; status == ERNIE_OK && i < plan->n; i++)
        status = plan->transposed && plan->is_linear[i]
                     ? write_transposed(writer, plan->from[i], &plan->out[i], err)
                     : write_tensor(writer, plan->from[i], &plan->out[i], err);
    return status == ERNIE_OK ? directory_writer_end(writer, err) : status;
}

/* What was written opens; what is wrong with it is said of the directory it came from,
 * which is there for the user to see. */
static int check(const char *directory, const char *written, struct ernie_model_info *info,
                 ernie_error *err)
{
    const size_t n = strlen(written);
    ernie_model *model = NULL;
    ernie_error why;
    int status = ernie_model_open(written, &model, &why);

    if (status == ERNIE_OK)
        status = ernie_model_info(model, info, &why);
    ernie_model_close(model);
    if (status == ERNIE_OK)
        return ERNIE_OK;
    return strncmp(why.message, written, n) == 0
               ? error_set(err, status, "%s%s", directory, why.message + n)
               : error_set(err, status, "%s", why.message);
}

static int convert(const char *directory, const char *out, const struct plan *plan,
                   struct ernie_convert_report *report, ernie_error *err)
{
    struct directory_writer *writer = NULL;
    struct ernie_model_info info;
    int status = directory_writer_new(directory, out, &writer, err);

    if (status != ERNIE_OK)
        return status;
    status = write_weights(writer, plan, err);
    if (status == ERNIE_OK)
        status = check(directory, directory_writer_path(writer), &info, err);
    if (status != ERNIE_OK) {
        directory_writer_cancel(writer);
        return status;
    }
    report->n_tensors = plan->n;
    report->n_left_out = safetensors_count(plan->file) - plan->n;
    report->transposed = plan->transposed;
    report->bytes_before = safetensors_size_bytes(plan->file);
    report->bytes_after = info.weights_bytes;
    return directory_writer_finish(writer, err);
}

int ernie_model_convert(const char *directory, const char *out, enum ernie_dtype dtype,
                        struct ernie_convert_report *report, ernie_error *err)
{
    struct ernie_convert_report unused;
    struct safetensors *file = NULL;
    struct float_state state;
    struct plan plan = { 0 };
    int status;

    if (report == NULL)
        report = &unused;
    memset(report, 0, sizeof *report);
    float_state_begin(&state);
    status = checkpoint_open(directory, &file, err);
    if (status == ERNIE_OK)
        status = plan_init(&plan, file, dtype, err);
    if (status == ERNIE_OK)
        status = convert(directory, out, &plan, report, err);
    float_state_end(&state);
    plan_reset(&plan);
    safetensors_close(file);
    return status;
}
