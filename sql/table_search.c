/* SELECT path, score FROM ernie_search('人工智能'): the hits as rows, best first,
 * as many as SQLite asks for. */
#include <stdlib.h>
#include <string.h>

#include "sql/extension.h"
#include "sql/table_arguments.h"

/* Hits fetched first; each further fetch asks for twice as many. SQLite does not
 * tell a limit through a join or a WHERE, so none is guessed. */
#define FIRST_FETCH 64

enum column {
    COLUMN_RANK,
    COLUMN_SCORE,
    COLUMN_PATH,
    COLUMN_TITLE,
    COLUMN_HEADING,
    COLUMN_FORMAT,
    COLUMN_AUTHOR,
    COLUMN_LANGUAGE,
    COLUMN_DATE,
    COLUMN_PAGE,
    COLUMN_LINE,
    COLUMN_SNIPPET,
    COLUMN_DOCUMENT_ID,
    COLUMN_CHUNK_ID,
    COLUMN_FUSED_SCORE,
    COLUMN_BM25,
    COLUMN_VECTOR_RANK,
    COLUMN_KEYWORD_RANK,
    COLUMN_QUERY,
    COLUMN_K,
    COLUMN_MODE
};

static const char declaration[] =
    "CREATE TABLE x(rank INTEGER, score REAL, path TEXT, title TEXT, heading TEXT,"
    " format TEXT, author TEXT, language TEXT, date TEXT, page INTEGER, line INTEGER, snippet TEXT,"
    " document_id INTEGER, chunk_id INTEGER, fused_score REAL, bm25 REAL, vector_rank INTEGER,"
    " keyword_rank INTEGER, query HIDDEN, k HIDDEN, mode HIDDEN)";

/* The columns that are arguments, in their order; what xBestIndex tells xFilter is which of
 * them there are, as bits of idxNum. */
static const int arguments[] = { COLUMN_QUERY, COLUMN_K, COLUMN_MODE };
#define N_ARGUMENTS 3

struct search_cursor {
    sqlite3_vtab_cursor base;
    char *query;
    size_t k;       /* rows at most; 0: all there are */
    enum ernie_search_mode mode;
    size_t fetched; /* how many hits were asked for */
    struct ernie_hits *hits;
    size_t i;       /* of the current row in hits */
    int64_t rank;   /* of the current row, from 1 */
    int64_t *seen;  /* [n_seen], ascending: the documents of earlier fetches */
    size_t n_seen;
};

static int table_connect(sqlite3 *connection, void *data, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    return function_table_connect(connection, declaration, SQLITE_VTAB_DIRECTONLY, data, out);
}

/* Whether the plan's constraint, or -1 for none, says that vectors alone are asked, as far as
 * can be told before the statement runs: of a parameter it cannot. SQLite tells from 3.38 on. */
static int is_vector_mode(sqlite3_index_info *info, int constraint)
{
    sqlite3_value *value = NULL;
    const char *name;

    if (constraint < 0 || sqlite3_libversion_number() < 3038000 ||
        sqlite3_vtab_rhs_value(info, constraint, &value) != SQLITE_OK)
        return 0;
    name = (const char *)sqlite3_value_text(value);
    return name != NULL && strcmp(name, search_mode_names[ERNIE_VECTOR]) == 0;
}

/* Whether rows in the order of the hits are in the order that is asked for. They are ordered by
 * fused_score, which is the score when vectors alone are asked. */
static int order_is_ours(sqlite3_index_info *info, int mode_constraint)
{
    if (info->nOrderBy != 1)
        return 0;
    switch (info->aOrderBy[0].iColumn) {
    case -1: /* rowid */
    case COLUMN_RANK:
        return !info->aOrderBy[0].desc;
    case COLUMN_FUSED_SCORE:
        return info->aOrderBy[0].desc;
    case COLUMN_SCORE:
        return info->aOrderBy[0].desc && is_vector_mode(info, mode_constraint);
    default:
        return 0;
    }
}

static int table_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    int given[N_ARGUMENTS] = { -1, -1, -1 }, n = 0;

    (void)table;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];

        for (int j = 0; j < N_ARGUMENTS; j++) {
            if (constraint->iColumn != arguments[j] ||
                (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ &&
                 (constraint->op != SQLITE_INDEX_CONSTRAINT_MATCH ||
                  arguments[j] != COLUMN_QUERY)))
                continue;
            /* The value comes from a table that this plan would read later: only a plan
             * that reads it first will do. */
            if (!constraint->usable)
                return SQLITE_CONSTRAINT;
            given[j] = i;
        }
    }
    for (int j = 0; given[0] >= 0 && j < N_ARGUMENTS; j++) {
        if (given[j] < 0)
            continue;
        info->idxNum |= 1 << j;
        info->aConstraintUsage[given[j]].argvIndex = ++n;
        info->aConstraintUsage[given[j]].omit = 1;
    }
    info->orderByConsumed = order_is_ours(info, given[2]);
    info->estimatedCost = given[0] >= 0 ? 1000 : 1e12;
    info->estimatedRows = 100;
    return SQLITE_OK;
}

