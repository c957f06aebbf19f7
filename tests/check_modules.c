/* What a sentence-transformers directory says beyond its transformer, against
 * sentence-transformers itself: tests/data/modules/make_reference.py. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ernie.h"
#include "faults.h"
#include "folder.h"
#include "model/model.h"
#include "suite.h"

#define N_TEXTS 4

static ernie_error err;

static const char *data(const char *name)
{
    static char path[512];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/%s", srcdir != NULL ? srcdir : ".", name);
    return path;
}

static const char *in_model(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/m/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(in_model(name), "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* A model directory of a case in folder/m, for a test to spoil. */
static void make_case(const char *name)
{
    run("rm -rf %s/m", folder);
    run("cp -r %s %s/m && chmod -R u+w %s", data("encoder/bert-f32"), folder, folder);
    run("cp -r %s/modules/%s/. %s && chmod -R u+w %s", data(""), name, in_model(""), folder);
}

static void make_folder(void)
{
    folder_make("check_modules");
    make_case("all-dense");
}

static ernie_model *open_model(void)
{
    ernie_model *model;

    ck_assert_msg(ernie_model_open(in_model(""), &model, &err) == ERNIE_OK, "%s", err.message);
    return model;
}

static void check_refused(const char *words)
{
    ernie_model *model;
    int status = ernie_model_open(in_model(""), &model, &err);

    ck_assert_msg(status == ERNIE_EFORMAT || status == ERNIE_ENOTFOUND, "%s: status %d", words,
                  status);
    ck_assert_msg(strstr(err.message, words) != NULL, "\"%s\" lacks \"%s\"", err.message, words);
}

static void read_texts(char *texts[N_TEXTS])
{
    FILE *file = fopen(data("modules/texts.txt"), "r");
    size_t capacity;

    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < N_TEXTS; i++) {
        ssize_t size;

        texts[i] = NULL;
        capacity = 0;
        size = getline(&texts[i], &capacity, file);
        ck_assert_int_gt(size, 1);
        texts[i][size - 1] = '\0';
    }
    fclose(file);
}

/* ---- numbers ---- */

static const struct {
    const char *name;
    size_t dim;
} cases[] = { { "all-dense", 10 }, { "prompt-left-out", 40 }, { "max-left-out", 64 } };

START_TEST(test_embeddings_equal_those_of_sentence_transformers)
{
    static const char *const prompts[] = { NULL, "query", "passage" };
    const size_t dim = cases[_i].dim;
    float out[N_TEXTS * 64];
    char *texts[N_TEXTS];
    struct file expected;
    ernie_encoder *encoder;
    ernie_model *model;

    make_case(cases[_i].name);
    read_texts(texts);
    ck_assert_int_eq(file_read(in_model("expected.f32"), 1 << 20, &expected, &err), ERNIE_OK);
    model = open_model();
    ck_assert_uint_eq(ernie_model_dim(model), dim);
    ck_assert_uint_eq(expected.size, 3 * N_TEXTS * dim * sizeof(float));
    ck_assert_int_eq(ernie_encoder_new(model, 2, &encoder, &err), ERNIE_OK);
    for (size_t p = 0; p < 3; p++) {
        const struct ernie_encode_options options = { .prompt =
                                                          ernie_model_prompt(model, prompts[p]) };
        const float *right = (const float *)expected.data + p * N_TEXTS * dim;

        ck_assert((options.prompt != NULL) == (p > 0));
        ck_assert_int_eq(ernie_encode_with(encoder, N_TEXTS, (const char *const *)texts, &options,
                                           out, &err),
                         ERNIE_OK);
        for (size_t i = 0; i < N_TEXTS * dim; i++)
            ck_assert_msg(fabs((double)out[i] - right[i]) <= 2e-5, "%zu %zu: %g, not %g", p, i,
                          (double)out[i], (double)right[i]);
    }
    file_reset(&expected);
    ernie_encoder_free(encoder);
    ernie_model_close(model);
    for (size_t i = 0; i < N_TEXTS; i++)
        free(texts[i]);
}
END_TEST

