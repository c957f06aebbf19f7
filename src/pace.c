#include "pace.h"

#include <math.h>
#include <time.h>

/* So many are no more than a batch. */
#define FEW 32
/* Before, the first batch says more of caches being filled than of the rest. */
#define LEAST_S 1

static size_t greatest_common_divisor(size_t a, size_t b)
{
    while (b != 0) {
        const size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

size_t pace_stride(size_t n)
{
    size_t stride;

    if (n <= FEW)
        return 1;
    /* Every one is come by when stride and n have no divisor in common. */
    stride = (size_t)((double)n * 0.6180339887498949);
    while (greatest_common_divisor(stride, n) != 1)
        stride++;
    return stride;
}

size_t pace_nth(size_t i, size_t n, size_t stride)
{
    return (size_t)((unsigned __int128)i * stride % n);
}

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void pace_begin(struct pace *pace)
{
    pace->began_s = now_s();
}

double pace_left(const struct pace *pace, uint64_t n_bytes_done, uint64_t n_bytes_total)
{
    if (pace->began_s == 0)
        return (double)NAN;
    return pace_left_after(now_s() - pace->began_s, n_bytes_done, n_bytes_total);
}

double pace_left_after(double elapsed_s, uint64_t n_bytes_done, uint64_t n_bytes_total)
{
    if (n_bytes_done == 0 || elapsed_s < LEAST_S)
        return (double)NAN;
    if (n_bytes_done >= n_bytes_total) /* files that grew meanwhile */
        return 0;
    return elapsed_s * (double)(n_bytes_total - n_bytes_done) / (double)n_bytes_done;
}
