#include "highlight.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "encode.h"
#include "model/model.h"
#include "snippet.h"

/* Hits whose sentences are compared by meaning: a page of them. */
#define N_BY_MEANING 20

struct sentences {
    size_t n;
    struct snippet_sentence sentence[SNIPPET_SENTENCES];
};

/* ---- by meaning -------------------------------------------------------- */

/* What is embedded of all passages: their sentences, as much of each as would be shown. */
struct candidates {
    size_t n, capacity;
    const char **texts; /* [n] */
    size_t *sizes;
    float *embeddings; /* [n][dim] */
};

static void candidates_reset(struct candidates *candidates)
{
    memory_free(candidates->texts);
    memory_free(candidates->sizes);
    memory_free(candidates->embeddings);
}

/* Whether a passage has to be looked into: a short one is shown from its start. */
static int has_choice(const struct passage *passage, const struct sentences *sentences)
{
    return passage->size > SNIPPET_BYTES && sentences->n > 1;
}

static int embed_sentences(struct ernie_database *database, size_t n,
                           const struct passage *passages, const struct sentences *sentences,
                           struct candidates *out, ernie_error *err)
{
    const struct ernie_encode_options options = {
        .prompt = model_passage_prompt(database->model), .dim = database->dim
    };
    size_t n_all = 0;

    for (size_t i = 0; i < n; i++)
        n_all += has_choice(&passages[i], &sentences[i]) ? sentences[i].n : 0;
    out->texts = memory_new(n_all, sizeof *out->texts);
    out->sizes = memory_new(n_all, sizeof *out->sizes);
    out->embeddings = memory_new(n_all, database->dim * sizeof *out->embeddings);
    if (out->texts == NULL || out->sizes == NULL || out->embeddings == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; has_choice(&passages[i], &sentences[i]) && j < sentences[i].n; j++) {
            const struct snippet_sentence *sentence = &sentences[i].sentence[j];
            size_t size = sentence->end - sentence->start;

            out->texts[out->n] = passages[i].text + sentence->start;
            if (size > SNIPPET_BYTES)
                size = utf8_floor(out->texts[out->n], SNIPPET_BYTES);
            out->sizes[out->n++] = size;
        }
    }
    return out->n == 0 ? ERNIE_OK
                       : encode_texts(database->encoder, out->n, out->texts, out->sizes, &options,
                                      out->embeddings, err);
}

/* Sets best [n] to the sentence of each passage that is nearest to the query. */
static int choose_by_meaning(struct ernie_database *database, const float *embedding, size_t n,
                             const struct passage *passages, const struct sentences *sentences,
                             size_t *best, ernie_error *err)
{
    struct candidates candidates = { 0 };
    const float *sentence;
    int status = embed_sentences(database, n, passages, sentences, &candidates, err);

    sentence = candidates.embeddings;
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        double nearest = -2;

        for (size_t j = 0; has_choice(&passages[i], &sentences[i]) && j < sentences[i].n; j++) {
            const double cosine = ernie_cosine(database->dim, embedding, sentence);

            if (cosine > nearest) {
                nearest = cosine;
                best[i] = j;
            }
            sentence += database->dim;
        }
    }
    candidates_reset(&candidates);
    return status;
}

/* ---- the whole --------------------------------------------------------- */

static int write_snippet(struct marker *marker, const struct passage *passage,
                         const struct sentences *sentences, size_t best, struct ernie_hit *hit,
                         ernie_error *err)
{
    struct buffer text = { 0 };
    const struct mark *found;
    struct ernie_mark *marks;
    size_t n;
    int status;

    snippet_append(&text, passage->text, passage->size, sentences->n, sentences->sentence, best);
    hit->snippet = buffer_take(&text);
    if (hit->snippet == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    status = marker_find(marker, hit->snippet, strlen(hit->snippet), &found, &n, err);
    if (status != ERNIE_OK || n == 0)
        return status;
    marks = memory_new(n, sizeof *marks);
    if (marks == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    for (size_t i = 0; i < n; i++)
        marks[i] = (struct ernie_mark){ found[i].start, found[i].end };
    hit->marks = marks;
    hit->n_marks = n;
    return ERNIE_OK;
}

int highlight(struct ernie_database *database, const char *query, const float *embedding,
              size_t n, const struct passage *passages, struct ernie_hit *hits, ernie_error *err)
{
    const size_t n_by_meaning = embedding == NULL ? 0 : n < N_BY_MEANING ? n : N_BY_MEANING;
    const size_t query_size = strlen(query);
    struct sentences *sentences = memory_new(n, sizeof *sentences);
    size_t *best = memory_new(n, sizeof *best);
    struct marker *marker = NULL;
    int status;

    if (sentences == NULL || best == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
        goto done;
    }
    status = marker_new(query, query_size <= SNIPPET_QUERY_BYTES ? query_size : 0, &marker, err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        sentences[i].n = snippet_sentences(passages[i].text, passages[i].size,
                                           sentences[i].sentence);
    if (status == ERNIE_OK && n_by_meaning > 0)
        status = choose_by_meaning(database, embedding, n_by_meaning, passages, sentences, best,
                                   err);
    for (size_t i = n_by_meaning; status == ERNIE_OK && i < n; i++)
        status = snippet_best_by_words(marker, passages[i].text, sentences[i].n,
                                       sentences[i].sentence, &best[i], err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        status = write_snippet(marker, &passages[i], &sentences[i], best[i], &hits[i], err);
done:
    marker_free(marker);
    memory_free(sentences);
    memory_free(best);
    return status;
}
