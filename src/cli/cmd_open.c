/* `ernie open N`: the file of a hit that `ernie search` showed, in the program that the
 * desktop opens such files with; a PDF at the hit's page where the viewer can be told. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli.h"

extern char **environ;

/* ---- the hits shown last ----------------------------------------------- */

/* $XDG_STATE_HOME/ernie/hits, as the XDG Base Directory Specification has it; to be freed. */
static char *hits_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size = -1;

    if (state != NULL && state[0] == '/')
        size = asprintf(&path, "%s/ernie/hits", state);
    else if (home != NULL && home[0] == '/')
        size = asprintf(&path, "%s/.local/state/ernie/hits", home);
    return size < 0 ? NULL : path;
}

/* A hit a line: its page and its path, in which there is no line break (ernie_hit). Another
 * `ernie search` may do the same: each writes a file of its own and puts it in place whole. */
void save_hits(const struct ernie_hits *hits)
{
    char *path = hits_path(), *temporary = NULL;
    FILE *file;
    int fd = -1, ok;

    if (path != NULL && asprintf(&temporary, "%s.XXXXXX", path) >= 0) {
        make_folders(temporary);
        fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    }
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file != NULL) {
        for (size_t i = 0; i < hits->n; i++)
            fprintf(file, "%zu %s\n", hits->hit[i].page, hits->hit[i].path);
        ok = !ferror(file);
        if ((fclose(file) != 0) | !ok || rename(temporary, path) != 0)
            unlink(temporary);
    } else if (fd >= 0) {
        close(fd);
        unlink(temporary);
    }
    free(temporary);
    free(path);
}

/* Line n of that file, without its line break; to be freed, or NULL after a message. */
static char *read_hit(unsigned long n)
{
    char *path = hits_path(), *line = NULL;
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    size_t capacity = 0;
    ssize_t size = -1;
    unsigned long i = 0;

    free(path);
    if (file == NULL) {
        fail("open: no search yet; `ernie search` numbers its hits");
        return NULL;
    }
    while (i < n && (size = getline(&line, &capacity, file)) > 0)
        i++;
    fclose(file);
    if (i == n && size > 0) {
        line[size - 1] = '\0';
        return line;
    }
    if (i == 0)
        fail("open %lu: the last search found nothing", n);
    else
        fail("open %lu: the last search showed %lu hit%s", n, i, i == 1 ? "" : "s");
    free(line);
    return NULL;
}

/* Cuts path to the file on disk: what is below a file is a member of it. */
static int find_file(char *path)
{
    struct stat st;

    for (;;) {
        char *slash;

        if (stat(path, &st) == 0)
            return S_ISREG(st.st_mode) ? EXIT_FOUND : fail("open: %s: not a file", path);
        slash = strrchr(path, '/');
        if (errno != ENOTDIR || slash == NULL || slash == path)
            return fail("open: %s: %s", path, strerror(errno));
        *slash = '\0';
    }
}

/* ---- viewers ----------------------------------------------------------- */

/* Runs a program without a shell. Its first line of output goes to out [size], unless out
 * is NULL. The exit status, or -1 when it could not be run. */
static int run(char *const *words, char *out, size_t size)
{
    posix_spawn_file_actions_t actions;
    int pipe_ends[2] = { -1, -1 }, status = -1, code;
    pid_t child;
    FILE *from;

    if (out != NULL && pipe2(pipe_ends, O_CLOEXEC) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    if (out != NULL)
        posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    code = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (out != NULL) {
        close(pipe_ends[1]);
        out[0] = '\0';
        from = fdopen(pipe_ends[0], "r");
        if (from != NULL && fgets(out, (int)size, from) != NULL)
            out[strcspn(out, "\n")] = '\0';
        if (from != NULL)
            fclose(from);
        else
            close(pipe_ends[0]);
    }
    if (code != 0)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

#define MAX_WORDS 4

/* How viewers are told the page, as their manual pages say. */
static const struct viewer {
    const char *desktop; /* what the name of its .desktop file holds */
    const char *program;
    const char *option; /* before the page, or NULL: it takes a URL with #page= */
} viewers[] = {
    { "evince", "evince", "--page-index" },  { "papers", "papers", "--page-index" },
    { "okular", "okular", "--page" },        { "atril", "atril", "--page-index" },
    { "xreader", "xreader", "--page-index" }, { "zathura", "zathura", "--page" },
    { "firefox", "firefox", NULL },          { "chromium", "chromium", NULL },
    { "google-chrome", "google-chrome", NULL },
};

/* What opens PDF files here, if it is known how to tell it the page. */
static const struct viewer *find_viewer(void)
{
    char *words[] = { (char[]){ "xdg-mime" }, (char[]){ "query" }, (char[]){ "default" },
                      (char[]){ "application/pdf" }, NULL };
    char desktop[256];

    if (run(words, desktop, sizeof desktop) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof viewers / sizeof *viewers; i++)
        if (strcasestr(desktop, viewers[i].desktop) != NULL)
            return &viewers[i];
    return NULL;
}

static int is_pdf(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL && strcasecmp(dot, ".pdf") == 0;
}

/* The command for a file; what has to be freed of it is in *made. */
static void make_command(char *path, size_t page, char *words[MAX_WORDS + 1], char **made)
{
    const struct viewer *viewer = page > 1 && is_pdf(path) ? find_viewer() : NULL;
    size_t n = 0;

    *made = NULL;
    if (viewer == NULL) {
        words[n++] = (char *)(uintptr_t)"xdg-open";
    } else if (viewer->option != NULL && asprintf(made, "%s=%zu", viewer->option, page) >= 0) {
        words[n++] = (char *)(uintptr_t)viewer->program;
        words[n++] = *made;
    } else if (viewer->option == NULL && asprintf(made, "file://%s#page=%zu", path, page) >= 0) {
        words[n++] = (char *)(uintptr_t)viewer->program;
        path = *made;
    }
    words[n++] = path;
    words[n] = NULL;
}

static int open_file(char *path, size_t page, int print)
{
    char *words[MAX_WORDS + 1], *made;
    int status;

    make_command(path, page, words, &made);
    if (print) {
        for (size_t i = 0; words[i] != NULL; i++)
            printf("%s%s", i > 0 ? " " : "", words[i]);
        putchar('\n');
        status = EXIT_FOUND;
    } else {
        status = run(words, NULL, 0);
        if (status < 0)
            status = fail("open: %s cannot be run: %s", words[0],
                          strcmp(words[0], "xdg-open") == 0 ? "install xdg-utils"
                                                            : "is it installed?");
        else if (status > 0)
            status = fail("open: %s ended with status %d", words[0], status);
    }
    free(made);
    return status;
}

int cmd_open(const struct arguments *arguments)
{
    unsigned long n, page;
    char *end, *line;
    int status;

    if (arguments->n_words != 1)
        return fail("open: which hit? give its number");
    errno = 0;
    n = strtoul(arguments->words[0], &end, 10);
    if (errno != 0 || *end != '\0' || n == 0 || arguments->words[0][0] == '-')
        return fail("open %s: not the number of a hit", arguments->words[0]);
    line = read_hit(n);
    if (line == NULL)
        return EXIT_TROUBLE;
    page = strtoul(line, &end, 10);
    if (*end != ' ')
        status = fail("open: the note of the last search is damaged; search again");
    else
        status = find_file(end + 1);
    if (status == EXIT_FOUND)
        status = open_file(end + 1, page, arguments->print);
    free(line);
    return status;
}
