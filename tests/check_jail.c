/* src/extractor/jail.c: what a confined process cannot do. Each attempt is made by a child
 * that is confined, and the kernel's answer to it is looked at. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "extractor/jail.h"
#include "suite.h"

enum { DONE = 40, REFUSED, UNCONFINED };

static const char *const readable[] = { "/usr/share", "/no/such/folder" };

/* Confines a child, has it make the attempt, and gives its wait status. */
static int attempt(int (*fn)(void), size_t n_readable)
{
    const struct jail jail = { .readable = readable, .n_readable = n_readable,
                               .memory_bytes = 256 << 20, .processor_s = 1 };
    int status;
    pid_t pid = fork();
    ernie_error err;

    if (pid == 0) {
        /* The last thing a test may say is no part of what it may do. */
        signal(SIGSYS, SIG_DFL);
        if (jail_enter(&jail, &err) != ERNIE_OK)
            _exit(UNCONFINED);
        _exit(fn());
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(!WIFEXITED(status) || WEXITSTATUS(status) != UNCONFINED,
                  "this kernel has no seccomp");
    return status;
}

static int answer(long result)
{
    return result < 0 ? REFUSED : DONE;
}

#define ATTEMPT(name, expression) \
    static int name(void) \
    { \
        return answer((long)(expression)); \
    }

static const struct sockaddr_un nowhere = { .sun_family = AF_UNIX, .sun_path = "/tmp/none" };
static char *const no_arguments[] = { NULL };

static void *do_nothing(void *data)
{
    return data;
}

static int start_thread(void)
{
    pthread_t thread;

    return pthread_create(&thread, NULL, do_nothing, NULL) == 0 ? DONE : REFUSED;
}

ATTEMPT(open_internet, socket(AF_INET, SOCK_STREAM, 0))
ATTEMPT(open_unix, socket(AF_UNIX, SOCK_STREAM, 0))
ATTEMPT(connect_somewhere, connect(0, (const struct sockaddr *)&nowhere, sizeof nowhere))
ATTEMPT(make_pair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0, 0 }))
ATTEMPT(run_program, execve("/bin/true", no_arguments, no_arguments))
ATTEMPT(make_process, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
ATTEMPT(make_file, open("/tmp/ernie-check-jail", O_WRONLY | O_CREAT, 0600))
ATTEMPT(write_file, open("/dev/null", O_WRONLY))
ATTEMPT(change_file, open("/dev/null", O_RDWR))
ATTEMPT(make_nameless, open("/tmp", O_TMPFILE | O_RDWR, 0600))
ATTEMPT(make_memory_file, syscall(SYS_memfd_create, "x", 0))
ATTEMPT(remove_file, unlinkat(AT_FDCWD, "/tmp/none", 0))
ATTEMPT(rename_file, renameat(AT_FDCWD, "/tmp/none", AT_FDCWD, "/tmp/other"))
ATTEMPT(make_folder, mkdirat(AT_FDCWD, "/tmp/none", 0700))
ATTEMPT(change_mode, fchmodat(AT_FDCWD, "/tmp/none", 0777, 0))
ATTEMPT(trace, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
ATTEMPT(trace_parent, ptrace(PTRACE_ATTACH, getppid(), NULL, NULL))
ATTEMPT(read_memory, process_vm_readv(getppid(), NULL, 0, NULL, 0, 0))
ATTEMPT(kill_parent, kill(getppid(), 0))
ATTEMPT(signal_another, syscall(SYS_tgkill, 1, 1, 0))
ATTEMPT(run_written_code, mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
ATTEMPT(make_code, mprotect((void *)((uintptr_t)&nowhere & ~(uintptr_t)4095), 4096, PROT_READ | PROT_EXEC))
ATTEMPT(become_another, setuid(1))
ATTEMPT(raise_limit, syscall(SYS_setpriority, 0, 0, 0))
ATTEMPT(use_ring, syscall(425 /* io_uring_setup */, 1, NULL))
ATTEMPT(use_programs, syscall(SYS_bpf, 0, NULL, 0))
ATTEMPT(wait_forever, syscall(SYS_pause))
ATTEMPT(leave_namespace, syscall(SYS_unshare, 0x10000000))
ATTEMPT(duplicate, dup(0))
#ifdef __x86_64__
ATTEMPT(call_by_32_bits, syscall(0x40000000 | SYS_getpid))
#endif
ATTEMPT(read_file, open("/etc/passwd", O_RDONLY))
ATTEMPT(read_folder, open("/etc", O_RDONLY | O_DIRECTORY))
ATTEMPT(read_device, open("/dev/zero", O_RDONLY))
ATTEMPT(control, ioctl(0, TIOCGWINSZ, NULL))
ATTEMPT(read_shared, open("/usr/share/common-licenses", O_RDONLY | O_DIRECTORY))
ATTEMPT(leave_shared, open("/usr/share/../../etc/passwd", O_RDONLY))

static const struct {
    const char *name;
    int (*fn)(void);
} deadly[] = {
#define ROW(fn) { #fn, fn }
    ROW(open_internet), ROW(open_unix), ROW(connect_somewhere), ROW(make_pair),
    ROW(run_program), ROW(make_process), ROW(make_file), ROW(write_file), ROW(change_file),
    ROW(make_nameless), ROW(make_memory_file), ROW(remove_file), ROW(rename_file),
    ROW(make_folder), ROW(change_mode), ROW(trace), ROW(trace_parent), ROW(read_memory),
    ROW(kill_parent), ROW(signal_another), ROW(run_written_code), ROW(make_code),
    ROW(become_another), ROW(raise_limit), ROW(use_ring), ROW(use_programs),
#ifdef SYS_pause
    ROW(wait_forever),
#endif
    ROW(leave_namespace), ROW(duplicate), ROW(start_thread),
#ifdef __x86_64__
    ROW(call_by_32_bits),
#endif
}, refused[] = {
    ROW(read_file), ROW(read_folder), ROW(read_device), ROW(control),
#undef ROW
};

START_TEST(test_what_no_reader_needs_ends_the_process)
{
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
        const int status = attempt(deadly[i].fn, 0);

        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x",
                      deadly[i].name, status);
    }
}
END_TEST

START_TEST(test_what_libraries_try_is_refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const int status = attempt(refused[i].fn, 0);

        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == REFUSED, "%s: status %x",
                      refused[i].name, status);
    }
}
END_TEST

