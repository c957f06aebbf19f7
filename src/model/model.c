#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/float_state.h"
#include "base/memory.h"
#include "base/system.h"
#include "model/checkpoint.h"
#include "model/directory.h"
#include "model/head.h"
#include "model/module.h"
#include "model/safetensors.h"
#include "model/weights.h"

#define DEFAULT_NAME "ernie-micro-zh-en"

/* ---- where the default model is ---------------------------------------- */

static int is_model_directory(const char *directory)
{
    char *path = path_join(directory, "config.json");
    struct stat st;
    int is = path != NULL && system_table.fstatat(AT_FDCWD, path, &st, 0) == 0;

    memory_free(path);
    return is;
}

/* Joins the parts; takes the result when a model is there, else notes where it
 * looked. 1: found, 0: not there, -1: memory ran out. */
static int try_place(const char *base, const char *below, char **found, struct buffer *looked)
{
    char *folder = path_join(base, below);
    char *directory = folder != NULL ? path_join(folder, DEFAULT_NAME) : NULL;

    memory_free(folder);
    if (directory == NULL)
        return -1;
    if (is_model_directory(directory)) {
        *found = directory;
        return 1;
    }
    buffer_printf(looked, "%s%s", looked->size > 0 ? ", " : "", directory);
    memory_free(directory);
    return 0;
}

/* $XDG_DATA_HOME, by the XDG Base Directory Specification ~/.local/share. */
static int try_user(char **found, struct buffer *looked)
{
    const char *data = secure_getenv("XDG_DATA_HOME"), *home = secure_getenv("HOME");

    if (data != NULL && data[0] == '/')
        return try_place(data, "ernie/models", found, looked);
    if (home != NULL && home[0] == '/')
        return try_place(home, ".local/share/ernie/models", found, looked);
    return 0;
}

/* Beside this code: in a build tree the library is in .libs and the models one
 * folder up; in an installation moved as a whole they are in ../share. */
static int try_module(char **found, struct buffer *looked)
{
    static const char *const below[] = { "models", "../models", "../share/ernie/models" };
    char *module = path_of_module();
    int result = 0;

    for (size_t i = 0; module != NULL && result == 0 && i < 3; i++)
        result = try_place(module, below[i], found, looked);
    memory_free(module);
    return result;
}

static int find_default(char **out, ernie_error *err)
{
    const char *given = secure_getenv("ERNIE_MODEL");
    struct buffer looked = { 0 };
    int result, status = ERNIE_OK;

    if (given != NULL && given[0] != '\0') {
        /* Asked for by name: no other will do. */
        *out = memory_copy_text(given, strlen(given));
        return *out != NULL ? ERNIE_OK : error_set(err, ERNIE_ENOMEM, "model: out of memory");
    }
    result = try_user(out, &looked);
    if (result == 0)
        result = try_module(out, &looked);
    if (result == 0)
        result = try_place(ERNIE_DATADIR, "models", out, &looked);
    if (result < 0 || looked.failed)
        status = error_set(err, ERNIE_ENOMEM, "model: out of memory");
    else if (result == 0)
        status = error_set(err, ERNIE_ENOTFOUND, "model: none in %s", looked.data);
    buffer_reset(&looked);
    return status;
}

/* ---- opening ----------------------------------------------------------- */

static int load_weights(struct ernie_model *model, struct hasher *hasher, ernie_error *err)
{
    struct safetensors *file = NULL;
    int status = checkpoint_open(model->directory, &file, err);

    if (status == ERNIE_OK)
        status = weights_load(file, &model->config, hasher, &model->weights, err);
    if (status == ERNIE_OK)
        status = head_load(model->directory, file, &model->config, hasher, &model->head, err);
    safetensors_close(file);
    return status;
}

/* A number that is not negative as printf's %a has it, but for the point: that one is the
 * host's locale's, and a fingerprint is the same everywhere. */
static void format_hexadecimal(double number, size_t size, char *out)
{
    uint64_t bits, fraction;
    char digits[16];
    size_t n = 0;
    int exponent;

    memcpy(&bits, &number, sizeof bits);
    exponent = (int)(bits >> 52);
    for (fraction = bits << 12; fraction != 0; fraction <<= 4)
        digits[n++] = "0123456789abcdef"[fraction >> 60];
    digits[n] = '\0';
    snprintf(out, size, "0x%d%s%sp%+d", exponent > 0, n > 0 ? "." : "", digits,
             (exponent > 0 ? exponent : 1) - 1023);
}

/* What the configuration changes in an embedding. */
static void hash_config(const struct model_config *config, struct hasher *hasher)
{
    char text[512], eps[40];
    int size;

    format_hexadecimal(config->layer_norm_eps, sizeof eps, eps);
    size = snprintf(text, sizeof text, "%zu %zu %zu %zu %s %d %d %d %zu %d",
                    config->hidden_size, config->n_layers, config->n_heads,
                    config->intermediate_size, eps, config->do_lower_case,
                    config->tokenize_chinese_chars, config->strip_accents, config->max_tokens,
                    (int)config->pooling[0]);

    hasher_add(hasher, text, (size_t)size);
    hasher_add(hasher, config->special_tokens, sizeof config->special_tokens);
}

