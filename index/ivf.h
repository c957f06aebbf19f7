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

/* The lists for a query, the one it should read first on top: a heap, since few of them
 * are taken. */
struct ivf_queue {
    struct ivf_place {
        float upper;
        uint32_t list;
    } *place; /* [n] */
    size_t n;
};

int ivf_queue_init(struct ivf_queue *queue, const struct ivf *ivf,
                   const struct codes_query *query, const struct kernel *kernel,
                   ernie_error *err);
void ivf_queue_reset(struct ivf_queue *queue);
/* The next list; there must be one. */
uint32_t ivf_queue_take(struct ivf_queue *queue);

#endif
