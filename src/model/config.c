#include "model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

/* The largest are those with the labels of a classifier. */
#define MAX_JSON_BYTES  (16u << 20)
#define MAX_JSON_DEPTH  32
#define MAX_JSON_VALUES 100000

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
        status = json_check_size(out->path, (const char *)file.data, file.size, MAX_JSON_DEPTH,
                                 MAX_JSON_VALUES, err);
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

/* What differs from one model_type to another, where config.json is silent too. */
static const struct model_type {
    const char *name;
    enum model_family family;
    enum position_kind positions;
    size_t type_vocab_size, max_position_embeddings, pad_token_id; /* 0 positions: must be said */
    double layer_norm_eps;
} model_types[] = {
    { "ernie", FAMILY_BERT, POSITION_LEARNED, 2, 0, 0, 1e-12 },
    { "bert", FAMILY_BERT, POSITION_LEARNED, 2, 0, 0, 1e-12 },
    { "roberta", FAMILY_ROBERTA, POSITION_LEARNED, 2, 512, 1, 1e-12 },
    { "xlm-roberta", FAMILY_ROBERTA, POSITION_LEARNED, 2, 512, 1, 1e-12 },
    { "roformer", FAMILY_ROFORMER, POSITION_ROTARY, 2, 1536, 0, 1e-12 },
    { "ernie_m", FAMILY_ERNIE_M, POSITION_LEARNED, 0, 514, 1, 1e-5 },
};
#define N_MODEL_TYPES (sizeof model_types / sizeof model_types[0])

/* Without a model_type it is a BERT. */
static int read_model_type(const struct fields *fields, const struct model_type **out,
                           ernie_error *err)
{
    const json *value = field(fields, "model_type");
    const char *word = value != NULL ? json_to_text(value, NULL) : "bert";

    for (size_t i = 0; word != NULL && i < N_MODEL_TYPES; i++) {
        if (strcmp(word, model_types[i].name) == 0) {
            *out = &model_types[i];
            return ERNIE_OK;
        }
    }
    return error_set(err, ERNIE_EFORMAT,
                     "%s: model_type: \"%.40s\" is not supported (ernie, bert, roberta, "
                     "xlm-roberta, roformer and ernie_m are)",
                     fields->path, word != NULL ? word : "?");
}

static int read_shape(const struct fields *fields, const struct model_type *type,
                      struct model_config *out, ernie_error *err)
{
    const struct {
        const char *name;
        int required;
        size_t min, max;
        size_t *out;
    } sizes[] = {
        { "hidden_size", 1, 1, 8192, &out->hidden_size },
        { "embedding_size", 0, 1, 8192, &out->embedding_size },
        { "num_hidden_layers", 1, 1, 128, &out->n_layers },
        { "num_attention_heads", 1, 1, 1024, &out->n_heads },
        { "intermediate_size", 1, 1, 65536, &out->intermediate_size },
        { "vocab_size", 1, 1, 2000000, &out->vocab_size },
        { "max_position_embeddings", type->max_position_embeddings == 0, 3, 65536,
          &out->max_position_embeddings },
        { "type_vocab_size", 0, 1, 64, &out->type_vocab_size },
        { "pad_token_id", 0, 0, 1999999, &out->pad_token_id },
    };
    int status = ERNIE_OK;

    out->max_position_embeddings = type->max_position_embeddings;
    out->type_vocab_size = type->type_vocab_size;
    out->pad_token_id = type->pad_token_id;
    for (size_t i = 0; status == ERNIE_OK && i < sizeof sizes / sizeof sizes[0]; i++)
        status = read_size(fields, sizes[i].name, sizes[i].required, sizes[i].min, sizes[i].max,
                           sizes[i].out, err);
    if (type->type_vocab_size == 0)
        out->type_vocab_size = 0; /* whatever the file says, no such tensor belongs to it */
    if (type->family != FAMILY_ROFORMER || out->embedding_size == 0)
        out->embedding_size = out->hidden_size;
    if (status == ERNIE_OK && out->hidden_size % out->n_heads != 0)
        status = error_set(err, ERNIE_EFORMAT,
                           "%s: num_attention_heads: %zu does not divide hidden_size %zu",
                           fields->path, out->n_heads, out->hidden_size);
    /* Kernels pad both sides of a matrix: one that is all padding would take far more
     * memory than its file. */
    if (status == ERNIE_OK && out->intermediate_size / 16 > out->hidden_size)
        status = error_set(err, ERNIE_EFORMAT,
                           "%s: intermediate_size: %zu is more than 16 times hidden_size %zu",
                           fields->path, out->intermediate_size, out->hidden_size);
    return status;
}

