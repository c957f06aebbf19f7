/* The second look at what a search found. */
#ifndef ERNIE_RERANK_H
#define ERNIE_RERANK_H

#include "base/error.h"
#include "ernie.h"
#include "fusion.h"
#include "sql/store.h"

/* Scores the chunks of n candidates with the query by a cross-encoder and sorts them by
 * it, best first; where scores are equal the order stays. Must run in the snapshot that
 * the candidates are of. */
int rerank_candidates(struct store *store, ernie_encoder *reranker, const char *query, size_t n,
                      struct candidate *candidates, ernie_error *err);

#endif
