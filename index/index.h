/* All vectors of one collection in memory, for every thread that asks: a base that was
 * built once and never changes, and what came since, which grows at its end while others
 * search. Vectors are never taken out: whoever asks looks each hit up in its row and passes
 * over those that are gone, until a new index is built without them.
 *
 *   flat   no base: every vector is scanned as 8-bit numbers; exact (codes.h, stream.h)
 *   ivf    the base in lists, of which a query scans the nearest (ivf.h)
 *   FAISS  the base is any index of FAISS's factory (ann.h): HNSW, IVF with PQ, ...
 *
 * Every hit is given its score by the caller, from its row, so scores are exact with each
 * kind; flat is also exact in which hits there are. */
#ifndef ERNIE_INDEX_INDEX_H
#define ERNIE_INDEX_INDEX_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "index/ann.h"
#include "index/codes.h"
#include "index/stream.h"

/* ---- which kind -------------------------------------------------------- */

enum index_kind { INDEX_FLAT, INDEX_IVF, INDEX_FAISS };

struct index_plan {
    enum index_kind kind;
    char description[ANN_DESCRIPTION_BYTES]; /* of FAISS's factory, with INDEX_FAISS */
};

/* What a setting means for n vectors of dim numbers: "auto" (also ""), "flat", "ivf",
 * "hnsw", "ivfpq", or a string of FAISS's factory, whose truth shows when it is built. */
int index_plan_for(const char *setting, size_t dim, size_t n, struct index_plan *out,
                   ernie_error *err);

/* What index_kind_name says of an index that was planned so. */
const char *index_plan_name(const struct index_plan *plan);

/* ---- an index ---------------------------------------------------------- */

struct index;

/* One without vectors, flat. */
int index_new(size_t dim, struct index **out, ernie_error *err);
/* Counts who uses it: index_new and index_build give one use, the last one frees it. */
struct index *index_use(struct index *index);
void index_release(struct index *index); /* NULL is fine */

/* "flat", "ivf", or FAISS's description; belongs to the index. */
const char *index_kind_name(const struct index *index);
size_t index_dim(const struct index *index);
size_t index_count(const struct index *index);  /* vectors, gone ones included */
size_t index_recent(const struct index *index); /* of them, those after the base */
uint64_t index_bytes(const struct index *index); /* of memory */

/* Adds a vector [dim] at the end; one without direction is left out. Only one thread at a
 * time may add, while any number searches. */
int index_add(struct index *index, int64_t id, const float *vector, ernie_error *err);

/* ---- building ---------------------------------------------------------- */

struct index_builder;

/* For at most n vectors. Threads that turn *cancel on end index_builder_finish with
 * ERNIE_ECANCELED. cancel may be NULL. */
int index_builder_new(const struct index_plan *plan, size_t dim, size_t n, size_t n_threads,
                      const atomic_int *cancel, struct index_builder **out, ernie_error *err);
void index_builder_free(struct index_builder *builder); /* NULL is fine */
/* Vectors it wants to see of the n by index_builder_train before the first is added; 0 for
 * most kinds. */
size_t index_builder_wants(const struct index_builder *builder);
int index_builder_train(struct index_builder *builder, size_t n, const float *vectors,
                        ernie_error *err);
int index_builder_add(struct index_builder *builder, int64_t id, const float *vector,
                      ernie_error *err);
int index_builder_finish(struct index_builder *builder, struct index **out, ernie_error *err);

/* ---- searching --------------------------------------------------------- */

/* One question: hits one after the other, best first. It uses the index until it is
 * freed. */
struct index_search;

/* query [dim] of any length; score gives the true scores. */
int index_search_new(struct index *index, const float *query, stream_score_fn score, void *data,
                     struct index_search **out, ernie_error *err);
void index_search_free(struct index_search *search); /* NULL is fine */
/* Searches what came after the base of another index too, which it uses until it is freed.
 * Once. */
int index_search_also(struct index_search *search, struct index *other, ernie_error *err);
/* The next hit; *found is 0 when every vector was given out. */
int index_search_next(struct index_search *search, struct stream_hit *out, int *found,
                      ernie_error *err);

#endif
