/* k-means on the unit sphere: centers such that each vector has a large cosine with one
 * of them. By FAISS. */
#ifndef ERNIE_INDEX_CLUSTER_H
#define ERNIE_INDEX_CLUSTER_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/error.h"

/* x [n][dim], of length 1 or nearly, with n >= k > 0; out [k][dim], of length 1. The same
 * vectors give the same centers. ERNIE_ECANCELED after the round during which *cancel (which
 * may be NULL) was turned on. */
int cluster_train(size_t dim, size_t n, const float *x, size_t k, size_t n_threads,
                  const atomic_int *cancel, float *out, ernie_error *err);

#endif
