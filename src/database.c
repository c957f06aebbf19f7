/* Opening a database and what else concerns all of it: status, verify, rebuild,
 * and the move to another model. */
#include "database.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/system.h"
#include "document/chunk.h"
#include "encode.h"
#include "model/model.h"
#include "model/word_bag.h"
#include "words/match.h"

#define META_FINGERPRINT "model_fingerprint"
#define META_NAME "model_name"
#define META_DIM "dim"
#define META_MODEL_DIM "model_dim"
#define META_CHUNKER "chunker_version"

const char *ernie_version(void)
{
    return PACKAGE_VERSION;
}

/* The last part of the model's directory: a name for people, nothing depends on it. */
static const char *model_name(const ernie_model *model)
{
    const char *directory = ernie_model_directory(model);
    const char *slash = strrchr(directory, '/');

    return slash == NULL || slash[1] == '\0' ? directory : slash + 1;
}

#define MAX_DIM 65536

/* A number that the database notes of its vectors; 0 when it notes none, or what is
 * no such number. */
static int read_dim(struct store *store, const char *key, size_t *out, ernie_error *err)
{
    char number[24];
    unsigned long value;
    int status = collection_meta_get(store_collection(store), key, number, sizeof number, err);

    if (status != ERNIE_OK)
        return status;
    value = strtoul(number, NULL, 10);
    *out = value <= MAX_DIM ? (size_t)value : 0;
    return ERNIE_OK;
}

static int use_dim(struct ernie_database *database, size_t dim, ernie_error *err)
{
    database->dim = dim;
    return nearest_set_vectors(&database->nearest, database->model->fingerprint.bytes, dim, err);
}

/* Another process may have chosen how long vectors are since this one looked. */
static int check_dim(struct ernie_database *database, ernie_error *err)
{
    const char *path = store_path(database->store);
    const size_t model_dim = ernie_model_dim(database->model);
    size_t dim;
    int status = read_dim(database->store, META_DIM, &dim, err);

    if (status != ERNIE_OK)
        return status;
    if (dim == 0 || dim > model_dim)
        return error_set(err, ERNIE_ECORRUPT, "%s: damaged: dim is not in 1..%zu", path,
                         model_dim);
    if (database->dim_given != 0 && database->dim_given != dim)
        return error_set(err, ERNIE_EMISMATCH,
                         "%s: its vectors have %zu numbers, not %zu: leave --dim out, or embed "
                         "again with `ernie rebuild --embeddings --dim %zu`",
                         path, dim, database->dim_given, database->dim_given);
    return use_dim(database, dim, err);
}

int database_check_model(struct ernie_database *database, ernie_error *err)
{
    char fingerprint[33], name[128];
    int status;

    if (database->model == NULL)
        return error_set(err, ERNIE_EINVAL, "%s: opened without a model",
                         store_path(database->store));
    status = collection_meta_get(store_collection(database->store), META_FINGERPRINT, fingerprint, sizeof fingerprint,
                            err);
    if (status != ERNIE_OK)
        return status;
    if (fingerprint[0] == '\0') /* nothing embedded yet */
        return use_dim(database,
                       database->dim_given != 0 ? database->dim_given
                                                : ernie_model_dim(database->model),
                       err);
    if (strcmp(fingerprint, ernie_model_fingerprint(database->model)) == 0)
        return check_dim(database, err);
    status = collection_meta_get(store_collection(database->store), META_NAME, name, sizeof name, err);
    if (status != ERNIE_OK)
        return status;
    return error_set(err, ERNIE_EMISMATCH,
                     "%s: made with the model %s (%.8s), not %s (%.8s): give that one with "
                     "--model or ERNIE_MODEL, or embed again with `ernie rebuild --embeddings`",
                     store_path(database->store), name, fingerprint, model_name(database->model),
                     ernie_model_fingerprint(database->model));
}

int database_note_model(struct store *store, const ernie_model *model, size_t dim,
                        ernie_error *err)
{
    char number[24];
    int status;

    status = collection_meta_set(store_collection(store), META_FINGERPRINT, ernie_model_fingerprint(model), err);
    if (status == ERNIE_OK)
        status = collection_meta_set(store_collection(store), META_NAME, model_name(model), err);
    snprintf(number, sizeof number, "%zu", dim);
    if (status == ERNIE_OK)
        status = collection_meta_set(store_collection(store), META_DIM, number, err);
    snprintf(number, sizeof number, "%zu", ernie_model_dim(model));
    if (status == ERNIE_OK)
        status = collection_meta_set(store_collection(store), META_MODEL_DIM, number, err);
    snprintf(number, sizeof number, "%d", CHUNKER_VERSION);
    if (status == ERNIE_OK)
        status = collection_meta_set(store_collection(store), META_CHUNKER, number, err);
    return status;
}

