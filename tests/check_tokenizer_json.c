/* tokenizer.json: what is refused, by its field and name, and what counts where other
 * files say otherwise. Ids are compared in check_tokenizer (WordPiece) and check_head
 * (Unigram, from a whole model). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "faults.h"
#include "model/model.h"
#include "model/tokenize.h"
#include "model/tokenizer_json.h"
#include "suite.h"

static const char wordpiece[] =
    "{\"added_tokens\": [\n"
    "{\"id\": 0, \"content\": \"[UNK]\", \"special\": true, \"normalized\": false},\n"
    "{\"id\": 6, \"content\": \"<doc>\", \"single_word\": true, \"lstrip\": true}],\n"
    "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"lowercase\": true},\n"
    "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n"
    "\"post_processor\": {\"type\": \"TemplateProcessing\",\n"
    "\"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}},\n"
    "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}],\n"
    "\"pair\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}},\n"
    "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}],\n"
    "\"special_tokens\": {\"[CLS]\": {\"id\": \"[CLS]\", \"ids\": [1], \"tokens\": [\"[CLS]\"]}}},\n"
    "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\",\n"
    "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100,\n"
    "\"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3, \"##b\": 5}}}";

static const char unigram[] =
    "{\"added_tokens\": [{\"id\": 0, \"content\": \"<s>\", \"special\": true}],\n"
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"},\n"
    "{\"type\": \"Strip\", \"strip_left\": true, \"strip_right\": true},\n"
    "{\"type\": \"Prepend\", \"prepend\": \"x\"}, {\"type\": \"Lowercase\"}, {\"type\": \"StripAccents\"},\n"
    "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \" {2,}\"}, \"content\": \" \"},\n"
    "{\"type\": \"Replace\", \"pattern\": {\"String\": \"``\"}, \"content\": \"q\"}]},\n"
    "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"\xe2\x96\x81\",\n"
    "\"prepend_scheme\": \"always\", \"split\": true},\n"
    "\"post_processor\": {\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 1], \"cls\": [\"<s>\", 0]},\n"
    "\"model\": {\"type\": \"Unigram\", \"unk_id\": 2, \"byte_fallback\": false,\n"
    "\"vocab\": [[\"<s>\", 0.0], [\"</s>\", 0], [\"<unk>\", 0.0], [\"\xe2\x96\x81\", -1.5],\n"
    "[\"a\", -2.0], [\"b\", -3.25]]}}";

static char folder[] = "/tmp/check_tokenizer_json.XXXXXX";
static ernie_error err;

static const char *in(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text, size_t size)
{
    FILE *file = fopen(in(name), "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static void remove_folder(void)
{
    static const char *const names[] = { "tokenizer.json", "vocab.txt", "tokenizer_config.json",
                                         "added_tokens.json" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in(names[i]));
    rmdir(folder);
}

/* The text with one part changed. */
static void write_changed(const char *text, const char *before, const char *after)
{
    const char *at = strstr(text, before);
    struct buffer out = { 0 };

    ck_assert_msg(at != NULL, "%s is not there", before);
    buffer_append(&out, text, (size_t)(at - text));
    buffer_append_text(&out, after);
    buffer_append_text(&out, at + strlen(before));
    write_file("tokenizer.json", out.data, out.size);
    buffer_reset(&out);
}

static struct model_config config = { .vocab_size = 8, .max_tokens = 6 };
static struct vocab *vocab;
static struct tokenizer *tokenizer;

static int open_tokenizer(void)
{
    struct hash hash;
    const int status = tokenizer_open(folder, &config, &vocab, &hash, &tokenizer, &err);

    if (status != ERNIE_OK)
        ck_assert_ptr_null(tokenizer);
    return status;
}

static void close_tokenizer(void)
{
    tokenizer_free(tokenizer);
    vocab_close(vocab);
    tokenizer = NULL;
    vocab = NULL;
}

