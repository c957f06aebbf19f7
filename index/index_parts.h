/* What an index is made of: for index.c, which makes and asks it, and index_file.c, which
 * writes and reads it. */
#ifndef ERNIE_INDEX_INDEX_PARTS_H
#define ERNIE_INDEX_INDEX_PARTS_H

#include "index/index.h"
#include "index/ivf.h"

/* Segments of what came after the base: each has twice the slots of the one before, so
 * that few are needed and none ever moves. */
#define FIRST_SEGMENT 1024
#define N_SEGMENTS    22

struct index {
    atomic_int n_uses;
    size_t dim;
    const struct kernel *kernel; /* asking the CPU takes as long as scanning 1,000 vectors */
    struct index_plan plan;
    struct codes base; /* of INDEX_IVF */
    struct ivf ivf;
    struct ann *ann; /* of INDEX_FAISS */
    struct codes segment[N_SEGMENTS];
    size_t n_added;         /* slots filled, by the one that adds */
    atomic_size_t n_recent; /* slots that searches may read */
};

/* The segment of a slot, and the slots before it. */
size_t index_segment_of(size_t slot, size_t *before);

#endif
