/* Changes in folders: what inotify tells, what it cannot, and that both end up in the
 * collection. The system's failures are made through its table. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/power.h"
#include "base/system.h"
#include "document/changes.h"
#include "document/walk.h"
#include "ernie.h"
#include "faults.h"
#include "folder.h"
#include "suite.h"

static ernie_error err;
static struct system_table real_system;

static void make_folder(void)
{
    real_system = system_table;
    folder_make("check_watch");
    run("mkdir %s/docs", folder);
}

static void remove_folder(void)
{
    system_table = real_system;
    run("rm -rf %s", folder);
}

/* ---- changes ---- */

static struct changes *changes;

static void watch(const char *name)
{
    ck_assert_int_eq(changes_watch(changes, in(name), &err), ERNIE_OK);
}

/* The paths that changed, below the test's folder, each followed by a space. */
static const char *changed(void)
{
    static char names[65536];
    struct path_list list;

    ck_assert_int_eq(changes_wait(changes, 0, &err), ERNIE_OK);
    changes_take(changes, &list);
    names[0] = '\0';
    for (size_t i = 0; i < list.n; i++) {
        ck_assert_int_eq(strncmp(list.path[i], folder, strlen(folder)), 0);
        strcat(names, list.path[i] + strlen(folder) + 1);
        strcat(names, " ");
    }
    path_list_reset(&list);
    return names;
}

static void new_changes(void)
{
    ck_assert_int_eq(changes_new(0, &changes, &err), ERNIE_OK);
}

static void free_changes(void)
{
    changes_free(changes);
}

START_TEST(test_a_list_of_paths_holds_none_below_another)
{
    static const char *const given[] = { "/a/c",  "/a-b", "/a",  "/b/x", "/a-b",
                                         "/b/xy", "/a/d", "/b/x/y", "/c" };
    static const char *const left[] = { "/a", "/a-b", "/b/x", "/b/xy", "/c" };
    struct path_list list = { 0 };

    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        ck_assert_int_eq(path_list_add(&list, given[i]), 0);
    path_list_reduce(&list);
    ck_assert_uint_eq(list.n, 5);
    for (size_t i = 0; i < list.n; i++)
        ck_assert_str_eq(list.path[i], left[i]);
    ck_assert_int_eq(path_list_add(&list, "/"), 0);
    path_list_reduce(&list);
    ck_assert_uint_eq(list.n, 1);
    path_list_reset(&list);
}
END_TEST

START_TEST(test_what_changes_is_told)
{
    write_file("docs/old.txt", "old");
    watch("docs");
    ck_assert_str_eq(changed(), "");
    write_file("docs/a.txt", "a");
    write_file("docs/a.txt", "aa");
    ck_assert_str_eq(changed(), "docs/a.txt ");
    run("mv %s/docs/a.txt %s/docs/b.txt", folder, folder);
    ck_assert_str_eq(changed(), "docs/a.txt docs/b.txt ");
    unlink(in("docs/old.txt"));
    run("mkdir -p %s/docs/deep/er", folder);
    ck_assert_str_eq(changed(), "docs/deep docs/old.txt ");
    ck_assert_int_eq(link(in("docs/b.txt"), in("docs/c.txt")), 0);
    chmod(in("docs/b.txt"), 0600);
    ck_assert_str_eq(changed(), "docs/b.txt docs/c.txt ");
    /* Neither hidden nor what is no text by its name. */
    write_file("docs/.hidden.txt", "h");
    write_file("docs/a.db", "d");
    write_file("docs/a.db-wal", "our own, when the database lies in a folder that is watched");
    write_file("docs/a.db-ann", "d");
    ck_assert_str_eq(changed(), "");
}
END_TEST

