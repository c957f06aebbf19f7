/* What the JSON files of a model directory say, checked: config.json,
 * tokenizer_config.json, sentence_bert_config.json, modules.json, the config.json of
 * each module it names, and config_sentence_transformers.json. A missing optional file
 * means its defaults. */
#ifndef ERNIE_MODEL_CONFIG_H
#define ERNIE_MODEL_CONFIG_H

#include <stddef.h>

#include "base/error.h"

enum pooling_kind {
    POOLING_MEAN,
    POOLING_CLS,
    POOLING_MAX,
    POOLING_MEAN_SQRT_LEN, /* the sum divided by the square root of the count */
    POOLING_LAST_TOKEN,
    N_POOLING_KINDS
};

/* What a module does with a pooled vector. */
enum module_kind { MODULE_DENSE, MODULE_NORMALIZE };

enum activation {
    ACTIVATION_IDENTITY,
    ACTIVATION_TANH,
    ACTIVATION_RELU,
    ACTIVATION_GELU,
    ACTIVATION_SIGMOID
};

#define MAX_MODULES 8
#define MODULE_FOLDER_BYTES 64

struct module_config {
    enum module_kind kind;
    /* of a dense module */
    char folder[MODULE_FOLDER_BYTES];
    size_t n_in, n_out;
    int has_bias;
    enum activation activation;
};

enum special_token {
    SPECIAL_UNK,
    SPECIAL_CLS,
    SPECIAL_SEP,
    SPECIAL_PAD,
    SPECIAL_MASK,
    N_SPECIAL_TOKENS
};

#define SPECIAL_TOKEN_BYTES 64

struct model_config {
    /* config.json */
    size_t hidden_size;             /* H */
    size_t n_layers;
    size_t n_heads;                 /* A, divides H */
    size_t intermediate_size;
    size_t vocab_size;
    size_t max_position_embeddings;
    size_t type_vocab_size;
    size_t task_type_vocab_size;    /* 0 when the model has no task types */
    double layer_norm_eps;
    /* tokenizer_config.json */
    int do_lower_case;
    int tokenize_chinese_chars;
    int strip_accents;              /* resolved: null follows do_lower_case */
    /* unk_token, cls_token, sep_token, pad_token, mask_token: a string or an object with
     * "content". "" where the file names none: BERT's own word ("[UNK]", ...) then. */
    char special_tokens[N_SPECIAL_TOKENS][SPECIAL_TOKEN_BYTES];
    /* sentence_bert_config.json, tokenizer_config.json: tokens a sequence may have,
     * [CLS] and [SEP] included; never more than max_position_embeddings */
    size_t max_tokens;
    /* 1_Pooling/config.json: several poolings' vectors are put end to end */
    size_t n_poolings; /* 1 or more */
    enum pooling_kind pooling[N_POOLING_KINDS];
    int include_prompt; /* 0: pooling leaves out [CLS] and the prompt's tokens */
    /* modules.json: what comes after pooling, but for a last Normalize, which the
     * scaling of every embedding makes needless */
    size_t n_modules;
    struct module_config module[MAX_MODULES];
    size_t dim; /* of the embedding, after the last module */
};

/* Texts that config_sentence_transformers.json has put before others. */
struct model_prompts {
    size_t n;
    struct model_prompt {
        char *name;
        char *text;
    } *prompt; /* [n] */
    char *by_default; /* default_prompt_name, or NULL */
};

/* Returns ERNIE_ENOTFOUND when the directory has no config.json, ERNIE_EFORMAT
 * with "path: field: why" when a field cannot be used. */
int model_config_load(const char *directory, struct model_config *out, ernie_error *err);

/* out is released with model_prompts_reset, also after a failure. */
int model_prompts_load(const char *directory, struct model_prompts *out, ernie_error *err);
void model_prompts_reset(struct model_prompts *prompts);

#endif
