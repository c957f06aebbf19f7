#include "shell/shell.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell/line_editor.h"

/* Another process may be writing for a moment. */
#define BUSY_TIMEOUT_MS 5000

/* ---- ^C ---------------------------------------------------------------- */

/* What a signal's handler may look at. */
static sqlite3 *volatile running; /* a connection whose statement runs, or NULL */
static volatile sig_atomic_t n_interrupts;

static void on_interrupt(int number)
{
    (void)number;
    n_interrupts++;
    if (running != NULL)
        sqlite3_interrupt(running);
}

static void watch_interrupts(void)
{
    /* No SA_RESTART: it is to end the wait for a line as well. */
    const struct sigaction action = { .sa_handler = on_interrupt };

    sigaction(SIGINT, &action, NULL);
}

/* ---- statements -------------------------------------------------------- */

/* A text of SQL and where it comes from. */
struct source {
    const char *name;
    size_t line; /* of the text's first */
    const char *text;
};

/* "ernie: NAME:LINE:COLUMN: message" about a place in the text; a column is counted in
 * characters, from 1. */
static int fail_at(const struct shell *shell, const struct source *source, size_t offset)
{
    char *message = visible_text(sqlite3_errmsg(shell->connection));
    size_t line = source->line, column = 1;

    for (size_t i = 0; i < offset && source->text[i] != '\0'; i++) {
        if (source->text[i] == '\n') {
            line++;
            column = 1;
        } else {
            column += ((unsigned char)source->text[i] & 0xc0) != 0x80;
        }
    }
    fail("%s:%zu:%zu: %s", source->name, line, column, message != NULL ? message : "");
    free(message);
    return EXIT_TROUBLE;
}

static void show_time(double started)
{
    fflush(stdout);
    fprintf(stderr, "%.3f s\n", seconds_now() - started);
}

/* Runs one statement to its end. SQLite's code, or SQLITE_OK; *status is EXIT_TROUBLE when
 * its rows could not be shown, which has been told then. */
static int run_statement(struct shell *shell, sqlite3_stmt *statement, int *status)
{
    struct output *output = NULL;
    int step;

    *status = EXIT_FOUND;
    if (sqlite3_column_count(statement) > 0) {
        output = output_begin(shell, statement);
        if (output == NULL) {
            *status = fail("sql: out of memory");
            return SQLITE_OK;
        }
        shell->n_asked++;
    }
    running = shell->connection;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        shell->n_rows++;
        output_row(output);
        if (ferror(stdout)) /* main tells it */
            break;
    }
    running = NULL;
    if (output != NULL)
        *status = output_end(output);
    return step == SQLITE_DONE || step == SQLITE_ROW ? SQLITE_OK : step;
}

/* White space, comments and semicolons that SQL may begin with: their bytes. */
static size_t blank_size(const char *text)
{
    size_t i = 0;

    for (;;) {
        i += strspn(text + i, " \t\r\n\f;");
        if (text[i] == '-' && text[i + 1] == '-') {
            i += strcspn(text + i, "\n");
        } else if (text[i] == '/' && text[i + 1] == '*') {
            const char *end = strstr(text + i + 2, "*/");

            if (end == NULL)
                return i; /* more of it may come */
            i = (size_t)(end - text) + 2;
        } else {
            return i;
        }
    }
}

int shell_run(struct shell *shell, const char *name, size_t line, const char *text)
{
    const struct source source = { name, line, text };
    const char *rest = text;
    int status = EXIT_FOUND;

    while (status == EXIT_FOUND && !ferror(stdout)) {
        sqlite3_stmt *statement = NULL;
        const double started = seconds_now();
        const char *next = rest;
        int code;

        rest += blank_size(rest);
        if (*rest == '\0')
            break;
        code = sqlite3_prepare_v2(shell->connection, rest, -1, &statement, &next);
        if (code == SQLITE_OK && statement != NULL)
            code = run_statement(shell, statement, &status);
        if (code != SQLITE_OK) {
            const int offset = sqlite3_error_offset(shell->connection);

            status = fail_at(shell, &source,
                             (size_t)(rest - text) + (offset > 0 ? (size_t)offset : 0));
        } else if (statement != NULL && shell->timer) {
            show_time(started);
        }
        sqlite3_finalize(statement);
        rest = next;
    }
    return status;
}

/* ---- lines to statements ----------------------------------------------- */

/* What was read of a statement that is not complete. */
struct pending {
    char *text;
    size_t size, capacity;
    size_t line; /* of its first */
};

static int pending_add(struct pending *pending, const char *line, size_t number)
{
    const size_t size = strlen(line);

    if (pending->size + size + 1 > pending->capacity) {
        const size_t capacity = 2 * (pending->size + size + 1);
        char *text = realloc(pending->text, capacity);

        if (text == NULL)
            return fail("sql: out of memory");
        pending->text = text;
        pending->capacity = capacity;
    }
    if (pending->size == 0)
        pending->line = number;
    memcpy(pending->text + pending->size, line, size + 1);
    pending->size += size;
    return EXIT_FOUND;
}

