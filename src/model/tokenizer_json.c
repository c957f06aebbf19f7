#include "model/tokenizer_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#define MAX_FILE_BYTES  (64u << 20)
#define MAX_JSON_DEPTH  64
/* Of values in a file: besides a few, those of a piece and those of an added token for each
 * of the ids there are, since each takes some 50 bytes where its file has 2. */
#define MAX_JSON_VALUES  100000
#define MAX_VALUES_OF_ID 20
#define MAX_STEPS        16 /* of a normalizer */
#define MAX_GROWTH       4  /* of a text by all replacements */
#define MAX_WORD_BYTES  1024

/* A file while it is read. */
struct reading {
    char *path;
    json *document;
    struct hash hash;
    size_t vocab_size;
};

static int reading_open(const char *directory, const char *name, size_t vocab_size,
                        struct reading *out, ernie_error *err)
{
    struct file file = { 0 };
    int status;

    memset(out, 0, sizeof *out);
    out->vocab_size = vocab_size;
    out->path = path_join(directory, name);
    if (out->path == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    status = file_read(out->path, MAX_FILE_BYTES, &file, err);
    if (status == ERNIE_OK) {
        out->hash = hash_of(file.data, file.size);
        status = json_check_size(out->path, (const char *)file.data, file.size, MAX_JSON_DEPTH,
                                 MAX_JSON_VALUES + MAX_VALUES_OF_ID * vocab_size, err);
    }
    if (status == ERNIE_OK)
        status = json_parse(out->path, (const char *)file.data, file.size, &out->document, err);
    if (status == ERNIE_OK && json_kind(out->document) != JSON_KIND_OBJECT)
        status = error_set(err, ERNIE_EFORMAT, "%s: not an object", out->path);
    file_reset(&file);
    return status;
}

static void reading_close(struct reading *reading)
{
    json_free(reading->document);
    memory_free(reading->path);
}

static int is_null(const json *value)
{
    return value == NULL || json_kind(value) == JSON_KIND_NULL;
}

/* The "type" of a part of the tokenizer; "" when there is none. */
static const char *type_of(const json *part)
{
    const char *type = json_to_text(json_member(part, "type"), NULL);

    return type != NULL ? type : "";
}

static int refuse(const struct reading *reading, const char *field, const char *what,
                  ernie_error *err)
{
    return error_set(err, ERNIE_EFORMAT, "%s: %s: \"%.40s\" is not supported", reading->path, field,
                     what);
}

static int wrong(const struct reading *reading, const char *field, const char *why,
                 ernie_error *err)
{
    return error_set(err, ERNIE_EFORMAT, "%s: %s: %s", reading->path, field, why);
}

/* An id below vocab_size; -1 when it is none. */
static int32_t to_id(const struct reading *reading, const json *value)
{
    const int64_t id = json_to_integer(value);

    if (is_null(value) || json_kind(value) != JSON_KIND_INTEGER || id < 0 ||
        (uint64_t)id >= reading->vocab_size)
        return -1;
    return (int32_t)id;
}

/* A flag that must be there as true or false, or may be absent. */
static int read_flag(const struct reading *reading, const json *part, const char *name, int absent,
                     int *out, ernie_error *err)
{
    const json *value = json_member(part, name);

    *out = absent;
    if (is_null(value))
        return ERNIE_OK;
    if (json_kind(value) != JSON_KIND_BOOLEAN)
        return wrong(reading, name, "not true or false", err);
    *out = json_to_boolean(value);
    return ERNIE_OK;
}

/* ---- added tokens ------------------------------------------------------ */

static int add_token(const struct reading *reading, const struct added_token *token,
                     struct added_list *out, ernie_error *err)
{
    ernie_error why;
    const int status = added_list_add(out, token, &why);

    return status == ERNIE_OK ? ERNIE_OK
                              : error_set(err, status, "%s: %s", reading->path, why.message);
}

static int read_added(const struct reading *reading, const json *value, int32_t id,
                      struct added_list *out, ernie_error *err)
{
    struct added_token token = { .id = id };
    const struct {
        const char *name;
        int *out;
    } flags[] = { { "special", &token.special },
                  { "single_word", &token.single_word },
                  { "lstrip", &token.lstrip },
                  { "rstrip", &token.rstrip } };
    int status = ERNIE_OK;

