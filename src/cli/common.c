/* What several commands need: messages, the files they open, signals. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

int fail(const char *format, ...)
{
    va_list values;

    fflush(stdout);
    fputs("ernie: ", stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    return EXIT_TROUBLE;
}

int fail_with(const ernie_error *err)
{
    return fail("%s", err->message);
}

int open_model(const struct arguments *arguments, ernie_model **out)
{
    ernie_error err;

    if (ernie_model_open(arguments->model, out, &err) != ERNIE_OK)
        return fail_with(&err);
    return EXIT_FOUND;
}

void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

/* $XDG_DATA_HOME/ernie/ernie.db, as the XDG Base Directory Specification has it. */
static char *own_database(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size;

    if (data != NULL && data[0] == '/')
        size = asprintf(&path, "%s/ernie/ernie.db", data);
    else if (home != NULL && home[0] == '/')
        size = asprintf(&path, "%s/.local/share/ernie/ernie.db", home);
    else
        return NULL;
    return size < 0 ? NULL : path;
}

char *database_path(const struct arguments *arguments, int *is_own)
{
    const char *given = arguments->database != NULL ? arguments->database : getenv("ERNIE_DB");
    char *path;

    *is_own = given == NULL || given[0] == '\0';
    path = *is_own ? own_database() : strdup(given);
    if (path == NULL)
        fail("no database: give --db FILE, or set ERNIE_DB or HOME");
    return path;
}

int open_database(const struct arguments *arguments, unsigned mode, ernie_model **model,
                  ernie_database **out)
{
    ernie_error err;
    int status, is_own;
    char *path;

    if (model != NULL) {
        status = open_model(arguments, model);
        if (status != EXIT_FOUND)
            return status;
    }
    path = database_path(arguments, &is_own);
    if (path == NULL) {
        status = EXIT_TROUBLE;
    } else {
        if (is_own && mode == ERNIE_CREATE)
            make_folders(path);
        status = ernie_open(path, mode, model != NULL ? *model : NULL, out, &err);
        if (status == ERNIE_ENOTFOUND)
            status = fail("%s; `ernie index PATH` makes a database", err.message);
        else if (status != ERNIE_OK)
            status = fail_with(&err);
    }
    free(path);
    if (status != EXIT_FOUND && model != NULL) {
        ernie_model_close(*model);
        *model = NULL;
    }
    return status;
}

/* ---- lines ------------------------------------------------------------- */

struct lines {
    FILE *file;
    const char *path;
    char *line;
    size_t capacity;
};

int lines_open(const char *path, struct lines **out)
{
    struct lines *lines = calloc(1, sizeof *lines);

    if (lines == NULL)
        return fail("out of memory");
    lines->path = path;
    lines->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (lines->file == NULL) {
        free(lines);
        return fail("%s: %s", path, strerror(errno));
    }
    *out = lines;
    return EXIT_FOUND;
}

const char *lines_next(struct lines *lines)
{
    ssize_t size = getline(&lines->line, &lines->capacity, lines->file);

    if (size < 0)
        return NULL;
    if (size > 0 && lines->line[size - 1] == '\n')
        lines->line[--size] = '\0';
    if (size > 0 && lines->line[size - 1] == '\r')
        lines->line[--size] = '\0';
    return lines->line;
}

int lines_close(struct lines *lines)
{
    int status = EXIT_FOUND;

    if (ferror(lines->file))
        status = fail("%s: cannot be read: %s", lines->path, strerror(errno));
    if (lines->file != stdin)
        fclose(lines->file);
    free(lines->line);
    free(lines);
    return status;
}

void texts_reset(struct texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->text[i]);
    free(texts->text);
}

int texts_add(struct texts *texts, const char *text)
{
    if (texts->n == texts->capacity) {
        const size_t capacity = texts->capacity > 0 ? 2 * texts->capacity : 256;
        char **grown = reallocarray(texts->text, capacity, sizeof *grown);

        if (grown == NULL)
            return fail("out of memory");
        texts->text = grown;
        texts->capacity = capacity;
    }
    texts->text[texts->n] = strdup(text);
    if (texts->text[texts->n] == NULL)
        return fail("out of memory");
    texts->n++;
    return EXIT_FOUND;
}

int texts_read(const char *path, int keep_empty, struct texts *out)
{
    struct lines *lines;
    const char *line;
    int status = lines_open(path, &lines), read_status;

    if (status != EXIT_FOUND)
        return status;
    while (status == EXIT_FOUND && (line = lines_next(lines)) != NULL)
        if (keep_empty || line[0] != '\0')
            status = texts_add(out, line);
    read_status = lines_close(lines);
    return read_status != EXIT_FOUND ? read_status : status;
}

int print_quoted(const char *text)
{
    ernie_error err;
    char *quoted;

    if (ernie_text_to_json(text, &quoted, &err) != ERNIE_OK)
        return fail_with(&err);
    fputs(quoted, stdout);
    ernie_free(quoted);
    return EXIT_FOUND;
}

/* ---- signals ----------------------------------------------------------- */

static volatile sig_atomic_t n_signals;

static void on_signal(int number)
{
    n_signals++;
    /* The next one does what it does by default: end the process. */
    signal(number, SIG_DFL);
}

/* What is in the database is whole at any moment, so the process may end at any. */
static void on_alarm(int number)
{
    (void)number;
    _exit(EXIT_FOUND);
}

static void on_last_signal(int number)
{
    on_signal(number);
    alarm(1);
}

static void set_handlers(void (*handler)(int))
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

void watch_signals(void)
{
    set_handlers(on_signal);
}

void end_soon_after_signals(void)
{
    signal(SIGALRM, on_alarm);
    set_handlers(on_last_signal);
}

int signal_seen(void)
{
    return n_signals > 0;
}