int database_begin(struct ernie_database *database, ernie_error *err)
{
    char fingerprint[33];
    int status;

    if (!database->writable)
        return error_set(err, ERNIE_EINVAL, "%s: opened for reading only",
                         store_path(database->store));
    status = store_begin(database->store, err);
    if (status != ERNIE_OK)
        return status;
    /* Looked at within the transaction: another process may have been first. */
    status = database_check_model(database, err);
    if (status == ERNIE_OK)
        status = collection_meta_get(store_collection(database->store), META_FINGERPRINT, fingerprint,
                                sizeof fingerprint, err);
    if (status == ERNIE_OK && fingerprint[0] == '\0')
        status = database_note_model(database->store, database->model, database->dim, err);
    if (status != ERNIE_OK)
        store_rollback(database->store);
    return status;
}

int database_embed(struct ernie_database *database, const char *text, float *out, ernie_error *err)
{
    const struct ernie_encode_options options = { .prompt = model_query_prompt(database->model),
                                                  .dim = database->dim };
    int status = ERNIE_OK;

    if (database->encoder == NULL)
        status = ernie_encoder_new(database->model, 1, &database->encoder, err);
    return status == ERNIE_OK
               ? encode_texts(database->encoder, 1, &text, NULL, &options, out, err)
               : status;
}

int database_embed_query(struct ernie_database *database, const char *query, float **out,
                         ernie_error *err)
{
    float *embedding = memory_new(database->dim, sizeof *embedding);
    struct buffer plain = { 0 };
    char *text;
    int status;

    match_plain_append(&plain, query, strlen(query));
    text = buffer_take(&plain);
    if (embedding == NULL || text == NULL)
        status = error_set(err, ERNIE_ENOMEM, "search: out of memory");
    else
        status = database_embed(database, text, embedding, err);
    memory_free(text);
    if (status != ERNIE_OK) {
        memory_free(embedding);
        return status;
    }
    *out = embedding;
    return ERNIE_OK;
}

int database_word_bag(struct ernie_database *database, struct word_bag **out, ernie_error *err)
{
    int status = ERNIE_OK;

    if (database->word_bag == NULL)
        status = word_bag_new(database->model, &database->word_bag, err);
    if (status == ERNIE_OK)
        *out = database->word_bag;
    return status;
}

/* ---- opening ----------------------------------------------------------- */

/* Takes over store, which is closed when this fails. */
static int database_new(struct store *store, const ernie_model *model, int writable,
                        ernie_database **out, ernie_error *err)
{
    static const uint8_t no_fingerprint[16];
    struct ernie_database *database = memory_new(1, sizeof *database);
    int status;

    if (database == NULL) {
        store_close(store);
        return error_set(err, ERNIE_ENOMEM, "database: out of memory");
    }
    database->store = store;
    database->model = model;
    database->writable = writable;
    database->dim = model != NULL ? ernie_model_dim(model) : 0;
    status = nearest_init(&database->nearest, store_collection(store),
                          model != NULL ? model->fingerprint.bytes : no_fingerprint,
                          database->dim, "auto", "-ann", err);
    if (status == ERNIE_OK && model != NULL)
        status = database_check_model(database, err);
    if (status != ERNIE_OK) {
        ernie_close(database);
        return status;
    }
    *out = database;
    return ERNIE_OK;
}

int ernie_open(const char *path, unsigned mode, const ernie_model *model, ernie_database **out,
               ernie_error *err)
{
    enum store_mode store_mode = STORE_READ;
    struct store *store;
    int status;

    if (path == NULL || path[0] == '\0')
        return error_set(err, ERNIE_EINVAL, "database: no path given");
    if (mode == ERNIE_CREATE)
        store_mode = STORE_CREATE;
    else if (mode == ERNIE_WRITE)
        store_mode = STORE_WRITE;
    else if (mode != ERNIE_READ)
        return error_set(err, ERNIE_EINVAL, "%s: no such mode as %u", path, mode);
    status = store_open(path, store_mode, &store, err);
    if (status != ERNIE_OK)
        return status;
    return database_new(store, model, mode != ERNIE_READ, out, err);
}

