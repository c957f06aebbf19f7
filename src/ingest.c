/* Documents on their way in: file -> text -> chunks -> embeddings -> rows. Files
 * are read and cut one after another, their chunks are embedded many at a time on
 * all threads, and these are then written in one transaction, each document whole. While
 * one batch of documents is with the encoder, the one before is written and the next
 * is read. */
#include "ingest.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cut.h"
#include "ingest_parts.h"
#include "model/model.h"

/* Chunks embedded in one call for each thread: enough to share evenly, and few
 * enough that a request to stop is heard within a second or so. As many make a batch. */
#define CHUNKS_PER_THREAD 32

/* ---- progress ---------------------------------------------------------- */

static int report_progress(struct ingest *ingest, const char *path, const char *failure,
                           ernie_error *err)
{
    const struct ernie_index_options *options = ingest->options;
    struct buffer printable = { 0 };
    int stop;

    if (options == NULL || options->progress == NULL)
        return ERNIE_OK;
    if (path != NULL)
        utf8_append_printable(&printable, path, strlen(path));
    ingest->now.path = path == NULL || printable.failed ? NULL : printable.data;
    ingest->now.failure = failure;
    ingest->now.n_chunks = ingest->report->n_chunks;
    ingest->now.seconds_left = pace_left(&ingest->pace, pace_now_s());
    stop = options->progress(options->progress_data, &ingest->now);
    buffer_reset(&printable);
    if (stop)
        return error_set(err, ERNIE_ECANCELED,
                         "index: stopped; what was indexed stays, run it again for the rest");
    return ERNIE_OK;
}

static int report_scan(void *data, const char *path, const char *failure, ernie_error *err)
{
    struct ingest *ingest = data;

    ingest->now.n_files_total = ingest->scan.n_files;
    ingest->now.n_bytes_total = ingest->scan.n_bytes;
    return report_progress(ingest, path, failure, err);
}

int ingest_report_file(struct ingest *ingest, const char *path, uint64_t size_bytes,
                       const char *failure, ernie_error *err)
{
    ingest->now.n_files_done++;
    ingest->now.n_bytes_done += size_bytes;
    return report_progress(ingest, path, failure, err);
}

/* ---- jobs -------------------------------------------------------------- */

void job_reset(struct job *job)
{
    extract_reset(&job->extract);
    chunk_list_reset(&job->chunks);
    memory_free(job->failure);
    memory_free(job->path);
    memset(job, 0, sizeof *job);
}

static int job_cut(struct job *job, struct ingest *ingest, ernie_error *err)
{
    int status = cut_document(ingest->database->model, ingest->scratch, &job->extract,
                              &job->chunks, err);
    size_t n_tokens = 0;

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; i < job->chunks.n; i++)
        n_tokens += job->chunks.chunk[i].n_tokens;
    ingest->filling->n_chunks += job->chunks.n;
    ingest->filling->n_tokens += n_tokens;
    pace_found(&ingest->pace, n_tokens);
    return ERNIE_OK;
}

int job_fail(struct job *job, const char *why, ernie_error *err)
{
    job->failure = memory_copy_text(why, strlen(why));
    return job->failure != NULL ? ERNIE_OK : error_set(err, ERNIE_ENOMEM, "index: out of memory");
}

/* What the row of a document without text says. */
static void job_set_failed(struct job *job)
{
    extract_reset(&job->extract);
    chunk_list_reset(&job->chunks);
    job->document.failure = job->failure;
    job->document.title = "";
    job->document.encoding = "";
    if (job->document.format == NULL)
        job->document.format = "";
    job->document.author = "";
    job->document.language = "";
    job->document.date = NULL;
}

/* The extracted text into chunks, and what the row says of it. */
static int job_finish(struct job *job, struct ingest *ingest, ernie_error *err)
{
    job->document.title = job->extract.title.size > 0 ? job->extract.title.data : "";
    job->document.format = document_format_name(job->extract.format);
    job->document.encoding = job->extract.encoding;
    job->document.author = job->extract.author.size > 0 ? job->extract.author.data : "";
    job->document.language = job->extract.language;
    job->document.date = job->extract.date[0] != '\0' ? job->extract.date : NULL;
    return job_cut(job, ingest, err);
}

/* ---- embedding --------------------------------------------------------- */

static void batch_reset(struct batch *batch)
{
    for (size_t i = 0; i < batch->n_jobs; i++)
        job_reset(&batch->jobs[i]);
    buffer_reset(&batch->passages);
    memory_free(batch->texts);
    memory_free(batch->sizes);
    memory_free(batch->embeddings);
    *batch = (struct batch){ .jobs = batch->jobs };
}

