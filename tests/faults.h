/* Allocations that fail on purpose. */
#ifndef ERNIE_TESTS_FAULTS_H
#define ERNIE_TESTS_FAULTS_H

#include <stddef.h>

#include "base/memory.h"

static int faults_n_left, faults_n_made;
static void *(*faults_resize)(void *, size_t);

static void *faults_resize_or_fail(void *block, size_t size_bytes)
{
    if (size_bytes > 0) {
        faults_n_made++;
        if (faults_n_left-- <= 0)
            return NULL;
    }
    return faults_resize(block, size_bytes);
}

/* From now on k allocations succeed, and then all fail. */
static inline void fail_allocations_from(int k)
{
    faults_resize = memory_table.resize;
    faults_n_left = k;
    faults_n_made = 0;
    memory_table.resize = faults_resize_or_fail;
}

/* How many were asked for since. */
static inline int stop_failing(void)
{
    memory_table.resize = faults_resize;
    return faults_n_made;
}

#endif
