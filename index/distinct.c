#include "index/distinct.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define STEPS 4096.0f

static struct hash key_of(struct distinct *distinct, const float *vector)
{
    for (size_t i = 0; i < distinct->dim; i++) {
        /* Embeddings lie in [-1, 1]; what does not is cut off, not undefined. */
        float x = fmaxf(-7.0f, fminf(7.0f, vector[i]));

        distinct->rounded[i] = (int16_t)lrintf(x * STEPS);
    }
    return hash_of(distinct->rounded, distinct->dim * sizeof *distinct->rounded);
}

/* Where key is, or the free slot where it belongs. */
static size_t find_slot(const struct distinct *distinct, const struct hash *key)
{
    size_t mask = distinct->n_slots - 1;
    size_t i;

    memcpy(&i, key->bytes, sizeof i);
    for (i &= mask; distinct->slot[i] != 0; i = (i + 1) & mask)
        if (memcmp(&distinct->key[distinct->slot[i] - 1], key, sizeof *key) == 0)
            break;
    return i;
}

/* Room for one more, with at least half of the slots free. */
static int grow(struct distinct *distinct)
{
    size_t n_slots = distinct->n_slots < 1024 ? 1024 : distinct->n_slots * 2;
    struct hash *key;
    int32_t *slot;

    if (distinct->rounded == NULL) {
        distinct->rounded = memory_new(distinct->dim, sizeof *distinct->rounded);
        if (distinct->rounded == NULL)
            return 0;
    }
    if (distinct->n < distinct->n_slots / 2)
        return 1;
    key = memory_resize(distinct->key, n_slots / 2, sizeof *key);
    if (key == NULL)
        return 0;
    distinct->key = key;
    slot = memory_new(n_slots, sizeof *slot);
    if (slot == NULL)
        return 0;
    memory_free(distinct->slot);
    distinct->slot = slot;
    distinct->n_slots = n_slots;
    for (size_t i = 0; i < distinct->n; i++)
        slot[find_slot(distinct, &key[i])] = (int32_t)i + 1;
    return 1;
}

int32_t distinct_number(struct distinct *distinct, const float *vector)
{
    struct hash key;
    size_t i;

    if (!grow(distinct))
        return -1;
    key = key_of(distinct, vector);
    i = find_slot(distinct, &key);
    if (distinct->slot[i] == 0) {
        distinct->key[distinct->n++] = key;
        distinct->slot[i] = (int32_t)distinct->n;
    }
    return distinct->slot[i] - 1;
}

void distinct_reset(struct distinct *distinct)
{
    memory_free(distinct->key);
    memory_free(distinct->slot);
    memory_free(distinct->rounded);
    *distinct = (struct distinct){ .dim = distinct->dim };
}
