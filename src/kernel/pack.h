/* Weights in the order in which the products read them, made once when a model is
 * opened. */
#ifndef ERNIE_KERNEL_PACK_H
#define ERNIE_KERNEL_PACK_H

#include <stddef.h>
#include <stdint.h>

/* n rounded up to a multiple. */
size_t pack_padded(size_t n, size_t multiple);

/* w [n_out][n_in] as struct matrix_i8 (kernel.h) has it: packed [n_out, padded]
 * [n_in, padded] bytes, starting at a multiple of 64, and sum [n_out, padded]. */
void pack_i8(size_t n_out, size_t n_in, const int8_t *w, int8_t *packed, int32_t *sum);

/* The same for rows [first, first + n) alone, w [n][n_in] being those, into packed and sum
 * that were zero: a matrix that is read a few rows at a time is never there twice. */
void pack_i8_rows(size_t first, size_t n, size_t n_in, const int8_t *w, int8_t *packed,
                  int32_t *sum);

#endif
