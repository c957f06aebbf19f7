#include "highlight.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "encode.h"
#include "model/model.h"
#include "model/word_bag.h"
#include "snippet.h"
#include "words/match.h"

/* Hits whose sentences are embedded when their words do not tell: a page of them. */
#define N_BY_MEANING 20

/* What the sentence with the most of the query's words has ahead of one with none of them, in
 * cosines of their word bags, which are 0.2 to 0.6. Of 0.1, 0.2 and 0.4 the best or nearly so
 * on each of the four sets of questions that bench/README.md tells of. */
#define WORDS_WEIGHT 0.2

struct sentences {
    size_t n;
    struct snippet_sentence sentence[SNIPPET_SENTENCES];
    size_t best;       /* that is shown */
    int is_in_doubt;   /* words do not tell which one is: best is by meaning */
};

struct highlighter {
    struct ernie_database *database;
    const char *query;
    struct marker *marker;
    struct word_bag *bag;   /* the database's */
    float *query_bag, *bag_of_one; /* [word_bag_dim] */
    struct sentences *sentences; /* [n] */
    const struct passage *passages; /* [n] */
    size_t n;
};

/* Whether a passage has to be looked into: a short one is shown from its start. */
static int has_choice(const struct passage *passage, const struct sentences *sentences)
{
    return passage->size > SNIPPET_BYTES && sentences->n > 1;
}

/* As much of a sentence as would be shown. */
static size_t shown_size(const char *text, const struct snippet_sentence *sentence)
{
    const size_t size = sentence->end - sentence->start;

    return size > SNIPPET_BYTES ? utf8_floor(text + sentence->start, SNIPPET_BYTES) : size;
}

/* ---- by words ---------------------------------------------------------- */

/* How many of the query's words each sentence of a passage has, and the most of them. */
static int count_words(struct highlighter *highlighter, size_t i, size_t *counts, size_t *most,
                       ernie_error *err)
{
    const struct sentences *sentences = &highlighter->sentences[i];
    const char *text = highlighter->passages[i].text;
    int status = ERNIE_OK;

    *most = 0;
    for (size_t j = 0; status == ERNIE_OK && j < sentences->n; j++) {
        const struct snippet_sentence *sentence = &sentences->sentence[j];

        status = marker_count(highlighter->marker, text + sentence->start,
                              shown_size(text, sentence), &counts[j], err);
        if (status == ERNIE_OK && counts[j] > *most)
            *most = counts[j];
    }
    return status;
}

/* The sentence whose words, by their embeddings and by themselves, are most like the
 * query's. */
static int choose_by_words(struct highlighter *highlighter, size_t i, ernie_error *err)
{
    struct sentences *sentences = &highlighter->sentences[i];
    const char *text = highlighter->passages[i].text;
    size_t counts[SNIPPET_SENTENCES], most;
    double greatest = -2;
    int status = count_words(highlighter, i, counts, &most, err);

    sentences->is_in_doubt = most == 0;
    for (size_t j = 0; status == ERNIE_OK && j < sentences->n; j++) {
        const struct snippet_sentence *sentence = &sentences->sentence[j];
        double score;

        status = word_bag_sum(highlighter->bag, text + sentence->start,
                              shown_size(text, sentence), highlighter->bag_of_one, err);
        if (status != ERNIE_OK)
            break;
        score = ernie_cosine(word_bag_dim(highlighter->bag), highlighter->query_bag,
                             highlighter->bag_of_one);
        if (most > 0)
            score += WORDS_WEIGHT * (double)counts[j] / (double)most;
        if (score > greatest) {
            greatest = score;
            sentences->best = j;
        }
    }
    return status;
}

/* ---- by meaning -------------------------------------------------------- */

/* What is embedded of all passages in doubt: their sentences, as much of each as would be
 * shown. */
struct candidates {
    size_t n;
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

static int embed_sentences(const struct highlighter *highlighter, size_t n_all,
                           struct candidates *out, ernie_error *err)
{
    struct ernie_database *database = highlighter->database;
    const struct ernie_encode_options options = {
        .prompt = model_passage_prompt(database->model), .dim = database->dim
    };

