#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct option_row {
    unsigned bit;
    int letter; /* or a number past the letters when it has none */
    const char *name;
    const char *value; /* what it takes, or NULL */
    const char *help;
};

enum {
    LONG_DB = 256,
    LONG_FORMAT,
    LONG_QUERIES,
    LONG_EXCLUDE,
    LONG_HIDDEN,
    LONG_NO_JAIL,
    LONG_OCR,
    LONG_CHUNKS,
    LONG_PAIR,
    LONG_MAX_TOKENS,
    LONG_EMBEDDINGS,
    LONG_JSON,
    LONG_PROMPT,
    LONG_DIM,
    LONG_CALIBRATE,
    LONG_TOKENS,
    LONG_PAIRS,
    LONG_RERANK,
    LONG_DTYPE,
    LONG_PRINT,
    LONG_PRUNE,
    LONG_ON_BATTERY,
    LONG_PRIORITY,
    LONG_MODE,
    LONG_EXPLAIN,
    LONG_QRELS,
    LONG_TYPE,
    LONG_AFTER,
    LONG_BEFORE,
    LONG_IN
};

static const struct option_row rows[] = {
    { OPTION_DB, LONG_DB, "db", "FILE", "the database (else $ERNIE_DB, else your own)" },
    { OPTION_MODEL, 'm', "model", "DIR", "a model directory (else $ERNIE_MODEL, else our own)" },
    { OPTION_K, 'k', "limit", "N", "hits wanted (10)" },
    { OPTION_CHUNKS, LONG_CHUNKS, "chunks", NULL, "every passage, not the best of each document" },
    { OPTION_MODE, LONG_MODE, "mode", "NAME", "find by: hybrid (both) vector keyword" },
    { OPTION_EXPLAIN, LONG_EXPLAIN, "explain", NULL, "why each hit stands where it does" },
    { OPTION_FILTER, LONG_TYPE, "type", "LIST", "only such documents: pdf,docx,markdown,..." },
    { OPTION_FILTER, LONG_AFTER, "after", "DATE", "of that day (2024-01-31, 2024) or later" },
    { OPTION_FILTER, LONG_BEFORE, "before", "DATE", "of before that day" },
    { OPTION_FILTER, LONG_IN, "in", "PATH", "only at or below a file, folder or archive" },
    { OPTION_QUERIES, LONG_QUERIES, "queries", "FILE", "queries, one a line" },
    { OPTION_QRELS, LONG_QRELS, "qrels", "FILE", "which documents answer them: BEIR's or TREC's" },
    { OPTION_INPUT, 'i', "input", "FILE", "one text a line; - is standard input" },
    { OPTION_FORMAT, LONG_FORMAT, "format", "NAME", NULL },
    { OPTION_FORMAT, LONG_JSON, "json", NULL, "the same as --format json" },
    { OPTION_EXCLUDE, LONG_EXCLUDE, "exclude", "PATTERN", "leave out, as in .gitignore; repeatable" },
    { OPTION_HIDDEN, LONG_HIDDEN, "hidden", NULL, "take names that start with a dot too" },
    { OPTION_OCR, LONG_OCR, "ocr", NULL, "look for words in images, by Tesseract" },
    { OPTION_NO_JAIL, LONG_NO_JAIL, "no-jail", NULL, "read PDF and the like even if unconfined" },
    { OPTION_PRUNE, LONG_PRUNE, "prune", NULL, "remove what is indexed of paths missing or empty" },
    { OPTION_UPKEEP, LONG_ON_BATTERY, "on-battery", "WHAT", "run, or pause until there is power again (pause)" },
    { OPTION_UPKEEP, LONG_PRIORITY, "priority", "WHAT", "low, or normal (low)" },
    { OPTION_EMBEDDINGS, LONG_EMBEDDINGS, "embeddings", NULL, "embed every passage again too" },
    { OPTION_PAIR, LONG_PAIR, "pair", "TEXT", "a second text, as token type 1" },
    { OPTION_MAX_TOKENS, LONG_MAX_TOKENS, "max-tokens", "N", "cut after so many tokens" },
    { OPTION_PROMPT, LONG_PROMPT, "prompt", "NAME", "put the model's prompt of this name first" },
    { OPTION_DIM, LONG_DIM, "dim", "N", "keep the first N numbers of each vector" },
    { OPTION_CALIBRATE, LONG_CALIBRATE, "calibrate", "FILE", "texts that choose how weights are cut" },
    { OPTION_TOKENS, LONG_TOKENS, "tokens", NULL, "the vector of each token, not of the text" },
    { OPTION_PAIRS, LONG_PAIRS, "pairs", NULL, "texts come in twos; lines have a tab between" },
    { OPTION_RERANK, LONG_RERANK, "rerank", "DIR", "a cross-encoder that orders the best 50 anew" },
    { OPTION_DTYPE, LONG_DTYPE, "dtype", "NAME", "convert to: f32 f16 bf16" },
    { OPTION_PRINT, LONG_PRINT, "print", NULL, "print the command instead of running it" },
    { OPTION_THREADS, 't', "threads", "N", "threads ($ERNIE_THREADS, else one a core)" },
};
#define N_ROWS (sizeof rows / sizeof rows[0])

