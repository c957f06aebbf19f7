/* Folders that are kept up to date: what changes is gathered until it is quiet for a moment,
 * and then indexed in one batch, by the paths that changed alone. What inotify cannot tell is
 * found by looking: everything at first, after its queue ran over, after a mount and every hour;
 * a folder that is not there until it is; folders past the limit of watches more often. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/power.h"
#include "base/system.h"
#include "database.h"
#include "document/changes.h"
#include "ernie.h"
#include "ingest.h"
#include "scan.h"

#define DEFAULT_QUIET_MS 1000
#define DEFAULT_MAX_WAIT_MS 15000
#define DEFAULT_RESCAN_S 600
#define DEFAULT_RESCAN_ALL_S 3600
/* How often it is looked whether a watched folder is still the same, and is there. */
#define LOOK_MS 2000
#define POWER_MS 5000
/* After another process was found writing. */
#define RETRY_MS 2000

/* A folder that was asked for. */
struct top {
    char *path;
    int is_there;
    dev_t device;
    ino_t inode;
};

struct ernie_watcher {
    ernie_database *database;
    struct ernie_watch_options options;
    struct top *top; /* [n_tops] */
    size_t n_tops;
    struct changes *changes;
    struct path_list todo; /* taken from changes, and not indexed yet */
    int all;               /* all tops are to be looked at */
    int is_first;          /* nothing was yet */
    int told_unwatched;
    /* Times are milliseconds of the clock that never goes back. */
    int64_t first_ms, last_ms; /* of the changes that wait; first_ms 0: none does */
    int64_t not_before_ms;
    int64_t looked_ms;
    int64_t unwatched_ms, all_ms; /* when those that are not watched, or all, are due; 0: never */
    int64_t power_ms; /* when it was last seen where the power comes from */
    int is_paused;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "watch: out of memory");
}

/* ---- the folders asked for --------------------------------------------- */

static int take_given(size_t n, const char *const *given, struct path_list *out, ernie_error *err)
{
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        struct stat st;
        char *path;

        status = scan_resolve(given[i], &path, err);
        if (status != ERNIE_OK)
            break;
        if (system_table.fstatat(AT_FDCWD, path, &st, 0) == 0 && !S_ISDIR(st.st_mode))
            status = error_set(err, ERNIE_EINVAL, "%s: not a folder", given[i]);
        else if (path_list_add(out, path) != 0)
            status = out_of_memory(err);
        memory_free(path);
    }
    return status;
}

