#include "document/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/utf8.h"
#include "document/glob.h"

/* Folders within folders. Each holds a descriptor open only while it is read. */
#define MAX_DEPTH 1000

/* One name of a folder, looked at while the folder was open. */
struct entry {
    char *name;
    int why; /* errno of that look, or 0 */
    mode_t mode;
    uint64_t size_bytes;
    int64_t mtime_ns, ctime_ns;
};

/* A folder that is being walked: all read before the first entry is used, so that
 * they can be sorted and no descriptor stays open. */
struct level {
    struct entry *entries; /* [n] */
    size_t n, next;
    size_t path_size; /* of the path up to here, with its slash */
    dev_t device;
    ino_t inode;
};

struct walker {
    const char *root;
    const struct walk_options *options;
    walk_fn fn;
    void *data;
    struct buffer path; /* below the root */
    struct level *level; /* [depth] */
    size_t depth, capacity;
};

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "walk: out of memory");
}

/* Sets err from errno_value, with the path made printable: names may hold any bytes. */
static int set_path_error(ernie_error *err, int errno_value, const char *path)
{
    struct buffer printable = { 0 };
    int status;

    utf8_append_printable(&printable, path, strlen(path));
    status = errno_value == ENOMEM || printable.failed
                 ? error_set(err, ERNIE_ENOMEM, "walk: out of memory")
                 : error_set_system(err, errno_value, printable.size > 0 ? printable.data : "");
    buffer_reset(&printable);
    return status;
}

/* The words for errno_value, for whoever counts what could not be looked at. */
static int report_failure(struct walker *walker, int errno_value, ernie_error *err)
{
    const char *path = walker->path.size > 0 ? walker->path.data : "";
    const struct walk_file file = { .path = path };
    ernie_error why;

    if (set_path_error(&why, errno_value, path[0] != '\0' ? path : walker->root) == ERNIE_ENOMEM)
        return out_of_memory(err);
    return walker->fn(walker->data, &file, why.message, err);
}

/* ---- one folder's names ------------------------------------------------ */

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void level_reset(struct level *level)
{
    for (size_t i = 0; i < level->n; i++)
        memory_free(level->entries[i].name);
    memory_free(level->entries);
    memset(level, 0, sizeof *level);
}

static int64_t nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void set_stat(struct entry *entry, int folder, const char *name)
{
    struct stat st;

    if (system_table.fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        entry->why = errno;
        return;
    }
    entry->mode = st.st_mode;
    entry->size_bytes = (uint64_t)st.st_size;
    entry->mtime_ns = nanoseconds(st.st_mtim);
    entry->ctime_ns = nanoseconds(st.st_ctim);
}

static int add_entry(struct level *level, size_t *capacity, int folder, const char *name)
{
    struct entry *entry;

    if (level->n == *capacity) {
        size_t grown = *capacity == 0 ? 32 : *capacity * 2;
        struct entry *entries = memory_resize(level->entries, grown, sizeof *entries);

        if (entries == NULL)
            return -1;
        level->entries = entries;
        *capacity = grown;
    }
    entry = &level->entries[level->n];
    memset(entry, 0, sizeof *entry);
    entry->name = memory_copy_text(name, strlen(name));
    if (entry->name == NULL)
        return -1;
    set_stat(entry, folder, name);
    level->n++;
    return 0;
}

/* 0, or what errno was. */
static int read_entries(DIR *directory, int folder, int hidden, struct level *level)
{
    struct dirent *found;
    size_t capacity = 0;

    for (;;) {
        errno = 0;
        found = system_table.readdir(directory);
        if (found == NULL)
            return errno;
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0 ||
            (found->d_name[0] == '.' && !hidden))
            continue;
        if (add_entry(level, &capacity, folder, found->d_name) != 0)
            return ENOMEM;
    }
}

/* A descriptor of what is at path below the root. Every part is opened from the one
 * before and may be no link, so that nothing put in the way meanwhile leads out. */
static int open_below(const char *root, const char *path, int flags)
{
    int fd = system_table.openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    char name[256];

    while (fd >= 0 && *path != '\0') {
        size_t size = strcspn(path, "/");
        int last = path[size] == '\0', next, why;

        if (size >= sizeof name) {
            system_table.close(fd);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, path, size);
        name[size] = '\0';
        if (strcmp(name, "..") == 0) { /* no path below the root has it */
            system_table.close(fd);
            errno = ENOENT;
            return -1;
        }
        next = system_table.openat(
            fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? flags : O_DIRECTORY), 0);
        why = errno;
        system_table.close(fd);
        errno = why;
        fd = next;
        path += size + !last;
    }
    return fd;
}

/* Whether a folder is one of those being walked: a bind mount can hold itself. */
static int is_within_itself(const struct walker *walker, const struct level *level)
{
    for (size_t i = 0; i < walker->depth; i++)
        if (walker->level[i].device == level->device && walker->level[i].inode == level->inode)
            return 1;
    return 0;
}