/* Whether the command takes the option: its bit, and for --json a format of that
 * name. */
static int takes(const struct command *command, const struct option_row *row)
{
    if ((command->options & row->bit) == 0)
        return 0;
    return row->letter != LONG_JSON || strstr(command->formats, "json") != NULL;
}

void options_print_help(const struct command *command, FILE *out)
{
    char left[40];

    fprintf(out, "ernie %s%s%s%s\n%s\n\n", command->name, command->options ? " [OPTION...]" : "",
            command->synopsis[0] != '\0' ? " " : "", command->synopsis, command->summary);
    for (size_t i = 0; i < N_ROWS; i++) {
        const struct option_row *row = &rows[i];

        if (!takes(command, row))
            continue;
        snprintf(left, sizeof left, "%s--%s%s%s", row->letter < 256 ? "" : "    ", row->name,
                 row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
        if (row->letter < 256)
            fprintf(out, "  -%c, %-21s ", row->letter, left);
        else
            fprintf(out, "  %-25s ", left);
        fprintf(out, "%s\n", row->help != NULL ? row->help : command->formats);
    }
    fputs("  -h, --help\n", out);
}

static int parse_count(const char *name, const char *text, size_t *out)
{
    unsigned long long value;
    char *end;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value == 0 ||
        value > SIZE_MAX)
        return fail("%s %s: not a number of 1 or more", name, text);
    *out = (size_t)value;
    return -1;
}

static int parse_format(const struct command *command, const char *text, enum format *out)
{
    static const char *const names[] = { "text", "json", "jsonl", "f32" };
    static const enum format formats[] = { FORMAT_TEXT, FORMAT_JSON, FORMAT_JSONL, FORMAT_F32 };
    size_t size = strlen(text);

    for (const char *word = command->formats; *word != '\0';) {
        size_t word_size = strcspn(word, " ");

        for (size_t i = 0; word_size == size && i < 4; i++) {
            if (strncmp(word, text, size) == 0 && strcmp(names[i], text) == 0) {
                *out = formats[i];
                return -1;
            }
        }
        word += word_size + (word[word_size] == ' ');
    }
    return fail("--format %s: not one of: %s", text, command->formats);
}

/* One of two words: *is_first tells which. */
static int parse_choice(const char *name, const char *text, const char *first, const char *second,
                        int *is_first)
{
    *is_first = strcmp(text, first) == 0;
    if (!*is_first && strcmp(text, second) != 0)
        return fail("%s %s: not one of: %s %s", name, text, first, second);
    return -1;
}

static int parse_dtype(const char *text, enum ernie_dtype *out)
{
    static const char *const names[] = { "", "f32", "f16", "bf16" };

    for (int i = ERNIE_F32; i <= ERNIE_BF16; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum ernie_dtype)i;
            return -1;
        }
    }
    return fail("--dtype %s: not one of: f32 f16 bf16", text);
}

static int parse_mode(const char *text, enum ernie_search_mode *out)
{
    static const char *const names[] = { "hybrid", "vector", "keyword" };

    for (int i = ERNIE_HYBRID; i <= ERNIE_KEYWORD; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum ernie_search_mode)i;
            return -1;
        }
    }
    return fail("--mode %s: not one of: hybrid vector keyword", text);
}