int ernie_attach(struct sqlite3 *connection, const ernie_model *model, ernie_database **out,
                 ernie_error *err)
{
    struct store *store;
    int status;

    if (connection == NULL)
        return error_set(err, ERNIE_EINVAL, "database: no connection given");
    status = store_attach(connection, &store, err);
    if (status != ERNIE_OK)
        return status;
    return database_new(store, model, 1, out, err);
}

int ernie_set_dim(ernie_database *database, size_t dim, ernie_error *err)
{
    const size_t before = database->dim_given;
    const size_t most = database->model != NULL ? ernie_model_dim(database->model) : MAX_DIM;
    int status = ERNIE_OK;

    if (dim == 0 || dim > most)
        return error_set(err, ERNIE_EINVAL, "dim: %zu is not in 1..%zu, the numbers of a vector",
                         dim, most);
    database->dim_given = dim;
    if (database->model != NULL)
        status = database_check_model(database, err);
    if (status != ERNIE_OK)
        database->dim_given = before;
    return status;
}

void ernie_close(ernie_database *database)
{
    if (database == NULL)
        return;
    ernie_encoder_free(database->encoder);
    word_bag_free(database->word_bag);
    nearest_reset(&database->nearest);
    store_close(database->store);
    memory_free(database);
}

/* ---- upkeep ------------------------------------------------------------ */