static const struct change {
    const char *text, *before, *after, *words; /* of the message */
} changes[] = {
    { wordpiece, "{", "[", "tokenizer.json: " },
    { wordpiece, "[\n{\"id\": 0", "{\n\"id\": [{\"id\": 0", "tokenizer.json: " },
    { wordpiece, "\"added_tokens\": [", "\"added_tokens\": 1, \"x\": [", "added_tokens: not an array" },
    { wordpiece, "\"id\": 6", "\"id\": 8", "added_tokens: an id is not in 0..7" },
    { wordpiece, "\"id\": 6", "\"id\": -1", "added_tokens: an id is not in 0..7" },
    { wordpiece, "\"id\": 6", "\"id\": 6.5", "added_tokens: an id is not in 0..7" },
    { wordpiece, "\"id\": 6", "\"id\": 99999999999999999999", "tokenizer.json" },
    { wordpiece, "\"id\": 6", "\"id\": 3", "added tokens: <doc>: id 3" },
    { wordpiece, "\"content\": \"<doc>\"", "\"content\": \"a\"", "added tokens: a: id 6" },
    { wordpiece, "\"content\": \"<doc>\"", "\"content\": \"\"", "tokenizer.json: added token 6: not a word" },
    { wordpiece, "\"content\": \"<doc>\"", "\"content\": 3", "added_tokens: a token without content" },
    { wordpiece, "\"content\": \"<doc>\"", "\"contents\": \"<doc>\"", "added_tokens: a token without" },
    { wordpiece, "\"single_word\": true", "\"single_word\": 1", "single_word: not true or false" },
    { wordpiece, "BertNormalizer", "NFC", "normalizer: \"NFC\" is not supported" },
    { wordpiece, "\"clean_text\": true", "\"clean_text\": false", "normalizer.clean_text: only true" },
    { wordpiece, "\"lowercase\": true", "\"lowercase\": \"yes\"", "lowercase: not true or false" },
    { wordpiece, "BertPreTokenizer", "ByteLevel", "pre_tokenizer: \"ByteLevel\" is not supported" },
    { wordpiece, "TemplateProcessing", "ByteLevel", "post_processor: \"ByteLevel\" is not supported" },
    { wordpiece, "\"id\": \"B\"", "\"id\": \"C\"", "post_processor: a part is no token and no sequence" },
    { wordpiece, "\"id\": \"B\"", "\"id\": \"A\"", "post_processor: each text must be in it once" },
    { wordpiece, ", {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}", "", "each text must be in it once" },
    { wordpiece, "{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}},\n", "", "adds no special token" },
    { wordpiece, "\"type_id\": 0", "\"type_id\": 64", "post_processor: a type_id is not in 0..63" },
    { wordpiece, "\"type_id\": 0", "\"type_id\": -1", "post_processor: a type_id is not in 0..63" },
    { wordpiece, "\"ids\": [1]", "\"ids\": []", "special_tokens: a special token has no ids" },
    { wordpiece, "\"ids\": [1]", "\"ids\": [8]", "special_tokens: an id past vocab_size" },
    { wordpiece, "\"ids\": [1]", "\"ids\": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
      "post_processor: more than 16 parts" },
    { wordpiece, "\"ids\": [1]", "\"ids\": [1, 1, 1, 1, 1, 1]", "post_processor: leaves no room" },
    { wordpiece, "{\"[CLS]\": {", "{\"[CLX]\": {", "special_tokens: a special token has no ids" },
    { wordpiece, "\"WordPiece\"", "\"BPE\"", "model: \"BPE\" is not supported" },
    { wordpiece, "\"WordPiece\"", "7", "model: \"\" is not supported" },
    { wordpiece, "\"##\"", "\"@@\"", "model.continuing_subword_prefix: \"@@\" is not supported" },
    { wordpiece, "\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": 50",
      "model.max_input_chars_per_word: only 100" },
    { wordpiece, "\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[NONE]\"", "model.unk_token: not a word" },
    { wordpiece, "\"a\": 3", "\"a\": 8", "model.vocab: a: its id is not in 0..7" },
    { wordpiece, "\"a\": 3", "\"a\": \"3\"", "model.vocab: a: its id is not in 0..7" },
    { wordpiece, "\"a\": 3", "\"a\": 2", "model.vocab: id 2 is two words'" },
    { wordpiece, "\"a\": 3", "\"\": 3", "model.vocab: a word of 0 bytes" },
    { wordpiece, "\"vocab\": {", "\"vocab\": {}, \"x\": {", "model.vocab: not an object of words" },
    { wordpiece, "\"vocab\": {", "\"vocab\": [], \"x\": {", "model.vocab: not an object of words" },
    { unigram, "NFKC", "Nmt", "normalizer: \"Nmt\" is not supported" },
    { unigram, "\"Lowercase\"", "\"ByteLevel\"", "normalizer: \"ByteLevel\" is not supported" },
    { unigram, "{\"type\": \"Lowercase\"}", "null", "normalizer: \"\" is not supported" },
    { unigram, "{\"type\": \"NFKC\"}", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"A?==\"}",
      "normalizer.precompiled_charsmap: not base64" },
    { unigram, "{\"type\": \"NFKC\"}", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAAA\"}",
      "normalizer.precompiled_charsmap: the trie" },
    { unigram, "{\"type\": \"NFKC\"}", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"A\"}",
      "normalizer.precompiled_charsmap: not base64" },
    { unigram, "{\"type\": \"NFKC\"}", "{\"type\": \"Precompiled\"}", "precompiled_charsmap: not base64" },
    { unigram, "\"strip_left\": true", "\"strip_left\": 0", "strip_left: not true or false" },
    { unigram, "\"prepend\": \"x\"", "\"prepend\": 1", "normalizer.prepend: not a string" },
    { unigram, "\" {2,}\"", "\"(a+)+$\"", "normalizer.pattern: \"(a+)+$\" is not supported" },
    { unigram, "\"String\": \"``\"", "\"String\": \"\"", "normalizer.pattern: \"\" is not supported" },
    { unigram, "\"content\": \"q\"", "\"content\": null", "normalizer.content: not a string" },
    { unigram, "Metaspace", "Whitespace", "pre_tokenizer: \"Whitespace\" is not supported" },
    { unigram, "\"\xe2\x96\x81\",\n\"prepend", "\"ab\",\n\"prepend", "pre_tokenizer.replacement: not one character" },
    { unigram, "\"\xe2\x96\x81\",\n\"prepend", "\"\",\n\"prepend", "pre_tokenizer.replacement: not one character" },
    { unigram, "\"always\"", "\"often\"", "prepend_scheme: \"often\" is not supported" },
    { unigram, "\"split\": true", "\"split\": {}", "split: not true or false" },
    { unigram, "{\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 1], \"cls\": [\"<s>\", 0]}", "null",
      "post_processor: \"null\" is not supported" },
    { unigram, "[\"<s>\", 0]}", "[\"<s>\"]}", "post_processor: cls or sep has no id below vocab_size" },
    { unigram, "[\"</s>\", 1]", "[\"</s>\", 8]", "post_processor: cls or sep has no id below vocab_size" },
    { unigram, "\"unk_id\": 2", "\"unk_id\": null", "model.unk_id: not the number of a piece" },
    { unigram, "\"unk_id\": 2", "\"unk_id\": 6", "model.unk_id: not the number of a piece" },
    { unigram, "\"byte_fallback\": false", "\"byte_fallback\": 0", "byte_fallback: not true or false" },
    { unigram, "[\"a\", -2.0]", "[\"a\", \"-2\"]", "model.vocab: entry 4 is no piece" },
    { unigram, "[\"a\", -2.0]", "[\"a\"]", "model.vocab: entry 4 is no piece" },
    { unigram, "[\"a\", -2.0]", "[7, -2.0]", "model.vocab: entry 4 is no piece" },
    { unigram, "[\"a\", -2.0]", "null", "model.vocab: entry 4 is no piece" },
    { unigram, "[\"a\", -2.0]", "[\"a\", 0], [\"c\", 0], [\"d\", 0], [\"e\", 0]",
      "model.vocab: not an array of 1..vocab_size pieces" },
    { unigram, "\"vocab\": [", "\"vocab\": {}, \"x\": [", "model.vocab: not an array" },
};
#define N_CHANGES ((int)(sizeof changes / sizeof changes[0]))

