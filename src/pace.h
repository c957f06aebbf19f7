/* In what order files are taken, and how long the rest will take. Files come sorted by name, so
 * that neighbours are alike: all manual pages, then all of a Chinese book, and a byte of one
 * takes longer than a byte of the other. Taken in strides of the golden section, round and round,
 * what is done is spread evenly over the whole at any time, and so is what is left (Knuth, The
 * Art of Computer Programming, volume 3, section 6.4, theorem S): its bytes take as long as
 * those that are done took. */
#ifndef ERNIE_PACE_H
#define ERNIE_PACE_H

#include <stddef.h>
#include <stdint.h>

/* How far it is from one of n to the next that is taken; few are taken as they come. */
size_t pace_stride(size_t n);
/* Which of n is the i-th to be taken. */
size_t pace_nth(size_t i, size_t n, size_t stride);

struct pace {
    double began_s; /* of the clock that never goes back; 0: not yet */
};
void pace_begin(struct pace *pace);
/* Seconds left, NAN while that cannot be told. */
double pace_left(const struct pace *pace, uint64_t n_bytes_done, uint64_t n_bytes_total);
/* The same for a time that has passed. */
double pace_left_after(double elapsed_s, uint64_t n_bytes_done, uint64_t n_bytes_total);

#endif