    out->texts = memory_new(n_all, sizeof *out->texts);
    out->sizes = memory_new(n_all, sizeof *out->sizes);
    out->embeddings = memory_new(n_all, database->dim * sizeof *out->embeddings);
    if (out->texts == NULL || out->sizes == NULL || out->embeddings == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    for (size_t i = 0; i < highlighter->n; i++) {
        const struct sentences *sentences = &highlighter->sentences[i];
        const char *text = highlighter->passages[i].text;

        for (size_t j = 0; sentences->is_in_doubt && j < sentences->n; j++) {
            out->texts[out->n] = text + sentences->sentence[j].start;
            out->sizes[out->n++] = shown_size(text, &sentences->sentence[j]);
        }
    }
    return encode_texts(database->encoder, out->n, out->texts, out->sizes, &options,
                        out->embeddings, err);
}

/* Of each passage in doubt, which have n_all sentences, the one that is nearest the query. */
static int choose_by_meaning(struct highlighter *highlighter, const float *embedding,
                             size_t n_all, ernie_error *err)
{
    const size_t dim = highlighter->database->dim;
    struct candidates candidates = { 0 };
    const float *sentence;
    int status = embed_sentences(highlighter, n_all, &candidates, err);

    sentence = candidates.embeddings;
    for (size_t i = 0; status == ERNIE_OK && i < highlighter->n; i++) {
        struct sentences *sentences = &highlighter->sentences[i];
        double nearest = -2;

        for (size_t j = 0; sentences->is_in_doubt && j < sentences->n; j++, sentence += dim) {
            const double cosine = ernie_cosine(dim, embedding, sentence);

            if (cosine > nearest) {
                nearest = cosine;
                sentences->best = j;
            }
        }
    }
    candidates_reset(&candidates);
    return status;
}

/* ---- both -------------------------------------------------------------- */

/* The sentence to show of each passage. */
static int choose(struct highlighter *highlighter, const float *embedding, ernie_error *err)
{
    size_t n_in_doubt = 0;
    float *own = NULL;
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < highlighter->n; i++) {
        struct sentences *sentences = &highlighter->sentences[i];

        if (!has_choice(&highlighter->passages[i], sentences))
            continue;
        status = choose_by_words(highlighter, i, err);
        if (i >= N_BY_MEANING)
            sentences->is_in_doubt = 0;
        if (sentences->is_in_doubt)
            n_in_doubt += sentences->n;
    }
    if (status != ERNIE_OK || n_in_doubt == 0)
        return status;
    if (embedding == NULL)
        status = database_embed_query(highlighter->database, highlighter->query, &own, err);
    if (status == ERNIE_OK)
        status = choose_by_meaning(highlighter, embedding != NULL ? embedding : own, n_in_doubt,
                                   err);
    memory_free(own);
    return status;
}

/* ---- the whole --------------------------------------------------------- */

static int write_snippet(struct highlighter *highlighter, size_t i, struct ernie_hit *hit,
                         ernie_error *err)
{
    const struct passage *passage = &highlighter->passages[i];
    const struct sentences *sentences = &highlighter->sentences[i];
    struct buffer text = { 0 };
    const struct mark *found;
    struct ernie_mark *marks;
    size_t n;
    int status;

    snippet_append(&text, passage->text, passage->size, sentences->n, sentences->sentence,
                   sentences->best);
    hit->snippet = buffer_take(&text);
    if (hit->snippet == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    status = marker_find(highlighter->marker, hit->snippet, strlen(hit->snippet), &found, &n, err);
    if (status != ERNIE_OK || n == 0)
        return status;
    marks = memory_new(n, sizeof *marks);
    if (marks == NULL)
        return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    for (size_t j = 0; j < n; j++)
        marks[j] = (struct ernie_mark){ found[j].start, found[j].end };
    hit->marks = marks;
    hit->n_marks = n;
    return ERNIE_OK;
}

static void highlighter_reset(struct highlighter *highlighter)
{
    marker_free(highlighter->marker);
    memory_free(highlighter->query_bag);
    memory_free(highlighter->bag_of_one);
    memory_free(highlighter->sentences);
}

/* The words of the query, and the sentences of the passages. */
static int highlighter_init(struct highlighter *highlighter, ernie_error *err)
{
    const size_t size = strlen(highlighter->query);
    struct buffer plain = { 0 };
    size_t dim;
    int status = database_word_bag(highlighter->database, &highlighter->bag, err);

    if (status != ERNIE_OK)
        return status;
    dim = word_bag_dim(highlighter->bag);
    highlighter->query_bag = memory_new(dim, sizeof *highlighter->query_bag);
    highlighter->bag_of_one = memory_new(dim, sizeof *highlighter->bag_of_one);
    highlighter->sentences = memory_new(highlighter->n, sizeof *highlighter->sentences);
    match_plain_append(&plain, highlighter->query, size);
    if (highlighter->query_bag == NULL || highlighter->bag_of_one == NULL ||
        highlighter->sentences == NULL || plain.failed)
        status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
    if (status == ERNIE_OK)
        status = word_bag_sum(highlighter->bag, plain.size > 0 ? plain.data : "", plain.size,
                              highlighter->query_bag, err);
    buffer_reset(&plain);
    if (status == ERNIE_OK)
        status = marker_new(highlighter->query, size <= SNIPPET_QUERY_BYTES ? size : 0,
                            &highlighter->marker, err);
    for (size_t i = 0; status == ERNIE_OK && i < highlighter->n; i++)
        highlighter->sentences[i].n =
            snippet_sentences(highlighter->passages[i].text, highlighter->passages[i].size,
                              highlighter->sentences[i].sentence);
    return status;
}

int highlight(struct ernie_database *database, const char *query, const float *embedding,
              size_t n, const struct passage *passages, struct ernie_hit *hits, ernie_error *err)
{
    struct highlighter highlighter = {
        .database = database, .query = query, .passages = passages, .n = n
    };
    int status = highlighter_init(&highlighter, err);

    if (status == ERNIE_OK)
        status = choose(&highlighter, embedding, err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        status = write_snippet(&highlighter, i, &hits[i], err);
    highlighter_reset(&highlighter);
    return status;
}
