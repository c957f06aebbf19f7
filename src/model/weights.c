#include "model/weights.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kernel/pack.h"

/* Bytes converted at once: a part of the file that stays in the cache, and a row of int8
 * weights at least, of which config.json may ask for no more. */
#define BLOCK 65536

/* ---- loading ----------------------------------------------------------- */

struct loader {
    const struct safetensors *file;
    const char *prefix; /* of every name: "bert.", "roformer.", ... or "" */
    struct hasher *hasher;
    const struct kernel *kernel; /* that will multiply */
    uint8_t block[BLOCK];
};

/* Finds a tensor and checks its shape; a vector has columns 1 and may be written
 * [rows] or [rows][1]. *out is NULL when there is none of the name. */
static int find(const struct loader *loader, const char *name, size_t rows, size_t columns,
                const struct tensor **out, ernie_error *err)
{
    const char *path = safetensors_path(loader->file);
    const struct tensor *tensor;
    char full[160];

    snprintf(full, sizeof full, "%s%s", loader->prefix, name);
    tensor = safetensors_find(loader->file, full);
    *out = tensor;
    if (tensor == NULL)
        return ERNIE_OK;
    if (tensor->n_dimensions == 2
            ? tensor->shape[0] != rows || tensor->shape[1] != columns
            : tensor->n_dimensions != 1 || columns != 1 || tensor->shape[0] != rows)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: shape is not %zu x %zu, as config.json says%s",
                         path, full, rows, columns,
                         tensor->shape[0] == columns && tensor->shape[1] == rows
                             ? ", but transposed: see `ernie model convert`"
                             : "");
    if (tensor->type == TENSOR_OTHER)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: dtype is none of F32, F16, BF16, I8", path,
                         full);
    return ERNIE_OK;
}

static int missing(const struct loader *loader, const char *name, ernie_error *err)
{
    return error_set(err, ERNIE_EFORMAT, "%s: %s%s: missing", safetensors_path(loader->file),
                     loader->prefix, name);
}

/* All numbers of a tensor as float32. */
static int read_floats(struct loader *loader, const struct tensor *tensor, float *out,
                       ernie_error *err)
{
    const size_t size = tensor_type_size(tensor->type);

    for (size_t offset = 0; offset < tensor->size_bytes; offset += BLOCK) {
        size_t n = tensor->size_bytes - offset < BLOCK ? tensor->size_bytes - offset : BLOCK;
        float *part = out + offset / size;
        int status = safetensors_read(loader->file, tensor, offset, n, loader->block, err);

        if (status != ERNIE_OK)
            return status;
        hasher_add(loader->hasher, loader->block, n);
        tensor_widen(tensor->type, n / size, loader->block, part);
        for (size_t i = 0; i < n / size; i++)
            if (!isfinite(part[i]))
                return error_set(err, ERNIE_EFORMAT, "%s: %s: holds infinity or NaN",
                                 safetensors_path(loader->file), tensor->name);
    }
    return ERNIE_OK;
}

/* A vector under one of two names: checkpoints of TensorFlow's time say gamma and
 * beta for what others call weight and bias. */
static int load_vector(struct loader *loader, const char *name, const char *old_name, size_t n,
                       float **out, ernie_error *err)
{
    const struct tensor *tensor;
    int status = find(loader, name, n, 1, &tensor, err);

    if (status == ERNIE_OK && tensor == NULL && old_name != NULL)
        status = find(loader, old_name, n, 1, &tensor, err);
    if (status != ERNIE_OK)
        return status;
    if (tensor == NULL)
        return missing(loader, name, err);
    if (tensor->type == TENSOR_I8)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: dtype must not be I8",
                         safetensors_path(loader->file), tensor->name);
    *out = memory_new_aligned(n, sizeof **out);
    if (*out == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(loader->file));
    return read_floats(loader, tensor, *out, err);
}

/* The factors of an int8 matrix, one a row. */
static int load_scale(struct loader *loader, const char *name, size_t rows, float **out,
                      ernie_error *err)
{
    char scale_name[200];

    snprintf(scale_name, sizeof scale_name, "%s_scale", name);
    return load_vector(loader, scale_name, NULL, rows, out, err);
}

