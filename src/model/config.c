#include "model/config.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#define MAX_JSON_BYTES (16u << 20)

/* One JSON file of the directory while its fields are read. */
struct fields {
    char *path;
    json *document; /* NULL: the file is absent, and every field takes its default */
};

static int fields_open(const char *directory, const char *name, struct fields *out,
                       ernie_error *err)
{
    struct file file = { 0 };
    int status;

    memset(out, 0, sizeof *out);
    out->path = path_join(directory, name);
    if (out->path == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    status = file_read(out->path, MAX_JSON_BYTES, &file, err);
    if (status == ERNIE_ENOTFOUND)
        return ERNIE_OK;
    if (status == ERNIE_OK)
        status = json_parse(out->path, (const char *)file.data, file.size, &out->document, err);
    file_reset(&file);
    return status;
}

static void fields_close(struct fields *fields)
{
    json_free(fields->document);
    memory_free(fields->path);
}

static const json *field(const struct fields *fields, const char *name)
{
    const json *value = fields->document != NULL ? json_member(fields->document, name) : NULL;

    return value != NULL && json_kind(value) != JSON_KIND_NULL ? value : NULL;
}

/* A whole number in min..max; left as it is when the field is absent, unless it is
 * required. */
static int read_size(const struct fields *fields, const char *name, int required, size_t min,
                     size_t max, size_t *out, ernie_error *err)
{
    const json *value = field(fields, name);
    int64_t number;

    if (value == NULL && required)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: missing", fields->path, name);
    if (value == NULL)
        return ERNIE_OK;
    if (json_kind(value) != JSON_KIND_INTEGER)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: not a whole number", fields->path, name);
    number = json_to_integer(value);
    if (number < (int64_t)min || number > (int64_t)max)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: %lld is not in %zu..%zu", fields->path,
                         name, (long long)number, min, max);
    *out = (size_t)number;
    return ERNIE_OK;
}

static int read_boolean(const struct fields *fields, const char *name, int *out, ernie_error *err)
{
    const json *value = field(fields, name);

    if (value == NULL)
        return ERNIE_OK;
    if (json_kind(value) != JSON_KIND_BOOLEAN)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: not true or false", fields->path, name);
    *out = json_to_boolean(value);
    return ERNIE_OK;
}

/* A word that must be one that we know, when it is there. */
static int read_word(const struct fields *fields, const char *name, const char *const *known,
                     size_t n_known, ernie_error *err)
{
    const json *value = field(fields, name);
    const char *word;

    if (value == NULL)
        return ERNIE_OK;
    word = json_to_text(value, NULL);
    for (size_t i = 0; word != NULL && i < n_known; i++)
        if (strcmp(word, known[i]) == 0)
            return ERNIE_OK;
    return error_set(err, ERNIE_EFORMAT, "%s: %s: \"%.40s\" is not supported (%s is)",
                     fields->path, name, word != NULL ? word : "?", known[0]);
}

/* ---- config.json ------------------------------------------------------- */

static int read_shape(const struct fields *fields, struct model_config *out, ernie_error *err)
{
    const struct {
        const char *name;
        int required;
        size_t min, max;
        size_t *out;
    } sizes[] = {
        { "hidden_size", 1, 1, 8192, &out->hidden_size },
        { "num_hidden_layers", 1, 1, 128, &out->n_layers },
        { "num_attention_heads", 1, 1, 1024, &out->n_heads },
        { "intermediate_size", 1, 1, 65536, &out->intermediate_size },
        { "vocab_size", 1, 1, 2000000, &out->vocab_size },
        { "max_position_embeddings", 1, 3, 65536, &out->max_position_embeddings },
        { "type_vocab_size", 0, 1, 64, &out->type_vocab_size },
    };
    int status = ERNIE_OK;

    out->type_vocab_size = 2;
    for (size_t i = 0; status == ERNIE_OK && i < sizeof sizes / sizeof sizes[0]; i++)
        status = read_size(fields, sizes[i].name, sizes[i].required, sizes[i].min, sizes[i].max,
                           sizes[i].out, err);
    if (status == ERNIE_OK && out->hidden_size % out->n_heads != 0)
        status = error_set(err, ERNIE_EFORMAT,
                           "%s: num_attention_heads: %zu does not divide hidden_size %zu",
                           fields->path, out->n_heads, out->hidden_size);
    return status;
}

