#include "model/tokenizer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "model/sentencepiece.h"
#include "model/tokenizer_json.h"
#include "model/wordpiece.h"

struct tokenizer {
    const struct vocab *vocab;
    struct added_tokens *added;
    /* One of the two. */
    struct wordpiece *wordpiece; /* NULL: the other */
    struct sentencepiece sentencepiece;
    struct added_list remarkable; /* added tokens that a plain model does not have */
    struct frame frame[2];        /* of one text, of two */
    int32_t unk;                  /* the token of what no word spells */
};

struct tokenizer_scratch {
    struct wordpiece_scratch *wordpiece;
    struct sentencepiece_scratch *sentencepiece;
};

/* ---- building ---------------------------------------------------------- */

static int is_in(const struct added_list *list, const char *word)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->token[i].text, word) == 0)
            return 1;
    return 0;
}

static int32_t id_of(const struct vocab *vocab, const struct added_list *list, const char *word)
{
    int32_t id = vocab_find(vocab, word, strlen(word), 0);

    for (size_t i = 0; id < 0 && i < list->n; i++)
        if (strcmp(list->token[i].text, word) == 0)
            id = list->token[i].id;
    return id;
}

/* The special tokens of the configuration, added to the list where it lacks them. */
static int find_specials(const struct vocab *vocab, const struct model_config *config,
                         struct added_list *list, int32_t id[N_SPECIAL_TOKENS], ernie_error *err)
{
    static const char *const usual[N_SPECIAL_TOKENS] = {
        [SPECIAL_UNK] = "[UNK]", [SPECIAL_CLS] = "[CLS]",   [SPECIAL_SEP] = "[SEP]",
        [SPECIAL_PAD] = "[PAD]", [SPECIAL_MASK] = "[MASK]",
    };
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < N_SPECIAL_TOKENS; i++) {
        const char *word = config->special_tokens[i][0] != '\0' ? config->special_tokens[i]
                                                                : usual[i];

        id[i] = id_of(vocab, list, word);
        if (id[i] < 0 && i != SPECIAL_PAD && i != SPECIAL_MASK) /* which no embedding needs */
            return error_set(err, ERNIE_EFORMAT, "the special token %s is missing",
                             word);
        if (id[i] >= 0 && !is_in(list, word)) {
            /* Adding copies the text. */
            const struct added_token token = { .text = (char *)word, .size = strlen(word),
                                               .id = id[i], .special = 1 };

            status = added_list_add(list, &token, err);
        }
    }
    return status;
}

/* A word that the vocabulary has keeps its id, and no other takes it. */
static int check_added(const struct vocab *vocab, const struct added_list *list, ernie_error *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct added_token *token = &list->token[i];
        const int32_t id = vocab_find(vocab, token->text, token->size, 0);

        if (id >= 0 ? id != token->id : (size_t)token->id < vocab_size(vocab) &&
                                            vocab_word(vocab, token->id)[0] != '\0')
            return error_set(err, ERNIE_EFORMAT,
                             "added tokens: %.40s: id %d, but the vocabulary says otherwise",
                             token->text, (int)token->id);
    }
    return ERNIE_OK;
}

/* BERT's. */
static void set_frames(struct tokenizer *tokenizer, int32_t cls, int32_t sep)
{
    const struct frame_part part[] = { { FRAME_TOKEN, cls, 0 }, { FRAME_TEXT, 0, 0 },
                                       { FRAME_TOKEN, sep, 0 }, { FRAME_PAIR, 0, 1 },
                                       { FRAME_TOKEN, sep, 1 } };

    tokenizer->frame[0] = (struct frame){ .n = 3, .n_tokens = 2 };
    tokenizer->frame[1] = (struct frame){ .n = 5, .n_tokens = 3 };
    memcpy(tokenizer->frame[0].part, part, 3 * sizeof *part);
    memcpy(tokenizer->frame[1].part, part, 5 * sizeof *part);
}

/* Whether the vocabulary and the configuration alone tell all about the token. */
static int is_plain(const struct added_token *token, const int32_t id[N_SPECIAL_TOKENS])
{
    int is_known = 0;

    for (size_t i = 0; i < N_SPECIAL_TOKENS; i++)
        is_known |= token->id == id[i];
    return is_known && token->special && !token->normalized && !token->single_word &&
           !token->lstrip && !token->rstrip;
}

