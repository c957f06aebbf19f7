#include "model/head.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "model/module.h"
#include "model/weights.h"

struct head {
    struct head_config config;
    size_t hidden_size;
    enum activation activation;
    struct dense hidden; /* H -> H */
    struct dense output; /* H -> n_labels */
};

/* ---- loading ----------------------------------------------------------- */

static void hash_head(const struct head *head, struct hasher *hasher)
{
    const struct head_config *config = &head->config;
    char text[96];

    hasher_add(hasher, text,
               (size_t)snprintf(text, sizeof text, " head %zu %d %d", config->n_labels,
                                (int)config->problem, config->score_is_logit));
    for (size_t i = 0; i < config->n_labels; i++)
        hasher_add(hasher, config->label[i], strlen(config->label[i]) + 1);
}

int head_load(const char *directory, const struct safetensors *file,
              const struct model_config *config, struct hasher *hasher, struct head **out,
              ernie_error *err)
{
    struct head *head = memory_new(1, sizeof *head);
    int status;

    if (head == NULL)
        return error_set(err, ERNIE_ENOMEM, "model: out of memory");
    head->hidden_size = config->hidden_size;
    /* RoFormer's has the activation of its layers, the others that of BERT's pooler. */
    head->activation = config->family == FAMILY_ROFORMER ? ACTIVATION_GELU : ACTIVATION_TANH;
    status = head_config_load(directory, &head->config, err);
    if (status != ERNIE_OK || head->config.n_labels == 0)
        goto done;
    status = weights_load_head(file, config, head->config.n_labels, hasher, &head->hidden,
                               &head->output, err);
    if (status != ERNIE_OK)
        goto done;
    hash_head(head, hasher);

    *out = head;
    head = NULL; /* the caller owns it now */
done:
    head_free(head);
    return status;
}

void head_free(struct head *head)
{
    if (head == NULL)
        return;
    head_config_reset(&head->config);
    dense_reset(&head->hidden);
    dense_reset(&head->output);
    memory_free(head);
}

const struct head_config *head_config(const struct head *head)
{
    return &head->config;
}

/* ---- applying ---------------------------------------------------------- */

static void multiply(const struct dense *dense, const struct kernel *kernel, size_t n_in,
                     size_t n_out, const float *x, float *y)
{
    for (size_t i = 0; i < n_out; i++)
        y[i] = kernel->dot(n_in, dense->weight + i * n_in, x);
}

void head_apply(const struct head *head, const struct kernel *kernel, const float *token,
                float *scratch, float *logits)
{
    const size_t hidden_size = head->hidden_size;

    multiply(&head->hidden, kernel, hidden_size, hidden_size, token, scratch);
    activation_apply(head->activation, kernel, hidden_size, head->hidden.bias, scratch);
    multiply(&head->output, kernel, hidden_size, head->config.n_labels, scratch, logits);
    kernel->add(head->config.n_labels, logits, head->output.bias);
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static void softmax(size_t n, float *x)
{
    float greatest = x[0];
    double sum = 0;

    for (size_t i = 1; i < n; i++)
        greatest = x[i] > greatest ? x[i] : greatest;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - greatest);
        sum += x[i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(x[i] / sum);
}

void head_probabilities(const struct head *head, float *logits)
{
    const size_t n = head->config.n_labels;

    if (head->config.problem == PROBLEM_SINGLE_LABEL)
        softmax(n, logits);
    else if (head->config.problem == PROBLEM_MULTI_LABEL)
        for (size_t i = 0; i < n; i++)
            logits[i] = sigmoid(logits[i]);
}

float head_score(const struct head *head, float logit)
{
    return head->config.score_is_logit ? logit : sigmoid(logit);
}