/* Where there is no Landlock, nothing is opened at all. */
START_TEST(test_folders_that_are_named_can_be_read_and_no_others)
{
    const int has_landlock = syscall(444, NULL, 0, 1) >= 1;

    ck_assert_int_eq(WEXITSTATUS(attempt(read_shared, 2)), has_landlock ? DONE : REFUSED);
    ck_assert_int_eq(WEXITSTATUS(attempt(read_shared, 0)), REFUSED);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(WEXITSTATUS(attempt(refused[i].fn, 2)), REFUSED);
    ck_assert_int_eq(WEXITSTATUS(attempt(leave_shared, 2)), REFUSED);
    ck_assert_int_eq(WTERMSIG(attempt(make_file, 2)), SIGSYS);
}
END_TEST

/* ---- limits ---- */

#ifndef __SANITIZE_ADDRESS__ /* which has the address space to itself */
static int take_memory(void)
{
    /* Kept from being optimized away. */
    char *volatile block = malloc((size_t)512 << 20);

    return block != NULL ? DONE : REFUSED;
}
#endif

static int take_time(void)
{
    for (volatile unsigned i = 0;; i++)
        ;
    return DONE;
}

static int write_much(void)
{
    return answer(write(1, "x", 1));
}

static int give_up(void)
{
    abort();
}

START_TEST(test_memory_and_time_are_limited)
{
    int status;

#ifndef __SANITIZE_ADDRESS__
    ck_assert_int_eq(WEXITSTATUS(attempt(take_memory, 0)), REFUSED);
#endif
    status = attempt(take_time, 0);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGXCPU);
}
END_TEST

START_TEST(test_no_file_grows)
{
    char path[] = "/tmp/check_jail.XXXXXX";
    const int fd = mkstemp(path), out = dup(1);
    int status;

    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_eq(dup2(fd, 1), 1);
    status = attempt(write_much, 0);
    dup2(out, 1);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGXFSZ);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
}
END_TEST

/* A library that aborts is told from one that did what it may not. */
START_TEST(test_a_process_may_give_up)
{
    const int status = attempt(give_up, 0);

    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

static int use_another(void)
{
    return fcntl(7, F_GETFD) < 0 && read(7, (char[1]){ 0 }, 1) < 0 && errno == EBADF ? DONE : REFUSED;
}

START_TEST(test_other_descriptors_are_closed)
{
    ck_assert_int_eq(dup2(0, 7), 7);
    ck_assert_int_eq(WEXITSTATUS(attempt(use_another, 0)), DONE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("jail");
    TCase *tcase = tcase_create("jail");

    tcase_add_test(tcase, test_what_no_reader_needs_ends_the_process);
    tcase_add_test(tcase, test_what_libraries_try_is_refused);
    tcase_add_test(tcase, test_folders_that_are_named_can_be_read_and_no_others);
    tcase_add_test(tcase, test_memory_and_time_are_limited);
    tcase_add_test(tcase, test_no_file_grows);
    tcase_add_test(tcase, test_a_process_may_give_up);
    tcase_add_test(tcase, test_other_descriptors_are_closed);
    suite_add_tcase(s, tcase);
    return run_suite(s);
}