/* How tokens are counted, and how many of them. */
static int read_positions(const struct fields *fields, const struct model_type *type,
                          struct model_config *out, ernie_error *err)
{
    static const char *const words[] = { "absolute", "rotary" };
    const json *value = field(fields, "position_embedding_type");
    const char *word = json_to_text(value, NULL);
    int status = ERNIE_OK;

    out->positions = type->positions;
    if (type->family == FAMILY_BERT && word != NULL && strcmp(word, words[1]) == 0)
        out->positions = POSITION_ROTARY;
    else if (type->positions == POSITION_LEARNED)
        status = read_word(fields, "position_embedding_type", words, 1, err);
    if (status == ERNIE_OK && out->positions == POSITION_ROTARY)
        status = read_boolean(fields, "rotary_value", &out->rotary_value, err);
    if (status != ERNIE_OK)
        return status;

    /* The first rows of these belonged to [PAD] and, in ERNIE-M, to one more token. */
    out->pad_has_no_place = type->family == FAMILY_ROBERTA;
    out->first_position = type->family == FAMILY_ROBERTA   ? out->pad_token_id + 1
                          : type->family == FAMILY_ERNIE_M ? 2
                                                           : 0;
    if (out->max_position_embeddings < out->first_position + 3)
        return error_set(err, ERNIE_EFORMAT,
                         "%s: max_position_embeddings: %zu leaves no room for a text",
                         fields->path, out->max_position_embeddings);
    out->max_positions = out->max_position_embeddings - out->first_position;
    if (out->positions == POSITION_ROTARY && (out->hidden_size / out->n_heads % 2 != 0 ||
                                              out->hidden_size / out->n_heads > MAX_ROTARY_HEAD))
        return error_set(err, ERNIE_EFORMAT,
                         "%s: rotary positions need heads of an even size of at most %d",
                         fields->path, MAX_ROTARY_HEAD);
    return ERNIE_OK;
}

