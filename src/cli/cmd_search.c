#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Paths below the working folder are shown relative to it, as they were typed. */
static const char *short_path(const char *path, const char *here)
{
    size_t size = here != NULL ? strlen(here) : 0;

    if (size > 1 && strncmp(path, here, size) == 0 && path[size] == '/')
        return path + size + 1;
    return path;
}

/* Where the hit is: its file, and the page, or the line. */
static void print_place(const struct ernie_hit *hit, const char *here, int colour)
{
    if (colour)
        print_link_start(stdout, hit->path, hit->page);
    printf("%s%s%s", colour ? "\033[1m" : "", short_path(hit->path, here),
           colour ? "\033[0m" : "");
    if (hit->page > 0)
        printf(" p. %zu", hit->page);
    else
        printf(":%zu", hit->line);
    if (colour)
        print_link_end(stdout);
}

/* The title, and the headings below it. */
static void print_headings(const struct ernie_hit *hit)
{
    const size_t size = strlen(hit->title);
    const char *below = hit->heading;

    if (size > 0 && strncmp(below, hit->title, size) == 0) /* its first one is the title */
        below += size + strspn(below + size, " ›");
    if (size > 0)
        printf("  %s", hit->title);
    if (below[0] != '\0')
        printf("%s%s", size > 0 ? " › " : "  ", below);
}

static void print_rank(const char *side, size_t rank)
{
    if (rank > 0)
        printf(" (%s %zu)", side, rank);
}

/* What the hit's place is made of: the ranks are those among all passages. */
static void print_reasons(const struct ernie_hit *hit)
{
    printf("    cosine %.3f", hit->score);
    print_rank("rank", hit->vector_rank);
    if (hit->keyword_rank > 0)
        printf(", words %.2f", hit->bm25);
    print_rank("rank", hit->keyword_rank);
    printf(", together %.3f", hit->fused_score);
    if (!isnan(hit->rerank_score))
        printf(", reranked %.3f", hit->rerank_score);
    putchar('\n');
}

/* How many more passages of the document there are, and where the best of them, each page
 * once: "3 more passages: p. 4, 9". */
static void print_places(const struct ernie_hit *hit, int colour)
{
    const int has_pages = hit->page > 0;
    size_t before = 0;

    if (hit->n_more == 0)
        return;
    printf("    %s%zu more passage%s: %s ", colour ? "\033[2m" : "", hit->n_more,
           hit->n_more > 1 ? "s" : "", has_pages ? "p." : hit->n_places > 1 ? "lines" : "line");
    for (size_t i = 0; i < hit->n_places; i++) {
        const size_t at = has_pages ? hit->places[i].page : hit->places[i].line;

        if (at != before)
            printf("%s%zu", i > 0 ? ", " : "", at);
        before = at;
    }
    printf("%s%s\n", hit->n_more > hit->n_places ? ", \xe2\x80\xa6" : "", colour ? "\033[0m" : "");
}

static void print_text(const struct ernie_hits *hits, int explain)
{
    char *here = getcwd(NULL, 0);
    int columns = terminal_columns(stdout), colour = terminal_has_colour(stdout);

    for (size_t i = 0; i < hits->n; i++) {
        const struct ernie_hit *hit = &hits->hit[i];

        printf("%s%2zu  %.3f  ", i > 0 ? "\n" : "", hit->rank,
               isnan(hit->rerank_score) ? hit->score : hit->rerank_score);
        print_place(hit, here, colour);
        print_headings(hit);
        putchar('\n');
        if (explain)
            print_reasons(hit);
        print_wrapped(stdout, hit->snippet, hit->n_marks, colour ? hit->marks : NULL, 4, columns);
        print_places(hit, colour);
    }
    free(here);
}

static int print_hits(const struct ernie_hits *hits, enum format format, int explain)
{
    ernie_error err;
    char *json;

    if (format == FORMAT_JSON) {
        if (ernie_hits_to_json(hits, &json, &err) != ERNIE_OK)
            return fail_with(&err);
        puts(json);
        ernie_free(json);
    } else if (format == FORMAT_JSONL) {
        for (size_t i = 0; i < hits->n; i++) {
            if (ernie_hit_to_json(&hits->hit[i], &json, &err) != ERNIE_OK)
                return fail_with(&err);
            puts(json);
            ernie_free(json);
        }
    } else {
        print_text(hits, explain);
        save_hits(hits);
    }
    return hits->n > 0 ? EXIT_FOUND : EXIT_NONE;
}

/* {"query": ..., "hits": [...]} on one line. */
static int print_answer(const char *query, const struct ernie_hits *hits)
{
    char *quoted = NULL, *json = NULL;
    ernie_error err;
    int status;

    status = ernie_text_to_json(query, &quoted, &err);
    if (status == ERNIE_OK)
        status = ernie_hits_to_json(hits, &json, &err);
    if (status == ERNIE_OK)
        printf("{\"query\":%s,\"hits\":%s}\n", quoted, json);
    ernie_free(quoted);
    ernie_free(json);
    return status == ERNIE_OK ? EXIT_FOUND : fail_with(&err);
}

/* An empty line is a query without hits, so that line n of the output answers
 * line n of the input. */
