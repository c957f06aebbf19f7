/* How much of the exact answer an approximate search finds. */
#ifndef ERNIE_INDEX_RECALL_H
#define ERNIE_INDEX_RECALL_H

#include <stddef.h>
#include <stdint.h>

#include "index/ann.h"

/* The part, 0 to 1, of the ids exact [n_exact] that are among found [n_found], in
 * any order; 1 when exact is empty. The ids of each list differ from each other. */
double recall_of(size_t n_exact, const int64_t *exact, size_t n_found, const int64_t *found);

struct recall {
    double mean;  /* over the queries */
    double worst; /* of one query */
};

/* Asks both indexes for the k nearest to each of n queries [n][dim] and compares.
 * A neighbour that the exact index left out although it is as near as the last one
 * it kept counts as right: among equals the choice is free (Aumüller, Bernhardsson
 * & Faithfull 2020, section 2.1). Both hold the same vectors. */
int recall_measure(const struct ann *approximate, const struct ann *exact, size_t n,
                   const float *queries, size_t k, struct recall *out, ernie_error *err);

#endif