static int read_model(const char *directory, struct model_config *out, ernie_error *err)
{
    static const char *const activations[] = { "gelu" };
    const struct model_type *type = NULL;
    struct fields fields;
    const json *eps;
    int status = fields_open(directory, "config.json", &fields, err), use_task_id = 0;

    if (status == ERNIE_OK && fields.document == NULL)
        status = error_set(err, ERNIE_ENOTFOUND, "%s: no such file: not a model directory",
                           fields.path);
    if (status == ERNIE_OK && json_kind(fields.document) != JSON_KIND_OBJECT)
        status = error_set(err, ERNIE_EFORMAT, "%s: not an object", fields.path);
    if (status == ERNIE_OK)
        status = read_model_type(&fields, &type, err);
    if (status == ERNIE_OK) {
        out->model_type = type->name;
        out->family = type->family;
        out->layer_norm_eps = type->layer_norm_eps;
        status = read_shape(&fields, type, out, err);
    }
    if (status == ERNIE_OK)
        status = read_word(&fields, "hidden_act", activations, 1, err);
    if (status == ERNIE_OK)
        status = read_positions(&fields, type, out, err);
    if (status == ERNIE_OK && type->family == FAMILY_BERT)
        status = read_boolean(&fields, "use_task_id", &use_task_id, err);
    if (status == ERNIE_OK && use_task_id) {
        out->task_type_vocab_size = 3;
        status = read_size(&fields, "task_type_vocab_size", 0, 1, 64, &out->task_type_vocab_size,
                           err);
    }
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

/* ---- the head ---------------------------------------------------------- */

#define MAX_LABELS 65536

/* The last part of a class's name, which says what it does whatever package it was
 * in when the model was saved. */
static const char *class_name(const char *type)
{
    const char *dot = strrchr(type, '.');

    return dot != NULL ? dot + 1 : type;
}

static int is_classifier(const struct fields *fields)
{
    static const char ending[] = "ForSequenceClassification";
    const json *architectures = field(fields, "architectures");
    size_t size = 0;
    const char *name =
        architectures != NULL && json_kind(architectures) == JSON_KIND_ARRAY &&
                json_count(architectures) > 0
            ? json_to_text(json_element(architectures, 0), &size)
            : NULL;

    return name != NULL && size >= sizeof ending - 1 &&
           strcmp(name + size - (sizeof ending - 1), ending) == 0;
}

struct label_reader {
    const struct fields *fields;
    struct head_config *out;
};

/* "3": "positive" */
static int add_label(void *data, const char *key, const json *value, ernie_error *err)
{
    struct label_reader *reader = data;
    struct head_config *out = reader->out;
    size_t size = 0, i = strspn(key, "0123456789") == strlen(key) && strlen(key) <= 5 &&
                                key[0] != '\0'
                            ? strtoul(key, NULL, 10)
                            : out->n_labels;
    const char *label = json_to_text(value, &size);

    if (i >= out->n_labels || out->label[i] != NULL)
        return error_set(err, ERNIE_EFORMAT, "%s: id2label: \"%.20s\" is not one of 0..%zu",
                         reader->fields->path, key, out->n_labels - 1);
    if (label == NULL || strlen(label) != size)
        return error_set(err, ERNIE_EFORMAT, "%s: id2label: %zu: not a text",
                         reader->fields->path, i);
    out->label[i] = memory_copy_text(label, size);
    return out->label[i] != NULL
               ? ERNIE_OK
               : error_set(err, ERNIE_ENOMEM, "%s: out of memory", reader->fields->path);
}

static int read_labels(const struct fields *fields, struct head_config *out, ernie_error *err)
{
    const json *labels = field(fields, "id2label");
    struct label_reader reader = { fields, out };
    size_t n_labels = 2; /* what transformers leaves out when it writes the file */
    char name[32];
    int status = ERNIE_OK;

    if (labels != NULL && (json_kind(labels) != JSON_KIND_OBJECT || json_count(labels) == 0 ||
                           json_count(labels) > MAX_LABELS))
        return error_set(err, ERNIE_EFORMAT, "%s: id2label: not an object of 1..%d labels",
                         fields->path, MAX_LABELS);
    if (labels != NULL)
        n_labels = json_count(labels);
    else
        status = read_size(fields, "num_labels", 0, 1, MAX_LABELS, &n_labels, err);
    if (status != ERNIE_OK)
        return status;
    out->label = memory_new(n_labels, sizeof *out->label);
    if (out->label == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", fields->path);
    out->n_labels = n_labels;
    if (labels != NULL)
        return json_each_member(labels, add_label, &reader, err);
    for (size_t i = 0; i < n_labels; i++) {
        int size = snprintf(name, sizeof name, "LABEL_%zu", i);

        out->label[i] = memory_copy_text(name, (size_t)size);
        if (out->label[i] == NULL)
            return error_set(err, ERNIE_ENOMEM, "%s: out of memory", fields->path);
    }
    return ERNIE_OK;
}

static int read_problem(const struct fields *fields, struct head_config *out, ernie_error *err)
{
    static const char *const words[] = { "single_label_classification",
                                         "multi_label_classification", "regression" };
    const json *value = field(fields, "problem_type");
    const char *word = json_to_text(value, NULL);

    out->problem = out->n_labels == 1 ? PROBLEM_MULTI_LABEL : PROBLEM_SINGLE_LABEL;
    if (value == NULL)
        return ERNIE_OK;
    for (size_t i = 0; word != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            out->problem = (enum problem)i;
            return ERNIE_OK;
        }
    }
    return error_set(err, ERNIE_EFORMAT, "%s: problem_type: \"%.40s\" is not supported",
                     fields->path, word != NULL ? word : "?");
}

/* The activation of a cross-encoder's score, by its class. */
static int read_score(const struct fields *fields, const json *value, struct head_config *out,
                      ernie_error *err)
{
    const char *type = json_to_text(value, NULL);
    const char *name = type != NULL && strncmp(type, "torch.nn.", 9) == 0 ? class_name(type) : "";

    if (strcmp(name, "Identity") == 0)
        out->score_is_logit = 1;
    else if (strcmp(name, "Sigmoid") == 0)
        out->score_is_logit = 0;
    else
        return error_set(err, ERNIE_EFORMAT,
                         "%s: activation_fn: \"%.60s\" is not supported (Sigmoid and Identity of "
                         "torch.nn are)",
                         fields->path, type != NULL ? type : "?");
    return ERNIE_OK;
}

/* config_sentence_transformers.json says it in new cross-encoders, config.json in older
 * ones, in a field of its own in the oldest. */
static int read_score_activation(const char *directory, const struct fields *config,
                                 struct head_config *out, ernie_error *err)
{
    const json *older = field(config, "sentence_transformers");
    struct fields fields;
    const json *value;
    int status = fields_open(directory, "config_sentence_transformers.json", &fields, err);

    value = status == ERNIE_OK ? field(&fields, "activation_fn") : NULL;
    if (value == NULL && older != NULL && json_kind(older) == JSON_KIND_OBJECT)
        value = json_member(older, "activation_fn");
    if (value == NULL)
        value = field(config, "sbert_ce_default_activation_function");
    if (status == ERNIE_OK && value != NULL && json_kind(value) != JSON_KIND_NULL)
        status = read_score(config, value, out, err);
    fields_close(&fields);
    return status;
}

int head_config_load(const char *directory, struct head_config *out, ernie_error *err)
{
    struct fields fields;
    int status = fields_open(directory, "config.json", &fields, err);

    memset(out, 0, sizeof *out);
    if (status == ERNIE_OK && fields.document != NULL && is_classifier(&fields)) {
        status = read_labels(&fields, out, err);
        if (status == ERNIE_OK)
            status = read_problem(&fields, out, err);
        if (status == ERNIE_OK && out->n_labels == 1)
            status = read_score_activation(directory, &fields, out, err);
    }
    fields_close(&fields);
    return status;
}

void head_config_reset(struct head_config *config)
{
    for (size_t i = 0; i < config->n_labels; i++)
        memory_free(config->label[i]);
    memory_free(config->label);
    memset(config, 0, sizeof *config);
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

/* Without a tokenizer_class the model's type tells. */
static int read_tokenizer_class(const struct fields *fields, struct model_config *out,
                                ernie_error *err)
{
    static const char *const berts[] = { "Bert", "Electra", "DistilBert", "RoFormer" };
    const json *value = field(fields, "tokenizer_class");
    const char *word = json_to_text(value, NULL);

    if (value != NULL && word == NULL)
        return error_set(err, ERNIE_EFORMAT, "%s: tokenizer_class: not a string", fields->path);
    out->takes_tokenizer_json = word != NULL || out->family == FAMILY_ROBERTA ||
                                out->family == FAMILY_ERNIE_M;
    for (size_t i = 0; word != NULL && i < sizeof berts / sizeof berts[0]; i++) {
        const size_t n = strlen(berts[i]);

        if (strncmp(word, berts[i], n) == 0 && (strcmp(word + n, "Tokenizer") == 0 ||
                                                strcmp(word + n, "TokenizerFast") == 0))
            out->takes_tokenizer_json = 0;
    }
    return ERNIE_OK;
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
    if (status == ERNIE_OK)
        status = read_tokenizer_class(&fields, out, err);
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

/* ---- what comes after the transformer ---------------------------------- */

/* A folder's name in the model's directory, never a way out of it. */
static int read_folder(const char *path, const json *module, char out[MODULE_FOLDER_BYTES],
                       ernie_error *err)
{
    size_t size = 0;
    const char *folder = json_to_text(json_member(module, "path"), &size);

    if (folder == NULL || size == 0 || size >= MODULE_FOLDER_BYTES || strlen(folder) != size ||
        strchr(folder, '/') != NULL || strcmp(folder, ".") == 0 || strcmp(folder, "..") == 0)
        return error_set(err, ERNIE_EFORMAT, "%s: path: not a folder's name", path);
    memcpy(out, folder, size + 1);
    return ERNIE_OK;
}

static int open_module(const char *directory, const char *folder, struct fields *out,
                       ernie_error *err)
{
    char name[MODULE_FOLDER_BYTES + 16];

    snprintf(name, sizeof name, "%s/config.json", folder);
    return fields_open(directory, name, out, err);
}

/* The modes of pooling by the words of sentence-transformers. */
static const struct {
    const char *word;
    const char *flag; /* older files have one field for each */
    enum pooling_kind kind;
} pooling_modes[] = {
    { "cls", "pooling_mode_cls_token", POOLING_CLS },
    { "max", "pooling_mode_max_tokens", POOLING_MAX },
    { "mean", "pooling_mode_mean_tokens", POOLING_MEAN },
    { "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", POOLING_MEAN_SQRT_LEN },
    { "weightedmean", "pooling_mode_weightedmean_tokens", N_POOLING_KINDS },
    { "lasttoken", "pooling_mode_lasttoken", POOLING_LAST_TOKEN },
};
#define N_POOLING_MODES (sizeof pooling_modes / sizeof pooling_modes[0])

static int add_pooling(const struct fields *fields, const char *name, size_t mode,
                       struct model_config *out, ernie_error *err)
{
    if (mode == N_POOLING_MODES || pooling_modes[mode].kind == N_POOLING_KINDS)
        return error_set(err, ERNIE_EFORMAT,
                         "%s: %s: not supported (mean, cls, max, mean_sqrt_len_tokens and "
                         "lasttoken are)",
                         fields->path, name);
    if (out->n_poolings == N_POOLING_KINDS)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: more than %d", fields->path, name,
                         N_POOLING_KINDS);
    out->pooling[out->n_poolings++] = pooling_modes[mode].kind;
    return ERNIE_OK;
}

/* pooling_mode: a word, or an array of words. */
static int read_pooling_words(const struct fields *fields, const json *value,
                              struct model_config *out, ernie_error *err)
{
    const int is_array = json_kind(value) == JSON_KIND_ARRAY;
    const size_t n = is_array ? json_count(value) : 1;
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        const char *word = json_to_text(is_array ? json_element(value, i) : value, NULL);
        size_t mode = 0;

        while (word != NULL && mode < N_POOLING_MODES &&
               strcmp(word, pooling_modes[mode].word) != 0)
            mode++;
        status = add_pooling(fields, "pooling_mode", word != NULL ? mode : N_POOLING_MODES, out,
                             err);
    }
    return status;
}

static int read_pooling(const char *directory, const char *folder, struct model_config *out,
                        ernie_error *err)
{
    struct fields fields;
    const json *words;
    int status = open_module(directory, folder, &fields, err);

    words = status == ERNIE_OK ? field(&fields, "pooling_mode") : NULL;
    if (words != NULL)
        status = read_pooling_words(&fields, words, out, err);
    for (size_t i = 0; status == ERNIE_OK && words == NULL && i < N_POOLING_MODES; i++) {
        int is_set = 0;

        status = read_boolean(&fields, pooling_modes[i].flag, &is_set, err);
        if (status == ERNIE_OK && is_set)
            status = add_pooling(&fields, pooling_modes[i].flag, i, out, err);
    }
    if (status == ERNIE_OK && out->n_poolings == 0)
        out->pooling[out->n_poolings++] = POOLING_MEAN;
    out->include_prompt = 1;
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "include_prompt", &out->include_prompt, err);
    fields_close(&fields);
    out->dim = out->n_poolings * out->hidden_size;
    return status;
}