/* A matrix as float32 into out [rows][columns]. */
static int load_matrix(struct loader *loader, const char *name, size_t rows, size_t columns,
                       float *out, ernie_error *err)
{
    const struct tensor *tensor;
    float *scale = NULL;
    int status = find(loader, name, rows, columns, &tensor, err);

    if (status == ERNIE_OK && tensor == NULL)
        status = missing(loader, name, err);
    if (status == ERNIE_OK)
        status = read_floats(loader, tensor, out, err);
    if (status == ERNIE_OK && tensor->type == TENSOR_I8)
        status = load_scale(loader, name, rows, &scale, err);
    for (size_t i = 0; status == ERNIE_OK && scale != NULL && i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            out[i * columns + j] *= scale[i];
    memory_free_aligned(scale);
    return status;
}

/* Whether the layer of this name has int8 weights. */
static int is_int8(const struct loader *loader, const char *layer)
{
    char name[160];
    const struct tensor *tensor;

    snprintf(name, sizeof name, "%s%s.weight", loader->prefix, layer);
    tensor = safetensors_find(loader->file, name);
    return tensor != NULL && tensor->type == TENSOR_I8;
}

/* An int8 matrix and its factors, as outputs [first, first + n_out) of a packed one. */
static int pack_int8(struct loader *loader, const char *name, size_t first, size_t n_out,
                     size_t n_in, const struct matrix_i8 *out, ernie_error *err)
{
    const size_t n_at_once = BLOCK / n_in;
    const struct tensor *tensor;
    float *scale = NULL;
    int status = find(loader, name, n_out, n_in, &tensor, err);

    if (status == ERNIE_OK)
        hasher_begin(loader->hasher, tensor->size_bytes);
    for (size_t i = 0; status == ERNIE_OK && i < n_out; i += n_at_once) {
        const size_t n = n_out - i < n_at_once ? n_out - i : n_at_once;

        status = safetensors_read(loader->file, tensor, i * n_in, n * n_in, loader->block, err);
        if (status != ERNIE_OK)
            break;
        hasher_continue(loader->hasher, loader->block, n * n_in);
        pack_i8_rows(first + i, n, n_in, (const int8_t *)loader->block, out->packed, out->sum);
    }
    if (status == ERNIE_OK)
        status = load_scale(loader, name, n_out, &scale, err);
    if (status == ERNIE_OK)
        memcpy(out->scale + first, scale, n_out * sizeof *scale);
    memory_free_aligned(scale);
    return status;
}

/* The weights of n layers, all int8, packed as the kernels take them. */
static int load_int8_weights(struct loader *loader, size_t n, const char *const *names,
                             size_t n_in, size_t n_out, struct linear *out, ernie_error *err)
{
    const size_t padded_in = pack_padded(n_in, I8_INPUTS);
    const size_t padded_out = pack_padded(n * n_out, I8_OUTPUTS);
    char name[160];
    int status = ERNIE_OK;

    out->i8.n_in = padded_in;
    out->i8.n_out = n * n_out;
    out->i8.packed = memory_new_aligned(padded_out, padded_in);
    out->i8.sum = memory_new_aligned(padded_out, sizeof *out->i8.sum);
    out->i8.scale = memory_new_aligned(n * n_out, sizeof *out->i8.scale);
    if (out->i8.packed == NULL || out->i8.sum == NULL || out->i8.scale == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(loader->file));
    memset(out->i8.packed, 0, padded_out * padded_in);
    memset(out->i8.sum, 0, padded_out * sizeof *out->i8.sum);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        snprintf(name, sizeof name, "%s.weight", names[i]);
        status = pack_int8(loader, name, i * n_out, n_out, n_in, &out->i8, err);
    }
    return status;
}

