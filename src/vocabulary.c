/* A model with more words: each new one's embedding is the mean of its pieces' rows, so that
 * a text with it means at first what it meant before. Hewitt 2021, "Initializing New Word
 * Embeddings for Pretrained Language Models", argues for a mean. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "ernie.h"
#include "model/directory.h"
#include "model/model.h"
#include "model/safetensors.h"

#define MAX_NEW_TOKENS 65536
#define MAX_JSON_BYTES (64u << 20)

/* The word embeddings of a file: float rows, or int8 rows with a scale each. */
struct matrix {
    const struct tensor *rows, *scales; /* scales: NULL when rows are not int8 */
    size_t n_rows, width;
};

/* What is added. */
struct growth {
    const ernie_model *model;
    size_t n;
    const char **token; /* [n] new ones, none twice */
    int32_t first_id;
};

static int find_matrix(const struct safetensors *file, struct matrix *out, ernie_error *err)
{
    static const char ending[] = "embeddings.word_embeddings.weight";
    char name[256];

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct tensor *tensor = safetensors_at(file, i);
        const size_t n = strlen(tensor->name);

        if (n >= sizeof ending - 1 && strcmp(tensor->name + n - (sizeof ending - 1), ending) == 0)
            out->rows = tensor;
    }
    if (out->rows == NULL || out->rows->n_dimensions != 2)
        return error_set(err, ERNIE_EFORMAT, "%s: no word embeddings", safetensors_path(file));
    out->n_rows = out->rows->shape[0];
    out->width = out->rows->shape[1];
    snprintf(name, sizeof name, "%.240s_scale", out->rows->name);
    if (out->rows->type == TENSOR_I8)
        out->scales = safetensors_find(file, name);
    if (out->rows->type == TENSOR_I8 && out->scales == NULL)
        return error_set(err, ERNIE_EFORMAT, "%s: %s: missing", safetensors_path(file), name);
    return ERNIE_OK;
}

/* ---- rows -------------------------------------------------------------- */

static uint16_t to_bf16(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16); /* to nearest, then even */
}

/* To nearest, then even: a half has 10 bits after the point of what frexpf makes 0.5..1. */
static uint16_t to_f16(float value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    int exponent;
    float fraction = frexpf(fabsf(value), &exponent), bits;

    if (fraction == 0)
        return sign;
    if (exponent > 16)
        return sign | 0x7c00;
    if (exponent < -13) /* no leading 1: less bits */
        return sign | (uint16_t)rintf(ldexpf(fraction, exponent + 24));
    bits = rintf(ldexpf(fraction, 11)); /* 1024..2048; 2048 carries into the exponent */
    return sign | (uint16_t)(((exponent + 13) << 10) + (int)bits);
}

static void narrow(enum tensor_type type, size_t n, const float *row, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half = type == TENSOR_F16 ? to_f16(row[i]) : to_bf16(row[i]);

        if (type == TENSOR_F32)
            memcpy(out + 4 * i, &row[i], 4);
        else
            memcpy(out + 2 * i, &half, 2);
    }
}

static int read_row(const struct safetensors *file, const struct matrix *matrix, size_t id,
                    uint8_t *bytes, float *row, ernie_error *err)
{
    const size_t row_bytes = matrix->width * tensor_type_size(matrix->rows->type);
    int status = safetensors_read(file, matrix->rows, id * row_bytes, row_bytes, bytes, err);
    float scale = 1;

    if (status == ERNIE_OK && matrix->scales != NULL)
        status = safetensors_read(file, matrix->scales, id * sizeof scale, sizeof scale, &scale,
                                  err);
    if (status != ERNIE_OK)
        return status;
    if (matrix->scales == NULL)
        tensor_widen(matrix->rows->type, matrix->width, bytes, row);
    for (size_t i = 0; matrix->scales != NULL && i < matrix->width; i++)
        row[i] = scale * (float)(int8_t)bytes[i];
    return ERNIE_OK;
}

