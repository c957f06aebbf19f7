/* What a sentence-transformers directory puts after the transformer: pooling, then
 * dense layers and normalisations in the order of modules.json. The result is always
 * scaled to length 1, whether the directory ends with Normalize or not. */
#ifndef ERNIE_MODEL_MODULE_H
#define ERNIE_MODEL_MODULE_H

#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"
#include "kernel/kernel.h"
#include "model/config.h"

struct modules;

/* Reads the weights of the dense modules (linear.weight and linear.bias of their
 * model.safetensors), checks shapes and that all numbers are finite, and adds their
 * bytes to hasher. */
int modules_load(const char *directory, const struct model_config *config,
                 struct hasher *hasher, struct modules **out, ernie_error *err);
void modules_free(struct modules *modules);

/* Floats of scratch that modules_apply needs. */
size_t modules_scratch(const struct modules *modules);

/* The token vectors of one sequence, tokens [n][H] with n > 0, to its embedding, out
 * [config's dim], of length 1. Allocates nothing. */
void modules_apply(const struct modules *modules, const struct kernel *kernel, size_t n,
                   const float *tokens, float *scratch, float *out);

/* x [n] = activation(x + bias). */
void activation_apply(enum activation activation, const struct kernel *kernel, size_t n,
                      const float *bias, float *x);

#endif
