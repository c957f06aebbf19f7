#include "kernel/tile_vnni.h"

#define KERNEL_TABLE kernel_avx512vnni
#define KERNEL_NAME  "avx512vnni"

#include "kernel/scan_vnni512.h"
#include "kernel/kernel_loops.h"
