/* Models that SQL calls by a name: classifiers and cross-encoders. Where they lie is the
 * host's to say, never SQL's: a name is one that the host registered, or that of a
 * directory in the one that $ERNIE_MODELS names. Each is opened when first used, and
 * once for a connection. */
#ifndef ERNIE_SQL_MODELS_H
#define ERNIE_SQL_MODELS_H

#include "ernie.h"

struct named_model;

/* What a host binds for a directory, so that no SQL text can stand for one. */
#define MODEL_DIRECTORY_POINTER "ernie-model-directory"

/* Adds a name for a directory, which is not looked at yet. ERNIE_EINVAL when the name is
 * none (a '/' in it, a dot at its beginning) or stands for another directory already. */
int models_register(struct named_model **models, const char *name, const char *directory,
                    ernie_error *err);

/* The encoder of a name and its model, opened if need be; they belong to models. */
int models_find(struct named_model **models, const char *name, ernie_encoder **encoder,
                const ernie_model **model, ernie_error *err);

void models_free(struct named_model *models);

#endif
