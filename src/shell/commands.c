/* The lines that begin with a dot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shell/shell.h"

#define MAX_WORDS 4
/* Files that read each other end here. */
#define MAX_DEPTH 16

/* Splits a line at spaces, in place; what is in ' or " is one word. */
static size_t split_words(char *line, char *words[MAX_WORDS])
{
    size_t n = 0;

    for (;;) {
        char *end;

        line += strspn(line, " \t\r\n");
        if (*line == '\0' || n == MAX_WORDS)
            return n;
        if (*line == '\'' || *line == '"') {
            const char quote[2] = { *line, '\0' };

            words[n++] = ++line;
            end = line + strcspn(line, quote);
        } else {
            words[n++] = line;
            end = line + strcspn(line, " \t\r\n");
        }
        if (*end == '\0')
            return n;
        *end = '\0';
        line = end + 1;
    }
}

/* The first column of a query's rows, a line each; value is its parameter, or NULL. */
static int print_column(struct shell *shell, const char *sql, const char *value)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(shell->connection, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        puts((const char *)sqlite3_column_text(statement, 0));
        code = SQLITE_OK;
    }
    if (code != SQLITE_DONE)
        fail("%s", sqlite3_errmsg(shell->connection));
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? EXIT_FOUND : EXIT_TROUBLE;
}

static int command_tables(struct shell *shell, const char *pattern)
{
    return print_column(shell,
                        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
                        " AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
                        " AND name LIKE coalesce(?1, '%') ORDER BY name",
                        pattern);
}

static int command_schema(struct shell *shell, const char *pattern)
{
    return print_column(shell,
                        "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL"
                        " AND (name LIKE coalesce(?1, '%') OR tbl_name LIKE ?1) ORDER BY rowid",
                        pattern);
}

static int command_mode(struct shell *shell, const char *name)
{
    static const char *const names[] = { "list", "column", "json", "csv", "line", "box" };

    for (size_t i = 0; name != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) {
            shell->mode = (enum shell_mode)i;
            return EXIT_FOUND;
        }
    return fail(".mode: one of list, column, json, csv, line, box");
}

static int read_switch(const char *name, const char *word, int *out)
{
    if (word == NULL || (strcmp(word, "on") != 0 && strcmp(word, "off") != 0))
        return fail("%s: on or off", name);
    *out = strcmp(word, "on") == 0;
    return EXIT_FOUND;
}

static int command_headers(struct shell *shell, const char *word)
{
    return read_switch(".headers", word, &shell->headers);
}

static int command_timer(struct shell *shell, const char *word)
{
    return read_switch(".timer", word, &shell->timer);
}

static int command_open(struct shell *shell, const char *path)
{
    return path != NULL ? shell_open(shell, path) : fail(".open: needs a file");
}

static int command_read(struct shell *shell, const char *path)
{
    FILE *file;
    int status;

    if (path == NULL)
        return fail(".read: needs a file");
    if (shell->depth == MAX_DEPTH)
        return fail(".read %s: more than %d files within each other", path, MAX_DEPTH);
    file = fopen(path, "re");
    if (file == NULL)
        return fail(".read %s: %s", path, strerror(errno));
    shell->depth++;
    status = shell_read(shell, path, file);
    shell->depth--;
    fclose(file);
    return status;
}

static int command_quit(struct shell *shell, const char *unused)
{
    (void)unused;
    shell->quit = 1;
    return EXIT_FOUND;
}

static int command_help(struct shell *shell, const char *unused);

static const struct {
    const char *name, *operand, *summary;
    int (*run)(struct shell *shell, const char *word); /* word: the first, or NULL */
} commands_by_name[] = {
    { ".tables", "[PATTERN]", "names of tables and views", command_tables },
    { ".schema", "[PATTERN]", "how they were made", command_schema },
    { ".mode", "NAME", "rows as list, column, json, csv, line or box", command_mode },
    { ".headers", "on|off", "names of columns before list, column and csv", command_headers },
    { ".timer", "on|off", "how long each statement took", command_timer },
    { ".open", "FILE", "another database", command_open },
    { ".read", "FILE", "statements and commands from a file", command_read },
    { ".help", "", "this list", command_help },
    { ".quit", "", "the end, as ^D", command_quit },
    { ".exit", "", "the same", command_quit },
};
#define N_COMMANDS (sizeof commands_by_name / sizeof commands_by_name[0])

static int command_help(struct shell *shell, const char *unused)
{
    (void)shell;
    (void)unused;
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("%-8s %-9s  %s\n", commands_by_name[i].name, commands_by_name[i].operand,
               commands_by_name[i].summary);
    puts("\n"
         "SELECT rank, score, path, snippet FROM ernie_search('...') LIMIT 5;\n"
         "SELECT ernie_similarity('...', '...'), ernie_embed('...'), ernie_info();\n"
         "SELECT key, embedding FROM ernie_embed_each('[\"...\", \"...\"]');\n"
         "SELECT * FROM ernie_chunk_each('...');  SELECT * FROM ernie_tokens('...');");
    return EXIT_FOUND;
}

int shell_command(struct shell *shell, const char *line)
{
    char *copy = strdup(line), *words[MAX_WORDS];
    size_t n;
    int status = EXIT_FOUND, known = 0;

    if (copy == NULL)
        return fail("sql: out of memory");
    n = split_words(copy, words);
    for (size_t i = 0; !known && i < N_COMMANDS; i++) {
        if (strcmp(commands_by_name[i].name, words[0]) != 0)
            continue;
        known = 1;
        if (n > 2)
            status = fail("%s: one operand at most", words[0]);
        else
            status = commands_by_name[i].run(shell, n > 1 ? words[1] : NULL);
    }
    if (!known)
        status = fail("%s: no such command; .help lists them", words[0]);
    free(copy);
    return status;
}
