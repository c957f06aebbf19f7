/* The files of a model directory. A new one is made from another: what is not weights is
 * copied, the weights are written, and the whole appears under its name at the end or
 * not at all. */
#ifndef ERNIE_MODEL_DIRECTORY_H
#define ERNIE_MODEL_DIRECTORY_H

#include <stdint.h>

#include "base/error.h"
#include "model/safetensors.h"

/* The path of weights in a directory without model.safetensors: another format, or one of
 * several files; the first by name. memory_free. NULL: there is none, or memory ran out. */
char *directory_other_weights(const char *directory);

struct directory_writer;

/* out must not exist; until directory_writer_finish everything is in "out.part".
 * Copies the files of directory and of its folders, one level deep, leaving out weights
 * of any format at the top (those of modules, in folders, are copied). */
int directory_writer_new(const char *directory, const char *out, struct directory_writer **writer,
                         ernie_error *err);

/* "out.part", where the model is while it is being made. */
const char *directory_writer_path(const struct directory_writer *writer);

/* Starts model.safetensors over, with tensors of these names, types and shapes; their
 * places are computed here. Then directory_writer_data gives the bytes of all of them
 * one after the other, in that order, and directory_writer_end closes the file. */
int directory_writer_begin(struct directory_writer *writer, size_t n, const struct tensor *tensors,
                           ernie_error *err);
int directory_writer_data(struct directory_writer *writer, const void *data, size_t size,
                          ernie_error *err);
int directory_writer_end(struct directory_writer *writer, ernie_error *err);

/* Puts the directory in place and frees the writer; on failure it is removed. */
int directory_writer_finish(struct directory_writer *writer, ernie_error *err);
/* Removes what was written. NULL is fine. */
void directory_writer_cancel(struct directory_writer *writer);

#endif
