#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

const struct command commands[] = {
    { "index", "PATH...", "bring the database up to date with files and folders",
      OPTION_DB | OPTION_MODEL | OPTION_EXCLUDE | OPTION_HIDDEN | OPTION_OCR | OPTION_NO_JAIL |
          OPTION_PRUNE | OPTION_DIM | OPTION_THREADS,
      "", cmd_index },
    { "watch", "[PATH...]", "index now, and whenever something changes, until it is stopped",
      OPTION_DB | OPTION_MODEL | OPTION_EXCLUDE | OPTION_HIDDEN | OPTION_OCR | OPTION_NO_JAIL |
          OPTION_UPKEEP | OPTION_THREADS,
      "", cmd_watch },
    { "search", "QUERY...", "show the passages that answer, by meaning and by words",
      OPTION_DB | OPTION_MODEL | OPTION_K | OPTION_CHUNKS | OPTION_FORMAT | OPTION_QUERIES |
          OPTION_MODE | OPTION_EXPLAIN | OPTION_RERANK | OPTION_FILTER,
      "text json jsonl", cmd_search },
    { "open", "N", "open hit N of the last search, at its page", OPTION_PRINT, "", cmd_open },
    { "remove", "PATH...", "take files and folders out of the database (they stay on disk)",
      OPTION_DB, "", cmd_remove },
    { "status", "", "what the database holds", OPTION_DB | OPTION_FORMAT, "text json",
      cmd_status },
    { "verify", "", "compare rows, vectors, words and vector index with each other",
      OPTION_DB | OPTION_MODEL, "", cmd_verify },
    { "rebuild", "", "build words and vector index again from the rows",
      OPTION_DB | OPTION_MODEL | OPTION_EMBEDDINGS | OPTION_DIM | OPTION_THREADS, "",
      cmd_rebuild },
    { "embed", "[TEXT...]", "print the embedding of each text",
      OPTION_MODEL | OPTION_INPUT | OPTION_FORMAT | OPTION_PROMPT | OPTION_DIM | OPTION_TOKENS |
          OPTION_THREADS,
      "json jsonl f32",
      cmd_embed },
    { "similarity", "A B", "print the cosine between two texts", OPTION_MODEL, "",
      cmd_similarity },
    { "tokenize", "TEXT", "print the tokens that the model reads",
      OPTION_MODEL | OPTION_PAIR | OPTION_MAX_TOKENS | OPTION_INPUT | OPTION_FORMAT,
      "text json jsonl", cmd_tokenize },
    { "classify", "[TEXT...]", "say which label a classifier gives each text",
      OPTION_MODEL | OPTION_INPUT | OPTION_PAIRS | OPTION_FORMAT | OPTION_THREADS,
      "text json jsonl", cmd_classify },
    { "rerank", "QUERY FILE", "order the lines of a file by how well they answer",
      OPTION_MODEL | OPTION_FORMAT | OPTION_THREADS, "text json jsonl", cmd_rerank },
    { "model", "show|convert|quantize|add-tokens [DIR [OUT [TOKEN...]]]",
      "show a model; write it anew, with int8 weights, or with more words",
      OPTION_FORMAT | OPTION_CALIBRATE | OPTION_DTYPE, "text json", cmd_model },
    { "sql", "[SQL...]", "a prompt for SQL with ernie's functions and tables in it",
      OPTION_DB | OPTION_MODEL, "", cmd_sql },
    { "bench", "encode|quality",
      "how fast the model reads texts; how well a database answers",
      OPTION_DB | OPTION_QUERIES | OPTION_QRELS | OPTION_MODE | OPTION_MODEL | OPTION_INPUT | OPTION_FORMAT | OPTION_THREADS, "text json", cmd_bench },
    { NULL, NULL, NULL, 0, NULL, NULL },
};

static void print_help(FILE *out)
{
    fputs("ernie - search documents by meaning, in Chinese and English, offline\n"
          "\n"
          "  ernie index ~/Documents          index a folder, again after it changed\n"
          "  ernie search 人工智能的发展      ask in your own words\n"
          "\n"
          "Commands (`ernie COMMAND --help` tells more):\n",
          out);
    for (const struct command *command = commands; command->name != NULL; command++)
        fprintf(out, "  %-11s %s\n", command->name, command->summary);
    fputs("\n"
          "Exit status: 0 found or done, 1 nothing found, 2 trouble.\n",
          out);
}

static const struct command *find_command(const char *name)
{
    for (const struct command *command = commands; command->name != NULL; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

/* A result that could not be written is no result. */
static int finish_output(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return fail("standard output: cannot be written");
    return status;
}

int main(int argc, char **argv)
{
    const struct command *command;
    struct arguments arguments;
    int status;

    /* For the width of characters only: numbers keep their point. */
    if (setlocale(LC_CTYPE, "") == NULL || text_columns("中") != 2)
        setlocale(LC_CTYPE, "C.UTF-8");
    if (argc < 2) {
        print_help(stderr);
        return EXIT_TROUBLE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        command = argc > 2 ? find_command(argv[2]) : NULL;
        if (command != NULL)
            options_print_help(command, stdout);
        else
            print_help(stdout);
        return finish_output(EXIT_FOUND);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("ernie %s\n", ernie_version());
        return finish_output(EXIT_FOUND);
    }
    command = find_command(argv[1]);
    if (command == NULL)
        return fail("%s: no such command; `ernie --help` lists them", argv[1]);
    status = options_parse(command, argc - 1, argv + 1, &arguments);
    if (status < 0)
        status = command->run(&arguments);
    options_reset(&arguments);
    return finish_output(status);
}
