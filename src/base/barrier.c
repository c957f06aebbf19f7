#include "base/barrier.h"

#include <sched.h>

/* How often to look before giving the core to another thread: about 50 microseconds. */
#define LOOKS 1000

static inline void pause_thread(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

void barrier_init(struct barrier *barrier, size_t n_threads)
{
    barrier->n_threads = n_threads;
    atomic_init(&barrier->n_waiting, 0);
    atomic_init(&barrier->round, 0);
}

void barrier_wait(struct barrier *barrier)
{
    size_t round;

    if (barrier == NULL)
        return;
    round = atomic_load(&barrier->round);
    if (atomic_fetch_add(&barrier->n_waiting, 1) + 1 == barrier->n_threads) {
        atomic_store(&barrier->n_waiting, 0);
        atomic_store(&barrier->round, round + 1);
        return;
    }
    for (size_t looks = 0; atomic_load(&barrier->round) == round; looks++) {
        if (looks < LOOKS)
            pause_thread();
        else
            sched_yield();
    }
}
