/* Neighbours one after the other, best first, for as long as they are asked for: nobody
 * has to say beforehand how many. Candidates come with what their score does not exceed;
 * the one with the greatest bound is scored next, and a scored one is given out as soon as
 * no bound left is as great. So the order is that of the scores, and no more candidates are
 * scored than any method must that knows these bounds: Seidl & Kriegel 1998, "Optimal
 * multi-step k-nearest neighbor search". */
#ifndef ERNIE_INDEX_STREAM_H
#define ERNIE_INDEX_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "index/codes.h"

struct stream;

/* The true score of a candidate, from its row; *found is 0 when the row is gone. */
typedef int (*stream_score_fn)(void *data, int64_t id, double *score, int *found,
                               ernie_error *err);

int stream_new(stream_score_fn score, void *data, struct stream **out, ernie_error *err);
void stream_free(struct stream *stream);

/* Makes room for n more candidates: may be left out, and saves growing step by step. */
int stream_reserve(struct stream *stream, size_t n, ernie_error *err);
/* Adds slots first .. first + n - 1 of codes, which must stay where they are as long as the
 * stream, as candidates. An id that comes twice is given out once. */
int stream_add_codes(struct stream *stream, const struct codes *codes, size_t first, size_t n,
                     const struct codes_query *query, const struct kernel *kernel,
                     ernie_error *err);
/* Adds candidates of which no bound is known: they are scored before anything else. */
int stream_add_ids(struct stream *stream, size_t n, const int64_t *ids, ernie_error *err);

struct stream_hit {
    int64_t id;
    double score;
};

/* The next best, equal scores by id; *found is 0 when there is none left. Candidates may
 * be added later too: those better than what was given out come next. */
int stream_next(struct stream *stream, struct stream_hit *out, int *found, ernie_error *err);

/* Candidates added, and scored, so far. */
size_t stream_n_candidates(const struct stream *stream);
size_t stream_n_scored(const struct stream *stream);

#endif
