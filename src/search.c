/* A question to its hits: embed it, take the chunks that are nearest and have its words, keep
 * the best of each document, have them read again when there is a reranker, and say where
 * they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/id_set.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "database.h"
#include "filter.h"
#include "fusion.h"
#include "highlight.h"
#include "rerank.h"
#include "words/match.h"

#define DEFAULT_K 10
/* Hits that a reranker reads. */
#define N_RERANKED 50
/* Other passages of a hit's document that it tells of. */
#define MAX_PLACES 5

/* A question, as it was asked and as it was embedded. */
struct question {
    const char *text;
    const float *embedding;
    enum ernie_search_mode mode;
    int is_reranked, no_snippets;
};

struct candidates {
    struct candidate *candidate; /* [n], best first */
    size_t n, capacity;
};

/* The best so far, as many as are wanted. */
struct found {
    struct candidates hits;
    struct candidates more;  /* of documents that have a better one among the hits */
    struct id_set documents; /* that the hits are of */
};

static void found_reset(struct found *found)
{
    memory_free(found->hits.candidate);
    memory_free(found->more.candidate);
    id_set_reset(&found->documents);
}

static int keep(struct candidates *list, const struct candidate *candidate, ernie_error *err)
{
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        struct candidate *more = memory_resize(list->candidate, capacity, sizeof *more);

        if (more == NULL)
            return error_set(err, ERNIE_ENOMEM, "search: out of memory");
        list->candidate = more;
        list->capacity = capacity;
    }
    list->candidate[list->n++] = *candidate;
    return ERNIE_OK;
}

static int search_words(void *store, const char *query, size_t size, struct word_hits *out,
                        ernie_error *err)
{
    return store_words_search(store, query, size, out, err);
}

static int word_ids(void *store, const char *expression, size_t size, int64_t **ids, size_t *n,
                    ernie_error *err)
{
    return store_words_ids(store, expression, size, ids, n, err);
}

/* The k best hits, or all there are: of each document the best chunk, unless all are asked
 * for. */
static int find_candidates(struct ernie_database *database, const struct question *question,
                           size_t k, int all_chunks, const struct filter *filter,
                           struct found *found, ernie_error *err)
{
    const struct fusion_words words = { database->store, search_words, word_ids, NULL };
    struct fusion *fusion;
    struct candidate candidate;
    int is_there = 1, is_new = 1;
    int status = fusion_begin(&database->nearest, &words, database->model, question->mode,
                              question->text, question->embedding, &fusion, err);

    if (status != ERNIE_OK)
        return status;
    while (status == ERNIE_OK && found->hits.n < k) {
        status = fusion_next(fusion, &candidate, &is_there, err);
        if (status != ERNIE_OK || !is_there)
            break;
        if (!filter_has(filter, candidate.document_id))
            continue;
        if (!all_chunks)
            is_new = id_set_add(&found->documents, candidate.document_id);
        if (is_new < 0)
            status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
        else
            status = keep(is_new > 0 ? &found->hits : &found->more, &candidate, err);
    }
    fusion_end(fusion);
    return status;
}

/* ---- hits -------------------------------------------------------------- */

/* The path to show: the root's with the document's below it, or the name its
 * caller gave it; printable. */
static char *hit_path(const struct store_root *roots, size_t n_roots, const struct store_hit *row)
{
    struct buffer path = { 0 };

    for (size_t i = 0; i < n_roots; i++) {
        if (roots[i].id != row->root_id)
            continue;
        utf8_append_printable(&path, roots[i].path, strlen(roots[i].path));
        if (path.size > 0 && path.data[path.size - 1] != '/')
            buffer_append_char(&path, '/');
    }
    utf8_append_printable(&path, row->path, strlen(row->path));
    return buffer_take(&path);
}

/* The text of a chunk without the title, which stands above the snippet, at its start. */
static struct passage passage_of(const struct store_hit *row)
{
    const size_t title_size = strlen(row->title);
    const size_t skipped = title_size < row->size &&
                                   strncmp(row->text, row->title, title_size) == 0 &&
                                   row->text[title_size] == '\n'
                               ? title_size
                               : 0;
    const size_t size = row->size - skipped;

    return (struct passage){ memory_copy_text(row->text + skipped, size), size };
}

