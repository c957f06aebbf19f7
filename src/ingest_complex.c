/* Files that helper programs read: one may be several documents, an archive or a mail and what
 * is in it. */
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "ingest_parts.h"

/* One that is being read, and what of it is known so far. */
struct complex_file {
    struct ingest *ingest;
    struct job *job; /* of the file itself */
    int64_t row_id; /* of the file's row; 0: not there yet */
};

/* The documents in a container have its row's id in theirs. Until they are all written the
 * row has times that no file has: when this run is cut short, the next one reads the file
 * again, and finds what is there already. */
static int make_container(struct complex_file *complex, ernie_error *err)
{
    struct store *store = complex->ingest->database->store;
    const struct store_document container = { .root_id = complex->job->document.root_id,
                                              .path = complex->job->document.path,
                                              .title = "",
                                              .format = complex->job->document.format,
                                              .encoding = "" };
    int status;

    if (complex->row_id != 0)
        return ERNIE_OK;
    status = database_begin(complex->ingest->database, err);
    if (status != ERNIE_OK)
        return status;
    status = store_document_put(store, &container, &complex->row_id, err);
    if (status == ERNIE_OK)
        status = store_commit(store, err);
    if (status != ERNIE_OK)
        store_rollback(store);
    return status;
}

static void hash_buffer(struct hasher *hasher, const struct buffer *buffer)
{
    hasher_add(hasher, buffer->data != NULL ? buffer->data : "", buffer->size);
}

/* What tells a member's content from that of another time. */
static int hash_member(const struct helper_document *member, struct store_document *out,
                       ernie_error *err)
{
    struct hasher *hasher = hasher_new();
    struct hash hash;

    if (hasher == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    if (member->extract != NULL) {
        hash_buffer(hasher, &member->extract->text);
        hash_buffer(hasher, &member->extract->title);
        hash_buffer(hasher, &member->extract->author);
        hash_buffer(hasher, &member->extract->headings);
        hasher_add(hasher, member->extract->language, strlen(member->extract->language));
        hasher_add(hasher, member->extract->date, strlen(member->extract->date));
    } else {
        hasher_add(hasher, member->failure, strlen(member->failure));
    }
    hash = hasher_result(hasher);
    hasher_free(hasher);
    memcpy(out->hash, hash.bytes, sizeof out->hash);
    return ERNIE_OK;
}

/* What a helper program gave, into the job. Its strings are set when it has its place. */
static int job_take(struct job *job, const struct helper_document *document, ernie_error *err)
{
    struct buffer why = { 0 };

    if (document->extract != NULL) {
        job->extract = *document->extract;
        memset(document->extract, 0, sizeof *document->extract);
        return ERNIE_OK;
    }
    buffer_append_text(&why, job->document.path);
    buffer_append_text(&why, ": ");
    buffer_append_text(&why, document->failure);
    job->failure = buffer_take(&why);
    return job->failure != NULL ? ERNIE_OK : error_set(err, ERNIE_ENOMEM, "index: out of memory");
}

static int take_member(struct complex_file *complex, const struct helper_document *member,
                       ernie_error *err)
{
    struct job job = { .document = complex->job->document };
    int status = make_container(complex, err);

    if (status != ERNIE_OK)
        return status;
    job.path = path_join(complex->job->document.path, member->name);
    if (job.path == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    job.document.path = job.path;
    job.document.container_id = complex->row_id;
    job.document.format = NULL; /* its own is yet to be known */
    job.document.size_bytes = member->size_bytes;
    status = hash_member(member, &job.document, err);
    if (status == ERNIE_OK)
        status = ingest_look_up(complex->ingest, &job, err);
    if (status == ERNIE_OK && !job.same_bytes)
        status = job_take(&job, member, err);
    if (status == ERNIE_OK)
        status = ingest_add_job(complex->ingest, &job, err);
    job_reset(&job);
    return status;
}

static int take_document(void *data, const struct helper_document *document, ernie_error *err)
{
    struct complex_file *complex = data;

    if (document->name[0] != '\0')
        return take_member(complex, document, err);
    return job_take(complex->job, document, err);
}

/* A file that nothing here can read, for a reason that is this machine's: what was indexed
 * of it stays. Said once, since it is true of many files. */
static int leave_out(struct ingest *ingest, const struct scan_file *scanned, const struct job *job,
                     enum document_format format, const char *why, ernie_error *err)
{
    const unsigned bit = 1u << format;
    const int is_told = (ingest->told_missing & bit) != 0;
    struct buffer words = { 0 };
    int status = ingest_keep_below(ingest, &job->document, err);

    ingest->told_missing |= bit;
    ingest->report->n_skipped++;
    buffer_append_text(&words, scanned->path);
    buffer_printf(&words, ": left out, and others like it: %s", why);
    if (words.failed)
        status = error_set(err, ERNIE_ENOMEM, "index: out of memory");
    if (status == ERNIE_OK)
        status = ingest_report_file(ingest, scanned->path, scanned->size_bytes,
                                    is_told ? NULL : words.data, err);
    buffer_reset(&words);
    return status;
}

int ingest_take_complex(struct ingest *ingest, const struct scan_file *scanned, struct job *job,
                        int fd, enum document_format format, ernie_error *err)
{
    struct complex_file complex = { .ingest = ingest, .job = job };
    ernie_error why;
    int status;

    job->document.format = document_format_name(format);
    if (job->same_bytes) {
        status = ingest_keep_below(ingest, &job->document, err);
        return status == ERNIE_OK ? ingest_add_job(ingest, job, err) : status;
    }
    status = helper_extract(&ingest->helper, fd, scanned->path, format, take_document, &complex,
                            &why);
    if (status == ERNIE_ENOTFOUND)
        return leave_out(ingest, scanned, job, format, why.message, err);
    if (status != ERNIE_OK)
        return error_set(err, status, "%s", why.message);
    return ingest_add_job(ingest, job, err);
}
