#include "index/recall.h"

#include <stdlib.h>

#include "base/memory.h"

/* Scores of one pair of vectors computed in two orders differ by rounding. */
#define SAME_SCORE 1e-6f

double recall_of(size_t n_exact, const int64_t *exact, size_t n_found, const int64_t *found)
{
    size_t n_right = 0;

    for (size_t i = 0; i < n_exact; i++)
        for (size_t j = 0; j < n_found; j++)
            if (exact[i] == found[j]) {
                n_right++;
                break;
            }
    return n_exact == 0 ? 1.0 : (double)n_right / (double)n_exact;
}

/* As recall_of, but by scores, best first: whatever is as near as the last of the
 * exact ones is right. */
static double recall_by_score(size_t n_exact, const float *exact, size_t n_found,
                              const float *found)
{
    size_t n_right = 0;

    while (n_right < n_exact && n_right < n_found &&
           found[n_right] >= exact[n_exact - 1] - SAME_SCORE)
        n_right++;
    return n_exact == 0 ? 1.0 : (double)n_right / (double)n_exact;
}

int recall_measure(const struct ann *approximate, const struct ann *exact, size_t n,
                   const float *queries, size_t k, struct recall *out, ernie_error *err)
{
    struct recall recall = { 1.0, 1.0 };
    int64_t *ids = memory_new(k, sizeof *ids);
    float *scores = memory_new(2 * k, sizeof *scores);
    int status = ERNIE_OK;
    double sum = 0;

    if (ids == NULL || scores == NULL)
        status = error_set(err, ERNIE_ENOMEM, "recall: out of memory");
    for (size_t i = 0; i < n && status == ERNIE_OK; i++) {
        const float *query = queries + i * ann_dim(exact);
        size_t n_exact, n_found;
        double one;

        status = ann_search(exact, query, k, ids, scores, &n_exact, err);
        if (status == ERNIE_OK)
            status = ann_search(approximate, query, k, ids, scores + k, &n_found, err);
        if (status != ERNIE_OK)
            break;
        one = recall_by_score(n_exact, scores, n_found, scores + k);
        sum += one;
        if (one < recall.worst)
            recall.worst = one;
    }
    if (status == ERNIE_OK) {
        if (n > 0)
            recall.mean = sum / (double)n;
        *out = recall;
    }
    memory_free(ids);
    memory_free(scores);
    return status;
}