START_TEST(test_a_folder_that_is_moved_is_forgotten)
{
    run("mkdir -p %s/docs/old/deep %s/docs/older", folder, folder);
    watch("docs");
    watch("docs/old");
    watch("docs/old/deep");
    watch("docs/older");
    ck_assert_uint_eq(changes_n_watched(changes), 4);
    run("mv %s/docs/old %s/docs/new", folder, folder);
    ck_assert_str_eq(changed(), "docs/new docs/old ");
    ck_assert_uint_eq(changes_n_watched(changes), 2);
    write_file("docs/new/deep/x.txt", "x"); /* by nobody's name yet */
    ck_assert_str_eq(changed(), "");
    watch("docs/new/deep");
    write_file("docs/new/deep/x.txt", "y");
    ck_assert_str_eq(changed(), "docs/new/deep/x.txt ");
    run("rm -r %s/docs/new", folder);
    ck_assert_str_eq(changed(), "docs/new ");
    ck_assert_uint_eq(changes_n_watched(changes), 2);
    /* The outermost one has no folder that tells. */
    run("mv %s/docs %s/away", folder, folder);
    ck_assert_str_eq(changed(), "docs ");
    ck_assert_uint_eq(changes_n_watched(changes), 0);
}
END_TEST

START_TEST(test_folders_by_the_thousand_come_and_go)
{
    char name[32];

    watch("docs");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "docs/%d", i);
            ck_assert_int_eq(mkdir(in(name), 0700), 0);
            watch(name);
        }
        changed();
        ck_assert_uint_eq(changes_n_watched(changes), 1001);
        write_file("docs/777/x.txt", "x");
        ck_assert_str_eq(changed(), "docs/777/x.txt ");
        run("rm -r %s/docs/*", folder);
        changed();
        ck_assert_uint_eq(changes_n_watched(changes), 1);
    }
}
END_TEST

/* One event, as the kernel writes it when its queue is full. */
static ssize_t read_overflow(int fd, void *out, size_t size)
{
    const struct inotify_event event = { .wd = -1, .mask = IN_Q_OVERFLOW };

    (void)fd;
    ck_assert_uint_ge(size, sizeof event);
    memcpy(out, &event, sizeof event);
    system_table.read = real_system.read;
    return sizeof event;
}

START_TEST(test_a_full_queue_is_told)
{
    struct path_list list;

    watch("docs");
    write_file("docs/a.txt", "a");
    system_table.read = read_overflow;
    ck_assert_int_eq(changes_wait(changes, 0, &err), ERNIE_OK);
    ck_assert(changes_overflowed(changes));
    changes_take(changes, &list);
    path_list_reset(&list);
    ck_assert(!changes_overflowed(changes));
    write_file("docs/b.txt", "b");
    ck_assert_str_eq(changed(), "docs/b.txt ");
}
END_TEST

static int n_watches_left;

static int limited_add_watch(int fd, const char *path, uint32_t mask)
{
    if (n_watches_left-- <= 0) {
        errno = ENOSPC;
        return -1;
    }
    return real_system.inotify_add_watch(fd, path, mask);
}

START_TEST(test_folders_past_the_limit_are_remembered)
{
    struct path_list list;

    run("mkdir -p %s/docs/a/b %s/docs/c", folder, folder);
    n_watches_left = 1;
    system_table.inotify_add_watch = limited_add_watch;
    watch("docs");
    watch("docs/a");
    watch("docs/a/b");
    watch("docs/c");
    watch("docs/none"); /* the limit says no before the folder does */
    ck_assert_uint_eq(changes_n_watched(changes), 1);
    ck_assert_uint_eq(changes_n_unwatched(changes), 4);
    ck_assert_int_eq(changes_why_unwatched(changes), ENOSPC);
    changes_take_unwatched(changes, &list);
    ck_assert_uint_eq(list.n, 3);
    path_list_reset(&list);
    ck_assert_uint_eq(changes_n_unwatched(changes), 0);
    system_table.inotify_add_watch = real_system.inotify_add_watch;
    watch("docs/none");
    ck_assert_uint_eq(changes_n_unwatched(changes), 0);
}
END_TEST

