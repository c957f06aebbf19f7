/* A set of row ids. All zero is the empty set. */
#ifndef ERNIE_BASE_ID_SET_H
#define ERNIE_BASE_ID_SET_H

#include <stddef.h>
#include <stdint.h>

struct id_set {
    int64_t *slot; /* [capacity], a power of two; 0 is an empty slot */
    size_t capacity;
    size_t n;
    int has_zero; /* which no slot can tell */
};

/* Adds id. Returns 1 when it is new, 0 when it was there, -1 when memory ran out. */
int id_set_add(struct id_set *set, int64_t id);
int id_set_has(const struct id_set *set, int64_t id);
void id_set_reset(struct id_set *set);

#endif
