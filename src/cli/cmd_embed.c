#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Lines embedded at once: enough for every thread to have some. */
#define BATCH 256

struct embedder {
    const ernie_model *model;
    ernie_encoder *encoder;
    struct ernie_encode_options options;
    enum format format;
    int is_tokens; /* print the vectors of tokens */
    size_t dim, n_printed, n_cut;
    char *text[BATCH];
    size_t n;
    float *embeddings; /* [BATCH][dim] */
};

static int print_json(const float *embedding, size_t dim)
{
    ernie_error err;
    char *json;

    if (ernie_vector_to_json(dim, embedding, &json, &err) != ERNIE_OK)
        return fail_with(&err);
    fputs(json, stdout);
    ernie_free(json);
    return EXIT_FOUND;
}

/* Little-endian, whatever the machine. */
static void print_f32(const float *embedding, size_t dim)
{
    for (size_t i = 0; i < dim; i++) {
        uint32_t bits;

        memcpy(&bits, &embedding[i], sizeof bits);
        bits = htole32(bits);
        fwrite(&bits, sizeof bits, 1, stdout);
    }
}

static int print_embedding(struct embedder *embedder, const float *embedding)
{
    int status = EXIT_FOUND;

    if (embedder->format == FORMAT_F32) {
        print_f32(embedding, embedder->dim);
    } else if (embedder->format == FORMAT_JSONL) {
        status = print_json(embedding, embedder->dim);
        putchar('\n');
    } else {
        fputs(embedder->n_printed == 0 ? "[" : ",\n ", stdout);
        status = print_json(embedding, embedder->dim);
    }
    embedder->n_printed++;
    return status;
}

static int flush(struct embedder *embedder)
{
    ernie_error err;
    int status = EXIT_FOUND;

    if (ernie_encode_with(embedder->encoder, embedder->n, (const char *const *)embedder->text,
                          &embedder->options, embedder->embeddings, &err) != ERNIE_OK)
        status = fail_with(&err);
    for (size_t i = 0; i < embedder->n; i++) {
        if (status == EXIT_FOUND)
            status = print_embedding(embedder, embedder->embeddings + i * embedder->dim);
        free(embedder->text[i]);
    }
    embedder->n = 0;
    return status;
}

/* ---- token vectors ----------------------------------------------------- */

/* {"id":..., "token":"...", "start":..., "end":..., "vector":[...]} */
static int print_token(const struct embedder *embedder, const struct ernie_tokens *tokens,
                       size_t i, const float *vector)
{
    const char *word = ernie_token(embedder->model, tokens->input_ids[i]);
    int status;

    printf("{\"id\":%d,\"token\":", (int)tokens->input_ids[i]);
    status = print_quoted(word != NULL ? word : "");
    printf(",\"start\":%zu,\"end\":%zu,\"vector\":", tokens->start[i], tokens->end[i]);
    if (status == EXIT_FOUND)
        status = print_json(vector, ernie_model_hidden_size(embedder->model));
    putchar('}');
    return status;
}

/* {"text":"...","tokens":[...]} */
static int print_tokens(struct embedder *embedder, const char *text,
                        const struct ernie_tokens *tokens, const float *vectors)
{
    const size_t hidden_size = ernie_model_hidden_size(embedder->model);
    int status;

    if (embedder->format == FORMAT_F32) {
        print_f32(vectors, tokens->n * hidden_size);
        return EXIT_FOUND;
    }
    if (embedder->format == FORMAT_JSON)
        fputs(embedder->n_printed == 0 ? "[" : ",\n ", stdout);
    embedder->n_printed++;
    fputs("{\"text\":", stdout);
    status = print_quoted(text);
    fputs(",\"tokens\":[", stdout);
    for (size_t i = 0; status == EXIT_FOUND && i < tokens->n; i++) {
        if (i > 0)
            fputs(embedder->format == FORMAT_JSONL ? "," : ",\n  ", stdout);
        status = print_token(embedder, tokens, i, vectors + i * hidden_size);
    }
    fputs(embedder->format == FORMAT_JSONL ? "]}\n" : "]}", stdout);
    return status;
}

static int add_tokens(struct embedder *embedder, const char *text)
{
    struct ernie_tokens tokens;
    float *vectors;
    ernie_error err;
    int status;

    if (ernie_encode_tokens(embedder->encoder, text, NULL, &tokens, &vectors, &err) != ERNIE_OK)
        return fail_with(&err);
    status = print_tokens(embedder, text, &tokens, vectors);
    ernie_tokens_reset(&tokens);
    ernie_free(vectors);
    return status;
}

/* ---- texts ------------------------------------------------------------- */

/* Whether the model reads all of the text with its prompt. A token takes at least one
 * byte. */
static int is_cut(const struct embedder *embedder, const char *text)
{
    const char *prompt = embedder->options.prompt != NULL ? embedder->options.prompt : "";
    struct ernie_tokens tokens;
    size_t max_tokens = ernie_model_max_tokens(embedder->model);
    char *whole;
    int cut = 0;

    if (strlen(prompt) + strlen(text) + 2 <= max_tokens ||
        asprintf(&whole, "%s%s", prompt, text) < 0)
        return 0;
    if (ernie_tokenize(embedder->model, whole, NULL, 0, &tokens, NULL) == ERNIE_OK) {
        cut = tokens.n > max_tokens;
        ernie_tokens_reset(&tokens);
    }
    free(whole);
    return cut;
}

