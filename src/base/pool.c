#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/float_state.h"
#include "base/memory.h"

#define MAX_THREADS 256

struct worker {
    struct pool *pool;
    size_t lane;
    pthread_t thread;
};

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t start, done;
    void (*task)(void *data, size_t lane);
    void *data;
    unsigned round;    /* grows with each pool_run; a worker runs once a round */
    size_t n_running;  /* workers that have not finished the round */
    int stop;
    pid_t process;     /* that has the threads */
    size_t n_workers;  /* threads besides the caller */
    struct worker *workers;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    struct float_state state;
    unsigned round = 0;

    float_state_begin(&state); /* a thread starts with its maker's */
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (!pool->stop && pool->round == round)
            pthread_cond_wait(&pool->start, &pool->mutex);
        if (pool->stop)
            break;
        round = pool->round;
        pthread_mutex_unlock(&pool->mutex);
        pool->task(pool->data, worker->lane);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->n_running == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static size_t count_cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

/* $ERNIE_THREADS, else one a core: this is the one place that decides. */
static int default_threads(size_t *out, ernie_error *err)
{
    const char *text = secure_getenv("ERNIE_THREADS");
    unsigned long n;
    char *end;

    if (text == NULL || text[0] == '\0') {
        *out = count_cores();
        return ERNIE_OK;
    }
    n = strtoul(text, &end, 10); /* what is too large becomes the largest */
    if (n == 0 || *end != '\0' || text[0] < '0' || text[0] > '9')
        return error_set(err, ERNIE_EINVAL, "ERNIE_THREADS %s: not a number of 1 or more", text);
    *out = n;
    return ERNIE_OK;
}

/* Whether the process was forked off the one that made the pool: its threads stayed there,
 * and what they wait for is not to be touched. */
static int is_forked(const struct pool *pool)
{
    return getpid() != pool->process;
}

int pool_new(size_t n_threads, struct pool **out, ernie_error *err)
{
    struct pool *pool;
    sigset_t all, old;
    int status = n_threads == 0 ? default_threads(&n_threads, err) : ERNIE_OK;

    if (status != ERNIE_OK)
        return status;
    pool = memory_new(1, sizeof *pool);
    if (n_threads > MAX_THREADS)
        n_threads = MAX_THREADS;
    if (pool != NULL)
        pool->workers = memory_new(n_threads, sizeof *pool->workers);
    if (pool == NULL || pool->workers == NULL) {
        memory_free(pool);
        return error_set(err, ERNIE_ENOMEM, "threads: out of memory");
    }
    pool->process = getpid();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->done, NULL);
    /* Signals belong to the host's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool->n_workers + 1 < n_threads) {
        struct worker *worker = &pool->workers[pool->n_workers];

        worker->pool = pool;
        worker->lane = pool->n_workers + 1;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0)
            break;
        pool->n_workers++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    *out = pool;
    return ERNIE_OK;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    if (!is_forked(pool)) {
        pthread_mutex_lock(&pool->mutex);
        pool->stop = 1;
        pthread_cond_broadcast(&pool->start);
        pthread_mutex_unlock(&pool->mutex);
        for (size_t i = 0; i < pool->n_workers; i++)
            pthread_join(pool->workers[i].thread, NULL);
        pthread_cond_destroy(&pool->done);
        pthread_cond_destroy(&pool->start);
        pthread_mutex_destroy(&pool->mutex);
    }
    memory_free(pool->workers);
    memory_free(pool);
}

size_t pool_n_threads(const struct pool *pool)
{
    return is_forked(pool) ? 1 : pool->n_workers + 1;
}

void pool_run(struct pool *pool, void (*task)(void *data, size_t lane), void *data)
{
    if (is_forked(pool)) {
        task(data, 0);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->task = task;
    pool->data = data;
    pool->n_running = pool->n_workers;
    pool->round++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    task(data, 0);
    pthread_mutex_lock(&pool->mutex);
    while (pool->n_running > 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}
