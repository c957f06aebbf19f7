/* One index of each collection in a process, whatever number of connections asks it: found
 * by a key, and kept as long as somebody uses it. It holds what is committed and nothing
 * else. What this process shares lives here, in one list under one lock. */
#ifndef ERNIE_INDEX_REGISTRY_H
#define ERNIE_INDEX_REGISTRY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "index/index.h"
#include "index/index_file.h"

/* States of the log that a shared index went through: its first, and the last ones. */
#define N_MARKS 64

struct log_state {
    uint64_t seq, mark;
};

struct shared_index {
    /* The registry's own. */
    char *key; /* NULL: used by one connection alone */
    size_t n_users;
    struct shared_index *next;

    /* Held while rows are read to be added, or a file is, which may take long; taken before
     * the other. */
    pthread_mutex_t growing;
    /* Held shortly, for what follows. */
    pthread_mutex_t mutex;
    struct index *index; /* NULL before anybody looked */
    struct index_stamp stamp;
    struct log_state marks[N_MARKS];
    size_t n_marks; /* noted so far */
    size_t n_saved; /* vectors in the file, as far as this process knows */
    int is_busy;    /* a new one is being built, or it is being saved */
    int has_thread; /* thread was started, and is to be joined */
    pthread_t thread;
    atomic_int cancel; /* asks the thread to stop */
};

/* The shared index of this key, made when there is none; or one of its own for NULL. */
int registry_acquire(const char *key, struct shared_index **out, ernie_error *err);
/* With the last use, the thread is asked to stop and waited for, and all is freed. NULL is
 * fine. */
void registry_release(struct shared_index *shared);

/* The index as it is now, used (index_release), and its stamp; NULL when there is none. */
struct index *shared_index_get(struct shared_index *shared, struct index_stamp *stamp);
/* Puts an index, whose use it takes over, in place of the one there is. Before its stamp's
 * state it went through some others [n_earlier], which are asked for by those who see the
 * rows as they were then. */
void shared_index_put(struct shared_index *shared, struct index *index,
                      const struct index_stamp *stamp, size_t n_earlier,
                      const struct log_state *earlier);
/* How many of its vectors are in the file, as far as this process knows. */
size_t shared_index_saved(struct shared_index *shared);
void shared_index_set_saved(struct shared_index *shared, size_t n);
/* The index was added to: it is up to seq and mark now. */
void shared_index_grown(struct shared_index *shared, uint64_t seq, uint64_t mark);
/* The greatest state noted of index, of seq at most; 0 when none is, or another index was
 * put in its place. */
int shared_index_mark(struct shared_index *shared, const struct index *index, uint64_t seq,
                      uint64_t *noted_seq, uint64_t *mark);

#endif
