/* Vectors in lists by the center nearest to them, of which a query reads the few whose
 * centers are nearest to it: an inverted file, Sivic & Zisserman 2003; Jegou, Douze &
 * Schmid 2011. The lists are stretches of one struct codes. */
#ifndef ERNIE_INDEX_IVF_H
#define ERNIE_INDEX_IVF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "index/codes.h"

struct ivf {
    struct codes centers; /* [n_lists]; their ids are 0, 1, ... */
    uint32_t *start;      /* [n_lists + 1]: list i is slots start[i] .. start[i + 1] - 1 */
};

/* How many lists serve n vectors. */
size_t ivf_lists_for(size_t n);

/* Puts the slots of codes, 1 .. 2^31 of them, in the order of lists, whose centers are
 * found first. Threads that turn *cancel on end the work with ERNIE_ECANCELED; codes then
 * holds the same vectors in some order. cancel may be NULL. */
int ivf_build(struct ivf *ivf, struct codes *codes, size_t n_lists, size_t n_threads,
              const atomic_int *cancel, ernie_error *err);
void ivf_reset(struct ivf *ivf);

/* The lists that a query has not read yet. */
struct ivf_rest {
    float *upper;   /* [n_lists] of the query and each center; -INFINITY once it was read */
    float *copy;    /* [n_lists] to be reordered */
    uint32_t *list; /* [n_lists] those that come next */
    size_t n_lists;
    size_t n; /* not read yet */
};

int ivf_rest_init(struct ivf_rest *rest, const struct ivf *ivf, const struct codes_query *query,
                  const struct kernel *kernel, ernie_error *err);
void ivf_rest_reset(struct ivf_rest *rest);
/* The n > 0 nearest of the rest, more when some are equally near, all when there are no more:
 * takes them out of it and writes them to rest->list, ascending. Returns how many. */
size_t ivf_rest_take(struct ivf_rest *rest, size_t n);

#endif
