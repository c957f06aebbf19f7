#include "extractor/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers reserve terabytes of addresses that nobody uses. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

/* ---- limits ------------------------------------------------------------ */

static int limit(int resource, rlim_t value)
{
    /* Never above what the process was given. */
    struct rlimit old, new = { value, value };

    if (getrlimit(resource, &old) == 0 && old.rlim_max < value)
        new.rlim_cur = new.rlim_max = old.rlim_max;
    return setrlimit(resource, &new);
}

static int set_limits(const struct jail *jail)
{
    struct rlimit seconds = { jail->processor_s, jail->processor_s + 1 };

    /* The soft limit is SIGXCPU, by which the caller can tell what happened. */
    return (HAS_SANITIZER ? 0 : limit(RLIMIT_AS, jail->memory_bytes)) |
           setrlimit(RLIMIT_CPU, &seconds) | limit(RLIMIT_FSIZE, 0) | limit(RLIMIT_NOFILE, 16) |
           limit(RLIMIT_NPROC, 0) | limit(RLIMIT_CORE, 0);
}

static void close_descriptors(void)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
        return;
#endif
    for (long fd = sysconf(_SC_OPEN_MAX); fd > 2; fd--)
        close((int)fd);
}

/* ---- Landlock ---------------------------------------------------------- */

/* As in linux/landlock.h of Linux 6.12; the one we are compiled with may be older. What a
 * kernel does not know is asked of it as 0. */
struct landlock_ruleset {
    uint64_t files, network, scopes;
};

struct landlock_path {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

enum {
    LANDLOCK_READ_FILE = 1 << 2,
    LANDLOCK_READ_DIR = 1 << 3,
    LANDLOCK_VERSION = 1, /* the flag that asks for it */
    LANDLOCK_PATH = 1     /* the type of rule */
};
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

static void allow_folder(int ruleset, const char *folder)
{
    struct landlock_path path = { .allowed = LANDLOCK_READ_FILE | LANDLOCK_READ_DIR };

    path.fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (path.fd < 0)
        return;
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH, &path, 0);
    close(path.fd);
}

/* Whether the kernel has it and it holds now: every right over files that it knows of is
 * taken away, and TCP, and signals and abstract sockets to processes outside. */
static int enter_landlock(const struct jail *jail)
{
    const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
    struct landlock_ruleset all = {
        .files = (1 << 13) - 1, /* of the first version */
    };
    int ruleset, done;

    if (version < 1)
        return 0;
    if (version >= 2)
        all.files |= 1 << 13; /* linking and renaming across folders */
    if (version >= 3)
        all.files |= 1 << 14; /* truncation */
    if (version >= 4)
        all.network = 3; /* TCP: bind and connect */
    if (version >= 5)
        all.files |= 1 << 15; /* ioctl on devices */
    if (version >= 6)
        all.scopes = 3; /* abstract Unix sockets and signals */
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &all,
                           version >= 6   ? sizeof all
                           : version >= 4 ? offsetof(struct landlock_ruleset, scopes)
                                          : offsetof(struct landlock_ruleset, network), 0);
    if (ruleset < 0)
        return 0;
    for (size_t i = 0; i < jail->n_readable; i++)
        allow_folder(ruleset, jail->readable[i]);
    done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return done;
}

/* ---- the filter of system calls ---------------------------------------- */

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE AUDIT_ARCH_RISCV64
#endif

#ifdef MACHINE
#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#endif

/* What computing, allocating and ending takes, and reading and writing what is open. */
static const unsigned allowed[] = {
    SYS_read, SYS_readv, SYS_pread64, SYS_write, SYS_writev, SYS_lseek, SYS_close, SYS_fstat,
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex, SYS_getrandom,
    SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday, SYS_getpid, SYS_gettid,
    SYS_rt_sigreturn, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_sched_yield, SYS_sysinfo,
    SYS_restart_syscall, SYS_exit, SYS_exit_group,
#ifdef SYS_time
    SYS_time,
#endif
#if HAS_SANITIZER
    SYS_sigaltstack, SYS_getrlimit, SYS_prlimit64,
#endif
};

/* What libraries try and do without: asking for a file, a terminal or a name gets an error,
 * since ending the process for it would cost documents that do no harm. */
