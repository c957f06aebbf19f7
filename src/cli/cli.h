/* The command line: one table of options, one of commands. Everything it does, it
 * does through ernie.h. Results go to standard output, all else to standard error. */
#ifndef ERNIE_CLI_CLI_H
#define ERNIE_CLI_CLI_H

#include <stddef.h>
#include <stdio.h>

#include "ernie.h"

/* As grep's. */
enum { EXIT_FOUND = 0, EXIT_NONE = 1, EXIT_TROUBLE = 2 };

enum format { FORMAT_DEFAULT, FORMAT_TEXT, FORMAT_JSON, FORMAT_JSONL, FORMAT_F32 };

/* What was asked for. Options that were not given are 0 or NULL. */
struct arguments {
    const char *database; /* --db, $ERNIE_DB, or the user's own */
    const char *model;
    const char *input;
    const char *queries;
    const char *pair;
    const char *prompt;
    const char *calibrate;
    const char *rerank;
    const char *types, *after, *before, *place; /* --type --after --before --in */
    enum format format;
    enum ernie_dtype dtype;
    enum ernie_search_mode mode;
    int has_mode; /* mode was given */
    int explain;
    const char *qrels;
    size_t k, n_threads, max_tokens, dim;
    int all_chunks, hidden, no_jail, ocr, embeddings, tokens, pairs, print, prune;
    int runs_on_battery, normal_priority; /* of watch */
    size_t n_excludes;
    const char **excludes;
    size_t n_words;
    char **words; /* [n_words]: what is left after the options */
};

/* Options a command takes, as bits. */
enum {
    OPTION_DB = 1 << 0,
    OPTION_MODEL = 1 << 1,
    OPTION_K = 1 << 2,
    OPTION_FORMAT = 1 << 3,
    OPTION_QUERIES = 1 << 4,
    OPTION_INPUT = 1 << 5,
    OPTION_THREADS = 1 << 6,
    OPTION_EXCLUDE = 1 << 7,
    OPTION_HIDDEN = 1 << 8,
    OPTION_CHUNKS = 1 << 9,
    OPTION_PAIR = 1 << 10,
    OPTION_MAX_TOKENS = 1 << 11,
    OPTION_EMBEDDINGS = 1 << 12,
    OPTION_PROMPT = 1 << 13,
    OPTION_DIM = 1 << 14,
    OPTION_CALIBRATE = 1 << 15,
    OPTION_TOKENS = 1 << 16,
    OPTION_PAIRS = 1 << 17,
    OPTION_RERANK = 1 << 18,
    OPTION_DTYPE = 1 << 19,
    OPTION_PRINT = 1 << 20,
    OPTION_NO_JAIL = 1 << 21,
    OPTION_PRUNE = 1 << 22,
    OPTION_UPKEEP = 1 << 23, /* of watch: how it keeps out of the way */
    OPTION_OCR = 1 << 24,
    OPTION_MODE = 1 << 25,
    OPTION_EXPLAIN = 1 << 26,
    OPTION_QRELS = 1 << 27,
    OPTION_FILTER = 1 << 28 /* --type --after --before --in */
};

struct command {
    const char *name;
    const char *synopsis; /* its operands */
    const char *summary;  /* one line */
    unsigned options;
    const char *formats; /* what --format may be: "text json jsonl" */
    int (*run)(const struct arguments *arguments);
};

extern const struct command commands[]; /* ends with a NULL name */

/* Parses what follows the command's name. -1 when all is well, else the exit
 * status after a message (or after --help). */
int options_parse(const struct command *command, int argc, char **argv, struct arguments *out);
void options_print_help(const struct command *command, FILE *out);
void options_reset(struct arguments *arguments);

/* "ernie: message" on standard error; returns EXIT_TROUBLE. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int fail_with(const ernie_error *err);

/* Opens what --model names, else the default. */
int open_model(const struct arguments *arguments, ernie_model **out);
/* Opens the database, and the model too unless model is NULL. EXIT_FOUND, or the
 * exit status after a message. */
