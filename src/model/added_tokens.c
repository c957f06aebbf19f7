#include "model/added_tokens.h"

#include <string.h>

#include <utf8proc.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "model/vocab.h"

/* The tokens of one kind, found by a vocabulary of their patterns. */
struct added_set {
    size_t n;
    struct vocab *patterns; /* NULL: none */
    int32_t *token;         /* [n] which token the n-th pattern is */
    uint8_t begins[256];    /* bytes that a pattern begins with */
};

struct added_tokens {
    struct added_list list;
    struct added_set set[N_ADDED_KINDS];
    struct vocab *words; /* the tokens as they are written; NULL: none */
    size_t n_by_id;
    int32_t *by_id; /* [n_by_id] tokens in the order of their ids */
};

/* ---- the list ---------------------------------------------------------- */

int added_list_add(struct added_list *list, const struct added_token *token, ernie_error *err)
{
    if (token->size == 0 || token->size > ADDED_TOKEN_BYTES || !utf8_valid(token->text, token->size))
        return error_set(err, ERNIE_EFORMAT, "added token %d: not a word of 1..%d bytes of UTF-8",
                         (int)token->id, ADDED_TOKEN_BYTES);
    if (list->n == MAX_ADDED_TOKENS)
        return error_set(err, ERNIE_EFORMAT, "added tokens: more than %d", MAX_ADDED_TOKENS);
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity > 0 ? list->capacity * 2 : 16;
        struct added_token *grown = memory_resize(list->token, capacity, sizeof *grown);

        if (grown == NULL)
            return error_set(err, ERNIE_ENOMEM, "added tokens: out of memory");
        list->token = grown;
        list->capacity = capacity;
    }
    list->token[list->n] = *token;
    list->token[list->n].text = memory_copy_text(token->text, token->size);
    if (list->token[list->n].text == NULL)
        return error_set(err, ERNIE_ENOMEM, "added tokens: out of memory");
    list->n++;
    return ERNIE_OK;
}

void added_list_reset(struct added_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        memory_free(list->token[i].text);
    memory_free(list->token);
    memset(list, 0, sizeof *list);
}

/* ---- characters -------------------------------------------------------- */

/* Unicode's White_Space, which is what \s means to the reference. */
static int is_white_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* \w: Alphabetic, marks, decimal digits, connectors and joiners (UTS 18, annex C).
 * Letters in circles and squares are the only Alphabetic ones whose category does not
 * say so. */
static int is_word_character(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_PC:
        return 1;
    default:
        return c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) ||
               (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
               (c >= 0x1f170 && c <= 0x1f189);
    }
}

