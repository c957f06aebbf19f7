#include "document/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "document/extract.h"

/* More changed paths than this are not worth remembering: looking at everything is as quick. */
#define MAX_PATHS 65536
/* No IN_MODIFY: a log that grows would be read without end. It is read when it is closed. */
#define MASK                                                                                      \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |           \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

struct watched {
    int wd;
    char *folder; /* NULL when it is no longer watched */
};

struct changes {
    int inotify;   /* -1: nothing can be watched */
    int mounts;    /* the table of mounts, which can be polled; or -1 */
    int hidden;
    struct watched *watched; /* [n], by wd */
    size_t n, capacity, n_dead; /* n_dead of n are NULL */
    struct path_list paths, unwatched;
    int overflowed, mounted;
    int why_unwatched;
};

/* ---- lists of paths ---------------------------------------------------- */

int path_list_add(struct path_list *list, const char *path)
{
    char *copy;

    if (list->n == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        char **grown = memory_resize(list->path, capacity, sizeof *grown);

        if (grown == NULL)
            return -1;
        list->path = grown;
        list->capacity = capacity;
    }
    copy = memory_copy_text(path, strlen(path));
    if (copy == NULL)
        return -1;
    list->path[list->n++] = copy;
    return 0;
}

/* By bytes, the slash before all others: what is below a folder follows it at once. */
static int compare_paths(const void *a, const void *b)
{
    const unsigned char *x = *(const unsigned char *const *)a;
    const unsigned char *y = *(const unsigned char *const *)b;

    while (*x != '\0' && *x == *y)
        x++, y++;
    if (*x == *y)
        return 0;
    if (*x == '\0' || *y == '\0')
        return *x == '\0' ? -1 : 1;
    if (*x == '/' || *y == '/')
        return *x == '/' ? -1 : 1;
    return *x < *y ? -1 : 1;
}

void path_list_reduce(struct path_list *list)
{
    size_t n = 0;

    if (list->n > 1)
        qsort(list->path, list->n, sizeof *list->path, compare_paths);
    for (size_t i = 0; i < list->n; i++) {
        if (n > 0 && path_below(list->path[n - 1], list->path[i]) != NULL)
            memory_free(list->path[i]);
        else
            list->path[n++] = list->path[i];
    }
    list->n = n;
}

void path_list_reset(struct path_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        memory_free(list->path[i]);
    memory_free(list->path);
    *list = (struct path_list){ 0 };
}

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "watch: out of memory");
}

/* ---- folders ----------------------------------------------------------- */

int changes_new(int hidden, struct changes **out, ernie_error *err)
{
    struct changes *changes = memory_new(1, sizeof *changes);

    if (changes == NULL)
        return out_of_memory(err);
    changes->hidden = hidden;
    changes->inotify = system_table.inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (changes->inotify < 0)
        changes->why_unwatched = errno;
    changes->mounts =
        system_table.openat(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC, 0);
    *out = changes;
    return ERNIE_OK;
}

void changes_free(struct changes *changes)
{
    if (changes == NULL)
        return;
    for (size_t i = 0; i < changes->n; i++)
        memory_free(changes->watched[i].folder);
    memory_free(changes->watched);
    if (changes->inotify >= 0)
        system_table.close(changes->inotify);
    if (changes->mounts >= 0)
        system_table.close(changes->mounts);
    path_list_reset(&changes->paths);
    path_list_reset(&changes->unwatched);
    memory_free(changes);
}