    if (id < 0)
        return error_set(err, ERNIE_EFORMAT, "%s: added_tokens: an id is not in 0..%zu",
                         reading->path, reading->vocab_size - 1);
    token.text = (char *)json_to_text(json_member(value, "content"), &token.size);
    if (token.text == NULL)
        return wrong(reading, "added_tokens", "a token without content", err);
    for (size_t i = 0; status == ERNIE_OK && i < 4; i++)
        status = read_flag(reading, value, flags[i].name, 0, flags[i].out, err);
    if (status == ERNIE_OK)
        status = read_flag(reading, value, "normalized", !token.special, &token.normalized, err);
    return status == ERNIE_OK ? add_token(reading, &token, out, err) : status;
}

static int read_added_array(const struct reading *reading, struct added_list *out,
                            ernie_error *err)
{
    const json *array = json_member(reading->document, "added_tokens");
    int status = ERNIE_OK;

    if (is_null(array))
        return ERNIE_OK;
    if (json_kind(array) != JSON_KIND_ARRAY)
        return wrong(reading, "added_tokens", "not an array", err);
    for (size_t i = 0; status == ERNIE_OK && i < json_count(array); i++) {
        const json *value = json_element(array, i);

        status = read_added(reading, value, to_id(reading, json_member(value, "id")), out, err);
    }
    return status;
}

struct member_reading {
    const struct reading *reading;
    struct added_list *out;
};

/* added_tokens_decoder: "21128": {"content": ..., ...} */
static int read_decoder_member(void *data, const char *key, const json *value, ernie_error *err)
{
    const struct member_reading *members = data;
    char *end;
    const unsigned long long id = strtoull(key, &end, 10);
    const int is_id = key[0] >= '0' && key[0] <= '9' && *end == '\0' && strlen(key) < 10 &&
                      id < members->reading->vocab_size;

    return read_added(members->reading, value, is_id ? (int32_t)id : -1, members->out, err);
}

/* added_tokens.json: "word": 21128. It tells no flags: those of add_tokens' defaults. */
static int read_plain_member(void *data, const char *key, const json *value, ernie_error *err)
{
    const struct member_reading *members = data;
    const struct added_token token = { .text = (char *)key, .size = strlen(key), .normalized = 1,
                                       .id = to_id(members->reading, value) };

    if (token.id < 0)
        return error_set(err, ERNIE_EFORMAT, "%s: %.40s: an id is not in 0..%zu",
                         members->reading->path, key, members->reading->vocab_size - 1);
    return add_token(members->reading, &token, members->out, err);
}

int added_tokens_load(const char *directory, size_t vocab_size, struct added_list *out,
                      ernie_error *err)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer_config.json",
                                         "added_tokens.json" };
    int status = ERNIE_OK;

    for (int i = 0; status == ERNIE_OK && out->n == 0 && i < 3; i++) {
        struct reading reading;
        struct member_reading members = { &reading, out };

        status = reading_open(directory, names[i], vocab_size, &reading, err);
        if (status == ERNIE_ENOTFOUND)
            status = ERNIE_OK;
        else if (status == ERNIE_OK && i == 0)
            status = read_added_array(&reading, out, err);
        else if (status == ERNIE_OK && i == 1)
            status = json_each_member(json_member(reading.document, "added_tokens_decoder"),
                                      read_decoder_member, &members, err);
        else if (status == ERNIE_OK)
            status = json_each_member(reading.document, read_plain_member, &members, err);
        reading_close(&reading);
    }
    return status;
}

/* ---- WordPiece --------------------------------------------------------- */

struct word_reading {
    const struct reading *reading;
    struct tokenizer_json *out;
    size_t n;
};

