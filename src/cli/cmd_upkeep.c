/* The commands that look after a database: verify, rebuild, remove. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static void print_finding(void *data, const char *finding)
{
    (void)data;
    puts(finding);
}

int cmd_verify(const struct arguments *arguments)
{
    ernie_database *database;
    ernie_error err;
    int status;

    if (arguments->n_words > 0)
        return fail("verify: takes no operand");
    status = open_database(arguments, ERNIE_READ, NULL, &database);
    if (status != EXIT_FOUND)
        return status;
    if (ernie_verify(database, print_finding, NULL, &err) != ERNIE_OK)
        status = fail_with(&err);
    else
        puts("ok");
    ernie_close(database);
    return status;
}

/* The database is opened without the model here: another one made it. */
static int rebuild_embeddings(const struct arguments *arguments)
{
    struct bar bar;
    struct ernie_index_options options = { .n_threads = arguments->n_threads,
                                           .progress = bar_show,
                                           .progress_data = &bar };
    ernie_database *database;
    ernie_model *model;
    ernie_error err;
    int status;

    status = open_model(arguments, &model);
    if (status != EXIT_FOUND)
        return status;
    status = open_database(arguments, ERNIE_WRITE, NULL, &database);
    if (status == EXIT_FOUND) {
        watch_signals();
        bar_init(&bar);
        status = arguments->dim != 0 ? ernie_set_dim(database, arguments->dim, &err) : ERNIE_OK;
        if (status == ERNIE_OK)
            status = ernie_reembed(database, model, &options, &err);
        bar_clear(&bar);
        if (status != ERNIE_OK)
            status = fail_with(&err);
        ernie_close(database);
    }
    ernie_model_close(model);
    return status;
}

int cmd_rebuild(const struct arguments *arguments)
{
    ernie_database *database;
    ernie_model *model;
    ernie_error err;
    int status;

    if (arguments->n_words > 0)
        return fail("rebuild: takes no operand");
    if (arguments->dim != 0 && !arguments->embeddings)
        return fail("rebuild: --dim goes with --embeddings");
    if (arguments->embeddings)
        return rebuild_embeddings(arguments);
    status = open_database(arguments, ERNIE_WRITE, &model, &database);
    if (status != EXIT_FOUND)
        return status;
    if (ernie_rebuild(database, &err) != ERNIE_OK)
        status = fail_with(&err);
    ernie_close(database);
    ernie_model_close(model);
    return status;
}

/* The absolute name of a path that need not exist any more. */
static char *absolute(const char *path)
{
    char *resolved = realpath(path, NULL), *here, *joined = NULL;

    if (resolved != NULL || path[0] == '/')
        return resolved != NULL ? resolved : strdup(path);
    here = getcwd(NULL, 0);
    if (here != NULL && asprintf(&joined, "%s/%s", here, path) < 0)
        joined = NULL;
    free(here);
    return joined;
}

/* A name that is indexed as it stands is a text's, given by ernie_add_text. */
static int remove_one(ernie_database *database, const char *name, size_t *n_removed,
                      ernie_error *err)
{
    char *path;
    int status = ernie_remove(database, name, n_removed, err);

    if (status != ERNIE_ENOTFOUND)
        return status;
    path = absolute(name);
    if (path != NULL)
        status = ernie_remove(database, path, n_removed, err);
    free(path);
    return status;
}

int cmd_remove(const struct arguments *arguments)
{
    ernie_database *database;
    size_t n_removed = 0;
    int status;

    if (arguments->n_words == 0)
        return fail("remove: which files or folders?");
    status = open_database(arguments, ERNIE_WRITE, NULL, &database);
    if (status != EXIT_FOUND)
        return status;
    for (size_t i = 0; i < arguments->n_words; i++) {
        ernie_error err;
        size_t n = 0;
        int result = remove_one(database, arguments->words[i], &n, &err);

        n_removed += n;
        if (result != ERNIE_OK) {
            fail_with(&err);
            if (result != ERNIE_ENOTFOUND || status == EXIT_FOUND)
                status = result == ERNIE_ENOTFOUND ? EXIT_NONE : EXIT_TROUBLE;
        }
    }
    fprintf(stderr, "%zu document%s removed\n", n_removed, n_removed == 1 ? "" : "s");
    ernie_close(database);
    return status;
}