/* Where wd is, or would be. */
static size_t find(const struct changes *changes, int wd)
{
    size_t from = 0, to = changes->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (changes->watched[middle].wd < wd)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static int make_room(struct changes *changes)
{
    struct watched *grown;
    size_t capacity = changes->capacity == 0 ? 64 : changes->capacity * 2;

    if (changes->n < changes->capacity)
        return 0;
    grown = memory_resize(changes->watched, capacity, sizeof *grown);
    if (grown == NULL)
        return -1;
    changes->watched = grown;
    changes->capacity = capacity;
    return 0;
}

/* A folder that is watched already has the number it had, perhaps under another path. */
static int note_watched(struct changes *changes, int wd, const char *folder)
{
    size_t i = find(changes, wd);
    char *copy = memory_copy_text(folder, strlen(folder));

    if (copy == NULL)
        return -1;
    if (i < changes->n && changes->watched[i].wd == wd) {
        changes->n_dead -= changes->watched[i].folder == NULL;
        memory_free(changes->watched[i].folder);
        changes->watched[i].folder = copy;
        return 0;
    }
    if (make_room(changes) != 0) {
        memory_free(copy);
        return -1;
    }
    memmove(&changes->watched[i + 1], &changes->watched[i],
            (changes->n - i) * sizeof *changes->watched);
    changes->watched[i] = (struct watched){ wd, copy };
    changes->n++;
    return 0;
}

static int note_unwatched(struct changes *changes, const char *folder, int why, ernie_error *err)
{
    if (changes->why_unwatched == 0)
        changes->why_unwatched = why;
    return path_list_add(&changes->unwatched, folder) == 0 ? ERNIE_OK : out_of_memory(err);
}

int changes_watch(struct changes *changes, const char *folder, ernie_error *err)
{
    int wd;

    if (changes->inotify < 0)
        return note_unwatched(changes, folder, changes->why_unwatched, err);
    wd = system_table.inotify_add_watch(changes->inotify, folder, MASK);
    if (wd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return ERNIE_OK;
    if (wd < 0)
        return note_unwatched(changes, folder, errno, err);
    if (note_watched(changes, wd, folder) != 0) {
        system_table.inotify_rm_watch(changes->inotify, wd);
        return out_of_memory(err);
    }
    return ERNIE_OK;
}

/* Its number stays in the order until there are many such. */
static void drop(struct changes *changes, size_t i)
{
    memory_free(changes->watched[i].folder);
    changes->watched[i].folder = NULL;
    changes->n_dead++;
}

static void compact(struct changes *changes)
{
    size_t n = 0;

    if (changes->n_dead <= changes->n / 2)
        return;
    for (size_t i = 0; i < changes->n; i++)
        if (changes->watched[i].folder != NULL)
            changes->watched[n++] = changes->watched[i];
    changes->n = n;
    changes->n_dead = 0;
}

void changes_forget(struct changes *changes, const char *folder)
{
    for (size_t i = 0; i < changes->n; i++) {
        const struct watched *watched = &changes->watched[i];

        if (watched->folder != NULL && path_below(folder, watched->folder) != NULL) {
            system_table.inotify_rm_watch(changes->inotify, watched->wd);
            drop(changes, i);
        }
    }
    compact(changes);
}

/* ---- events ------------------------------------------------------------ */

static void overflow(struct changes *changes)
{
    path_list_reset(&changes->paths);
    changes->overflowed = 1;
}

/* What there is no memory for is not known, as what the kernel could not keep. */
static void add_path(struct changes *changes, const char *path)
{
    struct path_list *paths = &changes->paths;

    if (changes->overflowed)
        return;
    if (paths->n > 0 && strcmp(paths->path[paths->n - 1], path) == 0) /* written again */
        return;
    if (paths->n == MAX_PATHS)
        path_list_reduce(paths);
    if (paths->n > MAX_PATHS / 2 || path_list_add(paths, path) != 0)
        overflow(changes);
}

/* Something of this name in a watched folder. */
static void take_name(struct changes *changes, const char *folder, const char *name, uint32_t mask)
{
    struct buffer path = { 0 };

    if ((name[0] == '.' && !changes->hidden) ||
        ((mask & IN_ISDIR) == 0 && !document_name_is_promising(name)))
        return;
    buffer_append_text(&path, folder);
    if (strcmp(folder, "/") != 0)
        buffer_append_char(&path, '/');
    buffer_append_text(&path, name);
    if (path.failed) {
        overflow(changes);
    } else {
        /* The watches of a folder that is moved go along with it, under a path that is not
         * theirs any more. */
        if ((mask & IN_ISDIR) && (mask & IN_MOVED_FROM))
            changes_forget(changes, path.data);
        add_path(changes, path.data);
    }
    buffer_reset(&path);
}

static void take_event(struct changes *changes, const struct inotify_event *event)
{
    size_t i = find(changes, event->wd);
    char *folder;

    if (event->mask & IN_Q_OVERFLOW)
        overflow(changes);
    if (i == changes->n || changes->watched[i].wd != event->wd ||
        changes->watched[i].folder == NULL)
        return;
    if (event->mask & IN_UNMOUNT) {
        changes->mounted = 1;
    } else if (event->mask & IN_IGNORED) { /* the kernel let it go */
        drop(changes, i);
        compact(changes);
    } else if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
        folder = changes->watched[i].folder;
        add_path(changes, folder);
        if (event->mask & IN_MOVE_SELF) {
            changes->watched[i].folder = NULL; /* ours, while it is compared */
            changes->n_dead++;
            system_table.inotify_rm_watch(changes->inotify, event->wd);
            changes_forget(changes, folder);
            memory_free(folder);
        }
    } else if (event->len > 0) {
        take_name(changes, changes->watched[i].folder, event->name, event->mask);
    }
}

/* Nothing more is told of: all is to be looked at. */
static void give_up(struct changes *changes, int why)
{
    system_table.close(changes->inotify);
    changes->inotify = -1;
    changes->why_unwatched = why;
    for (size_t i = 0; i < changes->n; i++)
        memory_free(changes->watched[i].folder);
    changes->n = changes->n_dead = 0;
    overflow(changes);
}

static void take_events(struct changes *changes)
{
    _Alignas(struct inotify_event) char bytes[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];

    for (;;) {
        ssize_t size = system_table.read(changes->inotify, bytes, sizeof bytes);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            give_up(changes, size < 0 ? errno : EIO);
            return;
        }
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const void *)(bytes + at);

            take_event(changes, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

int changes_wait(struct changes *changes, int timeout_ms, ernie_error *err)
{
    struct pollfd fds[2] = { { .fd = changes->inotify, .events = POLLIN },
                             { .fd = changes->mounts, .events = POLLPRI } };
    int n = system_table.poll(fds, 2, timeout_ms);

    if (n < 0 && errno == EINTR)
        return error_set(err, ERNIE_ECANCELED, "watch: a signal came");
    if (n < 0 && errno != EAGAIN)
        return error_set_system(err, errno, "watch");
    if (n > 0 && fds[0].revents != 0)
        take_events(changes);
    if (n > 0 && fds[1].revents != 0)
        changes->mounted = 1;
    return ERNIE_OK;
}

/* ---- what was told ----------------------------------------------------- */

size_t changes_n(const struct changes *changes)
{
    return changes->paths.n;
}

int changes_overflowed(const struct changes *changes)
{
    return changes->overflowed;
}

int changes_mounted(const struct changes *changes)
{
    return changes->mounted;
}

void changes_take(struct changes *changes, struct path_list *out)
{
    *out = changes->paths;
    path_list_reduce(out);
    changes->paths = (struct path_list){ 0 };
    changes->overflowed = changes->mounted = 0;
}

size_t changes_n_watched(const struct changes *changes)
{
    return changes->n - changes->n_dead;
}

size_t changes_n_unwatched(const struct changes *changes)
{
    return changes->unwatched.n;
}

int changes_why_unwatched(const struct changes *changes)
{
    return changes->why_unwatched;
}

void changes_take_unwatched(struct changes *changes, struct path_list *out)
{
    *out = changes->unwatched;
    path_list_reduce(out);
    changes->unwatched = (struct path_list){ 0 };
}