/* What all kinds have: the words that were added, and a way to read the rest. */
static int finish(struct tokenizer *tokenizer, const struct added_list *list,
                  const struct normalization *rules, int32_t unk, ernie_error *err)
{
    int status = check_added(tokenizer->vocab, list, err);

    tokenizer->unk = unk;
    if (status == ERNIE_OK)
        status = added_tokens_new(list, wordpiece_normalize, rules, &tokenizer->added, err);
    if (status == ERNIE_OK)
        status = wordpiece_new(tokenizer->vocab, rules, tokenizer->added, unk,
                               &tokenizer->wordpiece, err);
    return status;
}

int tokenizer_new(const struct vocab *vocab, const struct model_config *config,
                  const struct added_list *added, struct tokenizer **out, ernie_error *err)
{
    const struct normalization rules = { .lower_case = config->do_lower_case,
                                         .strip_accents = config->strip_accents,
                                         .chinese_words = config->tokenize_chinese_chars };
    struct tokenizer *tokenizer = memory_new(1, sizeof *tokenizer);
    struct added_list list = { 0 };
    int32_t id[N_SPECIAL_TOKENS];
    int status = ERNIE_OK;

    if (tokenizer == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    tokenizer->vocab = vocab;
    for (size_t i = 0; status == ERNIE_OK && added != NULL && i < added->n; i++)
        status = added_list_add(&list, &added->token[i], err);
    if (status == ERNIE_OK)
        status = find_specials(vocab, config, &list, id, err);
    for (size_t i = 0; status == ERNIE_OK && i < list.n; i++)
        if (!is_plain(&list.token[i], id))
            status = added_list_add(&tokenizer->remarkable, &list.token[i], err);
    if (status == ERNIE_OK)
        status = finish(tokenizer, &list, &rules, id[SPECIAL_UNK], err);
    if (status != ERNIE_OK)
        goto done;
    set_frames(tokenizer, id[SPECIAL_CLS], id[SPECIAL_SEP]);

    *out = tokenizer;
    tokenizer = NULL; /* the caller owns it now */
done:
    added_list_reset(&list);
    tokenizer_free(tokenizer);
    return status;
}

int tokenizer_new_json(const struct vocab *vocab, struct tokenizer_json *file,
                       struct tokenizer **out, ernie_error *err)
{
    struct tokenizer *tokenizer = memory_new(1, sizeof *tokenizer);
    int status;

    if (tokenizer == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    tokenizer->vocab = vocab;
    memcpy(tokenizer->frame, file->frame, sizeof tokenizer->frame);
    if (file->sentencepiece.unigram == NULL) {
        status = finish(tokenizer, &file->added, &file->rules, file->unk, err);
    } else {
        tokenizer->sentencepiece = file->sentencepiece;
        memset(&file->sentencepiece, 0, sizeof file->sentencepiece);
        tokenizer->unk = unigram_unknown(tokenizer->sentencepiece.unigram);
        status = check_added(vocab, &file->added, err);
        if (status == ERNIE_OK)
            status = added_tokens_new(&file->added, sentencepiece_normalize,
                                      tokenizer->sentencepiece.normalizer, &tokenizer->added, err);
    }
    if (status == ERNIE_OK)
        *out = tokenizer;
    else
        tokenizer_free(tokenizer);
    return status;
}

/* ---- opening ----------------------------------------------------------- */

static int open_vocabulary(const char *directory, const struct model_config *config,
                           struct vocab **vocab, struct hash *hash, struct tokenizer **out,
                           ernie_error *err)
{
    char *path = path_join(directory, "vocab.txt");
    struct added_list added = { 0 };
    ernie_error why;
    int status;

    if (path == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    /* An id past the embedding's rows would read past its end. */
    status = vocab_open_for(path, config->vocab_size, vocab, err);
    if (status == ERNIE_OK) {
        *hash = vocab_hash(*vocab);
        status = added_tokens_load(directory, config->vocab_size, &added, err);
    }
    if (status == ERNIE_OK) {
        status = tokenizer_new(*vocab, config, &added, out, &why);
        if (status != ERNIE_OK)
            error_set(err, status, "%s: %s", path, why.message);
    }
    added_list_reset(&added);
    memory_free(path);
    return status;
}

static int open_json(const char *directory, const struct model_config *config,
                     struct vocab **vocab, struct hash *hash, struct tokenizer **out,
                     ernie_error *err)
{
    char *path = path_join(directory, "tokenizer.json");
    struct tokenizer_json file = { 0 };
    ernie_error why;
    int status;

    if (path == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    status = tokenizer_json_load(directory, config->vocab_size, &file, err);
    *hash = file.hash;
    if (status == ERNIE_OK && file.frame[0].n_tokens >= config->max_tokens)
        status = error_set(err, ERNIE_EFORMAT, "%s: post_processor: leaves no room for a text",
                           path);
    if (status == ERNIE_OK)
        status = vocab_new(path, file.n_words, file.words, file.sizes, vocab, err);
    if (status == ERNIE_OK) {
        status = tokenizer_new_json(*vocab, &file, out, &why);
        if (status != ERNIE_OK)
            error_set(err, status, "%s: %s", path, why.message);
    }
    tokenizer_json_reset(&file);
    memory_free(path);
    return status;
}

int tokenizer_open(const char *directory, const struct model_config *config, struct vocab **vocab,
                   struct hash *hash, struct tokenizer **out, ernie_error *err)
{
    const int json_first = config->takes_tokenizer_json;
    ernie_error first, second;
    int status = json_first ? open_json(directory, config, vocab, hash, out, &first)
                            : open_vocabulary(directory, config, vocab, hash, out, &first);

    if (status != ERNIE_ENOTFOUND) {
        if (status != ERNIE_OK && err != NULL)
            *err = first;
        return status;
    }
    status = json_first ? open_vocabulary(directory, config, vocab, hash, out, &second)
                        : open_json(directory, config, vocab, hash, out, &second);
    /* When there is none, vocab.txt is what is missed. */
    if (status != ERNIE_OK && err != NULL)
        *err = status == ERNIE_ENOTFOUND && !json_first ? first : second;
    return status;
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    wordpiece_free(tokenizer->wordpiece);
    sentencepiece_reset(&tokenizer->sentencepiece);
    added_tokens_free(tokenizer->added);
    added_list_reset(&tokenizer->remarkable);
    memory_free(tokenizer);
}

int tokenizer_scratch_new(struct tokenizer_scratch **out, ernie_error *err)
{
    struct tokenizer_scratch *scratch = memory_new(1, sizeof *scratch);
    int status;

    if (scratch == NULL)
        return error_set(err, ERNIE_ENOMEM, "tokenizer: out of memory");
    status = wordpiece_scratch_new(&scratch->wordpiece, err);
    if (status == ERNIE_OK)
        status = sentencepiece_scratch_new(&scratch->sentencepiece, err);
    if (status == ERNIE_OK)
        *out = scratch;
    else
        tokenizer_scratch_free(scratch);
    return status;
}

void tokenizer_scratch_free(struct tokenizer_scratch *scratch)
{
    if (scratch == NULL)
        return;
    wordpiece_scratch_free(scratch->wordpiece);
    sentencepiece_scratch_free(scratch->sentencepiece);
    memory_free(scratch);
}

/* ---- reading ----------------------------------------------------------- */

size_t tokenizer_ids(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                     const char *text, size_t size, int32_t *ids, struct token_span *spans,
                     size_t max_ids)
{
    if (tokenizer->wordpiece == NULL)
        return sentencepiece_ids(&tokenizer->sentencepiece, tokenizer->added,
                                 scratch->sentencepiece, text, size, ids, spans, max_ids);
    return wordpiece_ids(tokenizer->wordpiece, scratch->wordpiece, text, size, ids, spans, max_ids);
}

size_t tokenizer_count(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                       const char *text, size_t size)
{
    return tokenizer_ids(tokenizer, scratch, text, size, NULL, NULL, SIZE_MAX);
}

const struct frame *tokenizer_frame(const struct tokenizer *tokenizer, int is_pair)
{
    return &tokenizer->frame[is_pair != 0];
}

void tokenizer_hash(const struct tokenizer *tokenizer, struct hasher *hasher)
{
    for (size_t i = 0; i < tokenizer->remarkable.n; i++) {
        const struct added_token *token = &tokenizer->remarkable.token[i];
        char text[64];

        hasher_add(hasher, text,
                   (size_t)snprintf(text, sizeof text, " added %d %d%d%d%d%d", (int)token->id,
                                    token->single_word, token->lstrip, token->rstrip,
                                    token->normalized, token->special));
        hasher_add(hasher, token->text, token->size);
    }
}

int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *word, size_t size)
{
    const int32_t id = added_tokens_find(tokenizer->added, word, size);

    return id >= 0 ? id : vocab_find(tokenizer->vocab, word, size, 0);
}

size_t tokenizer_size(const struct tokenizer *tokenizer)
{
    const size_t n_words = vocab_size(tokenizer->vocab);
    const size_t n_added = added_tokens_end(tokenizer->added);

    return n_words > n_added ? n_words : n_added;
}

int32_t tokenizer_unknown(const struct tokenizer *tokenizer)
{
    return tokenizer->unk;
}

const char *tokenizer_word(const struct tokenizer *tokenizer, int32_t id)
{
    const char *word = added_tokens_word(tokenizer->added, id);

    return word != NULL ? word : vocab_word(tokenizer->vocab, id);
}
