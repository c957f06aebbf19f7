/* A folder of the test's own, and what is in it. */
#ifndef ERNIE_TESTS_FOLDER_H
#define ERNIE_TESTS_FOLDER_H

#include <check.h>
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

/* A path in the folder; four at a time. */
static inline const char *in(const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
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