static int read_activation(const struct fields *fields, enum activation *out, ernie_error *err)
{
    static const char *const names[] = {
        [ACTIVATION_IDENTITY] = "Identity", [ACTIVATION_TANH] = "Tanh",
        [ACTIVATION_RELU] = "ReLU",         [ACTIVATION_GELU] = "GELU",
        [ACTIVATION_SIGMOID] = "Sigmoid",
    };
    const json *value = field(fields, "activation_function");
    const char *type = json_to_text(value, NULL);

    *out = ACTIVATION_TANH;
    if (value == NULL)
        return ERNIE_OK;
    for (size_t i = 0; type != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strncmp(type, "torch.nn.", 9) == 0 && strcmp(class_name(type), names[i]) == 0) {
            *out = (enum activation)i;
            return ERNIE_OK;
        }
    }
    return error_set(err, ERNIE_EFORMAT,
                     "%s: activation_function: \"%.60s\" is not supported (Tanh, Identity, ReLU, "
                     "GELU and Sigmoid of torch.nn are)",
                     fields->path, type != NULL ? type : "?");
}

/* A layer from the pooled vector to another one, and nothing besides. */
static int read_dense(const char *directory, struct model_config *config,
                      struct module_config *out, ernie_error *err)
{
    static const char *const inputs[] = { "sentence_embedding" };
    struct fields fields;
    int residual = 0, status = open_module(directory, out->folder, &fields, err);