static int answer_lines(ernie_database *database, struct lines *lines,
                        const struct ernie_search_options *options)
{
    static const struct ernie_hits none;
    int exit_status = EXIT_NONE;
    const char *query;

    while ((query = lines_next(lines)) != NULL) {
        struct ernie_hits *hits = NULL;
        ernie_error err;
        int status = ernie_search(database, query, options, &hits, &err);

        if (status != ERNIE_OK && status != ERNIE_EINVAL)
            return fail_with(&err);
        if (hits != NULL && hits->n > 0)
            exit_status = EXIT_FOUND;
        status = print_answer(query, hits != NULL ? hits : &none);
        ernie_hits_free(hits);
        if (status != EXIT_FOUND)
            return status;
        fflush(stdout); /* a program may be waiting for this line before its next */
    }
    return exit_status;
}

static int search_lines(ernie_database *database, const struct arguments *arguments,
                        const struct ernie_search_options *options)
{
    struct lines *lines;
    int status = lines_open(arguments->queries, &lines), read_status;

    if (status != EXIT_FOUND)
        return status;
    status = answer_lines(database, lines, options);
    read_status = lines_close(lines);
    return read_status != EXIT_FOUND ? read_status : status;
}

/* The words of the command line as one query: quotes are for the shell. */
static char *join_words(size_t n, char **words)
{
    size_t size = 1;
    char *joined;

    for (size_t i = 0; i < n; i++)
        size += strlen(words[i]) + 1;
    joined = calloc(size, 1);
    for (size_t i = 0; joined != NULL && i < n; i++) {
        if (i > 0)
            strcat(joined, " ");
        strcat(joined, words[i]);
    }
    return joined;
}

static int search_words(ernie_database *database, const struct arguments *arguments,
                        const struct ernie_search_options *options)
{
    char *query = join_words(arguments->n_words, arguments->words);
    struct ernie_hits *hits;
    ernie_error err;
    int status;

    if (query == NULL)
        return fail("out of memory");
    status = ernie_search(database, query, options, &hits, &err);
    if (status != ERNIE_OK) {
        status = fail_with(&err);
    } else {
        status = print_hits(hits, arguments->format, arguments->explain);
        ernie_hits_free(hits);
    }
    free(query);
    return status;
}

/* The encoder of --rerank; NULL without it. */
static int open_reranker(const struct arguments *arguments, ernie_model **model,
                         ernie_encoder **out)
{
    ernie_error err;

    if (arguments->rerank == NULL)
        return EXIT_FOUND;
    if (ernie_model_open(arguments->rerank, model, &err) != ERNIE_OK ||
        ernie_encoder_new(*model, 0, out, &err) != ERNIE_OK)
        return fail_with(&err);
    return EXIT_FOUND;
}

/* The names of --type, which commas stand between; formats_free releases them. */
static int split_formats(const char *list, struct ernie_search_options *options)
{
    char *names;
    const char **formats;
    size_t n = 1;

    if (list == NULL)
        return EXIT_FOUND;
    for (const char *c = list; *c != '\0'; c++)
        n += *c == ',';
    names = strdup(list);
    formats = calloc(n, sizeof *formats);
    if (names == NULL || formats == NULL) {
        free(names);
        free(formats);
        return fail("out of memory");
    }
    formats[0] = names;
    for (size_t i = 1; i < n; i++) {
        char *comma = strchr(formats[i - 1], ',');

        *comma = '\0';
        formats[i] = comma + 1;
    }
    options->formats = formats;
    options->n_formats = n;
    return EXIT_FOUND;
}

static void formats_free(struct ernie_search_options *options)
{
    if (options->n_formats > 0)
        free((char *)(uintptr_t)options->formats[0]);
    free((void *)(uintptr_t)options->formats);
}

int cmd_search(const struct arguments *arguments)
{
    struct ernie_search_options options = { .k = arguments->k,
                                            .mode = arguments->mode,
                                            .all_chunks = arguments->all_chunks,
                                            .after = arguments->after,
                                            .before = arguments->before,
                                            .path = arguments->place };
    ernie_database *database = NULL;
    ernie_model *model = NULL, *reranker = NULL;
    int status;

    if (arguments->queries != NULL && arguments->n_words > 0)
        return fail("search: a query, or --queries FILE, not both");
    if (arguments->queries == NULL && arguments->n_words == 0)
        return fail("search: for what?");
    if (arguments->queries != NULL && arguments->format != FORMAT_DEFAULT &&
        arguments->format != FORMAT_JSONL)
        return fail("search: --queries answers with --format jsonl only");
    status = split_formats(arguments->types, &options);
    if (status == EXIT_FOUND)
        status = open_reranker(arguments, &reranker, &options.reranker);
    if (status == EXIT_FOUND)
        status = open_database(arguments, ERNIE_READ, &model, &database);
    if (status == EXIT_FOUND)
        status = arguments->queries != NULL ? search_lines(database, arguments, &options)
                                            : search_words(database, arguments, &options);
    ernie_close(database);
    ernie_model_close(model);
    ernie_encoder_free(options.reranker);
    ernie_model_close(reranker);
    formats_free(&options);
    return status;
}