static int fill_hit(struct ernie_hit *hit, const struct candidate *candidate,
                    const struct store_hit *row, int is_reranked, const struct store_root *roots,
                    size_t n_roots)
{
    /* Rounding can put a cosine a hair outside of what a cosine may be. */
    hit->score = candidate->score > 1 ? 1 : candidate->score < -1 ? -1 : candidate->score;
    hit->bm25 = candidate->bm25;
    hit->fused_score = candidate->fused;
    hit->vector_rank = candidate->vector_rank;
    hit->keyword_rank = candidate->keyword_rank;
    hit->rerank_score = is_reranked ? candidate->rerank_score : NAN;
    hit->document_id = row->document_id;
    hit->chunk_id = candidate->chunk_id;
    hit->line = row->line;
    hit->page = row->page;
    hit->heading = memory_copy_text(row->heading, strlen(row->heading));
    hit->title = memory_copy_text(row->title, strlen(row->title));
    hit->path = hit_path(roots, n_roots, row);
    hit->format = memory_copy_text(row->format, strlen(row->format));
    hit->author = memory_copy_text(row->author, strlen(row->author));
    hit->language = memory_copy_text(row->language, strlen(row->language));
    hit->date = memory_copy_text(row->date, strlen(row->date));
    return hit->title != NULL && hit->heading != NULL && hit->path != NULL &&
                   hit->format != NULL && hit->author != NULL && hit->language != NULL &&
                   hit->date != NULL
               ? 0
               : -1;
}

static int compare_places(const void *a, const void *b)
{
    const struct ernie_place *x = a, *y = b;

    return (x->chunk_id > y->chunk_id) - (x->chunk_id < y->chunk_id);
}

/* What more of its document a hit tells of. Chunks of a document have ascending ids. */
static int add_places(struct ernie_database *database, const struct candidates *more,
                      struct ernie_hit *hit, ernie_error *err)
{
    struct ernie_place *places = NULL;
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < more->n; i++) {
        const struct candidate *candidate = &more->candidate[i];
        struct store_hit row;
        int found;

        if (candidate->document_id != hit->document_id || hit->n_more++ >= MAX_PLACES)
            continue;
        if (places == NULL)
            hit->places = places = memory_new(MAX_PLACES, sizeof *places);
        if (places == NULL)
            return error_set(err, ERNIE_ENOMEM, "search: out of memory");
        status = store_hit_get(database->store, candidate->chunk_id, &row, &found, err);
        if (status == ERNIE_OK && found)
            places[hit->n_places++] =
                (struct ernie_place){ candidate->chunk_id, row.page, row.line };
    }
    if (hit->n_places > 1)
        qsort(places, hit->n_places, sizeof *places, compare_places);
    return status;
}

/* Hits and their passages, which are released with passages_free. */
static int read_hits(struct ernie_database *database, const struct question *question,
                     const struct found *answer, size_t n, struct ernie_hits *hits,
                     struct passage *passages, ernie_error *err)
{
    struct store_root *roots = NULL;
    size_t n_roots = 0;
    int status = store_roots(database->store, &roots, &n_roots, err);

    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        const struct candidate *candidate = &answer->hits.candidate[i];
        struct store_hit row;
        int found;

        status = store_hit_get(database->store, candidate->chunk_id, &row, &found, err);
        if (status != ERNIE_OK || !found) /* the snapshot keeps it there */
            continue;
        hits->hit[hits->n].rank = hits->n + 1;
        passages[hits->n] = passage_of(&row);
        /* Counted first, so that what was filled is released after a failure. */
        hits->n++;
        if (passages[hits->n - 1].text == NULL ||
            fill_hit(&hits->hit[hits->n - 1], candidate, &row, question->is_reranked, roots,
                     n_roots) != 0)
            status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
        else if (!question->no_snippets)
            status = add_places(database, &answer->more, &hits->hit[hits->n - 1], err);
    }
    store_roots_free(roots, n_roots);
    return status;
}

/* Every hit has a snippet, if only an empty one. */
static int no_snippets(struct ernie_hits *hits, ernie_error *err)
{
    for (size_t i = 0; i < hits->n; i++) {
        hits->hit[i].snippet = memory_copy_text("", 0);
        if (hits->hit[i].snippet == NULL)
            return error_set(err, ERNIE_ENOMEM, "search: out of memory");
    }
    return ERNIE_OK;
}

static void passages_free(struct passage *passages, size_t n)
{
    for (size_t i = 0; passages != NULL && i < n; i++)
        memory_free((char *)(uintptr_t)passages[i].text);
    memory_free(passages);
}

