#include <inttypes.h>
#include <unistd.h>

#include "cli.h"

static const char *word_of(const ernie_model *model, int32_t id)
{
    const char *word = ernie_token(model, id);

    return word != NULL ? word : "";
}

static void print_text(const ernie_model *model, const struct ernie_tokens *tokens)
{
    for (size_t i = 0; i < tokens->n; i++)
        printf("%" PRId32 "\t%s\n", tokens->input_ids[i], word_of(model, tokens->input_ids[i]));
}

static void print_numbers(const char *name, const int32_t *numbers, size_t n)
{
    printf("\"%s\":[", name);
    for (size_t i = 0; i < n; i++)
        printf("%s%" PRId32, i > 0 ? "," : "", numbers[i]);
    fputs("],", stdout);
}

static void print_spans(const struct ernie_tokens *tokens)
{
    fputs("\"spans\":[", stdout);
    for (size_t i = 0; i < tokens->n; i++)
        printf("%s[%zu,%zu]", i > 0 ? "," : "", tokens->start[i], tokens->end[i]);
    fputs("],", stdout);
}

static int print_json(const ernie_model *model, const struct ernie_tokens *tokens)
{
    ernie_error err;

    putchar('{');
    print_numbers("input_ids", tokens->input_ids, tokens->n);
    print_numbers("token_type_ids", tokens->token_type_ids, tokens->n);
    print_numbers("attention_mask", tokens->attention_mask, tokens->n);
    print_spans(tokens);
    fputs("\"tokens\":[", stdout);
    for (size_t i = 0; i < tokens->n; i++) {
        char *quoted;

        if (ernie_text_to_json(word_of(model, tokens->input_ids[i]), &quoted, &err) != ERNIE_OK)
            return fail_with(&err);
        printf("%s%s", i > 0 ? "," : "", quoted);
        ernie_free(quoted);
    }
    puts("]}");
    return EXIT_FOUND;
}

static int tokenize(const ernie_model *model, const struct arguments *arguments, const char *text)
{
    struct ernie_tokens tokens;
    ernie_error err;
    int status = EXIT_FOUND;

    if (ernie_tokenize(model, text, arguments->pair, arguments->max_tokens, &tokens, &err) !=
        ERNIE_OK)
        return fail_with(&err);
    if (arguments->format == FORMAT_DEFAULT || arguments->format == FORMAT_TEXT)
        print_text(model, &tokens);
    else
        status = print_json(model, &tokens);
    ernie_tokens_reset(&tokens);
    return status;
}

static int tokenize_lines(const ernie_model *model, const struct arguments *arguments)
{
    struct lines *lines;
    const char *line;
    int status = lines_open(arguments->input, &lines), read_status;

    if (status != EXIT_FOUND)
        return status;
    while (status == EXIT_FOUND && (line = lines_next(lines)) != NULL)
        status = tokenize(model, arguments, line);
    read_status = lines_close(lines);
    return read_status != EXIT_FOUND ? read_status : status;
}

int cmd_tokenize(const struct arguments *arguments)
{
    ernie_model *model;
    int status;

    if ((arguments->n_words == 1) == (arguments->input != NULL))
        return fail("tokenize: needs one text, or --input FILE");
    status = open_model(arguments, &model);
    if (status != EXIT_FOUND)
        return status;
    status = arguments->input != NULL ? tokenize_lines(model, arguments)
                                      : tokenize(model, arguments, arguments->words[0]);
    ernie_model_close(model);
    return status;
}