static int take_roots(struct store *store, struct path_list *out, ernie_error *err)
{
    struct store_root *roots;
    size_t n;
    int status = store_roots(store, &roots, &n, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        if (path_list_add(out, roots[i].path) != 0)
            status = out_of_memory(err);
    store_roots_free(roots, n);
    if (status == ERNIE_OK && n == 0)
        status = error_set(err, ERNIE_ENOTFOUND,
                           "%s: no folder is indexed yet; `ernie watch PATH` does and watches it",
                           store_path(store));
    return status;
}

/* Takes the paths over. */
static int set_tops(ernie_watcher *watcher, struct path_list *paths, ernie_error *err)
{
    path_list_reduce(paths);
    watcher->top = memory_new(paths->n, sizeof *watcher->top);
    if (watcher->top == NULL)
        return out_of_memory(err);
    for (; watcher->n_tops < paths->n; watcher->n_tops++) {
        watcher->top[watcher->n_tops].path = paths->path[watcher->n_tops];
        paths->path[watcher->n_tops] = NULL;
    }
    return ERNIE_OK;
}

/* A drive that is mounted on a folder, or taken away from it, changes what the folder is; and
 * a folder that is not there sends no word when it is. */
static void look_at_tops(ernie_watcher *watcher)
{
    for (size_t i = 0; i < watcher->n_tops; i++) {
        struct top *top = &watcher->top[i];
        struct stat st;
        int is_there = system_table.fstatat(AT_FDCWD, top->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISDIR(st.st_mode);

        if (is_there == top->is_there &&
            (!is_there || (st.st_dev == top->device && st.st_ino == top->inode)))
            continue;
        top->is_there = is_there;
        changes_forget(watcher->changes, top->path);
        if (is_there) {
            top->device = st.st_dev;
            top->inode = st.st_ino;
            watcher->all = 1;
        }
    }
}

/* ---- a batch ----------------------------------------------------------- */

/* walk tells of each folder before it reads it. */
static int watch_folder(void *data, const char *root, const char *path, ernie_error *err)
{
    ernie_watcher *watcher = data;
    struct buffer folder = { 0 };
    int status;

    buffer_append_text(&folder, root);
    if (path[0] != '\0') {
        if (strcmp(root, "/") != 0)
            buffer_append_char(&folder, '/');
        buffer_append_text(&folder, path);
    }
    status = folder.failed ? out_of_memory(err)
                           : changes_watch(watcher->changes, folder.data, err);
    buffer_reset(&folder);
    return status;
}

/* Whether to wait for power; looked at now and then. */
static int is_paused(ernie_watcher *watcher)
{
    int64_t now = now_ms();

    if (!watcher->options.pauses_on_battery)
        return 0;
    if (watcher->power_ms == 0 || now - watcher->power_ms >= POWER_MS) {
        watcher->is_paused = power_is_battery(POWER_SUPPLIES);
        watcher->power_ms = now;
    }
    return watcher->is_paused;
}

/* Stops for the caller, or for the battery. */
static int pass_progress(void *data, const struct ernie_progress *progress)
{
    ernie_watcher *watcher = data;
    const struct ernie_index_options *options = &watcher->options.index;

    if (options->progress != NULL && options->progress(options->progress_data, progress) != 0)
        return 1;
    return is_paused(watcher);
}

/* Says once that there are folders that cannot be watched, and what would help. */
static void tell_of_unwatched(ernie_watcher *watcher)
{
    const struct ernie_index_options *options = &watcher->options.index;
    const size_t n = changes_n_unwatched(watcher->changes);
    const int why = changes_why_unwatched(watcher->changes);
    struct ernie_progress progress = { .stage = ERNIE_STAGE_INDEX, .seconds_left = (double)NAN };
    ernie_error words;

    if (n == 0 || watcher->told_unwatched || options->progress == NULL)
        return;
    watcher->told_unwatched = 1;
    if (why == ENOSPC)
        error_set(&words, ERNIE_EIO,
                  "watch: %zu folders are past the limit of watches, and are read every %u s; "
                  "`sudo sysctl fs.inotify.max_user_watches=1048576` raises it",
                  n, watcher->options.rescan_s);
    else
        error_set(&words, ERNIE_EIO, "watch: %zu folders cannot be watched (%s), and are read every %u s",
                  n, strerror(why), watcher->options.rescan_s);
    progress.failure = words.message;
    options->progress(options->progress_data, &progress);
}

/* Everything: the folders that are there, and at first all, for it to be known what is
 * misspelt. */
static int index_all(ernie_watcher *watcher, struct scan_request *request,
                     const struct ernie_index_options *options, struct ernie_index_report *report,
                     ernie_error *err)
{
    const char **paths = memory_new(watcher->n_tops, sizeof *paths);
    int status;

    if (paths == NULL)
        return out_of_memory(err);
    request->paths = paths;
    request->is_quiet = !watcher->is_first;
    for (size_t i = 0; i < watcher->n_tops; i++)
        if (watcher->top[i].is_there || watcher->is_first)
            paths[request->n_paths++] = watcher->top[i].path;
    status = ingest(watcher->database, request, options, report, err);
    memory_free(paths);
    return status;
}

/* What changed since the last time joins what is still to do. */
static int take_changes(ernie_watcher *watcher, ernie_error *err)
{
    struct path_list taken;
    int status = ERNIE_OK;

    watcher->all |= changes_overflowed(watcher->changes) || changes_mounted(watcher->changes) ||
                    (watcher->all_ms != 0 && now_ms() >= watcher->all_ms);
    changes_take(watcher->changes, &taken);
    for (size_t i = 0; status == ERNIE_OK && i < taken.n; i++)
        if (path_list_add(&watcher->todo, taken.path[i]) != 0)
            status = out_of_memory(err);
    path_list_reset(&taken);
    if (watcher->unwatched_ms != 0 && now_ms() >= watcher->unwatched_ms) {
        changes_take_unwatched(watcher->changes, &taken);
        for (size_t i = 0; status == ERNIE_OK && i < taken.n; i++)
            if (path_list_add(&watcher->todo, taken.path[i]) != 0)
                status = out_of_memory(err);
        path_list_reset(&taken);
    }
    watcher->first_ms = 0;
    path_list_reduce(&watcher->todo);
    return status;
}

static int index_batch(ernie_watcher *watcher, struct ernie_index_report *report, ernie_error *err)
{
    struct ernie_index_options options = watcher->options.index;
    struct scan_request request = { .walk = { .n_excludes = options.n_excludes,
                                              .excludes = options.excludes,
                                              .hidden = options.hidden,
                                              .folder = watch_folder,
                                              .folder_data = watcher } };
    struct path_list dropped;
    int status = take_changes(watcher, err);

    if (status != ERNIE_OK)
        return status;
    options.progress = pass_progress;
    options.progress_data = watcher;
    if (watcher->all) {
        /* Those that cannot be watched are found again. */
        changes_take_unwatched(watcher->changes, &dropped);
        path_list_reset(&dropped);
        return index_all(watcher, &request, &options, report, err);
    }
    request.are_changes = 1;
    request.n_paths = watcher->todo.n;
    request.paths = (const char *const *)watcher->todo.path;
    return ingest(watcher->database, &request, &options, report, err);
}

/* What the batch was for is done, or is to be tried again. */
static int end_batch(ernie_watcher *watcher, int status, int *is_done)
{
    if (status == ERNIE_EBUSY || (status == ERNIE_ECANCELED && watcher->is_paused)) {
        watcher->not_before_ms = now_ms() + RETRY_MS;
        return ERNIE_OK;
    }
    if (status != ERNIE_OK)
        return status;
    if (watcher->all)
        watcher->all_ms = now_ms() + (int64_t)watcher->options.rescan_all_s * 1000;
    watcher->all = watcher->is_first = 0;
    path_list_reset(&watcher->todo);
    tell_of_unwatched(watcher);
    watcher->unwatched_ms = changes_n_unwatched(watcher->changes) > 0
                                ? now_ms() + (int64_t)watcher->options.rescan_s * 1000
                                : 0;
    *is_done = 1;
    return ERNIE_OK;
}

/* ---- steps ------------------------------------------------------------- */

/* When the next batch is to begin; INT64_MAX when nothing waits. */
static int64_t due_ms(const ernie_watcher *watcher)
{
    int64_t due = INT64_MAX;

    if (watcher->all || watcher->todo.n > 0)
        due = 0;
    if (watcher->first_ms != 0) {
        int64_t quiet = watcher->last_ms + watcher->options.quiet_ms;
        int64_t latest = watcher->first_ms + watcher->options.max_wait_ms;
        int64_t either = quiet < latest ? quiet : latest;

        due = either < due ? either : due;
    }
    if (watcher->unwatched_ms != 0 && watcher->unwatched_ms < due)
        due = watcher->unwatched_ms;
    if (watcher->all_ms != 0 && watcher->all_ms < due)
        due = watcher->all_ms;
    return due < watcher->not_before_ms ? watcher->not_before_ms : due;
}

/* Waits until then, or until something happens. */
static int wait_until(ernie_watcher *watcher, int64_t until, ernie_error *err)
{
    struct changes *changes = watcher->changes;
    const size_t n = changes_n(changes);
    int64_t now = now_ms();
    int status = changes_wait(changes, until > now ? (int)(until - now) : 0, err);

    if (changes_n(changes) != n || changes_overflowed(changes) || changes_mounted(changes)) {
        watcher->last_ms = now_ms();
        if (watcher->first_ms == 0)
            watcher->first_ms = watcher->last_ms;
    }
    return status;
}

int ernie_watcher_step(ernie_watcher *watcher, int timeout_ms, struct ernie_index_report *report,
                       int *is_done, ernie_error *err)
{
    const int64_t deadline = now_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    struct ernie_index_report own_report;
    ernie_error own_error;
    int64_t now, due;
    int status;

    report = report != NULL ? report : &own_report;
    err = err != NULL ? err : &own_error;
    *is_done = 0;
    for (;;) {
        now = now_ms();
        if (now - watcher->looked_ms >= LOOK_MS) {
            look_at_tops(watcher);
            watcher->looked_ms = now;
        }
        due = due_ms(watcher);
        if (due <= now && !is_paused(watcher))
            return end_batch(watcher, index_batch(watcher, report, err), is_done);
        if (now >= deadline)
            return ERNIE_OK;
        /* Waiting for power is waiting for the caller's time to end. */
        if (due <= now || due > deadline)
            due = deadline;
        if (due > now + LOOK_MS)
            due = now + LOOK_MS;
        status = wait_until(watcher, due, err);
        if (status == ERNIE_ECANCELED) /* the caller may want to look at its signals */
            return ERNIE_OK;
        if (status != ERNIE_OK)
            return status;
    }
}

void ernie_watcher_state(const ernie_watcher *watcher, struct ernie_watch_state *out)
{
    *out = (struct ernie_watch_state){ .n_watched = changes_n_watched(watcher->changes),
                                       .n_unwatched = changes_n_unwatched(watcher->changes),
                                       .is_paused = watcher->is_paused };
}

/* ---- the whole --------------------------------------------------------- */

static void set_options(ernie_watcher *watcher, const struct ernie_watch_options *options)
{
    if (options != NULL)
        watcher->options = *options;
    if (watcher->options.quiet_ms == 0)
        watcher->options.quiet_ms = DEFAULT_QUIET_MS;
    if (watcher->options.max_wait_ms == 0)
        watcher->options.max_wait_ms = DEFAULT_MAX_WAIT_MS;
    if (watcher->options.rescan_s == 0)
        watcher->options.rescan_s = DEFAULT_RESCAN_S;
    if (watcher->options.rescan_all_s == 0)
        watcher->options.rescan_all_s = DEFAULT_RESCAN_ALL_S;
}

int ernie_watcher_new(ernie_database *database, size_t n_paths, const char *const *paths,
                      const struct ernie_watch_options *options, ernie_watcher **out,
                      ernie_error *err)
{
    ernie_watcher *watcher;
    struct path_list tops = { 0 };
    int status;

    if (!database->writable)
        return error_set(err, ERNIE_EINVAL, "%s: opened for reading only",
                         store_path(database->store));
    watcher = memory_new(1, sizeof *watcher);
    if (watcher == NULL)
        return out_of_memory(err);
    watcher->database = database;
    watcher->all = watcher->is_first = 1;
    set_options(watcher, options);
    status = n_paths > 0 ? take_given(n_paths, paths, &tops, err)
                         : take_roots(database->store, &tops, err);
    if (status == ERNIE_OK)
        status = set_tops(watcher, &tops, err);
    path_list_reset(&tops);
    if (status == ERNIE_OK)
        status = changes_new(watcher->options.index.hidden, &watcher->changes, err);
    if (status != ERNIE_OK) {
        ernie_watcher_free(watcher);
        return status;
    }
    *out = watcher;
    return ERNIE_OK;
}

void ernie_watcher_free(ernie_watcher *watcher)
{
    if (watcher == NULL)
        return;
    for (size_t i = 0; i < watcher->n_tops; i++)
        memory_free(watcher->top[i].path);
    memory_free(watcher->top);
    changes_free(watcher->changes);
    path_list_reset(&watcher->todo);
    memory_free(watcher);
}
