/* The head of a sequence classifier: the last layer's vector of the first token, [CLS],
 * through a layer of its own, then to one number (a logit) for each label. A head with
 * one label on pairs of texts is a cross-encoder, which says how well they belong
 * together. Devlin et al. 2019, section 4.1; Nogueira & Cho 2019. */
#ifndef ERNIE_MODEL_HEAD_H
#define ERNIE_MODEL_HEAD_H

#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"
#include "kernel/kernel.h"
#include "model/config.h"
#include "model/safetensors.h"

struct head;

/* Reads the head of a model directory from its weights, checked as those are, and adds
 * them and what the configuration says to hasher. *out is NULL when it has none. */
int head_load(const char *directory, const struct safetensors *file,
              const struct model_config *config, struct hasher *hasher, struct head **out,
              ernie_error *err);
void head_free(struct head *head);

/* The labels and what they mean. */
const struct head_config *head_config(const struct head *head);

/* The vector of a sequence's first token [H] to logits [n_labels]. scratch: [H]. */
void head_apply(const struct head *head, const struct kernel *kernel, const float *token,
                float *scratch, float *logits);

/* Logits [n_labels] in place to probabilities: of all labels together when one of them
 * holds (softmax), of each when several may or there is only one (sigmoid). What a
 * regression gives stays as it is. */
void head_probabilities(const struct head *head, float *logits);

/* The score of a head with one label, as sentence-transformers' CrossEncoder has it: in
 * 0..1, unless the model says that it is the logit. */
float head_score(const struct head *head, float logit);

#endif
