/* How well a collection answers: queries are asked, and what is found is compared with
 * judgements of which documents answer them. Measures are as trec_eval has them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "ernie.h"

/* Hits asked for. */
#define DEPTH 100

/* What a document is worth to a query. */
struct judgement {
    char *line; /* what query and document are parts of */
    const char *query, *document;
    long score;
    size_t nth; /* of those that were given */
};

struct judgements {
    struct judgement *judgement; /* [n], by query and document */
    size_t n;
};

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "quality: out of memory");
}

/* ---- judgements -------------------------------------------------------- */

/* The fields of a line, at most 5 of them, cut in place. */
static size_t split(char *line, char *fields[5])
{
    const char *gaps = strchr(line, '\t') != NULL ? "\t" : " ";
    char *rest = line;
    size_t n = 0;

    while (n < 5 && (fields[n] = strtok_r(rest, gaps, &rest)) != NULL)
        n++;
    return n;
}

/* A line as a judgement; one without a query when the line is empty, or names BEIR's columns. */
static int read_judgement(const char *line, struct judgement *out, ernie_error *err)
{
    char *copy = memory_copy_text(line, strlen(line)), *fields[5], *end = NULL;
    struct judgement judgement = { .line = copy };
    int status = ERNIE_OK;
    size_t n;

    if (copy == NULL)
        return out_of_memory(err);
    n = split(copy, fields);
    if (n == 3 || n == 4)
        judgement.score = strtol(fields[n - 1], &end, 10);
    if (end != NULL && end != fields[n - 1] && *end == '\0') {
        judgement.query = fields[0];
        judgement.document = fields[n - 2];
    } else if (n != 0 && (end == NULL || strcmp(fields[n - 1], "score") != 0)) {
        status = error_set(err, ERNIE_EFORMAT,
                           "judgements: not a query, a document and a score: %s", line);
    }
    if (status == ERNIE_OK)
        *out = judgement;
    else
        memory_free(copy);
    return status;
}

static int compare_judgements(const void *a, const void *b)
{
    const struct judgement *x = a, *y = b;
    int order = strcmp(x->query, y->query);

    if (order == 0)
        order = strcmp(x->document, y->document);
    return order != 0 ? order : (x->nth > y->nth) - (x->nth < y->nth);
}

static void judgements_reset(struct judgements *judgements)
{
    for (size_t i = 0; i < judgements->n; i++)
        memory_free(judgements->judgement[i].line);
    memory_free(judgements->judgement);
}

/* Of two judgements on the same, the later counts. */
static void drop_repeated(struct judgements *judgements)
{
    size_t n = 0;

    for (size_t i = 0; i < judgements->n; i++) {
        struct judgement *judgement = &judgements->judgement[i];

        if (n > 0 && strcmp(judgement[0].query, judgements->judgement[n - 1].query) == 0 &&
            strcmp(judgement[0].document, judgements->judgement[n - 1].document) == 0)
            memory_free(judgements->judgement[--n].line);
        judgements->judgement[n++] = *judgement;
    }
    judgements->n = n;
}

static int read_judgements(size_t n, const char *const *lines, struct judgements *out,
                           ernie_error *err)
{
    int status = ERNIE_OK;

    out->judgement = memory_new(n, sizeof *out->judgement);
    if (out->judgement == NULL)
        return out_of_memory(err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        struct judgement judgement;

        status = read_judgement(lines[i], &judgement, err);
        if (status != ERNIE_OK)
            break;
        judgement.nth = i;
        if (judgement.query != NULL)
            out->judgement[out->n++] = judgement;
        else
            memory_free(judgement.line);
    }
    qsort(out->judgement, out->n, sizeof *out->judgement, compare_judgements);
    drop_repeated(out);
    return status;
}

static int compare_query(const void *query, const void *judgement)
{
    return strcmp(query, ((const struct judgement *)judgement)->query);
}

static int compare_document(const void *document, const void *judgement)
{
    return strcmp(document, ((const struct judgement *)judgement)->document);
}

/* Those on one query, which stay what they are part of. */
static struct judgements judgements_on(const struct judgements *all, const char *query)
{
    struct judgement *first = bsearch(query, all->judgement, all->n, sizeof *first, compare_query);
    struct judgement *last = first, *const end = all->judgement + all->n;

    if (first == NULL)
        return (struct judgements){ NULL, 0 };
    while (first > all->judgement && strcmp(first[-1].query, query) == 0)
        first--;
    while (last < end && strcmp(last->query, query) == 0)
        last++;
    return (struct judgements){ first, (size_t)(last - first) };
}

/* What the document that was found is worth: it is called by its name, or by any end of its
 * path. */
static long judged(const struct judgements *judgements, const char *path)
{
    for (const char *name = path; name != NULL;
         name = strchr(name, '/') != NULL ? strchr(name, '/') + 1 : NULL) {
        const struct judgement *found = bsearch(name, judgements->judgement, judgements->n,
                                                sizeof *found, compare_document);

        if (found != NULL && found->score > 0)
            return found->score;
    }
    return 0;
}

/* ---- queries ----------------------------------------------------------- */

struct query {
    char *id, *text;
};

static void query_reset(struct query *query)
{
    memory_free(query->id);
    memory_free(query->text);
}

