/* float16 (IEEE 754 binary16): half the bytes of a float, and three decimal digits. */
#ifndef ERNIE_BASE_HALF_H
#define ERNIE_BASE_HALF_H

#include <stdint.h>

/* The nearest float16, of two equally near the one that is even; infinite from 65520 on. */
uint16_t half_of_float(float value);
float float_of_half(uint16_t half);

#endif
