/* Where a text is cut into chunks for a model: document/chunk.h with the model's own
 * tokens. */
#ifndef ERNIE_CUT_H
#define ERNIE_CUT_H

#include "document/chunk.h"
#include "model/model.h"

/* Cuts text [size], valid UTF-8, into chunks of a paragraph or two, short enough to mean
 * one thing and to be read whole behind the model's passage prompt. list is all zero
 * before, and chunk_list_reset releases it also after a failure. */
int cut_text(const struct ernie_model *model, struct tokenizer_scratch *scratch, const char *text,
             size_t size, struct chunk_list *list, ernie_error *err);

#endif
