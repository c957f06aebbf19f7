#include "cli.h"

void print_index_report(const struct ernie_index_report *report, double seconds)
{
    static const char *const words[] = { "added",   "changed", "moved", "unchanged",
                                         "removed", "kept",    "failed" };
    const size_t counts[] = { report->n_added,   report->n_changed, report->n_moved,
                              report->n_unchanged, report->n_removed, report->n_kept,
                              report->n_failed };
    const char *separator = "";

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (counts[i] == 0 && i > 0)
            continue;
        fprintf(stderr, "%s%zu %s", separator, counts[i], words[i]);
        separator = ", ";
    }
    fprintf(stderr, "; %zu passages embedded in %.1f s\n", report->n_chunks, seconds);
}

int cmd_index(const struct arguments *arguments)
{
    struct bar bar;
    struct ernie_index_options options = {
        .n_threads = arguments->n_threads,
        .n_excludes = arguments->n_excludes,
        .excludes = arguments->excludes,
        .hidden = arguments->hidden,
        .ocr = arguments->ocr,
        .unconfined = arguments->no_jail,
        .prune = arguments->prune,
        .progress = bar_show,
        .progress_data = &bar,
    };
    struct ernie_index_report report = { 0 };
    ernie_database *database;
    ernie_model *model;
    ernie_error err;
    double started;
    int status;

    if (arguments->n_words == 0)
        return fail("index: which files or folders?");
    status = open_database(arguments, ERNIE_CREATE, &model, &database);
    if (status != EXIT_FOUND)
        return status;
    watch_signals();
    bar_init(&bar);
    started = bar.started;
    status = arguments->dim != 0 ? ernie_set_dim(database, arguments->dim, &err) : ERNIE_OK;
    if (status == ERNIE_OK)
        status = ernie_index(database, arguments->n_words, (const char *const *)arguments->words,
                             &options, &report, &err);
    bar_clear(&bar);
    if (status == ERNIE_OK)
        print_index_report(&report, seconds_now() - started);
    else
        status = fail_with(&err);
    ernie_close(database);
    ernie_model_close(model);
    return status;
}
