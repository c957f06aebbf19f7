/* ernie model show DIR | convert DIR OUT | quantize DIR OUT | add-tokens DIR OUT TOKEN...:
 * what a model is, and another one made of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *precision_of(const struct ernie_model_info *info)
{
    return info->n_int8_parameters == 0                           ? "float"
           : info->n_int8_parameters * 10 < info->n_parameters * 9 ? "int8 and float"
                                                                   : "int8";
}

/* Labels that fit a few lines. */
#define MAX_SHOWN 16

static void print_head(const ernie_model *model, const struct ernie_model_info *info)
{
    printf("%-14s %s, %zu label%s\n%-14s ", "head", info->head, info->n_labels,
           info->n_labels == 1 ? "" : "s", "labels");
    for (size_t i = 0; i < info->n_labels && i < MAX_SHOWN; i++)
        printf("%s%s", i > 0 ? ", " : "", ernie_model_label(model, i));
    puts(info->n_labels > MAX_SHOWN ? ", ..." : "");
}

static void print_text(const ernie_model *model, const struct ernie_model_info *info)
{
    printf("%-14s %s\n", "directory", ernie_model_directory(model));
    printf("%-14s %s\n", "type", info->model_type);
    printf("%-14s %zu layers, hidden %zu, %zu heads, feed-forward %zu\n", "architecture",
           info->n_layers, info->hidden_size, info->n_heads, info->intermediate_size);
    printf("%-14s %.1f million, %s, %.1f MB\n", "parameters", (double)info->n_parameters / 1e6,
           precision_of(info), (double)info->weights_bytes / 1e6);
    printf("%-14s %zu words\n", "vocabulary", info->vocab_size);
    printf("%-14s %zu\n", "max tokens", info->max_tokens);
    printf("%-14s %s\n", "positions", info->positions);
    printf("%-14s %s, dimension %zu\n", "pooling", info->pooling, info->dim);
    if (info->head != NULL)
        print_head(model, info);
    printf("%-14s %s\n", "kernels", info->kernel);
    printf("%-14s %s\n", "fingerprint", ernie_model_fingerprint(model));
}

static int print_json(const ernie_model *model, const struct ernie_model_info *info)
{
    char *directory;
    ernie_error err;

    if (ernie_text_to_json(ernie_model_directory(model), &directory, &err) != ERNIE_OK)
        return fail_with(&err);
    printf("{\"directory\":%s,\"model_type\":\"%s\",\"positions\":\"%s\",\"n_layers\":%zu,\"hidden_size\":%zu,\"n_heads\":%zu,"
           "\"intermediate_size\":%zu,\"vocab_size\":%zu,\"max_tokens\":%zu,"
           "\"pooling\":\"%s\",\"dim\":%zu,\"n_parameters\":%" PRIu64
           ",\"n_int8_parameters\":%" PRIu64 ",\"weights_bytes\":%" PRIu64
           ",\"precision\":\"%s\",\"kernel\":\"%s\",\"fingerprint\":\"%s\"",
           directory, info->model_type, info->positions, info->n_layers, info->hidden_size, info->n_heads, info->intermediate_size,
           info->vocab_size, info->max_tokens, info->pooling, info->dim, info->n_parameters,
           info->n_int8_parameters, info->weights_bytes, precision_of(info), info->kernel,
           ernie_model_fingerprint(model));
    ernie_free(directory);
    if (info->head != NULL) {
        printf(",\"head\":\"%s\",\"labels\":[", info->head);
        for (size_t i = 0; i < info->n_labels; i++) {
            if (i > 0)
                putchar(',');
            if (print_quoted(ernie_model_label(model, i)) != EXIT_FOUND)
                return EXIT_TROUBLE;
        }
        putchar(']');
    }
    puts("}");
    return EXIT_FOUND;
}

static int show(const struct arguments *arguments)
{
    struct ernie_model_info info;
    ernie_model *model;
    ernie_error err;
    int status = EXIT_FOUND;

    if (arguments->n_words > 2)
        return fail("model show: takes one directory (else our own model is shown)");
    if (ernie_model_open(arguments->n_words == 2 ? arguments->words[1] : NULL, &model, &err) !=
        ERNIE_OK)
        return fail_with(&err);
    if (ernie_model_info(model, &info, &err) != ERNIE_OK)
        status = fail_with(&err);
    else if (arguments->format == FORMAT_JSON)
        status = print_json(model, &info);
    else
        print_text(model, &info);
    ernie_model_close(model);
    return status;
}

