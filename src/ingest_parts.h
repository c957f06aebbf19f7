/* What indexing is made of: for ingest.c, which embeds and writes documents and has the whole,
 * ingest_file.c, which makes documents of files, and ingest_complex.c, which does of those that
 * helper programs read. */
#ifndef ERNIE_INGEST_PARTS_H
#define ERNIE_INGEST_PARTS_H

#include "base/buffer.h"
#include "database.h"
#include "document/chunk.h"
#include "document/extract.h"
#include "document/format.h"
#include "document/helper.h"
#include "embedder.h"
#include "encode.h"
#include "ernie.h"
#include "pace.h"
#include "scan.h"
#include "sql/store.h"

/* Documents of a batch at most. */
#define MAX_JOBS 256

/* One document between its file and its rows. */
struct job {
    struct store_document document; /* its strings are those of the job */
    struct extract extract;
    struct chunk_list chunks;
    char *path; /* that document has, when it is a file's or a member's */
    char *failure;
    int same_bytes; /* as the store has: only the times are new */
    int is_moved;   /* and document.id is that of a file that had another name */
};

/* Documents that are embedded together. */
struct batch {
    struct job *jobs; /* [MAX_JOBS] */
    size_t n_jobs, n_chunks, n_tokens;
    struct buffer passages; /* what is embedded of the chunks, one after another */
    const char **texts; /* [n_chunks], with sizes and embeddings once the encoder has it */
    size_t *sizes;
    float *embeddings; /* [n_chunks][dim] */
};

struct ingest {
    struct ernie_database *database;
    const struct ernie_index_options *options;
    struct ernie_index_report *report;
    struct ernie_progress now;
    struct pace pace;
    struct scan scan;
    ernie_encoder *encoder;
    struct ernie_encode_options how; /* to embed: the passage prompt, the numbers kept */
    size_t n_threads;
    struct embedder *embedder;
    struct tokenizer_scratch *scratch;
    struct helper helper;  /* for complex formats */
    unsigned told_missing; /* a bit for each format that nothing reads, once that was said */
    uint8_t *head;         /* [DOCUMENT_FORMAT_BYTES], of the file at hand */
    struct batch batches[2];
    struct batch *filling;   /* the one that files become jobs of */
    struct batch *embedding; /* the one that the encoder has, or NULL */
};

/* ---- ingest.c ---- */

void job_reset(struct job *job);
/* A document whose file cannot become text has a row that says why, so that it is not tried
 * again until the file changes. */
int job_fail(struct job *job, const char *why, ernie_error *err);

/* Gives the job to the batch that is being filled, and that to the encoder when it is
 * full. The caller's is empty then. */
int ingest_add_job(struct ingest *ingest, struct job *job, ernie_error *err);
/* A file is done, whatever became of it. */
int ingest_report_file(struct ingest *ingest, const char *path, uint64_t size_bytes,
                       const char *failure, ernie_error *err);

/* ---- ingest_file.c ---- */

/* Makes the file, whose path it takes over, and the documents in it, jobs. One that becomes
 * none (gone, nothing that can be read, not readable now) is reported as done. */
int ingest_take_file(struct ingest *ingest, const struct scan_file *scanned, ernie_error *err);
/* Notes in the job which row its document has now, if any (the id, else 0), and whether that
 * row is of the same bytes, read as they would be now. */
int ingest_look_up(struct ingest *ingest, struct job *job, ernie_error *err);
/* Documents of a path and below it stay as they are. */
int ingest_keep_below(struct ingest *ingest, const struct store_document *document,
                      ernie_error *err);
int64_t ingest_now_ns(void); /* since 1970 */

/* ---- ingest_complex.c ---- */

/* A complex file and what is in it, each as a job; the file itself last, so that its row is
 * right only when those of its members are. */
int ingest_take_complex(struct ingest *ingest, const struct scan_file *scanned, struct job *job,
                        int fd, enum document_format format, ernie_error *err);

#endif