/* ---- the cursor -------------------------------------------------------- */

static int cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    struct search_cursor *cursor = sqlite3_malloc64(sizeof *cursor);

    (void)table;
    if (cursor == NULL)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static void cursor_clear(struct search_cursor *cursor)
{
    sqlite3_vtab_cursor base = cursor->base;

    sqlite3_free(cursor->query);
    sqlite3_free(cursor->seen);
    ernie_hits_free(cursor->hits);
    memset(cursor, 0, sizeof *cursor);
    cursor->base = base;
}

static int cursor_close(sqlite3_vtab_cursor *base)
{
    struct search_cursor *cursor = (struct search_cursor *)base;

    cursor_clear(cursor);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The n best hits. */
static int fetch(struct search_cursor *cursor, size_t n)
{
    struct function_table *table = (struct function_table *)cursor->base.pVtab;
    /* Rows are fetched by the dozen, and few are read: column_snippet makes their snippets. */
    struct ernie_search_options options = { .k = n, .mode = cursor->mode, .no_snippets = 1 };
    ernie_database *database;
    ernie_error err;
    int status = extension_database(table->data, &database, &err);

    ernie_hits_free(cursor->hits);
    cursor->hits = NULL;
    cursor->i = 0;
    cursor->fetched = n;
    if (status == ERNIE_OK)
        status = ernie_search(database, cursor->query, &options, &cursor->hits, &err);
    return status == ERNIE_OK ? SQLITE_OK : table_error(&table->base, &err);
}

/* Adds the documents of the present hits, all of which were rows, to seen. */
static int remember_hits(struct search_cursor *cursor)
{
    size_t n = cursor->n_seen + cursor->hits->n;
    int64_t *seen = sqlite3_realloc64(cursor->seen, n * sizeof *seen);

    if (seen == NULL)
        return SQLITE_NOMEM;
    for (size_t i = 0; i < cursor->hits->n; i++)
        seen[cursor->n_seen + i] = cursor->hits->hit[i].document_id;
    qsort(seen, n, sizeof *seen, compare_ids);
    cursor->seen = seen;
    cursor->n_seen = n;
    return SQLITE_OK;
}

static int was_seen(const struct search_cursor *cursor)
{
    return cursor->n_seen > 0 &&
           bsearch(&cursor->hits->hit[cursor->i].document_id, cursor->seen, cursor->n_seen,
                   sizeof *cursor->seen, compare_ids) != NULL;
}

/* Makes i the next row: fetches twice as many when the hits are used up and there
 * may be more. The longer list begins with the shorter one, or nearly: an
 * approximate index may order it otherwise, and rows may have changed, so what was
 * a row before is told by its document. */
static int advance(struct search_cursor *cursor)
{
    for (;;) {
        int status;

        while (cursor->i < cursor->hits->n && was_seen(cursor))
            cursor->i++;
        if (cursor->i < cursor->hits->n || cursor->hits->n < cursor->fetched ||
            cursor->fetched == cursor->k || cursor->hits->n == 0)
            break;
        status = remember_hits(cursor);
        if (status == SQLITE_OK)
            status = fetch(cursor, cursor->fetched * 2);
        if (status != SQLITE_OK)
            return status;
    }
    cursor->rank++;
    return SQLITE_OK;
}

static int cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                         sqlite3_value **argv)
{
    struct search_cursor *cursor = (struct search_cursor *)base;
    sqlite3_value *value[N_ARGUMENTS] = { NULL };
    struct ernie_search_options options = { 0 };
    const char *query;
    ernie_error err;
    int status;

    (void)unused;
    (void)argc;
    cursor_clear(cursor);
    for (int i = 0; i < N_ARGUMENTS; i++)
        value[i] = (plan & 1 << i) != 0 ? *argv++ : NULL;
    if (value[0] == NULL) {
        extension_refuse(&err, "ernie_search: give a query: ernie_search('...')");
        return table_error(base->pVtab, &err);
    }
    if (sqlite3_value_type(value[0]) == SQLITE_NULL)
        return SQLITE_OK; /* no rows */
    if (search_arguments(value[1], value[2], &options, &err) != ERNIE_OK)
        return table_error(base->pVtab, &err);
    cursor->k = options.k;
    cursor->mode = options.mode;
    query = (const char *)sqlite3_value_text(value[0]);
    cursor->query = query != NULL ? sqlite3_mprintf("%s", query) : NULL;
    if (cursor->query == NULL)
        return SQLITE_NOMEM;
    status = fetch(cursor, cursor->k != 0 ? cursor->k : FIRST_FETCH);
    return status == SQLITE_OK ? advance(cursor) : status;
}