/* ---- convert ----------------------------------------------------------- */

static int convert(const struct arguments *arguments)
{
    struct ernie_convert_report report;
    ernie_error err;

    if (arguments->n_words != 3)
        return fail("model convert: needs a model's directory and a new one's name");
    if (ernie_model_convert(arguments->words[1], arguments->words[2], arguments->dtype, &report,
                            &err) != ERNIE_OK)
        return fail_with(&err);
    printf("%s: %zu tensors, %zu left out%s\n", arguments->words[2], report.n_tensors,
           report.n_left_out, report.transposed ? ", linear layers transposed" : "");
    printf("%-10s %.1f MB, from %.1f MB\n", "size", (double)report.bytes_after / 1e6,
           (double)report.bytes_before / 1e6);
    return EXIT_FOUND;
}

/* ---- quantize ---------------------------------------------------------- */

static void print_report(const char *out, const struct ernie_quantize_report *report)
{
    const double before = (double)report->bytes_before, after = (double)report->bytes_after;

    printf("%s: %zu matrices as int8\n", out, report->n_matrices);
    printf("%-10s %.1f MB, from %.1f MB (%+.0f %%)\n", "size", after / 1e6, before / 1e6,
           100 * (after / before - 1));
    printf("%-10s %s\n", "clipping", report->clipping);
    printf("%-10s mean %.5f, least %.5f, on %zu texts\n", "cosine", report->cosine_mean,
           report->cosine_least, report->n_texts);
    printf("%-10s %.0f tokens/s, from %.0f\n", "speed", report->tokens_per_s_after,
           report->tokens_per_s_before);
}

static int quantize(const struct arguments *arguments)
{
    struct ernie_quantize_report report;
    struct texts texts = { 0 };
    ernie_error err;
    int status = EXIT_FOUND;

    if (arguments->n_words != 3)
        return fail("model quantize: needs a model's directory and a new one's name");
    if (arguments->calibrate != NULL)
        status = texts_read(arguments->calibrate, 0, &texts);
    if (status == EXIT_FOUND && arguments->calibrate != NULL && texts.n < 2)
        status = fail("%s: needs two texts or more", arguments->calibrate);
    if (status == EXIT_FOUND &&
        ernie_model_quantize(arguments->words[1], arguments->words[2], texts.n,
                             (const char *const *)texts.text, &report, &err) != ERNIE_OK)
        status = fail_with(&err);
    if (status == EXIT_FOUND)
        print_report(arguments->words[2], &report);
    texts_reset(&texts);
    return status;
}

/* ---- add-tokens -------------------------------------------------------- */

static int add_tokens(const struct arguments *arguments)
{
    const size_t n = arguments->n_words > 3 ? arguments->n_words - 3 : 0;
    const char *const *tokens = (const char *const *)arguments->words + 3;
    unsigned char *is_added = calloc(n + 1, 1);
    size_t n_added = 0;
    ernie_error err;
    int status = EXIT_FOUND;

    if (n == 0)
        status = fail("model add-tokens: needs a model's directory, a new one's name and tokens");
    else if (is_added == NULL)
        status = fail("out of memory");
    else if (ernie_model_add_tokens(arguments->words[1], arguments->words[2], n, tokens, is_added,
                                    &err) != ERNIE_OK)
        status = fail_with(&err);
    for (size_t i = 0; status == EXIT_FOUND && i < n; i++) {
        n_added += is_added[i];
        if (!is_added[i])
            fprintf(stderr, "ernie: %s: the model has it already\n", tokens[i]);
    }
    if (status == EXIT_FOUND)
        printf("%s: %zu tokens added\n", arguments->words[2], n_added);
    free(is_added);
    return status;
}

int cmd_model(const struct arguments *arguments)
{
    const char *what = arguments->n_words > 0 ? arguments->words[0] : "";

    if (strcmp(what, "show") == 0)
        return show(arguments);
    if (strcmp(what, "convert") == 0)
        return convert(arguments);
    if (strcmp(what, "quantize") == 0)
        return quantize(arguments);
    if (strcmp(what, "add-tokens") == 0)
        return add_tokens(arguments);
    return fail("model: what to do is one of: show, convert, quantize, add-tokens");
}