static int load_float_weights(struct loader *loader, size_t n, const char *const *names,
                              size_t n_in, size_t n_out, struct linear *out, ernie_error *err)
{
    const size_t padded_in = pack_padded(n_in, I8_INPUTS);
    const size_t padded_out = pack_padded(n * n_out, I8_OUTPUTS);
    float *w = memory_new_aligned(n * n_out, n_in * sizeof *w);
    char name[160];
    int status = ERNIE_OK;

    out->f32.n_in = padded_in;
    out->f32.n_out = n * n_out;
    out->f32.packed = memory_new_aligned(padded_out, padded_in * sizeof(float));
    if (w == NULL || out->f32.packed == NULL)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(loader->file));
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        snprintf(name, sizeof name, "%s.weight", names[i]);
        status = load_matrix(loader, name, n_out, n_in, w + i * n_out * n_in, err);
    }
    if (status == ERNIE_OK)
        loader->kernel->pack_f32(n * n_out, n_in, w, out->f32.packed);
    memory_free_aligned(w);
    return status;
}

static int load_biases(struct loader *loader, size_t n, const char *const *names, size_t n_out,
                       struct linear *out, ernie_error *err)
{
    char name[160];
    int status = ERNIE_OK;

    out->bias = memory_new_aligned(n * n_out, sizeof *out->bias);
    if (out->bias == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(loader->file));
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        float *bias = NULL;

        snprintf(name, sizeof name, "%s.bias", names[i]);
        status = load_vector(loader, name, NULL, n_out, &bias, err);
        if (status == ERNIE_OK)
            memcpy(out->bias + i * n_out, bias, n_out * sizeof *bias);
        memory_free_aligned(bias);
    }
    return status;
}

/* n linear layers of the same shape, under names [n], as one that gives their
 * outputs after each other. */
static int load_linear(struct loader *loader, size_t n, const char *const *names, size_t n_in,
                       size_t n_out, struct linear *out, ernie_error *err)
{
    int status, all_int8 = 1;

    out->n_in = n_in;
    out->n_out = n * n_out;
    for (size_t i = 0; i < n; i++)
        all_int8 = all_int8 && is_int8(loader, names[i]);
    if (all_int8)
        status = load_int8_weights(loader, n, names, n_in, n_out, out, err);
    else /* a layer of both kinds is as exact as its float32 part */
        status = load_float_weights(loader, n, names, n_in, n_out, out, err);
    if (status == ERNIE_OK)
        status = load_biases(loader, n, names, n_out, out, err);
    out->f32.bias = out->i8.bias = out->bias;
    return status;
}

static int load_norm(struct loader *loader, const char *name, size_t n,
                     struct layer_norm *out, ernie_error *err)
{
    char names[4][160];
    int status;

    snprintf(names[0], sizeof names[0], "%s.weight", name);
    snprintf(names[1], sizeof names[1], "%s.gamma", name);
    snprintf(names[2], sizeof names[2], "%s.bias", name);
    snprintf(names[3], sizeof names[3], "%s.beta", name);
    status = load_vector(loader, names[0], names[1], n, &out->gamma, err);
    return status == ERNIE_OK
               ? load_vector(loader, names[2], names[3], n, &out->beta, err)
               : status;
}

static int load_int8_rows(struct loader *loader, const struct tensor *tensor, const char *name,
                          struct embedding *out, ernie_error *err)
{
    int status;

    out->rows_i8 = memory_new_aligned(tensor->size_bytes, 1);
    if (out->rows_i8 == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(loader->file));
    status = safetensors_read(loader->file, tensor, 0, tensor->size_bytes, out->rows_i8, err);
    if (status != ERNIE_OK)
        return status;
    hasher_add(loader->hasher, out->rows_i8, tensor->size_bytes);
    return load_scale(loader, name, out->n_rows, &out->scale, err);
}

static int load_embedding(struct loader *loader, const char *name, size_t n_rows,
                          size_t embedding_size, int optional, struct embedding *out,
                          ernie_error *err)
{
    const struct tensor *tensor;
    int status = find(loader, name, n_rows, embedding_size, &tensor, err);

    if (status != ERNIE_OK)
        return status;
    if (tensor == NULL)
        return optional ? ERNIE_OK : missing(loader, name, err);
    out->n_rows = n_rows;
    if (tensor->type == TENSOR_I8)
        return load_int8_rows(loader, tensor, name, out, err);
    out->rows = memory_new_aligned(n_rows, embedding_size * sizeof *out->rows);
    if (out->rows == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(loader->file));
    return read_floats(loader, tensor, out->rows, err);
}

