/* The arithmetic of the encoder: loops over arrays, no allocation, no errors, no
 * state. kernel_scalar is the meaning; the tables of other instruction sets equal
 * it within rounding. */
#ifndef ERNIE_KERNEL_KERNEL_H
#define ERNIE_KERNEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#endif
