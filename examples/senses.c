/* The same word in different sentences: its token's vectors are nearer to each other
 * where it means the same.
 *
 *     cc senses.c $(pkg-config --cflags --libs ernie) && ./a.out
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ernie.h>

#define N_WORDS 2
#define N_USES 4 /* the first half in one sense, the second in another */

static const struct {
    const char *word;
    const char *sentence[N_USES];
} words[N_WORDS] = {
    { "苹果",
      { "我早上吃了一个又红又甜的苹果。", "妈妈从市场买回来三斤苹果和两斤梨。",
        "苹果公司昨天发布了新款手机。", "苹果的股价在财报公布之后上涨了百分之五。" } },
    { "bank",
      { "We sat on the bank of the river and watched the boats.",
        "Willows grow along the muddy bank of the stream.",
        "She opened a savings account at the bank.", "The bank raised its interest rate on loans." } },
};

/* The mean of the vectors of the tokens that the word became, out [hidden]. */
static int word_vector(ernie_encoder *encoder, size_t hidden, const char *sentence,
                       const char *word, float *out, ernie_error *err)
{
    const size_t start = (size_t)(strstr(sentence, word) - sentence), end = start + strlen(word);
    struct ernie_tokens tokens;
    float *vectors;
    int status = ernie_encode_tokens(encoder, sentence, NULL, &tokens, &vectors, err);

    if (status != ERNIE_OK)
        return status;
    memset(out, 0, hidden * sizeof *out);
    for (size_t i = 0; i < tokens.n; i++)
        if (tokens.start[i] >= start && tokens.end[i] <= end && tokens.end[i] > tokens.start[i])
            for (size_t j = 0; j < hidden; j++)
                out[j] += vectors[i * hidden + j];
    ernie_tokens_reset(&tokens);
    ernie_free(vectors);
    return ERNIE_OK;
}

int main(void)
{
    ernie_model *model = NULL;
    ernie_encoder *encoder = NULL;
    float *vector = NULL;
    size_t hidden = 0;
    ernie_error err;
    int status = ernie_model_open(NULL, &model, &err);

    if (status == ERNIE_OK)
        status = ernie_encoder_new(model, 1, &encoder, &err);
    if (status == ERNIE_OK) {
        hidden = ernie_model_hidden_size(model);
        vector = calloc(N_USES * hidden, sizeof *vector);
    }
    for (size_t w = 0; w < N_WORDS && status == ERNIE_OK && vector != NULL; w++) {
        for (size_t i = 0; status == ERNIE_OK && i < N_USES; i++)
            status = word_vector(encoder, hidden, words[w].sentence[i], words[w].word,
                                 vector + i * hidden, &err);
        for (size_t i = 0; status == ERNIE_OK && i < N_USES; i++)
            for (size_t j = i + 1; j < N_USES; j++)
                printf("%.3f  %s  %s | %s\n",
                       ernie_cosine(hidden, vector + i * hidden, vector + j * hidden),
                       i / 2 == j / 2 ? "same sense " : "other sense", words[w].sentence[i],
                       words[w].sentence[j]);
    }
    if (status != ERNIE_OK)
        fprintf(stderr, "senses: %s\n", err.message);
    free(vector);
    ernie_encoder_free(encoder);
    ernie_model_close(model);
    return status != ERNIE_OK;
}
