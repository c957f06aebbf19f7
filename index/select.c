#include "index/select.h"

float select_greatest(size_t n, float *x, size_t k)
{
    size_t low = 0, high = n;

    while (high - low > 1) {
        const float pivot = x[low + (high - low) / 2];
        size_t i = low, above = low, below = high;

        while (i < below) {
            const float value = x[i];

            if (value > pivot) {
                x[i++] = x[above];
                x[above++] = value;
            } else if (value < pivot) {
                x[i] = x[--below];
                x[below] = value;
            } else {
                i++;
            }
        }
        if (k - 1 < above)
            high = above;
        else if (k - 1 >= below)
            low = below;
        else
            return pivot;
    }
    return x[low];
}