/* The first n of what was found. */
static int hits_new(struct ernie_database *database, const struct question *question,
                    const struct found *found, size_t n, struct ernie_hits **out,
                    ernie_error *err)
{
    struct ernie_hits *hits = memory_new(1, sizeof *hits);
    struct passage *passages = memory_new(n, sizeof *passages);
    int status;

    if (hits != NULL)
        hits->hit = memory_new(n, sizeof *hits->hit);
    if (hits == NULL || hits->hit == NULL || passages == NULL) {
        status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
        goto done;
    }
    status = read_hits(database, question, found, n, hits, passages, err);
    if (status == ERNIE_OK)
        status = question->no_snippets
                     ? no_snippets(hits, err)
                     : highlight(database, question->text, question->embedding, hits->n, passages,
                                 hits->hit, err);
    if (status == ERNIE_OK) {
        *out = hits;
        hits = NULL;
    }
done:
    passages_free(passages, n);
    ernie_hits_free(hits);
    return status;
}

static int is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n\f\v")] == '\0';
}

int ernie_search(ernie_database *database, const char *query,
                 const struct ernie_search_options *options, struct ernie_hits **out,
                 ernie_error *err)
{
    static const struct ernie_search_options no_options;
    const struct ernie_search_options *how = options != NULL ? options : &no_options;
    const size_t k = how->k == 0 ? DEFAULT_K : how->k;
    struct question question = { .text = query, .mode = how->mode,
                                 .is_reranked = how->reranker != NULL,
                                 .no_snippets = how->no_snippets };
    struct filter filter = { 0 };
    struct found found = { 0 };
    float *embedding = NULL;
    uint64_t seq;
    int status;

    if (query == NULL || is_blank(query))
        return error_set(err, ERNIE_EINVAL, "query: empty");
    if ((unsigned)how->mode > ERNIE_KEYWORD)
        return error_set(err, ERNIE_EINVAL, "search: no such mode as %d", (int)how->mode);
    status = store_snapshot_begin(database->store, &seq, err);
    if (status != ERNIE_OK)
        return status;
    /* Asked each time: another process may have embedded everything again. */
    status = database_check_model(database, err);
    if (status == ERNIE_OK)
        status = filter_init(&filter, database, how, err);
    if (status == ERNIE_OK)
        status = database_embed_query(database, query, &embedding, err);
    question.embedding = embedding;
    if (status == ERNIE_OK)
        status = find_candidates(database, &question,
                                 question.is_reranked && k < N_RERANKED ? N_RERANKED : k,
                                 how->all_chunks, &filter, &found, err);
    if (status == ERNIE_OK && question.is_reranked)
        status = rerank_candidates(database->store, how->reranker, query, found.hits.n,
                                   found.hits.candidate, err);
    if (status == ERNIE_OK)
        status = hits_new(database, &question, &found, found.hits.n < k ? found.hits.n : k, out,
                          err);
    store_snapshot_end(database->store);
    filter_reset(&filter);
    found_reset(&found);
    memory_free(embedding);
    return status;
}

/* What ernie_snippet does, within a snapshot. */
static int find_snippet(struct ernie_database *database, const char *query, int64_t chunk_id,
                        char **out, ernie_error *err)
{
    struct ernie_hit hit = { 0 };
    struct passage passage = { 0 };
    struct store_hit row;
    int found;
    int status = store_hit_get(database->store, chunk_id, &row, &found, err);

    if (status == ERNIE_OK && !found)
        status = error_set(err, ERNIE_ENOTFOUND, "chunk %lld: not there", (long long)chunk_id);
    if (status != ERNIE_OK)
        return status;
    passage = passage_of(&row);
    status = passage.text != NULL ? highlight(database, query, NULL, 1, &passage, &hit, err)
                                  : error_set(err, ERNIE_ENOMEM, "search: out of memory");
    if (status == ERNIE_OK)
        *out = (char *)(uintptr_t)hit.snippet;
    else
        memory_free((char *)(uintptr_t)hit.snippet);
    memory_free((struct ernie_mark *)(uintptr_t)hit.marks);
    memory_free((char *)(uintptr_t)passage.text);
    return status;
}

int ernie_snippet(ernie_database *database, const char *query, int64_t chunk_id, char **out,
                  ernie_error *err)
{
    uint64_t seq;
    int status;

    if (query == NULL || is_blank(query))
        return error_set(err, ERNIE_EINVAL, "query: empty");
    status = store_snapshot_begin(database->store, &seq, err);
    if (status != ERNIE_OK)
        return status;
    status = database_check_model(database, err);
    if (status == ERNIE_OK)
        status = find_snippet(database, query, chunk_id, out, err);
    store_snapshot_end(database->store);
    return status;
}
