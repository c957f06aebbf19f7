#include "base/half.h"

#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* value >> shift, rounded to the nearest, of two to the even one; 1 <= shift <= 31. */
static uint32_t shift_rounded(uint32_t value, unsigned shift)
{
    const uint32_t half = 1u << (shift - 1), rest = value & ((1u << shift) - 1);
    const uint32_t kept = value >> shift;

    return kept + (rest > half || (rest == half && (kept & 1)));
}

uint16_t half_of_float(float value)
{
    const uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    const uint32_t exponent = size >> 23;

    if (size > 0x7f800000)
        return (uint16_t)(sign | 0x7e00); /* not a number */
    if (exponent >= 143)                  /* 2^16 and more */
        return (uint16_t)(sign | 0x7c00);
    /* Exponents are counted from 112 less; a fraction that is rounded up to the next power
     * of two carries into the exponent, up to infinity. */
    if (exponent > 112)
        return (uint16_t)(sign | (shift_rounded(size, 13) - (112u << 10)));
    /* Multiples of 2^-24. Below the half of it all is 0. */
    if (exponent < 102)
        return (uint16_t)sign;
    return (uint16_t)(sign | shift_rounded((size & 0x7fffff) | 0x800000, 126 - exponent));
}

float float_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    const uint32_t fraction = half & 0x3ff;

    if (exponent == 31)
        return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) { /* a multiple of 2^-24 */
        const float size = (float)fraction * 0x1p-24f;

        return sign ? -size : size;
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}