/* The headings above a chunk: those above its first byte. */
static const char *heading_of(const struct job *job, const struct chunk *chunk)
{
    return extract_heading(&job->extract, extract_section(&job->extract, chunk->start));
}

/* Gives the encoder the chunks of the batch's jobs. */
static int batch_embed(struct batch *batch, struct ingest *ingest, ernie_error *err)
{
    size_t n = 0;

    batch->texts = memory_new(batch->n_chunks, sizeof *batch->texts);
    batch->sizes = memory_new(batch->n_chunks, sizeof *batch->sizes);
    batch->embeddings = memory_new(batch->n_chunks, ingest->how.dim * sizeof *batch->embeddings);
    if (batch->texts == NULL || batch->sizes == NULL || batch->embeddings == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    for (size_t i = 0; i < batch->n_jobs; i++) {
        const struct job *job = &batch->jobs[i];

        for (size_t j = 0; j < job->chunks.n; j++, n++) {
            const struct chunk *chunk = &job->chunks.chunk[j];
            const size_t before = batch->passages.size;

            passage_append(&batch->passages, heading_of(job, chunk),
                           job->extract.text.data + chunk->start, chunk->end - chunk->start);
            batch->sizes[n] = batch->passages.size - before;
        }
    }
    if (batch->passages.failed)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    for (size_t i = 0, at = 0; i < n; at += batch->sizes[i++])
        batch->texts[i] = batch->passages.data + at;
    embedder_begin(ingest->embedder, n, batch->texts, batch->sizes, batch->embeddings);
    ingest->embedding = batch;
    return ERNIE_OK;
}

/* Until the encoder is done with what it has. */
static int wait_for_encoder(struct ingest *ingest, ernie_error *err)
{
    const struct batch *batch = ingest->embedding;
    size_t n_more;
    int status;

    do {
        status = embedder_wait(ingest->embedder, &n_more, err);
        ingest->report->n_chunks += n_more;
        if (n_more > 0)
            pace_embedded(&ingest->pace, (double)batch->n_tokens * (double)n_more /
                                             (double)batch->n_chunks);
        if (status == ERNIE_OK && n_more > 0)
            status = report_progress(ingest, NULL, NULL, err);
    } while (status == ERNIE_OK && n_more > 0);
    return status;
}

/* ---- writing ----------------------------------------------------------- */

static int write_chunks(struct ingest *ingest, const struct job *job, int64_t document_id,
                        const float *embeddings, ernie_error *err)
{
    const size_t dim = ingest->how.dim;
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < job->chunks.n; i++) {
        const struct chunk *chunk = &job->chunks.chunk[i];
        const struct section *section = extract_section(&job->extract, chunk->start);
        struct store_chunk row = { .document_id = document_id,
                                   .ordinal = i,
                                   .start = chunk->start,
                                   .end = chunk->end,
                                   .line = extract_line(&job->extract, chunk->start),
                                   .page = section != NULL ? section->page : 0,
                                   .heading = extract_heading(&job->extract, section),
                                   .text = job->extract.text.data + chunk->start,
                                   .size = chunk->end - chunk->start,
                                   .embedding = embeddings + i * dim,
                                   .dim = dim };
        int64_t chunk_id;

        status = store_chunk_add(ingest->database->store, &row, &chunk_id, err);
    }
    return status;
}

/* One document, within the batch's transaction. */
static int write_job(struct ingest *ingest, const struct job *job, const float *embeddings,
                     int64_t *id, ernie_error *err)
{
    struct store *store = ingest->database->store;
    int status;

    *id = job->document.id;
    if (job->is_moved)
        return store_document_rename(store, &job->document, err);
    if (job->same_bytes)
        return store_document_touch(store, &job->document, err);
    status = store_document_put(store, &job->document, id, err);
    return status == ERNIE_OK ? write_chunks(ingest, job, *id, embeddings, err) : status;
}

static int write_jobs(struct ingest *ingest, const struct batch *batch, ernie_error *err)
{
    const float *embeddings = batch->embeddings;
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < batch->n_jobs; i++) {
        const struct job *job = &batch->jobs[i];
        int64_t id;

        status = write_job(ingest, job, embeddings, &id, err);
        embeddings += job->chunks.n * ingest->how.dim;
        if (status == ERNIE_OK && id_set_add(&ingest->scan.kept, id) < 0)
            status = error_set(err, ERNIE_ENOMEM, "index: out of memory");
    }
    return status;
}