    out->kind = MODULE_DENSE;
    out->has_bias = 1;
    if (status == ERNIE_OK)
        status = read_size(&fields, "in_features", 1, 1, 65536, &out->n_in, err);
    if (status == ERNIE_OK)
        status = read_size(&fields, "out_features", 1, 1, 65536, &out->n_out, err);
    if (status == ERNIE_OK && out->n_in != config->dim)
        status = error_set(err, ERNIE_EFORMAT,
                           "%s: in_features: %zu, but the module before gives %zu", fields.path,
                           out->n_in, config->dim);
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "bias", &out->has_bias, err);
    if (status == ERNIE_OK)
        status = read_activation(&fields, &out->activation, err);
    if (status == ERNIE_OK)
        status = read_word(&fields, "module_input_name", inputs, 1, err);
    if (status == ERNIE_OK)
        status = read_word(&fields, "module_output_name", inputs, 1, err);
    if (status == ERNIE_OK)
        status = read_boolean(&fields, "use_residual", &residual, err);
    if (status == ERNIE_OK && residual)
        status = error_set(err, ERNIE_EFORMAT, "%s: use_residual: not supported", fields.path);
    config->dim = out->n_out;
    fields_close(&fields);
    return status;
}

/* One module after the first, which is the transformer. */
static int read_module(const char *directory, const char *path, const json *module,
                       struct model_config *out, ernie_error *err)
{
    const char *type = json_to_text(json_member(module, "type"), NULL);
    const char *name = class_name(type != NULL ? type : "?");
    struct module_config *next = &out->module[out->n_modules];
    char folder[MODULE_FOLDER_BYTES];
    int status = ERNIE_OK;