static int add(struct embedder *embedder, const char *text)
{
    char *copy;

    embedder->n_cut += (size_t)is_cut(embedder, text);
    if (embedder->is_tokens)
        return add_tokens(embedder, text);
    copy = strdup(text);
    if (copy == NULL)
        return fail("out of memory");
    embedder->text[embedder->n++] = copy;
    return embedder->n == BATCH ? flush(embedder) : EXIT_FOUND;
}

static int add_all(struct embedder *embedder, const struct arguments *arguments)
{
    struct lines *lines;
    const char *line;
    int status = EXIT_FOUND, read_status;

    for (size_t i = 0; status == EXIT_FOUND && i < arguments->n_words; i++)
        status = add(embedder, arguments->words[i]);
    if (status != EXIT_FOUND || arguments->n_words > 0)
        return status;
    status = lines_open(arguments->input != NULL ? arguments->input : "-", &lines);
    if (status != EXIT_FOUND)
        return status;
    while (status == EXIT_FOUND && (line = lines_next(lines)) != NULL)
        status = add(embedder, line);
    read_status = lines_close(lines);
    return read_status != EXIT_FOUND ? read_status : status;
}

static int embed(struct embedder *embedder, const struct arguments *arguments)
{
    int status = add_all(embedder, arguments);

    if (status == EXIT_FOUND && !embedder->is_tokens)
        status = flush(embedder);
    if (status == EXIT_FOUND && embedder->format == FORMAT_JSON)
        puts(embedder->n_printed == 0 ? "[]" : "]");
    if (embedder->n_cut > 0)
        fprintf(stderr, "ernie: %zu text%s longer than the model's %zu tokens: only that much "
                        "was read\n",
                embedder->n_cut, embedder->n_cut == 1 ? " is" : "s are",
                ernie_model_max_tokens(embedder->model));
    for (size_t i = 0; i < embedder->n; i++) /* after a failure */
        free(embedder->text[i]);
    return status;
}

/* --prompt and --dim, which depend on the model. */
static int set_options(struct embedder *embedder, const struct arguments *arguments)
{
    const size_t dim = ernie_model_dim(embedder->model);

    if (arguments->dim > dim)
        return fail("--dim %zu: the model's vectors have %zu numbers", arguments->dim, dim);
    embedder->options.dim = embedder->dim = arguments->dim != 0 ? arguments->dim : dim;
    if (arguments->prompt == NULL)
        return EXIT_FOUND;
    embedder->options.prompt = ernie_model_prompt(embedder->model, arguments->prompt);
    if (embedder->options.prompt == NULL)
        return fail("--prompt %s: the model has no prompt of that name", arguments->prompt);
    return EXIT_FOUND;
}

int cmd_embed(const struct arguments *arguments)
{
    struct embedder embedder = { .format = arguments->format, .is_tokens = arguments->tokens };
    ernie_model *model;
    ernie_error err;
    int status;

    if (arguments->n_words > 0 && arguments->input != NULL)
        return fail("embed: texts, or --input FILE, not both");
    if (arguments->n_words == 0 && arguments->input == NULL && isatty(STDIN_FILENO))
        return fail("embed: which text? (give TEXT or --input FILE)");
    if (arguments->tokens && (arguments->prompt != NULL || arguments->dim != 0))
        return fail("embed: --tokens goes with neither --prompt nor --dim");
    if (embedder.format == FORMAT_DEFAULT)
        embedder.format = FORMAT_JSON;
    status = open_model(arguments, &model);
    if (status != EXIT_FOUND)
        return status;
    embedder.model = model;
    status = set_options(&embedder, arguments);
    if (status == EXIT_FOUND) {
        embedder.embeddings = calloc(BATCH * embedder.dim, sizeof *embedder.embeddings);
        if (embedder.embeddings == NULL)
            status = fail("out of memory");
    }
    if (status != EXIT_FOUND)
        ; /* said */
    else if (ernie_encoder_new(model, arguments->n_threads, &embedder.encoder, &err) != ERNIE_OK)
        status = fail_with(&err);
    else
        status = embed(&embedder, arguments);
    ernie_encoder_free(embedder.encoder);
    free(embedder.embeddings);
    ernie_model_close(model);
    return status;
}

int cmd_similarity(const struct arguments *arguments)
{
    ernie_encoder *encoder = NULL;
    ernie_model *model;
    ernie_error err;
    float *embeddings;
    size_t dim;
    int status;

    if (arguments->n_words != 2)
        return fail("similarity: needs two texts");
    status = open_model(arguments, &model);
    if (status != EXIT_FOUND)
        return status;
    dim = ernie_model_dim(model);
    embeddings = calloc(2 * dim, sizeof *embeddings);
    if (embeddings == NULL)
        status = fail("out of memory");
    else if (ernie_encoder_new(model, 1, &encoder, &err) != ERNIE_OK ||
             ernie_encode(encoder, 2, (const char *const *)arguments->words, embeddings, &err) !=
                 ERNIE_OK)
        status = fail_with(&err);
    else
        printf("%.4f\n", ernie_cosine(dim, embeddings, embeddings + dim));
    ernie_encoder_free(encoder);
    free(embeddings);
    ernie_model_close(model);
    return status;
}