static void count_job(struct ernie_index_report *report, const struct job *job)
{
    if (job->is_moved)
        report->n_moved++;
    else if (job->same_bytes)
        report->n_unchanged++;
    else if (job->failure != NULL)
        report->n_failed++;
    else if (job->document.id != 0)
        report->n_changed++;
    else
        report->n_added++;
}

static int report_job(struct ingest *ingest, const struct job *job, ernie_error *err)
{
    const struct store_document *document = &job->document;

    if (document->container_id != 0) /* what was counted is the file it is in */
        return report_progress(ingest, document->path, job->failure, err);
    return ingest_report_file(ingest, document->path, document->size_bytes, job->failure, err);
}

/* What is committed is told of, all of it even when the first answer is to stop: so a caller
 * knows of every document that is done. */
static int report_jobs(struct ingest *ingest, const struct batch *batch, ernie_error *err)
{
    int status = ERNIE_OK;

    for (size_t i = 0; i < batch->n_jobs; i++) {
        ernie_error why;
        int told;

        count_job(ingest->report, &batch->jobs[i]);
        told = report_job(ingest, &batch->jobs[i], &why);
        if (told != ERNIE_OK && status == ERNIE_OK)
            status = error_set(err, told, "%s", why.message);
    }
    return status;
}

/* The documents of a batch share a transaction, because each costs the disk a flush: they
 * are there all or none, and each is whole. */
static int batch_write(struct batch *batch, struct ingest *ingest, ernie_error *err)
{
    struct store *store = ingest->database->store;
    int status;

    if (batch->n_jobs == 0)
        return ERNIE_OK;
    status = database_begin(ingest->database, err);
    if (status != ERNIE_OK)
        return status;
    if (ingest->database->dim != ingest->how.dim)
        /* Another process was the first to embed something, since this one began. */
        status = error_set(err, ERNIE_EMISMATCH,
                           "%s: its vectors have %zu numbers now, not %zu: index again",
                           store_path(store), ingest->database->dim, ingest->how.dim);
    if (status == ERNIE_OK)
        status = write_jobs(ingest, batch, err);
    if (status == ERNIE_OK)
        status = store_commit(store, err);
    if (status != ERNIE_OK) {
        store_rollback(store);
        return status;
    }
    return report_jobs(ingest, batch, err);
}

/* The encoder takes the batch that is full; the one it had is written meanwhile, and is
 * the next to be filled. */
static int pass_on(struct ingest *ingest, ernie_error *err)
{
    struct batch *full = ingest->filling, *done = ingest->embedding;
    int status = ERNIE_OK;

    pace_wait_begin(&ingest->pace, pace_now_s());
    if (done != NULL)
        status = wait_for_encoder(ingest, err);
    if (status == ERNIE_OK)
        status = batch_embed(full, ingest, err);
    if (status == ERNIE_OK && done != NULL)
        status = batch_write(done, ingest, err);
    ingest->filling = &ingest->batches[full == &ingest->batches[0]];
    if (status == ERNIE_OK)
        batch_reset(ingest->filling);
    pace_wait_end(&ingest->pace, pace_now_s());
    return status;
}

int ingest_add_job(struct ingest *ingest, struct job *job, ernie_error *err)
{
    struct batch *batch = ingest->filling;
    struct job *added = &batch->jobs[batch->n_jobs++];
    int status = ERNIE_OK;

    *added = *job;
    memset(job, 0, sizeof *job);
    if (added->failure == NULL && !added->same_bytes)
        status = job_finish(added, ingest, err);
    if (status == ERNIE_EFORMAT || status == ERNIE_EINVAL)
        status = job_fail(added, err->message, err);
    if (status != ERNIE_OK)
        return status;
    if (added->failure != NULL)
        job_set_failed(added);
    return batch->n_jobs == MAX_JOBS || batch->n_chunks >= ingest->n_threads * CHUNKS_PER_THREAD
               ? pass_on(ingest, err)
               : ERNIE_OK;
}

/* Embeds and writes what waits. */
static int flush(struct ingest *ingest, ernie_error *err)
{
    int status = pass_on(ingest, err);

    if (status == ERNIE_OK)
        status = wait_for_encoder(ingest, err);
    if (status == ERNIE_OK)
        status = batch_write(ingest->embedding, ingest, err);
    return status;
}

/* ---- the whole --------------------------------------------------------- */

static int ingest_init(struct ingest *ingest, struct ernie_database *database,
                       const struct ernie_index_options *options,
                       struct ernie_index_report *report, ernie_error *err)
{
    int status;