    if (strcmp(name, "Dropout") == 0) /* which does something in training only */
        return ERNIE_OK;
    if (out->n_modules == MAX_MODULES)
        return error_set(err, ERNIE_EFORMAT, "%s: more than %d modules", path, MAX_MODULES);
    if (strcmp(name, "Pooling") == 0 && out->n_poolings == 0) {
        status = read_folder(path, module, folder, err);
        return status == ERNIE_OK ? read_pooling(directory, folder, out, err) : status;
    }
    if (strcmp(name, "Normalize") == 0 && out->n_poolings > 0) {
        next->kind = MODULE_NORMALIZE;
        next->n_in = next->n_out = out->dim;
    } else if (strcmp(name, "Dense") == 0 && out->n_poolings > 0) {
        status = read_folder(path, module, next->folder, err);
        if (status == ERNIE_OK)
            status = read_dense(directory, out, next, err);
    } else {
        return error_set(err, ERNIE_EFORMAT,
                         "%s: type: \"%.60s\" is not supported there (Transformer, Pooling, then "
                         "Dense, Normalize or Dropout are)",
                         path, type != NULL ? type : "?");
    }
    out->n_modules++;
    return status;
}

static int read_modules(const char *directory, struct model_config *out, ernie_error *err)
{
    struct fields fields;
    int status = fields_open(directory, "modules.json", &fields, err);

    for (size_t i = 0; status == ERNIE_OK && fields.document != NULL &&
                       i < json_count(fields.document); i++) {
        const json *module = json_element(fields.document, i);
        const char *type = json_to_text(json_member(module, "type"), NULL);

        if (i == 0 && type != NULL && strcmp(class_name(type), "Transformer") == 0)
            continue;
        status = read_module(directory, fields.path, module, out, err);
    }
    fields_close(&fields);
    if (status == ERNIE_OK && out->n_poolings == 0)
        status = read_pooling(directory, "1_Pooling", out, err);
    while (out->n_modules > 0 && out->module[out->n_modules - 1].kind == MODULE_NORMALIZE)
        out->n_modules--;
    return status;
}

