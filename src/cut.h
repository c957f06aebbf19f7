/* Where a text is cut into chunks for a model: document/chunk.h with the model's own
 * tokens. */
#ifndef ERNIE_CUT_H
#define ERNIE_CUT_H

#include "base/buffer.h"
#include "document/chunk.h"
#include "document/extract.h"
#include "model/model.h"

/* Of what makes a file's chunks: documents of an older one are read again. */
#define DOCUMENT_VERSION (EXTRACT_VERSION * 1000 + CHUNKER_VERSION)

/* Cuts text [size], valid UTF-8, into chunks of a paragraph or two, short enough to mean
 * one thing and to be read whole behind the model's passage prompt. list is all zero
 * before, and chunk_list_reset releases it also after a failure. */
int cut_text(const struct ernie_model *model, struct tokenizer_scratch *scratch, const char *text,
             size_t size, struct chunk_list *list, ernie_error *err);

/* The same for a document's text, by its own order, with room for the headings that a chunk
 * is read behind (passage_append). */
int cut_document(const struct ernie_model *model, struct tokenizer_scratch *scratch,
                 const struct extract *extract, struct chunk_list *list, ernie_error *err);

/* Appends what of a chunk is embedded: its text, behind the nearest of the headings above it
 * where the text does not begin with that. heading is the path, "第1章 › 备份", or "". */
void passage_append(struct buffer *out, const char *heading, const char *text, size_t size);

#endif
