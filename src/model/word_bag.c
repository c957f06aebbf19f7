#include "model/word_bag.h"

#include <string.h>

#include "base/memory.h"
#include "model/tokenizer.h"
#include "model/weights.h"

/* Rows of the vocabulary that the mean is taken of: more would not change what is nearest. */
#define MEAN_ROWS 1024

struct word_bag {
    const struct ernie_model *model;
    struct tokenizer_scratch *scratch;
    float *mean; /* [E] */
    int32_t ids[WORD_BAG_TOKENS];
};

/* The mean of rows that are spread evenly over the vocabulary. */
static void find_mean(const struct weights *weights, float *mean)
{
    const size_t n_rows = weights->word.n_rows;
    const size_t step = (n_rows + MEAN_ROWS - 1) / MEAN_ROWS;
    size_t n = 0;

    for (size_t id = 0; id < n_rows; id += step, n++)
        embedding_add(&weights->word, weights->embedding_size, id, mean);
    for (size_t i = 0; n > 0 && i < weights->embedding_size; i++)
        mean[i] /= (float)n;
}

int word_bag_new(const struct ernie_model *model, struct word_bag **out, ernie_error *err)
{
    struct word_bag *bag = memory_new(1, sizeof *bag);
    int status;

    if (bag == NULL)
        return error_set(err, ERNIE_ENOMEM, "words: out of memory");
    bag->model = model;
    bag->mean = memory_new(model->weights->embedding_size, sizeof *bag->mean);
    status = bag->mean == NULL ? error_set(err, ERNIE_ENOMEM, "words: out of memory")
                               : tokenizer_scratch_new(&bag->scratch, err);
    if (status != ERNIE_OK) {
        word_bag_free(bag);
        return status;
    }
    find_mean(model->weights, bag->mean);
    *out = bag;
    return ERNIE_OK;
}

void word_bag_free(struct word_bag *bag)
{
    if (bag == NULL)
        return;
    tokenizer_scratch_free(bag->scratch);
    memory_free(bag->mean);
    memory_free(bag);
}

size_t word_bag_dim(const struct word_bag *bag)
{
    return bag->model->weights->embedding_size;
}

int word_bag_sum(struct word_bag *bag, const char *text, size_t size, float *out,
                 ernie_error *err)
{
    const struct weights *weights = bag->model->weights;
    const size_t dim = weights->embedding_size;
    const size_t n = tokenizer_ids(bag->model->tokenizer, bag->scratch, text, size, bag->ids, NULL,
                                   WORD_BAG_TOKENS);

    if (n == TOKENIZER_NO_MEMORY)
        return error_set(err, ERNIE_ENOMEM, "words: out of memory");
    memset(out, 0, dim * sizeof *out);
    for (size_t i = 0; i < n; i++)
        embedding_add(&weights->word, dim, (size_t)bag->ids[i], out);
    for (size_t i = 0; i < dim; i++)
        out[i] -= (float)n * bag->mean[i];
    return ERNIE_OK;
}
