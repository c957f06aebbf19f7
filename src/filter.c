#include "filter.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "document/format.h"

struct selection {
    const struct ernie_search_options *options;
    const struct id_set *places; /* documents at the path; NULL: anywhere */
    struct id_set *out;
};

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "search: out of memory");
}

/* ---- what is asked for ------------------------------------------------- */

/* 2024, 2024-01 or 2024-01-31: digits where digits are, which then compare as texts do. */
static int check_date(const char *what, const char *date, ernie_error *err)
{
    static const char form[] = "0000-00-00";
    const size_t size = date != NULL ? strlen(date) : 0;
    size_t i = 0;

    if (date == NULL)
        return ERNIE_OK;
    while (i < size && i < sizeof form - 1 &&
           (form[i] == '-' ? date[i] == '-' : date[i] >= '0' && date[i] <= '9'))
        i++;
    if (i < size || (size != 4 && size != 7 && size != 10))
        return error_set(err, ERNIE_EFORMAT, "%s: '%s' is no date as 2024-01-31", what, date);
    return ERNIE_OK;
}

static int check_options(const struct ernie_search_options *options, ernie_error *err)
{
    int status = check_date("after", options->after, err);

    if (status == ERNIE_OK)
        status = check_date("before", options->before, err);
    for (size_t i = 0; status == ERNIE_OK && i < options->n_formats; i++)
        if (document_format_of_name(options->formats[i]) == DOCUMENT_UNKNOWN)
            status = error_set(err, ERNIE_EFORMAT,
                               "format: '%s' is none: text, markdown, html, pdf, docx, ...",
                               options->formats[i]);
    return status;
}

/* ---- where ------------------------------------------------------------- */

static int add_ids(struct store *store, int64_t root_id, const char *below, struct id_set *out,
                   ernie_error *err)
{
    int64_t *ids = NULL;
    size_t n = 0;
    int status = store_document_ids(store, root_id, below, &ids, &n, err);

    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        if (id_set_add(out, ids[i]) < 0)
            status = out_of_memory(err);
    memory_free(ids);
    return status;
}

/* Documents at a path or below it: a file, a folder, an archive, a member of one, or the name
 * of a text that was given. */
static int find_places(struct store *store, const char *path, struct id_set *out,
                       ernie_error *err)
{
    struct store_root *roots = NULL;
    size_t n_roots = 0;
    char *resolved = NULL;
    ernie_error not_there;
    int status;

    /* What is gone, or is within an archive, has no path to resolve: it is taken as given. */
    if (path_resolve(path, &resolved, &not_there) != ERNIE_OK)
        resolved = memory_copy_text(path, strlen(path));
    if (resolved == NULL)
        return out_of_memory(err);
    status = store_roots(store, &roots, &n_roots, err);
    for (size_t i = 0; status == ERNIE_OK && i < n_roots; i++) {
        const char *below = path_below(roots[i].path, resolved);

        if (below == NULL && path_below(resolved, roots[i].path) != NULL)
            below = ""; /* the root is within it */
        if (below != NULL)
            status = add_ids(store, roots[i].id, below, out, err);
    }
    if (status == ERNIE_OK)
        status = add_ids(store, STORE_NO_ROOT, path, out, err);
    store_roots_free(roots, n_roots);
    memory_free(resolved);
    return status;
}

/* ---- which ------------------------------------------------------------- */

static int has_format(const struct ernie_search_options *options, const char *format)
{
    for (size_t i = 0; i < options->n_formats; i++)
        if (strcmp(options->formats[i], format) == 0)
            return 1;
    return options->n_formats == 0;
}

/* Days and parts of them compare as texts: 2024-01-31T08:00:00Z is after 2024-01 and not
 * before 2024-01-31. */
static int has_date(const struct ernie_search_options *options, const char *date)
{
    if (options->after == NULL && options->before == NULL)
        return 1;
    return date != NULL && (options->after == NULL || strcmp(date, options->after) >= 0) &&
           (options->before == NULL || strcmp(date, options->before) < 0);
}

static int select_document(void *data, int64_t id, const char *format, const char *date,
                           ernie_error *err)
{
    struct selection *selection = data;

    if (!has_format(selection->options, format) || !has_date(selection->options, date) ||
        (selection->places != NULL && !id_set_has(selection->places, id)))
        return ERNIE_OK;
    return id_set_add(selection->out, id) < 0 ? out_of_memory(err) : ERNIE_OK;
}

int filter_init(struct filter *filter, struct ernie_database *database,
                const struct ernie_search_options *options, ernie_error *err)
{
    struct selection selection = { .options = options, .out = &filter->documents };
    struct id_set places = { 0 };
    int status;

    if (options == NULL || (options->n_formats == 0 && options->after == NULL &&
                            options->before == NULL && options->path == NULL))
        return ERNIE_OK;
    filter->is_on = 1;
    status = check_options(options, err);
    if (status == ERNIE_OK && options->path != NULL) {
        status = find_places(database->store, options->path, &places, err);
        selection.places = &places;
    }
    if (status == ERNIE_OK)
        status = store_documents_each(database->store, select_document, &selection, err);
    id_set_reset(&places);
    return status;
}

int filter_has(const struct filter *filter, int64_t document_id)
{
    return !filter->is_on || id_set_has(&filter->documents, document_id);
}

void filter_reset(struct filter *filter)
{
    id_set_reset(&filter->documents);
    filter->is_on = 0;
}
