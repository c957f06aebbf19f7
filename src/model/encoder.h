/* The forward pass: token ids to token vectors to one embedding a sequence. An
 * encoder is the scratch memory of one thread; the public ernie_encoder
 * (encode.c) holds one for each of its threads. */
#ifndef ERNIE_MODEL_ENCODER_H
#define ERNIE_MODEL_ENCODER_H

#include <stddef.h>
#include <stdint.h>

#include "base/barrier.h"
#include "base/error.h"
#include "model/model.h"
#include "model/pooling.h"

struct encoder;

/* Sequences lie end to end with nothing between them (no padding): sequence i is
 * tokens [start[i], start[i + 1]), and start[n_sequences] is the number of tokens T. */
struct token_batch {
    size_t n_sequences;
    const size_t *start;           /* [n_sequences + 1] */
    const int32_t *input_ids;      /* [T] */
    const int32_t *token_type_ids; /* [T], or NULL: all 0 */
    const int32_t *task_type_ids;  /* [T], or NULL: all 0 */
    size_t n_skipped; /* tokens at the start of each sequence that are not read */
    enum read_tokens read; /* of the last layer; what is not read is not computed */
};

/* max_tokens: the largest T of a batch, at least the model's max_tokens. All
 * scratch is allocated here. Borrows the model. */
int encoder_new(const struct ernie_model *model, size_t max_tokens, struct encoder **out,
                ernie_error *err);
void encoder_free(struct encoder *encoder);

/* The token vectors of the last layer that are read, [T][H] or, of one a sequence,
 * [n_sequences][H], valid until the next call. A sequence of no more than n_skipped tokens
 * has its last one read. Every id must be below the model's vocab_size (and types below theirs), every
 * sequence at most max_positions long and none empty. */
const float *encoder_forward(struct encoder *encoder, const struct token_batch *batch);
/* The same again, of the last call. */
const float *encoder_token_vectors(const struct encoder *encoder);

/* encoder_forward by n threads together, for a batch too small to be divided: each calls
 * this with its number i, an encoder of its own, and the rest alike. shared: the first
 * thread's encoder, which has the result, to the last bit that of encoder_forward.
 * barrier: initialised for n threads. */
void encoder_forward_together(struct encoder *shared, struct encoder *own, size_t i, size_t n,
                              struct barrier *barrier, const struct token_batch *batch);

/* After a forward pass of the batch: pooling and further modules as the model says, then
 * length 1: out [n_sequences][dim]. */
void encoder_pool(struct encoder *encoder, const struct token_batch *batch, float *out);

/* After a forward pass of the batch, of which READ_FIRST is enough: the logits of the model's
 * head, which it must have, out [n_sequences][n_labels]. */
void encoder_classify(struct encoder *encoder, const struct token_batch *batch, float *out);

#endif
