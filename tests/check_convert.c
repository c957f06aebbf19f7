/* Checkpoints in the forms in which people have them: what opens, what is made of them, and
 * indexes that mean harm. That transformers opens the result is for compare_convert.py. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.h"
#include "ernie.h"
#include "faults.h"
#include "folder.h"
#include "model/safetensors.h"
#include "suite.h"

static ernie_error err;

/* ---- making checkpoints ------------------------------------------------ */

static const char *source(void)
{
    static char path[512];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/encoder/bert-f32", srcdir != NULL ? srcdir : ".");
    return path;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

struct form {
    size_t n_files;     /* more than 1: with an index */
    const char *prefix;
    int old_names;      /* gamma and beta */
    int transposed;     /* the linear layers */
    size_t in_all;      /* so many tensors are in the first file too */
};

static int is_linear(const struct tensor *tensor)
{
    return tensor->n_dimensions == 2 && strstr(tensor->name, "embeddings") == NULL;
}

static void name_in_form(const struct form *form, const char *name, char out[200])
{
    const char *norm;

    name += strncmp(name, "bert.", 5) == 0 ? 5 : 0; /* as source() has it */
    norm = form->old_names ? strstr(name, "LayerNorm.") : NULL;
    if (norm != NULL)
        snprintf(out, 200, "%s%.*s.%s", form->prefix, (int)(norm + 9 - name), name,
                 strcmp(norm + 10, "weight") == 0 ? "gamma" : "beta");
    else
        snprintf(out, 200, "%s%s", form->prefix, name);
}

static int is_in_file(const struct form *form, size_t tensor, size_t file)
{
    return tensor % form->n_files == file || (file == 0 && tensor < form->in_all);
}

static void write_shard(const struct safetensors *from, const struct form *form, size_t which,
                        const char *path)
{
    FILE *file = fopen(path, "w");
    static char header[65536], name[200];
    size_t n = 0, offset = 0;
    uint64_t length;

    for (size_t i = 0; i < safetensors_count(from); i++) {
        const struct tensor *tensor = safetensors_at(from, i);
        const int turn = form->transposed && is_linear(tensor);

        if (!is_in_file(form, i, which))
            continue;
        name_in_form(form, tensor->name, name);
        n += (size_t)snprintf(header + n, sizeof header - n,
                              "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu", n > 0 ? "," : "{", name,
                              tensor->shape[turn]);
        if (tensor->n_dimensions == 2)
            n += (size_t)snprintf(header + n, sizeof header - n, ",%zu", tensor->shape[!turn]);
        n += (size_t)snprintf(header + n, sizeof header - n, "],\"data_offsets\":[%zu,%zu]}",
                              offset, offset + tensor->size_bytes);
        offset += tensor->size_bytes;
    }
    header[n++] = '}';
    length = n;
    fwrite(&length, 8, 1, file);
    fwrite(header, n, 1, file);
    for (size_t i = 0; i < safetensors_count(from); i++) {
        const struct tensor *tensor = safetensors_at(from, i);
        const size_t columns = tensor->n_dimensions == 2 ? tensor->shape[1] : 1;
        float *w = malloc(tensor->size_bytes);

        ck_assert_int_eq(safetensors_read(from, tensor, 0, tensor->size_bytes, w, &err), ERNIE_OK);
        if (is_in_file(form, i, which) && form->transposed && is_linear(tensor)) {
            for (size_t j = 0; j < columns; j++)
                for (size_t k = 0; k < tensor->shape[0]; k++)
                    fwrite(&w[k * columns + j], sizeof *w, 1, file);
        } else if (is_in_file(form, i, which)) {
            fwrite(w, tensor->size_bytes, 1, file);
        }
        free(w);
    }
    fclose(file);
}

/* The model of source() in another form, at folder/in. */
static void make(const struct form *form)
{
    struct safetensors *from;
    char path[600], name[200];
    FILE *index;

    folder_clear();
    run("cp -r '%s' '%s'", source(), in("in"));
    run("chmod -R u+w '%s'", in("in"));
    snprintf(path, sizeof path, "%s/model.safetensors", source());
    ck_assert_int_eq(safetensors_open(path, &from, &err), ERNIE_OK);
    if (form->n_files == 1) {
        write_shard(from, form, 0, in("in/model.safetensors"));
    } else {
        ck_assert_int_eq(unlink(in("in/model.safetensors")), 0);
        index = fopen(in("in/model.safetensors.index.json"), "w");
        fprintf(index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
        for (size_t i = 0; i < safetensors_count(from); i++) {
            name_in_form(form, safetensors_at(from, i)->name, name);
            fprintf(index, "%s\"%s\":\"m-%zu.safetensors\"", i > 0 ? "," : "", name,
                    i % form->n_files);
        }
        fprintf(index, "}}");
        fclose(index);
        for (size_t i = 0; i < form->n_files; i++) {
            snprintf(name, sizeof name, "in/m-%zu.safetensors", i);
            write_shard(from, form, i, in(name));
        }
    }
    safetensors_close(from);
}

static const char *fingerprint(const char *directory)
{
    static char text[2][40];
    static int which;
    ernie_model *model;

    which = !which;
    ck_assert_msg(ernie_model_open(directory, &model, &err) == ERNIE_OK, "%s", err.message);
    snprintf(text[which], sizeof text[which], "%s", ernie_model_fingerprint(model));
    ernie_model_close(model);
    return text[which];
}

static int convert(enum ernie_dtype dtype)
{
    return ernie_model_convert(in("in"), in("out"), dtype, NULL, &err);
}

/* ---- forms ------------------------------------------------------------- */

/* A fingerprint is of the weights in the order in which a model takes them. */
START_TEST(test_each_form_becomes_the_same_model)
{
    static const struct form forms[] = {
        { 1, "", 0, 0, 0 },     { 2, "", 0, 0, 0 },      { 7, "ernie.", 0, 0, 0 },
        { 1, "bert.", 1, 0, 0 }, { 1, "", 0, 1, 0 },      { 3, "bert.", 1, 1, 0 },
        { 1, "module.bert.", 0, 0, 0 },
    };
    struct ernie_convert_report report;
    struct safetensors *file;
    struct stat st;

    make(&forms[_i]);
    ck_assert_msg(ernie_model_convert(in("in"), in("out"), ERNIE_AS_IS, &report, &err) ==
                      ERNIE_OK,
                  "%s", err.message);
    ck_assert_str_eq(fingerprint(in("out")), fingerprint(source()));
    ck_assert_int_eq(report.transposed, forms[_i].transposed);
    ck_assert_uint_eq(report.n_left_out, 0);
    ck_assert_int_eq(stat(in("out/model.safetensors"), &st), 0);
    ck_assert_uint_eq(report.bytes_after, (uint64_t)st.st_size);
    ck_assert_int_ne(stat(in("out/model.safetensors.index.json"), &st), 0);
    ck_assert_int_ne(stat(in("out/m-0.safetensors"), &st), 0);
    ck_assert_int_eq(safetensors_open(in("out/model.safetensors"), &file, &err), ERNIE_OK);
    ck_assert_ptr_nonnull(safetensors_find(file, "embeddings.LayerNorm.weight"));
    safetensors_close(file);
}
END_TEST

START_TEST(test_several_files_open_as_they_are)
{
    struct ernie_model_info info;
    ernie_model *model;

    make(&(struct form){ 3, "bert.", 0, 0, 0 });
    ck_assert_str_eq(fingerprint(in("in")), fingerprint(source()));
    ck_assert_int_eq(ernie_model_open(in("in"), &model, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_model_info(model, &info, &err), ERNIE_OK);
    ck_assert_uint_gt(info.weights_bytes, 4 * info.n_parameters);
    ernie_model_close(model);
}
END_TEST

START_TEST(test_transposed_layers_are_told)
{
    ernie_model *model;

    make(&(struct form){ 1, "", 0, 1, 0 });
    ck_assert_int_eq(ernie_model_open(in("in"), &model, &err), ERNIE_EFORMAT);
    ck_assert_msg(strstr(err.message, "but transposed: see `ernie model convert`") != NULL, "%s",
                  err.message);
}
END_TEST

START_TEST(test_refused)
{
    make(&(struct form){ 1, "", 0, 0, 0 });
    ck_assert_int_eq(mkdir(in("out"), 0777), 0);
    ck_assert_int_eq(convert(ERNIE_AS_IS), ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "out: exists already"));
    ck_assert_int_eq(rmdir(in("out")), 0);
    /* What is wrong is told of the source. */
    write_text(in("in/config.json"), "{}");
    ck_assert_int_eq(convert(ERNIE_AS_IS), ERNIE_EFORMAT);
    ck_assert_msg(strstr(err.message, "in/config.json: ") != NULL, "%s", err.message);
    ck_assert_int_eq(unlink(in("in/model.safetensors")), 0);
    ck_assert_int_eq(convert(ERNIE_AS_IS), ERNIE_ENOTFOUND);
    write_text(in("in/pytorch_model.bin"), "");
    ck_assert_int_eq(convert(ERNIE_AS_IS), ERNIE_EFORMAT);
    ck_assert_msg(strstr(err.message, "pytorch_model.bin: only model.safetensors is read; "
                                      "convert it once in Python") != NULL, "%s", err.message);
    ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

/* ---- indexes that mean harm -------------------------------------------- */

static const struct {
    const char *text, *why;
} indexes[] = {
    { "", "line 1" },
    { "[]", "weight_map: not an object with members" },
    { "{}", "weight_map: not an object with members" },
    { "{\"weight_map\":[]}", "weight_map: not an object with members" },
    { "{\"weight_map\":{}}", "weight_map: not an object with members" },
    { "{\"weight_map\":{\"a\":\"m-0.safetensors\",\"a\":\"m-0.safetensors\"}}", "line 1" },
    { "{\"weight_map\":{\"a\":1}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":null}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\"\"}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\"..\"}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\"../in/m-0.safetensors\"}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\"./m-0.safetensors\"}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\"/etc/m.safetensors\"}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\"x/m-0.safetensors\"}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\".safetensors\"}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\"config.json\"}}", "a: not the name of" },
    { "{\"weight_map\":{\"a\":\"m-0.safetensors\\u0000.safetensors\"}}", "" },
    { "{\"weight_map\":{\"a\":\"m-9.safetensors\"}}", "m-9.safetensors: missing" },
    { "{\"weight_map\":{\"a\":\"m-0.safetensors\"}}", "a: not in m-0.safetensors" },
};

START_TEST(test_indexes_that_mean_harm_are_refused)
{
    ernie_model *model;

    make(&(struct form){ 2, "", 0, 0, 0 });
    write_text(in("in/model.safetensors.index.json"), indexes[_i].text);
    ck_assert_int_eq(ernie_model_open(in("in"), &model, &err), ERNIE_EFORMAT);
    ck_assert_msg(strstr(err.message, "model.safetensors.index.json: ") != NULL &&
                      strstr(err.message, indexes[_i].why) != NULL,
                  "%s", err.message);
    ck_assert_int_eq(convert(ERNIE_AS_IS), ERNIE_EFORMAT);
    ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(test_a_tensor_in_two_files_is_refused)
{
    ernie_model *model;

    make(&(struct form){ 2, "", 0, 0, 6 });
    ck_assert_int_eq(ernie_model_open(in("in"), &model, &err), ERNIE_EFORMAT);
    ck_assert_msg(strstr(err.message, "there twice") != NULL, "%s", err.message);
}
END_TEST

START_TEST(test_a_damaged_shard_is_refused)
{
    ernie_model *model;

    make(&(struct form){ 2, "", 0, 0, 0 });
    ck_assert_int_eq(truncate(in("in/m-1.safetensors"), 5000), 0);
    ck_assert_int_eq(ernie_model_open(in("in"), &model, &err), ERNIE_EFORMAT);
    ck_assert_msg(strstr(err.message, "m-1.safetensors: ") != NULL, "%s", err.message);
}
END_TEST

/* ---- numbers ----------------------------------------------------------- */

static uint16_t narrow(enum tensor_type type, float value)
{
    uint16_t half = 0xffff;

    return tensor_narrow(type, 1, &value, (uint8_t *)&half) ? half : 0xffff;
}

START_TEST(test_each_half_comes_back)
{
    for (uint32_t i = 0; i <= 0xffff; i++) {
        const uint16_t half = (uint16_t)i;
        float f16, bf16;

        tensor_widen(TENSOR_F16, 1, (const uint8_t *)&half, &f16);
        tensor_widen(TENSOR_BF16, 1, (const uint8_t *)&half, &bf16);
        ck_assert_uint_eq(narrow(TENSOR_F16, f16), isfinite(f16) ? half : 0xffff);
        ck_assert_uint_eq(narrow(TENSOR_BF16, bf16), isfinite(bf16) ? half : 0xffff);
    }
}
END_TEST

/* Between two halves the nearer one, in the middle the even one: IEEE 754, section 4.3.1. */
START_TEST(test_numbers_are_rounded_to_the_nearest)
{
    ck_assert_uint_eq(narrow(TENSOR_F16, 1 + 0x1p-11f), 0x3c00);
    ck_assert_uint_eq(narrow(TENSOR_F16, 1 + 0x1p-11f + 0x1p-23f), 0x3c01);
    ck_assert_uint_eq(narrow(TENSOR_F16, 1 + 3 * 0x1p-11f), 0x3c02);
    ck_assert_uint_eq(narrow(TENSOR_F16, -2 + 0x1p-12f), 0xc000);
    ck_assert_uint_eq(narrow(TENSOR_F16, 65519.0f), 0x7bff);
    ck_assert_uint_eq(narrow(TENSOR_F16, 65520.0f), 0xffff);
    ck_assert_uint_eq(narrow(TENSOR_F16, 1e30f), 0xffff);
    ck_assert_uint_eq(narrow(TENSOR_F16, INFINITY), 0xffff);
    ck_assert_uint_eq(narrow(TENSOR_F16, 0x1p-25f), 0);
    ck_assert_uint_eq(narrow(TENSOR_F16, 0x1.000002p-25f), 1);
    ck_assert_uint_eq(narrow(TENSOR_F16, 3 * 0x1p-25f), 2);
    ck_assert_uint_eq(narrow(TENSOR_F16, -0x1p-30f), 0x8000);
    ck_assert_uint_eq(narrow(TENSOR_F16, 0x1.fffffep-15f), 0x400);
    ck_assert_uint_eq(narrow(TENSOR_BF16, 1 + 0x1p-8f), 0x3f80);
    ck_assert_uint_eq(narrow(TENSOR_BF16, 1 + 3 * 0x1p-8f), 0x3f82);
    ck_assert_uint_eq(narrow(TENSOR_BF16, -1 - 0x1p-8f - 0x1p-20f), 0xbf81);
    ck_assert_uint_eq(narrow(TENSOR_BF16, 0x1.fe7fp127f), 0x7f7f);
    ck_assert_uint_eq(narrow(TENSOR_BF16, 0x1.fffffep127f), 0xffff);
}
END_TEST

/* ---- failures ---------------------------------------------------------- */

START_TEST(test_running_out_of_memory_leaves_nothing)
{
    int status = ERNIE_ENOMEM;

    make(&(struct form){ 2, "bert.", 1, 1, 0 });
    for (int k = 0; status != ERNIE_OK; k++) {
        fail_allocations_from(k);
        status = convert(ERNIE_BF16);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
        ck_assert_uint_eq(folder_count(), 1 + (status == ERNIE_OK));
    }
}
END_TEST

START_TEST(test_a_full_disk_leaves_nothing)
{
    int status = ERNIE_EIO;

    make(&(struct form){ 2, "", 0, 1, 0 });
    for (int k = 0; status != ERNIE_OK; k += 1 + k / 8) {
        fill_disk_after(k);
        status = convert(ERNIE_F16);
        stop_filling();
        ck_assert(status == ERNIE_OK || status == ERNIE_EIO);
        ck_assert_uint_eq(folder_count(), 1 + (status == ERNIE_OK));
    }
}
END_TEST

static void make_folder(void)
{
    folder_make("check_convert");
}

int main(void)
{
    Suite *s = suite_create("convert");
    TCase *t = tcase_create("convert");

    tcase_add_unchecked_fixture(t, make_folder, folder_remove);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, test_each_form_becomes_the_same_model, 0, 7);
    tcase_add_test(t, test_several_files_open_as_they_are);
    tcase_add_test(t, test_transposed_layers_are_told);
    tcase_add_test(t, test_refused);
    tcase_add_loop_test(t, test_indexes_that_mean_harm_are_refused, 0,
                        (int)(sizeof indexes / sizeof indexes[0]));
    tcase_add_test(t, test_a_tensor_in_two_files_is_refused);
    tcase_add_test(t, test_a_damaged_shard_is_refused);
    tcase_add_test(t, test_each_half_comes_back);
    tcase_add_test(t, test_numbers_are_rounded_to_the_nearest);
    tcase_add_test(t, test_running_out_of_memory_leaves_nothing);
    tcase_add_test(t, test_a_full_disk_leaves_nothing);
    suite_add_tcase(s, t);
    return run_suite(s);
}