static int read_model(const char *directory, struct model_config *out, ernie_error *err)
{
    static const char *const types[] = { "ernie", "bert" };
    static const char *const activations[] = { "gelu" };
    static const char *const positions[] = { "absolute" };
    struct fields fields;
    const json *eps;
    int status = fields_open(directory, "config.json", &fields, err), use_task_id = 0;

    if (status == ERNIE_OK && fields.document == NULL)
        status = error_set(err, ERNIE_ENOTFOUND, "%s: no such file: not a model directory",
                           fields.path);
    if (status == ERNIE_OK && json_kind(fields.document) != JSON_KIND_OBJECT)
        status = error_set(err, ERNIE_EFORMAT, "%s: not an object", fields.path);
    if (status == ERNIE_OK)
        status = read_word(&fields, "model_type", types, 2, err);
    if (status == ERNIE_OK)
        status = read_shape(&fields, out, err);
    if (status == ERNIE_OK)
        status = read_word(&fields, "hidden_act", activations, 1, err);
    if (status == ERNIE_OK)
        status = read_word(&fields, "position_embedding_type", positions, 1, err);
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "use_task_id", &use_task_id, err);
    if (status == ERNIE_OK && use_task_id) {
        out->task_type_vocab_size = 3;
        status = read_size(&fields, "task_type_vocab_size", 0, 1, 64, &out->task_type_vocab_size,
                           err);
    }
    out->layer_norm_eps = 1e-12;
    eps = status == ERNIE_OK ? field(&fields, "layer_norm_eps") : NULL;
    if (eps != NULL) {
        out->layer_norm_eps = json_to_number(eps);
        if (!(out->layer_norm_eps > 0 && out->layer_norm_eps < 1))
            status = error_set(err, ERNIE_EFORMAT,
                               "%s: layer_norm_eps: not a number between 0 and 1", fields.path);
    }
    fields_close(&fields);
    return status;
}

/* ---- the tokenizer's --------------------------------------------------- */

static int read_special_token(const struct fields *fields, const char *name,
                              char out[SPECIAL_TOKEN_BYTES], ernie_error *err)
{
    const json *value = field(fields, name);
    const char *word;
    size_t size;

    if (value != NULL && json_kind(value) == JSON_KIND_OBJECT)
        value = json_member(value, "content");
    if (value == NULL)
        return ERNIE_OK;
    word = json_to_text(value, &size);
    if (word == NULL || size == 0 || size >= SPECIAL_TOKEN_BYTES || strlen(word) != size)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: not a word of 1..%d bytes", fields->path,
                         name, SPECIAL_TOKEN_BYTES - 1);
    memcpy(out, word, size + 1);
    return ERNIE_OK;
}

/* model_max_length is often a number past any limit, meaning none: then it does not
 * count. */
static void read_max_length(const struct fields *fields, const char *name, size_t *out)
{
    const json *value = field(fields, name);
    double number = value != NULL ? json_to_number(value) : 0;

    if (number >= 3 && number < (double)*out)
        *out = (size_t)number;
}

static int read_tokenizer(const char *directory, struct model_config *out, ernie_error *err)
{
    static const char *const names[N_SPECIAL_TOKENS] = {
        [SPECIAL_UNK] = "unk_token", [SPECIAL_CLS] = "cls_token",   [SPECIAL_SEP] = "sep_token",
        [SPECIAL_PAD] = "pad_token", [SPECIAL_MASK] = "mask_token",
    };
    struct fields fields;
    int status = fields_open(directory, "tokenizer_config.json", &fields, err);

    out->do_lower_case = 1;
    out->tokenize_chinese_chars = 1;
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "do_lower_case", &out->do_lower_case, err);
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "tokenize_chinese_chars", &out->tokenize_chinese_chars,
                              err);
    out->strip_accents = out->do_lower_case;
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "strip_accents", &out->strip_accents, err);
    for (size_t i = 0; status == ERNIE_OK && i < N_SPECIAL_TOKENS; i++)
        status = read_special_token(&fields, names[i], out->special_tokens[i], err);
    if (status == ERNIE_OK)
        read_max_length(&fields, "model_max_length", &out->max_tokens);
    fields_close(&fields);
    return status;
}

