/* The weights of one encoder of BERT's kind, by name and shape, in the form that the
 * forward pass takes them. What the tensors of each family are called is a table here. */
#ifndef ERNIE_MODEL_WEIGHTS_H
#define ERNIE_MODEL_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "model/config.h"
#include "model/linear.h"
#include "model/safetensors.h"

/* H hidden, E embedding, F intermediate size. */
struct layer_norm {
    float *gamma, *beta; /* [H], of the embeddings [E] */
};

struct layer {
    struct linear query_key_value; /* H -> 3H, the three after each other */
    struct linear attention_output; /* H -> H */
    struct layer_norm attention_norm;
    struct linear intermediate; /* H -> F */
    struct linear output;       /* F -> H */
    struct layer_norm output_norm;
};

/* A row for each id. The word embeddings are most of a small model, and of them a
 * text needs few rows: int8 ones stay int8. */
struct embedding {
    size_t n_rows;
    float *rows;       /* [n_rows][E], or NULL */
    int8_t *rows_i8;   /* [n_rows][E] with scale, when rows is NULL */
    float *scale;      /* [n_rows] */
};

struct weights {
    const struct kernel *kernel; /* the linear layers are packed for it */
    size_t hidden_size, embedding_size, n_layers;
    struct embedding word, position, token_type, task_type; /* no rows: there is none */
    struct layer_norm embedding_norm;
    struct linear projection; /* E -> H, applied after it when E is not H */
    /* Rotary positions, else NULL: [max_positions][D / 2][2], the cosine and the sine of
     * position * 10000^(-2i / D), D = H / heads. */
    float *turns;
    struct layer *layer; /* [n_layers] */
};

/* Reads every tensor that the configuration asks for, checks its shape and that all
 * numbers are finite, and adds its bytes to hasher. Tensors of other names are not
 * looked at. */
int weights_load(const struct safetensors *file, const struct model_config *config,
                 struct hasher *hasher, struct weights **out, ernie_error *err);
void weights_free(struct weights *weights);

/* The same for one layer by its name: weight [n_out][n_in] and bias [n_out], zeros when
 * it has none. Both are released with memory_free_aligned, also after a failure. */
int weights_load_dense(const struct safetensors *file, const char *name, size_t n_in,
                       size_t n_out, int has_bias, struct hasher *hasher, float **weight,
                       float **bias, ernie_error *err);

/* A layer of its own, not packed: applied to one vector at a time. */
struct dense {
    float *weight; /* [n_out][n_in] */
    float *bias;   /* [n_out] */
};

/* The two layers of a sequence classifier, H -> H and H -> n_labels, by the names that the
 * model's family gives them. Both are released with dense_reset, also after a failure. */
int weights_load_head(const struct safetensors *file, const struct model_config *config,
                      size_t n_labels, struct hasher *hasher, struct dense *hidden,
                      struct dense *output, ernie_error *err);
void dense_reset(struct dense *dense);

/* Adds row id of the embedding to out [E]; nothing when it has no rows. */
void embedding_add(const struct embedding *embedding, size_t embedding_size, size_t id,
                   float *out);

#endif