/* The flags of older files mean the poolings of the newer word, in one fixed order. */
START_TEST(test_old_and_new_pooling_files_mean_the_same)
{
    static const char *const kinds[] = { "mean_tokens", "cls_token", "max_tokens",
                                         "mean_sqrt_len_tokens", "lasttoken" };
    struct model_config config;
    char text[128];

    run("rm %s", in_model("modules.json"));
    for (int i = 0; i < N_POOLING_KINDS; i++) {
        snprintf(text, sizeof text, "{\"pooling_mode_%s\": true, \"pooling_mode_%s\": false}",
                 kinds[i], kinds[(i + 1) % N_POOLING_KINDS]);
        write_text("1_Pooling/config.json", text);
        ck_assert_msg(model_config_load(in_model(""), &config, &err) == ERNIE_OK, "%s", err.message);
        ck_assert_uint_eq(config.n_poolings, 1);
        ck_assert_int_eq(config.pooling[0], i);
    }
    write_text("1_Pooling/config.json", "{\"pooling_mode_lasttoken\": true,"
                                        " \"pooling_mode_mean_tokens\": true,"
                                        " \"pooling_mode_cls_token\": true}");
    ck_assert_int_eq(model_config_load(in_model(""), &config, &err), ERNIE_OK);
    ck_assert_uint_eq(config.n_poolings, 3);
    ck_assert_int_eq(config.pooling[0], POOLING_CLS);
    ck_assert_int_eq(config.pooling[1], POOLING_MEAN);
    ck_assert_int_eq(config.pooling[2], POOLING_LAST_TOKEN);
    ck_assert_uint_eq(config.dim, 96);
    ck_assert_int_eq(config.include_prompt, 1);
    write_text("1_Pooling/config.json", "{}");
    ck_assert_int_eq(model_config_load(in_model(""), &config, &err), ERNIE_OK);
    ck_assert_uint_eq(config.n_poolings, 1);
    ck_assert_int_eq(config.pooling[0], POOLING_MEAN);
}
END_TEST

