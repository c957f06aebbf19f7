/* Complex formats, read by helper programs. Each file is read by a process of its own, which
 * can do nothing but compute (extractor/jail.h); what becomes of it is a row's reason and
 * no more. What it says is checked (document/wire.h). */
#ifndef ERNIE_DOCUMENT_HELPER_H
#define ERNIE_DOCUMENT_HELPER_H

#include <stddef.h>
#include <stdint.h>

#include "document/extract.h"

/* A file larger than this is not read. */
#define HELPER_MAX_FILE_BYTES ((uint64_t)1 << 30)

struct helper {
    char *folder;        /* where the programs are; NULL: not looked for yet */
    int may_be_unconfined; /* files are read also where the system has no jail for it */
    unsigned timeout_ms; /* for a file, not counting the time that the caller takes; 0: 30 s */
};

void helper_reset(struct helper *helper);

/* Called for the file itself (name "") and for each document in it; name is what stands
 * behind the file's path, "a/b.txt". extract is the callee's to empty and keep, or NULL, and
 * failure says in one line why there is none. The file itself comes last, in one call or
 * none. Anything but ERNIE_OK ends the reading and is what helper_extract returns. */
struct helper_document {
    const char *name;
    uint64_t size_bytes;
    struct extract *extract;
    const char *failure;
};
typedef int (*helper_fn)(void *data, const struct helper_document *document, ernie_error *err);

/* Reads a regular file from its descriptor, which stays open and where it was. Whatever is
 * wrong with the file is told to fn. ERNIE_ENOTFOUND: the file was not read because the
 * program is missing or this system cannot confine it; err says which, and fn was not
 * called. */
int helper_extract(struct helper *helper, int fd, const char *name, enum document_format format,
                   helper_fn fn, void *data, ernie_error *err);

#endif
