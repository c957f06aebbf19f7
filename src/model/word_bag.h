/* What a text is about by its words alone: the sum of the word embeddings that the model's
 * first layer would begin with, without that layer or any other. Which words stand near
 * which is lost, and with it what a word means there; but it takes a hundredth of the time
 * that embedding takes, and is enough to tell the sentences of one passage apart.
 *
 * Each word counts as its embedding less the mean of all words', so that what all words of
 * the vocabulary have in common says nothing. Arora, Liang & Ma 2017, "A Simple but
 * Tough-to-Beat Baseline for Sentence Embeddings", takes it off too, otherwise. */
#ifndef ERNIE_MODEL_WORD_BAG_H
#define ERNIE_MODEL_WORD_BAG_H

#include <stddef.h>

#include "base/error.h"
#include "model/model.h"

/* The memory of one thread. */
struct word_bag;

/* Borrows the model. ERNIE_ENOMEM. */
int word_bag_new(const struct ernie_model *model, struct word_bag **out, ernie_error *err);
void word_bag_free(struct word_bag *bag); /* NULL is fine */

/* The numbers of a sum: the model's embedding_size, which may be another than that of its
 * embeddings. */
size_t word_bag_dim(const struct word_bag *bag);

/* out [word_bag_dim], of any length: compare by ernie_cosine. All zero for a text without
 * tokens; those past WORD_BAG_TOKENS are left out. ERNIE_ENOMEM. */
#define WORD_BAG_TOKENS 512
int word_bag_sum(struct word_bag *bag, const char *text, size_t size, float *out,
                 ernie_error *err);

#endif
