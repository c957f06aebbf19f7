#include "index/registry.h"

#include <string.h>

#include "base/memory.h"

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct shared_index *registry;

static struct shared_index *shared_new(const char *key)
{
    struct shared_index *shared = memory_new(1, sizeof *shared);

    if (shared == NULL)
        return NULL;
    if (key != NULL && (shared->key = memory_copy_text(key, strlen(key))) == NULL) {
        memory_free(shared);
        return NULL;
    }
    pthread_mutex_init(&shared->growing, NULL);
    pthread_mutex_init(&shared->mutex, NULL);
    atomic_init(&shared->cancel, 0);
    return shared;
}

static void shared_free(struct shared_index *shared)
{
    if (shared->has_thread) {
        atomic_store(&shared->cancel, 1);
        pthread_join(shared->thread, NULL);
    }
    index_release(shared->index);
    pthread_mutex_destroy(&shared->growing);
    pthread_mutex_destroy(&shared->mutex);
    memory_free(shared->key);
    memory_free(shared);
}

int registry_acquire(const char *key, struct shared_index **out, ernie_error *err)
{
    struct shared_index *shared = NULL;

    pthread_mutex_lock(&registry_mutex);
    for (shared = key != NULL ? registry : NULL; shared != NULL; shared = shared->next)
        if (strcmp(shared->key, key) == 0)
            break;
    if (shared == NULL) {
        shared = shared_new(key);
        if (shared != NULL && key != NULL) {
            shared->next = registry;
            registry = shared;
        }
    }
    if (shared != NULL)
        shared->n_users++;
    pthread_mutex_unlock(&registry_mutex);
    if (shared == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    *out = shared;
    return ERNIE_OK;
}

void registry_release(struct shared_index *shared)
{
    int is_last;

    if (shared == NULL)
        return;
    pthread_mutex_lock(&registry_mutex);
    is_last = --shared->n_users == 0;
    for (struct shared_index **at = &registry; is_last && *at != NULL; at = &(*at)->next) {
        if (*at == shared) {
            *at = shared->next;
            break;
        }
    }
    pthread_mutex_unlock(&registry_mutex);
    /* Its thread may take a while to stop: nobody else shall wait for that. */
    if (is_last)
        shared_free(shared);
}

static void note_mark(struct shared_index *shared, uint64_t seq, uint64_t mark)
{
    const size_t n = shared->n_marks++, i = n < N_MARKS ? n : 1 + n % (N_MARKS - 1);

    shared->marks[i] = (struct log_state){ seq, mark };
}

struct index *shared_index_get(struct shared_index *shared, struct index_stamp *stamp)
{
    struct index *index = NULL;

    pthread_mutex_lock(&shared->mutex);
    if (shared->index != NULL) {
        index = index_use(shared->index);
        *stamp = shared->stamp;
    }
    pthread_mutex_unlock(&shared->mutex);
    return index;
}

void shared_index_put(struct shared_index *shared, struct index *index,
                      const struct index_stamp *stamp, size_t n_earlier,
                      const struct log_state *earlier)
{
    struct index *before;

    pthread_mutex_lock(&shared->mutex);
    before = shared->index;
    shared->index = index;
    shared->stamp = *stamp;
    shared->stamp.n_recent = index_recent(index);
    shared->n_marks = 0;
    for (size_t i = 0; i < n_earlier; i++)
        note_mark(shared, earlier[i].seq, earlier[i].mark);
    note_mark(shared, stamp->seq, stamp->mark);
    pthread_mutex_unlock(&shared->mutex);
    index_release(before);
}

size_t shared_index_saved(struct shared_index *shared)
{
    size_t n;

    pthread_mutex_lock(&shared->mutex);
    n = shared->n_saved;
    pthread_mutex_unlock(&shared->mutex);
    return n;
}

void shared_index_set_saved(struct shared_index *shared, size_t n)
{
    pthread_mutex_lock(&shared->mutex);
    shared->n_saved = n;
    pthread_mutex_unlock(&shared->mutex);
}

void shared_index_grown(struct shared_index *shared, uint64_t seq, uint64_t mark)
{
    pthread_mutex_lock(&shared->mutex);
    shared->stamp.seq = seq;
    shared->stamp.mark = mark;
    shared->stamp.n_recent = index_recent(shared->index);
    note_mark(shared, seq, mark);
    pthread_mutex_unlock(&shared->mutex);
}

int shared_index_mark(struct shared_index *shared, const struct index *index, uint64_t seq,
                      uint64_t *noted_seq, uint64_t *mark)
{
    int found = 0;

    pthread_mutex_lock(&shared->mutex);
    for (size_t i = 0; shared->index == index && i < N_MARKS && i < shared->n_marks; i++) {
        if (shared->marks[i].seq > seq || (found && shared->marks[i].seq < *noted_seq))
            continue;
        *noted_seq = shared->marks[i].seq;
        *mark = shared->marks[i].mark;
        found = 1;
    }
    pthread_mutex_unlock(&shared->mutex);
    return found;
}
