#include "model/module.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "model/pooling.h"
#include "model/safetensors.h"
#include "model/weights.h"

struct modules {
    const struct model_config *config;
    size_t width; /* of the widest vector on the way */
    struct {
        float *weight; /* [n_out][n_in] */
        float *bias;   /* [n_out], zeros where it has none */
    } dense[MAX_MODULES]; /* by module */
};

/* ---- loading ----------------------------------------------------------- */

/* model.safetensors is not there: pickled weights are, in older directories. */
static int refuse_pickle(const char *folder, ernie_error *err)
{
    char *path = path_join(folder, "pytorch_model.bin");
    struct stat st;
    int status;

    if (path == NULL)
        return error_set(err, ERNIE_ENOMEM, "model: out of memory");
    if (system_table.fstatat(AT_FDCWD, path, &st, 0) == 0)
        status = error_set(err, ERNIE_EFORMAT,
                           "%s: only model.safetensors is read; convert it once in Python: "
                           "SentenceTransformer(DIR).save(DIR)",
                           path);
    else
        status = error_set(err, ERNIE_ENOTFOUND, "%s/model.safetensors: No such file or directory",
                           folder);
    memory_free(path);
    return status;
}

static int load_dense(const char *directory, const struct module_config *config,
                      struct hasher *hasher, float **weight, float **bias, ernie_error *err)
{
    struct safetensors *file = NULL;
    char *folder = path_join(directory, config->folder), *path = NULL;
    int status;

    if (folder != NULL)
        path = path_join(folder, "model.safetensors");
    if (path == NULL)
        status = error_set(err, ERNIE_ENOMEM, "model: out of memory");
    else
        status = safetensors_open(path, &file, err);
    if (status == ERNIE_ENOTFOUND)
        status = refuse_pickle(folder, err);
    else if (status == ERNIE_OK)
        status = weights_load_dense(file, "linear", config->n_in, config->n_out, config->has_bias,
                                    hasher, weight, bias, err);
    safetensors_close(file);
    memory_free(path);
    memory_free(folder);
    return status;
}

int modules_load(const char *directory, const struct model_config *config,
                 struct hasher *hasher, struct modules **out, ernie_error *err)
{
    struct modules *modules = memory_new(1, sizeof *modules);
    int status = ERNIE_OK;

    if (modules == NULL)
        return error_set(err, ERNIE_ENOMEM, "model: out of memory");
    modules->config = config;
    modules->width = config->n_poolings * config->hidden_size;
    for (size_t i = 0; status == ERNIE_OK && i < config->n_modules; i++) {
        const struct module_config *module = &config->module[i];

        if (module->kind != MODULE_DENSE)
            continue;
        if (modules->width < module->n_out)
            modules->width = module->n_out;
        status = load_dense(directory, module, hasher, &modules->dense[i].weight,
                            &modules->dense[i].bias, err);
    }
    if (status != ERNIE_OK) {
        modules_free(modules);
        return status;
    }
    *out = modules;
    return ERNIE_OK;
}

void modules_free(struct modules *modules)
{
    if (modules == NULL)
        return;
    for (size_t i = 0; i < MAX_MODULES; i++) {
        memory_free_aligned(modules->dense[i].weight);
        memory_free_aligned(modules->dense[i].bias);
    }
    memory_free(modules);
}

/* ---- applying ---------------------------------------------------------- */

size_t modules_scratch(const struct modules *modules)
{
    return 2 * modules->width;
}

void activation_apply(enum activation activation, const struct kernel *kernel, size_t n,
                      const float *bias, float *x)
{
    if (activation == ACTIVATION_GELU) {
        kernel->add_gelu(n, x, bias);
        return;
    }
    kernel->add(n, x, bias);
    for (size_t i = 0; i < n; i++) {
        switch (activation) {
        case ACTIVATION_TANH:
            x[i] = tanhf(x[i]);
            break;
        case ACTIVATION_RELU:
            x[i] = x[i] > 0 ? x[i] : 0;
            break;
        case ACTIVATION_SIGMOID:
            x[i] = 1 / (1 + expf(-x[i]));
            break;
        default:
            break;
        }
    }
}

void modules_apply(const struct modules *modules, const struct kernel *kernel, size_t n,
                   const float *tokens, float *scratch, float *out)
{
    const struct model_config *config = modules->config;
    float *x = scratch, *y = scratch + modules->width;

    pooling_apply(config->n_poolings, config->pooling, n, config->hidden_size, tokens, x);
    for (size_t i = 0; i < config->n_modules; i++) {
        const struct module_config *module = &config->module[i];
        float *swapped = x;

        if (module->kind == MODULE_NORMALIZE) {
            pooling_normalize(module->n_in, x);
            continue;
        }
        for (size_t j = 0; j < module->n_out; j++)
            y[j] = kernel->dot(module->n_in, modules->dense[i].weight + j * module->n_in, x);
        activation_apply(module->activation, kernel, module->n_out, modules->dense[i].bias, y);
        x = y;
        y = swapped;
    }
    memcpy(out, x, config->dim * sizeof *out);
    pooling_normalize(config->dim, out);
}