START_TEST(test_what_is_not_done_is_refused_by_its_field)
{
    for (int i = 0; i < N_CHANGES; i++) {
        const struct change *change = &changes[i];

        write_changed(change->text, change->before, change->after);
        ck_assert_msg(open_tokenizer() == ERNIE_EFORMAT, "%s is not refused", change->after);
        ck_assert_msg(strncmp(err.message, folder, strlen(folder)) == 0 &&
                          strstr(err.message, change->words) != NULL,
                      "%s: %s", change->after, err.message);
        close_tokenizer();
    }
}
END_TEST

/* Cut off anywhere. */
START_TEST(test_half_a_file_is_refused)
{
    const char *const text = _i == 0 ? wordpiece : unigram;

    for (size_t size = 0; size < strlen(text); size++) {
        write_file("tokenizer.json", text, size);
        ck_assert_int_eq(open_tokenizer(), ERNIE_EFORMAT);
        close_tokenizer();
    }
}
END_TEST

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    const char *const text = _i == 0 ? wordpiece : unigram;
    int status, k = 0;

    write_file("tokenizer.json", text, strlen(text));
    do {
        fail_allocations_from(k++);
        status = open_tokenizer();
        stop_failing();
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%d: %s", k, err.message);
        close_tokenizer();
    } while (status != ERNIE_OK);
    ck_assert_int_gt(k, 10);
}
END_TEST

static void check_ids(const char *text, const char *pair, size_t n, const int32_t *ids,
                      const int32_t *types)
{
    const struct ernie_model model = { .vocab = vocab, .tokenizer = tokenizer };
    struct ernie_tokens tokens;

    ck_assert_int_eq(ernie_tokenize(&model, text, pair, 0, &tokens, &err), ERNIE_OK);
    ck_assert_uint_eq(tokens.n, n);
    ck_assert_mem_eq(tokens.input_ids, ids, n * sizeof *ids);
    ck_assert_mem_eq(tokens.token_type_ids, types, n * sizeof *types);
    ernie_tokens_reset(&tokens);
}

