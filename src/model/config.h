/* What the JSON files of a model directory say, checked: config.json,
 * tokenizer_config.json, sentence_bert_config.json, modules.json and
 * 1_Pooling/config.json. A missing optional file means its defaults. */
#ifndef ERNIE_MODEL_CONFIG_H
#define ERNIE_MODEL_CONFIG_H

#include <stddef.h>

#include "base/error.h"

enum pooling_kind { POOLING_MEAN, POOLING_CLS };

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
    enum pooling_kind pooling;
};

/* Returns ERNIE_ENOTFOUND when the directory has no config.json, ERNIE_EFORMAT
 * with "path: field: why" when a field cannot be used. */
int model_config_load(const char *directory, struct model_config *out, ernie_error *err);

#endif
