/* Tensors by name in a safetensors file: 8 bytes of header length (little-endian),
 * a JSON header that gives each tensor's type, shape and place, then the data. The
 * header is checked whole when the file is opened: tensors fill the data without
 * hole or overlap, and each is as long as its shape says. The data is read, never
 * mapped, so that a file that shrinks meanwhile is an error and not a signal.
 * https://github.com/huggingface/safetensors#format */
#ifndef ERNIE_MODEL_SAFETENSORS_H
#define ERNIE_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_I8, TENSOR_OTHER };

#define TENSOR_MAX_DIMENSIONS 8

struct safetensors;

struct tensor {
    const char *name;
    enum tensor_type type;
    size_t n_dimensions;
    size_t shape[TENSOR_MAX_DIMENSIONS];
    const struct safetensors *file; /* that has its bytes */
    uint64_t start;                 /* in it */
    size_t size_bytes;
};

int safetensors_open(const char *path, struct safetensors **out, ernie_error *err);
void safetensors_close(struct safetensors *file);

/* Files [n] as one that has the tensors of all; it owns them, also when this fails.
 * path is for messages. ERNIE_EFORMAT when two have a tensor of the same name. */
int safetensors_join(const char *path, size_t n, struct safetensors *const *files,
                     struct safetensors **out, ernie_error *err);

const char *safetensors_path(const struct safetensors *file);
/* Bytes of the file, or of all joined in it. */
uint64_t safetensors_size_bytes(const struct safetensors *file);
/* NULL when there is none of that name. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);
/* Reads size bytes of a tensor from an offset in it. */
int safetensors_read(const struct safetensors *file, const struct tensor *tensor, size_t offset,
                     size_t size, void *out, ernie_error *err);

/* The tensors one by one, in the order of their names. */
size_t safetensors_count(const struct safetensors *file);
const struct tensor *safetensors_at(const struct safetensors *file, size_t i);

/* Bytes of a number; not for TENSOR_OTHER. */
size_t tensor_type_size(enum tensor_type type);
/* n numbers of a type as float32; bytes need no alignment. */
void tensor_widen(enum tensor_type type, size_t n, const uint8_t *bytes, float *out);
/* The other way, to the nearest number, of two the even one. 0 when one is too large for
 * the type. Not for TENSOR_I8. */
int tensor_narrow(enum tensor_type type, size_t n, const float *in, uint8_t *bytes);

#endif
