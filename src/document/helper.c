#include "document/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "document/wire.h"

#define TIMEOUT_MS 30000
/* A file says no more than its text and the bytes of its members, at most. */
#define MAX_OUTPUT_BYTES ((uint64_t)512 << 20)

/* ---- where the programs are -------------------------------------------- */

static int is_there(const char *folder, const char *program)
{
    struct stat st;
    char *path = path_join(folder, program);
    const int found = path != NULL && system_table.fstatat(AT_FDCWD, path, &st, 0) == 0 &&
                      S_ISREG(st.st_mode);

    memory_free(path);
    return found;
}

/* Beside this code: in a build tree the library is in .libs and the programs one folder up;
 * in an installation moved as a whole they are in ../libexec. */
static char *find_beside(const char *program)
{
    static const char *const below[] = { ".", "..", "../libexec/ernie" };
    char *module = path_of_module(), *found = NULL;

    for (size_t i = 0; module != NULL && found == NULL && i < sizeof below / sizeof *below; i++) {
        char *folder = path_join(module, below[i]);

        if (folder != NULL && is_there(folder, program))
            found = folder;
        else
            memory_free(folder);
    }
    memory_free(module);
    return found;
}

static int find_folder(struct helper *helper, ernie_error *err)
{
    static const char program[] = "ernie-extract";
    const char *given = secure_getenv("ERNIE_LIBEXEC");

    if (helper->folder != NULL)
        return ERNIE_OK;
    if (given != NULL && given[0] != '\0') {
        helper->folder = memory_copy_text(given, strlen(given));
    } else {
        helper->folder = find_beside(program);
        if (helper->folder == NULL)
            helper->folder = memory_copy_text(ERNIE_LIBEXECDIR, strlen(ERNIE_LIBEXECDIR));
    }
    return helper->folder != NULL ? ERNIE_OK
                                  : error_set(err, ERNIE_ENOMEM, "helper program: out of memory");
}

void helper_reset(struct helper *helper)
{
    memory_free(helper->folder);
    memset(helper, 0, sizeof *helper);
}

/* ---- starting one ------------------------------------------------------ */

struct child {
    pid_t pid;
    int fd;         /* what it says */
    int waited_ms;  /* for it, so far */
    uint64_t n_bytes;
};

/* A descriptor that is none of the first three, which the child has other uses for. */
static int move_up(int fd)
{
    int moved;

    if (fd < 0 || fd > 2)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    system_table.close(fd);
    return moved;
}

/* posix_spawn, since the caller has threads: fork would copy its memory map, and what runs
 * after it may do next to nothing. */
