#include "base/id_set.h"

#include <string.h>

#include "base/memory.h"

/* The slot of id, or the empty one where it would go. Linear probing: the set is
 * never more than half full. */
static size_t find(const struct id_set *set, int64_t id)
{
    /* Fibonacci hashing spreads ids that follow each other. */
    size_t i = (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 16) & (set->capacity - 1);

    while (set->slot[i] != 0 && set->slot[i] != id)
        i = (i + 1) & (set->capacity - 1);
    return i;
}

static int grow(struct id_set *set)
{
    struct id_set larger = { .capacity = set->capacity == 0 ? 64 : set->capacity * 2,
                             .n = set->n, .has_zero = set->has_zero };

    larger.slot = memory_new(larger.capacity, sizeof *larger.slot);
    if (larger.slot == NULL)
        return -1;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slot[i] != 0)
            larger.slot[find(&larger, set->slot[i])] = set->slot[i];
    memory_free(set->slot);
    *set = larger;
    return 0;
}

int id_set_add(struct id_set *set, int64_t id)
{
    size_t i;

    if (id == 0) {
        const int is_new = !set->has_zero;

        set->has_zero = 1;
        set->n += (size_t)is_new;
        return is_new;
    }
    if (set->n >= set->capacity / 2 && grow(set) != 0)
        return -1;
    i = find(set, id);
    if (set->slot[i] == id)
        return 0;
    set->slot[i] = id;
    set->n++;
    return 1;
}

int id_set_has(const struct id_set *set, int64_t id)
{
    if (id == 0)
        return set->has_zero;
    return set->capacity > 0 && set->slot[find(set, id)] == id;
}

void id_set_reset(struct id_set *set)
{
    memory_free(set->slot);
    memset(set, 0, sizeof *set);
}