static const unsigned refused[] = {
    SYS_readlinkat, SYS_faccessat, SYS_getcwd, SYS_ioctl, SYS_fcntl, SYS_uname,
    SYS_prctl, SYS_sched_getaffinity, SYS_getuid, SYS_geteuid, SYS_getgid,
    SYS_getegid, SYS_prlimit64, SYS_statx, SYS_getpeername, SYS_getsockname, SYS_getsockopt,
#ifdef SYS_open
    SYS_open, SYS_stat, SYS_lstat, SYS_readlink, SYS_access, SYS_poll,
#endif
};

/* Where to find a system call's number and arguments, the low halves of these. */
#define NUMBER      offsetof(struct seccomp_data, nr)
#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + (i) * 8 + LOW_HALF)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_HALF 4
#else
#define LOW_HALF 0
#endif

#define MAX_INSTRUCTIONS 256

struct filter {
    struct sock_filter code[MAX_INSTRUCTIONS];
    unsigned short n;
};

static void add(struct filter *filter, uint16_t code, uint8_t if_so, uint8_t if_not, uint32_t k)
{
    filter->code[filter->n++] = (struct sock_filter){ code, if_so, if_not, k };
}

static void load(struct filter *filter, size_t offset)
{
    add(filter, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void answer(struct filter *filter, uint32_t what)
{
    add(filter, BPF_RET | BPF_K, 0, 0, what);
}

/* The number is loaded; when it is this one, that is the answer. */
static void answer_call(struct filter *filter, unsigned number, uint32_t what)
{
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number);
    answer(filter, what);
}

/* A call that is answered so when none of the bits is set in the argument, and else ends the
 * process. */
static void answer_call_without(struct filter *filter, unsigned number, unsigned argument,
                                uint32_t bits, uint32_t what)
{
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, number);
    load(filter, ARGUMENT(argument));
    add(filter, BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits);
    answer(filter, SECCOMP_RET_KILL_PROCESS);
    answer(filter, what);
}

static void make_filter(struct filter *filter, int may_open)
{
    const uint32_t to_write = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    const uint32_t refusal = SECCOMP_RET_ERRNO | EACCES;

    filter->n = 0;
    load(filter, offsetof(struct seccomp_data, arch));
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, MACHINE);
    answer(filter, SECCOMP_RET_KILL_PROCESS);
    load(filter, NUMBER); /* one of another interface of the same machine is none below */
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        answer_call(filter, allowed[i], SECCOMP_RET_ALLOW);
    answer_call_without(filter, SYS_mmap, 2, PROT_EXEC, SECCOMP_RET_ALLOW);
    answer_call_without(filter, SYS_mprotect, 2, PROT_EXEC, SECCOMP_RET_ALLOW);
    answer_call_without(filter, SYS_openat, 2, to_write, may_open ? SECCOMP_RET_ALLOW : refusal);
    answer_call(filter, SYS_getdents64, may_open ? SECCOMP_RET_ALLOW : refusal);
    /* A signal to itself is how a process says that it gives up: abort(). */
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, SYS_tgkill);
    load(filter, ARGUMENT(0));
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (uint32_t)getpid());
    answer(filter, SECCOMP_RET_KILL_PROCESS);
    answer(filter, SECCOMP_RET_ALLOW);
    /* fstat of glibc since 2.33: by a name that is empty. */
    if (may_open || HAS_SANITIZER) {
        answer_call(filter, SYS_newfstatat, SECCOMP_RET_ALLOW);
    } else {
        add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, SYS_newfstatat);
        load(filter, ARGUMENT(3));
        add(filter, BPF_JMP | BPF_JSET | BPF_K, 1, 0, AT_EMPTY_PATH);
        answer(filter, refusal);
        answer(filter, SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        answer_call(filter, refused[i], refusal);
    answer(filter, SECCOMP_RET_KILL_PROCESS);
}

static int enter_filter(int may_open)
{
    struct filter filter;
    struct sock_fprog program = { .filter = filter.code };

    make_filter(&filter, may_open);
    program.len = filter.n;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
static int enter_filter(int may_open)
{
    (void)may_open;
    return 0;
}
#endif

/* ---- the whole --------------------------------------------------------- */

int jail_enter(const struct jail *jail, ernie_error *err)
{
    int has_landlock;

    close_descriptors();
    /* Without the process that asked, nobody wants the answer. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || set_limits(jail) != 0)
        return error_set(err, ERNIE_ENOTFOUND, "this system cannot limit a process");
    has_landlock = enter_landlock(jail);
    if (!enter_filter(has_landlock && jail->n_readable > 0))
        return error_set(err, ERNIE_ENOTFOUND, "this kernel has no filter of system calls (seccomp)");
    return ERNIE_OK;
}
