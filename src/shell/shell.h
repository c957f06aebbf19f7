/* `ernie sql`: a prompt for SQL, much like sqlite3's, over a connection that has ernie's
 * functions and tables. This folder names SQLite and libedit; all else is ernie.h and what
 * the commands share (cli/cli.h). */
#ifndef ERNIE_SHELL_SHELL_H
#define ERNIE_SHELL_SHELL_H

#include <sqlite3.h>

#include "cli/cli.h"

enum shell_mode { MODE_LIST, MODE_COLUMN, MODE_JSON, MODE_CSV, MODE_LINE, MODE_BOX };

struct shell {
    sqlite3 *connection;
    const ernie_model *model; /* of --model, or NULL: the default one, when it is needed */
    enum shell_mode mode;
    int headers;
    int timer;
    int interactive;      /* errors do not end it */
    int quit;             /* .quit was read */
    size_t n_asked;       /* statements that give rows */
    size_t n_rows;        /* that they gave */
    size_t depth;         /* files that are being read by .read */
};

/* Opens a database in place of the present one; EXIT_FOUND, or EXIT_TROUBLE after a
 * message and the present one stays. */
int shell_open(struct shell *shell, const char *path);

/* Runs all of a text that name (a file, "stdin") has from a line (from 1) on. Errors are
 * told with their place; EXIT_TROUBLE after the first. */
int shell_run(struct shell *shell, const char *name, size_t line, const char *text);

/* Reads statements and commands from a file until its end. */
int shell_read(struct shell *shell, const char *name, FILE *file);

/* A line that begins with a dot. EXIT_TROUBLE after a message. */
int shell_command(struct shell *shell, const char *line);

/* One statement's rows to standard output in the shell's mode: begin, row for each row that
 * it is at, end. Memory that runs out is told by end. */
struct output;
struct output *output_begin(const struct shell *shell, sqlite3_stmt *statement);
void output_row(struct output *output);
int output_end(struct output *output); /* EXIT_FOUND, or EXIT_TROUBLE after a message */

/* text with control characters made visible ones, so that what is in a database cannot
 * steer the terminal; to be freed, NULL when memory ran out. */
char *visible_text(const char *text);

#endif
