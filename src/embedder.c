#include "embedder.h"

#include <pthread.h>
#include <signal.h>

#include "base/memory.h"
#include "encode.h"

struct embedder {
    ernie_encoder *encoder;
    const struct ernie_encode_options *how;
    size_t slice;

    size_t n;
    const char *const *texts; /* [n] */
    const size_t *sizes;      /* [n] */
    float *out;               /* [n][how->dim] */
    pthread_t thread;
    int has_thread; /* which is not yet joined */

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    size_t n_done, n_told;
    int ended, stop;
    int status;
    ernie_error err;
};

int embedder_new(ernie_encoder *encoder, const struct ernie_encode_options *how, size_t slice,
                 struct embedder **out, ernie_error *err)
{
    struct embedder *embedder = memory_new(1, sizeof *embedder);

    if (embedder == NULL)
        return error_set(err, ERNIE_ENOMEM, "embedder: out of memory");
    embedder->encoder = encoder;
    embedder->how = how;
    embedder->slice = slice;
    embedder->ended = 1;
    pthread_mutex_init(&embedder->mutex, NULL);
    pthread_cond_init(&embedder->changed, NULL);
    *out = embedder;
    return ERNIE_OK;
}

static void join(struct embedder *embedder)
{
    if (embedder->has_thread)
        pthread_join(embedder->thread, NULL);
    embedder->has_thread = 0;
}

void embedder_free(struct embedder *embedder)
{
    if (embedder == NULL)
        return;
    pthread_mutex_lock(&embedder->mutex);
    embedder->stop = 1;
    pthread_mutex_unlock(&embedder->mutex);
    join(embedder);
    pthread_cond_destroy(&embedder->changed);
    pthread_mutex_destroy(&embedder->mutex);
    memory_free(embedder);
}

/* A slice is done: whether to go on. */
static int tell(struct embedder *embedder, size_t count)
{
    int stop;

    pthread_mutex_lock(&embedder->mutex);
    embedder->n_done += count;
    stop = embedder->stop;
    pthread_cond_signal(&embedder->changed);
    pthread_mutex_unlock(&embedder->mutex);
    return !stop;
}

static void *embed(void *argument)
{
    struct embedder *embedder = argument;
    const size_t n = embedder->n, slice = embedder->slice;
    int status = ERNIE_OK, go_on = 1;
    ernie_error err;

    for (size_t i = 0; go_on && i < n; i += slice) {
        const size_t count = n - i < slice ? n - i : slice;

        status = encode_texts(embedder->encoder, count, embedder->texts + i, embedder->sizes + i,
                              embedder->how, embedder->out + i * embedder->how->dim, &err);
        go_on = status == ERNIE_OK && tell(embedder, count);
    }
    pthread_mutex_lock(&embedder->mutex);
    embedder->ended = 1;
    embedder->status = status;
    if (status != ERNIE_OK)
        embedder->err = err;
    pthread_cond_signal(&embedder->changed);
    pthread_mutex_unlock(&embedder->mutex);
    return NULL;
}

void embedder_begin(struct embedder *embedder, size_t n, const char *const *texts,
                    const size_t *sizes, float *out)
{
    sigset_t all, old;

    embedder->n = n;
    embedder->texts = texts;
    embedder->sizes = sizes;
    embedder->out = out;
    embedder->n_done = embedder->n_told = 0;
    embedder->ended = 0;
    embedder->status = ERNIE_OK;
    if (n > 0) {
        /* Signals belong to the host's threads. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        embedder->has_thread = pthread_create(&embedder->thread, NULL, embed, embedder) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    if (!embedder->has_thread) /* what cannot be done beside is done now */
        embed(embedder);
}

int embedder_wait(struct embedder *embedder, size_t *n_more, ernie_error *err)
{
    int status = ERNIE_OK;

    pthread_mutex_lock(&embedder->mutex);
    while (!embedder->ended && embedder->n_done == embedder->n_told)
        pthread_cond_wait(&embedder->changed, &embedder->mutex);
    *n_more = embedder->n_done - embedder->n_told;
    embedder->n_told = embedder->n_done;
    if (*n_more == 0)
        status = embedder->status;
    pthread_mutex_unlock(&embedder->mutex);
    if (*n_more == 0)
        join(embedder);
    if (status != ERNIE_OK)
        *err = embedder->err;
    return status;
}
