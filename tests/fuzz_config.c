/* Any bytes as the JSON files of a model directory: refused with the file's name, or
 * what is read of them is within its limits. The input is the files below in their
 * order, each ended by the byte 0xff, which no JSON holds; those it has no part for are
 * absent. For libFuzzer, built on request like fuzz_tokenizer. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/system.h"
#include "model/config.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(holds)                                             \
    do {                                                        \
        if (!(holds)) {                                         \
            fprintf(stderr, "does not hold: %s\n", #holds);     \
            abort();                                            \
        }                                                       \
    } while (0)

static const char *const names[] = {
    "m/config.json",
    "m/tokenizer_config.json",
    "m/sentence_bert_config.json",
    "m/modules.json",
    "m/1_Pooling/config.json",
    "m/2_Dense/config.json",
    "m/config_sentence_transformers.json",
};
#define N_NAMES (sizeof names / sizeof names[0])

static const uint8_t *part[N_NAMES];
static size_t part_size[N_NAMES];

/* The only files there are. */
static int open_part(int directory, const char *path, int flags, mode_t mode)
{
    (void)directory, (void)flags, (void)mode;
    for (size_t i = 0; i < N_NAMES; i++) {
        int fd;

        if (part[i] == NULL || strcmp(path, names[i]) != 0)
            continue;
        fd = memfd_create("part", 0);
        must(fd >= 0 && write(fd, part[i], part_size[i]) == (ssize_t)part_size[i]);
        must(lseek(fd, 0, SEEK_SET) == 0);
        return fd;
    }
    errno = ENOENT;
    return -1;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    system_table.openat = open_part;
    return 0;
}

static void check_config(const struct model_config *config)
{
    size_t dim = config->n_poolings * config->hidden_size;

    must(config->hidden_size >= 1 && config->hidden_size <= 8192);
    must(config->n_layers >= 1 && config->n_layers <= 128);
    must(config->n_heads >= 1 && config->hidden_size % config->n_heads == 0);
    must(config->intermediate_size >= 1 && config->intermediate_size <= 65536);
    must(config->vocab_size >= 1 && config->vocab_size <= 2000000);
    must(config->max_tokens >= 3 && config->max_tokens <= config->max_positions);
    must(config->first_position + config->max_positions == config->max_position_embeddings);
    must(!config->pad_has_no_place || config->pad_token_id < config->max_position_embeddings);
    must(config->embedding_size >= 1 && config->embedding_size <= 8192);
    must(config->positions == POSITION_LEARNED || config->hidden_size / config->n_heads % 2 == 0);
    must(config->type_vocab_size <= 64);
    must(config->task_type_vocab_size <= 64);
    must(isfinite(config->layer_norm_eps) && config->layer_norm_eps > 0);
    must(config->n_poolings >= 1 && config->n_poolings <= N_POOLING_KINDS);
    must(config->n_modules <= MAX_MODULES);
    for (size_t i = 0; i < config->n_modules; i++) {
        must(config->module[i].n_in == dim);
        must(memchr(config->module[i].folder, '\0', MODULE_FOLDER_BYTES) != NULL);
        must(strchr(config->module[i].folder, '/') == NULL);
        dim = config->module[i].n_out;
        must(dim >= 1 && dim <= 65536);
    }
    must(config->dim == dim);
    for (size_t i = 0; i < N_SPECIAL_TOKENS; i++)
        must(memchr(config->special_tokens[i], '\0', SPECIAL_TOKEN_BYTES) != NULL);
}

static void check_head(const struct head_config *head)
{
    must(head->n_labels <= 65536);
    must(head->problem <= PROBLEM_REGRESSION);
    for (size_t i = 0; i < head->n_labels; i++)
        must(head->label[i] != NULL);
}

static void check_error(const ernie_error *err)
{
    must(strncmp(err->message, "m/", 2) == 0);
    must(strpbrk(err->message, "\r\n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_config config;
    struct model_prompts prompts;
    struct head_config head;
    ernie_error err;
    size_t n = 0;

    memset(part, 0, sizeof part);
    for (size_t at = 0; at < size && n < N_NAMES; n++) {
        const uint8_t *end = memchr(data + at, 0xff, size - at);

        part[n] = data + at;
        part_size[n] = end != NULL ? (size_t)(end - part[n]) : size - at;
        at += part_size[n] + 1;
    }
    if (model_config_load("m", &config, &err) == ERNIE_OK)
        check_config(&config);
    else
        check_error(&err);
    if (model_prompts_load("m", &prompts, &err) == ERNIE_OK) {
        for (size_t i = 0; i < prompts.n; i++)
            must(prompts.prompt[i].name != NULL && prompts.prompt[i].text != NULL);
    } else {
        check_error(&err);
    }
    model_prompts_reset(&prompts);
    if (head_config_load("m", &head, &err) == ERNIE_OK)
        check_head(&head);
    else
        check_error(&err);
    head_config_reset(&head);
    return 0;
}