static void parse_fingerprint(const char *hex, uint8_t out[16])
{
    for (size_t i = 0; i < 16; i++) {
        char digits[3] = { hex[2 * i], hex[2 * i + 1] };

        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

/* Index and dimension without a model: what the database says of itself. */
static int open_index_by_meta(struct ernie_database *database, struct ernie_status *out,
                              ernie_error *err)
{
    uint8_t fingerprint[16];
    int status;

    status = read_dim(database->store, META_DIM, &out->dim, err);
    if (status == ERNIE_OK)
        status = read_dim(database->store, META_MODEL_DIM, &out->model_dim, err);
    if (status != ERNIE_OK || out->dim == 0) /* nothing embedded yet */
        return status;
    if (out->model_dim < out->dim) /* not noted by older versions, which kept all */
        out->model_dim = out->dim;
    parse_fingerprint(out->model_fingerprint, fingerprint);
    status = nearest_set_vectors(&database->nearest, fingerprint, out->dim, err);
    return status == ERNIE_OK ? nearest_refresh(&database->nearest, err) : status;
}

static void read_index_status(struct nearest *nearest, struct ernie_status *out)
{
    struct index_stamp stamp;
    struct index *index = shared_index_get(nearest->shared, &stamp);
    size_t n = 0;

    snprintf(out->index_kind, sizeof out->index_kind, "none");
    if (index != NULL) {
        n = index_count(index);
        out->n_index_vectors = shared_index_saved(nearest->shared);
        out->memory_bytes = index_bytes(index);
    }
    if (out->n_index_vectors > 0)
        snprintf(out->index_kind, sizeof out->index_kind, "%s", index_kind_name(index));
    out->n_tail_vectors = n > out->n_index_vectors ? n - out->n_index_vectors : 0;
    index_release(index);
}

int ernie_status(ernie_database *database, struct ernie_status *out, ernie_error *err)
{
    struct ernie_status result = { 0 };
    struct store_counts counts;
    struct stat st;
    const char *path = database->nearest.path;
    int status;

    status = store_counts(database->store, &counts, err);
    if (status == ERNIE_OK)
        status = collection_meta_get(store_collection(database->store), META_FINGERPRINT, result.model_fingerprint,
                                sizeof result.model_fingerprint, err);
    if (status == ERNIE_OK)
        status = collection_meta_get(store_collection(database->store), META_NAME, result.model_name,
                                sizeof result.model_name, err);
    if (status == ERNIE_OK)
        status = open_index_by_meta(database, &result, err);
    if (status != ERNIE_OK)
        return status;
    result.n_documents = counts.n_documents;
    result.n_failed = counts.n_failed;
    result.n_chunks = counts.n_chunks;
    result.n_roots = counts.n_roots;
    result.database_bytes = counts.database_bytes;
    read_index_status(&database->nearest, &result);
    if (path != NULL && system_table.fstatat(AT_FDCWD, path, &st, 0) == 0)
        result.index_bytes = (uint64_t)st.st_size;
    *out = result;
    return ERNIE_OK;
}

/* What verify hands through the calls that look for findings. */
struct findings {
    void (*report)(void *data, const char *finding);
    void *data;
    size_t n;
    struct nearest *nearest;
    size_t n_rows, n_asked, n_unseen;
    size_t stride; /* every so many rows are asked for */
};

static void add_finding(struct findings *findings, const char *finding)
{
    findings->n++;
    if (findings->report != NULL)
        findings->report(findings->data, finding);
}

/* A row's own vector must be among the nearest to itself that the index gives: this finds
 * an index that was made of other vectors than the rows hold. */
static int look_up_row(void *data, int64_t chunk_id, const float *embedding, ernie_error *err)
{
    struct findings *findings = data;
    struct nearest_search *search;
    struct neighbour neighbour = { 0 };
    int status, found = 1, seen = 0;

    if (findings->n_rows++ % findings->stride != 0)
        return ERNIE_OK;
    if (embedding == NULL)
        return ERNIE_OK; /* store_check reports it */
    findings->n_asked++;
    status = nearest_begin(findings->nearest, embedding, &search, err);
    if (status != ERNIE_OK)
        return status;
    /* Chunks with the same text have the same vector: more than eight of them push each
     * other out, at the same score. */
    for (int i = 0; i < 8 && status == ERNIE_OK && found && !seen; i++) {
        status = nearest_next(search, &neighbour, &found, err);
        seen = status == ERNIE_OK && found &&
               (neighbour.chunk_id == chunk_id || (i == 7 && neighbour.score > 0.9999));
    }
    nearest_end(search);
    findings->n_unseen += !seen;
    return status;
}

/* Rows the index is asked for: each costs a search. */
#define ROWS_ASKED 256

static int verify_index(struct ernie_database *database, struct findings *findings,
                        size_t n_chunks, ernie_error *err)
{
    struct nearest *nearest = &database->nearest;
    char line[160];
    uint64_t seq;
    int status;

    status = store_snapshot_begin(database->store, &seq, err);
    if (status != ERNIE_OK)
        return status;
    status = nearest_refresh(nearest, err);
    findings->nearest = nearest;
    findings->stride = n_chunks / ROWS_ASKED + 1;
    if (status == ERNIE_OK)
        status = collection_vectors_since(store_collection(database->store), 0, nearest->dim,
                                          look_up_row, findings, err);
    store_snapshot_end(database->store);
    if (status != ERNIE_OK)
        return status;
    /* An approximate index may miss a few of its own vectors; that is recall, not damage. */
    if (findings->n_unseen > findings->n_asked / 20) {
        snprintf(line, sizeof line, "vector index: %zu of %zu chunks cannot be found in it",
                 findings->n_unseen, findings->n_asked);
        add_finding(findings, line);
    }
    return ERNIE_OK;
}

static void pass_finding(void *data, const char *finding)
{
    struct findings *findings = data;

    if (findings->report != NULL)
        findings->report(findings->data, finding);
}

int ernie_verify(ernie_database *database, void (*report)(void *data, const char *finding),
                 void *data, ernie_error *err)
{
    struct findings findings = { .report = report, .data = data };
    struct ernie_status now;
    size_t n_findings = 0;
    int status;

    status = ernie_status(database, &now, err);
    if (status == ERNIE_OK)
        status = store_check(database->store, now.dim, pass_finding, &findings, &n_findings, err);
    findings.n += n_findings;
    if (status == ERNIE_OK && now.dim != 0)
        status = verify_index(database, &findings, now.n_chunks, err);
    if (status != ERNIE_OK)
        return status;
    if (findings.n > 0)
        return error_set(err, ERNIE_ECORRUPT, "%s: %zu finding%s", store_path(database->store),
                         findings.n, findings.n == 1 ? "" : "s");
    return ERNIE_OK;
}

int ernie_rebuild(ernie_database *database, ernie_error *err)
{
    int status = database_check_model(database, err);

    if (status == ERNIE_OK && !database->writable)
        status = error_set(err, ERNIE_EINVAL, "%s: opened for reading only",
                           store_path(database->store));
    if (status == ERNIE_OK)
        status = store_begin(database->store, err);
    if (status != ERNIE_OK)
        return status;
    status = store_words_rebuild(database->store, err);
    if (status == ERNIE_OK)
        status = store_commit(database->store, err);
    if (status != ERNIE_OK) {
        store_rollback(database->store);
        return status;
    }
    return nearest_save(&database->nearest, 1, 0, NULL, err);
}
