#include "rerank.h"

#include <math.h>

#include "base/memory.h"

/* The whole texts of the candidates' chunks; "" for one that is gone. */
static int read_texts(struct store *store, size_t n, const struct candidate *candidates,
                      char **texts, ernie_error *err)
{
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        struct store_hit row;
        int found;

        status = store_hit_get(store, candidates[i].chunk_id, &row, &found, err);
        if (status != ERNIE_OK)
            return status;
        texts[i] = memory_copy_text(found ? row.text : "", found ? row.size : 0);
        if (texts[i] == NULL)
            status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
    }
    return status;
}

/* By insertion: there are few, and they come nearly in order. */
static void sort(size_t n, struct candidate *candidates)
{
    for (size_t i = 1; i < n; i++) {
        const struct candidate moved = candidates[i];
        size_t j = i;

        for (; j > 0 && candidates[j - 1].rerank_score < moved.rerank_score; j--)
            candidates[j] = candidates[j - 1];
        candidates[j] = moved;
    }
}

int rerank_candidates(struct store *store, ernie_encoder *reranker, const char *query, size_t n,
                      struct candidate *candidates, ernie_error *err)
{
    char **texts = memory_new(n, sizeof *texts);
    float *scores = memory_new(n, sizeof *scores);
    int status;

    if (texts == NULL || scores == NULL)
        status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
    else
        status = read_texts(store, n, candidates, texts, err);
    if (status == ERNIE_OK)
        status = ernie_rerank(reranker, query, n, (const char *const *)texts, scores, err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        candidates[i].rerank_score = scores[i];
    if (status == ERNIE_OK)
        sort(n, candidates);
    for (size_t i = 0; texts != NULL && i < n; i++)
        memory_free(texts[i]);
    memory_free(texts);
    memory_free(scores);
    return status;
}
