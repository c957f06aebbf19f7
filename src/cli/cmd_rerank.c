/* ernie rerank QUERY FILE: lines in the order in which a cross-encoder has them. */
#include <stdlib.h>

#include "cli.h"

struct answer {
    float score;
    size_t text; /* its line in the file, from 0 */
};

/* Best first, and equal ones in the order of the file. */
static int compare(const void *a, const void *b)
{
    const struct answer *first = a, *second = b;

    if (first->score != second->score)
        return first->score < second->score ? 1 : -1;
    return first->text < second->text ? -1 : 1;
}

static int print_answers(const struct arguments *arguments, const struct texts *texts,
                         const struct answer *answers)
{
    const int is_json = arguments->format == FORMAT_JSON;

    for (size_t i = 0; i < texts->n; i++) {
        const size_t text = answers[i].text;

        if (arguments->format == FORMAT_DEFAULT || arguments->format == FORMAT_TEXT) {
            printf("%2zu  %.4f  %s\n", i + 1, (double)answers[i].score, texts->text[text]);
            continue;
        }
        printf("%s{\"rank\":%zu,\"score\":%.9g,\"line\":%zu,\"text\":",
               !is_json ? "" : i == 0 ? "[" : ",\n ", i + 1, (double)answers[i].score,
               text + 1);
        if (print_quoted(texts->text[text]) != EXIT_FOUND)
            return EXIT_TROUBLE;
        fputs(is_json ? "}" : "}\n", stdout);
    }
    if (is_json)
        puts(texts->n == 0 ? "[]" : "]");
    return texts->n > 0 ? EXIT_FOUND : EXIT_NONE;
}

static int rerank(const struct arguments *arguments, ernie_encoder *encoder,
                  const struct texts *texts)
{
    float *scores = calloc(texts->n + 1, sizeof *scores);
    struct answer *answers = calloc(texts->n + 1, sizeof *answers);
    ernie_error err;
    int status;

    if (scores == NULL || answers == NULL) {
        status = fail("out of memory");
    } else if (ernie_rerank(encoder, arguments->words[0], texts->n,
                            (const char *const *)texts->text, scores, &err) != ERNIE_OK) {
        status = fail_with(&err);
    } else {
        for (size_t i = 0; i < texts->n; i++)
            answers[i] = (struct answer){ scores[i], i };
        qsort(answers, texts->n, sizeof *answers, compare);
        status = print_answers(arguments, texts, answers);
    }
    free(scores);
    free(answers);
    return status;
}

int cmd_rerank(const struct arguments *arguments)
{
    ernie_encoder *encoder = NULL;
    ernie_model *model = NULL;
    struct texts texts = { 0 };
    ernie_error err;
    int status;

    if (arguments->n_words != 2)
        return fail("rerank: needs a query and a file with a text a line (- is standard input)");
    status = open_model(arguments, &model);
    if (status == EXIT_FOUND)
        status = texts_read(arguments->words[1], 1, &texts);
    if (status == EXIT_FOUND)
        status = ernie_encoder_new(model, arguments->n_threads, &encoder, &err) == ERNIE_OK
                     ? rerank(arguments, encoder, &texts)
                     : fail_with(&err);
    ernie_encoder_free(encoder);
    texts_reset(&texts);
    ernie_model_close(model);
    return status;
}