static int failing_init(int flags)
{
    (void)flags;
    errno = EMFILE;
    return -1;
}

START_TEST(test_without_inotify_nothing_is_watched)
{
    struct changes *none;

    system_table.inotify_init1 = failing_init;
    ck_assert_int_eq(changes_new(0, &none, &err), ERNIE_OK);
    ck_assert_int_eq(changes_watch(none, in("docs"), &err), ERNIE_OK);
    ck_assert_uint_eq(changes_n_unwatched(none), 1);
    ck_assert_int_eq(changes_why_unwatched(none), EMFILE);
    ck_assert_int_eq(changes_wait(none, 1, &err), ERNIE_OK);
    changes_forget(none, in("docs"));
    changes_free(none);
}
END_TEST

static ssize_t failing_read(int fd, void *out, size_t size)
{
    (void)fd, (void)out, (void)size;
    errno = EIO;
    return -1;
}

START_TEST(test_when_reading_fails_everything_may_have_changed)
{
    watch("docs");
    write_file("docs/a.txt", "a");
    system_table.read = failing_read;
    ck_assert_int_eq(changes_wait(changes, 0, &err), ERNIE_OK);
    ck_assert(changes_overflowed(changes));
    ck_assert_uint_eq(changes_n_watched(changes), 0);
    watch("docs");
    ck_assert_uint_eq(changes_n_unwatched(changes), 1);
    ck_assert_int_eq(changes_why_unwatched(changes), EIO);
}
END_TEST

/* What cannot be remembered may have changed, and nothing is lost or leaks. */
START_TEST(test_each_allocation_may_fail)
{
    int n = 1;

    for (int k = 0; k < n; k++) {
        struct changes *mine = NULL;
        struct path_list list;
        int status;

        fail_allocations_from(k);
        status = changes_new(0, &mine, &err);
        if (status == ERNIE_OK)
            status = changes_watch(mine, in("docs"), &err);
        n = stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
        if (status == ERNIE_OK) {
            write_file("docs/a.txt", "a");
            write_file("docs/b.txt", "b");
            fail_allocations_from(k - n);
            ck_assert_int_eq(changes_wait(mine, 0, &err), ERNIE_OK);
            n += stop_failing();
            ck_assert(changes_n(mine) >= 2 || changes_overflowed(mine));
            changes_take(mine, &list);
            path_list_reset(&list);
        } else {
            n++;
        }
        changes_free(mine);
    }
    ck_assert_int_gt(n, 4);
}
END_TEST

/* ---- power ---- */

static void supply(const char *name, const char *type, const char *key, const char *value)
{
    run("mkdir -p %s/power/%s && echo %s >%s/power/%s/type && echo %s >%s/power/%s/%s", folder, name,
        type, folder, name, value, folder, name, key);
}

START_TEST(test_power_is_a_battery_when_it_is_used_up)
{
    ck_assert(!power_is_battery(in("power"))); /* no such folder */
    supply("BAT0", "Battery", "status", "Full");
    ck_assert(!power_is_battery(in("power")));
    supply("BAT0", "Battery", "status", "Discharging");
    ck_assert(power_is_battery(in("power")));
    supply("AC", "Mains", "online", "0");
    ck_assert(power_is_battery(in("power")));
    supply("AC", "Mains", "online", "1");
    ck_assert(!power_is_battery(in("power")));
    run("rm -r %s/power/*", folder);
    supply("mouse", "Battery", "status", "Discharging");
    run("echo Device >%s/power/mouse/scope", folder);
    ck_assert(!power_is_battery(in("power")));
}
END_TEST

/* ---- the watcher ---- */

static ernie_model *model;
static ernie_database *database;
static ernie_watcher *watcher;
static char told[512];

static int note_failure(void *data, const struct ernie_progress *progress)
{
    (void)data;
    if (progress->failure != NULL)
        snprintf(told, sizeof told, "%s", progress->failure);
    return 0;
}

