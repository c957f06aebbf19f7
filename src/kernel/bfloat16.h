/* bfloat16: the upper half of a float32. */
#ifndef ERNIE_KERNEL_BFLOAT16_H
#define ERNIE_KERNEL_BFLOAT16_H

#include <stdint.h>
#include <string.h>

static inline uint32_t bits_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Rounded to nearest, ties to even. */
static inline uint32_t bf16_of(uint32_t bits)
{
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

#endif