/* A member that is text, or an id that is a number, as text; NULL for others. */
static int copy_member(const json *object, const char *key, char **out, ernie_error *err)
{
    const json *member = json_member(object, key);
    char digits[24];
    const char *text = NULL;
    size_t size = 0;

    if (member != NULL && json_kind(member) == JSON_KIND_INTEGER) {
        size = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)json_to_integer(member));
        text = digits;
    } else if (member != NULL) {
        text = json_to_text(member, &size);
    }
    if (text == NULL)
        return error_set(err, ERNIE_EFORMAT, "queries: no \"%s\" in one of them", key);
    *out = memory_copy_text(text, size);
    return *out != NULL ? ERNIE_OK : out_of_memory(err);
}

static int read_query(const char *line, struct query *out, ernie_error *err)
{
    const char *tab = strchr(line, '\t');
    json *object = NULL;
    int status;

    if (line[0] == '{') {
        status = json_parse("queries", line, strlen(line), &object, err);
        if (status == ERNIE_OK)
            status = copy_member(object, "_id", &out->id, err);
        if (status == ERNIE_OK)
            status = copy_member(object, "text", &out->text, err);
        json_free(object);
        return status;
    }
    if (tab == NULL)
        return error_set(err, ERNIE_EFORMAT,
                         "queries: neither JSON nor an id, a tab and a text: %s", line);
    out->id = memory_copy_text(line, (size_t)(tab - line));
    out->text = memory_copy_text(tab + 1, strlen(tab + 1));
    return out->id != NULL && out->text != NULL ? ERNIE_OK : out_of_memory(err);
}

/* ---- measuring --------------------------------------------------------- */

static double discount(size_t rank)
{
    return 1 / log2((double)rank + 1);
}

/* The gain of the ten best documents in their best order (Järvelin & Kekäläinen 2002), and how
 * many documents answer. */
static double ideal_gain(const struct judgements *judgements, size_t *n_relevant)
{
    long best[10] = { 0 }; /* highest first */
    double sum = 0;

    *n_relevant = 0;
    for (size_t i = 0; i < judgements->n; i++) {
        long score = judgements->judgement[i].score;

        *n_relevant += score > 0;
        for (size_t j = 0; j < 10; j++)
            if (score > best[j]) {
                const long moved = best[j];

                best[j] = score;
                score = moved;
            }
    }
    for (size_t j = 0; j < 10; j++)
        sum += (double)best[j] * discount(j + 1);
    return sum;
}

static void add_hits(const struct judgements *judgements, const struct ernie_hits *hits,
                     double ideal, size_t n_relevant, struct ernie_quality *sum)
{
    double gain = 0;
    size_t n_found = 0, first = 0, n_at_1 = 0, n_at_10 = 0;

    for (size_t i = 0; i < hits->n; i++) {
        const long score = judged(judgements, hits->hit[i].path);

        if (score == 0)
            continue;
        n_found++;
        first = first == 0 ? i + 1 : first;
        if (i < 10)
            gain += (double)score * discount(i + 1);
        n_at_1 += i < 1;
        n_at_10 += i < 10;
    }
    sum->n_queries++;
    sum->ndcg_10 += gain / ideal;
    sum->mrr_10 += first >= 1 && first <= 10 ? 1 / (double)first : 0;
    sum->recall_1 += (double)n_at_1 / (double)n_relevant;
    sum->recall_10 += (double)n_at_10 / (double)n_relevant;
    sum->recall_100 += (double)n_found / (double)n_relevant;
}

/* Queries that no judgement says an answer of are passed over, as trec_eval does. */
static int ask(ernie_database *database, const struct judgements *all, const char *line,
               const struct ernie_search_options *options, struct ernie_quality *sum,
               ernie_error *err)
{
    struct query query = { 0 };
    struct ernie_hits *hits = NULL;
    struct judgements judgements;
    size_t n_relevant;
    double ideal;
    int status = read_query(line, &query, err);

    if (status != ERNIE_OK)
        goto done;
    judgements = judgements_on(all, query.id);
    ideal = ideal_gain(&judgements, &n_relevant);
    if (n_relevant == 0)
        goto done;
    status = ernie_search(database, query.text, options, &hits, err);
    if (status == ERNIE_OK)
        add_hits(&judgements, hits, ideal, n_relevant, sum);
    ernie_hits_free(hits);
done:
    query_reset(&query);
    return status;
}

int ernie_quality(ernie_database *database, size_t n_queries, const char *const *queries,
                  size_t n_judgements, const char *const *judgements,
                  const struct ernie_search_options *options, struct ernie_quality *out,
                  ernie_error *err)
{
    struct ernie_search_options how = { 0 };
    struct ernie_quality sum = { 0 };
    struct judgements all = { 0 };
    ernie_error own_error;
    int status;

    err = err != NULL ? err : &own_error;
    if (options != NULL)
        how = *options;
    how.k = DEPTH;
    how.all_chunks = 0;
    how.no_snippets = 1;
    status = read_judgements(n_judgements, judgements, &all, err);
    for (size_t i = 0; status == ERNIE_OK && i < n_queries; i++)
        if (queries[i][0] != '\0')
            status = ask(database, &all, queries[i], &how, &sum, err);
    judgements_reset(&all);
    if (status == ERNIE_OK && sum.n_queries == 0)
        status = error_set(err, ERNIE_ENOTFOUND,
                           "queries: of none is there a judgement that a document answers it");
    if (status != ERNIE_OK)
        return status;
    sum.ndcg_10 /= (double)sum.n_queries;
    sum.mrr_10 /= (double)sum.n_queries;
    sum.recall_1 /= (double)sum.n_queries;
    sum.recall_10 /= (double)sum.n_queries;
    sum.recall_100 /= (double)sum.n_queries;
    *out = sum;
    return ERNIE_OK;
}
