/* Where the threads of one short piece of work wait for each other, some microseconds
 * at a time: by looking again and again, which is faster than sleeping and waking. */
#ifndef ERNIE_BASE_BARRIER_H
#define ERNIE_BASE_BARRIER_H

#include <stdatomic.h>
#include <stddef.h>

struct barrier {
    size_t n_threads;
    atomic_size_t n_waiting, round;
};

void barrier_init(struct barrier *barrier, size_t n_threads);

/* Returns when n_threads threads have called it. NULL: there is nobody to wait for. */
void barrier_wait(struct barrier *barrier);

#endif