static int read_sentence_bert(const char *directory, struct model_config *out, ernie_error *err)
{
    struct fields fields;
    int status = fields_open(directory, "sentence_bert_config.json", &fields, err);

    if (status == ERNIE_OK && field(&fields, "max_seq_length") != NULL) {
        size_t max_tokens = 0;

        status = read_size(&fields, "max_seq_length", 0, 3, 1u << 20, &max_tokens, err);
        if (status == ERNIE_OK && max_tokens < out->max_tokens)
            out->max_tokens = max_tokens;
    }
    fields_close(&fields);
    return status;
}

/* ---- pooling ----------------------------------------------------------- */

/* The folder that modules.json gives to pooling, "1_Pooling" when it gives none. */
static int find_pooling(const char *directory, char out[256], ernie_error *err)
{
    struct fields fields;
    int status = fields_open(directory, "modules.json", &fields, err);

    snprintf(out, 256, "1_Pooling");
    for (size_t i = 0; status == ERNIE_OK && fields.document != NULL &&
                       i < json_count(fields.document); i++) {
        const json *module = json_element(fields.document, i);
        const char *type = json_to_text(json_member(module, "type"), NULL);
        const char *path = json_to_text(json_member(module, "path"), NULL);
        const char *last = type != NULL ? strrchr(type, '.') : NULL;

        if (last == NULL || strcmp(last, ".Pooling") != 0)
            continue;
        /* A name, never a way out of the directory. */
        if (path == NULL || strchr(path, '/') != NULL || strcmp(path, "..") == 0 ||
            strlen(path) >= 256)
            status = error_set(err, ERNIE_EFORMAT, "%s: path: not a folder's name", fields.path);
        else
            snprintf(out, 256, "%s", path);
    }
    fields_close(&fields);
    return status;
}

static int read_pooling(const char *directory, struct model_config *out, ernie_error *err)
{
    static const char *const others[] = { "pooling_mode_max_tokens",
                                          "pooling_mode_mean_sqrt_len_tokens",
                                          "pooling_mode_weightedmean_tokens",
                                          "pooling_mode_lasttoken" };
    char folder[256], name[300];
    struct fields fields;
    int status = find_pooling(directory, folder, err), cls = 0, mean = 0, other = 0;

    out->pooling = POOLING_MEAN;
    if (status != ERNIE_OK)
        return status;
    snprintf(name, sizeof name, "%s/config.json", folder);
    status = fields_open(directory, name, &fields, err);
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "pooling_mode_cls_token", &cls, err);
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "pooling_mode_mean_tokens", &mean, err);
    for (size_t i = 0; status == ERNIE_OK && !other && i < 4; i++) {
        status = read_boolean(&fields, others[i], &other, err);
        if (status == ERNIE_OK && other)
            status = error_set(err, ERNIE_EFORMAT, "%s: %s: not supported (mean and cls are)",
                               fields.path, others[i]);
    }
    if (status == ERNIE_OK && cls && mean)
        status = error_set(err, ERNIE_EFORMAT,
                           "%s: pooling_mode_cls_token: two poolings at once are not supported",
                           fields.path);
    if (status == ERNIE_OK && cls)
        out->pooling = POOLING_CLS;
    fields_close(&fields);
    return status;
}

int model_config_load(const char *directory, struct model_config *out, ernie_error *err)
{
    int status;

    memset(out, 0, sizeof *out);
    status = read_model(directory, out, err);
    if (status != ERNIE_OK)
        return status;
    out->max_tokens = out->max_position_embeddings;
    status = read_tokenizer(directory, out, err);
    if (status == ERNIE_OK)
        status = read_sentence_bert(directory, out, err);
    return status == ERNIE_OK ? read_pooling(directory, out, err) : status;
}