static struct ernie_watch_options options = { .quiet_ms = 50, .max_wait_ms = 1000, .rescan_s = 1,
                                              .index = { .n_threads = 1,
                                                         .progress = note_failure } };

/* What was done within so many seconds: the first batch, or nothing at all. */
static struct ernie_index_report step(int seconds)
{
    struct ernie_index_report report;
    int is_done = 0;

    for (int i = 0; i < seconds * 10 && !is_done; i++)
        ck_assert_msg(ernie_watcher_step(watcher, 100, &report, &is_done, &err) == ERNIE_OK, "%s",
                      err.message);
    if (!is_done)
        memset(&report, 0, sizeof report);
    return report;
}

static void open_watcher(void)
{
    const char *paths[] = { in("docs") };

    told[0] = '\0';
    ck_assert_msg(ernie_watcher_new(database, 1, paths, &options, &watcher, &err) == ERNIE_OK,
                  "%s", err.message);
}

static void open_database(void)
{
    make_folder();
    ck_assert_msg(ernie_model_open(NULL, &model, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_msg(ernie_open(in("a.db"), ERNIE_CREATE, model, &database, &err) == ERNIE_OK, "%s",
                  err.message);
    watcher = NULL;
}

static void close_database(void)
{
    ernie_watcher_free(watcher);
    ck_assert_int_eq(ernie_verify(database, NULL, NULL, &err), ERNIE_OK);
    ernie_close(database);
    ernie_model_close(model);
    remove_folder();
}

static size_t n_documents(void)
{
    struct ernie_status now;

    ck_assert_int_eq(ernie_status(database, &now, &err), ERNIE_OK);
    return now.n_documents;
}

START_TEST(test_what_changes_is_indexed)
{
    write_file("docs/a.txt", "one");
    open_watcher();
    ck_assert_uint_eq(step(10).n_added, 1);
    run("mkdir -p %s/docs/x/y/z && echo two >%s/docs/x/y/z/b.txt", folder, folder);
    ck_assert_uint_eq(step(10).n_added, 1);
    write_file("docs/x/y/z/b.txt", "three"); /* in a folder that is new */
    ck_assert_uint_eq(step(10).n_changed, 1);
    run("mv %s/docs/x %s/docs/w", folder, folder);
    ck_assert_uint_eq(step(10).n_moved, 1);
    write_file("docs/w/y/z/c.txt", "four");
    ck_assert_uint_eq(step(10).n_added, 1);
    run("rm -r %s/docs/w/y", folder);
    ck_assert_uint_eq(step(10).n_removed, 2);
    ck_assert_uint_eq(n_documents(), 1);
}
END_TEST

START_TEST(test_folders_made_while_looking_are_not_missed)
{
    open_watcher();
    step(10);
    run("cd %s/docs && for i in $(seq 40); do mkdir -p $i/a/b/c; echo $i >$i/a/b/c/n.txt;"
        " echo $i >$i/a/m.txt; done &",
        folder);
    for (int i = 0; i < 100 && n_documents() < 80; i++)
        step(1);
    ck_assert_uint_eq(n_documents(), 80);
}
END_TEST

static int n_looks;

static int counting_fstatat(int directory, const char *path, struct stat *out, int flags)
{
    n_looks++;
    return real_system.fstatat(directory, path, out, flags);
}

START_TEST(test_one_change_is_not_a_look_at_everything)
{
    for (int i = 0; i < 500; i++) {
        char name[32];

        snprintf(name, sizeof name, "docs/%d.txt", i);
        write_file(name, "x");
    }
    open_watcher();
    ck_assert_uint_eq(step(60).n_added, 500);
    write_file("docs/7.txt", "seven");
    n_looks = 0;
    system_table.fstatat = counting_fstatat;
    ck_assert_uint_eq(step(10).n_changed, 1);
    ck_assert_int_lt(n_looks, 20);
}
END_TEST

START_TEST(test_a_full_queue_makes_it_look_at_everything)
{
    open_watcher();
    step(10);
    write_file("docs/a.txt", "a");
    system_table.read = read_overflow;
    ck_assert_uint_eq(step(10).n_added, 1);
}
END_TEST

START_TEST(test_past_the_limit_it_looks_now_and_then)
{
    run("mkdir -p %s/docs/a/b", folder);
    n_watches_left = 1;
    system_table.inotify_add_watch = limited_add_watch;
    open_watcher();
    step(10);
    ck_assert_ptr_nonnull(strstr(told, "watch: 2 folders are past the limit of watches, and are "
                                       "read every 1 s; `sudo sysctl fs.inotify.max_user_watches="));
    told[0] = '\0';
    write_file("docs/a/b/x.txt", "x");
    for (int i = 0; i < 100 && n_documents() == 0; i++)
        step(1);
    ck_assert_uint_eq(n_documents(), 1);
    ck_assert_str_eq(told, ""); /* once is enough */
    /* The limit is raised: the next look watches them. */
    n_watches_left = 100;
    step(5);
    write_file("docs/a/b/x.txt", "xx");
    for (int i = 0; i < 100 && step(1).n_changed == 0; i++)
        ;
    struct ernie_watch_state state;
    ernie_watcher_state(watcher, &state);
    ck_assert_uint_eq(state.n_watched, 3);
    ck_assert_uint_eq(state.n_unwatched, 0);
}
END_TEST

START_TEST(test_without_inotify_it_looks_now_and_then)
{
    system_table.inotify_init1 = failing_init;
    open_watcher();
    step(10);
    ck_assert_ptr_nonnull(strstr(told, "cannot be watched (Too many open files)"));
    write_file("docs/x.txt", "x");
    for (int i = 0; i < 100 && n_documents() == 0; i++)
        step(1);
    ck_assert_uint_eq(n_documents(), 1);
}
END_TEST

/* ---- disks mounted inside ---- */

static ino_t drive; /* this folder is on another device */

static int other_device(int fd, struct stat *out)
{
    int status = real_system.fstat(fd, out);

    if (status == 0 && out->st_ino == drive)
        out->st_dev++;
    return status;
}

static struct ernie_index_report index_docs(int prune)
{
    const char *paths[] = { in("docs") };
    struct ernie_index_options how = { .n_threads = 1, .prune = prune, .progress = note_failure };
    struct ernie_index_report report;

    told[0] = '\0';
    ck_assert_msg(ernie_index(database, 1, paths, &how, &report, &err) == ERNIE_OK, "%s",
                  err.message);
    return report;
}

START_TEST(test_what_is_on_a_disk_mounted_inside_stays)
{
    struct stat st;

    run("mkdir -p %s/docs/a/drive %s/docs/b", folder, folder);
    write_file("docs/here.txt", "one");
    write_file("docs/b/there.txt", "two");
    write_file("docs/a/drive/far.txt", "three");
    ck_assert_int_eq(stat(in("docs/a/drive"), &st), 0);
    drive = st.st_ino;
    system_table.fstat = other_device;
    ck_assert_uint_eq(index_docs(0).n_added, 3);
    /* The disk is taken away, and a folder that is none is deleted. */
    run("mv %s/docs/a/drive %s/disk && mkdir %s/docs/a/drive && rm -r %s/docs/b", folder, folder,
        folder, folder);
    struct ernie_index_report report = index_docs(0);
    ck_assert_uint_eq(report.n_kept, 1);
    ck_assert_uint_eq(report.n_removed, 1);
    ck_assert_ptr_nonnull(strstr(told, "docs/a/drive: is not mounted, so its 1 document is kept"));
    run("rmdir %s/docs/a/drive", folder); /* nor has it a folder to be mounted on */
    ck_assert_uint_eq(index_docs(0).n_kept, 1);
    /* It is there again, and a file on it is deleted. */
    run("mv %s/disk %s/docs/a/drive", folder, folder);
    report = index_docs(0);
    ck_assert_uint_eq(report.n_unchanged, 2);
    ck_assert_uint_eq(report.n_kept, 0);
    unlink(in("docs/a/drive/far.txt"));
    ck_assert_uint_eq(index_docs(0).n_removed, 1);
    /* It is asked for that it goes. */
    write_file("docs/a/drive/near.txt", "four");
    ck_assert_uint_eq(index_docs(0).n_added, 1);
    run("rm -r %s/docs/a", folder);
    ck_assert_uint_eq(index_docs(1).n_removed, 1);
    ck_assert_uint_eq(n_documents(), 1);
}
END_TEST

static int deaf_add_watch(int fd, const char *path, uint32_t mask)
{
    return real_system.inotify_add_watch(fd, path, (mask & ~(uint32_t)IN_ALL_EVENTS) | IN_MOVE_SELF);
}

/* As on a disk that another machine writes to. */
START_TEST(test_what_nobody_tells_of_is_found_later)
{
    struct ernie_watch_options often = options;
    const char *paths[] = { in("docs") };

    often.rescan_all_s = 1;
    system_table.inotify_add_watch = deaf_add_watch;
    ck_assert_int_eq(ernie_watcher_new(database, 1, paths, &often, &watcher, &err), ERNIE_OK);
    step(10);
    write_file("docs/a.txt", "one");
    for (int i = 0; i < 100 && n_documents() == 0; i++)
        step(1);
    ck_assert_uint_eq(n_documents(), 1);
}
END_TEST

START_TEST(test_a_drive_goes_and_comes_back)
{
    write_file("docs/a.txt", "one");
    open_watcher();
    ck_assert_uint_eq(step(10).n_added, 1);
    run("mv %s/docs %s/away", folder, folder);
    ck_assert_uint_eq(step(5).n_removed, 0);
    run("mkdir %s/docs", folder);
    ck_assert_uint_eq(step(5).n_removed, 0);
    ck_assert_uint_eq(n_documents(), 1);
    run("rmdir %s/docs && echo two >%s/away/b.txt && mv %s/away %s/docs", folder, folder, folder,
        folder);
    for (int i = 0; i < 10 && n_documents() == 1; i++)
        step(1);
    ck_assert_uint_eq(n_documents(), 2);
    write_file("docs/b.txt", "three");
    ck_assert_uint_eq(step(10).n_changed, 1);
}
END_TEST

START_TEST(test_it_waits_for_another_process)
{
    sqlite3 *other;

    open_watcher();
    step(10);
    ck_assert_int_eq(sqlite3_open(in("a.db"), &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    write_file("docs/a.txt", "one");
    ck_assert_uint_eq(step(2).n_added, 0);
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    ck_assert_uint_eq(step(10).n_added, 1);
}
END_TEST

static const char *power_folder;

/* The machine's power supplies are the test's. */
static int redirecting_openat(int directory, const char *path, int flags, mode_t mode)
{
    if (strcmp(path, POWER_SUPPLIES) == 0)
        path = power_folder;
    return real_system.openat(directory, path, flags, mode);
}

START_TEST(test_on_battery_it_waits)
{
    char power[128];

    snprintf(power, sizeof power, "%s/power", folder);
    power_folder = power;
    system_table.openat = redirecting_openat;
    supply("BAT0", "Battery", "status", "Discharging");
    write_file("docs/a.txt", "one");
    options.pauses_on_battery = 1;
    open_watcher();
    ck_assert_uint_eq(step(1).n_added, 0);
    struct ernie_watch_state state;
    ernie_watcher_state(watcher, &state);
    ck_assert(state.is_paused);
    supply("BAT0", "Battery", "status", "Charging");
    ck_assert_uint_eq(step(10).n_added, 1);
    options.pauses_on_battery = 0;
}
END_TEST

START_TEST(test_what_is_watched_must_make_sense)
{
    const char *paths[] = { in("none"), in("docs/a.txt") };
    int is_done;

    write_file("docs/a.txt", "one");
    ck_assert_int_eq(ernie_watcher_new(database, 1, &paths[1], NULL, &watcher, &err),
                     ERNIE_EINVAL);
    ck_assert_int_eq(ernie_watcher_new(database, 0, NULL, NULL, &watcher, &err), ERNIE_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "no folder is indexed yet"));
    ck_assert_int_eq(ernie_watcher_new(database, 1, paths, NULL, &watcher, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_watcher_step(watcher, 0, NULL, &is_done, &err), ERNIE_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.message, "none: No such file or directory"));
}
END_TEST

START_TEST(test_all_that_was_indexed_is_watched_when_nothing_is_named)
{
    const char *paths[] = { in("docs") };

    ck_assert_int_eq(ernie_index(database, 1, paths, NULL, NULL, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_watcher_new(database, 0, NULL, &options, &watcher, &err), ERNIE_OK);
    step(10);
    write_file("docs/a.txt", "one");
    ck_assert_uint_eq(step(10).n_added, 1);
}
END_TEST

static int stop(void *data, const struct ernie_progress *progress)
{
    (void)data, (void)progress;
    return 1;
}

START_TEST(test_it_stops_when_it_is_asked_to)
{
    struct ernie_watch_options stopping = options;
    const char *paths[] = { in("docs") };
    int is_done;

    write_file("docs/a.txt", "one");
    stopping.index.progress = stop;
    ck_assert_int_eq(ernie_watcher_new(database, 1, paths, &stopping, &watcher, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_watcher_step(watcher, 0, NULL, &is_done, &err), ERNIE_ECANCELED);
    ernie_watcher_free(watcher);
    open_watcher();
    ck_assert_uint_eq(step(10).n_added, 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("watch");
    TCase *tcase = tcase_create("changes");

    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_checked_fixture(tcase, new_changes, free_changes);
    tcase_add_test(tcase, test_a_list_of_paths_holds_none_below_another);
    tcase_add_test(tcase, test_what_changes_is_told);
    tcase_add_test(tcase, test_a_folder_that_is_moved_is_forgotten);
    tcase_add_test(tcase, test_folders_by_the_thousand_come_and_go);
    tcase_add_test(tcase, test_a_full_queue_is_told);
    tcase_add_test(tcase, test_folders_past_the_limit_are_remembered);
    tcase_add_test(tcase, test_without_inotify_nothing_is_watched);
    tcase_add_test(tcase, test_when_reading_fails_everything_may_have_changed);
    tcase_add_test(tcase, test_each_allocation_may_fail);
    tcase_add_test(tcase, test_power_is_a_battery_when_it_is_used_up);
    suite_add_tcase(s, tcase);

    tcase = tcase_create("watcher");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, open_database, close_database);
    tcase_add_test(tcase, test_what_changes_is_indexed);
    tcase_add_test(tcase, test_folders_made_while_looking_are_not_missed);
    tcase_add_test(tcase, test_one_change_is_not_a_look_at_everything);
    tcase_add_test(tcase, test_a_full_queue_makes_it_look_at_everything);
    tcase_add_test(tcase, test_past_the_limit_it_looks_now_and_then);
    tcase_add_test(tcase, test_without_inotify_it_looks_now_and_then);
    tcase_add_test(tcase, test_what_nobody_tells_of_is_found_later);
    tcase_add_test(tcase, test_what_is_on_a_disk_mounted_inside_stays);
    tcase_add_test(tcase, test_a_drive_goes_and_comes_back);
    tcase_add_test(tcase, test_it_waits_for_another_process);
    tcase_add_test(tcase, test_on_battery_it_waits);
    tcase_add_test(tcase, test_what_is_watched_must_make_sense);
    tcase_add_test(tcase, test_all_that_was_indexed_is_watched_when_nothing_is_named);
    tcase_add_test(tcase, test_it_stops_when_it_is_asked_to);
    suite_add_tcase(s, tcase);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