int open_database(const struct arguments *arguments, unsigned mode, ernie_model **model,
                  ernie_database **out);

/* The path of the database, to be freed, or NULL after a message; *is_own is set when nothing
 * was given and it is the user's own. */
char *database_path(const struct arguments *arguments, int *is_own);
/* Makes the folders of path that are missing; a failure shows when the file is
 * opened. */
void make_folders(char *path);

/* The text of --input or --queries, a line at a time ("-": standard input). */
struct lines;
int lines_open(const char *path, struct lines **out);
/* The next line without its line break, good until the next call; NULL at the end
 * or after an error, which lines_close tells. */
const char *lines_next(struct lines *lines);
int lines_close(struct lines *lines); /* EXIT_FOUND, or the exit status after a message */

/* All lines of a file. */
struct texts {
    size_t n, capacity;
    char **text; /* [n] */
};
int texts_read(const char *path, int keep_empty, struct texts *out);
int texts_add(struct texts *texts, const char *text);
void texts_reset(struct texts *texts);

/* "text" as JSON on standard output. EXIT_FOUND, or the exit status after a message. */
int print_quoted(const char *text);

/* Set by the first SIGINT, SIGTERM or SIGHUP after watch_signals; the second one
 * ends the process at once. */
void watch_signals(void);
/* The same, and if the process has not ended a second later it ends then. */
void end_soon_after_signals(void);
int signal_seen(void);

/* Terminals. Columns of out, or 0 when it is not a terminal. */
int terminal_columns(FILE *out);
/* Whether to colour what goes to out: a terminal, and NO_COLOR not set. */
int terminal_has_colour(FILE *out);
/* Columns that text takes; a Chinese character takes two. */
size_t text_columns(const char *text);
/* Bytes of text that take no more columns than these. */
size_t text_bytes_within(const char *text, size_t columns);
/* Prints text, wrapped so that no line passes columns, each line after indent
 * spaces; in colour where marks [n_marks] are, unless marks is NULL. */
void print_wrapped(FILE *out, const char *text, size_t n_marks, const struct ernie_mark *marks,
                   int indent, int columns);
/* What is printed between them is a link to a file, at a page unless that is 0: the terminal
 * sequence OSC 8, which terminals that do not know it leave out. */
void print_link_start(FILE *out, const char *path, size_t page);
void print_link_end(FILE *out);

/* The hits that `ernie search` showed last, for `ernie open`: written to the user's state
 * folder, one line each, for the user's eyes only. Failing is no trouble. */
void save_hits(const struct ernie_hits *hits);

/* The progress of ernie_index, on a terminal a bar; data is a struct bar. */
struct bar {
    int columns; /* 0: no bar, only failures */
    double started, drawn;
    int is_drawn;
};
void bar_init(struct bar *bar);
int bar_show(void *bar, const struct ernie_progress *progress);
void bar_clear(struct bar *bar);
double seconds_now(void);

/* What indexing did, in one line on standard error. */
void print_index_report(const struct ernie_index_report *report, double seconds);

int cmd_index(const struct arguments *arguments);
int cmd_watch(const struct arguments *arguments);
int cmd_search(const struct arguments *arguments);
int cmd_open(const struct arguments *arguments);
int cmd_embed(const struct arguments *arguments);
int cmd_similarity(const struct arguments *arguments);
int cmd_tokenize(const struct arguments *arguments);
int cmd_status(const struct arguments *arguments);
int cmd_verify(const struct arguments *arguments);
int cmd_rebuild(const struct arguments *arguments);
int cmd_remove(const struct arguments *arguments);
int cmd_model(const struct arguments *arguments);
int cmd_bench(const struct arguments *arguments);
int bench_quality(const struct arguments *arguments); /* its part that measures answers */
int cmd_classify(const struct arguments *arguments);
int cmd_rerank(const struct arguments *arguments);
int cmd_sql(const struct arguments *arguments); /* in src/shell */

#endif