/* ---- prompts ----------------------------------------------------------- */

#define MAX_PROMPTS 4096

static int copy_text(const struct fields *fields, const char *name, const json *value, char **out,
                     ernie_error *err)
{
    size_t size;
    const char *text = json_to_text(value, &size);

    if (text == NULL || strlen(text) != size)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: not a text", fields->path, name);
    *out = memory_copy_text(text, size);
    return *out != NULL ? ERNIE_OK
                        : error_set(err, ERNIE_ENOMEM, "%s: out of memory", fields->path);
}

struct prompt_reader {
    const struct fields *fields;
    struct model_prompts *out;
};

static int add_prompt(void *data, const char *key, const json *value, ernie_error *err)
{
    struct prompt_reader *reader = data;
    struct model_prompt *prompt = &reader->out->prompt[reader->out->n];

    if (json_kind(value) == JSON_KIND_NULL) /* a place kept for one */
        return ERNIE_OK;
    prompt->name = memory_copy_text(key, strlen(key));
    if (prompt->name == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", reader->fields->path);
    reader->out->n++;
    return copy_text(reader->fields, "prompts", value, &prompt->text, err);
}

int model_prompts_load(const char *directory, struct model_prompts *out, ernie_error *err)
{
    struct fields fields;
    struct prompt_reader reader = { &fields, out };
    const json *prompts = NULL, *by_default = NULL;
    int status = fields_open(directory, "config_sentence_transformers.json", &fields, err);

    memset(out, 0, sizeof *out);
    if (status == ERNIE_OK) {
        prompts = field(&fields, "prompts");
        by_default = field(&fields, "default_prompt_name");
    }
    if (prompts != NULL &&
        (json_kind(prompts) != JSON_KIND_OBJECT || json_count(prompts) > MAX_PROMPTS))
        status = error_set(err, ERNIE_EFORMAT, "%s: prompts: not an object of at most %d texts",
                           fields.path, MAX_PROMPTS);
    if (status == ERNIE_OK && prompts != NULL && json_count(prompts) > 0) {
        out->prompt = memory_new(json_count(prompts), sizeof *out->prompt);
        status = out->prompt != NULL
                     ? json_each_member(prompts, add_prompt, &reader, err)
                     : error_set(err, ERNIE_ENOMEM, "%s: out of memory", fields.path);
    }
    if (status == ERNIE_OK && by_default != NULL)
        status = copy_text(&fields, "default_prompt_name", by_default, &out->by_default, err);
    fields_close(&fields);
    return status;
}

void model_prompts_reset(struct model_prompts *prompts)
{
    for (size_t i = 0; i < prompts->n; i++) {
        memory_free(prompts->prompt[i].name);
        memory_free(prompts->prompt[i].text);
    }
    memory_free(prompts->prompt);
    memory_free(prompts->by_default);
    memset(prompts, 0, sizeof *prompts);
}

/* ---- the whole --------------------------------------------------------- */

int model_config_load(const char *directory, struct model_config *out, ernie_error *err)
{
    int status;

    memset(out, 0, sizeof *out);
    status = read_model(directory, out, err);
    if (status != ERNIE_OK)
        return status;
    out->max_tokens = out->max_positions;
    status = read_tokenizer(directory, out, err);
    if (status == ERNIE_OK)
        status = read_sentence_bert(directory, out, err);
    return status == ERNIE_OK ? read_modules(directory, out, err) : status;
}