/* The mean of a token's pieces' rows, in out [width]. */
static int mean_row(const struct growth *growth, const struct safetensors *file,
                    const struct matrix *matrix, const char *token, float *out, ernie_error *err)
{
    struct tokenizer_scratch *scratch = NULL;
    const size_t capacity = strlen(token) * 4;
    int32_t *ids = memory_new(capacity, sizeof *ids);
    float *row = memory_new(matrix->width, sizeof *row);
    uint8_t *bytes = memory_new(matrix->width, 4);
    size_t n = 0;
    int status = tokenizer_scratch_new(&scratch, err);

    if (status == ERNIE_OK && (ids == NULL || row == NULL || bytes == NULL))
        status = error_set(err, ERNIE_ENOMEM, "add-tokens: out of memory");
    if (status == ERNIE_OK)
        n = tokenizer_ids(growth->model->tokenizer, scratch, token, strlen(token), ids, NULL,
                          capacity);
    if (status == ERNIE_OK && n == TOKENIZER_NO_MEMORY)
        status = error_set(err, ERNIE_ENOMEM, "add-tokens: out of memory");
    if (status == ERNIE_OK && n == 0)
        status = error_set(err, ERNIE_EINVAL, "add-tokens: \"%.40s\" is nothing to this tokenizer",
                           token);
    for (size_t j = 0; status == ERNIE_OK && j < matrix->width; j++)
        out[j] = 0;
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        status = read_row(file, matrix, (size_t)ids[i], bytes, row, err);
        for (size_t j = 0; status == ERNIE_OK && j < matrix->width; j++)
            out[j] += row[j] / (float)n;
    }
    tokenizer_scratch_free(scratch);
    memory_free(ids);
    memory_free(row);
    memory_free(bytes);
    return status;
}

/* ---- weights ----------------------------------------------------------- */

static int copy_bytes(struct directory_writer *writer, const struct safetensors *file,
                      const struct tensor *tensor, size_t start, size_t end, ernie_error *err)
{
    uint8_t block[65536];
    int status = ERNIE_OK;

    for (size_t at = start; status == ERNIE_OK && at < end; at += sizeof block) {
        const size_t left = end - at, n = left < sizeof block ? left : sizeof block;

        status = safetensors_read(file, tensor, at, n, block, err);
        if (status == ERNIE_OK)
            status = directory_writer_data(writer, block, n, err);
    }
    return status;
}

/* Rows or scales: the old ones, the new ones in their place, and old ones after them where
 * the matrix had rows to spare. */
static int write_grown(struct directory_writer *writer, const struct growth *growth,
                       const struct safetensors *file, const struct matrix *matrix,
                       const struct tensor *tensor, ernie_error *err)
{
    const size_t item = tensor->size_bytes / matrix->n_rows;
    const size_t first = (size_t)growth->first_id * item, last = first + growth->n * item;
    float *row = memory_new(matrix->width, sizeof *row);
    uint8_t *bytes = memory_new(matrix->width, 4);
    int status = row == NULL || bytes == NULL
                     ? error_set(err, ERNIE_ENOMEM, "add-tokens: out of memory")
                     : copy_bytes(writer, file, tensor, 0, first, err);

    for (size_t i = 0; status == ERNIE_OK && i < growth->n; i++) {
        float greatest = 0, scale;

        status = mean_row(growth, file, matrix, growth->token[i], row, err);
        if (status != ERNIE_OK)
            break;
        for (size_t j = 0; j < matrix->width; j++)
            greatest = fabsf(row[j]) > greatest ? fabsf(row[j]) : greatest;
        scale = greatest / 127;
        if (matrix->scales == NULL)
            narrow(tensor->type, matrix->width, row, bytes);
        else if (tensor == matrix->scales)
            memcpy(bytes, &scale, sizeof scale);
        else
            for (size_t j = 0; j < matrix->width; j++)
                bytes[j] = (uint8_t)(int8_t)(scale > 0 ? rintf(row[j] / scale) : 0);
        status = directory_writer_data(writer, bytes, item, err);
    }
    if (status == ERNIE_OK && last < tensor->size_bytes)
        status = copy_bytes(writer, file, tensor, last, tensor->size_bytes, err);
    memory_free(row);
    memory_free(bytes);
    return status;
}

