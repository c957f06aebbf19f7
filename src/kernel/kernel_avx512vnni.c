#include "kernel/tile_vnni.h"

#define KERNEL_TABLE kernel_avx512vnni
#define KERNEL_NAME  "avx512vnni"

static void attend_i8(size_t n_queries, size_t n, size_t head_size, const float *query,
                      const float *key, const float *value, size_t ld, float *context, size_t ldc,
                      void *scratch);
#define OWN_MULTIPLY_I8
#define ATTEND_I8 attend_i8
/* It comes after the loops, of which it uses some. */

#include "kernel/scan_vnni512.h"
#include "kernel/kernel_loops.h"
#include "kernel/attention_i8.h"
