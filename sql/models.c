#include "sql/models.h"

#include <stdlib.h>
#include <string.h>

#include "sql/sqlite.h"

struct named_model {
    struct named_model *next;
    char *name, *directory;
    ernie_model *model; /* NULL until it is used */
    ernie_encoder *encoder;
};

static int fail(ernie_error *err, int code, const char *name, const char *why)
{
    err->code = code;
    sqlite3_snprintf(sizeof err->message, err->message, "model %.100s: %s", name, why);
    return code;
}

static int is_plain(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL && strlen(name) < 256;
}

static struct named_model *find(struct named_model *models, const char *name)
{
    while (models != NULL && strcmp(models->name, name) != 0)
        models = models->next;
    return models;
}

static void named_model_free(struct named_model *named)
{
    if (named == NULL)
        return;
    ernie_encoder_free(named->encoder);
    ernie_model_close(named->model);
    sqlite3_free(named->name);
    sqlite3_free(named->directory);
    sqlite3_free(named);
}

void models_free(struct named_model *models)
{
    while (models != NULL) {
        struct named_model *next = models->next;

        named_model_free(models);
        models = next;
    }
}

int models_register(struct named_model **models, const char *name, const char *directory,
                    ernie_error *err)
{
    struct named_model *named;

    if (!is_plain(name))
        return fail(err, ERNIE_EINVAL, name, "not a plain name");
    named = find(*models, name);
    if (named != NULL)
        return strcmp(named->directory, directory) == 0
                   ? ERNIE_OK
                   : fail(err, ERNIE_EINVAL, name, "the name stands for another directory");
    named = sqlite3_malloc64(sizeof *named);
    if (named != NULL)
        *named = (struct named_model){ .name = sqlite3_mprintf("%s", name),
                                       .directory = sqlite3_mprintf("%s", directory) };
    if (named == NULL || named->name == NULL || named->directory == NULL) {
        named_model_free(named);
        return fail(err, ERNIE_ENOMEM, name, "out of memory");
    }
    named->next = *models;
    *models = named;
    return ERNIE_OK;
}

/* A name that nobody registered is a directory in that of $ERNIE_MODELS. */
static int register_by_name(struct named_model **models, const char *name, ernie_error *err)
{
    const char *folder = secure_getenv("ERNIE_MODELS");
    char *directory;
    int status;

    if (!is_plain(name))
        return fail(err, ERNIE_EINVAL, name, "not a plain name");
    if (folder == NULL || folder[0] == '\0')
        return fail(err, ERNIE_ENOTFOUND, name,
                    "not registered; put it into a directory and that one's path into "
                    "ERNIE_MODELS, or have the host register it");
    directory = sqlite3_mprintf("%s/%s", folder, name);
    if (directory == NULL)
        return fail(err, ERNIE_ENOMEM, name, "out of memory");
    status = models_register(models, name, directory, err);
    sqlite3_free(directory);
    return status;
}

static int open_named(struct named_model *named, ernie_error *err)
{
    int status = ERNIE_OK;

    if (named->model == NULL)
        status = ernie_model_open(named->directory, &named->model, err);
    if (status == ERNIE_OK && named->encoder == NULL)
        status = ernie_encoder_new(named->model, 1, &named->encoder, err);
    return status;
}

int models_find(struct named_model **models, const char *name, ernie_encoder **encoder,
                const ernie_model **model, ernie_error *err)
{
    struct named_model *named = find(*models, name);
    int status = ERNIE_OK;

    if (named == NULL) {
        status = register_by_name(models, name, err);
        named = *models;
    }
    if (status == ERNIE_OK)
        status = open_named(named, err);
    if (status != ERNIE_OK)
        return status;
    *encoder = named->encoder;
    *model = named->model;
    return ERNIE_OK;
}