static int set_option(const struct command *command, int letter, const char *value,
                      struct arguments *out)
{
    switch (letter) {
    case LONG_TYPE:
        out->types = value;
        return -1;
    case LONG_AFTER:
        out->after = value;
        return -1;
    case LONG_BEFORE:
        out->before = value;
        return -1;
    case LONG_IN:
        out->place = value;
        return -1;
    case LONG_DB:
        out->database = value;
        return -1;
    case 'm':
        out->model = value;
        return -1;
    case 'k':
        return parse_count("--limit", value, &out->k);
    case LONG_CHUNKS:
        out->all_chunks = 1;
        return -1;
    case LONG_MODE:
        out->has_mode = 1;
        return parse_mode(value, &out->mode);
    case LONG_QRELS:
        out->qrels = value;
        return -1;
    case LONG_EXPLAIN:
        out->explain = 1;
        return -1;
    case LONG_QUERIES:
        out->queries = value;
        return -1;
    case 'i':
        out->input = value;
        return -1;
    case LONG_FORMAT:
        return parse_format(command, value, &out->format);
    case LONG_JSON:
        out->format = FORMAT_JSON;
        return -1;
    case LONG_EXCLUDE:
        out->excludes[out->n_excludes++] = value;
        return -1;
    case LONG_HIDDEN:
        out->hidden = 1;
        return -1;
    case LONG_OCR:
        out->ocr = 1;
        return -1;
    case LONG_NO_JAIL:
        out->no_jail = 1;
        return -1;
    case LONG_PRUNE:
        out->prune = 1;
        return -1;
    case LONG_ON_BATTERY:
        return parse_choice("--on-battery", value, "run", "pause", &out->runs_on_battery);
    case LONG_PRIORITY:
        return parse_choice("--priority", value, "normal", "low", &out->normal_priority);
    case LONG_EMBEDDINGS:
        out->embeddings = 1;
        return -1;
    case LONG_PAIR:
        out->pair = value;
        return -1;
    case LONG_MAX_TOKENS:
        return parse_count("--max-tokens", value, &out->max_tokens);
    case LONG_PROMPT:
        out->prompt = value;
        return -1;
    case LONG_CALIBRATE:
        out->calibrate = value;
        return -1;
    case LONG_TOKENS:
        out->tokens = 1;
        return -1;
    case LONG_PAIRS:
        out->pairs = 1;
        return -1;
    case LONG_PRINT:
        out->print = 1;
        return -1;
    case LONG_RERANK:
        out->rerank = value;
        return -1;
    case LONG_DTYPE:
        return parse_dtype(value, &out->dtype);
    case LONG_DIM:
        return parse_count("--dim", value, &out->dim);
    case 't':
        return parse_count("--threads", value, &out->n_threads);
    default:
        return EXIT_TROUBLE;
    }
}

/* getopt's two forms of the rows that the command takes. */
static void make_getopt(const struct command *command, struct option *longs, char *letters)
{
    size_t n = 0;

    *letters++ = ':'; /* so that a missing value is told from an unknown option */
    for (size_t i = 0; i < N_ROWS; i++) {
        if (!takes(command, &rows[i]))
            continue;
        longs[n++] = (struct option){ rows[i].name,
                                      rows[i].value != NULL ? required_argument : no_argument,
                                      NULL, rows[i].letter };
        if (rows[i].letter < 256) {
            *letters++ = (char)rows[i].letter;
            if (rows[i].value != NULL)
                *letters++ = ':';
        }
    }
    longs[n++] = (struct option){ "help", no_argument, NULL, 'h' };
    longs[n] = (struct option){ NULL, 0, NULL, 0 };
    *letters++ = 'h';
    *letters = '\0';
}

int options_parse(const struct command *command, int argc, char **argv, struct arguments *out)
{
    struct option longs[N_ROWS + 2];
    char letters[2 * N_ROWS + 4];
    int letter, status = -1;

    memset(out, 0, sizeof *out);
    out->excludes = calloc((size_t)argc, sizeof *out->excludes);
    if (out->excludes == NULL)
        return fail("out of memory");
    make_getopt(command, longs, letters);
    opterr = 0;
    while (status < 0 && (letter = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (letter == 'h') {
            options_print_help(command, stdout);
            return EXIT_FOUND;
        }
        if (letter == ':')
            return fail("%s: needs a value", argv[optind - 1]);
        if (letter == '?')
            return fail("%s: no such option; `ernie %s --help` lists them", argv[optind - 1],
                        command->name);
        status = set_option(command, letter, optarg, out);
    }
    out->n_words = (size_t)(argc - optind);
    out->words = argv + optind;
    return status;
}

void options_reset(struct arguments *arguments)
{
    free(arguments->excludes);
    arguments->excludes = NULL;
}
