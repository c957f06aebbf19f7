/* Allocations that fail on purpose, and a disk that is full. */
#ifndef ERNIE_TESTS_FAULTS_H
#define ERNIE_TESTS_FAULTS_H

#include <errno.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/system.h"

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

static int faults_n_writes;
static ssize_t (*faults_write)(int, const void *, size_t);

static inline ssize_t faults_write_or_fail(int fd, const void *data, size_t size_bytes)
{
    if (faults_n_writes-- > 0)
        return faults_write(fd, data, size_bytes);
    errno = ENOSPC;
    return -1;
}

/* From now on k writes succeed, and then the disk is full. */
static inline void fill_disk_after(int k)
{
    faults_write = system_table.write;
    faults_n_writes = k;
    system_table.write = faults_write_or_fail;
}

static inline void stop_filling(void)
{
    system_table.write = faults_write;
}

#endif
