/* Model directories: what is read from good ones, and what is said of bad ones. */
#include <check.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ernie.h"
#include "faults.h"
#include "folder.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "model/tokenize.h"
#include "model/weights.h"
#include "model/word_bag.h"
#include "suite.h"

static ernie_error err;

static const char *reference(const char *name)
{
    static char path[512];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/encoder/%s", srcdir != NULL ? srcdir : ".", name);
    return path;
}

/* A good model of its own in folder/m, for a test to spoil. */
static void make_folder(void)
{
    folder_make("check_model");
    run("cp -r %s %s/m && chmod -R u+w %s", reference("bert-f32"), folder, folder);
}

static const char *in_model(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/m/%s", folder, name);
    return path;
}

static void write_bytes(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(in_model(name), "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static int open_it(void)
{
    ernie_model *model;
    int status = ernie_model_open(in_model(""), &model, &err);

    if (status == ERNIE_OK)
        ernie_model_close(model);
    return status;
}

/* It is refused, and the message names file and field. */
static void check_refused(const char *words)
{
    int status = open_it();

    ck_assert_msg(status == ERNIE_EFORMAT || status == ERNIE_ENOTFOUND, "%s: status %d", words,
                  status);
    ck_assert_msg(strstr(err.message, words) != NULL, "\"%s\" lacks \"%s\"", err.message, words);
}

/* ---- good ones ---- */

START_TEST(test_a_good_model_opens)
{
    ck_assert_msg(open_it() == ERNIE_OK, "%s", err.message);
}
END_TEST

START_TEST(test_pooling_and_limits_are_read)
{
    struct model_config config;

    ck_assert_int_eq(model_config_load(in_model(""), &config, &err), ERNIE_OK);
    ck_assert_int_eq(config.pooling[0], POOLING_MEAN);
    ck_assert_uint_eq(config.max_tokens, 40);
    ck_assert_int_eq(config.do_lower_case, 1);
    run("mkdir %s", in_model("other_Pooling"));
    write_text("other_Pooling/config.json", "{\"pooling_mode_cls_token\": true}");
    write_text("modules.json", "[{\"type\": \"a.b.Transformer\", \"path\": \"\"},"
                               " {\"type\": \"x.y.pooling.Pooling\", \"path\": \"other_Pooling\"}]");
    write_text("sentence_bert_config.json", "{\"max_seq_length\": 30}");
    write_text("tokenizer_config.json",
               "{\"do_lower_case\": false, \"model_max_length\": 1e30, \"unk_token\": \"[UNK]\","
               " \"cls_token\": {\"content\": \"[CLS]\", \"lstrip\": false}}");
    ck_assert_msg(model_config_load(in_model(""), &config, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_int_eq(config.pooling[0], POOLING_CLS);
    ck_assert_uint_eq(config.max_tokens, 30);
    ck_assert_int_eq(config.do_lower_case, 0);
    ck_assert_int_eq(config.strip_accents, 0);
    ck_assert_str_eq(config.special_tokens[SPECIAL_CLS], "[CLS]");
    write_text("sentence_bert_config.json", "{\"max_seq_length\": 3000}");
    ck_assert_int_eq(model_config_load(in_model(""), &config, &err), ERNIE_OK);
    ck_assert_uint_eq(config.max_tokens, 40); /* never more than there are positions */
}
END_TEST

/* Whatever changes embeddings changes the fingerprint, and nothing else does. */
START_TEST(test_fingerprint)
{
    ernie_model *model;
    char first[33];

    ck_assert_int_eq(ernie_model_open(in_model(""), &model, &err), ERNIE_OK);
    strcpy(first, ernie_model_fingerprint(model));
    ernie_model_close(model);
    write_text("README.md", "words");
    ck_assert_int_eq(ernie_model_open(in_model(""), &model, &err), ERNIE_OK);
    ck_assert_str_eq(ernie_model_fingerprint(model), first);
    ernie_model_close(model);
    write_text("sentence_bert_config.json", "{\"max_seq_length\": 30}");
    ck_assert_int_eq(ernie_model_open(in_model(""), &model, &err), ERNIE_OK);
    ck_assert_str_ne(ernie_model_fingerprint(model), first);
    ernie_model_close(model);
    unlink(in_model("sentence_bert_config.json"));
    run("sed -i 's/\\[MASK\\]/[MUSK]/' %s", in_model("vocab.txt"));
    ck_assert_int_eq(ernie_model_open(in_model(""), &model, &err), ERNIE_OK);
    ck_assert_str_ne(ernie_model_fingerprint(model), first);
    ernie_model_close(model);
}
END_TEST

/* ---- configurations ---- */

#define SHAPE                                                                                   \
    "\"num_hidden_layers\": 2, \"intermediate_size\": 64, \"vocab_size\": 64, "                 \
    "\"max_position_embeddings\": 40"

#define CLASSIFIER                                                                              \
    "{\"architectures\": [\"BertForSequenceClassification\"], \"hidden_size\": 32,"              \
    " \"num_attention_heads\": 4, " SHAPE ", "

START_TEST(test_bad_configurations_are_refused_by_field)
{
    static const struct {
        const char *file, *text, *words;
    } cases[] = {
        { "config.json", "", "config.json: line" },
        { "config.json", "[]", "config.json: not an object" },
        { "config.json", "{}", "config.json: hidden_size: missing" },
        { "config.json", "{\"hidden_size\": 0}", "hidden_size: 0 is not in 1..8192" },
        { "config.json", "{\"hidden_size\": -1}", "hidden_size: -1 is not in 1..8192" },
        { "config.json", "{\"hidden_size\": 32.5}", "hidden_size: not a whole number" },
        { "config.json", "{\"hidden_size\": \"32\"}", "hidden_size: not a whole number" },
        { "config.json", "{\"hidden_size\": 32, \"hidden_size\": 32}", "config.json: line" },
        { "config.json", "{\"hidden_size\": 99999999999999999999}", "config.json: line" },
        { "config.json", "{\"hidden_size\": 32, \"num_attention_heads\": 4, \"num_hidden_layers\": 2,"
          " \"intermediate_size\": 600, \"vocab_size\": 64, \"max_position_embeddings\": 40}",
          "intermediate_size: 600 is more than 16 times hidden_size 32" },
        { "config.json", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "config.json: more than 32 brackets" },
        { "config.json", "{\"model_type\": \"llama\"}", "model_type: \"llama\" is not supported" },
        { "config.json", "{\"model_type\": 3}", "model_type" },
        { "config.json", "{\"hidden_size\": 32, \"num_attention_heads\": 5, " SHAPE "}",
          "num_attention_heads: 5 does not divide hidden_size 32" },
        { "config.json",
          "{\"hidden_size\": 32, \"num_attention_heads\": 4, \"hidden_act\": \"relu\", " SHAPE "}",
          "hidden_act: \"relu\" is not supported (gelu is)" },
        { "config.json",
          "{\"hidden_size\": 32, \"num_attention_heads\": 4,"
          " \"position_embedding_type\": \"relative_key\", " SHAPE "}",
          "position_embedding_type" },
        { "config.json",
          "{\"hidden_size\": 32, \"num_attention_heads\": 4, \"model_type\": \"roformer\","
          " \"rotary_value\": 1, " SHAPE "}",
          "rotary_value: not true or false" },
        { "config.json",
          "{\"hidden_size\": 9, \"num_attention_heads\": 3,"
          " \"position_embedding_type\": \"rotary\", " SHAPE "}",
          "rotary positions need heads of an even size" },
        { "config.json",
          "{\"hidden_size\": 32, \"num_attention_heads\": 4, \"model_type\": \"roberta\","
          " \"pad_token_id\": 38, " SHAPE "}",
          "max_position_embeddings: 40 leaves no room for a text" },
        { "config.json", CLASSIFIER "\"id2label\": {}}", "id2label: not an object of 1..65536" },
        { "config.json", CLASSIFIER "\"id2label\": {\"0\": \"a\", \"2\": \"b\"}}",
          "id2label: \"2\" is not one of 0..1" },
        { "config.json", CLASSIFIER "\"id2label\": {\"0\": \"a\", \"00\": \"b\"}}",
          "id2label: \"00\" is not one of 0..1" },
        { "config.json", CLASSIFIER "\"id2label\": {\"0\": 7}}", "id2label: 0: not a text" },
        { "config.json", CLASSIFIER "\"num_labels\": 0}", "num_labels: 0 is not in 1..65536" },
        { "config.json", CLASSIFIER "\"problem_type\": \"guess\"}",
          "problem_type: \"guess\" is not supported" },
        { "config.json",
          CLASSIFIER "\"num_labels\": 1, \"sentence_transformers\": {\"activation_fn\":"
                     " \"os.system\"}}",
          "activation_fn: \"os.system\" is not supported" },
        { "config.json", CLASSIFIER "\"num_labels\": 1}", "bert.pooler.dense.weight: missing" },
        { "config.json",
          "{\"hidden_size\": 32, \"num_attention_heads\": 4, \"layer_norm_eps\": 2, " SHAPE "}",
          "layer_norm_eps" },
        { "config.json",
          "{\"hidden_size\": 32, \"num_attention_heads\": 4, \"use_task_id\": 1, " SHAPE "}",
          "use_task_id: not true or false" },
        { "config.json", "{\"hidden_size\": 64, \"num_attention_heads\": 4, " SHAPE "}",
          "model.safetensors: bert.embeddings.word_embeddings.weight: shape is not 64 x 64" },
        { "config.json",
          "{\"hidden_size\": 32, \"num_attention_heads\": 4, \"num_hidden_layers\": 3,"
          " \"intermediate_size\": 64, \"vocab_size\": 64, \"max_position_embeddings\": 40}",
          "bert.encoder.layer.2.attention.self.query.weight: missing" },
        { "config.json",
          "{\"hidden_size\": 32, \"num_attention_heads\": 4, \"num_hidden_layers\": 2,"
          " \"intermediate_size\": 64, \"vocab_size\": 63, \"max_position_embeddings\": 40}",
          "word_embeddings.weight: shape is not 63 x 32" },
        { "tokenizer_config.json", "{\"do_lower_case\": 1}", "do_lower_case: not true or false" },
        { "tokenizer_config.json", "{\"cls_token\": 7}", "cls_token: not a word" },
        { "tokenizer_config.json", "{\"cls_token\": \"<s>\"}", "<s>" },
        { "sentence_bert_config.json", "{\"max_seq_length\": 1}", "max_seq_length: 1 is not in" },
        { "modules.json", "[{\"type\": \"a.Pooling\", \"path\": \"../../etc\"}]",
          "modules.json: path" },
        { "vocab.txt", "", "vocab.txt" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        folder_remove();
        make_folder();
        write_text(cases[i].file, cases[i].text);
        check_refused(cases[i].words);
    }
}
END_TEST

START_TEST(test_bad_poolings_are_refused)
{
    run("mkdir %s", in_model("1_Pooling"));
    write_text("1_Pooling/config.json", "{\"pooling_mode_weightedmean_tokens\": true}");
    check_refused("1_Pooling/config.json: pooling_mode_weightedmean_tokens: not supported");
    write_text("1_Pooling/config.json", "{\"pooling_mode\": \"weightedmean\"}");
    check_refused("1_Pooling/config.json: pooling_mode: not supported");
    write_text("1_Pooling/config.json", "{\"pooling_mode\": [\"mean\", 7]}");
    check_refused("1_Pooling/config.json: pooling_mode: not supported");
    write_text("1_Pooling/config.json",
               "{\"pooling_mode\": [\"cls\", \"cls\", \"cls\", \"cls\", \"cls\", \"cls\"]}");
    check_refused("1_Pooling/config.json: pooling_mode: more than 5");
    write_text("1_Pooling/config.json", "{\"include_prompt\": 0}");
    check_refused("1_Pooling/config.json: include_prompt: not true or false");
}
END_TEST

START_TEST(test_missing_files_are_named)
{
    ck_assert_int_eq(unlink(in_model("vocab.txt")), 0);
    check_refused("m/vocab.txt: No such file");
    write_text("pytorch_model.bin", "pickle");
    run("cp %s/vocab.txt %s", reference("bert-f32"), in_model(""));
    ck_assert_int_eq(unlink(in_model("model.safetensors")), 0);
    check_refused("pytorch_model.bin: only model.safetensors is read; convert it once");
    ck_assert_int_eq(unlink(in_model("pytorch_model.bin")), 0);
    check_refused("model.safetensors: No such file");
    ck_assert_int_eq(unlink(in_model("config.json")), 0);
    check_refused("config.json: no such file: not a model directory");
}
END_TEST

/* ---- safetensors ---- */

/* A file of a header and some zero bytes of data. */
static void write_tensors(const char *header, size_t n_data)
{
    size_t size = strlen(header);
    uint8_t *bytes = calloc(8 + size + n_data, 1);

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)size >> 8 * i);
    memcpy(bytes + 8, header, size);
    write_bytes("t.safetensors", bytes, 8 + size + n_data);
    free(bytes);
}

static int open_tensors(struct safetensors **file)
{
    return safetensors_open(in_model("t.safetensors"), file, &err);
}

START_TEST(test_safetensors_finds_by_name)
{
    struct safetensors *file;
    const struct tensor *tensor;
    uint8_t bytes[8];

    write_tensors("{\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[3,11]},"
                  "\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                  "\"c\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[11,11]},"
                  "\"__metadata__\":{\"format\":\"pt\"}}   ",
                  11);
    ck_assert_msg(open_tensors(&file) == ERNIE_OK, "%s", err.message);
    tensor = safetensors_find(file, "b");
    ck_assert_uint_eq(tensor->n_dimensions, 2);
    ck_assert_uint_eq(tensor->shape[0], 2);
    ck_assert_uint_eq(tensor->size_bytes, 8);
    ck_assert_int_eq(tensor->type, TENSOR_F32);
    ck_assert_int_eq(safetensors_read(file, tensor, 0, 8, bytes, &err), ERNIE_OK);
    ck_assert_int_eq(safetensors_read(file, tensor, 1, 8, bytes, &err), ERNIE_EINVAL);
    ck_assert_int_eq(safetensors_read(file, tensor, SIZE_MAX, 2, bytes, &err), ERNIE_EINVAL);
    ck_assert_ptr_null(safetensors_find(file, "d"));
    ck_assert_ptr_null(safetensors_find(file, "__metadata__"));
    safetensors_close(file);
    /* Names as JSON may write them. */
    write_tensors("{\"\\u4e2d\\/\\ud83d\\ude00\\n\\\"\":{ \"data_offsets\" : [ 0 , 1 ] , \"shape\":[],"
                  "\"dtype\":\"I8\"}}\n", 1);
    ck_assert_msg(open_tensors(&file) == ERNIE_OK, "%s", err.message);
    ck_assert_ptr_nonnull(safetensors_find(file, "中/😀\n\""));
    safetensors_close(file);
    write_tensors("{}", 0);
    ck_assert_int_eq(open_tensors(&file), ERNIE_OK);
    safetensors_close(file);
}
END_TEST

START_TEST(test_safetensors_refuses_bad_headers)
{
    static const struct {
        const char *header;
        size_t n_data;
        const char *words;
    } cases[] = {
        { "", 0, "does not begin with {" },
        { " {}", 0, "does not begin with {" },
        { "[]", 0, "does not begin with {" },
        { "{", 0, "line 1" },
        { "{\"a\":1}", 0, "a: not an object" },
        { "{\"a\":{}}", 0, "a: not an object of dtype" },
        { "{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype: unknown" },
        { "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype: unknown" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "shape: not an" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape: not a" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "shape: not a" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]}}", 4,
          "shape: too large" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
          "too many dimensions" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "data_offsets" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "outside" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,5]}}", 4, "outside" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "not as long" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "after the last" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}", 5, "hole" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
          "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", 6, "overlap" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
          "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "a: there twice" },
        { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
          "a: not an object of dtype" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} x", 4, "line 1: something" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}", 4, "shape: not a" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,],\"data_offsets\":[0,4]}}", 4, "shape: not a" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551617],\"data_offsets\":[0,4]}}", 4,
          "shape: not a" },
        { "{\"\\u0000\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "an escape that" },
        { "{\"\\ud83d\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "an escape that" },
        { "{\"\\x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "an escape that" },
        { "{\"\xc0\x80\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "not UTF-8" },
        { "{\n\"a\tb\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
          "line 2: a control character" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},}", 4, "line 1: a text in" },
        { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__: there twice" },
        { "{\"__metadata__\":{\"format\":7}}", 0, "__metadata__" },
        { "{\"__metadata__\":7}", 0, "__metadata__: not an object" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct safetensors *file;

        write_tensors(cases[i].header, cases[i].n_data);
        ck_assert_msg(open_tensors(&file) == ERNIE_EFORMAT, "%s", cases[i].header);
        ck_assert_msg(strstr(err.message, cases[i].words) != NULL, "\"%s\" lacks \"%s\"",
                      err.message, cases[i].words);
    }
}
END_TEST

START_TEST(test_safetensors_refuses_lengths_past_the_end)
{
    static const uint64_t lengths[] = { 3, 100, 1ull << 32, UINT64_MAX - 8, UINT64_MAX };

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct safetensors *file;
        uint8_t bytes[10];

        for (int j = 0; j < 8; j++)
            bytes[j] = (uint8_t)(lengths[i] >> 8 * j);
        bytes[8] = '{', bytes[9] = '}';
        write_bytes("t.safetensors", bytes, sizeof bytes);
        ck_assert_int_eq(open_tensors(&file), ERNIE_EFORMAT);
        ck_assert_ptr_nonnull(strstr(err.message, "header runs past the end"));
        write_bytes("t.safetensors", bytes, 7);
        ck_assert_int_eq(open_tensors(&file), ERNIE_EFORMAT);
    }
}
END_TEST

/* A model's file cut short at many lengths, and each byte of its header changed. */
START_TEST(test_damaged_weights_are_refused_or_change_the_fingerprint)
{
    FILE *good = fopen(in_model("model.safetensors"), "r");
    static uint8_t bytes[1 << 17];
    size_t size = fread(bytes, 1, sizeof bytes, good);
    ernie_model *model;
    char first[33];

    fclose(good);
    ck_assert_int_eq(ernie_model_open(in_model(""), &model, &err), ERNIE_OK);
    strcpy(first, ernie_model_fingerprint(model));
    ernie_model_close(model);
    for (size_t n = 0; n < size; n += n < 8192 ? 97 : 4099) {
        write_bytes("model.safetensors", bytes, n);
        ck_assert_int_eq(open_it(), ERNIE_EFORMAT);
    }
    for (size_t i = 0; i < size; i += i < 8192 ? 7 : 1021) {
        bytes[i] ^= 0x11;
        write_bytes("model.safetensors", bytes, size);
        if (ernie_model_open(in_model(""), &model, &err) == ERNIE_OK) {
            /* Only what names a tensor's metadata may change without notice. */
            ck_assert(i < 8192 || strcmp(ernie_model_fingerprint(model), first) != 0);
            ernie_model_close(model);
        }
        bytes[i] ^= 0x11;
    }
}
END_TEST

START_TEST(test_numbers_that_are_none_are_refused)
{
    FILE *file = fopen(in_model("model.safetensors"), "r+");
    static const uint8_t nan[4] = { 0, 0, 0xc0, 0x7f };

    fseek(file, -4, SEEK_END);
    fwrite(nan, 1, 4, file);
    fclose(file);
    check_refused("holds infinity or NaN");
}
END_TEST

/* ---- word bags ---- */

/* The model's vocabulary is small, so the mean that is taken off is that of all its rows. */
START_TEST(test_a_bag_is_the_sum_of_word_embeddings_less_their_mean)
{
    static const char text[] = "一 下 一";
    ernie_model *model;
    struct word_bag *bag;
    struct ernie_tokens tokens;
    const struct weights *weights;
    float *out, *nothing;
    double unread;
    size_t dim;

    ck_assert_int_eq(ernie_model_open(in_model(""), &model, &err), ERNIE_OK);
    ck_assert_int_eq(word_bag_new(model, &bag, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_tokenize(model, text, NULL, 0, &tokens, &err), ERNIE_OK);
    weights = model->weights;
    dim = word_bag_dim(bag);
    ck_assert_uint_eq(dim, weights->embedding_size);
    ck_assert_uint_le(weights->word.n_rows, 1024);
    out = calloc(dim, sizeof *out);
    nothing = calloc(dim, sizeof *nothing);
    ck_assert_int_eq(word_bag_sum(bag, text, strlen(text), out, &err), ERNIE_OK);
    for (size_t i = 0; i < dim; i++) {
        double mean = 0, sum = 0;

        for (size_t id = 0; id < weights->word.n_rows; id++)
            mean += weights->word.rows[id * dim + i] / (double)weights->word.n_rows;
        for (size_t j = 1; j + 1 < tokens.n; j++) /* [CLS] and [SEP] are not the text's */
            sum += weights->word.rows[(size_t)tokens.input_ids[j] * dim + i] - mean;
        ck_assert_double_eq_tol(out[i], sum, 1e-4);
    }
    ck_assert_int_eq(word_bag_sum(bag, "", 0, out, &err), ERNIE_OK);
    ck_assert_mem_eq(out, nothing, dim * sizeof *out);
    /* Of four characters two are in no vocabulary. */
    ck_assert_int_eq(tokenize_unread(model, "一\U0002a6a5下\U0002a6a5", 14, &unread, &err), ERNIE_OK);
    ck_assert_double_eq(unread, 0.5);
    ck_assert_int_eq(tokenize_unread(model, "", 0, &unread, &err), ERNIE_OK);
    ck_assert_double_eq(unread, 0);
    free(out);
    free(nothing);
    ernie_tokens_reset(&tokens);
    word_bag_free(bag);
    ernie_model_close(model);
}
END_TEST

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    ernie_model *model;
    int status, k = 0;

    do {
        fail_allocations_from(k++);
        status = ernie_model_open(in_model(""), &model, &err);
        stop_failing();
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%d: %s", status,
                      err.message);
    } while (status != ERNIE_OK);
    ck_assert_int_gt(k, 50);
    ernie_model_close(model);
}
END_TEST

/* ---- memory ------------------------------------------------------------ */

static size_t live_bytes, peak_bytes;
static void *(*real_resize)(void *, size_t);

static void *counting_resize(void *block, size_t size_bytes)
{
    void *result;

    live_bytes -= malloc_usable_size(block);
    result = real_resize(block, size_bytes);
    live_bytes += malloc_usable_size(result != NULL || size_bytes == 0 ? result : block);
    peak_bytes = live_bytes > peak_bytes ? live_bytes : peak_bytes;
    return result;
}

/* Of the default model the file is large enough that what every model needs besides (a
 * table of 65,536 characters, the vocabulary's, a block of the file) is in its third. */
START_TEST(test_int8_weights_are_never_in_memory_twice)
{
    const char *srcdir = getenv("srcdir");
    char path[512], file[600];
    ernie_model *model;
    struct stat st;
    int status;

    snprintf(path, sizeof path, "%s/models/ernie-micro-zh-en", srcdir != NULL ? srcdir : ".");
    snprintf(file, sizeof file, "%s/model.safetensors", path);
    ck_assert_int_eq(stat(file, &st), 0);
    real_resize = memory_table.resize;
    live_bytes = peak_bytes = 0;
    memory_table.resize = counting_resize;
    status = ernie_model_open(path, &model, &err);
    ck_assert_msg(status == ERNIE_OK, "%s", err.message);
    ck_assert_uint_gt(live_bytes, (size_t)st.st_size * 9 / 10);
    ck_assert_uint_le(peak_bytes, (size_t)st.st_size * 13 / 10);
    /* How the weights are read does not change what is stored with everyone's vectors;
     * another default model does. */
    ck_assert_str_eq(ernie_model_fingerprint(model), "054b8c3e30672fdacbb3d4797aead882");
    ernie_model_close(model);
    memory_table.resize = real_resize;
    ck_assert_uint_eq(live_bytes, 0);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {
        test_a_good_model_opens,
        test_pooling_and_limits_are_read,
        test_fingerprint,
        test_bad_configurations_are_refused_by_field,
        test_bad_poolings_are_refused,
        test_missing_files_are_named,
        test_safetensors_finds_by_name,
        test_safetensors_refuses_bad_headers,
        test_safetensors_refuses_lengths_past_the_end,
        test_damaged_weights_are_refused_or_change_the_fingerprint,
        test_numbers_that_are_none_are_refused,
        test_a_bag_is_the_sum_of_word_embeddings_less_their_mean,
        test_running_out_of_memory_at_each_allocation,
        test_int8_weights_are_never_in_memory_twice,
    };
    Suite *s = suite_create("model");
    TCase *tcase = tcase_create("model");

    tcase_add_checked_fixture(tcase, make_folder, folder_remove);
    tcase_set_timeout(tcase, 120);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(s, tcase);
    return run_suite(s);
}