/* Takes one line more: a command, or SQL that is run when it is complete. */
static int take_line(struct shell *shell, const char *name, size_t number, const char *line,
                     struct pending *pending)
{
    int status;

    if (pending->size == 0 && line[0] == '.')
        return shell_command(shell, line);
    status = pending_add(pending, line, number);
    if (status != EXIT_FOUND)
        return status;
    if (pending->text[blank_size(pending->text)] == '\0') {
        pending->size = 0; /* a comment: a command may follow it */
    } else if (strchr(line, ';') != NULL && sqlite3_complete(pending->text)) {
        status = shell_run(shell, name, pending->line, pending->text);
        pending->size = 0;
    }
    return status;
}

int shell_read(struct shell *shell, const char *name, FILE *file)
{
    struct pending pending = { 0 };
    char *line = NULL;
    size_t capacity = 0, number = 0;
    int status = EXIT_FOUND;
    ssize_t size;

    while (status == EXIT_FOUND && !shell->quit && (size = getline(&line, &capacity, file)) > 0) {
        number++;
        if (strlen(line) < (size_t)size)
            status = fail("%s:%zu: a line with a 0 byte", name, number);
        else
            status = take_line(shell, name, number, line, &pending);
    }
    if (status == EXIT_FOUND && ferror(file))
        status = fail("%s: %s", name, n_interrupts > 0 ? "interrupted" : strerror(errno));
    /* The last semicolon may be left out. */
    if (status == EXIT_FOUND && !shell->quit && pending.size > 0)
        status = shell_run(shell, name, pending.line, pending.text);
    free(line);
    free(pending.text);
    return status;
}

/* ---- at the prompt ----------------------------------------------------- */

static int converse(struct shell *shell)
{
    struct line_editor *editor = line_editor_new();
    struct pending pending = { 0 };
    const char *line;
    enum line_result result;

    if (editor == NULL)
        return fail("sql: out of memory");
    printf("ernie %s, SQLite %s. Statements end with ; and .help lists commands.\n",
           ernie_version(), sqlite3_libversion());
    while (!shell->quit) {
        fflush(stdout);
        result = line_editor_read(editor, pending.size == 0 ? "ernie> " : "  ...> ", &line);
        if (result == LINE_END)
            break;
        if (result == LINE_INTERRUPTED) {
            pending.size = 0;
            putchar('\n');
            continue;
        }
        /* An error has been told, and the next line may do better. */
        take_line(shell, "line", 1, line, &pending);
    }
    if (!shell->quit)
        putchar('\n'); /* after ^D */
    line_editor_free(editor);
    free(pending.text);
    return EXIT_FOUND;
}

/* ---- the whole --------------------------------------------------------- */

int shell_open(struct shell *shell, const char *path)
{
    sqlite3 *connection;
    ernie_error err;
    int code = sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

    if (code != SQLITE_OK) {
        fail("%s: %s", path, sqlite3_errmsg(connection));
        sqlite3_close(connection);
        return EXIT_TROUBLE;
    }
    sqlite3_busy_timeout(connection, BUSY_TIMEOUT_MS);
    if (ernie_register(connection, shell->model, &err) != ERNIE_OK) {
        sqlite3_close(connection);
        return fail_with(&err);
    }
    sqlite3_close(shell->connection);
    shell->connection = connection;
    return EXIT_FOUND;
}

/* The statements and commands that were given as arguments. */
static int run_arguments(struct shell *shell, const struct arguments *arguments)
{
    int status = EXIT_FOUND;

    for (size_t i = 0; status == EXIT_FOUND && !shell->quit && i < arguments->n_words; i++) {
        char name[40];

        snprintf(name, sizeof name, "argument %zu", i + 1);
        if (arguments->words[i][0] == '.')
            status = shell_command(shell, arguments->words[i]);
        else
            status = shell_run(shell, name, 1, arguments->words[i]);
    }
    return status;
}

static int run(struct shell *shell, const struct arguments *arguments)
{
    int status;

    watch_interrupts();
    if (shell->interactive)
        return converse(shell);
    status = arguments->n_words > 0 ? run_arguments(shell, arguments)
                                    : shell_read(shell, "stdin", stdin);
    /* As grep's: rows were asked for, and there were none. */
    return status == EXIT_FOUND && shell->n_asked > 0 && shell->n_rows == 0 ? EXIT_NONE : status;
}

int cmd_sql(const struct arguments *arguments)
{
    struct shell shell = { .mode = MODE_LIST };
    ernie_model *model = NULL;
    int status, is_own;
    char *path = database_path(arguments, &is_own);

    if (path == NULL)
        return EXIT_TROUBLE;
    if (arguments->n_words == 0 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        shell.interactive = 1;
        shell.mode = MODE_COLUMN;
        shell.headers = 1;
    }
    if (is_own)
        make_folders(path);
    status = arguments->model != NULL ? open_model(arguments, &model) : EXIT_FOUND;
    shell.model = model;
    if (status == EXIT_FOUND)
        status = shell_open(&shell, path);
    if (status == EXIT_FOUND)
        status = run(&shell, arguments);
    sqlite3_close(shell.connection);
    ernie_model_close(model);
    free(path);
    return status;
}
