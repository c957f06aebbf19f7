/* Two rankings of a collection's texts made one, best first, as many as are asked for: by
 * meaning (nearest.h) and by words (sql/word_index.h). fusion.c says how, and why so.
 *
 * Each side is asked for no more than is needed (Fagin, Lotem & Naor 2003, "Optimal
 * aggregation algorithms for middleware", the threshold algorithm): a chunk that one side
 * gives is scored by the other at once, and is given out when no chunk that neither side has
 * given yet can be better. So the order is the same however many are asked for. */
#ifndef ERNIE_FUSION_H
#define ERNIE_FUSION_H

#include "base/buffer.h"
#include "ernie.h"
#include "nearest.h"
#include "sql/word_index.h"

/* The side of words. Its texts are chunks, whose ids it gives; or documents, where there is
 * `chunks`: such a text is as near to a query as its nearest chunk, and comes once. */
struct fusion_words {
    void *data; /* for the functions */
    /* Every text that a query (words/match.h) finds. */
    int (*search)(void *data, const char *query, size_t size, struct word_hits *out,
                  ernie_error *err);
    /* The texts, ascending, that an expression of FTS5's finds; memory_free. */
    int (*ids)(void *data, const char *expression, size_t size, int64_t **ids, size_t *n,
               ernie_error *err);
    /* Appends the ids of a document's chunks, each an int64_t. */
    int (*chunks)(void *data, int64_t document_id, struct buffer *ids, ernie_error *err);
};

/* A text as both sides see it. */
struct candidate {
    int64_t chunk_id; /* of a document, the nearest one */
    int64_t document_id;
    double score;        /* cosine, from the chunk's row */
    double bm25;         /* 0 when it has none of the words, or they were not asked */
    double fused;        /* what candidates are ordered by */
    size_t vector_rank;  /* from 1 among all chunks; 0: not told, it came by its words first */
    size_t keyword_rank; /* from 1; 0 when it has none of the words, or they were not asked */
    float rerank_score;  /* set by rerank.c */
};

struct fusion;

/* query is what a person typed (words/match.h), embedding [dim] that of its plain text; by
 * vectors alone neither query nor the other functions of words are looked at. model is whose
 * embeddings these are, and is looked at by both sides only. In a snapshot of the rows, which
 * must last, as words must, until fusion_end. */
int fusion_begin(struct nearest *nearest, const struct fusion_words *words,
                 const ernie_model *model, enum ernie_search_mode mode, const char *query,
                 const float *embedding, struct fusion **out, ernie_error *err);
/* Gives the same candidates in the order of their cosines. Before the first is asked for. */
void fusion_by_score(struct fusion *fusion);
/* From here on only these texts [n] and all their chunks [n_chunks] are looked for, in any
 * order: what is said of each stays what it was among all. Others that were seen already may
 * still come; none comes twice. */
int fusion_among(struct fusion *fusion, size_t n, const int64_t *texts, size_t n_chunks,
                 const int64_t *chunks, ernie_error *err);
/* The next best; *found is 0 behind the last. */
int fusion_next(struct fusion *fusion, struct candidate *out, int *found, ernie_error *err);
void fusion_end(struct fusion *fusion); /* NULL is fine */

#endif