    memset(ingest, 0, sizeof *ingest);
    memset(report, 0, sizeof *report);
    ingest->database = database;
    ingest->options = options;
    ingest->report = report;
    if (!database->writable)
        return error_set(err, ERNIE_EINVAL, "%s: opened for reading only",
                         store_path(database->store));
    status = database_check_model(database, err);
    if (status != ERNIE_OK)
        return status;
    ingest->how = (struct ernie_encode_options){ .prompt = model_passage_prompt(database->model),
                                                 .dim = database->dim };
    ingest->filling = &ingest->batches[0];
    for (size_t i = 0; i < 2; i++) {
        ingest->batches[i].jobs = memory_new(MAX_JOBS, sizeof *ingest->batches[i].jobs);
        if (ingest->batches[i].jobs == NULL)
            return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    }
    ingest->head = memory_new(DOCUMENT_FORMAT_BYTES, 1);
    if (ingest->head == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    ingest->helper.may_be_unconfined = options != NULL && options->unconfined;
    status = tokenizer_scratch_new(&ingest->scratch, err);
    if (status == ERNIE_OK)
        status = ernie_encoder_new(database->model, options != NULL ? options->n_threads : 0,
                                   &ingest->encoder, err);
    if (status == ERNIE_OK)
        ingest->n_threads = ernie_encoder_n_threads(ingest->encoder);
    if (status == ERNIE_OK)
        status = embedder_new(ingest->encoder, &ingest->how,
                              ingest->n_threads * CHUNKS_PER_THREAD, &ingest->embedder, err);
    return status;
}

static void ingest_reset(struct ingest *ingest)
{
    embedder_free(ingest->embedder); /* it borrows from a batch */
    for (size_t i = 0; i < 2; i++) {
        batch_reset(&ingest->batches[i]);
        memory_free(ingest->batches[i].jobs);
    }
    tokenizer_scratch_free(ingest->scratch);
    helper_reset(&ingest->helper);
    memory_free(ingest->head);
    ernie_encoder_free(ingest->encoder);
    scan_reset(&ingest->scan);
    pace_reset(&ingest->pace);
}

static int embed_files(struct ingest *ingest, ernie_error *err)
{
    int status = pace_plan(&ingest->pace, ingest->scan.n_files, scan_glance, &ingest->scan,
                           pace_now_s(), err);
    size_t i;

    ingest->now.stage = ERNIE_STAGE_EMBED;
    while (status == ERNIE_OK && pace_next(&ingest->pace, pace_now_s(), &i)) {
        struct scan_file file;

        status = scan_file(&ingest->scan, i, &file, err);
        if (status == ERNIE_OK)
            status = ingest_take_file(ingest, &file, err);
    }
    return status == ERNIE_OK ? flush(ingest, err) : status;
}

int ingest(struct ernie_database *database, const struct scan_request *request,
           const struct ernie_index_options *options, struct ernie_index_report *report,
           ernie_error *err)
{
    struct ingest ingest;
    int status = ingest_init(&ingest, database, options, report, err);

    if (status == ERNIE_OK)
        status = scan(database->store, request, report_scan, &ingest, report, &ingest.scan, err);
    if (status == ERNIE_OK)
        status = embed_files(&ingest, err);
    if (status == ERNIE_OK)
        status = scan_remove_gone(&ingest.scan, database->store, report, err);
    if (status == ERNIE_OK) {
        ingest.now.stage = ERNIE_STAGE_INDEX;
        status = report_progress(&ingest, NULL, NULL, err);
    }
    if (status == ERNIE_OK)
        status = nearest_save(&database->nearest, 0, ingest.n_threads, NULL, err);
    ingest_reset(&ingest);
    return status;
}

int ernie_index(ernie_database *database, size_t n_paths, const char *const *paths,
                const struct ernie_index_options *options, struct ernie_index_report *report,
                ernie_error *err)
{
    struct scan_request request = { .n_paths = n_paths, .paths = paths };
    struct ernie_index_report own_report;
    ernie_error own_error;

    if (options != NULL) {
        request.prune = options->prune;
        request.images = options->ocr;
        request.walk.n_excludes = options->n_excludes;
        request.walk.excludes = options->excludes;
        request.walk.hidden = options->hidden;
    }
    return ingest(database, &request, options, report != NULL ? report : &own_report,
                  err != NULL ? err : &own_error);
}

/* Of title and text: a new title alone makes a new document too. */
static int hash_text(const char *title, const char *text, struct hash *out, ernie_error *err)
{
    struct hasher *hasher = hasher_new();

    if (hasher == NULL)
        return error_set(err, ERNIE_ENOMEM, "text: out of memory");
    hasher_add(hasher, title != NULL ? title : "", title != NULL ? strlen(title) : 0);
    hasher_add(hasher, text, strlen(text));
    *out = hasher_result(hasher);
    hasher_free(hasher);
    return ERNIE_OK;
}

/* The caller's text as an extract. It is UTF-8 by contract, so nothing is guessed
 * about its encoding: what is not, is replaced first. */
static int extract_given_text(struct job *job, const char *title, const char *text, size_t size,
                              ernie_error *err)
{
    struct buffer clean = { 0 };
    int status;

    utf8_append_clean(&clean, text, size);
    if (title != NULL)
        utf8_append_clean(&job->extract.title, title, strlen(title));
    if (clean.failed || job->extract.title.failed)
        status = error_set(err, ERNIE_ENOMEM, "text: out of memory");
    else
        status = extract("text.txt", (const uint8_t *)(clean.data != NULL ? clean.data : ""),
                         clean.size, &job->extract, err);
    buffer_reset(&clean);
    return status;
}

int ernie_add_text(ernie_database *database, const char *name, const char *title,
                   const char *text, ernie_error *err)
{
    struct ernie_index_report report;
    ernie_error own_error;
    struct ingest ingest;
    struct job *job;
    struct hash hash;
    size_t size;
    int status;

    err = err != NULL ? err : &own_error;
    if (name == NULL || name[0] == '\0' || text == NULL)
        return error_set(err, ERNIE_EINVAL, "text: no %s given", text == NULL ? "text" : "name");
    status = ingest_init(&ingest, database, NULL, &report, err);
    if (status != ERNIE_OK)
        goto done;
    job = &ingest.filling->jobs[ingest.filling->n_jobs++];
    size = strlen(text);
    status = hash_text(title, text, &hash, err);
    if (status != ERNIE_OK)
        goto done;
    job->document.path = name;
    job->document.root_id = STORE_NO_ROOT;
    job->document.extractor_version = DOCUMENT_VERSION;
    job->document.size_bytes = size;
    job->document.checked_ns = ingest_now_ns();
    memcpy(job->document.hash, hash.bytes, sizeof job->document.hash);
    status = ingest_look_up(&ingest, job, err);
    if (status == ERNIE_OK && !job->same_bytes)
        status = extract_given_text(job, title, text, size, err);
    if (status == ERNIE_OK && !job->same_bytes)
        status = job_finish(job, &ingest, err);
    if (status == ERNIE_OK)
        status = flush(&ingest, err);
    if (status == ERNIE_OK)
        status = nearest_save(&database->nearest, 0, 1, NULL, err);
done:
    ingest_reset(&ingest);
    return status;
}

int ernie_remove(ernie_database *database, const char *name, size_t *n_removed, ernie_error *err)
{
    struct store *store = database->store;
    struct store_document document;
    struct store_root *roots = NULL;
    const struct store_root *root = NULL;
    const char *below;
    int64_t *ids = NULL;
    size_t n = 0, n_roots = 0;
    int found, status;

    if (name == NULL || name[0] == '\0')
        return error_set(err, ERNIE_EINVAL, "remove: no name given");
    if (!database->writable)
        return error_set(err, ERNIE_EINVAL, "%s: opened for reading only", store_path(store));
    status = store_begin(store, err);
    if (status != ERNIE_OK)
        return status;
    status = store_document_find(store, STORE_NO_ROOT, name, &document, &found, err);
    if (status == ERNIE_OK && found) {
        status = store_document_delete(store, document.id, err);
        n = 1;
        goto done;
    }
    if (status == ERNIE_OK)
        status = store_roots(store, &roots, &n_roots, err);
    if (status == ERNIE_OK)
        root = scan_find_root(roots, n_roots, name, &below);
    if (root != NULL)
        status = store_document_ids(store, root->id, below, &ids, &n, err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        status = store_document_delete(store, ids[i], err);
    if (status == ERNIE_OK && n == 0)
        status = error_set(err, ERNIE_ENOTFOUND, "%s: not indexed", name);
done:
    if (status == ERNIE_OK)
        status = store_commit(store, err);
    if (status != ERNIE_OK)
        store_rollback(store);
    else if (n_removed != NULL)
        *n_removed = n;
    store_roots_free(roots, n_roots);
    memory_free(ids);
    return status;
}