/* The rest of it. What a model does not have adds nothing, so that a plain model's
 * fingerprint is of the plain things alone. */
static void hash_modules(const struct ernie_model *model, struct hasher *hasher)
{
    const struct model_config *config = &model->config;
    const char *prompts[] = { model_query_prompt(model), model_passage_prompt(model) };
    char text[128];

    for (size_t i = 1; i < config->n_poolings; i++)
        hasher_add(hasher, text,
                   (size_t)snprintf(text, sizeof text, " pooling %d", (int)config->pooling[i]));
    for (size_t i = 0; i < config->n_modules; i++) {
        const struct module_config *module = &config->module[i];

        hasher_add(hasher, text,
                   (size_t)snprintf(text, sizeof text, " module %d %zu %zu %d", (int)module->kind,
                                    module->n_in, module->n_out, (int)module->activation));
    }
    for (size_t i = 0; i < 2; i++) {
        if (prompts[i][0] == '\0')
            continue;
        hasher_add(hasher, text,
                   (size_t)snprintf(text, sizeof text, " prompt %zu %d %zu ", i,
                                    config->include_prompt, strlen(prompts[i])));
        hasher_add(hasher, prompts[i], strlen(prompts[i]));
    }
}

/* A file of weights may be what was meant for a model. */
static int check_directory(const char *directory, ernie_error *err)
{
    struct stat st;

    if (system_table.fstatat(AT_FDCWD, directory, &st, 0) == 0 && !S_ISDIR(st.st_mode))
        return error_set(err, ERNIE_EINVAL,
                         "%s: not a directory: a model is one with config.json, vocab.txt or "
                         "tokenizer.json, and model.safetensors in it", directory);
    return ERNIE_OK;
}

/* What sets other families apart from a BERT. */
static void hash_family(const struct model_config *config, struct hasher *hasher)
{
    char text[128];

    if (config->family == FAMILY_BERT && config->positions == POSITION_LEARNED)
        return;
    hasher_add(hasher, text,
               (size_t)snprintf(text, sizeof text, " family %d %d %d %zu %zu",
                                (int)config->family, (int)config->positions, config->rotary_value,
                                config->embedding_size, config->pad_token_id));
}

static int load(struct ernie_model *model, ernie_error *err)
{
    struct hasher *hasher = hasher_new();
    int status;

    if (hasher == NULL)
        return error_set(err, ERNIE_ENOMEM, "model: out of memory");
    status = check_directory(model->directory, err);
    if (status == ERNIE_OK)
        status = model_config_load(model->directory, &model->config, err);
    if (status == ERNIE_ENOTFOUND)
        status = checkpoint_refuse_other(model->directory, status, err);
    if (status == ERNIE_OK)
        status = load_weights(model, hasher, err);
    /* After the weights, which prove that the model has as many words as it says. */
    if (status == ERNIE_OK)
        status = tokenizer_open(model->directory, &model->config, &model->vocab,
                                &model->words_hash, &model->tokenizer, err);
    if (status == ERNIE_OK)
        status = modules_load(model->directory, &model->config, hasher, &model->modules, err);
    if (status == ERNIE_OK)
        status = model_prompts_load(model->directory, &model->prompts, err);
    if (status == ERNIE_OK) {
        hasher_add(hasher, model->words_hash.bytes, sizeof model->words_hash.bytes);
        hash_config(&model->config, hasher);
        hash_modules(model, hasher);
        tokenizer_hash(model->tokenizer, hasher);
        hash_family(&model->config, hasher);
        model->fingerprint = hasher_result(hasher);
        hash_to_hex(&model->fingerprint, model->fingerprint_hex);
    }
    hasher_free(hasher);
    return status;
}

int ernie_model_open(const char *directory, ernie_model **out, ernie_error *err)
{
    struct ernie_model *model = memory_new(1, sizeof *model);
    struct float_state state;
    int status = ERNIE_OK;

    if (model == NULL)
        return error_set(err, ERNIE_ENOMEM, "model: out of memory");
    if (directory == NULL)
        status = find_default(&model->directory, err);
    else if ((model->directory = memory_copy_text(directory, strlen(directory))) == NULL)
        status = error_set(err, ERNIE_ENOMEM, "model: out of memory");
    float_state_begin(&state);
    if (status == ERNIE_OK)
        status = load(model, err);
    float_state_end(&state);
    if (status != ERNIE_OK) {
        ernie_model_close(model);
        return status;
    }
    *out = model;
    return ERNIE_OK;
}

void ernie_model_close(ernie_model *model)
{
    if (model == NULL)
        return;
    model_prompts_reset(&model->prompts);
    modules_free(model->modules);
    head_free(model->head);
    weights_free(model->weights);
    tokenizer_free(model->tokenizer);
    vocab_close(model->vocab);
    memory_free(model->directory);
    memory_free(model);
}

size_t ernie_model_dim(const ernie_model *model)
{
    return model->config.dim;
}

size_t ernie_model_hidden_size(const ernie_model *model)
{
    return model->config.hidden_size;
}

