/* The public tokenizing functions of ernie.h. */
#include "model/tokenize.h"

#include <string.h>

#include "base/memory.h"

/* The tokens of one text, from token first on. spans [n] is working memory. */
static void read_part(const struct ernie_model *model, struct tokenizer_scratch *scratch,
                      const char *text, size_t n, struct token_span *spans, size_t first,
                      struct ernie_tokens *out)
{
    tokenizer_ids(model->tokenizer, scratch, text, strlen(text), out->input_ids + first, spans, n);
    for (size_t i = 0; i < n; i++) {
        out->start[first + i] = spans[i].start;
        out->end[first + i] = spans[i].end;
    }
}

/* Cuts n_text and n_pair so that they are at most room together, the longer first
 * and both alike in the end, the odd token going to the longer one or, when they
 * are equally long, to the pair. Hugging Face's tokenizers get here in one step,
 * and so does this. */
static void cut_longest_first(size_t room, size_t *n_text, size_t *n_pair)
{
    int swapped = *n_text > *n_pair;
    size_t shorter = swapped ? *n_pair : *n_text;
    size_t longer;

    if (*n_text + *n_pair <= room)
        return;
    if (shorter > room / 2)
        shorter = room / 2;
    longer = room - shorter;
    *n_text = swapped ? longer : shorter;
    *n_pair = swapped ? shorter : longer;
}

size_t tokenize_sequence(const struct ernie_model *model, struct tokenizer_scratch *scratch,
                         const struct text_pair *texts, int32_t *ids, int32_t *types)
{
    const struct tokenizer *tokenizer = model->tokenizer;
    const int is_pair = texts->pair != NULL;
    size_t n_text = model->config.max_tokens - (is_pair ? 3 : 2), n_pair = 0, n = 0;

    if (is_pair) {
        const size_t room = n_text;

        n_text = tokenizer_count(tokenizer, scratch, texts->text, texts->text_size);
        n_pair = tokenizer_count(tokenizer, scratch, texts->pair, texts->pair_size);
        cut_longest_first(room, &n_text, &n_pair);
    }
    ids[n++] = tokenizer_cls(tokenizer);
    n += tokenizer_ids(tokenizer, scratch, texts->text, texts->text_size, ids + n, NULL,
                       n_text);
    ids[n++] = tokenizer_sep(tokenizer);
    n_text = n;
    if (is_pair) {
        n += tokenizer_ids(tokenizer, scratch, texts->pair, texts->pair_size, ids + n, NULL,
                           n_pair);
        ids[n++] = tokenizer_sep(tokenizer);
    }
    /* Models with one token type, or none, do not tell the texts apart. */
    for (size_t i = 0; types != NULL && i < n; i++)
        types[i] = i >= n_text && model->config.type_vocab_size > 1;
    return n;
}

static int read_tokens(const struct ernie_model *model, struct tokenizer_scratch *scratch,
                       const char *text, const char *pair, size_t max_tokens,
                       struct ernie_tokens *out, ernie_error *err)
{
    size_t text_size = strlen(text), pair_size = pair == NULL ? 0 : strlen(pair);
    size_t n_special = pair == NULL ? 2 : 3;
    size_t n_text, n_pair = 0, n = 0;
    struct token_span *spans;

    if (max_tokens != 0 && max_tokens < n_special)
        return error_set(err, ERNIE_EINVAL, "tokenize: %zu tokens have no room for %s", max_tokens,
                         pair == NULL ? "[CLS] and [SEP]" : "[CLS], [SEP] and [SEP]");
    /* The whole of both is counted even when little is kept: which is the longer
     * decides who gets the odd token. */
    n_text = tokenizer_count(model->tokenizer, scratch, text, text_size);
    if (pair != NULL)
        n_pair = tokenizer_count(model->tokenizer, scratch, pair, pair_size);
    if (max_tokens != 0)
        cut_longest_first(max_tokens - n_special, &n_text, &n_pair);

    out->n = n_text + n_pair + n_special;
    out->input_ids = memory_new(out->n, sizeof *out->input_ids);
    out->token_type_ids = memory_new(out->n, sizeof *out->token_type_ids);
    out->attention_mask = memory_new(out->n, sizeof *out->attention_mask);
    out->start = memory_new(out->n, sizeof *out->start);
    out->end = memory_new(out->n, sizeof *out->end);
    spans = memory_new(n_text > n_pair ? n_text : n_pair, sizeof *spans);
    if (out->input_ids == NULL || out->token_type_ids == NULL || out->attention_mask == NULL ||
        out->start == NULL || out->end == NULL || spans == NULL) {
        memory_free(spans);
        return error_set(err, ERNIE_ENOMEM, "tokenize: out of memory");
    }

    out->input_ids[n++] = tokenizer_cls(model->tokenizer);
    read_part(model, scratch, text, n_text, spans, n, out);
    n += n_text;
    out->input_ids[n++] = tokenizer_sep(model->tokenizer);
    if (pair != NULL) {
        for (size_t i = n; i < out->n; i++)
            out->token_type_ids[i] = 1;
        read_part(model, scratch, pair, n_pair, spans, n, out);
        n += n_pair;
        out->input_ids[n++] = tokenizer_sep(model->tokenizer);
    }
    for (size_t i = 0; i < out->n; i++)
        out->attention_mask[i] = 1;
    memory_free(spans);
    return ERNIE_OK;
}

int ernie_tokenize(const ernie_model *model, const char *text, const char *pair, size_t max_tokens,
                   struct ernie_tokens *out, ernie_error *err)
{
    struct ernie_tokens tokens = { 0 };
    struct tokenizer_scratch *scratch;
    int status;

    if (text == NULL)
        return error_set(err, ERNIE_EINVAL, "tokenize: no text");
    status = tokenizer_scratch_new(&scratch, err);
    if (status != ERNIE_OK)
        return status;
    status = read_tokens(model, scratch, text, pair, max_tokens, &tokens, err);
    if (status == ERNIE_OK)
        *out = tokens;
    else
        ernie_tokens_reset(&tokens);
    tokenizer_scratch_free(scratch);
    return status;
}

void ernie_tokens_reset(struct ernie_tokens *tokens)
{
    if (tokens == NULL)
        return;
    memory_free(tokens->input_ids);
    memory_free(tokens->token_type_ids);
    memory_free(tokens->attention_mask);
    memory_free(tokens->start);
    memory_free(tokens->end);
    memset(tokens, 0, sizeof *tokens);
}

const char *ernie_token(const ernie_model *model, int32_t id)
{
    return vocab_word(model->vocab, id);
}