static int write_weights(struct directory_writer *writer, const struct growth *growth,
                         const struct safetensors *file, const struct matrix *matrix,
                         size_t n_rows, ernie_error *err)
{
    const size_t n = safetensors_count(file);
    struct tensor *tensors = memory_new(n, sizeof *tensors);
    size_t n_written = 0;
    int status;

    if (tensors == NULL)
        return error_set(err, ERNIE_ENOMEM, "add-tokens: out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct tensor *tensor = safetensors_at(file, i);
        struct tensor *out = &tensors[n_written];

        if (tensor->type == TENSOR_OTHER)
            continue; /* position numbers, which nobody reads */
        *out = *tensor;
        if (tensor == matrix->rows || tensor == matrix->scales) {
            out->shape[0] = n_rows;
            out->size_bytes = tensor->size_bytes / matrix->n_rows * n_rows;
        }
        n_written++;
    }
    status = directory_writer_begin(writer, n_written, tensors, err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        const struct tensor *tensor = safetensors_at(file, i);

        if (tensor == matrix->rows || tensor == matrix->scales)
            status = write_grown(writer, growth, file, matrix, tensor, err);
        else if (tensor->type != TENSOR_OTHER)
            status = copy_bytes(writer, file, tensor, 0, tensor->size_bytes, err);
    }
    memory_free(tensors);
    return status == ERNIE_OK ? directory_writer_end(writer, err) : status;
}

/* ---- settings ---------------------------------------------------------- */

/* Where a JSON object is written again with one member changed. */
struct rewriting {
    struct buffer out;
    const char *member;
    const char *value; /* what it becomes, JSON */
    int is_done;
};

static int rewrite_member(void *data, const char *key, const json *value, ernie_error *err)
{
    struct rewriting *rewriting = data;

    (void)err;
    buffer_append_text(&rewriting->out, rewriting->out.size > 1 ? ",\n  " : "\n  ");
    json_append_text(&rewriting->out, key);
    buffer_append_text(&rewriting->out, ": ");
    if (strcmp(key, rewriting->member) == 0) {
        buffer_append_text(&rewriting->out, rewriting->value);
        rewriting->is_done = 1;
    } else {
        json_append_value(&rewriting->out, value);
    }
    return ERNIE_OK;
}