static int find_last_id(void *data, const char *key, const json *value, ernie_error *err)
{
    struct word_reading *words = data;
    const int32_t id = to_id(words->reading, value);

    if (id < 0)
        return error_set(err, ERNIE_EFORMAT, "%s: model.vocab: %.40s: its id is not in 0..%zu",
                         words->reading->path, key, words->reading->vocab_size - 1);
    if ((size_t)id >= words->out->n_words)
        words->out->n_words = (size_t)id + 1;
    return ERNIE_OK;
}

static int take_word(void *data, const char *key, const json *value, ernie_error *err)
{
    struct word_reading *words = data;
    const int64_t id = json_to_integer(value);

    if (words->out->words[id] != NULL)
        return error_set(err, ERNIE_EFORMAT, "%s: model.vocab: id %lld is two words'",
                         words->reading->path, (long long)id);
    words->out->words[id] = key;
    words->out->sizes[id] = strlen(key);
    if (words->out->sizes[id] == 0 || words->out->sizes[id] > MAX_WORD_BYTES)
        return error_set(err, ERNIE_EFORMAT, "%s: model.vocab: a word of %zu bytes is not in 1..%d",
                         words->reading->path, words->out->sizes[id], MAX_WORD_BYTES);
    return ERNIE_OK;
}

