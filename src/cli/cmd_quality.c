/* How well a database answers, in each mode. */
#include <stdio.h>

#include "cli.h"

static const char *const mode_names[] = { "hybrid", "vector", "keyword" };

static void print(const struct arguments *arguments, enum ernie_search_mode mode, int is_first,
                  const struct ernie_quality *quality)
{
    if (arguments->format == FORMAT_JSON) {
        if (is_first)
            printf("{\"queries\":%zu", quality->n_queries);
        printf(",\"%s\":{\"ndcg_10\":%.5f,\"mrr_10\":%.5f,\"recall_1\":%.5f,"
               "\"recall_10\":%.5f,\"recall_100\":%.5f}",
               mode_names[mode], quality->ndcg_10, quality->mrr_10, quality->recall_1,
               quality->recall_10, quality->recall_100);
        return;
    }
    if (is_first)
        printf("%zu queries\n\n         nDCG@10  MRR@10  recall@1  recall@10  recall@100\n",
               quality->n_queries);
    printf("%-7s  %7.4f  %6.4f  %8.4f  %9.4f  %10.4f\n", mode_names[mode], quality->ndcg_10,
           quality->mrr_10, quality->recall_1, quality->recall_10, quality->recall_100);
}

static int measure(const struct arguments *arguments, ernie_database *database,
                   const struct texts *queries, const struct texts *judgements)
{
    int is_first = 1;

    for (int mode = ERNIE_HYBRID; mode <= ERNIE_KEYWORD; mode++) {
        const struct ernie_search_options options = { .mode = (enum ernie_search_mode)mode };
        struct ernie_quality quality;
        ernie_error err;

        if (arguments->has_mode && arguments->mode != options.mode)
            continue;
        if (ernie_quality(database, queries->n, (const char *const *)queries->text, judgements->n,
                          (const char *const *)judgements->text, &options, &quality,
                          &err) != ERNIE_OK)
            return fail_with(&err);
        print(arguments, options.mode, is_first, &quality);
        is_first = 0;
    }
    if (arguments->format == FORMAT_JSON)
        puts("}");
    return EXIT_FOUND;
}

int bench_quality(const struct arguments *arguments)
{
    struct texts queries = { 0 }, judgements = { 0 };
    ernie_database *database = NULL;
    ernie_model *model = NULL;
    int status;

    if (arguments->queries == NULL || arguments->qrels == NULL)
        return fail("bench quality: needs --queries FILE and --qrels FILE");
    status = texts_read(arguments->queries, 0, &queries);
    if (status == EXIT_FOUND)
        status = texts_read(arguments->qrels, 0, &judgements);
    if (status == EXIT_FOUND)
        status = open_database(arguments, ERNIE_READ, &model, &database);
    if (status == EXIT_FOUND)
        status = measure(arguments, database, &queries, &judgements);
    ernie_close(database);
    ernie_model_close(model);
    texts_reset(&queries);
    texts_reset(&judgements);
    return status;
}