static int cursor_next(sqlite3_vtab_cursor *base)
{
    struct search_cursor *cursor = (struct search_cursor *)base;

    cursor->i++;
    return advance(cursor);
}

static int cursor_eof(sqlite3_vtab_cursor *base)
{
    struct search_cursor *cursor = (struct search_cursor *)base;

    return cursor->hits == NULL || cursor->i >= cursor->hits->n;
}

static void result_unless_empty(sqlite3_context *context, const char *text)
{
    if (text[0] != '\0')
        sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static int column_snippet(struct search_cursor *cursor, sqlite3_context *context,
                          const struct ernie_hit *hit)
{
    struct function_table *table = (struct function_table *)cursor->base.pVtab;
    ernie_database *database;
    ernie_error err;
    char *snippet = NULL;
    int status = extension_database(table->data, &database, &err);

    if (status == ERNIE_OK)
        status = ernie_snippet(database, cursor->query, hit->chunk_id, &snippet, &err);
    if (status == ERNIE_ENOTFOUND) /* deleted since, by the statement that reads it */
        snippet = NULL;
    else if (status != ERNIE_OK)
        return table_error(&table->base, &err);
    if (snippet != NULL)
        sqlite3_result_text(context, snippet, -1, SQLITE_TRANSIENT);
    ernie_free(snippet);
    return SQLITE_OK;
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct search_cursor *cursor = (struct search_cursor *)base;
    const struct ernie_hit *hit = &cursor->hits->hit[cursor->i];

    switch (column) {
    case COLUMN_RANK:
        sqlite3_result_int64(context, cursor->rank);
        break;
    case COLUMN_SCORE:
        sqlite3_result_double(context, hit->score);
        break;
    case COLUMN_PATH:
        sqlite3_result_text(context, hit->path, -1, SQLITE_TRANSIENT);
        break;
    case COLUMN_TITLE:
        sqlite3_result_text(context, hit->title, -1, SQLITE_TRANSIENT);
        break;
    case COLUMN_HEADING:
        sqlite3_result_text(context, hit->heading, -1, SQLITE_TRANSIENT);
        break;
    case COLUMN_FORMAT:
        sqlite3_result_text(context, hit->format, -1, SQLITE_TRANSIENT);
        break;
    case COLUMN_AUTHOR: /* NULL for what the document does not say */
        result_unless_empty(context, hit->author);
        break;
    case COLUMN_LANGUAGE:
        result_unless_empty(context, hit->language);
        break;
    case COLUMN_DATE:
        result_unless_empty(context, hit->date);
        break;
    case COLUMN_PAGE:
        if (hit->page > 0)
            sqlite3_result_int64(context, (sqlite3_int64)hit->page);
        break;
    case COLUMN_LINE:
        sqlite3_result_int64(context, (sqlite3_int64)hit->line);
        break;
    case COLUMN_SNIPPET:
        return column_snippet(cursor, context, hit);
    case COLUMN_DOCUMENT_ID:
        sqlite3_result_int64(context, hit->document_id);
        break;
    case COLUMN_CHUNK_ID:
        sqlite3_result_int64(context, hit->chunk_id);
        break;
    case COLUMN_FUSED_SCORE:
        sqlite3_result_double(context, hit->fused_score);
        break;
    case COLUMN_BM25:
        sqlite3_result_double(context, hit->bm25);
        break;
    case COLUMN_VECTOR_RANK: /* NULL where there is none */
        if (hit->vector_rank != 0)
            sqlite3_result_int64(context, (sqlite3_int64)hit->vector_rank);
        break;
    case COLUMN_KEYWORD_RANK:
        if (hit->keyword_rank != 0)
            sqlite3_result_int64(context, (sqlite3_int64)hit->keyword_rank);
        break;
    case COLUMN_QUERY:
        sqlite3_result_text(context, cursor->query, -1, SQLITE_TRANSIENT);
        break;
    case COLUMN_MODE:
        sqlite3_result_text(context, search_mode_names[cursor->mode], -1, SQLITE_STATIC);
        break;
    default: /* k: NULL when it was not given */
        if (cursor->k != 0)
            sqlite3_result_int64(context, (sqlite3_int64)cursor->k);
    }
    return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((struct search_cursor *)base)->rank;
    return SQLITE_OK;
}

int register_search_table(sqlite3 *connection, struct extension *extension)
{
    /* No xCreate: the table is there without CREATE VIRTUAL TABLE, and cannot be
     * made otherwise. */
    static const sqlite3_module module = {
        .xConnect = table_connect,
        .xBestIndex = table_best_index,
        .xDisconnect = function_table_disconnect,
        .xOpen = cursor_open,
        .xClose = cursor_close,
        .xFilter = cursor_filter,
        .xNext = cursor_next,
        .xEof = cursor_eof,
        .xColumn = cursor_column,
        .xRowid = cursor_rowid,
    };

    extension->n_references++;
    return sqlite3_create_module_v2(connection, "ernie_search", &module, extension,
                                    extension_release);
}