/* The first numbers of the whole embedding, scaled to length 1 again. */
START_TEST(test_a_cut_embedding_is_the_beginning_of_the_whole)
{
    const char *text = "一丁丂";
    struct ernie_encode_options options = { 0 };
    float whole[10], cut[10];
    ernie_model *model = open_model();
    ernie_encoder *encoder;

    ck_assert_int_eq(ernie_encoder_new(model, 1, &encoder, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_encode(encoder, 1, &text, whole, &err), ERNIE_OK);
    for (options.dim = 1; options.dim <= 10; options.dim++) {
        double square = 0;

        ck_assert_int_eq(ernie_encode_with(encoder, 1, &text, &options, cut, &err), ERNIE_OK);
        for (size_t i = 0; i < options.dim; i++)
            square += (double)whole[i] * whole[i];
        for (size_t i = 0; i < options.dim; i++)
            ck_assert_double_eq_tol(cut[i], whole[i] / sqrt(square), 1e-6);
    }
    options.dim = 11;
    ck_assert_int_eq(ernie_encode_with(encoder, 1, &text, &options, cut, &err), ERNIE_EINVAL);
    ck_assert_str_eq(err.message, "encoder: dim 11: not in 1..10, the model's own");
    ernie_encoder_free(encoder);
    ernie_model_close(model);
}
END_TEST

/* A prompt as long as the model reads leaves nothing of the text, and no crash. */
START_TEST(test_a_prompt_longer_than_the_limit)
{
    char prompt[200] = "", *end = prompt;
    const char *texts[] = { "一丁丂", "上下" };
    struct ernie_encode_options options = { .prompt = prompt };
    float out[2 * 64];
    ernie_encoder *encoder;
    ernie_model *model;

    make_case("max-left-out");
    model = open_model();
    for (int i = 0; i < 60; i++, end += 3)
        memcpy(end, "一", 4);
    ck_assert_int_eq(ernie_encoder_new(model, 1, &encoder, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_encode_with(encoder, 2, texts, &options, out, &err), ERNIE_OK);
    for (size_t i = 0; i < 64; i++)
        ck_assert(out[i] == out[64 + i]);
    ck_assert_double_eq_tol(ernie_cosine(64, out, out), 1, 1e-6);
    ernie_encoder_free(encoder);
    ernie_model_close(model);
}
END_TEST

/* ---- prompts ---- */

static void check_prompt(const ernie_model *model, const char *name, const char *right)
{
    const char *text = ernie_model_prompt(model, name);

    if (right == NULL)
        ck_assert_ptr_null(text);
    else
        ck_assert_str_eq(text, right);
}

START_TEST(test_prompts_are_found_by_name)
{
    static const struct {
        const char *file, *query, *passage, *other;
    } files[] = {
        { "{}", NULL, NULL, NULL },
        { "{\"prompts\": {\"query\": \"q: \", \"passage\": \"p: \", \"other\": \"o\"}}", "q: ", "p: ", "o" },
        { "{\"prompts\": {\"query\": \"q: \", \"document\": \"\", \"passage\": \"p: \"}}", "q: ", "p: ", NULL },
        { "{\"prompts\": {\"query\": \"q: \", \"document\": \"\"}}", "q: ", "", NULL },
        { "{\"prompts\": {\"query\": null, \"corpus\": \"c\"}}", NULL, "c", NULL },
        { "{\"prompts\": {\"other\": \"o\"}, \"default_prompt_name\": \"other\"}", "o", "o", "o" },
        { "{\"prompts\": {\"other\": \"o\", \"query\": \"\", \"document\": \"\"},"
          " \"default_prompt_name\": \"other\"}", "o", "o", "o" },
        { "{\"prompts\": {\"query\": \"q\", \"other\": \"o\"}, \"default_prompt_name\": \"other\"}",
          "q", NULL, "o" },
        { "{\"prompts\": {\"query\": \"q\"}, \"default_prompt_name\": \"gone\"}", "q", NULL, NULL },
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        ernie_model *model;

        write_text("config_sentence_transformers.json", files[i].file);
        model = open_model();
        check_prompt(model, "query", files[i].query);
        check_prompt(model, "passage", files[i].passage);
        check_prompt(model, "document", files[i].passage);
        check_prompt(model, "other", files[i].other);
        check_prompt(model, "", NULL);
        check_prompt(model, NULL, NULL);
        ernie_model_close(model);
    }
}
END_TEST

static void fingerprint(char out[33])
{
    ernie_model *model = open_model();

    strcpy(out, ernie_model_fingerprint(model));
    ernie_model_close(model);
}

/* Everything here changes embeddings, and so the fingerprint. */
START_TEST(test_each_change_has_a_fingerprint_of_its_own)
{
    static const char *const changes[] = {
        "true",
        "sed -i s/GELU/ReLU/ %s/3_Dense/config.json",
        "sed -i 's/\"max\", \"mean\"/\"mean\", \"max\"/;s/^ *\"max\",$/\"mean\",/' %s/1_Pooling/config.json",
        "sed -i 's/\"include_prompt\": true/\"include_prompt\": false/' %s/1_Pooling/config.json",
        "sed -i 's/u4e11/u4e12/' %s/config_sentence_transformers.json",
        "sed -i 's/u4e14/u4e12/' %s/config_sentence_transformers.json",
        "printf '\\001' | dd of=%s/4_Dense/model.safetensors bs=1 seek=500 conv=notrunc status=none",
        "sed -i 's/.models.Normalize/.models.Dropout/;s/normalize.Normalize/dropout.Dropout/' %s/modules.json",
    };
    enum { N = sizeof changes / sizeof changes[0] };
    char prints[N][33];

    for (size_t i = 0; i < N; i++) {
        make_case("all-dense");
        run(changes[i], in_model(""));
        fingerprint(prints[i]);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(strcmp(prints[i], prints[j]) != 0, "%zu and %zu", i, j);
    }
}
END_TEST

/* A last Normalize changes nothing: embeddings have length 1 anyway. */
START_TEST(test_a_last_normalize_does_not_matter)
{
    char with[33], without[33];

    make_case("prompt-left-out");
    fingerprint(with);
    run("sed -i 's/normalize.Normalize/dropout.Dropout/' %s", in_model("modules.json"));
    fingerprint(without);
    ck_assert_str_eq(with, without);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(test_bad_modules_are_refused_by_field)
{
    static const struct {
        const char *change, *words;
    } bad[] = {
        { "sed -i 's/dense.Dense/lstm.LSTM/' %s/modules.json",
          "modules.json: type: \"sentence_transformers.base.modules.lstm.LSTM\" is not supported" },
        { "sed -i 's/pooling.Pooling/dense.Dense/' %s/modules.json", "is not supported there" },
        { "sed -i 's/3_Dense/..\\/m\\/3_Dense/' %s/modules.json", "modules.json: path: not a folder" },
        { "sed -i 's/3_Dense/../' %s/modules.json", "modules.json: path: not a folder" },
        { "sed -i 's/\"3_Dense\"/7/' %s/modules.json", "modules.json: path: not a folder" },
        { "echo '[1]' > %s/modules.json", "modules.json: type: \"?\" is not supported" },
        { "rm %s/3_Dense/config.json", "3_Dense/config.json: in_features: missing" },
        { "sed -i 's/160/161/' %s/3_Dense/config.json",
          "3_Dense/config.json: in_features: 161, but the module before gives 160" },
        { "sed -i 's/: 12/: 13/' %s/3_Dense/config.json",
          "4_Dense/config.json: in_features: 12, but the module before gives 13" },
        { "sed -i 's/: 10/: 11/' %s/4_Dense/config.json",
          "4_Dense/model.safetensors: linear.weight: shape is not 11 x 12" },
        { "sed -i 's/: 10/: 0/' %s/4_Dense/config.json", "out_features: 0 is not in 1..65536" },
        { "sed -i 's/false/true/' %s/4_Dense/config.json",
          "4_Dense/model.safetensors: linear.bias: missing" },
        { "sed -i 's/GELU/Mish/' %s/3_Dense/config.json",
          "activation_function: \"torch.nn.modules.activation.Mish\" is not supported (Tanh" },
        { "sed -i 's/torch.nn.modules.activation.GELU/mine.GELU/' %s/3_Dense/config.json",
          "activation_function: \"mine.GELU\" is not supported" },
        { "sed -i 's/\"bias\": true/\"use_residual\": true/' %s/3_Dense/config.json",
          "3_Dense/config.json: use_residual: not supported" },
        { "sed -i 's/\"sentence_embedding\"/\"token_embeddings\"/' %s/3_Dense/config.json",
          "module_input_name: \"token_embeddings\" is not supported" },
        { "rm %s/4_Dense/model.safetensors", "4_Dense/model.safetensors: No such file" },
        { "mv %s/4_Dense/model.safetensors %s/4_Dense/pytorch_model.bin",
          "pytorch_model.bin: only model.safetensors is read; convert it once in Python: "
          "SentenceTransformer(DIR).save(DIR)" },
        { "printf '\\377\\377\\377\\377' | dd of=%s/4_Dense/model.safetensors bs=1 seek=500"
          " conv=notrunc status=none", "4_Dense/model.safetensors: linear.weight: holds infinity" },
        { "echo '{\"prompts\": []}' > %s/config_sentence_transformers.json",
          "config_sentence_transformers.json: prompts: not an object" },
        { "echo '{\"prompts\": {\"query\": 7}}' > %s/config_sentence_transformers.json",
          "config_sentence_transformers.json: prompts: not a text" },
        { "echo '{\"prompts\": {\"query\": \"a\\u0000b\"}}' > %s/config_sentence_transformers.json",
          "config_sentence_transformers.json: " },
        { "echo '{\"default_prompt_name\": 7}' > %s/config_sentence_transformers.json",
          "default_prompt_name: not a text" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        make_case("all-dense");
        run(bad[i].change, in_model(""), in_model(""));
        check_refused(bad[i].words);
    }
}
END_TEST

START_TEST(test_too_many_modules_are_refused)
{
    char text[2048] = "[{\"type\": \"x.Pooling\", \"path\": \"1_Pooling\"}";

    for (int i = 0; i < 9; i++)
        strcat(text, ", {\"type\": \"x.Normalize\", \"path\": \"\"}");
    strcat(text, "]");
    write_text("modules.json", text);
    check_refused("modules.json: more than 8 modules");
}
END_TEST

/* ---- memory ---- */

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    const char *text = "一丁丂";
    struct ernie_encode_options options = { .prompt = "且" };
    ernie_encoder *encoder;
    ernie_model *model;
    float out[10];
    int status, k = 0;

    do {
        fail_allocations_from(k++);
        status = ernie_model_open(in_model(""), &model, &err);
        stop_failing();
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%d: %s", status,
                      err.message);
    } while (status != ERNIE_OK);
    ck_assert_int_gt(k, 50);
    ck_assert_int_eq(ernie_encoder_new(model, 1, &encoder, &err), ERNIE_OK);
    k = 0;
    do {
        fail_allocations_from(k++);
        status = ernie_encode_with(encoder, 1, &text, &options, out, &err);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
    } while (status != ERNIE_OK);
    ck_assert_int_gt(k, 2);
    /* Without a prompt there is nothing to allocate. */
    fail_allocations_from(0);
    ck_assert_int_eq(ernie_encode(encoder, 1, &text, out, &err), ERNIE_OK);
    ck_assert_int_eq(stop_failing(), 0);
    ernie_encoder_free(encoder);
    ernie_model_close(model);
}
END_TEST

int main(void)
{
    const TTest *tests[] = {
        test_old_and_new_pooling_files_mean_the_same,
        test_a_cut_embedding_is_the_beginning_of_the_whole,
        test_a_prompt_longer_than_the_limit,
        test_prompts_are_found_by_name,
        test_each_change_has_a_fingerprint_of_its_own,
        test_a_last_normalize_does_not_matter,
        test_bad_modules_are_refused_by_field,
        test_too_many_modules_are_refused,
        test_running_out_of_memory_at_each_allocation,
    };
    Suite *s = suite_create("modules");
    TCase *tcase = tcase_create("modules");

    tcase_add_checked_fixture(tcase, make_folder, folder_remove);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_embeddings_equal_those_of_sentence_transformers, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(s, tcase);
    return run_suite(s);
}
