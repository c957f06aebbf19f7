/* Confines the process that calls it, for good: from then on it can compute, read the files
 * it has open and write to those, and nothing else. No file is opened but for reading below
 * the folders it names, nothing is run, no process made, no socket; memory, processor time
 * and what it writes have limits. To be entered before the first byte of a file that
 * somebody else wrote.
 *
 * Two mechanisms do it, each of which would be enough for most: a filter of system calls
 * (seccomp, since Linux 3.17), which lists what may be called and ends the process for
 * anything else, and Landlock (since 5.13), by which the kernel refuses files and networks
 * whatever the call. Where there is no Landlock, no folder can be named and nothing at all
 * is opened. */
#ifndef ERNIE_EXTRACTOR_JAIL_H
#define ERNIE_EXTRACTOR_JAIL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct jail {
    const char *const *readable; /* [n_readable], folders to read files below; may be missing */
    size_t n_readable;
    uint64_t memory_bytes;  /* addresses in use */
    unsigned processor_s;   /* of processor time */
};

/* Closes every descriptor past 2 and confines the process. ERNIE_ENOTFOUND: this kernel or
 * machine has no filter of system calls, so the process can do most of what it could before. */
int jail_enter(const struct jail *jail, ernie_error *err);

#endif
