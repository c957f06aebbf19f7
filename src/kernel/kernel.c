#include "kernel/kernel.h"

#include "kernel/pack.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* CPUID leaf 7, which GCC 12's __builtin_cpu_supports does not know all of. */
#define AVXVNNI_BIT  (1u << 4)  /* subleaf 1, EAX */
#define BF16_BIT     (1u << 5)  /* of AVX-512; subleaf 1, EAX */
#define AMX_TILE_BIT (1u << 24) /* subleaf 0, EDX */
#define AMX_INT8_BIT (1u << 25)
#define AMX_BF16_BIT (1u << 22)

static int has(unsigned bit_of_subleaf_1)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_of_subleaf_1) != 0;
}

/* Linux gives a process the 8 KiB of tile registers when it asks for them (5.16 and
 * later): Documentation/arch/x86/xstate.rst. */
static int has_amx(void)
{
    const unsigned needed = AMX_TILE_BIT | AMX_INT8_BIT | AMX_BF16_BIT;
    const long request_permission = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM */
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & needed) == needed &&
           syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#endif

size_t f32_scratch(size_t n_rows, size_t n_in)
{
    const size_t padded = pack_padded(n_in, I8_INPUTS);

    return pack_padded(n_rows, I8_ROWS) * ((padded > F32_BLOCK ? padded : F32_BLOCK) + F32_GAP) *
           sizeof(float);
}

size_t attention_scratch(size_t n, size_t head_size)
{
    const size_t n_padded = pack_padded(n, ATTENTION_PAD);
    const size_t d_padded = pack_padded(head_size, ATTENTION_PAD);

    /* Keys, values, and the scores of some rows, in float32. */
    return (2 * n_padded * d_padded + ATTENTION_ROWS * n_padded + ATTENTION_ROWS * d_padded) *
           sizeof(float);
}

size_t kernel_list(const struct kernel *out[KERNEL_MAX])
{
    size_t n = 0;

    out[n++] = &kernel_scalar;
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return n;
    out[n++] = &kernel_avx2;
    if (has(AVXVNNI_BIT))
        out[n++] = &kernel_avxvnni;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return n;
    out[n++] = &kernel_avx512;
    if (!__builtin_cpu_supports("avx512vnni"))
        return n;
    out[n++] = &kernel_avx512vnni;
    if (has(BF16_BIT) && has_amx())
        out[n++] = &kernel_amx;
#endif
    return n;
}

const struct kernel *kernel_pick(void)
{
    const struct kernel *list[KERNEL_MAX];

    return list[kernel_list(list) - 1];
}
