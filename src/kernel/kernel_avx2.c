#include "kernel/tile_madd.h"

#define KERNEL_TABLE kernel_avx2
#define KERNEL_NAME  "avx2"
#include "kernel/kernel_loops.h"