static int read_words(const struct reading *reading, const json *model, struct tokenizer_json *out,
                      ernie_error *err)
{
    struct word_reading words = { reading, out, 0 };
    const json *vocab = json_member(model, "vocab");
    int status;

    if (is_null(vocab) || json_kind(vocab) != JSON_KIND_OBJECT || json_count(vocab) == 0)
        return wrong(reading, "model.vocab", "not an object of words", err);
    status = json_each_member(vocab, find_last_id, &words, err);
    if (status != ERNIE_OK)
        return status;
    out->words = memory_new(out->n_words, sizeof *out->words);
    out->sizes = memory_new(out->n_words, sizeof *out->sizes);
    if (out->words == NULL || out->sizes == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", reading->path);
    status = json_each_member(vocab, take_word, &words, err);
    for (size_t i = 0; i < out->n_words; i++)
        if (out->words[i] == NULL)
            out->words[i] = "";
    return status;
}

static int32_t find_word(const struct tokenizer_json *out, const json *vocab, const char *word)
{
    const json *id = json_member(vocab, word);

    for (size_t i = 0; id == NULL && i < out->added.n; i++)
        if (strcmp(out->added.token[i].text, word) == 0)
            return out->added.token[i].id;
    return id != NULL ? (int32_t)json_to_integer(id) : -1;
}

static int read_wordpiece(const struct reading *reading, const json *model,
                          struct tokenizer_json *out, ernie_error *err)
{
    const char *prefix = json_to_text(json_member(model, "continuing_subword_prefix"), NULL);
    const char *unk = json_to_text(json_member(model, "unk_token"), NULL);
    const json *longest = json_member(model, "max_input_chars_per_word");
    int status;

    if (prefix == NULL || strcmp(prefix, "##") != 0)
        return refuse(reading, "model.continuing_subword_prefix", prefix != NULL ? prefix : "", err);
    if (!is_null(longest) && json_to_integer(longest) != 100)
        return wrong(reading, "model.max_input_chars_per_word", "only 100 is supported", err);
    status = read_words(reading, model, out, err);
    if (status != ERNIE_OK)
        return status;
    out->unk = unk != NULL ? find_word(out, json_member(model, "vocab"), unk) : -1;
    if (out->unk < 0)
        return wrong(reading, "model.unk_token", "not a word of the vocabulary", err);
    return ERNIE_OK;
}

static int read_bert_normalizer(const struct reading *reading, struct normalization *out,
                                ernie_error *err)
{
    const json *part = json_member(reading->document, "normalizer");
    int clean = 1, status;

    if (is_null(part) || strcmp(type_of(part), "BertNormalizer") != 0)
        return refuse(reading, "normalizer", is_null(part) ? "null" : type_of(part), err);
    status = read_flag(reading, part, "clean_text", 1, &clean, err);
    if (status == ERNIE_OK && !clean)
        status = wrong(reading, "normalizer.clean_text", "only true is supported", err);
    if (status == ERNIE_OK)
        status = read_flag(reading, part, "handle_chinese_chars", 1, &out->chinese_words, err);
    if (status == ERNIE_OK)
        status = read_flag(reading, part, "lowercase", 1, &out->lower_case, err);
    if (status == ERNIE_OK)
        status = read_flag(reading, part, "strip_accents", out->lower_case, &out->strip_accents,
                           err);
    return status;
}

/* ---- Unigram ----------------------------------------------------------- */

static int read_pieces(const struct reading *reading, const json *model,
                       struct tokenizer_json *out, struct unigram_piece *pieces, ernie_error *err)
{
    const json *vocab = json_member(model, "vocab");

    for (size_t i = 0; i < out->n_words; i++) {
        const json *entry = json_element(vocab, i), *score = json_element(entry, 1);

        pieces[i].text = json_to_text(json_element(entry, 0), &pieces[i].size);
        if (pieces[i].text == NULL || pieces[i].size > MAX_WORD_BYTES || is_null(score) ||
            (json_kind(score) != JSON_KIND_REAL && json_kind(score) != JSON_KIND_INTEGER))
            return error_set(err, ERNIE_EFORMAT,
                             "%s: model.vocab: entry %zu is no piece of 0..%d bytes with a score",
                             reading->path, i, MAX_WORD_BYTES);
        pieces[i].score = json_to_number(score);
        out->words[i] = pieces[i].text;
        out->sizes[i] = pieces[i].size;
    }
    return ERNIE_OK;
}

static int read_unigram(const struct reading *reading, const json *model,
                        struct tokenizer_json *out, ernie_error *err)
{
    const json *vocab = json_member(model, "vocab");
    const int32_t unk = to_id(reading, json_member(model, "unk_id"));
    struct unigram_piece *pieces;
    ernie_error why;
    int byte_fallback, status = read_flag(reading, model, "byte_fallback", 0, &byte_fallback, err);

    if (status != ERNIE_OK)
        return status;
    if (is_null(vocab) || json_kind(vocab) != JSON_KIND_ARRAY || json_count(vocab) == 0 ||
        json_count(vocab) > reading->vocab_size)
        return wrong(reading, "model.vocab", "not an array of 1..vocab_size pieces", err);
    if (unk < 0 || (size_t)unk >= json_count(vocab))
        return wrong(reading, "model.unk_id", "not the number of a piece", err);
    out->n_words = json_count(vocab);
    pieces = memory_new(out->n_words, sizeof *pieces);
    out->words = memory_new(out->n_words, sizeof *out->words);
    out->sizes = memory_new(out->n_words, sizeof *out->sizes);
    if (pieces == NULL || out->words == NULL || out->sizes == NULL)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", reading->path);
    else
        status = read_pieces(reading, model, out, pieces, err);
    if (status == ERNIE_OK) {
        status = unigram_new(out->n_words, pieces, unk, byte_fallback,
                             &out->sentencepiece.unigram, &why);
        if (status != ERNIE_OK)
            error_set(err, status, "%s: model.vocab: %s", reading->path, why.message);
    }
    memory_free(pieces);
    return status;
}

/* RFC 4648, section 4: into bytes, which has room for 3 for each 4 digits begun. Returns
 * how many, or SIZE_MAX when the text is no base64. */
static size_t decode_base64(const char *text, size_t size, uint8_t *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n = 0;

    for (int i = 0; i < 2 && size > 0 && text[size - 1] == '='; i++)
        size--;
    if (size % 4 == 1)
        return SIZE_MAX;
    for (size_t i = 0; i < size; i++) {
        const char *digit = memchr(digits, text[i], 64);

        if (digit == NULL)
            return SIZE_MAX;
        bits = bits << 6 | (uint32_t)(digit - digits);
        if (i % 4 != 0)
            bytes[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return n;
}

static int add_precompiled(const struct reading *reading, const json *part,
                           struct text_normalizer *out, ernie_error *err)
{
    size_t size = 0, n;
    const char *text = json_to_text(json_member(part, "precompiled_charsmap"), &size);
    uint8_t *blob = memory_new(size / 4 + 1, 3);
    ernie_error why;
    int status;

    if (blob == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", reading->path);
    n = text != NULL ? decode_base64(text, size, blob) : SIZE_MAX;
    if (n == SIZE_MAX) {
        status = wrong(reading, "normalizer.precompiled_charsmap", "not base64", err);
    } else {
        status = text_normalizer_add_precompiled(out, blob, n, &why);
        if (status != ERNIE_OK)
            error_set(err, status, "%s: normalizer.%s", reading->path, why.message);
    }
    memory_free(blob);
    return status;
}

/* Plain strings; of regular expressions, only runs of spaces, which is what converted
 * SentencePiece models have. */
static int add_replace(const struct reading *reading, const json *part,
                       struct text_normalizer *out, ernie_error *err)
{
    const json *pattern = json_member(part, "pattern");
    size_t size = 0, content_size = 0;
    const char *string = json_to_text(json_member(pattern, "String"), &size);
    const char *regex = json_to_text(json_member(pattern, "Regex"), NULL);
    const char *content = json_to_text(json_member(part, "content"), &content_size);

    if (content == NULL)
        return wrong(reading, "normalizer.content", "not a string", err);
    if (string != NULL && size > 0)
        return text_normalizer_add_replace(out, string, size, content, content_size, err);
    if (regex != NULL && (strcmp(regex, " {2,}") == 0 || strcmp(regex, " +") == 0))
        return text_normalizer_add_replace_spaces(out, regex[1] == '{' ? 2 : 1, content,
                                                  content_size, err);
    return refuse(reading, "normalizer.pattern", regex != NULL ? regex : "", err);
}

static int add_strip(const struct reading *reading, const json *part, struct text_normalizer *out,
                     ernie_error *err)
{
    int left, right, status = read_flag(reading, part, "strip_left", 1, &left, err);

    if (status == ERNIE_OK)
        status = read_flag(reading, part, "strip_right", 1, &right, err);
    return status == ERNIE_OK ? text_normalizer_add_strip(out, left, right, err) : status;
}

static int add_prepend(const struct reading *reading, const json *part,
                       struct text_normalizer *out, ernie_error *err)
{
    size_t size = 0;
    const char *content = json_to_text(json_member(part, "prepend"), &size);

    if (content == NULL)
        return wrong(reading, "normalizer.prepend", "not a string", err);
    return text_normalizer_add_prepend(out, content, size, err);
}

/* A few harmless steps can make any text endless: "a" to "aa", "a" to "aa", ... */
struct steps {
    size_t n, n_charsmaps;
    double growth;
};

static int count_step(const struct reading *reading, const json *part, struct steps *steps,
                      ernie_error *err)
{
    const char *type = type_of(part);
    size_t from = 1, to = 0;

    if (++steps->n > MAX_STEPS)
        return wrong(reading, "normalizer", "more than 16 steps", err);
    if (strcmp(type, "Precompiled") == 0 && ++steps->n_charsmaps > 1)
        return wrong(reading, "normalizer", "more than one charsmap", err);
    if (strcmp(type, "Replace") == 0) {
        json_to_text(json_member(json_member(part, "pattern"), "String"), &from);
        json_to_text(json_member(part, "content"), &to);
    } else if (strcmp(type, "Prepend") == 0) {
        json_to_text(json_member(part, "prepend"), &to);
    }
    from = from > 0 ? from : 1; /* a regular expression, which takes a character or more */
    if (to > from)
        steps->growth *= (double)to / (double)from;
    if (steps->growth > MAX_GROWTH)
        return wrong(reading, "normalizer", "makes a text more than 4 times as long", err);
    return ERNIE_OK;
}

/* One step, or a Sequence of steps; of no more levels than MAX_JSON_DEPTH. */
static int add_normalizer(const struct reading *reading, const json *part, struct steps *counted,
                          struct text_normalizer *out, ernie_error *err)
{
    static const char *const forms[] = { [TEXT_NFC] = "NFC", [TEXT_NFD] = "NFD",
                                         [TEXT_NFKC] = "NFKC", [TEXT_NFKD] = "NFKD" };
    const char *type = type_of(part);
    const json *steps = json_member(part, "normalizers");
    int status = count_step(reading, part, counted, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; i < 4; i++)
        if (strcmp(type, forms[i]) == 0)
            return text_normalizer_add_form(out, (enum text_form)i, err);
    if (strcmp(type, "Precompiled") == 0)
        return add_precompiled(reading, part, out, err);
    if (strcmp(type, "Lowercase") == 0)
        return text_normalizer_add_lowercase(out, err);
    if (strcmp(type, "StripAccents") == 0)
        return text_normalizer_add_strip_accents(out, err);
    if (strcmp(type, "Replace") == 0)
        return add_replace(reading, part, out, err);
    if (strcmp(type, "Strip") == 0)
        return add_strip(reading, part, out, err);
    if (strcmp(type, "Prepend") == 0)
        return add_prepend(reading, part, out, err);
    if (strcmp(type, "Sequence") != 0)
        return refuse(reading, "normalizer", type, err);
    for (size_t i = 0; status == ERNIE_OK && i < json_count(steps); i++)
        status = add_normalizer(reading, json_element(steps, i), counted, out, err);
    return status;
}

static int read_metaspace(const struct reading *reading, const json *part, struct metaspace *out,
                          ernie_error *err)
{
    static const char *const schemes[] = { [METASPACE_ALWAYS] = "always",
                                           [METASPACE_FIRST] = "first",
                                           [METASPACE_NEVER] = "never" };
    const char *replacement = json_to_text(json_member(part, "replacement"),
                                           &out->replacement_size);
    const char *scheme = json_to_text(json_member(part, "prepend_scheme"), NULL);
    size_t n = 0;
    int prefix = 1, i = 0, status;

    if (replacement == NULL || out->replacement_size == 0 || out->replacement_size > 4)
        return wrong(reading, "pre_tokenizer.replacement", "not one character", err);
    utf8_decode(replacement, out->replacement_size, &n, NULL);
    if (n != out->replacement_size)
        return wrong(reading, "pre_tokenizer.replacement", "not one character", err);
    memcpy(out->replacement, replacement, n);
    status = read_flag(reading, part, "split", 1, &out->split, err);
    /* The older name of always and never. */
    if (status == ERNIE_OK)
        status = read_flag(reading, part, "add_prefix_space", 1, &prefix, err);
    if (status != ERNIE_OK)
        return status;
    if (scheme == NULL)
        scheme = prefix ? "always" : "never";
    while (i < 3 && strcmp(scheme, schemes[i]) != 0)
        i++;
    if (i == 3)
        return refuse(reading, "pre_tokenizer.prepend_scheme", scheme, err);
    out->prepend = (enum metaspace_prepend)i;
    return ERNIE_OK;
}

static int read_splitting(const struct reading *reading, struct metaspace *out, ernie_error *err)
{
    const json *part = json_member(reading->document, "pre_tokenizer");
    const json *steps = json_member(part, "pretokenizers");
    const int is_sequence = strcmp(type_of(part), "Sequence") == 0;
    const size_t n = is_sequence ? json_count(steps) : !is_null(part);
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        const json *step = is_sequence ? json_element(steps, i) : part;

        if (strcmp(type_of(step), "WhitespaceSplit") == 0 && i == 0)
            out->whitespace_split = 1;
        else if (strcmp(type_of(step), "Metaspace") == 0 && i + 1 == n)
            status = read_metaspace(reading, step, out, err);
        else
            status = refuse(reading, "pre_tokenizer", type_of(step), err);
    }
    return status;
}

static int read_sentencepiece(const struct reading *reading, const json *model,
                              struct tokenizer_json *out, ernie_error *err)
{
    const json *steps = json_member(reading->document, "normalizer");
    struct steps counted = { .growth = 1 };
    int status = read_unigram(reading, model, out, err);

    if (status == ERNIE_OK)
        status = text_normalizer_new(&out->sentencepiece.normalizer, err);
    if (status == ERNIE_OK && !is_null(steps))
        status = add_normalizer(reading, steps, &counted, out->sentencepiece.normalizer, err);
    if (status == ERNIE_OK)
        status = read_splitting(reading, &out->sentencepiece.metaspace, err);
    return status;
}

/* ---- special tokens around a text -------------------------------------- */

static int add_part(const struct reading *reading, struct frame *frame, enum frame_kind kind,
                    int32_t id, int64_t type, ernie_error *err)
{
    if (frame->n == MAX_FRAME_PARTS)
        return wrong(reading, "post_processor", "more than 16 parts", err);
    if (type < 0 || type > 63)
        return wrong(reading, "post_processor", "a type_id is not in 0..63", err);
    frame->part[frame->n++] = (struct frame_part){ kind, id, (int32_t)type };
    frame->n_tokens += kind == FRAME_TOKEN;
    return ERNIE_OK;
}

/* {"SpecialToken": {"id": "[CLS]", "type_id": 0}}: the ids are in a table of their own. */
static int add_special_part(const struct reading *reading, const json *special,
                            struct frame *frame, ernie_error *err)
{
    const json *table = json_member(json_member(reading->document, "post_processor"),
                                    "special_tokens");
    const char *name = json_to_text(json_member(special, "id"), NULL);
    const json *ids = name != NULL ? json_member(json_member(table, name), "ids") : NULL;
    int status = ERNIE_OK;

    if (json_count(ids) == 0)
        return wrong(reading, "post_processor.special_tokens", "a special token has no ids", err);
    for (size_t i = 0; status == ERNIE_OK && i < json_count(ids); i++) {
        const int32_t id = to_id(reading, json_element(ids, i));

        if (id < 0)
            return wrong(reading, "post_processor.special_tokens", "an id past vocab_size", err);
        status = add_part(reading, frame, FRAME_TOKEN, id,
                          json_to_integer(json_member(special, "type_id")), err);
    }
    return status;
}

static int read_template(const struct reading *reading, const char *name, struct frame *frame,
                         ernie_error *err)
{
    const json *array = json_member(json_member(reading->document, "post_processor"), name);
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < json_count(array); i++) {
        const json *part = json_element(array, i), *special = json_member(part, "SpecialToken");
        const json *sequence = json_member(part, "Sequence");
        const char *which = json_to_text(json_member(sequence, "id"), NULL);

        if (special != NULL)
            status = add_special_part(reading, special, frame, err);
        else if (which != NULL && (strcmp(which, "A") == 0 || strcmp(which, "B") == 0))
            status = add_part(reading, frame, which[0] == 'A' ? FRAME_TEXT : FRAME_PAIR, 0,
                              json_to_integer(json_member(sequence, "type_id")), err);
        else
            status = wrong(reading, "post_processor", "a part is no token and no sequence", err);
    }
    return status;
}

/* BertProcessing and RobertaProcessing: "cls": ["<s>", 0], "sep": ["</s>", 2]. */
static int read_cls_sep(const struct reading *reading, int is_roberta, struct frame frame[2],
                        ernie_error *err)
{
    const json *part = json_member(reading->document, "post_processor");
    const int32_t cls = to_id(reading, json_element(json_member(part, "cls"), 1));
    const int32_t sep = to_id(reading, json_element(json_member(part, "sep"), 1));

    if (cls < 0 || sep < 0)
        return wrong(reading, "post_processor", "cls or sep has no id below vocab_size", err);
    for (int is_pair = 0; is_pair < 2; is_pair++) {
        const int type = is_roberta ? 0 : 1;
        int status = add_part(reading, &frame[is_pair], FRAME_TOKEN, cls, 0, err);

        if (status == ERNIE_OK)
            status = add_part(reading, &frame[is_pair], FRAME_TEXT, 0, 0, err);
        if (status == ERNIE_OK)
            status = add_part(reading, &frame[is_pair], FRAME_TOKEN, sep, 0, err);
        if (status == ERNIE_OK && is_pair && is_roberta)
            status = add_part(reading, &frame[is_pair], FRAME_TOKEN, sep, 0, err);
        if (status == ERNIE_OK && is_pair)
            status = add_part(reading, &frame[is_pair], FRAME_PAIR, 0, type, err);
        if (status == ERNIE_OK && is_pair)
            status = add_part(reading, &frame[is_pair], FRAME_TOKEN, sep, type, err);
        if (status != ERNIE_OK)
            return status;
    }
    return ERNIE_OK;
}

/* One text once, and its pair once where there is one; and what makes a sequence also of
 * nothing. */
static int check_frame(const struct reading *reading, const struct frame *frame, size_t n_pairs,
                       ernie_error *err)
{
    size_t n[3] = { 0 };

    for (size_t i = 0; i < frame->n; i++)
        n[frame->part[i].kind]++;
    if (n[FRAME_TEXT] != 1 || n[FRAME_PAIR] != n_pairs)
        return wrong(reading, "post_processor", "each text must be in it once", err);
    if (frame->n_tokens == 0)
        return wrong(reading, "post_processor", "adds no special token", err);
    return ERNIE_OK;
}

static int read_frames(const struct reading *reading, struct frame frame[2], ernie_error *err)
{
    const json *part = json_member(reading->document, "post_processor");
    const char *type = type_of(part);
    int status;

    if (strcmp(type, "TemplateProcessing") == 0) {
        status = read_template(reading, "single", &frame[0], err);
        if (status == ERNIE_OK)
            status = read_template(reading, "pair", &frame[1], err);
    } else if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0) {
        status = read_cls_sep(reading, type[0] == 'R', frame, err);
    } else {
        status = refuse(reading, "post_processor", is_null(part) ? "null" : type, err);
    }
    for (size_t i = 0; status == ERNIE_OK && i < 2; i++)
        status = check_frame(reading, &frame[i], i, err);
    return status;
}

/* ---- the whole --------------------------------------------------------- */

static int read_parts(const struct reading *reading, struct tokenizer_json *out, ernie_error *err)
{
    const json *model = json_member(reading->document, "model");
    const char *splitting = type_of(json_member(reading->document, "pre_tokenizer"));
    int status = read_added_array(reading, &out->added, err);

    if (status == ERNIE_OK)
        status = read_frames(reading, out->frame, err);
    if (status != ERNIE_OK)
        return status;
    if (strcmp(type_of(model), "Unigram") == 0)
        return read_sentencepiece(reading, model, out, err);
    if (strcmp(type_of(model), "WordPiece") != 0)
        return refuse(reading, "model", type_of(model), err);
    status = read_wordpiece(reading, model, out, err);
    if (status == ERNIE_OK)
        status = read_bert_normalizer(reading, &out->rules, err);
    if (status == ERNIE_OK && strcmp(splitting, "BertPreTokenizer") != 0)
        status = refuse(reading, "pre_tokenizer", splitting, err);
    return status;
}

int tokenizer_json_load(const char *directory, size_t vocab_size, struct tokenizer_json *out,
                        ernie_error *err)
{
    struct reading reading;
    int status = reading_open(directory, "tokenizer.json", vocab_size, &reading, err);

    memset(out, 0, sizeof *out);
    if (status == ERNIE_OK)
        status = read_parts(&reading, out, err);
    out->hash = reading.hash;
    if (status == ERNIE_OK) {
        out->document = reading.document;
        reading.document = NULL; /* the words are in it */
    } else {
        tokenizer_json_reset(out);
    }
    reading_close(&reading);
    return status;
}

void tokenizer_json_reset(struct tokenizer_json *file)
{
    added_list_reset(&file->added);
    memory_free(file->words);
    memory_free(file->sizes);
    json_free(file->document);
    sentencepiece_reset(&file->sentencepiece);
    memset(file, 0, sizeof *file);
}
