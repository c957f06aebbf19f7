/* The weights of a model directory: model.safetensors, or the files that
 * model.safetensors.index.json names, opened as one. A large checkpoint is written in
 * several files: https://huggingface.co/docs/transformers/big_models (sharded checkpoints). */
#ifndef ERNIE_MODEL_CHECKPOINT_H
#define ERNIE_MODEL_CHECKPOINT_H

#include "base/error.h"
#include "model/safetensors.h"

/* ERNIE_EFORMAT when the index names a file outside of the directory or one that is not
 * there, puts a tensor where it is not, or when a tensor is in two files. Weights in
 * another format alone are refused as by checkpoint_refuse_other. */
int checkpoint_open(const char *directory, struct safetensors **out, ernie_error *err);

/* Formats that run code when they are read, or that are no checkpoint of this kind, are
 * never opened: where there is one, says how to convert it and returns ERNIE_EFORMAT.
 * Else returns status, of the file that is wanted, and leaves err. */
int checkpoint_refuse_other(const char *directory, int status, ernie_error *err);

#endif