/* ---- names ------------------------------------------------------------- */

/* What the tensors of an encoder are called, without prefix and ".weight". */
struct names {
    const char *word, *position, *token_type, *task_type, *embedding_norm, *projection;
    const char *layer; /* what stands before a layer's number; the rest stands after it */
    const char *query, *key, *value, *attention_output, *attention_norm;
    const char *intermediate, *output, *output_norm;
};

static const struct names bert_names = {
    .word = "embeddings.word_embeddings",
    .position = "embeddings.position_embeddings",
    .token_type = "embeddings.token_type_embeddings",
    .task_type = "embeddings.task_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .projection = "embeddings_project",
    .layer = "encoder.layer",
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .attention_output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .intermediate = "intermediate.dense",
    .output = "output.dense",
    .output_norm = "output.LayerNorm",
};

/* PaddlePaddle's names for a layer. */
static const struct names ernie_m_names = {
    .word = "embeddings.word_embeddings",
    .position = "embeddings.position_embeddings",
    .embedding_norm = "embeddings.layer_norm",
    .layer = "encoder.layers",
    .query = "self_attn.self_attn.q_proj",
    .key = "self_attn.self_attn.k_proj",
    .value = "self_attn.self_attn.v_proj",
    .attention_output = "self_attn.out_proj",
    .attention_norm = "norm1",
    .intermediate = "linear1",
    .output = "linear2",
    .output_norm = "norm2",
};

/* The encoder's names, and those of a sequence classifier's two layers. A pooler is part
 * of the encoder: its name has the prefix of the encoder's. */
static const struct family {
    const struct names *encoder;
    const char *pooler, *head_hidden, *head_output;
} families[N_FAMILIES] = {
    [FAMILY_BERT] = { &bert_names, "pooler.dense", NULL, "classifier" },
    [FAMILY_ROBERTA] = { &bert_names, NULL, "classifier.dense", "classifier.out_proj" },
    [FAMILY_ROFORMER] = { &bert_names, NULL, "classifier.dense", "classifier.out_proj" },
    [FAMILY_ERNIE_M] = { &ernie_m_names, "pooler.dense", NULL, "classifier" },
};

/* What stands before the names in this file: nothing, or the encoder's place in a model
 * with a head. */
static const char *find_prefix(const struct safetensors *file, const struct names *names)
{
    static const char *const prefixes[] = { "",         "bert.",     "ernie.",
                                            "roberta.", "roformer.", "ernie_m." };
    char name[80];

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s.weight", prefixes[i], names->word);
        if (safetensors_find(file, name) != NULL)
            return prefixes[i];
    }
    return "";
}

/* ---- the whole --------------------------------------------------------- */

static int load_layer(struct loader *loader, size_t i, const struct model_config *config,
                      struct layer *out, ernie_error *err)
{
    const struct names *names = families[config->family].encoder;
    const char *const parts[] = {
        names->query, names->key, names->value, names->attention_output,
        names->attention_norm, names->intermediate, names->output, names->output_norm,
    };
    const size_t hidden = config->hidden_size, inner = config->intermediate_size;
    char buffers[8][96];
    const char *full[8];
    int status;

    for (size_t j = 0; j < 8; j++) {
        snprintf(buffers[j], sizeof buffers[j], "%s.%zu.%s", names->layer, i, parts[j]);
        full[j] = buffers[j];
    }
    status = load_linear(loader, 3, full, hidden, hidden, &out->query_key_value, err);
    if (status == ERNIE_OK)
        status = load_linear(loader, 1, full + 3, hidden, hidden, &out->attention_output, err);
    if (status == ERNIE_OK)
        status = load_norm(loader, full[4], hidden, &out->attention_norm, err);
    if (status == ERNIE_OK)
        status = load_linear(loader, 1, full + 5, hidden, inner, &out->intermediate, err);
    if (status == ERNIE_OK)
        status = load_linear(loader, 1, full + 6, inner, hidden, &out->output, err);
    return status == ERNIE_OK ? load_norm(loader, full[7], hidden, &out->output_norm, err)
                              : status;
}