/* Reads the folder at walker->path into a level. 0, or what errno was. */
static int read_folder(struct walker *walker, struct level *level)
{
    const char *path = walker->path.size > 0 ? walker->path.data : "";
    int fd = open_below(walker->root, path, O_DIRECTORY | O_NONBLOCK), why = 0;
    DIR *directory;
    struct stat st;

    memset(level, 0, sizeof *level);
    if (fd < 0)
        return errno;
    if (system_table.fstat(fd, &st) != 0) {
        why = errno;
        system_table.close(fd);
        return why;
    }
    level->device = st.st_dev;
    level->inode = st.st_ino;
    directory = system_table.fdopendir(fd);
    if (directory == NULL) {
        why = errno;
        system_table.close(fd);
        return why;
    }
    if (is_within_itself(walker, level))
        why = ELOOP;
    else
        why = read_entries(directory, fd, walker->options->hidden, level);
    system_table.closedir(directory);
    if (why != 0)
        level_reset(level);
    return why;
}

/* ---- the walk ---------------------------------------------------------- */

static int push_level(struct walker *walker, const struct level *level)
{
    if (walker->depth == walker->capacity) {
        size_t capacity = walker->capacity == 0 ? 16 : walker->capacity * 2;
        struct level *grown = memory_resize(walker->level, capacity, sizeof *grown);

        if (grown == NULL)
            return -1;
        walker->level = grown;
        walker->capacity = capacity;
    }
    walker->level[walker->depth++] = *level;
    return 0;
}

static int tell_of_folder(const struct walker *walker, ernie_error *err)
{
    const struct walk_options *options = walker->options;

    if (options->folder == NULL)
        return ERNIE_OK;
    return options->folder(options->folder_data, walker->root,
                           walker->path.size > 0 ? walker->path.data : "", err);
}

static int tell_of_mount(const struct walker *walker, const struct level *level, ernie_error *err)
{
    const struct walk_options *options = walker->options;

    if (options->mount == NULL || walker->depth == 0 ||
        walker->level[walker->depth - 1].device == level->device)
        return ERNIE_OK;
    return options->mount(options->mount_data, walker->root, walker->path.data, err);
}

static int enter_folder(struct walker *walker, ernie_error *err)
{
    struct level level;
    int why, status = tell_of_folder(walker, err);

    if (status != ERNIE_OK)
        return status;
    why = walker->depth < MAX_DEPTH ? read_folder(walker, &level) : ENAMETOOLONG;

    if (why == ENOENT && walker->depth > 0) /* gone since its folder was read */
        return ERNIE_OK;
    if (why != 0)
        return report_failure(walker, why, err);
    status = tell_of_mount(walker, &level, err);
    if (status != ERNIE_OK) {
        level_reset(&level);
        return status;
    }
    if (walker->path.size > 0)
        buffer_append_char(&walker->path, '/');
    level.path_size = walker->path.size;
    if (level.n > 1)
        qsort(level.entries, level.n, sizeof *level.entries, compare_entries);
    if (walker->path.failed || push_level(walker, &level) != 0) {
        level_reset(&level);
        return out_of_memory(err);
    }
    return ERNIE_OK;
}

/* What to do with walker->path, whose parts above it were folders. */
static int visit(struct walker *walker, const struct entry *entry, ernie_error *err)
{
    const struct walk_options *options = walker->options;
    const struct walk_file file = { .path = walker->path.data,
                                    .size_bytes = entry->size_bytes,
                                    .mtime_ns = entry->mtime_ns,
                                    .ctime_ns = entry->ctime_ns };

    if (entry->why == ENOENT) /* gone since its folder was read */
        return ERNIE_OK;
    if (entry->why != 0)
        return report_failure(walker, entry->why, err);
    if (!S_ISDIR(entry->mode) && !S_ISREG(entry->mode)) /* links, FIFOs, sockets, devices */
        return ERNIE_OK;
    if (glob_excludes(options->n_excludes, options->excludes, walker->path.data,
                      S_ISDIR(entry->mode)))
        return ERNIE_OK;
    return S_ISDIR(entry->mode) ? enter_folder(walker, err)
                                : walker->fn(walker->data, &file, NULL, err);
}

/* Whether one of the folders that path lies in is left out: nothing brings back what
 * is below such a folder. */
static int is_below_excluded(const struct walk_options *options, char *path)
{
    int excluded = 0;

    for (char *slash = strchr(path, '/'); !excluded && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        excluded = glob_excludes(options->n_excludes, options->excludes, path, 1);
        *slash = '/';
    }
    return excluded;
}

