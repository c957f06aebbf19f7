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

/* Encoders of one kind with other names for their tensors (weights.c), other heads, and
 * another way to count positions. */
enum model_family {
    FAMILY_BERT, /* and ERNIE: Devlin et al. 2019, Sun et al. 2019 */
    FAMILY_ROBERTA, /* and XLM-RoBERTa: Liu et al. 2019, Conneau et al. 2020 */
    FAMILY_ROFORMER, /* Su et al. 2021 */
    FAMILY_ERNIE_M, /* Ouyang et al. 2021 */
    N_FAMILIES
};

/* How a token knows its place: by a vector added to it once, or by turning queries and
 * keys in each layer (Su et al. 2021, "RoFormer"). */
enum position_kind { POSITION_LEARNED, POSITION_ROTARY };

/* Numbers of a head at most where positions are rotary: no file bounds the table. */
#define MAX_ROTARY_HEAD 1024

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
    const char *model_type;         /* "bert", a constant */
    enum model_family family;
    size_t hidden_size;             /* H */
    size_t embedding_size;          /* E, of the embeddings: H unless a layer projects them to it */
    size_t n_layers;
    size_t n_heads;                 /* A, divides H */
    size_t intermediate_size;
    size_t vocab_size;
    size_t max_position_embeddings; /* rows of learned positions */
    enum position_kind positions;
    int rotary_value;               /* rotary positions turn the values too */
    size_t first_position;          /* of the first token, in rows */
    int pad_has_no_place;           /* [PAD] in a text stands at row pad_token_id, uncounted */
    size_t pad_token_id;
    size_t max_positions;           /* tokens that there are positions for */
    size_t type_vocab_size;         /* 0 when the model has no token types */
    size_t task_type_vocab_size;    /* 0 when the model has no task types */
    double layer_norm_eps;
    /* tokenizer_config.json */
    int do_lower_case;
    int tokenize_chinese_chars;
    int strip_accents;              /* resolved: null follows do_lower_case */
    /* tokenizer.json counts, and not a vocab.txt beside it. To transformers BERT's tokenizers
     * take no more than words and added tokens from that file, all others all of it. */
    int takes_tokenizer_json;
    /* unk_token, cls_token, sep_token, pad_token, mask_token: a string or an object with
     * "content". "" where the file names none: BERT's own word ("[UNK]", ...) then. */
    char special_tokens[N_SPECIAL_TOKENS][SPECIAL_TOKEN_BYTES];
    /* sentence_bert_config.json, tokenizer_config.json: tokens a sequence may have,
     * [CLS] and [SEP] included; never more than max_positions */
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

/* What the numbers of a sequence classifier mean. */
enum problem { PROBLEM_SINGLE_LABEL, PROBLEM_MULTI_LABEL, PROBLEM_REGRESSION };

/* A sequence classifier's head, as config.json has it. */
struct head_config {
    size_t n_labels; /* 0: the model has no such head */
    char **label;    /* [n_labels] */
    enum problem problem;
    int score_is_logit; /* a cross-encoder's score is the number itself, not its sigmoid */
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

/* A head is there when "architectures" says ...ForSequenceClassification. Labels come from
 * id2label, else they are LABEL_0, LABEL_1, ...; one label without a problem_type is
 * the score of a cross-encoder, whose activation sentence-transformers notes. out is
 * released with head_config_reset, also after a failure. */
int head_config_load(const char *directory, struct head_config *out, ernie_error *err);
void head_config_reset(struct head_config *config);

/* out is released with model_prompts_reset, also after a failure. */
int model_prompts_load(const char *directory, struct model_prompts *out, ernie_error *err);
void model_prompts_reset(struct model_prompts *prompts);

#endif
