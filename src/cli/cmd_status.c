#include <inttypes.h>

#include "cli.h"

static int print_json(const struct ernie_status *now)
{
    ernie_error err;
    char *name;

    if (ernie_text_to_json(now->model_name, &name, &err) != ERNIE_OK)
        return fail_with(&err);
    printf("{\"documents\":%zu,\"failed\":%zu,\"chunks\":%zu,\"roots\":%zu,\"model\":%s,"
           "\"model_fingerprint\":\"%s\",\"dim\":%zu,\"model_dim\":%zu,\"index\":\"%s\",\"index_vectors\":%zu,"
           "\"tail_vectors\":%zu,\"database_bytes\":%" PRIu64 ",\"index_bytes\":%" PRIu64 "}\n",
           now->n_documents, now->n_failed, now->n_chunks, now->n_roots, name,
           now->model_fingerprint, now->dim, now->model_dim, now->index_kind, now->n_index_vectors,
           now->n_tail_vectors, now->database_bytes, now->index_bytes);
    ernie_free(name);
    return EXIT_FOUND;
}

static void print_text(const struct ernie_status *now)
{
    printf("documents  %zu", now->n_documents);
    if (now->n_failed > 0)
        printf(" (%zu of them failed)", now->n_failed);
    printf("\npassages   %zu\n", now->n_chunks);
    printf("folders    %zu\n", now->n_roots);
    if (now->dim > 0)
        printf("model      %s (%.8s), %zu %snumbers a vector\n", now->model_name,
               now->model_fingerprint, now->dim, now->dim < now->model_dim ? "first " : "");
    printf("index      %s: %zu vectors, and %zu newer ones\n", now->index_kind,
           now->n_index_vectors, now->n_tail_vectors);
    printf("on disk    %.1f MB rows, %.1f MB index\n", (double)now->database_bytes / 1e6,
           (double)now->index_bytes / 1e6);
}

int cmd_status(const struct arguments *arguments)
{
    struct ernie_status now;
    ernie_database *database;
    ernie_error err;
    int status;

    if (arguments->n_words > 0)
        return fail("status: takes no operand");
    status = open_database(arguments, ERNIE_READ, NULL, &database);
    if (status != EXIT_FOUND)
        return status;
    if (ernie_status(database, &now, &err) != ERNIE_OK)
        status = fail_with(&err);
    else if (arguments->format == FORMAT_JSON)
        status = print_json(&now);
    else
        print_text(&now);
    ernie_close(database);
    return status;
}
