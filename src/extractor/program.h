/* What the helper programs have in common. One run reads one file: it comes as descriptor 0,
 * what it holds goes out as messages (document/wire.h) on descriptor 1, and before the first
 * byte is looked at the program has confined itself (jail.h). The format is the argument;
 * the file's name, which ends in what a compressed file has within, is $ERNIE_EXTRACT_NAME:
 * the environment of a process is its owner's to see, its arguments are everybody's. */
#ifndef ERNIE_EXTRACTOR_PROGRAM_H
#define ERNIE_EXTRACTOR_PROGRAM_H

#include "extractor/formats.h"

typedef int (*format_fn)(struct writer *writer, const uint8_t *bytes, size_t size,
                         ernie_error *err);

/* name: of the file or of the member that the container is. */
typedef int (*container_fn)(struct writer *writer, const char *name, const uint8_t *bytes,
                            size_t size, member_fn fn, void *data, ernie_error *err);

struct program {
    /* By format; NULL for those that another program reads: as members their bytes are
     * handed back. */
    format_fn formats[DOCUMENT_N_FORMATS];
    container_fn containers[DOCUMENT_N_FORMATS];
    /* What has to be read from files of the system, or found out, while the program may. */
    void (*prepare)(void);
    const char *const *readable; /* [n_readable], folders whose files may be read later on */
    size_t n_readable;
};

/* main() of such a program; what it returns is the exit status. */
int program_run(const struct program *program, int argc, char **argv);

#endif