/* The character that ends at text [end]; its first byte in start. */
static uint32_t character_before(const char *text, size_t end, size_t *start)
{
    size_t at = end - 1, n;
    uint32_t c;

    while (at > 0 && end - at < 4 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    c = utf8_decode(text + at, end - at, &n, NULL);
    if (at + n != end) { /* broken bytes */
        *start = end - 1;
        return UTF8_REPLACEMENT;
    }
    *start = at;
    return c;
}

/* ---- building ---------------------------------------------------------- */

struct patterns {
    struct buffer bytes;
    size_t n;
    const char **words; /* [n] */
    size_t *sizes;      /* [n] */
};

static void patterns_reset(struct patterns *patterns)
{
    buffer_reset(&patterns->bytes);
    memory_free(patterns->words);
    memory_free(patterns->sizes);
}

static int append_pattern(const struct added_token *token, added_normalize_fn normalize,
                          const void *data, struct patterns *patterns, int32_t *numbers,
                          int32_t number, ernie_error *err)
{
    const size_t before = patterns->bytes.size;
    int status = ERNIE_OK;

    if (token->normalized)
        status = normalize(data, token->text, token->size, &patterns->bytes, err);
    else
        buffer_append(&patterns->bytes, token->text, token->size);
    if (status != ERNIE_OK || patterns->bytes.size == before)
        return status; /* nothing is left of it to look for */
    patterns->sizes[patterns->n] = patterns->bytes.size - before;
    numbers[patterns->n++] = number;
    return ERNIE_OK;
}

/* Of equal patterns the last counts, as in a vocabulary, and one that is not special. The
 * reference's choice among them changes from run to run. */
static int add_patterns(const struct added_list *list, enum added_kind kind,
                        added_normalize_fn normalize, const void *data, struct patterns *patterns,
                        int32_t *numbers, ernie_error *err)
{
    int status = ERNIE_OK;

    for (int special = 1; special >= 0; special--) {
        for (size_t i = 0; status == ERNIE_OK && i < list->n; i++) {
            const struct added_token *token = &list->token[i];

            if ((token->normalized != 0) == (kind == ADDED_NORMALIZED) &&
                (token->special != 0) == special)
                status = append_pattern(token, normalize, data, patterns, numbers, (int32_t)i, err);
        }
    }
    if (status == ERNIE_OK && patterns->bytes.failed)
        status = error_set(err, ERNIE_ENOMEM, "added tokens: out of memory");
    return status;
}

static int set_init(struct added_set *set, enum added_kind kind, const struct added_list *list,
                    added_normalize_fn normalize, const void *data, ernie_error *err)
{
    struct patterns patterns = { .words = memory_new(list->n, sizeof *patterns.words),
                                 .sizes = memory_new(list->n, sizeof *patterns.sizes) };
    const char *at;
    int status;

    set->token = memory_new(list->n, sizeof *set->token);
    if (patterns.words == NULL || patterns.sizes == NULL || set->token == NULL)
        status = error_set(err, ERNIE_ENOMEM, "added tokens: out of memory");
    else
        status = add_patterns(list, kind, normalize, data, &patterns, set->token, err);
    at = patterns.bytes.data;
    for (size_t i = 0; status == ERNIE_OK && i < patterns.n; at += patterns.sizes[i++]) {
        patterns.words[i] = at;
        set->begins[(unsigned char)at[0]] = 1;
    }
    set->n = patterns.n;
    if (status == ERNIE_OK && patterns.n > 0)
        status = vocab_new("added tokens", patterns.n, patterns.words, patterns.sizes,
                           &set->patterns, err);
    patterns_reset(&patterns);
    return status;
}

static int copy_list(const struct added_list *list, struct added_list *out, ernie_error *err)
{
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < list->n; i++)
        status = added_list_add(out, &list->token[i], err);
    return status;
}

/* Tables from ids and from texts to tokens; a token has an id and a text of its own. */
static int make_directory(struct added_tokens *tokens, ernie_error *err)
{
    const struct added_list *list = &tokens->list;
    const char **words = memory_new(list->n, sizeof *words);
    size_t *sizes = memory_new(list->n, sizeof *sizes);
    int status = ERNIE_OK;

    for (size_t i = 0; i < list->n; i++)
        if ((size_t)list->token[i].id >= tokens->n_by_id)
            tokens->n_by_id = (size_t)list->token[i].id + 1;
    tokens->by_id = memory_new(tokens->n_by_id, sizeof *tokens->by_id);
    if (words == NULL || sizes == NULL || tokens->by_id == NULL)
        status = error_set(err, ERNIE_ENOMEM, "added tokens: out of memory");
    for (size_t i = 0; status == ERNIE_OK && i < list->n; i++) {
        int32_t *number = &tokens->by_id[list->token[i].id];

        if (*number != 0)
            status = error_set(err, ERNIE_EFORMAT, "added tokens: id %d is two tokens'",
                               (int)list->token[i].id);
        *number = (int32_t)i + 1;
        words[i] = list->token[i].text;
        sizes[i] = list->token[i].size;
    }
    if (status == ERNIE_OK)
        status = vocab_new("added tokens", list->n, words, sizes, &tokens->words, err);
    for (size_t i = 0; status == ERNIE_OK && i < list->n; i++)
        if (vocab_find(tokens->words, words[i], sizes[i], 0) != (int32_t)i)
            status = error_set(err, ERNIE_EFORMAT, "added tokens: %.40s: is there twice", words[i]);
    memory_free(words);
    memory_free(sizes);
    return status;
}

int added_tokens_new(const struct added_list *list, added_normalize_fn normalize, const void *data,
                     struct added_tokens **out, ernie_error *err)
{
    struct added_tokens *tokens = memory_new(1, sizeof *tokens);
    int status;

