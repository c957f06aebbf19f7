/* A file on its way to a document: opened, told what it is, hashed, compared with what is
 * stored of it, and read when that is new. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/system.h"
#include "cut.h"
#include "ingest_parts.h"

/* A text larger than this is a log or a dump; it would fill the collection. */
#define MAX_FILE_BYTES (64u << 20)

/* ---- the file ---------------------------------------------------------- */

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t ingest_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return nanoseconds(now);
}

/* The first bytes of a file, from a descriptor that stays where it is. */
static int read_head(int fd, const char *path, uint8_t *head, size_t *size, ernie_error *err)
{
    *size = 0;
    while (*size < DOCUMENT_FORMAT_BYTES) {
        ssize_t n = system_table.pread(fd, head + *size, DOCUMENT_FORMAT_BYTES - *size,
                                       (off_t)*size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_system(err, errno, path);
        if (n == 0)
            break;
        *size += (size_t)n;
    }
    return ERNIE_OK;
}

/* The hash of a file that is too large to hold; it stays where it is. buffer
 * [DOCUMENT_FORMAT_BYTES]. */
static int hash_file(int fd, const char *path, uint64_t size_bytes, uint8_t *buffer,
                     struct hash *out, ernie_error *err)
{
    struct hasher *hasher = hasher_new();
    uint64_t offset = 0;
    int status = ERNIE_OK;

    if (hasher == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    hasher_begin(hasher, (size_t)size_bytes);
    while (offset < size_bytes) {
        ssize_t n = system_table.pread(fd, buffer, DOCUMENT_FORMAT_BYTES, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = error_set_system(err, errno, path);
        if (n <= 0)
            break;
        hasher_continue(hasher, buffer, (size_t)n);
        offset += (uint64_t)n;
    }
    *out = hasher_result(hasher);
    hasher_free(hasher);
    return status;
}

/* A file that was opened: its bytes, unless another program reads them. */
struct opened {
    int fd; /* or -1 */
    enum document_format format;
    struct file file;
};

static void opened_reset(struct opened *opened)
{
    if (opened->fd >= 0)
        system_table.close(opened->fd);
    file_reset(&opened->file);
}

/* Opens the file, finds out what it is and reads or hashes it. Size and times come from the
 * descriptor, before its bytes: a change in between shows at the next look. */
static int open_file(struct ingest *ingest, const struct scan_file *scanned,
                     struct store_document *document, struct opened *out, ernie_error *err)
{
    struct hash hash;
    struct stat st;
    size_t head_size;
    int status;

    document->checked_ns = ingest_now_ns();
    out->fd = walk_open(scanned->place->root, scanned->path, err);
    if (out->fd < 0)
        return err->code;
    if (system_table.fstat(out->fd, &st) != 0)
        return error_set_system(err, errno, scanned->path);
    document->size_bytes = (uint64_t)st.st_size;
    document->mtime_ns = nanoseconds(st.st_mtim);
    document->ctime_ns = nanoseconds(st.st_ctim);
    status = read_head(out->fd, scanned->path, ingest->head, &head_size, err);
    if (status != ERNIE_OK)
        return status;
    out->format = document_format(scanned->path, ingest->head, head_size);
    if (out->format == DOCUMENT_IMAGE && (ingest->options == NULL || !ingest->options->ocr))
        out->format = DOCUMENT_UNKNOWN; /* whatever it is called */
    if (out->format == DOCUMENT_UNKNOWN)
        return ERNIE_OK;
    if (!document_format_is_complex(out->format)) {
        status = file_read_fd(out->fd, scanned->path, MAX_FILE_BYTES, &out->file, err);
        if (status != ERNIE_OK)
            return status;
        hash = hash_of(out->file.data, out->file.size);
    } else if (document->size_bytes > HELPER_MAX_FILE_BYTES) {
        return error_set(err, ERNIE_EINVAL, "%s: larger than %d MiB", scanned->path,
                         (int)(HELPER_MAX_FILE_BYTES >> 20));
    } else {
        status = hash_file(out->fd, scanned->path, document->size_bytes, ingest->head, &hash,
                           err);
        if (status != ERNIE_OK)
            return status;
    }
    memcpy(document->hash, hash.bytes, sizeof document->hash);
    return ERNIE_OK;
}

/* ---- the document ------------------------------------------------------ */

int ingest_look_up(struct ingest *ingest, struct job *job, ernie_error *err)
{
    struct store_document known;
    int found, status;

    status = store_document_find(ingest->database->store, job->document.root_id,
                                 job->document.path, &known, &found, err);
    if (status != ERNIE_OK)
        return status;
    job->document.id = found ? known.id : 0;
    job->same_bytes = found && known.extractor_version >= job->document.extractor_version &&
                      memcmp(known.hash, job->document.hash, sizeof known.hash) == 0;
    return ERNIE_OK;
}

int ingest_keep_below(struct ingest *ingest, const struct store_document *document,
                      ernie_error *err)
{
    int64_t *ids;
    size_t n;
    int status = store_document_ids(ingest->database->store, document->root_id, document->path,
                                    &ids, &n, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        if (id_set_add(&ingest->scan.kept, ids[i]) < 0)
            status = error_set(err, ERNIE_ENOMEM, "index: out of memory");
    memory_free(ids);
    return status;
}

static int job_extract(struct job *job, const uint8_t *bytes, size_t size, ernie_error *err)
{
    int status = extract(job->document.path, bytes, size, &job->extract, err);

    if (status == ERNIE_EFORMAT || status == ERNIE_EINVAL)
        return job_fail(job, err->message, err);
    return status;
}

/* Bytes that this process takes apart itself. */
static int take_text(struct ingest *ingest, struct job *job, const struct file *file,
                     ernie_error *err)
{
    int status = ERNIE_OK;

    if (!job->same_bytes)
        status = job_extract(job, file->data, file->size, err);
    return status == ERNIE_OK ? ingest_add_job(ingest, job, err) : status;
}

/* A file of a new name may be a document of before. */
static int find_moved(struct ingest *ingest, const struct scan_file *scanned, struct job *job,
                      ernie_error *err)
{
    int status = scan_find_moved(&ingest->scan, ingest->database->store, scanned,
                                 job->document.hash, &job->document.id, err);

    job->is_moved = job->same_bytes = status == ERNIE_OK && job->document.id != 0;
    return status;
}

int ingest_take_file(struct ingest *ingest, const struct scan_file *scanned, ernie_error *err)
{
    struct opened opened = { .fd = -1 };
    struct job job = { 0 };
    ernie_error why;
    const char *failure = NULL;
    int status, open_status;

    job.path = scanned->path;
    job.document.root_id = scanned->place->root_id;
    job.document.path = job.path;
    job.document.extractor_version = DOCUMENT_VERSION;
    open_status = open_file(ingest, scanned, &job.document, &opened, &why);
    status = ingest_look_up(ingest, &job, err);
    if (status != ERNIE_OK)
        goto done;

    switch (open_status) {
    case ERNIE_OK:
        if (opened.format == DOCUMENT_UNKNOWN) {
            ingest->report->n_skipped++;
            break;
        }
        if (job.document.id == 0)
            status = find_moved(ingest, scanned, &job, err);
        if (status == ERNIE_OK)
            status = document_format_is_complex(opened.format)
                         ? ingest_take_complex(ingest, scanned, &job, opened.fd, opened.format, err)
                         : take_text(ingest, &job, &opened.file, err);
        goto done;
    case ERNIE_ENOTFOUND: /* deleted since the scan; nothing keeps its rows */
        break;
    case ERNIE_EINVAL: /* too large: so it stays until it changes. No hash either time, so
                        * what is the same is known to be too large */
        status = job_fail(&job, why.message, err);
        if (status == ERNIE_OK)
            status = ingest_add_job(ingest, &job, err);
        goto done;
    case ERNIE_ENOMEM:
        status = error_set(err, ERNIE_ENOMEM, "%s", why.message);
        goto done;
    default: /* not readable at present: what was indexed of it stays */
        ingest->report->n_failed++;
        failure = why.message;
        status = ingest_keep_below(ingest, &job.document, err);
    }
    if (status == ERNIE_OK)
        status = ingest_report_file(ingest, scanned->path, scanned->size_bytes, failure, err);
done:
    opened_reset(&opened);
    job_reset(&job);
    return status;
}
