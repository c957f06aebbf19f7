/* A pool of threads that share the tasks of one call. The calling thread works
 * too, so a pool of one thread has no other. */
#ifndef ERNIE_BASE_POOL_H
#define ERNIE_BASE_POOL_H

#include <stddef.h>

#include "base/error.h"

struct pool;

/* n_threads counts the caller; 0 means what $ERNIE_THREADS says (ERNIE_EINVAL when that is
 * no number), else one a core. Threads that cannot be started are
 * done without: pool_n_threads tells how many there are. A process forked off later has
 * none but the caller. */
int pool_new(size_t n_threads, struct pool **out, ernie_error *err);
void pool_free(struct pool *pool);
size_t pool_n_threads(const struct pool *pool);

/* Runs task(data, lane) once on each thread, lane being 0 .. n_threads - 1 (0 is
 * the caller), and returns when all have returned. Tasks that share work take it
 * from an atomic counter in data. */
void pool_run(struct pool *pool, void (*task)(void *data, size_t lane), void *data);

#endif