/* value: JSON, or NULL when memory for it ran out. */
static int rewrite(const char *path, const json *document, const char *member, const char *value,
                   ernie_error *err)
{
    struct rewriting rewriting = { .member = member, .value = value };
    int status = ERNIE_OK;

    if (value == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    buffer_append_char(&rewriting.out, '{');
    json_each_member(document, rewrite_member, &rewriting, NULL);
    if (!rewriting.is_done) {
        buffer_append_text(&rewriting.out, rewriting.out.size > 1 ? ",\n  " : "\n  ");
        json_append_text(&rewriting.out, member);
        buffer_printf(&rewriting.out, ": %s", value);
    }
    buffer_append_text(&rewriting.out, "\n}\n");
    if (rewriting.out.failed)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    else
        status = file_replace(path, rewriting.out.data, rewriting.out.size, err);
    buffer_reset(&rewriting.out);
    return status;
}

/* A JSON file of the new directory; *out NULL when there is none. */
static int open_json(const char *directory, const char *name, char **path, json **out,
                     ernie_error *err)
{
    struct file file = { 0 };
    int status;

    *out = NULL;
    *path = path_join(directory, name);
    if (*path == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    status = file_read(*path, MAX_JSON_BYTES, &file, err);
    if (status == ERNIE_ENOTFOUND)
        return ERNIE_OK;
    if (status == ERNIE_OK)
        status = json_parse(*path, (const char *)file.data, file.size, out, err);
    file_reset(&file);
    return status;
}

static void append_flags(struct buffer *out, const char *token)
{
    buffer_append_text(out, "\"content\": ");
    json_append_text(out, token);
    buffer_append_text(out, ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
                            "\"normalized\": true, \"special\": false}");
}

/* Flags of transformers' add_tokens. tokenizer.json: an array of tokens; the member
 * added_tokens_decoder of tokenizer_config.json: an object by id. */
static void append_list(const struct growth *growth, const json *old, int by_id,
                        struct buffer *out)
{
    struct rewriting members = { .member = "" };
    size_t n = json_count(old);

    if (by_id) {
        buffer_append_char(&members.out, '{');
        json_each_member(old, rewrite_member, &members, NULL);
        buffer_append(out, members.out.data, members.out.size);
        out->failed |= members.out.failed;
    } else {
        buffer_append_char(out, '[');
        for (size_t i = 0; i < n; i++) {
            buffer_append_text(out, i > 0 ? ",\n    " : "\n    ");
            json_append_value(out, json_element(old, i));
        }
    }
    for (size_t i = 0; i < growth->n; i++, n++) {
        buffer_append_text(out, n > 0 ? ",\n    " : "\n    ");
        buffer_printf(out, by_id ? "\"%d\": {" : "{\"id\": %d, ", (int)growth->first_id + (int)i);
        append_flags(out, growth->token[i]);
    }
    buffer_append_text(out, by_id ? "\n  }" : "\n  ]");
    buffer_reset(&members.out);
}

/* Puts the tokens into a list of added tokens, where the file is there and has one (or has
 * none yet, in tokenizer.json). */
static int extend_list(const struct growth *growth, const char *directory, const char *name,
                       const char *member, int by_id, int *is_done, ernie_error *err)
{
    struct buffer list = { 0 };
    json *document;
    char *path;
    int status = open_json(directory, name, &path, &document, err);

    if (status == ERNIE_OK && document != NULL &&
        (!by_id || json_member(document, member) != NULL)) {
        append_list(growth, json_member(document, member), by_id, &list);
        status = rewrite(path, document, member, list.failed ? NULL : list.data, err);
        *is_done = 1;
    }
    buffer_reset(&list);
    json_free(document);
    memory_free(path);
    return status;
}

/* added_tokens.json, the oldest way: {"token": id}. */
static int extend_plain(const struct growth *growth, const char *directory, ernie_error *err)
{
    struct rewriting members = { .member = "" };
    json *document;
    char *path;
    int status = open_json(directory, "added_tokens.json", &path, &document, err);

    if (status == ERNIE_OK) {
        buffer_append_char(&members.out, '{');
        json_each_member(document, rewrite_member, &members, NULL);
        for (size_t i = 0; i < growth->n; i++) {
            buffer_append_text(&members.out, members.out.size > 1 ? ",\n  " : "\n  ");
            json_append_text(&members.out, growth->token[i]);
            buffer_printf(&members.out, ": %d", (int)growth->first_id + (int)i);
        }
        buffer_append_text(&members.out, "\n}\n");
        status = members.out.failed
                     ? error_set(err, ERNIE_ENOMEM, "%s: out of memory", path)
                     : file_replace(path, members.out.data, members.out.size, err);
    }
    buffer_reset(&members.out);
    json_free(document);
    memory_free(path);
    return status;
}

static int write_settings(const struct growth *growth, const char *directory, size_t n_rows,
                          ernie_error *err)
{
    char number[32];
    json *document;
    char *path;
    int is_done = 0, status = open_json(directory, "config.json", &path, &document, err);

    snprintf(number, sizeof number, "%zu", n_rows);
    if (status == ERNIE_OK)
        status = rewrite(path, document, "vocab_size", number, err);
    json_free(document);
    memory_free(path);
    if (status == ERNIE_OK)
        status = extend_list(growth, directory, "tokenizer.json", "added_tokens", 0, &is_done, err);
    if (status == ERNIE_OK)
        status = extend_list(growth, directory, "tokenizer_config.json", "added_tokens_decoder", 1,
                             &is_done, err);
    if (status == ERNIE_OK && !is_done)
        status = extend_plain(growth, directory, err);
    return status;
}

/* ---- all of it --------------------------------------------------------- */

/* The tokens that the model does not have, each once. */
static int choose(struct growth *growth, size_t n, const char *const *tokens,
                  unsigned char *is_added, ernie_error *err)
{
    const struct tokenizer *tokenizer = growth->model->tokenizer;

    growth->token = memory_new(n, sizeof *growth->token);
    if (growth->token == NULL)
        return error_set(err, ERNIE_ENOMEM, "add-tokens: out of memory");
    for (size_t i = 0; i < n; i++) {
        const size_t size = tokens[i] != NULL ? strlen(tokens[i]) : 0;
        int is_known;

        if (size == 0 || size > ADDED_TOKEN_BYTES || !utf8_valid(tokens[i], size))
            return error_set(err, ERNIE_EINVAL, "add-tokens: token %zu is not 1..%d bytes of UTF-8",
                             i + 1, ADDED_TOKEN_BYTES);
        is_known = tokenizer_find(tokenizer, tokens[i], size) >= 0;
        for (size_t j = 0; !is_known && j < growth->n; j++)
            is_known = strcmp(growth->token[j], tokens[i]) == 0;
        if (!is_known)
            growth->token[growth->n++] = tokens[i];
        if (is_added != NULL)
            is_added[i] = !is_known;
    }
    growth->first_id = (int32_t)tokenizer_size(tokenizer);
    return growth->n > 0 ? ERNIE_OK
                         : error_set(err, ERNIE_EINVAL, "add-tokens: the model has all of them");
}

static int grow(const struct growth *growth, const struct safetensors *file, const char *out,
                ernie_error *err)
{
    struct directory_writer *writer = NULL;
    struct matrix matrix;
    size_t n_rows;
    int status = find_matrix(file, &matrix, err);

    if (status != ERNIE_OK)
        return status;
    n_rows = (size_t)growth->first_id + growth->n;
    n_rows = n_rows > matrix.n_rows ? n_rows : matrix.n_rows;
    status = directory_writer_new(ernie_model_directory(growth->model), out, &writer, err);
    if (status != ERNIE_OK)
        return status;
    status = write_weights(writer, growth, file, &matrix, n_rows, err);
    if (status == ERNIE_OK)
        status = write_settings(growth, directory_writer_path(writer), n_rows, err);
    if (status == ERNIE_OK)
        return directory_writer_finish(writer, err);
    directory_writer_cancel(writer);
    return status;
}

int ernie_model_add_tokens(const char *directory, const char *out, size_t n,
                           const char *const *tokens, unsigned char *is_added, ernie_error *err)
{
    struct growth growth = { 0 };
    struct safetensors *file = NULL;
    ernie_model *model = NULL;
    char *path = NULL;
    int status;

    if (n > MAX_NEW_TOKENS)
        return error_set(err, ERNIE_EINVAL, "add-tokens: more than %d tokens", MAX_NEW_TOKENS);
    status = ernie_model_open(directory, &model, err);
    growth.model = model;
    if (status == ERNIE_OK)
        status = choose(&growth, n, tokens, is_added, err);
    if (status == ERNIE_OK) {
        path = path_join(ernie_model_directory(model), "model.safetensors");
        status = path == NULL ? error_set(err, ERNIE_ENOMEM, "add-tokens: out of memory")
                              : safetensors_open(path, &file, err);
    }
    if (status == ERNIE_OK)
        status = grow(&growth, file, out, err);
    safetensors_close(file);
    ernie_model_close(model);
    memory_free(growth.token);
    memory_free(path);
    return status;
}
