/* ernie classify: what a sequence classifier says of texts, or of pairs of them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Texts classified at once: enough for every thread to have some. */
#define BATCH 256

struct classifier {
    const ernie_model *model;
    ernie_encoder *encoder;
    enum format format;
    size_t n_labels, n_printed;
    char *text[BATCH], *pair[BATCH]; /* pair [0] is NULL when texts are alone */
    size_t n;
    float *logits, *probabilities; /* [BATCH][n_labels] */
};

static size_t best_of(size_t n, const float *numbers)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (numbers[i] > numbers[best])
            best = i;
    return best;
}

static void print_text(const struct classifier *classifier, size_t i, size_t best, float score)
{
    printf("%.4f  %s  %s%s%s\n", (double)score, ernie_model_label(classifier->model, best),
           classifier->text[i], classifier->pair[i] != NULL ? "\t" : "",
           classifier->pair[i] != NULL ? classifier->pair[i] : "");
}

/* "name":{"label":number,...} */
static int print_numbers(const struct classifier *classifier, const char *name,
                         const float *numbers)
{
    printf(",\"%s\":{", name);
    for (size_t i = 0; i < classifier->n_labels; i++) {
        if (i > 0)
            putchar(',');
        if (print_quoted(ernie_model_label(classifier->model, i)) != EXIT_FOUND)
            return EXIT_TROUBLE;
        printf(":%.9g", (double)numbers[i]);
    }
    putchar('}');
    return EXIT_FOUND;
}

static int print_json(const struct classifier *classifier, size_t i, size_t best, float score)
{
    int status;

    fputs("{\"text\":", stdout);
    status = print_quoted(classifier->text[i]);
    if (status == EXIT_FOUND && classifier->pair[i] != NULL) {
        fputs(",\"pair\":", stdout);
        status = print_quoted(classifier->pair[i]);
    }
    if (status == EXIT_FOUND) {
        fputs(",\"label\":", stdout);
        status = print_quoted(ernie_model_label(classifier->model, best));
    }
    printf(",\"score\":%.9g", (double)score);
    if (status == EXIT_FOUND)
        status = print_numbers(classifier, "probabilities",
                               classifier->probabilities + i * classifier->n_labels);
    if (status == EXIT_FOUND)
        status = print_numbers(classifier, "logits", classifier->logits + i * classifier->n_labels);
    putchar('}');
    return status;
}

static int print_one(struct classifier *classifier, size_t i)
{
    const float *probabilities = classifier->probabilities + i * classifier->n_labels;
    const size_t best = best_of(classifier->n_labels, probabilities);
    int status = EXIT_FOUND;

    if (classifier->format == FORMAT_JSON)
        fputs(classifier->n_printed == 0 ? "[" : ",\n ", stdout);
    if (classifier->format == FORMAT_TEXT)
        print_text(classifier, i, best, probabilities[best]);
    else
        status = print_json(classifier, i, best, probabilities[best]);
    if (classifier->format == FORMAT_JSONL)
        putchar('\n');
    classifier->n_printed++;
    return status;
}

static int flush(struct classifier *classifier)
{
    struct ernie_encode_options options = { 0 };
    ernie_error err;
    int status = EXIT_FOUND;

    if (classifier->pair[0] != NULL)
        options.pairs = (const char *const *)classifier->pair;
    if (ernie_classify(classifier->encoder, classifier->n, (const char *const *)classifier->text,
                       &options, classifier->logits, classifier->probabilities, &err) != ERNIE_OK)
        status = fail_with(&err);
    for (size_t i = 0; status == EXIT_FOUND && i < classifier->n; i++)
        status = print_one(classifier, i);
    for (size_t i = 0; i < classifier->n; i++) {
        free(classifier->text[i]);
        free(classifier->pair[i]);
    }
    classifier->n = 0;
    return status;
}

/* pair may be NULL. */
static int add(struct classifier *classifier, const char *text, size_t text_size, const char *pair)
{
    const size_t i = classifier->n;

    classifier->text[i] = strndup(text, text_size);
    classifier->pair[i] = pair != NULL ? strdup(pair) : NULL;
    classifier->n++;
    if (classifier->text[i] == NULL || (pair != NULL && classifier->pair[i] == NULL))
        return fail("out of memory");
    return classifier->n == BATCH ? flush(classifier) : EXIT_FOUND;
}

static int add_line(struct classifier *classifier, const struct arguments *arguments,
                    const char *line)
{
    const char *tab = arguments->pairs ? strchr(line, '\t') : NULL;

    if (arguments->pairs && tab == NULL)
        return fail("classify: --pairs: a line has no tab: %.60s", line);
    return tab != NULL ? add(classifier, line, (size_t)(tab - line), tab + 1)
                       : add(classifier, line, strlen(line), NULL);
}

static int add_all(struct classifier *classifier, const struct arguments *arguments)
{
    char **words = arguments->words;
    struct lines *lines;
    const char *line;
    int status = EXIT_FOUND, read_status;

    for (size_t i = 0; status == EXIT_FOUND && i < arguments->n_words; i += 1 + (size_t)arguments->pairs)
        status = add(classifier, words[i], strlen(words[i]),
                     arguments->pairs ? words[i + 1] : NULL);
    if (status != EXIT_FOUND || arguments->n_words > 0)
        return status;
    status = lines_open(arguments->input != NULL ? arguments->input : "-", &lines);
    if (status != EXIT_FOUND)
        return status;
    while (status == EXIT_FOUND && (line = lines_next(lines)) != NULL)
        status = add_line(classifier, arguments, line);
    read_status = lines_close(lines);
    return read_status != EXIT_FOUND ? read_status : status;
}

static int classify(struct classifier *classifier, const struct arguments *arguments)
{
    int status = add_all(classifier, arguments);

    if (status == EXIT_FOUND)
        status = flush(classifier);
    if (status == EXIT_FOUND && classifier->format == FORMAT_JSON)
        puts(classifier->n_printed == 0 ? "[]" : "]");
    for (size_t i = 0; i < classifier->n; i++) { /* after a failure */
        free(classifier->text[i]);
        free(classifier->pair[i]);
    }
    return status;
}

int cmd_classify(const struct arguments *arguments)
{
    struct classifier classifier = { .format = arguments->format };
    ernie_model *model;
    ernie_error err;
    int status;

    if (arguments->n_words > 0 && arguments->input != NULL)
        return fail("classify: texts, or --input FILE, not both");
    if (arguments->n_words == 0 && arguments->input == NULL && isatty(STDIN_FILENO))
        return fail("classify: which text? (give TEXT or --input FILE)");
    if (arguments->pairs && arguments->n_words % 2 != 0)
        return fail("classify: --pairs needs an even number of texts");
    if (classifier.format == FORMAT_DEFAULT)
        classifier.format = FORMAT_TEXT;
    status = open_model(arguments, &model);
    if (status != EXIT_FOUND)
        return status;
    classifier.model = model;
    classifier.n_labels = ernie_model_n_labels(model);
    classifier.logits = calloc(BATCH * (classifier.n_labels + 1), sizeof(float));
    classifier.probabilities = calloc(BATCH * (classifier.n_labels + 1), sizeof(float));
    if (classifier.logits == NULL || classifier.probabilities == NULL)
        status = fail("out of memory");
    else if (ernie_encoder_new(model, arguments->n_threads, &classifier.encoder, &err) != ERNIE_OK)
        status = fail_with(&err);
    else
        status = classify(&classifier, arguments);
    ernie_encoder_free(classifier.encoder);
    free(classifier.logits);
    free(classifier.probabilities);
    ernie_model_close(model);
    return status;
}
