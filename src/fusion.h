/* Two rankings of a collection's chunks made one, best first, as many as are asked for: by
 * meaning (nearest.h) and by words (sql/word_index.h). fusion.c says how, and why so.
 *
 * Each side is asked for no more than is needed (Fagin, Lotem & Naor 2003, "Optimal
 * aggregation algorithms for middleware", the threshold algorithm): a chunk that one side
 * gives is scored by the other at once, and is given out when no chunk that neither side has
 * given yet can be better. So the order is the same however many are asked for. */
#ifndef ERNIE_FUSION_H
#define ERNIE_FUSION_H

#include "database.h"

/* A chunk as both sides see it. */
struct candidate {
    int64_t chunk_id;
    int64_t document_id;
    double score;        /* cosine, from the chunk's row */
    double bm25;         /* 0 when it has none of the words, or they were not asked */
    double fused;        /* what candidates are ordered by */
    size_t vector_rank;  /* from 1 among all chunks; 0: not told, it came by its words first */
    size_t keyword_rank; /* from 1; 0 when it has none of the words, or they were not asked */
    float rerank_score;  /* set by rerank.c */
};

struct fusion;

/* query is what a person typed (words/match.h), embedding [dim] that of its plain text. In
 * a snapshot of the store, which must last until fusion_end. */
int fusion_begin(struct ernie_database *database, enum ernie_search_mode mode, const char *query,
                 const float *embedding, struct fusion **out, ernie_error *err);
/* The next best; *found is 0 behind the last. */
int fusion_next(struct fusion *fusion, struct candidate *out, int *found, ernie_error *err);
void fusion_end(struct fusion *fusion); /* NULL is fine */

#endif