static int load_embeddings(struct loader *loader, const struct model_config *config,
                           struct weights *out, ernie_error *err)
{
    const struct names *names = families[config->family].encoder;
    const int rotary = config->positions == POSITION_ROTARY;
    const struct {
        const char *name;
        size_t n_rows;
        int optional;
        struct embedding *out;
    } embeddings[] = {
        { names->word, config->vocab_size, 0, &out->word },
        { names->position, rotary ? 0 : config->max_position_embeddings, 0, &out->position },
        { names->token_type, config->type_vocab_size, 0, &out->token_type },
        /* Community conversions of ERNIE 3.0 ask for task types and leave them out. */
        { names->task_type, config->task_type_vocab_size, 1, &out->task_type },
    };
    char name[96];
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < 4; i++) {
        if (embeddings[i].n_rows == 0)
            continue;
        snprintf(name, sizeof name, "%s.weight", embeddings[i].name);
        status = load_embedding(loader, name, embeddings[i].n_rows, config->embedding_size,
                                embeddings[i].optional, embeddings[i].out, err);
    }
    if (status == ERNIE_OK)
        status = load_norm(loader, names->embedding_norm, config->embedding_size,
                           &out->embedding_norm, err);
    if (status == ERNIE_OK && config->embedding_size != config->hidden_size)
        status = load_linear(loader, 1, &names->projection, config->embedding_size,
                             config->hidden_size, &out->projection, err);
    return status;
}

/* In double precision: at position 65535 a float's step is 1/256 of a turn's radian. */
static int make_turns(const struct model_config *config, float **out, ernie_error *err)
{
    const size_t head_size = config->hidden_size / config->n_heads;
    float *turns = memory_new_aligned(config->max_positions, head_size * sizeof *turns);

    *out = turns;
    if (turns == NULL)
        return error_set(err, ERNIE_ENOMEM, "model: out of memory");
    for (size_t i = 0; i < head_size; i += 2) {
        const double angle = pow(10000, -(double)i / (double)head_size);

        for (size_t t = 0; t < config->max_positions; t++) {
            turns[t * head_size + i] = (float)cos((double)t * angle);
            turns[t * head_size + i + 1] = (float)sin((double)t * angle);
        }
    }
    return ERNIE_OK;
}

static int load_all(struct loader *loader, const struct model_config *config, struct weights *out,
                    ernie_error *err)
{
    int status = load_embeddings(loader, config, out, err);

    for (size_t i = 0; status == ERNIE_OK && i < config->n_layers; i++)
        status = load_layer(loader, i, config, &out->layer[i], err);
    if (status == ERNIE_OK && config->positions == POSITION_ROTARY)
        status = make_turns(config, &out->turns, err);
    return status;
}

int weights_load(const struct safetensors *file, const struct model_config *config,
                 struct hasher *hasher, struct weights **out, ernie_error *err)
{
    struct weights *weights = memory_new(1, sizeof *weights);
    struct loader *loader = memory_new(1, sizeof *loader);
    int status;

    if (weights != NULL)
        weights->layer = memory_new(config->n_layers, sizeof *weights->layer);
    if (weights == NULL || weights->layer == NULL || loader == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(file));
    } else {
        weights->hidden_size = config->hidden_size;
        weights->embedding_size = config->embedding_size;
        weights->n_layers = config->n_layers;
        loader->file = file;
        loader->prefix = find_prefix(file, families[config->family].encoder);
        loader->hasher = hasher;
        loader->kernel = weights->kernel = kernel_pick();
        status = load_all(loader, config, weights, err);
    }
    memory_free(loader);
    if (status != ERNIE_OK) {
        weights_free(weights);
        return status;
    }
    *out = weights;
    return ERNIE_OK;
}