START_TEST(test_the_template_stands_around_a_text)
{
    const int32_t ids[] = { 1, 3, 3, 5 }, types[] = { 0, 0, 1, 1 };

    write_file("tokenizer.json", wordpiece, strlen(wordpiece));
    ck_assert_msg(open_tokenizer() == ERNIE_OK, "%s", err.message);
    check_ids("A", "ab", 4, ids, types);
    close_tokenizer();
}
END_TEST

START_TEST(test_roberta_puts_two_ends_between_two_texts)
{
    const int32_t ids[] = { 0, 3, 4, 1, 1, 3, 5, 1 }, types[8] = { 0 };

    write_changed(unigram, "{\"type\": \"Prepend\", \"prepend\": \"x\"}, ", "");
    ck_assert_msg(open_tokenizer() == ERNIE_OK, "%s", err.message);
    check_ids(" A", "b", 8, ids, types);
    close_tokenizer();
}
END_TEST

/* What transformers 5 does with both files in one directory: its BERT tokenizers take only
 * words and added tokens from tokenizer.json, all others take all from there. */
START_TEST(test_the_tokenizer_class_says_which_file_counts)
{
    static const struct {
        const char *class;
        enum model_family family;
        int takes_json;
    } cases[] = {
        { NULL, FAMILY_BERT, 0 },
        { NULL, FAMILY_ROBERTA, 1 },
        { NULL, FAMILY_ERNIE_M, 1 },
        { "BertTokenizer", FAMILY_ROBERTA, 0 },
        { "BertTokenizerFast", FAMILY_BERT, 0 },
        { "ElectraTokenizer", FAMILY_BERT, 0 },
        { "DistilBertTokenizer", FAMILY_BERT, 0 },
        { "PreTrainedTokenizerFast", FAMILY_BERT, 1 },
        { "TokenizersBackend", FAMILY_BERT, 1 },
        { "RobertaTokenizer", FAMILY_BERT, 1 },
        { "ErnieTokenizer", FAMILY_BERT, 1 },
    };
    static const char *const type[] = { [FAMILY_BERT] = "bert", [FAMILY_ROBERTA] = "roberta",
                                        [FAMILY_ERNIE_M] = "ernie_m" };
    static const char vocabulary[] = "[UNK]\n[CLS]\n[SEP]\na\nb\n##b\n";
    const int32_t plain[] = { 1, 3, 2 }, other[] = { 1, 3 }, types[3] = { 0 };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer text = { 0 };

        buffer_printf(&text, "{\"model_type\": \"%s\", \"hidden_size\": 4, \"num_hidden_layers\": 1, "
                             "\"num_attention_heads\": 1, \"intermediate_size\": 4, "
                             "\"vocab_size\": 8, \"max_position_embeddings\": 16}",
                      type[cases[i].family]);
        write_file("config.json", text.data, text.size);
        buffer_clear(&text);
        if (cases[i].class != NULL)
            buffer_printf(&text, "{\"tokenizer_class\": \"%s\"}", cases[i].class);
        else
            buffer_append_text(&text, "{}");
        write_file("tokenizer_config.json", text.data, text.size);
        write_file("vocab.txt", vocabulary, sizeof vocabulary - 1);
        write_file("tokenizer.json", wordpiece, strlen(wordpiece));
        buffer_reset(&text);
        ck_assert_msg(model_config_load(folder, &config, &err) == ERNIE_OK, "%s", err.message);
        ck_assert_msg(open_tokenizer() == ERNIE_OK, "%s", err.message);
        if (cases[i].takes_json)
            check_ids("a", NULL, 2, other, types);
        else
            check_ids("a", NULL, 3, plain, types);
        close_tokenizer();
        /* One of the files is enough. */
        unlink(in("tokenizer.json"));
        ck_assert_int_eq(open_tokenizer(), ERNIE_OK);
        check_ids("a", NULL, 3, plain, types);
        close_tokenizer();
        unlink(in("vocab.txt"));
        ck_assert_int_eq(open_tokenizer(), ERNIE_ENOTFOUND);
        ck_assert_ptr_nonnull(strstr(err.message, "vocab.txt"));
    }
    unlink(in("config.json"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer_json");
    TCase *all = tcase_create("tokenizer_json");
    int status;

    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    tcase_add_test(all, test_what_is_not_done_is_refused_by_its_field);
    tcase_add_loop_test(all, test_half_a_file_is_refused, 0, 2);
    tcase_add_loop_test(all, test_running_out_of_memory_at_each_allocation, 0, 2);
    tcase_add_test(all, test_the_template_stands_around_a_text);
    tcase_add_test(all, test_roberta_puts_two_ends_between_two_texts);
    tcase_add_test(all, test_the_tokenizer_class_says_which_file_counts);
    suite_add_tcase(suite, all);
    status = run_suite(suite);
    remove_folder();
    return status;
}
