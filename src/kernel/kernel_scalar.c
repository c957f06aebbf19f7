#define KERNEL_TABLE kernel_scalar
#define KERNEL_NAME  "scalar"
#include "kernel/kernel_loops.h"
