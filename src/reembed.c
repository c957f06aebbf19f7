/* Moving a collection to another model: the texts stay, the vectors are made
 * again. */
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "cut.h"
#include "database.h"
#include "encode.h"
#include "model/model.h"
#include "pace.h"

#define CHUNKS_PER_THREAD 32

struct reembed {
    struct store *store;
    const struct ernie_index_options *options;
    struct ernie_progress now;
    double began_s;
    ernie_encoder *encoder;
    struct ernie_encode_options how;
    size_t dim, n, capacity; /* texts waiting, and room for them */
    int64_t *ids;            /* [capacity] */
    char **texts;            /* [capacity] */
    size_t *sizes;           /* [capacity] */
    float *embeddings;       /* [capacity][dim] */
};

static int flush(struct reembed *reembed, ernie_error *err)
{
    const struct ernie_index_options *options = reembed->options;
    int status = encode_texts(reembed->encoder, reembed->n, (const char *const *)reembed->texts,
                              reembed->sizes, &reembed->how, reembed->embeddings, err);

    for (size_t i = 0; i < reembed->n; i++) {
        if (status == ERNIE_OK)
            status = collection_vector_put(store_collection(reembed->store), reembed->ids[i],
                                             reembed->embeddings + i * reembed->dim,
                                             reembed->dim, err);
        memory_free(reembed->texts[i]);
    }
    reembed->now.n_chunks += reembed->n;
    reembed->n = 0;
    reembed->now.seconds_left =
        pace_left_alike(pace_now_s() - reembed->began_s, reembed->now.n_bytes_done,
                        reembed->now.n_bytes_total);
    if (status == ERNIE_OK && options != NULL && options->progress != NULL &&
        options->progress(options->progress_data, &reembed->now) != 0)
        status = error_set(err, ERNIE_ECANCELED, "rebuild: stopped; nothing was changed");
    return status;
}

/* A chunk is embedded behind the heading that it stands under, as when it was indexed. */
static int add_text(void *data, int64_t chunk_id, const char *heading, const char *text,
                    size_t size, ernie_error *err)
{
    struct reembed *reembed = data;
    struct buffer passage = { 0 };

    passage_append(&passage, heading, text, size);
    reembed->now.n_bytes_done += size;
    reembed->sizes[reembed->n] = passage.size;
    reembed->texts[reembed->n] = buffer_take(&passage);
    if (reembed->texts[reembed->n] == NULL)
        return error_set(err, ERNIE_ENOMEM, "rebuild: out of memory");
    reembed->ids[reembed->n] = chunk_id;
    reembed->n++;
    return reembed->n == reembed->capacity ? flush(reembed, err) : ERNIE_OK;
}

static int reembed_init(struct reembed *reembed, struct ernie_database *database,
                        const ernie_model *model, const struct ernie_index_options *options,
                        ernie_error *err)
{
    struct store_counts counts;
    uint64_t n_text_bytes;
    int status;

    memset(reembed, 0, sizeof *reembed);
    reembed->store = database->store;
    reembed->options = options;
    reembed->dim = ernie_model_dim(model);
    if (database->dim_given > reembed->dim)
        return error_set(err, ERNIE_EINVAL, "dim: %zu is not in 1..%zu, the numbers of a vector",
                         database->dim_given, reembed->dim);
    if (database->dim_given != 0)
        reembed->dim = database->dim_given;
    reembed->how = (struct ernie_encode_options){ .prompt = model_passage_prompt(model),
                                                  .dim = reembed->dim };
    status = store_counts(database->store, &counts, err);
    if (status == ERNIE_OK)
        status = store_text_bytes(database->store, &n_text_bytes, err);
    if (status == ERNIE_OK)
        status = ernie_encoder_new(model, options != NULL ? options->n_threads : 0,
                                   &reembed->encoder, err);
    if (status != ERNIE_OK)
        return status;
    reembed->now.stage = ERNIE_STAGE_EMBED;
    reembed->began_s = pace_now_s();
    reembed->now.n_files_total = reembed->now.n_files_done = counts.n_documents;
    reembed->now.n_bytes_total = n_text_bytes;
    reembed->capacity = CHUNKS_PER_THREAD * ernie_encoder_n_threads(reembed->encoder);
    reembed->ids = memory_new(reembed->capacity, sizeof *reembed->ids);
    reembed->texts = memory_new(reembed->capacity, sizeof *reembed->texts);
    reembed->sizes = memory_new(reembed->capacity, sizeof *reembed->sizes);
    reembed->embeddings = memory_new(reembed->capacity, reembed->dim * sizeof(float));
    if (reembed->ids == NULL || reembed->texts == NULL || reembed->sizes == NULL ||
        reembed->embeddings == NULL)
        return error_set(err, ERNIE_ENOMEM, "rebuild: out of memory");
    return ERNIE_OK;
}

static void reembed_reset(struct reembed *reembed)
{
    for (size_t i = 0; i < reembed->n; i++)
        memory_free(reembed->texts[i]);
    memory_free(reembed->ids);
    memory_free(reembed->texts);
    memory_free(reembed->sizes);
    memory_free(reembed->embeddings);
    ernie_encoder_free(reembed->encoder);
}

/* All rows and the note of the model in one transaction: readers see the old
 * vectors until they all have changed. */
static int replace_all(struct reembed *reembed, const ernie_model *model, ernie_error *err)
{
    int status = store_begin(reembed->store, err);

    if (status != ERNIE_OK)
        return status;
    status = store_texts(reembed->store, add_text, reembed, err);
    if (status == ERNIE_OK)
        status = flush(reembed, err);
    if (status == ERNIE_OK)
        status = database_note_model(reembed->store, model, reembed->dim, err);
    if (status == ERNIE_OK)
        status = store_commit(reembed->store, err);
    if (status != ERNIE_OK)
        store_rollback(reembed->store);
    return status;
}

int ernie_reembed(ernie_database *database, const ernie_model *model,
                  const struct ernie_index_options *options, ernie_error *err)
{
    struct reembed reembed;
    size_t dim;
    int status;

    if (!database->writable || database->model != NULL)
        return error_set(err, ERNIE_EINVAL, "%s: must be opened for writing and without a model",
                         store_path(database->store));
    status = reembed_init(&reembed, database, model, options, err);
    if (status == ERNIE_OK)
        status = replace_all(&reembed, model, err);
    dim = reembed.dim;
    reembed_reset(&reembed);
    if (status != ERNIE_OK)
        return status;
    status = nearest_set_vectors(&database->nearest, model->fingerprint.bytes, dim, err);
    if (status == ERNIE_OK)
        status = nearest_save(&database->nearest, 1, 0, NULL, err);
    return status;
}