    if (tokens == NULL)
        return error_set(err, ERNIE_ENOMEM, "added tokens: out of memory");
    status = copy_list(list, &tokens->list, err);
    if (status == ERNIE_OK && list->n > 0)
        status = make_directory(tokens, err);
    for (int kind = 0; status == ERNIE_OK && kind < N_ADDED_KINDS; kind++)
        status = set_init(&tokens->set[kind], (enum added_kind)kind, list, normalize, data, err);
    if (status == ERNIE_OK)
        *out = tokens;
    else
        added_tokens_free(tokens);
    return status;
}

void added_tokens_free(struct added_tokens *tokens)
{
    if (tokens == NULL)
        return;
    for (int kind = 0; kind < N_ADDED_KINDS; kind++) {
        vocab_close(tokens->set[kind].patterns);
        memory_free(tokens->set[kind].token);
    }
    vocab_close(tokens->words);
    memory_free(tokens->by_id);
    added_list_reset(&tokens->list);
    memory_free(tokens);
}

/* ---- asking ------------------------------------------------------------ */

size_t added_tokens_count(const struct added_tokens *tokens, enum added_kind kind)
{
    return tokens->set[kind].n;
}

const char *added_tokens_pattern(const struct added_tokens *tokens, enum added_kind kind, size_t i)
{
    return vocab_word(tokens->set[kind].patterns, (int32_t)i);
}

const char *added_tokens_word(const struct added_tokens *tokens, int32_t id)
{
    if (id < 0 || (size_t)id >= tokens->n_by_id || tokens->by_id[id] == 0)
        return NULL;
    return tokens->list.token[tokens->by_id[id] - 1].text;
}

size_t added_tokens_end(const struct added_tokens *tokens)
{
    return tokens->n_by_id;
}

int32_t added_tokens_find(const struct added_tokens *tokens, const char *text, size_t size)
{
    int32_t number = tokens->words != NULL ? vocab_find(tokens->words, text, size, 0) : -1;

    return number < 0 ? -1 : tokens->list.token[number].id;
}

static int stands_alone(const char *text, size_t size, size_t start, size_t end)
{
    size_t n;

    if (start > 0 && is_word_character(character_before(text, start, &n)))
        return 0;
    return end == size || !is_word_character(utf8_decode(text + end, size - end, &n, NULL));
}

static void take_white_space(const struct added_token *token, const char *text, size_t size,
                             size_t taken, struct added_match *match)
{
    size_t at, n;

    while (token->lstrip && match->start > taken &&
           is_white_space(character_before(text, match->start, &at)))
        match->start = at;
    while (token->rstrip && match->end < size &&
           is_white_space(utf8_decode(text + match->end, size - match->end, &n, NULL)))
        match->end += n;
    /* A token that begins with white space may begin in what another took; the reference
     * lets them overlap unless this one takes white space too, which may leave nothing. */
    if (token->lstrip && match->start < taken)
        match->start = taken < match->end ? taken : match->end;
}

int added_tokens_at(const struct added_tokens *tokens, enum added_kind kind, const char *text,
                    size_t size, size_t at, size_t taken, struct added_match *match)
{
    const struct added_set *set = &tokens->set[kind];
    const struct added_token *token;
    int32_t pattern;
    size_t n;

    if (!set->begins[(unsigned char)text[at]])
        return 0;
    pattern = vocab_find_longest(set->patterns, text + at, size - at, 0, &n);
    if (pattern < 0)
        return 0;
    token = &tokens->list.token[set->token[pattern]];
    *match = (struct added_match){ at, at + n, at + n, token->id };
    if (token->single_word && !stands_alone(text, size, at, at + n))
        match->id = -1;
    else
        take_white_space(token, text, size, taken, match);
    return 1;
}

int added_tokens_next(const struct added_tokens *tokens, enum added_kind kind, const char *text,
                      size_t size, size_t at, size_t taken, struct added_match *match)
{
    if (tokens->set[kind].n == 0)
        return 0;
    while (at < size) {
        /* Patterns are UTF-8, so they begin where a character does. */
        if (!added_tokens_at(tokens, kind, text, size, at, taken, match)) {
            at++;
            continue;
        }
        if (match->id >= 0)
            return 1;
        at = match->next;
    }
    return 0;
}
