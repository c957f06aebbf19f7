/* How well a collection answers: queries, and judgements of which documents answer them, in the
 * formats that retrieval sets come in. Measures are as trec_eval has them.
 *
 *   queries    {"_id": "q1", "text": "..."} a line (BEIR), or "q1<TAB>text"
 *   judgements "query<TAB>document<TAB>score" (BEIR, with or without its first line), or
 *              "query 0 document score" (TREC); a score of 1 or more answers
 *
 * A document is called by its name, or by its path or any end of that: "d7.txt" is
 * ".../corpus/d7.txt". SQLite, which is in the program anyway, keeps the judgements and reads
 * the JSON. */
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define DEPTH 100

static const char *const mode_names[] = { "hybrid", "vector", "keyword" };

/* Sums over queries. */
struct measures {
    double ndcg_10, mrr_10, recall_1, recall_10, recall_100;
};

struct quality {
    sqlite3 *memory; /* judgement (query, document, score) */
    sqlite3_stmt *add, *score, *scores, *read;
    ernie_database *database;
    struct measures sum[3]; /* by mode */
    size_t n; /* queries */
};

static int fail_sqlite(const struct quality *quality)
{
    return fail("bench quality: %s", sqlite3_errmsg(quality->memory));
}

static int quality_init(struct quality *quality)
{
    const char *const statements[] = {
        "INSERT OR REPLACE INTO judgement VALUES (?1, ?2, ?3)",
        "SELECT score FROM judgement WHERE query = ?1 AND document = ?2",
        "SELECT score FROM judgement WHERE query = ?1 AND score > 0 ORDER BY score DESC",
        "SELECT json_extract(?1, '$._id'), json_extract(?1, '$.text')",
    };
    sqlite3_stmt **const prepared[] = { &quality->add, &quality->score, &quality->scores,
                                        &quality->read };

    if (sqlite3_open(":memory:", &quality->memory) != SQLITE_OK ||
        sqlite3_exec(quality->memory,
                     "CREATE TABLE judgement (query, document, score,"
                     " PRIMARY KEY (query, document)) WITHOUT ROWID; BEGIN",
                     NULL, NULL, NULL) != SQLITE_OK)
        return fail_sqlite(quality);
    for (int i = 0; i < 4; i++)
        if (sqlite3_prepare_v2(quality->memory, statements[i], -1, prepared[i], NULL) != SQLITE_OK)
            return fail_sqlite(quality);
    return EXIT_FOUND;
}

static void quality_reset(struct quality *quality)
{
    sqlite3_finalize(quality->add);
    sqlite3_finalize(quality->score);
    sqlite3_finalize(quality->scores);
    sqlite3_finalize(quality->read);
    sqlite3_close(quality->memory);
}

/* ---- reading ------------------------------------------------------------ */

/* The fields of a line, at most 5 of them, cut in place. */
static int split(char *line, char *fields[5])
{
    const char *gaps = strchr(line, '\t') != NULL ? "\t" : " ";
    char *rest = line;
    int n = 0;

    while (n < 5 && (fields[n] = strtok_r(rest, gaps, &rest)) != NULL)
        n++;
    return n;
}

