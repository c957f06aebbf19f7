#include "kernel/tile_madd.h"

#define KERNEL_TABLE kernel_avx512
#define KERNEL_NAME  "avx512"
#include "kernel/kernel_loops.h"
