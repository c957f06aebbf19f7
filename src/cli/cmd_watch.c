/* ernie watch: a program that stays, and keeps out of the way. */
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"

/* How soon a signal is seen while nothing happens. */
#define STEP_MS 1000

/* Of this process alone, with the threads it starts. What is refused is as it was. */
static void lower_priority(void)
{
    const struct sched_param none = { 0 };

    setpriority(PRIO_PROCESS, 0, 19);
    sched_setscheduler(0, SCHED_BATCH, &none);
#ifdef SYS_ioprio_set
    /* ioprio_set(2) has no function in the C library: 1 is this thread's process, 3 << 13 the
     * idle class. */
    syscall(SYS_ioprio_set, 1, 0, 3 << 13);
#endif
}

/* Tells a service manager how things are, as sd_notify(3) has it: lines in one datagram to the
 * socket it named. Without one this does nothing. */
static void notify(const char *lines)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv("NOTIFY_SOCKET");
    size_t size;
    int fd;

    if (path == NULL || (path[0] != '/' && path[0] != '@'))
        return;
    size = strlen(path);
    if (size >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') /* an abstract name begins with a 0 byte */
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&address,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
    close(fd);
}

static void notify_state(const ernie_watcher *watcher)
{
    struct ernie_watch_state state;
    char lines[128];

    ernie_watcher_state(watcher, &state);
    if (state.is_paused)
        snprintf(lines, sizeof lines, "STATUS=on battery: waiting for power");
    else if (state.n_unwatched > 0)
        snprintf(lines, sizeof lines, "STATUS=watching %zu folders, reading %zu now and then",
                 state.n_watched, state.n_unwatched);
    else
        snprintf(lines, sizeof lines, "STATUS=watching %zu folders", state.n_watched);
    notify(lines);
}

static int is_news(const struct ernie_index_report *report)
{
    return report->n_added + report->n_changed + report->n_moved + report->n_removed +
               report->n_failed >
           0;
}

/* What is shown while a batch is indexed. */
struct show {
    struct bar bar;
    double began; /* the batch, or 0 */
};

static int show_progress(void *data, const struct ernie_progress *progress)
{
    struct show *show = data;

    if (show->began == 0) {
        bar_init(&show->bar);
        show->began = show->bar.started;
    }
    return bar_show(&show->bar, progress);
}

static int watch(ernie_watcher *watcher, struct show *show)
{
    int status = ERNIE_OK, is_first = 1, is_done;
    struct ernie_index_report report;
    ernie_error err;

    notify("READY=1\nSTATUS=looking at everything once");
    while (!signal_seen()) {
        show->began = 0;
        status = ernie_watcher_step(watcher, STEP_MS, &report, &is_done, &err);
        bar_clear(&show->bar);
        if (status != ERNIE_OK)
            break;
        if (is_done && (is_first || is_news(&report)))
            print_index_report(&report, seconds_now() - show->began);
        is_first &= !is_done;
        if (is_done)
            notify_state(watcher);
    }
    notify("STOPPING=1");
    if (signal_seen()) /* it was asked to stop, and nothing is lost */
        return EXIT_FOUND;
    return fail_with(&err);
}

int cmd_watch(const struct arguments *arguments)
{
    struct show show = { 0 };
    struct ernie_watch_options options = {
        .index = { .n_threads = arguments->n_threads,
                   .n_excludes = arguments->n_excludes,
                   .excludes = arguments->excludes,
                   .hidden = arguments->hidden,
                   .ocr = arguments->ocr,
                   .unconfined = arguments->no_jail,
                   .progress = show_progress,
                   .progress_data = &show },
        .pauses_on_battery = !arguments->runs_on_battery,
    };
    ernie_watcher *watcher = NULL;
    ernie_database *database;
    ernie_model *model;
    ernie_error err;
    int status;

    end_soon_after_signals();
    if (!arguments->normal_priority)
        lower_priority();
    status = open_database(arguments, arguments->n_words > 0 ? ERNIE_CREATE : ERNIE_WRITE, &model,
                           &database);
    if (status != EXIT_FOUND)
        return status;
    if (ernie_watcher_new(database, arguments->n_words, (const char *const *)arguments->words,
                          &options, &watcher, &err) == ERNIE_OK)
        status = watch(watcher, &show);
    else
        status = fail_with(&err);
    ernie_watcher_free(watcher);
    ernie_close(database);
    ernie_model_close(model);
    return status;
}