static int add_judgement(struct quality *quality, const char *line, const char *path)
{
    char *copy = strdup(line), *fields[5], *end = NULL;
    int n = copy != NULL ? split(copy, fields) : 0, status = EXIT_FOUND;
    long score = n == 3 || n == 4 ? strtol(fields[n - 1], &end, 10) : 0;

    if (n == 0) { /* an empty line */
        status = copy != NULL ? EXIT_FOUND : fail("out of memory");
    } else if (end == NULL || (*end != '\0' && strcmp(fields[n - 1], "score") != 0)) {
        status = fail("%s: not a judgement: %s", path, line);
    } else if (*end == '\0') { /* else the names of BEIR's columns */
        sqlite3_bind_text(quality->add, 1, fields[0], -1, SQLITE_TRANSIENT);
        sqlite3_bind_text(quality->add, 2, fields[n - 2], -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(quality->add, 3, score);
        if (sqlite3_step(quality->add) != SQLITE_DONE)
            status = fail_sqlite(quality);
        sqlite3_reset(quality->add);
    }
    free(copy);
    return status;
}

static int read_judgements(struct quality *quality, const char *path)
{
    struct lines *lines;
    const char *line;
    int status = lines_open(path, &lines), read_status;

    if (status != EXIT_FOUND)
        return status;
    while (status == EXIT_FOUND && (line = lines_next(lines)) != NULL)
        status = add_judgement(quality, line, path);
    read_status = lines_close(lines);
    return read_status != EXIT_FOUND ? read_status : status;
}

/* Id and text of a query, to be freed. */
static int read_query(struct quality *quality, const char *line, const char *path, char **id,
                      char **text)
{
    const char *tab = strchr(line, '\t');
    int status = EXIT_FOUND;

    if (line[0] != '{') {
        if (tab == NULL)
            return fail("%s: neither JSON nor an id, a tab and a text: %s", path, line);
        *id = strndup(line, (size_t)(tab - line));
        *text = strdup(tab + 1);
    } else {
        sqlite3_bind_text(quality->read, 1, line, -1, SQLITE_TRANSIENT);
        if (sqlite3_step(quality->read) != SQLITE_ROW)
            status = fail("%s: not JSON: %s", path, line);
        else if (sqlite3_column_type(quality->read, 0) == SQLITE_NULL ||
                 sqlite3_column_type(quality->read, 1) == SQLITE_NULL)
            status = fail("%s: no \"_id\" or no \"text\": %s", path, line);
        if (status == EXIT_FOUND) {
            *id = strdup((const char *)sqlite3_column_text(quality->read, 0));
            *text = strdup((const char *)sqlite3_column_text(quality->read, 1));
        }
        sqlite3_reset(quality->read);
    }
    if (status == EXIT_FOUND && (*id == NULL || *text == NULL))
        status = fail("out of memory");
    return status;
}

/* ---- measuring ---------------------------------------------------------- */

/* What the document that was found is worth to the query. */
static long judged(struct quality *quality, const char *query, const char *path)
{
    long score = 0;

    for (const char *name = path; name != NULL && score == 0;
         name = strchr(name, '/') != NULL ? strchr(name, '/') + 1 : NULL) {
        sqlite3_bind_text(quality->score, 1, query, -1, SQLITE_STATIC);
        sqlite3_bind_text(quality->score, 2, name, -1, SQLITE_STATIC);
        if (sqlite3_step(quality->score) == SQLITE_ROW)
            score = (long)sqlite3_column_int64(quality->score, 0);
        sqlite3_reset(quality->score);
    }
    return score > 0 ? score : 0;
}

static double discount(size_t rank)
{
    return 1 / log2((double)rank + 1);
}

/* The nDCG@10 that cannot be bettered, undivided (Järvelin & Kekäläinen 2002), and how many
 * documents answer. */
static double ideal(struct quality *quality, const char *query, size_t *n)
{
    double sum = 0;

    *n = 0;
    sqlite3_bind_text(quality->scores, 1, query, -1, SQLITE_STATIC);
    while (sqlite3_step(quality->scores) == SQLITE_ROW) {
        ++*n;
        if (*n <= 10)
            sum += (double)sqlite3_column_int64(quality->scores, 0) * discount(*n);
    }
    sqlite3_reset(quality->scores);
    return sum;
}

static void add_hits(struct quality *quality, const char *query, const struct ernie_hits *hits,
                     double most, size_t n_relevant, struct measures *sum)
{
    double gain = 0;
    size_t n_found = 0, first = 0, n_at_1 = 0, n_at_10 = 0;

    for (size_t i = 0; i < hits->n; i++) {
        const long score = judged(quality, query, hits->hit[i].path);

        if (score == 0)
            continue;
        n_found++;
        first = first == 0 ? i + 1 : first;
        if (i < 10)
            gain += (double)score * discount(i + 1);
        n_at_1 += i < 1;
        n_at_10 += i < 10;
    }
    sum->ndcg_10 += gain / most;
    sum->mrr_10 += first >= 1 && first <= 10 ? 1 / (double)first : 0;
    sum->recall_1 += (double)n_at_1 / (double)n_relevant;
    sum->recall_10 += (double)n_at_10 / (double)n_relevant;
    sum->recall_100 += (double)n_found / (double)n_relevant;
}

/* Queries that no judgement says an answer of are passed over, as trec_eval does. */
static int ask(struct quality *quality, const struct arguments *arguments, const char *id,
               const char *text)
{
    struct ernie_search_options options = { .k = DEPTH, .quick_snippets = 1 };
    size_t n_relevant;
    const double most = ideal(quality, id, &n_relevant);

    if (n_relevant == 0)
        return EXIT_FOUND;
    quality->n++;
    for (int mode = ERNIE_HYBRID; mode <= ERNIE_KEYWORD; mode++) {
        struct ernie_hits *hits;
        ernie_error err;

        if (arguments->has_mode && arguments->mode != (enum ernie_search_mode)mode)
            continue;
        options.mode = (enum ernie_search_mode)mode;
        if (ernie_search(quality->database, text, &options, &hits, &err) != ERNIE_OK)
            return fail_with(&err);
        add_hits(quality, id, hits, most, n_relevant, &quality->sum[mode]);
        ernie_hits_free(hits);
    }
    return EXIT_FOUND;
}

static int ask_all(struct quality *quality, const struct arguments *arguments)
{
    struct lines *lines;
    const char *line;
    int status = lines_open(arguments->queries, &lines), read_status;

    if (status != EXIT_FOUND)
        return status;
    while (status == EXIT_FOUND && (line = lines_next(lines)) != NULL) {
        char *id = NULL, *text = NULL;

        if (line[0] == '\0')
            continue;
        status = read_query(quality, line, arguments->queries, &id, &text);
        if (status == EXIT_FOUND)
            status = ask(quality, arguments, id, text);
        free(id);
        free(text);
    }
    read_status = lines_close(lines);
    return read_status != EXIT_FOUND ? read_status : status;
}

/* ---- the whole ---------------------------------------------------------- */

static void print(const struct quality *quality, const struct arguments *arguments)
{
    const int is_json = arguments->format == FORMAT_JSON;

    if (is_json)
        printf("{\"queries\":%zu", quality->n);
    else
        printf("%zu queries\n\n         nDCG@10  MRR@10  recall@1  recall@10  recall@100\n",
               quality->n);
    for (int mode = ERNIE_HYBRID; mode <= ERNIE_KEYWORD; mode++) {
        const struct measures *sum = &quality->sum[mode];
        const double n = (double)quality->n;

        if (arguments->has_mode && arguments->mode != (enum ernie_search_mode)mode)
            continue;
        if (is_json)
            printf(",\"%s\":{\"ndcg_10\":%.5f,\"mrr_10\":%.5f,\"recall_1\":%.5f,"
                   "\"recall_10\":%.5f,\"recall_100\":%.5f}",
                   mode_names[mode], sum->ndcg_10 / n, sum->mrr_10 / n, sum->recall_1 / n,
                   sum->recall_10 / n, sum->recall_100 / n);
        else
            printf("%-7s  %7.4f  %6.4f  %8.4f  %9.4f  %10.4f\n", mode_names[mode],
                   sum->ndcg_10 / n, sum->mrr_10 / n, sum->recall_1 / n, sum->recall_10 / n,
                   sum->recall_100 / n);
    }
    if (is_json)
        puts("}");
}

int bench_quality(const struct arguments *arguments)
{
    struct quality quality = { 0 };
    ernie_model *model = NULL;
    int status;

    if (arguments->queries == NULL || arguments->qrels == NULL)
        return fail("bench quality: needs --queries FILE and --qrels FILE");
    status = quality_init(&quality);
    if (status == EXIT_FOUND)
        status = read_judgements(&quality, arguments->qrels);
    if (status == EXIT_FOUND)
        status = open_database(arguments, ERNIE_READ, &model, &quality.database);
    if (status == EXIT_FOUND)
        status = ask_all(&quality, arguments);
    if (status == EXIT_FOUND && quality.n == 0)
        status = fail("bench quality: no query has a judgement that answers it");
    else if (status == EXIT_FOUND)
        print(&quality, arguments);
    ernie_close(quality.database);
    ernie_model_close(model);
    quality_reset(&quality);
    return status;
}
