/* The public tokenizing functions of ernie.h. */
#include "model/tokenize.h"

#include <string.h>

#include "base/memory.h"

/* Models with fewer token types, or none, do not tell the texts apart. */
static int32_t model_token_type(const struct ernie_model *model, int32_t type)
{
    return (size_t)type < model->config.type_vocab_size ? type : 0;
}

/* The tokens of one text, from token first on. spans [n] is working memory. */
static int read_part(const struct ernie_model *model, struct tokenizer_scratch *scratch,
                     const char *text, size_t n, struct token_span *spans, size_t first,
                     struct ernie_tokens *out)
{
    if (tokenizer_ids(model->tokenizer, scratch, text, strlen(text), out->input_ids + first, spans,
                      n) == TOKENIZER_NO_MEMORY)
        return 0;
    for (size_t i = 0; i < n; i++) {
        out->start[first + i] = spans[i].start;
        out->end[first + i] = spans[i].end;
    }
    return 1;
}

/* Fills the arrays of out, which has n_text + n_pair + the frame's tokens. */
static int fill_frame(const struct ernie_model *model, struct tokenizer_scratch *scratch,
                      const char *text, const char *pair, size_t n_text, size_t n_pair,
                      struct token_span *spans, struct ernie_tokens *out)
{
    const struct frame *frame = tokenizer_frame(model->tokenizer, pair != NULL);
    size_t n = 0;

    for (size_t i = 0; i < frame->n; i++) {
        const struct frame_part *part = &frame->part[i];
        const size_t n_part = part->kind == FRAME_TOKEN  ? 1
                              : part->kind == FRAME_TEXT ? n_text
                                                         : n_pair;

        for (size_t j = 0; j < n_part; j++)
            out->token_type_ids[n + j] = part->type;
        if (part->kind == FRAME_TOKEN)
            out->input_ids[n] = part->id;
        else if (!read_part(model, scratch, part->kind == FRAME_TEXT ? text : pair, n_part, spans,
                            n, out))
            return 0;
        n += n_part;
    }
    return 1;
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
    const struct frame *frame = tokenizer_frame(tokenizer, texts->pair != NULL);
    size_t n_text = model->config.max_tokens - frame->n_tokens, n_pair = 0, n = 0;

    if (texts->pair != NULL) {
        const size_t room = n_text;

        n_text = tokenizer_count(tokenizer, scratch, texts->text, texts->text_size);
        n_pair = tokenizer_count(tokenizer, scratch, texts->pair, texts->pair_size);
        if (n_text == TOKENIZER_NO_MEMORY || n_pair == TOKENIZER_NO_MEMORY)
            return TOKENIZER_NO_MEMORY;
        cut_longest_first(room, &n_text, &n_pair);
    }
    for (size_t i = 0; i < frame->n; i++) {
        const struct frame_part *part = &frame->part[i];
        const size_t start = n;

        if (part->kind == FRAME_TOKEN) {
            ids[n++] = part->id;
        } else {
            const int is_text = part->kind == FRAME_TEXT;
            const size_t n_ids = tokenizer_ids(tokenizer, scratch,
                                               is_text ? texts->text : texts->pair,
                                               is_text ? texts->text_size : texts->pair_size,
                                               ids + n, NULL, is_text ? n_text : n_pair);

            if (n_ids == TOKENIZER_NO_MEMORY)
                return n_ids;
            n += n_ids;
        }
        for (size_t j = start; types != NULL && j < n; j++)
            types[j] = model_token_type(model, part->type);
    }
    return n;
}

static int read_tokens(const struct ernie_model *model, struct tokenizer_scratch *scratch,
                       const char *text, const char *pair, size_t max_tokens,
                       struct ernie_tokens *out, ernie_error *err)
{
    size_t text_size = strlen(text), pair_size = pair == NULL ? 0 : strlen(pair);
    const size_t n_special = tokenizer_frame(model->tokenizer, pair != NULL)->n_tokens;
    size_t n_text, n_pair = 0;
    struct token_span *spans;
    int status = ERNIE_OK;

    if (max_tokens != 0 && max_tokens < n_special)
        return error_set(err, ERNIE_EINVAL, "tokenize: %zu tokens have no room for the %zu special "
                         "ones", max_tokens, n_special);
    /* The whole of both is counted even when little is kept: which is the longer
     * decides who gets the odd token. */
    n_text = tokenizer_count(model->tokenizer, scratch, text, text_size);
    if (pair != NULL)
        n_pair = tokenizer_count(model->tokenizer, scratch, pair, pair_size);
    if (n_text == TOKENIZER_NO_MEMORY || n_pair == TOKENIZER_NO_MEMORY)
        return error_set(err, ERNIE_ENOMEM, "tokenize: out of memory");
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
        out->start == NULL || out->end == NULL || spans == NULL ||
        !fill_frame(model, scratch, text, pair, n_text, n_pair, spans, out))
        status = error_set(err, ERNIE_ENOMEM, "tokenize: out of memory");
    for (size_t i = 0; status == ERNIE_OK && i < out->n; i++)
        out->attention_mask[i] = 1;
    memory_free(spans);
    return status;
}

int tokenize_unread(const struct ernie_model *model, const char *text, size_t size, double *out,
                    ernie_error *err)
{
    const int32_t unknown = tokenizer_unknown(model->tokenizer);
    struct tokenizer_scratch *scratch;
    int32_t ids[UNREAD_TOKENS];
    size_t n, n_unread = 0;
    int status = tokenizer_scratch_new(&scratch, err);

    if (status != ERNIE_OK)
        return status;
    n = tokenizer_ids(model->tokenizer, scratch, text, size, ids, NULL, UNREAD_TOKENS);
    tokenizer_scratch_free(scratch);
    if (n == TOKENIZER_NO_MEMORY)
        return error_set(err, ERNIE_ENOMEM, "tokenize: out of memory");
    for (size_t i = 0; i < n; i++)
        n_unread += ids[i] == unknown;
    *out = n > 0 ? (double)n_unread / (double)n : 0;
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
    return tokenizer_word(model->tokenizer, id);
}
