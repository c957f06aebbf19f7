/* Reads every file of a folder as the indexer does and says what became of each:
 *
 *     hostile_files FOLDER TIMEOUT_MS N_PROCESSES
 *
 * Fails when one is neither read nor refused, when reading it takes longer than it may, when
 * a reader had more memory than it may, or when what was given is not as promised. The files
 * are shared by so many processes. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "document/helper.h"
#include "document/wire.h"

/* What the readers may have, and what this process may take for a text of 64 MiB. */
#define MAX_READER_KIB (1200L << 10)
#define MAX_OWN_KIB    (1200L << 10)

struct result {
    size_t n_documents, n_failures, n_bytes;
    char reason[512];
    const char *broken; /* what was promised and is not so */
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void check_text(const struct extract *extract, struct result *result)
{
    const struct buffer *text = &extract->text;

    if (text->size > 0 && (memchr(text->data, 0, text->size) != NULL ||
                           !utf8_valid(text->data, text->size)))
        result->broken = "text that is not UTF-8";
    if (text->size > WIRE_MAX_TEXT_BYTES)
        result->broken = "too much text";
    result->n_bytes += text->size;
}

static int note(void *data, const struct helper_document *document, ernie_error *err)
{
    struct result *result = data;

    (void)err;
    result->n_documents++;
    if (document->name[0] != '\0' && !wire_name_is_clean(document->name, strlen(document->name)))
        result->broken = "a name that is no path";
    if (document->extract != NULL) {
        check_text(document->extract, result);
    } else {
        result->n_failures++;
        snprintf(result->reason, sizeof result->reason, "%s", document->failure);
    }
    return ERNIE_OK;
}

/* What this process reads itself is text; it takes its time in the same way. */
static int read_plain(int fd, const char *name, struct result *result, ernie_error *err)
{
    struct extract extract_ = { 0 };
    struct file file = { 0 };
    int status = file_read_fd(fd, name, 64 << 20, &file, err);

    if (status == ERNIE_OK)
        status = extract(name, file.data, file.size, &extract_, err);
    if (status == ERNIE_OK)
        check_text(&extract_, result);
    else
        snprintf(result->reason, sizeof result->reason, "%s", err->message);
    extract_reset(&extract_);
    file_reset(&file);
    return status == ERNIE_EFORMAT || status == ERNIE_EINVAL ? ERNIE_OK : status;
}

static int read_hostile(struct helper *helper, int fd, const char *name, struct result *result,
                        ernie_error *err)
{
    static uint8_t head[DOCUMENT_FORMAT_BYTES];
    const ssize_t size = pread(fd, head, sizeof head, 0);
    enum document_format format;

    if (size < 0)
        return error_set(err, ERNIE_EIO, "cannot be read");
    format = document_format(name, head, (size_t)size);
    if (format == DOCUMENT_UNKNOWN || (!document_name_is_promising(name) && !document_name_is_image(name))) {
        strcpy(result->reason, "left out");
        return ERNIE_OK;
    }
    if (!document_format_is_complex(format))
        return read_plain(fd, name, result, err);
    return helper_extract(helper, fd, name, format, note, result, err);
}

/* Gives whether all was well. */
static int look_at(struct helper *helper, const char *folder, const char *name)
{
    struct result result = { 0 };
    char *path = path_join(folder, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const double started = seconds();
    ernie_error err;
    int status = read_hostile(helper, fd, name, &result, &err);
    const double took = seconds() - started;
    struct rusage readers, own;

    close(fd);
    memory_free(path);
    getrusage(RUSAGE_CHILDREN, &readers);
    getrusage(RUSAGE_SELF, &own);
    if (status == ERNIE_ENOTFOUND) {
        snprintf(result.reason, sizeof result.reason, "%s", err.message);
        /* A machine that cannot confine proves nothing. */
        if (strstr(err.message, "seccomp") != NULL || strstr(err.message, "limit") != NULL)
            result.broken = "not confined";
    } else if (status != ERNIE_OK) {
        result.broken = err.message;
    }
    if (took > helper->timeout_ms / 1000.0 + 5)
        result.broken = "it takes too long";
#ifndef __SANITIZE_ADDRESS__
    if (readers.ru_maxrss > MAX_READER_KIB)
        result.broken = "its reader had too much memory";
    if (own.ru_maxrss > MAX_OWN_KIB)
        result.broken = "it took too much memory here";
#endif
    printf("%-28s %7.3f s %9zu bytes of %4zu documents, %zu failed %s%s%s%s\n", name, took,
           result.n_bytes, result.n_documents, result.n_failures,
           result.reason[0] != '\0' ? ": " : "", result.reason,
           result.broken != NULL ? "  BROKEN: " : "", result.broken != NULL ? result.broken : "");
    fflush(stdout);
    return result.broken == NULL;
}

/* The files whose number leaves this remainder. */
static int look_at_share(const char *folder, unsigned timeout_ms, size_t share, size_t n_shares)
{
    const char *builddir = getenv("builddir");
    struct helper helper = { .timeout_ms = timeout_ms };
    struct dirent **entries;
    const int n = scandir(folder, &entries, NULL, alphasort);
    int good = n > 0;

    builddir = builddir != NULL ? builddir : ".";
    helper.folder = memory_copy_text(builddir, strlen(builddir));
    for (int i = 0; i < n; i++)
        if (entries[i]->d_name[0] != '.' && (size_t)i % n_shares == share)
            good &= look_at(&helper, folder, entries[i]->d_name);
    return good;
}

int main(int argc, char **argv)
{
    size_t n_shares;
    int good = 1, status;

    if (argc != 4) {
        fprintf(stderr, "usage: hostile_files FOLDER TIMEOUT_MS N_PROCESSES\n");
        return 2;
    }
    n_shares = (size_t)atoi(argv[3]);
    for (size_t i = 0; i < n_shares; i++) {
        const pid_t pid = fork();

        if (pid == 0)
            _exit(!look_at_share(argv[1], (unsigned)atoi(argv[2]), i, n_shares));
        good &= pid > 0;
    }
    while (wait(&status) > 0)
        good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return !good;
}
