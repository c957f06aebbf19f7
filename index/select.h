/* The k-th greatest of numbers without putting them in order. */
#ifndef ERNIE_INDEX_SELECT_H
#define ERNIE_INDEX_SELECT_H

#include <stddef.h>

/* The k-th greatest of x [n], 0 < k <= n, which is reordered. Hoare 1961, "Algorithm 65:
 * Find". */
float select_greatest(size_t n, float *x, size_t k);

#endif