size_t ernie_model_n_labels(const ernie_model *model)
{
    return model->head != NULL ? head_config(model->head)->n_labels : 0;
}

const char *ernie_model_label(const ernie_model *model, size_t i)
{
    return i < ernie_model_n_labels(model) ? head_config(model->head)->label[i] : NULL;
}

size_t ernie_model_max_tokens(const ernie_model *model)
{
    return model->config.max_tokens;
}

const char *ernie_model_directory(const ernie_model *model)
{
    return model->directory;
}

const char *ernie_model_fingerprint(const ernie_model *model)
{
    return model->fingerprint_hex;
}

/* ---- prompts ----------------------------------------------------------- */

static const char *find_prompt(const struct ernie_model *model, const char *name)
{
    for (size_t i = 0; name != NULL && i < model->prompts.n; i++)
        if (strcmp(model->prompts.prompt[i].name, name) == 0)
            return model->prompts.prompt[i].text;
    return NULL;
}

/* What passages are called: which one it is differs from model to model. */
static const char *const passage_names[] = { "document", "passage", "corpus" };
#define N_PASSAGE_NAMES (sizeof passage_names / sizeof passage_names[0])

/* The first one that is not empty, else an empty one, else NULL. */
static const char *find_passage_prompt(const struct ernie_model *model)
{
    const char *found = NULL;

    for (size_t i = 0; i < N_PASSAGE_NAMES && (found == NULL || found[0] == '\0'); i++) {
        const char *text = find_prompt(model, passage_names[i]);

        found = text != NULL ? text : found;
    }
    return found;
}

static int is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

/* A model that does not tell questions from passages may have one prompt for both. An
 * empty prompt is a place that was kept for one. */
static const char *find_common_prompt(const struct ernie_model *model)
{
    if (!is_empty(find_prompt(model, "query")) || !is_empty(find_passage_prompt(model)))
        return NULL;
    return find_prompt(model, model->prompts.by_default);
}

const char *ernie_model_prompt(const ernie_model *model, const char *name)
{
    const char *text = find_prompt(model, name), *common;
    int is_kind = name != NULL && strcmp(name, "query") == 0;

    for (size_t i = 0; name != NULL && i < N_PASSAGE_NAMES; i++) {
        if (strcmp(name, passage_names[i]) == 0) {
            text = is_empty(text) ? find_passage_prompt(model) : text;
            is_kind = 1;
        }
    }
    if (!is_kind || !is_empty(text))
        return text;
    common = find_common_prompt(model);
    return common != NULL ? common : text;
}

const char *model_query_prompt(const struct ernie_model *model)
{
    const char *text = ernie_model_prompt(model, "query");

    return text != NULL ? text : "";
}

const char *model_passage_prompt(const struct ernie_model *model)
{
    const char *text = ernie_model_prompt(model, "passage");

    return text != NULL ? text : "";
}

/* ---- what it is -------------------------------------------------------- */

static void name_poolings(const struct model_config *config, size_t size, char *out)
{
    static const char *const names[] = { "mean", "cls", "max", "mean_sqrt_len", "last_token" };
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < config->n_poolings && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? "+" : "",
                              names[config->pooling[i]]);
}

static const char *name_head(const struct ernie_model *model)
{
    static const char *const names[] = { [PROBLEM_SINGLE_LABEL] = "single_label_classification",
                                         [PROBLEM_MULTI_LABEL] = "multi_label_classification",
                                         [PROBLEM_REGRESSION] = "regression" };

    return model->head != NULL ? names[head_config(model->head)->problem] : NULL;
}

int ernie_model_info(const ernie_model *model, struct ernie_model_info *out, ernie_error *err)
{
    const struct model_config *config = &model->config;
    struct safetensors *file = NULL;
    int status = checkpoint_open(model->directory, &file, err);

    if (status != ERNIE_OK)
        return status;
    memset(out, 0, sizeof *out);
    out->n_layers = config->n_layers;
    out->hidden_size = config->hidden_size;
    out->n_heads = config->n_heads;
    out->intermediate_size = config->intermediate_size;
    out->vocab_size = config->vocab_size;
    out->max_tokens = config->max_tokens;
    out->dim = config->dim;
    out->model_type = config->model_type;
    out->positions = config->positions == POSITION_ROTARY ? "rotary" : "learned";
    out->head = name_head(model);
    out->n_labels = ernie_model_n_labels(model);
    out->kernel = model->weights->kernel->name;
    name_poolings(config, sizeof out->pooling, out->pooling);
    out->weights_bytes = safetensors_size_bytes(file);
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct tensor *tensor = safetensors_at(file, i);
        const size_t n = strlen(tensor->name);

        if (tensor->type == TENSOR_OTHER || (n > 6 && strcmp(tensor->name + n - 6, "_scale") == 0))
            continue; /* no parameters of their own */
        out->n_parameters += tensor->size_bytes / tensor_type_size(tensor->type);
        if (tensor->type == TENSOR_I8)
            out->n_int8_parameters += tensor->size_bytes;
    }
    safetensors_close(file);
    return ERNIE_OK;
}
