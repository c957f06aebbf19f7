/* In what order files are taken, and how long the rest will take.
 *
 * Embedding takes most of the time, and so many tokens a second; how many there are in a file is
 * known once it is read. In those that are not yet there are as many for each byte as in the
 * files of that kind (by the end of their name) that were: of a text a quarter, of a web page or
 * a PDF a tenth or a hundredth. The same goes for the time that reading takes.
 *
 * For that to hold early, what is done has to be like what is left. Files come sorted by name, so
 * that neighbours are alike: all manual pages, then all of a Chinese book. Taken in strides of the
 * golden section, round and round, what is done is spread evenly over the whole at any time (Knuth,
 * The Art of Computer Programming, volume 3, section 6.4, theorem S). Of a few large files no
 * order makes a fair sample: once some of each kind and a sample of the small ones have been taken,
 * they are read, the largest first, since nothing but reading tells how much is in them. */
#ifndef ERNIE_PACE_H
#define ERNIE_PACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define PACE_KINDS 64
/* Of each kind so many are taken before others. */
#define PACE_FIRST 4

struct pace_large {
    size_t i;
    uint64_t size_bytes;
    size_t turn; /* 1: the first of its kind ... PACE_FIRST; PACE_FIRST + 1: not one of those */
};

struct pace {
    /* The order. */
    size_t n, stride;
    size_t n_strides; /* of the walk over all files so far */
    size_t first[PACE_KINDS * PACE_FIRST]; /* [n_first], some small ones of each kind */
    size_t n_first, n_first_taken;
    size_t n_small;  /* taken of the others that are not large */
    size_t n_sample; /* of them, before the large ones */
    struct pace_large *large; /* [n_large], one of each kind, another, then the largest first */
    size_t n_large, n_large_taken;
    uint64_t large_bytes; /* so many at least; UINT64_MAX: all of it takes but a moment */
    void (*file)(const void *data, size_t i, const char **name, uint64_t *size_bytes);
    const void *data;
    /* Files by the end of their name. */
    struct pace_kind {
        size_t first[PACE_FIRST]; /* [n_first], of a typical size */
        size_t n_first;
        int is_packed; /* few of its bytes are text */
        uint64_t n_bytes_left, n_bytes_read;
        double n_tokens, seconds; /* found in what was read, and taken for reading it */
    } kinds[PACE_KINDS];
    /* The file that was taken last. */
    struct pace_kind *kind; /* NULL: none, or it was read */
    uint64_t size_bytes;
    int is_counted;         /* its bytes are read ones already */
    /* Times are seconds of a clock that never goes back. */
    double began_s, taken_s;
    double wait_began_s, waited_s; /* for the encoder, since the file was taken */
    double n_tokens_waiting, n_tokens_embedded;
};

/* Plans to take n files; file tells the name and size of each, and data is borrowed. pace, all
 * zero before, is released by pace_reset. */
int pace_plan(struct pace *pace, size_t n,
              void (*file)(const void *data, size_t i, const char **name, uint64_t *size_bytes),
              const void *data, double now_s, ernie_error *err);
void pace_reset(struct pace *pace);

/* Which file to take next; the one before it was read. 0: that was the last. */
int pace_next(struct pace *pace, double now_s, size_t *i);
/* So many tokens are in the file that was taken last, and wait to be embedded. */
void pace_found(struct pace *pace, size_t n_tokens);
/* Reading stands still between these. */
void pace_wait_begin(struct pace *pace, double now_s);
void pace_wait_end(struct pace *pace, double now_s);
/* So many of those that waited are embedded. */
void pace_embedded(struct pace *pace, double n_tokens);

/* Seconds left, NAN while that cannot be told. */
double pace_left(const struct pace *pace, double now_s);

/* The same where one byte takes as long as another. */
double pace_left_alike(double elapsed_s, uint64_t n_bytes_done, uint64_t n_bytes_total);

double pace_now_s(void); /* of such a clock */

#endif