int weights_load_dense(const struct safetensors *file, const char *name, size_t n_in,
                       size_t n_out, int has_bias, struct hasher *hasher, float **weight,
                       float **bias, ernie_error *err)
{
    struct loader *loader = memory_new(1, sizeof *loader);
    char full[96];
    int status = ERNIE_OK;

    *bias = NULL;
    *weight = memory_new_aligned(n_out, n_in * sizeof **weight);
    if (loader == NULL || *weight == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(file));
    } else {
        loader->file = file;
        loader->prefix = "";
        loader->hasher = hasher;
        snprintf(full, sizeof full, "%s.weight", name);
        status = load_matrix(loader, full, n_out, n_in, *weight, err);
    }
    snprintf(full, sizeof full, "%s.bias", name);
    if (status == ERNIE_OK && has_bias) {
        status = load_vector(loader, full, NULL, n_out, bias, err);
    } else if (status == ERNIE_OK) {
        *bias = memory_new_aligned(n_out, sizeof **bias);
        if (*bias == NULL)
            status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", safetensors_path(file));
        for (size_t i = 0; status == ERNIE_OK && i < n_out; i++)
            (*bias)[i] = 0;
    }
    memory_free(loader);
    return status;
}

int weights_load_head(const struct safetensors *file, const struct model_config *config,
                      size_t n_labels, struct hasher *hasher, struct dense *hidden,
                      struct dense *output, ernie_error *err)
{
    const struct family *family = &families[config->family];
    char name[96];
    int status;

    if (family->pooler != NULL)
        snprintf(name, sizeof name, "%s%s", find_prefix(file, family->encoder), family->pooler);
    else
        snprintf(name, sizeof name, "%s", family->head_hidden);
    status = weights_load_dense(file, name, config->hidden_size, config->hidden_size, 1, hasher,
                                &hidden->weight, &hidden->bias, err);
    if (status == ERNIE_OK)
        status = weights_load_dense(file, family->head_output, config->hidden_size, n_labels, 1,
                                    hasher, &output->weight, &output->bias, err);
    return status;
}

/* ---- releasing --------------------------------------------------------- */

static void free_norm(struct layer_norm *norm)
{
    memory_free_aligned(norm->gamma);
    memory_free_aligned(norm->beta);
}

static void free_embedding(struct embedding *embedding)
{
    memory_free_aligned(embedding->rows);
    memory_free_aligned(embedding->rows_i8);
    memory_free_aligned(embedding->scale);
}

void weights_free(struct weights *weights)
{
    if (weights == NULL)
        return;
    for (size_t i = 0; weights->layer != NULL && i < weights->n_layers; i++) {
        linear_reset(&weights->layer[i].query_key_value);
        linear_reset(&weights->layer[i].attention_output);
        free_norm(&weights->layer[i].attention_norm);
        linear_reset(&weights->layer[i].intermediate);
        linear_reset(&weights->layer[i].output);
        free_norm(&weights->layer[i].output_norm);
    }
    memory_free(weights->layer);
    free_embedding(&weights->word);
    free_embedding(&weights->position);
    free_embedding(&weights->token_type);
    free_embedding(&weights->task_type);
    free_norm(&weights->embedding_norm);
    linear_reset(&weights->projection);
    memory_free_aligned(weights->turns);
    memory_free(weights);
}

void dense_reset(struct dense *dense)
{
    memory_free_aligned(dense->weight);
    memory_free_aligned(dense->bias);
}

void embedding_add(const struct embedding *embedding, size_t embedding_size, size_t id, float *out)
{
    if (embedding->rows != NULL) {
        const float *row = embedding->rows + id * embedding_size;

        for (size_t i = 0; i < embedding_size; i++)
            out[i] += row[i];
    } else if (embedding->rows_i8 != NULL) {
        const int8_t *row = embedding->rows_i8 + id * embedding_size;

        for (size_t i = 0; i < embedding_size; i++)
            out[i] += (float)row[i] * embedding->scale[id];
    }
}