static int spawn(const char *program, char *const *arguments, char *const *environment, int file,
                 int out, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t signals;
    int why;

    why = posix_spawn_file_actions_init(&actions);
    if (why != 0)
        return why;
    why = posix_spawnattr_init(&attributes);
    if (why != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return why;
    }
    posix_spawn_file_actions_adddup2(&actions, file, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    /* What the caller ignores or holds back is not the child's. */
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    why = posix_spawn(pid, program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return why;
}

/* Starts the program for a format on a file. */
static int start(const struct helper *helper, int file, const char *name,
                 enum document_format format, struct child *child, ernie_error *err)
{
    const char *const program_name = format == DOCUMENT_PDF     ? "ernie-extract-pdf"
                                     : format == DOCUMENT_IMAGE ? "ernie-extract-image"
                                                                : "ernie-extract";
    char *program = path_join(helper->folder, program_name);
    char *arguments[4] = { program }, *environment[4];
    struct buffer named = { 0 };
    int pipe_fds[2] = { -1, -1 }, file_fd = -1, why, status = ERNIE_OK;

    buffer_append_text(&named, "ERNIE_EXTRACT_NAME=");
    buffer_append_text(&named, name);
    if (program == NULL || named.failed) {
        status = error_set(err, ERNIE_ENOMEM, "helper program: out of memory");
        goto done;
    }
    if (helper->may_be_unconfined)
        arguments[1] = (char *)"--no-jail";
    arguments[helper->may_be_unconfined ? 2 : 1] = (char *)(uintptr_t)document_format_name(format);
    arguments[helper->may_be_unconfined ? 3 : 2] = NULL;
    environment[0] = named.data;
    environment[1] = (char *)"LC_ALL=C.UTF-8";
    environment[2] = (char *)"OMP_THREAD_LIMIT=1"; /* a confined process starts no threads */
    environment[3] = NULL;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        status = error_set_system(err, errno, "helper program");
        goto done;
    }
    pipe_fds[0] = move_up(pipe_fds[0]);
    pipe_fds[1] = move_up(pipe_fds[1]);
    file_fd = fcntl(file, F_DUPFD_CLOEXEC, 3);
    if (pipe_fds[0] < 0 || pipe_fds[1] < 0 || file_fd < 0) {
        status = error_set_system(err, errno, "helper program");
        goto done;
    }
    why = spawn(program, arguments, environment, file_fd, pipe_fds[1], &child->pid);
    if (why == ENOENT || why == EACCES)
        status = error_set(err, ERNIE_ENOTFOUND, "%s is not installed", program_name);
    else if (why != 0)
        status = error_set_system(err, why, program);
    if (status == ERNIE_OK) {
        child->fd = pipe_fds[0];
        pipe_fds[0] = -1;
    }
done:
    if (file_fd >= 0)
        system_table.close(file_fd);
    for (size_t i = 0; i < 2; i++)
        if (pipe_fds[i] >= 0)
            system_table.close(pipe_fds[i]);
    memory_free(program);
    buffer_reset(&named);
    return status;
}

/* ---- hearing it -------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What ends the reading of a file that nobody but its maker is to blame for. */
enum end { END_NONE, END_OF_OUTPUT, END_TIMEOUT, END_TOO_MUCH, END_NONSENSE };

/* Reads size bytes, as long as the child has time left. */
static int hear(struct child *child, unsigned timeout_ms, uint8_t *out, size_t size, enum end *end,
                ernie_error *err)
{
    while (size > 0) {
        struct pollfd poll_fd = { .fd = child->fd, .events = POLLIN };
        const int64_t before = now_ms();
        const int left = (int)timeout_ms - child->waited_ms;
        int ready = left > 0 ? poll(&poll_fd, 1, left) : 0;
        ssize_t n;

        child->waited_ms += (int)(now_ms() - before);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return error_set_system(err, errno, "helper program");
        if (ready == 0) {
            *end = END_TIMEOUT;
            return ERNIE_OK;
        }
        n = system_table.read(child->fd, out, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_system(err, errno, "helper program");
        if (n == 0) {
            *end = END_OF_OUTPUT;
            return ERNIE_OK;
        }
        out += n;
        size -= (size_t)n;
        child->n_bytes += (uint64_t)n;
        if (child->n_bytes > MAX_OUTPUT_BYTES) {
            *end = END_TOO_MUCH;
            return ERNIE_OK;
        }
    }
    return ERNIE_OK;
}

/* One message, as long as *end stays END_NONE. The payload, which the message borrows, is
 * the buffer's. */
static int hear_message(struct child *child, unsigned timeout_ms, struct buffer *payload,
                        struct wire_message *message, enum end *end, ernie_error *err)
{
    uint8_t header[WIRE_HEADER_BYTES];
    enum wire_type type;
    size_t size;
    char *bytes;
    int status = hear(child, timeout_ms, header, sizeof header, end, err);

    if (status != ERNIE_OK || *end != END_NONE)
        return status;
    status = wire_parse_header(header, &type, &size, err);
    if (status == ERNIE_OK) {
        buffer_clear(payload);
        bytes = buffer_reserve(payload, size);
        if (bytes == NULL)
            return error_set(err, ERNIE_ENOMEM, "helper program: out of memory");
        status = hear(child, timeout_ms, (uint8_t *)bytes, size, end, err);
        if (status != ERNIE_OK || *end != END_NONE)
            return status;
        payload->size = size;
        status = wire_parse(type, (const uint8_t *)payload->data, size, message, err);
    }
    if (status == ERNIE_EFORMAT) {
        *end = END_NONSENSE;
        status = ERNIE_OK;
    }
    return status;
}

/* ---- what became of it ------------------------------------------------- */

/* Ends the child and gives its exit status; -1 when the program around us takes the news of
 * its children for itself. One that is about to end by itself keeps its reason: what comes
 * after the first changes nothing. One that only closed its pipe would stay for ever. */
static int end_child(struct child *child)
{
    int exit_status;
    pid_t pid;

    system_table.close(child->fd);
    kill(child->pid, SIGKILL);
    do
        pid = waitpid(child->pid, &exit_status, 0);
    while (pid < 0 && errno == EINTR);
    return pid == child->pid ? exit_status : -1;
}

/* Why a child gave no answer, in words for the file's row. */
static void explain(enum end end, int exit_status, unsigned timeout_ms, char *out, size_t size)
{
    const int signal_number =
        exit_status != -1 && WIFSIGNALED(exit_status) ? WTERMSIG(exit_status) : 0;

    if (end == END_NONSENSE)
        snprintf(out, size, "its reader failed");
    else if (end == END_TIMEOUT)
        snprintf(out, size, "takes more than %g s to read", timeout_ms / 1000.0);
    else if (end == END_TOO_MUCH)
        snprintf(out, size, "holds more than %d MiB", (int)(MAX_OUTPUT_BYTES >> 20));
    else if (signal_number == SIGXCPU)
        snprintf(out, size, "takes too much processor time to read");
    else if (signal_number == SIGSYS)
        snprintf(out, size, "its reader was stopped: it asked for what no reader may have");
    else if (signal_number == SIGBUS)
        snprintf(out, size, "its reader crashed, or the file was cut short meanwhile");
    else if (signal_number == SIGKILL)
        snprintf(out, size, "its reader was killed");
    else if (signal_number == SIGABRT || signal_number == SIGTRAP)
        snprintf(out, size, "its reader gave up, perhaps for want of memory");
    else if (signal_number != 0)
        snprintf(out, size, "its reader crashed (%s)", strsignal(signal_number));
    else
        snprintf(out, size, "its reader failed");
}

/* ---- the whole --------------------------------------------------------- */

/* A member that another program reads, as a file in memory with no name. */
static int open_member(const struct wire_message *message, ernie_error *err)
{
    int fd = memfd_create("ernie-member", MFD_CLOEXEC);

    if (fd < 0) {
        error_set_system(err, errno, "member");
        return -1;
    }
    if (file_write_fd(fd, "member", message->bytes, message->n_bytes, err) != ERNIE_OK) {
        system_table.close(fd);
        return -1;
    }
    return fd;
}

/* A file that is being read, or a member that has a process of its own. */
struct reading {
    struct helper *helper;
    const char *name;   /* of the member; "" for the file */
    helper_fn fn;
    void *data;
    int is_told;        /* fn has heard of the file or member itself */
};

static int read_one(struct reading *reading, int fd, const char *file_name,
                    enum document_format format, ernie_error *err);

static int tell(struct reading *reading, const struct helper_document *document, ernie_error *err)
{
    reading->is_told |= strcmp(document->name, reading->name) == 0;
    return reading->fn(reading->data, document, err);
}

static int tell_failure(struct reading *reading, const char *words, ernie_error *err)
{
    const struct helper_document document = { .name = reading->name, .failure = words };

    return tell(reading, &document, err);
}

static int read_member(struct reading *outer, const struct wire_message *message,
                       ernie_error *err)
{
    struct reading reading = { .helper = outer->helper, .name = message->name, .fn = outer->fn,
                               .data = outer->data };
    ernie_error why;
    int status, fd;

    /* Which programs read what is not the child's to say: one of these has no members. */
    if (message->format != DOCUMENT_PDF || outer->name[0] != '\0')
        return ERNIE_OK;
    fd = open_member(message, err);
    if (fd < 0)
        return err->code;
    status = read_one(&reading, fd, message->name, message->format, &why);
    system_table.close(fd);
    if (status == ERNIE_ENOTFOUND)
        return tell_failure(&reading, why.message, err);
    return status == ERNIE_OK ? status : error_set(err, status, "%s", why.message);
}

/* Acts on a message. *is_last: no other follows. */
static int take_message(struct reading *reading, struct wire_message *message, int *is_last,
                        ernie_error *err)
{
    struct helper_document document = { .name = message->name,
                                        .size_bytes = message->size_bytes };

    /* A program that reads a member says nothing of other files. */
    if (message->name[0] == '\0')
        document.name = reading->name;
    else if (reading->name[0] != '\0')
        return ERNIE_OK;
    switch (message->type) {
    case WIRE_TEXT:
        document.extract = &message->extract;
        return tell(reading, &document, err);
    case WIRE_FAILURE:
        document.failure = message->words;
        return tell(reading, &document, err);
    case WIRE_MEMBER:
        return read_member(reading, message, err);
    case WIRE_UNREAD:
        return error_set(err, ERNIE_ENOTFOUND, "%s", message->words);
    case WIRE_END:
        *is_last = 1;
        break;
    }
    return ERNIE_OK;
}

static int read_one(struct reading *reading, int fd, const char *file_name,
                    enum document_format format, ernie_error *err)
{
    const unsigned timeout_ms =
        reading->helper->timeout_ms != 0 ? reading->helper->timeout_ms : TIMEOUT_MS;
    struct child child = { .fd = -1 };
    struct buffer payload = { 0 };
    enum end end = END_NONE;
    char words[128];
    int exit_status, is_last = 0, status;

    status = start(reading->helper, fd, file_name, format, &child, err);
    if (status != ERNIE_OK)
        return status;
    while (status == ERNIE_OK && end == END_NONE && !is_last) {
        struct wire_message message = { 0 };

        status = hear_message(&child, timeout_ms, &payload, &message, &end, err);
        if (status == ERNIE_OK && end == END_NONE)
            status = take_message(reading, &message, &is_last, err);
        wire_message_reset(&message);
    }
    buffer_reset(&payload);
    exit_status = end_child(&child);
    if (status != ERNIE_OK || is_last)
        return status;
    explain(end, exit_status, timeout_ms, words, sizeof words);
    return reading->is_told ? ERNIE_OK : tell_failure(reading, words, err);
}

int helper_extract(struct helper *helper, int fd, const char *name, enum document_format format,
                   helper_fn fn, void *data, ernie_error *err)
{
    const char *slash = strrchr(name, '/');
    struct reading reading = { .helper = helper, .name = "", .fn = fn, .data = data };
    int status = find_folder(helper, err);

    if (status == ERNIE_OK)
        status = read_one(&reading, fd, slash != NULL ? slash + 1 : name, format, err);
    return status;
}