/* The place the walk begins at, when it is not the root. */
static int visit_start(struct walker *walker, ernie_error *err)
{
    const char *path = walker->path.data, *name = strrchr(path, '/');
    char *folder = memory_copy_text(path, name != NULL ? (size_t)(name - path) : 0);
    struct entry entry = { 0 };
    int fd;

    if (folder == NULL)
        return out_of_memory(err);
    if (is_below_excluded(walker->options, walker->path.data)) {
        memory_free(folder);
        return ERNIE_OK;
    }
    fd = open_below(walker->root, folder, O_DIRECTORY);
    memory_free(folder);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR) &&
        walk_look(walker->root, "") == WALK_PRESENT) /* gone, and its folder as well */
        return ERNIE_OK;
    if (fd < 0)
        return report_failure(walker, errno, err);
    set_stat(&entry, fd, name != NULL ? name + 1 : path);
    system_table.close(fd);
    return visit(walker, &entry, err);
}

static int walk_levels(struct walker *walker, ernie_error *err)
{
    int status = ERNIE_OK;

    while (status == ERNIE_OK && walker->depth > 0) {
        struct level *level = &walker->level[walker->depth - 1];
        const struct entry *entry = &level->entries[level->next];

        walker->path.size = level->path_size;
        if (level->next == level->n) {
            level_reset(level);
            walker->depth--;
            continue;
        }
        level->next++;
        buffer_append_text(&walker->path, entry->name);
        status = walker->path.failed ? out_of_memory(err) : visit(walker, entry, err);
    }
    return status;
}

int walk(const char *root, const char *below, const struct walk_options *options, walk_fn fn,
         void *data, ernie_error *err)
{
    struct walker walker = { .root = root, .options = options, .fn = fn, .data = data };
    int status;

    buffer_append_text(&walker.path, below);
    if (walker.path.failed)
        status = out_of_memory(err);
    else
        status = below[0] == '\0' ? enter_folder(&walker, err) : visit_start(&walker, err);
    if (status == ERNIE_OK)
        status = walk_levels(&walker, err);
    while (walker.depth > 0)
        level_reset(&walker.level[--walker.depth]);
    memory_free(walker.level);
    buffer_reset(&walker.path);
    return status;
}

/* Of an open folder, which is closed. */
static enum walk_presence look_into(int fd)
{
    DIR *directory = system_table.fdopendir(fd);
    enum walk_presence presence = WALK_EMPTY;
    const struct dirent *found;

    if (directory == NULL) {
        system_table.close(fd);
        return WALK_UNREADABLE;
    }
    do {
        errno = 0;
        found = system_table.readdir(directory);
    } while (found != NULL && (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0));
    if (found != NULL)
        presence = WALK_PRESENT;
    else if (errno != 0)
        presence = WALK_UNREADABLE;
    system_table.closedir(directory);
    return presence;
}

enum walk_presence walk_look(const char *root, const char *below)
{
    struct stat st;
    int fd = open_below(root, below, O_NONBLOCK | O_NOCTTY);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return WALK_ABSENT;
    if (fd < 0)
        return errno == ELOOP ? WALK_PRESENT : WALK_UNREADABLE; /* a link is something */
    if (system_table.fstat(fd, &st) != 0) {
        system_table.close(fd);
        return WALK_UNREADABLE;
    }
    if (S_ISDIR(st.st_mode))
        return look_into(fd);
    system_table.close(fd);
    return WALK_PRESENT;
}

/* The device of a folder; 0 when there is none. */
static int device_of(const char *root, const char *below, dev_t *out)
{
    int fd = open_below(root, below, O_DIRECTORY | O_NONBLOCK);
    struct stat st;
    int is_there;

    if (fd < 0)
        return 0;
    is_there = system_table.fstat(fd, &st) == 0;
    system_table.close(fd);
    *out = is_there ? st.st_dev : 0;
    return is_there;
}

int walk_is_mount(const char *root, const char *below)
{
    const char *slash = strrchr(below, '/');
    char *folder = memory_copy_text(below, slash != NULL ? (size_t)(slash - below) : 0);
    dev_t device, outer;
    int is_mount = folder != NULL && device_of(root, below, &device) &&
                   device_of(root, folder, &outer) && device != outer;

    memory_free(folder);
    return is_mount;
}

int walk_open(const char *root, const char *path, ernie_error *err)
{
    struct stat st;
    int fd = open_below(root, path, O_NONBLOCK | O_NOCTTY), why;

    if (fd < 0) {
        set_path_error(err, errno, path);
        return -1;
    }
    why = system_table.fstat(fd, &st) != 0 ? errno : 0;
    if (why == 0 && S_ISREG(st.st_mode))
        return fd;
    system_table.close(fd);
    if (why == 0)
        error_set(err, ERNIE_EINVAL, "not a regular file any more");
    else
        set_path_error(err, why, path);
    return -1;
}
