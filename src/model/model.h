/* An opened model: everything read from its directory, unchanging from then on
 * and shared by threads. The public ernie_model is this struct. */
#ifndef ERNIE_MODEL_MODEL_H
#define ERNIE_MODEL_MODEL_H

#include "base/error.h"
#include "base/hash.h"
#include "model/config.h"
#include "model/tokenizer.h"
#include "model/vocab.h"

struct head;    /* model/head.h, for those who look inside */
struct modules; /* model/module.h, likewise */
struct weights; /* model/weights.h, likewise */

struct ernie_model {
    char *directory;
    struct model_config config;
    struct vocab *vocab;
    struct hash words_hash; /* of vocab.txt, or of tokenizer.json where that is all */
    struct tokenizer *tokenizer;
    struct weights *weights;
    struct modules *modules;
    struct head *head; /* NULL when the model has none */
    struct model_prompts prompts;
    struct hash fingerprint;
    char fingerprint_hex[33];
};

/* The prompts of questions and of passages, "" when the model has none. */
const char *model_query_prompt(const struct ernie_model *model);
const char *model_passage_prompt(const struct ernie_model *model);

/* ernie_model_open and _close of ernie.h are in model.c. */

#endif
