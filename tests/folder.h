/* A folder of a test's own, and what is in it. */
#ifndef ERNIE_TESTS_FOLDER_H
#define ERNIE_TESTS_FOLDER_H

#include <check.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];

/* A command of the shell, which must succeed. */
static inline void __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
    char command[1024];
    va_list values;

    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static inline void folder_make(const char *program)
{
    snprintf(folder, sizeof folder, "/tmp/%s.XXXXXX", program);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void folder_clear(void)
{
    run("rm -rf %s/*", folder);
}

static inline void folder_remove(void)
{
    run("chmod -R u+w %s && rm -rf %s", folder, folder);
}

/* How many files and folders are in it. */
static inline size_t folder_count(void)
{
    DIR *directory = opendir(folder);
    size_t n = 0;

    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL)
        n++;
    closedir(directory);
    return n - 2; /* "." and ".." */
}

/* A path in the folder ("": its own); four at a time. */
static inline const char *in(const char *name)
{
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s%s%s", folder, name[0] == '\0' ? "" : "/", name);
    return path;
}

static inline void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in(name), "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

#endif
